//! The chart's admission policies on a real API server: who may write what, beyond the verbs of RBAC.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail the test"
)]

use serde_json::{Value, json};
use tests::cluster::{Cluster, NAMESPACE, Operator, Options, eventually};

/// May edit everything in the namespace (the operator too, since kubectl reads before it writes); alice may also grant on wiki and chat, and approve on wiki.
const ROLES: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: editor, namespace: acme}
rules:
- {apiGroups: [provost.dev], resources: [identities, groups, accesspolicies, targetapplications], verbs: [get, list, create, update, patch, delete]}
- {apiGroups: [provost.dev], resources: [identities/status], verbs: [get, update, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: owner, namespace: acme}
rules:
- {apiGroups: [provost.dev], resources: [targetapplications], resourceNames: [wiki, chat], verbs: [grant]}
- {apiGroups: [provost.dev], resources: [targetapplications], resourceNames: [wiki], verbs: [approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editor, namespace: acme}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: editor}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}, {kind: User, name: bert, apiGroup: rbac.authorization.k8s.io}, {kind: ServiceAccount, name: provost, namespace: provost-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: owner, namespace: acme}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: owner}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
";

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": "acme"}, "spec": spec})
}

fn application(name: &str, spec: Value) -> Value {
    let mut all = json!({"connector": {"scim": {"url": "https://wiki.acme.test/scim", "auth": {"bearer": {"secretRef": {"name": "s", "key": "t"}}}}}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object("TargetApplication", name, all)
}

fn policy(name: &str, applications: &[&str]) -> Value {
    let grants: Vec<Value> = applications.iter().map(|name| json!({"application": name})).collect();
    object("AccessPolicy", name, json!({"match": "true", "grants": grants}))
}

/// What somebody tries: who, what, and what they are told if it is refused.
fn attempt(cluster: &Cluster, user: &str, arguments: &[&str], manifest: Option<&Value>, refused: Option<&str>) {
    let mut all = vec!["--as", user, "-n", "acme"];
    all.extend(arguments);
    let said = match manifest {
        Some(manifest) => cluster.kubectl_with(&all, &manifest.to_string()),
        None => cluster.kubectl(&all),
    };
    match refused {
        None => drop(said.ok()),
        Some(text) => {
            let err = said.refused();
            assert!(err.contains(text), "{user} {arguments:?}: {err}");
        }
    }
}

#[test]
fn grants_need_grant_powers_need_approve_and_a_status_is_the_operators() {
    let cluster = Cluster::start(Options { controllers: true });
    cluster.install_crds();
    cluster.namespace("acme");
    let operator = Operator::install(&cluster, NAMESPACE, &[]);
    cluster.apply(ROLES).ok();
    let apply = &["apply", "-f", "-"][..];
    eventually("the policies are in force", || {
        let said = cluster.kubectl_with(
            &["--as", "bert", "apply", "--dry-run=server", "-f", "-"],
            &application("wiki", json!({})).to_string(),
        );
        (!said.success && said.err.contains("needs the verb")).then_some(())
    });

    let needs =
        |verb: &str, name: &str| format!("needs the verb \"{verb}\" on targetapplications.provost.dev \"{name}\"");
    let apply_as = |user: &str, manifest: &Value, refused: Option<&str>| {
        attempt(&cluster, user, apply, Some(manifest), refused);
    };
    // Applications: to make one is to choose where credentials go.
    apply_as("bert", &application("wiki", json!({})), Some(&needs("approve", "wiki")));
    apply_as("alice", &application("mail", json!({})), Some(&needs("approve", "mail")));
    apply_as("alice", &application("wiki", json!({})), None);
    apply_as("bert", &application("wiki", json!({"displayName": "Wiki", "mode": "Plan"})), None);
    for (field, value) in [
        ("safety", json!({"approvedPlan": "abc"})),
        ("account", json!({"adopt": "Never"})),
        ("deletionPolicy", json!("Deprovision")),
        ("entitlements", json!([{"name": "admin", "target": {"group": {"name": "admins"}}}])),
        (
            "connector",
            json!({"scim": {"url": "https://evil.test/scim", "auth": {"bearer": {"secretRef": {"name": "s", "key": "t"}}}}}),
        ),
    ] {
        let changed = application("wiki", json!({"displayName": "Wiki", "mode": "Plan", field: value}));
        apply_as("bert", &changed, Some(&format!("{} for {field}", needs("approve", "wiki"))));
        apply_as("alice", &changed, None);
        apply_as("alice", &application("wiki", json!({"displayName": "Wiki", "mode": "Plan"})), None);
    }
    // A default that is spelt out is no change.
    apply_as(
        "bert",
        &application("wiki", json!({"displayName": "Wiki", "mode": "Plan", "deletionPolicy": "Retain"})),
        None,
    );

    // Policies: what is named before and after the edit.
    apply_as("bert", &policy("everyone", &["wiki"]), Some(&needs("grant", "wiki")));
    apply_as("alice", &policy("everyone", &["wiki", "mail"]), Some(&needs("grant", "mail")));
    apply_as("alice", &policy("everyone", &["wiki"]), None);
    attempt(&cluster, "bert", &["label", "accesspolicies.provost.dev", "everyone", "team=x"], None, None);
    let patch =
        &["patch", "accesspolicies.provost.dev", "everyone", "--type=merge", "-p", r#"{"spec":{"match":"false"}}"#][..];
    attempt(&cluster, "bert", patch, None, Some(&needs("grant", "wiki")));
    attempt(&cluster, "alice", patch, None, None);
    let delete = &["delete", "accesspolicies.provost.dev", "everyone"][..];
    attempt(&cluster, "bert", delete, None, Some(&needs("grant", "wiki")));
    attempt(&cluster, "alice", delete, None, None);

    // Deleting an application that says Deprovision takes everybody's account.
    apply_as("alice", &application("wiki", json!({"deletionPolicy": "Deprovision"})), None);
    let delete = &["delete", "targetapplications.provost.dev", "wiki", "--wait=false"][..];
    attempt(&cluster, "bert", delete, None, Some("for deletionPolicy: Deprovision"));
    apply_as("alice", &application("wiki", json!({})), None);
    attempt(&cluster, "bert", delete, None, None);

    // A status is the operator's: not even the administrator's.
    apply_as("bert", &object("Identity", "ada", json!({})), None);
    let status = r#"{"status":{"lifecycleState":"Ended"}}"#;
    let patch =
        ["patch", "identities.provost.dev", "ada", "-n", "acme", "--subresource=status", "--type=merge", "-p", status];
    for refused in [cluster.kubectl(&patch), cluster.kubectl(&[&["--as", "bert"], &patch[..]].concat())] {
        let err = refused.refused();
        assert!(err.contains("status is written by the provost operator alone"), "{err}");
    }
    cluster.kubectl_as(&operator, &patch).ok();

    // A namespace that goes is not held back by any of it.
    cluster.apply(&application("wiki", json!({"deletionPolicy": "Deprovision"})).to_string()).ok();
    cluster.apply(&policy("everyone", &["wiki"]).to_string()).ok();
    cluster.kubectl(&["delete", "namespace", "acme", "--wait=false"]).ok();
    cluster.kubectl(&["wait", "--for=delete", "namespace/acme", "--timeout=80s"]).ok();
}
