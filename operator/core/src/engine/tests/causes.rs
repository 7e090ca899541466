//! By what a held plan says that somebody loses something.

use serde_json::{Value, json};

use super::{World, declared, identity, tell};
use crate::model::{Change, ObjectKind, ObjectRef};

const DENY: &str = "AccessPolicy deny (generation 1), which denies it to 30 of them";

/// Thirty scientists, who are editors of the wiki.
fn editors() -> Vec<Value> {
    let mut all = declared(&scientists(1, &json!({})));
    all[30]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    all[31]["spec"]["deletionPolicy"] = json!("Deprovision");
    all[31]["spec"]["entitlements"] =
        json!([{"name": "editor", "target": {"group": {"name": "editors", "create": true}}}]);
    all
}

fn scientists(generation: i64, lifecycle: &Value) -> Vec<Value> {
    let spec = json!({"department": "Science", "lifecycle": lifecycle});
    (0..30).map(|n| identity(&format!("i-{n}"), generation, &spec)).collect()
}

fn deny(grant: &Value) -> Value {
    let mut policy = declared(&[]).remove(0);
    (policy["metadata"]["name"], policy["metadata"]["uid"]) = ("deny".into(), "deny".into());
    (policy["spec"]["effect"], policy["spec"]["grants"]) = ("Deny".into(), json!([grant]));
    policy
}

/// The wiki, edited.
fn wiki(edit: fn(&mut Value)) -> Value {
    let mut wiki = editors().remove(31);
    wiki["metadata"]["generation"] = json!(2);
    edit(&mut wiki);
    wiki
}

/// By what each held plan is, once all had their rights and were told of these changes.
fn causes(changes: &[Value]) -> Vec<String> {
    let mut world = World::new();
    world.list(&editors());
    world.pass(120);
    assert_eq!(world.names_in("editors").len(), 30);
    tell(&mut world, changes);
    world.pass(120);
    told(&world)
}

fn told(world: &World) -> Vec<String> {
    let held = world.engine.sync(&"wiki".into()).unwrap().held().iter();
    held.map(|plan| plan.why.split_once("; by ").map_or("", |(_, causes)| causes).to_owned()).collect()
}

#[test]
fn a_held_plan_names_the_deny_that_takes_an_account_or_an_entitlement_and_no_policy_that_there_is_not() {
    assert_eq!(causes(&[deny(&json!({"application": "wiki"}))]), [DENY]);
    assert_eq!(causes(&[deny(&json!({"application": "wiki", "entitlements": ["editor"]}))]), [DENY]);
}

#[test]
fn who_is_suspended_and_denied_loses_the_account_by_the_one_and_the_entitlements_by_the_other() {
    let mut changes = scientists(2, &json!({"suspended": true}));
    changes.push(deny(&json!({"application": "wiki"})));
    assert_eq!(causes(&changes), ["30 Identities that are suspended", DENY]);
}

#[test]
fn every_other_cause_is_told_too() {
    let stricter = wiki(|wiki| wiki["spec"]["entitlements"][0]["requires"] = json!("has(identity.title)"));
    let requires = "TargetApplication wiki (generation 2), by whose `requires` 30 of them may not have it";
    assert_eq!(causes(&[stricter]), [requires]);

    let later = scientists(2, &json!({"startTime": "2030-01-01T00:00:00Z"}));
    assert_eq!(causes(&later), ["30 Identities that have not started"]);

    let deleted = wiki(|wiki| wiki["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z"));
    assert_eq!(causes(&[deleted]), ["TargetApplication wiki (generation 2), which is being deleted"]);
}

#[test]
fn a_policy_that_is_gone_is_named_as_what_it_rested_on() {
    let mut world = World::new();
    world.list(&editors());
    world.pass(120);
    let policy = ObjectRef { kind: ObjectKind::AccessPolicy, name: "science-wiki".into() };
    world.tell(super::EngineEvent::Changed(vec![Change::Gone(policy)]));
    world.pass(120);
    assert_eq!(told(&world), ["AccessPolicy science-wiki, which is gone"]);
}
