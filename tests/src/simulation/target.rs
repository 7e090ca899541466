//! A model of a target: accounts and groups, user names unique whatever their case, reads that lag behind writes.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use provost_core::model::{
    Applied, AttributeName, Attributes, Capabilities, Changes, CorrelationKey, Cursor, DeleteMeans, EntitlementKind,
    Item, Kind, Observability, Observed, ObservedEntitlement, Page, PageToken, Profile, Schema, Spelling, Step,
    TargetError, TargetId, Value,
};

/// What the model says of itself.
pub static SCHEMA: Schema = Schema {
    mapping: &[
        ("externalId", "identity.externalId"),
        ("userName", "identity.userName"),
        ("displayName", "identity.displayName"),
        ("title", "identity.title"),
        ("manager", "identity.manager.userName"),
    ],
    references: &["manager"],
    control: &["active", "password", "groups"],
    spelling: Spelling::Exact,
    case_insensitive: &["userName"],
    mark: Some("externalId"),
    user_name: "userName",
    external_id: Some("externalId"),
    entitlements: &[EntitlementKind::Group, EntitlementKind::Role],
    protection: None,
    paths: false,
    interval: Duration::from_mins(1),
};

/// How long a read may still show the state before a write.
pub const VISIBILITY: Duration = Duration::from_secs(4);
/// The longest that a request is under way.
pub const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub enabled: bool,
    pub attributes: Attributes,
}

/// A group or a role.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub kind: EntitlementKind,
    pub name: Arc<str>,
    pub mark: Option<Arc<str>>,
    pub members: BTreeSet<TargetId>,
}

/// States of a thing with when each began.
type History<T> = Vec<(Duration, Option<T>)>;

/// The target.
#[derive(Clone, Debug, Default)]
pub struct Target {
    accounts: BTreeMap<TargetId, History<Account>>,
    groups: BTreeMap<TargetId, History<Group>>,
    created: u64,
    /// Who is in a group is not shown.
    blind: bool,
    /// Which groups an account is in is answered by a read of it, where members are not shown.
    answers: bool,
    /// What has changed is told.
    pub tells: bool,
    /// How many things there are is not.
    pub uncounted: bool,
    pub writes: u64,
}

fn at<T>(history: &History<T>, time: Duration) -> Option<&T> {
    history.iter().rev().find(|(from, _)| *from <= time).and_then(|(_, state)| state.as_ref())
}

impl Target {
    /// An empty one. It counts its ids as every other does.
    pub fn new(blind: bool, answers: bool) -> Self {
        Self { blind, answers, ..Self::default() }
    }

    pub fn accounts(&self) -> impl Iterator<Item = (&TargetId, &Account)> {
        self.accounts.iter().filter_map(|(id, history)| Some((id, history.last()?.1.as_ref()?)))
    }

    pub fn groups(&self) -> impl Iterator<Item = (&TargetId, &Group)> {
        self.groups.iter().filter_map(|(id, history)| Some((id, history.last()?.1.as_ref()?)))
    }

    pub fn account(&self, id: &TargetId) -> Option<&Account> {
        self.accounts.get(id)?.last()?.1.as_ref()
    }

    /// As it is, or was before it was deleted.
    pub fn last_known(&self, id: &TargetId) -> Option<&Account> {
        self.accounts.get(id)?.iter().rev().find_map(|(_, state)| state.as_ref())
    }

    pub fn group(&self, id: &TargetId) -> Option<&Group> {
        self.groups.get(id)?.last()?.1.as_ref()
    }

    /// Changes an account behind everybody's back.
    pub fn set_account(&mut self, id: &TargetId, account: Option<Account>, now: Duration) {
        if account.is_none() {
            let ids: Vec<TargetId> =
                self.groups().filter(|(_, g)| g.members.contains(id)).map(|(g, _)| g.clone()).collect();
            for group in ids {
                self.change_group(&group, now, |members| _ = members.remove(id));
            }
        }
        self.accounts.entry(id.clone()).or_default().push((now, account));
    }

    pub fn change_group(&mut self, id: &TargetId, now: Duration, change: impl FnOnce(&mut BTreeSet<TargetId>)) {
        let Some(mut group) = self.group(id).cloned() else { return };
        let before = group.members.clone();
        change(&mut group.members);
        if group.members != before {
            self.groups.entry(id.clone()).or_default().push((now, Some(group)));
        }
    }

    pub fn add_group(&mut self, kind: EntitlementKind, name: &str, mark: Option<Arc<str>>, now: Duration) -> TargetId {
        self.created += 1;
        let id = TargetId::new(format!("g{}", self.created));
        let group = Group { kind, name: name.into(), mark, members: BTreeSet::new() };
        self.groups.insert(id.clone(), vec![(now, Some(group))]);
        id
    }

    pub fn rename_group(&mut self, id: &TargetId, name: &str, now: Duration) {
        if let Some(group) = self.group(id).cloned() {
            self.groups.entry(id.clone()).or_default().push((now, Some(Group { name: name.into(), ..group })));
        }
    }

    pub fn add_account(&mut self, enabled: bool, attributes: Attributes, now: Duration) -> TargetId {
        self.created += 1;
        let id = TargetId::new(format!("a{}", self.created));
        self.accounts.insert(id.clone(), vec![(now, Some(Account { enabled, attributes }))]);
        id
    }

    /// What it says of itself, at `seen`.
    pub fn profile(&self, seen: Duration) -> Profile {
        let capabilities = Capabilities {
            member_batch: 3,
            step_batch: 4,
            members: match (self.blind, self.answers) {
                (false, _) => Observability::Full,
                (true, true) => Observability::Probe,
                (true, false) => Observability::None,
            },
            visibility: VISIBILITY,
            delete: DeleteMeans::Hard,
            disable: true,
            create_groups: true,
            request_timeout: TIMEOUT,
        };
        let changes = self.tells.then(|| cursor(seen));
        Profile { measured: BTreeMap::new(), capabilities, principal: None, changes }
    }

    /// What was touched since, as it was at `seen`; of many things, some.
    pub fn changes(&self, from: &Cursor, seen: Duration) -> Changes {
        let since = Duration::from_millis(from.0.parse().unwrap_or_default());
        let (mut items, mut gone) = (Vec::new(), Vec::new());
        for (id, history) in self.accounts.iter().filter(|(_, history)| is_touched(history, since, seen)) {
            match at(history, seen) {
                Some(account) => items.push(Item::Account(shown(id, account))),
                None => gone.push(id.clone()),
            }
        }
        for (id, history) in self.groups.iter().filter(|(_, history)| is_touched(history, since, seen)) {
            match at(history, seen) {
                Some(group) => items.push(listed(id, group, self.blind)),
                None => gone.push(id.clone()),
            }
        }
        let whole = items.len() <= 20;
        items.truncate(20);
        Changes { items, gone, whole, next: cursor(seen) }
    }

    /// One page, as it was at `seen`.
    pub fn observe(&self, kind: Kind, page: Option<&PageToken>, size: usize, seen: Duration) -> Page {
        let from: usize = page.and_then(|p| p.0.parse().ok()).unwrap_or(0);
        let items: Vec<Item> = match kind {
            Kind::Accounts => self
                .accounts
                .iter()
                .filter_map(|(id, history)| Some(Item::Account(shown(id, at(history, seen)?))))
                .collect(),
            Kind::Groups => self.listed(EntitlementKind::Group, seen),
            Kind::Roles => self.listed(EntitlementKind::Role, seen),
            Kind::Licenses => Vec::new(),
        };
        let total = items.len();
        let items: Vec<Item> = items.into_iter().skip(from).take(size).collect();
        let next = (from + size < total).then(|| PageToken((from + size).to_string().into()));
        Page { items, total: (!self.uncounted).then_some(total as u64), next, profile: None, elsewhere: 0 }
    }

    fn listed(&self, kind: EntitlementKind, seen: Duration) -> Vec<Item> {
        let there = self.groups.iter().filter_map(|(id, history)| Some((id, at(history, seen)?)));
        there.filter(|(_, group)| group.kind == kind).map(|(id, group)| listed(id, group, self.blind)).collect()
    }

    pub fn find(&self, key: &CorrelationKey, seen: Duration) -> Vec<Observed> {
        let fold =
            |text: &str| if key.attribute.as_str() == "userName" { text.to_lowercase() } else { text.to_owned() };
        let shown = self.accounts.iter().filter_map(|(id, history)| Some(shown(id, at(history, seen)?)));
        shown.filter(|o| o.text(key.attribute.as_str()).is_some_and(|text| fold(text) == fold(&key.value))).collect()
    }

    pub fn read(&self, id: &TargetId, seen: Duration) -> Option<Observed> {
        let holds = |(group, history): (&TargetId, &History<Group>)| {
            at(history, seen)?.members.contains(id).then(|| group.clone())
        };
        let holds = (self.blind && self.answers).then(|| self.groups.iter().filter_map(holds).collect());
        Some(Observed { holds, ..shown(id, at(self.accounts.get(id)?, seen)?) })
    }

    fn is_taken(&self, user_name: &str, but: Option<&TargetId>) -> bool {
        let name = user_name.to_lowercase();
        self.accounts().any(|(id, account)| {
            Some(id) != but
                && account
                    .attributes
                    .get(&AttributeName::new("userName"))
                    .and_then(Value::as_text)
                    .map(str::to_lowercase)
                    == Some(name.clone())
        })
    }

    pub fn apply(&mut self, step: &Step, now: Duration) -> Result<Applied, TargetError> {
        self.writes += 1;
        if let Some((adds, group, members)) = membership(step) {
            return self.set_members(adds, group, members, now);
        }
        match step {
            Step::CreateAccount { attributes, enabled, .. } => {
                let name = attributes.get(&AttributeName::new("userName")).and_then(Value::as_text).unwrap_or_default();
                if name.is_empty() {
                    return Err(rejected("userName is required"));
                }
                if self.is_taken(name, None) {
                    return Err(TargetError::Conflict);
                }
                let id = self.add_account(*enabled, attributes.clone(), now);
                Ok(Applied { id: Some(id), ..Applied::default() })
            }
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                let mut account = self.account(id).cloned().ok_or(TargetError::NotFound)?;
                if let Some(name) = set.get(&AttributeName::new("userName")).and_then(Value::as_text)
                    && self.is_taken(name, Some(id))
                {
                    return Err(TargetError::Conflict);
                }
                for (name, value) in set {
                    if value.is_empty() {
                        account.attributes.remove(name);
                    } else {
                        account.attributes.insert(name.clone(), value.clone());
                    }
                }
                self.set_account(id, Some(account), now);
                Ok(Applied::default())
            }
            Step::EnableAccount { id } => self.enable(id, true, now),
            Step::DisableAccount { id } => self.enable(id, false, now),
            Step::DeleteAccount { id } => {
                if self.account(id).is_some() {
                    self.set_account(id, None, now);
                }
                Ok(Applied::default())
            }
            Step::CreateGroup { name, mark } => {
                if self.groups().any(|(_, group)| group.name == *name) {
                    return Err(TargetError::Conflict);
                }
                let id = self.add_group(EntitlementKind::Group, name, Some(Arc::clone(mark)), now);
                Ok(Applied { id: Some(id), ..Applied::default() })
            }
            Step::UpdateGroup { id, name } => {
                self.group(id).ok_or(TargetError::NotFound)?;
                if self.groups().any(|(other, group)| other != id && group.name == *name) {
                    return Err(TargetError::Conflict);
                }
                self.rename_group(id, name, now);
                Ok(Applied::default())
            }
            Step::DeleteGroup { id } => {
                self.group(id).ok_or(TargetError::NotFound)?;
                self.groups.entry(id.clone()).or_default().push((now, None));
                Ok(Applied::default())
            }
            Step::AddMembers { .. } | Step::RemoveMembers { .. } | Step::Assign { .. } | Step::Revoke { .. } => {
                Err(TargetError::Malformed("it is a membership".into()))
            }
        }
    }

    fn set_members(
        &mut self,
        adds: bool,
        group: &TargetId,
        members: &[TargetId],
        now: Duration,
    ) -> Result<Applied, TargetError> {
        self.group(group).ok_or(TargetError::NotFound)?;
        if adds && members.iter().any(|id| self.account(id).is_none()) {
            return Err(rejected("a member is not there"));
        }
        self.change_group(group, now, |all| {
            if adds {
                all.extend(members.iter().cloned());
            } else {
                all.retain(|id| !members.contains(id));
            }
        });
        Ok(Applied::default())
    }

    fn enable(&mut self, id: &TargetId, enabled: bool, now: Duration) -> Result<Applied, TargetError> {
        let account = self.account(id).cloned().ok_or(TargetError::NotFound)?;
        self.set_account(id, Some(Account { enabled, ..account }), now);
        Ok(Applied::default())
    }
}

/// Whether a step gives or takes, which group or role, and whom.
pub fn membership(step: &Step) -> Option<(bool, &TargetId, &[TargetId])> {
    match step {
        Step::AddMembers { group, members } => Some((true, group, members)),
        Step::RemoveMembers { group, members } => Some((false, group, members)),
        Step::Assign { entitlement, account, .. } => Some((true, entitlement, from_ref(account))),
        Step::Revoke { entitlement, account, .. } => Some((false, entitlement, from_ref(account))),
        _ => None,
    }
}

fn cursor(seen: Duration) -> Cursor {
    Cursor(seen.as_millis().to_string().into())
}

/// Whether something became of a thing from one time to another.
fn is_touched<T>(history: &History<T>, since: Duration, seen: Duration) -> bool {
    // A whole millisecond earlier, since cursors have no parts of one.
    history.iter().any(|(at, _)| *at + Duration::from_millis(1) > since && *at <= seen)
}

fn rejected(detail: &str) -> TargetError {
    TargetError::Rejected { field: None, reason: "400".into(), detail: detail.into() }
}

fn shown(id: &TargetId, account: &Account) -> Observed {
    Observed { id: id.clone(), enabled: account.enabled, attributes: account.attributes.clone(), holds: None }
}

fn listed(id: &TargetId, group: &Group, blind: bool) -> Item {
    Item::Entitlement(ObservedEntitlement {
        id: id.clone(),
        kind: group.kind,
        name: Arc::clone(&group.name),
        mark: group.mark.clone(),
        members: (!blind).then(|| group.members.iter().cloned().collect()),
        groups: Vec::new(),
    })
}
