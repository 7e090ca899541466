//! The `provost` binary: operator and command line.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Pages of accounts are made and let go of on several threads, which the allocator of the image's libc is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
