//! Accounts: reading and writing one.

use std::collections::BTreeSet;

use provost_core::model::{
    Applied, AttributeName, Attributes, CorrelationKey, Observed, Spent, TargetError, TargetId, Value,
};

use super::map::{self, rejected};
use super::schema::{CONTROL, LOGIN, NAMING, PARENT, SCHEMA};
use super::{ActiveDirectory, Sort, extended, id};
use crate::ldap::wire::{Change, Entry, Filter, Refusal, Search, code, dn, values};
use crate::password;

impl ActiveDirectory {
    /// Accounts with a key, disabled ones included.
    pub(crate) async fn find(&self, key: &CorrelationKey, spent: &mut Spent) -> Result<Vec<Observed>, TargetError> {
        // Where accounts carry no mark, nobody has this one.
        let Some(attribute) = self.settings.attribute(key.attribute.as_str()) else { return Ok(Vec::new()) };
        let found = self.search(Sort::Account, &Filter::equal(attribute, key.value.as_bytes()), spent).await?;
        found.iter().map(|entry| self.observed(entry)).collect()
    }

    /// One account, with what it holds. Its primary group is no membership: the domain lists it in no group.
    pub(crate) async fn read(&self, id: &TargetId, spent: &mut Spent) -> Result<Option<Observed>, TargetError> {
        let Some(entry) = self.entry(Sort::Account, id, &["memberOf"], spent).await? else { return Ok(None) };
        let mut observed = self.observed(&entry)?;
        if let Some(groups) = &self.settings.groups
            && !entry.is_cut("memberOf")
        {
            let base = dn::normal(&groups.base);
            let held = entry.texts("memberOf").filter_map(map::named);
            let ours = held.filter(|group| dn::is_within(&dn::normal(group.dn), &base));
            observed.holds = Some(ours.map(|group| TargetId::new(group.guid.to_ascii_lowercase())).collect());
        }
        Ok(Some(observed))
    }

    pub(super) fn observed(&self, entry: &Entry) -> Result<Observed, TargetError> {
        let id = id(entry)?;
        let missing =
            || TargetError::Malformed(format!("the server shows no {CONTROL}; let the bind account read it").into());
        let enabled = map::control(entry).ok_or_else(missing)? & map::DISABLED == 0;
        let attributes = map::attributes(&self.settings, entry, self.told(&id).as_deref());
        Ok(Observed { id, enabled, attributes, holds: None })
    }

    /// An account of this domain has a password, or cannot be enabled: where none is asked for, it has one that nobody ever
    /// knows, and nobody is asked to change it.
    pub(super) async fn create_account(
        &self,
        attributes: &Attributes,
        enabled: bool,
        must_change: bool,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let text = |name: &str| attributes.get(name).and_then(Value::as_text).filter(|text| !text.is_empty());
        let home = self.home(attributes)?.map(str::to_owned);
        let parent = match (&self.settings.place, enabled) {
            (Some(place), false) => place,
            _ => home.as_ref().unwrap_or(&self.settings.base),
        };
        let login = text(LOGIN).ok_or_else(|| rejected(&LOGIN.into(), "it must be one text"))?;
        let dn = dn::below(&dn::rdn("CN", text(NAMING).unwrap_or(login)), parent);
        let control = if enabled { map::NORMAL } else { map::NORMAL | map::DISABLED };
        let mut body: Vec<(String, BTreeSet<Vec<u8>>)> = vec![
            ("objectClass".into(), values(["user"])),
            (CONTROL.into(), values([control.to_string()])),
            ("unicodePwd".into(), values([map::password(&password::random()?)])),
        ];
        if must_change {
            body.push(("pwdLastSet".into(), values(["0"])));
        }
        for (name, value) in attributes.iter().filter(|(name, value)| name.as_str() != NAMING && !value.is_empty()) {
            if let Some(at) = self.settings.attribute(name.as_str()) {
                body.push((at.to_owned(), map::wire_values(name, value)?));
            }
        }
        let body = body.into_iter().map(|(name, values)| (name.into_bytes(), values)).collect();
        match self.wire.add(&dn, body, Vec::new(), spent).await {
            Ok(_) => {}
            Err(Refusal { code: Some(code::ALREADY_EXISTS), .. }) => return Err(self.taken(login, spent).await?),
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => {
                return Err(rejected(&PARENT.into(), "the place, or the manager, is not there"));
            }
            Err(refusal) => return Err(refusal.into()),
        }
        let lost = || TargetError::Lost("what was created could not be read".into());
        let search = Search::at(&dn, Filter::any(), &["1.1".to_owned()]).with(extended());
        let found = self.wire.search(search, spent).await.map_err(|_| lost())?;
        let id = id(found.entries.first().ok_or_else(lost)?)?;
        if let Some(home) = home {
            self.tell(&id, &home);
        }
        Ok(Applied { id: Some(id), ..Applied::default() })
    }

    /// Of a new account, the login name is taken, or the name of its entry.
    async fn taken(&self, login: &str, spent: &mut Spent) -> Result<TargetError, TargetError> {
        let holders = self.search(Sort::Account, &Filter::equal(LOGIN, login), spent).await?;
        Ok(if holders.is_empty() {
            let reason =
                "an entry of this place has this name, or a machine, a group or somebody elsewhere has this login name";
            rejected(&NAMING.into(), reason)
        } else {
            TargetError::Conflict
        })
    }

    /// The place that the mapping says, which must be one of ours.
    fn home<'a>(&self, attributes: &'a Attributes) -> Result<Option<&'a str>, TargetError> {
        let Some(value) = attributes.get(PARENT).filter(|value| !value.is_empty()) else { return Ok(None) };
        let place = value.as_text().filter(|text| dn::parse(text).is_some());
        let place = place.ok_or_else(|| rejected(&PARENT.into(), "it must be the DN of an entry"))?;
        if dn::is_within(&dn::normal(place), &dn::normal(&self.settings.base)) {
            return Ok(Some(place));
        }
        Err(rejected(&PARENT.into(), "it must be accounts.baseDN or below it"))
    }

    pub(super) async fn update_account(
        &self,
        id: &TargetId,
        set: &Attributes,
        spent: &mut Spent,
    ) -> Result<Option<Observed>, TargetError> {
        let home = self.home(set)?;
        let entry = self.writable(Sort::Account, id, &[], spent).await?;
        let mut changes = Vec::new();
        for (name, value) in set.iter().filter(|(name, _)| name.as_str() != NAMING) {
            if let Some(at) = self.settings.attribute(name.as_str()) {
                changes.push(Change::Replace(at.into(), map::wire_values(name, value)?));
            }
        }
        if !changes.is_empty() {
            match self.modify(id, changes, spent).await {
                // The account was there a moment ago: it is what it refers to that is not.
                Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) if set.keys().any(is_reference) => {
                    return Err(rejected(&AttributeName::from("manager"), "the account that it names is not there"));
                }
                other => other?,
            }
        }
        let name = set.get(NAMING).and_then(Value::as_text).filter(|name| !name.is_empty());
        self.put(id, &entry, name, home, spent).await?;
        if let Some(home) = home {
            self.tell(id, home);
        }
        // What the domain stores in another form is seen where it is written for the second time. The write is done, whatever is seen.
        if !self.repeats.again(id, set) {
            return Ok(None);
        }
        let found = self.entry(Sort::Account, id, &[], spent).await.ok().flatten();
        Ok(found.and_then(|entry| self.observed(&entry).ok()))
    }

    /// Gives an entry its name and its place, where they are other ones. Who is put aside stays there until enabled.
    async fn put(
        &self,
        id: &TargetId,
        entry: &Entry,
        name: Option<&str>,
        home: Option<&str>,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        let at = place(entry)?;
        let name = name.filter(|name| entry.text(NAMING) != Some(name));
        let moves = |home: &&str| !self.settings.is_put_aside(&at.dn) && dn::normal(home) != dn::normal(&at.parent);
        let home = home.filter(moves);
        if name.is_none() && home.is_none() {
            return Ok(());
        }
        let rdn = name.map_or(at.rdn, |name| dn::rdn("CN", name));
        let known = map::by_guid(id).ok_or(TargetError::NotFound)?;
        // Always with the place: of a name that is a GUID, nothing is the entry above.
        let parent = home.unwrap_or(&at.parent);
        match self.wire.rename(&known, &rdn, Some(parent), Vec::new(), spent).await {
            Err(Refusal { code: Some(code::ALREADY_EXISTS), .. }) => {
                Err(rejected(&NAMING.into(), "another entry of this place has this name"))
            }
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => {
                Err(rejected(&PARENT.into(), "there is no such place"))
            }
            other => Ok(other?),
        }
    }

    /// Every other switch stays as it is: locks and the age of passwords are the domain's own.
    pub(super) async fn set_enabled(&self, id: &TargetId, enabled: bool, spent: &mut Spent) -> Result<(), TargetError> {
        let entry = self.writable(Sort::Account, id, &[], spent).await?;
        let missing = || TargetError::Malformed(format!("the server shows no {CONTROL}").into());
        let held = map::control(&entry).ok_or_else(missing)?;
        let wanted = if enabled { held & !map::DISABLED } else { held | map::DISABLED };
        if enabled {
            self.set_aside(id, &entry, enabled, spent).await?;
        }
        if held != wanted {
            // The old value goes by name, as it is written: if somebody else changed it meanwhile, this fails.
            let old = entry.text(CONTROL).unwrap_or_default();
            let wanted = wanted.cast_signed().to_string();
            let changes = vec![
                Change::Delete(CONTROL.into(), values([old])),
                Change::Add(CONTROL.into(), values([wanted.as_str()])),
            ];
            match self.modify(id, changes, spent).await {
                Err(Refusal { code: Some(code::NO_SUCH_ATTRIBUTE), .. }) => {
                    return Err(TargetError::Transient("somebody else changes the account at the same time".into()));
                }
                other => other?,
            }
        }
        if !enabled {
            self.set_aside(id, &entry, enabled, spent).await?;
        }
        Ok(())
    }

    /// Moves a disabled account to its place, or an enabled one back to where it belongs.
    async fn set_aside(
        &self,
        id: &TargetId,
        entry: &Entry,
        enabled: bool,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        let Some(place) = &self.settings.place else { return Ok(()) };
        let at = self::place(entry)?;
        if self.settings.is_put_aside(&at.dn) != enabled {
            return Ok(());
        }
        let told = self.told(id);
        let parent = if enabled { told.as_deref().unwrap_or(&self.settings.base) } else { place };
        if !enabled {
            self.tell(id, told.as_deref().unwrap_or(&at.parent));
        }
        let known = map::by_guid(id).ok_or(TargetError::NotFound)?;
        match self.wire.rename(&known, &at.rdn, Some(parent), Vec::new(), spent).await {
            // Somebody of the same name is there: the id tells them apart.
            Err(Refusal { code: Some(code::ALREADY_EXISTS), .. }) => {
                let name: String = entry.text(NAMING).unwrap_or_default().chars().take(55).collect();
                let part: String = id.as_str().chars().take(8).collect();
                let rdn = dn::rdn("CN", &format!("{name} {part}"));
                Ok(self.wire.rename(&known, &rdn, Some(parent), Vec::new(), spent).await?)
            }
            // The account was there a moment ago. Samba calls a place that is not there by another name.
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT | code::OTHER), .. })
                if self.is_nowhere(parent, spent).await? =>
            {
                let field = if enabled { "accounts.baseDN" } else { "accounts.disabledDN" };
                let reason = format!("there is no {parent}; create it, or correct {field}").into();
                Err(TargetError::Rejected { field: None, reason, detail: "".into() })
            }
            other => Ok(other?),
        }
    }
}

impl ActiveDirectory {
    /// Whether there is no such entry.
    async fn is_nowhere(&self, dn: &str, spent: &mut Spent) -> Result<bool, TargetError> {
        match self.wire.search(Search::at(dn, Filter::any(), &[]), spent).await {
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => Ok(true),
            found => Ok(found?.entries.is_empty()),
        }
    }
}

/// Where an entry is.
pub(super) struct Place {
    dn: String,
    rdn: String,
    pub(super) parent: String,
}

pub(super) fn place(entry: &Entry) -> Result<Place, TargetError> {
    let place = map::named(&entry.dn).and_then(|named| {
        let (rdn, parent) = dn::split(named.dn)?;
        Some(Place { dn: named.dn.to_owned(), rdn, parent })
    });
    place.ok_or(TargetError::NotFound)
}

fn is_reference(name: &AttributeName) -> bool {
    SCHEMA.references.contains(&name.as_str())
}
