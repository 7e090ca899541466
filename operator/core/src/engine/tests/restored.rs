//! CRDs that were deleted and made anew, also across a restart; clocks that disagree.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist};
use crate::directory::tests::schemas;
use crate::engine::{Engine, EngineEvent};

fn people(n: usize) -> Vec<Value> {
    (0..n).map(|n| identity(&format!("i-{n}"), 1, &scientist("Analyst"))).collect()
}

fn enabled(world: &World) -> usize {
    world.accounts.values().filter(|account| account.enabled).count()
}

fn ready(world: &World) -> (String, String) {
    let ready = &world.statuses["wiki"]["conditions"][0];
    (ready["reason"].as_str().unwrap().to_owned(), ready["message"].as_str().unwrap().to_owned())
}

/// Four accounts, fewer than a budget would hold, kept by the CRDs `one`; then a new process finds other CRDs, and these objects.
fn made_anew(found: &[Value]) -> World {
    let mut world = World::new();
    world.tell(EngineEvent::Resources("one".into()));
    world.list(&declared(&people(4)));
    world.pass(60);
    assert_eq!(enabled(&world), 4);
    world.engine = Engine::new("acme", schemas);
    world.tell(EngineEvent::Resources("two".into()));
    world.list(found);
    world.pass(200);
    world
}

#[test]
fn with_the_same_resources_who_is_absent_has_been_deleted() {
    let mut world = World::new();
    world.tell(EngineEvent::Resources("one".into()));
    world.list(&declared(&people(4)));
    world.pass(60);
    world.engine = Engine::new("acme", schemas);
    world.tell(EngineEvent::Resources("one".into()));
    world.list(&declared(&[]));
    world.pass(200);
    assert_eq!((enabled(&world), ready(&world).0.as_str()), (0, "Synced"));
}

#[test]
fn resources_that_were_made_anew_and_are_empty_or_half_restored_remove_nobody_until_that_is_acknowledged() {
    for left in [0, 3] {
        let mut world = made_anew(&declared(&people(left)));
        let (reason, message) = ready(&world);
        assert_eq!((enabled(&world), reason.as_str()), (4, "LedgerMismatch"), "{left} are back: {message}");
        // A joiner does not wait for it.
        let mut more = people(left);
        more.push(identity("new", 1, &scientist("Analyst")));
        let change = world.change(more.last().unwrap());
        world.tell(EngineEvent::Changed(vec![change]));
        world.pass(60);
        assert_eq!(enabled(&world), 5);

        let token = message.split_whitespace().last().unwrap();
        let mut acknowledged = declared(&more);
        acknowledged.last_mut().unwrap()["spec"]["safety"] = json!({"acknowledge": token});
        let change = world.change(acknowledged.last().unwrap());
        world.tell(EngineEvent::Changed(vec![change]));
        world.pass(200);
        assert_eq!((enabled(&world), ready(&world).0.as_str()), (left + 1, "Synced"));
    }
}

#[test]
fn a_restore_that_is_complete_is_no_reason_to_ask_anybody() {
    let mut world = made_anew(&declared(&people(2)));
    assert_eq!(ready(&world).0, "LedgerMismatch");
    let changes = people(4).iter().map(|object| world.change(object)).collect();
    world.tell(EngineEvent::Changed(changes));
    world.pass(100);
    assert_eq!((enabled(&world), ready(&world).0.as_str()), (4, "Synced"));
    // From then on who is deleted has been deleted.
    let gone = crate::model::ObjectRef { kind: crate::model::ObjectKind::Identity, name: "i-0".into() };
    world.tell(EngineEvent::Changed(vec![crate::model::Change::Gone(gone)]));
    world.pass(100);
    assert_eq!(enabled(&world), 3);
}

#[test]
fn policies_that_went_with_their_crd_revoke_nothing() {
    let mut world =
        made_anew(&declared(&people(4)).into_iter().filter(|o| o["kind"] != "AccessPolicy").collect::<Vec<_>>());
    assert_eq!((enabled(&world), ready(&world).0.as_str()), (4, "LedgerMismatch"));
    let policy = declared(&[]).into_iter().find(|object| object["kind"] == "AccessPolicy").unwrap();
    let change = world.change(&policy);
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(100);
    assert_eq!((enabled(&world), ready(&world).0.as_str()), (4, "Synced"));
}

#[test]
fn clocks_that_disagree_are_told_on_the_application_while_they_do() {
    let mut world = World::new();
    world.list(&declared(&people(1)));
    world.pass(60);
    world.tell(EngineEvent::Clocks(Some("the operator's clock is ahead".into())));
    world.pass(10);
    assert_eq!(ready(&world), ("ClockSkew".to_owned(), "the operator's clock is ahead".to_owned()));
    world.tell(EngineEvent::Clocks(None));
    world.pass(10);
    assert_eq!(ready(&world).0, "Synced");
}
