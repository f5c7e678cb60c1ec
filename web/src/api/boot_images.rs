//! Routes for boot images: list, read, define, retire. The boot pages upload and serve the files' contents.

use crate::api::catalogue::{self, Answer, CatalogueQuery, ChangeMode};
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::boot_image::{BootFile, BootImage, BootImageSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Kind};
use bootledger_projections::rows::catalogue::Entry;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A boot image at its latest revision.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BootImageAnswer {
    /// The boot image's name, unique among boot images.
    key: Name,
    /// The number of events of this boot image so far.
    sequence: i64,
    /// Whether the boot image is retired.
    retired: bool,
    /// The description, in the form that `PUT` accepts.
    spec: Option<BootImageSpec>,
    /// The revision number. Every change increases it by one.
    revision: u32,
    /// The files of the boot image, by name.
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

/// Lists boot images by name, including retired ones.
#[utoipa::path(get, path = "/api/v1/boot-images", tag = "boot-images", params(CatalogueQuery),
    responses((status = 200, body = Page<BootImageAnswer>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<BootImageAnswer>("boot_image", query, backend.read().await?).await
}

/// Returns one boot image.
#[utoipa::path(get, path = "/api/v1/boot-images/{key}", tag = "boot-images", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = BootImageAnswer)))]
pub(crate) async fn show(_: Viewer, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<BootImageAnswer>("boot_image", &key, backend.read().await?).await
}

/// Creates or changes a boot image. A retired boot image is restored.
#[utoipa::path(put, path = "/api/v1/boot-images/{key}", tag = "boot-images", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    request_body = BootImageSpec, responses((status = 200, body = BootImageAnswer)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<BootImageSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineBootImage(key.clone(), spec);
    catalogue::change::<BootImageAnswer>("boot_image", &key, &mut backend, &caller, action).await
}

/// Retires a boot image.
#[utoipa::path(delete, path = "/api/v1/boot-images/{key}", tag = "boot-images", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    responses((status = 200, body = BootImageAnswer)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::Retire(Kind::BootImage, key.clone());
    catalogue::change::<BootImageAnswer>("boot_image", &key, &mut backend, &caller, action).await
}
