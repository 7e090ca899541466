//! Accounts that could not be looked for or read: each waits longer and longer by itself, up to 24 hours where the target
//! refuses to show it, sooner when what is decided or seen of it changes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::rate::backoff;
use super::{Context, Failed, Sync};
use crate::directory::Decision;
use crate::model::{Name, PackedIdentity, Reason, TargetError};
use crate::plan::Shade;
use crate::report::Problem;

/// What was known of an account when it could not be read.
#[derive(Debug, PartialEq)]
struct Known {
    identity: Option<PackedIdentity>,
    decision: Decision,
    accounts: Vec<Option<Shade>>,
}

/// An account that could not be looked for or read.
#[derive(Debug)]
pub(super) struct Unread {
    attempts: u32,
    until: Duration,
    refused: bool,
    problem: Problem,
    known: Known,
}

/// The longest wait where the target failed rather than refused: work goes on soon after it is back.
const FAILED: Duration = Duration::from_secs(15);

impl Sync {
    /// Looking for this account failed: when to try again.
    pub(super) fn put_off(&mut self, name: &Name, error: &TargetError, cx: &Context<'_>) {
        let refused = matches!(error, TargetError::Rejected { .. } | TargetError::Unsupported(_));
        let known = self.known_of(name, cx);
        let same = self.looks.unread.remove(name).filter(|before| before.known == known);
        let attempts = same.map_or(0, |before| before.attempts) + 1;
        let longest = if refused { super::failed::LONGEST } else { FAILED };
        let until = cx.now.mono + backoff(name.as_str(), attempts, Duration::from_secs(2), longest);
        let (reason, words) = super::outcome::told(error);
        let problem =
            Problem::new(reason, format!("reading the account was refused or failed and is tried again: {words}"));
        self.looks.unread.insert(name.clone(), Unread { attempts, until, refused, problem, known });
        self.queue.push_at(name, until);
    }

    /// Why this account is not looked at now: it could not be read, and nothing has changed since.
    pub(super) fn waits_unread(&mut self, name: &Name, cx: &Context<'_>) -> Option<Problem> {
        let unread = self.looks.unread.get(name).filter(|unread| unread.until > cx.now.mono)?;
        let waits = unread.known == self.known_of(name, cx);
        let (until, problem) = (unread.until, unread.problem.clone());
        if waits {
            self.queue.push_at(name, until);
        }
        waits.then_some(problem)
    }

    /// The target is back: who waits for its failures does so no longer, nor for what it could not do, which may have been said by
    /// what stood in its place.
    pub(super) fn try_again(&mut self, cx: &Context<'_>) {
        let unable = |problem: &Problem| problem.reason() == Reason::Unsupported;
        let unread =
            self.looks.unread.iter().filter(|(_, u)| !u.refused || unable(&u.problem)).map(|(name, _)| name.clone());
        let mut waits: BTreeSet<Name> = unread.collect();
        self.looks.unread.retain(|name, _| !waits.contains(name));
        waits.append(&mut self.tried_again(|failed| unable(&failed.problem), cx));
        for name in waits {
            self.touch(&name, cx);
        }
    }

    /// A write was done: what failed while none was is tried again.
    pub(super) fn takes_writes(&mut self, cx: &Context<'_>) {
        if std::mem::take(&mut self.reach.takes_no_writes) {
            for name in self.tried_again(|failed| std::mem::take(&mut failed.passes), cx) {
                self.touch(&name, cx);
            }
        }
    }

    /// Ends the wait of these failures; answers whose they are.
    fn tried_again(&mut self, which: impl Fn(&mut Failed) -> bool, cx: &Context<'_>) -> BTreeSet<Name> {
        let mut waited = BTreeSet::new();
        for (name, failures) in &mut self.failed {
            for failed in failures {
                if which(failed) {
                    failed.until = cx.now.mono;
                    waited.insert(name.clone());
                }
            }
        }
        waited
    }

    fn known_of(&self, name: &Name, cx: &Context<'_>) -> Known {
        let records = self.ledger.of_name(name);
        let ids = records.iter().filter_map(|record| record.target_id.as_ref());
        Known {
            identity: cx.directory.identity(name).and_then(|view| view.spec.ok().cloned()),
            decision: cx.directory.decision(name, &self.application),
            accounts: ids.map(|id| self.ledger.seen(id).map(aged)).collect(),
        }
    }
}

/// How old the news is says nothing of the account.
fn aged(mut shade: Shade) -> Shade {
    shade.fresh = false;
    shade
}
