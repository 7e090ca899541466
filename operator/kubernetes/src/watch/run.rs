//! One domain of the watch, a namespace or all of them: wait until it stands, list, follow, stop, again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use kube::Client;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use provost_core::engine::EngineEvent;
use provost_core::model::ObjectKind;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};
use tracing::{debug, info, warn};

use super::Watched;
use super::backoff::Backoff;
use super::collect::Collector;
use super::standing::{self, Standing};
use super::stream::{self, Failure};
use crate::finalizer::Finalizers;
use crate::health::Readiness;
use crate::manifest;

/// How often a namespace that is being deleted is looked at, to let go of what is left in it.
const LET_GO_EVERY: Duration = Duration::from_secs(1);
/// How often it is asked whether namespaces with nothing left in them are there: of those that are deleted no event tells.
const ASK_FOR_EMPTY: Duration = Duration::from_mins(1);

pub(super) struct Domain {
    client: Client,
    /// `None`: all.
    namespace: Option<Arc<str>>,
    finalizers: Finalizers,
    readiness: Readiness,
    part: String,
    out: mpsc::Sender<Watched>,
    /// The uids of the CRDs that the present lists rest on.
    crds: Vec<String>,
    /// Namespaces that were delivered or halted, with the uid they had.
    known: BTreeMap<Arc<str>, String>,
    /// The ones that were, or whose CRDs were, deleted: what is made anew under their names is waited for. Of a namespace that
    /// is gone its name stays here, and nothing else anywhere.
    restored: BTreeSet<Arc<str>>,
    /// Namespaces that are being deleted and may still have our finalizers in them, or are gone and not forgotten yet.
    going: BTreeSet<Arc<str>>,
}

/// Why the lists must be made anew.
enum Stop {
    /// Nothing is known any more: everybody halts.
    Halt(String),
    /// Only to see all of a namespace again.
    Relist,
    /// Nobody listens.
    Closed,
}

impl Domain {
    pub(super) fn new(
        client: Client,
        namespace: Option<Arc<str>>,
        finalizers: Finalizers,
        readiness: Readiness,
        out: mpsc::Sender<Watched>,
    ) -> Self {
        let part = namespace.as_ref().map_or_else(|| "watch".to_owned(), |name| format!("watch/{name}"));
        Self {
            client,
            namespace,
            finalizers,
            readiness,
            part,
            out,
            crds: Vec::new(),
            known: BTreeMap::new(),
            restored: BTreeSet::new(),
            going: BTreeSet::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            self.wait_until_it_stands().await;
            self.readiness.waits(&self.part, "the first complete lists of all four kinds");
            match self.follow().await {
                Stop::Closed => return,
                Stop::Relist => debug!(watch = self.part, "listing again"),
                Stop::Halt(reason) => {
                    self.halt_all(&reason).await;
                    tokio::time::sleep(backoff.wait()).await;
                }
            }
        }
    }

    /// Returns once the CRDs are there and, where one namespace is watched, it is. Until then everybody halts, and
    /// what is being deleted is let go of.
    async fn wait_until_it_stands(&mut self) {
        let mut backoff = Backoff::new();
        let mut said = String::new();
        loop {
            let reason = match self.stands().await {
                Ok(None) => return,
                Ok(Some(reason)) => reason,
                Err(error) => error.to_string(),
            };
            if reason != said {
                self.halt_all(&reason).await;
                said.clone_from(&reason);
            }
            self.let_go().await;
            tokio::time::sleep(backoff.wait()).await;
        }
    }

    /// `None` if it stands, else what does not.
    async fn stands(&mut self) -> Result<Option<String>, crate::client::CallError> {
        let crds = match standing::crds(&self.client).await? {
            Ok(uids) => uids,
            Err((name, standing)) => {
                // Whichever of the four is missed first: our finalizers hold back the applications' own.
                if standing::applications_go(&self.client).await? {
                    self.going.extend(self.known.keys().chain(&self.namespace).cloned());
                    if self.namespace.is_none() {
                        // After a restart nothing is known.
                        self.going.extend(self.finalizers.namespaces().await?);
                    }
                }
                return Ok(Some(if standing == Standing::Going {
                    format!("the CRD {name} is being deleted; nothing is removed at the targets")
                } else {
                    format!("the CRD {name} is not installed; install the chart provost-crds")
                }));
            }
        };
        if !self.crds.is_empty() && self.crds != crds {
            info!(watch = self.part, "a CRD was made anew");
            self.restored.extend(self.known.keys().cloned());
        }
        self.crds = crds;
        let Some(name) = self.namespace.clone() else { return Ok(None) };
        let mut found = standing::namespaces(&self.client, std::slice::from_ref(&name), false).await?;
        Ok(match found.remove(&name) {
            Some(Standing::Here(uid)) => {
                self.meet(&name, &uid);
                None
            }
            Some(Standing::Going) => {
                self.going.insert(Arc::clone(&name));
                Some(format!("the namespace {name} is being deleted; nothing is removed at the targets"))
            }
            _ => Some(format!("the namespace {name} does not exist")),
        })
    }

    /// Remembers a namespace. `true`: it is another one than the one that was known by this name.
    fn meet(&mut self, name: &Arc<str>, uid: &str) -> bool {
        self.going.remove(name);
        let before = self.known.insert(Arc::clone(name), uid.to_owned());
        let anew = before.is_some_and(|before| before != uid);
        if anew {
            self.restored.insert(Arc::clone(name));
        }
        anew
    }

    async fn halt_all(&self, reason: &str) {
        warn!(watch = self.part, reason, "nothing is written until everything was listed again");
        self.readiness.waits(&self.part, reason);
        let reason: Arc<str> = reason.into();
        for name in self.known.keys().chain(self.namespace.as_ref().filter(|name| !self.known.contains_key(*name))) {
            let _ = self.out.send((Arc::clone(name), Some(EngineEvent::Halted(Arc::clone(&reason))))).await;
        }
    }

    async fn let_go(&mut self) {
        for name in self.going.clone() {
            if let Err(error) = self.finalizers.let_go(&name).await {
                debug!(namespace = &*name, %error, "not let go yet");
            }
        }
    }

    /// Lists and follows until something stops it.
    async fn follow(&mut self) -> Stop {
        let mut streams = stream::open(&self.client, self.namespace.as_ref());
        let expected = self.known.keys().map(|name| (Arc::clone(name), self.restored.contains(name)));
        let mut seen = Collector::new(expected.collect::<Vec<_>>());
        let mut look = tokio::time::interval(LET_GO_EVERY);
        let mut ask = tokio::time::interval_at(Instant::now() + ASK_FOR_EMPTY, ASK_FOR_EMPTY);
        let mut announced = false;
        loop {
            let due = seen.due();
            tokio::select! {
                () = self.out.closed() => return Stop::Closed,
                item = streams.next() => {
                    let Some((kind, item)) = item else { return Stop::Relist };
                    if let Err(stop) = self.collect(&mut seen, kind, item) {
                        return stop;
                    }
                    if !announced && seen.complete() {
                        announced = true;
                        self.readiness.ready(&self.part);
                    }
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Err(stop) = self.deliver(&mut seen).await {
                        return stop;
                    }
                }
                _ = look.tick(), if !self.going.is_empty() => {
                    self.let_go().await;
                    if let Err(stop) = self.forget_gone(&mut seen, self.going.iter().cloned().collect()).await {
                        return stop;
                    }
                }
                _ = ask.tick() => {
                    let empty = seen.empty();
                    if let Err(stop) = self.forget_gone(&mut seen, empty).await {
                        return stop;
                    }
                }
            }
        }
    }

    fn collect(
        &self,
        seen: &mut Collector,
        kind: ObjectKind,
        item: Result<Event<DynamicObject>, watcher::Error>,
    ) -> Result<(), Stop> {
        let now = Instant::now();
        match item {
            Ok(Event::Init) => seen.begin(kind),
            Ok(Event::InitApply(object)) => {
                if let Some((namespace, name, read)) = manifest::read(kind, object) {
                    seen.item(kind, namespace, name, read);
                }
            }
            Ok(Event::InitDone) => seen.end(kind, now),
            Ok(Event::Apply(object)) => {
                if let Some((namespace, name, read)) = manifest::read(kind, object)
                    && seen.applied(kind, namespace, name, read, now)
                {
                    return Err(Stop::Relist);
                }
            }
            Ok(Event::Delete(object)) => {
                if let (Some(namespace), Some(name)) = (object.metadata.namespace, object.metadata.name) {
                    seen.gone(kind, &namespace.into(), name.as_str().into(), now);
                }
            }
            Err(error) => match stream::failure(kind, error) {
                Failure::Refused(text) => return Err(Stop::Halt(format!("the list or watch was refused: {text}"))),
                Failure::Passing(text) => debug!(watch = self.part, error = text, "a watch is resumed"),
            },
        }
        Ok(())
    }

    async fn deliver(&mut self, seen: &mut Collector) -> Result<(), Stop> {
        let now = Instant::now();
        let due = seen.take(now);
        let ask: Vec<Arc<str>> = due.iter().filter(|d| d.check).map(|d| Arc::clone(&d.namespace)).collect();
        let standing = if ask.is_empty() { HashMap::new() } else { self.ask(&ask).await? };
        for delivery in due {
            let name = Arc::clone(&delivery.namespace);
            let event = match standing.get(&name) {
                None => delivery.event,
                Some(Standing::Here(uid)) => {
                    // Also where one before it was waited for already: that says nothing of this one.
                    if self.meet(&name, uid) || self.hold(seen, &name) {
                        if !seen.hold(delivery, now) {
                            // Changes of the one that is gone: only a list says what there is of the new one.
                            return Err(Stop::Relist);
                        }
                        continue;
                    }
                    delivery.event
                }
                Some(standing) => {
                    seen.halt(&name);
                    self.halted(&name, standing)
                }
            };
            if matches!(event, EngineEvent::Listed(_)) {
                info!(namespace = &*name, "listed");
                self.restored.remove(&name);
                let resources = EngineEvent::Resources(self.resources());
                self.tell(&name, Some(resources)).await?;
            }
            self.tell(&name, Some(event)).await?;
        }
        Ok(())
    }

    async fn tell(&self, name: &Arc<str>, event: Option<EngineEvent>) -> Result<(), Stop> {
        self.out.send((Arc::clone(name), event)).await.map_err(|_| Stop::Closed)
    }

    /// The uids of the CRDs without which there are no owners and no policies.
    fn resources(&self) -> Arc<str> {
        let kinds = manifest::KINDS.into_iter().zip(&self.crds);
        let kept = kinds.filter(|(kind, _)| matches!(kind, ObjectKind::Identity | ObjectKind::AccessPolicy));
        kept.map(|(_, uid)| uid.as_str()).collect::<Vec<_>>().join(" ").into()
    }

    /// A namespace that was found to be another one only now has not been waited for yet.
    fn hold(&self, seen: &Collector, name: &str) -> bool {
        !seen.restored(name) && self.restored.contains(name)
    }

    fn halted(&mut self, name: &Arc<str>, standing: &Standing) -> EngineEvent {
        self.known.entry(Arc::clone(name)).or_default();
        self.going.insert(Arc::clone(name));
        let reason = if *standing == Standing::Going {
            format!("the namespace {name} is being deleted; nothing is removed at the targets")
        } else {
            format!("the namespace {name} does not exist any more; nothing is removed at the targets")
        };
        warn!(namespace = &**name, reason, "nothing is written");
        EngineEvent::Halted(reason.into())
    }

    /// How these namespaces stand. Asks until there is an answer: meanwhile nothing is delivered.
    async fn ask(&mut self, names: &[Arc<str>]) -> Result<HashMap<Arc<str>, Standing>, Stop> {
        let mut backoff = Backoff::new();
        loop {
            let error = match standing::crds(&self.client).await {
                Ok(Ok(uids)) if uids == self.crds => {
                    match standing::namespaces(&self.client, names, self.namespace.is_none()).await {
                        Ok(standing) => return Ok(standing),
                        Err(error) => error,
                    }
                }
                Ok(Ok(_)) => return Err(Stop::Halt("a CRD was deleted and made anew".to_owned())),
                Ok(Err((name, _))) => {
                    return Err(Stop::Halt(format!(
                        "the CRD {name} is being deleted or was; nothing is removed at the targets"
                    )));
                }
                Err(error) => error,
            };
            warn!(watch = self.part, %error, "deletions wait until the CRDs and the namespace could be looked at");
            tokio::time::sleep(backoff.wait()).await;
        }
    }

    /// Drops those of these that are gone, with all that is kept for them: where the API server says that there is no such
    /// namespace, and by complete lists nothing is left in it.
    async fn forget_gone(&mut self, seen: &mut Collector, names: Vec<Arc<str>>) -> Result<(), Stop> {
        let asked = standing::namespaces(&self.client, &names, self.namespace.is_none()).await;
        let Ok(standing) = asked else { return Ok(()) };
        for name in names {
            match standing.get(&name) {
                // It was made anew, and what is in it may have come by a list: no event will tell.
                Some(Standing::Here(_)) if seen.halted(&name) == Some(true) => return Err(Stop::Relist),
                Some(Standing::Here(_)) => {
                    self.going.remove(&name);
                }
                Some(Standing::Gone) => {
                    if seen.halted(&name) == Some(false) {
                        seen.halt(&name);
                        let event = self.halted(&name, &Standing::Gone);
                        self.tell(&name, Some(event)).await?;
                    }
                    if seen.forget(&name) {
                        info!(namespace = &*name, "the namespace is gone; what was kept for it is let go of");
                        self.going.remove(&name);
                        self.known.remove(&name);
                        self.restored.insert(Arc::clone(&name));
                        self.tell(&name, None).await?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
