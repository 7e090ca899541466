//! What others change at the target is put right, and counted.

use serde_json::{Value, json};

use super::World;
use super::membership::{object, policy};
use super::{identity, tell};
use crate::model::{Name, TargetId};

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

fn rename(world: &mut World, group: &str, name: &str) {
    world.mirrors.get_mut(&TargetId::new(group)).unwrap().name = name.into();
}

#[test]
fn a_group_that_we_made_is_named_again_as_declared_and_one_that_was_there_is_not() {
    let mut world = edited("Analyst");
    rename(&mut world, "g-Editors", "Redaktion");
    world.applied.clear();
    world.pass(120);
    assert_eq!(world.mirrors[&TargetId::new("g-Editors")].name, "Editors".into());
    rename(&mut world, "g-Editors", "Redaktion");
    world.pass(120);
    assert_eq!(world.applied, ["UpdateGroup", "UpdateGroup"], "again, after it was seen to be right");

    let mut world = World::new();
    world.mirror("Editors", None);
    world.list(&[
        identity("ada", 1, &json!({"department": "Science"})),
        policy("science", "Science", &["editor"]),
        wiki(),
    ]);
    world.pass(60);
    rename(&mut world, "g-Editors", "Redaktion");
    world.applied.clear();
    world.pass(120);
    assert_eq!(world.applied, Vec::<&str>::new());
    assert_eq!(world.names_in("Editors"), ["ada"], "it is bound by its id");
}

#[test]
fn a_group_of_ours_that_others_renamed_is_known_by_its_mark_where_it_was_taken_for_gone() {
    let mode = |mode: &str, generation: i64| {
        let mut wiki = wiki();
        wiki["spec"]["mode"] = json!(mode);
        wiki["metadata"]["generation"] = json!(generation);
        wiki
    };
    let mut world = edited("Analyst");
    world.counts = false;
    tell(&mut world, &[mode("Plan", 2)]);
    let mut hidden = std::mem::take(&mut world.mirrors);
    world.mirror("Others", None);
    world.pass(300);
    assert!(world.groups.is_empty(), "two listings without a total are believed");
    hidden.get_mut(&TargetId::new("g-Editors")).unwrap().name = "Redaktion".into();
    world.mirrors.append(&mut hidden);
    world.pass(120);
    world.applied.clear();
    tell(&mut world, &[mode("Enforce", 3)]);
    world.pass(300);
    assert_eq!(world.applied, ["UpdateGroup"], "nobody is taken out, and no second one is made");
    assert_eq!(world.mirrors.values().map(|group| &*group.name).collect::<Vec<_>>(), ["Editors", "Others"]);
    assert_eq!(world.names_in("Editors"), ["ada"]);
}

#[test]
fn a_marked_group_that_has_the_name_of_another_entry_is_not_bound_twice() {
    let entry = |name: &str| json!({"name": name, "target": {"group": {"name": name, "create": true}}});
    let sync = json!({"concurrency": 1, "interval": "1m"});
    let entries = [entry("Editors"), entry("Readers")];
    let wiki = json!({"connector": {"fake": {}}, "sync": sync, "entitlements": entries});
    let mut world = World::new();
    world.mirror("Readers", Some("provost:acme/wiki/Editors".into()));
    world.list(&[object("TargetApplication", "wiki", &wiki)]);
    world.pass(120);
    assert_eq!(world.applied, ["CreateGroup"], "of what is declared as Editors");
    assert_eq!(world.groups.len(), 2);
}

#[test]
fn a_group_that_others_give_the_name_of_another_entry_stays_with_its_own() {
    let mut world = edited("Analyst");
    rename(&mut world, "g-Editors", "Readers");
    let mut wiki = wiki();
    let reader = json!({"name": "reader", "target": {"group": {"name": "Readers", "create": true}}});
    wiki["spec"]["entitlements"].as_array_mut().unwrap().push(reader);
    wiki["metadata"]["generation"] = json!(2);
    world.forbidden = Some("UpdateGroup");
    world.pass(60);
    tell(&mut world, &[wiki]);
    world.pass(60);
    world.forbidden = None;
    world.applied.clear();
    world.pass(1200);
    assert_eq!(world.applied, ["UpdateGroup", "CreateGroup"], "nobody is put in or taken out");
    assert_eq!(world.mirrors.values().map(|group| &*group.name).collect::<Vec<_>>(), ["Editors", "Readers"]);
    assert_eq!(world.groups.len(), 2);
}

#[test]
fn a_group_that_passed_to_another_entry_by_its_name_does_not_go_with_the_first() {
    let pushed = |name: &str, generation: i64| {
        let sync = json!({"concurrency": 1, "interval": "1m"});
        let pushed = json!([{"groupRef": {"name": "team"}, "name": name, "prune": true}]);
        let spec = json!({"connector": {"fake": {}}, "sync": sync, "entitlements": [], "pushedGroups": pushed});
        let mut wiki = object("TargetApplication", "wiki", &spec);
        wiki["metadata"]["generation"] = json!(generation);
        wiki
    };
    let mut world = World::new();
    world.list(&[object("Group", "team", &json!({"members": []})), pushed("Team A", 1)]);
    world.pass(120);
    assert_eq!(world.applied, ["CreateGroup"]);
    rename(&mut world, "g-Team A", "Team B");
    world.forbidden = Some("UpdateGroup");
    world.pass(60);
    world.applied.clear();
    tell(&mut world, &[pushed("Team B", 2)]);
    world.pass(300);
    assert_eq!(world.applied, Vec::<&str>::new(), "it is there under its new name, and not deleted");
    assert_eq!(world.groups.len(), 1);
}

#[test]
fn a_group_whose_name_another_group_has_is_named_again_once_that_is_gone() {
    let mut world = edited("Analyst");
    rename(&mut world, "g-Editors", "Redaktion");
    let mut other = world.mirrors[&TargetId::new("g-Editors")].clone();
    (other.id, other.name, other.mark) = ("g-2".into(), "Editors".into(), None);
    world.mirrors.insert(other.id.clone(), other);
    world.applied.clear();
    world.pass(600);
    assert_eq!(world.applied, Vec::<&str>::new());
    world.mirrors.remove(&TargetId::new("g-2"));
    world.pass(120);
    assert_eq!(world.applied, ["UpdateGroup"]);
    assert_eq!(world.mirrors[&TargetId::new("g-Editors")].name, "Editors".into());
}

#[test]
fn a_target_that_makes_another_name_of_it_is_not_told_again_and_again() {
    let mut world = edited("Analyst");
    rename(&mut world, "g-Editors", "EDITORS");
    world.applied.clear();
    for _ in 0..10 {
        world.pass(60);
        rename(&mut world, "g-Editors", "EDITORS");
    }
    assert!(world.applied.len() <= 2, "{:?}", world.applied);
}

#[test]
fn an_account_that_others_deleted_stays_so_where_that_is_respected_and_a_person_is_told() {
    let with = |deleted: &str, generation: i64| {
        let sync = json!({"concurrency": 1, "interval": "1m"});
        let account = json!({"deletedAtTarget": deleted});
        let spec = json!({"connector": {"fake": {}}, "sync": sync, "account": account, "entitlements": []});
        let mut wiki = object("TargetApplication", "wiki", &spec);
        wiki["metadata"]["generation"] = json!(generation);
        wiki
    };
    let mut world = World::new();
    let ada = identity("ada", 1, &json!({"department": "Science"}));
    world.list(&[ada, policy("science", "Science", &[]), with("Respect", 1)]);
    world.pass(60);
    let id = world.id_of("ada");
    world.accounts.remove(&id).unwrap();
    world.writes = 0;
    world.pass(600);
    assert_eq!((world.accounts.len(), world.writes, world.account("ada").as_str()), (0, 0, "Blocked"));
    assert_eq!(world.written("ada").last().unwrap(), "False DeletedAtTarget");
    let says = world.statuses["ada"]["problems"][0]["message"].as_str().unwrap();
    assert!(says.contains("deletedAtTarget is Respect"), "{says}");
    tell(&mut world, &[with("Recreate", 2)]);
    world.pass(60);
    assert_eq!((world.accounts.len(), world.written("ada").last().unwrap().as_str()), (1, "True Provisioned"));
}
