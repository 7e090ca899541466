use std::sync::Arc;

use provost_crds as crds;

use super::check::Checks;
use super::path::Path;
use super::url::PlainUrl;
use crate::model::{Connector, ConnectorKind};

const NO_URL: &str = "is no URL that can be used";
const PLAIN_URL: &str = "must be an https URL without user info (credentials belong in auth), query and fragment, as in https://wiki.example.com/scim/v2";

/// The connector of a TargetApplication that is called `own_name` (namespace and name). A connector is a line here: its kind, and
/// what its check says that tells the target from others.
pub(super) fn connector(checks: &mut Checks, at: Path<'_>, spec: &crds::ConnectorSpec, own_name: &str) -> Connector {
    let mut settings = spec.clone();
    if let Some(fake) = &mut settings.fake {
        fake.directory.get_or_insert_with(|| own_name.to_owned());
    }
    let settings = serde_json::to_value(&settings).unwrap_or_default();
    let members: Vec<(&str, bool)> =
        crds::CONNECTORS.iter().map(|member| (*member, settings.get(member).is_some())).collect();
    checks.exactly_one(at, "connector", &members);
    let found = [
        (ConnectorKind::Scim, spec.scim.as_ref().map(|spec| scim(checks, at.field("scim"), spec))),
        (ConnectorKind::Ldap, spec.ldap.as_ref().map(|spec| super::ldap::ldap(checks, at.field("ldap"), spec))),
        (
            ConnectorKind::ActiveDirectory,
            spec.active_directory
                .as_ref()
                .map(|spec| super::active_directory::check(checks, at.field("activeDirectory"), spec)),
        ),
        (
            ConnectorKind::Keycloak,
            spec.keycloak.as_ref().map(|spec| super::keycloak::check(checks, at.field("keycloak"), spec)),
        ),
        (ConnectorKind::Fake, spec.fake.as_ref().map(|spec| fake(checks, at.field("fake"), spec, own_name))),
    ];
    let found = found.into_iter().find_map(|(kind, fingerprint)| Some((kind, fingerprint?)));
    // Where none is named that is an error already.
    let (kind, fingerprint) = found.unwrap_or((ConnectorKind::Fake, String::new()));
    Connector { kind, fingerprint: fingerprint.into(), settings }
}

fn fake(checks: &mut Checks, at: Path<'_>, spec: &crds::FakeSpec, own_name: &str) -> String {
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
    format!("fake {}", spec.directory.as_deref().unwrap_or(own_name))
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
    let url = url(checks, at.field("url"), &spec.url, insecure).map(|url| url.identification()).unwrap_or_default();
    format!("scim {url}")
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
