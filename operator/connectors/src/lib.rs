//! How Provost speaks to targets: one port ([`target`]), one folder a connector, one suite that all pass
//! ([`contract`]). Connectors never retry and never decide; nothing of Kubernetes enters here but the types of the
//! connectors' settings.

pub mod active_directory;
pub mod contract;
pub mod fake;
pub mod http;
pub mod keycloak;
pub mod ldap;
mod password;
pub mod scim;
pub mod target;

pub use http::{NetworkRules, Permit, Timeouts};
pub use target::{AnyTarget, Credentials, Role, SecretNeed, connect, ends, schema, secrets};
