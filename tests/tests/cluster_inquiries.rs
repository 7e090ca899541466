//! `provost audit`, `held` and `ledger` against a running operator on a real API server, and against its file: who may ask,
//! what they are told, and what an order does at the target.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail the test"
)]

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tests::cluster::{Cluster, NAMESPACE, Operator, Options, Output, eventually};
use tests::servers::{Program, Running, TOKEN};

const PEOPLE: [&str; 8] = ["ada", "bob", "cyn", "dan", "eve", "fay", "gus", "hal"];

struct World {
    operator: Option<Operator>,
    kubeconfig: std::path::PathBuf,
    cluster: Cluster,
    target: Running,
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": "acme"}, "spec": spec})
}

impl World {
    async fn new() -> Self {
        let target = Program::scim2_server().require().start().await;
        let cluster = Cluster::start(Options { controllers: true });
        cluster.install_crds();
        let kubeconfig = Operator::install(&cluster, NAMESPACE, &[]);
        let mut world = Self { operator: None, kubeconfig, cluster, target };
        world.start();
        world.cluster.namespace("acme");
        let token = format!("--from-literal=token={TOKEN}");
        world.cluster.kubectl(&["create", "secret", "generic", "wiki", "-n", "acme", &token]).ok();
        let hosts = "provost.dev/allowed-hosts=127.0.0.1 localhost";
        world.cluster.kubectl(&["annotate", "secret", "wiki", "-n", "acme", hosts]).ok();
        let mut documents: Vec<Value> = PEOPLE
            .iter()
            .map(|name| object("Identity", name, json!({"userName": name, "externalId": format!("E-{name}")})))
            .collect();
        documents.push(object(
            "AccessPolicy",
            "staff",
            json!({"match": "true", "grants": [{"application": "wiki", "entitlements": ["editor"]}]}),
        ));
        documents.push(world.application(""));
        world.apply(&documents);
        world
            .cluster
            .kubectl(&[
                "wait",
                "--for=condition=Ready",
                "--all",
                "identities.provost.dev",
                "-n",
                "acme",
                "--timeout=80s",
            ])
            .ok();
        world
    }

    fn application(&self, approved: &str) -> Value {
        let auth = json!({"bearer": {"secretRef": {"name": "wiki", "key": "token"}}});
        let scim = json!({"url": self.target.url(), "allowInsecure": true, "auth": auth});
        object(
            "TargetApplication",
            "wiki",
            json!({
                "connector": {"scim": scim}, "sync": {"settle": {"removals": "1s"}},
                "deprovision": {"action": "Disable", "deleteAfter": "720h"}, "safety": {"approvedPlan": approved},
                "entitlements": [{"name": "editor", "target": {"group": {"name": "Editors", "create": true}}}],
            }),
        )
    }

    fn start(&mut self) {
        let data = self.cluster.folder().join("ledger");
        self.operator = Some(Operator::start(&self.cluster, &self.kubeconfig, NAMESPACE, &data, &[]));
        self.operator().ready();
    }

    fn operator(&self) -> &Operator {
        self.operator.as_ref().unwrap()
    }

    fn apply(&self, documents: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": documents});
        self.cluster.apply(&list.to_string()).ok();
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        self.operator().asked(&self.cluster, NAMESPACE, arguments)
    }

    /// Exit status and answer of `provost status`, which asks the API server alone.
    fn status(&self, more: &[&str]) -> (Option<i32>, String) {
        let mut command = std::process::Command::new(tests::cluster::binary());
        let output = command
            .args(["status", "-n", "acme"])
            .args(more)
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The answer of a question as JSON.
    fn answer(&self, arguments: &[&str]) -> Value {
        let said = self.ask(&[arguments, &["-o", "json"]].concat());
        assert!(said.err.is_empty(), "{arguments:?}: {}", said.err);
        serde_json::from_str::<Value>(&said.out).unwrap()["answer"].clone()
    }

    /// A ServiceAccount that may `verbs` these resources in the namespace acme alone.
    fn account(&self, name: &str, verbs: &str, resources: &str) {
        let system = NAMESPACE;
        self.cluster.kubectl(&["create", "serviceaccount", name, "-n", system]).ok();
        if !resources.is_empty() {
            let rules = format!("rules: [{{apiGroups: [provost.dev], resources: [{resources}], verbs: [{verbs}]}}]");
            let role = format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: {name}, namespace: acme}}\n{rules}\n---\n\
                 apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: {name}, namespace: acme}}\n\
                 roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}\n\
                 subjects: [{{kind: ServiceAccount, name: {name}, namespace: {system}}}]\n"
            );
            self.cluster.apply(&role).ok();
        }
    }

    fn token(&self, account: &str, audience: &str) -> String {
        let mut arguments = vec!["create", "token", account, "-n", NAMESPACE];
        let audience = format!("--audience={audience}");
        if audience != "--audience=" {
            arguments.push(&audience);
        }
        self.cluster.kubectl(&arguments).ok().trim().to_owned()
    }

    /// A request by hand: code and text.
    async fn raw(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let request = reqwest::Client::new().get(format!("http://{}{path}", self.operator().address()));
        let request = if let Some(token) = token { request.header("x-provost-token", token) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The user names at the target, with whether they are active.
    async fn active(&self, name: &str) -> Option<bool> {
        let url = format!("{}/Users?count=500", self.target.url());
        let answer = reqwest::Client::new().get(url).bearer_auth(TOKEN).send().await.unwrap();
        let list: Value = answer.json().await.unwrap();
        let users = list["Resources"].as_array().cloned().unwrap_or_default();
        let user = users.iter().find(|user| user["userName"] == name)?;
        Some(user["active"].as_bool().unwrap_or(true))
    }

    async fn becomes(&self, name: &str, wanted: Option<bool>) {
        for _ in 0..1800 {
            if self.active(name).await == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{name} never became {wanted:?} at the target\n{}", self.operator().process().tail());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_is_told_by_the_api_server() {
    let world = World::new().await;
    world.account("stranger", "", "");
    world.account("reader", "get", "journals, heldplans, ledgers");
    world.account("seer", "get", "journals, journals/values");
    let good = |account: &str| world.token(account, "provost.dev");
    let (stranger, reader, seer, auditor) = (good("stranger"), good("reader"), good("seer"), good("provost-auditor"));
    let other_audience = world.token("provost-auditor", "");
    let in_acme = "/v1/journal?namespace=acme";
    let table = [
        ("no token", in_acme, None, 401, "the header x-provost-token is missing"),
        ("nonsense", in_acme, Some("nonsense"), 401, "not authenticated"),
        ("a token for the API server", in_acme, Some(&*other_audience), 401, "--audience=provost.dev"),
        (
            "nobody's rights",
            in_acme,
            Some(&*stranger),
            403,
            "needs the verb \"get\" on journals.provost.dev in the namespace acme",
        ),
        ("nobody's rights on plans", "/v1/held?namespace=acme", Some(&*stranger), 403, "heldplans.provost.dev"),
        ("nobody's rights on ledgers", "/v1/ledger?namespace=acme", Some(&*stranger), 403, "ledgers.provost.dev"),
        ("a reader of acme", in_acme, Some(&*reader), 200, "CreateAccount"),
        ("a reader of acme", "/v1/held?namespace=acme", Some(&*reader), 200, "held"),
        ("a reader of acme", "/v1/ledger?namespace=acme", Some(&*reader), 200, "Active"),
        (
            "a reader of acme elsewhere",
            "/v1/journal?namespace=default",
            Some(&*reader),
            403,
            "in the namespace default",
        ),
        ("a reader of acme everywhere", "/v1/journal", Some(&*reader), 403, "in all namespaces"),
        (
            "a reader of values without the right",
            "/v1/journal?namespace=acme&values=true",
            Some(&*reader),
            403,
            "journals/values",
        ),
        ("with it", "/v1/journal?namespace=acme&values=true", Some(&*seer), 200, "CreateAccount"),
        ("the chart's auditor", "/v1/journal", Some(&*auditor), 200, "CreateAccount"),
    ];
    for (who, path, token, code, text) in table {
        let (found, said) = world.raw(path, token).await;
        assert!(found == code && said.contains(text), "{who}, {path}: {found} {said}");
        assert!(code == 200 || !said.contains("ada"), "{who}, {path}: {said}");
    }
    // Without the right to values none are told.
    let (_, said) = world.raw("/v1/ledger?namespace=acme", Some(&reader)).await;
    assert!(!said.contains("E-ada"), "{said}");
    assert!(world.raw("/v1/ledger?values=true", Some(&auditor)).await.1.contains("E-ada"));
    // An auditor gives no orders, and the command line says who may not.
    let order = ["ledger", "cancel-deletion", "ada", "wiki", "-n", "acme", "--service-account", "provost-auditor"];
    let said = world.ask(&order).refused();
    assert!(said.contains("needs the verb \"update\" on ledgers.provost.dev"), "{said}");
    let erase = ["audit", "forget", "ada", "-n", "acme", "--service-account", "provost-auditor"];
    let said = world.ask(&erase).refused();
    assert!(said.contains("needs the verb \"update\" on journals.provost.dev in the namespace acme"), "{said}");
    assert!(world.ask(&["audit", "forget", "ada"]).refused().contains("name the namespace"));
    assert!(world.raw(in_acme, Some(&auditor)).await.1.contains("ada"), "nothing was erased");
    let said = world.ask(&["audit", "-n", "acme", "--service-account", "nobody"]).refused();
    assert!(said.contains("no token of the ServiceAccount provost-system/nobody"), "{said}");
    assert!(!world.operator().process().log().contains(&auditor), "a token is in the log");
    an_unknown_application_is_refused(&world);
    through_the_api_server(&world).await;
}

fn an_unknown_application_is_refused(world: &World) {
    for command in ["audit", "ledger"] {
        let said = world.ask(&[command, "-n", "acme", "--application", "wikk"]).refused();
        assert!(said.contains("there is no TargetApplication wikk in namespace acme"), "{said}");
    }
}

/// The API server's proxy leads to the operator: without a kubelet its Service has the addresses that are put there.
async fn through_the_api_server(world: &World) {
    let Some(here) = own_address() else {
        // This machine has no address but the loopback, which the API server's proxy refuses.
        return;
    };
    let listener = tokio::net::TcpListener::bind((here, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let operator: SocketAddr = world.operator().address().parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut to) = tokio::net::TcpStream::connect(operator).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    // The proxy goes to addresses of Pods alone: what a kubelet and the endpoints controller would write is written here.
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "provost-0", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "provost", "image": "none"}]},
    });
    world.apply(&[pod]);
    let status =
        json!({"status": {"phase": "Running", "podIP": here.to_string(), "podIPs": [{"ip": here.to_string()}]}});
    let patch = ["patch", "pod", "provost-0", "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p"];
    world.cluster.kubectl(&[&patch[..], &[&status.to_string()]].concat()).ok();
    let target = json!({"kind": "Pod", "name": "provost-0", "namespace": NAMESPACE});
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "provost", "namespace": NAMESPACE},
        "subsets": [{"addresses": [{"ip": here.to_string(), "targetRef": target}], "ports": [{"name": "http", "port": port}]}],
    });
    world.apply(&[endpoints]);
    // A person with the chart's Role and nothing else.
    let role = ["create", "rolebinding", "ann", "-n", NAMESPACE, "--role=provost-auditor", "--serviceaccount=acme:ann"];
    world.cluster.kubectl(&["create", "serviceaccount", "ann", "-n", "acme"]).ok();
    world.cluster.kubectl(&role).ok();
    let ann = world.cluster.service_account("acme", "ann");
    let ask = |arguments: &[&str]| {
        let mut command = std::process::Command::new(tests::cluster::binary());
        let output = command.args(arguments).env("KUBECONFIG", &ann).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let said = eventually("the proxy finds the operator", || {
        let (done, out, err) = ask(&["audit", "-n", "acme", "--step", "CreateAccount"]);
        assert!(done || err.contains("refused (50"), "{err}");
        done.then_some(out)
    });
    assert!(PEOPLE.iter().all(|name| said.contains(name)), "{said}");
    let (done, _, err) = ask(&["ledger", "hasten-deletion", "ada", "wiki", "-n", "acme"]);
    assert!(!done && err.contains("forbidden"), "{err}");
}

/// An address of this machine that is not the loopback.
fn own_address() -> Option<Ipv4Addr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this only asks which address would be used.
    socket.connect("203.0.113.1:9").ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address) if !address.ip().is_loopback() && !address.ip().is_link_local() => Some(*address.ip()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_what_is_held_and_what_is_ours_are_told_and_orders_are_carried_out() {
    let mut world = World::new().await;
    let made = world.answer(&["audit", "-n", "acme", "--step", "CreateAccount"]);
    assert_eq!(made.as_array().unwrap().len(), 8, "{made}");
    assert_eq!(world.answer(&["audit", "--policy", "staff", "--step", "CreateAccount"]), made);
    assert_eq!(world.answer(&["audit", "--policy", "nobody"]), json!([]));
    assert_eq!(world.answer(&["audit", "--until", "2020-01-01T00:00:00Z"]), json!([]));
    let ada = world.answer(&["audit", "-n", "acme", "--identity", "ada", "--application", "wiki"]);
    let ada = ada.as_array().unwrap();
    assert_eq!(ada[0]["step"], "CreateAccount");
    assert_eq!(
        (&ada[0]["outcome"], &ada[0]["cause"], &ada[0]["detail"]),
        (&json!("Done"), &json!("staff"), &json!(null))
    );
    assert!(ada[0]["account"].is_string() && ada[0]["ended"].is_string(), "{ada:?}");
    assert!(ada.iter().any(|write| write["step"] == "AddMembers" && write["entitlement"] == "Editors"), "{ada:?}");
    let latest = world.answer(&["audit", "--limit", "1"]);
    assert_eq!(latest.as_array().unwrap().len(), 1);

    // Nobody is to have it any more: eight of eight are more than may go.
    assert_eq!(world.ask(&["held", "-n", "acme"]).out, "nothing of namespace acme is held\n");
    let mut policy = object(
        "AccessPolicy",
        "staff",
        json!({"match": "false", "grants": [{"application": "wiki", "entitlements": ["editor"]}]}),
    );
    world.apply(&[policy.clone()]);
    let held = eventually("the removal is held", || {
        let found = world.answer(&["held", "-n", "acme"]);
        found["held"].as_array().is_some_and(|held| !held.is_empty()).then_some(found)
    });
    let plan = &held["held"][0];
    let status =
        world.cluster.kubectl(&["get", "targetapplications.provost.dev", "wiki", "-n", "acme", "-o", "json"]).json();
    assert_eq!(plan["hash"], status["status"]["heldPlans"][0]["hash"], "{status}");
    assert_eq!(plan["counts"]["DisableAccount"], 8, "{held}");
    let hash = plan["hash"].as_str().unwrap().to_owned();
    let text = world.ask(&["held", "-n", "acme"]);
    assert!(!text.success, "held plans are findings");
    for wanted in [
        "disable 8 accounts",
        "whose    ada, bob, cyn",
        "8 identities lose something, of 8 accounts; allowed are 5 in",
        "AccessPolicy staff (generation 2), which does",
        &format!("approve  spec.safety.approvedPlan:\n           {hash}"),
    ] {
        assert!(text.out.contains(wanted), "{wanted} not in {}", text.out);
    }
    world.apply(&[world.application(&hash)]);
    for name in PEOPLE {
        world.becomes(name, Some(false)).await;
    }
    let released = eventually("the journal has all eight", || {
        let found = world.answer(&["audit", "--plan", &hash[..12], "--step", "DisableAccount"]);
        (found.as_array().unwrap().iter().filter(|write| write["outcome"] == "Done").count() == 8).then_some(found)
    });
    assert!(released.as_array().unwrap().iter().all(|write| write["plan"] == *hash), "{released}");

    // The ledger: retained for thirty days, unless somebody says otherwise.
    let retained = world.answer(&["ledger", "-n", "acme", "--retained"]);
    assert_eq!(retained.as_array().unwrap().len(), 8, "{retained}");
    assert!(retained[0]["deleteAt"].is_string() && retained[0]["userName"].is_null(), "{retained}");
    assert_eq!(world.answer(&["ledger", "--identity", "ada", "--values"])[0]["userName"], "ada");
    let said = world.ask(&["ledger", "hasten-deletion", "bob", "wiki", "-n", "acme"]).ok();
    assert!(said.starts_with("the account of bob in wiki is deleted now: its date was "), "{said}");
    world.becomes("bob", None).await;
    let said = world.ask(&["ledger", "cancel-deletion", "cyn", "wiki", "-n", "acme"]).ok();
    assert!(said.starts_with("the account of cyn in wiki is kept: it was to be deleted on"), "{said}");
    let cyn = eventually("cyn's deletion is cancelled", || {
        let found = world.answer(&["ledger", "-n", "acme", "--identity", "cyn"]);
        (found[0]["kept"] == true).then_some(found)
    });
    assert_eq!((&cyn[0]["deleteAt"], &cyn[0]["state"]), (&json!(null), &json!("Retained")));
    let text = world.ask(&["ledger", "-n", "acme"]).ok();
    assert!(text.contains("kept: cancelled"), "{text}");
    it_is_told_who_ordered_it(&world);
    let nowhere = world.ask(&["ledger", "cancel-deletion", "cyn", "chat", "-n", "acme"]).refused();
    assert!(nowhere.contains("no TargetApplication chat in acme"), "{nowhere}");

    what_the_journal_has_of_hal_is_erased(&world);
    let (status, said) = world.status(&[]);
    assert!(status == Some(0) && !said.contains("no operator is running"), "{said}");
    where_no_lease_is_nobody_knows(&world);
    a_file_is_asked_like_a_running_operator(&mut world);
    let (status, said) = world.status(&[]);
    assert!(status == Some(1) && said.starts_with("no operator is running: nobody holds the Lease"), "{said}");

    // Back at work, a re-hire has the account that was kept; a Plan's foreseen steps are told.
    world.start();
    policy["spec"]["match"] = json!("identity.userName == \"cyn\"");
    world.apply(&[policy.clone()]);
    world.becomes("cyn", Some(true)).await;
    let mut planning = world.application("");
    planning["spec"]["mode"] = json!("Plan");
    policy["spec"]["match"] = json!("identity.userName in [\"cyn\", \"dan\"]");
    world.apply(&[planning, policy]);
    let foreseen = eventually("mode Plan would enable dan", || {
        let found = world.answer(&["held", "-n", "acme", "--all"]);
        let dan = found["planned"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["identity"] == "dan" && step["step"] == "EnableAccount");
        dan.then_some(found)
    });
    assert_eq!(foreseen["held"], json!([]));
    assert_eq!(world.active("dan").await, Some(false));
}

/// In an event and in the log, where it was accepted.
fn it_is_told_who_ordered_it(world: &World) {
    let gone = world.ask(&["ledger", "cancel-deletion", "zoe", "wiki", "-n", "acme"]).refused();
    assert!(gone.contains("zoe has no account in wiki that is retained"), "{gone}");
    let steward = "system:serviceaccount:provost-system:provost-steward";
    let message = format!("the deletion was hastened of the account of bob, ordered by {steward}");
    eventually("an event says who ordered it", || {
        let events = world.cluster.kubectl(&["get", "events.events.k8s.io", "-n", "acme", "-o", "json"]).json();
        events["items"].as_array()?.iter().any(|event| event["note"] == *message).then_some(())
    });
    let log = world.operator().process().log();
    let ordered: Vec<_> = log.lines().filter(|line| line.contains("ordered") && line.contains("identity")).collect();
    let is_told = |line: &str| ["wiki", "Hasten", steward].iter().all(|word| line.contains(word));
    assert!(ordered.iter().any(|line| line.contains("bob") && is_told(line)), "{ordered:?}");
    assert!(!ordered.iter().any(|line| line.contains("zoe")), "one that is refused is not told: {ordered:?}");
}

/// That something was done stays, and that he was erased is told.
fn what_the_journal_has_of_hal_is_erased(world: &World) {
    let before = world.answer(&["audit", "-n", "acme"]).as_array().unwrap().len();
    let said = world.ask(&["audit", "forget", "hal", "-n", "acme"]).refused();
    assert!(said.contains("hal is still declared: ") && said.contains("or now with --yes"), "{said}");
    let said = world.ask(&["audit", "forget", "hal", "-n", "acme", "--yes"]).ok();
    assert!(said.contains("hal is erased from ") && said.contains("account in wiki, until that is deleted"), "{said}");
    let after = world.answer(&["audit", "-n", "acme"]);
    assert!(!after.to_string().contains("hal") && after.as_array().unwrap().len() == before + 1, "{after}");
    let steward = " entries by system:serviceaccount:provost-system:provost-steward";
    assert!(
        after[before]["step"] == "Forget" && after[before]["cause"].as_str().unwrap().ends_with(steward),
        "{after}"
    );
    let log = world.operator().process().log();
    let line = log.lines().find(|line| line.contains("an identity was erased from the journal"));
    assert!(line.is_some_and(|line| !line.contains("hal")), "{line:?}");
}

fn where_no_lease_is_nobody_knows(world: &World) {
    let (status, said) = world.status(&["--operator-namespace", "iam", "-o", "wide"]);
    assert!(status == Some(0) && said.starts_with("no Lease iam/provost is there: no operator runs, or"), "{said}");
}

/// And not while one runs.
fn a_file_is_asked_like_a_running_operator(world: &mut World) {
    let all = world.answer(&["audit", "-n", "acme"]);
    let file = world.cluster.folder().join("ledger/provost.redb");
    let file = file.to_str().unwrap();
    let of_file = |arguments: &[&str]| {
        let output = std::process::Command::new(tests::cluster::binary())
            .args(arguments)
            .args(["--store", file])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (status, _, err) = of_file(&["audit"]);
    assert!(status == Some(2) && err.contains("an operator is using it; leave --store out to ask that one"), "{err}");
    world.operator.take().unwrap().stop();
    let (status, out, err) = of_file(&["audit", "-n", "acme", "-o", "json"]);
    assert_eq!(status, Some(0), "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["answer"], all);
    let (_, out, _) = of_file(&["ledger", "--retained", "-o", "name"]);
    assert!(out.contains("identity.provost.dev/cyn\n") && !out.contains("zoe"), "{out}");
    assert_eq!(of_file(&["held"]).1, "nothing is held\n");
    let (status, _, err) = of_file(&["held", "--all"]);
    assert!(status == Some(2) && err.contains("a running operator alone"), "{err}");
}
