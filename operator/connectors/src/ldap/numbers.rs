//! Numbers for posixAccount and posixGroup. The next free one is kept in the directory and only grows, so that the number of
//! somebody who has left is never given to another person, whose it then would be to read what is left of the files.

use std::collections::BTreeSet;

use provost_core::model::{Spent, TargetError};

use super::Ldap;
use super::settings::Range;
use super::wire::error::no_base;
use super::wire::{Change, Filter, Search, code, values};

/// Numbers that are taken at once. What is not used until the operator stops is not used at all.
const BLOCK: u32 = 16;
/// How often another one may be faster.
const ATTEMPTS: usize = 20;

const COUNTER: &str = "uidNumber";
/// Where numbers are in use.
const NAMES: [&str; 2] = [COUNTER, "gidNumber"];

/// Numbers that are ours to give.
#[derive(Debug, Default)]
pub(super) struct Numbers(BTreeSet<u32>);

impl Ldap {
    /// A number that nobody has or had.
    pub(super) async fn number(&self, range: &Range, spent: &mut Spent) -> Result<u32, TargetError> {
        let mut numbers = self.numbers.lock().await;
        for _ in 0..ATTEMPTS {
            if let Some(number) = numbers.0.pop_first() {
                return Ok(number);
            }
            let held = self.counter(range, spent).await?;
            let next = held.max(range.first);
            if next > range.last {
                return Err(used_up(range));
            }
            let after = next.saturating_add(BLOCK).min(range.last.saturating_add(1));
            // The old value goes by name: if another one counted meanwhile, this fails.
            let changes = vec![
                Change::Delete(COUNTER.into(), values([held.to_string()])),
                Change::Add(COUNTER.into(), values([after.to_string()])),
            ];
            match self.wire.modify(&range.counter, changes, Vec::new(), spent).await {
                Ok(_) => {}
                Err(refusal) if refusal.code == Some(code::NO_SUCH_ATTRIBUTE) => continue,
                Err(refusal) => return Err(refusal.into()),
            }
            let used = self.used(next, after - 1, spent).await?;
            numbers.0.extend((next..after).filter(|number| !used.contains(number)));
        }
        Err(TargetError::Transient("others count up the numbers all the time".into()))
    }

    async fn counter(&self, range: &Range, spent: &mut Spent) -> Result<u32, TargetError> {
        let search = Search::at(&range.counter, Filter::any(), &[COUNTER.to_owned()]);
        let found = self.wire.search(search, spent).await.map_err(|refusal| no_base(refusal, &range.counter))?;
        let held = found.entries.first().and_then(|entry| entry.text(COUNTER)?.parse().ok());
        let missing = || {
            TargetError::Unsupported(
                format!("{} holds no next number in {COUNTER}; write it there", range.counter).into(),
            )
        };
        held.ok_or_else(missing)
    }

    /// Numbers that were given in another way.
    async fn used(&self, first: u32, last: u32, spent: &mut Spent) -> Result<BTreeSet<u32>, TargetError> {
        let filter = holders(first, last);
        let groups = self.settings.groups.as_ref().map(|groups| groups.base.as_str());
        let mut used = BTreeSet::new();
        for base in self.settings.bases().into_iter().chain(groups) {
            let search = Search::below(base, filter.clone(), &NAMES.map(str::to_owned));
            let found = self.wire.search(search, spent).await.map_err(|refusal| no_base(refusal, base))?;
            let numbers =
                found.entries.iter().flat_map(|entry| NAMES.map(|name| entry.text(name)?.parse::<u32>().ok()));
            used.extend(numbers.flatten());
        }
        Ok(used)
    }
}

/// Who has one of these numbers. One by one: RFC 2307 gives them no order, and a server that follows it finds nothing by `>=`, with success.
fn holders(first: u32, last: u32) -> Filter {
    let equal = |number: u32| NAMES.map(|name| Filter::equal(name, number.to_string()));
    Filter::Or((first..=last).flat_map(equal).collect())
}

fn used_up(range: &Range) -> TargetError {
    TargetError::Rejected {
        field: Some(COUNTER.into()),
        reason: format!("the numbers {} to {} are used up; raise accounts.posix.last", range.first, range.last).into(),
        detail: "".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_use_are_asked_for_by_equality_alone() {
        let Filter::Or(parts) = holders(100, 115) else { panic!("one of them") };
        assert_eq!(parts.len(), 32);
        assert!(parts.iter().all(|part| matches!(part, Filter::Equal(..))), "{parts:?}");
        assert!(
            parts.contains(&Filter::equal("gidNumber", "115")) && !parts.contains(&Filter::equal("uidNumber", "116"))
        );
    }
}
