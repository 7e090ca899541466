//! What the journal costs: steps a second as one application journals them, and a sync of 5,000 accounts at scim2-server with
//! the store and without it, in turns.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_core::model::{
    Attributes, Digest, Image, Intent, IntentId, LedgerChange, Name, Outcome, Owner, Record, RecordId, RecordState,
    Step, TargetId,
};
use provost_store::{Fresh, Store};
use secrecy::SecretBox;

use crate::meter::Run;
use crate::table::Table;
use crate::throughput::operator;

/// Intents that a sync records ahead.
const AHEAD: u64 = 64;
const ACCOUNTS: usize = 5_000;
const TURNS: usize = 2;

pub fn measure(table: &mut Table) {
    let rate = steps();
    table.at_least(format!("journal: steps of one application, {AHEAD} recorded ahead"), rate, 5_000.0, "1/s");
    let server = tests::servers::cache().join("scim-venv/bin/scim2-server");
    if !server.exists() {
        return table.missing("sync with and without the store", "make setup builds it");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut with, mut without) = (Run::default(), Run::default());
    for _ in 0..TURNS {
        with.add(&runtime.block_on(operator(8, "Never", ACCOUNTS, true)));
        without.add(&runtime.block_on(operator(8, "Never", ACCOUNTS, false)));
    }
    table.shown(format!("{ACCOUNTS} accounts created at scim2-server, 8 at once, with the store"), with.rate(), "1/s");
    table.shown("  without it", without.rate(), "1/s");
    table.at_least("  with it, of the rate without", with.rate() / without.rate(), 0.9, "");
}

/// As a sync does it: in one call the intents of the next steps and the outcomes of the last ones, one call at a time.
fn steps() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let fresh = || Fresh { id: "bench".into(), key: SecretBox::new(Box::new([1; 32])) };
    let store = Store::open(&folder.path().join("provost.redb"), fresh).unwrap();
    let (start, application, mut done) = (Instant::now(), Name::new("app"), 0);
    while start.elapsed() < Duration::from_secs(3) {
        let last = (done > 0).then(|| done - AHEAD..done).into_iter().flatten().flat_map(close);
        let changes = last.chain((done..done + AHEAD).flat_map(open)).collect();
        let (answer, answered) = mpsc::channel();
        store.record("acme", &application, Timestamp::UNIX_EPOCH, changes, move |result| {
            answer.send(result.is_ok()).unwrap();
        });
        assert!(answered.recv().unwrap());
        done += AHEAD;
    }
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let steps = (done - AHEAD) as f64;
    steps / start.elapsed().as_secs_f64()
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
        external_id: Some(format!("E-{id}").into()),
        user_name: format!("identity-{id}").into(),
        state: if target.is_some() { RecordState::Active } else { RecordState::Creating },
        target_id: target.map(TargetId::new),
        written: [].into(),
        policies: ["engineers-wiki".into()].into(),
        grants: [].into(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: true,
    }))
}
