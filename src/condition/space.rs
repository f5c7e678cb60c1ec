//! How much space the service's disks have, by statvfs(3).

use nix::sys::statvfs::statvfs;
use std::collections::HashSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What a disk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The embedded PostgreSQL.
    Database,
    /// The contents of boot files.
    Files,
    /// The data directory: keys, and downloads in progress.
    Data,
}

impl What {
    /// Its label in metrics.
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
            Self::Data => "the disk of the data directory",
        })
    }
}

/// A folder whose disk is watched.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it holds.
    pub what: What,
    /// Where it is.
    pub folder: PathBuf,
}

/// Whether a disk has space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It has.
    Enough,
    /// An operator should free some soon.
    Low,
    /// What is written next may fail.
    Full,
}

/// The space of a place.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What it holds.
    pub what: What,
    /// The free bytes, as an ordinary user may use them.
    pub free: u64,
    /// The size in bytes.
    pub size: u64,
    /// Whether that is enough.
    pub level: Level,
    /// The device, by which places on one disk are recognised.
    disk: Option<u64>,
    folder: PathBuf,
}

impl Place {
    /// Measures it. May wait for a network file system, so not for asynchronous code.
    pub fn measure(&self) -> nix::Result<Measured> {
        let found = statvfs(&self.folder)?;
        let free = found.blocks_available().saturating_mul(found.fragment_size());
        let size = found.blocks().saturating_mul(found.fragment_size());
        // A disk without inodes takes no new file, whatever space it has. Some file systems count none, and have 0 of 0.
        let no_inodes = found.files() > 0 && found.files_available() == 0;
        let disk = std::fs::metadata(&self.folder).ok().map(|metadata| metadata.dev());
        Ok(Measured { disk, ..Measured::new(self.clone(), if no_inodes { 0 } else { free }, size) })
    }
}

impl Measured {
    /// A place with this space.
    pub fn new(place: Place, free: u64, size: u64) -> Self {
        let Place { what, folder } = place;
        let level = if free < reserve(what, size) {
            Level::Full
        } else if free < low(size) {
            Level::Low
        } else {
            Level::Enough
        };
        Self { what, free, size, level, disk: None, folder }
    }

    /// Places of which each disk is reported once, at the first place that is on it.
    pub(super) fn each_disk_once(mut places: Vec<Self>) -> Vec<Self> {
        let mut seen = HashSet::new();
        for place in &mut places {
            if place.disk.is_some_and(|disk| !seen.insert(disk)) {
                place.level = Level::Enough;
            }
        }
        places
    }
}

/// Below this, space is low: a twentieth of the disk, but at least 1 GiB and at most 20 GiB; on disks of less than 5 GiB, a
/// fifth.
fn low(size: u64) -> u64 {
    (size / 20).clamp(GIB, 20 * GIB).min(size / 5)
}

/// Below this, a place counts as full. PostgreSQL stops where it cannot make the next file of its write-ahead log, which has 16
/// MiB, so that some of these are kept for what goes on without new commands: views, checkpoints, vacuum.
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

    fn level(what: What, free: u64, size: u64) -> Level {
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
            assert_eq!(levels, [Level::Enough, Level::Low, Level::Full], "{size}");
        }
        assert_eq!(level(What::Files, 2 * MIB, 10 * GIB), Level::Low, "files need no reserve");
        assert_eq!(level(What::Files, 0, 10 * GIB), Level::Full);
    }

    #[test]
    fn a_folder_is_measured() {
        let place = Place { what: What::Data, folder: std::env::temp_dir() };
        let measured = place.measure().expect("a disk");
        assert!(measured.size >= measured.free && measured.size > 0, "{measured}");
        let full = |what| Measured { level: Level::Full, what, ..measured.clone() };
        let places = Measured::each_disk_once(vec![full(What::Database), full(What::Data)]);
        assert_eq!(places.iter().map(|place| place.level).collect::<Vec<_>>(), [Level::Full, Level::Enough]);
    }
}
