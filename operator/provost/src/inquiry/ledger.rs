//! What is ours at the targets, and what is retained until when.

use std::sync::Arc;

use jiff::Timestamp;
use provost_core::engine::DeletionOrder;
use provost_core::model::{KEPT, Name, Record, RecordState, TargetId};
use provost_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

/// Which accounts: all that hold every condition that is given.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerAsk {
    /// Accounts of this Identity
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Accounts at this TargetApplication
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Only accounts that are not desired any more and wait for their deletion
    #[arg(long)]
    #[serde(default)]
    pub retained: bool,
    /// Also user names and external ids
    #[arg(long)]
    #[serde(default)]
    pub values: bool,
}

/// One account that is, or was, ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The TargetApplication.
    pub application: Name,
    /// Whose it is.
    pub identity: Name,
    /// `Creating`, `Active`, `Disabled`, `Retained`, `Deleted`, `Released`.
    pub state: RecordState,
    /// Its id at the target.
    pub account: Option<TargetId>,
    /// We created it (rather than adopted it).
    pub created: bool,
    /// The policies that it rests on.
    pub policies: Vec<Name>,
    /// What it holds that is ours.
    pub grants: Vec<GrantEntry>,
    /// Disabled by us since.
    pub disabled_at: Option<Timestamp>,
    /// To be deleted then.
    pub delete_at: Option<Timestamp>,
    /// Somebody cancelled its deletion.
    pub kept: bool,
    /// The last write.
    pub last_write: Option<Timestamp>,
    /// The owner's user name, where that was asked for.
    pub user_name: Option<Arc<str>>,
    /// The owner's externalId, where that was asked for.
    pub external_id: Option<Arc<str>>,
}

/// One membership, role or licence that is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantEntry {
    /// The entry of the catalogue.
    pub entitlement: Name,
    /// Privileged when it was given.
    pub privileged: bool,
    /// The policies that it rests on.
    pub policies: Vec<Name>,
}

/// What is to become of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The TargetApplication.
    pub application: String,
    /// Whose account.
    pub identity: String,
    /// What.
    pub order: DeletionOrder,
}

/// Reads ledgers. Blocks on the disk.
pub fn ledger(store: &Store, namespace: Option<&str>, ask: &LedgerAsk) -> Result<Vec<Entry>, StoreError> {
    let mut found = Vec::new();
    for (of, name) in store.applications()? {
        let wanted = ask.application.as_deref().is_none_or(|wanted| wanted == name.as_str());
        if !wanted || namespace.is_some_and(|wanted| wanted != &*of) {
            continue;
        }
        for record in store.load(&of, &name)?.records {
            let theirs = ask.identity.as_deref().is_none_or(|wanted| wanted == record.owner.name.as_str());
            if theirs && (!ask.retained || record.state == RecordState::Retained) {
                found.push(entry(&of, &name, record, ask.values));
            }
        }
    }
    found.sort_by(|a, b| (&a.namespace, &a.application, &a.identity).cmp(&(&b.namespace, &b.application, &b.identity)));
    Ok(found)
}

fn entry(namespace: &Arc<str>, application: &Name, record: Record, values: bool) -> Entry {
    let grants = record.grants.into_values().map(|grant| GrantEntry {
        entitlement: grant.entitlement,
        privileged: grant.privileged,
        policies: grant.policies.into_iter().collect(),
    });
    Entry {
        namespace: Arc::clone(namespace),
        application: application.clone(),
        identity: record.owner.name,
        state: record.state,
        account: record.target_id,
        created: record.created,
        policies: record.policies.into_iter().collect(),
        grants: grants.collect(),
        disabled_at: record.disabled_at,
        delete_at: record.delete_at.filter(|at| *at != KEPT),
        kept: record.delete_at == Some(KEPT),
        last_write: record.last_write,
        user_name: values.then_some(record.user_name),
        external_id: record.external_id.filter(|_| values),
    }
}
