//! Argo CD's verdict on objects, by the health check in `docs/argocd`, in Argo CD's interpreter (`tests/tools/argocd`).

use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::{Output, cache};

/// The text for the four kinds.
pub const HEALTH: &str = include_str!("../../docs/argocd/health.lua");

/// Status and message that a text answers of each object.
pub fn health(text: &str, objects: &[Value]) -> Vec<(String, String)> {
    let program = cache().join("bin/argocd-health");
    assert!(program.exists(), "{} is not there; run `make setup` once", program.display());
    let answers =
        Output::of(Command::new(program), Some(&json!({"text": text, "objects": objects}).to_string())).json();
    let answers = answers.as_array().expect("a list").iter();
    let text = |answer: &Value, field: &str| answer[field].as_str().expect("a text").to_owned();
    answers.map(|answer| (text(answer, "status"), text(answer, "message"))).collect()
}
