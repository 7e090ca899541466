//! What a person approves, and for how long.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::EngineEvent;
use crate::model::{Change, Name, ObjectKind, ObjectRef};

fn approving(hash: &str) -> Vec<Value> {
    let people: Vec<Value> = (0..30).map(|n| identity(&format!("i-{n}"), 1, &scientist("Analyst"))).collect();
    let mut all = declared(&people);
    all.last_mut().unwrap()["spec"]["safety"] = json!({"approvedPlan": hash});
    all
}

/// Thirty accounts, an approval that was set so many hours before the policy of all of them goes.
fn held(hash: &str, hours: i64) -> (World, Option<Arc<str>>) {
    let mut world = World::new();
    world.list(&approving(hash));
    world.pass(60);
    world.second += hours * 3600;
    let policy = ObjectRef { kind: ObjectKind::AccessPolicy, name: "science-wiki".into() };
    world.tell(EngineEvent::Changed(vec![Change::Gone(policy)]));
    world.pass(60);
    let held = world.engine.sync(&Name::from("wiki")).unwrap().held().first().map(|plan| Arc::clone(&plan.hash));
    (world, held)
}

#[test]
fn an_approval_is_good_for_a_day() {
    let (world, hash) = held("", 0);
    assert!(world.accounts.values().all(|account| account.enabled));
    let hash = hash.unwrap();
    let (world, left) = held(&hash, 23);
    assert!(
        left.is_none() && world.accounts.values().all(|account| !account.enabled),
        "it was approved before it came"
    );
    let (world, left) = held(&hash, 25);
    assert_eq!(left, Some(hash));
    assert!(world.accounts.values().all(|account| account.enabled), "too long before");
}

#[test]
fn an_approval_that_ran_out_is_given_again_by_clearing_it_and_setting_it_anew() {
    let hash = held("", 0).1.unwrap();
    let (mut world, left) = held(&hash, 25);
    assert_eq!(left.as_ref(), Some(&hash));
    for approved in ["", &*hash] {
        assert!(world.accounts.values().all(|account| account.enabled));
        tell(&mut world, &approving(approved)[31..]);
        world.pass(60);
    }
    assert!(world.accounts.values().all(|account| !account.enabled));
}

#[test]
fn an_approval_that_was_set_while_nothing_may_be_written_is_no_older_when_something_may() {
    let wiki = |mode: &str, hash: &str| {
        let mut wiki = approving(hash).pop().unwrap();
        wiki["spec"]["mode"] = json!(mode);
        [wiki]
    };
    for (hours, left) in [(23, 0), (25, 30)] {
        let (mut world, hash) = held("", 0);
        let hash = hash.unwrap();
        tell(&mut world, &wiki("Paused", &hash));
        world.pass(60);
        world.second += hours * 3600;
        tell(&mut world, &wiki("Enforce", &hash));
        world.pass(60);
        let enabled = world.accounts.values().filter(|account| account.enabled).count();
        assert_eq!(enabled, left, "{hours} hours after it was set");
    }
}
