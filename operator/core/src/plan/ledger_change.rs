use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{Applied, AttributeName, Digest, Grant, Record, RecordState, TargetId};

/// What a step does to the ledger's record: part of it is stored with the intent (so that a crash can only leave us
/// owning too much, never too little), part after the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A create: the record is `Creating` until an id proves it.
    Create {
        /// What is written.
        written: BTreeMap<AttributeName, Digest>,
        /// How it stands once it is there.
        state: RecordState,
    },
    /// Attributes were written; `None`: cleared.
    Write(BTreeMap<AttributeName, Option<Digest>>),
    /// It cannot be used any more.
    Disable {
        /// Disabled for a while, or retained until its deletion.
        state: RecordState,
        /// When to delete it, if this disable fixes the date.
        delete_at: Option<Timestamp>,
    },
    /// It can be used again.
    Enable,
    /// The account is deleted; believed once a read confirms it.
    Delete,
    /// A membership, role or licence is given.
    Grant(TargetId, Grant),
    /// It is taken.
    Revoke(TargetId),
    /// Nothing.
    Nothing,
}

impl Change {
    /// The record as it is stored with the intent.
    pub fn intended(&self, record: &mut Record, at: Timestamp) {
        match self {
            Self::Create { written, .. } => {
                record.state = RecordState::Creating;
                record.written.clone_from(written);
                record.grants.clear();
                record.target_id = None;
                record.created = true;
            }
            Self::Write(written) => {
                for (name, digest) in written {
                    if let Some(digest) = digest {
                        record.written.insert(name.clone(), *digest);
                    }
                }
            }
            Self::Disable { state, delete_at } => {
                record.state = *state;
                record.disabled_at = record.disabled_at.or(Some(at));
                record.delete_at = record.delete_at.or(*delete_at);
            }
            Self::Grant(id, grant) => {
                record.grants.insert(id.clone(), grant.clone());
            }
            Self::Enable | Self::Delete | Self::Revoke(_) | Self::Nothing => {}
        }
        record.last_write = Some(at);
    }

    /// The record once the target has done it.
    pub fn done(&self, record: &mut Record, applied: &Applied, at: Timestamp) {
        match self {
            Self::Create { state, .. } => {
                record.target_id.clone_from(&applied.id);
                record.state = *state;
                (record.disabled_at, record.delete_at) = ((*state == RecordState::Disabled).then_some(at), None);
            }
            Self::Write(written) => {
                for (name, digest) in written {
                    if digest.is_none() {
                        record.written.remove(name);
                    }
                }
            }
            Self::Enable => {
                record.state = RecordState::Active;
                record.disabled_at = None;
                record.delete_at = None;
            }
            Self::Revoke(id) => {
                record.grants.remove(id);
            }
            Self::Delete | Self::Disable { .. } | Self::Grant(..) | Self::Nothing => {}
        }
        record.last_write = Some(at);
    }
}
