//! What a person orders about a deletion, and what is said of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::DeletionOrder::{self, Cancel, Hasten};
use crate::engine::EngineEffect;

fn order(world: &mut World, name: &str, order: DeletionOrder) -> Result<Arc<str>, Arc<str>> {
    let now = world.now();
    let (said, mut effects) = world.engine.order_deletion(&"wiki".into(), &name.into(), order, "zoe", now);
    world.notes.extend(effects.iter().filter_map(|effect| match effect {
        EngineEffect::Note(note) => Some(note.clone()),
        _ => None,
    }));
    while let Some(effect) = effects.pop() {
        effects.extend(world.answered(effect));
    }
    said
}

/// Accounts of who ended are deleted after a week.
fn all(ada: Value) -> Vec<Value> {
    let mut all = declared(&[ada]);
    all[2]["spec"]["deprovision"] = json!({"ended": {"action": "Disable", "deleteAfter": "168h"}});
    all
}

#[test]
fn an_order_says_what_it_does_and_one_that_does_nothing_why() {
    let mut world = World::new();
    world.list(&all(identity("ada", 1, &scientist("Analyst"))));
    world.pass(30);
    let refused = |said: Result<Arc<str>, Arc<str>>| said.unwrap_err().to_string();
    assert_eq!(
        refused(order(&mut world, "ada", Hasten)),
        "ada has no account in wiki that is retained: theirs is not disabled for good. It is retained, and has a date, \
         once they have ended, are gone or have no access and it was disabled: \
         `provost held` and `provost status` say what that waits for"
    );
    assert!(
        refused(order(&mut world, "zoe", Hasten))
            .ends_with("that is retained: none was made, or it is deleted; `provost ledger` shows what is")
    );

    let lifecycle = json!({"endTime": "2026-01-01T00:00:00Z"});
    tell(&mut world, &[identity("ada", 2, &json!({"department": "Science", "lifecycle": lifecycle}))]);
    world.pass(60);
    let said = order(&mut world, "ada", Cancel).unwrap();
    assert!(said.starts_with("the account of ada in wiki is kept: it was to be deleted on 20"), "{said}");
    let said = order(&mut world, "ada", Cancel).unwrap();
    assert_eq!(&*said, "the account of ada in wiki is kept: its deletion had been cancelled already");
    world.pass(60);
    assert_eq!(world.accounts.len(), 1);
    let said = order(&mut world, "ada", Hasten).unwrap();
    assert!(said.contains("is deleted now: its deletion had been cancelled, and that is taken back. "), "{said}");
    world.pass(60);
    assert_eq!(world.accounts.len(), 0);
    assert_eq!(
        refused(order(&mut world, "ada", Hasten)),
        "ada has no account in wiki that is retained: none was made, or it is deleted; `provost ledger` shows what is"
    );
}

#[test]
fn the_event_of_an_order_says_whose_it_was_and_one_that_is_refused_has_none() {
    let mut world = World::new();
    world.list(&all(identity("ada", 1, &scientist("Analyst"))));
    world.pass(30);
    let told = |world: &World| -> Vec<String> {
        let orders = world.notes.iter().filter(|note| note.reason.starts_with("Deletion"));
        orders.map(|note| format!("{}: {}", note.reason, note.message)).collect()
    };
    order(&mut world, "ada", Hasten).unwrap_err();
    assert!(told(&world).is_empty(), "{:?}", told(&world));
    let lifecycle = json!({"endTime": "2026-01-01T00:00:00Z"});
    tell(&mut world, &[identity("ada", 2, &json!({"department": "Science", "lifecycle": lifecycle}))]);
    world.pass(60);
    order(&mut world, "ada", Cancel).unwrap();
    order(&mut world, "ada", Hasten).unwrap();
    assert_eq!(
        told(&world),
        [
            "DeletionCancelled: the deletion was cancelled of the account of ada, ordered by zoe",
            "DeletionHastened: the deletion was hastened of the account of ada, ordered by zoe",
        ]
    );
}
