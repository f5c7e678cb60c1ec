//! Boot images without their files' contents, which the boot pages take and give.

use crate::api::catalogue::{self, Answer, CatalogueQuery, ChangeMode};
use crate::auth::caller::{Administrator, Viewer};
use crate::commands::{Command, Kind};
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::body::Json;
use crate::request::page::Page;
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::boot_image::{BootFile, BootImage, BootImageSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_projections::catalogue::Entry;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A boot image at its latest revision.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BootImageAnswer {
    /// Its key among those of its kind.
    key: Name,
    /// How many events it has had.
    sequence: i64,
    /// Whether it is out of use.
    retired: bool,
    /// Its description, as `PUT` takes it.
    spec: Option<BootImageSpec>,
    /// How many changes it has had.
    revision: u32,
    /// Its files by name.
    files: BTreeMap<Name, BootFile>,
}

impl Answer for BootImageAnswer {
    type View = BootImage;

    fn of(Entry { key, sequence, retired, spec: image }: Entry<BootImage>) -> Self {
        let BootImage { spec, revision, files, retired: _ } = image;
        Self { key, sequence, retired, spec, revision, files }
    }
}

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/boot-images").get(index))
        .service(resource("/api/v1/boot-images/{key}").get(show).put(define).delete(retire));
}

/// The boot images by name; retired ones are among them.
#[utoipa::path(get, path = "/api/v1/boot-images", tag = "boot-images", params(CatalogueQuery),
    responses((status = 200, body = Page<BootImageAnswer>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<BootImageAnswer>("boot_image", query, backend.read().await?).await
}

/// One boot image.
#[utoipa::path(get, path = "/api/v1/boot-images/{key}", tag = "boot-images", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = BootImageAnswer)))]
pub(crate) async fn show(_: Viewer, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<BootImageAnswer>("boot_image", &key, backend.read().await?).await
}

/// Creates or changes a boot image; a retired one is in use again.
#[utoipa::path(put, path = "/api/v1/boot-images/{key}", tag = "boot-images", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    request_body = BootImageSpec, responses((status = 200, body = BootImageAnswer)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<BootImageSpec>,
) -> Result<HttpResponse, Error> {
    let command = Command::DefineBootImage(key.clone(), spec);
    catalogue::change::<BootImageAnswer>("boot_image", &key, &mut backend, &caller, command).await
}

/// Takes a boot image out of use.
#[utoipa::path(delete, path = "/api/v1/boot-images/{key}", tag = "boot-images", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    responses((status = 200, body = BootImageAnswer)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let command = Command::Retire(Kind::BootImage, key.clone());
    catalogue::change::<BootImageAnswer>("boot_image", &key, &mut backend, &caller, command).await
}
