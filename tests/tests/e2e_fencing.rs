//! A process that lost the Lease while it was stopped writes nothing more, and who leads next clears up what it left.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they counted"
)]

use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_core::model::Ledger;
use provost_store::Store;
use serde_json::{Value, json};
use tests::e2e::{Application, Target, World, identity, policy, until};
use tests::servers::TOKEN;

/// The operator's in tests, and a second more.
const LEASE: Duration = Duration::from_secs(6);

/// Stopped after so many writes.
const MOMENTS: [usize; 4] = [1, 6, 12, 18];

const PEOPLE: usize = 60;

/// What the store of an operator that has ended holds.
fn ledger(world: &World) -> Ledger {
    Store::open_existing(&world.ledger()).unwrap().load("fencing", &"wiki".into()).unwrap()
}

/// So many more people, and all of them in a group.
fn people(round: usize) -> Vec<Value> {
    (0..PEOPLE).map(|n| identity(&format!("p{round}-{n}"), "Engineering")).collect()
}

/// The number of writes that the target was asked for, once nothing is on its way to it any more.
async fn at_rest(target: &Target) -> usize {
    until("nothing reaches the target", async || {
        let before = target.writes();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (target.writes() == before).then_some(before)
    })
    .await
}

/// Another holder takes the Lease, as soon as it has expired.
fn take_lease(world: &World) -> u64 {
    let system = "fencing-system";
    let lease = world.cluster().kubectl(&["-n", system, "get", "lease", "provost", "-o", "json"]).json();
    let epoch = lease["spec"]["leaseTransitions"].as_u64().unwrap() + 1;
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let spec = json!({"spec": {
        "holderIdentity": "another", "leaseTransitions": epoch, "leaseDurationSeconds": 1,
        "acquireTime": now, "renewTime": now,
    }});
    let patch = spec.to_string();
    world.cluster().kubectl(&["-n", system, "patch", "lease", "provost", "--type=merge", "-p", &patch]).ok();
    epoch
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_past_its_lease_it_writes_nothing_more_and_the_next_one_resolves_what_it_left() {
    let target = Target::start().await;
    let mut world = World::new("fencing");
    let application = Application::new("wiki", &target.url(), &["editor"]).with("sync.concurrency", json!(8));
    world.apply(&[
        application.secret(TOKEN, "127.0.0.1"),
        application.manifest(),
        policy("everyone", "identity.type == \"Person\"", "wiki", &["editor"]),
    ]);
    let (mut left, mut open) = (Vec::new(), 0);
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        world.operator().ready();
        target.requests();
        world.apply(&people(round));
        until("it is in the middle of it", async || (target.writes() >= moment).then_some(())).await;
        world.operator().process().freeze(true);
        let stopped = Instant::now();
        let before = at_rest(&target).await;
        // The time of the Lease has to pass, whatever else is known.
        tokio::time::sleep(LEASE.saturating_sub(stopped.elapsed())).await;
        let epoch = take_lease(&world);
        world.operator().process().freeze(false);
        let resumed = Instant::now();
        until("the one that was replaced ends", async || (!world.operator().process().runs()).then_some(())).await;
        let ended = resumed.elapsed();
        assert_eq!(at_rest(&target).await, before, "a stale process wrote (epoch {epoch})");
        world.kill();
        let found = ledger(&world).intents.len();
        open += found;

        let began = Instant::now();
        world.start();
        let all = (round + 1) * PEOPLE;
        until("everybody has an account and is an editor", async || {
            let picture = target.picture().await;
            (picture.active().len() == all && picture.members("editor group").len() == all).then_some(())
        })
        .await;
        world.all_ready();
        let took = began.elapsed();
        tests::tell(format!(
            "fencing: stopped after {before} writes for {:.1} s: ended {:.0} ms after SIGCONT with {found} intents open and 0 more \
             writes; the next holder had all {all} accounts {:.1} s later",
            stopped.elapsed().saturating_sub(took).as_secs_f64(),
            ended.as_secs_f64() * 1000.0,
            took.as_secs_f64(),
        ));
        left.push(found);
    }
    assert!(open > 0, "it was stopped with steps in flight: {left:?}");
    world.settled().await;
    world.check();
    world.stop();
    let ledger = ledger(&world);
    assert_eq!(ledger.intents, [], "every intent is resolved");
    assert_eq!(ledger.records.len(), MOMENTS.len() * PEOPLE);
    assert!(world.said().contains("the Lease was lost"), "it says why it ends");
}
