//! What Provost decides. Pure: no clock, no async, no network, no files, no randomness.
//!
//! Data flows one way: manifest -> [`input`] -> [`directory`] -> [`sync`] -> connector -> status ([`report`]).
//! [`engine`] owns one namespace and is the only thing that shells drive; [`explain`] reads and decides nothing.

pub mod directory;
pub mod engine;
pub mod explain;
pub mod import;
pub mod input;
pub mod model;
pub mod plan;
pub mod policy;
#[cfg(test)]
mod random;
pub mod report;
pub mod sync;
