//! `provost status`: what is not as declared on a cluster: what others may wait for first, then the worst.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use provost_core::explain::text as words;
use provost_core::model::Name;
use provost_kubernetes::client::{self, CallError};
use serde_json::Value;

use super::alive::{self, Alive, Whereabouts};
use super::record::few;
use super::screen::{Hue, Output, Screen};
use super::{DONE, FINDINGS, Failure, count};

/// Where to look.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Namespace. Default: all
    #[arg(long, short = 'n')]
    namespace: Option<String>,
    #[command(flatten)]
    operator: Whereabouts,
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

/// What there is.
struct Found {
    rows: Vec<Row>,
    /// Objects, with those that are as declared.
    total: usize,
    operator: Alive,
}

impl Found {
    /// Whether a person must act.
    fn acts(&self) -> bool {
        matches!(self.operator, Alive::No(_)) || self.rows.iter().any(|row| row.standing == Standing::Stalled)
    }
}

/// Lists what is not Ready; 1 if a person must act.
pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(found(args))?;
    let Found { rows, total, operator } = &found;
    match args.output {
        output @ (Output::Json | Output::Yaml) => {
            let declared = total - rows.len();
            let answer = serde_json::json!({
                "operator": operator.json(), "objects": total, "asDeclared": declared, "notAsDeclared": rows,
            });
            screen.value(output, "Status", args.namespace.as_deref(), &answer)?;
        }
        Output::Name => {
            if let Some(why) = operator.message() {
                writeln!(screen.err, "warning: {why}")?;
            }
            rows.iter().try_for_each(|row| screen.name(&row.kind, &row.name))?;
        }
        output @ (Output::Table | Output::Wide) => people(&found, args, output == Output::Wide, screen)?,
    }
    Ok(if found.acts() { FINDINGS } else { DONE })
}

/// The answer for people: first that nobody does anything, if so.
fn people(found: &Found, args: &Args, wide: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let Found { rows, total, operator } = found;
    if let Some(why) = operator.message() {
        let why = if wide { why.to_owned() } else { words::wrapped("", why) };
        let why = if matches!(operator, Alive::No(_)) { screen.paint(Hue::Red, &why) } else { why };
        screen.line(&why)?;
    }
    if *total == 0 {
        let within = args.namespace.as_ref().map(|name| format!(" in namespace {name}")).unwrap_or_default();
        return screen.line(&format!("there are no objects of provost.dev{within}"));
    }
    for same in alike(rows, wide) {
        told(same, wide, screen)?;
    }
    screen.line(&format!("{} of {} as declared", total - rows.len(), count(*total, "object")))
}

/// Rows of which all but the name is the same stand together, unless each is wanted.
fn alike(rows: &[Row], wide: bool) -> impl Iterator<Item = &[Row]> {
    rows.chunk_by(move |a, b| !wide && a.likeness() == b.likeness())
}

/// One object, or several with which it is the same: in one line, or with what is to be said of it below.
fn told(alike: &[Row], wide: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let Some(row) = alike.first() else { return Ok(()) };
    let names: Vec<Name> = alike.iter().map(|row| Name::from(row.name.as_str())).collect();
    let name = format!("{}/{}", row.namespace, few(&names, NAMED));
    let paint =
        |text: &str| if row.standing == Standing::Stalled { screen.paint(Hue::Red, text) } else { text.to_owned() };
    if wide {
        let reason = paint(&format!("{:<22}", row.reason));
        let since = row.since.as_ref().map(|since| format!("  (since {since})")).unwrap_or_default();
        return screen.line(&format!("{:<18} {name:<28} {reason} {}{since}", row.kind, row.message));
    }
    let reason = if row.standing == Standing::Unseen { "not seen yet" } else { &*row.reason };
    let line = format!("{} {name}  {}", row.kind, paint(reason));
    screen.line(&line)?;
    screen.line(&words::wrapped("  ", &row.message))
}

/// So many names are told of what is alike.
const NAMED: usize = 3;

/// Reasons by which a target, or what is needed for it, is not there: whoever has an account waits for it.
const DOWN: [&str; 5] =
    ["TargetUnreachable", "SecretNotFound", "IncompleteObservation", "StoreUnavailable", "ClockSkew"];

/// What to do where no API server answers.
const OTHER: &str = "is it up, and the one that you mean? --kubeconfig and --context name another";

async fn found(args: &Args) -> Result<Found, Failure> {
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
    Ok(Found { rows, total, operator: alive::alive(&client, &args.operator).await })
}

/// Fails where it is known that there is no such namespace: whoever may not look gets no answer to that.
async fn there(client: &kube::Client, namespace: Option<&str>) -> Result<(), Failure> {
    let Some(name) = namespace else { return Ok(()) };
    match Api::<Namespace>::all(client.clone()).get_opt(name).await {
        Ok(None) => Err(Failure::Said(format!("there is no namespace {name}"))),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// An application that is down, or another object that a person must act on, comes before whom it concerns, and then the worst
/// first; what is alike stands together.
fn order(rows: &mut [Row]) {
    rows.sort_by(|a, b| {
        let key = |row: &Row| (!row.is_cause(), row.standing, row.kind == "Identity");
        let like = a.likeness().cmp(&b.likeness());
        key(a).cmp(&key(b)).then(like).then_with(|| a.name.cmp(&b.name))
    });
}

impl Row {
    /// Whether others may wait for it.
    fn is_cause(&self) -> bool {
        self.kind != "Identity" && (self.standing == Standing::Stalled || DOWN.contains(&&*self.reason))
    }

    fn likeness(&self) -> (Standing, &str, &str, &str, &str) {
        (self.standing, &self.kind, &self.namespace, &self.reason, &self.message)
    }
}

/// A row, unless the object is Ready as of its present generation.
fn row(kind: &str, object: &DynamicObject) -> Option<Row> {
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let find = |wanted: &str| conditions.into_iter().flatten().find(|c| text(c, "type") == wanted);
    let ready = find("Ready");
    let seen = ready.and_then(|c| c.get("observedGeneration")).and_then(Value::as_i64);
    let (standing, reason, message, since) = match ready {
        Some(ready) if seen.is_some() && seen == object.metadata.generation => {
            if text(ready, "status") == "True" {
                return None;
            }
            let stalled = find("Stalled").is_some_and(|c| text(c, "status") == "True");
            let standing = if stalled { Standing::Stalled } else { Standing::Working };
            let since = ready.get("lastTransitionTime").and_then(Value::as_str).map(str::to_owned);
            (standing, text(ready, "reason"), text(ready, "message"), since)
        }
        _ => (Standing::Unseen, "-", "the operator has not looked at it as it is now", None),
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
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Asked {
        #[command(flatten)]
        args: Args,
    }

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
            row(Standing::Working, "TargetApplication", "chat"),
            row(Standing::Stalled, "Identity", "bob"),
            Row { reason: "TargetUnreachable".into(), ..row(Standing::Working, "TargetApplication", "wiki") },
        ];
        order(&mut rows);
        assert_eq!(rows.map(|row| row.name), ["wiki", "bob", "chat", "ada"]);
    }

    #[test]
    fn who_waits_for_an_application_that_is_down_is_told_after_it_in_one_line_and_each_in_wide() {
        let waits = |kind: &str, name: &str, message: &str| Row {
            standing: Standing::Working,
            kind: kind.into(),
            name: name.into(),
            reason: "TargetUnreachable".into(),
            message: message.into(),
            ..wiki()
        };
        let mut rows: Vec<Row> = (0..9).map(|n| waits("Identity", &format!("i-{n}"), "it waits")).collect();
        rows.push(Row {
            standing: Standing::Unseen,
            reason: "-".into(),
            ..waits("Identity", "a-new-one", "not as it is now")
        });
        rows.push(waits("TargetApplication", "wiki", "refused"));
        order(&mut rows);
        let found = Found { rows, total: 30, operator: Alive::No("no operator is running".into()) };
        let said = |wide: &str| {
            let args = Asked::parse_from(["status", "-o", wide]).args;
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut screen = Screen { out: &mut out, err: &mut err, color: false };
            people(&found, &args, wide == "wide", &mut screen).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            said("table"),
            "no operator is running\nTargetApplication acme/wiki  TargetUnreachable\n  refused\n\
             Identity acme/i-0, i-1, i-2 and 6 more  TargetUnreachable\n  it waits\n\
             Identity acme/a-new-one  not seen yet\n  not as it is now\n19 of 30 objects as declared\n"
        );
        assert_eq!(said("wide").lines().count(), 13, "{}", said("wide"));
    }

    #[test]
    fn that_the_lease_is_not_there_is_told_and_is_no_finding_and_that_nobody_renews_it_is_one() {
        let told = |operator: Alive| {
            let found = Found { rows: Vec::new(), total: 0, operator };
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut screen = Screen { out: &mut out, err: &mut err, color: false };
            people(&found, &Asked::parse_from(["status"]).args, true, &mut screen).unwrap();
            (found.acts(), found.operator.json(), String::from_utf8(out).unwrap().lines().count())
        };
        let json = |running: Option<bool>, why| serde_json::json!({"running": running, "message": why});
        assert_eq!(told(Alive::Unknown(Some("none".into()))), (false, json(None, Some("none")), 2));
        assert_eq!(told(Alive::Unknown(None)), (false, json(None, None), 1));
        assert_eq!(told(Alive::No("none".into())), (true, json(Some(false), Some("none")), 2));
    }

    #[test]
    fn what_was_never_looked_at_or_was_edited_since_is_not_taken_for_ready() {
        let object = |generation: i64, status: Value| -> DynamicObject {
            serde_json::from_value(serde_json::json!({
                "apiVersion": "provost.dev/v1alpha1", "kind": "Group",
                "metadata": {"name": "sre", "namespace": "acme", "generation": generation}, "status": status,
            }))
            .unwrap()
        };
        let ready = |seen: i64| serde_json::json!({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": seen}]});
        assert_eq!(row("Group", &object(2, ready(2))), None);
        for (case, object) in [
            ("edited since", object(3, ready(2))),
            ("without a status", object(1, serde_json::json!({}))),
            (
                "another's condition",
                object(1, serde_json::json!({"conditions": [{"type": "Ready", "status": "True"}]})),
            ),
        ] {
            assert_eq!(row("Group", &object).map(|row| row.standing), Some(Standing::Unseen), "{case}");
        }
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
        let args = Asked::parse_from(["status", "--kubeconfig", file.to_str().unwrap()]).args;
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
        told(&[row], false, &mut Screen { out: &mut out, err: &mut err, color: false }).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(said.starts_with("TargetApplication acme/wiki  RemovalBudgetExceeded\n  plan 0"), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    }
}
