use std::collections::{BTreeMap, BTreeSet};

use crate::model::Name;

/// What a batch of changes, or time, may have changed. A hint of what to look at: it may name too much, never too
/// little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// By identity, in which applications its decision or its account's attributes may differ now.
    pub accounts: BTreeMap<Name, TouchedApplications>,
    /// Identities whose status may differ: lifecycle state, groups, problems, generation.
    pub identities: BTreeSet<Name>,
    /// Groups whose members or status may differ.
    pub groups: BTreeSet<Name>,
    /// Policies whose status may differ.
    pub policies: BTreeSet<Name>,
    /// Applications that came, went or changed in spec or metadata: every account of theirs is touched, whoever owns it.
    pub applications: BTreeSet<Name>,
}

/// In which applications an identity is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TouchedApplications {
    /// In all of them.
    All,
    /// In these.
    These(BTreeSet<Name>),
}

impl Touched {
    /// Whether nothing may have changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the decision about this identity and this application may have changed.
    pub fn names(&self, identity: &Name, application: &Name) -> bool {
        self.applications.contains(application)
            || match self.accounts.get(identity) {
                Some(TouchedApplications::All) => true,
                Some(TouchedApplications::These(these)) => these.contains(application),
                None => false,
            }
    }
}
