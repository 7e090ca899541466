use std::sync::Arc;

use super::adopt::{stays_deleted, without_account};
use super::correlate;
use super::entitlements::{Entitlements, Fate, Holding, entitlements, fate, join, rests_on};
use super::{AppRules, Change, Lookup, Planned, Seen, Shade, Subject, Verdict, attributes};
use crate::directory::{Standing, Wanted};
use crate::model::{DeleteMeans, DeprovisionStep, Lane, Name, Now, Reason, Record, RecordState, State, Step, TargetId};
use crate::report::{self, Problem};

/// What an account is to become.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// In use, as decided.
    Use,
    /// There, disabled, with what is decided (suspended) or with nothing (in its lead time).
    Rest { create: bool, holding: Holding, lane: Lane, why: &'static str },
    /// Left as it is.
    Leave(Option<Problem>),
    /// Not to be had.
    Remove { how: DeprovisionStep, holding: Holding, lane: Lane, why: &'static str },
}

/// What to do about one account. Steps come in the order in which they are due; nothing is removed without a record.
pub fn account(subject: &Subject<'_>, rules: &AppRules<'_>, now: Now) -> Verdict {
    let goal = goal(subject, rules);
    let mut verdict = match subject.record {
        None => without_account(subject, None, &goal, rules),
        Some(record) => match (&record.target_id, record.state) {
            (_, RecordState::Released) => Verdict::default(),
            (None, _) => without_account(subject, Some(record), &goal, rules),
            (Some(id), _) => with_account(subject, record, id, &goal, rules, now),
        },
    };
    verdict.desired = match goal {
        Goal::Use | Goal::Rest { create: true, .. } => true,
        Goal::Rest { .. } | Goal::Leave(_) => subject.record.is_some(),
        Goal::Remove { .. } => false,
    };
    debug_assert!(
        subject.record.is_some() || verdict.steps.iter().all(|s| matches!(s.step, Step::CreateAccount { .. }))
    );
    verdict
}

/// What the decision and the lifecycle say, before the target is looked at.
fn goal(subject: &Subject<'_>, rules: &AppRules<'_>) -> Goal {
    let deprovision = &rules.settings.deprovision;
    let lost = Goal::Remove {
        how: deprovision.lost,
        holding: Holding::Nothing,
        lane: Lane::Derived,
        why: if rules.deprovision { "application deleted" } else { "no access any more" },
    };
    let Some(standing) = subject.decision.owner else {
        let (lane, why) = (Lane::Derived, "identity deleted");
        return Goal::Remove { how: deprovision.ended, holding: Holding::NothingAtAll, lane, why };
    };
    let lane = if standing.explicit { Lane::Explicit } else { Lane::Derived };
    match standing.state {
        State::Ended => Goal::Remove { how: deprovision.ended, holding: Holding::NothingAtAll, lane, why: "ended" },
        _ if rules.deprovision => lost,
        State::Suspended if standing.frozen.is_none() && stays_lost(subject) => lost,
        State::Suspended => {
            Goal::Rest { create: false, holding: frozen_or(standing, Holding::NothingNew), lane, why: "suspended" }
        }
        _ if standing.frozen.is_some() => Goal::Leave(standing.frozen.map(frozen_problem)),
        State::Pending => {
            // What a Deny withholds, or may, is not prepared either.
            let create = standing.lead && subject.decision.account.is_sure();
            Goal::Rest { create, holding: Holding::Nothing, lane: Lane::Derived, why: "not started" }
        }
        State::Active => match fate(&subject.decision.account, subject.record.map(|r| &r.policies)) {
            Fate::Give => Goal::Use,
            Fate::Keep => Goal::Leave(None),
            Fate::Take => lost,
        },
    }
}

/// Taken away before, and not to be had again: its date stands, whatever becomes of its owner meanwhile.
fn stays_lost(subject: &Subject<'_>) -> bool {
    let taken = subject.record.filter(|record| record.state == RecordState::Retained && record.disabled_at.is_some());
    taken.is_some_and(|record| fate(&subject.decision.account, Some(&record.policies)) == Fate::Take)
}

/// A frozen identity loses nothing that its lifecycle does not take.
fn frozen_or(standing: Standing, holding: Holding) -> Holding {
    if standing.frozen.is_some() { Holding::Frozen } else { holding }
}

fn frozen_problem(reason: Reason) -> Problem {
    let message = match reason {
        Reason::DuplicateUserName => "another Identity comes first with this userName: the account is left as it is",
        Reason::DuplicateExternalId => {
            "another Identity comes first with this externalId: the account is left as it is"
        }
        _ => "the Identity is not valid: the account is left as it is until it is",
    };
    Problem::new(reason, message)
}

/// There is an account that is ours.
fn with_account(
    subject: &Subject<'_>,
    record: &Record,
    id: &TargetId,
    goal: &Goal,
    rules: &AppRules<'_>,
    now: Now,
) -> Verdict {
    match subject.seen {
        Seen::Missing => return pending(Verdict { need: Some(Lookup::Read(id.clone())), ..Verdict::default() }),
        Seen::Absent => return gone(record, goal, rules),
        Seen::Unknown | Seen::Present(_) => {}
    }
    if subject.protected {
        return waiting(correlate::protected());
    }
    let mut record_now = record.clone();
    // Who has ended is known by what was recorded: what the manifest says of them later gives their account to nobody.
    let ended = subject.decision.owner.is_some_and(|owner| owner.state == State::Ended);
    if !subject.user_name.is_empty() && !ended {
        record_now.owner = subject.owner.clone();
        record_now.external_id = subject.external_id.cloned();
        record_now.user_name = subject.user_name.into();
    }
    let mut work = Work { subject, rules, now, id, record: record_now, verdict: Verdict::default() };
    match goal {
        Goal::Use => work.use_it(),
        Goal::Rest { holding, lane, why, .. } => work.rest(*holding, *lane, why),
        Goal::Leave(problem) => work.leave(problem.clone()),
        Goal::Remove { how, holding, lane, why } => work.remove(*how, *holding, *lane, why),
    }
    let Work { record: after, mut verdict, .. } = work;
    if after != *record {
        verdict.record = Some(after);
    }
    verdict
}

/// The account is not there any more.
fn gone(record: &Record, goal: &Goal, rules: &AppRules<'_>) -> Verdict {
    let wanted = matches!(goal, Goal::Use | Goal::Rest { create: true, .. } | Goal::Leave(_));
    if !wanted {
        return Verdict { forget: true, ..Verdict::default() };
    }
    let mut record = record.clone();
    record.target_id = None;
    record.state = RecordState::Deleted;
    record.written.clear();
    record.grants.clear();
    // Another account is not disabled since then, and has no date.
    (record.disabled_at, record.delete_at) = (None, None);
    let account = if rules.settings.account.recreate_deleted {
        let message = "the account was deleted at the target and is created again";
        report::Account::Pending(Some(Problem::new(Reason::ProgressingWithRetry, message)))
    } else {
        stays_deleted()
    };
    Verdict { record: Some(record), account, ..Verdict::default() }
}

/// Planning one account that is there.
struct Work<'a> {
    subject: &'a Subject<'a>,
    rules: &'a AppRules<'a>,
    now: Now,
    id: &'a TargetId,
    record: Record,
    verdict: Verdict,
}

impl Work<'_> {
    /// In use: revokes that cannot wait, then attributes and enabling, then grants, then other revokes.
    fn use_it(&mut self) {
        let why = Arc::from("no policy grants it any more");
        let rehired = self.was_taken();
        if rehired && !self.subject.read {
            self.verdict.need = Some(Lookup::Read(self.id.clone()));
            self.verdict.account = report::Account::Pending(None);
            return;
        }
        let holding = if rehired { Holding::Rehired } else { Holding::Decided };
        let mut held = self.entitlements(holding, Lane::Derived, &why);
        // What was taken away rested on nothing any more.
        let before = (!rehired).then_some(&self.record.policies);
        self.record.policies = rests_on(&self.subject.decision.account, before);
        let missing = held.missing;
        self.verdict.steps.append(&mut held.first);
        if rehired {
            self.verdict.steps.append(&mut held.revokes);
        }
        // Nobody comes back to rights that are not decided: those go before the account can be used.
        let waits = rehired && !self.verdict.steps.is_empty();
        self.attributes();
        let disabled = if waits { None } else { self.enable() };
        self.verdict.steps.extend(held.grants);
        self.verdict.steps.extend(held.revokes);
        self.verdict.account = if !self.verdict.steps.is_empty() || matches!(self.subject.seen, Seen::Unknown) {
            report::Account::Pending(None)
        } else if let Some(problem) = disabled {
            report::Account::DisabledAtTarget(problem)
        } else if missing.is_some() {
            report::Account::Pending(missing)
        } else {
            report::Account::Provisioned
        };
    }

    /// The account had been taken away: what it rested on before counts no more.
    fn was_taken(&self) -> bool {
        self.record.state == RecordState::Retained && self.record.disabled_at.is_some()
    }

    /// Disabled for a while. What rests on what is Unknown alone stays as it is otherwise.
    fn rest(&mut self, holding: Holding, lane: Lane, why: &'static str) {
        let decided = &self.subject.decision.account;
        let before = (!self.was_taken()).then_some(&self.record.policies);
        let kept = fate(decided, before) == Fate::Keep;
        let policies = rests_on(decided, before);
        self.disable(RecordState::Disabled, None, lane, why);
        let cause = Arc::from(why);
        // What somebody suspended loses beyond the disable follows from changed rules, not from the suspension.
        let lane = if holding == Holding::NothingNew { Lane::Derived } else { lane };
        let held = self.entitlements(holding, lane, &cause);
        if holding != Holding::Frozen {
            self.record.policies = policies;
            if !kept {
                self.attributes();
            }
        }
        self.revokes(held);
        self.verdict.account = self.settled(report::Account::Disabled);
    }

    /// Nothing of the account is touched; what it holds is decided entry by entry, except for a frozen identity.
    fn leave(&mut self, problem: Option<Problem>) {
        if let Some(problem) = problem {
            self.verdict.account = report::Account::Blocked(problem);
            return;
        }
        self.record.policies = rests_on(&self.subject.decision.account, Some(&self.record.policies));
        if self.was_taken() {
            // What was taken away stays so, whoever enables it; it is not deleted while it may be wanted.
            self.disable(RecordState::Retained, self.record.delete_at, Lane::Derived, "no access any more");
        }
        let why = Arc::from("no policy grants it any more");
        let held = self.entitlements(Holding::Decided, Lane::Derived, &why);
        self.verdict.steps.extend(held.first.into_iter().chain(held.grants).chain(held.revokes));
        self.verdict.account = self.settled(report::Account::Blocked(self.undecided()));
    }

    /// Why nothing is known of whether the account is to be had.
    fn undecided(&self) -> Problem {
        let wanted = &self.subject.decision.account;
        let unknown = join(&wanted.unknown);
        let what = if wanted.allow.is_empty() && !wanted.unknown.is_empty() { &*unknown } else { "a Deny" };
        let message =
            format!("it depends on {what}, which cannot be evaluated: the account is left as it is until it can");
        Problem::new(Reason::EvaluationFailed, message)
    }

    /// Not to be had: disabled at once, then everything it holds is taken, then it is deleted when that falls due.
    fn remove(&mut self, how: DeprovisionStep, holding: Holding, lane: Lane, why: &'static str) {
        let delete_at = match how {
            DeprovisionStep::Disable { delete_after } => {
                delete_after.and_then(|after| self.now.wall.checked_add(after).ok())
            }
            DeprovisionStep::Delete => Some(self.now.wall),
            DeprovisionStep::Retain => None,
        };
        if how != DeprovisionStep::Retain {
            self.disable(RecordState::Retained, delete_at, lane, why);
        } else if matches!(self.record.state, RecordState::Active | RecordState::Disabled) {
            self.record.state = RecordState::Retained;
        }
        let cause = Arc::from(why);
        let held = self.entitlements(holding, lane, &cause);
        self.revokes(held);
        let due = self.record.delete_at.is_some_and(|at| at <= self.now.wall);
        let deletes = self.rules.capabilities.is_some_and(|c| c.delete == DeleteMeans::Hard);
        if due && deletes && matches!(self.subject.seen, Seen::Present(_)) {
            self.step(Step::DeleteAccount { id: self.id.clone() }, why.into(), Some(lane), Change::Delete);
        }
        self.verdict.account = self.settled(report::Account::Retained);
    }

    fn settled(&self, state: report::Account) -> report::Account {
        if self.verdict.steps.is_empty() { state } else { report::Account::Pending(None) }
    }

    fn revokes(&mut self, held: Entitlements) {
        self.verdict.steps.extend(held.first.into_iter().chain(held.revokes));
    }

    fn entitlements(&mut self, holding: Holding, lane: Lane, why: &Arc<str>) -> Entitlements {
        if holding == Holding::Frozen {
            return Entitlements::default();
        }
        let decided = &self.subject.decision.entitlements;
        let wanted_of = |name: &Name| decided.get(name).cloned().unwrap_or_else(Wanted::default);
        let there = (self.subject.catalogue, self.subject.vanished);
        entitlements(wanted_of, there, &mut self.record, self.id, holding, lane, why)
    }

    fn attributes(&mut self) {
        let Seen::Present(shade) = self.subject.seen else { return };
        let mut difference = attributes::difference(self.subject, &self.record, self.id, shade, self.rules.schema);
        self.record.written.extend(difference.learned.iter().map(|(name, digest)| (name.clone(), *digest)));
        let drift = std::mem::take(&mut difference.drift);
        if let Some((step, change)) = difference.step(self.id) {
            let drifted = !drift.is_empty();
            let cause = if drifted { Arc::from("drift") } else { join(&self.subject.decision.account.allow) };
            self.step(step, cause, None, change);
            if let Some(planned) = self.verdict.steps.last_mut() {
                planned.drift = drift;
            }
        }
    }

    /// Enables what we disabled; what others disabled stays so, unless the manifest says otherwise.
    fn enable(&mut self) -> Option<Problem> {
        let disabled_by_us = matches!(self.record.state, RecordState::Disabled | RecordState::Retained);
        let shade: Option<&Shade> = match self.subject.seen {
            Seen::Present(shade) => Some(shade),
            _ => None,
        };
        if disabled_by_us {
            if self.record.state == RecordState::Retained && self.record.disabled_at.is_none() {
                // Retained by `Retain`: it was never disabled.
                self.record.state = RecordState::Active;
                self.record.delete_at = None;
            } else if shade.is_some() {
                let cause = join(&self.subject.decision.account.allow);
                self.step(Step::EnableAccount { id: self.id.clone() }, cause, None, Change::Enable);
            }
            return None;
        }
        let shade: &Shade = shade.filter(|shade| !shade.enabled)?;
        if self.rules.settings.account.correct_disabled {
            self.step(Step::EnableAccount { id: self.id.clone() }, "drift".into(), None, Change::Enable);
            return None;
        }
        let message = "somebody disabled the account at the target; enable it there, or set disabledAtTarget: Correct";
        shade.barred.then(|| Problem::new(Reason::DisabledAtTarget, message))
    }

    /// Disables what is not known to be disabled; where it is already, only the ledger learns it.
    fn disable(&mut self, state: RecordState, delete_at: Option<jiff::Timestamp>, lane: Lane, why: &'static str) {
        // Retained by `Retain` it was never disabled, and never counted.
        let by_record = self.record.disabled_at.is_some() || self.record.state == RecordState::Disabled;
        let enabled = match self.subject.seen {
            Seen::Present(shade) => shade.enabled,
            // What nobody shows, and may not have been done, is done again.
            _ => !by_record || self.subject.doubted,
        };
        if enabled && self.rules.capabilities.is_none_or(|c| c.disable) {
            let step = Step::DisableAccount { id: self.id.clone() };
            // One that was disabled by us and is enabled again is corrected: it was counted when it was disabled.
            let lane = (!by_record).then_some(lane);
            self.step(step, why.into(), lane, Change::Disable { state, delete_at });
            return;
        }
        self.record.state = state;
        self.record.disabled_at = self.record.disabled_at.or(Some(self.now.wall));
        // A deletion date is fixed once; what only rests has none.
        self.record.delete_at = if state == RecordState::Disabled { None } else { self.record.delete_at.or(delete_at) };
    }

    fn step(&mut self, step: Step, cause: Arc<str>, lane: Option<Lane>, change: Change) {
        let denied = lane.is_some() && self.subject.decision.account.is_denied();
        let (entitlement, privileged, drift) = (None, false, Vec::new());
        self.verdict.steps.push(Planned { step, cause, entitlement, lane, privileged, denied, drift, change });
    }
}

pub(super) fn pending(verdict: Verdict) -> Verdict {
    Verdict { account: report::Account::Pending(None), ..verdict }
}

pub(super) fn blocked_or_none(problem: Option<Problem>) -> report::Account {
    problem.map_or(report::Account::None, report::Account::Blocked)
}

/// What correlation waits for.
pub(super) fn waiting(problem: Problem) -> Verdict {
    let account = if problem.reason() == Reason::Progressing {
        report::Account::Pending(Some(problem))
    } else {
        report::Account::Blocked(problem)
    };
    Verdict { account, ..Verdict::default() }
}
