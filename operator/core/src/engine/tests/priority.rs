//! In which order writes go out that are due together.

use serde_json::{Value, json};

use super::membership::{object, policy};
use super::{World, identity, tell};

/// A wiki with these groups, whose removals settle for ten seconds and whose requests go out one at a time.
fn wiki(groups: &[String]) -> Value {
    let entitlement = |name: &String| json!({"name": name, "target": {"group": {"name": name}}});
    let entitlements: Vec<Value> = groups.iter().map(entitlement).collect();
    object(
        "TargetApplication",
        "wiki",
        &json!({"connector": {"fake": {}}, "sync": {"concurrency": 1}, "entitlements": entitlements}),
    )
}

fn person(name: &str, department: &str, title: &str) -> Value {
    identity(name, 1, &json!({"department": department, "title": title}))
}

#[test]
fn what_a_deny_takes_goes_before_who_joins_and_moves_and_what_no_policy_gives_any_more_after_them() {
    let mut world = World::new();
    world.mirror("editors", None);
    let science = policy("science", "Science", &["editors"]);
    let law = policy("law", "Law", &[]);
    world.list(&[
        person("denied", "Science", "Analyst"),
        person("loses", "Arts", "Analyst"),
        person("moves", "Law", "Analyst"),
        science,
        policy("arts", "Arts", &[]),
        law,
        wiki(&["editors".into()]),
    ]);
    world.pass(60);
    assert_eq!(world.names_in("editors"), ["denied"]);
    world.applied.clear();
    let mut deny = policy("no-editors", "Science", &["editors"]);
    deny["spec"]["effect"] = json!("Deny");
    tell(&mut world, &[policy("arts", "Nowhere", &[]), deny]);
    world.pass(9);
    assert_eq!(world.applied, Vec::<&str>::new(), "they settle");
    world.second += 1;
    tell(&mut world, &[person("joins", "Law", "Analyst"), person("moves", "Law", "Reader")]);
    world.pass(20);
    assert_eq!(world.applied, ["RemoveMembers", "CreateAccount", "UpdateAccount", "DisableAccount"]);
}

#[test]
fn what_no_policy_gives_any_more_goes_together_where_the_target_takes_many_steps_at_once() {
    let names: Vec<String> = (0..4).map(|n| format!("team-{n}")).collect();
    let mut world = World::new();
    world.batch = 10;
    let mut all = vec![wiki(&names), policy("all", "Science", &[])];
    for name in &names {
        world.mirror(name, None);
        all.extend([person(name, name, "Analyst"), policy(name, name, &[name.as_str()])]);
    }
    all.extend((0..20).map(|n| person(&format!("i-{n}"), "Science", "Analyst")));
    world.list(&all);
    world.pass(60);
    assert_eq!(world.names_in("team-3"), ["team-3"]);
    (world.writes, world.requests) = (0, 0);
    let taken: Vec<Value> = names.iter().map(|name| policy(name, name, &[])).collect();
    tell(&mut world, &taken);
    world.pass(60);
    assert_eq!((world.writes, world.requests), (4, 1));
}

/// So many scientists with a wiki that is listed every minute, and zoe, who has an account no more.
fn left(others: usize, zoe: Value) -> World {
    let mut wiki = wiki(&[]);
    wiki["spec"]["sync"]["interval"] = json!("1m");
    let mut all: Vec<Value> = (0..others).map(|n| person(&format!("i-{n}"), "Science", "Analyst")).collect();
    all.extend([person("zoe", "Science", "Analyst"), policy("science", "Science", &[]), wiki]);
    let mut world = World::new();
    world.list(&all);
    world.pass(60);
    tell(&mut world, &[zoe]);
    world.pass(120);
    assert_eq!(world.applied.pop(), Some("DisableAccount"));
    world.applied.clear();
    world
}

/// Others enable zoe's account, and give everybody another title.
fn tamper(world: &mut World) {
    let zoes = world.id_of("zoe");
    for (id, account) in &mut world.accounts {
        account.enabled = true;
        if *id != zoes {
            account.attributes.insert("title".into(), "Boss".into());
        }
    }
}

#[test]
fn an_account_that_should_be_disabled_and_is_found_enabled_has_a_leavers_turn() {
    let ended = json!({"department": "Science", "title": "Analyst", "lifecycle": {"endTime": "2026-01-01T00:00:00Z"}});
    // More than have their turns before the first of them is written.
    let mut world = left(100, identity("zoe", 2, &ended));
    tamper(&mut world);
    world.pass(70);
    assert_eq!(world.applied.first(), Some(&"DisableAccount"));
    assert_eq!(world.applied.len(), 101);
}

#[test]
fn an_account_that_was_taken_away_and_is_found_enabled_is_disabled_before_other_drift_also_where_its_owner_stays() {
    let mut world = left(10, person("zoe", "Arts", "Analyst"));
    tamper(&mut world);
    world.pass(70);
    assert_eq!(world.applied.first(), Some(&"DisableAccount"));
    assert_eq!(world.applied.len(), 11);
}
