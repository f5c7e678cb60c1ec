//! The folders that the service has, and the order in which they are searched.

use crate::architecture::Offer;
use crate::file::{Loader, LoaderError};
use crate::{folder, name, signed};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The minimum time between log lines about boot loaders that were requested over HTTP and do not exist: anyone can
/// request any name.
const LOGGED: Duration = Duration::from_secs(10);

/// Existing folders of boot loaders. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Loaders(Arc<Folders>);

#[derive(Debug)]
struct Folders {
    /// The folders in the order in which they are searched, with symbolic links resolved.
    paths: Vec<PathBuf>,
    offer: Offer,
    /// The signed loaders that work over HTTP.
    signed_over_http: Vec<&'static str>,
    logged: Mutex<Option<Instant>>,
}

impl Loaders {
    /// The folder at a path.
    ///
    /// # Errors
    /// Returns an error if the path does not exist, cannot be read, or is not a folder.
    pub fn at(path: &Path) -> io::Result<Self> {
        Self::of([path])
    }

    /// The folders at these paths; files of an earlier one take precedence. The architectures for which they have loaders are
    /// determined once, now.
    ///
    /// # Errors
    /// Returns an error if a path does not exist, cannot be read, or is not a folder.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> io::Result<Self> {
        let real = |path: &Path| {
            let path = path.canonicalize()?;
            // Reading the folder now reports at start-up what every request would report later.
            drop(path.read_dir()?);
            Ok(path)
        };
        let paths: Vec<PathBuf> = paths.into_iter().map(real).collect::<io::Result<_>>()?;
        let is_there = |folder: &PathBuf, file: &str| folder::open(folder, Path::new(file)).is_ok();
        let offer = Offer::of(|files| {
            paths.iter().find_map(|folder| files.iter().find(|file| is_there(folder, file)).map(|file| (*file).to_owned()))
        });
        let at_first = Folders { paths: paths.clone(), offer: offer.clone(), signed_over_http: vec![], logged: Mutex::default() };
        let signed_over_http = signed::of_use_over_http(&Self(Arc::new(at_first)));
        Ok(Self(Arc::new(Folders { paths, offer, signed_over_http, logged: Mutex::default() })))
    }

    /// Whether firmware that fetches this signed loader over HTTP can continue booting, as determined when the service started.
    pub fn goes_on_over_http(&self, shim: &str) -> bool {
        self.0.signed_over_http.contains(&shim)
    }

    /// The loaders that existed when the service started.
    pub fn offer(&self) -> &Offer {
        &self.0.offer
    }

    /// The folders, as text for messages.
    pub fn places(&self) -> String {
        self.0.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
    }

    /// Opens a file by its name below one of the folders, such as `snponly.efi` or `arm64/ipxe.efi`, in any form in which
    /// firmware writes it. This reads the disk: call it where blocking is allowed.
    ///
    /// # Errors
    /// Returns an error if the name leads out of the folder, or to nothing that can be read.
    pub fn open(&self, name: impl AsRef<[u8]>) -> Result<Loader, LoaderError> {
        let name = name::read(name.as_ref())?;
        let exact = |_: &Path, place: &name::Place| Some(place.iter().collect::<PathBuf>());
        let nearest = |folder: &Path, place: &name::Place| folder::nearest(folder, place, name.ran_over);
        for find in [&exact as &dyn Fn(&Path, &name::Place) -> Option<PathBuf>, &nearest] {
            for (folder, place) in self.0.paths.iter().flat_map(|folder| name.places.iter().map(move |place| (folder, place))) {
                let Some(found) = find(folder, place) else { continue };
                match folder::open(folder, &found) {
                    Err(LoaderError::Missing) => {}
                    opened => return opened,
                }
            }
        }
        let packaged = name.places.iter().find_map(|place| signed::packaged(Path::new("/"), place, name.ran_over));
        packaged.unwrap_or(Err(LoaderError::Missing))
    }

    /// Opens a file as [`Self::open`] does, if firmware that fetched it over HTTP could continue booting.
    ///
    /// # Errors
    /// Returns the errors of [`Self::open`], and one for a signed loader whose GRUB has no HTTP.
    pub fn open_over_http(&self, name: &[u8]) -> Result<Loader, LoaderError> {
        signed::open_over_http(self, name)
    }

    /// The intended name, such as `grub/grub.cfg`, for any form in which firmware writes it; `None` if it names nothing
    /// below a folder.
    pub fn plain(name: &[u8]) -> Option<String> {
        let place = name::read(name).ok()?.places.into_iter().next()?;
        let parts: Option<Vec<String>> = place.into_iter().map(|part| part.into_string().ok()).collect();
        Some(parts?.join("/"))
    }

    /// Whether another line about a missing file may be logged.
    pub fn may_log(&self) -> bool {
        let mut logged = self.0.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let may = logged.is_none_or(|logged| now >= logged + LOGGED);
        if may {
            *logged = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, Loaders) {
        let around = tempfile::tempdir().expect("a folder");
        let inside = around.path().join("loaders");
        std::fs::create_dir_all(inside.join("arm64")).expect("a folder");
        std::fs::write(around.path().join("secret"), "secret").expect("a file");
        std::fs::write(around.path().join("loaders-too"), "neighbour").expect("a file");
        std::fs::write(inside.join("snponly.efi"), "loader").expect("a file");
        std::fs::write(inside.join("arm64/ipxe.efi"), "arm").expect("a file");
        symlink("snponly.efi", inside.join("alias.efi")).expect("a link");
        symlink(inside.join("snponly.efi"), inside.join("absolute.efi")).expect("a link");
        symlink("../secret", inside.join("leaving")).expect("a link");
        symlink("..", inside.join("up")).expect("a link");
        symlink("nowhere", inside.join("dangling")).expect("a link");
        let loaders = Loaders::at(&inside).expect("loaders");
        (around, loaders)
    }

    #[test]
    fn files_below_the_folder_are_opened_with_their_sizes() {
        let (_around, loaders) = folder();
        for (name, size) in [
            ("snponly.efi", 6),
            ("./snponly.efi", 6),
            ("arm64/ipxe.efi", 3),
            ("arm64//ipxe.efi", 3),
            ("alias.efi", 6),
            ("absolute.efi", 6),
            // The forms in which firmware writes names; `name` has all of them.
            ("/snponly.efi", 6),
            ("//snponly.efi", 6),
            ("\\arm64\\ipxe.efi", 3),
            ("tftp://10.0.0.1/arm64/ipxe.efi", 3),
            ("snponly.efi\0", 6),
            ("snponly.efi?mac=52:54:00:00:00:01", 6),
            ("10.0.0.1/snponly.efi", 6),
            // In upper case.
            ("SNPONLY.EFI", 6),
            ("/Arm64/IPXE.efi", 3),
        ] {
            assert_eq!(loaders.open(name).expect(name).size, size, "{name}");
        }
    }

    #[test]
    fn no_name_leaves_the_folder() {
        let (around, loaders) = folder();
        let absolute = around.path().join("loaders/snponly.efi").display().to_string();
        for name in [
            "",
            "/",
            "..",
            "../secret",
            "arm64/../../secret",
            "arm64/../snponly.efi",
            "\\..\\secret",
            "C:\\..\\secret",
            "tftp://10.0.0.1/../secret",
            "UP/SECRET",
            "Leaving",
            "/etc/passwd",
            &absolute,
            "up/secret",
            "leaving",
            "up/loaders-too",
            "..\\secret",
            "snponly.efi\0.txt",
            "snponly\n.efi",
            "~/../..",
        ] {
            let error = loaders.open(name).expect_err(name);
            assert!(matches!(error, LoaderError::Outside | LoaderError::Missing), "{name}: {error:?}");
        }
        for name in ["../secret", "/../secret", "..\\secret", "up/secret", "leaving", "up/loaders-too"] {
            assert!(matches!(loaders.open(name), Err(LoaderError::Outside)), "{name}");
        }
    }

    #[test]
    fn anything_but_a_regular_file_is_missing() {
        let (around, loaders) = folder();
        nix_fifo(&around.path().join("loaders/pipe"));
        for name in ["none.efi", "arm64", ".", "dangling", "snponly.efi/x", "pipe", &"n".repeat(300)] {
            assert!(matches!(loaders.open(name), Err(LoaderError::Missing)), "{name}: {:?}", loaders.open(name));
        }
    }

    #[test]
    fn bytes_behind_a_name_that_are_no_text_are_passed_over() {
        let (around, loaders) = folder();
        std::fs::write(around.path().join("loaders/snponly.efi.sig"), "signature").expect("a file");
        for (name, size) in [
            (&b"snponly.efi\xff"[..], 6),
            (b"snponly.efi\xff\x01\x04junk", 6),
            // The bytes that follow option 67 in the message: here option 60.
            (b"/snponly.efi<\x09PXEClient\xff", 6),
            (b"/snponly.efi< PXEClient:Arch:00007:UNDI:003016\xff\x01", 6),
            (b"SNPONLY.EFI.SIG\x80\x81", 9),
        ] {
            assert_eq!(loaders.open(name).expect("a file").size, size, "{}", name.escape_ascii());
        }
        for name in [
            &b"snponly.efi2"[..],
            b"snponly.efi.txt",
            b"snponly.efi/x",
            b"snponly.ef",
            b"snponly.efi.txt\xff",
            b"snponly.efi< x\n",
        ] {
            assert!(matches!(loaders.open(name), Err(LoaderError::Missing)), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn the_operators_files_count_before_the_packages() {
        let (around, _) = folder();
        let own = around.path().join("own");
        std::fs::create_dir_all(own.join("bin-arm64-efi")).expect("a folder");
        std::fs::write(own.join("bin-arm64-efi/ipxe.efi"), "own build for arm").expect("a file");
        let package = around.path().join("loaders");
        let loaders = Loaders::of([own.as_path(), &package]).expect("loaders");
        assert_eq!(loaders.open("/snponly.efi").expect("a file").size, 6);
        let offered = |loaders: &Loaders| -> Vec<(&str, String)> {
            loaders.offer().loaders().map(|(family, file)| (family.name, file.to_owned())).collect()
        };
        let expected = [("uefi", "snponly.efi".to_owned()), ("arm64", "bin-arm64-efi/ipxe.efi".to_owned())];
        assert_eq!(offered(&loaders), expected);
        // The same name, and another name of the same family.
        std::fs::write(own.join("ipxe.efi"), "own").expect("a file");
        std::fs::write(own.join("snponly.efi.off"), "").expect("a file");
        let loaders = Loaders::of([own.as_path(), &package]).expect("loaders");
        assert_eq!(offered(&loaders)[0], ("uefi", "ipxe.efi".to_owned()));
        std::fs::write(own.join("snponly.efi"), "own").expect("a file");
        assert_eq!(loaders.open("snponly.efi").expect("a file").size, 3);
        assert!(loaders.places().contains("/own or ") && loaders.places().ends_with("/loaders"));
    }

    #[test]
    fn a_loader_outside_the_folder_is_not_offered() {
        let (around, _) = folder();
        symlink("../secret", around.path().join("loaders/undionly.kpxe")).expect("a link");
        let loaders = Loaders::at(&around.path().join("loaders")).expect("loaders");
        assert!(loaders.offer().missing().any(|family| family.name == "bios"));
    }

    fn nix_fifo(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo");
        assert!(made.success());
    }

    #[test]
    fn a_folder_must_be_there() {
        let (around, _) = folder();
        assert!(Loaders::at(&around.path().join("none")).is_err());
        assert!(Loaders::at(&around.path().join("secret")).is_err());
    }
}
