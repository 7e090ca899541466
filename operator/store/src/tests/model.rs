//! Random changes, against a map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use provost_core::model::{
    Attributes, Charge, Digest, EntitlementKind, Grant, GroupRecord, HeldPlan, HeldStep, Intent, IntentId, Lane,
    Ledger, LedgerChange, Name, Outcome, Owner, Record, RecordId, RecordState, Release, Standing, Step, TargetId, Uid,
    Value,
};

use super::{at, open, record};
use crate::Store;

/// The obvious ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    records: BTreeMap<RecordId, Record>,
    intents: BTreeMap<IntentId, Intent>,
    groups: BTreeMap<TargetId, GroupRecord>,
    standing: Standing,
    next: u64,
}

impl Model {
    pub fn apply(&mut self, changes: &[LedgerChange]) {
        for change in changes {
            match change {
                LedgerChange::Put(record) => {
                    self.next = self.next.max(record.id.0 + 1);
                    self.records.insert(record.id, (**record).clone());
                }
                LedgerChange::Forget(id) => _ = self.records.remove(id),
                LedgerChange::Open(intent) => {
                    self.next = self.next.max(intent.id.0 + 1);
                    self.intents.insert(intent.id, (**intent).clone());
                }
                LedgerChange::Close(_, Outcome::Lost) => {}
                LedgerChange::Close(id, _) => _ = self.intents.remove(id),
                LedgerChange::PutGroup(group) => _ = self.groups.insert(group.target_id.clone(), group.clone()),
                LedgerChange::ForgetGroup(id) => _ = self.groups.remove(id),
                LedgerChange::Standing(standing) => self.standing = (**standing).clone(),
            }
        }
    }

    pub fn ledger(&self) -> Ledger {
        Ledger {
            records: self.records.values().cloned().collect(),
            intents: self.intents.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            standing: self.standing.clone(),
            next_id: self.next,
            store: None,
        }
    }
}

/// Compares every application of the model with what the store loads.
pub(super) fn assert_same(store: &Store, models: &BTreeMap<&'static str, Model>) {
    for (application, model) in models {
        let found = Ledger { store: None, ..store.load("acme", &Name::from(*application)).unwrap() };
        assert_eq!(found, model.ledger(), "{application}");
    }
}

/// Names chosen so that one is a prefix of the other: a range scan must not run over into the next ledger.
pub(super) const APPLICATIONS: [&str; 3] = ["wiki", "wiki-2", "mail"];

pub(super) fn jobs() -> impl Strategy<Value = Vec<(&'static str, Vec<LedgerChange>)>> {
    vec((prop::sample::select(&APPLICATIONS[..]), vec(change(), 0..6)), 1..24)
}

fn change() -> impl Strategy<Value = LedgerChange> {
    prop_oneof![
        4 => ledger_record().prop_map(|record| LedgerChange::Put(Arc::new(record))),
        1 => (0..12_u64).prop_map(|id| LedgerChange::Forget(RecordId(id))),
        3 => intent().prop_map(|intent| LedgerChange::Open(Arc::new(intent))),
        3 => ((0..12_u64), outcome()).prop_map(|(id, outcome)| LedgerChange::Close(IntentId(id), outcome)),
        1 => group().prop_map(LedgerChange::PutGroup),
        1 => target_id().prop_map(LedgerChange::ForgetGroup),
        1 => standing().prop_map(|standing| LedgerChange::Standing(Box::new(standing))),
    ]
}

fn word() -> impl Strategy<Value = String> {
    "[a-zä\"\\\\\u{0}]{1,6}"
}

fn name() -> impl Strategy<Value = Name> {
    word().prop_map(Name::new)
}

fn target_id() -> impl Strategy<Value = TargetId> {
    "[a-d]{0,2}".prop_map(TargetId::new)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        word().prop_map(|text| Value::Text(text.into())),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::List),
            btree_map(word().prop_map(Into::into), inner, 0..3).prop_map(Value::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    btree_map(word().prop_map(|w| w.as_str().into()), value(), 0..4)
}

fn kind() -> impl Strategy<Value = EntitlementKind> {
    prop::sample::select(vec![EntitlementKind::Group, EntitlementKind::Role, EntitlementKind::License])
}

fn ledger_record() -> impl Strategy<Value = Record> {
    let state = prop::sample::select(vec![
        RecordState::Creating,
        RecordState::Active,
        RecordState::Disabled,
        RecordState::Retained,
        RecordState::Deleted,
        RecordState::Released,
    ]);
    let grant = (name(), kind(), btree_set(name(), 0..2), any::<bool>())
        .prop_map(|(entitlement, kind, policies, privileged)| Grant { entitlement, kind, policies, privileged });
    let dates = (option::of(0..9_i64), option::of(0..9_i64));
    (
        (0..12_u64, name(), option::of(word()), option::of(target_id()), state),
        (btree_map(word(), any::<u64>(), 0..3), btree_map(target_id(), grant, 0..3), dates, any::<bool>()),
    )
        .prop_map(|((id, owner, external, target_id, state), (written, grants, (disabled, delete), created))| {
            Record {
                id: RecordId(id),
                owner: Owner { uid: Uid::new(&format!("uid-{owner}")), name: owner },
                external_id: external.map(Into::into),
                user_name: "ada".into(),
                target_id,
                state,
                written: written.into_iter().map(|(name, digest)| (name.as_str().into(), Digest(digest))).collect(),
                policies: BTreeSet::new(),
                grants,
                disabled_at: disabled.map(at),
                delete_at: delete.map(at),
                last_write: disabled.map(at),
                created,
            }
        })
}

fn intent() -> impl Strategy<Value = Intent> {
    let step = prop_oneof![
        (attributes(), any::<bool>()).prop_map(|(attributes, enabled)| Step::CreateAccount {
            attributes,
            enabled,
            password: false
        }),
        (target_id(), attributes()).prop_map(|(id, set)| Step::RenameAccount { id, set }),
        target_id().prop_map(|id| Step::DisableAccount { id }),
        (target_id(), vec(target_id(), 0..3)).prop_map(|(group, members)| Step::RemoveMembers { group, members }),
        (kind(), target_id(), target_id()).prop_map(|(kind, entitlement, account)| Step::Assign {
            kind,
            entitlement,
            account
        }),
    ];
    (0..12_u64, vec(0..12_u64, 0..3), step, option::of(word())).prop_map(|(id, records, step, plan)| Intent {
        id: IntentId(id),
        records: records.into_iter().map(RecordId).collect(),
        step,
        at: at(1),
        cause: "drift".into(),
        plan: plan.map(Into::into),
        before: None,
        after: None,
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Lost),
        Just(Outcome::Cancelled),
        word().prop_map(|why| Outcome::Rejected(why.into())),
        word().prop_map(|why| Outcome::Failed(why.into())),
    ]
}

fn group() -> impl Strategy<Value = GroupRecord> {
    (kind(), word(), target_id(), any::<bool>(), any::<bool>()).prop_map(|(kind, name, target_id, created, prune)| {
        GroupRecord { kind, name: name.into(), target_id, created, prune }
    })
}

fn standing() -> impl Strategy<Value = Standing> {
    let lane = prop::sample::select(vec![Lane::Explicit, Lane::Derived, Lane::PrivilegedGrant, Lane::Adoption]);
    let step = (name(), word(), option::of(name())).prop_map(|(identity, step, entitlement)| HeldStep {
        account: Some(TargetId::new(&*step)).filter(|_| entitlement.is_none()),
        identity,
        step: step.into(),
        entitlement,
    });
    (option::of(word()), lane, vec(step, 0..3), btree_map(word(), any::<u32>(), 0..3)).prop_map(
        |(fingerprint, lane, steps, used)| Standing {
            resources: None,
            fingerprint: fingerprint.map(Into::into),
            charges: steps
                .iter()
                .map(|step| Charge { identity: step.identity.clone(), lane, at: at(5), units: 3 })
                .collect(),
            held: vec![HeldPlan {
                hash: "3f9a".into(),
                lane,
                steps: steps.iter().cloned().collect(),
                since: at(7),
                why: "too many".into(),
            }],
            releases: steps.into_iter().map(|step| Release { lane, step, plan: None, at: at(3) }).collect(),
            used: used.into_iter().map(|(hash, n)| (hash.into(), n)).collect(),
            acknowledged: BTreeSet::from(["token".into()]),
            awaiting: None,
            approval: Some(("3f9a".into(), at(9))),
            protected: BTreeSet::from(["root".into()]),
            mismatch: None,
            reclaims: true,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_written_is_loaded_back_before_and_after_a_restart(jobs in jobs(), cut in 0..24_usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let mut models = BTreeMap::from(APPLICATIONS.map(|name| (name, Model::default())));
        let mut store = open(&path).unwrap();
        for (number, (application, changes)) in jobs.iter().enumerate() {
            if number == cut {
                drop(store);
                store = open(&path).unwrap();
            }
            record(&store, application, 1, changes.clone()).unwrap();
            models.get_mut(application).unwrap().apply(changes);
        }
        assert_same(&store, &models);
        drop(store);
        assert_same(&open(&path).unwrap(), &models);
    }
}
