//! The four watches as one stream.

use std::sync::Arc;

use futures::stream::{BoxStream, SelectAll, StreamExt};
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, watcher::Event};
use provost_core::model::ObjectKind;

use super::backoff::Backoff;
use crate::client::CallError;
use crate::manifest::{KINDS, resource};

pub(super) type Item = (ObjectKind, Result<Event<DynamicObject>, watcher::Error>);

/// One watch a kind: a paged list, then the changes, resumed and listed again as needed.
pub(super) fn open(client: &Client, namespace: Option<&Arc<str>>) -> SelectAll<BoxStream<'static, Item>> {
    // The list in pages of 500, which a list after a restart of the API server survives better than one long stream.
    // A dead connection is noticed 5 s after the timeout.
    let config = watcher::Config::default().page_size(500).timeout(90);
    futures::stream::select_all(KINDS.into_iter().map(|kind| {
        let resource = resource(kind);
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        watcher(api, config.clone()).backoff(Backoff::new()).map(move |item| (kind, item)).boxed()
    }))
}

/// What a failed watch says. `Refused` is the API server's no (401, 403, 404): nothing is known any more.
pub(super) enum Failure {
    Refused(String),
    Passing(String),
}

pub(super) fn failure(kind: ObjectKind, error: watcher::Error) -> Failure {
    let call = match error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) | watcher::Error::WatchFailed(e) => {
            CallError::from(e)
        }
        watcher::Error::WatchError(status) => CallError::from(kube::Error::Api(status)),
        watcher::Error::NoResourceVersion => CallError::Unreachable("an answer without resourceVersion".to_owned()),
    };
    let text = format!("{}: {call}", crate::manifest::crd_name(kind));
    match call.code() {
        Some(401 | 403 | 404) => Failure::Refused(text),
        _ => Failure::Passing(text),
    }
}
