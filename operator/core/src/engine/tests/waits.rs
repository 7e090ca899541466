//! Who waits for what: one account for its own refusals, a deletion for what the account still holds, a reference for the
//! account that stands, mode Plan for nothing at all.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::engine::{Answer, Effect, EngineEffect, EngineEvent};
use crate::model::{Change, Kind, Name, ObjectKind, ObjectRef, Observed, Page, Spent, TargetId};

fn gone(name: &str) -> Change {
    Change::Gone(ObjectRef { kind: ObjectKind::Identity, name: name.into() })
}

fn with_settings(people: &[Value], settings: &Value) -> Vec<Value> {
    let mut all = declared(people);
    all.last_mut().unwrap()["spec"].as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    all
}

#[test]
fn an_account_that_may_not_be_read_is_asked_for_ever_more_rarely_and_at_once_when_it_is_edited() {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    world.lose = true;
    (world.done, world.reads, world.forbids) = (false, false, true);
    tell(&mut world, &[identity("ada", 2, &scientist("Reader"))]);
    world.lose = false;
    world.read = 0;
    world.pass(4 * 3600);
    assert!((8..=14).contains(&world.read), "{} reads in four hours", world.read);
    assert_eq!(world.account("ada"), "Failed");
    world.read = 0;
    tell(&mut world, &[identity("ada", 3, &scientist("Writer"))]);
    world.pass(2);
    assert_eq!(world.read, 1, "the edit is tried at once");
    (world.reads, world.forbids) = (true, false);
    tell(&mut world, &[identity("ada", 4, &scientist("Editor"))]);
    world.pass(5);
    assert_eq!(world.account("ada"), "Provisioned");
}

#[test]
fn a_sync_that_is_asked_for_tries_what_failed_before_all_is_listed() {
    let mut world = World::new();
    let ada = identity("ada", 1, &scientist("Analyst"));
    let all = with_settings(&[ada], &json!({"sync": {"concurrency": 4}}));
    world.list(&all);
    world.pass(30);
    world.lose = true;
    (world.done, world.reads, world.forbids) = (false, false, true);
    tell(&mut world, &[identity("ada", 2, &scientist("Reader"))]);
    world.lose = false;
    world.pass(3600);
    assert_eq!(world.account("ada"), "Failed");
    (world.reads, world.forbids) = (true, false);
    let mut wiki = all.into_iter().find(|manifest| manifest["kind"] == "TargetApplication").unwrap();
    wiki["metadata"]["annotations"] = json!({"provost.dev/reconcile-now": "once"});
    let asked = EngineEvent::Changed(vec![world.change(&wiki)]);
    let asked = world.handle(asked);
    let asks = |asked: &[EngineEffect], which: fn(&Effect) -> bool| {
        asked.iter().any(|effect| matches!(effect, EngineEffect::Do { effect, .. } if which(effect)))
    };
    assert!(asks(&asked, |effect| matches!(effect, Effect::Observe { .. })), "all is listed anew");
    assert!(asks(&asked, |effect| matches!(effect, Effect::Read(_))), "who failed does not wait for that");
}

#[test]
fn an_account_is_not_deleted_before_what_it_holds_was_taken() {
    let editor = json!({"name": "editor", "target": {"group": {"name": "editors", "create": true}}});
    let settings = json!({
        "entitlements": [editor],
        "deprovision": {"ended": {"action": "Delete"}},
        "sync": {"concurrency": 1, "interval": "1m"},
    });
    let mut all = with_settings(&[identity("ada", 1, &scientist("Analyst"))], &settings);
    all[1]["spec"]["grants"][0]["entitlements"] = json!(["editor"]);
    let mut world = World::new();
    world.list(&all);
    world.pass(30);
    assert_eq!(world.names_in("editors"), ["ada"]);
    world.forbidden = Some("RemoveMembers");
    world.tell(EngineEvent::Changed(vec![gone("ada")]));
    world.pass(600);
    let ada = world.accounts.values().next().unwrap();
    assert!(!ada.enabled, "it cannot be used");
    world.forbidden = None;
    world.pass(1200);
    assert_eq!((world.accounts.len(), world.names_in("editors").len()), (0, 0));
}

#[test]
fn a_group_below_another_waits_until_that_is_there_and_no_longer_than_it_is_tried() {
    let entry = |name: &str| json!({"name": name, "target": {"group": {"name": name, "create": true}}});
    let names = ["eng/platform/sre", "eng/platform", "eng"];
    let settings = json!({"entitlements": names.map(entry), "sync": {"interval": "1m"}});
    let all = with_settings(&[identity("ada", 1, &scientist("Analyst"))], &settings);
    let mut world = World::new();
    world.list(&all);
    world.pass(5);
    assert_eq!(world.mirrors.len(), 3, "none was refused for want of its parent");

    let mut world = World::new();
    world.forbidden = Some("CreateGroup");
    world.list(&all);
    world.pass(120);
    assert!(world.mirrors.is_empty());
    world.mirror("eng", None);
    world.forbidden = None;
    world.pass(600);
    assert_eq!(world.mirrors.len(), 3);
}

#[test]
fn a_reference_is_to_the_account_that_its_owner_has_now() {
    let grace = |uid: &str, user_name: &str| {
        let mut grace = identity("grace", 1, &json!({"department": "Science", "userName": user_name}));
        grace["metadata"]["uid"] = json!(uid);
        grace
    };
    let ada = identity("ada", 1, &json!({"department": "Science", "managerRef": {"name": "grace"}}));
    let mut world = World::new();
    world.list(&declared(&[ada, grace("g-1", "hopper")]));
    world.pass(30);
    let manager = |world: &World| world.accounts[&world.id_of("ada")].text("manager").map(str::to_owned);
    assert_eq!(manager(&world), Some(world.id_of("hopper").to_string()));
    // Another person of the same name; the account of the first one is retained.
    tell(&mut world, &[grace("g-2", "murray")]);
    world.pass(700);
    assert_eq!(world.accounts.len(), 3);
    assert_eq!(manager(&world), Some(world.id_of("murray").to_string()));
    world.tell(EngineEvent::Changed(vec![gone("grace")]));
    world.pass(700);
    assert_eq!(manager(&world), None, "a manager who is not there is none");
}

#[test]
fn who_is_renamed_where_references_hold_names_is_named_anew_by_those_who_refer_to_them() {
    let grace = |generation: i64, user_name: &str| {
        identity("grace", generation, &json!({"department": "Science", "userName": user_name}))
    };
    let ada = identity("ada", 1, &json!({"department": "Science", "managerRef": {"name": "grace"}}));
    // The answer comes; it is lost; it says that something failed, which was done all the same.
    for (lose, transient) in [(false, false), (true, false), (true, true)] {
        let mut world = World::new();
        world.by_name = true;
        world.list(&declared(&[ada.clone(), grace(1, "hopper")]));
        world.pass(30);
        let before = world.listings;
        (world.lose, world.transient) = (lose, transient);
        tell(&mut world, &[grace(2, "murray")]);
        world.lose = false;
        world.pass(10);
        let manager = world.accounts[&world.id_of("ada")].text("manager").map(str::to_owned);
        assert_eq!(manager, Some(world.id_of("murray").to_string()), "lost: {lose}, failed: {transient}");
        assert_eq!(world.listings, before, "it does not wait for the next sync");
    }
}

#[test]
fn what_is_to_be_read_is_the_account_of_who_has_the_name_now_and_not_only_what_somebody_else_left() {
    let grace = |generation: i64, user_name: &str| {
        identity("grace", generation, &json!({"department": "Science", "userName": user_name}))
    };
    let ada = |uid: &str, user_name: &str| {
        let spec = json!({"department": "Science", "managerRef": {"name": "grace"}, "userName": user_name});
        let mut ada = identity("ada", 1, &spec);
        ada["metadata"]["uid"] = json!(uid);
        ada
    };
    let mut world = World::new();
    world.by_name = true;
    world.list(&declared(&[ada("a-1", "byron"), grace(1, "hopper")]));
    world.pass(30);
    // Another person of the same name; the account of the first one is retained.
    tell(&mut world, &[ada("a-2", "lovelace")]);
    world.pass(700);
    assert_eq!(world.accounts.len(), 3);
    let before = world.listings;
    tell(&mut world, &[grace(2, "murray")]);
    world.pass(10);
    let manager = world.accounts[&world.id_of("lovelace")].text("manager").map(str::to_owned);
    assert_eq!((manager, world.listings), (Some(world.id_of("murray").to_string()), before));
}

#[test]
fn mode_plan_records_nothing_also_when_a_record_would_pass_to_somebody_else() {
    let person = json!({"department": "Science", "externalId": "E-1", "userName": "ada"});
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &person)]));
    world.pass(30);
    let plan = with_settings(&[], &json!({"mode": "Plan"})).pop().unwrap();
    tell(&mut world, &[plan]);
    let before = (world.records.clone(), world.writes);
    let mut changes = vec![gone("ada")];
    changes.push(world.change(&identity("countess", 1, &person)));
    world.tell(EngineEvent::Changed(changes));
    world.pass(700);
    assert_eq!((world.records.clone(), world.writes), before);
    let sync = world.engine.sync(&Name::from("wiki")).unwrap();
    assert_eq!(sync.planned().get(&Name::from("countess")), None, "the account is hers as it is");
    assert_eq!(sync.planned().get(&Name::from("ada")), None, "and nobody loses it");
}

#[test]
fn an_application_is_not_ready_before_the_groups_of_its_catalogue_are_there() {
    let editor = json!({"name": "editor", "target": {"group": {"name": "editors", "create": true}}});
    let all = with_settings(&[], &json!({"entitlements": [editor]}));
    let mut world = World::new();
    world.asserts_groups = 1;
    world.list(&all);
    world.pass(60);
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

#[test]
fn mode_plan_tells_what_it_would_write_counted_and_leavers_apart_and_then_writes_no_status() {
    let person = |title: &str| json!({"department": "Science", "title": title});
    let mut world = World::new();
    world.list(&declared(&["ada", "bob", "cy"].map(|name| identity(name, 1, &person("Analyst")))));
    world.pass(60);
    tell(&mut world, &[with_settings(&[], &json!({"mode": "Plan"})).pop().unwrap()]);
    world.pass(60);
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced", "nothing would be written");
    let suspended = json!({"department": "Science", "title": "Analyst", "lifecycle": {"suspended": true}});
    tell(
        &mut world,
        &[
            identity("ada", 2, &json!({"department": "Arts", "title": "Analyst"})),
            identity("bob", 2, &suspended),
            identity("cy", 2, &person("Reader")),
            identity("dan", 1, &person("Analyst")),
        ],
    );
    let writes = world.writes;
    world.pass(60);
    assert_eq!(world.written("wiki").last().unwrap(), "False PlanOnly");
    let wiki = world.statuses["wiki"].clone();
    let plan = &wiki["heldPlans"][0];
    let counts = ["disables", "deletes", "revokes", "grants", "changes"].map(|field| plan[field].as_u64().unwrap());
    assert_eq!((&plan["reason"], &plan["hash"], counts), (&json!("PlanOnly"), &json!(""), [2, 0, 0, 0, 2]));
    assert_eq!(wiki["held"], 0, "nothing can be approved");
    let message = wiki["conditions"][0]["message"].as_str().unwrap();
    assert!(message.contains("removals of 1 identity, and of 1 more"), "{message}");
    world.written.clear();
    world.pass(1500);
    assert_eq!((world.written.clone(), world.writes), (Vec::new(), writes), "listing again changes nothing");
}

#[test]
fn two_who_manage_each_other_and_would_be_given_their_accounts_come_to_rest_in_mode_plan() {
    let person =
        |key: &str, manager: &str| json!({"externalId": key, "managerRef": {"name": manager}, "department": "Science"});
    let mut world = World::new();
    for (id, user_name, key) in [("x-1", "ada", "E-1"), ("x-2", "bob", "E-2")] {
        let id = TargetId::new(id);
        let attributes = [("userName".into(), user_name.into()), ("externalId".into(), key.into())].into();
        world.accounts.insert(id.clone(), Observed { id, enabled: true, attributes, holds: None });
    }
    let people = [identity("ada", 1, &person("E-1", "bob")), identity("bob", 1, &person("E-2", "ada"))];
    world.list(&with_settings(&people, &json!({"mode": "Plan"})));
    world.pass(30);
    let woken = world.sleep(500);
    assert!(woken < 50, "woken {woken} times in 500 s with nothing to do");
    assert_eq!(world.engine.sync(&Name::from("wiki")).unwrap().planned().len(), 2);
}

#[test]
fn who_waits_for_a_user_name_gets_it_as_soon_as_the_account_that_had_it_is_deleted() {
    let settings = json!({
        "deprovision": {"ended": {"action": "Disable", "deleteAfter": "1h"}},
        "sync": {"concurrency": 1, "interval": "24h"},
    });
    let mut all = with_settings(&[identity("ada", 1, &scientist("Analyst"))], &settings);
    all[0]["spec"]["userName"] = "shared".into();
    let mut world = World::new();
    world.list(&all);
    world.pass(30);
    let mut zoe = identity("zoe", 1, &scientist("Reader"));
    zoe["spec"]["userName"] = "shared".into();
    let joins = world.change(&zoe);
    world.tell(EngineEvent::Changed(vec![gone("ada"), joins]));
    world.pass(600);
    assert_eq!(world.account("zoe"), "Blocked");
    assert!(world.statuses["zoe"].to_string().contains("UserNameTaken"), "{}", world.statuses["zoe"]);
    world.pass(3600);
    assert_eq!((world.account("zoe").as_str(), world.accounts.len()), ("Provisioned", 1));
}

#[test]
fn a_rename_that_was_refused_is_tried_as_soon_as_the_account_that_had_the_name_is_deleted() {
    let settings = json!({
        "deprovision": {"ended": {"action": "Disable", "deleteAfter": "6h"}},
        "sync": {"concurrency": 1, "interval": "24h"},
    });
    let named = |name: &str, generation: i64, user_name: &str| {
        let mut one = identity(name, generation, &scientist("Analyst"));
        one["spec"]["userName"] = user_name.into();
        one
    };
    let mut world = World::new();
    world.list(&with_settings(&[named("ada", 1, "shared"), named("zoe", 1, "zoe")], &settings));
    world.pass(30);
    world.forbidden = Some("RenameAccount");
    let renamed = world.change(&named("zoe", 2, "shared"));
    world.tell(EngineEvent::Changed(vec![gone("ada"), renamed]));
    world.pass(6 * 3600 - 10);
    assert_eq!((world.account("zoe").as_str(), world.accounts.len()), ("Failed", 2));
    world.forbidden = None;
    world.pass(30);
    assert_eq!((world.account("zoe").as_str(), world.accounts.len()), ("Provisioned", 1));
}

#[test]
fn a_page_that_was_asked_for_before_other_keys_were_declared_is_not_taken_for_one_of_the_listing_after() {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    let accounts = |effects: Vec<EngineEffect>| {
        effects.into_iter().find_map(|effect| match effect {
            EngineEffect::Do { application, id, effect: Effect::Observe { kind: Kind::Accounts, .. } } => {
                Some((application, id))
            }
            _ => None,
        })
    };
    let mut listing = None;
    while listing.is_none() && world.second < 7200 {
        world.second += 1;
        let effects = world.handle(EngineEvent::Tick);
        listing = accounts(effects);
    }
    let (application, before) = listing.unwrap();
    let protects = json!({"safety": {"protected": [{"attribute": "title", "values": ["King"]}]}});
    let change = world.change(&with_settings(&[], &protects).pop().unwrap());
    let effects = world.handle(EngineEvent::Changed(vec![change]));
    assert!(accounts(effects).is_some(), "listed anew");
    let page = Page { items: Vec::new(), total: Some(0), next: None, profile: None, elsewhere: 0 };
    let late = Answer::Page(Ok(page));
    let spent = Spent::default();
    let effects = world.handle(EngineEvent::Answered { application, effect: before, answer: late, spent });
    assert!(effects.is_empty(), "{effects:?}");
}

#[test]
fn who_leaves_is_disabled_at_once_where_the_account_cannot_be_read() {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    (world.lose, world.forbids) = (true, true);
    tell(&mut world, &[identity("ada", 2, &scientist("Reader"))]);
    world.lose = false;
    world.pass(60);
    assert!(world.accounts[&world.id_of("ada")].enabled);
    world.applied.clear();
    let suspended = json!({"department": "Science", "title": "Reader", "lifecycle": {"suspended": true}});
    tell(&mut world, &[identity("ada", 3, &suspended)]);
    world.pass(2);
    assert_eq!(world.applied, ["DisableAccount"]);
    assert!(!world.accounts[&world.id_of("ada")].enabled);
    world.pass(600);
    assert_eq!(world.applied, ["DisableAccount"], "once");
}

#[test]
fn while_the_target_asks_for_a_long_pause_it_is_left_alone_and_that_is_told() {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    world.pause = Some(std::time::Duration::from_mins(10));
    tell(&mut world, &[identity("ada", 2, &scientist("Reader"))]);
    world.pass(30);
    assert_eq!(world.written("wiki").last().unwrap(), "False RateLimited");
    world.pause = None;
    let woken = world.sleep(500);
    assert!(woken < 60, "woken {woken} times");
    assert_eq!(world.accounts[&world.id_of("ada")].text("title"), Some("Analyst"));
    world.pass(120);
    assert_eq!(world.accounts[&world.id_of("ada")].text("title"), Some("Reader"));
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

#[test]
fn a_target_that_asks_for_a_pause_when_it_is_first_asked_is_told_as_that() {
    let mut world = World::new();
    world.pause = Some(std::time::Duration::from_mins(10));
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    assert_eq!(world.written("wiki").last().unwrap(), "False RateLimited");
    world.pause = None;
    world.pass(60);
    assert_eq!(world.written("wiki").last().unwrap(), "True Synced");
}

/// Ada and bob work; from now on the target is read, and no write is done.
fn takes_no_writes() -> World {
    let mut world = World::new();
    world.list(&declared(&["ada", "bob"].map(|name| identity(name, 1, &scientist("Analyst")))));
    world.pass(30);
    (world.lose, world.transient, world.done) = (true, true, false);
    world
}

fn suspended(name: &str) -> Value {
    identity(name, 2, &json!({"department": "Science", "title": "Analyst", "lifecycle": {"suspended": true}}))
}

#[test]
fn who_left_while_the_target_took_no_writes_is_disabled_within_minutes_of_its_taking_them_again() {
    let mut world = takes_no_writes();
    tell(&mut world, &[suspended("ada")]);
    world.pass(7200);
    world.lose = false;
    assert!(world.accounts[&world.id_of("ada")].enabled);
    world.pass(100);
    assert!(!world.accounts[&world.id_of("ada")].enabled);
}

#[test]
fn what_failed_while_the_target_took_no_writes_is_tried_again_as_soon_as_another_write_is_done() {
    let mut world = takes_no_writes();
    tell(&mut world, &[identity("ada", 2, &scientist("Reader"))]);
    world.pass(7200);
    world.lose = false;
    world.pass(2);
    assert_eq!(world.accounts[&world.id_of("ada")].text("title"), Some("Analyst"));
    tell(&mut world, &[identity("bob", 2, &scientist("Reader"))]);
    world.pass(5);
    assert_eq!(world.accounts[&world.id_of("ada")].text("title"), Some("Reader"));
}

#[test]
fn a_disable_that_was_refused_is_tried_again_within_minutes_however_often_it_was() {
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &scientist("Analyst"))]));
    world.pass(30);
    world.forbidden = Some("DisableAccount");
    tell(&mut world, &[suspended("ada")]);
    world.pass(6 * 3600);
    world.forbidden = None;
    world.pass(20 * 60);
    assert!(!world.accounts[&world.id_of("ada")].enabled);
}
