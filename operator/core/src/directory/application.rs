//! A TargetApplication with its expressions compiled, once a change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::Names;
use super::problem::Problem;
use super::rules::Ruled;
use crate::model::{
    Apply, AttributeName, Entitlement, Invalid, MappingSource, Meta, Name, Reason, Schema, Source, TargetApplication,
    Value,
};
use crate::policy::Site;

/// A TargetApplication.
#[derive(Debug)]
pub(crate) struct ApplicationEntry {
    pub meta: Meta,
    pub spec: Result<Box<ApplicationSpec>, Invalid>,
}

/// A valid TargetApplication.
#[derive(Debug)]
pub(crate) struct ApplicationSpec {
    pub application: TargetApplication,
    pub schema: &'static Schema,
    /// The catalogue by name, each with who may have it.
    pub catalogue: BTreeMap<Name, Option<Ruled>>,
    /// The connector's default mapping with what the manifest says in its place.
    pub mapping: BTreeMap<AttributeName, Mapped>,
    /// Expressions of attributes that cannot be mapped: nothing comes of them, and they are looked at all the same.
    pub unmapped: Vec<Ruled>,
    /// How an existing account is recognised, in order.
    pub correlate: Vec<(AttributeName, Ruled)>,
    /// An expression reads the manager: his changes are his reports' changes.
    pub reads_manager: bool,
    /// What is wrong with it beyond its schema.
    pub faults: Vec<Problem>,
}

/// One attribute of an account.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub from: From,
    pub apply: Apply,
}

/// Where an attribute's value comes from.
#[derive(Debug)]
pub(crate) enum From {
    Literal(Value),
    Rule(Box<Ruled>),
    /// The account of the identity's manager.
    Manager,
}

impl ApplicationSpec {
    /// With its expressions compiled.
    pub fn new(mut application: TargetApplication, schema: &'static Schema, names: &mut Names<'_>) -> Self {
        let faults = spell(&mut application, schema);
        let mut spec = Self {
            catalogue: catalogue(&application, names),
            mapping: defaults(schema, names),
            unmapped: Vec::new(),
            correlate: correlate(&application, schema, names),
            reads_manager: false,
            faults,
            application,
            schema,
        };
        spec.map(names);
        spec.check_kinds();
        let reads_manager = spec.rules().any(Ruled::reads_manager);
        spec.reads_manager = reads_manager;
        spec
    }

    /// Every expression of it.
    pub fn rules(&self) -> impl Iterator<Item = &Ruled> {
        let mapped = self.mapping.values().filter_map(|mapped| match &mapped.from {
            From::Rule(rule) => Some(&**rule),
            From::Literal(_) | From::Manager => None,
        });
        let required = self.catalogue.values().flatten();
        required.chain(self.correlate.iter().map(|(_, rule)| rule)).chain(mapped).chain(&self.unmapped)
    }

    /// What the manifest maps, in place of or besides the defaults. A control attribute is never mapped.
    fn map(&mut self, names: &mut Names<'_>) {
        let mut mapped = BTreeMap::new();
        for mapping in &self.application.account.attributes {
            let declared = &mapping.attribute;
            let before = mapped.insert(self.schema.spelling.canonical(declared.as_str()), declared);
            let twice = || {
                before
                    .map(|before| format!("{declared} is {before}, which an entry before maps; remove one of the two"))
            };
            if let Some(why) =
                self.schema.unmappable(declared).or_else(|| mistaken(self.schema, declared)).or_else(twice)
            {
                let path = format!("spec.account.attributes[name={declared}]").into();
                self.faults.push(Problem::at(Reason::InvalidSpec, path, why));
                if let MappingSource::Expression(source, _) = &mapping.source {
                    self.unmapped.push(names.compile(source, Site::Attribute));
                }
                continue;
            }
            let attribute = self.schema.spelled(declared);
            let (from, apply) = match &mapping.source {
                MappingSource::Literal(value, apply) => (From::Literal(value.clone()), *apply),
                MappingSource::Expression(source, apply) => {
                    (From::Rule(Box::new(names.compile(source, Site::Attribute))), *apply)
                }
                MappingSource::Never => {
                    self.mapping.remove(&attribute);
                    continue;
                }
            };
            self.mapping.insert(attribute, Mapped { from, apply });
        }
    }

    fn check_kinds(&mut self) {
        for entitlement in &self.application.entitlements {
            let kind = entitlement.target.kind;
            if !self.schema.entitlements.contains(&kind) {
                self.faults.push(Problem::at(
                    Reason::Unsupported,
                    format!("spec.entitlements[name={}].target", entitlement.name).into(),
                    format!(
                        "this connector has no entitlements of kind {kind:?}; it knows {:?}",
                        self.schema.entitlements
                    ),
                ));
            }
        }
    }
}

/// Attributes that accounts are recognised or protected by, as the schema spells them; what is wrong with one. One that is surely
/// meant protects all the same.
fn spell(application: &mut TargetApplication, schema: &Schema) -> Vec<Problem> {
    let recognised = application.account.correlate.iter_mut().map(|key| &mut key.attribute);
    let recognised = recognised.enumerate().map(|(at, name)| (format!("spec.account.correlate[{at}]"), name));
    let protected = application.safety.protected.iter_mut().map(|(attribute, _)| attribute);
    let protected = protected.enumerate().map(|(at, name)| (format!("spec.safety.protected[{at}]"), name));
    let mut faults = Vec::new();
    for (place, name) in recognised.chain(protected) {
        if let Some(why) = mistaken(schema, name) {
            faults.push(Problem::at(Reason::InvalidSpec, format!("{place}.attribute").into(), why));
        }
        *name = schema.meant(name).map_or_else(|| schema.spelled(name), AttributeName::from);
    }
    faults
}

fn mistaken(schema: &Schema, name: &AttributeName) -> Option<String> {
    schema.meant(name).map(|meant| format!("{name} is no attribute of this target; write {meant}"))
}

fn catalogue(application: &TargetApplication, names: &mut Names<'_>) -> BTreeMap<Name, Option<Ruled>> {
    let entry = |entitlement: &Entitlement| {
        let requires = entitlement.requires.as_ref().map(|source| names.compile(source, Site::Requires));
        (entitlement.name.clone(), requires)
    };
    application.entitlements.iter().map(entry).collect()
}

/// The connector's own mapping. What refers to another account refers to the manager's: no connector has any other.
fn defaults(schema: &'static Schema, names: &mut Names<'_>) -> BTreeMap<AttributeName, Mapped> {
    let one = |(attribute, text): &(&'static str, &'static str)| {
        let from = if schema.references.contains(attribute) {
            From::Manager
        } else {
            let path = format!("the connector's default for {attribute}").into();
            From::Rule(Box::new(names.compile(&Source { text: Arc::from(*text), path }, Site::Attribute)))
        };
        (AttributeName::from(*attribute), Mapped { from, apply: Apply::Always })
    };
    schema.mapping.iter().map(one).collect()
}

/// As the manifest says, else externalId and then userName.
fn correlate(
    application: &TargetApplication,
    schema: &'static Schema,
    names: &mut Names<'_>,
) -> Vec<(AttributeName, Ruled)> {
    let declared = &application.account.correlate;
    if !declared.is_empty() {
        let one =
            |key: &crate::model::Correlate| (key.attribute.clone(), names.compile(&key.expression, Site::Correlation));
        return declared.iter().map(one).collect();
    }
    let external = schema.external_id.map(|attribute| (attribute, "identity.externalId"));
    let defaults = external.into_iter().chain([(schema.user_name, "identity.userName")]);
    let one = |(attribute, text): (&'static str, &'static str)| {
        let source = Source { text: text.into(), path: "the default correlation".into() };
        (AttributeName::from(attribute), names.compile(&source, Site::Correlation))
    };
    defaults.map(one).collect()
}
