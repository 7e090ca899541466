//! Seeds of the simulation: `PROVOST_SEED=n` replays one with its story, `PROVOST_SEEDS=n` says how many to run.

use tests::simulation::{Plan, simulate};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Seeds that once failed.
#[allow(clippy::expect_used, reason = "a test says what is wrong with its own list by failing")]
fn kept() -> impl Iterator<Item = u64> {
    let lines = include_str!("../seeds.txt").lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(|line| line.parse().expect("a line of seeds.txt begins with a number"))
}

#[test]
fn whatever_goes_wrong_the_target_ends_as_declared_and_no_guard_is_broken() {
    if let Some(seed) = number("PROVOST_SEED") {
        let outcome = simulate(&Plan::from_seed(seed));
        println!("{}", outcome.story.join("\n"));
        assert_eq!(outcome.broken, None, "seed {seed}");
        return;
    }
    let (mut writes, mut crashes) = (0, 0);
    for seed in kept().chain(0..number("PROVOST_SEEDS").unwrap_or(100)) {
        println!("PROVOST_SEED={seed}");
        let outcome = simulate(&Plan::from_seed(seed));
        if let Some(broken) = outcome.broken {
            panic!("seed {seed}: {broken}\n{}\nreplay: PROVOST_SEED={seed}", outcome.story.join("\n"));
        }
        writes += outcome.writes;
        crashes += outcome.crashes;
    }
    println!("{writes} writes, {crashes} crashes");
    assert!(writes > 0 && crashes > 0);
}

#[test]
fn a_crash_after_each_write_in_turn_leads_to_the_same_end() {
    let writes = simulate(&Plan::calm(7)).writes;
    assert!(writes > 30, "the scenario writes too little to prove anything: {writes}");
    for crash in 1..=writes {
        let outcome = simulate(&Plan { crash_after: Some(crash), ..Plan::calm(7) });
        assert_eq!(outcome.broken, None, "crash after write {crash}\n{}", outcome.story.join("\n"));
        assert_eq!(outcome.crashes, 1, "crash after write {crash}");
    }
}
