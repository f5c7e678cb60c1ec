//! The files of one folder, for the tests of the server.

use crate::{Files, OpenError, OpenedFile};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

/// A folder. Symbolic links and paths that lead out of it are refused.
pub(crate) struct Folder(pub(crate) PathBuf);

/// A file of the folder.
pub(crate) struct Opened {
    file: File,
    size: u64,
}

impl Folder {
    pub(crate) fn open_now(&self, name: &[u8]) -> Result<Opened, OpenError> {
        // All names are relative to the folder.
        let name = String::from_utf8_lossy(name).replace('\\', "/");
        let name = name.trim_start_matches('/');
        let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        let path = self.0.join(name);
        let link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        if name.is_empty() || !inside || link {
            return Err(OpenError::Refused("only files below the folder are served".to_owned()));
        }
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => OpenError::Unreadable(error),
            _ => OpenError::Missing,
        })?;
        let metadata = file.metadata().map_err(OpenError::Unreadable)?;
        if metadata.is_file() { Ok(Opened { size: metadata.len(), file }) } else { Err(OpenError::Missing) }
    }
}

impl Opened {
    /// The file and its size.
    pub(crate) fn into_parts(self) -> (File, u64) {
        (self.file, self.size)
    }
}

impl Files for Folder {
    fn open<'a>(&'a self, _: IpAddr, name: &'a [u8]) -> BoxFuture<'a, Result<Box<dyn OpenedFile>, OpenError>> {
        async move { Ok(Box::new(self.open_now(name)?) as Box<dyn OpenedFile>) }.boxed()
    }
}

impl OpenedFile for Opened {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, from: u64, to: u64) -> BoxFuture<'_, io::Result<Bytes>> {
        async move {
            let mut bytes = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
            self.file.read_exact_at(&mut bytes, from)?;
            Ok(bytes.into())
        }
        .boxed()
    }
}
