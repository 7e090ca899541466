use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost_core::model::{
    Image, Intent, IntentId, LedgerChange, Outcome, Owner, Record, RecordId, RecordState, Step, Value,
};
use provost_core::plan::{Fold, digest};

use super::{at, fresh, record};
use crate::{JournalQuery, JournalRecord, Keep, Store};

const SECRET: &str = "hunter2-canary";

pub(super) fn ledger_record(id: u64, owner: &str, target: Option<&str>) -> LedgerChange {
    LedgerChange::Put(Arc::new(Record {
        id: RecordId(id),
        owner: Owner { name: owner.into(), uid: owner.into() },
        external_id: None,
        user_name: owner.into(),
        target_id: target.map(Into::into),
        state: RecordState::Creating,
        written: BTreeMap::new(),
        policies: BTreeSet::new(),
        grants: BTreeMap::new(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: true,
    }))
}

/// What these texts look like; an empty one: no value.
pub(super) fn image(attributes: &[(&str, &str)]) -> Image {
    let of = |(name, text): &(&str, &str)| ((*name).into(), digest(&Value::from(*text), Fold::Exact));
    Image { attributes: attributes.iter().map(of).collect(), ..Image::default() }
}

pub(super) fn intent(id: u64, records: &[u64], step: Step) -> LedgerChange {
    let after = matches!(step, Step::CreateAccount { .. }).then(|| image(&[("userName", "ada"), ("title", SECRET)]));
    pictured(id, records, step, None, after)
}

/// The same with what was seen.
pub(super) fn pictured(
    id: u64,
    records: &[u64],
    step: Step,
    before: Option<Image>,
    after: Option<Image>,
) -> LedgerChange {
    LedgerChange::Open(Arc::new(Intent {
        id: IntentId(id),
        records: records.iter().copied().map(RecordId).collect(),
        step,
        at: at(1),
        cause: "engineers-wiki".into(),
        plan: Some("3f9a".into()),
        before: before.map(Box::new),
        after: after.map(Box::new),
    }))
}

pub(super) fn create() -> Step {
    let attributes = BTreeMap::from([("userName".into(), Value::from("ada")), ("title".into(), Value::from(SECRET))]);
    Step::CreateAccount { attributes, enabled: true, password: true }
}

pub(super) fn close(id: u64, outcome: Outcome) -> LedgerChange {
    LedgerChange::Close(IntentId(id), outcome)
}

pub(super) fn all(store: &Store, query: JournalQuery) -> Vec<JournalRecord> {
    store.journal(query).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_write_has_an_entry_before_and_one_after_with_names_and_digests_and_no_value() {
    let store = Store::in_memory(fresh).unwrap();
    let opened = record(&store, "wiki", 10, vec![ledger_record(1, "ada", None), intent(2, &[1], create())]).unwrap();
    assert_eq!(opened, []);
    // The record that the outcome is about goes in the same transaction as its outcome.
    let words = Outcome::Rejected("title: the target's own words".into());
    let closed = record(&store, "wiki", 11, vec![ledger_record(1, "ada", Some("u-1")), close(2, words)]).unwrap();
    let entries = all(&store, JournalQuery::default());
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1..], closed[..]);
    for entry in &entries {
        assert_eq!(entry.identities, ["ada".into()]);
        assert_eq!(&*entry.step, "CreateAccount");
        assert_eq!(&*entry.cause, "engineers-wiki");
        assert_eq!(entry.plan.as_deref(), Some("3f9a"));
        let names: Vec<_> = entry.written().map(provost_core::model::AttributeName::as_str).collect();
        assert_eq!(names, ["title", "userName"]);
        assert!(!serde_json::to_string(entry).unwrap().contains(SECRET));
    }
    assert_eq!((entries[0].at, entries[1].at), (at(10), at(11)));
    assert_eq!((&entries[0].outcome, &entries[0].account), (&None, &None));
    assert_eq!(entries[1].account, Some("u-1".into()));
    assert_eq!(
        closed[0].line(),
        r#"{"time":"1970-01-01T00:00:11Z","namespace":"acme","application":"wiki","intent":2,"step":"CreateAccount","identities":["ada"],"uids":["ada"],"account":"u-1","attributes":["title","userName"],"cause":"engineers-wiki","plan":"3f9a","outcome":"Rejected"}"#
    );
}

#[test]
fn an_outcome_keeps_its_names_when_the_record_is_forgotten_with_it() {
    let store = Store::in_memory(fresh).unwrap();
    let step = Step::DeleteAccount { id: "u-1".into() };
    record(&store, "wiki", 1, vec![ledger_record(1, "ada", Some("u-1")), intent(2, &[1], step)]).unwrap();
    let closed = record(&store, "wiki", 2, vec![LedgerChange::Forget(RecordId(1)), close(2, Outcome::Done)]).unwrap();
    assert_eq!(closed[0].identities, ["ada".into()]);
    assert_eq!(closed[0].account, Some("u-1".into()));
}

#[test]
fn a_lost_answer_leaves_the_intent_unresolved_and_an_outcome_told_twice_is_journalled_once() {
    let store = Store::in_memory(fresh).unwrap();
    record(&store, "wiki", 1, vec![ledger_record(1, "ada", None), intent(2, &[1], create())]).unwrap();
    record(&store, "wiki", 2, vec![close(2, Outcome::Lost)]).unwrap();
    assert_eq!(store.load("acme", &"wiki".into()).unwrap().intents.len(), 1);
    record(&store, "wiki", 3, vec![close(2, Outcome::Done)]).unwrap();
    assert_eq!(store.load("acme", &"wiki".into()).unwrap().intents.len(), 0);
    assert_eq!(record(&store, "wiki", 4, vec![close(2, Outcome::Done)]).unwrap(), []);
    let outcomes: Vec<_> = all(&store, JournalQuery::default()).into_iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [None, Some(Outcome::Lost), Some(Outcome::Done)]);
}

#[test]
fn the_journal_is_asked_by_namespace_application_identity_and_time() {
    let store = Store::in_memory(fresh).unwrap();
    for (second, application, owner) in [(10, "wiki", "ada"), (20, "mail", "ada"), (30, "wiki", "bob")] {
        let step = Step::DisableAccount { id: owner.into() };
        record(&store, application, second, vec![ledger_record(1, owner, None), intent(2, &[1], step)]).unwrap();
    }
    let everything = JournalQuery::default();
    for (query, seconds) in [
        (everything.clone(), vec![10, 20, 30]),
        (JournalQuery { application: Some("wiki".into()), ..everything.clone() }, vec![10, 30]),
        (JournalQuery { identity: Some("ada".into()), ..everything.clone() }, vec![10, 20]),
        (JournalQuery { namespace: Some("other".into()), ..everything.clone() }, vec![]),
        (JournalQuery { from: Some(at(20)), ..everything.clone() }, vec![20, 30]),
        (JournalQuery { from: Some(at(11)), until: Some(at(30)), ..everything }, vec![20]),
    ] {
        let found: Vec<_> = all(&store, query.clone()).iter().map(|entry| entry.at.as_second()).collect();
        assert_eq!(found, seconds, "{query:?}");
    }
}

#[test]
fn digests_of_equal_values_are_equal_within_a_store_and_differ_between_stores() {
    let one = Store::in_memory(fresh).unwrap();
    let key = secrecy::SecretBox::new(Box::new([9; 32]));
    let two = Store::in_memory(|| crate::Fresh { id: "two".into(), key }).unwrap();
    let mut digests = Vec::new();
    for store in [&one, &one, &two] {
        record(store, "wiki", 1, vec![ledger_record(1, "ada", None), intent(2, &[1], create())]).unwrap();
        digests.push(all(store, JournalQuery::default()).pop().unwrap().after.unwrap().attributes);
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}

#[test]
fn what_was_there_before_a_write_is_recognised_as_what_an_earlier_one_left_and_no_value_is_told() {
    let store = Store::in_memory(fresh).unwrap();
    let write = |id, was: Option<Image>, is: &[(&str, &str)]| {
        let set = is.iter().map(|(name, text)| ((*name).into(), Value::from(*text))).collect();
        let step = Step::UpdateAccount { id: "u-1".into(), set };
        record(&store, "wiki", 1, vec![ledger_record(1, "ada", None), pictured(id, &[1], step, was, Some(image(is)))])
            .unwrap();
        record(&store, "wiki", 2, vec![close(id, Outcome::Done)]).unwrap();
    };
    write(2, None, &[("title", SECRET)]);
    write(3, Some(image(&[("title", SECRET)])), &[("title", "Reader")]);
    write(4, Some(image(&[("title", "Boss"), ("nickName", "")])), &[("title", ""), ("nickName", "al")]);
    let entries = all(&store, JournalQuery::default());
    let told = |at: usize, name: &str| {
        let of = |image: &Option<Image<_>>| image.as_ref().and_then(|i| i.attributes.get(name).cloned());
        let entry: &JournalRecord = &entries[at];
        (of(&entry.before), of(&entry.after))
    };
    assert_eq!(told(0, "title").0, None, "not known is not empty");
    assert_eq!(told(2, "title").0, told(0, "title").1);
    assert_ne!(told(4, "title").0, told(2, "title").1, "somebody else changed it");
    assert_eq!((told(4, "title").1, told(4, "nickName").0), (Some(None), Some(None)), "cleared; there was none");
    assert!([0, 2, 4].iter().all(|at| told(*at, "title") == told(at + 1, "title")), "an outcome tells the same");
    assert!(!serde_json::to_string(&entries).unwrap().contains(SECRET));
    assert_eq!(serde_json::from_str::<Vec<JournalRecord>>(&serde_json::to_string(&entries).unwrap()).unwrap(), entries);
}

#[test]
fn old_entries_go_and_the_newest_stays() {
    let store = Store::in_memory(fresh).unwrap();
    for second in [10, 20, 30] {
        let step = Step::DisableAccount { id: "u-1".into() };
        record(&store, "wiki", second, vec![ledger_record(1, "ada", None), intent(2, &[1], step)]).unwrap();
    }
    let seconds = || all(&store, JournalQuery::default()).iter().map(|e| e.at.as_second()).collect::<Vec<_>>();
    let from = |second| Keep { from: at(second), bytes: 1 << 30 };
    assert_eq!((store.prune(&from(10)).unwrap(), seconds()), (0, vec![10, 20, 30]));
    assert_eq!((store.prune(&from(30)).unwrap(), seconds()), (2, vec![30]));
    assert_eq!((store.prune(&from(99)).unwrap(), seconds()), (0, vec![30]));
}
