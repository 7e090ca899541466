//! Whether the CRDs and the namespaces stand, are being deleted, or are gone.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ListParams, ObjectMeta};
use provost_core::model::ObjectKind;

use crate::client::{CallError, call};
use crate::manifest::{KINDS, crd_name};

/// From so many namespaces on, one list is cheaper than a `get` for each.
const LIST_FROM: usize = 8;

/// Where an object stands. The uid tells one from a later one of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Here(String),
    Going,
    Gone,
}

impl Standing {
    fn of(meta: Option<ObjectMeta>) -> Self {
        match meta {
            None => Self::Gone,
            Some(meta) if meta.deletion_timestamp.is_some() => Self::Going,
            Some(meta) => Self::Here(meta.uid.unwrap_or_default()),
        }
    }
}

/// The uids of the four CRDs, or which one does not stand and how.
pub(super) async fn crds(client: &Client) -> Result<Result<Vec<String>, (String, Standing)>, CallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut uids = Vec::with_capacity(KINDS.len());
    for kind in KINDS {
        let name = crd_name(kind);
        let meta = call(api.get_metadata_opt(&name)).await?;
        match Standing::of(meta.map(|object| object.metadata)) {
            Standing::Here(uid) => uids.push(uid),
            other => return Ok(Err((name, other))),
        }
    }
    Ok(Ok(uids))
}

/// Whether the CRD of the TargetApplications, which alone have our finalizer, is being deleted.
pub(super) async fn applications_go(client: &Client) -> Result<bool, CallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let meta = call(api.get_metadata_opt(&crd_name(ObjectKind::TargetApplication))).await?;
    Ok(Standing::of(meta.map(|object| object.metadata)) == Standing::Going)
}

/// How these namespaces stand: by `get`, which is never older than an event that was seen before.
pub(super) async fn namespaces(
    client: &Client,
    names: &[Arc<str>],
    all: bool,
) -> Result<HashMap<Arc<str>, Standing>, CallError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let mut standing = HashMap::with_capacity(names.len());
    if all && names.len() >= LIST_FROM {
        let list = call(api.list_metadata(&ListParams::default())).await?;
        let mut found: HashMap<String, ObjectMeta> = list
            .items
            .into_iter()
            .filter_map(|object| object.metadata.name.clone().map(|name| (name, object.metadata)))
            .collect();
        for name in names {
            standing.insert(Arc::clone(name), Standing::of(found.remove(&**name)));
        }
    } else {
        for name in names {
            let meta = call(api.get_metadata_opt(name)).await?;
            standing.insert(Arc::clone(name), Standing::of(meta.map(|object| object.metadata)));
        }
    }
    Ok(standing)
}
