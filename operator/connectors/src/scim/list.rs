//! Reading: pages, searches, single resources. Nothing here writes.

use std::collections::VecDeque;

use provost_core::model::{CorrelationKey, Item, Kind, Observed, Page, PageToken, Spent, TargetError, TargetId};

use super::filter::{self, Filter};
use super::learned::Members;
use super::wire::{self, ListResponse, Resource};
use super::{Paging, Scim, map};
use crate::http::{Refusal, percent_encoded};

/// Items asked for in one page.
const PAGE: usize = 200;
/// Items handed over in one page at most.
const LARGEST_PAGE: usize = 500;
/// Groups in one page where each has to be read by itself.
pub(super) const PAGE_OF_READS: usize = 25;
/// Pages that one search may walk where the target ignores the filter.
const LONGEST_SEARCH: usize = 1000;
/// What one search may find: an account with a key, the groups of one account.
const MOST_FOUND: usize = 10_000;

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// `startIndex`, and the first id of the page before: a page that repeats is noticed.
    Index(u64, String),
    /// RFC 9865.
    Cursor(String),
    /// In what a target without paging sent at once: the listing's serial.
    Stash(u64),
}

impl At {
    fn token(&self) -> PageToken {
        PageToken(match self {
            Self::Index(start, first) => format!("index:{start}:{first}").into(),
            Self::Cursor(cursor) => format!("cursor:{cursor}").into(),
            Self::Stash(serial) => format!("stash:{serial}").into(),
        })
    }

    fn of(token: &PageToken) -> Option<Self> {
        match token.0.split_once(':')? {
            ("index", rest) => {
                let (start, first) = rest.split_once(':')?;
                Some(Self::Index(start.parse().ok()?, first.to_owned()))
            }
            ("cursor", cursor) => Some(Self::Cursor(cursor.to_owned())),
            ("stash", serial) => Some(Self::Stash(serial.parse().ok()?)),
            _ => None,
        }
    }
}

/// What a target sent beyond a page that may be handed over.
#[derive(Debug, Default)]
pub(super) struct Stash {
    serial: u64,
    total: Option<u64>,
    items: VecDeque<Resource>,
    next: Option<At>,
}

/// A page as it came.
pub(super) struct RawPage {
    pub(super) total: Option<u64>,
    pub(super) items: Vec<Resource>,
    pub(super) next: Option<At>,
}

impl Scim {
    /// One page of accounts or groups.
    pub(crate) async fn observe(
        &self,
        kind: Kind,
        token: Option<&PageToken>,
        spent: &mut Spent,
    ) -> Result<Page, TargetError> {
        let at = match token {
            None => None,
            Some(token) => {
                Some(At::of(token).ok_or_else(|| TargetError::Malformed("the page token is not ours".into()))?)
            }
        };
        let resource = match kind {
            Kind::Accounts => "Users",
            Kind::Groups => "Groups",
            Kind::Roles | Kind::Licenses => return Ok(empty()),
        };
        let by_read = kind == Kind::Groups && self.learned().members == Some(Members::ByRead);
        let count = if by_read { PAGE_OF_READS } else { PAGE };
        let raw = match self.page(resource, None, at, count, spent).await {
            // Only where the probe saw it too, and for what says so: a list that fails now and then is not empty.
            Err(refusal) if kind == Kind::Groups && has_no_list(&refusal) && self.learned().groups == Some(false) => {
                return Ok(empty());
            }
            other => other?,
        };
        let most = count.max(LARGEST_PAGE.min(count * 4));
        let most = if kind == Kind::Groups { most.min(self.readable(&raw.items)) } else { most };
        let raw = self.bounded(raw, most);
        let items = match kind {
            Kind::Groups => self.groups(&raw.items, spent).await?.into_iter().map(Item::Entitlement).collect(),
            _ => raw.items.iter().filter_map(|item| self.account(item)).map(Item::Account).collect(),
        };
        // Once a listing of accounts is enough.
        let last = kind == Kind::Accounts && raw.next.is_none();
        let profile = last.then(|| Box::new(self.profile()));
        Ok(Page { items, total: raw.total, next: raw.next.as_ref().map(At::token), profile, elsewhere: 0 })
    }

    /// Accounts with a key, inactive ones included. Where the target ignores or refuses the filter, all are looked at.
    pub(crate) async fn find(&self, key: &CorrelationKey, spent: &mut Spent) -> Result<Vec<Observed>, TargetError> {
        let filter = Filter::attribute(key.attribute.as_str(), &key.value);
        let matching = |item: Resource| self.account(&item).filter(|account| matches(account, key));
        let refuses = self.learned().filter == Some(false);
        let found =
            if refuses { Err(None) } else { self.search("Users", &filter, matching, spent).await.map_err(Some) };
        let mut found = match found {
            Ok(found) => found,
            Err(None) => self.walk("Users", matching, spent).await?,
            // Some refuse the value (spaces in it), some the attribute, some all filters.
            Err(Some(refusal)) if refuses_filter(&refusal) => self.walk("Users", matching, spent).await?,
            Err(Some(refusal)) => return Err(refusal.into()),
        };
        if found.iter().any(|account| !account.enabled) {
            self.learned().inactive_hidden.get_or_insert(false);
        }
        // Not every target undoes the escapes of a filter's text; such values are rare enough to look at all.
        if found.is_empty() && !refuses && filter::needs_escapes(&key.value) {
            found = self.walk("Users", matching, spent).await?;
        }
        let (hidden, understood) = {
            let learned = self.learned();
            (learned.inactive_hidden != Some(false), learned.active_filter != Some(false) && !refuses)
        };
        if found.is_empty() && hidden && understood {
            match self.search("Users", &filter.and(Filter::Is("active", false)), matching, spent).await {
                Ok(inactive) if inactive.is_empty() => {}
                Ok(inactive) => {
                    self.learned().inactive_hidden = Some(true);
                    found = inactive;
                }
                Err(refusal) if refuses_filter(&refusal) => self.learned().active_filter = Some(false),
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(found)
    }

    /// One account; `None`: the target does not have it.
    pub(crate) async fn read(&self, id: &TargetId, spent: &mut Spent) -> Result<Option<Observed>, TargetError> {
        let Some(resource) = self.resource("Users", id, spent).await? else { return Ok(None) };
        let mut account = self.account(&resource);
        if let Some(account) = account.as_mut().filter(|account| account.holds.is_none()) {
            account.holds = self.groups_of(id, spent).await?;
        }
        Ok(account)
    }

    /// A resource by id.
    pub(super) async fn resource(
        &self,
        kind: &str,
        id: &TargetId,
        spent: &mut Spent,
    ) -> Result<Option<Resource>, TargetError> {
        let answer = match self.get(&[kind, id.as_str()], "", spent).await {
            Err(Refusal { error: TargetError::NotFound, .. }) => return Ok(None),
            other => other?,
        };
        let resource = wire::resource(&answer.body)?;
        if resource.id().as_ref() != Some(id) {
            return Err(TargetError::Malformed("another resource came than was asked for".into()));
        }
        Ok(Some(resource))
    }

    /// What `keep` makes of everything that a filter finds.
    pub(super) async fn search<T>(
        &self,
        kind: &str,
        filter: &Filter,
        keep: impl Fn(Resource) -> Option<T>,
        spent: &mut Spent,
    ) -> Result<Vec<T>, Refusal> {
        self.pages(kind, Some(filter), keep, spent).await
    }

    /// What `keep` makes of everything there is.
    pub(super) async fn walk<T>(
        &self,
        kind: &str,
        keep: impl Fn(Resource) -> Option<T>,
        spent: &mut Spent,
    ) -> Result<Vec<T>, TargetError> {
        Ok(self.pages(kind, None, keep, spent).await?)
    }

    /// One page at a time is held, and of it what is kept.
    async fn pages<T>(
        &self,
        kind: &str,
        filter: Option<&Filter>,
        keep: impl Fn(Resource) -> Option<T>,
        spent: &mut Spent,
    ) -> Result<Vec<T>, Refusal> {
        let (mut found, mut at, mut total) = (Vec::new(), None, None);
        for _ in 0..LONGEST_SEARCH {
            let page = self.page(kind, filter, at, PAGE, spent).await?;
            // Rows have moved between the pages: what was not found may be on one that was read.
            if page.total.is_some() && page.total != *total.get_or_insert(page.total) {
                let text = "a search was overtaken by a change at the target; it begins again";
                return Err(TargetError::Transient(text.into()).into());
            }
            found.extend(page.items.into_iter().filter_map(&keep));
            if found.len() > MOST_FOUND {
                let text = format!("a search finds more than {MOST_FOUND} items; the target seems to ignore filters");
                return Err(TargetError::Malformed(text.into()).into());
            }
            at = page.next;
            if at.is_none() {
                return Ok(found);
            }
        }
        Err(TargetError::Unsupported("the search does not end; the target seems to ignore filters".into()).into())
    }

    /// One page as the target has it, by cursor, else by index, else all at once.
    pub(super) async fn page(
        &self,
        kind: &str,
        filter: Option<&Filter>,
        at: Option<At>,
        count: usize,
        spent: &mut Spent,
    ) -> Result<RawPage, Refusal> {
        if let Some(At::Stash(serial)) = at {
            return self.stashed(serial).ok_or_else(|| {
                TargetError::Transient("the rest of the listing is gone; it begins again".into()).into()
            });
        }
        let by_cursor = at.is_none() && self.by_cursor();
        let mut parameters = Vec::new();
        if let Some(filter) = filter {
            parameters.push(format!("filter={}", percent_encoded(&filter.to_string())));
        }
        match &at {
            Some(At::Cursor(cursor)) => parameters.push(format!("cursor={}&count={count}", percent_encoded(cursor))),
            Some(At::Index(start, _)) => parameters.push(format!("startIndex={start}&count={count}")),
            _ if self.paging == Paging::None => {}
            _ if by_cursor => parameters.push(format!("cursor=&count={count}")),
            _ => parameters.push(format!("startIndex=1&count={count}")),
        }
        let answer = match self.get(&[kind], &parameters.join("&"), spent).await {
            Err(refusal) if by_cursor && self.paging == Paging::Auto && refuses_cursor(&refusal) => {
                self.learned().cursor = Some(false);
                return Box::pin(self.page(kind, filter, None, count, spent)).await;
            }
            other => other.map_err(|refusal| no_list(kind, refusal))?,
        };
        let list = wire::list_response(&answer.body)?;
        // What a search finds says nothing of listings.
        if filter.is_none() {
            self.learn_paging(kind, &list, at.as_ref(), count);
        }
        Ok(self.paged(list, at.as_ref(), count)?)
    }

    fn by_cursor(&self) -> bool {
        let learned = self.learned();
        match self.paging {
            Paging::Cursor => true,
            Paging::Auto => learned.cursor.or(learned.hint.cursor) == Some(true),
            Paging::Index | Paging::None => false,
        }
    }

    /// Lists come in parts where a second one was seen; all at once where all came and less was asked for.
    fn learn_paging(&self, kind: &str, list: &ListResponse, at: Option<&At>, count: usize) {
        let Some(first) = list.resources.first().and_then(Resource::id) else { return };
        let got = list.resources.len();
        match at {
            Some(At::Index(_, before)) if before != first.as_str() => {
                self.learned().index.insert(kind.to_owned(), true);
            }
            None if got > count && list.total == Some(got as u64) => {
                self.learned().index.entry(kind.to_owned()).or_insert(false);
            }
            _ => {}
        }
    }

    /// Where the listing goes on after this page.
    fn paged(&self, list: ListResponse, at: Option<&At>, count: usize) -> Result<RawPage, TargetError> {
        let got = list.resources.len();
        let first = list.resources.first().and_then(Resource::id);
        if let (Some(At::Index(_, before)), Some(first)) = (at, &first)
            && before == first.as_str()
        {
            return match list.total {
                Some(_) => Err(TargetError::Malformed("a page repeats; the target ignores startIndex".into())),
                None => Ok(RawPage { total: None, items: Vec::new(), next: None }),
            };
        }
        if let Some(cursor) = list.next_cursor {
            if at == Some(&At::Cursor(cursor.clone())) {
                return Err(TargetError::Malformed("a page repeats; its cursor leads to itself".into()));
            }
            self.learned().cursor = Some(true);
            return Ok(RawPage { total: list.total, items: list.resources, next: Some(At::Cursor(cursor)) });
        }
        let start = match at {
            Some(At::Index(start, _)) => *start,
            None if self.paging != Paging::None => 1,
            // The last page of a walk by cursor, or the only one there is.
            _ => return Ok(RawPage { total: list.total, items: list.resources, next: None }),
        };
        let reached = start.saturating_sub(1).saturating_add(got as u64);
        let more = list.total.map_or(got >= count, |total| reached < total);
        if more && got > 0 && got < count {
            self.learned().page_limit = Some(got);
        }
        let next = first.filter(|_| more).map(|first| At::Index(reached + 1, first.as_str().to_owned()));
        Ok(RawPage { total: list.total, items: list.resources, next })
    }

    /// A page that may be handed over; the rest of a larger one is kept for the next call.
    fn bounded(&self, mut raw: RawPage, most: usize) -> RawPage {
        if raw.items.len() > most {
            let rest = raw.items.split_off(most);
            let mut stash = self.stash();
            stash.serial += 1;
            stash.total = raw.total;
            stash.items = rest.into();
            stash.next = raw.next.take();
            raw.next = Some(At::Stash(stash.serial));
        }
        raw
    }

    fn stashed(&self, serial: u64) -> Option<RawPage> {
        let mut stash = self.stash();
        if stash.serial != serial {
            return None;
        }
        let items = std::mem::take(&mut stash.items).into();
        Some(RawPage { total: stash.total, items, next: stash.next.take() })
    }

    fn stash(&self) -> std::sync::MutexGuard<'_, Stash> {
        self.stash.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// An account as the core sees it, `holds` only where accounts are known to show their groups.
    pub(super) fn account(&self, resource: &Resource) -> Option<Observed> {
        let mut account = map::account(resource)?;
        let mut learned = self.learned();
        for group in account.holds.iter().flatten() {
            learned.groups_on_account = true;
            learned.got_members(group, [&account.id]);
        }
        account.holds = learned.groups_on_account.then(|| account.holds.unwrap_or_default());
        Some(account)
    }
}

fn empty() -> Page {
    Page { items: Vec::new(), total: Some(0), next: None, profile: None, elsewhere: 0 }
}

fn matches(account: &Observed, key: &CorrelationKey) -> bool {
    account.attributes.get(key.attribute.as_str()).is_some_and(|held| held_in(held, &key.value))
}

/// Whether a value is, or a list holds, a text, whatever its case: the caller checks exactly.
fn held_in(held: &provost_core::model::Value, text: &str) -> bool {
    use provost_core::model::Value;
    match held {
        Value::Text(held) => held.to_lowercase() == text.to_lowercase(),
        Value::Int(number) => number.to_string() == text,
        Value::List(items) => items.iter().any(|item| held_in(item, text)),
        Value::Map(map) => map.get("value").is_some_and(|value| held_in(value, text)),
        Value::Null | Value::Bool(_) => false,
    }
}

/// A list that is not there is a wrong URL, not a missing account; one that is forbidden, a credential without rights.
fn no_list(kind: &str, refusal: Refusal) -> Refusal {
    match refusal.error {
        TargetError::NotFound => {
            let text = format!("the service has no /{kind}, HTTP 404; check the url");
            Refusal { error: TargetError::Malformed(text.into()), ..refusal }
        }
        _ if refusal.status == Some(403) => {
            let text = format!("HTTP 403 for /{kind}; the credential lacks the right to read");
            Refusal { error: TargetError::Unauthorized(text.into()), ..refusal }
        }
        _ => refusal,
    }
}

/// Whether it says that there are none of this kind.
pub(super) fn has_no_list(refusal: &Refusal) -> bool {
    matches!(refusal.status, Some(404 | 405 | 501))
}

pub(super) fn refuses_filter(refusal: &Refusal) -> bool {
    matches!(refusal.status, Some(400 | 404 | 405 | 422 | 501))
}

fn refuses_cursor(refusal: &Refusal) -> bool {
    matches!(refusal.status, Some(400 | 405 | 422 | 501))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_tokens_survive_the_core() {
        for at in [At::Index(201, "a:b/c".into()), At::Cursor("x:y=".into()), At::Stash(3)] {
            assert_eq!(At::of(&at.token()), Some(at));
        }
        assert_eq!(At::of(&PageToken("elsewhere".into())), None);
    }
}
