//! A directory that speaks LDAP and holds people as inetOrgPerson or alike. Here is what is done; shapes are in `map`, what the
//! manifest says in `settings`, and the protocol in `wire`, which knows no accounts.

mod accounts;
mod changes;
mod groups;
mod list;
mod map;
mod names;
mod numbers;
mod probe;
pub(crate) mod repeats;
mod schema;
mod settings;
mod times;
pub(crate) mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

use provost_core::model::{Applied, Connector, Spent, Step, TargetError, TargetId};
use provost_crds::v1alpha1::LdapSpec;

use crate::http::NetworkRules;
use crate::target::{Credentials, Role, SecretNeed};
use names::{Known, Names};
pub(crate) use schema::SCHEMA;
use settings::Settings;
use wire::connect::{Bind, Endpoint, Login};
use wire::error::no_base;
use wire::listing::{Listings, elsewhere};
use wire::{Change, Control, Entry, Filter, Refusal, Search, Wire, code, dn};

/// Members in one request.
const MEMBER_BATCH: usize = 200;

/// What the server was seen to support.
#[derive(Clone, Debug, Default)]
struct Supports {
    assertion: bool,
    post_read: bool,
    permissive: bool,
    /// The schema wants a member in every group: one that shows none has some that may not be read.
    demands_member: bool,
}

/// A directory.
#[derive(Debug)]
pub struct Ldap {
    wire: Wire,
    settings: Settings,
    supports: Mutex<Supports>,
    accounts: Mutex<Names>,
    groups: Mutex<Names>,
    listings: Listings,
    numbers: tokio::sync::Mutex<numbers::Numbers>,
    roll: Mutex<changes::Roll>,
    times: Mutex<times::Times>,
    repeats: repeats::Repeats,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Account,
    Group,
}

/// A write to an entry that is there.
#[derive(Clone, Debug)]
enum Write {
    Modify(Vec<Change>),
    Rename(String),
    Move(String),
    Delete,
}

impl Ldap {
    /// With what the manifest says; sends nothing. `attributes`: what the rest of the manifest reads.
    ///
    /// Errors: a DN that is none, a word that this version does not know, an empty password.
    pub(crate) fn new(login: Login, spec: &LdapSpec, attributes: &[String]) -> Result<Self, TargetError> {
        Ok(Self {
            wire: Wire::new(login)?,
            settings: Settings::new(spec, attributes)?,
            supports: Mutex::default(),
            accounts: Mutex::default(),
            groups: Mutex::default(),
            listings: Listings::default(),
            numbers: tokio::sync::Mutex::default(),
            roll: Mutex::default(),
            times: Mutex::default(),
            repeats: repeats::Repeats::default(),
        })
    }

    /// What an earlier connection to the same directory has learned of its names.
    pub(crate) fn inherit(&self, earlier: &Self) {
        if self.wire.login().endpoint == earlier.wire.login().endpoint && self.settings.base == earlier.settings.base {
            for sort in [Sort::Account, Sort::Group] {
                let known = earlier.names(sort).clone();
                *self.names(sort) = known;
            }
            let roll = earlier.roll().clone();
            *self.roll() = roll;
            let times = earlier.times().clone();
            *self.times() = times;
        }
    }

    /// Carries one step out.
    pub async fn step(&self, step: &Step, spent: &mut Spent) -> Result<Applied, TargetError> {
        match step {
            // Who has no password cannot log in: none is set.
            Step::CreateAccount { attributes, enabled, .. } => self.create_account(attributes, *enabled, spent).await,
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                self.update_account(id, set, spent).await
            }
            Step::EnableAccount { id } => self.set_enabled(id, true, spent).await,
            Step::DisableAccount { id } => self.set_enabled(id, false, spent).await,
            Step::DeleteAccount { id } => self.delete_account(id, spent).await,
            Step::CreateGroup { name, mark } => self.create_group(name, mark, spent).await,
            Step::UpdateGroup { id, name } => self.rename_group(id, name, spent).await,
            Step::DeleteGroup { id } => self.delete_group(id, spent).await,
            Step::AddMembers { group, members } => self.add_members(group, members, spent).await,
            Step::RemoveMembers { group, members } => self.remove_members(group, members, spent).await,
            Step::Assign { .. } | Step::Revoke { .. } => {
                Err(TargetError::Unsupported("a directory knows groups alone; name a group in the catalogue".into()))
            }
        }
    }

    /// A lock is held for a moment and never over an await.
    fn names(&self, sort: Sort) -> MutexGuard<'_, Names> {
        let names = match sort {
            Sort::Account => &self.accounts,
            Sort::Group => &self.groups,
        };
        names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn supports(&self) -> Supports {
        self.supports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn group_settings(&self) -> Result<&settings::Groups, TargetError> {
        let none = || TargetError::Unsupported("the manifest says nothing of groups; add connector.ldap.groups".into());
        self.settings.groups.as_ref().ok_or_else(none)
    }

    /// What an entry of this sort is found by and asked for, and below what.
    fn sort(&self, sort: Sort) -> Result<(Vec<&str>, Filter, Vec<String>), TargetError> {
        Ok(match sort {
            Sort::Account => (self.settings.bases(), self.settings.accounts(), self.settings.wanted()),
            Sort::Group => {
                let groups = self.group_settings()?;
                let wanted = [self.settings.id.as_str(), "cn", &groups.mark, groups.style.member()];
                (vec![&groups.base], Filter::class(groups.style.class()), wanted.map(str::to_owned).to_vec())
            }
        })
    }

    /// The immutable id of an entry.
    fn id(&self, entry: &Entry) -> Result<TargetId, TargetError> {
        let missing = || {
            let text = format!(
                "the server shows no {} of an entry; let the bind DN read it, or set idAttribute",
                self.settings.id
            );
            TargetError::Malformed(text.into())
        };
        entry.text(&self.settings.id).map(TargetId::new).ok_or_else(missing)
    }

    /// Takes note of where an entry is, and gives its id.
    fn learn(&self, sort: Sort, entry: &Entry) -> Result<TargetId, TargetError> {
        let id = self.id(entry)?;
        let login = entry.text(schema::LOGIN).filter(|_| sort == Sort::Account && self.settings.by_login());
        self.names(sort).learn(&id, &entry.dn, login);
        Ok(id)
    }

    /// Every entry of a sort that a further filter finds.
    async fn search(&self, sort: Sort, filter: &Filter, spent: &mut Spent) -> Result<Vec<Entry>, TargetError> {
        Ok(self.search_here(sort, filter, spent).await?.0)
    }

    /// The same, and at how many places other servers would go on.
    async fn search_here(
        &self,
        sort: Sort,
        filter: &Filter,
        spent: &mut Spent,
    ) -> Result<(Vec<Entry>, usize), TargetError> {
        let (bases, class, wanted) = self.sort(sort)?;
        let (mut entries, mut referrals) = (Vec::new(), 0);
        for base in bases {
            let search = Search::below(base, class.clone().and(filter.clone()), &wanted);
            let found = self.wire.search(search, spent).await.map_err(|refusal| no_base(refusal, base))?;
            entries.extend(found.entries);
            referrals += found.referrals;
        }
        Ok((entries, referrals))
    }

    /// An entry by its id, wherever it is.
    async fn look_up(&self, sort: Sort, id: &TargetId, spent: &mut Spent) -> Result<Option<Entry>, TargetError> {
        let filter = Filter::equal(&self.settings.id, id.as_str());
        let (found, referrals) = self.search_here(sort, &filter, spent).await?;
        let Some(entry) = found.into_iter().next() else {
            if referrals > 0 {
                return Err(elsewhere());
            }
            self.names(sort).forget(id);
            return Ok(None);
        };
        self.learn(sort, &entry)?;
        Ok(Some(entry))
    }

    /// An entry where it was last seen, else wherever it is.
    async fn entry(&self, sort: Sort, id: &TargetId, spent: &mut Spent) -> Result<Option<Entry>, TargetError> {
        let known = self.names(sort).of(id);
        if let Some(known) = known {
            let (_, class, wanted) = self.sort(sort)?;
            let filter = class.and(Filter::equal(&self.settings.id, id.as_str()));
            match self.wire.search(Search::at(&known.dn, filter, &wanted), spent).await {
                Ok(found) => {
                    if let Some(entry) = found.entries.into_iter().next() {
                        self.learn(sort, &entry)?;
                        return Ok(Some(entry));
                    }
                }
                Err(refusal) if refusal.code == Some(code::NO_SUCH_OBJECT) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        self.look_up(sort, id, spent).await
    }

    async fn located(&self, sort: Sort, id: &TargetId, spent: &mut Spent) -> Result<Known, TargetError> {
        let known = self.names(sort).of(id);
        if let Some(known) = known {
            return Ok(known);
        }
        self.look_up(sort, id, spent).await?.ok_or(TargetError::NotFound)?;
        self.names(sort).of(id).ok_or(TargetError::NotFound)
    }

    /// Only if the entry is the one with this id: a name may have passed to another one.
    fn asserted(&self, id: &TargetId) -> Vec<Control> {
        let supports = self.supports();
        let mut controls = Vec::new();
        if supports.assertion {
            controls.push(wire::assertion(&Filter::equal(&self.settings.id, id.as_str())));
        }
        if supports.permissive {
            controls.push(Control::new(wire::PERMISSIVE, false));
        }
        controls
    }

    /// Writes to the entry with this id, wherever it is; where it was.
    async fn write(&self, sort: Sort, id: &TargetId, write: &Write, spent: &mut Spent) -> Result<Known, Refusal> {
        Ok(self.write_seen(sort, id, write, &[], spent).await?.0)
    }

    /// The same, and these attributes as they are then, where the server shows them.
    async fn write_seen(
        &self,
        sort: Sort,
        id: &TargetId,
        write: &Write,
        shown: &[String],
        spent: &mut Spent,
    ) -> Result<(Known, Option<Entry>), Refusal> {
        let mut known = self.located(sort, id, spent).await?;
        if !self.supports().assertion {
            // Without an assertion, the next best is to look at once before.
            self.entry(sort, id, spent).await?.ok_or(TargetError::NotFound)?;
            known = self.located(sort, id, spent).await?;
        }
        let mut controls = self.asserted(id);
        if !shown.is_empty() && self.supports().post_read {
            controls.push(wire::post_read(shown));
        }
        let answered = match self.write_at(&known, write, controls.clone(), spent).await {
            Err(Refusal { code: Some(code::NO_SUCH_OBJECT | code::ASSERTION_FAILED), .. }) => {
                self.names(sort).forget(id);
                known = self.located(sort, id, spent).await?;
                self.write_at(&known, write, controls, spent).await?
            }
            other => other?,
        };
        Ok((known, wire::entry::post_read(&answered)))
    }

    async fn write_at(
        &self,
        known: &Known,
        write: &Write,
        controls: Vec<Control>,
        spent: &mut Spent,
    ) -> Result<Vec<Control>, Refusal> {
        match write {
            Write::Modify(changes) => return self.wire.modify(&known.dn, changes.clone(), controls, spent).await,
            Write::Rename(rdn) => self.wire.rename(&known.dn, rdn, None, controls, spent).await?,
            Write::Move(parent) => {
                let (rdn, _) = dn::split(&known.dn).ok_or(TargetError::NotFound)?;
                self.wire.rename(&known.dn, &rdn, Some(parent), controls, spent).await?;
            }
            Write::Delete => self.wire.delete(&known.dn, controls, spent).await?,
        }
        Ok(Vec::new())
    }
}

/// Which Secrets a directory needs, and where each would be sent or used.
pub(crate) fn secrets(spec: &LdapSpec) -> Vec<SecretNeed> {
    let Ok(endpoint) = Endpoint::parse(&spec.url) else { return Vec::new() };
    let hosts = || vec![endpoint.host()];
    let mut needs = Vec::new();
    if let Some(simple) = &spec.bind.simple {
        needs.push(SecretNeed::new(&simple.password_secret_ref, Role::Password, hosts()));
    }
    if let Some(external) = &spec.bind.external {
        let certificate = external.certificate_secret_ref.as_ref();
        needs.extend(certificate.map(|secret| SecretNeed::new(secret, Role::ClientCertificate, hosts())));
        needs.extend(external.key_secret_ref.as_ref().map(|secret| SecretNeed::new(secret, Role::ClientKey, hosts())));
    }
    let authority = spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref());
    needs.extend(authority.map(|secret| SecretNeed::new(secret, Role::Authority, Vec::new())));
    needs
}

/// Attributes that the rest of the manifest maps, looks up or protects.
pub(crate) fn named_elsewhere(connector: &Connector, kind: &str) -> Vec<String> {
    let names = connector.settings.get(kind).and_then(|settings| settings.get("attributes")?.as_array());
    names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Ready to be asked; sends nothing.
pub(crate) fn connect(
    spec: &LdapSpec,
    attributes: &[String],
    mut credentials: Credentials,
    net: &NetworkRules,
) -> Result<Ldap, TargetError> {
    let authority = spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref());
    let authority = authority.map(|reference| credentials.take(Role::Authority, reference)).transpose()?;
    let mut client = None;
    let bind = match (&spec.bind.simple, &spec.bind.external) {
        (Some(simple), None) => Bind::Simple {
            dn: simple.dn.clone(),
            password: credentials.take(Role::Password, &simple.password_secret_ref)?,
        },
        (None, Some(external)) => {
            if let (Some(certificate), Some(key)) = (&external.certificate_secret_ref, &external.key_secret_ref) {
                client = Some((
                    credentials.take(Role::ClientCertificate, certificate)?,
                    credentials.take(Role::ClientKey, key)?,
                ));
            }
            Bind::External
        }
        _ => {
            return Err(TargetError::Malformed("exactly one way to log in must be named; correct the manifest".into()));
        }
    };
    let tls = wire::connect::tls(authority.as_ref(), client.as_ref().map(|(chain, key)| (chain, key)))?;
    let login = Login { endpoint: Endpoint::parse(&spec.url)?, bind, tls, rules: net.clone() };
    Ldap::new(login, spec, attributes)
}
