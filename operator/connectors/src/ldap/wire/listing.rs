//! Listings, page by page, each on a connection of its own: servers keep the place of one listing a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use provost_core::model::{Kind, PageToken, Spent, TargetError};

use super::error::no_base;
use super::{Entry, Own, Search, Wire};

/// Accounts in a page; the port's most.
pub(crate) const ACCOUNTS: usize = 500;
/// Groups in a page: each may have thousands of members.
pub(crate) const GROUPS: usize = 50;
/// Listings that wait for their next page. Who comes back later begins again.
const WAITING: usize = 4;

/// Empty pages one after the other; a server that gives more lists nothing.
const EMPTY: usize = 100;

/// Listings under way, by the token that goes on.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    waiting: Mutex<Waiting>,
    /// A listing that other servers hold a part of is complete all the same.
    without_others: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    begun: u64,
    listings: VecDeque<(Arc<str>, Listing)>,
}

#[derive(Debug)]
struct Listing {
    number: u64,
    page: u64,
    kind: Kind,
    /// What is still to be searched; the first is under way.
    searches: VecDeque<Search>,
    cookie: Vec<u8>,
    own: Own,
}

/// Directories have nothing else.
pub(crate) fn neither() -> TargetError {
    TargetError::Unsupported("a directory knows accounts and groups alone".into())
}

/// Other servers hold a part of what was searched: what was not found here may be there.
pub(crate) fn elsewhere() -> TargetError {
    let text = "the server refers to another one for a part of this, which is not followed, so nothing is taken for absent; name a \
                base DN that holds no referral, or set the url to the server that holds everything below it";
    TargetError::Transient(text.into())
}

impl Listings {
    /// Of a domain, which refers to its other partitions wherever it is asked at the top; no account is there.
    pub(crate) fn of_domain() -> Self {
        Self { without_others: true, ..Self::default() }
    }

    /// One page of what the searches find together, where it goes on, and how many parts of it other servers hold; `None`: from the
    /// beginning.
    pub(crate) async fn page(
        &self,
        wire: &Wire,
        (kind, page): (Kind, Option<&PageToken>),
        searches: Vec<Search>,
        size: usize,
        spent: &mut Spent,
    ) -> Result<(Vec<Entry>, Option<PageToken>, usize), TargetError> {
        let mut listing = match page {
            Some(token) => self.resumed(kind, token)?,
            None => self.begun(wire.own(spent).await?, kind, searches),
        };
        let (mut entries, mut elsewhere, mut pages) = (Vec::new(), 0, 0);
        // A server may answer an empty page in between.
        while entries.is_empty() {
            if pages == EMPTY {
                let text = format!("the server answers {EMPTY} empty pages in a row, and says that there are more");
                return Err(TargetError::Malformed(text.into()));
            }
            pages += 1;
            let Some(search) = listing.searches.front().cloned() else { break };
            let base = search.base.clone();
            let cookie = std::mem::take(&mut listing.cookie);
            let found = wire.page(&mut listing.own, search, size, cookie, spent).await;
            let found = found.map_err(|refusal| no_base(refusal, &base))?;
            if !self.without_others {
                elsewhere += found.referrals;
            }
            listing.cookie = found.cookie;
            if listing.cookie.is_empty() {
                listing.searches.pop_front();
            }
            entries = found.entries;
        }
        if listing.searches.is_empty() {
            wire.done(listing.own);
            return Ok((entries, None, elsewhere));
        }
        Ok((entries, Some(self.waits(listing)), elsewhere))
    }

    fn begun(&self, own: Own, kind: Kind, searches: Vec<Search>) -> Listing {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.begun += 1;
        Listing { number: waiting.begun, page: 0, kind, searches: searches.into(), cookie: Vec::new(), own }
    }

    fn resumed(&self, kind: Kind, token: &PageToken) -> Result<Listing, TargetError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.listings.iter().position(|(known, listing)| *known == token.0 && listing.kind == kind);
        let unknown = || TargetError::Malformed("this listing is not under way any more; it begins again".into());
        Ok(at.and_then(|at| waiting.listings.remove(at)).ok_or_else(unknown)?.1)
    }

    fn waits(&self, mut listing: Listing) -> PageToken {
        listing.page += 1;
        let token: Arc<str> = format!("{}.{}", listing.number, listing.page).into();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.listings.len() == WAITING {
            waiting.listings.pop_front();
        }
        waiting.listings.push_back((Arc::clone(&token), listing));
        PageToken(token)
    }
}
