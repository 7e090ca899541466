//! Roles of the realm (`auditor`) and of its clients (`CLIENT/ROLE`): those that the catalogue names, since a realm has
//! dozens that nobody grants by hand.

use std::collections::{BTreeMap, BTreeSet};

use provost_core::model::{Applied, EntitlementKind, Item, ObservedEntitlement, Page, Spent, TargetError, TargetId};
use reqwest::Method;
use serde_json::json;

use super::Keycloak;
use super::wire::{Client, Mappings, Role};
use crate::http::Refusal;

/// A role as its assignment needs it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    name: String,
    /// The id of its client; `None`: the realm's.
    client: Option<String>,
}

/// Ids of clients by their client ids; `None`: there is no such client.
type Clients = BTreeMap<String, Option<String>>;

impl Keycloak {
    pub(super) async fn observe_roles(&self, spent: &mut Spent) -> Result<Page, TargetError> {
        let names: BTreeSet<String> = self.settings.catalogue.clone().unwrap_or_default().roles;
        let (mut items, mut clients) = (Vec::new(), Clients::new());
        for name in names {
            let Some((id, role)) = self.locate(&name, &mut clients, spent).await? else { continue };
            let members = match &role.client {
                None => self.everybody(&["roles", &role.name, "users"], spent).await,
                Some(client) => self.everybody(&["clients", client, "roles", &role.name, "users"], spent).await,
            };
            let members = members.map_err(|refusal| match refusal.error {
                TargetError::NotFound => TargetError::Transient("a role went while it was listed".into()),
                _ => no_right(refusal, &name),
            })?;
            self.known().roles.insert(id.clone(), role);
            items.push(Item::Entitlement(ObservedEntitlement {
                id,
                kind: EntitlementKind::Role,
                name: name.into(),
                mark: None,
                members: Some(members),
                groups: Vec::new(),
            }));
        }
        let total = Some(items.len() as u64);
        Ok(Page { items, total, next: None, profile: None, elsewhere: 0 })
    }

    /// A role by its name in the catalogue; `None`: there is none. Client ids may hold slashes, names of roles here not.
    async fn locate(
        &self,
        name: &str,
        clients: &mut Clients,
        spent: &mut Spent,
    ) -> Result<Option<(TargetId, Named)>, TargetError> {
        let found: Result<Role, Refusal> = match name.rsplit_once('/') {
            None => self.get(&["roles", name], &[], spent).await,
            Some((client, role)) => {
                let Some(client) = self.client(client, clients, spent).await? else { return Ok(None) };
                self.get(&["clients", &client, "roles", role], &[], spent).await
            }
        };
        match found {
            Ok(role) => Ok(Some((TargetId::new(role.id.clone()), named(role)))),
            Err(Refusal { error: TargetError::NotFound, .. }) => Ok(None),
            Err(refusal) => Err(no_right(refusal, name)),
        }
    }

    async fn client(
        &self,
        client_id: &str,
        clients: &mut Clients,
        spent: &mut Spent,
    ) -> Result<Option<String>, TargetError> {
        if let Some(known) = clients.get(client_id) {
            return Ok(known.clone());
        }
        let found: Vec<Client> = self
            .get(&["clients"], &[("clientId", client_id)], spent)
            .await
            .map_err(|refusal| no_right(refusal, &format!("{client_id}/...")))?;
        let id = found.into_iter().find(|client| client.client_id == client_id).map(|client| client.id);
        clients.insert(client_id.to_owned(), id.clone());
        Ok(id)
    }

    /// The roles that a user has itself. Keycloak leaves out those that the client may not see, so it has to prove first
    /// that it sees the catalogue's.
    pub(super) async fn roles_of(&self, id: &TargetId, spent: &mut Spent) -> Result<Vec<TargetId>, TargetError> {
        let Some(catalogue) = self.settings.catalogue.as_ref().filter(|catalogue| !catalogue.roles.is_empty()) else {
            return Ok(Vec::new());
        };
        let (mut clients, mut realm) = (Clients::new(), false);
        for name in &catalogue.roles {
            let proves = match name.rsplit_once('/') {
                None => !std::mem::replace(&mut realm, true),
                Some((client, _)) => !clients.contains_key(client),
            };
            if proves {
                self.locate(name, &mut clients, spent).await?;
            }
        }
        let held: Mappings = self
            .get(&["users", id.as_str(), "role-mappings"], &[], spent)
            .await
            .map_err(|refusal| no_right(refusal, "of a user"))?;
        Ok(held.ids().collect())
    }

    /// Gives a role (POST) or takes it away (DELETE); both can be repeated.
    pub(super) async fn set_role(
        &self,
        method: Method,
        role: &TargetId,
        account: &TargetId,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let known = self.known().roles.get(role).cloned();
        if let Some(known) = known {
            match self.map_role(method.clone(), role, &known, account, spent).await {
                // It has another name now.
                Err(Refusal { error: TargetError::NotFound, .. }) => drop(self.known().roles.remove(role)),
                other => return other.map(|()| Applied::default()).map_err(|refusal| self.not_mapped(refusal)),
            }
        }
        let read: Role = self
            .get(&["roles-by-id", role.as_str()], &[], spent)
            .await
            .map_err(|refusal| no_right(refusal, "by id"))?;
        let read = named(read);
        self.map_role(method, role, &read, account, spent).await.map_err(|refusal| self.not_mapped(refusal))?;
        self.known().roles.insert(role.clone(), read);
        Ok(Applied::default())
    }

    /// Keycloak says the same of a client without manage-users and of a role that it guards.
    fn not_mapped(&self, refusal: Refusal) -> TargetError {
        if refusal.status != Some(403) {
            return self.refused(refusal);
        }
        let reason = "HTTP 403: an admin role is given and taken by who has it alone: assign it to the client's service \
                      account, or take it from the catalogue; if it is none, the client lacks manage-users of \
                      realm-management";
        TargetError::Rejected { field: None, reason: reason.into(), detail: "".into() }
    }

    async fn map_role(
        &self,
        method: Method,
        id: &TargetId,
        role: &Named,
        account: &TargetId,
        spent: &mut Spent,
    ) -> Result<(), Refusal> {
        let body = json!([{"id": id.as_str(), "name": role.name}]);
        let mut segments = vec!["users", account.as_str(), "role-mappings"];
        match &role.client {
            None => segments.push("realm"),
            Some(client) => segments.extend(["clients", client]),
        }
        self.write(method, &segments, Some(&body), spent).await.map(drop)
    }
}

fn named(role: Role) -> Named {
    Named { client: role.container_id.filter(|_| role.of_client), name: role.name }
}

/// Roles need more rights than users do; without them the rest goes on.
fn no_right(refusal: Refusal, name: &str) -> TargetError {
    match refusal.status {
        Some(403) => {
            let reason = format!(
                "HTTP 403 for the role {name}: the client lacks view-realm (for roles of the realm) or view-clients (for roles \
                 of clients) of realm-management"
            );
            TargetError::Rejected { field: None, reason: reason.into(), detail: "".into() }
        }
        _ => refusal.error,
    }
}
