//! Engine, connector and store joined as the operator joins them, without Kubernetes: what a target is asked, and how long
//! it takes, with nothing else in between.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_connectors::AnyTarget;
use provost_core::engine::{Answer, Effect, EffectId, Engine, EngineEffect, EngineEvent, StoreFailure};
use provost_core::input;
use provost_core::model::{Change, Ledger, Name, Now, Spent};
use provost_crds::{self as crds, from_manifest};
use provost_store::{Fresh, Store, give_way};
use secrecy::SecretBox;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is due goes on by itself for so long.
const BURST: Duration = Duration::from_millis(20);

/// Only a failure takes so long.
const DEADLINE: Duration = Duration::from_mins(10);

/// What the operator joins to an engine, without Kubernetes: one target and the store, or none.
#[derive(Debug)]
pub struct Parts {
    /// Of all applications.
    pub target: Arc<AnyTarget>,
    /// Without one, nothing is kept.
    pub store: Option<Store>,
    /// When the engine began.
    pub start: Instant,
    /// Where answers go.
    pub back: UnboundedSender<EngineEvent>,
}

/// A namespace whose applications all have the one target.
#[derive(Debug)]
pub struct Drive {
    engine: Engine,
    parts: Parts,
    _folder: TempDir,
    events: VecDeque<EngineEvent>,
    /// Effects that were not answered yet.
    asked: usize,
    /// Answers to writes.
    writes: usize,
    /// How much later it is for the engine than for everybody else.
    ahead: Duration,
    answers: UnboundedReceiver<EngineEvent>,
}

/// A manifest as a change; a TargetApplication has the operator's finalizer already.
///
/// # Panics
/// If it is none of the four kinds.
pub fn change(mut manifest: Value) -> Change {
    let kind = manifest["kind"].as_str().unwrap_or_default().to_owned();
    manifest["metadata"]["namespace"] = "acme".into();
    match kind.as_str() {
        "Identity" => input::identity_change(&from_manifest(manifest).expect("an Identity")),
        "Group" => input::group_change(&from_manifest(manifest).expect("a Group")),
        "AccessPolicy" => input::access_policy_change(&from_manifest(manifest).expect("an AccessPolicy")),
        "TargetApplication" => {
            manifest["metadata"]["finalizers"] = vec![crds::FINALIZER].into();
            input::target_application_change(&from_manifest(manifest).expect("a TargetApplication"))
        }
        other => panic!("{other} is no kind of ours"),
    }
}

/// A store of its own on disk.
///
/// # Panics
/// If it cannot be made there.
pub fn store(folder: &Path) -> Store {
    let fresh = || Fresh { id: "tests".into(), key: SecretBox::new(Box::new([1; 32])) };
    Store::open(&folder.join("provost.redb"), fresh).expect("a store")
}

impl Drive {
    /// Nothing is decided before the first [`listed`](Self::listed).
    pub fn new(target: AnyTarget) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(folder.path());
        let (back, answers) = unbounded_channel();
        Self {
            engine: Engine::new("acme", provost_connectors::schema).pausing(give_way),
            parts: Parts { target: Arc::new(target), store: Some(store), start: Instant::now(), back },
            _folder: folder,
            events: VecDeque::new(),
            asked: 0,
            writes: 0,
            ahead: Duration::ZERO,
            answers,
        }
    }

    /// Anything else.
    pub fn told(&mut self, event: EngineEvent) {
        self.events.push_back(event);
    }

    /// Everything that is declared.
    pub fn listed(&mut self, manifests: Vec<Value>) {
        self.events.push_back(EngineEvent::Listed(manifests.into_iter().map(change).collect()));
    }

    /// What is declared otherwise.
    pub fn changed(&mut self, manifests: Vec<Value>) {
        self.events.push_back(EngineEvent::Changed(manifests.into_iter().map(change).collect()));
    }

    /// So much time passes at once.
    pub fn skip(&mut self, so_long: Duration) {
        self.ahead += so_long;
        self.events.push_back(EngineEvent::Tick);
    }

    fn now(&self) -> Now {
        let Now { wall, mono } = self.parts.now();
        Now { wall: wall + self.ahead, mono: mono + self.ahead }
    }

    /// Goes on until nothing was asked for a second and every answer is there; how long it took until the last answer.
    ///
    /// # Panics
    /// If that never comes.
    pub async fn idle(&mut self) -> Duration {
        let began = Instant::now();
        let mut last = began;
        while self.asked > 0 || last.elapsed() < Duration::from_secs(1) {
            if self.turn().await {
                last = Instant::now();
            }
            assert!(began.elapsed() < DEADLINE, "there is always something to do");
        }
        last.duration_since(began)
    }

    /// Goes on for so long, whatever there is to do.
    pub async fn pass(&mut self, so_long: Duration) {
        let began = Instant::now();
        while began.elapsed() < so_long {
            self.turn().await;
        }
    }

    /// Goes on until a write is answered, which nobody asked for.
    ///
    /// # Panics
    /// If that never comes.
    pub async fn write(&mut self) {
        let (began, before) = (Instant::now(), self.writes);
        while self.writes == before {
            self.turn().await;
            assert!(began.elapsed() < DEADLINE, "nothing is written");
        }
    }

    /// How many accounts are ours, of all applications.
    pub fn ours(&self) -> usize {
        self.engine.syncs().flat_map(|(_, sync)| sync.records()).filter(|record| record.target_id.is_some()).count()
    }

    /// Whether anything was asked.
    fn handle(&mut self, event: EngineEvent) -> bool {
        let (now, before) = (self.now(), self.asked);
        for effect in self.engine.handle(event, now) {
            if let EngineEffect::Do { application, id, effect } = effect {
                self.asked += 1;
                self.parts.set_off(&application, id, effect);
            }
        }
        self.asked > before
    }

    fn is_due(&self) -> bool {
        let now = self.now();
        self.engine.next_wake(now).mono.is_some_and(|at| at <= now.mono)
    }

    /// One turn; whether anything was done, asked or answered.
    async fn turn(&mut self) -> bool {
        let mut busy = false;
        while let Some(event) = self.events.pop_front() {
            if let EngineEvent::Answered { answer, .. } = &event {
                self.asked -= 1;
                self.writes += usize::from(matches!(answer, Answer::Applied(_)));
                busy = true;
            }
            busy |= self.handle(event);
            if self.events.is_empty() && self.engine.is_behind() {
                give_way();
                self.events.push_back(EngineEvent::Tick);
            }
        }
        // As the operator: what is due at once goes on for a while, and then anything else may come.
        let until = Instant::now() + BURST;
        while Instant::now() < until && self.is_due() && self.answers.is_empty() {
            self.handle(EngineEvent::Tick);
            give_way();
            busy = true;
        }
        let now = self.now();
        let wait = self.engine.next_wake(now).mono.map(|at| at.saturating_sub(now.mono));
        let wait = wait.unwrap_or(Duration::from_secs(1)).clamp(Duration::from_millis(1), Duration::from_millis(50));
        tokio::select! {
            Some(event) = self.answers.recv() => self.events.push_back(event),
            () = tokio::time::sleep(wait) => self.events.push_back(EngineEvent::Tick),
        }
        while let Ok(event) = self.answers.try_recv() {
            self.events.push_back(event);
        }
        busy
    }
}

impl Parts {
    /// The time by which the engine decides.
    pub fn now(&self) -> Now {
        Now { wall: Timestamp::now(), mono: self.start.elapsed() }
    }

    /// Carries an effect out; its answer comes [`back`](Self::back).
    pub fn set_off(&self, application: &Name, id: EffectId, effect: Effect) {
        let back = self.back.clone();
        let told = application.clone();
        // The receiver is gone when nobody waits for answers any more.
        let answer = move |answer, spent| {
            _ = back.send(EngineEvent::Answered { application: told, effect: id, answer, spent });
        };
        match effect {
            Effect::Load => {
                let loaded = self.store.as_ref().map_or_else(
                    || Ok(Box::new(Ledger { next_id: 1, ..Ledger::default() })),
                    |store| store.load("acme", application).map(Box::new),
                );
                let loaded = loaded.map_err(|error| StoreFailure(error.to_string().into()));
                answer(Answer::Loaded(loaded), Spent::default());
            }
            Effect::Record(changes) => {
                let Some(store) = &self.store else { return answer(Answer::Recorded(Ok(())), Spent::default()) };
                store.record("acme", application, Timestamp::now(), changes, move |done| {
                    let done = done.map(|_| ()).map_err(|error| StoreFailure(error.to_string().into()));
                    answer(Answer::Recorded(done), Spent::default());
                });
            }
            effect => {
                let target = Arc::clone(&self.target);
                tokio::spawn(async move {
                    let (said, spent) = ask(&target, effect).await;
                    answer(said, spent);
                });
            }
        }
    }
}

async fn ask(target: &AnyTarget, effect: Effect) -> (Answer, Spent) {
    match effect {
        Effect::Probe(..) => {
            let (profile, spent) = target.probe().await;
            (Answer::Probed(profile.map(Box::new)), spent)
        }
        Effect::Observe { kind, page } => {
            let (page, spent) = target.observe(kind, page.as_ref()).await;
            (Answer::Page(page), spent)
        }
        Effect::Find(key) => {
            let (found, spent) = target.find(&key).await;
            (Answer::Found(found), spent)
        }
        Effect::Read(id) => {
            let (read, spent) = target.read(&id).await;
            (Answer::Read(read), spent)
        }
        Effect::Changes(from) => {
            let (changes, spent) = target.changes(&from).await;
            (Answer::Changes(changes), spent)
        }
        Effect::Apply(steps) => {
            let (applied, spent) = target.apply(&steps).await;
            (Answer::Applied(applied), spent)
        }
        Effect::Load | Effect::Record(_) => unreachable!("of the store"),
    }
}
