//! What a directory can do, by asking it (RFC 4512, 5.1). Nothing is written.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use provost_core::model::{Capabilities, Cursor, DeleteMeans, Observability, Profile, Spent, TargetError, TargetId};

use super::changes::{STAMP, kind};
use super::wire::connect::Bind;
use super::wire::{self, Entry, Filter, Search, code};
use super::{Ldap, MEMBER_BATCH, Sort, Supports};

/// Where a server keeps its schema (RFC 4512, 4.2).
const SCHEMA_ENTRY: &str = "subschemaSubentry";

impl Ldap {
    /// Reads what the server says of itself, and the places that the manifest names.
    pub(crate) async fn probe(&self, spent: &mut Spent) -> Result<Profile, TargetError> {
        let names = ["vendorName", "vendorVersion", "structuralObjectClass", "namingContexts", SCHEMA_ENTRY];
        let root = self.wire.root(&names, spent).await?;
        let has = |oid: &str| root.texts("supportedControl").any(|control| control == oid);
        let supports = Supports {
            assertion: has(wire::ASSERTION),
            post_read: has(wire::POST_READ),
            permissive: has(wire::PERMISSIVE),
            demands_member: self.demands_member(&root, spent).await?,
        };
        *self.supports.lock().unwrap_or_else(PoisonError::into_inner) = supports.clone();
        for (field, base) in self.places() {
            self.wire.is_there(field, base, spent).await?;
        }
        let stamped = self.shows_ids(spent).await?;
        let principal = self.principal(spent).await?;
        let changes = if stamped { self.cursor(&root, spent).await? } else { None };
        let changes = if changes.is_some() { changes } else { self.time(spent).await? };
        Ok(self.profile(&root, &supports, principal, changes))
    }

    /// Whether the schema wants a member in every group. Where it is not shown, nothing is known of that.
    async fn demands_member(&self, root: &Entry, spent: &mut Spent) -> Result<bool, TargetError> {
        let Some(groups) = self.settings.groups.as_ref().filter(|groups| !groups.style.by_login()) else {
            return Ok(false);
        };
        let Some(place) = root.text(SCHEMA_ENTRY) else { return Ok(false) };
        let name = "objectClasses".to_owned();
        let search = Search::at(place, Filter::class("subschema"), std::slice::from_ref(&name));
        let found = match self.wire.search(search, spent).await {
            Err(refusal) if refusal.code.is_some() => return Ok(false),
            found => found?,
        };
        let mut classes = found.entries.iter().flat_map(|entry| entry.texts(&name));
        Ok(classes.any(|class| demands(class, groups.style.class(), groups.style.member())))
    }

    /// Every entry that the manifest names.
    fn places(&self) -> Vec<(&'static str, &str)> {
        let mut all: Vec<(&str, &str)> = vec![("accounts.baseDN", &self.settings.base)];
        if let super::settings::Disable::MoveTo { dn, .. } = &self.settings.disable {
            all.push(("accounts.disable.moveTo.dn", dn));
        }
        all.extend(self.settings.groups.as_ref().map(|groups| ("groups.baseDN", groups.base.as_str())));
        all.extend(self.settings.numbers.as_ref().map(|range| ("accounts.posix.counterDN", range.counter.as_str())));
        all
    }

    /// Everything is bound by ids: a first look at some account, if there is one. Whether it is also shown when an entry was changed.
    async fn shows_ids(&self, spent: &mut Spent) -> Result<bool, TargetError> {
        let mut own = self.wire.own(spent).await?;
        let (_, class, _) = self.sort(Sort::Account)?;
        let wanted = [self.settings.id.clone(), STAMP.to_owned()];
        let search = Search::below(&self.settings.base, class, &wanted);
        let found = self.wire.page(&mut own, search, 1, Vec::new(), spent).await?;
        let shown = found.entries.first().map(|entry| self.id(entry)).transpose();
        // Its place in the list is of no use: the connection goes with it, unless there was but this one.
        if found.cookie.is_empty() {
            self.wire.done(own);
        }
        shown?;
        Ok(found.entries.first().is_none_or(|entry| entry.text(STAMP).is_some()))
    }

    /// The bind DN, where it is itself an account.
    async fn principal(&self, spent: &mut Spent) -> Result<Option<TargetId>, TargetError> {
        let Bind::Simple { dn, .. } = &self.wire.login().bind else { return Ok(None) };
        if !self.settings.is_account(dn) {
            return Ok(None);
        }
        let search = Search::at(dn, self.settings.accounts(), std::slice::from_ref(&self.settings.id));
        match self.wire.search(search, spent).await {
            Ok(found) => found.entries.first().map(|entry| self.id(entry)).transpose(),
            // Who may not see itself cannot be told from the others.
            Err(refusal) if refusal.code == Some(code::NO_SUCH_OBJECT) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn profile(
        &self,
        root: &Entry,
        supports: &Supports,
        principal: Option<TargetId>,
        changes: Option<Cursor>,
    ) -> Profile {
        let yes = |supported: bool| if supported { "yes" } else { "no" };
        let mut measured: BTreeMap<Arc<str>, Arc<str>> = [
            ("assertion", yes(supports.assertion)),
            ("postRead", yes(supports.post_read)),
            ("permissiveModify", yes(supports.permissive)),
            ("changes", changes.as_ref().map_or("no", kind)),
            ("idAttribute", &self.settings.id),
            ("groups", self.settings.groups.as_ref().map_or("none", |groups| groups.style.class())),
        ]
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
        let vendor = root.text("vendorName").or_else(|| {
            root.texts("structuralObjectClass").find(|class| *class == "OpenLDAProotDSE").map(|_| "OpenLDAP")
        });
        let vendor = [vendor, root.text("vendorVersion")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !vendor.is_empty() {
            measured.insert("server".into(), vendor.chars().take(128).collect::<String>().into());
        }
        let capabilities = Capabilities {
            member_batch: MEMBER_BATCH,
            step_batch: 1,
            members: Observability::Full,
            visibility: std::time::Duration::ZERO,
            delete: DeleteMeans::Hard,
            disable: true,
            create_groups: self.settings.groups.is_some(),
            request_timeout: self.wire.login().rules.timeouts.whole,
        };
        Profile { measured, capabilities, principal, changes }
    }
}

/// Whether this is the definition (RFC 4512, 4.1.1) of a class, and demands an attribute.
fn demands(definition: &str, class: &str, attribute: &str) -> bool {
    let definition = definition.to_lowercase();
    let is_it = definition.contains(&format!("'{}'", class.to_lowercase()));
    let Some((_, after)) = definition.split_once(" must ").filter(|_| is_it) else { return false };
    let after = after.trim_start();
    let all = match after.strip_prefix('(') {
        Some(list) => list.split(')').next(),
        None => after.split_whitespace().next(),
    };
    all.unwrap_or_default().split('$').any(|name| name.trim().eq_ignore_ascii_case(attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_demands_what_its_definition_says() {
        let strict =
            "( 2.5.6.9 NAME 'groupOfNames' DESC 'RFC2256' SUP top STRUCTURAL MUST ( member $ cn ) MAY ( owner $ o ) )";
        let relaxed = "( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST cn MAY ( member $ owner ) )";
        assert!(demands(strict, "groupOfNames", "member") && !demands(relaxed, "groupOfNames", "member"));
        assert!(!demands(strict, "groupOfUniqueNames", "member") && !demands(strict, "groupOfNames", "owner"));
        assert!(demands("( 1 NAME ( 'a' 'groupOfNames' ) MUST member )", "groupofnames", "MEMBER"));
    }
}
