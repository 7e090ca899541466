//! Older formats become the present one when the store is opened: in one transaction, so that a migration that is cut short
//! has not happened. An older program refuses the newer format, and leaves it alone.

use redb::{Database, ReadableTable};

use crate::JournalRecord;
use crate::retention::Sizes;
use crate::tables::{ATTEMPTS, EPOCHS, FORMAT, Fault, JOURNAL, META, number};

/// Makes what was written in an older format what this version writes; false: it knows nothing of that format.
pub(crate) fn to_present(database: &Database, from: &[u8]) -> Result<bool, Fault> {
    match from {
        b"1" => from_1(database).map(|()| true),
        b"2" => from_2(database).map(|()| true),
        _ => Ok(false),
    }
}

/// Format 2 told attributes with digests of another kind, not what was there before, and each attempt. Its entries stay as they are: what
/// they do not say is not known.
fn from_2(database: &Database) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert("format", FORMAT.as_bytes())?;
    transaction.open_table(ATTEMPTS)?;
    Ok(transaction.commit()?)
}

/// Format 1 counted its epoch in hours, for the store alone, and did not know how large its journal was.
fn from_1(database: &Database) -> Result<(), Fault> {
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
        transaction.open_table(ATTEMPTS)?;
        meta.insert("format", FORMAT.as_bytes())?;
    }
    Ok(transaction.commit()?)
}
