//! Owns one namespace: its directory, its syncs, its board. The only thing that shells drive.

mod message;

pub use message::*;
