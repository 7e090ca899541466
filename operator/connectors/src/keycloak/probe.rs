//! Whether the realm can be seen and written to. Reads alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use provost_core::model::{Capabilities, DeleteMeans, Observability, Profile, Spent, TargetError, TargetId};

use super::wire::{RealmSettings, User, UserProfile};
use super::{Keycloak, MEMBER_BATCH, SERVICE_ACCOUNT, no_right};
use crate::http::Refusal;

impl Keycloak {
    /// Logs in, proves that users are seen, and reads the user profile.
    pub(crate) async fn probe(&self, spent: &mut Spent) -> Result<Profile, TargetError> {
        let seen = self.sight(spent).await?;
        let profile = self.read_profile(spent).await?;
        let email_names = self.read_realm(spent).await?;
        let may_write = seen.access.as_ref().and_then(|access| access.manage);
        let mut measured: BTreeMap<Arc<str>, Arc<str>> = [
            ("write", if may_write == Some(false) { "the client lacks manage-users" } else { "allowed" }),
            ("unmanagedAttributes", profile.policy()),
            ("mark", self.mark().unwrap_or("none")),
        ]
        .map(|(key, value)| (key.into(), value.into()))
        .into();
        let not_declared = self.known().dropped.iter().cloned().collect::<Vec<_>>().join(", ");
        if !not_declared.is_empty() {
            let shown: String = not_declared.chars().take(256).collect();
            measured.insert("notDeclared".into(), shown.into());
        }
        if let Some(mark) = self.mark().filter(|mark| !profile.keeps(mark)) {
            measured.insert("notDeclared".into(), mark.into());
        }
        if email_names {
            measured.insert("userNames".into(), "e-mail addresses: map username to identity.primaryEmail()".into());
        }
        let principal = self.settings.own_realm.then(|| TargetId::new(seen.id));
        Ok(Profile { measured, capabilities: self.capabilities(), principal, changes: None })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            member_batch: MEMBER_BATCH,
            step_batch: 1,
            members: Observability::Full,
            visibility: Duration::from_secs(1),
            delete: DeleteMeans::Hard,
            disable: true,
            create_groups: true,
            request_timeout: self.settings.request_timeout,
        }
    }

    /// A user that is surely there: the client's own service account or, of a client of another realm, anybody. Who may
    /// not look is told 200 and an empty list.
    pub(super) async fn sight(&self, spent: &mut Spent) -> Result<User, TargetError> {
        let own = format!("{SERVICE_ACCOUNT}{}", self.settings.client_id.to_lowercase());
        let by_name = [("username", own.as_str()), ("exact", "true"), ("max", "1")];
        let anybody = [("first", "0"), ("max", "1")];
        let query = if self.settings.own_realm { &by_name[..] } else { &anybody[..] };
        let found: Vec<User> =
            self.get(&["users"], query, spent).await.map_err(|refusal| no_right(refusal, "view-users"))?;
        found.into_iter().next().ok_or_else(|| {
            let text = if self.settings.own_realm {
                "the realm shows the client no users, not even its own service account: it lacks the role manage-users \
                 (or view-users) of realm-management; assign it to the service account"
            } else {
                "the realm shows no users at all, and a client of another realm cannot prove that it may see them: give it \
                 the role manage-users for this realm and create a first user, or use a client of this realm"
            };
            TargetError::Unauthorized(text.into())
        })
    }

    /// Whether the realm makes user names of e-mail addresses: it then accepts others, and does nothing with them.
    pub(super) async fn read_realm(&self, spent: &mut Spent) -> Result<bool, TargetError> {
        let read = match self.get(&[], &[], spent).await {
            // It is a help alone.
            Err(Refusal { status: Some(403), .. }) => RealmSettings::default(),
            other => other?,
        };
        self.known().email_names = read.registration_email_as_username;
        Ok(read.registration_email_as_username)
    }

    /// Which attributes users may have, read again: it can change at any time.
    pub(super) async fn read_profile(&self, spent: &mut Spent) -> Result<Arc<UserProfile>, TargetError> {
        let read: UserProfile =
            self.get(&["users", "profile"], &[], spent).await.map_err(|refusal| no_right(refusal, "view-users"))?;
        let read = Arc::new(read);
        let mut known = self.known();
        known.dropped.retain(|name| !read.keeps(name));
        known.profile = Some(Arc::clone(&read));
        Ok(read)
    }

    /// The user profile as it was read last.
    pub(super) async fn profile(&self, spent: &mut Spent) -> Result<Arc<UserProfile>, TargetError> {
        let known = self.known().profile.clone();
        match known {
            Some(profile) => Ok(profile),
            None => self.read_profile(spent).await,
        }
    }
}
