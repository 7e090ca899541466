//! The command line and the operator's shell. Nothing here decides: `core` does.

pub mod cli;
pub mod operator;
