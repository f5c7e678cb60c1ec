//! Measures the free space of the service's disks with statvfs(3).

use nix::sys::statvfs::statvfs;
use std::collections::HashSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What a disk is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The embedded PostgreSQL server.
    Database,
    /// The contents of boot files.
    Files,
    /// The data folder: keys, and downloads in progress.
    Data,
}

impl What {
    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Files => "files",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the disk of the embedded PostgreSQL",
            Self::Files => "the disk of the boot files",
            Self::Data => "the disk of the data folder",
        })
    }
}

/// A folder whose disk is monitored.
#[derive(Clone, Debug)]
pub struct Place {
    /// What the folder is used for.
    pub what: What,
    /// The path of the folder.
    pub folder: PathBuf,
}

/// How much free space a disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceLevel {
    /// The disk has enough free space.
    Enough,
    /// An operator should free space soon.
    Low,
    /// The next write may fail.
    Full,
}

/// The measured space of a folder's disk.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What the folder is used for.
    pub what: What,
    /// The free bytes that are available to unprivileged users.
    pub free: u64,
    /// The size of the disk in bytes.
    pub size: u64,
    /// Whether the free space is sufficient.
    pub level: SpaceLevel,
    /// The device number, which identifies folders on the same disk.
    disk: Option<u64>,
    folder: PathBuf,
}

impl Place {
    /// Measures the disk. May block on a network file system, so it must not be called from asynchronous code.
    ///
    /// # Errors
    /// Returns the error of statvfs(3), for example if the folder does not exist.
    pub fn measure(&self) -> nix::Result<Measured> {
        let found = statvfs(&self.folder)?;
        let free = found.blocks_available().saturating_mul(found.fragment_size());
        let size = found.blocks().saturating_mul(found.fragment_size());
        // A disk without inodes accepts no new file, regardless of its free space. Some file systems do not count inodes and
        // report 0 of 0.
        let no_inodes = found.files() > 0 && found.files_available() == 0;
        let disk = std::fs::metadata(&self.folder).ok().map(|metadata| metadata.dev());
        Ok(Measured { disk, ..Measured::new(self.clone(), if no_inodes { 0 } else { free }, size) })
    }
}

impl Measured {
    /// A measurement with this space.
    pub fn new(place: Place, free: u64, size: u64) -> Self {
        let Place { what, folder } = place;
        let level = if free < reserve(what, size) {
            SpaceLevel::Full
        } else if free < low(size) {
            SpaceLevel::Low
        } else {
            SpaceLevel::Enough
        };
        Self { what, free, size, level, disk: None, folder }
    }

    /// Reports each disk once, at the first folder that is on it.
    pub(super) fn each_disk_once(mut places: Vec<Self>) -> Vec<Self> {
        let mut seen = HashSet::new();
        for place in &mut places {
            if place.disk.is_some_and(|disk| !seen.insert(disk)) {
                place.level = SpaceLevel::Enough;
            }
        }
        places
    }
}

/// The threshold of low space: a twentieth of the disk, but at least 1 GiB and at most 20 GiB; a fifth on disks of less than 5
/// GiB.
fn low(size: u64) -> u64 {
    (size / 20).clamp(GIB, 20 * GIB).min(size / 5)
}

/// The threshold below which a disk counts as full. PostgreSQL stops when it cannot create the next file of its write-ahead
/// log, which has 16 MiB. Some such files are reserved for work that continues without new commands: views, checkpoints and
/// vacuum.
fn reserve(what: What, size: u64) -> u64 {
    match what {
        What::Database => (64 * MIB).min(size / 8),
        What::Files | What::Data => MIB.min(size / 100),
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = (self.free.saturating_mul(100)).checked_div(self.size).unwrap_or(0);
        let (what, folder, free) = (self.what, self.folder.display(), self.free / MIB);
        write!(f, "{what} ({folder}) has {free} MiB free, {percent} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(what: What, free: u64, size: u64) -> SpaceLevel {
        Measured::new(Place { what, folder: "/x".into() }, free, size).level
    }

    #[test]
    fn low_space_is_reported_before_the_disk_is_full_on_small_and_large_disks() {
        for (size, enough, low, full) in [
            (150 * MIB, 40 * MIB, 25 * MIB, 10 * MIB),
            (10 * GIB, 2 * GIB, 900 * MIB, 60 * MIB),
            (100 * GIB, 6 * GIB, 4 * GIB, 60 * MIB),
            (4096 * GIB, 21 * GIB, 19 * GIB, 60 * MIB),
        ] {
            let levels = [enough, low, full].map(|free| level(What::Database, free, size));
            assert_eq!(levels, [SpaceLevel::Enough, SpaceLevel::Low, SpaceLevel::Full], "{size}");
        }
        assert_eq!(level(What::Files, 2 * MIB, 10 * GIB), SpaceLevel::Low, "files need no reserve");
        assert_eq!(level(What::Files, 0, 10 * GIB), SpaceLevel::Full);
    }

    #[test]
    fn a_folder_is_measured() {
        let place = Place { what: What::Data, folder: std::env::temp_dir() };
        let measured = place.measure().expect("a disk");
        assert!(measured.size >= measured.free && measured.size > 0, "{measured}");
        let full = |what| Measured { level: SpaceLevel::Full, what, ..measured.clone() };
        let places = Measured::each_disk_once(vec![full(What::Database), full(What::Data)]);
        assert_eq!(places.iter().map(|place| place.level).collect::<Vec<_>>(), [SpaceLevel::Full, SpaceLevel::Enough]);
    }
}
