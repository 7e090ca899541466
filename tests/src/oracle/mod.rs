//! What should come of declared state, read off the text of the semantics as naively as can be, and compared with what the
//! real engine makes of it.
//!
//! Nothing here knows how the core decides: [`Declared`] holds the manifests, [`rule`] evaluates a few shapes of rules by
//! itself, [`members`] and [`decide`] say who should have what, [`end`] says where a target should end that is known as it
//! is, with what the ledger says is ours. [`run`] drives the engine over a model target in memory and compares;
//! [`Directory`] asks the same of what an API server, a real server and the operator's store hold.

mod decide;
mod declared;
mod directory;
mod edit;
mod end;
mod generate;
mod matching;
mod members;
mod owned;
mod rule;
mod run;

pub use declared::Standing;
pub use directory::{Directory, Seen, Should};
pub use rule::Rule;
pub use run::{Outcome, run};
