//! Accounts: reading and writing one.

use std::collections::BTreeSet;

use provost_core::model::{
    Applied, AttributeName, Attributes, CorrelationKey, Observed, Spent, TargetError, TargetId, Value,
};

use super::settings::Disable;
use super::wire::value::{from_wire, to_wire};
use super::wire::{Change, Entry, Filter, Refusal, Search, code, dn, entry, post_read, values};
use super::{Known, Ldap, SCHEMA, Sort, Write, map, schema};

/// What stands for an entry that is no account of ours.
const FOREIGN: &str = "dn:";

impl Ldap {
    /// Accounts with a key, disabled ones included.
    pub(crate) async fn find(&self, key: &CorrelationKey, spent: &mut Spent) -> Result<Vec<Observed>, TargetError> {
        // Where accounts carry no mark, nobody has this one.
        let Some(attribute) = map::attribute(&self.settings, key.attribute.as_str()) else { return Ok(Vec::new()) };
        let found = self.search(Sort::Account, &Filter::equal(attribute, key.value.as_bytes()), spent).await?;
        self.observed(&found, spent).await
    }

    /// One account, with what it holds.
    pub(crate) async fn read(&self, id: &TargetId, spent: &mut Spent) -> Result<Option<Observed>, TargetError> {
        let Some(entry) = self.entry(Sort::Account, id, spent).await? else { return Ok(None) };
        let Some(mut observed) = self.observed(std::slice::from_ref(&entry), spent).await?.pop() else {
            return Ok(None);
        };
        if self.settings.groups.is_some() {
            observed.holds = Some(self.holds(&entry, spent).await?);
        }
        Ok(Some(observed))
    }

    /// The groups that hold an account by its name.
    pub(super) async fn holds(&self, entry: &Entry, spent: &mut Spent) -> Result<Vec<TargetId>, TargetError> {
        let groups = self.groups_with(&entry.dn, entry.text(schema::LOGIN), spent).await?;
        groups.iter().map(|group| self.learn(Sort::Group, group)).collect()
    }

    /// Entries as the core sees them; where they are is learned.
    pub(super) async fn observed(&self, entries: &[Entry], spent: &mut Spent) -> Result<Vec<Observed>, TargetError> {
        for entry in entries {
            self.learn(Sort::Account, entry)?;
        }
        let references = || SCHEMA.references.iter().flat_map(|name| entries.iter().filter_map(|e| e.text(name)));
        self.resolve(references().map(str::to_owned).collect(), spent).await?;
        let mut all = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut attributes = map::attributes(&self.settings, entry);
            for name in SCHEMA.references {
                if let Some(dn) = entry.text(name) {
                    attributes.insert((*name).into(), Value::from(self.id_named(dn).as_str()));
                }
            }
            let enabled = map::enabled(&self.settings, entry);
            all.push(Observed { id: self.id(entry)?, enabled, attributes, holds: None });
        }
        Ok(all)
    }

    /// The account that a value names; what is no account stands for itself.
    pub(super) fn id_named(&self, dn: &str) -> TargetId {
        self.names(Sort::Account).named(dn).unwrap_or_else(|| TargetId::new(format!("{FOREIGN}{}", dn::normal(dn))))
    }

    /// Learns who these names are, as far as they are not known: a question each, many at once.
    pub(super) async fn resolve(&self, dns: BTreeSet<String>, spent: &mut Spent) -> Result<(), TargetError> {
        let unknown: Vec<String> = {
            let names = self.names(Sort::Account);
            let is_unknown = |dn: &String| self.settings.is_account(dn) && names.named(dn).is_none();
            dns.into_iter().filter(is_unknown).collect()
        };
        for some in unknown.chunks(64) {
            let answers = futures::future::join_all(some.iter().map(|dn| async move {
                let mut spent = Spent::default();
                let search = Search::at(dn, self.settings.accounts(), &self.settings.wanted());
                (dn, self.wire.search(search, &mut spent).await, spent)
            }));
            for (dn, answer, cost) in answers.await {
                spent.requests += cost.requests;
                match answer {
                    Ok(found) => match found.entries.first() {
                        Some(entry) => drop(self.learn(Sort::Account, entry)?),
                        None => self.names(Sort::Account).dangles(dn),
                    },
                    Err(refusal) if refusal.code == Some(code::NO_SUCH_OBJECT) => self.names(Sort::Account).dangles(dn),
                    Err(refusal) => return Err(refusal.into()),
                }
            }
        }
        Ok(())
    }

    /// Where accounts are that are about to stand in an entry as values, which no assertion guards. `None`: it is gone.
    pub(super) async fn certain(&self, ids: &[TargetId], spent: &mut Spent) -> Result<Vec<Option<Known>>, TargetError> {
        let answers = futures::future::join_all(ids.iter().map(|id| async move {
            let mut spent = Spent::default();
            let fresh = self.names(Sort::Account).of(id).filter(Known::is_fresh);
            let known = match fresh {
                Some(known) => Ok(Some(known)),
                None => self.entry(Sort::Account, id, &mut spent).await.map(|_| self.names(Sort::Account).of(id)),
            };
            (known, spent)
        }));
        let mut all = Vec::with_capacity(ids.len());
        for (known, cost) in answers.await {
            spent.requests += cost.requests;
            all.push(known?);
        }
        Ok(all)
    }

    /// The values of an attribute on the wire; a reference is the name of that account.
    async fn values_of(
        &self,
        name: &AttributeName,
        value: &Value,
        spent: &mut Spent,
    ) -> Result<BTreeSet<Vec<u8>>, TargetError> {
        if !SCHEMA.references.contains(&name.as_str()) || value.is_empty() {
            return to_wire(name, value);
        }
        let id = value.as_text().unwrap_or_default();
        if let Some(dn) = id.strip_prefix(FOREIGN) {
            return Ok(values([dn]));
        }
        let known = self.certain(&[TargetId::new(id)], spent).await?.pop().flatten();
        let gone = || rejected(name, "the account that it names is not there");
        Ok(values([known.ok_or_else(gone)?.dn.as_bytes()]))
    }

    pub(super) async fn create_account(
        &self,
        attributes: &Attributes,
        enabled: bool,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let named = self.name_of(attributes)?;
        let parent = match &self.settings.disable {
            Disable::MoveTo { dn, .. } if !enabled => dn,
            _ => &self.settings.base,
        };
        let dn = dn::below(&dn::rdn(self.settings.naming.as_str(), named), parent);
        self.is_free(attributes, None, spent).await?;
        self.unhaunt(&dn, spent).await?;
        let body = self.body(attributes, enabled, spent).await?;
        let post_read = self.supports().post_read.then(|| post_read(&[&self.settings.id]));
        let controls = match self.wire.add(&dn, body, post_read.into_iter().collect(), spent).await {
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => return Err(self.no_place(enabled)),
            other => other?,
        };
        let id = match entry::post_read(&controls).and_then(|entry| self.id(&entry).ok()) {
            Some(id) => id,
            None => self.created(&dn, spent).await?,
        };
        let login = attributes.get(schema::LOGIN).and_then(Value::as_text).filter(|_| self.settings.by_login());
        self.names(Sort::Account).learn(&id, &dn, login);
        Ok(Applied { id: Some(id), ..Applied::default() })
    }

    /// The attributes of a new entry.
    async fn body(
        &self,
        attributes: &Attributes,
        enabled: bool,
        spent: &mut Spent,
    ) -> Result<Vec<(Vec<u8>, BTreeSet<Vec<u8>>)>, TargetError> {
        let mut body: Vec<(String, BTreeSet<Vec<u8>>)> =
            vec![("objectClass".to_owned(), values(&self.settings.classes))];
        let switch = map::switch(&self.settings.disable, enabled);
        let switch = switch.and_then(|change| match change {
            Change::Replace(name, values) => Some((String::from_utf8(name).ok()?, values)),
            _ => None,
        });
        for (name, value) in attributes {
            let Some(at) = map::attribute(&self.settings, name.as_str()) else { continue };
            // What says whether it can be used is not the mapping's to say.
            if switch.as_ref().is_none_or(|(switch, _)| !switch.eq_ignore_ascii_case(at)) {
                body.push((at.to_owned(), self.values_of(name, value, spent).await?));
            }
        }
        body.extend(switch);
        let missing = |body: &[(String, _)], name: &str| !body.iter().any(|(at, _)| at.eq_ignore_ascii_case(name));
        if self.is_posix() {
            for (name, value) in self.posix(attributes, spent).await? {
                if missing(&body, name) {
                    body.push((name.to_owned(), values([value])));
                }
            }
        }
        let body = body.into_iter().filter(|(_, values)| !values.is_empty());
        Ok(body.map(|(name, values)| (name.into_bytes(), values)).collect())
    }

    fn is_posix(&self) -> bool {
        self.settings.classes.iter().any(|class| class.eq_ignore_ascii_case("posixAccount"))
    }

    /// What posixAccount (RFC 2307) demands, where it is numbered here and the mapping does not say otherwise.
    async fn posix(
        &self,
        attributes: &Attributes,
        spent: &mut Spent,
    ) -> Result<Vec<(&'static str, String)>, TargetError> {
        let login = attributes.get(schema::LOGIN).and_then(Value::as_text).unwrap_or_default();
        // An IA5String (RFC 2307, 2.4), and one folder.
        let folder = login.replace(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c), "_");
        let mut all = vec![("homeDirectory", format!("/home/{folder}"))];
        if let Some(range) = &self.settings.numbers
            && !attributes.contains_key("uidNumber")
        {
            let number = self.number(range, spent).await?;
            all.push(("uidNumber", number.to_string()));
            all.push(("gidNumber", range.gid.unwrap_or(number).to_string()));
        }
        Ok(all)
    }

    /// The id of what was just created, from a server that does not say it by itself.
    async fn created(&self, dn: &str, spent: &mut Spent) -> Result<TargetId, TargetError> {
        let search = Search::at(dn, self.settings.accounts(), std::slice::from_ref(&self.settings.id));
        let lost = |_| TargetError::Lost("what was created could not be read".into());
        let found = self.wire.search(search, spent).await.map_err(lost)?;
        let unseen = || TargetError::Lost("what was created is not seen".into());
        self.id(found.entries.first().ok_or_else(unseen)?)
    }

    /// The value that names the entry.
    fn name_of<'a>(&self, attributes: &'a Attributes) -> Result<&'a str, TargetError> {
        let naming = &self.settings.naming;
        let name = attributes.get(naming).and_then(Value::as_text).filter(|name| !name.is_empty());
        name.ok_or_else(|| rejected(naming, "it names the entry and must be one text"))
    }

    /// Where entries are named otherwise, the server does not see that a login name is taken.
    async fn is_free(
        &self,
        attributes: &Attributes,
        but: Option<&TargetId>,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        if self.settings.naming.as_str().eq_ignore_ascii_case(schema::LOGIN) && self.settings.bases().len() == 1 {
            return Ok(());
        }
        let Some(login) = attributes.get(schema::LOGIN).and_then(Value::as_text) else { return Ok(()) };
        let holders = self.search(Sort::Account, &Filter::equal(schema::LOGIN, login), spent).await?;
        for holder in &holders {
            if Some(&self.id(holder)?) != but {
                return Err(TargetError::Conflict);
            }
        }
        Ok(())
    }

    pub(super) async fn update_account(
        &self,
        id: &TargetId,
        set: &Attributes,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        self.is_free(set, Some(id), spent).await?;
        let name = set.contains_key(&self.settings.naming).then(|| self.name_of(set)).transpose()?;
        let mut changes = Vec::new();
        for (name, value) in set.iter().filter(|(name, _)| **name != self.settings.naming) {
            let Some(at) = map::attribute(&self.settings, name.as_str()) else { continue };
            // What says whether it can be used is not the mapping's to say.
            if map::told_by(&self.settings.disable).is_none_or(|switch| !switch.eq_ignore_ascii_case(at)) {
                changes.push(Change::Replace(at.into(), self.values_of(name, value, spent).await?));
            }
        }
        let relogged = set.contains_key(schema::LOGIN) && self.settings.by_login();
        let mut observed = self.change_account(id, changes, relogged, spent).await?;
        // Last: who is refused something else has the name as before.
        let moved = match name {
            Some(name) => self.rename_account(id, name, spent).await?,
            None => false,
        };
        if let (Some(name), Some(observed)) = (name, &mut observed) {
            observed.attributes.insert(self.settings.naming.clone(), name.into());
        }
        // A server that does not show what it made of a value is asked where one is written for the second time.
        if observed.is_none() && self.repeats.again(id, set) {
            let found = self.entry(Sort::Account, id, spent).await.ok().flatten();
            observed = self.shown(found, spent).await;
        }
        Ok(Applied { moved, observed, ..Applied::default() })
    }

    /// An account after a write, which is done, whether or not more can be learned of it.
    async fn shown(&self, entry: Option<Entry>, spent: &mut Spent) -> Option<Observed> {
        self.observed(std::slice::from_ref(&entry?), spent).await.ok()?.pop()
    }

    /// The account as it is then, where the server shows it. `relogged`: groups hold the login name that it has now.
    async fn change_account(
        &self,
        id: &TargetId,
        changes: Vec<Change>,
        relogged: bool,
        spent: &mut Spent,
    ) -> Result<Option<Observed>, TargetError> {
        if changes.is_empty() {
            return Ok(None);
        }
        let write = Write::Modify(changes);
        let (known, entry) = match self.write_seen(Sort::Account, id, &write, &self.settings.wanted(), spent).await {
            Err(Refusal { code: Some(code::OBJECT_CLASS_VIOLATION), error }) => {
                (self.with_classes(id, write, error, spent).await?, None)
            }
            other => other?,
        };
        if relogged {
            self.entry(Sort::Account, id, spent).await?;
            self.follow(&known, Some(id), spent).await?;
        }
        Ok(self.shown(entry, spent).await)
    }

    /// An entry that was there before may lack the object classes for what is mapped: they come with the change.
    async fn with_classes(
        &self,
        id: &TargetId,
        write: Write,
        refused: TargetError,
        spent: &mut Spent,
    ) -> Result<Known, TargetError> {
        let known = self.located(Sort::Account, id, spent).await?;
        let filter = Filter::equal(&self.settings.id, id.as_str());
        let attributes = ["objectClass", "uidNumber", "gidNumber", "homeDirectory", schema::LOGIN].map(str::to_owned);
        let found = self.wire.search(Search::at(&known.dn, filter, &attributes), spent).await?;
        let (Some(entry), Write::Modify(mut changes)) = (found.entries.first(), write) else { return Err(refused) };
        let has = |class: &String| entry.texts("objectClass").any(|held| held.eq_ignore_ascii_case(class));
        let missing: Vec<&String> = self.settings.classes.iter().filter(|class| !has(class)).collect();
        if missing.is_empty() {
            return Err(refused);
        }
        if self.is_posix() {
            let login = [(schema::LOGIN.into(), from_wire(entry, schema::LOGIN))].into();
            for (name, value) in self.posix(&login, spent).await? {
                let sets = |change: &Change| matches!(change, Change::Replace(at, _) if at.eq_ignore_ascii_case(name.as_bytes()));
                if entry.text(name).is_none() && !changes.iter().any(sets) {
                    changes.push(Change::Replace(name.into(), values([value])));
                }
            }
        }
        changes.insert(0, Change::Add("objectClass".into(), values(missing)));
        Ok(self.write(Sort::Account, id, &Write::Modify(changes), spent).await?)
    }

    /// Answers whether it had another name before.
    async fn rename_account(&self, id: &TargetId, name: &str, spent: &mut Spent) -> Result<bool, TargetError> {
        let naming = self.settings.naming.as_str();
        let before = self.entry(Sort::Account, id, spent).await?.ok_or(TargetError::NotFound)?;
        let own = dn::parse(&before.dn).unwrap_or_default().into_iter().next().unwrap_or_default();
        if own.iter().any(|(attribute, value)| attribute.eq_ignore_ascii_case(naming) && value == name) {
            return Ok(false);
        }
        let rdn = dn::rdn(naming, name);
        let (_, parent) = dn::split(&before.dn).ok_or(TargetError::NotFound)?;
        self.unhaunt(&dn::below(&rdn, &parent), spent).await?;
        let before = self.write(Sort::Account, id, &Write::Rename(rdn.clone()), spent).await?;
        let (_, parent) = dn::split(&before.dn).ok_or(TargetError::NotFound)?;
        let login = Some(name).filter(|_| naming.eq_ignore_ascii_case(schema::LOGIN) && self.settings.by_login());
        let login = login.or(before.login.as_deref());
        self.names(Sort::Account).learn(id, &dn::below(&rdn, &parent), login);
        self.follow(&before, Some(id), spent).await?;
        Ok(true)
    }

    pub(super) async fn set_enabled(
        &self,
        id: &TargetId,
        enabled: bool,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let Some(change) = map::switch(&self.settings.disable, enabled) else {
            return self.move_account(id, enabled, spent).await;
        };
        match self.write(Sort::Account, id, &Write::Modify(vec![change]), spent).await {
            // What would have been taken away is not there.
            Ok(_) | Err(Refusal { code: Some(code::NO_SUCH_ATTRIBUTE), .. }) => Ok(Applied::default()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn move_account(&self, id: &TargetId, enabled: bool, spent: &mut Spent) -> Result<Applied, TargetError> {
        let Disable::MoveTo { dn: place, normal } = &self.settings.disable else { return Ok(Applied::default()) };
        let parent = if enabled { &self.settings.base } else { place };
        let entry = self.entry(Sort::Account, id, spent).await?.ok_or(TargetError::NotFound)?;
        if dn::is_within(&dn::normal(&entry.dn), normal) != enabled {
            return Ok(Applied::default());
        }
        let (rdn, _) = dn::split(&entry.dn).ok_or(TargetError::NotFound)?;
        let dn = dn::below(&rdn, parent);
        self.unhaunt(&dn, spent).await?;
        let before = match self.write(Sort::Account, id, &Write::Move(parent.clone()), spent).await {
            // It was looked for once more and found: it is the place that is not.
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => return Err(self.no_place(enabled)),
            other => other?,
        };
        self.names(Sort::Account).learn(id, &dn, before.login.as_deref());
        self.follow(&before, Some(id), spent).await?;
        Ok(Applied { moved: true, ..Applied::default() })
    }

    /// Of an account that is to be where the server has no entry.
    fn no_place(&self, enabled: bool) -> TargetError {
        let (place, field) = match &self.settings.disable {
            Disable::MoveTo { dn, .. } if !enabled => (dn, "accounts.disable.moveTo.dn"),
            _ => (&self.settings.base, "accounts.baseDN"),
        };
        let reason = format!("there is no {place}; create it, or correct {field}").into();
        TargetError::Rejected { field: None, reason, detail: "".into() }
    }

    pub(super) async fn delete_account(&self, id: &TargetId, spent: &mut Spent) -> Result<Applied, TargetError> {
        let known = match self.write(Sort::Account, id, &Write::Delete, spent).await {
            Ok(known) => known,
            Err(Refusal { error: TargetError::NotFound, .. }) => return Ok(Applied::default()),
            Err(refusal) => return Err(refusal.into()),
        };
        self.names(Sort::Account).forget(id);
        self.follow(&known, None, spent).await?;
        Ok(Applied::default())
    }
}

fn rejected(name: &AttributeName, reason: &str) -> TargetError {
    TargetError::Rejected { field: Some(name.clone()), reason: reason.into(), detail: "".into() }
}
