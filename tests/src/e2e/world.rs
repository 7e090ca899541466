use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use provost_core::report::kstatus::{KStatus, broken, kstatus};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Operator, Options, Output};
use crate::servers::CANARIES;

/// How long anything is waited for. Only a failure takes so long.
const DEADLINE: Duration = Duration::from_mins(5);

/// Longer than the ten seconds in which a status is written once.
const QUIET: Duration = Duration::from_secs(11);

/// The four kinds, by the names that nobody else has.
const KINDS: &str =
    "identities.provost.dev,groups.provost.dev,accesspolicies.provost.dev,targetapplications.provost.dev";

/// A namespace with an operator of its own.
#[derive(Debug)]
pub struct World {
    // Dropped first: it is not to see its API server end.
    operator: Option<Operator>,
    /// The API server, where it is not the one of the whole binary.
    own: Option<Cluster>,
    namespace: String,
    kubeconfig: PathBuf,
    data: PathBuf,
    /// What operators that are gone have said.
    said: String,
    log: &'static str,
}

impl World {
    /// Starts an operator for a new namespace of this name.
    pub fn new(namespace: &str) -> Self {
        Self::logging(namespace, "info")
    }

    /// The same, with more in the log.
    pub fn logging(namespace: &str, log: &'static str) -> Self {
        Self::build(namespace, log, None)
    }

    /// The same, with an API server of its own, for a test that takes resources away.
    pub fn alone(namespace: &str) -> Self {
        let own = Cluster::start(Options { controllers: true });
        own.install_crds();
        Self::build(namespace, "info", Some(own))
    }

    fn build(namespace: &str, log: &'static str, own: Option<Cluster>) -> Self {
        let cluster = own.as_ref().unwrap_or_else(|| Cluster::with_crds());
        cluster.namespace(namespace);
        // Who has an API server alone watches all of it.
        let namespaces = if own.is_none() { vec![namespace] } else { Vec::new() };
        let kubeconfig = Operator::install(cluster, &format!("{namespace}-system"), &namespaces);
        let data = cluster.folder().join(format!("ledger-{namespace}"));
        let namespace = namespace.to_owned();
        let mut world = Self { operator: None, own, namespace, kubeconfig, data, said: String::new(), log };
        world.start();
        world.operator().ready();
        world
    }

    /// Starts the operator, with the ledger that is there.
    pub fn start(&mut self) {
        let mut arguments = vec![format!("--log={}", self.log)];
        if self.own.is_none() {
            arguments.push(format!("--namespace={}", self.namespace));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let system = format!("{}-system", self.namespace);
        self.operator = Some(Operator::start(self.cluster(), &self.kubeconfig, &system, &self.data, &arguments));
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(operator) = self.operator.take() {
            let log = operator.process().log_path();
            operator.kill();
            self.said += &std::fs::read_to_string(log).unwrap_or_default();
        }
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&mut self) {
        if let Some(operator) = self.operator.take() {
            let log = operator.process().log_path();
            operator.stop();
            self.said += &std::fs::read_to_string(log).unwrap_or_default();
        }
    }

    /// The API server.
    pub fn cluster(&self) -> &Cluster {
        self.own.as_ref().unwrap_or_else(|| Cluster::with_crds())
    }

    /// The one that runs.
    pub fn operator(&self) -> &Operator {
        self.operator.as_ref().expect("an operator runs")
    }

    /// Where the ledger is.
    pub fn ledger(&self) -> PathBuf {
        self.data.join("provost.redb")
    }

    /// All that its operators have said until now.
    pub fn said(&self) -> String {
        let now = self.operator.as_ref().map(|operator| operator.process().log()).unwrap_or_default();
        format!("{}{now}", self.said)
    }

    /// The journal's lines until now.
    pub fn journal(&self) -> Vec<Value> {
        let said = self.said();
        let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("intent").is_some() && line.get("step").is_some()).collect()
    }

    /// kubectl in the namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        let all: Vec<&str> = ["-n", &self.namespace].iter().chain(arguments).copied().collect();
        self.cluster().kubectl(&all)
    }

    /// Applies manifests, server-side: one request each, and people last, so that nobody is Ready for want of policies.
    pub fn apply(&self, manifests: &[Value]) {
        let (people, rest): (Vec<_>, Vec<_>) = manifests.iter().partition(|manifest| manifest["kind"] == "Identity");
        let items: Vec<&Value> = rest.into_iter().chain(people).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        let arguments = ["apply", "--server-side", "-n", &self.namespace, "-f", "-"];
        self.cluster().kubectl_with(&arguments, &list.to_string()).ok();
    }

    /// Merges a patch into an object.
    pub fn patch(&self, object: &str, patch: &Value) {
        self.kubectl(&["patch", object, "--type=merge", "-p", &patch.to_string()]).ok();
    }

    /// Asks for a full sync of an application, under a word that was not used before.
    pub fn reconcile_now(&self, application: &str, word: &str) {
        let object = format!("targetapplications.provost.dev/{application}");
        self.kubectl(&["annotate", "--overwrite", &object, &format!("provost.dev/reconcile-now={word}")]).ok();
    }

    /// An object as it is now.
    pub fn get(&self, object: &str) -> Value {
        self.kubectl(&["get", object, "-o", "json"]).json()
    }

    /// All objects of ours.
    pub fn objects(&self) -> Vec<Value> {
        self.kubectl(&["get", KINDS, "-o", "json"]).json()["items"].as_array().cloned().unwrap_or_default()
    }

    /// `kubectl wait --for=condition=Ready`.
    pub fn wait_ready(&self, object: &str) {
        let said = self.kubectl(&["wait", "--for=condition=Ready", "--timeout=300s", object]);
        let now = || self.get(object)["status"].clone();
        assert!(said.success, "{}\n{}\n{}", said.err, now(), self.operator().process().tail());
    }

    /// `kubectl wait` for everything.
    pub fn all_ready(&self) {
        let said = self.kubectl(&["wait", "--for=condition=Ready", "--all", KINDS, "--timeout=300s"]);
        let table = || self.kubectl(&["get", KINDS]).out;
        assert!(said.success, "{}\n{}\n{}", said.err, table(), self.operator().process().tail());
    }

    /// Waits until every object is Ready, for as long as their number grows. `kubectl wait` asks for each object by itself,
    /// which takes longer for a thousand of them than they take.
    pub async fn many_ready(&self) {
        let (mut left, mut since) = (usize::MAX, Instant::now());
        while left > 0 {
            let objects = self.objects();
            let waiting: Vec<&Value> = objects.iter().filter(|object| kstatus(object) != KStatus::Current).collect();
            if waiting.len() != left {
                (left, since) = (waiting.len(), Instant::now());
            }
            if since.elapsed() > DEADLINE {
                let named = |object: &&Value| format!("{}: {}", object["metadata"]["name"], object["status"]);
                let some: Vec<String> = waiting.iter().take(3).map(named).collect();
                panic!("{left} objects are not Ready, {}\n{}", some.join("\n"), self.operator().process().tail());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Waits until Ready of an object has a reason; the object then.
    pub async fn reason(&self, object: &str, reason: &str) -> Value {
        let began = Instant::now();
        loop {
            let found = self.get(object);
            if ready_reason(&found) == reason {
                return found;
            }
            assert!(
                began.elapsed() < DEADLINE,
                "{object} never has the reason {reason}: {}\n{}",
                found["status"],
                self.operator().process().tail()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Two looks, some seconds apart, that find every object the same; what they are then.
    pub async fn settled(&self) -> BTreeMap<String, String> {
        until("the statuses have settled", async || {
            let first = versions(&self.objects());
            tokio::time::sleep(QUIET).await;
            (first == versions(&self.objects())).then_some(first)
        })
        .await
    }

    /// What holds at the end of every test: the rules of conditions, nobody twice in a journal line, and no credential anywhere.
    pub fn check(&self) {
        for object in self.objects() {
            let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
            assert_eq!(broken(&object), Vec::<String>::new(), "{name}: {}", object["status"]);
        }
        for line in self.journal() {
            let mut names: Vec<String> =
                line["identities"].as_array().into_iter().flatten().map(ToString::to_string).collect();
            let all = names.len();
            names.sort();
            names.dedup();
            assert_eq!(all, names.len(), "a journal line has somebody twice: {line}");
        }
        for (place, text) in self.places() {
            let found = CANARIES.into_iter().find(|canary| text.contains(canary));
            assert_eq!(found, None, "{place} has a credential");
        }
    }

    /// Every text that the operator leaves anywhere, apart from the ledger's file, which only an operator that has ended
    /// leaves whole.
    pub fn places(&self) -> Vec<(&'static str, String)> {
        let objects = self.objects().iter().map(ToString::to_string).collect();
        let events = self.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).ok();
        let (code, metrics) = self.operator().get("/metrics");
        assert_eq!(code, 200, "{metrics}");
        let (_, ready) = self.operator().get("/readyz");
        vec![
            ("the log", self.said()),
            ("an object", objects),
            ("an event", events),
            ("/metrics", metrics),
            ("/readyz", ready),
        ]
    }
}

/// The `Ready` condition, or another one.
pub fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

/// The reason of `Ready`, as of the present generation.
pub fn ready_reason(object: &Value) -> String {
    let ready = condition(object, "Ready");
    if ready["observedGeneration"] != object["metadata"]["generation"] {
        return String::new();
    }
    ready["reason"].as_str().unwrap_or_default().to_owned()
}

/// Kinds and names, and their resource versions: equal ones were not written in between.
pub fn versions(objects: &[Value]) -> BTreeMap<String, String> {
    let entry = |object: &Value| {
        let meta = &object["metadata"];
        (format!("{}/{}", object["kind"], meta["name"]).replace('"', ""), meta["resourceVersion"].to_string())
    };
    objects.iter().map(entry).collect()
}

/// Waits until something is so, and says what was waited for if it never is.
///
/// # Panics
/// After two and a half minutes.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "waited {} s in vain until {what}", DEADLINE.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
