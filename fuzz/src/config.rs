//! The configuration file, then variables behind a line `---`, one `NAME=value` a line.

use std::path::Path;

use tollgate::config::{Config, Place, load_bytes, print};

const FILE: &str = "tollgate.toml";

pub fn config(bytes: &[u8]) {
    let separator = b"\n---\n";
    let at = bytes.windows(separator.len()).position(|window| window == separator);
    let (file, rest) = match at {
        Some(at) => (&bytes[..at], &bytes[at + separator.len()..]),
        None => (bytes, &[][..]),
    };
    let variables: Vec<(String, String)> = String::from_utf8_lossy(rest)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    match load_bytes(Path::new(FILE), file, variables) {
        Ok(loaded) => {
            let text = print(&loaded, bytes.len().is_multiple_of(2));
            let again = load_bytes(Path::new(FILE), text.as_bytes(), []);
            let again = again.unwrap_or_else(|faults| panic!("{faults}\nin\n{text}"));
            assert_eq!(again.config, without_secrets(loaded.config), "{text}");
        }
        Err(faults) => {
            assert!(!faults.0.is_empty(), "refused without a fault");
            assert!(faults.0.is_sorted(), "faults out of order");
            let lines = file.iter().filter(|byte| **byte == b'\n').count() + 1;
            for fault in &faults.0 {
                assert!(!fault.message.is_empty() && !fault.remedy.is_empty(), "{fault:?}");
                if let Place::File { line, .. } = fault.place {
                    assert!((1..=lines).contains(&line), "{fault}");
                }
            }
            assert!(faults.to_string().contains("in the configuration"), "no last line");
        }
    }
}

/// What is hidden when the configuration is printed.
fn without_secrets(mut config: Config) -> Config {
    config.input.schema_registry_password = None;
    let words = ["password", "secret", ".pem", "oauthbearer.config", "jaas"];
    config
        .kafka
        .client
        .retain(|name, _| !words.iter().any(|word| format!("kafka.client.{name}").contains(word)));
    config
}
