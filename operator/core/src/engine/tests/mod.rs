//! Statuses through the whole engine, against a target and a store that do as they are told.

mod adoption;
mod ahead;
mod approval;
mod budgets;
mod causes;
mod changes;
mod checks;
mod correlation;
mod deleted;
mod doubts;
mod drift;
mod handover;
mod images;
mod kinds;
mod listings;
mod lost;
mod membership;
mod mismatch;
mod orders;
mod orphans;
mod policies;
mod priority;
mod protected;
mod restored;
mod safety;
mod settling;
mod target;
mod tenure;
mod told;
mod waits;
mod world;

use provost_crds as crds;
use serde_json::{Value, json};

use self::world::World;
use super::EngineEvent;
use crate::model::Name;

fn identity(name: &str, generation: i64, spec: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": "acme", "uid": name, "generation": generation});
    json!({"apiVersion": "provost.dev/v1alpha1", "kind": "Identity", "metadata": metadata, "spec": spec})
}

/// A wiki for scientists, that is spoken to by one request at a time.
fn declared(identities: &[Value]) -> Vec<Value> {
    let of = |kind: &str, name: &str, spec: Value| {
        let metadata =
            json!({"name": name, "namespace": "acme", "uid": name, "generation": 1, "finalizers": [crds::FINALIZER]});
        json!({"apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let policy = json!({"match": "identity.department == 'Science'", "grants": [{"application": "wiki"}]});
    let mut all = identities.to_vec();
    all.push(of("AccessPolicy", "science-wiki", policy));
    all.push(of("TargetApplication", "wiki", json!({"connector": {"fake": {}}, "sync": {"concurrency": 1}})));
    all
}

fn scientist(title: &str) -> Value {
    json!({"department": "Science", "title": title})
}

/// Tells the engine of manifests as they are now.
fn tell(world: &mut World, objects: &[Value]) {
    let changes: Vec<_> = objects.iter().map(|object| world.change(object)).collect();
    world.tell(EngineEvent::Changed(changes));
}

#[test]
fn nobody_is_ready_before_the_account_is_there_and_a_restart_writes_nothing() {
    let all = declared(&[identity("ada", 1, &scientist("Analyst")), identity("bob", 1, &json!({}))]);
    let mut world = World::new();
    world.reachable = false;
    world.list(&all);
    world.pass(5);
    assert_eq!(world.written("ada"), ["False TargetUnreachable"], "the target is down");
    assert_eq!(world.written("bob"), ["True NothingMatched"]);
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("ada"), ["False TargetUnreachable", "True Provisioned"]);
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
    assert_eq!(world.accounts.len(), 1);

    world.restart(&all);
    world.pass(30);
    assert_eq!(world.written, Vec::<String>::new());
}

#[test]
fn whether_somebody_is_declared_is_not_known_before_the_first_list_and_while_the_namespace_is_halted() {
    let mut world = World::new();
    let known = |world: &World| ["ada", "zoe"].map(|name| world.engine.declares(&name.into()));
    world.tell(EngineEvent::Resources("crds".into()));
    assert_eq!(known(&world), [None, None]);
    let all = declared(&[identity("ada", 1, &json!({}))]);
    world.list(&all);
    assert_eq!(known(&world), [Some(true), Some(false)]);
    world.tell(EngineEvent::Halted("a CRD is missing".into()));
    assert_eq!(known(&world), [None, None]);
    world.list(&all);
    assert_eq!(known(&world), [Some(true), Some(false)]);
}

#[test]
fn who_is_given_an_account_by_a_policy_is_not_ready_before_it_was_decided() {
    let mut world = World::new();
    world.reachable = false;
    let mut all = declared(&[identity("bob", 1, &json!({}))]);
    world.list(&all);
    world.pass(5);
    assert_eq!(world.written("bob"), ["True NothingMatched"]);
    let mut policy = all.swap_remove(1);
    policy["metadata"]["generation"] = json!(2);
    policy["spec"] = json!({"subjects": [{"kind": "Identity", "name": "bob"}], "grants": [{"application": "wiki"}]});
    tell(&mut world, &[policy]);
    world.pass(5);
    assert_eq!(world.written("bob"), ["True NothingMatched", "False TargetUnreachable"], "the target was not read yet");
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("bob").last().unwrap(), "True Provisioned");
}

#[test]
fn who_cannot_be_read_is_named_by_the_group_and_the_group_by_the_policy() {
    let mut world = World::new();
    let broken = identity("bob", 1, &json!({"userName": "b ob"}));
    let mut all = declared(&[identity("ada", 1, &scientist("Analyst")), broken]);
    let mut group = |name: &str, spec: Value| {
        let mut group = all[2].clone();
        (group["kind"], group["metadata"]["name"], group["spec"]) = (json!("Group"), json!(name), spec);
        all.push(group);
    };
    group("scientists", json!({"match": "identity.department == 'Science'"}));
    group("odd", json!({"members": [{"kind": "Nobody", "name": "x"}]}));
    all[2]["spec"]["subjects"] = json!([{"kind": "Group", "name": "odd"}]);
    world.list(&all);
    world.pass(30);
    for (object, wanted) in [
        (
            "scientists",
            "Identity bob cannot be read, so that it is not known who belongs here; correct its manifest as its own status says \
             (nothing changes for it meanwhile)",
        ),
        (
            "science-wiki",
            "Group odd cannot be read, so that it is not known who is matched; correct its manifest as its own status says",
        ),
    ] {
        let ready = &world.statuses[object]["conditions"][0];
        assert_eq!((&ready["status"], &ready["message"]), (&json!("Unknown"), &json!(wanted)), "{object}");
    }
    tell(&mut world, &[identity("bob", 2, &json!({}))]);
    world.pass(30);
    assert_eq!(world.written("scientists").last().unwrap(), "True Synced");
}

#[test]
fn an_edit_is_not_told_as_done_before_its_account_had_its_turn() {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    assert_eq!(world.written("ada"), ["True Provisioned"]);

    // A new process, which cannot reach the target yet, finds that the manifest was edited meanwhile.
    let edited = identity("ada", 2, &scientist("Reader"));
    world.reachable = false;
    world.restart(&declared(&[edited]));
    world.pass(10);
    assert_eq!(world.written("ada"), ["False TargetUnreachable"]);
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("ada"), ["False TargetUnreachable", "True Provisioned"]);
    assert_eq!(world.statuses["ada"]["observedGeneration"], 2);
}

#[test]
fn somebody_who_joins_later_is_never_ready_without_the_account() {
    let mut world = World::new();
    world.list(&declared(&[]));
    world.pass(30);
    let change = world.change(&identity("ada", 1, &scientist("Analyst")));
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(30);
    assert_eq!(world.written("ada"), ["True Provisioned"], "one write, once it is there");
    assert_eq!(world.accounts.len(), 1);
}

#[test]
fn an_identity_that_has_not_started_and_a_leaver_whose_account_is_retained_are_as_decided_also_after_a_restart() {
    let later = json!({"department": "Science", "lifecycle": {"startTime": "2030-01-01T00:00:00Z"}});
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst")), identity("cy", 1, &later)]));
    world.pass(30);
    assert_eq!(world.written("cy"), ["True NothingMatched"]);
    let ended = json!({"department": "Science", "title": "Analyst", "lifecycle": {"endTime": "2026-01-01T00:00:00Z"}});
    let change = world.change(&identity("ada", 2, &ended));
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(60);
    assert_eq!(world.written("ada").last().unwrap(), "True Provisioned");
    assert_eq!(world.statuses["ada"]["observedGeneration"], 2);
    assert!(world.accounts.values().all(|account| !account.enabled));

    world.restart(&declared(&[identity("ada", 2, &ended), identity("cy", 1, &later)]));
    world.pass(30);
    assert_eq!(world.written, Vec::<String>::new());
    assert!(world.engine.syncs().all(|(name, _)| *name == Name::from("wiki")));
}

#[test]
fn of_many_edits_none_is_told_as_done_before_it_is() {
    let names: Vec<String> = (0..200).map(|number| format!("i-{number}")).collect();
    let all = |generation, title| -> Vec<Value> {
        names.iter().map(|name| identity(name, generation, &scientist(title))).collect()
    };
    let mut world = World::new();
    world.list(&declared(&all(1, "Analyst")));
    world.pass(60);
    assert_eq!(world.accounts.len(), names.len());
    world.written.clear();
    world.titles = "Reader";
    let changes = all(2, "Reader").iter().map(|object| world.change(object)).collect();
    world.tell(EngineEvent::Changed(changes));
    world.pass(60);
    let ready = world.written.iter().filter(|line| line.ends_with("True Provisioned")).count();
    assert_eq!(ready, names.len());
}
