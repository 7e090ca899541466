//! The contract of connectors on Samba as a domain controller, by both ways to encrypt, and where disabled accounts are moved.

use provost_connectors::contract::{Contract, Words, contract};
use provost_connectors::{AnyTarget, schema};
use provost_core::model::ConnectorKind;
use serde_json::{Value, json};
use tests::servers::samba::{DOMAIN, PASSWORD, Samba};

async fn broken(target: &AnyTarget, crowd: usize) -> Vec<String> {
    // Login names are short there.
    let what = Contract { prefix: "c-".into(), crowd, words: Words::active_directory() };
    contract(target, schema(ConnectorKind::ActiveDirectory), &what).await.iter().map(ToString::to_string).collect()
}

#[allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]
async fn keeps_the_contract(server: &Samba, url: &str, mut more: Value, crowd: usize) {
    // What the contract writes beside the default mapping.
    let written = json!(["cn", "proxyAddresses", "userPrincipalName"]);
    more.as_object_mut().unwrap().insert("attributes".into(), written);
    let target = server.connected_as(&server.connector(url, &more), PASSWORD).await;
    assert_eq!(broken(&target, crowd).await, Vec::<String>::new(), "{more}");
}

#[tokio::test]
async fn samba_keeps_the_contract() {
    let Some(server) = Samba::start() else { return };
    keeps_the_contract(&server, &server.secure_url(), json!({}), 520).await;
}

#[tokio::test]
async fn accounts_that_are_moved_when_disabled_keep_it_over_starttls() {
    let Some(server) = Samba::start() else { return };
    let more = json!({"accounts": {"disabledDN": format!("OU=Left,{DOMAIN}")}});
    keeps_the_contract(&server, &server.url(), more, 20).await;
}

#[tokio::test]
async fn universal_groups_for_mail_keep_it() {
    let Some(server) = Samba::start() else { return };
    let more = json!({"groups": {"scope": "Universal", "type": "Distribution"}});
    keeps_the_contract(&server, &server.secure_url(), more, 20).await;
}
