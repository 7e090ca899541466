//! How Flux, Helm 4 and `kubectl wait` would judge an object of ours: kstatus (sigs.k8s.io/cli-utils,
//! pkg/kstatus/status/generic.go) for a custom resource that has the standard conditions, and the laws of
//! kubernetes-api conventions that a status of ours never breaks. For tests alone, here and end to end: one text for both.

use serde_json::Value;

/// The verdict of kstatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KStatus {
    /// Not there yet.
    InProgress,
    /// A person must act.
    Failed,
    /// Done.
    Current,
    /// Being deleted.
    Terminating,
}

/// The verdict on an object, in the order in which kstatus looks: deletion, generation, Reconciling and Stalled, Ready.
pub fn kstatus(object: &Value) -> KStatus {
    if object.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null()) {
        return KStatus::Terminating;
    }
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    if let (Some(generation), Some(observed)) = (generation, observed)
        && observed != generation
    {
        return KStatus::InProgress;
    }
    if truth(object, "Reconciling") == Some("True") {
        return KStatus::InProgress;
    }
    if truth(object, "Stalled") == Some("True") {
        return KStatus::Failed;
    }
    match truth(object, "Ready") {
        Some("True") | None => KStatus::Current,
        Some(_) => KStatus::InProgress,
    }
}

/// Whether `kubectl wait --for=condition=TYPE` would be met: it reads the condition's own observedGeneration first.
pub fn kubectl_wait(object: &Value, kind: &str) -> bool {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let Some(condition) = condition(object, kind) else { return false };
    let own = condition.get("observedGeneration").and_then(Value::as_i64);
    let observed = own.or_else(|| object.pointer("/status/observedGeneration").and_then(Value::as_i64));
    let behind = matches!((observed, generation), (Some(observed), Some(generation)) if observed < generation);
    !behind && truth(object, kind) == Some("True")
}

/// What an object's status breaks of the rules of a written status; empty: nothing. One that was never written lacks Ready.
pub fn broken(object: &Value) -> Vec<String> {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64).unwrap_or(-1);
    let mut broken = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            broken.push(what.to_owned());
        }
    };
    let (ready, reconciling, stalled) =
        (truth(object, "Ready"), truth(object, "Reconciling"), truth(object, "Stalled"));
    check(observed <= generation, "status.observedGeneration is ahead of metadata.generation");
    check(ready.is_some(), "there is no condition Ready");
    check(reconciling.is_none_or(|t| t == "True"), "Reconciling is there without being True");
    check(stalled.is_none_or(|t| t == "True"), "Stalled is there without being True");
    check(reconciling.is_none() || stalled.is_none(), "Reconciling and Stalled stand together");
    check(ready != Some("True") || (reconciling.is_none() && stalled.is_none()), "Ready beside a negative condition");
    check(ready != Some("Unknown") || reconciling.is_some(), "Ready is Unknown and nothing is under way");
    check(ready != Some("False") || reconciling.is_some() || stalled.is_some(), "Ready is False and nobody acts");
    for condition in conditions(object) {
        let text = |field| condition.get(field).and_then(Value::as_str).unwrap_or_default();
        let kind = text("type");
        let own = condition.get("observedGeneration").and_then(Value::as_i64);
        check(own == Some(observed), &format!("{kind}: observedGeneration differs from the status's"));
        check(!text("message").is_empty(), &format!("{kind}: no message"));
        check(text("lastTransitionTime").ends_with('Z'), &format!("{kind}: no lastTransitionTime"));
        let reason = text("reason");
        let known = crate::model::Reason::ALL.iter().any(|r| r.as_str() == reason);
        check(known, &format!("{kind}: reason {reason:?} is not of the closed set"));
    }
    let mut kinds: Vec<_> = conditions(object).filter_map(|c| c.get("type").and_then(Value::as_str)).collect();
    kinds.sort_unstable();
    let all = kinds.len();
    kinds.dedup();
    check(kinds.len() == all, "a condition stands twice");
    broken
}

fn conditions(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten()
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    conditions(object).find(|c| c.get("type").and_then(Value::as_str) == Some(kind))
}

fn truth<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    condition(object, kind)?.get("status").and_then(Value::as_str)
}
