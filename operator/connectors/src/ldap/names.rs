//! Which entry has which id: ids are what the core knows, names are what LDAP speaks. What is remembered here is a hint; every
//! write asserts the id, and who is not where it was is looked for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_core::model::TargetId;

use super::wire::dn;

/// For how long a name is taken for true where it cannot be asserted: as a value in a group.
const FRESH: Duration = Duration::from_mins(1);

/// What is remembered of an entry.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) dn: Arc<str>,
    /// Its login name, where groups hold that.
    pub(super) login: Option<Arc<str>>,
    seen: Instant,
}

impl Known {
    pub(super) fn is_fresh(&self) -> bool {
        self.seen.elapsed() < FRESH
    }
}

/// Entries of one sort.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    by_id: HashMap<TargetId, Known>,
    by_dn: HashMap<String, TargetId>,
    by_login: HashMap<String, TargetId>,
    /// Names that groups hold and nobody has, in normal form: whoever gets one must not inherit what it holds.
    dangling: HashSet<String>,
}

impl Names {
    pub(super) fn learn(&mut self, id: &TargetId, dn: &str, login: Option<&str>) {
        self.forget(id);
        let normal = dn::normal(dn);
        if let Some(before) = self.by_dn.get(&normal).cloned() {
            self.forget(&before);
        }
        if let Some(login) = login {
            self.by_login.insert(login.to_owned(), id.clone());
        }
        self.dangling.remove(&normal);
        self.by_dn.insert(normal, id.clone());
        let known = Known { dn: dn.into(), login: login.map(Into::into), seen: Instant::now() };
        self.by_id.insert(id.clone(), known);
    }

    pub(super) fn forget(&mut self, id: &TargetId) {
        let Some(known) = self.by_id.remove(id) else { return };
        let normal = dn::normal(&known.dn);
        if self.by_dn.get(&normal) == Some(id) {
            self.by_dn.remove(&normal);
        }
        if let Some(login) = known.login
            && self.by_login.get(&*login) == Some(id)
        {
            self.by_login.remove(&*login);
        }
    }

    /// Everything that is known.
    pub(super) fn ids(&self) -> BTreeSet<TargetId> {
        self.by_id.keys().cloned().collect()
    }

    pub(super) fn of(&self, id: &TargetId) -> Option<Known> {
        self.by_id.get(id).cloned()
    }

    pub(super) fn named(&self, dn: &str) -> Option<TargetId> {
        self.by_dn.get(&dn::normal(dn)).cloned()
    }

    pub(super) fn with_login(&self, login: &str) -> Option<TargetId> {
        self.by_login.get(login).cloned()
    }

    pub(super) fn dangles(&mut self, dn: &str) {
        self.dangling.insert(dn::normal(dn));
    }

    pub(super) fn is_dangling(&self, dn: &str) -> bool {
        !self.dangling.is_empty() && self.dangling.contains(&dn::normal(dn))
    }

    pub(super) fn settled(&mut self, dn: &str) {
        self.dangling.remove(&dn::normal(dn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_takes_anothers_name_takes_it_from_it() {
        let (mut names, one, two) = (Names::default(), TargetId::from("1"), TargetId::from("2"));
        names.learn(&one, "uid=ada,dc=x", Some("ada"));
        names.learn(&two, "UID=Ada, dc=x", Some("ada"));
        assert!(names.of(&one).is_none());
        assert_eq!(names.named("uid=ada,dc=x"), Some(two.clone()));
        names.learn(&two, "uid=bob,dc=x", Some("bob"));
        assert_eq!((names.named("uid=ada,dc=x"), names.with_login("ada")), (None, None));
        assert_eq!(names.with_login("bob"), Some(two));
    }

    #[test]
    fn a_name_dangles_until_somebody_has_it() {
        let mut names = Names::default();
        names.dangles("uid=ada,dc=x");
        assert!(names.is_dangling("UID=ada,DC=x"));
        names.learn(&TargetId::from("1"), "uid=ada,dc=x", None);
        assert!(!names.is_dangling("uid=ada,dc=x"));
    }
}
