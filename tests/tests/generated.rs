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
use provost_crds::{Polarity, Reason};

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
