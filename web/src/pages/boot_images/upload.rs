//! Uploads of files by a browser: `multipart/form-data` (RFC 7578), streamed to the store and never held in memory. The fields
//! before the file describe it; a browser sends them in the order of the form.

use super::content;
use super::view::{kinds, size};
use crate::application::Application;
use crate::auth::caller::Administrator;
use crate::boot::files::patient;
use crate::boot::upload::{Description, UploadError};
use crate::commands::{CommandError, Receipt};
use crate::error::Error;
use crate::pages::catalogue::BOOT_IMAGE;
use crate::pages::catalogue::form::{NAME, field, needed};
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::once;
use crate::pages::kit::block::card;
use crate::request::backend::Backend;
use crate::request::fingerprint;
use crate::request::path::Path;
use crate::request::words::of_form;
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use anyhow::anyhow;
use bootledger_aggregates::values::name::Name;
use futures::{StreamExt, TryStreamExt};
use maud::{Markup, html};
use sha2::{Digest, Sha256};

/// The names of the form's fields.
pub(super) const NAMES: [&str; 4] = [NAME, "kind", "template", "file"];

/// Maximum size in bytes of a field that is not the file.
const LONGEST_FIELD: usize = 4096;

/// Renders the upload form.
pub(super) fn form(key: &Name, fields: &Fields, most: u64) -> Markup {
    let hint = format!("At most {}. A file of the same name is replaced.", size(most));
    let file = needed(fields, "file", "File", &hint);
    card(
        "upload",
        "Upload a file",
        &html! {
            form.form method="post" action=(format!("{}/files", BOOT_IMAGE.page(key))) enctype="multipart/form-data" {
                (once())
                div.pair {
                    (field(fields, NAME, "Name", "As in /pxe/NAME; the name that the file has on your machine where it is empty.").text())
                    (needed(fields, "kind", "Kind", "What it is for.").select(Some("Choose one"), &kinds()))
                }
                (field(fields, "template", "It is a template", "Rendered for each server, and checked now.").check())
                (file.text_with("file", &html! {}))
                progress data-upload="" max="1" value="0" hidden aria-label="How much is uploaded" {}
                p.error data-upload-problem="" role="alert" {}
                div.actions { button type="submit" { "Upload" } }
            }
        },
    )
}

/// Reads a field as text.
async fn text(field: &mut Field) -> Result<String, Error> {
    let mut bytes = vec![];
    while let Some(part) = field.try_next().await.map_err(|error| broken(&error))? {
        bytes.extend_from_slice(&part);
        if bytes.len() > LONGEST_FIELD {
            return Err(Error::bad_request("", "field_too_long", format!("a field has more than {LONGEST_FIELD} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::bad_request("", "field_malformed", "a field is not UTF-8 text"))
}

fn broken(error: &MultipartError) -> Error {
    Error::bad_request("", "form_malformed", of_form(error))
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
        return match backend.put_file(description, None, body, context).await {
            Ok((_, receipt)) => Ok(Sent::Put(receipt)),
            Err(error) => refused(fields, error),
        };
    }
    let mut fields = Fields::new(pairs);
    fields.refuse("file", "missing", "choose a file");
    Ok(Sent::Refused(fields))
}

fn refused(mut fields: Fields, error: UploadError) -> Result<Sent, Error> {
    match error {
        UploadError::Empty => fields.refuse("file", "content_empty", "the file is empty; choose another"),
        UploadError::TooLarge(limit) => fields.refuse("file", "too_large", format!("the file has more than {}", size(limit))),
        UploadError::Template(message) => fields.refuse("file", "template_wrong", format!("the template is wrong, {message}")),
        UploadError::Command(CommandError::Refused(rules)) => {
            // The rules name the file's name `name`.
            for rule in rules {
                let name = if rule.field == "name" { NAME } else { &rule.field };
                fields.refuse(name, &rule.rule, rule.message);
            }
        }
        other => return Err(other.into()),
    }
    Ok(Sent::Refused(fields))
}

/// Handles the upload.
pub(super) async fn put(
    caller: Administrator,
    visit: Visit,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    request: HttpRequest,
    form: Multipart,
) -> Result<HttpResponse, Error> {
    match take(&mut backend, &request, &caller, &key, form).await? {
        Sent::Put(receipt) => Ok(done(&mut backend, &receipt, &format!("{}#files", BOOT_IMAGE.page(key))).await),
        Sent::Refused(fields) => {
            let mut reading = backend.read_now().await?;
            let content = content(&mut reading, &application, &key, &Ok(()), &fields).await?;
            Ok(visit.refused(reading.position, Page::new(key.as_str(), Section::BootImages, content)))
        }
    }
}
