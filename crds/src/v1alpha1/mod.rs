//! Version v1alpha1 of the four resources, and the pieces they are made of.

#[allow(clippy::duplicated_attributes, reason = "the columns of a table are alike")]
mod access_policy;
mod connector;
#[allow(clippy::duplicated_attributes, reason = "the columns of a table are alike")]
mod group;
#[allow(clippy::duplicated_attributes, reason = "the columns of a table are alike")]
mod identity;
mod reference;
mod rule;
mod status;
#[allow(clippy::duplicated_attributes, reason = "the columns of a table are alike")]
mod target_application;
mod time;
mod word;

pub use access_policy::*;
pub use connector::*;
pub use group::*;
pub use identity::*;
pub use reference::*;
pub use status::*;
pub use target_application::*;
pub use time::*;
