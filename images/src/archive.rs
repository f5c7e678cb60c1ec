//! Extracts files from archives: tar, plain or compressed with gzip or xz, and Debian packages.
//!
//! Only regular files are extracted, and only at paths that stay below the target folder.

use crate::paths::RelativePath;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Why a file cannot be extracted from an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not a readable archive.
    #[error("it is not a tar archive, plain or compressed with gzip or xz")]
    NotAnArchive(#[source] io::Error),
    /// The file is not a Debian package with data in a supported format.
    #[error(
        "it is not a Debian package with data that is plain or compressed with gzip or xz; unpack it with `dpkg-deb -x` and give the folder"
    )]
    NotAPackage,
    /// The archive does not contain the file.
    #[error("it has no file {0}")]
    Missing(RelativePath),
    /// The file is larger than this limit, in bytes.
    #[error("a file in it has more than {0} bytes")]
    TooLarge(u64),
    /// The extracted file cannot be written.
    #[error("its content cannot be written")]
    Disk(#[source] io::Error),
}

/// The most entries of an archive that are read.
const MOST_ENTRIES: usize = 1_000_000;

/// The longest path of an entry, in bytes.
const LONGEST_PATH: u64 = 4096;

/// The largest size of an archive after decompression, in bytes.
const LARGEST_UNPACKED: u64 = 32 << 30;

/// The largest part of a Debian package, in bytes.
const LARGEST_PACKAGE: u64 = 64 << 30;

/// Writes one file of an archive to a path.
///
/// # Errors
/// See [`ArchiveError`].
pub fn member(archive: &Path, member: &RelativePath, to: &Path, limit: u64) -> Result<(), ArchiveError> {
    let file = File::open(archive).map_err(ArchiveError::NotAnArchive)?;
    let mut found = false;
    each(decompressed(file)?, |path, entry| {
        if path == *member {
            copy(entry, to, limit)?;
            found = true;
        }
        Ok(!found)
    })?;
    if found { Ok(()) } else { Err(ArchiveError::Missing(member.clone())) }
}

/// Unpacks into a folder the files of a Debian package whose path is one of `wanted` or ends with one.
///
/// # Errors
/// See [`ArchiveError`].
pub fn package(deb: &Path, wanted: &[RelativePath], to: &Path, limit: u64) -> Result<(), ArchiveError> {
    let data = package_data(deb)?;
    each(decompressed(data)?, |path, entry| {
        if wanted.iter().any(|wanted| ends_with(path.as_str(), wanted.as_str())) {
            let target = to.join(path.as_str());
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent).map_err(ArchiveError::Disk)?;
            }
            copy(entry, &target, limit)?;
        }
        Ok(true)
    })
}

/// Whether a path is `end` or ends with it, at a folder boundary.
pub(crate) fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// The part of a Debian package (deb(5): an `ar` archive) that contains its files.
fn package_data(deb: &Path) -> Result<io::Take<File>, ArchiveError> {
    let wrong = |_| ArchiveError::NotAPackage;
    let mut file = File::open(deb).map_err(ArchiveError::NotAnArchive)?;
    let mut magic = [0; 8];
    file.read_exact(&mut magic).map_err(wrong)?;
    if magic != *b"!<arch>\n" {
        return Err(ArchiveError::NotAPackage);
    }
    // The parts are `debian-binary`, `control.tar` and `data.tar`, and possibly others between them.
    for _ in 0..16 {
        let mut header = [0; 60];
        file.read_exact(&mut header).map_err(wrong)?;
        let name = std::str::from_utf8(&header[..16]).unwrap_or_default().trim_end().trim_end_matches('/');
        let size = std::str::from_utf8(&header[48..58]).ok().and_then(|size| size.trim_end().parse::<u64>().ok());
        let size = size.filter(|size| *size <= LARGEST_PACKAGE).ok_or(ArchiveError::NotAPackage)?;
        if matches!(name, "data.tar" | "data.tar.gz" | "data.tar.xz") {
            return Ok(file.take(size));
        }
        let skip = i64::try_from(size + size % 2).map_err(|_| ArchiveError::NotAPackage)?;
        file.seek(SeekFrom::Current(skip)).map_err(wrong)?;
    }
    Err(ArchiveError::NotAPackage)
}

/// The archive's bytes. The compression is detected by the first bytes.
fn decompressed(file: impl Read + 'static) -> Result<Box<dyn Read>, ArchiveError> {
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let start = io::BufRead::fill_buf(&mut file).map_err(ArchiveError::NotAnArchive)?;
    let unpacked: Box<dyn Read> = match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(lzma_rust2::XzReader::new(file, true)),
        _ => Box::new(file),
    };
    Ok(Box::new(unpacked.take(LARGEST_UNPACKED)))
}

/// Passes every regular file of an archive to `take`, until `take` returns `false`.
fn each(
    archive: Box<dyn Read>,
    mut take: impl FnMut(RelativePath, &mut dyn Read) -> Result<bool, ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(archive);
    // The tar reader would load a long path of any length into memory, so the path is read here.
    let mut long: Option<Vec<u8>> = None;
    for entry in archive.entries().map_err(ArchiveError::NotAnArchive)?.raw(true).take(MOST_ENTRIES) {
        let mut entry = entry.map_err(ArchiveError::NotAnArchive)?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() {
            let mut path = vec![];
            entry.by_ref().take(LONGEST_PATH).read_to_end(&mut path).map_err(ArchiveError::NotAnArchive)?;
            path.retain(|byte| *byte != 0);
            long = Some(path);
            continue;
        }
        if kind.is_gnu_longlink() {
            continue;
        }
        let path = long.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        if !kind.is_file() {
            continue;
        }
        let path = std::str::from_utf8(&path).ok().map(|path| path.strip_prefix("./").unwrap_or(path));
        // A path that leads out of the folder cannot be that of a wanted file.
        let Some(path) = path.and_then(|path| path.parse::<RelativePath>().ok()) else { continue };
        if !take(path, &mut entry)? {
            break;
        }
    }
    Ok(())
}

fn copy(from: &mut dyn Read, to: &Path, limit: u64) -> Result<(), ArchiveError> {
    let mut file = File::create(to).map_err(ArchiveError::Disk)?;
    let copied = io::copy(&mut from.take(limit + 1), &mut file).map_err(ArchiveError::Disk)?;
    if copied > limit { Err(ArchiveError::TooLarge(limit)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(vec![]);
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.as_gnu_mut().expect("GNU").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).expect("appended");
        }
        builder.into_inner().expect("a tar")
    }

    fn taken(archive: &[u8], path: &str, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&from, archive).expect("written");
        member(&from, &path.parse().expect("a path"), &to, limit)?;
        Ok(std::fs::read(to).expect("read"))
    }

    #[test]
    fn a_member_is_extracted_from_tar_and_tar_gz() {
        let plain = tar(&[("./other", b"x"), ("./amd64/linux", b"kernel")]);
        assert_eq!(taken(&plain, "amd64/linux", 6).expect("taken"), b"kernel");
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gzip.write_all(&plain).expect("written");
        let gzip = gzip.finish().expect("compressed");
        assert_eq!(taken(&gzip, "amd64/linux", 6).expect("taken"), b"kernel");
        assert!(matches!(taken(&gzip, "linux", 6), Err(ArchiveError::Missing(_))));
        assert!(matches!(taken(&plain, "amd64/linux", 5), Err(ArchiveError::TooLarge(5))));
        assert!(matches!(
            taken(&gzip[..gzip.len() / 2], "amd64/linux", 6),
            Err(ArchiveError::NotAnArchive(_) | ArchiveError::Disk(_))
        ));
    }

    #[test]
    fn paths_that_leave_an_archive_are_not_extracted() {
        let plain = tar(&[("../linux", b"evil"), ("/linux", b"evil"), ("a/../linux", b"evil")]);
        assert!(matches!(taken(&plain, "linux", 9), Err(ArchiveError::Missing(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..2000), start in 0..4_usize) {
            let starts: [&[u8]; 4] = [b"", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"!<arch>\n"];
            let start: &[u8] = starts[start];
            bytes.splice(0..0, start.iter().copied());
            drop(taken(&bytes, "linux", 100));
            let folder = tempfile::tempdir().expect("a folder");
            let deb = folder.path().join("x.deb");
            std::fs::write(&deb, &bytes).expect("written");
            drop(package(&deb, &["linux".parse().expect("a path")], folder.path(), 100));
        }
    }
}
