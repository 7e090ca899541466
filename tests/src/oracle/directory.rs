//! The oracle asked about a real control plane: manifests as an API server has them, accounts as a real server has them and
//! the ledger as the store has it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::input;
use provost_core::model::{Change, Ledger, Name, RecordState, Source, TargetApplication, TargetId};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decide::{Decision, Verdict};
use super::declared::{Declared, Standing};
use super::end::{Account, Before, Ours, Reading};
use super::rule::Rule;
use super::run::compare;

/// All that is declared in a namespace.
#[derive(Debug)]
pub struct Directory(Declared);

/// What the manifests alone say of one identity in one application, whatever was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Should {
    /// Where it stands.
    pub standing: Standing,
    /// Whether it may have an account.
    pub account: bool,
    /// Whether the account is made before the start, and that time has come.
    pub prepared: bool,
    /// The entitlements.
    pub holds: BTreeSet<Name>,
}

/// An account as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The target's id.
    pub id: String,
    /// The name to log in with.
    pub user_name: String,
    /// The key of who owns it.
    pub external_id: String,
    /// Whether it can be used.
    pub active: bool,
    /// The entitlements whose groups it is in.
    pub holds: BTreeSet<Name>,
}

fn parsed<T: DeserializeOwned>(object: &Value) -> T {
    serde_json::from_value(object.clone()).expect("the API server holds what its schema says")
}

impl Directory {
    /// Reads it from objects of the API server, whose rules are all among these.
    ///
    /// # Panics
    /// If a manifest is invalid, or a rule is none of these: what is Unknown is not what is asked about here.
    pub fn read(objects: &[Value], rules: &[Rule]) -> Self {
        let rules = rules.iter().map(|rule| (rule.source(), rule.clone())).collect();
        let mut declared = Declared { rules, ..Declared::default() };
        for object in objects {
            let change = match object["kind"].as_str().unwrap_or_default() {
                "Identity" => input::identity_change(&parsed(object)),
                "Group" => input::group_change(&parsed(object)),
                "AccessPolicy" => input::access_policy_change(&parsed(object)),
                _ => input::target_application_change(&parsed(object)),
            };
            match change {
                Change::Identity(it) => _ = declared.identities.insert(it.meta.name.clone(), it),
                Change::Group(it) => _ = declared.groups.insert(it.meta.name.clone(), it),
                Change::AccessPolicy(it) => _ = declared.policies.insert(it.meta.name.clone(), it),
                Change::TargetApplication(it) => _ = declared.applications.insert(it.meta.name.clone(), *it),
                Change::Gone(_) => {}
            }
        }
        for identity in declared.identities.values() {
            assert!(identity.spec.is_ok(), "{identity:?}");
        }
        let known = |rule: &Source| assert!(declared.rules.contains_key(&*rule.text), "no rule is {}", rule.text);
        for group in declared.groups.values() {
            group.spec.as_ref().expect("a valid Group").rule.as_ref().map(known);
        }
        for policy in declared.policies.values() {
            policy.spec.as_ref().expect("a valid AccessPolicy").rule.as_ref().map(known);
        }
        Self(declared)
    }

    fn settings(&self, application: &Name) -> &TargetApplication {
        let manifest = self.0.applications.get(application).expect("it is declared");
        manifest.spec.as_ref().expect("a valid TargetApplication")
    }

    /// What should be of each identity at that time.
    ///
    /// # Panics
    /// If something is Unknown.
    pub fn should(&self, application: &str, at: Timestamp) -> BTreeMap<String, Should> {
        let application = Name::new(application);
        let settings = self.settings(&application);
        let said = |name: &Name| {
            let (identity, standing) = (self.0.identity(name)?, self.0.standing(name, at)?);
            let decision = Decision::new(&self.0, name, identity, &application, settings, at);
            let granted = |verdict: Verdict| match verdict {
                Verdict::Granted(_) => true,
                Verdict::Taken => false,
                unknown => panic!("{name} in {application}: {unknown:?}"),
            };
            let ended = standing == Standing::Ended;
            let account = !ended && granted(decision.account(None));
            let names = settings.entitlements.iter().map(|entry| &entry.name);
            let holds = names.filter(|name| account && granted(decision.entitlement(name, None))).cloned().collect();
            let prepared = standing == Standing::Pending && account && decision.is_prepared();
            Some((name.to_string(), Should { standing, account, prepared, holds }))
        };
        self.0.identities.keys().filter_map(said).collect()
    }

    /// What is still to be done at a target that is at rest, read off the text of the semantics: nothing may be.
    pub fn left(&self, application: &str, accounts: &[Seen], ledger: &Ledger, at: Timestamp) -> Vec<String> {
        let application = &Name::new(application);
        let before = before(accounts, ledger);
        let mut wrong: Vec<String> = ledger.intents.iter().map(|intent| format!("unresolved: {intent:?}")).collect();
        for (id, account) in &before.accounts {
            let Some(ours) = &account.ours else {
                wrong.push(format!("{id} is in no record: {account:?}"));
                continue;
            };
            let ours_are: BTreeSet<Name> = ours.grants.keys().cloned().collect();
            // What was meant for somebody suspended, or taken by others, is given when they are back.
            let waits = self.0.standing(&ours.owner, at) == Some(Standing::Suspended);
            if ours_are != account.holds && !(waits && account.holds.is_subset(&ours_are)) {
                wrong.push(format!("{id} holds other than what is ours: {account:?}"));
            }
        }
        let end = Reading { declared: &self.0, before: &before, application, settings: self.settings(application), at };
        let (differs, compared, _) = compare(&before, &end.end(), &before);
        assert!(compared > 0, "nothing was compared in {application}");
        wrong.extend(differs);
        wrong
    }
}

fn before(accounts: &[Seen], ledger: &Ledger) -> Before {
    let account = |seen: &Seen| {
        let id = TargetId::new(seen.id.as_str());
        let gone = |state| matches!(state, RecordState::Deleted | RecordState::Released);
        let record = ledger.records.iter().find(|record| record.target_id.as_ref() == Some(&id) && !gone(record.state));
        let ours = record.map(|record| Ours {
            owner: record.owner.name.clone(),
            policies: record.policies.clone(),
            grants: record.grants.values().map(|g| (g.entitlement.clone(), g.policies.clone())).collect(),
        });
        let account = Account {
            enabled: seen.active,
            user_name: seen.user_name.clone(),
            external_id: Some(seen.external_id.clone()),
            holds: seen.holds.clone(),
            ours,
        };
        (id, account)
    };
    Before {
        accounts: accounts.iter().map(account).collect(),
        records: ledger.records.clone(),
        protected: ledger.standing.protected.clone(),
        tampered: BTreeSet::new(),
    }
}
