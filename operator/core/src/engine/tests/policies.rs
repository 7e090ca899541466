//! What policies say of themselves that takes more to know than their manifests.

use serde_json::{Value, json};

use super::membership::{object, policy, wiki};
use super::{World, identity, tell};

fn scientist(name: &str, suspended: bool) -> Value {
    let lifecycle = json!({"suspended": suspended});
    identity(name, 1 + i64::from(suspended), &json!({"department": "Science", "lifecycle": lifecycle}))
}

/// Three scientists, two of them editors.
fn editors(privileged: bool) -> World {
    let mut world = World::new();
    world.mirror("editors", None);
    let mut some = policy("some", "Science", &["editor"]);
    some["spec"]["subjects"] = json!([{"kind": "Identity", "name": "ada"}, {"kind": "Identity", "name": "bob"}]);
    let all = ["ada", "bob", "cy"].map(|name| scientist(name, false));
    let rest = [some, policy("science", "Science", &[]), wiki("Additive", privileged, &json!([]))];
    world.list(&all.into_iter().chain(rest).collect::<Vec<_>>());
    world.pass(60);
    assert_eq!(world.names_in("editors"), ["ada", "bob"]);
    world
}

fn ready(world: &World, policy: &str) -> String {
    world.statuses[policy]["conditions"][0]["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_deny_in_mode_audit_says_of_how_many_it_holds_removals_back_those_suspended_apart() {
    let mut world = editors(false);
    tell(&mut world, &[scientist("bob", true)]);
    world.pass(60);
    let deny = |mode: &str, grant: &Value| {
        let rule = "identity.department == 'Science'";
        object("AccessPolicy", "deny", &json!({"effect": "Deny", "mode": mode, "match": rule, "grants": [grant]}))
    };
    for (grant, said) in [
        (json!({"application": "wiki", "entitlements": ["editor"]}), "1 identity, and of 1 more who are suspended"),
        (json!({"application": "wiki", "entitlements": ["*"]}), "1 identity, and of 1 more who are suspended"),
        (json!({"application": "wiki"}), "2 identities, and of 1 more who are suspended"),
    ] {
        tell(&mut world, &[deny("Audit", &grant)]);
        world.pass(30);
        let message = ready(&world, "deny");
        assert!(message.contains(&format!("held back are removals of {said}")), "{grant}: {message}");
    }
    // What is held changes what it says, though nothing of it was edited.
    tell(&mut world, &[policy("science", "Nowhere", &[])]);
    tell(&mut world, &[policy("some", "Nowhere", &[])]);
    world.pass(120);
    let message = ready(&world, "deny");
    assert!(message.contains("removals of 0 identities, and of 1 more"), "{message}");
}

#[test]
fn an_account_that_was_taken_away_stays_disabled_while_its_policy_cannot_be_evaluated() {
    let sure = policy("science", "Science", &[]);
    let mut unknown = sure.clone();
    unknown["spec"]["match"] = json!("\"nowhere\" in identity.groups");
    let mut world = World::new();
    world.mirror("editors", None);
    world.list(&[scientist("ada", false), sure, wiki("Additive", false, &json!([]))]);
    world.pass(60);
    let id = world.id_of("ada");
    tell(&mut world, &[policy("science", "Nowhere", &[])]);
    world.pass(120);
    assert!(!world.accounts[&id].enabled);
    // Somebody enables it, and of the policy it is not known any more whom it grants what.
    tell(&mut world, &[unknown]);
    world.accounts.get_mut(&id).unwrap().enabled = true;
    world.pass(300);
    assert!(!world.accounts[&id].enabled, "{}", world.account("ada"));
}

#[test]
fn a_policy_that_cannot_be_evaluated_names_the_privileged_grants_that_stay_as_they_are() {
    for (privileged, named) in [(true, true), (false, false)] {
        let mut world = editors(privileged);
        let mut broken = policy("some", "Science", &["editor"]);
        broken["spec"]["match"] = json!("identity.departmnt == 'Science'");
        tell(&mut world, &[broken]);
        world.pass(60);
        let message = ready(&world, "some");
        let stays = message.ends_with("; privileged grants stay as they are meanwhile: wiki/editor");
        assert_eq!(stays, named, "{message}");
        assert_eq!(world.names_in("editors"), ["ada", "bob"]);
    }
}

#[test]
fn where_a_manifest_is_wrong_is_said_once() {
    let mut world = editors(false);
    let mut invalid = policy("some", "Science", &["editor"]);
    invalid["spec"]["notBefore"] = json!("2029-01-01T00:00:00Z");
    invalid["spec"]["notAfter"] = json!("2028-01-01T00:00:00Z");
    tell(&mut world, &[invalid]);
    world.pass(60);
    let message = ready(&world, "some");
    let path = message.split(": ").next().unwrap();
    assert!(path.starts_with("spec.not") && message.matches(path).count() == 1, "{message}");
}

#[test]
fn what_rests_on_a_policy_that_is_not_valid_goes_all_the_same_when_what_it_requires_is_not_met() {
    for (requires, left) in [("has(identity.title)", vec![]), ("identity.department == 'Science'", vec!["ada", "bob"])]
    {
        let mut world = editors(false);
        let mut invalid = policy("some", "Science", &["editor"]);
        invalid["spec"]["notBefore"] = json!("2029-01-01T00:00:00Z");
        invalid["spec"]["notAfter"] = json!("2028-01-01T00:00:00Z");
        tell(&mut world, &[invalid]);
        world.pass(60);
        assert_eq!(world.written("some").last().unwrap(), "False InvalidSpec");
        assert_eq!(world.names_in("editors"), ["ada", "bob"], "it is kept");
        let mut stricter = wiki("Additive", false, &json!([]));
        stricter["metadata"]["generation"] = json!(2);
        stricter["spec"]["entitlements"][0]["requires"] = json!(requires);
        tell(&mut world, &[stricter]);
        world.pass(120);
        assert_eq!(world.names_in("editors"), left, "{requires}");
    }
}

#[test]
fn what_others_took_from_somebody_suspended_rests_no_more_on_a_policy_that_grants_it_no_more() {
    let mut world = editors(false);
    let rests = |world: &World| {
        let ada = world.records.values().find(|record| record.owner.name.as_str() == "ada").unwrap();
        ada.grants[&crate::model::TargetId::from("g-editors")]
            .policies
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    tell(&mut world, &[policy("also", "Science", &["editor"])]);
    world.pass(60);
    assert_eq!(rests(&world), ["also", "some"]);
    tell(&mut world, &[scientist("ada", true)]);
    world.pass(60);
    let ada = world.id_of("ada");
    world.members(&"g-editors".into()).retain(|id| *id != ada);
    world.pass(120);
    tell(&mut world, &[policy("also", "Nowhere", &["editor"])]);
    world.pass(120);
    assert_eq!(rests(&world), ["some"]);
    assert_eq!(world.names_in("editors"), ["bob"], "nothing is given to who is suspended");
}

#[test]
fn a_status_names_more_than_the_first_of_what_is_not_there_and_says_how_much_more_there_is() {
    let group = |name: &str| json!({"kind": "Group", "name": name});
    let mut world = editors(false);
    let mut lacking = policy("lacking", "Science", &["editor", "owner"]);
    lacking["spec"]["subjects"] = json!([group("a"), group("b"), group("c"), group("d")]);
    tell(&mut world, &[lacking.clone()]);
    world.pass(30);
    assert_eq!(world.written("lacking"), ["False ReferenceNotFound"]);
    let message = ready(&world, "lacking");
    let owner =
        "spec.grants[application=wiki].entitlements: TargetApplication wiki has no entitlement owner; it has: editor";
    assert_eq!(message, format!("{owner}; also not there: Group a, Group b and 2 more"));

    tell(&mut world, &["a", "b", "c"].map(|name| object("Group", name, &json!({}))));
    world.pass(30);
    assert_eq!(ready(&world, "lacking"), format!("{owner}; also not there: Group d"));
    tell(&mut world, &[object("Group", "d", &json!({}))]);
    world.pass(30);
    assert_eq!(ready(&world, "lacking"), owner);

    // A catalogue that is longer than a message.
    let mut large = wiki("Additive", false, &json!([]));
    large["metadata"]["generation"] = json!(2);
    let entry = |n: usize| json!({"name": format!("entitlement-{n}"), "target": {"group": {"name": format!("g{n}")}}});
    large["spec"]["entitlements"] = (0..50).map(entry).collect();
    tell(&mut world, &[large]);
    world.pass(30);
    let message = ready(&world, "lacking");
    assert!(message.ends_with("; also not there: entitlement owner of wiki"), "{message}");

    let pushed = ["x", "y"].map(|name| json!({"name": name, "groupRef": {"name": name}}));
    let mut pushing = wiki("Additive", false, &json!(pushed));
    pushing["metadata"]["generation"] = json!(3);
    tell(&mut world, &[pushing]);
    world.pass(30);
    let message = ready(&world, "wiki");
    assert!(message.contains("there is no Group x; ") && message.ends_with("; also not there: Group y"), "{message}");
}
