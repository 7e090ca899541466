//! What the target of the tests does with a step, and what it says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::World;
use crate::model::{Applied, Capabilities, DeleteMeans, Observability, Observed, Profile, Step, TargetError, TargetId};

impl World {
    pub(super) fn try_to(&mut self, step: Step) -> Result<Applied, TargetError> {
        if self.is_hiding() && matches!(step, Step::UpdateAccount { .. }) {
            return Err(TargetError::NotFound);
        }
        if let Step::AddMembers { group, .. } | Step::RemoveMembers { group, .. } = &step
            && !self.mirrors.contains_key(group)
        {
            return Err(TargetError::NotFound);
        }
        if let Step::CreateGroup { name, .. } = &step
            && let Some((above, _)) = name.rsplit_once('/')
            && !self.mirrors.values().any(|group| &*group.name == above)
        {
            return Err(TargetError::Rejected {
                field: None,
                reason: "its parent is not there".into(),
                detail: "".into(),
            });
        }
        if let (Step::CreateAccount { .. }, Some((field, reason))) = (&step, self.refuses.clone()) {
            return Err(TargetError::Rejected { field: Some(field), reason, detail: "".into() });
        }
        if self.forbidden == Some(step.name()) {
            return Err(TargetError::Rejected { field: None, reason: "403".into(), detail: "".into() });
        }
        if self.unable == Some(step.name()) {
            return Err(TargetError::Unsupported("HTTP 405 for PATCH".into()));
        }
        if let Step::UpdateAccount { id, .. } = &step
            && self.broken.as_ref() == Some(id)
        {
            return Err(TargetError::Lost("500 Internal Server Error".into()));
        }
        if let Step::RenameAccount { id, set } = &step
            && let Some(wanted) = set.get("userName")
            && (self.collides
                || self.accounts.values().any(|a| a.id != *id && a.attributes.get("userName") == Some(wanted)))
        {
            return Err(TargetError::Conflict);
        }
        Ok(self.apply(step))
    }

    pub(super) fn apply(&mut self, step: Step) -> Applied {
        self.applied.push(step.name());
        let moved = self.by_name && matches!(step, Step::RenameAccount { .. });
        let id = match step {
            Step::CreateAccount { attributes, enabled, .. } => {
                let id = TargetId::new(format!("t-{}", self.accounts.len()));
                let account = Observed { id: id.clone(), enabled, attributes, holds: None };
                self.accounts.insert(id.clone(), account);
                id
            }
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                self.accounts.get_mut(&id).unwrap().attributes.extend(set);
                id
            }
            Step::EnableAccount { id } | Step::DisableAccount { id } => {
                let account = self.accounts.get_mut(&id).unwrap();
                account.enabled = !account.enabled;
                id
            }
            Step::DeleteAccount { id } => {
                assert!(self.mirrors.values().all(|group| !group.members.iter().flatten().any(|member| *member == id)));
                self.accounts.remove(&id).unwrap();
                id
            }
            Step::CreateGroup { name, mark } => {
                let id = TargetId::new(format!("g-{name}"));
                self.mirror(&name, Some(mark));
                id
            }
            Step::UpdateGroup { id, name } => {
                self.mirrors.get_mut(&id).unwrap().name = name;
                id
            }
            Step::DeleteGroup { id } => {
                self.mirrors.remove(&id).unwrap();
                id
            }
            Step::AddMembers { group, members } => {
                self.members(&group).extend(members);
                group
            }
            Step::RemoveMembers { group, members } => {
                self.members(&group).retain(|member| !members.contains(member));
                group
            }
            other => panic!("{} was not expected", other.name()),
        };
        if moved {
            let managers = self.accounts.values_mut().filter_map(|account| account.attributes.get_mut("manager"));
            for manager in managers.filter(|manager| manager.as_text() == Some(id.as_str())) {
                *manager = "nobody".into();
            }
        }
        Applied { observed: self.accounts.get(&id).cloned(), id: Some(id), moved }
    }
}

pub(super) fn profile(members: Observability, step_batch: usize, visibility: Duration) -> Profile {
    Profile {
        measured: BTreeMap::new(),
        capabilities: Capabilities {
            member_batch: 100,
            step_batch,
            members,
            visibility,
            delete: DeleteMeans::Hard,
            disable: true,
            create_groups: true,
            request_timeout: Duration::from_secs(30),
        },
        principal: None,
        changes: None,
    }
}
