//! Format 3. Keys begin with namespace and application, so that a ledger is a range; values are JSON.

use std::sync::Arc;

use provost_core::model::{Image, Intent, Name, Uid};
use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

/// The format that this version reads and writes.
pub(crate) const FORMAT: &str = "3";

/// `format`, `id`, `key`, `epoch` (minutes), `lease` (the epoch of the Lease under which writes are taken), `journal` and
/// `leavers` (bytes of all entries, and of those about leavers).
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
/// Namespace, application -> the minute of its latest record.
pub(crate) const EPOCHS: TableDefinition<(&str, &str), i64> = TableDefinition::new("epochs");
/// Number -> `JournalRecord`, in the order of commits.
pub(crate) const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");

/// Namespace, application, what is attempted, and how it fails -> `Attempts`.
pub(crate) const ATTEMPTS: TableDefinition<(&str, &str, u64, u64), &[u8]> = TableDefinition::new("attempts");

/// An unresolved intent, with the names that its outcome will be journalled under: its records may be gone by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenIntent {
    pub intent: Arc<Intent>,
    pub identities: Vec<Name>,
    #[serde(default)]
    pub uids: Vec<Uid>,
    /// Its entries in the journal.
    #[serde(default)]
    pub entries: Vec<u64>,
    /// What its entries say was there before it, and is there after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Image<Arc<str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Image<Arc<str>>>,
}

/// Why a transaction did not happen.
#[derive(Debug)]
pub(crate) enum Fault {
    /// redb says so: the database is opened anew before the next one.
    Disk(Arc<str>),
    /// A value cannot be encoded or decoded: the database is fine.
    Encoding(Arc<str>),
    /// Another process has claimed the store since, under this epoch of the Lease: the database is fine.
    Fenced(i64),
}

/// A number of `META`; `None` where it was never written.
pub(crate) fn number(meta: &impl ReadableTable<&'static str, &'static [u8]>, name: &str) -> Result<Option<i64>, Fault> {
    Ok(meta.get(name)?.and_then(|value| value.value().try_into().ok()).map(i64::from_le_bytes))
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
