//! A folder that a database has open, copied as a crash would leave it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// Copies a folder as it is at one moment: anew, when the database changed it meanwhile.
pub fn copy(from: &Path, to: &Path) {
    loop {
        let before = listed(from);
        let _none = fs::remove_dir_all(to);
        fs::create_dir_all(to).expect("a folder");
        let copied = before.keys().map(|name| fs::copy(from.join(name), to.join(name)));
        if copied.collect::<Result<Vec<_>, _>>().is_ok() && listed(from) == before {
            return;
        }
    }
}

/// Files by name, and how long they are.
fn listed(folder: &Path) -> BTreeMap<OsString, u64> {
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file"));
    let length = |file: &fs::DirEntry| file.metadata().map_or(0, |it| it.len());
    files.map(|file| (file.file_name(), length(&file))).collect()
}
