use std::time::Duration;

use provost_crds as crds;
use serde_json::Value;

use super::check::Checks;
use super::group::subjects;
use super::path::Path;
use crate::model::{AccessPolicy, Effect, FieldError, GrantSpec, GrantWhat, Invalid, Name, PolicyMode, Withholds};

/// In a Deny: every entitlement.
const EVERY: &str = "*";

/// An AccessPolicy, valid by type; or everything that is wrong with it.
pub fn access_policy(object: &crds::AccessPolicy) -> Result<AccessPolicy, Invalid> {
    let (policy, errors) = read(object);
    if errors.is_empty() {
        return Ok(policy);
    }
    let audit = object.spec.mode == Some(crds::PolicyMode::Audit);
    let withholds = match policy.effect {
        Effect::Deny if !audit && policy.grants.is_empty() => Withholds::Anything,
        Effect::Deny if !audit => Withholds::These(policy.grants),
        _ => Withholds::NOTHING,
    };
    Err(Invalid { lifecycle: None, withholds, errors })
}

/// What can be read of an AccessPolicy, and everything that is wrong with it.
pub(super) fn read(object: &crds::AccessPolicy) -> (AccessPolicy, Vec<FieldError>) {
    let mut checks = Checks::default();
    let spec = &object.spec;
    let at = Path::Root("spec");
    checks.own_name(object.metadata.name.as_ref());
    checks.optional(at.field("description"), spec.description.as_ref(), 0, 1024);
    if spec.subjects.is_none() && spec.r#match.is_none() {
        checks.wrong_untold(at, "is about nobody", "must have subjects, match, or both");
    }
    let effect = effect(&mut checks, at.field("effect"), spec.effect.as_ref());
    let not_before = checks.time(at.field("notBefore"), spec.not_before.as_ref());
    let not_after = checks.time(at.field("notAfter"), spec.not_after.as_ref());
    checks.in_order(at, ("notBefore", not_before), ("notAfter", not_after));
    let policy = AccessPolicy {
        effect,
        mode: mode(&mut checks, at.field("mode"), spec.mode.as_ref()),
        subjects: spec.subjects.as_ref().map(|found| subjects(&mut checks, at.field("subjects"), found, 1, 256)),
        rule: spec.r#match.as_ref().map(|rule| checks.source(at.field("match"), at.field("match"), rule)),
        grants: grants(&mut checks, at.field("grants"), &spec.grants, effect),
        not_before,
        not_after,
        lead_time: lead_time(&mut checks, at.field("leadTime"), spec.lead_time.as_ref(), spec.effect.as_ref()),
    };
    (policy, checks.into_errors())
}

/// What an AccessPolicy withholds that cannot be read as one, from the fields that can. It is a Deny unless it says `Allow`,
/// says nothing of its effect, or is an audit. Where its grants, or one of their applications, cannot be read, it
/// may withhold anything: Unknown is not nothing.
pub(super) fn withholds(spec: &Value) -> Withholds {
    let Value::Object(fields) = spec else { return Withholds::Anything };
    let allows = matches!(fields.get("effect"), None | Some(Value::Null))
        || fields.get("effect").is_some_and(|effect| effect == "Allow");
    if allows || fields.get("mode").is_some_and(|mode| mode == "Audit") {
        return Withholds::NOTHING;
    }
    let one = |grant: &Value| {
        let application = Name::from(grant.get("application")?.as_str()?);
        let what = match grant.get("entitlements") {
            None | Some(Value::Null) => GrantWhat::Account,
            Some(names) => legible(names).unwrap_or(GrantWhat::EveryEntitlement),
        };
        Some(GrantSpec { application, what })
    };
    let grants = fields.get("grants").and_then(Value::as_array).filter(|grants| !grants.is_empty());
    let read: Option<Vec<GrantSpec>> = grants.and_then(|grants| grants.iter().map(one).collect());
    read.map_or(Withholds::Anything, Withholds::These)
}

/// The entitlements that a list names, if every one can be read.
fn legible(names: &Value) -> Option<GrantWhat> {
    let names: Vec<&str> = names.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    let every = names.is_empty() || names.contains(&EVERY);
    Some(if every {
        GrantWhat::EveryEntitlement
    } else {
        GrantWhat::Named(names.into_iter().map(Name::from).collect())
    })
}

fn effect(checks: &mut Checks, at: Path<'_>, effect: Option<&crds::Effect>) -> Effect {
    match effect {
        None | Some(crds::Effect::Allow) => Effect::Allow,
        Some(crds::Effect::Deny) => Effect::Deny,
        Some(crds::Effect::Unrecognised(word)) => {
            // What it should have been is not known: nothing that follows from either may be reported.
            checks.unrecognised(at, word, crds::Effect::WORDS, Effect::Deny)
        }
    }
}

fn mode(checks: &mut Checks, at: Path<'_>, mode: Option<&crds::PolicyMode>) -> PolicyMode {
    match mode {
        None | Some(crds::PolicyMode::Enforce) => PolicyMode::Enforce,
        Some(crds::PolicyMode::Audit) => PolicyMode::Audit,
        Some(crds::PolicyMode::Unrecognised(word)) => {
            checks.unrecognised(at, word, crds::PolicyMode::WORDS, PolicyMode::Audit)
        }
    }
}

fn lead_time(
    checks: &mut Checks,
    at: Path<'_>,
    span: Option<&crds::Duration>,
    effect: Option<&crds::Effect>,
) -> Option<Duration> {
    let span = span?;
    if effect == Some(&crds::Effect::Deny) {
        checks.wrong(at, span.as_str(), "says nothing in a Deny", "must be left out, or effect must be Allow");
    }
    Some(checks.span(at, span))
}

fn grants(checks: &mut Checks, at: Path<'_>, grants: &[crds::Grant], effect: Effect) -> Vec<GrantSpec> {
    let grants = checks.list(at, grants, 1, 16);
    checks.unique(at, "application", grants.iter().map(|grant| (&grant.application, grant.application.clone())));
    let mut found = Vec::with_capacity(grants.len());
    for (index, grant) in grants.iter().enumerate() {
        let at = at.item(index);
        let application = checks.name(at.field("application"), &grant.application);
        let what = match &grant.entitlements {
            None => GrantWhat::Account,
            Some(names) => entitlements(checks, at.field("entitlements"), names, effect),
        };
        found.push(GrantSpec { application, what });
    }
    found
}

fn entitlements(checks: &mut Checks, at: Path<'_>, names: &[String], effect: Effect) -> GrantWhat {
    let names = checks.list(at, names, 1, 64);
    checks.unique(at, "name", names.iter().map(|name| (name, name.clone())));
    let mut found = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        found.push(Name::new(checks.text(at.item(index), name, 1, 63)));
        if name == EVERY && effect == Effect::Allow {
            checks.wrong(at.item(index), name, "is for effect: Deny alone", "must name entitlements");
        }
    }
    if names.iter().any(|name| name == EVERY) { GrantWhat::EveryEntitlement } else { GrantWhat::Named(found) }
}
