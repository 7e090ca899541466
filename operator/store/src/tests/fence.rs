//! Only who claimed the store last writes.

use super::journal::{create, intent, ledger_record};
use super::{fresh, record};
use crate::{Disk, Store, StoreError};

fn opened(disk: &Disk) -> Store {
    Store::on(disk, fresh).unwrap()
}

#[test]
fn an_intent_of_a_process_that_was_replaced_is_refused_and_nothing_of_its_batch_is_stored() {
    let disk = Disk::default();
    let stale = opened(&disk);
    stale.claim(1).unwrap();
    record(&stale, "wiki", 1, vec![ledger_record(1, "ada", None)]).unwrap();
    drop(stale);
    let holder = opened(&disk);
    holder.claim(2).unwrap();
    drop(holder);
    let stale = opened(&disk);
    stale.shared.remember_lease(1);
    let error = record(&stale, "wiki", 2, vec![intent(2, &[1], create())]).unwrap_err();
    assert_eq!(error, StoreError::Fenced { path: "memory".into(), epoch: 2 });
    assert!(error.to_string().contains("started again"), "{error}");
    assert_eq!(opened(&disk).load("acme", &"wiki".into()).unwrap().intents, []);
}

#[test]
fn a_lease_that_was_deleted_begins_anew_and_so_does_the_claim() {
    let disk = Disk::default();
    let store = opened(&disk);
    store.claim(7).unwrap();
    drop(store);
    let store = opened(&disk);
    store.claim(1).unwrap();
    record(&store, "wiki", 1, vec![ledger_record(1, "ada", None)]).unwrap();
}

#[test]
fn who_never_claimed_is_not_fenced() {
    let disk = Disk::default();
    let store = opened(&disk);
    store.claim(3).unwrap();
    drop(store);
    record(&opened(&disk), "wiki", 1, vec![ledger_record(1, "ada", None)]).unwrap();
}
