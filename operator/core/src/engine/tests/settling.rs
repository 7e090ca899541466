//! What waits for the rest of the same change is told as that: not as held, and not as done.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::EngineEvent;
use crate::model::{Change, ObjectKind, ObjectRef};

/// So many scientists with an account each, in a wiki whose removals wait ten seconds.
fn team(size: usize) -> World {
    let people: Vec<Value> = (0..size).map(|n| identity(&format!("i-{n}"), 1, &scientist("Analyst"))).collect();
    let mut world = World::new();
    world.list(&declared(&people));
    world.pass(60);
    world.written.clear();
    world
}

fn mover(name: &str) -> Value {
    identity(name, 2, &json!({"department": "Arts", "title": "Analyst"}))
}

/// Nobody is to have an account any more.
fn drop_the_policy(world: &mut World) {
    let policy = ObjectRef { kind: ObjectKind::AccessPolicy, name: "science-wiki".into() };
    world.tell(EngineEvent::Changed(vec![Change::Gone(policy)]));
}

#[test]
fn a_removal_in_its_settle_time_is_told_as_settling_and_then_as_done_in_two_writes() {
    let mut world = team(3);
    tell(&mut world, &[mover("i-0")]);
    world.pass(5);
    assert_eq!(world.account("i-0"), "Pending");
    assert_eq!(world.written("i-0"), ["False Settling"]);
    assert_eq!(world.statuses["i-0"]["problems"][0]["reason"], "Settling");
    assert_eq!(world.written("wiki"), ["False Settling"]);
    assert_eq!(world.statuses["wiki"].get("problems"), None, "it is no problem of the application");
    world.pass(60);
    assert_eq!(world.written("i-0"), ["False Settling", "True Provisioned"]);
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
    assert!(!world.accounts[&world.id_of("i-0")].enabled);
    assert_eq!(world.written("i-1"), Vec::<String>::new(), "nobody else is told anything");
}

#[test]
fn a_wave_that_is_held_is_told_as_held_once_it_has_settled_and_then_nothing_is_written() {
    let mut world = team(30);
    drop_the_policy(&mut world);
    world.pass(5);
    assert_eq!((world.account("i-7").as_str(), world.written("i-7").len()), ("Pending", 1));
    world.pass(60);
    assert_eq!(world.account("i-7"), "Held");
    assert_eq!(world.written("i-7"), ["False Settling", "False RemovalBudgetExceeded"]);
    let hash = &world.statuses["wiki"]["heldPlans"][0]["hash"];
    let (ready, problem) = (&world.statuses["i-7"]["conditions"][0], &world.statuses["i-7"]["problems"][0]);
    let said = ready["message"].as_str().unwrap();
    assert!(said.starts_with("wiki: a removal is held in plan ") && said.contains(hash.as_str().unwrap()), "{said}");
    assert!(said.contains("`provost held`"), "{said}");
    assert_eq!(problem["state"], "Blocked");
    assert_eq!(world.written("wiki").last().unwrap(), "False RemovalBudgetExceeded");
    world.written.clear();
    world.pass(120);
    assert_eq!(world.written, Vec::<String>::new());
}

#[test]
fn an_edit_of_somebody_whose_removal_is_held_is_not_told_as_done_while_the_target_cannot_be_asked() {
    let mut world = team(30);
    drop_the_policy(&mut world);
    world.pass(60);
    assert_eq!(world.account("i-7"), "Held");
    // A joiner finds that the target is down.
    (world.reachable, world.refuses_connections) = (false, true);
    let mut arts = declared(&[]).remove(0);
    arts["metadata"]["name"] = json!("arts-wiki");
    arts["spec"]["match"] = json!("identity.department == 'Arts'");
    tell(&mut world, &[arts, identity("joiner", 1, &json!({"department": "Arts"}))]);
    world.pass(60);
    tell(&mut world, &[identity("i-7", 2, &scientist("Reader"))]);
    world.pass(10);
    assert_eq!(world.written("i-7").last().unwrap(), "False TargetUnreachable");
    assert_eq!(world.statuses["i-7"]["observedGeneration"], 2);
}

#[test]
fn who_waits_for_a_privileged_right_that_is_held_is_not_ready() {
    let people: Vec<Value> = (0..30).map(|n| identity(&format!("i-{n}"), 1, &scientist("Analyst"))).collect();
    let mut all = declared(&people);
    all[31]["spec"]["entitlements"] =
        json!([{"name": "admin", "target": {"group": {"name": "admins"}}, "risk": "Privileged"}]);
    let mut world = World::new();
    world.mirror("admins", None);
    world.list(&all);
    world.pass(60);
    world.written.clear();
    all[30]["metadata"]["generation"] = json!(2);
    all[30]["spec"]["grants"][0]["entitlements"] = json!(["admin"]);
    tell(&mut world, &[all.swap_remove(30)]);
    world.pass(60);
    assert_eq!(world.account("i-7"), "Held");
    assert_eq!(world.written("i-7").last().unwrap(), "False GrantBudgetExceeded");
    assert_eq!(world.statuses["wiki"].get("problems"), None, "it says so itself");
    let told: Vec<_> = world.notes.iter().map(|note| note.object.name.as_str()).collect();
    assert!(told.iter().all(|name| *name == "wiki"), "{told:?}");
}

#[test]
fn what_is_held_again_is_another_event_also_in_the_same_words() {
    let mut world = team(30);
    let policy = declared(&[]).remove(0);
    for _ in 0..2 {
        drop_the_policy(&mut world);
        world.pass(60);
        assert_eq!(world.account("i-7"), "Held");
        tell(&mut world, std::slice::from_ref(&policy));
        world.pass(60);
        assert_eq!(world.account("i-7"), "Provisioned");
    }
    let held: Vec<_> = world.notes.iter().filter(|note| note.message.contains("approve with")).collect();
    assert_eq!((held.len(), &held[0].message), (2, &held[1].message));
    assert_ne!(held[0], held[1], "what is said once is said of each");
}
