//! Where a request comes from, also behind proxies.

use axum::http::{HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv6Net};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Whoever has an address of IPv6 has a whole network of them.
const IPV6_NETWORK: u8 = 64;

/// The proxies whose word about addresses is taken.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// These networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Who sent a request that came from `peer`: each proxy adds the address it was asked from at the end, so the last one
    /// that is no proxy of ours counts. What a stranger has written before that is not believed.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok()).collect();
        let mut client = peer.to_canonical();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            if !self.0.iter().any(|net| net.contains(&client)) {
                break;
            }
            let Some(before) = address_of(hop.trim()) else { break };
            client = before.to_canonical();
        }
        client
    }
}

/// An address, with a port or without.
fn address_of(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// What requests of an address are counted under.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => Ipv6Net::new(six, IPV6_NETWORK).map_or(address, |net| IpAddr::V6(net.network())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = Proxies::new(["10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a network")));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().expect("a header"));
        }
        proxies.client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_counts() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "a stranger is not believed");
        assert_eq!(client("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &["1.1.1.1, 198.51.100.1", "10.9.9.9"]), "198.51.100.1", "nor what was there before");
        assert_eq!(client("10.1.2.3", &["198.51.100.1, nonsense"]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["198.51.100.1:4711"]), "198.51.100.1", "some name the port");
        assert_eq!(client("::ffff:10.1.2.3", &["2001:db8::5"]), "2001:db8::5");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let counted = |text: &str| counted(text.parse().expect("an address")).to_string();
        assert_eq!((counted("2001:db8::5"), counted("198.51.100.1")), ("2001:db8::".into(), "198.51.100.1".into()));
    }
}
