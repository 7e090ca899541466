//! What all namespaces share: the API server's writers, the store, the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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

use super::claims::Claims;
use super::inquiries::Inquiries;
use super::leading::Leading;
use super::ledger::Keeper;
use super::settings::Settings;
use super::targets::Rules;
use super::time::Time;

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
    pub(super) inquiries: Inquiries,
    pub(super) claims: Claims,
    pub(super) rules: Rules,
    request_at_most: Duration,
    under_way: Arc<AtomicUsize>,
    time: Arc<Time>,
}

impl Shell {
    /// Opens the store and starts the writers.
    pub fn new(
        settings: &Settings,
        rules: Rules,
        client: kube::Client,
        (leading, readiness, metrics, inquiries): (Leading, Readiness, Metrics, Inquiries),
        tasks: &mut JoinSet<std::io::Result<()>>,
    ) -> Self {
        let leadership = leading.leadership();
        let (events, writer) = events(client.clone(), leadership.clone(), &settings.instance());
        tasks.spawn(async move {
            writer.run().await;
            Ok(())
        });
        let time = Arc::new(Time::new());
        let ledger = Keeper::start(settings, leading.clone(), readiness.clone(), Arc::clone(&time));
        inquiries.answer(client.clone(), ledger.clone());
        tasks.spawn({
            let (time, client) = (Arc::clone(&time), client.clone());
            async move {
                time.keep(client).await;
                Ok(())
            }
        });
        Self {
            statuses: StatusWriter::new(client.clone(), leadership.clone()),
            finalizers: Finalizers::new(client.clone(), leadership.clone()),
            secrets: Secrets::new(client.clone()),
            ledger,
            inquiries,
            claims: Claims::default(),
            rules,
            request_at_most: settings.request_at_most(),
            under_way: Arc::default(),
            time,
            events,
            client,
            leading,
            readiness,
            metrics,
        }
    }

    /// Compares the clocks once.
    pub async fn compare_clocks(&self) {
        self.time.compare(&self.client).await;
    }

    /// What is wrong with the clocks, whenever that changes.
    pub fn skew(&self) -> tokio::sync::watch::Receiver<Option<Arc<str>>> {
        self.time.skew()
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        self.time.now()
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

    /// A namespace is gone: nothing is answered, claimed or shown for it any more.
    pub fn let_go(&self, namespace: &Arc<str>) {
        self.inquiries.unregister(namespace);
        self.claims.forget(namespace);
        self.metrics.forget(namespace);
    }

    /// Brings the metrics of a namespace up to date.
    pub fn measure(&self, namespace: &Arc<str>, engine: &mut Engine) {
        let kinds = ["Identity", "Group", "AccessPolicy", "TargetApplication"];
        for (kind, count) in kinds.into_iter().zip(engine.directory().sizes()) {
            self.metrics.objects(namespace, kind, i64::try_from(count).unwrap_or(i64::MAX));
        }
        let applications: Vec<Name> = engine.syncs().map(|(name, _)| name.clone()).collect();
        self.metrics.applications(namespace, applications.iter().map(Name::to_string).collect());
        self.metrics.store_bytes(self.ledger.bytes());
        for application in applications {
            let name = application.as_str();
            if let Some(counters) = engine.counters(&application) {
                self.metrics.count(namespace, name, &counters);
            }
            let counts = engine.board().counts(&application);
            let states = [
                counts.provisioned,
                counts.pending,
                counts.disabled,
                counts.retained,
                counts.held,
                counts.failed,
                counts.blocked,
            ];
            self.metrics.accounts(namespace, name, states);
            if let Some(sync) = engine.sync(&application) {
                let reachable = matches!(sync.contact(), Contact::Works);
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
