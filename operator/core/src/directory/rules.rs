//! Rules as the directory holds them: compiled once, or known not to compile; and an index of which can matter to whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::table::{IdentityId, Table};
use super::truth::Truth;
use crate::model::{Name, PackedIdentity, Reason, Source, Value};
use crate::policy::{self, Cost, Diagnostic, Facts, Key, Rule, Scope, Site, Term, Unknown};

pub(crate) use crate::policy::GroupId;

/// A rule of a manifest, compiled, or what the compiler says of it.
#[derive(Debug, Clone)]
pub(crate) struct Ruled {
    pub source: Source,
    pub compiled: Result<Rule, Vec<Diagnostic>>,
    /// The groups that it names, sorted, as far as it can be read.
    groups: Box<[GroupId]>,
}

impl Ruled {
    pub fn new<T>(source: &Source, site: Site, groups: &mut Table<GroupId, T>) -> Self {
        let mut named = BTreeSet::new();
        let mut intern = |name: &str| {
            let group = groups.intern(&Name::from(name));
            named.insert(group);
            group
        };
        let compiled = policy::compile(&source.text, site, &mut Scope { group: &mut intern });
        Self { source: source.clone(), compiled, groups: named.into_iter().collect() }
    }

    /// The groups that it names, also where it does not compile: one that is not there is told of all the same.
    pub fn groups(&self) -> &[GroupId] {
        &self.groups
    }

    pub fn reads_manager(&self) -> bool {
        self.compiled.as_ref().is_ok_and(|rule| rule.reads().manager)
    }

    /// Whether it holds, or why that cannot be told.
    pub fn ask(&self, facts: &Facts<'_>) -> Result<bool, Unknown> {
        match &self.compiled {
            Ok(rule) => policy::matches(rule, facts, &mut Cost::default()),
            Err(diagnostics) => Err(uncompiled(diagnostics)),
        }
    }

    pub fn holds(&self, facts: &Facts<'_>) -> Truth {
        self.ask(facts).map_or(Truth::Unknown, Truth::from)
    }

    /// Its value, or why there is none to be had.
    pub fn value(&self, facts: &Facts<'_>) -> Result<Value, Unknown> {
        match &self.compiled {
            Ok(rule) => policy::evaluate(rule, facts, &mut Cost::default()),
            Err(diagnostics) => Err(uncompiled(diagnostics)),
        }
    }

    fn terms(&self) -> &[Term] {
        self.compiled.as_ref().map_or(&[], Rule::terms)
    }

    /// The term that narrows most, of those that an index can hold.
    pub fn narrowest(&self) -> Option<&Term> {
        let worth = |term: &&Term| match term {
            Term::InGroup(_) => 3,
            Term::Equals(key, _) if *key != Key::State => 2,
            Term::OneOf(key, _) if *key != Key::State => 1,
            _ => 0,
        };
        self.terms().iter().max_by_key(worth).filter(|term| worth(term) > 0)
    }
}

fn uncompiled(diagnostics: &[Diagnostic]) -> Unknown {
    let message = diagnostics.first().map_or_else(|| "the rule does not compile".into(), ToString::to_string);
    Unknown { reason: Reason::InvalidExpression, message, span: 0..0 }
}

/// Which rules can be anything but false for an identity.
#[derive(Debug)]
pub(crate) struct RuleIndex<R> {
    always: Vec<R>,
    texts: BTreeMap<Key, HashMap<Arc<str>, Vec<R>>>,
    groups: HashMap<GroupId, Vec<R>>,
    identities: HashMap<IdentityId, Vec<R>>,
}

impl<R> Default for RuleIndex<R> {
    fn default() -> Self {
        Self { always: Vec::new(), texts: BTreeMap::new(), groups: HashMap::new(), identities: HashMap::new() }
    }
}

impl<R: Copy + Ord> RuleIndex<R> {
    /// By its narrowest term.
    pub fn add(&mut self, rule: Option<&Ruled>, what: R) {
        match rule.and_then(Ruled::narrowest) {
            Some(Term::InGroup(group)) => self.groups.entry(*group).or_default().push(what),
            Some(Term::Equals(key, text)) => self.add_text(key, text, what),
            Some(Term::OneOf(key, texts)) => texts.iter().for_each(|text| self.add_text(key, text, what)),
            Some(Term::StartsWith(..)) | None => self.always.push(what),
        }
    }

    fn add_text(&mut self, key: &Key, text: &Arc<str>, what: R) {
        self.texts.entry(key.clone()).or_default().entry(Arc::clone(text)).or_default().push(what);
    }

    pub fn add_group(&mut self, group: GroupId, what: R) {
        self.groups.entry(group).or_default().push(what);
    }

    pub fn add_identity(&mut self, identity: IdentityId, what: R) {
        self.identities.entry(identity).or_default().push(what);
    }

    /// Sorted. `groups` are those that the identity is, or may be, in.
    pub fn candidates(&self, id: IdentityId, identity: &PackedIdentity, groups: &[GroupId]) -> Vec<R> {
        let mut found = self.always.clone();
        for (key, texts) in &self.texts {
            if let Some(rules) = key.of(identity).and_then(|text| texts.get(text)) {
                found.extend(rules);
            }
        }
        for group in groups {
            found.extend(self.groups.get(group).into_iter().flatten());
        }
        found.extend(self.identities.get(&id).into_iter().flatten());
        found.sort_unstable();
        found.dedup();
        found
    }
}
