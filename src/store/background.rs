//! The thread that writes checkpoints, so that the fold never waits for the disk. Promise: one
//! checkpoint at a time, each try told of once; one that a full disk refused is kept to be tried
//! again; closing waits for the one under way; a panic of the thread goes on in whoever asks what
//! became of it.

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, Builder, JoinHandle};

use super::pace::Pace;
use super::raw::Raw;
use super::write::Writer;
use super::{Checkpoint, Error};
use crate::fault_point;
use crate::fold::Epoch;

/// Niceness of a thread that writes what is not urgent: a checkpoint may take longer, a block may
/// not. Not so much that a partition which catches up never gets one.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

pub(super) struct Background {
    place: String,
    submits: Option<Sender<Box<Checkpoint>>>,
    results: Receiver<Tried>,
    /// Somebody waits for the checkpoint under way.
    hurry: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    under_way: bool,
    refused: Option<Box<Checkpoint>>,
}

/// How a try went, and the checkpoint if the disk was full.
type Tried = (Result<Epoch, Error>, Option<Box<Checkpoint>>);

impl Background {
    pub fn start<R: Raw + Send + Sync + 'static>(
        raw: Arc<R>,
        partition: u32,
    ) -> Result<Background, Error> {
        let (submits, taken) = channel::<Box<Checkpoint>>();
        let (tell, results) = channel();
        let place = raw.place().to_owned();
        let hurry = Arc::new(AtomicBool::new(false));
        let gently = Pace::WithPauses(Arc::clone(&hurry));
        let work = move || {
            let mut writer = Writer::default();
            for checkpoint in taken {
                writer.pace = if checkpoint.urgent { Pace::AtOnce } else { gently.clone() };
                let mut write = || write(&mut writer, &*raw, partition, &checkpoint);
                let result =
                    if checkpoint.urgent { write() } else { giving_way(raw.place(), write) };
                let (refused, written) = match &result {
                    Err(Error::Full { .. }) => (Some(checkpoint), None),
                    _ => (None, Some(checkpoint)),
                };
                // Freeing some hundred thousand rows takes time: after the telling.
                let told = tell.send((result, refused));
                drop(written);
                if told.is_err() {
                    return;
                }
            }
        };
        let thread = Builder::new().name(format!("store-{partition}")).spawn(work);
        let thread = thread.map_err(|error| without_thread(&place, &error))?;
        let (submits, thread) = (Some(submits), Some(thread));
        let (under_way, refused) = (false, None);
        Ok(Background { place, submits, results, hurry, thread, under_way, refused })
    }

    pub fn submit(&mut self, checkpoint: Checkpoint) {
        self.send(Box::new(checkpoint));
    }

    pub fn again(&mut self) {
        if let Some(checkpoint) = self.refused.take() {
            self.send(checkpoint);
        }
    }

    fn send(&mut self, checkpoint: Box<Checkpoint>) {
        assert!(!self.under_way && self.refused.is_none(), "one checkpoint at a time");
        self.under_way = true;
        self.hurry.store(false, Ordering::Relaxed);
        let submits = self.submits.as_ref().expect("open until it is dropped");
        // A thread that is gone shows at the next `written`.
        let _gone = submits.send(checkpoint);
    }

    pub fn written(&mut self) -> Option<Result<Epoch, Error>> {
        if !self.under_way {
            return None;
        }
        let (result, refused) = match self.results.try_recv() {
            Ok(tried) => tried,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => (self.gone(), None),
        };
        self.under_way = false;
        self.refused = refused;
        Some(result)
    }

    pub fn wait(&mut self) -> Option<Result<Epoch, Error>> {
        self.refused = None;
        if !self.under_way {
            return None;
        }
        self.under_way = false;
        self.hurry.store(true, Ordering::Relaxed);
        Some(self.results.recv().map_or_else(|_| self.gone(), |(result, _)| result))
    }

    /// The thread ends before it is told to only by a panic: a rule of our own is broken, and a
    /// further thread would break it again.
    fn gone(&mut self) -> Result<Epoch, Error> {
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
        let reason = "its writing thread has stopped".to_owned();
        Err(Error::Storage { place: self.place.clone(), act: "written", reason })
    }
}

/// Works in a thread that lets those who fold go first: one of its own, since only root may take
/// back what a thread gave away. A system that refuses has no thread the worse for it.
fn giving_way(
    place: &str,
    work: impl FnOnce() -> Result<Epoch, Error> + Send,
) -> Result<Epoch, Error> {
    let nicely = || {
        #[cfg(target_os = "linux")]
        let _refused =
            rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        work()
    };
    thread::scope(|scope| {
        let name = thread::current().name().unwrap_or("store").to_owned();
        match Builder::new().name(name).spawn_scoped(scope, nicely) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => Err(without_thread(place, &error)),
        }
    })
}

fn without_thread(place: &str, error: &io::Error) -> Error {
    let (place, reason) = (place.to_owned(), error.to_string());
    Error::Storage { place, act: "given a writing thread", reason }
}

fn write(
    writer: &mut Writer,
    raw: &impl Raw,
    partition: u32,
    checkpoint: &Checkpoint,
) -> Result<Epoch, Error> {
    fault_point::at("store.begin")?;
    let epoch = writer.write(raw, partition, checkpoint)?;
    fault_point::at("store.tell")?;
    Ok(epoch)
}

impl Drop for Background {
    fn drop(&mut self) {
        self.submits = None;
        self.hurry.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            fault_point::reach("store.close");
            // Its panic would have gone on in `written`; now nobody asks.
            let _panicked = thread.join();
        }
    }
}
