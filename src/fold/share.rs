//! One log folded by several states side by side, each of a share of the accounts. Promise: put in
//! order, what they decide is what one state decides, to the byte: accounts have nothing in common
//! but time, and every state takes the time of every line.

use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::FixedState;

use super::ahead::LINES_AHEAD;
use super::decision::Decision;
use super::event::{Input, Line};
use super::state::State;
use crate::time::Millis;

/// A decision, and what its place among those of all shares depends on.
#[derive(Debug)]
pub struct Placed {
    /// Number of the line that it was decided at.
    line: usize,
    /// The time of the timer that fired at the line; `None` for what the line itself decided.
    timer: Option<Millis>,
    decision: Decision,
}

impl Placed {
    /// A line's timers come before the line, in the order in which one state fires them; those of
    /// an account are in order already.
    fn order(&self, other: &Placed) -> Ordering {
        let place = |it: &Placed| (it.line, it.timer.is_none(), it.timer);
        place(self).cmp(&place(other)).then_with(|| self.account_id().cmp(&other.account_id()))
    }

    fn account_id(&self) -> Option<&str> {
        Some(match &self.decision {
            Decision::ThresholdCrossed(crossed) => &crossed.evidence.account_id,
            Decision::LimitReached(reached) => &reached.evidence.account_id,
            Decision::BlockChanged(changed) => &changed.evidence.account_id,
            Decision::Rejected(_) => return None,
        })
    }
}

/// The decisions of all shares on the same lines, as one state gives them.
pub fn in_order(mut of_all: Vec<Placed>) -> impl Iterator<Item = Decision> {
    of_all.sort_by(Placed::order);
    of_all.into_iter().map(|placed| placed.decision)
}

/// Lines dealt out to the shares: who folds which, and how time goes on beside them.
#[derive(Debug)]
pub struct Dealt<'l> {
    lines: &'l [Line<'l>],
    /// The numbers of each share's lines.
    own: Vec<Vec<usize>>,
    /// The time of each line; of one that moves no time, the earliest there is.
    times: Vec<Millis>,
    /// The latest time up to and with each line.
    latest: Vec<Millis>,
}

impl<'l> Dealt<'l> {
    /// Deals by account; lines that name none go to the first share.
    #[must_use]
    pub fn new(lines: &'l [Line<'l>], shares: usize) -> Dealt<'l> {
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); shares];
        let mut times = Vec::with_capacity(lines.len());
        let mut latest = Vec::with_capacity(lines.len());
        let mut last = Millis(i64::MIN);
        for (number, line) in lines.iter().enumerate() {
            own[share_of(&line.input, shares)].push(number);
            let moves = !matches!(line.input, Input::Rejected(_));
            let time = if moves { line.recorded_at } else { Millis(i64::MIN) };
            last = last.max(time);
            times.push(time);
            latest.push(last);
        }
        Dealt { lines, own, times, latest }
    }

    #[must_use]
    pub fn lines(&self) -> &'l [Line<'l>] {
        self.lines
    }
}

fn share_of(input: &Input<'_>, shares: usize) -> usize {
    let account_id = match input {
        Input::Billed(event) => &*event.account_id,
        Input::Command(command) => &*command.account_id,
        Input::Rejected(_) | Input::Tick => return 0,
    };
    let hash = FixedState::default().hash_one(account_id);
    // Less than `shares`, which is a `usize`.
    (hash % shares as u64) as usize
}

impl State {
    /// Folds the lines of one share, and takes the time of the others, as of ticks. `first` is the
    /// number of the first line among those whose decisions are put in order together.
    pub fn fold_share(
        &mut self,
        dealt: &Dealt<'_>,
        share: usize,
        first: usize,
        placed: &mut Vec<Placed>,
    ) {
        let mut ahead = std::mem::take(&mut self.ahead);
        let (lines, mut next) = (dealt.lines, 0);
        let mut decided = Vec::new();
        for own in dealt.own[share].chunks(LINES_AHEAD) {
            self.look_ahead(own.iter().map(|number| lines[*number].billed()), &mut ahead);
            for (number, ahead) in own.iter().zip(&ahead) {
                self.pass(dealt, next..number + 1, first, placed);
                self.fold_one(&lines[*number], ahead.as_ref(), &mut decided);
                let of_line = |decision| Placed { line: first + number, timer: None, decision };
                placed.extend(decided.drain(..).map(of_line));
                next = number + 1;
            }
        }
        self.pass(dealt, next..lines.len(), first, placed);
        self.ahead = ahead;
    }

    /// Takes the time of lines, and fires each timer at the first of them that it is due at.
    fn pass(
        &mut self,
        dealt: &Dealt<'_>,
        mut lines: Range<usize>,
        first: usize,
        placed: &mut Vec<Placed>,
    ) {
        let Some(latest) = lines.clone().next_back().map(|last| dealt.latest[last]) else { return };
        let mut decided = Vec::new();
        while let Some(due) = self.next_timer().filter(|due| *due <= latest)
            && let Some(at) = lines.clone().find(|number| dealt.times[*number] >= due)
        {
            self.take_time(dealt, lines.start..at);
            lines.start = at;
            self.fire(dealt.times[at], 1, &mut decided);
            let of_timer = |decision| Placed { line: first + at, timer: Some(due), decision };
            placed.extend(decided.drain(..).map(of_timer));
        }
        self.take_time(dealt, lines);
    }

    fn take_time(&mut self, dealt: &Dealt<'_>, lines: Range<usize>) {
        let latest = lines.last().map(|last| dealt.latest[last]);
        if let Some(latest) = latest.filter(|latest| latest.0 != i64::MIN) {
            self.set_now(latest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{BilledEvent, Position, Reason, Refusal};
    use super::*;
    use crate::money::Money;
    use crate::time::MINUTE_MS;

    fn line(number: u64, input: Input<'static>, at: i64) -> Line<'static> {
        let position = Position { source: "log".into(), at: number };
        Line { input, recorded_at: Millis(at), position }
    }

    /// Three one-time passwords at once: the number is blocked for five minutes (O1).
    fn blocking(number: u64, account: u64, at: i64) -> Line<'static> {
        let event = BilledEvent {
            event_id: number.to_string().into(),
            idempotency_key: None,
            account_id: format!("account {account}").into(),
            profile_id: None,
            feature: "sms".into(),
            country: None,
            sender: None,
            recipient: Some(format!("+{number}").into()),
            purpose: Some("otp".into()),
            requests: 3,
            cost: Money(1),
            occurred_at: Millis(at),
        };
        line(number, Input::Billed(event), at)
    }

    fn refused(number: u64) -> Line<'static> {
        let refusal = Refusal {
            reason: Reason::Invalid,
            account_id: Some("account 1".to_owned()),
            event_id: None,
            command_id: None,
            detail: "no cost".to_owned(),
        };
        line(number, Input::Rejected(refusal), 0)
    }

    /// Blocks of ten accounts that end at the same times, one after the other and at one line;
    /// between them lines that are refused, and time that goes back.
    fn log() -> Vec<Line<'static>> {
        let mut log = Vec::new();
        for number in 0..1_000 {
            let at = number as i64 / 30 * MINUTE_MS / 4 - 7 * (number % 13) as i64;
            log.push(match number % 10 {
                9 => refused(number),
                8 => line(number, Input::Tick, at),
                _ => blocking(number, number * 7 % 10, MINUTE_MS + at),
            });
        }
        log.push(line(1_000, Input::Tick, 60 * MINUTE_MS));
        log
    }

    #[test]
    fn shares_decide_what_one_state_decides_however_the_lines_are_cut() {
        let log = log();
        let (mut one, mut expected) = (State::new(10), Vec::new());
        one.fold_lines(&log, &mut expected);
        let lifted =
            expected.iter().filter(|it| matches!(it, Decision::BlockChanged(it) if !it.blocked()));
        assert!(lifted.count() > 500);
        for (count, cut) in [(1, 1_001), (2, 1), (2, 300), (3, 77), (7, 1_001)] {
            let mut shares: Vec<State> = (0..count).map(|_| State::new(10)).collect();
            let mut decisions = Vec::new();
            for lines in log.chunks(cut) {
                let mut placed = Vec::new();
                for (number, share) in shares.iter_mut().enumerate() {
                    let (first, second) = lines.split_at(lines.len() / 2);
                    let [one, other] = [first, second].map(|lines| Dealt::new(lines, count));
                    share.fold_share(&one, number, 0, &mut placed);
                    share.fold_share(&other, number, first.len(), &mut placed);
                }
                decisions.extend(in_order(placed));
            }
            assert!(decisions == expected, "{count} shares, {cut} lines at once");
            let events: u64 = shares.iter().map(|share| share.counts().events).sum();
            assert_eq!(events, one.counts().events);
        }
    }
}
