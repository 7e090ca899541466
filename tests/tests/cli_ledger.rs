//! `provost ledger` on the store of an operator that is stopped.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::path::Path;
use std::sync::{Arc, mpsc};

use jiff::Timestamp;
use provost_core::model::{
    Intent, IntentId, LedgerChange, Name, Outcome, Owner, Record, RecordId, RecordState, Step, TargetId,
};
use provost_store::{Fresh, Store};
use secrecy::SecretBox;

/// Exit status, results and errors of `provost ledger ...`.
fn ledger(arguments: &[&str]) -> (u8, String, String) {
    let all = ["provost", "ledger"].iter().chain(arguments).map(Into::into);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = provost::cli::run(all, false, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn fresh() -> Fresh {
    Fresh { id: "first".into(), key: SecretBox::new(Box::new([7; 32])) }
}

fn write(store: &Store, changes: Vec<LedgerChange>) -> Vec<String> {
    let (answer, answered) = mpsc::channel();
    store.record("acme", &Name::from("wiki"), Timestamp::UNIX_EPOCH, changes, move |done| answer.send(done).unwrap());
    answered.recv().unwrap().unwrap().iter().map(provost_store::JournalRecord::line).collect()
}

fn ada(target: Option<&str>) -> LedgerChange {
    LedgerChange::Put(Arc::new(Record {
        id: RecordId(1),
        owner: Owner { name: "ada".into(), uid: "u-1".into() },
        external_id: None,
        user_name: "ada".into(),
        target_id: target.map(TargetId::from),
        state: if target.is_some() { RecordState::Active } else { RecordState::Creating },
        written: [].into(),
        policies: ["staff".into()].into(),
        grants: [].into(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: true,
    }))
}

/// A store in which ada got her account; what was printed meanwhile.
fn filled(folder: &Path) -> Vec<String> {
    let store = Store::open(&folder.join("provost.redb"), fresh).unwrap();
    let step = Step::CreateAccount { attributes: [].into(), enabled: true, password: false };
    let intent = Intent {
        id: IntentId(2),
        records: vec![RecordId(1)],
        step,
        at: Timestamp::UNIX_EPOCH,
        cause: "staff".into(),
        plan: None,
        before: None,
        after: None,
    };
    write(&store, vec![ada(None), LedgerChange::Open(Arc::new(intent))]);
    write(&store, vec![ada(Some("t-1")), LedgerChange::Close(IntentId(2), Outcome::Done)])
}

fn records(folder: &Path) -> Vec<Record> {
    let store = Store::open_existing(&folder.join("provost.redb")).unwrap();
    store.load("acme", &"wiki".into()).unwrap().records
}

#[test]
fn a_store_is_exported_imported_over_nothing_only_and_rebuilt_from_what_was_printed() {
    let [one, two, three] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let data = |folder: &tempfile::TempDir| format!("--data={}", folder.path().display());
    let printed = filled(one.path());

    let (status, exported, err) = ledger(&["export", &data(&one)]);
    assert_eq!((status, err.as_str()), (0, ""));
    let kinds: Vec<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["store", "application", "record", "journal", "journal"]);
    assert_eq!(ledger(&["export", "--no-journal", &data(&one)]).1.lines().count(), 3);

    let file = three.path().join("copy.jsonl");
    std::fs::write(&file, &exported).unwrap();
    let file = file.display().to_string();
    let (status, said, err) = ledger(&["import", &file, &data(&two)]);
    assert_eq!((status, said.as_str(), err.as_str()), (0, "1 application, 1 account, 2 journal entries\n", ""));
    assert_eq!(records(two.path()), records(one.path()));
    assert_eq!(ledger(&["export", &data(&two)]).1, exported, "it is the same store");

    let (status, _, err) = ledger(&["import", &file, &data(&two)]);
    assert_eq!(status, 2);
    assert!(err.contains("holds the ledgers of 1 applications already; --replace"), "{err}");
    assert_eq!(ledger(&["import", "--replace", &file, &data(&two)]).0, 0);

    let log = three.path().join("log.jsonl");
    std::fs::write(&log, format!("a line of something else\n{}\n", printed.join("\n"))).unwrap();
    let (status, said, err) = ledger(&["rebuild", "--from", &log.display().to_string(), &data(&three)]);
    assert_eq!((status, said.as_str(), err.as_str()), (0, "1 application, 1 account, from 1 journal entries\n", ""));
    let rebuilt = records(three.path());
    assert_eq!((&rebuilt[0].owner, &rebuilt[0].target_id), (&records(one.path())[0].owner, &Some("t-1".into())));
}

#[test]
fn a_store_that_is_in_use_or_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("--data={}", folder.path().display());
    let (status, _, err) = ledger(&["export", &data]);
    assert!(status == 2 && err.contains("there is no store"), "{err}");
    filled(folder.path());
    let held = Store::open_existing(&folder.path().join("provost.redb")).unwrap();
    let (status, _, err) = ledger(&["export", &data]);
    assert!(status == 2 && err.contains("stop it first"), "{err}");
    drop(held);
    assert_eq!(ledger(&["export", &data]).0, 0);
}

#[test]
fn what_works_on_a_file_neither_offers_nor_takes_what_is_for_asking_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let data = format!("--data={}", folder.path().display());
    let file = folder.path().join("provost.redb").display().to_string();
    for action in [&["export"][..], &["import", "-"], &["rebuild", "--replace"]] {
        for (option, value) in [
            ("--store", &*file),
            ("--namespace", "acme"),
            ("--server", "http://127.0.0.1:1"),
            ("--service", "provost"),
            ("--identity", "ada"),
        ] {
            let wanted = format!(
                "error: `ledger {}` asks no operator and takes no {option}: leave it out; \
                 --data DIR names the folder of provost.redb, the file of an operator that is stopped\n",
                action[0]
            );
            let before = [&[option, value], action, &[&*data]].concat();
            assert_eq!(ledger(&before), (2, String::new(), wanted.clone()), "{before:?}");
            if option != "--identity" {
                let behind = [action, &[&*data, option, value]].concat();
                assert_eq!(ledger(&behind), (2, String::new(), wanted), "{behind:?}");
            }
        }
        let help = ledger(&[action[0], "--help"]).1;
        assert!(help.contains("--data") && help.contains("--color"), "{help}");
        for option in ["--store", "--server", "--namespace", "--kubeconfig", "--operator-namespace", "PROVOST_SERVER"] {
            assert!(!help.contains(option), "{option} is in\n{help}");
        }
    }
    assert!(ledger(&["cancel-deletion", "--help"]).1.contains("--server"));
    assert_eq!(records(folder.path()).len(), 1);
}
