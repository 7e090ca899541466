use provost_core::model::Step;

use super::journal::{all, intent, ledger_record};
use super::{at, fresh, record};
use crate::retention::AT_ONCE;
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
    store.forget("acme", &"ada".into(), "eve", at(41)).unwrap();
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

/// A journal of so many entries, of which the first are about leavers.
fn large(leavers: usize, others: usize) -> Store {
    let of = |n: usize| {
        let step = if n < leavers { "DisableAccount" } else { "EnableAccount" };
        format!(
            r#"{{"kind":"journal","number":{n},"value":{{"at":"1970-01-01T00:00:09Z","namespace":"acme","application":"wiki","intent":{n},"step":"{step}","cause":"staff"}}}}"#
        )
    };
    let store = Store::in_memory(fresh).unwrap();
    let head = store.export(false).unwrap().next().unwrap().unwrap();
    let lines = std::iter::once(head).chain((0..leavers + others).map(of));
    assert_eq!(store.import(lines.map(Ok), false).unwrap().entries, leavers + others);
    store
}

#[test]
fn a_large_journal_is_pruned_in_small_transactions_between_which_writes_have_their_turn_and_nothing_is_read_twice() {
    let store = large(3_000, 9_000);
    let keep = Keep { from: at(0), bytes: size(&store) / 2 };
    let (mut from, mut removed, mut rounds) = (0, 0, 0);
    loop {
        let (some, next) = store.prune_from(&keep, from).unwrap();
        assert!(some <= AT_ONCE, "{some} in one transaction");
        (removed, rounds) = (removed + some, rounds + 1);
        // Somebody writes in between.
        write(&store, 100 + rounds, false);
        let Some(next) = next else { break };
        assert!(next > from, "it goes on where it was: {next} after {from}");
        from = next;
    }
    assert!(removed > 5_500 && rounds > 10, "{removed} in {rounds}");
    assert!(store.prune(&keep).unwrap() < 20, "what came meanwhile");
    assert!(size(&store) <= keep.bytes);
    let leavers = seconds(&store, "DisableAccount").len();
    assert!((1_490..1_510).contains(&leavers), "a quarter of the room is theirs: {leavers}");
    assert_eq!(store.prune(&keep).unwrap(), 0);
}

#[test]
fn a_large_journal_that_is_too_old_goes_but_for_its_newest_entry() {
    let store = large(1_200, 1_200);
    write(&store, 20, false);
    assert_eq!(store.prune(&Keep { from: at(10), bytes: u64::MAX }).unwrap(), 2_400);
    assert_eq!(seconds(&store, "EnableAccount"), [20]);
    assert_eq!(store.prune(&Keep { from: at(30), bytes: u64::MAX }).unwrap(), 0);
    write(&store, 40, false);
    assert_eq!(store.prune(&Keep { from: at(30), bytes: u64::MAX }).unwrap(), 1);
    assert_eq!(store.prune(&Keep { from: at(30), bytes: 1 }).unwrap(), 0, "its size is still known");
}

#[test]
fn who_was_replaced_prunes_and_erases_nothing() {
    let disk = crate::Disk::default();
    let stale = Store::on(&disk, fresh).unwrap();
    stale.claim(1).unwrap();
    (1..=9).for_each(|second| write(&stale, second, false));
    drop(stale);
    let holder = Store::on(&disk, fresh).unwrap();
    holder.claim(2).unwrap();
    drop(holder);
    let stale = Store::on(&disk, fresh).unwrap();
    stale.shared.remember_lease(1);
    let fenced = crate::StoreError::Fenced { path: "memory".into(), epoch: 2 };
    assert_eq!(stale.prune(&Keep { from: at(5), bytes: u64::MAX }).unwrap_err(), fenced);
    assert_eq!(stale.forget("acme", &"ada".into(), "eve", at(41)).unwrap_err(), fenced);
    assert_eq!(seconds(&stale, "EnableAccount").len(), 9);
}
