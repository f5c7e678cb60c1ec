//! Reads what several pages of boot images show.

use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::images::stored;
use crate::images::template::MAX_TEMPLATE;
use crate::pages::catalogue::{BOOT_IMAGE, entry};
use bootledger_aggregates::boot_image::{BootFile, BootImage};
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::deployments::{self, Deployment};

/// How many live deployments that use an image are shown.
pub(super) const SHOWN_LIVE: u8 = 20;

/// The live deployments that use an image. If there are more than are shown, one more is returned.
pub(super) async fn live_with(snapshot: &mut Snapshot<'_>, key: &Name) -> Result<Vec<Deployment>, Error> {
    let at = snapshot.at;
    let filter = deployments::Filter { boot_image: Some(key.clone()), live: Some(true), ..deployments::Filter::default() };
    Ok(deployments::list(snapshot.connection(), &filter, at, i64::from(SHOWN_LIVE) + 1).await?)
}

/// A file of a boot image at the moment of the reading.
pub(super) async fn file_of(snapshot: &mut Snapshot<'_>, key: &Name, file: &Name) -> Result<(BootImage, BootFile), Error> {
    let image = entry::find::<BootImage>(snapshot, &BOOT_IMAGE, key.as_str()).await?.spec;
    let found = image.files.get(file).cloned();
    let found = found.ok_or_else(|| Error::NotFound(format!("the boot image {key} has no file {file}")))?;
    Ok((image, found))
}

/// The text of a template as it is stored.
pub(super) async fn template(backend: &mut Backend, file: &BootFile) -> Result<String, Error> {
    if file.size > MAX_TEMPLATE as u64 {
        return Err(Error::NotFound(format!("the file is larger than {MAX_TEMPLATE} bytes, the limit for templates")));
    }
    let bytes = stored::read(backend, file.sha256, file.size).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
