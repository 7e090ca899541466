//! The one thread that writes: what waits when it is free goes into one commit.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use jiff::Timestamp;
use provost_core::model::{LedgerChange, Name};
use redb::{Database, ReadableTable};

use crate::apply::{Place, Tables, minute};
use crate::store::Shared;
use crate::tables::{Fault, META, number};
use crate::{JournalRecord, StoreError};

/// Jobs in one commit at most: enough to keep the disk out of the way, few enough to keep each one's wait short.
const BATCH: usize = 256;

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

    pub fn nobody() -> Self {
        Self(None)
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
        match write(shared, &batch) {
            Ok(answers) => {
                for (job, answer) in batch.into_iter().zip(answers) {
                    job.waiter.answer(Ok(answer));
                }
            }
            // One job that cannot be encoded must not take the others with it.
            Err(StoreError::Encoding { .. }) if batch.len() > 1 => {
                for job in batch {
                    let answer = write(shared, std::slice::from_ref(&job));
                    job.waiter.answer(answer.map(|answers| answers.into_iter().flatten().collect()));
                }
            }
            Err(error) => batch.into_iter().for_each(|job| job.waiter.answer(Err(error.clone()))),
        }
    }
}

/// All of the jobs or none; durable when it returns. Answers with what each closed.
pub(crate) fn write(shared: &Shared, jobs: &[Job]) -> Result<Vec<Vec<JournalRecord>>, StoreError> {
    let (answers, epoch) = shared.with(|database| commit(database, jobs, shared))?;
    shared.raise_epoch(epoch);
    Ok(answers)
}

/// All of the jobs or none; durable when it returns. Answers with what each closed, and the store's epoch. Only under the
/// Lease under which the store was claimed last: whoever was replaced meanwhile writes nothing.
fn commit(database: &Database, jobs: &[Job], shared: &Shared) -> Result<(Vec<Vec<JournalRecord>>, i64), Fault> {
    let transaction = database.begin_write()?;
    let mut answers = Vec::with_capacity(jobs.len());
    let mut epoch = jobs.iter().map(|job| minute(job.at)).max().unwrap_or(0);
    {
        let mut meta = transaction.open_table(META)?;
        fence(&meta, shared)?;
        let mut tables = Tables::open(&transaction)?;
        for job in jobs {
            let place = Place { namespace: &job.namespace, application: &job.application, at: job.at };
            answers.push(tables.apply(place, &job.changes, &shared.key)?);
        }
        let known = number(&meta, "epoch")?.unwrap_or(0);
        if epoch > known {
            meta.insert("epoch", epoch.to_le_bytes().as_slice())?;
        }
        epoch = epoch.max(known);
        tables.added.put(&mut meta)?;
    }
    transaction.commit()?;
    Ok((answers, epoch))
}

/// Fails where another process has claimed the store since this one did.
pub(crate) fn fence(meta: &impl ReadableTable<&'static str, &'static [u8]>, shared: &Shared) -> Result<(), Fault> {
    match number(meta, "lease")?.filter(|lease| shared.lease().is_some_and(|ours| ours != *lease)) {
        Some(lease) => Err(Fault::Fenced(lease)),
        None => Ok(()),
    }
}
