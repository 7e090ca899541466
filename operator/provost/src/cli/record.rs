//! `provost held` and `ledger`: what waits for approval, what is ours.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::engine::DeletionOrder;
use provost_core::explain::text;
use provost_core::model::{AttributeName, Name};
use serde::Serialize;

use super::answer::{absent, joined};
use super::remote::Where;
use super::screen::{Hue, Output, Screen};
use super::{DONE, FINDINGS, Failure, count};
use crate::inquiry::{self, Entry, Held, HeldAnswer, LedgerAsk, Order};

/// What is held.
#[derive(clap::Args, Debug, Serialize)]
pub struct HeldArgs {
    /// Plans of this TargetApplication
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    /// Also what TargetApplications in mode Plan would do
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    #[serde(skip)]
    whom: Where,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    #[serde(skip)]
    output: Output,
}

/// What is ours.
#[derive(clap::Args, Debug)]
pub struct Ledger {
    #[command(flatten)]
    ask: LedgerAsk,
    #[command(flatten)]
    whom: Where,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(subcommand)]
    command: Option<LedgerCommand>,
}

#[derive(clap::Subcommand, Debug)]
enum LedgerCommand {
    /// The store of an operator that is stopped
    #[command(flatten)]
    File(super::ledger_file::Action),
    /// Do not delete an account that is retained, whatever date was fixed
    CancelDeletion(Retained),
    /// Delete an account that is retained now rather than on its date; budgets hold
    HastenDeletion(Retained),
}

/// A retained account.
#[derive(clap::Args, Debug)]
struct Retained {
    /// Name of the Identity, which may be gone
    identity: String,
    /// Name of the TargetApplication
    application: String,
}

/// Prints what is held; 1 if something is.
pub fn held(asked: &HeldArgs, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let namespace = asked.whom.namespace.as_deref();
    let found: HeldAnswer = match asked.whom.file()? {
        Some(_) if asked.all => {
            return Err(Failure::Said("what mode Plan would do is known to a running operator alone".to_owned()));
        }
        Some(store) => {
            recorded(&store, namespace, asked.application.as_deref())?;
            let held = inquiry::held_in(&store, namespace, asked.application.as_deref());
            HeldAnswer { held: held.map_err(|e| Failure::Said(e.to_string()))?, planned: Vec::new() }
        }
        None => asked.whom.get("/v1/held", asked)?,
    };
    match asked.output {
        output @ (Output::Json | Output::Yaml) => {
            screen.value(output, "Held", namespace, &serde_json::to_value(&found)?)?;
        }
        Output::Name => {
            let which: BTreeSet<&Name> = found.held.iter().map(|held| &held.application).collect();
            which.into_iter().try_for_each(|name| screen.name("TargetApplication", name.as_str()))?;
        }
        output => held_text(&found, output == Output::Wide, namespace, screen)?,
    }
    Ok(if found.held.is_empty() { DONE } else { FINDINGS })
}

/// Whether the file knows the namespace and the application at all: "nothing is held" would be no answer to a name that is
/// misspelt.
pub(super) fn recorded(
    store: &provost_store::Store,
    namespace: Option<&str>,
    application: Option<&str>,
) -> Result<(), Failure> {
    let all = store.applications().map_err(|e| Failure::Said(e.to_string()))?;
    let namespaces: BTreeSet<&str> = all.iter().map(|(of, _)| &**of).collect();
    if let Some(wanted) = namespace.filter(|wanted| !namespaces.contains(wanted)) {
        return Err(absent(&format!("nothing of a namespace '{wanted}' is in this file"), wanted, &namespaces));
    }
    let known = all.iter().filter(|(of, _)| namespace.is_none_or(|wanted| wanted == &**of));
    let names: BTreeSet<&str> = known.map(|(_, name)| name.as_str()).collect();
    let Some(application) = application.filter(|wanted| !names.contains(wanted)) else { return Ok(()) };
    let within = within(namespace);
    Err(absent(&format!("no TargetApplication '{application}'{within} is in this file"), application, &names))
}

/// " of namespace acme"; empty: of all.
fn within(namespace: Option<&str>) -> String {
    namespace.map(|namespace| format!(" of namespace {namespace}")).unwrap_or_default()
}

fn held_text(found: &HeldAnswer, wide: bool, namespace: Option<&str>, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let all = namespace.is_none();
    if found.held.is_empty() {
        screen.line(&format!("nothing{} is held", within(namespace)))?;
    }
    for held in &found.held {
        let application =
            if all { format!("{}/{}", held.namespace, held.application) } else { held.application.to_string() };
        let (hash, age) = (short(&held.hash), age(held.since, Timestamp::now()));
        let told = |start: &str, text: &str| if wide { format!("{start}{text}") } else { text::wrapped(start, text) };
        let head = told(&format!("{application}  {hash}  "), &format!("{}, since {age}", counted(held)));
        let head = screen.paint(Hue::Yellow, &head);
        screen.line(&head)?;
        screen.line(&told("  why      ", &held.why))?;
        if wide {
            for step in &held.steps {
                let entitlement = step.entitlement.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
                screen.line(&format!("  would    {} {}{entitlement}", step.step, step.identity))?;
            }
        } else {
            let who: BTreeSet<&Name> = held.steps.iter().map(|step| &step.identity).collect();
            let who: Vec<Name> = who.into_iter().cloned().collect();
            screen.line(&told("  whose    ", &few(&who, 8)))?;
        }
        screen.line(&told("  approve  ", &format!("spec.safety.approvedPlan: {}", held.hash)))?;
    }
    if !found.planned.is_empty() {
        screen.line("mode Plan would:")?;
        let rows: Vec<Vec<String>> = found.planned.iter().map(planned_row).collect();
        screen.table(&["APPLICATION", "STEP", "IDENTITY", "WHAT", "WHY"], &rows, wide)?;
    }
    Ok(())
}

fn planned_row(step: &inquiry::Foreseen) -> Vec<String> {
    let attributes: Vec<&str> = step.attributes.iter().map(AttributeName::as_str).collect();
    let what = step.entitlement.as_ref().map_or_else(|| attributes.join(", "), ToString::to_string);
    vec![step.application.to_string(), step.step.to_string(), step.identity.to_string(), what, step.cause.to_string()]
}

/// "disable 41 accounts, revoke 3 memberships": what approving would do.
fn counted(held: &Held) -> String {
    let mut alike: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (step, n) in &held.counts {
        let done = match &**step {
            "DisableAccount" => ("disable", "account"),
            "AdoptAccount" => ("adopt", "account"),
            "DeleteAccount" => ("delete", "account"),
            "RemoveMembers" | "Revoke" => ("revoke", "entitlement"),
            "AddMembers" | "Assign" => ("grant", "entitlement"),
            other => (other, "step"),
        };
        *alike.entry(done).or_default() += n;
    }
    let all = alike.into_iter().map(|((does, what), n)| format!("{does} {}", count(n, what)));
    all.collect::<Vec<_>>().join(", ")
}

/// Prints the ledger, or orders something about a deletion.
pub fn ledger(asked: &Ledger, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let namespace = asked.whom.namespace.as_deref();
    match &asked.command {
        Some(LedgerCommand::CancelDeletion(account)) => return order(asked, account, DeletionOrder::Cancel, screen),
        Some(LedgerCommand::HastenDeletion(account)) => return order(asked, account, DeletionOrder::Hasten, screen),
        Some(LedgerCommand::File(action)) => return super::ledger_file::run(action, screen),
        None => {}
    }
    let entries: Vec<Entry> = match asked.whom.file()? {
        Some(store) => {
            recorded(&store, namespace, asked.ask.application.as_deref())?;
            inquiry::ledger(&store, namespace, &asked.ask).map_err(|e| Failure::Said(e.to_string()))?
        }
        None => asked.whom.get("/v1/ledger", &asked.ask)?,
    };
    match asked.output {
        output @ (Output::Json | Output::Yaml) => {
            screen.value(output, "Ledger", namespace, &serde_json::to_value(&entries)?)?;
        }
        Output::Name => {
            let who: BTreeSet<&Name> = entries.iter().map(|entry| &entry.identity).collect();
            who.into_iter().try_for_each(|name| screen.name("Identity", name.as_str()))?;
        }
        _ if entries.is_empty() => {
            screen.line(&format!("no account{} in the ledger fits the question", within(namespace)))?;
        }
        output => {
            let wide = output == Output::Wide;
            let rows: Vec<Vec<String>> =
                entries.iter().map(|entry| ledger_row(entry, wide, namespace.is_none())).collect();
            // Ids are long, and nobody reads them.
            let head = ["APPLICATION", "IDENTITY", "STATE", "HOLDS", "DELETED ON", "BY", "ACCOUNT"];
            let shown = if wide { &head[..] } else { head.get(..6).unwrap_or(&head) };
            screen.table(shown, &rows, wide)?;
        }
    }
    Ok(DONE)
}

fn ledger_row(entry: &Entry, wide: bool, all: bool) -> Vec<String> {
    let grants: Vec<Name> = entry.grants.iter().map(|grant| grant.entitlement.clone()).collect();
    let holds = if wide { joined(&grants) } else { few(&grants, 3) };
    let deleted = match (entry.kept, entry.delete_at) {
        (true, _) => "kept: cancelled".to_owned(),
        (false, Some(at)) => second(at),
        (false, None) => "-".to_owned(),
    };
    let application =
        if all { format!("{}/{}", entry.namespace, entry.application) } else { entry.application.to_string() };
    let account = entry.account.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let adopted = if wide && !entry.created { " (adopted)" } else { "" };
    vec![
        application,
        entry.identity.to_string(),
        format!("{:?}", entry.state),
        if holds.is_empty() { "-".to_owned() } else { holds },
        deleted,
        if entry.policies.is_empty() { "-".to_owned() } else { joined(&entry.policies) },
        format!("{account}{adopted}"),
    ]
}

fn order(asked: &Ledger, account: &Retained, order: DeletionOrder, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    if asked.whom.store.is_some() {
        return Err(Failure::Said("an order is for a running operator; leave --store out".to_owned()));
    }
    if asked.whom.namespace.is_none() {
        return Err(Failure::Said("name the namespace of the TargetApplication with -n".to_owned()));
    }
    let Retained { identity, application } = account;
    let body = Order { application: application.clone(), identity: identity.clone(), order };
    let meant = asked.whom.post("/v1/deletions", &body)?;
    screen.line(&text::wrapped("", meant.trim()))?;
    Ok(DONE)
}

pub(super) fn who(names: &[Name], all: bool) -> String {
    if all { joined(names) } else { few(names, 3) }
}

/// The first names, and how many more there are.
pub(super) fn few(names: &[Name], shown: usize) -> String {
    match names.get(..shown) {
        Some(first) if names.len() > shown + 1 => format!("{} and {} more", joined(first), names.len() - shown),
        _ => joined(names),
    }
}

pub(super) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A time to the second.
pub(super) fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// "4m": how long ago, in one unit.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}
