//! `provost status`: what is not as declared on a cluster, worst first.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use provost_core::explain::text as words;
use provost_kubernetes::client::{self, CallError};
use serde_json::Value;

use super::screen::{Hue, Output, Screen};
use super::{DONE, FINDINGS, Failure, count};

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
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// One object that is not Ready.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    standing: Standing,
    kind: String,
    namespace: String,
    name: String,
    reason: String,
    message: String,
    /// When it began, as the condition says.
    since: Option<String>,
}

/// How an object stands that is not Ready, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
enum Standing {
    /// A person must act.
    Stalled,
    /// The operator goes on by itself.
    Working,
    /// Not looked at yet as it is now.
    Unseen,
}

/// Lists what is not Ready; 1 if a person must act.
pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (rows, total) = runtime.block_on(rows(args))?;
    match args.output {
        output @ (Output::Json | Output::Yaml) => {
            let answer = serde_json::json!({"objects": total, "asDeclared": total - rows.len(), "notAsDeclared": rows});
            screen.value(output, "Status", args.namespace.as_deref(), &answer)?;
        }
        Output::Name => rows.iter().try_for_each(|row| screen.name(&row.kind, &row.name))?,
        Output::Table | Output::Wide if total == 0 => {
            let within = args.namespace.as_ref().map(|name| format!(" in namespace {name}")).unwrap_or_default();
            screen.line(&format!("there are no objects of provost.dev{within}"))?;
        }
        output @ (Output::Table | Output::Wide) => {
            rows.iter().try_for_each(|row| told(row, output == Output::Wide, screen))?;
            let objects = count(total, "object");
            screen.line(&format!("{} of {objects} as declared", total - rows.len()))?;
        }
    }
    Ok(if rows.iter().any(|row| row.standing == Standing::Stalled) { FINDINGS } else { DONE })
}

/// One object: in one line, or with what is to be said of it below.
fn told(row: &Row, wide: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let name = format!("{}/{}", row.namespace, row.name);
    let paint =
        |text: &str| if row.standing == Standing::Stalled { screen.paint(Hue::Red, text) } else { text.to_owned() };
    if wide {
        let reason = paint(&format!("{:<22}", row.reason));
        let since = row.since.as_ref().map(|since| format!("  (since {since})")).unwrap_or_default();
        return screen.line(&format!("{:<18} {name:<28} {reason} {}{since}", row.kind, row.message));
    }
    let line = format!("{} {name}  {}", row.kind, paint(&row.reason));
    screen.line(&line)?;
    screen.line(&words::wrapped("  ", &row.message))
}

/// What to do where no API server answers.
const OTHER: &str = "is it up, and the one that you mean? --kubeconfig and --context name another";

async fn rows(args: &Args) -> Result<(Vec<Row>, usize), Failure> {
    let said = |e: &dyn std::fmt::Display| Failure::Said(e.to_string());
    let config = client::config(args.kubeconfig.as_deref(), args.context.as_deref()).await.map_err(|e| said(&e))?;
    let place = format!("the API server at {}", config.cluster_url);
    let client = client::client(config).map_err(|e| said(&e))?;
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
            let list = api.list(&page).await.map_err(|error| match CallError::from(error) {
                CallError::Unreachable(why) => said(&format!("{place} cannot be reached: {why}; {OTHER}")),
                error => said(&error),
            })?;
            total += list.items.len();
            rows.extend(list.items.iter().filter_map(|object| row(&names.kind, object)));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    if total == 0 {
        there(&client, args.namespace.as_deref()).await?;
    }
    order(&mut rows);
    Ok((rows, total))
}

/// Fails where it is known that there is no such namespace: whoever may not look gets no answer to that.
async fn there(client: &kube::Client, namespace: Option<&str>) -> Result<(), Failure> {
    let Some(name) = namespace else { return Ok(()) };
    match Api::<Namespace>::all(client.clone()).get_opt(name).await {
        Ok(None) => Err(Failure::Said(format!("there is no namespace {name}"))),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// Worst first; what is the cause before whom it concerns.
fn order(rows: &mut [Row]) {
    rows.sort();
    rows.sort_by_key(|row| (row.standing, row.kind == "Identity"));
}

/// A row, unless the object is Ready as of its present generation.
fn row(kind: &str, object: &DynamicObject) -> Option<Row> {
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let find = |wanted: &str| conditions.into_iter().flatten().find(|c| text(c, "type") == wanted);
    let ready = find("Ready");
    let seen = ready.and_then(|c| c.get("observedGeneration")).and_then(Value::as_i64);
    let (standing, reason, message, since) = match ready {
        Some(ready) if seen == object.metadata.generation => {
            if text(ready, "status") == "True" {
                return None;
            }
            let stalled = find("Stalled").is_some_and(|c| text(c, "status") == "True");
            let standing = if stalled { Standing::Stalled } else { Standing::Working };
            let since = ready.get("lastTransitionTime").and_then(Value::as_str).map(str::to_owned);
            (standing, text(ready, "reason"), text(ready, "message"), since)
        }
        _ => (Standing::Unseen, "-", "not looked at yet by the operator", None),
    };
    Some(Row {
        standing,
        kind: kind.to_owned(),
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        since,
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiki() -> Row {
        Row {
            standing: Standing::Stalled,
            kind: "TargetApplication".into(),
            namespace: "acme".into(),
            name: "wiki".into(),
            reason: "RemovalBudgetExceeded".into(),
            message: format!("plan {} is held; to let it through set spec.safety.approvedPlan to it", "0".repeat(64)),
            since: None,
        }
    }

    #[test]
    fn the_worst_comes_first_and_a_cause_before_whom_it_concerns() {
        let row = |standing, kind: &str, name: &str| Row { standing, kind: kind.into(), name: name.into(), ..wiki() };
        let mut rows = [
            row(Standing::Working, "Identity", "ada"),
            row(Standing::Working, "TargetApplication", "wiki"),
            row(Standing::Stalled, "Identity", "bob"),
        ];
        order(&mut rows);
        assert_eq!(rows.map(|row| row.name), ["bob", "wiki", "ada"]);
    }

    #[test]
    fn an_api_server_that_does_not_answer_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeconfig");
        // A port that was just given back has nobody.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "{{apiVersion: v1, kind: Config, current-context: x, users: [{{name: x, user: {{}}}}], \
             clusters: [{{name: x, cluster: {{server: \"http://127.0.0.1:{port}\"}}}}], \
             contexts: [{{name: x, context: {{cluster: x, user: x}}}}]}}"
        );
        std::fs::write(&file, config).unwrap();
        let args = Args { namespace: None, kubeconfig: Some(file), context: None, output: Output::Table };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let failed = run(&args, &mut Screen { out: &mut out, err: &mut err, color: false }).unwrap_err().to_string();
        assert!(
            failed.starts_with(&format!("the API server at http://127.0.0.1:{port}/ cannot be reached: ")),
            "{failed}"
        );
        assert!(failed.contains("refused") && failed.ends_with(OTHER), "{failed}");
    }

    #[test]
    fn what_is_not_as_declared_has_80_columns() {
        let row = wiki();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        told(&row, false, &mut Screen { out: &mut out, err: &mut err, color: false }).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(said.starts_with("TargetApplication acme/wiki  RemovalBudgetExceeded\n  plan 0"), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    }
}
