//! Manifests into directories, one a namespace, and everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::directory::{Dangling, Directory, Problem, Warning};
use provost_core::input;
use provost_core::model::{Change, FieldError, Name, ObjectKind, ObjectRef, Source};
use provost_core::policy::{Diagnostic, Severity};
use serde_json::Value;

use super::draft::{self, Wrong};
use super::finding::{Finding, Inside};
use super::shape;
use super::source::Read;
use super::untold;
use super::yaml::{Document, Unreadable};

/// The namespace of manifests that name none, as kubectl has it.
pub const DEFAULT_NAMESPACE: &str = "default";

const NAME: &str = "metadata.name";

/// Directories by namespace, and what is wrong with the manifests, sorted by place.
pub struct Loaded {
    /// One directory a namespace.
    pub directories: BTreeMap<String, Directory>,
    /// Where each object is declared, as `file:line`.
    pub places: BTreeMap<(String, ObjectRef), String>,
    /// Errors and warnings.
    pub findings: Vec<Finding>,
}

/// Loads what was read, as of a time.
pub fn load(read: &Read, at: Timestamp) -> Loaded {
    let mut findings = unreadable(read);
    let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    let mut found: BTreeMap<(String, ObjectRef), &Document> = BTreeMap::new();
    let mut invalid: BTreeMap<(String, ObjectRef), Wrong> = BTreeMap::new();
    let mut hidden: BTreeSet<(&str, usize)> = BTreeSet::new();
    for document in &read.documents {
        let (change, errors) = read_one(document);
        findings.extend(errors.iter().map(|error| field(document, error, read)));
        hidden.extend(untold::lines(document, &errors).map(|line| (&*document.file, line)));
        let Some(change) = change else { continue };
        let namespace = document.text("/metadata/namespace").unwrap_or(DEFAULT_NAMESPACE).to_owned();
        let object = change.object();
        if field_errors(&change).is_empty() {
            invalid.remove(&(namespace.clone(), object.clone()));
        } else {
            invalid.insert((namespace.clone(), object.clone()), Wrong { change: change.clone(), errors });
        }
        if let Some(other) = found.insert((namespace.clone(), object.clone()), document) {
            let mut finding = Finding::at(document, NAME, None, read);
            finding.message =
                format!("{} {} is there already, in {}", object.kind.as_str(), object.name, other.declared());
            finding.remedy = Some("must have a name of its own in its namespace".to_owned());
            findings.push(finding);
        }
        changes.entry(namespace).or_default().push(change);
    }
    let mut directories = BTreeMap::new();
    for (namespace, changes) in changes {
        let mut directory = Directory::new(provost_connectors::schema);
        directory.replace(changes, at);
        for (object, document) in found.iter().filter(|((of, _), _)| *of == namespace) {
            match invalid.get(object) {
                // What its fields say was told when it was read.
                Some(wrong) => findings.extend(draft::findings(document, wrong, &mut directory, at, read)),
                None => findings.extend(of_object(document, object, &directory, &found, read)),
            }
        }
        findings.extend(directory.dangling().into_iter().filter_map(|dangling| {
            let document = found.get(&(namespace.clone(), dangling.object.clone()))?;
            nobody(document, &dangling, &directory, read)
        }));
        directories.insert(namespace, directory);
    }
    for finding in &mut findings {
        if hidden.contains(&(&*finding.file, finding.line)) {
            finding.width = 0;
        }
    }
    findings.sort();
    findings.dedup();
    let places = found.into_iter().map(|(object, document)| (object, document.declared())).collect();
    Loaded { directories, places, findings }
}

/// What is wrong with a manifest that is valid by itself, and what a person should look at in it.
fn of_object(
    document: &Document,
    (namespace, object): &(String, ObjectRef),
    directory: &Directory,
    places: &BTreeMap<(String, ObjectRef), &Document>,
    read: &Read,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let clashes = if object.kind == ObjectKind::Identity { directory.clashes_of(&object.name) } else { Vec::new() };
    let mut all = directory.problems_of(object);
    all.retain(|problem| clashes.iter().all(|clash| clash.reason != problem.reason));
    for problem in all.into_iter().chain(clashes) {
        let mut found = problems(document, &problem, directory, read);
        let clash = problem.clash.and_then(|other| places.get(&(namespace.clone(), other)));
        if let (Some(other), [finding]) = (clash, found.as_mut_slice()) {
            finding.remedy = Some(format!("the other is in {}", other.declared()));
        }
        findings.extend(found);
    }
    for Warning { source, diagnostic } in directory.warnings_of(object) {
        findings.push(of_rule(document, &source, &diagnostic, read));
    }
    findings
}

/// What was read as changes, by namespace; where something is wrong with a manifest, [`load`] says what.
pub fn changes(read: &Read) -> BTreeMap<String, Vec<Change>> {
    let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for document in &read.documents {
        let namespace = document.text("/metadata/namespace").unwrap_or(DEFAULT_NAMESPACE).to_owned();
        changes.entry(namespace).or_default().extend(change(&document.value).0);
    }
    changes
}

/// The change that a document makes, and what is wrong with it by itself, each said once: the schema first.
fn read_one(document: &Document) -> (Option<Change>, Vec<FieldError>) {
    let mut errors = shape::check(&document.value);
    let (change, broken) = change(&document.value);
    if errors.is_empty() || !broken {
        let new = |error: &&FieldError| errors.iter().all(|said| said.path != error.path);
        let more: Vec<FieldError> = change.iter().flat_map(field_errors).filter(new).cloned().collect();
        errors.extend(more);
    }
    (change, errors)
}

fn unreadable(read: &Read) -> Vec<Finding> {
    let line = |broken: &Unreadable| read.texts.get(&broken.file)?.lines().nth(broken.line.saturating_sub(1));
    let finding = |broken: &Unreadable| Finding {
        file: broken.file.clone(),
        line: broken.line,
        column: broken.column,
        width: usize::from(!line(broken).is_some_and(untold::may_hold)),
        error: true,
        message: format!("this cannot be read: {}", broken.message),
        remedy: broken.remedy.map(str::to_owned),
        object: broken.file.clone(),
    };
    read.unreadable.iter().map(finding).collect()
}

/// The change that a document makes, and whether it cannot even be read as its kind.
fn change(value: &Value) -> (Option<Change>, bool) {
    let kind = match value.get("kind").and_then(Value::as_str) {
        Some("Identity") => ObjectKind::Identity,
        Some("Group") => ObjectKind::Group,
        Some("AccessPolicy") => ObjectKind::AccessPolicy,
        Some("TargetApplication") => ObjectKind::TargetApplication,
        _ => return (None, true),
    };
    if !shape::is_version(value) {
        return (Some(unreadable_as(kind, value)), true);
    }
    let read = match kind {
        ObjectKind::Identity => provost_crds::from_manifest(value.clone()).map(|o| input::identity_change(&o)),
        ObjectKind::Group => provost_crds::from_manifest(value.clone()).map(|o| input::group_change(&o)),
        ObjectKind::AccessPolicy => provost_crds::from_manifest(value.clone()).map(|o| input::access_policy_change(&o)),
        ObjectKind::TargetApplication => {
            provost_crds::from_manifest(value.clone()).map(|o| input::target_application_change(&o))
        }
    };
    if let Ok(change) = read {
        return (Some(change), false);
    }
    (Some(unreadable_as(kind, value)), true)
}

fn unreadable_as(kind: ObjectKind, value: &Value) -> Change {
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    let metadata = serde_json::from_value(metadata).unwrap_or_default();
    input::unreadable(kind, &metadata, value.get("spec").unwrap_or(&Value::Null))
}

fn field_errors(change: &Change) -> &[FieldError] {
    let invalid = match change {
        Change::Identity(m) => m.spec.as_ref().err(),
        Change::Group(m) => m.spec.as_ref().err(),
        Change::AccessPolicy(m) => m.spec.as_ref().err(),
        Change::TargetApplication(m) => m.spec.as_ref().err(),
        Change::Gone(_) => None,
    };
    invalid.map_or(&[], |invalid| &invalid.errors)
}

fn field(document: &Document, error: &FieldError, read: &Read) -> Finding {
    let mut finding = Finding::at(document, &error.path, None, read);
    // Of a field that is none its name is shown, which is the end of its path.
    let unknown = &*error.message == shape::NO_FIELD;
    if unknown && let Some(place) = document.name(&error.path) {
        (finding.line, finding.column, finding.width) = (place.line, place.column, place.width);
    }
    finding.message = match &error.value {
        Some(value) if !value.is_empty() && !unknown => format!("{} {value:?} {}", error.path, error.message),
        _ => format!("{} {}", error.path, error.message),
    };
    finding.remedy = Some(error.remedy.to_string());
    finding
}

/// One problem, at its place or at each place of a rule.
pub(super) fn problems(document: &Document, problem: &Problem, directory: &Directory, read: &Read) -> Vec<Finding> {
    let Some((source, diagnostics)) = &problem.rule else {
        let path = problem.path.as_deref().unwrap_or(NAME);
        // Where the manifest says none the user name is that of the object.
        let path = if path == "spec.userName" && document.text("/spec/userName").is_none() { NAME } else { path };
        // A rule is shown where it names what is missing.
        let rule = document.text(&format!("/{}", path.replace('.', "/")));
        let inside = problem.missing.as_ref().zip(rule).and_then(|(missing, text)| named(text, &missing.name));
        let mut finding = Finding::at(document, path, inside, read);
        finding.message = problem.message.to_string();
        finding.remedy = problem.missing.as_ref().and_then(|missing| nearest(missing, directory));
        return vec![finding];
    };
    diagnostics.iter().map(|diagnostic| of_rule(document, source, diagnostic, read)).collect()
}

/// A reference to an Identity that is not there. Where no Identity was read at all they are elsewhere, and none is missed.
pub(super) fn nobody(document: &Document, dangling: &Dangling, directory: &Directory, read: &Read) -> Option<Finding> {
    directory.identities().next()?;
    let mut finding = Finding::at(document, &dangling.path, None, read);
    finding.error = false;
    let so =
        if dangling.object.kind == ObjectKind::Identity { "the manager counts as absent" } else { "it is ignored" };
    finding.message = format!("there is no Identity {}; {so}", dangling.identity);
    let missing = ObjectRef { kind: ObjectKind::Identity, name: dangling.identity.clone() };
    let remedy = nearest(&missing, directory).unwrap_or_else(|| "create it, or take the reference out".to_owned());
    finding.remedy = Some(remedy);
    Some(finding)
}

/// The nearest name of an object of that kind that is there.
fn nearest(missing: &ObjectRef, directory: &Directory) -> Option<String> {
    let names: Vec<_> =
        directory.objects().filter(|object| object.kind == missing.kind).map(|object| object.name).collect();
    shape::nearest(missing.name.as_str(), names.iter().map(Name::as_str))
}

/// What the compiler says of a rule.
pub(super) fn of_rule(document: &Document, source: &Source, diagnostic: &Diagnostic, read: &Read) -> Finding {
    let mut finding = Finding::at(document, &source.path, Some(inside(&source.text, diagnostic)), read);
    finding.error = diagnostic.severity == Severity::Error;
    finding.message.clone_from(&diagnostic.message);
    finding.remedy = Some(diagnostic.remedy.clone());
    finding
}

fn named<'t>(text: &'t str, name: &Name) -> Option<Inside<'t>> {
    let start = text.get(..text.find(name.as_str())?)?.chars().count();
    Some(Inside { text, characters: start..start + name.as_str().chars().count() })
}

fn inside<'t>(text: &'t str, diagnostic: &Diagnostic) -> Inside<'t> {
    let count = |bytes: usize| text.get(..bytes).unwrap_or(text).chars().count();
    Inside { text, characters: count(diagnostic.span.start)..count(diagnostic.span.end) }
}
