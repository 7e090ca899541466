//! Why no connection could be made: in one sentence, with what to look at.

use std::io::{self, ErrorKind};

/// The name of a host has no address, or nobody could be asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host {host} not found ({why}); check how it is written, and the DNS that the operator asks")]
pub(crate) struct HostNotFound {
    host: String,
    why: String,
}

impl HostNotFound {
    /// `None`: the answer was that there is none. All errors of a resolver are of one kind: its words tell them apart.
    pub(crate) fn new(host: &str, why: Option<io::Error>) -> Self {
        let words = why.map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
        let why = words.trim_start_matches("failed to lookup address information: ").to_owned();
        Self { host: host.to_owned(), why }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_could_not_be_looked_up_is_told_with_the_reason() {
        let told = |error: io::Error| HostNotFound::new("ldap.acme.test", Some(error)).to_string();
        // EMFILE.
        let said = told(io::Error::from_raw_os_error(24));
        assert!(said.starts_with("host ldap.acme.test not found (Too many open files"), "{said}");
        let said = told(io::Error::other("failed to lookup address information: Try again"));
        assert!(said.contains("not found (Try again); check"), "{said}");
        assert!(HostNotFound::new("a", None).to_string().contains("(it has no address)"));
    }
}
