//! What has changed, where the server stamps it (OpenLDAP with syncprov): the entry at the top of a database says how far each server
//! that writes to it has come (`contextCSN`), and every entry when it was last changed (`entryCSN`). What is deleted leaves no
//! entry behind, and the next change hides that there was one more: once something has changed, ids alone are listed.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use provost_core::model::{Changes, Cursor, Item, Spent, TargetError, TargetId};

use super::wire::error::no_base;
use super::wire::{Entry, Filter, Own, Refusal, Search, dn, listing};
use super::{Ldap, Sort, schema, times};

/// How far a database has come.
const REACHED: &str = "contextCSN";
/// When an entry was last changed.
pub(super) const STAMP: &str = "entryCSN";

/// From one listing of ids to the next.
const APART: Duration = Duration::from_secs(10);
/// They take at most one part of so many of the time.
const SHARE: u32 = 20;

/// When ids are listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Roll {
    /// Something has changed since they were.
    due: bool,
    not_before: Option<Instant>,
}

impl Roll {
    fn is_due(&self) -> bool {
        self.due && self.not_before.is_none_or(|at| Instant::now() >= at)
    }
}

/// The latest stamp of each server, by its number.
type Reached = BTreeMap<String, String>;

impl Ldap {
    /// From where changes can be asked for; `None`: the server does not show it.
    pub(super) async fn cursor(&self, root: &Entry, spent: &mut Spent) -> Result<Option<Cursor>, TargetError> {
        let groups = self.settings.groups.as_ref().map(|groups| groups.base.as_str());
        let places: Vec<String> = self.settings.bases().into_iter().chain(groups).map(dn::normal).collect();
        let holds_all = |top: &&str| places.iter().all(|place| dn::is_within(place, &dn::normal(top)));
        let Some(top) = root.texts("namingContexts").filter(holds_all).max_by_key(|top| top.len()) else {
            return Ok(None);
        };
        let mut own = self.wire.own(spent).await?;
        match self.reached(&mut own, top, spent).await {
            Ok(reached) => {
                self.wire.done(own);
                Ok((!reached.is_empty()).then(|| written(top, &reached)))
            }
            Err(Refusal { code: Some(_), .. }) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn reached(&self, own: &mut Own, top: &str, spent: &mut Spent) -> Result<Reached, Refusal> {
        let found = self.wire.ask(own, Search::at(top, Filter::any(), &[REACHED.to_owned()]), spent).await?;
        let stamps = found.entries.iter().flat_map(|entry| entry.texts(REACHED));
        Ok(stamps.map(|stamp| (server(stamp).to_owned(), stamp.to_owned())).collect())
    }

    /// Accounts and groups that were changed since. All of it is asked of one server.
    pub(crate) async fn changes(&self, from: &Cursor, spent: &mut Spent) -> Result<Changes, TargetError> {
        if kind(from) == times::CHANGED {
            return self.timed(from, spent).await;
        }
        let (top, before) = read(from);
        let mut own = self.wire.own(spent).await?;
        let now = self.reached(&mut own, &top, spent).await?;
        let mut changes = Changes { items: Vec::new(), gone: Vec::new(), whole: true, next: written(&top, &now) };
        let ahead: Vec<&String> =
            now.iter().filter(|(name, at)| before.get(*name) != Some(*at)).map(|(n, _)| n).collect();
        // Of a server that was not there before it is not known since when.
        changes.whole = !now.is_empty() && ahead.iter().all(|name| before.contains_key(*name));
        if let Some(since) = ahead.iter().filter_map(|name| before.get(*name)).min() {
            for sort in self.sorts() {
                changes.whole &= self.changed(&mut own, sort, since, &before, &mut changes.items, spent).await?;
            }
        }
        self.roll().due |= !ahead.is_empty();
        // Where not all can be told, everything is listed anyway.
        if changes.whole && self.roll().is_due() {
            changes.gone = self.gone(&mut own, spent).await?;
        }
        self.wire.done(own);
        Ok(changes)
    }

    pub(super) fn sorts(&self) -> impl Iterator<Item = Sort> {
        [Sort::Account].into_iter().chain(self.settings.groups.is_some().then_some(Sort::Group))
    }

    /// A lock is held for a moment and never over an await.
    pub(super) fn roll(&self) -> MutexGuard<'_, Roll> {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ids that were known and are not there any more, or not in a place that the manifest names.
    async fn gone(&self, own: &mut Own, spent: &mut Spent) -> Result<Vec<TargetId>, TargetError> {
        let began = Instant::now();
        let mut gone = Vec::new();
        for sort in self.sorts() {
            match self.missing(own, sort, spent).await {
                Ok(missing) => gone.extend(missing),
                // Beyond a limit, or where it may not look, nothing is said to be gone.
                Err(Refusal { code: Some(_), .. }) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        let not_before = Some(Instant::now() + APART.max(began.elapsed() * SHARE));
        *self.roll() = Roll { due: false, not_before };
        Ok(gone)
    }

    async fn missing(&self, own: &mut Own, sort: Sort, spent: &mut Spent) -> Result<Vec<TargetId>, Refusal> {
        // Taken before the list: what is made meanwhile is not missed.
        let mut known = self.names(sort).ids();
        let (bases, class, _) = self.sort(sort)?;
        for base in bases {
            let mut cookie = Vec::new();
            loop {
                let search = Search::below(base, class.clone(), std::slice::from_ref(&self.settings.id));
                let page = self.wire.page(own, search, listing::ACCOUNTS, cookie, spent).await?;
                for entry in &page.entries {
                    known.remove(&self.id(entry)?);
                }
                cookie = page.cookie;
                if cookie.is_empty() {
                    break;
                }
            }
        }
        let mut names = self.names(sort);
        for id in &known {
            names.forget(id);
        }
        Ok(known.into_iter().collect())
    }

    /// Entries of a sort with a later stamp; false: there are more than can be told.
    async fn changed(
        &self,
        own: &mut Own,
        sort: Sort,
        since: &str,
        before: &Reached,
        items: &mut Vec<Item>,
        spent: &mut Spent,
    ) -> Result<bool, TargetError> {
        let (bases, class, mut wanted) = self.sort(sort)?;
        wanted.push(STAMP.to_owned());
        for base in bases {
            let filter = class.clone().and(Filter::at_least(STAMP, &since));
            let found = self.wire.few(own, Search::below(base, filter, &wanted), spent).await;
            let Some(found) = found.map_err(|refusal| no_base(refusal, base))? else { return Ok(false) };
            let is_new = |entry: &Entry| {
                let stamp = entry.text(STAMP).unwrap_or_default();
                before.get(server(stamp)).is_none_or(|before| stamp > before.as_str())
            };
            let entries: Vec<Entry> = found.into_iter().filter(is_new).collect();
            self.tell(sort, &entries, items, spent).await?;
        }
        Ok(true)
    }

    /// Entries that were changed, as the core sees them.
    pub(super) async fn tell(
        &self,
        sort: Sort,
        entries: &[Entry],
        items: &mut Vec<Item>,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        let moved = entries.iter().map(|entry| self.has_moved(sort, entry)).collect::<Result<Vec<bool>, _>>()?;
        let mut found = self.items(sort, entries, spent).await?;
        for ((item, entry), _) in found.iter_mut().zip(entries).zip(moved).filter(|(_, moved)| *moved) {
            // Groups hold names: those that still hold its old one are as they were, and it is in none of them.
            if let Item::Account(observed) = item {
                observed.holds = Some(self.holds(entry, spent).await?);
            }
        }
        items.extend(found);
        Ok(())
    }

    /// Whether groups know an account by another name than before.
    fn has_moved(&self, sort: Sort, entry: &Entry) -> Result<bool, TargetError> {
        if sort == Sort::Group || self.settings.groups.is_none() {
            return Ok(false);
        }
        let known = self.names(sort).of(&self.id(entry)?);
        Ok(known.is_some_and(|known| {
            if self.settings.by_login() {
                known.login.as_deref() != entry.text(schema::LOGIN)
            } else {
                dn::normal(&known.dn) != dn::normal(&entry.dn)
            }
        }))
    }
}

/// What a cursor rests on.
pub(super) fn kind(cursor: &Cursor) -> &'static str {
    if cursor.0.lines().next() == Some(times::CHANGED) { times::CHANGED } else { REACHED }
}

/// The number of the server that gave a stamp: `time#count#server#number`.
fn server(stamp: &str) -> &str {
    stamp.split('#').nth(2).unwrap_or_default()
}

/// A line for the top, and one for each stamp.
fn written(top: &str, reached: &Reached) -> Cursor {
    let lines: Vec<&str> = std::iter::once(top).chain(reached.values().map(String::as_str)).collect();
    Cursor(lines.join("\n").into())
}

fn read(cursor: &Cursor) -> (String, Reached) {
    let mut lines = cursor.0.lines();
    let top = lines.next().unwrap_or_default().to_owned();
    (top, lines.map(|stamp| (server(stamp).to_owned(), stamp.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let stamps = ["20261129091500.000001Z#000000#001#000000", "20261129091501.000000Z#000000#00a#000000"];
        let reached: Reached = stamps.map(|stamp| (server(stamp).to_owned(), stamp.to_owned())).into();
        assert_eq!(reached.keys().collect::<Vec<_>>(), ["001", "00a"]);
        assert_eq!(read(&written("dc=acme,dc=test", &reached)), ("dc=acme,dc=test".to_owned(), reached));
    }
}
