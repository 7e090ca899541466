//! Manifests into directories, one a namespace, and everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::directory::{Dangling, Directory, Problem, Warning};
use provost_core::input;
use provost_core::model::{Change, FieldError, Name, ObjectKind, ObjectRef, Source};
use provost_core::policy::{Diagnostic, Severity};
use serde_json::Value;

use super::doubles;
use super::draft::{self, Wrong};
use super::finding::{Finding, Inside};
use super::metadata;
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

/// What was read of one namespace.
#[derive(Default)]
pub struct Space<'r> {
    changes: Vec<Change>,
    /// Where each object is declared.
    pub documents: BTreeMap<ObjectRef, &'r Document>,
    /// Those whose fields are wrong.
    pub invalid: BTreeMap<ObjectRef, Wrong>,
    /// Those without a name that can be read, which is wrong too.
    nameless: Vec<(&'r Document, Wrong)>,
}

/// Loads what was read, as of a time; `usual`: the namespace of manifests that name none.
pub fn load(read: &Read, usual: &str, at: Timestamp) -> Loaded {
    load_for(false, read, usual, at)
}

/// The same for `lint`, which also looks for rules that are true of nobody.
pub fn lint(read: &Read, at: Timestamp) -> Loaded {
    load_for(true, read, usual_namespace(&[read]), at)
}

fn load_for(lint: bool, read: &Read, usual: &str, at: Timestamp) -> Loaded {
    let mut findings = unreadable(read);
    findings.extend(unnamed(read, usual));
    let mut spaces: BTreeMap<&str, Space<'_>> = BTreeMap::new();
    // Of a line that is no UTF-8 nothing is known, not even that it is ours.
    let mut hidden: BTreeSet<(&str, usize)> = read.misread.iter().map(|broken| (&*broken.file, broken.line)).collect();
    for document in &read.documents {
        let (change, mended, errors) = read_one(document);
        findings.extend(errors.iter().map(|error| field(document, error, read)));
        hidden.extend(untold::lines(document, &errors).map(|line| (&*document.file, line)));
        if let Some(change) = change {
            let space = spaces.entry(namespace(document).unwrap_or(usual)).or_default();
            findings.extend(space.take(document, Wrong { change, mended, errors }, read));
        }
    }
    let (mut directories, mut places) = (BTreeMap::new(), BTreeMap::new());
    for (namespace, mut space) in spaces {
        let mut directory = Directory::new(provost_connectors::schema);
        directory.replace(std::mem::take(&mut space.changes), at);
        findings.extend(of_space(&space, &mut directory, at, read));
        if lint {
            findings.extend(idle(&space, &directory, read));
        }
        directories.insert(namespace.to_owned(), directory);
        let declared =
            |(object, document): (ObjectRef, &Document)| ((namespace.to_owned(), object), document.declared());
        places.extend(space.documents.into_iter().map(declared));
    }
    for finding in &mut findings {
        if hidden.contains(&(&*finding.file, finding.line)) {
            finding.width = 0;
        }
    }
    findings.sort();
    findings.dedup();
    Loaded { directories, places, findings }
}

impl<'r> Space<'r> {
    /// Takes what a document says. One of a name that is there already is told of; the last one counts.
    fn take(&mut self, document: &'r Document, said: Wrong, read: &Read) -> Option<Finding> {
        let object = said.change.object();
        self.changes.push(said.change.clone());
        if object.name.as_str().is_empty() {
            self.nameless.push((document, said));
            return None;
        }
        if field_errors(&said.change).is_empty() {
            self.invalid.remove(&object);
        } else {
            self.invalid.insert(object.clone(), said);
        }
        let other = self.documents.insert(object.clone(), document)?;
        let mut finding = Finding::at(document, NAME, None, read);
        finding.message = format!("{} {} is there already, in {}", object.kind.as_str(), object.name, other.declared());
        finding.remedy = Some("must have a name of its own in its namespace".to_owned());
        Some(finding)
    }
}

/// What is wrong with the manifests of a namespace beyond their fields.
fn of_space(space: &Space<'_>, directory: &mut Directory, at: Timestamp, read: &Read) -> Vec<Finding> {
    // What others name in an application that is wrong is looked for in what can be read of it.
    let legible: Vec<&Wrong> = space.invalid.values().filter(|wrong| draft::has_catalogue(wrong)).collect();
    directory.apply(legible.iter().filter_map(|wrong| draft::draft(wrong)).collect(), at);
    let is_application = |kind: ObjectKind| kind == ObjectKind::TargetApplication;
    let mut findings = of_objects(space, |kind| !is_application(kind), directory, at, read);
    directory.apply(legible.into_iter().map(|wrong| wrong.change.clone()).collect(), at);
    findings.extend(of_objects(space, is_application, directory, at, read));
    findings.extend(doubles::findings(space, directory, at, read));
    findings.extend(directory.dangling().into_iter().filter_map(|dangling| {
        let document = space.documents.get(&dangling.object)?;
        nobody(document, &dangling, directory, read)
    }));
    findings
}

/// The same of the manifests of some kinds, each by itself.
fn of_objects(
    space: &Space<'_>,
    is_asked: impl Fn(ObjectKind) -> bool,
    directory: &mut Directory,
    at: Timestamp,
    read: &Read,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (object, document) in space.documents.iter().filter(|(object, _)| is_asked(object.kind)) {
        match space.invalid.get(object) {
            // What its fields say was told when it was read.
            Some(wrong) => findings.extend(draft::findings(document, wrong, directory, at, read)),
            None => findings.extend(of_object(document, object, directory, read)),
        }
    }
    for (document, wrong) in space.nameless.iter().filter(|(_, wrong)| is_asked(wrong.change.object().kind)) {
        findings.extend(draft::findings(document, wrong, directory, at, read));
    }
    findings
}

/// What is wrong with a manifest that is valid by itself, and what a person should look at in it.
fn of_object(document: &Document, object: &ObjectRef, directory: &Directory, read: &Read) -> Vec<Finding> {
    // Doubles are told by themselves.
    let all = directory.problems_of(object).into_iter().filter(|problem| problem.clash.is_none());
    let mut findings: Vec<Finding> = all.flat_map(|problem| problems(document, &problem, directory, read)).collect();
    for Warning { source, diagnostic } in directory.warnings_of(object) {
        findings.push(of_rule(document, &source, &diagnostic, read));
    }
    findings
}

/// Rules that are true of nobody. Whoever one is for may be still to come.
fn idle(space: &Space<'_>, directory: &Directory, read: &Read) -> Vec<Finding> {
    let of = |(object, document): (&ObjectRef, &&Document)| {
        directory.idle_rule(object).map(|(source, count)| idle_rule(document, source, count, read))
    };
    space.documents.iter().filter_map(of).collect()
}

fn idle_rule(document: &Document, source: &Source, identities: usize, read: &Read) -> Finding {
    let mut finding = Finding::at(document, &source.path, None, read);
    finding.error = false;
    finding.message = match identities {
        1 => "this rule does not match the one identity here".to_owned(),
        _ => format!("this rule matches nobody of the {identities} identities here"),
    };
    finding.remedy = Some("compare its values with theirs, if it should".to_owned());
    finding
}

/// The namespace that a document names.
fn namespace(document: &Document) -> Option<&str> {
    document.text("/metadata/namespace").filter(|namespace| !namespace.is_empty())
}

/// The namespaces that are named.
fn namespaces<'r>(all: &[&'r Read]) -> BTreeSet<&'r str> {
    all.iter().flat_map(|read| read.documents.iter().filter_map(namespace)).collect()
}

/// That of manifests that name none: what all others name, since a folder is applied as a whole; else that of kubectl.
/// Two versions have one, or a file that is new would move everybody.
pub fn usual_namespace<'r>(all: &[&'r Read]) -> &'r str {
    let named = namespaces(all);
    named.first().filter(|_| named.len() == 1).copied().unwrap_or(DEFAULT_NAMESPACE)
}

/// That some manifests name a namespace and others none, told once.
fn unnamed(read: &Read, usual: &str) -> Option<Finding> {
    // What is no mapping, or of another version, is told by itself.
    let without = |document: &&Document| {
        let metadata = document.value.get("metadata").and_then(Value::as_object);
        metadata.filter(|_| shape::is_version(&document.value)).is_some_and(|metadata| {
            match metadata.get("namespace") {
                Some(Value::String(namespace)) => namespace.is_empty(),
                other => other.is_none_or(Value::is_null),
            }
        })
    };
    let first = read.documents.iter().find(without)?;
    let named = namespaces(&[read]).into_iter().collect::<Vec<_>>().join(", ");
    if named.is_empty() {
        return None;
    }
    let mut finding = Finding::at(first, "metadata", None, read);
    finding.error = false;
    let they = match read.documents.iter().filter(without).count() {
        1 => "this manifest names no namespace and is".to_owned(),
        count => format!("{count} manifests name no namespace, the first of them here, and are"),
    };
    finding.message = format!("{they} read as in {usual}; the others name {named}");
    finding.remedy = Some("write metadata.namespace: kubectl takes the one of its context".to_owned());
    Some(finding)
}

/// What was read as changes, by namespace; where something is wrong with a manifest, [`load`] says what.
pub fn changes(read: &Read) -> BTreeMap<String, Vec<Change>> {
    let usual = usual_namespace(&[read]);
    let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for document in &read.documents {
        let namespace = namespace(document).unwrap_or(usual).to_owned();
        changes.entry(namespace).or_default().extend(change(&document.value).0);
    }
    changes
}

/// The change that a document makes, the document as its schema has it, and what is wrong with it by itself, each said once:
/// the schema first. What cannot be read as its kind is looked at as its schema has it.
fn read_one(document: &Document) -> (Option<Change>, Option<Value>, Vec<FieldError>) {
    let shape = shape::read(&document.value);
    let (change, broken) = change(&document.value);
    let mended = shape.mended.as_ref().filter(|_| broken).map(self::change);
    let looked =
        if broken { mended.filter(|(_, broken)| !broken).and_then(|(mended, _)| mended) } else { change.clone() };
    let mut errors = shape.errors.clone();
    let new = |error: &&FieldError| !shape.is_made(&document.indexed(&error.path), error);
    errors.extend(looked.iter().flat_map(field_errors).filter(new).cloned());
    if errors.is_empty() {
        errors.extend(change.iter().flat_map(field_errors).cloned());
    }
    (change, shape.mended, errors)
}

fn unreadable(read: &Read) -> Vec<Finding> {
    let shown =
        |broken: &Unreadable| read.texts.get(&broken.file).is_some_and(|text| untold::is_shown(text, broken.line));
    let told = |broken: &Unreadable, object: String| Finding {
        file: broken.file.clone(),
        line: broken.line,
        column: broken.column,
        width: usize::from(shown(broken)),
        error: true,
        message: format!("this cannot be read: {}", broken.message),
        remedy: broken.remedy.map(str::to_owned),
        object,
    };
    let mut findings: Vec<Finding> = read.unreadable.iter().map(|broken| told(broken, broken.file.clone())).collect();
    findings.extend(read.misread.iter().map(|broken| {
        let object = read.misread_in.get(&broken.file).unwrap_or(&broken.file);
        told(broken, object.clone())
    }));
    findings
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
    let manifest = metadata::read(value);
    let read = match kind {
        ObjectKind::Identity => provost_crds::from_manifest(manifest).map(|o| input::identity_change(&o)),
        ObjectKind::Group => provost_crds::from_manifest(manifest).map(|o| input::group_change(&o)),
        ObjectKind::AccessPolicy => provost_crds::from_manifest(manifest).map(|o| input::access_policy_change(&o)),
        ObjectKind::TargetApplication => {
            provost_crds::from_manifest(manifest).map(|o| input::target_application_change(&o))
        }
    };
    if let Ok(change) = read {
        return (Some(change), false);
    }
    (Some(unreadable_as(kind, value)), true)
}

fn unreadable_as(kind: ObjectKind, value: &Value) -> Change {
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    let name = metadata.get("name").and_then(Value::as_str).map(str::to_owned);
    // What is wrong in it takes nobody's name.
    let alone = || provost_crds::ObjectMeta { name, ..provost_crds::ObjectMeta::default() };
    let metadata = serde_json::from_value(metadata).unwrap_or_else(|_| alone());
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
    // Of a field that is none, or cannot be named so, its name is shown, which is the end of its path.
    let unknown = [shape::NO_FIELD, shape::NO_KEY].contains(&&*error.message);
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
