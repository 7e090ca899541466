use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use provost_core::model::{
    EntitlementKind, Grant, LedgerChange, Outcome, Owner, Record, RecordId, RecordState, Step, TargetId,
};

use super::journal::{all, close, create, intent, ledger_record};
use super::model::{APPLICATIONS, jobs};
use super::{fresh, open, record};
use crate::{Counted, Fresh, JournalQuery, Store, StoreError};

fn exported(store: &Store) -> Vec<String> {
    store.export(true).unwrap().collect::<Result<_, _>>().unwrap()
}

fn import(store: &Store, lines: &[String], replace: bool) -> Result<Counted, StoreError> {
    store.import(lines.iter().cloned().map(Ok), replace)
}

fn other() -> Fresh {
    Fresh { id: "another".into(), key: secrecy::SecretBox::new(Box::new([9; 32])) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_exported_is_imported_whole_and_the_store_is_the_one_that_was_exported(jobs in jobs()) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_memory(fresh).unwrap();
        for (application, changes) in &jobs {
            record(&store, application, 90, changes.clone()).unwrap();
        }
        let lines = exported(&store);
        let path = folder.path().join("other.redb");
        import(&Store::open(&path, other).unwrap(), &lines, false).unwrap();
        let again = Store::open_existing(&path).unwrap();
        prop_assert_eq!((&**again.id(), again.epoch()), ("a-store", store.epoch()));
        for application in APPLICATIONS {
            let (one, two) = (store.load("acme", &application.into()), again.load("acme", &application.into()));
            prop_assert_eq!(one.unwrap(), two.unwrap());
        }
        prop_assert_eq!(all(&store, JournalQuery::default()), all(&again, JournalQuery::default()));
        prop_assert_eq!(exported(&again), lines);
    }
}

#[test]
fn an_import_over_a_ledger_is_refused_unless_it_may_replace_it() {
    let one = Store::in_memory(fresh).unwrap();
    record(&one, "wiki", 1, vec![ledger_record(1, "ada", Some("u-1"))]).unwrap();
    let two = Store::in_memory(other).unwrap();
    record(&two, "mail", 1, vec![ledger_record(1, "bob", Some("u-2"))]).unwrap();
    let error = import(&two, &exported(&one), false).unwrap_err();
    assert_eq!(error, StoreError::NotEmpty { path: "memory".into(), applications: 1 });
    assert_eq!(two.load("acme", &"mail".into()).unwrap().records.len(), 1, "it is left as it was");
    let counted = import(&two, &exported(&one), true).unwrap();
    assert_eq!((counted.applications, counted.records), (1, 1));
    assert_eq!(two.load("acme", &"mail".into()).unwrap().records.len(), 0);
    assert_eq!(two.load("acme", &"wiki".into()).unwrap().records.len(), 1);
}

#[test]
fn lines_that_are_no_export_are_refused_with_the_line_and_nothing_is_changed() {
    let store = Store::in_memory(fresh).unwrap();
    record(&store, "wiki", 1, vec![ledger_record(1, "ada", Some("u-1"))]).unwrap();
    let good = exported(&store);
    let head = good[0].clone();
    let cases: [(&str, Vec<String>, &str); 5] = [
        ("nothing", vec![], "line 1: there is nothing"),
        ("another text", vec![head.clone(), "hello".into()], "line 2: "),
        ("no head", good[1..].to_vec(), "line 1: the first line"),
        ("two heads", vec![head.clone(), head.clone()], "line 2: the first line, and no other"),
        ("another format", vec![head.replace("\"3\"", "\"9\"")], "written in format 9, this version reads format 3"),
    ];
    for (case, lines, said) in cases {
        let error = import(&store, &lines, true).unwrap_err();
        assert!(error.to_string().contains(said), "{case}: {error}");
        assert_eq!(exported(&store), good, "{case}");
    }
}

#[test]
fn an_export_of_the_second_format_is_imported() {
    let one = Store::in_memory(fresh).unwrap();
    record(&one, "wiki", 1, vec![ledger_record(1, "ada", Some("u-1")), intent(2, &[1], create())]).unwrap();
    let mut lines = exported(&one);
    lines[0] = lines[0].replace("\"3\"", "\"2\"");
    let two = Store::in_memory(other).unwrap();
    assert_eq!(import(&two, &lines, false).unwrap(), Counted { applications: 1, records: 1, entries: 1 });
    assert_eq!(exported(&two)[1..], lines[1..]);
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    assert!(matches!(Store::open_existing(&path), Err(StoreError::Missing(_))));
    assert!(!path.exists());
    drop(open(&path).unwrap());
    Store::open_existing(&path).unwrap();
}

/// A record with a membership that is ours.
fn member(id: u64, owner: &str, target: &str, group: &str) -> LedgerChange {
    let LedgerChange::Put(mut it) = ledger_record(id, owner, Some(target)) else { unreachable!() };
    let policies = ["engineers-wiki".into()].into();
    let grant = Grant { entitlement: "editor".into(), kind: EntitlementKind::Group, policies, privileged: true };
    Arc::make_mut(&mut it).grants.insert(group.into(), grant);
    LedgerChange::Put(it)
}

/// A life: two are created and become members, one is disabled, a third is adopted, a fourth is created and deleted.
fn live(store: &Store) {
    let write = |second, id, records: &[u64], step: Step, outcome| {
        record(store, "wiki", second, vec![intent(id, records, step)]).unwrap();
        record(store, "wiki", second, vec![close(id, outcome)]).unwrap();
    };
    for (id, name) in [(1, "ada"), (2, "bob"), (4, "dan")] {
        record(store, "wiki", 1, vec![ledger_record(id, name, None), intent(id + 10, &[id], create())]).unwrap();
        let target = format!("u-{name}");
        record(store, "wiki", 1, vec![ledger_record(id, name, Some(&target)), close(id + 10, Outcome::Done)]).unwrap();
    }
    let add = |members: &[&str]| Step::AddMembers {
        group: "g-1".into(),
        members: members.iter().map(|id| TargetId::from(*id)).collect(),
    };
    record(store, "wiki", 2, vec![member(1, "ada", "u-ada", "g-1"), member(2, "bob", "u-bob", "g-1")]).unwrap();
    write(2, 20, &[1, 2], add(&["u-ada", "u-bob"]), Outcome::Done);
    let remove = Step::RemoveMembers { group: "g-1".into(), members: vec!["u-bob".into()] };
    write(3, 21, &[2], remove, Outcome::Done);
    write(4, 22, &[2], Step::DisableAccount { id: "u-bob".into() }, Outcome::Done);
    record(store, "wiki", 5, vec![ledger_record(3, "eve", Some("u-eve"))]).unwrap();
    write(5, 23, &[3], Step::EnableAccount { id: "u-eve".into() }, Outcome::Done);
    write(6, 24, &[4], Step::DeleteAccount { id: "u-dan".into() }, Outcome::Done);
    // What failed says nothing.
    write(7, 25, &[1], Step::DisableAccount { id: "u-ada".into() }, Outcome::Rejected("no".into()));
}

fn by_owner(store: &Store) -> BTreeMap<String, Record> {
    let records = store.load("acme", &"wiki".into()).unwrap().records;
    records.into_iter().map(|record| (record.owner.name.to_string(), record)).collect()
}

fn assert_rebuilt(store: &Store) {
    let found = by_owner(store);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["ada", "bob", "eve"]);
    let of = |name: &str| &found[name];
    assert_eq!(of("ada").owner, Owner { name: "ada".into(), uid: "ada".into() });
    assert_eq!(of("ada").target_id, Some("u-ada".into()));
    assert_eq!((of("ada").state, of("ada").created), (RecordState::Active, true));
    let grant = &of("ada").grants[&TargetId::from("g-1")];
    assert_eq!((grant.entitlement.as_str(), grant.privileged), ("editor", true));
    assert_eq!((of("bob").state, of("bob").grants.len()), (RecordState::Retained, 0));
    assert_eq!(of("bob").disabled_at, Some(super::at(4)));
    assert_eq!((of("eve").state, of("eve").created), (RecordState::Active, false), "adopted");
    let next = store.load("acme", &"wiki".into()).unwrap().next_id;
    assert!(next > 25 && found.values().all(|record| record.id > RecordId(25)), "ids are given once");
}

#[test]
fn a_ledger_is_rebuilt_from_its_own_journal() {
    let store = Store::in_memory(fresh).unwrap();
    live(&store);
    assert!(matches!(store.rebuild(None, false), Err(StoreError::NotEmpty { .. })));
    let entries = all(&store, JournalQuery::default());
    let rebuilt = store.rebuild(None, true).unwrap();
    assert_eq!((rebuilt.counted.records, rebuilt.entries, rebuilt.skipped), (3, entries.len(), 0));
    assert_rebuilt(&store);
    assert_eq!(all(&store, JournalQuery::default()), entries, "the journal stays");
}

#[test]
fn a_ledger_is_rebuilt_from_the_lines_of_standard_output_among_others() {
    let store = Store::in_memory(fresh).unwrap();
    live(&store);
    let mut lines: Vec<String> = all(&store, JournalQuery::default()).iter().map(crate::JournalRecord::line).collect();
    lines.insert(3, r#"{"level":"INFO","message":"the store is open"}"#.to_owned());
    lines.push("half a li".to_owned());
    let empty = Store::in_memory(other).unwrap();
    empty.rebuild(Some(&mut lines.into_iter().map(Ok)), false).unwrap();
    assert_rebuilt(&empty);
    assert_eq!(&**empty.id(), "another", "it is not the store that was lost");
}
