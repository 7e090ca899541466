//! Deleting a field must not grant, and must not lift a Deny without a word.

use super::super::rule::{Rule, Scope, Site, compile};
use super::group;
use crate::model::Effect;
use crate::policy::Diagnostic;

fn check(source: &str, effect: Effect) -> Result<Rule, Vec<Diagnostic>> {
    compile(source, Site::PolicyMatch(effect), &mut Scope { group: &mut group })
}

#[test]
fn an_allow_that_absence_cannot_make_true_is_accepted() {
    for rule in [
        "identity.department == 'Engineering'",
        "identity.department in ['A', 'B']",
        "identity.title.startsWith('Head')",
        "identity.type != 'Service'",
        "identity.userName != 'root'",
        "!('contractors' in identity.groups)",
        "identity.state != 'Suspended'",
        "has(identity.title) && identity.title != 'Intern'",
        "identity.title != 'Intern' && has(identity.title)",
        "identity.type == 'Person' && (has(identity.title) && !(identity.title == 'Intern'))",
        "identity.title == 'A' || identity.department == 'B'",
        "identity.attributes.clearance == 'secret'",
        "has(identity.attributes.clearance) && identity.attributes.clearance != 'none'",
        "'clearance' in identity.attributes && identity.attributes.clearance != 'none'",
        "'early' in identity.attributes.shifts",
        "identity.emails.exists(e, e.value.endsWith('@acme.test'))",
        "identity.emails.exists(e, e.type == 'work')",
        "identity.emails.exists(e, has(e.type) && e.type != 'home')",
        "has(identity.emails) && identity.emails.all(e, e.value.endsWith('@acme.test'))",
        "identity.primaryEmail().endsWith('@acme.test')",
        "identity.manager.department == 'Research'",
        "has(identity.title) ? identity.title != 'Intern' : false",
        "size(identity.title) > 3",
        "identity.title == 'x' && identity.title != 'y'",
        "!!(identity.title == 'x')",
        "!(!has(identity.title) || identity.title == 'Intern')",
        "identity.emails[0].value == 'ada@acme.test'",
        "identity.lifecycle.suspended",
        "has(identity.emails[0].type) && identity.emails[0].type != 'home'",
        "identity.emails.exists(e, has(e.type) && e.type != 'x') || identity.phoneNumbers.exists(e, e.type == 'x')",
        "true",
    ] {
        if let Err(findings) = check(rule, Effect::Allow) {
            panic!("{rule}: {findings:?}");
        }
    }
}

#[test]
fn an_allow_that_absence_could_make_true_is_refused_with_the_guarded_form() {
    for (rule, remedy) in [
        ("identity.title != 'Intern'", "write: has(identity.title) && identity.title != 'Intern'"),
        ("!(identity.title == 'Intern')", "write: has(identity.title) && !(identity.title == 'Intern')"),
        ("identity.title == ''", "write: has(identity.title) && identity.title == ''"),
        (
            "identity.type == 'Person' && identity.department != 'Sales'",
            "write: has(identity.department) && identity.department != 'Sales'",
        ),
        (
            "identity.emails.all(e, e.value.endsWith('@acme.test'))",
            "write: has(identity.emails) && identity.emails.all(e, e.value.endsWith('@acme.test'))",
        ),
        (
            "identity.attributes.level != 'low'",
            "write: has(identity.attributes.level) && identity.attributes.level != 'low'",
        ),
        (
            "identity.attributes['level'] != 'low'",
            "write: has(identity.attributes.level) && identity.attributes['level'] != 'low'",
        ),
        (
            "!('a' in identity.attributes.roles)",
            "write: has(identity.attributes.roles) && !('a' in identity.attributes.roles)",
        ),
        (
            "identity.manager.department != 'Sales'",
            "write: has(identity.manager.department) && identity.manager.department != 'Sales'",
        ),
        ("identity.title.startsWith('')", "write: has(identity.title) && identity.title.startsWith('')"),
        ("size(identity.emails) < 2", "write: has(identity.emails) && size(identity.emails) < 2"),
        ("identity.emails.exists(e, e.type != 'home')", "write: has(e.type) && e.type != 'home'"),
        ("identity.primaryEmail() != 'x'", "write: has(identity.emails) && identity.primaryEmail() != 'x'"),
        (
            "identity.externalId == '' || identity.type == 'Person'",
            "write: has(identity.externalId) && identity.externalId == ''",
        ),
        (
            "has(identity.title) || identity.department != 'x'",
            "write: has(identity.department) && identity.department != 'x'",
        ),
        (
            "!(identity.title == 'a' || identity.type == 'Service')",
            "write: has(identity.title) && !(identity.title == 'a' || identity.type == 'Service')",
        ),
        (
            "has(identity.title) ? identity.title == 'x' : true",
            "write: has(identity.title) && (has(identity.title) ? identity.title == 'x' : true)",
        ),
        (
            "identity.emails.exists(e, e.value != identity.title)",
            "write: has(identity.title) && e.value != identity.title",
        ),
        ("identity.?title.orValue('x') == 'x'", "write: has(identity.title) && identity.?title.orValue('x') == 'x'"),
        ("!identity.lifecycle.suspended", "write: has(identity.lifecycle.suspended) && !identity.lifecycle.suspended"),
        (
            "identity.emails[0].type != 'home'",
            "write: has(identity.emails[0].type) && identity.emails[0].type != 'home'",
        ),
        (
            "!has(identity.title)",
            "say what must be present instead; a rule that asks for the absence of identity.title is refused",
        ),
        ("has(identity.title) == false", "write: has(identity.title) && has(identity.title) == false"),
        (
            "!has(identity.manager)",
            "say what must be present instead; a rule that asks for the absence of identity.manager is refused",
        ),
    ] {
        for site in [Site::PolicyMatch(Effect::Allow), Site::Requires] {
            let findings = compile(rule, site, &mut Scope { group: &mut group }).expect_err(rule);
            let remedies: Vec<_> = findings.iter().map(|f| f.remedy.clone()).collect();
            assert!(remedies.iter().any(|r| r == remedy), "{rule}\n wanted {remedy}\n found  {remedies:?}");
        }
    }
}

#[test]
fn the_guarded_form_is_accepted() {
    for rule in [
        "identity.title != 'Intern'",
        "identity.emails.all(e, e.value.endsWith('@acme.test'))",
        "identity.attributes.level != 'low'",
        "!('a' in identity.attributes.roles)",
        "identity.manager.department != 'Sales'",
        "!(identity.title == 'a' || identity.type == 'Service')",
        "identity.?title.orValue('x') == 'x'",
    ] {
        let findings = check(rule, Effect::Allow).expect_err(rule);
        let remedy = findings[0].remedy.clone();
        let guarded = remedy.strip_prefix("write: ").unwrap();
        if let Err(findings) = check(guarded, Effect::Allow) {
            panic!("{guarded}: {findings:?}");
        }
    }
}

#[test]
fn a_deny_that_absence_could_lift_is_accepted_with_a_warning() {
    for (rule, remedy) in [
        ("identity.department == 'Sales'", "write: !has(identity.department) || identity.department == 'Sales'"),
        ("has(identity.title)", "ask for what every identity has, as identity.type, if that is not meant"),
    ] {
        let rule = check(rule, Effect::Deny).unwrap();
        let [warning] = rule.warnings() else { panic!("{:?}", rule.warnings()) };
        assert_eq!(warning.remedy, remedy);
    }
    for rule in [
        "identity.department != 'Engineering'",
        "!has(identity.title) || identity.title == 'Intern'",
        "'contractors' in identity.groups",
        "identity.type == 'Service'",
    ] {
        assert_eq!(check(rule, Effect::Deny).unwrap().warnings(), [], "{rule}");
    }
}
