//! A connection: to a checked address, encrypted, and logged in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provost_core::model::{Spent, TargetError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ber::{self, INTEGER, Reading, SEQUENCE, refused};
use super::client::Client;
use super::error::{Asked, Broken, code, of_result, of_transport};
use super::guarded::Guarded;
use super::message::{EXTENDED_RESPONSE, Request, START_TLS, result};
use crate::http::NetworkRules;
use crate::http::reach::{self, HostNotFound};

/// Bytes of an answer to StartTLS.
const SHORT: usize = 4096;

/// Where a directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// TLS from the first byte.
    Tls(String, u16),
    /// TLS after StartTLS (RFC 4511, 4.14), without which nothing is sent.
    StartTls(String, u16),
    /// A socket of this machine.
    Socket(PathBuf),
}

impl Endpoint {
    /// Reads a URL of the manifest; it is never echoed.
    pub(crate) fn parse(url: &str) -> Result<Self, TargetError> {
        let wrong = || {
            let text = "the url must be ldaps://host, ldap://host or ldapi://%2Fpath%2Fof%2Fsocket; correct it";
            TargetError::Malformed(text.into())
        };
        let parsed = reqwest::Url::parse(url).map_err(|_| wrong())?;
        let bare = parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none();
        let host = parsed.host_str().unwrap_or_default();
        if !bare || host.is_empty() || !matches!(parsed.path(), "" | "/") {
            return Err(wrong());
        }
        match parsed.scheme() {
            "ldaps" => Ok(Self::Tls(host.to_lowercase(), parsed.port().unwrap_or(636))),
            "ldap" => Ok(Self::StartTls(host.to_lowercase(), parsed.port().unwrap_or(389))),
            "ldapi" => unescaped(host).map(Self::Socket).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }

    /// Where it is, for people.
    fn place(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Tls(..) | Self::StartTls(..) => self.host(),
        }
    }

    /// `host:port`, as an annotation names what a Secret may be sent to.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::Tls(host, port) | Self::StartTls(host, port) => format!("{host}:{port}"),
            Self::Socket(_) => "localhost:389".to_owned(),
        }
    }
}

fn unescaped(host: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = host.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            bytes.push(u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let path = PathBuf::from(String::from_utf8(bytes).ok()?);
    path.is_absolute().then_some(path)
}

/// How to log in.
#[derive(Debug)]
pub(crate) enum Bind {
    /// A DN and its password.
    Simple { dn: String, password: SecretString },
    /// What the connection proves.
    External,
}

/// Everything that a connection needs.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) endpoint: Endpoint,
    pub(crate) bind: Bind,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) rules: NetworkRules,
}

impl Login {
    /// A password that is empty would log in as nobody (RFC 4513, 5.1.2), and be told that it is right.
    pub(crate) fn checked(self) -> Result<Self, TargetError> {
        match &self.bind {
            Bind::Simple { password, .. } if password.expose_secret().trim().is_empty() => {
                Err(TargetError::Unauthorized("the password in the Secret is empty; fill it in".into()))
            }
            _ => Ok(self),
        }
    }

    /// What must never be seen in an error.
    pub(crate) fn hidden(&self) -> Vec<SecretString> {
        match &self.bind {
            Bind::Simple { password, .. } => vec![password.clone()],
            Bind::External => Vec::new(),
        }
    }

    /// Connects and logs in.
    pub(crate) async fn connect(&self, spent: &mut Spent) -> Result<Client, TargetError> {
        let (begun, whole) = (tokio::time::Instant::now(), self.rules.timeouts.whole);
        let reached = tokio::time::timeout(whole, self.reach(spent)).await;
        let client = reached.unwrap_or_else(|_| Err(unreachable(&self.endpoint.place(), io::ErrorKind::TimedOut)))?;
        spent.requests += 1;
        let request = match &self.bind {
            Bind::Simple { dn, password } => Request::Simple { dn, password: password.expose_secret() },
            Bind::External => Request::External,
        };
        let bound = client.ask(&request, &[], whole.saturating_sub(begun.elapsed())).await;
        let bound = bound.map_err(|error| match error {
            Broken::Late => {
                TargetError::Unreachable("it accepts connections, and does not answer the login in time".into())
            }
            other => of_transport(&other, Asked::Login),
        })?;
        let bound = bound.ended;
        if bound.code == code::SUCCESS { Ok(client) } else { Err(of_result(&bound, Asked::Login, &[], &self.hidden())) }
    }

    /// Connects, without a login.
    async fn reach(&self, spent: &mut Spent) -> Result<Client, TargetError> {
        Ok(match &self.endpoint {
            Endpoint::Tls(host, port) => self.encrypted(self.dial(host, *port).await?, host, false).await?,
            Endpoint::StartTls(host, port) => {
                spent.requests += 1;
                self.encrypted(self.dial(host, *port).await?, host, true).await?
            }
            Endpoint::Socket(path) => Client::over(self.open(path).await?),
        })
    }

    /// The socket belongs to this future: who does not wait for a server that accepts and says nothing closes it.
    async fn encrypted(&self, mut socket: Guarded<TcpStream>, host: &str, asks: bool) -> Result<Client, TargetError> {
        let host = bare(host).to_owned();
        let work = async {
            if asks {
                start_tls(&mut socket).await?;
            }
            let encrypted = TlsConnector::from(Arc::clone(&self.tls)).connect(ServerName::try_from(host)?, socket);
            Ok::<_, Broken>(Client::over(encrypted.await?))
        };
        match tokio::time::timeout(self.rules.timeouts.connect, work).await {
            Ok(encrypted) => encrypted.map_err(|error| of_transport(&error, Asked::Login)),
            Err(_) => Err(TargetError::Unreachable("it accepts connections, and does not encrypt them in time".into())),
        }
    }

    /// To the first address that may be reached and answers.
    async fn dial(&self, host: &str, port: u16) -> Result<Guarded<TcpStream>, TargetError> {
        let missing = |why| TargetError::Unreachable(HostNotFound::new(bare(host), why).to_string().into());
        let found = tokio::net::lookup_host((bare(host), port)).await.map_err(|error| missing(Some(error)))?;
        let mut last = missing(None);
        for address in found {
            if let Err(refused) = self.rules.check(host, address.ip()) {
                last = TargetError::HostNotAllowed(refused.to_string().into());
                continue;
            }
            let dialling = TcpStream::connect(address);
            let dialled = match tokio::time::timeout(self.rules.timeouts.connect, dialling).await {
                Ok(dialled) => dialled.and_then(|stream| stream.set_nodelay(true).map(|()| stream)),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            match dialled {
                Ok(stream) => return Ok(Guarded::new(stream, &self.rules.permit)),
                Err(error) => last = unreachable(&format!("{host}:{port}"), error.kind()),
            }
        }
        Err(last)
    }

    async fn open(&self, path: &Path) -> Result<Guarded<tokio::net::UnixStream>, TargetError> {
        if !self.rules.loopback {
            let text = "a socket is the operator's own machine, which is closed to connectors (--allow-loopback)";
            return Err(TargetError::HostNotAllowed(text.into()));
        }
        let socket = tokio::net::UnixStream::connect(path).await;
        let socket = socket.map_err(|error| unreachable(&self.endpoint.place(), error.kind()))?;
        Ok(Guarded::new(socket, &self.rules.permit))
    }
}

/// Asks for encryption: once this has succeeded, nothing is said in the clear any more.
async fn start_tls(server: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), Broken> {
    server.write_all(START_TLS).await?;
    // One by one: what comes after the answer is encrypted, or is not from the server.
    let mut answer = Vec::new();
    while ber::message(&answer)?.is_none() {
        if answer.len() == SHORT {
            return Err(refused("an answer to StartTLS without end").into());
        }
        answer.push(server.read_u8().await?);
    }
    let answered = |mut parts: Reading<'_>| {
        parts.number(INTEGER)?;
        result(parts.take(EXTENDED_RESPONSE)?)
    };
    match Reading(&answer).within(SEQUENCE).and_then(answered).map(|ended| ended.code) {
        Some(code::SUCCESS) => Ok(()),
        Some(code) => Err(Broken::Refused(code)),
        None => Err(refused("it does not answer StartTLS").into()),
    }
}

fn unreachable(place: &str, why: io::ErrorKind) -> TargetError {
    TargetError::Unreachable(reach::no_connection(place, Some(why)).into())
}

/// An IPv6 address without the brackets of a URL.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// How certificates are verified and, with SASL EXTERNAL, what is shown in turn: certificate chain and key in PEM.
pub(crate) fn tls(
    authority: Option<&SecretString>,
    client: Option<(&SecretString, &SecretString)>,
) -> Result<Arc<ClientConfig>, TargetError> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(pem) => {
            let wrong = || TargetError::Tls("the CA in the Secret is not a PEM certificate; correct it".into());
            for certificate in certificates(pem).filter(|found| !found.is_empty()).ok_or_else(wrong)? {
                roots.add(certificate).map_err(|_| wrong())?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let failed = |error: rustls::Error| TargetError::Tls(error.to_string().into());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(failed)?;
    let builder = builder.with_root_certificates(roots);
    let config = match client {
        Some((chain, key)) => {
            let wrong =
                || TargetError::Tls("the client's certificate or key in the Secret is not PEM; correct it".into());
            let chain = certificates(chain).filter(|found| !found.is_empty()).ok_or_else(wrong)?;
            let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| wrong())?;
            builder.with_client_auth_cert(chain, key).map_err(failed)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn certificates(pem: &SecretString) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.expose_secret().as_bytes()).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_or_a_socket_and_nothing_else() {
        let cases = [
            ("ldaps://LDAP.acme.test", Endpoint::Tls("ldap.acme.test".into(), 636)),
            ("ldaps://ldap.acme.test:1636/", Endpoint::Tls("ldap.acme.test".into(), 1636)),
            ("ldap://127.0.0.1", Endpoint::StartTls("127.0.0.1".into(), 389)),
            ("ldapi://%2Frun%2Fslapd%2Fldapi", Endpoint::Socket("/run/slapd/ldapi".into())),
        ];
        for (url, expected) in cases {
            assert_eq!(Endpoint::parse(url).unwrap(), expected, "{url}");
        }
        for url in ["http://a", "ldap://", "ldap://u:hunter2@a", "ldap://a/dc=b", "ldap://a?x", "ldapi://run", "a", ""]
        {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_empty_password_is_refused() {
        for password in ["", " ", "\n"] {
            let login = Login {
                endpoint: Endpoint::Tls("a".into(), 636),
                bind: Bind::Simple { dn: "cn=a".into(), password: password.to_owned().into() },
                tls: tls(None, None).unwrap(),
                rules: NetworkRules::default(),
            };
            assert!(matches!(login.checked(), Err(TargetError::Unauthorized(_))), "{password:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let nonsense = SecretString::from("nonsense".to_owned());
        assert!(matches!(tls(Some(&nonsense), None), Err(TargetError::Tls(_))));
        assert!(matches!(tls(None, Some((&nonsense, &nonsense))), Err(TargetError::Tls(_))));
    }
}
