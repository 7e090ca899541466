//! The custom resources of Provost. The Rust types are the source; the YAML beside them in `yaml/` is generated, and a test
//! compares the two.

mod definition;
#[cfg(test)]
mod tests;
pub mod v1alpha1;

pub use definition::{custom_resource_definitions, from_manifest};
pub use v1alpha1::*;
