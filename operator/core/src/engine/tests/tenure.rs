//! What becomes of an account from when somebody joins until it is deleted, and what is written of that, and when.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::{Claim, DeletionOrder, Effect, EngineEffect, EngineEvent};
use crate::model::{Change, LedgerChange, Name, ObjectKind, ObjectRef, Observed, Outcome, Spent, Step, TargetId};

const DAY: i64 = 24 * 3600;

impl World {
    /// Asks the engine what to do; the intent of whatever it sends is stored by then.
    pub(super) fn handle(&mut self, event: EngineEvent) -> Vec<EngineEffect> {
        let effects = self.engine.handle(event, self.now());
        for effect in &effects {
            let EngineEffect::Do { effect: Effect::Apply(steps), .. } = effect else { continue };
            for step in steps {
                let stored = self.intents.values().any(|intent| intent.step == *step);
                assert!(stored, "{} is sent before its intent is stored", step.name());
            }
        }
        effects
    }

    pub(super) fn is_hiding(&self) -> bool {
        self.second < self.hides
    }

    /// What an effect is answered with brings about.
    pub(super) fn answered(&mut self, effect: EngineEffect) -> Vec<EngineEffect> {
        let EngineEffect::Do { application, id, effect } = effect else { return Vec::new() };
        let answer = self.answer(effect);
        self.handle(EngineEvent::Answered { application, effect: id, answer, spent: Spent::default() })
    }

    /// How the ledger's records stand.
    fn account_states(&self) -> Vec<String> {
        self.records.values().map(|record| format!("{:?}", record.state)).collect()
    }

    /// What listings and searches show of the accounts.
    pub(super) fn seen(&self) -> impl Iterator<Item = &Observed> {
        let hides = self.is_hiding();
        self.accounts.values().filter(move |account| !hides && self.unlisted.as_ref() != Some(&account.id))
    }
}

/// Ada, who is an editor of a wiki with these settings besides.
fn editor(ada: &Value, settings: &Value) -> Vec<Value> {
    let editor = json!({"name": "editor", "target": {"group": {"name": "editors", "create": true}}});
    let mut all = declared(std::slice::from_ref(ada));
    all[1]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    let wiki = all[2]["spec"].as_object_mut().unwrap();
    wiki.insert("entitlements".into(), json!([editor]));
    wiki.insert("sync".into(), json!({"concurrency": 1, "interval": "24h"}));
    wiki.extend(settings.as_object().unwrap().clone());
    all
}

fn ada(generation: i64, lifecycle: &Value) -> Value {
    identity("ada", generation, &json!({"department": "Science", "title": "Analyst", "lifecycle": lifecycle}))
}

fn gone() -> EngineEvent {
    EngineEvent::Changed(vec![Change::Gone(ObjectRef { kind: ObjectKind::Identity, name: "ada".into() })])
}

/// A moment after so many seconds of the test.
fn at(seconds: i64) -> String {
    jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap().to_string()
}

fn joined(ada: &Value, settings: &Value) -> World {
    let mut world = World::new();
    world.list(&editor(ada, settings));
    world.pass(30);
    assert_eq!((world.account("ada").as_str(), world.names_in("editors")), ("Provisioned", vec!["ada"]));
    assert_eq!(world.applied, ["CreateGroup", "CreateAccount", "AddMembers"]);
    world.applied.clear();
    world
}

#[test]
fn who_is_renamed_keeps_the_account_and_what_it_holds() {
    let mut world = joined(&ada(1, &json!({})), &json!({}));
    let id = world.id_of("ada");
    tell(&mut world, &[identity("ada", 2, &json!({"userName": "lovelace", "department": "Science"}))]);
    world.pass(60);
    assert_eq!((world.id_of("lovelace"), world.accounts.len()), (id, 1));
    assert_eq!(world.applied, ["RenameAccount"]);
    assert_eq!(world.names_in("editors"), ["lovelace"]);
}

#[test]
fn who_is_suspended_keeps_the_account_and_what_it_holds_and_comes_back_to_it() {
    let hour = json!({"deprovision": {"ended": {"action": "Disable", "deleteAfter": "1h"}}});
    let mut world = joined(&ada(1, &json!({})), &hour);
    tell(&mut world, &[ada(2, &json!({"suspended": true}))]);
    world.sleep(DAY);
    assert_eq!((world.applied.as_slice(), world.names_in("editors")), (&["DisableAccount"][..], vec!["ada"]));
    tell(&mut world, &[ada(3, &json!({}))]);
    world.pass(60);
    assert_eq!(world.applied, ["DisableAccount", "EnableAccount"]);
    assert_eq!(world.names_in("editors"), ["ada"]);
}

#[test]
fn an_end_that_is_dated_comes_by_itself() {
    let mut world = joined(&ada(1, &json!({"endTime": at(600)})), &json!({}));
    world.sleep(560);
    assert_eq!(world.applied, Vec::<&str>::new());
    world.sleep(60);
    assert_eq!(world.applied, ["DisableAccount", "RemoveMembers"]);
}

#[test]
fn who_came_back_has_another_deletion_date_when_they_leave_again() {
    let month = json!({"deprovision": {"ended": {"action": "Disable", "deleteAfter": "720h"}}});
    let mut world = joined(&ada(1, &json!({})), &month);
    world.tell(gone());
    world.sleep(10 * DAY);
    assert_eq!(world.applied, ["DisableAccount", "RemoveMembers"]);
    tell(&mut world, &[ada(1, &json!({}))]);
    world.sleep(10 * DAY);
    assert_eq!(world.account("ada"), "Provisioned");
    world.tell(gone());
    world.sleep(15 * DAY);
    assert_eq!((world.accounts.len(), world.account("ada").as_str()), (1, "Retained"), "35 days after the first time");
    world.sleep(16 * DAY);
    assert_eq!(world.accounts.len(), 0, "and 30 after the second");
}

#[test]
fn who_was_disabled_at_the_target_stays_so_unless_that_is_to_be_corrected() {
    for (mode, enabled) in [("Respect", false), ("Correct", true)] {
        let settings = json!({"account": {"disabledAtTarget": mode}, "sync": {"concurrency": 1, "interval": "5m"}});
        let mut world = joined(&ada(1, &json!({})), &settings);
        let id = world.id_of("ada");
        world.accounts.get_mut(&id).unwrap().enabled = false;
        world.pass(400);
        assert_eq!(world.accounts[&id].enabled, enabled, "{mode}");
        let told = if enabled { "Provisioned" } else { "DisabledAtTarget" };
        assert_eq!(world.account("ada"), told);
        // What we write besides does not enable it, and until the next listing nobody says so.
        tell(&mut world, &[identity("ada", 2, &json!({"department": "Science", "title": "Countess"}))]);
        world.pass(20);
        assert_eq!((world.accounts[&id].text("title"), world.account("ada").as_str()), (Some("Countess"), told));
    }
}

#[test]
fn an_account_that_a_listing_leaves_out_is_read_before_another_is_made() {
    let mut world = joined(&ada(1, &json!({})), &json!({"sync": {"concurrency": 1, "interval": "1m"}}));
    world.unlisted = Some(world.id_of("ada"));
    world.pass(300);
    assert!(world.read > 0);
    assert_eq!((world.applied.as_slice(), world.accounts.len()), (&[][..], 1));
}

#[test]
fn what_is_not_found_soon_after_a_write_is_no_proof_that_it_is_gone() {
    let mut world = World::new();
    world.visibility = std::time::Duration::from_mins(1);
    world.list(&declared(&[]));
    world.pass(30);
    tell(&mut world, &[ada(1, &json!({}))]);
    world.hides = world.second + 50;
    tell(&mut world, &[identity("ada", 2, &scientist("Reader"))]);
    world.pass(200);
    assert_eq!(world.accounts.len(), 1);
    assert_eq!(world.accounts[&TargetId::new("t-0")].text("title"), Some("Reader"));
}

#[test]
fn no_step_is_sent_before_its_intent_is_stored() {
    let at_once = json!({"deprovision": {"ended": {"action": "Delete"}}});
    let mut world = joined(&ada(1, &json!({})), &at_once);
    tell(&mut world, &[identity("ada", 2, &json!({"userName": "lovelace", "department": "Science"}))]);
    world.pass(60);
    world.tell(gone());
    world.pass(60);
    // Each of them was looked at when the engine asked for it.
    assert_eq!(world.applied, ["RenameAccount", "DisableAccount", "RemoveMembers", "DeleteAccount"]);
}

#[test]
fn a_step_that_is_not_wanted_any_more_when_its_intent_is_stored_is_never_sent() {
    let mut world = joined(&ada(1, &json!({})), &json!({}));
    let told =
        |world: &World, title: &str| EngineEvent::Changed(vec![world.change(&identity("ada", 2, &scientist(title)))]);
    let edit = told(&world, "Reader");
    let intents: Vec<EngineEffect> = world.handle(edit);
    let undo = told(&world, "Analyst");
    let nothing = world.handle(undo);
    let mut closed = Vec::new();
    let mut effects: Vec<EngineEffect> = intents.into_iter().chain(nothing).collect();
    while let Some(effect) = effects.pop() {
        let EngineEffect::Do { application, id, effect } = effect else { continue };
        if let Effect::Record(changes) = &effect {
            closed.extend(changes.iter().filter_map(|change| match change {
                LedgerChange::Close(_, outcome) => Some(outcome.clone()),
                _ => None,
            }));
        }
        let answer = world.answer(effect);
        effects.extend(world.handle(EngineEvent::Answered {
            application,
            effect: id,
            answer,
            spent: Spent::default(),
        }));
    }
    assert_eq!((closed, world.applied), (vec![Outcome::Cancelled], Vec::<&str>::new()));
}

#[test]
fn an_application_that_is_deleted_keeps_our_finalizer_until_nobody_has_an_account_any_more() {
    let deleted = || {
        let mut all = editor(&ada(1, &json!({})), &json!({}));
        all[2]["spec"]["deletionPolicy"] = json!("Deprovision");
        all[2]["metadata"]["deletionTimestamp"] = json!(at(0));
        all.remove(2)
    };
    let mut world = joined(&ada(1, &json!({})), &json!({}));
    world.forbidden = Some("DisableAccount");
    (world.finalizers, world.finalizer) = (0, true);
    tell(&mut world, &[deleted()]);
    world.pass(300);
    assert!(world.finalizer, "ada can still use the account");
    world.forbidden = None;
    world.pass(900);
    assert_eq!((world.applied.as_slice(), world.finalizer), (&["RemoveMembers", "DisableAccount"][..], false));
}

#[test]
fn an_application_that_is_paused_and_so_not_asked_is_not_let_go_as_if_it_could_not_be_reached() {
    let mut world = joined(&ada(1, &json!({})), &json!({}));
    let settings = json!({"mode": "Paused", "deletionPolicy": "Deprovision"});
    let mut all = editor(&ada(1, &json!({})), &settings);
    all[2]["metadata"]["deletionTimestamp"] = json!(at(0));
    world.finalizer = true;
    world.restart(&all);
    world.pass(900);
    assert!(world.finalizer);
    assert_eq!(world.account_states(), ["Active"]);
}

#[test]
fn an_account_that_was_made_anew_has_another_deletion_date_than_the_one_before_it() {
    let month = json!({"deprovision": {"ended": {"action": "Disable", "deleteAfter": "720h"}}});
    let mut world = joined(&ada(1, &json!({})), &month);
    world.tell(gone());
    world.sleep(10 * DAY);
    assert_eq!(world.account("ada"), "Retained");
    world.accounts.clear();
    tell(&mut world, &[ada(1, &json!({}))]);
    world.sleep(2 * DAY);
    assert_eq!((world.account("ada").as_str(), world.accounts.len()), ("Provisioned", 1));
    world.sleep(25 * DAY);
    world.tell(gone());
    world.sleep(DAY);
    assert_eq!((world.account("ada").as_str(), world.accounts.len()), ("Retained", 1));
}

#[test]
fn an_account_that_is_lost_goes_on_its_date_also_where_its_owner_is_suspended_meanwhile() {
    let month = json!({"deprovision": {"action": "Disable", "deleteAfter": "720h"}});
    let mut world = joined(&ada(1, &json!({})), &month);
    tell(&mut world, &[identity("ada", 2, &json!({"department": "Arts"}))]);
    world.sleep(DAY);
    assert_eq!(world.account("ada"), "Retained");
    tell(&mut world, &[identity("ada", 3, &json!({"department": "Arts", "lifecycle": {"suspended": true}}))]);
    world.sleep(28 * DAY);
    assert_eq!(world.accounts.len(), 1);
    world.sleep(2 * DAY);
    assert_eq!(world.accounts.len(), 0);
}

#[test]
fn a_deletion_that_is_cancelled_while_its_intent_is_stored_is_not_sent() {
    let hour = json!({"deprovision": {"ended": {"action": "Disable", "deleteAfter": "1h"}}});
    let mut world = joined(&ada(1, &json!({})), &hour);
    world.tell(gone());
    let is_deletion = |changes: &[LedgerChange]| {
        let deletes = |step: &Step| matches!(step, Step::DeleteAccount { .. });
        changes.iter().any(|change| matches!(change, LedgerChange::Open(intent) if deletes(&intent.step)))
    };
    let mut deletion = None;
    while deletion.is_none() && world.second < 7200 {
        world.second += 30;
        let mut effects = world.handle(EngineEvent::Tick);
        while let Some(effect) = effects.pop() {
            match effect {
                EngineEffect::Do { application, id, effect: Effect::Record(changes) } if is_deletion(&changes) => {
                    deletion = Some((application, id, Effect::Record(changes)));
                }
                effect => effects.extend(world.answered(effect)),
            }
        }
    }
    let now = world.now();
    let ada = Name::from("ada");
    let order =
        |world: &mut World| world.engine.order_deletion(&"wiki".into(), &ada, DeletionOrder::Cancel, "zoe", now);
    let (said, mut effects) = order(&mut world);
    said.unwrap();
    let (application, id, effect) = deletion.unwrap();
    effects.extend(world.answered(EngineEffect::Do { application, id, effect }));
    while let Some(effect) = effects.pop() {
        effects.extend(world.answered(effect));
    }
    world.sleep(DAY);
    assert_eq!((world.accounts.len(), world.applied.contains(&"DeleteAccount")), (1, false));
}

/// What an application says of itself before its target is reached, as it is loaded and listed.
fn claim(world: &mut World, all: &[Value]) -> Claim {
    let all = all.iter().map(|object| world.change(object)).collect();
    let mut effects = world.handle(EngineEvent::Listed(all));
    while let Some(effect) = effects.pop() {
        if let EngineEffect::Do { effect: Effect::Probe(_, claim), .. } = &effect {
            return *claim;
        }
        effects.extend(world.answered(effect));
    }
    panic!("it was not reached for");
}

#[test]
fn whether_it_has_accounts_at_a_target_is_said_before_that_is_reached() {
    let all = editor(&ada(1, &json!({})), &json!({}));
    let mut world = World::new();
    assert!(!claim(&mut world, &all).owns);
    let mut world = joined(&ada(1, &json!({})), &json!({}));
    world.engine = crate::engine::Engine::new("acme", world.schemas);
    assert!(claim(&mut world, &all).owns);
    let mut other = all;
    other.last_mut().unwrap()["spec"]["connector"] = json!({"fake": {"directory": "other"}});
    world.engine = crate::engine::Engine::new("acme", world.schemas);
    assert!(!claim(&mut world, &other).owns, "what it has is elsewhere");
}
