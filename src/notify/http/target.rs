//! Where a request is to go, judged as far as the address shows without DNS. Promise: what is let
//! through names a host by https, or by http if any network was given leave for; it carries no
//! credentials, and a host that is an IP address, however spelled, is one that may be connected to.
//! No text of a refusal shows more of the address than `scheme://host:port`.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::Failure;
use super::networks::Networks;

/// Bytes of an address; longer ones are refused.
const URL_BYTES_MAX: usize = 2_048;

/// What is left of `https://hooks.example:8443/secret?key=1` for eyes: without path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// An address that may be posted to, so far as it shows.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) place: Place,
    /// Without TLS: only to networks that the configuration names.
    pub(super) plain: bool,
}

impl Target {
    pub(super) fn parse(text: &str, networks: &Networks) -> Result<Target, Failure> {
        check_text(text)?;
        let url = Url::parse(text).map_err(|error| {
            refused(format!("this is no address of a web server ({error}): {SHAPE}"))
        })?;
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(refused(format!("neither https nor http: {SHAPE}"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            let say = "a name or password stands before the host: take it out";
            return Err(refused(say.to_owned()));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(refused(format!("no host is named: {SHAPE}")));
        };
        let place = Place(format!("{}://{host}:{port}", url.scheme()));
        if port == 0 {
            return Err(refused(format!("{place}: nothing listens on port 0: name another")));
        }
        if plain && !networks.any_allowed() {
            return Err(Failure::Refused(format!("{place}: {PLAIN}")));
        }
        if let Some(address) = ip_of(host) {
            check_address(address, plain, networks)
                .map_err(|why| Failure::Refused(format!("{place}: {why}")))?;
        }
        Ok(Target { url, place, plain })
    }
}

const SHAPE: &str = "write https://host/path";
const PLAIN: &str = "http goes to networks that were allowed, and no other: use https";

fn refused(say: String) -> Failure {
    Failure::Refused(say)
}

/// What the parser would forgive, and two parsers might forgive differently.
fn check_text(text: &str) -> Result<(), Failure> {
    if text.len() > URL_BYTES_MAX {
        return Err(refused(format!("the address is longer than {URL_BYTES_MAX} bytes")));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        let say = "white space, a control character or a backslash stands in the address: \
                   write it as %20 or the like";
        return Err(refused(say.to_owned()));
    }
    Ok(())
}

/// The address that the host is, if it is one. The parser has brought every spelling of it (hex,
/// octal, one number, full-width digits, a dot behind) into the usual form; what is none here is
/// none for the connector either, which asks the same question.
fn ip_of(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Whether one address may be connected to, with TLS or without; why not, in words.
pub(super) fn check_address(
    address: IpAddr,
    plain: bool,
    networks: &Networks,
) -> Result<(), String> {
    match networks.closed(address) {
        Some(kind) => Err(format!("{address} is {kind}: not allowed")),
        None if plain && !networks.allowed(address) => Err(format!("{address}: {PLAIN}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, allow: &[&str]) -> Result<Target, String> {
        let allow: Vec<_> = allow.iter().map(|net| net.parse().unwrap()).collect();
        Target::parse(text, &Networks::new(&allow).unwrap()).map_err(|failure| match failure {
            Failure::Refused(why) => why,
            Failure::Unreached(why) => panic!("nothing was tried: {why}"),
        })
    }

    fn why(text: &str) -> String {
        parse(text, &[]).map(|target| target.url.to_string()).unwrap_err()
    }

    #[test]
    fn a_public_host_by_https_is_let_through() {
        for (text, place) in [
            ("https://hooks.example/a?b=c", "https://hooks.example:443"),
            ("HTTPS://Hooks.Example:8443/", "https://hooks.example:8443"),
            ("https://bücher.example/", "https://xn--bcher-kva.example:443"),
            ("https://8.8.8.8/", "https://8.8.8.8:443"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]:443"),
            ("https://localhost/", "https://localhost:443"), // DNS will tell
        ] {
            let target = parse(text, &[]).unwrap();
            assert_eq!((target.place.to_string().as_str(), target.plain), (place, false));
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in [
            "ftp://hooks.example/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_x",
            "javascript:alert(1)",
            "data:text/plain,x",
            "ws://hooks.example/",
            "unix:/run/docker.sock",
            "https+unix://x/",
        ] {
            assert!(why(text).contains("write https://host/path"), "{text}: {}", why(text));
        }
        for text in ["", "hooks.example/a", "//hooks.example", "https://", "https:///", "http//x"] {
            assert!(why(text).contains("write https://host/path"), "{text}: {}", why(text));
        }
    }

    #[test]
    fn every_spelling_of_loopback_is_seen() {
        for host in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "0x7f.0x0.0x0.0x1",
            "017700000001",
            "0177.0.0.01",
            "127.0.0.0x1",
            "１２７.0.0.1",
            "①②⑦.⓪.⓪.①",
            "127。0。0。1",
            "127%2E0%2E0%2E1",
            "%31%32%37.0.0.1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::FFFF:7F00:1]",
            "127.255.255.254",
        ] {
            let say = why(&format!("https://{host}:8443/secret"));
            assert!(say.contains("is loopback: not allowed"), "{host}: {say}");
            assert!(!say.contains("secret"), "{say}");
        }
    }

    #[test]
    fn other_closed_addresses_are_refused_and_named() {
        for (host, say) in [
            ("0", "0.0.0.0 is this host"),
            ("0x0", "0.0.0.0 is this host"),
            ("169.254.169.254", "169.254.169.254 is link-local"),
            ("0xa9fea9fe", "169.254.169.254 is link-local"),
            ("10.0.0.1", "10.0.0.1 is private"),
            ("[fd00:ec2::254]", "fd00:ec2::254 is private"),
            ("[64:ff9b::a00:1]", "64:ff9b::a00:1 is an IPv4 address in translation"),
            ("[::]", ":: is not global"),
            ("[::127.0.0.1]", "::7f00:1 is not global"),
        ] {
            let got = why(&format!("https://{host}/"));
            assert!(got.contains(say), "{host}: {got}");
        }
    }

    #[test]
    fn what_no_two_parsers_read_alike_is_refused() {
        for (text, say) in [
            ("https://a:b@hooks.example/", "name or password"),
            ("https://token@hooks.example/", "name or password"),
            ("https://:b@hooks.example/", "name or password"),
            ("https://hooks.example\\@127.0.0.1/", "backslash"),
            ("https:\\\\127.0.0.1/", "backslash"),
            ("https://hooks.example/a b", "white space"),
            (" https://hooks.example/", "white space"),
            ("https://hooks.example/\n", "control character"),
            ("htt\tps://127.0.0.1/", "control character"),
            ("https://hooks.example/\r\nX: y", "control character"),
            ("https://hooks.example/\0", "control character"),
            ("https://hooks.example:0/", "port 0"),
            ("https://hooks.example:99999/", "invalid port"),
            ("https://[fe80::1%25eth0]/", "invalid IPv6"),
            ("https://[::1/", "invalid IPv6"),
            ("https://127.0.0.256/", "invalid IPv4"),
            ("https://1.2.3.4.5/", "invalid IPv4"),
            ("https://0xffffffffff/", "invalid IPv4"),
            ("https://hooks.example%00.evil/", "invalid"),
        ] {
            let got = why(text);
            assert!(got.contains(say), "{text:?}: {got}");
        }
        let long = format!("https://hooks.example/{}", "a".repeat(URL_BYTES_MAX));
        assert!(why(&long).contains("longer than 2048 bytes"));
    }

    #[test]
    fn plain_http_needs_a_network_that_was_allowed() {
        assert!(why("http://hooks.example/").contains("use https"));
        let refused = |text: &str| parse(text, &["10.1.0.0/16"]).unwrap_err();
        assert!(refused("http://8.8.8.8/").contains("use https"));
        assert!(refused("http://10.2.0.1/").contains("is private: not allowed"));
        assert!(parse("http://10.1.0.1:8080/", &["10.1.0.0/16"]).unwrap().plain);
        assert!(!parse("https://10.1.0.1/", &["10.1.0.0/16"]).unwrap().plain);
        // Which address the name has shows when it is asked for.
        assert!(parse("http://hooks.example/", &["10.1.0.0/16"]).unwrap().plain);
    }

    #[test]
    fn texts_show_no_path_and_no_credentials() {
        for text in ["https://10.0.0.1/T00/SECRET?key=SECRET#SECRET", "https://u:SECRET@h.example/"]
        {
            assert!(!why(text).contains("SECRET"), "{}", why(text));
        }
    }
}
