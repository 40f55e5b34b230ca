//! Topics in memory that outlive the process: whatever lands in them is at once written to a file,
//! from which the next process reads them. Promise: what the engine was told of is in the file.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tollgate::engine::log::{Ack, Bounds, Error, Log, Output, Read, Source, Stored, Topic};
use tollgate::engine::memory::{Fate, MemoryLog, MemoryTopics};
use tollgate::time::Millis;

const SOURCES: [Source; 4] =
    [Source::Billed, Source::Commands, Source::Journal, Source::BlockState];
/// Block-state is a source too.
const OUTPUTS: [Topic; 3] = [Topic::ThresholdCrossed, Topic::LimitReached, Topic::DeadLetter];

#[derive(Clone)]
pub struct Mirror {
    pub topics: MemoryTopics,
    file: Arc<Mutex<Mirrored>>,
}

struct Mirrored {
    file: File,
    /// Records of each topic that are in the file.
    records: [usize; 7],
}

impl Mirror {
    /// Opens the topics, and gives the notes that were made between their records.
    pub fn open(path: &Path) -> (Mirror, Vec<String>) {
        let topics = MemoryTopics::default();
        let mut publisher = MemoryLog::new(topics.clone());
        let mut notes = Vec::new();
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [number, timestamp, key, value] = words[..] else {
                notes.push(line.to_owned());
                continue;
            };
            topics.set_now(Millis(timestamp.parse().unwrap()));
            let (number, key, value) = (number.parse().unwrap(), bytes(key), bytes(value));
            match SOURCES.get::<usize>(number) {
                Some(source) => {
                    topics.produce(*source, key.as_deref(), value.as_deref());
                }
                None => {
                    let topic = OUTPUTS[number - SOURCES.len()];
                    publisher.publish(0, &Output { topic, key, value }).unwrap();
                }
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        let records = held(&topics).map(|records| records.len());
        (Mirror { topics, file: Arc::new(Mutex::new(Mirrored { file, records })) }, notes)
    }

    /// Writes what has landed since.
    pub fn keep(&self) {
        self.write("");
    }

    /// Writes what has landed and a word of the driver's, which has not four parts. Both at once: a
    /// crash on another thread may come at any time.
    pub fn note(&self, note: &str) {
        self.write(&format!("{note}\n"));
    }

    fn write(&self, note: &str) {
        let mut mirrored = self.file.lock().unwrap();
        let mut text = String::new();
        for (number, records) in held(&self.topics).iter().enumerate() {
            for Stored { timestamp, key, value, .. } in &records[mirrored.records[number]..] {
                let (key, value) = (hex(key.as_deref()), hex(value.as_deref()));
                text.push_str(&format!("{number} {} {key} {value}\n", timestamp.0));
            }
            mirrored.records[number] = records.len();
        }
        text.push_str(note);
        mirrored.file.write_all(text.as_bytes()).unwrap();
    }

    pub fn log(&self) -> MirrorLog {
        MirrorLog { log: MemoryLog::new(self.topics.clone()), mirror: self.clone() }
    }
}

fn held(topics: &MemoryTopics) -> [Vec<Stored>; 7] {
    let [billed, commands, journal, blocks] = SOURCES.map(|source| topics.source(source));
    let [crossed, reached, dead] = OUTPUTS.map(|topic| topics.output(topic));
    [billed, commands, journal, blocks, crossed, reached, dead]
}

fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "-".to_owned() };
    bytes.iter().fold(String::from("x"), |hex, byte| hex + &format!("{byte:02x}"))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let hex = hex.strip_prefix('x')?;
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    Some((0..hex.len()).step_by(2).map(pair).collect())
}

/// An owner's log upon them.
pub struct MirrorLog {
    log: MemoryLog,
    mirror: Mirror,
}

impl MirrorLog {
    /// Decides the fate of the oldest append held; false when none is.
    pub fn release(&mut self, fate: Fate) -> bool {
        let any = self.log.held() > 0;
        self.log.release(fate);
        self.mirror.keep();
        any
    }
}

impl Log for MirrorLog {
    fn bounds(&mut self, source: Source) -> Result<Bounds, Error> {
        self.log.bounds(source)
    }

    fn seek(&mut self, source: Source, offset: u64) -> Result<(), Error> {
        self.log.seek(source, offset)
    }

    fn poll(&mut self, source: Source) -> Result<Option<Read>, Error> {
        self.log.poll(source)
    }

    fn append(&mut self, id: u64, bytes: &[u8]) -> Result<(), Error> {
        let begun = self.log.append(id, bytes);
        self.mirror.keep();
        begun
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.log.renew()
    }

    fn publish(&mut self, id: u64, output: &Output) -> Result<(), Error> {
        let begun = self.log.publish(id, output);
        self.mirror.keep();
        begun
    }

    fn acks(&mut self) -> Option<Ack> {
        self.log.acks()
    }

    fn commit(&mut self, billed: u64, commands: u64) {
        self.log.commit(billed, commands);
    }
}
