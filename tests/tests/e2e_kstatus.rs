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

use std::collections::{BTreeMap, BTreeSet};

use provost_core::model::Reason;
use provost_core::report::kstatus::{KStatus, kstatus, kubectl_wait};
use serde_json::{Value, json};
use tests::argocd::{HEALTH, health};
use tests::e2e::{Application, Target, World, condition, group, identity, object, policy, until};
use tests::misbehaving::{Misbehaving, Switches};
use tests::servers::TOKEN;
use tests::states::expected;

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
        assert_eq!(kstatus(&world.get(name)), KStatus::Current, "{name}");
        world.patch(name, edit);
        assert_eq!(kstatus(&world.get(name)), KStatus::InProgress, "{name}");
        let wait = world.kubectl(&["wait", "--for=condition=Ready", "--timeout=1s", name]);
        assert!(!wait.success, "kubectl takes the old verdict on {name} for the new one");
    }
    world.start();
    for (name, _) in &edits {
        world.wait_ready(name);
        assert_eq!(kstatus(&world.get(name)), KStatus::Current, "{name}");
    }
    world.check();
}

/// Waits until Ready has a reason, and compares what everybody thinks of the object then: kstatus, kubectl, Argo CD.
async fn judged(world: &World, name: &str, reason: Reason) -> Value {
    let object = world.reason(name, reason.as_str()).await;
    let (verdict, argocd) = expected(reason);
    assert_eq!(kstatus(&object), verdict, "{name}: {}", object["status"]);
    let waits = world.kubectl(&["wait", "--for=condition=Ready", "--timeout=0", name]).success;
    assert_eq!(waits, verdict == KStatus::Current, "kubectl wait on {name}");
    assert_eq!(kubectl_wait(&object, "Ready"), waits, "what is taken for kubectl's rule is not, on {name}");
    let (status, message) = health(HEALTH, std::slice::from_ref(&object)).remove(0);
    assert_eq!(status, argocd, "Argo CD on {name}");
    assert_eq!(condition(&object, "Ready")["message"], json!(message), "{name}");
    assert!(!message.is_empty(), "{name}");
    object
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
        ("identities.provost.dev/ada", Reason::Provisioned),
        ("identities.provost.dev/root", Reason::ProtectedAccount),
        ("identities.provost.dev/soon", Reason::NothingMatched),
        ("identities.provost.dev/away", Reason::NothingMatched),
        ("identities.provost.dev/gone", Reason::NothingMatched),
        ("identities.provost.dev/stranger", Reason::NothingMatched),
        ("identities.provost.dev/second", Reason::DuplicateUserName),
        ("groups.provost.dev/team", Reason::Synced),
        ("groups.provost.dev/empty", Reason::NothingMatched),
        ("groups.provost.dev/typo", Reason::InvalidExpression),
        ("groups.provost.dev/lacking", Reason::ReferenceNotFound),
        ("groups.provost.dev/left", Reason::MembershipCycle),
        ("groups.provost.dev/right", Reason::MembershipCycle),
        ("accesspolicies.provost.dev/everyone", Reason::Synced),
        ("accesspolicies.provost.dev/nobody", Reason::NothingMatched),
        ("accesspolicies.provost.dev/typo", Reason::InvalidExpression),
        ("accesspolicies.provost.dev/unheard", Reason::ReferenceNotFound),
        ("accesspolicies.provost.dev/nowhere", Reason::ReferenceNotFound),
        ("accesspolicies.provost.dev/audit", Reason::Synced),
        ("targetapplications.provost.dev/wiki", Reason::Synced),
        ("targetapplications.provost.dev/planned", Reason::PlanOnly),
        ("targetapplications.provost.dev/paused", Reason::Paused),
        ("targetapplications.provost.dev/twin", Reason::TargetConflict),
    ];
    for (name, reason) in table {
        judged(&world, name, reason).await;
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

/// The applications of the second table, each with a server of its own, in what they are declared to be.
struct Withheld {
    servers: BTreeMap<&'static str, Misbehaving>,
}

impl Withheld {
    async fn start() -> Self {
        let mut servers = BTreeMap::new();
        for name in ["removals", "grants", "settling", "adopting", "full", "idle", "changed", "limited"] {
            servers.insert(name, Misbehaving::start(Switches::default()).await);
        }
        for name in ["another", "secretless", "elsewhere", "expired"] {
            servers.insert(name, Misbehaving::start(Switches::default()).await);
        }
        let withheld = Self { servers };
        withheld.at("full").with(|service| service.switches.create_refused = Some("no room"));
        withheld.at("limited").with(|service| service.switches.answer = Some((429, Some("600"), "")));
        withheld.at("adopting").with(|service| _ = service.add_user("taken", true));
        withheld
    }

    fn at(&self, name: &str) -> &Misbehaving {
        &self.servers[name]
    }

    fn application(&self, name: &'static str) -> Application {
        let application = Application::new(name, &self.at(name).url(), &[]);
        let nothing = json!([{"count": 0, "percent": 0, "window": "24h"}]);
        match name {
            "removals" => application.with("safety", json!({"removals": nothing})),
            "settling" => application.with("sync.settle.removals", json!("1h")),
            "adopting" => application.with("account", json!({"adopt": "Never"})),
            "grants" => {
                let admin = json!({"name": "admin", "risk": "Privileged", "target": {"group": {"name": "admins", "create": true}}});
                application.with("safety", json!({"privilegedGrants": nothing})).with("entitlements", json!([admin]))
            }
            _ => application,
        }
    }

    /// Everything; a policy of an application is for the department of its name.
    fn manifests(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for name in ["removals", "grants", "settling", "adopting", "full", "idle", "changed", "limited"] {
            let application = self.application(name);
            let entitlements: &[&str] = if name == "grants" { &["admin"] } else { &[] };
            let rule = format!("identity.department == \"{name}\"");
            all.extend([application.secret(TOKEN, "127.0.0.1"), application.manifest()]);
            all.push(policy(name, &rule, name, entitlements));
        }
        let (elsewhere, expired) = (self.application("elsewhere"), self.application("expired"));
        let away = Application::new("away", "http://127.0.0.1:1/scim", &[]);
        all.extend([elsewhere.secret(TOKEN, "chat.acme.test"), expired.secret("of-yesterday", "127.0.0.1")]);
        all.extend([away.secret(TOKEN, "127.0.0.1"), away.manifest(), self.application("secretless").manifest()]);
        all.extend([elsewhere.manifest(), expired.manifest()]);
        all.push(policy("away", "identity.department == \"away\"", "away", &[]));
        all.push(group("admins", &json!({"match": "identity.department == \"grants\""})));
        all.push(group("failing", &json!({"match": "1 / (size(identity.displayName) - 3) > 0"})));
        for (name, department) in [("lea", "removals"), ("eve", "settling"), ("adm", "grants"), ("taken", "adopting")] {
            all.push(identity(name, department));
        }
        all.extend([identity("refused", "full"), identity("idle", "idle"), identity("away", "away")]);
        all
    }
}

/// Objects that somebody else keeps from going.
fn kept() -> Vec<Value> {
    let application = Application::new("kept", "http://127.0.0.1:1/kept", &[]).with("mode", json!("Paused"));
    let mut all = vec![
        identity("kept", "Nowhere"),
        group("kept", &json!({"match": "false"})),
        policy("kept", "false", "removals", &[]),
        application.manifest(),
    ];
    for object in &mut all {
        object["metadata"]["finalizers"] = json!(["tests.provost.dev/kept"]);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn kstatus_is_right_where_something_is_withheld_refused_or_goes() {
    let withheld = Withheld::start().await;
    let mut world = World::new("withheld");
    world.apply(&kept());
    world.apply(&withheld.manifests());
    let app = |name: &str| format!("targetapplications.provost.dev/{name}");
    for (name, reason) in [
        ("identities.provost.dev/lea", Reason::Provisioned),
        ("identities.provost.dev/eve", Reason::Provisioned),
        ("identities.provost.dev/idle", Reason::Provisioned),
        ("identities.provost.dev/taken", Reason::AdoptionNeedsApproval),
        ("identities.provost.dev/refused", Reason::Rejected),
        ("groups.provost.dev/failing", Reason::EvaluationFailed),
        ("targetapplications.provost.dev/adopting", Reason::Synced),
        ("targetapplications.provost.dev/full", Reason::Synced),
        ("targetapplications.provost.dev/changed", Reason::Synced),
        ("targetapplications.provost.dev/away", Reason::TargetUnreachable),
        ("targetapplications.provost.dev/secretless", Reason::SecretNotFound),
        ("targetapplications.provost.dev/elsewhere", Reason::HostNotAllowed),
        ("targetapplications.provost.dev/expired", Reason::Unauthorized),
        ("targetapplications.provost.dev/limited", Reason::RateLimited),
        // Who waits for a target.
        ("identities.provost.dev/away", Reason::TargetUnreachable),
        // A privileged grant is held. The group is known, and whom the policy matches.
        ("targetapplications.provost.dev/grants", Reason::GrantBudgetExceeded),
        ("identities.provost.dev/adm", Reason::GrantBudgetExceeded),
        ("groups.provost.dev/admins", Reason::Synced),
        ("accesspolicies.provost.dev/grants", Reason::Synced),
    ] {
        judged(&world, name, reason).await;
    }

    // What is there already is to go, or is changed by others.
    withheld.at("idle").with(|service| {
        service.users.iter_mut().for_each(|user| _ = user.insert("active".into(), json!(false)));
    });
    world.reconcile_now("idle", "disabled");
    let url = withheld.at("another").url();
    world.patch(&app("changed"), &json!({"spec": {"connector": {"scim": {"url": url}}}}));
    for name in ["removals", "settling"] {
        world.patch(
            &format!("accesspolicies.provost.dev/{name}"),
            &json!({"spec": {"match": "identity.department == \"Poetry\""}}),
        );
    }
    for (name, reason) in [
        ("identities.provost.dev/idle", Reason::DisabledAtTarget),
        ("targetapplications.provost.dev/changed", Reason::TargetChanged),
        ("identities.provost.dev/eve", Reason::Settling),
        ("targetapplications.provost.dev/settling", Reason::Settling),
        ("targetapplications.provost.dev/removals", Reason::RemovalBudgetExceeded),
        ("identities.provost.dev/lea", Reason::RemovalBudgetExceeded),
        ("accesspolicies.provost.dev/removals", Reason::NothingMatched),
    ] {
        judged(&world, name, reason).await;
    }
    let hash = world.get(&app("removals"))["status"]["heldPlans"][0]["hash"].clone();
    world.patch(&app("removals"), &json!({"spec": {"safety": {"approvedPlan": hash}}}));
    judged(&world, &app("removals"), Reason::Synced).await;

    // Being deleted is being deleted, whatever the conditions say.
    for object in kept() {
        let plural = match object["kind"].as_str().unwrap() {
            "Identity" => "identities",
            "Group" => "groups",
            "AccessPolicy" => "accesspolicies",
            _ => "targetapplications",
        };
        let name = format!("{plural}.provost.dev/kept");
        judged(&world, &name, if plural == "targetapplications" { Reason::Paused } else { Reason::NothingMatched })
            .await;
        world.kubectl(&["delete", &name, "--wait=false"]).ok();
        let found = world.get(&name);
        assert_eq!(kstatus(&found), KStatus::Terminating, "{name}");
        assert_eq!(health(HEALTH, &[found])[0].0, "Progressing", "{name}");
        world.patch(&name, &json!({"metadata": {"finalizers": null}}));
    }

    // The ledger is lost.
    world.stop();
    std::fs::remove_file(world.ledger()).unwrap();
    world.start();
    judged(&world, &app("full"), Reason::LedgerMismatch).await;
    world.operator().ready();
    world.check();
}
