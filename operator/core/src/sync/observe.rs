//! One full observation: page after page of each kind, and whether it was complete.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{AttributeName, Item, Kind, Page, PageToken, TargetId};

/// An observation under way.
#[derive(Debug)]
pub(super) struct Observation {
    kinds: Vec<Kind>,
    /// Which of the kinds is being listed.
    at: usize,
    /// Where it goes on.
    pub(super) page: Option<PageToken>,
    /// A page was asked for and has not come.
    pub(super) asked: bool,
    /// When this kind's listing began.
    pub(super) began: Timestamp,
    pub(super) began_mono: Duration,
    /// Other servers hold a part of what was listed.
    elsewhere: bool,
    listing: Listing,
    /// What it lacks, where that alone makes it incomplete and it is little enough to be read one by one.
    pub(super) lacking: Vec<TargetId>,
}

/// So many of ours that a listing without a total lacks are read by their ids, where at least as many are there.
const READ: usize = 20;

#[derive(Debug, Default)]
struct Listing {
    ids: BTreeSet<TargetId>,
    items: u64,
    pages_seen: u64,
    first_total: Option<u64>,
    last_total: Option<u64>,
    pages: BTreeSet<std::sync::Arc<str>>,
    repeated: bool,
}

/// How the listing of a kind ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It goes on.
    No,
    /// Complete: what it did not show may be gone.
    Complete,
    /// It cannot be told from this listing what is gone.
    Incomplete,
}

/// Observations, the one under way and what those before it said.
#[derive(Debug, Default)]
pub(super) struct Observing {
    pub(super) observation: Option<Observation>,
    pub(super) observe_at: Duration,
    /// Observations that were not complete, in a row.
    pub(super) incomplete: u32,
    /// The first observation ended, complete or not.
    pub(super) observed: bool,
    /// When the last complete listing of each kind began.
    pub(super) complete: BTreeMap<Kind, Duration>,
    /// Bound groups that a complete listing, begun then, did not show where the target claims no total.
    pub(super) vanished: BTreeMap<TargetId, Duration>,
    /// Kinds whose last complete listing came to the total that the target claims.
    pub(super) counted: BTreeSet<Kind>,
    /// A listing of the observation under way was not complete.
    pub(super) partial: bool,
    /// Accounts that the list of those protected named before it was edited: whom it does not name now is protected no longer.
    pub(super) lifting: BTreeSet<TargetId>,
    /// Attributes by which `safety.protected` names none of the accounts that the last one showed.
    pub(super) unprotecting: Vec<AttributeName>,
}

impl Observation {
    pub(super) fn new(kinds: Vec<Kind>, wall: Timestamp, mono: Duration) -> Self {
        Self {
            kinds,
            at: 0,
            page: None,
            asked: false,
            began: wall,
            began_mono: mono,
            elsewhere: false,
            listing: Listing::default(),
            lacking: Vec::new(),
        }
    }

    /// What is listed now; `None`: everything was.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.kinds.get(self.at).copied()
    }

    /// Takes note of a page. `known` are ids of the ledger, the measure where the target claims no total.
    pub(super) fn page(&mut self, page: &Page, known: impl Iterator<Item = TargetId>) -> Ended {
        self.asked = false;
        let listing = &mut self.listing;
        self.elsewhere |= page.elsewhere > 0;
        listing.items += page.items.len() as u64;
        listing.ids.extend(page.items.iter().map(|item| match item {
            Item::Account(observed) => observed.id.clone(),
            Item::Entitlement(observed) => observed.id.clone(),
        }));
        if listing.pages_seen == 0 {
            listing.first_total = page.total;
        }
        listing.pages_seen += 1;
        listing.last_total = page.total;
        if let Some(next) = &page.next {
            listing.repeated |= !listing.pages.insert(std::sync::Arc::clone(&next.0));
            self.page = Some(next.clone());
            if !listing.repeated {
                return Ended::No;
            }
        }
        if self.elsewhere || !listing.adds_up() {
            return Ended::Incomplete;
        }
        if listing.last_total.is_some() {
            return Ended::Complete;
        }
        let (mut all, ids) = (0, &listing.ids);
        let lacking: Vec<TargetId> = known.inspect(|_| all += 1).filter(|id| !ids.contains(id)).collect();
        if lacking.len() * 10 <= all {
            return Ended::Complete;
        }
        if lacking.len() <= READ && lacking.len() * 2 <= all {
            self.lacking = lacking;
        }
        Ended::Incomplete
    }

    /// The target claims a total, and the listing came to it.
    pub(super) fn is_counted(&self) -> bool {
        self.listing.last_total.is_some()
    }

    /// Why it cannot be told from it what is gone, once it has ended so.
    pub(super) fn lacks(&self) -> &'static str {
        if self.elsewhere {
            "the server refers to another one for a part of it, which is not followed; name a base DN that holds no \
             referral, or set the url to the server that holds everything below it"
        } else {
            "the listing did not add up"
        }
    }

    /// Goes on to the next kind.
    pub(super) fn next_kind(&mut self, wall: Timestamp, mono: Duration) {
        self.at += 1;
        self.page = None;
        self.listing = Listing::default();
        self.lacking.clear();
        self.began = wall;
        self.began_mono = mono;
    }
}

impl Listing {
    /// Without error (that ends an observation elsewhere), first and last page agree on the total, distinct ids equal
    /// it, and no page repeated. Where no total exists, at least 90 % of the ledger's ids must have been seen besides.
    fn adds_up(&self) -> bool {
        let distinct = self.ids.len() as u64;
        let once = !self.repeated && distinct == self.items && self.first_total == self.last_total;
        once && self.last_total.is_none_or(|total| distinct == total)
    }
}
