//! What the directory says about one identity and one application. `plan` turns it into steps.

use std::collections::BTreeMap;

use crate::model::{Name, Reason, State};

/// Who should have what in one application, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The owner as it stands; `None`: there is no such Identity (gone, which is Ended).
    pub owner: Option<Standing>,
    /// The account.
    pub account: Wanted,
    /// Every catalogue entry that any policy (Allow or Deny) concerns for this identity. Entries not named here are
    /// not wanted and not withheld.
    pub entitlements: BTreeMap<Name, Wanted>,
}

/// How the owner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its lifecycle at the time asked.
    pub state: State,
    /// Suspended or ended as the manifest writes it (not by deletion): the explicit lane.
    pub explicit: bool,
    /// Invalid, or the younger of two duplicates: loses nothing and gains nothing, except that its lifecycle is obeyed
    /// where it disables or ends.
    pub frozen: Option<Reason>,
    /// Pending, and inside the lead time of a matching policy: the account exists, disabled.
    pub lead: bool,
}

/// What the policies say of the account or of one entitlement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Allows that match for sure, sorted.
    pub allow: Vec<Name>,
    /// Allows that are Unknown, sorted: what already rests on them is kept, nothing new is given.
    pub unknown: Vec<Name>,
    /// What withholds it.
    pub withheld: Withheld,
}

/// Whether something is withheld by a Deny or by `requires`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Withheld {
    /// Nothing withholds it.
    #[default]
    No,
    /// A Deny or `requires` is Unknown: nothing new is given, what is withheld stays withheld, what is held stays.
    Unknown,
    /// A Deny matches (these, sorted), or `requires` is false (then the list may be empty).
    Yes(Vec<Name>),
}

impl Wanted {
    /// Granted for sure: an Allow matches and nothing withholds it or may withhold it.
    pub fn is_sure(&self) -> bool {
        !self.allow.is_empty() && self.withheld == Withheld::No
    }

    /// Not to be had for sure: withheld, or no Allow matches or may match.
    pub fn is_refused(&self) -> bool {
        matches!(self.withheld, Withheld::Yes(_)) || (self.allow.is_empty() && self.unknown.is_empty())
    }

    /// A Deny that matches withholds it.
    pub fn is_denied(&self) -> bool {
        matches!(&self.withheld, Withheld::Yes(by) if !by.is_empty())
    }
}
