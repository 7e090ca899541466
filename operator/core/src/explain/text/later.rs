//! What time alone gives and takes, in words.

use super::{list, number, push, right_of, sign, wrapped};
use crate::explain::{Difference, Explanation, Later, Right, Turn, Untold};

/// What who has ended had, and of what it cannot be told.
pub(super) fn before(out: &mut String, answer: &Explanation) {
    match (answer.had.as_slice(), answer.untold.as_slice()) {
        ([], []) => push(out, "no policy gave it anything of this before"),
        ([], _) => {}
        (had, _) => {
            push(out, "until then:");
            for had in had {
                push(out, &timed("  had", had, !had.enabled));
            }
        }
    }
    if !answer.untold.is_empty() {
        let besides = if answer.had.is_empty() { "" } else { " besides" };
        push(out, &format!("what it had{besides} cannot be told:"));
    }
    for Untold { application, entitlement, why } in &answer.untold {
        push(out, &wrapped(&format!("  {}: ", right_of(application, entitlement.as_ref())), why));
    }
}

/// A right that is to come or to go.
pub(super) fn coming(later: &Later) -> String {
    timed(&format!("  {}  {}", later.at, sign(later.turn)), later, !later.enabled && later.turn != Turn::Lost)
}

/// A right that time gives or takes, and what it rests on. `disabled`: the account can not be used.
fn timed(start: &str, later: &Later, disabled: bool) -> String {
    let right = right_of(&later.application, later.entitlement.as_ref());
    let turned = match later.turn {
        Turn::Enabled => " enabled",
        _ if disabled => " disabled",
        Turn::Gained | Turn::Lost | Turn::Disabled => "",
    };
    wrapped(&format!("{start} {:24}  ", format!("{right}{turned}")), &list(&later.policies, ""))
}

/// "3 changes take effect later; the first at 2026-12-01T00:00:00Z: account in chat for ada".
fn foretold(later: &[Later], words: [&str; 2]) -> Option<String> {
    let first = later.first()?;
    let Later { at, application, identity, .. } = first;
    let right = match &first.entitlement {
        None => format!("account in {application}"),
        Some(entitlement) => format!("{application}/{entitlement}"),
    };
    let what = match first.turn {
        Turn::Gained if !first.enabled => format!("{right} for {identity}, disabled"),
        Turn::Gained => format!("{right} for {identity}"),
        Turn::Lost => format!("no {right} for {identity} any more"),
        Turn::Disabled => format!("{right} disabled for {identity}"),
        Turn::Enabled => format!("{right} enabled for {identity}"),
    };
    let [one, many] = words;
    Some(wrapped("", &format!("{}; the first at {at}: {what}", number(later.len(), one, many))))
}

/// What time alone changes, of a plan.
pub(super) fn later(later: &[Later]) -> Option<String> {
    foretold(later, ["change takes effect later", "changes take effect later"])
}

/// What differs in what time alone changes.
pub(super) fn later_differs(difference: &Difference) -> Vec<String> {
    let words = ["change that was to come later does not come", "changes that were to come later do not come"];
    later(&difference.later).into_iter().chain(foretold(&difference.no_longer, words)).collect()
}

/// "will have wiki/editor from 2026-12-01T00:00:00Z": when a right that is to come is there, if it comes.
pub(super) fn begins(answer: &Explanation, right: &Right, what: &str) -> String {
    match right.gained(&answer.later) {
        Some(later) if later.enabled => format!("will have {what} from {}", later.at),
        Some(later) => format!("will have {what} from {}, disabled until it starts", later.at),
        None => format!(
            "does not have {what}, and by what is declared will not: what gives it now does so no more when {} has started",
            answer.identity
        ),
    }
}

/// "account, from 2026-12-01T00:00:00Z": a right with what time does to it, for a row of its own.
pub fn dated(later: &Later, right: &str) -> String {
    let how = match later.turn {
        Turn::Gained if later.enabled => "from",
        Turn::Gained => "disabled, from",
        Turn::Lost => "until",
        Turn::Disabled => "disabled from",
        Turn::Enabled => "enabled from",
    };
    format!("{right}, {how} {}", later.at)
}
