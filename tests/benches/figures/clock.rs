//! Times of what is short.

use std::time::{Duration, Instant};

/// Sorted times of many runs.
pub struct Times(Vec<Duration>);

impl Times {
    /// Of what was measured one by one.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Half of them were shorter.
    pub fn median(&self) -> Duration {
        self.at(50)
    }

    /// So many in a hundred were shorter.
    pub fn at(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or_default()
    }
}

/// Nanoseconds of one run of what is too short for a clock: the median of 31 rounds of 10,000.
pub fn nanoseconds<T>(mut run: impl FnMut() -> T) -> f64 {
    const EACH: u32 = 10_000;
    let round = |run: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        for _ in 0..EACH {
            std::hint::black_box(run());
        }
        start.elapsed()
    };
    round(&mut run);
    let times = Times::new((0..31).map(|_| round(&mut run)).collect());
    times.median().as_secs_f64() * 1e9 / f64::from(EACH)
}

/// Processor time that this thread has had, to a few milliseconds; other programs on the machine do not lengthen it.
pub fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanoseconds = stat.split_whitespace().next().and_then(|field| field.parse().ok()).expect("its first field");
    Duration::from_nanos(nanoseconds)
}

/// How long something takes, and what it yields.
pub fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = run();
    (start.elapsed(), value)
}
