//! The one thread that writes: what waits when it is free goes into one commit.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use jiff::Timestamp;
use provost_core::model::{LedgerChange, Name};
use redb::{Database, ReadableTable};

use crate::apply::{Place, Tables};
use crate::digest::Key;
use crate::store::Shared;
use crate::tables::{Fault, META};
use crate::{JournalRecord, StoreError};

/// Jobs in one commit at most: enough to keep the disk out of the way, few enough to keep each one's wait short.
const BATCH: usize = 256;
const HOUR: i64 = 3600;

type Answer = Result<Vec<JournalRecord>, StoreError>;

/// What one `record` asks for.
pub(crate) struct Job {
    pub namespace: Arc<str>,
    pub application: Name,
    pub at: Timestamp,
    pub changes: Vec<LedgerChange>,
    pub waiter: Waiter,
}

/// Who waits for a job. Answered exactly once, also when the job is dropped, whatever happened to the writer.
pub(crate) struct Waiter(Option<Box<dyn FnOnce(Answer) + Send>>);

impl Waiter {
    pub fn new(done: Box<dyn FnOnce(Answer) + Send>) -> Self {
        Self(Some(done))
    }

    fn answer(mut self, answer: Answer) {
        if let Some(done) = self.0.take() {
            done(answer);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(StoreError::Closed));
        }
    }
}

/// Writes until nobody can send any more and nothing is left.
pub(crate) fn run(shared: &Shared, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        match shared.with(|database| commit(database, &batch, &shared.key)) {
            Ok((answers, epoch)) => {
                shared.raise_epoch(epoch);
                for (job, answer) in batch.into_iter().zip(answers) {
                    job.waiter.answer(Ok(answer));
                }
            }
            // One job that cannot be encoded must not take the others with it.
            Err(StoreError::Encoding { .. }) if batch.len() > 1 => {
                for job in batch {
                    let alone = std::slice::from_ref(&job);
                    let answer = shared.with(|database| commit(database, alone, &shared.key));
                    job.waiter.answer(answer.map(|(answers, epoch)| {
                        shared.raise_epoch(epoch);
                        answers.into_iter().flatten().collect()
                    }));
                }
            }
            Err(error) => batch.into_iter().for_each(|job| job.waiter.answer(Err(error.clone()))),
        }
    }
}

/// All of the jobs or none; durable when it returns. Answers with what each closed, and the store's epoch.
fn commit(database: &Database, jobs: &[Job], key: &Key) -> Result<(Vec<Vec<JournalRecord>>, i64), Fault> {
    let transaction = database.begin_write()?;
    let mut answers = Vec::with_capacity(jobs.len());
    let mut epoch = jobs.iter().map(|job| job.at.as_second() / HOUR).max().unwrap_or(0);
    {
        let mut tables = Tables::open(&transaction)?;
        for job in jobs {
            let place = Place { namespace: &job.namespace, application: &job.application, at: job.at };
            answers.push(tables.apply(place, &job.changes, key)?);
        }
        let mut meta = transaction.open_table(META)?;
        let known = meta.get("epoch")?.and_then(|value| value.value().try_into().ok()).map_or(0, i64::from_le_bytes);
        if epoch > known {
            meta.insert("epoch", epoch.to_le_bytes().as_slice())?;
        }
        epoch = epoch.max(known);
    }
    transaction.commit()?;
    Ok((answers, epoch))
}
