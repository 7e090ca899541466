//! What may never be mapped may not be under any spelling that a target takes for it, and nothing is mapped twice.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn connector(kind: &str) -> Value {
    let secret = json!({"name": "a", "key": "b"});
    let base = json!({"baseDN": "ou=people,dc=acme,dc=test"});
    let settings = match kind {
        "ldap" => json!({
            "url": "ldaps://ldap.acme.test", "bind": {"simple": {"dn": "cn=provost", "passwordSecretRef": secret}},
            "accounts": {"baseDN": base["baseDN"], "disable": {"passwordLock": {}}, "markAttribute": "carLicense"},
        }),
        "activeDirectory" => json!({
            "url": "ldaps://dc1.acme.test", "bind": {"user": "provost@acme.test", "passwordSecretRef": secret}, "accounts": base,
        }),
        "scim" => json!({"url": "https://wiki.acme.test", "auth": {"bearer": {"secretRef": secret}}}),
        "keycloak" => json!({
            "url": "https://sso.acme.test", "realm": "acme", "auth": {"clientId": "provost", "clientSecretRef": secret},
        }),
        _ => json!({}),
    };
    json!({kind: settings})
}

/// What `provost lint` says of an application that maps these attributes.
fn lint(kind: &str, attributes: &[&str]) -> (u8, String) {
    let mapped: Vec<Value> = attributes.iter().map(|name| json!({"name": name, "value": "512"})).collect();
    lint_spec(&json!({"connector": connector(kind), "account": {"attributes": mapped}}))
}

fn manifest(spec: &Value) -> String {
    let metadata = json!({"name": "wiki", "namespace": "acme"});
    json!({"apiVersion": "provost.dev/v1alpha1", "kind": "TargetApplication", "metadata": metadata, "spec": spec})
        .to_string()
}

fn lint_spec(spec: &Value) -> (u8, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("wiki.yaml"), manifest(spec)).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = ["provost", "lint", "-f", folder.path().to_str().unwrap()].map(std::ffi::OsString::from);
    let status = provost::cli::run(all, false, &mut out, &mut err);
    let said = String::from_utf8(out).unwrap() + &String::from_utf8(err).unwrap();
    // Folded lines are one.
    (status, said.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn a_control_attribute_is_refused_in_each_spelling_of_each_connector() {
    let urn = |name: &str| format!("{USER}:{name}");
    let scim =
        ["active", "Active", " active", "active.x", "password", "PASSWORD.value", "groups[value eq \"a:b\"]", "Roles"];
    let long = [urn("active"), urn("password"), urn("Groups[type eq \"x\"].value"), urn("active").to_uppercase()];
    let scim: Vec<&str> = scim.into_iter().chain(long.iter().map(String::as_str)).collect();
    let cases: [(&str, &[&str]); 5] = [
        (
            "ldap",
            &["userPassword", "userpassword", "userPassword;binary", "pwdaccountlockedtime", "MEMBEROF", "objectclass"],
        ),
        (
            "activeDirectory",
            &["userAccountControl", "useraccountcontrol", "UNICODEPWD", "memberof", "member;range=0-*"],
        ),
        ("scim", &scim),
        ("keycloak", &["enabled", "credentials", "realmRoles"]),
        ("fake", &["enabled", "password"]),
    ];
    for (kind, names) in cases {
        for name in names {
            let (status, said) = lint(kind, &[name]);
            let refused = said.contains("is controlled by Provost itself and cannot be mapped");
            assert!(status == 1 && refused, "{kind} {name}: {said}");
        }
    }
}

#[test]
fn what_does_not_say_which_attribute_it_is_is_refused() {
    for (kind, name, words) in [
        // userPassword (RFC 4519, 2.41), userAccountControl (MS-ADA3, 2.342).
        ("ldap", "2.5.4.35", "is a number"),
        ("activeDirectory", "OID.1.2.840.113556.1.4.8", "is a number"),
        ("scim", USER, "names no attribute"),
    ] {
        let (status, said) = lint(kind, &[name]);
        assert!(status == 1 && said.contains(words), "{kind} {name}: {said}");
    }
}

#[test]
fn an_attribute_is_mapped_once_whatever_its_spellings() {
    let long = format!("{USER}:title");
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    let cases = [
        ("ldap", "mail", "MAIL"),
        ("activeDirectory", "Info", "info"),
        ("scim", "title", long.as_str()),
        ("scim", "Department", enterprise),
    ];
    for (kind, first, second) in cases {
        let (status, said) = lint(kind, &[first, second]);
        let expected = format!("{second} is {first}, which an entry before maps");
        assert!(status == 1 && said.contains(&expected), "{kind} {first} {second}: {said}");
    }
}

#[test]
fn a_name_that_is_surely_meant_for_another_is_refused_wherever_it_stands() {
    for (kind, name, meant) in [
        ("ldap", "userName", "uid"),
        ("activeDirectory", "username", "sAMAccountName"),
        ("keycloak", "userName", "username"),
        ("keycloak", "firstname", "firstName"),
        ("fake", "username", "userName"),
    ] {
        let expected = format!("{name} is no attribute of this target; write {meant}");
        let (status, said) = lint(kind, &[name]);
        assert!(status == 1 && said.contains(&expected), "{kind} {name}: {said}");
        let correlate = json!([{"attribute": name, "expression": "identity.userName"}]);
        let protected = json!([{"attribute": "title", "values": ["x"]}, {"attribute": name, "values": ["x"]}]);
        for more in [json!({"account": {"correlate": correlate}}), json!({"safety": {"protected": protected}})] {
            let mut spec = json!({"connector": connector(kind)});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let (status, said) = lint_spec(&spec);
            let column = manifest(&spec).find(&format!("\"{name}\"")).unwrap() + 1;
            let expected = format!("wiki.yaml:1:{column} error {expected} ");
            assert!(status == 1 && said.contains(&expected), "{kind} {name}: {said}");
        }
    }
    let protected = json!([{"attribute": "urn:ietf:params:scim:schemas:core:2.0:User:USERNAME", "values": ["root"]}]);
    assert_eq!(lint_spec(&json!({"connector": connector("scim"), "safety": {"protected": protected}})).0, 0);
}

#[test]
fn what_only_looks_alike_is_mapped() {
    let cases: [(&str, &[&str]); 5] = [
        ("ldap", &["cn;lang-fr", "cn", "memberNumber", "userPasswordHint"]),
        ("activeDirectory", &["extensionAttribute1", "memberNumber", "userPrincipalName"]),
        ("scim", &["name.givenName", "name.familyName", "activeSince", "urn:acme:params:1.0:User:active", "nickName"]),
        ("keycloak", &["Enabled", "groupsOfYore", "externalID"]),
        ("fake", &["Enabled", "title"]),
    ];
    for (kind, names) in cases {
        let (status, said) = lint(kind, names);
        assert_eq!(status, 0, "{kind} {names:?}: {said}");
    }
}
