//! Which addresses belong to the public internet, and which an operator named besides.
//!
//! What is public is said positively for IPv6 (only `2000::/3` is given out as global unicast: IANA, "IPv6 Global Unicast
//! Address Assignments"), and by leaving out the entries of "IANA IPv4 Special-Purpose Address Registry" for IPv4. Whatever
//! carries an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo) is either unwrapped or refused, so that no
//! spelling leads to an address that another would not.

use std::{net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// 0.0.0.0/8 this network · 10/8, 172.16/12, 192.168/16 private · 100.64/10 carriers (CGNAT) · 127/8 loopback ·
/// 169.254/16 link-local, with the metadata of EC2 and ECS · 192.0.0/24 protocol assignments · 192.0.2/24, 198.51.100/24,
/// 203.0.113/24 documentation · 192.88.99/24 6to4 relays · 198.18/15 benchmarks · 224/4 multicast · 240/4 reserved and
/// broadcast.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);
/// Of these: protocol assignments with Teredo and ORCHID (`2001::/23`), documentation (`2001:db8::/32`,
/// `3fff::/20`), 6to4 (`2002::/16`).
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),
    v6([0x2001, 0xdb8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(std::net::Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// Whether everybody on the internet could reach this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// Addresses that an operator allows although they are not public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Networks(Vec<IpNet>);

impl Networks {
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Addresses and networks between commas: `127.0.0.1,10.20.0.0/16`.
impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                let network = entry.parse::<IpNet>().ok();
                network
                    .or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from))
                    .ok_or_else(|| format!("`{entry}` is no address and no network, such as 10.20.0.0/16"))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_but_the_public_internet_is_public() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for text in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "169.253.255.255",
            "192.0.1.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2606:4700::1111",
            "2a00:1450:4001::200e",
        ] {
            assert!(public(text), "{text}");
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::10.0.0.1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn an_allowance_is_addresses_and_networks() {
        let networks: Networks = " 127.0.0.1, 10.20.0.0/16 ,::1,".parse().unwrap();
        for (text, expected) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.20.255.1", true),
            ("10.21.0.1", false),
            ("::1", true),
        ] {
            assert_eq!(networks.contain(text.parse().unwrap()), expected, "{text}");
        }
        assert_eq!("".parse::<Networks>(), Ok(Networks::default()));
        for text in ["localhost", "10.0.0.0/33", "10.0.0"] {
            assert!(text.parse::<Networks>().is_err(), "{text}");
        }
    }

    /// What the standard library knows of an address, in words of its own.
    fn is_special(address: Ipv4Addr) -> bool {
        let [a, b, ..] = address.octets();
        address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            || address.is_multicast()
            || address.is_broadcast()
            || address.is_documentation()
            || a == 0
            || a >= 240
            || (a == 100 && (64..128).contains(&b))
            || (a == 198 && (18..20).contains(&b))
    }

    proptest! {
        #[test]
        fn no_special_address_is_public_in_any_spelling(bits in prop_oneof![
            any::<u32>(),
            // Near the metadata, carriers' and private networks, where a slip would hurt most.
            (0u32..0x1_0000).prop_map(|low| 0xa9fe_0000 | low),
            (0u32..0x40_0000).prop_map(|low| 0x6440_0000 | low),
            (0u32..0x10_0000).prop_map(|low| 0xac10_0000 | low),
            (0u32..0x100_0000).prop_map(|low| 0x7f00_0000 | low),
        ]) {
            let address = Ipv4Addr::from(bits);
            let low = u128::from(bits);
            let high = low << 80;
            prop_assert!(!(is_special(address) && is_public(address.into())), "{address}");
            // Mapped is the same address; every other way to carry it is refused.
            prop_assert_eq!(is_public(address.to_ipv6_mapped().into()), is_public(address.into()));
            for carrier in [
                low,                                            // compatible, ::/96
                (0xffff_u128 << 48) | low,                      // translated, ::ffff:0:0:0/96
                (0x0064_ff9b_u128 << 96) | low,                 // NAT64
                (0x0064_ff9b_0001_u128 << 80) | low,            // NAT64, local
                (0x2002_u128 << 112) | high,                    // 6to4
                (0x2001_0000_u128 << 96) | u128::from(!bits),   // Teredo
            ] {
                // Written with 0:0:0:0:0:ffff in front it would be mapped, and is not.
                let carrier = Ipv6Addr::from(carrier);
                prop_assert!(!is_public(carrier.into()), "{carrier}");
            }
        }

        #[test]
        fn outside_of_global_unicast_no_ipv6_address_is_public(bits in any::<u128>()) {
            let address = Ipv6Addr::from(bits);
            if bits >> 125 != 1 && address.to_ipv4_mapped().is_none() {
                prop_assert!(!is_public(address.into()), "{address}");
            }
        }

        #[test]
        fn what_is_allowed_is_what_was_written(address in any::<u32>(), prefix in 0u8..=32) {
            let address = Ipv4Addr::from(address);
            let networks: Networks = format!("{address}/{prefix}").parse().unwrap();
            prop_assert!(networks.contain(address.into()));
            prop_assert!(networks.contain(address.to_ipv6_mapped().into()));
        }
    }
}
