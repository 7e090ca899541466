//! CEL: scan, parse, check, evaluate, trace. A rule is text until [`compile`] has checked it against the schema of an
//! identity; then it is a [`Rule`], which can be evaluated without allocation, within a counted budget, on any input.
//! No resource type, no clock and no decision enters here: what a rule means for a grant is `directory`'s.

mod absence;
mod call;
mod check;
mod check_calls;
mod check_index;
mod check_operators;
mod convert;
mod diagnostic;
mod eval;
mod facts;
mod fold;
mod functions;
mod guard;
mod inverse;
mod node;
mod parse;
mod reads;
mod rule;
mod scan;
mod strings;
mod terms;
#[cfg(test)]
mod tests;
mod time;
mod trace;
mod transliterate;
mod types;
mod value;

pub use diagnostic::{Diagnostic, Severity};
pub use facts::{Cost, Facts, GroupId, Manager, Memberships, Truth, Unknown};
pub use inverse::{AddressField, Told, slug};
pub use reads::Reads;
pub use rule::{Rule, Scope, Site, compile, evaluate, matches};
pub use terms::{Key, Term};
pub use trace::{Outcome, Part, Trace, trace};
