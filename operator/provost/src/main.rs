//! The `provost` binary: operator and command line.
mod cli;
fn main() {}
