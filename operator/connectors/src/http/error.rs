//! What went wrong, in our words: no text of the target but in `detail`, nothing of a credential anywhere.

use std::error::Error;
use std::io;
use std::time::Duration;

use provost_core::model::TargetError;
use secrecy::{ExposeSecret, SecretString};

use super::AddressRefused;
use super::permit::Withdrawn;
use super::reach::{self, HostNotFound};

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum BodyError {
    Broken(String),
    TooLarge,
}

impl BodyError {
    /// What it means: a write whose answer broke off was carried out or not.
    pub(super) fn of(self, reads: bool) -> TargetError {
        match self {
            Self::Broken(why) if reads => TargetError::Transient(why.into()),
            Self::Broken(why) => TargetError::Lost(why.into()),
            Self::TooLarge => TargetError::Malformed("the answer is larger than 16 MiB".into()),
        }
    }
}

/// Of an error that came instead of an answer.
pub(super) fn of_transport(error: &reqwest::Error, reads: bool) -> TargetError {
    if let Some(refused) = cause::<AddressRefused>(error) {
        return TargetError::HostNotAllowed(refused.to_string().into());
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return TargetError::Tls(too_long(&tls.to_string()).into());
    }
    if cause::<Withdrawn>(error).is_some() {
        return TargetError::Transient(Withdrawn.to_string().into());
    }
    let words = words(error);
    if error.is_connect() {
        TargetError::Unreachable(words.into())
    } else if reads || error.is_builder() {
        TargetError::Transient(words.into())
    } else {
        TargetError::Lost(words.into())
    }
}

/// The first cause of a type, looking also into I/O errors, which hide what they wrap from `source`.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return cause::<E>(inner);
    }
    cause::<E>(error.source()?)
}

/// In our words: reqwest's own name the URL.
pub(super) fn words(error: &reqwest::Error) -> String {
    if let Some(missing) = cause::<HostNotFound>(error) {
        return missing.to_string();
    }
    let io = cause::<io::Error>(error).map(io::Error::kind);
    if error.is_connect() {
        let why = if error.is_timeout() { Some(io::ErrorKind::TimedOut) } else { io };
        return reach::no_connection(&place(error), why);
    }
    let what = if error.is_timeout() { "no answer in time" } else { "the connection broke off" };
    io.map_or_else(|| what.to_owned(), |io| format!("{what} ({io})"))
}

/// Where to: the host with its port.
fn place(error: &reqwest::Error) -> String {
    let place = error.url().and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
    place.unwrap_or_else(|| "the target".to_owned())
}

/// What is said of a credential that is not taken.
pub(super) const UNAUTHORIZED: &str = "HTTP 401; check the credential in the Secret";

/// Of an answer that is not 2xx.
pub(super) fn of_status(
    status: u16,
    wait: Option<Duration>,
    body: &[u8],
    method: &str,
    hidden: &[SecretString],
) -> TargetError {
    let rejected = |reason: String| TargetError::Rejected {
        field: None,
        reason: reason.into(),
        detail: scrubbed(&String::from_utf8_lossy(body), hidden).into(),
    };
    match status {
        401 => TargetError::Unauthorized(UNAUTHORIZED.into()),
        404 | 410 => TargetError::NotFound,
        409 => TargetError::Conflict,
        412 => TargetError::Transient("it was changed meanwhile, HTTP 412".into()),
        429 => TargetError::RateLimited { retry_after: wait },
        503 if wait.is_some() => TargetError::RateLimited { retry_after: wait },
        405 | 501 => TargetError::Unsupported(format!("HTTP {status} for {method}").into()),
        300..=399 => TargetError::Malformed(
            format!("HTTP {status}, a redirect, which is not followed; set the url to the final one").into(),
        ),
        // The target may have done it all the same: who repeats it must look first.
        500 | 502 | 504 if method != "GET" => TargetError::Lost(format!("HTTP {status}").into()),
        408 | 425 | 500..=599 => TargetError::Transient(format!("HTTP {status}").into()),
        403 => rejected("forbidden, HTTP 403".to_owned()),
        _ => rejected(format!("HTTP {status}")),
    }
}

/// The target's words for the journal: on one line, without our credentials, 256 characters.
pub(crate) fn scrubbed(text: &str, hidden: &[SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in hidden {
        let secret = secret.expose_secret().trim();
        if !secret.is_empty() {
            text = text.replace(secret, "***");
        }
    }
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    too_long(&flat)
}

/// The first 256 characters.
pub(crate) fn too_long(text: &str) -> String {
    text.chars().take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_words_are_cut_flattened_and_scrubbed() {
        let hidden = [SecretString::from("s3cret".to_owned())];
        let words = scrubbed(&format!("bad token s3cret\nagain s3cret {}", "x".repeat(500)), &hidden);
        assert!(words.starts_with("bad token *** again *** x"), "{words}");
        assert_eq!(words.chars().count(), 256);
    }

    #[test]
    fn a_status_says_what_happens_next() {
        let of = |status, method| of_status(status, None, b"", method, &[]);
        assert!(matches!(of(500, "GET"), TargetError::Transient(_)));
        assert!(matches!(of(500, "POST"), TargetError::Lost(_)));
        assert!(matches!(of(503, "POST"), TargetError::Transient(_)));
        assert!(matches!(of(429, "POST"), TargetError::RateLimited { retry_after: None }));
        assert!(matches!(of(403, "GET"), TargetError::Rejected { .. }));
        assert!(matches!(of(403, "PATCH"), TargetError::Rejected { .. }));
        assert!(matches!(of(302, "GET"), TargetError::Malformed(_)));
        assert!(matches!(of(501, "PATCH"), TargetError::Unsupported(_)));
        assert!(matches!(of(422, "PATCH"), TargetError::Rejected { .. }));
        for status in (400..=499).chain([501]) {
            assert!(!matches!(of(status, "POST"), TargetError::Lost(_)), "{status} was not carried out");
        }
        let wait = Some(Duration::from_secs(7));
        assert_eq!(of_status(503, wait, b"", "GET", &[]), TargetError::RateLimited { retry_after: wait });
    }
}
