//! How long the journal remembers.

use jiff::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable, Table};

use crate::attempts::Attempts;
use crate::tables::{ATTEMPTS, Fault, JOURNAL, META, number};
use crate::writer::fence;
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
    /// Removes the entries of the journal that are not to be kept, oldest first; answers how many. What goes is looked for
    /// beside the writes and removed in small transactions, between which they have their turn. The newest entry stays:
    /// numbers are given once.
    pub fn prune(&self, keep: &Keep) -> Result<usize, StoreError> {
        let (mut removed, mut from) = (0, Some(0));
        while let Some(number) = from {
            let (some, next) = self.prune_from(keep, number)?;
            (removed, from) = (removed + some, next);
            std::thread::yield_now();
        }
        if removed > 0 {
            self.forget_attempts()?;
        }
        Ok(removed)
    }

    /// Removes the first of them from this number on; answers how many, and from where to go on.
    pub(crate) fn prune_from(&self, keep: &Keep, from: u64) -> Result<(usize, Option<u64>), StoreError> {
        let (gone, next) = self.shared.with(|database| outlived(database, keep, from))?;
        if gone.is_empty() {
            return Ok((0, next));
        }
        let removed = self.shared.with(|database| {
            let transaction = database.begin_write()?;
            let mut removed = 0;
            {
                let mut meta = transaction.open_table(META)?;
                fence(&meta, &self.shared)?;
                let mut journal = transaction.open_table(JOURNAL)?;
                let newest = journal.last()?.map(|(number, _)| number.value());
                let mut sizes = Sizes::default();
                for number in gone.iter().filter(|number| Some(**number) != newest) {
                    if let Some(value) = journal.remove(number)? {
                        sizes.remove(&serde_json::from_slice(value.value())?, value.value().len());
                        removed += 1;
                    }
                }
                sizes.put(&mut meta)?;
            }
            transaction.commit()?;
            Ok(removed)
        })?;
        Ok((removed, next))
    }

    /// Attempts of which the journal tells no more are not counted any further.
    fn forget_attempts(&self) -> Result<(), StoreError> {
        let stale = self.shared.with(|database| {
            let transaction = database.begin_read()?;
            let journal = transaction.open_table(JOURNAL)?;
            let mut stale = Vec::new();
            for row in transaction.open_table(ATTEMPTS)?.iter()? {
                let (key, value) = row?;
                if is_stale(value.value(), &journal)? {
                    let (namespace, application, step, way) = key.value();
                    stale.push((namespace.to_owned(), application.to_owned(), step, way));
                }
            }
            Ok(stale)
        })?;
        for some in stale.chunks(AT_ONCE) {
            self.shared.with(|database| {
                let transaction = database.begin_write()?;
                {
                    fence(&transaction.open_table(META)?, &self.shared)?;
                    let journal = transaction.open_table(JOURNAL)?;
                    let mut attempts = transaction.open_table(ATTEMPTS)?;
                    for (namespace, application, step, way) in some {
                        let key = (namespace.as_str(), application.as_str(), *step, *way);
                        let stale = attempts.get(key)?.map(|value| is_stale(value.value(), &journal)).transpose()?;
                        if stale == Some(true) {
                            attempts.remove(key)?;
                        }
                    }
                }
                Ok(transaction.commit()?)
            })?;
        }
        Ok(())
    }
}

fn is_stale(attempts: &[u8], journal: &impl ReadableTable<u64, &'static [u8]>) -> Result<bool, Fault> {
    let attempts: Attempts = serde_json::from_slice(attempts)?;
    Ok(attempts.entries.last().map(|outcome| journal.get(outcome)).transpose()?.flatten().is_none())
}

/// The numbers of the first entries that are not to be kept, from one on, and where to go on: what is passed over on the way is
/// kept whatever else goes.
fn outlived(database: &Database, keep: &Keep, from: u64) -> Result<(Vec<u64>, Option<u64>), Fault> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let limit = i64::try_from(keep.bytes).unwrap_or(i64::MAX);
    let known = Sizes { all: number(&meta, "journal")?.unwrap_or(0), leavers: number(&meta, "leavers")?.unwrap_or(0) };
    let (mut gone, mut change) = (Vec::new(), Sizes::default());
    for row in transaction.open_table(JOURNAL)?.range(from..)? {
        let (number, value) = row?;
        let entry: JournalRecord = serde_json::from_slice(value.value())?;
        let old = entry.at < keep.from;
        let full = known.all.saturating_add(change.all) > limit;
        let reserved = known.leavers.saturating_add(change.leavers) <= limit / RESERVE;
        if !(old || full) {
            return Ok((gone, None));
        }
        if gone.len() >= AT_ONCE {
            return Ok((gone, Some(number.value())));
        }
        if old || !(entry.is_of_leaver() && reserved) {
            change.remove(&entry, value.value().len());
            gone.push(number.value());
        }
    }
    Ok((gone, None))
}
