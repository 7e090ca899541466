//! Which addresses may be connected to. Checked at every connect, on what the name resolves to then, so that a name
//! that changes its mind (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::reach::HostNotFound;

/// Where connectors may go: set once by the operator, not by a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRules {
    /// Loopback may be reached, also by `http://`: for tests and for runs on a developer's machine. Default: false.
    pub loopback: bool,
    /// Private ranges (RFC 1918, RFC 4193, RFC 6598) may be reached. Default: true.
    pub private: bool,
    /// Addresses that are refused whatever the above says: the API server's.
    pub refused: Vec<IpAddr>,
    /// How long to wait.
    pub timeouts: super::Timeouts,
    /// Whether writes may be sent. Default: always.
    pub permit: super::Permit,
}

impl Default for NetworkRules {
    fn default() -> Self {
        Self {
            loopback: false,
            private: true,
            refused: Vec::new(),
            timeouts: super::Timeouts::default(),
            permit: super::Permit::default(),
        }
    }
}

/// An address that may not be reached, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address {address} of host {host} may not be reached: {why}")]
pub struct AddressRefused {
    host: String,
    address: IpAddr,
    why: &'static str,
}

/// Metadata services outside the link-local ranges: AWS over IPv6, Alibaba, Azure, Oracle.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

impl NetworkRules {
    /// Whether an address may be connected to; the error says why not.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), AddressRefused> {
        match self.refusal(plain(address)) {
            Some(why) => Err(AddressRefused { host: host.to_owned(), address, why }),
            None => Ok(()),
        }
    }

    fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        if self.refused.iter().any(|refused| plain(*refused) == address) {
            return Some("it is the API server's");
        }
        if METADATA.contains(&address) {
            return Some("it is a metadata service's");
        }
        let (special, link_local, private) = match address {
            IpAddr::V4(v4) => (
                v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast() || v4.octets()[0] == 0,
                v4.is_link_local(),
                v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
            ),
            IpAddr::V6(v6) => {
                (v6.is_unspecified() || v6.is_multicast(), v6.is_unicast_link_local(), v6.is_unique_local())
            }
        };
        if special {
            Some("it is not one host's address")
        } else if link_local {
            Some("it is link-local, where metadata services live")
        } else if address.is_loopback() && !self.loopback {
            Some("it is the operator's own loopback")
        } else if private && !self.private {
            Some("private ranges are closed to the operator")
        } else {
            None
        }
    }
}

/// IPv4 in any of its IPv6 clothes (mapped, RFC 4291; NAT64, RFC 6052) as IPv4.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address,
    }
}

/// Resolves names and lets through only addresses that may be reached.
#[derive(Debug)]
pub(super) struct CheckedResolver(pub(super) NetworkRules);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let mut refused = None;
            let mut allowed: Vec<SocketAddr> = Vec::new();
            let missing = |why| HostNotFound::new(host, why);
            for address in tokio::net::lookup_host((host, 0)).await.map_err(|error| missing(Some(error)))? {
                match rules.check(host, address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(why) if allowed.is_empty() => Err(why.into()),
                None if allowed.is_empty() => Err(missing(None).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rules: &NetworkRules, address: &str) -> bool {
        rules.check("host", address.parse().unwrap()).is_err()
    }

    #[test]
    fn metadata_link_local_and_loopback_are_refused_in_every_spelling() {
        let rules = NetworkRules::default();
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(refused(&rules, address), "{address} was let through");
        }
        for address in ["10.1.2.3", "192.168.1.1", "8.8.8.8", "2606:4700::1111", "fd12::1"] {
            assert!(!refused(&rules, address), "{address} was refused");
        }
    }

    #[test]
    fn the_operator_opens_loopback_and_closes_private_ranges() {
        let rules = NetworkRules { loopback: true, private: false, ..NetworkRules::default() };
        assert!(!refused(&rules, "127.0.0.1") && !refused(&rules, "::1"));
        for address in ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd12::1", "169.254.0.1"] {
            assert!(refused(&rules, address), "{address} was let through");
        }
    }

    #[test]
    fn the_api_server_is_refused_even_where_private_ranges_are_open() {
        let rules = NetworkRules { refused: vec!["10.96.0.1".parse().unwrap()], ..NetworkRules::default() };
        assert!(refused(&rules, "10.96.0.1") && refused(&rules, "::ffff:10.96.0.1"));
        assert!(!refused(&rules, "10.96.0.2"));
    }
}
