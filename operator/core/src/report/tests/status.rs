use std::fmt::Debug;

use proptest::prelude::*;
use provost_crds as crds;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::kstatus::{KStatus, broken, kstatus, kubectl_wait};
use super::*;

/// The status of a summary with these accounts: those of the identity, or those of the application by identity.
fn status(summary: &Summary, accounts: &BTreeMap<String, (bool, Account)>, prior: &Prior, second: i64) -> Value {
    let (generation, wall) = (3, now(second).wall);
    let value = match summary {
        Summary::Identity(summary) => {
            let accounts: Vec<_> = accounts
                .iter()
                .map(|(application, (desired, account))| AccountIn {
                    application,
                    desired: *desired,
                    state: account.state(),
                    problem: account.problem(),
                    waits: None,
                })
                .collect();
            serde_json::to_value(identity(summary, &accounts, generation, prior, wall))
        }
        Summary::Group(summary) => serde_json::to_value(group(summary, generation, prior, wall)),
        Summary::AccessPolicy(summary) => serde_json::to_value(access_policy(summary, generation, prior, wall)),
        Summary::TargetApplication(summary) => {
            let counts =
                AccountCounts { desired: 5, provisioned: 4, pending: summary.orphaned, ..AccountCounts::default() };
            let names: BTreeMap<Name, &Problem> = accounts
                .iter()
                .filter_map(|(identity, (_, account))| Some((identity.as_str().into(), account.problem()?)))
                .collect();
            let problems = names.iter().map(|(name, problem)| (name, *problem));
            serde_json::to_value(target_application(summary, &counts, problems, generation, prior, wall))
        }
    };
    value.unwrap()
}

fn object(status: &Value) -> Value {
    json!({"metadata": {"generation": 3}, "status": status})
}

/// Reads ours as the resource's type and writes it again.
fn through<T: DeserializeOwned + Serialize + Debug>(status: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(status.clone()).unwrap()).unwrap()
}

fn ready(status: &Value) -> (&str, &str, &str) {
    let ready = &status["conditions"][0];
    assert_eq!(ready["type"], "Ready");
    let text = |field: &str| ready[field].as_str().unwrap();
    (text("status"), text("reason"), text("message"))
}

fn kinds(status: &Value) -> Vec<&str> {
    status["conditions"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect()
}

proptest! {
    #[test]
    fn every_status_keeps_the_rules_of_kubernetes_tools(
        summary in summary(), accounts in accounts(), before in summary(), then in accounts(),
    ) {
        // A prior of any earlier state of the same object.
        let earlier = status(&before, &then, &Prior::default(), 1);
        for prior in [Prior::default(), Prior::read(&earlier)] {
            let status = status(&summary, &accounts, &prior, 2);
            let object = object(&status);
            prop_assert_eq!(broken(&object), Vec::<String>::new());
            let (truth, reason, _) = ready(&status);
            let reason = *Reason::ALL.iter().find(|r| r.as_str() == reason).unwrap();
            let expected = match (truth, reason.is_stalled()) {
                ("True", _) => KStatus::Current,
                (_, true) => KStatus::Failed,
                (_, false) => KStatus::InProgress,
            };
            prop_assert_eq!(kstatus(&object), expected);
            prop_assert_eq!(truth == "True", reason.is_good());
            prop_assert_eq!(kubectl_wait(&object, "Ready"), truth == "True");
            // After an edit nobody takes the old verdict for the new one.
            let mut edited = object.clone();
            edited["metadata"]["generation"] = json!(4);
            prop_assert_eq!(kstatus(&edited), KStatus::InProgress);
            prop_assert!(!kubectl_wait(&edited, "Ready"));
        }
    }

    #[test]
    fn two_runs_over_one_state_write_the_same_bytes_at_whatever_time(summary in summary(), accounts in accounts()) {
        let first = status(&summary, &accounts, &Prior::default(), 1);
        let second = status(&summary, &accounts, &Prior::read(&first), 500);
        prop_assert_eq!(first.to_string(), second.to_string());
    }

    #[test]
    fn the_resources_types_read_every_status_without_loss(summary in summary(), accounts in accounts()) {
        let status = status(&summary, &accounts, &Prior::default(), 1);
        let back = match summary {
            Summary::Identity(_) => through::<crds::IdentityStatus>(&status),
            Summary::Group(_) => through::<crds::GroupStatus>(&status),
            Summary::AccessPolicy(_) => through::<crds::AccessPolicyStatus>(&status),
            Summary::TargetApplication(_) => through::<crds::TargetApplicationStatus>(&status),
        };
        prop_assert_eq!(status, back);
    }

    #[test]
    fn the_lists_of_a_status_are_bounded_and_sorted(summary in summary(), accounts in accounts()) {
        let status = status(&summary, &accounts, &Prior::default(), 1);
        let is_identity = matches!(summary, Summary::Identity(_));
        let lists = [
            ("applications", 64, ""),
            ("problems", if is_identity { 16 } else { 10 }, if is_identity { "application" } else { "identity" }),
            ("heldPlans", 16, "none"),
        ];
        for (field, most, key) in lists {
            let Some(list) = status.get(field).and_then(Value::as_array) else { continue };
            prop_assert!(list.len() <= most, "{}", field);
            let keys: Vec<_> = list.iter().map(|item| if key.is_empty() { item } else { &item[key] }).map(Value::as_str).collect();
            prop_assert!(keys.is_sorted(), "{}: {:?}", field, keys);
        }
        prop_assert!(status.get("profile").and_then(Value::as_object).is_none_or(|profile| profile.len() <= 64));
    }
}

#[test]
fn reasons_and_their_polarity_are_those_of_the_resources() {
    let ours: Vec<_> = Reason::ALL.iter().map(|r| (r.as_str(), r.is_good(), r.is_stalled())).collect();
    let theirs: Vec<_> = crds::Reason::ALL
        .iter()
        .map(|r| (r.as_str(), r.polarity() == crds::Polarity::Good, r.polarity() == crds::Polarity::Stalled))
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_transition_time_moves_only_when_the_status_of_its_condition_does() {
    let accounts = |account: Account| BTreeMap::from([("wiki".to_owned(), (true, account))]);
    let summary = Summary::Identity(IdentitySummary::default());
    let time = |status: &Value, at: usize| status["conditions"][at]["lastTransitionTime"].as_str().unwrap().to_owned();
    let refused = || Problem::new(Reason::Rejected, "title: too long");

    let one = status(&summary, &accounts(Account::Pending(None)), &Prior::default(), 0);
    let two = status(&summary, &accounts(Account::Failed(refused())), &Prior::read(&one), 60);
    assert_eq!(kinds(&two), ["Ready", "Reconciling"]);
    assert_ne!(ready(&one), ready(&two), "the reason and the message moved");
    assert_eq!((time(&one, 0), time(&one, 1)), (time(&two, 0), time(&two, 1)), "the times did not");
    assert_eq!(two["conditions"][1]["reason"], "ProgressingWithRetry");

    let three = status(&summary, &accounts(Account::Provisioned), &Prior::read(&two), 120);
    assert_eq!((kinds(&three), time(&three, 0)), (vec!["Ready"], "2027-01-15T08:02:00Z".to_owned()));
}

/// What it is about, accounts, own problems; Ready, and the table's column.
type Case<'a> = (&'a str, Vec<(&'a str, bool, Account)>, Vec<Problem>, (&'a str, &'a str, &'a str), &'a str);

#[test]
fn what_a_person_reads_of_an_identity() {
    let blocked = || Problem::new(Reason::CorrelationAmbiguous, "two accounts have the userName ada");
    let refused = || Problem::new(Reason::Rejected, "title: too long");
    let held = || Problem::new(Reason::GrantBudgetExceeded, "a privileged grant is held");
    let invalid = || Problem::new(Reason::InvalidSpec, "spec.lifecycle.endTime: must be after startTime");
    let cases: Vec<Case<'_>> = vec![
        (
            "nobody gives it anything",
            vec![],
            vec![],
            ("True", "NothingMatched", "no policy gives it an account"),
            "0/0",
        ),
        (
            "all is there, one of it disabled as decided",
            vec![("chat", true, Account::Provisioned), ("wiki", true, Account::Disabled)],
            vec![],
            ("True", "Provisioned", "every account is as decided"),
            "2/2",
        ),
        (
            "an account that is not desired any more waits for its deletion",
            vec![("wiki", false, Account::Retained)],
            vec![],
            ("True", "Provisioned", "every account is as decided"),
            "0/0",
        ),
        (
            "what is held is not done",
            vec![("chat", true, Account::Provisioned), ("wiki", true, Account::Held(held()))],
            vec![],
            ("False", "GrantBudgetExceeded", "wiki: a privileged grant is held"),
            "1/2",
        ),
        (
            "something is under way",
            vec![("chat", true, Account::Provisioned), ("wiki", true, Account::Pending(None))],
            vec![],
            ("False", "Progressing", "wiki: what is decided is being carried out"),
            "1/2",
        ),
        (
            "what needs a person comes before what is retried",
            vec![("chat", true, Account::Failed(refused())), ("wiki", true, Account::Blocked(blocked()))],
            vec![],
            ("False", "CorrelationAmbiguous", "wiki: two accounts have the userName ada"),
            "0/2",
        ),
        (
            "the object's own spec comes before its accounts",
            vec![("wiki", true, Account::Blocked(blocked()))],
            vec![invalid()],
            ("False", "InvalidSpec", "spec.lifecycle.endTime: must be after startTime"),
            "0/1",
        ),
    ];
    for (case, accounts, problems, expected, summary_text) in cases {
        let accounts =
            accounts.into_iter().map(|(name, desired, account)| (name.to_owned(), (desired, account))).collect();
        let summary = Summary::Identity(IdentitySummary { problems, ..IdentitySummary::default() });
        let status = status(&summary, &accounts, &Prior::default(), 0);
        assert_eq!(ready(&status), expected, "{case}");
        assert_eq!(status["accounts"]["summary"], summary_text, "{case}");
    }
}

#[test]
fn who_has_ended_is_not_told_that_no_policy_gives_it_an_account() {
    for (lifecycle, said) in
        [(State::Ended, "it has ended, and has no account"), (State::Active, "no policy gives it an account")]
    {
        let summary = Summary::Identity(IdentitySummary { lifecycle: Some(lifecycle), ..IdentitySummary::default() });
        let status = status(&summary, &BTreeMap::new(), &Prior::default(), 0);
        let (_, reason, message) = ready(&status);
        assert!(reason == "NothingMatched" && message.starts_with(said), "{lifecycle:?}: {message}");
    }
}

#[test]
fn accounts_that_are_there_ahead_of_the_start_are_not_announced_for_a_time_that_is_past() {
    let at = now(100).wall;
    for (from, said) in [(10, format!("it starts at {at}; its accounts are there, disabled")), (30, String::new())] {
        let starts = Some(Starts { at, accounts: Some(now(from).wall) });
        let summary = IdentitySummary { lifecycle: Some(State::Pending), starts, ..IdentitySummary::default() };
        let status = status(&Summary::Identity(summary), &BTreeMap::new(), &Prior::default(), 20);
        let (_, _, message) = ready(&status);
        assert_eq!(message == said, from < 20, "{message}");
        assert_eq!(message.ends_with(" on"), from > 20, "{message}");
    }
}

#[test]
fn what_a_person_reads_of_a_target_application() {
    let fine =
        || TargetApplicationSummary { observed: true, contact: Contact::Works, ..TargetApplicationSummary::default() };
    let down = || Problem::new(Reason::TargetUnreachable, "the connection was refused");
    let held = HeldPlanStatus {
        hash: "3f9a".into(),
        reason: Reason::RemovalBudgetExceeded,
        disables: 41,
        deletes: 0,
        revokes: 0,
        grants: 0,
        changes: 0,
    };
    let some =
        |pending, failed| AccountCounts { desired: 3, provisioned: 2, pending, failed, ..AccountCounts::default() };
    for (case, summary, counts, expected, others) in [
        ("in sync", fine(), some(0, 0), ("True", "Synced"), ["Reachable=True", "WithinBudget=True"]),
        ("one account is refused", fine(), some(0, 1), ("True", "Synced"), ["Reachable=True", "WithinBudget=True"]),
        ("work is under way", fine(), some(1, 0), ("False", "Progressing"), ["Reachable=True", "WithinBudget=True"]),
        (
            "all that is pending settles",
            TargetApplicationSummary { settling: 1, ..fine() },
            some(1, 0),
            ("False", "Settling"),
            ["Reachable=True", "WithinBudget=True"],
        ),
        (
            "orphaned accounts settle",
            TargetApplicationSummary { orphans: Some(Reason::Settling), ..fine() },
            some(0, 0),
            ("False", "Settling"),
            ["Reachable=True", "WithinBudget=True"],
        ),
        (
            "orphaned accounts are being disabled",
            TargetApplicationSummary { orphans: Some(Reason::Progressing), settling: 1, ..fine() },
            some(1, 0),
            ("False", "Progressing"),
            ["Reachable=True", "WithinBudget=True"],
        ),
        (
            "some of what is pending settles",
            TargetApplicationSummary { settling: 1, ..fine() },
            some(2, 0),
            ("False", "Progressing"),
            ["Reachable=True", "WithinBudget=True"],
        ),
        (
            "mode Plan writes nothing, so nothing is under way",
            TargetApplicationSummary { mode: SyncMode::Plan, ..fine() },
            some(1, 0),
            ("True", "Synced"),
            ["Reachable=True", "WithinBudget=True"],
        ),
        (
            "paused",
            TargetApplicationSummary { mode: SyncMode::Paused, ..fine() },
            some(0, 0),
            ("False", "Paused"),
            ["Reachable=True", "WithinBudget=True"],
        ),
        (
            "not read yet",
            TargetApplicationSummary::default(),
            some(0, 0),
            ("Unknown", "Progressing"),
            ["Reachable=Unknown", "WithinBudget=True"],
        ),
        (
            "unreachable",
            TargetApplicationSummary { contact: Contact::Fails(down()), ..fine() },
            some(0, 0),
            ("False", "TargetUnreachable"),
            ["Reachable=False", "WithinBudget=True"],
        ),
        (
            "a plan is held",
            TargetApplicationSummary { held: vec![held], ..fine() },
            some(0, 0),
            ("False", "RemovalBudgetExceeded"),
            ["Reachable=True", "WithinBudget=False"],
        ),
    ] {
        let status = target_application(&summary, &counts, [], 1, &Prior::default(), now(0).wall);
        let status = serde_json::to_value(status).unwrap();
        let (truth, reason, _) = ready(&status);
        assert_eq!((truth, reason), expected, "{case}");
        let conditions = status["conditions"].as_array().unwrap();
        let last: Vec<_> = conditions[conditions.len() - 2..]
            .iter()
            .map(|c| format!("{}={}", c["type"].as_str().unwrap(), c["status"].as_str().unwrap()))
            .collect();
        assert_eq!(last, others, "{case}");
    }
}

#[test]
fn a_held_plan_is_counted_by_kind_and_says_what_may_be_done() {
    use crate::model::{HeldPlan, HeldStep, Lane};
    let step = |step: &str| HeldStep {
        identity: "ada".into(),
        step: step.into(),
        entitlement: Some(step.into()),
        account: None,
    };
    let names = ["DisableAccount", "DeleteAccount", "RemoveMembers", "Revoke", "AddMembers", "Assign", "RenameAccount"];
    let plan = HeldPlan {
        hash: "3f9a".into(),
        lane: Lane::Derived,
        steps: names.map(step).into(),
        since: now(0).wall,
        why: "too many".into(),
    };
    let status = HeldPlanStatus::from(&plan);
    let counts = (status.disables, status.deletes, status.revokes, status.grants, status.changes);
    assert_eq!((status.reason, counts), (Reason::RemovalBudgetExceeded, (1, 1, 2, 2, 1)));
    let summary =
        TargetApplicationSummary { held: vec![status], observed: true, ..TargetApplicationSummary::default() };
    let told = target_application(&summary, &AccountCounts::default(), [], 1, &Prior::default(), now(0).wall);
    assert_eq!(told.held, 1);
    assert!(told.conditions[0].message.contains("set spec.safety.approvedPlan to it, else"));
    let summary = TargetApplicationSummary { approved: "3f9".into(), ..summary };
    let told = target_application(&summary, &AccountCounts::default(), [], 1, &Prior::default(), now(0).wall);
    assert!(told.conditions[0].message.contains("is the whole hash of no held plan"));
}

#[test]
fn a_problem_is_cut_at_a_character_and_never_says_that_all_is_well() {
    let long = Problem::new(Reason::Synced, "ä".repeat(600));
    assert_eq!((long.reason(), long.message().chars().count()), (Reason::ProgressingWithRetry, Problem::LONGEST));
}

#[test]
fn kstatus_finds_what_is_broken() {
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "observedGeneration": 1, "reason": "Progressing", "message": "m",
               "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let of = |observed: i64, conditions: Vec<Value>| json!({"metadata": {"generation": 1}, "status": {"observedGeneration": observed, "conditions": conditions}});
    let mut strange = condition("Ready", "True");
    strange["reason"] = json!("Whatever");
    for (case, object) in [
        ("ahead of the generation", of(2, vec![condition("Ready", "True")])),
        ("no Ready", of(1, vec![condition("Stalled", "True")])),
        (
            "both",
            of(1, vec![condition("Ready", "False"), condition("Stalled", "True"), condition("Reconciling", "True")]),
        ),
        ("Ready beside Stalled", of(1, vec![condition("Ready", "True"), condition("Stalled", "True")])),
        ("Stalled=False", of(1, vec![condition("Ready", "True"), condition("Stalled", "False")])),
        ("not ready and nobody acts", of(1, vec![condition("Ready", "False")])),
        ("a reason of one's own", of(1, vec![strange])),
    ] {
        assert!(!broken(&object).is_empty(), "{case}");
    }
    let unvisited = json!({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}});
    assert_eq!(broken(&unvisited), ["there is no condition Ready"]);
}

#[test]
fn kstatus_is_that_of_cli_utils() {
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
    let of = |observed: i64, conditions: Vec<Value>| json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "conditions": conditions}});
    let ready = || condition("Ready", "True");
    let stalled = || vec![condition("Ready", "False"), condition("Stalled", "True")];
    for (case, object, expected) in [
        ("not seen yet", of(-1, vec![]), KStatus::InProgress),
        ("edited", of(1, vec![ready()]), KStatus::InProgress),
        ("ready", of(2, vec![ready()]), KStatus::Current),
        ("working", of(2, vec![condition("Ready", "False"), condition("Reconciling", "True")]), KStatus::InProgress),
        ("not ready, and nothing else", of(2, vec![condition("Ready", "False")]), KStatus::InProgress),
        ("not known", of(2, vec![condition("Ready", "Unknown")]), KStatus::InProgress),
        ("stalled", of(2, stalled()), KStatus::Failed),
        ("stalled, not bumped", of(1, stalled()), KStatus::InProgress),
        ("no status", json!({"metadata": {"generation": 2}}), KStatus::Current),
        ("deleted", json!({"metadata": {"generation": 2, "deletionTimestamp": "now"}}), KStatus::Terminating),
    ] {
        assert_eq!(kstatus(&object), expected, "{case}");
    }
}
