//! The list of boot images, and the page of one.

use super::kind::BootImages;
use super::upload_form::{NAMES, form};
use super::{library, view};
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::catalogue::list;
use crate::pages::catalogue::page::{LivePage, May, NoQuery, page};
use crate::pages::catalogue::{BOOT_IMAGE, entry};
use crate::pages::components::field::summary;
use crate::pages::form::Fields;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::views::Views;
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use maud::{Markup, html};

/// Handles the request for the list.
pub(super) async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    if list::is_csv(&page_context) {
        return list::as_csv(&page_context, snapshot, &BOOT_IMAGE, view::COLUMNS).await;
    }
    let views = Views::load(&page_context, &mut snapshot, "boot-images", list::known(view::COLUMNS)).await?;
    views.assume(&mut page_context);
    let found = list::find(&page_context, &mut snapshot, BOOT_IMAGE.kind, view::COLUMNS).await?;
    let table = view::table(&page_context, &found.slice.rows);
    let empty = list::Empty {
        words: "There are no boot images yet. A boot image contains the script and the files that install a server. Add one from the library, or create one and then add a template of kind boot_ipxe, a kernel and an initrd.",
        first: None,
        also: Some(("Add from library", library::PATH)),
    };
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let json = list::json(&page_context, "/api/v1/boot-images");
    let content = list::view(&page_context, &BOOT_IMAGE, &may, (&found, &table), (&views, &json), &empty);
    let page = Page { json: Some(json), ..Page::new("Boot images", Section::BootImages, content) };
    page_context.answer(snapshot, page).await
}

/// The content of the page. If an upload was refused, its form keeps the values that were sent.
pub(super) async fn content(
    snapshot: &mut Snapshot<'_>,
    application: &Application,
    key: &Name,
    may: &May,
    upload: &Fields,
    now: Timestamp,
) -> Result<Markup, Error> {
    let retired = entry::find::<BootImage>(snapshot, &BOOT_IMAGE, key.as_str()).await?.retired;
    let parts = BootImages::parts(snapshot, application, key, &NoQuery {}, may, now).await?;
    Ok(html! {
        (summary(upload.broken(), &NAMES))
        @for (id, part) in &parts {
            (part)
            // A form must not be inside a part that is replaced while a user fills it in.
            @if *id == "files" && !retired && may.change.is_ok() { (form(key, upload, application.max_upload)) }
        }
    })
}

/// Handles the request for the page of an image.
pub(super) async fn show(
    page_context: PageContext,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (may, moment) = (May::of(&page_context, &snapshot), snapshot.moment());
    let content = content(&mut snapshot, &application, &key, &may, &Fields::default(), moment).await?;
    let page = page::<BootImages>(&page_context, &key, snapshot.position, content);
    page_context.about("boot_image", &key).answer(snapshot, page).await
}
