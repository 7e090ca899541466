//! What a realm of Keycloak asks of a TargetApplication.

use std::collections::HashSet;
use std::sync::Arc;

use provost_crds as crds;
use serde_json::json;

use super::check::Checks;
use super::connector::{secret_key, url};
use super::path::Path;
use crate::model::{AttributeName, Entitlement, EntitlementKind, Mapping, MappingSource, TargetApplication};

/// The name under which the mark is mapped, whatever the realm calls it.
const MARK: &str = "externalId";

/// Every user has these.
const OWN: [&str; 5] = ["username", "email", "firstName", "lastName", "emailVerified"];

/// Checks the settings and gives what tells the realm from others.
pub(super) fn check(checks: &mut Checks, at: Path<'_>, spec: &crds::KeycloakSpec) -> String {
    let insecure = spec.allow_insecure.unwrap_or_default();
    checks.text(at.field("realm"), &spec.realm, 1, 255);
    let auth = at.field("auth");
    checks.length(auth.field("clientId"), None, &spec.auth.client_id, 1, 255);
    secret_key(checks, auth.field("clientSecretRef"), &spec.auth.client_secret_ref);
    checks.optional(auth.field("realm"), spec.auth.realm.as_ref(), 1, 255);
    let mark = at.field("markAttribute");
    checks.optional(mark, spec.mark_attribute.as_ref(), 1, 255);
    if let Some(name) = spec.mark_attribute.as_deref().filter(|name| OWN.contains(name)) {
        checks.wrong(mark, name, "is one that every user has", "must be an attribute of its own");
    }
    let at_actions = at.field("requiredActions");
    let actions = checks.list(at_actions, spec.required_actions.as_deref().unwrap_or_default(), 0, 16);
    checks.unique(at_actions, "value", actions.iter().map(|action| (action, action.clone())));
    for (index, action) in actions.iter().enumerate() {
        checks.text(at_actions.item(index), action, 1, 64);
    }
    if let Some(secret) = spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref()) {
        secret_key(checks, at.field("tls").field("caSecretRef"), secret);
    }
    let url = url(checks, at.field("url"), &spec.url, insecure).map(|url| url.identification()).unwrap_or_default();
    format!("keycloak {url} {}", spec.realm)
}

/// What follows for the rest of the application: group paths without the leading slash, no mark where the spec names no
/// attribute for it, the connector told what the catalogue names, and Keycloak's own admin rights privileged.
pub(super) fn complete(checks: &mut Checks, spec: &crds::KeycloakSpec, application: &mut TargetApplication) {
    mark(checks, spec, application);
    for entitlement in &mut application.entitlements {
        if entitlement.target.kind == EntitlementKind::Group {
            entitlement.target.name = without_slash(&entitlement.target.name);
        }
        entitlement.privileged |= is_admin_right(entitlement);
    }
    for pushed in &mut application.pushed_groups {
        pushed.name = without_slash(&pushed.name);
    }
    let root = Path::Root("spec");
    for Entitlement { name, target, .. } in &application.entitlements {
        let list = root.field("entitlements");
        let at = list.key("name", name.as_str());
        match target.kind {
            EntitlementKind::Group => is_path(checks, at.field("target"), &target.name),
            // The id of a client may have slashes, as that of one for SAML, which is an address.
            _ if target.name.rsplit_once('/').is_some_and(|(client, role)| client.is_empty() || role.is_empty()) => {
                let remedy = "must be a role of the realm, or of a client as in wiki/editor";
                checks.wrong(at.field("target"), &target.name, "has a name that is empty", remedy);
            }
            _ => {}
        }
    }
    for pushed in &application.pushed_groups {
        is_path(checks, root.field("pushedGroups"), &pushed.name);
    }
    let mut named_twice = HashSet::new();
    let pushed = application.pushed_groups.iter().map(|pushed| (EntitlementKind::Group, &pushed.name));
    for (kind, name) in
        application.entitlements.iter().map(|entry| (entry.target.kind, &entry.target.name)).chain(pushed)
    {
        if !named_twice.insert((kind, name)) {
            let at = Path::Root("spec");
            checks.wrong(at.field("entitlements"), name, "is named with and without a slash", "must be named once");
        }
    }
    let of = |kind| application.entitlements.iter().filter(move |entry| entry.target.kind == kind);
    let named = |kind| of(kind).map(|entry| Arc::clone(&entry.target.name));
    let pushed = application.pushed_groups.iter().map(|pushed| Arc::clone(&pushed.name));
    let groups: Vec<Arc<str>> = named(EntitlementKind::Group).chain(pushed).collect();
    let roles: Vec<Arc<str>> = named(EntitlementKind::Role).collect();
    let texts = |names: &[Arc<str>]| names.iter().map(|name| json!(&**name)).collect::<Vec<_>>();
    if let Some(settings) = application.connector.settings.as_object_mut() {
        let catalogue = json!({"groups": texts(&groups), "roles": texts(&roles)});
        settings.insert("catalogue".to_owned(), catalogue);
    }
}

/// The mark is mapped as externalId; where the spec names no attribute for it, nothing is.
fn mark(checks: &mut Checks, spec: &crds::KeycloakSpec, application: &mut TargetApplication) {
    let root = Path::Root("spec");
    let account = root.field("account");
    let at = account.field("attributes");
    let attributes = &mut application.account.attributes;
    let mapped = |name: &str| attributes.iter().find(|mapping| mapping.attribute.as_str() == name);
    match spec.mark_attribute.as_deref() {
        Some(mark) if mark != MARK && mapped(mark).is_some() => {
            checks.wrong(at, mark, "is the markAttribute", "must be mapped by the name externalId");
        }
        Some(_) => {}
        None => match mapped(MARK).map(|mapping| &mapping.source) {
            None => attributes.push(Mapping { attribute: AttributeName::new(MARK), source: MappingSource::Never }),
            Some(MappingSource::Never) => {}
            Some(_) => {
                checks.wrong(
                    at,
                    MARK,
                    "has no attribute in the realm",
                    "must be named by connector.keycloak.markAttribute",
                );
            }
        },
    }
}

/// The names from the top down, none of them empty. A slash within a name is written `~/`, and a tilde before one `~~`.
fn is_path(checks: &mut Checks, at: Path<'_>, path: &str) {
    if path.replace("~~", "-").replace("~/", "-").split('/').any(str::is_empty) {
        let remedy = "must be as in staff/admins, from the top down; a slash in a name is written ~/";
        checks.wrong(at, path, "has a name that is empty", remedy);
    }
}

/// Keycloak shows paths with a slash at the front; here they are told apart without.
fn without_slash(path: &Arc<str>) -> Arc<str> {
    match path.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest.into(),
        _ => Arc::clone(path),
    }
}

/// Roles that administer the realm, or in `master` the server.
fn is_admin_right(entitlement: &Entitlement) -> bool {
    if entitlement.target.kind != EntitlementKind::Role {
        return false;
    }
    match entitlement.target.name.rsplit_once('/') {
        Some((client, _)) => client == "realm-management" || client.ends_with("-realm"),
        None => matches!(&*entitlement.target.name, "admin" | "create-realm"),
    }
}
