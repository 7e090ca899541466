//! What an Identity says while nothing goes on: what it waits for, and whether a person must act.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};

/// Ada, who has an account.
fn working() -> World {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(60);
    assert_eq!(world.written("ada"), ["True Provisioned"]);
    world.written.clear();
    world
}

fn wiki(spec: &Value) -> Value {
    let mut wiki = declared(&[]).remove(1);
    wiki["metadata"]["generation"] = json!(2);
    wiki["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    wiki
}

/// Ready's message, and which other condition there is.
fn said(world: &World, name: &str) -> (String, String) {
    let conditions = &world.statuses[name]["conditions"];
    (conditions[0]["message"].as_str().unwrap().to_owned(), conditions[1]["type"].as_str().unwrap_or("").to_owned())
}

#[test]
fn who_waits_for_a_target_that_does_not_answer_is_told_so_once_and_nobody_else_is() {
    let mut world = working();
    (world.reachable, world.refuses_connections) = (false, true);
    tell(&mut world, &[identity("cy", 1, &scientist("Analyst"))]);
    world.pass(120);
    assert_eq!(world.written("cy").last().unwrap(), "False TargetUnreachable");
    let (message, other) = said(&world, "cy");
    assert!(message.starts_with("wiki: what is left waits for the target, which does not answer"), "{message}");
    assert_eq!((other.as_str(), &world.statuses["cy"]["problems"][0]["state"]), ("Reconciling", &json!("Pending")));
    assert_eq!(world.written("ada"), Vec::<String>::new(), "nothing is left to do for her");
    assert!(world.notes.iter().all(|note| note.object.name.as_str() == "wiki"), "{:?}", world.notes);
    world.written.clear();
    world.pass(1200);
    assert_eq!(world.written, Vec::<String>::new());
    world.restart(&declared(&["ada", "cy"].map(|name| identity(name, 1, &scientist("Analyst")))));
    world.pass(300);
    assert_eq!(world.written, Vec::<String>::new());
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("cy"), ["True Provisioned"]);
    assert_eq!(world.written("ada"), Vec::<String>::new());
}

#[test]
fn who_waits_for_a_person_to_act_at_an_application_is_stalled_and_told_where() {
    let other = json!({"connector": {"fake": {"directory": "other"}}});
    for (spec, reason) in [(other, "TargetChanged"), (json!({"connector": {}}), "InvalidSpec")] {
        let mut world = working();
        tell(&mut world, &[wiki(&spec)]);
        world.pass(30);
        tell(&mut world, &[identity("cy", 1, &scientist("Analyst"))]);
        world.pass(60);
        assert_eq!(world.written("cy"), [format!("False {reason}")]);
        let (message, other) = said(&world, "cy");
        assert!(message.contains(&format!("act on TargetApplication wiki ({reason})")), "{message}");
        assert_eq!((other.as_str(), world.written("ada")), ("Stalled", Vec::new()), "{reason}");
        tell(&mut world, &[wiki(&json!({}))]);
        world.pass(120);
        assert_eq!(world.written("cy").last().unwrap(), "True Provisioned", "{reason}");
    }
}

#[test]
fn who_starts_later_is_told_when_and_from_when_on_there_are_accounts_whatever_becomes_of_the_target() {
    let later = json!({"department": "Science", "lifecycle": {"startTime": "2030-01-01T00:00:00Z"}});
    let mut world = World::new();
    world.reachable = false;
    let mut all = declared(&[identity("cy", 1, &later)]);
    world.list(&[all[0].clone(), all[2].clone()]);
    world.pass(30);
    assert_eq!(said(&world, "cy").0, "it starts at 2030-01-01T00:00:00Z; no policy gives it an account");
    tell(&mut world, &[all[1].clone()]);
    world.pass(30);
    assert_eq!(said(&world, "cy").0, "it starts at 2030-01-01T00:00:00Z, and has its accounts from then on");
    (all[1]["spec"]["leadTime"], all[1]["metadata"]["generation"]) = (json!("168h"), json!(2));
    tell(&mut world, &[all[1].clone()]);
    world.pass(30);
    let wanted = "it starts at 2030-01-01T00:00:00Z; its accounts are there, disabled, from 2029-12-25T00:00:00Z on";
    assert_eq!(said(&world, "cy").0, wanted);
    assert_eq!(world.statuses["cy"]["accounts"]["summary"], "0/0", "as it is planned");
    assert!(world.written("cy").iter().all(|told| told == "True NothingMatched"), "{:?}", world.written("cy"));
}

#[test]
fn a_rename_onto_a_name_that_is_taken_is_told_as_one_who_is_made_with_it() {
    let mut world = working();
    let stranger = "x-1".into();
    let attributes = [("userName".into(), "countess".into())].into();
    let account = crate::model::Observed { id: stranger, enabled: true, attributes, holds: None };
    world.accounts.insert(account.id.clone(), account);
    let renamed = json!({"userName": "countess", "department": "Science", "title": "Analyst"});
    tell(&mut world, &[identity("ada", 2, &renamed)]);
    world.pass(30);
    assert_eq!(world.written("ada").last().unwrap(), "False UserNameTaken");
    assert_eq!(said(&world, "ada").1, "Stalled");
    world.accounts.remove("x-1");
    world.sleep(24 * 3600);
    assert_eq!(world.written("ada").last().unwrap(), "True Provisioned");
}
