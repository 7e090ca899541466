//! An existing company, from each source: `provost import`, `provost lint`, and applying what was written to the same target,
//! where every account becomes ours and nothing is written but our mark where there was none. Counted at the server.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and print what they measured"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::drive::Drive;
use tests::e2e::{Application, Target, World, object, until};
use tests::servers::samba::{DOMAIN, PASSWORD as SERVICE_PASSWORD, Samba};
use tests::servers::slapd::{PASSWORD, SUFFIX, Setup, Slapd};
use tests::servers::{Counting, Keycloak, Program, TOKEN, connected_as, connected_to, connector};

/// Entries of each source.
const MANY: usize = 1000;
/// Each other of them has no key of the HR system: our mark goes there.
const MARKS: usize = MANY / 2;
const GROUPS: usize = 20;
/// Every so many is disabled.
const DISABLED: usize = 100;

/// One source after the other: their servers would take each other's time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What the import itself foresees: as many as are there, and marks alone.
fn foresees(report: &Value) {
    let expected = json!({"adopted": MANY, "marks": MARKS, "writes": [], "waiting": []});
    assert_eq!(report["foreseen"], expected, "left out: {}", report["leftOut"]);
}

/// Group 2 is within Group 1.
fn nests(manifests: &[Value]) {
    let is = |manifest: &&Value| manifest["kind"] == "Group" && manifest["metadata"]["name"] == "group-1";
    let members = &manifests.iter().find(is).unwrap()["spec"]["members"];
    assert!(members.as_array().unwrap().contains(&json!({"kind": "Group", "name": "group-2"})), "{members}");
}

/// Applies to the target what was written; how many accounts are ours then.
async fn apply(target: provost_connectors::AnyTarget, desk: &Desk, application: &Value) -> usize {
    let mut drive = Drive::new(target);
    let mut manifests = desk.manifests();
    manifests.push(application.clone());
    drive.listed(manifests);
    drive.idle().await;
    drive.ours()
}

fn name(at: usize) -> String {
    match at {
        0 => "Zoë.King".to_owned(),
        1 => "no".to_owned(),
        2 => "4711".to_owned(),
        3 => "o'neil".to_owned(),
        _ => format!("person.{at:04}"),
    }
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn user(at: usize) -> Value {
    let mut user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": name(at), "displayName": format!("Person \"{at}\": Nº {at}"),
        "name": {"givenName": format!("P{at}"), "familyName": "Test"}, "title": "on",
        "emails": [{"value": format!("p{at}@acme.test"), "type": "work", "primary": true}],
        "active": at % DISABLED != 7,
    });
    user[ENTERPRISE] = json!({"department": format!("Department {}", at % 10)});
    if at.is_multiple_of(2) {
        user["externalId"] = format!("E-{at}").into();
    }
    user
}

/// Makes something at a SCIM server; its id.
async fn make(url: &str, kind: &str, body: &Value) -> String {
    // One for all: to make one costs many times what a request does.
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| reqwest::Client::builder().no_proxy().build().unwrap());
    let request =
        client.post(format!("{url}/{kind}")).bearer_auth(TOKEN).header("content-type", "application/scim+json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned()
}

/// The same for many, several at once; their ids in order.
async fn make_all(url: &str, kind: &'static str, bodies: Vec<Value>) -> Vec<String> {
    let mut ids = Vec::with_capacity(bodies.len());
    for some in bodies.chunks(32) {
        let url = url.to_owned();
        let one = |body: &Value| {
            let (url, body) = (url.clone(), body.clone());
            tokio::spawn(async move { make(&url, kind, &body).await })
        };
        for made in some.iter().map(one).collect::<Vec<_>>() {
            ids.push(made.await.unwrap());
        }
    }
    ids
}

fn wiki(url: &str) -> Application {
    let account = json!({"disabledAtTarget": "Respect"});
    let entitlements = json!([{"name": "editor", "target": {"group": {"name": "Group 1"}}}]);
    // Each write is a request of its own, so that requests are writes.
    let profile = json!({"bulk": "Never"});
    let wiki = Application::new("wiki", url, &[]).with("connector.scim.profile", profile);
    wiki.with("entitlements", entitlements).with("account", account)
}

/// The whole: an API server, the operator, and a SCIM server that nobody of this project wrote.
#[tokio::test(flavor = "multi_thread")]
async fn from_a_scim_server_under_the_whole_operator() {
    let _turn = TURN.lock().await;
    let target = Target::start().await;
    let mut ids = make_all(&target.url(), "Users", (0..10).map(user).collect()).await;
    let led = |at: usize| {
        let mut user = user(at);
        user[ENTERPRISE]["manager"] = json!({"value": ids[at % 10]});
        user
    };
    let led: Vec<Value> = (10..MANY).map(led).collect();
    ids.extend(make_all(&target.url(), "Users", led).await);
    let group = |group: usize| {
        let members: Vec<Value> =
            ids.iter().skip(group).step_by(GROUPS).map(|id| json!({"value": id, "type": "User"})).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": format!("Group {group}"),
            "members": members,
        })
    };
    let mut groups: Vec<Value> = (0..GROUPS).map(group).collect();
    let within = make(&target.url(), "Groups", &groups.remove(2)).await;
    groups[1]["members"].as_array_mut().unwrap().push(json!({"value": within, "type": "Group"}));
    make_all(&target.url(), "Groups", groups).await;
    let before = target.picture().await;
    let application = wiki(&target.url());
    let desk = Desk::with(&application.manifest(), &[("wiki", "token", TOKEN)]);
    target.requests();
    let report = desk.import(&[]).await;
    assert_eq!(target.writes(), 0, "an import writes nothing at the target");
    foresees(&report);
    assert_eq!(report["uncatalogued"].as_array().unwrap().len(), GROUPS - 1);
    let manifests = desk.manifests();
    nests(&manifests);
    let managers = manifests.iter().filter(|manifest| manifest["spec"]["managerRef"]["name"].is_string()).count();
    let suspended = manifests.iter().filter(|manifest| manifest["spec"]["lifecycle"]["suspended"] == true).count();
    assert_eq!((managers, suspended), (MANY - 10, MANY / DISABLED));

    target.requests();
    let world = World::new("import");
    world.apply(&[application.secret(TOKEN, "127.0.0.1"), application.manifest()]);
    world.wait_ready("targetapplications.provost.dev/wiki");
    assert_eq!(target.writes(), 0);
    world.apply(&manifests);
    world.many_ready().await;
    let steps: Vec<Value> = world.journal();
    let names: BTreeSet<&str> = steps.iter().filter_map(|line| line["step"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["UpdateAccount"]), "nothing but marks");
    let asked = target.requests();
    let writes: Vec<_> = asked.iter().filter(|(method, _)| method != "GET").collect();
    println!("scim: {MANY} accounts, {} writes at the server, of these {MARKS} marks", writes.len());
    assert_eq!(writes.len(), MARKS, "{:?}", writes.first());
    let mut after = target.picture().await;
    for account in after.accounts.values_mut().filter(|account| account.external_id.starts_with("provost:")) {
        account.external_id.clear();
    }
    assert!(after == before, "something besides our marks was changed");
    // An application's own numbers are gathered for some seconds, and may be written after those of the last account.
    until("the application counts every account as an identity's", async || {
        let status = world.get("targetapplications.provost.dev/wiki")["status"].clone();
        (status["accounts"]["unmanaged"].as_i64().unwrap_or_default() == 0).then_some(())
    })
    .await;
    world.check();
}

fn ldif() -> String {
    let mut ldif = String::new();
    for at in 0..MANY {
        let uid = if at < 4 { format!("odd-{at}") } else { name(at) };
        write!(
            ldif,
            "dn: uid={uid},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: Person {at}, \"the {at}th\"\n\
             sn: Test\ndisplayName: Person {at}, \"the {at}th\"\ngivenName: P{at}\nmail: p{at}@acme.test\n\
             mail: second{at}@acme.test\nmobile: +44 20 {at}\nl: London\nou: Department {}\ntitle: Analyst\n",
            at % 10
        )
        .unwrap();
        if at.is_multiple_of(2) {
            writeln!(ldif, "carLicense: E-{at}").unwrap();
        }
        if at >= 10 {
            writeln!(ldif, "manager: uid=odd-3,ou=people,{SUFFIX}").unwrap();
        }
        if at % DISABLED == 7 {
            writeln!(ldif, "pwdAccountLockedTime: 000001010000Z").unwrap();
        }
        ldif.push('\n');
    }
    for group in 0..GROUPS {
        write!(ldif, "dn: cn=Group {group},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: Group {group}\n")
            .unwrap();
        for at in (0..MANY).skip(group).step_by(GROUPS) {
            let uid = if at < 4 { format!("odd-{at}") } else { name(at) };
            writeln!(ldif, "member: uid={uid},ou=people,{SUFFIX}").unwrap();
        }
        if group == 1 {
            writeln!(ldif, "member: cn=Group 2,ou=groups,{SUFFIX}").unwrap();
        }
        ldif.push('\n');
    }
    ldif
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_ldap_directory() {
    let _turn = TURN.lock().await;
    let server = Slapd::start_with(&Setup { entries: ldif(), ..Setup::default() });
    let application = object(
        "TargetApplication",
        "wiki",
        &json!({
            "connector": {"ldap": server.settings(&server.url(), &json!({}))},
            "sync": {"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s"}},
            "entitlements": [{"name": "vpn", "target": {"group": {"name": "Group 1"}}}],
        }),
    );
    let desk =
        Desk::with(&application, &[("ldap", "password", PASSWORD), ("ldap", "ca.crt", server.authority().trim_end())]);
    let changes = || -> BTreeSet<String> {
        let found = server.search(SUFFIX, "(objectClass=*)", &["entryCSN"]);
        found.split("\n\n").map(str::to_owned).collect()
    };
    let before = changes();
    let report = desk.import(&[]).await;
    foresees(&report);
    nests(&desk.manifests());
    let ours = apply(server.connected(&json!({})).await, &desk, &application).await;
    let written = changes().difference(&before).count();
    println!("ldap: {MANY} accounts, {written} entries written at the server, of these {MARKS} marks");
    assert_eq!((ours, written), (MANY, MARKS));
}

fn domain() -> String {
    let mut ldif = String::new();
    let dn = |at: usize| format!("CN=Person {at},OU=People,{DOMAIN}");
    for at in 0..MANY {
        // 512: an ordinary account; 32: it needs no password; 2: it is disabled.
        let control = if at % DISABLED == 7 { 546 } else { 544 };
        write!(
            ldif,
            "dn: {}\nobjectClass: user\nsAMAccountName: person.{at:04}\nuserAccountControl: {control}\n\
             displayName: Person {at}\ngivenName: P{at}\nsn: Test\nmail: p{at}@acme.test\n\
             department: Department {}\ntitle: Analyst\n",
            dn(at),
            at % 10
        )
        .unwrap();
        if at.is_multiple_of(2) {
            writeln!(ldif, "carLicense: E-{at}").unwrap();
        }
        if at >= 10 {
            writeln!(ldif, "manager: {}", dn(3)).unwrap();
        }
        ldif.push('\n');
    }
    for group in (0..GROUPS).rev() {
        let place = |group: usize| format!("CN=Group {group},OU=Groups,{DOMAIN}");
        writeln!(ldif, "dn: {}\nobjectClass: group\nsAMAccountName: Group {group}", place(group)).unwrap();
        for at in (0..MANY).skip(group).step_by(GROUPS) {
            writeln!(ldif, "member: {}", dn(at)).unwrap();
        }
        if group == 1 {
            writeln!(ldif, "member: {}", place(2)).unwrap();
        }
        ldif.push('\n');
    }
    ldif
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_domain() {
    let _turn = TURN.lock().await;
    let Some(server) = Samba::start() else { return };
    server.add(&domain());
    let application = object(
        "TargetApplication",
        "wiki",
        &json!({
            "connector": server.connector(&server.secure_url(), &json!({})).settings,
            "sync": {"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s"}},
            "entitlements": [{"name": "vpn", "target": {"group": {"name": "Group 1"}}}],
        }),
    );
    let secrets = [("ad", "password", SERVICE_PASSWORD), ("ad", "ca.crt", server.authority().trim_end())];
    let desk = Desk::with(&application, &secrets);
    let changes = || -> BTreeSet<String> {
        let found = server.search("(|(objectClass=user)(objectClass=group))", &["uSNChanged"]);
        // The domain itself writes down when our own account has logged in.
        let entries = found.split("\n\n").filter(|entry| !entry.contains(",OU=Services,"));
        entries.map(|entry| entry.lines().filter(|line| !line.starts_with('#')).collect()).collect()
    };
    let before = changes();
    let report = desk.import(&[]).await;
    foresees(&report);
    nests(&desk.manifests());
    let ours = apply(server.connected(&json!({})).await, &desk, &application).await;
    let written = changes().difference(&before).count();
    println!("active directory: {MANY} accounts, {written} entries written at the server, of these {MARKS} marks");
    assert_eq!((ours, written), (MANY, MARKS));
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_realm_of_keycloak() {
    let _turn = TURN.lock().await;
    let server = Keycloak::shared();
    let realm = server.realm("import", Some(&["employeeId", "department"])).await;
    realm.client("provost", &["manage-users"]).await;
    realm.make_group("", "chiefs").await;
    realm.make_group("chiefs", "deputies").await;
    for part in 0..10 {
        let user = |at: usize| {
            let mut attributes = json!({"department": [format!("Department {}", at % 10)]});
            if at.is_multiple_of(2) {
                attributes["employeeId"] = json!([format!("E-{at}")]);
            }
            let group = if at.is_multiple_of(50) { "/chiefs" } else { "/chiefs/deputies" };
            json!({
                "username": format!("person.{at:04}"), "email": format!("p{at}@acme.test"), "firstName": format!("P{at}"),
                "lastName": "Test", "enabled": at % DISABLED != 7, "attributes": attributes, "groups": [group],
            })
        };
        let users: Vec<Value> = (part * MANY / 10..(part + 1) * MANY / 10).map(user).collect();
        let body = json!({"ifResourceExists": "FAIL", "users": users});
        realm.ask(Method::POST, "/partialImport", Some(&body)).await;
    }
    let proxy = Counting::at(server.address(), "").await;
    let url = format!("http://{}", proxy.address());
    let application = object(
        "TargetApplication",
        "wiki",
        &json!({
            "connector": {"keycloak": {
                "url": url, "realm": "import", "markAttribute": "employeeId", "allowInsecure": true,
                "auth": {"clientId": "provost", "clientSecretRef": {"name": "sso", "key": "secret"}},
            }},
            "sync": {"requestsPerSecond": 10000, "concurrency": 8, "settle": {"removals": "1s"}},
            "account": {"attributes": [{"name": "department", "expression": "identity.department"}]},
            "entitlements": [{"name": "chief", "target": {"group": {"name": "/chiefs"}}}],
        }),
    );
    let desk = Desk::with(&application, &[("sso", "secret", TOKEN)]);
    let report = desk.import(&[]).await;
    foresees(&report);
    let chiefs: Vec<Value> = desk.manifests().into_iter().filter(|m| m["metadata"]["name"] == "chiefs").collect();
    assert!(chiefs[0]["spec"]["members"].to_string().contains("chiefs-deputies"), "{}", chiefs[0]);
    proxy.take();
    let ours = apply(connected_to(&realm.connector("provost", &url), TOKEN).await, &desk, &application).await;
    let written = proxy.count(|method, path| method != Method::GET && !path.ends_with("/token"));
    println!("keycloak: {MANY} accounts, {written} writes at the server, of these {MARKS} marks");
    assert_eq!((ours, written), (MANY, MARKS));
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_table() {
    let server = Program::scim2_server().require().start().await;
    let counting = Counting::before(&server).await;
    let mut text =
        "userName,externalId,displayName,givenName,familyName,email,title,department,groups,suspended\n".to_owned();
    let mut people = Vec::with_capacity(MANY);
    for at in 0..MANY {
        let mut user = user(at);
        user["emails"][0].as_object_mut().unwrap().remove("type");
        let enterprise = &user[ENTERPRISE];
        let shown = user["displayName"].as_str().unwrap().replace('"', "\"\"");
        writeln!(
            text,
            "{},{},\"{shown}\",P{at},Test,p{at}@acme.test,on,{},All;Group {},{}",
            name(at),
            user["externalId"].as_str().unwrap_or_default(),
            enterprise["department"].as_str().unwrap(),
            at % GROUPS,
            at % DISABLED == 7
        )
        .unwrap();
        people.push(user);
    }
    make_all(&counting.url(), "Users", people).await;
    let application = wiki(&counting.url()).with("entitlements", json!([])).manifest();
    let desk = Desk::with(&application, &[]);
    std::fs::write(desk.path("people.csv"), text).unwrap();
    let report = desk.import(&["--csv", &desk.text("people.csv")]).await;
    assert_eq!((&report["leftOut"], &report["foreseen"]), (&json!([]), &Value::Null));
    let groups = desk.manifests().iter().filter(|manifest| manifest["kind"] == "Group").count();
    assert_eq!(groups, GROUPS + 2, "all, and those who have an account");
    counting.take();
    let mut alone = connector(&counting.url());
    alone.settings["scim"]["profile"] = json!({"bulk": "Never"});
    let ours = apply(connected_as(&alone).await, &desk, &application).await;
    let written = counting.count(|method, _| method != Method::GET);
    println!("csv: {MANY} accounts, {written} writes at the server, of these {MARKS} marks");
    assert_eq!((ours, written), (MANY, MARKS));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_and_nothing_is_written() {
    let application = wiki("https://127.0.0.1:9/scim").manifest();
    let desk = Desk::with(&application, &[]);
    let (file, out, secrets) = (desk.text("wiki.json"), desk.text("acme"), desk.text("secrets"));
    let table = desk.text("people.csv");
    std::fs::write(&table, "userName,titel\nada,x\n").unwrap();
    for (arguments, said) in [
        (vec!["-f", &file, "--application", "wiki"], "put the value of its key token in DIR/wiki/token"),
        (vec!["-f", &file, "--application", "wiki", "--secret-dir", &secrets], "it must hold key token of Secret wiki"),
        (vec!["-f", &file, "--application", "crm"], "there is no TargetApplication crm"),
        (vec!["-f", &file], "--application"),
        (vec!["--csv", &table], "people.csv:1:10: \"titel\" is no column of an Identity"),
        (vec!["--csv", "/nowhere.csv"], "/nowhere.csv: "),
    ] {
        let all = [&["import", "--out", out.as_str()], &arguments[..]].concat();
        let (status, _, err) = Desk::provost(&all).await;
        assert!(status == 2 && err.contains(said), "{arguments:?}: {err}");
    }
    std::fs::create_dir_all(desk.path("secrets/wiki")).unwrap();
    std::fs::write(desk.path("secrets/wiki/token"), TOKEN).unwrap();
    let all = ["import", "--out", &out, "-f", &file, "--application", "wiki", "--secret-dir", &secrets];
    let (status, _, err) = tokio::time::timeout(Duration::from_mins(1), Desk::provost(&all)).await.unwrap();
    assert!(status == 2 && err.contains("nothing was written") && !err.contains(TOKEN), "{err}");
    assert!(!desk.path("acme").exists());
}
