//! OpenLDAP's slapd: accounts created by engine, connector and store beside a bare client, in turns; and a directory of
//! 10,000 accounts and 100 groups: its first sync beside a bare client, one with nothing to do, and edits made at the
//! server.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use provost_core::engine::EngineEvent;
use provost_core::model::{Change, GrantWhat};
use serde_json::{Value, json};
use tests::drive::{Drive, change};
use tests::e2e::{object, policy};
use tests::servers::slapd::{SUFFIX, Slapd};

use crate::creating::create;
use crate::ldap_bare::{add_groups, add_people, connected, dn};
use crate::meter::{Meter, Run};
use crate::table::Table;
use crate::world;

const ACCOUNTS: usize = 5_000;
const TURNS: usize = 3;

/// The whole directory: everybody is in the group of a department, and every fourth one in that of the directors.
const PEOPLE: usize = 10_000;
const DEPARTMENTS: usize = 99;
const DIRECTORS: &str = "directors";
const CONCURRENCY: usize = 8;
const EDITS: u32 = 9;

pub fn measure(table: &mut Table) {
    if !tests::servers::cache().join("slapd/usr/sbin/slapd").exists() {
        return table.missing("directories", "make setup builds slapd");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (concurrency, asked) in [(1, 0.9), (16, 0.6)] {
        throughput(table, &runtime, concurrency, asked);
    }
    runtime.block_on(directory(table));
}

fn throughput(table: &mut Table, runtime: &tokio::runtime::Runtime, concurrency: usize, asked: f64) {
    let (mut bare, mut ours) = (Run::default(), Run::default());
    for _ in 0..TURNS {
        bare.add(&runtime.block_on(bare_client(concurrency)));
        ours.add(&runtime.block_on(operator(concurrency)));
    }
    let at = |who: &str| format!("slapd, {concurrency} at once: accounts created by {who}");
    table.shown(at("a bare client"), bare.rate(), "1/s");
    table.shown(at("engine, connector and store"), ours.rate(), "1/s");
    table.at_least("  of the bare client's rate", ours.rate() / bare.rate(), asked, "");
    table.shown("  processor time of the bare client, of what it and the server use", bare.cpu(), "%");
    table.shown("  processor time of engine, connector and store, the same", ours.cpu(), "%");
}

async fn bare_client(concurrency: usize) -> Run {
    let server = Slapd::start();
    let ldap = connected(&server).await;
    let people: Vec<_> = (0..ACCOUNTS).map(|at| world::identity(at, "Engineering", "Engineer")).collect();
    let meter = Meter::start(server.pid().unwrap());
    add_people(&ldap, &people, concurrency).await;
    meter.stop(ACCOUNTS)
}

async fn operator(concurrency: usize) -> Run {
    let server = Slapd::start();
    let target = server.connected(&json!({})).await;
    let application = change(application(&server, concurrency, &[], "first"));
    create(unlimited(application), target, server.pid().unwrap(), ACCOUNTS, true).await
}

/// An application with these groups.
fn application(server: &Slapd, concurrency: usize, groups: &[String], reconcile: &str) -> Value {
    let entry = |name: &String| json!({"name": name, "target": {"group": {"name": name, "create": true}}});
    let spec = json!({
        "connector": {"ldap": server.settings(&server.url(), &json!({}))},
        "sync": {"concurrency": concurrency, "settle": {"removals": "1s"}},
        "entitlements": groups.iter().map(entry).collect::<Vec<_>>(),
    });
    let mut application = object("TargetApplication", "wiki", &spec);
    application["metadata"]["annotations"] = json!({"provost.dev/reconcile-now": reconcile});
    application
}

/// The same, asked as fast as it answers.
fn unlimited(mut application: Change) -> Change {
    if let Change::TargetApplication(manifest) = &mut application {
        manifest.spec.as_mut().unwrap().sync.requests_per_second = 1_000_000;
    }
    application
}

/// Who is in which group.
fn groups() -> Vec<(String, Vec<String>)> {
    let names = |of: &dyn Fn(usize) -> bool| (0..PEOPLE).filter(|at| of(*at)).map(world::name).collect();
    let departments = (0..DEPARTMENTS)
        .map(|department| (format!("department-{department}"), names(&|at| at % DEPARTMENTS == department)));
    departments.chain([(DIRECTORS.to_owned(), names(&|at| at % 4 == 0))]).collect()
}

fn people() -> Vec<Change> {
    let title = |at: usize| if at.is_multiple_of(4) { "Director" } else { "Engineer" };
    (0..PEOPLE).map(|at| world::identity(at, &format!("department-{}", at % DEPARTMENTS), title(at))).collect()
}

async fn directory(table: &mut Table) {
    let bare = bare_directory().await;
    let server = Slapd::start();
    let mut drive = Drive::new(server.connected(&json!({})).await);
    let names: Vec<String> = groups().into_iter().map(|(name, _)| name).collect();
    let asked = |word: &str| unlimited(change(application(&server, CONCURRENCY, &names, word)));
    let mut all = people();
    all.extend(names.iter().map(|name| {
        let rule = if name == DIRECTORS {
            "identity.title == \"Director\""
        } else {
            &format!("identity.department == \"{name}\"")
        };
        change(policy(&format!("in-{name}"), rule, "wiki", &[name]))
    }));
    all.push(world::allow("everyone", None, Some("identity.type == 'Person'".to_owned()), "wiki", GrantWhat::Account));
    all.push(asked("first"));
    drive.told(EngineEvent::Listed(all));
    let first = drive.idle().await;
    check(&server);

    let members: usize = groups().iter().map(|(_, members)| members.len()).sum();
    let what =
        format!("slapd, {CONCURRENCY} at once: {PEOPLE} accounts, {} groups, {members} memberships", names.len());
    table.shown(format!("{what}, by a bare client"), bare.as_secs_f64(), "s");
    table.shown("  by the first sync of engine, connector and store", first.as_secs_f64(), "s");
    table.shown("  its rate, of the bare client's", bare.as_secs_f64() / first.as_secs_f64(), "");
    let first = server.operations();
    table.exactly("  its requests to add an entry", first["Add"], PEOPLE + names.len(), "");
    table.shown("  its requests to change one", f64::from(u32::try_from(first["Modify"]).unwrap()), "");
    // Asked what has changed, the server tells of everything that was created: not while the next sync is counted.
    tamper(&server, 99);
    drive.write().await;
    let before = server.operations();
    drive.told(EngineEvent::Changed(vec![asked("nothing")]));
    let time = drive.idle().await;
    let (searches, writes) = since(&before, &server);
    table.shown("  a sync with nothing to do", time.as_secs_f64(), "s");
    table.exactly(
        "    its pages, of 500 accounts and of 50 groups",
        searches,
        PEOPLE / 500 + names.len().div_ceil(50),
        "",
    );
    table.exactly("    its writes", writes, 0, "");

    let edited = tamper(&server, 4321);
    let time = corrected(&mut drive, asked("edit"), &server, &edited, "(title=Engineer)").await;
    table.shown(
        "  an edit of an account, from the sync asked for to its correction and the end of the sync",
        time.as_secs_f64(),
        "s",
    );
    let group = format!("cn={DIRECTORS},ou=groups,{SUFFIX}");
    let member = dn(&world::name(400));
    server.edit(&format!("dn: {group}\nchangetype: modify\ndelete: member\nmember: {member}\n"));
    let time = corrected(&mut drive, asked("member"), &server, &group, &format!("(member={member})")).await;
    table.shown("  a member taken from the group of 2,500, the same", time.as_secs_f64(), "s");
    noticed(table, &mut drive, &server).await;
}

/// Somebody edits an account at the server; its name.
fn tamper(server: &Slapd, person: usize) -> String {
    let dn = dn(&world::name(person));
    server.edit(&format!("dn: {dn}\nchangetype: modify\nreplace: title\ntitle: Tampered\n"));
    dn
}

/// Edits of which nobody tells the operator: it asks the server every few seconds what has changed. Each comes at another moment
/// between two questions.
async fn noticed(table: &mut Table, drive: &mut Drive, server: &Slapd) {
    let mut times = Vec::new();
    for at in 0..EDITS {
        drive.pass(Duration::from_millis(700) * at).await;
        let dn = tamper(server, 1234 + usize::try_from(at).unwrap());
        let edited = Instant::now();
        drive.write().await;
        times.push(edited.elapsed().as_secs_f64());
        assert!(server.search(&dn, "(title=Tampered)", &["1.1"]).is_empty(), "{dn} was not corrected");
    }
    times.sort_by(f64::total_cmp);
    table.shown(
        "  an edit of an account to its correction, no sync asked for: the median",
        times[times.len() / 2],
        "s",
    );
    table.shown(format!("    the longest of {EDITS}"), times[times.len() - 1], "s");
}

/// How long it takes until what was edited is found again as declared.
async fn corrected(drive: &mut Drive, asked: Change, server: &Slapd, dn: &str, filter: &str) -> Duration {
    assert!(server.search(dn, filter, &["1.1"]).is_empty(), "{dn} was not edited");
    drive.told(EngineEvent::Changed(vec![asked]));
    let time = drive.idle().await;
    assert!(!server.search(dn, filter, &["1.1"]).is_empty(), "{dn} was not corrected");
    time
}

/// What the server counted since: searches, and writes.
fn since(before: &BTreeMap<String, usize>, server: &Slapd) -> (usize, usize) {
    let after = server.operations();
    let of = |kind: &str| after[kind] - before[kind];
    // The search that asked before is counted by now.
    (of("Search") - 1, ["Add", "Modify", "Modrdn", "Delete"].map(of).iter().sum())
}

async fn bare_directory() -> Duration {
    let server = Slapd::start();
    let ldap = connected(&server).await;
    let (people, groups) = (people(), groups());
    let named = |(name, members): (String, Vec<String>)| (name, members.iter().map(|name| dn(name)).collect());
    let groups = groups.into_iter().map(named).collect();
    let start = Instant::now();
    add_people(&ldap, &people, CONCURRENCY).await;
    add_groups(&ldap, groups, CONCURRENCY).await;
    let time = start.elapsed();
    check(&server);
    time
}

/// Everybody is there and where they belong.
fn check(server: &Slapd) {
    let count = |base: &str, class: &str, line: &str| {
        let (attribute, _) = line.split_once(':').unwrap();
        let found = server.search(&format!("ou={base},{SUFFIX}"), &format!("(objectClass={class})"), &[attribute]);
        found.lines().filter(|found| found.starts_with(line)).count()
    };
    let groups = groups();
    let members: usize = groups.iter().map(|(_, members)| members.len()).sum();
    assert_eq!(count("people", "inetOrgPerson", "uid: "), PEOPLE);
    assert_eq!(count("groups", "groupOfNames", "cn: "), groups.len());
    // The connector's groups keep the name of nobody.
    assert_eq!(count("groups", "groupOfNames", "member: uid="), members);
}
