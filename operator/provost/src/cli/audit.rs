//! `provost audit`: what was done at targets.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use provost_core::model::{AttributeName, Image, Name};
use provost_store::{FORGOTTEN, Store, StoreError};

use super::answer::joined;
use super::record::{recorded, second, short, who};
use super::remote::Where;
use super::screen::{Output, Screen};
use super::{DONE, Failure};
use crate::inquiry::{self, Forget, Forgotten, JournalAsk, Ordered, Write};

/// What was done.
#[derive(clap::Args, Debug)]
pub struct Audit {
    #[command(flatten)]
    ask: JournalAsk,
    #[command(flatten)]
    whom: Where,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(subcommand)]
    command: Option<AuditCommand>,
}

#[derive(clap::Subcommand, Debug)]
enum AuditCommand {
    /// Erase a person from the journal: what was done and when stays, to whom and what the target said does not
    Forget(ForgetArgs),
}

#[derive(clap::Args, Debug)]
struct ForgetArgs {
    /// Name of the Identity, which may be gone
    identity: String,
    /// Erase also who is still declared or has an account in use
    #[arg(long)]
    yes: bool,
}

/// Prints the journal.
pub fn audit(asked: &Audit, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let namespace = asked.whom.namespace.as_deref();
    if let Some(AuditCommand::Forget(whom)) = &asked.command {
        return forget(&asked.whom, whom, screen);
    }
    let writes: Vec<Write> = match asked.whom.file()? {
        Some(store) => in_file(&store, namespace, &asked.ask)?,
        None => asked.whom.get("/v1/journal", &asked.ask)?,
    };
    match asked.output {
        output @ (Output::Json | Output::Yaml) => {
            screen.value(output, "Journal", namespace, &serde_json::to_value(&writes)?)?;
        }
        Output::Name => {
            let all = writes.iter().flat_map(|write| &write.identities);
            let who: BTreeSet<&Name> = all.filter(|name| name.as_str() != FORGOTTEN).collect();
            who.into_iter().try_for_each(|name| screen.name("Identity", name.as_str()))?;
        }
        output => {
            let all = namespace.is_none();
            let rows: Vec<Vec<String>> = writes.iter().map(|write| audit_row(write, output, all)).collect();
            let wide = ["TIME", "APPLICATION", "STEP", "IDENTITY", "WHAT", "WHY"];
            let head = if output == Output::Wide { &wide[..] } else { &["TIME", "WHERE", "WHAT", "WHY"] };
            if rows.is_empty() {
                return screen.line(&nothing(&asked.ask, namespace)).map(|()| DONE);
            }
            screen.table(head, &rows, output == Output::Wide)?;
        }
    }
    Ok(DONE)
}

/// What a file's journal has of it: nothing of an application that it does not know is no answer.
fn in_file(store: &Store, namespace: Option<&str>, ask: &JournalAsk) -> Result<Vec<Write>, Failure> {
    let said = |error: StoreError| Failure::Said(error.to_string());
    let writes = inquiry::journal(store, namespace, ask).map_err(said)?;
    if let Some(application) = ask.application.as_deref().filter(|_| writes.is_empty())
        && !inquiry::recorded(store, namespace, application).map_err(said)?
    {
        recorded(store, namespace, Some(application))?;
    }
    Ok(writes)
}

/// That the journal has nothing of what was asked about: of somebody deleted it has what was done.
fn nothing(ask: &JournalAsk, namespace: Option<&str>) -> String {
    let of = match (&ask.identity, &ask.application) {
        (Some(identity), Some(application)) => format!(" of {identity} at {application}"),
        (Some(identity), None) => format!(" of {identity}"),
        (None, Some(application)) => format!(" of {application}"),
        (None, None) => String::new(),
    };
    let within = namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    let options = [&ask.policy, &ask.step, &ask.plan];
    let narrowed = ask.since.is_some() || ask.until.is_some() || options.iter().any(|option| option.is_some());
    let besides = match (narrowed, of.is_empty()) {
        (false, _) => "",
        (true, true) => " that fits the options",
        (true, false) => " that fits the other options",
    };
    format!("nothing is recorded{within}{of}{besides}")
}

/// Erases an identity; says what is left of it, and where.
fn forget(whom: &Where, asked: &ForgetArgs, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let Some(namespace) = whom.namespace.as_deref() else {
        return Err(Failure::Said("name the namespace of the Identity with -n".to_owned()));
    };
    let identity = &asked.identity;
    let ask = Forget { identity: identity.clone(), yes: asked.yes };
    let done: Forgotten = match whom.file_to_change()? {
        Some(store) => {
            // Not the user of the shell: it may be a name that has to be erased itself.
            let ordered = Ordered { by: "somebody on this file".into(), at: Timestamp::now(), declared: false };
            let done = inquiry::forget(&store, namespace, &ask, &ordered);
            done.map_err(|e| Failure::Said(e.to_string()))?.map_err(Failure::Said)?.into()
        }
        None => serde_json::from_str(&whom.post("/v1/erasures", &ask)?)?,
    };
    screen.line(&match done.entries {
        0 => format!("no entry of the journal speaks of {identity} in {namespace}"),
        n => format!("{identity} is erased from {} of the journal", provost_store::entries(n)),
    })?;
    if !done.accounts.is_empty() {
        let kept = joined(&done.accounts);
        screen
            .line(&format!("the ledger keeps what it has to know of their account in {kept}, until that is deleted"))?;
    }
    Ok(DONE)
}

fn audit_row(write: &Write, output: Output, all: bool) -> Vec<String> {
    let wide = output == Output::Wide;
    let what = what(write, wide);
    let plan = write.plan.as_ref().map(|hash| format!(", approved as {}", short(hash))).unwrap_or_default();
    // Most are done: only what is not is said.
    let outcome = match write.outcome.as_deref() {
        Some("Done") => String::new(),
        outcome => format!(" ({}{})", outcome.unwrap_or("under way, or not known"), attempts(write)),
    };
    let detail = write.detail.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
    let application =
        if all { format!("{}/{}", write.namespace, write.application) } else { write.application.to_string() };
    let (time, why) = (second(write.at), format!("{}{plan}{outcome}{detail}", write.cause));
    let who = who(&write.identities, wide);
    if wide {
        return vec![time, application, write.step.to_string(), who, what, why];
    }
    let what = if what.is_empty() { what } else { format!(": {what}") };
    vec![time, application, format!("{} {who}{what}", write.step).trim_end().to_owned(), why]
}

/// ", 12 times since 2026-12-01T00:00:00Z": of equal attempts only the latest is told.
fn attempts(write: &Write) -> String {
    let Some(first) = write.first.filter(|_| write.attempts > 1) else { return String::new() };
    format!(", {} times since {}", write.attempts, second(first))
}

/// What was written, and what was there before; "not known" where nobody had seen it.
fn what(write: &Write, wide: bool) -> String {
    let before = write.before.as_ref();
    let text = |text: Option<&Arc<str>>| text.map(ToString::to_string).unwrap_or_default();
    match &*write.step {
        "AddMembers" | "Assign" => held(text(write.entitlement.as_ref()), before, false, wide),
        "RemoveMembers" | "Revoke" => held(text(write.entitlement.as_ref()), before, true, wide),
        "CreateGroup" => text(write.after.as_ref().and_then(|after| after.name.as_ref())),
        // The ledger has forgotten what it was called.
        "DeleteGroup" => text(before.and_then(|before| before.name.as_ref()).or(write.entitlement.as_ref())),
        "UpdateGroup" => {
            let was = before.and_then(|before| before.name.as_deref()).unwrap_or("not known");
            format!("{} (was {was})", text(write.entitlement.as_ref()))
        }
        "EnableAccount" | "DisableAccount" | "DeleteAccount" => match before.and_then(|before| before.enabled) {
            Some(true) => "was enabled".to_owned(),
            Some(false) => "was disabled".to_owned(),
            None => "before: not known".to_owned(),
        },
        _ if !wide && write.attributes.len() > 3 => format!("{} attributes", write.attributes.len()),
        _ => {
            let attributes: Vec<String> = write.attributes.iter().map(|name| attribute(write, name, wide)).collect();
            attributes.join(", ")
        }
    }
}

/// How many had it before, where that is not as it must be expected of the step.
fn held(entitlement: String, before: Option<&Image<Arc<str>>>, expected: bool, wide: bool) -> String {
    let held = before.map(|before| before.held.as_slice()).unwrap_or_default();
    if held.is_empty() || held.iter().any(Option::is_none) {
        return format!("{entitlement} (before: not known)");
    }
    if !wide && held.iter().all(|had| *had == Some(expected)) {
        return entitlement;
    }
    let had = held.iter().filter(|had| **had == Some(true)).count();
    format!("{entitlement} (had by {had} of {} before)", held.len())
}

/// "title changed", or with the digests: "title 3f9a1c07 -> 77aa0b12".
fn attribute(write: &Write, name: &AttributeName, wide: bool) -> String {
    let of = |image: Option<&Image<Arc<str>>>| image.and_then(|image| image.attributes.get(name).cloned());
    let new = write.before.as_ref().is_some_and(|before| before.exists == Some(false));
    let (before, after) = (if new { Some(None) } else { of(write.before.as_ref()) }, of(write.after.as_ref()));
    if wide {
        let digest = |of: Option<Option<Arc<str>>>| match of {
            Some(Some(digest)) => digest.get(..8).unwrap_or_default().to_owned(),
            Some(None) => "-".to_owned(),
            None => "?".to_owned(),
        };
        return format!("{name} {} -> {}", digest(before), digest(after));
    }
    match (before, after) {
        _ if new => name.to_string(),
        (_, Some(None)) => format!("{name} cleared"),
        (Some(None), _) => format!("{name} set"),
        (Some(Some(_)), _) => format!("{name} changed"),
        (None, _) => format!("{name} (before: not known)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(attributes: &[(&str, Option<&str>)]) -> Image<Arc<str>> {
        let of = |(name, digest): &(&str, Option<&str>)| ((*name).into(), digest.map(Arc::from));
        Image { attributes: attributes.iter().map(of).collect(), ..Image::default() }
    }

    fn write(step: &str, before: Option<Image<Arc<str>>>, after: Option<Image<Arc<str>>>) -> Write {
        Write {
            at: jiff::Timestamp::UNIX_EPOCH,
            ended: None,
            namespace: "acme".into(),
            application: "wiki".into(),
            step: step.into(),
            identities: vec!["ada".into(), "bob".into()],
            account: None,
            entitlement: step.ends_with("Members").then(|| "Editors".into()),
            attributes: after.iter().flat_map(|after| after.attributes.keys().cloned()).collect(),
            before,
            after,
            cause: "staff".into(),
            plan: None,
            outcome: Some("Done".into()),
            detail: None,
            attempts: 1,
            first: None,
        }
    }

    #[test]
    fn what_was_there_is_told_in_a_few_words_and_what_is_not_known_is_told_too() {
        let three = [("a", Some("0011223344556677")), ("b", Some("8899aabbccddeeff")), ("c", None)];
        let had = |held: &[Option<bool>]| Some(Image { held: held.to_vec(), ..Image::default() });
        let was = |enabled| Some(Image { enabled: Some(enabled), ..Image::default() });
        let absent = || Some(Image { exists: Some(false), ..Image::default() });
        let known = || Some(image(&[("b", None), ("c", Some("0123456789abcdef"))]));
        for (write, narrow, wide) in [
            (
                write("UpdateAccount", known(), Some(image(&three))),
                "a (before: not known), b set, c cleared",
                "a ? -> 00112233, b - -> 8899aabb, c 01234567 -> -",
            ),
            (write("CreateAccount", absent(), Some(image(&three[..1]))), "a", "a - -> 00112233"),
            (write("DisableAccount", was(true), was(false)), "was enabled", "was enabled"),
            (write("DeleteAccount", None, absent()), "before: not known", "before: not known"),
            (write("AddMembers", had(&[Some(false); 2]), None), "Editors", "Editors (had by 0 of 2 before)"),
            (
                write("RemoveMembers", had(&[Some(true), Some(false)]), None),
                "Editors (had by 1 of 2 before)",
                "Editors (had by 1 of 2 before)",
            ),
            (write("AddMembers", None, None), "Editors (before: not known)", "Editors (before: not known)"),
        ] {
            assert_eq!(
                (what(&write, false), what(&write, true)),
                (narrow.to_owned(), wide.to_owned()),
                "{}",
                write.step
            );
        }
    }
}
