//! Seeds of the simulation: `PROVOST_SEED=n` replays one with its story (`PROVOST_YEAR=n` a long one, `PROVOST_TOLD=n` one whose
//! targets tell what has changed), `PROVOST_SEEDS=n` says how many to run, `PROVOST_FROM=n` from which.

use std::time::Instant;

use tests::seeds::{Tried, kept, number};
use tests::simulation::{Plan, simulate};

/// The seed of a scenario with every kind of step that the model knows, in at most 150 writes.
const CALM: u64 = 393;
/// Of one in which what is told by watches is little enough to be left out event by event.
const DROPS: u64 = 393;
/// These.
const KINDS: [&str; 13] = [
    "AddMembers",
    "Assign",
    "CreateAccount",
    "CreateGroup",
    "DeleteAccount",
    "DeleteGroup",
    "DisableAccount",
    "EnableAccount",
    "RemoveMembers",
    "RenameAccount",
    "Revoke",
    "UpdateAccount",
    "UpdateGroup",
];

/// Lines of a failing seed's story that are shown without replaying it.
const SHOWN: usize = 200;

/// Runs these plans; a broken one ends the test with its story.
#[allow(clippy::panic, clippy::print_stdout, reason = "the body of two tests")]
fn run(what: &str, variable: &str, seeds: std::ops::Range<u64>, plan: impl Fn(u64) -> Plan) {
    if let Some(seed) = number(variable) {
        let outcome = simulate(&plan(seed));
        println!("{}", outcome.story.join("\n"));
        assert_eq!(outcome.broken, None, "seed {seed}");
        return;
    }
    let (mut writes, mut crashes, mut jumps, mut expired, mut restored, mut statuses) = (0, 0, 0, 0, 0, 0);
    let (mut loads, mut spells, mut losses, mut rollbacks) = (0, 0, 0, 0);
    let (began, count) = (Instant::now(), seeds.end - seeds.start);
    for seed in kept().chain(seeds) {
        println!("{variable}={seed}");
        let _tried = Tried { test: "simulation", seed };
        let outcome = simulate(&plan(seed));
        if let Some(broken) = outcome.broken {
            let last = outcome.story.len().saturating_sub(SHOWN);
            let story = outcome.story.get(last..).unwrap_or_default().join("\n");
            panic!(
                "{what} {seed}: {broken}\n{story}\nits whole story: {variable}={seed} cargo test -p tests --test simulation -- --nocapture"
            );
        }
        writes += outcome.writes;
        crashes += outcome.crashes;
        jumps += outcome.jumps;
        expired += outcome.expired;
        restored += outcome.restored;
        statuses += outcome.statuses;
        loads += outcome.loads;
        spells += outcome.spells;
        losses += outcome.losses;
        rollbacks += outcome.rollbacks;
    }
    let seconds = began.elapsed().as_secs();
    tests::tell(format!(
        "simulation: {count} {what}s, {writes} writes, {statuses} statuses, {crashes} crashes, {loads} ledgers read back, {losses} stores lost, {rollbacks} \
         put back from a copy, {spells} spells of trouble, {jumps} clocks set wrong, {expired} watches begun anew, {restored} identities made anew in {seconds} s"
    ));
    let all = [writes, statuses, crashes, loads, losses, rollbacks, spells, jumps, expired, restored];
    assert!(all.iter().all(|count| *count > 0), "{all:?}");
}

#[test]
fn whatever_goes_wrong_the_target_ends_as_declared_and_no_guard_is_broken() {
    let from = number("PROVOST_FROM").unwrap_or(0);
    run("seed", "PROVOST_SEED", from..from + number("PROVOST_SEEDS").unwrap_or(500), Plan::from_seed);
}

#[test]
fn where_targets_tell_what_has_changed_too() {
    let seeds = number("PROVOST_SEEDS").map_or(100, |seeds| seeds.div_ceil(5));
    let from = number("PROVOST_FROM").unwrap_or(0);
    run("told seed", "PROVOST_TOLD", from..from + seeds, Plan::told);
}

#[test]
fn after_a_year_of_joins_moves_renames_suspensions_ends_and_rehires_too() {
    let years = number("PROVOST_SEEDS").map_or(10, |seeds| seeds.div_ceil(50));
    let from = number("PROVOST_FROM").unwrap_or(0);
    run("year", "PROVOST_YEAR", from..from + years, Plan::year);
}

#[test]
fn after_weeks_at_a_target_that_hides_members_what_others_took_was_given_again() {
    for seed in 1..=4 {
        let outcome = simulate(&Plan::hidden(seed));
        assert_eq!(outcome.broken, None, "seed {seed}\n{}", outcome.story.join("\n"));
    }
}

/// A scenario in which nothing goes wrong by itself, with every kind of step; its writes.
#[allow(clippy::panic, reason = "the body of two tests")]
fn calm() -> (Plan, u64) {
    let plan = Plan::calm(CALM);
    let outcome = simulate(&plan);
    assert_eq!(outcome.broken, None, "{}", outcome.story.join("\n"));
    let kinds: Vec<&str> = outcome.kinds.into_iter().collect();
    assert_eq!(kinds, KINDS, "the scenario writes too little to prove anything");
    assert!(outcome.writes <= 150, "{} writes take too long to be gone through in turn", outcome.writes);
    (plan, outcome.writes)
}

#[test]
fn a_crash_after_each_write_in_turn_leads_to_the_same_end() {
    let (plan, writes) = calm();
    for crash in 1..=writes {
        let outcome = simulate(&Plan { crash_after: Some(crash), ..plan.clone() });
        assert_eq!(outcome.broken, None, "crash after write {crash}\n{}", outcome.story.join("\n"));
        assert_eq!(outcome.crashes, 1, "crash after write {crash}");
    }
    tests::tell(format!("simulation: a crash after each of {writes} writes in turn"));
}

#[test]
fn each_event_of_a_watch_in_turn_may_never_come_until_everything_is_listed_again() {
    let plan = Plan { people: 6, edits: 8, ..Plan::calm(DROPS) };
    let calm = simulate(&plan);
    assert_eq!(calm.broken, None, "{}", calm.story.join("\n"));
    assert!((40..=150).contains(&calm.events), "{} events", calm.events);
    for drop in 1..=calm.events {
        let outcome = simulate(&Plan { drop: Some(drop), ..plan.clone() });
        assert_eq!(outcome.broken, None, "event {drop} is dropped\n{}", outcome.story.join("\n"));
        assert!(outcome.dropped, "event {drop} is dropped");
    }
    tests::tell(format!("simulation: each of {} events of watches dropped in turn", calm.events));
}

#[test]
fn the_answer_of_each_write_in_turn_may_be_lost() {
    let (plan, writes) = calm();
    for lost in 1..=writes {
        let outcome = simulate(&Plan { lose: Some(lost), ..plan.clone() });
        assert_eq!(outcome.broken, None, "the answer of write {lost} is lost\n{}", outcome.story.join("\n"));
        assert!(outcome.lost, "the answer of write {lost} is lost");
    }
    tests::tell(format!("simulation: the answer of each of {writes} writes lost in turn"));
}

#[test]
fn neighbouring_seeds_draw_different_numbers() {
    let draws = |seed: u64| {
        let mut random = tests::simulation::Random::new(seed);
        (0..100).map(|_| random.below(1 << 40)).collect::<std::collections::BTreeSet<u64>>()
    };
    for seed in 0..100 {
        assert!(draws(seed).is_disjoint(&draws(seed + 1)), "seeds {seed} and {}", seed + 1);
    }
}
