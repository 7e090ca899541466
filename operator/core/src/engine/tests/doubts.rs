//! A disable of which nobody knows whether it was done.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::{DeletionOrder, EngineEvent};
use crate::model::{Name, RecordState, Step};

const DAY: i64 = 24 * 3600;

fn left() -> Value {
    let lifecycle = json!({"endTime": "2026-01-01T00:00:00Z"});
    identity("ada", 2, &json!({"department": "Science", "title": "Analyst", "lifecycle": lifecycle}))
}

/// Accounts of who ended are deleted after a week.
fn all(ada: Value) -> Vec<Value> {
    let mut all = declared(&[ada]);
    all[2]["spec"]["deprovision"] = json!({"ended": {"action": "Disable", "deleteAfter": "168h"}});
    all
}

/// Ada has left, and of the disabling came no answer, or one that says nothing; it was not done.
fn doubted(transient: bool) -> World {
    let mut world = World::new();
    world.transient = transient;
    world.list(&all(identity("ada", 1, &scientist("Analyst"))));
    world.pass(30);
    (world.lose, world.done, world.forbids) = (true, false, true);
    let change = world.change(&left());
    world.tell(EngineEvent::Changed(vec![change]));
    world.lose = false;
    assert_eq!(world.applied, ["CreateAccount"]);
    world
}

/// Cancels the deletion of ada's account.
fn cancel(world: &mut World) -> Result<Arc<str>, Arc<str>> {
    let now = world.now();
    let (said, mut effects) =
        world.engine.order_deletion(&"wiki".into(), &"ada".into(), DeletionOrder::Cancel, "zoe", now);
    while let Some(effect) = effects.pop() {
        effects.extend(world.answered(effect));
    }
    said
}

#[test]
fn a_disable_whose_answer_was_lost_is_done_again_also_after_a_restart_and_where_nothing_shows_the_account() {
    for (restart, transient) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = doubted(transient);
        let ada = world.id_of("ada");
        (world.miscounts, world.unlisted) = (true, Some(ada.clone()));
        if restart {
            world.restart(&all(left()));
        }
        world.pass(120);
        assert!(!world.accounts[&ada].enabled, "restart {restart}, transient {transient}");
        assert_eq!(world.applied, ["CreateAccount", "DisableAccount"], "and once");
    }
}

#[test]
fn who_comes_back_after_two_disables_that_were_not_done_was_never_gone() {
    let mut world = doubted(false);
    (world.lose, world.miscounts, world.unlisted) = (true, true, Some(world.id_of("ada")));
    world.pass(120);
    let disables = world.opened.iter().filter(|intent| matches!(intent.step, Step::DisableAccount { .. })).count();
    assert!(disables > 1, "it was repeated");
    (world.lose, world.miscounts, world.unlisted, world.forbids) = (false, false, None, false);
    let change = world.change(&identity("ada", 3, &scientist("Analyst")));
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(120);
    let record = world.records.values().next().unwrap();
    assert_eq!((record.state, record.disabled_at), (RecordState::Active, None));
    assert_eq!(world.applied, ["CreateAccount"]);
}

#[test]
fn a_deletion_is_not_cancelled_for_nothing_while_its_account_may_not_be_disabled_yet() {
    let mut world = doubted(false);
    assert!(cancel(&mut world).is_err_and(|why| why.contains("ask again")), "the date is not fixed yet");
    world.forbids = false;
    world.pass(120);
    assert_eq!(world.applied, ["CreateAccount", "DisableAccount"]);
    cancel(&mut world).unwrap();
    world.sleep(30 * DAY);
    assert_eq!((world.accounts.len(), world.account("ada").as_str()), (1, "Retained"));
}

#[test]
fn what_was_disabled_for_sure_is_not_doubted_any_more() {
    let mut world = doubted(false);
    world.pass(120);
    assert_eq!(world.applied, ["CreateAccount", "DisableAccount"]);
    cancel(&mut world).unwrap();
    // Others enable it: that is put right, and no new end.
    let ada = world.id_of("ada");
    world.accounts.get_mut(&ada).unwrap().enabled = true;
    world.forbids = false;
    tell(&mut world, &[all(left()).remove(2)]);
    world.sleep(30 * DAY);
    assert!(!world.accounts[&ada].enabled);
    assert!(world.engine.sync(&Name::from("wiki")).unwrap().held().is_empty());
}
