//! The watch against a real API server that loses its CRDs, its namespaces and itself. Nothing may look like a removal.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use provost_core::engine::EngineEvent;
use provost_core::model::Change;
use provost_kubernetes::client;
use provost_kubernetes::finalizer::Finalizers;
use provost_kubernetes::health::Readiness;
use provost_kubernetes::lease::Leadership;
use provost_kubernetes::watch::{Scope, Watch, Watched};
use tests::cluster::{Cluster, Options, eventually};
use tokio::sync::mpsc;

struct Following {
    events: mpsc::Receiver<Watched>,
    readiness: Readiness,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Following {
    async fn new(cluster: &Cluster, scope: Scope) -> Self {
        let client = client::connect(Some(cluster.kubeconfig()), None).await.unwrap();
        let readiness = Readiness::default();
        let finalizers = Finalizers::new(client.clone(), Leadership::always());
        let watch = Watch { client, scope, finalizers, readiness: readiness.clone() };
        let (sender, events) = mpsc::channel(64);
        Self { events, readiness, task: tokio::spawn(watch.run(sender)) }
    }

    /// The next event but for those that say on which CRDs a list rests.
    async fn next(&mut self) -> (Arc<str>, EngineEvent) {
        let (namespace, event) = self.heard().await;
        (namespace, event.expect("the namespace is there"))
    }

    /// The same; `None`: the namespace is gone.
    async fn heard(&mut self) -> Watched {
        loop {
            let event = self.next_of_all().await;
            if !matches!(event.1, Some(EngineEvent::Resources(_))) {
                return event;
            }
        }
    }

    async fn next_of_all(&mut self) -> Watched {
        let event = tokio::time::timeout(Duration::from_secs(90), self.events.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("no event; waiting for {:?}", self.readiness.waiting()));
        event.expect("the watch goes on")
    }

    /// The names of the next `Listed`; what comes before must be `Halted`.
    async fn listed(&mut self) -> BTreeSet<String> {
        loop {
            match self.next().await.1 {
                EngineEvent::Listed(changes) => return changes.iter().map(name).collect(),
                EngineEvent::Halted(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The reason of the next `Halted`; nothing that says `Gone` comes before.
    async fn halted(&mut self) -> Arc<str> {
        loop {
            match self.next().await.1 {
                EngineEvent::Halted(reason) => return reason,
                EngineEvent::Listed(_) => panic!("a list of what is being deleted"),
                EngineEvent::Changed(changes) => no_removal(&changes),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Nothing that removes comes within two seconds.
    async fn quiet(&mut self) {
        let end = tokio::time::Instant::now() + Duration::from_secs(2);
        while let Ok(Some((_, event))) = tokio::time::timeout_at(end, self.events.recv()).await {
            match event {
                Some(EngineEvent::Halted(_)) => {}
                Some(EngineEvent::Changed(changes)) => no_removal(&changes),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn name(change: &Change) -> String {
    match change {
        Change::Identity(m) => m.meta.name.to_string(),
        Change::Group(m) => m.meta.name.to_string(),
        Change::AccessPolicy(m) => m.meta.name.to_string(),
        Change::TargetApplication(m) => m.meta.name.to_string(),
        Change::Gone(object) => format!("-{}", object.name),
    }
}

fn no_removal(changes: &[Change]) {
    let gone: Vec<String> = changes.iter().map(name).filter(|name| name.starts_with('-')).collect();
    assert!(gone.is_empty(), "looks like a removal: {gone:?}");
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn identities(cluster: &Cluster, namespace: &str, names: &[&str]) {
    let documents: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "apiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
            )
        })
        .collect();
    cluster.apply(&documents.join("---\n")).ok();
}

fn acme() -> Scope {
    Scope::Named(BTreeSet::from(["acme".into()]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crd_that_is_missing_is_waited_for_and_one_that_is_deleted_removes_nothing() {
    let cluster = Cluster::start(Options::default());
    cluster.namespace("acme");
    let mut following = Following::new(&cluster, acme()).await;
    let reason = following.halted().await;
    assert!(reason.contains("identities.provost.dev is not installed"), "{reason}");
    let waiting = following.readiness.waiting();
    assert!(waiting.iter().any(|line| line.starts_with("watch/acme: the CRD identities")), "{waiting:?}");

    cluster.install_crds();
    assert_eq!(following.listed().await, names(&[]));
    assert!(following.readiness.waiting().is_empty());
    identities(&cluster, "acme", &["ada", "bob", "cyn"]);
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        let EngineEvent::Changed(changes) = following.next().await.1 else { panic!() };
        seen.extend(changes.iter().map(name));
    }

    cluster.kubectl(&["delete", "crd", "identities.provost.dev", "--wait=true"]).ok();
    let reason = following.halted().await;
    assert!(reason.contains("nothing is removed") || reason.contains("not installed"), "{reason}");
    following.quiet().await;

    cluster.install_crds();
    cluster.kubectl(&["get", "identities.provost.dev", "-n", "acme"]).ok();
    following.quiet().await;
    identities(&cluster, "acme", &["ada", "bob"]);
    identities(&cluster, "acme", &["cyn"]);
    assert_eq!(following.listed().await, names(&["ada", "bob", "cyn"]), "the restore is delivered whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_removes_nothing_and_is_not_held_up_by_our_finalizer() {
    let cluster = Cluster::start(Options { controllers: true });
    cluster.install_crds();
    cluster.namespace("acme");
    cluster.namespace("other");
    identities(&cluster, "acme", &["ada"]);
    identities(&cluster, "other", &["bob"]);
    let application = "apiVersion: provost.dev/v1alpha1\nkind: TargetApplication\nmetadata: {name: wiki, namespace: acme, finalizers: [provost.dev/targetapplication]}\n\
                       spec: {deletionPolicy: Deprovision, connector: {scim: {url: 'https://wiki.acme.test', auth: {bearer: {secretRef: {name: s, key: t}}}}}}\n";
    cluster.apply(application).ok();
    let mut following = Following::new(&cluster, Scope::All).await;
    let mut first = BTreeSet::new();
    while first.len() < 2 {
        let (namespace, event) = following.next().await;
        assert!(matches!(event, EngineEvent::Listed(_)), "{event:?}");
        first.insert(namespace);
    }

    cluster.kubectl(&["delete", "namespace", "acme", "--wait=false"]).ok();
    let reason = following.halted().await;
    assert!(reason.contains("the namespace acme is being deleted"), "{reason}");
    cluster.kubectl(&["wait", "--for=delete", "namespace/acme", "--timeout=60s"]).ok();
    let (namespace, event) = following.heard().await;
    assert!(&*namespace == "acme" && event.is_none(), "nothing is kept of it: {event:?}");
    following.quiet().await;

    identities(&cluster, "other", &["cyn"]);
    let (namespace, event) = following.next().await;
    assert!(matches!(&event, EngineEvent::Changed(changes) if changes.len() == 1), "the other one goes on: {event:?}");
    assert_eq!(&*namespace, "other");

    cluster.namespace("acme");
    identities(&cluster, "acme", &["dan"]);
    following.quiet().await;
    identities(&cluster, "acme", &["eve"]);
    assert_eq!(following.listed().await, names(&["dan", "eve"]), "it may be a restore, and is delivered whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_and_deletions_arrive_also_over_a_restart_of_the_api_server() {
    let cluster = Cluster::start(Options::default());
    cluster.install_crds();
    cluster.namespace("acme");
    identities(&cluster, "acme", &["ada", "bob"]);
    let mut following = Following::new(&cluster, acme()).await;
    assert_eq!(following.listed().await, names(&["ada", "bob"]));

    let delete = ["delete", "identities.provost.dev", "-n", "acme", "bob"];
    cluster.kubectl(&delete).ok();
    let EngineEvent::Changed(changes) = following.next().await.1 else { panic!() };
    assert_eq!(changes.iter().map(name).collect::<Vec<_>>(), ["-bob"]);

    cluster.kill_api();
    cluster.start_api();
    identities(&cluster, "acme", &["cyn"]);
    cluster.kubectl(&["delete", "identities.provost.dev", "-n", "acme", "ada"]).ok();
    let mut seen = BTreeSet::new();
    while !(seen.contains("cyn") && seen.contains("-ada")) {
        match following.next().await.1 {
            EngineEvent::Changed(changes) | EngineEvent::Listed(changes) => seen.extend(changes.iter().map(name)),
            EngineEvent::Halted(reason) => panic!("a restart is no reason to halt: {reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_does_not_fit_is_invalid_and_its_neighbours_are_delivered() {
    let cluster = Cluster::start(Options::default());
    cluster.install_crds();
    cluster.namespace("acme");
    // A server whose schema is older or newer than this operator.
    let patch = r#"[{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec",
                     "value": {"type": "object", "default": {}, "x-kubernetes-preserve-unknown-fields": true}},
                    {"op": "remove", "path": "/spec/versions/0/selectableFields"}]"#;
    cluster.kubectl(&["patch", "crd", "identities.provost.dev", "--type=json", "-p", patch]).ok();
    let odd = "apiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata: {name: odd, namespace: acme}\nspec: {userName: {a: 7}, lifecycle: {suspended: true}}\n";
    eventually("the new schema is served", || cluster.apply(odd).success.then_some(()));
    identities(&cluster, "acme", &["ada"]);
    let mut following = Following::new(&cluster, acme()).await;
    let EngineEvent::Listed(changes) = following.next().await.1 else { panic!() };
    assert_eq!(changes.len(), 2);
    for change in changes {
        let Change::Identity(manifest) = change else { panic!() };
        match manifest.meta.name.as_str() {
            "odd" => assert!(manifest.spec.unwrap_err().lifecycle.unwrap().suspended),
            _ => assert!(manifest.spec.is_ok()),
        }
    }
}
