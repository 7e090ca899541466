//! What an account should look like, and by what an existing one is recognised.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Directory;
use super::application::{ApplicationSpec, From};
use super::entry::IdentityEntry;
use crate::model::{Apply, AttributeName, CorrelationKey, Name, PackedIdentity, Reason, Value};
use crate::policy::Unknown;

/// Every mapped attribute of one account.
pub type AccountAttributes = BTreeMap<AttributeName, AccountAttribute>;

/// One mapped attribute of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountAttribute {
    /// What it should be.
    pub value: AttributeValue,
    /// Kept so, or set once.
    pub apply: Apply,
}

/// What an attribute of an account should be.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// This; an empty value ([`Value::is_empty`]) clears what we wrote.
    Value(Value),
    /// The id of this identity's account in the same application (its manager); `None`: there is none.
    Account(Option<Name>),
    /// It cannot be told, and why: the attribute stays as it is.
    Unknown(Unknown),
}

/// Why nothing can be said of an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is no such Identity.
    #[error("there is no Identity {0}")]
    NoIdentity(Name),
    /// The Identity's manifest is invalid.
    #[error("the manifest of Identity {0} is invalid")]
    InvalidIdentity(Name),
    /// There is no such TargetApplication, or its manifest is invalid.
    #[error("TargetApplication {0} is not there or invalid")]
    Application(Name),
    /// A correlation key cannot be evaluated: an account that exists might not be found by the others.
    #[error("correlation by {attribute} cannot be evaluated: {message}")]
    Key {
        /// Which key.
        attribute: AttributeName,
        /// Of the closed set.
        reason: Reason,
        /// What happened.
        message: Arc<str>,
    },
}

impl Directory {
    /// What the attributes of an identity's account should be: the connector's default mapping, extended or replaced
    /// by `spec.account.attributes`.
    pub fn attributes(&self, owner: &Name, application: &Name) -> Result<AccountAttributes, Unreadable> {
        let (entry, identity, spec) = self.readable(owner, application)?;
        let attributes = self.with_facts(entry, identity, Some(application.as_str()), |facts| {
            let value = |from: &From| match from {
                From::Literal(value) => AttributeValue::Value(value.clone()),
                From::Manager => AttributeValue::Account(identity.manager().map(Name::from)),
                From::Rule(rule) => rule.value(facts).map_or_else(AttributeValue::Unknown, AttributeValue::Value),
            };
            let one = |(attribute, mapped): (&AttributeName, &super::application::Mapped)| {
                (attribute.clone(), AccountAttribute { value: value(&mapped.from), apply: mapped.apply })
            };
            spec.mapping.iter().map(one).collect()
        });
        Ok(attributes)
    }

    /// By what an account that exists is recognised, in order. Empty keys are left out.
    pub fn correlation_keys(&self, owner: &Name, application: &Name) -> Result<Vec<CorrelationKey>, Unreadable> {
        let (entry, identity, spec) = self.readable(owner, application)?;
        self.with_facts(entry, identity, Some(application.as_str()), |facts| {
            let mut keys = Vec::new();
            for (attribute, rule) in &spec.correlate {
                let value = rule.value(facts).map_err(|unknown| Unreadable::Key {
                    attribute: attribute.clone(),
                    reason: unknown.reason,
                    message: unknown.message.into(),
                })?;
                if let Some(text) = value.as_text().filter(|text| !text.is_empty()) {
                    keys.push(CorrelationKey { attribute: attribute.clone(), value: text.into() });
                }
            }
            Ok(keys)
        })
    }

    fn readable(
        &self,
        owner: &Name,
        application: &Name,
    ) -> Result<(&IdentityEntry, &PackedIdentity, &ApplicationSpec), Unreadable> {
        let entry = self.entry(owner).ok_or_else(|| Unreadable::NoIdentity(owner.clone()))?;
        let identity = entry.spec.as_ref().map_err(|_| Unreadable::InvalidIdentity(owner.clone()))?;
        let spec = self.application_spec(application).ok_or_else(|| Unreadable::Application(application.clone()))?;
        Ok((entry, identity, spec))
    }
}
