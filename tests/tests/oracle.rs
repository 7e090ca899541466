//! The oracle: what the semantics say should come of generated directories, compared with what the engine makes of them.
//! `PROVOST_SEED=n` replays one with its story, `PROVOST_SEEDS=n` says how many to run, `PROVOST_FROM=n` from which.

use std::time::Instant;

use tests::oracle::run;
use tests::seeds::{Tried, kept, number};

#[test]
#[allow(clippy::panic, clippy::print_stdout, reason = "a seed is printed before it is used")]
fn a_target_becomes_what_the_semantics_say() {
    if let Some(seed) = number("PROVOST_SEED") {
        let outcome = run(seed);
        println!("{}", outcome.story.join("\n"));
        assert!(outcome.broken.is_none(), "seed {seed}: {}", outcome.broken.unwrap_or_default());
        return;
    }
    let (from, count) = (number("PROVOST_FROM").unwrap_or(0), number("PROVOST_SEEDS").unwrap_or(3000));
    let (mut compared, mut unsaid, mut writes, mut broken) = (0, 0, 0, Vec::new());
    let began = Instant::now();
    for seed in kept().chain(from..from + count) {
        println!("PROVOST_SEED={seed}");
        let outcome = run(seed);
        (compared, unsaid, writes) = (compared + outcome.compared, unsaid + outcome.unsaid, writes + outcome.writes);
        if outcome.broken.is_some() {
            Tried { test: "oracle", seed }.keep();
        }
        broken.extend(outcome.broken.map(|what| format!("seed {seed}: {what}")));
    }
    let seconds = began.elapsed().as_secs();
    tests::tell(format!(
        "oracle: {count} directories, {compared} accounts compared, {unsaid} of which the text says nothing, {writes} writes in {seconds} s"
    ));
    let many = broken.len();
    broken.truncate(10);
    assert!(
        broken.is_empty(),
        "{many} differ; their story: PROVOST_SEED=n cargo test -p tests --test oracle\n{}",
        broken.join("\n")
    );
    assert!(writes > 8 * count && unsaid * 10 < compared);
}
