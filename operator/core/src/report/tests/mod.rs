mod board;
mod pairs;
mod status;

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::{Meta, Name, Now, ObjectKind, Reason, State, SyncMode};

fn now(second: i64) -> Now {
    let mono = std::time::Duration::from_secs(u64::try_from(second).unwrap());
    Now { wall: Timestamp::from_second(1_800_000_000 + second).unwrap(), mono }
}

fn meta(name: &str, generation: i64, status: Option<serde_json::Value>) -> Meta {
    Meta {
        name: name.into(),
        uid: format!("uid-{name}").as_str().into(),
        generation,
        created: Timestamp::UNIX_EPOCH,
        deleting: None,
        finalizer: false,
        reconcile_now: None,
        status: status.map(Box::new),
    }
}

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(Reason::ALL)
}

fn problem() -> impl Strategy<Value = Problem> {
    (reason(), "[ -~]{1,20}").prop_map(|(reason, message)| Problem::new(reason, message))
}

fn account() -> impl Strategy<Value = Account> {
    prop_oneof![
        1 => Just(Account::None),
        1 => Just(Account::Unknown),
        1 => option::of(problem()).prop_map(Account::Pending),
        4 => Just(Account::Provisioned),
        1 => Just(Account::Disabled),
        1 => Just(Account::Retained),
        1 => problem().prop_map(Account::Held),
        1 => problem().prop_map(Account::Failed),
        1 => problem().prop_map(Account::Blocked),
        1 => problem().prop_map(Account::DisabledAtTarget),
    ]
}

fn identity_summary() -> impl Strategy<Value = IdentitySummary> {
    let state = prop::sample::select(vec![State::Pending, State::Active, State::Suspended, State::Ended]);
    (option::of(state), option::of(0..9_u32), vec(problem(), 0..2))
        .prop_map(|(lifecycle, groups, problems)| IdentitySummary { lifecycle, groups, starts: None, problems })
}

fn group_summary() -> impl Strategy<Value = GroupSummary> {
    (option::of(0..3_u32), vec(problem(), 0..2)).prop_map(|(members, problems)| GroupSummary {
        members,
        problems,
        ..GroupSummary::default()
    })
}

fn policy_summary() -> impl Strategy<Value = AccessPolicySummary> {
    (option::of(0..3_u32), option::of(0..3_u32), option::of(0..9_i64), any::<bool>(), vec(problem(), 0..2)).prop_map(
        |(identities, grants, next, audit, problems)| AccessPolicySummary {
            identities,
            unread: None,
            grants,
            next_transition: next.map(|second| Timestamp::from_second(second).unwrap()),
            audit,
            held_back: None,
            problems,
            warning: None,
        },
    )
}

fn application_summary() -> impl Strategy<Value = TargetApplicationSummary> {
    let mode = prop::sample::select(vec![SyncMode::Enforce, SyncMode::Plan, SyncMode::Paused]);
    let contact = prop_oneof![Just(Contact::Unknown), Just(Contact::Works), problem().prop_map(Contact::Fails)];
    let held = ("[0-9a-f]{0,64}", any::<bool>()).prop_map(|(hash, removal)| HeldPlanStatus {
        hash: hash.into(),
        reason: if removal { Reason::RemovalBudgetExceeded } else { Reason::GrantBudgetExceeded },
        disables: 1,
        deletes: 2,
        revokes: 3,
        grants: 4,
        changes: 5,
    });
    let target = option::of(Just(TargetIdentification {
        fingerprint: Some("scim/wiki.acme.test".into()),
        store_id: Some("a-store".into()),
        epoch: Some(7),
    }));
    (
        (mode, any::<bool>(), contact, vec(problem(), 0..3), vec(held, 0..18)),
        (0..3_u32, btree_map("[a-z]{1,3}", "[a-z]{0,3}", 0..70), target, option::of("[a-z]{1,3}")),
    )
        .prop_map(|((mode, observed, contact, problems, held), (some, profile, target, reconcile))| {
            TargetApplicationSummary {
                mode,
                observed,
                contact,
                problems,
                held,
                approved: ["", "3f9a", "no plan"][some as usize].into(),
                settling: some,
                planned: None,
                planning: some == 2,
                entitlements: EntitlementCounts {
                    desired: 9,
                    granted: 9 - some,
                    pending: some,
                    failed: 0,
                    excess: some,
                },
                orphaned: some,
                orphans: [None, Some(Reason::Settling), Some(Reason::Progressing)][some as usize],
                unmanaged: 12,
                absent: ["a", "b"].into_iter().take(some as usize).map(|name| (name.into(), "At".into())).collect(),
                unprotecting: ["uid", "mail"].into_iter().take(some as usize).map(Into::into).collect(),
                profile: profile.into_iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect(),
                target,
                last_handled_reconcile: reconcile.map(Into::into),
            }
        })
}

fn accounts() -> impl Strategy<Value = BTreeMap<String, (bool, Account)>> {
    btree_map("[a-z]{1,3}", (any::<bool>(), account()), 0..80)
}

fn summary() -> impl Strategy<Value = Summary> {
    prop_oneof![
        identity_summary().prop_map(Summary::Identity),
        group_summary().prop_map(Summary::Group),
        policy_summary().prop_map(Summary::AccessPolicy),
        application_summary().prop_map(|summary| Summary::TargetApplication(Box::new(summary))),
    ]
}
