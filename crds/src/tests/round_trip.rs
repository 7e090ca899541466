//! Reading a manifest and writing it again loses nothing that was said.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{AccessPolicy, Effect, Group, Identity, IdentityType, Polarity, Reason, TargetApplication, from_manifest};

fn read<K: DeserializeOwned>(spec: &Value) -> K {
    from_manifest(json!({"metadata": {"name": "a"}, "spec": spec})).unwrap()
}

fn spec_of<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).unwrap()["spec"].clone()
}

fn unchanged<K: DeserializeOwned + Serialize>(spec: &Value) {
    assert_eq!(&spec_of(&read::<K>(spec)), spec);
}

#[test]
fn absent_and_empty_stay_apart() {
    for spec in [
        json!({}),
        json!({"title": ""}),
        json!({"emails": []}),
        json!({"lifecycle": {}}),
        json!({"lifecycle": {"suspended": false}}),
        json!({"attributes": [{"name": "a", "value": ""}, {"name": "b", "values": []}]}),
    ] {
        unchanged::<Identity>(&spec);
    }
    for spec in [json!({}), json!({"members": []}), json!({"exclude": [], "description": ""})] {
        unchanged::<Group>(&spec);
    }
    for spec in
        [json!({"grants": []}), json!({"grants": [{"application": "wiki", "entitlements": []}], "subjects": []})]
    {
        unchanged::<AccessPolicy>(&spec);
    }
    unchanged::<TargetApplication>(&json!({
        "connector": {"fake": {}}, "account": {}, "safety": {"removals": [], "approvedPlan": ""},
        "entitlements": [{"name": "editor", "target": {"group": {"name": "editors", "create": false}}}]
    }));
}

#[test]
fn null_reads_as_absent() {
    assert_eq!(
        read::<Identity>(&json!({"title": null, "type": null, "emails": null, "lifecycle": null})),
        read(&json!({}))
    );
    let policy = json!({"grants": [{"application": "wiki", "entitlements": null}], "effect": null, "mode": null});
    assert_eq!(spec_of(&read::<AccessPolicy>(&policy)), json!({"grants": [{"application": "wiki"}]}));
}

#[test]
fn a_manifest_without_spec_reads_as_an_empty_one() {
    for manifest in [json!({"metadata": {"name": "a"}}), json!({"metadata": {"name": "a"}, "spec": null})] {
        assert_eq!(from_manifest::<Identity>(manifest).unwrap(), read(&json!({})));
    }
}

#[test]
fn unknown_fields_are_ignored() {
    assert_eq!(
        read::<Identity>(&json!({"departmnt": "x", "lifecycle": {"paused": true}})),
        read(&json!({"lifecycle": {}}))
    );
}

#[test]
fn odd_dates_and_unknown_words_do_not_make_an_object_unreadable() {
    let identity: Identity =
        read(&json!({"type": "Robot", "lifecycle": {"endTime": "9999-12-31T23:59:59Z", "startTime": "tomorrow"}}));
    assert_eq!(identity.spec.r#type, Some(IdentityType::Unrecognised("Robot".to_owned())));
    assert_eq!(identity.spec.lifecycle.unwrap().start_time.unwrap().as_str(), "tomorrow");
    let policy: AccessPolicy = read(&json!({"effect": "Perhaps", "grants": []}));
    assert_eq!(policy.spec.effect, Some(Effect::Unrecognised("Perhaps".to_owned())));
    unchanged::<AccessPolicy>(&json!({"effect": "Perhaps", "grants": []}));
}

#[test]
fn a_status_of_a_later_version_is_read() {
    let identity: Identity = from_manifest(json!({
        "metadata": {"name": "a"},
        "status": {"observedGeneration": 3, "lifecycleState": "Dreaming", "future": 1, "accounts": {"desired": 1, "provisioned": 0, "summary": "0/1"}}
    }))
    .unwrap();
    assert_eq!(identity.status.unwrap().observed_generation, Some(3));
}

#[test]
fn every_reason_reads_back_from_its_word() {
    for reason in Reason::ALL {
        assert_eq!(Reason::from_str(reason.as_str()), Ok(*reason));
        assert!(reason.as_str().len() <= 64 && reason.text().ends_with('.'), "{reason}");
    }
    assert_eq!(Reason::ALL.iter().filter(|reason| reason.polarity() == Polarity::Good).count(), 3);
}
