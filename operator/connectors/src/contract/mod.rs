//! The suite that every connector passes, against a live target. It speaks through the port alone, makes its own
//! accounts and groups under a prefix, and says what is broken instead of panicking.

mod accounts;
mod groups;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use provost_core::model::{
    Applied, Attributes, CorrelationKey, Item, Kind, Observed, ObservedEntitlement, Page, Profile, Schema, Step,
    TargetError, TargetId, Value,
};

use crate::target::AnyTarget;

/// How many promises the suite looks at.
pub const PROMISES: usize = 16;

/// What a target or its connector does not do as the port promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The promise.
    pub promise: &'static str,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.seen)
    }
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Every user name and group name begins with it.
    pub prefix: String,
    /// How many accounts the paging test makes; more than a page of the target.
    pub crowd: usize,
    /// What the target calls what is written.
    pub words: Words,
}

/// The attributes of a target that the suite writes, beside the schema's `user_name`.
#[derive(Clone, Debug)]
pub struct Words {
    /// The strong key.
    pub external_id: &'static str,
    /// Three attributes that hold one text each, and one that is never set.
    pub title: &'static str,
    /// See `title`.
    pub department: &'static str,
    /// See `title`.
    pub given_name: &'static str,
    /// See `title`.
    pub never_set: &'static str,
    /// E-mail addresses, by their values: the first is the primary one.
    pub emails: fn(&[&str]) -> (&'static str, Value),
    /// A name as the target can have it for the login name.
    pub login: fn(&str) -> String,
    /// What else a new account must have, by its user name.
    pub needed: fn(&str) -> Vec<(&'static str, Value)>,
    /// Everything else that is written and read back.
    pub full: fn() -> Vec<(&'static str, Value)>,
}

impl Words {
    /// Of SCIM, and of what takes its names.
    pub fn scim() -> Self {
        Self {
            external_id: "externalId",
            title: "title",
            department: "department",
            given_name: "name.givenName",
            never_set: "nickName",
            emails: |values| {
                let email = |(at, value): (usize, &&str)| {
                    let kind = if at == 0 { "work" } else { "home" };
                    let mut email = vec![("value", Value::from(*value)), ("type", kind.into())];
                    // One alone need not be marked.
                    email.extend((at == 0 && values.len() > 1).then_some(("primary", Value::Bool(true))));
                    map(&email)
                };
                ("emails", Value::List(values.iter().enumerate().map(email).collect()))
            },
            login: str::to_owned,
            needed: |_| Vec::new(),
            full: scim_full,
        }
    }

    /// Of Keycloak, in a realm that declares title, department, nickName and shifts (with several values).
    pub fn keycloak() -> Self {
        Self {
            external_id: "externalId",
            title: "title",
            department: "department",
            given_name: "firstName",
            never_set: "nickName",
            emails: |values| ("email", values.first().map_or(Value::Null, |value| Value::from(*value))),
            login: str::to_owned,
            needed: |_| Vec::new(),
            full: || {
                vec![
                    ("emailVerified", Value::Bool(true)),
                    ("lastName", "Lovelace".into()),
                    ("shifts", Value::List(vec!["early".into(), "late".into()])),
                ]
            },
        }
    }

    /// Of a user of Active Directory; the name of its entry is as it is given.
    pub fn active_directory() -> Self {
        Self {
            external_id: "externalId",
            title: "title",
            department: "department",
            given_name: "givenName",
            never_set: "division",
            emails: |values| ("proxyAddresses", Value::List(values.iter().map(|value| Value::from(*value)).collect())),
            login: |name| {
                let plain = |c: char| if "\"/\\[]:|<>+=;?,*".contains(c) { '_' } else { c };
                name.chars().map(plain).take(20).collect()
            },
            needed: |name| vec![("cn", name.into())],
            full: || {
                let texts = [
                    ("displayName", "Ada Lovelace"),
                    ("sn", "Lovelace"),
                    ("userPrincipalName", "ada@acme.test"),
                    ("mail", "ada@acme.test"),
                    ("accountExpires", "2027-11-30T16:00:00Z"),
                    ("employeeNumber", "1001"),
                    ("company", "Acme"),
                ];
                texts.map(|(name, value)| (name, value.into())).to_vec()
            },
        }
    }

    /// Of inetOrgPerson (RFC 2798).
    pub fn ldap() -> Self {
        Self {
            external_id: "externalId",
            title: "title",
            department: "ou",
            given_name: "givenName",
            never_set: "preferredLanguage",
            emails: |values| ("mail", Value::List(values.iter().map(|value| Value::from(*value)).collect())),
            login: str::to_owned,
            needed: |name| vec![("cn", name.into()), ("sn", name.into())],
            full: || {
                let texts = [
                    ("displayName", "Ada Lovelace"),
                    ("telephoneNumber", "+44 20 5550 0100"),
                    ("street", "1 High Street"),
                    ("l", "London"),
                    ("employeeNumber", "1001"),
                    ("employeeType", "Employee"),
                    ("o", "Acme"),
                ];
                texts.map(|(name, value)| (name, value.into())).to_vec()
            },
        }
    }
}

fn scim_full() -> Vec<(&'static str, Value)> {
    vec![
        ("displayName", "Ada Lovelace".into()),
        ("name.familyName", "Lovelace".into()),
        ("preferredLanguage", "en".into()),
        ("userType", "Employee".into()),
        ("phoneNumbers", Value::List(vec![map(&[("value", "+44 20 5550 0100".into()), ("type", "work".into())])])),
        (
            "addresses",
            Value::List(vec![map(&[
                ("type", "work".into()),
                ("street", "1 High Street".into()),
                ("locality", "London".into()),
                ("country", "GB".into()),
            ])]),
        ),
        ("employeeNumber", "1001".into()),
        ("costCenter", "4711".into()),
        ("organization", "Acme".into()),
        ("division", "Research".into()),
    ]
}

/// Runs the whole suite; an empty list is success.
pub async fn contract(target: &AnyTarget, schema: &'static Schema, contract: &Contract) -> Vec<Broken> {
    let run = Run { target, schema, contract };
    if let Err(seen) = run.probe().await {
        return vec![Broken { promise: "a probe succeeds", seen }];
    }
    let kept: [(&'static str, Seen); PROMISES - 1] = [
        ("what was written is read back as the same", run.round_trip().await),
        ("an account is found by its keys", run.finds().await),
        ("an update changes what it names and nothing else", run.updates().await),
        ("an empty value clears", run.clears().await),
        ("a rename keeps the id", run.renames().await),
        ("disabling and enabling can be repeated, and are seen", run.disables().await),
        ("an account can be created disabled", run.creates_disabled().await),
        ("a second account of one name is a conflict", run.conflicts().await),
        ("a deleted account is gone, and deleting it again is no error", run.deletes().await),
        ("what is not there is not found", run.not_found().await),
        ("hostile values come back as they were", run.hostile().await),
        ("groups are created once, renamed and deleted", run.groups().await),
        ("members are added and removed by deltas that can be repeated", run.members().await),
        ("a reference to another account is kept", run.manager().await),
        ("a listing has every account once, over several pages", run.pages().await),
    ];
    let broken = kept.into_iter().filter_map(|(promise, kept)| Some(Broken { promise, seen: kept.err()? }));
    broken.collect()
}

struct Run<'a> {
    target: &'a AnyTarget,
    schema: &'static Schema,
    contract: &'a Contract,
}

type Seen = Result<(), String>;

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Seen {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn text<T: fmt::Debug>(what: &str, value: T) -> String {
    format!("{what}: {value:?}")
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

impl Run<'_> {
    async fn probe(&self) -> Result<Profile, String> {
        let (profile, spent) = self.target.probe().await;
        let profile = profile.map_err(|e| e.to_string())?;
        ensure(spent.requests > 0, || "it spent no request".into())?;
        ensure(profile.measured.len() <= 64, || "more than 64 lines of profile".into())?;
        Ok(profile)
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.contract.prefix)
    }

    fn login(&self, name: &str) -> String {
        (self.contract.words.login)(&self.name(name))
    }

    fn attributes(&self, name: &str, more: &[(&str, Value)]) -> Attributes {
        let mut attributes: Attributes = more.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        attributes.insert(self.schema.user_name.into(), self.login(name).as_str().into());
        attributes
    }

    /// Of a new account.
    fn new_account(&self, name: &str, more: &[(&str, Value)]) -> Attributes {
        let mut attributes = self.attributes(name, more);
        for (name, value) in (self.contract.words.needed)(&self.name(name)) {
            attributes.entry(name.into()).or_insert(value);
        }
        attributes
    }

    async fn apply(&self, step: Step) -> Result<Applied, TargetError> {
        let (mut outcomes, spent) = self.target.apply(&[step]).await;
        if outcomes.len() != 1 || spent.requests == 0 {
            return Err(TargetError::Malformed("one step has one outcome and costs a request".into()));
        }
        outcomes.pop().unwrap_or(Err(TargetError::NotFound))
    }

    async fn must(&self, step: Step) -> Result<Applied, String> {
        let name = step.name();
        self.apply(step).await.map_err(|error| text(name, error))
    }

    async fn create(&self, name: &str, more: &[(&str, Value)]) -> Result<TargetId, String> {
        let attributes = self.new_account(name, more);
        let applied = self.must(Step::CreateAccount { attributes, enabled: true, password: true }).await?;
        applied.id.ok_or_else(|| "a create without an id".into())
    }

    async fn read(&self, id: &TargetId) -> Result<Observed, String> {
        let (read, _) = self.target.read(id).await;
        read.map_err(|e| e.to_string())?.ok_or_else(|| format!("{id} is not there"))
    }

    fn holds(&self, account: &Observed, attributes: &Attributes) -> Seen {
        for (name, value) in attributes {
            let held = account.attributes.get(name);
            ensure(same(self.schema, name.as_str(), value, held), || {
                format!("{name}: wrote {value:?}, read {held:?}")
            })?;
        }
        Ok(())
    }

    async fn find(&self, attribute: &str, value: &str) -> Result<Vec<TargetId>, String> {
        let key = CorrelationKey { attribute: attribute.into(), value: value.into() };
        let (found, _) = self.target.find(&key).await;
        Ok(found.map_err(|e| text(attribute, e))?.into_iter().map(|account| account.id).collect())
    }

    async fn accounts(&self) -> Result<BTreeMap<TargetId, Observed>, String> {
        let mut accounts = BTreeMap::new();
        for item in self.listing(Kind::Accounts).await? {
            if let Item::Account(account) = item
                && let Some(twice) = accounts.insert(account.id.clone(), account)
            {
                return Err(format!("{} is listed twice", twice.id));
            }
        }
        Ok(accounts)
    }

    async fn group(&self, id: &TargetId) -> Result<Option<ObservedEntitlement>, String> {
        let groups = self.listing(Kind::Groups).await?;
        Ok(groups.into_iter().find_map(|item| match item {
            Item::Entitlement(group) if group.id == *id => Some(group),
            _ => None,
        }))
    }

    async fn listing(&self, kind: Kind) -> Result<Vec<Item>, String> {
        let (mut items, mut token, mut totals) = (Vec::new(), None, BTreeSet::new());
        for _ in 0..1000 {
            let (page, _) = self.target.observe(kind, token.as_ref()).await;
            let Page { items: more, total, next, .. } = page.map_err(|e| e.to_string())?;
            ensure(more.len() <= 500, || format!("a page of {}", more.len()))?;
            items.extend(more);
            totals.extend(total);
            token = next;
            if token.is_none() {
                let seen = items.len() as u64;
                ensure(totals.iter().all(|total| *total == seen), || format!("{seen} items, totals {totals:?}"))?;
                return Ok(items);
            }
        }
        Err("the listing does not end".into())
    }
}

/// Equal but for the order of lists and, where the schema says so, for case.
fn same(schema: &Schema, name: &str, wanted: &Value, held: Option<&Value>) -> bool {
    let (wanted, held) = (sorted(wanted), sorted(held.unwrap_or(&Value::Null)));
    if wanted.is_empty() || held.is_empty() {
        return wanted.is_empty() == held.is_empty();
    }
    match (&wanted, &held) {
        (Value::Text(wanted), Value::Text(held)) if schema.case_insensitive.contains(&name) => {
            wanted.to_lowercase() == held.to_lowercase()
        }
        _ => wanted == held,
    }
}

/// A list of one text is that text, as it is to the core.
fn sorted(value: &Value) -> Value {
    match value {
        Value::List(items) if matches!(items.as_slice(), [Value::Text(_)]) => {
            items.first().cloned().unwrap_or(Value::Null)
        }
        Value::List(items) => {
            let mut items = items.clone();
            items.sort();
            Value::List(items)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
