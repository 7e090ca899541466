//! This machine's clock, which is set wrong at times, and the API server's, which is right. The monotonic one goes on.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_core::engine::{Clock, EngineEvent};
use provost_core::model::Now;

use super::run::{Event, Sim};
use super::store::Memory;

/// How often the operator asks the API server what time it is.
const COMPARED: Duration = Duration::from_secs(30);
/// A difference that is taken for the delay of an answer.
const TOLERATED: SignedDuration = SignedDuration::from_secs(60);

/// What this process makes of the clocks.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    clock: Clock,
    /// How far this machine's clock is from the right time.
    wrong: SignedDuration,
    /// The time by which was last decided.
    decided: Option<Timestamp>,
    /// What was last recorded was recorded by this time.
    pub(super) recorded: Option<Timestamp>,
    told: Option<std::sync::Arc<str>>,
}

impl Sim {
    /// The right time.
    pub(super) fn wall(&self) -> Timestamp {
        let base: Timestamp = Timestamp::from_second(1_800_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
        base.checked_add(self.now).unwrap_or(base)
    }

    /// What this machine's clocks show.
    fn shown(&self) -> Now {
        let right = self.wall();
        Now { wall: right.checked_add(self.clocks.wrong).unwrap_or(right), mono: self.now }
    }

    /// The time by which the engine decides: it never runs backwards, and never ahead of the right one.
    pub(super) fn clock(&mut self) -> Now {
        let shown = self.shown();
        let now = self.clocks.clock.time(shown);
        let ahead = now.wall.duration_since(self.wall());
        if ahead > TOLERATED {
            self.fail(format!("it is decided by a time that is {ahead:#} ahead"));
        }
        // Over a restart a difference is tolerated as ever: a store remembers minutes.
        let recorded = self.clocks.recorded.and_then(|at| at.checked_sub(TOLERATED).ok());
        let before = self.clocks.decided.or(recorded);
        if let Some(before) = before.filter(|before| *before > now.wall) {
            self.fail(format!("the time runs backwards, from {before} to {}", now.wall));
        }
        if self.clocks.wrong.is_zero() && now.wall < shown.wall {
            self.fail(format!("the clocks agree on {}, and it is decided by {}", shown.wall, now.wall));
        }
        self.clocks.decided = Some(now.wall);
        now
    }

    /// The time by which was last decided.
    pub(super) fn decided(&self) -> Timestamp {
        self.clocks.decided.unwrap_or_else(|| self.wall())
    }

    /// A process begins: it asks the API server, and the store how far it has come.
    pub(super) fn begin_clocks(&mut self) {
        let Clocks { wrong, recorded, .. } = self.clocks;
        self.clocks = Clocks { wrong, recorded, ..Clocks::default() };
        let (right, shown) = (self.wall(), self.shown());
        self.clocks.clock.compare(right, shown);
        let minute = recorded.map_or(0, |at| at.as_second() / 60);
        let epoch = self.memory.as_ref().map_or(minute, Memory::epoch);
        if epoch != minute {
            self.fail(format!("the store was written to until minute {epoch}, not {minute}"));
        }
        if let Ok(reached) = Timestamp::from_second(epoch * 60) {
            self.clocks.clock.remember(reached);
        }
    }

    /// Somebody, or something, sets this machine's clock.
    pub(super) fn set_clock(&mut self) {
        let far = if self.random.chance(50) {
            SignedDuration::from_secs(120 + i64::try_from(self.random.below(1800)).unwrap_or(0))
        } else {
            SignedDuration::from_hours(1 + i64::try_from(self.random.below(200)).unwrap_or(0))
        };
        let ahead = self.random.chance(50);
        self.wrong_by(if ahead { far } else { -far });
        self.out.jumps += 1;
        let wait = self.random.within(self.plan.span / 8);
        self.later(wait, Event::RightClock);
    }

    /// This machine's clock is wrong by so much from now on; the operator compares again within half a minute.
    pub(super) fn wrong_by(&mut self, far: SignedDuration) {
        self.clocks.wrong = far;
        self.say(&format!("this machine's clock is wrong by {far:#}"));
        let wait = self.random.within(COMPARED);
        self.later(wait, Event::Compare);
    }

    /// The operator asks the API server what time it is.
    pub(super) fn compare(&mut self) {
        let (right, shown) = (self.wall(), self.shown());
        self.clocks.clock.compare(right, shown);
        self.handle(EngineEvent::Tick);
    }

    /// The engine is told whenever it changes whether the clocks agree.
    pub(super) fn told_clocks(&mut self) -> Option<EngineEvent> {
        let skew = self.clocks.clock.skew(self.shown());
        (skew != self.clocks.told).then(|| {
            self.clocks.told.clone_from(&skew);
            EngineEvent::Clocks(skew)
        })
    }
}
