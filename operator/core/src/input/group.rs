use provost_crds as crds;

use super::check::Checks;
use super::path::Path;
use crate::model::{FieldError, Group, Invalid, Member, Subject, Withholds};

/// The most that a Group lists, and excludes.
const MOST_MEMBERS: usize = 4096;

/// A Group, valid by type; or everything that is wrong with it.
pub fn group(object: &crds::Group) -> Result<Group, Invalid> {
    let (group, errors) = read(object);
    if errors.is_empty() { Ok(group) } else { Err(Invalid { lifecycle: None, withholds: Withholds::NOTHING, errors }) }
}

/// What can be read of a Group, and everything that is wrong with it.
pub(super) fn read(object: &crds::Group) -> (Group, Vec<FieldError>) {
    let mut checks = Checks::default();
    let spec = &object.spec;
    let at = Path::Root("spec");
    let own_name = checks.own_name(object.metadata.name.as_ref());
    checks.optional(at.field("description"), spec.description.as_ref(), 0, 1024);
    let group = Group {
        display_name: checks.optional(at.field("displayName"), spec.display_name.as_ref(), 0, 256),
        members: members(&mut checks, at.field("members"), spec.members.as_deref(), own_name),
        rule: spec.r#match.as_ref().map(|rule| checks.source(at.field("match"), at.field("match"), rule)),
        exclude: exclude(&mut checks, at.field("exclude"), spec.exclude.as_deref(), own_name),
    };
    (group, checks.into_errors())
}

fn members(checks: &mut Checks, at: Path<'_>, members: Option<&[crds::Member]>, own_name: &str) -> Vec<Member> {
    let members = checks.list(at, members.unwrap_or_default(), 0, MOST_MEMBERS);
    let mut found = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate() {
        let at = at.item(index);
        let subject = subject(checks, at, &member.kind, &member.name);
        not_itself(checks, at, &subject, own_name, "lists itself");
        found.push(Member { subject, not_after: checks.time(at.field("notAfter"), member.not_after.as_ref()) });
    }
    checks.unique(at, "kind and name", found.iter().map(|member| shown(&member.subject)));
    found
}

fn exclude(checks: &mut Checks, at: Path<'_>, subjects: Option<&[crds::Subject]>, own_name: &str) -> Vec<Subject> {
    let found = self::subjects(checks, at, subjects.unwrap_or_default(), 0, MOST_MEMBERS);
    for (index, subject) in found.iter().enumerate() {
        not_itself(checks, at.item(index), subject, own_name, "excludes itself");
    }
    found
}

fn not_itself(checks: &mut Checks, at: Path<'_>, subject: &Subject, own_name: &str, what: &str) {
    if let Subject::Group(name) = subject
        && name.as_str() == own_name
    {
        checks.wrong(at.field("name"), own_name, format!("is the group that {what}"), "must be another group");
    }
}

/// Subjects, none of them twice.
pub(super) fn subjects(
    checks: &mut Checks,
    at: Path<'_>,
    subjects: &[crds::Subject],
    least: usize,
    most: usize,
) -> Vec<Subject> {
    let subjects = checks.list(at, subjects, least, most);
    let each = subjects.iter().enumerate();
    let found: Vec<Subject> =
        each.map(|(index, found)| subject(checks, at.item(index), &found.kind, &found.name)).collect();
    checks.unique(at, "kind and name", found.iter().map(shown));
    found
}

fn subject(checks: &mut Checks, at: Path<'_>, kind: &crds::SubjectKind, name: &str) -> Subject {
    let name = checks.name(at.field("name"), name);
    match kind {
        crds::SubjectKind::Identity => Subject::Identity(name),
        crds::SubjectKind::Group => Subject::Group(name),
        crds::SubjectKind::Unrecognised(word) => {
            let instead = Subject::Identity(name);
            checks.unrecognised(at.field("kind"), word, crds::SubjectKind::WORDS, instead)
        }
    }
}

fn shown(subject: &Subject) -> (&Subject, String) {
    match subject {
        Subject::Identity(name) => (subject, format!("Identity {name}")),
        Subject::Group(name) => (subject, format!("Group {name}")),
    }
}
