//! One namespace's task, on a thread of its own: owns its engine, hands it events, and sets off what it wants done. It waits for
//! nothing itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use provost_core::engine::{Answer, Effect, EffectId, Engine, EngineEffect, EngineEvent, StoreFailure};
use provost_core::model::{Name, Now, ObjectRef, Spent, TargetError};
use provost_kubernetes::status::Written;
use provost_store::give_way;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::inquiries::Ask;
use super::shell::{Shell, UnderWay};
use super::targets::Targets;
use crate::inquiry;

/// Without any date to wait for, the engine is asked this often: clocks may jump.
const IDLE: Duration = Duration::from_mins(1);

/// Answers are taken in one after the other for so long, while nothing else comes: an edit waits for no more than that.
const BURST: Duration = Duration::from_millis(2);

/// What is due goes on for so long, until something comes, and after so long also while answers never end.
const PATIENCE: Duration = Duration::from_millis(20);

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

/// What the task works with.
struct Desk {
    shell: Arc<Shell>,
    namespace: Arc<str>,
    engine: Engine,
    targets: Targets,
    back: UnboundedSender<Back>,
    /// Statuses that are being written.
    writing: BTreeSet<ObjectRef>,
    /// When the engine was last asked to go on by itself.
    ticked: Duration,
}

/// Runs until the inbox closes, since the namespace is gone, and what was set off for it has ended: what comes after it under its
/// name reads the ledger anew.
pub async fn run(shell: Arc<Shell>, namespace: Arc<str>, mut inbox: UnboundedReceiver<EngineEvent>) {
    let (back, mut answers) = unbounded_channel();
    let (asks, mut asked) = unbounded_channel();
    shell.inquiries.register(&namespace, asks);
    let mut skew = shell.skew();
    skew.mark_changed();
    let (mut measured, mut gone) = (None, false);
    info!(namespace = &*namespace, "the namespace is watched");
    let mut desk = Desk {
        engine: Engine::new(Arc::clone(&namespace), provost_connectors::schema).pausing(give_way),
        targets: Targets::new(Arc::clone(&shell), Arc::clone(&namespace)),
        back,
        writing: BTreeSet::new(),
        ticked: Duration::ZERO,
        shell,
        namespace,
    };
    // Whatever was set off holds a way back, and lets go of it after it has answered.
    while !gone || desk.back.strong_count() > 1 || !answers.is_empty() {
        let now = desk.shell.now();
        let due = desk.engine.status_wake().is_some_and(|at| at <= now.mono);
        tokio::select! {
            event = inbox.recv(), if !gone => match event {
                Some(event) => desk.handle(event),
                None => gone = true,
            },
            Ok(()) = skew.changed() => {
                let clocks = skew.borrow_and_update().clone();
                desk.handle(EngineEvent::Clocks(clocks));
            }
            Some(ask) = asked.recv() => desk.answer(ask),
            Some(back) = answers.recv() => desk.take_in(back, &mut answers, &inbox),
            slot = desk.shell.statuses.slot(), if due => desk.write_status(slot),
            () = tokio::time::sleep_until(wake(&desk.engine, now, due, gone)) => desk.go_on(&inbox, &answers),
        }
        desk.go_on_if_behind();
        let now = desk.shell.now().mono;
        if measured.is_none_or(|at| now > at + MEASURE) {
            measured = Some(now);
            desk.shell.measure(&desk.namespace, &mut desk.engine);
        }
    }
    desk.shell.let_go(&desk.namespace);
    info!(namespace = &*desk.namespace, "the namespace is not watched any more");
}

impl Desk {
    fn handle(&mut self, event: EngineEvent) {
        self.shell.claims.halt(&self.namespace, engine_halts(&event));
        let now = self.shell.now();
        if matches!(event, EngineEvent::Tick) {
            self.ticked = now.mono;
        }
        for effect in self.engine.handle(event, now) {
            self.set_off(effect);
        }
    }

    /// Takes in what has come back, one after the other, until something else comes.
    fn take_in(&mut self, first: Back, answers: &mut UnboundedReceiver<Back>, inbox: &UnboundedReceiver<EngineEvent>) {
        let until = self.shell.now().mono + BURST;
        let mut next = Some(first);
        while let Some(back) = next {
            match back {
                Back::Answered(event) => self.handle(event),
                Back::Status(object, written) => {
                    self.writing.remove(&object);
                    if !written {
                        self.engine.status_failed(&object, self.shell.now());
                    }
                }
            }
            let more = inbox.is_empty() && self.shell.now().mono < until;
            next = if more { answers.try_recv().ok() } else { None };
        }
    }

    /// Does what is due, until something comes.
    fn go_on(&mut self, inbox: &UnboundedReceiver<EngineEvent>, answers: &UnboundedReceiver<Back>) {
        let until = self.shell.now().mono + PATIENCE;
        loop {
            self.handle(EngineEvent::Tick);
            give_way();
            let now = self.shell.now();
            if now.mono >= until || !inbox.is_empty() || !answers.is_empty() || !is_due(&self.engine, now) {
                return;
            }
        }
    }

    /// What the next write need not wait for is done once that is sent; what is due by itself is also done where answers never end.
    fn go_on_if_behind(&mut self) {
        let now = self.shell.now();
        if self.engine.is_behind() || is_overdue(&self.engine, self.ticked, now) {
            // What was set off may reach the target first, also where this thread has the only processor.
            give_way();
            self.handle(EngineEvent::Tick);
        }
    }

    /// Answers what somebody asks; an order has effects.
    fn answer(&mut self, ask: Ask) {
        let engine = &mut self.engine;
        match ask {
            Ask::Held { application, all, answer } => {
                let application = application.as_deref();
                let planned = if all { inquiry::foreseen(engine, application) } else { Vec::new() };
                let known = application.is_none_or(|name| inquiry::knows(engine, name));
                // Whoever asked may have gone.
                let _ = answer.send(known.then(|| (inquiry::held(engine, application), planned)));
            }
            Ask::Declared { identity, answer } => {
                let _ = answer.send(engine.declares(&identity));
            }
            Ask::Deletion { application, identity, order, by, answer } => {
                let (said, effects) = engine.order_deletion(&application, &identity, order, &by, self.shell.now());
                // One that is refused changes nothing; one that is not is told here, where nobody may wait for the answer any more.
                if said.is_ok() {
                    info!(namespace = %self.namespace, user = by, %application, %identity, ?order, "ordered");
                }
                let _ = answer.send(said);
                for effect in effects {
                    self.set_off(effect);
                }
            }
        }
    }

    fn write_status(&mut self, slot: provost_kubernetes::status::Slot) {
        let taken = self.engine.take_status(self.shell.now(), 1);
        for note in taken.notes {
            self.shell.events.publish(&self.namespace, note);
        }
        let Some(update) = taken.updates.into_iter().next() else { return };
        if !self.writing.insert(update.object.clone()) {
            // Two writes of one object could overtake each other: the later one waits until the first is there.
            self.engine.status_failed(&update.object, self.shell.now());
            return;
        }
        let (shell, namespace, back) = (Arc::clone(&self.shell), Arc::clone(&self.namespace), self.back.clone());
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

    fn set_off(&self, effect: EngineEffect) {
        let namespace = &self.namespace;
        match effect {
            EngineEffect::Do { application, id, effect } => self.carry_out(application, id, effect),
            EngineEffect::Finalizer { application, uid, on } => {
                let (shell, namespace) = (Arc::clone(&self.shell), Arc::clone(namespace));
                tokio::spawn(async move {
                    if let Err(error) = shell.finalizers.set(&namespace, application.as_str(), &uid, on).await {
                        warn!(namespace = &*namespace, object = application.as_str(), %error, "the finalizer was not changed; it is tried again");
                    }
                });
            }
            EngineEffect::Note(note) => self.shell.events.publish(namespace, note),
            EngineEffect::Disconnect { application, target } => self.targets.disconnect(&application, target.as_ref()),
        }
    }

    fn carry_out(&self, application: Name, id: EffectId, effect: Effect) {
        let (shell, namespace, targets) = (&self.shell, &self.namespace, self.targets.clone());
        debug!(namespace = &**namespace, object = application.as_str(), effect = id.0, what = what(&effect), "set off");
        let (back, otherwise) = (self.back.clone(), Some(otherwise(&effect)));
        let answering =
            Answering { back, application: application.clone(), effect: id, otherwise, _under_way: shell.under_way() };
        match effect {
            Effect::Load => {
                let (shell, namespace) = (Arc::clone(shell), Arc::clone(namespace));
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
                tokio::spawn(async move {
                    let (said, spent) = targets.carry_out(&application, effect).await;
                    answering.answer(said, spent);
                });
            }
        }
    }
}

/// Whether the engine has something to do by itself now.
fn is_due(engine: &Engine, now: Now) -> bool {
    let wake = engine.next_wake(now);
    wake.wall.is_some_and(|at| at <= now.wall) || wake.mono.is_some_and(|at| at <= now.mono)
}

/// The same, also while answers never end: each of them would put off what the timer wakes for.
fn is_overdue(engine: &Engine, ticked: Duration, now: Now) -> bool {
    now.mono > ticked + PATIENCE && is_due(engine, now)
}

/// Whether an event stops the namespace's writes (yes), lets them go on (no), or neither.
fn engine_halts(event: &EngineEvent) -> Option<bool> {
    match event {
        EngineEvent::Halted(_) => Some(true),
        EngineEvent::Listed(_) => Some(false),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_due_goes_on_also_while_answers_never_end() {
        let mut engine = Engine::new("acme", provost_connectors::schema);
        let at = |seconds: i64, millis| Now {
            wall: Timestamp::from_second(seconds).unwrap(),
            mono: Duration::from_millis(millis),
        };
        let starts = Timestamp::from_second(100).unwrap();
        let ada = json!({
            "apiVersion": "provost.dev/v1alpha1", "kind": "Identity", "metadata": {"name": "ada", "namespace": "acme"},
            "spec": {"userName": "ada", "externalId": "E-1", "type": "Person", "displayName": "Ada",
                "lifecycle": {"startTime": starts.to_string()}},
        });
        let ada = provost_core::input::identity_change(&provost_crds::from_manifest(ada).unwrap());
        engine.handle(EngineEvent::Listed(vec![ada]), at(1, 1000));
        let ticked = Duration::from_secs(1);
        assert!(!is_overdue(&engine, ticked, at(99, 5000)), "nothing is due");
        assert!(!is_overdue(&engine, ticked, at(100, 1020)), "the timer may still do it");
        assert!(is_overdue(&engine, ticked, at(100, 1021)));
    }
}
