//! Addresses that are not of the public internet, by the registries of IANA (RFC 6890 and what came after it).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of IPv4 with the length of their prefix.
const IPV4: [(Ipv4Addr, u32, &str); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an unspecified address"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "an address behind a carrier's translation"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "an address of protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "an address for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::BROADCAST, 32, "the broadcast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

/// Ranges of IPv6 that have a name; the first that fits counts. The last three leave 2000::/3, which is all that is given out.
const IPV6: [(Ipv6Addr, u32, &str); 21] = [
    (Ipv6Addr::UNSPECIFIED, 128, "an unspecified address"),
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "an IPv4 address in an IPv6 one"),
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4 address in an IPv6 one"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "an address behind a translation to IPv4"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "an address behind a translation to IPv4"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "an address that discards"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "a Teredo address"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "an address for benchmarks"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "an address of protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "an address for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a 6to4 address"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "an address for documentation"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, "an address of segment routing"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "a unique local address"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "a link-local address"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "a site-local address"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "a multicast address"),
    (Ipv6Addr::UNSPECIFIED, 3, "a reserved address"),
    (Ipv6Addr::new(0x4000, 0, 0, 0, 0, 0, 0, 0), 2, "a reserved address"),
    (Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0), 1, "a reserved address"),
];

/// Returns what an address is where it is not of the public internet.
pub(super) fn reserved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            let holds = |base: Ipv4Addr, prefix| {
                (address.to_bits() ^ base.to_bits()).checked_shr(32 - prefix).unwrap_or(0) == 0
            };
            IPV4.iter().find(|(base, prefix, _)| holds(*base, *prefix)).map(|(.., name)| *name)
        }
        IpAddr::V6(address) => {
            let holds = |base: Ipv6Addr, prefix| {
                (address.to_bits() ^ base.to_bits()).checked_shr(128 - prefix).unwrap_or(0) == 0
            };
            IPV6.iter().find(|(base, prefix, _)| holds(*base, *prefix)).map(|(.., name)| *name)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the standard library says of an address; it knows fewer kinds.
    fn known_by_std(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => {
                address.is_private()
                    || address.is_loopback()
                    || address.is_link_local()
                    || address.is_broadcast()
                    || address.is_documentation()
                    || address.is_unspecified()
                    || address.is_multicast()
            }
            IpAddr::V6(address) => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
                    || address.to_ipv4_mapped().is_some()
            }
        }
    }

    /// Both ends of every range, and the addresses right outside of it.
    #[test]
    fn ranges_end_where_they_should() {
        for (base, prefix, name) in IPV4 {
            let first = base.to_bits();
            let last = first | u32::MAX.checked_shr(prefix).unwrap_or(0);
            for inside in [first, last] {
                assert!(reserved(Ipv4Addr::from_bits(inside).into()).is_some(), "{base}/{prefix}");
            }
            assert_eq!(reserved(base.into()), Some(name), "{base}/{prefix}");
        }
        let public = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "8.8.8.8",
            "2000::",
            "2001:200::",
            "2001:4860:4860::8888",
            "2003::",
            "2600::",
            "2606:4700:4700::1111",
            "2a00::",
            "3ffe::",
            "3fff:1000::",
        ];
        for address in public {
            assert_eq!(reserved(address.parse().unwrap()), None, "{address}");
        }
        let others = ["1fff::", "4000::1", "8000::", "e000::1", "::8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"];
        for address in others {
            assert!(reserved(address.parse().unwrap()).is_some(), "{address}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_standard_library_knows_is_known(bits in any::<u32>(), range in 0..16_usize) {
            // One at random, and one in a range: most at random are public.
            let (base, prefix, _) = IPV4[range];
            let within = base.to_bits() | bits.checked_shr(prefix).unwrap_or(0);
            prop_assert!(reserved(Ipv4Addr::from_bits(within).into()).is_some());
            for address in [Ipv4Addr::from_bits(bits), Ipv4Addr::from_bits(within)].map(IpAddr::from) {
                prop_assert!(!known_by_std(address) || reserved(address).is_some(), "{}", address);
            }
            let mapped = Ipv4Addr::from_bits(bits).to_ipv6_mapped();
            prop_assert!(reserved(mapped.into()).is_some());
        }

        #[test]
        fn whatever_the_standard_library_knows_of_ipv6_is_known(bits in any::<u128>(), range in 0..21_usize) {
            let (base, prefix, _) = IPV6[range];
            let within = base.to_bits() | bits.checked_shr(prefix).unwrap_or(0);
            prop_assert!(reserved(Ipv6Addr::from_bits(within).into()).is_some());
            for address in [Ipv6Addr::from_bits(bits), Ipv6Addr::from_bits(within)].map(IpAddr::from) {
                prop_assert!(!known_by_std(address) || reserved(address).is_some(), "{}", address);
            }
            let outside = Ipv6Addr::from_bits(bits).segments()[0] >> 13 != 1;
            prop_assert!(!outside || reserved(Ipv6Addr::from_bits(bits).into()).is_some());
        }
    }
}
