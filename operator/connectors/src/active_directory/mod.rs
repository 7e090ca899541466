//! A domain of Active Directory, as the controllers of Microsoft and of Samba serve it: LDAP with its own ways. Entries are asked for
//! and written to by their GUIDs, which they never lose, so that no name is remembered here. Shapes are in `map`, what the
//! manifest says in `settings`, and the protocol in `ldap::wire`.

mod accounts;
mod changes;
mod groups;
mod list;
mod map;
mod probe;
mod schema;
mod settings;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use provost_core::model::{Applied, Spent, Step, TargetError, TargetId};
use provost_crds::v1alpha1::ActiveDirectorySpec;

use crate::http::NetworkRules;
use crate::ldap::repeats::Repeats;
use crate::ldap::wire::connect::{Bind, Endpoint, Login};
use crate::ldap::wire::error::no_base;
use crate::ldap::wire::listing::Listings;
use crate::ldap::wire::{Change, Control, Entry, Filter, Refusal, Search, Wire, ber, code, connect as tls};
use crate::target::{Credentials, Role, SecretNeed};
pub(crate) use schema::SCHEMA;
use settings::Settings;

/// Members in one request.
const MEMBER_BATCH: usize = 200;

/// Names come with their GUIDs and SIDs (extended DN), as texts.
const EXTENDED: &str = "1.2.840.113556.1.4.529";

/// Deletes an entry with everything below it (MS-ADTS 3.1.1.3.4.1.15).
const TREE: &str = "1.2.840.113556.1.4.805";

/// A domain.
#[derive(Debug)]
pub struct ActiveDirectory {
    wire: Wire,
    settings: Settings,
    /// The login name of the operator's own account, as the manifest has it.
    user: String,
    listings: Listings,
    /// Where accounts belong, as their mapping was last carried out: while one is put aside, the domain does not show it.
    told: Mutex<HashMap<TargetId, Arc<str>>>,
    repeats: Repeats,
    /// Groups were seen to have members that are not shown.
    blind: AtomicBool,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Account,
    Group,
}

impl ActiveDirectory {
    /// What an earlier connection to the same domain was told.
    pub(crate) fn inherit(&self, earlier: &Self) {
        if self.wire.login().endpoint == earlier.wire.login().endpoint && self.settings.base == earlier.settings.base {
            let told = earlier.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
        }
    }

    /// Carries one step out.
    pub async fn step(&self, step: &Step, spent: &mut Spent) -> Result<Applied, TargetError> {
        match step {
            Step::CreateAccount { attributes, enabled, password } => {
                return self.create_account(attributes, *enabled, *password, spent).await;
            }
            Step::CreateGroup { name, mark } => return self.create_group(name, mark, spent).await,
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                let observed = self.update_account(id, set, spent).await?;
                return Ok(Applied { observed, ..Applied::default() });
            }
            Step::EnableAccount { id } => self.set_enabled(id, true, spent).await?,
            Step::DisableAccount { id } => self.set_enabled(id, false, spent).await?,
            Step::DeleteAccount { id } => self.delete_account(id, spent).await?,
            Step::UpdateGroup { id, name } => self.rename_group(id, name, spent).await?,
            Step::DeleteGroup { id } => self.delete(Sort::Group, id, spent).await?,
            Step::AddMembers { group, members } => self.add_members(group, members, spent).await?,
            Step::RemoveMembers { group, members } => self.remove_members(group, members, spent).await?,
            Step::Assign { .. } | Step::Revoke { .. } => {
                return Err(TargetError::Unsupported(
                    "a domain knows groups alone; name a group in the catalogue".into(),
                ));
            }
        }
        Ok(Applied::default())
    }

    fn told(&self, id: &TargetId) -> Option<Arc<str>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn tell(&self, id: &TargetId, parent: &str) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), parent.into());
    }

    fn group_settings(&self) -> Result<&settings::Groups, TargetError> {
        let none = "the manifest says nothing of groups; add connector.activeDirectory.groups";
        self.settings.groups.as_ref().ok_or_else(|| TargetError::Unsupported(none.into()))
    }

    /// What an entry of this sort is found by and asked for, and below what.
    fn sort(&self, sort: Sort) -> Result<(Vec<&str>, Filter, Vec<String>), TargetError> {
        Ok(match sort {
            Sort::Account => (self.settings.bases(), Settings::accounts(), self.settings.wanted()),
            Sort::Group => {
                let groups = self.group_settings()?;
                let own = [schema::NAMING, schema::LOGIN, &groups.mark].into_iter();
                let wanted = own.chain(map::ASKED).map(str::to_owned).collect();
                (vec![&groups.base], Filter::class("group"), wanted)
            }
        })
    }

    /// Every entry of a sort that a further filter finds.
    async fn search(&self, sort: Sort, filter: &Filter, spent: &mut Spent) -> Result<Vec<Entry>, TargetError> {
        let (bases, class, wanted) = self.sort(sort)?;
        let mut entries = Vec::new();
        for base in bases {
            let search = Search::below(base, class.clone().and(filter.clone()), &wanted).with(extended());
            let found = self.wire.search(search, spent).await.map_err(|refusal| no_base(refusal, base))?;
            entries.extend(found.entries);
        }
        Ok(entries)
    }

    /// An entry by its id, where it is of this sort and in a place of ours; with more attributes than usual.
    async fn entry(
        &self,
        sort: Sort,
        id: &TargetId,
        more: &[&str],
        spent: &mut Spent,
    ) -> Result<Option<Entry>, TargetError> {
        let (bases, class, mut wanted) = self.sort(sort)?;
        wanted.extend(more.iter().map(|name| (*name).to_owned()));
        // What cannot be an id is asked for all the same, so that it costs what an answer costs.
        let name = map::by_guid(id).unwrap_or_else(|| format!("<GUID={}>", "0".repeat(32)));
        let search = Search::at(&name, class, &wanted).with(extended());
        let found = match self.wire.search(search, spent).await {
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT | code::INVALID_DN), .. }) => return Ok(None),
            found => found?,
        };
        let ours = |entry: &Entry| {
            let place = map::named(&entry.dn).map(|named| crate::ldap::wire::dn::normal(named.dn)).unwrap_or_default();
            bases.iter().any(|base| crate::ldap::wire::dn::is_within(&place, &crate::ldap::wire::dn::normal(base)))
        };
        Ok(found.entries.into_iter().find(ours))
    }

    /// An entry that is about to be written to: it is there, and the domain does not protect it.
    async fn writable(
        &self,
        sort: Sort,
        id: &TargetId,
        more: &[&str],
        spent: &mut Spent,
    ) -> Result<Entry, TargetError> {
        let entry = self.entry(sort, id, more, spent).await?.ok_or(TargetError::NotFound)?;
        let why = match map::protection(&entry) {
            None => return Ok(entry),
            Some("adminCount") => "its adminCount says that it is or was an administrator's",
            Some(_) => "every domain has it",
        };
        Err(TargetError::Rejected {
            field: None,
            reason: format!("the domain protects it ({why}): it is never written to").into(),
            detail: "".into(),
        })
    }

    /// Changes the entry with this id, wherever it is.
    async fn modify(&self, id: &TargetId, changes: Vec<Change>, spent: &mut Spent) -> Result<(), Refusal> {
        let name = map::by_guid(id).ok_or(TargetError::NotFound)?;
        self.wire.modify(&name, changes, Vec::new(), spent).await.map(drop)
    }

    async fn delete(&self, sort: Sort, id: &TargetId, spent: &mut Spent) -> Result<(), Refusal> {
        match self.writable(sort, id, &[], spent).await {
            Err(TargetError::NotFound) => return Ok(()),
            other => other?,
        };
        let name = map::by_guid(id).ok_or(TargetError::NotFound)?;
        match self.wire.delete(&name, Vec::new(), spent).await {
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => Ok(()),
            other => other,
        }
    }

    async fn delete_account(&self, id: &TargetId, spent: &mut Spent) -> Result<(), TargetError> {
        match self.delete(Sort::Account, id, spent).await {
            // Exchange keeps the telephones of somebody below the account.
            Err(Refusal { code: Some(code::NOT_ALLOWED_ON_NON_LEAF), .. }) => self.delete_whole(id, spent).await,
            other => Ok(other?),
        }
    }

    /// An account and what is below it, unless that is somebody's own: whatever can be granted a right has a SID.
    async fn delete_whole(&self, id: &TargetId, spent: &mut Spent) -> Result<(), TargetError> {
        let refused = |reason: &str| TargetError::Rejected { field: None, reason: reason.into(), detail: "".into() };
        let name = map::by_guid(id).ok_or(TargetError::NotFound)?;
        let search = Search::below(&name, Filter::Present("objectSid".to_owned()), &["1.1".to_owned()]);
        if self.wire.search(search, spent).await?.entries.len() > 1 {
            return Err(refused("other accounts or groups are below it in the tree: move them elsewhere"));
        }
        match self.wire.delete(&name, vec![Control::new(TREE, true)], spent).await {
            Ok(()) | Err(Refusal { code: Some(code::NO_SUCH_OBJECT), .. }) => Ok(()),
            Err(Refusal { code: Some(code::NO_RIGHT), .. }) => Err(refused(
                "objects are below it in the tree: give the bind account the right Delete Subtree (DT) on users, or delete them by hand",
            )),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// The id of an entry as a search shows it.
fn id(entry: &Entry) -> Result<TargetId, TargetError> {
    let missing = || TargetError::Malformed("the server shows no GUID of an entry; is it a domain controller?".into());
    map::id(&entry.dn).ok_or_else(missing)
}

fn extended() -> Control {
    // As texts.
    Control::new(EXTENDED, true).with(|w| w.within(ber::SEQUENCE, |w| w.number(ber::INTEGER, 1)))
}

/// Which Secrets a domain needs, and where each would be sent or used.
pub(crate) fn secrets(spec: &ActiveDirectorySpec) -> Vec<SecretNeed> {
    let Ok(endpoint) = Endpoint::parse(&spec.url) else { return Vec::new() };
    let mut needs = vec![SecretNeed::new(&spec.bind.password_secret_ref, Role::Password, vec![endpoint.host()])];
    let authority = spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref());
    needs.extend(authority.map(|secret| SecretNeed::new(secret, Role::Authority, Vec::new())));
    needs
}

/// Ready to be asked; sends nothing.
pub(crate) fn connect(
    spec: &ActiveDirectorySpec,
    attributes: &[String],
    mut credentials: Credentials,
    net: &NetworkRules,
) -> Result<ActiveDirectory, TargetError> {
    let authority = spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref());
    let authority = authority.map(|reference| credentials.take(Role::Authority, reference)).transpose()?;
    let password = credentials.take(Role::Password, &spec.bind.password_secret_ref)?;
    let endpoint = Endpoint::parse(&spec.url)?;
    if matches!(endpoint, Endpoint::Socket(_)) {
        return Err(TargetError::Malformed("the url must be ldaps://host or ldap://host; correct it".into()));
    }
    let bind = Bind::Simple { dn: spec.bind.user.clone(), password };
    let login = Login { endpoint, bind, tls: tls::tls(authority.as_ref(), None)?, rules: net.clone() };
    Ok(ActiveDirectory {
        wire: Wire::new(login)?,
        settings: Settings::new(spec, attributes)?,
        user: spec.bind.user.clone(),
        listings: Listings::of_domain(),
        told: Mutex::default(),
        repeats: Repeats::default(),
        blind: AtomicBool::new(false),
    })
}
