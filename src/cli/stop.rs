//! SIGINT and SIGTERM, turned into something that every kind of waiter can wait on.
//! Promise: the first signal asks all work to end in order; the second ends the process at once,
//! which loses nothing that was journaled.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Exit};

/// Tells when to stop. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stop {
    flag: Arc<AtomicBool>,
    senders: Arc<Mutex<Vec<Sender<()>>>>,
}

impl Stop {
    /// Takes the two signals over from the system's default, which would kill.
    ///
    /// # Errors
    /// The system refused a thread or the signals.
    pub fn on_signal() -> Result<Stop, Error> {
        let failed = |error| Error::failed("cannot listen for SIGINT and SIGTERM").because(error);
        let stop = Stop { flag: Arc::default(), senders: Arc::default() };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
            (interrupt, signal(SignalKind::terminate()).map_err(failed)?)
        };
        let told = stop.clone();
        let listen = move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if told.flag.load(Ordering::SeqCst) {
                        let _ = writeln!(std::io::stderr(), "stopped at once by a second signal");
                        std::process::exit(Exit::Failed as i32);
                    }
                    tracing::info!("stopping in order; a second signal stops at once");
                    told.raise();
                }
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
        Ok(stop)
    }

    /// Asks all work to end in order.
    pub fn raise(&self) {
        self.flag.store(true, Ordering::SeqCst);
        self.senders().clear();
    }

    /// For loops: true once asked to stop.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// For waits with a timeout: disconnected once asked to stop.
    pub fn receiver(&self) -> Receiver<()> {
        let (sender, receiver) = channel();
        let mut senders = self.senders();
        if !self.flag.load(Ordering::SeqCst) {
            senders.push(sender);
        }
        receiver
    }

    fn senders(&self) -> std::sync::MutexGuard<'_, Vec<Sender<()>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
