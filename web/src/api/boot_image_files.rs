//! The route `/api/v1/boot-images/{name}/files/{file}`, with which operators upload, read and remove a boot image's files.
//!
//! The body is the file's bytes and nothing else, streamed to the store. The guard has authenticated the caller.

use super::boot_images::BootImageAnswer;
use super::catalogue::Answer;
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::{Snapshot, name_position};
use crate::images::serve::{Content, Source, media_type, serve};
use crate::images::store::Contents;
use crate::images::stored::store_failed;
use crate::images::upload::{Description, patient, put_file};
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{self, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::boot_image::{BootFile, BootImage, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_port::{CatalogueAction, Command};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio_stream::StreamExt;
use utoipa::{IntoParams, ToSchema};

/// Mounts the routes.
pub(super) fn configure(configuration: &mut ServiceConfig) {
    let files = resource("/api/v1/boot-images/{image}/files/{file}");
    configuration.service(files.put(put).get(show).head(show).delete(remove));
}

/// The description of an uploaded file.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PutQuery {
    /// What the file is used for.
    kind: FileKind,
    /// Whether the file is a template, which is rendered for each server. A template is checked when it is uploaded.
    #[serde(default)]
    template: bool,
    /// The expected SHA-256 of the bytes. A different content is refused.
    #[param(value_type = Option<String>)]
    sha256: Option<Sha256>,
}

/// The result of an upload.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PutFile {
    /// The name of the boot image.
    image: Name,
    /// The name of the file in the boot image.
    name: Name,
    /// The stored file.
    #[serde(flatten)]
    file: BootFile,
    /// The boot image's revision that contains the file; left out if the views do not show it in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
}

/// Adds or replaces a file of a boot image. Live deployments keep the revision that they were started with.
#[utoipa::path(put, path = "/api/v1/boot-images/{image}/files/{file}", tag = "boot-images",
    params(("image" = Name, Path, description = "The image's name"), ("file" = Name, Path, description = "The file's name"), PutQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file's bytes"),
    responses((status = 200, body = PutFile)))]
pub(crate) async fn put(
    caller: Administrator,
    mut backend: Backend,
    Path((image, name)): Path<(Name, Name)>,
    Parameters(query): Parameters<PutQuery>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let description = Description {
        image: image.clone(),
        name: name.clone(),
        kind: query.kind,
        template: query.template,
        announced: query.sha256,
    };
    let body = patient(body.map(|bytes| bytes.map_err(anyhow::Error::new)));
    let (file, receipt) = put_file(backend.application(), description, length, body, caller.context()).await?;
    let change = Change::of(receipt);
    let (mut revision, position) = (None, change.receipt.position);
    if let Shown::Now(mut snapshot) = change.shown(&mut backend).await {
        revision = catalogue::boot_image(snapshot.connection(), &image, At::Now).await?.map(|entry| entry.spec.revision);
    }
    let mut answer = HttpResponse::Ok().json(PutFile { image, name, file, revision });
    name_position(&mut answer, position);
    Ok(answer)
}

/// Returns a file of a boot image as it was uploaded; a template is not rendered. Supports range requests (`Range`).
#[utoipa::path(get, path = "/api/v1/boot-images/{image}/files/{file}", tag = "boot-images",
    params(("image" = Name, Path, description = "The image's name"), ("file" = Name, Path, description = "The file's name")),
    responses((status = 200, content((Vec<u8> = "application/octet-stream"), (String = "text/plain")))))]
pub(crate) async fn show(
    _: Viewer,
    Path((image, name)): Path<(Name, Name)>,
    mut backend: Backend,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    stored(&mut backend, &request, &image, &name).await
}

/// The answer with a file as it was uploaded.
pub(crate) async fn stored(
    backend: &mut Backend,
    request: &HttpRequest,
    image: &Name,
    name: &Name,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let file = find(&mut snapshot, image, name).await?;
    let position = snapshot.position;
    // Sending the bytes may take long; the transaction must not.
    drop(snapshot);
    let contents = Contents::new(Arc::clone(&backend.application().files));
    let content = Content { sha256: file.sha256, size: file.size, source: Source::Stored(contents) };
    let mut answer = serve(request, content, media_type(file.kind)).await.map_err(store_failed)?;
    name_position(&mut answer, position);
    Ok(answer)
}

async fn find(snapshot: &mut Snapshot<'_>, image: &Name, name: &Name) -> Result<BootFile, Error> {
    let at = snapshot.at;
    let entry: Option<Entry<BootImage>> = catalogue::boot_image(snapshot.connection(), image, at).await?;
    let entry = entry.ok_or_else(|| Error::NotFound(format!("there is no boot image {image}")))?;
    let files = &entry.spec.files;
    files.get(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = files.keys().map(Name::as_str).collect();
        let those = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
        Error::NotFound(format!("the boot image {image} has no file {name}; {those}"))
    })
}

/// Removes a file from a boot image. Its content stays in the store, because earlier revisions use it.
#[utoipa::path(delete, path = "/api/v1/boot-images/{image}/files/{file}", tag = "boot-images",
    params(("image" = Name, Path, description = "The image's name"), ("file" = Name, Path, description = "The file's name")),
    responses((status = 200, body = BootImageAnswer)))]
pub(crate) async fn remove(
    caller: Administrator,
    mut backend: Backend,
    Path((image, name)): Path<(Name, Name)>,
) -> Result<HttpResponse, Error> {
    let command = Command::Catalogue(CatalogueAction::RemoveBootFile { image: image.clone(), name });
    let change = Change::make(&mut backend, &caller, command).await?;
    match change.shown(&mut backend).await {
        Shown::Now(mut snapshot) => {
            let entry = catalogue::boot_image(snapshot.connection(), &image, At::Now).await?;
            Ok(change.answer(snapshot, &entry.map(BootImageAnswer::of)))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}
