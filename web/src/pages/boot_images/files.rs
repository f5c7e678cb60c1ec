//! Handlers for a boot image's files: read as stored, upload, remove.

use super::read::file_of;
use super::{edit, upload};
use crate::api::boot_image_files::stored;
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::catalogue::{BOOT_IMAGE, form as forms};
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::block;
use crate::pages::components::field::summary;
use crate::pages::form::{Fields, done, see_other};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Command};
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/boot-images/{key}/files").get(back).post(upload::put))
        .service(resource("/boot-images/{key}/files/_new").get(edit::new).post(edit::create))
        .service(resource("/boot-images/{key}/files/{file}").get(show))
        .service(resource("/boot-images/{key}/files/{file}/edit").get(edit::edit).post(edit::change))
        .service(resource("/boot-images/{key}/files/{file}/remove").get(load).post(remove));
}

/// The path of a form has no page of its own, but a user may return to it: redirects to the boot image.
async fn back(_: Viewer, Path(key): Path<Name>) -> HttpResponse {
    see_other(&format!("{}#files", BOOT_IMAGE.page(key)))
}

/// Returns the file's bytes as they were uploaded; with `?at=`, those of a past position.
async fn show(
    _: Viewer,
    Path((key, file)): Path<(Name, Name)>,
    mut backend: Backend,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    stored(&mut backend, &request, &key, &file).await
}

async fn question(snapshot: &mut Snapshot<'_>, key: &Name, file: &Name, may: &Allowed, fields: &Fields) -> Result<Markup, Error> {
    let (image, found) = file_of(snapshot, key, file).await?;
    let page = BOOT_IMAGE.page(key);
    let scripts = image.files.values().filter(|file| file.kind == FileKind::BootIpxe).count();
    let last = found.kind == FileKind::BootIpxe && scripts == 1;
    Ok(html! {
        (block::heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), (key.as_str(), &page)], &html! { "Remove " (file) "?" }, &html! {}))
        (summary(fields.broken(), &[]))
        (block::card("question", "Effect", &html! {
            p { "The next revision of " (key) " does not contain the file " (file) ". Live deployments keep their revision, including the file." }
            @if last { p { strong { "It is the script that servers load first. Without it, deployments cannot start with this image." } } }
            p { "Its content remains stored because earlier revisions use it." }
            div.actions {
                (action::post("remove", &format!("{page}/files/{file}/remove"), Look::Danger, "trash", &format!("Remove {file}"), may, &html! {}))
                a.button href=(page) { "Back" }
            }
        }))
    })
}

async fn load(
    _: Administrator,
    page_context: PageContext,
    Path((key, file)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let content = question(&mut snapshot, &key, &file, &may, &Fields::default()).await?;
    page_context.answer(snapshot, Page::new(&format!("Remove {file}"), Section::BootImages, content)).await
}

async fn remove(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path((key, file)): Path<(Name, Name)>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Some(Command::Catalogue(CatalogueAction::RemoveBootFile { image: key.clone(), name: file.clone() }));
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &format!("{}#files", BOOT_IMAGE.page(key))).await);
    }
    let mut snapshot = backend.read_now().await?;
    let content = question(&mut snapshot, &key, &file, &Ok(()), &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Remove {file}"), Section::BootImages, content)))
}
