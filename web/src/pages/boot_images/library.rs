//! Pages of the library: the recipes with how far each was tested, a page for each, and the download that adds a boot image.

mod view;

use crate::api::image_library::{added, find, missing};
use crate::http::application::Application;
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::form::{Fields, see_other};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::{Region, polled};
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_port::library::Wanted;
use futures::future::FutureExt;
use std::sync::Arc;
use tokio::sync::Mutex;
use uuid::Uuid;

/// The page of the library.
pub(super) const PATH: &str = "/boot-images/_library";
/// The pages of downloads.
const DOWNLOADS: &str = "/boot-images/_downloads";

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/boot-images/_library").get(index))
        .service(resource("/boot-images/_library/{name}").get(show).post(add))
        .service(resource("/boot-images/_downloads").get(back))
        .service(resource("/boot-images/_downloads/{id}").get(download))
        .service(resource("/boot-images/_downloads/{id}/live/now").get(live))
        .service(resource("/boot-images/_downloads/{id}/cancel").get(back).post(cancel))
        .service(resource("/boot-images/_downloads/{id}/resume").get(back).post(resume));
}

async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let library = backend.library()?.library();
    let downloads = backend.library()?.downloads().await?;
    let mut snapshot = backend.read_now().await?;
    let added = added(&mut snapshot).await?;
    let content = view::index(&library, &added, &downloads);
    let page = Page { json: Some("/api/v1/image-library".to_owned()), ..Page::new("Library", Section::BootImages, content) };
    page_context.answer(snapshot, page).await
}

async fn show(page_context: PageContext, Path(name): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let library = backend.library()?.library();
    let recipe = library.recipe(&name).ok_or_else(|| missing(&name))?;
    let mut snapshot = backend.read_now().await?;
    let added = added(&mut snapshot).await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let content = view::show(recipe, added.get(&name).map_or(&[][..], Vec::as_slice), &may, &Fields::default());
    let page = Page {
        json: Some(format!("/api/v1/image-library/{name}")),
        ..Page::new(recipe.title.as_str(), Section::BootImages, content)
    };
    page_context.answer(snapshot, page).await
}

async fn add(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(name): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let library = backend.library()?.library();
    let recipe = library.recipe(&name).ok_or_else(|| missing(&name))?;
    let image = fields.required::<Name>("as", "The name");
    let mirror = Some(fields.text("mirror").to_owned()).filter(|mirror| !mirror.is_empty());
    let (update, replace) = (fields.ticked("update"), fields.ticked("replace"));
    if let Some(image) = image {
        let wanted = Wanted { recipe: name.clone(), image, mirror, update, replace };
        match backend.library()?.want(wanted, &fields.context(&caller)).await {
            Ok(id) => return Ok(see_other(&format!("{DOWNLOADS}/{id}"))),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read_now().await?;
    let added = added(&mut snapshot).await?;
    let content = view::show(recipe, added.get(&name).map_or(&[][..], Vec::as_slice), &Ok(()), &fields);
    Ok(page_context.refused(snapshot.position, Page::new(recipe.title.as_str(), Section::BootImages, content)))
}

/// The path of a form has no page of its own, but a reader may return to it: redirects to the library.
async fn back(_: Viewer) -> HttpResponse {
    see_other(&format!("{PATH}#downloads"))
}

async fn download(page_context: PageContext, Path(id): Path<Uuid>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let download = find(backend.library()?, id).await?;
    let snapshot = backend.read_now().await?;
    let may = page_context.may(Role::Administrator);
    let content = view::download_page(&download, &may);
    let title = format!("{} from the library", download.image);
    let page = Page {
        live: Some(format!("{DOWNLOADS}/{id}/live/now")),
        json: Some(format!("/api/v1/image-downloads/{id}")),
        ..Page::new(&title, Section::BootImages, content)
    };
    page_context.answer(snapshot, page).await
}

async fn live(
    page_context: PageContext,
    application: Data<Application>,
    mut backend: Backend,
    Path(id): Path<Uuid>,
) -> Result<HttpResponse, Error> {
    find(backend.library()?, id).await?;
    // One part is rendered at a time, so that the lock is always free.
    let backend = Arc::new(Mutex::new(backend));
    let may = page_context.may(Role::Administrator);
    let render: polled::Render = Box::new(move || {
        let (backend, may) = (Arc::clone(&backend), may.clone());
        async move {
            let download = find(backend.lock().await.library()?, id).await?;
            Ok((Region::new("download", view::download(&download, &may)), download.status.is_live()))
        }
        .boxed_local()
    });
    Ok(polled::answer(application.stopping.clone(), render))
}

async fn cancel(_: Administrator, mut backend: Backend, Path(id): Path<Uuid>) -> Result<HttpResponse, Error> {
    backend.library()?.cancel(id).await?;
    Ok(see_other(&format!("{DOWNLOADS}/{id}")))
}

async fn resume(
    caller: Administrator,
    mut backend: Backend,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    backend.library()?.resume(id, &fields.context(&caller)).await?;
    Ok(see_other(&format!("{DOWNLOADS}/{id}")))
}
