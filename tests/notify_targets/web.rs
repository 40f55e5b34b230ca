//! Web servers on loopback that count who comes: some answer, some are traps.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509Name};

/// A connection, with or without TLS.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// Writes the answer to a request of that path. False: the connection is closed behind it.
pub type Answering = fn(&mut dyn Wire, &str) -> bool;

pub struct Web {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    /// Connections that ended while the server had more to write.
    hung_up: Arc<AtomicUsize>,
}

impl Web {
    pub fn start(listener: TcpListener, tls: Option<SslAcceptor>, answering: Answering) -> Web {
        let web = Web {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
            hung_up: Arc::default(),
        };
        let connections = Arc::clone(&web.connections);
        let (requests, hung_up) = (Arc::clone(&web.requests), Arc::clone(&web.hung_up));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let (requests, hung_up) = (Arc::clone(&requests), Arc::clone(&hung_up));
                let tls = tls.clone();
                std::thread::spawn(move || {
                    if let Some(mut wire) = wire(stream, tls)
                        && !serve(&mut *wire, &requests, answering)
                    {
                        hung_up.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        web
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn hung_up(&self) -> usize {
        self.hung_up.load(Ordering::SeqCst)
    }

    /// Each request as it came: head and body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn wire(stream: TcpStream, tls: Option<SslAcceptor>) -> Option<Box<dyn Wire>> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    match tls {
        Some(tls) => tls.accept(stream).ok().map(|wire| Box::new(wire) as Box<dyn Wire>),
        None => Some(Box::new(stream)),
    }
}

/// Whether all that was begun could be written.
fn serve(wire: &mut dyn Wire, requests: &Mutex<Vec<String>>, answering: Answering) -> bool {
    while let Some(request) = read_request(wire) {
        let path = request.split(' ').nth(1).unwrap().to_owned();
        requests.lock().unwrap().push(request);
        if path.starts_with("/endless") {
            return endless(wire);
        }
        if !answering(wire, &path) {
            break;
        }
    }
    true
}

fn read_request(wire: &mut dyn Wire) -> Option<String> {
    let mut reader = BufReader::with_capacity(1, wire);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
    }
    let lower = request.to_lowercase();
    let (_, length) = lower.split_once("content-length: ")?;
    let mut body = vec![0; length.split("\r\n").next()?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    request.push_str(&String::from_utf8_lossy(&body));
    Some(request)
}

/// A body without end. False once the other side has hung up.
fn endless(wire: &mut dyn Wire) -> bool {
    if wire.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_err() {
        return false;
    }
    while wire.write_all(&[b'x'; 4_096]).is_ok() {}
    false
}

/// `200 ok`, and the connection stays.
pub fn friendly(wire: &mut dyn Wire, _path: &str) -> bool {
    wire.write_all(b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\nok").is_ok()
}

/// `200 ok`, and the connection ends.
pub fn curt(wire: &mut dyn Wire, _path: &str) -> bool {
    let _gone =
        wire.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    false
}

/// One address that answers, and traps at the same port of the addresses beside it.
pub struct Street {
    pub good: Web,
    traps: Vec<Web>,
    pub port: u16,
}

/// The one address of the good server; never allowed are 127.0.0.1 and ::1.
pub const GOOD: &str = "127.0.0.2";

impl Street {
    pub fn start(tls: Option<SslAcceptor>, answering: Answering) -> Street {
        let (good, traps) = (0..100).find_map(|_| ports()).expect("a port free everywhere");
        let port = good.local_addr().unwrap().port();
        let traps = traps.into_iter().map(|trap| Web::start(trap, None, friendly)).collect();
        Street { good: Web::start(good, tls, answering), traps, port }
    }

    /// Connections that anyone made to a trap. Asked after the attempt ended: a connection is
    /// accepted by the system before the client knows of it, so one of our own makes sure that all
    /// before it were counted.
    pub fn trapped(&self) -> usize {
        for trap in &self.traps {
            let before = trap.connections();
            let mut probe = TcpStream::connect(trap.address).unwrap();
            probe.write_all(b"POST /probe HTTP/1.1\r\ncontent-length: 0\r\n\r\n").unwrap();
            assert_eq!(probe.read(&mut [0; 1]).unwrap(), 1, "the trap is alive");
            let met = trap.connections() - before;
            assert!(met >= 1);
            trap.connections.fetch_sub(1, Ordering::SeqCst);
        }
        self.traps.iter().map(Web::connections).sum()
    }
}

fn ports() -> Option<(TcpListener, Vec<TcpListener>)> {
    let good = TcpListener::bind((GOOD, 0)).unwrap();
    let port = good.local_addr().unwrap().port();
    let mut traps = vec![TcpListener::bind(("127.0.0.1", port)).ok()?];
    // Where there is no IPv6 there is nothing to be trapped by.
    if TcpListener::bind("[::1]:0").is_ok() {
        traps.push(TcpListener::bind(("::1", port)).ok()?);
    }
    Some((good, traps))
}

/// A certificate that signs itself, as PEM, and what a server does with it.
pub fn certificate(names: &[&str]) -> (Vec<u8>, SslAcceptor) {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "hooks of a test").unwrap();
    let name = name.build();
    let mut draft = X509::builder().unwrap();
    draft.set_version(2).unwrap();
    let number = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    draft.set_serial_number(&number).unwrap();
    draft.set_subject_name(&name).unwrap();
    draft.set_issuer_name(&name).unwrap();
    draft.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    draft.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    draft.set_pubkey(&key).unwrap();
    let mut holds = SubjectAlternativeName::new();
    for name in names {
        if name.parse::<IpAddr>().is_ok() {
            holds.ip(name)
        } else {
            holds.dns(name)
        };
    }
    let holds = holds.build(&draft.x509v3_context(None, None)).unwrap();
    draft.append_extension(holds).unwrap();
    draft.sign(&key, MessageDigest::sha256()).unwrap();
    let certificate = draft.build();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    (certificate.to_pem().unwrap(), acceptor.build())
}
