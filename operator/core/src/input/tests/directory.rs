//! What people write into the settings of a directory by mistake, and what they are told.

use serde_json::{Value, json};

use super::samples::{another_directory, directory, domain};
use super::{application, errors, says};
use crate::model::MappingSource;

const TAKEN: &str = "is used for something else; must be an attribute of its own, not one of";
const CONTROL: &str =
    "holds passwords, members or rights, or what the directory itself writes; must be another attribute";

#[test]
fn the_attribute_that_disables_in_a_directory_is_mapped_by_nobody() {
    let with = |disables: &str, attributes: Value| {
        let mut ldap = directory();
        ldap["accounts"]["disable"] = json!({"attribute": {"name": disables, "value": "disabled"}});
        json!({"connector": {"ldap": ldap}, "account": {"attributes": attributes}})
    };
    let refused = |at: usize, name: &str| {
        format!(
            "spec.account.attributes[{at}].name: {name:?}: is the attribute that disables accounts; must be removed, or \
             connector.ldap.accounts.disable must name another attribute"
        )
    };
    let title = json!({"name": "title", "value": "x"});
    let both = |name: &str| json!([title, {"name": name, "value": "x", "apply": "OnCreate"}]);
    says(
        "TargetApplication",
        &[
            (with("loginShell", both("loginShell")), &[&refused(1, "loginShell")]),
            (with("loginShell", both("LOGINSHELL")), &[&refused(1, "LOGINSHELL")]),
            (with("loginShell", both("loginshell;x-a")), &[&refused(1, "loginshell;x-a")]),
            (with("loginShell", both("homeDirectory")), &[]),
            (with("loginShell", json!([{"name": "LoginShell", "apply": "Never"}])), &[]),
        ],
    );
    for name in ["UID", "CARLICENSE", "sn", "gidNumber"] {
        let said = errors("TargetApplication", &with(name, json!([])));
        let expected = format!("spec.connector.ldap.accounts.disable.attribute.name: {name:?}: {TAKEN}");
        assert!(said.iter().any(|said| said.starts_with(&expected) && said.contains(" carLicense, cn,")), "{said:?}");
    }
    for name in ["entryuuid", "objectclass", "userPassword", "member", "pwdAccountLockedTime", "modifyTimestamp"] {
        let said = errors("TargetApplication", &with(name, json!([])));
        let expected = format!("spec.connector.ldap.accounts.disable.attribute.name: {name:?}: {CONTROL}");
        assert!(said.len() == 1 && said[0].starts_with(&expected), "{said:?}");
    }
    for number in ["2.16.840.1.113730.3.1.4", "OID.2.16.840.1.113730.3.1.4"] {
        let said = errors("TargetApplication", &with(number, json!([])));
        assert!(said.len() == 1 && said[0].contains("is the number of an attribute"), "{said:?}");
    }

    // What the default mapping has of it is left out.
    let left = application(&with("EmployeeType", json!([title])));
    let left = left.account.attributes.iter().filter(|mapping| mapping.source == MappingSource::Never);
    assert_eq!(left.map(|mapping| mapping.attribute.as_str()).collect::<Vec<_>>(), ["EmployeeType", "carLicense"]);
}

#[test]
fn the_attribute_of_our_mark_is_mapped_as_external_id_alone() {
    let ldap = |mark: Option<&str>, attributes: Value| {
        let mut ldap = directory();
        ldap["accounts"]["markAttribute"] = json!(mark);
        json!({"connector": {"ldap": ldap}, "account": {"attributes": attributes}})
    };
    let of_domain =
        |attributes: Value| json!({"connector": {"activeDirectory": domain()}, "account": {"attributes": attributes}});
    let refused = |name: &str, kind: &str| {
        format!(
            "spec.account.attributes[0].name: {name:?}: is the markAttribute; must be mapped by the name externalId, or \
             connector.{kind}.accounts.markAttribute must name another one"
        )
    };
    let mapped = |name: &str| json!([{"name": name, "value": "x"}]);
    let unmarked = r#"spec.account.attributes[0].name: "externalId": is our mark, which has no attribute here; must be named by connector.ldap.accounts.markAttribute"#;
    says(
        "TargetApplication",
        &[
            (ldap(Some("carLicense"), mapped("carLicense")), &[&refused("carLicense", "ldap")]),
            (ldap(Some("carLicense"), mapped("CARLICENSE;x-a")), &[&refused("CARLICENSE;x-a", "ldap")]),
            (ldap(Some("carLicense"), json!([{"name": "carLicense", "apply": "Never"}])), &[]),
            (ldap(Some("carLicense"), mapped("externalId")), &[]),
            (ldap(Some("externalId"), mapped("externalId")), &[]),
            (ldap(None, mapped("externalId")), &[unmarked]),
            (of_domain(mapped("ExtensionAttribute1")), &[&refused("ExtensionAttribute1", "activeDirectory")]),
            (of_domain(mapped("externalId")), &[]),
        ],
    );
    // What the default mapping has of it is left out, and the mark itself is not.
    for (mark, left_out) in [("employeeNumber", "employeeNumber"), ("externalId", "")] {
        let found = application(&ldap(Some(mark), json!([])));
        let never = found.account.attributes.iter().filter(|mapping| mapping.source == MappingSource::Never);
        let never: Vec<&str> = never.map(|mapping| mapping.attribute.as_str()).collect();
        assert_eq!(never, ["employeeType", left_out].into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>());
    }
}

#[test]
fn what_an_entry_needs_itself_is_no_place_for_our_mark() {
    let at = |pointer: &str, name: &str| {
        let mut connector = json!({"ldap": directory(), "activeDirectory": domain()});
        *connector.pointer_mut(pointer).unwrap() = json!(name);
        let kind = pointer.split('/').nth(1).unwrap();
        errors("TargetApplication", &json!({"connector": {kind: connector[kind]}}))
    };
    let (domain, ldap) = (["sAMAccountName", "CN", "accountExpires"], ["unicodePwd", "name", "groupType"]);
    for (pointer, taken, control) in [
        ("/ldap/accounts/markAttribute", ["UID", "sn", "uidNumber"], ["entryUUID", "userPassword", "entryDN"]),
        ("/ldap/accounts/rdnAttribute", ["", "", ""], ["memberOf", "userPassword", "nsUniqueId"]),
        ("/ldap/accounts/idAttribute", ["UID", "cn", "manager"], ["", "", ""]),
        ("/ldap/groups/markAttribute", ["cn", "CN", "GIDNUMBER"], ["member", "MEMBERUID", "objectClass"]),
        ("/activeDirectory/accounts/markAttribute", domain, ldap),
        ("/activeDirectory/groups/markAttribute", domain, ldap),
    ] {
        let path = format!("spec.connector{}", pointer.replace('/', "."));
        let taken = taken.map(|name| (name, TAKEN));
        let control = control.map(|name| (name, CONTROL));
        let written = [
            ("car License", "is no name in a directory; must be a letter and then"),
            ("OID.2.5.4.3", "is the number of an attribute; must be its name"),
            ("description;x-a", "has an option; must be the name of the attribute alone"),
        ];
        for (name, why) in taken.into_iter().chain(control).chain(written).filter(|(name, _)| !name.is_empty()) {
            let (said, expected) = (at(pointer, name), format!("{path}: {name:?}: {why}"));
            assert!(matches!(said.as_slice(), [one] if one.starts_with(&expected)), "{name}: {said:?}");
        }
    }
}

#[test]
fn an_attribute_has_the_name_with_which_servers_answer() {
    let spec = |kind: &str, settings: Value| {
        json!({
            "connector": {kind: settings},
            "account": {
                "attributes": [{"name": "STREETADDRESS;lang-de", "value": "x"}],
                "correlate": [{"attribute": "rfc822Mailbox", "expression": "identity.primaryEmail()"}],
            },
            "safety": {"protected": [{"attribute": "2.5.4.4", "values": ["x"]}, {"attribute": "surname", "values": ["x"]}]},
        })
    };
    let number = r#"spec.safety.protected[0].attribute: "2.5.4.4": is the number of an attribute; must be its name, with which servers answer"#;
    let second = |path: &str, name: &str, first: &str| {
        format!("spec.{path}: {name:?}: is the second name of an attribute; must be {first}, with which servers answer")
    };
    let mut ldap = directory();
    ldap["accounts"]["markAttribute"] = json!("gn");
    let expected = [
        second("connector.ldap.accounts.markAttribute", "gn", "givenName"),
        second("account.attributes[0].name", "STREETADDRESS;lang-de", "street"),
        second("account.correlate[0].attribute", "rfc822Mailbox", "mail"),
        number.to_owned(),
        second("safety.protected[1].attribute", "surname", "sn"),
    ];
    assert_eq!(errors("TargetApplication", &spec("ldap", ldap)), expected);
    assert_eq!(errors("TargetApplication", &spec("activeDirectory", domain())), [number]);
}

#[test]
fn groups_that_are_named_have_a_place() {
    let named = json!([{"name": "vpn", "target": {"group": {"name": "VPN"}}}]);
    let pushed = json!([{"groupRef": {"name": "sales"}, "name": "Sales"}]);
    for (kind, mut settings) in [("ldap", directory()), ("activeDirectory", domain())] {
        let spec =
            |settings: &Value| json!({"connector": {kind: settings}, "entitlements": named, "pushedGroups": pushed});
        settings["groups"] = json!({"baseDN": "ou=groups,dc=acme,dc=test"});
        assert_eq!(errors("TargetApplication", &spec(&settings)), [""; 0]);
        settings.as_object_mut().unwrap().remove("groups");
        let why = format!(
            "is a group, and connector.{kind} names no place where groups are; must be removed, or connector.{kind}.groups added"
        );
        let expected = [
            format!("spec.entitlements[name=vpn].target: \"VPN\": {why}"),
            format!("spec.pushedGroups: \"Sales\": {why}"),
        ];
        assert_eq!(errors("TargetApplication", &spec(&settings)), expected);
    }
}

#[test]
fn a_directory_has_no_attribute_of_a_name_that_cannot_be() {
    let ldap = directory();
    let spec = json!({
        "connector": {"ldap": ldap},
        "account": {
            "attributes": [{"name": "title", "value": "x"}, {"name": "no such attr", "value": "x"}],
            "correlate": [{"attribute": "e mail", "expression": "identity.primaryEmail()"}],
        },
        "safety": {"protected": [{"attribute": "emails[0]", "values": ["x"]}]},
    });
    let no_name = |path: &str, name: &str| {
        format!(
            "spec.{path}: {name:?}: is no name in a directory; must be a letter and then letters, digits and hyphens, as in \
             employeeNumber"
        )
    };
    let expected = [
        no_name("account.attributes[1].name", "no such attr"),
        no_name("account.correlate[0].attribute", "e mail"),
        no_name("safety.protected[0].attribute", "emails[0]"),
    ];
    assert_eq!(errors("TargetApplication", &spec), expected);
    for class in ["a b", "person;x-a"] {
        let mut ldap = directory();
        ldap["accounts"]["objectClasses"][0] = json!(class);
        let said = errors("TargetApplication", &json!({"connector": {"ldap": ldap}}));
        let expected = format!("spec.connector.ldap.accounts.objectClasses[0]: {class:?}: is no object class; must be");
        assert!(matches!(said.as_slice(), [one] if one.starts_with(&expected)), "{said:?}");
    }
}

#[test]
fn every_dn_of_a_manifest_is_one() {
    let at = |kind: &str, pointer: &str, dn: &str| {
        let mut settings = match kind {
            "ldap" => directory(),
            "moved" => another_directory(),
            _ => domain(),
        };
        *settings.pointer_mut(pointer).unwrap() = json!(dn);
        let kind = if kind == "moved" { "ldap" } else { kind };
        errors("TargetApplication", &json!({"connector": {kind: settings}}))
    };
    for (kind, pointer) in [
        ("ldap", "/bind/simple/dn"),
        ("ldap", "/accounts/baseDN"),
        ("ldap", "/accounts/posix/counterDN"),
        ("ldap", "/groups/baseDN"),
        ("ldap", "/groups/placeholder"),
        ("moved", "/accounts/disable/moveTo/dn"),
        ("activeDirectory", "/accounts/baseDN"),
        ("activeDirectory", "/accounts/disabledDN"),
        ("activeDirectory", "/groups/baseDN"),
    ] {
        for dn in ["people", "ou=people;;dc=acme", "ou=people,", " ", "ou=people;dc=acme", r"ou=pe\zzple,dc=acme"] {
            let said = at(kind, pointer, dn);
            let path = format!("spec.connector.{}{}", kind.replace("moved", "ldap"), pointer.replace('/', "."));
            let expected = format!("{path}: {dn:?}: is no DN; must be one as in ou=people,dc=example,dc=com");
            assert!(matches!(said.as_slice(), [one] if one.starts_with(&expected)), "{said:?}");
        }
        let said = at(kind, pointer, "2.5.4.11=people,dc=acme,dc=test");
        let by_number = "has the number or the long name of an attribute; must have short ones";
        assert!(matches!(said.as_slice(), [one] if one.contains(by_number)), "{said:?}");
        let said = at(kind, pointer, r"ou=a\, b,dc=acme,dc=test");
        assert!(said.is_empty(), "{pointer}: {said:?}");
    }
    for (kind, pointer, base) in [
        ("moved", "/accounts/disable/moveTo/dn", "ou=people,dc=acme,dc=test"),
        ("activeDirectory", "/accounts/disabledDN", "OU=People,DC=acme,DC=test"),
    ] {
        for place in [base.to_lowercase(), base.replace(',', ", "), "dc=acme,dc=test".to_owned()] {
            let said = at(kind, pointer, &place);
            let expected = format!("{place:?}: is accounts.baseDN, or above it; must be another place or one below");
            assert!(matches!(said.as_slice(), [one] if one.contains(&expected)), "{said:?}");
        }
        assert!(at(kind, pointer, &format!("ou=left,{base}")).is_empty());
    }
}
