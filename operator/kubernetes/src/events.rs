//! Kubernetes events, on change and on failure, each said once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use provost_core::engine::Note;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::client::call;
use crate::lease::Leadership;
use crate::manifest::resource;

/// The same words about the same object are not said again within this time, unless they tell of another occasion.
const SILENCE: Duration = Duration::from_mins(10);
/// At most ten a second: an incident that touches everybody must not fill etcd.
const SPACING: Duration = Duration::from_millis(100);
/// How many may wait; later ones are dropped, since the condition says the same.
const WAITING: usize = 1000;
/// `note` may have at most 1024 bytes (events.k8s.io/v1).
const NOTE_BYTES: usize = 1024;

/// Publishes notes as events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events(mpsc::Sender<(Arc<str>, Note)>);

impl Events {
    /// Says it, unless the same was said lately. Never waits; what cannot be sent is dropped, since every event's
    /// content is also in a condition or a counter.
    pub fn publish(&self, namespace: &Arc<str>, note: Note) {
        if self.0.try_send((Arc::clone(namespace), note)).is_err() {
            debug!("an event was dropped: too many are waiting");
        }
    }
}

/// The other end: the task that writes.
pub struct EventWriter {
    client: Client,
    leadership: Leadership,
    instance: String,
    notes: mpsc::Receiver<(Arc<str>, Note)>,
}

/// Events by one process; `instance` is the Pod's name. Run the writer in a task of its own.
pub fn events(client: Client, leadership: Leadership, instance: &str) -> (Events, EventWriter) {
    let (sender, notes) = mpsc::channel(WAITING);
    (Events(sender), EventWriter { client, leadership, instance: instance.to_owned(), notes })
}

impl EventWriter {
    /// Writes until every [`Events`] is dropped.
    pub async fn run(mut self) {
        let mut said: HashMap<(Arc<str>, Note), Instant> = HashMap::new();
        while let Some((namespace, note)) = self.notes.recv().await {
            let now = Instant::now();
            let key = (namespace, note);
            if said.get(&key).is_some_and(|at| now < *at + SILENCE) || !self.leadership.leads() {
                continue;
            }
            if said.len() >= WAITING {
                said.retain(|_, at| now < *at + SILENCE);
            }
            let (namespace, note) = &key;
            let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
            let event = event(namespace, note, &self.instance);
            match call(api.create(&PostParams::default(), &event)).await {
                Ok(_) => {
                    said.insert(key, now);
                }
                // As in a namespace that is being deleted. The condition says the same.
                Err(error) => warn!(namespace = &**namespace, %error, "an event was not written"),
            }
            tokio::time::sleep(SPACING).await;
        }
    }
}

fn event(namespace: &str, note: &Note, instance: &str) -> Event {
    let resource = resource(note.object.kind);
    let mut message = note.message.to_string();
    if message.len() > NOTE_BYTES {
        let mut end = NOTE_BYTES;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
    }
    // Room for the dash and the five letters that the API server adds: names have at most 253.
    let prefix = note.object.name.as_str();
    let prefix = prefix.get(..240).unwrap_or(prefix);
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", prefix.trim_end_matches(['.', '-']))),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(Timestamp::now())),
        reporting_controller: Some("provost.dev/operator".to_owned()),
        reporting_instance: Some(instance.get(..128).unwrap_or(instance).to_owned()),
        action: Some("Reconcile".to_owned()),
        reason: Some(note.reason.to_string()),
        type_: Some(if note.warning { "Warning" } else { "Normal" }.to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some(resource.api_version),
            kind: Some(resource.kind),
            namespace: Some(namespace.to_owned()),
            name: Some(note.object.name.to_string()),
            uid: Some(note.uid.to_string()),
            ..ObjectReference::default()
        }),
        note: Some(message),
        ..Event::default()
    }
}
