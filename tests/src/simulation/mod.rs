//! One namespace, its targets and its store in one thread under a virtual clock: one seed decides everything.
//!
//! The engine under test is the real one, with the real directory; so is the store in each third run, on a disk in memory.
//! Around it: a model of a target that can fail in the ways real ones do ([`target`]), a model of the API server ([`api`]), what
//! the store must give back after a crash ([`store`]), declared state that is edited while all goes on ([`world`]), clocks that are
//! wrong at times ([`clock`]), and a naive reading of what the end should be ([`expected`]).

pub mod api;
mod clock;
mod end;
mod expected;
mod guard;
mod manifests;
mod outside;
mod plan;
mod random;
mod run;
pub(crate) mod store;
pub(crate) mod target;
mod told;
mod trouble;
mod world;

pub use plan::{Outcome, Plan};
pub use random::Random;
pub use run::simulate;
