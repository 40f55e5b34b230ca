//! A DNS server for one test: it answers names as it was told, over UDP and TCP.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const LONGEST: usize = 65_535;

/// What is said of one name.
#[derive(Clone)]
pub enum Reply {
    /// Its addresses, A and AAAA, for so many seconds.
    Addresses(Vec<IpAddr>, u32),
    /// The same, behind further names, each an alias of the next.
    Behind(Vec<String>, Vec<IpAddr>),
    /// One after the other at each question for A; the last one stays. Kept for no second.
    Turns(Vec<Vec<IpAddr>>),
    /// Over UDP only that it is too long; over TCP the addresses.
    TooLong(Vec<IpAddr>),
    /// An answer of this code without records: 2 is a failed server, 3 no such name, 5 refused.
    Code(u8),
    /// Bytes that are no DNS.
    Garbage,
    /// Nothing, ever.
    Silence,
}

pub fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[derive(Clone)]
pub struct Dns {
    pub server: SocketAddr,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    zone: HashMap<String, Reply>,
    /// Questions for A, by name.
    asked: HashMap<String, usize>,
}

impl Dns {
    pub fn start() -> Dns {
        let (udp, tcp) = (0..100)
            .find_map(|_| {
                let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
                TcpListener::bind(udp.local_addr().unwrap()).ok().map(|tcp| (udp, tcp))
            })
            .expect("a port that is free for UDP and TCP");
        let dns = Dns { server: udp.local_addr().unwrap(), told: Arc::default() };
        let (over_udp, over_tcp) = (dns.clone(), dns.clone());
        std::thread::spawn(move || over_udp.answer_udp(&udp));
        std::thread::spawn(move || over_tcp.answer_tcp(&tcp));
        dns
    }

    pub fn tell(&self, name: &str, reply: Reply) {
        self.told.lock().unwrap().zone.insert(name.to_lowercase(), reply);
    }

    pub fn asked(&self, name: &str) -> usize {
        self.told.lock().unwrap().asked.get(name).copied().unwrap_or(0)
    }

    fn answer_udp(&self, socket: &UdpSocket) {
        let mut question = [0; LONGEST];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            if let Some(answer) = self.answer(&question[..length], false) {
                let _gone = socket.send_to(&answer, from);
            }
        }
    }

    fn answer_tcp(&self, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            let dns = self.clone();
            std::thread::spawn(move || while dns.answer_one(&stream).is_some() {});
        }
    }

    fn answer_one(&self, mut stream: &TcpStream) -> Option<()> {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question).ok()?;
        let answer = self.answer(&question, true)?;
        stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).ok()?;
        stream.write_all(&answer).ok()
    }

    fn answer(&self, question: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let (name, behind) = name_at(question, 12)?;
        let kind = u16::from_be_bytes([*question.get(behind)?, *question.get(behind + 1)?]);
        let asked = &question[12..behind + 4];
        let id = &question[..2];
        match self.reply(&name, kind) {
            Reply::Addresses(found, ttl) => Some(message(id, asked, 0, &[], &found, kind, ttl)),
            Reply::Behind(aliases, found) => {
                Some(message(id, asked, 0, &aliases, &found, kind, 60))
            }
            Reply::TooLong(found) if tcp => Some(message(id, asked, 0, &[], &found, kind, 60)),
            Reply::TooLong(_) => {
                let mut short = message(id, asked, 0, &[], &[], kind, 60);
                short[2] |= 0x02;
                Some(short)
            }
            Reply::Code(code) => Some(message(id, asked, code, &[], &[], kind, 0)),
            Reply::Garbage => Some([id, &[0xff; 40]].concat()),
            Reply::Silence => None,
            Reply::Turns(_) => unreachable!("one of the turns was taken"),
        }
    }

    /// What is said now; names that nobody told of do not exist.
    fn reply(&self, name: &str, kind: u16) -> Reply {
        let mut told = self.told.lock().unwrap();
        let before = told.asked.get(name).copied().unwrap_or(0);
        if kind == A {
            told.asked.insert(name.to_owned(), before + 1);
        }
        match told.zone.get(name) {
            Some(Reply::Turns(turns)) => {
                let turn = if kind == A { &turns[before.min(turns.len() - 1)][..] } else { &[] };
                Reply::Addresses(turn.to_vec(), 0)
            }
            Some(reply) => reply.clone(),
            None => Reply::Code(3),
        }
    }
}

/// The name that begins at `at`, in lower case, and where it ends.
fn name_at(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        if length == 0 {
            return Some((labels.join("."), at + 1));
        }
        let label = message.get(at + 1..at + 1 + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += 1 + length;
    }
}

fn name_bytes(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// An answer with the question, the chain of aliases, and of the addresses those of its kind.
fn message(
    id: &[u8],
    asked: &[u8],
    code: u8,
    aliases: &[String],
    found: &[IpAddr],
    kind: u16,
    ttl: u32,
) -> Vec<u8> {
    let mut owner = vec![0xc0, 12]; // the name in the question
    let mut records = Vec::new();
    let mut count: u16 = 0;
    let mut record = |owner: &[u8], kind: u16, value: &[u8]| {
        records.extend_from_slice(owner);
        records.extend_from_slice(&kind.to_be_bytes());
        records.extend_from_slice(&1_u16.to_be_bytes());
        records.extend_from_slice(&ttl.to_be_bytes());
        records.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        records.extend_from_slice(value);
        count += 1;
    };
    for alias in aliases {
        let name = name_bytes(alias);
        record(&owner, CNAME, &name);
        owner = name;
    }
    for address in found {
        match address {
            IpAddr::V4(address) if kind == A => record(&owner, A, &address.octets()),
            IpAddr::V6(address) if kind == AAAA => record(&owner, AAAA, &address.octets()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
    }
    let mut out = id.to_vec();
    out.extend_from_slice(&[0x81, 0x80 | code, 0, 1]);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend_from_slice(asked);
    out.extend_from_slice(&records);
    out
}
