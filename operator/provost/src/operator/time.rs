//! The one place that reads clocks: this machine's, compared with the API server's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_core::engine::Clock;
use provost_core::model::Now;
use provost_kubernetes::client;
use tokio::sync::watch;
use tracing::{debug, info, warn};

/// How often the API server is asked what time it is.
const EVERY: Duration = Duration::from_secs(30);

/// The time to decide by.
pub struct Time {
    began: Instant,
    clock: Mutex<Clock>,
    skew: watch::Sender<Option<Arc<str>>>,
}

impl Time {
    /// From now on.
    pub fn new() -> Self {
        Self { began: Instant::now(), clock: Mutex::default(), skew: watch::channel(None).0 }
    }

    /// What this machine's clocks show.
    fn shown(&self) -> Now {
        Now { wall: Timestamp::now(), mono: self.began.elapsed() }
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        let shown = self.shown();
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(clock.skew(shown));
        clock.time(shown)
    }

    /// The store was written to until this minute (since 1970). Its beginning counts: by its end each restart would gain a
    /// minute on a clock that is right.
    pub fn remember(&self, minute: i64) {
        if let Ok(reached) = Timestamp::from_second(minute.saturating_mul(60)) {
            self.clock.lock().unwrap_or_else(PoisonError::into_inner).remember(reached);
        }
    }

    /// What is wrong with the clocks, whenever that changes.
    pub fn skew(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.skew.subscribe()
    }

    /// Compares once. An API server that does not answer says nothing of its clock.
    pub async fn compare(&self, cluster: &kube::Client) {
        match client::time(cluster).await {
            Ok(server) => {
                let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
                clock.compare(server, self.shown());
            }
            Err(error) => debug!(%error, "the API server's clock could not be read"),
        }
    }

    /// Compares now and then, for ever.
    pub async fn keep(&self, cluster: kube::Client) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.compare(&cluster).await;
            self.now();
        }
    }

    fn tell(&self, skew: Option<Arc<str>>) {
        self.skew.send_if_modified(|told| {
            let changed = *told != skew;
            match &skew {
                Some(text) if changed => warn!(reason = &**text, "the clocks disagree"),
                None if changed => info!("the clocks agree again"),
                _ => {}
            }
            *told = skew;
            changed
        });
    }
}
