//! The flags of `tollgate keys`.

use clap::{Args, Subcommand};

use super::{ConfigFile, Signing};
use crate::api::keys::Scope;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key and print it, once: only its digest is recorded
    New(NewKey),
    /// List an account's keys: id, name, scopes, time of creation
    List(KeysOf),
    /// End a key; servers refuse it within a second
    #[command(after_help = "Example:\n  tollgate keys revoke --account acme 6c1de6f24ee0d7c5")]
    Revoke {
        #[command(flatten)]
        of: KeysOf,
        /// The key's id, as `keys list` shows it
        id: String,
    },
    /// Make, list, activate and retire the keys that sign webhooks
    #[command(subcommand)]
    Signing(Signing),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  tollgate keys new --account acme
  tollgate keys new --account acme --scopes gate --name sender-1")]
pub struct NewKey {
    #[command(flatten)]
    pub of: KeysOf,
    /// What the key may do, separated by commas: see, change settings, ask the gate
    #[arg(long, value_delimiter = ',', default_values = ["read", "write", "gate"],
          value_parser = parse_scope)]
    pub scopes: Vec<Scope>,
    /// A name for lists and the audit
    #[arg(long)]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct KeysOf {
    #[command(flatten)]
    pub file: ConfigFile,
    /// Whose key it is
    #[arg(long, value_name = "ACCOUNT")]
    pub account: String,
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    let known = || "expected read, write or gate".to_owned();
    Scope::parse(text).ok_or_else(known)
}
