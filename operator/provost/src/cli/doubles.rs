//! Identities with one userName or externalId, also where something else is wrong with them.

use jiff::Timestamp;
use provost_core::directory::{Directory, Problem};
use provost_core::model::{Change, ObjectKind, ObjectRef};

use super::draft::{self, Wrong};
use super::finding::Finding;
use super::load::{Space, problems};
use super::shape::is_within;
use super::source::Read;

/// The field that settles whether somebody has ended.
const LIFECYCLE: &str = "spec.lifecycle";

/// Every such pair of one namespace, at each of the two. The directory is as before afterwards.
pub fn findings(space: &Space<'_>, directory: &mut Directory, at: Timestamp, read: &Read) -> Vec<Finding> {
    // Who has ended has no key, and where that cannot be read nobody knows.
    let may_have_ended = |wrong: &Wrong| wrong.errors.iter().any(|error| is_within(&error.path, LIFECYCLE));
    let of = |wrong: &&Wrong| wrong.change.object().kind == ObjectKind::Identity && !may_have_ended(wrong);
    let invalid: Vec<&Wrong> = space.invalid.values().filter(of).collect();
    directory.apply(invalid.iter().filter_map(|wrong| draft::draft(wrong)).collect(), at);
    // A key that is wrong itself is nobody's.
    let is_said = |object: &ObjectRef, path: &str| match (space.documents.get(object), space.invalid.get(object)) {
        (Some(document), Some(wrong)) => draft::is_said(document, path, &wrong.errors),
        _ => false,
    };
    let mut findings = Vec::new();
    for (object, document) in &space.documents {
        for problem in problems_of(object, directory) {
            let (Some(other), Some(path)) = (&problem.clash, &problem.path) else { continue };
            if is_said(object, path) || is_said(other, path) {
                continue;
            }
            for mut finding in problems(document, &problem, directory, read) {
                finding.remedy =
                    space.documents.get(other).map(|other| format!("the other is in {}", other.declared()));
                findings.push(finding);
            }
        }
    }
    let before: Vec<Change> = invalid.into_iter().map(|wrong| wrong.change.clone()).collect();
    directory.apply(before, at);
    findings
}

fn problems_of(object: &ObjectRef, directory: &Directory) -> Vec<Problem> {
    if object.kind != ObjectKind::Identity {
        return Vec::new();
    }
    let clashes = directory.clashes_of(&object.name);
    let mut all = directory.problems_of(object);
    all.retain(|problem| clashes.iter().all(|clash| clash.reason != problem.reason));
    all.extend(clashes);
    all
}
