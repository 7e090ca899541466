//! Manifests into directories, one a namespace, and everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::directory::{Directory, Problem, Warning};
use provost_core::input;
use provost_core::model::{Change, FieldError, ObjectKind, ObjectRef, Source};
use provost_core::policy::{Diagnostic, Severity};
use serde_json::Value;

use super::finding::{Finding, Inside};
use super::shape;
use super::source::Read;
use super::yaml::Document;

/// The namespace of manifests that name none, as kubectl has it.
pub const DEFAULT_NAMESPACE: &str = "default";

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
    let mut invalid: BTreeSet<(String, ObjectRef)> = BTreeSet::new();
    for document in &read.documents {
        let (change, errors) = read_one(document);
        findings.extend(errors.iter().map(|error| field(document, error, read)));
        let Some(change) = change else { continue };
        let namespace = document.text("/metadata/namespace").unwrap_or(DEFAULT_NAMESPACE).to_owned();
        let object = change.object();
        if !field_errors(&change).is_empty() {
            invalid.insert((namespace.clone(), object.clone()));
        }
        if let Some(other) = found.insert((namespace.clone(), object.clone()), document) {
            let mut finding = Finding::at(document, "metadata.name", None, read);
            finding.message = format!("{} {} is there already, in {}", object.kind.as_str(), object.name, other.file);
            finding.remedy = Some("must have a name of its own in its namespace".to_owned());
            findings.push(finding);
        }
        changes.entry(namespace).or_default().push(change);
    }
    let mut directories = BTreeMap::new();
    for (namespace, changes) in changes {
        let mut directory = Directory::new(provost_connectors::schema);
        directory.replace(changes, at);
        for (object, found_in) in directory.problems() {
            let object = (namespace.clone(), object);
            // What is wrong with a manifest that is not valid was said when it was read.
            if let Some(document) = found.get(&object).filter(|_| !invalid.contains(&object)) {
                for problem in &found_in {
                    problems(document, problem, read, &mut findings);
                }
            }
        }
        for (object, warnings) in directory.warnings() {
            if let Some(document) = found.get(&(namespace.clone(), object)) {
                for Warning { source, diagnostic } in &warnings {
                    findings.push(of_rule(document, source, diagnostic, read));
                }
            }
        }
        directories.insert(namespace, directory);
    }
    findings.sort();
    findings.dedup();
    let places = found.into_iter().map(|(object, document)| (object, document.declared())).collect();
    Loaded { directories, places, findings }
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
    let finding = |(file, line, column, message): &(String, usize, usize, String)| Finding {
        file: file.clone(),
        line: *line,
        column: *column,
        width: 0,
        error: true,
        message: format!("this is no YAML or JSON: {message}"),
        remedy: None,
        object: file.clone(),
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
    finding.message = match &error.value {
        Some(value) if !value.is_empty() => format!("{} {value:?} {}", error.path, error.message),
        _ => format!("{} {}", error.path, error.message),
    };
    finding.remedy = Some(error.remedy.to_string());
    finding
}

fn problems(document: &Document, problem: &Problem, read: &Read, findings: &mut Vec<Finding>) {
    let Some((source, diagnostics)) = &problem.rule else {
        let mut finding = Finding::at(document, problem.path.as_deref().unwrap_or("metadata.name"), None, read);
        finding.message = problem.message.to_string();
        findings.push(finding);
        return;
    };
    findings.extend(diagnostics.iter().map(|diagnostic| of_rule(document, source, diagnostic, read)));
}

fn of_rule(document: &Document, source: &Source, diagnostic: &Diagnostic, read: &Read) -> Finding {
    let mut finding = Finding::at(document, &source.path, Some(inside(&source.text, diagnostic)), read);
    finding.error = diagnostic.severity == Severity::Error;
    finding.message.clone_from(&diagnostic.message);
    finding.remedy.clone_from(&diagnostic.remedy);
    finding
}

fn inside<'t>(text: &'t str, diagnostic: &Diagnostic) -> Inside<'t> {
    let count = |bytes: usize| text.get(..bytes).unwrap_or(text).chars().count();
    Inside { text, characters: count(diagnostic.span.start)..count(diagnostic.span.end) }
}
