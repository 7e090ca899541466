//! What kubectl, Flux and Argo CD see: `kubectl wait` returns when what was declared is so, not before, just after a create
//! and just after an edit; and kstatus is right in every state.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they counted"
)]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::cluster::{Kstatus, kstatus};
use tests::e2e::{Application, Target, World, condition, group, identity, object, policy, until};
use tests::servers::TOKEN;

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_wait_is_right_just_after_a_create_and_just_after_an_edit() {
    let target = Target::start().await;
    let world = World::new("wait");
    let wiki = Application::new("wiki", &target.url(), &["editor", "reader"]);
    world.apply(&[wiki.secret(TOKEN, "127.0.0.1")]);
    let team = |members: &[&str]| {
        let list: Vec<Value> = members.iter().map(|name| json!({"kind": "Identity", "name": name})).collect();
        group("team", &json!({"members": list}))
    };
    let grant = |entitlements: &[&str]| {
        let grants = json!([{"application": "wiki", "entitlements": entitlements}]);
        object("AccessPolicy", "team", &json!({"subjects": [{"kind": "Group", "name": "team"}], "grants": grants}))
    };

    // Each kind alone, and `kubectl wait` at once.
    world.apply(&[wiki.manifest()]);
    world.wait_ready("targetapplications.provost.dev/wiki");
    assert_eq!(target.picture().await.groups.len(), 2, "Ready means that the entitlements' groups are there");
    world.apply(&[policy("everyone", "identity.type == \"Person\"", "wiki", &[])]);
    world.wait_ready("accesspolicies.provost.dev/everyone");
    world.apply(&[identity("ada", "Engineering"), identity("bob", "Engineering")]);
    world.wait_ready("identities.provost.dev/ada");
    assert!(target.picture().await.active().contains("ada"), "Ready means that the account is there");
    world.apply(&[team(&["ada"])]);
    world.wait_ready("groups.provost.dev/team");
    assert_eq!(world.get("groups.provost.dev/team")["status"]["members"], 1);
    world.apply(&[grant(&["editor"])]);
    world.wait_ready("accesspolicies.provost.dev/team");
    assert_eq!(world.get("accesspolicies.provost.dev/team")["status"]["identities"], 1);
    world.all_ready();
    assert_eq!(target.picture().await.members("editor group"), names(&["ada"]));

    // Edits, one after the other; what waits for the edited object sees it done.
    let mut ada = identity("ada", "Engineering");
    ada["spec"]["title"] = json!("Head");
    world.apply(&[ada]);
    world.wait_ready("identities.provost.dev/ada");
    assert_eq!(target.picture().await.accounts["ada"].title, "Head", "Ready means that the edit is at the target");
    world.apply(&[team(&["ada", "bob"])]);
    world.wait_ready("groups.provost.dev/team");
    assert_eq!(world.get("groups.provost.dev/team")["status"]["members"], 2);
    world.wait_ready("targetapplications.provost.dev/wiki");
    world.apply(&[grant(&["editor", "reader"])]);
    world.wait_ready("accesspolicies.provost.dev/team");
    assert_eq!(world.get("accesspolicies.provost.dev/team")["status"]["grants"], 4);
    let mapping = json!([{"name": "title", "value": "Member"}]);
    world.apply(&[wiki.clone().with("account.attributes", mapping).manifest()]);
    world.wait_ready("targetapplications.provost.dev/wiki");
    let picture = target.picture().await;
    let titles: BTreeSet<String> = picture.accounts.values().map(|account| account.title.clone()).collect();
    assert_eq!(titles, names(&["Member"]), "Ready means that every account is as declared");
    assert_eq!(picture.members("reader group"), names(&["ada", "bob"]));
    world.check();
}

/// An edit that the operator cannot see yet: nobody may take the old verdict for the new one.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_nobody_looked_at_is_in_progress() {
    let target = Target::start().await;
    let mut world = World::new("unseen");
    let wiki = Application::new("wiki", &target.url(), &["editor"]);
    world.apply(&[
        wiki.secret(TOKEN, "127.0.0.1"),
        wiki.manifest(),
        identity("ada", "Engineering"),
        group("team", &json!({"match": "true"})),
        policy("everyone", "true", "wiki", &["editor"]),
    ]);
    world.all_ready();
    world.settled().await;
    world.stop();
    let edits = [
        ("identities.provost.dev/ada", json!({"spec": {"title": "Head"}})),
        ("groups.provost.dev/team", json!({"spec": {"match": "identity.department == \"Engineering\""}})),
        ("accesspolicies.provost.dev/everyone", json!({"spec": {"description": "all"}})),
        ("targetapplications.provost.dev/wiki", json!({"spec": {"displayName": "Wiki"}})),
    ];
    for (name, edit) in &edits {
        assert_eq!(kstatus(&world.get(name)), Kstatus::Current, "{name}");
        world.patch(name, edit);
        assert_eq!(kstatus(&world.get(name)), Kstatus::InProgress, "{name}");
        let wait = world.kubectl(&["wait", "--for=condition=Ready", "--timeout=1s", name]);
        assert!(!wait.success, "kubectl takes the old verdict on {name} for the new one");
    }
    world.start();
    for (name, _) in &edits {
        world.wait_ready(name);
        assert_eq!(kstatus(&world.get(name)), Kstatus::Current, "{name}");
    }
    world.check();
}

/// What `kubectl get` shows of each kind, with the reasons of every state, fits into 100 columns.
fn columns_fit(world: &World) {
    for kind in ["identities", "groups", "accesspolicies", "targetapplications"] {
        let table = world.kubectl(&["get", &format!("{kind}.provost.dev")]).ok();
        let mut lines = table.lines();
        let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
        assert!(head.starts_with(&["NAME", "READY", "REASON"]) && head.ends_with(&["AGE"]), "{table}");
        assert!(lines.count() > 2, "{table}");
        assert!(table.lines().all(|line| line.trim_end().chars().count() <= 100), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kstatus_is_right_in_every_state() {
    let (target, other, third) = (Target::start().await, Target::start().await, Target::start().await);
    let world = World::new("states");
    let wiki = Application::new("wiki", &target.url(), &["editor"])
        .with("safety", json!({"protected": [{"attribute": "userName", "values": ["root"]}]}));
    let planned = Application::new("planned", &other.url(), &[]).with("mode", json!("Plan"));
    let paused = Application::new("paused", &third.url(), &[]).with("mode", json!("Paused"));
    let twin = Application::new("twin", &other.url(), &[]);
    let manifests: Vec<Value> = [&wiki, &planned, &paused, &twin].map(|a| a.secret(TOKEN, "127.0.0.1")).to_vec();
    world.apply(&manifests);
    target.create("root").await;
    let lifecycle = |name: &str, lifecycle: Value| {
        let mut identity = identity(name, "Engineering");
        identity["spec"]["lifecycle"] = lifecycle;
        identity
    };
    let mut stranger = identity("stranger", "Nowhere");
    stranger["spec"]["type"] = json!("Service");
    world.apply(&[
        wiki.manifest(),
        planned.manifest(),
        paused.manifest(),
        identity("ada", "Engineering"),
        identity("root", "Engineering"),
        lifecycle("soon", json!({"startTime": "2999-01-01T00:00:00Z"})),
        lifecycle("away", json!({"suspended": true})),
        lifecycle("gone", json!({"endTime": "2020-01-01T00:00:00Z"})),
        stranger,
        group("team", &json!({"match": "identity.department == \"Engineering\""})),
        group("empty", &json!({"match": "identity.department == \"Poetry\""})),
        group("typo", &json!({"match": "identity.departmnt == \"Poetry\""})),
        group("lacking", &json!({"members": [{"kind": "Group", "name": "missing"}]})),
        group("left", &json!({"members": [{"kind": "Group", "name": "right"}]})),
        group(
            "right",
            &json!({"members": [{"kind": "Identity", "name": "ada"}], "exclude": [{"kind": "Group", "name": "left"}]}),
        ),
        policy("everyone", "identity.type == \"Person\"", "wiki", &[]),
        policy("nobody", "identity.department == \"Poetry\"", "wiki", &[]),
        policy("typo", "identity.departmnt == \"Poetry\"", "wiki", &[]),
        policy("unheard", "identity.type == \"Person\"", "wiki", &["unheard"]),
        policy("nowhere", "identity.type == \"Person\"", "nowhere", &[]),
        policy("plan", "identity.type == \"Person\"", "planned", &[]),
        policy("pause", "identity.type == \"Person\"", "paused", &[]),
        object(
            "AccessPolicy",
            "audit",
            &json!({"mode": "Audit", "match": "true", "grants": [{"application": "wiki"}]}),
        ),
    ]);
    world.reason("targetapplications.provost.dev/planned", "PlanOnly").await;
    world.apply(&[twin.manifest()]);
    let ada = world.reason("identities.provost.dev/ada", "Provisioned").await;
    // Two of one name, and the older one stands; the API server counts ages in whole seconds.
    let made: jiff::Timestamp = ada["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    until("ada is older", async || (jiff::Timestamp::now().as_second() > made.as_second()).then_some(())).await;
    let mut second = identity("second", "Engineering");
    second["spec"]["userName"] = ada["metadata"]["name"].clone();
    world.apply(&[second]);
    let table = [
        ("identities.provost.dev/ada", "Provisioned", Kstatus::Current),
        ("identities.provost.dev/root", "ProtectedAccount", Kstatus::Failed),
        ("identities.provost.dev/soon", "NothingMatched", Kstatus::Current),
        ("identities.provost.dev/away", "NothingMatched", Kstatus::Current),
        ("identities.provost.dev/gone", "NothingMatched", Kstatus::Current),
        ("identities.provost.dev/stranger", "NothingMatched", Kstatus::Current),
        ("identities.provost.dev/second", "DuplicateUserName", Kstatus::Failed),
        ("groups.provost.dev/team", "Synced", Kstatus::Current),
        ("groups.provost.dev/empty", "NothingMatched", Kstatus::Current),
        ("groups.provost.dev/typo", "InvalidExpression", Kstatus::Failed),
        ("groups.provost.dev/lacking", "ReferenceNotFound", Kstatus::InProgress),
        ("groups.provost.dev/left", "MembershipCycle", Kstatus::Failed),
        ("groups.provost.dev/right", "MembershipCycle", Kstatus::Failed),
        ("accesspolicies.provost.dev/everyone", "Synced", Kstatus::Current),
        ("accesspolicies.provost.dev/nobody", "NothingMatched", Kstatus::Current),
        ("accesspolicies.provost.dev/typo", "InvalidExpression", Kstatus::Failed),
        ("accesspolicies.provost.dev/unheard", "ReferenceNotFound", Kstatus::InProgress),
        ("accesspolicies.provost.dev/nowhere", "ReferenceNotFound", Kstatus::InProgress),
        ("accesspolicies.provost.dev/audit", "Synced", Kstatus::Current),
        ("targetapplications.provost.dev/wiki", "Synced", Kstatus::Current),
        ("targetapplications.provost.dev/planned", "PlanOnly", Kstatus::InProgress),
        ("targetapplications.provost.dev/paused", "Paused", Kstatus::InProgress),
        ("targetapplications.provost.dev/twin", "TargetConflict", Kstatus::Failed),
    ];
    for (name, reason, expected) in table {
        let object = world.reason(name, reason).await;
        assert_eq!(kstatus(&object), expected, "{name}: {}", object["status"]);
        let waits = world.kubectl(&["wait", "--for=condition=Ready", "--timeout=0", name]).success;
        assert_eq!(waits, expected == Kstatus::Current, "kubectl wait on {name}");
        assert!(condition(&object, "Ready")["message"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    columns_fit(&world);
    // Nobody's account was written to who may not have one, and Plan and Paused write nothing.
    let picture = target.picture().await;
    assert_eq!(picture.accounts.keys().cloned().collect::<BTreeSet<_>>(), names(&["ada", "root"]));
    assert_eq!(picture.accounts["root"].title, "", "a protected account is not written to");
    assert!(other.requests().iter().all(|(method, _)| method == "GET"), "Plan writes nothing");
    assert_eq!(third.requests(), [], "Paused asks nothing");
    world.kubectl(&["delete", "targetapplications.provost.dev/wiki", "--wait=true", "--timeout=60s"]).ok();
    assert_eq!(target.picture().await, picture, "deleting it lets go, and removes nothing");
    world.check();
}
