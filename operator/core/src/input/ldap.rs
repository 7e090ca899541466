//! The settings of an LDAP directory.

use provost_crds as crds;

use super::check::Checks;
use super::connector::secret_key;
use super::directory::{Kind, apart, attribute, authority, class, dn, own, put_aside, url};
use super::path::Path;

/// Attributes that are never mapped, nor written by the settings: they hold passwords or members, or are the server's own
/// (RFC 4512, 3.4; RFC 4530; RFC 5020; draft-behera-ldap-password-policy; 389 Directory Server).
pub const LDAP_CONTROL: &[&str] = &[
    "objectClass",
    "structuralObjectClass",
    "entryDN",
    "entryUUID",
    "entryCSN",
    "nsUniqueId",
    "createTimestamp",
    "creatorsName",
    "modifyTimestamp",
    "modifiersName",
    "subschemaSubentry",
    "hasSubordinates",
    "numSubordinates",
    "userPassword",
    "authPassword",
    "userPKCS12",
    "krbPrincipalKey",
    "sambaNTPassword",
    "sambaLMPassword",
    "memberOf",
    "member",
    "uniqueMember",
    "memberUid",
    "pwdAccountLockedTime",
    "pwdChangedTime",
    "pwdFailureTime",
    "pwdHistory",
    "pwdPolicySubentry",
    "pwdReset",
];

/// What names an account, and what its schema or Provost itself needs.
const DEMANDED: &[&str] = &["uid", "cn", "sn", "manager"];

/// What a range of numbers is written to.
const NUMBERS: [&str; 2] = ["uidNumber", "gidNumber"];

/// The largest number of the range of a posixAccount.
const MOST: u32 = 2_000_000_000;

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

fn bind(checks: &mut Checks, at: Path<'_>, bind: &crds::LdapBind, local: bool) {
    let members = [("simple", bind.simple.is_some()), ("external", bind.external.is_some())];
    checks.exactly_one(at, "way to log in", &members);
    if let Some(simple) = &bind.simple {
        let at = at.field("simple");
        dn(checks, at.field("dn"), &simple.dn);
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
    dn(checks, at.field("baseDN"), &accounts.base_dn);
    let (naming, id) = (accounts.rdn_attribute.as_deref(), accounts.id_attribute.as_deref());
    if let Some(naming) = naming {
        own(checks, at.field("rdnAttribute"), Kind::Ldap, naming, &[]);
    }
    if let Some(id) = id
        && attribute(checks, at.field("idAttribute"), Kind::Ldap, id)
    {
        apart(checks, at.field("idAttribute"), id, &taken(naming.into_iter()));
    }
    if let Some(mark) = &accounts.mark_attribute {
        let numbers = accounts.posix.iter().flat_map(|_| NUMBERS);
        own(checks, at.field("markAttribute"), Kind::Ldap, mark, &taken(naming.into_iter().chain(id).chain(numbers)));
    }
    let classes = accounts.object_classes.as_deref();
    if let Some(classes) = classes {
        let at = at.field("objectClasses");
        let classes = checks.list(at, classes, 1, 16);
        checks.unique(at, "value", classes.iter().map(|class| (class, class.clone())));
        for (index, class) in classes.iter().enumerate() {
            self::class(checks, at.item(index), class);
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
        dn(checks, at.field("counterDN"), &posix.counter_dn);
        if let Some(number) = posix.gid_number {
            checks.number(at.field("gidNumber"), number, 1, MOST);
        }
    }
}

/// What already has a purpose in an entry.
fn taken<'a>(named: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    DEMANDED.iter().copied().chain(named).collect()
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
        let named = [&accounts.rdn_attribute, &accounts.id_attribute, &accounts.mark_attribute];
        let named = named.into_iter().filter_map(Option::as_deref);
        let numbers = accounts.posix.iter().flat_map(|_| NUMBERS);
        own(checks, at.field("name"), Kind::Ldap, &attribute.name, &taken(named.chain(numbers)));
        checks.text(at.field("value"), &attribute.value, 1, 1024);
        checks.optional(at.field("enabledValue"), attribute.enabled_value.as_ref(), 1, 1024);
    }
    if let Some(place) = &disable.move_to {
        put_aside(checks, at.field("moveTo").field("dn"), &place.dn, &accounts.base_dn);
    }
}

fn groups(checks: &mut Checks, at: Path<'_>, groups: &crds::LdapGroups) {
    dn(checks, at.field("baseDN"), &groups.base_dn);
    if let Some(crds::LdapGroupStyle::Unrecognised(word)) = &groups.style {
        checks.unrecognised(at.field("style"), word, crds::LdapGroupStyle::WORDS, ());
    }
    if let Some(placeholder) = &groups.placeholder {
        dn(checks, at.field("placeholder"), placeholder);
    }
    if let Some(mark) = &groups.mark_attribute {
        own(checks, at.field("markAttribute"), Kind::Ldap, mark, &["cn", "gidNumber"]);
    }
}
