//! What people write by mistake, and what they are told.

use jiff::Timestamp;
use provost_crds as crds;
use serde_json::{Value, json};

use super::{errors, samples, says};
use crate::input::identity;
use crate::model::{Custom, Field, Identity, Invalid, Lifecycle};

fn person(spec: &Value) -> Result<Identity, Invalid> {
    identity(&crds::from_manifest(json!({"metadata": {"name": "ada.lovelace"}, "spec": spec})).unwrap())
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

#[test]
fn a_user_name_is_compared_case_mapped_and_falls_back_to_the_name_of_the_object() {
    let name = |spec: Value| {
        let name = person(&spec).unwrap().user_name;
        (name.written().to_owned(), name.folded().to_owned())
    };
    assert_eq!(name(json!({"userName": "Ada@Acme.Test"})), ("Ada@Acme.Test".into(), "ada@acme.test".into()));
    assert_eq!(name(json!({"userName": "ＡＤＡ"})), ("ＡＤＡ".into(), "ada".into()));
    assert_eq!(name(json!({})), ("ada.lovelace".into(), "ada.lovelace".into()));
}

#[test]
fn a_user_name_with_a_space_is_refused() {
    let remedy = "must have no spaces, control characters and symbols other than those of ASCII";
    let expected = format!(r#"spec.userName: "ada lovelace": is no user name by RFC 8265; {remedy}"#);
    says("Identity", &[(json!({"userName": "ada lovelace"}), &[&expected])]);
}

#[test]
fn what_is_absent_and_what_is_empty_stay_apart() {
    let identity =
        person(&json!({"title": "", "attributes": [{"name": "b", "values": []}, {"name": "a", "value": ""}]})).unwrap();
    assert_eq!(identity.texts.iter().map(|(field, text)| (*field, &**text)).collect::<Vec<_>>(), [(Field::Title, "")]);
    assert_eq!(identity.custom[0], ("a".into(), Custom::One("".into())));
    assert_eq!(identity.custom[1], ("b".into(), Custom::Many(Box::default())));
    assert_eq!(identity.custom.len(), 2);
    assert_eq!(person(&samples::identity()).unwrap().pack().text(Field::Timezone), Some("Europe/London"));
}

#[test]
fn times_are_read_as_the_schema_reads_them() {
    for good in [
        "2026-12-01T08:00:00Z",
        "2026-12-01T08:00:00.123456789Z",
        "2026-12-01T10:00:00+02:00",
        "1900-01-01T00:00:00Z",
        "8999-12-31T23:59:59Z",
    ] {
        assert_eq!(errors("Identity", &json!({"lifecycle": {"endTime": good}})), [""; 0], "{good}");
    }
    for bad in [
        "",
        "2026-12-01",
        "2026-12-01t08:00:00z",
        "2026-12-01T08:00:00",
        "2026-12-01T08:00Z",
        "2026-02-30T08:00:00Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T08:00:60Z",
        "2026-12-01T08:00:00.Z",
        "2026-12-01T08:00:00.1234567891Z",
        "9000-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z",
        "2026-12-01T08:00:00+0200",
        "tomorrow",
        "２０２６-12-01T08:00:00Z",
        "2026-12-01T08:00:00+02:00[Europe/Berlin]",
    ] {
        assert_eq!(errors("Identity", &json!({"lifecycle": {"endTime": bad}})).len(), 1, "{bad}");
    }
}

#[test]
fn never_as_hr_exports_write_it_is_answered_with_leaving_it_out() {
    let said =
        r#"spec.lifecycle.endTime: "9999-12-31T23:59:59Z": is too far away; must be left out where there is no limit"#;
    says("Identity", &[(json!({"lifecycle": {"endTime": "9999-12-31T23:59:59Z"}}), &[said])]);
}

#[test]
fn an_end_before_the_start_is_refused_with_offsets_honoured() {
    let said =
        r#"spec.lifecycle.endTime: "2026-12-01T08:00:00Z": is not after startTime; must be after 2026-12-01T08:00:00Z"#;
    says(
        "Identity",
        &[
            (
                json!({"lifecycle": {"startTime": "2026-12-01T09:00:00+01:00", "endTime": "2026-12-01T08:00:00Z"}}),
                &[said],
            ),
            (json!({"lifecycle": {"startTime": "2026-12-01T09:00:00+02:00", "endTime": "2026-12-01T08:00:00Z"}}), &[]),
        ],
    );
}

#[test]
fn the_lifecycle_of_an_invalid_identity_is_known() {
    let lifecycle = |spec: Value| person(&spec).unwrap_err().lifecycle;
    let ends = json!({"type": "Robot", "lifecycle": {"endTime": "2026-12-01T08:00:00Z", "suspended": true}});
    let end = Some(at("2026-12-01T08:00:00Z"));
    assert_eq!(lifecycle(ends), Some(Lifecycle { start: None, end, suspended: true }));
    assert_eq!(lifecycle(json!({"userName": ""})), Some(Lifecycle::default()));
}

#[test]
fn of_a_broken_lifecycle_the_rest_is_known() {
    let lifecycle = |lifecycle: Value| person(&json!({"lifecycle": lifecycle})).unwrap_err().lifecycle;
    let suspended = Some(Lifecycle { suspended: true, ..Lifecycle::default() });
    assert_eq!(lifecycle(json!({"endTime": "soon", "suspended": true})), suspended);
    let end = Some(at("2026-12-01T08:00:00Z"));
    assert_eq!(
        lifecycle(json!({"startTime": "soon", "endTime": "2026-12-01T08:00:00Z"})),
        Some(Lifecycle { end, ..Lifecycle::default() })
    );
    let backwards = json!({"startTime": "2027-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:00Z", "suspended": true});
    assert_eq!(lifecycle(backwards), suspended);
}

#[test]
fn every_error_is_told_at_once() {
    let spec = json!({"type": "person", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}], "attributes": [{"name": "1"}]});
    says(
        "Identity",
        &[(
            spec,
            &[
                r#"spec.type: "person": is not one of its values; must be one of Person, Service, Agent"#,
                "spec.emails: has 2 entries with primary: true; must have at most one",
                r#"spec.attributes[0].name: "1": is no name of an attribute; must be letters, digits and underscores, not beginning with a digit"#,
                "spec.attributes[0]: has neither; must have exactly one of value and values",
            ],
        )],
    );
}

#[test]
fn more_errors_than_anyone_reads_are_counted() {
    let attributes: Vec<Value> = (0..64).map(|at| json!({"name": format!("{at}")})).collect();
    let said = errors("Identity", &json!({"attributes": attributes}));
    assert_eq!(said.len(), 65);
    assert_eq!(said[64], "spec: has 64 more errors; correct the others first");
}

#[test]
fn keys_that_differ_in_case_are_different() {
    says(
        "Identity",
        &[
            (json!({"emails": [{"value": "a@b.c"}, {"value": "A@b.c"}]}), &[]),
            (
                json!({"emails": [{"value": "a@b.c"}, {"value": "a@b.c"}]}),
                &[r#"spec.emails[1]: "a@b.c": has the same value as an entry before; must be removed or changed"#],
            ),
        ],
    );
}

#[test]
fn the_name_of_an_object_is_checked_as_the_api_server_does() {
    let said = |name: Value| {
        let manifest = json!({"metadata": {"name": name}, "spec": {}});
        identity(&crds::from_manifest(manifest).unwrap()).is_ok()
    };
    for good in ["a", "ada", "ada.lovelace", "a-1.b", "0"] {
        assert!(said(json!(good)), "{good}");
    }
    for bad in ["", "Ada", "ada_l", "-a", "a-", "a..b", ".a", "a.-b", "ä"] {
        assert!(!said(json!(bad)), "{bad}");
    }
    assert!(!said(json!("a".repeat(254))) && !said(Value::Null));
}

#[test]
fn a_group_neither_lists_nor_excludes_itself() {
    says(
        "Group",
        &[
            (
                json!({"members": [{"kind": "Group", "name": "ada"}]}),
                &[r#"spec.members[0].name: "ada": is the group that lists itself; must be another group"#],
            ),
            (
                json!({"exclude": [{"kind": "Group", "name": "ada"}]}),
                &[r#"spec.exclude[0].name: "ada": is the group that excludes itself; must be another group"#],
            ),
            (
                json!({"members": [{"kind": "Identity", "name": "ada"}], "exclude": [{"kind": "Identity", "name": "ada"}]}),
                &[],
            ),
            (
                json!({"members": [{"kind": "Identity", "name": "a"}, {"kind": "Group", "name": "a"}, {"kind": "Group", "name": "a"}]}),
                &[
                    r#"spec.members[2]: "Group a": has the same kind and name as an entry before; must be removed or changed"#,
                ],
            ),
        ],
    );
}

#[test]
fn a_rule_is_bounded_in_bytes() {
    let rule = "ä".repeat(2049);
    let said = errors("Group", &json!({"match": rule}));
    assert_eq!(said.len(), 1);
    assert!(said[0].ends_with("has 4098 bytes; must have at most 4096"), "{said:?}");
}

#[test]
fn a_policy_is_about_somebody_and_something() {
    let wiki = json!([{"application": "wiki"}]);
    says(
        "AccessPolicy",
        &[
            (json!({"grants": wiki}), &["spec: is about nobody; must have subjects, match, or both"]),
            (json!({"grants": [], "match": "true"}), &["spec.grants: is empty; must have at least 1"]),
            (json!({"grants": wiki, "subjects": []}), &["spec.subjects: is empty; must have at least 1"]),
            (
                json!({"grants": [{"application": "wiki", "entitlements": []}], "match": "true"}),
                &["spec.grants[0].entitlements: is empty; must have at least 1"],
            ),
        ],
    );
}

#[test]
fn every_entitlement_is_for_a_deny_alone_and_lead_time_for_an_allow() {
    let all = json!([{"application": "wiki", "entitlements": ["*"]}]);
    says(
        "AccessPolicy",
        &[
            (
                json!({"grants": all, "match": "true"}),
                &[r#"spec.grants[0].entitlements[0]: "*": is for effect: Deny alone; must name entitlements"#],
            ),
            (json!({"grants": all, "match": "true", "effect": "Deny"}), &[]),
            (
                json!({"grants": all, "match": "true", "effect": "Deny", "leadTime": "1h"}),
                &[r#"spec.leadTime: "1h": says nothing in a Deny; must be left out, or effect must be Allow"#],
            ),
            (
                json!({"grants": all, "match": "true", "effect": "deny", "leadTime": "1h"}),
                &[r#"spec.effect: "deny": is not one of its values; must be one of Allow, Deny"#],
            ),
        ],
    );
}

#[test]
fn what_a_span_of_time_may_be_is_said_with_its_bounds() {
    for span in ["7d", "9999999h"] {
        let said = format!(
            "spec.leadTime: {span:?}: is no span of time; must be hours, minutes and seconds, largest first and at most \
             999999 of each, as in 168h, 10m or 1h30m (7 days is 168h)"
        );
        let spec = json!({"match": "true", "grants": [{"application": "wiki"}], "leadTime": span});
        says("AccessPolicy", &[(spec, &[&said])]);
    }
}
