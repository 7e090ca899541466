//! What an intent says was there before it, and is there after it.

use serde_json::{Value, json};

use super::membership::{object, policy};
use super::{World, identity, tell};
use crate::model::{AttributeName, Digest, Image, Intent};

fn wiki() -> Value {
    let editor = json!({"name": "editor", "target": {"group": {"name": "Editors", "create": true}}});
    let sync = json!({"concurrency": 1, "interval": "1m"});
    let leavers = json!({"action": "Disable", "deleteAfter": "2m"});
    let spec = json!({"connector": {"fake": {}}, "sync": sync, "deprovision": leavers, "entitlements": [editor]});
    object("TargetApplication", "wiki", &spec)
}

fn ada(title: &str) -> Value {
    json!({"department": "Science", "title": title})
}

/// Ada is an editor, and all of it has been listed since.
fn settled() -> World {
    let mut world = World::new();
    world.list(&[identity("ada", 1, &ada("Analyst")), policy("science", "Science", &["editor"]), wiki()]);
    world.pass(120);
    assert_eq!(world.names_in("Editors"), ["ada"]);
    world
}

fn last<'a>(world: &'a World, step: &str) -> &'a Intent {
    world.opened.iter().rfind(|intent| intent.step.name() == step).unwrap()
}

fn before(world: &World, step: &str) -> Image {
    last(world, step).before.as_deref().cloned().unwrap_or_default()
}

fn after(world: &World, step: &str) -> Image {
    last(world, step).after.as_deref().cloned().unwrap_or_default()
}

/// What is known of the title; `None`: nothing.
#[allow(clippy::option_option, reason = "not known is not empty")]
fn title(image: &Image) -> Option<Option<Digest>> {
    image.attributes.get(&AttributeName::new("title")).copied()
}

#[test]
fn what_a_write_says_was_there_is_what_the_write_before_it_says_it_made() {
    let mut world = settled();
    let made = after(&world, "CreateAccount");
    assert_eq!(
        (before(&world, "CreateAccount").exists, made.exists, made.enabled),
        (Some(false), Some(true), Some(true))
    );
    assert_eq!(
        (before(&world, "CreateGroup").exists, after(&world, "CreateGroup").name),
        (Some(false), Some("Editors".into()))
    );
    assert_eq!(before(&world, "AddMembers").held, [Some(false)]);

    tell(&mut world, &[identity("ada", 2, &ada("Reader"))]);
    world.pass(120);
    let (was, is) = (before(&world, "UpdateAccount"), after(&world, "UpdateAccount"));
    assert_eq!(was.attributes.len(), 1, "of what is written alone");
    assert!(title(&made).flatten().is_some() && title(&was) == title(&made), "{was:?}");
    assert!(title(&is).flatten().is_some() && title(&is) != title(&was), "{is:?}");

    tell(&mut world, &[identity("ada", 3, &json!({"department": "Science"}))]);
    world.pass(120);
    assert_eq!(title(&before(&world, "UpdateAccount")), title(&is));
    assert_eq!(title(&after(&world, "UpdateAccount")), Some(None), "it is cleared");

    tell(&mut world, &[identity("ada", 4, &ada("Boss"))]);
    world.pass(120);
    assert_eq!(title(&before(&world, "UpdateAccount")), Some(None), "it is known to have none");
}

#[test]
fn what_others_changed_meanwhile_is_what_was_there() {
    let mut world = settled();
    let made = title(&after(&world, "CreateAccount"));
    let id = world.id_of("ada");
    world.accounts.get_mut(&id).unwrap().attributes.insert("title".into(), "Boss".into());
    world.pass(120);
    let was = title(&before(&world, "UpdateAccount"));
    assert!(was.flatten().is_some() && was != made, "what somebody else wrote");
    assert_eq!(title(&after(&world, "UpdateAccount")), made);
    world.accounts.get_mut(&id).unwrap().attributes.remove(&AttributeName::new("title"));
    world.pass(120);
    assert_eq!(title(&before(&world, "UpdateAccount")), Some(None));
}

#[test]
fn a_leaver_was_an_enabled_member_and_what_is_deleted_is_told_whole() {
    let mut world = settled();
    let mut left = ada("Analyst");
    left["lifecycle"] = json!({"endTime": "2026-01-01T00:00:00Z"});
    tell(&mut world, &[identity("ada", 2, &left)]);
    world.pass(400);
    assert_eq!(world.accounts.len(), 0);
    assert_eq!(
        (before(&world, "DisableAccount").enabled, after(&world, "DisableAccount").enabled),
        (Some(true), Some(false))
    );
    assert_eq!(before(&world, "RemoveMembers").held, [Some(true)]);
    let gone = before(&world, "DeleteAccount");
    assert_eq!((gone.exists, gone.enabled), (Some(true), Some(false)));
    assert_eq!(title(&gone), title(&after(&world, "CreateAccount")));
    assert_eq!(after(&world, "DeleteAccount"), Image { exists: Some(false), ..Image::default() });
}

#[test]
fn what_is_not_shown_is_not_said_to_be_empty() {
    let mut world = World::new();
    world.blind = true;
    world.list(&[identity("ada", 1, &ada("Analyst")), policy("science", "Science", &["editor"]), wiki()]);
    world.pass(30);
    assert_eq!(last(&world, "AddMembers").before, None, "who is in the group is not shown");

    // A title is added before the account was listed again: what it had is not known, since nothing was written there.
    let mut world = World::new();
    world.list(&[identity("ada", 1, &json!({"department": "Science"})), policy("science", "Science", &[]), wiki()]);
    world.pass(5);
    tell(&mut world, &[identity("ada", 2, &ada("Reader"))]);
    world.pass(1);
    let update = last(&world, "UpdateAccount");
    assert_eq!(update.before, None, "{update:?}");
    assert!(title(update.after.as_deref().unwrap()).flatten().is_some());
}
