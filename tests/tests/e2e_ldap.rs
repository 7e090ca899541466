//! A directory under the operator: joiners, movers, drift, leavers on OpenLDAP's server; and what is said of each trouble.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;

use provost_core::report::kstatus::{KStatus, kstatus};
use serde_json::{Value, json};
use tests::e2e::{World, condition, identity, policy, until};
use tests::servers::Authority;
use tests::servers::slapd::{PASSWORD, SUFFIX, Setup, Slapd};

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

/// The login names of the members of the group.
fn members(server: &Slapd) -> BTreeSet<String> {
    let found = server.search(&place("groups"), "(objectClass=groupOfNames)", &["member"]);
    let of = |line: &str| line.strip_prefix("member: uid=").and_then(|rest| Some(rest.split(',').next()?.to_owned()));
    found.lines().filter_map(of).collect()
}

async fn holds(server: &Slapd, filter: &str, wanted: &[&str]) {
    until(&format!("{filter} has {wanted:?}"), async || {
        let found = server.search(&place("people"), filter, &["*", "pwdAccountLockedTime"]);
        wanted.iter().all(|line| found.lines().any(|found| found == *line)).then_some(())
    })
    .await;
}

async fn team(server: &Slapd, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    until(&format!("the group has {wanted:?}"), async || (members(server) == wanted).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joiners_movers_drift_and_leavers_in_a_directory() {
    let mut server = Slapd::start();
    let world = World::new("directory");
    let mut manifests = people();
    manifests.extend([secret(PASSWORD, server.authority()), application(&server, &json!({}))]);
    world.apply(&manifests);
    world.all_ready();
    // "Ångström, ..." in base64, as LDIF has what is not plain.
    holds(
        &server,
        "(uid=zoe)",
        &["manager: uid=ada,ou=people,dc=acme,dc=test", "mail: zoe@acme.test", "carLicense: E-zoe"],
    )
    .await;
    assert!(server.search(&place("people"), r#"(cn=Ångström, "Zoë" 🦀)"#, &["uid"]).contains("uid: zoe"));
    team(&server, &["ada", "zoe"]).await;

    // Movers: another department, another name.
    world.patch("identities.provost.dev/bob", &json!({"spec": {"department": "Engineering", "location": "Paris"}}));
    world.patch("identities.provost.dev/ada", &json!({"spec": {"userName": "ada.king"}}));
    team(&server, &["ada.king", "bob", "zoe"]).await;
    holds(&server, "(uid=bob)", &["roomNumber: Paris", "ou: Engineering"]).await;
    holds(&server, "(uid=zoe)", &["manager: uid=ada.king,ou=people,dc=acme,dc=test"]).await;

    // Drift: an attribute, a member, and a new name by somebody else.
    let bob = format!("uid=bob,{}", place("people"));
    server.edit(&format!("dn: {bob}\nchangetype: modify\nreplace: title\ntitle: Emperor\n"));
    server.edit(&format!("dn: {bob}\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n"));
    world.reconcile_now("directory", "drift");
    holds(&server, "(uid=bob)", &["title: Analyst", "ou: Engineering"]).await;
    team(&server, &["ada.king", "bob", "zoe"]).await;

    // Away and back: what was changed meanwhile follows.
    server.stop();
    world.patch("identities.provost.dev/zoe", &json!({"spec": {"title": "Physicist"}}));
    world.reconcile_now("directory", "away");
    let away = world.reason(APP, "TargetUnreachable").await;
    assert_eq!(kstatus(&away), KStatus::InProgress, "{}", away["status"]);
    server.start_again();
    holds(&server, "(uid=zoe)", &["title: Physicist"]).await;

    // Leavers: suspended, and deleted.
    world.patch("identities.provost.dev/bob", &json!({"spec": {"lifecycle": {"suspended": true}}}));
    holds(&server, "(uid=bob)", &["pwdAccountLockedTime: 000001010000Z"]).await;
    world.kubectl(&["delete", "identities.provost.dev/zoe"]).ok();
    holds(&server, "(uid=zoe)", &["pwdAccountLockedTime: 000001010000Z"]).await;
    team(&server, &["ada.king", "bob"]).await;
    world.patch("identities.provost.dev/bob", &json!({"spec": {"lifecycle": {"suspended": false}}}));
    until("bob is enabled", async || {
        let locked = server.search(&place("people"), "(pwdAccountLockedTime=*)", &["uid"]);
        (!locked.contains("uid: bob")).then_some(())
    })
    .await;
    world.all_ready();
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_edit_is_put_right_while_the_next_listing_is_an_hour_away() {
    let server = Slapd::start();
    let world = World::new("changes");
    let mut manifests = people();
    let mut application = application(&server, &json!({}));
    application["spec"]["sync"]["interval"] = json!("1h");
    manifests.extend([secret(PASSWORD, server.authority()), application]);
    // A directory tells no total: of fewer than these, two that are missing would be too many to be believed.
    manifests.extend((0..20).map(|number| identity(&format!("p{number}"), "Sales")));
    world.apply(&manifests);
    world.all_ready();
    team(&server, &["ada", "zoe"]).await;
    assert_eq!(world.get(APP)["status"]["profile"]["changes"], "contextCSN");

    let (people, groups) = (place("people"), place("groups"));
    server.edit(&format!("dn: uid=ada,{people}\nchangetype: modify\nreplace: title\ntitle: Emperor\n"));
    holds(&server, "(uid=ada)", &["title: Analyst"]).await;
    let group = server.search(&groups, "(objectClass=groupOfNames)", &["1.1"]);
    let group = group.lines().next().unwrap();
    server.edit(&format!("{group}\nchangetype: modify\ndelete: member\nmember: uid=zoe,{people}\n"));
    team(&server, &["ada", "zoe"]).await;
    // No group knows the new name; then the old one is back.
    server.edit(&format!("dn: uid=ada,{people}\nchangetype: modrdn\nnewrdn: uid=augusta\ndeleteoldrdn: 1\n"));
    holds(&server, "(uid=ada)", &["title: Analyst"]).await;
    team(&server, &["ada", "zoe"]).await;
    // Whoever was let in again behind our back.
    world.patch("identities.provost.dev/zoe", &json!({"spec": {"lifecycle": {"suspended": true}}}));
    let locked = ["pwdAccountLockedTime: 000001010000Z"];
    holds(&server, "(uid=zoe)", &locked).await;
    server.edit(&format!("dn: uid=zoe,{people}\nchangetype: modify\ndelete: pwdAccountLockedTime\n"));
    holds(&server, "(uid=zoe)", &locked).await;
    // Deleted, and moved away: a new account, since nobody finds the old one; it is in the group again.
    server.edit(&format!("dn: uid=ada,{people}\nchangetype: delete\n"));
    server.edit(&format!(
        "dn: uid=bob,{people}\nchangetype: modrdn\nnewrdn: uid=bob\ndeleteoldrdn: 0\nnewsuperior: {}\n",
        place("services")
    ));
    holds(&server, "(uid=ada)", &["title: Analyst"]).await;
    holds(&server, "(uid=bob)", &["title: Analyst"]).await;
    team(&server, &["ada", "zoe"]).await;
    world.all_ready();
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_of_a_directory_has_its_own_condition_and_ends_with_it() {
    // An account that is ours by its mark and lies where the operator may only look; and somebody else's.
    let entries = format!(
        "dn: uid=chair,ou=board,{0}\nobjectClass: inetOrgPerson\nuid: chair\ncn: Chair\nsn: Chair\ncarLicense: E-chair\n\n\
         dn: uid=cyn,{0}\nobjectClass: inetOrgPerson\nuid: cyn\ncn: Another\nsn: Another\ncarLicense: E-other\n\n",
        place("people")
    );
    let mut server = Slapd::start_with(&Setup { entries, ..Setup::default() });
    let world = World::new("trouble");
    let mut manifests = people();
    manifests.extend([secret("wrong", server.authority()), application(&server, &json!({}))]);
    world.apply(&manifests);
    let said = |object: &Value| condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned();

    let found = world.reason(APP, "Unauthorized").await;
    assert!(said(&found).contains("invalidCredentials"), "{}", found["status"]);
    assert_eq!(kstatus(&found), KStatus::Failed, "only an edit helps: {}", found["status"]);

    world.apply(&[secret(PASSWORD, &Authority::new().pem())]);
    world.reason(APP, "TlsFailed").await;

    let nowhere = json!({"accounts": {"baseDN": "ou=nobody,dc=acme,dc=test"}});
    world.apply(&[secret(PASSWORD, server.authority()), application(&server, &nowhere)]);
    let found = world.reason(APP, "Unsupported").await;
    assert!(said(&found).contains("accounts.baseDN: there is no ou=nobody,dc=acme,dc=test"), "{}", found["status"]);

    // One account that the schema refuses, one where the operator has no right, one whose name somebody else has, among
    // others that are well.
    world.apply(&[application(&server, &json!({})), identity("chair", "Board"), identity("cyn", "Sales")]);
    world.patch("identities.provost.dev/bob", &json!({"spec": {"emails": [{"value": "bøb@acme.test"}]}}));
    holds(&server, "(uid=zoe)", &["mail: zoe@acme.test"]).await;
    holds(&server, "(uid=ada)", &["mail: ada@acme.test"]).await;
    for (name, reason, words) in [
        ("bob", "Rejected", "invalidAttributeSyntax"),
        ("chair", "Rejected", "insufficientAccessRights"),
        ("cyn", "AdoptionNeedsApproval", ""),
    ] {
        let found = world.reason(&format!("identities.provost.dev/{name}"), reason).await;
        let problem = found["status"]["problems"][0]["message"].as_str().unwrap_or_default();
        assert!(problem.contains(words), "{name}: {}", found["status"]);
    }
    world.wait_ready("identities.provost.dev/ada");
    holds(&server, "(uid=chair)", &["sn: Chair"]).await;
    holds(&server, "(uid=cyn)", &["sn: Another"]).await;
    world.patch("identities.provost.dev/bob", &json!({"spec": {"emails": [{"value": "bob@acme.test"}]}}));
    holds(&server, "(uid=bob)", &["mail: bob@acme.test"]).await;
    world.kubectl(&["delete", "identities.provost.dev/cyn", "identities.provost.dev/chair"]).ok();
    world.all_ready();

    // A certificate whose time comes to its end; what is changed meanwhile follows once it is renewed.
    server.start_certified(true);
    world.patch("identities.provost.dev/ada", &json!({"spec": {"title": "Physicist"}}));
    let found = world.reason(APP, "TlsFailed").await;
    assert!(said(&found).contains("expired"), "{}", found["status"]);
    holds(&server, "(uid=ada)", &["title: Analyst"]).await;
    server.start_certified(false);
    holds(&server, "(uid=ada)", &["title: Physicist"]).await;
    team(&server, &["ada", "zoe"]).await;
    world.all_ready();
    world.check();
}
