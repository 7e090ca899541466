//! What one lane was charged leaves the other's budget alone, and what is held goes by approval alone, once.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::EngineEvent;
use crate::model::{Change, Name, ObjectKind, ObjectRef};

/// Thirty scientists with an account each: five may lose it within a day by changed rules, fifteen within an hour by their
/// own manifests.
fn team() -> Vec<Value> {
    let people: Vec<Value> = (0..30).map(|n| identity(&format!("i-{n}"), 1, &scientist("Analyst"))).collect();
    let mut all = declared(&people);
    all.last_mut().unwrap()["spec"]["safety"] = json!({"removals": [{"count": 5, "percent": 5, "window": "24h"}]});
    all
}

fn world() -> World {
    let mut world = World::new();
    world.list(&team());
    world.pass(60);
    assert_eq!(stands(&world), (0, vec![]));
    world
}

fn move_away(world: &mut World, who: std::ops::Range<usize>) {
    let moved: Vec<Value> = who.map(|n| identity(&format!("i-{n}"), 2, &json!({"department": "Arts"}))).collect();
    tell(world, &moved);
    world.pass(60);
}

/// The manifests once so many were moved away.
fn team_after(gone: usize) -> Vec<Value> {
    let moved = (0..gone).map(|n| identity(&format!("i-{n}"), 2, &json!({"department": "Arts"})));
    moved.chain(team().into_iter().skip(gone)).collect()
}

/// How many accounts cannot be used, and how many steps each held plan has.
fn stands(world: &World) -> (usize, Vec<usize>) {
    let held = world.engine.sync(&Name::from("wiki")).unwrap().held();
    let disabled = world.accounts.values().filter(|account| !account.enabled).count();
    (disabled, held.iter().map(|plan| plan.steps.len()).collect())
}

#[test]
fn whom_manifests_suspend_costs_nothing_of_the_budget_of_changed_rules() {
    let mut world = world();
    let suspended = json!({"department": "Science", "title": "Analyst", "lifecycle": {"suspended": true}});
    let leavers: Vec<Value> = (0..10).map(|n| identity(&format!("i-{n}"), 2, &suspended)).collect();
    tell(&mut world, &leavers);
    world.pass(60);
    assert_eq!(stands(&world), (10, vec![]));
    move_away(&mut world, 10..15);
    assert_eq!(stands(&world), (15, vec![]));
    move_away(&mut world, 15..16);
    assert_eq!(stands(&world), (15, vec![1]), "its own budget is used up");
}

#[test]
fn a_held_plan_says_by_which_change_and_in_numbers_that_add_up() {
    let mut world = world();
    let why = |world: &World| world.engine.sync(&Name::from("wiki")).unwrap().held().last().unwrap().why.to_string();
    move_away(&mut world, 0..5);
    let gone =
        |n: usize| Change::Gone(ObjectRef { kind: ObjectKind::Identity, name: format!("i-{n}").as_str().into() });
    world.tell(EngineEvent::Changed(vec![gone(5), gone(6)]));
    world.pass(60);
    let counted = "with 5 that were counted in the last 1 day it makes";
    let first = format!(
        "2 identities lose something, of 25 accounts; {counted} 7, and 5 are allowed; by 2 Identities that are gone"
    );
    assert_eq!(why(&world), first);
    let hash = Arc::clone(&world.engine.sync(&Name::from("wiki")).unwrap().held()[0].hash);
    let said = world.notes.iter().find(|note| note.message.contains("approve with")).unwrap();
    assert_eq!(*said.message, format!("held (approve with spec.safety.approvedPlan: {hash}): {first}"));
    let mut policy = team().into_iter().find(|object| object["kind"] == "AccessPolicy").unwrap();
    (policy["metadata"]["generation"], policy["spec"]["match"]) = (json!(2), json!("false"));
    tell(&mut world, &[policy]);
    world.pass(60);
    let by = "by AccessPolicy science-wiki (generation 2), which does not give it to 23 of them any more";
    let second = format!("23 identities lose something, of 25 accounts; {counted} 28, and 5 are allowed; {by}");
    assert_eq!(why(&world), second);
}

#[test]
fn what_is_held_does_not_go_by_itself_when_its_budget_has_room_again() {
    let mut world = world();
    move_away(&mut world, 0..5);
    move_away(&mut world, 5..8);
    assert_eq!(stands(&world), (5, vec![3]));
    world.sleep(3 * 24 * 3600);
    assert_eq!(stands(&world), (5, vec![3]));
    move_away(&mut world, 8..9);
    assert_eq!(stands(&world), (6, vec![3]), "what comes later has the room");
}

#[test]
fn what_drips_slowly_is_held_once_its_window_is_full_also_over_restarts_and_the_window_slides() {
    let mut world = world();
    for n in 0..5 {
        move_away(&mut world, n..n + 1);
        world.sleep(3600);
        world.restart(&team_after(n + 1));
        world.pass(30);
    }
    assert_eq!(stands(&world), (5, vec![]));
    move_away(&mut world, 5..6);
    assert_eq!(stands(&world), (5, vec![1]), "one an hour is too many in a day");
    // A day after the first one: it counts no more, the second still does.
    world.sleep(19 * 3600);
    move_away(&mut world, 6..7);
    assert_eq!(stands(&world), (6, vec![1]));
    move_away(&mut world, 7..8);
    assert_eq!(stands(&world), (6, vec![1, 1]));
}

#[test]
fn an_approval_that_was_used_lets_nothing_go_when_the_same_is_held_again() {
    let mut world = world();
    let policy = team().into_iter().find(|object| object["kind"] == "AccessPolicy").unwrap();
    let gone = || Change::Gone(ObjectRef { kind: ObjectKind::AccessPolicy, name: "science-wiki".into() });
    let hash = |world: &World| {
        world.engine.sync(&Name::from("wiki")).unwrap().held().first().map(|plan| Arc::clone(&plan.hash)).unwrap()
    };
    world.tell(EngineEvent::Changed(vec![gone()]));
    world.pass(60);
    let first = hash(&world);
    let mut approved = team().pop().unwrap();
    approved["spec"]["safety"]["approvedPlan"] = json!(*first);
    tell(&mut world, &[approved]);
    world.pass(60);
    assert_eq!(stands(&world), (30, vec![]));
    tell(&mut world, &[policy]);
    world.pass(60);
    assert_eq!(stands(&world), (0, vec![]));
    world.tell(EngineEvent::Changed(vec![gone()]));
    world.pass(60);
    assert_eq!(stands(&world), (0, vec![30]));
    assert_ne!(hash(&world), first);
}

#[test]
fn each_wave_is_held_under_a_hash_of_its_own_however_many_there_are_also_over_a_restart() {
    let mut world = world();
    move_away(&mut world, 0..5);
    for one in 5..23 {
        move_away(&mut world, one..one + 1);
    }
    assert_eq!(stands(&world), (5, vec![1; 18]));
    world.restart(&team_after(23));
    world.pass(60);
    assert_eq!(stands(&world), (5, vec![1; 18]), "each is stored");
    let status = &world.statuses["wiki"];
    assert_eq!((status["held"].as_u64(), status["heldPlans"].as_array().map(Vec::len)), (Some(18), Some(16)));
    let told = |kind: &str| {
        let all = status["conditions"].as_array().unwrap();
        all.iter().find(|one| one["type"] == kind).unwrap()["message"].as_str().unwrap().to_owned()
    };
    let more = "; status.heldPlans has no room for 2 more: see `provost held`";
    assert!(told("Ready").ends_with(more) && told("WithinBudget").ends_with(more), "{}", told("Ready"));
    world.sleep(3 * 24 * 3600);
    assert_eq!(stands(&world), (5, vec![1; 18]), "none goes by itself");
    move_away(&mut world, 23..25);
    assert_eq!(stands(&world), (7, vec![1; 18]), "what comes later has the room");
    let mut approved = team().pop().unwrap();
    let last = Arc::clone(&world.engine.sync(&Name::from("wiki")).unwrap().held()[17].hash);
    approved["spec"]["safety"]["approvedPlan"] = json!(*last);
    tell(&mut world, &[approved]);
    world.pass(60);
    assert_eq!(stands(&world), (8, vec![1; 17]), "the last can be approved as well as the first");
}

/// Two hundred, and all of them editors as long as they are scientists: a hundred may lose something in a day. The target is
/// written to twice a second.
fn editors() -> World {
    let mut all = declared(&in_department("Science", "Analyst", 1));
    let last = all.len() - 1;
    all[last]["spec"]["entitlements"] =
        json!([{"name": "editor", "target": {"group": {"name": "editors", "create": true}}}]);
    all[last]["spec"]["sync"] = json!({"concurrency": 1, "interval": "24h", "requestsPerSecond": 2});
    all[last]["spec"]["safety"] = json!({"removals": [{"count": 100, "percent": 5, "window": "24h"}]});
    let mut editors = all[last - 1].clone();
    (editors["metadata"]["name"], editors["metadata"]["uid"]) = ("editors".into(), "editors".into());
    editors["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    all[last - 1]["spec"]["match"] = "true".into();
    all.insert(last, editors);
    let mut world = World::new();
    world.list(&all);
    world.pass(400);
    assert_eq!(world.names_in("editors").len(), 200);
    world
}

fn in_department(department: &str, title: &str, generation: i64) -> Vec<Value> {
    let spec = json!({"department": department, "title": title});
    (0..200).map(|n| identity(&format!("i-{n}"), generation, &spec)).collect()
}

#[test]
fn what_one_commit_takes_is_one_wave_though_other_attributes_are_written_first() {
    let mut world = editors();
    tell(&mut world, &in_department("Arts", "Reader", 2));
    world.pass(600);
    assert_eq!((world.names_in("editors").len(), stands(&world).1), (200, vec![200]));
}

#[test]
fn what_one_commit_takes_is_one_wave_though_what_an_earlier_one_changed_is_still_written() {
    let mut world = editors();
    tell(&mut world, &in_department("Science", "Reader", 2));
    world.pass(1);
    tell(&mut world, &in_department("Arts", "Reader", 3));
    world.pass(600);
    assert_eq!((world.names_in("editors").len(), stands(&world).1), (200, vec![200]));
}

/// Run by hand: `cargo test -p provost-core --lib -- --ignored --nocapture of_many_accounts`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, reason = "a measurement")]
fn what_is_held_of_many_accounts_costs_little_in_a_sync_and_when_it_is_approved() {
    const MANY: usize = 16_000;
    let person = |n: usize| identity(&format!("i-{n:05}"), 1, &scientist("Analyst"));
    let mut all = declared(&(0..MANY).map(person).collect::<Vec<_>>());
    all[MANY + 1]["spec"]["sync"] = json!({"concurrency": 8, "interval": "24h", "requestsPerSecond": 10_000});
    let mut world = World::new();
    world.batch = 100;
    let timed = |what: &str, world: &mut World, tell: &dyn Fn(&mut World)| {
        let began = std::time::Instant::now();
        tell(world);
        println!("{what}: {:.1?}", began.elapsed());
    };
    timed("16,000 join", &mut world, &|world| {
        world.list(&all);
        world.pass(30);
    });
    assert_eq!(world.accounts.len(), MANY);
    let mut policy = all[MANY].clone();
    policy["spec"]["match"] = "identity.department == 'Science' && identity.userName < 'i-08000'".into();
    timed("half of them are held", &mut world, &|world| {
        tell(world, &[policy.clone()]);
        world.pass(30);
    });
    assert_eq!(stands(&world), (0, vec![MANY / 2]));
    timed("a sync that changes nothing", &mut world, &|world| {
        world.second += 24 * 3600;
        world.pass(5);
    });
    let mut approved = all[MANY + 1].clone();
    let hash = Arc::clone(&world.engine.sync(&Name::from("wiki")).unwrap().held()[0].hash);
    approved["spec"]["safety"] = json!({"approvedPlan": *hash});
    timed("they are approved and done", &mut world, &|world| {
        tell(world, &[approved.clone()]);
        world.pass(30);
    });
    assert_eq!(stands(&world), (MANY / 2, vec![]));
}
