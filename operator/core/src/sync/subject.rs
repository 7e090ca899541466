//! What is known of an account, put together for `plan`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::flight::{Part, group_of};
use super::gather::Gathered;
use super::shadow::kind_of;
use super::{Context, FRESH, Sync};
use crate::directory::AttributeValue;
use crate::model::{AttributeName, Kind, Name, Record, RecordId, Step, TargetId, Value};
use crate::plan::{self, AppRules, Candidate, CatalogueView, Fold, Matches, Planned, Seen, Subject, Verdict};
use crate::report;

/// A decision since which nothing was heard is asked again after this all the same.
const STANDS: Duration = Duration::from_secs(1);

impl Sync {
    /// Plans one account.
    pub(super) fn plan(&self, gathered: &Gathered, cx: &Context<'_>) -> Verdict {
        let id = gathered.record.as_ref().and_then(|record| record.target_id.as_ref());
        let shade = id.and_then(|id| self.ledger.seen(id));
        let seen = id.map_or(Seen::Unknown, |id| self.seen(id, shade.as_ref()));
        self.plan_seen(gathered, seen, cx)
    }

    /// Plans an account that is not there yet, as if it were.
    pub(super) fn plan_unseen(&self, gathered: &Gathered, cx: &Context<'_>) -> Verdict {
        self.plan_seen(gathered, Seen::Unknown, cx)
    }

    fn plan_seen(&self, gathered: &Gathered, seen: Seen<'_>, cx: &Context<'_>) -> Verdict {
        let record = gathered.record.as_ref();
        let id = record.and_then(|record| record.target_id.as_ref());
        let last_write = record.and_then(|record| record.last_write);
        let catalogue = self.catalogue(record.map(|record| record.id).zip(id), last_write, cx);
        let matches = if id.is_none() { self.matches(gathered, cx) } else { Matches::default() };
        let vanished = record.map(|record| self.vanished_of(record, &catalogue)).unwrap_or_default();
        let subject = Subject {
            owner: &gathered.owner,
            decision: &gathered.decision,
            external_id: gathered.external_id.as_ref(),
            user_name: &gathered.user_name,
            keys: &gathered.keys,
            mark: &gathered.mark,
            attributes: &gathered.attributes,
            record,
            seen,
            read: self.has_looked(&gathered.owner.name, cx.now),
            doubted: record.is_some_and(|record| self.doubts.disables.contains_key(&record.id)),
            protected: id.is_some_and(|id| self.is_protected(id, self.ledger.seen(id).as_ref())),
            catalogue: &catalogue,
            vanished: &vanished,
            matches,
            approved: self.approved_adoption(&gathered.owner.name),
            unstuck: &self.doubts.unstuck,
        };
        let verdict = plan::account(&subject, &self.rules(), cx.now);
        // An account that exists might not be found by the other keys: none is created, or taken.
        match &gathered.unreadable {
            Some(problem)
                if id.is_none()
                    && verdict.desired
                    && gathered.decision.owner.is_some_and(|owner| owner.frozen.is_none()) =>
            {
                let account = report::Account::Blocked(problem.clone());
                Verdict { account, desired: true, ..Verdict::default() }
            }
            _ => verdict,
        }
    }

    fn rules(&self) -> AppRules<'_> {
        AppRules {
            settings: &self.settings,
            schema: self.schema,
            capabilities: self.capabilities(),
            deprovision: self.meta.deleting.is_some(),
            // What a deleted application does not know is left until its ledger is acknowledged.
            reclaims: self.reclaims() && (self.meta.deleting.is_none() || !self.is_mismatched()),
        }
    }

    /// Of what a record holds and no entry names: what a complete listing does not show, and is bound no longer.
    fn vanished_of(&self, record: &Record, catalogue: &[CatalogueView<'_>]) -> BTreeSet<TargetId> {
        let unlisted = record.grants.iter().filter(|(group, _)| !catalogue.iter().any(|view| view.id == Some(*group)));
        let vanished = unlisted.filter(|(group, grant)| {
            self.shadow.group(group).is_none()
                && self.complete_listing(kind_of(grant.kind)).is_some()
                && self.ledger.groups().all(|bound| bound.target_id != **group)
        });
        vanished.map(|(group, _)| group.clone()).collect()
    }

    fn seen<'a>(&self, id: &TargetId, shade: Option<&'a plan::Shade>) -> Seen<'a> {
        match shade {
            Some(shade) => Seen::Present(shade),
            None if self.doubts.absent.contains_key(id) => Seen::Absent,
            None if self.observing.complete.contains_key(&Kind::Accounts) => Seen::Missing,
            None => Seen::Unknown,
        }
    }

    fn catalogue(
        &self,
        account: Option<(RecordId, &TargetId)>,
        last_write: Option<jiff::Timestamp>,
        cx: &Context<'_>,
    ) -> Vec<CatalogueView<'_>> {
        let exactly = self.owns_members(cx);
        let view = |entry| {
            let entry: &crate::model::Entitlement = entry;
            let id = self.bound(entry.target.kind, &entry.target.name);
            let group = id.and_then(|id| self.shadow.group(id));
            let members = group.and_then(|group| group.members.as_ref());
            let held = members.zip(account).map(|(members, (_, account))| members.contains(account));
            let missing = |(group, (record, account)): (&TargetId, (RecordId, &TargetId))| {
                self.is_unsure(record, group) || (held.is_none() && self.checks.denies(group, account))
            };
            let held = if id.zip(account).is_some_and(missing) { Some(false) } else { held };
            let fresh = group.is_some_and(|group| !self.is_old_news(group.began, last_write));
            let exact = exactly(entry, account.map(|(_, account)| account));
            CatalogueView { entry, id, held, fresh, exact }
        };
        self.entries.iter().map(view).collect()
    }

    /// Accounts that may be this identity's.
    fn matches(&self, gathered: &Gathered, cx: &Context<'_>) -> Matches {
        let name = &gathered.owner.name;
        let young = |at: &Duration| cx.now.mono.saturating_sub(*at) <= FRESH;
        let found = self.has_searched(name, &self.keys_of(gathered), cx.now);
        let listed =
            self.observing.complete.get(&Kind::Accounts).is_some_and(young) && !self.looks.must_find.contains(name);
        let mut ids: BTreeSet<TargetId> = BTreeSet::new();
        for key in &gathered.keys {
            ids.extend(self.ledger.with_key(&key.attribute, &key.value));
        }
        if let Some(mark) = self.schema.mark {
            ids.extend(self.ledger.with_key(&AttributeName::new(mark), &gathered.mark));
        }
        let candidates = ids.into_iter().filter_map(|id| {
            let shade = self.ledger.seen(&id)?;
            let owned =
                self.ledger.of_target(&id).filter(|record| Some(record.id) != gathered.record.as_ref().map(|r| r.id));
            Some(Candidate {
                owned: owned.map(|row| {
                    let holder = Name::from(row.owner());
                    let own = cx.directory.identity(&holder).and_then(|view| self.own_record(&view));
                    let stands = own.is_some_and(|own| own.id == row.id);
                    let frees = stands && self.frees(&holder, &shade, cx);
                    (holder, frees)
                }),
                protected: self.is_protected(&id, Some(&shade)),
                privileged: self.is_privileged(&id),
                id,
                shade,
            })
        });
        Matches { searched: found || listed, found: candidates.collect() }
    }

    /// Whether the holder's own decision would free its user name.
    fn frees(&self, owner: &Name, shade: &plan::Shade, cx: &Context<'_>) -> bool {
        let attribute = AttributeName::new(self.schema.user_name);
        let fold = Fold::of(self.schema, &attribute);
        let Some(held) = shade.key(self.schema.user_name) else { return false };
        let Ok(wanted) = cx.directory.attributes(owner, &self.application) else { return false };
        match wanted.get(&attribute).map(|a| &a.value) {
            Some(AttributeValue::Value(Value::Text(text))) => fold.apply(text) != fold.apply(held),
            _ => false,
        }
    }

    pub(super) fn is_protected(&self, id: &TargetId, shade: Option<&plan::Shade>) -> bool {
        let principal = self.reach.profile.as_ref().and_then(|profile| profile.principal.as_ref());
        principal == Some(id)
            || self.ledger.standing.protected.contains(id)
            || shade.is_some_and(|shade| self.is_named_protected(shade) || self.is_protected_there(shade))
    }

    /// Whether the target itself protects an account, as it looks now.
    fn is_protected_there(&self, shade: &plan::Shade) -> bool {
        self.schema.protection.is_some_and(|attribute| shade.key(attribute).is_some())
    }

    /// Whether `safety.protected` names an account as it looks now.
    fn is_named_protected(&self, shade: &plan::Shade) -> bool {
        let mut entries = self.settings.safety.protected.iter();
        entries.any(|(attribute, values)| values.iter().any(|value| shade.has(attribute, value)))
    }

    /// Binds the ids of accounts that `safety.protected` names, so that a rename does not lift the protection: an edit of the
    /// list does, once the target was listed, and an emptied list at once.
    pub(super) fn bind_protected(&mut self) {
        let entries = &self.settings.safety.protected;
        let mut bound = BTreeSet::new();
        let (mut names_somebody, mut renamed) = (vec![false; entries.len()], false);
        if entries.is_empty() {
            self.observing.lifting.clear();
        } else {
            bound.clone_from(&self.ledger.standing.protected);
            if self.is_observed() {
                bound.retain(|id| !self.observing.lifting.contains(id));
            }
            for (id, shade) in self.ledger.all_seen() {
                let mut is_named = false;
                for ((attribute, values), names) in entries.iter().zip(&mut names_somebody) {
                    let named = values.iter().any(|value| shade.has(attribute, value));
                    (*names, is_named) = (*names || named, is_named || named);
                }
                if is_named {
                    bound.insert(id);
                } else {
                    renamed |= bound.contains(&id);
                }
            }
        }
        // One that was renamed may be the one that an entry names.
        let nobody = entries.iter().zip(names_somebody).filter(|(_, names)| !names && !renamed);
        let nobody = nobody.map(|((attribute, _), _)| attribute.clone()).collect();
        self.observing.unprotecting = if self.is_observed() { nobody } else { Vec::new() };
        if self.is_observed() {
            self.observing.lifting.clear();
        }
        if bound != self.ledger.standing.protected {
            self.ledger.standing.protected = bound;
            self.ledger.put_standing();
        }
    }

    /// Remembers who is protected by the list as it is, which is about to be another one.
    pub(super) fn lift_protected(&mut self) {
        let named = self
            .ledger
            .all_seen()
            .filter(|(id, shade)| self.ledger.standing.protected.contains(id) && self.is_named_protected(shade));
        let named: Vec<TargetId> = named.map(|(id, _)| id).collect();
        self.observing.lifting.extend(named);
    }

    fn is_privileged(&self, id: &TargetId) -> bool {
        self.entries.iter().filter(|entry| entry.privileged).any(|entry| {
            let (kind, name) = (entry.target.kind, &entry.target.name);
            let Some(bound) = self.bound(kind, name) else {
                // Nobody holds what is not there; whether it is not there only a complete listing tells.
                let listed = self.observing.complete.contains_key(&super::shadow::kind_of(kind));
                return !listed || self.shadow.groups().any(|(_, group)| group.kind == kind && group.name == *name);
            };
            // Members that are not shown may be anybody.
            let members = self.shadow.group(bound).and_then(|group| group.members.as_ref());
            members.is_none_or(|members| members.contains(id))
        })
    }

    /// The step at this group that an account would take next, if that is what it would do.
    pub(super) fn next_step_at(
        &mut self,
        name: &Name,
        group: &TargetId,
        cx: &Context<'_>,
    ) -> Option<(Gathered, Planned)> {
        for gathered in self.owners_of(name, cx) {
            let verdict = self.plan(&gathered, cx);
            if verdict.record.is_some() || verdict.need.is_some() {
                return None;
            }
            let before: Vec<&Planned> =
                verdict.steps.iter().take_while(|planned| group_of(&planned.step).is_none()).collect();
            let blocked = before.iter().any(|planned| self.waits_after_failure(name, &planned.step, cx).is_none());
            let step = verdict.steps.iter().find(|planned| group_of(&planned.step) == Some(group)).cloned();
            match step {
                Some(planned)
                    if !blocked
                        && self.waits_after_failure(name, &planned.step, cx).is_none()
                        && self.is_released(name, &planned) =>
                {
                    return Some((gathered, planned));
                }
                _ if !verdict.steps.is_empty() => return None,
                _ => {}
            }
        }
        None
    }

    /// Whether an account still wants the step of an intent.
    pub(super) fn still_wants(&self, part: &Part, cx: &Context<'_>) -> bool {
        // Nothing has come since that could have changed it. Of others more is known once their record is there.
        let (heard, at) = part.decided;
        let first = part.before.is_none() && matches!(part.planned.step, Step::CreateAccount { .. });
        if first && heard == self.heard && cx.now.mono.saturating_sub(at) < STANDS {
            return true;
        }
        let mut owners = self.owners_of(&part.name, cx);
        let owner = owners.iter().position(|g| g.record.as_ref().is_some_and(|r| r.id == part.record));
        let Some(mut gathered) = owner.map(|at| owners.swap_remove(at)) else { return false };
        gathered.record.clone_from(&part.before);
        let mut steps = self.plan(&gathered, cx).steps.into_iter();
        // Membership before deletion: an account goes when nothing else is to be done about it.
        let last = matches!(part.planned.step, Step::DeleteAccount { .. });
        if last { steps.next() } else { steps.find(|planned| planned.step == part.planned.step) }
            .is_some_and(|planned| planned.step == part.planned.step)
    }
}
