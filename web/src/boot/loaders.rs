//! The folder of boot loaders: what a server's firmware fetches, by TFTP or by HTTP, to get an iPXE in the first place.
//!
//! A name is looked up below the folder, and nothing leaves it: names are checked before the disk is asked, and what is
//! found is looked at without its symbolic links. Nothing is ever written there.

use super::refusal::refuse;
use crate::application::Application;
use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures::{Stream, stream};
use std::fs::File;
use std::io;
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
        let path = below(&self.0, name)?;
        let path = path.canonicalize().map_err(of_disk)?;
        if !path.starts_with(&self.0) {
            return Err(LoaderError::Outside);
        }
        // Opening anything else, such as a named pipe, might never end.
        if !path.metadata().map_err(of_disk)?.is_file() {
            return Err(LoaderError::Missing);
        }
        let file = File::open(&path).map_err(of_disk)?;
        let size = file.metadata().map_err(of_disk)?.len();
        Ok(Loader { file, size })
    }
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
    let name = request.match_info().get("name").unwrap_or_default().to_owned();
    let media_type = media_type(&name);
    let opened = match tokio::task::spawn_blocking(move || loaders.open(&name)).await {
        Ok(opened) => opened,
        Err(error) => Err(LoaderError::Unreadable(io::Error::other(error))),
    };
    match opened {
        Ok(loader) => answer(&request, loader, media_type),
        Err(error @ (LoaderError::Outside | LoaderError::Missing)) => refuse(&request, StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => {
            tracing::error!("a boot loader is not served: {:#}", anyhow::anyhow!("{error:?}"));
            refuse(&request, StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
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
