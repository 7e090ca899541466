use std::sync::Arc;

use provost_crds as crds;

use super::check::Checks;
use super::path::Path;
use super::url::PlainUrl;
use crate::model::{Connector, ConnectorKind};

const NO_URL: &str = "is no URL that can be used";
const PLAIN_URL: &str = "must be an https URL without user info (credentials belong in auth), query and fragment, as in https://wiki.example.com/scim/v2";

/// The connector of a TargetApplication that is called `own_name` (namespace and name).
pub(super) fn connector(checks: &mut Checks, at: Path<'_>, spec: &crds::ConnectorSpec, own_name: &str) -> Connector {
    let members = [
        ("scim", spec.scim.is_some()),
        ("ldap", spec.ldap.is_some()),
        ("activeDirectory", spec.active_directory.is_some()),
        ("keycloak", spec.keycloak.is_some()),
        ("fake", spec.fake.is_some()),
    ];
    checks.exactly_one(at, "connector", &members);
    let mut settings = spec.clone();
    let scim_url = spec.scim.as_ref().map(|scim| self::scim(checks, at.field("scim"), scim));
    let directory = spec.ldap.as_ref().map(|ldap| super::ldap::ldap(checks, at.field("ldap"), ldap));
    let domain = spec.active_directory.as_ref();
    let domain = domain.map(|domain| super::active_directory::check(checks, at.field("activeDirectory"), domain));
    let keycloak =
        spec.keycloak.as_ref().map(|keycloak| super::keycloak::check(checks, at.field("keycloak"), keycloak));
    let (kind, fingerprint) = match (scim_url, directory, domain, keycloak, &mut settings.fake) {
        (Some(url), ..) => (ConnectorKind::Scim, format!("scim {url}")),
        (None, Some(directory), ..) => (ConnectorKind::Ldap, directory),
        (None, None, Some(domain), ..) => (ConnectorKind::ActiveDirectory, domain),
        (None, None, None, Some(realm), _) => (ConnectorKind::Keycloak, format!("keycloak {realm}")),
        (None, None, None, None, Some(fake)) => {
            self::fake(checks, at.field("fake"), fake);
            let directory = fake.directory.get_or_insert_with(|| own_name.to_owned());
            (ConnectorKind::Fake, format!("fake {directory}"))
        }
        (None, None, None, None, None) => (ConnectorKind::Fake, String::new()),
    };
    Connector { kind, fingerprint: fingerprint.into(), settings: serde_json::to_value(&settings).unwrap_or_default() }
}

fn fake(checks: &mut Checks, at: Path<'_>, spec: &crds::FakeSpec) {
    checks.optional(at.field("directory"), spec.directory.as_ref(), 1, 63);
    let at = at.field("entitlements");
    let entitlements = checks.list(at, spec.entitlements.as_deref().unwrap_or_default(), 0, 256);
    for (index, entitlement) in entitlements.iter().enumerate() {
        let at = at.item(index);
        checks.text(at.field("name"), &entitlement.name, 1, 256);
        if let crds::FakeEntitlementKind::Unrecognised(word) = &entitlement.kind {
            checks.unrecognised(at.field("kind"), word, crds::FakeEntitlementKind::WORDS, ());
        }
    }
    let keys = entitlements.iter().map(|found| ((&found.kind, &found.name), format!("{} {}", found.kind, found.name)));
    checks.unique(at, "kind and name", keys);
}

/// Checks the settings and gives what tells the target from others.
fn scim(checks: &mut Checks, at: Path<'_>, spec: &crds::ScimSpec) -> String {
    let insecure = spec.allow_insecure.unwrap_or_default();
    auth(checks, at.field("auth"), &spec.auth, insecure);
    if let Some(secret) = spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref()) {
        secret_key(checks, at.field("tls").field("caSecretRef"), secret);
    }
    if let Some(profile) = &spec.profile {
        let at = at.field("profile");
        if let Some(crds::PatchMethod::Unrecognised(word)) = &profile.patch {
            checks.unrecognised(at.field("patch"), word, crds::PatchMethod::WORDS, ());
        }
        if let Some(crds::PagingMethod::Unrecognised(word)) = &profile.paging {
            checks.unrecognised(at.field("paging"), word, crds::PagingMethod::WORDS, ());
        }
        if let Some(crds::BulkUse::Unrecognised(word)) = &profile.bulk {
            checks.unrecognised(at.field("bulk"), word, crds::BulkUse::WORDS, ());
        }
    }
    url(checks, at.field("url"), &spec.url, insecure).map(|url| url.identification()).unwrap_or_default()
}

fn auth(checks: &mut Checks, at: Path<'_>, auth: &crds::ScimAuth, insecure: bool) {
    let members = [
        ("bearer", auth.bearer.is_some()),
        ("basic", auth.basic.is_some()),
        ("oauth2ClientCredentials", auth.oauth2_client_credentials.is_some()),
    ];
    checks.exactly_one(at, "way to log in", &members);
    if let Some(bearer) = &auth.bearer {
        secret_key(checks, at.field("bearer").field("secretRef"), &bearer.secret_ref);
    }
    if let Some(basic) = &auth.basic {
        let at = at.field("basic");
        checks.length(at.field("username"), None, &basic.username, 1, 256);
        secret_key(checks, at.field("passwordSecretRef"), &basic.password_secret_ref);
    }
    if let Some(oauth) = &auth.oauth2_client_credentials {
        let at = at.field("oauth2ClientCredentials");
        url(checks, at.field("tokenUrl"), &oauth.token_url, insecure);
        checks.length(at.field("clientId"), None, &oauth.client_id, 1, 256);
        secret_key(checks, at.field("clientSecretRef"), &oauth.client_secret_ref);
        let at = at.field("scopes");
        let scopes = checks.list(at, oauth.scopes.as_deref().unwrap_or_default(), 0, 32);
        checks.unique(at, "value", scopes.iter().map(|scope| (scope, scope.clone())));
        for (index, scope) in scopes.iter().enumerate() {
            checks.text(at.item(index), scope, 1, 256);
        }
    }
}

pub(super) fn url<'u>(checks: &mut Checks, at: Path<'_>, url: &'u str, insecure: bool) -> Option<PlainUrl<'u>> {
    checks.length(at, None, url, 0, 2048);
    let Some(found) = PlainUrl::parse(url) else {
        checks.wrong_untold(at, NO_URL, PLAIN_URL);
        return None;
    };
    if !found.secure && !insecure {
        checks.wrong_untold(at, "is not encrypted", "must be https; http needs allowInsecure: true");
    }
    Some(found)
}

pub(super) fn secret_key(checks: &mut Checks, at: Path<'_>, secret: &crds::SecretKeyReference) {
    checks.text(at.field("name"), &secret.name, 1, 253);
    checks.length(at.field("key"), None, &secret.key, 1, 253);
}

/// Namespace and name in one, for what must differ between namespaces.
pub(super) fn full_name(namespace: Option<&str>, name: &str) -> Arc<str> {
    format!("{}/{name}", namespace.unwrap_or("default")).into()
}
