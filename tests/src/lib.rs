//! Harness of the tests: what the tests of the whole share.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a harness that cannot go on fails the test"
)]

pub mod cluster;
pub mod drive;
pub mod e2e;
pub mod misbehaving;
pub mod servers;
pub mod simulation;
