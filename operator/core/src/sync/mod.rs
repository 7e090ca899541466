//! One target application as a state machine: events in, effects out, time as an argument. It owns the shadow of the
//! target, the cache of the ledger, the queue of accounts, the rate budget, retries and removal budgets. What is decided
//! is asked of the directory when an account's turn comes; nothing is decided here.

mod causes;
mod changes;
mod checks;
mod excess;
mod failed;
mod flight;
mod gather;
mod group;
mod image;
mod ledger;
mod lifecycle;
mod lookup;
mod lost;
mod mismatch;
mod observe;
mod order;
mod orphans;
mod outcome;
mod passing;
mod pump;
mod pushed;
mod queue;
mod rate;
mod restored;
mod row;
mod shadow;
mod standing;
mod subject;
mod table;
mod turn;
mod unbind;
mod unread;
mod view;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::changes::Changing;
use self::checks::Checks;
use self::flight::Flight;
use self::group::Groups;
use self::ledger::Cache;
use self::lookup::Looks;
use self::lost::Doubts;
pub use self::mismatch::Remembered;
use self::observe::Observing;
use self::queue::{Priority, Queue};
use self::rate::{Pace, Rate};
use self::shadow::Shadow;
pub use self::view::PlannedStep;
use crate::directory::Directory;
use crate::engine::{Counters, Effect, EffectId, Note};
use crate::model::{
    Applied, AttributeName, Capabilities, Connector, Entitlement, IntentId, Lane, LedgerChange, Meta, Name, Now,
    Profile, Reason, RecordId, Schema, Step, StoreStamp, TargetApplication, TargetError, TargetId,
};
use crate::report::{self, Board, Problem};

/// What a call may read besides the sync itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The namespace as it is declared.
    pub directory: &'a Directory,
    /// How accounts were last told to stand.
    pub board: &'a Board,
    /// Its name.
    pub namespace: &'a str,
    /// The time.
    pub now: Now,
    /// Called between two turns, and between what comes of two writes.
    pub between: fn(),
}

/// What a call wants done.
#[derive(Debug, Default)]
pub struct Out {
    /// The next free effect id; the engine hands it in and takes it back.
    pub next_effect: u64,
    /// Effects, in order.
    pub effects: Vec<(EffectId, Effect)>,
    /// Kubernetes events.
    pub notes: Vec<Note>,
    /// Accounts whose standing was determined, by identity.
    pub accounts: BTreeMap<Name, (bool, report::Account)>,
    /// Something about the application itself may have changed.
    pub changed: bool,
    /// Put our finalizer on, or take it off.
    pub finalizer: Option<bool>,
    /// Forget the connection.
    pub disconnect: bool,
}

impl Out {
    fn effect(&mut self, effect: Effect) -> EffectId {
        let id = EffectId(self.next_effect);
        self.next_effect += 1;
        self.effects.push((id, effect));
        id
    }
}

/// What an effect under way was for.
#[derive(Debug)]
enum Awaited {
    Load,
    Probe,
    Page,
    Find(Name, Now),
    Read(Name, TargetId, Now),
    Check(RecordId, TargetId, Now),
    Changes(Now),
    Record(Vec<LedgerChange>),
    /// And when they were sent.
    Apply(Vec<IntentId>, Duration),
}

impl Awaited {
    /// Whether it is a request to the target (rather than to the store).
    fn is_request(&self) -> bool {
        !matches!(self, Self::Load | Self::Record(_))
    }
}

/// Writes that were sent together, and how each ended.
type Landed = (Vec<IntentId>, Vec<Result<Applied, TargetError>>);

/// Where the application stands on its way to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The ledger is not loaded.
    Unloaded,
    /// The target was not reached (again) yet.
    Unprobed,
    /// At work.
    Ready,
}

/// A step that failed and when it may be tried again.
#[derive(Clone, Debug)]
struct Failed {
    step: Step,
    attempts: u32,
    until: Duration,
    /// It says nothing of the item: it need not wait any longer once another write is done. Good once, else one that always fails
    /// would be tried with each.
    passes: bool,
    problem: Problem,
}

/// Whether the target is reached.
#[derive(Debug, Default)]
struct Reach {
    /// The connector that was probed.
    connected: Option<Connector>,
    profile: Option<Profile>,
    /// Why the application as a whole does not get on.
    trouble: Option<Problem>,
    failures: u32,
    /// The last write failed in a way that says nothing of the item.
    takes_no_writes: bool,
    probe_failures: u32,
    /// Probes that failed since one succeeded; of `probe_failures` each request counts that was under way when contact was lost.
    failed_probes: u32,
    probe_at: Duration,
    /// Since when the target has not answered, also before this process began.
    lost_since: Option<Timestamp>,
}

/// What is recorded, and where.
#[derive(Debug, Default)]
struct Storing {
    /// The store that the ledger is in; `None`: one that is forgotten with the process.
    stamp: Option<StoreStamp>,
    /// What the status says of the ledger that was left.
    remembered: Remembered,
    recording: bool,
    /// When what is being recorded was asked for.
    since: Timestamp,
    failures: u32,
    again_at: Duration,
    /// Until when what is to be recorded waits for more.
    gathers_until: Option<Duration>,
    trouble: Option<Problem>,
}

/// One target application.
#[derive(Debug)]
pub struct Sync {
    application: Name,
    meta: Meta,
    settings: Arc<TargetApplication>,
    /// The catalogue, pushed groups included.
    entries: Arc<[Entitlement]>,
    /// The spec cannot be used: nothing is written.
    invalid: bool,
    schema: &'static Schema,
    phase: Phase,
    halted: bool,
    reach: Reach,
    retired: bool,
    /// What was last asked for our finalizer, and when.
    finalizer_asked: Option<(bool, Duration)>,
    started: Now,

    ledger: Cache,
    storing: Storing,
    shadow: Shadow,
    observing: Observing,
    last_was_page: bool,

    groups: Groups,

    queue: Queue,
    rate: Rate,
    pace: Pace,
    awaited: BTreeMap<EffectId, Awaited>,
    flights: BTreeMap<IntentId, Flight>,
    busy: BTreeMap<Name, IntentId>,
    /// Intents that are stored and wait to be sent.
    stored: BTreeSet<(Priority, IntentId)>,
    claims: BTreeMap<(AttributeName, String), Name>,
    waiting_for_claims: BTreeSet<Name>,
    /// Since when somebody is known to leave.
    leaving: BTreeMap<Name, Duration>,
    looks: Looks,
    checks: Checks,
    changing: Changing,
    doubts: Doubts,
    alone: BTreeSet<Name>,
    failed: BTreeMap<Name, Vec<Failed>>,
    settling: BTreeMap<Lane, waves::Settling>,
    /// Counts whatever may change a decision: all but that writes of ours were stored and done.
    heard: u64,
    /// What is not asked of the target is still to be done for the answers that came last.
    behind: bool,
    /// Answers to writes that are still to be taken in.
    landed: Vec<Landed>,

    planned: BTreeMap<Name, Vec<PlannedStep>>,
    counters: Counters,
    reconcile_now: Option<Arc<str>>,
    restored: restored::Restored,
}

/// An observation this young stands for a search by key.
const FRESH: Duration = Duration::from_mins(5);
/// Turns in one call at most: what is left goes on in the next. Every application may take so many before an edit is heard, so it
/// is few: all of them take some milliseconds.
const TURNS: usize = 8;
/// Who waits for a turn is foreseen, where a wave is due, so many in one call: that costs less than a turn, and begins with a look at
/// every member of the authoritative groups.
const FORESEEN: usize = 200;
/// Intents recorded ahead at most.
const AHEAD: usize = 64;
/// While so many writes are stored and wait for the target, what is to be recorded waits for more: one commit of the store
/// costs as much as several writes of a fast target. They last until that commit is done: with a quarter, slapd waited for every
/// other one.
const ENOUGH: usize = AHEAD / 2;
/// For so long at most.
const GATHER: Duration = Duration::from_millis(5);

impl Sync {
    /// A target application that was not known before; asks for its ledger.
    pub fn new(
        application: Name,
        meta: Meta,
        settings: Arc<TargetApplication>,
        schema: &'static Schema,
        now: Now,
        out: &mut Out,
    ) -> Self {
        let keys = key_attributes(&settings, schema);
        let rate = Rate::new(settings.sync.requests_per_second, now.mono);
        let mut sync = Self {
            application,
            reconcile_now: meta.reconcile_now.clone(),
            meta,
            entries: pushed::catalogue_of(&settings),
            settings,
            invalid: false,
            schema,
            phase: Phase::Unloaded,
            halted: false,
            reach: Reach::default(),
            retired: false,
            finalizer_asked: None,
            started: now,
            ledger: Cache::new(keys, schema),
            storing: Storing::default(),
            shadow: Shadow::default(),
            observing: Observing::default(),
            last_was_page: false,
            groups: Groups::default(),
            queue: Queue::default(),
            rate,
            pace: Pace::default(),
            awaited: BTreeMap::new(),
            flights: BTreeMap::new(),
            busy: BTreeMap::new(),
            stored: BTreeSet::new(),
            claims: BTreeMap::new(),
            waiting_for_claims: BTreeSet::new(),
            leaving: BTreeMap::new(),
            looks: Looks::default(),
            checks: Checks::default(),
            changing: Changing::default(),
            doubts: Doubts::default(),
            alone: BTreeSet::new(),
            failed: BTreeMap::new(),
            settling: BTreeMap::new(),
            heard: 0,
            behind: false,
            landed: Vec::new(),
            planned: BTreeMap::new(),
            counters: Counters::default(),
            restored: restored::Restored::default(),
        };
        let id = out.effect(Effect::Load);
        sync.awaited.insert(id, Awaited::Load);
        sync
    }

    fn capabilities(&self) -> Option<&Capabilities> {
        self.reach.profile.as_ref().map(|profile| &profile.capabilities)
    }

    fn visibility(&self) -> Duration {
        self.capabilities().map_or(Duration::ZERO, |c| c.visibility)
    }

    fn request_timeout(&self) -> Duration {
        self.capabilities().map_or(Duration::from_mins(1), |c| c.request_timeout)
    }

    /// Whether what an observation that began then says of something last written then is old news.
    fn is_old_news(&self, began: Timestamp, last_write: Option<Timestamp>) -> bool {
        let Some(written) = last_write else { return false };
        written.checked_add(self.visibility()).is_ok_and(|visible| began <= visible)
    }

    /// Whether a step may be written at all.
    fn may_write(&self) -> bool {
        self.phase == Phase::Ready
            && !self.halted
            && !self.invalid
            && self.reach.trouble.as_ref().is_none_or(|t| !stops_writes(t.reason()))
            && self.storing.trouble.is_none()
            && self.settings.mode == crate::model::SyncMode::Enforce
    }
}

/// Trouble during which nothing is written.
fn stops_writes(reason: Reason) -> bool {
    !matches!(reason, Reason::IncompleteObservation | Reason::RateLimited)
}

/// The attributes by which accounts are recognised.
fn key_attributes(settings: &TargetApplication, schema: &Schema) -> Vec<AttributeName> {
    let declared = settings.account.correlate.iter().map(|key| key.attribute.clone());
    let protected = settings.safety.protected.iter().map(|(attribute, _)| attribute.clone());
    let own = [Some(schema.user_name), schema.external_id, schema.mark, schema.protection];
    let own = own.into_iter().flatten().map(AttributeName::from);
    own.chain(declared).chain(protected).collect::<BTreeSet<_>>().into_iter().collect()
}
