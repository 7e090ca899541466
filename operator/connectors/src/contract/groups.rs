//! What is promised of groups and memberships.

use std::collections::BTreeSet;

use provost_core::model::{Observability, Step, TargetError, TargetId};

use super::{Run, Seen, ensure, text};

impl Run<'_> {
    pub(super) async fn groups(&self) -> Seen {
        let (name, mark) = (self.name("editors"), format!("provost:{}editors", self.contract.prefix));
        let create = || Step::CreateGroup { name: name.as_str().into(), mark: mark.as_str().into() };
        let id = self.must(create()).await?.id.ok_or("a create without an id")?;
        let again = self.must(create()).await?.id;
        ensure(again.as_ref() == Some(&id), || text("created again as", again))?;
        let other = Step::CreateGroup { name: name.as_str().into(), mark: "provost:other".into() };
        let other = self.apply(other).await;
        ensure(other == Err(TargetError::Conflict), || text("another of the name", other))?;
        let listed = self.group(&id).await?.ok_or("the listing does not have it")?;
        ensure(*listed.name == *name && listed.mark.as_deref() == Some(&*mark), || text("listed", listed))?;
        let renamed = self.name("writers \"and\" more");
        for _ in 0..2 {
            self.must(Step::UpdateGroup { id: id.clone(), name: renamed.as_str().into() }).await?;
        }
        let listed = self.group(&id).await?.ok_or("the listing does not have it any more")?;
        ensure(*listed.name == *renamed, || text("renamed", listed))?;
        for _ in 0..2 {
            match self.apply(Step::DeleteGroup { id: id.clone() }).await {
                Err(TargetError::Unsupported(_)) => return Ok(()),
                other => other.map_err(|error| text("DeleteGroup", error))?,
            };
        }
        let left = self.group(&id).await?;
        ensure(left.is_none(), || text("left", left))
    }

    pub(super) async fn members(&self) -> Seen {
        let mut ids = Vec::new();
        for name in ["m1", "m2", "m3"] {
            ids.push(self.create(name, &[]).await?);
        }
        let create = Step::CreateGroup { name: self.name("team").as_str().into(), mark: "provost:team".into() };
        let group = self.must(create).await?.id.ok_or("a create without an id")?;
        let (two, last) = ids.split_at(2);
        let first = ids.get(..1).unwrap_or_default();
        let steps: [(Step, &[TargetId]); 5] = [
            (Step::AddMembers { group: group.clone(), members: two.to_vec() }, two),
            (Step::AddMembers { group: group.clone(), members: two.to_vec() }, two),
            (Step::AddMembers { group: group.clone(), members: ids.clone() }, &ids),
            (Step::RemoveMembers { group: group.clone(), members: ids.get(1..).unwrap_or_default().to_vec() }, first),
            (Step::RemoveMembers { group: group.clone(), members: last.to_vec() }, first),
        ];
        for (step, expected) in steps {
            let name = step.name();
            self.must(step).await?;
            self.has_members(&group, expected, &ids).await.map_err(|seen| format!("after {name}: {seen}"))?;
        }
        Ok(())
    }

    async fn has_members(&self, group: &TargetId, expected: &[TargetId], all: &[TargetId]) -> Seen {
        let wanted: BTreeSet<&TargetId> = expected.iter().collect();
        let listed = self.group(group).await?.ok_or("the listing does not have the group")?;
        // What was not measured before our first write is by now.
        match (&listed.members, self.probe().await?.capabilities.members) {
            (Some(members), _) => {
                let held: BTreeSet<&TargetId> = members.iter().collect();
                ensure(held == wanted && held.len() == members.len(), || {
                    format!("listed {members:?}, not {expected:?}")
                })?;
            }
            (None, Observability::Full) => return Err("the members are not shown".into()),
            (None, _) => {}
        }
        for id in all {
            if let Some(holds) = self.read(id).await?.holds {
                let (in_it, should) = (holds.contains(group), wanted.contains(id));
                ensure(in_it == should, || format!("{id} holds {holds:?}"))?;
            }
        }
        Ok(())
    }
}
