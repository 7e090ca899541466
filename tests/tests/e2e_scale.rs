//! A thousand people, fifty groups, forty policies, three applications: they converge, a second full sync reads and
//! writes nothing, and when nothing changes nothing is written anywhere. Times are printed, never judged.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they counted"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::e2e::{Application, Target, World, group, identity, object, policy, until};
use tests::servers::TOKEN;

const PEOPLE: usize = 1000;
const DEPARTMENTS: usize = 20;
const TEAMS: usize = 20;
const UNIONS: usize = 10;
const APPLICATIONS: [&str; 3] = ["chat", "mail", "wiki"];

fn person(number: usize) -> String {
    format!("person-{number:04}")
}

/// Who is in a group, said a second time and in other words than its manifest.
fn members(group: &str) -> BTreeSet<String> {
    let (kind, number) = group.split_once('-').unwrap();
    let number: usize = number.parse().unwrap();
    match kind {
        "department" => (0..PEOPLE).filter(|n| n % DEPARTMENTS == number).map(person).collect(),
        "team" => (number * 20..number * 20 + 20).map(person).collect(),
        _ => members(&format!("team-{}", 2 * number))
            .union(&members(&format!("team-{}", 2 * number + 1)))
            .cloned()
            .collect(),
    }
}

fn groups() -> BTreeMap<String, Value> {
    let departments = (0..DEPARTMENTS).map(|n| {
        let spec = json!({"match": format!("identity.department == \"Department {n}\"")});
        (format!("department-{n}"), spec)
    });
    let teams = (0..TEAMS).map(|n| {
        let list: Vec<Value> = (n * 20..n * 20 + 20).map(|p| json!({"kind": "Identity", "name": person(p)})).collect();
        (format!("team-{n}"), json!({"members": list}))
    });
    let unions = (0..UNIONS).map(|n| {
        let list = [2 * n, 2 * n + 1].map(|team| json!({"kind": "Group", "name": format!("team-{team}")}));
        (format!("union-{n}"), json!({"members": list}))
    });
    departments.chain(teams).chain(unions).collect()
}

/// Each application has an entitlement for every fourth group, beginning with another one.
fn entitlements() -> Vec<(&'static str, String)> {
    let names: Vec<String> = groups().into_keys().collect();
    let of = |start: usize| names.iter().skip(start).step_by(4).take(12).cloned().collect::<Vec<_>>();
    let each = APPLICATIONS.iter().enumerate();
    each.flat_map(|(at, application)| of(at).into_iter().map(|name| (*application, name))).collect()
}

fn manifests(targets: &[Target]) -> Vec<Value> {
    let mut all = Vec::new();
    for (name, target) in APPLICATIONS.iter().zip(targets) {
        let own: Vec<String> = entitlements().into_iter().filter(|(a, _)| a == name).map(|(_, e)| e).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let application = Application::new(name, &target.url(), &own);
        all.extend([application.secret(TOKEN, "127.0.0.1"), application.manifest()]);
        all.push(policy(&format!("everyone-{name}"), "identity.type == \"Person\"", name, &[]));
    }
    for (number, (application, name)) in entitlements().into_iter().enumerate() {
        let spec = json!({
            "subjects": [{"kind": "Group", "name": name}],
            "grants": [{"application": application, "entitlements": [name]}],
        });
        all.push(object("AccessPolicy", &format!("grant-{number}"), &spec));
    }
    // In force for nobody, and counted.
    all.push(object(
        "AccessPolicy",
        "watched",
        &json!({"mode": "Audit", "match": "true", "grants": [{"application": "wiki"}]}),
    ));
    all.extend(groups().iter().map(|(name, spec)| group(name, spec)));
    all.extend((0..PEOPLE).map(|n| identity(&person(n), &format!("Department {}", n % DEPARTMENTS))));
    all
}

fn by_method(requests: &[(String, String)]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for (method, _) in requests {
        *counts.entry(method.as_str()).or_default() += 1;
    }
    counts
}

/// A list of accounts or groups without a filter: what a full sync consists of.
fn is_list(request: &(String, String)) -> bool {
    let (method, path) = request;
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    method == "GET" && !query.contains("filter") && (place.ends_with("/Users") || place.ends_with("/Groups"))
}

async fn check_targets(targets: &[Target]) {
    let everyone: BTreeSet<String> = (0..PEOPLE).map(person).collect();
    for (name, target) in APPLICATIONS.iter().zip(targets) {
        let picture = target.picture().await;
        assert_eq!(picture.active(), everyone, "{name}");
        let own = entitlements().into_iter().filter(|(application, _)| application == name);
        let expected: BTreeMap<String, BTreeSet<String>> =
            own.map(|(_, entitlement)| (format!("{entitlement} group"), members(&entitlement))).collect();
        assert_eq!(picture.groups, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_people_converge_a_second_sync_only_lists_and_idle_means_idle() {
    let mut targets = Vec::new();
    for _ in APPLICATIONS {
        targets.push(Target::start().await);
    }
    let world = World::new("scale");
    let manifests = manifests(&targets);
    let of = |kind: &str| manifests.iter().filter(|m| m["kind"] == kind).count();
    assert_eq!([of("Identity"), of("Group"), of("AccessPolicy"), of("TargetApplication")], [1000, 50, 40, 3]);
    let began = Instant::now();
    world.apply(&manifests);
    tests::tell(format!("scale: applied after {:.1} s", began.elapsed().as_secs_f64()));
    world.many_ready().await;
    tests::tell(format!("scale: all Ready after {:.1} s", began.elapsed().as_secs_f64()));
    for name in APPLICATIONS {
        world.wait_ready(&format!("targetapplications.provost.dev/{name}"));
    }
    check_targets(&targets).await;
    for (name, target) in APPLICATIONS.iter().zip(&targets) {
        let requests = target.requests();
        tests::tell(format!("scale: {name}: {:?}", by_method(&requests)));
        // An application's own numbers are gathered for some seconds, and may be written after those of the last account.
        until(&format!("{name} counts every account"), async || {
            let status = world.get(&format!("targetapplications.provost.dev/{name}"))["status"].clone();
            (status["accounts"]["summary"] == "1000/1000").then_some(())
        })
        .await;
        let creates = requests.iter().filter(|(method, path)| method == "POST" && path.ends_with("/Users")).count();
        let together = requests.iter().filter(|(method, path)| method == "POST" && path.ends_with("/Bulk")).count();
        // Each is there once, as was seen above: by itself, or in a request for several.
        assert!(
            creates <= PEOPLE && (creates == PEOPLE || together > 0),
            "{name}: {creates} creates, {together} bulk requests"
        );
    }

    // A second full sync reads, and that is all.
    let before = world.settled().await;
    for target in &targets {
        target.requests();
    }
    let began = Instant::now();
    for name in APPLICATIONS {
        world.reconcile_now(name, "second");
    }
    for name in APPLICATIONS {
        let object = format!("targetapplications.provost.dev/{name}");
        until(&format!("{name} was synced again"), async || {
            (world.get(&object)["status"]["lastHandledReconcileAt"] == "second").then_some(())
        })
        .await;
    }
    let after = world.settled().await;
    tests::tell(format!("scale: a second full sync of all three took {:.1} s at most", began.elapsed().as_secs_f64()));
    for (name, target) in APPLICATIONS.iter().zip(&targets) {
        let requests = target.requests();
        tests::tell(format!("scale: {name}: {:?} in the second sync", by_method(&requests)));
        let other: Vec<_> = requests.iter().filter(|request| !is_list(request)).collect();
        assert!(other.is_empty(), "{name} was asked for more than lists: {other:?}");
        assert!(requests.iter().any(|(_, path)| path.contains("/Users")), "{name} was not read: {requests:?}");
        assert!(requests.iter().any(|(_, path)| path.contains("/Groups")), "{name} was not read: {requests:?}");
    }
    let written: Vec<_> = after.iter().filter(|(name, version)| before.get(*name) != Some(version)).collect();
    assert_eq!(written.len(), APPLICATIONS.len(), "only the applications' statuses were written: {written:?}");

    // Idle: the API server's objects stay as they are, events included, and the targets are left alone.
    let events = || world.kubectl(&["get", "events.events.k8s.io", "-o", "name"]).ok().lines().count();
    let (before, said) = (world.settled().await, events());
    let writes = world.operator().status_writes();
    for target in &targets {
        target.requests();
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(world.operator().get("/metrics").0, 200);
    }
    assert_eq!(tests::e2e::versions(&world.objects()), before, "something was written though nothing changed");
    assert_eq!(world.operator().status_writes(), writes, "a status was written again though nothing changed");
    assert_eq!(events(), said, "an event was told though nothing happened");
    for (name, target) in APPLICATIONS.iter().zip(&targets) {
        assert_eq!(target.requests(), [], "{name} was asked though nothing changed");
    }
    world.check();
}
