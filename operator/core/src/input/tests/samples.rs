//! Manifests that between them say everything that can be said.

use serde_json::{Value, json};

pub(super) fn all() -> Vec<(&'static str, Value)> {
    let mut all =
        vec![("Identity", identity()), ("Group", group()), ("AccessPolicy", policy()), ("AccessPolicy", deny())];
    let secret = json!({"name": "wiki-scim", "key": "token"});
    for auth in [
        json!({"bearer": {"secretRef": secret}}),
        json!({"basic": {"username": "provost", "passwordSecretRef": secret}}),
        json!({"oauth2ClientCredentials": {"tokenUrl": "https://id.acme.test/token", "clientId": "a", "clientSecretRef": secret, "scopes": ["scim"]}}),
    ] {
        all.push(("TargetApplication", application(&auth)));
    }
    all.extend(
        [directory(), another_directory(), local_directory()]
            .map(|ldap| ("TargetApplication", json!({"connector": {"ldap": ldap}}))),
    );
    all.push(("TargetApplication", json!({"connector": {"activeDirectory": domain()}})));
    all.push(("TargetApplication", keycloak()));
    all.push((
        "TargetApplication",
        json!({"connector": {"fake": {"directory": "wiki", "entitlements": [{"kind": "Group", "name": "editors"}]}}}),
    ));
    all
}

pub(super) fn directory() -> Value {
    json!({
        "url": "ldaps://ldap.acme.test:636",
        "bind": {"simple": {"dn": "cn=provost,dc=acme,dc=test", "passwordSecretRef": {"name": "ldap", "key": "password"}}},
        "tls": {"caSecretRef": {"name": "acme-ca", "key": "ca.crt"}},
        "accounts": {
            "baseDN": "ou=people,dc=acme,dc=test", "rdnAttribute": "uid", "idAttribute": "entryUUID", "markAttribute": "carLicense",
            // Each spelling alone satisfies the rule about numbers.
            "objectClasses": ["inetOrgPerson", "posixAccount", "POSIXACCOUNT"],
            "disable": {"attribute": {"name": "employeeType", "value": "disabled", "enabledValue": "active"}},
            "posix": {"first": 10_000, "last": 2_000_000_000, "counterDN": "cn=next,dc=acme,dc=test", "gidNumber": 100}
        },
        "groups": {
            "baseDN": "ou=groups,dc=acme,dc=test", "style": "GroupOfNames", "placeholder": "cn=nobody", "markAttribute": "description"
        }
    })
}

pub(super) fn domain() -> Value {
    json!({
        "url": "ldaps://dc1.acme.test", "bind": {"user": "provost@acme.test", "passwordSecretRef": {"name": "ad", "key": "password"}},
        "tls": {"caSecretRef": {"name": "acme-ca", "key": "ca.crt"}},
        "accounts": {
            "baseDN": "OU=People,DC=acme,DC=test", "markAttribute": "extensionAttribute1", "disabledDN": "OU=Left,DC=acme,DC=test"
        },
        "groups": {
            "baseDN": "OU=Groups,DC=acme,DC=test", "scope": "Universal", "type": "Security", "markAttribute": "info"
        }
    })
}

fn local_directory() -> Value {
    json!({
        "url": "ldapi://%2Frun%2Fslapd%2Fldapi", "bind": {"external": {}},
        "accounts": {"baseDN": "ou=people,dc=acme,dc=test", "disable": {"passwordLock": {}}}
    })
}

pub(super) fn another_directory() -> Value {
    let secret = json!({"name": "ldap", "key": "tls.crt"});
    json!({
        "url": "ldap://ldap.acme.test", "bind": {"external": {"certificateSecretRef": secret, "keySecretRef": secret}},
        "accounts": {"baseDN": "ou=people,dc=acme,dc=test", "disable": {"moveTo": {"dn": "ou=left,dc=acme,dc=test"}}}
    })
}

pub(super) fn identity() -> Value {
    json!({
        "type": "Person", "userName": "ada", "externalId": "E-1001", "displayName": "Ada Lovelace",
        "name": {"given": "Ada", "family": "Lovelace", "middle": "King"},
        "emails": [{"value": "ada@acme.test", "type": "work", "primary": true}, {"value": "ada@home.test"}],
        "phoneNumbers": [{"value": "+44 20 5550 0100", "type": "work", "primary": true}],
        "addresses": [{"type": "work", "street": "", "locality": "London", "region": "", "postalCode": "", "country": "GB"}],
        "title": "Analyst", "department": "Engineering", "division": "Research", "organization": "Acme", "costCenter": "4711",
        "employeeNumber": "1001", "employeeType": "Employee", "location": "London", "locale": "en-GB", "preferredLanguage": "en",
        "timezone": "Europe/London", "managerRef": {"name": "grace"},
        "attributes": [{"name": "clearance", "value": "secret"}, {"name": "shifts", "values": ["early", "late"]}],
        "lifecycle": {"startTime": "2026-12-01T08:00:00Z", "endTime": "2027-11-30T17:00:00+01:00", "suspended": false}
    })
}

pub(super) fn group() -> Value {
    json!({
        "displayName": "Platform", "description": "",
        "members": [{"kind": "Identity", "name": "ada", "notAfter": "2027-01-31T00:00:00Z"}, {"kind": "Group", "name": "sre"}],
        "match": "identity.department == \"Engineering\"", "exclude": [{"kind": "Identity", "name": "bob"}]
    })
}

pub(super) fn policy() -> Value {
    json!({
        "description": "Engineers edit", "effect": "Allow", "mode": "Enforce",
        "subjects": [{"kind": "Group", "name": "platform"}], "match": "true",
        "grants": [{"application": "wiki", "entitlements": ["editor"]}, {"application": "mail"}],
        "notBefore": "2026-12-01T00:00:00Z", "notAfter": "2027-06-30T00:00:00Z", "leadTime": "168h"
    })
}

pub(super) fn keycloak() -> Value {
    json!({"connector": {"keycloak": {
        "url": "https://sso.acme.test/auth", "realm": "acme",
        "auth": {"clientId": "provost", "clientSecretRef": {"name": "sso", "key": "secret"}, "realm": "master"},
        "markAttribute": "employeeId", "requiredActions": ["UPDATE_PASSWORD"],
        "tls": {"caSecretRef": {"name": "acme-ca", "key": "ca.crt"}}, "allowInsecure": false
    }}})
}

fn deny() -> Value {
    json!({"effect": "Deny", "match": "true", "grants": [{"application": "wiki", "entitlements": ["*"]}]})
}

pub(super) fn application(auth: &Value) -> Value {
    json!({
        "displayName": "Wiki", "mode": "Enforce",
        "connector": {"scim": {
            "url": "https://wiki.acme.test/scim/v2", "allowInsecure": false, "auth": auth,
            "tls": {"caSecretRef": {"name": "acme-ca", "key": "ca.crt"}},
            "profile": {"patch": "Auto", "paging": "Auto", "bulk": "Auto"}
        }},
        "sync": {"interval": "10m", "requestsPerSecond": 50, "concurrency": 8, "settle": {"removals": "10s", "privilegedGrants": "10s"}},
        "account": {
            "correlate": [{"attribute": "externalId", "expression": "identity.externalId"}], "adopt": "Matched",
            "attributes": [
                {"name": "title", "expression": "identity.title"}, {"name": "source", "value": "provost", "apply": "OnCreate"},
                {"name": "nickName", "apply": "Never"}
            ],
            "initialPassword": "Random", "disabledAtTarget": "Respect", "deletedAtTarget": "Recreate"
        },
        "deprovision": {"action": "Disable", "deleteAfter": "720h", "ended": {"action": "Disable", "deleteAfter": "720h"}},
        "entitlements": [
            {"name": "editor", "target": {"group": {"name": "wiki-editors", "create": true}}, "membership": "Additive", "risk": "Normal", "requires": "true"},
            {"name": "admin", "target": {"role": {"name": "admin"}}, "risk": "Privileged"},
            {"name": "seat", "target": {"license": {"name": "full"}}}
        ],
        "pushedGroups": [{"groupRef": {"name": "platform"}, "name": "Platform", "membership": "Authoritative", "prune": false}],
        "orphanedAccounts": "Report",
        "safety": {
            "removals": [{"count": 20, "percent": 5, "window": "1h"}], "privilegedGrants": [{"count": 5, "percent": 5, "window": "24h"}],
            "protected": [{"attribute": "userName", "values": ["admin"]}], "approvedPlan": "", "acknowledge": ""
        },
        "deletionPolicy": "Retain", "releaseAfter": "10m"
    })
}
