//! `/healthz`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::lease::Leadership;
use crate::metrics::Metrics;

/// What the operator still waits for, by part: `watch/acme`, `store`, ... Cheap to clone.
///
/// Ready is not alive: a missing CRD or a target that is down is waited for, never a reason to be restarted.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<String, String>>>);

impl Readiness {
    /// The part waits for something.
    pub fn waits(&self, part: &str, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), what.into());
    }

    /// The part waits for nothing.
    pub fn ready(&self, part: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }

    /// Everything that is waited for, one line each.
    pub fn waiting(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(part, what)| format!("{part}: {what}")).collect()
    }
}

#[derive(Clone)]
struct Served {
    readiness: Readiness,
    leadership: Leadership,
    metrics: Metrics,
}

/// Serves until `stop` resolves; open requests are finished. `more`: what is served besides.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    leadership: Leadership,
    metrics: Metrics,
    more: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let served = Served { readiness, leadership, metrics };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(served)
        .merge(more);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// Ready: it leads (the Lease was renewed, so the API server takes writes; an open watch alone proves nothing), and
/// nothing is waited for.
async fn readyz(State(served): State<Served>) -> impl IntoResponse {
    let mut waiting = served.readiness.waiting();
    if !served.leadership.leads() {
        waiting.insert(0, "lease: waiting to lead; another process does, or the Lease cannot be renewed".to_owned());
    }
    if waiting.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for\n{}\n", waiting.join("\n")))
    }
}

async fn scrape(State(served): State<Served>) -> impl IntoResponse {
    served.metrics.leads(served.leadership.leads());
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    match served.metrics.text() {
        Ok(text) => (StatusCode::OK, kind, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, kind, error.to_string()),
    }
}
