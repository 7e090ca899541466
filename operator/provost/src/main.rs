//! The `provost` binary: operator and command line.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Not locked: the operator's other threads write too.
    let mut out = std::io::stdout();
    let mut err = std::io::stderr();
    let terminal = out.is_terminal();
    let status = provost::cli::run(std::env::args_os(), terminal, &mut out, &mut err);
    // A reader that has gone (`provost plan ... | head`) is no failure of ours.
    let _ = out.flush();
    ExitCode::from(status)
}
