//! Settling, budgets and held plans: which removals and privileged grants may go.
#![allow(clippy::unused_self, reason = "budgets follow")]

use std::sync::Arc;
use std::time::Duration;

use super::{Context, Out, Sync};
use crate::model::Name;
use crate::plan::Planned;

impl Sync {
    /// Whether a step may go now.
    pub(super) fn is_admitted(&self, _name: &Name, _planned: &Planned, _cx: &Context<'_>) -> bool {
        true
    }

    pub(super) fn plan_of(&self, _name: &Name, _planned: &Planned) -> Option<Arc<str>> {
        None
    }

    pub(super) fn released_done(&mut self, _name: &Name, _planned: &Planned) {}

    pub(super) fn settle_waves(&mut self, _cx: &Context<'_>, _out: &mut Out) {}

    pub(super) fn next_wave(&self) -> Option<Duration> {
        None
    }
}
