//! What the target is believed to hold: digests of accounts, members of groups. In memory alone; observed again after a
//! restart. What began before our last write had become visible is old news and is not remembered.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{AttributeName, EntitlementKind, Item, Kind, Observed, ObservedEntitlement, Schema, TargetId};
use crate::plan::{Digests, Fold, Lists, Shade};

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
    round: u64,
}

#[derive(Debug)]
struct Entry {
    shade: Shade,
    round: u64,
}

/// The whole target.
#[derive(Debug)]
pub(super) struct Shadow {
    accounts: BTreeMap<TargetId, Box<Entry>>,
    groups: BTreeMap<TargetId, GroupShade>,
    by_key: BTreeSet<(u64, TargetId)>,
    /// Attributes kept as text.
    keys: Arc<[AttributeName]>,
    /// Which attributes accounts have.
    names: Lists<AttributeName>,
    /// Our recent writes of memberships: what they made of them and when.
    recent: BTreeMap<(TargetId, TargetId), (bool, Timestamp)>,
    round: u64,
}

impl Shadow {
    pub(super) fn new(keys: Vec<AttributeName>) -> Self {
        Self {
            accounts: BTreeMap::new(),
            groups: BTreeMap::new(),
            by_key: BTreeSet::new(),
            keys: keys.into(),
            names: Lists::default(),
            recent: BTreeMap::new(),
            round: 0,
        }
    }

    pub(super) fn account<Q: Ord + ?Sized>(&self, id: &Q) -> Option<&Shade>
    where
        TargetId: Borrow<Q>,
    {
        self.accounts.get(id).map(|entry| &entry.shade)
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = (&TargetId, &Shade)> {
        self.accounts.iter().map(|(id, entry)| (id, &entry.shade))
    }

    pub(super) fn group(&self, id: &TargetId) -> Option<&GroupShade> {
        self.groups.get(id)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&TargetId, &GroupShade)> {
        self.groups.iter()
    }

    /// Accounts whose key attribute has this text, by the attribute's own case rule (a superset: re-checked by `plan`).
    pub(super) fn with_key<'a>(
        &'a self,
        attribute: &AttributeName,
        text: &str,
        schema: &Schema,
    ) -> impl Iterator<Item = &'a TargetId> + use<'a> {
        let hash = key_hash(attribute, text, schema);
        let found = self.by_key.range((hash, TargetId::new(""))..);
        found.take_while(move |(other, _)| *other == hash).map(|(_, id)| id)
    }

    /// A round of observation begins.
    pub(super) fn begin_round(&mut self, forget_before: Timestamp) {
        self.round += 1;
        self.recent.retain(|_, (_, at)| *at >= forget_before);
    }

    /// Remembers one listed thing. `visibility`: how long a write may not show; `known` says of an account whether it is
    /// old news, and what the ledger says was written.
    pub(super) fn remember<'a>(
        &mut self,
        item: Item,
        began: Timestamp,
        visibility: Duration,
        known: impl Fn(&TargetId) -> (bool, Option<&'a Digests>),
        schema: &Schema,
    ) {
        match item {
            Item::Account(observed) => {
                let (old, written) = known(&observed.id);
                self.remember_account(&observed, old, written, schema);
            }
            Item::Entitlement(observed) => self.remember_group(observed, began, visibility),
        }
    }

    /// Remembers an account that was seen; one that is old news is only known to be there.
    pub(super) fn remember_account(
        &mut self,
        observed: &Observed,
        old: bool,
        written: Option<&Digests>,
        schema: &Schema,
    ) {
        let round = self.round;
        if old && let Some(entry) = self.accounts.get_mut(&observed.id) {
            entry.round = round;
            return;
        }
        let mut shade = Shade::of(observed, &self.keys, schema);
        shade.fresh = !old;
        shade.share(written, &mut self.names);
        self.replace(&observed.id, Some(shade), schema);
    }

    /// The account as we believe to have made it.
    pub(super) fn change_account(&mut self, id: &TargetId, schema: &Schema, change: impl FnOnce(&mut Shade)) {
        let Some(mut shade) = self.account(id).cloned() else { return };
        change(&mut shade);
        shade.share(None, &mut self.names);
        self.replace(id, Some(shade), schema);
    }

    /// It is not there.
    pub(super) fn forget_account(&mut self, id: &TargetId, schema: &Schema) {
        self.replace(id, None, schema);
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
    pub(super) const fn round(&self) -> u64 {
        self.round
    }

    /// A complete round of this kind ended: what it did not show is gone, except what `spared` says was written since.
    pub(super) fn end_round(&mut self, kind: Kind, spared: impl Fn(&TargetId) -> bool, schema: &Schema) {
        let round = self.round;
        if kind == Kind::Accounts {
            let gone = self.accounts.iter().filter(|(id, entry)| entry.round < round && !spared(id));
            let gone: Vec<TargetId> = gone.map(|(id, _)| id.clone()).collect();
            for id in gone {
                self.replace(&id, None, schema);
            }
        } else {
            self.groups.retain(|id, group| group.round >= round || kind_of(group.kind) != kind || spared(id));
        }
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

    fn replace(&mut self, id: &TargetId, shade: Option<Shade>, schema: &Schema) {
        let round = self.round;
        // Mostly it is found by the same keys as before.
        if let (Some(shade), Some(entry)) = (&shade, self.accounts.get_mut(id))
            && shade.keys().eq(entry.shade.keys())
        {
            **entry = Entry { shade: shade.clone(), round };
            return;
        }
        if let Some(old) = self.accounts.remove(id) {
            for (attribute, text) in old.shade.keys() {
                self.by_key.remove(&(key_hash(attribute, text, schema), id.clone()));
            }
        }
        let Some(shade) = shade else { return };
        for (attribute, text) in shade.keys() {
            self.by_key.insert((key_hash(attribute, text, schema), id.clone()));
        }
        self.accounts.insert(id.clone(), Box::new(Entry { shade, round }));
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

fn key_hash(attribute: &AttributeName, text: &str, schema: &Schema) -> u64 {
    let folded = Fold::of(schema, attribute).apply(text);
    let bytes = attribute.as_str().bytes().chain([0]).chain(folded.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
