//! Writes to accounts. The first write of each attribute is read back, since targets accept what they do not keep;
//! after that the answer is believed.

use provost_core::model::{Applied, Attributes, DeleteMeans, Observed, Spent, TargetError, TargetId, Value};
use reqwest::Method;
use serde_json::Value as Json;

use super::map::{self, Change};
use super::names::Path;
use super::wire::{self, Resource};
use super::{Scim, cannot, kind};
use crate::http::{Answer, Refusal};
use crate::password;

impl Scim {
    pub(super) async fn create_account(
        &self,
        attributes: &Attributes,
        enabled: bool,
        with_password: bool,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let mut body = map::new_account(attributes, enabled);
        if with_password && self.learned().password_needed {
            body.0.insert("password".into(), password::random()?.into());
        }
        let names: Vec<&str> = attributes.keys().map(provost_core::model::AttributeName::as_str).collect();
        let answer = match self.create("Users", &body, spent).await {
            // It was refused, so nothing was created: the same again with what was missed.
            Err(refusal) if with_password && body.get("password").is_none() && misses_password(&refusal) => {
                self.learned().password_needed = true;
                body.0.insert("password".into(), password::random()?.into());
                self.create("Users", &body, spent).await
            }
            other => other,
        };
        let answer = answer.map_err(|refusal| self.refused(refusal, &names))?;
        let (id, answered) = created(&answer)?;
        let mut observed = self.verified(&id, attributes, Some(enabled), answered, true, spent).await;
        if !enabled && observed.as_ref().is_some_and(|account| account.enabled) {
            // Some create every account active, whatever was asked.
            let disabled = self.set_enabled(&id, false, spent).await;
            // It is there all the same: an error that says "refused" would leave it without an owner.
            observed = disabled.map_err(|error| created_and_not_disabled(&error))?.observed;
        }
        Ok(Applied { id: Some(id), observed, ..Applied::default() })
    }

    async fn create(&self, kind: &str, body: &Resource, spent: &mut Spent) -> Result<Answer, Refusal> {
        self.write(Method::POST, &[kind], Some(&Json::Object(body.0.clone())), None, spent).await
    }

    pub(super) async fn update_account(
        &self,
        id: &TargetId,
        set: &Attributes,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        self.unshown().remove(id);
        let changes = map::changes(set);
        let observed = match self.change("Users", id, &changes, spent).await {
            Ok(answered) => self.verified(id, set, None, answered, false, spent).await,
            Err(error) => Some(self.stored_all_the_same(id, set, None, error, spent).await?),
        };
        Ok(Applied { observed, ..Applied::default() })
    }

    pub(super) async fn set_enabled(
        &self,
        id: &TargetId,
        enabled: bool,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let change: Change = (Path::of("active"), Some(enabled.into()));
        let observed = match self.change("Users", id, &[change], spent).await {
            Ok(answered) => self.verified(id, &Attributes::new(), Some(enabled), answered, false, spent).await,
            Err(error) => Some(self.stored_all_the_same(id, &Attributes::new(), Some(enabled), error, spent).await?),
        };
        match &observed {
            // It lags, or it does not keep what it accepts: only a later look can tell.
            Some(account) if account.enabled != enabled => {
                Err(TargetError::Lost("the target accepted active, and a read shows the old value".into()))
            }
            _ => Ok(Applied { observed, ..Applied::default() }),
        }
    }

    pub(super) async fn delete_account(&self, id: &TargetId, spent: &mut Spent) -> Result<Applied, TargetError> {
        match self.write(Method::DELETE, &["Users", id.as_str()], None, None, spent).await {
            Ok(_) => {}
            Err(Refusal { error: TargetError::NotFound, .. }) => return Ok(Applied::default()),
            Err(refusal) => {
                if cannot(&refusal) {
                    self.learned().delete = Some(DeleteMeans::Denied);
                }
                return Err(self.refused(refusal, &[]));
            }
        }
        // A deletion is believed once a read confirms it: some deactivate, some delete later, some not at all.
        let was_hard = self.learned().delete == Some(DeleteMeans::Hard);
        match self.resource("Users", id, spent).await {
            Ok(None) => self.learned().delete = Some(DeleteMeans::Hard),
            Ok(Some(left)) if left.active() == Some(false) && !was_hard => {
                self.learned().delete = Some(DeleteMeans::Deactivate);
                return Ok(Applied { observed: self.account(&left), ..Applied::default() });
            }
            Ok(Some(_)) => {
                return Err(TargetError::Lost("the target accepted the deletion, and a read shows the account".into()));
            }
            Err(error) => {
                return Err(TargetError::Lost(
                    format!("it was deleted, and could not be read afterwards: {error}").into(),
                ));
            }
        }
        Ok(Applied::default())
    }

    /// By PATCH, else by reading, changing and replacing. Returns the resource if the target answered with it.
    pub(super) async fn change(
        &self,
        resource: &'static str,
        id: &TargetId,
        changes: &[Change],
        spent: &mut Spent,
    ) -> Result<Option<Resource>, TargetError> {
        if !self.patches(resource) {
            return self.replace(resource, id, changes, spent).await;
        }
        let names: Vec<String> = changes.iter().map(|(path, _)| path.to_string()).collect();
        let names: Vec<&str> = names.iter().map(|name| attribute_of(name)).collect();
        match self.write(Method::PATCH, &[resource, id.as_str()], Some(&map::patch(changes)), None, spent).await {
            Ok(answer) => {
                self.learned().patch.insert(resource, true);
                Ok(wire::resource(&answer.body).ok().filter(|read| read.id().as_ref() == Some(id)))
            }
            Err(refusal) if self.may_be_unsupported(resource, &refusal) => {
                let replaced = self.replace(resource, id, changes, spent).await?;
                self.learned().patch.entry(resource).or_insert(false);
                Ok(replaced)
            }
            // What is to be cleared is not there: each change by itself shows which.
            Err(refusal) if kind(&refusal) == Some("noTarget") => self.one_by_one(resource, id, changes, spent).await,
            Err(refusal) => Err(self.refused(refusal, &names)),
        }
    }

    /// 405 and 501 say so, of this change: elsewhere, PATCH may work. Some answer 404 to the method, which a resource that can
    /// be read tells apart.
    pub(super) fn may_be_unsupported(&self, resource: &str, refusal: &Refusal) -> bool {
        let unknown = !self.learned().patch.contains_key(resource);
        self.patch.is_none() && (cannot(refusal) || (unknown && refusal.status == Some(404)))
    }

    async fn one_by_one(
        &self,
        resource: &str,
        id: &TargetId,
        changes: &[Change],
        spent: &mut Spent,
    ) -> Result<Option<Resource>, TargetError> {
        for change in changes {
            let body = map::patch(std::slice::from_ref(change));
            match self.write(Method::PATCH, &[resource, id.as_str()], Some(&body), None, spent).await {
                Ok(_) => {}
                Err(refusal) if change.1.is_none() && kind(&refusal) == Some("noTarget") => {}
                Err(refusal) if self.patch.is_none() && cannot(&refusal) => {
                    return self.replace(resource, id, changes, spent).await;
                }
                Err(refusal) => return Err(self.refused(refusal, &[attribute_of(&change.0.to_string())])),
            }
        }
        Ok(None)
    }

    async fn replace(
        &self,
        kind: &str,
        id: &TargetId,
        changes: &[Change],
        spent: &mut Spent,
    ) -> Result<Option<Resource>, TargetError> {
        let Some(mut resource) = self.resource(kind, id, spent).await? else { return Err(TargetError::NotFound) };
        if kind == "Groups" {
            self.all_members_known(id, &resource)?;
        }
        for change in changes {
            map::put(&mut resource, change);
        }
        self.put_back(kind, id, resource, spent).await
    }

    /// Replaces what was read. If-Match only where a version was seen to change with its resource.
    pub(super) async fn put_back(
        &self,
        kind: &str,
        id: &TargetId,
        mut resource: Resource,
        spent: &mut Spent,
    ) -> Result<Option<Resource>, TargetError> {
        let before = resource.version();
        // The target's own: RFC 7644, 3.5.1, has it ignore them; not all do.
        resource.0.retain(|key, _| !key.eq_ignore_ascii_case("meta") && !key.eq_ignore_ascii_case("groups"));
        let changes_with_it = self.learned().etag == Some(true);
        let version = before.as_deref().filter(|_| changes_with_it);
        let body = Json::Object(resource.0);
        let answer = self
            .write(Method::PUT, &[kind, id.as_str()], Some(&body), version, spent)
            .await
            .map_err(|refusal| self.refused(refusal, &[]))?;
        let answered = wire::resource(&answer.body).ok().filter(|read| read.id().as_ref() == Some(id));
        let after = answered.as_ref().and_then(Resource::version).or_else(|| header(&answer, "etag"));
        if let (Some(before), Some(after)) = (before, after) {
            let mut learned = self.learned();
            learned.etag = Some(before != after || learned.etag == Some(true));
        }
        Ok(answered)
    }

    /// The account after a write. What was never seen to stick is read back, and remembered.
    pub(super) async fn verified(
        &self,
        id: &TargetId,
        written: &Attributes,
        enabled: Option<bool>,
        answered: Option<Resource>,
        created: bool,
        spent: &mut Spent,
    ) -> Option<Observed> {
        let fresh: Vec<(&str, &Value)> = {
            let learned = self.learned();
            let values = written.iter().filter(|(_, value)| !value.is_empty());
            values.map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| !learned.verified(name)).collect()
        };
        // Whether an account is really disabled is worth one look each time the answer does not show it.
        let unseen = enabled.filter(|enabled| {
            !self.learned().verified("active") || answered.as_ref().and_then(Resource::active) != Some(*enabled)
        });
        if fresh.is_empty() && unseen.is_none() {
            return self.answered(answered);
        }
        let read = match self.resource("Users", id, spent).await {
            Ok(Some(read)) => read,
            Ok(None) => {
                self.learned().lags |= created;
                return self.answered(answered);
            }
            // It was done; only the look failed.
            Err(_) => return self.answered(answered),
        };
        let account = self.account(&read)?;
        let mut learned = self.learned();
        for (name, value) in fresh {
            let held = account.attributes.get(name);
            // A value that is there and differs (formatted, folded) says nothing of the attribute.
            if held.is_none() || map::same(name, value, held) {
                learned.stuck(name, held.is_some());
            }
        }
        if unseen.is_some() && unseen == read.active() {
            learned.stuck("active", true);
        }
        Some(account)
    }

    /// What the answer to a write shows, without attributes of which answers are known to echo what is not kept.
    fn answered(&self, answered: Option<Resource>) -> Option<Observed> {
        let mut account = self.account(&answered?)?;
        let learned = self.learned();
        account.attributes.retain(|name, _| !learned.dropped.contains(name.as_str()));
        Some(account)
    }

    /// Some refuse a write and carry it out: it is looked at before the refusal is believed.
    async fn stored_all_the_same(
        &self,
        id: &TargetId,
        set: &Attributes,
        enabled: Option<bool>,
        error: TargetError,
        spent: &mut Spent,
    ) -> Result<Observed, TargetError> {
        if !matches!(error, TargetError::Rejected { .. }) {
            return Err(error);
        }
        let Ok(Some(read)) = self.resource("Users", id, spent).await else { return Err(error) };
        let Some(account) = self.account(&read) else { return Err(error) };
        let stored = set.iter().all(|(name, value)| map::same(name.as_str(), value, account.attributes.get(name)))
            && enabled.is_none_or(|enabled| read.active() == Some(enabled));
        if !stored {
            return Err(error);
        }
        self.learned().stores_rejected = true;
        Ok(account)
    }
}

/// The id of what a POST created, and the resource if the answer holds it.
pub(super) fn created(answer: &Answer) -> Result<(TargetId, Option<Resource>), TargetError> {
    created_as(wire::resource(&answer.body).ok(), header(answer, "location").as_deref())
}

/// The same, of a resource and the place it is said to be at.
pub(super) fn created_as(
    answered: Option<Resource>,
    location: Option<&str>,
) -> Result<(TargetId, Option<Resource>), TargetError> {
    if let Some(id) = answered.as_ref().and_then(Resource::id) {
        return Ok((id, answered));
    }
    let last = location.and_then(|location| location.rsplit_once('/')).map(|(_, last)| last);
    match last.filter(|id| !id.is_empty() && !id.contains(['%', '?', '#'])) {
        Some(id) => Ok((TargetId::new(id), None)),
        None => Err(TargetError::Lost("it was created, and the answer does not say its id".into())),
    }
}

fn created_and_not_disabled(error: &TargetError) -> TargetError {
    TargetError::Lost(format!("it was created enabled, and could not be disabled: {error}").into())
}

fn header(answer: &Answer, name: &str) -> Option<String> {
    answer.headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn misses_password(refusal: &Refusal) -> bool {
    matches!(refusal.status, Some(400 | 422))
        && wire::scim_error(&refusal.body).detail.to_lowercase().contains("password")
}

/// The attribute at the end of a path, as a target would name it.
fn attribute_of(path: &str) -> &str {
    path.rsplit_once(':').map_or(path, |(_, name)| name)
}
