//! How fast a target is asked: a token bucket, and pauses that it asks for or that its failures suggest.

use std::time::Duration;

/// Requests a second with a burst of one second's worth. Counts in millionths of a request.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: i64,
    /// Below zero where a request turned out to cost several.
    tokens: i64,
    filled: Duration,
    /// Until when the target asked to wait.
    asked_until: Duration,
    /// Until when its failures suggest to wait.
    paused_until: Duration,
}

const ONE: i64 = 1_000_000;

impl Rate {
    pub(super) fn new(per_second: u32, now: Duration) -> Self {
        let per_second = i64::from(per_second.max(1));
        Self {
            per_second,
            tokens: per_second * ONE,
            filled: now,
            asked_until: Duration::ZERO,
            paused_until: Duration::ZERO,
        }
    }

    /// The manifest says another rate.
    pub(super) fn set(&mut self, per_second: u32) {
        self.per_second = i64::from(per_second.max(1));
    }

    /// Whether a request may go now.
    pub(super) fn is_open(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.tokens >= ONE && now >= self.paused_until.max(self.asked_until)
    }

    /// When one may go next.
    pub(super) fn next(&self) -> Duration {
        let missing = u64::try_from(ONE.saturating_sub(self.tokens)).unwrap_or_default();
        let wait = Duration::from_micros(missing.div_ceil(self.per_second.unsigned_abs()));
        (self.filled + wait).max(self.paused_until).max(self.asked_until)
    }

    /// Takes one request.
    pub(super) fn take(&mut self) {
        self.tokens = self.tokens.saturating_sub(ONE);
    }

    /// What it turned out to cost beyond the one that was taken.
    pub(super) fn spent(&mut self, requests: u32, wait: Option<Duration>, now: Duration) {
        self.tokens = self.tokens.saturating_sub(i64::from(requests.saturating_sub(1)).saturating_mul(ONE));
        if let Some(wait) = wait {
            self.wait(now + wait);
        }
    }

    /// The target asked for it: nothing goes before this.
    pub(super) fn wait(&mut self, until: Duration) {
        self.asked_until = self.asked_until.max(until);
    }

    /// The target answers again: what its failures suggested is over, what it asked for is not.
    pub(super) fn resume(&mut self) {
        self.paused_until = Duration::ZERO;
    }

    /// It fails: nothing goes before this, unless it answers.
    pub(super) fn pause(&mut self, until: Duration) {
        self.paused_until = self.paused_until.max(until);
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled);
        let micros = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        self.tokens = self.tokens.saturating_add(micros.saturating_mul(self.per_second)).min(self.per_second * ONE);
        self.filled = now.max(self.filled);
    }
}

/// How long a target takes for one step. Where it takes one at a time, as many as it carries out within a moment go to the
/// connector together: it has the next one when it answers, whatever else is to be done here.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Lately; zero where it is not known.
    step: Duration,
}

/// Nothing urgent waits longer for a free request than this, as a rule.
const MOMENT: Duration = Duration::from_millis(10);
/// Together at most.
const FEW: u128 = 24;

impl Pace {
    /// So many steps were done in this time.
    pub(super) fn took(&mut self, time: Duration, steps: usize) {
        let each = time / u32::try_from(steps).unwrap_or(u32::MAX).max(1);
        self.step = if self.step.is_zero() { each } else { (self.step * 3 + each) / 4 };
    }

    /// How many it carries out within a moment.
    pub(super) fn together(&self) -> usize {
        let many = MOMENT.as_nanos().checked_div(self.step.as_nanos()).unwrap_or(1);
        usize::try_from(many.clamp(1, FEW)).unwrap_or(1)
    }
}

/// The wait before attempt `attempt` (from 1): doubling from `first` to `most`, plus up to a quarter that is a hash of
/// (id, attempt), so that runs replay and items do not march in step.
pub(super) fn backoff(id: &str, attempt: u32, first: Duration, most: Duration) -> Duration {
    let doubled =
        first.saturating_mul(1u32.checked_shl(attempt.saturating_sub(1).min(20)).unwrap_or(u32::MAX)).min(most);
    doubled + doubled.mul_f64(share(id, &attempt.to_be_bytes()) / 4.0)
}

/// The wait before the next full listing: the interval less up to a tenth that is a hash of (id, round), so that many
/// applications do not list at once, and runs replay.
pub(super) fn spread(id: &str, round: u64, interval: Duration) -> Duration {
    interval.mul_f64(1.0 - share(id, &round.to_be_bytes()) / 10.0)
}

/// At least 0 and less than 1: a hash of (id, n).
fn share(id: &str, n: &[u8]) -> f64 {
    let hash = id
        .bytes()
        .chain(n.iter().copied())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    f64::from(u32::try_from(hash >> 40).unwrap_or(0) % 1024) / 1024.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn so_many_go_together_as_are_done_within_a_moment_and_one_where_that_is_not_known() {
        let mut pace = Pace::default();
        assert_eq!(pace.together(), 1);
        pace.took(Duration::from_micros(2_400), 1);
        assert_eq!(pace.together(), 4);
        for _ in 0..20 {
            pace.took(Duration::from_micros(1_600), 8);
        }
        assert_eq!(pace.together(), 24);
        pace.took(Duration::from_millis(300), 1);
        assert_eq!(pace.together(), 1);
        // A clock that does not move says nothing.
        let mut pace = Pace::default();
        pace.took(Duration::ZERO, 1);
        assert_eq!(pace.together(), 1);
    }

    #[test]
    fn a_request_that_turns_out_to_cost_several_is_paid_for_before_the_next() {
        let mut rate = Rate::new(1, Duration::ZERO);
        for turn in 0..3 {
            let now = Duration::from_secs(3 * turn);
            assert!(rate.is_open(now), "after {now:?}");
            rate.take();
            rate.spent(3, None, now);
            let next = now + Duration::from_secs(3);
            assert_eq!(rate.next(), next);
            assert!(!rate.is_open(next.saturating_sub(Duration::from_millis(1))));
        }
    }

    #[test]
    fn listings_are_spread_over_the_last_tenth_of_the_interval_differently_each_round_and_the_same_in_each_run() {
        let interval = Duration::from_mins(10);
        let all = || (0..100).flat_map(|app| (1..4).map(move |round| spread(&format!("uid-{app}"), round, interval)));
        assert!(all().all(|wait| wait <= interval && wait >= interval.mul_f64(0.9)));
        assert!(all().collect::<BTreeSet<_>>().len() > 100, "they do not march in step");
        assert!(all().eq(all()));
    }
}
