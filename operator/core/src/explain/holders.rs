use serde::Serialize;

use super::why::{Verdict, told};
use crate::directory::Directory;
use crate::model::{Name, State};

/// One identity that has a right, will have it, or may.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Who.
    pub identity: Name,
    /// In its lifecycle.
    pub state: State,
    /// Never `Not`.
    pub verdict: Verdict,
    /// The policies that give it; where it cannot be told: that may.
    pub policies: Vec<Name>,
}

/// Everyone who has an entitlement (or an account) of an application, will have it, or may; sorted by name.
pub fn who_can(directory: &Directory, application: &Name, entitlement: Option<&Name>) -> Vec<Holder> {
    let holder = |identity: Name| {
        let mut decision = directory.decision(&identity, application);
        let wanted = match entitlement {
            None => decision.account,
            Some(name) => decision.entitlements.remove(name).unwrap_or_default(),
        };
        let owner = decision.owner?;
        let verdict = told(&wanted, owner, entitlement.is_none());
        let policies = if wanted.allow.is_empty() { wanted.unknown } else { wanted.allow };
        (verdict != Verdict::Not).then_some(Holder { identity, state: owner.state, verdict, policies })
    };
    directory.owners(application).into_iter().filter_map(holder).collect()
}
