//! The command line. Results go to `out`, progress and warnings to `err`. Exit status: 0 done, 1 findings, 2 usage or failure.

mod finding;
mod lint;
mod load;
mod shape;
mod source;
mod status;
mod yaml;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use provost_core::directory::Directory;
use provost_core::explain;
use provost_core::model::{Name, ObjectRef};

use load::Loaded;
use source::Files;

/// Who has access to what, as code: identities, groups and access policies become accounts
#[derive(Debug, Parser)]
#[command(name = "provost", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Is this right? Every error of schema, reference and rule, before anything is applied
    Lint(Manifests),
    /// Who would have what, by these files
    Plan(Manifests),
    /// Who gains and who loses what between two versions
    Diff(Diff),
    /// Why an identity has access, or why not
    Explain(Explain),
    /// Who has an application, or one of its entitlements
    WhoCan(WhoCan),
    /// What is not as declared on the cluster, worst first
    Status(status::Args),
    /// Run the operator
    Operator(Box<crate::operator::Settings>),
}

/// Manifests, and the time to read them at.
#[derive(clap::Args, Debug)]
struct Manifests {
    #[command(flatten)]
    files: Files,
    /// The time that dates are compared with (RFC 3339). Default: now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// How an answer is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// For people
    Table,
    /// One JSON object a namespace
    Json,
}

/// How a difference is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum DiffOutput {
    /// For people
    Table,
    /// One JSON object a namespace
    Json,
    /// For a pull request
    Markdown,
}

#[derive(clap::Args, Debug)]
struct Diff {
    /// The version before: a file or folder
    old: std::path::PathBuf,
    /// The version after: a file or folder
    new: std::path::PathBuf,
    /// Read folders below folders too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// The time that dates are compared with (RFC 3339). Default: now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Exit with 1 if there are differences
    #[arg(long)]
    exit_code: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Table)]
    output: DiffOutput,
}

#[derive(clap::Args, Debug)]
struct Explain {
    /// Name of the Identity
    identity: String,
    /// Name of the TargetApplication. Default: all
    application: Option<String>,
    /// Name of the entitlement. Default: the account and all
    entitlement: Option<String>,
    #[command(flatten)]
    manifests: Manifests,
}

#[derive(clap::Args, Debug)]
struct WhoCan {
    /// Name of the TargetApplication
    application: String,
    /// Name of the entitlement. Default: the account
    entitlement: Option<String>,
    #[command(flatten)]
    manifests: Manifests,
}

/// What went wrong with a command.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Operator(#[from] crate::operator::OperatorError),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Said(String),
}

const DONE: u8 = 0;
const FINDINGS: u8 = 1;
const FAILED: u8 = 2;

/// Runs one command and says its exit status.
pub fn run(args: impl IntoIterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                let _ = write!(err, "{error}");
                return FAILED;
            }
            let _ = write!(out, "{error}");
            return DONE;
        }
    };
    match command(cli.command, out, err) {
        Ok(status) => status,
        // A reader that has gone (`provost plan | head`) is no failure.
        Err(Failure::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => DONE,
        Err(failure) => {
            let _ = writeln!(err, "provost: {failure}");
            FAILED
        }
    }
}

fn command(command: Command, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, Failure> {
    match command {
        Command::Lint(m) => lint::run(&m, out, err),
        Command::Plan(m) => answer(&m, "Plan", out, err, |here| {
            let desired = explain::plan(here.directory);
            Ok((explain::text::plan(&desired), serde_json::to_value(desired)?))
        }),
        Command::Explain(e) => answer(&e.manifests, "Explanation", out, err, |here| {
            let (application, entitlement) =
                (e.application.as_deref().map(Name::from), e.entitlement.as_deref().map(Name::from));
            let identity = Name::from(e.identity.as_str());
            let why = explain::why(here.directory, &identity, application.as_ref(), entitlement.as_ref());
            Ok((explain::text::why(&why, &|object| here.locate(object)), serde_json::to_value(why)?))
        }),
        Command::WhoCan(w) => answer(&w.manifests, "Holders", out, err, |here| {
            let entitlement = w.entitlement.as_deref().map(Name::from);
            let holders = explain::who_can(here.directory, &Name::from(w.application.as_str()), entitlement.as_ref());
            Ok((explain::text::who_can(&holders), serde_json::to_value(holders)?))
        }),
        Command::Diff(d) => diff(&d, out, err),
        Command::Status(args) => status::run(&args, out),
        Command::Operator(settings) => {
            crate::operator::run(*settings)?;
            Ok(DONE)
        }
    }
}

fn at(at: Option<Timestamp>) -> Timestamp {
    at.unwrap_or_else(Timestamp::now)
}

/// Reads manifests, says on `err` what is wrong with them, and hands out the directories.
fn read(files: &Files, at: Timestamp, err: &mut dyn Write) -> Result<Loaded, Failure> {
    let read = source::read(files)?;
    let loaded = load::load(&read, at);
    let errors = loaded.findings.iter().filter(|f| f.error).count();
    if errors > 0 {
        writeln!(
            err,
            "warning: {} in the manifests; what they touch is unknown here. `provost lint` names them",
            lint::count(errors, "error")
        )?;
    }
    if loaded.directories.is_empty() {
        return Err(Failure::Said("no manifests of provost.dev found".to_owned()));
    }
    Ok(loaded)
}

/// One namespace that was loaded.
struct Here<'a> {
    namespace: &'a str,
    directory: &'a Directory,
    loaded: &'a Loaded,
}

impl Here<'_> {
    fn locate(&self, object: &ObjectRef) -> Option<String> {
        self.loaded.places.get(&(self.namespace.to_owned(), object.clone())).cloned()
    }
}

/// One answer a namespace; its name is a heading where there are several.
fn answer(
    manifests: &Manifests,
    kind: &str,
    out: &mut dyn Write,
    err: &mut dyn Write,
    one: impl Fn(&Here<'_>) -> Result<(String, serde_json::Value), Failure>,
) -> Result<u8, Failure> {
    let loaded = read(&manifests.files, at(manifests.at), err)?;
    for (namespace, directory) in &loaded.directories {
        let (text, value) = one(&Here { namespace, directory, loaded: &loaded })?;
        if let Output::Json = manifests.output {
            json(kind, namespace, &value, out)?;
        } else {
            heading(namespace, loaded.directories.len(), out)?;
            out.write_all(text.as_bytes())?;
        }
    }
    Ok(DONE)
}

fn heading(namespace: &str, of: usize, out: &mut dyn Write) -> std::io::Result<()> {
    if of > 1 { writeln!(out, "# namespace {namespace}") } else { Ok(()) }
}

/// One JSON object a namespace, on a line of its own.
fn json(kind: &str, namespace: &str, answer: &serde_json::Value, out: &mut dyn Write) -> Result<(), Failure> {
    let value = serde_json::json!({
        "apiVersion": "cli.provost.dev/v1alpha1", "kind": kind, "namespace": namespace, "answer": answer,
    });
    writeln!(out, "{}", serde_json::to_string(&value)?)?;
    Ok(())
}

fn diff(diff: &Diff, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, Failure> {
    let files = |path: &std::path::PathBuf| Files { filename: vec![path.clone()], recursive: diff.recursive };
    let when = at(diff.at);
    let (old, new) = (read(&files(&diff.old), when, err)?, read(&files(&diff.new), when, err)?);
    let empty = Directory::new(provost_connectors::schema);
    let namespaces: BTreeSet<_> = old.directories.keys().chain(new.directories.keys()).collect();
    let mut differs = false;
    for namespace in &namespaces {
        let (before, after) = (old.directories.get(*namespace), new.directories.get(*namespace));
        let difference = explain::diff(before.unwrap_or(&empty), after.unwrap_or(&empty));
        differs |= !difference.changes.is_empty();
        match diff.output {
            DiffOutput::Json => json("Difference", namespace, &serde_json::to_value(&difference)?, out)?,
            DiffOutput::Markdown => out.write_all(explain::text::markdown(&difference).as_bytes())?,
            DiffOutput::Table => {
                heading(namespace, namespaces.len(), out)?;
                out.write_all(explain::text::diff(&difference).as_bytes())?;
            }
        }
    }
    Ok(if differs && diff.exit_code { FINDINGS } else { DONE })
}
