//! A realm of Keycloak, through its Admin REST API. Here is I/O; shapes are in `map` and `wire`. Keycloak answers 200 with
//! an empty list to who may not look, and drops what a user profile does not declare with a 201: neither is believed.

mod accounts;
mod groups;
mod list;
mod map;
mod path;
mod probe;
mod roles;
mod schema;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use provost_core::model::{Applied, AttributeName, EntitlementKind, Spent, Step, TargetError, TargetId};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::http::{Answer, Http, Refusal, Request, percent_encoded};
use schema::MARK;
use wire::{Refused, UserProfile};

pub(crate) use schema::SCHEMA;

/// Memberships in one step: a request each.
const MEMBER_BATCH: usize = 25;

/// Service accounts of clients are users whose names begin so; nobody else's do.
const SERVICE_ACCOUNT: &str = "service-account-";

/// What becomes of user names where the realm is set so, and the remedy.
const EMAIL_NAMES: &str = "the realm makes user names of e-mail addresses (Realm settings > Login > Email as username): map \
                           username to identity.primaryEmail(), or switch it off";

/// What a connection is made of, besides HTTP.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The client that the token is for.
    pub(crate) client_id: String,
    /// The client is one of the realm that is managed.
    pub(crate) own_realm: bool,
    /// The user attribute that carries the mark.
    pub(crate) mark: Option<String>,
    /// What new users must do first.
    pub(crate) required_actions: Vec<String>,
    /// What the catalogue names; `None`: not known, and every group counts.
    pub(crate) catalogue: Option<Catalogue>,
    /// The longest a request may take.
    pub(crate) request_timeout: Duration,
}

/// The names that a catalogue has for what is at the target: only their members are looked at.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Catalogue {
    groups: BTreeSet<String>,
    roles: BTreeSet<String>,
}

/// A realm.
#[derive(Debug)]
pub struct Keycloak {
    http: Http,
    settings: Settings,
    known: Mutex<Known>,
}

/// What was seen of the realm.
#[derive(Clone, Debug, Default)]
struct Known {
    profile: Option<Arc<UserProfile>>,
    /// Attributes that are written as lists, by the realm's names.
    lists: BTreeSet<String>,
    /// Groups of the catalogue: by id, so that one that is renamed is still looked at.
    groups: BTreeSet<TargetId>,
    roles: BTreeMap<TargetId, roles::Named>,
    /// Attributes that the realm's user profile would drop.
    dropped: BTreeSet<String>,
    /// The realm makes user names of e-mail addresses.
    email_names: bool,
    /// The listing of groups that is being handed over.
    tree: groups::Tree,
}

impl Keycloak {
    /// Sends nothing. The base of `http` is that of the realm's administration, `.../admin/realms/REALM`.
    pub(crate) fn new(http: Http, settings: Settings) -> Self {
        Self { http, settings, known: Mutex::default() }
    }

    /// What an earlier connection to the same realm has seen.
    pub(crate) fn inherit(&self, earlier: &Self) {
        if self.http.base() == earlier.http.base() {
            let known = earlier.known().clone();
            *self.known() = known;
        }
    }

    /// Carries one step out.
    pub async fn step(&self, step: &Step, spent: &mut Spent) -> Result<Applied, TargetError> {
        match step {
            // Keycloak needs no password: nobody can log in by one before it is set.
            Step::CreateAccount { attributes, enabled, password: _ } => {
                self.create_account(attributes, *enabled, spent).await
            }
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                self.update_account(id, set, spent).await
            }
            Step::EnableAccount { id } => self.set_enabled(id, true, spent).await,
            Step::DisableAccount { id } => self.set_enabled(id, false, spent).await,
            Step::DeleteAccount { id } => self.delete_account(id, spent).await,
            Step::CreateGroup { name, mark } => self.create_group(name, mark, spent).await,
            Step::UpdateGroup { id, name } => self.rename_group(id, name, spent).await,
            Step::DeleteGroup { id } => self.delete_group(id, spent).await,
            Step::AddMembers { group, members } => self.set_members(Method::PUT, group, members, spent).await,
            Step::RemoveMembers { group, members } => self.set_members(Method::DELETE, group, members, spent).await,
            Step::Assign { kind: EntitlementKind::Role, entitlement, account } => {
                self.set_role(Method::POST, entitlement, account, spent).await
            }
            Step::Revoke { kind: EntitlementKind::Role, entitlement, account } => {
                self.set_role(Method::DELETE, entitlement, account, spent).await
            }
            Step::Assign { .. } | Step::Revoke { .. } => {
                Err(TargetError::Unsupported("Keycloak knows groups and roles alone; name one in the catalogue".into()))
            }
        }
    }

    /// What is known. A lock is held for a moment and never over an await.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self) -> Option<&str> {
        self.settings.mark.as_deref()
    }

    async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        spent: &mut Spent,
    ) -> Result<T, Refusal> {
        let mut url = self.http.url(segments)?;
        if !query.is_empty() {
            let pairs: Vec<String> =
                query.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
            url.set_query(Some(&pairs.join("&")));
        }
        let answer = self.send(&Request::get(url), spent).await?;
        Ok(wire::parse(&answer.body)?)
    }

    async fn write(
        &self,
        method: Method,
        segments: &[&str],
        body: Option<&Json>,
        spent: &mut Spent,
    ) -> Result<Answer, Refusal> {
        let mut request = Request::new(method, self.http.url(segments)?);
        if let Some(body) = body {
            request = request.body("application/json", body.to_string().into_bytes());
        }
        self.send(&request, spent).await
    }

    async fn send(&self, request: &Request, spent: &mut Spent) -> Result<Answer, Refusal> {
        self.http.send(request, spent).await.map_err(|refusal| match refusal {
            Refusal { status: Some(404), body, .. } if !wire::is_absent(&body) => {
                let text = "HTTP 404, and not from this realm; check the url and the realm";
                Refusal { error: TargetError::Malformed(text.into()), status: Some(404), body }
            }
            other => other,
        })
    }

    /// What a refusal of a write means once its words are read.
    fn refused(&self, refusal: Refusal) -> TargetError {
        let said = Refused::of(&refusal.body);
        let detail = self.http.scrubbed(said.words());
        let rejected = |field: Option<&str>, reason: String| {
            let field = field.map(|name| AttributeName::new(if self.mark() == Some(name) { MARK } else { name }));
            TargetError::Rejected { field, reason: reason.into(), detail: detail.as_str().into() }
        };
        match (refusal.status, &refusal.error) {
            (Some(403), _) => {
                rejected(None, "HTTP 403: the client lacks the role manage-users of realm-management".to_owned())
            }
            (Some(409), _) if said.words().ends_with("same email") => {
                let found = if self.known().email_names { "; an account is found by it in this realm: " } else { "" };
                let remedy = if found.is_empty() { "" } else { EMAIL_NAMES };
                rejected(Some("email"), format!("HTTP 409: another user has this e-mail address{found}{remedy}"))
            }
            (Some(status), TargetError::Rejected { .. }) => {
                let key = said.key().map(|key| format!(", {key}")).unwrap_or_default();
                let of = said.field().map(|_| " for an attribute").unwrap_or_default();
                rejected(said.field(), format!("HTTP {status}{of}{key}{}", remedy(&said)))
            }
            _ => refusal.error,
        }
    }
}

/// What can be done about an attribute that is refused.
fn remedy(said: &Refused) -> String {
    match (said.key(), said.field()) {
        (Some("error-user-attribute-read-only"), Some("username")) => {
            "; the realm keeps user names: allow it to edit them (Realm settings > Login > Edit username)".to_owned()
        }
        (Some("error-user-attribute-read-only"), Some(_)) => {
            "; allow admins to edit it in the realm's user profile (Realm settings > User profile), change it in the user \
             federation (LDAP) that the user comes from, or take the mapping away"
                .to_owned()
        }
        (Some(_), Some(_)) => {
            let plain = |name: &&String| name.len() <= 64 && !name.contains(|c: char| c.is_control() || c.is_whitespace());
            let named: Vec<String> = said.faults().into_keys().filter(|name| plain(&name)).take(8).collect();
            format!(
                "; the user does not satisfy the realm's user profile: {}; correct it in the manifest or in the realm, or \
                 loosen the profile (Realm settings > User profile)",
                named.join(", ")
            )
        }
        _ if said.words().contains("read-only") || said.words().contains("read only") => {
            "; Keycloak only reads this user, of a user federation (LDAP) or of an organisation that is disabled: change it \
             there, or enable that"
                .to_owned()
        }
        _ => String::new(),
    }
}

/// A listing that is refused is a client without rights, not an empty realm.
fn no_right(refusal: Refusal, role: &str) -> TargetError {
    match refusal.status {
        Some(403) => TargetError::Unauthorized(
            format!("HTTP 403: the client lacks the role {role} of realm-management; assign it to its service account")
                .into(),
        ),
        _ => refusal.error,
    }
}
