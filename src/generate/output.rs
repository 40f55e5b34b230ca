//! Where generated lines go: a file (plain, .gz, .zst), standard output, or two topics.
//! Promise: lines arrive in order, per partition on topics; a paced run sends none before its
//! time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::topic::Publisher;
use super::{Body, Error, Generated, LineWriter, Options, Traffic};
use crate::time::{Clock, Millis};

/// Where to.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    Stdout,
    /// Compressed when its name ends in `.gz` or `.zst`.
    File(PathBuf),
    Topic(TopicOptions),
}

/// The topics of a cluster; records are keyed and partitioned by account_id as Java's client does.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicOptions {
    pub bootstrap: String,
    pub billed: String,
    pub commands: String,
    /// Further librdkafka settings (security, for instance).
    pub settings: Vec<(String, String)>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    pub lines: u64,
    pub events: u64,
    pub commands: u64,
    pub garbage: u64,
    pub bytes: u64,
}

/// Bytes gathered before they go to a file.
const BUFFER_BYTES: usize = 256 * 1024;
/// A paced run looks at the clock this often.
const PACE_MS: u64 = 5;

/// Generates until all is written or `stop` says so (a message, or its sender gone).
///
/// # Errors
/// Options out of bounds, or a destination that fails.
pub fn run(
    options: &Options,
    destination: &Destination,
    clock: &dyn Clock,
    stop: &Receiver<()>,
) -> Result<Summary, Error> {
    let lines = Traffic::new(options)?;
    write(lines, options.paced.then_some(options.start), destination, clock, stop)
}

/// Writes the lines; with `paced_from`, log time runs as the clock does from there on.
///
/// # Errors
/// A destination that fails.
pub fn write(
    lines: impl Iterator<Item = Generated>,
    paced_from: Option<Millis>,
    destination: &Destination,
    clock: &dyn Clock,
    stop: &Receiver<()>,
) -> Result<Summary, Error> {
    let mut pace = paced_from.map(|start| Pace { clock, lag_ms: clock.now().0 - start.0 });
    let mut sink = Sink::open(destination)?;
    let mut summary = Summary::default();
    let mut writer = match destination {
        Destination::Stdout | Destination::File(_) => LineWriter::for_file(),
        Destination::Topic(_) => LineWriter::for_topic(),
    };
    let mut buffer = Vec::with_capacity(2 * BUFFER_BYTES);
    for line in lines {
        if let Some(pace) = &mut pace
            && pace.early(line.recorded_at)
        {
            sink.flush(&mut buffer)?;
            if !pace.wait(line.recorded_at, stop) {
                break;
            }
        }
        summary.count(&line);
        let before = buffer.len();
        writer.write(&line, &mut buffer);
        summary.bytes += (buffer.len() - before) as u64;
        sink.take(&line, &mut buffer)?;
        if summary.lines.is_multiple_of(1_024) && stopped(stop) {
            break;
        }
    }
    sink.close(&mut buffer)?;
    Ok(summary)
}

fn stopped(stop: &Receiver<()>) -> bool {
    !matches!(stop.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty))
}

impl Summary {
    fn count(&mut self, line: &Generated) {
        self.lines += 1;
        match line.body {
            Body::Billed(_) => self.events += 1,
            Body::Setting(_) => self.commands += 1,
            Body::Garbage { .. } => self.garbage += 1,
        }
    }
}

/// Log time runs as the clock does, `lag_ms` behind it.
struct Pace<'run> {
    clock: &'run dyn Clock,
    lag_ms: i64,
}

impl Pace<'_> {
    fn early(&self, due: Millis) -> bool {
        self.clock.now().0 < due.0 + self.lag_ms
    }

    /// Waits for the line's time; false when told to stop.
    fn wait(&self, due: Millis, stop: &Receiver<()>) -> bool {
        while self.early(due) {
            match stop.recv_timeout(Duration::from_millis(PACE_MS)) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }
}

enum Sink {
    Stream { out: Box<dyn Finish>, place: String },
    Topic(Publisher),
}

impl Sink {
    fn open(destination: &Destination) -> Result<Sink, Error> {
        match destination {
            Destination::Stdout => {
                let out = Box::new(io::stdout().lock());
                Ok(Sink::Stream { out, place: "standard output".to_owned() })
            }
            Destination::File(path) => {
                let place = path.display().to_string();
                let out =
                    create(path).map_err(|cause| Error::Write { place: place.clone(), cause })?;
                Ok(Sink::Stream { out, place })
            }
            Destination::Topic(topics) => Ok(Sink::Topic(Publisher::connect(topics)?)),
        }
    }

    /// Takes the line whose bytes end the buffer.
    fn take(&mut self, line: &Generated, buffer: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Sink::Topic(publisher) => {
                // The line break belongs to files; a record has its own bounds.
                buffer.pop();
                publisher.publish(line, buffer)?;
                buffer.clear();
                Ok(())
            }
            Sink::Stream { .. } if buffer.len() < BUFFER_BYTES => Ok(()),
            Sink::Stream { .. } => self.flush(buffer),
        }
    }

    fn flush(&mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        if let Sink::Stream { out, place } = self {
            let failed = |cause| Error::Write { place: place.clone(), cause };
            out.write_all(buffer).and_then(|()| out.flush()).map_err(failed)?;
            buffer.clear();
        }
        Ok(())
    }

    fn close(mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        self.flush(buffer)?;
        match self {
            Sink::Stream { out, place } => {
                out.finish().map_err(|cause| Error::Write { place, cause })
            }
            Sink::Topic(publisher) => publisher.close(),
        }
    }
}

/// A writer whose stream has an end of its own.
trait Finish: Write {
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl Finish for io::StdoutLock<'static> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

impl Finish for File {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Finish for flate2::write::GzEncoder<BufWriter<File>> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        (*self).finish()?.flush()
    }
}

impl Finish for zstd::Encoder<'static, BufWriter<File>> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        (*self).finish()?.flush()
    }
}

fn create(path: &Path) -> io::Result<Box<dyn Finish>> {
    let file = File::create(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let level = flate2::Compression::fast();
            Ok(Box::new(flate2::write::GzEncoder::new(BufWriter::new(file), level)))
        }
        Some("zst") => Ok(Box::new(zstd::Encoder::new(BufWriter::new(file), 3)?)),
        _ => Ok(Box::new(file)),
    }
}
