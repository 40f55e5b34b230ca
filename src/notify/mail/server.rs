//! Where the mail server is, as one URL says it. Promise: without TLS only a server on this machine
//! is ever taken; no part of the URL, which holds a password, is repeated in an error.

use std::net::IpAddr;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Ports where the URL names none: submission over TLS, with STARTTLS (RFC 8314), and plain SMTP.
const PORT_TLS: u16 = 465;
const PORT_STARTTLS: u16 = 587;
const PORT_PLAIN: u16 = 25;

/// How the way to the server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// From the first byte on.
    Tls,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    /// Not at all: to this machine only.
    Plain,
}

/// Why a URL names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "it cannot be read: write smtps://user:password@host:465 or \
         smtp://user:password@host:587?tls=required, signs in user and password as %40 and the like"
    )]
    Form,
    #[error("it has neither smtps:// nor smtp:// in front: write smtps://user:password@host:465")]
    Scheme,
    #[error(
        "mail would go without TLS: write smtps://, or ?tls=required behind smtp://; without it \
         only a mail server on this machine is taken (localhost, 127.0.0.1, [::1])"
    )]
    Plain,
    #[error("tls is \"required\", or left out with smtps://; whoever is on the way undoes less")]
    Tls,
    #[error("it has a user without password, or a password without user: give both or none")]
    Login,
    #[error(
        "its path is no name of a host: leave it out, or write the name this machine greets by"
    )]
    Name,
}

/// A mail server.
pub struct Server {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<Credentials>,
    /// The name that this machine greets by.
    pub hello: ClientId,
}

impl Server {
    /// # Errors
    /// What is wrong with the URL.
    pub fn parse(url: &str) -> Result<Server, Error> {
        let url = Url::parse(url.trim()).map_err(|_| Error::Form)?;
        let secure = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(Error::Scheme),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Error::Form)?;
        let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        // A sign of a password that was not escaped ends up here.
        if url.fragment().is_some() {
            return Err(Error::Form);
        }
        let mut tls = None;
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.as_ref()) {
                ("tls", "required") => tls = Some(()),
                ("tls", _) => return Err(Error::Tls),
                _ => return Err(Error::Form),
            }
        }
        let (security, port) = match (secure, tls) {
            (true, _) => (Security::Tls, PORT_TLS),
            (false, Some(())) => (Security::StartTls, PORT_STARTTLS),
            (false, None) if is_this_machine(host) => (Security::Plain, PORT_PLAIN),
            (false, None) => return Err(Error::Plain),
        };
        Ok(Server {
            host: host.to_owned(),
            port: url.port().unwrap_or(port),
            security,
            login: login(&url)?,
            hello: hello(url.path())?,
        })
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn login(url: &Url) -> Result<Option<Credentials>, Error> {
    let decoded = |text: &str| {
        percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| Error::Form)
    };
    match (url.username(), url.password().unwrap_or_default()) {
        ("", "") => Ok(None),
        ("", _) | (_, "") => Err(Error::Login),
        (user, password) => Ok(Some(Credentials::new(decoded(user)?, decoded(password)?))),
    }
}

/// The path, as lettre's URLs have it; by default the address that stands for "no name".
fn hello(path: &str) -> Result<ClientId, Error> {
    let name = path.trim_matches('/');
    if name.is_empty() {
        return Ok(ClientId::default());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let fits = name.len() <= 255 && name.chars().all(fits);
    fits.then(|| ClientId::Domain(name.to_owned())).ok_or(Error::Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_host_port_security_and_login() {
        use Security::{Plain, StartTls, Tls};
        let login = |user: &str| Some(Credentials::new(user.to_owned(), "p:ä/?#@ss".to_owned()));
        let password = "p%3A%C3%A4%2F%3F%23%40ss";
        for (url, host, port, security, credentials) in [
            ("smtps://mail.example.com".to_owned(), "mail.example.com", 465, Tls, None),
            (
                format!("smtps://me:{password}@mail.example.com:4650"),
                "mail.example.com",
                4650,
                Tls,
                login("me"),
            ),
            (
                format!("smtp://me%40here:{password}@mail.example.com?tls=required"),
                "mail.example.com",
                587,
                StartTls,
                login("me@here"),
            ),
            ("smtps://[2001:db8::1]".to_owned(), "2001:db8::1", 465, Tls, None),
            ("smtp://localhost".to_owned(), "localhost", 25, Plain, None),
            ("smtp://127.0.0.1:2525".to_owned(), "127.0.0.1", 2525, Plain, None),
            ("smtp://[::1]/relay.example.com".to_owned(), "::1", 25, Plain, None),
            ("smtps://localhost?tls=required".to_owned(), "localhost", 465, Tls, None),
        ] {
            let server = Server::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((server.host.as_str(), server.port), (host, port), "{url}");
            assert_eq!(server.security, security, "{url}");
            assert_eq!(server.login, credentials, "{url}");
        }
        let named = Server::parse("smtps://a.example/relay.example.com").map(|it| it.hello);
        assert_eq!(named.ok(), Some(ClientId::Domain("relay.example.com".to_owned())));
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for (url, error) in [
            ("", Error::Form),
            ("mail.example.com:465", Error::Scheme),
            ("https://secret@mail.example.com", Error::Scheme),
            ("smtps://", Error::Form),
            ("smtps://mail.example.com:secret", Error::Form),
            ("smtps://me:se#cret@mail.example.com", Error::Form),
            ("smtps://me:12#secret@mail.example.com", Error::Form),
            ("smtps://me:12?secret@mail.example.com", Error::Form),
            ("smtps://me:12/secret@mail.example.com", Error::Name),
            ("smtps://me:%FFsecret@mail.example.com", Error::Form),
            ("smtps://secret@mail.example.com", Error::Login),
            ("smtps://:secret@mail.example.com", Error::Login),
            ("smtp://mail.example.com", Error::Plain),
            ("smtp://me:secret@10.0.0.1:25", Error::Plain),
            ("smtp://localhost.example.com", Error::Plain),
            ("smtp://mail.example.com?tls=opportunistic", Error::Tls),
            ("smtp://localhost?tls=none", Error::Tls),
        ] {
            let Err(refused) = Server::parse(url) else { panic!("{url} passes") };
            assert_eq!(refused, error, "{url}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }
}
