//! The simulation's model of the API server, compared with a real one: the same random requests go to both, and both must
//! answer and show the same. `PROVOST_SEED=n` replays one seed.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they ask"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
    WatchEvent, WatchParams,
};
use provost_core::engine::StatusUpdate;
use provost_core::model::{ObjectKind, ObjectRef, Uid};
use provost_crds::FINALIZER;
use provost_kubernetes::client;
use provost_kubernetes::finalizer::Finalizers;
use provost_kubernetes::lease::Leadership;
use provost_kubernetes::status::{StatusWriter, Written};
use serde_json::{Value, json};
use tests::cluster::{Cluster, Options, eventually};
use tests::seeds::{kept, number};
use tests::simulation::Random;
use tests::simulation::api::{Api as Model, Object, Refused, What};

const KINDS: [ObjectKind; 2] = [ObjectKind::Identity, ObjectKind::TargetApplication];
const NAMES: [&str; 3] = ["ada", "bob", "cyn"];
const OTHERS: &str = "example.org/other";
const SEEDS: u64 = 6;
/// Requests before the API server is started anew, and after.
const REQUESTS: u64 = 60;

/// What both show of an object.
#[derive(Clone, Debug, PartialEq)]
struct Shape {
    name: String,
    uid: u64,
    generation: i64,
    deleting: bool,
    finalizers: Vec<String>,
    spec: String,
    status: Option<i64>,
}

/// One seed: both servers, and how what they number differently belongs together.
struct Pair {
    seed: u64,
    random: Random,
    namespace: String,
    client: kube::Client,
    model: Model<String>,
    /// The real uids, in the order in which they were first seen.
    uids: Vec<String>,
    /// The real resourceVersion of each of the model's.
    versions: BTreeMap<u64, u64>,
    /// Where a watch may begin: the model's version, and the real one.
    starts: Vec<(u64, u64)>,
    serial: u64,
    counts: BTreeMap<&'static str, u64>,
}

fn resource(kind: ObjectKind) -> ApiResource {
    match kind {
        ObjectKind::Identity => ApiResource::erase::<provost_crds::Identity>(&()),
        _ => ApiResource::erase::<provost_crds::TargetApplication>(&()),
    }
}

/// A spec that differs from others by one word.
fn spec(kind: ObjectKind, word: &str) -> Value {
    if kind == ObjectKind::Identity {
        return json!({"userName": word});
    }
    let auth = json!({"bearer": {"secretRef": {"name": "s", "key": "t"}}});
    json!({"connector": {"scim": {"url": format!("https://{word}.acme.test"), "auth": auth}}})
}

fn word(data: &Value) -> String {
    if let Some(word) = data.pointer("/spec/userName") {
        return word.as_str().unwrap().to_owned();
    }
    let url = data.pointer("/spec/connector/scim/url").unwrap().as_str().unwrap();
    url.trim_start_matches("https://").trim_end_matches(".acme.test").to_owned()
}

fn refused(error: &kube::Error) -> Refused {
    let kube::Error::Api(status) = error else { panic!("{error}") };
    match (status.code, status.reason.as_str()) {
        (404, _) => Refused::Missing,
        (409, "AlreadyExists") => Refused::Exists,
        (409, _) => Refused::Conflict,
        (422, _) => Refused::Invalid,
        (410, _) => Refused::Expired,
        other => panic!("{other:?}: {status:?}"),
    }
}

fn version(object: &DynamicObject) -> u64 {
    object.metadata.resource_version.as_deref().unwrap().parse().unwrap()
}

/// As the model shows it.
fn modelled(key: &ObjectRef, object: &Object<String>) -> Shape {
    Shape {
        name: key.name.to_string(),
        uid: object.uid,
        generation: object.generation,
        deleting: object.deleting,
        finalizers: object.finalizers.clone(),
        spec: object.spec.clone(),
        // Until one is told, the API server shows the one that the schema names.
        status: Some(object.status.as_ref().map_or(-1, |status| status["observedGeneration"].as_i64().unwrap())),
    }
}

impl Pair {
    async fn new(cluster: &Cluster, seed: u64) -> Self {
        let namespace = format!("model-{seed}");
        cluster.namespace(&namespace);
        cluster.namespace(&format!("{namespace}-other"));
        Self {
            seed,
            random: Random::new(seed ^ 0x5eed),
            namespace,
            client: client::connect(Some(cluster.kubeconfig()), None).await.unwrap(),
            model: Model::default(),
            uids: Vec::new(),
            versions: BTreeMap::new(),
            starts: Vec::new(),
            serial: 0,
            counts: BTreeMap::new(),
        }
    }

    fn api(&self, kind: ObjectKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// As the real one shows it. A uid that was never seen is the next one.
    fn shown(&mut self, object: &DynamicObject) -> Shape {
        let meta = &object.metadata;
        let uid = meta.uid.clone().unwrap();
        let place = self.uids.iter().position(|known| *known == uid).unwrap_or_else(|| {
            self.uids.push(uid);
            self.uids.len() - 1
        });
        Shape {
            name: meta.name.clone().unwrap(),
            uid: place as u64 + 1,
            generation: meta.generation.unwrap(),
            deleting: meta.deletion_timestamp.is_some(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            spec: word(&object.data),
            status: object.data.pointer("/status/observedGeneration").and_then(Value::as_i64),
        }
    }

    /// The same version on both sides: each of the model's is one of the real ones, in the same order.
    fn same_version(&mut self, model: u64, real: u64) {
        let known = self.versions.insert(model, real);
        assert!(known.is_none_or(|known| known == real), "seed {}: {model} was {known:?} and is {real}", self.seed);
        let before = self.versions.range(..model).next_back();
        let after = self.versions.range(model + 1..).next();
        let ordered = before.is_none_or(|(_, v)| *v < real) && after.is_none_or(|(_, v)| *v > real);
        assert!(ordered, "seed {}: {before:?} ({model}, {real}) {after:?}", self.seed);
        if known.is_none() {
            self.starts.push((model, real));
        }
    }

    /// One request to both, and what is there afterwards.
    async fn request(&mut self) {
        let what = self.random.below(16);
        // Of the two, ours is on applications alone.
        let kind = if what == 9 { KINDS[1] } else { *self.random.pick(&KINDS).unwrap() };
        let name = *self.random.pick(&NAMES).unwrap();
        let key = ObjectRef { kind, name: name.into() };
        self.serial += 1;
        let before = self.model.get(&key).cloned();
        let (asked, model, real) = match what {
            0..=3 => self.create(&key).await,
            4 => self.replace(&key, before.as_ref()).await,
            5 | 6 => self.patch(&key).await,
            7 | 8 => self.status(&key, before.as_ref()).await,
            9 => self.ours(&key, before.as_ref()).await,
            10 => self.others(&key).await,
            11..=13 => self.delete(&key, before.as_ref()).await,
            14 => return self.list(kind).await,
            _ => return self.watch(kind).await,
        };
        println!("{}: {asked} {key:?}: {model:?}", self.serial);
        assert_eq!(model, real, "seed {}, request {}: {asked} {key:?} on {before:?}", self.seed, self.serial);
        let answer = model.map_or_else(|refused| format!("{refused:?}"), |()| "done".to_owned());
        *self.counts.entry(asked).or_default() += 1;
        let real = self.api(kind).get_opt(name).await.unwrap();
        let shape = real.as_ref().map(|object| self.shown(object));
        let model = self.model.get(&key).cloned();
        let expected = model.as_ref().map(|object| modelled(&key, object));
        assert_eq!(expected, shape, "seed {}: after {asked} of {key:?}: {answer}", self.seed);
        if let (Some(model), Some(real)) = (&model, &real) {
            self.same_version(model.version, version(real));
        }
    }

    async fn create(&mut self, key: &ObjectRef) -> (&'static str, Result<(), Refused>, Result<(), Refused>) {
        let word = format!("w{}", self.serial);
        let finalizers = if self.random.chance(40) { vec![OTHERS.to_owned()] } else { Vec::new() };
        let mut object = DynamicObject::new(key.name.as_str(), &resource(key.kind));
        object.metadata.finalizers = Some(finalizers.clone());
        object.data = json!({"spec": spec(key.kind, &word)});
        let model = self.model.create(key, word, finalizers, Timestamp::now()).map(|_| ());
        let real = self.api(key.kind).create(&PostParams::default(), &object).await;
        if self.random.chance(20) {
            // The same in another namespace: nobody who looks at this one sees it.
            let other = Api::<DynamicObject>::namespaced_with(
                self.client.clone(),
                &format!("{}-other", self.namespace),
                &resource(key.kind),
            );
            let _ = other.create(&PostParams::default(), &object).await;
        }
        ("create", model, real.map(|_| ()).map_err(|error| refused(&error)))
    }

    /// PUT of what was read, or of what was read some time ago.
    async fn replace(
        &mut self,
        key: &ObjectRef,
        before: Option<&Object<String>>,
    ) -> (&'static str, Result<(), Refused>, Result<(), Refused>) {
        let word = if self.random.chance(20) { None } else { Some(format!("w{}", self.serial)) };
        let Some(mut object) = self.api(key.kind).get_opt(key.name.as_str()).await.unwrap() else {
            let missing = self.model.edit(key, Some(1), String::new()).map(|_| ());
            return ("replace what is missing", missing, Err(Refused::Missing));
        };
        let before = before.expect("the model has it too");
        let mut meant = before.version;
        if self.random.chance(40) {
            let known: Vec<u64> = self.versions.keys().copied().collect();
            meant = *self.random.pick(&known).unwrap();
        }
        let word = word.unwrap_or_else(|| before.spec.clone());
        object.data["spec"] = spec(key.kind, &word);
        object.metadata.resource_version = Some(self.versions[&meant].to_string());
        let real = self.api(key.kind).replace(key.name.as_str(), &PostParams::default(), &object).await;
        let model = self.model.edit(key, Some(meant), word).map(|_| ());
        ("replace", model, real.map(|_| ()).map_err(|error| refused(&error)))
    }

    async fn patch(&mut self, key: &ObjectRef) -> (&'static str, Result<(), Refused>, Result<(), Refused>) {
        // Few words, so that some edits change nothing.
        let word = format!("w{}", self.random.below(3));
        let patch = Patch::Merge(json!({"spec": spec(key.kind, &word)}));
        let real = self.api(key.kind).patch(key.name.as_str(), &PatchParams::default(), &patch).await;
        let model = self.model.edit(key, None, word).map(|_| ());
        ("edit", model, real.map(|_| ()).map_err(|error| refused(&error)))
    }

    /// As the operator writes statuses.
    async fn status(
        &mut self,
        key: &ObjectRef,
        before: Option<&Object<String>>,
    ) -> (&'static str, Result<(), Refused>, Result<(), Refused>) {
        let status = json!({"observedGeneration": self.random.below(3)});
        let uid = before.map_or("none", |before| &self.uids[usize::try_from(before.uid - 1).unwrap()]);
        let update = StatusUpdate { object: key.clone(), uid: Uid::new(uid), status: status.clone() };
        let writer = StatusWriter::new(self.client.clone(), Leadership::always());
        let real = match writer.slot().await.write(&self.namespace, &update).await {
            Written::Done => Ok(()),
            Written::Gone => Err(Refused::Missing),
            Written::Failed(error) => panic!("{error}"),
        };
        ("status", self.model.tell(key, status).map(|_| ()), real)
    }

    /// As the operator sets its finalizer, on this object or on one that had the name before.
    async fn ours(
        &mut self,
        key: &ObjectRef,
        before: Option<&Object<String>>,
    ) -> (&'static str, Result<(), Refused>, Result<(), Refused>) {
        let (on, other) = (self.random.chance(60), self.random.chance(20));
        let known = before.filter(|_| !other).map(|before| &self.uids[usize::try_from(before.uid - 1).unwrap()]);
        let meant = known.cloned().unwrap_or_else(|| "another".to_owned());
        let finalizers = Finalizers::new(self.client.clone(), Leadership::always());
        let set = finalizers.set(&self.namespace, key.name.as_str(), &Uid::new(&meant), on).await;
        if let Some(before) = before.filter(|before| !(other || on && before.deleting)) {
            let mut after = before.finalizers.clone();
            after.retain(|one| one != FINALIZER || on);
            if on && !after.iter().any(|one| one == FINALIZER) {
                after.push(FINALIZER.to_owned());
            }
            // Nothing is asked where nothing is to be changed.
            if after != before.finalizers {
                self.model.finalizers(key, after).unwrap();
            }
        }
        ("finalizer", Ok(()), set.map_err(|error| panic!("{error}")))
    }

    /// Others' finalizer, put on or taken off.
    async fn others(&mut self, key: &ObjectRef) -> (&'static str, Result<(), Refused>, Result<(), Refused>) {
        let on = self.random.chance(40);
        let mut after = self.model.get(key).map(|object| object.finalizers.clone()).unwrap_or_default();
        after.retain(|one| one != OTHERS);
        if on {
            after.push(OTHERS.to_owned());
        }
        // An empty list is another object than none, and so another version: what is the same is asked for as it is.
        let there = self.api(key.kind).get_opt(key.name.as_str()).await.unwrap();
        let there = there.and_then(|object| object.metadata.finalizers);
        let asked = if there.clone().unwrap_or_default() == after { json!(there) } else { json!(after) };
        let patch = Patch::Merge(json!({"metadata": {"finalizers": asked}}));
        let real = self.api(key.kind).patch(key.name.as_str(), &PatchParams::default(), &patch).await;
        let model = self.model.finalizers(key, after).map(|_| ());
        ("others' finalizer", model, real.map(|_| ()).map_err(|error| refused(&error)))
    }

    /// Whatever has the name, or this very object.
    async fn delete(
        &mut self,
        key: &ObjectRef,
        before: Option<&Object<String>>,
    ) -> (&'static str, Result<(), Refused>, Result<(), Refused>) {
        let meant = match (self.random.below(4), before) {
            (0, Some(before)) => Some(before.uid),
            (1, Some(before)) => Some(if before.uid > 1 { before.uid - 1 } else { before.uid }),
            _ => None,
        };
        let uid = meant.map(|uid| self.uids[usize::try_from(uid - 1).unwrap()].clone());
        let preconditions = uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        let real = self.api(key.kind).delete(key.name.as_str(), &params).await;
        let model = self.model.delete(key, meant).map(|_| ());
        ("delete", model, real.map(|_| ()).map_err(|error| refused(&error)))
    }

    /// In pages of two, while somebody writes between them: it is what was there when it began.
    async fn list(&mut self, kind: ObjectKind) {
        let (expected, model) = self.model.list(kind);
        let mut found = Vec::new();
        let mut params = ListParams::default().limit(2);
        let mut real = 0;
        loop {
            let page = self.api(kind).list(&params).await.unwrap();
            if found.is_empty() {
                real = page.metadata.resource_version.as_deref().unwrap().parse().unwrap();
            }
            found.extend(page.items);
            let Some(more) = page.metadata.continue_.filter(|more| !more.is_empty()) else { break };
            params = params.continue_token(&more);
            self.sentinel(kind).await;
        }
        let expected: Vec<(Shape, u64)> = expected.iter().map(|(k, o)| (modelled(k, o), o.version)).collect();
        let shown: Vec<(Shape, u64)> = found.iter().map(|object| (self.shown(object), version(object))).collect();
        let shapes = |of: &[(Shape, u64)]| of.iter().map(|(shape, _)| shape.clone()).collect::<Vec<_>>();
        assert_eq!(shapes(&expected), shapes(&shown), "seed {}, list {}", self.seed, self.serial);
        for ((_, model), (_, real)) in expected.iter().zip(&shown) {
            self.same_version(*model, *real);
        }
        let latest = self.versions.range(..=model).next_back().map_or(0, |(_, latest)| *latest);
        assert!(real >= latest, "seed {}: a list of {real} after {latest}", self.seed);
        self.starts.push((model, real));
        *self.counts.entry("list").or_default() += 1;
    }

    /// An object that nobody else has: what was asked before it has been shown when it is.
    async fn sentinel(&mut self, kind: ObjectKind) -> ObjectRef {
        self.serial += 1;
        let name = format!("zz-{}", self.serial);
        let key = ObjectRef { kind, name: name.as_str().into() };
        let mut object = DynamicObject::new(&name, &resource(kind));
        object.data = json!({"spec": spec(kind, "end")});
        self.model.create(&key, "end".to_owned(), Vec::new(), Timestamp::now()).unwrap();
        let real = self.api(kind).create(&PostParams::default(), &object).await.unwrap();
        self.shown(&real);
        let model = self.model.get(&key).unwrap().version;
        self.same_version(model, version(&real));
        key
    }

    /// From where an object was once seen, or a list ended, to the present.
    async fn watch(&mut self, kind: ObjectKind) {
        // Before the last event is made: a watch that begins there has nothing to show, and waits for what does not come.
        let (from, real_from) = *self.random.pick(&self.starts).unwrap();
        let last = self.sentinel(kind).await;
        let model = self.model.watch(kind, from);
        let real = self.real_watch(kind, real_from, &last).await;
        println!("{}: watch {kind:?} from {from}: {}", self.serial, model.as_ref().map_or(0, Vec::len));
        let asked = if model.is_err() { "watch from too long ago" } else { "watch" };
        *self.counts.entry(asked).or_default() += 1;
        match (model, real) {
            (Ok(model), Ok(real)) => {
                let expected: Vec<(What, Shape)> =
                    model.iter().map(|seen| (seen.what, modelled(&seen.key, &seen.object))).collect();
                let shown: Vec<(What, Shape)> = real.iter().map(|(what, object)| (*what, self.shown(object))).collect();
                assert_eq!(expected, shown, "seed {}: a watch from {from}", self.seed);
                for (seen, (_, object)) in model.iter().zip(&real) {
                    self.same_version(seen.object.version, version(object));
                }
            }
            (Err(model), Err(real)) => assert_eq!(model, real, "seed {}: a watch from {from}", self.seed),
            (model, real) => panic!("seed {}: a watch from {from}: {model:?}, and {real:?}", self.seed),
        }
    }

    async fn real_watch(
        &self,
        kind: ObjectKind,
        from: u64,
        last: &ObjectRef,
    ) -> Result<Vec<(What, DynamicObject)>, Refused> {
        let params = WatchParams::default().timeout(60);
        let watch = self.api(kind).watch(&params, &from.to_string()).await.map_err(|error| refused(&error))?;
        let mut watch = std::pin::pin!(watch);
        let mut seen = Vec::new();
        loop {
            let event = tokio::time::timeout(Duration::from_mins(1), watch.next()).await.expect("the last event");
            let (what, object) = match event.expect("the watch goes on").expect("an event") {
                WatchEvent::Added(object) => (What::Added, object),
                WatchEvent::Modified(object) => (What::Modified, object),
                WatchEvent::Deleted(object) => (What::Deleted, object),
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(status) => return Err(refused(&kube::Error::Api(status))),
            };
            let end = object.metadata.name.as_deref() == Some(last.name.as_str());
            seen.push((what, object));
            if end {
                return Ok(seen);
            }
        }
    }

    async fn requests(&mut self) {
        println!("PROVOST_SEED={}", self.seed);
        self.list(KINDS[0]).await;
        for _ in 0..REQUESTS {
            self.request().await;
        }
        for kind in KINDS {
            self.list(kind).await;
            self.watch(kind).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_of_the_api_server_answers_and_shows_what_a_real_one_does() {
    let cluster = Cluster::start(Options::default());
    cluster.install_crds();
    let seeds: BTreeSet<u64> =
        number("PROVOST_SEED").map_or_else(|| kept().chain(0..SEEDS).collect(), |seed| [seed].into());
    let mut pairs = Vec::new();
    for seed in &seeds {
        let mut pair = Pair::new(&cluster, *seed).await;
        pair.requests().await;
        pairs.push(pair);
    }
    // Others write as well; then its history begins anew.
    cluster.namespace("noise");
    cluster.kill_api();
    cluster.start_api();
    eventually("the resources are served again", || {
        cluster.kubectl(&["get", "identities.provost.dev,targetapplications.provost.dev", "-A"]).success.then_some(())
    });
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for mut pair in pairs {
        pair.client = client::connect(Some(cluster.kubeconfig()), None).await.unwrap();
        pair.model.forget();
        pair.requests().await;
        for (asked, count) in pair.counts {
            *counts.entry(asked).or_default() += count;
        }
    }
    tests::tell(format!("the model of the API server: {} seeds, {counts:?}", seeds.len()));
    let kinds = ["create", "replace", "edit", "status", "finalizer", "others' finalizer", "delete", "list", "watch"];
    for asked in kinds.into_iter().chain(["watch from too long ago"]) {
        assert!(counts.contains_key(asked), "nothing was asked of {asked}");
    }
}
