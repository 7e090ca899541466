//! `provost status`: what is not as declared on a cluster, worst first.

use std::io::Write;
use std::path::PathBuf;

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use serde_json::Value;

use super::{DONE, FINDINGS, Failure};

/// Where to look.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Namespace. Default: all
    #[arg(long, short = 'n')]
    namespace: Option<String>,
    /// Kubeconfig file. Default: $KUBECONFIG or ~/.kube/config
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long)]
    context: Option<String>,
}

/// One object that is not Ready.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    /// 0: a person must act; 1: not ready; 2: not looked at yet.
    rank: u8,
    kind: String,
    name: String,
    reason: String,
    message: String,
}

/// Lists what is not Ready; 1 if a person must act.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8, Failure> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (rows, total) = runtime.block_on(rows(args))?;
    for row in &rows {
        writeln!(out, "{:<18} {:<28} {:<22} {}", row.kind, row.name, row.reason, row.message)?;
    }
    writeln!(out, "{} of {total} objects as declared", total - rows.len())?;
    Ok(if rows.iter().any(|row| row.rank == 0) { FINDINGS } else { DONE })
}

async fn rows(args: &Args) -> Result<(Vec<Row>, usize), Failure> {
    let said = |e: &dyn std::fmt::Display| Failure::Said(e.to_string());
    let client = provost_kubernetes::client::connect(args.kubeconfig.as_deref(), args.context.as_deref())
        .await
        .map_err(|e| said(&e))?;
    let (mut rows, mut total) = (Vec::new(), 0);
    for definition in provost_crds::custom_resource_definitions() {
        let names = definition.spec.names;
        let gvk = kube::core::GroupVersionKind::gvk(&definition.spec.group, "v1alpha1", &names.kind);
        let resource = kube::core::ApiResource::from_gvk_with_plural(&gvk, &names.plural);
        let api: Api<DynamicObject> = match &args.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let mut page = ListParams::default().limit(500);
        loop {
            let list = api.list(&page).await.map_err(|e| said(&e))?;
            total += list.items.len();
            rows.extend(list.items.iter().filter_map(|object| row(&names.kind, object)));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    rows.sort();
    Ok((rows, total))
}

/// A row, unless the object is Ready as of its present generation.
fn row(kind: &str, object: &DynamicObject) -> Option<Row> {
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let find = |wanted: &str| conditions.into_iter().flatten().find(|c| text(c, "type") == wanted);
    let ready = find("Ready");
    let seen = ready.and_then(|c| c.get("observedGeneration")).and_then(Value::as_i64);
    let (rank, reason, message) = match ready {
        Some(ready) if seen == object.metadata.generation => {
            if text(ready, "status") == "True" {
                return None;
            }
            let stalled = find("Stalled").is_some_and(|c| text(c, "status") == "True");
            (u8::from(!stalled), text(ready, "reason"), text(ready, "message"))
        }
        _ => (2, "-", "not looked at yet by the operator"),
    };
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let name = format!("{namespace}/{}", object.metadata.name.as_deref().unwrap_or_default());
    Some(Row { rank, kind: kind.to_owned(), name, reason: reason.to_owned(), message: message.to_owned() })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
