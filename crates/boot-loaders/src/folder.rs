//! Finds files in a folder: exactly the named one, or the one that firmware intends with a name in other case or with bytes
//! after it. Only files inside the folder are found: symbolic links are resolved before the check. It reads the disk, a bounded
//! number of times.

use crate::file::{Loader, LoaderError};
use crate::name::Place;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// How many entries of a folder are compared with a name that matches none exactly.
const ENTRIES: usize = 2048;

/// Opens the file at a place below a folder, whose own path contains no symbolic links.
pub(crate) fn open(folder: &Path, place: &Path) -> Result<Loader, LoaderError> {
    let path = folder.join(place).canonicalize().map_err(of_disk)?;
    if !path.starts_with(folder) {
        return Err(LoaderError::Outside);
    }
    // Opening anything else, such as a named pipe, might block forever.
    if !path.metadata().map_err(of_disk)?.is_file() {
        return Err(LoaderError::Missing);
    }
    let file = File::open(&path).map_err(of_disk)?;
    let metadata = file.metadata().map_err(of_disk)?;
    Ok(Loader { file, size: metadata.len(), modified: metadata.modified().ok() })
}

/// The place of the file that a name intends if no file has exactly this name: upper and lower case are the same, and bytes
/// that are not text are ignored with everything after them. `None` if there is no such file.
pub(crate) fn nearest(folder: &Path, place: &Place, ran_over: bool) -> Option<PathBuf> {
    let mut found = PathBuf::new();
    for part in place {
        let mut entries: Vec<OsString> =
            folder.join(&found).read_dir().ok()?.take(ENTRIES).filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        // The same result each time, although the disk may return the entries in any order.
        entries.sort();
        let exact = entries.iter().find(|entry| *entry == part);
        let alike = || entries.iter().find(|entry| entry.eq_ignore_ascii_case(part));
        let overrun = || entries.iter().filter(|entry| goes_on_behind(part, entry, ran_over)).max_by_key(|entry| entry.len());
        found.push(exact.or_else(alike).or_else(overrun)?);
        // The folder may contain a link to any place; entries outside the folder are not used.
        if !folder.join(&found).canonicalize().ok()?.starts_with(folder) {
            return None;
        }
    }
    Some(found)
}

/// Whether a name is this entry's name followed by other bytes: firmware that does not know where option 67 ends sends
/// what follows it in the message. One of these bytes is not text, or one was that is no longer there; a longer file name
/// is not intended.
pub(crate) fn goes_on_behind(name: &OsStr, entry: &OsStr, ran_over: bool) -> bool {
    let (name, entry) = (name.as_encoded_bytes(), entry.as_encoded_bytes());
    let Some((begin, rest)) = name.split_at_checked(entry.len()) else { return false };
    let of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    begin.eq_ignore_ascii_case(entry)
        && (rest.iter().any(|byte| !(b' '..=b'~').contains(byte)) || (ran_over && !rest.first().is_some_and(of_a_name)))
}

fn of_disk(error: io::Error) -> LoaderError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => LoaderError::Missing,
        _ => LoaderError::Unreadable(error),
    }
}
