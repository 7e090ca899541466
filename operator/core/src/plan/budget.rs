use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::model::{Budget, HeldStep, Lane, Name};

/// One window of a budget with what was charged within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// At most `max(count, percent of base)`.
    pub budget: Budget,
    /// Units charged within the window.
    pub used: u32,
    /// Accounts provisioned now plus units charged within the window.
    pub base: u32,
}

/// Whether a wave passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whole.
    Pass,
    /// Held whole: so many units were left in the tightest window.
    Hold {
        /// Units allowed by that window.
        allowed: u32,
        /// Units used of it.
        used: u32,
        /// That window.
        window: std::time::Duration,
    },
}

impl Window {
    /// Units allowed: of removals never more than half of the base (with a floor), however the manifest counts.
    pub fn allowed(&self, lane: Lane) -> u32 {
        let percent = u32::try_from(u64::from(self.base) * u64::from(self.budget.percent) / 100).unwrap_or(u32::MAX);
        let most = self.budget.count.max(percent);
        match lane {
            Lane::PrivilegedGrant | Lane::Adoption => most,
            Lane::Explicit => most.min((self.base / 2).max(10)),
            Lane::Derived => most.min((self.base / 2).max(5)),
        }
    }
}

/// Whether a wave of `cost` units passes all windows; a wave passes whole or is held whole.
pub fn admit(cost: u32, lane: Lane, windows: &[Window]) -> Admission {
    let over = windows.iter().filter(|w| w.used.saturating_add(cost) > w.allowed(lane));
    match over.min_by_key(|w| w.allowed(lane).saturating_sub(w.used)) {
        None => Admission::Pass,
        Some(w) => Admission::Hold { allowed: w.allowed(lane), used: w.used, window: w.budget.window },
    }
}

/// The hash of a held plan, hexadecimal: SHA-256 over `namespace/application`, the lane, how often the same set was
/// released before, and what is held, each field ended by a zero byte.
pub fn held_hash(namespace: &str, application: &Name, lane: Lane, n: u32, steps: &BTreeSet<HeldStep>) -> Arc<str> {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    field(&format!("{namespace}/{application}"));
    field(match lane {
        Lane::Explicit => "explicit",
        Lane::Derived => "derived",
        Lane::PrivilegedGrant => "privilegedGrant",
        Lane::Adoption => "adoption",
    });
    field(&n.to_string());
    for held in steps {
        field(held.identity.as_str());
        field(&held.step);
        field(held.entitlement.as_ref().map_or("", Name::as_str));
        if let Some(account) = &held.account {
            field(account.as_str());
        }
    }
    let mut out = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(out, "{byte:02x}");
    }
    out.into()
}
