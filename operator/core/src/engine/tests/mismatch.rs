//! The store is lost, replaced or rolled back.

use serde_json::{Value, json};

use super::world::World;
use super::{declared, identity, tell};
use crate::engine::EngineEvent;
use crate::model::{Change, Name, ObjectKind, ObjectRef, Standing, StoreStamp};

/// A scientist whom everybody knows by the same number.
fn person(name: &str, generation: i64, more: &Value) -> Value {
    let mut spec = json!({"department": "Science", "externalId": format!("E-{name}")});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    identity(name, generation, &spec)
}

/// All of them scientists, whose wiki has a group of them.
fn team(names: &[&str], acknowledge: &str) -> Vec<Value> {
    let people: Vec<Value> = names.iter().map(|name| person(name, 1, &json!({"title": "Analyst"}))).collect();
    let mut all = declared(&people);
    let wiki = all.last_mut().unwrap();
    wiki["spec"]["entitlements"] = json!([{"name": "editor", "target": {"group": {"name": "editors"}}}]);
    wiki["spec"]["safety"] = json!({"acknowledge": acknowledge});
    let policy = &mut all[names.len()];
    policy["spec"]["grants"] = json!([{"application": "wiki", "entitlements": ["editor"]}]);
    all
}

/// Four who work, with a store that can be recognised.
fn working() -> World {
    let mut world = World::new();
    world.store = Some(StoreStamp { id: "first".into(), epoch: 0 });
    world.mirror("editors", None);
    world.list(&team(&["ada", "bob", "cy", "dee"], ""));
    world.pass(120);
    assert_eq!((world.accounts.len(), world.names_in("editors").len()), (4, 4));
    for account in world.accounts.values_mut() {
        let external = format!("E-{}", account.text("userName").unwrap());
        account.attributes.insert("externalId".into(), external.as_str().into());
    }
    assert_eq!(ready(&world).0, "Synced");
    world
}

/// The store as a new one: nothing is in it.
fn lose(world: &mut World) {
    world.records.clear();
    world.intents.clear();
    world.groups.clear();
    world.standing = Standing::default();
    world.store = Some(StoreStamp { id: "second".into(), epoch: 0 });
    world.applied.clear();
}

/// A copy of the store, to go back to.
fn copy(world: &World) -> impl Fn(&mut World) + use<> {
    let (records, intents, groups) = (world.records.clone(), world.intents.clone(), world.groups.clone());
    let (standing, store) = (world.standing.clone(), world.store.clone());
    move |world| {
        (world.records, world.intents, world.groups) = (records.clone(), intents.clone(), groups.clone());
        (world.standing, world.store) = (standing.clone(), store.clone());
        world.applied.clear();
    }
}

fn ready(world: &World) -> (String, String) {
    let ready = &world.statuses["wiki"]["conditions"][0];
    (ready["reason"].as_str().unwrap().to_owned(), ready["message"].as_str().unwrap().to_owned())
}

fn token(world: &World) -> String {
    let (reason, message) = ready(world);
    assert_eq!(reason, "LedgerMismatch", "{message}");
    message.split_whitespace().last().unwrap().to_owned()
}

fn target(world: &World) -> Value {
    world.statuses["wiki"]["target"].clone()
}

fn ending(name: &str, lifecycle: &Value) -> Value {
    person(name, 2, &json!({"title": "Analyst", "lifecycle": lifecycle}))
}

fn enabled(world: &World) -> Vec<&str> {
    let all = world.accounts.values().filter(|account| account.enabled);
    let mut names: Vec<_> = all.map(|account| account.text("userName").unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_status_names_store_and_epoch_and_a_restart_with_the_same_store_is_none_the_wiser() {
    let mut world = working();
    let minute = world.now().wall.as_second() / 60;
    assert_eq!(target(&world)["storeID"], "first");
    let epoch = target(&world)["epoch"].as_i64().unwrap();
    assert!((minute - 3..=minute).contains(&epoch), "{epoch} of {minute}");
    world.applied.clear();
    world.restart(&team(&["ada", "bob", "cy", "dee"], ""));
    world.pass(600);
    assert_eq!((world.applied.len(), ready(&world).0.as_str()), (0, "Synced"));
}

#[test]
fn a_lost_store_stops_all_but_creates_and_what_manifests_end_until_it_is_acknowledged() {
    let mut world = working();
    let before = target(&world);
    lose(&mut world);
    // Meanwhile: somebody joined, one was suspended, one ended, one was deleted, one has another title.
    let mut all = team(&["ada", "bob", "cy", "eve"], "");
    all[1] = ending("bob", &json!({"suspended": true}));
    all[2] = ending("cy", &json!({"endTime": "2020-01-01T00:00:00Z"}));
    all[0] = person("ada", 2, &json!({"title": "Director"}));
    world.restart(&all);
    world.pass(120);
    let asked = token(&world);
    assert_eq!(world.applied.iter().filter(|step| **step == "CreateAccount").count(), 1, "{:?}", world.applied);
    assert_eq!(world.applied.iter().filter(|step| **step == "DisableAccount").count(), 2, "{:?}", world.applied);
    assert_eq!(world.applied.len(), 3, "nothing else: {:?}", world.applied);
    assert_eq!(enabled(&world), ["ada", "dee", "eve"]);
    assert_eq!(target(&world), before, "what was left is remembered");

    // It does not wear off, and neither a restart nor a wrong token lifts it.
    world.restart(&all);
    world.pass(600);
    assert_eq!((token(&world), world.applied.len()), (asked.clone(), 3));
    tell(&mut world, &[team(&["ada"], "another").pop().unwrap()]);
    world.pass(60);
    assert_eq!((token(&world), world.applied.len()), (asked.clone(), 3));

    tell(&mut world, &[team(&["ada"], &asked).pop().unwrap()]);
    world.pass(300);
    assert_eq!(ready(&world).0, "Synced", "{}", ready(&world).1);
    assert_eq!(target(&world)["storeID"], "second");
    // Whom nobody declares any more is no longer anybody's, and left alone.
    assert_eq!(enabled(&world), ["ada", "dee", "eve"]);
    assert_eq!(world.statuses["wiki"]["accounts"]["unmanaged"], 1, "{}", world.statuses["wiki"]);
    assert_eq!(world.accounts[&world.id_of("ada")].text("title"), Some("Director"), "adopted anew, and kept");
    assert!(world.names_in("editors").contains(&"dee") && world.names_in("editors").contains(&"eve"));
    let steps = world.applied.clone();
    *all.last_mut().unwrap() = team(&["ada"], &asked).pop().unwrap();
    world.restart(&all);
    world.pass(120);
    assert_eq!((ready(&world).0.as_str(), world.applied.len()), ("Synced", steps.len()), "{:?}", world.applied);
}

#[test]
fn who_is_suspended_is_disabled_again_where_the_answer_was_lost_though_the_ledger_is_not_trusted() {
    for restart in [false, true] {
        let mut world = working();
        lose(&mut world);
        let mut all = team(&["ada", "bob", "cy", "dee"], "");
        all[1] = ending("bob", &json!({"suspended": true}));
        // Neither done nor answered, and nobody may read an account.
        (world.lose, world.done, world.forbids) = (true, false, true);
        world.restart(&all);
        world.pass(20);
        (world.lose, world.done) = (false, true);
        if restart {
            world.restart(&all);
        }
        world.pass(200);
        token(&world);
        assert_eq!((enabled(&world), world.applied.as_slice()), (vec!["ada", "cy", "dee"], &["DisableAccount"][..]));
    }
}

#[test]
fn an_older_copy_is_recognised_and_a_removal_that_it_does_not_know_of_is_not_made_up() {
    let mut world = working();
    let restore = copy(&world);
    world.pass(600);
    // After the copy: somebody joins, and somebody's rights change.
    tell(&mut world, &[person("eve", 1, &json!({"title": "Analyst"}))]);
    world.pass(120);
    assert_eq!(world.accounts.len(), 5);
    restore(&mut world);
    let all = team(&["ada", "bob", "cy", "dee", "eve"], "");
    world.restart(&all);
    world.pass(120);
    assert!(ready(&world).1.contains("rolled back"), "{}", ready(&world).1);
    let asked = token(&world);
    assert_eq!(world.applied, Vec::<&str>::new());
    // Deleted while the ledger is not trusted: nothing happens yet.
    world.tell(EngineEvent::Changed(vec![Change::Gone(ObjectRef {
        kind: ObjectKind::Identity,
        name: Name::from("ada"),
    })]));
    world.pass(300);
    assert_eq!((world.applied.len(), enabled(&world).len()), (0, 5));
    let mut wiki = team(&["eve"], &asked);
    tell(&mut world, &[wiki.pop().unwrap()]);
    world.pass(300);
    assert_eq!(ready(&world).0, "Synced", "{}", ready(&world).1);
    assert_eq!(enabled(&world), ["bob", "cy", "dee", "eve"], "what is surely ours is handled again");
    assert!(world.records.values().any(|record| record.owner.name.as_str() == "eve"), "eve's is recorded again");
}

#[test]
fn a_token_is_good_once_also_for_the_same_copy() {
    let mut world = working();
    let restore = copy(&world);
    world.pass(600);
    tell(&mut world, &[person("eve", 1, &json!({"title": "Analyst"}))]);
    world.pass(120);
    restore(&mut world);
    world.restart(&team(&["ada", "bob", "cy", "dee", "eve"], ""));
    world.pass(60);
    let first = token(&world);
    let all = team(&["ada", "bob", "cy", "dee", "eve"], &first);
    tell(&mut world, &[all.last().unwrap().clone()]);
    world.pass(300);
    assert_eq!(ready(&world).0, "Synced");
    // Gone back to once more, while the manifest still has the token.
    restore(&mut world);
    world.restart(&all);
    world.pass(120);
    assert_ne!(token(&world), first);
    assert_eq!(world.applied, Vec::<&str>::new());
}

#[test]
fn a_store_that_cannot_be_read_is_not_forgotten_in_the_status() {
    let mut world = working();
    let before = target(&world);
    world.loads = false;
    world.restart(&team(&["ada", "bob", "cy", "dee"], ""));
    world.pass(120);
    assert_eq!(ready(&world).0, "StoreUnavailable", "{}", ready(&world).1);
    assert_eq!(target(&world), before);
    lose(&mut world);
    world.loads = true;
    world.pass(200);
    token(&world);
}

#[test]
fn a_deprovision_by_a_ledger_that_was_lost_waits_for_its_acknowledgement_and_letting_go_does_not() {
    for (policy, waits) in [("Deprovision", true), ("Retain", false)] {
        let mut world = working();
        lose(&mut world);
        world.finalizer = true;
        let deleted = |acknowledge: &str| {
            let mut all = team(&["ada", "bob", "cy", "dee"], acknowledge);
            let wiki = all.last_mut().unwrap();
            wiki["spec"]["deletionPolicy"] = json!(policy);
            wiki["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
            all
        };
        world.restart(&deleted(""));
        world.pass(1200);
        assert_eq!((world.finalizer, world.applied.len()), (waits, 0), "{policy}");
        let asked = token(&world);
        tell(&mut world, &[deleted(&asked).pop().unwrap()]);
        world.pass(60);
        assert!(!world.finalizer, "{policy}");
    }
}

#[test]
fn what_a_ledger_lost_is_known_again_before_an_application_that_is_deleted_lets_go() {
    let mut world = working();
    lose(&mut world);
    let names = ["ada", "bob", "cy", "dee"];
    world.restart(&team(&names, ""));
    world.pass(60);
    let asked = token(&world);
    tell(&mut world, &[team(&names, &asked).pop().unwrap()]);
    // It was acknowledged, and then the operator stopped before anybody was known again.
    world.records.clear();
    world.groups.clear();
    world.applied.clear();
    let mut all = team(&names, &asked);
    let wiki = all.last_mut().unwrap();
    wiki["spec"]["deletionPolicy"] = json!("Deprovision");
    wiki["metadata"]["deletionTimestamp"] = json!(world.now().wall);
    // Who is not to have an account keeps what is theirs by the same number; who left does not.
    all[3] = person("dee", 2, &json!({"department": "Arts"}));
    all[1] = person("bob", 2, &json!({"lifecycle": {"endTime": "2001-01-01T00:00:00Z"}}));
    world.finalizer = true;
    // Nobody could look meanwhile.
    world.second += 3600;
    world.restart(&all);
    world.pass(300);
    assert_eq!((enabled(&world), world.finalizer), (vec!["dee"], false));
}

#[test]
fn who_waits_for_the_acknowledgement_is_told_where_a_person_must_act() {
    let mut world = working();
    lose(&mut world);
    let mut all = team(&["ada", "bob", "cy", "dee"], "");
    all[0] = person("ada", 2, &json!({"title": "Director"}));
    world.restart(&all);
    world.pass(120);
    let ready = &world.statuses["ada"]["conditions"][0];
    assert_eq!(ready["reason"], "LedgerMismatch");
    assert!(ready["message"].as_str().unwrap().contains("TargetApplication wiki (LedgerMismatch)"), "{ready}");
    assert_eq!(world.statuses["wiki"].get("problems"), None);
}
