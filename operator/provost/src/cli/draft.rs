//! What is wrong with the rules and the references of a manifest that is not valid: they are looked at as if the rest of it
//! were right, so that one run tells every error. Nobody acts on that.

use jiff::Timestamp;
use provost_core::directory::{Directory, Problem, Warning};
use provost_core::input;
use provost_core::model::{Change, FieldError, ObjectKind};
use serde_json::Value;

use super::finding::Finding;
use super::load::{nobody, of_rule, problems};
use super::shape::is_within;
use super::source::Read;
use super::yaml::Document;

/// The field that settles what the rule of an AccessPolicy may do.
const EFFECT: &str = "spec.effect";

/// What an application says that can be had.
const CATALOGUE: &str = "spec.entitlements";

/// A manifest that is not valid: the change that it makes, and what is wrong with its fields.
pub struct Wrong {
    /// As the directory has it.
    pub change: Change,
    /// As its schema has it, if that is known.
    pub mended: Option<Value>,
    /// What was said of it already.
    pub errors: Vec<FieldError>,
}

/// What is wrong beyond its fields. The directory is as before afterwards.
pub fn findings(
    document: &Document,
    wrong: &Wrong,
    directory: &mut Directory,
    at: Timestamp,
    read: &Read,
) -> Vec<Finding> {
    let object = wrong.change.object();
    let Some(draft) = draft(wrong) else { return Vec::new() };
    directory.apply(vec![draft], at);
    let mut findings = Vec::new();
    let new = |path: &str| !is_said(document, path, &wrong.errors);
    for problem in directory.problems_of(&object).iter().filter(|problem| is_of_draft(object.kind, problem)) {
        let path = problem.rule.as_ref().map(|(source, _)| &source.path).or(problem.path.as_ref());
        if path.is_none_or(|path| new(path)) {
            findings.extend(problems(document, problem, directory, read));
        }
    }
    // What absence does by an effect that cannot be read is not known.
    let is_known = wrong.errors.iter().all(|error| &*error.path != EFFECT);
    for Warning { source, diagnostic } in directory.warnings_of(&object).iter().filter(|_| is_known) {
        findings.push(of_rule(document, source, diagnostic, read));
    }
    let dangling = directory.dangling().into_iter().filter(|found| found.object == object && new(&found.path));
    findings.extend(dangling.filter_map(|found| nobody(document, &found, directory, read)));
    directory.apply(vec![wrong.change.clone()], at);
    findings
}

/// The change that it would make if its fields were right.
pub fn draft(wrong: &Wrong) -> Option<Change> {
    input::draft(wrong.change.object().kind, wrong.mended.clone()?)
}

/// Whether an application that is not valid lists its entitlements, and nothing is wrong with that list.
pub fn has_catalogue(wrong: &Wrong) -> bool {
    let list = wrong.mended.as_ref().and_then(|mended| mended.pointer("/spec/entitlements"));
    wrong.change.object().kind == ObjectKind::TargetApplication
        && list.is_some_and(Value::is_array)
        && !wrong.errors.iter().any(|error| is_within(&error.path, CATALOGUE))
}

/// Of an application what its connector takes is not told: the connector may be what is wrong. Doubles are told by themselves.
fn is_of_draft(kind: ObjectKind, problem: &Problem) -> bool {
    let is_known = kind != ObjectKind::TargetApplication || problem.rule.is_some() || problem.missing.is_some();
    is_known && problem.clash.is_none()
}

/// Whether that very field, or the kind of what it names, was found wrong already.
pub fn is_said(document: &Document, path: &str, errors: &[FieldError]) -> bool {
    let path = document.indexed(path);
    let is_it = |error: &FieldError| {
        error.path.strip_prefix(&*path).is_some_and(|rest| rest.is_empty() || rest == ".kind" || rest == ".name")
    };
    errors.iter().any(is_it)
}
