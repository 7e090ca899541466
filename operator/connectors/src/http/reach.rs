//! Why no connection could be made: in one sentence, with what to look at.

use std::io::ErrorKind;

/// The name of a host has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host {0} not found; check how it is written, and the DNS that the operator asks")]
pub(crate) struct HostNotFound(pub(crate) String);

/// A host (with its port) that was found and cannot be talked to. `None`: nothing is known of why.
pub(crate) fn no_connection(place: &str, why: Option<ErrorKind>) -> String {
    match why {
        Some(ErrorKind::ConnectionRefused) => {
            format!("{place} refuses connections; check the port, and that the service is up")
        }
        Some(ErrorKind::TimedOut) => format!(
            "{place} does not answer; check that it is up, and that firewalls \
             and NetworkPolicies let the operator through"
        ),
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            format!("there is no way to {place}; check routes, firewalls and NetworkPolicies")
        }
        Some(other) => format!("no connection to {place} ({other})"),
        None => format!("no connection to {place}"),
    }
}
