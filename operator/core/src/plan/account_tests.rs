use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{
    AppRules, Candidate, CatalogueView, Fold, Lookup, Matches, Seen, Shade, Subject, Verdict, WantedAttribute, account,
    digest,
};
use crate::directory::tests::{SCHEMA, application};
use crate::directory::{Decision, Standing, Wanted, Withheld};
use crate::model::{
    Apply, CorrelationKey, DeprovisionStep, Grant, Lane, Name, Now, Observed, Owner, Reason, Record, RecordId,
    RecordState, State, TargetApplication, TargetId, Value,
};
use crate::report;

/// Ada and her account `t-1`, who is decided to have it, and what is known of both.
struct Ada {
    decision: Decision,
    record: Option<Record>,
    enabled: bool,
    /// The account's externalId at the target, and hers.
    external: Option<(&'static str, &'static str)>,
    /// She is seen in the group `g`, which the catalogue names.
    held: Option<bool>,
    read: bool,
    /// Nothing shows her account yet.
    unseen: bool,
    protected: bool,
    deprovision: bool,
    /// What the account should carry.
    attributes: Vec<WantedAttribute>,
    /// An account that a person approved.
    approved: Option<TargetId>,
    /// Accounts that match, if others than her own.
    candidates: Option<fn(&Shade) -> Vec<Candidate>>,
    settings: TargetApplication,
}

fn ada(state: State) -> Ada {
    let owner = Standing { state, explicit: state != State::Active, frozen: None, lead: state == State::Pending };
    let account = Wanted { allow: vec!["staff".into()], ..Wanted::default() };
    let record = Record {
        id: RecordId(1),
        owner: owner_of(),
        external_id: None,
        user_name: "ada".into(),
        target_id: Some(TargetId::new("t-1")),
        state: RecordState::Active,
        written: BTreeMap::new(),
        policies: BTreeSet::from(["staff".into()]),
        grants: BTreeMap::new(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: true,
    };
    Ada {
        decision: Decision { owner: Some(owner), account, entitlements: BTreeMap::new() },
        record: Some(record),
        enabled: true,
        external: None,
        held: None,
        read: false,
        unseen: false,
        protected: false,
        deprovision: false,
        attributes: Vec::new(),
        approved: None,
        candidates: None,
        settings: application(&[("g", None)]),
    }
}

fn owner_of() -> Owner {
    Owner { name: Name::new("ada"), uid: "ada".into() }
}

fn record(ada: &mut Ada, state: RecordState, disabled: bool) {
    let record = ada.record.as_mut().unwrap();
    record.state = state;
    record.disabled_at = disabled.then_some(Timestamp::UNIX_EPOCH);
}

fn plan(ada: &Ada) -> Verdict {
    let id = TargetId::new("t-1");
    let mut attributes = BTreeMap::from([("userName".into(), Value::from("ada"))]);
    attributes.extend(ada.external.map(|(theirs, _)| ("externalId".into(), Value::from(theirs))));
    let observed = Observed { id: id.clone(), enabled: ada.enabled, attributes, holds: None };
    let shade = Shade::of(&observed, &["userName".into(), "externalId".into()].into(), &SCHEMA);
    let hers: Option<Arc<str>> = ada.external.map(|(_, hers)| hers.into());
    let group = TargetId::new("g-1");
    let catalogue: Vec<CatalogueView<'_>> = ada
        .settings
        .entitlements
        .iter()
        .map(|entry| CatalogueView { entry, id: Some(&group), held: ada.held, fresh: true, exact: false })
        .collect();
    let candidate = Candidate { id, shade: shade.clone(), owned: None, protected: false, privileged: false };
    let (owner, keys) = (owner_of(), [CorrelationKey { attribute: "userName".into(), value: "ada".into() }]);
    let unstuck = BTreeSet::new();
    let subject = Subject {
        owner: &owner,
        decision: &ada.decision,
        external_id: hers.as_ref(),
        user_name: "ada",
        keys: &keys,
        mark: "provost:acme/ada",
        attributes: &ada.attributes,
        record: ada.record.as_ref(),
        seen: if ada.record.is_some() && !ada.unseen { Seen::Present(&shade) } else { Seen::Unknown },
        read: ada.read,
        doubted: false,
        protected: ada.protected,
        catalogue: &catalogue,
        matches: Matches { searched: true, found: ada.candidates.as_ref().map_or(vec![candidate], |all| all(&shade)) },
        approved: ada.approved.as_ref(),
        unstuck: &unstuck,
        vanished: &BTreeSet::new(),
    };
    let rules = AppRules {
        settings: &ada.settings,
        schema: &SCHEMA,
        capabilities: None,
        deprovision: ada.deprovision,
        reclaims: false,
    };
    let now = Now { wall: Timestamp::from_second(1_800_000_000).unwrap(), mono: Duration::ZERO };
    account(&subject, &rules, now)
}

/// The steps by name, with the budget that each is counted against.
fn steps(verdict: &Verdict) -> Vec<(&'static str, Option<Lane>)> {
    verdict.steps.iter().map(|planned| (planned.step.name(), planned.lane)).collect()
}

fn blocked(verdict: &Verdict) -> Option<Reason> {
    match &verdict.account {
        report::Account::Blocked(problem) => Some(problem.reason()),
        _ => None,
    }
}

#[test]
fn an_account_adopted_in_a_lead_time_is_disabled_within_the_budget() {
    let mut ada = ada(State::Pending);
    ada.record = None;
    let adopted = plan(&ada).record.unwrap();
    assert_eq!(adopted.state, RecordState::Active);
    ada.record = Some(adopted);
    assert_eq!(steps(&plan(&ada)), [("DisableAccount", Some(Lane::Derived))]);
}

#[test]
fn one_that_was_kept_enabled_by_retain_is_counted_when_it_is_disabled_later() {
    let mut ada = ada(State::Active);
    ada.decision.owner = None;
    record(&mut ada, RecordState::Retained, false);
    assert_eq!(steps(&plan(&ada)), [("DisableAccount", Some(Lane::Derived))]);
    record(&mut ada, RecordState::Retained, true);
    assert_eq!(steps(&plan(&ada)), [("DisableAccount", None)], "found enabled again it is only corrected");
    ada.settings.deprovision.ended = DeprovisionStep::Retain;
    assert_eq!(steps(&plan(&ada)), []);
}

#[test]
fn an_account_of_another_external_id_is_not_adopted_by_its_user_name() {
    let mut ada = ada(State::Active);
    ada.record = None;
    for (external, expected) in
        [(Some(("E-2", "E-1")), Some(Reason::AdoptionNeedsApproval)), (Some(("E-1", "E-1")), None), (None, None)]
    {
        ada.external = external;
        let verdict = plan(&ada);
        assert_eq!((blocked(&verdict), verdict.record.is_none()), (expected, expected.is_some()), "{external:?}");
    }
}

#[test]
fn nothing_is_prepared_in_a_lead_time_that_a_deny_withholds() {
    let mut ada = ada(State::Pending);
    ada.record = None;
    for withheld in [Withheld::Yes(vec!["deny".into()]), Withheld::Unknown] {
        ada.decision.account.withheld = withheld;
        let verdict = plan(&ada);
        assert!(!verdict.desired && verdict.record.is_none() && verdict.steps.is_empty());
    }
}

#[test]
fn somebody_who_comes_back_is_read_and_loses_what_is_not_decided_before_the_account_is_enabled() {
    let mut ada = ada(State::Active);
    ada.enabled = false;
    record(&mut ada, RecordState::Retained, true);
    ada.held = Some(true);
    let verdict = plan(&ada);
    assert_eq!((steps(&verdict), verdict.need), (vec![], Some(Lookup::Read(TargetId::new("t-1")))));
    // Groups may be listed where accounts are not.
    ada.unseen = true;
    let verdict = plan(&ada);
    assert_eq!((steps(&verdict), verdict.need), (vec![], Some(Lookup::Read(TargetId::new("t-1")))));
    (ada.unseen, ada.read) = (false, true);
    assert_eq!(steps(&plan(&ada)), [("RemoveMembers", None)]);
    ada.held = Some(false);
    assert_eq!(steps(&plan(&ada)), [("EnableAccount", None)]);
}

#[test]
fn a_deleted_application_lets_go_of_the_suspended_too() {
    let mut ada = ada(State::Suspended);
    ada.enabled = false;
    record(&mut ada, RecordState::Disabled, true);
    ada.deprovision = true;
    for step in [DeprovisionStep::Disable { delete_after: None }, DeprovisionStep::Retain] {
        ada.settings.deprovision.lost = step;
        assert_eq!(plan(&ada).record.unwrap().state, RecordState::Retained, "{step:?}");
    }
}

#[test]
fn what_changed_rules_take_from_somebody_suspended_is_not_counted_as_explicit() {
    let mut ada = ada(State::Suspended);
    let entry = &ada.settings.entitlements[0];
    let grant = Grant {
        entitlement: entry.name.clone(),
        kind: entry.target.kind,
        policies: BTreeSet::from(["gone".into()]),
        privileged: false,
    };
    ada.record.as_mut().unwrap().grants.insert(TargetId::new("g-1"), grant);
    let expected = [("DisableAccount", Some(Lane::Explicit)), ("RemoveMembers", Some(Lane::Derived))];
    assert_eq!(steps(&plan(&ada)), expected);
}

#[test]
fn a_protected_account_is_never_written_to_though_it_has_a_record() {
    for state in [State::Active, State::Suspended, State::Ended] {
        let mut ada = ada(state);
        ada.protected = true;
        let verdict = plan(&ada);
        assert_eq!((steps(&verdict), blocked(&verdict)), (vec![], Some(Reason::ProtectedAccount)), "{state:?}");
    }
}

fn told(verdict: &Verdict) -> String {
    match &verdict.account {
        report::Account::Blocked(problem) | report::Account::Pending(Some(problem)) => {
            format!("{}: {}", problem.reason().as_str(), problem.message())
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn who_has_the_account_or_the_name_is_said() {
    fn one(shade: &Shade, id: &str, holder: Option<(&str, bool)>) -> Candidate {
        let owned = holder.map(|(name, frees)| (Name::new(name), frees));
        Candidate { id: TargetId::new(id), shade: shade.clone(), owned, protected: false, privileged: false }
    }
    type Found = fn(&Shade) -> Vec<Candidate>;
    let cases: [(&str, bool, Found, &str); 4] = [
        (
            "by name",
            false,
            |s| vec![one(s, "t-1", Some(("bob", false)))],
            "UserNameTaken: identity bob has the account",
        ),
        ("it goes", false, |s| vec![one(s, "t-1", Some(("bob", true)))], "Progressing: waits for identity bob to give"),
        (
            "by externalId",
            true,
            |s| vec![one(s, "t-9", Some(("bob", false)))],
            "CorrelationAmbiguous: the account that matches (t-9) is identity bob's",
        ),
        (
            "several",
            true,
            |s| vec![one(s, "t-1", Some(("bob", false))), one(s, "t-2", None)],
            "CorrelationAmbiguous: the accounts t-1 (identity bob's), t-2 match",
        ),
    ];
    for (what, strong, found, expected) in cases {
        let mut ada = ada(State::Active);
        ada.record = None;
        ada.external = strong.then_some(("E-1", "E-1"));
        ada.candidates = Some(found);
        let verdict = plan(&ada);
        assert!(told(&verdict).starts_with(expected), "{what}: {}", told(&verdict));
    }
}

#[test]
fn an_account_that_is_not_surely_hers_is_asked_for_and_adopted_once_a_person_approves_that_very_account() {
    let t1 = TargetId::new("t-1");
    for state in [State::Active, State::Suspended] {
        let mut ada = ada(state);
        (ada.record, ada.external) = (None, Some(("E-2", "E-1")));
        for (approved, adopted) in [(None, false), (Some(TargetId::new("t-2")), false), (Some(t1.clone()), true)] {
            ada.approved = approved.clone();
            let verdict = plan(&ada);
            assert_eq!(verdict.adoption, (!adopted).then(|| t1.clone()), "{state:?} {approved:?}");
            let record = verdict.record.and_then(|record| record.target_id);
            assert_eq!(record, adopted.then(|| t1.clone()), "{state:?} {approved:?}");
        }
    }
}

#[test]
fn what_was_found_on_an_adopted_account_is_never_cleared_and_what_was_written_is() {
    let title = |value: Value| WantedAttribute { name: "userName".into(), value: Some(value), apply: Apply::Always };
    let mut ada = ada(State::Active);
    // The target has what is wanted already: that is remembered only of what we wrote.
    ada.attributes = vec![title(Value::from("ada"))];
    let fold = Fold::of(&SCHEMA, &"userName".into());
    let ours = digest(&Value::from("ada"), fold).unwrap();
    assert!(plan(&ada).record.is_none_or(|record| record.written.is_empty()), "found so");
    ada.attributes = vec![title(Value::Null)];
    assert_eq!(steps(&plan(&ada)), [], "and so it is not ours to clear");
    ada.record.as_mut().unwrap().written.insert("userName".into(), ours);
    assert_eq!(steps(&plan(&ada)), [("RenameAccount", None)], "written by us");
}

#[test]
fn an_account_that_rests_on_what_cannot_be_evaluated_is_not_told_as_decided() {
    let mut ada = ada(State::Active);
    ada.decision.account = Wanted { unknown: vec!["staff".into()], ..Wanted::default() };
    let verdict = plan(&ada);
    assert_eq!(steps(&verdict), []);
    assert!(told(&verdict).starts_with("EvaluationFailed: it depends on staff,"), "{}", told(&verdict));
    ada.decision.account = Wanted { allow: vec!["staff".into()], withheld: Withheld::Unknown, ..Wanted::default() };
    assert!(told(&plan(&ada)).starts_with("EvaluationFailed: it depends on a Deny"));
}

#[test]
fn before_the_start_what_rests_on_what_is_unknown_alone_stays_as_it_is_and_what_was_taken_rests_on_nothing() {
    let mut ada = ada(State::Pending);
    ada.enabled = false;
    ada.attributes = vec![WantedAttribute { name: "title".into(), value: Some("Boss".into()), apply: Apply::Always }];
    record(&mut ada, RecordState::Disabled, true);
    assert_eq!(steps(&plan(&ada)), [("UpdateAccount", None)]);
    ada.decision.account = Wanted { unknown: vec!["staff".into()], ..Wanted::default() };
    assert_eq!(steps(&plan(&ada)), []);
    record(&mut ada, RecordState::Retained, true);
    let after = plan(&ada).record.unwrap();
    assert_eq!((after.state, after.policies), (RecordState::Disabled, BTreeSet::new()));
}

#[test]
fn of_an_account_that_is_left_for_another_identity_with_its_key_neither_is_called_older() {
    // Two may be as old: it is said elsewhere what decides between them.
    for (reason, key) in [(Reason::DuplicateUserName, "userName"), (Reason::DuplicateExternalId, "externalId")] {
        let mut ada = ada(State::Active);
        ada.decision.owner.as_mut().unwrap().frozen = Some(reason);
        let words = format!("another Identity comes first with this {key}: the account is left as it is");
        assert_eq!(told(&plan(&ada)), format!("{}: {words}", reason.as_str()));
    }
}
