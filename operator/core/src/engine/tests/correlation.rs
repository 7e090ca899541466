//! By which keys accounts are recognised is edited.

use serde_json::{Value, json};

use super::{World, declared, identity, tell};
use crate::engine::{Effect, EngineEffect, EngineEvent};
use crate::model::{Observed, TargetId};

fn all(correlate: &Value) -> Vec<Value> {
    let ada = identity("ada", 1, &json!({"department": "Science", "externalId": "E-1", "title": "old-7"}));
    let mut all = declared(&[ada]);
    if !correlate.is_null() {
        all[2]["spec"]["account"] = json!({"correlate": correlate});
    }
    all[2]["spec"]["sync"] = json!({"concurrency": 1, "interval": "24h"});
    all
}

/// By what the identity was called before.
fn by_old_number() -> Value {
    json!([{"attribute": "externalId", "expression": "identity.title"}])
}

/// An account that others made since the last listing.
fn old_account(world: &mut World) {
    let id = TargetId::new("x-1");
    let attributes = [("userName".into(), "lovelace".into()), ("externalId".into(), "old-7".into())].into();
    world.accounts.insert(id.clone(), Observed { id, enabled: true, attributes, holds: None });
}

#[test]
fn who_has_an_account_keeps_it_whatever_it_is_recognised_by_from_now_on() {
    let mut world = World::new();
    world.list(&all(&Value::Null));
    world.pass(60);
    old_account(&mut world);
    world.applied.clear();
    let mine = world.id_of("ada");
    for correlate in [by_old_number(), json!([{"attribute": "userName", "expression": "'lovelace'"}]), Value::Null] {
        tell(&mut world, &[all(&correlate).remove(2)]);
        world.pass(400);
        assert_eq!(world.applied, Vec::<&str>::new(), "{correlate}");
        let owned: Vec<_> = world.records.values().filter_map(|record| record.target_id.clone()).collect();
        assert_eq!(owned, std::slice::from_ref(&mine), "{correlate}");
    }
}

#[test]
fn whoever_was_searched_for_by_other_keys_is_searched_for_again_before_an_account_is_made() {
    let mut world = World::new();
    let mut later = all(&Value::Null);
    let ada = later.remove(0);
    world.list(&later);
    world.pass(400);
    old_account(&mut world);
    // Found nowhere, and not made: the target refuses that for now.
    world.forbidden = Some("CreateAccount");
    tell(&mut world, &[ada]);
    world.pass(5);
    assert_eq!(world.account("ada"), "Failed");
    world.forbidden = None;
    tell(&mut world, &[all(&by_old_number()).remove(2)]);
    world.pass(60);
    assert_eq!((world.account("ada").as_str(), world.accounts.len()), ("Provisioned", 1), "{:?}", world.applied);
}

#[test]
fn the_answer_of_a_search_by_other_keys_makes_no_account() {
    let mut world = World::new();
    let mut later = all(&Value::Null);
    let ada = later.remove(0);
    world.list(&later);
    world.pass(400);
    old_account(&mut world);
    let joins = EngineEvent::Changed(vec![world.change(&ada)]);
    let mut asked = Vec::new();
    let mut effects = world.handle(joins);
    while let Some(effect) = effects.pop() {
        if matches!(&effect, EngineEffect::Do { effect: Effect::Find(_), .. }) {
            asked.push(effect);
        } else {
            effects.extend(world.answered(effect));
        }
    }
    assert_eq!(asked.len(), 1, "one at a time");
    let edit = EngineEvent::Changed(vec![world.change(&all(&by_old_number())[2])]);
    let mut effects = world.handle(edit);
    effects.extend(asked);
    while let Some(effect) = effects.pop() {
        effects.extend(world.answered(effect));
    }
    world.pass(60);
    assert_eq!((world.account("ada").as_str(), world.accounts.len()), ("Provisioned", 1), "{:?}", world.applied);
}
