//! Our finalizer on TargetApplications; everybody else's stay untouched.

use std::sync::Arc;

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use provost_core::model::{ObjectKind, Uid};
use serde_json::{Value, json};
use tracing::info;

use crate::client::{CallError, call};
use crate::lease::Leadership;
use crate::manifest::resource;
use crate::status::WriteError;

pub use provost_crds::FINALIZER;

/// How often a patch is prepared again because somebody else changed the finalizers meanwhile.
const ATTEMPTS: usize = 5;

/// Puts our finalizer on TargetApplications and takes it off.
#[derive(Clone)]
pub struct Finalizers {
    client: Client,
    leadership: Leadership,
}

impl Finalizers {
    /// One for the process.
    pub fn new(client: Client, leadership: Leadership) -> Self {
        Self { client, leadership }
    }

    /// Puts it on or takes it off. An object that is gone, has another uid or is already as asked is left alone.
    pub async fn set(&self, namespace: &str, application: &str, uid: &Uid, on: bool) -> Result<(), WriteError> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource(ObjectKind::TargetApplication));
        let mut attempt = 0;
        loop {
            if !self.leadership.leads() {
                return Err(WriteError::NotLeading);
            }
            let Some(object) = call(api.get_metadata_opt(application)).await? else { return Ok(()) };
            let deleting = object.metadata.deletion_timestamp.is_some();
            // The API server refuses new finalizers on an object that is being deleted.
            if object.metadata.uid.as_deref().map(Uid::new).as_ref() != Some(uid) || (on && deleting) {
                return Ok(());
            }
            let Some(operations) = operations(object.metadata.finalizers.as_deref(), uid, on) else { return Ok(()) };
            let patch: Patch<()> = match serde_json::from_value(operations) {
                Ok(patch) => Patch::Json(patch),
                Err(error) => return Err(CallError::Unreachable(error.to_string()).into()),
            };
            attempt += 1;
            match call(api.patch_metadata(application, &PatchParams::default(), &patch)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Some(404) => return Ok(()),
                // A test failed: somebody else was quicker.
                Err(error) if attempt < ATTEMPTS && matches!(error.code(), Some(409 | 422)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The namespaces that have a TargetApplication.
    pub(crate) async fn namespaces(&self) -> Result<Vec<Arc<str>>, CallError> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource(ObjectKind::TargetApplication));
        let list = call(api.list_metadata(&kube::api::ListParams::default())).await?;
        Ok(list.items.into_iter().filter_map(|object| object.metadata.namespace).map(Into::into).collect())
    }

    /// Lets go of every TargetApplication of a namespace that is being deleted. A namespace or CRD that goes takes
    /// nothing away at the targets; only the finalizer would hold it back for ever.
    pub(crate) async fn let_go(&self, namespace: &str) -> Result<(), WriteError> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource(ObjectKind::TargetApplication));
        let list = call(api.list_metadata(&kube::api::ListParams::default())).await?;
        for object in list.items {
            let (Some(name), Some(uid)) = (object.metadata.name, object.metadata.uid) else { continue };
            if object.metadata.deletion_timestamp.is_some() {
                self.set(namespace, &name, &Uid::new(&uid), false).await?;
                info!(namespace, application = name, "let go: the namespace or the CRD is being deleted");
            }
        }
        Ok(())
    }
}

/// The JSON patch (RFC 6902) that gets there, with tests so that nobody else's change is undone; `None`: nothing to do.
fn operations(finalizers: Option<&[String]>, uid: &Uid, on: bool) -> Option<Value> {
    let test_uid = json!({"op": "test", "path": "/metadata/uid", "value": uid});
    let at = finalizers.unwrap_or_default().iter().position(|f| f == FINALIZER);
    match (on, at, finalizers) {
        (true, Some(_), _) | (false, None, _) => None,
        (true, None, None | Some([])) => Some(json!([
            test_uid,
            {"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]},
        ])),
        (true, None, Some(present)) => Some(json!([
            test_uid,
            {"op": "test", "path": "/metadata/finalizers", "value": present},
            {"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER},
        ])),
        (false, Some(index), _) => Some(json!([
            test_uid,
            {"op": "test", "path": format!("/metadata/finalizers/{index}"), "value": FINALIZER},
            {"op": "remove", "path": format!("/metadata/finalizers/{index}")},
        ])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(present: Option<&[&str]>, on: bool) -> Option<Value> {
        let list: Option<Vec<String>> = present.map(|list| list.iter().map(|f| (*f).to_owned()).collect());
        operations(list.as_deref(), &Uid::from("u"), on)
    }

    #[test]
    fn what_is_as_asked_is_left_alone() {
        assert_eq!(patched(Some(&["a/b", FINALIZER]), true), None);
        assert_eq!(patched(Some(&["a/b"]), false), None);
        assert_eq!(patched(None, false), None);
    }

    #[test]
    fn ours_is_added_behind_the_others_and_only_ours_is_removed() {
        let added = patched(Some(&["a/b"]), true).unwrap();
        assert_eq!(added[1], json!({"op": "test", "path": "/metadata/finalizers", "value": ["a/b"]}));
        assert_eq!(added[2], json!({"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}));
        let removed = patched(Some(&["a/b", FINALIZER, "c/d"]), false).unwrap();
        assert_eq!(removed[1], json!({"op": "test", "path": "/metadata/finalizers/1", "value": FINALIZER}));
        assert_eq!(removed[2], json!({"op": "remove", "path": "/metadata/finalizers/1"}));
    }

    #[test]
    fn the_first_finalizer_makes_the_list() {
        let made = patched(None, true).unwrap();
        assert_eq!(made[2], json!({"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}));
    }
}
