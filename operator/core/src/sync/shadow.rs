//! What the target is believed to hold: digests of accounts, members of groups. In memory alone; observed again after a
//! restart. What began before our last write had become visible is old news and is not remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::ledger::Cache;
use super::row::Account;
use super::table::Place;
use crate::model::{AttributeName, Attributes, Digest, EntitlementKind, Kind, Observed, ObservedEntitlement, TargetId};
use crate::plan::Shade;

/// A group, role or licence.
#[derive(Clone, Debug)]
pub(super) struct GroupShade {
    pub(super) kind: EntitlementKind,
    pub(super) name: Arc<str>,
    pub(super) mark: Option<Arc<str>>,
    /// `None`: not shown, which never means empty.
    pub(super) members: Option<BTreeSet<TargetId>>,
    /// Groups within it, which are not among the members.
    pub(super) groups: usize,
    /// When the observation that says so began.
    pub(super) began: Timestamp,
    round: u32,
}

/// The groups of the target. Accounts are in the rows of the ledger.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    groups: BTreeMap<TargetId, GroupShade>,
    /// Our recent writes of memberships: what they made of them and when.
    recent: BTreeMap<(TargetId, TargetId), (bool, Timestamp)>,
    round: u32,
}

/// Accounts as they were seen.
impl Cache {
    /// What is remembered of an account.
    pub(super) fn seen(&self, id: &TargetId) -> Option<Shade> {
        let place = self.accounts.of_target(id.as_str())?;
        Some(self.accounts.get(place)?.seen(&self.accounts.common)?.0)
    }

    /// Whether an account was seen.
    pub(super) fn is_seen(&self, id: &str) -> bool {
        let place = self.accounts.of_target(id);
        place.and_then(|place| self.accounts.get(place)).is_some_and(Account::is_seen)
    }

    /// Every account that was seen.
    pub(super) fn all_seen(&self) -> impl Iterator<Item = (TargetId, Shade)> {
        self.accounts.iter().filter_map(|(_, account)| self.whole(account))
    }

    /// Those that are nobody's in the ledger.
    pub(super) fn strangers(&self) -> impl Iterator<Item = (TargetId, Shade)> {
        let strangers = self.accounts.iter().filter(|(_, account)| account.row().is_none());
        strangers.filter_map(|(_, account)| self.whole(account))
    }

    fn whole(&self, account: &Account) -> Option<(TargetId, Shade)> {
        Some((account.target_id()?.into(), account.seen(&self.accounts.common)?.0))
    }

    /// Accounts whose key attribute has this text, by the attribute's own case rule.
    pub(super) fn with_key(&self, attribute: &AttributeName, text: &str) -> Vec<TargetId> {
        let found = self.accounts.of_key(attribute, text).into_iter();
        found.filter_map(|place| Some(self.accounts.get(place)?.target_id()?.into())).collect()
    }

    /// Remembers an account that was seen; one that is old news is only known to be there.
    pub(super) fn remember(&mut self, observed: &Observed, old: bool, round: u32) {
        let place = self.accounts.of_target(observed.id.as_str());
        let known = place.and_then(|place| self.accounts.get_mut(place)).filter(|_| old);
        if known.is_some_and(|(account, _)| account.shown(round)) {
            return;
        }
        let mut shade = Shade::of(observed, &self.accounts.common.keys, self.schema);
        shade.fresh = !old;
        shade.barred &= !old;
        self.see(&observed.id, shade, round);
    }

    /// A new account as we believe to have made it: these are the digests of all its attributes.
    pub(super) fn made(
        &mut self,
        id: &TargetId,
        enabled: bool,
        attributes: &Attributes,
        digests: &BTreeMap<AttributeName, Digest>,
        round: u32,
    ) {
        let digests = digests.iter().map(|(name, digest)| (name.clone(), *digest)).collect();
        let mut shade = Shade::with(enabled, attributes, digests, &self.accounts.common.keys);
        shade.fresh = false;
        self.see(id, shade, round);
    }

    /// An account as we believe to have changed it.
    pub(super) fn believe(&mut self, id: &TargetId, round: u32, change: impl FnOnce(&mut Shade)) {
        let Some(mut shade) = self.seen(id) else { return };
        change(&mut shade);
        shade.fresh = false;
        shade.barred &= !shade.enabled;
        self.see(id, shade, round);
    }

    fn see(&mut self, id: &TargetId, shade: Shade, round: u32) {
        let Some(place) = self.accounts.of_target(id.as_str()) else {
            let account = Account::of_stranger(id.as_str(), (shade, round), &mut self.accounts.common);
            _ = self.accounts.add(account);
            return;
        };
        // Mostly it is found by the same keys as before.
        let known = self.accounts.get_mut(place);
        if !known.is_some_and(|(account, common)| account.sees(&shade, round, common)) {
            self.accounts.change(place, |account, common| Some(account.seen_as((shade, round), common)));
        }
    }

    /// It is not there.
    pub(super) fn unsee(&mut self, id: &TargetId) {
        if let Some(place) = self.accounts.of_target(id.as_str()) {
            self.accounts.change(place, Account::unseen);
        }
    }

    /// A complete round ended: what it did not show is gone, except what was `spared` for when it was last written.
    pub(super) fn end_round(&mut self, round: u32, spared: impl Fn(Option<Timestamp>) -> bool) {
        let last_write = |account: &Account| account.row().and_then(|row| row.last_write);
        let gone = |account: &Account| account.was_shown(round) == Some(false) && !spared(last_write(account));
        let gone: Vec<Place> =
            self.accounts.iter().filter(|(_, account)| gone(account)).map(|(place, _)| place).collect();
        for place in gone {
            self.accounts.change(place, Account::unseen);
        }
    }

    /// What was seen says nothing any more; from here on accounts are recognised by the texts of these attributes.
    pub(super) fn recognise_by(&mut self, keys: Vec<AttributeName>) {
        let seen = self.accounts.iter().filter(|(_, account)| account.is_seen());
        let seen: Vec<Place> = seen.map(|(place, _)| place).collect();
        for place in seen {
            self.accounts.change(place, Account::unseen);
        }
        self.accounts.recognise_by(keys, self.schema);
    }
}

impl Shadow {
    pub(super) fn group(&self, id: &TargetId) -> Option<&GroupShade> {
        self.groups.get(id)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&TargetId, &GroupShade)> {
        self.groups.iter()
    }

    /// A round of observation begins.
    pub(super) fn begin_round(&mut self, forget_before: Timestamp) {
        self.round += 1;
        self.recent.retain(|_, (_, at)| *at >= forget_before);
    }

    /// A membership as we made it.
    pub(super) fn change_member(&mut self, group: &TargetId, account: &TargetId, held: bool, at: Timestamp) {
        self.recent.insert((group.clone(), account.clone()), (held, at));
        if let Some(members) = self.groups.get_mut(group).and_then(|g| g.members.as_mut()) {
            if held {
                members.insert(account.clone())
            } else {
                members.remove(account)
            };
        }
    }

    /// What a read of an account says about what it holds.
    pub(super) fn remember_holds(&mut self, account: &TargetId, holds: &[TargetId]) {
        for (id, group) in &mut self.groups {
            if let Some(members) = &mut group.members {
                if holds.contains(id) {
                    members.insert(account.clone())
                } else {
                    members.remove(account)
                };
            }
        }
    }

    /// A group that we created. Its members are known (there are none) only where listings show them.
    pub(super) fn add_group(&mut self, id: TargetId, name: Arc<str>, mark: Arc<str>, shown: bool, at: Timestamp) {
        let (kind, round) = (EntitlementKind::Group, self.round);
        let members = shown.then(BTreeSet::new);
        self.groups.insert(id, GroupShade { kind, name, mark: Some(mark), members, groups: 0, began: at, round });
    }

    /// A group that we deleted.
    pub(super) fn forget_group(&mut self, id: &TargetId) {
        self.groups.remove(id);
    }

    /// How many rounds have begun.
    pub(super) const fn round(&self) -> u32 {
        self.round
    }

    /// A complete round of this kind ended: what it did not show is gone, except what `spared` says was written since.
    pub(super) fn end_round(&mut self, kind: Kind, spared: impl Fn(&TargetId) -> bool) {
        let round = self.round;
        self.groups.retain(|id, group| group.round >= round || kind_of(group.kind) != kind || spared(id));
    }

    /// A listing that began before our write had become visible does not show it; one that began later is right.
    pub(super) fn remember_group(&mut self, observed: ObservedEntitlement, began: Timestamp, visibility: Duration) {
        let ObservedEntitlement { id, kind, name, mark, members, groups } = observed;
        let mut members: Option<BTreeSet<TargetId>> = members.map(|m| m.into_iter().collect());
        if let Some(members) = &mut members {
            let from = (id.clone(), TargetId::new(""));
            let written = self.recent.range(from..).take_while(|((group, _), _)| *group == id);
            let hidden = |at: &Timestamp| at.checked_add(visibility).is_ok_and(|visible| began <= visible);
            for ((_, account), (held, _)) in written.filter(|(_, (_, at))| hidden(at)) {
                if *held {
                    members.insert(account.clone())
                } else {
                    members.remove(account)
                };
            }
        }
        let groups = groups.len();
        self.groups.insert(id, GroupShade { kind, name, mark, members, groups, began, round: self.round });
    }
}

/// Which listing shows entitlements of a kind.
pub(super) fn kind_of(kind: EntitlementKind) -> Kind {
    match kind {
        EntitlementKind::Group => Kind::Groups,
        EntitlementKind::Role => Kind::Roles,
        EntitlementKind::License => Kind::Licenses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::SCHEMA;
    use crate::model::{Owner, Record, RecordId, RecordState, Value};
    use crate::plan::{Fold, digest};
    use crate::random::{seeds, splitmix64};
    use crate::sync::row::Row;

    const KEYS: [&str; 2] = ["userName", "externalId"];

    fn record(id: u64, owner: &str, external_id: Option<&str>, target_id: Option<&str>) -> Record {
        Record {
            id: RecordId(id),
            owner: Owner { name: owner.into(), uid: "3f0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f10".into() },
            external_id: external_id.map(Into::into),
            user_name: owner.into(),
            target_id: target_id.map(Into::into),
            state: RecordState::Active,
            written: [("title".into(), Digest(id))].into(),
            policies: BTreeSet::new(),
            grants: BTreeMap::new(),
            disabled_at: None,
            delete_at: None,
            last_write: None,
            created: true,
        }
    }

    fn observed(id: &str, user_name: &str, external_id: Option<&str>) -> Observed {
        let keys = [("userName", Some(user_name)), ("externalId", external_id)];
        let attributes = keys.into_iter().filter_map(|(key, text)| Some((key.into(), Value::from(text?))));
        Observed { id: id.into(), enabled: true, attributes: attributes.collect(), holds: None }
    }

    /// The same as plainly as can be: records, who holds an account, what was seen of it and in which round.
    #[derive(Default)]
    struct Plain {
        records: BTreeMap<RecordId, Record>,
        holders: BTreeMap<TargetId, RecordId>,
        seen: BTreeMap<TargetId, (Observed, u32)>,
    }

    impl Plain {
        fn forget(&mut self, id: RecordId) {
            self.records.remove(&id);
            self.holders.retain(|_, holder| *holder != id);
        }

        fn compare(&self, cache: &Cache, what: &str) {
            assert!(cache.records().count() == self.records.len(), "{what}");
            for (id, record) in &self.records {
                assert_eq!(cache.record(*id).map(Row::record).as_ref(), Some(record), "{what}");
            }
            let all: Vec<&Record> = self.records.values().collect();
            let of = |which: &dyn Fn(&Record) -> bool| -> Vec<Record> {
                all.iter().filter(|record| which(record)).map(|record| (*record).clone()).collect()
            };
            for text in TEXTS {
                assert_eq!(cache.of_name(&text.into()), of(&|record| record.owner.name.as_str() == text), "{what}");
                let external = cache.of_external(text);
                assert_eq!(external, of(&|record| record.external_id.as_deref() == Some(text)), "{what}");
                for key in KEYS {
                    let found: BTreeSet<TargetId> = cache.with_key(&key.into(), text).into_iter().collect();
                    let has = |observed: &Observed| observed.attributes.get(key) == Some(&Value::from(text));
                    let there = self.seen.iter().filter(|(_, (observed, _))| has(observed));
                    assert_eq!(found, there.map(|(id, _)| id.clone()).collect(), "{what}: {key} {text:?}");
                }
            }
            for id in ACCOUNTS.map(TargetId::from) {
                assert_eq!(cache.of_target(&id).map(|row| row.id), self.holders.get(&id).copied(), "{what}: {id}");
                let seen =
                    self.seen.get(&id).map(|(observed, _)| Shade::of(observed, &KEYS.map(Into::into).into(), &SCHEMA));
                assert_eq!(cache.seen(&id), seen, "{what}: {id}");
                let stranger = cache.strangers().any(|(stranger, _)| stranger == id);
                assert_eq!(stranger, seen.is_some() && !self.holders.contains_key(&id), "{what}: {id}");
            }
        }
    }

    const ACCOUNTS: [&str; 3] = ["t0", "t1", "t2"];
    /// Names, externalIds and key texts alike; some look like what stands for another text.
    const TEXTS: [&str; 5] = ["ada", "=ada", "\u{2}", "E-1", "t1"];

    #[test]
    fn a_new_account_is_remembered_as_one_that_was_seen_and_then_written() {
        for enabled in [true, false] {
            let observed = Observed { enabled, ..observed("t0", "Ada", Some("E-1")) };
            let fold = |name| Fold::of(&SCHEMA, name);
            let digests =
                observed.attributes.iter().map(|(name, value)| (name.clone(), digest(value, fold(name)).unwrap()));
            let [mut seen, mut made] = [(); 2].map(|()| Cache::new(KEYS.map(Into::into).into(), &SCHEMA));
            seen.remember(&observed, false, 3);
            seen.believe(&observed.id, 3, |_| {});
            made.made(&observed.id, enabled, &observed.attributes, &digests.collect(), 3);
            for round in [3, 4] {
                assert_eq!(made.seen(&observed.id), seen.seen(&observed.id), "enabled {enabled}, round {round}");
                assert_eq!(made.is_seen("t0"), round == 3 || seen.is_seen("t0"));
                assert_eq!(made.with_key(&"userName".into(), "ada"), seen.with_key(&"userName".into(), "ada"));
                for cache in [&mut seen, &mut made] {
                    cache.end_round(round + 1, |_| false);
                }
            }
        }
    }

    #[test]
    fn accounts_are_found_and_read_as_if_records_and_what_was_seen_were_apart() {
        for seed in seeds(0..60) {
            let mut state = seed;
            let mut random = |below: usize| usize::try_from(splitmix64(&mut state) % below as u64).unwrap();
            let (mut cache, mut plain) = (Cache::new(KEYS.map(Into::into).into(), &SCHEMA), Plain::default());
            for step in 0..200_u32 {
                let id = RecordId(1 + random(4) as u64);
                let account = TargetId::from(ACCOUNTS[random(3)]);
                let (one, other) = (TEXTS[random(5)], Some(TEXTS[random(5)]).filter(|_| random(3) > 0));
                match random(6) {
                    0 | 1 => {
                        let target = Some(account.as_str()).filter(|_| random(4) > 0);
                        let new = record(id.0, one, other, target);
                        if plain.records.get(&id) != Some(&new) {
                            plain.forget(id);
                            plain.holders.extend(target.map(|target| (target.into(), id)));
                            plain.records.insert(id, new.clone());
                        }
                        cache.put(new);
                    }
                    2 => {
                        plain.forget(id);
                        cache.forget(id);
                    }
                    3 | 4 => {
                        let observed = observed(account.as_str(), one, other);
                        cache.remember(&observed, false, step);
                        plain.seen.insert(account, (observed, step));
                    }
                    _ if random(2) == 0 => {
                        plain.seen.remove(&account);
                        cache.unsee(&account);
                    }
                    _ => {
                        let round = step.saturating_sub(8);
                        plain.seen.retain(|_, (_, seen)| *seen >= round);
                        cache.end_round(round, |_| false);
                    }
                }
                plain.compare(&cache, &format!("seed {seed}, step {step}"));
            }
            cache.recognise_by(vec!["externalId".into()]);
            assert_eq!((cache.all_seen().count(), cache.records().count()), (0, plain.records.len()), "seed {seed}");
        }
    }
}
