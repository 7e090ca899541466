//! What fails outside: targets that are away, credentials that are missing or wrong, resources that are taken away.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they counted"
)]

use std::collections::BTreeSet;

use provost_core::report::kstatus::{KStatus, kstatus};
use serde_json::{Value, json};
use tests::e2e::{Application, Picture, Target, World, condition, identity, policy, until, versions};
use tests::misbehaving::{Misbehaving, Switches};
use tests::servers::TOKEN;

const WIKI: &str = "targetapplications.provost.dev/wiki";

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn people() -> Vec<Value> {
    vec![
        identity("ada", "Engineering"),
        identity("bob", "Engineering"),
        identity("cyn", "Sales"),
        policy("everyone", "identity.type == \"Person\"", "wiki", &[]),
        policy("editors", "identity.department == \"Engineering\"", "wiki", &["editor"]),
    ]
}

async fn in_the_end(target: &Target, what: &str, so: impl Fn(&Picture) -> bool) -> Picture {
    until(what, async || {
        let picture = target.picture().await;
        so(&picture).then_some(picture)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_away_is_told_once_and_what_was_changed_meanwhile_follows() {
    let (target, other) = (Target::start().await, Target::start().await);
    let world = World::new("away");
    let (wiki, chat) =
        (Application::new("wiki", &target.url(), &["editor"]), Application::new("chat", &other.url(), &[]));
    let mut manifests = people();
    manifests.extend([
        wiki.secret(TOKEN, "127.0.0.1"),
        wiki.manifest(),
        chat.secret(TOKEN, "127.0.0.1"),
        chat.manifest(),
    ]);
    manifests.push(policy("chatters", "true", "chat", &[]));
    world.apply(&manifests);
    world.all_ready();
    world.settled().await;
    let before = world.objects();
    let there = target.picture().await;

    target.gate.shut().await;
    world.reconcile_now("wiki", "while-away");
    world.patch("identities.provost.dev/ada", &json!({"spec": {"title": "Head"}}));
    world.apply(&[identity("dan", "Engineering")]);
    let wiki = until("Reachable is False", async || {
        let wiki = world.get(WIKI);
        (condition(&wiki, "Reachable")["status"] == "False").then_some(wiki)
    })
    .await;
    assert_eq!(condition(&wiki, "Ready")["reason"], "TargetUnreachable", "{}", wiki["status"]);
    assert_eq!(kstatus(&wiki), KStatus::InProgress, "an outage is waited for: {}", wiki["status"]);
    // The other application goes on: dan is there; what was edited is not done, what was not edited is not rewritten.
    in_the_end(&other, "dan has an account in the chat", |picture| picture.accounts.contains_key("dan")).await;
    let ada = world.reason("identities.provost.dev/ada", "TargetUnreachable").await;
    assert_eq!(kstatus(&ada), KStatus::InProgress, "{}", ada["status"]);
    let find =
        |objects: &[Value], name: &str| objects.iter().find(|object| object["metadata"]["name"] == name).cloned();
    for name in ["bob", "cyn"] {
        let (was, is) = (find(&before, name).unwrap(), find(&world.objects(), name).unwrap());
        assert_eq!(is["status"], was["status"], "{name} is another though only a target is away");
        assert_eq!(versions(&[is]), versions(&[was]), "{name} was written though only a target is away");
    }
    assert_eq!(target.picture().await, there);

    target.gate.open().await;
    in_the_end(&target, "what was changed meanwhile follows", |picture| {
        picture.accounts.get("ada").is_some_and(|ada| ada.title == "Head")
            && picture.members("editor group") == names(&["ada", "bob", "dan"])
    })
    .await;
    world.all_ready();
    assert_eq!(condition(&world.get(WIKI), "Reachable")["status"], "True");
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_missing_not_allowed_or_wrong_is_used_when_it_is_right() {
    let target = Target::start().await;
    let mut world = World::new("credentials");
    let wiki = Application::new("wiki", &target.url(), &["editor"]);
    let mut manifests = people();
    manifests.push(wiki.manifest());
    world.apply(&manifests);
    let missing = world.reason(WIKI, "SecretNotFound").await;
    assert_eq!(kstatus(&missing), KStatus::InProgress, "{}", missing["status"]);
    assert_eq!(condition(&missing, "Reachable")["status"], "False");

    world.apply(&[wiki.secret(TOKEN, "chat.acme.test")]);
    let refused = world.reason(WIKI, "HostNotAllowed").await;
    assert_eq!(kstatus(&refused), KStatus::Failed, "{}", refused["status"]);
    assert_eq!(target.requests(), [], "nothing was sent to a host that its Secret does not name");

    world.apply(&[wiki.secret("of-yesterday", "127.0.0.1")]);
    let wrong = world.reason(WIKI, "Unauthorized").await;
    assert_eq!(kstatus(&wrong), KStatus::Failed, "{}", wrong["status"]);
    assert!(target.requests().iter().all(|(method, _)| method == "GET"), "nothing is written with a wrong token");

    // Nobody touches the TargetApplication: the Secret alone is corrected.
    world.apply(&[wiki.secret(TOKEN, "127.0.0.1")]);
    world.wait_ready(WIKI);
    world.all_ready();
    let there = target.picture().await;
    assert_eq!(there.active(), names(&["ada", "bob", "cyn"]));
    assert_eq!(there.members("editor group"), names(&["ada", "bob"]));

    // A token that expires later takes nothing from anybody, and a leaver waits until it is renewed.
    target.requests();
    world.apply(&[wiki.secret("expired", "127.0.0.1")]);
    world.stop();
    world.start();
    world.reason(WIKI, "Unauthorized").await;
    world.patch("identities.provost.dev/bob", &json!({"spec": {"lifecycle": {"suspended": true}}}));
    let bob = until("bob is being worked on", async || {
        let bob = world.get("identities.provost.dev/bob");
        (bob["status"]["lifecycleState"] == "Suspended").then_some(bob)
    })
    .await;
    assert_ne!(condition(&bob, "Ready")["status"], "True", "{}", bob["status"]);
    assert_eq!(target.picture().await, there);
    world.apply(&[wiki.secret(TOKEN, "127.0.0.1")]);
    in_the_end(&target, "bob is disabled", |picture| !picture.accounts["bob"].active).await;
    world.all_ready();
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_exchanged_is_used_without_a_restart_and_only_where_it_may_be_sent() {
    let server = Misbehaving::start(Switches::default()).await;
    let world = World::new("rotation");
    let wiki = Application::new("wiki", &server.url(), &["editor"]);
    let mut manifests = people();
    manifests.extend([wiki.secret(TOKEN, "127.0.0.1"), wiki.manifest()]);
    world.apply(&manifests);
    world.all_ready();
    let since = |object: &Value| {
        let transition = |kind: &str| condition(object, kind)["lastTransitionTime"].clone();
        (transition("Reachable"), transition("Stalled"))
    };
    let before = since(&world.get(WIKI));
    assert_eq!(server.with(|service| service.refused), 0);

    // Exchanged on both sides: what is refused once is asked again with what the Secret holds now.
    world.apply(&[wiki.secret("of-tomorrow", "127.0.0.1")]);
    server.with(|service| service.switches.token = Some("of-tomorrow"));
    world.patch("identities.provost.dev/ada", &json!({"spec": {"title": "Head"}}));
    until("ada has her title", async || {
        let so = server.with(|service| service.users.iter().any(|user| user["title"] == "Head"));
        so.then_some(())
    })
    .await;
    assert_eq!(server.with(|service| service.refused), 1, "one request was refused, and sent again");
    world.all_ready();
    assert_eq!(since(&world.get(WIKI)), before, "nobody noticed");

    // Exchanged in the Secret alone, while both are good: used from the next sync on.
    world.apply(&[wiki.secret("of-next-week", "127.0.0.1")]);
    server.with(|service| service.switches.also_token = Some("of-next-week"));
    world.reconcile_now("wiki", "exchanged");
    until("the new one is used", async || {
        server.with(|service| service.authorization == "Bearer of-next-week").then_some(())
    })
    .await;
    assert_eq!(server.with(|service| service.refused), 1);
    world.all_ready();
    until("what our writes have shown is in the profile", async || {
        (world.get(WIKI)["status"]["profile"]["change"] == "PATCH").then_some(())
    })
    .await;

    // Not for this host any more.
    world.apply(&[wiki.secret("of-next-week", "chat.acme.test")]);
    world.reconcile_now("wiki", "withdrawn");
    world.reason(WIKI, "HostNotAllowed").await;
    world.check();
}

/// With the operator away nothing is seen; back again, it knows that it knows nothing.
#[tokio::test(flavor = "multi_thread")]
async fn resources_taken_away_remove_nothing() {
    let target = Target::start().await;
    let mut world = World::alone("taken");
    let wiki = Application::new("wiki", &target.url(), &["editor"]);
    let mut manifests = people();
    manifests.extend([wiki.secret(TOKEN, "127.0.0.1"), wiki.manifest()]);
    world.apply(&manifests);
    world.all_ready();
    let there = target.picture().await;
    target.requests();
    let all = ["targetapplications", "identities", "groups", "accesspolicies"];
    for gone in [&all[3..], &all[2..3], &all] {
        let crds: Vec<String> = gone.iter().map(|plural| format!("crd/{plural}.provost.dev")).collect();
        let mut delete = vec!["delete", "--wait=false"];
        delete.extend(crds.iter().map(String::as_str));
        world.cluster().kubectl(&delete).ok();
        let noticed = async || {
            let (code, text) = world.operator().get("/readyz");
            (code == 503 && text.contains("provost.dev")).then_some(())
        };
        until("it has noticed", noticed).await;
        // A restart that finds it so is no different.
        world.stop();
        world.start();
        let mut wait = vec!["wait", "--for=delete", "--timeout=60s"];
        wait.extend(crds.iter().map(String::as_str));
        world.cluster().kubectl(&wait).ok();
        assert_eq!(target.picture().await, there, "{gone:?}: what is gone is no reason to remove anything");
        world.cluster().install_crds();
        world.apply(&manifests);
        world.operator().ready();
        world.all_ready();
        assert_eq!(target.picture().await, there, "{gone:?}");
    }
    let writes: Vec<_> = target.requests().into_iter().filter(|(method, _)| method != "GET").collect();
    assert_eq!(writes, [], "nothing was written all the time");
    world.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_applications_on_one_target_the_one_with_accounts_has_it_over_restarts_until_it_is_deleted() {
    const TWIN: &str = "targetapplications.provost.dev/twin";
    let target = Target::start().await;
    let mut world = World::new("twins");
    let wiki = Application::new("wiki", &target.url(), &["editor"]);
    let twin = Application::new("twin", &target.url(), &["editor"]);
    // The twin is older, and has no credential until the other one has accounts.
    world.apply(&[twin.manifest(), policy("twins", "true", "twin", &["editor"])]);
    let older = world.reason(TWIN, "SecretNotFound").await;
    let made: jiff::Timestamp = older["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    until("it is older", async || (jiff::Timestamp::now().as_second() > made.as_second()).then_some(())).await;
    let mut manifests = people();
    manifests.extend([wiki.secret(TOKEN, "127.0.0.1"), wiki.manifest()]);
    world.apply(&manifests);
    world.wait_ready(WIKI);
    in_the_end(&target, "two are editors", |now| now.members("editor group") == names(&["ada", "bob"])).await;
    world.apply(&[twin.secret(TOKEN, "127.0.0.1")]);
    let conflict = async |world: &World| {
        let found = world.reason(TWIN, "TargetConflict").await;
        assert_eq!(kstatus(&found), KStatus::Failed, "{}", found["status"]);
        assert!(found["status"].to_string().contains("TargetApplication wiki manages"), "{}", found["status"]);
    };
    conflict(&world).await;
    let there = target.picture().await;
    target.requests();
    for word in ["first", "second"] {
        world.kill();
        world.start();
        world.operator().ready();
        world.reconcile_now("wiki", word);
        until("it was synced", async || (world.get(WIKI)["status"]["lastHandledReconcileAt"] == word).then_some(()))
            .await;
        world.wait_ready(WIKI);
        conflict(&world).await;
    }
    let writes: Vec<_> = target.requests().into_iter().filter(|(method, _)| method != "GET").collect();
    assert_eq!((writes, target.picture().await), (vec![], there.clone()), "a restart changes nothing");
    // Not even while the one that has accounts cannot be reached.
    world.kill();
    world.kubectl(&["delete", "secret", "wiki"]).ok();
    world.start();
    world.reason(WIKI, "SecretNotFound").await;
    conflict(&world).await;
    assert_eq!(target.picture().await, there);
    world.apply(&[wiki.secret(TOKEN, "127.0.0.1")]);
    world.wait_ready(WIKI);
    // Nor while it is paused, and asks nothing itself.
    world.patch(WIKI, &json!({"spec": {"mode": "Paused"}}));
    world.reason(WIKI, "Paused").await;
    world.kill();
    target.requests();
    world.start();
    let mut begun = 0;
    until("the twin was refused and begins again", async || {
        begun += target.requests().iter().filter(|(_, path)| path.ends_with("/ServiceProviderConfig")).count();
        (begun > 1).then_some(())
    })
    .await;
    conflict(&world).await;
    assert_eq!(target.picture().await, there);
    world.patch(WIKI, &json!({"spec": {"mode": "Enforce"}}));
    world.wait_ready(WIKI);
    let owns = |application: &str| world.journal().iter().any(|line| line["application"] == application);
    assert!(owns("wiki") && !owns("twin"), "the twin has written nothing");

    // What is released is adopted by its keys, and nobody loses an account.
    world.kubectl(&["delete", WIKI, "accesspolicies.provost.dev/everyone", "accesspolicies.provost.dev/editors"]).ok();
    world.wait_ready(TWIN);
    let now = in_the_end(&target, "all are editors", |now| now.members("editor group").len() == 3).await;
    assert_eq!(now.accounts, there.accounts, "the accounts are the same");
    world.all_ready();
    world.check();
}
