//! Files that are generated and committed: a test compares them, `UPDATE=1` (or `make generate`) rewrites them.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use provost_core::engine::Counters;
use provost_crds::{Polarity, Reason};
use provost_kubernetes::metrics::Metrics;
use tests::argocd::HEALTH;
use tests::states::shown;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Compares a committed file with what it should be, or rewrites it.
fn compare(path: &str, wanted: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, wanted).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == wanted, "{path} is not what the code says; `make generate` rewrites it");
}

#[test]
fn the_table_of_reasons_is_as_the_code_has_it() {
    let mut text = String::from(
        "# Reasons\n\nWhat `reason` in a condition or a problem can say. The set is closed. *Good*: nothing to do. *Working*: the operator \
         goes on by itself. *Stalled*: a person must act.\n\n| reason | kind | what it means |\n|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let kind = match reason.polarity() {
            Polarity::Good => "good",
            Polarity::Working => "working",
            Polarity::Stalled => "stalled",
        };
        writeln!(text, "| `{}` | {kind} | {} |", reason.as_str(), reason.text()).unwrap();
    }
    compare("docs/reasons.md", &text);
}

#[test]
fn the_core_and_the_resources_know_the_same_reasons() {
    let core: Vec<&str> = provost_core::model::Reason::ALL.iter().map(|r| r.as_str()).collect();
    let crds: Vec<&str> = Reason::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(core, crds);
    for (core, crds) in provost_core::model::Reason::ALL.iter().zip(Reason::ALL) {
        assert_eq!(core.is_stalled(), crds.polarity() == Polarity::Stalled, "{}", core.as_str());
        assert_eq!(core.is_good(), crds.polarity() == Polarity::Good, "{}", core.as_str());
    }
}

#[test]
fn the_reference_of_fields_is_as_the_schema_has_it() {
    let mut text = String::from(
        "# The four kinds, field by field\n\n`provost.dev/v1alpha1`; all namespaced, a namespace is one directory. `kubectl explain` says the same. \
         Absent differs from empty; nothing is nullable.\n",
    );
    for definition in provost_crds::custom_resource_definitions() {
        let names = &definition.spec.names;
        let schema = definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        write!(
            text,
            "\n## {}\n\n{} Full name `{}.provost.dev`, short `{}`.\n\n| field | type | what it is |\n|---|---|---|\n",
            names.kind,
            schema.description.as_deref().unwrap_or_default(),
            names.plural,
            names.short_names.as_ref().unwrap().join("`, `"),
        )
        .unwrap();
        for part in ["spec", "status"] {
            if let Some(part_schema) = schema.properties.as_ref().unwrap().get(part) {
                rows(part, part_schema, &mut text);
            }
        }
    }
    compare("docs/resources.md", &text);
}

fn rows(path: &str, schema: &JSONSchemaProps, text: &mut String) {
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let kind = match &field.enum_ {
            Some(words) => words.iter().filter_map(|w| w.0.as_str()).collect::<Vec<_>>().join(" \\| "),
            None => field.type_.clone().unwrap_or_default(),
        };
        let description = field.description.clone().unwrap_or_default().replace('|', "\\|");
        writeln!(text, "| `{path}` | {kind} | {description} |").unwrap();
        rows(&path, field, text);
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.items {
            rows(&format!("{path}[]"), items, text);
        }
    }
}

/// What a command prints, and its exit status; run in the repository's root.
fn provost(arguments: &[&str]) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = std::iter::once("provost").chain(arguments.iter().copied()).map(std::ffi::OsString::from);
    let status = provost::cli::run(all, false, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap())
}

#[test]
fn every_example_is_without_errors_and_plans_to_what_is_committed() {
    let mut examples: Vec<PathBuf> =
        std::fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    examples.sort();
    assert!(!examples.is_empty());
    for example in examples {
        let folder = example.to_str().unwrap();
        let (status, said) = provost(&["lint", "-f", folder]);
        assert_eq!(status, 0, "{said}");
        let (_, plan) = provost(&["plan", "-f", folder, "--at", "2026-12-01T00:00:00Z"]);
        let name = example.file_name().unwrap().to_str().unwrap();
        compare(&format!("examples/{name}/plan.txt"), &plan);
    }
}

#[test]
fn the_reference_of_commands_is_what_they_say_of_themselves() {
    let mut text = String::from("# The command line, option by option\n\n[cli.md](cli.md) says how to use it.\n");
    for command in subcommands(&provost(&["--help"]).1) {
        help_of(&[&command], &mut text);
    }
    assert!(text.contains("\n### provost ledger export\n"), "commands of commands are left out");
    compare("docs/cli-reference.md", &text);
}

/// The help of a command, and of each command below it.
fn help_of(command: &[&str], text: &mut String) {
    let (_, help) = provost(&[command, &["--help"]].concat());
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let heading = "#".repeat(command.len() + 1);
    write!(text, "\n{heading} provost {}\n\n```text\n{}\n```\n", command.join(" "), lines.join("\n").trim_end())
        .unwrap();
    for below in subcommands(&help) {
        help_of(&[command, &[below.as_str()]].concat(), text);
    }
}

/// The names under `Commands:`.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_table_of_metrics_is_what_is_served() {
    let served = one_of_each().text().unwrap();
    let mut text = String::from(
        "# Metrics\n\nServed as OpenMetrics text at `/metrics` on port 8080 of the Service. Labels are namespaces, TargetApplications, step names, states and \
         reasons: never a person.\n\n| metric | type | labels | what it is |\n|---|---|---|---|\n",
    );
    let mut count = 0;
    for line in served.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = line.split_once(' ').unwrap();
        let kind = served.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        let sample = served.lines().find(|line| line.starts_with(name)).unwrap();
        let labels = sample.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
        let labels: Vec<&str> = labels.split(',').filter_map(|label| label.split('=').next()).collect();
        let labels = labels.into_iter().filter(|label| !["", "le"].contains(label)).collect::<Vec<_>>().join(", ");
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        writeln!(text, "| `{name}` | {kind} | {labels} | {} |", help.trim_end_matches('.')).unwrap();
        count += 1;
    }
    let source = std::fs::read_to_string(root().join("operator/kubernetes/src/metrics.rs")).unwrap();
    assert_eq!(count, source.matches("registry.register(").count(), "a metric without a sample is not served");
    compare("docs/metrics.md", &text);
}

/// Metrics with a sample each: what has none is not served.
fn one_of_each() -> Metrics {
    let metrics = Metrics::new();
    let counters = Counters {
        done: [("CreateAccount", 1)].into(),
        failed: [(provost_core::model::Reason::Rejected, 1)].into(),
        drift: [("title".into(), 1)].into(),
        revocation_seconds: vec![0.3],
    };
    metrics.count("acme", "wiki", &counters);
    metrics.accounts("acme", "wiki", [1; 7]);
    metrics.application("acme", "wiki", 1, true);
    metrics.objects("acme", "Identity", 1);
    metrics.status_written("done");
    metrics
}

#[test]
fn a_wrong_manifest_gets_path_value_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.yaml");
    let manifest = "apiVersion: provost.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: wiki}\nspec:\n  \
                    match: identity.departmnt == \"Engineering\"\n  grants: [{application: wiki}]\n  notAftr: 2026-12-01T00:00:00Z\n";
    std::fs::write(&file, manifest).unwrap();
    let (status, said) = provost(&["lint", "-f", file.to_str().unwrap()]);
    assert_eq!(status, 1);
    for wanted in [
        "wrong.yaml:5:19  error  identity has no field 'departmnt'",
        "   5 |   match: identity.departmnt == \"Engineering\"",
        "     |                   ^^^^^^^^^ did you mean 'department'?",
        "did you mean 'notAfter'?",
    ] {
        assert!(said.contains(wanted), "{wanted}\nis not in\n{said}");
    }
}

#[test]
fn the_health_checks_of_argo_cd_are_one_text_and_their_cases_are_what_the_operator_says() {
    let mut patch = String::from(
        "# kubectl patch configmap argocd-cm --namespace argocd --patch-file docs/argocd/argocd-cm.yaml\ndata:\n",
    );
    for kind in ["AccessPolicy", "Group", "Identity", "TargetApplication"] {
        let folder = format!("docs/argocd/resource_customizations/provost.dev/{kind}");
        compare(&format!("{folder}/health.lua"), HEALTH);
        let mut cases = Vec::new();
        for (file, object, status, message) in shown(kind) {
            let input = format!("testdata/{file}.yaml");
            compare(&format!("{folder}/{input}"), &serde_saphyr::to_string(&object).unwrap());
            cases.push(serde_json::json!({"healthStatus": {"status": status, "message": message}, "inputPath": input}));
        }
        let cases = serde_json::json!({"tests": cases});
        compare(&format!("{folder}/health_test.yaml"), &serde_saphyr::to_string(&cases).unwrap());
        writeln!(patch, "  resource.customizations.health.provost.dev_{kind}: |").unwrap();
        for line in HEALTH.lines() {
            let indent = if line.is_empty() { "" } else { "    " };
            writeln!(patch, "{indent}{line}").unwrap();
        }
    }
    compare("docs/argocd/argocd-cm.yaml", &patch);
}
