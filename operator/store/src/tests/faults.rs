use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use provost_core::model::{GroupRecord, LedgerChange, Name};

use super::model::{APPLICATIONS, Model, assert_same, jobs};
use super::{at, fresh, open, record};
use crate::{Disk, Store, StoreError};

fn on(disk: &Disk) -> Store {
    Store::on(disk, fresh).unwrap()
}

fn a_group(id: &str) -> LedgerChange {
    LedgerChange::PutGroup(GroupRecord {
        kind: provost_core::model::EntitlementKind::Group,
        name: "editors".into(),
        target_id: id.into(),
        created: true,
        prune: false,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_power_cut_keeps_every_transaction_that_was_answered(jobs in jobs(), cut in 1..24_usize) {
        let disk = Disk::default();
        let mut models = BTreeMap::from(APPLICATIONS.map(|name| (name, Model::default())));
        let store = on(&disk);
        for (application, changes) in jobs.iter().take(cut) {
            record(&store, application, 1, changes.clone()).unwrap();
            models.get_mut(application).unwrap().apply(changes);
        }
        let after = disk.without_power();
        assert_same(&on(&after), &models);
    }
}

#[test]
fn a_process_that_is_killed_leaves_every_transaction_that_was_answered_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("store.redb"), folder.path().join("copy.redb"));
    let store = open(&path).unwrap();
    for id in ["a", "b", "c"] {
        record(&store, "wiki", 1, vec![a_group(id)]).unwrap();
        // The file as a kill at this moment would leave it: never closed.
        std::fs::copy(&path, &copy).unwrap();
        let left = open(&copy).unwrap().load("acme", &"wiki".into()).unwrap();
        assert_eq!(left, store.load("acme", &"wiki".into()).unwrap(), "its stamp as well");
        assert_eq!(left.groups.last().unwrap().target_id.as_str(), id);
    }
}

#[test]
fn every_waiter_is_told_of_a_full_disk_and_the_store_goes_on_once_there_is_room() {
    let disk = Disk::default();
    let store = on(&disk);
    record(&store, "wiki", 1, vec![a_group("before")]).unwrap();
    disk.refuse(true);
    let (answer, answers) = mpsc::channel();
    for number in 0..100 {
        let answer = answer.clone();
        let changes = vec![a_group(&format!("never-{number}"))];
        store.record("acme", &Name::from("wiki"), at(2), changes, move |result| answer.send(result).unwrap());
    }
    for _ in 0..100 {
        let error = answers.recv_timeout(Duration::from_mins(1)).unwrap().unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("free space"), "{error}");
    }
    assert!(store.load("acme", &"wiki".into()).is_err(), "what is not known is not empty");
    disk.refuse(false);
    record(&store, "wiki", 3, vec![a_group("room")]).unwrap();
    let groups = store.load("acme", &"wiki".into()).unwrap().groups;
    let ids: Vec<_> = groups.iter().map(|group| group.target_id.as_str()).collect();
    assert_eq!(ids, ["before", "room"]);
}

#[test]
fn many_writers_share_commits_and_each_is_answered() {
    let disk = Disk::default();
    let store = on(&disk);
    let (answer, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (store, answer) = (&store, answer.clone());
            scope.spawn(move || {
                for number in 0..50 {
                    let answer = answer.clone();
                    let changes = vec![a_group(&format!("{writer}-{number:02}"))];
                    store.record("acme", &Name::from("wiki"), at(1), changes, move |r| answer.send(r).unwrap());
                }
            });
        }
    });
    for _ in 0..400 {
        answers.recv_timeout(Duration::from_mins(1)).unwrap().unwrap();
    }
    assert_eq!(store.load("acme", &"wiki".into()).unwrap().groups.len(), 400);
    assert_eq!(on(&disk.without_power()).load("acme", &"wiki".into()).unwrap().groups.len(), 400);
}

#[test]
fn what_waits_when_the_store_is_dropped_is_written_and_answered() {
    let disk = Disk::default();
    let store = on(&disk);
    let (answer, answers) = mpsc::channel();
    for number in 0..20 {
        let answer = answer.clone();
        let changes = vec![a_group(&format!("{number:02}"))];
        store.record("acme", &Name::from("wiki"), at(1), changes, move |result| answer.send(result).unwrap());
    }
    drop(store);
    drop(answer);
    assert_eq!(answers.iter().flatten().count(), 20);
    assert_eq!(on(&disk).load("acme", &"wiki".into()).unwrap().groups.len(), 20);
}

#[test]
fn nobody_waits_for_a_writer_that_is_gone() {
    let store = on(&Disk::default());
    let (answer, answers) = mpsc::channel();
    store
        .record("acme", &Name::from("wiki"), at(1), vec![a_group("a")], |_| panic!("this ends the writer, on purpose"));
    for id in ["b", "c"] {
        let answer = answer.clone();
        store.record("acme", &Name::from("wiki"), at(1), vec![a_group(id)], move |result| answer.send(result).unwrap());
    }
    // The first of them may still have shared a commit with the one that ended the writer.
    let answered: Vec<_> = (0..2).map(|_| answers.recv_timeout(Duration::from_mins(1)).unwrap()).collect();
    assert_eq!(answered[1], Err(StoreError::Closed));
}
