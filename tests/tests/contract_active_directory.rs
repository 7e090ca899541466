//! The contract of connectors on Samba as a domain controller, by both ways to encrypt, and where disabled accounts are moved.

use provost_connectors::contract::{Contract, Words};
use provost_core::model::ConnectorKind;
use serde_json::{Value, json};
use tests::keeps::keeps;
use tests::servers::samba::{DOMAIN, PASSWORD, Samba};

#[allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]
async fn keeps_the_contract(how: &str, server: &Samba, url: &str, mut more: Value, crowd: usize) {
    // What the contract writes beside the default mapping.
    let written = json!(["cn", "proxyAddresses", "userPrincipalName"]);
    more.as_object_mut().unwrap().insert("attributes".into(), written);
    let target = server.connected_as(&server.connector(url, &more), PASSWORD).await;
    // Login names are short there.
    let what = Contract { prefix: "c-".into(), crowd, words: Words::active_directory() };
    keeps(&format!("activeDirectory on Samba, {how}"), &target, ConnectorKind::ActiveDirectory, &what).await;
}

#[tokio::test]
async fn samba_keeps_the_contract() {
    let Some(server) = Samba::start() else { return };
    keeps_the_contract("by default", &server, &server.secure_url(), json!({}), 520).await;
}

#[tokio::test]
async fn accounts_that_are_moved_when_disabled_keep_it_over_starttls() {
    let Some(server) = Samba::start() else { return };
    let more = json!({"accounts": {"disabledDN": format!("OU=Left,{DOMAIN}")}});
    keeps_the_contract("moved when disabled, over StartTLS", &server, &server.url(), more, 20).await;
}

#[tokio::test]
async fn universal_groups_for_mail_keep_it() {
    let Some(server) = Samba::start() else { return };
    let more = json!({"groups": {"scope": "Universal", "type": "Distribution"}});
    keeps_the_contract("universal groups for mail", &server, &server.secure_url(), more, 20).await;
}
