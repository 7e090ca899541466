//! An account passes to who has its externalId now; who has but the name of who left is somebody else.

use serde_json::{Value, json};

use super::{World, declared, identity, tell};
use crate::directory::tests::SCHEMA;
use crate::engine::EngineEvent;
use crate::model::{Change, Name, ObjectKind, ObjectRef, Schema};

static MARKING: Schema = Schema { mark: Some("externalId"), ..SCHEMA };

/// A scientist; `ends`: after so many seconds of the test.
fn scientist(user_name: &str, external_id: Option<&str>, ends: Option<i64>) -> Value {
    let at = |seconds: i64| jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap().to_string();
    let mut spec = json!({"department": "Science", "userName": user_name});
    if let Some(id) = external_id {
        spec["externalId"] = id.into();
    }
    if let Some(seconds) = ends {
        spec["lifecycle"] = json!({"endTime": at(seconds)});
    }
    spec
}

fn all(people: &[Value]) -> Vec<Value> {
    let mut all = declared(people);
    let spec = all.last_mut().unwrap()["spec"].as_object_mut().unwrap();
    spec.insert("sync".into(), json!({"concurrency": 1, "interval": "1m"}));
    spec.insert("deprovision".into(), json!({"ended": {"action": "Disable", "deleteAfter": "720h"}}));
    all
}

fn owners(world: &World) -> Vec<String> {
    world.records.values().map(|record| format!("{} {}", record.owner.name, record.owner.uid)).collect()
}

fn with_uid(mut object: Value, uid: &str) -> Value {
    object["metadata"]["uid"] = uid.into();
    object
}

/// Whether anything is told of somebody's account.
fn stands(world: &World, name: &str) -> bool {
    world.engine.board().told(&Name::from(name), &Name::from("wiki")).is_some()
}

fn gone(name: &str) -> Change {
    Change::Gone(ObjectRef { kind: ObjectKind::Identity, name: name.into() })
}

#[test]
fn an_account_passes_from_who_ends_to_who_has_the_external_id_then_before_anything_is_taken() {
    let ada = identity("ada", 1, &scientist("ada", Some("E-1"), Some(60)));
    let contractor = identity("zoe", 1, &scientist("zoe", Some("E-1"), None));
    let mut world = World::with(|_| &MARKING);
    world.list(&all(&[ada, contractor]));
    world.pass(50);
    assert_eq!((world.account("ada").as_str(), world.accounts.len()), ("Provisioned", 1));
    world.pass(100);
    assert_eq!((world.account("zoe").as_str(), owners(&world)), ("Provisioned", vec!["zoe zoe".to_owned()]));
    let account = world.accounts.values().next().unwrap();
    assert_eq!((account.text("userName"), account.enabled), (Some("zoe"), true));
    assert!(!world.applied.contains(&"DisableAccount"), "{:?}", world.applied);
    assert!(!stands(&world, "ada"), "nothing of ada's is left to be taken");
    assert_eq!(world.written("ada").last().unwrap(), "True NothingMatched");
}

#[test]
fn who_gave_an_account_away_while_it_was_retained_has_nothing_left_to_be_taken() {
    let mut world = World::with(|_| &MARKING);
    world.list(&all(&[identity("ada", 1, &scientist("ada", Some("E-1"), Some(30)))]));
    world.pass(90);
    assert!(world.accounts.values().all(|account| !account.enabled), "retained");
    tell(&mut world, &[identity("zoe", 1, &scientist("zoe", Some("E-1"), None))]);
    world.pass(90);
    assert_eq!((world.account("zoe").as_str(), owners(&world)), ("Provisioned", vec!["zoe zoe".to_owned()]));
    assert!(world.accounts.values().all(|account| account.enabled));
    assert!(!stands(&world, "ada"));
    assert_eq!(world.written("ada").last().unwrap(), "True NothingMatched");
}

#[test]
fn another_person_under_the_name_of_one_who_left_gets_an_account_of_their_own() {
    let mut world = World::with(|_| &MARKING);
    world.list(&all(&[identity("ada", 1, &scientist("ada", None, None))]));
    world.pass(30);
    world.tell(EngineEvent::Changed(vec![gone("ada")]));
    world.pass(90);
    let first = world.id_of("ada");
    assert!(!world.accounts[&first].enabled, "retained");
    tell(&mut world, &[with_uid(identity("ada", 1, &scientist("ada.lovelace", None, None)), "ada-2")]);
    world.pass(90);
    assert_eq!(world.account("ada"), "Provisioned", "{}", world.statuses["ada"]);
    assert!(world.accounts[&world.id_of("ada.lovelace")].enabled);
    assert!(!world.accounts[&first].enabled, "the one who left stays out");
    assert_eq!(owners(&world), ["ada ada", "ada ada-2"]);
    let deleted = world.records.values().find(|record| record.owner.uid.to_string() == "ada").unwrap();
    assert!(deleted.delete_at.is_some(), "and their account goes on its date");
}

#[test]
fn who_comes_under_the_name_of_one_who_left_is_given_what_their_external_id_has_all_the_same() {
    let mut world = World::with(|_| &MARKING);
    let people =
        [identity("ada", 1, &scientist("ada", None, None)), identity("zoe", 1, &scientist("zoe", Some("E-1"), None))];
    world.list(&all(&people));
    world.pass(30);
    let zoes = world.id_of("zoe");
    world.tell(EngineEvent::Changed(vec![gone("ada"), gone("zoe")]));
    world.pass(90);
    tell(&mut world, &[with_uid(identity("ada", 1, &scientist("ada.king", Some("E-1"), None)), "ada-2")]);
    world.pass(90);
    assert_eq!(world.account("ada"), "Provisioned", "{}", world.statuses["ada"]);
    assert_eq!(world.id_of("ada.king"), zoes, "the account of the externalId");
    assert_eq!(world.accounts.len(), 2);
    assert!(!stands(&world, "zoe"));
}

#[test]
fn what_is_written_of_one_who_has_ended_gives_their_account_to_nobody() {
    let mut world = World::with(|_| &MARKING);
    world.list(&all(&[identity("bob", 1, &scientist("bob", Some("E-1"), None))]));
    world.pass(30);
    let bobs = world.id_of("bob");
    let zoe = identity("zoe", 1, &scientist("zoe", Some("E-2"), None));
    let ended = identity("bob", 2, &scientist("bob", Some("E-2"), Some(0)));
    tell(&mut world, &[ended, zoe]);
    world.pass(120);
    assert!(!world.accounts[&bobs].enabled && world.accounts[&world.id_of("zoe")].enabled);
    assert_eq!(owners(&world), ["bob bob", "zoe zoe"]);
}

/// Two of one name: the account of the first is retained, and the second has another.
fn namesakes() -> (World, crate::model::TargetId) {
    let mut world = World::with(|_| &MARKING);
    world.list(&all(&[identity("ada", 1, &scientist("ada", Some("E-1"), None))]));
    world.pass(30);
    world.tell(EngineEvent::Changed(vec![gone("ada")]));
    world.pass(90);
    tell(&mut world, &[second(1, &scientist("ada2", Some("E-2"), None))]);
    world.pass(90);
    let id = world.id_of("ada2");
    assert_eq!((world.accounts.len(), world.accounts[&id].enabled), (2, true));
    (world, id)
}

fn second(generation: i64, spec: &Value) -> Value {
    with_uid(identity("ada", generation, spec), "ada-2")
}

#[test]
fn who_has_a_name_that_another_left_loses_nothing_when_the_manifest_becomes_invalid() {
    let (mut world, id) = namesakes();
    tell(&mut world, &[second(2, &scientist("ada 2", Some("E-2"), None))]);
    world.pass(200);
    assert!(world.accounts[&id].enabled, "{:?}", world.applied);
    assert_eq!(world.account("ada"), "Blocked");
}

#[test]
fn who_has_a_name_that_another_left_loses_nothing_when_given_the_external_id_of_that_one() {
    let (mut world, id) = namesakes();
    tell(&mut world, &[second(2, &scientist("ada2", Some("E-1"), None))]);
    world.pass(200);
    assert!(world.accounts[&id].enabled, "{:?}", world.applied);
    assert_eq!(world.accounts.values().filter(|account| account.enabled).count(), 1);
}

#[test]
fn what_is_held_of_who_has_a_name_that_another_left_drops_out_when_it_is_not_wanted_any_more() {
    let (mut world, _) = namesakes();
    let mut strict = all(&[]).pop().unwrap();
    strict["spec"]["safety"] = json!({"removals": [{"count": 0, "percent": 0, "window": "1h"}]});
    tell(&mut world, &[strict]);
    world.pass(60);
    let held = |world: &World| world.engine.sync(&Name::from("wiki")).unwrap().held().len();
    tell(&mut world, &[second(2, &json!({"department": "Arts", "userName": "ada2", "externalId": "E-2"}))]);
    world.pass(120);
    assert_eq!(held(&world), 1);
    tell(&mut world, &[second(3, &scientist("ada2", Some("E-2"), None))]);
    world.pass(120);
    assert_eq!(held(&world), 0);
}

#[test]
fn nothing_is_told_of_who_has_a_name_about_the_account_of_who_left_it() {
    let mut world = World::with(|_| &MARKING);
    world.list(&all(&[identity("ada", 1, &scientist("ada", Some("E-1"), None))]));
    world.pass(30);
    world.tell(EngineEvent::Changed(vec![gone("ada")]));
    world.pass(90);
    assert!(stands(&world, "ada"));
    tell(&mut world, &[second(1, &json!({"department": "Arts", "userName": "ada2", "externalId": "E-2"}))]);
    world.pass(90);
    assert!(!stands(&world, "ada"));
    assert_eq!(world.written("ada").last().unwrap(), "True NothingMatched");
}

/// Ada ends after a minute, and zoe has her externalId and this besides; who is lost otherwise is held.
fn handed_over(zoe: &Value) -> World {
    let mut zoe_spec = scientist("zoe", Some("E-1"), None);
    zoe_spec.as_object_mut().unwrap().extend(zoe.as_object().unwrap().clone());
    let people = [identity("ada", 1, &scientist("ada", Some("E-1"), Some(60))), identity("zoe", 1, &zoe_spec)];
    let mut all = all(&people);
    all.last_mut().unwrap()["spec"]["safety"] = json!({"removals": [{"count": 0, "percent": 0, "window": "1h"}]});
    let mut world = World::with(|_| &MARKING);
    world.list(&all);
    world.pass(50);
    assert_eq!(world.account("ada"), "Provisioned");
    world.pass(100);
    world
}

#[test]
fn an_end_that_is_written_is_no_less_so_where_who_is_next_starts_later_or_has_no_access() {
    let start = jiff::Timestamp::from_second(1_800_000_000 + 3600).unwrap().to_string();
    for zoe in [json!({"lifecycle": {"startTime": start}}), json!({"department": "Arts"})] {
        let world = handed_over(&zoe);
        assert!(world.engine.sync(&Name::from("wiki")).unwrap().held().is_empty(), "{zoe}");
        assert!(world.accounts.values().all(|account| !account.enabled), "{zoe}");
        assert_eq!(owners(&world), ["zoe zoe"], "and then it passes: {zoe}");
    }
}

#[test]
fn who_starts_later_has_the_account_of_who_ended_then() {
    let start = jiff::Timestamp::from_second(1_800_000_000 + 3600).unwrap().to_string();
    let mut world = handed_over(&json!({"lifecycle": {"startTime": start}}));
    assert!(world.records.values().all(|record| record.delete_at.is_none()), "it waits without a date");
    world.sleep(3600);
    assert_eq!((world.account("zoe").as_str(), world.accounts.len()), ("Provisioned", 1));
    assert!(world.accounts.values().all(|account| account.enabled));
}
