//! Another kind of connector in place of the one before.

use serde_json::{Value, json};

use super::{World, declared, identity, scientist, tell};
use crate::directory::tests::SCHEMA;
use crate::model::{ConnectorKind, Schema};

static OTHER: Schema = Schema { mapping: &[("login", "identity.userName")], user_name: "login", ..SCHEMA };

fn schemas(kind: ConnectorKind) -> &'static Schema {
    if kind == ConnectorKind::Scim { &OTHER } else { &SCHEMA }
}

/// The wiki behind a connector of another kind.
fn moved(acknowledge: &str) -> Value {
    let mut wiki = declared(&[]).pop().unwrap();
    let auth = json!({"bearer": {"secretRef": {"name": "wiki", "key": "token"}}});
    wiki["spec"]["connector"] = json!({"scim": {"url": "https://wiki.acme.test/scim/v2", "auth": auth}});
    wiki["spec"]["safety"] = json!({"acknowledge": acknowledge});
    wiki["metadata"]["generation"] = json!(2);
    wiki
}

#[test]
fn another_kind_of_connector_is_spoken_to_by_its_own_schema_and_what_was_under_way_is_looked_for() {
    let mut world = World::with(schemas);
    world.list(&declared(&[]));
    world.pass(30);
    // Whether ada's account was made is not known when the connector changes.
    (world.lose, world.done, world.goes) = (true, false, true);
    tell(&mut world, &[identity("ada", 1, &scientist("Analyst"))]);
    assert_eq!(world.intents.len(), 1);
    (world.lose, world.reachable) = (false, true);
    tell(&mut world, &[moved("")]);
    world.pass(60);
    let ready = &world.statuses["wiki"]["conditions"][0];
    assert_eq!(ready["reason"], "TargetChanged");
    assert!(world.accounts.is_empty());
    let token = ready["message"].as_str().unwrap().split_whitespace().last().unwrap().to_owned();
    tell(&mut world, &[moved(&token)]);
    world.pass(120);
    let logins: Vec<_> = world.accounts.values().map(|account| account.text("login")).collect();
    assert_eq!((logins, world.intents.len()), (vec![Some("ada")], 0), "{}", world.statuses["wiki"]);
}
