//! What a result code (RFC 4511, appendix A) or a broken connection means, in our words.

use std::error::Error;
use std::io;

use provost_core::model::{AttributeName, Spelling, TargetError};
use secrecy::SecretString;

use super::Refusal;
use super::message::Ended;
use crate::http::scrubbed;

/// What was asked for: a read may be asked again, a write whose answer is lost was carried out or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Search, compare, root DSE.
    Read,
    /// Add, modify, rename, delete.
    Write,
    /// Connect, StartTLS, bind.
    Login,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// Before there was a connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The connection broke off; how, where that is known.
    #[error("the connection broke off")]
    Off(Option<io::ErrorKind>),
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// It came, and is none.
    #[error("the answer cannot be read")]
    Unreadable,
    /// The host of the URL is no name that a certificate can have.
    #[error(transparent)]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
    /// StartTLS was answered with this code.
    #[error("StartTLS is refused")]
    Refused(u32),
}

/// Codes that callers tell apart.
pub(crate) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const SIZE_LIMIT: u32 = 4;
    pub(crate) const NO_SUCH_ATTRIBUTE: u32 = 16;
    pub(crate) const VALUE_EXISTS: u32 = 20;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_DN: u32 = 34;
    pub(crate) const NO_RIGHT: u32 = 50;
    pub(crate) const OBJECT_CLASS_VIOLATION: u32 = 65;
    pub(crate) const NOT_ALLOWED_ON_NON_LEAF: u32 = 66;
    pub(crate) const ALREADY_EXISTS: u32 = 68;
    pub(crate) const OTHER: u32 = 80;
    pub(crate) const ASSERTION_FAILED: u32 = 122;
}

/// The name of a code.
fn name(code: u32) -> &'static str {
    match code {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        67 => "notAllowedOnRDN",
        68 => "entryAlreadyExists",
        69 => "objectClassModsProhibited",
        71 => "affectsMultipleDSAs",
        80 => "other",
        122 => "assertionFailed",
        _ => "an unusual result",
    }
}

/// Of an answer that is no success. `names`: the attributes that were sent.
pub(crate) fn of_result(result: &Ended, asked: Asked, names: &[&str], hidden: &[SecretString]) -> TargetError {
    let (rc, name) = (result.code, name(result.code));
    let rejected = |reason: String| TargetError::Rejected {
        field: quoted(&result.text).or_else(|| field(&result.text, names)).map(AttributeName::new),
        reason: reason.into(),
        detail: scrubbed(&result.text, hidden).into(),
    };
    let said = format!("{name}, LDAP {rc}");
    match (rc, asked) {
        (3 | 4 | 11, _) => TargetError::Transient(
            format!("{said}: the answer is not complete; raise the limits of the bind DN").into(),
        ),
        (7 | 48 | 49, _) | (50 | 53, Asked::Login) => {
            let remedy = login(&result.text).unwrap_or("check the bind DN and the credential in the Secret");
            TargetError::Unauthorized(format!("{said}; {remedy}").into())
        }
        (8 | 13, _) => TargetError::Tls(format!("{said}; use ldaps, or ldap, which asks for StartTLS").into()),
        (10, Asked::Write) => {
            rejected(format!("{said}: this server refers writes to another one; set the url to that"))
        }
        (10, _) => TargetError::Malformed(
            format!("{said}: this server refers to another one, which is not followed; set the url to that").into(),
        ),
        (12, _) => TargetError::Unsupported(said.into()),
        (32, _) => TargetError::NotFound,
        (34, Asked::Login) => TargetError::Unauthorized(format!("{said}; correct the bind DN").into()),
        (34, Asked::Read) => TargetError::Unsupported(
            format!("{said}; correct the DNs of connector.ldap or connector.activeDirectory").into(),
        ),
        (50, Asked::Write) => rejected(format!("{said}: the bind DN has no right to write this")),
        (50, _) => TargetError::Transient(format!("{said}: the bind DN has no right to read this; grant it").into()),
        (51 | 52, _) => TargetError::Transient(said.into()),
        (68, _) => TargetError::Conflict,
        (1 | 80, Asked::Write) => TargetError::Lost(said.into()),
        (19 | 53, Asked::Write) if result.text.contains(PASSWORD_POLICY) => {
            rejected(format!("{said}: {PASSWORD_REMEDY}"))
        }
        (53, Asked::Write) => rejected(format!(
            "{said}: a rule of the server's own forbids it, which its words in the journal name; change the value or that rule"
        )),
        (65, Asked::Write) => rejected(format!(
            "{said}: the object classes demand it, and the mapping gives it no value, or do not allow it; map it, or correct objectClasses"
        )),
        (66, Asked::Write) => rejected(format!("{said}: other entries are below it; delete or move those first")),
        (71, Asked::Write) => {
            rejected(format!("{said}: it would pass to another server or domain; name a place that this server holds"))
        }
        (_, Asked::Write) => rejected(said),
        (_, _) => TargetError::Transient(said.into()),
    }
}

/// In the words of a domain (MS-ERREF): a password does not meet the policy, or an account without one is to be enabled.
const PASSWORD_POLICY: &str = "0000052D";
const PASSWORD_REMEDY: &str = "the domain's password policy refuses it: an account is enabled only with a password that the \
                               policy takes; reset its password, or ease the policy for the place of new accounts";

/// Why a domain lets nobody in, by the code in its words (`AcceptSecurityContext error, data 775`), and who must do what.
fn login(text: &str) -> Option<&'static str> {
    let (_, after) = text.split_once(", data ")?;
    Some(match after.split(|c: char| !c.is_ascii_hexdigit()).next()?.to_lowercase().as_str() {
        "525" => "the domain does not know the bind account; correct bind.user",
        "52e" => "the password is wrong, or the name; correct the Secret, or bind.user",
        "530" | "531" => "the bind account may not log in at this time or from here; lift that limit of the account",
        "532" => {
            "the password of the bind account has expired; set a new one, best one that never expires, and put it into the Secret"
        }
        "533" => "the bind account is disabled; enable it",
        "701" => "the bind account has expired; extend it",
        "773" => {
            "the password of the bind account must be changed before it is used; set a new one without that demand, and put it into the Secret"
        }
        "775" => "the bind account is locked after wrong passwords; find who uses an old one, and unlock it",
        _ => return None,
    })
}

/// A search below an entry that is not there found nothing, which says nothing.
pub(crate) fn no_base(refusal: Refusal, base: &str) -> TargetError {
    if refusal.code == Some(code::NO_SUCH_OBJECT) {
        let text = format!(
            "there is no {base}, or the bind DN may not see it; correct the base DN or grant the right to read it"
        );
        return TargetError::Transient(text.into());
    }
    refusal.into()
}

/// The attribute that the server's words name in quotes, sent or not: "requires attribute 'sn'" (slapd),
/// "missing attribute \"sn\" required by" (389 Directory Server).
fn quoted(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("attribute ")?;
    let name = after.strip_prefix(['\'', '"'])?.split(['\'', '"']).next()?;
    (name.len() <= 64 && Spelling::is_description(name)).then_some(name)
}

/// The attribute of those sent that the server's words name: the longest, else the only one.
fn field<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    let is_named = |name: &&&str| text.split(|c: char| !is_in_a_name(c)).any(|word| word.eq_ignore_ascii_case(name));
    let longest = names.iter().filter(is_named).max_by_key(|name| name.len());
    match (longest, names) {
        (Some(name), _) => Some(name),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

fn is_in_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | ';')
}

/// Of what came in place of an answer.
pub(crate) fn of_transport(broken: &Broken, asked: Asked) -> TargetError {
    let words = match broken {
        Broken::Io(error) => match cause::<rustls::Error>(error) {
            Some(tls) => return TargetError::Tls(tls.to_string().chars().take(256).collect::<String>().into()),
            None => format!("the connection broke off ({})", error.kind()),
        },
        Broken::Off(Some(kind)) => format!("the connection broke off ({kind})"),
        Broken::Name(_) => {
            return TargetError::Tls("the host of the url is no name that a certificate can have".into());
        }
        // Before the connection is encrypted, there is one thing that is asked for.
        Broken::Refused(rc) => {
            return TargetError::Tls(format!("StartTLS is refused, {}, LDAP {rc}", name(*rc)).into());
        }
        Broken::Unreadable if asked != Asked::Write => return TargetError::Malformed(broken.to_string().into()),
        Broken::Off(None) | Broken::Late | Broken::Unreadable => broken.to_string(),
    };
    match asked {
        Asked::Write => TargetError::Lost(words.into()),
        Asked::Read | Asked::Login => TargetError::Transient(words.into()),
    }
}

/// The first cause of a type, looking also into I/O errors, which hide what they wrap from `source`.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
        && let Some(found) = cause::<E>(inner)
    {
        return Some(found);
    }
    cause::<E>(error.source()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rc: u32, asked: Asked) -> TargetError {
        let text = "title: value #0 invalid per syntax".to_owned();
        let result = Ended { code: rc, text, controls: Vec::new() };
        of_result(&result, asked, &["uid", "title"], &[])
    }

    #[test]
    fn a_code_says_what_happens_next() {
        for limit in [3, 4, 11] {
            assert!(matches!(of(limit, Asked::Read), TargetError::Transient(_)), "incomplete is never empty: {limit}");
        }
        assert!(matches!(of(49, Asked::Login), TargetError::Unauthorized(_)));
        assert!(matches!(of(13, Asked::Login), TargetError::Tls(_)));
        assert!(matches!(of(10, Asked::Read), TargetError::Malformed(_)));
        assert!(matches!(of(34, Asked::Read), TargetError::Unsupported(_)));
        assert!(matches!(of(34, Asked::Login), TargetError::Unauthorized(_)));
        assert!(matches!(of(50, Asked::Write), TargetError::Rejected { .. }));
        assert!(matches!(of(80, Asked::Write), TargetError::Lost(_)), "it may have been done");
        assert_eq!(of(68, Asked::Write), TargetError::Conflict);
        let TargetError::Rejected { field, detail, reason } = of(21, Asked::Write) else { panic!("a syntax error") };
        assert_eq!(field.as_ref().map(AttributeName::as_str), Some("title"));
        assert_eq!(&*detail, "title: value #0 invalid per syntax");
        assert_eq!(&*reason, "invalidAttributeSyntax, LDAP 21");
    }

    #[test]
    fn the_attribute_that_a_server_names_is_told_also_where_it_was_not_sent() {
        for (code, text, expected) in [
            (65, "object class 'inetOrgPerson' requires attribute 'sn'", Some("sn")),
            (65, "missing attribute \"sn\" required by object class \"inetOrgPerson\"", Some("sn")),
            (65, "attribute 'roomNumber' not allowed", Some("roomNumber")),
            (65, "no structural object class provided", None),
            (21, "telephoneNumber: value #0 invalid per syntax", Some("telephoneNumber")),
            (19, "some attributes \"<script>\" are bad", None),
            (19, "attribute 'a b' is bad", None),
        ] {
            let result = Ended { code, text: text.to_owned(), controls: Vec::new() };
            let told = of_result(&result, Asked::Write, &["o", "cn", "telephoneNumber"], &[]);
            let TargetError::Rejected { field, reason, .. } = told else { panic!("{text}") };
            assert_eq!(field.as_ref().map(AttributeName::as_str), expected, "{text}");
            assert_eq!(code == 65, reason.contains("map it, or correct objectClasses"), "{reason}");
        }
    }

    #[test]
    fn what_a_server_says_by_code_alone_comes_with_who_must_do_what() {
        let of = |rc: u32, text: &str, asked: Asked| {
            let result = Ended { code: rc, text: text.to_owned(), controls: Vec::new() };
            of_result(&result, asked, &[], &[]).to_string()
        };
        let why = |data: &str| {
            let text =
                format!("80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data {data}, v3839");
            of(49, &text, Asked::Login)
        };
        for (data, words) in [
            ("525", "correct bind.user"),
            ("52e", "correct the Secret"),
            ("530", "lift that limit"),
            ("532", "has expired; set a new one"),
            ("533", "enable it"),
            ("701", "extend it"),
            ("773", "without that demand"),
            ("775", "unlock it"),
            ("9999", "check the bind DN"),
        ] {
            assert!(why(data).contains("invalidCredentials, LDAP 49") && why(data).contains(words), "{}", why(data));
        }
        let policy = "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0";
        for (rc, text, words) in [
            (53, policy, "password policy"),
            (19, policy, "password policy"),
            (53, "no global superior knowledge", "rule of the server's own"),
            (66, "", "delete or move those first"),
            (71, "", "name a place that this server holds"),
        ] {
            let said = of(rc, text, Asked::Write);
            assert!(said.contains(words), "{rc}: {said}");
        }
    }

    #[test]
    fn only_a_write_can_be_lost() {
        for broken in [Broken::Off(None), Broken::Off(Some(io::ErrorKind::Other)), Broken::Late] {
            assert!(matches!(of_transport(&broken, Asked::Write), TargetError::Lost(_)), "{broken:?}");
            assert!(matches!(of_transport(&broken, Asked::Read), TargetError::Transient(_)), "{broken:?}");
        }
        assert!(matches!(of_transport(&Broken::Unreadable, Asked::Write), TargetError::Lost(_)));
        assert!(matches!(of_transport(&Broken::Unreadable, Asked::Read), TargetError::Malformed(_)));
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = Broken::Io(io::Error::new(io::ErrorKind::InvalidData, untrusted));
        assert!(matches!(of_transport(&wrapped, Asked::Login), TargetError::Tls(_)));
    }
}
