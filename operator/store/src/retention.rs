//! How long the journal remembers.

use jiff::Timestamp;
use redb::{ReadableTable, Table};

use crate::tables::{Fault, JOURNAL, META, number};
use crate::{JournalRecord, Store, StoreError};

/// Entries that one transaction removes or changes at most: a write waits for no more than that.
pub(crate) const AT_ONCE: usize = 500;
/// The part of the journal's room that entries about leavers have to themselves: however much else is written, who lost
/// access when and why stays longest.
const RESERVE: i64 = 4;

/// What the journal keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Entries from this time on.
    pub from: Timestamp,
    /// Bytes of all entries together, the oldest going first; a quarter is for leavers alone.
    pub bytes: u64,
}

/// Bytes of journal entries: of all, and of those about leavers. Differences while a transaction is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    all: i64,
    leavers: i64,
}

impl Sizes {
    pub fn add(&mut self, entry: &JournalRecord, bytes: usize) {
        self.change(entry, i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub fn remove(&mut self, entry: &JournalRecord, bytes: usize) {
        self.change(entry, -i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn change(&mut self, entry: &JournalRecord, bytes: i64) {
        self.all = self.all.saturating_add(bytes);
        if entry.is_of_leaver() {
            self.leavers = self.leavers.saturating_add(bytes);
        }
    }

    /// Adds these differences to what is stored.
    pub fn put(self, meta: &mut Table<'_, &'static str, &'static [u8]>) -> Result<(), Fault> {
        if self == Self::default() {
            return Ok(());
        }
        for (name, difference) in [("journal", self.all), ("leavers", self.leavers)] {
            let size = number(meta, name)?.unwrap_or(0).saturating_add(difference);
            meta.insert(name, size.to_le_bytes().as_slice())?;
        }
        Ok(())
    }
}

impl Store {
    /// Removes entries of the journal that are not to be kept, oldest first, at most 500 a call; answers how many it
    /// removed, so that who calls may go on until it is none. The newest entry stays: numbers are given once.
    pub fn prune(&self, keep: &Keep) -> Result<usize, StoreError> {
        self.shared.with(|database| {
            let transaction = database.begin_write()?;
            let removed = {
                let mut meta = transaction.open_table(META)?;
                let mut journal = transaction.open_table(JOURNAL)?;
                let (mut gone, sizes) = outlived(&journal, &meta, keep)?;
                let newest = journal.last()?.map(|(number, _)| number.value());
                gone.retain(|number| Some(*number) != newest);
                for number in &gone {
                    journal.remove(number)?;
                }
                sizes.put(&mut meta)?;
                gone.len()
            };
            transaction.commit()?;
            Ok(removed)
        })
    }
}

/// The numbers of the entries that are not to be kept, and what their removal changes.
fn outlived(
    journal: &impl ReadableTable<u64, &'static [u8]>,
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    keep: &Keep,
) -> Result<(Vec<u64>, Sizes), Fault> {
    let limit = i64::try_from(keep.bytes).unwrap_or(i64::MAX);
    let known = Sizes { all: number(meta, "journal")?.unwrap_or(0), leavers: number(meta, "leavers")?.unwrap_or(0) };
    let (mut gone, mut change) = (Vec::new(), Sizes::default());
    for row in journal.iter()? {
        let (number, value) = row?;
        let entry: JournalRecord = serde_json::from_slice(value.value())?;
        let old = entry.at < keep.from;
        let full = known.all.saturating_add(change.all) > limit;
        let reserved = known.leavers.saturating_add(change.leavers) <= limit / RESERVE;
        if gone.len() >= AT_ONCE || !(old || full) {
            break;
        }
        if old || !(entry.is_of_leaver() && reserved) {
            change.remove(&entry, value.value().len());
            gone.push(number.value());
        }
    }
    Ok((gone, change))
}
