//! Uploads of files by a browser: `multipart/form-data` (RFC 7578), streamed to the store and never held in memory. The fields
//! before the file describe it; a browser sends them in the order of the form.

use super::labels::size;
use super::show::content;
use crate::http::application::Application;
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::fingerprint;
use crate::http::request::backend::Backend;
use crate::http::request::messages::of_form;
use crate::http::request::path::Path;
use crate::images::upload::{Description, UploadError, patient, put_file};
use crate::pages::catalogue::BOOT_IMAGE;
use crate::pages::catalogue::form::NAME;
use crate::pages::catalogue::page::May;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use anyhow::anyhow;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CommandError, Receipt};
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

/// Maximum size in bytes of a field that is not the file.
const LONGEST_FIELD: usize = 4096;

/// Reads a field as text.
async fn text(field: &mut Field) -> Result<String, Error> {
    let mut bytes = vec![];
    while let Some(part) = field.try_next().await.map_err(|error| broken(&error))? {
        bytes.extend_from_slice(&part);
        if bytes.len() > LONGEST_FIELD {
            return Err(Error::bad_request("", Rule::FieldTooLong, format!("a field is longer than {LONGEST_FIELD} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::bad_request("", Rule::FieldMalformed, "a field is not UTF-8 text"))
}

fn broken(error: &MultipartError) -> Error {
    Error::bad_request("", Rule::FormMalformed, of_form(error))
}

/// The result of a form.
enum Sent {
    Put(Receipt),
    Refused(Fields),
}

async fn take(
    backend: &mut Backend,
    request: &HttpRequest,
    caller: &Administrator,
    key: &Name,
    mut form: Multipart,
) -> Result<Sent, Error> {
    let (mut pairs, mut hasher) = (vec![], Sha256::new());
    while let Some(mut part) = form.try_next().await.map_err(|error| broken(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        if name != "file" {
            let value = text(&mut part).await?;
            fingerprint::hash_part(&mut hasher, &name, value.as_bytes());
            pairs.push((name, value));
            continue;
        }
        let own = part.content_disposition().and_then(|header| header.get_filename()).unwrap_or_default().to_owned();
        let mut fields = Fields::new(std::mem::take(&mut pairs));
        if fields.text(NAME).is_empty() && !own.is_empty() {
            fields = fields.with(NAME, &own);
        }
        let (file, kind) = (fields.required::<Name>(NAME, "The name"), fields.required("kind", "The kind"));
        let (Some(file), Some(kind)) = (file, kind) else {
            // A browser shows the answer only after it has sent everything, so the rest is read and discarded.
            while part.next().await.is_some_and(|bytes| bytes.is_ok()) {}
            return Ok(Sent::Refused(fields));
        };
        let template = fields.ticked("template");
        let description = Description { image: key.clone(), name: file, kind, template, announced: None };
        fingerprint::leave(request, hasher);
        let context = fields.context(caller);
        let body = patient(part.map(|bytes| bytes.map_err(|error| anyhow!("{error}"))));
        return match put_file(backend.application(), description, None, body, context).await {
            Ok((_, receipt)) => Ok(Sent::Put(receipt)),
            Err(error) => refused(fields, error),
        };
    }
    let mut fields = Fields::new(pairs);
    fields.refuse("file", Rule::Missing, "choose a file");
    Ok(Sent::Refused(fields))
}

fn refused(mut fields: Fields, error: UploadError) -> Result<Sent, Error> {
    match error {
        UploadError::Empty => fields.refuse("file", Rule::ContentEmpty, "the file is empty; choose another"),
        UploadError::TooLarge(limit) => fields.refuse("file", Rule::TooLarge, format!("the file is larger than {}", size(limit))),
        UploadError::Template(message) => fields.refuse("file", Rule::TemplateWrong, format!("invalid template: {message}")),
        UploadError::Command(CommandError::Refused(rules)) => {
            // The rules name the file's name `name`.
            for rule in rules {
                let name = if rule.field == "name" { NAME.to_owned() } else { rule.field.clone() };
                fields.add(&name, rule);
            }
        }
        other => return Err(other.into()),
    }
    Ok(Sent::Refused(fields))
}

/// Handles the upload.
pub(super) async fn put(
    caller: Administrator,
    page_context: PageContext,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    request: HttpRequest,
    form: Multipart,
) -> Result<HttpResponse, Error> {
    match take(&mut backend, &request, &caller, &key, form).await? {
        Sent::Put(receipt) => Ok(done(&mut backend, &receipt, &format!("{}#files", BOOT_IMAGE.page(key))).await),
        Sent::Refused(fields) => {
            let mut snapshot = backend.read_now().await?;
            let may = May::of(&page_context, &snapshot);
            let content = content(&mut snapshot, &application, &key, &may, &fields, page_context.now).await?;
            Ok(page_context.refused(snapshot.position, Page::new(key.as_str(), Section::BootImages, content)))
        }
    }
}
