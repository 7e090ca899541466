//! A directory under the operator: what is said of each trouble, on OpenLDAP's server.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use serde_json::{Value, json};
use tests::cluster::{Kstatus, kstatus};
use tests::e2e::{World, condition, identity, policy, until};
use tests::servers::Authority;
use tests::servers::slapd::{PASSWORD, SUFFIX, Slapd};

const APP: &str = "targetapplications.provost.dev/directory";

fn application(server: &Slapd, more: &Value) -> Value {
    json!({
        "apiVersion": "provost.dev/v1alpha1", "kind": "TargetApplication", "metadata": {"name": "directory"},
        "spec": {
            "connector": {"ldap": server.settings(&server.url(), more)},
            "sync": {"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s", "privilegedGrants": "1s"}},
            "account": {"attributes": [{"name": "roomNumber", "expression": "identity.location"}]},
            "entitlements": [{"name": "vpn", "target": {"group": {"name": "vpn, \"users\"", "create": true}}}],
        },
    })
}

fn secret(password: &str, authority: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"password": password, "ca.crt": authority},
        "metadata": {"name": "ldap", "annotations": {"provost.dev/allowed-hosts": "localhost"}},
    })
}

fn people() -> Vec<Value> {
    let mut zoe = identity("zoe", "Engineering");
    zoe["spec"]["displayName"] = json!("Ångström, \"Zoë\" 🦀");
    zoe["spec"]["managerRef"] = json!({"name": "ada"});
    vec![
        identity("ada", "Engineering"),
        identity("bob", "Sales"),
        zoe,
        policy("everyone", "identity.type == \"Person\"", "directory", &[]),
        policy("engineers", "identity.department == \"Engineering\"", "directory", &["vpn"]),
    ]
}

fn place(name: &str) -> String {
    format!("ou={name},{SUFFIX}")
}

async fn holds(server: &Slapd, filter: &str, wanted: &[&str]) {
    until(&format!("{filter} has {wanted:?}"), async || {
        let found = server.search(&place("people"), filter, &["*", "pwdAccountLockedTime"]);
        wanted.iter().all(|line| found.lines().any(|found| found == *line)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_of_a_directory_has_its_own_condition_and_ends_with_it() {
    let server = Slapd::start();
    let world = World::new("trouble");
    let mut manifests = people();
    manifests.extend([secret("wrong", server.authority()), application(&server, &json!({}))]);
    world.apply(&manifests);
    let said = |object: &Value| condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned();

    let found = world.reason(APP, "Unauthorized").await;
    assert!(said(&found).contains("invalidCredentials"), "{}", found["status"]);
    assert_eq!(kstatus(&found), Kstatus::Failed, "only an edit helps: {}", found["status"]);

    world.apply(&[secret(PASSWORD, &Authority::new().pem())]);
    world.reason(APP, "TlsFailed").await;

    let nowhere = json!({"accounts": {"baseDN": "ou=nobody,dc=acme,dc=test"}});
    world.apply(&[secret(PASSWORD, server.authority()), application(&server, &nowhere)]);
    let found = world.reason(APP, "Unsupported").await;
    assert!(said(&found).contains("accounts.baseDN: there is no ou=nobody,dc=acme,dc=test"), "{}", found["status"]);

    // One account that the schema refuses, among others that it takes.
    world.apply(&[application(&server, &json!({}))]);
    world.patch("identities.provost.dev/bob", &json!({"spec": {"emails": [{"value": "bøb@acme.test"}]}}));
    holds(&server, "(uid=zoe)", &["mail: zoe@acme.test"]).await;
    holds(&server, "(uid=ada)", &["mail: ada@acme.test"]).await;
    let bob = until("bob is rejected", async || {
        let bob = world.get("identities.provost.dev/bob");
        (condition(&bob, "Ready")["reason"] == "Rejected").then_some(bob)
    })
    .await;
    let problem = bob["status"]["problems"][0]["message"].as_str().unwrap_or_default();
    assert!(problem.contains("mail") && problem.contains("invalidAttributeSyntax"), "{}", bob["status"]);
    world.wait_ready("identities.provost.dev/ada");
    world.patch("identities.provost.dev/bob", &json!({"spec": {"emails": [{"value": "bob@acme.test"}]}}));
    holds(&server, "(uid=bob)", &["mail: bob@acme.test"]).await;
    world.all_ready();
    world.check();
}
