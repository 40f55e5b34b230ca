//! Traffic that the model can follow, for as long as it is wanted. It takes the straight way to the
//! broker, and outlasts the broker's death.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::chaos::wall_clock;
use crate::dice::seed;
use crate::engine::{Ground, pause};
use crate::topics::Writer;
use crate::traffic::Traffic;

pub struct Feed {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Feed {
    pub fn begin(ground: &Ground, lines_per_second: u64) -> Feed {
        let writer = Writer::new(&ground.bootstrap);
        let (billed, commands) = (ground.names.billed.clone(), ground.names.commands.clone());
        let ending = Arc::<AtomicBool>::default();
        let over = Arc::clone(&ending);
        let thread = std::thread::spawn(move || {
            let mut traffic = Traffic::new(seed());
            while !over.load(Ordering::Relaxed) {
                for _ in 0..(lines_per_second / 20).max(1) {
                    let line = traffic.next(wall_clock());
                    let topic = if line.command { &commands } else { &billed };
                    writer.send(topic, &line.account, &line.bytes);
                }
                pause(50);
            }
            writer.flush();
        });
        Feed { ending, thread }
    }

    pub fn end(self) {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().expect("the traffic was sent");
    }
}
