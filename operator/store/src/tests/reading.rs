//! A file that is read alone is not written to.

use std::fs;
use std::path::Path;

use provost_core::model::Step;
use redb::StorageBackend;

use super::journal::{all, intent, ledger_record};
use super::open::make_former;
use super::{open, record};
use crate::overlay::Overlay;
use crate::{JournalQuery, Store, StoreError};

/// A store with an entry, and what its file holds.
fn left(path: &Path) -> Vec<u8> {
    let store = open(path).unwrap();
    let step = Step::DisableAccount { id: "u-1".into() };
    record(&store, "wiki", 1, vec![ledger_record(1, "ada", Some("u-1")), intent(2, &[1], step)]).unwrap();
    drop(store);
    fs::read(path).unwrap()
}

#[test]
fn a_file_is_read_and_left_as_it_is_whatever_is_done_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let before = left(&path);
    let store = Store::read(&path).unwrap();
    assert_eq!(&**store.id(), "a-store");
    assert_eq!(all(&store, JournalQuery::default()).len(), 1);
    for second in 2..200 {
        let step = Step::DisableAccount { id: "u-1".into() };
        let id = u64::try_from(second).unwrap() + 2;
        record(&store, "wiki", second, vec![ledger_record(1, "bob", None), intent(id, &[1], step)]).unwrap();
    }
    assert_eq!(all(&store, JournalQuery::default()).len(), 199, "in memory it is as any other");
    drop(store);
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_of_the_second_format_is_read_without_being_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(open(&path).unwrap());
    make_former(&path);
    let before = fs::read(&path).unwrap();
    assert_eq!(all(&Store::read(&path).unwrap(), JournalQuery::default()).len(), 2);
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_file_that_a_kill_left_is_read_without_being_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("store.redb"), folder.path().join("copy.redb"));
    let store = open(&path).unwrap();
    record(&store, "wiki", 1, vec![ledger_record(1, "ada", Some("u-1"))]).unwrap();
    fs::copy(&path, &copy).unwrap();
    let before = fs::read(&copy).unwrap();
    assert_eq!(Store::read(&copy).unwrap().load("acme", &"wiki".into()).unwrap().records.len(), 1);
    assert!(fs::read(&copy).unwrap() == before);
}

#[test]
fn several_read_at_once_and_neither_they_nor_an_operator_have_it_while_the_other_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let operator = open(&path).unwrap();
    assert_eq!(Store::read(&path).unwrap_err(), StoreError::Locked(path.display().to_string().into()));
    drop(operator);
    let readers = [Store::read(&path).unwrap(), Store::read(&path).unwrap()];
    assert!(matches!(open(&path), Err(StoreError::Locked(_))));
    drop(readers);
    open(&path).unwrap();
}

#[test]
fn what_is_no_store_is_named_and_not_made_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    assert!(matches!(Store::read(&path), Err(StoreError::Missing(_))));
    assert!(matches!(Store::read(folder.path()), Err(StoreError::Missing(_))));
    fs::write(&path, "").unwrap();
    assert!(matches!(Store::read(&path), Err(StoreError::Missing(_))));
    fs::write(&path, b"not a database at all\n".repeat(1_000)).unwrap();
    assert!(matches!(Store::read(&path), Err(StoreError::Corrupt { .. })));
}

#[test]
fn what_is_written_over_a_file_reads_back_across_blocks_and_what_was_cut_off_is_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut model: Vec<u8> = (0..30_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    fs::write(&path, &model).unwrap();
    let overlay = Overlay::open(&path).unwrap();
    let check = |model: &[u8]| {
        assert_eq!(StorageBackend::len(&overlay).unwrap(), model.len() as u64);
        let mut all = vec![1; model.len()];
        overlay.read(0, &mut all).unwrap();
        assert!(all == model);
        let mut part = vec![1; 5_000.min(model.len() / 2)];
        overlay.read(model.len() as u64 / 3, &mut part).unwrap();
        assert!(part[..] == model[model.len() / 3..][..part.len()]);
        assert!(overlay.read(model.len() as u64 - 1, &mut [0; 2]).is_err());
    };
    check(&model);
    for (at, len) in [(0, 1), (4_095, 2), (4_096, 4_096), (5_000, 9_000), (29_999, 1)] {
        overlay.write(at as u64, &vec![7; len]).unwrap();
        model[at..at + len].fill(7);
        check(&model);
    }
    for len in [33_000, 12_345, 12_288, 20_000, 9_000, 40_000] {
        overlay.set_len(len as u64).unwrap();
        model.resize(len, 0);
        check(&model);
    }
    overlay.write(39_000, &[9; 1_000]).unwrap();
    model[39_000..].fill(9);
    check(&model);
    assert!(overlay.write(39_500, &[9; 1_000]).is_err());
    assert_eq!(fs::read(&path).unwrap().len(), 30_000);
}
