//! One namespace's task: owns its engine, hands it events, and sets off what it wants done. It waits for nothing itself.

use std::sync::Arc;
use std::time::Duration;

use provost_core::engine::{Answer, Effect, EffectId, Engine, EngineEffect, EngineEvent};
use provost_core::model::{Name, Now, Spent};
use provost_kubernetes::status::Written;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::shell::Shell;
use super::targets::Targets;

/// Without any date to wait for, the engine is asked this often: clocks may jump.
const IDLE: Duration = Duration::from_mins(1);

/// What comes back to the task from what it set off.
enum Back {
    Answered(EngineEvent),
    NotWritten(provost_core::model::ObjectRef),
}

/// Runs until the inbox closes.
pub async fn run(shell: Arc<Shell>, namespace: Arc<str>, mut inbox: UnboundedReceiver<EngineEvent>) {
    let mut engine = Engine::new(Arc::clone(&namespace), provost_connectors::schema);
    let targets = Targets::new(Arc::clone(&shell), Arc::clone(&namespace));
    let (back, mut answers) = unbounded_channel();
    info!(namespace = &*namespace, "the namespace is watched");
    loop {
        let now = shell.now();
        let due = engine.status_wake().is_some_and(|at| at <= now.mono);
        let events = tokio::select! {
            event = inbox.recv() => match event {
                Some(event) => vec![event],
                None => break,
            },
            Some(answer) = answers.recv() => returned(&mut engine, answer, &mut answers, now),
            slot = shell.statuses.slot(), if due => {
                write_status(&shell, &namespace, &mut engine, slot, &back);
                continue;
            }
            () = tokio::time::sleep_until(wake(&engine, now)) => vec![EngineEvent::Tick],
        };
        for event in events {
            for effect in engine.handle(event, shell.now()) {
                set_off(&shell, &namespace, &targets, effect, &back);
            }
        }
        shell.measure(&namespace, &mut engine);
    }
    info!(namespace = &*namespace, "the namespace is not watched any more");
}

/// Everything that has come back by now, so that a burst of answers is one turn.
fn returned(engine: &mut Engine, first: Back, answers: &mut UnboundedReceiver<Back>, now: Now) -> Vec<EngineEvent> {
    let mut events = Vec::new();
    let mut next = Some(first);
    while let Some(back) = next {
        match back {
            Back::Answered(event) => events.push(event),
            Back::NotWritten(object) => engine.status_failed(&object, now),
        }
        next = if events.len() < 256 { answers.try_recv().ok() } else { None };
    }
    events
}

fn wake(engine: &Engine, now: Now) -> Instant {
    let wake = engine.next_wake(now);
    let by_wall = wake.wall.map(|at| Duration::try_from(at.duration_since(now.wall)).unwrap_or_default());
    let mono = [wake.mono, engine.status_wake()].into_iter().flatten().min();
    let by_mono = mono.map(|at| at.saturating_sub(now.mono));
    let wait = [by_wall, by_mono].into_iter().flatten().min().unwrap_or(IDLE).min(IDLE);
    Instant::now() + wait.max(Duration::from_millis(1))
}

fn write_status(
    shell: &Arc<Shell>,
    namespace: &Arc<str>,
    engine: &mut Engine,
    slot: provost_kubernetes::status::Slot,
    back: &UnboundedSender<Back>,
) {
    let taken = engine.take_status(shell.now(), 1);
    for note in taken.notes {
        shell.events.publish(namespace, note);
    }
    let Some(update) = taken.updates.into_iter().next() else { return };
    let (shell, namespace, back) = (Arc::clone(shell), Arc::clone(namespace), back.clone());
    tokio::spawn(async move {
        match slot.write(&namespace, &update).await {
            Written::Done => shell.metrics.status_written("done"),
            Written::Gone => shell.metrics.status_written("gone"),
            Written::Failed(error) => {
                shell.metrics.status_written("failed");
                let object = update.object;
                warn!(namespace = &*namespace, kind = object.kind.as_str(), object = object.name.as_str(), %error, "the status was not written; it is written again");
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = back.send(Back::NotWritten(object));
            }
        }
    });
}

fn set_off(
    shell: &Arc<Shell>,
    namespace: &Arc<str>,
    targets: &Targets,
    effect: EngineEffect,
    back: &UnboundedSender<Back>,
) {
    match effect {
        EngineEffect::Do { application, id, effect } => {
            carry_out(shell, namespace, targets, application, id, effect, back);
        }
        EngineEffect::Finalizer { application, uid, on } => {
            let (shell, namespace) = (Arc::clone(shell), Arc::clone(namespace));
            tokio::spawn(async move {
                if let Err(error) = shell.finalizers.set(&namespace, application.as_str(), &uid, on).await {
                    warn!(namespace = &*namespace, object = application.as_str(), %error, "the finalizer was not changed; it is tried again");
                }
            });
        }
        EngineEffect::Note(note) => shell.events.publish(namespace, note),
        EngineEffect::Disconnect { application } => targets.disconnect(&application),
    }
}

fn carry_out(
    shell: &Arc<Shell>,
    namespace: &Arc<str>,
    targets: &Targets,
    application: Name,
    id: EffectId,
    effect: Effect,
    back: &UnboundedSender<Back>,
) {
    debug!(namespace = &**namespace, object = application.as_str(), effect = id.0, ?effect, "set off");
    let back = back.clone();
    let answer = move |application: Name, answer: Answer, spent: Spent| {
        let _ = back.send(Back::Answered(EngineEvent::Answered { application, effect: id, answer, spent }));
    };
    match effect {
        Effect::Load => {
            let (shell, namespace) = (Arc::clone(shell), Arc::clone(namespace));
            tokio::spawn(async move {
                let loaded = shell.ledger.load(&namespace, &application).await;
                answer(application, Answer::Loaded(loaded.map(Box::new)), Spent::default());
            });
        }
        // Handed to the store here, in order: only the waiting is in a task of its own.
        Effect::Record(changes) => {
            let stored = shell.ledger.record(namespace, &application, changes);
            tokio::spawn(async move {
                let stored = stored.await;
                answer(application, Answer::Recorded(stored), Spent::default());
            });
        }
        effect => {
            let targets = targets.clone();
            tokio::spawn(async move {
                let (said, spent) = targets.carry_out(&application, effect).await;
                answer(application, said, spent);
            });
        }
    }
}
