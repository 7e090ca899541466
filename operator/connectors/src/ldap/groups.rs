//! Groups and memberships. A change of members names those that come and go alone, so that nobody else's edit is undone.

use provost_core::model::{Applied, AttributeName, Spent, TargetError, TargetId};

use super::wire::error::no_base;
use super::wire::value::mark;
use super::wire::{Change, Entry, Filter, Refusal, Search, code, dn, values};
use super::{Known, Ldap, Sort, Write};

impl Ldap {
    pub(super) async fn create_group(&self, name: &str, mark: &str, spent: &mut Spent) -> Result<Applied, TargetError> {
        let groups = self.group_settings()?;
        let dn = dn::below(&dn::rdn("cn", name), &groups.base);
        let mut body = vec![
            ("objectClass".into(), values([groups.style.class()])),
            ("cn".into(), values([name])),
            (groups.mark.as_str().into(), values([mark])),
        ];
        if groups.style.by_login() {
            let missing =
                || TargetError::Unsupported("a posixGroup needs a number; name a range in accounts.posix".into());
            let range = self.settings.numbers.as_ref().ok_or_else(missing)?;
            body.push(("gidNumber".into(), values([self.number(range, spent).await?.to_string()])));
        } else {
            body.push((groups.style.member().into(), values([&groups.placeholder])));
        }
        match self.wire.add(&dn, body, Vec::new(), spent).await {
            Ok(_) => {}
            Err(refusal) if refusal.code == Some(code::ALREADY_EXISTS) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        let (_, class, wanted) = self.sort(Sort::Group)?;
        let found = self.wire.search(Search::at(&dn, class, &wanted), spent).await?;
        let entry = found.entries.first().ok_or(TargetError::Conflict)?;
        if self::mark(entry, &groups.mark) != Some(mark) {
            return Err(TargetError::Conflict);
        }
        Ok(Applied { id: Some(self.learn(Sort::Group, entry)?), ..Applied::default() })
    }

    pub(super) async fn rename_group(
        &self,
        id: &TargetId,
        name: &str,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let entry = self.entry(Sort::Group, id, spent).await?.ok_or(TargetError::NotFound)?;
        let own = dn::parse(&entry.dn).unwrap_or_default().into_iter().next().unwrap_or_default();
        let by_name = |(attribute, _): &&(String, String)| attribute.eq_ignore_ascii_case("cn");
        match own.iter().find(by_name) {
            Some((_, held)) if held == name => {}
            Some(_) => {
                let rdn = dn::rdn("cn", name);
                let before = self.write(Sort::Group, id, &Write::Rename(rdn.clone()), spent).await?;
                let (_, parent) = dn::split(&before.dn).ok_or(TargetError::NotFound)?;
                self.names(Sort::Group).learn(id, &dn::below(&rdn, &parent), None);
            }
            None => {
                let change = Change::Replace("cn".into(), values([name]));
                self.write(Sort::Group, id, &Write::Modify(vec![change]), spent).await?;
            }
        }
        Ok(Applied::default())
    }

    pub(super) async fn delete_group(&self, id: &TargetId, spent: &mut Spent) -> Result<Applied, TargetError> {
        match self.write(Sort::Group, id, &Write::Delete, spent).await {
            Ok(_) | Err(Refusal { error: TargetError::NotFound, .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        self.names(Sort::Group).forget(id);
        Ok(Applied::default())
    }

    /// What stands for an account in a group.
    fn value(&self, known: &Known) -> Option<String> {
        if self.settings.by_login() { known.login.as_deref().map(str::to_owned) } else { Some(known.dn.to_string()) }
    }

    pub(super) async fn add_members(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let member = self.group_settings()?.style.member();
        self.located(Sort::Group, group, spent).await?;
        let mut all = Vec::with_capacity(members.len());
        for known in self.certain(members, spent).await? {
            all.push(known.as_ref().and_then(|known| self.value(known)).ok_or_else(|| gone(member))?);
        }
        match self.change(group, vec![Change::Add(member.into(), values(&all))], spent).await {
            Err(Refusal { code: Some(code::VALUE_EXISTS), .. }) => {}
            other => return other.map_err(Into::into).map(|()| Applied::default()),
        }
        // Some are there already: the others alone.
        let held = self.held(group, spent).await?;
        all.retain(|value| !held.contains(&self.same(value)));
        if !all.is_empty() {
            self.change(group, vec![Change::Add(member.into(), values(&all))], spent).await?;
        }
        Ok(Applied::default())
    }

    pub(super) async fn remove_members(
        &self,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let member = self.group_settings()?.style.member();
        self.located(Sort::Group, group, spent).await?;
        // Who is gone is in no group: its name was taken from all of them, or is nobody's.
        let known = self.certain(members, spent).await?;
        let mut all: Vec<String> = known.iter().flatten().filter_map(|known| self.value(known)).collect();
        if all.is_empty() {
            return Ok(Applied::default());
        }
        let removed = self.change(group, vec![Change::Delete(member.into(), values(&all))], spent).await;
        if let Err(Refusal { code: Some(code::NO_SUCH_ATTRIBUTE), .. }) = removed {
            let held = self.held(group, spent).await?;
            all.retain(|value| held.contains(&self.same(value)));
            if !all.is_empty() {
                self.change(group, vec![Change::Delete(member.into(), values(&all))], spent).await?;
            }
            return Ok(Applied::default());
        }
        removed?;
        Ok(Applied::default())
    }

    /// Changes the members of a group; where nobody would be left and the schema wants one, the placeholder is.
    async fn change(&self, group: &TargetId, mut changes: Vec<Change>, spent: &mut Spent) -> Result<(), Refusal> {
        let groups = self.group_settings()?;
        let removes = changes.iter().any(|change| matches!(change, Change::Delete(..)));
        match self.write(Sort::Group, group, &Write::Modify(changes.clone()), spent).await {
            Err(Refusal { code: Some(code::OBJECT_CLASS_VIOLATION), .. }) if removes && !groups.style.by_login() => {
                changes.insert(0, Change::Add(groups.style.member().into(), values([&groups.placeholder])));
                self.write(Sort::Group, group, &Write::Modify(changes), spent).await?;
            }
            other => drop(other?),
        }
        Ok(())
    }

    /// A value of a group in the form in which two of them are the same.
    fn same(&self, value: &str) -> String {
        if self.settings.by_login() { value.to_owned() } else { dn::normal(value) }
    }

    async fn held(&self, group: &TargetId, spent: &mut Spent) -> Result<Vec<String>, TargetError> {
        let member = self.group_settings()?.style.member();
        let entry = self.entry(Sort::Group, group, spent).await?.ok_or(TargetError::NotFound)?;
        Ok(entry.texts(member).map(|value| self.same(value)).collect())
    }

    /// The groups that hold an account by one of its names.
    pub(super) async fn groups_with(
        &self,
        dn: &str,
        login: Option<&str>,
        spent: &mut Spent,
    ) -> Result<Vec<Entry>, TargetError> {
        let member = self.group_settings()?.style.member();
        let value = if self.settings.by_login() { login } else { Some(dn) };
        let Some(value) = value else { return Ok(Vec::new()) };
        let (bases, class, mut wanted) = self.sort(Sort::Group)?;
        // Not the members: there may be thousands.
        wanted.retain(|name| name != member);
        let mut all = Vec::new();
        for base in bases {
            let search = Search::below(base, class.clone().and(Filter::equal(member, value)), &wanted);
            let found = self.wire.search(search, spent).await.map_err(|refusal| no_base(refusal, base))?;
            all.extend(found.entries);
        }
        Ok(all)
    }

    /// Groups hold names, and a name has changed or gone. Servers that see to it themselves have done so already.
    pub(super) async fn follow(
        &self,
        before: &Known,
        now: Option<&TargetId>,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        let Some(groups) = &self.settings.groups else { return Ok(()) };
        let member = groups.style.member();
        let now = now.and_then(|id| self.names(Sort::Account).of(id)).and_then(|known| self.value(&known));
        let Some(old) = self.value(before).filter(|old| now.as_ref() != Some(old)) else { return Ok(()) };
        for entry in self.groups_with(&before.dn, before.login.as_deref(), spent).await? {
            let group = self.learn(Sort::Group, &entry)?;
            if let Some(now) = &now {
                let added = self.change(&group, vec![Change::Add(member.into(), values([now]))], spent).await;
                match added {
                    Err(Refusal { code: Some(code::VALUE_EXISTS), .. }) => {}
                    other => other?,
                }
            }
            match self.change(&group, vec![Change::Delete(member.into(), values([&old]))], spent).await {
                Err(Refusal { code: Some(code::NO_SUCH_ATTRIBUTE), .. }) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// A name that groups still hold and nobody has is about to be somebody's: it is taken from them first.
    pub(super) async fn unhaunt(&self, dn: &str, spent: &mut Spent) -> Result<(), TargetError> {
        if self.settings.by_login() || !self.names(Sort::Account).is_dangling(dn) {
            return Ok(());
        }
        let Some(groups) = &self.settings.groups else { return Ok(()) };
        for entry in self.groups_with(dn, None, spent).await? {
            let group = self.learn(Sort::Group, &entry)?;
            let change = Change::Delete(groups.style.member().into(), values([dn]));
            match self.change(&group, vec![change], spent).await {
                Err(Refusal { code: Some(code::NO_SUCH_ATTRIBUTE), .. }) => {}
                other => other?,
            }
        }
        self.names(Sort::Account).settled(dn);
        Ok(())
    }
}

fn gone(member: &str) -> TargetError {
    TargetError::Rejected {
        field: Some(AttributeName::from(member)),
        reason: "an account that is to be a member is not there".into(),
        detail: "".into(),
    }
}
