//! What the schema enforces is enforced here: every bound in it is overstepped in a manifest that is valid otherwise.

use std::collections::BTreeSet;

use provost_crds as crds;
use serde_json::{Value, json};

use super::{check, samples};

/// One way to spoil a manifest.
struct Spoiled {
    /// Where the error must be.
    path: String,
    /// What was overstepped.
    bound: String,
    /// Where in the JSON, and by what.
    pointer: String,
    value: Value,
}

/// A place in a manifest, with the schema's name for it.
#[derive(Clone)]
struct Place {
    path: String,
    pointer: String,
    generic: String,
}

impl Place {
    fn field(&self, name: &str) -> Self {
        let Self { path, pointer, generic } = self;
        Self {
            path: format!("{path}.{name}"),
            pointer: format!("{pointer}/{name}"),
            generic: format!("{generic}.{name}"),
        }
    }

    fn item(&self, at: usize) -> Self {
        let Self { path, pointer, generic } = self;
        Self { path: format!("{path}[{at}]"), pointer: format!("{pointer}/{at}"), generic: format!("{generic}[]") }
    }
}

#[derive(Default)]
struct Walk {
    spoiled: Vec<Spoiled>,
    seen: BTreeSet<String>,
    longest: Vec<Spoiled>,
}

impl Walk {
    fn spoil(&mut self, place: &Place, bound: &str, value: Value) {
        let Place { path, pointer, .. } = place.clone();
        self.spoiled.push(Spoiled { path, bound: bound.to_owned(), pointer, value });
    }

    fn visit(&mut self, place: &Place, schema: &Value, value: &Value) {
        self.seen.insert(place.generic.clone());
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = value.get(name) {
                self.visit(&place.field(name), schema, value);
            }
        }
        if let Some(items) = value.as_array() {
            self.list(place, schema, items);
        }
        if schema["type"] == "string" {
            self.text(place, schema);
        }
        // The schema writes bounds as 1.0, which prints as 1.
        let bound = |name: &str| schema[name].as_f64().and_then(|bound| bound.to_string().parse::<i64>().ok());
        if let Some(least) = bound("minimum") {
            self.spoil(place, "minimum", json!(least - 1));
        }
        if let Some(most) = bound("maximum") {
            self.spoil(place, "maximum", json!(most + 1));
        }
    }

    fn list(&mut self, place: &Place, schema: &Value, items: &[Value]) {
        for (at, item) in items.iter().enumerate() {
            self.visit(&place.item(at), &schema["items"], item);
        }
        let most = usize::try_from(schema["maxItems"].as_u64().unwrap()).unwrap();
        self.spoil(place, "maxItems", Value::Array(items.iter().cycle().take(most + 1).cloned().collect()));
        if schema["minItems"].is_u64() {
            self.spoil(place, "minItems", json!([]));
        }
        if schema["x-kubernetes-list-type"] != "atomic" {
            let twice: Vec<Value> = items.iter().chain(items.first()).cloned().collect();
            let last = place.item(items.len());
            self.spoiled.push(Spoiled {
                path: last.path,
                bound: "duplicate".to_owned(),
                pointer: place.pointer.clone(),
                value: Value::Array(twice),
            });
        }
    }

    fn text(&mut self, place: &Place, schema: &Value) {
        if schema["minLength"].is_u64() {
            self.spoil(place, "minLength", json!(""));
        }
        if schema["enum"].is_array() {
            self.spoil(place, "enum", json!("Bogus"));
            return;
        }
        let most = usize::try_from(schema["maxLength"].as_u64().unwrap()).unwrap();
        self.spoil(place, "maxLength", json!("a".repeat(most + 1)));
        if schema["format"] == "date-time" {
            for time in ["2026-12-01t08:00:00z", "9999-12-31T23:59:59Z", "2026-12-01", "1899-12-31T23:59:59Z"] {
                self.spoil(place, "date-time", json!(time));
            }
        } else if schema["x-kubernetes-validations"].is_null() && !place.path.to_lowercase().ends_with("url") {
            let Place { path, pointer, .. } = place.clone();
            let is_a_dn = path.to_lowercase().ends_with("dn") || path.ends_with("placeholder");
            let longest = if is_a_dn { format!("o={}", "a".repeat(most - 2)) } else { "a".repeat(most) };
            self.longest.push(Spoiled { path, bound: "at maxLength".to_owned(), pointer, value: json!(longest) });
        }
    }
}

fn schema_of(kind: &str) -> Value {
    let definitions = crds::custom_resource_definitions();
    let definition = definitions.iter().find(|definition| definition.spec.names.kind == kind).unwrap();
    let definition = serde_json::to_value(definition).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

fn root() -> Place {
    Place { path: "spec".to_owned(), pointer: String::new(), generic: "spec".to_owned() }
}

fn walk(kind: &str, sample: &Value) -> Walk {
    let mut walk = Walk::default();
    walk.visit(&root(), &schema_of(kind), sample);
    walk
}

fn with(sample: &Value, spoiled: &Spoiled) -> Value {
    let mut sample = sample.clone();
    *sample.pointer_mut(&spoiled.pointer).unwrap() = spoiled.value.clone();
    sample
}

#[test]
fn the_samples_are_valid() {
    for (kind, sample) in samples::all() {
        assert_eq!(check(kind, &sample), Ok(()));
    }
}

#[test]
fn every_bound_of_the_schema_is_enforced_at_its_place() {
    let mut count = 0;
    for (kind, sample) in samples::all() {
        for spoiled in walk(kind, &sample).spoiled {
            let Err(invalid) = check(kind, &with(&sample, &spoiled)) else {
                panic!("{kind}: {} was accepted beyond its {}", spoiled.path, spoiled.bound);
            };
            let paths: Vec<&str> = invalid.errors.iter().map(|error| &*error.path).collect();
            assert!(paths.contains(&&*spoiled.path), "{kind}: {} {}: {paths:?}", spoiled.path, spoiled.bound);
            count += 1;
        }
    }
    assert!(count > 400, "only {count}");
}

#[test]
fn what_just_fits_is_accepted() {
    for (kind, sample) in samples::all() {
        for longest in walk(kind, &sample).longest {
            assert_eq!(check(kind, &with(&sample, &longest)), Ok(()), "{kind}: {}", longest.path);
        }
    }
}

#[test]
fn the_samples_say_everything_that_can_be_said() {
    for kind in ["Identity", "Group", "AccessPolicy", "TargetApplication"] {
        let mut seen = BTreeSet::new();
        for (_, sample) in samples::all().into_iter().filter(|(other, _)| *other == kind) {
            seen.extend(walk(kind, &sample).seen);
        }
        let mut all = BTreeSet::new();
        names(&root(), &schema_of(kind), &mut all);
        assert_eq!(all.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new(), "{kind}");
    }
}

fn names(place: &Place, schema: &Value, all: &mut BTreeSet<String>) {
    all.insert(place.generic.clone());
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        names(&place.field(name), schema, all);
    }
    if schema["items"].is_object() {
        names(&place.item(0), &schema["items"], all);
    }
}
