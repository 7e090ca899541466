//! `provost lint`: every error, with the line underlined.

use std::collections::BTreeSet;
use std::io::Write;

use super::load::load;
use super::source;
use super::{DONE, FINDINGS, Failure, Manifests, Output, at, finding};

/// Says what is wrong with manifests; 1 if anything is an error.
pub fn run(manifests: &Manifests, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, Failure> {
    let read = source::read(&manifests.files)?;
    let loaded = load(&read, at(manifests.at));
    if manifests.output == Output::Json {
        let value = serde_json::json!({
            "apiVersion": "cli.provost.dev/v1alpha1", "kind": "Findings", "answer": loaded.findings,
        });
        writeln!(out, "{}", serde_json::to_string(&value)?)?;
        return Ok(if loaded.findings.iter().any(|f| f.error) { FINDINGS } else { DONE });
    }
    finding::write(&loaded.findings, &read, out)?;
    let (errors, warnings): (Vec<_>, Vec<_>) = loaded.findings.iter().partition(|f| f.error);
    let objects: BTreeSet<_> = loaded.findings.iter().map(|f| (&f.file, &f.object)).collect();
    let manifests = count(read.documents.len(), "manifest");
    if loaded.findings.is_empty() {
        writeln!(out, "{manifests}: nothing to say")?;
    } else {
        let said = [(errors.len(), "error"), (warnings.len(), "warning")];
        let said: Vec<String> = said.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)).collect();
        writeln!(out, "{} in {} of {manifests}", said.join(", "), objects.len())?;
    }
    if read.skipped > 0 {
        writeln!(err, "{} of other kinds skipped", count(read.skipped, "document"))?;
    }
    Ok(if errors.is_empty() { DONE } else { FINDINGS })
}

/// "1 error", "2 errors".
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
