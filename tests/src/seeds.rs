//! Seeds of generated tests: `PROVOST_SEED=n` replays one; those that once failed are in `tests/seeds.txt`.

use std::time::SystemTime;

/// A number that whoever runs the test asks for.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Seeds that once failed, in whichever test.
pub fn kept() -> impl Iterator<Item = u64> {
    lines().map(|(seed, _)| seed)
}

/// For a test that takes a minute for each: those that once failed in it, and one of this moment; or the one asked for.
///
/// # Panics
/// If this machine's clock stands before 1970.
pub fn of_this_moment(test: &str) -> Vec<u64> {
    if let Some(seed) = number("PROVOST_SEED") {
        return vec![seed];
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    let failed = lines().filter(|(_, told)| told.starts_with(test)).map(|(seed, _)| seed);
    failed.chain([u64::from(now.subsec_nanos())]).collect()
}

/// Each seed, and what is told of it: the test it failed in, and how.
fn lines() -> impl Iterator<Item = (u64, &'static str)> {
    let lines = include_str!("../seeds.txt").lines().map(|line| line.split_once('#').unwrap_or((line, "")));
    let lines = lines.map(|(seed, told)| (seed.trim(), told.trim())).filter(|(seed, _)| !seed.is_empty());
    lines.map(|(seed, told)| (seed.parse().expect("a line of seeds.txt begins with a number"), told))
}
