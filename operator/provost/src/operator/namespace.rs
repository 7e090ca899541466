//! One namespace's task: owns its engine, hands it events, and sets off what it wants done. It waits for nothing itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use provost_core::engine::{Answer, Effect, EffectId, Engine, EngineEffect, EngineEvent, StoreFailure};
use provost_core::model::{Name, Now, ObjectRef, Spent, TargetError};
use provost_kubernetes::status::Written;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::inquiries::Ask;
use super::shell::{Shell, UnderWay};
use super::targets::Targets;
use crate::inquiry;

/// Without any date to wait for, the engine is asked this often: clocks may jump.
const IDLE: Duration = Duration::from_mins(1);

/// Whether what was set off for a namespace that is gone has ended is looked at this often.
const LINGER: Duration = Duration::from_millis(100);

/// The metrics of a namespace are brought up to date this often at most.
const MEASURE: Duration = Duration::from_secs(1);

/// What comes back to the task from what it set off.
enum Back {
    Answered(EngineEvent),
    Status(ObjectRef, bool),
}

/// Answers one effect, once: also when whoever carries it out ends without a word, since the engine waits for it.
struct Answering {
    back: UnboundedSender<Back>,
    application: Name,
    effect: EffectId,
    otherwise: Option<Answer>,
    _under_way: UnderWay,
}

impl Answering {
    fn answer(mut self, answer: Answer, spent: Spent) {
        self.otherwise = None;
        self.send(answer, spent);
    }

    fn send(&self, answer: Answer, spent: Spent) {
        let application = self.application.clone();
        let event = EngineEvent::Answered { application, effect: self.effect, answer, spent };
        let _ = self.back.send(Back::Answered(event));
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(otherwise) = self.otherwise.take() {
            self.send(otherwise, Spent::default());
        }
    }
}

/// What an effect that ended without a word is taken for.
fn otherwise(effect: &Effect) -> Answer {
    let lost = || TargetError::Lost("it ended without an answer".into());
    let failure = || StoreFailure("it ended without an answer".into());
    match effect {
        Effect::Load => Answer::Loaded(Err(failure())),
        Effect::Record(_) => Answer::Recorded(Err(failure())),
        Effect::Probe(..) => Answer::Probed(Err(lost())),
        Effect::Observe { .. } => Answer::Page(Err(lost())),
        Effect::Find(_) => Answer::Found(Err(lost())),
        Effect::Read(_) => Answer::Read(Err(lost())),
        Effect::Changes(_) => Answer::Changes(Err(lost())),
        Effect::Apply(steps) => Answer::Applied(steps.iter().map(|_| Err(lost())).collect()),
    }
}

/// Runs until the inbox closes, since the namespace is gone, and what was set off for it has ended: what comes after it under its
/// name reads the ledger anew.
pub async fn run(shell: Arc<Shell>, namespace: Arc<str>, mut inbox: UnboundedReceiver<EngineEvent>) {
    let mut engine = Engine::new(Arc::clone(&namespace), provost_connectors::schema);
    let targets = Targets::new(Arc::clone(&shell), Arc::clone(&namespace));
    let (back, mut answers) = unbounded_channel();
    let (asks, mut asked) = unbounded_channel();
    shell.inquiries.register(&namespace, asks);
    let mut skew = shell.skew();
    skew.mark_changed();
    let mut writing = BTreeSet::new();
    let (mut measured, mut gone) = (None, false);
    info!(namespace = &*namespace, "the namespace is watched");
    // Whatever was set off holds a way back, and lets go of it after it has answered.
    while !gone || back.strong_count() > 1 || !answers.is_empty() {
        let now = shell.now();
        let due = engine.status_wake().is_some_and(|at| at <= now.mono);
        let events = tokio::select! {
            event = inbox.recv(), if !gone => {
                gone = event.is_none();
                event.into_iter().collect()
            }
            Ok(()) = skew.changed() => vec![EngineEvent::Clocks(skew.borrow_and_update().clone())],
            Some(ask) = asked.recv() => {
                for effect in answer(&mut engine, ask, now) {
                    set_off(&shell, &namespace, &targets, effect, &back);
                }
                continue;
            }
            Some(answer) = answers.recv() => returned(&mut engine, answer, &mut answers, &mut writing, now),
            slot = shell.statuses.slot(), if due => {
                write_status(&shell, &namespace, &mut engine, slot, &mut writing, &back);
                continue;
            }
            () = tokio::time::sleep_until(wake(&engine, now, due, gone)) => vec![EngineEvent::Tick],
        };
        for event in events {
            shell.claims.halt(&namespace, engine_halts(&event));
            for effect in engine.handle(event, shell.now()) {
                set_off(&shell, &namespace, &targets, effect, &back);
            }
        }
        if engine.is_behind() {
            // What was set off is a task of this thread as a rule: it reaches the target before the rest is done.
            tokio::task::yield_now().await;
            for effect in engine.handle(EngineEvent::Tick, shell.now()) {
                set_off(&shell, &namespace, &targets, effect, &back);
            }
        }
        if measured.is_none_or(|at| shell.now().mono > at + MEASURE) {
            measured = Some(shell.now().mono);
            shell.measure(&namespace, &mut engine);
        }
    }
    shell.let_go(&namespace);
    info!(namespace = &*namespace, "the namespace is not watched any more");
}

/// Answers what somebody asks; an order has effects.
fn answer(engine: &mut Engine, ask: Ask, now: Now) -> Vec<EngineEffect> {
    match ask {
        Ask::Held { application, all, answer } => {
            let application = application.as_deref();
            let planned = if all { inquiry::foreseen(engine, application) } else { Vec::new() };
            let known = application.is_none_or(|name| inquiry::knows(engine, name));
            // Whoever asked may have gone.
            let _ = answer.send(known.then(|| (inquiry::held(engine, application), planned)));
            Vec::new()
        }
        Ask::Declared { identity, answer } => {
            let _ = answer.send(engine.directory().identity(&identity).is_some());
            Vec::new()
        }
        Ask::Deletion { application, identity, order, answer } => {
            let (said, effects) = engine.order_deletion(&application, &identity, order, now);
            let _ = answer.send(said);
            effects
        }
    }
}

/// Whether an event stops the namespace's writes (yes), lets them go on (no), or neither.
fn engine_halts(event: &EngineEvent) -> Option<bool> {
    match event {
        EngineEvent::Halted(_) => Some(true),
        EngineEvent::Listed(_) => Some(false),
        _ => None,
    }
}

/// Everything that has come back by now, so that a burst of answers is one turn.
fn returned(
    engine: &mut Engine,
    first: Back,
    answers: &mut UnboundedReceiver<Back>,
    writing: &mut BTreeSet<ObjectRef>,
    now: Now,
) -> Vec<EngineEvent> {
    let mut events = Vec::new();
    let mut next = Some(first);
    while let Some(back) = next {
        match back {
            Back::Answered(event) => events.push(event),
            Back::Status(object, written) => {
                writing.remove(&object);
                if !written {
                    engine.status_failed(&object, now);
                }
            }
        }
        next = if events.len() < 256 { answers.try_recv().ok() } else { None };
    }
    events
}

/// When to ask the engine again. A status that is due waits for a slot, not for the time.
fn wake(engine: &Engine, now: Now, due: bool, gone: bool) -> Instant {
    let wake = engine.next_wake(now);
    let by_wall = wake.wall.map(|at| Duration::try_from(at.duration_since(now.wall)).unwrap_or_default());
    let mono = [wake.mono, engine.status_wake().filter(|_| !due)].into_iter().flatten().min();
    let by_mono = mono.map(|at| at.saturating_sub(now.mono));
    let at_most = if gone { LINGER } else { IDLE };
    let wait = [by_wall, by_mono].into_iter().flatten().min().unwrap_or(at_most).min(at_most);
    Instant::now() + wait.max(Duration::from_millis(1))
}

fn write_status(
    shell: &Arc<Shell>,
    namespace: &Arc<str>,
    engine: &mut Engine,
    slot: provost_kubernetes::status::Slot,
    writing: &mut BTreeSet<ObjectRef>,
    back: &UnboundedSender<Back>,
) {
    let taken = engine.take_status(shell.now(), 1);
    for note in taken.notes {
        shell.events.publish(namespace, note);
    }
    let Some(update) = taken.updates.into_iter().next() else { return };
    if !writing.insert(update.object.clone()) {
        // Two writes of one object could overtake each other: the later one waits until the first is there.
        engine.status_failed(&update.object, shell.now());
        return;
    }
    let (shell, namespace, back) = (Arc::clone(shell), Arc::clone(namespace), back.clone());
    tokio::spawn(async move {
        let mut written = true;
        match slot.write(&namespace, &update).await {
            Written::Done => shell.metrics.status_written("done"),
            Written::Gone => shell.metrics.status_written("gone"),
            Written::Failed(error) => {
                shell.metrics.status_written("failed");
                let object = &update.object;
                warn!(namespace = &*namespace, kind = object.kind.as_str(), object = object.name.as_str(), %error, "the status was not written; it is written again");
                tokio::time::sleep(Duration::from_secs(1)).await;
                written = false;
            }
        }
        let _ = back.send(Back::Status(update.object, written));
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
        EngineEffect::Disconnect { application, target } => targets.disconnect(&application, target.as_ref()),
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
    debug!(namespace = &**namespace, object = application.as_str(), effect = id.0, what = what(&effect), "set off");
    let (back, otherwise) = (back.clone(), Some(otherwise(&effect)));
    let answering =
        Answering { back, application: application.clone(), effect: id, otherwise, _under_way: shell.under_way() };
    match effect {
        Effect::Load => {
            let (shell, namespace, targets) = (Arc::clone(shell), Arc::clone(namespace), targets.clone());
            let attempt = targets.attempt(&application);
            tokio::spawn(async move {
                let loaded = shell.ledger.load(&namespace, &application).await;
                if let Ok(ledger) = &loaded {
                    targets.loaded(&application, attempt, ledger);
                }
                answering.answer(Answer::Loaded(loaded.map(Box::new)), Spent::default());
            });
        }
        // Handed to the store here, in order: only the waiting is in a task of its own.
        Effect::Record(changes) => {
            let stored = shell.ledger.record(namespace, &application, changes);
            tokio::spawn(async move {
                answering.answer(Answer::Recorded(stored.await), Spent::default());
            });
        }
        effect => {
            let targets = targets.clone();
            tokio::spawn(async move {
                let (said, spent) = targets.carry_out(&application, effect).await;
                answering.answer(said, spent);
            });
        }
    }
}

/// What an effect is, for the log: no attribute of anybody.
fn what(effect: &Effect) -> &'static str {
    match effect {
        Effect::Load => "load",
        Effect::Record(_) => "record",
        Effect::Probe(..) => "probe",
        Effect::Observe { .. } => "observe",
        Effect::Find(_) => "find",
        Effect::Read(_) => "read",
        Effect::Changes(_) => "changes",
        Effect::Apply(_) => "apply",
    }
}
