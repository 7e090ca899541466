//! A store as lines of JSON, and back: to move it, to read it with other tools, to keep a copy that any version can read.
//! The key of the digests stays behind, so digests of an imported journal cannot be compared with new ones.

use std::sync::Arc;

use provost_core::model::{GroupRecord, Name, Record, Standing};
use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::database::explain_fault;
use crate::retention::Sizes;
use crate::tables::{
    ATTEMPTS, EPOCHS, FORMAT, Fault, GROUPS, INTENTS, JOURNAL, META, NEXT, OpenIntent, RECORDS, STANDING,
};
use crate::{JournalRecord, Store, StoreError};

/// Formats of exports that can be imported: what the former one does not say is not known.
const READABLE: [&str; 2] = ["2", FORMAT];

/// One line of an export. The first says which store it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Line {
    /// Which store, and how far it had come.
    #[serde(rename_all = "camelCase")]
    Store {
        format: String,
        #[serde(rename = "storeID")]
        store_id: Arc<str>,
        epoch: i64,
    },
    /// An application that has a ledger, the next free id in it, and how far it had come.
    Application { namespace: Arc<str>, application: Name, next: u64, epoch: i64 },
    /// An account that is or was ours.
    Record { namespace: Arc<str>, application: Name, value: Box<Record> },
    /// A write whose outcome is not known.
    Intent { namespace: Arc<str>, application: Name, value: Box<OpenIntent> },
    /// A group that we created or bound.
    Group { namespace: Arc<str>, application: Name, value: Box<GroupRecord> },
    /// Budgets, held plans, tokens.
    Standing { namespace: Arc<str>, application: Name, value: Box<Standing> },
    /// An entry of the journal.
    Journal { number: u64, value: Box<JournalRecord> },
}

/// Lines of an export, each without its line break.
pub struct Export(std::vec::IntoIter<Line>, Option<crate::Journal>, Arc<str>, u64);

/// What an import or a rebuild wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Applications.
    pub applications: usize,
    /// Accounts.
    pub records: usize,
    /// Entries of the journal.
    pub entries: usize,
}

impl Iterator for Export {
    type Item = Result<String, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.0.next() {
            Some(line) => line,
            None => match self.1.as_mut()?.next()? {
                Ok(entry) => {
                    self.3 += 1;
                    Line::Journal { number: self.3 - 1, value: Box::new(entry) }
                }
                Err(error) => return Some(Err(error)),
            },
        };
        let detail = |error: serde_json::Error| StoreError::Encoding {
            path: Arc::clone(&self.2),
            detail: error.to_string().into(),
        };
        Some(serde_json::to_string(&line).map_err(detail))
    }
}

impl Store {
    /// Everything in it as lines of JSON, as it is now: the store's id first, then ledgers, then the journal unless it is to
    /// be left out.
    pub fn export(&self, journal: bool) -> Result<Export, StoreError> {
        let mut lines =
            vec![Line::Store { format: FORMAT.to_owned(), store_id: Arc::clone(self.id()), epoch: self.epoch() }];
        lines.extend(self.shared.with(ledgers)?);
        let journal = if journal { Some(self.journal(crate::JournalQuery::default())?) } else { None };
        Ok(Export(lines.into_iter(), journal, Arc::clone(&self.shared.path), 0))
    }

    /// Takes the lines of an export in one transaction: all of it or nothing. The store becomes the one that was exported (its
    /// id, and how far it had come), so that operators recognise it. `Store` must be opened anew afterwards.
    ///
    /// Errors: `NotEmpty` where there is a ledger and `replace` is false; `Import` with the line.
    pub fn import(
        &self,
        lines: impl Iterator<Item = std::io::Result<String>>,
        replace: bool,
    ) -> Result<Counted, StoreError> {
        let mut read = Vec::new();
        for (at, line) in lines.enumerate() {
            let wrong = |detail: String| StoreError::Import { line: at + 1, detail: detail.into() };
            let line = line.map_err(|error| wrong(error.to_string()))?;
            if line.trim().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
            match (&line, read.is_empty()) {
                (Line::Store { format, .. }, true) if !READABLE.contains(&format.as_str()) => {
                    return Err(wrong(format!("written in format {format}, this version reads format {FORMAT}")));
                }
                (Line::Store { .. }, true) => {}
                (Line::Store { .. }, false) | (_, true) => {
                    return Err(wrong("the first line, and no other, says which store it is".to_owned()));
                }
                _ => {}
            }
            read.push(line);
        }
        if read.is_empty() {
            return Err(StoreError::Import { line: 1, detail: "there is nothing".into() });
        }
        self.write_anew(&read, replace)
    }

    /// Writes these lines in the place of all that is there.
    pub(crate) fn write_anew(&self, lines: &[Line], replace: bool) -> Result<Counted, StoreError> {
        let applications = self.applications()?.len();
        if applications > 0 && !replace {
            return Err(StoreError::NotEmpty { path: Arc::clone(&self.shared.path), applications });
        }
        self.shared.with(|database| {
            let transaction = database.begin_write()?;
            let counted = write(&transaction, lines)?;
            transaction.commit()?;
            Ok(counted)
        })
    }

    /// What a failed read means.
    pub(crate) fn explained(&self, fault: Fault) -> StoreError {
        explain_fault(&self.shared.path, fault)
    }
}

/// Every ledger, application by application.
fn ledgers(database: &Database) -> Result<Vec<Line>, Fault> {
    let transaction = database.begin_read()?;
    let mut lines = Vec::new();
    let epochs = transaction.open_table(EPOCHS)?;
    for row in transaction.open_table(NEXT)?.iter()? {
        let (key, next) = row?;
        let (namespace, application) = key.value();
        lines.push(Line::Application {
            namespace: namespace.into(),
            application: application.into(),
            next: next.value(),
            epoch: epochs.get(key.value())?.map_or(0, |epoch| epoch.value()),
        });
    }
    for row in transaction.open_table(STANDING)?.iter()? {
        let (key, value) = row?;
        let (namespace, application) = key.value();
        let value = serde_json::from_slice(value.value())?;
        lines.push(Line::Standing { namespace: namespace.into(), application: application.into(), value });
    }
    for row in transaction.open_table(GROUPS)?.iter()? {
        let (key, value) = row?;
        let (namespace, application, _) = key.value();
        let value = serde_json::from_slice(value.value())?;
        lines.push(Line::Group { namespace: namespace.into(), application: application.into(), value });
    }
    for row in transaction.open_table(RECORDS)?.iter()? {
        let (key, value) = row?;
        let (namespace, application, _) = key.value();
        let value = serde_json::from_slice(value.value())?;
        lines.push(Line::Record { namespace: namespace.into(), application: application.into(), value });
    }
    for row in transaction.open_table(INTENTS)?.iter()? {
        let (key, value) = row?;
        let (namespace, application, _) = key.value();
        let value = serde_json::from_slice(value.value())?;
        lines.push(Line::Intent { namespace: namespace.into(), application: application.into(), value });
    }
    Ok(lines)
}

/// Takes the ledgers out, and the journal where another one comes in its place: what was done stays known.
fn clear(transaction: &WriteTransaction, journal: bool) -> Result<(), Fault> {
    transaction.delete_table(RECORDS)?;
    transaction.delete_table(INTENTS)?;
    transaction.delete_table(GROUPS)?;
    transaction.delete_table(STANDING)?;
    transaction.delete_table(NEXT)?;
    transaction.delete_table(EPOCHS)?;
    transaction.delete_table(ATTEMPTS)?;
    if journal {
        transaction.delete_table(JOURNAL)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert("journal", 0_i64.to_le_bytes().as_slice())?;
        meta.insert("leavers", 0_i64.to_le_bytes().as_slice())?;
    }
    Ok(())
}

fn write(transaction: &WriteTransaction, lines: &[Line]) -> Result<Counted, Fault> {
    clear(transaction, lines.iter().any(|line| matches!(line, Line::Journal { .. })))?;
    let mut meta = transaction.open_table(META)?;
    let mut records = transaction.open_table(RECORDS)?;
    let mut intents = transaction.open_table(INTENTS)?;
    let mut groups = transaction.open_table(GROUPS)?;
    let mut standings = transaction.open_table(STANDING)?;
    let mut nexts = transaction.open_table(NEXT)?;
    let mut epochs = transaction.open_table(EPOCHS)?;
    let mut entries = transaction.open_table(JOURNAL)?;
    transaction.open_table(ATTEMPTS)?;
    let (mut counted, mut sizes) = (Counted::default(), Sizes::default());
    for line in lines {
        match line {
            Line::Store { store_id, epoch, .. } => {
                meta.insert("id", store_id.as_bytes())?;
                meta.insert("epoch", epoch.to_le_bytes().as_slice())?;
            }
            Line::Application { namespace, application, next, epoch } => {
                counted.applications += 1;
                epochs.insert((&**namespace, application.as_str()), epoch)?;
                nexts.insert((&**namespace, application.as_str()), next)?;
            }
            Line::Record { namespace, application, value } => {
                counted.records += 1;
                let bytes = serde_json::to_vec(value)?;
                records.insert((&**namespace, application.as_str(), value.id.0), bytes.as_slice())?;
            }
            Line::Intent { namespace, application, value } => {
                let bytes = serde_json::to_vec(value)?;
                intents.insert((&**namespace, application.as_str(), value.intent.id.0), bytes.as_slice())?;
            }
            Line::Group { namespace, application, value } => {
                let bytes = serde_json::to_vec(value)?;
                groups.insert((&**namespace, application.as_str(), value.target_id.as_str()), bytes.as_slice())?;
            }
            Line::Standing { namespace, application, value } => {
                let bytes = serde_json::to_vec(value)?;
                standings.insert((&**namespace, application.as_str()), bytes.as_slice())?;
            }
            Line::Journal { number, value } => {
                counted.entries += 1;
                let bytes = serde_json::to_vec(value)?;
                sizes.add(value, bytes.len());
                entries.insert(number, bytes.as_slice())?;
            }
        }
    }
    sizes.put(&mut meta)?;
    Ok(counted)
}
