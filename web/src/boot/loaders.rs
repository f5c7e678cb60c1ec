//! The folder of boot loaders: what a server's firmware fetches, by TFTP or by HTTP, to get an iPXE in the first place.
//!
//! A name is looked up below the folder, and nothing leaves it: names are checked before the disk is asked, and what is
//! found is looked at without its symbolic links. Nothing is ever written there.

use super::ask::Asker;
use super::refusal::refuse;
use super::routes::grub_answer;
use super::{client, grub, record};
use crate::application::Application;
use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures::{Stream, stream};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, Take};

/// How much of a file is held in memory for one client.
const PART: usize = 64 * 1024;

/// An existing folder of boot loaders. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Loaders(Arc<Path>);

/// A file that may be sent.
#[derive(Debug)]
pub struct Loader {
    /// It, open for reading.
    pub file: File,
    /// Its length in bytes when it was opened.
    pub size: u64,
}

/// Why a file is not sent; each is a sentence for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// The name, or a symbolic link on its way, leads out of the folder.
    #[error("only files below the folder of boot loaders are served, and this name leads elsewhere")]
    Outside,
    /// The file is one of a deployment, and this client does not get it.
    #[error("{0}")]
    Refused(String),
    /// There is nothing of this name, or no regular file.
    #[error("there is no such file in the folder of boot loaders")]
    Missing,
    /// The disk or its rights are in the way.
    #[error("the file cannot be read; the service's log says why")]
    Unreadable(#[source] io::Error),
}

impl Loaders {
    /// The folder at a path.
    ///
    /// # Errors
    /// Where it does not exist, cannot be read, or is not a folder.
    pub fn at(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        // Reading it once now says at the start what every request would say later.
        drop(path.read_dir()?);
        Ok(Self(path.into()))
    }

    /// Opens a file by its name below the folder, like `snponly.efi` or `arm64/ipxe.efi`. It asks the disk: call it where
    /// that may block.
    ///
    /// # Errors
    /// Where the name leads out of the folder, or to nothing that can be read.
    pub fn open(&self, name: &str) -> Result<Loader, LoaderError> {
        let path = match below(&self.0, name)?.canonicalize().map_err(of_disk) {
            Ok(path) if !path.starts_with(&self.0) => return Err(LoaderError::Outside),
            Ok(path) => path,
            Err(LoaderError::Missing) => packaged(Path::new("/"), name).ok_or(LoaderError::Missing)?,
            Err(error) => return Err(error),
        };
        // Opening anything else, such as a named pipe, might never end.
        if !path.metadata().map_err(of_disk)?.is_file() {
            return Err(LoaderError::Missing);
        }
        let file = File::open(&path).map_err(of_disk)?;
        let size = file.metadata().map_err(of_disk)?.len();
        Ok(Loader { file, size })
    }
}

/// The signed loaders where Debian's packages `shim-signed` and `grub-efi-…-signed` have them, which need not be copied into the
/// folder, where nobody would replace them when a revocation makes new ones necessary. A file of the folder goes before them.
const PACKAGED: [(&str, &str); 4] = [
    ("shimx64.efi", "usr/lib/shim/shimx64.efi.signed"),
    ("grubx64.efi", "usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"),
    ("shimaa64.efi", "usr/lib/shim/shimaa64.efi.signed"),
    ("grubaa64.efi", "usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed"),
];

/// The path of a signed loader of Debian's packages, where they are installed below `root`.
fn packaged(root: &Path, name: &str) -> Option<PathBuf> {
    let (_, path) = PACKAGED.iter().find(|(known, _)| *known == name)?;
    root.join(path).canonicalize().ok()
}

/// What a GRUB has in its program that was built with HTTP: the name of a header that it sends.
const SPEAKS_HTTP: &[u8] = b"User-Agent";

/// GRUB's images have some megabytes.
const LARGEST_GRUB: u64 = 64 * 1024 * 1024;

/// The GRUB beside a shim that cannot go on over HTTP, as the signed ones of Debian 12 and 13: it takes the network over from the
/// firmware, finds no HTTP in itself, and waits at a prompt on the console. Firmware that is refused the shim goes on with its
/// next boot entry, which usually is PXE, over TFTP.
fn without_http(loaders: &Loaders, shim: &str) -> Option<String> {
    let (folder, file) = shim.rsplit_once('/').unwrap_or(("", shim));
    let architecture = file.strip_prefix("shim")?.strip_suffix(".efi")?;
    let name = if folder.is_empty() { format!("grub{architecture}.efi") } else { format!("{folder}/grub{architecture}.efi") };
    let mut program = vec![];
    // Where there is none, shim itself says so and gives the machine back.
    loaders.open(&name).ok()?.file.take(LARGEST_GRUB).read_to_end(&mut program).ok()?;
    let speaks = program.windows(SPEAKS_HTTP.len()).any(|part| part == SPEAKS_HTTP);
    (!speaks).then_some(name)
}

/// The path of a name, where the name itself does not leave the folder.
fn below(folder: &Path, name: &str) -> Result<PathBuf, LoaderError> {
    // A final slash would be the same file to the system.
    let strange = name.is_empty() || name.ends_with('/') || name.contains(|letter: char| letter == '\\' || letter.is_control());
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if strange || !plain { Err(LoaderError::Outside) } else { Ok(folder.join(name)) }
}

fn of_disk(error: io::Error) -> LoaderError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => LoaderError::Missing,
        _ => LoaderError::Unreadable(error),
    }
}

/// `GET /boot/loaders/{name}`: what UEFI firmware that boots over HTTP is told to fetch.
pub(super) async fn loader(request: HttpRequest, application: Data<Application>) -> HttpResponse {
    let Some(loaders) = application.loaders.clone() else {
        return refuse(
            &request,
            StatusCode::NOT_FOUND,
            "this service has no folder of boot loaders; its --tftp-folder names one",
        );
    };
    // shim asks for GRUB with one slash more.
    let name = request.match_info().get("name").unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name).to_owned();
    if grub::is_configuration(&name) {
        return match Asker::of(&request, &application) {
            Ok(asker) => grub_answer(&request, &application, asker).await,
            Err(refusal) => refusal.answer(&request),
        };
    }
    let media_type = media_type(&name);
    let wanted = name.clone();
    let opened = match tokio::task::spawn_blocking(move || useful(&loaders, &wanted)).await {
        Ok(opened) => opened,
        Err(error) => Err(LoaderError::Unreadable(io::Error::other(error))),
    };
    match opened {
        Ok(loader) => {
            if request.method() == Method::GET
                && let (Ok(file), Ok(client)) =
                    (loader.file.try_clone(), client::address(&request, &application.trusted_proxies))
            {
                record::loader_given(&application, client, &name, &Arc::new(file)).await;
            }
            answer(&request, loader, media_type)
        }
        Err(error @ (LoaderError::Outside | LoaderError::Missing | LoaderError::Refused(_))) => refuse(&request, StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => {
            tracing::error!("a boot loader is not served: {:#}", anyhow::anyhow!("{error:?}"));
            refuse(&request, StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
}

/// A loader that is of use over HTTP.
fn useful(loaders: &Loaders, name: &str) -> Result<Loader, LoaderError> {
    if let Some(grub) = without_http(loaders, name) {
        let sentence = format!(
            "{name} is not served over HTTP, because {grub}, which it starts, has no HTTP and would stop at a prompt; set the server's \
             firmware to PXE, or put a signed GRUB with HTTP into the folder of boot loaders"
        );
        tracing::warn!("{sentence}");
        return Err(LoaderError::Refused(sentence));
    }
    loaders.open(name)
}

/// UEFI decides by it, or by the name's end, what to do with what it got (UEFI specification, 24.7.1).
fn media_type(name: &str) -> HeaderValue {
    let efi = Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("efi"));
    HeaderValue::from_static(if efi { "application/efi" } else { "application/octet-stream" })
}

fn answer(request: &HttpRequest, loader: Loader, media_type: HeaderValue) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, media_type)).insert_header((CACHE_CONTROL, "no-cache"));
    // Firmware asks for the size first, with a HEAD.
    if request.method() == Method::HEAD {
        return answer.body(SizedStream::new(loader.size, stream::empty::<io::Result<Bytes>>()));
    }
    answer.body(SizedStream::new(loader.size, parts(loader)))
}

/// The file's bytes, as many as it had when it was opened.
fn parts(loader: Loader) -> impl Stream<Item = io::Result<Bytes>> {
    let file = tokio::fs::File::from_std(loader.file).take(loader.size);
    stream::try_unfold(file, |mut file: Take<tokio::fs::File>| async move {
        let mut part = Vec::with_capacity(PART);
        let read = file.read_buf(&mut part).await?;
        match (read, file.limit()) {
            (0, 0) => Ok(None),
            // The connection breaks, which tells the client that it has not got the whole file.
            (0, _) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(Some((Bytes::from(part), file))),
        }
    })
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
            "/etc/passwd",
            &absolute,
            "up/secret",
            "leaving",
            "up/loaders-too",
            "..\\secret",
            "arm64\\ipxe.efi",
            "snponly.efi\0.txt",
            "snponly\n.efi",
            "~/../..",
            "//snponly.efi",
        ] {
            let error = loaders.open(name).expect_err(name);
            assert!(matches!(error, LoaderError::Outside | LoaderError::Missing), "{name}: {error:?}");
        }
        for name in ["../secret", "up/secret", "leaving", "up/loaders-too", &absolute] {
            assert!(matches!(loaders.open(name), Err(LoaderError::Outside)), "{name}");
        }
    }

    #[test]
    fn what_is_no_file_is_missing() {
        let (around, loaders) = folder();
        nix_fifo(&around.path().join("loaders/pipe"));
        for name in ["none.efi", "arm64", ".", "dangling", "snponly.efi/x", "pipe", &"n".repeat(300)] {
            assert!(matches!(loaders.open(name), Err(LoaderError::Missing)), "{name}: {:?}", loaders.open(name));
        }
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
