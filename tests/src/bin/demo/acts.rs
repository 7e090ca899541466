//! The acts. Each does one thing as a user would, and tells what then is at the targets.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::scim::text;
use crate::server::Server;
use crate::stage::Stage;

fn listed(list: &[String]) -> String {
    if list.is_empty() { "nobody".to_owned() } else { list.join(", ") }
}

/// "the chat" or, of several, "the chat and the wiki".
fn everywhere(stage: &Stage) -> String {
    let said: Vec<String> = stage.servers.iter().map(|server| format!("the {}", server.said())).collect();
    said.join(" and ")
}

/// Whose story it is, from the first day to the deletion.
const WHO: &str = "max";

fn identity(name: &str) -> String {
    format!("identities.provost.dev/{name}")
}

/// A manifest of a person.
fn person(name: &str, department: &str, number: u32) -> String {
    format!(
        "---\napiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata: {{name: {name}, namespace: acme}}\nspec:\n  \
         externalId: E-{number}\n  emails: [{{value: {name}@acme.test, type: work, primary: true}}]\n  department: {department}\n  \
         employeeType: Employee\n  managerRef: {{name: grace}}\n"
    )
}

pub fn example(stage: &Stage) {
    let script = &stage.script;
    Stage::act(&format!("kubectl apply -f {}", script.example));
    stage.apply(&stage.example());
    stage.tell(&format!("{} applied", script.holds));
    let counts = || stage.servers.iter().zip(script.accounts);
    let told: Vec<String> = counts().map(|(server, count)| format!("the {} has {count}", server.said())).collect();
    stage.see(&format!("accounts: {}", told.join(", ")), |_| {
        counts().all(|(server, count)| server.accounts().len() == *count)
    });
    stage.all_ready();
    stage.tell("everything is Ready; at the servers:");
    for server in &stage.servers {
        for group in server.groups() {
            stage.tell(&format!("{} / {group}: {}", server.said(), listed(&server.members(&group))));
        }
    }
    stage.tell(script.remark);
    Stage::show(&stage.kubectl(&["get", "targetapplications.provost.dev"]).ok());
}

pub fn joiner(stage: &Stage) {
    Stage::act("Joiner: one file more");
    stage.apply(&person(WHO, "Engineering", 1014));
    let (place, group) = stage.script.engineers;
    stage.see(&format!("{WHO} has an account in the {} and is in {group}", stage.main().said()), |s| {
        s.main().active(WHO) == Some(true) && s.servers.get(place).is_some_and(|server| server.has(group, WHO))
    });
    stage.evidence(WHO);
}

pub fn mover(stage: &Stage) {
    let (who, from) = stage.script.mover;
    Stage::act(&format!("Mover: {who} goes from {from} to Engineering, kim's title changes"));
    stage.patch(&identity(who), r#"{"spec":{"department":"Engineering"}}"#);
    stage.patch(&identity("kim"), r#"{"spec":{"title":"Head of Sales"}}"#);
    let (place, group) = stage.script.engineers;
    stage.see(&format!("{who} is in {group}"), |s| s.servers.get(place).is_some_and(|server| server.has(group, who)));
    stage.see(&format!("kim is Head of Sales in the {}", stage.main().said()), |s| {
        s.main().account("kim").is_some_and(|account| account.title == "Head of Sales")
    });
}

pub fn email(stage: &Stage) {
    Stage::act("An e-mail address changes: everywhere");
    let patch = r#"{"spec":{"emails":[{"value":"ada.lovelace@acme.test","type":"work","primary":true}]}}"#;
    stage.patch(&identity("ada"), patch);
    stage.see(&format!("ada.lovelace@acme.test in {}", everywhere(stage)), |s| {
        let changed = |server: &dyn Server| {
            server.account("ada").is_some_and(|account| account.email == "ada.lovelace@acme.test")
        };
        s.servers.iter().all(|server| changed(server.as_ref()))
    });
    stage.evidence("ada");
}

pub fn drift(stage: &Stage) {
    Stage::act("Drift: somebody edits an account at the target");
    let (who, right) = stage.script.edited;
    let (main, place) = (stage.main(), stage.main().said());
    main.tamper(who, "Chief of Everything");
    let title = main.account(who).map(|account| account.title).unwrap_or_default();
    let edited = format!("{who} is now '{title}' in the {place}");
    if main.tells_of_edits() {
        stage.tell(&format!("{edited}, which tells what was edited; nobody asks for a sync"));
    } else {
        stage.tell(&format!("{edited}; the next sync is asked for"));
        stage.kubectl(&["annotate", "--overwrite", &stage.application(), "provost.dev/reconcile-now=drift"]).ok();
    }
    stage.see(&format!("{who}'s title is {right} again"), |s| {
        s.main().account(who).is_some_and(|account| account.title == right)
    });
}

fn held(stage: &Stage) -> Option<Value> {
    stage.get(&stage.application()).pointer("/status/heldPlans/0").cloned()
}

pub fn mistake(stage: &mut Stage) {
    let mistake = &stage.script.mistake;
    let (left, how_many) = mistake.left;
    let (undone, undo) = (mistake.undone, mistake.undo);
    Stage::act(&format!("A mistake: {}", mistake.told));
    let before = stage.main().how_many_active();
    (mistake.make)(stage);
    stage.see("the removal is held, since it exceeds the budget", |s| held(s).is_some());
    let plan = held(stage).unwrap_or_default();
    let hash = text(&plan, "hash").to_owned();
    stage.tell(&format!(
        "held plan {}: {} accounts would be disabled; {} of {before} are active now",
        hash.chars().take(12).collect::<String>(),
        plan.get("disables").and_then(Value::as_i64).unwrap_or_default(),
        stage.main().how_many_active()
    ));
    stage.ask(&["held", "-n", "acme"]);
    stage.apply(&person("pam", "Sales", 1015));
    stage.see("meanwhile everything else goes on: pam joins Sales", |s| s.main().active("pam") == Some(true));
    stage.approved.clone_from(&hash);
    stage.tell("suppose that it was meant: its hash is committed as approvedPlan");
    stage.patch(&stage.application(), &format!(r#"{{"spec":{{"safety":{{"approvedPlan":"{hash}"}}}}}}"#));
    stage.see(left, |s| s.main().how_many_active() == how_many);
    stage.tell(&format!("and back again: {undone}"));
    undo(stage);
    stage.see("all of them are active again, with the accounts they had", |s| s.main().how_many_active() == before + 1);
}

fn ends(stage: &Stage) {
    stage.patch(&identity(WHO), r#"{"spec":{"lifecycle":{"endTime":"2020-01-01T00:00:00Z"}}}"#);
    stage.see(&format!("{WHO} is disabled in {}, and in no group", everywhere(stage)), |s| {
        let out = |server: &dyn Server| {
            server.active(WHO) == Some(false) && server.groups().iter().all(|group| !server.has(group, WHO))
        };
        s.servers.iter().all(|server| out(server.as_ref()))
    });
}

pub fn leaver(stage: &Stage) {
    Stage::act(&format!("Leaver: {WHO}'s last day has come"));
    for server in &stage.servers {
        let application = format!("targetapplications.provost.dev/{}", server.application());
        stage.patch(&application, r#"{"spec":{"deprovision":{"ended":{"deleteAfter":"20s"}}}}"#);
    }
    stage.tell("accounts of leavers are kept for 20 s; in earnest it is some months");
    ends(stage);
    stage.evidence(WHO);
    stage.tell("they are retained until their date:");
    stage.ask_ledger(WHO);
}

pub fn rehire(stage: &Stage) {
    Stage::act(&format!("Re-hire: {WHO} is back before that date, and leaves for good"));
    stage.patch(&identity(WHO), r#"{"spec":{"lifecycle":null}}"#);
    let (place, group) = stage.script.engineers;
    stage.see(&format!("{WHO} is enabled in {}, and in {group} again", everywhere(stage)), |s| {
        let enabled = |server: &dyn Server| {
            let accounts = server.accounts();
            let mut own = accounts.iter().filter(|account| account.user_name == WHO);
            own.next().is_some_and(|account| account.active) && own.next().is_none()
        };
        let is_in = s.servers.get(place).is_some_and(|server| server.has(group, WHO));
        is_in && s.servers.iter().all(|server| enabled(server.as_ref()))
    });
    stage.tell("the same accounts, whose deletion is cancelled:");
    stage.ask_ledger(WHO);
    ends(stage);
}

pub fn deletion(stage: &Stage) {
    Stage::act("Deletion: the date has come, whatever happened meanwhile");
    stage.see(&format!("{WHO} has no account in {} any more", everywhere(stage)), |s| {
        s.servers.iter().all(|server| server.account(WHO).is_none())
    });
}

pub fn crash(stage: &mut Stage) {
    Stage::act("The operator is killed in the middle of eight joiners");
    let joiners: Vec<String> = (1..=8).map(|n| format!("new{n}")).collect();
    let manifests: String =
        joiners.iter().zip(1020..).map(|(name, number)| person(name, "Engineering", number)).collect();
    let place = stage.main().said();
    // At full speed all eight are there before anybody can look.
    stage.patch(&stage.application(), r#"{"spec":{"sync":{"requestsPerSecond":2}}}"#);
    stage.all_ready();
    stage.tell(&format!("the {place} is now asked twice a second, so that there is a middle"));
    let there = |stage: &Stage| -> BTreeMap<String, String> {
        let accounts = stage.main().accounts().into_iter();
        accounts.filter(|a| joiners.contains(&a.user_name)).map(|a| (a.user_name, a.id)).collect()
    };
    stage.apply(&manifests);
    stage.wait("three of them are there", |s| there(s).len() >= 3);
    stage.kill_operator();
    let before = there(stage);
    assert!(before.len() < joiners.len(), "all eight were there before the operator was killed");
    let names =
        |there: bool| joiners.iter().filter(|name| before.contains_key(*name) == there).cloned().collect::<Vec<_>>();
    stage.tell(&format!("kill -9; the {place} has {}, and not yet {}", listed(&names(true)), listed(&names(false))));
    stage.patch(&stage.application(), r#"{"spec":{"sync":{"requestsPerSecond":null}}}"#);
    stage.start_operator();
    stage.see(&format!("started again: all eight are in {}, each once", everywhere(stage)), |s| {
        let once = |server: &dyn Server| {
            let there = server.accounts();
            joiners.iter().all(|name| there.iter().filter(|account| account.user_name == *name).count() == 1)
        };
        s.servers.iter().all(|server| once(server.as_ref()))
    });
    let after = there(stage);
    assert!(
        before.iter().all(|(name, id)| after.get(name) == Some(id)),
        "an account was made anew: {before:?}, {after:?}"
    );
    stage.tell(&format!("{} have the accounts that they had before the kill", listed(&names(true))));
}

pub fn end(stage: &Stage) {
    Stage::act("In the end");
    stage.all_ready();
    // Counters follow within ten seconds: a status is not written for each account.
    stage.wait("the counters in status are those of the servers", |s| {
        s.servers.iter().all(|server| {
            let application = s.get(&format!("targetapplications.provost.dev/{}", server.application()));
            let provisioned = application.pointer("/status/accounts/provisioned").and_then(Value::as_u64);
            provisioned == u64::try_from(server.how_many_active()).ok()
        })
    });
    Stage::show(&stage.kubectl(&["get", "targetapplications.provost.dev"]).ok());
    let told = stage.servers.iter().map(|server| {
        format!("{}: {} accounts, {} of them active", server.said(), server.accounts().len(), server.how_many_active())
    });
    stage.tell(&format!("{}; everything is Ready", told.collect::<Vec<_>>().join("; ")));
}

pub fn audit(stage: &Stage) {
    Stage::act("What was done, and why: provost audit");
    stage.tell(&format!("{WHO}, from the first day to the deletion:"));
    stage.ask(&["audit", "-n", "acme", "--identity", WHO, "--since", &stage.since]);
    stage.tell("and what the approval released:");
    let first: String = stage.approved.chars().take(12).collect();
    stage.ask(&["audit", "-n", "acme", "--plan", &first]);
}

pub fn keep(stage: &Stage) {
    Stage::act("It goes on running: paste this into another shell");
    let folder = |program: &Path| program.parent().unwrap_or(Path::new(".")).display().to_string();
    println!("  export KUBECONFIG={}", stage.cluster.kubeconfig().display());
    println!("  export PATH={}:$PATH", folder(&tests::cluster::cache().join("bin/kubectl")));
    println!("  export PATH={}:$PATH", folder(&tests::cluster::binary()));
    println!("  export PROVOST_SERVER=http://{}", stage.address());
    println!("\nThen, for instance:");
    println!("  kubectl -n acme get identities,groups.provost.dev");
    println!("  kubectl -n acme describe identity ada");
    println!("  kubectl -n acme patch identity ada --type=merge \\\n    -p '{{\"spec\":{{\"title\":\"Director\"}}}}'");
    println!("  provost status -n acme");
    println!("  provost held -n acme");
    println!("  provost audit -n acme --identity ada");
    println!("  provost ledger -n acme --application {}", stage.main().application());
    println!("\nWhat the target itself says:");
    for server in &stage.servers {
        server.how_to_ask().lines().for_each(|line| println!("  {line}"));
    }
    println!("\nThe operator watches the namespace acme alone: what is applied elsewhere, it leaves.");
    println!("\nIt is good for a day, while this machine does not sleep: an operator whose Lease runs out ends.");
    println!("Press Enter or Ctrl-C here to stop it, or elsewhere:");
    println!("  kill {}", std::process::id());
    wait_for_the_end();
}

/// Enter, Ctrl-C or SIGTERM; then whatever was started is stopped.
fn wait_for_the_end() {
    let (enter, entered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Who has no keyboard, as in the background, stops it by its id.
        while matches!(std::io::stdin().read(&mut [0]), Ok(0)) {
            std::thread::park();
        }
        enter.send(())
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).unwrap();
        tokio::select! {
            Ok(()) = entered => {}
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    });
}
