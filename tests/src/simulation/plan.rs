//! What a run is made of, and how it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use super::random::Random;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What all is drawn from.
    pub seed: u64,
    /// Identities at the start.
    pub people: u64,
    /// Edits of the declared state.
    pub edits: u64,
    /// Edits of targets behind our back.
    pub tampers: u64,
    /// Targets, store and network misbehave.
    pub faults: bool,
    /// Crashes in a hundred writes.
    pub crashes: u64,
    /// Crash once, after this write.
    pub crash_after: Option<u64>,
    /// The answer of this write is lost, though it was done.
    pub lose: Option<u64>,
    /// How long edits go on.
    pub span: Duration,
    /// Dates lie within this.
    pub pace: Duration,
    /// How often targets are observed.
    pub interval: Duration,
    /// The second application's target does not show who is in a group.
    pub blind: bool,
    /// It answers whether somebody is in one: what others took is given again in a day.
    pub answers: bool,
    /// Targets tell what has changed.
    pub tells: bool,
    /// How often this machine's clock is set wrong.
    pub jumps: u64,
    /// How often targets answer nothing but errors, or half of a listing, for a while.
    pub spells: u64,
    /// How often the store is lost; noticed by statuses, so in a whole run alone.
    pub losses: u64,
    /// How often an older copy of the store is put back, in a whole run.
    pub rollbacks: u64,
    /// Listings do not say how many things there are.
    pub uncounted: bool,
    /// This event of a watch is never shown, until everything is listed again.
    pub drop: Option<u64>,
    /// Statuses are written and the store is the real one, which take half of the time: not in every run.
    pub whole: bool,
}

impl Plan {
    /// Everything from the seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xabcd);
        let edits = 5 + random.below(40);
        let (people, crashes) = (4 + random.below(36), random.below(6));
        let calm = seed.is_multiple_of(5);
        let jumps = if calm { 0 } else { random.below(4) };
        let (spells, losses) = if calm { (0, 0) } else { (random.below(3), random.below(2)) };
        let rollbacks = if calm { 0 } else { random.below(2) };
        Self {
            seed,
            people,
            edits,
            tampers: if calm { 0 } else { edits / 3 },
            faults: !calm,
            crashes,
            crash_after: None,
            lose: None,
            span: Duration::from_secs(15 * edits),
            pace: Duration::from_mins(1),
            interval: Duration::from_mins(1),
            blind: seed.is_multiple_of(7),
            answers: false,
            tells: false,
            jumps,
            spells,
            losses,
            rollbacks,
            uncounted: seed.is_multiple_of(4),
            drop: None,
            whole: seed.is_multiple_of(3),
        }
    }

    /// The same at targets that tell what has changed, and are listed seldom.
    pub fn told(seed: u64) -> Self {
        Self { tells: true, interval: Duration::from_mins(10), ..Self::from_seed(seed) }
    }

    /// A year of joins, moves, renames, suspensions, ends and re-hires.
    pub fn year(seed: u64) -> Self {
        Self {
            people: 30,
            edits: 300,
            tampers: 100,
            faults: true,
            span: Duration::from_hours(365 * 24),
            pace: Duration::from_hours(20 * 24),
            interval: Duration::from_hours(48),
            jumps: 6,
            spells: 6,
            losses: 2,
            rollbacks: 2,
            ..Self::from_seed(seed)
        }
    }

    /// Weeks at a target that shows nobody's memberships and answers whether somebody has one.
    pub fn hidden(seed: u64) -> Self {
        let (span, pace) = (Duration::from_hours(21 * 24), Duration::from_hours(24));
        Self { people: 12, edits: 150, tampers: 50, blind: true, answers: true, span, pace, ..Self::year(seed) }
    }

    /// Edits, some of targets by others, but nothing that goes wrong.
    pub fn calm(seed: u64) -> Self {
        let span = Duration::from_mins(3);
        Self {
            people: 12,
            edits: 12,
            tampers: 6,
            faults: false,
            crashes: 0,
            span,
            blind: false,
            jumps: 0,
            spells: 0,
            losses: 0,
            rollbacks: 0,
            whole: true,
            ..Self::from_seed(seed)
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was broken, if something was.
    pub broken: Option<String>,
    /// The last things that happened.
    pub story: Vec<String>,
    /// Writes that reached a target.
    pub writes: u64,
    /// Crashes survived.
    pub crashes: u64,
    /// Kinds of steps that reached a target.
    pub kinds: BTreeSet<&'static str>,
    /// A write whose answer was to be lost reached a target.
    pub lost: bool,
    /// How often this machine's clock was set wrong.
    pub jumps: u64,
    /// How often targets had a spell of trouble.
    pub spells: u64,
    /// How often the store was lost.
    pub losses: u64,
    /// How often an older copy of it was put back.
    pub rollbacks: u64,
    /// What watches showed.
    pub events: u64,
    /// An event that was to be dropped was.
    pub dropped: bool,
    /// Watches whose history was gone.
    pub expired: u64,
    /// Identities that were deleted and made anew.
    pub restored: u64,
    /// Statuses that were written.
    pub statuses: u64,
    /// Ledgers that were read back after a crash.
    pub loads: u64,
}
