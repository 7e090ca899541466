use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::difference::Turn;
use super::later::{Later, Untold, later, until};
use crate::directory::{
    Direct, Directory, IdentityView, MembershipTrace, PolicyTrace, RuleTrace, Standing, SubjectTrace, Truth, Wanted,
    Window, Withheld,
};
use crate::model::{Effect, GrantWhat, Name, ObjectKind, ObjectRef, PolicyMode, Reason, State, Subject};
use crate::policy::Outcome;

/// How many policies are named that come near, where none grants.
const NEAREST: usize = 3;

/// Why an identity has something, or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Who.
    pub identity: Name,
    /// How it stands; `None`: there is no such Identity.
    pub standing: Option<Stands>,
    /// What was asked about, or everything that any policy gives or withholds.
    pub rights: Vec<Right>,
    /// What time alone will change of it, in the order of time.
    pub later: Vec<Later>,
    /// Of who has ended: what it had until then.
    pub had: Vec<Later>,
    /// Of who has ended: of what it cannot be told whether they had it.
    pub untold: Vec<Untold>,
}

impl Explanation {
    /// As if one of its rights alone had been asked about.
    pub fn alone(&self, right: &Right) -> Self {
        let of = |one: &&Later| right.is(&one.application, one.entitlement.as_ref());
        let untold = self.untold.iter().filter(|one| right.is(&one.application, one.entitlement.as_ref()));
        Self {
            rights: vec![right.clone()],
            later: self.later.iter().filter(of).cloned().collect(),
            had: self.had.iter().filter(of).cloned().collect(),
            untold: untold.cloned().collect(),
            identity: self.identity.clone(),
            standing: self.standing.clone(),
        }
    }
}

impl Right {
    /// Whether it is this one.
    fn is(&self, application: &Name, entitlement: Option<&Name>) -> bool {
        self.application == *application && self.entitlement.as_ref() == entitlement
    }

    /// What gives it first, of what time alone changes.
    pub(super) fn gained<'a>(&self, later: &'a [Later]) -> Option<&'a Later> {
        let gives = |one: &&Later| one.turn == Turn::Gained && self.is(&one.application, one.entitlement.as_ref());
        later.iter().find(gives)
    }
}

/// How an identity stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stands {
    /// In its lifecycle.
    pub state: State,
    /// `spec.lifecycle.startTime`.
    pub start_time: Option<Timestamp>,
    /// `spec.lifecycle.endTime`.
    pub end_time: Option<Timestamp>,
    /// Why it loses nothing and gains nothing, if so.
    pub frozen: Option<String>,
    /// The groups it is in, sorted.
    pub groups: Vec<Name>,
    /// Its manifest cannot be read: no policy is asked about it.
    #[serde(skip)]
    pub unread: bool,
}

/// One account or entitlement, and what the policies say of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// The application.
    pub application: Name,
    /// The entitlement; `None`: the account.
    pub entitlement: Option<Name>,
    /// What it comes to.
    pub verdict: Verdict,
    /// Why the question cannot be answered, if so: no such application or entitlement.
    pub missing: Option<String>,
    /// Allows that match, or may.
    pub allows: Vec<PolicyAnswer>,
    /// Denies that match, or may.
    pub denies: Vec<PolicyAnswer>,
    /// Who may have it at all.
    pub requires: Option<RuleAnswer>,
    /// Where no Allow matches: those that come nearest.
    pub nearest: Vec<PolicyAnswer>,
}

/// What the policies come to for one right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It has it.
    Has,
    /// It has it, and cannot use it: suspended, or not started and within the lead time.
    Disabled,
    /// It will, once it has started.
    NotYet,
    /// It cannot be told: what the ledger says rests on these policies is kept, nothing new is given.
    /// So is an account that is denied to somebody suspended.
    Unknown,
    /// It has not.
    Not,
}

/// One policy and one identity.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAnswer {
    /// Which.
    pub policy: Name,
    /// `metadata.generation`.
    pub generation: i64,
    /// It withholds.
    pub deny: bool,
    /// Evaluated and counted; nothing rests on it.
    pub audit: bool,
    /// Whether it matches.
    pub truth: Truth,
    /// Why its window is closed, if so.
    pub window: Option<String>,
    /// Its subjects; empty: everyone.
    pub subjects: Vec<SubjectAnswer>,
    /// Its rule.
    pub rule: Option<RuleAnswer>,
}

/// One subject of a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectAnswer {
    /// `Identity` or `Group`.
    pub kind: &'static str,
    /// Its name.
    pub name: Name,
    /// Whether it holds.
    pub truth: Truth,
    /// How, or why not.
    pub how: String,
}

/// A rule, and what each of its conditions came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleAnswer {
    /// The text.
    pub text: String,
    /// What it comes to.
    pub truth: Truth,
    /// Its conditions, in the order of the text.
    pub clauses: Vec<Clause>,
    /// Why it does not compile, if so.
    pub errors: Vec<String>,
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Clause {
    /// Where it begins, in characters from the start of the rule.
    pub at: usize,
    /// Its text.
    pub text: String,
    /// `yes`, `no`, `unknown`, `not reached`.
    pub outcome: &'static str,
    /// Why it is unknown, if so.
    pub why: Option<String>,
}

/// Why an identity has an entitlement (or an account) of an application, or not; without an application, the account in
/// each and everything that any policy gives or withholds. The directory is back at its time when this returns.
pub fn why(
    directory: &mut Directory,
    identity: &Name,
    application: Option<&Name>,
    entitlement: Option<&Name>,
) -> Explanation {
    let asked = |one: &Later| {
        application.is_none_or(|name| one.application == *name)
            && entitlement.is_none_or(|name| one.entitlement.as_ref() == Some(name))
    };
    let mut answer = as_it_is(directory, identity, application, entitlement);
    let Some(standing) = &answer.standing else { return answer };
    match (standing.state, standing.end_time) {
        (State::Ended, Some(end)) => (answer.had, answer.untold) = until(directory, identity, end),
        _ => answer.later = later(directory, Some(identity)),
    }
    answer.later.retain(asked);
    // Who gets something later gets it by what is open then.
    for right in answer.rights.iter_mut().filter(|right| right.verdict == Verdict::NotYet) {
        if let Some(gained) = right.gained(&answer.later) {
            right.allows = answers(directory, identity, &mut gained.policies.iter());
        }
    }
    answer.had.retain(asked);
    // Where the application, or who is asked about, cannot be read nothing can be told, whatever was asked about.
    let unread = |name: &Name| {
        directory.application(name).is_some_and(|view| view.spec.is_err())
            || directory.identity(identity).is_some_and(|view| view.spec.is_err())
    };
    answer.untold.retain(|one| {
        application.is_none_or(|name| one.application == *name)
            && (entitlement.is_none_or(|name| one.entitlement.as_ref() == Some(name)) || unread(&one.application))
    });
    answer
}

fn as_it_is(
    directory: &Directory,
    identity: &Name,
    application: Option<&Name>,
    entitlement: Option<&Name>,
) -> Explanation {
    // What of an invalid manifest could be read is obeyed.
    let lifecycle = |view: &IdentityView<'_>| match view.spec {
        Ok(spec) => Some(*spec.lifecycle()),
        Err(invalid) => invalid.lifecycle,
    };
    let standing = directory.identity(identity).map(|view| Stands {
        state: view.state,
        start_time: lifecycle(&view).and_then(|lifecycle| lifecycle.start),
        end_time: lifecycle(&view).and_then(|lifecycle| lifecycle.end),
        frozen: view.frozen.map(|reason| {
            let object = ObjectRef { kind: ObjectKind::Identity, name: identity.clone() };
            let problems = directory.clashes_of(identity).into_iter().chain(directory.problems_of(&object));
            let problem = problems.into_iter().find(|problem| problem.reason == reason);
            problem.map_or_else(|| reason.as_str().to_owned(), |problem| problem.to_string())
        }),
        groups: directory.groups_of(identity).into_iter().cloned().collect(),
        unread: view.spec.is_err(),
    });
    let mut rights = Vec::new();
    if standing.is_some() {
        match application {
            Some(application) if entitlement.is_some() => {
                rights.push(right(directory, identity, application, entitlement));
            }
            Some(application) => rights = concerned(directory, identity, application),
            None => {
                let names = directory.applications().map(|view| view.meta.name.clone());
                rights.extend(names.flat_map(|name| concerned(directory, identity, &name)));
            }
        }
    }
    Explanation { identity: identity.clone(), standing, rights, later: Vec::new(), had: Vec::new(), untold: Vec::new() }
}

/// The account and every entitlement of an application that a policy concerns.
fn concerned(directory: &Directory, identity: &Name, application: &Name) -> Vec<Right> {
    let decision = directory.decision(identity, application);
    let entitlements = decision.entitlements.keys().map(Some);
    std::iter::once(None).chain(entitlements).map(|name| right(directory, identity, application, name)).collect()
}

fn right(directory: &Directory, identity: &Name, application: &Name, entitlement: Option<&Name>) -> Right {
    let decision = directory.decision(identity, application);
    let wanted = match entitlement {
        None => decision.account.clone(),
        Some(name) => decision.entitlements.get(name).cloned().unwrap_or_default(),
    };
    let mut spoken: Vec<PolicyTrace> = directory
        .policies()
        .filter(|policy| policy.spec.is_ok_and(|spec| speaks(&spec.grants, application, entitlement, spec.effect)))
        .filter_map(|policy| directory.explain_policy(&policy.meta.name, identity))
        .collect();
    spoken.sort_by(|one, other| (distance(one), &one.policy).cmp(&(distance(other), &other.policy)));
    let denies = spoken.iter().filter(|trace| trace.spec.effect == Effect::Deny && trace.truth != Truth::No);
    let denies = denies.cloned().map(policy_answer).collect();
    let allows = answers(directory, identity, &mut wanted.allow.iter().chain(&wanted.unknown));
    let nearest = spoken.into_iter().filter(|trace| trace.spec.effect == Effect::Allow).take(NEAREST);
    // To who has ended nothing is near: no policy is asked about it.
    let ended = decision.owner.is_some_and(|owner| owner.state == State::Ended);
    let nearest = if allows.is_empty() && !ended { nearest.map(policy_answer).collect() } else { Vec::new() };
    Right {
        application: application.clone(),
        entitlement: entitlement.cloned(),
        verdict: decision.owner.map_or(Verdict::Not, |owner| told(&wanted, owner, entitlement.is_none())),
        missing: missing(directory, application, entitlement),
        allows,
        denies,
        requires: entitlement.and_then(|e| directory.explain_requires(application, e, identity)).map(rule_answer),
        nearest,
    }
}

fn answers(directory: &Directory, identity: &Name, names: &mut dyn Iterator<Item = &Name>) -> Vec<PolicyAnswer> {
    names.filter_map(|name| directory.explain_policy(name, identity)).map(policy_answer).collect()
}

/// What is told of a person: whose account is left as it is has what is there, and that is not known here.
pub(super) fn told(wanted: &Wanted, owner: Standing, account: bool) -> Verdict {
    let unread = owner.frozen == Some(Reason::InvalidSpec) && owner.state != State::Ended;
    match verdict(wanted, owner.state, owner.lead, account) {
        Verdict::Not if !unread => Verdict::Not,
        _ if owner.frozen.is_some() => Verdict::Unknown,
        verdict => verdict,
    }
}

/// Whether an account is denied to somebody suspended: one that they have stays until the suspension ends, and whether they
/// have one is not known here.
pub(super) fn denied_at_rest(wanted: &Wanted, state: State, account: bool) -> bool {
    account && state == State::Suspended && wanted.is_denied()
}

/// What is wanted, seen through the lifecycle.
pub(super) fn verdict(wanted: &Wanted, state: State, lead: bool, account: bool) -> Verdict {
    if denied_at_rest(wanted, state, account) {
        return Verdict::Unknown;
    }
    if state == State::Ended || wanted.is_refused() {
        return Verdict::Not;
    }
    match (wanted.is_sure(), state) {
        (false, _) => Verdict::Unknown,
        (true, State::Pending) if account && lead => Verdict::Disabled,
        (true, State::Pending) => Verdict::NotYet,
        (true, State::Suspended) => Verdict::Disabled,
        (true, State::Active | State::Ended) => Verdict::Has,
    }
}

fn missing(directory: &Directory, application: &Name, entitlement: Option<&Name>) -> Option<String> {
    let Some(view) = directory.application(application) else {
        return Some(format!("there is no TargetApplication {application}"));
    };
    let Ok(spec) = view.spec else {
        return Some(format!("the manifest of TargetApplication {application} is invalid"));
    };
    let entitlement = entitlement?;
    let there = spec.entitlements.iter().any(|entry| entry.name == *entitlement);
    (!there).then(|| format!("TargetApplication {application} has no entitlement {entitlement}"))
}

/// Whether a policy with these grants gives, or withholds, the right.
pub(super) fn speaks(
    grants: &[crate::model::GrantSpec],
    application: &Name,
    entitlement: Option<&Name>,
    effect: Effect,
) -> bool {
    let Some(grant) = grants.iter().find(|grant| grant.application == *application) else { return false };
    match (&grant.what, entitlement, effect) {
        (GrantWhat::Account, None, _)
        | (GrantWhat::Account, Some(_), Effect::Deny)
        | (GrantWhat::Named(_), None, Effect::Allow)
        | (GrantWhat::EveryEntitlement, Some(_), _) => true,
        (GrantWhat::Named(names), Some(name), _) => names.contains(name),
        _ => false,
    }
}

/// How many of a policy's conditions do not hold.
fn distance(trace: &PolicyTrace) -> usize {
    let failed = |rule: &RuleTrace| match &rule.parts {
        Ok(parts) if rule.truth == Truth::No => {
            parts.parts.iter().filter(|part| part.leaf && part.outcome == Outcome::False).count().max(1)
        }
        _ => usize::from(rule.truth != Truth::Yes),
    };
    usize::from(trace.window != Window::Open)
        + usize::from(trace.subject != Truth::Yes)
        + trace.rule.as_ref().map_or(0, failed)
}

pub(super) fn policy_answer(trace: PolicyTrace) -> PolicyAnswer {
    PolicyAnswer {
        policy: trace.policy,
        generation: trace.generation,
        deny: trace.spec.effect == Effect::Deny,
        audit: trace.spec.mode == PolicyMode::Audit,
        truth: trace.truth,
        window: match trace.window {
            Window::Open => None,
            Window::NotYet(from) => Some(format!("opens {from}")),
            Window::Over(to) => Some(format!("closed {to}")),
        },
        subjects: trace.subjects.into_iter().map(subject_answer).collect(),
        rule: trace.rule.map(rule_answer),
    }
}

fn subject_answer(trace: SubjectTrace) -> SubjectAnswer {
    let (kind, name) = match trace.subject {
        Subject::Identity(name) => ("Identity", name),
        Subject::Group(name) => ("Group", name),
    };
    let how = match trace.membership {
        Some(membership) => how(&membership),
        None if kind == "Group" => "there is no such Group".into(),
        None => String::new(),
    };
    SubjectAnswer { kind, name, truth: trace.truth, how }
}

/// How an identity is in a group, in words: "listed in sre, which platform includes".
pub(super) fn how(membership: &MembershipTrace) -> String {
    match membership {
        MembershipTrace::Ended => "an ended identity is in no group".into(),
        MembershipTrace::NotNamed => "not listed, and no rule matches".into(),
        MembershipTrace::Excluded(Subject::Identity(_)) => "excluded by name".into(),
        MembershipTrace::Excluded(Subject::Group(group)) => format!("excluded with Group {group}"),
        MembershipTrace::Through { groups, direct } => {
            let first = groups.first().map_or("", Name::as_str);
            let alone = groups.len() == 1;
            let place = |words: &str| if alone { words.to_owned() } else { format!("{words} in {first}") };
            let mut text = match direct {
                Direct::Listed(None) => place("listed"),
                Direct::Listed(Some(end)) => format!("{} until {end}", place("listed")),
                Direct::Matched => place("matched by the rule"),
                Direct::MayMatch(why) => format!("{}: {why}", place("its rule is unknown")),
                Direct::Missing => format!("there is no Group {first}"),
                Direct::Invalid => format!("the manifest of Group {first} is invalid"),
                Direct::Unreadable => "the manifest of the identity is invalid".into(),
            };
            for group in groups.iter().skip(1) {
                let _ = write!(text, ", which {group} includes");
            }
            text
        }
    }
}

fn rule_answer(trace: RuleTrace) -> RuleAnswer {
    let text = trace.source.text.to_string();
    let (clauses, errors) = match trace.parts {
        Err(diagnostics) => (Vec::new(), diagnostics.iter().map(ToString::to_string).collect()),
        Ok(parts) => {
            (parts.parts.iter().filter(|part| part.leaf).map(|part| clause(&text, part)).collect(), Vec::new())
        }
    };
    RuleAnswer { text, truth: trace.truth, clauses, errors }
}

fn clause(text: &str, part: &crate::policy::Part) -> Clause {
    let (outcome, why) = match &part.outcome {
        Outcome::True => ("yes", None),
        Outcome::False => ("no", None),
        Outcome::Unknown(unknown) => ("unknown", Some(unknown.message.clone())),
        Outcome::NotReached => ("not reached", None),
    };
    let before = text.get(..part.span.start).unwrap_or_default();
    let within = text.get(part.span.clone()).unwrap_or_default();
    Clause { at: before.chars().count(), text: within.to_owned(), outcome, why }
}

/// What withholds a right, in words; `None` where nothing does.
pub(super) fn withheld(wanted: &Wanted) -> Option<String> {
    match &wanted.withheld {
        Withheld::No => None,
        Withheld::Unknown => Some("may be withheld: a Deny or requires cannot be told".into()),
        Withheld::Yes(denies) if denies.is_empty() => Some("requires is false".into()),
        Withheld::Yes(denies) => {
            let names: Vec<&str> = denies.iter().map(Name::as_str).collect();
            Some(format!("denied by {}", names.join(", ")))
        }
    }
}
