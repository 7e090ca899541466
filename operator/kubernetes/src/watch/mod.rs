//! Manifests from the API server into engine events.
//!
//! Guarantees, for each namespace:
//! - Nothing is delivered until all four kinds have been listed to their end; then one `Listed`, later `Changed`.
//! - A deletion, or a deletionTimestamp, is delivered only after the API server was asked whether the namespace or a
//!   CRD is itself being deleted. Deleting a CRD looks, event by event, exactly like deleting every object.
//! - A namespace or CRD that is being deleted, and a list that is refused (401, 403, 404), give `Halted`; the next
//!   event after it is a `Listed`.
//! - After a CRD or the namespace was deleted and made anew, the next `Listed` waits until the restore has been quiet
//!   for a quarter of a minute: what is not restored yet has not been deleted.
//! - A namespace that is gone, with nothing left in it, is told once it was halted: what follows under its name is another
//!   one, and is waited for like a restore.
//! - A malformed object is a change like any other, with a spec that is an error.
//!
//! Silence is not health: readiness comes from the Lease, not from an open watch.

mod backoff;
mod collect;
mod run;
mod standing;
mod stream;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use kube::Client;
use provost_core::engine::EngineEvent;
use tokio::sync::mpsc;

use crate::finalizer::Finalizers;
use crate::health::Readiness;

/// Which namespaces are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All there are and will be.
    All,
    /// These, whether they exist already or not.
    Named(BTreeSet<Arc<str>>),
}

/// The watch.
#[derive(Clone)]
pub struct Watch {
    /// The API server.
    pub client: Client,
    /// Which namespaces.
    pub scope: Scope,
    /// To let go of TargetApplications in a namespace that is being deleted.
    pub finalizers: Finalizers,
    /// Where the watch says what it waits for, as `watch` or `watch/NAMESPACE`.
    pub readiness: Readiness,
}

/// An event for the engine of a namespace; `None`: the namespace is gone, and nothing needs to be kept for it.
pub type Watched = (Arc<str>, Option<EngineEvent>);

impl Watch {
    /// Watches until the receiver is dropped, or this future is. It may be dropped at any moment.
    pub async fn run(self, out: mpsc::Sender<Watched>) {
        let domains: Vec<Option<Arc<str>>> = match &self.scope {
            Scope::All => vec![None],
            Scope::Named(names) => names.iter().cloned().map(Some).collect(),
        };
        let domain = |namespace| {
            let Self { client, finalizers, readiness, .. } = self.clone();
            run::Domain::new(client, namespace, finalizers, readiness, out.clone()).run()
        };
        let mut running: FuturesUnordered<_> = domains.into_iter().map(domain).collect();
        while running.next().await.is_some() {}
    }
}
