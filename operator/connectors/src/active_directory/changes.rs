//! What has changed: a controller counts its changes (MS-ADTS 3.1.1.1.9), and every entry has the number of its last one there. The
//! numbers of another controller, or of the same one after a restore, mean nothing.

use std::fmt::Write as _;

use provost_core::model::{Changes, Cursor, Item, Spent, TargetError, TargetId};

use super::{ActiveDirectory, Sort, extended, groups, map};
use crate::ldap::wire::error::no_base;
use crate::ldap::wire::{Control, Entry, Filter, Own, Refusal, Search};

/// The number of an entry's last change.
const NUMBER: &str = "uSNChanged";
/// What is asked of the root entry.
pub(super) const ROOT: [&str; 3] = ["highestCommittedUSN", "dsServiceName", "defaultNamingContext"];
/// Deleted entries are shown (MS-ADTS 3.1.1.3.4.1.14).
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

/// A controller and how far it has come.
#[derive(Debug, PartialEq, Eq)]
struct Reached {
    /// Where the directory keeps what it knows of this controller.
    service: String,
    /// Another one after each restore.
    database: String,
    number: u64,
}

impl ActiveDirectory {
    /// From where changes can be asked for; `None`: the controller does not show it.
    pub(super) async fn cursor(&self, root: &Entry, spent: &mut Spent) -> Result<Option<Cursor>, TargetError> {
        let Some((service, number)) = counted(root) else { return Ok(None) };
        let mut own = self.wire.own(spent).await?;
        let database = self.database(&mut own, &service, spent).await?;
        self.wire.done(own);
        Ok(database.map(|database| Reached { service, database, number }.written()))
    }

    async fn database(&self, own: &mut Own, service: &str, spent: &mut Spent) -> Result<Option<String>, TargetError> {
        let search = Search::at(service, Filter::any(), &["invocationId".to_owned()]);
        let found = match self.wire.ask(own, search, spent).await {
            Err(Refusal { code: Some(_), .. }) => return Ok(None),
            found => found?,
        };
        let bytes = found.entries.first().and_then(|entry| entry.values("invocationId").first());
        Ok(bytes.map(|bytes| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        }))
    }

    /// Accounts and groups that were changed since, and what was deleted, as far as it is shown. All of it is asked of one
    /// controller.
    pub(crate) async fn changes(&self, from: &Cursor, spent: &mut Spent) -> Result<Changes, TargetError> {
        let mut own = self.wire.own(spent).await?;
        let root = self.wire.ask(&mut own, Search::at("", Filter::any(), &ROOT.map(str::to_owned)), spent).await?;
        let root = root.entries.into_iter().next().unwrap_or_default();
        let unshown = || TargetError::Malformed("the controller does not show how far it has come".into());
        let (service, number) = counted(&root).ok_or_else(unshown)?;
        let none = |whole, next| Changes { items: Vec::new(), gone: Vec::new(), whole, next };
        let before = Reached::read(from);
        if before.as_ref().is_some_and(|before| before.service == service && before.number == number) {
            self.wire.done(own);
            return Ok(none(true, from.clone()));
        }
        let database = self.database(&mut own, &service, spent).await?.ok_or_else(unshown)?;
        let now = Reached { service, database, number };
        let mut changes = none(true, now.written());
        let same = |before: &Reached| before.service == now.service && before.database == now.database;
        match before.filter(|before| same(before) && before.number < now.number) {
            None => changes.whole = false,
            Some(before) => {
                let since = Filter::at_least(NUMBER, &before.number.saturating_add(1));
                for sort in [Sort::Account, Sort::Group] {
                    if sort == Sort::Account || self.settings.groups.is_some() {
                        changes.whole &= self.changed(&mut own, sort, &since, &mut changes.items, spent).await?;
                    }
                }
                let top = root.text("defaultNamingContext").unwrap_or_default();
                changes.whole &= self.deleted(&mut own, top, since, &mut changes.gone, spent).await?;
            }
        }
        self.wire.done(own);
        Ok(changes)
    }

    /// Entries of a sort that were changed; false: there are more than can be told.
    async fn changed(
        &self,
        own: &mut Own,
        sort: Sort,
        since: &Filter,
        items: &mut Vec<Item>,
        spent: &mut Spent,
    ) -> Result<bool, TargetError> {
        let (bases, class, mut wanted) = self.sort(sort)?;
        if sort == Sort::Group {
            wanted.push(groups::first_members());
        }
        for base in bases {
            let search = Search::below(base, class.clone().and(since.clone()), &wanted).with(extended());
            let found = self.wire.few(own, search, spent).await;
            let Some(found) = found.map_err(|refusal| no_base(refusal, base))? else { return Ok(false) };
            for entry in &found {
                items.push(self.item(sort, entry, spent).await?);
            }
        }
        Ok(true)
    }

    /// Whatever was deleted in the domain; to whom it is not shown, nothing was. False: it is more than can be told.
    async fn deleted(
        &self,
        own: &mut Own,
        top: &str,
        since: Filter,
        gone: &mut Vec<TargetId>,
        spent: &mut Spent,
    ) -> Result<bool, TargetError> {
        let filter = Filter::equal("isDeleted", "TRUE").and(since);
        let shown = Control::new(SHOW_DELETED, true);
        let search = Search::below(top, filter, &["1.1".to_owned()]).with(extended()).with(shown);
        match self.wire.few(own, search, spent).await {
            Ok(Some(found)) => gone.extend(found.iter().filter_map(|entry| map::id(&entry.dn))),
            Ok(None) => return Ok(false),
            Err(Refusal { code: Some(_), .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        Ok(true)
    }
}

/// A controller, and the number of its last change.
fn counted(root: &Entry) -> Option<(String, u64)> {
    let [number, service, _] = ROOT;
    Some((root.text(service)?.to_owned(), root.text(number)?.parse().ok()?))
}

impl Reached {
    fn written(&self) -> Cursor {
        Cursor(format!("{}\n{}\n{}", self.service, self.database, self.number).into())
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let mut lines = cursor.0.lines().map(str::to_owned);
        let (service, database) = (lines.next()?, lines.next()?);
        Some(Self { service, database, number: lines.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let service = "CN=NTDS Settings,CN=DC1,CN=Servers,DC=acme,DC=test".to_owned();
        let reached = Reached { service, database: "0aff".into(), number: u64::MAX };
        assert_eq!(Reached::read(&reached.written()), Some(reached));
        assert_eq!(Reached::read(&Cursor("x".into())), None);
    }
}
