//! A disk that can be full: a small file system in memory, mounted for a state folder, and a
//! file that takes what is left of it. Needs the right to mount, which root has.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub struct Disk {
    pub folder: PathBuf,
}

impl Disk {
    /// Mounts a disk of this size in `folder`.
    ///
    /// # Errors
    /// Why that is not possible here, and what would help.
    pub fn mount(folder: PathBuf, megabytes: u32) -> Result<Disk, String> {
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tollgate-test"])
            .arg(&folder)
            .output();
        match mounted {
            Ok(Output { status, .. }) if status.success() => Ok(Disk { folder }),
            Ok(Output { stderr, .. }) => {
                let why = String::from_utf8_lossy(&stderr).trim().to_owned();
                Err(format!("a disk of its own cannot be mounted ({why}): run it as root"))
            }
            Err(error) => Err(format!("mount cannot be started ({error}): install it")),
        }
    }

    /// Takes all that is left but for so many bytes.
    pub fn fill_up_to(&self, left: u64) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast());
        let ballast = ballast.as_mut().expect("a file of no bytes takes no room");
        for chunk in [&[7; 1 << 16][..], &[7; 1 << 12]] {
            while ballast.write_all(chunk).is_ok() {}
        }
        let taken = ballast.metadata().expect("an open file tells its length").len();
        ballast.set_len(taken.saturating_sub(left)).expect("a file can be cut off");
    }

    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.folder);
    }
}

/// Lazily: an engine that is just ending may still have a file open.
pub fn unmount(place: &Path) {
    let _ = Command::new("umount").arg("--lazy").arg(place).output();
}
