//! The bounds that are searched. Each name says what may go wrong; pauses anywhere and appends
//! that lose to another's are part of all.

use super::model::Config;
use super::state::{BLOCK_STATE_MAX, Faults, JOURNAL_MAX};

const NONE: Faults = Faults {
    crashes: 0,
    leaves: 0,
    failures: 0,
    bare: 0,
    late: 0,
    freezes: 0,
    interrupts: 0,
    cuts: 0,
};

pub const TWO: Config = Config {
    name: "two owners",
    owners: 2,
    lines: 2,
    batch_lines_max: 1,
    appends_in_flight_max: 1,
    outputs: false,
    keys: 0,
    clocks: false,
    journal_max: JOURNAL_MAX,
    block_state_max: BLOCK_STATE_MAX,
    faults: NONE,
};
pub const TIGHT: Config = Config { name: "one line, no room", lines: 1, journal_max: 5, ..TWO };
pub const DEEP: Config = Config { name: "two in flight", appends_in_flight_max: 2, ..TWO };
pub const CLOCKS: Config = Config { name: "two in flight, clocks differ", clocks: true, ..DEEP };
pub const FAILS: Config = Config {
    name: "a failed append that lands late",
    faults: Faults { failures: 1, late: 1, ..NONE },
    ..TWO
};
pub const TWO_LATE: Config = Config {
    name: "one owner, two in flight land late in any order",
    owners: 1,
    faults: Faults { failures: 1, late: 2, ..NONE },
    ..DEEP
};
pub const BARE: Config = Config {
    name: "an acknowledgement without an offset",
    faults: Faults { bare: 1, ..NONE },
    ..TWO
};
pub const INTERRUPTED: Config = Config {
    name: "an interrupted recovery",
    faults: Faults { failures: 1, interrupts: 1, ..NONE },
    ..TWO
};
pub const CRASH: Config = Config {
    name: "a crash, a late append",
    faults: Faults { crashes: 1, late: 1, ..NONE },
    lines: 1,
    ..TWO
};
pub const THREE: Config =
    Config { name: "three owners that name themselves", owners: 3, lines: 0, ..TWO };
pub const THREE_CRASH: Config = Config {
    name: "three owners, a crash, a late append",
    faults: Faults { crashes: 1, late: 1, ..NONE },
    ..THREE
};
pub const THREE_FAIL: Config = Config {
    name: "three owners, a failed append that lands late",
    faults: Faults { failures: 1, late: 1, ..NONE },
    ..THREE
};
pub const OUTPUTS: Config = Config { name: "outputs", outputs: true, journal_max: 7, ..TWO };
pub const OUTPUTS_ALONE: Config = Config {
    name: "one owner, outputs, two crashes",
    owners: 1,
    outputs: true,
    faults: Faults { crashes: 2, ..NONE },
    ..DEEP
};
pub const TAKEOVER: Config = Config {
    name: "outputs, an owner leaves",
    outputs: true,
    faults: Faults { leaves: 1, ..NONE },
    ..TWO
};
pub const CHECKPOINT: Config = Config {
    name: "a checkpoint",
    batch_lines_max: 2,
    faults: Faults { freezes: 1, ..NONE },
    ..TWO
};
pub const CHECKPOINTS_ALONE: Config = Config {
    name: "one owner, outputs, two checkpoints, two crashes",
    owners: 1,
    outputs: true,
    faults: Faults { crashes: 2, freezes: 2, ..NONE },
    ..TWO
};
pub const CUT: Config = Config {
    name: "a checkpoint, a crash, the journal is cut",
    lines: 0,
    faults: Faults { crashes: 1, cuts: 1, freezes: 1, ..NONE },
    ..TWO
};
pub const BLOCKS: Config =
    Config { name: "block-state, one key", keys: 1, block_state_max: 5, ..TWO };
pub const BLOCK: Config = Config { name: "block-state, one line", keys: 1, lines: 1, ..TWO };
pub const BLOCKS_ALONE: Config = Config {
    name: "one owner, block-state, two crashes",
    owners: 1,
    keys: 1,
    faults: Faults { crashes: 2, ..NONE },
    ..DEEP
};

/// What the test command searches.
pub const SMALL: &[Config] = &[
    CRASH,
    BLOCKS,
    THREE_CRASH,
    FAILS,
    CHECKPOINT,
    CLOCKS,
    DEEP,
    TAKEOVER,
    INTERRUPTED,
    OUTPUTS,
    THREE_FAIL,
    THREE,
    CUT,
    CHECKPOINTS_ALONE,
    BARE,
    BLOCK,
    TWO,
    BLOCKS_ALONE,
    OUTPUTS_ALONE,
    TWO_LATE,
    TIGHT,
];

/// What `make protocol` searches besides, the largest first.
pub const LARGE: &[Config] = &[
    Config { name: "three lines in batches, two in flight", lines: 3, batch_lines_max: 2, ..DEEP },
    Config { name: "a line, a checkpoint, a crash, the journal is cut", lines: 1, ..CUT },
    Config { name: "three owners, a line", lines: 1, ..THREE },
    Config {
        name: "outputs, a crash",
        faults: Faults { crashes: 1, ..NONE },
        journal_max: JOURNAL_MAX,
        ..OUTPUTS
    },
    Config {
        name: "a checkpoint, a crash",
        faults: Faults { crashes: 1, freezes: 1, ..NONE },
        ..TWO
    },
    Config {
        name: "block-state, a crash, a late record",
        faults: Faults { crashes: 1, late: 1, ..NONE },
        ..BLOCK
    },
    Config { name: "two lines, a crash, a late append", lines: 2, ..CRASH },
    Config { name: "two in flight, a crash, a late append", appends_in_flight_max: 2, ..CRASH },
    Config { name: "block-state, two keys", keys: 2, ..TWO },
    Config {
        name: "one owner, everything at once",
        owners: 1,
        outputs: true,
        keys: 1,
        faults: Faults { crashes: 1, failures: 1, late: 1, freezes: 1, ..NONE },
        ..TWO
    },
];
