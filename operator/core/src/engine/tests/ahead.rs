//! What is done between the answer to a write and the next one, and what waits.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::membership::{object, policy};
use super::{World, declared, identity, scientist};
use crate::engine::{Answer, Effect, Engine, EngineEffect, EngineEvent};
use crate::model::{LedgerChange, Outcome, Spent, Step, TargetError};

/// So many scientists, and a wiki that is asked as fast as it answers, by one request at a time.
fn team(people: usize) -> Vec<Value> {
    let mut all: Vec<_> = (0..people).map(|n| identity(&format!("i-{n:03}"), 1, &scientist("Analyst"))).collect();
    all = declared(&all);
    all.last_mut().unwrap()["spec"]["sync"] = json!({"concurrency": 1, "requestsPerSecond": 1000});
    all
}

impl World {
    fn answer_to(&mut self, effect: EngineEffect) -> EngineEvent {
        let EngineEffect::Do { application, id, effect } = effect else { panic!("nothing answers {effect:?}") };
        let answer = self.answer(effect);
        EngineEvent::Answered { application, effect: id, answer, spent: Spent::default() }
    }

    /// Tells the engine, and answers all that follows but writes; these, and how often something was recorded.
    fn but_writes(&mut self, event: EngineEvent) -> (VecDeque<EngineEffect>, usize) {
        let (mut writes, mut records) = (VecDeque::new(), 0);
        let mut effects = VecDeque::from(self.handle(event));
        loop {
            if effects.is_empty() && self.engine.is_behind() {
                effects.extend(self.handle(EngineEvent::Tick));
            }
            let Some(effect) = effects.pop_front() else { return (writes, records) };
            match &effect {
                EngineEffect::Do { effect: Effect::Apply(_), .. } => writes.push_back(effect),
                EngineEffect::Do { effect: asked, .. } => {
                    records += usize::from(matches!(asked, Effect::Record(_)));
                    let event = self.answer_to(effect);
                    effects.extend(self.handle(event));
                }
                _ => {}
            }
        }
    }

    /// Tells the engine, and answers all that follows until this effect, which is left for later.
    fn but_one(&mut self, event: EngineEvent, is: impl Fn(&Effect) -> bool) -> EngineEffect {
        let mut effects = VecDeque::from(self.handle(event));
        loop {
            let effect = effects.pop_front().expect("it is among what follows");
            match &effect {
                EngineEffect::Do { effect: asked, .. } if is(asked) => return effect,
                EngineEffect::Do { .. } => {
                    let event = self.answer_to(effect);
                    effects.extend(self.handle(event));
                }
                _ => {}
            }
        }
    }

    fn listed(&mut self, all: &[Value]) -> VecDeque<EngineEffect> {
        let all = all.iter().map(|object| self.change(object)).collect();
        self.but_writes(EngineEvent::Listed(all)).0
    }
}

/// Who is created by these effects, and nothing else is done by them.
fn created(effects: &[EngineEffect]) -> Vec<String> {
    let of = |effect: &EngineEffect| match effect {
        EngineEffect::Do { effect: Effect::Apply(steps), .. } => match steps.as_slice() {
            [Step::CreateAccount { attributes, .. }] => attributes["userName"].as_text().unwrap().to_owned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    effects.iter().map(of).collect()
}

/// Writes that are recorded as done by these effects.
fn done(effects: &[EngineEffect]) -> usize {
    let recorded = effects.iter().flat_map(|effect| match effect {
        EngineEffect::Do { effect: Effect::Record(changes), .. } => changes.as_slice(),
        _ => &[],
    });
    recorded.filter(|change| matches!(change, LedgerChange::Close(_, Outcome::Done))).count()
}

#[test]
fn the_next_write_is_sent_before_the_outcome_of_the_last_is_recorded() {
    let mut world = World::new();
    let mut writes = world.listed(&team(3));
    assert_eq!(created(writes.make_contiguous()), ["i-000"]);
    let answer = world.answer_to(writes.pop_front().unwrap());
    assert_eq!(created(&world.handle(answer)), ["i-001"]);
    assert!(world.engine.is_behind());
    assert_eq!(world.engine.next_wake(world.now()).mono, Some(world.now().mono), "the rest is due at once");
    let rest = world.handle(EngineEvent::Tick);
    assert_eq!((done(&rest), world.engine.is_behind()), (1, false));
}

thread_local! {
    static PAUSES: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn others_may_work_between_two_turns_and_between_what_comes_of_two_writes() {
    let mut world = World::new();
    world.engine = Engine::new("acme", world.schemas).pausing(|| PAUSES.set(PAUSES.get() + 1));
    let mut writes = world.listed(&team(3));
    let turns = PAUSES.replace(0);
    assert!(turns >= 3, "{turns}");
    let answer = world.answer_to(writes.pop_front().unwrap());
    world.handle(answer);
    assert_eq!(PAUSES.get(), 0, "nothing is put between an answer and the next write");
    world.handle(EngineEvent::Tick);
    assert_eq!(PAUSES.get(), 2, "what came of the write, and the turn of whoever it was of");
}

#[test]
fn what_was_answered_is_known_before_anything_else_is_decided() {
    let mut world = World::new();
    let mut writes = world.listed(&team(3));
    let answer = world.answer_to(writes.pop_front().unwrap());
    assert_eq!(created(&world.handle(answer)), ["i-001"]);
    let there = |world: &World| {
        let records = world.engine.sync(&"wiki".into()).unwrap().records();
        records.filter(|record| record.target_id.is_some()).count()
    };
    assert_eq!(there(&world), 0, "the next write went first");
    let suspended = json!({"department": "Science", "title": "Analyst", "lifecycle": {"suspended": true}});
    let edit = vec![world.change(&identity("i-000", 2, &suspended))];
    let effects = world.handle(EngineEvent::Changed(edit));
    assert_eq!(there(&world), 1);
    let disables = |change: &LedgerChange| matches!(change, LedgerChange::Open(intent) if matches!(intent.step, Step::DisableAccount { .. }));
    let recorded = |effect: &EngineEffect| match effect {
        EngineEffect::Do { effect: Effect::Record(changes), .. } => changes.iter().any(disables),
        _ => false,
    };
    assert!(effects.iter().any(recorded), "{effects:?}");
}

#[test]
fn who_reports_to_the_one_who_was_created_last_is_created_with_their_id() {
    let mut world = World::new();
    let mut all = team(2);
    let reports = json!({"department": "Science", "title": "Analyst", "managerRef": {"name": "i-000"}});
    all[1] = identity("i-001", 1, &reports);
    let mut writes = world.listed(&all);
    assert_eq!(created(writes.make_contiguous()), ["i-000"]);
    let answer = world.answer_to(writes.pop_front().unwrap());
    let (writes, _) = world.but_writes(answer);
    let steps = writes.iter().flat_map(|effect| match effect {
        EngineEffect::Do { effect: Effect::Apply(steps), .. } => steps.as_slice(),
        _ => &[],
    });
    let managers: Vec<_> = steps
        .map(|step| match step {
            Step::CreateAccount { attributes, .. } => attributes["manager"].as_text().unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(managers, [world.id_of("i-000").to_string()]);
}

#[test]
fn what_an_edit_took_back_since_it_was_stored_is_not_sent_upon_the_answer_to_the_last() {
    let mut world = World::new();
    let mut writes = world.listed(&team(3));
    let edit = vec![world.change(&identity("i-001", 2, &json!({"department": "Arts"})))];
    assert_eq!(world.but_writes(EngineEvent::Changed(edit)).0.len(), 0, "one at a time");
    let answer = world.answer_to(writes.pop_front().unwrap());
    assert_eq!(created(&world.handle(answer)), ["i-002"]);
}

#[test]
fn what_was_not_asked_goes_out_again_as_if_it_had_never_been_sent() {
    let mut world = World::new();
    world.batch = 3;
    let mut writes = world.listed(&team(3));
    let Some(EngineEffect::Do { application, id, effect: Effect::Apply(steps) }) = writes.pop_front() else {
        panic!("{writes:?}")
    };
    assert_eq!(steps.len(), 3);
    let refused = |said: TargetError| Err(said);
    let outcomes = vec![
        refused(TargetError::RateLimited { retry_after: Some(Duration::from_secs(5)) }),
        refused(TargetError::NotAsked),
        refused(TargetError::NotAsked),
    ];
    let event = EngineEvent::Answered {
        application,
        effect: id,
        answer: Answer::Applied(outcomes),
        spent: Spent { requests: 1, wait: None },
    };
    assert_eq!(world.but_writes(event).0.len(), 0, "the target asked to wait");
    world.second += 6;
    let (writes, _) = world.but_writes(EngineEvent::Tick);
    let again: Vec<_> = writes
        .iter()
        .flat_map(|effect| match effect {
            EngineEffect::Do { effect: Effect::Apply(steps), .. } => steps.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(again.get(..2), steps.get(1..), "they go first: the other one is intended anew");
    for write in writes {
        let answer = world.answer_to(write);
        world.but_writes(answer);
    }
    world.pass(30);
    assert_eq!(world.accounts.len(), 3);
    assert_eq!(world.opened.len(), 4, "the one that was refused was intended once more, and no other");
}

#[test]
fn what_is_recorded_while_the_target_has_enough_to_do_is_recorded_together() {
    let mut world = World::new();
    let mut writes = world.listed(&team(200));
    let (mut sent, mut records) = (0, 0);
    while let Some(write) = writes.pop_front() {
        sent += 1;
        let answer = world.answer_to(write);
        let (more, recorded) = world.but_writes(answer);
        writes.extend(more);
        records += recorded;
    }
    assert_eq!((sent, world.accounts.len()), (200, 200));
    assert!(world.records.values().all(|record| record.target_id.is_some()) && world.intents.is_empty());
    assert!(records * 4 < sent, "{records} times for {sent} writes");
}

#[test]
fn the_target_has_enough_to_do_until_the_next_writes_are_stored() {
    let mut world = World::new();
    let mut writes = world.listed(&team(200));
    let (mut recording, mut meanwhile) = (false, 0);
    while let Some(write) = writes.pop_front() {
        meanwhile += usize::from(recording);
        let answer = world.answer_to(write);
        let mut effects = world.handle(answer);
        while world.engine.is_behind() {
            effects.extend(world.handle(EngineEvent::Tick));
        }
        for effect in effects {
            match &effect {
                EngineEffect::Do { effect: Effect::Apply(_), .. } => writes.push_back(effect),
                EngineEffect::Do { effect: Effect::Record(_), .. } => recording = true,
                EngineEffect::Do { .. } => panic!("{effect:?}"),
                _ => {}
            }
        }
    }
    assert!(recording && meanwhile >= 30, "{meanwhile}");
}

#[test]
fn an_outcome_waits_for_others_no_longer_than_a_moment() {
    let mut world = World::new();
    let mut writes = world.listed(&team(60));
    let answer = world.answer_to(writes.pop_front().unwrap());
    let (under_way, records) = world.but_writes(answer);
    assert_eq!((under_way.len(), records), (1, 0));
    let wake = world.engine.next_wake(world.now()).mono.unwrap();
    assert!(wake <= world.now().mono + Duration::from_millis(5), "{wake:?}");
    world.second += 1;
    assert_eq!(done(&world.handle(EngineEvent::Tick)), 1);
}

#[test]
fn what_is_urgent_is_recorded_at_once_whatever_else_waits() {
    let mut world = World::new();
    let mut all = team(61);
    let late: Vec<Value> = all.drain(1..61).collect();
    world.list(&all);
    assert_eq!(world.accounts.len(), 1);
    let joined = late.iter().map(|object| world.change(object)).collect();
    assert_eq!(world.but_writes(EngineEvent::Changed(joined)).0.len(), 1);
    let suspended = json!({"department": "Science", "title": "Analyst", "lifecycle": {"suspended": true}});
    let edit = vec![world.change(&identity("i-000", 2, &suspended))];
    let effects = world.handle(EngineEvent::Changed(edit));
    let disables = |change: &LedgerChange| matches!(change, LedgerChange::Open(intent) if matches!(intent.step, Step::DisableAccount { .. }));
    let recorded = |effect: &EngineEffect| match effect {
        EngineEffect::Do { effect: Effect::Record(changes), .. } => changes.iter().any(disables),
        _ => false,
    };
    assert!(effects.iter().any(recorded), "{effects:?}");
}

#[test]
fn those_who_join_together_are_put_into_their_group_by_few_writes() {
    let mut world = World::new();
    world.mirror("editors", None);
    world.mirror("authors", None);
    let wiki = |name: &str| json!({"name": name, "target": {"group": {"name": name}}});
    let sync = json!({"concurrency": 1, "requestsPerSecond": 1000});
    let spec = json!({"connector": {"fake": {}}, "sync": sync, "entitlements": [wiki("editors"), wiki("authors")]});
    let departments = ["Science", "Law"];
    let mut all: Vec<Value> =
        (0..250).map(|n| identity(&format!("i-{n:03}"), 1, &json!({"department": departments[n % 2]}))).collect();
    all.extend([policy("science", "Science", &["editors"]), policy("law", "Law", &["authors"])]);
    all.push(object("TargetApplication", "wiki", &spec));
    world.list(&all);
    world.pass(30);
    assert_eq!((world.names_in("editors").len(), world.names_in("authors").len()), (125, 125));
    let writes = |step: &str| world.applied.iter().filter(|applied| **applied == step).count();
    // A write takes 100 of them.
    assert_eq!((writes("CreateAccount"), writes("AddMembers")), (250, 4));
}

#[test]
fn a_group_that_turns_up_under_our_mark_before_its_create_is_sent_is_not_made_again() {
    let wiki = |create: bool, generation: i64| {
        let editor = json!({"name": "editor", "target": {"group": {"name": "Editors", "create": create}}});
        let sync = json!({"concurrency": 1, "interval": "1m"});
        let spec = json!({"connector": {"fake": {}}, "sync": sync, "entitlements": [editor]});
        let mut wiki = object("TargetApplication", "wiki", &spec);
        wiki["metadata"]["generation"] = json!(generation);
        wiki
    };
    let makes =
        |change: &LedgerChange| matches!(change, LedgerChange::Open(intent) if intent.step.name() == "CreateGroup");
    let mut world = World::new();
    world.mirror("Others", None);
    world.list(&[wiki(false, 1)]);
    world.pass(60);
    let declared = world.change(&wiki(true, 2));
    let held = world.but_one(
        EngineEvent::Changed(vec![declared]),
        |effect| matches!(effect, Effect::Record(all) if all.iter().any(makes)),
    );
    world.mirror("Redaktion", Some("provost:acme/wiki/Editors".into()));
    world.pass(65);
    let stored = world.answer_to(held);
    world.tell(stored);
    world.pass(65);
    assert_eq!(world.applied, ["UpdateGroup"]);
}

#[test]
fn a_group_whose_deletion_was_refused_is_ours_until_it_is_listed_again() {
    let wiki = |pushed: Value, interval: &str, generation: i64| {
        let sync = json!({"concurrency": 2, "interval": interval});
        let spec = json!({"connector": {"fake": {}}, "sync": sync, "entitlements": [], "pushedGroups": pushed});
        let mut wiki = object("TargetApplication", "wiki", &spec);
        wiki["metadata"]["generation"] = json!(generation);
        wiki
    };
    let mut world = World::new();
    let pushed = json!([{"groupRef": {"name": "team"}, "name": "Team", "prune": true}]);
    world.list(&[object("Group", "team", &json!({"members": []})), wiki(pushed, "1m", 1)]);
    world.pass(120);
    assert_eq!(world.groups.len(), 1);
    let undeclared = world.change(&wiki(json!([]), "1m", 2));
    let deletes = |step: &Step| matches!(step, Step::DeleteGroup { .. });
    let held = world.but_one(
        EngineEvent::Changed(vec![undeclared]),
        |effect| matches!(effect, Effect::Apply(steps) if steps.iter().any(deletes)),
    );
    // A listing begins and ends while it is under way.
    let before = world.listings;
    world.pass(130);
    assert!(world.listings > before);
    world.forbidden = Some("DeleteGroup");
    let refused = world.answer_to(held);
    world.tell(refused);
    let edited = world.change(&wiki(json!([]), "2m", 3));
    world.tell(EngineEvent::Changed(vec![edited]));
    assert_eq!(world.groups.len(), 1, "it is there, and is tried again");
}
