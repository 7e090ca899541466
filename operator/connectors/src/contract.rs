//! The suite that every connector passes, against a live target. It speaks through the port alone, makes its own
//! accounts and groups under a prefix, and says what is broken instead of panicking.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use provost_core::model::{
    Applied, Attributes, CorrelationKey, DeleteMeans, Item, Kind, Observability, Observed, ObservedEntitlement, Page,
    Profile, Schema, Step, TargetError, TargetId, Value,
};

use crate::target::AnyTarget;

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
}

/// Runs the whole suite; an empty list is success.
pub async fn contract(target: &AnyTarget, schema: &'static Schema, contract: &Contract) -> Vec<Broken> {
    let run = Run { target, schema, contract };
    let profile = match run.probe().await {
        Ok(profile) => profile,
        Err(seen) => return vec![Broken { promise: "a probe succeeds", seen }],
    };
    let mut broken = Vec::new();
    let mut note = |promise: &'static str, result: Result<(), String>| {
        broken.extend(result.err().map(|seen| Broken { promise, seen }));
    };
    note("what was written is read back as the same", run.round_trip().await);
    note("an account is found by its keys", run.finds().await);
    note("an update changes what it names and nothing else", run.updates().await);
    note("an empty value clears", run.clears().await);
    note("a rename keeps the id", run.renames().await);
    note("disabling and enabling can be repeated, and are seen", run.disables().await);
    note("an account can be created disabled", run.creates_disabled().await);
    note("a second account of one name is a conflict", run.conflicts().await);
    note("a deleted account is gone, and deleting it again is no error", run.deletes(&profile).await);
    note("what is not there is not found", run.not_found().await);
    note("hostile values come back as they were", run.hostile().await);
    note("groups are created once, renamed and deleted", run.groups().await);
    note("members are added and removed by deltas that can be repeated", run.members(&profile).await);
    note("a reference to another account is kept", run.manager().await);
    note("a listing has every account once, over several pages", run.pages().await);
    broken
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

    fn attributes(&self, name: &str, more: &[(&str, Value)]) -> Attributes {
        let mut attributes: Attributes = more.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        attributes.insert(self.schema.user_name.into(), self.name(name).as_str().into());
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
        let attributes = self.attributes(name, more);
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

    async fn round_trip(&self) -> Seen {
        let attributes = self.attributes(
            "ada",
            &[
                ("externalId", "E-1001".into()),
                ("displayName", "Ada Lovelace".into()),
                ("name.givenName", "Ada".into()),
                ("name.familyName", "Lovelace".into()),
                ("title", "Analyst".into()),
                ("preferredLanguage", "en".into()),
                ("userType", "Employee".into()),
                (
                    "emails",
                    Value::List(vec![
                        map(&[
                            ("value", "ada@acme.test".into()),
                            ("type", "work".into()),
                            ("primary", Value::Bool(true)),
                        ]),
                        map(&[("value", "ada@home.test".into()), ("type", "home".into())]),
                    ]),
                ),
                (
                    "phoneNumbers",
                    Value::List(vec![map(&[("value", "+44 20 5550 0100".into()), ("type", "work".into())])]),
                ),
                (
                    "addresses",
                    Value::List(vec![map(&[
                        ("type", "work".into()),
                        ("street", "1 High Street".into()),
                        ("locality", "London".into()),
                        ("country", "GB".into()),
                    ])]),
                ),
                ("department", "Engineering".into()),
                ("employeeNumber", "1001".into()),
                ("costCenter", "4711".into()),
                ("organization", "Acme".into()),
                ("division", "Research".into()),
            ],
        );
        let step = Step::CreateAccount { attributes: attributes.clone(), enabled: true, password: true };
        let applied = self.must(step).await?;
        let id = applied.id.ok_or("a create without an id")?;
        let account = self.read(&id).await?;
        ensure(account.enabled, || "it is disabled".into())?;
        self.holds(&account, &attributes)?;
        if let Some(observed) = applied.observed {
            self.holds(&observed, &attributes)?;
        }
        let listed = self.accounts().await?;
        let listed = listed.get(&id).ok_or("the listing does not have it")?;
        self.holds(listed, &attributes)
    }

    async fn find(&self, attribute: &str, value: &str) -> Result<Vec<TargetId>, String> {
        let key = CorrelationKey { attribute: attribute.into(), value: value.into() };
        let (found, _) = self.target.find(&key).await;
        Ok(found.map_err(|e| text(attribute, e))?.into_iter().map(|account| account.id).collect())
    }

    async fn finds(&self) -> Seen {
        let id = self.create("finds", &[("externalId", "E-finds".into())]).await?;
        for enabled in [true, false] {
            if !enabled {
                self.must(Step::DisableAccount { id: id.clone() }).await?;
            }
            for (attribute, value) in [("userName", self.name("finds")), ("externalId", "E-finds".to_owned())] {
                let found = self.find(attribute, &value).await?;
                ensure(found == [id.clone()], || format!("by {attribute}, enabled {enabled}: {found:?}"))?;
            }
        }
        let nobody = self.find("userName", &self.name("nobody")).await?;
        ensure(nobody.is_empty(), || text("nobody was found", nobody))
    }

    async fn updates(&self) -> Seen {
        let id = self.create("updates", &[("title", "Analyst".into()), ("department", "Old".into())]).await?;
        let email = Value::List(vec![map(&[("value", "new@acme.test".into()), ("type", "work".into())])]);
        let set: Attributes =
            [("title".into(), "Boss".into()), ("name.givenName".into(), "Ada".into()), ("emails".into(), email)].into();
        for _ in 0..2 {
            self.must(Step::UpdateAccount { id: id.clone(), set: set.clone() }).await?;
            let account = self.read(&id).await?;
            self.holds(&account, &set)?;
            self.holds(&account, &self.attributes("updates", &[("department", "Old".into())]))?;
        }
        Ok(())
    }

    async fn clears(&self) -> Seen {
        let before = [("title", "Analyst".into()), ("department", "Old".into()), ("name.givenName", "Ada".into())];
        let id = self.create("clears", &before).await?;
        let set: Attributes =
            [("title".into(), Value::Null), ("department".into(), "".into()), ("nickName".into(), Value::Null)].into();
        for _ in 0..2 {
            self.must(Step::UpdateAccount { id: id.clone(), set: set.clone() }).await?;
            let account = self.read(&id).await?;
            self.holds(&account, &set)?;
            self.holds(&account, &self.attributes("clears", &[("name.givenName", "Ada".into())]))?;
        }
        Ok(())
    }

    async fn renames(&self) -> Seen {
        let id = self.create("renames", &[("title", "Analyst".into())]).await?;
        let set = self.attributes("renamed", &[]);
        for _ in 0..2 {
            self.must(Step::RenameAccount { id: id.clone(), set: set.clone() }).await?;
        }
        self.holds(&self.read(&id).await?, &self.attributes("renamed", &[("title", "Analyst".into())]))?;
        let (old, new) =
            (self.find("userName", &self.name("renames")).await?, self.find("userName", &self.name("renamed")).await?);
        ensure(old.is_empty() && new == [id], || format!("old {old:?}, new {new:?}"))
    }

    async fn disables(&self) -> Seen {
        let id = self.create("disables", &[("title", "Analyst".into())]).await?;
        for enabled in [false, false, true, true] {
            let id = id.clone();
            self.must(if enabled { Step::EnableAccount { id } } else { Step::DisableAccount { id } }).await?;
            let account =
                self.read(&self.find("userName", &self.name("disables")).await?.pop().ok_or("hidden")?).await?;
            ensure(account.enabled == enabled, || format!("asked for enabled {enabled}"))?;
            self.holds(&account, &self.attributes("disables", &[("title", "Analyst".into())]))?;
        }
        Ok(())
    }

    async fn creates_disabled(&self) -> Seen {
        let attributes = self.attributes("sleeper", &[]);
        let applied = self.must(Step::CreateAccount { attributes, enabled: false, password: true }).await?;
        let account = self.read(&applied.id.ok_or("a create without an id")?).await?;
        ensure(!account.enabled, || "it is enabled".into())
    }

    async fn conflicts(&self) -> Seen {
        let id = self.create("conflicts", &[]).await?;
        let attributes = self.attributes("conflicts", &[]);
        let again =
            self.apply(Step::CreateAccount { attributes: attributes.clone(), enabled: true, password: true }).await;
        ensure(again == Err(TargetError::Conflict), || text("the create", again))?;
        let found = self.find("userName", &self.name("conflicts")).await?;
        ensure(found == [id], || text("found", found))?;
        let other = self.create("conflicts-too", &[]).await?;
        let renamed = self.apply(Step::RenameAccount { id: other, set: attributes }).await;
        ensure(renamed == Err(TargetError::Conflict), || text("the rename", renamed))
    }

    async fn deletes(&self, profile: &Profile) -> Seen {
        if profile.capabilities.delete == DeleteMeans::Denied {
            return Ok(());
        }
        let id = self.create("deletes", &[]).await?;
        for _ in 0..2 {
            self.must(Step::DeleteAccount { id: id.clone() }).await?;
        }
        let (read, _) = self.target.read(&id).await;
        let (found, read) = (self.find("userName", &self.name("deletes")).await?, read.map_err(|e| e.to_string())?);
        match profile.capabilities.delete {
            DeleteMeans::Hard => ensure(read.is_none() && found.is_empty(), || format!("{read:?} {found:?}")),
            _ => ensure(read.as_ref().is_none_or(|account| !account.enabled), || text("still enabled", read)),
        }
    }

    async fn not_found(&self) -> Seen {
        let nobody = TargetId::from("6b86b273-0000-4000-8000-ffffffffffff");
        let (read, _) = self.target.read(&nobody).await;
        ensure(read == Ok(None), || text("read", read))?;
        let set: Attributes = [("title".into(), "Boss".into())].into();
        let steps = [
            Step::UpdateAccount { id: nobody.clone(), set },
            Step::DisableAccount { id: nobody.clone() },
            Step::AddMembers { group: nobody.clone(), members: vec![nobody.clone()] },
        ];
        for step in steps {
            let (name, outcome) = (step.name(), self.apply(step).await);
            ensure(outcome == Err(TargetError::NotFound), || text(name, outcome))?;
        }
        Ok(())
    }

    async fn hostile(&self) -> Seen {
        let names = [
            r#"quo"te"#,
            r"back\slash",
            "two words",
            "per%20cent",
            "sla/sh",
            "Zoë",
            "日本",
            "a'b",
            "x&y=z",
            "q?a#b",
            r#"a" or userName pr or userName eq "b"#,
            "plus+sign",
            "semi;colon,comma",
            "(paren)[bracket]",
        ];
        for name in names {
            let external = format!("E {name}");
            let attributes = self.attributes(name, &[("externalId", external.as_str().into()), ("title", name.into())]);
            let step = Step::CreateAccount { attributes: attributes.clone(), enabled: true, password: true };
            let applied = self.must(step).await.map_err(|error| format!("{name:?}: {error}"))?;
            let id = applied.id.ok_or("a create without an id")?;
            self.holds(&self.read(&id).await?, &attributes)?;
            for (attribute, value) in [("userName", self.name(name)), ("externalId", external)] {
                let found = self.find(attribute, &value).await.map_err(|error| format!("{name:?}: {error}"))?;
                ensure(found == [id.clone()], || format!("{attribute} {value:?} finds {found:?}"))?;
            }
        }
        Ok(())
    }

    async fn groups(&self) -> Seen {
        let (name, mark) = (self.name("editors"), format!("provost:{}editors", self.contract.prefix));
        let create = || Step::CreateGroup { name: name.as_str().into(), mark: mark.as_str().into() };
        let id = self.must(create()).await?.id.ok_or("a create without an id")?;
        let again = self.must(create()).await?.id;
        ensure(again.as_ref() == Some(&id), || text("created again as", again))?;
        let other = Step::CreateGroup { name: name.as_str().into(), mark: "provost:other".into() };
        let other = self.apply(other).await;
        ensure(other == Err(TargetError::Conflict), || text("another of the name", other))?;
        let listed = self.group(&id).await?.ok_or("the listing does not have it")?;
        ensure(*listed.name == *name && listed.mark.as_deref() == Some(&*mark), || text("listed", listed))?;
        let renamed = self.name("writers \"and\" more");
        for _ in 0..2 {
            self.must(Step::UpdateGroup { id: id.clone(), name: renamed.as_str().into() }).await?;
        }
        let listed = self.group(&id).await?.ok_or("the listing does not have it any more")?;
        ensure(*listed.name == *renamed, || text("renamed", listed))?;
        for _ in 0..2 {
            self.must(Step::DeleteGroup { id: id.clone() }).await?;
        }
        let left = self.group(&id).await?;
        ensure(left.is_none(), || text("left", left))
    }

    async fn members(&self, profile: &Profile) -> Seen {
        let mut ids = Vec::new();
        for name in ["m1", "m2", "m3"] {
            ids.push(self.create(name, &[]).await?);
        }
        let create = Step::CreateGroup { name: self.name("team").as_str().into(), mark: "provost:team".into() };
        let group = self.must(create).await?.id.ok_or("a create without an id")?;
        let (two, last) = ids.split_at(2);
        let first = ids.get(..1).unwrap_or_default();
        let steps: [(Step, &[TargetId]); 5] = [
            (Step::AddMembers { group: group.clone(), members: two.to_vec() }, two),
            (Step::AddMembers { group: group.clone(), members: two.to_vec() }, two),
            (Step::AddMembers { group: group.clone(), members: ids.clone() }, &ids),
            (Step::RemoveMembers { group: group.clone(), members: ids.get(1..).unwrap_or_default().to_vec() }, first),
            (Step::RemoveMembers { group: group.clone(), members: last.to_vec() }, first),
        ];
        for (step, expected) in steps {
            let name = step.name();
            self.must(step).await?;
            self.has_members(profile, &group, expected, &ids).await.map_err(|seen| format!("after {name}: {seen}"))?;
        }
        Ok(())
    }

    async fn has_members(&self, profile: &Profile, group: &TargetId, expected: &[TargetId], all: &[TargetId]) -> Seen {
        let wanted: BTreeSet<&TargetId> = expected.iter().collect();
        let listed = self.group(group).await?.ok_or("the listing does not have the group")?;
        match (&listed.members, profile.capabilities.members) {
            (Some(members), _) => {
                let held: BTreeSet<&TargetId> = members.iter().collect();
                ensure(held == wanted && held.len() == members.len(), || {
                    format!("listed {members:?}, not {expected:?}")
                })?;
            }
            (None, Observability::Full) => return Err("the members are not shown".into()),
            (None, _) => {}
        }
        for id in all {
            if let Some(holds) = self.read(id).await?.holds {
                let (in_it, should) = (holds.contains(group), wanted.contains(id));
                ensure(in_it == should, || format!("{id} holds {holds:?}"))?;
            }
        }
        Ok(())
    }

    async fn manager(&self) -> Seen {
        let Some(reference) = self.schema.references.first() else { return Ok(()) };
        let grace = self.create("grace", &[]).await?;
        let report = self.create("report", &[(*reference, grace.as_str().into())]).await?;
        let wanted: Attributes = [((*reference).into(), grace.as_str().into())].into();
        self.holds(&self.read(&report).await?, &wanted)?;
        let edward = self.create("edward", &[]).await?;
        let set: Attributes = [((*reference).into(), edward.as_str().into())].into();
        self.must(Step::UpdateAccount { id: report.clone(), set: set.clone() }).await?;
        self.holds(&self.read(&report).await?, &set)?;
        let none: Attributes = [((*reference).into(), Value::Null)].into();
        self.must(Step::UpdateAccount { id: report.clone(), set: none.clone() }).await?;
        self.holds(&self.read(&report).await?, &none)
    }

    async fn pages(&self) -> Seen {
        let mut wanted = BTreeSet::new();
        for number in 0..self.contract.crowd {
            wanted.insert(self.create(&format!("crowd-{number:04}"), &[]).await?);
        }
        let listed: BTreeSet<TargetId> = self.accounts().await?.into_keys().collect();
        let missing: Vec<&TargetId> = wanted.difference(&listed).collect();
        ensure(missing.is_empty(), || format!("{} accounts are missing: {missing:?}", missing.len()))
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
            let Page { items: more, total, next } = page.map_err(|e| e.to_string())?;
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

fn sorted(value: &Value) -> Value {
    match value {
        Value::List(items) => {
            let mut items = items.clone();
            items.sort();
            Value::List(items)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use provost_core::model::EntitlementKind;

    use super::*;
    use crate::fake::{Fake, SCHEMA, Switches};

    async fn broken(switches: Switches) -> Vec<String> {
        let fake = Fake::alone();
        fake.with(|directory| {
            directory.switches = switches;
            directory.ensure(EntitlementKind::Group, "there before");
        });
        let what = Contract { prefix: "contract-".into(), crowd: 250 };
        contract(&AnyTarget::Fake(fake), &SCHEMA, &what).await.iter().map(Broken::to_string).collect()
    }

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        assert_eq!(broken(Switches::default()).await, Vec::<String>::new());
        let hidden = Switches { hide_members: true, page: 7, ..Switches::default() };
        assert_eq!(broken(hidden).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn the_suite_sees_a_directory_that_lags_refuses_or_is_down() {
        let lagging = Switches { lag: std::time::Duration::from_hours(1), ..Switches::default() };
        assert!(broken(lagging).await.len() > 5);
        let refusing = Switches { refuse: ["contract-renames".to_owned()].into(), ..Switches::default() };
        let seen = broken(refusing).await;
        assert!(matches!(seen.as_slice(), [one] if one.starts_with("a rename keeps the id")), "{seen:?}");
        assert_eq!(broken(Switches { down: true, ..Switches::default() }).await.len(), 1);
    }
}
