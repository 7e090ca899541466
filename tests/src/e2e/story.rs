use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::manifest::{group, object};
use crate::oracle::Rule;
use crate::simulation::Random;

const DEPARTMENTS: [&str; 3] = ["Engineering", "Finance", "Sales"];

/// The first ones are the managers of the others.
const MANAGERS: usize = 10;

/// How many seconds a date is away at most.
const SOON: u64 = 6;

/// A company at random: people, groups and policies, and what becomes of them.
#[derive(Debug)]
pub struct Story {
    random: Random,
    /// Specs of Identities, by name.
    people: BTreeMap<String, Value>,
    /// Those whose Identity was deleted.
    gone: BTreeMap<String, Value>,
    /// Ended ones who are back under another name.
    replaced: BTreeSet<String>,
    /// Whom nobody edits any more in this wave.
    edited: BTreeSet<String>,
    on_call: BTreeMap<String, Option<Timestamp>>,
    visit: (Option<Timestamp>, Option<Timestamp>),
    /// The keys of those whose account may be deleted: they ended, were deleted or became guests at some time.
    pub may_be_deleted: BTreeSet<String>,
    /// How often each thing happened.
    pub happened: BTreeMap<&'static str, usize>,
    /// The last date that anything waits for.
    pub last: Timestamp,
    /// When it began.
    pub began: Instant,
}

/// What one wave brings.
#[derive(Clone, Debug, Default)]
pub struct Wave {
    /// To be applied.
    pub manifests: Vec<Value>,
    /// Identities to be deleted.
    pub deleted: Vec<String>,
}

type Edit = fn(&mut Story) -> Option<()>;

/// In a wave, each so often.
const EDITS: [(&str, usize, Edit); 17] = [
    ("joins", 4, |story| story.join(&json!({}))),
    ("joins soon", 3, |story| story.joins_soon()),
    ("joins within the lead time", 2, |story| story.join(&json!({"startTime": in_days(0)}))),
    ("joins much later", 1, |story| story.join(&json!({"startTime": in_days(30)}))),
    ("moves", 6, |story| story.moves()),
    ("is renamed", 5, |story| story.is_renamed()),
    ("gets another address", 3, |story| story.gets_another_address()),
    ("becomes a guest", 3, |story| story.changes(|spec| spec["title"] != "Guest", "title", &json!("Guest"))),
    ("is a guest no longer", 2, |story| story.changes(|spec| spec["title"] == "Guest", "title", &json!("Analyst"))),
    ("is suspended", 4, |story| story.changes(is_active, "lifecycle", &json!({"suspended": true}))),
    ("is back from leave", 3, |story| story.changes(|s| s["lifecycle"]["suspended"] == true, "lifecycle", &json!({}))),
    ("ends", 4, |story| story.changes(is_active, "lifecycle", &json!({"endTime": "2020-01-01T00:00:00Z"}))),
    ("ends soon", 4, |story| story.ends_soon()),
    ("is deleted", 4, |story| story.is_deleted()),
    ("is re-hired", 3, |story| story.is_rehired()),
    ("is there again", 2, |story| story.is_there_again()),
    ("is re-hired under another name", 2, |story| story.is_rehired_under_another_name()),
];

fn is_active(spec: &Value) -> bool {
    spec["lifecycle"].as_object().is_none_or(serde_json::Map::is_empty)
}

/// Without an empty `lifecycle`: server-side apply makes a null of one that had something before.
fn manifest(name: &str, spec: &Value) -> Value {
    let mut spec = spec.clone();
    if spec["lifecycle"] == json!({}) {
        spec.as_object_mut().expect("a spec").remove("lifecycle");
    }
    object("Identity", name, &spec)
}

/// Half an hour more than these, so that it never comes while this runs.
fn in_days(days: i64) -> String {
    after(SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(30)).to_string()
}

fn after(wait: SignedDuration) -> Timestamp {
    Timestamp::from_second((Timestamp::now() + wait).as_second()).expect("a time of now")
}

impl Story {
    /// A beginning with so many people.
    pub fn new(seed: u64, people: usize) -> Self {
        let mut story = Self {
            random: Random::new(seed),
            people: BTreeMap::new(),
            gone: BTreeMap::new(),
            replaced: BTreeSet::new(),
            edited: BTreeSet::new(),
            on_call: BTreeMap::new(),
            visit: (None, None),
            may_be_deleted: BTreeSet::new(),
            happened: BTreeMap::new(),
            last: Timestamp::now(),
            began: Instant::now(),
        };
        while story.people.len() < people {
            story.join(&json!({}));
        }
        story
    }

    /// From 0 up to, not including, this.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).expect("it is small")
    }

    /// How many there have been.
    pub fn ever(&self) -> usize {
        self.people.len() + self.gone.len()
    }

    /// Who is declared.
    pub fn declared(&self) -> BTreeSet<String> {
        self.people.keys().cloned().collect()
    }

    /// The rules that groups and policies of a story have.
    pub fn rules() -> Vec<Rule> {
        let departments = DEPARTMENTS.map(Rule::Department);
        let others = [Rule::TitleIsNot("Guest"), Rule::ManagerIn("Engineering"), Rule::NotIn("on-call".into())];
        departments.into_iter().chain(others).collect()
    }

    /// All as manifests; the applications are `chat` with `tech`, and `wiki` with `editor` and `reader`.
    pub fn all(&mut self) -> Wave {
        self.rota();
        let departments =
            DEPARTMENTS.map(|d| group(&d.to_lowercase(), &json!({"match": Rule::Department(d).source()})));
        let of = |name: &str| json!({"kind": "Group", "name": name});
        let policy = |name: &str, spec: Value| object("AccessPolicy", name, &spec);
        let wiki = |entitlement: &str| json!({"application": "wiki", "entitlements": [entitlement]});
        let mut manifests = departments.to_vec();
        manifests.extend([
            group("tech", &json!({"members": [of("engineering"), of("on-call")], "exclude": [of("finance")]})),
            policy(
                "everyone",
                json!({"match": Rule::TitleIsNot("Guest").source(), "leadTime": "1h", "grants": [{"application": "chat"}]}),
            ),
            policy(
                "tech",
                json!({
                    "subjects": [of("tech")],
                    "grants": [{"application": "chat", "entitlements": ["tech"]}, wiki("editor")],
                }),
            ),
            policy(
                "sales",
                json!({
                    "subjects": [of("sales")], "match": Rule::NotIn("on-call".into()).source(), "grants": [wiki("reader")],
                }),
            ),
            policy("led", json!({"match": Rule::ManagerIn("Engineering").source(), "grants": [wiki("reader")]})),
            policy("finance-edits-nothing", json!({"effect": "Deny", "subjects": [of("finance")], "grants": [wiki("editor")]})),
        ]);
        manifests.extend([self.on_call(), self.visitors()]);
        manifests.extend(self.people.iter().map(|(name, spec)| manifest(name, spec)));
        Wave { manifests, deleted: Vec::new() }
    }

    /// Goes on: so many joiners, movers, leavers and re-hires, another rota, another window.
    pub fn go_on(&mut self) -> Wave {
        self.edited.clear();
        for (what, times, edit) in EDITS {
            for _ in 0..times {
                if edit(self).is_some() {
                    *self.happened.entry(what).or_default() += 1;
                }
            }
        }
        self.rota();
        let mut wave = Wave { manifests: vec![self.on_call(), self.visitors()], deleted: Vec::new() };
        for name in &self.edited {
            match self.people.get(name) {
                Some(spec) => wave.manifests.push(manifest(name, spec)),
                None => wave.deleted.push(name.clone()),
            }
        }
        wave
    }

    /// A second within the next ones, and it is remembered.
    fn soon(&mut self) -> Timestamp {
        let wait = Duration::from_secs(2 + self.random.below(SOON - 1));
        let at = after(SignedDuration::try_from(wait).expect("some seconds"));
        self.last = self.last.max(at);
        at
    }

    /// One of those who were not edited in this wave and of whom this is so.
    fn pick(&mut self, so: impl Fn(&Value) -> bool) -> Option<String> {
        let free = |name: &String| !self.edited.contains(name) && !self.replaced.contains(name);
        let names: Vec<String> =
            self.people.iter().filter(|(name, spec)| free(name) && so(spec)).map(|(name, _)| name.clone()).collect();
        let name = self.random.pick(&names)?.clone();
        self.edited.insert(name.clone());
        Some(name)
    }

    fn may_lose(&mut self, spec: &Value) {
        self.may_be_deleted.insert(spec["externalId"].as_str().unwrap_or_default().to_owned());
    }

    fn changes(&mut self, so: fn(&Value) -> bool, field: &str, to: &Value) -> Option<()> {
        let name = self.pick(so)?;
        let spec = self.people.get_mut(&name)?;
        spec[field] = to.clone();
        if to == "Guest" || to["endTime"].is_string() {
            let spec = spec.clone();
            self.may_lose(&spec);
        }
        Some(())
    }

    fn join(&mut self, lifecycle: &Value) -> Option<()> {
        let name = format!("person-{:03}", self.ever());
        let department = DEPARTMENTS[self.below(DEPARTMENTS.len())];
        let mut spec = json!({
            "externalId": format!("E-{name}"), "userName": name, "displayName": name, "title": "Analyst",
            "department": department, "emails": [{"value": format!("{name}@acme.test"), "type": "work", "primary": true}],
            "lifecycle": lifecycle,
        });
        if self.people.len() > MANAGERS && self.random.chance(40) {
            spec["managerRef"] = json!({"name": format!("person-{:03}", self.below(MANAGERS))});
        }
        self.edited.insert(name.clone());
        self.people.insert(name, spec).is_none().then_some(())
    }

    fn joins_soon(&mut self) -> Option<()> {
        let start = self.soon();
        self.join(&json!({"startTime": start.to_string()}))
    }

    fn moves(&mut self) -> Option<()> {
        let department = DEPARTMENTS[self.below(DEPARTMENTS.len())];
        let name = self.pick(|spec| spec["department"] != department)?;
        self.people.get_mut(&name)?["department"] = json!(department);
        Some(())
    }

    fn is_renamed(&mut self) -> Option<()> {
        let serial = self.happened.get("is renamed").copied().unwrap_or_default();
        let name = self.pick(|spec| spec["lifecycle"]["endTime"].is_null())?;
        let spec = self.people.get_mut(&name)?;
        let user_name = format!("{name}-r{serial}");
        spec["emails"][0]["value"] = json!(format!("{user_name}@acme.test"));
        spec["userName"] = json!(user_name);
        Some(())
    }

    fn gets_another_address(&mut self) -> Option<()> {
        let serial = self.below(1000);
        let name = self.pick(is_active)?;
        self.people.get_mut(&name)?["emails"][0]["value"] = json!(format!("{name}.{serial}@acme.test"));
        Some(())
    }

    fn ends_soon(&mut self) -> Option<()> {
        let end = json!({"endTime": self.soon().to_string()});
        self.changes(is_active, "lifecycle", &end)
    }

    fn is_deleted(&mut self) -> Option<()> {
        let name = self.pick(is_active)?;
        let spec = self.people.remove(&name)?;
        self.may_lose(&spec);
        self.gone.insert(name, spec);
        Some(())
    }

    /// The end is taken back.
    fn is_rehired(&mut self) -> Option<()> {
        self.changes(|spec| spec["lifecycle"]["endTime"].is_string(), "lifecycle", &json!({}))
    }

    fn pick_gone(&mut self) -> Option<(String, Value)> {
        let names: Vec<String> = self.gone.keys().filter(|name| !self.edited.contains(*name)).cloned().collect();
        let name = self.random.pick(&names)?.clone();
        let spec = self.gone.remove(&name)?;
        Some((name, spec))
    }

    /// The Identity that was deleted is made anew.
    fn is_there_again(&mut self) -> Option<()> {
        let (name, spec) = self.pick_gone()?;
        self.edited.insert(name.clone());
        self.people.insert(name, spec);
        Some(())
    }

    /// Another Identity with the key of one who has ended, or was deleted.
    fn is_rehired_under_another_name(&mut self) -> Option<()> {
        let (old, mut spec) = if self.random.chance(50) {
            self.pick_gone()?
        } else {
            let old = self.pick(|spec| spec["lifecycle"]["endTime"] == "2020-01-01T00:00:00Z")?;
            self.replaced.insert(old.clone());
            let spec = self.people.get(&old)?.clone();
            (old, spec)
        };
        let name = format!("{old}-again");
        spec["lifecycle"] = json!({});
        spec["userName"] = json!(name);
        self.edited.insert(name.clone());
        self.people.insert(name, spec);
        Some(())
    }

    /// Who is on call: some more, some no longer, some for seconds.
    fn rota(&mut self) {
        for _ in 0..6 {
            let name = format!("person-{:03}", self.random.below(self.ever() as u64));
            let until = self.random.chance(30).then(|| self.soon());
            if self.on_call.remove(&name).is_none() {
                self.on_call.insert(name, until);
            }
        }
        let (window, at) = (self.below(3), self.soon());
        self.visit = match window {
            0 => (None, None),
            1 => (Some(at), None),
            _ => (None, Some(at)),
        };
    }

    fn on_call(&self) -> Value {
        let member = |(name, until): (&String, &Option<Timestamp>)| {
            let mut member = json!({"kind": "Identity", "name": name});
            if let Some(until) = until {
                member["notAfter"] = json!(until.to_string());
            }
            member
        };
        group("on-call", &json!({"members": self.on_call.iter().map(member).collect::<Vec<_>>()}))
    }

    /// Finance reads the wiki, from or until a moment.
    fn visitors(&self) -> Value {
        let mut spec = json!({
            "subjects": [{"kind": "Group", "name": "finance"}],
            "grants": [{"application": "wiki", "entitlements": ["reader"]}],
        });
        let (from, until) = self.visit;
        if let Some(from) = from {
            spec["notBefore"] = json!(from.to_string());
        }
        if let Some(until) = until {
            spec["notAfter"] = json!(until.to_string());
        }
        object("AccessPolicy", "visitors", &spec)
    }
}
