//! Every state that an object can say, computed by the operator's own code, with what those who wait for it should think:
//! kstatus (Flux, Helm), `kubectl wait`, Argo CD.

use jiff::Timestamp;
use provost_core::model::{Name, Reason, SyncMode};
use provost_core::report::kstatus::KStatus;
use provost_core::report::{
    AccessPolicySummary, Account, AccountCounts, AccountIn, AccountState, Contact, GroupSummary, HeldPlanStatus,
    IdentitySummary, PlannedSummary, Prior, Problem, TargetApplicationSummary, access_policy, group, identity,
    target_application,
};
use serde_json::{Value, json};

/// The verdicts of kstatus and of Argo CD's health check. A reason that is new does not compile before they are said.
pub fn expected(reason: Reason) -> (KStatus, &'static str) {
    use Reason as R;
    match reason {
        R::Provisioned | R::Synced | R::NothingMatched => (KStatus::Current, "Healthy"),
        R::Paused | R::PlanOnly => (KStatus::InProgress, "Suspended"),
        R::Progressing
        | R::ProgressingWithRetry
        | R::RateLimited
        | R::AwaitingVisibility
        | R::Settling
        | R::ReferenceNotFound
        | R::SecretNotFound
        | R::TargetUnreachable
        | R::IncompleteObservation
        | R::StoreUnavailable
        | R::ClockSkew
        | R::Rejected => (KStatus::InProgress, "Progressing"),
        R::InvalidSpec
        | R::InvalidExpression
        | R::EvaluationFailed
        | R::MembershipCycle
        | R::DuplicateUserName
        | R::DuplicateExternalId
        | R::UserNameTaken
        | R::CorrelationAmbiguous
        | R::AdoptionNeedsApproval
        | R::ProtectedAccount
        | R::DisabledAtTarget
        | R::DeletedAtTarget
        | R::Unauthorized
        | R::HostNotAllowed
        | R::TlsFailed
        | R::TargetChanged
        | R::TargetConflict
        | R::RemovalBudgetExceeded
        | R::GrantBudgetExceeded
        | R::LedgerMismatch
        | R::Unsupported => (KStatus::Failed, "Degraded"),
    }
}

/// An object in a state.
#[derive(Clone, Debug)]
pub struct State {
    /// What it is like; unique within its kind.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Why it is Ready, or is not.
    pub reason: Reason,
    /// The object; its generation is 3, and its status is about that.
    pub object: Value,
}

impl State {
    fn new(kind: &'static str, name: &str, reason: Reason, status: &impl serde::Serialize) -> Self {
        let metadata = json!({"name": "example", "namespace": "acme", "generation": 3});
        let object = json!({
            "apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": metadata,
            "status": serde_json::to_value(status).expect("a status can be written"),
        });
        Self { name: name.to_owned(), kind, reason, object }
    }
}

/// All of them: of each kind what is well and what goes on, and each reason in every place where it can be told.
pub fn states() -> Vec<State> {
    let mut all = Vec::new();
    identities(&mut all);
    groups(&mut all);
    policies(&mut all);
    applications(&mut all);
    all
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn problem(reason: Reason) -> Problem {
    Problem::new(reason, "what is wrong, and who must act")
}

/// Reasons that tell of a problem.
fn problems() -> impl Iterator<Item = Reason> {
    Reason::ALL.iter().copied().filter(|reason| !reason.is_good())
}

fn identities(all: &mut Vec<State>) {
    let mut add = |name: &str, reason: Reason, own: Vec<Problem>, desired: bool, account: &Account| {
        let (state, problem) = (account.state(), account.problem());
        let accounts = [AccountIn { application: "wiki", desired, state, problem, waits: None }];
        let summary = IdentitySummary { problems: own, ..IdentitySummary::default() };
        all.push(State::new("Identity", name, reason, &identity(&summary, &accounts, 3, &Prior::default(), now())));
    };
    add("provisioned", Reason::Provisioned, vec![], true, &Account::Provisioned);
    add("disabled as decided", Reason::Provisioned, vec![], true, &Account::Disabled);
    add("retained", Reason::Provisioned, vec![], false, &Account::Retained);
    add("no account", Reason::NothingMatched, vec![], false, &Account::None);
    add("under way", Reason::Progressing, vec![], true, &Account::Pending(None));
    add("undecided", Reason::Progressing, vec![], true, &Account::Unknown);
    for reason in problems() {
        let text = reason.as_str();
        add(text, reason, vec![problem(reason)], true, &Account::Provisioned);
        add(&format!("pending {text}"), reason, vec![], true, &Account::Pending(Some(problem(reason))));
        add(&format!("held {text}"), reason, vec![], true, &Account::Held(problem(reason)));
        add(&format!("failed {text}"), reason, vec![], true, &Account::Failed(problem(reason)));
        add(&format!("blocked {text}"), reason, vec![], true, &Account::Blocked(problem(reason)));
        add(&format!("disabled {text}"), reason, vec![], true, &Account::DisabledAtTarget(problem(reason)));
    }
    let waits = |state, waits: &Problem| {
        let accounts = [AccountIn { application: "wiki", desired: true, state, problem: None, waits: Some(waits) }];
        identity(&IdentitySummary::default(), &accounts, 3, &Prior::default(), now())
    };
    for reason in problems() {
        let told = Problem::of_application(&Name::from("wiki"), reason);
        for state in [AccountState::Unknown, AccountState::Pending, AccountState::Failed] {
            let name = format!("{} and its application {}", state.as_str(), reason.as_str());
            all.push(State::new("Identity", &name, reason, &waits(state, &told)));
        }
    }
}

fn groups(all: &mut Vec<State>) {
    let mut add = |name: &str, reason: Reason, members: Option<u32>, problems: Vec<Problem>| {
        let summary = GroupSummary { members, problems, ..GroupSummary::default() };
        all.push(State::new("Group", name, reason, &group(&summary, 3, &Prior::default(), now())));
    };
    add("known", Reason::Synced, Some(2), vec![]);
    add("empty", Reason::NothingMatched, Some(0), vec![]);
    add("unknown", Reason::Progressing, None, vec![]);
    for reason in problems() {
        add(reason.as_str(), reason, None, vec![problem(reason)]);
    }
}

fn policies(all: &mut Vec<State>) {
    let mut add = |name: &str, reason: Reason, identities: Option<u32>, audit: bool, problems: Vec<Problem>| {
        let summary = AccessPolicySummary { identities, audit, problems, ..AccessPolicySummary::default() };
        all.push(State::new("AccessPolicy", name, reason, &access_policy(&summary, 3, &Prior::default(), now())));
    };
    add("in force", Reason::Synced, Some(2), false, vec![]);
    add("audited", Reason::Synced, Some(2), true, vec![]);
    add("nobody", Reason::NothingMatched, Some(0), false, vec![]);
    add("unknown", Reason::Progressing, None, false, vec![]);
    for reason in problems() {
        add(reason.as_str(), reason, None, false, vec![problem(reason)]);
    }
}

fn plan(reason: Reason) -> HeldPlanStatus {
    HeldPlanStatus { hash: "3f9a".into(), reason, disables: 1, deletes: 0, revokes: 0, grants: 0, changes: 0 }
}

fn applications(all: &mut Vec<State>) {
    type Summary = TargetApplicationSummary;
    let fine = || Summary { observed: true, contact: Contact::Works, ..Summary::default() };
    let well = AccountCounts { desired: 2, provisioned: 2, ..AccountCounts::default() };
    let mut add = |name: &str, reason: Reason, counts: AccountCounts, summary: Summary| {
        let told = problem(Reason::UserNameTaken);
        let ada = Name::from("ada");
        let blocked = (counts.blocked > 0).then_some((&ada, &told));
        let status = target_application(&summary, &counts, blocked, 3, &Prior::default(), now());
        all.push(State::new("TargetApplication", name, reason, &status));
    };
    add("synced", Reason::Synced, well, fine());
    add("one account blocked", Reason::Synced, AccountCounts { blocked: 1, ..well }, fine());
    add("under way", Reason::Progressing, AccountCounts { pending: 1, ..well }, fine());
    add("settling", Reason::Settling, AccountCounts { pending: 1, ..well }, Summary { settling: 1, ..fine() });
    add("orphans settle", Reason::Settling, well, Summary { orphans: Some(Reason::Settling), ..fine() });
    add("being read", Reason::Progressing, well, Summary::default());
    add("paused", Reason::Paused, well, Summary { mode: SyncMode::Paused, ..Summary::default() });
    let planning = Summary { mode: SyncMode::Plan, ..fine() };
    let planned = PlannedSummary { plan: plan(Reason::PlanOnly), losing: 1, leaving: 0 };
    add("planned", Reason::PlanOnly, well, Summary { planned: Some(planned), ..planning.clone() });
    add("nothing planned", Reason::Synced, well, planning.clone());
    add("planning", Reason::Progressing, well, Summary { planning: true, ..planning });
    for reason in [Reason::RemovalBudgetExceeded, Reason::GrantBudgetExceeded] {
        add(&format!("held {}", reason.as_str()), reason, well, Summary { held: vec![plan(reason)], ..fine() });
    }
    // Whoever waits for consent is told on the Identity; the application goes on.
    let adopts = Summary { held: vec![plan(Reason::AdoptionNeedsApproval)], ..fine() };
    add("adoption held", Reason::Synced, AccountCounts { blocked: 1, ..well }, adopts);
    for reason in problems() {
        let text = reason.as_str();
        add(text, reason, well, Summary { problems: vec![problem(reason)], ..fine() });
        let contact = Contact::Fails(problem(reason));
        add(&format!("contact {text}"), reason, well, Summary { contact, ..Summary::default() });
    }
}

/// How the states that Argo CD's own test cases show are told to be: file, object, verdict and its message.
pub fn shown(kind: &str) -> Vec<(String, Value, &'static str, String)> {
    let mut cases = Vec::new();
    let states = states();
    let mut take = |file: &str, name: &str| {
        if let Some(state) = states.iter().find(|state| state.kind == kind && state.name == name) {
            let message = state.object["status"]["conditions"][0]["message"].as_str().unwrap_or_default().to_owned();
            cases.push((file.to_owned(), state.object.clone(), expected(state.reason).1, message));
        }
    };
    for name in ["provisioned", "known", "in force", "synced"] {
        take("healthy", name);
    }
    for name in ["no account", "empty", "nobody"] {
        take("healthy_nobody", name);
    }
    take("healthy_one_account_blocked", "one account blocked");
    take("suspended_paused", "paused");
    take("suspended_plan", "planned");
    take("progressing", if kind == "Identity" || kind == "TargetApplication" { "under way" } else { "unknown" });
    take("progressing_settling", "settling");
    take("progressing_reference_not_found", "ReferenceNotFound");
    take("degraded", if kind == "TargetApplication" { "held RemovalBudgetExceeded" } else { "InvalidSpec" });
    take("degraded_unauthorized", "contact Unauthorized");
    let (unseen, deleted) = edits(&cases.first().expect("a kind has states").1);
    let behind = "the operator has not looked at it since it was last edited".to_owned();
    cases.push(("progressing_edited".to_owned(), unseen.clone(), "Progressing", behind.clone()));
    let mut new = unseen;
    new["status"] = json!({"observedGeneration": -1});
    cases.push(("progressing_new".to_owned(), new, "Progressing", behind));
    cases.push(("progressing_deleted".to_owned(), deleted, "Progressing", "it is being deleted".to_owned()));
    cases
}

/// An object with an edit that nobody looked at yet, and one that is being deleted.
pub fn edits(object: &Value) -> (Value, Value) {
    let (mut edited, mut deleted) = (object.clone(), object.clone());
    edited["metadata"]["generation"] = json!(4);
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    (edited, deleted)
}
