//! Groups and memberships. Members are added and removed by deltas; a list of members is never written from one that
//! was not shown in full.

use std::collections::BTreeSet;

use provost_core::model::{Applied, Spent, TargetError, TargetId};
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::accounts::created;
use super::filter::{self, Filter};
use super::learned::Members;
use super::list::refuses_filter;
use super::map::{self, Change};
use super::names::Path;
use super::wire::{self, Resource};
use super::{MEMBER_BATCH, Scim, cannot, kind};
use crate::http::Refusal;

impl Scim {
    /// Looks first: not all targets keep names unique, and a group of ours carries our key.
    pub(super) async fn create_group(&self, name: &str, mark: &str, spent: &mut Spent) -> Result<Applied, TargetError> {
        // Whether each group of that name is ours, and its id.
        let named = |group: Resource| {
            let named = group.text("displayName").is_some_and(|held| held == name);
            named.then(|| (group.text("externalId").is_some_and(|held| held == mark), group.id()))
        };
        let filter = Filter::attribute("displayName", name);
        let doubtful = filter::needs_escapes(name) || self.learned().filter == Some(false);
        let found = match self.search("Groups", &filter, named, spent).await {
            Ok(found) if found.is_empty() && doubtful => self.walk("Groups", named, spent).await?,
            Err(refusal) if refuses_filter(&refusal) => self.walk("Groups", named, spent).await?,
            other => other?,
        };
        if let Some((_, id)) = found.iter().find(|(ours, _)| *ours) {
            return Ok(Applied { id: id.clone(), ..Applied::default() });
        }
        if !found.is_empty() {
            return Err(TargetError::Conflict);
        }
        let body = map::new_group(name, mark);
        let answer = self
            .write(Method::POST, &["Groups"], Some(&body), None, spent)
            .await
            .map_err(|refusal| self.refused(refusal, &["displayName"]))?;
        let id = created(&answer)?.0;
        self.learned().left_empty.insert(id.clone());
        Ok(Applied { id: Some(id), ..Applied::default() })
    }

    pub(super) async fn rename_group(
        &self,
        id: &TargetId,
        name: &str,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let change: Change = (Path::of("displayName"), Some(name.into()));
        self.change("Groups", id, &[change], spent).await?;
        Ok(Applied::default())
    }

    pub(super) async fn delete_group(&self, id: &TargetId, spent: &mut Spent) -> Result<Applied, TargetError> {
        match self.write(Method::DELETE, &["Groups", id.as_str()], None, None, spent).await {
            Ok(_) | Err(Refusal { error: TargetError::NotFound, .. }) => {
                self.learned().group_deleted(id);
                Ok(Applied::default())
            }
            Err(refusal) => Err(self.refused(refusal, &[])),
        }
    }

    pub(super) async fn add_members(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        if !self.patches("Groups") {
            return self.replace_members(group, |held| held.extend(members.iter().cloned()), spent).await;
        }
        let absent = self.absent(group, members, spent).await?;
        for chunk in absent.chunks(MEMBER_BATCH) {
            match self.patch_group(group, &adding(chunk), spent).await {
                Ok(()) => self.learned().got_members(group, chunk),
                Err(refusal) if self.may_be_unsupported("Groups", &refusal) => {
                    let add = |held: &mut BTreeSet<TargetId>| held.extend(members.iter().cloned());
                    let replaced = self.replace_members(group, add, spent).await?;
                    self.learned().patch.entry("Groups").or_insert(false);
                    return Ok(replaced);
                }
                Err(refusal) => return Err(self.refused(refusal, &["members"])),
            }
        }
        if let Some(first) = absent.first() {
            // Only the look; the members were added.
            let _ = self.measure_members(group, first, spent).await;
        }
        Ok(Applied::default())
    }

    /// Those that are to be added; where the target stores a repeated one twice, without those that are there.
    async fn absent(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<Vec<TargetId>, TargetError> {
        let mut wanted: Vec<TargetId> = members.to_vec();
        wanted.sort();
        wanted.dedup();
        if self.learned().repeats_members {
            let held = self.resource("Groups", group, spent).await?.ok_or(TargetError::NotFound)?;
            let held: BTreeSet<TargetId> = held.members().unwrap_or_default().into_iter().collect();
            wanted.retain(|member| !held.contains(member));
        }
        Ok(wanted)
    }

    pub(super) async fn remove_members(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let without = |held: &mut BTreeSet<TargetId>| held.retain(|id| !members.contains(id));
        if !self.patches("Groups") || self.learned().member_paths == Some(false) {
            return self.replace_members(group, without, spent).await;
        }
        for chunk in members.chunks(MEMBER_BATCH) {
            match self.patch_group(group, &removing(chunk), spent).await {
                Ok(()) => self.learned().lost_members(group, chunk),
                // Who is not there need not be removed; each by itself, so that the others are.
                Err(refusal) if kind(&refusal) == Some("noTarget") => self.remove_each(group, chunk, spent).await?,
                Err(refusal) if self.refuses_member_paths(&refusal) || self.may_be_unsupported("Groups", &refusal) => {
                    let replaced = self.replace_members(group, without, spent).await?;
                    // Where they were seen to work, this group alone is in the way.
                    self.learned().member_paths.get_or_insert(false);
                    return Ok(replaced);
                }
                Err(refusal) => return Err(self.refused(refusal, &["members"])),
            }
        }
        if self.learned().member_paths.is_none() {
            return self.removal_seen(group, members, spent).await;
        }
        Ok(Applied::default())
    }

    async fn remove_each(&self, group: &TargetId, members: &[TargetId], spent: &mut Spent) -> Result<(), TargetError> {
        for member in members {
            match self.patch_group(group, &removing(std::slice::from_ref(member)), spent).await {
                Ok(()) => {}
                Err(refusal) if kind(&refusal) == Some("noTarget") => {}
                Err(refusal) => return Err(self.refused(refusal, &["members"])),
            }
        }
        self.learned().lost_members(group, members);
        Ok(())
    }

    /// A path with a filter that is not understood is refused, or answered 200 and ignored.
    fn refuses_member_paths(&self, refusal: &Refusal) -> bool {
        let fits = matches!(kind(refusal), None | Some("invalidPath" | "invalidFilter" | "invalidSyntax"));
        self.learned().member_paths.is_none() && (cannot(refusal) || (refusal.status == Some(400) && fits))
    }

    async fn removal_seen(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let Ok(Some(read)) = self.resource("Groups", group, spent).await else { return Ok(Applied::default()) };
        let Some(held) = read.members() else { return Ok(Applied::default()) };
        if members.iter().any(|member| held.contains(member)) {
            let without = |held: &mut BTreeSet<TargetId>| held.retain(|id| !members.contains(id));
            let replaced = self.replace_members(group, without, spent).await?;
            self.learned().member_paths = Some(false);
            return Ok(replaced);
        }
        self.learned().member_paths = Some(true);
        Ok(Applied::default())
    }

    async fn patch_group(&self, group: &TargetId, body: &Json, spent: &mut Spent) -> Result<(), Refusal> {
        let answer = self.write(Method::PATCH, &["Groups", group.as_str()], Some(body), None, spent).await;
        if !matches!(&answer, Err(Refusal { status: Some(400..=499 | 501), .. })) {
            self.learned().left_empty.remove(group);
        }
        let answer = answer?;
        let repeats = wire::resource(&answer.body).is_ok_and(|group| group.repeats_members());
        let mut learned = self.learned();
        learned.patch.insert("Groups", true);
        learned.repeats_members |= repeats;
        Ok(())
    }

    /// Reads, changes and replaces the members: only where all of them are shown.
    async fn replace_members(
        &self,
        group: &TargetId,
        change: impl Fn(&mut BTreeSet<TargetId>),
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let mut resource = self.resource("Groups", group, spent).await?.ok_or(TargetError::NotFound)?;
        self.all_members_known(group, &resource)?;
        let before: BTreeSet<TargetId> = resource.members().unwrap_or_default().into_iter().collect();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(Applied::default());
        }
        // What is there keeps its form and its place, nested groups and all.
        let mut values: Vec<Json> = resource.get("members").map(wire::list).into_iter().flatten().cloned().collect();
        values.retain(|value| {
            let one = Resource([("members".to_owned(), value.clone())].into_iter().collect());
            one.members().unwrap_or_default().iter().all(|id| after.contains(id))
        });
        values.extend(after.difference(&before).map(|id| json!({"value": id.as_str()})));
        map::put(&mut resource, &(Path::of("members"), Some(values.into())));
        let was_empty = self.learned().left_empty.remove(group);
        let put = self.put_back("Groups", group, resource, spent).await;
        if was_empty && matches!(put, Err(TargetError::Rejected { .. })) {
            self.learned().left_empty.insert(group.clone());
        }
        self.carried_out(group, (&before, &after), put?, spent).await?;
        if after.is_empty() {
            self.learned().left_empty.insert(group.clone());
        }
        self.learned().has_members(group, &after);
        if self.learned().members.is_none()
            && let Some(member) = after.first()
        {
            let _ = self.measure_members(group, member, spent).await;
        }
        Ok(Applied::default())
    }

    /// Some accept a PUT of a group and leave its members as they are: what was to go would count as gone.
    async fn carried_out(
        &self,
        group: &TargetId,
        (before, after): (&BTreeSet<TargetId>, &BTreeSet<TargetId>),
        answered: Option<Resource>,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        let answer = answered.as_ref().and_then(Resource::members);
        let says = answer.is_some();
        let read = if says { None } else { self.resource("Groups", group, spent).await.ok().flatten() };
        // Where neither shows any, a listing may.
        let Some(shown) = answer.or_else(|| read?.members()) else { return Ok(()) };
        let gone = before.difference(after).all(|id| !shown.contains(id));
        if gone && after.difference(before).all(|id| shown.contains(id)) {
            return Ok(());
        }
        if !says {
            return Err(TargetError::Lost(
                "the target accepted the members, and a read shows the old ones; it is looked at again".into(),
            ));
        }
        let text = if self.patch == Some(false) {
            "the target answers a PUT of the group with its old members; set connector.scim.profile.patch to Auto, or \
             change them there"
        } else {
            "the target answers a PUT of the group with its old members, and does not change them by PATCH; change them there"
        };
        Err(TargetError::Unsupported(text.into()))
    }

    /// A PUT would remove every member that is not shown. That other groups, or this one on another day, show theirs
    /// proves nothing: some leave out lists that are long.
    pub(super) fn all_members_known(&self, id: &TargetId, group: &Resource) -> Result<(), TargetError> {
        let learned = self.learned();
        let shown = group.get("members").is_some() || learned.left_empty.contains(id);
        if shown && learned.members != Some(Members::Hidden) {
            return Ok(());
        }
        Err(TargetError::Unsupported(
            "the target does not show the members of this group and knows no PATCH: replacing it would empty it".into(),
        ))
    }
}

/// The body of a PATCH that adds members.
pub(super) fn adding(members: &[TargetId]) -> Json {
    let values: Vec<Json> = members.iter().map(|id| json!({"value": id.as_str()})).collect();
    map::operations_body(&[json!({"op": "add", "path": "members", "value": values})])
}

/// The body of a PATCH that removes members.
pub(super) fn removing(members: &[TargetId]) -> Json {
    let remove = |member: &TargetId| json!({"op": "remove", "path": filter::member(member.as_str())});
    map::operations_body(&members.iter().map(remove).collect::<Vec<_>>())
}
