//! The directory itself: synchronous, without a clock, so that a simulation can drive it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use provost_core::model::{
    Applied, Attributes, Capabilities, CorrelationKey, DeleteMeans, EntitlementKind, Item, Kind, Observability,
    Observed, ObservedEntitlement, Page, PageToken, Profile, Schema, Spelling, Step, TargetError, TargetId, Value,
};
use serde::{Deserialize, Serialize};

/// A directory as the core knows it before it was ever reached: attributes are SCIM's.
pub static SCHEMA: Schema = Schema {
    mapping: crate::scim::MAPPING,
    references: &["manager"],
    control: &["id", "enabled", "password", "groups", "members", "roles", "licenses"],
    spelling: Spelling::Exact,
    case_insensitive: &["userName"],
    mark: Some("externalId"),
    user_name: "userName",
    external_id: Some("externalId"),
    entitlements: &[EntitlementKind::Group, EntitlementKind::Role, EntitlementKind::License],
    protection: None,
    paths: false,
    interval: Duration::from_mins(10),
};

/// How the directory misbehaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// How long what was written stays unseen.
    pub lag: Duration,
    /// Members are never shown.
    pub hide_members: bool,
    /// Nothing is answered.
    pub down: bool,
    /// Writes to accounts of these user names are refused.
    pub refuse: BTreeSet<String>,
    /// Items in one page.
    pub page: usize,
}

impl Default for Switches {
    fn default() -> Self {
        Self { lag: Duration::ZERO, hide_members: false, down: false, refuse: BTreeSet::new(), page: 100 }
    }
}

/// Accounts, groups, roles and licences in memory. User names are unique whatever their case, and so are the names of
/// each kind of entitlement.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FakeDirectory {
    /// How it misbehaves.
    pub switches: Switches,
    now: Duration,
    created: u64,
    accounts: BTreeMap<TargetId, Seen<Account>>,
    entitlements: BTreeMap<TargetId, Seen<Entitlement>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    enabled: bool,
    attributes: Attributes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entitlement {
    kind: EntitlementKind,
    name: Arc<str>,
    mark: Option<Arc<str>>,
    members: BTreeSet<TargetId>,
}

/// A thing as it is and as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen<T> {
    is: Option<T>,
    was: Option<T>,
    /// From then on it is shown as it is.
    from: Duration,
}

impl<T> Seen<T> {
    fn new() -> Self {
        Self { is: None, was: None, from: Duration::ZERO }
    }

    fn shown(&self, now: Duration) -> Option<&T> {
        if now >= self.from { self.is.as_ref() } else { self.was.as_ref() }
    }

    fn set(&mut self, value: Option<T>, now: Duration, lag: Duration) {
        let is = std::mem::replace(&mut self.is, value);
        if now >= self.from {
            self.was = is;
        }
        self.from = now + lag;
    }
}

impl FakeDirectory {
    /// What time it is, since an arbitrary start.
    pub fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// An entitlement that is there from the start; returns its id.
    pub fn ensure(&mut self, kind: EntitlementKind, name: &str) -> TargetId {
        let there =
            self.entitlements.iter().find(|(_, e)| e.is.as_ref().is_some_and(|e| e.kind == kind && *e.name == *name));
        if let Some((id, _)) = there {
            return id.clone();
        }
        self.new_entitlement(kind, name, None)
    }

    /// What it can do.
    pub fn probe(&self) -> Result<Profile, TargetError> {
        self.reached()?;
        let members = if self.switches.hide_members { Observability::None } else { Observability::Full };
        let capabilities = Capabilities {
            member_batch: 100,
            step_batch: 100,
            members,
            visibility: self.switches.lag,
            delete: DeleteMeans::Hard,
            disable: true,
            create_groups: true,
            request_timeout: Duration::from_secs(1),
        };
        let measured = [("directory".into(), "in memory".into())].into();
        Ok(Profile { measured, capabilities, principal: None, changes: None })
    }

    /// One page, in the order of ids.
    pub fn observe(&self, kind: Kind, page: Option<&PageToken>) -> Result<Page, TargetError> {
        self.reached()?;
        let items: Vec<(&TargetId, Item)> = match kind {
            Kind::Accounts => self
                .accounts
                .iter()
                .filter_map(|(id, account)| Some((id, Item::Account(self.shown(id, account.shown(self.now)?)))))
                .collect(),
            Kind::Groups => self.listed(EntitlementKind::Group),
            Kind::Roles => self.listed(EntitlementKind::Role),
            Kind::Licenses => self.listed(EntitlementKind::License),
        };
        let total = items.len() as u64;
        let mut rest =
            items.into_iter().skip_while(|(id, _)| page.is_some_and(|page| id.as_str() <= &*page.0)).peekable();
        let (mut items, mut last) = (Vec::new(), None);
        for (id, item) in rest.by_ref().take(self.switches.page.clamp(1, 500)) {
            items.push(item);
            last = Some(PageToken(id.as_str().into()));
        }
        let next = last.filter(|_| rest.peek().is_some());
        Ok(Page { items, total: Some(total), next, profile: None, elsewhere: 0 })
    }

    /// Accounts with a key, whatever its case.
    pub fn find(&self, key: &CorrelationKey) -> Result<Vec<Observed>, TargetError> {
        self.reached()?;
        let wanted = key.value.to_lowercase();
        let has = |account: &Account| {
            let held = account.attributes.get(key.attribute.as_str()).and_then(Value::as_text);
            held.is_some_and(|held| held.to_lowercase() == wanted)
        };
        Ok(self
            .accounts
            .iter()
            .filter_map(|(id, account)| Some((id, account.shown(self.now)?)))
            .filter(|(_, account)| has(account))
            .map(|(id, account)| self.shown(id, account))
            .collect())
    }

    /// One account.
    pub fn read(&self, id: &TargetId) -> Result<Option<Observed>, TargetError> {
        self.reached()?;
        let account = self.accounts.get(id).and_then(|account| account.shown(self.now));
        Ok(account.map(|account| self.shown(id, account)))
    }

    /// One write.
    pub fn apply(&mut self, step: &Step) -> Result<Applied, TargetError> {
        self.reached()?;
        match step {
            Step::CreateAccount { attributes, enabled, .. } => self.create_account(attributes, *enabled),
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => self.update_account(id, set),
            Step::EnableAccount { id } => self.set_account(id, |account| account.enabled = true),
            Step::DisableAccount { id } => self.set_account(id, |account| account.enabled = false),
            Step::DeleteAccount { id } => {
                self.delete_account(id);
                Ok(Applied::default())
            }
            Step::CreateGroup { name, mark } => self.create_group(name, mark),
            Step::UpdateGroup { id, name } => {
                self.set_entitlement(id, EntitlementKind::Group, |group| group.name = Arc::clone(name))
            }
            Step::DeleteGroup { id } => {
                if let Some(group) = self.entitlements.get_mut(id) {
                    group.set(None, self.now, self.switches.lag);
                }
                Ok(Applied::default())
            }
            Step::AddMembers { group, members } => {
                self.one_there(group)?;
                self.all_there(members)?;
                self.set_entitlement(group, EntitlementKind::Group, |g| g.members.extend(members.iter().cloned()))
            }
            Step::RemoveMembers { group, members } => {
                self.set_entitlement(group, EntitlementKind::Group, |g| g.members.retain(|id| !members.contains(id)))
            }
            Step::Assign { kind, entitlement, account } => {
                self.one_there(entitlement)?;
                self.all_there(std::slice::from_ref(account))?;
                self.set_entitlement(entitlement, *kind, |e| {
                    e.members.insert(account.clone());
                })
            }
            Step::Revoke { kind, entitlement, account } => self.set_entitlement(entitlement, *kind, |e| {
                e.members.remove(account);
            }),
        }
    }

    fn reached(&self) -> Result<(), TargetError> {
        if self.switches.down { Err(TargetError::Transient("no connection".into())) } else { Ok(()) }
    }

    fn shown(&self, id: &TargetId, account: &Account) -> Observed {
        let holds = self
            .entitlements
            .iter()
            .filter(|(_, e)| e.shown(self.now).is_some_and(|e| e.members.contains(id)))
            .map(|(id, _)| id.clone())
            .collect();
        Observed {
            id: id.clone(),
            enabled: account.enabled,
            attributes: account.attributes.clone(),
            holds: (!self.switches.hide_members).then_some(holds),
        }
    }

    fn listed(&self, kind: EntitlementKind) -> Vec<(&TargetId, Item)> {
        let shown = |id: &TargetId, e: &Entitlement| ObservedEntitlement {
            id: id.clone(),
            kind,
            name: Arc::clone(&e.name),
            mark: e.mark.clone(),
            members: (!self.switches.hide_members).then(|| e.members.iter().cloned().collect()),
            groups: Vec::new(),
        };
        self.entitlements
            .iter()
            .filter_map(|(id, e)| Some((id, e.shown(self.now)?)))
            .filter(|(_, e)| e.kind == kind)
            .map(|(id, e)| (id, Item::Entitlement(shown(id, e))))
            .collect()
    }

    fn create_account(&mut self, attributes: &Attributes, enabled: bool) -> Result<Applied, TargetError> {
        let name = attributes.get("userName").and_then(Value::as_text).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| rejected("userName", "it is missing"))?;
        self.accepts(name)?;
        self.free(name, None)?;
        let attributes =
            attributes.iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n.clone(), v.clone())).collect();
        let id = self.new_id("account");
        self.accounts.insert(id.clone(), Seen::new());
        let mut applied = self.put_account(&id, Account { enabled, attributes });
        applied.id = Some(id);
        Ok(applied)
    }

    fn update_account(&mut self, id: &TargetId, set: &Attributes) -> Result<Applied, TargetError> {
        if let Some(name) = set.get("userName") {
            let name =
                name.as_text().filter(|name| !name.is_empty()).ok_or_else(|| rejected("userName", "it is missing"))?;
            self.free(name, Some(id))?;
        }
        self.set_account(id, |account| {
            for (name, value) in set {
                if value.is_empty() {
                    account.attributes.remove(name);
                } else {
                    account.attributes.insert(name.clone(), value.clone());
                }
            }
        })
    }

    fn set_account(&mut self, id: &TargetId, change: impl FnOnce(&mut Account)) -> Result<Applied, TargetError> {
        let mut account = self.accounts.get(id).and_then(|account| account.is.clone()).ok_or(TargetError::NotFound)?;
        self.accepts(account.attributes.get("userName").and_then(Value::as_text).unwrap_or_default())?;
        change(&mut account);
        Ok(self.put_account(id, account))
    }

    fn put_account(&mut self, id: &TargetId, account: Account) -> Applied {
        let observed = self.shown(id, &account);
        if let Some(seen) = self.accounts.get_mut(id) {
            seen.set(Some(account), self.now, self.switches.lag);
        }
        Applied { observed: Some(observed), ..Applied::default() }
    }

    fn delete_account(&mut self, id: &TargetId) {
        let Some(account) = self.accounts.get_mut(id) else { return };
        account.set(None, self.now, self.switches.lag);
        for entitlement in self.entitlements.values_mut() {
            if let Some(mut held) = entitlement.is.clone().filter(|e| e.members.contains(id)) {
                held.members.remove(id);
                entitlement.set(Some(held), self.now, self.switches.lag);
            }
        }
    }

    fn create_group(&mut self, name: &str, mark: &str) -> Result<Applied, TargetError> {
        let there = self.entitlements.iter().find_map(|(id, e)| {
            let group = e.is.as_ref().filter(|e| e.kind == EntitlementKind::Group && *e.name == *name)?;
            Some((id.clone(), group.mark.as_deref() == Some(mark)))
        });
        let id = match there {
            Some((id, true)) => id,
            Some((_, false)) => return Err(TargetError::Conflict),
            None => self.new_entitlement(EntitlementKind::Group, name, Some(mark)),
        };
        Ok(Applied { id: Some(id), ..Applied::default() })
    }

    fn new_entitlement(&mut self, kind: EntitlementKind, name: &str, mark: Option<&str>) -> TargetId {
        let id = self.new_id(match kind {
            EntitlementKind::Group => "group",
            EntitlementKind::Role => "role",
            EntitlementKind::License => "license",
        });
        let mut seen = Seen::new();
        let entitlement = Entitlement { kind, name: name.into(), mark: mark.map(Arc::from), members: BTreeSet::new() };
        seen.set(Some(entitlement), self.now, self.switches.lag);
        self.entitlements.insert(id.clone(), seen);
        id
    }

    fn set_entitlement(
        &mut self,
        id: &TargetId,
        kind: EntitlementKind,
        change: impl FnOnce(&mut Entitlement),
    ) -> Result<Applied, TargetError> {
        let seen = self.entitlements.get_mut(id).ok_or(TargetError::NotFound)?;
        let mut entitlement = seen.is.clone().filter(|e| e.kind == kind).ok_or(TargetError::NotFound)?;
        change(&mut entitlement);
        seen.set(Some(entitlement), self.now, self.switches.lag);
        Ok(Applied::default())
    }

    fn one_there(&self, entitlement: &TargetId) -> Result<(), TargetError> {
        let there = self.entitlements.get(entitlement).is_some_and(|e| e.is.is_some());
        if there { Ok(()) } else { Err(TargetError::NotFound) }
    }

    fn all_there(&self, accounts: &[TargetId]) -> Result<(), TargetError> {
        let there = |id: &TargetId| self.accounts.get(id).is_some_and(|account| account.is.is_some());
        if accounts.iter().all(there) { Ok(()) } else { Err(rejected("members", "an account is not there")) }
    }

    fn free(&self, name: &str, but: Option<&TargetId>) -> Result<(), TargetError> {
        let wanted = name.to_lowercase();
        let taken = self.accounts.iter().any(|(id, account)| {
            let held = account.is.as_ref().and_then(|a| a.attributes.get("userName")).and_then(Value::as_text);
            Some(id) != but && held.is_some_and(|held| held.to_lowercase() == wanted)
        });
        if taken { Err(TargetError::Conflict) } else { Ok(()) }
    }

    fn accepts(&self, name: &str) -> Result<(), TargetError> {
        if self.switches.refuse.contains(name) { Err(rejected("userName", "it was told to refuse it")) } else { Ok(()) }
    }

    fn new_id(&mut self, kind: &str) -> TargetId {
        self.created += 1;
        TargetId::new(format!("{kind}-{}", self.created))
    }
}

fn rejected(field: &str, reason: &str) -> TargetError {
    TargetError::Rejected { field: Some(field.into()), reason: reason.into(), detail: "".into() }
}
