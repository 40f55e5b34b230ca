//! The flags of `tollgate keys signing`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const ROTATION: &str = "\
A rotation, so that no receiver ever meets a signature it does not know:
  tollgate keys signing new             the new key signs webhook-signature, beside the old one
  tollgate keys signing show --account acme   what to hand to a customer: both keys are valid
  tollgate keys signing activate ID     telnyx-signature-ed25519 is the new key's from now on
  tollgate keys signing retire OLD_ID   the old key signs nothing any more
Notifiers that run see each step at the next webhook.";

/// Keys that sign webhooks.
#[derive(Debug, Subcommand)]
#[command(after_help = ROTATION)]
pub enum Signing {
    /// Make a key and print its row; the first key of a file is active at once
    #[command(after_help = "\
Example:
  tollgate keys signing new --file /etc/tollgate/signing.json")]
    New(SigningFile),
    /// List the keys: id, time of creation, active, waiting or leaving, public key
    #[command(after_help = "Example:\n  tollgate keys signing list --file signing.json")]
    List(SigningFile),
    /// Let a key sign telnyx-signature-ed25519, which carries one signature
    #[command(after_help = "Example:\n  tollgate keys signing activate 6c1de6f24ee0d7c5")]
    Activate(SigningKey),
    /// Take a key out, once every receiver knows the active one
    #[command(after_help = "Example:\n  tollgate keys signing retire 6c1de6f24ee0d7c5")]
    Retire(SigningKey),
    /// Print what an account needs to verify webhooks; its secrets are for that account alone
    #[command(after_help = "Example:\n  tollgate keys signing show --account acme")]
    Show {
        #[command(flatten)]
        file: SigningFile,
        /// Whose secrets
        #[arg(long, value_name = "ACCOUNT")]
        account: String,
    },
}

#[derive(Clone, Debug, Args)]
pub struct SigningFile {
    /// The keys' file, which only its owner may read
    #[arg(
        long = "file",
        value_name = "FILE",
        env = "TOLLGATE_NOTIFY_SIGNING_KEYS",
        hide_env_values = true
    )]
    pub path: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct SigningKey {
    #[command(flatten)]
    pub file: SigningFile,
    /// The key's id, as `keys signing list` shows it
    pub id: String,
}
