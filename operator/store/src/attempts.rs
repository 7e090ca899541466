//! A step that fails over and over in the same way has one record in the journal, which counts its attempts: a target that is down
//! for long washes nothing out. Each attempt has its own entries until it has ended; then they take the place of the former ones.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provost_core::model::{IntentId, Outcome};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::JournalRecord;
use crate::apply::{Place, Tables};
use crate::digest::Key;
use crate::tables::{Fault, OpenIntent};

/// What failed longer ago than this is another story: the longest wait between two attempts is a day and a quarter.
const TOGETHER: SignedDuration = SignedDuration::from_hours(48);

/// The latest of equal attempts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attempts {
    pub intent: IntentId,
    /// Its entries in the journal, the outcome last.
    pub entries: Vec<u64>,
    pub count: u32,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Tables<'_> {
    /// An attempt has failed: if it did so before in the same way, its entries stand for both.
    pub(crate) fn failed(
        &mut self,
        place: Place<'_>,
        open: &OpenIntent,
        outcome: &mut JournalRecord,
        key: &Key,
    ) -> Result<(), Fault> {
        let at = (place.namespace, place.application.as_str(), step(open, key)?, way(open, outcome, key));
        let former = self.attempts.get(at)?.map(|value| serde_json::from_slice::<Attempts>(value.value()));
        let recent = |former: &Attempts| place.at.duration_since(former.last) <= TOGETHER;
        let mut first = open.intent.at;
        if let Some(former) = former.transpose()?.filter(recent) {
            first = former.first;
            (outcome.attempts, outcome.first) = (former.count.saturating_add(1), Some(first));
            for number in former.entries {
                self.change(number, place, former.intent, |_| None)?;
            }
            for number in &open.entries {
                let (attempts, first) = (outcome.attempts, outcome.first);
                self.change(*number, place, open.intent.id, |entry| Some(JournalRecord { attempts, first, ..entry }))?;
            }
        }
        let mut entries = open.entries.clone();
        entries.push(self.entry);
        let attempts = Attempts { intent: open.intent.id, entries, count: outcome.attempts, first, last: place.at };
        self.attempts.insert(at, serde_json::to_vec(&attempts)?.as_slice())?;
        Ok(())
    }

    /// The step was done: what fails from now on is counted anew.
    pub(crate) fn succeeded(&mut self, place: Place<'_>, open: &OpenIntent, key: &Key) -> Result<(), Fault> {
        let (namespace, application) = (place.namespace, place.application.as_str());
        let all = (namespace, application, 0, 0)..=(namespace, application, u64::MAX, u64::MAX);
        if self.attempts.range(all)?.next().is_none() {
            return Ok(());
        }
        let step = step(open, key)?;
        let ways = (namespace, application, step, 0)..=(namespace, application, step, u64::MAX);
        self.attempts.retain_in(ways, |_, _| false)?;
        Ok(())
    }

    /// Puts another entry in the place of one of this intent, or nothing.
    fn change(
        &mut self,
        number: u64,
        place: Place<'_>,
        intent: IntentId,
        change: impl FnOnce(JournalRecord) -> Option<JournalRecord>,
    ) -> Result<(), Fault> {
        let Some(value) = self.journal.get(number)?.map(|value| value.value().to_vec()) else { return Ok(()) };
        let entry: JournalRecord = serde_json::from_slice(&value)?;
        // An import numbers anew.
        let its = (&*entry.namespace, &entry.application, entry.intent) == (place.namespace, place.application, intent);
        if !its {
            return Ok(());
        }
        self.added.remove(&entry, value.len());
        if let Some(entry) = change(entry) {
            let value = serde_json::to_vec(&entry)?;
            self.added.add(&entry, value.len());
            self.journal.insert(number, value.as_slice())?;
        } else {
            self.journal.remove(number)?;
        }
        Ok(())
    }
}

/// What is attempted, and for whom. Not by their records: one that was not created has another one with each attempt.
fn step(open: &OpenIntent, key: &Key) -> Result<u64, Fault> {
    Ok(key.number(&serde_json::to_vec(&(&open.intent.step, &open.identities, &open.uids))?))
}

/// Why, and how it ends. Numbers in the target's words count for nothing: they say when, or which request.
fn way(open: &OpenIntent, outcome: &JournalRecord, key: &Key) -> u64 {
    let none: Arc<str> = "".into();
    let (kind, words) = match &outcome.outcome {
        Some(Outcome::Rejected(words)) => ("rejected", words),
        Some(Outcome::Failed(words)) => ("failed", words),
        Some(Outcome::Cancelled) => ("cancelled", &none),
        Some(Outcome::Done | Outcome::Lost) | None => ("", &none),
    };
    let words: Vec<&str> =
        words.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
    let plan = open.intent.plan.as_deref().unwrap_or_default();
    let lost = if open.entries.len() > 1 { "lost" } else { "" };
    key.number([kind, lost, &open.intent.cause, plan, &words.join(" ")].join("\0").as_bytes())
}
