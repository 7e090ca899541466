use std::fs;

use provost_core::model::{EntitlementKind, GroupRecord, Ledger, LedgerChange, Step};
use redb::{Database, TableDefinition};
use secrecy::SecretBox;

use super::journal::{intent, ledger_record};
use super::{at, open, record};
use crate::tables::{EPOCHS, META};
use crate::{Fresh, JournalQuery, Keep, Store, StoreError};

fn group(id: &str) -> LedgerChange {
    let (kind, name) = (EntitlementKind::Group, "editors".into());
    LedgerChange::PutGroup(GroupRecord { kind, name, target_id: id.into(), created: true, prune: false })
}

#[test]
fn a_store_keeps_its_id_and_never_asks_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    assert_eq!(&**open(&path).unwrap().id(), "a-store");
    let other = Fresh { id: "another".into(), key: SecretBox::new(Box::new([9; 32])) };
    assert_eq!(&**Store::open(&path, || other).unwrap().id(), "a-store");
}

#[test]
fn the_epoch_is_the_minute_of_the_latest_record_and_never_runs_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path).unwrap();
    assert_eq!(store.epoch(), 0);
    for (second, epoch) in [(60 * 5, 5), (60 * 5 + 59, 5), (60 * 7, 7), (60 * 6, 7)] {
        record(&store, "wiki", second, vec![group("a")]).unwrap();
        assert_eq!(store.epoch(), epoch);
    }
    drop(store);
    assert_eq!(open(&path).unwrap().epoch(), 7);
}

#[test]
fn each_ledger_has_an_epoch_of_its_own() {
    let store = Store::in_memory(super::fresh).unwrap();
    for (application, minute) in [("wiki", 5), ("mail", 9), ("wiki", 4)] {
        record(&store, application, minute * 60, vec![group("a")]).unwrap();
    }
    let epochs = ["wiki", "mail", "other"].map(|name| store.load("acme", &name.into()).unwrap().store.unwrap().epoch);
    assert_eq!(epochs, [5, 9, 0]);
}

#[test]
fn a_second_opener_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(&error, StoreError::Locked(_)), "{error:?}");
    assert!(error.to_string().contains("stop the other one"), "{error}");
    drop(store);
    open(&path).unwrap();
}

#[test]
fn a_file_that_is_not_a_store_or_is_cut_short_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path).unwrap();
    for id in 0..200 {
        record(&store, "wiki", 1, vec![group(&id.to_string())]).unwrap();
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    for byte in flipped.iter_mut().skip(4_096 * 3).step_by(512) {
        *byte ^= 0xff;
    }
    let cases = [
        ("text", b"not a database at all\n".repeat(1_000)),
        ("a short text", b"hello".to_vec()),
        ("zeroes", vec![0; 8_192]),
        ("the first half", whole[..whole.len() / 2].to_vec()),
        ("the first page", whole[..4_096].to_vec()),
        ("a hundred bytes", whole[..100].to_vec()),
        ("flipped bytes", flipped),
    ];
    for (case, bytes) in cases {
        fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { .. }), "{case}: {error:?}");
        assert!(error.to_string().contains("restore a copy"), "{case}: {error}");
        assert!(fs::read(&path).unwrap() == bytes, "{case}: the file was changed");
    }
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(open(&path).unwrap_err(), StoreError::Corrupt { .. }));
}

#[test]
fn a_store_of_another_format_is_refused_with_both_versions_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(open(&path).unwrap());
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", b"3".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open(&path).unwrap_err();
    assert!(matches!(&error, StoreError::OtherVersion { .. }), "{error:?}");
    assert!(error.to_string().contains("format 3, this version reads format 2"), "{error}");
}

#[test]
fn a_store_of_the_first_format_is_migrated_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path).unwrap();
    let step = Step::DisableAccount { id: "u-1".into() };
    record(&store, "wiki", 7_200, vec![group("a"), ledger_record(1, "ada", Some("u-1")), intent(2, &[1], step)])
        .unwrap();
    let before = Ledger { store: None, ..store.load("acme", &"wiki".into()).unwrap() };
    drop(store);
    // As the first format had it: an epoch in hours, and no sizes.
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", b"1".as_slice()).unwrap();
        meta.insert("epoch", 2_i64.to_le_bytes().as_slice()).unwrap();
        meta.remove("journal").unwrap();
        meta.remove("leavers").unwrap();
        transaction.delete_table(EPOCHS).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let store = open(&path).unwrap();
        assert_eq!(Ledger { store: None, ..store.load("acme", &"wiki".into()).unwrap() }, before);
        assert_eq!(store.journal(JournalQuery::default()).unwrap().count(), 1);
    }
    let store = open(&path).unwrap();
    assert_eq!(store.prune(&Keep { from: at(0), bytes: 10_000 }).unwrap(), 0, "it knows how large its journal is");
    assert_eq!(store.epoch(), 120);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("missing/store.redb")).unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("missing/store.redb"), "{error}");
}

#[test]
fn applications_that_have_a_ledger_are_listed() {
    let store = Store::in_memory(super::fresh).unwrap();
    for application in ["wiki", "mail"] {
        record(&store, application, 1, vec![group("a")]).unwrap();
    }
    let names: Vec<_> = store.applications().unwrap().into_iter().map(|(n, a)| format!("{n}/{a}")).collect();
    assert_eq!(names, ["acme/mail", "acme/wiki"]);
}
