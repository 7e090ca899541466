//! What can be asked about what was done, what is held and what is ours: of a running operator over HTTP, or of the file of
//! a stopped one. Questions and answers are data; who may ask is not decided here.

mod held;
mod journal;
mod ledger;

pub use held::{Foreseen, Held, HeldAnswer, HeldOne, foreseen, held, held_in, knows};
pub use journal::{Forget, Forgotten, JournalAsk, Ordered, Write, forget, journal, recorded};
pub use ledger::{Entry, GrantEntry, LedgerAsk, Order, ledger};

/// The header that carries the token: the API server's proxy takes `Authorization` off.
pub const TOKEN_HEADER: &str = "x-provost-token";
