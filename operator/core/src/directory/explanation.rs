//! The derivation of an answer, read off what was evaluated: for `explain`, which guesses nothing again.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::Directory;
use super::entry::holds;
use super::matching::subject_matches;
use super::rules::{GroupId, Ruled};
use super::table::IdentityId;
use super::truth::Truth;
use crate::model::{AccessPolicy, Name, Source, State, Subject};
use crate::policy::{self, Diagnostic, Facts, Trace};

/// Why a policy matches an identity, or does not. The policy is valid.
#[derive(Clone, Debug)]
pub struct PolicyTrace {
    /// Which.
    pub policy: Name,
    /// `metadata.generation`.
    pub generation: i64,
    /// What it says.
    pub spec: AccessPolicy,
    /// Whether its window is open.
    pub window: Window,
    /// Each subject; empty where it has none (then everyone is one).
    pub subjects: Vec<SubjectTrace>,
    /// Whether any subject holds.
    pub subject: Truth,
    /// Its rule, if it has one.
    pub rule: Option<RuleTrace>,
    /// Window, subjects and rule together.
    pub truth: Truth,
}

/// Where a policy's window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Open, or there is none.
    Open,
    /// Opens then.
    NotYet(Timestamp),
    /// Closed since.
    Over(Timestamp),
}

/// Whether one subject of a policy is the identity, or includes it.
#[derive(Clone, Debug)]
pub struct SubjectTrace {
    /// As the policy writes it.
    pub subject: Subject,
    /// Whether it holds.
    pub truth: Truth,
    /// How, for a Group.
    pub membership: Option<MembershipTrace>,
}

/// How an identity is in a group, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipTrace {
    /// It is (or may be) in the first of these directly; each is included by the one after it; the last is the group.
    Through {
        /// At least one.
        groups: Vec<Name>,
        /// How it is in the first.
        direct: Direct,
    },
    /// The group leaves it out.
    Excluded(Subject),
    /// Neither a list nor a rule names it.
    NotNamed,
    /// An ended identity is in no group.
    Ended,
}

/// What makes an identity a member by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Direct {
    /// The group lists it, until then.
    Listed(Option<Timestamp>),
    /// The group's rule matches.
    Matched,
    /// The group's rule cannot be told, and why.
    MayMatch(String),
    /// There is no such group.
    Missing,
    /// The group's manifest is invalid.
    Invalid,
    /// The identity's own manifest is invalid.
    Unreadable,
}

/// What a rule comes to for one identity.
#[derive(Clone, Debug)]
pub struct RuleTrace {
    /// The rule.
    pub source: Source,
    /// What it comes to.
    pub truth: Truth,
    /// Part by part; or why it does not compile.
    pub parts: Result<Trace, Vec<Diagnostic>>,
}

impl Ruled {
    /// For somebody of whom nothing can be read.
    fn untold(&self) -> RuleTrace {
        let nothing = Trace { truth: policy::Truth::Unknown, parts: Vec::new() };
        let parts = self.compiled.as_ref().map(|_| nothing).map_err(Clone::clone);
        RuleTrace { source: self.source.clone(), truth: Truth::Unknown, parts }
    }

    fn explain(&self, facts: &Facts<'_>) -> RuleTrace {
        let parts = self.compiled.as_ref().map(|rule| policy::trace(rule, facts)).map_err(Clone::clone);
        RuleTrace { source: self.source.clone(), truth: self.holds(facts), parts }
    }
}

impl Directory {
    /// Why a policy matches an identity, or does not; `None` where either is not there or invalid.
    pub fn explain_policy(&self, policy: &Name, identity: &Name) -> Option<PolicyTrace> {
        let entry = self.policies.get(self.policies.id(policy.as_str())?)?;
        let spec = entry.spec.as_ref().ok()?;
        let id = self.identities.id(identity.as_str())?;
        let owner = self.identities.get(id)?;
        let identity = owner.spec.as_ref().ok()?;
        let (subjects, subject, rule) = self.with_facts(owner, identity, None, |facts| {
            let subjects = spec.policy.subjects.iter().flatten().map(|subject| self.explain_subject(subject, id));
            let rule = spec.rule.as_ref().map(|rule| rule.explain(facts));
            (subjects.collect(), subject_matches(spec, id, facts), rule)
        });
        let window = match (spec.policy.not_before, spec.policy.not_after) {
            (Some(from), _) if self.now < from => Window::NotYet(from),
            (_, Some(to)) if to <= self.now => Window::Over(to),
            _ => Window::Open,
        };
        let there = Truth::from(window == Window::Open && owner.state != State::Ended);
        let truth = there.min(subject).min(rule.as_ref().map_or(Truth::Yes, |rule| rule.truth));
        let (policy, generation) = (policy.clone(), entry.meta.generation);
        Some(PolicyTrace { policy, generation, spec: spec.policy.clone(), window, subjects, subject, rule, truth })
    }

    /// Who may have an entitlement at all; `None` where nothing is required, or nothing of it is there.
    pub fn explain_requires(&self, application: &Name, entitlement: &Name, identity: &Name) -> Option<RuleTrace> {
        let rule = self.application_spec(application)?.catalogue.get(entitlement)?.as_ref()?;
        let owner = self.entry(identity)?;
        Some(match &owner.spec {
            Ok(identity) => self.with_facts(owner, identity, None, |facts| rule.explain(facts)),
            Err(_) => rule.untold(),
        })
    }

    /// How an identity is in a group, or why not; `None` where there is no such identity.
    pub fn explain_membership(&self, group: &Name, identity: &Name) -> Option<MembershipTrace> {
        let id = self.identities.id(identity.as_str())?;
        self.identities.get(id)?;
        Some(match self.groups.id(group.as_str()) {
            Some(group) => self.membership_trace(group, id),
            None => MembershipTrace::Through { groups: vec![group.clone()], direct: Direct::Missing },
        })
    }

    fn explain_subject(&self, subject: &Subject, id: IdentityId) -> SubjectTrace {
        let (truth, membership) = match subject {
            Subject::Identity(name) => (Truth::from(self.identities.name(id) == Some(name)), None),
            Subject::Group(name) => {
                let truth = self.identities.name(id).map_or(Truth::No, |identity| self.membership(name, identity));
                let group = self.groups.id(name.as_str());
                (truth, group.map(|group| self.membership_trace(group, id)))
            }
        };
        SubjectTrace { subject: subject.clone(), truth, membership }
    }

    fn membership_trace(&self, group: GroupId, id: IdentityId) -> MembershipTrace {
        let Some(entry) = self.identities.get(id) else { return MembershipTrace::NotNamed };
        if entry.state == State::Ended {
            return MembershipTrace::Ended;
        }
        let truth = self.truth_in(group, id);
        if truth == Truth::No {
            return self.excluded(group, id).map_or(MembershipTrace::NotNamed, MembershipTrace::Excluded);
        }
        // The shortest chain down to where it is a member by itself, among groups of at least the same truth.
        let mut chains = VecDeque::from([vec![group]]);
        let mut seen = std::collections::BTreeSet::from([group]);
        while let Some(chain) = chains.pop_front() {
            let Some(last) = chain.last().copied() else { continue };
            if let Some(direct) = self.direct(last, id, truth) {
                let names = chain.iter().rev().filter_map(|group| self.groups.name(*group).cloned());
                return MembershipTrace::Through { groups: names.collect(), direct };
            }
            let nested = self.group_spec(last).into_iter().flat_map(|spec| &spec.nested);
            for (nested, _) in nested.filter(|(_, end)| holds(**end, self.now)) {
                if self.truth_in(*nested, id) >= truth && seen.insert(*nested) {
                    chains.push_back(chain.iter().copied().chain([*nested]).collect());
                }
            }
        }
        self.excluded(group, id).map_or(MembershipTrace::NotNamed, MembershipTrace::Excluded)
    }

    fn truth_in(&self, group: GroupId, id: IdentityId) -> Truth {
        let names = self.groups.name(group).zip(self.identities.name(id));
        names.map_or(Truth::No, |(group, identity)| self.membership(group, identity))
    }

    /// What makes it a member of this group by itself, of at least this truth.
    fn direct(&self, group: GroupId, id: IdentityId, least: Truth) -> Option<Direct> {
        let entry = self.identities.get(id)?;
        let spec = match self.groups.get(group).map(|entry| &entry.spec) {
            None => return Some(Direct::Missing),
            Some(Err(_)) => return Some(Direct::Invalid),
            Some(Ok(spec)) => spec,
        };
        let listed = spec.listed.get(id).filter(|end| holds(*end, self.now));
        let Ok(identity) = &entry.spec else {
            return (listed.is_some() || spec.rule.is_some()).then_some(Direct::Unreadable);
        };
        if let Some(end) = listed {
            return Some(Direct::Listed(end));
        }
        let asked = self.with_bare_facts(entry, identity, |facts| spec.rule.as_ref().map(|rule| rule.ask(facts)));
        match asked? {
            Ok(true) => Some(Direct::Matched),
            Ok(false) => None,
            Err(unknown) => (least <= Truth::Unknown).then_some(Direct::MayMatch(unknown.message)),
        }
    }

    fn excluded(&self, group: GroupId, id: IdentityId) -> Option<Subject> {
        let spec = self.group_spec(group)?;
        if spec.excluded.contains(&id) {
            return self.identities.name(id).cloned().map(Subject::Identity);
        }
        let by = spec.without.iter().max_by_key(|other| self.truth_in(**other, id))?;
        let by = Some(by).filter(|by| self.truth_in(**by, id) != Truth::No)?;
        self.groups.name(*by).cloned().map(Subject::Group)
    }
}
