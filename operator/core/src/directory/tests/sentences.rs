//! What the text says, one sentence a test.

use std::time::Duration;

use super::build::*;
use super::source;
use crate::directory::{AttributeValue, Directory, PolicyState, Truth, Unreadable, Wanted, Withheld};
use crate::model::{
    Apply, Change, Effect, GrantSpec, GrantWhat, Lifecycle, Mapping, MappingSource, Name, ObjectKind, ObjectRef,
    PolicyMode, Reason, State, Value, Withholds,
};

const ENGINEERS: &str = "identity.department == \"Engineering\"";

fn wanted(directory: &Directory, who: &str, entitlement: &str) -> Wanted {
    directory.decision(&who.into(), &"wiki".into()).entitlements.remove(entitlement).unwrap_or_default()
}

fn names(of: &[Name]) -> Vec<&str> {
    of.iter().map(Name::as_str).collect()
}

fn reasons(directory: &Directory, kind: ObjectKind, name: &str) -> Vec<Reason> {
    let problems = directory.problems_of(&ObjectRef { kind, name: name.into() });
    problems.into_iter().map(|problem| problem.reason).collect()
}

#[test]
fn grants_are_the_union_of_allows_minus_denies_minus_what_requires_refuses() {
    let base = || {
        vec![
            target("wiki", &[("editor", None), ("admin", Some("identity.type == \"Service\""))]),
            person("ada", "Engineering"),
            allow("a", &[], Some(ENGINEERS), "wiki", &["editor", "admin"]),
            allow("b", &[who("ada")], None, "wiki", &[]),
        ]
    };
    let open = namespace(base());
    let decision = open.decision(&"ada".into(), &"wiki".into());
    assert_eq!(names(&decision.account.allow), ["a", "b"]);
    assert!(wanted(&open, "ada", "editor").is_sure());
    assert_eq!(wanted(&open, "ada", "admin").withheld, Withheld::Yes(vec![]), "requires is false");

    for (what, account, editor) in [(&[][..], false, false), (&["*"], true, false), (&["editor"], true, false)] {
        let mut changes = base();
        changes.push(deny("d", &[who("ada")], None, "wiki", what));
        let directory = namespace(changes);
        let decision = directory.decision(&"ada".into(), &"wiki".into());
        assert_eq!(decision.account.is_sure(), account, "Deny of {what:?}");
        assert_eq!(wanted(&directory, "ada", "editor").is_sure(), editor, "Deny of {what:?}");
        assert_eq!(wanted(&directory, "ada", "editor").withheld, Withheld::Yes(vec!["d".into()]), "Deny of {what:?}");
    }
}

#[test]
fn a_reference_that_is_missing_freezes_its_own_policy_and_no_other() {
    let directory = namespace(vec![
        target("wiki", &[("editor", None)]),
        person("ada", "Engineering"),
        allow("by-nowhere", &[in_group("nowhere")], None, "wiki", &["editor"]),
        allow("by-constant", &[], Some("\"nowhere\" in identity.groups"), "wiki", &["editor"]),
        allow("half", &[], Some(ENGINEERS), "wiki", &["editor", "nothing"]),
        allow("elsewhere", &[], Some(ENGINEERS), "nowhere", &["editor"]),
        allow("nobody", &[who("nobody")], None, "wiki", &["editor"]),
    ]);
    let editor = wanted(&directory, "ada", "editor");
    assert_eq!((names(&editor.allow), names(&editor.unknown)), (vec!["half"], vec!["by-constant", "by-nowhere"]));
    assert!(editor.is_sure());
    assert_eq!(names(&wanted(&directory, "ada", "nothing").unknown), ["half"]);
    assert_eq!(names(&directory.decision(&"ada".into(), &"nowhere".into()).account.unknown), ["elsewhere"]);
    for policy in ["by-nowhere", "by-constant", "half", "elsewhere"] {
        assert_eq!(reasons(&directory, ObjectKind::AccessPolicy, policy), [Reason::ReferenceNotFound], "{policy}");
    }
    assert_eq!(reasons(&directory, ObjectKind::AccessPolicy, "nobody"), []);
}

#[test]
fn a_group_that_is_missing_is_told_also_where_its_rule_is_wrong_otherwise() {
    let rule = "identity.titel == 'x' && 'nowhere' in identity.groups && 'there' in identity.groups";
    let here = group("there", &[], None, &[]);
    let of = |here: Vec<Change>| reasons(&namespace(here), ObjectKind::AccessPolicy, "p");
    let policy = allow("p", &[], Some(rule), "wiki", &[]);
    let all = vec![target("wiki", &[]), here, policy];
    assert_eq!(of(all.clone()), [Reason::InvalidExpression, Reason::ReferenceNotFound]);
    let found = group("nowhere", &[], None, &[]);
    assert_eq!(of([all.clone(), vec![found.clone()]].concat()), [Reason::InvalidExpression]);
    // Who looks at the policy hears of it when the group comes.
    let mut directory = namespace(all);
    assert!(directory.apply(vec![found], noon()).policies.contains(&Name::from("p")));
}

#[test]
fn a_rule_that_is_true_of_nobody_is_known_where_that_can_be_told() {
    let idle = |people: &[Change], rule: &str| {
        let rules = [group("g", &[who("ada")], Some(rule), &[]), allow("p", &[], Some(rule), "wiki", &[])];
        let directory = namespace([people, &rules, &[target("wiki", &[])]].concat());
        let of = |kind, name: &str| directory.idle_rule(&ObjectRef { kind, name: name.into() }).map(|(_, count)| count);
        let found = [of(ObjectKind::Group, "g"), of(ObjectKind::AccessPolicy, "p")];
        assert_eq!(found[0], found[1], "{rule}");
        found[0]
    };
    let ada = person("ada", "Engineering");
    let over = Lifecycle { end: Some(noon()), ..Lifecycle::default() };
    let ended = person_with("bob", "Sales", |identity| identity.lifecycle = over);
    let sales = "identity.department == 'Sales'";
    assert_eq!(idle(&[ada.clone(), person("cyn", "R&D")], sales), Some(2));
    assert_eq!(idle(&[ada.clone(), ended.clone()], sales), Some(1), "who has ended is asked nothing");
    assert_eq!(idle(&[ended], sales), None, "nobody is there");
    assert_eq!(idle(std::slice::from_ref(&ada), ENGINEERS), None);
    assert_eq!(idle(&[ada.clone(), broken_person("bob")], sales), None, "it may be true of bob");
    assert_eq!(idle(&[ada], "identity.departmnt == 'Sales'"), None);
}

#[test]
fn a_rule_that_is_for_who_should_not_be_there_is_not_told_as_true_of_nobody() {
    let idle = |policy: Change| {
        let directory = namespace(vec![person("ada", "Engineering"), policy, target("wiki", &[])]);
        directory.idle_rule(&ObjectRef { kind: ObjectKind::AccessPolicy, name: "p".into() }).map(|(_, count)| count)
    };
    let sales = "identity.department == 'Sales'";
    assert_eq!(idle(allow("p", &[], Some(sales), "wiki", &[])), Some(1));
    assert_eq!(idle(deny("p", &[], Some(sales), "wiki", &[])), None);
    let since =
        "identity.lifecycle.?endTime.orValue(timestamp('2020-01-01T00:00:00Z')) > timestamp('2030-01-01T00:00:00Z')";
    for rule in ["identity.state == 'Suspended'", "identity.type != 'Person' && identity.state == 'Pending'", since] {
        let policy = allow("p", &[], Some(rule), "wiki", &[]);
        assert_eq!(reasons(&namespace(vec![target("wiki", &[]), policy.clone()]), ObjectKind::AccessPolicy, "p"), []);
        assert_eq!(idle(policy), None, "{rule}");
    }
}

#[test]
fn what_is_invalid_freezes_and_what_reads_it_is_unknown() {
    let directory = namespace(vec![
        target("wiki", &[("editor", None)]),
        broken_person("boss"),
        person_with("ada", "Engineering", |ada| ada.manager = Some("boss".into())),
        broken_group("platform"),
        allow("by-group", &[in_group("platform")], None, "wiki", &["editor"]),
        allow("by-boss", &[], Some("identity.manager.department == \"Engineering\""), "wiki", &["editor"]),
        allow("uncompiled", &[], Some("identity.departmnt == \"Engineering\""), "wiki", &["editor"]),
        broken_policy("unreadable"),
    ]);
    let editor = wanted(&directory, "ada", "editor");
    assert_eq!((names(&editor.allow), names(&editor.unknown)), (vec![], vec!["by-boss", "by-group", "uncompiled"]));
    assert_eq!(directory.decision(&"boss".into(), &"wiki".into()).owner.unwrap().frozen, Some(Reason::InvalidSpec));
    assert_eq!(directory.membership(&"platform".into(), &"ada".into()), Truth::Unknown);
    for (policy, state) in
        [("unreadable", PolicyState::Invalid), ("by-group", PolicyState::Valid), ("deleted", PolicyState::Absent)]
    {
        assert_eq!(directory.policy_state(&policy.into()), state, "{policy}");
    }
    assert_eq!(reasons(&directory, ObjectKind::AccessPolicy, "uncompiled"), [Reason::InvalidExpression]);
    let named = ObjectRef { kind: ObjectKind::AccessPolicy, name: "uncompiled".into() };
    let problem = directory.problems_of(&named).remove(0);
    assert_eq!(problem.path.as_deref(), Some("spec.match"));
    assert!(problem.message.contains("did you mean 'department'?"), "{}", problem.message);
}

#[test]
fn an_unknown_deny_withholds_for_as_long_as_it_is_unknown() {
    let directory = namespace(vec![
        target("wiki", &[("editor", None)]),
        person("ada", "Engineering"),
        allow("a", &[], Some(ENGINEERS), "wiki", &["editor"]),
        deny("d", &[in_group("nowhere")], None, "wiki", &["editor"]),
    ]);
    let editor = wanted(&directory, "ada", "editor");
    assert_eq!(editor.withheld, Withheld::Unknown);
    assert!(!editor.is_sure() && !editor.is_refused());
}

#[test]
fn a_deny_is_not_lifted_by_an_edit_that_cannot_be_read() {
    let mut broken = invalid();
    let editor = GrantSpec { application: "wiki".into(), what: GrantWhat::Named(vec!["editor".into()]) };
    broken.withholds = Withholds::These(vec![editor]);
    let directory = namespace(vec![
        target("wiki", &[("editor", None), ("reader", None)]),
        person("ada", "Engineering"),
        allow("a", &[], Some(ENGINEERS), "wiki", &["editor", "reader"]),
        broken_policy_with("d", broken),
    ]);
    assert_eq!(wanted(&directory, "ada", "editor").withheld, Withheld::Unknown);
    assert!(wanted(&directory, "ada", "reader").is_sure());
}

#[test]
fn a_deny_of_which_nothing_can_be_read_withholds_what_is_new_everywhere() {
    let mut broken = invalid();
    broken.withholds = Withholds::Anything;
    let mut directory = namespace(vec![
        target("wiki", &[("editor", None)]),
        person("ada", "Engineering"),
        allow("a", &[], Some(ENGINEERS), "wiki", &["editor"]),
        broken_policy_with("d", broken),
    ]);
    let decision = directory.decision(&"ada".into(), &"wiki".into());
    assert_eq!(decision.account.withheld, Withheld::Unknown);
    assert_eq!(wanted(&directory, "ada", "editor").withheld, Withheld::Unknown);
    let gone = ObjectRef { kind: ObjectKind::AccessPolicy, name: "d".into() };
    let touched = directory.apply(vec![Change::Gone(gone)], directory.now());
    assert!(touched.names(&"ada".into(), &"wiki".into()));
    assert!(wanted(&directory, "ada", "editor").is_sure());
}

#[test]
fn groups_nest_exclude_and_leave_out_whoever_has_ended() {
    let ended = Lifecycle { end: Some(noon()), ..Lifecycle::default() };
    let directory = namespace(vec![
        person("ada", "Engineering"),
        person("bob", "Engineering"),
        person("cyn", "Sales"),
        person_with("dan", "Engineering", |dan| dan.lifecycle = ended),
        person("eve", "Engineering"),
        group("engineers", &[], Some(ENGINEERS), &[]),
        group("on-leave", &[who("bob")], None, &[]),
        group("platform", &[in_group("engineers"), who("cyn")], None, &[in_group("on-leave"), who("eve")]),
    ]);
    let mut members: Vec<&str> = directory.members(&"platform".into()).map(Name::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["ada", "cyn"]);
    assert_eq!(directory.group(&"engineers".into()).unwrap().members, 3);
}

#[test]
fn an_exclude_through_its_own_cycle_is_unknown_and_a_cycle_of_members_is_not() {
    let directory = namespace(vec![
        person("ada", "Engineering"),
        person("bob", "Sales"),
        group("one", &[in_group("two"), who("ada")], None, &[]),
        group("two", &[in_group("one")], None, &[]),
        group("left", &[], Some(ENGINEERS), &[in_group("right")]),
        group("right", &[], Some(ENGINEERS), &[in_group("left")]),
    ]);
    for (group, ada, bob) in [
        ("one", Truth::Yes, Truth::No),
        ("two", Truth::Yes, Truth::No),
        ("left", Truth::Unknown, Truth::No),
        ("right", Truth::Unknown, Truth::No),
    ] {
        assert_eq!(directory.membership(&group.into(), &"ada".into()), ada, "ada in {group}");
        assert_eq!(directory.membership(&group.into(), &"bob".into()), bob, "bob in {group}");
        assert_eq!(reasons(&directory, ObjectKind::Group, group), [Reason::MembershipCycle], "{group}");
    }
}

#[test]
fn the_older_of_two_with_one_name_stands_until_it_ends() {
    let twin = |name: &str, end: Option<jiff::Timestamp>| {
        person_with(name, "Engineering", |twin| {
            twin.user_name = crate::model::UserName::new("Twin", "twin");
            twin.external_id = Some("E-1".into());
            twin.lifecycle.end = end;
        })
    };
    let tomorrow = time("2026-12-02T12:00:00Z");
    let mut directory = namespace(vec![twin("ada", Some(tomorrow)), twin("bob", None)]);
    let frozen = |directory: &Directory, name: &str| directory.identity(&name.into()).unwrap().frozen;
    assert_eq!((frozen(&directory, "ada"), frozen(&directory, "bob")), (None, Some(Reason::DuplicateUserName)));
    assert_eq!(directory.by_external_id("E-1").unwrap().name.as_str(), "ada");
    assert_eq!(reasons(&directory, ObjectKind::Identity, "bob"), [Reason::DuplicateUserName]);
    assert_eq!(directory.next_transition(), Some(tomorrow));
    let touched = directory.advance(tomorrow);
    assert!(touched.names(&"bob".into(), &"wiki".into()));
    assert_eq!((frozen(&directory, "ada"), frozen(&directory, "bob")), (None, None));
    assert_eq!(directory.by_user_name("twin").unwrap().name.as_str(), "bob");
    assert_eq!(directory.identity(&"ada".into()).unwrap().state, State::Ended);
}

#[test]
fn of_two_with_one_key_it_is_said_by_what_the_first_stands() {
    let twin = |name: &str, uid: &str, created: &str| {
        let mut twin = person_with(name, "Engineering", |twin| twin.external_id = Some("E-1".into()));
        if let Change::Identity(manifest) = &mut twin {
            (manifest.meta.uid, manifest.meta.created) = (uid.into(), time(created));
        }
        twin
    };
    let [early, late] = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"];
    for (ada, bob, gives_way, words) in [
        (("1", late), ("2", early), "ada", "belongs to Identity bob, which is older; "),
        (
            ("2", early),
            ("1", early),
            "ada",
            "belongs to Identity bob, which was created at the same time and comes first by its uid; ",
        ),
        (
            ("ada", early),
            ("bob", early),
            "bob",
            "belongs to Identity ada, which was created at the same time and comes first by its name; ",
        ),
    ] {
        let directory = namespace(vec![twin("ada", ada.0, ada.1), twin("bob", bob.0, bob.1)]);
        let object = ObjectRef { kind: ObjectKind::Identity, name: gives_way.into() };
        let said: Vec<_> = directory.problems_of(&object).iter().map(ToString::to_string).collect();
        assert!(said.len() == 1 && said[0].contains(words), "{said:?}");
    }
}

#[test]
fn an_account_leads_by_the_time_of_a_policy_that_matches() {
    let start = time("2026-12-03T08:00:00Z");
    let mut directory = namespace(vec![
        target("wiki", &[("editor", None)]),
        person_with("ada", "Engineering", |ada| ada.lifecycle.start = Some(start)),
        policy("a", Effect::Allow, &[], Some(ENGINEERS), "wiki", &["editor"], |policy| {
            policy.lead_time = Some(Duration::from_hours(24));
        }),
    ]);
    let standing = |directory: &Directory| directory.decision(&"ada".into(), &"wiki".into()).owner.unwrap();
    for (at, state, lead) in [
        ("2026-12-02T07:59:59Z", State::Pending, false),
        ("2026-12-02T08:00:00Z", State::Pending, true),
        ("2026-12-03T07:59:59Z", State::Pending, true),
        ("2026-12-03T08:00:00Z", State::Active, false),
    ] {
        directory.advance(time(at));
        let now = standing(&directory);
        assert_eq!((now.state, now.lead, now.explicit), (state, lead, false), "{at}");
    }
}

#[test]
fn audit_policies_are_counted_and_nothing_rests_on_them() {
    let directory = namespace(vec![
        target("wiki", &[("editor", None), ("reader", None)]),
        person("ada", "Engineering"),
        person("bob", "Engineering"),
        policy("a", Effect::Allow, &[], Some(ENGINEERS), "wiki", &["editor", "reader"], |policy| {
            policy.mode = PolicyMode::Audit;
        }),
    ]);
    let view = directory.policy(&"a".into()).unwrap();
    assert_eq!((view.identities, view.grants), (2, 4));
    assert_eq!(directory.decision(&"ada".into(), &"wiki".into()).account, Wanted::default());
    assert!(directory.owners(&"wiki".into()).is_empty());
}

#[test]
fn a_manifest_extends_and_replaces_the_default_mapping_and_never_maps_a_control_attribute() {
    let map = |attribute: &str, source: MappingSource| Mapping { attribute: attribute.into(), source };
    let directory = namespace(vec![
        target_with("wiki", &[], |wiki| {
            wiki.account.attributes = vec![
                map("title", MappingSource::Never),
                map("source", MappingSource::Literal(Value::from("provost"), Apply::OnCreate)),
                map("nick", MappingSource::Expression(source("nick", "identity.emails[0].value"), Apply::Always)),
                map("active", MappingSource::Literal(Value::Bool(true), Apply::Always)),
            ];
        }),
        person_with("ada", "Engineering", |ada| ada.manager = Some("boss".into())),
    ]);
    let attributes = directory.attributes(&"ada".into(), &"wiki".into()).unwrap();
    let value = |name: &str| attributes.get(name).map(|attribute| attribute.value.clone());
    assert_eq!(value("userName"), Some(AttributeValue::Value("ada".into())));
    assert_eq!(value("manager"), Some(AttributeValue::Account(Some("boss".into()))));
    assert_eq!(value("title"), None);
    assert_eq!(attributes["source"].apply, Apply::OnCreate);
    assert!(matches!(value("nick"), Some(AttributeValue::Unknown(_))), "{:?}", value("nick"));
    assert_eq!(value("active"), None);
    assert_eq!(reasons(&directory, ObjectKind::TargetApplication, "wiki"), [Reason::InvalidSpec]);
    let nobody = directory.attributes(&"bob".into(), &"wiki".into());
    assert_eq!(nobody, Err(Unreadable::NoIdentity("bob".into())));
}

#[test]
fn a_mapping_replaces_the_default_in_whatever_spelling_and_never_maps_a_control_attribute_in_any() {
    let map = |attribute: &str, source: MappingSource| Mapping { attribute: attribute.into(), source };
    let literal = |text: &str| MappingSource::Literal(Value::from(text), Apply::Always);
    let user_name = "urn:ietf:params:scim:schemas:core:2.0:User:USERNAME";
    let directory = namespace(vec![
        target_with("wiki", &[], |wiki| {
            wiki.account.attributes = vec![
                map("TITLE", MappingSource::Never),
                map(user_name, literal("x")),
                map("Active", literal("true")),
                map("nick", literal("first")),
                map("Nick", literal("second")),
            ];
        }),
        person("ada", "Engineering"),
    ]);
    let attributes = directory.attributes(&"ada".into(), &"wiki".into()).unwrap();
    let values: Vec<(&str, &AttributeValue)> =
        attributes.iter().map(|(name, attribute)| (name.as_str(), &attribute.value)).collect();
    let value = |text: &str| AttributeValue::Value(text.into());
    let expected = [("manager", &AttributeValue::Account(None)), ("nick", &value("first")), ("userName", &value("x"))];
    assert_eq!(values, expected);
    let invalid = Reason::InvalidSpec;
    assert_eq!(reasons(&directory, ObjectKind::TargetApplication, "wiki"), [invalid, invalid]);
}

#[test]
fn correlation_goes_by_external_id_and_user_name_and_skips_what_is_empty() {
    let directory = namespace(vec![
        target("wiki", &[]),
        person("ada", "Engineering"),
        person_with("bob", "Engineering", |bob| bob.external_id = Some("E-2".into())),
    ]);
    let keys = |who: &str| -> Vec<(String, String)> {
        let keys = directory.correlation_keys(&who.into(), &"wiki".into()).unwrap();
        keys.into_iter().map(|key| (key.attribute.to_string(), key.value.to_string())).collect()
    };
    let key = |attribute: &str, value: &str| (attribute.to_owned(), value.to_owned());
    assert_eq!(keys("ada"), [key("userName", "ada")]);
    assert_eq!(keys("bob"), [key("externalId", "E-2"), key("userName", "bob")]);
}

#[test]
fn a_failing_rule_names_the_first_few_whom_it_fails_for() {
    let people = ["ada", "bob", "cyn", "dan", "eve"].map(|name| person(name, "Engineering"));
    let mut changes: Vec<Change> = people.into();
    changes.push(target("wiki", &[]));
    changes.push(allow("a", &[], Some("identity.emails[0].value == \"x\""), "wiki", &[]));
    let directory = namespace(changes);
    let problem = directory.problems_of(&ObjectRef { kind: ObjectKind::AccessPolicy, name: "a".into() }).remove(0);
    assert_eq!(problem.reason, Reason::EvaluationFailed);
    assert!(problem.message.contains("ada: ") && problem.message.contains("cyn: "), "{}", problem.message);
    assert!(problem.message.contains(" and others;"), "{}", problem.message);
}

/// What is said of a group's own rule, where other objects name the group `contractors`.
fn warned(rule: &str, others: Vec<Change>) -> Vec<String> {
    let mut changes = vec![target("wiki", &[("editor", None)]), group("contractors", &[], Some(rule), &[])];
    changes.extend(others);
    let directory = namespace(changes);
    let object = ObjectRef { kind: ObjectKind::Group, name: "contractors".into() };
    let said = directory.warnings_of(&object).into_iter().map(|warning| warning.diagnostic.message);
    said.collect()
}

#[test]
fn a_group_is_warned_of_absence_where_those_that_name_it_would_grant_or_lift_a_deny() {
    let contractor = "identity.employeeType == \"Contractor\"";
    let not_intern = "identity.title != \"Intern\"";
    let named = "\"contractors\" in identity.groups";
    let outer = |name: &str| group(name, &[in_group("contractors")], None, &[]);
    let lifted = ["deleting identity.employeeType ends membership, and the Deny of AccessPolicy d is lifted by that"];
    let granted = ["deleting identity.title could make somebody a member, and AccessPolicy a grants by that"];
    let left = ["deleting identity.employeeType ends membership, and AccessPolicy a grants by that"];
    for (rule, others, expected) in [
        (contractor, vec![], &[][..]),
        (contractor, vec![allow("a", &[in_group("contractors")], None, "wiki", &[])], &[]),
        (contractor, vec![deny("d", &[in_group("contractors")], None, "wiki", &[])], &lifted),
        (contractor, vec![deny("d", &[], Some(named), "wiki", &[])], &lifted),
        (contractor, vec![deny("d", &[in_group("outer")], None, "wiki", &[]), outer("outer")], &lifted),
        (contractor, vec![allow("a", &[], Some(&format!("!({named})")), "wiki", &[])], &left),
        (not_intern, vec![deny("d", &[in_group("contractors")], None, "wiki", &[])], &[]),
        (not_intern, vec![allow("a", &[in_group("contractors")], None, "wiki", &[])], &granted),
        (
            contractor,
            vec![
                allow("a", &[in_group("staff")], None, "wiki", &[]),
                group("staff", &[], Some("identity.type == \"Person\""), &[in_group("contractors")]),
            ],
            &left,
        ),
    ] {
        assert_eq!(warned(rule, others.clone()), expected, "{rule} {others:?}");
    }
}
