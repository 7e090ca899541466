//! How requests are signed: bearer (RFC 6750), basic (RFC 7617), client credentials (RFC 6749, 4.4).

use std::time::{Duration, Instant};

use provost_core::model::{Spent, TargetError};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Request, Sender, error};

/// How requests to the target are signed.
#[derive(Debug)]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer(SecretString),
    /// `Authorization: Basic`.
    Basic {
        /// The user name.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// A token fetched with the client's id and secret, kept until shortly before it expires.
    Client(ClientCredentials),
}

/// The client credentials grant.
#[derive(Debug)]
pub struct ClientCredentials {
    /// Where tokens are fetched.
    pub token_url: reqwest::Url,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// The token in use.
    pub token: tokio::sync::Mutex<Option<Token>>,
}

/// A token and when it is to be replaced.
#[derive(Debug)]
pub struct Token {
    value: SecretString,
    renew: Instant,
}

/// RFC 6749, 5.1.
#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

impl Auth {
    /// The value of the Authorization header; fetches a token where there is none in use.
    pub(super) async fn header(&self, sender: &Sender, spent: &mut Spent) -> Result<HeaderValue, TargetError> {
        match self {
            Self::Bearer(token) => bearer(token),
            Self::Basic { username, password } => basic(username, password.expose_secret()),
            Self::Client(client) => {
                let mut token = client.token.lock().await;
                if let Some(current) = token.as_ref().filter(|current| Instant::now() < current.renew) {
                    return bearer(&current.value);
                }
                let fresh = client.fetch(sender, spent).await?;
                let header = bearer(&fresh.value);
                *token = Some(fresh);
                header
            }
        }
    }

    /// The target did not accept this header. True: another may be tried. A token that came meanwhile is not the one that was
    /// refused, and stays.
    pub(super) async fn refused(&self, header: &HeaderValue) -> bool {
        match self {
            Self::Client(client) => {
                let mut token = client.token.lock().await;
                if token.as_ref().is_some_and(|current| bearer(&current.value).is_ok_and(|current| current == *header))
                {
                    *token = None;
                }
                true
            }
            Self::Bearer(_) | Self::Basic { .. } => false,
        }
    }

    /// Everything that must never be seen in an error, also as it is sent. Tokens that are fetched come later.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        match self {
            Self::Bearer(secret) => vec![secret.clone()],
            Self::Basic { username, password } => {
                vec![user_and_password(username, password.expose_secret()).into(), password.clone()]
            }
            Self::Client(client) => {
                let encoded = form_encoded(client.client_secret.expose_secret());
                let sent = user_and_password(&form_encoded(&client.client_id), &encoded);
                vec![sent.into(), encoded.into(), client.client_secret.clone()]
            }
        }
    }
}

impl ClientCredentials {
    async fn fetch(&self, sender: &Sender, spent: &mut Spent) -> Result<Token, TargetError> {
        let scope = self.scopes.join(" ");
        let mut form = vec![("grant_type", "client_credentials")];
        if !scope.is_empty() {
            form.push(("scope", scope.as_str()));
        }
        // RFC 6749, 2.3.1: id and secret in the header is what every server must take, form-encoded first.
        let header = basic(&form_encoded(&self.client_id), &form_encoded(self.client_secret.expose_secret()))?;
        let answer = match self.ask(sender, &form, Some(header), spent).await {
            Err(TargetError::Unauthorized(_) | TargetError::Rejected { .. }) => {
                form.push(("client_id", &self.client_id));
                form.push(("client_secret", self.client_secret.expose_secret()));
                self.ask(sender, &form, None, spent).await
            }
            other => other,
        };
        answer.map_err(without_a_token)
    }

    async fn ask(
        &self,
        sender: &Sender,
        form: &[(&str, &str)],
        header: Option<HeaderValue>,
        spent: &mut Spent,
    ) -> Result<Token, TargetError> {
        let pairs: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", form_encoded(value))).collect();
        let request = Request::post(self.token_url.clone())
            .body("application/x-www-form-urlencoded", pairs.join("&").into_bytes())
            .accept("application/json");
        let answer = sender.send(&request, header, spent).await?;
        let answer: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| TargetError::Malformed("the token endpoint's answer holds no access_token".into()))?;
        let lasts = answer.expires_in.as_ref().and_then(seconds).unwrap_or(300);
        // Renewed early: a tenth of its life, at most a minute, is left for requests under way.
        let early = (lasts / 10).min(60);
        sender.hide(&answer.access_token);
        let renew = Instant::now() + Duration::from_secs(lasts.saturating_sub(early).min(86_400));
        Ok(Token { value: answer.access_token, renew })
    }
}

/// What it means for a request that there is no token for it: it was not sent, so nothing of it is lost, is there already, is gone
/// or cannot be done.
fn without_a_token(error: TargetError) -> TargetError {
    let refused = |why: &str| TargetError::Unauthorized(format!("the token endpoint: {why}").into());
    match error {
        TargetError::Rejected { reason, .. } => refused(&reason),
        TargetError::Unauthorized(why) if *why == *error::UNAUTHORIZED => {
            TargetError::Unauthorized("the token endpoint: HTTP 401; check the client id and its secret".into())
        }
        TargetError::NotFound => TargetError::Unauthorized(
            "the token endpoint is not there, HTTP 404; check its url (for Keycloak: url and realm)".into(),
        ),
        TargetError::Conflict => refused("HTTP 409"),
        // Pages for people take no POST.
        TargetError::Unsupported(why) => {
            refused(&format!("{why}; check its url (for Keycloak: url, without the path of a console, and realm)"))
        }
        TargetError::Lost(why) | TargetError::Transient(why) => {
            TargetError::Transient(format!("the token endpoint: {why}").into())
        }
        other => other,
    }
}

fn seconds(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn bearer(token: &SecretString) -> Result<HeaderValue, TargetError> {
    sensitive(format!("Bearer {}", token.expose_secret()))
}

fn basic(username: &str, password: &str) -> Result<HeaderValue, TargetError> {
    sensitive(format!("Basic {}", user_and_password(username, password)))
}

/// RFC 7617, 2.
fn user_and_password(username: &str, password: &str) -> String {
    base64(format!("{username}:{password}").as_bytes())
}

fn sensitive(text: String) -> Result<HeaderValue, TargetError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        TargetError::Unauthorized(
            "the credential holds characters that no header can carry (a line break?); correct the Secret".into(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// `application/x-www-form-urlencoded` of one value.
fn form_encoded(text: &str) -> String {
    super::percent_encoded(text)
}

/// RFC 4648, 4. A dozen lines instead of a dependency: this is the only place that needs it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0u32, |group, at| (group << 8) | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4usize {
            let index = (group >> (18 - 6 * at)) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn a_credential_with_a_line_break_is_named_and_not_shown() {
        let error = bearer(&SecretString::from("abc\ndef".to_owned())).unwrap_err().to_string();
        assert!(error.contains("line break") && !error.contains("abc"), "{error}");
    }

    #[test]
    fn header_values_do_not_print_themselves() {
        let shown = format!("{:?}", basic("ada", "hunter2").unwrap());
        assert!(!shown.contains("YWRh"), "{shown}");
    }
}
