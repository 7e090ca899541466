//! LDAP (RFC 4510 to 4519).

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scim::TlsSpec;
use crate::v1alpha1::reference::SecretKeyReference;
use crate::v1alpha1::rule::{exactly_one, ldap_url};
use crate::v1alpha1::word::words;

/// Where a directory is, how to log in, and how accounts and groups look in it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = ldap_url("url"),
    validation = Rule::new("!self.url.startsWith('ldapi:') || !has(self.tls)")
        .message("must be left out with ldapi, which has no TLS").field_path(".tls"),
    validation = Rule::new("self.url.startsWith('ldapi:') || !has(self.bind.external) || (has(self.bind.external.certificateSecretRef) && has(self.bind.external.keySecretRef))")
        .message("must name certificateSecretRef and keySecretRef unless the url is ldapi").field_path(".bind.external"),
)]
#[serde(rename_all = "camelCase")]
pub struct LdapSpec {
    /// Where the directory is: ldaps://host[:port], ldap://host[:port] (StartTLS is always asked for, and a refusal is final) or
    /// ldapi:// with the percent-encoded path of a socket. Nothing may follow the host.
    #[schemars(length(max = 2048))]
    pub url: String,
    /// How to log in: exactly one of simple and external.
    pub bind: LdapBind,
    /// How the directory's certificate is verified. Default: by the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// Where accounts are and how they look.
    pub accounts: LdapAccounts,
    /// Where groups are and how they look. Default: the directory's groups are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<LdapGroups>,
}

/// How to log in; exactly one member is there.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = exactly_one("way to log in", &["simple", "external"]))]
#[serde(rename_all = "camelCase")]
pub struct LdapBind {
    /// A DN and its password (RFC 4513, 5.1.3). Exactly one way to log in must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simple: Option<LdapSimpleBind>,
    /// What the connection itself proves: a client certificate, or with ldapi the process (SASL EXTERNAL; RFC 4422, appendix A). Exactly
    /// one way to log in must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<LdapExternalBind>,
}

/// A DN and its password.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LdapSimpleBind {
    /// The DN, for example cn=provost,ou=services,dc=example,dc=com.
    #[schemars(length(min = 1, max = 1024))]
    pub dn: String,
    /// The Secret that holds the password. An empty one is refused: it would log in as nobody.
    pub password_secret_ref: SecretKeyReference,
}

/// What the connection itself proves.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LdapExternalBind {
    /// The Secret that holds the client's certificate, with its chain, in PEM. Default: none, which only
    /// ldapi allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_secret_ref: Option<SecretKeyReference>,
    /// The Secret that holds the key of the client's certificate in PEM. Default: none, which only
    /// ldapi allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretKeyReference>,
}

/// Where accounts are and how they look.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = Rule::new("!has(self.posix) || (has(self.objectClasses) && self.objectClasses.exists(c, c.lowerAscii() == 'posixaccount'))")
    .message("must be left out unless objectClasses has posixAccount").field_path(".posix"))]
#[serde(rename_all = "camelCase")]
pub struct LdapAccounts {
    /// DN of the entry below which accounts are, at any depth; new ones are put directly below it.
    #[serde(rename = "baseDN")]
    #[schemars(length(min = 1, max = 1024))]
    pub base_dn: String,
    /// Attribute that names an account's entry. A change of its value renames the entry (ModifyDN). Default: uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("default" = "uid"))]
    pub rdn_attribute: Option<String>,
    /// Object classes of new accounts. Entries with the first of them are what counts as an account. Default: inetOrgPerson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub object_classes: Option<Vec<String>>,
    /// Attribute that holds the immutable id (RFC 4530) by which accounts and groups are known again. Default: entryUUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("default" = "entryUUID"))]
    pub id_attribute: Option<String>,
    /// Attribute that carries the identity's externalId, or provost:NAMESPACE/NAME where it has none: by it an account is found again
    /// when all else is lost. It is mapped and correlated as externalId. Default: none, accounts carry no mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub mark_attribute: Option<String>,
    /// How an account is kept from being used, since LDAP itself has no such thing: exactly one of attribute, passwordLock and moveTo.
    pub disable: LdapDisable,
    /// Numbers for the object class posixAccount. Default: none, uidNumber and gidNumber are as the mapping says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posix: Option<LdapPosix>,
}

/// How an account is kept from being used; exactly one member is there.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = exactly_one("way to disable", &["attribute", "passwordLock", "moveTo"]))]
#[serde(rename_all = "camelCase")]
pub struct LdapDisable {
    /// By an attribute that the directory or the programs that use it look at, for example nsAccountLock: "true".
    /// Exactly one way to disable must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<LdapDisableAttribute>,
    /// By the password policy overlay: pwdAccountLockedTime is set to 000001010000Z, which locks until it is taken away. It needs a policy
    /// with pwdLockout TRUE. Exactly one way to disable must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_lock: Option<LdapPasswordLock>,
    /// By a move to another place, where nobody can log in from. Exactly one way to disable must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub move_to: Option<LdapMoveTo>,
}

/// An attribute that disables.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LdapDisableAttribute {
    /// The attribute.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Its value while the account is disabled; letter case does not count.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,
    /// Its value while the account is enabled. Default: the attribute is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub enabled_value: Option<String>,
}

/// The lock of the password policy overlay; it has no settings.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LdapPasswordLock {}

/// A place for disabled accounts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LdapMoveTo {
    /// DN of the entry directly below which disabled accounts are put.
    #[schemars(length(min = 1, max = 1024))]
    pub dn: String,
}

/// Numbers for posixAccount and posixGroup, each given once.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = Rule::new("self.first <= self.last").message("must not be less than first").field_path(".last"))]
#[serde(rename_all = "camelCase")]
pub struct LdapPosix {
    /// The first number of the range.
    #[schemars(range(min = 1, max = 2_000_000_000))]
    pub first: i32,
    /// The last number of the range.
    #[schemars(range(min = 1, max = 2_000_000_000))]
    pub last: i32,
    /// DN of an entry that holds the next free number in its uidNumber; it is counted up and never down, so that no number is given twice.
    /// It must exist: an entry of the object classes device and extensibleObject with uidNumber will do.
    #[serde(rename = "counterDN")]
    #[schemars(length(min = 1, max = 1024))]
    pub counter_dn: String,
    /// gidNumber of every account. Default: the account's own uidNumber.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_000_000_000))]
    pub gid_number: Option<i32>,
}

/// Where groups are and how they look.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LdapGroups {
    /// DN of the entry below which groups are, at any depth; new ones are put directly below it.
    #[serde(rename = "baseDN")]
    #[schemars(length(min = 1, max = 1024))]
    pub base_dn: String,
    /// Object class of groups: GroupOfNames (members by DN in member), GroupOfUniqueNames (in uniqueMember) or PosixGroup (by login name in
    /// memberUid). Default: GroupOfNames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "GroupOfNames"))]
    pub style: Option<LdapGroupStyle>,
    /// DN that stands in a group which would otherwise have no member, since the schema wants one; it is never taken for a member. Default:
    /// cn=nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), extend("default" = "cn=nobody"))]
    pub placeholder: Option<String>,
    /// Attribute that carries our mark on groups that we create. Default: description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("default" = "description"))]
    pub mark_attribute: Option<String>,
}

words! {
    /// The object class of groups.
    LdapGroupStyle {
        /// Members by DN, in `member`.
        GroupOfNames,
        /// Members by DN, in `uniqueMember`.
        GroupOfUniqueNames,
        /// Members by login name, in `memberUid`.
        PosixGroup,
    }
}
