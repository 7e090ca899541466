use serde_json::Value;

/// How kubectl, Flux, Helm and Argo CD judge an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kstatus {
    /// Not there yet.
    InProgress,
    /// As declared.
    Current,
    /// A person must act.
    Failed,
    /// Being deleted.
    Terminating,
}

/// kstatus as cli-utils computes it for kinds that it does not know (`pkg/kstatus/status/{status,generic}.go`):
/// deletion, then generations, then Reconciling and Stalled, then Ready.
pub fn kstatus(object: &Value) -> Kstatus {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Kstatus::Terminating;
    }
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        return Kstatus::InProgress;
    }
    if is(object, "Reconciling", "True") {
        return Kstatus::InProgress;
    }
    if is(object, "Stalled", "True") {
        return Kstatus::Failed;
    }
    if is(object, "Ready", "False") || is(object, "Ready", "Unknown") {
        return Kstatus::InProgress;
    }
    Kstatus::Current
}

fn is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|c| c.get("status").and_then(Value::as_str) == Some(status))
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(kind))
}

/// What of the rules for conditions an object breaks, once its status was written (K8, K9, K10, K11).
pub fn broken_rules(object: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    if condition(object, "Ready").is_none() {
        broken.push("no Ready condition".to_owned());
    }
    if is(object, "Reconciling", "True") && is(object, "Stalled", "True") {
        broken.push("Reconciling and Stalled together".to_owned());
    }
    if is(object, "Ready", "True") && (is(object, "Reconciling", "True") || is(object, "Stalled", "True")) {
        broken.push("Ready beside Reconciling or Stalled".to_owned());
    }
    for condition in &conditions {
        let kind = condition.get("type").and_then(Value::as_str).unwrap_or_default();
        let status = condition.get("status").and_then(Value::as_str).unwrap_or_default();
        if matches!(kind, "Reconciling" | "Stalled") && status != "True" {
            broken.push(format!("{kind} is there and {status}"));
        }
        if condition.get("reason").and_then(Value::as_str).is_none_or(str::is_empty) {
            broken.push(format!("{kind} has no reason"));
        }
        match condition.get("observedGeneration").and_then(Value::as_i64) {
            None => broken.push(format!("{kind} has no observedGeneration")),
            Some(observed) if observed > generation => broken.push(format!("{kind} is ahead of its generation")),
            Some(_) => {}
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(observed: i64, conditions: &Value) -> Value {
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "conditions": conditions}})
    }

    #[test]
    fn kstatus_is_that_of_cli_utils() {
        let ready = |status: &str| json!({"type": "Ready", "status": status, "reason": "R", "observedGeneration": 2});
        let other = |kind: &str| json!({"type": kind, "status": "True", "reason": "R", "observedGeneration": 2});
        let table = [
            ("not seen yet", object(-1, &json!([])), Kstatus::InProgress),
            ("edited", object(1, &json!([ready("True")])), Kstatus::InProgress),
            ("ready", object(2, &json!([ready("True")])), Kstatus::Current),
            ("working", object(2, &json!([ready("False"), other("Reconciling")])), Kstatus::InProgress),
            ("stalled", object(2, &json!([ready("False"), other("Stalled")])), Kstatus::Failed),
            ("stalled, not bumped", object(1, &json!([ready("False"), other("Stalled")])), Kstatus::InProgress),
            ("no status", json!({"metadata": {"generation": 2}}), Kstatus::Current),
        ];
        for (name, object, expected) in table {
            assert_eq!(kstatus(&object), expected, "{name}");
        }
        assert_eq!(kstatus(&json!({"metadata": {"deletionTimestamp": "now"}})), Kstatus::Terminating);
    }

    #[test]
    fn broken_rules_are_named() {
        let both = json!([
            {"type": "Reconciling", "status": "True", "reason": "R", "observedGeneration": 2},
            {"type": "Stalled", "status": "True", "reason": "", "observedGeneration": 3},
        ]);
        let broken = broken_rules(&object(2, &both));
        assert_eq!(
            broken,
            [
                "no Ready condition",
                "Reconciling and Stalled together",
                "Stalled has no reason",
                "Stalled is ahead of its generation"
            ]
        );
    }
}
