//! A receiver of webhooks that answers as it was told to, and remembers what came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// A status, with a header line if it is not empty.
    Answers(u16, &'static str),
    /// The same, after so many milliseconds.
    Slow(u64, u16),
    /// Reads it and hangs up.
    HangsUp,
    /// Hangs up on the first byte.
    Resets,
}

/// A request that was read to its end.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Unix milliseconds.
    pub at: i64,
    pub temper: Temper,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a webhook is JSON")
    }
}

type Choose = dyn Fn(&str, usize) -> Temper + Send + Sync;

pub struct Receiver {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// `choose` gives the temper for a path and the number of requests before.
    pub fn start(choose: impl Fn(&str, usize) -> Temper + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (kept, choose): (_, Arc<Choose>) = (Arc::clone(&requests), Arc::new(choose));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, choose) = (Arc::clone(&kept), Arc::clone(&choose));
                // A peer that was killed is no fault of the receiver's.
                std::thread::spawn(move || drop(serve(stream, &kept, &*choose)));
            }
        });
        Receiver { port, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no holder panics").clone()
    }

    pub fn of(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path == path).collect()
    }
}

pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

fn serve(
    mut stream: TcpStream,
    requests: &Mutex<Vec<Request>>,
    choose: &Choose,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or("").to_owned();
    let number = requests.lock().expect("no holder panics").len();
    let temper = choose(&path, number);
    if temper == Temper::Resets {
        return stream.shutdown(Shutdown::Both);
    }
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            // Its sender was killed in the middle.
            return Ok(());
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = Request { path, headers, body, at: now_ms(), temper };
    requests.lock().expect("no holder panics").push(request);
    let (status, header) = match temper {
        Temper::Answers(status, header) => (status, header),
        Temper::Slow(millis, status) => {
            std::thread::sleep(Duration::from_millis(millis));
            (status, "")
        }
        Temper::HangsUp | Temper::Resets => return stream.shutdown(Shutdown::Both),
    };
    let line = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let head = format!("HTTP/1.1 {status} X\r\n{line}content-length: 2\r\nconnection: close\r\n");
    stream.write_all(format!("{head}\r\nok").as_bytes())
}
