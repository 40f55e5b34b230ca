//! Which addresses may be connected to. Promise: without leave of the configuration only addresses
//! of the public internet may; whatever the registries of IANA call private, local, special or not
//! yet given out may not, nor an address that carries another one inside (tunnels, translation).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(first: u16, second: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), bits)
}

/// IANA IPv4 Special-Purpose Address Registry, multicast, and what was never given out.
const CLOSED_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this host"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a carrier"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "special"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// The only part of IPv6 that is given out to the public internet.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// What is special inside of it.
const CLOSED_V6: &[(Ipv6Net, &str)] = &[
    (v6(0x2001, 0, 23), "special (Teredo and others)"),
    (v6(0x2001, 0xdb8, 32), "for documentation"),
    (v6(0x2002, 0, 16), "a 6to4 tunnel"),
    (v6(0x3fff, 0, 20), "for documentation"),
];

/// Names for the parts outside that people meet; the rest is "not global".
const NAMED_V6: &[(Ipv6Net, &str)] = &[
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (v6(0xfc00, 0, 7), "private"),
    (v6(0xfe80, 0, 10), "link-local"),
    (v6(0xff00, 0, 8), "multicast"),
    (v6(0x64, 0xff9b, 32), "an IPv4 address in translation"),
];

/// IPv4 addresses written as IPv6.
const MAPPED_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

/// The networks that the configuration gave leave for; all others have to be public.
#[derive(Clone, Debug)]
pub(super) struct Networks {
    allow: Vec<IpNet>,
}

impl Networks {
    /// The network that would never be met comes back as the error: one of IPv4 addresses written
    /// as IPv6, which are judged as IPv4.
    pub(super) fn new(allow: &[IpNet]) -> Result<Networks, IpNet> {
        let mapped = |net: &&IpNet| matches!(net, IpNet::V6(net) if MAPPED_V6.contains(net));
        match allow.iter().find(mapped) {
            Some(net) => Err(*net),
            None => Ok(Networks { allow: allow.to_vec() }),
        }
    }

    /// Whether any network was given leave for, so that there is a use for plain http.
    pub(super) fn any_allowed(&self) -> bool {
        !self.allow.is_empty()
    }

    /// Whether the configuration names the address.
    pub(super) fn allowed(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.iter().any(|net| net.contains(&address))
    }

    /// Why the address may not be connected to; nothing if it may.
    pub(super) fn closed(&self, address: IpAddr) -> Option<&'static str> {
        if self.allowed(address) { None } else { not_public(address) }
    }
}

/// What the address is instead of public. An IPv4 address written as IPv6 is judged as what it is:
/// the system would connect to it by IPv4.
fn not_public(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => name_of(CLOSED_V4, |net| net.contains(&address)),
        IpAddr::V6(address) if GLOBAL_V6.contains(&address) => {
            name_of(CLOSED_V6, |net| net.contains(&address))
        }
        IpAddr::V6(address) => {
            name_of(NAMED_V6, |net| net.contains(&address)).or(Some("not global"))
        }
    }
}

fn name_of<N>(table: &[(N, &'static str)], holds: impl Fn(&N) -> bool) -> Option<&'static str> {
    table.iter().find(|(net, _)| holds(net)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(allow: &[&str]) -> Networks {
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
        Networks::new(&allow).unwrap()
    }

    /// First and last address of each closed range, and its neighbours outside if those are open.
    const EDGES: &[(&str, &str, &str, &str)] = &[
        ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
        ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
        ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
        ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
        ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
        ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
        ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
        ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
        ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
        ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
        ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
        ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
        ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
        ("223.255.255.255", "224.0.0.0", "239.255.255.255", ""),
        ("", "240.0.0.0", "255.255.255.255", ""),
        ("", "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
        ("2000:ffff:ffff::", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
        ("2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"),
        ("2001:ffff:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"),
        ("3ffe:ffff:ffff::", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"),
        ("", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
    ];

    #[test]
    fn every_range_closes_at_its_first_address_and_opens_behind_its_last() {
        let nothing_allowed = networks(&[]);
        let closed = |text: &str| nothing_allowed.closed(text.parse().unwrap());
        for (before, first, last, behind) in EDGES {
            for address in [first, last] {
                assert!(closed(address).is_some(), "{address} has to be closed");
            }
            for address in [before, behind].into_iter().filter(|a| !a.is_empty()) {
                assert_eq!(closed(address), None, "{address} is public");
            }
        }
    }

    #[test]
    fn what_is_special_is_closed_by_name() {
        let nothing_allowed = networks(&[]);
        for (address, name) in [
            ("::", "not global"),
            ("::1", "loopback"),
            ("::7f00:1", "not global"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "link-local"),
            ("::ffff:0:127.0.0.1", "not global"),
            ("64:ff9b::7f00:1", "an IPv4 address in translation"),
            ("64:ff9b::808:808", "an IPv4 address in translation"),
            ("64:ff9b:1::1", "an IPv4 address in translation"),
            ("100::1", "not global"),
            ("2001::1", "special (Teredo and others)"),
            ("2001:10::1", "special (Teredo and others)"),
            ("2002:7f00:1::", "a 6to4 tunnel"),
            ("5f00::1", "not global"),
            ("fc00::1", "private"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link-local"),
            ("fec0::1", "not global"),
            ("ff02::1", "multicast"),
            ("169.254.169.254", "link-local"),
            ("255.255.255.255", "reserved"),
        ] {
            assert_eq!(nothing_allowed.closed(address.parse().unwrap()), Some(name), "{address}");
        }
        for address in ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450:4001::8a"] {
            assert_eq!(nothing_allowed.closed(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn leave_for_a_network_is_leave_for_no_other() {
        let one = networks(&["127.0.0.2/32", "fd12::/16"]);
        let allowed = |text: &str| one.allowed(text.parse().unwrap());
        assert!(allowed("127.0.0.2") && allowed("::ffff:127.0.0.2") && allowed("fd12::9"));
        assert!(!allowed("127.0.0.1") && !allowed("127.0.0.3") && !allowed("fd13::"));
        assert!(!allowed("8.8.8.8"), "public, but http is for what is named");
        assert_eq!(one.closed("127.0.0.2".parse().unwrap()), None);
        assert_eq!(one.closed("127.0.0.1".parse().unwrap()), Some("loopback"));
        // All of IPv6 is not all of IPv4.
        assert!(!networks(&["::/0"]).allowed("::ffff:127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_network_that_would_never_be_met_is_an_error() {
        let mapped: IpNet = "::ffff:10.0.0.0/104".parse().unwrap();
        assert_eq!(Networks::new(&[mapped]).unwrap_err(), mapped);
    }
}
