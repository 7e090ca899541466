//! `provost diff`: who gains and who loses what between two versions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use provost_core::directory::Directory;
use provost_core::explain::{self, Difference, text};

use super::answer::heading;
use super::load::{Loaded, load, usual_namespace};
use super::screen::{Output, Screen};
use super::source::{self, Files, Read};
use super::{DONE, FINDINGS, Failure, at, for_sure, git, skipped, warn};

/// Two versions.
#[derive(clap::Args, Debug)]
pub struct Diff {
    /// The version before, a file or folder; or both versions as git revisions, as in main..HEAD
    #[arg(value_name = "OLD|REVISION..REVISION")]
    old: String,
    /// The version after, a file or folder
    new: Option<PathBuf>,
    /// With git revisions: only what is below these paths. Default: the present folder
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Read folders below folders too; with git revisions it always does
    #[arg(short = 'R', long)]
    recursive: bool,
    /// The time that dates are compared with: a date (UTC), a time (RFC 3339), or how far ahead, as in 7d. Default: now
    #[arg(long, value_name = "TIME", value_parser = crate::when::ahead)]
    at: Option<Timestamp>,
    /// Exit with 1 if there are differences, now or later, or something cannot be told
    #[arg(long)]
    exit_code: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Table)]
    output: DiffOutput,
}

/// How a difference is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum DiffOutput {
    /// For people
    Table,
    /// For people who want all of it: one row each, nothing cut
    Wide,
    /// One JSON object a namespace, each on a line
    Json,
    /// The same as YAML documents
    Yaml,
    /// Who gains or loses something, as in identity.provost.dev/ada
    Name,
    /// For a pull request
    Markdown,
}

/// Says who gains and who loses what.
pub fn run(diff: &Diff, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let (old, new) = versions(diff)?;
    for_sure(&old)?;
    for_sure(&new)?;
    // Mostly the same in both.
    skipped(if old.skipped > new.skipped { &old } else { &new }, screen)?;
    let when = at(diff.at);
    let usual = usual_namespace(&[&old, &new]);
    let mut old = loaded(&old, usual, when, "the manifests before", screen)?;
    let mut new = loaded(&new, usual, when, "the manifests after", screen)?;
    if old.directories.is_empty() && new.directories.is_empty() {
        return Err(Failure::Said("no manifests of provost.dev found in either version".to_owned()));
    }
    let namespaces: BTreeSet<String> = old.directories.keys().chain(new.directories.keys()).cloned().collect();
    let mut differs = false;
    for namespace in &namespaces {
        let [before, after] = [&mut old, &mut new].map(|version| version.directories.remove(namespace));
        let [mut before, mut after] =
            [before, after].map(|found| found.unwrap_or_else(|| Directory::new(provost_connectors::schema)));
        let mut difference = explain::diff(&before, &after);
        difference.foresee(&mut before, &mut after);
        differs |= !difference.is_empty();
        write(diff.output, namespace, namespaces.len(), &difference, screen)?;
    }
    Ok(if differs && diff.exit_code { FINDINGS } else { DONE })
}

/// What the two versions say.
fn versions(diff: &Diff) -> Result<(Read, Read), Failure> {
    match &diff.new {
        None => {
            let (old, new) = git::range(&diff.old)?;
            Ok((git::read(&old, &diff.paths)?, git::read(&new, &diff.paths)?))
        }
        Some(_) if !diff.paths.is_empty() => {
            Err(Failure::Said("paths after -- go with git revisions alone: provost diff main..HEAD -- PATH".to_owned()))
        }
        Some(new) => {
            let files = |path: PathBuf| Files { filename: vec![path], recursive: diff.recursive };
            Ok((source::read(&files(PathBuf::from(&diff.old)))?, source::read(&files(new.clone()))?))
        }
    }
}

/// A version without any manifest is one: everything in the other is new, or gone.
fn loaded(read: &Read, usual: &str, when: Timestamp, whose: &str, screen: &mut Screen<'_>) -> Result<Loaded, Failure> {
    let loaded = load(read, usual, when);
    warn(&loaded, whose, screen)?;
    Ok(loaded)
}

fn write(
    output: DiffOutput,
    namespace: &str,
    of: usize,
    difference: &Difference,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    match output {
        DiffOutput::Json => {
            screen.value(Output::Json, "Difference", Some(namespace), &serde_json::to_value(difference)?)
        }
        DiffOutput::Yaml => {
            screen.value(Output::Yaml, "Difference", Some(namespace), &serde_json::to_value(difference)?)
        }
        DiffOutput::Name => {
            let now = difference.changes.iter().flat_map(|change| &change.identities);
            let later = difference.later.iter().chain(&difference.no_longer).map(|later| &later.identity);
            let who: BTreeSet<_> = now.chain(later).collect();
            who.into_iter().try_for_each(|name| screen.name("Identity", name.as_str()))?;
            let unknown = text::unknown(difference).map(|(name, _)| name);
            unknown
                .collect::<BTreeSet<_>>()
                .into_iter()
                .try_for_each(|name| screen.name("TargetApplication", name.as_str()))
        }
        DiffOutput::Markdown => {
            if of > 1 {
                screen.line(&format!("### Namespace {namespace}\n"))?;
            }
            Ok(screen.out.write_all(text::markdown(difference).as_bytes())?)
        }
        DiffOutput::Table => {
            heading(namespace, of, screen)?;
            screen.signed(&text::diff(difference))
        }
        DiffOutput::Wide => {
            heading(namespace, of, screen)?;
            let mut rows = Vec::new();
            for change in &difference.changes {
                let privileged = if change.privileged { " (privileged)" } else { "" };
                let right = format!("{}{privileged}", text::right_name(change));
                rows.extend(change.identities.iter().map(|who| {
                    vec![text::sign(change.turn).to_owned(), right.clone(), who.to_string(), change.cause.clone()]
                }));
            }
            for (mark, all) in [("", &difference.later), ("no longer: ", &difference.no_longer)] {
                rows.extend(all.iter().map(|later| {
                    let right = text::dated(later, &text::right_of(&later.application, later.entitlement.as_ref()));
                    let sign = text::sign(later.turn).to_owned();
                    vec![sign, format!("{mark}{right}"), later.identity.to_string(), String::new()]
                }));
            }
            let unknown = text::unknown(difference);
            rows.extend(unknown.map(|(name, what)| vec!["?".to_owned(), name.to_string(), "-".to_owned(), what]));
            screen.table(&["", "RIGHT", "IDENTITY", "CAUSE"], &rows, true)
        }
    }
}
