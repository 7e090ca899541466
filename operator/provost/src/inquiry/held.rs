//! What waits for approval, and what mode Plan would do.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use provost_core::engine::Engine;
use provost_core::model::{AttributeName, HeldPlan, Lane, Name};
use provost_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

/// What is held, and what would be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldAnswer {
    /// Plans that wait for approval, by application, oldest first.
    pub held: Vec<Held>,
    /// What TargetApplications in mode Plan would do, where that was asked for.
    pub planned: Vec<Foreseen>,
}

/// One plan that exceeds its budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The TargetApplication.
    pub application: Name,
    /// What `spec.safety.approvedPlan` must be to release it, once.
    pub hash: Arc<str>,
    /// `Explicit`, `Derived`, `PrivilegedGrant`: which budget; `Adoption`: a person must say whose an account is.
    pub lane: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// Why it is held.
    pub why: Arc<str>,
    /// What approving it would do, in numbers: by step.
    pub counts: BTreeMap<Arc<str>, usize>,
    /// What approving it would do, one by one.
    pub steps: Vec<HeldOne>,
}

/// One step of a held plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldOne {
    /// Whose.
    pub identity: Name,
    /// What.
    pub step: Arc<str>,
    /// The entitlement, for a membership, role or licence.
    pub entitlement: Option<Name>,
}

/// A step that mode Plan holds back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Foreseen {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The TargetApplication.
    pub application: Name,
    /// Whose.
    pub identity: Name,
    /// What.
    pub step: Arc<str>,
    /// The entitlement, for a membership, role or licence.
    pub entitlement: Option<Name>,
    /// The attributes that would be written: names alone.
    pub attributes: Vec<AttributeName>,
    /// Why.
    pub cause: Arc<str>,
}

/// Whether a namespace has the application, or has an account in it still.
pub fn knows(engine: &Engine, application: &str) -> bool {
    let name = Name::from(application);
    engine.directory().application(&name).is_some() || engine.syncs().any(|(known, _)| *known == name)
}

/// What a namespace's engine holds.
pub fn held(engine: &Engine, application: Option<&str>) -> Vec<Held> {
    let of = |(name, sync): (&Name, &provost_core::sync::Sync)| -> Vec<Held> {
        sync.held().iter().map(|plan| one(engine.namespace(), name, plan)).collect()
    };
    engine.syncs().filter(|(name, _)| application.is_none_or(|wanted| wanted == name.as_str())).flat_map(of).collect()
}

/// What a namespace's engine would do in mode Plan.
pub fn foreseen(engine: &Engine, application: Option<&str>) -> Vec<Foreseen> {
    let mut found = Vec::new();
    for (name, sync) in engine.syncs().filter(|(name, _)| application.is_none_or(|wanted| wanted == name.as_str())) {
        for (identity, steps) in sync.planned() {
            found.extend(steps.iter().map(|step| Foreseen {
                namespace: engine.namespace().into(),
                application: name.clone(),
                identity: identity.clone(),
                step: step.step.into(),
                entitlement: step.entitlement.clone(),
                attributes: step.attributes.clone(),
                cause: Arc::clone(&step.cause),
            }));
        }
    }
    found
}

/// What was held when an operator stopped. Blocks on the disk.
pub fn held_in(store: &Store, namespace: Option<&str>, application: Option<&str>) -> Result<Vec<Held>, StoreError> {
    let mut found = Vec::new();
    for (of, name) in store.applications()? {
        if namespace.is_none_or(|wanted| wanted == &*of) && application.is_none_or(|wanted| wanted == name.as_str()) {
            let standing = store.load(&of, &name)?.standing;
            found.extend(standing.held.iter().map(|plan| one(&of, &name, plan)));
        }
    }
    Ok(found)
}

fn one(namespace: &str, application: &Name, plan: &HeldPlan) -> Held {
    let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for step in &plan.steps {
        *counts.entry(Arc::clone(&step.step)).or_default() += 1;
    }
    let steps = plan.steps.iter().map(|held| HeldOne {
        identity: held.identity.clone(),
        step: Arc::clone(&held.step),
        entitlement: held.entitlement.clone(),
    });
    Held {
        namespace: namespace.into(),
        application: application.clone(),
        hash: Arc::clone(&plan.hash),
        lane: match plan.lane {
            Lane::Explicit => "Explicit".into(),
            Lane::Derived => "Derived".into(),
            Lane::PrivilegedGrant => "PrivilegedGrant".into(),
            Lane::Adoption => "Adoption".into(),
        },
        since: plan.since,
        why: Arc::clone(&plan.why),
        counts,
        steps: steps.collect(),
    }
}
