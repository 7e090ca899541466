//! `provost lint`: every error, with the line underlined.

use std::collections::BTreeSet;

use super::load;
use super::screen::{Output, Screen};
use super::source;
use super::{DONE, FINDINGS, Failure, Manifests, NOTHING_READ, at, count, finding, found, skipped};

/// Says what is wrong with manifests; 1 if anything is an error; that nothing was read is a failure.
pub fn run(manifests: &Manifests, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let read = source::read(&manifests.files)?;
    if read.documents.is_empty() && read.unreadable.is_empty() && read.misread.is_empty() {
        skipped(&read, screen)?;
        return Err(Failure::Said(NOTHING_READ.to_owned()));
    }
    let loaded = load::lint(&read, at(manifests.at));
    let findings = &loaded.findings;
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.iter().partition(|f| f.error);
    let done = if errors.is_empty() { DONE } else { FINDINGS };
    let objects: BTreeSet<_> = findings.iter().map(|f| (&f.file, &f.object)).collect();
    match manifests.output {
        output @ (Output::Json | Output::Yaml) => {
            screen.value(output, "Findings", None, &serde_json::to_value(findings)?)?;
        }
        Output::Name => {
            for (_, object) in objects {
                let (kind, name) = object.split_once('/').unwrap_or((object, ""));
                screen.name(kind, name)?;
            }
        }
        output @ (Output::Table | Output::Wide) => {
            finding::write(findings, &read, output == Output::Wide, screen)?;
            // What is no UTF-8 outside of what is ours counts as one, since nobody knows what it is.
            let unknown = read.misread.iter().filter(|broken| !read.misread_in.contains_key(&broken.file)).count();
            let manifests = count(read.documents.len() + read.unreadable.len() + unknown, "manifest");
            if findings.is_empty() {
                screen.line(&format!("{manifests}: nothing to say"))?;
            } else {
                let said = found(errors.len(), warnings.len());
                screen.line(&format!("{said} in {} of {manifests}", objects.len()))?;
            }
        }
    }
    skipped(&read, screen)?;
    Ok(done)
}
