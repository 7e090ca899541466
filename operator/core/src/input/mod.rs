//! The only module that names the custom resources: a manifest becomes the model, or a list of field errors. Everything that
//! the schema enforces is checked again here, since files are read without an API server and servers outlive schemas.
//! Rules are carried as text alone; whoever compiles them says what is wrong with them.

mod access_policy;
mod active_directory;
mod change;
mod check;
mod connector;
mod directory;
mod group;
mod identity;
mod keycloak;
mod ldap;
mod manifest;
mod path;
mod target_application;
mod url;

#[cfg(test)]
mod tests;

pub use access_policy::access_policy;
pub use active_directory::ACTIVE_DIRECTORY_CONTROL;
pub use change::{
    access_policy_change, draft, group_change, identity_change, meta, target_application_change, unreadable,
};
pub use check::is_object_name;
pub use group::group;
pub use identity::{identity, mapped_user_name};
pub use ldap::LDAP_CONTROL;
pub use manifest::{access_policy_manifest, group_manifest, identity_errors, identity_manifest};
pub use target_application::target_application;
