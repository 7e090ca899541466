//! Harness of the tests: what the tests of the whole share.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a harness that cannot go on fails the test"
)]

pub mod argocd;
pub mod changes;
pub mod cluster;
pub mod desk;
pub mod documents;
pub mod drive;
pub mod e2e;
pub mod keeps;
pub mod misbehaving;
pub mod mutants;
pub mod oracle;
mod ports;
pub mod realm;
pub mod seeds;
pub mod servers;
pub mod simulation;
pub mod states;

pub use ports::free_port;

/// Says what a test has seen, past the capture of its output: a green run shows it too.
pub fn tell(seen: impl std::fmt::Display) {
    use std::io::Write as _;
    // One write, so that what another test says does not come between.
    let _ = std::io::stderr().write_all(format!("{seen}\n").as_bytes());
}
