//! Accounts that are never written to.

use serde_json::{Value, json};

use super::safety::{enabled, ready, suspended, team};
use super::{World, tell};
use crate::directory::tests::SCHEMA;
use crate::model::Schema;

#[test]
fn a_protected_account_that_is_ours_is_left_alone_and_a_rename_does_not_lift_that() {
    let mut world = World::new();
    world.list(&team(2, &json!({})));
    world.pass(30);
    let protects = json!({"safety": {"protected": [{"attribute": "userName", "values": ["i-0"]}]}});
    tell(&mut world, &[team(2, &protects).pop().unwrap()]);
    world.pass(30);
    let id = world.id_of("i-0");
    world.accounts.get_mut(&id).unwrap().attributes.insert("userName".into(), "root".into());
    world.pass(700);
    tell(&mut world, &[suspended("i-0"), suspended("i-1")]);
    world.pass(60);
    assert_eq!(enabled(&world), 1);
    assert!(world.accounts[&id].enabled);
    assert_eq!(world.account("i-0"), "Blocked");
}

#[test]
fn an_account_is_protected_by_any_value_of_an_attribute_however_that_and_the_value_are_written() {
    static UPPER: Schema = Schema { spelling: crate::model::Spelling::Ldap, ..SCHEMA };
    let root = |primary: bool| json!({"value": "Root@acme.test", "primary": primary});
    let held: [(&str, Value); 6] = [
        ("USERNAME", json!("i-0")),
        ("mail", json!(["i-0@acme.test", "Root@acme.test"])),
        ("emails", json!([root(false), {"value": "other@acme.test"}])),
        ("uidNumber", json!(0)),
        ("admin", json!(true)),
        ("sn", json!("ROOT")),
    ];
    for ((attribute, value), listed) in
        held.into_iter().zip(["I-0", "root@acme.test", "ROOT@acme.test", "0", "true", "root"])
    {
        let mut world = World::with(|_| &UPPER);
        world.list(&team(2, &json!({"account": {"attributes": []}})));
        world.pass(30);
        let id = world.id_of("i-0");
        if attribute != "USERNAME" {
            let value = serde_json::from_value(value).unwrap();
            world.accounts.get_mut(&id).unwrap().attributes.insert(attribute.into(), value);
        }
        let protects = json!({"safety": {"protected": [{"attribute": attribute, "values": ["nobody", listed]}]}});
        tell(&mut world, &[team(2, &protects).pop().unwrap()]);
        world.pass(30);
        assert!(!ready(&world).1.contains("warning"), "{attribute}");
        tell(&mut world, &[suspended("i-0"), suspended("i-1")]);
        world.pass(60);
        assert!(world.accounts[&id].enabled && enabled(&world) == 1, "{attribute}");
    }
}

#[test]
fn who_is_taken_from_the_list_is_protected_no_longer_and_who_was_renamed_is() {
    let entry = |values: &[&str]| json!([{"attribute": "userName", "values": values}]);
    let protects = |values: &[&str]| team(3, &json!({"safety": {"protected": entry(values)}})).pop().unwrap();
    let mut world = World::new();
    world.list(&team(3, &json!({})));
    world.pass(30);
    tell(&mut world, &[protects(&["i-0", "i-1"])]);
    world.pass(30);
    let renamed = world.id_of("i-0");
    world.accounts.get_mut(&renamed).unwrap().attributes.insert("userName".into(), "root".into());
    world.pass(700);
    assert_eq!(world.standing.protected.len(), 2);
    // Of another list he would not be told from one that it never named.
    tell(&mut world, &[protects(&["i-2"])]);
    world.pass(30);
    let expected = [renamed.clone(), world.id_of("i-2")].into();
    assert_eq!(world.standing.protected, expected);
    assert!(!ready(&world).1.contains("warning"), "whom an entry named may have another name now");
    tell(&mut world, &[suspended("i-0"), suspended("i-1"), suspended("i-2")]);
    world.pass(60);
    let disabled = world.accounts.iter().filter(|(_, account)| !account.enabled).map(|(id, _)| id.clone());
    assert_eq!(disabled.collect::<Vec<_>>(), [world.id_of("i-1")]);
}

#[test]
fn another_attribute_in_the_list_lifts_nothing_before_the_target_is_listed_by_it() {
    let mut world = World::new();
    world.list(&team(2, &json!({})));
    world.pass(30);
    for n in 0..2 {
        let id = world.id_of(&format!("i-{n}"));
        world.accounts.get_mut(&id).unwrap().attributes.insert("sn".into(), format!("S{n}").as_str().into());
    }
    let of = |attribute: &str, value: &str| {
        let entry = json!([{"attribute": attribute, "values": [value]}]);
        team(2, &json!({"safety": {"protected": entry}})).pop().unwrap()
    };
    tell(&mut world, &[of("userName", "i-0")]);
    world.pass(30);
    assert_eq!(world.standing.protected, [world.id_of("i-0")].into());
    world.reachable = false;
    tell(&mut world, &[of("sn", "s1"), suspended("i-0")]);
    world.pass(60);
    assert_eq!(world.standing.protected, [world.id_of("i-0")].into(), "not listed yet");
    world.reachable = true;
    world.pass(700);
    assert_eq!(world.standing.protected, [world.id_of("i-1")].into());
    assert!(!world.accounts[&world.id_of("i-0")].enabled);
}

#[test]
fn a_list_that_names_the_login_name_as_another_target_does_protects_all_the_same() {
    static LOGIN: Schema = Schema { mapping: &[("uid", "identity.userName")], user_name: "uid", ..SCHEMA };
    let mut world = World::with(|_| &LOGIN);
    world.list(&team(2, &json!({"safety": {"protected": [{"attribute": "userName", "values": ["i-0"]}]}})));
    world.pass(700);
    tell(&mut world, &[suspended("i-0"), suspended("i-1")]);
    world.pass(60);
    assert_eq!(enabled(&world), 1);
}

#[test]
fn a_list_that_protects_nobody_is_told() {
    let mut world = World::new();
    let entry = |attribute: &str, value: &str| json!({"attribute": attribute, "values": [value]});
    let protects = json!({"safety": {"protected": [entry("userName", "i-0"), entry("uid", "i-0"), entry("sn", "x")]}});
    world.list(&team(2, &protects));
    world.pass(30);
    let warning = "; warning: no account has a value that spec.safety.protected lists for ";
    let (reason, message) = ready(&world);
    assert!(reason == "Synced" && message.contains(&format!("{warning}userName, uid, sn; ")), "{message}");
    // Who is there is not asked before the next listing.
    world.pass(700);
    let message = ready(&world).1;
    assert!(message.contains(&format!("{warning}uid, sn; correct the attribute or the values")), "{message}");
}

#[test]
fn an_account_is_left_alone_while_the_target_itself_protects_it() {
    static GUARDED: Schema = Schema { protection: Some("guard"), ..SCHEMA };
    let mut world = World::with(|_| &GUARDED);
    world.list(&team(2, &json!({})));
    world.pass(30);
    let id = world.id_of("i-0");
    world.accounts.get_mut(&id).unwrap().attributes.insert("guard".into(), "administrator".into());
    world.pass(700);
    tell(&mut world, &[suspended("i-0"), suspended("i-1")]);
    world.pass(60);
    assert!(world.accounts[&id].enabled && enabled(&world) == 1);
    assert_eq!(world.account("i-0"), "Blocked");
    // It has no list that somebody would have to empty.
    world.accounts.get_mut(&id).unwrap().attributes.remove("guard");
    world.pass(700);
    assert_eq!(enabled(&world), 0);
}
