//! Memberships that listings do not show, where the target answers whether somebody has one.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};

const DAY: i64 = 86_400;

/// Scientists who are all to be editors of the wiki.
fn editors(names: &[String]) -> Vec<Value> {
    let people: Vec<Value> = names.iter().map(|name| identity(name, 1, &scientist("Analyst"))).collect();
    let mut all = declared(&people);
    let (policy, wiki) = (names.len(), names.len() + 1);
    all[policy]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    all[wiki]["spec"]["entitlements"] = json!([{"name": "editor", "target": {"group": {"name": "editors"}}}]);
    all
}

/// They are, at a target that shows nobody's memberships, and answers a question about one or not.
fn settled(count: usize, answers: bool) -> (World, Vec<Value>) {
    let names: Vec<String> = (0..count).map(|number| format!("i-{number}")).collect();
    let all = editors(&names);
    let mut world = World::new();
    (world.blind, world.answers) = (true, answers);
    world.mirror("editors", None);
    world.list(&all);
    world.pass(60 + 6 * i64::try_from(count).unwrap());
    assert_eq!(world.names_in("editors").len(), count);
    (world, all)
}

/// Somebody takes an account out of the editors.
fn take_out(world: &mut World, name: &str) {
    let id = world.id_of(name);
    world.members(&"g-editors".into()).retain(|member| *member != id);
}

#[test]
fn who_was_given_a_membership_is_asked_about_once_and_what_was_dropped_is_given_again() {
    let (mut world, _) = settled(3, true);
    let asked: Vec<_> = world.asked.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(asked, ["t-0", "t-1", "t-2"], "one question for each, and no more");
    let seconds: Vec<i64> = world.asked.iter().map(|(second, _)| *second).collect();
    assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] >= 6), "{seconds:?}");

    // One more joins; its membership is answered as given, and is not.
    world.asked.clear();
    tell(&mut world, &[identity("late", 1, &scientist("Analyst"))]);
    take_out(&mut world, "late");
    world.pass(20);
    assert_eq!(world.names_in("editors").len(), 4);
    assert_eq!(world.asked.len(), 1);
    // It does not hold either: it is not given again every few seconds.
    take_out(&mut world, "late");
    (world.asked, world.writes) = (Vec::new(), 0);
    world.pass(600);
    assert_eq!((world.asked.len(), world.writes), (0, 0));
}

#[test]
fn a_membership_that_others_took_is_given_again_within_a_day_with_one_question_for_each_account() {
    let (mut world, _) = settled(30, true);
    world.sleep(3600);
    take_out(&mut world, "i-7");
    take_out(&mut world, "i-21");
    (world.asked, world.writes) = (Vec::new(), 0);
    let woken = world.sleep(DAY + 60);
    assert!(woken < 1000, "woken {woken} times for 30 questions and a listing every ten minutes");
    assert_eq!(world.names_in("editors").len(), 30);
    assert_eq!(world.writes, 2, "nothing but what was taken");
    assert!((30..=31).contains(&world.asked.len()), "{} questions", world.asked.len());
    let gaps: Vec<i64> = world.asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| (DAY / 30 - 60..=DAY / 30 + 60).contains(gap)), "{gaps:?}");
}

#[test]
fn nobody_is_asked_about_where_listings_show_members_or_nothing_answers() {
    for (blind, answers) in [(false, true), (true, false)] {
        let (mut world, _) = settled(3, answers);
        if !blind {
            world = World { blind, answers, ..World::new() };
            world.mirror("editors", None);
            world.list(&editors(&["ada".into()]));
        }
        world.asked.clear();
        world.sleep(DAY);
        assert_eq!(world.asked, [], "blind {blind}");
    }
}

#[test]
fn a_question_that_fails_denies_nothing_and_is_not_repeated_before_its_turn() {
    let (mut world, _) = settled(3, true);
    for forbids in [false, true] {
        (world.reads, world.forbids) = (false, forbids);
        take_out(&mut world, "i-0");
        (world.asked, world.writes, world.read) = (Vec::new(), 0, 0);
        world.sleep(DAY);
        assert_eq!(world.writes, 0, "nobody knows");
        let questions = world.asked.len() + world.read;
        assert!((23..=25).contains(&questions), "{questions} questions, one an hour");
        assert_eq!(world.account("i-0"), "Provisioned");
        (world.reads, world.forbids) = (true, false);
        world.sleep(4 * 3600);
        assert_eq!((world.writes, world.names_in("editors").len()), (1, 3));
    }
}

#[test]
fn an_operator_that_is_restarted_every_other_hour_asks_about_everybody_all_the_same() {
    let (mut world, all) = settled(24, true);
    world.asked.clear();
    take_out(&mut world, "i-3");
    for _ in 0..13 {
        world.restart(&all);
        world.sleep(7200);
    }
    let whom: std::collections::BTreeSet<_> = world.asked.iter().map(|(_, id)| id.clone()).collect();
    assert!((23..=24).contains(&whom.len()), "{} of 24", whom.len());
    assert_eq!(world.names_in("editors").len(), 24);
}

#[test]
fn nobody_is_asked_about_while_nothing_may_be_written_or_what_is_asked_was_revoked() {
    let (mut world, mut all) = settled(3, true);
    world.asked.clear();
    let wiki = all.last_mut().unwrap();
    wiki["spec"]["mode"] = json!("Paused");
    wiki["metadata"]["generation"] = json!(2);
    tell(&mut world, &all[4..]);
    world.sleep(DAY);
    assert_eq!(world.asked, [], "it is paused");

    let wiki = all.last_mut().unwrap();
    wiki["spec"]["mode"] = json!("Enforce");
    wiki["metadata"]["generation"] = json!(3);
    all[3]["spec"]["grants"][0]["entitlements"] = json!([]);
    all[3]["spec"]["grants"][0].as_object_mut().unwrap().remove("entitlements");
    tell(&mut world, &all[3..]);
    world.pass(300);
    assert!(world.names_in("editors").is_empty());
    world.asked.clear();
    world.sleep(DAY);
    assert_eq!(world.asked, [], "nothing of ours is left to ask about");
}
