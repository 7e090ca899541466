//! Which time it is when clocks disagree: this machine's, and the API server's, carried on by the monotonic clock.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::Now;

/// More than this is no delay of an answer.
const TOLERATED: SignedDuration = SignedDuration::from_secs(60);

/// Compares clocks, and says the time to decide by.
///
/// Guarantees, once there was something to compare with: while the clocks differ by more than a minute a date has come only
/// when both have passed it, so nobody is removed by a clock that is wrong; and the time never runs backwards, also not over
/// a restart, as far as either clock confirms what was reached before.
#[derive(Debug, Default)]
pub struct Clock {
    compared: Option<Compared>,
    last: Option<Timestamp>,
    reached: Option<Timestamp>,
}

/// What the API server's clock showed, and when.
#[derive(Clone, Copy, Debug)]
struct Compared {
    server: Timestamp,
    mono: std::time::Duration,
}

impl Clock {
    /// The API server's clock shows `server` now.
    pub fn compare(&mut self, server: Timestamp, now: Now) {
        self.compared = Some(Compared { server, mono: now.mono });
    }

    /// What was decided before this process began was decided by this time: whoever started by then is not to wait again
    /// because a clock is behind now.
    pub fn remember(&mut self, reached: Timestamp) {
        self.reached = self.reached.max(Some(reached));
    }

    /// The time to decide by, given what this machine's clocks show.
    pub fn time(&mut self, now: Now) -> Now {
        let Some(expected) = self.expected(now) else { return now };
        let wall = if is_skewed(now.wall, expected) {
            let (earlier, later) = (now.wall.min(expected), now.wall.max(expected));
            self.reached.map_or(earlier, |reached| reached.clamp(earlier, later))
        } else {
            now.wall
        };
        let wall = self.last.map_or(wall, |last| last.max(wall));
        self.last = Some(wall);
        Now { wall, mono: now.mono }
    }

    /// What is wrong with the clocks, in words that do not change while it is.
    pub fn skew(&self, now: Now) -> Option<Arc<str>> {
        let expected = self.expected(now).filter(|expected| is_skewed(now.wall, *expected))?;
        let which = if now.wall > expected { "ahead of" } else { "behind" };
        let text = format!(
            "the operator's clock is {which} the API server's by more than a minute: dates count only once both have passed \
             them; correct the clock that is wrong"
        );
        Some(text.into())
    }

    /// What the API server's clock must show by now.
    fn expected(&self, now: Now) -> Option<Timestamp> {
        let Compared { server, mono } = self.compared?;
        server.checked_add(now.mono.saturating_sub(mono)).ok()
    }
}

fn is_skewed(wall: Timestamp, expected: Timestamp) -> bool {
    wall.duration_since(expected).abs() > TOLERATED
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// This machine's clocks: wall and monotonic, in seconds.
    fn now(wall: i64, mono: u64) -> Now {
        Now { wall: at(wall), mono: Duration::from_secs(mono) }
    }

    #[test]
    fn the_earlier_clock_counts_while_they_disagree() {
        // What the API server said at second 0 of the monotonic clock; this machine's clocks later; the time; whether it is told.
        let table = [
            ("they agree", 0, now(100, 100), 100, None),
            ("an answer was slow", 0, now(150, 100), 150, None),
            ("this one is ahead", 0, now(3700, 100), 100, Some("ahead of")),
            ("this one is behind", 3600, now(100, 100), 100, Some("behind")),
            ("the other one is behind", -3600, now(100, 100), -3500, Some("ahead of")),
            ("this one was set forward after they agreed", 0, now(7300, 100), 100, Some("ahead of")),
        ];
        for (case, server, later, expected, told) in table {
            let mut clock = Clock::default();
            clock.compare(at(server), now(0, 0));
            assert_eq!(clock.time(later).wall, at(expected), "{case}");
            let skew = clock.skew(later);
            assert_eq!(skew.is_some(), told.is_some(), "{case}: {skew:?}");
            assert!(told.is_none_or(|told| skew.unwrap().contains(told)), "{case}");
        }
    }

    #[test]
    fn a_jump_that_the_api_server_confirms_is_no_skew_any_more() {
        let mut clock = Clock::default();
        clock.compare(at(0), now(0, 0));
        // The machine slept: the monotonic clock did not go on.
        assert_eq!(clock.time(now(3600, 1)).wall, at(1));
        clock.compare(at(3600), now(3601, 2));
        assert_eq!(clock.time(now(3601, 2)).wall, at(3601));
        assert_eq!(clock.skew(now(3601, 2)), None);
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut clock = Clock::default();
        clock.compare(at(0), now(0, 0));
        assert_eq!(clock.time(now(1000, 1000)).wall, at(1000));
        clock.compare(at(-5000), now(1001, 1001));
        assert_eq!(clock.time(now(1001, 1001)).wall, at(1000), "dates that have come have come");
    }

    #[test]
    fn what_was_reached_before_a_restart_stands_while_the_clocks_disagree() {
        // What was reached before, this machine's clock, the time. The API server's shows 0.
        let table = [
            ("this one is behind", -100, -7200, -100),
            ("nothing is reached that neither clock confirms", 500, -7200, 0),
            ("this one is ahead", -100, 7200, 0),
            ("what they agree on counts", 500, 10, 10),
        ];
        for (case, reached, shown, expected) in table {
            let mut clock = Clock::default();
            clock.compare(at(0), now(shown, 0));
            clock.remember(at(reached));
            assert_eq!(clock.time(now(shown, 0)).wall, at(expected), "{case}");
        }
    }

    #[test]
    fn with_nothing_to_compare_with_there_is_no_verdict() {
        let mut clock = Clock::default();
        assert_eq!(clock.time(now(5, 0)), now(5, 0));
        assert_eq!(clock.skew(now(5, 0)), None);
    }
}
