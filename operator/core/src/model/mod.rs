//! The words of the field as types that cannot be wrong: identities, groups, policies, target applications,
//! what is said to a target, and what the ledger remembers. No resource type and no wire type enters here.

mod access_policy;
mod change;
pub mod dn;
mod group;
mod identity;
mod ledger;
mod name;
mod packed;
mod parts;
mod reason;
mod spelling;
mod target;
mod target_application;
mod value;

pub use access_policy::*;
pub use change::*;
pub use group::*;
pub use identity::*;
pub use ledger::*;
pub use name::*;
pub use packed::*;
pub use parts::Several;
pub(crate) use parts::Texts;
pub use reason::*;
pub use spelling::*;
pub use target::*;
pub use target_application::*;
pub use value::*;
