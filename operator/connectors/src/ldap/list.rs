//! Listings, page by page, each on a connection of its own: servers keep the place of one listing a connection.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use provost_core::model::{
    EntitlementKind, Item, Kind, ObservedEntitlement, Page, PageToken, Spent, TargetError, TargetId,
};

use super::wire::{Entry, Own, Search, dn};
use super::{Ldap, Sort, map, no_base};

/// Accounts in a page; the port's most.
const ACCOUNTS: usize = 500;
/// Groups in a page: each may have thousands of members.
const GROUPS: usize = 50;
/// Listings that wait for their next page. Who comes back later begins again.
const WAITING: usize = 4;

/// Listings under way, by the token that goes on.
#[derive(Debug, Default)]
pub(super) struct Listings {
    begun: u64,
    waiting: VecDeque<(Arc<str>, Listing)>,
}

#[derive(Debug)]
struct Listing {
    number: u64,
    page: u64,
    sort: Sort,
    /// What is still to be listed; the first is under way.
    bases: VecDeque<String>,
    cookie: Vec<u8>,
    own: Own,
}

impl Ldap {
    /// One page; `None`: from the beginning.
    pub(crate) async fn observe(
        &self,
        kind: Kind,
        page: Option<&PageToken>,
        spent: &mut Spent,
    ) -> Result<Page, TargetError> {
        let sort = match kind {
            Kind::Accounts => Sort::Account,
            Kind::Groups => Sort::Group,
            Kind::Roles | Kind::Licenses => {
                return Err(TargetError::Unsupported("a directory knows accounts and groups alone".into()));
            }
        };
        let mut listing = match page {
            Some(token) => self.resumed(sort, token)?,
            None => self.begun(sort, spent).await?,
        };
        let mut items = Vec::new();
        // A server may answer an empty page in between.
        while items.is_empty() {
            let Some(base) = listing.bases.front().cloned() else { break };
            let (_, class, wanted) = self.sort(sort)?;
            let size = if sort == Sort::Account { ACCOUNTS } else { GROUPS };
            let search = Search::below(&base, class, &wanted);
            let cookie = std::mem::take(&mut listing.cookie);
            let found = self.wire.page(&mut listing.own, search, size, cookie, spent).await;
            let found = found.map_err(|refusal| no_base(refusal, &base))?;
            if found.referrals > 0 {
                tracing::warn!(%base, referrals = found.referrals, "other servers hold a part of this; it is not listed");
            }
            listing.cookie = found.cookie;
            if listing.cookie.is_empty() {
                listing.bases.pop_front();
            }
            items = self.items(sort, &found.entries, spent).await?;
        }
        if listing.bases.is_empty() {
            self.wire.done(listing.own);
            return Ok(Page { items, total: None, next: None, profile: None });
        }
        Ok(Page { items, total: None, next: Some(self.waits(listing)), profile: None })
    }

    async fn begun(&self, sort: Sort, spent: &mut Spent) -> Result<Listing, TargetError> {
        let (bases, _, _) = self.sort(sort)?;
        let bases = bases.into_iter().map(str::to_owned).collect();
        let own = self.wire.own(spent).await?;
        let number = {
            let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
            listings.begun += 1;
            listings.begun
        };
        Ok(Listing { number, page: 0, sort, bases, cookie: Vec::new(), own })
    }

    fn resumed(&self, sort: Sort, token: &PageToken) -> Result<Listing, TargetError> {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        let at = listings.waiting.iter().position(|(known, listing)| *known == token.0 && listing.sort == sort);
        let unknown = || TargetError::Malformed("this listing is not under way any more; it begins again".into());
        Ok(at.and_then(|at| listings.waiting.remove(at)).ok_or_else(unknown)?.1)
    }

    fn waits(&self, mut listing: Listing) -> PageToken {
        listing.page += 1;
        let token: Arc<str> = format!("{}.{}", listing.number, listing.page).into();
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if listings.waiting.len() == WAITING {
            listings.waiting.pop_front();
        }
        listings.waiting.push_back((Arc::clone(&token), listing));
        PageToken(token)
    }

    async fn items(&self, sort: Sort, entries: &[Entry], spent: &mut Spent) -> Result<Vec<Item>, TargetError> {
        if sort == Sort::Account {
            return Ok(self.observed(entries, spent).await?.into_iter().map(Item::Account).collect());
        }
        let groups = self.group_settings()?;
        if !groups.style.by_login() {
            let members = entries.iter().flat_map(|entry| entry.texts(groups.style.member()));
            self.resolve(members.map(str::to_owned).collect(), spent).await?;
        }
        entries.iter().map(|entry| self.group(entry).map(Item::Entitlement)).collect()
    }

    fn group(&self, entry: &Entry) -> Result<ObservedEntitlement, TargetError> {
        let groups = self.group_settings()?;
        let (member, placeholder) = (groups.style.member(), dn::normal(&groups.placeholder));
        let members: Vec<TargetId> = if groups.style.by_login() {
            let names = self.names(Sort::Account);
            let of = |login: &str| names.with_login(login).unwrap_or_else(|| TargetId::new(format!("login:{login}")));
            entry.texts(member).map(of).collect()
        } else {
            let real = |value: &&str| dn::normal(value) != placeholder;
            // A group within a group is told by its own id, once it was listed.
            let group = |value: &str| self.names(Sort::Group).named(value);
            entry.texts(member).filter(real).map(|value| group(value).unwrap_or_else(|| self.id_named(value))).collect()
        };
        let rdn = dn::parse(&entry.dn).and_then(|rdns| rdns.into_iter().next()).unwrap_or_default();
        let named = rdn.into_iter().find(|(attribute, _)| attribute.eq_ignore_ascii_case("cn")).map(|(_, name)| name);
        Ok(ObservedEntitlement {
            id: self.learn(Sort::Group, entry)?,
            kind: EntitlementKind::Group,
            name: named.as_deref().or_else(|| entry.text("cn")).unwrap_or_default().into(),
            mark: map::mark(entry, &groups.mark).map(Arc::from),
            members: Some(members),
        })
    }
}
