//! Targets that lead into a private network, or would if one believed them.

use crate::dns::{Reply, addresses};

/// Hosts that are addresses, however spelled. Each is tried by https and by http.
pub const HOSTS: &[&str] = &[
    // Loopback.
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.0000.0.0x1",
    "0x7f000001",
    "0X7F000001",
    "0x7f.1",
    "0x7F.0x0.0x0.0x1",
    "00000000177.1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "127。0。0。1",
    "127．0｡0。1",
    "127%2E0.0.1",
    "%31%32%37.0.0.1",
    "0x7f%2e1",
    "[::1]",
    "[0000:0:0:0::1]",
    "[0:0:0:0:0:0:0.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::80ff:fffe]",
    // This host.
    "0",
    "0.0.0.0",
    "00",
    "0x0",
    "[::]",
    "[::ffff:0.0.0.0]",
    // Private, link-local and the like.
    "10.0.0.1",
    "0xa000001",
    "167772161",
    "100.64.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.1",
    "192.0.0.192",
    "198.18.0.1",
    "192.0.2.2",
    "224.0.0.1",
    "255.255.255.255",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fec0::1]",
    "[fe80::1]",
    "[ff02::1]",
    "[::ffff:10.0.0.1]",
    // Where clouds keep their keys.
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.170.2",
    "100.100.100.200",
    "[fd00:ec2::254]",
    "[::ffff:a9fe:a9fe]",
];

/// Whole addresses that must not get past the first look.
pub const URLS: &[&str] = &[
    // Host that a parser cannot read, or reads in two ways.
    "https://[fe80::1%25lo]:{port}/",
    "https://[::1%lo]:{port}/",
    "https://[::1]%00.hooks.example:{port}/",
    "https://127.0.0.1%00.hooks.example:{port}/",
    "https://127.0.0.1%0d%0a.hooks.example:{port}/",
    "https://hooks.example%23@127.0.0.1:{port}/",
    "https://hooks.example%40127.0.0.1:{port}/",
    "https://hooks.example\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@hooks.example/",
    "https:\\\\127.0.0.1:{port}\\",
    "https://127.0.0.1:{port}#@hooks.example/",
    "https://127.0.0.1:{port}?@hooks.example/",
    "https:127.0.0.1:{port}/",
    "https:/127.0.0.1:{port}/",
    "https:////127.0.0.1:{port}/",
    "\thttps://127.0.0.1:{port}/",
    "ht\ntps://127.0.0.1:{port}/",
    "https://127.0\t.0.1:{port}/",
    "https://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "https://127.0.0.1 :{port}/",
    "https://127.0.0.1:{port}/\u{0}",
    "https://127.0.0.1:0/",
    // Credentials.
    "https://user:SECRET@127.0.0.1:{port}/",
    "https://hooks.example:443@127.0.0.1:{port}/",
    "https://hooks.example&@127.0.0.1:{port}/",
    "https://SECRET@hooks.example:{port}/",
    // Schemes.
    "file:///etc/passwd",
    "file://127.0.0.1:{port}/etc/passwd",
    "gopher://127.0.0.1:{port}/_POST%20/",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/info",
    "ldap://127.0.0.1:{port}/",
    "tftp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "wss://127.0.0.1:{port}/",
    "jar:https://127.0.0.1:{port}/!/",
    "netdoc://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "javascript:fetch('https://127.0.0.1:{port}/')",
    "data:text/html,https://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "",
];

/// How an attempt has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Refused,
    Unreached,
}

/// Names, and what DNS says of them. Each is tried by https and by http.
pub fn names() -> Vec<(&'static str, Reply, End)> {
    let mut names: Vec<_> = ADDRESSES
        .iter()
        .map(|(name, found)| (*name, Reply::Addresses(addresses(found), 60), End::Refused))
        .collect();
    let alias = |chain: &[&str], found: &[&str]| {
        let chain = chain.iter().map(|name| (*name).to_owned()).collect();
        Reply::Behind(chain, addresses(found))
    };
    let many: Vec<String> = (0..3_000).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    names.extend([
        // Known without DNS.
        ("localhost", Reply::Silence, End::Refused),
        ("LOCALHOST", Reply::Silence, End::Refused),
        ("localhost.", Reply::Silence, End::Refused),
        ("ｌｏｃａｌｈｏｓｔ", Reply::Silence, End::Refused),
        ("hooks.localhost", Reply::Silence, End::Refused),
        // Aliases.
        ("alias.example", alias(&["inner.example"], &["127.0.0.1"]), End::Refused),
        ("chain.example", alias(&["a.example", "b.example"], &["::1", "10.0.0.1"]), End::Refused),
        ("alias-of-other.example", alias(&["a.example"], &[]), End::Refused),
        ("alias-of-localhost.example", alias(&["localhost"], &[]), End::Refused),
        ("alias-of-itself.example", alias(&["alias-of-itself.example"], &[]), End::Unreached),
        ("alias-of-nothing.example", alias(&["nothing.example"], &[]), End::Unreached),
        // Turned by the minute.
        (
            "turning.example",
            Reply::Turns(vec![addresses(&["127.0.0.1"]), addresses(&["0.0.0.0"])]),
            End::Refused,
        ),
        // Long, broken, silent.
        ("many.example", Reply::Addresses(addresses(&many[..70]), 60), End::Refused),
        ("very-many.example", Reply::TooLong(addresses(&many)), End::Refused),
        ("no-address.example", Reply::Addresses(Vec::new(), 60), End::Unreached),
        ("no-such-name.example", Reply::Code(3), End::Unreached),
        ("failed.example", Reply::Code(2), End::Unreached),
        ("refused.example", Reply::Code(5), End::Unreached),
        ("garbage.example", Reply::Garbage, End::Unreached),
        ("silent.example", Reply::Silence, End::Unreached),
    ]);
    names
}

const ADDRESSES: &[(&str, &[&str])] = &[
    ("loopback.example", &["127.0.0.1"]),
    ("trailing-dot.example.", &["127.0.0.1"]),
    ("127.0.0.1.nip.example", &["127.0.0.1"]),
    ("localhost.localdomain", &["127.0.0.1"]),
    ("xn--bcher-kva.example", &["127.0.0.1"]),
    ("under_score.example", &["127.0.0.1"]),
    ("far-loopback.example", &["127.9.9.9"]),
    ("this-host.example", &["0.0.0.0"]),
    ("private-a.example", &["10.0.0.1"]),
    ("private-b.example", &["172.16.0.1"]),
    ("private-c.example", &["192.168.0.1"]),
    ("kubernetes.default.svc", &["10.96.0.1"]),
    ("host.docker.internal", &["172.17.0.1"]),
    ("carrier.example", &["100.64.0.1"]),
    ("metadata.google.internal", &["169.254.169.254"]),
    ("multicast.example", &["224.0.0.1"]),
    ("broadcast.example", &["255.255.255.255"]),
    ("loopback-6.example", &["::1"]),
    ("nowhere-6.example", &["::"]),
    ("mapped.example", &["::ffff:127.0.0.1"]),
    ("mapped-metadata.example", &["::ffff:169.254.169.254"]),
    ("compatible.example", &["::127.0.0.1"]),
    ("translated.example", &["64:ff9b::127.0.0.1"]),
    ("translated-here.example", &["64:ff9b:1::127.0.0.1"]),
    ("teredo.example", &["2001:0:7f00:1::80ff:fffe"]),
    ("six-to-four.example", &["2002:7f00:1::1"]),
    ("private-6.example", &["fd00::1"]),
    ("metadata-6.example", &["fd00:ec2::254"]),
    ("link-local-6.example", &["fe80::1"]),
    ("site-local-6.example", &["fec0::1"]),
    ("documentation-6.example", &["2001:db8::1"]),
    ("both.example", &["127.0.0.1", "::1"]),
    ("all.example", &["0.0.0.0", "10.0.0.1", "127.0.0.1", "::", "::1", "::ffff:127.0.0.1"]),
    ("a.example", &["127.0.0.1"]),
];
