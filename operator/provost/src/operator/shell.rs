//! What all namespaces share: the API server's writers, the store, the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_core::engine::Engine;
use provost_core::model::{Name, Now};
use provost_core::report::Contact;
use provost_kubernetes::events::{Events, events};
use provost_kubernetes::finalizer::Finalizers;
use provost_kubernetes::health::Readiness;
use provost_kubernetes::metrics::Metrics;
use provost_kubernetes::secret::Secrets;
use provost_kubernetes::status::StatusWriter;
use tokio::task::JoinSet;

use super::leading::Leading;
use super::ledger::Keeper;
use super::settings::Settings;
use super::targets::{Claims, Rules};

/// One for the process.
pub struct Shell {
    pub(super) client: kube::Client,
    pub(super) leading: Leading,
    pub(super) readiness: Readiness,
    pub(super) metrics: Metrics,
    pub(super) statuses: StatusWriter,
    pub(super) finalizers: Finalizers,
    pub(super) events: Events,
    pub(super) secrets: Secrets,
    pub(super) ledger: Keeper,
    pub(super) claims: Claims,
    pub(super) rules: Rules,
    request_at_most: Duration,
    under_way: Arc<AtomicUsize>,
    began: Instant,
}

impl Shell {
    /// Opens the store and starts the writers.
    pub fn new(
        settings: &Settings,
        rules: Rules,
        client: kube::Client,
        leading: Leading,
        readiness: Readiness,
        metrics: Metrics,
        tasks: &mut JoinSet<std::io::Result<()>>,
    ) -> Self {
        let leadership = leading.leadership();
        let (events, writer) = events(client.clone(), leadership.clone(), &settings.instance());
        tasks.spawn(async move {
            writer.run().await;
            Ok(())
        });
        Self {
            statuses: StatusWriter::new(client.clone(), leadership.clone()),
            finalizers: Finalizers::new(client.clone(), leadership.clone()),
            secrets: Secrets::new(client.clone()),
            ledger: Keeper::start(settings, leading.clone(), readiness.clone()),
            claims: Claims::default(),
            rules,
            request_at_most: settings.request_at_most(),
            under_way: Arc::default(),
            began: Instant::now(),
            events,
            client,
            leading,
            readiness,
            metrics,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        Now { wall: Timestamp::now(), mono: self.began.elapsed() }
    }

    /// How long a write may take that begins now: no longer than this process leads for certain. `None`: none may begin,
    /// since a single request could outlast that.
    pub fn time_to_write(&self) -> Option<Duration> {
        Some(self.leading.remaining()).filter(|remaining| *remaining > self.request_at_most)
    }

    /// Counts one thing more that is under way, until the answer is dropped.
    pub fn under_way(&self) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(&self.under_way))
    }

    /// Whether something was set off and has not answered yet.
    pub fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    /// Brings the metrics of a namespace up to date.
    pub fn measure(&self, namespace: &Arc<str>, engine: &mut Engine) {
        let kinds = ["Identity", "Group", "AccessPolicy", "TargetApplication"];
        for (kind, count) in kinds.into_iter().zip(engine.directory().sizes()) {
            self.metrics.objects(namespace, kind, i64::try_from(count).unwrap_or(i64::MAX));
        }
        let applications: Vec<Name> = engine.syncs().map(|(name, _)| name.clone()).collect();
        for application in applications {
            let name = application.as_str();
            if let Some(counters) = engine.counters(&application) {
                self.metrics.count(namespace, name, &counters);
            }
            let counts = engine.board().counts(&application);
            let states = [
                ("Provisioned", counts.provisioned),
                ("Pending", counts.pending),
                ("Disabled", counts.disabled),
                ("Retained", counts.retained),
                ("Held", counts.held),
                ("Failed", counts.failed),
                ("Blocked", counts.blocked),
            ];
            for (state, count) in states {
                self.metrics.accounts(namespace, name, state, i64::from(count));
            }
            if let Some(sync) = engine.sync(&application) {
                let reachable = matches!(sync.status().contact, Contact::Works);
                let held = i64::try_from(sync.held().len()).unwrap_or(i64::MAX);
                self.metrics.application(namespace, name, held, reachable);
            }
        }
    }
}

/// One thing that is under way; it ends with this.
pub struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
