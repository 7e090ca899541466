//! What the settings of LDAP and of Active Directory have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use provost_crds as crds;
use serde_json::{Value as Json, json};

use super::active_directory::ACTIVE_DIRECTORY_CONTROL;
use super::check::Checks;
use super::connector::secret_key;
use super::ldap::LDAP_CONTROL;
use super::path::Path;
use crate::model::{
    AccountSettings, AttributeName, Entitlement, EntitlementKind, Mapping, MappingSource, PushedGroup, Safety,
    Spelling, TargetApplication, dn,
};

/// A directory whose names of attributes are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ldap,
    ActiveDirectory,
}

impl Kind {
    /// Its word in the manifest.
    fn word(self) -> &'static str {
        match self {
            Self::Ldap => "ldap",
            Self::ActiveDirectory => "activeDirectory",
        }
    }

    fn control(self) -> &'static [&'static str] {
        match self {
            Self::Ldap => LDAP_CONTROL,
            Self::ActiveDirectory => ACTIVE_DIRECTORY_CONTROL,
        }
    }
}

const URL: &str = "must be ldaps://host, ldap://host (with StartTLS) or ldapi://%2Fpath%2Fof%2Fsocket, without user info, query and DN, as in ldaps://ldap.example.com";

/// The attribute under which the mapping knows the one that carries our mark.
const MARK: &str = "externalId";

/// The Secret of a private authority.
pub(super) fn authority(checks: &mut Checks, at: Path<'_>, tls: Option<&crds::TlsSpec>) {
    if let Some(secret) = tls.and_then(|tls| tls.ca_secret_ref.as_ref()) {
        secret_key(checks, at.field("caSecretRef"), secret);
    }
}

/// The DN of an entry.
pub(super) fn dn(checks: &mut Checks, at: Path<'_>, dn: &str) {
    checks.text(at, dn, 1, 1024);
    if !dn.is_empty() && !dn::names_an_entry(dn) {
        let remedy = r#"must be one as in ou=people,dc=example,dc=com, with a backslash before each , + " \ < > ; within a value"#;
        checks.wrong(at, dn, "is no DN", remedy);
    } else if !dn::has_short_names(dn) {
        let remedy = "must have short ones, with which servers answer, as in ou=people,dc=example,dc=com";
        checks.wrong(at, dn, "has the number or the long name of an attribute", remedy);
    }
}

/// The place of disabled accounts, which cannot be that of all accounts, nor above it.
pub(super) fn put_aside(checks: &mut Checks, at: Path<'_>, place: &str, base: &str) {
    dn(checks, at, place);
    if dn::names_an_entry(place) && dn::is_within(&dn::normal(base), &dn::normal(place)) {
        checks.wrong(
            at,
            place,
            "is accounts.baseDN, or above it",
            "must be another place or one below, else nobody could be enabled",
        );
    }
}

/// The name of an object class.
pub(super) fn class(checks: &mut Checks, at: Path<'_>, name: &str) {
    checks.text(at, name, 1, 256);
    if !name.is_empty() && (!Spelling::is_description(name) || name.contains(';')) {
        checks.wrong(at, name, "is no object class", "must be its name, as in inetOrgPerson");
    }
}

/// The name by which the settings have an attribute, and whether it is one: no number and no option, by which it would not be found
/// among what the directory answers.
pub(super) fn attribute(checks: &mut Checks, at: Path<'_>, kind: Kind, name: &str) -> bool {
    checks.text(at, name, 1, 256);
    if !is_name(checks, at, kind, name) || is_number(checks, at, name) {
        return false;
    }
    let whole = !name.contains(';');
    if !whole {
        checks.wrong(at, name, "has an option", "must be the name of the attribute alone, as in employeeNumber");
    }
    whole
}

fn is_name(checks: &mut Checks, at: Path<'_>, kind: Kind, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    if !Spelling::is_description(name) {
        let remedy = "must be a letter and then letters, digits and hyphens, as in employeeNumber";
        checks.wrong(at, name, "is no name in a directory", remedy);
        return false;
    }
    // In Active Directory streetAddress and street are two attributes, and the other second names none.
    let first = Spelling::first_name(name).filter(|_| kind == Kind::Ldap);
    if let Some(first) = first {
        let remedy = format!("must be {first}, with which servers answer");
        checks.wrong(at, name, "is the second name of an attribute", remedy);
    }
    first.is_none()
}

fn is_number(checks: &mut Checks, at: Path<'_>, name: &str) -> bool {
    let is_number = Spelling::is_number(name);
    if is_number {
        checks.wrong(at, name, "is the number of an attribute", "must be its name, with which servers answer");
    }
    is_number
}

/// An attribute that is named for one purpose, and has none of `taken`.
pub(super) fn apart(checks: &mut Checks, at: Path<'_>, name: &str, taken: &[&str]) {
    if taken.iter().any(|other| Spelling::Ldap.is_of(other, name)) {
        let taken: Vec<&str> = taken.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let remedy = format!("must be an attribute of its own, not one of {}", taken.join(", "));
        checks.wrong(at, name, "is used for something else", remedy);
    }
}

/// An attribute that Provost writes by itself: it is neither one of `taken` nor one that controls an entry.
pub(super) fn own(checks: &mut Checks, at: Path<'_>, kind: Kind, name: &str, taken: &[&str]) {
    if !attribute(checks, at, kind, name) {
        return;
    }
    if kind.control().iter().any(|control| Spelling::Ldap.is_of(control, name)) {
        let message = "holds passwords, members or rights, or what the directory itself writes";
        checks.wrong(at, name, message, "must be another attribute, which nothing else uses");
    } else {
        apart(checks, at, name, taken);
    }
}

/// What follows for the rest of a directory's application: attributes have names that can exist, those that the settings name are
/// not the mapping's, where accounts carry no mark nobody is asked to write one, and the connector knows which attributes to show.
pub(super) fn complete(checks: &mut Checks, application: &mut TargetApplication) {
    let TargetApplication { connector, account, safety, entitlements, pushed_groups, .. } = application;
    let settings = &mut connector.settings;
    let given = |kind: &Kind| settings.get(kind.word()).is_some_and(Json::is_object);
    let Some(kind) = [Kind::Ldap, Kind::ActiveDirectory].into_iter().find(given) else { return };
    let Some(directory) = settings.get_mut(kind.word()) else { return };
    let named = |pointer: &str| directory.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
    let (disables, mark) = (named("/accounts/disable/attribute/name"), named("/accounts/markAttribute"));
    if !directory.get("groups").is_some_and(Json::is_object) {
        have_no_place(checks, kind, entitlements, pushed_groups);
    }
    names(checks, kind, account, safety);
    let mapped = account.attributes.iter().map(|mapping| &mapping.attribute);
    let looked_up = account.correlate.iter().map(|key| &key.attribute);
    let protected = safety.protected.iter().map(|(attribute, _)| attribute);
    let shown: BTreeSet<&str> = mapped.chain(looked_up).chain(protected).map(AttributeName::as_str).collect();
    directory["attributes"] = json!(shown);
    if let Some(name) = disables.filter(|name| Spelling::is_description(name)) {
        let remedy = "must be removed, or connector.ldap.accounts.disable must name another attribute";
        not_mapped(checks, account, &name, "is the attribute that disables accounts", remedy);
    }
    let Some(name) = mark else {
        let remedy = format!("must be named by connector.{}.accounts.markAttribute", kind.word());
        return not_mapped(checks, account, MARK, "is our mark, which has no attribute here", &remedy);
    };
    // An attribute of that very name is mapped by it.
    if !name.eq_ignore_ascii_case(MARK) && Spelling::is_description(&name) {
        let remedy = format!(
            "must be mapped by the name {MARK}, or connector.{}.accounts.markAttribute must name another one",
            kind.word()
        );
        not_mapped(checks, account, &name, "is the markAttribute", &remedy);
    }
}

/// Groups are named, and the settings name no place where groups are.
fn have_no_place(checks: &mut Checks, kind: Kind, entitlements: &[Entitlement], pushed: &[PushedGroup]) {
    let root = Path::Root("spec");
    let message = format!("is a group, and connector.{} names no place where groups are", kind.word());
    let remedy = format!("must be removed, or connector.{}.groups added", kind.word());
    for entry in entitlements.iter().filter(|entry| entry.target.kind == EntitlementKind::Group) {
        let list = root.field("entitlements");
        checks.wrong(list.key("name", entry.name.as_str()).field("target"), &entry.target.name, &*message, &*remedy);
    }
    for group in pushed {
        checks.wrong(root.field("pushedGroups"), &group.name, &*message, &*remedy);
    }
}

/// What the rest of the manifest says of attributes names such as can exist.
fn names(checks: &mut Checks, kind: Kind, account: &AccountSettings, safety: &Safety) {
    let spec = Path::Root("spec");
    let (account_at, safety_at) = (spec.field("account"), spec.field("safety"));
    // That a number cannot be mapped is told where it is known what can.
    for (index, mapping) in account.attributes.iter().enumerate() {
        is_name(checks, account_at.field("attributes").item(index).field("name"), kind, mapping.attribute.as_str());
    }
    let mut each = |list: Path<'_>, names: &mut dyn Iterator<Item = &AttributeName>| {
        for (index, name) in names.enumerate() {
            let at = list.item(index);
            let _ = is_name(checks, at.field("attribute"), kind, name.as_str())
                && is_number(checks, at.field("attribute"), name.as_str());
        }
    };
    each(account_at.field("correlate"), &mut account.correlate.iter().map(|key| &key.attribute));
    each(safety_at.field("protected"), &mut safety.protected.iter().map(|(attribute, _)| attribute));
}

/// An attribute that the settings give to something else is not the mapping's to write, which would undo that: the manifest may
/// not map it, and the default mapping leaves it out.
fn not_mapped(checks: &mut Checks, account: &mut AccountSettings, name: &str, message: &str, remedy: &str) {
    let spec = Path::Root("spec");
    let at = spec.field("account");
    let at = at.field("attributes");
    let mut left_out = false;
    for (index, mapping) in account.attributes.iter().enumerate() {
        let declared = mapping.attribute.as_str();
        if !Spelling::Ldap.is_of(declared, name) {
            continue;
        }
        left_out |= declared.eq_ignore_ascii_case(name);
        if mapping.source != MappingSource::Never {
            checks.wrong(at.item(index).field("name"), declared, message, remedy);
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
