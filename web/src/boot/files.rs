//! The route `/api/v1/boot-images/{name}/files/{file}`, with which operators upload, read and remove a boot image's files.
//!
//! The body is the file's bytes and nothing else, streamed to the store. [`crate::auth`] has authenticated the caller.

use super::serve::{Content, Source, media_type, serve};
use super::store::{Contents, StoreError};
use super::upload::{Description, UploadError};
use crate::api::boot_images::BootImageAnswer;
use crate::api::catalogue::Answer;
use crate::application::Application;
use crate::auth::caller::{Administrator, Viewer};
use crate::commands::Command;
use crate::error::Error;
use crate::request::answer::Change;
use crate::request::backend::Backend;
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use crate::request::reading::{Reading, name_position};
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{self, Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::boot_image::{BootFile, BootImage, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use bytes::Bytes;
use futures::Stream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::StreamExt;
use utoipa::{IntoParams, ToSchema};

/// Time limit for the next bytes of a body.
const BETWEEN_BYTES: Duration = Duration::from_mins(1);

/// Mounts the routes.
pub(crate) fn configure(configuration: &mut ServiceConfig) {
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
    let (file, receipt) = backend.put_file(description, length, body, caller.context()).await?;
    let change = Change::of(receipt);
    let (mut revision, position) = (None, change.receipt.position);
    if let Ok(mut reading) = change.shown(&mut backend).await {
        revision = catalogue::boot_image(reading.connection(), &image, At::Now).await?.map(|entry| entry.spec.revision);
    }
    let mut answer = HttpResponse::Ok().json(PutFile { image, name, file, revision });
    name_position(&mut answer, position);
    Ok(answer)
}

/// A body that fails if the next bytes take too long.
pub(crate) fn patient(body: impl Stream<Item = anyhow::Result<Bytes>>) -> impl Stream<Item = anyhow::Result<Bytes>> {
    body.timeout(BETWEEN_BYTES).map(|bytes| bytes.unwrap_or_else(|elapsed| Err(anyhow::Error::new(elapsed))))
}

/// Returns a file of a boot image as it was uploaded; a template is not rendered. Supports range requests (`Range`).
#[utoipa::path(get, path = "/api/v1/boot-images/{image}/files/{file}", tag = "boot-images",
    params(("image" = Name, Path, description = "The image's name"), ("file" = Name, Path, description = "The file's name")),
    responses((status = 200, content((Vec<u8> = "application/octet-stream"), (String = "text/plain")))))]
pub(crate) async fn show(
    _: Viewer,
    application: Data<Application>,
    Path((image, name)): Path<(Name, Name)>,
    mut backend: Backend,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    stored(&application, &mut backend, &request, &image, &name).await
}

/// The answer with a file as it was uploaded.
pub(crate) async fn stored(
    application: &Application,
    backend: &mut Backend,
    request: &HttpRequest,
    image: &Name,
    name: &Name,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let file = find(&mut reading, image, name).await?;
    let position = reading.position;
    // Sending the bytes may take long; the transaction must not.
    drop(reading);
    let contents = Contents::new(Arc::clone(&application.files));
    let content = Content { sha256: file.sha256, size: file.size, source: Source::Stored(contents) };
    let mut answer = serve(request, content, media_type(file.kind)).await.map_err(store_failed)?;
    name_position(&mut answer, position);
    Ok(answer)
}

async fn find(reading: &mut Reading<'_>, image: &Name, name: &Name) -> Result<BootFile, Error> {
    let at = reading.at;
    let entry: Option<Entry<BootImage>> = catalogue::boot_image(reading.connection(), image, at).await?;
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
    let command = Command::RemoveBootFile { image: image.clone(), name };
    let change = Change::make(&mut backend, &caller, command).await?;
    match change.shown(&mut backend).await {
        Ok(mut reading) => {
            let entry = catalogue::boot_image(reading.connection(), &image, At::Now).await?;
            Ok(change.answer(reading, &entry.map(BootImageAnswer::of)))
        }
        Err(accepted) => Ok(accepted),
    }
}

impl From<UploadError> for Error {
    fn from(error: UploadError) -> Self {
        let message = error.to_string();
        match error {
            UploadError::Empty => Self::rejected("", "content_empty", message),
            UploadError::TooLarge(limit) => Self::TooLarge(limit),
            UploadError::Aborted(source) if source.is::<tokio_stream::Elapsed>() => Self::TooSlow(BETWEEN_BYTES.as_secs()),
            UploadError::Aborted(_) => Self::bad_request("", "body_incomplete", message),
            UploadError::Mismatch { .. } => Self::rejected("sha256", "content_other_than_announced", message),
            UploadError::Template(_) => Self::rejected("", "template_wrong", message),
            UploadError::Store(source) => store_failed(source),
            UploadError::Command(error) => error.into(),
        }
    }
}

pub(crate) fn store_failed(error: StoreError) -> Error {
    if matches!(error, StoreError::Missing(_)) {
        return Error::Internal(error.into());
    }
    if let Some(cause) = error.cause() {
        return Error::impeded(cause, error);
    }
    let message = "the store of boot files does not answer; try again".to_owned();
    Error::Unavailable { message, retry_after: 2, source: Some(error.into()) }
}
