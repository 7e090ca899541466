//! Statuses, written whole by server-side apply under one field manager.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use provost_core::engine::StatusUpdate;
use provost_core::model::Uid;
use serde_json::json;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::FIELD_MANAGER;
use crate::client::{CallError, call};
use crate::lease::Leadership;
use crate::manifest::resource;

/// More at once buys nothing but latency, also for the Lease, which waits in the same queue at the API server.
const IN_FLIGHT: usize = 8;
/// At most 100 a second.
const SPACING: Duration = Duration::from_millis(10);

/// Writes statuses: at most eight at once and a hundred a second, each under a timeout.
///
/// Take a [`slot`](Self::slot), then ask the board for the next dirty object, then [`write`](Slot::write) it: what
/// becomes dirty again while all slots are taken is written once.
#[derive(Clone)]
pub struct StatusWriter {
    client: Client,
    leadership: Leadership,
    slots: Arc<Semaphore>,
    next: Arc<Mutex<Instant>>,
}

/// The right to write one status.
pub struct Slot {
    client: Client,
    leadership: Leadership,
    permit: OwnedSemaphorePermit,
}

/// What came of a write.
#[derive(Debug)]
pub enum Written {
    /// It is there.
    Done,
    /// The object is gone: nothing to do.
    Gone,
    /// Not written: mark it dirty again. Never shown to users.
    Failed(WriteError),
}

/// Why something was not written to the API server.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another process leads.
    #[error("this process does not lead")]
    NotLeading,
    /// Another object has the name by now: it has a status that is not its own until it is written again.
    #[error("another object has this name by now")]
    AnotherObject,
    /// The API server did not take it.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl StatusWriter {
    /// One for the process: all namespaces share its limits.
    pub fn new(client: Client, leadership: Leadership) -> Self {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        Self { client, leadership, slots, next: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Waits for the right to write one status.
    pub async fn slot(&self) -> Slot {
        let permit = loop {
            // The semaphore is never closed; should it be, waiting is all that is left.
            match Arc::clone(&self.slots).acquire_owned().await {
                Ok(permit) => break permit,
                Err(_) => std::future::pending().await,
            }
        };
        let mut next = self.next.lock().await;
        tokio::time::sleep_until(*next).await;
        *next = Instant::now() + SPACING;
        Slot { client: self.client.clone(), leadership: self.leadership.clone(), permit }
    }
}

impl Slot {
    /// Writes a status of an object in a namespace.
    pub async fn write(self, namespace: &str, update: &StatusUpdate) -> Written {
        if !self.leadership.leads() {
            return Written::Failed(WriteError::NotLeading);
        }
        let resource = resource(update.object.kind);
        let name = update.object.name.as_str();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client, namespace, &resource);
        // Applied and not replaced, so that a condition which somebody else owns stays.
        let patch = Patch::Apply(json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": { "name": name },
            "status": update.status,
        }));
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let answer = call(api.patch_status(name, &params, &patch)).await;
        drop(self.permit);
        match answer {
            Ok(object) if object.metadata.uid.as_deref().map(Uid::new).as_ref() == Some(&update.uid) => Written::Done,
            // The status subresource ignores a uid in what is sent, so that this shows only afterwards.
            Ok(_) => Written::Failed(WriteError::AnotherObject),
            Err(error) if error.code() == Some(404) => Written::Gone,
            Err(error) => Written::Failed(WriteError::Call(error)),
        }
    }
}
