//! The command line: reads the arguments, wires the roles, and turns their end into an exit code.
//! Promise: an error is printed once, here, with what to do next. It is the only module, with
//! `main`, that knows every role.

mod api;
pub mod args;
mod config;
mod demo;
mod engine;
mod generate;
mod keys;
mod notify;
mod replay;
mod run;
mod server;
mod signing;
mod state;
mod stop;
mod topics;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::config::{LogFormat, LogLevel, LogOptions};
use crate::error::{Error, Exit};
use crate::telemetry::log_to_stderr;
use args::{Cli, Command};

/// Runs what the process's arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    // Wrong arguments end here, with exit code 2; help and version with 0.
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Nothing is left to tell it to if standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.exit().into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Error> {
    let log = Log { level: cli.log_level };
    match cli.command {
        Command::Run(args) => run::run(&args, log),
        Command::Replay(args) => {
            log.start_quiet();
            replay::run(&args)
        }
        Command::Generate(args) => {
            log.start_quiet();
            generate::run(&args)
        }
        Command::Topics(command) => {
            log.start_quiet();
            topics::run(&command)
        }
        Command::Config(command) => config::run(&command),
        Command::Keys(command) => {
            log.start_quiet();
            keys::run(&command)
        }
        Command::Notify(command) => {
            log.start_quiet();
            notify::run(&command)
        }
        Command::State(command) => {
            log.start_quiet();
            state::run(&command)
        }
        Command::Demo(args) => demo::run(&args, log),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut script);
            print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
    }
}

/// What the flags say about logging.
#[derive(Clone, Copy, Debug)]
struct Log {
    level: Option<LogLevel>,
}

impl Log {
    /// For commands that serve: as configured, unless a flag says otherwise.
    fn start(self, options: &LogOptions) {
        let level = self.level.unwrap_or(options.level);
        log_to_stderr(&LogOptions { level, format: options.format });
    }

    /// For commands that a person waits for: only what went wrong, unless a flag says otherwise.
    fn start_quiet(self) {
        let level = self.level.unwrap_or(LogLevel::Warn);
        log_to_stderr(&LogOptions { level, format: LogFormat::Text });
    }
}

/// Prints to standard output. A reader that went away (`| head`) has what it wanted.
fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::failed("cannot write to standard output").because(error))
        }
        _ => Ok(()),
    }
}
