use provost_core::model::Step;

use super::journal::{all, intent, ledger_record};
use super::{at, fresh, record};
use crate::{JournalQuery, Keep, Store};

fn write(store: &Store, second: i64, leaves: bool) {
    let id: u64 = u64::try_from(second).unwrap();
    let step =
        if leaves { Step::DisableAccount { id: "u-1".into() } } else { Step::EnableAccount { id: "u-1".into() } };
    record(store, "wiki", second, vec![ledger_record(1, "ada", None), intent(id, &[1], step)]).unwrap();
}

fn seconds(store: &Store, step: &str) -> Vec<i64> {
    let entries = all(store, JournalQuery::default());
    entries.iter().filter(|entry| &*entry.step == step).map(|entry| entry.at.as_second()).collect()
}

/// Bytes of all entries.
pub(super) fn size(store: &Store) -> u64 {
    let entries = all(store, JournalQuery::default());
    entries.iter().map(|entry| serde_json::to_vec(entry).unwrap().len() as u64).sum()
}

#[test]
fn a_journal_that_is_too_large_forgets_the_oldest_and_leavers_last() {
    let store = Store::in_memory(fresh).unwrap();
    // Three leavers before everything, then a flood.
    (1..=3).for_each(|second| write(&store, second, true));
    (4..=103).for_each(|second| write(&store, second, false));
    let room = size(&store) / 2;
    let keep = Keep { from: at(0), bytes: room };
    assert!(store.prune(&keep).unwrap() > 40);
    assert!(size(&store) <= room, "{} of {room}", size(&store));
    assert!(size(&store) > room * 9 / 10, "no more than has to: {} of {room}", size(&store));
    assert_eq!(seconds(&store, "DisableAccount"), [1, 2, 3], "leavers stay");
    assert_eq!(seconds(&store, "EnableAccount").last(), Some(&103), "the newest stay");
    assert_eq!(store.prune(&keep).unwrap(), 0);
}

#[test]
fn leavers_have_a_quarter_of_the_room_and_not_more() {
    let store = Store::in_memory(fresh).unwrap();
    (1..=80).for_each(|second| write(&store, second, true));
    (81..=100).for_each(|second| write(&store, second, false));
    let room = size(&store) / 2;
    store.prune(&Keep { from: at(0), bytes: room }).unwrap();
    assert!(size(&store) <= room);
    // They were the oldest: they fill what the others leave, and a quarter is theirs.
    let leavers = seconds(&store, "DisableAccount").len();
    assert!(leavers >= 12, "{leavers} of 80");
    assert_eq!(seconds(&store, "EnableAccount").len(), 20);
}

#[test]
fn how_large_the_journal_is_stays_known_when_entries_are_forgotten_or_pruned_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = super::open(&path).unwrap();
    (1..=40).for_each(|second| write(&store, second, second % 3 == 0));
    store.forget("acme", &"ada".into()).unwrap();
    store.prune(&Keep { from: at(20), bytes: u64::MAX }).unwrap();
    drop(store);
    let store = super::open(&path).unwrap();
    let exact = size(&store);
    assert_eq!(store.prune(&Keep { from: at(0), bytes: exact }).unwrap(), 0, "exactly as large as it is");
    assert!(store.prune(&Keep { from: at(0), bytes: exact - 1 }).unwrap() > 0);
}

#[test]
fn what_is_too_old_goes_whoever_it_is_about() {
    let store = Store::in_memory(fresh).unwrap();
    (1..=9).for_each(|second| write(&store, second, second % 2 == 0));
    assert_eq!(store.prune(&Keep { from: at(6), bytes: u64::MAX }).unwrap(), 5);
    assert_eq!((seconds(&store, "DisableAccount"), seconds(&store, "EnableAccount")), (vec![6, 8], vec![7, 9]));
    let open = store.load("acme", &"wiki".into()).unwrap().intents.len();
    assert_eq!(open, 9, "an intent that is not resolved is of the ledger, and stays");
}
