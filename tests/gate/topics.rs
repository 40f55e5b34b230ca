//! The gate on topics: everything before it is ready, changes as they come, and a fresh start.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use serde_json::{Value, json};
use tollgate::gate::{Error, Gate, Options, Send};
use tollgate::tail;

const PATIENCE: Duration = Duration::from_secs(20);
const BLOCK_STATE: &str = "tollgate.block-state";
const COMMANDS: &str = "tollgate.commands";
const RECEIVED: &str = "messages.received";
const NEVER: &str = "2199-01-01T00:00:00Z";

pub fn block(limit_id: &str, kind: &str, id: &str, sequence: u64, until: &str) -> Value {
    json!({"type": "block_changed", "id": "00000000-0000-0000-0000-000000000000",
        "block_key": format!("acme/{limit_id}"), "account_id": "acme", "limit_id": limit_id,
        "limit_version": 1, "scope": {"kind": kind, "id": id}, "measure": "cost", "window": "day",
        "blocked": true, "blocked_until": until, "configured_limit": "10.00", "before": "9.98",
        "current": "10.02", "sequence": sequence, "now": "2024-08-20T12:00:00Z",
        "cause": {"kind": "window_end"}})
}

pub fn limit_set(limit_id: &str, purpose: &str) -> Value {
    json!({"type": "limit_set", "command_id": "c", "account_id": "acme",
        "issued_at": "2024-08-20T12:00:00Z",
        "limit": {"limit_id": limit_id, "scope": {"kind": "recipient", "id": null},
            "measure": "requests", "window": "PT5M", "amount": "3", "action": "block",
            "only": {"purpose": purpose, "feature": null}}})
}

pub fn received(contact: &str, at: &str) -> Value {
    json!({"type": "received", "account_id": "acme", "feature": "whatsapp", "sender": contact,
        "recipient": "+15550001", "received_at": at})
}

struct Brokers {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Brokers {
    fn start(topics: &[&str]) -> Brokers {
        let cluster = MockCluster::new(1).unwrap();
        for topic in topics {
            cluster.create_topic(topic, 3, 1).unwrap();
        }
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .create()
            .unwrap();
        Brokers { cluster, producer }
    }

    fn options(&self) -> Options {
        let bootstrap = self.cluster.bootstrap_servers();
        Options { probe_interval_ms: 50, ..Options::new(&bootstrap) }
    }

    /// `None` is a tombstone. The partition is that of the key.
    fn put(&self, topic: &str, key: &str, value: Option<&Value>) {
        let value = value.map(Value::to_string);
        let record = BaseRecord::to(topic).key(key);
        let record = match &value {
            Some(value) => record.payload(value.as_str()),
            None => record,
        };
        self.producer.send(record).unwrap();
        self.producer.flush(PATIENCE).unwrap();
    }
}

const SMS: Send<'_> = Send {
    account: "acme",
    profile: Some("p1"),
    feature: "sms",
    country: Some("IT"),
    sender: Some("+15550001"),
    recipient: Some("+39333"),
    purpose: None,
};

/// Waits until the verdict is so, and tells how long that took.
#[allow(clippy::disallowed_methods, reason = "it waits for brokers")]
fn until(gate: &Gate, send: &Send<'_>, allowed: bool) -> Duration {
    let begin = Instant::now();
    while gate.check(send).allowed() != allowed {
        assert!(begin.elapsed() < PATIENCE, "waited in vain until {send:?} is {allowed}");
        std::thread::sleep(Duration::from_millis(1));
    }
    begin.elapsed()
}

#[test]
fn verdicts_change_with_the_topics_and_a_new_gate_knows_them_before_it_answers() {
    let brokers = Brokers::start(&[BLOCK_STATE, COMMANDS]);
    brokers.put(COMMANDS, "acme", Some(&limit_set("r", "login")));
    brokers.put(BLOCK_STATE, "acme/l", Some(&block("l", "profile", "p1", 1, NEVER)));
    brokers.put(BLOCK_STATE, "acme/r", Some(&block("r", "recipient", "+39333", 2, NEVER)));
    let gate = Gate::connect(&brokers.options()).unwrap();
    assert!(!gate.check(&SMS).allowed(), "read before the first answer");
    let staleness = gate.staleness().expect("ready");
    assert!(staleness < Duration::from_secs(5), "{staleness:?}");

    brokers.put(BLOCK_STATE, "acme/l", None);
    until(&gate, &SMS, true);
    let login = Send { purpose: Some("login"), ..SMS };
    assert!(!gate.check(&login).allowed(), "the filter came by a command");
    brokers.put(BLOCK_STATE, "acme/c", Some(&block("c", "country", "IT", 3, NEVER)));
    let lag = until(&gate, &SMS, false);
    println!("from the broker's acknowledgement to the verdict: {lag:?}");
    drop(gate);

    let gate = Gate::connect(&brokers.options()).unwrap();
    assert!(!gate.check(&SMS).allowed(), "a restart forgets nothing");
    assert!(gate.check(&Send { country: Some("FR"), ..SMS }).allowed(), "nor a tombstone");
    assert_eq!((gate.blocks_held(), gate.fault()), (2, None));
}

#[test]
fn a_session_opens_when_the_contact_writes() {
    let brokers = Brokers::start(&[BLOCK_STATE, COMMANDS, RECEIVED]);
    let gate = Gate::connect(&Options { session_rule: true, ..brokers.options() }).unwrap();
    let session = Send { feature: "whatsapp", purpose: Some("session"), ..SMS };
    assert!(!gate.check(&session).allowed());
    let now = tollgate::time::Clock::now(&tollgate::telemetry::SystemClock).to_string();
    brokers.put(RECEIVED, "acme", Some(&received("+39333", &now)));
    until(&gate, &session, true);
    assert!(!gate.check(&Send { recipient: Some("+39334"), ..session }).allowed());
}

#[test]
fn a_missing_topic_is_named_and_needed_only_by_who_reads_it() {
    let brokers = Brokers::start(&[BLOCK_STATE, COMMANDS]);
    let sessions = Options { session_rule: true, ..brokers.options() };
    match Gate::connect(&sessions) {
        Err(Error::Topic(tail::Error::Absent { topic })) => assert_eq!(topic, RECEIVED),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the topic does not exist"),
    }
    assert!(Gate::connect(&brokers.options()).is_ok());
}
