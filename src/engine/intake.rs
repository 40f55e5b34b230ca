//! Lines on their way in: billed events and commands of one partition, merged by record timestamp.
//! Promise: what a journal record's ranges name is merged the same way by everyone who folds it,
//! live or in recovery. It decodes and folds nothing, but knows that every line can be decoded.

use std::collections::VecDeque;
use std::sync::Arc;

use super::log::{self, Log, Read, Source, Stored};
use crate::fault_point;
use crate::journal::Range;
use crate::time::Millis;
use crate::wire::{self, Decoder, RecordKind};

/// A line that waits to be folded.
#[derive(Debug)]
pub struct Waiting {
    pub raw: Stored,
    /// The greatest record timestamp of its topic up to here.
    pub recorded_at: Millis,
    pub source: Source,
}

impl Waiting {
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.raw.value.as_deref().unwrap_or_default()
    }
}

/// How far a topic is folded, and the greatest record timestamp up to there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub offset: u64,
    pub latest: Millis,
}

/// One of the two topics.
#[derive(Debug)]
struct Side {
    source: Source,
    /// `messages.billed/3`.
    name: Arc<str>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// A record that could not be decoded for the time being.
    stuck: Option<Stored>,
    /// Offset behind the last record read.
    read_to: u64,
    folded: Folded,
    /// Greatest timestamp read.
    latest: Millis,
    /// Nothing was left to read a moment ago.
    ended: bool,
    /// The end was reached since the start: what does not wait here has not arrived.
    live: bool,
}

#[derive(Debug)]
pub struct Intake {
    billed: Side,
    commands: Side,
    lines_max: usize,
    bytes_max: usize,
}

/// Why no more can be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error("{place}: {source}")]
    Wire { place: String, source: wire::Error },
}

impl Intake {
    /// Reads at most `lines_max` lines or `bytes_max` bytes of each topic ahead.
    #[must_use]
    pub fn new(names: [String; 2], lines_max: usize, bytes_max: usize) -> Intake {
        let side = |source, name: String| Side {
            source,
            name: name.into(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            stuck: None,
            read_to: 0,
            folded: Folded::default(),
            latest: Millis(0),
            ended: false,
            live: false,
        };
        let [billed, commands] = names;
        Intake {
            billed: side(Source::Billed, billed),
            commands: side(Source::Commands, commands),
            lines_max,
            bytes_max,
        }
    }

    /// Begins anew behind what is folded.
    ///
    /// # Errors
    /// When the log cannot seek.
    pub fn restart(
        &mut self,
        log: &mut impl Log,
        billed: Folded,
        commands: Folded,
    ) -> Result<(), log::Error> {
        for (side, folded) in [(&mut self.billed, billed), (&mut self.commands, commands)] {
            side.waiting.clear();
            side.waiting_bytes = 0;
            side.stuck = None;
            side.read_to = folded.offset;
            side.folded = folded;
            side.latest = folded.latest;
            fault_point::at("lines.seek")?;
            (side.ended, side.live) = (false, false);
            log.seek(side.source, folded.offset)?;
        }
        Ok(())
    }

    /// Reads what has arrived, within the bounds. True when anything came.
    ///
    /// # Errors
    /// When the log fails, or what decoding needs cannot be had; what was read stays.
    pub fn read(&mut self, log: &mut impl Log, decoder: &Decoder) -> Result<bool, Error> {
        let mut came = false;
        for side in [&mut self.billed, &mut self.commands] {
            while side.waiting.len() < self.lines_max && side.waiting_bytes < self.bytes_max {
                fault_point::at("lines.read").map_err(log::Error::from)?;
                let stored = match side.stuck.take() {
                    Some(stuck) => stuck,
                    None => match log.poll(side.source)? {
                        Some(Read::Record(stored)) => stored,
                        Some(Read::End) => {
                            (side.ended, side.live) = (true, true);
                            continue;
                        }
                        None => break,
                    },
                };
                came = true;
                side.take(stored, decoder)?;
            }
        }
        Ok(came)
    }

    /// What positions in a topic name.
    #[must_use]
    pub fn name(&self, source: Source) -> &Arc<str> {
        &self.side(source).name
    }

    /// Whether everything was read and taken, a moment ago.
    #[must_use]
    pub fn drained(&self) -> bool {
        let drained = |side: &Side| side.ended && side.waiting.is_empty() && side.stuck.is_none();
        drained(&self.billed) && drained(&self.commands)
    }

    /// How far billed and commands are taken.
    #[must_use]
    pub fn folded(&self) -> (Folded, Folded) {
        (self.billed.folded, self.commands.folded)
    }

    /// The time of the next line, if it is known which one that is: the earlier of the two heads,
    /// a command before an event of the same time.
    #[must_use]
    pub fn next_time(&self) -> Option<Millis> {
        self.next_side().map(|side| self.side(side).head_time())
    }

    /// Lines that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.billed.waiting.len() + self.commands.waiting.len()
    }

    /// Takes the next line.
    pub fn take(&mut self) -> Option<Waiting> {
        let source = self.next_side()?;
        self.side_mut(source).pop()
    }

    /// Takes exactly the lines that a journal record names, in the order in which they were
    /// folded. `None` while some are still to be read.
    pub fn take_ranges(&mut self, billed: Range, commands: Range) -> Option<Vec<Waiting>> {
        if self.billed.read_to < billed.to || self.commands.read_to < commands.to {
            return None;
        }
        let mut taken = Vec::new();
        loop {
            let command = self.commands.head_within(commands.to);
            let event = self.billed.head_within(billed.to);
            let source = match (command, event) {
                (Some(command), Some(event)) if command <= event => Source::Commands,
                (Some(_), None) => Source::Commands,
                (_, Some(_)) => Source::Billed,
                (None, None) => break,
            };
            taken.extend(self.side_mut(source).pop());
        }
        self.billed.folded.offset = billed.to;
        self.commands.folded.offset = commands.to;
        Some(taken)
    }

    /// Whether taking those ranges can ever succeed within the read-ahead bounds: widens them for
    /// a record that another owner folded with larger batches.
    pub fn make_room(&mut self, billed: Range, commands: Range) {
        let lines = (billed.to - billed.from).max(commands.to - commands.from) as usize;
        if self.billed.waiting.len().max(self.commands.waiting.len()) >= self.lines_max {
            self.lines_max = self.lines_max.max(lines + 1);
        }
        if self.billed.waiting_bytes.max(self.commands.waiting_bytes) >= self.bytes_max {
            self.bytes_max *= 2;
        }
    }

    /// Whether lines that those ranges name are not in the topics, which were read to their ends.
    #[must_use]
    pub fn lacks(&self, billed: Range, commands: Range) -> bool {
        let lacks = |side: &Side, to| side.ended && side.stuck.is_none() && side.read_to < to;
        lacks(&self.billed, billed.to) || lacks(&self.commands, commands.to)
    }

    fn next_side(&self) -> Option<Source> {
        let known = |side: &Side| side.stuck.is_none() && (side.live || !side.waiting.is_empty());
        if !known(&self.billed) || !known(&self.commands) {
            // A topic that is still being caught up with may hold an earlier line.
            return None;
        }
        match (self.commands.waiting.front(), self.billed.waiting.front()) {
            (Some(command), Some(event)) if command.recorded_at <= event.recorded_at => {
                Some(Source::Commands)
            }
            (Some(_), None) => Some(Source::Commands),
            (_, Some(_)) => Some(Source::Billed),
            (None, None) => None,
        }
    }

    fn side(&self, source: Source) -> &Side {
        if source == Source::Commands { &self.commands } else { &self.billed }
    }

    fn side_mut(&mut self, source: Source) -> &mut Side {
        if source == Source::Commands { &mut self.commands } else { &mut self.billed }
    }
}

impl Side {
    fn take(&mut self, stored: Stored, decoder: &Decoder) -> Result<(), Error> {
        let bytes = stored.value.as_deref().unwrap_or_default();
        let kind = match self.source {
            Source::Commands => RecordKind::Command,
            _ => RecordKind::Billed,
        };
        if let Err(source) = decoder.prepare(kind, bytes) {
            let place = format!("{}:{}", self.name, stored.offset);
            self.stuck = Some(stored);
            return Err(Error::Wire { place, source });
        }
        self.ended = false;
        self.latest = self.latest.max(stored.timestamp);
        self.read_to = stored.offset + 1;
        self.waiting_bytes += bytes.len();
        let recorded_at = self.latest;
        self.waiting.push_back(Waiting { raw: stored, recorded_at, source: self.source });
        Ok(())
    }

    fn pop(&mut self) -> Option<Waiting> {
        let taken = self.waiting.pop_front()?;
        self.waiting_bytes -= taken.bytes().len();
        self.folded = Folded { offset: taken.raw.offset + 1, latest: taken.recorded_at };
        Some(taken)
    }

    fn head_time(&self) -> Millis {
        self.waiting.front().map_or(Millis(0), |head| head.recorded_at)
    }

    fn head_within(&self, to: u64) -> Option<Millis> {
        let head = self.waiting.front().filter(|head| head.raw.offset < to)?;
        Some(head.recorded_at)
    }
}
