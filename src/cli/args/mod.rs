//! What can be typed: the subcommands and their flags, parsed literally.
//! Promise: parsing reads no file and no clock; a value that came through has the form its field
//! says. What the flags mean beyond their form is resolved by the subcommand that takes them.

mod generate;
mod keys;
mod signing;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use generate::{Generate, Mix};
pub use keys::{Keys, KeysOf, NewKey};
pub use signing::{Signing, SigningFile, SigningKey};

use crate::config::LogLevel;
use crate::demo::RATE_MAX;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; also after SIGINT or SIGTERM, once everything is put down in order
  1  failed while running: a broker, a disk, a file, a partition that had to stop
  2  wrong arguments or configuration; nothing was started or changed
  3  ran, and found things not as they should be (topics check, replay --strict)";

const TOP_EXAMPLES: &str = "\
Examples:
  tollgate demo --for 30s
  tollgate generate --events 1000000 --seed 7 --out a.ndjson
  tollgate replay --log a.ndjson --decisions decisions.ndjson --totals totals.ndjson
  tollgate config check --config tollgate.toml
  tollgate topics create --config tollgate.toml
  tollgate run --config tollgate.toml";

/// Exact running totals of what every message cost, and blocks within milliseconds.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, propagate_version = true)]
#[command(after_help = format!("{TOP_EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Cli {
    /// What is logged to standard error: error, warn, info, debug or trace; goes before
    /// `log.level` of the configuration
    #[arg(long, global = true, value_name = "LEVEL", value_enum, hide_possible_values = true)]
    pub log_level: Option<LogLevel>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run on Kafka until SIGINT or SIGTERM
    Run(Run),
    /// Fold a log from files and print what was decided; publishes nothing
    Replay(Replay),
    /// Make synthetic traffic, to a file or to the topics
    Generate(Generate),
    /// Create the topics, or check that they are as the engine needs them
    #[command(subcommand)]
    Topics(Topics),
    /// Check, print or describe the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make, list and revoke API keys, and the keys that sign webhooks
    #[command(subcommand)]
    Keys(Keys),
    /// Try out how an account is notified
    #[command(subcommand)]
    Notify(Notify),
    /// Read a state folder from outside: totals, or what it holds
    #[command(subcommand)]
    State(State),
    /// Try it out: embedded broker, traffic and engine in one process, nothing to install
    Demo(Demo),
    /// Print the completion script of a shell
    #[command(
        after_help = "Example:\n  tollgate completions bash > /etc/bash_completion.d/tollgate"
    )]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Notifications.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Send a sample through every webhook, Slack and mailbox of an account, and print what came
    /// back
    Test(NotifyTest),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  tollgate notify test --account acme --config tollgate.toml")]
pub struct NotifyTest {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The account
    #[arg(long, value_name = "ACCOUNT")]
    pub account: String,
}

/// Looks into a state folder; the engine may have it open, and what it wrote last may be missing.
#[derive(Debug, Subcommand)]
pub enum State {
    /// Print every total as a JSON line, sorted as `replay --totals` sorts them
    Totals(StateDir),
    /// Print each partition's journal position, rows by kind and bytes as a JSON line
    Summary(StateDir),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  tollgate state totals --state-dir state > totals.ndjson")]
pub struct StateDir {
    /// Folder with one folder a partition: `engine.state_dir` of the configuration
    #[arg(long, value_name = "DIR", default_value = "state")]
    pub state_dir: PathBuf,
}

/// Where the configuration is; without a file, the defaults and the environment count.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigFile {
    /// Configuration in TOML; TOLLGATE_* variables go before it, defaults behind it
    #[arg(long, value_name = "FILE", env = "TOLLGATE_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  tollgate run --config tollgate.toml
  TOLLGATE_KAFKA_BOOTSTRAP=kafka-1:9092,kafka-2:9092 tollgate run --roles engine")]
pub struct Run {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The roles of this process, separated by commas
    #[arg(long, value_enum, value_delimiter = ',',
          default_values = ["engine", "api", "gate", "notify"])]
    pub roles: Vec<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Folds billed events and commands, decides, publishes
    Engine,
    /// Serves limits, usage, blocks and keys over HTTP
    Api,
    /// Answers over HTTP whether a send may go
    Gate,
    /// Delivers notifications, once notify.signing_keys is set
    Notify,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Engine, Role::Api, Role::Gate, Role::Notify];
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A log is NDJSON (also .gz and .zst) or an Avro container file (.avro); `-` is standard input.
Lines that cannot be read become `rejected` decisions and the rest goes on.

Examples:
  tollgate replay --log a.ndjson --decisions decisions.ndjson --totals totals.ndjson
  zcat a.ndjson.gz | tollgate replay --log - --decisions - --json 2> summary.json")]
pub struct Replay {
    /// The log, several files in the order in which they are folded; - is standard input
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub log: Vec<PathBuf>,
    /// Where the decisions go, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
    /// Where the totals go, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE")]
    pub totals: Option<PathBuf>,
    /// Summary as one JSON object: on standard output, or on standard error if decisions or totals
    /// go to standard output
    #[arg(long)]
    pub json: bool,
    /// How long the id of an event is remembered, in minutes
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u16).range(1..=1440))]
    pub dedup_minutes: u16,
    /// Threads that fold, each some of the accounts; without it one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// End with exit code 3 if a line was rejected
    #[arg(long)]
    pub strict: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The embedded broker speaks the Kafka protocol on a loopback port and keeps nothing.

Examples:
  tollgate demo
  tollgate demo --for 30s --json")]
pub struct Demo {
    /// End by itself after this time (30s, 5m, 1h); without it on Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Summary as one JSON object on standard output, and no table
    #[arg(long)]
    pub json: bool,
    /// Events per second; more would outrun what the embedded broker keeps
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    pub rate: u32,
    /// What the randomness starts from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Subcommand)]
pub enum Topics {
    /// Create the topics that do not exist yet, as the engine needs them
    #[command(after_help = "Example:\n  tollgate topics create --config tollgate.toml")]
    Create(ConfigFile),
    /// Compare the topics with what the engine assumes; exit code 3 if something is wrong
    #[command(after_help = "Example:\n  tollgate topics check --config tollgate.toml")]
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// Report as one JSON object on standard output
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Report every fault at once, with its place and what to do about it
    #[command(after_help = "Example:\n  tollgate config check --config tollgate.toml")]
    Check(ConfigFile),
    /// Print the configuration in force as TOML, and where each value comes from
    #[command(after_help = "Example:\n  tollgate config print > tollgate.toml")]
    Print {
        #[command(flatten)]
        file: ConfigFile,
        /// Leave out what each key means
        #[arg(long)]
        brief: bool,
    },
    /// Print the JSON Schema of the configuration: every key with unit, default and consequence
    #[command(after_help = "Example:\n  tollgate config schema > tollgate.schema.json")]
    Schema,
}

/// Reads `500ms`, `30s`, `5m`, `2h` or `1d`; more than 0, at most 366 days.
///
/// # Errors
/// For people: what was expected instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a whole number and a unit: 500ms, 30s, 5m, 2h, 1d".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number = u64::from_str(number).map_err(|_| expected())?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    match number.checked_mul(unit_ms) {
        Some(millis) if (1..=366 * 86_400_000).contains(&millis) => {
            Ok(Duration::from_millis(millis))
        }
        _ => Err("expected more than 0 and at most 366 days".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_commands_are_read() {
        for line in [
            "tollgate run --config a.toml --roles engine",
            "tollgate replay --log a.ndjson b.ndjson.gz --decisions - --totals t --json",
            "tollgate replay --log a --log b --dedup-minutes 1440 --strict",
            "tollgate generate --events 1000000 --seed 7 --out a.ndjson",
            "tollgate generate --topic --config a.toml --rate 100 --late 2% --garbage 0",
            "tollgate topics check --config a.toml --json",
            "tollgate topics create --config a.toml",
            "tollgate config print --config a.toml --log-level debug",
            "tollgate config schema",
            "tollgate demo --for 30s --json --rate 10 --seed 3",
            "tollgate keys new --account acme --scopes read,gate --name ops-1",
            "tollgate keys list --account acme --config a.toml",
            "tollgate keys revoke --account acme 0123456789abcdef",
            "tollgate keys signing new --file signing.json",
            "tollgate keys signing activate --file signing.json 0123456789abcdef",
            "tollgate keys signing show --file signing.json --account acme",
            "tollgate completions zsh",
        ] {
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn contradicting_or_incomplete_commands_are_refused() {
        for line in [
            "tollgate",
            "tollgate replay",
            "tollgate replay --log a --dedup-minutes 0",
            "tollgate replay --log a --dedup-minutes 1441",
            "tollgate generate --out a.ndjson",
            "tollgate generate --events 5",
            "tollgate generate --events 5 --out a --topic",
            "tollgate generate --events 5 --out a --late 2",
            "tollgate generate --topic --start 2026-01-15T00:00:00Z",
            "tollgate demo --for 30",
            "tollgate run --roles painter",
            "tollgate keys new",
            "tollgate keys new --account acme --scopes admin",
            "tollgate keys signing retire --file signing.json",
            "tollgate keys signing show --file signing.json",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn durations_have_a_unit_and_a_bound() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        for text in ["", "s", "1", "-1s", "0s", "1.5s", "367d", "99999999999999999999s", "1é"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }
}
