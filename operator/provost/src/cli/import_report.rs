//! What `provost import` says: what was written, what was left out and why, and what applying would do.

use std::collections::{BTreeMap, BTreeSet};

use provost_core::import::{Brought, Rehearsal, Skipped};
use provost_core::model::{AttributeName, Name};
use serde_json::{Value, json};

use super::screen::{Hue, Output, Screen};
use super::{Failure, count};

/// So many are named of what there may be thousands of.
const NAMED: usize = 3;
/// So many rows of one list are shown.
const ROWS: usize = 20;

/// A file that was written.
pub struct Written {
    /// Its path.
    pub file: String,
    /// The kind of its objects.
    pub kind: &'static str,
    /// One, and several of them, in words.
    pub noun: (&'static str, &'static str),
    /// Their names.
    pub names: Vec<String>,
}

/// Writes the report.
pub fn write(
    output: Output,
    application: Option<&Name>,
    written: &[Written],
    brought: &Brought,
    rehearsal: Option<&Rehearsal>,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    match output {
        Output::Json | Output::Yaml => screen.value(output, "Import", None, &answer(written, brought, rehearsal)),
        Output::Name => {
            let mut all = written.iter().flat_map(|file| file.names.iter().map(|name| (file.kind, name)));
            all.try_for_each(|(kind, name)| screen.name(kind, name))
        }
        Output::Table | Output::Wide => {
            let rows = if output == Output::Wide { usize::MAX } else { ROWS };
            files(written, brought, screen)?;
            left_out(&brought.skipped, rows, screen)?;
            if let (Some(application), [_, ..]) = (application, brought.uncatalogued.as_slice()) {
                let names = some(&brought.uncatalogued.iter().map(ToString::to_string).collect::<Vec<_>>(), rows);
                let groups = count(brought.uncatalogued.len(), "group");
                screen.line("")?;
                screen.line(&format!(
                    "{groups} that the catalogue of {application} does not name, so that they give nothing yet: {names}"
                ))?;
            }
            if let (Some(application), [_, ..]) = (application, brought.absent.as_slice()) {
                let all: Vec<String> = brought.absent.iter().map(|(name, at)| format!("{name} ({at})")).collect();
                let entitlements = count(all.len(), "entitlement");
                screen.line("")?;
                screen.line(&format!(
                    "{entitlements} of {application} that the target does not have: {}; correct spec.entitlements, or make it there",
                    some(&all, rows)
                ))?;
            }
            untaken(brought, rows, screen)?;
            rehearsal.map_or(Ok(()), |told| foreseen(told, rows, screen))
        }
    }
}

fn files(written: &[Written], brought: &Brought, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let width = written.iter().map(|file| file.file.chars().count()).max().unwrap_or_default();
    for Written { file, noun: (one, several), names, .. } in written {
        let noun = if names.len() == 1 { one } else { several };
        screen.line(&format!("{file:width$}  {} {noun}", names.len()))?;
    }
    if brought.known > 0 {
        let [are, were] = if brought.known == 1 { ["is", "was"] } else { ["are", "were"] };
        let accounts = count(brought.known, "account");
        screen.line(&format!("{accounts} {are} declared already and {were} not written again"))?;
    }
    if written.is_empty() {
        screen.line(match (brought.skipped.len(), brought.known) {
            (0, 0) => "nothing was written: there is nothing to bring in",
            (0, _) => "nothing was written: there is nothing that is not declared already",
            (_, 0) => "nothing was written: all that is there was left out, as told below",
            _ => "nothing was written: what is not declared already was left out, as told below",
        })?;
    }
    Ok(())
}

fn left_out(skipped: &[Skipped], rows: usize, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if skipped.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let title = screen.paint(Hue::Yellow, "left out");
    screen.line(&format!("{title} ({})", skipped.len()))?;
    // Doubles are told in the same words: once is enough.
    let mut told = BTreeSet::new();
    let mut unlike = Vec::new();
    for one in skipped {
        if told.insert((one.what.as_str(), &one.name, &one.why)) {
            unlike.push(one);
        }
    }
    let width = unlike.iter().take(rows).map(|one| one.name.chars().count()).max().unwrap_or_default();
    for Skipped { what, name, why } in unlike.iter().take(rows) {
        screen.line(&format!("  {:<8}{name:width$}  {why}", what.as_str()))?;
    }
    more(unlike.len(), rows, screen)
}

/// What the manifests say nothing of, which the target keeps.
fn untaken(brought: &Brought, rows: usize, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if brought.untaken.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    screen.line("values that no field has taken, so that nothing is declared of them and the target keeps them:")?;
    for (attribute, on) in &brought.untaken {
        let names: Vec<String> = on.iter().map(ToString::to_string).collect();
        screen.line(&format!("  {attribute}  on {} ({})", on.len(), some(&names, rows)))?;
    }
    Ok(())
}

fn more(all: usize, rows: usize, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let more = all.saturating_sub(rows);
    if more > 0 { screen.line(&format!("  and {more} more (-o wide)")) } else { Ok(()) }
}

/// What applying would write, alike writes together.
fn foreseen(told: &Rehearsal, rows: usize, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let Rehearsal { adopted, marks, writes, waiting } = told;
    let end = if writes.is_empty() { "nothing else written" } else { "and besides" };
    let (adopted, marks) = (count(*adopted, "account"), count(*marks, "mark"));
    screen.line("")?;
    screen.line(&format!("applied to the same target: {adopted} adopted, {marks} written, {end}"))?;
    let mut alike: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for write in writes {
        let attributes: Vec<&str> = write.attributes.iter().map(AttributeName::as_str).collect();
        alike.entry((write.step, attributes.join(", "))).or_default().push(write.on.to_string());
    }
    for ((step, attributes), on) in &alike {
        let line = format!("  {step} {attributes}").trim_end().to_owned();
        screen.line(&format!("{}  on {} ({})", screen.paint(Hue::Yellow, &line), on.len(), some(on, rows)))?;
    }
    let updates = alike.keys().any(|(_, attributes)| !attributes.is_empty());
    if updates {
        screen.line("  what is not to be written: map it by another expression, or leave it to the target in account.attributes,")?;
        screen.line("  as in {name: title, expression: identity.title, apply: OnCreate}, which new accounts alone get; then import again")?;
    }
    if !waiting.is_empty() {
        screen.line("")?;
        screen.line(&screen.paint(Hue::Yellow, "waits for a person"))?;
        for (name, reason, message) in waiting.iter().take(rows) {
            screen.line(&format!("  {name}  {}  {message}", reason.as_str()))?;
        }
        more(waiting.len(), rows, screen)?;
    }
    Ok(())
}

/// The first names of a list, and how many there are besides.
fn some(names: &[String], rows: usize) -> String {
    let shown = if rows == usize::MAX { rows } else { NAMED };
    let first: Vec<&str> = names.iter().take(shown).map(String::as_str).collect();
    let first = first.join(", ");
    let more = names.len().saturating_sub(shown);
    if more > 0 { format!("{first} and {more} more") } else { first }
}

fn answer(written: &[Written], brought: &Brought, rehearsal: Option<&Rehearsal>) -> Value {
    let file = |of: &Written| json!({"file": of.file, "kind": of.kind, "objects": of.names.len()});
    let left_out = |one: &Skipped| json!({"what": one.what.as_str(), "name": &*one.name, "why": &*one.why});
    let foreseen = rehearsal.map(|told| {
        let write = |write: &provost_core::import::Write| {
            let attributes: Vec<&str> = write.attributes.iter().map(AttributeName::as_str).collect();
            json!({"step": write.step, "on": &*write.on, "attributes": attributes})
        };
        let waits = |(name, reason, message): &(Name, provost_core::model::Reason, std::sync::Arc<str>)| {
            json!({"identity": name.as_str(), "reason": reason.as_str(), "message": &**message})
        };
        json!({
            "adopted": told.adopted,
            "marks": told.marks,
            "writes": told.writes.iter().map(write).collect::<Vec<_>>(),
            "waiting": told.waiting.iter().map(waits).collect::<Vec<_>>(),
        })
    });
    json!({
        "files": written.iter().map(file).collect::<Vec<_>>(),
        "known": brought.known,
        "leftOut": brought.skipped.iter().map(left_out).collect::<Vec<_>>(),
        "absent": brought.absent.iter().map(|(name, at)| json!({"entitlement": name.as_str(), "target": &**at})).collect::<Vec<_>>(),
        "untaken": brought.untaken.iter().map(|(attribute, on)| {
            json!({"attribute": attribute.as_str(), "on": on.iter().map(|name| &**name).collect::<Vec<_>>()})
        }).collect::<Vec<_>>(),
        "uncatalogued": brought.uncatalogued.iter().map(|name| &**name).collect::<Vec<_>>(),
        "foreseen": foreseen,
    })
}
