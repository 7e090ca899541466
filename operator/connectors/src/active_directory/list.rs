//! Listings as the core sees them.

use provost_core::model::{EntitlementKind, Item, Kind, ObservedEntitlement, Page, PageToken, Spent, TargetError};

use super::schema::NAMING;
use super::{ActiveDirectory, Sort, extended, groups, id};
use crate::ldap::wire::value::mark;
use crate::ldap::wire::{Entry, Search, listing};

impl ActiveDirectory {
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
        let (bases, class, mut wanted) = self.sort(sort)?;
        if sort == Sort::Group {
            wanted.push(groups::first_members());
        }
        let search = |base| Search::below(base, class.clone(), &wanted).with(extended());
        let searches = bases.into_iter().map(search).collect();
        let (entries, next, elsewhere) = self.listings.page(&self.wire, (kind, page), searches, size, spent).await?;
        let mut items = Vec::with_capacity(entries.len());
        for entry in &entries {
            items.push(self.item(sort, entry, spent).await?);
        }
        Ok(Page { items, total: None, next, profile: None, elsewhere })
    }

    /// An entry as the core sees it; of a group, its first members were asked for.
    pub(super) async fn item(&self, sort: Sort, entry: &Entry, spent: &mut Spent) -> Result<Item, TargetError> {
        Ok(match sort {
            Sort::Account => Item::Account(self.observed(entry)?),
            Sort::Group => Item::Entitlement(self.group(entry, spent).await?),
        })
    }

    async fn group(&self, entry: &Entry, spent: &mut Spent) -> Result<ObservedEntitlement, TargetError> {
        let members = self.members(entry, spent).await?;
        Ok(ObservedEntitlement {
            id: id(entry)?,
            kind: EntitlementKind::Group,
            name: entry.text(NAMING).unwrap_or_default().into(),
            mark: mark(entry, &self.group_settings()?.mark).map(Into::into),
            members,
            groups: Vec::new(),
        })
    }
}
