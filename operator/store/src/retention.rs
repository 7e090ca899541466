//! How long the journal remembers, and what it has to forget.

use jiff::Timestamp;
use provost_core::model::Name;
use redb::{ReadableTable, ReadableTableMetadata};

use crate::tables::JOURNAL;
use crate::{JournalRecord, Store, StoreError};

/// Entries that one call of `prune` removes at most, so that a writer never waits long.
const AT_ONCE: u64 = 10_000;
/// What stands in the place of a forgotten name; no object can have it, since names are lower case.
const FORGOTTEN: &str = "FORGOTTEN";

impl Store {
    /// Removes entries of the journal that are older than a time, oldest first, at most 10,000 a call; answers how many it
    /// removed, so that who calls may go on until it is none. The newest entry stays: numbers are given once.
    pub fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.shared.with(|database| {
            let transaction = database.begin_write()?;
            let mut removed = 0;
            {
                let mut journal = transaction.open_table(JOURNAL)?;
                while removed < AT_ONCE && journal.len()? > 1 {
                    let first =
                        journal.first()?.map(|(_, value)| serde_json::from_slice::<JournalRecord>(value.value()));
                    if !matches!(first, Some(Ok(entry)) if entry.at < before) {
                        break;
                    }
                    journal.pop_first()?;
                    removed += 1;
                }
            }
            transaction.commit()?;
            Ok(removed)
        })
    }

    /// Takes an identity out of the journal: in every entry that names it its name, its account and its attributes go, the
    /// step, the time and the outcome stay. Answers how many entries that were. The ledger is not touched: what is still
    /// ours has to be known. Writers wait meanwhile.
    pub fn forget(&self, namespace: &str, identity: &Name) -> Result<u64, StoreError> {
        self.shared.with(|database| {
            let transaction = database.begin_write()?;
            let mut changed = Vec::new();
            {
                let mut journal = transaction.open_table(JOURNAL)?;
                for row in journal.iter()? {
                    let (number, value) = row?;
                    let mut entry: JournalRecord = serde_json::from_slice(value.value())?;
                    if &*entry.namespace != namespace || !entry.identities.contains(identity) {
                        continue;
                    }
                    entry
                        .identities
                        .iter_mut()
                        .filter(|name| *name == identity)
                        .for_each(|name| *name = FORGOTTEN.into());
                    entry.account = None;
                    entry.attributes.clear();
                    changed.push((number.value(), serde_json::to_vec(&entry)?));
                }
                for (number, value) in &changed {
                    journal.insert(number, value.as_slice())?;
                }
            }
            transaction.commit()?;
            Ok(u64::try_from(changed.len()).unwrap_or(u64::MAX))
        })
    }
}
