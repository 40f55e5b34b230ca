//! Posts over HTTP to addresses that strangers chose. Promise: no connection is ever made to an
//! address that is neither public nor allowed by the configuration, whatever the URL, DNS or the
//! answer of a server says; without TLS only allowed ones are reached. An attempt ends by its time,
//! reads no more than it may, and says nothing of a URL beyond `scheme://host:port`. It refuses to
//! follow redirects, to use proxies and to try anything twice.
//!
//! How it is kept: [`target`] judges the URL, and the address if the host is one; [`names`] judges
//! what DNS says at the moment of connecting, and gives the client those addresses to connect to
//! that [`networks`] lets pass. An idle connection that is used again stays with the address that
//! was judged when it was made, whatever DNS says by now. Addresses of this machine and of its own
//! network that are public count as public: hold those closed by a firewall.

mod answer;
mod names;
mod networks;
mod target;

use std::error::Error as Cause;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, redirect, retry, tls};

pub use answer::Answer;
use names::{NameFailure, Names};
use networks::Networks;
use target::{Place, Target};

use super::words::foreign::one_line;

/// Idle connections that are kept for each host, and for how long: enough for a burst.
const IDLE_PER_HOST_MAX: usize = 2;
const IDLE_MAX: Duration = Duration::from_secs(15);
/// Headers of an answer; with more it is an error. Their bytes hyper bounds (about 400 KiB).
const ANSWER_HEADERS_MAX: usize = 64;
/// Characters of a cause that are told.
const CAUSE_CHARS_MAX: usize = 300;

/// Where to, how long, how much.
#[derive(Clone, Debug)]
pub struct Options {
    /// Networks that may be connected to although private; plain http is for them only.
    pub allow: Vec<IpNet>,
    /// DNS servers; empty: those of the system, and its file of hosts.
    pub nameservers: Vec<SocketAddr>,
    /// Milliseconds for DNS, connecting and TLS together.
    pub connect_timeout_ms: u32,
    /// Milliseconds for all of an attempt, the body of the answer included.
    pub request_timeout_ms: u32,
    /// Bytes of an answer's body that are read.
    pub response_bytes_max: usize,
    /// PEM certificates that are trusted beside the system's.
    pub root_certificates: Vec<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            allow: Vec::new(),
            nameservers: Vec::new(),
            connect_timeout_ms: 3_000,
            request_timeout_ms: 10_000,
            response_bytes_max: 16_384,
            root_certificates: Vec::new(),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("network {0} is IPv4 written as IPv6 and would never be met: write it as IPv4")]
    Network(IpNet),
    #[error("the system names no DNS servers ({0}): name them in the configuration")]
    Nameservers(String),
    #[error("root certificate {number} cannot be read ({cause}): give certificates as PEM")]
    Certificate {
        /// Counted from 1.
        number: usize,
        cause: String,
    },
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// Why an attempt brought no answer. Texts name no more of a URL than `scheme://host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Not allowed: trying this address again is of no use. One exception: a name for which DNS
    /// gives closed addresses now may have others later; this attempt is refused all the same.
    #[error("{0}")]
    Refused(String),
    /// DNS, connecting, TLS, time, or no HTTP on the other side.
    #[error("{0}")]
    Unreached(String),
}

/// Posts. Clones are cheap and share connections.
#[derive(Clone, Debug)]
pub struct Http {
    networks: Arc<Networks>,
    /// Speaks https only, to public and allowed addresses.
    secure: Client,
    /// To allowed addresses only.
    plain: Client,
    response_bytes_max: usize,
}

impl Http {
    pub fn new(options: &Options) -> Result<Http, Error> {
        let networks = Arc::new(Networks::new(&options.allow).map_err(Error::Network)?);
        let roots = root_certificates(&options.root_certificates)?;
        let connect_timeout = Duration::from_millis(options.connect_timeout_ms.into());
        let asker = names::asker(&options.nameservers, connect_timeout)
            .map_err(|error| Error::Nameservers(error.to_string()))?;
        let client = |plain: bool| {
            let networks = Arc::clone(&networks);
            let names = Names { asker: asker.clone(), networks, plain };
            client(names, options, &roots)
        };
        let (secure, plain) = (client(false)?, client(true)?);
        Ok(Http { networks, secure, plain, response_bytes_max: options.response_bytes_max })
    }

    /// Whether the URL could be posted to, as far as shows without DNS: to tell early, where it is
    /// written down. `post` asks the same again.
    pub fn check(&self, url: &str) -> Result<(), Failure> {
        Target::parse(url, &self.networks).map(|_| ())
    }

    /// Posts once. Any answer is an answer, redirects and errors included.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Answer, Failure> {
        let Target { url, place, plain } = Target::parse(url, &self.networks)?;
        let headers = header_map(headers)?;
        let client = if plain { &self.plain } else { &self.secure };
        match client.post(url).headers(headers).body(body).send().await {
            Ok(response) => Ok(Answer::read(response, self.response_bytes_max).await),
            Err(error) => Err(failure(&place, error)),
        }
    }
}

/// One of the two clients. What is named here holds whatever features other crates switch on.
fn client(names: Names, options: &Options, roots: &[Certificate]) -> Result<Client, Error> {
    Client::builder()
        .https_only(!names.plain)
        .dns_resolver(Arc::new(names))
        // A proxy of the environment would connect in our place, to wherever it likes.
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http1_only()
        .http1_max_headers(ANSWER_HEADERS_MAX)
        .tls_version_min(tls::Version::TLS_1_2)
        .tls_certs_merge(roots.iter().cloned())
        .user_agent(concat!("Tollgate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_millis(options.connect_timeout_ms.into()))
        .timeout(Duration::from_millis(options.request_timeout_ms.into()))
        // Also bounds how long a host whose DNS changed is still sent to.
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .pool_idle_timeout(IDLE_MAX)
        .build()
        .map_err(|error| Error::Client(causes(&error)))
}

fn root_certificates(given: &[Vec<u8>]) -> Result<Vec<Certificate>, Error> {
    let mut roots = Vec::new();
    for (at, pem) in given.iter().enumerate() {
        let broken = |cause: String| Error::Certificate { number: at + 1, cause };
        let read = Certificate::from_pem_bundle(pem).map_err(|error| broken(causes(&error)))?;
        if read.is_empty() {
            return Err(broken("no certificate is in it".to_owned()));
        }
        roots.extend(read);
    }
    Ok(roots)
}

fn header_map(headers: &[(&'static str, String)]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let refused = || Failure::Refused(format!("header {name} holds what no header may hold"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        // It may be a secret: never shown by anything that prints headers.
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(map)
}

/// What went wrong, in words, without the URL.
fn failure(place: &Place, error: reqwest::Error) -> Failure {
    if let Some(name_failure) = name_failure(&error) {
        return match name_failure {
            NameFailure::Closed(why) => Failure::Refused(format!("{place}: {why}")),
            NameFailure::Unknown(why) => Failure::Unreached(format!("{place}: {why}")),
        };
    }
    let why = match (error.is_timeout(), error.is_connect()) {
        (true, true) => "no connection in time".to_owned(),
        (true, false) => "no answer in time".to_owned(),
        (false, _) => causes(&error.without_url()),
    };
    Failure::Unreached(format!("{place}: {why}"))
}

/// Our own word about a name, if that is what it failed by.
fn name_failure(error: &reqwest::Error) -> Option<&NameFailure> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The chain of causes below what every error of the client says.
fn causes(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = one_line(&error.to_string());
        let new = said.last().is_none_or(|last| !last.contains(&text));
        if new && !text.starts_with("client error (") {
            said.push(text);
        }
        cause = error.source();
    }
    let told = if said.is_empty() { one_line(&error.to_string()) } else { said.join(": ") };
    told.chars().take(CAUSE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut Options)) -> String {
        let mut options =
            Options { nameservers: vec!["127.0.0.1:53".parse().unwrap()], ..Options::default() };
        change(&mut options);
        Http::new(&options).unwrap_err().to_string()
    }

    #[test]
    fn wrong_options_say_what_to_do() {
        let network = wrong(|o| o.allow = vec!["::ffff:10.0.0.0/104".parse().unwrap()]);
        assert!(network.ends_with("write it as IPv4"), "{network}");
        for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
            let said = wrong(|o| o.root_certificates = vec![pem.into()]);
            assert!(said.starts_with("root certificate 1 cannot be read ("), "{said}");
        }
    }

    #[test]
    fn headers_that_would_break_out_are_refused() {
        for (name, value) in [("x-a", "b\r\nc: d"), ("x-a", "\0"), ("x a", "b"), ("", "b")] {
            let refused = header_map(&[(name, value.to_owned())]).unwrap_err();
            assert!(matches!(refused, Failure::Refused(_)), "{name}: {value}");
            assert!(!refused.to_string().contains('\n'));
        }
        let map = header_map(&[("authorization", "secret".to_owned())]).unwrap();
        assert!(!format!("{map:?}").contains("secret"));
    }
}
