//! Listings as the core sees them.

use provost_core::model::{
    EntitlementKind, Item, Kind, ObservedEntitlement, Page, PageToken, Spent, TargetError, TargetId,
};

use super::wire::value::mark;
use super::wire::{Entry, Search, dn, listing};
use super::{Ldap, Sort};

impl Ldap {
    /// One page; `None`: from the beginning.
    pub(crate) async fn observe(
        &self,
        kind: Kind,
        page: Option<&PageToken>,
        spent: &mut Spent,
    ) -> Result<Page, TargetError> {
        let (sort, size) = match kind {
            Kind::Accounts => (Sort::Account, listing::ACCOUNTS),
            Kind::Groups => (Sort::Group, listing::GROUPS),
            Kind::Roles | Kind::Licenses => return Err(listing::neither()),
        };
        let (bases, class, wanted) = self.sort(sort)?;
        let searches = bases.into_iter().map(|base| Search::below(base, class.clone(), &wanted)).collect();
        let (entries, next, elsewhere) = self.listings.page(&self.wire, (kind, page), searches, size, spent).await?;
        Ok(Page { items: self.items(sort, &entries, spent).await?, total: None, next, profile: None, elsewhere })
    }

    pub(super) async fn items(
        &self,
        sort: Sort,
        entries: &[Entry],
        spent: &mut Spent,
    ) -> Result<Vec<Item>, TargetError> {
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
        let unread = self.supports().demands_member && entry.values(member).is_empty();
        let rdn = dn::parse(&entry.dn).and_then(|rdns| rdns.into_iter().next()).unwrap_or_default();
        let named = rdn.into_iter().find(|(attribute, _)| attribute.eq_ignore_ascii_case("cn")).map(|(_, name)| name);
        Ok(ObservedEntitlement {
            id: self.learn(Sort::Group, entry)?,
            kind: EntitlementKind::Group,
            name: named.as_deref().or_else(|| entry.text("cn")).unwrap_or_default().into(),
            mark: mark(entry, &groups.mark).map(Into::into),
            members: (!unread).then_some(members),
            groups: Vec::new(),
        })
    }
}
