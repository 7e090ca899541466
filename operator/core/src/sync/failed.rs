//! Steps that were refused or failed: each waits longer and longer by itself, sooner over when what is decided changes.

use std::time::Duration;

use super::flight::Flight;
use super::outcome::told;
use super::rate::backoff;
use super::{Context, Failed, Sync};
use crate::model::{AttributeName, Name, Reason, Step, TargetError, Value};
use crate::plan::Planned;
use crate::report::Problem;

/// The longest wait between two attempts of one item.
pub(super) const LONGEST: Duration = Duration::from_hours(24);
/// And of a refused disable: whoever mends what it was refused for waits for it.
const REFUSED_DISABLE: Duration = Duration::from_mins(15);
/// And of what somebody who leaves is to lose, where the failure says nothing of the item.
const FAILED_LEAVER: Duration = Duration::from_mins(1);

impl Sync {
    /// Of each whose step this was: it was refused or failed, and is tried again later and later.
    pub(super) fn fail_parts(&mut self, flight: &Flight, error: &TargetError, first: Duration, cx: &Context<'_>) {
        let (reason, words) = told(error);
        let field = match error {
            TargetError::Rejected { field: Some(field), .. } => format!(" ({field})"),
            _ => String::new(),
        };
        let refused = matches!(error, TargetError::Rejected { .. });
        let passes = reason == Reason::TargetUnreachable;
        self.reach.takes_no_writes |= passes;
        for (name, step) in flight.owners() {
            // Whoever is made with a user name that is taken is told the same.
            let taken = matches!(error, TargetError::Conflict) && self.is_of_user_name(step);
            let longest = match step {
                _ if passes && super::queue::leaves(name, cx) => FAILED_LEAVER,
                Step::DisableAccount { .. } if refused => REFUSED_DISABLE,
                _ => LONGEST,
            };
            let failures = self.failed.entry(name.clone()).or_default();
            let before = failures.iter().position(|f| f.step == *step).map(|at| failures.swap_remove(at));
            let attempts = before.as_ref().map_or(1, |f| f.attempts + 1);
            let passes = passes && before.is_none_or(|f| f.passes);
            let until = cx.now.mono + backoff(name.as_str(), attempts, first, longest);
            let problem = if taken {
                let message = "somebody else's account at the target has this user name: change one of the two names, or remove \
                               that account; it is tried again by itself";
                Problem::new(Reason::UserNameTaken, message)
            } else {
                let message = format!("{} was refused or failed and is tried again: {words}{field}", step.name());
                Problem::new(reason, message)
            };
            failures.push(Failed { step: step.clone(), attempts, until, passes, problem });
            self.queue.push_at(name, until);
        }
    }

    /// Whether a collision of this step can be about nothing but the user name.
    fn is_of_user_name(&self, step: &Step) -> bool {
        let Step::RenameAccount { id, set } = step else { return false };
        let attribute = AttributeName::from(self.schema.user_name);
        let Some(name) = set.get(&attribute).and_then(Value::as_text) else { return false };
        set.len() == 1 || self.ledger.with_key(&attribute, name).iter().any(|other| other != id)
    }

    /// Why this step of this account is not tried now, if so.
    pub(super) fn waits_after_failure(&self, name: &Name, step: &Step, cx: &Context<'_>) -> Option<Problem> {
        let failed = self.failed.get(name)?.iter().find(|f| f.step == *step)?;
        (failed.until > cx.now.mono).then(|| failed.problem.clone())
    }

    /// Forgets failures of steps that are not planned any more.
    pub(super) fn forget_failures(&mut self, name: &Name, steps: &[Planned]) {
        if let Some(failures) = self.failed.get_mut(name) {
            failures.retain(|failed| steps.iter().any(|planned| planned.step == failed.step));
            if failures.is_empty() {
                self.failed.remove(name);
            }
        }
    }
}
