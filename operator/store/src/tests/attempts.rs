//! What fails over and over in the same way is one record.

use provost_core::model::{Outcome, Step, Value};

use super::journal::{all, close, intent, ledger_record};
use super::retention::size;
use super::{at, fresh, open, record};
use crate::tables::ATTEMPTS;
use crate::{JournalQuery, JournalRecord, Keep, Store};

fn update(title: &str) -> Step {
    Step::UpdateAccount { id: "u-1".into(), set: [("title".into(), Value::from(title))].into() }
}

fn rejected(words: &str) -> Outcome {
    Outcome::Rejected(words.into())
}

/// One attempt, with a record of its own as each attempt to create has.
fn attempt(store: &Store, second: i64, id: u64, step: Step, outcomes: &[Outcome]) {
    record(store, "wiki", second, vec![ledger_record(id + 1, "ada", Some("u-1")), intent(id, &[id + 1], step)])
        .unwrap();
    let open = store.load("acme", &"wiki".into()).unwrap().intents;
    assert!(open.iter().any(|intent| intent.id.0 == id), "the intent is there before the write");
    assert_eq!(all(store, JournalQuery::default()).pop().unwrap().outcome, None, "in the journal as well");
    for outcome in outcomes {
        record(store, "wiki", second + 1, vec![close(id, outcome.clone())]).unwrap();
    }
}

/// Intent, attempts, the first one's time, and the outcome.
fn told(store: &Store) -> Vec<(u64, u32, Option<i64>, Option<Outcome>)> {
    let of = |entry: JournalRecord| {
        (entry.intent.0, entry.attempts, entry.first.map(jiff::Timestamp::as_second), entry.outcome)
    };
    all(store, JournalQuery::default()).into_iter().map(of).collect()
}

#[test]
fn attempts_that_fail_in_the_same_way_are_one_record_that_counts_them_and_says_since_when() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut store = open(&path).unwrap();
    for n in 0..50_u64 {
        if n == 20 {
            drop(store);
            store = open(&path).unwrap();
        }
        let second = 100 + i64::try_from(n).unwrap() * 3600;
        attempt(&store, second, n * 10 + 10, update("Reader"), &[rejected(&format!("503, request {n}a: try later"))]);
    }
    let last = rejected("503, request 49a: try later");
    assert_eq!(told(&store), [(500, 50, Some(1), None), (500, 50, Some(1), Some(last))], "the intent's time is 1");
    assert_eq!(all(&store, JournalQuery::default())[1].at, at(100 + 49 * 3600 + 1), "the latest time");
    assert_eq!(store.prune(&Keep { from: at(0), bytes: size(&store) }).unwrap(), 0, "its size is known");
    // Asked for any time from the first one to the last.
    for (from, until, found) in [(0, 1, 0), (0, 2, 2), (1_000, 2_000, 2), (176_000, 180_000, 2), (177_000, 180_000, 0)]
    {
        let query = JournalQuery { from: Some(at(from)), until: Some(at(until)), ..JournalQuery::default() };
        assert_eq!(all(&store, query).len(), found, "{from} {until}");
    }
}

#[test]
fn another_step_another_way_to_fail_another_cause_and_a_success_in_between_have_records_of_their_own() {
    let store = Store::in_memory(fresh).unwrap();
    attempt(&store, 1, 10, update("Reader"), &[rejected("too long")]);
    attempt(&store, 2, 20, update("Boss"), &[rejected("too long")]);
    attempt(&store, 3, 30, update("Reader"), &[rejected("not allowed")]);
    attempt(&store, 4, 40, update("Reader"), &[Outcome::Failed("too long".into())]);
    attempt(&store, 5, 50, update("Reader"), &[rejected("too long")]);
    let attempts: Vec<_> = told(&store).into_iter().map(|(id, attempts, ..)| (id, attempts)).collect();
    let single = |id| [(id, 1), (id, 1)];
    assert_eq!(attempts, [single(20), single(30), single(40), [(50, 2), (50, 2)]].concat());
    attempt(&store, 6, 60, update("Reader"), &[Outcome::Done]);
    attempt(&store, 7, 70, update("Reader"), &[rejected("too long")]);
    attempt(&store, 8, 80, update("Boss"), &[rejected("too long")]);
    let attempts: Vec<_> = told(&store).into_iter().map(|(id, attempts, ..)| (id, attempts)).collect();
    assert_eq!(attempts[4..], [[(50, 2), (50, 2)], single(60), single(70), [(80, 2), (80, 2)]].concat());
}

#[test]
fn what_failed_days_ago_is_another_story() {
    let store = Store::in_memory(fresh).unwrap();
    attempt(&store, 1, 10, update("Reader"), &[rejected("no")]);
    attempt(&store, 3 * 86_400, 20, update("Reader"), &[rejected("no")]);
    assert_eq!(told(&store).len(), 4);
}

#[test]
fn an_answer_that_is_lost_again_and_again_is_one_record_too_and_a_lost_one_that_was_done_stays() {
    let store = Store::in_memory(fresh).unwrap();
    let lost = |then: Outcome| [Outcome::Lost, then];
    for n in 1..=9 {
        let outcomes = lost(Outcome::Failed("not seen to be done".into()));
        attempt(&store, i64::try_from(n).unwrap(), n * 10, update("Reader"), &outcomes);
    }
    let counted: Vec<_> = told(&store).into_iter().map(|(id, attempts, ..)| (id, attempts)).collect();
    assert_eq!(counted, [(90, 9); 3]);
    attempt(&store, 10, 100, update("Reader"), &lost(Outcome::Done));
    let counted: Vec<_> = told(&store).into_iter().map(|(id, attempts, ..)| (id, attempts)).collect();
    assert_eq!(counted, [[(90, 9); 3], [(100, 1); 3]].concat());
}

#[test]
fn a_target_that_is_down_for_days_washes_nothing_out_of_the_journal() {
    let store = Store::in_memory(fresh).unwrap();
    attempt(&store, 1, 1, Step::EnableAccount { id: "u-0".into() }, &[Outcome::Done]);
    let keep = Keep { from: at(0), bytes: 20 * size(&store) };
    for n in 0..40_u64 {
        let second = 10 + i64::try_from(n).unwrap() * 3600;
        for person in 0..4 {
            let step = Step::DisableAccount { id: format!("u-{person}").as_str().into() };
            attempt(&store, second, 100 + n * 100 + person * 10, step, &[Outcome::Failed("it is down".into())]);
        }
    }
    assert_eq!(store.prune(&keep).unwrap(), 0);
    let entries = told(&store);
    assert_eq!((entries.len(), entries[0].0), (10, 1), "two each, and what was there before");
    assert!(entries[2..].iter().all(|(_, attempts, ..)| *attempts == 40));
}

#[test]
fn nothing_is_remembered_of_attempts_once_their_step_is_done() {
    let store = Store::in_memory(fresh).unwrap();
    let remembered = || {
        store
            .shared
            .with(|database| Ok(redb::ReadableDatabase::begin_read(database)?.open_table(ATTEMPTS)?))
            .map(|table| redb::ReadableTableMetadata::len(&table).unwrap())
    };
    attempt(&store, 1, 10, update("Reader"), &[rejected("no")]);
    attempt(&store, 2, 20, update("Reader"), &[rejected("never")]);
    assert_eq!(remembered().unwrap(), 2);
    attempt(&store, 3, 30, update("Reader"), &[Outcome::Done]);
    assert_eq!(remembered().unwrap(), 0);
    // Nor once the journal tells of them no more.
    attempt(&store, 4, 40, update("Reader"), &[rejected("no")]);
    attempt(&store, 90, 50, update("Boss"), &[rejected("no")]);
    assert_eq!((store.prune(&Keep { from: at(50), bytes: 1 << 30 }).unwrap(), remembered().unwrap()), (8, 1));
    attempt(&store, 95, 60, update("Boss"), &[rejected("no")]);
    assert_eq!(told(&store).iter().map(|(id, attempts, ..)| (*id, *attempts)).collect::<Vec<_>>(), [(60, 2); 2]);
}
