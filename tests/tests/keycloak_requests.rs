//! What a realm is asked: the numbers of docs/keycloak.md. 500 users, 20 groups, 1,000 memberships.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and print what they measured"
)]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::drive::Drive;
use tests::e2e::{identity, object, policy};
use tests::servers::{Counting, Keycloak, TOKEN, connected_to};

const USERS: usize = 500;
const DEPARTMENTS: usize = 10;
const PLACES: usize = 10;

/// By then all that was written is visible, and waves have settled.
const VISIBLE: Duration = Duration::from_secs(3);

fn person(at: usize, department: usize) -> Value {
    let mut person = identity(&format!("person-{at:03}"), &format!("department-{department}"));
    person["spec"]["location"] = format!("place-{}", at / 7 % PLACES).into();
    person
}

/// Everybody is in the group of a department and in that of a place.
fn company(reconcile: &str, url: &str, realm: &str) -> Vec<Value> {
    let names =
        (0..DEPARTMENTS).map(|at| format!("department-{at}")).chain((0..PLACES).map(|at| format!("place-{at}")));
    let names: Vec<String> = names.collect();
    let mut all: Vec<Value> = (0..USERS).map(|at| person(at, at % DEPARTMENTS)).collect();
    for name in &names {
        let field = if name.starts_with("place") { "location" } else { "department" };
        all.push(policy(&format!("in-{name}"), &format!("identity.{field} == \"{name}\""), "sso", &[name]));
    }
    let entry = |name: &String| json!({"name": name, "target": {"group": {"name": name, "create": true}}});
    let mut sso = object(
        "TargetApplication",
        "sso",
        &json!({
            "connector": {"keycloak": {
                "url": url, "realm": realm, "markAttribute": "employeeId", "allowInsecure": true,
                "auth": {"clientId": "provost", "clientSecretRef": {"name": "sso", "key": "secret"}},
            }},
            "sync": {"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s"}},
            "entitlements": names.iter().map(entry).collect::<Vec<_>>(),
        }),
    );
    sso["metadata"]["annotations"] = json!({"provost.dev/reconcile-now": reconcile});
    all.push(sso);
    all
}

/// One line of the table.
struct Line {
    what: &'static str,
    requests: usize,
    writes: usize,
    time: Duration,
}

fn line(what: &'static str, proxy: &Counting, time: Duration) -> Line {
    let seen = proxy.take();
    let writes = seen.iter().filter(|(method, path)| method != Method::GET && !path.ends_with("/token")).count();
    Line { what, requests: seen.len(), writes, time }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_with_nothing_to_do_costs_its_pages_and_sees_drift() {
    let server = Keycloak::shared();
    let realm = server.realm("requests", Some(&["employeeId"])).await;
    realm.client("provost", &["manage-users"]).await;
    let proxy = Counting::at(server.address(), "").await;
    let mut connector = realm.connector("provost", &proxy.url());
    let groups: Vec<String> = (0..DEPARTMENTS)
        .map(|at| format!("department-{at}"))
        .chain((0..PLACES).map(|at| format!("place-{at}")))
        .collect();
    connector.settings["catalogue"] = json!({"groups": groups, "roles": []});
    let mut drive = Drive::new(connected_to(&connector, TOKEN).await);
    let mut table = Vec::new();
    let manifests = |word: &str| company(word, &proxy.url(), realm.name());
    let sso = |word: &str| vec![manifests(word).pop().unwrap()];

    drive.listed(manifests("first"));
    let time = drive.idle().await;
    table.push(line("the first sync", &proxy, time));
    assert_eq!(realm.users().await.len(), USERS);
    assert_eq!(realm.members("department-3").await.len(), USERS / DEPARTMENTS);
    // Each user and each group is made, each membership added, and nothing is done twice.
    assert_eq!(table[0].writes, USERS + DEPARTMENTS + PLACES + 2 * USERS);

    // What was just written may not be visible yet, and is looked at again.
    drive.skip(VISIBLE);
    drive.idle().await;
    proxy.take();
    drive.changed(sso("nothing"));
    let time = drive.idle().await;
    table.push(line("a sync with nothing to do", &proxy, time));
    // The profile, the users' number and pages; the groups' number and list; and the members of each group.
    let expected = 1 + 1 + USERS.div_ceil(500) + 1 + 1 + DEPARTMENTS + PLACES;
    assert_eq!((table[1].requests, table[1].writes), (expected, 0));
    assert!(expected < 50);

    drive.changed(vec![person(7, 8)]);
    let time = drive.idle().await;
    // The removal waits for the rest of its wave.
    drive.skip(VISIBLE);
    drive.idle().await;
    table.push(line("one membership moved", &proxy, time));
    assert!(realm.members("department-8").await.contains(&"person-007".to_owned()));
    assert!(!realm.members("department-7").await.contains(&"person-007".to_owned()));
    assert_eq!(table[2].writes, 2);

    drive.skip(VISIBLE);
    drive.idle().await;
    proxy.take();
    let victim = realm.user("person-123").await["id"].as_str().unwrap().to_owned();
    realm.ask(Method::PUT, &format!("/users/{victim}"), Some(&json!({"lastName": "Tampered"}))).await;
    drive.changed(sso("edit"));
    let time = drive.idle().await;
    table.push(line("one edit made by hand", &proxy, time));
    assert_eq!(realm.user("person-123").await["lastName"], "Test");
    assert_eq!(table[3].writes, 1);

    // A membership taken away by hand is seen too, in the same number of requests.
    drive.skip(VISIBLE);
    drive.idle().await;
    proxy.take();
    let group = realm.group("department-3").await;
    realm.ask(Method::DELETE, &format!("/users/{victim}/groups/{group}"), None).await;
    drive.changed(sso("membership"));
    let time = drive.idle().await;
    table.push(line("one membership taken away by hand", &proxy, time));
    assert!(realm.members("department-3").await.contains(&"person-123".to_owned()));
    assert_eq!((table[4].requests, table[4].writes), (expected + 1, 1));

    let rows = table.into_iter().map(|Line { what, requests, writes, time }| {
        format!("| {what} | {requests} | {writes} | {:.1} |", time.as_secs_f64())
    });
    let head = "| 500 users, 20 groups, 1,000 memberships | requests | of these writes | seconds |\n|---|---|---|---|";
    tests::tell(format!("{head}\n{}", rows.collect::<Vec<_>>().join("\n")));
}
