//! The contract of connectors on OpenLDAP's server, in every style that the manifest knows.

use provost_connectors::AnyTarget;
use provost_connectors::contract::{Contract, Words};
use provost_core::model::ConnectorKind;
use serde_json::{Value, json};
use tests::keeps::keeps;
use tests::servers::slapd::{SUFFIX, Setup, Slapd};

async fn kept(how: &str, target: &AnyTarget) {
    let what = Contract { prefix: "contract-".into(), crowd: 520, words: Words::ldap() };
    keeps(&format!("ldap on slapd, {how}"), target, ConnectorKind::Ldap, &what).await;
}

async fn keeps_the_contract(how: &str, more: &Value) {
    let server = Slapd::start();
    kept(how, &server.connected(more).await).await;
}

#[tokio::test]
async fn slapd_keeps_the_contract() {
    keeps_the_contract("by default", &json!({})).await;
}

#[tokio::test]
async fn accounts_disabled_by_an_attribute_and_groups_of_unique_names_keep_it() {
    let disable = json!({"attribute": {"name": "roomNumber", "value": "disabled", "enabledValue": "enabled"}});
    let more = json!({"accounts": {"disable": disable}, "groups": {"style": "GroupOfUniqueNames"}});
    keeps_the_contract("disabled by an attribute, groupOfUniqueNames", &more).await;
}

#[tokio::test]
async fn accounts_disabled_by_a_move_keep_it() {
    let disable = json!({"moveTo": {"dn": format!("ou=left,{SUFFIX}")}});
    keeps_the_contract("disabled by a move", &json!({"accounts": {"disable": disable}})).await;
}

#[tokio::test]
async fn numbered_accounts_and_groups_by_login_name_keep_it() {
    let posix = json!({"first": 10_000, "last": 20_000, "counterDN": format!("cn=next,{SUFFIX}")});
    let accounts = json!({"objectClasses": ["inetOrgPerson", "posixAccount"], "posix": posix});
    let more = json!({"accounts": accounts, "groups": {"style": "PosixGroup"}});
    keeps_the_contract("posixAccount, posixGroup", &more).await;
}

#[tokio::test]
async fn entries_named_by_cn_keep_it() {
    keeps_the_contract("entries named by cn", &json!({"accounts": {"rdnAttribute": "cn"}})).await;
}

#[tokio::test]
async fn a_server_that_follows_renames_by_itself_keeps_it() {
    let database = "limits dn.exact=\"cn=provost,ou=services,dc=acme,dc=test\" size=unlimited time=unlimited\n\
                    overlay refint\nrefint_attributes member manager\nrefint_nothing \"cn=nobody\"\n";
    let server = Slapd::start_with(&Setup { database, ..Setup::default() });
    kept("with refint", &server.connected(&json!({})).await).await;
}

#[tokio::test]
async fn ldaps_and_a_socket_keep_it() {
    let server = Slapd::start();
    let secure = server.connected_at(&server.secure_url(), &json!({}), tests::servers::slapd::PASSWORD).await;
    kept("over ldaps", &secure).await;
    let server = Slapd::start();
    let local = json!({"bind": {"external": {}}, "tls": null});
    let local = server.connected_at(&server.socket_url(), &local, "").await;
    kept("by a socket", &local).await;
}
