//! Whose memberships are whose: authoritative entitlements and pushed groups.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::{Effect, EngineEffect, EngineEvent};
use crate::model::{ObjectKind, ObjectRef, Observed, ObservedEntitlement, Step, TargetId};

pub(super) fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let finalizers = [provost_crds::FINALIZER];
    let metadata = json!({"name": name, "namespace": "acme", "uid": name, "generation": 1, "finalizers": finalizers});
    json!({"apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

pub(super) fn wiki(membership: &str, privileged: bool, pushed: &Value) -> Value {
    let risk = if privileged { "Privileged" } else { "Normal" };
    let target = json!({"group": {"name": "editors"}});
    let editor = json!({"name": "editor", "target": target, "membership": membership, "risk": risk});
    let sync = json!({"concurrency": 1, "interval": "1m"});
    object(
        "TargetApplication",
        "wiki",
        &json!({"connector": {"fake": {}}, "sync": sync, "entitlements": [editor], "pushedGroups": pushed}),
    )
}

pub(super) fn policy(name: &str, department: &str, entitlements: &[&str]) -> Value {
    let rule = format!("identity.department == '{department}'");
    let mut grant = json!({"application": "wiki"});
    if !entitlements.is_empty() {
        grant["entitlements"] = json!(entitlements);
    }
    object("AccessPolicy", name, &json!({"match": rule, "grants": [grant]}))
}

fn people() -> Vec<Value> {
    let of = |name: &str, department: &str| identity(name, 1, &json!({"department": department}));
    vec![
        of("ada", "Science"),
        of("bob", "Sales"),
        of("cy", "Sales"),
        policy("science", "Science", &["editor"]),
        policy("sales", "Sales", &[]),
    ]
}

/// Ada is to be an editor; bob has an account and is not. Both are, by others' doing, and so is a stranger.
fn tampered(application: Value) -> World {
    let mut world = World::new();
    world.mirror("editors", None);
    let mut all = people();
    all.push(application);
    world.list(&all);
    world.pass(30);
    assert_eq!(world.names_in("editors"), ["ada"]);
    let stranger = TargetId::new("s-1");
    let attributes = [("userName".into(), "stranger".into())].into();
    let observed = Observed { id: stranger.clone(), enabled: true, attributes, holds: None };
    world.accounts.insert(stranger.clone(), observed);
    let bob = world.id_of("bob");
    world.members(&"g-editors".into()).extend([bob, stranger]);
    world
}

#[test]
fn an_authoritative_membership_takes_out_whom_others_put_in_also_who_is_nobodys() {
    let mut world = tampered(wiki("Authoritative", false, &json!([])));
    world.read = 0;
    world.pass(300);
    assert_eq!(world.names_in("editors"), ["ada"]);
    assert_eq!(world.statuses["wiki"]["entitlements"]["excess"], 0);
    let stranger = &world.accounts[&TargetId::new("s-1")];
    assert!(stranger.enabled, "nothing else is done to it");
    assert_eq!(world.intents.len(), 0);

    let mut world = tampered(wiki("Additive", false, &json!([])));
    world.pass(300);
    assert_eq!(world.names_in("editors"), ["ada", "bob", "stranger"]);
}

#[test]
fn who_was_somebodys_leaves_an_authoritative_group_once_that_one_has_ended() {
    let mut world = tampered(wiki("Authoritative", false, &json!([])));
    let id = TargetId::new("s-1");
    world.accounts.get_mut(&id).unwrap().attributes.insert("userName".into(), "dee".into());
    let ends = json!({"department": "Law", "lifecycle": {"endTime": "2027-01-15T08:10:00Z"}});
    tell(&mut world, &[identity("dee", 1, &ends)]);
    world.pass(500);
    assert!(world.members(&"g-editors".into()).contains(&id), "it may be dee's");
    world.pass(200);
    assert!(!world.members(&"g-editors".into()).contains(&id), "by time alone it is nobody's");
}

#[test]
fn who_may_be_somebodys_or_is_protected_or_was_not_seen_stays_in_an_authoritative_group_and_is_counted() {
    let dee = |spec: &Value| identity("dee", 1, spec);
    let protects = |mut wiki: Value| {
        wiki["spec"]["safety"] = json!({"protected": [{"attribute": "userName", "values": ["stranger"]}]});
        wiki
    };
    let declared = wiki("Authoritative", false, &json!([]));
    let plans = |mut wiki: Value| {
        wiki["spec"]["mode"] = json!("Plan");
        wiki
    };
    for (why, user_name, changes) in [
        ("its user name is that of somebody who has no account", "dee", vec![dee(&json!({"department": "Law"}))]),
        ("the keys of somebody cannot be told", "stranger", vec![dee(&json!({"userName": "d e e"}))]),
        ("it is protected", "stranger", vec![protects(declared.clone())]),
        ("nothing is written", "stranger", vec![plans(declared.clone())]),
    ] {
        let mut world = tampered(declared.clone());
        let id = TargetId::new("s-1");
        world.accounts.get_mut(&id).unwrap().attributes.insert("userName".into(), user_name.into());
        tell(&mut world, &changes);
        world.pass(300);
        assert!(world.members(&"g-editors".into()).contains(&id), "{why}");
        let left = world.statuses["wiki"]["entitlements"]["excess"].as_u64().unwrap();
        assert_eq!(left, 1 + u64::from(why == "nothing is written"), "{why}");
    }

    let mut world = tampered(declared);
    world.accounts.remove(&TargetId::new("s-1"));
    world.pass(300);
    assert_eq!(world.members(&"g-editors".into()).len(), 2, "no account of that id was seen");
    assert_eq!(world.statuses["wiki"]["entitlements"]["excess"], 1);
}

#[test]
fn members_who_are_nobodys_are_taken_out_within_the_budget_and_each_is_read_before() {
    let mut world = tampered(wiki("Authoritative", false, &json!([])));
    for n in 0..20 {
        let id = TargetId::new(format!("x-{n}"));
        let attributes = [("userName".into(), format!("x-{n}").as_str().into())].into();
        world.accounts.insert(id.clone(), Observed { id: id.clone(), enabled: true, attributes, holds: None });
        world.members(&"g-editors".into()).push(id);
    }
    world.pass(200);
    assert_eq!(world.names_in("editors").len(), 23, "the wave is more than the budget lets through");
    let held = world.engine.sync(&"wiki".into()).unwrap().held().to_vec();
    assert_eq!(held.iter().map(|plan| plan.steps.len()).collect::<Vec<_>>(), [22]);
    assert!(
        held[0].why.ends_with("; by accounts that are nobody's; 1 Identity to whom no AccessPolicy gives it"),
        "{}",
        held[0].why
    );
    // Whom somebody is declared for meanwhile drops out of it.
    tell(&mut world, &[identity("x-7", 1, &json!({"department": "Law"}))]);
    let mut approved = wiki("Authoritative", false, &json!([]));
    approved["spec"]["safety"] = json!({"approvedPlan": &*held[0].hash});
    world.read = 0;
    tell(&mut world, &[approved]);
    world.pass(200);
    assert_eq!(world.names_in("editors"), ["ada", "x-7"]);
    assert_eq!(world.read, 20, "bob has a record and is seen");
}

#[test]
fn a_membership_that_is_taken_away_right_after_it_was_given_is_given_again_by_the_next_sync() {
    let mut world = World::new();
    world.mirror("editors", None);
    let mut all = people();
    all.push(wiki("Additive", false, &json!([])));
    world.list(&all);
    world.pass(55);
    tell(&mut world, &[identity("bob", 2, &json!({"department": "Science"}))]);
    world.pass(1);
    assert_eq!(world.names_in("editors"), ["ada", "bob"]);
    world.members(&"g-editors".into()).clear();
    let before = world.listings;
    world.pass(20);
    assert_eq!(world.listings, before + 1);
    assert_eq!(world.names_in("editors").len(), 2);
}

#[test]
fn nobody_is_taken_out_while_a_policy_cannot_be_read_that_might_declare_them() {
    let mut world = World::new();
    world.mirror("editors", None);
    let mut all = people();
    all.push(object("AccessPolicy", "broken", &json!({"match": "identity.department ==", "grants": []})));
    all.push(wiki("Authoritative", false, &json!([])));
    world.list(&all);
    world.pass(30);
    let bob = world.id_of("bob");
    world.members(&"g-editors".into()).push(bob);
    world.pass(300);
    assert_eq!(world.names_in("editors"), ["ada", "bob"]);
    let broken = ObjectRef { kind: ObjectKind::AccessPolicy, name: "broken".into() };
    world.tell(EngineEvent::Changed(vec![crate::model::Change::Gone(broken)]));
    world.pass(300);
    assert_eq!(world.names_in("editors"), ["ada"]);
}

#[test]
fn the_last_member_of_a_privileged_entitlement_is_not_taken_out() {
    let mut world = World::new();
    world.mirror("editors", None);
    let mut all = vec![identity("bob", 1, &json!({"department": "Sales"})), policy("sales", "Sales", &[])];
    all.push(wiki("Authoritative", true, &json!([])));
    world.list(&all);
    world.pass(30);
    let bob = world.id_of("bob");
    world.members(&"g-editors".into()).push(bob);
    world.pass(300);
    assert_eq!(world.names_in("editors"), ["bob"]);
    let changes = [identity("ada", 1, &json!({"department": "Science"})), policy("science", "Science", &["editor"])];
    let changes = changes.iter().map(|object| world.change(object)).collect();
    world.tell(EngineEvent::Changed(changes));
    world.pass(300);
    assert_eq!(world.names_in("editors"), ["ada"], "somebody else is in it now");
}

#[test]
fn a_pushed_group_holds_its_members_who_have_an_account_and_goes_with_its_declaration() {
    let members = |names: &[&str]| {
        let members: Vec<Value> = names.iter().map(|name| json!({"kind": "Identity", "name": name})).collect();
        object("Group", "team", &json!({"members": members}))
    };
    let pushed = |prune: bool| json!([{"groupRef": {"name": "team"}, "name": "Team", "prune": prune}]);
    let mut all = people();
    // Dee is in the group and has no account.
    all.push(identity("dee", 1, &json!({"department": "Law"})));
    all.push(members(&["ada", "bob", "dee"]));
    all.push(wiki("Additive", false, &pushed(true)));
    let mut world = World::new();
    world.mirror("editors", None);
    world.list(&all);
    world.pass(200);
    assert_eq!(world.names_in("Team"), ["ada", "bob"]);
    assert_eq!(world.accounts.len(), 3, "a pushed group gives nobody an account");

    let change = world.change(&members(&["bob", "cy"]));
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(60);
    assert_eq!(world.names_in("Team"), ["bob", "cy"]);

    // Whom others put in is taken out: pushed groups are authoritative where the manifest says nothing.
    let ada = world.id_of("ada");
    world.members(&"g-Team".into()).push(ada);
    world.pass(200);
    assert_eq!(world.names_in("Team"), ["bob", "cy"]);

    // A Group that is gone is no empty Group.
    let team = ObjectRef { kind: ObjectKind::Group, name: "team".into() };
    world.tell(EngineEvent::Changed(vec![crate::model::Change::Gone(team)]));
    world.pass(200);
    assert_eq!(world.names_in("Team"), ["bob", "cy"]);

    let change = world.change(&wiki("Additive", false, &json!([])));
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(300);
    assert!(!world.mirrors.contains_key(&TargetId::new("g-Team")), "{:?}", world.mirrors);
    assert_eq!(world.groups.len(), 1, "and it is out of the ledger");
}

#[test]
fn a_pushed_group_that_is_declared_again_while_it_is_deleted_is_made_anew_before_anybody_is_put_into_it() {
    let pushed = json!([{"groupRef": {"name": "team"}, "name": "Team", "prune": true}]);
    let mut all = people();
    all.push(object("Group", "team", &json!({"members": [{"kind": "Identity", "name": "ada"}]})));
    all.push(wiki("Additive", false, &pushed));
    let mut world = World::new();
    world.mirror("editors", None);
    world.list(&all);
    world.pass(200);
    assert_eq!(world.names_in("Team"), ["ada"]);
    let deletes = |effect: &EngineEffect| {
        let EngineEffect::Do { effect: Effect::Apply(steps), .. } = effect else { return false };
        steps.iter().any(|step| matches!(step, Step::DeleteGroup { .. }))
    };
    let change = world.change(&wiki("Additive", false, &json!([])));
    let mut effects = world.handle(EngineEvent::Changed(vec![change]));
    let mut deletion = None;
    while deletion.is_none() && world.second < 3600 {
        while let Some(effect) = effects.pop() {
            if deletes(&effect) {
                deletion = Some(effect);
            } else {
                effects.extend(world.answered(effect));
            }
        }
        world.second += 1;
        effects = world.handle(EngineEvent::Tick);
    }
    let change = world.change(&wiki("Additive", false, &pushed));
    effects.extend(world.handle(EngineEvent::Changed(vec![change])));
    effects.extend(world.answered(deletion.unwrap()));
    while let Some(effect) = effects.pop() {
        effects.extend(world.answered(effect));
    }
    world.pass(200);
    assert_eq!(world.names_in("Team"), ["ada"]);
    let failed = world.engine.counters(&"wiki".into()).unwrap().failed;
    assert!(failed.is_empty(), "nobody was put into the one that was deleted: {failed:?}");
}

#[test]
fn a_pushed_group_stays_where_it_is_not_to_be_pruned() {
    let team = object("Group", "team", &json!({"members": [{"kind": "Identity", "name": "ada"}]}));
    let mut all = people();
    all.push(team);
    all.push(wiki("Additive", false, &json!([{"groupRef": {"name": "team"}, "name": "Team"}])));
    let mut world = World::new();
    world.mirror("editors", None);
    world.list(&all);
    world.pass(200);
    assert_eq!(world.names_in("Team"), ["ada"]);
    let change = world.change(&wiki("Additive", false, &json!([])));
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(300);
    assert_eq!(world.names_in("Team"), Vec::<&str>::new(), "what is ours is taken");
}

#[test]
fn who_was_given_the_group_of_an_entry_leaves_it_when_the_entry_names_another_one() {
    let mut world = World::new();
    world.mirror("editors", None);
    world.mirror("authors", None);
    let mut all = people();
    all.push(wiki("Additive", true, &json!([])));
    world.list(&all);
    world.pass(400);
    assert_eq!(world.names_in("editors"), ["ada"]);
    let mut edited = wiki("Additive", true, &json!([]));
    edited["metadata"]["generation"] = 2.into();
    edited["spec"]["entitlements"][0]["target"]["group"]["name"] = "authors".into();
    tell(&mut world, &[edited]);
    world.pass(400);
    assert_eq!((world.names_in("editors"), world.names_in("authors")), (vec![], vec!["ada"]));
}

#[test]
fn what_was_given_in_a_group_that_others_deleted_is_counted_no_longer_once_there_is_another_one() {
    let mut world = World::new();
    world.mirror("editors", None);
    let mut all = people();
    all.push(wiki("Additive", false, &json!([])));
    world.list(&all);
    world.pass(60);
    let (_, first) = world.mirrors.pop_first().unwrap();
    let second = TargetId::new("made-by-others");
    let group = crate::model::ObservedEntitlement { id: second.clone(), members: Some(Vec::new()), ..first };
    world.mirrors.insert(second.clone(), group);
    world.pass(400);
    assert_eq!(world.mirrors[&second].members, Some(vec![world.id_of("ada")]));
    let hers = world.records.values().find(|record| &*record.user_name == "ada").unwrap();
    assert_eq!(hers.grants.keys().collect::<Vec<_>>(), [&second]);
}

#[test]
fn what_the_target_does_not_have_is_named_to_whom_it_was_granted_and_for_the_application() {
    let mut all = declared(&[identity("ada", 1, &scientist("Analyst"))]);
    all[1]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    let target = json!({"group": {"name": "Editors"}});
    all[2]["spec"]["entitlements"] =
        json!([{"name": "editor", "target": target}, {"name": "x", "target": {"group": {"name": "X"}}}]);
    all[2]["spec"]["sync"] = json!({"interval": "1m"});
    let mut world = World::new();
    world.list(&all);
    world.pass(30);
    let ready = |world: &World, name: &str| {
        let ready = &world.statuses[name]["conditions"][0];
        format!("{} {}", ready["reason"].as_str().unwrap(), ready["message"].as_str().unwrap())
    };
    let absent = "the target does not show what these entitlements name, or several of one name: ";
    let remedy = "make it there, or correct spec.entitlements";
    let progressing = "Progressing what is decided is being carried out; warning: ";
    assert_eq!(ready(&world, "wiki"), format!("{progressing}{absent}editor (Editors), x (X); {remedy}"));
    let told = ready(&world, "ada");
    let expected =
        "the entitlement editor is granted, and the target shows no group Editors, or several: make it there";
    assert!(told.starts_with("ReferenceNotFound ") && told.contains(expected), "{told}");

    world.mirror("Editors", None);
    world.pass(200);
    assert_eq!(ready(&world, "wiki"), format!("Synced every account is as decided; warning: {absent}x (X); {remedy}"));

    // Of several groups of one name none is taken, and none is made besides.
    all[2]["spec"]["entitlements"][1]["target"]["group"]["create"] = true.into();
    let (_, one) = world.mirrors.first_key_value().unwrap();
    let of = |id: &str| ObservedEntitlement { id: id.into(), name: "X".into(), ..one.clone() };
    world.mirrors.extend([("x-1".into(), of("x-1")), ("x-2".into(), of("x-2"))]);
    all[2]["metadata"]["generation"] = 2.into();
    world.pass(100);
    tell(&mut world, &[all[2].clone()]);
    world.pass(200);
    assert_eq!(ready(&world, "wiki"), format!("Synced every account is as decided; warning: {absent}x (X); {remedy}"));
}
