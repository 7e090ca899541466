//! What others change at the target is put right, and counted.

use serde_json::{Value, json};

use super::World;
use super::membership::{object, policy};
use super::{identity, tell};
use crate::model::Name;

fn wiki() -> Value {
    let editor = json!({"name": "editor", "target": {"group": {"name": "Editors", "create": true}}});
    let sync = json!({"concurrency": 1, "interval": "1m"});
    object("TargetApplication", "wiki", &json!({"connector": {"fake": {}}, "sync": sync, "entitlements": [editor]}))
}

/// Ada is an editor, of a group that we made.
fn edited(title: &str) -> World {
    let mut world = World::new();
    let ada = identity("ada", 1, &json!({"department": "Science", "title": title}));
    world.list(&[ada, policy("science", "Science", &["editor"]), wiki()]);
    world.pass(60);
    assert_eq!(world.names_in("Editors"), ["ada"]);
    world.engine.counters(&Name::from("wiki"));
    world
}

fn counted(world: &mut World) -> Vec<(String, u64)> {
    let drift = world.engine.counters(&Name::from("wiki")).unwrap().drift;
    drift.into_iter().map(|(attribute, n)| (attribute.to_string(), n)).collect()
}

#[test]
fn what_was_put_right_is_counted_by_attribute_once_it_is_done_and_an_edit_is_not() {
    let mut world = edited("Analyst");
    let ada = world.id_of("ada");
    world.accounts.get_mut(&ada).unwrap().attributes.insert("title".into(), "Boss".into());
    world.members(&"g-Editors".into()).clear();
    world.forbidden = Some("UpdateAccount");
    world.pass(65);
    assert_eq!(counted(&mut world), [("membership".to_owned(), 1)], "the title is refused");
    world.forbidden = None;
    world.pass(120);
    assert_eq!(counted(&mut world), [("title".to_owned(), 1)]);
    tell(&mut world, &[identity("ada", 2, &json!({"department": "Science", "title": "Reader"}))]);
    world.pass(120);
    assert_eq!(counted(&mut world), []);
    assert_eq!(world.accounts[&ada].text("title"), Some("Reader"));
}
