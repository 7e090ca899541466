//! The custom resources of Provost. The Rust types are the source; the YAML beside them in `yaml/` is generated, and a test
//! compares the two.

mod definition;
#[cfg(test)]
mod tests;
pub mod v1alpha1;

pub use definition::{custom_resource_definitions, from_manifest};
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
pub use v1alpha1::*;

/// The finalizer of a TargetApplication; the other kinds have none.
pub const FINALIZER: &str = "provost.dev/targetapplication";
/// The annotation of a TargetApplication that forces a sync whenever its value changes.
pub const RECONCILE_NOW: &str = "provost.dev/reconcile-now";
/// The annotation of a Secret that lists the hosts it may be sent to.
pub const ALLOWED_HOSTS: &str = "provost.dev/allowed-hosts";
