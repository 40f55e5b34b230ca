//! The progress bar of a replay, on standard error and only when that is a terminal.
//! Promise: it draws a few times a second at most and is gone when the replay ends.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
    bytes_read: Arc<AtomicU64>,
    lines: u64,
}

impl Progress {
    /// `bytes_in_all` is unknown when a log is a pipe.
    pub fn start(bytes_in_all: Option<u64>, bytes_read: Arc<AtomicU64>) -> Progress {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(bytes_in_all, target);
        let template = match bytes_in_all {
            Some(_) => "{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg} {eta} left",
            None => "{spinner} {bytes} {binary_bytes_per_sec} {msg}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("a fixed template"));
        Progress { bar, bytes_read, lines: 0 }
    }

    /// So many more lines come to the fold.
    pub fn lines(&mut self, count: u64) {
        self.lines += count;
        self.bar.set_position(self.bytes_read.load(Ordering::Relaxed));
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{} lines", self.lines));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
