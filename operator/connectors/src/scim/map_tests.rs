use super::*;

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

fn attributes(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

/// Every shape that the default mapping yields.
fn everything() -> Attributes {
    attributes(&[
        ("userName", "ada".into()),
        ("externalId", "E-1001".into()),
        ("name.givenName", "Ada".into()),
        ("name.familyName", "Lovelace".into()),
        (
            "emails",
            Value::List(vec![
                map(&[("value", "ada@home.test".into()), ("type", "home".into()), ("primary", Value::Bool(false))]),
                map(&[("value", "ada@acme.test".into()), ("type", "work".into()), ("primary", Value::Bool(true))]),
            ]),
        ),
        (
            "addresses",
            Value::List(vec![map(&[("type", "work".into()), ("street", "1 High St".into()), ("region", "".into())])]),
        ),
        ("department", "Engineering".into()),
        ("manager", "id-of-grace".into()),
        ("urn:acme:params:1.0:User:badge", Value::Int(7)),
        ("urn:acme:params:1.0:User:shifts", Value::List(vec!["late".into(), "early".into()])),
    ])
}

#[test]
fn what_is_created_is_read_back_as_the_same() {
    let mut resource = new_account(&everything(), true);
    resource.0.insert("id".into(), "1".into());
    let read = account(&resource).unwrap();
    for (name, value) in everything() {
        assert!(same(name.as_str(), &value, read.attributes.get(&name)), "{name}: {:?}", read.attributes.get(&name));
    }
    assert_eq!(read.attributes.len(), everything().len());
}

#[test]
fn what_a_put_changes_is_read_back_as_the_same() {
    let mut resource = Resource::of(json!({"schemas": [USER], "id": "1", "nickName": "kept"})).unwrap();
    for change in changes(&everything()) {
        put(&mut resource, &change);
    }
    let read = account(&resource).unwrap();
    for (name, value) in everything() {
        assert!(same(name.as_str(), &value, read.attributes.get(&name)), "{name}");
    }
    assert_eq!(read.text("nickName"), Some("kept"));
    assert_eq!(resource.get("schemas").unwrap().as_array().unwrap().len(), 3);
}

#[test]
fn create_and_put_write_the_wire_as_the_rfc_has_it() {
    let resource = new_account(&everything(), false);
    assert_eq!(resource.get("active"), Some(&json!(false)));
    assert_eq!(
        resource.get(ENTERPRISE),
        Some(&json!({"department": "Engineering", "manager": {"value": "id-of-grace"}}))
    );
    assert_eq!(resource.get("addresses"), Some(&json!([{"type": "work", "streetAddress": "1 High St"}])));
    assert_eq!(resource.get("name"), Some(&json!({"givenName": "Ada", "familyName": "Lovelace"})));
    assert_eq!(resource.get("schemas"), Some(&json!([USER, "urn:acme:params:1.0:User", ENTERPRISE])));
}

#[test]
fn a_put_keeps_what_it_does_not_know_and_spells_keys_as_the_target_does() {
    let mut resource = Resource::of(json!({
        "schemas": [USER, ENTERPRISE], "UserName": "ada", "Name": {"GivenName": "A", "familyName": "L"},
        ENTERPRISE: {"Department": "Old"}, "urn:x:y": {"secret": [1, 2]},
    }))
    .unwrap();
    let set = attributes(&[("userName", "ada2".into()), ("name.givenName", "Ada".into()), ("department", Value::Null)]);
    for change in changes(&set) {
        put(&mut resource, &change);
    }
    assert_eq!(
        Json::Object(resource.0),
        json!({
            "schemas": [USER], "UserName": "ada2", "Name": {"GivenName": "Ada", "familyName": "L"},
            "urn:x:y": {"secret": [1, 2]},
        })
    );
}

#[test]
fn patch_has_one_operation_with_a_path_for_each_attribute() {
    let set = attributes(&[("title", "Boss".into()), ("department", "".into()), ("name.givenName", "Ada".into())]);
    assert_eq!(
        patch(&changes(&set)).get("Operations"),
        Some(&json!([
            {"op": "remove", "path": format!("{ENTERPRISE}:department")},
            {"op": "replace", "path": "name.givenName", "value": "Ada"},
            {"op": "replace", "path": "title", "value": "Boss"},
        ]))
    );
}

#[test]
fn what_a_target_adds_and_reorders_is_no_difference() {
    let wanted = Value::List(vec![
        map(&[("value", "a@x".into()), ("primary", Value::Bool(true))]),
        map(&[("value", "b@x".into())]),
    ]);
    let resource = Resource::of(json!({"id": "1", "Emails": [
        {"value": "B@x", "primary": "false", "display": "B"},
        {"Value": "a@x", "Primary": "True", "$ref": "x"},
    ]}))
    .unwrap();
    let read = account(&resource).unwrap();
    assert!(same("emails", &wanted, read.attributes.get("emails")), "{read:?}");
}

#[test]
fn what_differs_is_a_difference() {
    let cases = [
        ("title", Value::from("Boss"), Some(Value::from("boss"))),
        ("title", Value::from("Boss"), None),
        ("title", Value::Null, Some(Value::from("Boss"))),
        (
            "emails",
            Value::List(vec![map(&[("value", "a@x".into()), ("primary", Value::Bool(true))])]),
            Some(Value::List(vec![map(&[("value", "a@x".into())])])),
        ),
    ];
    for (name, wanted, held) in cases {
        assert!(!same(name, &wanted, held.as_ref()), "{name}: {wanted:?} {held:?}");
    }
    assert!(same("userName", &"Ada".into(), Some(&"ada".into())));
    assert!(same("title", &"".into(), None));
}
