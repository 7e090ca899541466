//! The command line and the operator's shell. Nothing here decides: `core` does.

pub mod cli;
pub mod inquiry;
pub mod operator;
mod when;
