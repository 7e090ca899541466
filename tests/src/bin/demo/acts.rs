//! The acts. Each does one thing as a user would, and tells what then is at the targets.

use std::io::Read as _;

use serde_json::Value;

use crate::scim::{self, Server, text};
use crate::stage::Stage;

fn names(list: &[String]) -> String {
    if list.is_empty() { "nobody".to_owned() } else { list.join(", ") }
}

fn members(server: &Server, group: &str) -> Vec<String> {
    server.members(group).unwrap_or_default()
}

/// A manifest of a person.
fn person(name: &str, department: &str, number: u32) -> String {
    format!(
        "---\napiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata: {{name: {name}, namespace: acme}}\nspec:\n  \
         externalId: E-{number}\n  emails: [{{value: {name}@acme.test, type: work, primary: true}}]\n  department: {department}\n  \
         employeeType: Employee\n  managerRef: {{name: grace}}\n"
    )
}

pub fn quickstart(stage: &Stage) {
    Stage::act("kubectl apply -f examples/01-quickstart");
    stage.apply(&stage.quickstart());
    stage.tell("13 people, a service account, 4 groups, 4 policies, 2 applications applied");
    stage.see("the chat has 13 accounts, the wiki 7", |s| s.chat.users().len() == 13 && s.wiki.users().len() == 7);
    stage.all_ready();
    stage.tell("everything is Ready; at the servers:");
    for server in [&stage.chat, &stage.wiki] {
        for group in server.groups() {
            stage.tell(&format!("{} / {group}: {}", server.name, names(&members(server, &group))));
        }
    }
    stage.tell("bob is in platform, but a contractor: the Deny keeps him from Wiki Admins");
    Stage::show(&stage.kubectl(&["get", "targetapplications.provost.dev"]).ok());
}

pub fn joiner(stage: &Stage) {
    Stage::act("Joiner: one file more");
    stage.apply(&person("max", "Engineering", 1014));
    stage.see("max has an account in the chat and is a wiki editor", |s| {
        s.chat.active("max") == Some(true) && members(&s.wiki, "Wiki Editors").contains(&"max".to_owned())
    });
}

pub fn mover(stage: &Stage) {
    Stage::act("Mover: fay goes from Finance to Engineering, kim's title changes");
    stage.patch("identities.provost.dev/fay", r#"{"spec":{"department":"Engineering"}}"#);
    stage.patch("identities.provost.dev/kim", r#"{"spec":{"title":"Head of Sales"}}"#);
    stage.see("fay is a wiki editor", |s| members(&s.wiki, "Wiki Editors").contains(&"fay".to_owned()));
    stage.see("kim is Head of Sales in the chat", |s| {
        s.chat.user("kim").is_some_and(|user| text(&user, "title") == "Head of Sales")
    });
}

pub fn email(stage: &Stage) {
    Stage::act("An e-mail address changes: everywhere");
    let patch = r#"{"spec":{"emails":[{"value":"ada.lovelace@acme.test","type":"work","primary":true}]}}"#;
    stage.patch("identities.provost.dev/ada", patch);
    let changed =
        |server: &Server| server.user("ada").is_some_and(|user| scim::email(&user) == "ada.lovelace@acme.test");
    stage.see("ada.lovelace@acme.test in the chat and in the wiki", |s| changed(&s.chat) && changed(&s.wiki));
}

pub fn drift(stage: &Stage) {
    Stage::act("Drift: somebody edits an account at the target");
    stage.chat.tamper("gus", "title", "Chief of Everything");
    let title = stage.chat.user("gus").map(|user| text(&user, "title").to_owned()).unwrap_or_default();
    stage.tell(&format!("gus is now '{title}' in the chat; the next sync is asked for"));
    stage
        .kubectl(&["annotate", "--overwrite", "targetapplications.provost.dev/chat", "provost.dev/reconcile-now=drift"])
        .ok();
    stage.see("gus is an Accountant again", |s| {
        s.chat.user("gus").is_some_and(|user| text(&user, "title") == "Accountant")
    });
}

fn held(stage: &Stage) -> Option<Value> {
    let chat = stage.get("targetapplications.provost.dev/chat");
    chat.pointer("/status/heldPlans/0").cloned()
}

pub fn mistake(stage: &mut Stage) {
    Stage::act("A mistake: the chat's policy now covers Sales alone");
    let before = stage.chat.how_many_active();
    stage.patch("accesspolicies.provost.dev/everyone-chat", r#"{"spec":{"match":"identity.department == \"Sales\""}}"#);
    stage.see("the removal is held, since it exceeds the budget", |s| held(s).is_some());
    let plan = held(stage).unwrap_or_default();
    let hash = text(&plan, "hash").to_owned();
    stage.tell(&format!(
        "held plan {}: {} accounts would be disabled; {} of {before} are active now",
        hash.chars().take(12).collect::<String>(),
        plan.get("disables").and_then(Value::as_i64).unwrap_or_default(),
        stage.chat.how_many_active()
    ));
    stage.ask(&["held", "-n", "acme"]);
    stage.apply(&person("pam", "Sales", 1015));
    stage.see("meanwhile everything else goes on: pam joins Sales", |s| s.chat.active("pam") == Some(true));
    stage.approved.clone_from(&hash);
    stage.tell("suppose that it was meant: its hash is committed as approvedPlan");
    stage.patch(
        "targetapplications.provost.dev/chat",
        &format!(r#"{{"spec":{{"safety":{{"approvedPlan":"{hash}"}}}}}}"#),
    );
    stage.see("only Sales and those on call are active in the chat", |s| s.chat.how_many_active() == 7);
    stage.tell("and back again: the policy is restored");
    stage.patch("accesspolicies.provost.dev/everyone-chat", r#"{"spec":{"match":"identity.type == \"Person\""}}"#);
    stage.see("all of them are active again, with the accounts they had", |s| s.chat.how_many_active() == before + 1);
}

pub fn leaver(stage: &Stage) {
    Stage::act("Leaver: bob's last day has come");
    stage.patch("identities.provost.dev/bob", r#"{"spec":{"lifecycle":{"endTime":"2020-01-01T00:00:00Z"}}}"#);
    stage.see("bob is disabled in both, and in no group", |s| {
        let out = |server: &Server| {
            server.active("bob") == Some(false)
                && server.groups().iter().all(|group| !members(server, group).contains(&"bob".to_owned()))
        };
        out(&s.chat) && out(&s.wiki)
    });
}

pub fn crash(stage: &mut Stage) {
    Stage::act("The operator is killed in the middle of eight joiners");
    let joiners: Vec<String> = (1..=8).map(|n| format!("new{n}")).collect();
    let manifests: String =
        joiners.iter().zip(1020..).map(|(name, number)| person(name, "Engineering", number)).collect();
    stage.apply(&manifests);
    let before = stage.chat.users().len();
    stage.wait("the first of them is there", |s| s.chat.users().len() > before);
    stage.kill_operator();
    stage.tell(&format!("kill -9, with {} of 8 in the chat", stage.chat.users().len() - before));
    stage.start_operator();
    stage.see("all eight are in both, each once", |s| {
        let once = |server: &Server| {
            joiners.iter().all(|name| server.users().iter().filter(|user| text(user, "userName") == name).count() == 1)
        };
        once(&s.chat) && once(&s.wiki)
    });
}

pub fn end(stage: &Stage) {
    Stage::act("In the end");
    stage.all_ready();
    // Counters follow within ten seconds: a status is not written for each account.
    stage.wait("the counters in status are those of the servers", |s| {
        [&s.chat, &s.wiki].into_iter().all(|server| {
            let application = s.get(&format!("targetapplications.provost.dev/{}", server.name));
            let provisioned = application.pointer("/status/accounts/provisioned").and_then(Value::as_u64);
            provisioned == u64::try_from(server.how_many_active()).ok()
        })
    });
    Stage::show(&stage.kubectl(&["get", "targetapplications.provost.dev"]).ok());
    stage.tell(&format!(
        "chat: {} accounts, {} of them active; wiki: {}, {}; everything is Ready",
        stage.chat.users().len(),
        stage.chat.how_many_active(),
        stage.wiki.users().len(),
        stage.wiki.how_many_active()
    ));
}

pub fn audit(stage: &Stage) {
    Stage::act("What was done, and why: provost audit");
    stage.ask(&["audit", "-n", "acme", "--identity", "bob", "--since", &stage.since]);
    stage.tell("and what the approval released:");
    stage.ask(&["audit", "-n", "acme", "--plan", &stage.approved]);
}

pub fn keep(stage: &Stage) {
    Stage::act("It goes on running");
    println!("  export KUBECONFIG={}", stage.cluster.kubeconfig().display());
    println!("  alias kubectl={}", tests::cluster::cache().join("bin/kubectl").display());
    println!("  kubectl -n acme get provost");
    println!("  curl -H 'Authorization: Bearer {}' http://127.0.0.1:{}/v2/Users", stage.chat.token(), stage.chat.port);
    println!("\nPress Enter (or Ctrl-C) to stop.");
    let _ = std::io::stdin().read(&mut [0]);
}
