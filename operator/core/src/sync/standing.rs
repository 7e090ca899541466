//! Held plans, releases and charges, found by whose they are and by what a step is called: each turn of each account asks, and
//! half of all may be held.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{Charge, HeldPlan, HeldStep, Lane, Name, Release, Standing, TargetId};
use crate::plan::Planned;

/// Sorts before each step of an identity.
pub(super) fn first_of(name: &Name) -> HeldStep {
    HeldStep { identity: name.clone(), step: "".into(), entitlement: None, account: None }
}

/// What a planned step is called in a wave.
pub(super) fn key(name: &Name, planned: &Planned) -> HeldStep {
    let (identity, step) = (name.clone(), planned.step.name().into());
    HeldStep { identity, step, entitlement: planned.entitlement.clone(), account: None }
}

/// What an adoption is called in a wave.
pub(super) fn adoption(name: &Name, account: &TargetId) -> HeldStep {
    let account = Some(account.clone());
    HeldStep { identity: name.clone(), step: "AdoptAccount".into(), entitlement: None, account }
}

/// What disabling an orphaned account is called in a wave.
pub(super) fn orphan(name: &Name, account: &TargetId) -> HeldStep {
    HeldStep { step: "DisableAccount".into(), ..adoption(name, account) }
}

impl Standing {
    /// The plan that holds a step, if one does.
    pub(super) fn held_in(&self, lane: Lane, step: &HeldStep) -> Option<&HeldPlan> {
        self.held.iter().find(|plan| plan.lane == lane && plan.steps.contains(step))
    }

    /// What is held of an identity and goes is taken out; answers whether anything was. A plan that holds nothing is none.
    pub(super) fn drop_held(&mut self, name: &Name, goes: impl Fn(Lane, &HeldStep) -> bool) -> bool {
        let mut dropped = false;
        for HeldPlan { lane, steps, .. } in &mut self.held {
            let own = steps.range(first_of(name)..).take_while(|step| step.identity == *name);
            let gone: Vec<HeldStep> = own.filter(|step| goes(*lane, step)).cloned().collect();
            dropped |= !gone.is_empty();
            for step in &gone {
                steps.remove(step);
            }
        }
        if dropped {
            self.held.retain(|plan| !plan.steps.is_empty());
        }
        dropped
    }

    /// What was let through of an identity in a lane and is not done yet.
    pub(super) fn releases_of<'a>(&'a self, lane: Lane, name: &Name) -> impl Iterator<Item = &'a Release> {
        let from = Release { lane, step: first_of(name), plan: None, at: Timestamp::MIN };
        self.releases.range(from..).take_while(move |release| release.lane == lane && release.step.identity == *name)
    }

    /// What goes of it is taken out; answers whether anything was.
    pub(super) fn drop_releases(&mut self, lane: Lane, name: &Name, goes: impl Fn(&HeldStep) -> bool) -> bool {
        let gone: Vec<Release> = self.releases_of(lane, name).filter(|release| goes(&release.step)).cloned().collect();
        for release in &gone {
            self.releases.remove(release);
        }
        !gone.is_empty()
    }

    /// Reserves a budget, in place of what was reserved for the same identity and costs no more.
    pub(super) fn charge(&mut self, charge: Charge) {
        for old in charges_of(&self.charges, charge.lane, &charge.identity) {
            if old.units <= charge.units {
                self.charges.remove(&old);
            }
        }
        self.charges.insert(charge);
    }

    /// What is reserved for an identity counts from now on; answers whether that is news.
    pub(super) fn date_charges(&mut self, lane: Lane, name: &Name, at: Timestamp) -> bool {
        let mut dated = false;
        for old in charges_of(&self.charges, lane, name).into_iter().filter(|old| old.at < at) {
            self.charges.remove(&old);
            dated |= self.charges.insert(Charge { at, ..old });
        }
        dated
    }
}

fn charges_of(charges: &BTreeSet<Charge>, lane: Lane, name: &Name) -> Vec<Charge> {
    let from = Charge { identity: name.clone(), lane, at: Timestamp::MIN, units: 0 };
    charges.range(from..).take_while(|charge| charge.identity == *name && charge.lane == lane).cloned().collect()
}
