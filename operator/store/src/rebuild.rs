//! A ledger from the journal alone: what was created, given and taken says what is ours. For a store whose ledger is lost
//! while its journal, or the lines that went to standard output, are not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use provost_core::model::{Grant, Name, Owner, Record, RecordId, RecordState, TargetId, Uid};
use serde::Deserialize;

use crate::apply::minute;
use crate::erasure::{ERASURE, FORGOTTEN};
use crate::journal::Granted;
use crate::tables::FORMAT;
use crate::transfer::{Counted, Line};
use crate::{JournalQuery, Store, StoreError};

/// What a rebuild made, and what it had to leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// What was written.
    pub counted: Counted,
    /// Entries that were read.
    pub entries: usize,
    /// Entries without uids, as versions before format 2 wrote them: whose they were is not certain, so they say nothing.
    pub skipped: usize,
}

/// An entry as the journal or as standard output has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(alias = "time")]
    at: Timestamp,
    namespace: Arc<str>,
    application: Name,
    intent: u64,
    step: String,
    #[serde(default)]
    identities: Vec<Name>,
    #[serde(default)]
    uids: Vec<Uid>,
    #[serde(default)]
    members: Vec<TargetId>,
    account: Option<TargetId>,
    entitlement: Option<TargetId>,
    granted: Option<Granted>,
    cause: Arc<str>,
    outcome: Option<serde_json::Value>,
}

/// One application's accounts.
#[derive(Default)]
struct Accounts {
    records: BTreeMap<Owned, Record>,
    /// Who has an account: whoever was named last.
    owners: BTreeMap<TargetId, Owned>,
}

/// Name and uid of an owner.
type Owned = (Name, Uid);

impl Store {
    /// Writes the ledger that the journal tells of, in one transaction. `lines`: entries of standard output in place of the
    /// store's own journal; other lines among them are passed over.
    ///
    /// What is rebuilt knows accounts by owner and id, their state and their memberships. It does not know userName, externalId
    /// and what was written to attributes (the journal holds no values): those are learned anew. Accounts that were adopted and
    /// never written to are not in it, and are adopted anew.
    ///
    /// Errors: `NotEmpty` where there is a ledger and `replace` is false.
    pub fn rebuild(
        &self,
        lines: Option<&mut dyn Iterator<Item = std::io::Result<String>>>,
        replace: bool,
    ) -> Result<Rebuilt, StoreError> {
        let mut rebuilt = Rebuilt::default();
        let mut applications: BTreeMap<(Arc<str>, Name), (Accounts, u64, i64)> = BTreeMap::new();
        let mut take = |entry: Entry| {
            rebuilt.entries += 1;
            // Of an erasure no account comes, and its application may have gone.
            if entry.step == ERASURE {
                return;
            }
            let (accounts, next, epoch) =
                applications.entry((Arc::clone(&entry.namespace), entry.application.clone())).or_default();
            *next = (*next).max(entry.intent + 1);
            *epoch = (*epoch).max(minute(entry.at));
            if entry.uids.len() == entry.identities.len() {
                told(accounts, &entry);
            } else {
                rebuilt.skipped += 1;
            }
        };
        match lines {
            Some(lines) => {
                for (at, line) in lines.enumerate() {
                    let line =
                        line.map_err(|error| StoreError::Import { line: at + 1, detail: error.to_string().into() })?;
                    if let Ok(entry) = serde_json::from_str(&line) {
                        take(entry);
                    }
                }
            }
            None => {
                for entry in self.journal(JournalQuery::default())? {
                    let entry = serde_json::to_value(entry?).and_then(serde_json::from_value);
                    take(entry.map_err(|error| self.explained(error.into()))?);
                }
            }
        }
        rebuilt.counted = self.write_anew(&self.lines(applications), replace)?;
        Ok(rebuilt)
    }

    fn lines(&self, applications: BTreeMap<(Arc<str>, Name), (Accounts, u64, i64)>) -> Vec<Line> {
        let mut lines =
            vec![Line::Store { format: FORMAT.to_owned(), store_id: Arc::clone(self.id()), epoch: self.epoch() }];
        for ((namespace, application), (accounts, mut next, epoch)) in applications {
            for mut record in accounts.records.into_values() {
                record.id = RecordId(next);
                next += 1;
                let (namespace, application) = (Arc::clone(&namespace), application.clone());
                lines.push(Line::Record { namespace, application, value: Box::new(record) });
            }
            lines.push(Line::Application { namespace, application, next, epoch });
        }
        lines
    }
}

/// What an entry says of its accounts. A write whose answer was lost counts where it gave: what may be ours is revoked when
/// it is not wanted.
fn told(accounts: &mut Accounts, entry: &Entry) {
    let outcome = entry.outcome.as_ref().and_then(serde_json::Value::as_str);
    let (done, lost) = (outcome == Some("Done"), outcome == Some("Lost"));
    let gives = matches!(&*entry.step, "AddMembers" | "Assign");
    if !(done || lost && gives) {
        return;
    }
    for (at, (name, uid)) in entry.identities.iter().zip(&entry.uids).enumerate() {
        let Some(account) = entry.account.as_ref().or_else(|| entry.members.get(at)) else { continue };
        if name.as_str() == FORGOTTEN {
            continue;
        }
        let key = (name.clone(), uid.clone());
        if entry.step == "DeleteAccount" {
            accounts.records.remove(&key);
            accounts.owners.remove(account);
            continue;
        }
        // Named under another owner before, it passed by externalId from that one.
        let earlier = accounts.owners.insert(account.clone(), key.clone()).filter(|earlier| *earlier != key);
        let passed = earlier.and_then(|earlier| accounts.records.remove(&earlier));
        let record = accounts.records.entry(key).or_insert_with(|| {
            let owner = Owner { name: name.clone(), uid: uid.clone() };
            passed.map_or_else(|| ours(owner.clone(), account), |record| Record { owner: owner.clone(), ..record })
        });
        apply(record, entry, account);
    }
}

/// A record that knows its owner and its account.
fn ours(owner: Owner, account: &TargetId) -> Record {
    Record {
        id: RecordId(0),
        owner,
        external_id: None,
        user_name: "".into(),
        target_id: Some(account.clone()),
        state: RecordState::Active,
        written: BTreeMap::new(),
        policies: BTreeSet::new(),
        grants: BTreeMap::new(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: false,
    }
}

fn apply(record: &mut Record, entry: &Entry, account: &TargetId) {
    record.target_id = Some(account.clone());
    record.last_write = record.last_write.max(Some(entry.at));
    match &*entry.step {
        "CreateAccount" => {
            record.created = true;
            record.policies = policies(&entry.cause);
        }
        "EnableAccount" => (record.state, record.disabled_at) = (RecordState::Active, None),
        "DisableAccount" => {
            let suspended = matches!(&*entry.cause, "suspended" | "not started");
            record.state = if suspended { RecordState::Disabled } else { RecordState::Retained };
            record.disabled_at = Some(entry.at);
        }
        "AddMembers" | "Assign" => {
            if let (Some(id), Some(granted)) = (&entry.entitlement, &entry.granted) {
                let grant = Grant {
                    entitlement: granted.name.clone(),
                    kind: granted.kind,
                    policies: policies(&entry.cause),
                    privileged: granted.privileged,
                };
                record.grants.insert(id.clone(), grant);
            }
        }
        "RemoveMembers" | "Revoke" => {
            if let Some(id) = &entry.entitlement {
                record.grants.remove(id);
            }
        }
        _ => {}
    }
}

/// A cause that gives is a list of policies.
fn policies(cause: &str) -> BTreeSet<Name> {
    cause.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Name::from).collect()
}
