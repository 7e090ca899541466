//! Settling, budgets and held plans: which removals and privileged grants may go.
//!
//! A step that needs a budget waits until its lane has settled; then the lane's wave passes whole, and is stored as
//! released, or is held whole, under a hash. What is no longer wanted drops out of both.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::causes::Causes;
use super::gather::Gathered;
use super::queue::Priority;
use super::standing::{adoption, first_of, key};
use super::{Context, FORESEEN, Out, Sync};
use crate::engine::Note;
use crate::model::{
    Budget, Charge, HeldPlan, HeldStep, Lane, Name, ObjectKind, ObjectRef, Reason, RecordState, Release, TargetId,
};
use crate::plan::{Admission, Planned, Verdict, Window, admit, held_hash};
use crate::report::Problem;

/// Steps of one lane that wait for the rest of a commit.
#[derive(Debug, Default)]
pub(super) struct Settling {
    due: Duration,
    /// With whether it is privileged.
    steps: BTreeMap<HeldStep, bool>,
}

impl Settling {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// How long an approval is good for.
const APPROVED_FOR: Duration = Duration::from_hours(24);

/// What is told of an account of which a step waits for the rest of the same change.
pub(super) fn settles(lane: Lane) -> Problem {
    let message = match lane {
        Lane::Adoption => {
            "an account was found that is not surely this person's: when the rest of the same change was looked at \
             (spec.sync.settle.removals), a person is asked whether it is"
        }
        _ => "a removal or a privileged grant waits for the rest of the same change (spec.sync.settle)",
    };
    Problem::new(Reason::Settling, message)
}

/// What an account is to lose or be given that needs a budget or a person, with whether it is privileged.
pub(super) fn in_lanes(name: &Name, verdict: &Verdict) -> BTreeMap<(Lane, HeldStep), bool> {
    let steps = verdict.steps.iter().filter_map(|p| Some(((p.lane?, key(name, p)), p.privileged)));
    let adopts = verdict.adoption.iter().map(|id| ((Lane::Adoption, adoption(name, id)), false));
    steps.chain(adopts).collect()
}

impl Sync {
    /// Whether a step may go now; one that is neither released nor held begins to settle.
    pub(super) fn is_admitted(&mut self, name: &Name, planned: &Planned, cx: &Context<'_>) -> bool {
        let Some(lane) = planned.lane else { return true };
        let step = key(name, planned);
        if self.release(lane, &step).is_some() {
            return true;
        }
        self.settle(lane, step, planned.privileged, cx);
        false
    }

    /// What is told of an account of which this step is in a held plan.
    pub(super) fn held_in(&self, name: &Name, planned: &Planned) -> Option<Problem> {
        let lane = planned.lane?;
        let hash = &self.ledger.standing.held_in(lane, &key(name, planned))?.hash;
        let what = if lane == Lane::PrivilegedGrant { "a privileged grant" } else { "a removal" };
        let message = format!(
            "{what} is held in plan {hash} (see `provost held`): to let it through, set spec.safety.approvedPlan of \
             TargetApplication {} to it, else take back the change",
            self.application
        );
        Some(Problem::new(reason_of(lane), message))
    }

    /// An account that a person may allow to be adopted: asked for in a held plan. Answers its hash, once it has one.
    pub(super) fn ask_to_adopt(&mut self, name: &Name, account: &TargetId, cx: &Context<'_>) -> Option<Arc<str>> {
        let step = adoption(name, account);
        self.settle(Lane::Adoption, step.clone(), false, cx);
        self.ledger.standing.held_in(Lane::Adoption, &step).map(|plan| Arc::clone(&plan.hash))
    }

    /// The account that a person allowed this identity to adopt.
    pub(super) fn approved_adoption(&self, name: &Name) -> Option<&TargetId> {
        self.ledger.standing.releases_of(Lane::Adoption, name).next()?.step.account.as_ref()
    }

    /// An approved adoption was done.
    pub(super) fn adopted(&mut self, name: &Name) {
        if self.ledger.standing.drop_releases(Lane::Adoption, name, |_| true) {
            self.ledger.put_standing();
        }
    }

    /// One that is not held begins to settle.
    pub(super) fn settle(&mut self, lane: Lane, step: HeldStep, privileged: bool, cx: &Context<'_>) {
        if self.ledger.standing.held_in(lane, &step).is_some() {
            return;
        }
        let wait = match lane {
            Lane::Explicit => Duration::ZERO,
            Lane::Derived | Lane::Adoption => self.settings.sync.settle_removals,
            Lane::PrivilegedGrant => self.settings.sync.settle_privileged,
        };
        let due = cx.now.mono + wait;
        let settling = self.settling.entry(lane).or_insert_with(|| Settling { due, ..Settling::default() });
        settling.steps.insert(step, privileged);
    }

    /// Whether something of an identity waits in a lane for the rest of a commit, and not for a person.
    pub(super) fn is_settling(&self, lane: Lane, name: &Name) -> bool {
        self.settling.get(&lane).is_some_and(|settling| {
            settling.steps.range(first_of(name)..).next().is_some_and(|(step, _)| step.identity == *name)
        })
    }

    /// Whether accounts without an owner here wait for the rest of a commit: orphaned ones, and members who are nobody's. Of
    /// what is derived, they alone are named by their account.
    pub(super) fn orphans_settle(&self) -> bool {
        let settling = self.settling.get(&Lane::Derived);
        settling.is_some_and(|settling| settling.steps.keys().any(|step| step.account.is_some()))
    }

    /// Whether a step needs no budget, or was let through.
    pub(super) fn is_released(&self, name: &Name, planned: &Planned) -> bool {
        planned.lane.is_none_or(|lane| self.release(lane, &key(name, planned)).is_some())
    }

    pub(super) fn release(&self, lane: Lane, step: &HeldStep) -> Option<&Release> {
        self.ledger.standing.releases_of(lane, &step.identity).find(|release| release.step == *step)
    }

    /// The hash of the held plan that released a step, if one did.
    pub(super) fn plan_of(&self, name: &Name, planned: &Planned) -> Option<Arc<str>> {
        self.release(planned.lane?, &key(name, planned))?.plan.clone()
    }

    /// An intent is about to be recorded: the reservation is dated again.
    pub(super) fn date_charge(&mut self, name: &Name, planned: &Planned, at: Timestamp) {
        let Some(lane) = planned.lane else { return };
        if self.ledger.standing.date_charges(lane, name, at) {
            self.ledger.put_standing();
        }
    }

    /// A released step was done.
    pub(super) fn released_done(&mut self, name: &Name, planned: &Planned) {
        if let Some(lane) = planned.lane {
            self.let_through(lane, &key(name, planned));
        }
    }

    /// What was released is done.
    pub(super) fn let_through(&mut self, lane: Lane, step: &HeldStep) {
        if self.ledger.standing.drop_releases(lane, &step.identity, |released| released == step) {
            self.ledger.put_standing();
        }
    }

    /// What this identity is not to lose (or be given) any more drops out of what is held, released or settling.
    pub(super) fn drop_unwanted(&mut self, name: &Name, wanted: &BTreeMap<(Lane, HeldStep), bool>) {
        let goes = |lane: Lane, step: &HeldStep| !wanted.contains_key(&(lane, step.clone()));
        for (lane, settling) in &mut self.settling {
            let own = settling.steps.range(first_of(name)..).map(|(step, _)| step);
            let gone = own.take_while(|step| step.identity == *name).filter(|step| goes(*lane, step));
            let gone: Vec<HeldStep> = gone.cloned().collect();
            for step in &gone {
                settling.steps.remove(step);
            }
        }
        let standing = &mut self.ledger.standing;
        let mut dropped = standing.drop_held(name, goes);
        for lane in [Lane::Explicit, Lane::Derived, Lane::PrivilegedGrant, Lane::Adoption] {
            dropped |= standing.drop_releases(lane, name, |step| goes(lane, step));
        }
        if dropped {
            self.ledger.put_standing();
        }
    }

    /// Waves whose time has come pass or are held; an approved plan is released.
    pub(super) fn settle_waves(&mut self, cx: &Context<'_>, out: &mut Out) {
        if !self.may_write() {
            return;
        }
        self.release_approved(cx, out);
        let due: Vec<Lane> =
            self.settling.iter().filter(|(_, s)| s.due <= cx.now.mono).map(|(lane, _)| *lane).collect();
        if due.is_empty() {
            return;
        }
        self.look_for_claims(cx);
        // What one batch brought is one wave: it is judged when everybody who leaves by it had a turn. Others may wait long for
        // theirs while much is written: once it is known what each of them is to lose.
        let leaving = self.queue.best() == Some(Priority::Leaver);
        let known = !due.iter().any(|lane| collects(*lane)) || self.plan_the_rest(cx);
        for lane in due {
            if (lane == Lane::Explicit && leaving) || (collects(lane) && !known) {
                continue;
            }
            let Some(settling) = self.settling.remove(&lane) else { continue };
            out.changed |= settling.steps.keys().any(|step| step.account.is_some());
            let (wave, causes) = self.still_wanted_of(lane, settling.steps, cx);
            if !wave.is_empty() {
                self.judge_wave(lane, wave, &causes, cx, out);
            }
        }
    }

    /// Whoever is due and waits for a turn is planned as far as a wave is concerned, so many at a time: answers whether those
    /// were all.
    fn plan_the_rest(&mut self, cx: &Context<'_>) -> bool {
        // Before it was observed nobody is planned but who leaves.
        if !self.observing.observed || !self.may_turn() {
            return true;
        }
        for _ in 0..FORESEEN {
            let Some(name) = self.queue.next_unplanned() else { break };
            let owners = if self.ledger.has_name(&name) { self.owners_foreseen(&name, cx) } else { Vec::new() };
            for gathered in owners {
                let verdict = self.plan(&gathered, cx);
                if verdict.need.is_none() && !verdict.forget {
                    self.settle_all(&gathered, &verdict.steps, collects, cx);
                }
            }
            let mut others = self.orphans_in_lanes(&name, cx);
            others.extend(self.excess_in_lanes(&name, cx));
            for ((lane, step), privileged) in others {
                if self.release(lane, &step).is_none() {
                    self.settle(lane, step, privileged, cx);
                }
            }
        }
        self.queue.is_all_planned()
    }

    /// What of these steps needs a budget begins to settle, in such lanes: what one commit takes is one wave, also where something
    /// else of an account is written first.
    pub(super) fn settle_all(
        &mut self,
        gathered: &Gathered,
        steps: &[Planned],
        of: fn(Lane) -> bool,
        cx: &Context<'_>,
    ) {
        let name = &gathered.owner.name;
        for planned in steps.iter().filter(|planned| planned.lane.is_some_and(of)) {
            if self.is_trusted(gathered, planned) && self.waits_after_failure(name, &planned.step, cx).is_none() {
                self.is_admitted(name, planned, cx);
            }
        }
    }

    /// When a wave has settled.
    pub(super) fn next_wave(&self) -> Option<Duration> {
        self.settling.values().filter(|settling| !settling.steps.is_empty()).map(|settling| settling.due).min()
    }

    fn judge_wave(
        &mut self,
        lane: Lane,
        wave: BTreeMap<HeldStep, bool>,
        causes: &Causes,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        let mut units: BTreeMap<Name, u32> = BTreeMap::new();
        for (step, privileged) in &wave {
            let unit = if *privileged && lane != Lane::PrivilegedGrant { 3 } else { 1 };
            let sum = units.entry(step.identity.clone()).or_default();
            *sum = unit.max(*sum);
        }
        let budgets = match lane {
            Lane::Explicit => vec![Budget { count: 50, percent: 10, window: Duration::from_hours(1) }],
            Lane::Derived => self.settings.safety.removals.clone(),
            Lane::PrivilegedGrant => self.settings.safety.privileged_grants.clone(),
            Lane::Adoption => {
                let why = match units.len() {
                    1 => "1 account is not surely theirs who has its user name".to_owned(),
                    several => format!("{several} accounts are not surely theirs who have their user names"),
                };
                return self.hold(lane, wave, why.into(), cx, out);
            }
        };
        self.forget_old_charges(lane, &budgets, cx.now.wall);
        let provisioned =
            self.ledger.records().filter(|r| r.target_id().is_some() && r.state == RecordState::Active).count();
        let provisioned = u32::try_from(provisioned).unwrap_or(u32::MAX);
        let mut held: Option<(Admission, u32)> = None;
        for budget in budgets {
            let (used, cost) = self.used_and_cost(lane, budget.window, &units, cx.now.wall);
            // Privileged grants are measured against what is there now; removals also against what was.
            let base = if lane == Lane::PrivilegedGrant { provisioned } else { provisioned.saturating_add(used) };
            let admission = admit(cost, lane, &[Window { budget, used, base }]);
            if admission != Admission::Pass {
                held.get_or_insert((admission, cost));
            }
        }
        match held {
            None => self.let_go(lane, wave.into_keys(), None, &units, cx),
            Some((admission, cost)) => {
                let numbers = told(lane, units.len(), provisioned, cost, &admission);
                let why = format!("{numbers}{}", self.causes_in_words(causes, cx));
                self.hold(lane, wave, why.into(), cx, out);
            }
        }
    }

    /// Units charged within the window, and what the wave would add to them: an identity that is charged already costs
    /// only the difference.
    fn used_and_cost(&self, lane: Lane, window: Duration, units: &BTreeMap<Name, u32>, now: Timestamp) -> (u32, u32) {
        let since = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        let mut charged: BTreeMap<&Name, u32> = BTreeMap::new();
        for charge in self.ledger.standing.charges.iter().filter(|c| c.lane == lane && c.at > since) {
            let sum = charged.entry(&charge.identity).or_default();
            *sum = charge.units.max(*sum);
        }
        let cost = units.iter().map(|(name, units)| units.saturating_sub(charged.get(name).copied().unwrap_or(0)));
        let cost = cost.fold(0, u32::saturating_add);
        (charged.values().copied().fold(0, u32::saturating_add), cost)
    }

    fn forget_old_charges(&mut self, lane: Lane, budgets: &[Budget], now: Timestamp) {
        let longest = budgets.iter().map(|b| b.window).max().unwrap_or_default().max(Duration::from_hours(24));
        let since = now.checked_sub(longest).unwrap_or(Timestamp::MIN);
        self.ledger.standing.charges.retain(|charge| charge.lane != lane || charge.at > since);
    }

    /// Stores the members of a wave as released, and reserves their budget unless a person approved them.
    fn let_go(
        &mut self,
        lane: Lane,
        steps: impl Iterator<Item = HeldStep>,
        plan: Option<&Arc<str>>,
        units: &BTreeMap<Name, u32>,
        cx: &Context<'_>,
    ) {
        let mut names = BTreeSet::new();
        for step in steps {
            names.insert(step.identity.clone());
            self.ledger.standing.releases.insert(Release { lane, step, plan: plan.cloned(), at: cx.now.wall });
        }
        for (identity, units) in units {
            let charge = Charge { identity: identity.clone(), lane, at: cx.now.wall, units: *units };
            self.ledger.standing.charge(charge);
        }
        self.ledger.put_standing();
        for name in names {
            let priority = self.priority_of_released(lane, &name, cx);
            self.touch_as(&name, priority, cx);
        }
    }

    /// Whose turn it is now that something was released, and when: what a Deny takes or what is privileged goes before
    /// those who join, other removals after them.
    fn priority_of_released(&self, lane: Lane, name: &Name, cx: &Context<'_>) -> Priority {
        match lane {
            Lane::Explicit => Priority::Urgent,
            Lane::Derived => {
                let owners = self.owners_of(name, cx);
                let of = |gathered: &Gathered| {
                    let steps = self.plan(gathered, cx).steps.into_iter();
                    steps.map(|planned| Priority::Revoke.of(&planned, gathered.leaves())).min()
                };
                owners.iter().filter_map(of).min().unwrap_or(Priority::Revoke)
            }
            Lane::PrivilegedGrant | Lane::Adoption => Priority::Mover,
        }
    }

    /// However many are held: each has its own hash, so that a person approves what they were shown and nothing else.
    fn hold(&mut self, lane: Lane, wave: BTreeMap<HeldStep, bool>, why: Arc<str>, cx: &Context<'_>, out: &mut Out) {
        let steps: BTreeSet<HeldStep> = wave.into_keys().collect();
        let mut n = 0;
        let mut hash = held_hash(cx.namespace, &self.application, lane, n, &steps);
        while self.ledger.standing.used.contains_key(&hash) {
            n += 1;
            hash = held_hash(cx.namespace, &self.application, lane, n, &steps);
        }
        let reason = reason_of(lane);
        out.notes.push(Note {
            object: ObjectRef { kind: ObjectKind::TargetApplication, name: self.application.clone() },
            uid: self.meta.uid.clone(),
            warning: true,
            reason: reason.as_str().into(),
            // An event has room for so much: what is to be written comes first.
            message: format!("held (approve with spec.safety.approvedPlan: {hash}): {why}").into(),
            at: Some(cx.now.wall),
        });
        let names: BTreeSet<Name> = steps.iter().map(|step| step.identity.clone()).collect();
        self.ledger.standing.held.push(HeldPlan { hash, lane, steps, since: cx.now.wall, why });
        self.ledger.put_standing();
        out.changed = true;
        for name in names {
            self.touch_as(&name, Priority::Drift, cx);
        }
    }

    /// From when on the approval that is declared counts: when it was first seen, whatever may be written then.
    pub(super) fn note_approval(&mut self, cx: &Context<'_>) {
        let (approved, standing) = (&self.settings.safety.approved_plan, &mut self.ledger.standing);
        if standing.approval.as_ref().is_some_and(|(hash, _)| hash == approved) {
            return;
        }
        // What is set again after it was cleared is approved anew.
        let new = !approved.is_empty() && !standing.used.contains_key(approved);
        let noted = new.then(|| (Arc::clone(approved), cx.now.wall));
        if noted != standing.approval {
            standing.approval = noted;
            self.ledger.put_standing();
        }
    }

    /// The plan that `approvedPlan` names is released, once, within 24 hours of being set.
    fn release_approved(&mut self, cx: &Context<'_>, out: &mut Out) {
        let standing = &mut self.ledger.standing;
        let Some((approved, since)) = standing.approval.clone() else { return };
        if since.checked_add(APPROVED_FOR).is_ok_and(|end| end < cx.now.wall) {
            return;
        }
        let Some(at) = standing.held.iter().position(|plan| plan.hash == approved) else { return };
        let plan = standing.held.remove(at);
        standing.used.insert(Arc::clone(&approved), 1);
        out.changed = true;
        self.let_go(plan.lane, plan.steps.into_iter(), Some(&approved), &BTreeMap::new(), cx);
    }
}

/// Whether a lane's waves wait for whatever comes with the same commit, and go by a budget.
fn collects(lane: Lane) -> bool {
    matches!(lane, Lane::Derived | Lane::PrivilegedGrant)
}

/// Why a wave of this lane is held.
fn reason_of(lane: Lane) -> Reason {
    match lane {
        Lane::Explicit | Lane::Derived => Reason::RemovalBudgetExceeded,
        Lane::PrivilegedGrant => Reason::GrantBudgetExceeded,
        Lane::Adoption => Reason::AdoptionNeedsApproval,
    }
}

/// Why a wave is held, in numbers that add up.
fn told(lane: Lane, identities: usize, accounts: u32, cost: u32, admission: &Admission) -> String {
    let what = match (lane, identities) {
        (Lane::PrivilegedGrant, 1) => "identity is given a privileged right",
        (Lane::PrivilegedGrant, _) => "identities are given a privileged right",
        (_, 1) => "identity loses something",
        _ => "identities lose something",
    };
    let counts = match usize::try_from(cost).unwrap_or(usize::MAX).cmp(&identities) {
        Ordering::Equal => String::new(),
        Ordering::Greater => format!(", which counts as {cost}: three for a privileged right that is taken"),
        Ordering::Less => format!(", which counts as {cost}: who was counted before counts for the rest alone"),
    };
    let noun = if accounts == 1 { "account" } else { "accounts" };
    let budget = match admission {
        Admission::Hold { allowed, used: 0, window } => format!("; allowed are {allowed} in {}", span(*window)),
        Admission::Hold { allowed, used, window } => {
            let (sum, span) = (used.saturating_add(cost), span(*window));
            format!("; with {used} that were counted in the last {span} it makes {sum}, and {allowed} are allowed")
        }
        Admission::Pass => String::new(),
    };
    format!("{identities} {what}, of {accounts} {noun}{counts}{budget}")
}

/// "60 min", "6 h", "1 day": in the largest unit that leaves nothing over.
fn span(window: Duration) -> String {
    match window.as_secs() / 60 {
        1440 => "1 day".to_owned(),
        days if days > 0 && days % 1440 == 0 => format!("{} days", days / 1440),
        hours if hours > 60 && hours % 60 == 0 => format!("{} h", hours / 60),
        minutes => format!("{minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_wave_says_how_the_budget_counts_where_that_is_not_how_many_they_are() {
        let told = |cost| told(Lane::Derived, 4, 6, cost, &Admission::Pass);
        assert!(told(4).ends_with("lose something, of 6 accounts"));
        assert!(told(8).ends_with(", which counts as 8: three for a privileged right that is taken"));
        assert!(told(3).ends_with("counts as 3: who was counted before counts for the rest alone"));
    }
}
