//! Older formats become the present one when the store is opened: in one transaction, so that a migration that is cut short
//! has not happened. An older program refuses the newer format, and leaves it alone.

use redb::{Database, ReadableTable};

use crate::JournalRecord;
use crate::retention::Sizes;
use crate::tables::{EPOCHS, FORMAT, Fault, JOURNAL, META, number};

/// Format 1 counted its epoch in hours, for the store alone, and did not know how large its journal was.
pub(crate) fn from_1(database: &Database) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    {
        let mut sizes = Sizes::default();
        for row in transaction.open_table(JOURNAL)?.iter()? {
            let (_, value) = row?;
            let entry: JournalRecord = serde_json::from_slice(value.value())?;
            sizes.add(&entry, value.value().len());
        }
        let mut meta = transaction.open_table(META)?;
        let minutes = number(&meta, "epoch")?.unwrap_or(0).saturating_mul(60);
        meta.insert("epoch", minutes.to_le_bytes().as_slice())?;
        sizes.put(&mut meta)?;
        transaction.open_table(EPOCHS)?;
        meta.insert("format", FORMAT.as_bytes())?;
    }
    Ok(transaction.commit()?)
}
