//! What people write into an application by mistake, and what they are told.

use provost_crds as crds;
use serde_json::{Value, json};

use super::{application, errors, says};
use crate::model::{ConnectorKind, DeprovisionStep, MappingSource};

fn scim(url: &str) -> Value {
    json!({"connector": {"scim": {"url": url, "auth": {"bearer": {"secretRef": {"name": "a", "key": "b"}}}}}})
}

#[test]
fn a_url_is_plain_and_encrypted_and_never_repeated() {
    for good in
        ["https://wiki.acme.test", "https://wiki.acme.test:8443/scim/v2/", "https://[::1]:8443/scim", "https://w/@me"]
    {
        assert_eq!(errors("TargetApplication", &scim(good)), [""; 0], "{good}");
    }
    for bad in [
        "",
        "wiki.acme.test",
        "HTTPS://wiki.acme.test",
        "ftp://wiki",
        "https://",
        "https:///scim",
        "https://ada:hunter2@wiki",
        "https://wiki?a=b",
        "https://wiki/#a",
        "https://wiki/a b",
        "https://wiki\\@other",
        "https://:443",
        "https://wiki:99999",
        "https://[::1",
        "https://wiki/a\nb",
    ] {
        let said = errors("TargetApplication", &scim(bad));
        assert_eq!(said.len(), 1, "{bad}: {said:?}");
        assert!(said[0].starts_with("spec.connector.scim.url: is no URL that can be used; must be"), "{said:?}");
        assert!(!said[0].contains("hunter2"));
    }
    says(
        "TargetApplication",
        &[(
            scim("http://wiki"),
            &["spec.connector.scim.url: is not encrypted; must be https; http needs allowInsecure: true"],
        )],
    );
}

#[test]
fn exactly_one_connector_one_way_to_log_in_one_target() {
    let secret = json!({"name": "a", "key": "b"});
    let two = json!({"bearer": {"secretRef": secret}, "basic": {"username": "a", "passwordSecretRef": secret}});
    says(
        "TargetApplication",
        &[
            (
                json!({"connector": {}}),
                &[
                    "spec.connector: names none; must name exactly one connector (scim, ldap, activeDirectory, keycloak, fake)",
                ],
            ),
            (
                json!({"connector": {"fake": {}, "scim": {"url": "https://w", "auth": two}}}),
                &[
                    "spec.connector: names scim and fake; must name exactly one connector (scim, ldap, activeDirectory, keycloak, fake)",
                    "spec.connector.scim.auth: names bearer and basic; must name exactly one way to log in (bearer, basic, oauth2ClientCredentials)",
                ],
            ),
            (
                json!({"connector": {"fake": {}}, "entitlements": [{"name": "a", "target": {}}]}),
                &["spec.entitlements[0].target: names none; must name exactly one target (group, role, license)"],
            ),
        ],
    );
}

#[test]
fn the_unions_here_are_the_unions_of_the_schema() {
    assert_eq!(crds::CONNECTORS, ["scim", "ldap", "activeDirectory", "keycloak", "fake"]);
    assert_eq!(crds::TARGET_KINDS, ["group", "role", "license"]);
}

#[test]
fn one_group_at_the_target_has_one_writer() {
    let group = |name: &str, group: &str| json!({"name": name, "target": {"group": {"name": group}}});
    says(
        "TargetApplication",
        &[
            (
                json!({"connector": {"fake": {}}, "entitlements": [group("a", "x"), group("b", "x")]}),
                &[
                    r#"spec.entitlements[1].target: "x": is named by an entry before; must be named by one entitlement alone"#,
                ],
            ),
            (
                json!({"connector": {"fake": {}}, "entitlements": [group("a", "x")], "pushedGroups": [{"name": "x", "groupRef": {"name": "g"}}]}),
                &[
                    r#"spec.pushedGroups[0].name: "x": is a group that an entitlement names too; must be another group: one group has one writer"#,
                ],
            ),
            (
                json!({"connector": {"fake": {}}, "entitlements": [group("a", "x"), {"name": "b", "target": {"role": {"name": "x"}}}]}),
                &[],
            ),
            (
                json!({"connector": {"fake": {}}, "entitlements": [group("*", "x")]}),
                &[r#"spec.entitlements[0].name: "*": stands for every entitlement in a Deny; must be another name"#],
            ),
        ],
    );
}

#[test]
fn an_attribute_has_one_source_or_is_left_to_the_target() {
    let with = |mapping: Value| json!({"connector": {"fake": {}}, "account": {"attributes": [mapping]}});
    says(
        "TargetApplication",
        &[
            (
                with(json!({"name": "a"})),
                &["spec.account.attributes[0]: has neither; must have exactly one of value and expression"],
            ),
            (
                with(json!({"name": "a", "value": "", "expression": "x"})),
                &["spec.account.attributes[0]: has both; must have exactly one of value and expression"],
            ),
            (
                with(json!({"name": "a", "value": "", "apply": "Never"})),
                &["spec.account.attributes[0]: has a value and apply: Never; must have neither value nor expression"],
            ),
            (with(json!({"name": "a", "value": "", "apply": "OnCreate"})), &[]),
        ],
    );
}

#[test]
fn a_rule_is_known_by_the_name_of_its_entry() {
    let spec = json!({
        "connector": {"fake": {}},
        "account": {"attributes": [{"name": "title", "expression": "identity.title"}], "correlate": [{"attribute": "userName", "expression": "x"}]},
        "entitlements": [{"name": "editor", "target": {"role": {"name": "a"}}, "requires": "true"}]
    });
    let application = application(&spec);
    let mut paths = vec![application.account.correlate[0].expression.path.to_string()];
    if let MappingSource::Expression(source, _) = &application.account.attributes[0].source {
        paths.push(source.path.to_string());
    }
    paths.extend(application.entitlements[0].requires.as_ref().map(|rule| rule.path.to_string()));
    assert_eq!(
        paths,
        [
            "spec.account.correlate[0].expression",
            "spec.account.attributes[name=title].expression",
            "spec.entitlements[name=editor].requires"
        ]
    );
}

#[test]
fn ended_identities_go_the_way_of_the_others_but_are_never_retained() {
    let hour = std::time::Duration::from_hours(1);
    let disable = |delete_after| DeprovisionStep::Disable { delete_after };
    for (deprovision, lost, ended) in [
        (json!({}), disable(None), disable(None)),
        (json!({"deleteAfter": "1h"}), disable(Some(hour)), disable(Some(hour))),
        (json!({"deleteAfter": "1h", "ended": {}}), disable(Some(hour)), disable(None)),
        (json!({"action": "Delete"}), DeprovisionStep::Delete, DeprovisionStep::Delete),
        (json!({"action": "Retain"}), DeprovisionStep::Retain, disable(None)),
        (json!({"action": "Retain", "ended": {"action": "Delete"}}), DeprovisionStep::Retain, DeprovisionStep::Delete),
    ] {
        let found = application(&json!({"connector": {"fake": {}}, "deprovision": deprovision})).deprovision;
        assert_eq!((found.lost, found.ended), (lost, ended), "{deprovision}");
    }
    says(
        "TargetApplication",
        &[(
            json!({"connector": {"fake": {}}, "deprovision": {"action": "Delete", "deleteAfter": "1h"}}),
            &[
                r#"spec.deprovision.deleteAfter: "1h": says nothing with this action; must be left out, or action must be Disable"#,
            ],
        )],
    );
}

#[test]
fn spans_that_must_not_be_zero_are_not() {
    says(
        "TargetApplication",
        &[
            (
                json!({"connector": {"fake": {}}, "sync": {"interval": "0s"}}),
                &[r#"spec.sync.interval: "0s": is nothing; must be more than zero"#],
            ),
            (
                json!({"connector": {"fake": {}}, "safety": {"removals": [{"count": 1, "percent": 1, "window": "0h"}]}}),
                &[r#"spec.safety.removals[0].window: "0h": is nothing; must be more than zero"#],
            ),
            (json!({"connector": {"fake": {}}, "deprovision": {"deleteAfter": "0s"}, "releaseAfter": "0s"}), &[]),
        ],
    );
}

#[test]
fn the_fingerprint_tells_targets_apart_and_not_spellings() {
    let fingerprint = |spec: &Value| application(spec).connector.fingerprint.to_string();
    let url = |url: &str| fingerprint(&scim(url));
    assert_eq!(url("https://Wiki.acme.test:443/scim/v2/"), "scim wiki.acme.test/scim/v2");
    assert_eq!(url("https://wiki.acme.test/scim/v2"), "scim wiki.acme.test/scim/v2");
    assert_ne!(url("https://wiki.acme.test/scim/v2"), url("https://wiki.acme.test:8443/scim/v2"));
    assert_ne!(url("https://wiki.acme.test/a"), url("https://wiki.acme.test/b"));
    assert_eq!(fingerprint(&json!({"connector": {"fake": {}}})), "fake acme/wiki");
    assert_eq!(fingerprint(&json!({"connector": {"fake": {"directory": "d"}}})), "fake d");
}

#[test]
fn the_connector_gets_its_settings_as_the_manifest_has_them() {
    let spec = scim("https://wiki.acme.test");
    let connector = application(&spec).connector;
    assert_eq!((connector.kind, connector.settings), (ConnectorKind::Scim, spec["connector"].clone()));
    let connector = application(&json!({"connector": {"fake": {}}})).connector;
    assert_eq!(
        (connector.kind, connector.settings),
        (ConnectorKind::Fake, json!({"fake": {"directory": "acme/wiki"}}))
    );
}

#[test]
fn the_rules_of_one_application_are_bounded_together() {
    let with = |count: usize, length: usize| {
        let mut spec = scim("https://wiki.acme.test");
        let rule = format!("identity.department == '{}'", "a".repeat(length - 25));
        assert_eq!(rule.len(), length);
        let entitlement = |n: usize| json!({"name": format!("e{n}"), "target": {"group": {"name": format!("g{n}")}}, "requires": rule});
        spec["entitlements"] = (0..count).map(entitlement).collect();
        errors("TargetApplication", &spec)
    };
    assert_eq!(with(256, 500), [""; 0]);
    assert_eq!(with(32, 4096), [""; 0]);
    let [error] = &with(33, 4096)[..] else { panic!("one error") };
    assert!(error.contains("has rules of 135168 bytes together") && error.contains("at most 131072"), "{error}");
}

fn realm(more: &Value) -> Value {
    let mut spec = super::samples::keycloak();
    let more = more.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(more);
    spec
}

#[test]
fn a_realm_is_told_apart_by_its_name_and_gets_what_the_catalogue_names() {
    let found = application(&realm(&json!({
        "entitlements": [
            {"name": "platform", "target": {"group": {"name": "/engineering/platform"}}},
            {"name": "auditor", "target": {"role": {"name": "auditor"}}},
            {"name": "users", "target": {"role": {"name": "realm-management/manage-users"}}},
        ],
        "pushedGroups": [{"groupRef": {"name": "sales"}, "name": "/Sales"}],
    })));
    assert_eq!(found.connector.kind, ConnectorKind::Keycloak);
    assert_eq!(&*found.connector.fingerprint, "keycloak sso.acme.test/auth acme");
    let catalogue = json!({
        "groups": ["engineering/platform", "Sales"], "roles": ["auditor", "realm-management/manage-users"],
    });
    assert_eq!(found.connector.settings["catalogue"], catalogue);
    assert_eq!(found.connector.settings["keycloak"], super::samples::keycloak()["connector"]["keycloak"]);
    let privileged: Vec<bool> = found.entitlements.iter().map(|entry| entry.privileged).collect();
    assert_eq!(privileged, [false, false, true]);
    assert!(found.account.attributes.is_empty());
}

#[test]
fn without_an_attribute_for_it_there_is_no_mark() {
    let mut spec = realm(&json!({}));
    spec["connector"]["keycloak"].as_object_mut().unwrap().remove("markAttribute");
    let found = application(&spec);
    let attributes: Vec<_> =
        found.account.attributes.iter().map(|m| (m.attribute.as_str(), m.source.clone())).collect();
    assert_eq!(attributes, [("externalId", MappingSource::Never)]);
}

#[test]
fn what_a_realm_cannot_have_is_refused() {
    let mark = |name: &str| {
        let mut spec = realm(&json!({}));
        spec["connector"]["keycloak"]["markAttribute"] = name.into();
        spec
    };
    let mapped = |name: &str| json!({"attributes": [{"name": name, "value": "x"}]});
    let mut unmarked = realm(&json!({"account": mapped("externalId")}));
    unmarked["connector"]["keycloak"].as_object_mut().unwrap().remove("markAttribute");
    says(
        "TargetApplication",
        &[
            (
                mark("email"),
                &[
                    r#"spec.connector.keycloak.markAttribute: "email": is one that every user has; must be an attribute of its own"#,
                ],
            ),
            (
                realm(&json!({"account": mapped("employeeId")})),
                &[
                    r#"spec.account.attributes: "employeeId": is the markAttribute; must be mapped by the name externalId"#,
                ],
            ),
            (
                unmarked,
                &[
                    r#"spec.account.attributes: "externalId": has no attribute in the realm; must be named by connector.keycloak.markAttribute"#,
                ],
            ),
            (
                realm(&json!({"entitlements": [
                    {"name": "a", "target": {"group": {"name": "/sales"}}}, {"name": "b", "target": {"group": {"name": "sales"}}},
                ]})),
                &[r#"spec.entitlements: "sales": is named with and without a slash; must be named once"#],
            ),
            (
                realm(&json!({
                    "entitlements": [
                        {"name": "a", "target": {"group": {"name": "//sales"}}},
                        {"name": "b", "target": {"group": {"name": "sales/"}}},
                        {"name": "c", "target": {"role": {"name": "wiki/"}}},
                        {"name": "d", "target": {"role": {"name": "/editor"}}},
                        {"name": "e", "target": {"role": {"name": "https://wiki.acme.test//editor"}}},
                        {"name": "f", "target": {"group": {"name": "R~/D~~/a"}}},
                    ],
                    "pushedGroups": [{"groupRef": {"name": "sales"}, "name": "a//b"}],
                })),
                &[
                    r#"spec.entitlements[name=a].target: "/sales": has a name that is empty; must be as in staff/admins, from the top down; a slash in a name is written ~/"#,
                    r#"spec.entitlements[name=b].target: "sales/": has a name that is empty; must be as in staff/admins, from the top down; a slash in a name is written ~/"#,
                    r#"spec.entitlements[name=c].target: "wiki/": has a name that is empty; must be a role of the realm, or of a client as in wiki/editor"#,
                    r#"spec.entitlements[name=d].target: "/editor": has a name that is empty; must be a role of the realm, or of a client as in wiki/editor"#,
                    r#"spec.pushedGroups: "a//b": has a name that is empty; must be as in staff/admins, from the top down; a slash in a name is written ~/"#,
                ],
            ),
        ],
    );
}
