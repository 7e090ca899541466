//! From what is known to what is told: the board (identity x application) -> status, conditions, event texts, counters.
//! Decides nothing and reads no clock. Rules: every condition carries its generation, nothing that moves by itself (times,
//! counters) stands in a message, everything is sorted, and what did not change is never sent.

mod account;
mod board;
mod condition;
mod judge;
pub mod kstatus;
mod outbox;
mod pairs;
mod status;
mod summary;
#[cfg(test)]
mod tests;

pub use account::*;
pub use board::{Board, Taken};
pub use condition::{Prior, worst};
pub use judge::{access_policy, group, identity, target_application};
pub use status::*;
pub use summary::*;
