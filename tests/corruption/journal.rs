//! Damage to records of the journal, as if Kafka's own checksums did not see it; and records that
//! vanish. The store may be there, or lost, so that all is read again from the first record.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tollgate::engine::log::Source;
use tollgate::engine::memory::MemoryTopics;
use tollgate::journal::Record;

use crate::damage::Damage;
use crate::dice::Dice;
use crate::image::{Image, copied, directory};
use crate::outcome::{Outcome, cases, run};

const CASES: u64 = 2_500;

/// The topics with the record at `at` of the journal damaged.
fn damaged(topics: &MemoryTopics, at: usize, damage: Damage, dice: &mut Dice) -> MemoryTopics {
    copied(topics, |source, offset, value| {
        if (source, offset) != (Source::Journal, at as u64) {
            return Some(value.to_vec());
        }
        damage.done_to(value, dice)
    })
}

/// Whether a later record says that the outputs of the one at `at` are published.
fn published_later(topics: &MemoryTopics, at: usize) -> bool {
    let records: Vec<Record> = topics
        .source(Source::Journal)
        .iter()
        .map(|stored| Record::decode(stored.value.as_deref().unwrap()).unwrap())
        .collect();
    let seq = records[at].seq;
    records[at + 1..].iter().any(|later| later.published_through >= Some(seq))
}

fn case(images: &[Image], seed: u64) -> (String, Outcome) {
    let mut dice = Dice::new(seed);
    let image = &images[dice.below(images.len())];
    let state = directory();
    let folder = state.path().join("0");
    let kept = dice.below(2) == 0;
    if kept {
        image.lay_out(&folder);
    }
    let records = image.topics.source(Source::Journal).len();
    // The end of the journal is where a store goes on reading.
    let newest = if dice.below(2) == 0 { records } else { records.min(12) };
    let at = records - 1 - dice.below(newest);
    let damage = Damage::any(&mut dice);
    let known = published_later(&image.topics, at);
    // The last records may vanish without a trace in the others: that they do not is Kafka's part.
    let damage = if known || damage != Damage::Gone { damage } else { Damage::BitFlip };
    let topics = damaged(&image.topics, at, damage, &mut dice);
    let ended = catch_unwind(AssertUnwindSafe(|| image.go_on(&topics, state.path())));
    let outcome = match ended {
        Ok(Ok(())) => Outcome::Exact,
        Ok(Err(Outcome::Wrong(why))) => {
            Outcome::Wrong(format!("{}, record {at} of {records}: {why}", image.name))
        }
        Ok(Err(outcome)) => outcome,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            Outcome::Wrong(format!("{}, record {at} of {records} panicked: {words}", image.name))
        }
    };
    (format!("{damage:?}, store {}", if kept { "kept" } else { "lost" }), outcome)
}

#[test]
fn damaged_journal_records_are_without_effect_or_refused() {
    let images = [Image::new("plain-1", 1, true), Image::new("stress-1", 2, true)];
    run("journal", cases(CASES), |seed| case(&images, seed));
}
