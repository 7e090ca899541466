//! The example for Keycloak on a real server: joiner, mover, drift, leaver, and what is said when something is wrong.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use reqwest::Method;
use serde_json::{Value, json};
use tests::cluster::repository;
use tests::e2e::{World, condition, until};
use tests::servers::{Keycloak, Realm, TOKEN};

/// The example's manifests, with this realm in place of its own.
fn example(url: &str) -> String {
    let folder = repository().join("examples/12-keycloak");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the example");
    let text = ["application.yaml", "people.yaml", "policies.yaml", "secret.yaml"].map(read).join("\n---\n");
    let here = format!("url: {url}\n      allowInsecure: true");
    text.replace("url: https://sso.acme.test", &here).replace("sso.acme.test", "127.0.0.1").replace("change-me", TOKEN)
}

/// The names of the roles that a user has itself.
async fn roles(realm: &Realm<'_>, user: &str) -> Vec<String> {
    let id = realm.user(user).await["id"].as_str().unwrap_or_default().to_owned();
    let held = realm.get(&format!("/users/{id}/role-mappings")).await;
    let name = |role: &Value| role["name"].as_str().unwrap_or_default().to_owned();
    let of_clients = held["clientMappings"].as_object().into_iter().flatten();
    let of_clients = of_clients.flat_map(|(_, client)| client["mappings"].as_array().cloned().unwrap_or_default());
    let all = held["realmMappings"].as_array().cloned().unwrap_or_default().into_iter().chain(of_clients);
    let mut names: Vec<String> =
        all.map(|role| name(&role)).filter(|name| !name.starts_with("default-roles")).collect();
    names.sort();
    names
}

async fn company() -> Realm<'static> {
    let realm = Keycloak::shared().realm("acme", Some(&["employeeId", "department"])).await;
    realm.client("provost", &["manage-users", "view-realm", "view-clients"]).await;
    realm.ask(Method::POST, "/roles", Some(&json!({"name": "auditor"}))).await;
    let grafana = realm.ask(Method::POST, "/clients", Some(&json!({"clientId": "grafana"}))).await.id;
    realm.ask(Method::POST, &format!("/clients/{grafana}/roles"), Some(&json!({"name": "admin"}))).await;
    realm
}

#[tokio::test(flavor = "multi_thread")]
async fn people_join_move_and_leave_a_realm_and_edits_by_hand_are_undone() {
    let realm = company().await;
    let world = World::new("acme");
    world.cluster().apply(&example(&Keycloak::shared().url())).ok();
    world.all_ready();
    assert_eq!(realm.users().await.len(), 4);
    assert_eq!(realm.members("engineering").await, ["ada", "bob", "grace"]);
    assert_eq!(realm.members("engineering/platform").await, ["ada", "grace"]);
    assert_eq!(
        (roles(&realm, "fay").await, roles(&realm, "ada").await),
        (vec!["auditor".into()], vec!["admin".into()])
    );
    let ada = realm.user("ada").await;
    assert_eq!((&ada["email"], &ada["emailVerified"]), (&json!("ada@acme.test"), &json!(true)));
    assert_eq!(ada["attributes"], json!({"employeeId": ["E-1002"], "department": ["Engineering"]}));
    assert_eq!(ada["requiredActions"], json!(["UPDATE_PASSWORD"]));

    // A mover: what she had goes, what she gets comes.
    world.patch("identities.provost.dev/fay", &json!({"spec": {"department": "Engineering"}}));
    until("fay is an engineer and audits no more", async || {
        let there = realm.members("engineering").await.contains(&"fay".to_owned());
        (there && roles(&realm, "fay").await.is_empty()).then_some(())
    })
    .await;

    // Edits by hand.
    let id = ada["id"].as_str().unwrap();
    realm.ask(Method::PUT, &format!("/users/{id}"), Some(&json!({"lastName": "Tampered"}))).await;
    let group = realm.group("engineering").await;
    realm.ask(Method::DELETE, &format!("/users/{id}/groups/{group}"), None).await;
    world.reconcile_now("sso", "drift");
    until("ada is as declared", async || {
        let back = realm.members("engineering").await.contains(&"ada".to_owned());
        (back && realm.user("ada").await["lastName"] == "Lovelace").then_some(())
    })
    .await;

    // A leaver: disabled at once, and in nothing any more.
    let end = json!({"spec": {"lifecycle": {"endTime": "2020-01-01T00:00:00Z"}}});
    world.patch("identities.provost.dev/grace", &end);
    until("grace is disabled and holds nothing", async || {
        let out = !realm.members("engineering").await.contains(&"grace".to_owned())
            && !realm.members("engineering/platform").await.contains(&"grace".to_owned());
        (out && realm.user("grace").await["enabled"] == false && roles(&realm, "grace").await.is_empty()).then_some(())
    })
    .await;
    world.all_ready();

    // The service account loses its rights: nothing is taken for gone, and nothing is written.
    let account = realm.user("service-account-provost").await["id"].as_str().unwrap().to_owned();
    let management = realm.get("/clients?clientId=realm-management").await[0]["id"].as_str().unwrap().to_owned();
    let mappings = format!("/users/{account}/role-mappings/clients/{management}");
    let rights = realm.get(&mappings).await;
    realm.ask(Method::DELETE, &mappings, Some(&rights)).await;
    world.reconcile_now("sso", "blind");
    let sso = world.reason("targetapplications.provost.dev/sso", "Unauthorized").await;
    let message = condition(&sso, "Ready")["message"].to_string();
    assert!(message.contains("realm-management"), "{message}");
    assert_eq!(realm.users().await.len(), 4);
    realm.ask(Method::POST, &mappings, Some(&rights)).await;
    world.all_ready();
    world.check();
}
