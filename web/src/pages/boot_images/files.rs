//! Handlers for a boot image's files: read as stored, upload, remove.

use super::{edit, upload};
use crate::application::Application;
use crate::auth::caller::{Administrator, Viewer};
use crate::auth::level::Level;
use crate::boot::files::stored;
use crate::commands::Command;
use crate::error::Error;
use crate::pages::catalogue::BOOT_IMAGE;
use crate::pages::catalogue::entry;
use crate::pages::catalogue::form as forms;
use crate::pages::form::{Fields, done, see_other};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{self, Allowed, Look};
use crate::pages::kit::block;
use crate::pages::kit::field::summary;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::boot_image::{BootFile, BootImage, FileKind};
use bootledger_aggregates::values::name::Name;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/boot-images/{key}/files").get(back).post(upload::put))
        .service(resource("/boot-images/{key}/files/_new").get(edit::new).post(edit::create))
        .service(resource("/boot-images/{key}/files/{file}").get(show))
        .service(resource("/boot-images/{key}/files/{file}/edit").get(edit::edit).post(edit::change))
        .service(resource("/boot-images/{key}/files/{file}/remove").get(ask).post(remove));
}

/// The path of a form has no page of its own, but a user may return to it: redirects to the boot image.
async fn back(_: Viewer, Path(key): Path<Name>) -> HttpResponse {
    see_other(&format!("{}#files", BOOT_IMAGE.page(key)))
}

/// A file of a boot image at the moment of the reading.
pub(super) async fn find(reading: &mut Reading<'_>, key: &Name, file: &Name) -> Result<(BootImage, BootFile), Error> {
    let image = entry::find::<BootImage>(reading, &BOOT_IMAGE, key.as_str()).await?.spec;
    let found = image.files.get(file).cloned();
    let found = found.ok_or_else(|| Error::NotFound(format!("the boot image {key} has no file {file}")))?;
    Ok((image, found))
}

/// Returns the file's bytes as they were uploaded; with `?at=`, those of a past position.
async fn show(
    _: Viewer,
    application: Data<Application>,
    Path((key, file)): Path<(Name, Name)>,
    mut backend: Backend,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    stored(&application, &mut backend, &request, &key, &file).await
}

async fn question(reading: &mut Reading<'_>, key: &Name, file: &Name, may: &Allowed, fields: &Fields) -> Result<Markup, Error> {
    let (image, found) = find(reading, key, file).await?;
    let page = BOOT_IMAGE.page(key);
    let scripts = image.files.values().filter(|file| file.kind == FileKind::BootIpxe).count();
    let last = found.kind == FileKind::BootIpxe && scripts == 1;
    Ok(html! {
        (block::heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), (key.as_str(), &page)], &html! { "Remove " (file) "?" }, &html! {}))
        (summary(fields.broken(), &[]))
        (block::card("question", "What it does", &html! {
            p { "The next revision of " (key) " is without the file " (file) ". Live deployments keep the revision that they began with, and so the file." }
            @if last { p { strong { "It is the script that servers get first. Without it, no deployment can start with this image." } } }
            p { "Its content stays stored, since earlier revisions have it." }
            div.actions {
                (action::post("remove", &format!("{page}/files/{file}/remove"), Look::Danger, "trash", &format!("Remove {file}"), may, &html! {}))
                a.button href=(page) { "Keep it" }
            }
        }))
    })
}

async fn ask(
    _: Administrator,
    visit: Visit,
    Path((key, file)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let content = question(&mut reading, &key, &file, &may, &Fields::default()).await?;
    visit.answer(reading, Page::new(&format!("Remove {file}"), Section::BootImages, content)).await
}

async fn remove(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path((key, file)): Path<(Name, Name)>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Some(Command::RemoveBootFile { image: key.clone(), name: file.clone() });
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &format!("{}#files", BOOT_IMAGE.page(key))).await);
    }
    let mut reading = backend.read_now().await?;
    let content = question(&mut reading, &key, &file, &Ok(()), &fields).await?;
    Ok(visit.refused(reading.position, Page::new(&format!("Remove {file}"), Section::BootImages, content)))
}
