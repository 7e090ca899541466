//! Format 1. Keys begin with namespace and application, so that a ledger is a range; values are JSON.

use std::sync::Arc;

use provost_core::model::{Intent, Name};
use redb::TableDefinition;
use serde::{Deserialize, Serialize};

/// The format that this version reads and writes.
pub(crate) const FORMAT: &str = "1";

/// `format`, `id`, `key`, `epoch`.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Namespace, application, record id -> `Record`.
pub(crate) const RECORDS: TableDefinition<(&str, &str, u64), &[u8]> = TableDefinition::new("records");
/// Namespace, application, intent id -> `OpenIntent`.
pub(crate) const INTENTS: TableDefinition<(&str, &str, u64), &[u8]> = TableDefinition::new("intents");
/// Namespace, application, target id -> `GroupRecord`.
pub(crate) const GROUPS: TableDefinition<(&str, &str, &str), &[u8]> = TableDefinition::new("groups");
/// Namespace, application -> `Standing`.
pub(crate) const STANDING: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("standing");
/// Namespace, application -> the next free id.
pub(crate) const NEXT: TableDefinition<(&str, &str), u64> = TableDefinition::new("next");
/// Number -> `JournalRecord`, in the order of commits.
pub(crate) const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");

/// An unresolved intent, with the names that its outcome will be journalled under: its records may be gone by then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenIntent {
    pub intent: Intent,
    pub identities: Vec<Name>,
}

/// Why a transaction did not happen.
#[derive(Debug)]
pub(crate) enum Fault {
    /// redb says so: the database is opened anew before the next one.
    Disk(Arc<str>),
    /// A value cannot be encoded or decoded: the database is fine.
    Encoding(Arc<str>),
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Encoding(error.to_string().into())
    }
}

macro_rules! disk {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Disk(error.to_string().into())
            }
        })*
    };
}
disk!(redb::StorageError, redb::TableError, redb::TransactionError, redb::CommitError);
