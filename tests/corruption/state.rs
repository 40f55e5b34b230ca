//! Damage to the files of a real RocksDB.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::damage::Damage;
use crate::dice::Dice;
use crate::image::{Image, copied, directory, same};
use crate::outcome::{Outcome, cases, run};

const CASES: u64 = 2_500;

fn kind_of(name: &str) -> &str {
    match name.split_once('.') {
        Some((_, "sst")) => "table",
        Some((_, "log")) => "write-ahead log",
        _ => name.split(['-', '.']).next().unwrap(),
    }
}

fn matters(name: &str) -> bool {
    matches!(kind_of(name), "table" | "write-ahead log" | "MANIFEST" | "CURRENT")
}

fn refusal_says_enough(why: &str, folder: &Path) -> bool {
    // What the fold finds is told of the partition, what the store finds of its folder.
    let place = why.contains(&*folder.to_string_lossy()) && why.contains("move it away");
    place || why.contains("move the partition's state away")
}

fn case(images: &[Image], seed: u64) -> (String, Outcome) {
    let mut dice = Dice::new(seed);
    let image = &images[dice.below(images.len())];
    let state = directory();
    let folder = state.path().join("0");
    image.lay_out(&folder);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // What matters is damaged more often than what is only told: RocksDB's own words, its lock.
    let weigh = |name: &&String| if matters(name) { 6 } else { 1 };
    let weights: Vec<usize> = names.iter().map(|name| weigh(&name)).collect();
    let mut at = dice.below(weights.iter().sum());
    let chosen = weights.iter().position(|weight| {
        let here = at < *weight;
        at = at.saturating_sub(*weight);
        here
    });
    let name = &names[chosen.unwrap()];
    let damage = Damage::any(&mut dice);
    let path = folder.join(name);
    match damage.done_to(&fs::read(&path).unwrap(), &mut dice) {
        Some(bytes) => fs::write(&path, bytes).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
    let topics = copied(&image.topics, same);
    let ended = catch_unwind(AssertUnwindSafe(|| image.go_on(&topics, state.path())));
    let outcome = match ended {
        Ok(Ok(())) => Outcome::Exact,
        Ok(Err(Outcome::Refused(why))) if !refusal_says_enough(&why, &folder) => {
            Outcome::Wrong(format!("the refusal does not say enough: {why}"))
        }
        Ok(Err(outcome)) => outcome,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            Outcome::Wrong(format!("it panicked: {}", words.unwrap_or_default()))
        }
    };
    let outcome = match outcome {
        Outcome::Wrong(why) => Outcome::Wrong(format!("{}, {name}: {why}", image.name)),
        other => other,
    };
    (format!("{}, {damage:?}", kind_of(name)), outcome)
}

#[test]
fn damaged_state_files_are_without_effect_or_refused() {
    let images = [
        Image::new("plain-1", 1, true),
        Image::new("plain-2", 3, true),
        Image::new("stress-1", 1, false),
        Image::new("stress-2", 3, false),
    ];
    run("state", cases(CASES), |seed| case(&images, seed));
}
