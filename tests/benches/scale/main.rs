//! The figures of docs/performance.md that need a whole operator: a real API server, the operator as a process of its own
//! and 20 applications in this one.
//!
//! `make bench-scale [PEOPLE=100000]`. Ten thousand people take about ten minutes on two cores.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark that cannot go on fails; it reports by printing"
)]

mod shelf;
#[allow(dead_code, reason = "the other benchmark has rows of other kinds")]
#[path = "../figures/table.rs"]
mod table;

use std::time::{Duration, Instant};

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams};
use provost_core::report::kstatus::{KStatus, kstatus};
use serde_json::{Value, json};
use tests::e2e::{Application, World, group, identity, object, policy};
use tests::servers::TOKEN;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

use shelf::{Shelf, Written};
use table::Table;

const APPLICATIONS: usize = 20;
const DEPARTMENTS: usize = 20;
/// Of the applications, those in which everybody's department is a group too.
const WITH_GROUPS: usize = 5;
/// Edits of one kind, each of somebody else.
const EDITS: usize = 100;
/// How long anything is waited for.
const LONGEST: Duration = Duration::from_hours(2);

struct Scale {
    people: usize,
    world: World,
    shelves: Vec<Shelf>,
    written: UnboundedReceiver<Written>,
    client: kube::Client,
}

#[tokio::main]
async fn main() {
    let people = std::env::var("PEOPLE").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    assert!(people >= 3 * EDITS, "each edit is of somebody else: PEOPLE={} at least", 3 * EDITS);
    let (sender, written) = unbounded_channel();
    let mut shelves = Vec::new();
    for _ in 0..APPLICATIONS {
        shelves.push(Shelf::start(sender.clone()).await);
    }
    let world = World::alone("scale");
    let kubeconfig = world.cluster().kubeconfig();
    let client = provost_kubernetes::client::connect(Some(kubeconfig), None).await.unwrap();
    let mut scale = Scale { people, world, shelves, written, client };
    let mut table = Table::default();
    scale.declare().await;
    scale.converge(&mut table).await;
    scale.edits(&mut table).await;
    scale.restart(&mut table).await;
    println!("\n{people} people, {APPLICATIONS} applications, {} memberships\n{table}", people * WITH_GROUPS);
}

fn person(at: usize) -> String {
    format!("person-{at:06}")
}

fn say(what: &str) {
    eprintln!("{what}");
}

impl Scale {
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("provost.dev", "v1alpha1", kind));
        Api::namespaced_with(self.client.clone(), "scale", &resource)
    }

    /// Everything but the people first, as somebody does who begins with Provost.
    async fn declare(&self) {
        let mut all = Vec::new();
        let departments: Vec<String> = (0..DEPARTMENTS).map(|at| format!("department-{at}")).collect();
        for (at, shelf) in self.shelves.iter().enumerate() {
            let name = format!("app-{at:02}");
            let entitlements: Vec<&str> = departments.iter().filter(|_| at < WITH_GROUPS).map(String::as_str).collect();
            let application = Application::new(&name, &shelf.url(), &entitlements);
            all.extend([application.secret(TOKEN, "127.0.0.1"), application.manifest()]);
            all.push(policy(&name, "identity.type == \"Person\"", &name, &[]));
            all.extend(entitlements.into_iter().map(|department| {
                let grants = json!([{"application": name, "entitlements": [department]}]);
                let subjects = json!([{"kind": "Group", "name": department}]);
                object(
                    "AccessPolicy",
                    &format!("{name}-{department}"),
                    &json!({"subjects": subjects, "grants": grants}),
                )
            }));
        }
        let rule = |name: &String| group(name, &json!({"match": format!("identity.department == \"{name}\"")}));
        all.extend(departments.iter().map(rule));
        self.world.apply(&all);
        let api = self.api("Identity");
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for lane in 0..16 {
            let (api, people) = (api.clone(), self.people);
            tasks.spawn(async move {
                for at in (lane..people).step_by(16) {
                    let manifest = identity(&person(at), &format!("department-{}", at % DEPARTMENTS));
                    api.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        say(&format!("people declared in {:.1} s", began.elapsed().as_secs_f64()));
    }

    /// Until every account is there and everybody is Ready.
    async fn converge(&mut self, table: &mut Table) {
        let began = Instant::now();
        self.wait("every account is there", async |scale: &Self| {
            let accounts: usize = scale.shelves.iter().map(Shelf::accounts).sum();
            let memberships: usize = scale.shelves.iter().map(Shelf::memberships).sum();
            (accounts, memberships) == (scale.people * APPLICATIONS, scale.people * WITH_GROUPS)
        })
        .await;
        table.shown("from the last manifest to the last account and membership", began.elapsed().as_secs_f64(), "s");
        self.wait("everybody is Ready", async |scale: &Self| scale.waiting().await == 0).await;
        table.shown("  until every object says Ready", began.elapsed().as_secs_f64(), "s");
        self.memory(table, "resident memory of the operator, everything declared");
    }

    /// What is resident now, and was at most.
    fn memory(&self, table: &mut Table, what: &str) {
        let status = format!("/proc/{}/status", self.world.operator().process().pid());
        let status = std::fs::read_to_string(status).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
        };
        table.below(what, of("VmRSS:"), 1024.0, "MiB");
        table.below("  at most until then", of("VmHWM:"), 1024.0, "MiB");
    }

    /// Objects that are not Ready.
    async fn waiting(&self) -> usize {
        let mut waiting = 0;
        for kind in ["TargetApplication", "Group", "AccessPolicy", "Identity"] {
            let found = self.listed(kind).await;
            waiting += found.iter().filter(|object| kstatus(object) != KStatus::Current).count();
            if waiting > 0 {
                break;
            }
        }
        waiting
    }

    /// All of a kind, in pages, as any client lists them.
    async fn listed(&self, kind: &str) -> Vec<Value> {
        let (api, mut found, mut pages) = (self.api(kind), Vec::new(), ListParams::default().limit(500));
        loop {
            let page = api.list(&pages).await.unwrap();
            found.extend(page.items.iter().map(|object| serde_json::to_value(object).unwrap()));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => pages = pages.continue_token(&token),
                None => return found,
            }
        }
    }

    async fn wait(&self, what: &str, mut so: impl AsyncFnMut(&Self) -> bool) {
        let began = Instant::now();
        while !so(self).await {
            assert!(began.elapsed() < LONGEST, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// One edit at a time: while nothing else is to do, and while every application is listed without a pause.
    async fn edits(&mut self, table: &mut Table) {
        let mut somebody = 0..self.people;
        let title = |_: usize| json!({"spec": {"title": "Engineer"}});
        let idle = self.many(&mut somebody, title).await;
        show(table, "edited while idle, to the first byte at a target", &idle.first, (50.0, 250.0));
        show(table, "  to the last of all applications", &idle.last, (f64::NAN, f64::NAN));
        let syncing = self.sync_on();
        let during = self.many(&mut somebody, title).await;
        show(table, "edited during full syncs, to the first byte", &during.first, (f64::NAN, 1000.0));
        let leaving = self.many(&mut somebody, |_| json!({"spec": {"lifecycle": {"suspended": true}}})).await;
        show(table, "suspended during full syncs, to the last account disabled", &leaving.last, (f64::NAN, 5000.0));
        syncing.abort();
        let pages: usize = self.shelves.iter().map(Shelf::lists).sum();
        table.shown("  pages that these full syncs read", pages as f64, "");
        self.memory(table, "resident memory of the operator, after these");
    }

    /// Asks for a full sync of every application, again and again.
    fn sync_on(&self) -> JoinHandle<()> {
        let api = self.api("TargetApplication");
        tokio::spawn(async move {
            for word in 0.. {
                let word = format!("sync-{word}");
                let patch = json!({"metadata": {"annotations": {"provost.dev/reconcile-now": word}}});
                for at in 0..APPLICATIONS {
                    let name = format!("app-{at:02}");
                    api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
                }
                let mut handled = false;
                while !handled {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    let all = api.list(&ListParams::default()).await.unwrap();
                    handled = all.items.iter().all(|object| object.data["status"]["lastHandledReconcileAt"] == word);
                }
            }
        })
    }

    async fn many(&mut self, somebody: &mut std::ops::Range<usize>, patch: impl Fn(usize) -> Value) -> Latency {
        let api = self.api("Identity");
        let mut latency = Latency::default();
        for at in somebody.by_ref().take(EDITS) {
            let (name, patch) = (person(at), patch(at));
            let leaves = patch.pointer("/spec/lifecycle").is_some();
            while self.written.try_recv().is_ok() {}
            let began = Instant::now();
            api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
            let (mut seen, mut first) = (0, Duration::MAX);
            let mut last = Duration::ZERO;
            while seen < APPLICATIONS {
                let written = tokio::time::timeout(LONGEST, self.written.recv()).await.unwrap().unwrap();
                if written.who == name && written.active != leaves {
                    seen += 1;
                    let after = written.at.duration_since(began);
                    (first, last) = (first.min(after), last.max(after));
                }
            }
            latency.first.push(first);
            latency.last.push(last);
        }
        latency
    }

    /// Stops the operator, lists what it has to list, and starts it again.
    async fn restart(&mut self, table: &mut Table) {
        self.world.stop();
        let began = Instant::now();
        for kind in ["TargetApplication", "Group", "AccessPolicy", "Identity"] {
            self.listed(kind).await;
        }
        let bare = began.elapsed().as_secs_f64();
        let began = Instant::now();
        self.world.start();
        self.world.operator().ready();
        let ready = began.elapsed().as_secs_f64();
        table.shown("all objects listed in pages of 500 by a bare client", bare, "s");
        table.shown("the operator started again, until it is ready", ready, "s");
        table.below("  of the bare client's time", ready / bare, 1.5, "");
    }
}

#[derive(Default)]
struct Latency {
    first: Vec<Duration>,
    last: Vec<Duration>,
}

/// The median and the 99th of a hundred, in milliseconds, and below what they are to be.
fn show(table: &mut Table, what: &str, found: &[Duration], (p50, p99): (f64, f64)) {
    let mut sorted: Vec<f64> = found.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    sorted.sort_by(f64::total_cmp);
    for (name, share, bound) in [("p50", 50, p50), ("p99", 99, p99)] {
        let measured = sorted[(sorted.len() * share / 100).min(sorted.len() - 1)];
        let what = format!("{what}, {name}");
        if bound.is_nan() { table.shown(what, measured, "ms") } else { table.below(what, measured, bound, "ms") }
    }
}
