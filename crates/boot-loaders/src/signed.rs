//! The signed loaders, shim and GRUB, for servers with Secure Boot: their paths in Debian's packages, and whether the chain can
//! continue over HTTP.

use crate::file::{Loader, LoaderError};
use crate::folder;
use crate::loaders::Loaders;
use crate::name::{self, Place};
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

/// The files of Debian's packages `shim-signed` and `grub-efi-…-signed`. They need not be copied into a folder, where no one
/// would replace them when a revocation requires new ones. A file in a folder takes precedence over them.
const PACKAGED: [(&str, &str, &str); 4] = [
    ("shimx64.efi", "usr/lib/shim", "shimx64.efi.signed"),
    ("grubx64.efi", "usr/lib/grub/x86_64-efi-signed", "grubnetx64.efi.signed"),
    ("shimaa64.efi", "usr/lib/shim", "shimaa64.efi.signed"),
    ("grubaa64.efi", "usr/lib/grub/arm64-efi-signed", "grubnetaa64.efi.signed"),
];

/// The signed loaders whose packages are installed, by the names that firmware and shim use.
pub fn installed() -> impl Iterator<Item = &'static str> {
    PACKAGED.iter().filter(|(_, folder, file)| Path::new("/").join(folder).join(file).is_file()).map(|(name, ..)| *name)
}

/// The packaged loader that firmware intends with this name: as in a folder, case and bytes after the name are ignored.
fn meant(place: &Place, ran_over: bool) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let [name] = place.as_slice() else { return None };
    let is = |known: &OsStr| name.eq_ignore_ascii_case(known) || folder::goes_on_behind(name, known, ran_over);
    PACKAGED.iter().find(|(known, ..)| is(OsStr::new(known)))
}

/// The signed loader of this name, if its package is installed below `root`.
pub(crate) fn packaged(root: &Path, place: &Place, ran_over: bool) -> Option<Result<Loader, LoaderError>> {
    let (_, folder, file) = meant(place, ran_over)?;
    let folder = root.join(folder).canonicalize().ok()?;
    Some(folder::open(&folder, Path::new(file)))
}

/// A text that the program of a GRUB with HTTP contains: the name of a header that it sends.
const SPEAKS_HTTP: &[u8] = b"User-Agent";

/// The maximum size of a GRUB image that is searched; they have some megabytes.
const LARGEST_GRUB: u64 = 64 * 1024 * 1024;

/// Opens a loader that works over HTTP. A shim does not if its GRUB has no HTTP, as the signed ones of Debian 12 and 13: that
/// GRUB takes the network over from the firmware, has no HTTP itself, and waits at a prompt on the console. Firmware whose
/// request for the shim is refused continues with its next boot entry, which usually is PXE over TFTP.
pub(crate) fn open_over_http(loaders: &Loaders, name: &[u8]) -> Result<Loader, LoaderError> {
    let read = name::read(name).ok();
    let known = read.and_then(|read| read.places.iter().find_map(|place| meant(place, read.ran_over)));
    let shim = known.map_or_else(|| Loaders::plain(name).unwrap_or_default(), |(known, ..)| (*known).to_owned());
    match grub_without_http(loaders, &shim) {
        None => loaders.open(name),
        Some(grub) => {
            let sentence = format!(
                "{shim} is not served over HTTP, because {grub}, which it starts, has no HTTP and would stop at a prompt; set the \
                 server's firmware to PXE, or put a signed shim and a GRUB with HTTP into the folder of boot loaders"
            );
            Err(LoaderError::Refused(sentence))
        }
    }
}

/// The shims with which firmware can boot over HTTP: they exist, together with a GRUB that has HTTP.
pub(crate) fn of_use_over_http(loaders: &Loaders) -> Vec<&'static str> {
    let names = PACKAGED.iter().map(|(name, ..)| *name).filter(|name| name.starts_with("shim"));
    names.filter(|shim| open_over_http(loaders, shim.as_bytes()).is_ok() && loaders.open(grub_of(shim)).is_ok()).collect()
}

/// The name of the GRUB that a shim starts.
fn grub_of(shim: &str) -> String {
    shim.replacen("shim", "grub", 1)
}

fn grub_without_http(loaders: &Loaders, shim: &str) -> Option<String> {
    let (folder, file) = shim.rsplit_once('/').map_or(("", shim), |(folder, file)| (folder, file));
    let architecture = file.strip_prefix("shim")?.strip_suffix(".efi")?;
    let name = format!("{folder}/grub{architecture}.efi").trim_start_matches('/').to_owned();
    let mut program = vec![];
    // If there is no GRUB, shim itself reports it and returns control to the firmware.
    loaders.open(&name).ok()?.file.take(LARGEST_GRUB).read_to_end(&mut program).ok()?;
    let speaks = program.windows(SPEAKS_HTTP.len()).any(|part| part == SPEAKS_HTTP);
    (!speaks).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_packages_are_found_by_the_names_that_firmware_and_shim_use() {
        let root = tempfile::tempdir().expect("a folder");
        let find = |name: &str| packaged(root.path(), &vec![name.into()], false).map(|found| found.expect("a file").size);
        assert_eq!(find("shimx64.efi"), None, "nothing is installed");
        for (index, (_, folder, file)) in PACKAGED.iter().enumerate() {
            std::fs::create_dir_all(root.path().join(folder)).expect("a folder");
            std::fs::write(root.path().join(folder).join(file), vec![0; index + 1]).expect("a file");
        }
        let sizes = PACKAGED.map(|(name, ..)| find(name));
        assert_eq!(sizes, [Some(1), Some(2), Some(3), Some(4)]);
        for other in ["shimx64.efi.signed", "grubnetx64.efi.signed", "passwd", "mmx64.efi"] {
            assert_eq!(find(other), None, "{other}");
        }
        assert!(packaged(root.path(), &vec!["x".into(), "shimx64.efi".into()], false).is_none());
        assert_eq!(find("SHIMX64.EFI"), Some(1));
        let overrun = packaged(root.path(), &vec!["shimx64.efi<".into()], true);
        assert_eq!(overrun.map(|found| found.expect("a file").size), Some(1));
    }
}
