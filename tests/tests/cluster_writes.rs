//! What is written to the API server and read from it for use: Lease, status, finalizer, Secret, event; with the rights
//! of the chart's ServiceAccount.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use provost_core::engine::{Note, StatusUpdate};
use provost_core::model::{ObjectKind, ObjectRef, Reason, Uid};
use provost_kubernetes::client;
use provost_kubernetes::events::events;
use provost_kubernetes::finalizer::Finalizers;
use provost_kubernetes::lease::{Leadership, Lease};
use provost_kubernetes::secret::Secrets;
use provost_kubernetes::status::{StatusWriter, WriteError, Written};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::cluster::{Cluster, NAMESPACE, Operator, eventually};

/// The shared control plane with both charts, and the kubeconfig of the operator's ServiceAccount.
fn installed() -> (&'static Cluster, PathBuf) {
    static KUBECONFIG: OnceLock<PathBuf> = OnceLock::new();
    let cluster = Cluster::with_crds();
    (cluster, KUBECONFIG.get_or_init(|| Operator::install(cluster, NAMESPACE, &[])).clone())
}

async fn operators_client() -> (&'static Cluster, kube::Client) {
    let (cluster, kubeconfig) = tokio::task::spawn_blocking(installed).await.unwrap();
    (cluster, client::connect(Some(&kubeconfig), None).await.unwrap())
}

fn application(namespace: &str) -> String {
    format!(
        "apiVersion: provost.dev/v1alpha1\nkind: TargetApplication\nmetadata: {{name: wiki, namespace: {namespace}, finalizers: [example.org/other]}}\n\
         spec: {{connector: {{scim: {{url: 'https://wiki.acme.test', auth: {{bearer: {{secretRef: {{name: s, key: t}}}}}}}}}}}}\n"
    )
}

fn identity(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    let manifest = format!(
        "apiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
    );
    cluster.apply(&manifest).ok();
    cluster.kubectl(&["get", "identities.provost.dev", name, "-n", namespace, "-o", "json"]).json()
}

fn update(name: &str, uid: &str, state: &str) -> StatusUpdate {
    StatusUpdate {
        object: ObjectRef { kind: ObjectKind::Identity, name: name.into() },
        uid: Uid::from(uid),
        status: json!({"observedGeneration": 1, "lifecycleState": state}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_written_once_by_one_manager_and_leaves_what_others_own() {
    let (cluster, client) = operators_client().await;
    cluster.namespace("status");
    let before = identity(cluster, "status", "ada");
    let uid = before["metadata"]["uid"].as_str().unwrap().to_owned();
    let writer = StatusWriter::new(client, Leadership::always());
    let written = writer.slot().await.write("status", &update("ada", &uid, "Active")).await;
    assert!(matches!(written, Written::Done), "{written:?}");
    let get = ["get", "identities.provost.dev", "ada", "-n", "status", "-o", "json", "--show-managed-fields"];
    let after = cluster.kubectl(&get).json();
    assert_eq!(after["status"]["lifecycleState"], "Active");
    assert_eq!(after["metadata"]["generation"], 1);
    let managers = after["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.iter().filter(|m| m["manager"] == "provost").count(), 1, "{managers:?}");

    writer.slot().await.write("status", &update("ada", &uid, "Active")).await;
    let again = cluster.kubectl(&get).json();
    assert_eq!(
        again["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"],
        "nothing changed, nothing is written"
    );

    let other = writer.slot().await.write("status", &update("ada", "another-uid", "Active")).await;
    assert!(matches!(other, Written::Failed(WriteError::AnotherObject)), "{other:?}");
    let absent = writer.slot().await.write("status", &update("nobody", &uid, "Active")).await;
    assert!(matches!(absent, Written::Gone), "{absent:?}");

    // A condition that somebody else owns stays.
    let theirs = json!({"apiVersion": "provost.dev/v1alpha1", "kind": "Identity", "metadata": {"name": "ada"}, "status": {"conditions":
        [{"type": "Audited", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let file = cluster.folder().join("theirs.json").to_string_lossy().into_owned();
    std::fs::write(&file, theirs.to_string()).unwrap();
    let apply =
        ["apply", "--server-side", "--subresource=status", "--field-manager=auditor", "-n", "status", "-f", &file];
    // As the operator, under another name: nobody else may write a status.
    cluster.kubectl_as(&installed().1, &apply).ok();
    let written = writer.slot().await.write("status", &update("ada", &uid, "Suspended")).await;
    assert!(matches!(written, Written::Done), "{written:?}");
    let last = cluster.kubectl(&get).json();
    assert_eq!(last["status"]["lifecycleState"], "Suspended");
    assert_eq!(last["status"]["conditions"][0]["type"], "Audited");
}

/// An Identity with an account in twenty applications: the API server holds, and each watch carries, that much of us.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_with_twenty_applications_is_below_one_and_a_half_kilobytes_with_its_fields_managed() {
    let (cluster, client) = operators_client().await;
    cluster.namespace("size");
    let before = identity(cluster, "size", "ada");
    let uid = before["metadata"]["uid"].as_str().unwrap().to_owned();
    let applications: Vec<String> = (0..20).map(|at| format!("application-{at:02}")).collect();
    let condition = json!({"type": "Ready", "status": "True", "reason": "Provisioned", "observedGeneration": 1,
        "message": "20 of 20 accounts are as declared", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let status = json!({"observedGeneration": 1, "lifecycleState": "Active", "groups": 5, "applications": applications,
        "accounts": {"desired": 20, "provisioned": 20, "summary": "20/20"}, "conditions": [condition]});
    let update = StatusUpdate { status, ..update("ada", &uid, "Active") };
    let written = StatusWriter::new(client, Leadership::always()).slot().await.write("size", &update).await;
    assert!(matches!(written, Written::Done), "{written:?}");
    let get = ["get", "identities.provost.dev", "ada", "-n", "size", "-o", "json", "--show-managed-fields"];
    let stored = cluster.kubectl(&get).json();
    let managed = stored["metadata"]["managedFields"].as_array().unwrap();
    let ours = managed.iter().find(|fields| fields["manager"] == "provost").unwrap();
    let bytes = stored["status"].to_string().len() + ours.to_string().len();
    tests::tell(format!("status of an Identity in 20 applications, managed fields included: {bytes} B"));
    assert!(bytes < 1500, "{bytes} B: {stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_finalizer_goes_on_and_off_and_the_others_stay() {
    let (cluster, client) = operators_client().await;
    cluster.namespace("finalizer");
    cluster.apply(&application("finalizer")).ok();
    let get =
        || cluster.kubectl(&["get", "targetapplications.provost.dev", "wiki", "-n", "finalizer", "-o", "json"]).json();
    let uid = Uid::from(get()["metadata"]["uid"].as_str().unwrap());
    let finalizers = Finalizers::new(client, Leadership::always());
    for _ in 0..2 {
        finalizers.set("finalizer", "wiki", &uid, true).await.unwrap();
        assert_eq!(get()["metadata"]["finalizers"], json!(["example.org/other", "provost.dev/targetapplication"]));
    }
    finalizers.set("finalizer", "wiki", &Uid::from("another"), false).await.unwrap();
    assert_eq!(get()["metadata"]["finalizers"].as_array().unwrap().len(), 2, "another uid is another object");
    for _ in 0..2 {
        finalizers.set("finalizer", "wiki", &uid, false).await.unwrap();
        assert_eq!(get()["metadata"]["finalizers"], json!(["example.org/other"]));
    }
    finalizers.set("finalizer", "nobody", &uid, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_for_the_hosts_that_its_owner_allows() {
    let (cluster, client) = operators_client().await;
    cluster.namespace("secret");
    let secrets = Secrets::new(client);
    let missing = secrets.read("secret", "wiki", "token", &["wiki.acme.test"]).await.unwrap_err();
    assert_eq!(missing.reason(), Reason::SecretNotFound);
    cluster.kubectl(&["create", "secret", "generic", "wiki", "-n", "secret", "--from-literal=token=canary"]).ok();
    let denied = secrets.read("secret", "wiki", "token", &["wiki.acme.test"]).await.unwrap_err();
    assert_eq!(denied.reason(), Reason::HostNotAllowed);
    assert!(!denied.to_string().contains("canary"));
    cluster.kubectl(&["annotate", "secret", "wiki", "-n", "secret", "provost.dev/allowed-hosts=wiki.acme.test"]).ok();
    let value = secrets.read("secret", "wiki", "token", &["wiki.acme.test"]).await.unwrap();
    assert_eq!(value.expose_secret(), "canary");
    assert!(!format!("{value:?}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_said_once() {
    let (cluster, client) = operators_client().await;
    cluster.namespace("events");
    let object = identity(cluster, "events", "ada");
    let (events, writer) = events(client, Leadership::always(), "test");
    let writing = tokio::spawn(writer.run());
    let namespace: Arc<str> = "events".into();
    let again = Some(jiff::Timestamp::UNIX_EPOCH);
    for (message, at) in [
        ("userName is taken", None),
        ("userName is taken", None),
        ("userName is free", None),
        ("userName is taken", again),
    ] {
        events.publish(
            &namespace,
            Note {
                object: ObjectRef { kind: ObjectKind::Identity, name: "ada".into() },
                uid: Uid::from(object["metadata"]["uid"].as_str().unwrap()),
                warning: true,
                reason: "UserNameTaken".into(),
                message: message.into(),
                at,
            },
        );
    }
    drop(events);
    writing.await.unwrap();
    let list = cluster.kubectl(&["get", "events.events.k8s.io", "-n", "events", "-o", "json"]).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 3, "{list}");
    let described = cluster.kubectl(&["describe", "identities.provost.dev", "ada", "-n", "events"]).ok();
    assert!(described.contains("UserNameTaken"), "{described}");
}

fn candidate(
    client: &kube::Client,
    name: &str,
    identity: &str,
) -> (tokio::task::JoinHandle<()>, tokio::sync::oneshot::Sender<()>, Leadership) {
    let (lease, leadership) = Lease::new(client.clone(), NAMESPACE, name, identity, Duration::from_secs(5));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(lease.run(async move {
        let _ = stopped.await;
    }));
    (task, stop, leadership)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_and_the_next_leads_with_a_higher_epoch() {
    let (cluster, _) = operators_client().await;
    // Administrator: the chart lets the operator write only the Lease of its own release.
    let client = client::connect(Some(cluster.kubeconfig()), None).await.unwrap();
    let (first_task, stop_first, mut first) = candidate(&client, "election", "first");
    let epoch = first.acquired().await.unwrap();
    assert!(first.remaining() > Duration::from_secs(2));
    let (second_task, stop_second, mut second) = candidate(&client, "election", "second");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!second.leads(), "two lead");

    // Given back: the second need not wait for it to expire.
    stop_first.send(()).unwrap();
    first_task.await.unwrap();
    assert!(!first.leads());
    let next = second.acquired().await.unwrap();
    assert_eq!(next, epoch + 1);

    // Silent: the third waits until it has expired, and the second knows by itself that it leads no more.
    second_task.abort();
    let (third_task, stop_third, mut third) = candidate(&client, "election", "third");
    second.lost(next).await;
    assert!(!second.leads());
    assert_eq!(third.acquired().await.unwrap(), next + 1);
    drop((stop_second, stop_third));
    third_task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_lead_writes_nothing() {
    let (cluster, client) = operators_client().await;
    cluster.namespace("follower");
    let before = identity(cluster, "follower", "ada");
    let uid = before["metadata"]["uid"].as_str().unwrap();
    // Never run, so it never leads.
    let (_lease, leadership) = Lease::new(client.clone(), NAMESPACE, "unused", "test", Duration::from_secs(5));
    let writer = StatusWriter::new(client.clone(), leadership.clone());
    let written = writer.slot().await.write("follower", &update("ada", uid, "Active")).await;
    assert!(matches!(written, Written::Failed(_)), "{written:?}");
    cluster.apply(&application("follower")).ok();
    let finalizers = Finalizers::new(client, leadership);
    finalizers.set("follower", "wiki", &Uid::from(uid), true).await.unwrap_err();
    let after = cluster.kubectl(&["get", "identities.provost.dev", "ada", "-n", "follower", "-o", "json"]).json();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
}

#[test]
fn the_charts_rights_are_what_the_operator_needs_and_no_more() {
    let (cluster, kubeconfig) = installed();
    cluster.namespace("rights");
    let may = |verb: &str, what: &str, namespace: &str| {
        let answer = cluster.kubectl_as(&kubeconfig, &["auth", "can-i", verb, what, "-n", namespace]);
        answer.out.trim() == "yes"
    };
    let allowed = [
        ("list", "identities.provost.dev"),
        ("watch", "targetapplications.provost.dev"),
        ("patch", "identities.provost.dev/status"),
        ("patch", "targetapplications.provost.dev"),
        ("get", "secrets"),
        ("create", "events.events.k8s.io"),
        ("get", "namespaces"),
        ("create", "tokenreviews.authentication.k8s.io"),
        ("create", "subjectaccessreviews.authorization.k8s.io"),
    ];
    for (verb, what) in allowed {
        let what = what.split_once('/').map_or_else(|| vec![what], |(what, sub)| vec![what, sub]);
        let answer = match what[..] {
            [what, sub] => {
                let sub = format!("--subresource={sub}");
                cluster.kubectl_as(&kubeconfig, &["auth", "can-i", verb, what, &sub, "-n", "rights"]).out.trim()
                    == "yes"
            }
            _ => may(verb, what[0], "rights"),
        };
        assert!(answer, "may not {verb} {what:?}");
    }
    assert!(may("get", "crd/identities.provost.dev", "rights"));
    assert!(may("update", "leases.coordination.k8s.io/provost", NAMESPACE));
    let forbidden = [
        ("list", "secrets"),
        ("watch", "secrets"),
        ("create", "secrets"),
        ("patch", "identities.provost.dev"),
        ("delete", "identities.provost.dev"),
        ("create", "accesspolicies.provost.dev"),
        ("patch", "accesspolicies.provost.dev"),
        ("update", "targetapplications.provost.dev"),
        ("delete", "targetapplications.provost.dev"),
        ("get", "pods"),
        ("get", "configmaps"),
        ("delete", "namespaces"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
        ("get", "crd/applications.argoproj.io"),
        ("delete", "crd/identities.provost.dev"),
        ("update", "leases.coordination.k8s.io/another"),
        ("impersonate", "users"),
    ];
    for (verb, what) in forbidden {
        assert!(!may(verb, what, "rights"), "may {verb} {what}");
    }
    assert!(!may("update", "leases.coordination.k8s.io/provost", "rights"), "only in its own namespace");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_servers_clock_can_be_read_with_the_charts_rights() {
    let (_, client) = operators_client().await;
    let server = client::time(&client).await.unwrap();
    let apart = jiff::Timestamp::now().duration_since(server).abs();
    assert!(apart < jiff::SignedDuration::from_secs(5), "{apart:?}: both run on this machine");
}

#[test]
fn named_namespaces_bound_what_the_token_can_do() {
    let (cluster, _) = installed();
    for name in ["named-a", "named-b", "named-op"] {
        cluster.namespace(name);
    }
    let kubeconfig = Operator::install(cluster, "named-op", &["named-a"]);
    let list = |namespace: &str| cluster.kubectl_as(&kubeconfig, &["get", "identities.provost.dev", "-n", namespace]);
    eventually("the role is in force", || list("named-a").success.then_some(()));
    assert!(list("named-b").refused().contains("forbidden"));
    cluster.kubectl(&["create", "secret", "generic", "s", "-n", "named-b", "--from-literal=t=x"]).ok();
    let secret = cluster.kubectl_as(&kubeconfig, &["get", "secret", "s", "-n", "named-b"]);
    assert!(secret.refused().contains("forbidden"));
}

#[test]
fn uninstalling_keeps_the_resources_and_the_ledger() {
    let cluster = Cluster::start(tests::cluster::Options::default());
    cluster.install_crds();
    Operator::install(&cluster, NAMESPACE, &[]);
    cluster.helm(&["uninstall", "provost", "-n", NAMESPACE]).ok();
    cluster.kubectl(&["get", "pvc", "provost", "-n", NAMESPACE]).ok();
    cluster.kubectl(&["get", "deployment", "provost", "-n", NAMESPACE]).refused();
    cluster.helm(&["uninstall", "provost-crds", "-n", "default"]).ok();
    cluster.crds_established();
    // And both come back over what was kept.
    cluster.install_crds();
    Operator::install(&cluster, NAMESPACE, &[]);
}
