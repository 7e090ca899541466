//! Answers that were lost, and targets that go away and come back.

use serde_json::json;

use super::{World, declared, identity, scientist, tell};
use crate::engine::EngineEvent;
use crate::model::Step;

#[test]
fn a_create_whose_answer_was_lost_is_found_soon_after_the_target_is_back_however_long_it_was_gone() {
    for outage in (5..300).step_by(5) {
        let mut world = World::new();
        world.list(&declared(&[]));
        world.pass(30);
        let change = world.change(&identity("ada", 1, &scientist("Analyst")));
        (world.lose, world.goes) = (true, true);
        world.tell(EngineEvent::Changed(vec![change]));
        world.lose = false;
        world.pass(outage);
        assert_eq!(world.account("ada"), "Pending");
        assert_eq!(world.accounts.len(), 1, "it was made before the target went away");
        world.reachable = true;
        world.pass(25);
        assert_eq!(world.written("ada").last().unwrap(), "True Provisioned", "after {outage} s");
        assert_eq!(world.accounts.len(), 1, "and nothing was made twice");
    }
}

#[test]
fn a_target_that_refuses_connections_is_told_at_its_second_failure_and_one_that_fails_now_and_then_is_not() {
    for (refuses, told) in [(true, true), (false, false)] {
        let mut world = World::new();
        world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
        world.pass(30);
        (world.reachable, world.refuses_connections) = (false, refuses);
        let change = world.change(&identity("bob", 1, &scientist("Analyst")));
        world.tell(EngineEvent::Changed(vec![change]));
        world.pass(4);
        let unreachable = world.written("wiki").iter().any(|line| line.contains("TargetUnreachable"));
        assert_eq!(unreachable, told, "{refuses}: {:?}", world.written("wiki"));
        world.reachable = true;
        world.pass(60);
        assert_eq!(world.account("bob"), "Provisioned");
    }
}

/// Ada has left, and what answers the disabling cannot do it.
fn a_leaver_who_cannot_be_disabled() -> World {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    world.unable = Some("DisableAccount");
    let left = json!({"department": "Science", "title": "Analyst", "lifecycle": {"endTime": "2026-01-01T00:00:00Z"}});
    tell(&mut world, &[identity("ada", 2, &left)]);
    world.pass(15);
    assert_eq!((world.writes, world.applied.as_slice()), (2, ["CreateAccount"].as_slice()), "it was tried");
    world
}

#[test]
fn what_a_target_says_it_cannot_do_is_tried_again_within_minutes_and_then_more_rarely() {
    let mut world = a_leaver_who_cannot_be_disabled();
    let before = world.writes;
    world.sleep(24 * 3600);
    let day = world.writes - before;
    assert!((8..=12).contains(&day), "{day} attempts in a day");
    let mut world = a_leaver_who_cannot_be_disabled();
    world.unable = None;
    world.pass(80);
    assert!(world.accounts.values().all(|account| !account.enabled), "within the first minute, and a quarter");
}

#[test]
fn what_a_target_said_it_cannot_do_is_tried_again_as_soon_as_it_is_back() {
    let mut world = a_leaver_who_cannot_be_disabled();
    world.sleep(12 * 3600);
    (world.reachable, world.refuses_connections) = (false, true);
    world.sleep(1800);
    (world.reachable, world.unable) = (true, None);
    world.pass(40);
    assert!(world.accounts.values().all(|account| !account.enabled));
}

#[test]
fn nobody_takes_a_user_name_that_a_rename_whose_answer_was_lost_may_still_take() {
    let named = |user_name: &str| json!({"department": "Science", "userName": user_name});
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &named("countess"))]));
    world.pass(30);
    // Ada's rename is lost before it is done, and reads by id fail for a while.
    (world.lose, world.done, world.reads) = (true, false, false);
    let change = world.change(&identity("ada", 2, &named("lovelace")));
    world.tell(EngineEvent::Changed(vec![change]));
    (world.lose, world.done) = (false, true);
    world.pass(1);
    // Meanwhile she is to be called otherwise, and somebody else asks for that name.
    let changes = [identity("ada", 3, &named("augusta")), identity("other", 1, &named("lovelace"))];
    let changes = changes.iter().map(|object| world.change(object)).collect();
    world.tell(EngineEvent::Changed(changes));
    world.pass(5);
    assert_eq!((world.account("other").as_str(), world.accounts.len()), ("Pending", 1));
    world.reads = true;
    world.pass(60);
    assert_eq!((world.account("ada").as_str(), world.account("other").as_str()), ("Provisioned", "Provisioned"));
    let mut held: Vec<_> = world.accounts.values().filter_map(|account| account.text("userName")).collect();
    held.sort_unstable();
    assert_eq!(held, ["augusta", "lovelace"]);
}

#[test]
fn an_account_whose_writes_always_answer_an_error_waits_longer_and_longer_and_keeps_nobody_else_waiting() {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    world.broken = world.accounts.keys().next().cloned();
    let change = world.change(&identity("bob", 1, &scientist("Analyst")));
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(5);
    world.writes = 0;
    let change = world.change(&identity("ada", 2, &scientist("Reader")));
    world.tell(EngineEvent::Changed(vec![change]));
    for round in 0..20 {
        let change = world.change(&identity("bob", 2 + round, &scientist(&format!("Title {round}"))));
        world.tell(EngineEvent::Changed(vec![change]));
        world.pass(6);
        // Within a second of an attempt what it did is not visible yet.
        assert!(["Failed", "Pending"].contains(&world.account("ada").as_str()), "{round}");
        assert_eq!(world.account("bob"), "Provisioned", "{round}");
    }
    let attempts = world.writes - 20;
    assert!((5..=8).contains(&attempts), "{attempts} attempts in two minutes, each wait twice the one before");
    assert!(!world.written("wiki").iter().any(|line| line.contains("Unreachable")), "{:?}", world.written("wiki"));
    world.broken = None;
    world.pass(200);
    assert_eq!(world.account("ada"), "Provisioned");
    assert!(world.intents.is_empty(), "{:?}", world.intents);
}

#[test]
fn the_intent_of_a_write_whose_answer_was_lost_is_closed_when_its_account_was_read_also_after_a_restart() {
    for (done, restart) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = World::new();
        world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
        world.pass(30);
        let edited = identity("ada", 2, &scientist("Reader"));
        let change = world.change(&edited);
        (world.lose, world.done, world.reads) = (true, done, false);
        world.tell(EngineEvent::Changed(vec![change]));
        world.lose = false;
        assert_eq!(world.intents.len(), 1, "it is open as long as nobody knows");
        if restart {
            world.restart(&declared(&[edited]));
        }
        world.reads = true;
        world.pass(60);
        assert_eq!(world.account("ada"), "Provisioned");
        assert!(world.intents.is_empty(), "done {done}, restart {restart}: {:?}", world.intents);
    }
}

#[test]
fn our_finalizer_is_asked_for_once_and_again_only_when_it_does_not_come() {
    let mut all = declared(&[identity("ada", 1, &scientist("Analyst"))]);
    let wiki = all.last_mut().unwrap();
    let with = wiki["metadata"]["finalizers"].take();
    wiki["metadata"]["finalizers"] = json!([]);
    let mut world = World::new();
    world.list(&all);
    world.pass(4);
    assert_eq!((world.finalizers, world.accounts.len()), (1, 0));
    world.pass(10);
    assert_eq!(world.finalizers, 3, "every five seconds");
    all.last_mut().unwrap()["metadata"]["finalizers"] = with;
    let change = world.change(all.last().unwrap());
    world.tell(EngineEvent::Changed(vec![change]));
    world.pass(60);
    assert_eq!((world.finalizers, world.accounts.len()), (3, 1));
}

#[test]
fn where_members_are_not_shown_a_grant_whose_answer_was_lost_is_given_again_also_after_a_restart() {
    let editor = json!({"name": "editor", "target": {"group": {"name": "editors", "create": true}}});
    let all = |entitlements: &[&str]| {
        let mut all = declared(&[identity("ada", 1, &scientist("Analyst"))]);
        all.last_mut().unwrap()["spec"]["entitlements"] = json!([editor]);
        if !entitlements.is_empty() {
            all[1]["spec"]["grants"][0]["entitlements"] = json!(entitlements);
        }
        all
    };
    let cases = [false, true]
        .map(|there| [(there, false, false), (there, true, false), (there, false, true), (there, true, true)]);
    for (there, transient, restart) in cases.into_iter().flatten() {
        let mut world = World::new();
        world.blind = true;
        if there {
            world.mirror("editors", None);
        }
        world.list(&all(&[]));
        // One that we made is not listed again by then.
        world.pass(if there { 30 } else { 4 });
        assert!(world.mirrors.len() == 1 && (there || world.listings == 1), "{} listings", world.listings);
        (world.lose, world.done, world.transient, world.reads) = (true, false, transient, false);
        let change = world.change(&all(&["editor"])[1]);
        world.tell(EngineEvent::Changed(vec![change]));
        assert!(world.names_in("editors").is_empty());
        world.lose = false;
        if restart {
            world.restart(&all(&["editor"]));
        }
        world.reads = true;
        world.pass(120);
        assert_eq!(world.names_in("editors"), ["ada"], "there {there}, transient {transient}, restart {restart}");
        assert!(world.intents.is_empty(), "{:?}", world.intents);
    }
}

#[test]
fn a_disable_that_was_not_done_and_is_not_wanted_any_more_costs_nothing_that_others_gave() {
    let editor = json!([{"name": "editor", "target": {"group": {"name": "editors", "create": true}}}]);
    let mut all = declared(&[identity("ada", 1, &scientist("Analyst"))]);
    all[2]["spec"]["entitlements"] = editor;
    let mut world = World::new();
    world.list(&all);
    world.pass(60);
    let id = world.id_of("ada");
    world.members(&"g-editors".into()).push(id.clone());
    (world.lose, world.done) = (true, false);
    for (generation, transient) in [(2, true), (4, false)] {
        world.transient = transient;
        world.applied.clear();
        tell(&mut world, &[identity("ada", generation, &json!({"department": "Arts"}))]);
        world.pass(60);
        assert_eq!(world.account("ada"), "Failed");
        tell(&mut world, &[identity("ada", generation + 1, &scientist("Analyst"))]);
        world.lose = false;
        world.pass(120);
        world.lose = true;
        assert_eq!((world.account("ada").as_str(), world.names_in("editors")), ("Provisioned", vec!["ada"]));
        assert!(world.accounts[&id].enabled && world.applied.is_empty(), "{:?}", world.applied);
    }
}

#[test]
fn nothing_is_written_to_a_group_while_a_write_of_the_last_run_may_still_arrive_there() {
    let editor = json!([{"name": "editor", "target": {"group": {"name": "editors", "create": true}}}]);
    let team = |names: &[&str]| {
        let people: Vec<_> = names.iter().map(|name| identity(name, 1, &scientist("Analyst"))).collect();
        let mut all = declared(&people);
        all[names.len()]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
        all.last_mut().unwrap()["spec"]["entitlements"] = editor.clone();
        all
    };
    let mut world = World::new();
    world.list(&team(&["ada"]));
    world.pass(30);
    assert_eq!(world.names_in("editors"), ["ada"]);
    // The last run was killed with such a write under way.
    let given = world.opened.iter().find(|intent| matches!(intent.step, Step::AddMembers { .. })).unwrap().clone();
    world.intents.insert(given.id, given);
    world.restart(&team(&["ada", "bob"]));
    world.pass(25);
    assert_eq!((world.accounts.len(), world.names_in("editors")), (2, vec!["ada"]));
    world.pass(15);
    assert_eq!(world.names_in("editors"), ["ada", "bob"]);
}
