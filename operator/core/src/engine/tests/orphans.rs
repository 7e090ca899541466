//! Accounts that carry our mark and have no owner.

use serde_json::json;

use super::{World, declared, identity, scientist};
use crate::directory::tests::SCHEMA;
use crate::engine::EngineEvent;
use crate::model::{Name, Observed, Schema, TargetId};

static MARKING: Schema = Schema { mark: Some("externalId"), ..SCHEMA };

fn account(world: &mut World, id: &str, mark: &str) {
    let attributes = [("userName".into(), id.into()), ("externalId".into(), mark.into())].into();
    let id = TargetId::new(id);
    world.accounts.insert(id.clone(), Observed { id, enabled: true, attributes, holds: None });
}

/// Ada, so many accounts that were made for people who are nobody's now, and others that were not.
fn orphaned(settings: &serde_json::Value, orphans: usize) -> World {
    let mut world = World::with(|_| &MARKING);
    account(&mut world, "stranger", "E-77");
    account(&mut world, "elsewhere", "provost:other/bob");
    for n in 0..orphans {
        account(&mut world, &format!("o-{n}"), &format!("provost:acme/gone-{n}"));
    }
    world.list(&all(settings));
    world
}

fn all(settings: &serde_json::Value) -> Vec<serde_json::Value> {
    let mut all = declared(&[identity("ada", 1, &scientist("Analyst"))]);
    let spec = all.last_mut().unwrap()["spec"].as_object_mut().unwrap();
    spec.insert("sync".into(), json!({"concurrency": 1, "interval": "1m"}));
    spec.insert("deprovision".into(), json!({"ended": {"action": "Disable", "deleteAfter": "1h"}}));
    spec.extend(settings.as_object().unwrap().clone());
    all
}

fn disabled(world: &World) -> Vec<String> {
    world.accounts.values().filter(|account| !account.enabled).map(|account| account.id.to_string()).collect()
}

#[test]
fn orphaned_accounts_are_disabled_only_where_that_is_declared_and_never_deleted() {
    let mut world = orphaned(&json!({"orphanedAccounts": "Report"}), 2);
    world.pass(200);
    assert_eq!(disabled(&world), Vec::<String>::new());
    assert_eq!(world.statuses["wiki"]["accounts"]["orphaned"], 3);

    let mut world = orphaned(&json!({"orphanedAccounts": "Disable"}), 2);
    world.pass(200);
    assert_eq!(disabled(&world), ["o-0", "o-1"], "neither ada's nor those that do not carry this namespace's mark");
    world.second += 3600 * 24 * 400;
    world.pass(200);
    assert_eq!(world.accounts.len(), 5, "a deletion date is for accounts that had an owner");
    assert_eq!(world.records.len(), 1, "and nobody owns them now");
    assert!(world.intents.is_empty() && world.standing.releases.is_empty());
}

#[test]
fn orphans_are_counted_against_the_budget_and_a_person_may_let_them_through() {
    let mut world = orphaned(&json!({"orphanedAccounts": "Disable"}), 9);
    world.pass(200);
    assert_eq!(disabled(&world), Vec::<String>::new());
    let sync = world.engine.sync(&Name::from("wiki")).unwrap();
    let (hash, steps) = sync.held().first().map(|plan| (plan.hash.clone(), plan.steps.len())).unwrap();
    assert_eq!(steps, 9);
    let approving = all(&json!({"orphanedAccounts": "Disable", "safety": {"approvedPlan": *hash}}));
    let change = world.change(approving.last().unwrap());
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(200);
    assert_eq!(disabled(&world).len(), 9);
}

#[test]
fn an_orphan_is_not_touched_without_a_complete_observation_and_a_read_by_its_id() {
    for (what, miscounts, reads) in [("the listing does not add up", true, true), ("it cannot be read", false, false)] {
        let mut world = orphaned(&json!({"orphanedAccounts": "Report"}), 2);
        world.pass(5);
        (world.miscounts, world.reads) = (miscounts, reads);
        if miscounts {
            world.restart(&all(&json!({"orphanedAccounts": "Disable"})));
        } else {
            let change = world.change(all(&json!({"orphanedAccounts": "Disable"})).last().unwrap());
            world.tell(EngineEvent::Changed(vec![change]));
        }
        world.pass(300);
        assert_eq!(disabled(&world), Vec::<String>::new(), "{what}");
        (world.miscounts, world.reads) = (false, true);
        world.pass(300);
        assert_eq!(disabled(&world).len(), 2, "{what} no longer");
    }
}

#[test]
fn an_orphan_that_waits_for_the_rest_of_the_same_change_is_told_on_the_application_until_it_is_disabled() {
    let sync = json!({"concurrency": 1, "interval": "1m", "settle": {"removals": "2m"}});
    let mut world = orphaned(&json!({"orphanedAccounts": "Report", "sync": sync}), 2);
    world.pass(60);
    world.written.clear();
    let change = world.change(all(&json!({"orphanedAccounts": "Disable", "sync": sync})).last().unwrap());
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(90);
    assert_eq!(disabled(&world), Vec::<String>::new());
    assert_eq!(world.written("wiki").last().unwrap(), "False Settling");
    world.pass(200);
    assert_eq!(disabled(&world), ["o-0", "o-1"]);
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

#[test]
fn an_orphan_that_cannot_be_read_does_not_keep_the_application_from_being_ready() {
    let mut world = orphaned(&json!({"orphanedAccounts": "Disable"}), 2);
    world.reads = false;
    world.pass(300);
    assert_eq!(disabled(&world), Vec::<String>::new());
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

#[test]
fn who_returns_before_the_account_was_disabled_has_it_again() {
    let mut world = orphaned(&json!({"orphanedAccounts": "Disable"}), 1);
    world.reads = false;
    world.pass(30);
    let change = world.change(&identity("gone-0", 1, &scientist("Analyst")));
    world.tell(EngineEvent::Changed(vec![change]));
    world.reads = true;
    world.pass(200);
    assert_eq!((disabled(&world), world.account("gone-0")), (vec![], "Provisioned".to_owned()));
}
