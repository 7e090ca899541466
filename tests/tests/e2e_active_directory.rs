//! A domain under the operator: joiners, movers, drift and leavers on Samba as a domain controller.
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
use tests::servers::samba::{DOMAIN, PASSWORD, Samba};

const APP: &str = "targetapplications.provost.dev/domain";

fn application(server: &Samba) -> Value {
    let left = json!({"accounts": {"disabledDN": format!("OU=Left,{DOMAIN}")}});
    json!({
        "apiVersion": "provost.dev/v1alpha1", "kind": "TargetApplication", "metadata": {"name": "domain"},
        "spec": {
            "connector": server.connector(&server.secure_url(), &left).settings,
            "sync": {"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s", "privilegedGrants": "1s"}},
            "account": {"attributes": [
                {"name": "userPrincipalName", "expression": "identity.userName + \"@acme.test\""},
            ]},
            "entitlements": [{"name": "vpn", "target": {"group": {"name": "VPN users", "create": true}}}],
        },
    })
}

fn secret(server: &Samba) -> Value {
    secret_of(server, PASSWORD, server.authority())
}

fn secret_of(server: &Samba, password: &str, authority: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"password": password, "ca.crt": authority},
        "metadata": {"name": "ad", "annotations": {"provost.dev/allowed-hosts": server.address().to_string()}},
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
        policy("everyone", "identity.type == \"Person\"", "domain", &[]),
        policy("engineers", "identity.department == \"Engineering\"", "domain", &["vpn"]),
    ]
}

/// The lines of one account, by its login name.
fn account(server: &Samba, login: &str) -> BTreeSet<String> {
    let found = server.search(&format!("(&(objectCategory=person)(sAMAccountName={login}))"), &["*"]);
    found.lines().map(str::to_owned).collect()
}

async fn has(server: &Samba, login: &str, wanted: &[&str]) {
    until(&format!("{login} has {wanted:?}"), async || {
        let found = account(server, login);
        wanted.iter().all(|line| found.contains(*line)).then_some(())
    })
    .await;
}

/// The names of the entries that the group lists.
async fn team(server: &Samba, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    until(&format!("the group has {wanted:?}"), async || {
        let found = server.search("(&(objectClass=group)(cn=VPN users))", &["member"]);
        let of =
            |line: &str| line.strip_prefix("member: CN=").and_then(|rest| Some(rest.split(',').next()?.to_owned()));
        (found.lines().filter_map(of).collect::<BTreeSet<_>>() == wanted).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joiners_movers_drift_and_leavers_in_a_domain() {
    let Some(mut server) = Samba::start() else { return };
    let world = World::new("domain");
    let mut manifests = people();
    manifests.extend([secret(&server), application(&server)]);
    world.apply(&manifests);
    world.all_ready();
    let people = format!("OU=People,{DOMAIN}");
    let placed = |name: &str| format!("dn: CN={name},{people}");
    // An ordinary account (0x200) that is not disabled, with a password to be changed.
    let fresh = ["userAccountControl: 512", "pwdLastSet: 0"];
    has(&server, "bob", &[&placed("bob"), fresh[0], fresh[1], "userPrincipalName: bob@acme.test"]).await;
    has(&server, "zoe", &[&format!("manager: CN=ada,{people}"), "mail: zoe@acme.test", "carLicense: E-zoe"]).await;
    team(&server, &["ada", "zoe"]).await;
    let guid = |login: &str| account(&server, login).into_iter().find(|line| line.starts_with("objectGUID")).unwrap();
    let (ada, bob) = (guid("ada"), guid("bob"));

    // Movers: another department, another name. The account stays the same one.
    world.patch("identities.provost.dev/bob", &json!({"spec": {"department": "Engineering"}}));
    world.patch("identities.provost.dev/ada", &json!({"spec": {"userName": "ada.king"}}));
    team(&server, &["ada", "bob", "zoe"]).await;
    has(&server, "ada.king", &[&ada, "userPrincipalName: ada.king@acme.test"]).await;
    has(&server, "bob", &[&bob, "department: Engineering"]).await;

    // Drift: an attribute, and another place by somebody else.
    server.edit(&format!("dn: CN=bob,{people}\nchangetype: modify\nreplace: title\ntitle: Emperor\n"));
    server.edit(&format!(
        "dn: CN=bob,{people}\nchangetype: modrdn\nnewrdn: CN=Robert\ndeleteoldrdn: 1\nnewsuperior: {people}\n"
    ));
    world.reconcile_now("domain", "drift");
    has(&server, "bob", &[&bob, &placed("Robert"), "title: Analyst"]).await;
    team(&server, &["ada", "Robert", "zoe"]).await;

    // Away and back: what was changed meanwhile follows.
    server.stop();
    world.patch("identities.provost.dev/zoe", &json!({"spec": {"title": "Physicist"}}));
    world.reconcile_now("domain", "away");
    let away = world.reason(APP, "TargetUnreachable").await;
    assert_eq!(kstatus(&away), KStatus::InProgress, "{}", away["status"]);
    server.start_again();
    has(&server, "zoe", &["title: Physicist"]).await;

    // Leavers: suspended, and deleted. They are disabled, moved, and out of the group.
    let left = |name: &str| format!("dn: CN={name},OU=Left,{DOMAIN}");
    world.patch("identities.provost.dev/bob", &json!({"spec": {"lifecycle": {"suspended": true}}}));
    has(&server, "bob", &[&bob, &left("Robert"), "userAccountControl: 514"]).await;
    world.kubectl(&["delete", "identities.provost.dev/zoe"]).ok();
    has(&server, "zoe", &[&left("zoe"), "userAccountControl: 514"]).await;
    team(&server, &["ada", "Robert"]).await;
    world.patch("identities.provost.dev/bob", &json!({"spec": {"lifecycle": {"suspended": false}}}));
    has(&server, "bob", &[&bob, &placed("Robert"), "userAccountControl: 512"]).await;
    world.all_ready();
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_edit_in_a_domain_is_put_right_while_the_next_listing_is_an_hour_away() {
    let Some(server) = Samba::start() else { return };
    let world = World::new("changes");
    let mut manifests = people();
    let mut application = application(&server);
    application["spec"]["sync"]["interval"] = json!("1h");
    manifests.extend([secret(&server), application]);
    world.apply(&manifests);
    world.all_ready();
    team(&server, &["ada", "zoe"]).await;
    assert_eq!(world.get(APP)["status"]["profile"]["changes"], "uSNChanged");

    let people = format!("OU=People,{DOMAIN}");
    server.edit(&format!("dn: CN=ada,{people}\nchangetype: modify\nreplace: title\ntitle: Emperor\n"));
    has(&server, "ada", &["title: Analyst"]).await;
    server.edit(&format!(
        "dn: CN=VPN users,OU=Groups,{DOMAIN}\nchangetype: modify\ndelete: member\nmember: CN=zoe,{people}\n"
    ));
    team(&server, &["ada", "zoe"]).await;
    // Whoever was let in again behind our back.
    world.patch("identities.provost.dev/zoe", &json!({"spec": {"lifecycle": {"suspended": true}}}));
    has(&server, "zoe", &["userAccountControl: 514"]).await;
    let left = format!("CN=zoe,OU=Left,{DOMAIN}");
    server.edit(&format!("dn: {left}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 512\n"));
    has(&server, "zoe", &["userAccountControl: 514"]).await;
    world.all_ready();
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_of_a_domain_has_its_own_condition_and_ends_with_it() {
    let Some(mut server) = Samba::start() else { return };
    let people_at = format!("OU=People,{DOMAIN}");
    // An account that is ours by its mark, and where the operator may only look; and one that the domain protects.
    for (name, more) in [("chair", ""), ("boss", "adminCount: 1\n")] {
        let dn = format!("CN={name},{people_at}");
        server.add(&format!("dn: {dn}\nobjectClass: user\nsAMAccountName: {name}\ncarLicense: E-{name}\n{more}\n"));
    }
    server.allow(&format!("CN=chair,{people_at}"), "(A;;RPLCRC;;;SID)");
    let world = World::new("troubles");
    let mut manifests = people();
    manifests.extend([secret_of(&server, "wrong", server.authority()), application(&server)]);
    manifests.extend([identity("chair", "Board"), identity("boss", "Board")]);
    world.apply(&manifests);
    let said = |object: &Value| condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned();

    let found = world.reason(APP, "Unauthorized").await;
    assert!(
        said(&found).contains("invalidCredentials") && said(&found).contains("correct the Secret"),
        "{}",
        said(&found)
    );
    assert_eq!(kstatus(&found), KStatus::Failed, "only an edit helps: {}", found["status"]);
    world.apply(&[secret_of(&server, PASSWORD, &Authority::new().pem())]);
    world.reason(APP, "TlsFailed").await;
    world.apply(&[secret(&server)]);

    for (name, reason, words) in [("chair", "Rejected", "insufficientAccessRights"), ("boss", "ProtectedAccount", "")] {
        let found = world.reason(&format!("identities.provost.dev/{name}"), reason).await;
        let problem = found["status"]["problems"][0]["message"].as_str().unwrap_or_default();
        assert!(problem.contains(words), "{name}: {}", found["status"]);
        assert!(!account(&server, name).iter().any(|line| line.starts_with("title: ")), "it is as it was");
    }
    has(&server, "zoe", &[&format!("manager: CN=ada,{people_at}"), "mail: zoe@acme.test"]).await;
    team(&server, &["ada", "zoe"]).await;
    world.kubectl(&["delete", "identities.provost.dev/boss", "identities.provost.dev/chair"]).ok();
    world.all_ready();

    // A certificate whose time comes to its end; what is changed meanwhile follows once it is renewed.
    server.stop();
    server.start_expired();
    world.patch("identities.provost.dev/ada", &json!({"spec": {"title": "Physicist"}}));
    let found = world.reason(APP, "TlsFailed").await;
    assert!(said(&found).to_lowercase().contains("expired"), "{}", said(&found));
    has(&server, "ada", &["title: Analyst"]).await;
    server.stop();
    server.start_renewed();
    has(&server, "ada", &["title: Physicist"]).await;
    team(&server, &["ada", "zoe"]).await;
    world.all_ready();
    world.check();
}
