//! Rules as people write them: what is said of wrong ones, and what is known of right ones.

use std::sync::Arc;

use super::{GROUPS, group, group_name, sample, with_facts};
use crate::model::{Effect, Field, Reason, State, Value};
use crate::policy::{
    Cost, Facts, GroupId, Key, Manager, Memberships, Outcome, Rule, Scope, Site, Term, Truth, compile, evaluate,
    matches, trace,
};

const ALLOW: Site = Site::PolicyMatch(Effect::Allow);

fn rule(source: &str, site: Site) -> Rule {
    match compile(source, site, &mut Scope { group: &mut group }) {
        Ok(rule) => rule,
        Err(findings) => panic!("{source}: {findings:?}"),
    }
}

fn findings(source: &str, site: Site) -> Vec<String> {
    match compile(source, site, &mut Scope { group: &mut group }) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn findings_name_the_place_what_was_found_and_the_remedy() {
    for (site, source, expected) in FINDINGS {
        let found = findings(source, *site);
        assert!(found.iter().any(|f| f.starts_with(*expected)), "{source}\n expected {expected}\n found    {found:?}");
    }
}

/// Site, source, and what is said of it.
const FINDINGS: &[(Site, &str, &str)] = &[
    (ALLOW, "identity.departmnt == 'x'", "1:10: identity has no field 'departmnt'; did you mean 'department'?"),
    (ALLOW, "identity.email == 'x'", "1:10: identity has no field 'email'; write identity.primaryEmail()"),
    (
        ALLOW,
        "identity.shoeSize == 'x'",
        "1:10: identity has no field 'shoeSize'; custom attributes are read as identity.attributes.shoeSize",
    ),
    (ALLOW, "identity.manager.titel == 'x'", "1:18: identity.manager has no field 'titel'; did you mean 'title'?"),
    (ALLOW, "department == 'x'", "1:1: there is no variable 'department'; did you mean 'identity.department'?"),
    (ALLOW, "identty.title == 'x'", "1:1: there is no variable 'identty'; did you mean 'identity'?"),
    (ALLOW, "identity.title == Head", "1:19: there is no variable 'Head'; put a text in quotes: \"Head\""),
    (
        ALLOW,
        "identity.title == 5",
        "1:1: string == int can never be decided: the types differ; put the number in quotes, or convert one side",
    ),
    (
        ALLOW,
        "identity.title == null",
        "1:1: string == null can never be decided: the types differ; absent fields are never null: write !has(identity.title) or has(identity.title)",
    ),
    (ALLOW, "identity.title", "1:1: the expression is string, where a condition (bool) is expected"),
    (
        ALLOW,
        "identity.attributes.x",
        "1:1: the expression is dyn, where a condition (bool) is expected; compare it: identity.attributes.x == true",
    ),
    (
        ALLOW,
        "identity.type == 'person'",
        "1:18: identity.type is Person or Service or Agent; never \"person\"; did you mean 'Person'?",
    ),
    (ALLOW, "identity.title.startWith('x')", "1:1: there is no function startWith(); did you mean 'startsWith'?"),
    (ALLOW, "identity.title.startsWith(5)", "1:1: found string.startsWith(int); there is string.startsWith(string)"),
    (
        ALLOW,
        "now() > timestamp(0)",
        "1:1: now() is left out; there is no clock in rules: use lifecycle.startTime and endTime, notBefore and notAfter, or leadTime",
    ),
    (ALLOW, "identity.title.matches('(')", "1:24: the pattern is not valid: unclosed group"),
    (
        ALLOW,
        "identity.title.matches(identity.department)",
        "1:24: the pattern of matches() must be a constant string; use startsWith(), endsWith() or contains() for texts that vary",
    ),
    (
        ALLOW,
        "identity.title in identity.groups",
        "1:1: the name of a group must be constant, so that what a rule depends on is known; write \"a\" in identity.groups || \"b\" in identity.groups",
    ),
    (ALLOW, "identity.title = 'x'", "1:16: unexpected character '='; equality is written =="),
    (ALLOW, "identity.title == 'x", "1:19: ' is never closed"),
    (ALLOW, "identity.title == “x”", "1:19: unexpected character '“'; use straight quotes"),
    (ALLOW, "identity.title == 'x' &&", "1:25: the expression ends where more is expected"),
    (ALLOW, "(identity.title == 'x'", "1:1: '(' is never closed"),
    (ALLOW, "identity.title == 'x')", "1:22: ')' was never opened"),
    (
        ALLOW,
        "identity.title == 'x' identity.type == 'y'",
        "1:23: found 'identity' where an operator or the end is expected",
    ),
    (ALLOW, "identity.title == == 'x'", "1:19: found '==' where an expression is expected"),
    (ALLOW, "(identity.title 'x')", "1:17: found 'x' where ')' is expected"),
    (ALLOW, "identity. == 'x'", "1:11: found '==' where"),
    (
        ALLOW,
        "true &&\n  identity.departmnt == 'x'",
        "2:12: identity has no field 'departmnt'; did you mean 'department'?",
    ),
    (ALLOW, "'é' == identity.departmnt", "1:17: identity has no field 'departmnt'; did you mean 'department'?"),
    (ALLOW, "application.name == 'x'", "1:1: application is known in the mapping of attributes alone"),
    (
        ALLOW,
        "identity.attributes[identity.title] == 'x'",
        "1:21: the name of a custom attribute must be constant in a condition",
    ),
    (
        ALLOW,
        "[identity].exists(i, i.title == 'x')",
        "1:2: identity as a whole is no value; name the field that is meant",
    ),
    (
        ALLOW,
        "identity.attributes.size() == 1",
        "1:1: identity.attributes as a whole is no value in a condition; name the attribute that is meant, or ask has(..)",
    ),
    (
        ALLOW,
        "!(identity.title in identity.attributes)",
        "1:21: identity.attributes as a whole is no value in a condition; name the attribute that is meant, or ask has(..)",
    ),
    (
        ALLOW,
        "[identity.manager].exists(m, m.title == 'x')",
        "1:2: identity.manager as a whole is no value; name the field that is meant",
    ),
    (ALLOW, "math.greatest(1, 2) == 2", "1:1: math.greatest() is left out, like all of the extension 'math'"),
    (
        Site::GroupMatch,
        "'sre' in identity.groups",
        "1:19: identity.groups is not available in Group.match: membership depends on the identity alone",
    ),
    (
        Site::GroupMatch,
        "identity.manager.title == 'x'",
        "1:10: identity.manager is not available in Group.match: membership depends on the identity alone",
    ),
    (
        Site::Correlation,
        "identity.groups[0]",
        "1:10: identity.groups is not available in correlate: a key depends on the identity alone",
    ),
    (Site::Correlation, "true", "1:1: the expression is bool, where string or null is expected"),
    (
        Site::Attribute,
        "identity.lifecycle.startTime",
        "1:1: the expression is timestamp, where string, bool, int, list, map or null is expected; convert with string()",
    ),
    (Site::Attribute, "identity", "1:1: identity as a whole is no value; name the field that is meant"),
];

#[test]
fn every_refusal_says_what_to_write_instead() {
    let nested = format!("{}true{}", "(".repeat(30), ")".repeat(30));
    let long = format!("true{}", " && true".repeat(600));
    let rules: [(Site, &str, &str); 29] = [
        (ALLOW, "identity.title", "compare it: identity.title == \"..\""),
        (ALLOW, "identity.emails", "\"..\" in identity.emails, or exists(x, ..)"),
        (ALLOW, "identity.title && true", "compare it: identity.title == \"..\""),
        (ALLOW, "size(identity.title)", "compare it: size(identity.title) > 0"),
        (ALLOW, "application.name == 'x'", "ask for fields of identity alone"),
        (Site::GroupMatch, "'a' in identity.groups", "list the other group in members"),
        (Site::GroupMatch, "identity.manager.title == 'x'", "write identity.managerRef.name == \"..\""),
        (Site::GroupMatch, "identity.state == 'Active'", "ask for it in the AccessPolicy that names the group"),
        (Site::Correlation, "identity.groups[0]", "as identity.userName"),
        (Site::Correlation, "true", "convert with string()"),
        (ALLOW, "identity.title.trim == 'x'", "write trim() if a function is meant"),
        (ALLOW, "identity.title[0] == 'x'", "use charAt() or substring()"),
        (ALLOW, "identity.emails['a'].value == 'x'", "put int in the brackets"),
        (ALLOW, "-identity.title == 'x'", "take the - away"),
        (ALLOW, "identity.title.startsWith(5)", "give it what it takes"),
        (ALLOW, "identity.title in 5", "write a list behind it"),
        (ALLOW, "5 in [\"a\"]", "of the type that is in it"),
        (ALLOW, "identity.title.matches('(')", "syntax of RE2"),
        (ALLOW, "identity.emails.matches('a')", "list.exists(x, x.matches(..))"),
        (ALLOW, "identity.title.exists(x, x == 'a')", "call it on a list"),
        (ALLOW, "identity.emails.exists('x', true)", "write a name first"),
        (ALLOW, "timestamp('today') == identity.lifecycle.endTime", "write it as \"2026-12-01T08:00:00Z\""),
        (ALLOW, "foo()", "docs/rules.md"),
        (ALLOW, "identity.type == 'Elephant'", "write one of \"Person\", \"Service\", \"Agent\""),
        (ALLOW, "", "write one, or leave the field out"),
        (ALLOW, "true)", "take it out, or write the bracket that opens it"),
        (ALLOW, "true &&", "write what is missing"),
        (ALLOW, &nested, "shorten it, or move a part of it into the rule of a Group"),
        (ALLOW, &long, "shorten it, or move a part of it into the rule of a Group"),
    ];
    for (site, source, remedy) in rules {
        let found = compile(source, site, &mut Scope { group: &mut group }).unwrap_err();
        assert!(found.iter().all(|f| !f.remedy.is_empty()), "{source}: {found:?}");
        assert!(found.iter().any(|f| f.remedy.contains(remedy)), "{source}\n expected {remedy}\n found    {found:?}");
    }
}

#[test]
fn the_examples_of_the_manual_are_accepted() {
    let manual = include_str!("../../../../../docs/rules.md");
    let examples: Vec<_> =
        manual.split("```cel\n").skip(1).flat_map(|block| block.split("```").next().unwrap().lines()).collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        assert_eq!(findings(example, ALLOW), [""; 0], "{example}");
    }
}

#[test]
fn every_mistake_is_told_at_once_and_in_order() {
    let found = findings("identity.titel == 'x' && identity.departmnt == 'y' && foo()", ALLOW);
    let places: Vec<_> = found.iter().map(|f| f.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(places, ["1:10", "1:35", "1:55"], "{found:?}");
    for (site, source, expected) in [
        (ALLOW, "identity.emals.exists(e, identity.titel == e && e.valu == 1)", vec!["'emals'", "'titel'"]),
        (ALLOW, "identity.titel.exists(e)", vec!["'titel'", "takes 2 or 3 arguments"]),
        (ALLOW, "identity.state in ['Actve', 'Pendng']", vec!["\"Actve\"", "\"Pendng\""]),
        (Site::GroupMatch, "identity.titel in identity.groups", vec!["'titel'", "is not available in Group.match"]),
    ] {
        let found = findings(source, site);
        assert_eq!(found.len(), expected.len(), "{source}: {found:?}");
        assert!(expected.iter().all(|words| found.iter().any(|f| f.contains(words))), "{source}: {found:?}");
    }
}

#[test]
fn a_rule_knows_its_groups_terms_and_what_it_reads() {
    let rule = rule(
        "identity.department == 'A' && identity.type in ['Person', 'Agent'] && 'sre' in identity.groups && \
         !('contractors' in identity.groups) && identity.attributes.clearance == 'secret' && \
         identity.title.startsWith('Head') && identity.manager.title == 'x' && identity.state == 'Active' && \
         (identity.location == 'B' || identity.primaryEmail() == 'c')",
        ALLOW,
    );
    assert_eq!(rule.groups(), [GroupId(0), GroupId(2)]);
    let text = |t: &str| Arc::<str>::from(t);
    assert_eq!(
        rule.terms(),
        [
            Term::Equals(Key::Text(Field::Department), text("A")),
            Term::OneOf(Key::Type, Box::new([text("Person"), text("Agent")])),
            Term::InGroup(GroupId(0)),
            Term::Equals(Key::Attribute(text("clearance")), text("secret")),
            Term::StartsWith(Key::Text(Field::Title), text("Head")),
            Term::Equals(Key::State, text("Active")),
        ]
    );
    let reads = rule.reads();
    assert_eq!(reads.fields, ["department", "emails", "location", "title", "type"]);
    assert_eq!(reads.attributes, [text("clearance")]);
    assert!(reads.manager && reads.state && !reads.every_attribute && !reads.every_group && !reads.application);
}

fn check_on(source: &str, site: Site, facts: &Facts<'_>) -> Result<bool, Reason> {
    matches(&rule(source, site), facts, &mut Cost::default()).map_err(|unknown| unknown.reason)
}

#[test]
fn unknown_facts_freeze_and_do_not_decide() {
    let ada = sample::ada().pack();
    let facts = Facts {
        identity: &ada,
        manager: Manager::Unknown,
        state: State::Active,
        application: None,
        groups: Memberships { sure: &[GroupId(0)], unknown: &[GroupId(3)], name: &group_name },
    };
    for (source, expected) in [
        ("'missing' in identity.groups", Err(Reason::ReferenceNotFound)),
        ("!('missing' in identity.groups)", Err(Reason::ReferenceNotFound)),
        ("'missing' in identity.groups || 'sre' in identity.groups", Ok(true)),
        ("'missing' in identity.groups && 'platform' in identity.groups", Ok(false)),
        ("'missing' in identity.groups && 'sre' in identity.groups", Err(Reason::ReferenceNotFound)),
        ("identity.manager.department == 'Research'", Err(Reason::ReferenceNotFound)),
        ("has(identity.manager)", Err(Reason::ReferenceNotFound)),
        ("identity.manager.department == 'Research' || identity.type == 'Person'", Ok(true)),
        ("identity.emails[7].value == 'x'", Err(Reason::EvaluationFailed)),
        ("identity.emails[7].value == 'x' || true", Ok(true)),
    ] {
        assert_eq!(check_on(source, ALLOW, &facts), expected, "{source}");
    }
    let nobody = Facts { manager: Manager::Absent, ..facts };
    assert_eq!(check_on("identity.manager.department == 'Research'", ALLOW, &nobody), Ok(false));
    assert_eq!(check_on("has(identity.manager)", ALLOW, &nobody), Ok(false));
}

#[test]
fn expressions_give_the_values_of_attributes() {
    let text = |t: &str| Value::from(t);
    let map = |entries: &[(&str, Value)]| Value::Map(entries.iter().map(|(k, v)| (Arc::from(*k), v.clone())).collect());
    for (source, expected) in [
        ("identity.title", text("Analyst")),
        ("identity.division", text("")),
        ("identity.attributes.nothing", Value::Null),
        ("identity.?division", Value::Null),
        ("identity.attributes.shifts", Value::List(vec![text("early"), text("late")])),
        (
            "identity.emails",
            Value::List(vec![
                map(&[("value", text("ada@home.test")), ("type", text("home"))]),
                map(&[("value", text("ada@acme.test")), ("type", text("work")), ("primary", Value::Bool(true))]),
            ]),
        ),
        ("identity.name", map(&[("given", text("Ada")), ("family", text("Lovelace"))])),
        ("{'en': [1, true, null]}", map(&[("en", Value::List(vec![Value::Int(1), Value::Bool(true), Value::Null]))])),
        ("slug(identity.displayName) + '@' + application.name + '.test'", text("ada-lovelace@wiki.test")),
        ("has(identity.division) ? identity.division : null", Value::Null),
        ("string(identity.lifecycle.startTime)", text("2026-12-01T08:00:00Z")),
    ] {
        let rule = rule(source, Site::Attribute);
        with_facts(|facts| assert_eq!(evaluate(&rule, facts, &mut Cost::default()), Ok(expected.clone()), "{source}"));
    }
    let groups = rule("identity.groups", Site::Attribute);
    with_facts(|facts| {
        let unknown = evaluate(&groups, facts, &mut Cost::default()).unwrap_err();
        assert_eq!(unknown.reason, Reason::ReferenceNotFound);
        let known = Facts { groups: Memberships { unknown: &[], ..facts.groups }, ..*facts };
        let names = Value::List(GROUPS.iter().take(2).map(|name| text(name)).collect());
        assert_eq!(evaluate(&groups, &known, &mut Cost::default()), Ok(names));
    });
}

#[test]
fn a_trace_marks_what_was_true_false_unknown_and_not_reached() {
    let source = "identity.title == 'X' && identity.type == 'Person' || 'missing' in identity.groups || !('sre' in identity.groups)";
    let rule = rule(source, Site::PolicyMatch(Effect::Deny));
    with_facts(|facts| {
        let trace = trace(&rule, facts);
        assert_eq!(trace.truth, Truth::Unknown);
        let marked: Vec<_> = trace
            .parts
            .iter()
            .map(|part| {
                let mark = match &part.outcome {
                    Outcome::True => "true",
                    Outcome::False => "false",
                    Outcome::Unknown(_) => "unknown",
                    Outcome::NotReached => "-",
                };
                (part.depth, part.leaf, mark, source.get(part.span.clone()).unwrap())
            })
            .collect();
        assert_eq!(
            marked,
            [
                (0, false, "unknown", source),
                (1, false, "false", "identity.title == 'X' && identity.type == 'Person'"),
                (2, true, "false", "identity.title == 'X'"),
                (2, true, "-", "identity.type == 'Person'"),
                (1, true, "unknown", "'missing' in identity.groups"),
                (1, false, "false", "!('sre' in identity.groups)"),
                (2, true, "true", "'sre' in identity.groups"),
            ]
        );
    });
}

#[test]
fn rules_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Rule>();
}

#[test]
fn an_empty_identity_reads_as_zero_values_and_never_fails() {
    let nobody = sample::identity("x", &[]).pack();
    let facts = Facts {
        identity: &nobody,
        manager: Manager::Absent,
        state: State::Pending,
        application: Some("wiki"),
        groups: Memberships { sure: &[], unknown: &[], name: &group_name },
    };
    for (field, zero) in [
        ("title", "\"\""),
        ("externalId", "\"\""),
        ("name.given", "\"\""),
        ("emails", "[]"),
        ("phoneNumbers", "[]"),
        ("addresses", "[]"),
        ("managerRef.name", "\"\""),
        ("lifecycle.suspended", "false"),
        ("manager.title", "\"\""),
        ("manager.emails", "[]"),
        ("manager.name.given", "\"\""),
        ("groups", "[]"),
        ("lifecycle.endTime", "timestamp(0)"),
        ("manager.attributes.x", "null"),
        ("attributes.x", "null"),
        ("manager.lifecycle.suspended", "false"),
        ("manager.primaryEmail()", "\"\""),
    ] {
        let comparable = !matches!(field, "emails" | "phoneNumbers" | "addresses" | "manager.emails");
        let source =
            if comparable { format!("identity.{field} == {zero}") } else { format!("identity.{field}.size() == 0") };
        let rule = rule(&source, Site::Attribute);
        assert_eq!(evaluate(&rule, &facts, &mut Cost::default()), Ok(Value::Bool(true)), "{source}");
    }
}
