//! Any bytes as the answer of a realm of Keycloak: users, groups, roles, what a profile allows, refusals; any text as the
//! path of a group. The connector's own files are read here, since they are nobody else's.
#![no_main]
#![allow(dead_code, reason = "what reads is tried, what writes is there")]

use libfuzzer_sys::fuzz_target;

#[path = "../../../operator/connectors/src/keycloak/map.rs"]
mod map;
#[path = "../../../operator/connectors/src/keycloak/path.rs"]
mod path;
#[path = "../../../operator/connectors/src/keycloak/schema.rs"]
mod schema;
#[path = "../../../operator/connectors/src/keycloak/wire.rs"]
mod wire;

use wire::{Group, Mappings, Refused, Role, User, UserProfile, parse};

/// What is read and written again changes nothing.
fn looked_at(user: User, profile: &UserProfile) {
    let account = map::account(user.clone(), Some("mark"), |name| profile.is_list(name));
    for (name, value) in &account.attributes {
        assert!(!value.is_empty(), "{name} is held, and is nothing");
    }
    if let Ok(change) = map::Change::of(&account.attributes, Some("mark"), profile) {
        let _ = change.of_all(&user);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let refused = Refused::of(bytes);
    let _ = (refused.words(), refused.field(), wire::is_absent(bytes));
    assert!(refused.key().is_none_or(|key| key.len() <= 64), "what is no key is told");
    let profile: UserProfile = parse(bytes).unwrap_or_default();
    for user in parse::<Vec<User>>(bytes).unwrap_or_default() {
        looked_at(user, &profile);
    }
    if let Ok(user) = parse::<User>(bytes) {
        looked_at(user, &profile);
    }
    let _ = (parse::<Vec<Group>>(bytes), parse::<Vec<Role>>(bytes));
    let _ = parse::<Mappings>(bytes).map(|mappings| mappings.ids().count());
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(names) = path::split(text)
    {
        let joined = names.iter().fold(String::new(), |parent, name| path::join(&parent, name));
        assert_eq!(path::split(&joined).as_ref(), Some(&names), "joined and split they are other names");
    }
});
