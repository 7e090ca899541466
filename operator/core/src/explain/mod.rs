//! Why, who can, who would have what, and what differs between two versions. Reads what `directory` derived and decides
//! nothing. Answers are data (they serialize as the command line's JSON); [`text`] prints them within 80 columns.

mod cause;
mod desired;
mod difference;
mod holders;
mod later;
#[cfg(test)]
mod tests;
pub mod text;
mod why;

pub use desired::*;
pub use difference::*;
pub use holders::*;
pub use later::*;
pub use why::*;
