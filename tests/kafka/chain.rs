//! The suite's own reading of a journal partition: which records form the chain. The rule is written
//! here once more, from DESIGN.md, so that a slip in the engine's would show.

use std::collections::BTreeSet;

use tollgate::journal::{Hash, Record};

use crate::engine::PARTITIONS;
use crate::topics::{Row, Tail};

/// The valid records of one partition, as far as they were read.
#[derive(Default)]
pub struct Chain {
    pub records: Vec<Record>,
    /// When the broker took each of `records`.
    pub appended: Vec<i64>,
    /// Records that extended nothing: appends of owners that had lost the partition.
    pub void: usize,
    tip: Option<Hash>,
}

impl Chain {
    fn read(&mut self, row: &Row) {
        let bytes = row.value.as_deref().expect("a journal record has a value");
        let record = Record::decode(bytes).expect("a journal record decodes");
        if self.extended_by(&record) {
            self.tip = Some(Hash::of(bytes));
            self.records.push(record);
            self.appended.push(row.timestamp);
        } else {
            self.void += 1;
        }
    }

    fn extended_by(&self, next: &Record) -> bool {
        let (Some(last), Some(tip)) = (self.records.last(), self.tip) else {
            return next.seq == 0 && next.prev == Hash::ZERO;
        };
        next.prev == tip
            && next.seq == last.seq + 1
            && next.billed.from == last.billed.to
            && next.commands.from == last.commands.to
            && next.billed.from <= next.billed.to
            && next.commands.from <= next.commands.to
            && next.now >= last.now
            && next.published_through >= last.published_through
            && next.published_through.is_none_or(|through| through < next.seq)
    }

    /// Offsets of billed events and commands up to which everything is folded.
    pub fn folded(&self) -> (u64, u64) {
        self.records.last().map_or((0, 0), |last| (last.billed.to, last.commands.to))
    }

    /// How many engine processes appended to the chain.
    pub fn runs(&self) -> usize {
        self.records.iter().map(|r| r.owner.run.as_str()).collect::<BTreeSet<_>>().len()
    }
}

/// Follows the journal of all partitions while engines write it.
pub struct Journal {
    tail: Tail,
    pub chains: Vec<Chain>,
}

impl Journal {
    pub fn follow(bootstrap: &str, topic: &str) -> Journal {
        let chains = (0..PARTITIONS).map(|_| Chain::default()).collect();
        Journal { tail: Tail::new(bootstrap, topic), chains }
    }

    /// Reads up to the present end.
    pub fn catch_up(&mut self) {
        let chains = &mut self.chains;
        self.tail.catch_up(|partition, row| chains[partition as usize].read(&row));
    }

    /// Lines folded so far, over all partitions.
    pub fn lines(&self) -> u64 {
        self.chains.iter().map(Chain::folded).map(|(billed, commands)| billed + commands).sum()
    }

    pub fn void(&self) -> usize {
        self.chains.iter().map(|chain| chain.void).sum()
    }

    /// The address of the engine that owns each partition now; empty where nothing was appended yet.
    pub fn addresses(&self) -> Vec<String> {
        let last = |chain: &Chain| chain.records.last().map(|last| last.owner.address.clone());
        self.chains.iter().map(|chain| last(chain).unwrap_or_default()).collect()
    }

    /// Records of the engine at this address.
    pub fn appended_by(&self, address: &str) -> usize {
        let records = self.chains.iter().flat_map(|chain| &chain.records);
        records.filter(|record| record.owner.address == address).count()
    }

    /// How often a partition went from one process to another.
    pub fn takeovers(&self) -> usize {
        let of = |chain: &Chain| {
            let pairs = chain.records.windows(2);
            pairs.filter(|pair| pair[0].owner.run != pair[1].owner.run).count()
        };
        self.chains.iter().map(of).sum()
    }

    /// The run that owns each partition now; empty where nothing was appended yet.
    pub fn owners(&self) -> Vec<String> {
        let last = |chain: &Chain| chain.records.last().map(|record| record.owner.run.clone());
        self.chains.iter().map(|chain| last(chain).unwrap_or_default()).collect()
    }
}
