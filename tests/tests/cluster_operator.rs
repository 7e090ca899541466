//! The operator as it is installed: a process with the rights of the chart's ServiceAccount, on a real API server,
//! against SCIM servers that nobody of this project wrote.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeMap;

use provost_core::report::kstatus::{KStatus, broken, kstatus};
use serde_json::{Value, json};
use tests::cluster::{Cluster, NAMESPACE, Operator, Options, eventually};
use tests::servers::{Program, Running, TOKEN};

/// A control plane with an operator and a target.
struct World {
    operator: Option<Operator>,
    kubeconfig: std::path::PathBuf,
    cluster: Cluster,
    target: Running,
}

impl World {
    async fn new(crds: bool) -> Self {
        let target = Program::scim2_server().require().start().await;
        let cluster = Cluster::start(Options { controllers: true });
        if crds {
            cluster.install_crds();
        }
        let kubeconfig = Operator::install(&cluster, NAMESPACE, &[]);
        let mut world = Self { operator: None, kubeconfig, cluster, target };
        world.start();
        world
    }

    fn start(&mut self) {
        let data = self.cluster.folder().join("ledger");
        std::fs::create_dir_all(&data).unwrap();
        self.operator = Some(Operator::start(&self.cluster, &self.kubeconfig, NAMESPACE, &data, &[]));
    }

    fn operator(&self) -> &Operator {
        self.operator.as_ref().unwrap()
    }

    /// A directory: identities, one policy for all of them, and the target.
    fn directory(&self, namespace: &str, identities: &[&str]) {
        self.cluster.namespace(namespace);
        self.secret(namespace);
        let mut documents: Vec<Value> =
            identities.iter().map(|name| identity(namespace, name, "Engineering")).collect();
        documents.push(object(
            namespace,
            "AccessPolicy",
            "all",
            json!({"match": "true", "grants": [{"application": "wiki"}]}),
        ));
        documents.push(object(namespace, "TargetApplication", "wiki", self.application()));
        self.apply(&documents);
    }

    fn application(&self) -> Value {
        let auth = json!({"bearer": {"secretRef": {"name": "wiki", "key": "token"}}});
        json!({"connector": {"scim": {"url": self.target.url(), "allowInsecure": true, "auth": auth}}})
    }

    fn secret(&self, namespace: &str) {
        let token = format!("--from-literal=token={TOKEN}");
        self.cluster.kubectl(&["create", "secret", "generic", "wiki", "-n", namespace, &token]).ok();
        let hosts = "provost.dev/allowed-hosts=127.0.0.1 localhost";
        self.cluster.kubectl(&["annotate", "secret", "wiki", "-n", namespace, hosts]).ok();
    }

    /// Waits until the operator has renewed its Lease so many times: it lives, and has had its turns meanwhile.
    fn heartbeats(&self, times: usize) {
        let lease = ["get", "lease", "provost", "-n", NAMESPACE, "-o", "jsonpath={.metadata.resourceVersion}"];
        let mut last = self.cluster.kubectl(&lease).ok();
        for _ in 0..times {
            last = eventually("the operator renews its Lease", || {
                let now = self.cluster.kubectl(&lease).ok();
                (now != last).then_some(now)
            });
        }
    }

    fn apply(&self, documents: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": documents});
        self.cluster.apply(&list.to_string()).ok();
    }

    fn get(&self, namespace: &str, what: &str) -> Value {
        self.cluster.kubectl(&["get", what, "-n", namespace, "-o", "json"]).json()
    }

    fn objects(&self, namespace: &str) -> Vec<Value> {
        self.get(namespace, "provost")["items"].as_array().unwrap().clone()
    }

    /// `kubectl wait --for=condition=Ready`.
    fn wait_ready(&self, namespace: &str, what: &str) {
        let arguments = ["wait", "--for=condition=Ready", "--timeout=200s", "-n", namespace, what];
        let said = self.cluster.kubectl(&arguments);
        if !said.success {
            let object = self.get(namespace, what);
            panic!("{}\n{}\n{}", said.err, object["status"], self.operator().process().tail());
        }
    }

    /// Waits until an identity is ready, and does what the kubelet does if the operator ends meanwhile.
    fn ready_in_the_end(&mut self, name: &str) {
        let what = format!("identities.provost.dev/{name}");
        eventually("the operator has come back", || {
            if !self.operator().process().runs() {
                self.start();
            }
            let wait = ["wait", "--for=condition=Ready", "--timeout=5s", "-n", "acme", &what];
            self.cluster.kubectl(&wait).success.then_some(())
        });
    }

    /// The user names at the target, with whether they are active.
    async fn accounts(&self) -> BTreeMap<String, bool> {
        let entry =
            |user: &Value| (user["userName"].as_str().unwrap().to_owned(), user["active"].as_bool().unwrap_or(true));
        self.users().await.iter().map(entry).collect()
    }

    /// The ids of the accounts at the target.
    async fn ids(&self) -> Vec<String> {
        self.users().await.iter().map(|user| user["id"].to_string()).collect()
    }

    async fn users(&self) -> Vec<Value> {
        let url = format!("{}/Users?count=500", self.target.url());
        let answer = reqwest::Client::new().get(url).bearer_auth(TOKEN).send().await.unwrap();
        let list: Value = answer.json().await.unwrap();
        list["Resources"].as_array().cloned().unwrap_or_default()
    }

    /// The rules that every object keeps at the end of every test, and the token that must be nowhere.
    fn check(&self, namespace: &str) {
        for object in self.objects(namespace) {
            let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
            assert_eq!(broken(&object), Vec::<String>::new(), "{name}: {}", object["status"]);
            assert!(!object.to_string().contains(TOKEN), "{name} has the token");
        }
        let events = self.cluster.kubectl(&["get", "events", "-A", "-o", "json"]).ok();
        assert!(!events.contains(TOKEN), "an event has the token");
        assert!(!self.operator().process().log().contains(TOKEN), "the log has the token");
        let (_, metrics) = self.operator().get("/metrics");
        assert!(!metrics.contains(TOKEN), "a metric has the token");
    }
}

fn object(namespace: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

fn identity(namespace: &str, name: &str, department: &str) -> Value {
    let mail = format!("{name}@acme.test");
    let spec = json!({
        "userName": name, "displayName": name, "department": department, "name": {"given": name, "family": "Test"},
        "emails": [{"value": mail, "primary": true}],
    });
    object(namespace, "Identity", name, spec)
}

fn versions(objects: &[Value]) -> BTreeMap<String, String> {
    let entry = |o: &Value| {
        let meta = &o["metadata"];
        (format!("{}/{}", o["kind"], meta["name"]), meta["resourceVersion"].to_string())
    };
    objects.iter().map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_is_ready_just_after_create_and_after_an_edit_and_then_nothing_is_written() {
    let world = World::new(true).await;
    world.directory("acme", &["ada", "bob"]);
    for what in [
        "identities.provost.dev/ada",
        "identities.provost.dev/bob",
        "accesspolicies.provost.dev/all",
        "targetapplications.provost.dev/wiki",
    ] {
        world.wait_ready("acme", what);
    }
    assert_eq!(world.accounts().await, BTreeMap::from([("ada".to_owned(), true), ("bob".to_owned(), true)]));
    for object in world.objects("acme") {
        assert_eq!(kstatus(&object), KStatus::Current, "{object}");
    }

    world.apply(&[identity("acme", "ada", "Research")]);
    world.wait_ready("acme", "identities.provost.dev/ada");
    let ada = world.get("acme", "identities.provost.dev/ada");
    assert_eq!(ada["status"]["observedGeneration"], 2, "{}", ada["status"]);

    // A leaver is disabled, by the manifest alone.
    let mut leaver = identity("acme", "bob", "Engineering");
    leaver["spec"]["lifecycle"] = json!({"suspended": true});
    world.apply(&[leaver]);
    world.wait_ready("acme", "identities.provost.dev/bob");
    assert!(!world.accounts().await["bob"]);

    // Idle: no object is written any more, not even with what it says already.
    let written = || (world.operator().status_writes(), versions(&world.objects("acme")));
    eventually("nothing is written for six renewals of the Lease", || {
        let first = written();
        world.heartbeats(6);
        (first == written()).then_some(())
    });
    world.check("acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_waits_for_its_resources_and_a_deleted_crd_removes_nothing() {
    let world = World::new(false).await;
    let waiting = eventually("it says what it waits for", || {
        let (code, text) = world.operator().get("/readyz");
        (code == 503 && text.contains("not installed")).then_some(text)
    });
    assert!(waiting.contains("identities.provost.dev"), "{waiting}");
    assert_eq!(world.operator().get("/healthz").0, 200, "waiting is not a reason to be restarted");

    world.cluster.install_crds();
    world.directory("acme", &["ada", "bob", "cyn"]);
    world.operator().ready();
    world.wait_ready("acme", "targetapplications.provost.dev/wiki");
    let before = world.accounts().await;
    assert_eq!(before.len(), 3);

    world.cluster.kubectl(&["delete", "crd", "identities.provost.dev", "--wait=true"]).ok();
    eventually("it has noticed", || {
        let (code, text) = world.operator().get("/readyz");
        (code == 503 && text.contains("identities.provost.dev")).then_some(())
    });
    world.heartbeats(5);
    assert_eq!(world.accounts().await, before, "a CRD that is gone is not a leaver");

    world.cluster.install_crds();
    world.apply(&["ada", "bob", "cyn"].map(|name| identity("acme", name, "Engineering")));
    for name in ["ada", "bob", "cyn"] {
        world.wait_ready("acme", &format!("identities.provost.dev/{name}"));
    }
    assert_eq!(world.accounts().await, before);
    world.check("acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_are_made_anew_while_the_operator_is_down_remove_nobody_until_that_is_acknowledged() {
    let mut world = World::new(true).await;
    world.directory("acme", &["ada", "bob"]);
    world.wait_ready("acme", "identities.provost.dev/ada");
    world.wait_ready("acme", "targetapplications.provost.dev/wiki");
    let before = world.accounts().await;
    assert_eq!(world.operator.take().unwrap().stop(), Some(0));
    world.cluster.kubectl(&["delete", "crd", "identities.provost.dev", "--wait=true"]).ok();
    world.cluster.install_crds();
    world.start();
    world.operator().ready();
    let message = eventually("the application says what is missing", || {
        let wiki = world.get("acme", "targetapplications.provost.dev/wiki");
        let ready = wiki["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == "Ready")?.clone();
        (ready["reason"] == "LedgerMismatch").then(|| ready["message"].as_str().unwrap().to_owned())
    });
    world.heartbeats(5);
    assert_eq!(world.accounts().await, before, "an Identity that went with its CRD has not been deleted");
    let mut acknowledged = world.application();
    acknowledged["safety"] = json!({"acknowledge": message.split_whitespace().last().unwrap()});
    acknowledged["sync"] = json!({"settle": {"removals": "1s"}});
    world.apply(&[object("acme", "TargetApplication", "wiki", acknowledged)]);
    let began = std::time::Instant::now();
    while world.accounts().await.values().any(|active| *active) {
        assert!(began.elapsed().as_secs() < 90, "acknowledged, and nobody goes\n{}", world.operator().process().tail());
        tokio::task::yield_now().await;
    }
    world.wait_ready("acme", "targetapplications.provost.dev/wiki");
    world.check("acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_where_it_is_wrong_and_blocks_nobody_else() {
    let world = World::new(true).await;
    world.directory("acme", &["ada"]);
    let broken = json!({"match": "identity.departmnt == 'x'", "grants": [{"application": "wiki"}]});
    let mut lacking = world.application();
    lacking["connector"]["scim"]["url"] = json!("https://wiki.acme.test/scim");
    lacking["connector"]["scim"]["auth"]["bearer"]["secretRef"]["name"] = json!("missing");
    world.apply(&[
        object("acme", "AccessPolicy", "broken", broken),
        object("acme", "TargetApplication", "lacking", lacking),
        object("acme", "Group", "team", json!({"members": [{"kind": "Identity", "name": "ada"}]})),
    ]);
    world.wait_ready("acme", "identities.provost.dev/ada");
    world.wait_ready("acme", "groups.provost.dev/team");
    let table = [
        ("accesspolicies.provost.dev/broken", KStatus::Failed, "InvalidExpression"),
        ("targetapplications.provost.dev/lacking", KStatus::InProgress, "SecretNotFound"),
        ("identities.provost.dev/ada", KStatus::Current, "Provisioned"),
        ("groups.provost.dev/team", KStatus::Current, "Synced"),
    ];
    for (what, expected, reason) in table {
        eventually(&format!("{what} is {expected:?} with reason {reason}"), || {
            let object = world.get("acme", what);
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let ready = conditions.iter().find(|c| c["type"] == "Ready")?.clone();
            (kstatus(&object) == expected && ready["reason"] == reason).then_some(())
        });
    }
    let message = world.get("acme", "accesspolicies.provost.dev/broken")["status"].to_string();
    assert!(message.contains("did you mean"), "{message}");
    // The Secret appears, and then its owner allows the host: nobody needs to touch the TargetApplication.
    let reason = |expected: &str| {
        eventually(&format!("lacking says {expected}"), || {
            let status = world.get("acme", "targetapplications.provost.dev/lacking")["status"].to_string();
            status.contains(expected).then_some(())
        });
    };
    let secret = ["create", "secret", "generic", "missing", "-n", "acme", "--from-literal=token=x"];
    world.cluster.kubectl(&secret).ok();
    reason("HostNotAllowed");
    let hosts = "provost.dev/allowed-hosts=wiki.acme.test";
    world.cluster.kubectl(&["annotate", "secret", "missing", "-n", "acme", hosts]).ok();
    reason("TargetUnreachable");
    world.check("acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_is_waited_for_and_its_identities_say_so() {
    let world = World::new(true).await;
    world.directory("acme", &["ada"]);
    world.wait_ready("acme", "identities.provost.dev/ada");
    world.wait_ready("acme", "targetapplications.provost.dev/wiki");
    let signal = |how: &str| {
        let pid = world.target.pid().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([how, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    world.apply(&[identity("acme", "bob", "Engineering")]);
    eventually("wiki is not reachable", || {
        let wiki = world.get("acme", "targetapplications.provost.dev/wiki");
        (wiki["status"].to_string().contains("TargetUnreachable") && kstatus(&wiki) == KStatus::InProgress)
            .then_some(())
    });
    let bob = world.get("acme", "identities.provost.dev/bob");
    assert_eq!(kstatus(&bob), KStatus::InProgress, "{}", bob["status"]);
    let ada = world.get("acme", "identities.provost.dev/ada");
    assert_eq!(kstatus(&ada), KStatus::Current, "what did not change is still as it was: {}", ada["status"]);
    signal("-CONT");
    // The answer to bob's create was lost: it is looked for over two visibility windows before anything is repeated.
    world.wait_ready("acme", "identities.provost.dev/bob");
    world.wait_ready("acme", "targetapplications.provost.dev/wiki");
    assert_eq!(world.accounts().await.len(), 2);
    world.check("acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_a_crash_and_an_outage_of_the_api_server_are_survived() {
    let mut world = World::new(true).await;
    world.directory("acme", &["ada"]);
    world.wait_ready("acme", "identities.provost.dev/ada");

    let status = world.operator.take().unwrap().stop();
    assert_eq!(status, Some(0), "a stop is no failure");
    world.start();
    world.operator().ready();
    world.apply(&[identity("acme", "bob", "Engineering")]);
    world.wait_ready("acme", "identities.provost.dev/bob");

    world.operator.take().unwrap().kill();
    world.apply(&[identity("acme", "cyn", "Engineering")]);
    world.start();
    world.wait_ready("acme", "identities.provost.dev/cyn");

    world.cluster.kill_api();
    world.cluster.start_api();
    world.apply(&[identity("acme", "dan", "Engineering")]);
    world.ready_in_the_end("dan");

    // Longer than the Lease lasts: whoever cannot renew it writes nothing.
    world.cluster.freeze_etcd(true);
    eventually("the operator has ended", || (!world.operator().process().runs()).then_some(()));
    world.cluster.freeze_etcd(false);
    eventually("the API server takes writes again", || {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [identity("acme", "eve", "Engineering")]});
        world.cluster.apply(&list.to_string()).success.then_some(())
    });
    world.ready_in_the_end("eve");
    assert_eq!(world.accounts().await.len(), 5);
    world.wait_ready("acme", "targetapplications.provost.dev/wiki");
    world.check("acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_goes_and_its_accounts_stay() {
    let world = World::new(true).await;
    world.directory("acme", &["ada", "bob"]);
    let mut application = world.application();
    application["deletionPolicy"] = json!("Deprovision");
    world.apply(&[object("acme", "TargetApplication", "wiki", application)]);
    world.wait_ready("acme", "identities.provost.dev/ada");
    world.wait_ready("acme", "identities.provost.dev/bob");
    let before = world.accounts().await;
    world.cluster.kubectl(&["delete", "namespace", "acme", "--wait=false"]).ok();
    world.cluster.kubectl(&["wait", "--for=delete", "namespace/acme", "--timeout=60s"]).ok();
    eventually("nothing is kept of it", || {
        let ended = world.operator().process().log().contains("the namespace is not watched any more");
        let (code, metrics) = world.operator().get("/metrics");
        (ended && code == 200 && !metrics.contains("namespace=\"acme\"")).then_some(())
    });
    assert_eq!(world.accounts().await, before, "deleting a namespace never deprovisions");

    // It comes back with less at first, as from a backup: that is waited for, and the ledger says whose the accounts are.
    let ids = world.ids().await;
    world.directory("acme", &["ada"]);
    world.heartbeats(3);
    assert_eq!(world.accounts().await, before, "who is not restored yet has not been deleted");
    world.apply(&[identity("acme", "bob", "Engineering")]);
    for what in ["identities.provost.dev/ada", "identities.provost.dev/bob", "targetapplications.provost.dev/wiki"] {
        world.wait_ready("acme", what);
    }
    assert_eq!((world.accounts().await, world.ids().await), (before, ids));
    eventually("it is counted again, some seconds later", || {
        let (_, metrics) = world.operator().get("/metrics");
        metrics.contains("provost_objects{namespace=\"acme\",kind=\"Identity\"} 2").then_some(())
    });
    world.check("acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_refused_removes_nobody_and_what_was_changed_meanwhile_follows() {
    let world = World::new(true).await;
    world.directory("acme", &["ada", "bob"]);
    world.wait_ready("acme", "identities.provost.dev/ada");
    world.wait_ready("acme", "identities.provost.dev/bob");
    let before = world.accounts().await;
    let all = world.cluster.kubectl(&["get", "clusterrolebindings", "-o", "json"]).json();
    let its = |one: &&Value| one["subjects"][0]["namespace"] == NAMESPACE;
    let mut bindings: Vec<Value> = all["items"].as_array().unwrap().iter().filter(its).cloned().collect();
    for binding in &mut bindings {
        let name = binding["metadata"]["name"].as_str().unwrap().to_owned();
        world.cluster.kubectl(&["delete", "clusterrolebinding", &name]).ok();
        binding["metadata"] = json!({"name": name});
    }
    // Watches that stand outlive their right.
    world.cluster.kill_api();
    world.cluster.start_api();
    eventually("it says that it may not list", || {
        let (code, text) = world.operator().get("/readyz");
        (code == 503 && text.contains("403 Forbidden")).then_some(())
    });
    world.cluster.kubectl(&["delete", "identities.provost.dev/ada", "-n", "acme"]).ok();
    world.heartbeats(3);
    assert_eq!(world.accounts().await, before, "who cannot be listed has not left");
    world.apply(&bindings);
    let began = std::time::Instant::now();
    while world.accounts().await.get("ada") != Some(&false) {
        assert!(began.elapsed().as_secs() < 120, "ada is not disabled\n{}", world.operator().process().tail());
        tokio::task::yield_now().await;
    }
    assert_eq!(world.accounts().await.get("bob"), Some(&true));
    world.wait_ready("acme", "targetapplications.provost.dev/wiki");
    world.check("acme");
}
