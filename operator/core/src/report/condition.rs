use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Condition, ConditionType, Problem, Truth};
use crate::model::{Reason, State};

/// What an object's last status said, as far as the next one depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prior {
    /// `status.observedGeneration`.
    pub generation: Option<i64>,
    /// The reason of Ready.
    pub reason: Option<Reason>,
    /// `status.lifecycleState`.
    pub lifecycle: Option<State>,
    /// Read: an application said that too, and published it.
    pub shared: bool,
    /// The message of Ready, digested: one for each object is held.
    message: u64,
    /// Which condition stood how since when.
    stood: Vec<(ConditionType, Truth, Timestamp)>,
}

impl Prior {
    /// From a `status` as an object carries it. What cannot be read counts as never written.
    pub fn read(status: &Value) -> Self {
        let mut prior = Self {
            generation: status.get("observedGeneration").and_then(Value::as_i64).filter(|g| *g >= 0),
            lifecycle: status.get("lifecycleState").and_then(Value::as_str).and_then(state),
            ..Self::default()
        };
        for condition in status.get("conditions").and_then(Value::as_array).into_iter().flatten() {
            let text = |field| condition.get(field).and_then(Value::as_str);
            let kind = match text("type") {
                Some("Ready") => ConditionType::Ready,
                Some("Reconciling") => ConditionType::Reconciling,
                Some("Stalled") => ConditionType::Stalled,
                Some("Reachable") => ConditionType::Reachable,
                Some("WithinBudget") => ConditionType::WithinBudget,
                _ => continue,
            };
            let truth = match text("status") {
                Some("True") => Truth::True,
                Some("False") => Truth::False,
                Some("Unknown") => Truth::Unknown,
                _ => continue,
            };
            let Some(since) = text("lastTransitionTime").and_then(|t| t.parse().ok()) else { continue };
            if kind == ConditionType::Ready {
                let reason = text("reason").unwrap_or_default();
                prior.reason = Reason::ALL.iter().copied().find(|r| r.as_str() == reason);
                prior.message = digest(text("message").unwrap_or_default());
            }
            prior.stood.push((kind, truth, since));
        }
        let problems = status.get("problems").and_then(Value::as_array).into_iter().flatten();
        let mut reasons = problems.filter_map(|problem| problem.get("reason")?.as_str());
        prior.shared = prior.reason.filter(|reason| is_of_application(*reason)).is_some_and(|reason| {
            // What is wrong with the object itself is not among these.
            reasons.any(|told| told == reason.as_str())
        });
        prior
    }

    /// From conditions that were computed here.
    pub(super) fn of(generation: i64, lifecycle: Option<State>, conditions: &[Condition]) -> Self {
        let ready = conditions.iter().find(|c| c.r#type == ConditionType::Ready);
        Self {
            generation: Some(generation),
            lifecycle,
            shared: false,
            reason: ready.map(|c| c.reason),
            message: digest(ready.map_or("", |c| &c.message)),
            stood: conditions.iter().map(|c| (c.r#type, c.status, c.last_transition_time)).collect(),
        }
    }

    /// Whether it said of Ready what this condition says.
    pub(super) fn says(&self, ready: &Condition) -> bool {
        self.reason == Some(ready.reason) && self.message == digest(&ready.message)
    }

    /// The status of Ready, if it was ever written.
    pub fn ready(&self) -> Option<Truth> {
        self.stood.iter().find(|(kind, ..)| *kind == ConditionType::Ready).map(|(_, truth, _)| *truth)
    }

    /// Since when a condition stands as it stands now.
    fn since(&self, kind: ConditionType, truth: Truth, now: Timestamp) -> Timestamp {
        let stood = self.stood.iter().find(|(k, t, _)| *k == kind && *t == truth).map(|(.., since)| *since);
        // Kubernetes writes whole seconds; a fraction would only make the object larger.
        stood.unwrap_or_else(|| Timestamp::from_second(now.as_second()).unwrap_or(now))
    }
}

fn state(text: &str) -> Option<State> {
    [State::Pending, State::Active, State::Suspended, State::Ended].into_iter().find(|state| state.as_str() == text)
}

/// What stops an application, or is held there: it publishes that itself, once for all.
fn is_of_application(reason: Reason) -> bool {
    use Reason as R;
    matches!(
        reason,
        R::SecretNotFound
            | R::TargetUnreachable
            | R::StoreUnavailable
            | R::InvalidSpec
            | R::InvalidExpression
            | R::Unauthorized
            | R::HostNotAllowed
            | R::TlsFailed
            | R::TargetChanged
            | R::TargetConflict
            | R::RemovalBudgetExceeded
            | R::GrantBudgetExceeded
            | R::LedgerMismatch
    )
}

/// Lives in memory alone.
fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// One condition before it has a generation and a time.
pub(super) struct Finding {
    pub kind: ConditionType,
    pub truth: Truth,
    pub reason: Reason,
    pub message: Arc<str>,
}

/// Whether an object is Ready, and why.
pub(super) enum Verdict {
    /// All is well.
    Ready(Reason, Arc<str>),
    /// It is not: stalled or being worked on, as its reason says.
    NotReady(Reason, Arc<str>),
    /// It is not known yet; being worked on.
    NotKnown(Reason, Arc<str>),
}

/// The conditions of an object: Ready always; Stalled or Reconciling, never both, only where they are true.
pub(super) fn conditions(
    verdict: Verdict,
    more: Vec<Finding>,
    generation: i64,
    prior: &Prior,
    now: Timestamp,
) -> Vec<Condition> {
    let (truth, reason, message) = match verdict {
        Verdict::Ready(reason, message) => (Truth::True, reason, message),
        Verdict::NotReady(reason, message) => (Truth::False, reason, message),
        Verdict::NotKnown(reason, message) => (Truth::Unknown, reason, message),
    };
    let mut findings = vec![Finding { kind: ConditionType::Ready, truth, reason, message: Arc::clone(&message) }];
    if truth == Truth::False && reason.is_stalled() {
        findings.push(Finding { kind: ConditionType::Stalled, truth: Truth::True, reason, message });
    } else if truth != Truth::True {
        let reason = if is_failure(reason) { Reason::ProgressingWithRetry } else { reason };
        findings.push(Finding { kind: ConditionType::Reconciling, truth: Truth::True, reason, message });
    }
    findings.extend(more);
    findings
        .into_iter()
        .map(|Finding { kind, truth, reason, message }| Condition {
            r#type: kind,
            status: truth,
            observed_generation: generation,
            last_transition_time: prior.since(kind, truth, now),
            reason,
            message,
        })
        .collect()
}

/// The reason that is told first: one that needs a person before one that is retried. Among the former in the order of the
/// closed set (the object's own spec comes first there), among the latter in its reverse (what failed before what merely
/// goes on). Between equals the one that comes first.
pub fn worst<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Option<&'a Problem> {
    problems.into_iter().min_by_key(|problem| order(problem.reason()))
}

pub(super) fn order(reason: Reason) -> (u8, i32) {
    let place = reason as i32;
    if reason.is_stalled() {
        (0, place)
    } else if reason.is_good() {
        (2, place)
    } else {
        (1, -place)
    }
}

/// Whether something went wrong, so that work goes on by trying again: worth an event, too.
pub(super) fn is_failure(reason: Reason) -> bool {
    match reason {
        Reason::Progressing
        | Reason::RateLimited
        | Reason::AwaitingVisibility
        | Reason::Settling
        | Reason::Paused
        | Reason::PlanOnly => false,
        other => !other.is_good(),
    }
}
