//! One namespace, its targets and its store in one thread under a virtual clock: one seed decides everything.
//!
//! The engine under test is the real one, with the real directory. Around it: a model of a target that can fail in the ways
//! real ones do ([`target`]), a store that keeps only what it was asked to record ([`store`]), declared state that is edited
//! while all goes on ([`world`]), and a naive reading of what the end should be ([`expected`]).

mod end;
mod expected;
mod guard;
mod manifests;
mod outside;
mod random;
mod run;
pub(crate) mod store;
pub(crate) mod target;
mod world;

pub use random::Random;
pub use run::{Outcome, Plan, simulate};
