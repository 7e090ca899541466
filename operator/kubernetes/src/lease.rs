//! Leader election by a `coordination.k8s.io/v1` Lease.
//!
//! Every write of the Lease carries the resourceVersion that was read, so that a former holder can never renew what
//! somebody else has taken. Expiry is judged as client-go does it, by this process's monotonic clock since the Lease
//! was last seen to change: clocks of different nodes are never compared. That we lead is judged by this machine's wall
//! clock as well, since the other one stands still while a machine is suspended.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::client::{CallError, call_within};

/// What this process is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// Somebody else leads, or nobody.
    No,
    /// We do, for so long from then unless it is renewed.
    Yes { epoch: u64, renewed: Moment, duration: Duration },
}

impl Lead {
    /// How long we lead for certain.
    fn remaining(self, now: Moment) -> Duration {
        match self {
            Self::Yes { renewed, duration, .. } => duration.saturating_sub(now.since(renewed)),
            Self::No => Duration::ZERO,
        }
    }

    /// The epoch if we lead.
    fn epoch(self, now: Moment) -> Option<u64> {
        match self {
            Self::Yes { epoch, .. } if !self.remaining(now).is_zero() => Some(epoch),
            _ => None,
        }
    }
}

/// A moment by both clocks of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    mono: Instant,
    wall: Timestamp,
}

impl Moment {
    fn now() -> Self {
        Self { mono: Instant::now(), wall: Timestamp::now() }
    }

    /// How long ago that was, by whichever clock went further: one may have stood still, the other may have been set back.
    fn since(self, earlier: Self) -> Duration {
        let wall = Duration::try_from(self.wall.duration_since(earlier.wall)).unwrap_or_default();
        self.mono.saturating_duration_since(earlier.mono).max(wall)
    }
}

/// Whether this process leads. Cheap to clone; every writer has one.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Lead>);

impl Leadership {
    /// The epoch if we lead: it grows with every acquisition (`spec.leaseTransitions`), and every stored intent is
    /// conditional on it.
    pub fn epoch(&self) -> Option<u64> {
        self.0.borrow().epoch(Moment::now())
    }

    /// Whether we lead now.
    pub fn leads(&self) -> bool {
        self.epoch().is_some()
    }

    /// How long we lead for certain; zero if we do not. No request to a target starts unless this exceeds its timeout.
    pub fn remaining(&self) -> Duration {
        self.0.borrow().remaining(Moment::now())
    }

    /// Waits until we lead and says the epoch; `None` if the election has ended.
    pub async fn acquired(&mut self) -> Option<u64> {
        loop {
            if let Some(epoch) = self.epoch() {
                return Some(epoch);
            }
            self.0.changed().await.ok()?;
        }
    }

    /// Waits until we do not lead any more, or lead with another epoch.
    pub async fn lost(&mut self, epoch: u64) {
        loop {
            let (lead, now) = (*self.0.borrow_and_update(), Moment::now());
            if lead.epoch(now) != Some(epoch) {
                return;
            }
            let until = now.mono + lead.remaining(now);
            tokio::select! {
                changed = self.0.changed() => if changed.is_err() {
                    // Nobody renews any more; what was won lasts until its time is over.
                    return tokio::time::sleep_until(until).await;
                },
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// One that leads for ever: for a command that runs alone, and for tests.
    pub fn always() -> Self {
        let (renewed, duration) = (Moment::now(), Duration::from_hours(24 * 365));
        Self(watch::channel(Lead::Yes { epoch: 1, renewed, duration }).1)
    }
}

/// Leader election on one Lease.
#[derive(Debug)]
pub struct Lease {
    api: Api<Object>,
    name: String,
    identity: String,
    duration: Duration,
    lead: watch::Sender<Lead>,
}

/// The Lease as it was last seen, and since when it has not changed.
struct Seen {
    version: String,
    holder: Option<String>,
    duration: Duration,
    transitions: u64,
    since: Instant,
}

impl Lease {
    /// On the Lease `name` of a namespace, as `identity` (a Pod's name), held for `duration` (15 s is usual) and
    /// renewed every fifth of it.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, duration: Duration) -> (Self, Leadership) {
        let (lead, leadership) = watch::channel(Lead::No);
        let api = Api::namespaced(client, namespace);
        (Self { api, name: name.to_owned(), identity: identity.to_owned(), duration, lead }, Leadership(leadership))
    }

    /// Campaigns and renews until `stop` resolves, then gives the Lease back, so that another one need not wait for
    /// it to expire. Stop writing before `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut seen: Option<Seen> = None;
        let mut last_epoch = 0;
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = self.round(&mut seen, &mut last_epoch) => {}
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(self.duration / 5) => {}
            }
        }
        let led = matches!(*self.lead.borrow(), Lead::Yes { .. });
        self.lead.send_replace(Lead::No);
        if led && let Err(error) = self.give_back().await {
            warn!(lease = self.name, %error, "the Lease was not given back; it expires by itself");
        }
    }

    async fn round(&self, seen: &mut Option<Seen>, last_epoch: &mut u64) {
        let began = Moment::now();
        let outcome = self.campaign(seen, *last_epoch, began).await;
        match outcome {
            Ok(Some(epoch)) => {
                if *last_epoch != epoch {
                    info!(lease = self.name, epoch, "leading");
                }
                *last_epoch = epoch;
                self.lead.send_replace(Lead::Yes { epoch, renewed: began, duration: self.duration });
            }
            Ok(None) => {
                if matches!(self.lead.send_replace(Lead::No), Lead::Yes { .. }) {
                    warn!(lease = self.name, "lost the lead; nothing is written any more");
                }
            }
            // Not an answer: we lead until the time that we had is over, and not longer.
            Err(error) => warn!(lease = self.name, %error, "the Lease could not be renewed"),
        }
    }

    /// One look and, where it is free or ours, one write. `Some(epoch)` if we lead.
    async fn campaign(&self, seen: &mut Option<Seen>, last: u64, now: Moment) -> Result<Option<u64>, CallError> {
        let Some(object) = call_within(self.limit(), self.api.get_opt(&self.name)).await? else {
            let epoch = last + 1;
            let lease = self.object(None, epoch, Some(MicroTime(Timestamp::now())));
            return match call_within(self.limit(), self.api.create(&PostParams::default(), &lease)).await {
                Ok(_) => Ok(Some(epoch)),
                Err(error) if error.code() == Some(409) => Ok(None),
                Err(error) => Err(error),
            };
        };
        let current = self.look(&object, seen.take(), now.mono);
        let ours = current.holder.as_deref() == Some(self.identity.as_str());
        let free = current.holder.is_none() || now.mono >= current.since + current.duration;
        let leading = self.lead.borrow().epoch(now).is_some();
        let renewal = ours && leading;
        if !renewal && !free && !ours {
            *seen = Some(current);
            return Ok(None);
        }
        let epoch = if renewal { current.transitions } else { current.transitions.max(last) + 1 };
        let acquired = if renewal {
            object.spec.as_ref().and_then(|spec| spec.acquire_time.clone())
        } else {
            Some(MicroTime(Timestamp::now()))
        };
        let lease = self.object(Some(current.version.clone()), epoch, acquired);
        *seen = Some(current);
        match call_within(self.limit(), self.api.replace(&self.name, &PostParams::default(), &lease)).await {
            Ok(_) => Ok(Some(epoch)),
            // Somebody else was quicker; the next round looks again.
            Err(error) if error.code() == Some(409) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn look(&self, object: &Object, before: Option<Seen>, now: Instant) -> Seen {
        let version = object.resource_version().unwrap_or_default();
        if let Some(before) = before
            && before.version == version
        {
            return before;
        }
        let spec = object.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
        Seen {
            version,
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            duration: seconds.map_or(self.duration, Duration::from_secs),
            transitions: spec.lease_transitions.and_then(|t| u64::try_from(t).ok()).unwrap_or_default(),
            since: now,
        }
    }

    fn object(&self, version: Option<String>, epoch: u64, acquired: Option<MicroTime>) -> Object {
        Object {
            metadata: ObjectMeta { name: Some(self.name.clone()), resource_version: version, ..ObjectMeta::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
                acquire_time: acquired,
                renew_time: Some(MicroTime(Timestamp::now())),
                lease_transitions: i32::try_from(epoch).ok(),
                ..LeaseSpec::default()
            }),
        }
    }

    async fn give_back(&self) -> Result<(), CallError> {
        let Some(mut object) = call_within(self.limit(), self.api.get_opt(&self.name)).await? else { return Ok(()) };
        let Some(spec) = object.spec.as_mut() else { return Ok(()) };
        if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
            // Emptied, not removed: `leaseTransitions` must stay, epochs never run backwards.
            spec.holder_identity = None;
            call_within(self.limit(), self.api.replace(&self.name, &PostParams::default(), &object)).await?;
        }
        Ok(())
    }

    /// Two calls and a pause fit into the time between two renewals and expiry.
    fn limit(&self) -> Duration {
        self.duration / 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    /// How long who renewed the Lease at `from` still leads, so many seconds later by each clock.
    fn remaining(from: Moment, mono: u64, wall: i64) -> u64 {
        let lead = Lead::Yes { epoch: 7, renewed: from, duration: DURATION };
        let wall = Timestamp::from_second(from.wall.as_second() + wall).unwrap();
        let now = Moment { mono: from.mono + Duration::from_secs(mono), wall };
        let remaining = lead.remaining(now);
        assert_eq!(lead.epoch(now), (!remaining.is_zero()).then_some(7));
        remaining.as_secs()
    }

    #[test]
    fn the_lead_is_over_when_either_clock_says_so() {
        let from = Moment { mono: Instant::now(), wall: Timestamp::from_second(1_800_000_000).unwrap() };
        assert_eq!(remaining(from, 5, 5), 10);
        assert_eq!(remaining(from, 15, 15), 0);
        assert_eq!(remaining(from, 1, 30), 0, "the machine was suspended: the monotonic clock stood still");
        assert_eq!(remaining(from, 5, -3600), 10, "a wall clock that is set back makes it no longer");
        assert_eq!(remaining(from, 15, -3600), 0);
    }
}
