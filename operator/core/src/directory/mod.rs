//! One namespace in memory: who should have what, and why. No target, no ledger, no clock enters here.

mod decision;

pub use decision::*;
