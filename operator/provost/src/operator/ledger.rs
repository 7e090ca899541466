//! The store, kept open: what cannot be opened now is tried again, and until then every answer says why not.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_core::engine::StoreFailure;
use provost_core::model::{Ledger, LedgerChange, Name};
use provost_kubernetes::health::Readiness;
use provost_store::{Fresh, JournalRecord, Keep, Store, StoreError};
use secrecy::SecretBox;
use tokio::sync::oneshot;
use tracing::{error, info};

use super::leading::Leading;
use super::settings::Settings;
use super::time::Time;

/// How long until a store that cannot be opened is tried again.
const AGAIN: Duration = Duration::from_secs(2);

const HOUR: Duration = Duration::from_hours(1);

/// Keeps the store open. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    state: Arc<RwLock<Result<Arc<Store>, Arc<str>>>>,
    leading: Leading,
    readiness: Readiness,
    time: Arc<Time>,
    /// The last write failed: told in `/readyz` until one succeeds.
    failing: Arc<AtomicBool>,
    path: Arc<Path>,
}

impl Keeper {
    /// Opens the store in a folder, claims it for this process as the one that leads, and goes on trying until it is so.
    pub fn start(settings: &Settings, leading: Leading, readiness: Readiness, time: Arc<Time>) -> Self {
        let state = Arc::new(RwLock::new(Err(Arc::from("it is being opened"))));
        let path = settings.data.join("provost.redb");
        let keeper = Self {
            state: Arc::clone(&state),
            leading: leading.clone(),
            readiness: readiness.clone(),
            time: Arc::clone(&time),
            failing: Arc::default(),
            path: path.as_path().into(),
        };
        let (days, bytes) = (settings.journal_days, settings.journal_mib.saturating_mul(1024 * 1024));
        readiness.waits("store", "to be opened");
        tokio::spawn(async move {
            loop {
                let opened = tokio::task::spawn_blocking({
                    let (path, leading) = (path.clone(), leading.clone());
                    move || open(&path, &leading)
                });
                let said: Arc<str> = match opened.await {
                    Ok(Ok(store)) => {
                        info!(store = &**store.id(), epoch = store.epoch(), "the store is open");
                        time.remember(store.epoch());
                        let store = Arc::new(store);
                        set(&state, Ok(Arc::clone(&store)));
                        readiness.ready("store");
                        return forget_the_old(store, &time, days, bytes).await;
                    }
                    Ok(Err(said)) => said,
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

    /// The store, if it is open.
    pub fn store(&self) -> Result<Arc<Store>, StoreFailure> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone().map_err(StoreFailure)
    }

    /// The time that what is stored carries.
    pub fn now(&self) -> Timestamp {
        self.time.now().wall
    }

    /// The size of ledger and journal on disk; 0: it cannot be told.
    pub fn bytes(&self) -> u64 {
        self.path.metadata().map_or(0, |file| file.len())
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
        let given = self.store().and_then(|store| {
            if !self.leading.is_so() {
                return Err(StoreFailure("this process does not lead any more".into()));
            }
            // By the time that decides: by a clock that is wrong the ledger would look older than the status says, or younger.
            store.record(namespace, application, self.time.now().wall, changes, move |result| {
                let _ = done.send(result);
            });
            Ok(())
        });
        let keeper = self.clone();
        async move {
            given?;
            let answered = match answer.await {
                Ok(Ok(written)) => {
                    print(&written);
                    Ok(())
                }
                Ok(Err(error)) => Err(failure(&error)),
                Err(_) => Err(StoreFailure("it was closed".into())),
            };
            keeper.told(&answered);
            answered
        }
    }

    /// Keeps `/readyz` and the log true to whether the store takes writes.
    fn told(&self, answered: &Result<(), StoreFailure>) {
        match answered {
            Ok(()) if self.failing.swap(false, Ordering::AcqRel) => {
                info!("the store takes writes again");
                self.readiness.ready("store");
            }
            Ok(()) => {}
            Err(StoreFailure(why)) => {
                if !self.failing.swap(true, Ordering::AcqRel) {
                    error!(
                        reason = &**why,
                        "the store does not take writes; nothing is written to targets until it does"
                    );
                }
                self.readiness.waits("store", &**why);
            }
        }
    }
}

/// Drops journal entries that are older than they are kept, or too many, now and every hour.
async fn forget_the_old(store: Arc<Store>, time: &Time, days: u32, bytes: u64) {
    loop {
        let keeper = Arc::clone(&store);
        let kept = SignedDuration::from_hours(i64::from(days) * 24);
        let from = time.now().wall.checked_sub(kept).unwrap_or(Timestamp::MIN);
        let pruned = tokio::task::spawn_blocking(move || keeper.prune(&Keep { from, bytes })).await;
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

fn open(path: &Path, leading: &Leading) -> Result<Store, Arc<str>> {
    let said = |error: StoreError| Arc::from(error.to_string());
    if let Some(folder) = path.parent() {
        // What goes wrong here shows when the file is opened, with a better text.
        let _ = std::fs::create_dir_all(folder);
    }
    let store = Store::open(path, fresh).map_err(said)?;
    if !leading.is_so() {
        return Err("this process does not lead any more".into());
    }
    store.claim(leading.epoch()).map_err(said)?;
    Ok(store)
}

/// A new store's id and key, from the system's random numbers.
pub fn fresh() -> Fresh {
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
pub fn print(written: &[JournalRecord]) {
    let mut out = std::io::stdout().lock();
    for record in written {
        let _ = writeln!(out, "{}", record.line());
    }
}
