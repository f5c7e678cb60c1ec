//! Serves the boot network's files over TFTP: the adapter between the TFTP server, which knows no deployment, and `web`, which
//! decides who may have which file.

#[cfg(test)]
mod tests;

use bootledger_boot_loaders::LoaderError;
use bootledger_tftp::{Files, OpenError, OpenedFile};
use bootledger_web::machines::pxe::tftp as boot;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// Boot loaders, and the files of deployments in progress.
pub struct BootFiles(boot::Files);

struct Opened(boot::Opened);

impl BootFiles {
    /// The files, in the form that the server takes.
    pub fn shared(files: impl Into<boot::Files>) -> Arc<dyn Files> {
        Arc::new(Self(files.into()))
    }
}

impl Files for BootFiles {
    fn open<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, Result<Box<dyn OpenedFile>, OpenError>> {
        async move {
            let opened = self.0.open(client, name).await.map_err(error)?;
            Ok(Box::new(Opened(opened)) as Box<dyn OpenedFile>)
        }
        .boxed()
    }
}

impl OpenedFile for Opened {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn part(&self) -> u64 {
        self.0.part()
    }

    fn read(&self, from: u64, to: u64) -> BoxFuture<'_, io::Result<Bytes>> {
        self.0.read(from, to).boxed()
    }

    fn received(&self) -> BoxFuture<'_, ()> {
        self.0.given().boxed()
    }
}

/// The reason why a file is not sent, for a TFTP client.
pub fn error(error: LoaderError) -> OpenError {
    match error {
        LoaderError::Missing => OpenError::Missing,
        LoaderError::Unreadable(error) => OpenError::Unreadable(error),
        LoaderError::Outside | LoaderError::Refused(_) => OpenError::Refused(error.to_string()),
    }
}
