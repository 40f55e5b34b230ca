//! A server of its own for each scenario, with the topics of its own, and the words to talk to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::cluster::{self, Cluster};
use crate::engine::{Engine, Ground, pause, tollgate};
use crate::topics::Writer;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    pub ground: Ground,
    pub engine: Engine,
    client: Client,
    writer: Writer,
    events: AtomicU64,
}

/// An account and its key, at a server.
pub struct Account<'s> {
    server: &'s Server,
    pub id: String,
    pub key: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("an ASCII header"))
    }

    /// The JSON body of an answer with this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }
}

impl Server {
    /// Topics, and a server that is ready; `None` where there is no Kafka, which is told.
    pub fn start(scenario: &str) -> Option<(std::sync::MutexGuard<'static, Cluster>, Server)> {
        let cluster = cluster::take()?;
        let ground = Ground::new(&cluster, scenario);
        Some((cluster, Server::on(ground)))
    }

    /// A server with all roles that is ready.
    pub fn on(ground: Ground) -> Server {
        let mut engine = ground.engine("one");
        engine.start();
        let writer = Writer::new(&ground.bootstrap);
        let client = Client::builder().no_proxy().build().expect("a client");
        let server = Server { ground, engine, client, writer, events: AtomicU64::new(0) };
        server.ready(&server.engine);
        server
    }

    /// What /metrics shows.
    pub fn metrics(&self) -> String {
        let shown = self.client.get(format!("{}/metrics", self.base())).send();
        shown.and_then(Response::text).expect("metrics are shown")
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.engine.address)
    }

    /// Waits until a process is ready.
    pub fn ready(&self, engine: &Engine) {
        until("it is ready", || {
            let url = format!("http://{}/readyz", engine.address);
            self.client.get(url).send().is_ok_and(|it| it.status().is_success())
        });
    }

    /// An account with a key of all scopes, which works.
    pub fn account(&self, id: &str) -> Account<'_> {
        self.account_with(id, "read,write,gate")
    }

    pub fn account_with(&self, id: &str, scopes: &str) -> Account<'_> {
        let config = self.ground.config("keys");
        let config = config.to_str().expect("the path is UTF-8");
        let made =
            tollgate(&["keys", "new", "--config", config, "--account", id, "--scopes", scopes]);
        let key = String::from_utf8(made.stdout).expect("a key is ASCII").trim().to_owned();
        let account = Account { server: self, id: id.to_owned(), key };
        until("the key is known", || account.get("/v2/blocks").status != 401);
        account
    }

    /// A request as it is, to the first process.
    pub fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        self.call_at(&self.base(), method, path, headers, body)
    }

    pub fn call_at(
        &self,
        base: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{base}{path}")).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send().expect("the server answers"))
    }

    /// Bills an event of the account that occurs now, with `fields` on top of the required ones;
    /// gives its id. It counts a moment later.
    pub fn bill(&self, account_id: &str, fields: Value) -> String {
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        let event_id = format!("e-{}-{number}", std::process::id());
        let mut event = json!({
            "event_id": event_id, "account_id": account_id, "feature": "sms", "cost": "0.01",
            "occurred_at": chrono::Utc::now().to_rfc3339(),
        });
        let members = event.as_object_mut().expect("an object");
        members.extend(fields.as_object().expect("an object").clone());
        let (topic, bytes) = (&self.ground.names.billed, event.to_string());
        self.writer.send(topic, account_id, bytes.as_bytes());
        self.writer.flush();
        event_id
    }
}

fn answer(response: Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().expect("the body is text") }
}

impl Account<'_> {
    pub fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None)
    }

    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body))
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body))
    }

    pub fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &[], Some(body))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None)
    }

    pub fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let mut all = vec![("authorization", bearer.as_str())];
        let body = body.map(|body| {
            all.push(("content-type", "application/json"));
            body.to_string().into_bytes()
        });
        all.extend(headers);
        self.server.call(method, path, &all, body.unwrap_or_default())
    }
}

/// Looks again and again, with a bound.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
        pause(20);
    }
}
