//! Reading users: pages, searches, one by id. Nothing here writes.

use provost_core::model::{CorrelationKey, Item, Kind, Observed, Page, PageToken, Spent, TargetError, TargetId, Value};

use super::wire::{Group, User};
use super::{Keycloak, MARK, SERVICE_ACCOUNT, map, no_right};

/// Users in one page.
const PAGE: usize = 500;
/// What one search may find.
const MOST_FOUND: usize = 100;

impl Keycloak {
    /// One page of users, groups or roles.
    pub(crate) async fn observe(
        &self,
        kind: Kind,
        token: Option<&PageToken>,
        spent: &mut Spent,
    ) -> Result<Page, TargetError> {
        match kind {
            Kind::Accounts => self.observe_users(token, spent).await,
            Kind::Groups => self.observe_groups(token, spent).await,
            Kind::Roles => self.observe_roles(spent).await,
            Kind::Licenses => Ok(Page { items: Vec::new(), total: Some(0), next: None, profile: None, elsewhere: 0 }),
        }
    }

    async fn observe_users(&self, token: Option<&PageToken>, spent: &mut Spent) -> Result<Page, TargetError> {
        let first: usize = match token {
            None => 0,
            Some(token) => token.0.parse().map_err(|_| TargetError::Malformed("the page token is not ours".into()))?,
        };
        let mut total = None;
        if first == 0 {
            self.read_profile(spent).await?;
            total = Some(self.count_users(spent).await?);
        }
        // One more than is taken tells whether others follow. The count does not: users of a federation are listed and not counted.
        let mut users = self.page_of_users(first, PAGE + 1, spent).await?;
        let more = users.len() > PAGE;
        users.truncate(PAGE);
        let reached = first + users.len();
        if reached == 0 {
            self.sight(spent).await?;
        }
        if !more && first > 0 {
            // Who came or went meanwhile has moved the others over the edge of a page.
            total = Some(self.count_users(spent).await?);
        }
        let items = users.into_iter().map(|user| Item::Account(self.account(user))).collect();
        Ok(Page {
            items,
            total,
            next: more.then(|| PageToken(reached.to_string().into())),
            profile: None,
            elsewhere: 0,
        })
    }

    async fn count_users(&self, spent: &mut Spent) -> Result<u64, TargetError> {
        self.get(&["users", "count"], &[], spent).await.map_err(|refusal| no_right(refusal, "view-users"))
    }

    async fn page_of_users(&self, first: usize, most: usize, spent: &mut Spent) -> Result<Vec<User>, TargetError> {
        let (first, max) = (first.to_string(), most.to_string());
        let query = [("first", first.as_str()), ("max", max.as_str()), ("briefRepresentation", "false")];
        self.get(&["users"], &query, spent).await.map_err(|refusal| no_right(refusal, "view-users"))
    }

    /// Users with a key, disabled ones included. Service accounts are not people's.
    pub(crate) async fn find(&self, key: &CorrelationKey, spent: &mut Spent) -> Result<Vec<Observed>, TargetError> {
        let name = key.attribute.as_str();
        if name == MARK && self.mark().is_none() {
            return Ok(Vec::new());
        }
        let mut found = self.users_with(name, &key.value, spent).await?;
        // In a search by attribute a backslash cannot be written.
        if found.is_empty() && key.value.contains('\\') && !is_own(name) {
            found = self.walk(spent).await?;
        }
        let accounts = found.into_iter().filter(|user| !user.username.starts_with(SERVICE_ACCOUNT));
        let accounts = accounts.map(|user| self.account(user));
        Ok(accounts
            .filter(|account| account.attributes.get(name).is_some_and(|held| holds(held, &key.value)))
            .collect())
    }

    /// What Keycloak finds for a value.
    pub(super) async fn users_with(
        &self,
        name: &str,
        value: &str,
        spent: &mut Spent,
    ) -> Result<Vec<User>, TargetError> {
        let folded = value.to_lowercase();
        let by_attribute = format!(
            "\"{}\":\"{}\"",
            escaped(if name == MARK { self.mark().unwrap_or(MARK) } else { name }),
            escaped(value)
        );
        let (parameter, value) = match name {
            // Keycloak keeps these in lower case.
            "username" | "email" => (name, folded.as_str()),
            "firstName" | "lastName" => (name, value),
            _ => ("q", by_attribute.as_str()),
        };
        let max = MOST_FOUND.to_string();
        let query = [
            (parameter, value),
            ("exact", "true"),
            ("first", "0"),
            ("max", max.as_str()),
            ("briefRepresentation", "false"),
        ];
        let found: Vec<User> =
            self.get(&["users"], &query, spent).await.map_err(|refusal| no_right(refusal, "view-users"))?;
        if found.is_empty() {
            // Nobody, or nobody whom the client may see.
            self.sight(spent).await?;
        }
        Ok(found)
    }

    async fn walk(&self, spent: &mut Spent) -> Result<Vec<User>, TargetError> {
        let mut all = Vec::new();
        loop {
            let page = self.page_of_users(all.len(), PAGE, spent).await?;
            let last = page.len() < PAGE;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    /// One user with the groups and roles it has itself; `None`: the realm does not have it.
    pub(crate) async fn read(&self, id: &TargetId, spent: &mut Spent) -> Result<Option<Observed>, TargetError> {
        let Some(user) = self.user(id, spent).await? else { return Ok(None) };
        let mut holds: Vec<TargetId> = Vec::new();
        loop {
            let (first, max) = (holds.len().to_string(), PAGE.to_string());
            let query = [("first", first.as_str()), ("max", max.as_str()), ("briefRepresentation", "true")];
            let page: Vec<Group> = self
                .get(&["users", id.as_str(), "groups"], &query, spent)
                .await
                .map_err(|refusal| no_right(refusal, "view-users"))?;
            let last = page.len() < PAGE;
            holds.extend(page.into_iter().map(|group| TargetId::new(group.id)));
            if last {
                break;
            }
        }
        holds.extend(self.roles_of(id, spent).await?);
        let mut account = self.account(user);
        account.holds = Some(holds);
        Ok(Some(account))
    }

    /// A user as the core sees it.
    pub(super) fn account(&self, user: User) -> Observed {
        let known = self.known();
        let is_list = |name: &str| {
            known.lists.contains(name) || known.profile.as_ref().is_some_and(|profile| profile.is_list(name))
        };
        map::account(user, self.mark(), is_list)
    }
}

fn is_own(name: &str) -> bool {
    matches!(name, "username" | "email" | "firstName" | "lastName")
}

/// In quotes, as Keycloak undoes it: quotes alone are escaped.
fn escaped(text: &str) -> String {
    text.replace('"', "\\\"")
}

/// Whether a value is, or a list holds, a text, whatever its case: the caller checks exactly.
fn holds(held: &Value, text: &str) -> bool {
    match held {
        Value::Text(held) => held.to_lowercase() == text.to_lowercase(),
        Value::List(items) => items.iter().any(|item| holds(item, text)),
        _ => false,
    }
}
