//! `provost ledger export | import | rebuild`: the store of an operator that is stopped, as a file.

use std::io::BufRead;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use provost_store::{Store, StoreError};

use super::screen::Screen;
use super::{DONE, Failure, count};

/// Their names.
const ACTIONS: [&str; 3] = ["export", "import", "rebuild"];

/// What to do with the store of a stopped operator.
#[derive(clap::Subcommand, Debug)]
pub enum Action {
    /// Print all that it holds, one line of JSON each
    Export(Export),
    /// Fill it with what `export` printed
    Import(Import),
    /// Make the ledger anew from what the journal says was written
    Rebuild(Rebuild),
}

/// Where the store is.
#[derive(clap::Args, Debug)]
struct Folder {
    /// Folder of the ledger, as of `provost operator`
    #[arg(long, env = "PROVOST_DATA", default_value = "/var/lib/provost")]
    data: PathBuf,
}

/// What to print.
#[derive(clap::Args, Debug)]
pub struct Export {
    #[command(flatten)]
    folder: Folder,
    /// Leave the journal out
    #[arg(long)]
    no_journal: bool,
}

/// What to read.
#[derive(clap::Args, Debug)]
pub struct Import {
    /// The file; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// Put it in the place of the ledgers that are there
    #[arg(long)]
    replace: bool,
}

/// What to rebuild from.
#[derive(clap::Args, Debug)]
pub struct Rebuild {
    #[command(flatten)]
    folder: Folder,
    /// What an operator printed on standard output; `-` for standard input. Default: the store's own journal
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Put it in the place of the ledgers that are there
    #[arg(long)]
    replace: bool,
}

impl Folder {
    fn path(&self) -> PathBuf {
        self.data.join("provost.redb")
    }

    /// The store that is there.
    fn existing(&self) -> Result<Store, Failure> {
        Store::open_existing(&self.path()).map_err(said)
    }

    /// The store that is there, or a new one.
    fn any(&self) -> Result<Store, Failure> {
        Store::open(&self.path(), crate::operator::fresh).map_err(said)
    }
}

/// The program, where these do not offer what is for asking an operator: options of `ledger` are those of all below it.
pub fn without_asking(program: clap::Command) -> clap::Command {
    program.mut_subcommand("ledger", |mut ledger| {
        let asking: Vec<_> =
            ledger.get_arguments().filter(|a| a.is_global_set()).map(|a| a.clone().hide(true)).collect();
        for name in ACTIONS {
            ledger = ledger.mut_subcommand(name, |action| action.args(asking.clone()));
        }
        ledger
    })
}

/// The program as shells complete it, which offer what is hidden too: what is for asking is given to those alone that ask.
pub fn completed(program: clap::Command) -> clap::Command {
    program.mut_subcommand("ledger", |ledger| {
        let asking = ledger.get_arguments().filter(|a| a.is_global_set());
        let asking: Vec<_> = asking.map(|a| a.clone().global(false)).collect();
        let mut ledger = ledger.mut_args(|a| a.global(false));
        let all: Vec<_> = ledger.get_subcommands().map(|action| action.get_name().to_owned()).collect();
        for name in all.iter().filter(|name| !ACTIONS.contains(&name.as_str())) {
            ledger = ledger.mut_subcommand(name, |action| action.args(asking.clone()));
        }
        ledger
    })
}

/// Refuses what these would not obey, before their name or behind it; variables are for other commands.
pub fn refuse_asking(program: &clap::Command, found: &ArgMatches) -> Result<(), clap::Error> {
    let (Some(ledger), Some(("ledger", found))) = (program.find_subcommand("ledger"), found.subcommand()) else {
        return Ok(());
    };
    let Some(action) = found.subcommand_name().filter(|name| ACTIONS.contains(name)) else { return Ok(()) };
    let given = |a: &&clap::Arg| found.value_source(a.get_id().as_str()) == Some(ValueSource::CommandLine);
    let Some(option) = ledger.get_arguments().find(given).and_then(clap::Arg::get_long) else { return Ok(()) };
    Err(clap::Error::raw(
        ErrorKind::ArgumentConflict,
        format!(
            "`ledger {action}` asks no operator and takes no --{option}: leave it out; \
             --data DIR names the folder of provost.redb, the file of an operator that is stopped\n"
        ),
    ))
}

/// Runs one of them.
pub fn run(action: &Action, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    match action {
        Action::Export(asked) => export(asked, screen)?,
        Action::Import(asked) => import(asked, screen)?,
        Action::Rebuild(asked) => rebuild(asked, screen)?,
    }
    Ok(DONE)
}

fn export(asked: &Export, screen: &mut Screen<'_>) -> Result<(), Failure> {
    for line in asked.folder.existing()?.export(!asked.no_journal).map_err(said)? {
        writeln!(screen.out, "{}", line.map_err(said)?)?;
    }
    Ok(())
}

fn import(asked: &Import, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let lines = lines(&asked.file)?;
    let store = asked.folder.any()?;
    let done = store.import(lines, asked.replace).map_err(said)?;
    let (applications, records) = (count(done.applications, "application"), count(done.records, "account"));
    let journal = if done.entries == 0 {
        "no journal: the one that was there stays".to_owned()
    } else {
        format!("{} journal entries", done.entries)
    };
    screen.line(&format!("{applications}, {records}, {journal}"))?;
    Ok(())
}

fn rebuild(asked: &Rebuild, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let done = match &asked.from {
        Some(file) => {
            let mut lines = lines(file)?;
            asked.folder.any()?.rebuild(Some(&mut lines), asked.replace)
        }
        None => asked.folder.existing()?.rebuild(None, asked.replace),
    };
    let done = done.map_err(said)?;
    let (applications, records) =
        (count(done.counted.applications, "application"), count(done.counted.records, "account"));
    screen.line(&format!("{applications}, {records}, from {} journal entries", done.entries))?;
    if done.skipped > 0 {
        writeln!(screen.err, "{} of an earlier version do not say whose they are and were left out", done.skipped)?;
    }
    Ok(())
}

fn lines(file: &PathBuf) -> Result<Box<dyn Iterator<Item = std::io::Result<String>>>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin().lines()));
    }
    let opened = std::fs::File::open(file).map_err(|e| Failure::Said(format!("{}: {e}", file.display())))?;
    Ok(Box::new(std::io::BufReader::new(opened).lines()))
}

#[allow(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn said(error: StoreError) -> Failure {
    Failure::Said(match error {
        StoreError::Locked(path) => {
            format!(
                "{path}: an operator is using it; stop it first (scale its Deployment to 0), since the file is one process's"
            )
        }
        other => other.to_string(),
    })
}
