//! The flags of `tollgate generate`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::ConfigFile;
use crate::generate::{self, Share, Shares};
use crate::time::Millis;

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).args(["out", "topic"]))]
#[command(after_help = "\
The same seed and flags give the same bytes. The file's ending chooses compression: .gz, .zst.

Examples:
  tollgate generate --events 1000000 --seed 7 --out a.ndjson
  tollgate generate --events 50000 --accounts 10 --garbage 5% --out - | tollgate replay --log -
  tollgate generate --topic --config tollgate.toml --rate 2000")]
pub struct Generate {
    /// How many billed events; to the topics also without end, until Ctrl-C
    #[arg(long, value_name = "N", required_unless_present = "topic")]
    pub events: Option<u64>,
    /// What the randomness starts from
    #[arg(long, value_name = "S", default_value_t = generate::Options::default().seed)]
    pub seed: u64,
    /// Write to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write to the topics named in the configuration
    #[arg(long)]
    pub topic: bool,
    #[command(flatten)]
    pub file: ConfigFile,
    /// Events per second, of the time they carry; to topics they are also sent at this rate.
    /// Without it a file gets 5 per second, and topics are filled as fast as possible with events
    /// that occur now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rate: Option<u64>,
    /// When a file's first event occurs (RFC 3339); on topics it is the present
    #[arg(long, value_name = "TIME", default_value_t = generate::Options::default().start,
          conflicts_with = "topic", value_parser = parse_time)]
    pub start: Millis,
    #[command(flatten)]
    pub mix: Mix,
}

/// What the traffic is made of; defaults are those of the generator.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Mix (a share is written 0.01 or 1%)")]
pub struct Mix {
    /// Different accounts
    #[arg(long, value_name = "N", default_value_t = generate::Options::default().accounts)]
    pub accounts: u32,
    /// Messaging profiles of each account
    #[arg(long, value_name = "N",
          default_value_t = generate::Options::default().profiles_per_account)]
    pub profiles: u32,
    /// Exponent of the Zipf distribution over accounts and profiles; 0 spreads evenly
    #[arg(long, value_name = "S", default_value_t = generate::Options::default().zipf_exponent)]
    pub zipf: f64,
    /// Limits that an account opens with, at most; 0 for traffic without commands
    #[arg(long, value_name = "N",
          default_value_t = generate::Options::default().limits_per_account)]
    pub limits: u32,
    /// Share of events sent twice
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().duplicates)]
    pub duplicates: Share,
    /// Share of events with the id of an earlier one and another cost
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().conflicts)]
    pub conflicts: Share,
    /// Share of events that occurred up to 36 hours before they are recorded
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().late)]
    pub late: Share,
    /// Share of events that occur up to 23 hours after they are recorded
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().early)]
    pub early: Share,
    /// Share of corrections (negative cost)
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().corrections)]
    pub corrections: Share,
    /// Share of lines that must be rejected, in many ways
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().garbage)]
    pub garbage: Share,
    /// Share of messages with the purpose otp
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().otp)]
    pub otp: Share,
    /// Share of commands that change or remove a limit on the way
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().changes)]
    pub changes: Share,
}

fn parse_time(text: &str) -> Result<Millis, String> {
    Millis::parse(text).map_err(|error| error.to_string())
}
