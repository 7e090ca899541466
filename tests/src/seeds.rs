//! Seeds of generated tests: `PROVOST_SEED=n` replays one; those that once failed are in `tests/seeds.txt`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

/// A seed under test: where the test fails while this is there, it is kept in `tests/seeds.txt` and replayed from then on.
#[derive(Debug)]
pub struct Tried {
    /// The test, and what of it.
    pub test: &'static str,
    /// From which everything is drawn.
    pub seed: u64,
}

impl Tried {
    /// It failed.
    pub fn keep(&self) {
        if !kept().any(|seed| seed == self.seed) {
            self.append(&Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds.txt"));
        }
    }

    /// Where the sources cannot be written, what the test prints says it alone.
    fn append(&self, file: &Path) {
        if let Ok(mut file) = OpenOptions::new().append(true).open(file) {
            _ = writeln!(file, "{} # {}: not looked into yet", self.seed, self.test);
        }
    }
}

impl Drop for Tried {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep();
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_fails_is_one_more_line_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seeds.txt");
        std::fs::write(&file, "8258 # oracle: an old one\n").unwrap();
        Tried { test: "simulation", seed: 7 }.append(&file);
        let lines = std::fs::read_to_string(&file).unwrap();
        assert_eq!(lines, "8258 # oracle: an old one\n7 # simulation: not looked into yet\n");
    }
}
