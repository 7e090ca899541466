//! Randomness of tests: one number decides everything, it is told, and one that failed is kept.

/// SplitMix64: the next 64 bits.
pub(crate) fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The seeds of a run: the one that `PROVOST_SEED` names, else those that once failed, then others. Each is printed before
/// it is used, so that the last one is told whatever happens next.
#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a seed is told to, and replayed by, whoever runs the test"
)]
pub(crate) fn seeds(others: impl IntoIterator<Item = u64>) -> impl Iterator<Item = u64> {
    let one = std::env::var("PROVOST_SEED").ok().map(|seed| seed.parse().expect("PROVOST_SEED is a number"));
    let seeds: Vec<u64> = one.map_or_else(|| kept().into_iter().chain(others).collect(), |seed| vec![seed]);
    let shown: Vec<String> = seeds.iter().take(3).chain(seeds.iter().skip(3).last()).map(u64::to_string).collect();
    tell(&format!("{} seeds: {}", seeds.len(), shown.join(", ")));
    seeds.into_iter().inspect(|seed| println!("PROVOST_SEED={seed}"))
}

/// Says what a test has seen, past the capture of its output: a green run shows it too.
pub(crate) fn tell(seen: &str) {
    use std::io::Write as _;
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = std::io::stderr().write_all(format!("{test}: {seen}\n").as_bytes());
}

/// The seeds of `tests/seeds.txt`.
fn kept() -> Vec<u64> {
    let lines = include_str!("../../../tests/seeds.txt").lines().map(|line| line.split('#').next().unwrap_or_default());
    let seeds = lines.map(str::trim).filter(|line| !line.is_empty());
    seeds.map(|seed| seed.parse().expect("a line of tests/seeds.txt begins with a number")).collect()
}

#[test]
fn splitmix64_gives_its_published_numbers() {
    let mut state = 1_234_567;
    let first = [(); 3].map(|()| splitmix64(&mut state));
    assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}
