//! HTTP for every REST target: one pool a target, bounded in time and size, without redirects or proxies, to checked
//! addresses alone. It says what an answer means in the words of [`TargetError`]; it never retries, except once with a
//! fresh token where the old one was refused.

mod address;
mod auth;
mod error;
mod permit;
pub(crate) mod reach;
mod retry_after;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use provost_core::model::{Spent, TargetError};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};

pub use address::{AddressRefused, NetworkRules};
pub use auth::{Auth, ClientCredentials};
pub(crate) use error::scrubbed;
pub use permit::Permit;

/// The largest answer that is read.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// What a 401 says right after a token was given.
const FRESH_TOKEN_REFUSED: &str = "HTTP 401 for a token that was given a moment before: the clock of the target, or of one \
    of its nodes, is wrong, or tokens issued until now are revoked, or the token is for another service";

/// Requests under way may still carry a token that was replaced meanwhile.
const TOKENS_HIDDEN: usize = 4;

/// How long a target may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// Between two reads of an answer.
    pub answer: Duration,
    /// For a whole request.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(20), whole: Duration::from_secs(30) }
    }
}

/// A target's settings for [`Http::new`].
#[derive(Debug)]
pub struct HttpSettings {
    /// The base; requests go below it.
    pub url: String,
    /// `http://` may be used.
    pub allow_insecure: bool,
    /// How to sign.
    pub auth: Auth,
    /// A private authority in PEM, instead of the public ones.
    pub authority: Option<SecretString>,
}

/// A target's base URL with its pool and its credentials.
#[derive(Debug)]
pub struct Http {
    base: Url,
    sender: Sender,
    auth: Auth,
}

/// What sends, without credentials of its own.
#[derive(Debug)]
pub(crate) struct Sender {
    client: reqwest::Client,
    rules: NetworkRules,
    /// Of the configuration.
    hidden: Vec<SecretString>,
    /// Fetched tokens, the latest last.
    tokens: Mutex<Vec<SecretString>>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: Method,
    url: Url,
    body: Option<(&'static str, Arc<[u8]>)>,
    accept: &'static str,
    if_match: Option<HeaderValue>,
    last: bool,
}

impl Request {
    pub(crate) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    pub(crate) fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, body: None, accept: "application/json", if_match: None, last: false }
    }

    pub(crate) fn body(mut self, kind: &'static str, bytes: Vec<u8>) -> Self {
        self.body = Some((kind, bytes.into()));
        self
    }

    pub(crate) fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// Only if the version is still this one (RFC 9110, 13.1.1).
    pub(crate) fn if_match(mut self, version: Option<&str>) -> Self {
        self.if_match = version.and_then(|version| HeaderValue::from_str(version).ok());
        self
    }

    /// The last one on its connection (RFC 9112, 9.6): some close it after an error without saying so, and what came next
    /// on it would be lost.
    pub(crate) fn last(mut self) -> Self {
        self.last = true;
        self
    }

    fn reads(&self) -> bool {
        self.method == Method::GET
    }
}

/// A 2xx answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What came instead of a 2xx answer, with the answer itself for those who know its format.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: TargetError,
    /// The HTTP status, where an answer came.
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
}

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Self {
        Self { error, status: None, body: Vec::new() }
    }
}

impl From<Refusal> for TargetError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

impl Http {
    /// Checks the settings; sends nothing.
    pub fn new(settings: HttpSettings, rules: &NetworkRules) -> Result<Self, TargetError> {
        let base = checked_url(&settings.url, settings.allow_insecure, rules)?;
        if let Auth::Client(client) = &settings.auth {
            checked_url(client.token_url.as_str(), settings.allow_insecure, rules)?;
        }
        let hidden = settings.auth.secrets();
        if hidden.iter().any(|secret| secret.expose_secret().trim().is_empty()) {
            return Err(TargetError::Unauthorized("the credential in the Secret is empty; fill it in".into()));
        }
        let client = client(settings.authority.as_ref(), rules)?;
        let sender = Sender { client, rules: rules.clone(), hidden, tokens: Mutex::default() };
        Ok(Self { base, sender, auth: settings.auth })
    }

    /// The base URL.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// The user of basic credentials.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.auth {
            Auth::Basic { username, .. } => Some(username),
            Auth::Bearer(_) | Auth::Client(_) => None,
        }
    }

    /// The base with path segments appended, each percent-encoded as one.
    ///
    /// Errors: a segment that a URL cannot carry (empty, `.`, `..`): it would name another resource.
    pub(crate) fn url(&self, segments: &[&str]) -> Result<Url, TargetError> {
        let mut url = self.base.clone();
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(TargetError::NotFound);
        }
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(segments);
            }
            Err(()) => return Err(TargetError::Malformed("the url cannot carry a path".into())),
        }
        Ok(url)
    }

    /// The target's words as they may be kept: 256 characters, without our credentials.
    pub(crate) fn scrubbed(&self, text: &str) -> String {
        error::scrubbed(text, &self.sender.hidden())
    }

    /// What a status means that came within the answer to another request (RFC 7644, 3.7.3).
    pub(crate) fn refusal(&self, status: u16, method: &str, body: Vec<u8>) -> Refusal {
        let error = error::of_status(status, None, &body, method, &self.sender.hidden());
        Refusal { error, status: Some(status), body }
    }

    /// Sends, signed. A refused token is replaced and the request sent again, once: a 401 was not carried out.
    pub(crate) async fn send(&self, request: &Request, spent: &mut Spent) -> Result<Answer, Refusal> {
        let header = self.auth.header(&self.sender, spent).await?;
        match self.sender.send(request, Some(header.clone()), spent).await {
            Err(Refusal { status: Some(401), .. }) if self.auth.refused(&header).await => {
                let header = self.auth.header(&self.sender, spent).await?;
                self.sender.send(request, Some(header), spent).await.map_err(|refusal| match refusal.status {
                    // The secret is right, or there were no token.
                    Some(401) => Refusal { error: TargetError::Unauthorized(FRESH_TOKEN_REFUSED.into()), ..refusal },
                    _ => refusal,
                })
            }
            other => other,
        }
    }
}

impl Sender {
    /// Sends one request and says what its answer means.
    pub(crate) async fn send(
        &self,
        request: &Request,
        authorization: Option<HeaderValue>,
        spent: &mut Spent,
    ) -> Result<Answer, Refusal> {
        self.literal_address(&request.url)?;
        if !request.reads() && !self.rules.permit.holds() {
            return Err(TargetError::Transient(permit::Withdrawn.to_string().into()).into());
        }
        spent.requests += 1;
        let mut builder =
            self.client.request(request.method.clone(), request.url.clone()).header(ACCEPT, request.accept);
        if let Some(value) = authorization {
            builder = builder.header(AUTHORIZATION, value);
        }
        if request.last {
            builder = builder.header(CONNECTION, "close");
        }
        if let Some(version) = &request.if_match {
            builder = builder.header(IF_MATCH, version);
        }
        if let Some((kind, _)) = &request.body {
            builder = builder.header(CONTENT_TYPE, *kind);
        }
        if !request.reads() {
            let bytes = request.body.as_ref().map(|(_, bytes)| bytes);
            builder = builder.body(reqwest::Body::wrap(permit::Permitted::new(bytes, &self.rules.permit)));
        }
        let answer = builder.send().await.map_err(|e| error::of_transport(&e, request.reads()))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = bounded(answer).await;
        tracing::debug!(method = %request.method, status = status.as_u16(), "request");
        if status.is_success() {
            let body = body.map_err(|e| e.of(request.reads()))?;
            return Ok(Answer { headers, body });
        }
        let wait = retry_after::retry_after(&headers, jiff::Timestamp::now());
        spent.wait = spent.wait.max(wait);
        let body = body.unwrap_or_default();
        let error = error::of_status(status.as_u16(), wait, &body, request.method.as_str(), &self.hidden());
        Err(Refusal { error, status: Some(status.as_u16()), body })
    }

    /// A token is in use, and must never be seen in an error.
    fn hide(&self, token: &SecretString) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() == TOKENS_HIDDEN {
            tokens.remove(0);
        }
        tokens.push(token.clone());
    }

    fn hidden(&self) -> Vec<SecretString> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        self.hidden.iter().chain(tokens.iter()).cloned().collect()
    }

    /// Hosts written as an address never reach the resolver.
    fn literal_address(&self, url: &Url) -> Result<(), TargetError> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => {
                self.rules.check(host, address).map_err(|e| TargetError::HostNotAllowed(e.to_string().into()))
            }
            Err(_) => Ok(()),
        }
    }
}

async fn bounded(mut answer: reqwest::Response) -> Result<Vec<u8>, error::BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| error::BodyError::Broken(error::words(&e)))? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(error::BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The URL, if it may be used. Its text is never echoed: it could hold a credential.
fn checked_url(text: &str, allow_insecure: bool, rules: &NetworkRules) -> Result<Url, TargetError> {
    let url = Url::parse(text).map_err(|_| TargetError::Malformed("the url cannot be read; correct it".into()))?;
    let host = url.host_str().unwrap_or_default();
    let loopback = host == "localhost"
        || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|a| a.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if allow_insecure || (loopback && rules.loopback) => {}
        "http" => {
            return Err(TargetError::Tls("the url is http; use https, or set allowInsecure: true".into()));
        }
        _ => return Err(TargetError::Malformed("the url is neither https nor http; correct it".into())),
    }
    if host.is_empty() || !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(TargetError::Malformed("the url must be a host and a path, nothing else; correct it".into()));
    }
    Ok(url)
}

fn client(authority: Option<&SecretString>, rules: &NetworkRules) -> Result<reqwest::Client, TargetError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("provost/", env!("CARGO_PKG_VERSION")))
        // A redirect or a proxy would carry the credential to a host that the Secret does not name.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // HTTP/2 sends a head before its body is asked for, and some carry out a DELETE at once.
        .http1_only()
        .dns_resolver(Arc::new(address::CheckedResolver(rules.clone())))
        .connect_timeout(rules.timeouts.connect)
        .read_timeout(rules.timeouts.answer)
        .timeout(rules.timeouts.whole)
        .pool_idle_timeout(Duration::from_mins(1));
    if let Some(pem) = authority {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.expose_secret().as_bytes())
            .ok()
            .filter(|found| !found.is_empty())
            .ok_or_else(|| TargetError::Tls("the CA in the Secret is not a PEM certificate; correct it".into()))?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|e| TargetError::Tls(error::words(&e).into()))
}

/// Everything but unreserved characters (RFC 3986, 2.3) percent-encoded, a space as `%20`.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(url: &str, allow_insecure: bool, rules: &NetworkRules) -> Result<Http, TargetError> {
        let auth = Auth::Bearer("token".to_owned().into());
        Http::new(HttpSettings { url: url.to_owned(), allow_insecure, auth, authority: None }, rules)
    }

    #[test]
    fn an_id_is_one_path_segment_whatever_it_holds() {
        let http = http("https://wiki.test/scim/v2/", false, &NetworkRules::default()).unwrap();
        let cases =
            [("a/b", "a%2Fb"), ("../x", "..%2Fx"), ("50%", "50%25"), ("a b?c#d", "a%20b%3Fc%23d"), ("é", "%C3%A9")];
        for (id, encoded) in cases {
            let url = http.url(&["Users", id]).unwrap();
            assert_eq!(url.as_str(), format!("https://wiki.test/scim/v2/Users/{encoded}"));
        }
        for id in ["", ".", ".."] {
            assert!(http.url(&["Users", id]).is_err(), "{id:?} would name another resource");
        }
    }

    #[test]
    fn plain_http_needs_leave() {
        let (closed, open) = (NetworkRules::default(), NetworkRules { loopback: true, ..NetworkRules::default() });
        assert!(http("http://wiki.test", false, &closed).is_err());
        assert!(http("http://127.0.0.1:1", false, &closed).is_err());
        assert!(http("http://wiki.test", false, &open).is_err());
        assert!(http("http://wiki.test", true, &closed).is_ok());
        assert!(http("http://127.0.0.1:1", false, &open).is_ok());
        assert!(http("http://[::1]:1", false, &open).is_ok());
    }

    #[test]
    fn a_url_with_user_info_is_refused_and_not_echoed() {
        let error = http("https://ada:hunter2@wiki.test", false, &NetworkRules::default()).unwrap_err().to_string();
        assert!(!error.contains("hunter2") && !error.contains("ada"), "{error}");
    }

    #[test]
    fn an_empty_credential_is_refused() {
        for secret in ["", " ", "\n"] {
            let auth = Auth::Basic { username: "ada".into(), password: secret.to_owned().into() };
            let settings =
                HttpSettings { url: "https://wiki.test".into(), allow_insecure: false, auth, authority: None };
            let error = Http::new(settings, &NetworkRules::default()).unwrap_err();
            assert!(matches!(error, TargetError::Unauthorized(_)), "{error}");
        }
    }
}
