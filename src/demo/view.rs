//! What the demo shows: a table on a terminal, lines elsewhere, or nothing. Promise: a frame is
//! written in one piece, so that nothing flickers, and the terminal is as before in the end, also
//! after a panic.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

use super::observer::Seen;
use super::told::Told;
use super::topics;
use crate::time::Millis;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Redrawn in place; `Lines` when there is no terminal.
    Table,
    /// One line a second, and one for each block.
    Lines,
    Nothing,
}

const SECOND_MS: i64 = 1_000;
const FRAME_MS: i64 = 250;
/// Lines of the table above the blocks and the decisions.
const HEAD_LINES: usize = 14;

/// The view, opened.
pub struct Shown {
    view: View,
    bootstrap: String,
    /// What to type, and why.
    hints: Vec<String>,
    out: io::Stdout,
    next_frame: Millis,
    rates: Rates,
}

/// Lines per second over the last second.
#[derive(Default)]
struct Rates {
    since: Option<Millis>,
    produced: u64,
    journaled: u64,
    produced_per_s: u64,
    journaled_per_s: u64,
}

impl Shown {
    pub fn open(view: View, bootstrap: &str, hints: Vec<String>) -> io::Result<Shown> {
        let mut out = io::stdout();
        let terminal = out.is_terminal() && view == View::Table;
        let view = if view == View::Table && !terminal { View::Lines } else { view };
        match view {
            View::Table => {
                restore_on_panic();
                enable_raw_mode()?;
                execute!(out, EnterAlternateScreen, Hide)?;
            }
            View::Lines => {
                writeln!(out, "embedded Kafka broker at {bootstrap}, try:")?;
                writeln!(out, "  {}", kcat(bootstrap))?;
                for hint in &hints {
                    writeln!(out, "{hint}")?;
                }
            }
            View::Nothing => {}
        }
        let (bootstrap, rates) = (bootstrap.to_owned(), Rates::default());
        Ok(Shown { view, bootstrap, hints, out, next_frame: Millis(0), rates })
    }

    /// Whether someone at the terminal wants to leave (q, Esc or Ctrl-C).
    pub fn quit_pressed(&self) -> bool {
        if self.view != View::Table {
            return false;
        }
        while poll(Duration::ZERO).unwrap_or(false) {
            let Ok(Event::Key(key)) = read() else { continue };
            let interrupt = key.modifiers.contains(KeyModifiers::CONTROL)
                && matches!(key.code, KeyCode::Char('c' | 'd'));
            let quit = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
            if key.kind == KeyEventKind::Press && (interrupt || quit) {
                return true;
            }
        }
        false
    }

    /// A block that opened or was lifted.
    pub fn block(&mut self, now: Millis, block: &Told) -> io::Result<()> {
        if self.view == View::Lines {
            writeln!(self.out, "{}  {}", time_of_day(now), block.sentence())?;
        }
        Ok(())
    }

    /// Draws, if it is time to.
    pub fn refresh(
        &mut self,
        now: Millis,
        start: Millis,
        produced: u64,
        seen: &Seen,
    ) -> io::Result<()> {
        self.rates.update(now, produced, seen.lines_journaled());
        if now < self.next_frame {
            return Ok(());
        }
        match self.view {
            View::Table => {
                self.next_frame = Millis(now.0 + FRAME_MS);
                self.draw(now, start, produced, seen)
            }
            View::Lines => {
                self.next_frame = Millis(now.0 + SECOND_MS);
                self.line(now, produced, seen)
            }
            View::Nothing => Ok(()),
        }
    }

    fn line(&mut self, now: Millis, produced: u64, seen: &Seen) -> io::Result<()> {
        writeln!(
            self.out,
            "{}  produced {}/s  folded {}/s  lag {}  decisions {}  blocked {}",
            time_of_day(now),
            self.rates.produced_per_s,
            self.rates.journaled_per_s,
            produced.saturating_sub(seen.lines_journaled()),
            seen.decisions.all(),
            seen.blocked.len()
        )
    }

    fn draw(&mut self, now: Millis, start: Millis, produced: u64, seen: &Seen) -> io::Result<()> {
        let (columns, rows) = size()?;
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        let mut lines = self.head(now, start, produced, seen);
        let room = rows.saturating_sub(HEAD_LINES + self.hints.len() + 4);
        lines.push(String::new());
        lines.push(format!("BLOCKED NOW ({})", seen.blocked.len()));
        let mut blocked: Vec<&Told> = seen.blocked.values().collect();
        blocked.sort_by(|a, b| b.now.cmp(&a.now).then_with(|| a.block_key.cmp(&b.block_key)));
        lines.extend(blocked.iter().take(room / 2).map(|block| blocked_row(block, now)));
        lines.push(String::new());
        lines.push("LATEST DECISIONS".to_owned());
        let latest = seen.latest.iter().rev().take(rows.saturating_sub(lines.len()));
        lines.extend(
            latest.map(|(at, told)| format!("  {}  {}", time_of_day(*at), told.sentence())),
        );
        let mut frame = Vec::with_capacity(16 * 1024);
        queue!(frame, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        for (row, line) in lines.iter().take(rows).enumerate() {
            let row = u16::try_from(row).expect("no more rows than the terminal has");
            let visible: String = line.chars().take(columns).collect();
            queue!(frame, MoveTo(0, row))?;
            write!(frame, "{visible}")?;
            queue!(frame, Clear(ClearType::UntilNewLine))?;
        }
        if lines.len() < rows {
            write!(frame, "\r\n")?;
            queue!(frame, Clear(ClearType::FromCursorDown))?;
        }
        queue!(frame, EndSynchronizedUpdate)?;
        self.out.write_all(&frame)?;
        self.out.flush()
    }

    fn head(&self, now: Millis, start: Millis, produced: u64, seen: &Seen) -> Vec<String> {
        let running = now.0.saturating_sub(start.0) / SECOND_MS;
        let journaled = seen.lines_journaled();
        let ms = |latency: Option<u32>| latency.map_or("-".to_owned(), |ms| format!("{ms} ms"));
        let (p50, p99) = (ms(seen.latency_ms(50)), ms(seen.latency_ms(99)));
        let Rates { produced_per_s, journaled_per_s, .. } = self.rates;
        let decided = &seen.decisions;
        let mut lines = vec![
            format!("Tollgate demo, running {running} s; q ends it"),
            format!("embedded Kafka broker  {}", self.bootstrap),
            format!("look yourself          {}", kcat(&self.bootstrap)),
        ];
        lines.extend(self.hints.iter().cloned());
        lines.extend([
            String::new(),
            format!("{:<24}{:>12}{:>14}", "LINES", "per second", "in all"),
            format!("  {:<22}{produced_per_s:>12}{produced:>14}", "produced"),
            format!("  {:<22}{journaled_per_s:>12}{journaled:>14}", "folded and journaled"),
            format!("  {:<22}{:>12}{:>14}", "lag", "", produced.saturating_sub(journaled)),
            format!("  {:<22}{:>12}{:>14}", "duplicates", "", seen.duplicates),
            format!("  {:<22}{:>12}{:>14}", "rejects", "", seen.rejects),
            format!(
                "DECISIONS  thresholds {}  limits reached {}  blocked {}  lifted {}",
                decided.threshold_crossed, decided.limit_reached, decided.blocked, decided.lifted
            ),
            format!("LATENCY    event to decision, read by a consumer: p50 {p50}, p99 {p99}"),
        ]);
        lines
    }

    /// Gives the terminal back.
    pub fn close(self) -> io::Result<()> {
        drop(self);
        Ok(())
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.view == View::Table {
            restore();
        }
    }
}

impl Rates {
    fn update(&mut self, now: Millis, produced: u64, journaled: u64) {
        let Some(since) = self.since else {
            self.since = Some(now);
            return;
        };
        let elapsed_ms = u64::try_from(now.0 - since.0).unwrap_or(0);
        if elapsed_ms < 1_000 {
            return;
        }
        let per_s = |to: u64, from: u64| to.saturating_sub(from) * 1_000 / elapsed_ms;
        self.produced_per_s = per_s(produced, self.produced);
        self.journaled_per_s = per_s(journaled, self.journaled);
        (self.since, self.produced, self.journaled) = (Some(now), produced, journaled);
    }
}

fn blocked_row(block: &Told, now: Millis) -> String {
    let until = block.blocked_until.as_deref().and_then(|text| Millis::parse(text).ok());
    let left = match until.map(|until| until.0.saturating_sub(now.0) / SECOND_MS) {
        Some(seconds @ ..120) => format!("{} s left", seconds.max(0)),
        Some(seconds) => format!("{} h {:02} min left", seconds / 3_600, seconds / 60 % 60),
        None => String::new(),
    };
    let used = format!(
        "{} of {} {}",
        block.current.as_deref().unwrap_or("-"),
        block.configured_limit.as_deref().unwrap_or("-"),
        block.unit()
    );
    let account = block.account_id.as_deref().unwrap_or("-");
    format!("  {account:<12}  {:<54}  {used:<34}  {left}", block.place())
}

fn kcat(bootstrap: &str) -> String {
    format!("kcat -b {bootstrap} -C -o beginning -q -t {}", topics::BLOCK_STATE)
}

/// `19:17:08`, in UTC.
fn time_of_day(time: Millis) -> String {
    time.to_string()[11..19].to_owned()
}

/// A message of a panic would be lost on the alternate screen.
fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        before(panic);
    }));
}

/// Best effort: there is nobody left to tell.
fn restore() {
    let _ = execute!(io::stdout(), EndSynchronizedUpdate, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}
