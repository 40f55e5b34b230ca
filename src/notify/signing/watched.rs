//! The keyring as its file has it now. Promise: a key that was added, activated or retired counts
//! from the next webhook on, without a restart; a file that cannot be read changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::{Error, Keyring};

pub struct WatchedKeyring {
    path: PathBuf,
    read: Mutex<Read>,
}

struct Read {
    /// Of the file when it was read, whether that worked or not.
    modified: Option<SystemTime>,
    keyring: Arc<Keyring>,
}

impl WatchedKeyring {
    /// # Errors
    /// Those of `Keyring::load`.
    pub fn open(path: &Path) -> Result<WatchedKeyring, Error> {
        let modified = modified(path);
        let keyring = Arc::new(Keyring::load(path)?);
        Ok(WatchedKeyring { path: path.to_owned(), read: Mutex::new(Read { modified, keyring }) })
    }

    /// Looks whether the file was changed, and reads it then.
    #[must_use]
    pub fn present(&self) -> Arc<Keyring> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let modified = modified(&self.path);
        if modified != read.modified {
            read.modified = modified;
            match Keyring::load(&self.path) {
                Ok(keyring) => read.keyring = Arc::new(keyring),
                Err(error) => {
                    let remedy = error.remedy();
                    tracing::error!(%error, remedy, "signing goes on with the keys of before");
                }
            }
        }
        Arc::clone(&read.keyring)
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|found| found.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::{Key, add};
    use super::*;
    use crate::time::Millis;

    #[test]
    fn changes_of_the_file_count_and_damage_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        add(&path, Key::new([1; 32], Millis(1))).expect("a keyring");
        let watched = WatchedKeyring::open(&path).expect("a keyring");
        let count = || watched.present().keys().count();
        assert_eq!(count(), 1);
        add(&path, Key::new([2; 32], Millis(2))).expect("a second key");
        assert_eq!(count(), 2);
        std::fs::write(&path, "{").expect("written");
        assert_eq!(count(), 2);
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(count(), 2);
        assert!(WatchedKeyring::open(&path).is_err());
    }
}
