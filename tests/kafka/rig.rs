//! What tests and measurements against real brokers share: fresh topics, and a bell to wait on.
//! Promise: every run has topics of its own, so runs do not disturb each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tollgate::engine::kafka::{Kafka, KafkaLog, Options, Topics, Waker};
use tollgate::engine::log::{Ack, Error, Log, Read, Source, Stored};

pub const PATIENCE: Duration = Duration::from_secs(30);

const WHOLE: &str = "no holder of this lock panics";

/// What the engine's thread would wait on.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    pub fn waker(self: &Arc<Self>) -> Waker {
        let bell = Arc::clone(self);
        Arc::new(move || {
            *bell.rung() = true;
            bell.ringing.notify_one();
        })
    }

    fn rung(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().expect(WHOLE)
    }

    pub fn wait(&self, what: &str) {
        let rung = self.rung();
        let (mut rung, wait) =
            self.ringing.wait_timeout_while(rung, PATIENCE, |rung| !*rung).expect(WHOLE);
        assert!(!wait.timed_out(), "nothing woke the engine for {what}");
        *rung = false;
    }
}

/// A log, and the bell that its waker rings.
pub struct Rig {
    pub log: KafkaLog,
    bell: Arc<Bell>,
}

impl Rig {
    pub fn new(kafka: &Arc<Kafka>, partition: i32) -> Rig {
        let bell = Arc::new(Bell::default());
        Rig { log: kafka.log(partition, bell.waker()).expect("a log"), bell }
    }

    /// Looks again and again, since nothing calls the waker for what `holds` looks at.
    #[allow(dead_code, reason = "the measurement does not ask")]
    pub fn until(&mut self, what: &str, holds: impl Fn(&mut KafkaLog) -> bool) {
        let (_never, pause) = std::sync::mpsc::channel::<()>();
        for _ in 0..PATIENCE.as_millis() / 20 {
            if holds(&mut self.log) {
                return;
            }
            while self.log.poll(Source::Journal).expect("a readable log").is_some() {}
            let _ = pause.recv_timeout(Duration::from_millis(20));
        }
        panic!("waited in vain until {what}");
    }

    /// Appends `count` records and waits until all are in.
    #[allow(dead_code, reason = "the measurement does not ask")]
    pub fn append_all(&mut self, count: u64) {
        for id in 0..count {
            self.log.append(id, b"record").expect("an append");
        }
        for id in 0..count {
            let ack = self.ack();
            assert!(matches!(ack, Ack::Appended { id: acked, .. } if acked == id), "{ack:?}");
        }
    }

    pub fn read(&mut self, source: Source) -> Result<Read, Error> {
        loop {
            if let Some(read) = self.log.poll(source)? {
                return Ok(read);
            }
            self.bell.wait("a read");
        }
    }

    pub fn record(&mut self, source: Source) -> Stored {
        loop {
            if let Read::Record(record) = self.read(source).expect("a readable log") {
                return record;
            }
        }
    }

    pub fn ack(&mut self) -> Ack {
        loop {
            if let Some(ack) = self.log.acks() {
                return ack;
            }
            self.bell.wait("an acknowledgement");
        }
    }
}

/// Topics that nobody has used before, on the brokers at `bootstrap`.
pub fn fresh_topics(bootstrap: &str, partitions: i32) -> Options {
    let run = std::process::id();
    let nanos = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_nanos();
    let name = |name: &str| format!("{name}-{run}-{nanos}");
    let topics = Topics {
        billed: name("billed"),
        commands: name("commands"),
        journal: name("journal"),
        threshold_crossed: name("threshold-crossed"),
        limit_reached: name("limit-reached"),
        block_state: name("block-state"),
        dead_letter: name("dead-letter"),
    };
    let read = [&topics.billed, &topics.commands, &topics.journal];
    let written = [
        &topics.threshold_crossed,
        &topics.limit_reached,
        &topics.block_state,
        &topics.dead_letter,
    ];
    let mut wanted = Vec::new();
    for topic in read {
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        wanted.push(topic.set("message.timestamp.type", "LogAppendTime"));
    }
    for topic in written {
        wanted.push(NewTopic::new(topic, partitions, TopicReplication::Fixed(1)));
    }
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("an admin client");
    let made = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(admin.create_topics(&wanted, &AdminOptions::new()))
        .expect("brokers that answer");
    for topic in made {
        topic.expect("a topic of our own");
    }
    Options {
        bootstrap: bootstrap.to_owned(),
        group: name("engines"),
        client: BTreeMap::new(),
        session_timeout_ms: 6_000,
        instance_id: None,
        topics,
    }
}
