//! Accounts created at scim2-server: engine, connector and store on disk, beside a bare client that sends the same body
//! to a fresh server of its own, at the same concurrency, in turns.

use std::sync::{Arc, Mutex};

use provost_core::model::{Change, Field};
use serde_json::json;
use tests::servers::{Program, TOKEN, connected_as};

use crate::creating::create;
use crate::meter::{Meter, Run};
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

async fn bare_client(concurrency: u32, together: usize) -> Run {
    let server = Program::scim2_server().start().await;
    let client = reqwest::Client::new();
    let url = server.url();
    let next = Arc::new(Mutex::new(0..ACCOUNTS));
    let meter = Meter::start(server.pid().unwrap());
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
    meter.stop(ACCOUNTS)
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
    let mut connector = world::scim(&server.url());
    connector.settings["scim"]["profile"] = json!({"bulk": bulk});
    let target = connected_as(&connector).await;
    let application = world::application_at("wiki", connector, concurrency);
    create(application, target, server.pid().unwrap(), accounts, stored).await
}
