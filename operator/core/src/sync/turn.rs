//! An account's turn: what is decided and known of it is gathered, planned, and its first step begun.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::flight::{Part, group_of};
use super::gather::Gathered;
use super::queue::Priority;
use super::{Context, FRESH, Out, Sync};
use crate::directory::AttributeValue;
use crate::model::{
    AttributeName, CorrelationKey, Kind, Name, Now, Reason, Record, RecordId, RecordState, Step, SyncMode, TargetId,
    Value,
};
use crate::plan::{self, AppRules, Candidate, CatalogueView, Fold, Lookup, Matches, Planned, Seen, Subject, Verdict};
use crate::report::{self, Problem};

impl Sync {
    /// One account's turn.
    pub(super) fn turn(&mut self, name: &Name, priority: Priority, cx: &Context<'_>, out: &mut Out) {
        if self.busy.contains_key(name) || self.looking.contains_key(name) {
            return;
        }
        if let Some(until) = self.embargo.get(name).copied() {
            if until > cx.now.mono {
                return self.queue.push_at(name, until);
            }
            self.embargo.remove(name);
        }
        if self.unresolved.contains_key(name) && !self.resolve(name, cx, out) {
            let message = "the answer of a create was lost; it is looked for before anything is repeated";
            let waiting = report::Account::Pending(Some(Problem::new(Reason::AwaitingVisibility, message)));
            self.tell(name, true, waiting, out);
            return;
        }
        self.pass_on(name, cx);
        let there = |record: &Record| record.target_id.is_some() && record.state != RecordState::Released;
        if !self.ledger.of_name(name).iter().any(there) {
            self.has_read(name, cx);
        }
        let mut told = (false, report::Account::None);
        let owners = self.owners_of(name, cx);
        let sole = owners.len() == 1;
        for gathered in owners {
            let (went, desired, account) = self.advance(gathered, priority, sole, cx);
            if account != report::Account::None {
                told = (desired, account);
            }
            if went {
                break;
            }
        }
        self.tell(name, told.0, told.1, out);
    }

    /// Plans one record (or none yet) of an owner and begins its first step. True: something is under way.
    fn advance(
        &mut self,
        mut gathered: Gathered,
        priority: Priority,
        sole: bool,
        cx: &Context<'_>,
    ) -> (bool, bool, report::Account) {
        let name = gathered.owner.name.clone();
        let enforce = self.settings.mode == SyncMode::Enforce;
        let mut foreseen = Vec::new();
        if let Some(id) =
            gathered.record.as_ref().and_then(|r| r.target_id.clone()).filter(|_| self.must_read.contains(&name))
        {
            let need = Lookup::Read(id);
            let went = self.look_for(&gathered, &need, priority, cx);
            return (went, true, self.waits(&gathered, &need, report::Account::Pending(None), cx));
        }
        for _ in 0..4 {
            let verdict = self.plan(&gathered, cx);
            let Verdict { steps, record, forget, need, account, desired, drift } = verdict;
            if forget && enforce {
                if sole {
                    self.drop_unwanted(&name, &[]);
                }
                if let Some(record) = gathered.record.take() {
                    self.learn_lost(record.id);
                    self.ledger.forget(record.id);
                }
                return (false, desired, account);
            }
            if let Some(need) = need {
                return (
                    self.look_for(&gathered, &need, priority, cx),
                    desired,
                    self.waits(&gathered, &need, account, cx),
                );
            }
            let appeared = record.as_ref().is_some_and(|r| r.target_id.is_some())
                && gathered.record.as_ref().is_none_or(|r| r.target_id.is_none());
            let nowhere = gathered.record.as_ref().is_none_or(|r| r.target_id.is_none());
            if nowhere && desired && enforce && self.is_claimed(&name, &gathered.keys) {
                self.waiting_for_claims.insert(name.clone());
                let message = "waits for a write under way that speaks of this user name or externalId";
                let problem = Problem::new(Reason::Progressing, message);
                return (false, desired, report::Account::Pending(Some(problem)));
            }
            let again = record.is_some() && (appeared || record.as_ref().is_some_and(|r| r.target_id.is_none()));
            if let Some(mut record) = record {
                if record.id == RecordId(0) && enforce {
                    record.id = RecordId(self.ledger.fresh_id());
                }
                if enforce {
                    self.ledger.put(record.clone());
                }
                gathered.record = Some(record);
            }
            if appeared {
                foreseen.push(super::PlannedStep::adopt());
                self.account_appeared(&name, cx);
            }
            if again {
                continue;
            }
            if let Some(on) = gathered.record.as_ref().and_then(|r| r.delete_at).filter(|on| *on > cx.now.wall) {
                self.queue.push_on(&name, on);
            }
            if !enforce {
                return self.foresee(&gathered, foreseen, &steps, desired, account, cx);
            }
            self.counters.drift += drift;
            if sole {
                self.drop_unwanted(&name, &steps);
            }
            let (went, account) = self.begin(&gathered, steps, account, priority, cx);
            return (went, desired, account);
        }
        (false, true, report::Account::Pending(None))
    }

    /// Begins the first step that may be begun now.
    fn begin(
        &mut self,
        gathered: &Gathered,
        steps: Vec<Planned>,
        account: report::Account,
        priority: Priority,
        cx: &Context<'_>,
    ) -> (bool, report::Account) {
        let name = gathered.owner.name.clone();
        self.forget_failures(&name, &steps);
        gathered.record.iter().for_each(|record| self.learn_lost(record.id));
        let mut problem: Option<Problem> = None;
        let mut held = false;
        let mut parked_at: Option<bool> = None;
        for planned in steps {
            if let Some(failed) = self.waits_after_failure(&name, &planned.step, cx) {
                problem.get_or_insert(failed);
                continue;
            }
            if !self.is_admitted(&name, &planned, cx) {
                held = true;
                continue;
            }
            let gives = matches!(planned.step, Step::AddMembers { .. } | Step::Assign { .. });
            if let Some(group) = group_of(&planned.step).filter(|group| self.busy_groups.contains_key(*group)) {
                self.parked.entry(group.clone()).or_default().insert(name.clone());
                parked_at.get_or_insert(gives);
                continue;
            }
            // Other revokes wait until the grants were attempted; a grant elsewhere need not wait for a busy group.
            if parked_at.is_some_and(|parked| parked && !gives) {
                break;
            }
            let urgent = if planned.privileged && planned.lane.is_some() { Priority::Urgent } else { priority };
            self.start(gathered, planned, urgent.min(priority), cx);
            return (true, account);
        }
        let account = match (problem, held) {
            (Some(problem), _) => report::Account::Failed(problem),
            (None, true) if parked_at.is_none() => report::Account::Held,
            _ => account,
        };
        (parked_at.is_some(), account)
    }

    /// Plans one account.
    pub(super) fn plan(&self, gathered: &Gathered, cx: &Context<'_>) -> Verdict {
        let id = gathered.record.as_ref().and_then(|record| record.target_id.as_ref());
        let seen = id.map_or(Seen::Unknown, |id| self.seen(id));
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
        let catalogue = self.catalogue(id, last_write, cx);
        let matches = if id.is_none() { self.matches(gathered, cx) } else { Matches::default() };
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
            read: self.found.get(&gathered.owner.name).is_some_and(|at| cx.now.mono.saturating_sub(*at) <= FRESH),
            protected: id.is_some_and(|id| self.is_protected(id, self.shadow.account(id))),
            catalogue: &catalogue,
            matches,
            unstuck: &self.unstuck,
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
            deprovision: self.meta.deleting,
        }
    }

    fn seen(&self, id: &TargetId) -> Seen<'_> {
        match self.shadow.account(id) {
            Some(shade) => Seen::Present(shade),
            None if self.absent.contains_key(id) => Seen::Absent,
            None if self.complete.contains_key(&Kind::Accounts) => Seen::Missing,
            None => Seen::Unknown,
        }
    }

    fn catalogue(
        &self,
        account: Option<&TargetId>,
        last_write: Option<jiff::Timestamp>,
        cx: &Context<'_>,
    ) -> Vec<CatalogueView<'_>> {
        let exactly = self.owns_members(cx);
        let view = |entry| {
            let entry: &crate::model::Entitlement = entry;
            let id = self.bound(entry.target.kind, &entry.target.name);
            let group = id.and_then(|id| self.shadow.group(id));
            let members = group.and_then(|group| group.members.as_ref());
            let held = members.zip(account).map(|(members, account)| members.contains(account));
            let fresh = group.is_some_and(|group| !self.is_old_news(group.began, last_write));
            let exact = exactly(entry, account);
            CatalogueView { entry, id, held, fresh, exact }
        };
        self.entries.iter().map(view).collect()
    }

    /// Accounts that may be this identity's.
    fn matches<'a>(&'a self, gathered: &Gathered, cx: &Context<'_>) -> Matches<'a> {
        let name = &gathered.owner.name;
        let young = |at: &Duration| cx.now.mono.saturating_sub(*at) <= FRESH;
        let found = self.found.get(name).is_some_and(young);
        let listed = self.complete.get(&Kind::Accounts).is_some_and(young) && !self.must_find.contains(name);
        let mut ids: BTreeSet<&TargetId> = BTreeSet::new();
        for key in &gathered.keys {
            ids.extend(self.shadow.with_key(&key.attribute, &key.value, self.schema));
        }
        if let Some(mark) = self.schema.mark {
            ids.extend(self.shadow.with_key(&AttributeName::new(mark), &gathered.mark, self.schema));
        }
        let candidates = ids.into_iter().filter_map(|id| {
            let shade = self.shadow.account(id)?;
            let owned =
                self.ledger.of_target(id).filter(|record| Some(record.id) != gathered.record.as_ref().map(|r| r.id));
            Some(Candidate {
                id: id.clone(),
                shade,
                owned: owned.map(|record| (record.owner.name.clone(), self.frees(record, shade, cx))),
                protected: self.is_protected(id, Some(shade)),
                privileged: self.is_privileged(id),
            })
        });
        Matches { searched: found || listed, found: candidates.collect() }
    }

    /// Whether the holder's own decision would free its user name.
    fn frees(&self, record: &Record, shade: &plan::Shade, cx: &Context<'_>) -> bool {
        let attribute = AttributeName::new(self.schema.user_name);
        let fold = Fold::of(self.schema, &attribute);
        let Some(held) = shade.key(self.schema.user_name) else { return false };
        let Ok(wanted) = cx.directory.attributes(&record.owner.name, &self.application) else { return false };
        match wanted.get(&attribute).map(|a| &a.value) {
            Some(AttributeValue::Value(Value::Text(text))) => fold.apply(text) != fold.apply(held),
            _ => false,
        }
    }

    pub(super) fn is_protected(&self, id: &TargetId, shade: Option<&plan::Shade>) -> bool {
        let principal = self.profile.as_ref().and_then(|profile| profile.principal.as_ref());
        principal == Some(id)
            || self.ledger.standing.protected.contains(id)
            || shade.is_some_and(|shade| self.is_named_protected(shade))
    }

    /// Whether `safety.protected` names an account as it looks now.
    fn is_named_protected(&self, shade: &plan::Shade) -> bool {
        self.settings.safety.protected.iter().any(|(attribute, values)| {
            let fold = Fold::of(self.schema, attribute);
            let text = shade.key(attribute.as_str());
            text.is_some_and(|text| values.iter().any(|value| fold.apply(value) == fold.apply(text)))
        })
    }

    /// Binds the ids of accounts that `safety.protected` names, so that a rename does not lift the protection; only an
    /// emptied list does.
    pub(super) fn bind_protected(&mut self) {
        let mut protected = BTreeSet::new();
        if !self.settings.safety.protected.is_empty() {
            let named = self.shadow.accounts().filter(|(_, shade)| self.is_named_protected(shade));
            protected.extend(named.map(|(id, _)| id.clone()));
            protected.extend(self.ledger.standing.protected.iter().cloned());
        }
        if protected != self.ledger.standing.protected {
            self.ledger.standing.protected = protected;
            self.ledger.put_standing();
        }
    }

    fn is_privileged(&self, id: &TargetId) -> bool {
        self.entries.iter().filter(|entry| entry.privileged).any(|entry| {
            let (kind, name) = (entry.target.kind, &entry.target.name);
            let Some(bound) = self.bound(kind, name) else {
                // Nobody holds what is not there; whether it is not there only a complete listing tells.
                let listed = self.complete.contains_key(&super::shadow::kind_of(kind));
                return !listed || self.shadow.groups().any(|(_, group)| group.kind == kind && group.name == *name);
            };
            // Members that are not shown may be anybody.
            let members = self.shadow.group(bound).and_then(|group| group.members.as_ref());
            members.is_none_or(|members| members.contains(id))
        })
    }

    /// Starts the look-up that a plan needs; false: it has to wait for visibility, or for a target that may be asked.
    fn look_for(&mut self, gathered: &Gathered, need: &Lookup, priority: Priority, cx: &Context<'_>) -> bool {
        let name = &gathered.owner.name;
        let urgent = priority <= Priority::Urgent;
        match need {
            Lookup::Find => {
                let mut keys = gathered.keys.clone();
                if let Some(mark) = self.schema.mark {
                    let key = CorrelationKey { attribute: mark.into(), value: Arc::clone(&gathered.mark) };
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                self.start_find(name, keys, urgent);
                true
            }
            Lookup::Read(id) => {
                let last_write = gathered.record.as_ref().and_then(|record| record.last_write);
                if self.is_old_news(cx.now.wall, last_write) {
                    self.queue.push_at(name, cx.now.mono + self.until_visible(last_write, cx.now));
                    return false;
                }
                self.start_read(name, id, urgent);
                true
            }
        }
    }

    fn waits(&self, gathered: &Gathered, need: &Lookup, account: report::Account, cx: &Context<'_>) -> report::Account {
        let last_write = gathered.record.as_ref().and_then(|record| record.last_write);
        if matches!(need, Lookup::Read(_)) && self.is_old_news(cx.now.wall, last_write) {
            let message = "written and not visible yet at the target";
            return report::Account::Pending(Some(Problem::new(Reason::AwaitingVisibility, message)));
        }
        account
    }

    /// How long until what was written last must be visible.
    pub(super) fn until_visible(&self, last_write: Option<jiff::Timestamp>, now: Now) -> Duration {
        let visible = last_write.and_then(|at| at.checked_add(self.visibility()).ok());
        let wait = visible.map(|at| at.duration_since(now.wall)).and_then(|wait| Duration::try_from(wait).ok());
        wait.unwrap_or_default() + Duration::from_millis(1)
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
        let mut owners = self.owners_of(&part.name, cx);
        let owner = owners.iter().position(|g| g.record.as_ref().is_some_and(|r| r.id == part.record));
        let Some(mut gathered) = owner.map(|at| owners.swap_remove(at)) else { return false };
        gathered.record.clone_from(&part.before);
        self.plan(&gathered, cx).steps.iter().any(|planned| planned.step == part.planned.step)
    }

    /// An account of this owner is there now: accounts that refer to it can be told.
    pub(super) fn account_appeared(&mut self, name: &Name, cx: &Context<'_>) {
        for report in cx.directory.reports_of(name) {
            self.touch(&report, cx);
        }
    }

    pub(super) fn tell(&mut self, name: &Name, desired: bool, account: report::Account, out: &mut Out) {
        let told = (desired, account);
        let none = told.1 == report::Account::None;
        if self.accounts.get(name) == Some(&told) || (none && !self.accounts.contains_key(name)) {
            return;
        }
        out.accounts.insert(name.clone(), told.clone());
        if none {
            self.accounts.remove(name);
        } else {
            self.accounts.insert(name.clone(), told);
        }
    }
}
