use std::fs;

use provost_core::model::{EntitlementKind, GroupRecord, Ledger, LedgerChange, Outcome, Step};
use redb::{Database, ReadableDatabase, TableDefinition};
use secrecy::SecretBox;

use super::journal::{all, close, intent, ledger_record};
use super::{at, open, record};
use crate::tables::{EPOCHS, INTENTS, JOURNAL, META};
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
    transaction.open_table(META).unwrap().insert("format", b"9".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open(&path).unwrap_err();
    assert!(matches!(&error, StoreError::OtherVersion { .. }), "{error:?}");
    assert!(error.to_string().contains("format 9, this version reads format 3"), "{error}");
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

/// An intent and its outcome as format 2 had them.
const FORMER: [&str; 2] = [
    r#"{"at":"1970-01-01T00:00:01Z","namespace":"acme","application":"wiki","intent":2,"step":"UpdateAccount","identities":["ada"],"uids":["ada"],"account":"u-1","attributes":{"title":"00112233aabbccdd"},"cause":"drift"}"#,
    r#"{"at":"1970-01-01T00:00:02Z","namespace":"acme","application":"wiki","intent":2,"step":"UpdateAccount","identities":["ada"],"uids":["ada"],"account":"u-1","attributes":{"title":"00112233aabbccdd"},"cause":"drift","outcome":"Done"}"#,
];
/// An intent that was open, as format 2 had it.
const FORMER_INTENT: &str = r#"{"intent":{"id":3,"records":[1],"step":{"DisableAccount":{"id":"u-1"}},"at":"1970-01-01T00:00:03Z","cause":"ended","plan":null},"identities":["ada"],"uids":["ada"]}"#;

/// Makes a store what format 2 would have left: the same tables, and these entries.
pub(super) fn make_former(path: &std::path::Path) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        transaction.open_table(META).unwrap().insert("format", b"2".as_slice()).unwrap();
        let mut journal = transaction.open_table(JOURNAL).unwrap();
        for (number, entry) in (0..).zip(FORMER) {
            journal.insert(number, entry.as_bytes()).unwrap();
        }
        let mut intents = transaction.open_table(INTENTS).unwrap();
        intents.insert(("acme", "wiki", 3), FORMER_INTENT.as_bytes()).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_store_of_the_second_format_is_migrated_and_its_entries_say_what_they_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(open(&path).unwrap());
    make_former(&path);
    let store = open(&path).unwrap();
    let entries = all(&store, JournalQuery::default());
    assert!(entries.iter().all(|entry| entry.written().eq([&"title".into()]) && entry.before.is_none()));
    let closed = record(&store, "wiki", 4, vec![close(3, Outcome::Done)]).unwrap();
    assert_eq!((closed[0].identities.as_slice(), &closed[0].before), (["ada".into()].as_slice(), &None));
    drop(store);
    assert_eq!(all(&open(&path).unwrap(), JournalQuery::default()).len(), 3);
    let database = Database::create(&path).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    assert_eq!(meta.get("format").unwrap().unwrap().value(), b"3", "an older program leaves it alone");
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
