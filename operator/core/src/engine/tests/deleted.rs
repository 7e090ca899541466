//! What becomes of the accounts of an application that is deleted, and how long it keeps our finalizer.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::EngineEvent;
use crate::model::{Change, ObjectKind, ObjectRef, RecordState};

/// The wiki with these settings besides, whose accounts go with it.
fn wiki(settings: &Value) -> Value {
    let mut wiki = declared(&[]).pop().unwrap();
    let own = json!({
        "deletionPolicy": "Deprovision",
        "entitlements": [{"name": "editor", "target": {"group": {"name": "editors", "create": true}}}],
        "sync": {"concurrency": 1, "interval": "1m"},
    });
    let spec = wiki["spec"].as_object_mut().unwrap();
    spec.extend(own.as_object().unwrap().clone());
    spec.extend(settings.as_object().unwrap().clone());
    wiki
}

/// The same, which is being deleted.
fn deleted(settings: &Value) -> Value {
    let mut wiki = wiki(settings);
    wiki["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    wiki
}

/// Two scientists, who are editors, and their wiki.
fn all(wiki: Value) -> Vec<Value> {
    let mut all = declared(&["ada", "bob"].map(|name| identity(name, 1, &scientist("Analyst"))));
    all[2]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    all[3] = wiki;
    all
}

fn working() -> World {
    let mut world = World::new();
    world.list(&all(wiki(&json!({}))));
    world.pass(60);
    assert_eq!(world.names_in("editors"), ["ada", "bob"]);
    world.finalizer = true;
    world
}

fn states(world: &World) -> Vec<RecordState> {
    world.records.values().map(|record| record.state).collect()
}

fn enabled(world: &World) -> Vec<&str> {
    let all = world.accounts.values().filter(|account| account.enabled);
    all.map(|account| account.text("userName").unwrap()).collect()
}

/// Reason and message of a condition of the wiki.
fn condition(world: &World, kind: &str) -> (String, String) {
    let conditions = world.statuses["wiki"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
    (found["reason"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_short_loss_of_contact_late_in_a_long_deprovision_lets_nobody_go() {
    let mut world = working();
    world.forbidden = Some("DisableAccount");
    tell(&mut world, &[deleted(&json!({}))]);
    world.pass(1500);
    (world.reachable, world.refuses_connections) = (false, true);
    world.pass(120);
    let (reason, message) = condition(&world, "Reachable");
    assert_eq!(reason, "TargetUnreachable");
    assert!(message.contains("let go with its accounts as they are at 2027-01-15T08:3"), "{message}");
    assert!(world.finalizer, "{:?}", states(&world));
    (world.reachable, world.forbidden) = (true, None);
    world.pass(1500);
    assert_eq!((enabled(&world), world.finalizer), (Vec::new(), false));
}

#[test]
fn what_cannot_be_reached_for_as_long_as_release_after_says_is_let_go_as_it_is() {
    let mut world = working();
    (world.reachable, world.refuses_connections) = (false, true);
    world.pass(3600);
    let mut wiki = deleted(&json!({}));
    wiki["metadata"]["deletionTimestamp"] = json!(world.now().wall);
    tell(&mut world, &[wiki]);
    world.pass(560);
    assert!(world.finalizer, "counted from the deletion where contact was lost before");
    world.pass(90);
    assert!(!world.finalizer);
    assert_eq!((states(&world), enabled(&world).len()), (vec![RecordState::Released; 2], 2));
}

#[test]
fn what_was_not_asked_for_a_while_is_asked_before_it_is_let_go() {
    let mut world = working();
    (world.reachable, world.refuses_connections) = (false, true);
    tell(&mut world, &[deleted(&json!({}))]);
    world.pass(120);
    tell(&mut world, &[deleted(&json!({"mode": "Paused"}))]);
    world.pass(3600);
    world.reachable = true;
    tell(&mut world, &[deleted(&json!({}))]);
    world.pass(120);
    assert_eq!((enabled(&world), world.finalizer), (Vec::new(), false));
}

#[test]
fn what_nobody_may_write_to_is_not_waited_for() {
    let observes = json!({"entitlements": [
        {"name": "editor", "target": {"group": {"name": "editors"}}, "membership": "Observe"},
    ]});
    let protects = json!({"safety": {"protected": [{"attribute": "userName", "values": ["bob"]}]}});
    for (settings, left, members) in [(observes, vec![], vec!["ada", "bob"]), (protects, vec!["bob"], vec!["bob"])] {
        let mut world = working();
        tell(&mut world, &[deleted(&settings)]);
        world.pass(600);
        assert_eq!((enabled(&world), world.names_in("editors")), (left, members), "{settings}");
        assert!(!world.finalizer, "{settings}");
    }
}

#[test]
fn who_is_waited_for_is_told() {
    let mut world = working();
    world.forbidden = Some("DisableAccount");
    tell(&mut world, &[deleted(&json!({}))]);
    world.pass(300);
    let (reason, message) = condition(&world, "Ready");
    assert_eq!(reason, "Progressing");
    assert!(message.contains("left are 2 (ada, bob);"), "{message}");
}

#[test]
fn what_others_deleted_stays_deleted_when_the_application_is_deleted_and_made_anew() {
    let respects = json!({"deletionPolicy": "Retain", "account": {"deletedAtTarget": "Respect"}});
    let mut world = working();
    tell(&mut world, &[wiki(&respects)]);
    world.pass(60);
    let ada = world.id_of("ada");
    world.accounts.remove(&ada);
    world.members(&"g-editors".into()).retain(|member| *member != ada);
    world.pass(200);
    assert_eq!(world.account("ada"), "Blocked", "{:?}", states(&world));
    tell(&mut world, &[deleted(&respects)]);
    world.pass(60);
    assert!(!world.finalizer);
    let object = ObjectRef { kind: ObjectKind::TargetApplication, name: "wiki".into() };
    world.tell(EngineEvent::Changed(vec![Change::Gone(object)]));
    let mut again = wiki(&respects);
    again["metadata"]["uid"] = json!("wiki-2");
    tell(&mut world, &[again]);
    world.pass(200);
    assert_eq!((world.account("ada").as_str(), world.account("bob").as_str()), ("Blocked", "Provisioned"));
    assert_eq!(world.accounts.len(), 1);
}

#[test]
fn an_application_that_is_not_valid_when_the_operator_starts_keeps_what_is_told_of_its_accounts_and_goes_when_deleted()
{
    let nothing = json!({"connector": {}});
    let mut world = working();
    let told = world.statuses["ada"].clone();
    let mut edited = wiki(&nothing);
    edited["metadata"]["generation"] = json!(2);
    world.restart(&all(edited));
    world.pass(120);
    assert_eq!(condition(&world, "Ready").0, "InvalidSpec");
    assert_eq!(world.statuses["ada"], told);
    assert!(world.finalizer);
    let writes = world.writes;
    tell(&mut world, &[deleted(&nothing)]);
    world.pass(60);
    assert!(!world.finalizer);
    assert_eq!((states(&world), world.writes), (vec![RecordState::Released; 2], writes));
}

#[test]
fn an_application_that_was_not_valid_when_the_operator_started_is_kept_once_it_is_mended() {
    let mut world = working();
    world.restart(&all(wiki(&json!({"connector": {}}))));
    world.pass(60);
    let writes = world.writes;
    tell(&mut world, &[wiki(&json!({})), identity("ada", 2, &scientist("Reader"))]);
    world.pass(120);
    assert_eq!((world.writes, condition(&world, "Ready").0.as_str()), (writes + 1, "Synced"));
    assert_eq!(world.accounts[&world.id_of("ada")].text("title"), Some("Reader"));
}

#[test]
fn a_restart_does_not_begin_anew_to_wait_for_a_target_that_cannot_be_reached() {
    let mut world = working();
    (world.reachable, world.refuses_connections) = (false, true);
    world.pass(120);
    let mut wiki = deleted(&json!({}));
    wiki["metadata"]["deletionTimestamp"] = json!(world.now().wall);
    tell(&mut world, &[wiki.clone()]);
    world.pass(400);
    world.restart(&all(wiki));
    world.pass(150);
    assert!(world.finalizer);
    world.pass(100);
    assert!(!world.finalizer);
    assert_eq!(states(&world), [RecordState::Released; 2]);
}

#[test]
fn a_process_that_has_just_begun_lets_nobody_go_before_it_has_tried_for_a_while() {
    let mut world = working();
    (world.reachable, world.refuses_connections) = (false, true);
    world.pass(120);
    let mut wiki = deleted(&json!({}));
    wiki["metadata"]["deletionTimestamp"] = json!(world.now().wall);
    world.second += 3600;
    world.restart(&all(wiki));
    world.pass(60);
    assert!(world.finalizer);
    world.reachable = true;
    world.pass(300);
    assert_eq!((enabled(&world), world.finalizer), (Vec::new(), false));
}
