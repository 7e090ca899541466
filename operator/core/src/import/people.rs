//! Names for everybody: valid, each once, and the same whenever the source is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draft::Draft;
use super::{Brought, Labels, Names, Skipped, What};
use crate::directory::Directory;
use crate::input::{identity_errors, mapped_user_name};
use crate::model::{AttributeName, Name};
use crate::policy::slug;

/// A name of an object is a label, so that it can be part of other names.
const LONGEST: usize = 63;

/// What begins the id of a row of a table, and how many rows are named.
pub(super) const LINE: &str = "line ";
const LINES: usize = 10;

/// Somebody at the source.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// The account's id, or the row's line.
    pub id: Arc<str>,
    /// The name that somebody gave already.
    pub called: Option<Name>,
    pub draft: Draft,
    pub manager: Option<Manager>,
    /// Attributes that have a value of which nothing is declared.
    pub untaken: Vec<AttributeName>,
}

/// How a source names the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// By the account's id.
    Id(Arc<str>),
    /// By the user name, or the key of the source, or the object's name.
    Name(Arc<str>),
}

/// Everybody at the source, beside those who are declared already.
pub(super) struct People {
    all: Vec<Person>,
    taken: Taken,
    by_user_name: BTreeMap<Arc<str>, Name>,
    by_external_id: BTreeMap<Arc<str>, Name>,
}

impl People {
    pub fn beside(directory: &Directory) -> Self {
        let mut people = Self {
            all: Vec::new(),
            taken: Taken::default(),
            by_user_name: BTreeMap::new(),
            by_external_id: BTreeMap::new(),
        };
        for view in directory.identities() {
            people.taken.names.insert(view.name.to_string());
            let Ok(identity) = view.spec else { continue };
            people.by_user_name.insert(identity.folded_user_name().into(), view.name.clone());
            people.by_external_id.extend(identity.external_id().map(|key| (Arc::from(key), view.name.clone())));
        }
        people
    }

    pub fn push(&mut self, person: Person) {
        self.all.push(person);
    }

    /// Names everybody; who is left out is told. Who is who by the source's ids.
    pub fn settle(mut self, labels: &Labels<'_>, brought: &mut Brought) -> Names {
        let mut all = std::mem::take(&mut self.all);
        all.sort_by_cached_key(|person| (folded(&person.draft), Arc::clone(&person.id)));
        let all = without_doubles(all, brought);
        let mut names = Names::new();
        let mut new: Vec<(Name, Person)> = Vec::new();
        // Whoever has a name keeps it, before others are given theirs.
        let (known, unknown): (Vec<_>, Vec<_>) =
            all.into_iter().map(|person| (self.known(&person), person)).partition(|(known, _)| known.is_some());
        for (name, person) in known {
            names.extend(name.map(|name| (person.id, name)));
            brought.known += 1;
        }
        let (called, rest): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|(_, person)| person.called.is_some());
        for (_, person) in called.into_iter().chain(rest) {
            let wanted = person.called.as_ref().map_or_else(|| wanted(&person.draft), Name::to_string);
            let errors = identity_errors(&Name::from("a"), &person.draft.identity(None));
            if let Some(error) = errors.first() {
                brought.skipped.push(skipped(&person, error.to_string()));
                continue;
            }
            let name = Name::new(self.taken.free(&wanted));
            names.insert(Arc::clone(&person.id), name.clone());
            new.push((name, person));
        }
        let who = Who::new(&names, &new, &self);
        for (name, person) in &new {
            for attribute in &person.untaken {
                brought.untaken.entry(attribute.clone()).or_default().push(shown(person));
            }
            let manager = person.manager.as_ref().and_then(|manager| {
                let found = who.is(manager);
                if found.is_none() {
                    let manager = manager.shown();
                    let manager = labels.get(manager).copied().unwrap_or(manager);
                    let why = format!("the manager {manager} is none of those that are brought in");
                    brought.skipped.push(Skipped { what: What::Manager, name: shown(person), why: why.into() });
                }
                found
            });
            brought.identities.push((name.clone(), person.draft.identity(manager)));
        }
        brought.identities.sort_by(|(one, _), (other, _)| one.cmp(other));
        names
    }

    /// The name under which somebody is declared already.
    fn known(&self, person: &Person) -> Option<Name> {
        let by_key = person.draft.external_id.as_ref().and_then(|key| self.by_external_id.get(key));
        by_key.or_else(|| self.by_user_name.get(&*folded(&person.draft))).cloned()
    }
}

/// Of those who share a user name or a key of the source nobody can be told from the others.
fn without_doubles(all: Vec<Person>, brought: &mut Brought) -> Vec<Person> {
    let mut names: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
    let mut keys: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
    for person in &all {
        names.entry(folded(&person.draft)).or_default().push(Arc::clone(&person.id));
        if let Some(key) = &person.draft.external_id {
            keys.entry(Arc::clone(key)).or_default().push(Arc::clone(&person.id));
        }
    }
    let mut kept = Vec::with_capacity(all.len());
    for person in all {
        let same_name = names.get(&folded(&person.draft)).map_or(&[][..], Vec::as_slice);
        let key = person.draft.external_id.as_ref();
        let same_key = key.and_then(|key| keys.get(key)).map_or(&[][..], Vec::as_slice);
        if same_name.len() > 1 {
            brought.skipped.push(skipped(&person, format!("{} have this user name", several(same_name))));
        } else if let Some(key) = key.filter(|_| same_key.len() > 1) {
            brought.skipped.push(skipped(&person, format!("{} have the externalId {key:?}", several(same_key))));
        } else {
            kept.push(person);
        }
    }
    kept
}

/// "lines 2, 3 and 5" of a table, "3 accounts" of a target.
fn several(ids: &[Arc<str>]) -> String {
    let lines: Option<Vec<usize>> = ids.iter().map(|id| id.strip_prefix(LINE)?.parse().ok()).collect();
    let Some(mut lines) = lines else { return format!("{} accounts", ids.len()) };
    lines.sort_unstable();
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    match text.as_slice() {
        [first @ .., last] if text.len() <= LINES => format!("lines {} and {last}", first.join(", ")),
        text => format!("lines {} and {} more", text.get(..LINES).unwrap_or(text).join(", "), text.len() - LINES),
    }
}

fn skipped(person: &Person, why: String) -> Skipped {
    Skipped { what: What::Account, name: shown(person), why: why.into() }
}

fn shown(person: &Person) -> Arc<str> {
    person.draft.user_name.clone().unwrap_or_else(|| Arc::clone(&person.id))
}

fn folded(draft: &Draft) -> String {
    mapped_user_name(draft.user_name.as_deref().unwrap_or_default()).folded().to_owned()
}

/// What a person's object would be called if nobody else were.
fn wanted(draft: &Draft) -> String {
    let name = draft.user_name.as_deref().map(slug).filter(|slug| !slug.is_empty());
    let name = name.or_else(|| draft.texts.values().map(|text| slug(text)).find(|slug| !slug.is_empty()));
    name.unwrap_or_else(|| "identity".to_owned())
}

/// Names of objects of one kind that are given.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub names: BTreeSet<String>,
}

impl Taken {
    /// The name, or the next one that nobody has; it is taken from now on.
    pub fn free(&mut self, wanted: &str) -> String {
        let mut number = 1_usize;
        loop {
            let end = if number == 1 { String::new() } else { format!("-{number}") };
            let room = LONGEST.saturating_sub(end.len());
            // A name is ASCII; one that was given by others is kept whole.
            let start = if number == 1 && wanted.len() > LONGEST && wanted.contains('.') {
                wanted
            } else {
                wanted.get(..room).unwrap_or(wanted).trim_end_matches('-')
            };
            let name = format!("{start}{end}");
            if self.names.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }
}

/// Who a manager is.
struct Who<'a> {
    names: &'a Names,
    people: &'a People,
    new: BTreeMap<String, &'a Name>,
}

impl<'a> Who<'a> {
    fn new(names: &'a Names, new: &'a [(Name, Person)], people: &'a People) -> Self {
        let mut by = BTreeMap::new();
        // What is likelier meant comes last, and stays.
        by.extend(new.iter().map(|(name, _)| (name.to_string(), name)));
        by.extend(new.iter().filter_map(|(name, person)| Some((person.draft.external_id.as_ref()?.to_string(), name))));
        by.extend(new.iter().map(|(name, person)| (folded(&person.draft), name)));
        Self { names, people, new: by }
    }

    fn is(&self, manager: &Manager) -> Option<Name> {
        match manager {
            Manager::Id(id) => self.names.get(id).cloned(),
            Manager::Name(text) => {
                let folded = mapped_user_name(text);
                let new = self.new.get(folded.folded()).or_else(|| self.new.get(&**text));
                let known = || {
                    let by_name = self.people.by_user_name.get(folded.folded());
                    by_name.or_else(|| self.people.by_external_id.get(text))
                };
                new.copied().or_else(known).cloned()
            }
        }
    }
}

impl Manager {
    fn shown(&self) -> &str {
        match self {
            Self::Id(text) | Self::Name(text) => text,
        }
    }
}

/// A name for an object that is not a person, out of a text.
pub(super) fn named(taken: &mut Taken, text: &str, otherwise: &str) -> Name {
    let slug = slug(text);
    Name::new(taken.free(if slug.is_empty() { otherwise } else { &slug }))
}

/// Everybody's identity by name: what a rule for all of them would have to name.
pub(super) fn everybody(names: &Names) -> BTreeSet<Name> {
    names.values().cloned().collect()
}
