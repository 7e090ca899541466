//! References to identities that are not there. They mean nothing, so that nobody is stalled by them; a person may have meant
//! somebody else.

use super::Directory;
use super::table::IdentityId;
use crate::model::{Name, ObjectKind, ObjectRef};

/// A reference to an Identity that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dangling {
    /// What refers.
    pub object: ObjectRef,
    /// The field.
    pub path: String,
    /// The name that nobody has.
    pub identity: Name,
}

impl Directory {
    /// Every one of them, by object.
    pub fn dangling(&self) -> Vec<Dangling> {
        let mut found = Vec::new();
        for (_, name, entry) in self.identities.iter() {
            let manager = entry.spec.as_ref().ok().and_then(|identity| identity.manager());
            if let Some(manager) = manager.map(Name::from).filter(|name| self.identity(name).is_none()) {
                found.push(dangling(ObjectKind::Identity, name, "spec.managerRef.name".to_owned(), manager));
            }
        }
        for (_, name, entry) in self.groups.iter() {
            let Ok(spec) = &entry.spec else { continue };
            let members = spec.listed.iter().map(|(id, _)| ("spec.members", id));
            let excluded = spec.excluded.iter().map(|id| ("spec.exclude", *id));
            found.extend(
                members.chain(excluded).filter_map(|(list, id)| self.in_list(ObjectKind::Group, name, list, id)),
            );
        }
        for (_, name, entry) in self.policies.iter() {
            let subjects = entry.spec.iter().filter_map(|spec| spec.subjects.as_ref());
            let named = subjects.flat_map(|subjects| &subjects.identities);
            found.extend(named.filter_map(|id| self.in_list(ObjectKind::AccessPolicy, name, "spec.subjects", *id)));
        }
        found.sort_by(|one, other| (&one.object, &one.path).cmp(&(&other.object, &other.path)));
        found
    }

    fn in_list(&self, kind: ObjectKind, name: &Name, list: &str, id: IdentityId) -> Option<Dangling> {
        let identity = self.identities.name(id).filter(|_| self.identities.get(id).is_none())?;
        Some(dangling(kind, name, format!("{list}[name={identity}]"), identity.clone()))
    }
}

fn dangling(kind: ObjectKind, name: &Name, path: String, identity: Name) -> Dangling {
    Dangling { object: ObjectRef { kind, name: name.clone() }, path, identity }
}
