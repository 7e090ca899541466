//! Accounts created by engine, connector and store, joined as the operator joins them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_connectors::AnyTarget;
use provost_core::engine::{Answer, Effect, Engine, EngineEffect, EngineEvent};
use provost_core::model::{Change, GrantWhat, Step};
use provost_store::give_way;
use tests::drive::{Parts, store};
use tokio::sync::mpsc::unbounded_channel;

use crate::meter::{Meter, Run};
use crate::world;

/// So many accounts of one application at its target, whose server has this process id; with the store on disk or without
/// any. The time is from the first step sent to the last answer.
pub async fn create(application: Change, target: AnyTarget, server: u32, accounts: usize, stored: bool) -> Run {
    // On a thread of its own, as the operator's namespaces.
    let runtime = tokio::runtime::Handle::current();
    let (done, result) = tokio::sync::oneshot::channel();
    let run = run(application, target, server, accounts, stored);
    std::thread::spawn(move || done.send(runtime.block_on(run)));
    result.await.unwrap()
}

async fn run(application: Change, target: AnyTarget, server: u32, accounts: usize, stored: bool) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (back, mut answers) = unbounded_channel();
    let store = stored.then(|| store(folder.path()));
    let parts = Parts { start: Instant::now(), store, target: Arc::new(target), back };
    let mut engine = Engine::new("acme", provost_connectors::schema).pausing(give_way);
    let mut all: Vec<_> = (0..accounts).map(|at| world::identity(at, "Engineering", "Engineer")).collect();
    all.push(world::allow("everyone", None, Some("identity.type == 'Person'".to_owned()), "wiki", GrantWhat::Account));
    all.push(application);

    let mut events = VecDeque::from([EngineEvent::Listed(all)]);
    let (mut meter, mut created) = (None, 0);
    while created < accounts {
        while let Some(event) = events.pop_front() {
            if let EngineEvent::Answered { answer: Answer::Applied(results), .. } = &event {
                assert!(results.iter().all(Result::is_ok), "{results:?}");
                created += results.len();
            }
            for effect in engine.handle(event, parts.now()) {
                if let EngineEffect::Do { application, id, effect } = effect {
                    if let Effect::Apply(steps) = &effect {
                        assert!(steps.iter().all(|step| matches!(step, Step::CreateAccount { .. })), "{steps:?}");
                        meter.get_or_insert_with(|| Meter::start(server));
                    }
                    parts.set_off(&application, id, effect);
                }
            }
            if events.is_empty() && engine.is_behind() {
                give_way();
                events.push_back(EngineEvent::Tick);
            }
        }
        let wait = engine.next_wake(parts.now()).mono.map(|at| at.saturating_sub(parts.now().mono));
        let wait = wait.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(1));
        tokio::select! {
            Some(event) = answers.recv() => events.push_back(event),
            () = tokio::time::sleep(wait) => events.push_back(EngineEvent::Tick),
        }
        while let Ok(event) = answers.try_recv() {
            events.push_back(event);
        }
    }
    meter.unwrap().stop(accounts)
}
