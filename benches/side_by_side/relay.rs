//! The least that stands between an event and its block, in the engine's place: two threads that
//! decode what they read and add it up in bare hash maps, append a record to the journal for each
//! batch, and send a block once they have read that record back. No limits, windows or disk.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tollgate::fold::event::Input;
use tollgate::wire::{self, Decoder};

use crate::bare::Bare;
use crate::engine::Engine;
use crate::journal::{consumer, is_of_connection};
use crate::stage::Stage;
use crate::traffic::Writer;

/// Lines of a journal record, at most.
const LINES_AT_ONCE: u64 = 2_000;
/// What accounts are called whose events cross.
pub const CROSSING: &str = "crossing-";

/// Stands in for `engine`, which is not running, until it is done.
pub fn run(stage: &Stage, engine: &Engine, done: &AtomicBool) {
    let half = engine.topics.partitions / 2;
    thread::scope(|scope| {
        scope.spawn(|| Relay::new(stage, engine, 0..half).until(done));
        Relay::new(stage, engine, half..engine.topics.partitions).until(done);
    });
}

struct Relay<'a> {
    engine: &'a Engine,
    consumer: BaseConsumer,
    writer: Writer,
    decoder: Decoder,
    totals: Bare,
    /// Of the journal, for all that this thread reads.
    partition: i32,
    /// Of the batch: its lines, and the accounts that crossed.
    lines: u64,
    crossed: Vec<String>,
}

impl<'a> Relay<'a> {
    fn new(stage: &Stage, engine: &'a Engine, partitions: Range<i32>) -> Relay<'a> {
        let partition = partitions.start;
        let (billed, beginning) = (&engine.topics.billed, Offset::Beginning);
        let consumer = consumer(&stage.bootstrap, billed, partitions, beginning);
        let mut journal = TopicPartitionList::new();
        journal.add_partition_offset(&engine.journal, partition, beginning).expect("it is added");
        consumer.incremental_assign(&journal).expect("it can be assigned");
        Relay {
            engine,
            consumer,
            writer: Writer::new(&stage.bootstrap, 0),
            decoder: Decoder::new(&wire::Options::default()).expect("one without a registry"),
            totals: Bare::with_ids(),
            partition,
            lines: 0,
            crossed: Vec::new(),
        }
    }

    fn until(mut self, done: &AtomicBool) {
        while !done.load(Ordering::Relaxed) {
            let wait = Duration::from_millis(if self.lines == 0 { 100 } else { 0 });
            match self.consumer.poll(wait) {
                Some(Ok(record)) if record.topic() == self.engine.journal => {
                    publish(&self.writer, self.engine, &record);
                }
                Some(Ok(record)) => {
                    let bytes = record.payload().unwrap_or_default();
                    let input = self.decoder.decode_billed(bytes).expect("a line").input;
                    if let Input::Billed(event) = input {
                        self.totals.event(&event);
                        if event.account_id.starts_with(CROSSING) {
                            self.crossed.push(event.account_id.to_string());
                        }
                    }
                    self.lines += 1;
                }
                Some(Err(error)) if is_of_connection(&error) => {}
                Some(Err(error)) => panic!("the relay: {error}"),
                None => self.append(),
            }
            if self.lines == LINES_AT_ONCE {
                self.append();
            }
        }
    }

    fn append(&mut self) {
        if self.lines > 0 {
            let record = self.crossed.join("\n");
            self.writer.send_to(&self.engine.journal, self.partition, "", record.as_bytes());
            self.lines = 0;
            self.crossed.clear();
        }
    }
}

fn publish(writer: &Writer, engine: &Engine, record: &BorrowedMessage<'_>) {
    let crossed = record.payload_view::<str>().transpose().expect("names are UTF-8");
    for account in crossed.unwrap_or_default().lines() {
        writer.send(&engine.block_state, account, b"block");
    }
}
