//! An account's turn: what is decided and known of it is gathered, planned, and its first step begun.

use std::collections::BTreeSet;
use std::time::Duration;

use super::flight::group_of;
use super::gather::Gathered;
use super::queue::Priority;
use super::waves::{self, settles};
use super::{Context, Out, PlannedStep, Sync, excess};
use crate::model::{Lane, Name, Now, Reason, Record, RecordId, Step, SyncMode, TargetId};
use crate::plan::{Lookup, Planned, Verdict, asks_for_approval};
use crate::report::{self, Problem};

/// What a turn came to.
#[derive(Debug, Default)]
pub(super) struct Turned {
    /// Something is under way.
    pub(super) went: bool,
    /// An account should exist.
    pub(super) desired: bool,
    /// How it stands.
    pub(super) account: report::Account,
}

impl Sync {
    /// One account's turn.
    pub(super) fn turn(&mut self, name: &Name, priority: Priority, cx: &Context<'_>, out: &mut Out) {
        if self.busy.contains_key(name) || self.looks.looking.contains_key(name) {
            return;
        }
        if let Some(until) = self.doubts.embargo.get(name).copied() {
            if until > cx.now.mono {
                return self.queue.push_at(name, until);
            }
            self.doubts.embargo.remove(name);
        }
        self.queue.now_planned(name);
        if let Some(account) = excess::account_of(name) {
            out.changed |= !self.enforces();
            return self.turn_to_excess(&account, priority, cx);
        }
        let unread = self.waits_unread(name, cx);
        if (unread.is_some() || self.is_to_be_read(name)) && self.disable_unread(name, priority, cx) {
            return self.tell(name, false, report::Account::Pending(None), cx, out);
        }
        if let Some(problem) = unread {
            let desired = self.told(name, cx, out).is_none_or(|(desired, _)| desired);
            return self.tell(name, desired, report::Account::Failed(problem), cx, out);
        }
        if self.looks.unresolved.contains_key(name) && !self.resolve(name, cx, out) {
            let message = "the answer of a create was lost; it is looked for before anything is repeated";
            let waiting = report::Account::Pending(Some(Problem::new(Reason::AwaitingVisibility, message)));
            self.tell(name, true, waiting, cx, out);
            return;
        }
        let owners = if self.enforces() {
            self.pass_on(name, cx);
            self.owners_of(name, cx)
        } else {
            self.planned.remove(name);
            out.changed = true;
            self.owners_foreseen(name, cx)
        };
        if owners.len() > 1 && self.enforces() {
            self.drop_what_no_owner_wants(name, &owners, cx);
        }
        self.has_nothing_to_read(name, cx);
        let (went, told) = self.advance_all(name, owners, priority, cx);
        if !went {
            self.turn_to_orphans(name, priority, cx, out);
        }
        if let Some((desired, account)) = told {
            self.tell(name, desired, account, cx, out);
        }
    }

    /// Who leaves is disabled first and read next: an account that cannot be read may be one that can be used.
    fn disable_unread(&mut self, name: &Name, priority: Priority, cx: &Context<'_>) -> bool {
        if !self.enforces() {
            return false;
        }
        for gathered in self.owners_of(name, cx).into_iter().filter(Gathered::leaves) {
            if gathered.record.as_ref().is_none_or(|record| record.target_id.is_none()) {
                continue;
            }
            // By what is known of it: one that a listing does not show any more is read.
            let mut steps = self.plan(&gathered, cx).steps.into_iter();
            let Some(disable) = steps.find(|p| matches!(p.step, Step::DisableAccount { .. })) else {
                continue;
            };
            if !self.is_trusted(&gathered, &disable) || self.waits_after_failure(name, &disable.step, cx).is_some() {
                continue;
            }
            if self.is_admitted(name, &disable, cx) {
                let priority = priority.of(&disable, true);
                self.start(&gathered, disable, priority, cx);
                return true;
            }
            // Its turn comes as soon as its wave has passed.
            if disable.lane.is_some_and(|lane| self.is_settling(lane, name)) {
                return true;
            }
        }
        false
    }

    /// Mode Enforce: what is decided is recorded and written.
    pub(super) fn enforces(&self) -> bool {
        self.settings.mode == SyncMode::Enforce
    }

    /// One owner of a name after the other, until something is under way; and what is to be told of who has it now, unless
    /// their own turn is still to come.
    fn advance_all(
        &mut self,
        name: &Name,
        owners: Vec<Gathered>,
        priority: Priority,
        cx: &Context<'_>,
    ) -> (bool, Option<(bool, report::Account)>) {
        let live = cx.directory.identity(name).map(|view| view.uid.clone());
        // What others of the name left is nothing of who has it now.
        let is_own = |gathered: &Gathered| live.as_ref().is_none_or(|uid| *uid == gathered.owner.uid);
        let waits = live.is_some() && owners.iter().any(is_own);
        let mut told = (!waits).then_some((false, report::Account::None));
        let sole = owners.len() == 1;
        for gathered in owners {
            let own = is_own(&gathered);
            let turned = self.advance(gathered, priority, sole, cx);
            if own && (live.is_some() || turned.account != report::Account::None) {
                told = Some((turned.desired, turned.account));
            }
            if turned.went {
                return (true, told);
            }
        }
        (false, told)
    }

    /// The account of a record that is to be read before anything of it is believed.
    fn account_to_read(&self, gathered: &Gathered) -> Option<TargetId> {
        let record = gathered.record.as_ref()?;
        let unread = self.looks.must_read.contains(&(gathered.owner.name.clone(), record.id));
        record.target_id.clone().filter(|_| unread)
    }

    /// Plans one record (or none yet) of an owner and begins its first step.
    fn advance(&mut self, mut gathered: Gathered, priority: Priority, sole: bool, cx: &Context<'_>) -> Turned {
        let name = gathered.owner.name.clone();
        if let Some(id) = self.account_to_read(&gathered) {
            let verdict = Verdict { account: report::Account::Pending(None), desired: true, ..Verdict::default() };
            return self.look_for(&gathered, Lookup::Read(id), verdict, priority, cx);
        }
        let mut foreseen = Vec::new();
        // An adoption, or an account that is gone, is planned again with the record that it leaves.
        for _ in 0..4 {
            let mut verdict = self.plan(&gathered, cx);
            if verdict.forget && self.is_mismatched() {
                return Turned { went: false, desired: verdict.desired, account: verdict.account };
            }
            if verdict.forget && self.enforces() {
                return self.let_record_go(gathered, sole, verdict, cx);
            }
            if let Some(need) = verdict.need.take() {
                return self.look_for(&gathered, need, verdict, priority, cx);
            }
            if self.finds_a_claim(&gathered, &verdict) {
                self.waiting_for_claims.insert(name);
                let message = "waits for a write under way that speaks of this user name or externalId";
                let account = report::Account::Pending(Some(Problem::new(Reason::Progressing, message)));
                return Turned { went: false, desired: verdict.desired, account };
            }
            let had = gathered.record.as_ref().is_some_and(|record| record.target_id.is_some());
            let has = verdict.record.as_ref().map(|record| record.target_id.is_some());
            if has == Some(true) && !had && self.enforces() && !self.may_adopt(&gathered) {
                let account = report::Account::Pending(Some(self.untrusted()));
                return Turned { went: false, desired: verdict.desired, account };
            }
            if let Some(record) = verdict.record.take() {
                gathered.record = Some(self.keep(record));
            }
            if has == Some(true) && !had {
                // What it is to carry depends on what it carries: somebody else's mark stays.
                if let Some(view) = cx.directory.identity(&name) {
                    gathered = self.gather(&view, gathered.record.take(), cx);
                }
                foreseen.push(PlannedStep::adopt());
                // What is only foreseen is so at every turn: two who manage each other would have no end of turns.
                if self.enforces() {
                    self.adopted(&name);
                    self.account_appeared(&name, cx);
                }
            }
            if has == Some(false) || (has == Some(true) && !had) {
                continue;
            }
            if let Some(on) = gathered.record.as_ref().and_then(|r| r.delete_at).filter(|on| *on > cx.now.wall) {
                self.queue.push_on(&name, on);
            }
            return self.conclude(&gathered, verdict, foreseen, (priority, sole), cx);
        }
        Turned { went: false, desired: true, account: report::Account::Pending(None) }
    }

    /// What was planned is begun or, in mode Plan, foreseen.
    fn conclude(
        &mut self,
        gathered: &Gathered,
        verdict: Verdict,
        foreseen: Vec<PlannedStep>,
        (priority, sole): (Priority, bool),
        cx: &Context<'_>,
    ) -> Turned {
        let name = &gathered.owner.name;
        if !self.enforces() {
            self.foresee(gathered, foreseen, &verdict.steps, cx);
            return Turned { went: false, desired: verdict.desired, account: verdict.account };
        }
        if sole {
            self.drop_what_is_not_wanted(name, &verdict, cx);
        }
        let mut account = verdict.account;
        if let Some(id) = &verdict.adoption {
            let hash = self.ask_to_adopt(name, id, cx);
            account = match hash {
                None if self.is_settling(Lane::Adoption, name) => {
                    report::Account::Pending(Some(settles(Lane::Adoption)))
                }
                hash => report::Account::Blocked(asks_for_approval(id, hash.as_deref())),
            };
        }
        let (went, account) = self.begin(gathered, verdict.steps, account, priority, cx);
        Turned { went, desired: verdict.desired, account }
    }

    fn drop_what_is_not_wanted(&mut self, name: &Name, verdict: &Verdict, cx: &Context<'_>) {
        let mut wanted = waves::in_lanes(name, verdict);
        wanted.extend(self.orphans_in_lanes(name, cx));
        self.drop_unwanted(name, &wanted);
    }

    /// The same of several owners of a name, once it is known of each what is to be taken.
    fn drop_what_no_owner_wants(&mut self, name: &Name, owners: &[Gathered], cx: &Context<'_>) {
        let mut wanted = self.orphans_in_lanes(name, cx);
        for gathered in owners {
            let verdict = self.plan(gathered, cx);
            let there = |record: &Record| record.target_id.is_some();
            let had = gathered.record.as_ref().is_some_and(there);
            let changes = verdict.record.as_ref().is_some_and(|record| there(record) != had);
            let unread = self.account_to_read(gathered).is_some();
            if verdict.need.is_some() || changes || unread || (verdict.forget && self.is_mismatched()) {
                return;
            }
            wanted.extend(waves::in_lanes(name, &verdict));
        }
        self.drop_unwanted(name, &wanted);
    }

    /// The record is of no further use.
    fn let_record_go(&mut self, gathered: Gathered, sole: bool, verdict: Verdict, cx: &Context<'_>) -> Turned {
        if sole {
            self.drop_what_is_not_wanted(&gathered.owner.name, &Verdict::default(), cx);
        }
        if let Some(record) = gathered.record {
            self.ledger.forget(record.id);
            self.learn_lost(record.id);
        }
        Turned { went: false, desired: verdict.desired, account: verdict.account }
    }

    /// The record as it is now, in the ledger unless nothing is to be written.
    fn keep(&mut self, mut record: Record) -> Record {
        if self.enforces() {
            if record.id == RecordId(0) {
                record.id = RecordId(self.ledger.fresh_id());
            }
            self.ledger.put(record.clone());
        }
        record
    }

    /// Whether one that has no account yet finds its keys in a write under way.
    fn finds_a_claim(&self, gathered: &Gathered, verdict: &Verdict) -> bool {
        let nowhere = gathered.record.as_ref().is_none_or(|r| r.target_id.is_none());
        nowhere && verdict.desired && self.enforces() && self.is_claimed(&gathered.owner.name, &gathered.keys)
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
        let mut plan: Option<Problem> = None;
        let mut settling: Option<Lane> = None;
        let mut parked_at: Option<bool> = None;
        let mut untrusted = false;
        self.settle_all(gathered, &steps, |_| true, cx);
        for planned in steps {
            if !self.is_trusted(gathered, &planned) {
                untrusted = true;
                continue;
            }
            if let Some(failed) = self.waits_after_failure(&name, &planned.step, cx) {
                problem.get_or_insert(failed);
                continue;
            }
            if !self.is_admitted(&name, &planned, cx) {
                held = true;
                plan = plan.or_else(|| self.held_in(&name, &planned));
                settling = settling.or(planned.lane.filter(|lane| self.is_settling(*lane, &name)));
                continue;
            }
            // Membership before deletion: nothing is deleted of which something else is still to be taken.
            if matches!(planned.step, Step::DeleteAccount { .. }) && (held || problem.is_some() || parked_at.is_some())
            {
                break;
            }
            let gives = matches!(planned.step, Step::AddMembers { .. } | Step::Assign { .. });
            if group_of(&planned.step).is_some_and(|group| self.waits_for(group, &name, &planned.step)) {
                parked_at.get_or_insert(gives);
                continue;
            }
            // Other revokes wait until the grants were attempted; a grant elsewhere need not wait for a busy group.
            if parked_at.is_some_and(|parked| parked && !gives) {
                break;
            }
            let priority = priority.of(&planned, gathered.leaves());
            self.start(gathered, planned, priority, cx);
            return (true, account);
        }
        let account = match (problem, held) {
            (Some(problem), _) => report::Account::Failed(problem),
            (None, true) if settling.is_some() => report::Account::Pending(settling.map(settles)),
            (None, true) if parked_at.is_none() => plan.map_or(report::Account::Pending(None), report::Account::Held),
            (None, false) if untrusted => report::Account::Pending(Some(self.untrusted())),
            _ => account,
        };
        (parked_at.is_some(), account)
    }

    /// Whether a step at a group waits, and who then does: for the write that is under way there, or with others who are to be
    /// put into it, as long as somebody else joins or moves.
    fn waits_for(&mut self, group: &TargetId, name: &Name, step: &Step) -> bool {
        let busy = self.groups.busy.contains_key(group);
        let batch = self.capabilities().map_or(1, |c| c.member_batch);
        if !matches!(step, Step::AddMembers { .. }) || batch <= 1 || self.alone.contains(name) {
            if busy {
                self.groups.parked.entry(group.clone()).or_default().insert(name.clone());
            }
            return busy;
        }
        let others = self.queue.best().is_some_and(|best| best <= Priority::Mover);
        let waits = busy || (others && self.groups.gathering.get(group).map_or(0, BTreeSet::len) + 1 < batch);
        if waits {
            self.groups.gathering.entry(group.clone()).or_default().insert(name.clone());
        }
        waits
    }

    /// A group that is free and into which somebody waits to be put, once nobody else joins or moves.
    pub(super) fn next_gathered(&self) -> Option<&TargetId> {
        let others = self.queue.best().is_some_and(|best| best <= Priority::Mover);
        let mut free = self.groups.gathering.keys().filter(|group| !self.groups.busy.contains_key(*group));
        free.next().filter(|_| self.observing.observed && !others && self.has_room(Priority::Mover))
    }

    /// The turn of the first of those who wait for a group; the others go with it.
    pub(super) fn turn_to_gathered(&mut self, group: TargetId, cx: &Context<'_>, out: &mut Out) {
        let Some(mut waiting) = self.groups.gathering.remove(&group) else { return };
        let first = waiting.pop_first();
        if !waiting.is_empty() {
            self.groups.gathering.insert(group, waiting);
        }
        if let Some(name) = first {
            self.queue.take(&name);
            self.turn(&name, Priority::Mover, cx, out);
        }
    }

    /// Starts the look-up that a plan needs; it may have to wait for visibility.
    fn look_for(
        &mut self,
        gathered: &Gathered,
        need: Lookup,
        verdict: Verdict,
        priority: Priority,
        cx: &Context<'_>,
    ) -> Turned {
        let name = &gathered.owner.name;
        let urgent = priority <= Priority::Urgent;
        let turned = Turned { went: true, desired: verdict.desired, account: verdict.account };
        match need {
            Lookup::Find => {
                let keys = self.keys_of(gathered);
                self.start_find(name, keys, urgent);
            }
            Lookup::Read(id) => {
                let last_write = gathered.record.as_ref().and_then(|record| record.last_write);
                if self.is_old_news(cx.now.wall, last_write) {
                    self.queue.push_at(name, cx.now.mono + self.until_visible(last_write, cx.now));
                    let message = "written and not visible yet at the target";
                    let waits = Problem::new(Reason::AwaitingVisibility, message);
                    return Turned { went: false, account: report::Account::Pending(Some(waits)), ..turned };
                }
                self.start_read(name, &id, urgent);
            }
        }
        turned
    }

    /// How long until what was written last must be visible.
    pub(super) fn until_visible(&self, last_write: Option<jiff::Timestamp>, now: Now) -> Duration {
        let visible = last_write.and_then(|at| at.checked_add(self.visibility()).ok());
        let wait = visible.map(|at| at.duration_since(now.wall)).and_then(|wait| Duration::try_from(wait).ok());
        wait.unwrap_or_default() + Duration::from_millis(1)
    }

    /// An account of this owner is there now: accounts that refer to it can be told.
    pub(super) fn account_appeared(&mut self, name: &Name, cx: &Context<'_>) {
        for report in cx.directory.reports_of(name) {
            self.touch(&report, cx);
        }
    }

    /// References to this owner's account may lead nowhere now: what refers to it is read before it is believed to be right.
    pub(super) fn account_moved(&mut self, name: &Name, cx: &Context<'_>) {
        for report in cx.directory.reports_of(name) {
            self.read_all_first(&report);
            self.touch(&report, cx);
        }
    }

    /// How an account was last told to stand, in this call or before, and whether it should exist; `None`: there is nothing
    /// to tell of it.
    pub(super) fn told(&self, name: &Name, cx: &Context<'_>, out: &Out) -> Option<(bool, report::Account)> {
        match out.accounts.get(name) {
            Some(told) => Some(told.clone()).filter(|(_, account)| *account != report::Account::None),
            None => cx.board.told(name, &self.application),
        }
    }

    fn tell(&self, name: &Name, desired: bool, account: report::Account, cx: &Context<'_>, out: &mut Out) {
        let told = Some((desired, account)).filter(|(_, account)| *account != report::Account::None);
        if self.told(name, cx, out) != told {
            out.accounts.insert(name.clone(), told.unwrap_or((desired, report::Account::None)));
        }
    }
}
