//! Accounts that are not surely theirs who have their user names: adopted when a person says so.

use std::sync::Arc;

use serde_json::json;

use super::{World, declared, identity};
use crate::directory::tests::SCHEMA;
use crate::engine::EngineEvent;
use crate::model::{Name, Observed, Schema, TargetId};

/// Ada, and an account of her user name with another externalId; the hash of the plan that waits.
fn asked(approved: &str) -> (World, Arc<str>) {
    let mut world = World::new();
    account(&mut world, "x-1", "ada");
    world.list(&all(approved));
    world.pass(60);
    let hash = held(&world).unwrap();
    (world, hash)
}

fn all(approved: &str) -> Vec<serde_json::Value> {
    let mut all = declared(&[identity("ada", 1, &json!({"department": "Science", "externalId": "E-1"}))]);
    let spec = &mut all.last_mut().unwrap()["spec"];
    spec["safety"] = json!({"approvedPlan": approved});
    spec["sync"] = json!({"concurrency": 1, "interval": "1m"});
    all
}

fn account(world: &mut World, id: &str, user_name: &str) {
    let id = TargetId::new(id);
    let attributes = [("userName".into(), user_name.into()), ("externalId".into(), "E-9".into())].into();
    world.accounts.insert(id.clone(), Observed { id, enabled: true, attributes, holds: None });
}

fn held(world: &World) -> Option<Arc<str>> {
    world.engine.sync(&Name::from("wiki")).unwrap().held().first().map(|plan| Arc::clone(&plan.hash))
}

fn approve(world: &mut World, hash: &str) {
    let change = world.change(all(hash).last().unwrap());
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(120);
}

#[test]
fn an_adoption_that_needs_approval_is_a_held_plan_told_of_the_identity_and_carried_out_once_approved() {
    let (mut world, hash) = asked("");
    assert_eq!((world.account("ada").as_str(), world.writes), ("Blocked", 0));
    let problem = &world.statuses["ada"]["problems"][0];
    assert_eq!(problem["reason"], "AdoptionNeedsApproval");
    assert!(problem["message"].as_str().unwrap().contains(&*hash), "{problem}");
    let wiki = &world.statuses["wiki"];
    assert_eq!(
        (&wiki["heldPlans"][0]["reason"], &wiki["heldPlans"][0]["changes"]),
        (&json!("AdoptionNeedsApproval"), &json!(1))
    );
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced", "it is one account's trouble");

    approve(&mut world, &hash);
    assert_eq!((world.account("ada").as_str(), held(&world)), ("Provisioned", None));
    let owned: Vec<_> = world.records.values().filter_map(|record| record.target_id.clone()).collect();
    assert_eq!(owned, [TargetId::new("x-1")]);
    assert!(world.standing.releases.is_empty());
}

#[test]
fn an_approval_is_good_for_the_account_that_was_shown_and_for_no_other_that_takes_its_user_name() {
    let (mut world, hash) = asked("");
    world.accounts.get_mut(&TargetId::new("x-1")).unwrap().attributes.insert("userName".into(), "augusta".into());
    account(&mut world, "x-2", "ada");
    world.pass(120);
    let other = held(&world).unwrap();
    assert_ne!(other, hash);
    approve(&mut world, &hash);
    assert_eq!((world.account("ada").as_str(), world.records.len()), ("Blocked", 0));
    approve(&mut world, &other);
    assert_eq!(world.account("ada"), "Provisioned");
}

#[test]
fn what_need_not_be_asked_any_more_is_not_held_any_more() {
    let (mut world, _) = asked("");
    let own = ("externalId".into(), "E-1".into());
    world.accounts.get_mut(&TargetId::new("x-1")).unwrap().attributes.extend([own]);
    world.pass(120);
    assert_eq!((world.account("ada").as_str(), held(&world)), ("Provisioned", None));
}

#[test]
fn an_account_that_surely_is_somebodys_who_is_suspended_is_disabled_and_given_back_when_they_return() {
    let spec =
        |suspended: bool| json!({"department": "Science", "externalId": "E-9", "lifecycle": {"suspended": suspended}});
    let mut world = World::new();
    account(&mut world, "x-1", "ada");
    world.list(&declared(&[identity("ada", 1, &spec(true))]));
    world.pass(60);
    let enabled = |world: &World| world.accounts[&TargetId::new("x-1")].enabled;
    assert_eq!((enabled(&world), world.accounts.len(), world.records.len()), (false, 1, 1));
    let back = world.change(&identity("ada", 2, &spec(false)));
    world.tell(EngineEvent::Changed(vec![back]));
    world.pass(60);
    assert_eq!((enabled(&world), world.account("ada").as_str()), (true, "Provisioned"));

    // Who is suspended and has none gets none.
    let mut world = World::new();
    account(&mut world, "x-1", "bob");
    world.list(&declared(&[identity("cy", 1, &json!({"department": "Science", "lifecycle": {"suspended": true}}))]));
    world.pass(60);
    assert_eq!((enabled(&world), world.accounts.len(), world.writes), (true, 1, 0));
}

#[test]
fn an_account_that_carries_somebody_elses_mark_keeps_it_from_the_first_turn_on() {
    static MARKED: Schema = Schema { mark: Some("externalId"), ..SCHEMA };
    let with = |mode: &str| {
        let mut world = World::with(|_| &MARKED);
        account(&mut world, "x-1", "ada");
        let mut all = declared(&[identity("ada", 1, &json!({"department": "Science", "title": "Analyst"}))]);
        all.last_mut().unwrap()["spec"]["mode"] = json!(mode);
        world.list(&all);
        world.pass(60);
        world
    };
    let world = with("Plan");
    let steps = &world.engine.sync(&Name::from("wiki")).unwrap().planned()[&Name::from("ada")];
    let written: Vec<_> =
        steps.iter().flat_map(|step| &step.attributes).map(crate::model::AttributeName::as_str).collect();
    assert!(
        steps[0].step == "AdoptAccount" && written.contains(&"title") && !written.contains(&"externalId"),
        "{steps:?}"
    );
    let world = with("Enforce");
    assert_eq!(world.accounts[&TargetId::new("x-1")].text("externalId"), Some("E-9"));
    assert_eq!(world.applied, ["UpdateAccount"]);
}

#[test]
fn until_a_person_is_asked_about_an_account_it_is_told_what_that_waits_for() {
    let mut world = World::new();
    account(&mut world, "x-1", "ada");
    world.list(&all(""));
    world.pass(5);
    for (name, wanted) in [("ada", "a person is asked whether it is"), ("wiki", "adoptions that need approval wait")] {
        let ready = &world.statuses[name]["conditions"][0];
        assert_eq!(ready["reason"], "Settling");
        assert!(ready["message"].as_str().unwrap().contains(wanted), "{ready}");
    }
    world.pass(30);
    assert_eq!(world.statuses["ada"]["conditions"][0]["reason"], "AdoptionNeedsApproval");
}
