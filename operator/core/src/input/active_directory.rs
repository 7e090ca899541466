//! The settings of a domain of Active Directory.

use provost_crds as crds;

use super::check::Checks;
use super::connector::secret_key;
use super::ldap::{authority, url};
use super::path::Path;

/// Checks the settings and gives what tells the domain's part from others: its host and the base of its accounts.
pub(super) fn check(checks: &mut Checks, at: Path<'_>, spec: &crds::ActiveDirectorySpec) -> String {
    let host = url(checks, at.field("url"), &spec.url);
    if spec.url.starts_with("ldapi:") {
        checks.wrong_untold(at.field("url"), "is a socket", "must be ldaps://host or ldap://host (with StartTLS)");
    }
    let bind = at.field("bind");
    checks.text(bind.field("user"), &spec.bind.user, 1, 1024);
    secret_key(checks, bind.field("passwordSecretRef"), &spec.bind.password_secret_ref);
    authority(checks, at.field("tls"), spec.tls.as_ref());
    let accounts = at.field("accounts");
    checks.text(accounts.field("baseDN"), &spec.accounts.base_dn, 1, 1024);
    checks.optional(accounts.field("markAttribute"), spec.accounts.mark_attribute.as_ref(), 1, 256);
    checks.optional(accounts.field("disabledDN"), spec.accounts.disabled_dn.as_ref(), 1, 1024);
    if let Some(groups) = &spec.groups {
        let at = at.field("groups");
        checks.text(at.field("baseDN"), &groups.base_dn, 1, 1024);
        if let Some(crds::ActiveDirectoryGroupScope::Unrecognised(word)) = &groups.scope {
            checks.unrecognised(at.field("scope"), word, crds::ActiveDirectoryGroupScope::WORDS, ());
        }
        if let Some(crds::ActiveDirectoryGroupType::Unrecognised(word)) = &groups.group_type {
            checks.unrecognised(at.field("type"), word, crds::ActiveDirectoryGroupType::WORDS, ());
        }
        checks.optional(at.field("markAttribute"), groups.mark_attribute.as_ref(), 1, 256);
    }
    format!("activeDirectory {}/{}", host.unwrap_or_default(), spec.accounts.base_dn.to_lowercase())
}
