//! What an Identity says while nothing goes on: what it waits for, and whether a person must act.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::EngineEvent;
use crate::model::{Change, Name, ObjectKind, ObjectRef, Observed, TargetError, TargetId};

/// Ada, who has an account.
fn working() -> World {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(60);
    assert_eq!(world.written("ada"), ["True Provisioned"]);
    world.written.clear();
    world
}

fn wiki(spec: &Value) -> Value {
    let mut wiki = declared(&[]).remove(1);
    wiki["metadata"]["generation"] = json!(2);
    wiki["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    wiki
}

/// Ready's message, and which other condition there is.
fn said(world: &World, name: &str) -> (String, String) {
    let conditions = &world.statuses[name]["conditions"];
    (conditions[0]["message"].as_str().unwrap().to_owned(), conditions[1]["type"].as_str().unwrap_or("").to_owned())
}

#[test]
fn who_waits_for_a_target_that_does_not_answer_is_told_so_once_and_nobody_else_is() {
    let mut world = working();
    (world.reachable, world.refuses_connections) = (false, true);
    tell(&mut world, &[identity("cy", 1, &scientist("Analyst"))]);
    world.pass(120);
    assert_eq!(world.written("cy").last().unwrap(), "False TargetUnreachable");
    let (message, other) = said(&world, "cy");
    assert!(message.starts_with("wiki: what is left waits for the target, which does not answer"), "{message}");
    assert_eq!((other.as_str(), &world.statuses["cy"]["problems"][0]["state"]), ("Reconciling", &json!("Pending")));
    assert_eq!(world.written("ada"), Vec::<String>::new(), "nothing is left to do for her");
    assert!(world.notes.iter().all(|note| note.object.name.as_str() == "wiki"), "{:?}", world.notes);
    world.written.clear();
    world.pass(1200);
    assert_eq!(world.written, Vec::<String>::new());
    world.restart(&declared(&["ada", "cy"].map(|name| identity(name, 1, &scientist("Analyst")))));
    world.pass(300);
    assert_eq!(world.written, Vec::<String>::new());
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("cy"), ["True Provisioned"]);
    assert_eq!(world.written("ada"), Vec::<String>::new());
}

#[test]
fn who_waits_for_a_person_to_act_at_an_application_is_stalled_and_told_where() {
    let other = json!({"connector": {"fake": {"directory": "other"}}});
    for (spec, reason) in [(other, "TargetChanged"), (json!({"connector": {}}), "InvalidSpec")] {
        let mut world = working();
        tell(&mut world, &[wiki(&spec)]);
        world.pass(30);
        tell(&mut world, &[identity("cy", 1, &scientist("Analyst"))]);
        world.pass(60);
        assert_eq!(world.written("cy"), [format!("False {reason}")]);
        let (message, other) = said(&world, "cy");
        assert!(message.contains(&format!("act on TargetApplication wiki ({reason})")), "{message}");
        assert_eq!((other.as_str(), world.written("ada")), ("Stalled", Vec::new()), "{reason}");
        tell(&mut world, &[wiki(&json!({}))]);
        world.pass(120);
        assert_eq!(world.written("cy").last().unwrap(), "True Provisioned", "{reason}");
    }
}

#[test]
fn who_starts_later_is_told_when_and_from_when_on_there_are_accounts_whatever_becomes_of_the_target() {
    let later = json!({"department": "Science", "lifecycle": {"startTime": "2030-01-01T00:00:00Z"}});
    let mut world = World::new();
    world.reachable = false;
    let mut all = declared(&[identity("cy", 1, &later)]);
    world.list(&[all[0].clone(), all[2].clone()]);
    world.pass(30);
    assert_eq!(said(&world, "cy").0, "it starts at 2030-01-01T00:00:00Z; no policy gives it an account yet");
    tell(&mut world, &[all[1].clone()]);
    world.pass(30);
    assert_eq!(said(&world, "cy").0, "it starts at 2030-01-01T00:00:00Z, and has its accounts from then on");
    (all[1]["spec"]["leadTime"], all[1]["metadata"]["generation"]) = (json!("168h"), json!(2));
    tell(&mut world, &[all[1].clone()]);
    world.pass(30);
    let wanted = "it starts at 2030-01-01T00:00:00Z; its accounts are there, disabled, from 2029-12-25T00:00:00Z on";
    assert_eq!(said(&world, "cy").0, wanted);
    assert_eq!(world.statuses["cy"]["accounts"]["summary"], "0/0", "as it is planned");
    assert!(world.written("cy").iter().all(|told| told == "True NothingMatched"), "{:?}", world.written("cy"));
}

#[test]
fn a_rename_onto_a_name_that_is_taken_is_told_as_one_who_is_made_with_it() {
    let mut world = working();
    let stranger = "x-1".into();
    let attributes = [("userName".into(), "countess".into())].into();
    let account = Observed { id: stranger, enabled: true, attributes, holds: None };
    world.accounts.insert(account.id.clone(), account);
    let renamed = json!({"userName": "countess", "department": "Science", "title": "Analyst"});
    tell(&mut world, &[identity("ada", 2, &renamed)]);
    world.pass(30);
    assert_eq!(world.written("ada").last().unwrap(), "False UserNameTaken");
    assert_eq!(said(&world, "ada").1, "Stalled");
    world.accounts.remove("x-1");
    world.sleep(24 * 3600);
    assert_eq!(world.written("ada").last().unwrap(), "True Provisioned");
}

#[test]
fn who_was_never_decided_is_told_each_time_what_it_waits_for_now_and_whether_a_person_must_act() {
    let unreachable = || TargetError::Unreachable("connection refused".into());
    let mut world = working();
    (world.reachable, world.fails) = (false, Some(unreachable()));
    // Of whom something was asked already more is known.
    for name in ["bob", "cy"] {
        tell(&mut world, &[identity(name, 1, &scientist("Analyst"))]);
        world.pass(60);
    }
    assert_eq!(world.account("cy"), "Unknown");
    let refused = TargetError::Unauthorized("401".into());
    let untrusted = TargetError::Tls("unknown issuer".into());
    for (fails, reason, other) in [
        (unreachable(), "TargetUnreachable", "Reconciling"),
        (untrusted, "TlsFailed", "Stalled"),
        (refused, "Unauthorized", "Stalled"),
        (unreachable(), "TargetUnreachable", "Reconciling"),
    ] {
        world.fails = Some(fails);
        world.pass(120);
        assert_eq!(world.written("cy").last().unwrap(), &format!("False {reason}"));
        assert_eq!(said(&world, "cy").1, other, "{reason}");
    }
    assert_eq!((world.written("cy").len(), world.written("ada")), (4, Vec::new()));
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("cy").last().unwrap(), "True Provisioned");
}

#[test]
fn one_refusal_that_is_over_in_a_moment_stalls_nobody_and_one_that_lasts_does() {
    for (lasts, wanted) in [(false, "True Provisioned"), (true, "False Unauthorized")] {
        let mut world = working();
        (world.reachable, world.fails) = (false, Some(TargetError::Unauthorized("401".into())));
        tell(&mut world, &[identity("cy", 1, &scientist("Analyst"))]);
        world.reachable = !lasts;
        world.pass(60);
        let refused = "False Unauthorized".to_owned();
        assert!(world.written("wiki").contains(&refused), "the application says it at once");
        assert_eq!(world.written("cy").last().unwrap(), wanted);
        assert_eq!(world.written("cy").contains(&refused), lasts);
    }
}

#[test]
fn who_is_suspended_and_may_have_an_account_there_is_not_done_before_it_was_looked_and_a_restart_writes_nothing() {
    let suspended = json!({"department": "Science", "externalId": "E-1", "lifecycle": {"suspended": true}});
    let all =
        declared(&[identity("ada", 1, &suspended), identity("bob", 1, &json!({"lifecycle": {"suspended": true}}))]);
    let mut world = World::new();
    let attributes = [("userName".into(), "ada".into()), ("externalId".into(), "E-9".into())].into();
    let stranger = Observed { id: TargetId::new("x-1"), enabled: true, attributes, holds: None };
    world.accounts.insert(stranger.id.clone(), stranger);
    (world.reachable, world.refuses_connections) = (false, true);
    world.list(&all);
    world.pass(60);
    assert_eq!(world.written("ada"), ["False TargetUnreachable"]);
    assert_eq!(
        (world.written("bob"), said(&world, "bob").0.as_str()),
        (vec!["True NothingMatched".to_owned()], "it is suspended, and has no account")
    );
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("ada").last().unwrap(), "False AdoptionNeedsApproval");

    world.notes.clear();
    world.restart(&all);
    world.pass(120);
    assert_eq!((world.written.clone(), world.notes.len()), (Vec::new(), 0));

    // There is none of that name.
    let mut all = all;
    (all[0]["spec"]["userName"], all[0]["metadata"]["generation"]) = (json!("byron"), json!(2));
    tell(&mut world, &[all[0].clone()]);
    world.pass(120);
    assert_eq!(world.written("ada").last().unwrap(), "True NothingMatched");
    for reachable in [false, true] {
        world.reachable = reachable;
        world.restart(&all);
        world.pass(120);
        assert_eq!(world.written("ada"), Vec::<String>::new(), "reachable: {reachable}");
    }
}

#[test]
fn who_ends_by_date_while_the_target_cannot_be_asked_is_told_so_at_once() {
    // In five minutes.
    let ends = json!({"department": "Science", "title": "Analyst", "lifecycle": {"endTime": "2027-01-15T08:05:00Z"}});
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &ends)]));
    world.pass(60);
    (world.reachable, world.refuses_connections) = (false, true);
    tell(&mut world, &[identity("cy", 1, &scientist("Analyst"))]);
    world.pass(210);
    assert_eq!(world.written("ada"), ["True Provisioned"]);
    world.pass(60);
    assert_eq!(world.written("ada").last().unwrap(), "False TargetUnreachable");
    assert_eq!(world.statuses["ada"]["lifecycleState"], "Ended");
    world.reachable = true;
    world.pass(120);
    assert_eq!(world.written("ada").last().unwrap(), "True Provisioned");
    assert!(!world.accounts[&world.id_of("ada")].enabled);
}

#[test]
fn what_many_waited_for_in_one_plan_is_published_once_also_after_a_restart() {
    let names: Vec<String> = (0..30).map(|number| format!("i-{number}")).collect();
    let mut all = declared(&names.iter().map(|name| identity(name, 1, &scientist("Analyst"))).collect::<Vec<_>>());
    let mut world = World::new();
    world.list(&all);
    world.pass(60);
    let policy = ObjectRef { kind: ObjectKind::AccessPolicy, name: "science-wiki".into() };
    world.tell(EngineEvent::Changed(vec![Change::Gone(policy)]));
    world.pass(60);
    assert_eq!(world.written("i-7").last().unwrap(), "False RemovalBudgetExceeded");
    let hash = world.engine.sync(&Name::from("wiki")).unwrap().held()[0].hash.clone();
    all.remove(names.len());
    world.restart(&all);
    world.pass(60);
    world.notes.clear();
    all.last_mut().unwrap()["spec"]["safety"] = json!({"approvedPlan": hash});
    tell(&mut world, &[all.pop().unwrap()]);
    world.pass(120);
    assert_eq!(world.written("i-7").last().unwrap(), "True Provisioned");
    assert!(world.notes.iter().all(|note| note.object.name.as_str() == "wiki"), "{:?}", world.notes);
}

#[test]
fn a_rename_that_collides_names_the_user_name_only_where_it_surely_is_that() {
    let spec = |title: &str| json!({"userName": "countess", "department": "Science", "title": title});
    for (title, taken, reason) in
        [("Analyst", false, "UserNameTaken"), ("Reader", false, "Rejected"), ("Reader", true, "UserNameTaken")]
    {
        let mut world = working();
        if taken {
            let attributes = [("userName".into(), "Countess".into())].into();
            let account = Observed { id: TargetId::new("x-1"), enabled: true, attributes, holds: None };
            world.accounts.insert(account.id.clone(), account);
            // Until it was listed nobody knows.
            world.pass(700);
        }
        world.collides = true;
        tell(&mut world, &[identity("ada", 2, &spec(title))]);
        world.pass(30);
        assert_eq!(world.written("ada").last().unwrap(), &format!("False {reason}"), "{title}, {taken}");
    }
}

#[test]
fn who_starts_later_is_told_of_accounts_only_where_there_will_be_some() {
    let later = json!({"department": "Science", "lifecycle": {"startTime": "2030-01-01T00:00:00Z"}});
    let said_with = |policy: Value, mode: &str| {
        let mut all = declared(&[identity("cy", 1, &later)]);
        all[1]["spec"].as_object_mut().unwrap().extend(policy.as_object().unwrap().clone());
        all[2]["spec"]["mode"] = json!(mode);
        let mut world = World::new();
        world.list(&all);
        world.pass(30);
        said(&world, "cy").0
    };
    let at = "it starts at 2030-01-01T00:00:00Z";
    let (then, none) =
        (format!("{at}, and has its accounts from then on"), format!("{at}; no policy gives it an account yet"));
    for (policy, mode, wanted) in [
        (json!({}), "Enforce", &then),
        (json!({"notAfter": "2030-01-01T00:00:00Z"}), "Enforce", &none),
        (json!({"notAfter": "2030-01-02T00:00:00Z"}), "Enforce", &then),
        (json!({"notBefore": "2029-01-01T00:00:00Z"}), "Enforce", &none),
        (json!({}), "Plan", &none),
        (json!({}), "Paused", &none),
    ] {
        assert_eq!(said_with(policy.clone(), mode), *wanted, "{policy} {mode}");
    }
}
