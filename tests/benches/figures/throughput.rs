//! Accounts created at scim2-server: engine, connector and store on disk, beside a bare client that sends the same body
//! to a fresh server of its own, at the same concurrency, in turns.

use std::collections::VecDeque;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provost_core::engine::{Answer, Effect, Engine, EngineEffect, EngineEvent};
use provost_core::model::{Change, Field, GrantWhat, Step};
use serde_json::json;
use tests::drive::{Parts, store};
use tests::servers::{Program, Running, TOKEN, connected_as};
use tokio::sync::mpsc::unbounded_channel;

use crate::table::Table;
use crate::world;

const ACCOUNTS: usize = 800;
const TURNS: usize = 2;
/// Creates in one bulk request of the bare client.
const TOGETHER: usize = 32;

pub fn measure(table: &mut Table) {
    let server = tests::servers::cache().join("scim-venv/bin/scim2-server");
    if !server.exists() {
        return table.missing("throughput at scim2-server", "make setup builds it");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for concurrency in [1, 8] {
        let (mut bare, mut bulk, mut ours, mut alone) =
            (Run::default(), Run::default(), Run::default(), Run::default());
        for _ in 0..TURNS {
            bare.add(&runtime.block_on(bare_client(concurrency, 1)));
            bulk.add(&runtime.block_on(bare_client(concurrency, TOGETHER)));
            ours.add(&runtime.block_on(operator(concurrency, "Auto", ACCOUNTS, true)));
            alone.add(&runtime.block_on(operator(concurrency, "Never", ACCOUNTS, true)));
        }
        let at = |who: &str| format!("scim2-server, {concurrency} at once: accounts created by {who}");
        table.shown(at("a bare client"), bare.rate(), "1/s");
        table.shown(at("a bare client, 32 by bulk"), bulk.rate(), "1/s");
        table.shown(at("engine, connector and store"), ours.rate(), "1/s");
        table.at_least("  of the bare client's rate", ours.rate() / bare.rate(), 0.9, "");
        table.shown("  of the bare client's rate by bulk", ours.rate() / bulk.rate(), "");
        table.shown(at("the same with bulk: Never"), alone.rate(), "1/s");
        table.at_least("  of the bare client's rate", alone.rate() / bare.rate(), 0.9, "");
        let (bare, ours) = (bare.cpu(), ours.cpu());
        table.shown("  processor time of the bare client, of what it and the server use", bare, "%");
        table.shown("  processor time of engine, connector and store, the same", ours, "%");
    }
}

/// What one side took.
#[derive(Default)]
pub struct Run {
    accounts: usize,
    time: Duration,
    /// Ticks of the processor: this process, the server's.
    own: u64,
    server: u64,
}

impl Run {
    pub fn add(&mut self, other: &Self) {
        self.accounts += other.accounts;
        self.time += other.time;
        self.own += other.own;
        self.server += other.server;
    }

    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.accounts as f64 / self.time.as_secs_f64()
    }

    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn cpu(&self) -> f64 {
        100.0 * self.own as f64 / (self.own + self.server).max(1) as f64
    }
}

/// User and system time of a process, in ticks (`man 5 proc`, fields 14 and 15 of `stat`).
fn ticks(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Reads the clocks before and after.
struct Meter {
    server: String,
    start: Instant,
    own: u64,
    others: u64,
}

impl Meter {
    fn start(server: &Running) -> Self {
        let server = server.pid().unwrap().to_string();
        Self { own: ticks("self"), others: ticks(&server), server, start: Instant::now() }
    }

    fn stop(&self) -> Run {
        let time = self.start.elapsed();
        Run { accounts: ACCOUNTS, time, own: ticks("self") - self.own, server: ticks(&self.server) - self.others }
    }
}

async fn bare_client(concurrency: u32, together: usize) -> Run {
    let server = Program::scim2_server().start().await;
    let client = reqwest::Client::new();
    let url = server.url();
    let next = Arc::new(Mutex::new(0..ACCOUNTS));
    let meter = Meter::start(&server);
    let one = |_| {
        let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let some: Vec<usize> = next.lock().unwrap().by_ref().take(together).collect();
                match some.as_slice() {
                    [] => break,
                    [at] => {
                        let account = post(&client, &format!("{url}/Users"), &body(*at), 201).await;
                        assert!(account["id"].is_string());
                    }
                    several => {
                        let create = |at: &usize| json!({"method": "POST", "path": "/Users", "bulkId": at.to_string(), "data": body(*at)});
                        let all: Vec<_> = several.iter().map(create).collect();
                        let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
                        let request = json!({"schemas": [schema], "Operations": all});
                        let answer = post(&client, &format!("{url}/Bulk"), &request, 200).await;
                        let done = answer["Operations"].as_array().unwrap();
                        assert!(
                            done.iter().all(|one| one["status"] == "201") && done.len() == several.len(),
                            "{answer}"
                        );
                    }
                }
            }
        })
    };
    let all: Vec<_> = (0..concurrency).map(one).collect();
    for client in all {
        client.await.unwrap();
    }
    meter.stop()
}

async fn post(client: &reqwest::Client, url: &str, body: &serde_json::Value, status: u16) -> serde_json::Value {
    let request = client.post(url).bearer_auth(TOKEN).header("content-type", "application/scim+json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), status);
    answer.json().await.unwrap()
}

/// The same person as the engine creates.
fn body(at: usize) -> serde_json::Value {
    let Change::Identity(manifest) = world::identity(at, "Engineering", "Engineer") else { unreachable!() };
    let person = manifest.spec.unwrap().pack();
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "userName": person.user_name(),
        "externalId": person.external_id(),
        "displayName": person.text(Field::DisplayName),
        "name": {"givenName": person.text(Field::GivenName), "familyName": person.text(Field::FamilyName)},
        "title": person.text(Field::Title),
        "emails": [{"value": person.primary_email(), "type": "work", "primary": true}],
        "active": true,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": person.text(Field::Department), "organization": person.text(Field::Organization),
            "costCenter": person.text(Field::CostCenter), "employeeNumber": person.text(Field::EmployeeNumber),
        },
    })
}

/// So many accounts created by the parts together, with the store on disk or without any.
pub async fn operator(concurrency: u32, bulk: &str, accounts: usize, stored: bool) -> Run {
    let server = Program::scim2_server().start().await;
    let folder = tempfile::tempdir().unwrap();
    let (back, mut answers) = unbounded_channel();
    let mut connector = world::scim(&server.url());
    connector.settings["scim"]["profile"] = json!({"bulk": bulk});
    let target = Arc::new(connected_as(&connector).await);
    let parts = Parts { start: Instant::now(), store: stored.then(|| store(folder.path())), target, back };
    let mut engine = Engine::new("acme", provost_connectors::schema);
    let mut all: Vec<_> = (0..accounts).map(|at| world::identity(at, "Engineering", "Engineer")).collect();
    all.push(world::allow("everyone", None, Some("identity.type == 'Person'".to_owned()), "wiki", GrantWhat::Account));
    all.push(world::application_at("wiki", connector, concurrency));

    let mut events = VecDeque::from([EngineEvent::Listed(all)]);
    let (mut meter, mut created) = (None, 0);
    while created < accounts {
        while let Some(event) = events.pop_front() {
            if let EngineEvent::Answered { answer: Answer::Applied(results), .. } = &event {
                assert!(results.iter().all(Result::is_ok), "{results:?}");
                created += results.len();
            }
            for effect in engine.handle(event, parts.now()) {
                if let EngineEffect::Do { application, id, effect } = effect {
                    if let Effect::Apply(steps) = &effect {
                        assert!(steps.iter().all(|step| matches!(step, Step::CreateAccount { .. })), "{steps:?}");
                        meter.get_or_insert_with(|| Meter::start(&server));
                    }
                    parts.set_off(&application, id, effect);
                }
            }
        }
        let wait = engine.next_wake(parts.now()).mono.map(|at| at.saturating_sub(parts.now().mono));
        let wait = wait.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(1));
        tokio::select! {
            Some(event) = answers.recv() => events.push_back(event),
            () = tokio::time::sleep(wait) => events.push_back(EngineEvent::Tick),
        }
        while let Ok(event) = answers.try_recv() {
            events.push_back(event);
        }
    }
    Run { accounts, ..meter.unwrap().stop() }
}
