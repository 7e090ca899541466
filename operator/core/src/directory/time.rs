//! What happens by itself: starts, ends, lead times, windows, memberships that run out.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

use super::Directory;
use super::rules::GroupId;
use super::settle::Pass;
use super::table::{IdentityId, PolicyId};
use crate::model::{AccessPolicy, Effect, Name, PolicyMode, State, SyncMode};

/// An object that time changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    Identity(IdentityId),
    Group(GroupId),
    Policy(PolicyId),
}

impl Directory {
    /// Moves the directory's time. Backwards too: a clock that was set wrong is set right again.
    pub(crate) fn turn(&mut self, now: Timestamp, pass: &mut Pass) {
        let before = std::mem::replace(&mut self.now, now);
        let due: Vec<Timer> = if now >= before {
            self.timers.range(..=now).flat_map(|(_, timers)| timers.iter().copied()).collect()
        } else {
            // Seldom enough to look at everything.
            self.timed().filter(|timer| self.moments(*timer).iter().any(|at| now < *at && *at <= before)).collect()
        };
        let passed = now.min(before)..=now.max(before);
        for timer in due {
            match timer {
                Timer::Identity(id) => self.identity_due(id, pass),
                Timer::Group(id) => self.group_due(id, &passed, pass),
                Timer::Policy(id) => self.policy_due(id, pass),
            }
            self.arm(timer);
        }
    }

    fn identity_due(&mut self, id: IdentityId, pass: &mut Pass) {
        let now = self.now;
        let Some(entry) = self.identities.get_mut(id) else { return };
        let state = entry.state_at(now);
        let changed = std::mem::replace(&mut entry.state, state) != state;
        pass.touch_identity(id);
        if changed {
            pass.members.insert(id);
            pass.matches.insert(id);
        }
        // An ended identity gives way to its duplicate.
        if changed {
            self.rivals(id, pass);
        }
    }

    fn group_due(&mut self, id: GroupId, passed: &RangeInclusive<Timestamp>, pass: &mut Pass) {
        pass.groups.insert(id);
        let Some(spec) = self.group_spec(id) else { return };
        let in_passed = |end: &Option<Timestamp>| end.is_some_and(|end| passed.contains(&end));
        pass.members.extend(spec.listed.ends().iter().filter(|(_, end)| passed.contains(end)).map(|(id, _)| *id));
        for (nested, _) in spec.nested.iter().filter(|(_, end)| in_passed(end)) {
            self.everyone_in(*nested, pass);
        }
    }

    fn policy_due(&mut self, id: PolicyId, pass: &mut Pass) {
        let now = self.now;
        let Some(entry) = self.policies.get_mut(id) else { return };
        entry.open = entry.spec.as_ref().is_ok_and(|spec| spec.policy.in_window(now));
        pass.policies.insert(id);
    }

    /// Sets the timer of an object to its next moment.
    pub(crate) fn arm(&mut self, timer: Timer) {
        if let Some(old) = self.armed.remove(&timer)
            && let Some(timers) = self.timers.get_mut(&old)
        {
            timers.remove(&timer);
            if timers.is_empty() {
                self.timers.remove(&old);
            }
        }
        if let Some(next) = self.moments(timer).into_iter().filter(|at| *at > self.now).min() {
            self.armed.insert(timer, next);
            self.timers.entry(next).or_default().insert(timer);
        }
        if let Timer::Identity(id) = timer {
            let pending = self.identities.get(id).is_some_and(|entry| entry.state == State::Pending);
            if pending {
                self.pending.insert(id);
            } else {
                self.pending.remove(id);
            }
        }
    }

    /// When an object changes by itself, past and to come.
    fn moments(&self, timer: Timer) -> Vec<Timestamp> {
        match timer {
            Timer::Identity(id) => {
                let Some(lifecycle) = self.identities.get(id).and_then(|entry| entry.lifecycle()) else {
                    return Vec::new();
                };
                let lead = |start: Timestamp| self.lead_times.iter().filter_map(move |lead| before(start, *lead));
                let leads = lifecycle.start.into_iter().flat_map(lead);
                leads.chain(lifecycle.start).chain(lifecycle.end).collect()
            }
            Timer::Group(id) => {
                let Some(spec) = self.group_spec(id) else { return Vec::new() };
                spec.listed.ends().values().chain(spec.nested.values().flatten()).copied().collect()
            }
            Timer::Policy(id) => {
                let Some(Ok(spec)) = self.policies.get(id).map(|entry| &entry.spec) else { return Vec::new() };
                spec.policy.not_before.into_iter().chain(spec.policy.not_after).collect()
            }
        }
    }

    /// When an identity starts that has not yet, and from when on it has accounts as things are declared; `None`: not before
    /// something is edited.
    pub fn starts(&self, name: &Name) -> Option<(Timestamp, Option<Timestamp>)> {
        let entry = self.entry(name).filter(|entry| entry.state == State::Pending)?;
        let at = entry.lifecycle()?.start?;
        let policies = entry.policies.sure().iter().filter_map(|id| self.policies.get(*id)?.spec.as_ref().ok());
        let enforced = |application: &Name| {
            self.application_spec(application).is_some_and(|spec| spec.application.mode == SyncMode::Enforce)
        };
        let given = |policy: &AccessPolicy| {
            let mut applications = policy.grants.iter().map(|grant| &grant.application);
            applications.any(|one| enforced(one) && self.decision(name, one).account.is_sure())
        };
        let lasts = |policy: &AccessPolicy| policy.not_after.is_none_or(|end| end > at);
        let allows = policies.map(|spec| &spec.policy).filter(|policy| {
            policy.mode == PolicyMode::Enforce && policy.effect == Effect::Allow && lasts(policy) && given(policy)
        });
        let from = allows.map(|policy| policy.lead_time.and_then(|lead| before(at, lead)).unwrap_or(at));
        Some((at, from.min()))
    }

    fn timed(&self) -> impl Iterator<Item = Timer> {
        let identities = self.identities.iter().map(|(id, ..)| Timer::Identity(id));
        let groups = self.groups.iter().map(|(id, ..)| Timer::Group(id));
        identities.chain(groups).chain(self.policies.iter().map(|(id, ..)| Timer::Policy(id)))
    }

    /// The lead times in force have changed: whoever is yet to start has other moments.
    pub(crate) fn rearm_pending(&mut self) {
        for id in self.pending.clone().iter() {
            self.arm(Timer::Identity(id));
        }
    }

    /// The next moment of one policy or group, for its status.
    pub(crate) fn next_moment(&self, timer: Timer) -> Option<Timestamp> {
        self.armed.get(&timer).copied()
    }
}

/// A time before another one; `None` where the calendar ends.
pub(crate) fn before(at: Timestamp, by: std::time::Duration) -> Option<Timestamp> {
    at.checked_sub(SignedDuration::try_from(by).ok()?).ok()
}
