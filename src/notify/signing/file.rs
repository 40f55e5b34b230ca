//! The file of a keyring. Promise: nobody but its owner could read what is read here; a change is
//! whole or not at all, keeps owner and mode, and two at once never undo each other.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Error, KEYS_MAX, Key, Keyring};
use crate::time::Millis;

/// The form of the file; another one takes another number.
const VERSION: u32 = 1;
/// Far above what `KEYS_MAX` keys take.
const BYTES_MAX: u64 = 16 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    created_at: String,
    active: bool,
    /// 32 bytes in base64.
    seed: String,
}

/// Makes the file with this key, active, or adds the key to it. Returns the keyring as written.
///
/// # Errors
/// `Full`, or what is wrong with the file.
pub fn add(path: &Path, key: Key) -> Result<Keyring, Error> {
    change(path, |ring| match ring {
        None => Ok(Keyring::begin(key)),
        Some(mut ring) => ring.add(key).map(|()| ring),
    })
}

/// Activates a key in the file. Returns the keyring as written.
///
/// # Errors
/// `Unknown`, or what is wrong with the file.
pub fn activate(path: &Path, id: &str) -> Result<Keyring, Error> {
    change(path, |ring| {
        let mut ring = ring.ok_or_else(|| Error::Missing(path.to_owned()))?;
        ring.activate(id).map(|()| ring)
    })
}

/// Takes a key out of the file. Returns the keyring as written.
///
/// # Errors
/// `Unknown`, `Active`, or what is wrong with the file.
pub fn retire(path: &Path, id: &str) -> Result<Keyring, Error> {
    change(path, |ring| {
        let mut ring = ring.ok_or_else(|| Error::Missing(path.to_owned()))?;
        ring.retire(id).map(|()| ring)
    })
}

pub(super) fn read(path: &Path) -> Result<Keyring, Error> {
    open(path).and_then(|file| contents(path, &file))
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => Error::Unreadable { path: path.to_owned(), source },
    })
}

fn contents(path: &Path, file: &File) -> Result<Keyring, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let malformed = |why: String| Error::Malformed { path: path.to_owned(), why };
    let found = file.metadata().map_err(unreadable)?;
    let mode = found.mode() & 0o7777;
    // Root's group may read: so come secrets that a service of another user is handed.
    let forbidden = if found.uid() == 0 { 0o037 } else { 0o077 };
    if mode & forbidden != 0 {
        return Err(Error::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(malformed(format!("it has more than {BYTES_MAX} bytes")));
    }
    // Only the place of the fault is told: the words around it could be a seed.
    let contents: Contents = serde_json::from_slice(&text).map_err(|fault| {
        let (line, column) = (fault.line(), fault.column());
        malformed(format!("line {line}, column {column} has not the form of version {VERSION}"))
    })?;
    keyring(contents).map_err(malformed)
}

/// The keyring of what the file says, or why it is none.
fn keyring(contents: Contents) -> Result<Keyring, String> {
    if contents.version != VERSION {
        return Err(format!("version {} is not known", contents.version));
    }
    let (mut active, mut others): (Vec<Key>, Vec<Key>) = (Vec::new(), Vec::new());
    for entry in contents.keys {
        let key = key(&entry)?;
        if active.iter().chain(&others).any(|other| other.id == key.id) {
            return Err(format!("key {} stands there twice", key.id));
        }
        if entry.active { active.push(key) } else { others.push(key) }
    }
    if active.len() + others.len() > KEYS_MAX {
        return Err(format!("it has more than {KEYS_MAX} keys"));
    }
    others.sort_by_key(|key| std::cmp::Reverse(key.created_at));
    let count = active.len();
    match active.pop() {
        Some(active) if count == 1 => Ok(Keyring { active, others }),
        _ => Err(format!("{count} keys are active, and one must be")),
    }
}

fn key(entry: &Entry) -> Result<Key, String> {
    let id = &entry.id;
    let created_at = Millis::parse(&entry.created_at)
        .map_err(|fault| format!("created_at of key {id} is {fault}"))?;
    let seed = STANDARD.decode(&entry.seed).ok();
    let seed: Option<[u8; 32]> = seed.and_then(|seed| seed.try_into().ok());
    let seed = seed.ok_or_else(|| format!("the seed of key {id} is not 32 bytes in base64"))?;
    let key = Key::new(seed, created_at);
    // A seed that was cut or mixed up would sign what nobody accepts.
    if key.id == *id { Ok(key) } else { Err(format!("the seed of key {id} is not its own")) }
}

fn text(ring: &Keyring) -> Vec<u8> {
    let entry = |key: &Key| Entry {
        id: key.id.clone(),
        created_at: key.created_at.to_string(),
        active: key.id == ring.active.id,
        seed: STANDARD.encode(key.pair.as_bytes()),
    };
    let contents = Contents { version: VERSION, keys: ring.keys().map(entry).collect() };
    let mut text = serde_json::to_vec_pretty(&contents).expect("texts are JSON");
    text.push(b'\n');
    text
}

/// Replaces the file by what `act` makes of it: `None` if there is none yet.
fn change(
    path: &Path,
    act: impl FnOnce(Option<Keyring>) -> Result<Keyring, Error>,
) -> Result<Keyring, Error> {
    // Where a link leads: renaming over the link itself would leave the file as it was.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let draft = Draft::begin(&path)?;
    let (ring, before) = match open(&path) {
        Ok(file) => (Some(contents(&path, &file)?), Some(file)),
        Err(Error::Missing(_)) => (None, None),
        Err(fault) => return Err(fault),
    };
    let ring = act(ring)?;
    let written = draft.put(&path, &text(&ring), before.as_ref());
    written.map_err(|source| Error::Unwritten { path, source })?;
    Ok(ring)
}

/// The next contents, beside the file until they are whole. While it is there no other change is
/// begun, so none is lost.
struct Draft {
    path: PathBuf,
    file: File,
    /// It took the file's place: what has its name now is another's.
    placed: bool,
}

impl Draft {
    fn begin(path: &Path) -> Result<Draft, Error> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let draft = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft) {
            Ok(file) => Ok(Draft { path: draft, file, placed: false }),
            Err(fault) if fault.kind() == ErrorKind::AlreadyExists => Err(Error::Busy(draft)),
            Err(source) => Err(Error::Unwritten { path: path.to_owned(), source }),
        }
    }

    /// Puts the contents in the file's place, with the owner and the mode that it had before.
    fn put(mut self, path: &Path, text: &[u8], before: Option<&File>) -> std::io::Result<()> {
        if let Some(before) = before {
            let (had, has) = (before.metadata()?, self.file.metadata()?);
            if (had.uid(), had.gid()) != (has.uid(), has.gid()) {
                fchown(&self.file, Some(had.uid()), Some(had.gid()))?;
            }
            self.file.set_permissions(Permissions::from_mode(had.mode() & 0o777))?;
        }
        self.file.write_all(text)?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.placed = true;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed {
            // What stays says of itself what to do with it (`Busy`).
            let _ = fs::remove_file(&self.path);
        }
    }
}
