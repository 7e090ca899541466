//! What the journal holds of a person is erased, and that something happened stays.

use std::sync::Arc;

use provost_core::model::{LedgerChange, Outcome, Step};

use super::journal::{all, close, create, intent, ledger_record, pictured};
use super::retention::size;
use super::{at, fresh, record};
use crate::retention::AT_ONCE;
use crate::{Erased, JournalQuery, JournalRecord, Keep, Spoken, Store, StoreError};

fn disable(account: &str) -> Step {
    Step::DisableAccount { id: account.into() }
}

fn both() -> Step {
    Step::AddMembers { group: "g-1".into(), members: vec!["u-ada".into(), "u-bob".into()] }
}

/// Ada and bob have accounts and are in a group; ada was refused something.
fn lived() -> Store {
    let store = Store::in_memory(fresh).unwrap();
    let records = vec![ledger_record(1, "ada", Some("u-ada")), ledger_record(2, "bob", Some("u-bob"))];
    record(&store, "wiki", 1, records).unwrap();
    record(&store, "wiki", 1, vec![intent(3, &[1], create()), intent(4, &[1, 2], both())]).unwrap();
    record(&store, "wiki", 2, vec![close(3, Outcome::Done), close(4, Outcome::Done)]).unwrap();
    record(&store, "wiki", 3, vec![intent(5, &[1], disable("u-ada")), intent(6, &[2], disable("u-bob"))]).unwrap();
    let words = || Outcome::Rejected("ada.lovelace may not be disabled".into());
    record(&store, "wiki", 4, vec![close(5, words()), close(6, words())]).unwrap();
    store
}

fn text(store: &Store) -> String {
    serde_json::to_string(&all(store, JournalQuery::default())).unwrap()
}

/// Forgets ada, as eve orders it.
fn forget(store: &Store, namespace: &str) -> Result<Erased, StoreError> {
    store.forget(namespace, &"ada".into(), "eve", at(9))
}

#[test]
fn what_would_be_forgotten_can_be_asked_before_and_changes_nothing() {
    let store = lived();
    let before = text(&store);
    let spoken = store.spoken_of("acme", &"ada".into()).unwrap();
    assert_eq!(spoken, Spoken { entries: 6, in_use: vec!["wiki".into()], has_account: true });
    assert_eq!(store.spoken_of("acme", &"zoe".into()).unwrap(), Spoken::default());
    assert_eq!(text(&store), before);
}

#[test]
fn a_forgotten_identity_leaves_no_name_account_attribute_or_words_in_the_journal() {
    let store = lived();
    let before = all(&store, JournalQuery::default());
    assert_eq!(forget(&store, "other").unwrap().entries, 0);
    let erased = forget(&store, "acme").unwrap();
    let Erased { entries: 6, accounts, told: noted } = erased else { panic!("{erased:?}") };
    assert_eq!(accounts, ["wiki".into()]);
    let mut entries = all(&store, JournalQuery::default());
    let noted_there = entries.split_off(before.len());
    assert_eq!(noted_there, noted, "the erasure itself is recorded");
    let line = noted[0].line();
    assert!(noted.len() == 1 && !line.contains("ada"), "{noted:?}");
    assert_eq!(
        (&*noted[0].step, noted[0].at, &*noted[0].cause),
        ("Forget", at(9), "an identity was erased from 6 entries by eve")
    );
    let theirs: Vec<&JournalRecord> = entries.iter().filter(|entry| entry.intent.0 != 6).collect();
    let told = serde_json::to_string(&theirs).unwrap();
    assert!(!told.contains("ada") && !told.contains("userName"), "{told}");
    assert_eq!(entries[3].identities, ["FORGOTTEN".into(), "bob".into()]);
    assert_eq!(entries[3].members, ["FORGOTTEN".into(), "u-bob".into()]);
    let what = |entry: &JournalRecord| (entry.at, entry.application.clone(), entry.step.clone(), entry.intent);
    assert!(entries.iter().map(what).eq(before.iter().map(what)), "that something happened stays");
    let of_bob = |entries: &[JournalRecord]| entries.iter().filter(|e| e.intent.0 == 6).cloned().collect::<Vec<_>>();
    assert_eq!(of_bob(&entries), of_bob(&before), "what is about others stays as it was");
    assert_eq!(store.load("acme", &"wiki".into()).unwrap().records.len(), 2, "the ledger still knows what is ours");
    assert_eq!(store.prune(&Keep { from: at(0), bytes: size(&store) }).unwrap(), 0, "its size is known");
    assert_eq!(forget(&store, "acme").unwrap().entries, 0, "there is nothing left");
}

#[test]
fn the_outcome_of_what_was_under_way_names_nobody_and_what_is_begun_later_is_journalled_as_ever() {
    let store = lived();
    record(&store, "wiki", 5, vec![intent(7, &[1], disable("u-ada")), intent(8, &[1, 2], both())]).unwrap();
    forget(&store, "acme").unwrap();
    let closed = record(&store, "wiki", 6, vec![close(7, Outcome::Done), close(8, Outcome::Lost)]).unwrap();
    let told = serde_json::to_string(&closed).unwrap();
    assert!(!told.contains("ada") && told.contains("u-bob"), "{told}");
    let open = store.load("acme", &"wiki".into()).unwrap().intents;
    assert_eq!(open[0].step, both(), "what it was has to be known until it is resolved");
    record(&store, "wiki", 7, vec![intent(9, &[1], disable("u-ada"))]).unwrap();
    assert!(text(&store).contains("u-ada"));
}

#[test]
fn an_account_that_was_nobodys_any_more_is_forgotten_with_the_name_it_was_made_for() {
    let store = lived();
    let orphan = |id, account: &str, made_for: &str| {
        let LedgerChange::Open(mut intent) = pictured(id, &[], disable(account), None, None) else { unreachable!() };
        Arc::make_mut(&mut intent).cause = format!("orphaned, made for {made_for}").into();
        LedgerChange::Open(intent)
    };
    let taken = Step::RemoveMembers { group: "g-1".into(), members: vec!["u-ada".into()] };
    let nobodys = pictured(22, &[], taken, None, None);
    record(&store, "wiki", 5, vec![orphan(20, "u-old", "ada"), orphan(21, "u-older", "ada-2"), nobodys]).unwrap();
    record(&store, "mail", 5, vec![pictured(1, &[], disable("u-ada"), None, None)]).unwrap();
    assert_eq!(forget(&store, "acme").unwrap().entries, 8);
    let entries = all(&store, JournalQuery { application: Some("wiki".into()), ..JournalQuery::default() });
    let told = serde_json::to_string(&entries[8..]).unwrap();
    assert!(told.contains("made for FORGOTTEN") && told.contains("made for ada-2"), "{told}");
    assert!(!told.contains("u-ada") && !told.contains("u-old\"") && told.contains("u-older"), "{told}");
    assert!(text(&store).contains("u-ada"), "an account of the same id elsewhere is another one");
    let closed = [20, 21, 22].map(|id| close(id, Outcome::Done)).to_vec();
    let told = serde_json::to_string(&record(&store, "wiki", 6, closed).unwrap()).unwrap();
    assert!(!told.contains("u-ada") && !told.contains("u-old\"") && !told.contains("made for ada\""), "{told}");
    assert!(told.contains("u-older"), "{told}");
}

#[test]
fn a_ledger_that_is_rebuilt_from_a_journal_makes_nobody_of_who_was_forgotten() {
    let store = lived();
    forget(&store, "acme").unwrap();
    store.rebuild(None, true).unwrap();
    let owners = store.load("acme", &"wiki".into()).unwrap().records;
    assert_eq!(owners.iter().map(|record| record.owner.name.as_str()).collect::<Vec<_>>(), ["bob"]);
}

#[test]
fn each_transaction_that_erases_something_says_so_itself_wherever_a_kill_comes() {
    let store = Store::in_memory(fresh).unwrap();
    let head = store.export(false).unwrap().next().unwrap().unwrap();
    let of = |n: usize| {
        format!(
            r#"{{"kind":"journal","number":{n},"value":{{"at":"1970-01-01T00:00:09Z","namespace":"acme","application":"wiki","intent":{n},"step":"EnableAccount","identities":["ada"],"cause":"staff"}}}}"#
        )
    };
    let many = AT_ONCE + 1;
    store.import(std::iter::once(head).chain((0..many).map(of)).map(Ok), false).unwrap();
    let erased = forget(&store, "acme").unwrap();
    let causes: Vec<&str> = erased.told.iter().map(|entry| &*entry.cause).collect();
    let first = format!("an identity was erased from {AT_ONCE} entries by eve");
    assert_eq!(causes, [&*first, "an identity was erased from 1 entry by eve"]);
    let there = all(&store, JournalQuery::default());
    assert_eq!((erased.entries, &there[many..]), (many as u64, &*erased.told));
}
