//! What has changed, where no entry says how far the database has come, and each says when it was last written (RFC 4512, 3.4): 389
//! Directory Server, OpenDJ, slapd without syncprov. The clock is the server's, and shows the latest time that was seen of it, in
//! whole seconds; writes may show in another order than that of their times. What is deleted leaves no time behind: listings tell.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::ToSpan as _;
use jiff::civil::DateTime;
use provost_core::model::{Changes, Cursor, Spent, TargetError, TargetId};

use super::wire::error::no_base;
use super::wire::{Entry, Filter, Found, Own, Refusal, Search, listing};
use super::{Ldap, Sort};

/// The first line of a cursor of this kind, which is no DN; and when an entry was last changed.
pub(super) const CHANGED: &str = "modifyTimestamp";
/// When it was made: not every server says of a new entry that it was changed.
const MADE: &str = "createTimestamp";
/// Seconds before the latest time in which something may show late.
const OVERLAP: i64 = 2;
/// So long after a time was seen first, nothing of that time shows any more.
const SETTLED: Duration = Duration::from_secs(3);
/// Before everything.
const NEVER: &str = "19700101000000";
const FORM: &str = "%Y%m%d%H%M%S";

/// What was seen of the server's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    latest: String,
    seen: Option<Instant>,
    /// Entries of about that time, as they were told: they are found again until it has settled.
    told: HashMap<TargetId, Entry>,
}

/// From where changes are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct From {
    latest: String,
    settled: bool,
}

impl From {
    fn written(&self) -> Cursor {
        Cursor(format!("{CHANGED}\n{}\n{}", self.latest, self.settled).into())
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let mut lines = cursor.0.strip_prefix(CHANGED)?.lines().skip(1);
        Some(Self { latest: lines.next()?.to_owned(), settled: lines.next()? == "true" })
    }

    /// What was written since.
    fn filter(&self) -> Filter {
        let since = shifted(&self.latest, if self.settled { 1 } else { -OVERLAP });
        Filter::Or([CHANGED, MADE].map(|name| Filter::at_least(name, &format!("{since}Z"))).to_vec())
    }
}

impl Ldap {
    /// From where changes can be asked for by their times; `None`: the server does not show them.
    pub(super) async fn time(&self, spent: &mut Spent) -> Result<Option<Cursor>, TargetError> {
        let (_, class, _) = self.sort(Sort::Account)?;
        let search = Search::below(&self.settings.base, class, &[CHANGED, MADE].map(str::to_owned));
        let mut own = self.wire.own(spent).await?;
        let found = match self.first(&mut own, &search, spent).await {
            Err(Refusal { code: Some(_), .. }) => return Ok(None),
            found => found?,
        };
        let latest = match found.entries.iter().filter_map(at).max() {
            Some(latest) => self.latest(own, &search, (latest, found.cookie), spent).await?,
            None if found.entries.is_empty() => {
                if found.cookie.is_empty() {
                    self.wire.done(own);
                }
                NEVER.to_owned()
            }
            None => return Ok(None),
        };
        Ok(Some(From { latest, settled: false }.written()))
    }

    async fn first(&self, own: &mut Own, search: &Search, spent: &mut Spent) -> Result<Found, Refusal> {
        self.wire.page(own, search.clone(), listing::ACCOUNTS, Vec::new(), spent).await
    }

    /// The latest time of a search that is under way: entries come in the order of their making, and after a time that is not the
    /// latest there may be more of them than can be told, at every question. Where no more is to be had, an earlier time must do.
    async fn latest(
        &self,
        mut own: Own,
        search: &Search,
        (mut latest, mut cookie): (String, Vec<u8>),
        spent: &mut Spent,
    ) -> Result<String, Refusal> {
        while !cookie.is_empty() {
            let found = match self.wire.page(&mut own, search.clone(), listing::ACCOUNTS, cookie, spent).await {
                Err(Refusal { code: Some(_), .. }) => return Ok(latest),
                found => found?,
            };
            latest = found.entries.iter().filter_map(at).fold(latest, Ord::max);
            cookie = found.cookie;
            if found.entries.is_empty() && !cookie.is_empty() {
                return Ok(latest);
            }
        }
        // Only at the end of the list: a place in it that is of no use goes with its connection.
        self.wire.done(own);
        Ok(latest)
    }

    /// Accounts and groups that were written since.
    pub(super) async fn timed(&self, cursor: &Cursor, spent: &mut Spent) -> Result<Changes, TargetError> {
        let unread = || TargetError::Malformed("from where changes are to be told cannot be read".into());
        let from = From::read(cursor).ok_or_else(unread)?;
        // Asked late enough, so that nothing of that time shows later than this.
        let settles = from.settled || self.times().has_settled(&from.latest);
        let mut own = self.wire.own(spent).await?;
        let (mut latest, mut all) = (from.latest.clone(), Vec::new());
        for sort in self.sorts() {
            let (bases, class, mut wanted) = self.sort(sort)?;
            wanted.extend([CHANGED, MADE].map(str::to_owned));
            for base in bases {
                let search = Search::below(base, class.clone().and(from.filter()), &wanted);
                let found = self.first(&mut own, &search, spent).await.map_err(|refusal| no_base(refusal, base))?;
                latest = found.entries.iter().filter_map(at).fold(latest, Ord::max);
                if !found.cookie.is_empty() {
                    // For a listing, which begins later than this.
                    latest = self.latest(own, &search, (latest, found.cookie), spent).await?;
                    let next = self.times().follow(&from, settles, latest);
                    return Ok(Changes { items: Vec::new(), gone: Vec::new(), whole: false, next: next.written() });
                }
                all.push((sort, found.entries));
            }
        }
        self.wire.done(own);
        let mut items = Vec::new();
        for (sort, entries) in all {
            let entries = self.untold(entries)?;
            self.tell(sort, &entries, &mut items, spent).await?;
            for entry in entries {
                let id = self.id(&entry)?;
                self.times().told.insert(id, entry);
            }
        }
        let next = self.times().follow(&from, settles, latest);
        Ok(Changes { items, gone: Vec::new(), whole: true, next: next.written() })
    }

    /// Those that are not as they were told.
    fn untold(&self, mut entries: Vec<Entry>) -> Result<Vec<Entry>, TargetError> {
        let ids = entries.iter().map(|entry| self.id(entry)).collect::<Result<Vec<_>, _>>()?;
        let times = self.times();
        let mut ids = ids.into_iter();
        entries.retain(|entry| ids.next().is_none_or(|id| times.told.get(&id) != Some(entry)));
        Ok(entries)
    }

    /// A lock is held for a moment and never over an await.
    pub(super) fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn has_settled(&self, latest: &str) -> bool {
        self.latest == latest && self.seen.is_some_and(|seen| seen.elapsed() >= SETTLED)
    }

    /// Takes note of the latest time, and what of it is still found again. `settles`: what was asked from is old enough.
    fn follow(&mut self, from: &From, settles: bool, latest: String) -> From {
        let settled = settles && latest == from.latest;
        if self.latest != latest || self.seen.is_none() {
            self.latest.clone_from(&latest);
            self.seen = Some(Instant::now());
        }
        let since = shifted(&latest, -OVERLAP);
        self.told.retain(|_, entry| !settled && at(entry).is_some_and(|at| at >= since));
        From { latest, settled }
    }
}

/// When an entry was written, in a form that compares.
fn at(entry: &Entry) -> Option<String> {
    let whole = |text: &str| {
        let text = text.get(..FORM_LENGTH).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        Some(text.to_owned())
    };
    [CHANGED, MADE].into_iter().filter_map(|name| whole(entry.text(name)?)).max()
}

/// Digits of a time without parts of a second.
const FORM_LENGTH: usize = 14;

/// A time so many seconds later; one that is none stays as it is.
fn shifted(time: &str, seconds: i64) -> String {
    let later = DateTime::strptime(FORM, time).and_then(|time| time.checked_add(seconds.seconds()));
    later.map_or_else(|_| time.to_owned(), |time| time.strftime(FORM).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_asks_for_a_little_more_until_it_has_settled() {
        for (settled, since) in [(false, "20261231235958Z"), (true, "20270101000001Z")] {
            let from = From { latest: "20270101000000".into(), settled };
            assert_eq!(From::read(&from.written()), Some(from.clone()));
            let Filter::Or(parts) = from.filter() else { panic!("either time") };
            assert_eq!(parts.first(), Some(&Filter::at_least(CHANGED, &since)));
        }
        assert_eq!(From::read(&Cursor("dc=acme,dc=test\n20270101000000Z".into())), None);
    }

    #[test]
    fn a_time_is_left_behind_when_it_was_seen_long_ago_and_nothing_later_was_found() {
        let (old, new) = ("20270101000000".to_owned(), "20270101000001".to_owned());
        let from = From { latest: old.clone(), settled: false };
        for (settles, latest, settled) in [(true, &old, true), (false, &old, false), (true, &new, false)] {
            let next = Times::default().follow(&from, settles, latest.clone());
            assert_eq!(next, From { latest: latest.clone(), settled });
        }
        let seen = Instant::now().checked_sub(SETTLED);
        let times = Times { latest: old.clone(), seen, told: HashMap::new() };
        assert!(times.has_settled(&old) && !times.has_settled(&new));
    }

    #[test]
    fn an_entry_is_as_late_as_the_later_of_its_times() {
        let entry = |times: &[(&str, &[&str])]| at(&Entry::with("uid=a", times));
        assert_eq!(
            entry(&[(CHANGED, &["20270101000000Z"]), (MADE, &["20260101000000Z"])]),
            Some("20270101000000".into())
        );
        assert_eq!(entry(&[(MADE, &["20260101000000.123Z"])]), Some("20260101000000".into()));
        assert_eq!(entry(&[(CHANGED, &["soon"])]), None);
    }
}
