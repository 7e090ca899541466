//! The whole, from end to end: an API server, the operator with the chart's rights, and SCIM servers behind a gate and a
//! counter. Each [`World`] has a namespace, an operator and a ledger of its own; those of one test binary share an API
//! server.

mod gate;
mod manifest;
mod story;
mod target;
mod world;

pub use gate::Gate;
pub use manifest::{Application, group, identity, object, policy};
pub use story::{Story, Wave};
pub use target::{Account, Picture, Target};
pub use world::{World, condition, ready_reason, until, versions};
