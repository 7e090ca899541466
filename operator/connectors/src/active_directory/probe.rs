//! What a controller can do, by asking it (MS-ADTS 3.1.1.3.2). Nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_core::model::{Capabilities, Cursor, DeleteMeans, Observability, Profile, Spent, TargetError, TargetId};

use super::schema::LOGIN;
use super::{ActiveDirectory, EXTENDED, MEMBER_BATCH, Sort, changes, id};
use crate::ldap::wire::{Entry, Filter, dn};

/// The server is a controller of a domain.
const DOMAIN: &str = "1.2.840.113556.1.4.800";

impl ActiveDirectory {
    /// Reads what the server says of itself, and the places that the manifest names.
    pub(crate) async fn probe(&self, spent: &mut Spent) -> Result<Profile, TargetError> {
        let names = ["supportedCapabilities", "dnsHostName", "domainFunctionality", "vendorName"];
        let root = self.wire.root(&[&names[..], &changes::ROOT].concat(), spent).await?;
        let domain = root.texts("supportedCapabilities").any(|capability| capability == DOMAIN);
        if !domain || !root.texts("supportedControl").any(|control| control == EXTENDED) {
            let text = "the server is no controller of a domain of Active Directory; for another directory, use connector.ldap";
            return Err(TargetError::Unsupported(text.into()));
        }
        self.wire.is_there("accounts.baseDN", &self.settings.base, spent).await?;
        if let Some(place) = &self.settings.place {
            self.wire.is_there("accounts.disabledDN", place, spent).await?;
        }
        if let Some(groups) = &self.settings.groups {
            self.wire.is_there("groups.baseDN", &groups.base, spent).await?;
        }
        let principal = self.principal(spent).await?;
        let changes = self.cursor(&root, spent).await?;
        Ok(self.profile(&root, principal, changes))
    }

    /// The bind account, where it is itself among the accounts: whoever has one of its names is it.
    async fn principal(&self, spent: &mut Spent) -> Result<Option<TargetId>, TargetError> {
        let user = &self.user;
        if dn::parse(user).is_some() && !self.settings.is_account(user) {
            return Ok(None);
        }
        let short = user.rsplit('\\').next().unwrap_or(user);
        let short = short.split('@').next().unwrap_or(short);
        let names = [("userPrincipalName", user.as_str()), (LOGIN, short), ("distinguishedName", user)];
        let filter = Filter::Or(names.map(|(attribute, name)| Filter::equal(attribute, name)).to_vec());
        self.search(Sort::Account, &filter, spent).await?.first().map(id).transpose()
    }

    fn profile(&self, root: &Entry, principal: Option<TargetId>, changes: Option<Cursor>) -> Profile {
        let names = [
            ("controller", "dnsHostName"),
            ("domain", "defaultNamingContext"),
            ("functionalLevel", "domainFunctionality"),
            ("server", "vendorName"),
        ];
        let short = |text: &str| -> Arc<str> { text.chars().take(128).collect::<String>().into() };
        let mut measured: BTreeMap<Arc<str>, Arc<str>> =
            names.iter().filter_map(|(name, from)| Some(((*name).into(), short(root.text(from)?)))).collect();
        measured.insert("groups".into(), if self.settings.groups.is_some() { "group".into() } else { "none".into() });
        measured.insert("changes".into(), if changes.is_some() { "uSNChanged".into() } else { "no".into() });
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
