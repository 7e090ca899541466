//! The port: what every target can be asked. An enum and not a trait: connectors are few, known, and compiled in.
//!
//! Guarantees: `probe`, `observe`, `changes`, `find` and `read` never write. Every step is safe to repeat. Nothing is retried here
//! and nobody is waited for: each answer says what it cost, and until when the target asked to wait.

use std::collections::BTreeMap;

use provost_core::model::{
    Applied, Changes, Connector, ConnectorKind, CorrelationKey, Cursor, EntitlementKind, Kind, Observed, Page,
    PageToken, Profile, Schema, Spent, Step, TargetError, TargetId,
};
use provost_crds::v1alpha1::{
    ConnectorSpec, FakeEntitlementKind, FakeSpec, KeycloakSpec, ScimAuth, ScimSpec, SecretKeyReference,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::active_directory::ActiveDirectory;
use crate::fake::{Fake, FakeDirectory};
use crate::http::{Auth, ClientCredentials, Http, HttpSettings, NetworkRules, percent_encoded};
use crate::keycloak::{Catalogue, Keycloak};
use crate::ldap::Ldap;
use crate::scim::Scim;

/// A connected target of any kind.
#[derive(Debug)]
pub enum AnyTarget {
    /// A directory in memory.
    Fake(Fake),
    /// An LDAP directory.
    Ldap(Box<Ldap>),
    /// A domain of Active Directory.
    ActiveDirectory(Box<ActiveDirectory>),
    /// A SCIM 2.0 service.
    Scim(Box<Scim>),
    /// A realm of Keycloak.
    Keycloak(Box<Keycloak>),
}

/// What is known of a connector before it was ever connected.
pub fn schema(kind: ConnectorKind) -> &'static Schema {
    match kind {
        ConnectorKind::Fake => &crate::fake::SCHEMA,
        ConnectorKind::Ldap => &crate::ldap::SCHEMA,
        ConnectorKind::ActiveDirectory => &crate::active_directory::SCHEMA,
        ConnectorKind::Scim => &crate::scim::SCHEMA,
        ConnectorKind::Keycloak => &crate::keycloak::SCHEMA,
    }
}

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A bearer token.
    BearerToken,
    /// The password of a user.
    Password,
    /// The secret of an OAuth 2.0 client.
    ClientSecret,
    /// The certificates of a private authority, in PEM.
    Authority,
    /// The certificate of a client, with its chain, in PEM.
    ClientCertificate,
    /// Its key, in PEM.
    ClientKey,
}

/// A value of a Secret that a connector needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretNeed {
    /// `metadata.name` of the Secret.
    pub name: String,
    /// The key in its data.
    pub key: String,
    /// What for.
    pub role: Role,
    /// Every `host:port` that the value would be sent to, in lower case; none for what is not sent.
    pub hosts: Vec<String>,
}

impl SecretNeed {
    pub(crate) fn new(reference: &SecretKeyReference, role: Role, hosts: Vec<String>) -> Self {
        Self { name: reference.name.clone(), key: reference.key.clone(), role, hosts }
    }
}

/// What was read from Secrets for one connection.
#[derive(Clone, Debug, Default)]
pub struct Credentials(BTreeMap<Role, SecretString>);

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        let same = |((role, secret), (other_role, other)): ((&Role, &SecretString), (&Role, &SecretString))| {
            role == other_role && secret.expose_secret() == other.expose_secret()
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl Credentials {
    /// With one more.
    #[must_use]
    pub fn with(mut self, role: Role, secret: SecretString) -> Self {
        self.0.insert(role, secret);
        self
    }

    pub(crate) fn take(&mut self, role: Role, reference: &SecretKeyReference) -> Result<SecretString, TargetError> {
        self.0.remove(&role).ok_or_else(|| {
            let text = format!("key {} of Secret {} was not found", reference.key, reference.name);
            TargetError::SecretNotFound(text.into())
        })
    }
}

/// Which Secrets a connector needs, and the hosts that each would be sent to: for the check of `allowed-hosts`.
/// Settings that cannot be read need none; `connect` says what is wrong with them.
pub fn secrets(connector: &Connector) -> Vec<SecretNeed> {
    match settings(connector) {
        Ok(ConnectorSpec { scim: Some(scim), .. }) => scim_secrets(&scim),
        Ok(ConnectorSpec { ldap: Some(ldap), .. }) => crate::ldap::secrets(&ldap),
        Ok(ConnectorSpec { active_directory: Some(domain), .. }) => crate::active_directory::secrets(&domain),
        Ok(ConnectorSpec { keycloak: Some(keycloak), .. }) => keycloak_secrets(&keycloak),
        _ => Vec::new(),
    }
}

fn need(reference: &SecretKeyReference, role: Role, hosts: Vec<Option<String>>) -> SecretNeed {
    SecretNeed::new(reference, role, hosts.into_iter().flatten().collect())
}

fn keycloak_secrets(spec: &KeycloakSpec) -> Vec<SecretNeed> {
    let mut needs = vec![need(&spec.auth.client_secret_ref, Role::ClientSecret, vec![host(&spec.url)])];
    if let Some(reference) = spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref()) {
        needs.push(need(reference, Role::Authority, Vec::new()));
    }
    needs
}

fn scim_secrets(scim: &ScimSpec) -> Vec<SecretNeed> {
    let mut needs = Vec::new();
    let ScimAuth { bearer, basic, oauth2_client_credentials } = &scim.auth;
    if let Some(bearer) = bearer {
        needs.push(need(&bearer.secret_ref, Role::BearerToken, vec![host(&scim.url)]));
    }
    if let Some(basic) = basic {
        needs.push(need(&basic.password_secret_ref, Role::Password, vec![host(&scim.url)]));
    }
    if let Some(client) = oauth2_client_credentials {
        // The secret goes to the token's host; what it buys goes to the service.
        let hosts = vec![host(&client.token_url), host(&scim.url)];
        needs.push(need(&client.client_secret_ref, Role::ClientSecret, hosts));
    }
    if let Some(reference) = scim.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref()) {
        needs.push(need(reference, Role::Authority, Vec::new()));
    }
    for need in &mut needs {
        need.hosts.dedup();
    }
    needs
}

/// `host:port`, the port also where the URL leaves it to its scheme: an annotation may name one.
fn host(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    Some(format!("{}:{}", url.host_str()?.to_lowercase(), url.port_or_known_default()?))
}

fn settings(connector: &Connector) -> Result<ConnectorSpec, TargetError> {
    serde_json::from_value(connector.settings.clone())
        .map_err(|_| TargetError::Malformed("the connector's settings cannot be read; correct the manifest".into()))
}

/// Ready to be asked. Nothing is sent yet: `probe` is the first that speaks to the target.
#[allow(clippy::unused_async, reason = "protocols that log in once, at the beginning, do so here")]
pub async fn connect(
    connector: &Connector,
    credentials: Credentials,
    net: &NetworkRules,
) -> Result<AnyTarget, TargetError> {
    match (connector.kind, settings(connector)?) {
        (ConnectorKind::Scim, ConnectorSpec { scim: Some(spec), .. }) => {
            Ok(AnyTarget::Scim(Box::new(connect_scim(&spec, credentials, net)?)))
        }
        (ConnectorKind::Ldap, ConnectorSpec { ldap: Some(spec), .. }) => {
            let attributes = crate::ldap::named_elsewhere(connector, "ldap");
            Ok(AnyTarget::Ldap(Box::new(crate::ldap::connect(&spec, &attributes, credentials, net)?)))
        }
        (ConnectorKind::ActiveDirectory, ConnectorSpec { active_directory: Some(spec), .. }) => {
            let attributes = crate::ldap::named_elsewhere(connector, "activeDirectory");
            let domain = crate::active_directory::connect(&spec, &attributes, credentials, net)?;
            Ok(AnyTarget::ActiveDirectory(Box::new(domain)))
        }
        (ConnectorKind::Keycloak, ConnectorSpec { keycloak: Some(spec), .. }) => {
            let catalogue = connector.settings.get("catalogue").and_then(|named| Catalogue::deserialize(named).ok());
            Ok(AnyTarget::Keycloak(Box::new(connect_keycloak(&spec, catalogue, credentials, net)?)))
        }
        (ConnectorKind::Fake, ConnectorSpec { fake: Some(spec), .. }) => {
            Ok(AnyTarget::Fake(connect_fake(&spec, &connector.fingerprint)?))
        }
        _ => Err(TargetError::Malformed("exactly one connector must be named; correct the manifest".into())),
    }
}

fn connect_fake(spec: &FakeSpec, fingerprint: &str) -> Result<Fake, TargetError> {
    let fake = Fake::named(spec.directory.as_deref().unwrap_or(fingerprint));
    for entitlement in spec.entitlements.iter().flatten() {
        let kind = match entitlement.kind {
            FakeEntitlementKind::Group => EntitlementKind::Group,
            FakeEntitlementKind::Role => EntitlementKind::Role,
            FakeEntitlementKind::License => EntitlementKind::License,
            FakeEntitlementKind::Unrecognised(_) => {
                let text = format!("the kind of entitlement {} is not known; correct the manifest", entitlement.name);
                return Err(TargetError::Malformed(text.into()));
            }
        };
        fake.with(|directory| directory.ensure(kind, &entitlement.name));
    }
    Ok(fake)
}

fn connect_keycloak(
    spec: &KeycloakSpec,
    catalogue: Option<Catalogue>,
    mut credentials: Credentials,
    net: &NetworkRules,
) -> Result<Keycloak, TargetError> {
    let url = spec.url.trim_end_matches('/');
    let client_realm = spec.auth.realm.as_ref().unwrap_or(&spec.realm);
    let token_url = format!("{url}/realms/{}/protocol/openid-connect/token", percent_encoded(client_realm));
    let auth = Auth::Client(ClientCredentials {
        token_url: reqwest::Url::parse(&token_url)
            .map_err(|_| TargetError::Malformed("the url cannot be read; correct it".into()))?,
        client_id: spec.auth.client_id.clone(),
        client_secret: credentials.take(Role::ClientSecret, &spec.auth.client_secret_ref)?,
        scopes: Vec::new(),
        token: tokio::sync::Mutex::default(),
    });
    let authority = match spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref()) {
        Some(reference) => Some(credentials.take(Role::Authority, reference)?),
        None => None,
    };
    let url = format!("{url}/admin/realms/{}", percent_encoded(&spec.realm));
    let allow_insecure = spec.allow_insecure == Some(true);
    let settings = crate::keycloak::Settings {
        client_id: spec.auth.client_id.clone(),
        own_realm: *client_realm == spec.realm,
        mark: spec.mark_attribute.clone(),
        required_actions: spec.required_actions.clone().unwrap_or_default(),
        catalogue,
        request_timeout: net.timeouts.whole,
    };
    Ok(Keycloak::new(Http::new(HttpSettings { url, allow_insecure, auth, authority }, net)?, settings))
}

fn connect_scim(spec: &ScimSpec, mut credentials: Credentials, net: &NetworkRules) -> Result<Scim, TargetError> {
    let ScimAuth { bearer, basic, oauth2_client_credentials } = &spec.auth;
    let auth = match (bearer, basic, oauth2_client_credentials) {
        (Some(bearer), None, None) => Auth::Bearer(credentials.take(Role::BearerToken, &bearer.secret_ref)?),
        (None, Some(basic), None) => Auth::Basic {
            username: basic.username.clone(),
            password: credentials.take(Role::Password, &basic.password_secret_ref)?,
        },
        (None, None, Some(client)) => Auth::Client(ClientCredentials {
            token_url: reqwest::Url::parse(&client.token_url)
                .map_err(|_| TargetError::Malformed("the tokenUrl cannot be read; correct it".into()))?,
            client_id: client.client_id.clone(),
            client_secret: credentials.take(Role::ClientSecret, &client.client_secret_ref)?,
            scopes: client.scopes.clone().unwrap_or_default(),
            token: tokio::sync::Mutex::default(),
        }),
        _ => {
            return Err(TargetError::Malformed("exactly one way to log in must be named; correct the manifest".into()));
        }
    };
    let authority = match spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref()) {
        Some(reference) => Some(credentials.take(Role::Authority, reference)?),
        None => None,
    };
    let allow_insecure = spec.allow_insecure == Some(true);
    let http = Http::new(HttpSettings { url: spec.url.clone(), allow_insecure, auth, authority }, net)?;
    Scim::new(http, spec.profile.as_ref(), net.timeouts.whole)
}

impl AnyTarget {
    /// Takes over what an earlier connection to the same target has learned from its writes. Of another target,
    /// nothing is taken.
    pub fn inherit(&self, earlier: &Self) {
        match (self, earlier) {
            (Self::Scim(scim), Self::Scim(earlier)) => scim.inherit(earlier),
            (Self::Ldap(ldap), Self::Ldap(earlier)) => ldap.inherit(earlier),
            (Self::ActiveDirectory(domain), Self::ActiveDirectory(earlier)) => domain.inherit(earlier),
            (Self::Keycloak(keycloak), Self::Keycloak(earlier)) => keycloak.inherit(earlier),
            _ => {}
        }
    }

    /// Whether it can be reached and logged in to, and what it can do. Writes nothing.
    pub async fn probe(&self) -> (Result<Profile, TargetError>, Spent) {
        let mut spent = Spent::default();
        let result = match self {
            Self::Fake(fake) => fake.ask(&mut spent, FakeDirectory::probe),
            Self::Ldap(ldap) => ldap.probe(&mut spent).await,
            Self::ActiveDirectory(domain) => domain.probe(&mut spent).await,
            Self::Scim(scim) => scim.probe(&mut spent).await,
            Self::Keycloak(keycloak) => keycloak.probe(&mut spent).await,
        };
        (result, spent)
    }

    /// One page of what is there; `None`: from the beginning. A token that is not known any more is an error, and the
    /// listing begins again.
    pub async fn observe(&self, kind: Kind, page: Option<&PageToken>) -> (Result<Page, TargetError>, Spent) {
        let mut spent = Spent::default();
        let result = match self {
            Self::Fake(fake) => fake.ask(&mut spent, |directory| directory.observe(kind, page)),
            Self::Ldap(ldap) => ldap.observe(kind, page, &mut spent).await,
            Self::ActiveDirectory(domain) => domain.observe(kind, page, &mut spent).await,
            Self::Scim(scim) => scim.observe(kind, page, &mut spent).await,
            Self::Keycloak(keycloak) => keycloak.observe(kind, page, &mut spent).await,
        };
        (result, spent)
    }

    /// What was touched since a cursor, which the probe or this gave. Asked only where the probe told one.
    pub async fn changes(&self, from: &Cursor) -> (Result<Changes, TargetError>, Spent) {
        let mut spent = Spent::default();
        let result = match self {
            Self::Ldap(ldap) => ldap.changes(from, &mut spent).await,
            Self::ActiveDirectory(domain) => domain.changes(from, &mut spent).await,
            Self::Fake(_) | Self::Scim(_) | Self::Keycloak(_) => {
                Err(TargetError::Unsupported("it tells nothing of what has changed".into()))
            }
        };
        (result, spent)
    }

    /// Accounts with a key, inactive ones included. Case may differ: the caller checks each match exactly.
    pub async fn find(&self, key: &CorrelationKey) -> (Result<Vec<Observed>, TargetError>, Spent) {
        let mut spent = Spent::default();
        let result = match self {
            Self::Fake(fake) => fake.ask(&mut spent, |directory| directory.find(key)),
            Self::Ldap(ldap) => ldap.find(key, &mut spent).await,
            Self::ActiveDirectory(domain) => domain.find(key, &mut spent).await,
            Self::Scim(scim) => scim.find(key, &mut spent).await,
            Self::Keycloak(keycloak) => keycloak.find(key, &mut spent).await,
        };
        (result, spent)
    }

    /// One account; `None`: the target does not have it.
    pub async fn read(&self, id: &TargetId) -> (Result<Option<Observed>, TargetError>, Spent) {
        let mut spent = Spent::default();
        let result = match self {
            Self::Fake(fake) => fake.ask(&mut spent, |directory| directory.read(id)),
            Self::Ldap(ldap) => ldap.read(id, &mut spent).await,
            Self::ActiveDirectory(domain) => domain.read(id, &mut spent).await,
            Self::Scim(scim) => scim.read(id, &mut spent).await,
            Self::Keycloak(keycloak) => keycloak.read(id, &mut spent).await,
        };
        (result, spent)
    }

    /// Carries steps out, in order; one outcome each. After one that found the target out of reach, or was told to wait, the
    /// others are not asked.
    pub async fn apply(&self, steps: &[Step]) -> (Vec<Result<Applied, TargetError>>, Spent) {
        let mut spent = Spent::default();
        let mut outcomes = Vec::with_capacity(steps.len());
        while let Some(rest @ [step, ..]) = steps.get(outcomes.len()..) {
            if outcomes.last().is_some_and(ends) {
                outcomes.push(Err(TargetError::NotAsked));
                continue;
            }
            match self {
                Self::Fake(fake) => outcomes.extend(fake.apply(rest, &mut spent)),
                Self::Scim(scim) => outcomes.extend(scim.apply(rest, &mut spent).await),
                Self::Ldap(ldap) => outcomes.push(ldap.step(step, &mut spent).await),
                Self::ActiveDirectory(domain) => outcomes.push(domain.step(step, &mut spent).await),
                Self::Keycloak(keycloak) => outcomes.push(keycloak.step(step, &mut spent).await),
            }
        }
        (outcomes, spent)
    }
}

/// Whether the next of several steps would fare no better now.
pub const fn ends(outcome: &Result<Applied, TargetError>) -> bool {
    use TargetError::{Lost, NotAsked, RateLimited, Tls, Unauthorized, Unreachable};
    matches!(outcome, Err(Unreachable(_) | RateLimited { .. } | Unauthorized(_) | Tls(_) | Lost(_) | NotAsked))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connector(settings: serde_json::Value) -> Connector {
        Connector { kind: ConnectorKind::Scim, fingerprint: "scim/wiki.test".into(), settings }
    }

    fn oauth() -> Connector {
        connector(json!({"scim": {
            "url": "https://Wiki.test:8443/scim/v2",
            "auth": {"oauth2ClientCredentials": {
                "tokenUrl": "https://login.test/token", "clientId": "provost",
                "clientSecretRef": {"name": "wiki", "key": "secret"},
            }},
            "tls": {"caSecretRef": {"name": "acme-ca", "key": "ca.crt"}},
        }}))
    }

    #[test]
    fn a_client_secret_names_the_tokens_host_and_the_services() {
        assert_eq!(
            secrets(&oauth()),
            [
                SecretNeed {
                    name: "wiki".into(),
                    key: "secret".into(),
                    role: Role::ClientSecret,
                    hosts: vec!["login.test:443".into(), "wiki.test:8443".into()],
                },
                SecretNeed { name: "acme-ca".into(), key: "ca.crt".into(), role: Role::Authority, hosts: vec![] },
            ]
        );
    }

    #[test]
    fn what_is_asked_may_be_carried_to_another_thread() {
        fn carried<T: Send>(_: &T) {}
        let target = AnyTarget::Fake(Fake::alone());
        carried(&target);
        carried(&&target);
        carried(&target.probe());
        carried(&target.observe(Kind::Accounts, None));
        carried(&target.find(&CorrelationKey { attribute: "userName".into(), value: "ada".into() }));
        carried(&target.read(&"1".into()));
        carried(&target.changes(&Cursor("1".into())));
        carried(&target.apply(&[]));
    }

    #[tokio::test]
    async fn a_secret_that_is_not_there_is_named() {
        let error = connect(&oauth(), Credentials::default(), &NetworkRules::default()).await.unwrap_err();
        assert_eq!(error, TargetError::SecretNotFound("key secret of Secret wiki was not found".into()));
    }

    #[tokio::test]
    async fn settings_that_name_no_connector_or_two_are_refused() {
        let scim = json!({"url": "https://wiki.test", "auth": {}});
        for settings in
            [json!({}), json!({"scim": scim, "fake": {}}), json!({"scim": {"url": 1}}), json!({"scim": scim})]
        {
            let result = connect(&connector(settings.clone()), Credentials::default(), &NetworkRules::default()).await;
            assert!(matches!(result, Err(TargetError::Malformed(_))), "{settings}");
            assert!(secrets(&connector(settings)).is_empty());
        }
    }
}
