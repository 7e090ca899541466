//! Writes to users.

use provost_core::model::{Applied, AttributeName, Attributes, Observed, Spent, TargetError, TargetId};
use reqwest::Method;
use serde_json::json;

use super::map::{self, Change};
use super::wire::{Refused, User};
use super::{EMAIL_NAMES, Keycloak, MARK};
use crate::http::{Answer, Refusal};

impl Keycloak {
    pub(super) async fn create_account(
        &self,
        attributes: &Attributes,
        enabled: bool,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        // What would be dropped is left out: the account is needed all the same, and the next look asks for the rest.
        let change = self.change(attributes, spent).await?;
        let body = change.new_user(enabled, &self.settings.required_actions);
        let answer = match self.write(Method::POST, &["users"], Some(&body), spent).await {
            Ok(answer) => answer,
            Err(refusal) => return Err(self.not_created(refusal, attributes, spent).await),
        };
        let id = created(&answer)?;
        Ok(Applied { id: Some(id), ..Applied::default() })
    }

    /// Duplicates come as 409 and as 400, with various words: who is there tells.
    async fn not_created(&self, refusal: Refusal, attributes: &Attributes, spent: &mut Spent) -> TargetError {
        let duplicate = matches!(refusal.status, Some(400 | 409));
        let text = |name: &str| attributes.get(&AttributeName::new(name)).and_then(|value| value.as_text());
        if duplicate && let Some(name) = text("username") {
            match self.users_with("username", name, spent).await {
                Ok(found) if !found.is_empty() => return TargetError::Conflict,
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        self.refused(refusal)
    }

    pub(super) async fn update_account(
        &self,
        id: &TargetId,
        set: &Attributes,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let mut change = self.change(set, spent).await?;
        let email_names = self.known().email_names && set.contains_key(&AttributeName::new("username"));
        if email_names && self.read_realm(spent).await? {
            change.without_name();
        }
        let dropped = change.dropped.clone();
        let body = if change.is_custom() {
            let user = self.user(id, spent).await?.ok_or(TargetError::NotFound)?;
            change.of_all(&user)
        } else {
            (!change.is_empty()).then(|| change.of_own())
        };
        if let Some(body) = &body {
            let put = self.write(Method::PUT, &["users", id.as_str()], Some(body), spent).await;
            put.map_err(|refusal| self.refused(refusal))?;
        }
        // What is dropped is accepted all the same.
        let user = self.user(id, spent).await?.ok_or(TargetError::NotFound)?;
        let observed = self.account(user);
        if let Some(name) = dropped.first() {
            return Err(self.not_kept(name));
        }
        let held = |name: &AttributeName| observed.attributes.get(name);
        match set.iter().find(|(name, value)| !map::is_kept(name, value, held(name))) {
            None => Ok(Applied { observed: Some(observed), ..Applied::default() }),
            Some((name, _)) if held(name).is_none() => {
                // The profile was changed since it was read.
                self.known().profile = None;
                Err(self.not_kept(name.as_str()))
            }
            Some((name, _)) => Err(self.kept_otherwise(name, &observed)),
        }
    }

    /// A value that was accepted, and is another one.
    fn kept_otherwise(&self, name: &AttributeName, observed: &Observed) -> TargetError {
        let (username, email) = (AttributeName::new("username"), AttributeName::new("email"));
        let named_so = *name == username && observed.attributes.get(&username) == observed.attributes.get(&email);
        let reason = if named_so {
            self.known().email_names = true;
            EMAIL_NAMES.to_owned()
        } else {
            format!(
                "the realm accepts the attribute {name} and keeps another value; correct what changes it there, or the mapping"
            )
        };
        TargetError::Rejected { field: Some(name.clone()), reason: reason.into(), detail: "".into() }
    }

    fn not_kept(&self, wire: &str) -> TargetError {
        let field = AttributeName::new(if self.mark() == Some(wire) { MARK } else { wire });
        let reason = format!(
            "the realm does not keep the attribute {wire}: declare it in its user profile (Realm settings > User profile), \
             or take the mapping away"
        );
        TargetError::Rejected { field: Some(field), reason: reason.into(), detail: "".into() }
    }

    async fn change(&self, set: &Attributes, spent: &mut Spent) -> Result<Change, TargetError> {
        let profile = self.profile(spent).await?;
        let change = Change::of(set, self.mark(), &profile)?;
        let mut known = self.known();
        known.lists.extend(Change::lists(set, self.mark()));
        known.dropped.extend(change.dropped.iter().cloned());
        Ok(change)
    }

    /// The sessions of who is to be disabled end, whatever the realm says to the rest: tokens could be renewed by them.
    pub(super) async fn set_enabled(
        &self,
        id: &TargetId,
        enabled: bool,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let body = json!({"enabled": enabled});
        let put = self.write(Method::PUT, &["users", id.as_str()], Some(&body), spent).await;
        let set = match put {
            Ok(_) => Ok(Applied::default()),
            // Nobody answers, nobody is there, or nothing more is to be asked now.
            Err(refusal) if matches!(refusal.status, None | Some(401 | 404 | 429)) => return Err(refusal.error),
            Err(refusal) if enabled => Err(self.refused(refusal)),
            Err(refusal) => self.disable_all_the_same(id, refusal, spent).await,
        };
        if enabled {
            return set;
        }
        let ended = self.revoke_sessions(id, spent).await;
        set.and(ended)
    }

    /// Keycloak checks all of a user with every write, so that one whom the realm's profile has come to forbid cannot be
    /// disabled as it is: no other request of manage-users does it. Locking out comes first: what the refusal names is
    /// cleared, and is a dash where the realm demands something; the rest stays. User names and marks are not invented.
    async fn disable_all_the_same(
        &self,
        id: &TargetId,
        refusal: Refusal,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let mut faults = Refused::of(&refusal.body).faults();
        // Once more, for what is demanded once it is cleared.
        for _ in 0..2 {
            let recognised = |(name, demanded): (&String, &bool)| {
                name == "username" || (*demanded && self.mark() == Some(name.as_str()))
            };
            if faults.is_empty() || faults.iter().any(recognised) {
                break;
            }
            let change = Change::disabling(&faults);
            let body = if change.is_custom() {
                change.of_all(&self.user(id, spent).await?.ok_or(TargetError::NotFound)?)
            } else {
                Some(change.of_own())
            };
            match self.write(Method::PUT, &["users", id.as_str()], body.as_ref(), spent).await {
                Ok(_) => {
                    let attributes: Vec<_> = faults.keys().collect();
                    tracing::warn!(
                        account = id.as_str(),
                        ?attributes,
                        "disabled without these: the realm's user profile forbids what they were, or that they were empty"
                    );
                    return Ok(Applied::default());
                }
                Err(again) => faults.extend(Refused::of(&again.body).faults()),
            }
        }
        Err(self.refused(refusal))
    }

    async fn revoke_sessions(&self, id: &TargetId, spent: &mut Spent) -> Result<Applied, TargetError> {
        let post = self.write(Method::POST, &["users", id.as_str(), "logout"], None, spent).await;
        post.map_err(|refusal| self.refused(refusal))?;
        Ok(Applied::default())
    }

    /// Of a user federation Keycloak deletes its own copy alone, and with it that it is disabled.
    pub(super) async fn delete_account(&self, id: &TargetId, spent: &mut Spent) -> Result<Applied, TargetError> {
        let Some(user) = self.user(id, spent).await? else { return Ok(Applied::default()) };
        if user.federation_link.is_some() {
            let text = "the user is of a user federation (LDAP), which would bring it back, and enabled: delete it there; here \
                        it stays disabled";
            return Err(TargetError::Unsupported(text.into()));
        }
        match self.write(Method::DELETE, &["users", id.as_str()], None, spent).await {
            Ok(_) | Err(Refusal { error: TargetError::NotFound, .. }) => Ok(Applied::default()),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// One user; `None`: the realm does not have it.
    pub(super) async fn user(&self, id: &TargetId, spent: &mut Spent) -> Result<Option<User>, TargetError> {
        let user: User = match self.get(&["users", id.as_str()], &[], spent).await {
            Err(Refusal { error: TargetError::NotFound, .. }) => return Ok(None),
            Err(refusal) => return Err(super::no_right(refusal, "view-users")),
            Ok(user) => user,
        };
        if user.id != id.as_str() {
            return Err(TargetError::Malformed("another user came than was asked for".into()));
        }
        Ok(Some(user))
    }
}

/// The id of what a POST created: the last part of its Location.
pub(super) fn created(answer: &Answer) -> Result<TargetId, TargetError> {
    let location = answer.headers.get("location").and_then(|value| value.to_str().ok());
    let last = location.and_then(|location| location.trim_end_matches('/').rsplit('/').next());
    match last.filter(|id| !id.is_empty() && !id.contains(['%', '?', '#'])) {
        Some(id) => Ok(TargetId::new(id.to_owned())),
        None => Err(TargetError::Lost("it was created, and the answer does not say its id".into())),
    }
}
