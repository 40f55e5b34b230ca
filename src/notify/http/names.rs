//! Turns names of hosts into addresses that may be connected to. Promise: this is asked at every
//! new connection, and what it gives is what is connected to: there is no second question whose
//! answer could differ. Names are taken as complete: no search domain is ever added.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::{NetError, runtime::TokioRuntimeProvider};
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Resolver, TokioResolver};
use reqwest::dns::{Addrs, Resolve, Resolving};

use super::networks::Networks;
use super::target::check_address;

/// Addresses of one name that are tried; the time for connecting is divided among them.
const ADDRESSES_MAX: usize = 6;
/// Closed addresses that a refusal names.
const SHOWN_MAX: usize = 3;
/// Answers that are kept, and for how long at most: each is judged again whenever it is used.
const CACHE_ANSWERS_MAX: u64 = 1_024;
const CACHE_FOUND_MAX: Duration = Duration::from_mins(5);
const CACHE_NOT_FOUND_MAX: Duration = Duration::from_secs(10);

/// Why a name gave nothing to connect to.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameFailure {
    /// It has addresses, and none may be connected to.
    #[error("{0}")]
    Closed(String),
    #[error("{0}")]
    Unknown(String),
}

/// Asks DNS. The two clients share one, and with it what it remembers.
pub(super) fn asker(
    nameservers: &[SocketAddr],
    connect_timeout: Duration,
) -> Result<TokioResolver, NetError> {
    let mut builder = if nameservers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = nameservers.iter().map(|server| name_server(*server)).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        builder
    };
    let options = builder.options_mut();
    // A server that answers for A and is silent for AAAA must leave time to connect.
    options.timeout = connect_timeout / 3;
    options.attempts = 1;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = CACHE_ANSWERS_MAX;
    options.positive_max_ttl = Some(CACHE_FOUND_MAX);
    options.negative_max_ttl = Some(CACHE_NOT_FOUND_MAX);
    builder.build()
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    config.connections = config.connections.into_iter().map(at_port).collect();
    config
}

/// The resolver of one client.
pub(super) struct Names {
    pub(super) asker: TokioResolver,
    pub(super) networks: Arc<Networks>,
    /// Of the client without TLS: only addresses that the configuration names.
    pub(super) plain: bool,
}

impl Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let (asker, networks) = (self.asker.clone(), Arc::clone(&self.networks));
        let plain = self.plain;
        Box::pin(async move {
            let found = look_up(&asker, name.as_str()).await?;
            let open = open_ones(&found, plain, &networks)?;
            // Port 0 stands for the one of the address.
            let addresses = open.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

async fn look_up(asker: &TokioResolver, host: &str) -> Result<Vec<IpAddr>, NameFailure> {
    let mut name = Name::from_ascii(host)
        .map_err(|_| NameFailure::Unknown("DNS knows no such names".to_owned()))?;
    name.set_fqdn(true);
    match asker.lookup_ip(name).await {
        Ok(found) => Ok(found.iter().collect()),
        Err(error) => Err(NameFailure::Unknown(in_words(&error))),
    }
}

fn in_words(error: &NetError) -> String {
    match error {
        NetError::Timeout => "DNS did not answer in time".to_owned(),
        error if error.is_no_records_found() => "DNS knows no address of this name".to_owned(),
        error => format!("DNS: {error}"),
    }
}

/// Closed addresses are dropped, the others are kept in their order. Written in the usual form, so
/// that what was judged and what is connected to are the same.
fn open_ones(
    found: &[IpAddr],
    plain: bool,
    networks: &Networks,
) -> Result<Vec<IpAddr>, NameFailure> {
    let mut open = Vec::new();
    let mut closed = Vec::new();
    for address in found.iter().map(IpAddr::to_canonical) {
        match check_address(address, plain, networks) {
            Ok(()) if open.len() < ADDRESSES_MAX => open.push(address),
            Ok(()) => {}
            Err(why) if closed.len() < SHOWN_MAX => closed.push(why),
            Err(_) => {}
        }
    }
    match (open.is_empty(), closed.is_empty()) {
        (false, _) => Ok(open),
        (true, false) => Err(NameFailure::Closed(closed.join("; "))),
        (true, true) => Err(NameFailure::Unknown("DNS knows no address of this name".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(found: &[&str], plain: bool, allow: &[&str]) -> Result<Vec<String>, String> {
        let found: Vec<IpAddr> = found.iter().map(|a| a.parse().unwrap()).collect();
        let allow: Vec<_> = allow.iter().map(|net| net.parse().unwrap()).collect();
        open_ones(&found, plain, &Networks::new(&allow).unwrap())
            .map(|open| open.iter().map(IpAddr::to_string).collect())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn closed_addresses_are_dropped_from_a_mixed_answer() {
        let mixed = ["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111", "::ffff:127.0.0.1"];
        assert_eq!(kept(&mixed, false, &[]).unwrap(), ["8.8.8.8", "2606:4700::1111"]);
        assert_eq!(kept(&mixed, true, &["10.0.0.0/8"]).unwrap(), ["10.0.0.1"]);
    }

    #[test]
    fn an_answer_of_closed_addresses_is_refused_and_says_which() {
        let say = kept(&["10.0.0.1", "64:ff9b::1", "::1", "127.0.0.1"], false, &[]).unwrap_err();
        assert_eq!(
            say,
            "10.0.0.1 is private: not allowed; \
             64:ff9b::1 is an IPv4 address in translation: not allowed; \
             ::1 is loopback: not allowed"
        );
        assert!(kept(&["8.8.8.8"], true, &["10.0.0.0/8"]).unwrap_err().contains("use https"));
        assert_eq!(kept(&[], false, &[]).unwrap_err(), "DNS knows no address of this name");
    }

    #[test]
    fn of_a_huge_answer_a_few_are_tried() {
        let many: Vec<String> = (1..=200).map(|n| format!("8.8.4.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(kept(&many, false, &[]).unwrap().len(), ADDRESSES_MAX);
    }
}
