//! What comes back from a target, and what it means for the ledger, the shadow and the next attempt.

use std::sync::Arc;
use std::time::Duration;

use super::failed::LONGEST;
use super::flight::{Flight, Part};
use super::lookup::Unresolved;
use super::rate::backoff;
use super::row::Row;
use super::shadow::kind_of;
use super::{Context, Out, Phase, Sync};
use crate::model::{
    Applied, EntitlementKind, IntentId, Observability, Outcome, Reason, Step, TargetError, TargetId, Value,
};
use crate::plan::{Change, Fold, Planned, digest};
use crate::report::Problem;

/// A pause that the target asks for is told from here on.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Whether nothing is decided otherwise once this was done.
pub(super) fn says_no_more(step: &Step) -> bool {
    matches!(
        step,
        Step::CreateAccount { .. } | Step::UpdateAccount { .. } | Step::AddMembers { .. } | Step::Assign { .. }
    )
}

impl Sync {
    /// The outcomes of an `Apply`, one a step; what is missing counts as lost, and what was not asked waits to be sent again.
    pub(super) fn on_applied(
        &mut self,
        intents: Vec<IntentId>,
        outcomes: Vec<Result<Applied, TargetError>>,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        let missing = || Err(TargetError::Lost("the answer has no outcome for this step".into()));
        let mut outcomes = outcomes.into_iter();
        let all = intents.into_iter().map(|id| (id, outcomes.next().unwrap_or_else(missing)));
        let (unasked, answered): (Vec<_>, Vec<_>) =
            all.partition(|(_, outcome)| matches!(outcome, Err(TargetError::NotAsked)));
        for (id, _) in unasked {
            if let Some(flight) = self.flights.get_mut(&id) {
                flight.sent = false;
                self.stored.insert((flight.priority, id));
            }
        }
        for (id, outcome) in answered {
            if let Some(flight) = self.flights.remove(&id) {
                self.landed(&flight, outcome, cx, out);
                (cx.between)();
            }
        }
    }

    fn landed(&mut self, flight: &Flight, outcome: Result<Applied, TargetError>, cx: &Context<'_>, out: &mut Out) {
        out.changed = true;
        if !says_no_more(flight.step()) || outcome.as_ref().map_or(true, |applied| applied.moved) {
            self.hear();
        }
        match outcome {
            Ok(applied) => self.done(flight, &applied, cx),
            Err(error) => self.undone(flight, &error, cx, out),
        }
    }

    fn done(&mut self, flight: &Flight, applied: &Applied, cx: &Context<'_>) {
        if matches!(flight.step(), Step::CreateAccount { .. } | Step::CreateGroup { .. }) && applied.id.is_none() {
            let error = TargetError::Malformed("created, and the answer names no id".into());
            return self.uncertain(flight, &error, cx);
        }
        self.reach.failures = 0;
        self.takes_writes(cx);
        *self.counters.done.entry(flight.step().name()).or_default() += 1;
        if let (Step::CreateGroup { name, mark }, Some(id)) = (flight.step(), &applied.id) {
            let shown = self.capabilities().is_none_or(|c| c.members == Observability::Full);
            self.shadow.add_group(id.clone(), Arc::clone(name), Arc::clone(mark), shown, cx.now.wall);
            self.groups.writes.insert(id.clone(), cx.now.mono);
            self.groups.backoff.remove(name);
        }
        if let Step::UpdateGroup { id, name } = flight.step() {
            self.named_again(id, name, cx);
        }
        if let Step::DeleteGroup { id } = flight.step() {
            self.shadow.forget_group(id);
            self.ledger.forget_group(id);
            self.groups.bound.retain(|_, bound| bound != id);
        }
        flight.parts.iter().for_each(|part| self.part_done(part, applied, cx));
        match &flight.orphan {
            Some((name, id)) if flight.group.is_some() => self.excess_done(name, id, flight.step(), cx),
            Some((name, id)) => self.orphan_done(name, id),
            None => {}
        }
        self.ledger.close(flight.intent.id, Outcome::Done);
        self.free(flight, cx);
        if matches!(flight.step(), Step::CreateGroup { .. } | Step::DeleteGroup { .. }) {
            self.bind_groups(cx);
        }
    }

    /// What a write that was done means for one account.
    fn part_done(&mut self, part: &Part, applied: &Applied, cx: &Context<'_>) {
        if let Some(mut record) = self.ledger.record(part.record).map(Row::record) {
            part.planned.change.done(&mut record, applied, cx.now.wall);
            self.ledger.put(record);
        }
        if let Change::Grant(group, _) = &part.planned.change {
            self.is_sure(part.record, group);
        }
        self.name_freed(&part.planned.step, cx);
        self.believe(&part.planned, part.record, applied, cx);
        for attribute in &part.planned.drift {
            *self.counters.drift.entry(attribute.clone()).or_default() += 1;
        }
        self.looks.found.remove(&part.name);
        self.alone.remove(&part.name);
        if matches!(part.planned.change, Change::Create { .. }) {
            self.account_appeared(&part.name, cx);
        }
        if applied.moved {
            self.account_moved(&part.name, cx);
        }
        if matches!(part.planned.change, Change::Disable { .. }) {
            self.doubts.disables.remove(&part.record);
        }
        if matches!(part.planned.change, Change::Disable { .. })
            && let Some(since) = self.leaving.remove(&part.name)
        {
            self.counters.revocation_seconds.push(cx.now.mono.saturating_sub(since).as_secs_f64());
        }
        self.released_done(&part.name, &part.planned);
    }

    /// Whoever waits for the user name that an account gave up has its turn; called while the account is remembered with it.
    fn name_freed(&mut self, step: &Step, cx: &Context<'_>) {
        let (Step::DeleteAccount { id } | Step::RenameAccount { id, .. }) = step else { return };
        let Some(shade) = self.ledger.seen(id) else { return };
        let Some(name) = shade.key(self.schema.user_name) else { return };
        if let Some(waits) = cx.directory.by_user_name(&name.to_lowercase()).map(|view| view.name.clone()) {
            self.failed.remove(&waits);
            self.touch(&waits, cx);
        }
    }

    /// The shadow as we believe to have made it.
    fn believe(&mut self, planned: &Planned, record: crate::model::RecordId, applied: &Applied, cx: &Context<'_>) {
        let Some(row) = self.ledger.record(record) else { return };
        let Some(id) = row.target_id().map(TargetId::from) else { return };
        let (schema, round) = (self.schema, self.shadow.round());
        match (&planned.step, &planned.change) {
            (Step::CreateAccount { attributes, enabled, .. }, Change::Create { written, .. }) => {
                self.doubts.absent.remove(&id);
                self.ledger.made(&id, *enabled, attributes, written, round);
            }
            (Step::UpdateAccount { set, .. } | Step::RenameAccount { set, .. }, _) => {
                self.ledger.believe(&id, round, |shade| shade.written(set, schema));
                self.note_unstuck(set, applied);
            }
            (Step::EnableAccount { .. }, _) => self.ledger.believe(&id, round, |shade| shade.enabled = true),
            (Step::DisableAccount { .. }, _) => self.ledger.believe(&id, round, |shade| shade.enabled = false),
            (Step::DeleteAccount { .. }, _) => self.ledger.unsee(&id),
            (_, Change::Grant(group, _)) => {
                self.shadow.change_member(group, &id, true, cx.now.wall);
                self.was_given(record, group, &id, cx);
            }
            (_, Change::Revoke(group)) => {
                self.shadow.change_member(group, &id, false, cx.now.wall);
                self.checks.forget(group, &id);
            }
            _ => {}
        }
    }

    /// Values that the target answered otherwise than they were written are not written again and again.
    fn note_unstuck(&mut self, set: &crate::model::Attributes, applied: &Applied) {
        let Some(observed) = &applied.observed else { return };
        for (name, value) in set {
            let fold = Fold::of(self.schema, name);
            let answered = observed.attributes.get(name).unwrap_or(&Value::Null);
            if let Some(wanted) = digest(value, fold).filter(|wanted| digest(answered, fold) != Some(*wanted)) {
                self.doubts.unstuck.insert((observed.id.clone(), name.clone(), wanted));
            }
        }
    }

    fn undone(&mut self, flight: &Flight, error: &TargetError, cx: &Context<'_>, out: &mut Out) {
        let (reason, words) = told(error);
        *self.counters.failed.entry(reason).or_default() += 1;
        self.on_error(error, cx, out);
        if let Step::DeleteGroup { id } = flight.step() {
            // Whether it is still there, and empty, only a listing that begins after this tells.
            self.shadow.forget_group(id);
            self.groups.writes.insert(id.clone(), cx.now.mono);
        }
        let creates = matches!(flight.step(), Step::CreateAccount { .. } | Step::CreateGroup { .. });
        match error {
            TargetError::Lost(_) => return self.uncertain(flight, error, cx),
            TargetError::Transient(_) | TargetError::Unreachable(_) | TargetError::Malformed(_) if creates => {
                return self.uncertain(flight, error, cx);
            }
            TargetError::Transient(_) | TargetError::Unreachable(_) | TargetError::Malformed(_) => {
                self.half_done(flight, error, words, cx);
                return self.free(flight, cx);
            }
            _ => {}
        }
        self.take_back(flight);
        let outcome = match error {
            TargetError::Rejected { detail, .. } => Outcome::Rejected(Arc::clone(detail)),
            _ => Outcome::Failed(words),
        };
        self.ledger.close(flight.intent.id, outcome);
        self.refused(flight, error, cx);
        self.free(flight, cx);
    }

    /// It may have been done all the same: what was intended stays ours, and is read before it is believed.
    fn half_done(&mut self, flight: &Flight, error: &TargetError, words: Arc<str>, cx: &Context<'_>) {
        self.doubt_disable(&flight.intent);
        self.read_first(flight, cx);
        let unsure = match super::lost::given_by(flight.step()) {
            Some(group) => !self.shows_members(group),
            // A restart does not forget it either.
            None => matches!(flight.step(), Step::DisableAccount { .. }) && !flight.parts.is_empty(),
        };
        if unsure {
            self.keep_lost(&flight.intent);
        } else {
            self.ledger.close(flight.intent.id, Outcome::Failed(words));
        }
        self.fail_parts(flight, error, Duration::from_secs(1), cx);
    }

    /// It was not done: when it is tried again, and what is looked at before.
    fn refused(&mut self, flight: &Flight, error: &TargetError, cx: &Context<'_>) {
        if let Step::CreateGroup { name, .. } | Step::UpdateGroup { name, .. } = flight.step() {
            let attempts = self.groups.backoff.get(name).map_or(1, |(attempts, _)| attempts + 1);
            let wait = backoff(name, attempts, Duration::from_secs(10), LONGEST);
            self.groups.backoff.insert(Arc::clone(name), (attempts, cx.now.mono + wait));
            self.observing.observe_at = self.observing.observe_at.min(cx.now.mono + wait);
        }
        let together = flight.parts.len() > 1;
        match error {
            // The rest of a refused batch is carried out one by one.
            TargetError::Rejected { .. } | TargetError::NotFound | TargetError::Conflict if together => {
                self.alone.extend(flight.parts.iter().map(|part| part.name.clone()));
            }
            TargetError::Conflict => {
                self.looks.must_find.extend(flight.parts.iter().map(|part| part.name.clone()));
                for part in &flight.parts {
                    self.looks.found.remove(&part.name);
                }
                self.fail_parts(flight, error, Duration::from_secs(1), cx);
            }
            TargetError::NotFound if self.left_with_its_group(flight) => {}
            TargetError::NotFound => {
                self.look_again(flight, cx);
                self.fail_parts(flight, error, Duration::from_secs(1), cx);
            }
            TargetError::Rejected { .. } => self.fail_parts(flight, error, Duration::from_secs(10), cx),
            // A page of maintenance and a replica that lacks something say so too: it is asked soon, and then ever more rarely.
            TargetError::Unsupported(_) => self.fail_parts(flight, error, Duration::from_mins(1), cx),
            _ => {}
        }
    }

    /// It may have been done: these are read before anything of them is believed, and so is who refers to one whose name may be
    /// another one now.
    fn read_first(&mut self, flight: &Flight, cx: &Context<'_>) {
        for part in &flight.parts {
            self.looks.must_read.insert((part.name.clone(), part.record));
            if matches!(part.planned.step, Step::RenameAccount { .. }) {
                self.account_moved(&part.name, cx);
            }
        }
    }

    /// A removal from a group that neither answers nor is in a complete listing is done.
    fn left_with_its_group(&mut self, flight: &Flight) -> bool {
        let (group, kind) = match flight.step() {
            Step::RemoveMembers { group, .. } => (group, EntitlementKind::Group),
            Step::Revoke { kind, entitlement, .. } => (entitlement, *kind),
            _ => return false,
        };
        if self.shadow.group(group).is_some() || self.complete_listing(kind_of(kind)).is_none() {
            return false;
        }
        for part in &flight.parts {
            if let Some(mut record) = self.ledger.record(part.record).map(Row::record) {
                record.grants.remove(group);
                self.ledger.put(record);
            }
            self.alone.remove(&part.name);
            self.released_done(&part.name, &part.planned);
        }
        true
    }

    /// What a step spoke of is not there: the account is read, the groups are listed again.
    fn look_again(&mut self, flight: &Flight, cx: &Context<'_>) {
        for part in &flight.parts {
            match &part.planned.step {
                Step::UpdateAccount { id, .. }
                | Step::RenameAccount { id, .. }
                | Step::EnableAccount { id }
                | Step::DisableAccount { id }
                | Step::DeleteAccount { id } => self.ledger.unsee(id),
                _ => self.observing.observe_at = self.observing.observe_at.min(cx.now.mono + Duration::from_secs(1)),
            }
        }
    }

    /// The answer was lost: a create is looked for, anything else is read before it is repeated. What was intended stays
    /// in the ledger.
    fn uncertain(&mut self, flight: &Flight, error: &TargetError, cx: &Context<'_>) {
        let deadline = cx.now.mono + 2 * self.visibility();
        let intent = Arc::clone(&flight.intent);
        match flight.step() {
            Step::CreateAccount { .. } => {
                if let Some(part) = flight.parts.first() {
                    let before = part.before.clone();
                    self.looks.found.remove(&part.name);
                    self.looks
                        .unresolved
                        .insert(part.name.clone(), Unresolved { intent, before, deadline, attempts: 0 });
                }
            }
            // A listing showed it before its answer came.
            Step::CreateGroup { name, .. } if self.ledger.group(EntitlementKind::Group, name).is_some() => {
                self.ledger.close(intent.id, Outcome::Done);
            }
            Step::CreateGroup { name, .. } => {
                let key = (EntitlementKind::Group, Arc::clone(name));
                self.groups.unresolved.insert(key, super::group::UnresolvedGroup { intent: intent.id, deadline });
                self.observing.observe_at = self.observing.observe_at.min(deadline);
            }
            _ => {
                self.keep_lost(&intent);
                self.doubt_disable(&intent);
                self.read_first(flight, cx);
                // One whose answers are always lost waits longer and longer, by itself.
                if flight.parts.len() > 1 {
                    self.alone.extend(flight.parts.iter().map(|part| part.name.clone()));
                }
                self.fail_parts(flight, error, Duration::from_secs(1), cx);
            }
        }
        self.free(flight, cx);
    }

    /// What an error says about the target as a whole.
    pub(super) fn on_error(&mut self, error: &TargetError, cx: &Context<'_>, out: &mut Out) {
        let (reason, words) = told(error);
        match error {
            TargetError::RateLimited { retry_after } => {
                self.reach.failures += 1;
                let own = backoff(
                    self.application.as_str(),
                    self.reach.failures,
                    Duration::from_secs(1),
                    Duration::from_mins(1),
                );
                let wait = retry_after.unwrap_or(own);
                self.rate.wait(cx.now.mono + wait);
                // A short one is over before anybody has read of it.
                if wait >= LONG_PAUSE && self.phase == Phase::Ready && self.reach.trouble.is_none() {
                    let message = format!("{words}: it is asked again after {} s", wait.as_secs());
                    self.reach.trouble = Some(Problem::new(Reason::RateLimited, message));
                    out.changed = true;
                }
            }
            TargetError::Transient(_) | TargetError::Malformed(_) | TargetError::Lost(_) => {
                self.reach.failures += 1;
                if self.reach.failures >= 3 {
                    let wait = backoff(
                        self.application.as_str(),
                        self.reach.failures - 2,
                        Duration::from_millis(500),
                        Duration::from_secs(10),
                    );
                    self.rate.pause(cx.now.mono + wait);
                }
                if self.reach.failures >= 10 {
                    self.lose_contact(Problem::new(Reason::TargetUnreachable, words), cx, out);
                }
            }
            // One refused connection may be a restart.
            TargetError::Unreachable(_) => {
                self.reach.failures += 1;
                if self.reach.failures >= 2 {
                    self.lose_contact(Problem::new(reason, words), cx, out);
                }
            }
            TargetError::Unauthorized(_)
            | TargetError::Tls(_)
            | TargetError::SecretNotFound(_)
            | TargetError::Claimed(_)
            | TargetError::HostNotAllowed(_) => self.lose_contact(Problem::new(reason, words), cx, out),
            TargetError::Rejected { .. }
            | TargetError::Conflict
            | TargetError::NotFound
            | TargetError::Unsupported(_)
            | TargetError::NotAsked => {}
        }
    }

    /// Nothing is written until a probe succeeds.
    pub(super) fn lose_contact(&mut self, problem: Problem, cx: &Context<'_>, out: &mut Out) {
        self.reach.probe_failures += 1;
        self.phase = Phase::Unprobed;
        let before = self.storing.remembered.lost.take();
        self.reach.lost_since.get_or_insert(before.unwrap_or(cx.now.wall).min(cx.now.wall));
        // Credentials that are refused again and again may lock the account out; anything else is asked for often, so
        // that work goes on soon after the target is back.
        let longest = if problem.reason() == Reason::Unauthorized { 60 } else { 15 };
        let longest = Duration::from_secs(longest);
        let wait = backoff(self.application.as_str(), self.reach.probe_failures, Duration::from_secs(1), longest);
        // Nor before the target said that it may be asked.
        self.reach.probe_at = (cx.now.mono + wait).max(self.rate.next());
        self.observing.observation = None;
        self.reach.trouble = Some(problem);
        out.changed = true;
    }
}

/// An error in the closed set of reasons, and in our words.
pub(super) fn told(error: &TargetError) -> (Reason, Arc<str>) {
    let words: Arc<str> = error.to_string().into();
    let reason = match error {
        TargetError::Transient(_)
        | TargetError::Unreachable(_)
        | TargetError::Lost(_)
        | TargetError::Malformed(_)
        | TargetError::NotAsked => Reason::TargetUnreachable,
        TargetError::RateLimited { .. } => Reason::RateLimited,
        TargetError::Unauthorized(_) => Reason::Unauthorized,
        TargetError::Tls(_) => Reason::TlsFailed,
        TargetError::SecretNotFound(_) => Reason::SecretNotFound,
        TargetError::HostNotAllowed(_) => Reason::HostNotAllowed,
        TargetError::Claimed(_) => Reason::TargetConflict,
        TargetError::Rejected { .. } | TargetError::Conflict | TargetError::NotFound => Reason::Rejected,
        TargetError::Unsupported(_) => Reason::Unsupported,
    };
    (reason, words)
}
