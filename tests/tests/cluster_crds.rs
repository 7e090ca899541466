//! The custom resources on a real API server.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;

use provost_core::report::kstatus::{KStatus, kstatus};
use serde_json::{Value, json};
use tests::cluster::Cluster;

fn cluster(namespace: &str) -> &'static Cluster {
    let cluster = Cluster::with_crds();
    cluster.namespace(namespace);
    cluster
}

fn manifest(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: provost.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

const SCIM: &str =
    "connector: {scim: {url: 'https://wiki.acme.test/scim/v2', auth: {bearer: {secretRef: {name: s, key: t}}}}}";

#[test]
fn kubectl_explain_has_text_for_every_field() {
    let cluster = cluster("explain");
    let api = cluster.kubectl(&["get", "--raw", "/openapi/v3/apis/provost.dev/v1alpha1"]).json();
    let schemas = api["components"]["schemas"].as_object().unwrap();
    let mut fields = 0;
    for (name, schema) in schemas.iter().filter(|(name, _)| name.starts_with("dev.provost")) {
        for part in ["spec", "status"] {
            fields += described(&format!("{name}.{part}"), &schema["properties"][part]);
        }
    }
    assert!(fields > 200, "{fields} fields only");
    for path in
        ["identities.provost.dev.spec.lifecycle.endTime", "targetapplications.provost.dev.spec.safety.removals.window"]
    {
        let text = cluster.kubectl(&["explain", path]).ok();
        assert!(text.contains("DESCRIPTION") && !text.contains("<empty>"), "{text}");
    }
}

/// How many fields there are, each with a text.
fn described(path: &str, schema: &Value) -> usize {
    let mut fields = 0;
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        assert!(field["description"].as_str().is_some_and(|text| text.len() > 3), "{path} has no description");
        fields += 1 + described(&path, field) + described(&format!("{path}[]"), &field["items"]);
    }
    fields
}

#[test]
fn bad_manifests_are_refused_with_what_one_may_do() {
    let cluster = cluster("refused");
    let app = |more: &str| format!("{{{SCIM}{more}}}");
    let table = [
        ("Identity", "{departmnt: x}".to_owned(), "unknown field \"spec.departmnt\""),
        ("Identity", "{type: person}".to_owned(), "supported values: \"Person\", \"Service\", \"Agent\""),
        (
            "Identity",
            "{lifecycle: {startTime: '2026-02-01T00:00:00Z', endTime: '2026-01-01T00:00:00Z'}}".to_owned(),
            "spec.lifecycle.endTime: Invalid value: must be after startTime",
        ),
        (
            "Identity",
            "{emails: [{value: a@b.c, primary: true}, {value: d@e.f, primary: true}]}".to_owned(),
            "must have at most one entry with primary: true",
        ),
        ("Identity", "{emails: [{value: a@b.c}, {value: a@b.c}]}".to_owned(), "spec.emails[1]: Duplicate value"),
        ("Identity", "{attributes: [{name: a, value: early, values: [late]}]}".to_owned(), "exactly one of value and values"),
        ("Identity", "{lifecycle: {endTime: '9999-12-31T23:59:59Z'}}".to_owned(), "for no limit you must leave it out"),
        (
            "Group",
            "{members: [{kind: Group, name: it}]}".to_owned(),
            "spec.members: Invalid value: must not list the group itself",
        ),
        (
            "Group",
            "{members: [{kind: Identity, name: ada}], exclude: [{kind: Group, name: it}]}".to_owned(),
            "spec.exclude: Invalid value: must not exclude the group itself",
        ),
        ("AccessPolicy", "{grants: [{application: wiki}]}".to_owned(), "must have subjects, match, or both"),
        ("AccessPolicy", "{match: 'true', grants: []}".to_owned(), "should have at least 1 items"),
        (
            "AccessPolicy",
            "{match: 'true', grants: [{application: wiki, entitlements: ['*']}]}".to_owned(),
            "is for effect: Deny alone",
        ),
        (
            "AccessPolicy",
            "{match: 'true', leadTime: 1d, grants: [{application: wiki}]}".to_owned(),
            "must be hours, minutes and seconds, largest first",
        ),
        ("TargetApplication", "{connector: {}}".to_owned(), "must name exactly one connector"),
        (
            "TargetApplication",
            "{connector: {scim: {url: 'https://u:secret@wiki.acme.test', auth: {bearer: {secretRef: {name: s, key: t}}}}}}".to_owned(),
            "without user info",
        ),
        (
            "TargetApplication",
            "{connector: {scim: {url: 'http://wiki.acme.test', auth: {bearer: {secretRef: {name: s, key: t}}}}}}".to_owned(),
            "must be https; http needs allowInsecure: true",
        ),
        (
            "TargetApplication",
            app(", entitlements: [{name: a, target: {group: {name: g}}}, {name: b, target: {group: {name: g}}}]"),
            "must not name one group of the target in two entitlements",
        ),
    ];
    for (kind, spec, expected) in table {
        let text = manifest(kind, "it", &spec);
        let arguments = ["apply", "-n", "refused", "--dry-run=server", "-f", "-"];
        let said = cluster.kubectl_with(&arguments, &text).refused();
        assert!(said.contains(expected), "{kind} {spec}\nsaid {said}\nnot  {expected}");
        assert!(!said.contains("u:secret"), "a credential was repeated: {said}");
    }
}

/// What may be edited and what may not: an object is made, and edited there and back.
#[test]
fn what_is_immutable_stays_and_what_is_not_can_be_edited() {
    let cluster = cluster("edited");
    let person = "is immutable; to change it you must delete the Identity and create it anew";
    let moved =
        "kind and name are immutable; to move it you must add an entitlement under another name and remove this one";
    let entitlements = |list: &str| format!("{{{SCIM}, entitlements: [{list}]}}");
    let one = |target: &str| entitlements(&format!("{{name: a, target: {{{target}}}}}"));
    let table = [
        ("Identity", "type", "{type: Service}".to_owned(), "{type: Person}".to_owned(), Some(person)),
        ("Identity", "type-to-agent", "{type: Service}".to_owned(), "{type: Agent}".to_owned(), Some(person)),
        ("Identity", "type-by-default", "{department: a}".to_owned(), "{type: Service}".to_owned(), Some(person)),
        ("Identity", "type-written-out", "{department: a}".to_owned(), "{type: Person}".to_owned(), None),
        ("Identity", "user-name", "{userName: ada}".to_owned(), "{userName: ada.l}".to_owned(), None),
        ("TargetApplication", "name", one("group: {name: g}"), one("group: {name: h}"), Some(moved)),
        ("TargetApplication", "kind", one("group: {name: g}"), one("role: {name: g}"), Some(moved)),
        ("TargetApplication", "license", one("license: {name: g}"), one("license: {name: h}"), Some(moved)),
        ("TargetApplication", "role", one("role: {name: g}"), one("license: {name: g}"), Some(moved)),
        ("TargetApplication", "create", one("group: {name: g}"), one("group: {name: g, create: false}"), None),
        (
            "TargetApplication",
            "create-said",
            one("group: {name: g, create: true}"),
            one("group: {name: g, create: false}"),
            None,
        ),
        (
            "TargetApplication",
            "another",
            one("group: {name: g}"),
            entitlements("{name: b, target: {group: {name: h}}}"),
            None,
        ),
        (
            "TargetApplication",
            "order",
            entitlements("{name: a, target: {group: {name: g}}}, {name: b, target: {group: {name: h}}}"),
            entitlements("{name: b, target: {group: {name: h}}}, {name: a, target: {group: {name: g}}}"),
            None,
        ),
    ];
    for (kind, name, before, after, refused) in table {
        for (from, to, name) in [(&before, &after, format!("{name}-1")), (&after, &before, format!("{name}-2"))] {
            let apply = |spec: &str| {
                let text = manifest(kind, &name, spec);
                cluster.kubectl_with(&["apply", "-n", "edited", "-f", "-"], &text)
            };
            apply(from).ok();
            match refused {
                Some(expected) => {
                    let said = apply(to).refused();
                    assert!(said.contains(expected), "{kind} {name}: {to}\nsaid {said}\nnot  {expected}");
                }
                None => drop(apply(to).ok()),
            }
        }
    }
}

#[test]
fn good_manifests_are_taken_and_a_second_apply_changes_nothing() {
    let cluster = cluster("taken");
    let documents = [
        manifest(
            "Identity",
            "ada",
            "{userName: ada, emails: [{value: ada@acme.test, primary: true}], department: Engineering}",
        ),
        "apiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata: {name: bare}\n".to_owned(),
        manifest(
            "Group",
            "platform",
            "{members: [{kind: Identity, name: ada}], match: 'identity.department == \"Engineering\"'}",
        ),
        manifest(
            "AccessPolicy",
            "wiki",
            "{subjects: [{kind: Group, name: platform}], grants: [{application: wiki, entitlements: [editor]}]}",
        ),
        manifest(
            "TargetApplication",
            "wiki",
            &format!("{{{SCIM}, entitlements: [{{name: editor, target: {{group: {{name: editors}}}}}}]}}"),
        ),
    ];
    let text = documents.join("---\n");
    let arguments = ["apply", "-n", "taken", "-f", "-"];
    cluster.kubectl_with(&arguments, &text).ok();
    let again = cluster.kubectl_with(&arguments, &text).ok();
    assert_eq!(again.matches("unchanged").count(), documents.len(), "{again}");
    let diff = cluster.kubectl_with(&["diff", "-n", "taken", "-f", "-"], &text);
    assert!(diff.success, "{}", diff.out);
    let server_side = ["apply", "-n", "taken", "--server-side", "--force-conflicts", "-f", "-"];
    cluster.kubectl_with(&server_side, &text).ok();
    let listed = cluster.kubectl(&["get", "provost", "-n", "taken", "-o", "name"]).ok();
    assert_eq!(listed.lines().count(), documents.len(), "the category has all four kinds");
}

#[test]
fn an_object_that_nobody_has_looked_at_is_in_progress() {
    let cluster = cluster("unseen");
    cluster.kubectl_with(&["apply", "-n", "unseen", "-f", "-"], &manifest("Identity", "ada", "{}")).ok();
    let object = cluster.kubectl(&["get", "identities.provost.dev", "ada", "-n", "unseen", "-o", "json"]).json();
    assert_eq!(object["status"]["observedGeneration"], -1);
    assert_eq!(kstatus(&object), KStatus::InProgress);
    let wait = ["wait", "--for=condition=Ready", "--timeout=1s", "identities.provost.dev/ada", "-n", "unseen"];
    cluster.kubectl(&wait).refused();
}

#[test]
fn two_field_managers_own_different_items_and_each_drops_only_its_own() {
    let cluster = cluster("managers");
    let apply = |manager: &str, manifest: &Value| {
        let manager = format!("--field-manager={manager}");
        let arguments = ["apply", "--server-side", &manager, "-n", "managers", "-f", "-"];
        cluster.kubectl_with(&arguments, &manifest.to_string()).ok();
    };
    let group = |members: &[&str]| {
        let members: Vec<Value> = members.iter().map(|name| json!({"kind": "Identity", "name": name})).collect();
        json!({"apiVersion": "provost.dev/v1alpha1", "kind": "Group", "metadata": {"name": "g"}, "spec": {"members": members}})
    };
    apply("hr", &group(&["ada", "bob"]));
    apply("it", &group(&["cyn"]));
    apply("hr", &group(&["ada"]));
    let got = cluster.kubectl(&["get", "groups.provost.dev", "g", "-n", "managers", "-o", "json"]).json();
    let mut names: Vec<&str> =
        got["spec"]["members"].as_array().unwrap().iter().filter_map(|member| member["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ada", "cyn"]);
}

#[test]
fn columns_fit_and_selectors_work() {
    let cluster = cluster("columns");
    let documents =
        [manifest("Identity", "ada", "{userName: a.lovelace}"), manifest("Identity", "bob", "{userName: bob}")];
    cluster.kubectl_with(&["apply", "-n", "columns", "-f", "-"], &documents.join("---\n")).ok();
    let found = [
        "get",
        "identities.provost.dev",
        "-n",
        "columns",
        "--field-selector",
        "spec.userName=a.lovelace",
        "-o",
        "name",
    ];
    assert_eq!(cluster.kubectl(&found).ok().trim(), "identity.provost.dev/ada");
    let table = cluster.kubectl(&["get", "ident", "-n", "columns"]).ok();
    let head = table.lines().next().unwrap().to_owned();
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["NAME", "READY", "REASON", "STATE", "ACCOUNTS", "AGE"]);
    assert!(table.lines().all(|line| line.len() <= 100), "{table}");
}

/// References to an owner.
fn owners() -> Vec<Value> {
    let owner = |field: &str, value: Value| {
        let mut owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u"});
        owner[field] = value;
        json!({"ownerReferences": [owner]})
    };
    vec![
        owner("name", json!("other")),
        owner("uid", json!("")),
        owner("uid", Value::Null),
        owner("kind", json!(5)),
        owner("controller", json!(true)),
        owner("controller", json!("true")),
        owner("contoller", json!(true)),
        owner("apiVersion", json!("a/b/c")),
        owner("apiVersion", json!("apps/")),
        owner("apiVersion", json!("/v1")),
    ]
}

/// What may stand in metadata beside the name.
fn metadata() -> Vec<Value> {
    let long = |length: usize| "x".repeat(length);
    let mut all = vec![
        json!({}),
        json!({"labels": null, "annotations": null, "finalizers": null, "ownerReferences": null, "creationTimestamp": null}),
        json!({"labels": {"a": null}}),
        json!({"labels": {"a b": null}}),
        json!({"labels": {"a": 5}}),
        json!({"labels": {"a": true}}),
        json!({"labels": {"a": ["x"]}}),
        json!({"labels": ["x"]}),
        json!({"annotations": {"a": 5}}),
        json!({"annotations": {"a": {"b": "c"}}}),
        json!({"annotations": {"a": null, "acme.test/note": " any text, \u{e9}\n/ of any length "}}),
        json!({"annotations": {"a": long(256 * 1024 - 1)}}),
        json!({"annotations": {"a": long(256 * 1024 - 2), "b": "\u{e9}"}}),
        json!({"finalizers": "x"}),
        json!({"finalizers": ["acme.test/x", ""]}),
        json!({"ownerReferences": [{}]}),
        json!({"ownerReferences": {}}),
        json!({"generation": "1"}),
        json!({"generation": 1, "selfLink": "x", "uid": "u", "deletionGracePeriodSeconds": 5}),
        json!({"managedFields": [{"manager": "m", "operation": "Update"}]}),
        json!({"managedFields": 5}),
        json!({"namspace": "x"}),
        json!({"Labels": {"a": "x"}}),
        json!({"department": "x"}),
        json!({"clusterName": "x"}),
        json!({"creationTimestamp": "2024-01-01T00:00:00Z"}),
        json!({"creationTimestamp": "2024-01-01"}),
        json!({"creationTimestamp": 5}),
    ];
    all.extend(owners());
    let mut texts: Vec<String> = vec![String::new(), "a/b/c".to_owned()];
    for sign in ["x", "X", "0", "-", "_", ".", "/", " ", "*", "\u{e9}"] {
        texts.extend(["", "x"].iter().flat_map(|before| ["", "x"].map(|after| format!("{before}{sign}{after}"))));
    }
    texts.extend([63, 64, 253, 254].map(long));
    for text in &texts {
        let domain = format!("{text}/x");
        all.push(json!({"labels": {"x": text}}));
        all.push(json!({"finalizers": [text]}));
        for key in [text, &domain] {
            all.push(json!({"labels": {key: "x"}}));
            all.push(json!({"annotations": {key: "x"}}));
        }
    }
    all
}

#[test]
fn lint_refuses_what_the_api_server_refuses_in_metadata_and_no_more() {
    let cluster = cluster("metadata");
    let case = |name: &str, mut fields: Value| {
        (fields["name"], fields["namespace"]) = (json!(name), json!("metadata"));
        (name.to_owned(), fields)
    };
    let mut all: Vec<_> =
        metadata().into_iter().enumerate().map(|(at, fields)| case(&format!("n{at}"), fields)).collect();
    let names = ["", "a.b", "a..b", ".a", "a-", "A", "a_b", "a b", "\u{e9}", &"x".repeat(253), &"x".repeat(254)];
    all.extend(names.map(|name| case(name, json!({}))));
    let documents = all.iter().map(|(_, metadata)| {
        json!({"apiVersion": "provost.dev/v1alpha1", "kind": "Identity", "metadata": metadata, "spec": {}}).to_string()
    });
    let text = documents.collect::<Vec<_>>().join("\n---\n");
    let said = cluster.kubectl_with(&["create", "--dry-run=server", "-f", "-"], &text);
    let taken: BTreeSet<&str> = said.out.lines().filter_map(|line| line.split(['/', ' ']).nth(1)).collect();
    assert!(taken.len() > 40, "{}", said.err);
    let (_, linted, _) = provost(&["lint", "-o", "json"], &text);
    let found: Value = serde_json::from_str(&linted).unwrap();
    let found = found["answer"].as_array().unwrap();
    let mut differ = Vec::new();
    for (name, metadata) in &all {
        let object = format!("Identity/{name}");
        let told: Vec<&Value> =
            found.iter().filter(|finding| finding["object"] == object && finding["error"] == true).collect();
        if taken.contains(&**name) != told.is_empty() {
            let cut = metadata.to_string().chars().take(200).collect::<String>();
            differ.push(format!("{} {cut} {told:?}", if taken.contains(&**name) { "taken" } else { "refused" }));
        }
    }
    assert!(differ.is_empty(), "{}\n{}", differ.join("\n"), said.err);
}

#[test]
fn lint_refuses_the_namespaces_that_the_api_server_would_not_make() {
    let cluster = cluster("namespaces");
    let names = ["a-b", "0", "a.b", "-a", "a-", "A", "a_b", "a b", "\u{e9}", &"x".repeat(63), &"x".repeat(64)];
    let made = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).to_string();
    let said = cluster.kubectl_with(&["create", "--dry-run=server", "-f", "-"], &names.map(made).join("\n---\n"));
    for name in names {
        let metadata = json!({"name": "ada", "namespace": name});
        let ada = json!({"apiVersion": "provost.dev/v1alpha1", "kind": "Identity", "metadata": metadata, "spec": {}});
        let (status, linted, _) = provost(&["lint"], &ada.to_string());
        let taken = said.out.contains(&format!("namespace/{name} created"));
        assert_eq!(taken, status == 0, "{name}: {linted}{}", said.err);
    }
    assert_eq!(said.out.lines().count(), 3, "{}{}", said.out, said.err);
}

/// What a command says of manifests.
fn provost(arguments: &[&str], manifests: &str) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.yaml");
    std::fs::write(&file, manifests).unwrap();
    let all = [&["provost"], arguments, &["-f", file.to_str().unwrap()]].concat();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = provost::cli::run(all.into_iter().map(std::ffi::OsString::from), false, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}
