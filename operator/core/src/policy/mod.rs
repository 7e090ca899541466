//! CEL: scan, parse, check, evaluate, trace. A rule is text until [`compile`] has checked it against the schema of an
//! identity; then it is a [`Rule`], which can be evaluated without allocation, within a counted budget, on any input.
//! No resource type, no clock and no decision enters here: what a rule means for a grant is `directory`'s.

mod diagnostic;
mod facts;
mod parse;
mod reads;
mod rule;
mod scan;
mod terms;
mod trace;

pub use diagnostic::{Diagnostic, Severity};
pub use facts::{Cost, Facts, GroupId, Manager, Memberships, Truth, Unknown};
pub use reads::Reads;
pub use rule::{Rule, Scope, Site, compile, evaluate, matches};
pub use terms::{Key, Term};
pub use trace::{Outcome, Part, Trace, trace};
