//! Which values were written before, so that one that is written again is looked at: what a server stores in another form would
//! be written for ever.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use provost_core::model::{Attributes, TargetId};

/// As many are remembered (a megabyte); beyond it, everything counts as written before.
const MOST: usize = 65_536;

/// Numbers that stand for an account, an attribute and a value.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<HashSet<u64>>);

impl Repeats {
    /// Takes note of what was written; whether some of it was before.
    pub(crate) fn again(&self, id: &TargetId, set: &Attributes) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut again = false;
        for (name, value) in set {
            let mut hasher = DefaultHasher::new();
            (id.as_str(), name.as_str(), value).hash(&mut hasher);
            let number = hasher.finish();
            again |= held.contains(&number) || held.len() >= MOST || !held.insert(number);
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_value_of_the_same_account_is_written_again() {
        let repeats = Repeats::default();
        let set = |value: &str| [("title".into(), value.into())].into();
        let (ada, bob) = (TargetId::from("1"), TargetId::from("2"));
        let news = [(&ada, "a"), (&ada, "b"), (&bob, "a")];
        assert!(news.iter().all(|(id, value)| !repeats.again(id, &set(value))));
        assert!(news.iter().all(|(id, value)| repeats.again(id, &set(value))));
        for number in 0..MOST {
            repeats.again(&ada, &set(&number.to_string()));
        }
        assert!(repeats.again(&bob, &set("new")), "looked at once too often rather than never");
    }
}
