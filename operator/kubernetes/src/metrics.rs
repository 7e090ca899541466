//! Metrics in OpenMetrics text. Labels are bounded by the manifests: namespaces, TargetApplications, mapped attributes,
//! step names and the closed set of reasons; never a person.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use provost_core::engine::Counters;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Application {
    namespace: String,
    application: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Done {
    namespace: String,
    application: String,
    step: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    namespace: String,
    application: String,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Drift {
    namespace: String,
    application: String,
    attribute: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Accounts {
    namespace: String,
    application: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Objects {
    namespace: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Writes {
    result: String,
}

/// Seconds until an explicit removal is done: from one request to an hour of a target being away.
#[derive(Clone)]
struct Seconds;

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new([0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0])
    }
}

/// Everything that is measured. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    steps: Family<Done, Counter>,
    failures: Family<Failure, Counter>,
    drift: Family<Drift, Counter>,
    revocation: Family<Application, Histogram, Seconds>,
    accounts: Family<Accounts, Gauge>,
    held: Family<Application, Gauge>,
    reachable: Family<Application, Gauge>,
    objects: Family<Objects, Gauge>,
    status_writes: Family<Writes, Counter>,
    leader: Gauge,
    store_bytes: Gauge<u64, AtomicU64>,
    shown: Arc<Mutex<BTreeMap<String, Shown>>>,
}

/// What is shown of a namespace: a family does not say what it has.
#[derive(Default)]
struct Shown {
    applications: BTreeSet<String>,
    steps: HashSet<Done>,
    failures: HashSet<Failure>,
    drift: HashSet<Drift>,
    revocation: HashSet<Application>,
    objects: HashSet<Objects>,
}

/// The states that accounts are counted by.
const STATES: [&str; 7] = ["Provisioned", "Pending", "Disabled", "Retained", "Held", "Failed", "Blocked"];

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of them, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("provost");
        let metrics = Self {
            registry: Arc::default(),
            steps: Family::default(),
            failures: Family::default(),
            drift: Family::default(),
            revocation: Family::new_with_constructor(Seconds),
            accounts: Family::default(),
            held: Family::default(),
            reachable: Family::default(),
            objects: Family::default(),
            status_writes: Family::default(),
            leader: Gauge::default(),
            store_bytes: Gauge::default(),
            shown: Arc::default(),
        };
        registry.register("steps", "Steps done at targets", metrics.steps.clone());
        registry.register("step_failures", "Steps that targets refused or lost", metrics.failures.clone());
        registry.register(
            "drift",
            "Attributes and memberships corrected that differed from what was written, by attribute",
            metrics.drift.clone(),
        );
        registry.register(
            "revocation_seconds",
            "From the moment an explicit removal was known to the moment it was done",
            metrics.revocation.clone(),
        );
        registry.register("accounts", "Accounts by state", metrics.accounts.clone());
        registry.register("held_plans", "Plans held back by a budget", metrics.held.clone());
        registry.register("target_reachable", "1 if the target answers and accepts us", metrics.reachable.clone());
        registry.register("objects", "Manifests known, by kind", metrics.objects.clone());
        registry.register("status_writes", "Status writes by result", metrics.status_writes.clone());
        registry.register("leader", "1 if this process leads", metrics.leader.clone());
        registry.register("store_bytes", "Size of ledger and journal on disk", metrics.store_bytes.clone());
        Self { registry: Arc::new(registry), ..metrics }
    }

    /// What went on in an application since the last time.
    pub fn count(&self, namespace: &str, application: &str, counters: &Counters) {
        let mut all = self.shown();
        let shown = all.entry(namespace.to_owned()).or_default();
        let (namespace, application) = (namespace.to_owned(), application.to_owned());
        for (step, n) in &counters.done {
            let labels =
                Done { namespace: namespace.clone(), application: application.clone(), step: (*step).to_owned() };
            self.steps.get_or_create(&labels).inc_by(*n);
            shown.steps.insert(labels);
        }
        for (reason, n) in &counters.failed {
            let labels = Failure {
                namespace: namespace.clone(),
                application: application.clone(),
                reason: reason.as_str().to_owned(),
            };
            self.failures.get_or_create(&labels).inc_by(*n);
            shown.failures.insert(labels);
        }
        for (attribute, n) in &counters.drift {
            let labels = Drift {
                namespace: namespace.clone(),
                application: application.clone(),
                attribute: attribute.as_str().to_owned(),
            };
            self.drift.get_or_create(&labels).inc_by(*n);
            shown.drift.insert(labels);
        }
        let labels = Application { namespace, application };
        let histogram = self.revocation.get_or_create(&labels);
        counters.revocation_seconds.iter().for_each(|seconds| histogram.observe(*seconds));
        drop(histogram);
        shown.revocation.insert(labels);
    }

    /// How many accounts are provisioned, pending, disabled, retained, held, failed and blocked.
    pub fn accounts(&self, namespace: &str, application: &str, counts: [u32; 7]) {
        for (state, count) in STATES.into_iter().zip(counts) {
            self.accounts.get_or_create(&accounts(namespace, application, state)).set(i64::from(count));
        }
    }

    /// These are a namespace's applications: what says how another one stands is not shown any more. Counters stay.
    pub fn applications(&self, namespace: &str, applications: BTreeSet<String>) {
        let mut all = self.shown();
        let before = &mut all.entry(namespace.to_owned()).or_default().applications;
        let gone: Vec<String> = before.difference(&applications).cloned().collect();
        *before = applications;
        for application in &gone {
            let labels = Application { namespace: namespace.to_owned(), application: application.clone() };
            self.held.remove(&labels);
            self.reachable.remove(&labels);
            for state in STATES {
                self.accounts.remove(&accounts(namespace, application, state));
            }
        }
    }

    /// How many plans of an application are held, and whether its target answers.
    pub fn application(&self, namespace: &str, application: &str, held: i64, reachable: bool) {
        let labels = Application { namespace: namespace.to_owned(), application: application.to_owned() };
        self.held.get_or_create(&labels).set(held);
        self.reachable.get_or_create(&labels).set(i64::from(reachable));
    }

    /// How many manifests of a kind a namespace has.
    pub fn objects(&self, namespace: &str, kind: &str, count: i64) {
        let labels = Objects { namespace: namespace.to_owned(), kind: kind.to_owned() };
        self.objects.get_or_create(&labels).set(count);
        self.shown().entry(namespace.to_owned()).or_default().objects.insert(labels);
    }

    /// A namespace is gone: nothing is shown of it any more, counters neither.
    pub fn forget(&self, namespace: &str) {
        self.applications(namespace, BTreeSet::new());
        let Some(shown) = self.shown().remove(namespace) else { return };
        shown.steps.iter().for_each(|labels| _ = self.steps.remove(labels));
        shown.failures.iter().for_each(|labels| _ = self.failures.remove(labels));
        shown.drift.iter().for_each(|labels| _ = self.drift.remove(labels));
        shown.revocation.iter().for_each(|labels| _ = self.revocation.remove(labels));
        shown.objects.iter().for_each(|labels| _ = self.objects.remove(labels));
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A status was written (`done`, `gone`) or not (`failed`).
    pub fn status_written(&self, result: &str) {
        self.status_writes.get_or_create(&Writes { result: result.to_owned() }).inc();
    }

    /// The store's size on disk.
    pub fn store_bytes(&self, bytes: u64) {
        self.store_bytes.set(bytes);
    }

    pub(crate) fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// All of it as OpenMetrics text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn accounts(namespace: &str, application: &str, state: &str) -> Accounts {
    Accounts { namespace: namespace.to_owned(), application: application.to_owned(), state: state.to_owned() }
}

#[cfg(test)]
mod tests {
    use provost_core::model::Reason;

    use super::*;

    #[test]
    fn what_is_counted_is_shown_with_its_labels() {
        let metrics = Metrics::new();
        let counters = Counters {
            done: [("CreateAccount", 3)].into(),
            failed: [(Reason::Rejected, 2)].into(),
            drift: [("title".into(), 1)].into(),
            revocation_seconds: vec![0.3],
        };
        metrics.count("acme", "wiki", &counters);
        metrics.count("acme", "wiki", &counters);
        metrics.status_written("done");
        let text = metrics.text().unwrap();
        for line in [
            r#"provost_steps_total{namespace="acme",application="wiki",step="CreateAccount"} 6"#,
            r#"provost_step_failures_total{namespace="acme",application="wiki",reason="Rejected"} 4"#,
            r#"provost_drift_total{namespace="acme",application="wiki",attribute="title"} 2"#,
            r#"provost_revocation_seconds_count{namespace="acme",application="wiki"} 2"#,
            r#"provost_status_writes_total{result="done"} 1"#,
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn nothing_is_shown_of_a_namespace_that_is_gone() {
        let metrics = Metrics::new();
        let empty = metrics.text().unwrap();
        for namespace in ["acme", "other"] {
            let counters = Counters {
                done: [("CreateAccount", 3)].into(),
                failed: [(Reason::Rejected, 2)].into(),
                drift: [("title".into(), 1)].into(),
                revocation_seconds: vec![0.3],
            };
            metrics.count(namespace, "wiki", &counters);
            metrics.objects(namespace, "Identity", 7);
            metrics.applications(namespace, ["wiki".to_owned()].into());
            metrics.accounts(namespace, "wiki", [1, 0, 0, 0, 0, 0, 0]);
            metrics.application(namespace, "wiki", 1, true);
        }
        metrics.forget("acme");
        let text = metrics.text().unwrap();
        assert!(text.contains("namespace=\"other\"") && !text.contains("namespace=\"acme\""), "{text}");
        metrics.forget("other");
        assert_eq!(metrics.text().unwrap(), empty);
    }

    #[test]
    fn how_an_application_stands_that_is_gone_is_not_shown_any_more() {
        let metrics = Metrics::new();
        for application in ["chat", "wiki"] {
            metrics.accounts("acme", application, [1, 0, 0, 0, 0, 0, 0]);
            metrics.application("acme", application, 1, true);
        }
        metrics.applications("acme", ["chat".to_owned(), "wiki".to_owned()].into());
        metrics.applications("acme", ["chat".to_owned()].into());
        let text = metrics.text().unwrap();
        assert!(text.contains("application=\"chat\"") && !text.contains("application=\"wiki\""), "{text}");
    }
}
