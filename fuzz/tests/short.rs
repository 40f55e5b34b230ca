//! Every target on stable Rust, without libFuzzer: its committed corpus and what once failed, then
//! mutations of them for a while. Promise: the mutations follow from one seed, which is printed.
//! It is no search: it finds what lies near known inputs, so that a slip shows within a minute.
//!
//! `FUZZ_SECONDS` is the time of all targets together (20), `FUZZ_SEED` the seed (1).

#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use tollgate_fuzz::{TARGETS, Target};

/// Longest time that one input may take, on a machine that does other things beside.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);
const INPUT_BYTES_MAX: usize = 8192;

#[test]
fn every_target_holds_on_its_corpus_and_near_it() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text}, no number")),
        Err(_) => default,
    };
    let (seconds, seed) = (number("FUZZ_SECONDS", 20), number("FUZZ_SEED", 1));
    println!("seed {seed}, {seconds} s");
    let each = seconds as f64 / TARGETS.len() as f64;
    let failed: Vec<&str> =
        TARGETS.iter().filter(|target| !holds(target, seed, each)).map(|it| it.name).collect();
    assert!(failed.is_empty(), "failed, see above for their inputs: {}", failed.join(", "));
}

fn holds(target: &Target, seed: u64, seconds: f64) -> bool {
    let mut inputs = files(target.name, "corpus");
    assert!(inputs.len() >= 5, "{}: {} inputs in its corpus", target.name, inputs.len());
    inputs.extend(files(target.name, "regressions"));
    if !inputs.iter().all(|input| run(target, input)) {
        return false;
    }
    let Some(mutated) = mutate(target, &inputs, seed, seconds) else { return false };
    println!("{}: {} inputs, {mutated} mutations", target.name, inputs.len());
    true
}

fn files(target: &str, folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file of the corpus")).collect()
}

/// Whether the target holds on the input, in time.
fn run(target: &Target, input: &[u8]) -> bool {
    let started = Instant::now();
    let outcome = catch_unwind(|| target.run(input));
    let taken = started.elapsed();
    if outcome.is_ok() && taken < INPUT_TIME_MAX {
        return true;
    }
    println!("{}: fails in {taken:?} on\n  {}", target.name, input.escape_ascii());
    false
}

/// Runs mutations for so long; gives their number, or `None` when one failed.
fn mutate(target: &Target, inputs: &[Vec<u8>], seed: u64, seconds: f64) -> Option<u64> {
    let started = Instant::now();
    let words = words(target.name);
    let mut dice = Dice(seed);
    let mut count = 0;
    while started.elapsed().as_secs_f64() < seconds {
        let mut input = dice.one_of(inputs).clone();
        for _ in 0..=dice.below(4) {
            change(&mut input, inputs, &words, &mut dice);
        }
        input.truncate(INPUT_BYTES_MAX);
        if !run(target, &input) {
            return None;
        }
        count += 1;
    }
    Some(count)
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], words: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let to = at + dice.below((input.len() - at).min(16) + 1);
    match dice.below(8) {
        0 | 1 if at < input.len() => input[at] ^= 1 << dice.below(8),
        2 if at < input.len() => {
            input[at] = *dice.one_of(b"\x00\x01\x02\x7f\x80\xff0123456789-+.\"\\{}[],:eZT \n");
        }
        3 => drop(input.drain(at..to)),
        4 => {
            let part = input[at..to].to_vec();
            input.splice(at..at, part);
        }
        5 if !words.is_empty() => drop(input.splice(at..at, dice.one_of(words).clone())),
        6 => {
            let other = dice.one_of(inputs);
            let from = dice.below(other.len() + 1);
            let until = from + dice.below((other.len() - from).min(64) + 1);
            input.splice(at..to, other[from..until].to_vec());
        }
        _ => drop(input.splice(at..at, [dice.below(256) as u8])),
    }
}

/// The target's dictionary: a word in quotes a line, with libFuzzer's escapes.
fn words(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dict").join(format!("{target}.dict"));
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let quoted = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(unescaped).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), word.as_bytes());
    while let [first, behind @ ..] = rest {
        (rest, _) = match (first, behind) {
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digits = [*high, *low].map(char::from).iter().collect::<String>();
                let byte = u8::from_str_radix(&digits, 16).expect("two hexadecimal digits");
                (behind, bytes.push(byte))
            }
            (b'\\', [escaped, behind @ ..]) => (behind, bytes.push(*escaped)),
            _ => (behind, bytes.push(*first)),
        };
    }
    bytes
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }
}
