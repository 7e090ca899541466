//! Completion for shells, and man pages: both made from the same definition as `--help`.

use std::path::PathBuf;

use super::screen::Screen;
use super::{DONE, Failure};

/// For which shell.
#[derive(clap::Args, Debug)]
pub struct Completion {
    /// The shell
    shell: clap_complete::Shell,
}

/// Where man pages go.
#[derive(clap::Args, Debug)]
pub struct Man {
    /// The folder, made if it is not there, as in /usr/local/share/man/man1
    folder: PathBuf,
}

/// Prints the script.
pub fn completion(asked: &Completion, mut program: clap::Command, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    // It would panic where a reader has gone.
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut program, "provost", &mut script);
    screen.out.write_all(&script)?;
    Ok(DONE)
}

/// Writes one page for the program and one for each command.
pub fn man(asked: &Man, program: clap::Command, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let named = |error: std::io::Error| Failure::Said(format!("{}: {error}", asked.folder.display()));
    if asked.folder.is_file() {
        return Err(Failure::Said(format!("{}: this is a file; name a folder", asked.folder.display())));
    }
    std::fs::create_dir_all(&asked.folder).map_err(named)?;
    clap_mangen::generate_to(program, &asked.folder).map_err(named)?;
    screen.line(&format!("man pages are in {}", asked.folder.display()))?;
    Ok(DONE)
}
