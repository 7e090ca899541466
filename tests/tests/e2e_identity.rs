//! Who a record belongs to, from end to end: what is gone, invalid, there twice or made anew, each by itself, with a real API
//! server and a SCIM server.
#![allow(
    clippy::similar_names,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;

use provost_core::report::kstatus::{KStatus, kstatus};
use serde_json::{Value, json};
use tests::e2e::{Application, Picture, Target, World, group, identity, policy, ready_reason, until};
use tests::servers::TOKEN;

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// Three engineers with an account each, who are editors.
async fn three(namespace: &str) -> (World, Target) {
    let (world, target) = (World::new(namespace), Target::start().await);
    let wiki = Application::new("wiki", &target.url(), &["editor"]);
    let mut manifests = vec![wiki.secret(TOKEN, "127.0.0.1"), wiki.manifest()];
    manifests.push(policy("everyone", "identity.type == \"Person\"", "wiki", &[]));
    manifests.push(policy("editors", "identity.department == \"Engineering\"", "wiki", &["editor"]));
    manifests.extend(["ada", "bob", "cyn"].map(|name| identity(name, "Engineering")));
    world.apply(&manifests);
    world.all_ready();
    let there = target.picture().await;
    assert_eq!(there.active(), names(&["ada", "bob", "cyn"]));
    assert_eq!(there.members("editor group"), names(&["ada", "bob", "cyn"]));
    (world, target)
}

async fn becomes(target: &Target, what: &str, so: impl Fn(&Picture) -> bool) -> Picture {
    until(what, async || {
        let picture = target.picture().await;
        so(&picture).then_some(picture)
    })
    .await
}

fn object(name: &str) -> String {
    format!("identities.provost.dev/{name}")
}

/// Nothing is written by a sync that lists everything.
async fn nothing_is_written(world: &World, target: &Target, word: &str) {
    target.requests();
    world.reconcile_now("wiki", word);
    until("the sync is over", async || {
        let wiki = world.get("targetapplications.provost.dev/wiki");
        (wiki["status"]["lastHandledReconcileAt"] == word && ready_reason(&wiki) == "Synced").then_some(())
    })
    .await;
    let writes: Vec<_> = target.requests().into_iter().filter(|(method, _)| method != "GET").collect();
    assert_eq!(writes, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_has_ended_whether_anybody_was_there_to_see_it_or_not() {
    let (mut world, target) = three("gone").await;
    world.kubectl(&["delete", &object("ada")]).ok();
    becomes(&target, "ada is disabled", |now| now.active() == names(&["bob", "cyn"])).await;
    world.kill();
    world.kubectl(&["delete", &object("bob")]).ok();
    world.start();
    let there = becomes(&target, "bob is disabled", |now| now.active() == names(&["cyn"])).await;
    assert_eq!(there.accounts.len(), 3, "what was disabled is kept");
    let there = becomes(&target, "both lose what they had", |now| now.members("editor group") == names(&["cyn"])).await;
    assert_eq!(there.active(), names(&["cyn"]));
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_valid_is_frozen_and_obeyed_where_that_disables() {
    let (world, target) = three("invalid").await;
    let there = target.picture().await;
    // What the schema cannot tell: a snowman is in no user name.
    let spec = json!({"userName": "ada-\u{2603}", "title": "Head", "department": "Sales"});
    world.patch(&object("ada"), &json!({"spec": spec}));
    let ada = world.reason(&object("ada"), "InvalidSpec").await;
    assert_eq!(kstatus(&ada), KStatus::Failed, "{}", ada["status"]);
    nothing_is_written(&world, &target, "invalid").await;
    assert_eq!(target.picture().await, there, "neither updated nor removed, though a valid one had been both");

    world.patch(&object("ada"), &json!({"spec": {"lifecycle": {"suspended": true}}}));
    let there = becomes(&target, "ada is disabled", |now| now.active() == names(&["bob", "cyn"])).await;
    assert_eq!(there.accounts["ada"].title, "Analyst");

    // Still not valid: nobody is enabled by what cannot be read whole.
    world.patch(&object("ada"), &json!({"spec": {"lifecycle": {"suspended": false}}}));
    world.reason(&object("ada"), "InvalidSpec").await;
    nothing_is_written(&world, &target, "not-back").await;
    world.patch(&object("ada"), &json!({"spec": {"userName": "ada"}}));
    let there = becomes(&target, "ada is back, and has moved", |now| {
        now.active() == names(&["ada", "bob", "cyn"]) && now.members("editor group") == names(&["bob", "cyn"])
    })
    .await;
    assert_eq!(there.accounts["ada"].title, "Head");
    world.check();
}

/// Somebody who reports to ada.
fn report(name: &str) -> Value {
    let mut it = identity(name, "Sales");
    it["spec"]["managerRef"] = json!({"name": "ada"});
    it
}

/// Ada leads bob and cyn. She and bob are listed in a Group that is pushed and makes editors; what she is makes hosts of those
/// who report to her.
async fn led(namespace: &str) -> (World, Target) {
    let (world, target) = (World::new(namespace), Target::start().await);
    let pushed = json!([{"groupRef": {"name": "team"}, "name": "pushed team"}]);
    let wiki = Application::new("wiki", &target.url(), &["editor", "host"]).with("pushedGroups", pushed);
    let listed = ["ada", "bob"].map(|name| json!({"kind": "Identity", "name": name}));
    world.apply(&[
        wiki.secret(TOKEN, "127.0.0.1"),
        wiki.manifest(),
        policy("everyone", "identity.type == \"Person\"", "wiki", &[]),
        policy("editors", "\"team\" in identity.groups", "wiki", &["editor"]),
        policy("hosts", "identity.manager.department == \"Engineering\"", "wiki", &["host"]),
        group("team", &json!({"members": listed})),
        identity("ada", "Engineering"),
        report("bob"),
        report("cyn"),
    ]);
    world.all_ready();
    let there = becomes(&target, "everybody has what is declared", |now| {
        let led = |name: &str| now.accounts[name].manager == now.accounts["ada"].id;
        now.accounts.len() == 3 && led("bob") && led("cyn")
    })
    .await;
    for (group, who) in
        [("pushed team", ["ada", "bob"]), ("editor group", ["ada", "bob"]), ("host group", ["bob", "cyn"])]
    {
        assert_eq!(there.members(group), names(&who), "{group}");
    }
    (world, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_valid_is_a_manager_and_a_member_still_also_over_a_restart() {
    let (mut world, target) = led("leader").await;
    let there = target.picture().await;
    // Valid, this would take the hosts from those who report to her, and a snowman is in no user name.
    let spec = json!({"userName": "ada-\u{2603}", "title": "Head", "department": "Sales"});
    world.patch(&object("ada"), &json!({"spec": spec}));
    world.reason(&object("ada"), "InvalidSpec").await;
    nothing_is_written(&world, &target, "invalid").await;
    assert_eq!(target.picture().await, there);

    // A process that never saw her valid knows no less.
    world.kill();
    world.start();
    world.operator().ready();
    nothing_is_written(&world, &target, "again").await;
    assert_eq!(target.picture().await, there);

    // The others go on: one is edited, one joins, and gets nothing by what is not known of her.
    world.patch(&object("bob"), &json!({"spec": {"title": "Head"}}));
    world.apply(&[report("dan")]);
    let now = becomes(&target, "bob is edited and dan is there", |now| {
        now.accounts["bob"].title == "Head" && now.active().contains("dan")
    })
    .await;
    assert_eq!((&now.accounts["ada"], &now.groups), (&there.accounts["ada"], &there.groups));
    let ada = &there.accounts["ada"].id;
    assert!(["bob", "cyn"].iter().all(|name| now.accounts[*name].manager == *ada), "{now:?}");

    world.patch(&object("ada"), &json!({"spec": {"userName": "ada", "department": "Engineering"}}));
    world.all_ready();
    let now = becomes(&target, "all goes on", |now| {
        now.accounts["ada"].title == "Head" && now.members("host group") == names(&["bob", "cyn", "dan"])
    })
    .await;
    assert_eq!((&now.accounts["ada"].id, &now.accounts["dan"].manager), (ada, ada));
    for group in ["pushed team", "editor group"] {
        assert_eq!(now.members(group), names(&["ada", "bob"]), "{group}");
    }
    // Read again, she is what she is: her move takes what rests on it, and what is listed by name stays.
    world.patch(&object("ada"), &json!({"spec": {"department": "Sales"}}));
    let now = becomes(&target, "nobody is a host", |now| now.members("host group").is_empty()).await;
    assert_eq!(now.members("pushed team"), names(&["ada", "bob"]));
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_with_one_key_the_older_stands_and_the_other_waits_until_it_has_ended() {
    let (world, target) = three("twice").await;
    let ada = world.get(&object("ada"));
    let made: jiff::Timestamp = ada["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    until("ada is older", async || (jiff::Timestamp::now().as_second() > made.as_second()).then_some(())).await;
    let mut second = identity("second", "Engineering");
    second["spec"]["externalId"] = json!("E-ada");
    let mut third = identity("third", "Engineering");
    third["spec"]["userName"] = json!("ada");
    world.apply(&[second, third, identity("dan", "Engineering")]);
    let there = becomes(&target, "dan is an editor", |now| now.members("editor group").contains("dan")).await;
    for (name, reason) in [("second", "DuplicateExternalId"), ("third", "DuplicateUserName")] {
        let found = world.reason(&object(name), reason).await;
        assert_eq!(kstatus(&found), KStatus::Failed, "{name}: {}", found["status"]);
    }
    nothing_is_written(&world, &target, "twice").await;
    assert_eq!(target.picture().await, there, "neither of them takes the account, nor has one");
    world.wait_ready(&object("ada"));

    // One who had an account of their own loses nothing by becoming a duplicate.
    world.patch(&object("dan"), &json!({"spec": {"userName": "ada", "department": "Sales"}}));
    world.reason(&object("dan"), "DuplicateUserName").await;
    nothing_is_written(&world, &target, "become").await;
    assert_eq!(target.picture().await, there);
    // Its lifecycle is obeyed all the same.
    world.patch(&object("dan"), &json!({"spec": {"lifecycle": {"suspended": true}}}));
    becomes(&target, "dan is disabled", |now| !now.active().contains("dan")).await;
    let back = json!({"userName": "dan", "department": "Engineering", "lifecycle": {"suspended": false}});
    world.patch(&object("dan"), &json!({"spec": back}));
    becomes(&target, "dan is back", |now| now.active().contains("dan")).await;
    world.kubectl(&["delete", &object("third")]).ok();

    // Who has ended is no duplicate: the account passes to whoever has its key.
    let id = there.accounts["ada"].id.clone();
    world.patch(&object("ada"), &json!({"spec": {"lifecycle": {"endTime": "2020-01-01T00:00:00Z"}}}));
    let now = becomes(&target, "the second has the account", |now| now.active().contains("second")).await;
    assert_eq!(now.accounts["second"].id, id, "it is the same one, under another name");
    assert_eq!(now.active(), names(&["bob", "cyn", "dan", "second"]));
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_object_is_the_same_person_if_its_key_agrees_and_somebody_else_if_not() {
    let (mut world, target) = three("restored").await;
    let there = target.picture().await;
    target.requests();
    // Seen as it happens, and while nobody looks.
    let anew = |world: &World, manifest: Value| {
        let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
        let before = world.get(&object(&name))["metadata"]["uid"].clone();
        world.kubectl(&["delete", &object(&name)]).ok();
        world.apply(&[manifest]);
        assert_ne!(world.get(&object(&name))["metadata"]["uid"], before);
    };
    world.kill();
    anew(&world, identity("ada", "Engineering"));
    world.start();
    world.all_ready();
    anew(&world, identity("bob", "Engineering"));
    world.all_ready();
    nothing_is_written(&world, &target, "restored").await;
    assert_eq!(target.picture().await, there, "nobody has lost anything");

    // Another person under the name of one who left.
    let mut other = identity("cyn", "Engineering");
    other["spec"]["externalId"] = json!("E-another");
    other["spec"]["userName"] = json!("another");
    world.kill();
    anew(&world, other);
    world.start();
    let now = becomes(&target, "the other one has an account", |now| now.active().contains("another")).await;
    assert_ne!(now.accounts["another"].id, there.accounts["cyn"].id);
    let now = becomes(&target, "who left is disabled", |now| !now.accounts["cyn"].active).await;
    assert_eq!(now.accounts["cyn"].id, there.accounts["cyn"].id);
    becomes(&target, "and is no editor", |now| now.members("editor group") == names(&["ada", "another", "bob"])).await;
    world.check();
}
