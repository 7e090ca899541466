//! A realm of 500 users, 20 groups and 1,000 memberships, and what it is asked: the numbers of docs/keycloak.md.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::drive::Drive;
use crate::e2e::{identity, object, policy};
use crate::servers::{Counting, Keycloak, TOKEN, connected_to};

/// Everybody who is declared.
pub const USERS: usize = 500;
/// There is a group for each department and for each place.
pub const GROUPS: usize = DEPARTMENTS + PLACES;

const DEPARTMENTS: usize = 10;
const PLACES: usize = 10;

/// By then all that was written is visible, and waves have settled.
const VISIBLE: Duration = Duration::from_secs(3);

fn person(at: usize, department: usize) -> Value {
    let mut person = identity(&format!("person-{at:03}"), &format!("department-{department}"));
    person["spec"]["location"] = format!("place-{}", at / 7 % PLACES).into();
    person
}

fn groups() -> Vec<String> {
    let departments = (0..DEPARTMENTS).map(|at| format!("department-{at}"));
    departments.chain((0..PLACES).map(|at| format!("place-{at}"))).collect()
}

/// Everybody is in the group of a department and in that of a place.
fn company(reconcile: &str, url: &str, realm: &str) -> Vec<Value> {
    let names = groups();
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

/// What one thing took.
#[derive(Debug)]
pub struct Line {
    /// What was done.
    pub what: &'static str,
    /// Requests, those for a token included.
    pub requests: usize,
    /// Those that wrote.
    pub writes: usize,
    /// From what was asked to the last answer.
    pub time: Duration,
}

fn line(what: &'static str, proxy: &Counting, time: Duration) -> Line {
    let seen = proxy.take();
    let writes = seen.iter().filter(|(method, path)| method != Method::GET && !path.ends_with("/token")).count();
    Line { what, requests: seen.len(), writes, time }
}

/// The first sync, one with nothing to do, one membership moved, one edit made by hand, and one membership taken away by hand;
/// the realm is looked at after each.
///
/// # Panics
/// If the realm is not as declared then.
pub async fn asked(server: &Keycloak) -> Vec<Line> {
    let realm = server.realm("requests", Some(&["employeeId"])).await;
    realm.client("provost", &["manage-users"]).await;
    let proxy = Counting::at(server.address(), "").await;
    let mut connector = realm.connector("provost", &proxy.url());
    connector.settings["catalogue"] = json!({"groups": groups(), "roles": []});
    let mut drive = Drive::new(connected_to(&connector, TOKEN).await);
    let mut table = Vec::new();
    let manifests = |word: &str| company(word, &proxy.url(), realm.name());
    let sso = |word: &str| manifests(word).pop().into_iter().collect();

    drive.listed(manifests("first"));
    let time = drive.idle().await;
    table.push(line("the first sync", &proxy, time));
    assert_eq!(realm.users().await.len(), USERS);
    assert_eq!(realm.members("department-3").await.len(), USERS / DEPARTMENTS);

    // What was just written may not be visible yet, and is looked at again.
    drive.skip(VISIBLE);
    drive.idle().await;
    proxy.take();
    drive.changed(sso("nothing"));
    let time = drive.idle().await;
    table.push(line("a sync with nothing to do", &proxy, time));

    drive.changed(vec![person(7, 8)]);
    let time = drive.idle().await;
    // The removal waits for the rest of its wave.
    drive.skip(VISIBLE);
    drive.idle().await;
    table.push(line("one membership moved", &proxy, time));
    assert!(realm.members("department-8").await.contains(&"person-007".to_owned()));
    assert!(!realm.members("department-7").await.contains(&"person-007".to_owned()));

    drive.skip(VISIBLE);
    drive.idle().await;
    proxy.take();
    let victim = realm.user("person-123").await["id"].as_str().expect("a user").to_owned();
    realm.ask(Method::PUT, &format!("/users/{victim}"), Some(&json!({"lastName": "Tampered"}))).await;
    drive.changed(sso("edit"));
    let time = drive.idle().await;
    table.push(line("one edit made by hand", &proxy, time));
    assert_eq!(realm.user("person-123").await["lastName"], "Test");

    drive.skip(VISIBLE);
    drive.idle().await;
    proxy.take();
    let group = realm.group("department-3").await;
    realm.ask(Method::DELETE, &format!("/users/{victim}/groups/{group}"), None).await;
    drive.changed(sso("membership"));
    let time = drive.idle().await;
    table.push(line("one membership taken away by hand", &proxy, time));
    assert!(realm.members("department-3").await.contains(&"person-123".to_owned()));
    table
}
