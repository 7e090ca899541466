//! The settings of an LDAP directory.

use std::sync::Arc;

use provost_crds as crds;
use serde_json::{Value as Json, json};

use super::check::Checks;
use super::connector::secret_key;
use super::path::Path;
use crate::model::{AccountSettings, AttributeName, Mapping, MappingSource, Safety, Spelling};

const URL: &str = "must be ldaps://host, ldap://host (with StartTLS) or ldapi://%2Fpath%2Fof%2Fsocket, without user info, query and DN, as in ldaps://ldap.example.com";

/// The largest number of the range of a posixAccount.
const MOST: u32 = 2_000_000_000;

/// The attribute under which the mapping knows the one that carries our mark.
const MARK: &str = "externalId";

/// Checks the settings and gives what tells the directory from others: its host and the base of its accounts.
pub(super) fn ldap(checks: &mut Checks, at: Path<'_>, spec: &crds::LdapSpec) -> String {
    let host = url(checks, at.field("url"), &spec.url);
    let local = spec.url.starts_with("ldapi:");
    if local && spec.tls.is_some() {
        checks.wrong_untold(
            at.field("tls"),
            "says nothing with ldapi",
            "must be left out with ldapi, which has no TLS",
        );
    }
    authority(checks, at.field("tls"), spec.tls.as_ref());
    bind(checks, at.field("bind"), &spec.bind, local);
    accounts(checks, at.field("accounts"), &spec.accounts);
    if let Some(groups) = &spec.groups {
        self::groups(checks, at.field("groups"), groups);
    }
    format!("ldap {}/{}", host.unwrap_or_default(), spec.accounts.base_dn.to_lowercase())
}

/// The Secret of a private authority.
pub(super) fn authority(checks: &mut Checks, at: Path<'_>, tls: Option<&crds::TlsSpec>) {
    if let Some(secret) = tls.and_then(|tls| tls.ca_secret_ref.as_ref()) {
        secret_key(checks, at.field("caSecretRef"), secret);
    }
}

/// What the connector reads of the rest of the manifest: the names of the attributes that it must show. Where accounts carry
/// no mark, nobody is asked to write one.
pub(super) fn complete(checks: &mut Checks, settings: &mut Json, account: &mut AccountSettings, safety: &Safety) {
    if let Some(name) = settings.pointer("/ldap/accounts/disable/attribute/name").and_then(Json::as_str) {
        disables_alone(checks, name, account);
    }
    let given = |kind: &&str| settings.get(*kind).is_some_and(Json::is_object);
    let kind = ["ldap", "activeDirectory"].into_iter().find(given);
    let Some(ldap) = kind.and_then(|kind| settings.get_mut(kind)) else { return };
    let declared = |mapping: &Mapping| mapping.attribute.as_str().eq_ignore_ascii_case(MARK);
    if ldap.pointer("/accounts/markAttribute").is_none_or(Json::is_null) && !account.attributes.iter().any(declared) {
        account.attributes.push(Mapping { attribute: MARK.into(), source: MappingSource::Never });
    }
    let mapped = account.attributes.iter().map(|mapping| &mapping.attribute);
    let looked_up = account.correlate.iter().map(|key| &key.attribute);
    let protected = safety.protected.iter().map(|(attribute, _)| attribute);
    let names: std::collections::BTreeSet<&str> =
        mapped.chain(looked_up).chain(protected).map(AttributeName::as_str).collect();
    ldap["attributes"] = json!(names);
}

/// The attribute that disables is not the mapping's to write, which would enable who is disabled: the manifest may not map it, and
/// the default mapping leaves it out.
fn disables_alone(checks: &mut Checks, name: &str, account: &mut AccountSettings) {
    let at = Path::Root("spec");
    let at = at.field("account");
    let at = at.field("attributes");
    let mut left_out = false;
    for (index, mapping) in account.attributes.iter().enumerate() {
        let declared = mapping.attribute.as_str();
        if !Spelling::Ldap.is_of(declared, name) {
            continue;
        }
        left_out |= declared.eq_ignore_ascii_case(name);
        if mapping.source != MappingSource::Never {
            checks.wrong(
                at.item(index).field("name"),
                declared,
                "is the attribute that disables accounts",
                "must be removed, or connector.ldap.accounts.disable must name another attribute",
            );
        }
    }
    if !left_out {
        account.attributes.push(Mapping { attribute: name.into(), source: MappingSource::Never });
    }
}

/// Host and port as the fingerprint has them. The URL is never repeated: somebody may have written a password into it.
pub(super) fn url(checks: &mut Checks, at: Path<'_>, url: &str) -> Option<Arc<str>> {
    checks.length(at, None, url, 0, 2048);
    let found = host(url);
    if found.is_none() {
        checks.wrong_untold(at, "is no URL of a directory", URL);
    }
    found.map(Into::into)
}

fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let stray = |c: char| "/?#@\\".contains(c) || c.is_whitespace() || c.is_control();
    if rest.is_empty() || rest.contains(stray) {
        return None;
    }
    let usual = match scheme {
        "ldaps" => ":636",
        "ldap" => ":389",
        "ldapi" => return (!rest.contains(':')).then(|| format!("ldapi {rest}")),
        _ => return None,
    };
    if rest.contains('%') {
        return None;
    }
    let host = rest.to_lowercase();
    let name = host.strip_suffix(usual).unwrap_or(&host);
    // One directory, whichever way it is reached.
    let port = name.rsplit_once(':').filter(|(before, _)| !before.contains(':') || before.ends_with(']'));
    let sound = port.is_none_or(|(before, port)| !before.is_empty() && port.parse::<u16>().is_ok());
    sound.then(|| name.to_owned())
}

fn bind(checks: &mut Checks, at: Path<'_>, bind: &crds::LdapBind, local: bool) {
    let members = [("simple", bind.simple.is_some()), ("external", bind.external.is_some())];
    checks.exactly_one(at, "way to log in", &members);
    if let Some(simple) = &bind.simple {
        let at = at.field("simple");
        checks.text(at.field("dn"), &simple.dn, 1, 1024);
        secret_key(checks, at.field("passwordSecretRef"), &simple.password_secret_ref);
    }
    if let Some(external) = &bind.external {
        let at = at.field("external");
        let (certificate, key) = (&external.certificate_secret_ref, &external.key_secret_ref);
        if let Some(secret) = certificate {
            secret_key(checks, at.field("certificateSecretRef"), secret);
        }
        if let Some(secret) = key {
            secret_key(checks, at.field("keySecretRef"), secret);
        }
        if !local && (certificate.is_none() || key.is_none()) {
            let remedy = "must name certificateSecretRef and keySecretRef unless the url is ldapi";
            checks.wrong_untold(at, "proves nothing over the network without a certificate", remedy);
        }
    }
}

fn accounts(checks: &mut Checks, at: Path<'_>, accounts: &crds::LdapAccounts) {
    checks.text(at.field("baseDN"), &accounts.base_dn, 1, 1024);
    for (field, name) in [
        ("rdnAttribute", &accounts.rdn_attribute),
        ("idAttribute", &accounts.id_attribute),
        ("markAttribute", &accounts.mark_attribute),
    ] {
        checks.optional(at.field(field), name.as_ref(), 1, 256);
    }
    let classes = accounts.object_classes.as_deref();
    if let Some(classes) = classes {
        let at = at.field("objectClasses");
        let classes = checks.list(at, classes, 1, 16);
        checks.unique(at, "value", classes.iter().map(|class| (class, class.clone())));
        for (index, class) in classes.iter().enumerate() {
            checks.text(at.item(index), class, 1, 256);
        }
    }
    disable(checks, at.field("disable"), accounts);
    if let Some(posix) = &accounts.posix {
        let at = at.field("posix");
        if !classes.unwrap_or_default().iter().any(|class| class.eq_ignore_ascii_case("posixAccount")) {
            let remedy = "must be left out unless objectClasses has posixAccount";
            checks.wrong_untold(at, "numbers accounts that are no posixAccount", remedy);
        }
        let first = checks.number(at.field("first"), posix.first, 1, MOST);
        let last = checks.number(at.field("last"), posix.last, 1, MOST);
        if first > last && posix.last > 0 {
            checks.wrong(at.field("last"), &last.to_string(), "is less than first", "must not be less than first");
        }
        checks.text(at.field("counterDN"), &posix.counter_dn, 1, 1024);
        if let Some(number) = posix.gid_number {
            checks.number(at.field("gidNumber"), number, 1, MOST);
        }
    }
}

fn disable(checks: &mut Checks, at: Path<'_>, accounts: &crds::LdapAccounts) {
    let disable = &accounts.disable;
    let members = [
        ("attribute", disable.attribute.is_some()),
        ("passwordLock", disable.password_lock.is_some()),
        ("moveTo", disable.move_to.is_some()),
    ];
    checks.exactly_one(at, "way to disable", &members);
    if let Some(attribute) = &disable.attribute {
        let at = at.field("attribute");
        checks.text(at.field("name"), &attribute.name, 1, 256);
        let named = [&accounts.rdn_attribute, &accounts.id_attribute, &accounts.mark_attribute];
        let named = named.into_iter().filter_map(Option::as_deref).chain(["uid", "entryUUID", "objectClass"]);
        if named.into_iter().any(|other| Spelling::Ldap.is_of(other, &attribute.name)) {
            let remedy = "must be one of its own: neither uid nor objectClass, nor the rdnAttribute, idAttribute or markAttribute";
            checks.wrong(at.field("name"), &attribute.name, "says something else of an account", remedy);
        }
        if attribute.name.starts_with(|c: char| c.is_ascii_digit()) {
            let remedy = "must be its name, by which it is told from what is mapped";
            checks.wrong(at.field("name"), &attribute.name, "is the number of an attribute", remedy);
        }
        checks.text(at.field("value"), &attribute.value, 1, 1024);
        checks.optional(at.field("enabledValue"), attribute.enabled_value.as_ref(), 1, 1024);
    }
    if let Some(place) = &disable.move_to {
        checks.text(at.field("moveTo").field("dn"), &place.dn, 1, 1024);
    }
}

fn groups(checks: &mut Checks, at: Path<'_>, groups: &crds::LdapGroups) {
    checks.text(at.field("baseDN"), &groups.base_dn, 1, 1024);
    if let Some(crds::LdapGroupStyle::Unrecognised(word)) = &groups.style {
        checks.unrecognised(at.field("style"), word, crds::LdapGroupStyle::WORDS, ());
    }
    checks.optional(at.field("placeholder"), groups.placeholder.as_ref(), 1, 1024);
    checks.optional(at.field("markAttribute"), groups.mark_attribute.as_ref(), 1, 256);
}
