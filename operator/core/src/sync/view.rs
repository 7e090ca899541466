//! What others may know of an application: for status, metrics and the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gather::Gathered;
use super::row::Row;
use super::{Context, Phase, Sync};
use crate::engine::{Claim, Counters};
use crate::model::{
    Applied, ConnectorKind, Entitlement, EntitlementKind, GrantWhat, HeldPlan, Lane, Name, Profile, Reason, Record,
    RecordId, RecordState, State, Step, SyncMode, TargetId,
};
use crate::plan::{Change, Planned};
use crate::report::{self, Contact, EntitlementCounts, PlannedSummary, TargetApplicationSummary};

/// A step that mode Plan would write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStep {
    /// The step's name.
    pub step: &'static str,
    /// The catalogue entry, for a membership, role or licence.
    pub entitlement: Option<Name>,
    /// Attributes that are written, by name.
    pub attributes: Vec<crate::model::AttributeName>,
    /// Why.
    pub cause: Arc<str>,
    /// The budget it is counted against.
    pub lane: Option<Lane>,
}

impl PlannedStep {
    /// An account that exists becomes ours; the target is not written to.
    pub(super) fn adopt() -> Self {
        Self { step: "AdoptAccount", entitlement: None, attributes: Vec::new(), cause: "correlated".into(), lane: None }
    }

    /// An account that nobody owns is disabled.
    pub(super) fn disable_orphan() -> Self {
        let (step, lane) = ("DisableAccount", Some(Lane::Derived));
        Self { step, entitlement: None, attributes: Vec::new(), cause: "orphaned".into(), lane }
    }

    /// A member of an authoritative group whose account is nobody's is taken out.
    pub(super) fn take_out(step: &Step, entitlement: &Name) -> Self {
        let (entitlement, cause) = (Some(entitlement.clone()), "authoritative".into());
        Self { step: step.name(), entitlement, attributes: Vec::new(), cause, lane: Some(Lane::Derived) }
    }

    fn of(planned: &Planned) -> Self {
        let attributes = match &planned.step {
            Step::CreateAccount { attributes, .. } => attributes.keys().cloned().collect(),
            Step::UpdateAccount { set, .. } | Step::RenameAccount { set, .. } => set.keys().cloned().collect(),
            _ => Vec::new(),
        };
        Self {
            step: planned.step.name(),
            entitlement: planned.entitlement.clone(),
            attributes,
            cause: Arc::clone(&planned.cause),
            lane: planned.lane,
        }
    }
}

impl Sync {
    /// The uid of its TargetApplication.
    pub fn uid(&self) -> &crate::model::Uid {
        &self.meta.uid
    }

    /// The fingerprint of the target that it is to have.
    pub fn target(&self) -> &Arc<str> {
        &self.settings.connector.fingerprint
    }

    /// What it has at that target, for whoever must tell which of two applications has it.
    pub(super) fn stake(&self) -> Claim {
        let there = |row: Row<'_>| row.target_id().is_some() && row.state != RecordState::Deleted;
        let known = self.ledger.standing.fingerprint.as_ref() == Some(self.target());
        Claim { owns: known && self.ledger.records().any(there), created: self.meta.created }
    }

    /// The kind of its connector.
    pub fn kind(&self) -> ConnectorKind {
        self.settings.connector.kind
    }

    /// Steps that are planned and not carried out, in mode Plan: by identity, in order.
    pub fn planned(&self) -> &BTreeMap<Name, Vec<PlannedStep>> {
        &self.planned
    }

    /// The ledger is loaded: whose accounts are ours is known.
    pub fn is_loaded(&self) -> bool {
        self.phase != Phase::Unloaded
    }

    /// Mode Enforce.
    pub fn is_enforced(&self) -> bool {
        self.settings.mode == SyncMode::Enforce
    }

    /// The decision on an account may have changed: what was told of it as done is undecided until its turn. Answers
    /// whether it should exist, where it is undecided now.
    pub fn doubt(&self, name: &Name, cx: &Context<'_>) -> Option<bool> {
        use report::Account;
        match cx.board.told(name, &self.application) {
            // What is not done stays told as it is until it is; what is held may be so no longer.
            Some((desired, Account::Provisioned | Account::Disabled | Account::Retained | Account::Held(_))) => {
                Some(desired)
            }
            Some(_) => None,
            None => {
                let ours =
                    self.ledger.rows_of(name).any(|r| !matches!(r.state, RecordState::Deleted | RecordState::Released));
                let decision = cx.directory.decision(name, &self.meta.name);
                // As it will be planned: who has not started, or is suspended, gets no account but for a lead time.
                let may = match decision.owner.map(|owner| owner.state) {
                    Some(State::Active) => true,
                    Some(State::Pending) => ours || decision.owner.is_some_and(|owner| owner.lead),
                    Some(State::Suspended) => ours,
                    Some(State::Ended) | None => false,
                };
                let wanted = may && !decision.account.is_refused();
                // One that the ledger does not know may be there, and be theirs; it is to be disabled.
                let suspended = decision.owner.is_some_and(|owner| owner.state == State::Suspended);
                let may_be_there = suspended && decision.account.is_sure();
                (ours || wanted || may_be_there).then_some(wanted)
            }
        }
    }

    /// Whether an identity has of ours what a Deny names.
    pub fn has(&self, name: &Name, what: &GrantWhat) -> bool {
        let catalogue = |entitlement: &Name| self.settings.entitlements.iter().any(|entry| entry.name == *entitlement);
        self.ledger.rows_of(name).any(|row| match what {
            GrantWhat::Account => matches!(row.state, RecordState::Active | RecordState::Disabled),
            GrantWhat::EveryEntitlement => row.grants().any(|(_, grant)| catalogue(&grant.entitlement)),
            GrantWhat::Named(names) => row.grants().any(|(_, grant)| names.contains(&grant.entitlement)),
        })
    }

    /// Whose accounts the ledger knows.
    pub fn owners(&self) -> BTreeSet<Name> {
        self.ledger.owners()
    }

    /// Records of the ledger, by id.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        super::ledger::by_id(self.ledger.records()).into_iter()
    }

    /// Held plans, oldest first.
    pub fn held(&self) -> &[HeldPlan] {
        &self.ledger.standing.held
    }

    /// What went on since this was last asked.
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.counters)
    }

    /// The target, accounts and groups, was read since start, its accounts completely.
    pub fn is_observed(&self) -> bool {
        self.observing.observed && self.observing.complete.contains_key(&crate::model::Kind::Accounts)
    }

    /// Nothing is under way, nothing waits for a turn, and the target was observed.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Ready
            && self.observing.observed
            && self.queue.is_empty()
            && self.flights.is_empty()
            && self.groups.gathering.is_empty()
            && self.looks.looking.is_empty()
            && self.looks.unresolved.is_empty()
            && self.groups.unresolved.is_empty()
            && !self.storing.recording
            && !self.ledger.has_outgoing()
            && self.observing.observation.is_none()
            && self.settling.values().all(super::waves::Settling::is_empty)
    }

    /// What the target was measured to be.
    pub fn profile(&self) -> Option<&Profile> {
        self.reach.profile.as_ref()
    }

    /// Whether the target answers and accepts us.
    pub fn contact(&self) -> Contact {
        match (&self.reach.trouble, self.phase) {
            (Some(problem), Phase::Unprobed) => Contact::Fails(problem.clone()),
            (_, Phase::Ready) => Contact::Works,
            _ => Contact::Unknown,
        }
    }

    /// The manifest is not valid.
    pub fn is_invalid(&self) -> bool {
        self.invalid
    }

    /// Why nothing is written for anybody until something else happens, if so.
    pub fn stopped(&self) -> Option<Reason> {
        // Whether a person must act, or something was only restarted, the next probes tell in a moment.
        let passes = |reason: Reason| {
            let contact = self.phase == Phase::Unprobed && reason != Reason::TargetChanged;
            contact && reason.is_stalled() && self.reach.failed_probes < 2
        };
        let stops = |reason: Reason| super::stops_writes(reason) && !passes(reason);
        let trouble = self.reach.trouble.iter().filter(|trouble| stops(trouble.reason()));
        report::worst(trouble.chain(&self.storing.trouble)).map(report::Problem::reason)
    }

    /// For the status of the TargetApplication.
    pub fn status(&self) -> TargetApplicationSummary {
        let problems = self.reach.trouble.iter().chain(&self.storing.trouble);
        let contact = match self.contact() {
            Contact::Fails(problem) => Contact::Fails(self.told_until(problem)),
            contact => contact,
        };
        // A failing contact is told as such; it is not repeated as a problem of the application.
        let fails = matches!(contact, Contact::Fails(_));
        let problems = problems.filter(|_| !fails).cloned();
        let more = [self.ledger_trouble(), self.restored_trouble(), self.leaving_trouble()];
        let problems = problems.chain(more.into_iter().flatten()).collect();
        let (orphaned, unmanaged) = self.strangers();
        TargetApplicationSummary {
            mode: self.settings.mode,
            observed: self.is_observed(),
            contact,
            problems,
            held: self.ledger.standing.held.iter().map(report::HeldPlanStatus::from).collect(),
            approved: self.ledger.standing.approval.as_ref().map(|(hash, _)| Arc::clone(hash)).unwrap_or_default(),
            entitlements: self.entitlement_counts(),
            orphaned,
            orphans: self.orphans_wait(),
            unmanaged,
            absent: self.absent(),
            unprotecting: self.observing.unprotecting.clone(),
            profile: self.reach.profile.as_ref().map(|p| p.measured.clone()).unwrap_or_default(),
            target: self.identification(),
            planned: self.planned_summary(),
            planning: !self.enforces() && !self.looks.looking.is_empty(),
            // The board knows.
            settling: 0,
            last_handled_reconcile: self.reconcile_now.clone(),
        }
    }

    /// What the catalogue names and nothing is bound to: not there, or several of one name, and not to be made.
    fn absent(&self) -> Vec<(Name, Arc<str>)> {
        let makes = self.capabilities().is_none_or(|capabilities| capabilities.create_groups);
        let is_made = |entry: &Entitlement| {
            let (kind, name) = (entry.target.kind, &entry.target.name);
            let several = || self.shadow.groups().any(|(_, group)| group.kind == kind && group.name == *name);
            entry.target.create && kind == EntitlementKind::Group && makes && !several()
        };
        let absent = self.entries.iter().filter(|entry| {
            let (kind, name) = (entry.target.kind, &entry.target.name);
            let listed = self.observing.complete.contains_key(&super::shadow::kind_of(kind));
            listed && self.bound(kind, name).is_none() && !is_made(entry)
        });
        absent.map(|entry| (entry.name.clone(), Arc::clone(&entry.target.name))).collect()
    }

    fn planned_summary(&self) -> Option<PlannedSummary> {
        let steps = self.planned.values().flatten().map(|planned| planned.step);
        let plan = report::HeldPlanStatus::of("".into(), Reason::PlanOnly, steps);
        let by = |lane| self.planned.values().filter(|steps| steps.iter().any(|step| step.lane == Some(lane))).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (losing, leaving) = (count(by(Lane::Derived)), count(by(Lane::Explicit)));
        (!self.planned.is_empty()).then_some(PlannedSummary { plan, losing, leaving })
    }

    fn entitlement_counts(&self) -> EntitlementCounts {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let grants = self.ledger.records().filter(|r| r.state != RecordState::Released).map(|r| r.grants().len()).sum();
        let under_way = self.flights.values().flat_map(|flight| &flight.parts);
        let given = under_way.filter(|part| matches!(part.planned.change, Change::Grant(..))).count();
        let failing = self.failed.values().flatten();
        let failed = failing.filter(|f| matches!(f.step, Step::AddMembers { .. } | Step::Assign { .. })).count();
        EntitlementCounts {
            desired: count(grants + failed),
            granted: count(grants - given.min(grants)),
            // A group that is to be made is not there for anybody.
            pending: count(given + self.groups_under_way()),
            failed: count(failed),
            excess: count(self.excess()),
        }
    }

    /// In mode Plan: what would be written, as if each step had succeeded.
    pub(super) fn foresee(
        &mut self,
        gathered: &Gathered,
        mut foreseen: Vec<PlannedStep>,
        steps: &[Planned],
        cx: &Context<'_>,
    ) {
        debug_assert!(!self.enforces());
        let name = gathered.owner.name.clone();
        foreseen.extend(steps.iter().map(PlannedStep::of));
        if let Some(create) = steps.first().filter(|s| matches!(s.step, Step::CreateAccount { .. })) {
            foreseen.extend(self.foresee_after_create(gathered, create, cx));
        }
        if !foreseen.is_empty() {
            self.planned.entry(name).or_default().extend(foreseen);
        }
    }

    fn foresee_after_create(&self, gathered: &Gathered, create: &Planned, cx: &Context<'_>) -> Vec<PlannedStep> {
        let mut record = gathered.new_record();
        let id = TargetId::new(format!("new:{}", gathered.owner.name));
        record.id = RecordId(u64::MAX);
        create.change.intended(&mut record, cx.now.wall);
        let applied = Applied { id: Some(id), ..Applied::default() };
        create.change.done(&mut record, &applied, cx.now.wall);
        let after = gathered.with(record);
        let steps = self.plan_unseen(&after, cx).steps;
        steps.iter().map(PlannedStep::of).collect()
    }
}
