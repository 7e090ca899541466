//! Answers as text for a terminal, within 80 columns where names allow it. Nothing here prints.

mod later;
mod verdict;

use std::fmt::Write as _;

use super::{
    BecameUnknown, Desired, Difference, Explanation, Holder, PolicyAnswer, Right, RightChange, RuleAnswer, Stands,
    Total, Turn, Unchanged, Verdict,
};
pub use later::dated;
use later::{before, coming, later, later_differs};
pub(super) use verdict::STAYS;
use verdict::said;
pub use verdict::verdict;

use crate::directory::Truth;
use crate::model::{Name, ObjectKind, ObjectRef, State};

/// Columns of a terminal that is no wider than most.
pub const WIDTH: usize = 80;

/// Where an object is declared, for whoever knows: `policies/wiki.yaml:1`.
pub type Locate<'a> = &'a dyn Fn(&ObjectRef) -> Option<String>;

/// `provost explain`.
pub fn why(answer: &Explanation, locate: Locate<'_>) -> String {
    let mut out = String::new();
    let identity = &answer.identity;
    let Some(standing) = &answer.standing else {
        return format!("there is no Identity {identity}; an owner who is gone has ended\n");
    };
    let one = answer.rights.len() == 1;
    if !one || standing.state != State::Active || standing.frozen.is_some() {
        let groups = list(&standing.groups, "no group");
        push(&mut out, &wrapped(&format!("{identity}: {}, in ", stands(standing)), &groups));
        if let Some(frozen) = &standing.frozen {
            push(&mut out, &wrapped("  frozen: ", frozen));
        }
    }
    if answer.rights.is_empty() {
        push(&mut out, "there is no TargetApplication to have anything in");
    }
    for right in &answer.rights {
        if one {
            one_right(&mut out, answer, right, locate);
        } else {
            push(&mut out, &row(right, standing));
        }
    }
    if standing.state == State::Ended {
        before(&mut out, answer);
    } else if !answer.later.is_empty() {
        push(&mut out, "by time alone:");
        answer.later.iter().for_each(|later| push(&mut out, &coming(later)));
    }
    out
}

/// "Pending, starts at 2026-12-01T00:00:00Z".
fn stands(standing: &Stands) -> String {
    let state = standing.state.as_str();
    match (standing.state, standing.start_time, standing.end_time) {
        (State::Pending, Some(start), _) => format!("{state}, starts at {start}"),
        (State::Ended, _, Some(end)) => format!("{state} since {end}"),
        (_, _, Some(end)) => format!("{state} until {end}"),
        _ => state.to_owned(),
    }
}

/// `provost who-can`.
pub fn who_can(holders: &[Holder]) -> String {
    let width = holders.iter().map(|holder| columns(holder.identity.as_str())).max().unwrap_or(0);
    let line = |holder: &Holder| {
        let start = format!("{:width$}  {:8}  ", holder.identity.as_str(), verdict(holder.verdict));
        let suspended = holder.verdict == Verdict::Unknown && holder.state == State::Suspended;
        let kept = if suspended { " (suspended: what is there stays)" } else { "" };
        wrapped(&start, format!("{}{kept}", list(&holder.policies, "")).trim_start())
    };
    let mut out = String::new();
    for holder in holders {
        push(&mut out, &line(holder));
    }
    if holders.is_empty() {
        push(&mut out, "nobody");
    }
    out
}

/// `provost plan`.
pub fn plan(desired: &Desired) -> String {
    let mut out = String::new();
    for (name, application) in &desired.applications {
        push(&mut out, &format!("{name}  {}", number(application.accounts.len(), "account", "accounts")));
        let width = application.entitlements.keys().map(|name| columns(name.as_str())).max().unwrap_or(0).max(7);
        let (enabled, disabled): (Vec<_>, Vec<_>) =
            application.accounts.iter().partition(|(_, account)| account.enabled);
        for (label, accounts) in [("account", enabled), ("disabled", disabled)] {
            if !accounts.is_empty() {
                let names: Vec<Name> = accounts.into_iter().map(|(name, _)| name.clone()).collect();
                push(&mut out, &wrapped(&format!("  {label:width$}  "), &list(&names, "")));
            }
        }
        for (entitlement, entry) in &application.entitlements {
            let names: Vec<Name> = entry.holders.keys().cloned().collect();
            let mark = if entry.privileged { "(privileged) " } else { "" };
            let start = format!("  {:width$}  {mark}", entitlement.as_str());
            push(&mut out, &wrapped(&start, &list(&names, "nobody")));
        }
        for right in &application.undecided {
            let what = right.entitlement.as_ref().map_or("account", Name::as_str);
            push(&mut out, &wrapped(&format!("  {what:width$}  kept as it is for {}: ", right.identity), &right.why));
        }
    }
    for name in &desired.invalid {
        push(&mut out, &wrapped(&format!("{name}  "), INVALID));
    }
    if desired.applications.is_empty() && desired.invalid.is_empty() {
        push(&mut out, "no TargetApplication");
    }
    if let Some(line) = later(&desired.later) {
        push(&mut out, &line);
    }
    out
}

/// What an application gives whose manifest is invalid.
const INVALID: &str = "unknown: its manifest is invalid; `provost lint` says why";

/// That nothing changes hands now.
fn nothing(difference: &Difference) -> &'static str {
    match (difference.is_known(), difference.is_empty()) {
        (false, _) => "as far as is known nobody gains or loses anything",
        (true, true) => "nobody gains or loses anything",
        (true, false) => "nobody gains or loses anything now",
    }
}

/// Applications of which something cannot be told, and what.
pub fn unknown(difference: &Difference) -> impl Iterator<Item = (&Name, String)> {
    let is = difference.invalid.iter().map(|name| (name, INVALID.to_owned()));
    let was = difference.invalid_before.iter();
    let was = was.map(|name| (name, "what it gave is unknown: its manifest was invalid".to_owned()));
    is.chain(was).chain(difference.unknown.iter().map(|rights| (&rights.application, became(rights))))
}

/// Rights that a change makes ones that cannot be told.
fn became(rights: &BecameUnknown) -> String {
    let what = rights.entitlement.as_ref().map_or("the account", Name::as_str);
    let first: Vec<Name> = rights.identities.iter().take(3).cloned().collect();
    let more = rights.identities.len() - first.len();
    let who = if more == 0 { list(&first, "") } else { format!("{} and {more} more", list(&first, "")) };
    format!("{what} of {who} becomes unknown and is kept as it is: {}", rights.why)
}

/// `provost diff`.
pub fn diff(difference: &Difference) -> String {
    let mut out = String::new();
    let width = difference.applications.keys().map(|name| columns(name.as_str())).max().unwrap_or(0);
    for (name, totals) in &difference.applications {
        let mut parts = vec![counted(&totals.accounts, "account")];
        parts.extend(totals.entitlements.iter().map(|(name, total)| counted(total, name.as_str())));
        let line = wrapped(&format!("{:width$}  ", name.as_str()), &parts.join(" \u{a0} "));
        push(&mut out, &line.replace('\u{a0}', " "));
    }
    for (name, what) in unknown(difference) {
        push(&mut out, &wrapped(&format!("{name}  "), &what));
    }
    if difference.changes.is_empty() {
        push(&mut out, nothing(difference));
    } else {
        push(&mut out, "");
    }
    let rights = difference.changes.iter().map(|change| columns(&right_name(change))).max().unwrap_or(0);
    for change in &difference.changes {
        let start = format!("  {} {:rights$}  ", sign(change.turn), right_name(change));
        let mut who = list(&change.identities, "");
        if columns(&who) > 30 && change.identities.len() > 3 {
            let first: Vec<Name> = change.identities.iter().take(2).cloned().collect();
            who = format!("{} and {} more", list(&first, ""), change.identities.len() - 2);
        }
        let cause = format!("{}{}", change.cause, if change.privileged { " (privileged)" } else { "" });
        let line = format!("{start}{who:16}  {cause}");
        if columns(&line) <= WIDTH {
            push(&mut out, line.trim_end());
        } else {
            push(&mut out, &wrapped(&start, &who));
            push(&mut out, &wrapped(&" ".repeat(columns(&start).min(WIDTH / 2)), &cause));
        }
    }
    for line in later_differs(difference) {
        push(&mut out, &line);
    }
    push(&mut out, &same_in_both(difference));
    out
}

fn same_in_both(difference: &Difference) -> String {
    let Unchanged { identities, groups, policies, applications } = difference.unchanged;
    let counts = [
        number(identities, "identity", "identities"),
        number(groups, "group", "groups"),
        number(policies, "policy", "policies"),
        number(applications, "application", "applications"),
    ];
    format!("{} unchanged", counts.join(", "))
}

/// `provost diff -o markdown`: for a pull request.
pub fn markdown(difference: &Difference) -> String {
    let later = later_differs(difference).into_iter().map(|line| format!("{}.", literal(&line)));
    let last = later.chain([format!("{}.", same_in_both(difference))]).collect::<Vec<_>>().join("\n\n");
    let mut out = String::new();
    for (name, what) in unknown(difference) {
        push(&mut out, &format!("- **{name}**: {what}"));
    }
    if difference.changes.is_empty() {
        let nothing = nothing(difference);
        let (first, rest) = nothing.split_at(1);
        let apart = if out.is_empty() { "" } else { "\n" };
        return format!("{out}{apart}{}{rest}.\n\n{last}\n", first.to_uppercase());
    }
    for (name, totals) in &difference.applications {
        let mut parts = vec![counted(&totals.accounts, "account")];
        parts.extend(totals.entitlements.iter().map(|(name, total)| counted(total, name.as_str())));
        let parts = parts.join(", ").replace(" \u{a0} ", ", ").replace('\u{a0}', " ");
        push(&mut out, &format!("- **{name}**: {parts}"));
    }
    out.push_str("\n| | right | who | cause |\n|---|---|---|---|\n");
    for change in &difference.changes {
        let bold = if change.privileged { " **privileged**" } else { "" };
        let cells = [&right_name(change), &list(&change.identities, ""), &change.cause].map(|cell| literal(cell));
        let [right, who, cause] = cells;
        push(&mut out, &format!("| {} | {right}{bold} | {who} | {cause} |", sign(change.turn)));
    }
    push(&mut out, &format!("\n{last}"));
    out
}

/// Text that Markdown shows as it is: what a manifest says is nobody's markup.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

fn one_right(out: &mut String, answer: &Explanation, right: &Right, locate: Locate<'_>) {
    let ended = answer.standing.as_ref().is_some_and(|standing| standing.state == State::Ended);
    push(out, &wrapped("", &said(answer, right)));
    if let Some(missing) = &right.missing {
        push(out, &wrapped("  ", missing));
    }
    if ended {
        return;
    }
    let unread = answer.standing.as_ref().is_some_and(|standing| standing.unread);
    right.allows.iter().chain(&right.denies).for_each(|policy| one_policy(out, policy, locate));
    if unread {
        let which =
            format!("which policies name it cannot be told: the manifest of Identity {} is invalid", answer.identity);
        push(out, &wrapped("", &which));
    } else if !right.nearest.is_empty() {
        push(out, "no AccessPolicy gives it; the nearest:");
        right.nearest.iter().for_each(|policy| one_policy(out, policy, locate));
    } else if right.allows.is_empty() {
        push(out, "no AccessPolicy names it");
    }
    let denies = match deniers(right).is_empty() {
        _ if unread => "whether a Deny concerns it cannot be told",
        _ if right.denies.is_empty() => "no Deny concerns it",
        _ if right.denies.iter().all(|deny| deny.audit) => "no Deny in force concerns it",
        false => "denied as above",
        true => "may be denied, as above",
    };
    match &right.requires {
        // What an entitlement that cannot be read requires is not known.
        None if right.missing.is_some() && right.entitlement.is_some() => {
            push(out, &format!("  {denies}; requires: cannot be read"));
        }
        None => push(out, &format!("  {denies}; requires: none")),
        Some(rule) => {
            push(out, &format!("  {denies}; requires: {}", truth(rule.truth)));
            one_rule(out, "requires", rule);
        }
    }
}

fn one_policy(out: &mut String, policy: &PolicyAnswer, locate: Locate<'_>) {
    let kind = if policy.deny { ", Deny" } else { "" };
    let audit = if policy.audit { ", Audit: nothing rests on it" } else { "" };
    let head = format!("  AccessPolicy {} (generation {}{kind}{audit})", policy.policy, policy.generation);
    let object = ObjectRef { kind: ObjectKind::AccessPolicy, name: policy.policy.clone() };
    match locate(&object) {
        Some(place) => {
            if columns(&head) + 2 + columns(&place) <= WIDTH {
                push(out, &format!("{head}{place:>rest$}", rest = WIDTH - columns(&head)));
            } else {
                push(out, &head);
                push(out, &format!("{place:>WIDTH$}"));
            }
        }
        None => push(out, &head),
    }
    if let Some(window) = &policy.window {
        push(out, &wrapped("    window    no    ", window));
    }
    let width = policy.subjects.iter().map(|s| columns(s.kind) + 1 + columns(s.name.as_str())).max().unwrap_or(0);
    for (at, subject) in policy.subjects.iter().enumerate() {
        let label = if at == 0 { "subjects" } else { "" };
        let name = format!("{} {}", subject.kind, subject.name);
        let start = format!("    {label:8}  {name:width$}  {:7}  ", truth(subject.truth));
        push(out, &wrapped(&start, &subject.how));
    }
    if let Some(rule) = &policy.rule {
        one_rule(out, "match", rule);
    }
}

/// A rule with a mark under each of its conditions; one condition a line where it does not fit.
fn one_rule(out: &mut String, label: &str, rule: &RuleAnswer) {
    let start = format!("    {label:8}  ");
    let fits = !rule.text.contains('\n') && columns(&start) + columns(&rule.text) <= WIDTH;
    for (at, line) in rule.text.lines().enumerate() {
        push(out, &wrapped(if at == 0 { &start } else { "              " }, line));
    }
    rule.errors.iter().for_each(|error| push(out, &wrapped("              does not compile: ", error)));
    let mut marks = " ".repeat(columns(&start));
    let mut rest = Vec::new();
    for clause in &rule.clauses {
        let mark = format!("^ {}", clause.outcome);
        let at = columns(&start) + clause.at;
        if fits
            && (at > columns(&marks) || marks.trim().is_empty())
            && at >= columns(&marks)
            && at + columns(&mark) <= WIDTH
        {
            let _ = write!(marks, "{}{mark}", " ".repeat(at - columns(&marks)));
        } else {
            rest.push(clause);
        }
    }
    if !marks.trim().is_empty() {
        push(out, &marks);
    }
    for clause in rest {
        let text = clause.text.split_whitespace().collect::<Vec<_>>().join(" ");
        push(out, &wrapped(&format!("              {:11}  ", clause.outcome), &text));
    }
    for why in rule.clauses.iter().filter_map(|clause| clause.why.as_ref()) {
        push(out, &wrapped("              unknown: ", why));
    }
}

/// What denies it. A Deny in mode Audit does not.
fn deniers(right: &Right) -> Vec<&PolicyAnswer> {
    right.denies.iter().filter(|deny| deny.truth == Truth::Yes && !deny.audit).collect()
}

fn row(right: &Right, standing: &Stands) -> String {
    let what = right_of(&right.application, right.entitlement.as_ref());
    let by = |policies: &[&PolicyAnswer]| {
        let names: Vec<Name> = policies.iter().map(|policy| policy.policy.clone()).collect();
        list(&names, "no policy")
    };
    let requires = right.requires.as_ref().is_some_and(|rule| rule.truth == Truth::No);
    let deny = deniers(right);
    let rests = standing.state == State::Suspended && right.entitlement.is_none() && right.missing.is_none();
    let why = match (right.verdict, deny.is_empty(), requires) {
        (Verdict::Unknown, false, _) if rests => format!("suspended, and denied by {}", by(&deny)),
        (Verdict::Not, false, _) => format!("denied by {}", by(&deny)),
        (Verdict::Not, true, true) => "requires is false".into(),
        (Verdict::Unknown, ..) if standing.unread => "its manifest is invalid".into(),
        (Verdict::Not, ..) if standing.state == State::Ended => "ended".into(),
        _ => by(&right.allows.iter().collect::<Vec<_>>()),
    };
    wrapped(&format!("{what:24}  {:8}  ", verdict(right.verdict)), &why)
}

fn truth(truth: Truth) -> &'static str {
    match truth {
        Truth::Yes => "yes",
        Truth::Unknown => "unknown",
        Truth::No => "no",
    }
}

/// `+`, `-` or `~`.
pub fn sign(turn: Turn) -> &'static str {
    match turn {
        Turn::Gained => "+",
        Turn::Lost => "-",
        Turn::Disabled | Turn::Enabled => "~",
    }
}

/// "+ 3 editor   - 2 editor", with spaces that a line is not broken at. Accounts are always counted.
fn counted(total: &Total, what: &str) -> String {
    let account = what == "account";
    let noun = |count: usize| if account && count != 1 { "accounts" } else { what };
    let part =
        |sign: &str, count: usize| (account || count > 0).then(|| format!("{sign}\u{a0}{count}\u{a0}{}", noun(count)));
    let switched = (total.switched > 0).then(|| format!("~\u{a0}{}\u{a0}switched", total.switched));
    let parts: Vec<String> = part("+", total.gained).into_iter().chain(part("-", total.lost)).chain(switched).collect();
    let privileged = if total.privileged { "\u{a0}(privileged)" } else { "" };
    format!("{}{privileged}", parts.join(" \u{a0} "))
}

fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The right that changes hands: `wiki/editor`, or `wiki disabled`.
pub fn right_name(change: &RightChange) -> String {
    let name = right_of(&change.application, change.entitlement.as_ref());
    match change.turn {
        Turn::Disabled => format!("{name} disabled"),
        Turn::Enabled => format!("{name} enabled"),
        Turn::Gained | Turn::Lost => name,
    }
}

/// `wiki`, or `wiki/editor`.
pub fn right_of(application: &Name, entitlement: Option<&Name>) -> String {
    entitlement.map_or_else(|| application.to_string(), |entitlement| format!("{application}/{entitlement}"))
}

fn list(names: &[Name], none: &str) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// Text after a start, broken at spaces; later lines begin below the text.
pub fn wrapped(start: &str, text: &str) -> String {
    folded(start, text, columns(start).min(WIDTH / 2))
}

/// Text after a start, broken at spaces; later lines begin so far in.
pub fn folded(start: &str, text: &str, indent: usize) -> String {
    let lines = lines(text, WIDTH.saturating_sub(columns(start)), WIDTH.saturating_sub(indent));
    let out = format!("{start}{}", lines.join(&format!("\n{}", " ".repeat(indent))));
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Text in lines, broken at spaces: the first has so many columns, the others so many, but for a word that is longer.
pub fn lines(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let room = if lines.len() == 1 { first } else { others };
        match lines.last_mut().filter(|line| columns(line) + 1 + columns(word) <= room) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How many columns a text takes.
pub fn columns(text: &str) -> usize {
    text.chars().count()
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_broken_at_spaces_and_what_it_begins_with_is_kept() {
        assert_eq!(super::lines("  one two three", 5, 9), ["  one", "two three"]);
        assert_eq!(super::lines("extraordinary a b", 3, 3), ["extraordinary", "a b"]);
        assert_eq!(super::lines("", 3, 3), [""]);
        let folded = super::folded("name  ", &"word ".repeat(16), 2);
        assert_eq!(folded, format!("name  {}word\n  word", "word ".repeat(14)));
    }

    #[test]
    fn what_a_manifest_says_is_nobodys_markup() {
        assert_eq!(super::literal("a|b <i> `x`\n*y* R&D"), "a\\|b &lt;i> \\`x\\` \\*y\\* R&amp;D");
    }
}
