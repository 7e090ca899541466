//! Who has which target, among all TargetApplications of the operator.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use provost_core::engine::Claim;
use provost_core::model::{Name, TargetError};

use super::targets::lock;

/// Which application manages a target: one target, one TargetApplication, in any namespace. Of two the one that has accounts
/// there, whichever was reached first; else the older one.
#[derive(Default)]
pub struct Claims(Mutex<Claimed>);

#[derive(Default)]
struct Claimed {
    holders: HashMap<Arc<str>, Held>,
    /// Namespaces in which nothing is written: being deleted, or without CRDs. Their claims give way.
    halted: HashSet<Arc<str>>,
}

/// Namespace and name of a TargetApplication.
pub(super) type Holder = (Arc<str>, Name);

/// Who has a target, and by what.
struct Held {
    by: Holder,
    claim: Claim,
    /// It has written there since it was told what it owns.
    wrote: bool,
}

impl Held {
    /// The least one has the target.
    fn rank(&self) -> impl Ord {
        (!self.claim.owns, !self.wrote, self.claim.created, &self.by)
    }
}

impl Claims {
    /// Takes a target for an application that has proven that it may use it, now or when it made the accounts it has there, unless
    /// another one has it with more right.
    pub(super) fn take(&self, fingerprint: &Arc<str>, me: &Holder, claim: Claim) -> Result<(), TargetError> {
        let mut claimed = lock(&self.0);
        let known = claimed.holders.get(fingerprint);
        let wrote = known.is_some_and(|held| held.by == *me && held.wrote);
        let mine = Held { by: me.clone(), claim, wrote };
        let other = known.filter(|held| !claimed.halted.contains(&held.by.0) && held.rank() < mine.rank());
        if let Some(Held { by: other, .. }) = other.filter(|held| held.by != *me) {
            let who = if other.0 == me.0 {
                format!("TargetApplication {}", other.1)
            } else {
                "a TargetApplication of another namespace".to_owned()
            };
            return Err(TargetError::Claimed(
                format!("{who} manages this target already; delete one of the two").into(),
            ));
        }
        // One application has one target: what its ledger had it for before it had another is given back.
        claimed.holders.retain(|_, held| held.by != *me);
        claimed.holders.insert(Arc::clone(fingerprint), mine);
        Ok(())
    }

    /// Whether it has the target and so may write there now.
    pub(super) fn writes(&self, fingerprint: &Arc<str>, me: &Holder) -> bool {
        let mut claimed = lock(&self.0);
        let held = claimed.holders.get_mut(fingerprint).filter(|held| held.by == *me);
        held.map(|held| held.wrote = true).is_some()
    }

    /// Gives its targets back, but for the one that it is to have from now on.
    pub(super) fn release(&self, me: &Holder, but: Option<&Arc<str>>) {
        lock(&self.0).holders.retain(|fingerprint, held| held.by != *me || Some(fingerprint) == but);
    }

    /// A namespace is gone, and so are its claims.
    pub fn forget(&self, namespace: &Arc<str>) {
        let mut claimed = lock(&self.0);
        claimed.holders.retain(|_, held| held.by.0 != *namespace);
        claimed.halted.remove(namespace);
    }

    /// Nothing is written in a namespace any more, or again.
    pub fn halt(&self, namespace: &Arc<str>, halted: Option<bool>) {
        match halted {
            Some(true) => drop(lock(&self.0).halted.insert(Arc::clone(namespace))),
            Some(false) => drop(lock(&self.0).halted.remove(namespace)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A claim of one made so many seconds after the others.
    fn claim(owns: bool, second: i64) -> Claim {
        Claim { owns, created: jiff::Timestamp::from_second(1_800_000_000 + second).unwrap() }
    }

    fn application(name: &str) -> Holder {
        ("acme".into(), name.into())
    }

    /// Whether each may write once both were reached, in both orders.
    fn have(wiki: Claim, twin: Claim) -> [[bool; 2]; 2] {
        let (target, both) = (Arc::from("scim x"), [(application("wiki"), wiki), (application("twin"), twin)]);
        [[0, 1], [1, 0]].map(|order: [usize; 2]| {
            let claims = Claims::default();
            for at in order {
                let _ = claims.take(&target, &both[at].0, both[at].1);
            }
            [0, 1].map(|at| claims.writes(&target, &both[at].0))
        })
    }

    #[test]
    fn of_two_applications_on_one_target_the_same_one_has_it_whichever_is_reached_first() {
        let (first, second) = ([[true, false]; 2], [[false, true]; 2]);
        assert_eq!(have(claim(true, 9), claim(false, 1)), first, "it has accounts there");
        assert_eq!(have(claim(true, 1), claim(true, 9)), first, "both have: it is older");
        let loaded = Claim { owns: true, created: jiff::Timestamp::MAX };
        assert_eq!(have(loaded, claim(false, 1)), first, "by its ledger, without a connection");
        assert_eq!(have(loaded, claim(true, 9)), second, "both have: it connects");
        assert_eq!(have(claim(false, 9), claim(false, 1)), second, "neither has: the other one is older");
        assert_eq!(have(claim(false, 1), claim(false, 1)), second, "of one age: by their names");
    }

    #[test]
    fn who_has_a_target_and_writes_there_keeps_it_through_edits_until_it_has_another_or_is_gone() {
        let (claims, target, other) = (Claims::default(), Arc::from("scim x"), Arc::from("scim y"));
        let (wiki, older) = (application("wiki"), application("older"));
        claims.take(&target, &wiki, claim(false, 9)).unwrap();
        assert!(claims.writes(&target, &wiki));
        claims.release(&wiki, Some(&target));
        let refused = claims.take(&target, &older, claim(false, 1)).unwrap_err().to_string();
        assert!(refused.contains("TargetApplication wiki manages this target already"), "{refused}");
        claims.take(&target, &wiki, claim(false, 9)).unwrap();
        assert!(claims.take(&target, &older, claim(false, 1)).is_err(), "it is known still that it has written");
        claims.release(&wiki, Some(&other));
        claims.take(&target, &older, claim(false, 1)).unwrap();
        claims.take(&other, &older, claim(false, 1)).unwrap();
        assert!(!claims.writes(&target, &older), "it has another one");
        claims.take(&target, &older, claim(false, 1)).unwrap();
        claims.release(&older, None);
        assert!(!claims.writes(&target, &older));
        claims.take(&target, &wiki, claim(false, 9)).unwrap();
        claims.halt(&"acme".into(), Some(true));
        claims.take(&target, &("b".into(), "wiki".into()), claim(false, 99)).unwrap();
        assert!(!claims.writes(&target, &wiki), "where nothing is written a claim gives way");
        claims.forget(&"b".into());
        claims.halt(&"acme".into(), Some(false));
        assert!(!claims.writes(&target, &("b".into(), "wiki".into())), "a namespace that is gone has no claims");
        claims.take(&target, &wiki, claim(false, 100)).unwrap();
    }
}
