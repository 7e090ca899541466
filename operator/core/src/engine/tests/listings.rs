//! What a listing does not show.

use serde_json::{Value, json};

use super::membership::{object, policy};
use super::{World, identity};
use crate::model::TargetId;

fn wiki(entitlements: &Value) -> Value {
    let sync = json!({"concurrency": 1, "interval": "1m"});
    object("TargetApplication", "wiki", &json!({"connector": {"fake": {}}, "sync": sync, "entitlements": entitlements}))
}

#[test]
fn a_target_that_says_for_a_while_that_it_has_no_groups_keeps_and_loses_what_is_ours_as_ever() {
    let editor = json!([{"name": "editor", "target": {"group": {"name": "Editors", "create": true}}}]);
    let mut world = World::new();
    let ada = identity("ada", 1, &json!({"department": "Science"}));
    world.list(&[ada, policy("science", "Science", &["editor"]), wiki(&editor)]);
    world.pass(60);
    assert_eq!(world.names_in("Editors"), ["ada"]);
    world.applied.clear();
    // What answers in its place during a maintenance knows no such thing.
    world.unable = Some("ListGroups");
    world.pass(300);
    assert_eq!(world.applied, Vec::<&str>::new(), "nothing is made or given again");
    assert_eq!(world.written("wiki").last().unwrap(), "False IncompleteObservation");
    // A restart does not make it forget.
    world.restart(&[
        identity("ada", 1, &json!({"department": "Science"})),
        policy("science", "Science", &[]),
        wiki(&editor),
    ]);
    world.pass(300);
    world.unable = None;
    world.pass(120);
    assert_eq!(world.applied, ["RemoveMembers"]);
    assert!(world.names_in("Editors").is_empty());
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

#[test]
fn a_target_that_never_had_groups_is_observed_all_the_same() {
    let mut world = World::new();
    world.unable = Some("ListGroups");
    let ada = identity("ada", 1, &json!({"department": "Science"}));
    world.list(&[ada, policy("science", "Science", &[]), wiki(&json!([]))]);
    world.pass(60);
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

/// So many scientists at a target that claims no total.
fn uncounted(size: usize) -> World {
    let mut world = World::new();
    world.counts = false;
    let mut all: Vec<Value> =
        (0..size).map(|n| identity(&format!("i-{n}"), 1, &json!({"department": "Science"}))).collect();
    all.extend([policy("science", "Science", &[]), wiki(&json!([]))]);
    world.list(&all);
    world.pass(60);
    assert_eq!(world.accounts.len(), size);
    world.applied.clear();
    world
}

#[test]
fn where_no_total_is_claimed_a_deletion_is_noticed_also_of_one_of_few() {
    for size in [2, 5, 9, 10, 30] {
        let mut world = uncounted(size);
        world.accounts.remove(&TargetId::new(format!("t-{}", size - 1))).unwrap();
        world.pass(200);
        assert_eq!(world.applied, ["CreateAccount"], "of {size}");
        assert_eq!(world.written("wiki").last().unwrap(), "True Synced", "of {size}");
        // One that is only left out is there, and stays as it is.
        world.applied.clear();
        world.unlisted = world.accounts.keys().next().cloned();
        world.pass(200);
        assert_eq!(world.applied, Vec::<&str>::new(), "of {size}");
    }
}

#[test]
fn where_no_total_is_claimed_a_listing_without_most_of_ours_tells_nothing() {
    for size in [1, 3, 30] {
        let mut world = uncounted(size);
        world.read = 0;
        let gone = size.div_ceil(2) + usize::from(size > 1);
        for n in 0..gone {
            let id = world.id_of(&format!("i-{n}"));
            world.accounts.remove(&id);
        }
        world.pass(300);
        assert_eq!((world.read, world.applied.as_slice()), (0, &[][..]), "{gone} of {size}");
        assert_eq!(world.written("wiki").last().unwrap(), "False IncompleteObservation");
    }
}
