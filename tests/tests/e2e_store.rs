//! The operator's memory when the disk, or a person, does something to it: on real files, with a real target.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::process::Command;

use provost_store::Store;
use serde_json::{Value, json};
use tests::e2e::{Application, Target, World, identity, policy, ready_reason, until};
use tests::servers::TOKEN;

const WIKI: &str = "targetapplications.provost.dev/wiki";

/// Somebody without an externalId: the account carries our mark.
fn marked(name: &str) -> Value {
    let mut it = identity(name, "Engineering");
    it["spec"].as_object_mut().unwrap().remove("externalId");
    it
}

/// A wiki with three people, and the operator at rest.
async fn working(namespace: &str) -> (World, Target) {
    let target = Target::start().await;
    let world = World::new(namespace);
    let application = Application::new("wiki", &target.url(), &["editor"]);
    world.apply(&[
        application.secret(TOKEN, "127.0.0.1"),
        application.manifest(),
        policy("everyone", "identity.type == \"Person\"", "wiki", &["editor"]),
        identity("ada", "Engineering"),
        marked("bob"),
        identity("cyn", "Sales"),
    ]);
    world.all_ready();
    (world, target)
}

/// The target's status field of the application.
fn stamp(world: &World) -> Value {
    world.get(WIKI)["status"]["target"].clone()
}

/// Waits until the operator says what is wrong with its store, in `/readyz` and in the condition.
async fn unavailable(world: &World, said: &str) {
    until("/readyz names the store", async || {
        let (code, text) = world.operator().get("/readyz");
        (code == 503 && text.contains("store: ") && text.contains(said)).then_some(())
    })
    .await;
    let found = world.reason(WIKI, "StoreUnavailable").await;
    assert!(found["status"]["conditions"].to_string().contains(said), "{}", found["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_cannot_be_opened_nothing_is_written_and_it_goes_on_by_itself() {
    let (mut world, target) = working("unopened").await;
    world.settled().await;
    let before = stamp(&world);
    assert!(before["storeID"].is_string() && before["epoch"].as_i64().unwrap() > 29_000_000, "{before}");
    world.stop();
    let whole = std::fs::read(world.ledger()).unwrap();
    world.apply(&[identity("dan", "Sales")]);
    target.requests();

    // Locked by another process.
    let holder = Store::open_existing(&world.ledger()).unwrap();
    world.start();
    unavailable(&world, "in use by another process").await;
    assert_eq!((target.writes(), stamp(&world)), (0, before.clone()));
    drop(holder);
    world.operator().ready();
    world.all_ready();
    assert!(target.writes() > 0);
    world.stop();
    let now = std::fs::read(world.ledger()).unwrap();

    for (case, bytes) in [("cut short", whole[..whole.len() / 2].to_vec()), ("text", b"hello\n".repeat(9_999))] {
        std::fs::write(world.ledger(), &bytes).unwrap();
        world.apply(&[identity("eve", "Sales")]);
        target.requests();
        world.start();
        unavailable(&world, "not a store, or a damaged one").await;
        assert_eq!(target.writes(), 0, "{case}");
        assert_eq!(std::fs::read(world.ledger()).unwrap(), bytes, "{case}: it is left as it is");
        world.stop();
    }
    world.start();
    unavailable(&world, "not a store, or a damaged one").await;
    // Put back while the operator waits.
    std::fs::write(world.ledger(), &now).unwrap();
    world.operator().ready();
    world.all_ready();
    assert_eq!(target.picture().await.active().len(), 5);
    world.check();
}

/// Lets a process write no further than this into any file, or as far as it likes.
fn limit(world: &World, bytes: &str) {
    let pid = world.operator().process().pid().to_string();
    let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status().unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writes_and_nothing_is_lost_once_there_is_room() {
    let (mut world, target) = working("full").await;
    world.settled().await;
    target.requests();
    limit(&world, "4096");
    world.apply(&[identity("dan", "Sales"), identity("eve", "Sales")]);
    unavailable(&world, "free space").await;
    assert_eq!(target.writes(), 0, "no journal, no write");
    assert_eq!(target.picture().await.accounts.len(), 3);
    limit(&world, "unlimited");
    world.all_ready();
    world.operator().ready();
    assert_eq!(target.picture().await.active().len(), 5);
    // The file is whole, and knows everybody.
    world.settled().await;
    world.stop();
    let ledger = Store::open_existing(&world.ledger()).unwrap().load("full", &"wiki".into()).unwrap();
    assert_eq!((ledger.records.len(), ledger.intents.len()), (5, 0));
}

/// Sets the token that the condition names.
fn acknowledge(world: &World) -> String {
    let found = world.get(WIKI);
    let conditions = found["status"]["conditions"].as_array().unwrap().clone();
    let message = conditions.iter().find(|c| c["type"] == "Stalled").unwrap()["message"].as_str().unwrap().to_owned();
    let token = message.split_whitespace().last().unwrap().to_owned();
    world.patch(WIKI, &json!({"spec": {"safety": {"acknowledge": token}}}));
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_and_an_older_one_are_noticed_and_acknowledged_and_nobody_is_harmed() {
    let (mut world, target) = working("lost").await;
    world.settled().await;
    let (first, there) = (stamp(&world), target.picture().await);
    world.stop();
    let copy = std::fs::read(world.ledger()).unwrap();
    std::fs::remove_file(world.ledger()).unwrap();

    // Meanwhile one is suspended, one is deleted, one joins.
    world.patch("identities.provost.dev/ada", &json!({"spec": {"lifecycle": {"suspended": true}}}));
    world.kubectl(&["delete", "identities.provost.dev/bob"]).ok();
    world.apply(&[identity("dan", "Sales")]);
    world.start();
    world.reason(WIKI, "LedgerMismatch").await;
    until("who is suspended is disabled, and who joins is created", async || {
        let active = target.picture().await.active();
        (!active.contains("ada") && active.contains("dan")).then_some(())
    })
    .await;
    assert_eq!(stamp(&world), first);
    let now = target.picture().await;
    assert_eq!(now.active(), ["bob", "cyn", "dan"].map(String::from).into());
    assert_eq!(now.groups, there.groups, "nothing else");
    acknowledge(&world);
    world.reason(WIKI, "Synced").await;
    until("who joined is an editor", async || {
        target.picture().await.members("editor group").contains("dan").then_some(())
    })
    .await;
    let second = stamp(&world);
    assert_ne!(second["storeID"], first["storeID"]);
    assert_eq!(target.picture().await.active(), now.active(), "bob is nobody's now, and left alone");
    until("bob's account is reported", async || (world.get(WIKI)["status"]["accounts"]["orphaned"] == 1).then_some(()))
        .await;
    world.settled().await;
    world.stop();

    // The first store again: another one than the status names.
    std::fs::write(world.ledger(), &copy).unwrap();
    let before = target.picture().await;
    target.requests();
    world.start();
    world.reason(WIKI, "LedgerMismatch").await;
    let written: Vec<_> = target.requests().into_iter().filter(|(method, _)| method != "GET").collect();
    // Who is suspended is disabled all the same, also once more; nothing else is done by a ledger that is not trusted.
    assert!(
        matches!(&written[..], [] | [(_, _)]) && written.iter().all(|(method, _)| method == "PATCH"),
        "{written:?}"
    );
    let after = target.picture().await;
    assert_eq!((after.active(), &after.groups), (before.active(), &before.groups));
    acknowledge(&world);
    world.reason(WIKI, "Synced").await;
    // It knows that bob's account is ours.
    until("bob is disabled", async || (!target.picture().await.active().contains("bob")).then_some(())).await;
    assert_eq!(ready_reason(&world.get(WIKI)), "Synced");
    world.check();
}
