//! What it comes to, in words.

use super::later::begins;
use super::right_of;
use crate::explain::{Explanation, Right, Verdict};
use crate::model::State;

/// What becomes of an account that somebody suspended may have.
pub(in crate::explain) const STAYS: &str = "one that is there stays, disabled, until the suspension ends";

/// One word for a verdict.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Has => "has",
        Verdict::Disabled => "disabled",
        Verdict::NotYet => "later",
        Verdict::Unknown => "unknown",
        Verdict::Not => "not",
    }
}

/// One sentence for a right.
pub(super) fn said(answer: &Explanation, right: &Right) -> String {
    let identity = &answer.identity;
    let state = answer.standing.as_ref().map(|standing| standing.state);
    let rests = state == Some(State::Suspended) && right.entitlement.is_none();
    let what = right_of(&right.application, right.entitlement.as_ref());
    let what = if right.entitlement.is_none() { format!("an account in {}", right.application) } else { what };
    match right.verdict {
        Verdict::Has => format!("{identity} has {what}"),
        Verdict::Disabled => format!("{identity} has {what}, disabled"),
        Verdict::NotYet => format!("{identity} {}", begins(answer, right, &what)),
        Verdict::Unknown if rests => format!("whether {identity} has {what} cannot be told: {STAYS}"),
        Verdict::Unknown if answer.standing.as_ref().is_some_and(|standing| standing.unread) => {
            format!("whether {identity} has {what} cannot be told: nothing new is given, what is there is kept")
        }
        Verdict::Unknown => format!(
            "whether {identity} has {what} cannot be told: nothing new is given, what is held by these policies is kept"
        ),
        Verdict::Not if state == Some(State::Ended) => format!("{identity} does not have {what}: it has ended"),
        Verdict::Not if rests => format!("{identity} is not given {what}; {STAYS}"),
        Verdict::Not => format!("{identity} does not have {what}"),
    }
}
