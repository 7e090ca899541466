//! What nothing that goes wrong may take.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::EngineEvent;
use crate::model::{Change, Charge, Lane, Name, ObjectKind, ObjectRef, TargetId};

/// So many scientists, and a wiki with these settings.
pub(super) fn team(size: usize, settings: &Value) -> Vec<Value> {
    let people: Vec<Value> = (0..size).map(|n| identity(&format!("i-{n}"), 1, &scientist("Analyst"))).collect();
    let mut all = declared(&people);
    let spec = all.last_mut().unwrap()["spec"].as_object_mut().unwrap();
    spec.extend(settings.as_object().unwrap().clone());
    all
}

pub(super) fn suspended(name: &str) -> Value {
    identity(name, 2, &json!({"department": "Science", "title": "Analyst", "lifecycle": {"suspended": true}}))
}

pub(super) fn enabled(world: &World) -> usize {
    world.accounts.values().filter(|account| account.enabled).count()
}

pub(super) fn ready(world: &World) -> (String, String) {
    let ready = &world.statuses["wiki"]["conditions"][0];
    (ready["reason"].as_str().unwrap().to_owned(), ready["message"].as_str().unwrap().to_owned())
}

#[test]
fn another_target_is_not_written_to_until_that_is_acknowledged_also_after_a_restart_and_then_it_is_taken_as_it_is() {
    let minute = json!({"sync": {"concurrency": 1, "interval": "1m"}});
    let mut world = World::new();
    world.list(&team(30, &minute));
    world.pass(60);
    assert_eq!(world.accounts.len(), 30);
    world.accounts.clear();
    world.pass(90);
    let (reason, message) = ready(&world);
    assert_eq!(reason, "TargetChanged", "{message}");
    world.restart(&team(30, &minute));
    world.pass(200);
    assert_eq!((world.accounts.len(), ready(&world)), (0, (reason, message.clone())), "the same token, for ever");

    let token = message.split_whitespace().last().unwrap();
    let mut answered = team(30, &minute).pop().unwrap();
    answered["spec"]["safety"] = json!({"acknowledge": token});
    tell(&mut world, &[answered]);
    world.pass(200);
    assert_eq!(ready(&world).0, "Synced");
    assert_eq!(world.accounts.len(), 30, "what is missing is made again");
}

#[test]
fn however_many_one_batch_suspends_they_are_one_wave() {
    let mut world = World::new();
    world.list(&team(600, &json!({})));
    world.pass(120);
    assert_eq!(enabled(&world), 600);
    let leavers: Vec<Value> = (0..600).map(|n| suspended(&format!("i-{n}"))).collect();
    tell(&mut world, &leavers);
    world.pass(60);
    let held: Vec<usize> =
        world.engine.sync(&Name::from("wiki")).unwrap().held().iter().map(|plan| plan.steps.len()).collect();
    assert_eq!((held, enabled(&world)), (vec![600], 600));
}

#[test]
fn judging_a_wave_of_one_lane_forgets_nothing_of_the_others() {
    let mut world = World::new();
    let at = world.now().wall.checked_sub(SignedDuration::from_hours(48)).unwrap();
    let charge = Charge { identity: "gone".into(), lane: Lane::Derived, at, units: 3 };
    world.standing.charges.insert(charge.clone());
    world.list(&team(1, &json!({})));
    world.pass(30);
    tell(&mut world, &[suspended("i-0")]);
    world.pass(30);
    assert_eq!(enabled(&world), 0);
    assert!(world.standing.charges.contains(&charge));
}

#[test]
fn somebody_restored_whose_manifest_is_not_valid_loses_nothing() {
    let mut world = World::new();
    world.list(&team(1, &json!({})));
    world.pass(30);
    let mut restored = identity("i-0", 1, &json!({"department": "Science", "userName": "a b"}));
    restored["metadata"]["uid"] = json!("another");
    tell(&mut world, &[restored]);
    world.pass(60);
    assert_eq!((enabled(&world), world.account("i-0").as_str()), (1, "Blocked"));
}

#[test]
fn a_broken_key_blocks_only_those_who_are_to_have_an_account() {
    // Divides by zero for those in Sales.
    let key = "string(1 / (size(identity.department) - 5))";
    let broken = json!({"account": {"correlate": [{"attribute": "userName", "expression": key}]}});
    let mut all = team(1, &broken);
    all.push(identity("bob", 1, &json!({"department": "Sales"})));
    let mut world = World::new();
    world.list(&all);
    world.pass(30);
    assert!(world.engine.board().told(&Name::from("bob"), &Name::from("wiki")).is_none());
    assert_eq!(world.written("bob"), ["True NothingMatched"]);
    assert_eq!(world.account("i-0"), "Provisioned");
}

#[test]
fn a_disable_that_failed_is_read_before_it_is_repeated() {
    let mut world = World::new();
    world.list(&team(1, &json!({})));
    world.pass(30);
    (world.lose, world.transient) = (true, true);
    tell(&mut world, &[suspended("i-0")]);
    (world.lose, world.transient) = (false, false);
    world.applied.clear();
    assert_eq!(enabled(&world), 0, "it was done, and told as failed");
    world.pass(60);
    assert_eq!((enabled(&world), world.account("i-0").as_str()), (0, "Disabled"));
    assert_eq!(world.applied, Vec::<&str>::new());
}

#[test]
fn a_refusal_says_which_field_and_code() {
    let mut world = World::new();
    world.refuses = Some(("title".into(), "400 invalidValue".into()));
    world.list(&team(1, &json!({})));
    world.pass(30);
    let (_, account) = world.engine.board().told(&Name::from("i-0"), &Name::from("wiki")).unwrap();
    let told = format!("{account:?}");
    assert!(told.contains("400 invalidValue (title)"), "{told}");
}

/// A wiki with a group, which is made if it is not there, and everybody in it.
fn editors(create: bool) -> Vec<Value> {
    let target = json!({"group": {"name": "editors", "create": create}});
    let mut all = team(
        2,
        &json!({
            "entitlements": [{"name": "editor", "target": target}], "sync": {"concurrency": 1, "interval": "1m"}
        }),
    );
    let policy = all.iter_mut().find(|object| object["kind"] == "AccessPolicy").unwrap();
    policy["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    all
}

#[test]
fn a_removal_from_a_group_that_is_gone_is_done() {
    let mut world = World::new();
    world.mirror("editors", None);
    world.list(&editors(false));
    world.pass(30);
    assert_eq!(world.names_in("editors"), ["i-0", "i-1"]);
    world.mirrors.clear();
    world.pass(120);
    let mut policy = editors(false).into_iter().find(|object| object["kind"] == "AccessPolicy").unwrap();
    policy["spec"]["grants"] = json!([{"application": "wiki"}]);
    tell(&mut world, &[policy]);
    world.pass(300);
    assert!(world.applied.iter().all(|step| *step != "RemoveMembers"));
    assert!(world.records.values().all(|record| record.grants.is_empty()), "{:?}", world.records);
}

#[test]
fn without_a_total_one_listing_does_not_prove_that_a_group_is_gone() {
    let mut world = World::new();
    world.counts = false;
    world.mirror("editors", None);
    world.list(&editors(true));
    world.pass(30);
    let hidden = std::mem::take(&mut world.mirrors);
    world.applied.clear();
    let before = world.listings;
    while world.listings == before {
        world.pass(1);
    }
    assert!(!world.groups.is_empty() && !world.applied.contains(&"CreateGroup"));
    world.mirrors = hidden;
    world.pass(200);
    assert!(!world.applied.contains(&"CreateGroup"));
    world.mirrors.clear();
    world.pass(200);
    assert!(world.applied.contains(&"CreateGroup"), "two in a row are believed");
}

#[test]
fn to_several_groups_of_one_name_no_further_one_is_added() {
    let mut world = World::new();
    world.mirror("editors", None);
    let mut twin = world.mirrors[&TargetId::new("g-editors")].clone();
    twin.id = TargetId::new("g-twin");
    world.mirrors.insert(twin.id.clone(), twin);
    world.list(&editors(true));
    world.pass(120);
    assert_eq!(world.mirrors.len(), 2);
    assert_eq!(world.account("i-0"), "Pending");
}

#[test]
fn what_is_held_for_somebody_drops_out_when_the_account_turns_out_to_be_gone() {
    let minute = json!({"sync": {"concurrency": 1, "interval": "1m"}});
    let mut world = World::new();
    world.list(&team(30, &minute));
    world.pass(60);
    let policy = ObjectRef { kind: ObjectKind::AccessPolicy, name: "science-wiki".into() };
    world.tell(EngineEvent::Changed(vec![Change::Gone(policy)]));
    world.pass(60);
    let held = |world: &World| world.standing.held.iter().map(|plan| plan.steps.len()).sum::<usize>();
    assert_eq!(held(&world), 30);
    let id: TargetId = world.id_of("i-0");
    world.accounts.remove(&id);
    world.pass(200);
    assert_eq!(held(&world), 29);
}

#[test]
fn a_group_is_bound_by_its_name_again_at_another_target_whose_ids_may_be_any_groups() {
    let editor = json!({"name": "editor", "target": {"group": {"name": "editors"}}});
    let mut all = team(2, &json!({"entitlements": [editor], "sync": {"concurrency": 1, "interval": "1m"}}));
    all[2]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    let mut world = World::new();
    world.mirror("editors", None);
    world.list(&all);
    world.pass(60);
    assert_eq!(world.names_in("editors"), ["i-0", "i-1"]);

    // The same connector speaks to another target, where the group's id is that of the administrators.
    let mut there = world.mirrors.remove(&TargetId::new("g-editors")).unwrap();
    (there.name, there.members) = ("administrators".into(), Some(Vec::new()));
    world.mirrors.insert(there.id.clone(), there);
    let id = TargetId::new("e-1");
    let kind = crate::model::EntitlementKind::Group;
    let editors = crate::model::ObservedEntitlement {
        id: id.clone(),
        kind,
        name: "editors".into(),
        mark: None,
        members: Some(Vec::new()),
        groups: Vec::new(),
    };
    world.mirrors.insert(id.clone(), editors);
    world.accounts.clear();
    let moved = |token: &str| {
        let mut wiki = all.last().unwrap().clone();
        wiki["spec"]["connector"] = json!({"fake": {"directory": "other"}});
        wiki["spec"]["safety"] = json!({"acknowledge": token});
        wiki
    };
    world.counts = false;
    tell(&mut world, &[moved("")]);
    world.pass(5);
    let (reason, message) = ready(&world);
    assert_eq!(reason, "TargetChanged", "{message}");
    let token = message.split_whitespace().last().unwrap().to_owned();
    tell(&mut world, &[moved(&token)]);
    world.pass(300);
    let members = |world: &World, id: &str| world.mirrors[&TargetId::new(id)].members.clone().unwrap().len();
    assert_eq!((members(&world, "g-editors"), members(&world, "e-1")), (0, 2));
}

#[test]
fn another_target_is_noticed_and_not_written_to_where_its_groups_cannot_be_listed() {
    let mut world = World::new();
    world.list(&team(30, &json!({"sync": {"concurrency": 1, "interval": "1m"}})));
    world.pass(60);
    assert_eq!(world.accounts.len(), 30);
    world.accounts.clear();
    world.groups_fail = true;
    world.applied.clear();
    world.pass(300);
    assert_eq!(ready(&world).0, "TargetChanged");
    assert_eq!((world.accounts.len(), world.applied.as_slice()), (0, &[][..]));
}

#[test]
fn a_target_that_is_not_acknowledged_changes_nothing_of_what_is_known_of_our_groups() {
    let editor = json!([{"name": "editor", "target": {"group": {"name": "editors", "create": true}}}]);
    let mut all = team(1, &json!({"entitlements": editor, "sync": {"concurrency": 1, "interval": "1m"}}));
    all[1]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    let mut world = World::new();
    world.list(&all);
    world.pass(60);
    assert!(world.groups.len() == 1 && world.groups.values().all(|group| group.created));
    let groups = world.groups.clone();
    let mut other = all.pop().unwrap();
    let mut there = world.mirrors.remove(&TargetId::new("g-editors")).unwrap();
    (there.id, there.mark) = (TargetId::new("e-1"), None);
    world.mirrors.insert(there.id.clone(), there);
    other["spec"]["connector"] = json!({"fake": {"directory": "other"}});
    tell(&mut world, &[other]);
    world.pass(200);
    assert_eq!(ready(&world).0, "TargetChanged");
    assert_eq!(world.groups, groups);
}

#[test]
fn at_another_target_an_account_is_kept_by_its_keys_and_whoever_has_its_id_there_is_left_alone() {
    let editor = json!({"name": "editor", "target": {"group": {"name": "editors"}}});
    let hour = json!({"ended": {"action": "Disable", "deleteAfter": "1h"}});
    let minute = json!({"concurrency": 1, "interval": "1m"});
    let mut all = team(4, &json!({"entitlements": [editor], "deprovision": hour, "sync": minute}));
    all[4]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    let mut world = World::new();
    world.mirror("editors", None);
    world.list(&all);
    world.pass(60);
    let ids = ["i-0", "i-1", "i-2", "i-3"].map(|name| world.id_of(name));
    world.tell(EngineEvent::Changed(vec![Change::Gone(ObjectRef { kind: ObjectKind::Identity, name: "i-3".into() })]));
    world.pass(120);
    assert_eq!(enabled(&world), 3);

    // Another target: two strangers have ids of ours, i-0 has another one, i-1 the same, and i-2 is not there.
    let elsewhere = TargetId::new("t-9");
    let moved = crate::model::Observed { id: elsewhere.clone(), ..world.accounts[&ids[0]].clone() };
    let strangers = [(&ids[0], "sam"), (&ids[3], "eve")].map(|(id, name)| {
        let account = world.accounts.get_mut(id).unwrap();
        account.enabled = true;
        account.attributes.insert("userName".into(), name.into());
        account.clone()
    });
    world.accounts.remove(&ids[2]);
    world.accounts.insert(elsewhere.clone(), moved);
    let mut administrators = world.mirrors.remove(&TargetId::new("g-editors")).unwrap();
    let editors = crate::model::ObservedEntitlement {
        id: TargetId::new("e-1"),
        members: Some(Vec::new()),
        ..administrators.clone()
    };
    (administrators.name, administrators.members) = ("administrators".into(), Some(vec![ids[1].clone()]));
    world.mirrors.extend([administrators, editors].map(|group| (group.id.clone(), group)));
    let mut wiki = all.pop().unwrap();
    wiki["spec"]["connector"] = json!({"fake": {"directory": "other"}});
    tell(&mut world, std::slice::from_ref(&wiki));
    world.pass(5);
    wiki["spec"]["safety"] = json!({"acknowledge": ready(&world).1.split_whitespace().last().unwrap()});
    tell(&mut world, &[wiki]);
    world.sleep(3 * 3600);
    assert_eq!(ready(&world).0, "Synced", "{:?}", ready(&world));
    let now = strangers.clone().map(|stranger| world.accounts.get(&stranger.id).cloned());
    assert_eq!(now, strangers.map(Some), "{:?}", world.applied);
    assert_eq!((world.id_of("i-0"), world.id_of("i-1")), (elsewhere, ids[1].clone()));
    let members = |world: &World, id: &str| world.mirrors[&TargetId::new(id)].members.clone().unwrap();
    assert_eq!(members(&world, "g-editors"), [ids[1].clone()], "an id there is any group's");
    assert_eq!((members(&world, "e-1").len(), world.accounts.len(), world.records.len()), (3, 5, 3));
}

#[test]
fn where_most_accounts_are_missing_one_that_has_the_id_of_ours_is_not_taken_for_it() {
    let minute = json!({"sync": {"concurrency": 1, "interval": "1m"}});
    let mut world = World::new();
    world.list(&team(30, &minute));
    world.pass(60);
    let id = world.id_of("i-0");
    world.accounts.retain(|other, _| *other == id);
    world.accounts.get_mut(&id).unwrap().attributes.insert("userName".into(), "sam".into());
    let sam = world.accounts[&id].clone();
    world.pass(90);
    let mut wiki = team(30, &minute).pop().unwrap();
    wiki["spec"]["safety"] = json!({"acknowledge": ready(&world).1.split_whitespace().last().unwrap()});
    tell(&mut world, &[wiki]);
    world.pass(200);
    assert_eq!((ready(&world).0.as_str(), world.accounts.len()), ("Synced", 31));
    assert_eq!(world.accounts[&id], sam);
}
