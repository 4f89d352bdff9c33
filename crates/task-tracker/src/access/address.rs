//! Where a request comes from, as far as that can be known.
//!
//! Everything in X-Forwarded-For to the left of what our own proxies appended was written by the client and may be
//! anything, so the entry is counted from the right (Elastic Load Balancing, "X-Forwarded headers": the load balancer
//! appends the address it saw).

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The client's address behind this many proxies of ours.
pub(crate) fn client(headers: &HeaderMap, peer: Option<Peer>, proxies: u8) -> IpAddr {
    let seen = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    let Some(from_right) = usize::from(proxies).checked_sub(1) else {
        return seen;
    };
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    lines
        .iter()
        .flat_map(|line| line.split(','))
        .rev()
        .nth(from_right)
        .and_then(parse)
        .unwrap_or(seen)
}

/// With or without a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What limits go by: of IPv6 the network of 64 bits, since a household has a whole one.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// As `network`, for counts that are looked up with each request.
pub(crate) fn prefix(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_counted_from_the_right() {
        let peer = Some(Peer("10.0.0.9:80".parse().unwrap()));
        for (lines, proxies, expected) in [
            (&["1.1.1.1"][..], 0, "10.0.0.9"),
            (&[], 1, "10.0.0.9"),
            (&["6.6.6.6, 1.1.1.1"], 1, "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1:4711"], 1, "1.1.1.1"),
            (&["6.6.6.6", "1.1.1.1, 10.0.0.1"], 2, "1.1.1.1"),
            (&["nonsense"], 1, "10.0.0.9"),
            (&["1.1.1.1"], 3, "10.0.0.9"),
            (&["2001:db8::7"], 1, "2001:db8::7"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            assert_eq!(client(&headers, peer, proxies).to_string(), expected, "{lines:?}");
        }
        assert_eq!(network("2001:db8:1:2:3::7".parse().unwrap()), "2001:db8:1:2::/64");
        assert_eq!(network("::ffff:1.2.3.4".parse().unwrap()), "1.2.3.4");
    }
}
