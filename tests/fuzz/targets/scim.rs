//! Any bytes as the answer of a SCIM service: lists, resources and errors. The connector's own files are read here, since
//! they are nobody else's.
#![no_main]
#![allow(dead_code, reason = "what reads is tried, what writes is there")]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;

#[path = "../../../operator/connectors/src/scim/map.rs"]
mod map;
#[path = "../../../operator/connectors/src/scim/names.rs"]
mod names;
#[path = "../../../operator/connectors/src/scim/schema.rs"]
mod schema;
#[path = "../../../operator/connectors/src/scim/wire.rs"]
mod wire;

use schema::SCHEMA;

fn looked_at(resource: &wire::Resource) {
    for ids in [resource.groups(), resource.members()].into_iter().flatten() {
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "an id is told twice");
        assert!(ids.iter().all(|id| !id.as_str().is_empty()), "an id is nothing");
    }
    let _ = (resource.repeats_members(), resource.version());
    assert_eq!(map::group(resource, None).is_some(), resource.id().is_some());
    let Some(account) = map::account(resource) else { return };
    for (name, value) in &account.attributes {
        let name = name.as_str();
        assert!(map::same(name, value, Some(value)), "{name} is not the same as itself: {value:?}");
        assert_eq!(map::canonical(name, value), *value, "{name} is not read in its one shape");
    }
    let written = map::new_account(&account.attributes, account.enabled);
    assert_eq!(written.active(), Some(account.enabled));
}

fuzz_target!(|bytes: &[u8]| {
    let _ = wire::scim_error(bytes);
    if let Ok(resource) = wire::resource(bytes) {
        looked_at(&resource);
    }
    if let Ok(list) = wire::list_response(bytes) {
        for resource in &list.resources {
            assert!(resource.id().is_some(), "a resource without an id is no resource");
            looked_at(resource);
        }
    }
});
