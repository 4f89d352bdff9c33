//! Which addresses of 127.n.0.0/16 are taken by tasks.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// 127.n.1.1 to 127.n.239.254; what lies outside belongs to the front (127.n.0.1) and the databases (127.n.250.x).
const FIRST: u16 = 0x0101;
const LAST: u16 = 0xeffe;

/// Hands out addresses in a circle, so a released one stays unused for as long as possible: a load balancer or a client that
/// still remembers it must not meet somebody else there.
#[derive(Debug)]
pub(super) struct Addresses {
    network: u8,
    next: u16,
    taken: BTreeSet<u16>,
}

impl Addresses {
    pub(super) fn of(network: u8) -> Self {
        Self {
            network,
            next: FIRST,
            taken: BTreeSet::new(),
        }
    }

    pub(super) fn allocate(&mut self) -> Ipv4Addr {
        // More than 60,000 tasks at once do not fit on one machine, so the circle always has a gap; if it had none, an
        // address would be shared, and the second program would fail to bind and say so.
        for _ in FIRST..=LAST {
            let candidate = self.next;
            self.next = if candidate >= LAST { FIRST } else { candidate + 1 };
            let [_, last] = candidate.to_be_bytes();
            if last != 0 && last != 255 && self.taken.insert(candidate) {
                return self.address(candidate);
            }
        }
        self.address(FIRST)
    }

    pub(super) fn release(&mut self, ip: Ipv4Addr) {
        let [_, _, high, low] = ip.octets();
        self.taken.remove(&u16::from_be_bytes([high, low]));
    }

    fn address(&self, host: u16) -> Ipv4Addr {
        let [high, low] = host.to_be_bytes();
        Ipv4Addr::new(127, self.network, high, low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_address_is_not_given_out_again_at_once() {
        let mut addresses = Addresses::of(7);
        let first = addresses.allocate();
        assert_eq!(first, Ipv4Addr::new(127, 7, 1, 1));
        addresses.release(first);
        assert_eq!(addresses.allocate(), Ipv4Addr::new(127, 7, 1, 2));
    }

    #[test]
    fn no_address_is_given_out_twice_and_none_ends_in_0_or_255() {
        let mut addresses = Addresses::of(7);
        let mut seen = BTreeSet::new();
        for _ in 0..5000 {
            let ip = addresses.allocate();
            assert!(seen.insert(ip), "{ip} twice");
            assert!(!matches!(ip.octets()[3], 0 | 255), "{ip}");
        }
    }
}
