//! Ledgers and journal against a model, on files, and on a disk that loses power or refuses.

mod attempts;
mod erasure;
mod faults;
mod fence;
mod journal;
mod model;
mod open;
mod reading;
mod retention;
mod transfer;

use std::path::Path;
use std::sync::mpsc;

use jiff::Timestamp;
use provost_core::model::{LedgerChange, Name};
use secrecy::SecretBox;

use crate::{Fresh, JournalRecord, Store, StoreError};

fn fresh() -> Fresh {
    Fresh { id: "a-store".into(), key: SecretBox::new(Box::new([7; 32])) }
}

fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path, fresh)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Records and waits for the answer.
fn record(
    store: &Store,
    application: &str,
    second: i64,
    changes: Vec<LedgerChange>,
) -> Result<Vec<JournalRecord>, StoreError> {
    let (answer, answered) = mpsc::channel();
    store.record("acme", &Name::from(application), at(second), changes, move |result| answer.send(result).unwrap());
    answered.recv().unwrap()
}
