use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::desired::{Desired, DesiredApplication, planned};
use super::difference::{Turn, given_nothing, turns};
use super::text::STAYS;
use crate::directory::Directory;
use crate::model::Name;

/// A right that time alone gives or takes: a start, an end, a lead time, a window, a membership that runs out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Later {
    /// When.
    pub at: Timestamp,
    /// The application.
    pub application: Name,
    /// The entitlement; `None`: the account.
    pub entitlement: Option<Name>,
    /// What happens to it.
    pub turn: Turn,
    /// Whose.
    pub identity: Name,
    /// False: an account that is made or kept disabled.
    pub enabled: bool,
    /// What it rests on from then on, or did until then.
    pub policies: Vec<Name>,
}

/// A right of which it cannot be told whether somebody had it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Untold {
    /// The application.
    pub application: Name,
    /// The entitlement; `None`: the account, or anything, where the application or the identity is invalid.
    pub entitlement: Option<Name>,
    /// Why.
    pub why: String,
}

/// What time alone changes from the directory's time on, for one identity or for all, in the order of time. The directory
/// is back at its time when this returns.
pub fn later(directory: &mut Directory, whose: Option<&Name>) -> Vec<Later> {
    let now = directory.now();
    let mut desired = planned(directory, whose);
    let mut found = Vec::new();
    while let Some(at) = directory.next_transition() {
        let touched = directory.advance(at);
        for identity in touched.accounts.keys().filter(|name| whose.is_none_or(|whose| *name == whose)) {
            found.extend(moved(directory, &mut desired, identity));
        }
    }
    directory.advance(now);
    found.sort();
    found
}

/// What an identity had until it ended, then; and of what that cannot be told.
pub(super) fn until(directory: &mut Directory, identity: &Name, end: Timestamp) -> (Vec<Later>, Vec<Untold>) {
    let now = directory.now();
    let before = end.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(end);
    directory.advance(before);
    let mut desired = planned(directory, Some(identity));
    let untold = untold(directory, &desired, identity);
    directory.advance(end);
    let mut found = moved(directory, &mut desired, identity);
    directory.advance(now);
    found.sort();
    (found, untold)
}

/// What cannot be told of what is desired of one identity.
fn untold(directory: &Directory, desired: &Desired, identity: &Name) -> Vec<Untold> {
    if directory.identity(identity).is_some_and(|view| view.spec.is_err()) {
        // No policy is asked about who cannot be read.
        let why = || format!("the manifest of Identity {identity} is invalid; `provost lint` says why");
        let one = |name: &Name| Untold { application: name.clone(), entitlement: None, why: why() };
        return desired.applications.keys().chain(&desired.invalid).map(one).collect();
    }
    let invalid = desired.invalid.iter().map(|name| {
        let why = "its manifest is invalid; `provost lint` says why".to_owned();
        Untold { application: name.clone(), entitlement: None, why }
    });
    let undecided = desired.applications.iter().flat_map(|(name, application)| {
        application.undecided.iter().map(|right| Untold {
            application: name.clone(),
            entitlement: right.entitlement.clone(),
            // It has ended: nothing stays.
            why: right.why.trim_end_matches(STAYS).trim_end_matches(": ").to_owned(),
        })
    });
    invalid.chain(undecided).collect()
}

/// What differs for an identity from what was desired; the desired is brought up to date.
fn moved(directory: &Directory, desired: &mut Desired, identity: &Name) -> Vec<Later> {
    let mut found = Vec::new();
    for (name, application) in &mut desired.applications {
        let before = application.part(identity);
        let mut after = before.bare();
        after.take(identity, directory.decision(identity, name));
        for (identity, entitlement, turn) in turns(&before, &after) {
            if given_nothing(directory, &identity, turn) {
                // Nor is it taken, later.
                after.without(&identity, entitlement.as_ref());
                continue;
            }
            let from = if turn == Turn::Lost { &before } else { &after };
            let policies = from.rests_on(&identity, entitlement.as_ref());
            let enabled = entitlement.is_some() || from.accounts.get(&identity).is_some_and(|account| account.enabled);
            let (at, application) = (directory.now(), name.clone());
            found.push(Later { at, application, entitlement, turn, identity, enabled, policies });
        }
        application.join(after);
    }
    found
}

impl DesiredApplication {
    /// What is of one identity, taken out.
    fn part(&mut self, identity: &Name) -> Self {
        let mut part = self.bare();
        part.accounts.extend(self.accounts.remove_entry(identity));
        for (name, entry) in &mut self.entitlements {
            let Some(of) = part.entitlements.get_mut(name) else { continue };
            of.holders.extend(entry.holders.remove_entry(identity));
        }
        part.undecided.extend(self.undecided.extract_if(.., |right| right.identity == *identity));
        part
    }

    /// The catalogue without anybody.
    fn bare(&self) -> Self {
        let mut bare = Self::default();
        for (name, entry) in &self.entitlements {
            let nobody = super::DesiredEntitlement { privileged: entry.privileged, ..Default::default() };
            bare.entitlements.insert(name.clone(), nobody);
        }
        bare
    }

    fn without(&mut self, identity: &Name, entitlement: Option<&Name>) {
        match entitlement {
            None => drop(self.accounts.remove(identity)),
            Some(name) => {
                if let Some(entry) = self.entitlements.get_mut(name) {
                    entry.holders.remove(identity);
                }
            }
        }
    }

    fn join(&mut self, part: Self) {
        self.accounts.extend(part.accounts);
        for (name, of) in part.entitlements {
            self.entitlements.entry(name).or_default().holders.extend(of.holders);
        }
        self.undecided.extend(part.undecided);
    }

    fn rests_on(&self, identity: &Name, entitlement: Option<&Name>) -> Vec<Name> {
        let policies = match entitlement {
            None => self.accounts.get(identity).map(|account| &account.policies),
            Some(name) => self.entitlements.get(name).and_then(|entry| entry.holders.get(identity)),
        };
        policies.cloned().unwrap_or_default()
    }
}
