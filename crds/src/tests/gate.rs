//! What every field of every schema must have: a description, bounds, a list type; and what none may have.

use serde_json::Value;

use crate::custom_resource_definitions;

/// Every schema below the root, with its path.
fn schemas() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for definition in custom_resource_definitions() {
        let definition = serde_json::to_value(definition).unwrap();
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        collect(&kind, root, &mut all);
    }
    assert!(all.len() > 250, "the walk found only {} schemas", all.len());
    all
}

fn collect(path: &str, schema: &Value, all: &mut Vec<(String, Value)>) {
    all.push((path.to_owned(), schema.clone()));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(&format!("{path}.{name}"), property, all);
    }
    if schema["items"].is_object() {
        collect(&format!("{path}[]"), &schema["items"], all);
    }
    if schema["additionalProperties"].is_object() {
        collect(&format!("{path}{{}}"), &schema["additionalProperties"], all);
    }
}

fn refuse(rule: &str, broken: impl Fn(&str, &Value) -> bool) {
    let found: Vec<String> =
        schemas().into_iter().filter(|(path, schema)| broken(path, schema)).map(|(path, _)| path).collect();
    assert!(found.is_empty(), "{rule}: {found:#?}");
}

#[test]
fn every_field_is_described() {
    refuse("has no description", |path, schema| {
        !path.ends_with(']') && !path.ends_with('}') && schema["description"].as_str().is_none_or(|text| text.len() < 8)
    });
}

#[test]
fn every_optional_field_of_a_spec_names_its_default() {
    for (path, schema) in schemas().into_iter().filter(|(path, _)| path.contains(".spec")) {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !required.contains(&name.as_str()))
        {
            let text = property["description"].as_str().unwrap();
            let union = text.contains("xactly one");
            assert!(
                text.contains("Default") || union || [".target", ".auth"].iter().any(|union| path.ends_with(union)),
                "{path}.{name} does not name its default: {text}"
            );
            if let Some(default) = property.get("default").filter(|default| !default.is_object() && !default.is_array())
            {
                let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
                assert!(
                    text.contains(&format!("Default: {default}.")),
                    "{path}.{name} has the default {default} and says: {text}"
                );
            }
        }
    }
}

#[test]
fn every_list_is_typed_and_bounded() {
    refuse("list without type, keys or bound", |_, schema| {
        let keyed = schema["x-kubernetes-list-type"] != "map"
            || schema["x-kubernetes-list-map-keys"].as_array().is_some_and(|keys| !keys.is_empty());
        schema["type"] == "array"
            && !(schema["x-kubernetes-list-type"].is_string() && keyed && schema["maxItems"].is_u64())
    });
}

#[test]
fn the_keys_of_every_list_map_are_required() {
    refuse("key is not required", |_, schema| {
        schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|key| !schema["items"]["required"].as_array().is_some_and(|required| required.contains(key)))
    });
}

#[test]
fn every_string_is_bounded() {
    let ours = |path: &str| path.contains(".spec") || path.contains(".status");
    refuse("string without bound", |path, schema| {
        ours(path) && schema["type"] == "string" && schema["maxLength"].is_null() && schema["enum"].is_null()
    });
}

#[test]
fn every_map_is_bounded() {
    refuse("map without bound", |_, schema| {
        schema["additionalProperties"].is_object() && schema["maxProperties"].is_null()
    });
}

#[test]
fn nothing_is_nullable_unsigned_or_floating() {
    refuse("nullable", |_, schema| !schema["nullable"].is_null());
    refuse("null among the words", |_, schema| {
        schema["enum"].as_array().is_some_and(|words| words.iter().any(|word| !word.is_string()))
    });
    refuse("unsigned", |_, schema| schema["format"].as_str().is_some_and(|format| format.starts_with("uint")));
    refuse("floating", |_, schema| schema["type"] == "number");
    refuse("more than one type", |_, schema| !schema["type"].is_string());
    refuse("a choice of schemas", |_, schema| {
        ["oneOf", "anyOf", "allOf", "not"].iter().any(|word| !schema[word].is_null())
    });
}

#[test]
fn nothing_inside_a_list_has_a_default() {
    refuse("default inside a list", |path, schema| path.contains("[]") && !schema["default"].is_null());
}

#[test]
fn no_name_or_word_is_a_boolean_in_yaml() {
    let boolean = |word: &str| {
        ["y", "n", "yes", "no", "on", "off", "null", "true", "false", "~"].contains(&word.to_lowercase().as_str())
    };
    refuse("boolean as a name", |path, _| path.rsplit('.').next().is_some_and(boolean));
    refuse("boolean among the words", |path, schema| {
        !path.contains(".conditions[]")
            && schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).any(boolean)
    });
}

#[test]
fn rules_on_what_may_hold_a_secret_stand_on_the_parent() {
    refuse("rule on the string itself", |path, schema| {
        path.to_lowercase().ends_with("url")
            && (!schema["x-kubernetes-validations"].is_null()
                || !schema["pattern"].is_null()
                || !schema["format"].is_null())
    });
}

#[test]
fn names_columns_and_defaults_are_those_of_the_documentation() {
    let mut seen = Vec::new();
    for definition in custom_resource_definitions() {
        let definition = serde_json::to_value(definition).unwrap();
        let names = &definition["spec"]["names"];
        assert_eq!(names["categories"], serde_json::json!(["provost"]));
        let version = &definition["spec"]["versions"][0];
        let schema = &version["schema"]["openAPIV3Schema"]["properties"];
        assert_eq!(schema["status"]["default"], serde_json::json!({"observedGeneration": -1}));
        let kind = names["kind"].as_str().unwrap();
        assert_eq!(!schema["spec"]["default"].is_null(), ["Identity", "Group"].contains(&kind), "{kind}");
        let columns: Vec<String> = version["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| {
                format!("{}{}", column["name"].as_str().unwrap(), if column["priority"] == 1 { "+" } else { "" })
            })
            .collect();
        seen.push(format!(
            "{} {} {}",
            definition["metadata"]["name"].as_str().unwrap(),
            names["shortNames"][0].as_str().unwrap(),
            columns.join(" ")
        ));
    }
    assert_eq!(
        seen,
        [
            "identities.provost.dev ident Ready Reason State Accounts Age UserName+ Department+ Status+",
            "groups.provost.dev igrp Ready Reason Members Age Status+",
            "accesspolicies.provost.dev apol Ready Reason Effect Mode Identities Age Grants+ Status+",
            "targetapplications.provost.dev tapp Ready Reason Mode Accounts Failed Held Age Status+",
        ]
    );
}
