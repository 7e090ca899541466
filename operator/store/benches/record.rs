//! How many ledger records a second reach the disk, by records in one call and by callers at once.
//!
//! `cargo bench -p provost-store --bench record [-- FOLDER]`; the folder's disk is what is measured.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_core::model::{
    Attributes, Digest, Image, Intent, IntentId, LedgerChange, Name, Outcome, Owner, Record, RecordId, RecordState,
    Step, TargetId,
};
use provost_store::{Fresh, Store};
use secrecy::SecretBox;

const FOR: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` passes --bench; what does not begin with a dash is the folder.
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let folder = tempfile::tempdir_in(folder.unwrap_or_else(std::env::temp_dir))?;
    println!("{:>8} {:>8} {:>12} {:>12}", "callers", "a call", "records/s", "calls/s");
    for (callers, batch) in [(1, 1), (1, 32), (1, 128), (8, 1), (8, 32), (32, 1)] {
        let path = folder.path().join(format!("{callers}-{batch}.redb"));
        let fresh = || Fresh { id: "bench".into(), key: SecretBox::new(Box::new([1; 32])) };
        let store = Store::open(&path, fresh)?;
        let start = Instant::now();
        let calls = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..callers)
                .map(|caller| {
                    scope.spawn({
                        let store = &store;
                        move || call(store, caller, batch, start)
                    })
                })
                .collect();
            callers.into_iter().filter_map(|caller| caller.join().ok()).sum::<u64>()
        });
        let seconds = start.elapsed().as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (calls, records) = (calls as f64 / seconds, (calls * batch) as f64 / seconds);
        println!("{callers:>8} {batch:>8} {records:>12.0} {calls:>12.0}");
    }
    Ok(())
}

/// Opens and closes writes of one application, `batch` in a call, for a while.
fn call(store: &Store, caller: u64, batch: u64, start: Instant) -> u64 {
    let application = Name::new(format!("app-{caller}"));
    let mut calls = 0;
    while start.elapsed() < FOR {
        let first = calls / 2 * batch;
        let changes = (first..first + batch).flat_map(|id| if calls % 2 == 0 { open(id) } else { close(id) }).collect();
        let (answer, answered) = mpsc::channel();
        store.record("acme", &application, Timestamp::UNIX_EPOCH, changes, move |result| {
            _ = answer.send(result.is_ok());
        });
        if answered.recv() != Ok(true) {
            break;
        }
        calls += 1;
    }
    calls
}

fn open(id: u64) -> Vec<LedgerChange> {
    let attributes: Attributes = [("userName", "ada.lovelace"), ("displayName", "Ada Lovelace"), ("title", "Analyst")]
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let digests = attributes.keys().map(|name| (name.clone(), Some(Digest(id)))).collect();
    let intent = Intent {
        id: IntentId(id),
        records: vec![RecordId(id)],
        step: Step::CreateAccount { attributes, enabled: true, password: false },
        at: Timestamp::UNIX_EPOCH,
        cause: "engineers-wiki".into(),
        plan: None,
        before: Some(Box::new(Image { exists: Some(false), ..Image::default() })),
        after: Some(Box::new(Image {
            exists: Some(true),
            enabled: Some(true),
            attributes: digests,
            ..Image::default()
        })),
    };
    vec![record(id, None), LedgerChange::Open(Arc::new(intent))]
}

fn close(id: u64) -> Vec<LedgerChange> {
    vec![record(id, Some(format!("target-{id}"))), LedgerChange::Close(IntentId(id), Outcome::Done)]
}

fn record(id: u64, target: Option<String>) -> LedgerChange {
    LedgerChange::Put(Arc::new(Record {
        id: RecordId(id),
        owner: Owner { name: Name::new(format!("identity-{id}")), uid: "3f0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f10".into() },
        external_id: Some("E-1001".into()),
        user_name: "ada.lovelace".into(),
        state: if target.is_some() { RecordState::Active } else { RecordState::Creating },
        target_id: target.map(TargetId::new),
        written: BTreeMap::new(),
        policies: BTreeSet::from(["engineers-wiki".into()]),
        grants: BTreeMap::new(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: true,
    }))
}
