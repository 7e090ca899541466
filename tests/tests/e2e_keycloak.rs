//! A realm of Keycloak under the operator: joiners, movers, drift, leavers on the real distribution; what is said of each
//! trouble; and one identity on a SCIM service, in a directory and in a realm at once.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they saw"
)]

use provost_core::model::{Step, TargetError, TargetId};
use provost_core::report::kstatus::{KStatus, kstatus};
use reqwest::Method;
use serde_json::{Value, json};
use tests::e2e::{Application, Gate, Target, World, condition, identity, object, policy, until};
use tests::servers::slapd::{PASSWORD, ROOT, ROOT_PASSWORD, SUFFIX, Slapd};
use tests::servers::{Authority, Counting, Keycloak, Raw, Realm, Says, TOKEN};

const APP: &str = "targetapplications.provost.dev/sso";

async fn realm(name: &str) -> Realm<'static> {
    let realm = Keycloak::shared().realm(name, Some(&["employeeId", "title", "department"])).await;
    realm.client("provost", &["manage-users", "view-realm", "view-clients"]).await;
    realm.make_role("auditor").await;
    realm.make_role("grafana/admin").await;
    realm
}

/// The group below is named before the one above it.
fn application(realm: &Realm<'_>, url: &str) -> Value {
    let mut connector = realm.connector("provost", url).settings;
    connector["keycloak"]["allowInsecure"] = true.into();
    object(
        "TargetApplication",
        "sso",
        &json!({
            "connector": connector,
            "sync": {"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s", "privilegedGrants": "1s"}},
            "account": {"attributes": [
                {"name": "title", "expression": "identity.title"},
                {"name": "department", "expression": "identity.department"},
                {"name": "emailVerified", "expression": "true"},
            ]},
            "entitlements": [
                {"name": "platform", "target": {"group": {"name": "/engineering/platform", "create": true}}},
                {"name": "engineering", "target": {"group": {"name": "/engineering", "create": true}}},
                {"name": "auditor", "target": {"role": {"name": "auditor"}}},
                {"name": "grafana-admin", "target": {"role": {"name": "grafana/admin"}}, "risk": "Privileged"},
            ],
        }),
    )
}

fn secret(name: &str, data: &Value, host: &str) -> Value {
    let annotations = json!({"provost.dev/allowed-hosts": host});
    json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": data,
        "metadata": {"name": name, "annotations": annotations},
    })
}

fn client_secret(secret_text: &str) -> Value {
    secret("sso", &json!({"secret": secret_text}), "127.0.0.1")
}

fn people() -> Vec<Value> {
    let mut zoe = identity("zoe", "Engineering");
    zoe["spec"]["name"] = json!({"given": "Zoë 🦀", "family": "Ångström, \"Z\""});
    vec![
        identity("ada", "Engineering"),
        identity("bob", "Sales"),
        zoe,
        policy("everyone", "identity.type == \"Person\"", "sso", &[]),
        policy("engineers", "identity.department == \"Engineering\"", "sso", &["engineering"]),
        policy("platform", "identity.title == \"Platform Engineer\"", "sso", &["platform", "grafana-admin"]),
        policy("auditors", "identity.department == \"Finance\"", "sso", &["auditor"]),
    ]
}

/// Waits until the user has these fields, by JSON pointer; the user then.
async fn has(realm: &Realm<'_>, name: &str, wanted: &[(&str, Value)]) -> Value {
    until(&format!("{name} has {wanted:?}"), async || {
        let user = realm.user(name).await;
        wanted.iter().all(|(at, value)| user.pointer(at) == Some(value)).then_some(user)
    })
    .await
}

/// Waits until the groups and roles have these members and no others.
async fn hold(realm: &Realm<'_>, wanted: &[(&str, &[&str])]) {
    for (name, wanted) in wanted {
        until(&format!("{name} has {wanted:?}"), async || {
            let found = match name.strip_prefix("group ") {
                Some(path) => realm.members(path).await,
                None => realm.holders(name).await,
            };
            (found == *wanted).then_some(())
        })
        .await;
    }
}

const ENGINEERING: &str = "group engineering";
const PLATFORM: &str = "group engineering/platform";
const AUDITOR: &str = "auditor";
const GRAFANA: &str = "grafana/admin";

fn id(user: &Value) -> String {
    user["id"].as_str().unwrap().to_owned()
}

fn edit(name: &str) -> String {
    format!("identities.provost.dev/{name}")
}

fn mail(address: &str) -> Value {
    json!({"spec": {"emails": [{"value": address, "type": "work", "primary": true}]}})
}

/// A full sync, asked for under a word that was not used before, and its end.
async fn synced(world: &World, application: &str, asked: &str) {
    world.reconcile_now(application, asked);
    let object = format!("targetapplications.provost.dev/{application}");
    until("the sync is over", async || (world.get(&object)["status"]["lastHandledReconcileAt"] == asked).then_some(()))
        .await;
    world.all_ready();
}

#[tokio::test(flavor = "multi_thread")]
async fn joiners_movers_drift_and_leavers_in_a_realm() {
    let realm = realm("whole").await;
    let proxy = Counting::at(Keycloak::shared().address(), "").await;
    let writes = || proxy.count(|method, path| method != Method::GET && !path.ends_with("/token"));
    let world = World::new("realm");
    let mut manifests = people();
    manifests.extend([client_secret(TOKEN), application(&realm, &proxy.url())]);
    world.apply(&manifests);
    world.all_ready();
    let attributes = json!({"employeeId": ["E-zoe"], "title": ["Analyst"], "department": ["Engineering"]});
    let zoe = [
        ("/firstName", json!("Zoë 🦀")),
        ("/lastName", json!("Ångström, \"Z\"")),
        ("/email", json!("zoe@acme.test")),
        ("/emailVerified", json!(true)),
        ("/enabled", json!(true)),
        ("/attributes", attributes),
        ("/requiredActions", json!(["UPDATE_PASSWORD"])),
    ];
    has(&realm, "zoe", &zoe).await;
    let ada = id(&has(&realm, "ada", &[("/enabled", json!(true))]).await);
    hold(&realm, &[(ENGINEERING, &["ada", "zoe"]), (PLATFORM, &[]), (AUDITOR, &[]), (GRAFANA, &[])]).await;
    assert!(realm.find_group("engineering/platform").await.is_some(), "a group that nobody is in is there, too");

    // Movers: into the group below, with a role of a client; to another department, with a role of the realm.
    world.patch(&edit("ada"), &json!({"spec": {"title": "Platform Engineer"}}));
    world.patch(&edit("bob"), &json!({"spec": {"department": "Finance"}}));
    hold(&realm, &[(ENGINEERING, &["ada", "zoe"]), (PLATFORM, &["ada"]), (AUDITOR, &["bob"]), (GRAFANA, &["ada"])])
        .await;
    world.patch(&edit("bob"), &json!({"spec": {"department": "Engineering"}}));
    hold(&realm, &[(ENGINEERING, &["ada", "bob", "zoe"]), (AUDITOR, &[])]).await;
    has(&realm, "bob", &[("/attributes/department", json!(["Engineering"]))]).await;

    // An e-mail address and a user name: the same account.
    world.patch(&edit("ada"), &mail("ada.king@acme.test"));
    has(&realm, "ada", &[("/email", json!("ada.king@acme.test"))]).await;
    world.patch(&edit("ada"), &json!({"spec": {"userName": "ada.king"}}));
    let renamed = has(&realm, "ada.king", &[("/email", json!("ada.king@acme.test"))]).await;
    assert_eq!(id(&renamed), ada);
    hold(&realm, &[(PLATFORM, &["ada.king"]), (GRAFANA, &["ada.king"])]).await;

    // Nothing to do: nothing is written, neither there nor here.
    world.all_ready();
    let before = world.settled().await;
    proxy.take();
    synced(&world, "sso", "idle").await;
    assert_eq!(writes(), 0, "{:?}", proxy.take());
    assert!(proxy.count(|_, path| path.contains("/members")) > 0, "it has looked");
    let after = world.settled().await;
    let of_people = |versions: &std::collections::BTreeMap<String, String>| {
        versions
            .iter()
            .filter(|(name, _)| !name.contains("TargetApplication"))
            .map(|(_, v)| v.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of_people(&before), of_people(&after));

    // Drift: attributes, a name, memberships and roles, by somebody else.
    let bob = id(&realm.user("bob").await);
    let (group, below) = (realm.group("engineering").await, realm.group("engineering/platform").await);
    let tampered = json!({"username": "robert", "email": "robert@acme.test"});
    realm.ask(Method::PUT, &format!("/users/{bob}"), Some(&tampered)).await;
    realm.ask(Method::DELETE, &format!("/users/{bob}/groups/{group}"), None).await;
    let clients = realm.get("/clients?clientId=grafana").await;
    let role = realm.get(&format!("/clients/{}/roles/admin", id(&clients[0]))).await;
    let mapping = format!("/users/{ada}/role-mappings/clients/{}", id(&clients[0]));
    realm.ask(Method::DELETE, &mapping, Some(&json!([role]))).await;
    realm.ask(Method::PUT, &format!("/groups/{below}"), Some(&json!({"name": "base"}))).await;
    synced(&world, "sso", "drift").await;
    let restored = has(&realm, "bob", &[("/email", json!("bob@acme.test"))]).await;
    assert_eq!(id(&restored), bob);
    let kept = "group engineering/platform";
    hold(&realm, &[(ENGINEERING, &["ada.king", "bob", "zoe"]), (kept, &["ada.king"]), (GRAFANA, &["ada.king"])]).await;
    assert_eq!(
        realm.group("engineering/platform").await,
        below,
        "a group that is renamed stays bound, and has its name again"
    );

    // Leavers: suspended, and deleted; and back.
    world.patch(&edit("ada"), &json!({"spec": {"lifecycle": {"suspended": true}}}));
    world.kubectl(&["delete", &edit("zoe")]).ok();
    has(&realm, "ada.king", &[("/enabled", json!(false))]).await;
    has(&realm, "zoe", &[("/enabled", json!(false)), ("/email", json!("zoe@acme.test"))]).await;
    // Who is suspended keeps what they are in; who has left does not.
    hold(&realm, &[(ENGINEERING, &["ada.king", "bob"]), (kept, &["ada.king"]), (GRAFANA, &["ada.king"])]).await;
    world.patch(&edit("ada"), &json!({"spec": {"lifecycle": {"suspended": false}}}));
    let back = has(&realm, "ada.king", &[("/enabled", json!(true))]).await;
    assert_eq!(id(&back), ada);
    hold(&realm, &[(ENGINEERING, &["ada.king", "bob"]), (kept, &["ada.king"]), (GRAFANA, &["ada.king"])]).await;
    world.all_ready();
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_of_a_realm_has_its_own_condition_and_takes_nothing() {
    let realm = realm("trouble").await;
    realm.client("nobody", &[]).await;
    // Somebody else's user with the name of one of ours, and one with the address of another.
    let taken = json!({"username": "cyn", "enabled": true, "attributes": {"employeeId": ["E-other"]}});
    realm.ask(Method::POST, "/users", Some(&taken)).await;
    let other =
        realm.ask(Method::POST, "/users", Some(&json!({"username": "robert", "email": "bob@acme.test"}))).await.id;
    let world = World::new("realm-trouble");
    let said = |object: &Value| condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned();
    let here = Keycloak::shared().url();
    let mut manifests = people();
    manifests.extend([identity("cyn", "Sales"), client_secret("wrong"), application(&realm, &here)]);
    world.apply(&manifests);

    let wrong = world.reason(APP, "Unauthorized").await;
    assert!(said(&wrong).contains("client secret") || said(&wrong).contains("credential"), "{}", wrong["status"]);
    assert_eq!(kstatus(&wrong), KStatus::Failed, "only an edit helps: {}", wrong["status"]);

    let told = async |what: &str, reason: &str, words: &str| {
        let mut last = Value::Null;
        until(&format!("{what} is told"), async || {
            let ready = condition(&world.get(APP), "Ready");
            if ready != last {
                println!("{what}: {ready}");
                last = ready.clone();
            }
            let message = ready["message"].as_str().unwrap_or_default();
            (ready["reason"] == reason && message.contains(words)).then_some(())
        })
        .await;
    };
    let mut nobody = application(&realm, &here);
    nobody["spec"]["connector"]["keycloak"]["auth"]["clientId"] = "nobody".into();
    world.apply(&[client_secret(TOKEN), nobody]);
    told("a client without rights", "Unauthorized", "realm-management").await;

    let authority = Authority::new();
    let expired = Raw::start_tls(Says::empty_list(), authority.expired_server("localhost"));
    let mut behind_tls = application(&realm, &expired.url("localhost"));
    behind_tls["spec"]["connector"]["keycloak"]["tls"] = json!({"caSecretRef": {"name": "sso", "key": "ca.crt"}});
    let data = json!({"secret": TOKEN, "ca.crt": authority.pem()});
    world.apply(&[secret("sso", &data, "localhost"), behind_tls]);
    told("a certificate that has expired", "TlsFailed", "expired").await;
    assert_eq!(realm.users().await.len(), 2, "nobody was made, and nobody is gone");

    // What is wrong with one account is that account's trouble alone.
    world.apply(&[client_secret(TOKEN), application(&realm, &here)]);
    let ada = id(&has(&realm, "ada", &[("/enabled", json!(true))]).await);
    hold(&realm, &[(ENGINEERING, &["ada", "zoe"])]).await;
    let bob = world.reason(&edit("bob"), "Rejected").await;
    assert!(
        bob["status"]["problems"].to_string().contains("another user has this e-mail address"),
        "{}",
        bob["status"]
    );
    let cyn = world.reason(&edit("cyn"), "AdoptionNeedsApproval").await;
    assert_eq!(kstatus(&cyn), KStatus::Failed, "{}", cyn["status"]);
    let as_it_was = json!({"employeeId": ["E-other"]});
    assert_eq!(realm.user("cyn").await["attributes"], as_it_was, "nothing is written to somebody else's user");
    world.wait_ready(&edit("ada"));
    world.wait_ready(&edit("zoe"));
    realm.ask(Method::PUT, &format!("/users/{other}"), Some(&json!({"email": "robert@acme.test"}))).await;
    let cyn = id(&realm.user("cyn").await);
    realm.ask(Method::DELETE, &format!("/users/{cyn}"), None).await;
    world.reconcile_now("sso", "corrected");
    has(&realm, "bob", &[("/email", json!("bob@acme.test"))]).await;
    world.all_ready();

    // Tokens that the server takes for issued at another time than now: as if the clocks of two of its nodes differed.
    let ahead = jiff::Timestamp::now().as_second() + 3600;
    realm.ask(Method::PUT, "", Some(&json!({"notBefore": ahead}))).await;
    world.patch(&edit("bob"), &json!({"spec": {"lifecycle": {"suspended": true}}}));
    told("a clock that is wrong", "Unauthorized", "clock").await;
    assert_eq!(realm.user("bob").await["enabled"], true);
    realm.ask(Method::PUT, "", Some(&json!({"notBefore": 0}))).await;
    has(&realm, "bob", &[("/enabled", json!(false))]).await;
    hold(&realm, &[(ENGINEERING, &["ada", "zoe"])]).await;
    world.all_ready();
    assert_eq!(id(&realm.user("ada").await), ada);
    world.check();
}

/// Deleted here, they would be back with the next look, and enabled.
#[tokio::test(flavor = "multi_thread")]
async fn leavers_of_a_user_federation_are_disabled_and_not_deleted() {
    let directory = Slapd::start();
    directory.edit(&format!(
        "dn: uid=ada,ou=people,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Ada\nsn: King\nmail: ada@acme.test\n"
    ));
    for import in ["true", "false"] {
        let realm = realm(&format!("federated-{import}")).await;
        let config = json!({
            "vendor": ["other"], "editMode": ["READ_ONLY"], "importEnabled": [import], "enabled": ["true"],
            "connectionUrl": [directory.url()], "usersDn": [format!("ou=people,{SUFFIX}")], "authType": ["simple"],
            "bindDn": [ROOT], "bindCredential": [ROOT_PASSWORD], "userObjectClasses": ["inetOrgPerson"],
            "usernameLDAPAttribute": ["uid"], "rdnLDAPAttribute": ["uid"], "uuidLDAPAttribute": ["entryUUID"],
        });
        let federation = json!({
            "name": "ldap", "providerId": "ldap", "providerType": "org.keycloak.storage.UserStorageProvider",
            "parentId": realm.get("").await["id"], "config": config,
        });
        realm.ask(Method::POST, "/components", Some(&federation)).await;
        let (target, id) = (realm.connected("provost").await, TargetId::new(id(&realm.user("ada").await)));
        let apply = async |step| target.apply(&[step]).await.0.remove(0);
        let set = [("email".into(), "ada@elsewhere.test".into())].into();
        let error = apply(Step::UpdateAccount { id: id.clone(), set }).await.unwrap_err().to_string();
        assert!(error.contains("user federation"), "{error}");
        // What is only looked through cannot be disabled here either.
        let disabled = apply(Step::DisableAccount { id: id.clone() }).await;
        assert_eq!(disabled.is_ok(), import == "true", "{disabled:?}");
        assert!(disabled.err().is_none_or(|error| error.to_string().contains("user federation")));
        let deleted = apply(Step::DeleteAccount { id: id.clone() }).await;
        assert!(
            matches!(&deleted, Err(TargetError::Unsupported(text)) if text.contains("delete it there")),
            "{deleted:?}"
        );
        let user = realm.user("ada").await;
        assert_eq!((&user["id"], &user["enabled"]), (&json!(id.as_str()), &json!(import == "false")));
    }
}

/// A SCIM service, a directory and a realm, each behind a gate; what is seen of them is asked behind it.
struct Three {
    scim: Target,
    directory: Slapd,
    realm: Realm<'static>,
    gates: [Gate; 2],
}

/// What a server says of somebody: the e-mail address, and whether the account can be used.
type Seen = (String, bool);

impl Three {
    async fn start() -> Self {
        let (directory, realm) = (Slapd::start(), realm("three").await);
        let door = ([127, 0, 0, 1], directory.port()).into();
        let gates = [Gate::before(door).await, Gate::before(Keycloak::shared().address()).await];
        Self { scim: Target::start().await, directory, realm, gates }
    }

    fn gate(&self, at: usize) -> &Gate {
        at.checked_sub(1).map_or(&self.scim.gate, |at| &self.gates[at])
    }

    fn manifests(&self) -> Vec<Value> {
        let chat = Application::new("chat", &self.scim.url(), &[]);
        let ldap = self.directory.settings(&format!("ldap://localhost:{}", self.gate(1).address().port()), &json!({}));
        let sync = json!({"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s"}});
        let directory = object("TargetApplication", "directory", &json!({"connector": {"ldap": ldap}, "sync": sync}));
        let data = json!({"password": PASSWORD, "ca.crt": self.directory.authority()});
        let everywhere = ["chat", "directory", "sso"];
        let grants = everywhere.map(|application| json!({"application": application}));
        vec![
            chat.secret(TOKEN, "127.0.0.1"),
            chat.manifest(),
            secret("ldap", &data, "localhost"),
            directory,
            client_secret(TOKEN),
            application(&self.realm, &format!("http://{}", self.gate(2).address())),
            object("AccessPolicy", "everyone", &json!({"match": "identity.type == \"Person\"", "grants": grants})),
        ]
    }

    async fn see(&self, name: &str) -> [Option<Seen>; 3] {
        let picture = self.scim.picture().await;
        let at_scim = picture.accounts.get(name).map(|account| (account.email.clone(), account.active));
        let found = self.directory.search(
            &format!("ou=people,{SUFFIX}"),
            &format!("(uid={name})"),
            &["mail", "pwdAccountLockedTime"],
        );
        let address = found.lines().find_map(|line| line.strip_prefix("mail: ")).map(str::to_owned);
        let user = self.realm.user(name).await;
        let at_realm =
            user["enabled"].as_bool().map(|enabled| (user["email"].as_str().unwrap_or_default().to_owned(), enabled));
        [at_scim, address.map(|address| (address, !found.contains("pwdAccountLockedTime"))), at_realm]
    }

    async fn all(&self, name: &str, address: &str, active: [bool; 3]) {
        let wanted = active.map(|active| Some((address.to_owned(), active)));
        until(&format!("{name} is {wanted:?}"), async || (self.see(name).await == wanted).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_identity_is_the_same_on_a_service_in_a_directory_and_in_a_realm() {
    let three = Three::start().await;
    let world = World::new("three");
    let mut manifests = three.manifests();
    manifests.extend(["ada", "bob", "cyn", "dan"].map(|name| identity(name, "Sales")));
    world.apply(&manifests);
    world.all_ready();
    three.all("ada", "ada@acme.test", [true; 3]).await;

    world.patch(&edit("ada"), &mail("ada.king@acme.test"));
    three.all("ada", "ada.king@acme.test", [true; 3]).await;
    world.all_ready();
    world.settled().await;

    // Drift in one is that one's alone.
    three.scim.set("ada", "emails", &json!([{"value": "x@acme.test", "type": "work", "primary": true}])).await;
    let ldif = format!("dn: uid=ada,ou=people,{SUFFIX}\nchangetype: modify\nreplace: mail\nmail: y@acme.test\n");
    three.directory.edit(&ldif);
    let user = id(&three.realm.user("ada").await);
    three.realm.ask(Method::PUT, &format!("/users/{user}"), Some(&json!({"email": "z@acme.test"}))).await;
    // What was edited in the directory is looked for every few seconds, and may be undone by now.
    let [at_scim, _, at_realm] = three.see("ada").await.map(|seen| seen.unwrap().0);
    assert_eq!([at_scim, at_realm], ["x@acme.test", "z@acme.test"]);
    for application in ["chat", "directory", "sso"] {
        world.reconcile_now(application, "drift");
    }
    three.all("ada", "ada.king@acme.test", [true; 3]).await;

    // Leavers, each in another way, and each while another server is away.
    for (away, name) in ["bob", "cyn", "dan"].into_iter().enumerate() {
        three.gate(away).shut().await;
        match away {
            0 => world.patch(&edit(name), &json!({"spec": {"lifecycle": {"endTime": "2020-01-01T00:00:00Z"}}})),
            1 => world.patch(&edit(name), &json!({"spec": {"lifecycle": {"suspended": true}}})),
            _ => drop(world.kubectl(&["delete", "--wait=false", &edit(name)]).ok()),
        }
        let mut active = [false; 3];
        active[away] = true;
        let address = format!("{name}@acme.test");
        three.all(name, &address, active).await;
        three.gate(away).open().await;
        three.all(name, &address, [false; 3]).await;
    }
    three.all("ada", "ada.king@acme.test", [true; 3]).await;
    world.all_ready();
    world.check();
}
