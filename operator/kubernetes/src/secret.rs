//! Credentials: read by `get` when they are used, kept nowhere, and handed out only for the hosts that the Secret's
//! owner allows. This keeps the right to write a TargetApplication from being the right to read every Secret.

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use provost_core::model::Reason;
use secrecy::SecretString;

use crate::client::{CallError, call};

/// Lists the hosts that a Secret may be sent to, separated by commas or spaces: `wiki.acme.test, ldap.acme.test:636`.
/// An entry without a port allows every port.
pub use provost_crds::ALLOWED_HOSTS;

/// Reads Secrets.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
}

/// Why a credential is not there. The texts say what to do and hold nothing of the Secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no such Secret. Retried.
    #[error(
        "the Secret {namespace}/{name} does not exist; create it with the key {key:?} and the annotation {ALLOWED_HOSTS}"
    )]
    NotFound {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The key that is wanted.
        key: String,
    },
    /// It lacks the key. Retried.
    #[error(
        "the Secret {namespace}/{name} has no key {key:?}{found}; add the key, or name another one in secretRef.key"
    )]
    NoSuchKey {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The key that is wanted.
        key: String,
        /// Which keys there are, for whom it is allowed to be sent somewhere.
        found: String,
    },
    /// Its annotation does not name the host. Only an edit of the Secret can help.
    #[error(
        "the Secret {namespace}/{name} may not be sent to {host}: {found}; \
         its owner must add {host} to the annotation {ALLOWED_HOSTS} of the Secret"
    )]
    HostNotAllowed {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Where it would be sent.
        host: String,
        /// What the annotation says.
        found: String,
    },
    /// The value is not text.
    #[error("the key {key:?} of the Secret {namespace}/{name} is not UTF-8 text; store the credential as text")]
    NotText {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// The operator may not read it.
    #[error(
        "the operator may not read the Secret {namespace}/{name}; grant it the verb get on secrets in that namespace (the chart does)"
    )]
    Forbidden {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The API server did not answer. Retried.
    #[error("the Secret {namespace}/{name} could not be read: {error}")]
    Unavailable {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        error: CallError,
    },
}

impl SecretError {
    /// As conditions write it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotFound { .. } | Self::NoSuchKey { .. } | Self::NotText { .. } => Reason::SecretNotFound,
            Self::HostNotAllowed { .. } => Reason::HostNotAllowed,
            Self::Forbidden { .. } | Self::Unavailable { .. } => Reason::ProgressingWithRetry,
        }
    }
}

impl Secrets {
    /// One for the process.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The value of a key, for use at these hosts (`host` or `host:port`): every host that it would be sent to, also
    /// that of a token endpoint. One line break at its end is dropped, as editors and `--from-file` leave it.
    ///
    /// A CA certificate is no credential: read it with no hosts.
    pub async fn read(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
        hosts: &[&str],
    ) -> Result<SecretString, SecretError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let place = || (namespace.to_owned(), name.to_owned());
        let secret = match call(api.get_opt(name)).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                let (namespace, name) = place();
                return Err(SecretError::NotFound { namespace, name, key: key.to_owned() });
            }
            Err(error) => {
                let (namespace, name) = place();
                return Err(match error.code() {
                    Some(401 | 403) => SecretError::Forbidden { namespace, name },
                    _ => SecretError::Unavailable { namespace, name, error },
                });
            }
        };
        take(secret, namespace, name, key, hosts)
    }
}

/// The hosts come first: who may not send a Secret somewhere need not learn which keys it has.
fn take(secret: Secret, namespace: &str, name: &str, key: &str, hosts: &[&str]) -> Result<SecretString, SecretError> {
    let (namespace, name, key) = (namespace.to_owned(), name.to_owned(), key.to_owned());
    let annotation = secret.metadata.annotations.as_ref().and_then(|all| all.get(ALLOWED_HOSTS));
    if let Some(host) = hosts.iter().find(|host| !allowed(annotation.map(String::as_str), host)) {
        let found = match annotation {
            None => "it has no such annotation".to_owned(),
            Some(list) => format!("it allows {list:?}"),
        };
        return Err(SecretError::HostNotAllowed { namespace, name, host: (*host).to_owned(), found });
    }
    let mut data = secret.data.unwrap_or_default();
    let Some(bytes) = data.remove(&key) else {
        let found = match data.keys().map(String::as_str).collect::<Vec<_>>() {
            // Without hosts its owner has allowed nothing.
            _ if hosts.is_empty() => String::new(),
            keys if keys.is_empty() => " (it has none)".to_owned(),
            keys => format!(" (it has {})", keys.join(", ")),
        };
        return Err(SecretError::NoSuchKey { namespace, name, key, found });
    };
    match String::from_utf8(bytes.0) {
        Ok(mut text) => {
            if text.ends_with('\n') {
                text.pop();
                if text.ends_with('\r') {
                    text.pop();
                }
            }
            Ok(SecretString::from(text))
        }
        Err(_) => Err(SecretError::NotText { namespace, name, key }),
    }
}

/// Whether a host is in the list: letter case and a final dot aside, whole names only, no wildcards.
fn allowed(list: Option<&str>, host: &str) -> bool {
    let (wanted, wanted_port) = split(host);
    let wanted = plain(wanted);
    list.unwrap_or_default().split([',', ' ', '\n', '\t']).filter(|entry| !entry.is_empty()).any(|entry| {
        let (name, port) = split(entry);
        plain(name) == wanted && (port.is_none() || port == wanted_port)
    })
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare v6 address.
fn split(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[')
        && let Some((address, rest)) = rest.split_once(']')
    {
        return (address, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        _ => (text, None),
    }
}

fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use kube::api::ObjectMeta;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_host_is_allowed_by_its_whole_name() {
        let table = [
            (Some("wiki.acme.test"), "wiki.acme.test", true),
            (Some("wiki.acme.test"), "WIKI.acme.test.", true),
            (Some("wiki.acme.test"), "wiki.acme.test:8443", true),
            (Some("wiki.acme.test:443"), "wiki.acme.test:443", true),
            (Some("wiki.acme.test:443"), "wiki.acme.test:8443", false),
            (Some("wiki.acme.test:443"), "wiki.acme.test", false),
            (Some("a.test, b.test"), "b.test", true),
            (Some("a.test b.test"), "a.test", true),
            (Some("acme.test"), "wiki.acme.test", false),
            (Some("wiki.acme.test"), "wiki.acme.test.evil.test", false),
            (Some("*"), "wiki.acme.test", false),
            (Some("*.acme.test"), "wiki.acme.test", false),
            (Some(""), "wiki.acme.test", false),
            (None, "wiki.acme.test", false),
            (Some("[::1]:8080"), "[::1]:8080", true),
            (Some("::1"), "[::1]:8080", true),
            (Some("127.0.0.1"), "127.0.0.1:9", true),
        ];
        for (list, host, expected) in table {
            assert_eq!(allowed(list, host), expected, "{list:?} {host}");
        }
    }

    fn secret(annotation: Option<&str>, value: &[u8]) -> Secret {
        Secret {
            metadata: ObjectMeta {
                annotations: annotation.map(|a| [(ALLOWED_HOSTS.to_owned(), a.to_owned())].into()),
                ..ObjectMeta::default()
            },
            data: Some([("token".to_owned(), ByteString(value.to_vec()))].into()),
            ..Secret::default()
        }
    }

    #[test]
    fn every_host_must_be_allowed_and_the_text_says_which_is_not() {
        let error = take(secret(Some("a.test"), b"x"), "acme", "wiki", "token", &["a.test", "b.test"]).unwrap_err();
        assert_eq!(error.reason(), Reason::HostNotAllowed);
        assert_eq!(
            error.to_string(),
            "the Secret acme/wiki may not be sent to b.test: it allows \"a.test\"; its owner must add b.test to the \
             annotation provost.dev/allowed-hosts of the Secret"
        );
    }

    #[test]
    fn a_final_line_break_is_dropped_and_nothing_else() {
        for (stored, read) in [("t\n", "t"), ("t\r\n", "t"), (" t ", " t "), ("t\n\n", "t\n"), ("", "")] {
            let value = take(secret(Some("a.test"), stored.as_bytes()), "n", "s", "token", &["a.test"]).unwrap();
            assert_eq!(value.expose_secret(), read);
        }
    }

    #[test]
    fn a_missing_key_names_those_that_are_there_to_whom_its_owner_allows_a_host_alone() {
        let error = take(secret(Some("a.test"), b"x"), "acme", "wiki", "password", &["a.test"]).unwrap_err();
        assert_eq!(error.reason(), Reason::SecretNotFound);
        assert!(error.to_string().contains("(it has token)"), "{error}");
        for annotation in [None, Some("a.test")] {
            let error = take(secret(annotation, b"x"), "acme", "wiki", "ca.crt", &[]).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the Secret acme/wiki has no key \"ca.crt\"; add the key, or name another one in secretRef.key"
            );
        }
    }

    #[test]
    fn what_is_not_text_is_said_without_its_content() {
        let error = take(secret(None, b"\xff\xfe"), "acme", "wiki", "token", &[]).unwrap_err();
        assert!(error.to_string().contains("not UTF-8"), "{error}");
    }
}
