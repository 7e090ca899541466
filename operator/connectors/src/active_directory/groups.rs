//! Groups and memberships. A change of members names those that come and go alone, by their GUIDs, so that nobody else's edit is
//! undone. Groups among the members, and people from elsewhere, are left alone.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use provost_core::model::{Applied, AttributeName, Spent, TargetError, TargetId};

use super::accounts::place;
use super::schema::{LOGIN, NAMING};
use super::{ActiveDirectory, Sort, extended, id, map};
use crate::ldap::wire::value::mark;
use crate::ldap::wire::{Change, Entry, Filter, Refusal, Search, code, dn, values};

pub(super) const MEMBER: &str = "member";
/// Members in one answer; servers give no more (MaxValRange).
const RANGE: usize = 1500;

/// The first members of a group, asked for as a range, so that the answer says whether it is whole.
pub(super) fn first_members() -> String {
    range(0)
}

fn range(first: usize) -> String {
    format!("{MEMBER};range={first}-{}", first + RANGE - 1)
}

impl ActiveDirectory {
    pub(super) async fn create_group(&self, name: &str, mark: &str, spent: &mut Spent) -> Result<Applied, TargetError> {
        let groups = self.group_settings()?;
        let dn = dn::below(&dn::rdn("CN", name), &groups.base);
        let body = vec![
            ("objectClass".into(), values(["group"])),
            (LOGIN.into(), values([map::group_login(name)])),
            ("groupType".into(), values([groups.bits.to_string()])),
            (groups.mark.as_str().into(), values([mark])),
        ];
        match self.wire.add(&dn, body, Vec::new(), spent).await {
            Ok(_) | Err(Refusal { code: Some(code::ALREADY_EXISTS), .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        let (_, class, wanted) = self.sort(Sort::Group)?;
        let found = match self.wire.search(Search::at(&dn, class, &wanted).with(extended()), spent).await {
            // Another one, elsewhere, has its login name.
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => return Err(TargetError::Conflict),
            found => found?,
        };
        let entry = found.entries.first().ok_or(TargetError::Conflict)?;
        if self::mark(entry, &groups.mark) != Some(mark) {
            return Err(TargetError::Conflict);
        }
        Ok(Applied { id: Some(id(entry)?), ..Applied::default() })
    }

    pub(super) async fn rename_group(&self, id: &TargetId, name: &str, spent: &mut Spent) -> Result<(), TargetError> {
        let entry = self.writable(Sort::Group, id, &[], spent).await?;
        let known = map::by_guid(id).ok_or(TargetError::NotFound)?;
        if entry.text(NAMING) != Some(name) {
            let parent = place(&entry)?.parent;
            self.wire.rename(&known, &dn::rdn("CN", name), Some(&parent), Vec::new(), spent).await?;
        }
        let login = map::group_login(name);
        if entry.text(LOGIN) != Some(&login) {
            self.modify(id, vec![Change::Replace(LOGIN.into(), values([login]))], spent).await?;
        }
        Ok(())
    }

    pub(super) async fn add_members(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        self.writable(Sort::Group, group, &[], spent).await?;
        let names: Vec<String> = members.iter().filter_map(map::by_guid).collect();
        if names.len() != members.len() {
            return Err(gone());
        }
        match self.modify(group, vec![Change::Add(MEMBER.into(), values(&names))], spent).await {
            Err(Refusal { code: Some(code::ALREADY_EXISTS | code::VALUE_EXISTS), .. }) => {}
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => return Err(gone()),
            other => return Ok(other?),
        }
        // Some are there already: the others alone.
        let held = self.held(group, spent).await?;
        if held.is_empty() {
            return self.add_unseen(group, names, spent).await;
        }
        self.change(
            group,
            members.iter().filter(|id| !held.contains(*id)),
            |names| Change::Add(MEMBER.into(), names),
            spent,
        )
        .await
    }

    /// Some are in the group, and it shows nobody: members may be written here and not read, so an empty list says nothing any
    /// more. They are added one by one.
    async fn add_unseen(&self, group: &TargetId, names: Vec<String>, spent: &mut Spent) -> Result<(), TargetError> {
        self.blind.store(true, Ordering::Relaxed);
        for name in names {
            match self.modify(group, vec![Change::Add(MEMBER.into(), values([name]))], spent).await {
                Err(Refusal { code: Some(code::ALREADY_EXISTS | code::VALUE_EXISTS), .. }) => {}
                other => other?,
            }
        }
        Ok(())
    }

    pub(super) async fn remove_members(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        self.writable(Sort::Group, group, &[], spent).await?;
        let remove = |names| Change::Delete(MEMBER.into(), names);
        match self.change(group, members.iter(), remove, spent).await {
            Ok(()) => return Ok(()),
            // Some are not there, or are gone altogether: the others alone.
            Err(TargetError::Rejected { .. } | TargetError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let held = self.held(group, spent).await?;
        self.change(group, members.iter().filter(|id| held.contains(*id)), remove, spent).await
    }

    async fn change(
        &self,
        group: &TargetId,
        members: impl Iterator<Item = &TargetId>,
        change: impl Fn(std::collections::BTreeSet<Vec<u8>>) -> Change,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        let names = values(members.filter_map(map::by_guid));
        if names.is_empty() {
            return Ok(());
        }
        Ok(self.modify(group, vec![change(names)], spent).await?)
    }

    async fn held(&self, group: &TargetId, spent: &mut Spent) -> Result<BTreeSet<TargetId>, TargetError> {
        let entry = self.entry(Sort::Group, group, &[&first_members()], spent).await?.ok_or(TargetError::NotFound)?;
        let unknown = || TargetError::Transient("the members of the group are not shown to the end".into());
        self.shown(&entry, spent).await?.ok_or_else(unknown).map(BTreeSet::from_iter)
    }

    /// The same as the core sees them: nothing is known of a group without members where members were seen not to be shown.
    pub(super) async fn members(&self, group: &Entry, spent: &mut Spent) -> Result<Option<Vec<TargetId>>, TargetError> {
        let shown = self.shown(group, spent).await?;
        Ok(shown.filter(|members| !(members.is_empty() && self.blind.load(Ordering::Relaxed))))
    }

    /// The members of a group of which the first are known. `None`: they are not shown to the end, so nothing is known.
    async fn shown(&self, group: &Entry, spent: &mut Spent) -> Result<Option<Vec<TargetId>>, TargetError> {
        let known = id(group)?;
        let name = map::by_guid(&known).unwrap_or_default();
        let mut all = BTreeSet::new();
        let mut part = group.clone();
        let mut first = 0;
        loop {
            let (some, next) = match part.range(MEMBER) {
                Some(found) => found,
                // A group without members has no such attribute; one that goes on has it.
                None if first == 0 => return Ok(Some(Vec::new())),
                None => return Ok(None),
            };
            all.extend(some.filter_map(map::id));
            match next {
                None => return Ok(Some(all.into_iter().collect())),
                Some(next) if next > first => first = next,
                Some(_) => return Ok(None),
            }
            let search = Search::at(&name, Filter::class("group"), &[range(first)]).with(extended());
            let found = match self.wire.search(search, spent).await {
                Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => return Ok(None),
                found => found?,
            };
            match found.entries.into_iter().next() {
                Some(entry) => part = entry,
                None => return Ok(None),
            }
        }
    }
}

fn gone() -> TargetError {
    map::rejected(&AttributeName::from(MEMBER), "an account that is to be a member is not there")
}
