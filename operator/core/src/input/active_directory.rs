//! The settings of a domain of Active Directory.

use provost_crds as crds;

use super::check::Checks;
use super::connector::secret_key;
use super::directory::{Kind, authority, dn, own, put_aside, url};
use super::path::Path;

/// Attributes that are never mapped, nor written by the settings: they hold passwords, members or rights, or are the domain's own
/// (MS-ADTS, 3.1.1.4.5 and 3.1.1.5.3.2; MS-ADA1 to 3 for each).
pub const ACTIVE_DIRECTORY_CONTROL: &[&str] = &[
    "objectClass",
    "objectCategory",
    "objectGUID",
    "objectSid",
    "sIDHistory",
    "sAMAccountType",
    "groupType",
    "nTSecurityDescriptor",
    "unicodePwd",
    "userPassword",
    "dBCSPwd",
    "lmPwdHistory",
    "ntPwdHistory",
    "supplementalCredentials",
    "pwdLastSet",
    "lockoutTime",
    "userAccountControl",
    "member",
    "memberOf",
    "primaryGroupID",
    "adminCount",
    "isCriticalSystemObject",
    "altSecurityIdentities",
    "servicePrincipalName",
    "msDS-KeyCredentialLink",
    "msDS-AllowedToDelegateTo",
    "msDS-AllowedToActOnBehalfOfOtherIdentity",
    "distinguishedName",
    "name",
    "createTimestamp",
    "modifyTimestamp",
    "whenCreated",
    "whenChanged",
    "uSNCreated",
    "uSNChanged",
    "lastLogon",
    "lastLogonTimestamp",
    "badPwdCount",
    "badPasswordTime",
    // What the connector shows of a protected account.
    "protection",
];

/// What names an entry, or its place, or another one, or says when it ends.
const NAMES: &[&str] = &["sAMAccountName", "userPrincipalName", "cn", "manager", "parentDN", "accountExpires"];

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
    dn(checks, accounts.field("baseDN"), &spec.accounts.base_dn);
    if let Some(mark) = &spec.accounts.mark_attribute {
        own(checks, accounts.field("markAttribute"), Kind::ActiveDirectory, mark, NAMES);
    }
    if let Some(place) = &spec.accounts.disabled_dn {
        put_aside(checks, accounts.field("disabledDN"), place, &spec.accounts.base_dn);
    }
    if let Some(groups) = &spec.groups {
        let at = at.field("groups");
        dn(checks, at.field("baseDN"), &groups.base_dn);
        if let Some(crds::ActiveDirectoryGroupScope::Unrecognised(word)) = &groups.scope {
            checks.unrecognised(at.field("scope"), word, crds::ActiveDirectoryGroupScope::WORDS, ());
        }
        if let Some(crds::ActiveDirectoryGroupType::Unrecognised(word)) = &groups.group_type {
            checks.unrecognised(at.field("type"), word, crds::ActiveDirectoryGroupType::WORDS, ());
        }
        if let Some(mark) = &groups.mark_attribute {
            own(checks, at.field("markAttribute"), Kind::ActiveDirectory, mark, NAMES);
        }
    }
    format!("activeDirectory {}/{}", host.unwrap_or_default(), spec.accounts.base_dn.to_lowercase())
}
