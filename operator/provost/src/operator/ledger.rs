//! The store, kept open: what cannot be opened now is tried again, and until then every answer says why not.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_core::engine::StoreFailure;
use provost_core::model::{Ledger, LedgerChange, Name};
use provost_kubernetes::health::Readiness;
use provost_store::{Fresh, JournalRecord, Store, StoreError};
use secrecy::SecretBox;
use tokio::sync::oneshot;
use tracing::{error, info};

/// How long until a store that cannot be opened is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// How long a journal entry is kept: 400 days, so that a yearly review finds the whole year.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
const HOUR: Duration = Duration::from_hours(1);

/// Keeps the store open. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    state: Arc<RwLock<Result<Arc<Store>, Arc<str>>>>,
}

impl Keeper {
    /// Opens the store in a folder, and goes on trying until it is open.
    pub fn start(folder: &Path, readiness: Readiness) -> Self {
        let state = Arc::new(RwLock::new(Err(Arc::from("it is being opened"))));
        let keeper = Self { state: Arc::clone(&state) };
        let path = folder.join("provost.redb");
        readiness.waits("store", "to be opened");
        tokio::spawn(async move {
            loop {
                let opened = tokio::task::spawn_blocking({
                    let path = path.clone();
                    move || open(&path)
                });
                let said: Arc<str> = match opened.await {
                    Ok(Ok(store)) => {
                        info!(store = &**store.id(), epoch = store.epoch(), "the store is open");
                        let store = Arc::new(store);
                        set(&state, Ok(Arc::clone(&store)));
                        readiness.ready("store");
                        return forget_the_old(store).await;
                    }
                    Ok(Err(error)) => error.to_string().into(),
                    Err(error) => error.to_string().into(),
                };
                error!(reason = &*said, "the store cannot be opened; nothing is written to targets until it is");
                readiness.waits("store", &*said);
                set(&state, Err(said));
                tokio::time::sleep(AGAIN).await;
            }
        });
        keeper
    }

    fn store(&self) -> Result<Arc<Store>, StoreFailure> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone().map_err(StoreFailure)
    }

    /// The ledger of one application.
    pub async fn load(&self, namespace: &str, application: &Name) -> Result<Ledger, StoreFailure> {
        let store = self.store()?;
        let (namespace, application) = (namespace.to_owned(), application.clone());
        let loaded = tokio::task::spawn_blocking(move || store.load(&namespace, &application)).await;
        match loaded {
            Ok(loaded) => loaded.map_err(|e| failure(&e)),
            Err(error) => Err(StoreFailure(error.to_string().into())),
        }
    }

    /// Hands changes to the store, in the order of the calls; the future says when they are on disk. Writes that are
    /// over are printed, one line of JSON each on standard output: names, never values.
    pub fn record(
        &self,
        namespace: &str,
        application: &Name,
        changes: Vec<LedgerChange>,
    ) -> impl Future<Output = Result<(), StoreFailure>> + Send + 'static {
        let (done, answer) = oneshot::channel::<Result<Vec<JournalRecord>, StoreError>>();
        let given = self.store().map(|store| {
            store.record(namespace, application, Timestamp::now(), changes, move |result| {
                let _ = done.send(result);
            });
        });
        async move {
            given?;
            match answer.await {
                Ok(Ok(written)) => {
                    print(&written);
                    Ok(())
                }
                Ok(Err(error)) => Err(failure(&error)),
                Err(_) => Err(StoreFailure("it was closed".into())),
            }
        }
    }
}

/// Drops journal entries that are older than they are kept, now and every hour.
async fn forget_the_old(store: Arc<Store>) {
    loop {
        let keeper = Arc::clone(&store);
        let pruned = tokio::task::spawn_blocking(move || keeper.prune(Timestamp::now() - KEPT)).await;
        let more = match pruned {
            Ok(Ok(0)) => false,
            Ok(Ok(count)) => {
                info!(count, "old journal entries were dropped");
                true
            }
            Ok(Err(error)) => {
                error!(%error, "old journal entries could not be dropped; it is tried again in an hour");
                false
            }
            Err(_) => return,
        };
        if !more {
            tokio::time::sleep(HOUR).await;
        }
    }
}

fn set(state: &RwLock<Result<Arc<Store>, Arc<str>>>, value: Result<Arc<Store>, Arc<str>>) {
    *state.write().unwrap_or_else(PoisonError::into_inner) = value;
}

fn failure(error: &StoreError) -> StoreFailure {
    StoreFailure(error.to_string().into())
}

fn open(path: &Path) -> Result<Store, StoreError> {
    if let Some(folder) = path.parent() {
        // What goes wrong here shows when the file is opened, with a better text.
        let _ = std::fs::create_dir_all(folder);
    }
    Store::open(path, fresh)
}

/// A new store's id and key, from the system's random numbers.
fn fresh() -> Fresh {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let mut id = [0; 16];
    let mut key = [0; 32];
    // Filling fails only where the system has no random numbers, and then TLS has failed before.
    let _ = aws_lc_rs::rand::SecureRandom::fill(&random, &mut id);
    let _ = aws_lc_rs::rand::SecureRandom::fill(&random, &mut key);
    let id = format!("{:032x}", u128::from_be_bytes(id));
    Fresh { id: id.into(), key: SecretBox::new(Box::new(key)) }
}

/// A reader that has gone, or a full disk behind it, is no reason to stop: the journal is in the store.
fn print(written: &[JournalRecord]) {
    let mut out = std::io::stdout().lock();
    for record in written {
        let _ = writeln!(out, "{}", record.line());
    }
}
