//! The command line. Results go to `out`, progress and warnings to `err`. Exit status: 0 done, 1 findings, 2 usage or failure.

mod alive;
mod answer;
mod audit;
mod diff;
mod doubles;
mod draft;
mod finding;
mod git;
mod import;
mod import_report;
mod ledger_file;
mod lint;
mod load;
mod metadata;
mod record;
mod remote;
mod scalar;
mod screen;
mod shape;
mod shells;
mod source;
mod status;
#[cfg(test)]
mod tests;
mod untold;
mod yaml;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use jiff::Timestamp;

use load::{Loaded, load, usual_namespace};
use screen::{Color, Output, Screen};
use source::{Files, Read};
use yaml::Unreadable;

/// Who has access to what, as code: identities, groups and access policies become accounts
#[derive(Debug, Parser)]
#[command(name = "provost", version, max_term_width = 100)]
struct Cli {
    /// Whether answers are coloured
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    color: Color,
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
    Diff(diff::Diff),
    /// Why an identity has access, or why not
    Explain(Explain),
    /// Who has an application, or one of its entitlements
    WhoCan(WhoCan),
    /// What is not as declared on the cluster: what others may wait for first, then the worst
    Status(status::Args),
    /// What was done at targets, when and why
    Audit(Box<audit::Audit>),
    /// What waits for approval, and what approving it would do
    Held(Box<record::HeldArgs>),
    /// Which accounts are ours, what they rest on, and which are to be deleted when
    Ledger(Box<record::Ledger>),
    /// Manifests from what exists: the accounts and groups of a target, or a table in CSV
    Import(Box<import::Import>),
    /// Print the completion script of a shell
    Completion(shells::Completion),
    /// Write the man pages to a folder
    Man(shells::Man),
    /// Run the operator
    Operator(Box<crate::operator::Settings>),
}

/// Manifests, and the time to read them at.
#[derive(clap::Args, Debug)]
struct Manifests {
    #[command(flatten)]
    files: Files,
    /// The time that dates are compared with: a date (UTC), a time (RFC 3339), or how far ahead, as in 7d. Default: now
    #[arg(long, value_name = "TIME", value_parser = crate::when::ahead)]
    at: Option<Timestamp>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
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

const NOTHING_READ: &str =
    "no manifests of provost.dev found; name files or folders with -f, and -R for folders within them";

const DONE: u8 = 0;
const FINDINGS: u8 = 1;
const FAILED: u8 = 2;

/// Runs one command and says its exit status. `terminal`: results are shown on one.
pub fn run(args: impl IntoIterator<Item = OsString>, terminal: bool, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = program(&args).try_get_matches_from(&args).and_then(|found| {
        ledger_file::refuse_asking(&definition(), &found)?;
        Cli::from_arg_matches(&found)
    });
    let cli = match parsed {
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
    let mut screen = Screen { out, err, color: cli.color.wanted(terminal) };
    match command(cli.command, &mut screen) {
        Ok(status) => status,
        // A reader that has gone (`provost plan | head`) is no failure.
        Err(Failure::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => DONE,
        Err(failure) => {
            let _ = writeln!(screen.err, "provost: {failure}");
            FAILED
        }
    }
}

fn definition() -> clap::Command {
    ledger_file::without_asking(Cli::command())
}

/// The program by the name it was called: as `kubectl-provost` it is a plugin of kubectl.
fn program(args: &[OsString]) -> clap::Command {
    let called = args.first().and_then(|first| Path::new(first).file_stem());
    let plugin = called.is_some_and(|name| name == "kubectl-provost" || name == "kubectl_provost");
    let program = definition();
    if plugin { program.bin_name("kubectl provost") } else { program }
}

fn command(command: Command, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    match command {
        Command::Lint(m) => lint::run(&m, screen),
        Command::Plan(m) => answer::plan(&m, screen),
        Command::Explain(e) => answer::explain(&e, screen),
        Command::WhoCan(w) => answer::who_can(&w, screen),
        Command::Diff(d) => diff::run(&d, screen),
        Command::Status(args) => status::run(&args, screen),
        Command::Audit(asked) => audit::audit(&asked, screen),
        Command::Held(asked) => record::held(&asked, screen),
        Command::Ledger(asked) => record::ledger(&asked, screen),
        Command::Import(asked) => import::run(&asked, screen),
        Command::Completion(asked) => shells::completion(&asked, ledger_file::completed(Cli::command()), screen),
        Command::Man(asked) => shells::man(&asked, definition(), screen),
        Command::Operator(settings) => {
            crate::operator::run(*settings)?;
            Ok(DONE)
        }
    }
}

fn at(at: Option<Timestamp>) -> Timestamp {
    at.unwrap_or_else(Timestamp::now)
}

/// "1 error", "2 errors".
fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// "1 error, 2 warnings"; empty: none.
fn found(errors: usize, warnings: usize) -> String {
    let said = [(errors, "error"), (warnings, "warning")];
    let said: Vec<String> = said.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)).collect();
    said.join(", ")
}

/// Reads manifests, says on `err` what is wrong with them, and hands out the directories.
fn read(files: &Files, at: Timestamp, screen: &mut Screen<'_>) -> Result<Loaded, Failure> {
    let read = source::read(files)?;
    for_sure(&read)?;
    let loaded = load(&read, usual_namespace(&[&read]), at);
    skipped(&read, screen)?;
    warn(&loaded, "the manifests", screen)?;
    if loaded.directories.is_empty() {
        return Err(Failure::Said(NOTHING_READ.to_owned()));
    }
    Ok(loaded)
}

/// Only `lint` reads on where a file is no UTF-8: what may be false is no answer.
fn for_sure(read: &Read) -> Result<(), Failure> {
    read.misread.first().map_or(Ok(()), |broken| Err(misread(broken)))
}

/// That a file is no UTF-8, where nothing goes on without it.
fn misread(broken: &Unreadable) -> Failure {
    let Unreadable { file, line, column, message, remedy } = broken;
    Failure::Said(format!("{file}:{line}:{column}: {message}; {}", remedy.unwrap_or_default()))
}

/// Says on `err` that something is wrong, if so, and in which manifests. Rules that match nobody are no concern of who asks, and
/// are not counted.
fn warn(loaded: &Loaded, whose: &str, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let errors = loaded.findings.iter().filter(|f| f.error).count();
    let said = found(errors, loaded.findings.len() - errors);
    if said.is_empty() {
        return Ok(());
    }
    // Beside errors it is not told, as little is known of who there is.
    let (so, nobody) =
        if errors > 0 { (": what errors touch is unknown here", "") } else { ("", ", and rules that match nobody") };
    writeln!(screen.err, "warning: {said} in {whose}{so};")?;
    Ok(writeln!(screen.err, "`provost lint` names them{nobody}")?)
}

/// Says on `err` how many documents are not ours.
fn skipped(read: &Read, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if read.skipped > 0 {
        let kinds: Vec<&str> = read.other_kinds.iter().map(String::as_str).collect();
        writeln!(screen.err, "{} of other kinds skipped: {}", count(read.skipped, "document"), kinds.join(", "))?;
    }
    Ok(())
}
