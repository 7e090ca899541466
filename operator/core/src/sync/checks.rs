//! Memberships that listings do not show, where the target answers whether somebody has one: who was given one is asked
//! about once that must be visible, and everybody again, evenly over the day.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::row::Row;
use super::{Awaited, Context, Out, Sync};
use crate::engine::Effect;
use crate::model::{Name, Now, Observability, Observed, RecordId, RecordState, TargetError, TargetId};

/// In this time everybody is asked about once.
const ROUND: Duration = Duration::from_hours(24);
/// The least time between two questions: 600 an hour. A question costs up to two requests, a third of what the slowest
/// rate that can be declared allows; whom 14,400 a day do not cover waits longer.
const GAP: Duration = Duration::from_secs(6);
/// Few accounts are asked about more often than once a round: somebody once an hour.
const FEWEST: u32 = 24;

/// Whose memberships are asked about and when, and what the answers denied.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Who is left of this round, oldest first.
    round: VecDeque<RecordId>,
    /// With whom each round begins; `None`: none was begun since the start.
    first: Option<RecordId>,
    /// From one of a round to the next.
    step: Duration,
    /// When the next of the round is due.
    due: Duration,
    /// When somebody was last asked about.
    asked: Option<Duration>,
    /// Who was given something, and when that must be visible; the same by time.
    given: BTreeMap<RecordId, Duration>,
    visible: BTreeSet<(Duration, RecordId)>,
    /// Groups, of ours, that an account was seen not to be in.
    gone: BTreeMap<TargetId, BTreeSet<TargetId>>,
}

impl Checks {
    /// When somebody is to be asked about.
    fn next(&self) -> Duration {
        let given = self.visible.first().map_or(self.due, |(at, _)| self.due.min(*at));
        given.max(self.asked.map_or(Duration::ZERO, |asked| asked + GAP))
    }

    /// This one is asked about by itself, not before then.
    fn ask(&mut self, record: RecordId, at: Duration) {
        if let Some(before) = self.given.insert(record, at) {
            self.visible.remove(&(before, record));
        }
        self.visible.insert((at, record));
    }

    /// Whose turn it is, and whether it is that of the round: who was given something goes first.
    fn pop(&mut self, now: Duration) -> Option<(RecordId, bool)> {
        if let Some((at, record)) = self.visible.first().copied().filter(|(at, _)| *at <= now) {
            self.visible.remove(&(at, record));
            self.given.remove(&record);
            return Some((record, false));
        }
        (self.due <= now).then(|| Some((self.round.pop_front()?, true))).flatten()
    }

    /// Somebody is asked about now. What could not be asked in time is not caught up with.
    fn asked(&mut self, of_round: bool, now: Duration) {
        self.asked = Some(now);
        if of_round {
            self.due = (self.due + self.step).max(now);
        }
    }

    /// Begins a round with the one it began with before; after a start with whom the time of day points at, so that
    /// processes that live shortly do not ask about the same few again and again.
    fn begin(&mut self, records: Vec<RecordId>, now: Now) {
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        self.step = (ROUND / count.max(FEWEST)).max(GAP);
        self.due = now.mono;
        let at = if let Some(first) = self.first {
            records.partition_point(|record| *record < first)
        } else {
            let step = self.step.as_millis();
            let time = u128::try_from(now.wall.as_millisecond()).unwrap_or_default();
            let into = u64::try_from(time % step).unwrap_or_default();
            self.due += self.step.saturating_sub(Duration::from_millis(into));
            usize::try_from((time / step + 1) % u128::from(count.max(1))).unwrap_or_default()
        };
        self.round = records.into();
        self.round.rotate_left(at.min(self.round.len()));
        self.first = self.round.front().copied();
        if self.round.is_empty() {
            self.due = now.mono + self.step;
        }
    }

    /// It was asked, and is not in this group.
    pub(super) fn denies(&self, group: &TargetId, account: &TargetId) -> bool {
        self.gone.get(account).is_some_and(|groups| groups.contains(group))
    }

    /// What was said of this membership is over. True: it was denied.
    pub(super) fn forget(&mut self, group: &TargetId, account: &TargetId) -> bool {
        self.gone.get_mut(account).is_some_and(|groups| groups.remove(group))
    }
}

impl Sync {
    /// Asks about one account, if it is time, and if nothing else is to be asked or written.
    pub(super) fn send_check(&mut self, cx: &Context<'_>, out: &mut Out) {
        if self.next_check().is_none_or(|at| cx.now.mono < at) || !self.may_request(cx.now) {
            return;
        }
        if self.checks.round.is_empty() && self.checks.due <= cx.now.mono {
            self.begin_checks(cx.now);
        }
        while let Some((record, of_round)) = self.checks.pop(cx.now.mono) {
            let Some(id) = self.ledger.record(record).and_then(|row| self.asks_about(row)) else { continue };
            self.checks.asked(of_round, cx.now.mono);
            return self.request(Effect::Read(id.clone()), Awaited::Check(record, id, cx.now), out);
        }
    }

    /// When somebody may next be asked about; `None`: not as things are.
    pub(super) fn next_check(&self) -> Option<Duration> {
        let can = self.capabilities().is_some_and(|c| c.members == Observability::Probe);
        let under_way = self.awaits(|awaited| matches!(awaited, Awaited::Check(..)));
        (can && self.observing.observed && self.may_turn() && !under_way && !self.wants_requests())
            .then(|| self.checks.next())
    }

    fn begin_checks(&mut self, now: Now) {
        let ledger = &self.ledger;
        self.checks.gone.retain(|account, groups| {
            groups.retain(|group| ledger.of_target(account).is_some_and(|row| row.holds(group)));
            !groups.is_empty()
        });
        let asked = ledger.records().filter(|row| self.asks_about(*row).is_some());
        let mut records: Vec<RecordId> = asked.map(|row| row.id).collect();
        records.sort_unstable();
        self.checks.begin(records, now);
    }

    /// The account of a record some of whose memberships no listing shows.
    fn asks_about(&self, row: Row<'_>) -> Option<TargetId> {
        let asks = row.state != RecordState::Released && row.grants().any(|(group, _)| self.is_unshown(group));
        row.target_id().filter(|_| asks).map(TargetId::from)
    }

    /// A group that is there, whose members are not shown.
    fn is_unshown(&self, group: &TargetId) -> bool {
        self.shadow.group(group).is_some_and(|group| group.members.is_none())
    }

    /// A membership was given. Where it was missing before, the next round tells: one that never holds is not to be given
    /// again every few seconds.
    pub(super) fn was_given(&mut self, record: RecordId, group: &TargetId, account: &TargetId, cx: &Context<'_>) {
        let again = self.checks.forget(group, account);
        let can = self.capabilities().is_some_and(|c| c.members == Observability::Probe);
        if !again && can && self.is_unshown(group) {
            let last_write = self.ledger.record(record).and_then(|row| row.last_write);
            self.checks.ask(record, cx.now.mono + self.until_visible(last_write, cx.now));
        }
    }

    /// The answer of a question; one that failed says nothing.
    pub(super) fn on_checked(
        &mut self,
        record: RecordId,
        id: &TargetId,
        began: Now,
        answer: Result<Option<Observed>, TargetError>,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        if let Err(error) = self.believe_read(id, began, answer) {
            return self.on_error(&error, cx, out);
        }
        let Some(row) = self.ledger.record(record) else { return };
        let (name, last_write) = (Name::from(row.owner()), row.last_write);
        if self.is_old_news(began.wall, last_write) {
            self.checks.ask(record, cx.now.mono + self.until_visible(last_write, cx.now));
        } else {
            self.touch_as(&name, super::Priority::Drift, cx);
        }
    }

    /// What a read by id says of memberships of ours that no listing shows.
    pub(super) fn check_holds(&mut self, account: &TargetId, holds: &[TargetId]) {
        let Some(row) = self.ledger.of_target(account) else { return };
        let ours = row.grants().map(|(group, _)| group).filter(|group| self.is_unshown(group));
        let gone: BTreeSet<TargetId> = ours.filter(|group| !holds.contains(group)).cloned().collect();
        if gone.is_empty() {
            self.checks.gone.remove(account);
        } else {
            self.checks.gone.insert(account.clone(), gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn now(second: u64) -> Now {
        let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(second).unwrap()).unwrap();
        Now { wall, mono: Duration::from_secs(second) }
    }

    fn all(count: u64) -> Vec<RecordId> {
        (1..=count).map(RecordId).collect()
    }

    /// Who is asked about from one second to another, and when, in a process that starts at the first.
    fn asked(count: u64, seconds: std::ops::Range<u64>) -> Vec<(u64, RecordId)> {
        let mut checks = Checks::default();
        let mut out = Vec::new();
        for second in seconds {
            let now = now(second);
            if checks.next() > now.mono {
                continue;
            }
            if checks.round.is_empty() && checks.due <= now.mono {
                checks.begin(all(count), now);
            }
            if let Some((record, of_round)) = checks.pop(now.mono) {
                checks.asked(of_round, now.mono);
                out.push((second, record));
            }
        }
        out
    }

    #[test]
    fn everybody_is_asked_about_within_a_day_evenly_and_never_more_than_600_an_hour() {
        for (count, a_day) in [(1, 24), (7, 24), (24, 24), (100, 100), (1000, 1000), (20_000, 14_400)] {
            let seen = asked(count, 0..86_400);
            assert!((a_day - 1..=a_day + 1).contains(&seen.len()), "{count}: {} a day", seen.len());
            let gaps: Vec<u64> = seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
            let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
            assert!(*least >= 6 && most - least <= 1, "{count}: {least} to {most} seconds apart");
            let whom: BTreeSet<RecordId> = seen.iter().map(|(_, record)| *record).collect();
            assert!(whom.len() + 1 >= usize::try_from(count).unwrap().min(a_day), "{count}: nobody twice before all");
        }
    }

    #[test]
    fn processes_that_live_shortly_ask_about_everybody_all_the_same() {
        // A hundred accounts, one asked about every 864 seconds: a start every ten minutes, or every hour.
        for life in [600, 3600] {
            let seen = (0..86_400 / life).flat_map(|n| asked(100, n * life..(n + 1) * life));
            let whom: BTreeSet<RecordId> = seen.map(|(_, record)| record).collect();
            assert!(whom.len() >= 95, "{} of 100 in lives of {life} seconds", whom.len());
        }
    }

    #[test]
    fn who_was_given_something_is_asked_about_first_and_once() {
        let mut checks = Checks::default();
        checks.begin(all(20_000), now(0));
        for (record, at) in [(7, 50), (8, 40), (7, 60)] {
            checks.ask(RecordId(record), Duration::from_secs(at));
        }
        let first = checks.first.unwrap();
        let turns = [55, 61, 67, 73].map(|second| checks.pop(Duration::from_secs(second)).unwrap());
        assert_eq!(turns[..2], [(RecordId(8), false), (RecordId(7), false)]);
        assert_eq!(turns[2], (first, true), "then the round goes on");
    }
}
