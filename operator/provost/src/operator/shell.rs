//! What all namespaces share: the API server's writers, the store, the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_core::engine::Engine;
use provost_core::model::{Name, Now};
use provost_kubernetes::events::{Events, events};
use provost_kubernetes::finalizer::Finalizers;
use provost_kubernetes::health::Readiness;
use provost_kubernetes::lease::Leadership;
use provost_kubernetes::metrics::Metrics;
use provost_kubernetes::secret::Secrets;
use provost_kubernetes::status::StatusWriter;
use tokio::task::JoinSet;

use super::ledger::Keeper;
use super::settings::Settings;
use super::targets::{Claims, Rules};

/// One for the process.
pub struct Shell {
    pub(super) client: kube::Client,
    pub(super) leadership: Leadership,
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
    began: Instant,
}

impl Shell {
    /// Opens the store and starts the writers.
    pub fn new(
        settings: &Settings,
        rules: Rules,
        client: kube::Client,
        leadership: Leadership,
        readiness: Readiness,
        metrics: Metrics,
        tasks: &mut JoinSet<std::io::Result<()>>,
    ) -> Self {
        let (events, writer) = events(client.clone(), leadership.clone(), &settings.instance());
        tasks.spawn(async move {
            writer.run().await;
            Ok(())
        });
        Self {
            statuses: StatusWriter::new(client.clone(), leadership.clone()),
            finalizers: Finalizers::new(client.clone(), leadership.clone()),
            secrets: Secrets::new(client.clone()),
            ledger: Keeper::start(&settings.data, readiness.clone()),
            claims: Claims::default(),
            rules,
            request_at_most: settings.request_at_most(),
            began: Instant::now(),
            events,
            client,
            leadership,
            readiness,
            metrics,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        Now { wall: Timestamp::now(), mono: self.began.elapsed() }
    }

    /// Whether this process leads for longer than any request may take: no write starts otherwise.
    pub fn may_write(&self) -> bool {
        self.leadership.remaining() > self.request_at_most
    }

    /// Brings the metrics of a namespace's applications up to date.
    pub fn measure(&self, namespace: &Arc<str>, engine: &mut Engine) {
        let applications: Vec<Name> = engine.syncs().map(|(name, _)| name.clone()).collect();
        for application in applications {
            if let Some(counters) = engine.counters(&application) {
                self.metrics.count(namespace, application.as_str(), &counters);
            }
        }
    }
}
