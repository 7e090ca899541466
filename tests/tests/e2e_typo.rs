//! A rule with a mistake in it: said with line, column and the nearest name; what it governs stays as it is at the target,
//! what it does not govern goes on.
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
use tests::e2e::{Application, Target, World, condition, group, identity, object, policy, until};
use tests::servers::TOKEN;

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// ada and bob are engineers and edit the wiki; cyn sells; everyone has an account.
fn company(url: &str) -> Vec<Value> {
    let application = Application::new("wiki", url, &["editor", "seller", "team"]);
    vec![
        application.secret(TOKEN, "127.0.0.1"),
        application.manifest(),
        identity("ada", "Engineering"),
        identity("bob", "Engineering"),
        identity("cyn", "Sales"),
        group("engineers", &json!({"match": "identity.department == \"Engineering\""})),
        policy("everyone", "identity.type == \"Person\"", "wiki", &[]),
        policy("editors", "identity.department == \"Engineering\"", "wiki", &["editor"]),
        policy("sellers", "identity.department == \"Sales\"", "wiki", &["seller"]),
        object(
            "AccessPolicy",
            "teams",
            &json!({
                "subjects": [{"kind": "Group", "name": "engineers"}],
                "grants": [{"application": "wiki", "entitlements": ["team"]}],
            }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_freezes_what_the_rule_governs_and_nothing_else() {
    let target = Target::start().await;
    let world = World::new("typo");
    world.apply(&company(&target.url()));
    world.all_ready();
    let before = target.picture().await;
    assert_eq!(before.members("editor group"), names(&["ada", "bob"]));
    assert_eq!(before.members("team group"), names(&["ada", "bob"]));

    let wrong = "identity.type == \"Person\" &&\n  identity.departmnt == \"Engineering\"";
    world.patch("accesspolicies.provost.dev/editors", &json!({"spec": {"match": wrong}}));
    let editors = world.reason("accesspolicies.provost.dev/editors", "InvalidExpression").await;
    assert_eq!(kstatus(&editors), KStatus::Failed, "{editors}");
    assert_eq!(condition(&editors, "Stalled")["status"], "True");
    let message = condition(&editors, "Ready")["message"].to_string();
    for part in ["spec.match", "2:", "departmnt", "did you mean", "department"] {
        assert!(message.contains(part), "the condition does not say {part:?}: {message}");
    }
    tests::tell(format!("typo: {message}"));

    // A Group's rule too; and a policy for those who are in it.
    world.patch("groups.provost.dev/engineers", &json!({"spec": {"match": "identity.departmen == \"Engineering\""}}));
    let engineers = world.reason("groups.provost.dev/engineers", "InvalidExpression").await;
    assert_eq!(kstatus(&engineers), KStatus::Failed, "{engineers}");

    // Meanwhile the others go on: dan joins Engineering and gets an account, and nothing from the broken rules; eve joins
    // Sales; cyn leaves Sales, and loses what a sound policy gave her; ada's title changes.
    world.apply(&[identity("dan", "Engineering"), identity("eve", "Sales")]);
    world.patch("identities.provost.dev/cyn", &json!({"spec": {"department": "Finance"}}));
    world.patch("identities.provost.dev/ada", &json!({"spec": {"title": "Head"}}));
    let during = until("the others have gone on", async || {
        let picture = target.picture().await;
        let done = picture.accounts.get("ada").is_some_and(|ada| ada.title == "Head")
            && picture.accounts.contains_key("dan")
            && picture.members("seller group") == names(&["eve"]);
        done.then_some(picture)
    })
    .await;
    world.wait_ready("identities.provost.dev/dan");
    world.reconcile_now("wiki", "during");
    until("a full sync is over", async || {
        let wiki = world.get("targetapplications.provost.dev/wiki");
        (wiki["status"]["lastHandledReconcileAt"] == "during").then_some(())
    })
    .await;
    world.settled().await;
    let later = target.picture().await;
    for picture in [during, later] {
        assert_eq!(picture.members("editor group"), names(&["ada", "bob"]), "frozen means as it was");
        assert_eq!(picture.members("team group"), names(&["ada", "bob"]), "frozen means as it was");
        assert_eq!(picture.active(), names(&["ada", "bob", "cyn", "dan", "eve"]));
        assert_eq!(picture.accounts["bob"], before.accounts["bob"]);
    }
    let removed = world.journal().into_iter().filter(|line| line["step"] == "RemoveMembers");
    let removed: BTreeSet<String> = removed.map(|line| line["identities"].to_string()).collect();
    assert_eq!(removed, names(&["[\"cyn\"]"]), "only cyn lost anything");

    // An ended identity is no exception to anything: it goes, though the rules that gave it are broken.
    world.patch("identities.provost.dev/bob", &json!({"spec": {"lifecycle": {"endTime": "2020-01-01T00:00:00Z"}}}));
    until("bob is disabled and in no group", async || {
        let picture = target.picture().await;
        let out = picture.groups.values().all(|members| !members.contains("bob"));
        (out && !picture.accounts["bob"].active).then_some(())
    })
    .await;

    // Mended, everything is as declared.
    world.patch(
        "accesspolicies.provost.dev/editors",
        &json!({"spec": {"match": "identity.department == \"Engineering\""}}),
    );
    world.patch("groups.provost.dev/engineers", &json!({"spec": {"match": "identity.department == \"Engineering\""}}));
    until("dan has what the mended rules give", async || {
        let picture = target.picture().await;
        let both = [picture.members("editor group"), picture.members("team group")];
        (both == [names(&["ada", "dan"]), names(&["ada", "dan"])]).then_some(())
    })
    .await;
    world.all_ready();
    world.check();
}
