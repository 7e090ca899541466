//! Ledger records a second on the disk of the folder for temporary files, one caller. `cargo bench -p provost-store`
//! has more.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_core::model::{LedgerChange, Name, Owner, Record, RecordId, RecordState};
use provost_store::{Fresh, Store};
use secrecy::SecretBox;

use crate::table::Table;

pub fn measure(table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    for batch in [1, 32, 128] {
        let fresh = || Fresh { id: "bench".into(), key: SecretBox::new(Box::new([1; 32])) };
        let store = Store::open(&folder.path().join(format!("{batch}.redb")), fresh).unwrap();
        let (start, application, mut stored) = (Instant::now(), Name::new("app"), 0_u32);
        while start.elapsed() < Duration::from_secs(2) {
            let first = u64::from(stored);
            let changes = (first..first + u64::from(batch)).map(record).collect();
            let (answer, answered) = mpsc::channel();
            store.record("acme", &application, Timestamp::UNIX_EPOCH, changes, move |result| {
                answer.send(result.is_ok()).unwrap();
            });
            assert!(answered.recv().unwrap());
            stored += batch;
        }
        let rate = f64::from(stored) / start.elapsed().as_secs_f64();
        table.shown(format!("store: records on disk, {batch} at once"), rate, "1/s");
    }
}

fn record(id: u64) -> LedgerChange {
    LedgerChange::Put(Arc::new(Record {
        id: RecordId(id),
        owner: Owner { name: Name::new(format!("identity-{id}")), uid: "3f0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f10".into() },
        external_id: Some(format!("E-{id}").into()),
        user_name: format!("identity-{id}").into(),
        state: RecordState::Active,
        target_id: Some(format!("target-{id}").as_str().into()),
        written: [].into(),
        policies: ["engineers-wiki".into()].into(),
        grants: [].into(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: true,
    }))
}
