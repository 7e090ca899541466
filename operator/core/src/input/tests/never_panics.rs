//! No manifest, however odd, makes a room panic; and no error repeats what may be a secret.

use proptest::prelude::*;
use provost_crds as crds;
use serde_json::{Map, Value, json};

use super::samples;
use crate::input::{access_policy, group, identity, target_application};
use crate::model::Invalid;

/// Every room, whatever the manifest was meant to be; one that is not even of the kind's shape is refused before.
fn through_every_room(manifest: &Value) -> Vec<Invalid> {
    let mut found = Vec::new();
    if let Ok(object) = crds::from_manifest(manifest.clone()) {
        found.extend(identity(&object).err());
    }
    if let Ok(object) = crds::from_manifest(manifest.clone()) {
        found.extend(group(&object).err());
    }
    if let Ok(object) = crds::from_manifest(manifest.clone()) {
        found.extend(access_policy(&object).err());
    }
    if let Ok(object) = crds::from_manifest(manifest.clone()) {
        found.extend(target_application(&object).err());
    }
    for invalid in &found {
        assert!(!invalid.errors.is_empty() && invalid.errors.len() <= 65);
        for error in &invalid.errors {
            assert!(error.value.as_ref().is_none_or(|value| value.chars().count() <= 64), "{error}");
            assert!(!error.message.is_empty() && !error.remedy.is_empty(), "{error}");
        }
    }
    found
}

/// The pointers of all parts of a manifest.
fn nodes(pointer: &str, value: &Value, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| nodes(&format!("{pointer}/{name}"), value, found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| nodes(&format!("{pointer}/{at}"), value, found));
        }
        _ => {}
    }
}

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,20}",
        "[0-9]{0,8}[hms]?[0-9]{0,8}[hms]?",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(Z|z|[+-][0-9]{2}:[0-9]{2})?",
        "https?://[a-z@:/?#\\[\\] é]{0,20}",
        "[a-z\\u{5d0}-\\u{5d4}\\u{600}-\\u{610}\\u{ff21}-\\u{ff30}\\u{300}-\\u{310}\\u{200d}ßİŉ]{0,12}",
    ]
}

fn odd_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        odd_text().prop_map(Value::from),
    ];
    let name = prop_oneof!["[a-z]{1,3}", prop::sample::select(names())];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every name of every field.
fn names() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                found.push(name.clone());
                collect(value, found);
            }),
            Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (_, sample) in samples::all() {
        collect(&sample, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn odd_texts_in_a_valid_manifest_do_not_panic(
        which in 0..8_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), odd_text()), 1..4),
        name in prop_oneof![Just("ada".to_owned()), odd_text()],
    ) {
        let (_, mut spec) = samples::all().swap_remove(which);
        let mut found = Vec::new();
        nodes("", &spec, &mut found);
        found.retain(|pointer| spec.pointer(pointer).is_some_and(Value::is_string));
        for (index, text) in edits {
            *spec.pointer_mut(index.get(&found).as_str()).unwrap() = json!(text);
        }
        through_every_room(&json!({"metadata": {"name": name}, "spec": spec}));
    }

    #[test]
    fn odd_parts_of_a_valid_manifest_do_not_panic(which in 0..8_usize, at in any::<prop::sample::Index>(), part in odd_json()) {
        let (_, mut spec) = samples::all().swap_remove(which);
        let mut found = Vec::new();
        nodes("", &spec, &mut found);
        *spec.pointer_mut(at.get(&found).as_str()).unwrap() = part;
        through_every_room(&json!({"metadata": {"name": "ada"}, "spec": spec}));
    }

    #[test]
    fn odd_shapes_do_not_panic(spec in odd_json(), name in odd_text()) {
        through_every_room(&json!({"metadata": {"name": name}, "spec": spec}));
        through_every_room(&json!({"spec": spec}));
        through_every_room(&spec);
    }

    #[test]
    fn what_may_hold_a_secret_is_never_repeated(before in odd_text(), after in odd_text(), place in 0..4_usize) {
        let secret = format!("{before}hunter2{after}");
        let reference = json!({"name": "a", "key": "b"});
        let mut scim = json!({
            "url": "https://wiki.acme.test",
            "auth": {"oauth2ClientCredentials": {"tokenUrl": "https://id.acme.test", "clientId": "", "clientSecretRef": reference}}
        });
        let pointer = ["/url", "/auth/oauth2ClientCredentials/tokenUrl", "/auth/oauth2ClientCredentials/clientId",
            "/auth/oauth2ClientCredentials/clientSecretRef/key"];
        *scim.pointer_mut(pointer[place]).unwrap() = json!(secret);
        let manifest = json!({"metadata": {"name": "wiki"}, "spec": {"connector": {"scim": scim}, "mode": "Bogus"}});
        let object = crds::from_manifest(manifest).unwrap();
        let Err(invalid) = target_application(&object) else { panic!("mode: Bogus was accepted") };
        for error in &invalid.errors {
            prop_assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
