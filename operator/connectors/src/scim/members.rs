//! Members of groups as they are shown. A group that comes without `members` may be empty, and may be one whose list is
//! too long to be shown: which of the two it is, is asked before it is believed.

use provost_core::model::{ObservedEntitlement, Spent, TargetError, TargetId};
use serde_json::Value as Json;

use super::filter::Filter;
use super::learned::{Learned, Members};
use super::list::{PAGE_OF_READS, refuses_filter};
use super::wire::{Held, Resource};
use super::{Scim, map};

/// How many of the members that a group had are asked for, before it counts as one that was emptied.
const ASKED_FOR: usize = 8;

impl Scim {
    /// Groups with their members, as far as they are shown.
    pub(super) async fn groups(
        &self,
        listed: &[Resource],
        spent: &mut Spent,
    ) -> Result<Vec<ObservedEntitlement>, TargetError> {
        self.learned().seen_in_list(listed);
        let mut groups = Vec::with_capacity(listed.len());
        let mut asked = false;
        for group in listed {
            let known = self.learned().members;
            let held = match known {
                Some(Members::Listed) => match self.shown(group) {
                    None => self.left_out(group, spent).await?,
                    shown => shown,
                },
                Some(Members::Hidden) => None,
                None if asked => None,
                Some(Members::ByRead) | None => {
                    asked = true;
                    self.members_by_read(group, known, spent).await?
                }
            };
            groups.extend(map::group(group, held));
        }
        Ok(groups)
    }

    /// How many of these groups may be handed over at once: only so many of them are to be read.
    pub(super) fn readable(&self, listed: &[Resource]) -> usize {
        let mut learned = self.learned();
        learned.seen_in_list(listed);
        let unread = |group: &Resource| {
            learned.members == Some(Members::Listed)
                && group.get("members").is_none()
                && group.id().is_some_and(|id| !learned.is_known_empty(&id, group))
        };
        let last = listed.iter().enumerate().filter(|(_, group)| unread(group)).nth(PAGE_OF_READS);
        last.map_or(usize::MAX, |(at, _)| at)
    }

    /// The members that come with a group, which are remembered; `None`: the list is left out.
    fn shown(&self, group: &Resource) -> Option<Held> {
        let held = group.held()?;
        let mut learned = self.learned();
        learned.empty_shown |= group.get("members").and_then(Json::as_array).is_some_and(Vec::is_empty);
        if let Some(id) = group.id() {
            learned.has_members(&id, &held.accounts);
        }
        Some(held)
    }

    /// The members of a group that was listed without: as a read shows them, else nobody if nothing speaks against it.
    async fn left_out(&self, group: &Resource, spent: &mut Spent) -> Result<Option<Held>, TargetError> {
        let Some(id) = group.id() else { return Ok(None) };
        if self.learned().is_known_empty(&id, group) {
            return Ok(Some(Held::default()));
        }
        let Some(read) = self.read_group(&id, spent).await? else { return Ok(None) };
        let held = match self.shown(&read) {
            Some(held) => held,
            None if self.may_be_empty(&id, spent).await? => Held::default(),
            None => return Ok(None),
        };
        if held.is_empty() {
            // As it was listed, which was before: what changed in between shows in the next listing.
            self.learned().empty_as_listed(&id, group);
        }
        Ok(Some(held))
    }

    /// A group by itself; `None`: it was deleted meanwhile, or is protected, and nothing is said about it.
    async fn read_group(&self, id: &TargetId, spent: &mut Spent) -> Result<Option<Resource>, TargetError> {
        match self.resource("Groups", id, spent).await {
            Err(TargetError::Rejected { .. }) => Ok(None),
            other => other,
        }
    }

    /// Whether a group that shows no list may count as empty: not where it had members that may still be there, nor
    /// where other groups show that they are empty.
    async fn may_be_empty(&self, id: &TargetId, spent: &mut Spent) -> Result<bool, TargetError> {
        let (had, can_ask) = {
            let learned = self.learned();
            let Some(had) = learned.had.get(id) else {
                return Ok(!learned.empty_shown || learned.left_empty.contains(id));
            };
            let had: Vec<TargetId> = had.iter().take(ASKED_FOR).cloned().collect();
            (had, learned.members_filter == Some(true))
        };
        if !can_ask {
            return Ok(false);
        }
        for member in had {
            let filter = Filter::equal("members.value", member.as_str());
            let still = |group: Resource| group.id().filter(|found| found == id);
            match self.search("Groups", &filter, still, spent).await {
                Ok(found) if found.is_empty() => {}
                Ok(_) => return Ok(false),
                Err(refusal) if refuses_filter(&refusal) => return Ok(false),
                Err(refusal) => return Err(refusal.into()),
            }
        }
        self.learned().had.remove(id);
        Ok(true)
    }

    /// The groups that an account is in, where a filter finds them. Where nobody's members were seen yet, the first
    /// account that is found in one measures whether they are hidden.
    pub(super) async fn groups_of(
        &self,
        account: &TargetId,
        spent: &mut Spent,
    ) -> Result<Option<Vec<TargetId>>, TargetError> {
        let (works, measures) = {
            let learned = self.learned();
            (learned.members_filter == Some(true), learned.may_hide_members())
        };
        if !works && !measures {
            return Ok(None);
        }
        let filter = Filter::equal("members.value", account.as_str());
        let found = match self.search("Groups", &filter, |group| group.id(), spent).await {
            Err(refusal) if measures && refuses_filter(&refusal) => {
                self.learned().members_filter = Some(false);
                return Ok(None);
            }
            other => other?,
        };
        if let Some(group) = found.first().filter(|_| measures) {
            self.measure_members(group, account, spent).await?;
        }
        Ok((self.learned().members_filter == Some(true)).then_some(found))
    }

    async fn members_by_read(
        &self,
        group: &Resource,
        known: Option<Members>,
        spent: &mut Spent,
    ) -> Result<Option<Held>, TargetError> {
        let Some(id) = group.id() else { return Ok(None) };
        let Some(read) = self.read_group(&id, spent).await? else { return Ok(None) };
        let Some(held) = read.held() else { return Ok(None) };
        if known.is_none() {
            if held.is_empty() {
                return Ok(None);
            }
            self.learned().members = Some(Members::ByRead);
        }
        Ok(Some(held))
    }
}

impl Learned {
    fn seen_in_list(&mut self, listed: &[Resource]) {
        if listed.iter().any(|group| group.held().is_some_and(|held| !held.is_empty())) {
            self.members = Some(Members::Listed);
        }
        self.without_members |= self.members.is_none() && listed.iter().any(|group| group.members().is_none());
    }

    /// All members of a group, as they are shown or were written.
    pub(super) fn has_members<'a>(&mut self, group: &TargetId, members: impl IntoIterator<Item = &'a TargetId>) {
        self.known_empty.remove(group);
        self.had.remove(group);
        self.got_members(group, members);
    }

    /// Members that a group was given, or that say they are in it.
    pub(super) fn got_members<'a>(&mut self, group: &TargetId, members: impl IntoIterator<Item = &'a TargetId>) {
        for member in members {
            if self.had.entry(group.clone()).or_default().insert(member.clone()) {
                self.known_empty.remove(group);
            }
        }
    }

    /// Members that we took out of a group.
    pub(super) fn lost_members(&mut self, group: &TargetId, members: &[TargetId]) {
        if let Some(had) = self.had.get_mut(group) {
            had.retain(|member| !members.contains(member));
            if had.is_empty() {
                self.had.remove(group);
            }
        }
    }

    /// A group is not there any more.
    pub(super) fn group_deleted(&mut self, group: &TargetId) {
        self.had.remove(group);
        self.known_empty.remove(group);
        self.left_empty.remove(group);
    }

    /// It was found empty before, and has not changed since. Without a version that moves, nothing tells.
    fn is_known_empty(&self, id: &TargetId, listed: &Resource) -> bool {
        let known = self.known_empty.get(id);
        known.is_some() && known == self.state_of(listed).as_ref()
    }

    fn empty_as_listed(&mut self, id: &TargetId, listed: &Resource) {
        if let Some(state) = self.state_of(listed) {
            self.known_empty.insert(id.clone(), state);
        }
    }

    /// What changes when a resource does (RFC 7643, 3.1), if the service says it.
    fn state_of(&self, resource: &Resource) -> Option<String> {
        let version = resource.version().filter(|_| self.etag != Some(false));
        let modified = resource.modified();
        (version.is_some() || modified.is_some()).then(|| format!("{version:?} {modified:?}"))
    }
}
