use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{PoisonError, RwLock};
use std::thread::JoinHandle;

use jiff::Timestamp;
use provost_core::model::{Ledger, LedgerChange, Name, StoreStamp};
use redb::{Database, ReadableDatabase, ReadableTable};
use secrecy::SecretBox;

use crate::database::{self, Identification, Opener, explain, explain_fault, identify};
use crate::digest::Key;
use crate::tables::{EPOCHS, Fault, GROUPS, INTENTS, JOURNAL, META, NEXT, OpenIntent, RECORDS, STANDING};
use crate::writer::{self, Job, Waiter};
use crate::{Disk, Journal, JournalQuery, JournalRecord, StoreError};

/// What a new store is given, since it has no randomness of its own.
#[derive(Debug)]
pub struct Fresh {
    /// Its id: unique among all stores that ever were, at most 64 characters.
    pub id: Arc<str>,
    /// The key of its digests: 32 random bytes.
    pub key: SecretBox<[u8; 32]>,
}

/// The ledgers and the journal.
///
/// Guarantees: a `record` that was answered with `Ok` is on disk, whole; every `record` is answered. Calls of many threads
/// share commits. `load` and `journal` read a consistent state and block no writer. After a fault of the disk the file is
/// opened anew with the next call.
#[derive(Debug)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    /// `None` only while it is dropped.
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer and the readers share.
pub(crate) struct Shared {
    pub path: Arc<str>,
    opener: Opener,
    /// `None` after a fault, until it is opened anew.
    database: RwLock<Option<Database>>,
    id: Arc<str>,
    pub key: Key,
    epoch: AtomicI64,
    /// The epoch of the Lease under which it was claimed; 0: it was not.
    lease: AtomicI64,
}

impl Store {
    /// Opens the store at a path; if there is no file, or an empty one, a store is made with what `fresh` gives.
    ///
    /// Errors: `Locked`, `OtherVersion`, `Corrupt` (the file is left as it is), `Unavailable`.
    pub fn open(path: &Path, fresh: impl FnOnce() -> Fresh) -> Result<Self, StoreError> {
        Self::start(path.display().to_string().into(), database::file(path), Some(fresh))
    }

    /// Opens the store at a path if there is one, to read or mend what an operator that was stopped has left.
    ///
    /// Errors: `Missing`, and those of `open`.
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::there(path, database::existing(path))
    }

    /// Opens the store at a path to be read: the file is not written to, whatever is done with the store, and may be of an older
    /// format or one that a kill left; several may read it at once, and no operator meanwhile.
    ///
    /// Errors: those of `open_existing`.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        Self::there(path, database::unwritten(path))
    }

    fn there(path: &Path, opener: Opener) -> Result<Self, StoreError> {
        let name: Arc<str> = path.display().to_string().into();
        match path.metadata() {
            Ok(file) if file.is_file() && file.len() > 0 => Self::start(name, opener, None::<fn() -> Fresh>),
            Ok(_) => Err(StoreError::Missing(name)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(StoreError::Missing(name)),
            Err(error) => Err(StoreError::Unavailable { path: name, detail: error.to_string().into() }),
        }
    }

    /// A store that is forgotten with the process: for plans from files, demos and tests.
    pub fn in_memory(fresh: impl FnOnce() -> Fresh) -> Result<Self, StoreError> {
        Self::start("memory".into(), database::backend(redb::backends::InMemoryBackend::new), Some(fresh))
    }

    /// A store on a disk in memory, which outlives it.
    pub fn on(disk: &Disk, fresh: impl FnOnce() -> Fresh) -> Result<Self, StoreError> {
        let disk = disk.clone();
        Self::start("memory".into(), database::backend(move || disk.clone()), Some(fresh))
    }

    pub(crate) fn start(
        path: Arc<str>,
        opener: Opener,
        fresh: Option<impl FnOnce() -> Fresh>,
    ) -> Result<Self, StoreError> {
        let database = opener().map_err(|error| explain(&path, error))?;
        let Identification { id, key, epoch } = identify(&database, &path, fresh)?;
        let database = RwLock::new(Some(database));
        let (epoch, lease) = (AtomicI64::new(epoch), AtomicI64::new(0));
        let shared = Arc::new(Shared { path, opener, database, id, key, epoch, lease });
        let (jobs, queue) = mpsc::channel();
        let writer = std::thread::Builder::new().name("store".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || writer::run(&shared, &queue)
        });
        let writer = writer.map_err(|error| StoreError::Unavailable {
            path: Arc::clone(&shared.path),
            detail: format!("no thread for the writer: {error}").into(),
        })?;
        Ok(Self { shared, jobs: Some(jobs), writer: Some(writer) })
    }

    /// The id of this store, for `status.target.storeID`.
    pub fn id(&self) -> &Arc<str> {
        &self.shared.id
    }

    /// How far this store has come: the minute (since 1970) of its latest record. It never runs backwards. Each ledger has
    /// one of its own (`Ledger::store`), for `status.target.epoch`: a copy that was restored is behind what the status says.
    pub fn epoch(&self) -> i64 {
        self.shared.epoch.load(Ordering::Acquire)
    }

    /// Claims the store for who leads with this epoch of the Lease (more than 0). From then on each transaction is conditional
    /// on it: an opener that claimed before is refused with `Fenced`. An epoch lower than the last one is taken too, since
    /// a Lease that was deleted begins anew; the file's lock keeps two from holding it at once.
    pub fn claim(&self, lease: u64) -> Result<(), StoreError> {
        let lease = i64::try_from(lease).unwrap_or(i64::MAX);
        self.shared.with(|database| {
            let transaction = database.begin_write()?;
            transaction.open_table(META)?.insert("lease", lease.to_le_bytes().as_slice())?;
            Ok(transaction.commit()?)
        })?;
        self.shared.remember_lease(lease);
        Ok(())
    }

    /// The ledger of one application, empty where it has none. Records by id, intents by id, groups by target id.
    pub fn load(&self, namespace: &str, application: &Name) -> Result<Ledger, StoreError> {
        let id = &self.shared.id;
        self.shared.with(|database| load(database, id, namespace, application.as_str()))
    }

    /// Namespaces and applications that have a ledger, sorted.
    pub fn applications(&self) -> Result<Vec<(Arc<str>, Name)>, StoreError> {
        self.shared.with(|database| {
            let next = database.begin_read()?.open_table(NEXT)?;
            let mut applications = Vec::new();
            for row in next.iter()? {
                let (key, _) = row?;
                let (namespace, application) = key.value();
                applications.push((namespace.into(), application.into()));
            }
            Ok(applications)
        })
    }

    /// Writes changes of one ledger, and the journal entries that belong to them, in one transaction. `at`: wall time.
    ///
    /// `done` is called once, on the store's own thread (it should do no more than pass the answer on): with the entries of
    /// the intents that were closed, once all of it is on disk; or with an error, and then it is not certain: all of it or
    /// nothing, and to record the same changes again is harmless. It is called also if the store is dropped before.
    pub fn record(
        &self,
        namespace: &str,
        application: &Name,
        at: Timestamp,
        changes: Vec<LedgerChange>,
        done: impl FnOnce(Result<Vec<JournalRecord>, StoreError>) + Send + 'static,
    ) {
        let waiter = Waiter::new(Box::new(done));
        let job = Job { namespace: namespace.into(), application: application.clone(), at, changes, waiter };
        if let Some(jobs) = &self.jobs {
            // A job that cannot be sent is dropped, and its waiter is answered by that.
            _ = jobs.send(job);
        }
    }

    /// The same on the caller's own thread, in a commit of its own: for simulations, where everything has its turn.
    pub fn record_here(
        &self,
        namespace: &str,
        application: &Name,
        at: Timestamp,
        changes: Vec<LedgerChange>,
    ) -> Result<Vec<JournalRecord>, StoreError> {
        let waiter = Waiter::nobody();
        let job = Job { namespace: namespace.into(), application: application.clone(), at, changes, waiter };
        writer::write(&self.shared, &[job]).map(|answers| answers.into_iter().flatten().collect())
    }

    /// Entries of the journal, oldest first.
    pub fn journal(&self, query: JournalQuery) -> Result<Journal, StoreError> {
        let range = self.shared.with(|database| Ok(database.begin_read()?.open_table(JOURNAL)?.range::<u64>(..)?))?;
        Ok(Journal { range, query, path: Arc::clone(&self.shared.path) })
    }
}

impl Drop for Store {
    /// Waits until everything that was given to `record` is answered, and lets go of the file.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            _ = writer.join();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Shared {
    /// Does something with the database, opened anew where a fault made that necessary.
    pub fn with<T>(&self, act: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.reopen()?;
        let result = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let Some(database) = database.as_ref() else { return Err(StoreError::Closed) };
            act(database)
        };
        if let Err(Fault::Disk(_)) = &result {
            // redb refuses everything after an error of the disk, until it is opened anew.
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result.map_err(|fault| explain_fault(&self.path, fault))
    }

    fn reopen(&self) -> Result<(), StoreError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut place = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            let database = (self.opener)().map_err(|error| explain(&self.path, error))?;
            let found = identify(&database, &self.path, None::<fn() -> Fresh>)?;
            if found.id != self.id {
                let (path, expected) = (Arc::clone(&self.path), Arc::clone(&self.id));
                return Err(StoreError::Replaced { path, found: found.id, expected });
            }
            *place = Some(database);
        }
        Ok(())
    }

    /// The epoch of the Lease under which it was claimed.
    pub fn lease(&self) -> Option<i64> {
        Some(self.lease.load(Ordering::Acquire)).filter(|lease| *lease > 0)
    }

    pub fn remember_lease(&self, lease: i64) {
        self.lease.store(lease, Ordering::Release);
    }

    pub fn raise_epoch(&self, epoch: i64) {
        self.epoch.fetch_max(epoch, Ordering::AcqRel);
    }
}

fn load(database: &Database, id: &Arc<str>, namespace: &str, application: &str) -> Result<Ledger, Fault> {
    let transaction = database.begin_read()?;
    let mut ledger = Ledger::default();
    let all = (namespace, application, 0)..=(namespace, application, u64::MAX);
    for row in transaction.open_table(RECORDS)?.range(all.clone())? {
        ledger.records.push(serde_json::from_slice(row?.1.value())?);
    }
    for row in transaction.open_table(INTENTS)?.range(all)? {
        let open: OpenIntent = serde_json::from_slice(row?.1.value())?;
        ledger.intents.push(Arc::unwrap_or_clone(open.intent));
    }
    for row in transaction.open_table(GROUPS)?.range((namespace, application, "")..)? {
        let (key, value) = row?;
        let (its_namespace, its_application, _) = key.value();
        if (its_namespace, its_application) != (namespace, application) {
            break;
        }
        ledger.groups.push(serde_json::from_slice(value.value())?);
    }
    if let Some(value) = transaction.open_table(STANDING)?.get((namespace, application))? {
        ledger.standing = serde_json::from_slice(value.value())?;
    }
    if let Some(value) = transaction.open_table(NEXT)?.get((namespace, application))? {
        ledger.next_id = value.value();
    }
    let epoch = transaction.open_table(EPOCHS)?.get((namespace, application))?.map_or(0, |epoch| epoch.value());
    ledger.store = Some(StoreStamp { id: Arc::clone(id), epoch });
    Ok(ledger)
}
