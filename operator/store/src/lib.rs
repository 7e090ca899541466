//! Provost's memory on disk: for each application of each namespace a ledger, and for all of them one journal, in one redb
//! file that one process at a time may hold.
//!
//! Guarantees: what was answered is on disk; a transaction is there whole or not at all; every waiter is answered, also
//! when the disk fails. The library never prints, reads no wall clock and has no randomness: both are given to it.

mod apply;
mod attempts;
mod database;
mod digest;
mod disk;
mod erasure;
mod error;
mod journal;
mod migrate;
mod overlay;
mod rebuild;
mod retention;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod transfer;
mod way;
mod writer;

pub use disk::Disk;
pub use erasure::{ERASURE, Erased, FORGOTTEN, Spoken, entries};
pub use error::StoreError;
pub use journal::{Granted, Journal, JournalQuery, JournalRecord};
pub use rebuild::Rebuilt;
pub use retention::Keep;
pub use store::{Fresh, Store};
pub use transfer::{Counted, Export};
pub use way::give_way;
