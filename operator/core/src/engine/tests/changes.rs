//! Targets that tell what has changed: drift is seen long before the next listing, and nothing else follows from it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::membership::{object, policy};
use super::{World, identity, tell};
use crate::engine::Answer;
use crate::model::{Changes, Cursor, Item, Name, Observed, ObservedEntitlement, TargetError, TargetId};

/// How a target tells what has changed.
#[derive(Default)]
pub(super) struct Tells {
    /// It does.
    on: bool,
    /// It answers with this in place of it.
    mute: Option<TargetError>,
    /// When it was asked.
    asked: Vec<i64>,
    /// What it was when it told last.
    told: u64,
    shown: (BTreeMap<TargetId, Observed>, BTreeMap<TargetId, ObservedEntitlement>),
    /// Things that it tells at once at most, if there is a most.
    most: Option<usize>,
}

impl Tells {
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.on.then(|| Cursor(self.told.to_string().into()))
    }
}

impl World {
    /// What differs from what was told last, our own writes among it.
    pub(super) fn changes(&mut self, from: &Cursor) -> Answer {
        assert_eq!(Some(from), self.tells.cursor().as_ref(), "it goes on from where it was told last");
        self.tells.asked.push(self.second);
        if let Some(error) = self.tells.mute.clone() {
            return Answer::Changes(Err(error));
        }
        self.tells.told += 1;
        let (accounts, groups) =
            std::mem::replace(&mut self.tells.shown, (self.accounts.clone(), self.mirrors.clone()));
        let account = |(id, now)| (accounts.get(id) != Some(now)).then(|| Item::Account(Observed::clone(now)));
        let group =
            |(id, now)| (groups.get(id) != Some(now)).then(|| Item::Entitlement(ObservedEntitlement::clone(now)));
        let mut items: Vec<Item> = self.accounts.iter().filter_map(account).collect();
        items.extend(self.mirrors.iter().filter_map(group));
        let gone = accounts.keys().filter(|id| !self.accounts.contains_key(*id));
        let gone = gone.chain(groups.keys().filter(|id| !self.mirrors.contains_key(*id))).cloned().collect();
        let most = self.tells.most.unwrap_or(usize::MAX);
        let whole = items.len() <= most;
        items.truncate(most);
        Answer::Changes(Ok(Changes { items, gone, whole, next: self.tells.cursor().unwrap() }))
    }
}

fn wiki(mode: &str, generation: i64) -> Value {
    let editor = json!({"name": "editor", "target": {"group": {"name": "Editors", "create": true}}});
    let sync = json!({"concurrency": 1, "interval": "1h"});
    let spec = json!({"connector": {"fake": {}}, "mode": mode, "sync": sync, "entitlements": [editor]});
    let mut wiki = object("TargetApplication", "wiki", &spec);
    wiki["metadata"]["generation"] = json!(generation);
    wiki
}

fn ada(generation: i64, more: &Value) -> Value {
    let mut spec = json!({"department": "Science", "title": "Analyst"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    identity("ada", generation, &spec)
}

/// Ada and two more are editors, at a target that tells what has changed and is listed once an hour.
fn settled() -> World {
    let mut world = World { tells: Tells { on: true, ..Tells::default() }, ..World::new() };
    let mut all = vec![ada(1, &json!({})), policy("science", "Science", &["editor"]), wiki("Enforce", 1)];
    all.extend(["bob", "cy"].map(|name| identity(name, 1, &json!({"department": "Science"}))));
    world.list(&all);
    world.pass(60);
    assert_eq!(world.names_in("Editors"), ["ada", "bob", "cy"]);
    world.engine.counters(&Name::from("wiki"));
    (world.listings, world.writes, world.read) = (0, 0, 0);
    world.tells.asked.clear();
    world
}

fn edit_title(world: &mut World, title: &str) {
    let id = world.id_of("ada");
    world.accounts.get_mut(&id).unwrap().attributes.insert("title".into(), title.into());
}

fn title(world: &World) -> &str {
    world.accounts[&world.id_of("ada")].text("title").unwrap()
}

#[test]
fn drift_that_is_told_is_put_right_and_counted_within_seconds() {
    let mut world = settled();
    edit_title(&mut world, "Boss");
    let bob = world.id_of("bob");
    world.members(&"g-Editors".into()).retain(|member| *member != bob);
    world.pass(7);
    assert_eq!((title(&world), world.names_in("Editors")), ("Analyst", vec!["ada", "bob", "cy"]));
    assert_eq!((world.writes, world.listings), (2, 0));
    let drift = world.engine.counters(&Name::from("wiki")).unwrap().drift;
    assert_eq!(
        drift.into_iter().map(|(name, n)| (name.to_string(), n)).collect::<Vec<_>>(),
        [("membership".to_owned(), 1), ("title".to_owned(), 1),]
    );

    // Whoever left and was let in again is disabled; the group has its name.
    tell(&mut world, &[ada(2, &json!({"lifecycle": {"suspended": true}}))]);
    world.pass(10);
    let id = world.id_of("ada");
    assert!(!world.accounts[&id].enabled);
    world.accounts.get_mut(&id).unwrap().enabled = true;
    world.mirrors.get_mut(&TargetId::new("g-Editors")).unwrap().name = "Redaktion".into();
    world.pass(7);
    assert!(!world.accounts[&id].enabled);
    assert_eq!((&*world.mirrors[&TargetId::new("g-Editors")].name, world.listings), ("Editors", 0));
}

#[test]
fn what_we_wrote_ourselves_is_told_as_well_and_neither_read_nor_written_again() {
    let mut world = settled();
    let changes = [ada(2, &json!({"title": "Reader"})), identity("dee", 1, &json!({"department": "Science"}))];
    tell(&mut world, &changes);
    world.sleep(300);
    assert_eq!((title(&world), world.names_in("Editors").len()), ("Reader", 4));
    assert_eq!(world.writes, 3, "an update, a create and a membership");
    world.tells.asked.clear();
    let woken = world.sleep(600);
    assert_eq!((world.writes, world.read, world.listings), (3, 0, 0));
    assert!((115..=121).contains(&world.tells.asked.len()), "asked {} times in ten minutes", world.tells.asked.len());
    assert!(woken <= 125, "woken {woken} times");
}

#[test]
fn a_question_that_fails_changes_nothing_and_is_asked_less_and_less_until_the_next_listing_shows_all() {
    let lost = |words: &str| TargetError::Lost(words.into());
    let malformed = TargetError::Malformed("no such cursor".into());
    for error in [lost("timeout"), malformed, TargetError::Unsupported("not any more".into())] {
        let mut world = settled();
        world.tells.mute = Some(error);
        edit_title(&mut world, "Boss");
        world.written.clear();
        world.sleep(3000);
        assert_eq!((title(&world), world.writes, world.listings), ("Boss", 0, 0));
        assert!((5..20).contains(&world.tells.asked.len()), "asked {} times", world.tells.asked.len());
        assert_eq!(world.written, Vec::<String>::new(), "nobody is told");
        world.sleep(1200);
        assert_eq!((title(&world), world.writes, world.listings), ("Analyst", 1, 1));
    }
}

#[test]
fn a_target_that_cannot_be_reached_is_told_so_and_listed_once_it_is_back() {
    let mut world = settled();
    world.reachable = false;
    world.tells.mute = Some(TargetError::Unreachable("connection refused".into()));
    world.sleep(60);
    assert_eq!(world.written("wiki").last().unwrap(), "False TargetUnreachable");
    edit_title(&mut world, "Boss");
    (world.reachable, world.tells.mute) = (true, None);
    world.sleep(60);
    assert_eq!((title(&world), world.writes, world.listings), ("Analyst", 1, 1));
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

/// Somebody deletes an account.
fn delete(world: &mut World, name: &str) -> Observed {
    let id = world.id_of(name);
    world.members(&"g-Editors".into()).retain(|member| *member != id);
    world.accounts.remove(&id).unwrap()
}

#[test]
fn an_account_that_is_said_to_be_gone_is_listed_and_read_before_that_is_believed() {
    let mut world = settled();
    let bob = delete(&mut world, "bob");
    world.reads = false;
    world.sleep(120);
    assert_eq!((world.writes, world.listings), (0, 1), "nobody knows");
    assert!(!world.asked.is_empty(), "it was asked");
    // It was said too early: it is there, and has lost its membership alone.
    world.accounts.insert(bob.id.clone(), bob.clone());
    world.reads = true;
    world.sleep(120);
    assert_eq!((world.id_of("bob"), world.writes, world.listings), (bob.id, 1, 1));

    delete(&mut world, "cy");
    world.sleep(120);
    assert_eq!(world.names_in("Editors"), ["ada", "bob", "cy"], "a new account, since the old one is not there");
    assert_eq!(world.listings, 2);
    // What is nobody's account may go.
    let stranger = Observed { id: "s-1".into(), enabled: true, attributes: [].into(), holds: None };
    world.accounts.insert(stranger.id.clone(), stranger.clone());
    world.sleep(60);
    world.accounts.remove(&stranger.id);
    world.sleep(600);
    assert_eq!(world.listings, 2);
}

#[test]
fn of_many_that_are_said_to_be_gone_none_is_made_anew_before_a_person_says_so() {
    let mut world = World { tells: Tells { on: true, ..Tells::default() }, ..World::new() };
    let names: Vec<String> = (0..50).map(|number| format!("i-{number}")).collect();
    let mut all: Vec<_> = names.iter().map(|name| identity(name, 1, &json!({"department": "Science"}))).collect();
    all.extend([policy("science", "Science", &["editor"]), wiki("Enforce", 1)]);
    world.list(&all);
    world.pass(120);
    assert_eq!((world.accounts.len(), world.listings), (50, 1));
    for name in &names[..30] {
        delete(&mut world, name);
    }
    world.writes = 0;
    world.pass(600);
    assert_eq!((world.writes, world.listings), (0, 2));
    assert_eq!(world.written("wiki").last().unwrap(), "False TargetChanged");
}

#[test]
fn where_too_much_has_changed_the_listing_comes_sooner() {
    let mut world = settled();
    world.tells.most = Some(0);
    edit_title(&mut world, "Boss");
    world.sleep(120);
    assert_eq!((title(&world), world.writes), ("Analyst", 1));
    // Our own correction is left out as well: one more listing, and then no more.
    world.sleep(1200);
    assert!((1..=2).contains(&world.listings), "{} listings", world.listings);
    assert_eq!(world.writes, 1);
}

#[test]
fn nothing_is_asked_while_paused_or_before_what_is_there_was_listed_and_in_mode_plan_nothing_is_written() {
    let mut world = settled();
    tell(&mut world, &[wiki("Paused", 2)]);
    edit_title(&mut world, "Boss");
    world.sleep(60);
    assert_eq!((world.tells.asked.len(), world.writes), (0, 0));
    tell(&mut world, &[wiki("Plan", 3)]);
    world.sleep(60);
    assert!(!world.tells.asked.is_empty());
    assert_eq!((title(&world), world.writes), ("Boss", 0));
    let planned = world.engine.sync(&Name::from("wiki")).unwrap().planned();
    let steps: Vec<_> = planned[&Name::from("ada")].iter().map(|step| step.step).collect();
    assert_eq!((steps, world.listings), (vec!["UpdateAccount"], 0));

    let mut world = World { miscounts: true, tells: Tells { on: true, ..Tells::default() }, ..World::new() };
    world.list(&[ada(1, &json!({})), policy("science", "Science", &["editor"]), wiki("Enforce", 1)]);
    world.sleep(60);
    assert_eq!(world.tells.asked, Vec::<i64>::new(), "no listing was complete");
}
