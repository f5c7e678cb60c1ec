//! Routes for the library of boot images: its recipes, and the downloads that make boot images from them.

use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingText};
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_images::recipe::{Checksum, Recipe};
use bootledger_port::library::{ImageDownload, ImageLibrary, Wanted};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/image-library").get(index))
        .service(resource("/api/v1/image-library/{name}").get(show))
        .service(resource("/api/v1/image-library/{name}/add").post(add))
        .service(resource("/api/v1/image-downloads").get(downloads))
        .service(resource("/api/v1/image-downloads/{id}").get(download))
        .service(resource("/api/v1/image-downloads/{id}/cancel").post(cancel))
        .service(resource("/api/v1/image-downloads/{id}/resume").post(resume));
}

/// A recipe of the library.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecipeAnswer {
    /// The recipe's name.
    name: Name,
    /// The operating system or tool that the recipe installs.
    title: Text,
    /// How the recipe installs it.
    description: Text,
    /// The version of the operating system or tool.
    version: Text,
    /// The processor architecture: `amd64` or `arm64`.
    architecture: String,
    /// How well the recipe is tested. `run`: it has installed a virtual machine. `checked`: the vendor's validator has checked
    /// the files that it renders. `not_yet_run`: neither.
    status: String,
    /// What the recipe was tested with.
    tested_with: SettingText,
    /// The validators that have checked the files that the recipe renders.
    checked_by: Vec<Text>,
    /// Limitations that users need to know.
    notes: Vec<SettingText>,
    /// The SHA-256 of the recipe and its own files. It identifies the recipe's version.
    sha256: Sha256,
    /// The URL of the official files, which are downloaded from there unless the request names another mirror.
    mirror: Option<String>,
    /// The settings that the recipe's templates use.
    settings: BTreeMap<SettingName, SettingSpec>,
    /// Every file of the recipe, by name.
    files: BTreeMap<Name, RecipeFile>,
    /// The boot images that were added from the recipe and are in use.
    images: Vec<AddedImage>,
}

/// A file of a recipe.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecipeFile {
    /// What the file is used for.
    kind: FileKind,
    /// Whether the file is a template, which is rendered for each server.
    template: bool,
    /// The URL that the file is downloaded from. Null for a file that comes with the recipe, and for one that
    /// the operator supplies.
    url: Option<String>,
    /// How the operator obtains the file, if it cannot be downloaded.
    how: Option<SettingText>,
    /// How the file is verified: `recipe` (it comes with the recipe), `pinned`, `listed`, `signed` or `none`.
    verified_by: String,
}

/// A boot image that was added from a recipe.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AddedImage {
    /// The boot image's name.
    image: Name,
    /// The boot image's revision.
    revision: u32,
    /// Whether the recipe has changed since the boot image was added or last updated.
    outdated: bool,
}

/// A request to add a boot image from a recipe, or to update one.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AddOrder {
    /// The name of the boot image; by default the recipe's name.
    #[serde(rename = "as")]
    name: Option<Name>,
    /// The URL of a mirror with the same layout as the recipe's own.
    mirror: Option<String>,
    /// Whether to update a boot image that already exists.
    update: bool,
    /// Whether an update overwrites changes that were made to the boot image with the recipe's version.
    replace: bool,
}

/// The latest downloads, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Downloads {
    /// Up to 100 downloads.
    items: Vec<ImageDownload>,
}

/// The recipes of the library.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Recipes {
    /// All recipes, by name.
    items: Vec<RecipeAnswer>,
}

/// The boot images in use that were added from a recipe, by recipe.
pub(crate) async fn added(snapshot: &mut Snapshot<'_>) -> Result<BTreeMap<Name, Vec<(Name, u32, Sha256)>>, Error> {
    let at = snapshot.at;
    let mut added: BTreeMap<Name, Vec<(Name, u32, Sha256)>> = BTreeMap::new();
    for entry in catalogue::boot_images(snapshot.connection(), at).await? {
        let origin = entry.spec.spec.as_ref().and_then(|spec| spec.recipe.as_deref());
        if let Some(origin) = origin.filter(|_| !entry.retired) {
            added.entry(origin.name.clone()).or_default().push((entry.key, entry.spec.revision, origin.sha256));
        }
    }
    Ok(added)
}

fn answer(recipe: &Recipe, added: Option<&Vec<(Name, u32, Sha256)>>) -> RecipeAnswer {
    let own = recipe.files.iter().map(|(name, file)| {
        let verified_by = "recipe".to_owned();
        (name.clone(), RecipeFile { kind: file.kind, template: file.template, url: None, how: None, verified_by })
    });
    let official = recipe.downloads.iter().map(|(name, file)| {
        let verified_by = match file.checksum {
            Checksum::None => "none",
            Checksum::Pinned(_) => "pinned",
            Checksum::Listed { .. } => "listed",
            Checksum::Signed { .. } => "signed",
        };
        let url = file.url.as_ref().and_then(|url| url.resolve(recipe.mirror.as_ref()).ok()).map(String::from);
        let how = file.how.clone();
        (name.clone(), RecipeFile { kind: file.kind, template: false, url, how, verified_by: verified_by.to_owned() })
    });
    let image = |(image, revision, sha256): &(Name, u32, Sha256)| AddedImage {
        image: image.clone(),
        revision: *revision,
        outdated: *sha256 != recipe.sha256,
    };
    RecipeAnswer {
        name: recipe.name.clone(),
        title: recipe.title.clone(),
        description: recipe.description.clone(),
        version: recipe.version.clone(),
        architecture: recipe.architecture.as_str().to_owned(),
        status: recipe.status.as_str().to_owned(),
        tested_with: recipe.tested_with.clone(),
        checked_by: recipe.checked_by.clone(),
        notes: recipe.notes.clone(),
        sha256: recipe.sha256,
        mirror: recipe.mirror.as_ref().map(ToString::to_string),
        settings: recipe.settings.clone(),
        files: own.chain(official).collect(),
        images: added.map(|added| added.iter().map(image).collect()).unwrap_or_default(),
    }
}

/// Lists the recipes of the library, and the boot images that were added from each.
#[utoipa::path(get, path = "/api/v1/image-library", tag = "boot-images", responses((status = 200, body = Recipes)))]
pub(crate) async fn index(_: Viewer, mut backend: Backend) -> Result<HttpResponse, Error> {
    let library = backend.library()?.library();
    let mut snapshot = backend.read().await?;
    let added = added(&mut snapshot).await?;
    let items = library.recipes().map(|recipe| answer(recipe, added.get(&recipe.name))).collect();
    Ok(snapshot.answer(&Recipes { items }))
}

/// Returns one recipe.
#[utoipa::path(get, path = "/api/v1/image-library/{name}", tag = "boot-images", params(("name" = Name, Path, description = "Its name")),
    responses((status = 200, body = RecipeAnswer)))]
pub(crate) async fn show(_: Viewer, mut backend: Backend, Path(name): Path<Name>) -> Result<HttpResponse, Error> {
    let library = backend.library()?.library();
    let mut snapshot = backend.read().await?;
    let recipe = library.recipe(&name).ok_or_else(|| missing(&name))?;
    let added = added(&mut snapshot).await?;
    Ok(snapshot.answer(&answer(recipe, added.get(&name))))
}

/// The error for a recipe that does not exist.
pub(crate) fn missing(name: &Name) -> Error {
    Error::NotFound(format!("the library has no recipe {name}; GET /api/v1/image-library lists all"))
}

/// Adds a boot image from a recipe, or updates one, in the background. The response is 202; `GET /api/v1/image-downloads/{id}`
/// returns the progress. The boot image exists only when all of its files are downloaded and verified.
#[utoipa::path(post, path = "/api/v1/image-library/{name}/add", tag = "boot-images", request_body = AddOrder,
    params(("name" = Name, Path, description = "The recipe")), responses((status = 202, body = ImageDownload)))]
pub(crate) async fn add(
    caller: Administrator,
    mut backend: Backend,
    Path(recipe): Path<Name>,
    Json(order): Json<AddOrder>,
) -> Result<HttpResponse, Error> {
    let port = backend.library()?;
    let AddOrder { name, mirror, update, replace } = order;
    let wanted = Wanted { image: name.unwrap_or_else(|| recipe.clone()), recipe, mirror, update, replace };
    let id = port.want(wanted, &caller.context()).await?;
    let download = find(port, id).await?;
    Ok(HttpResponse::Accepted().insert_header((LOCATION, format!("/api/v1/image-downloads/{id}"))).json(download))
}

/// Finds a download by its ID.
pub(crate) async fn find(port: &dyn ImageLibrary, id: Uuid) -> Result<ImageDownload, Error> {
    port.download(id).await?.ok_or_else(|| Error::NotFound(format!("there is no download {id}")))
}

/// Lists downloads from the library, newest first, at most 100.
#[utoipa::path(get, path = "/api/v1/image-downloads", tag = "boot-images", responses((status = 200, body = Downloads)))]
pub(crate) async fn downloads(_: Viewer, mut backend: Backend) -> Result<HttpResponse, Error> {
    only_now(&backend.read().await?)?;
    let items = backend.library()?.downloads().await?;
    Ok(backend.read_now().await?.answer(&Downloads { items }))
}

/// Returns the progress of a download.
#[utoipa::path(get, path = "/api/v1/image-downloads/{id}", tag = "boot-images", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = ImageDownload)))]
pub(crate) async fn download(_: Viewer, mut backend: Backend, Path(id): Path<Uuid>) -> Result<HttpResponse, Error> {
    only_now(&backend.read().await?)?;
    let download = find(backend.library()?, id).await?;
    Ok(backend.read_now().await?.answer(&download))
}

/// Refuses requests for a past position, because downloads keep no history.
fn only_now(snapshot: &Snapshot<'_>) -> Result<(), Error> {
    match snapshot.at {
        At::Now => Ok(()),
        At::Position(_) => {
            Err(Error::bad_request("at", Rule::DownloadsAreNow, "downloads are available only for the present; remove `at`"))
        }
    }
}

/// Cancels a download. Nothing is added to the boot image. A download that has ended does not change.
#[utoipa::path(post, path = "/api/v1/image-downloads/{id}/cancel", tag = "boot-images",
    params(("id" = Uuid, Path, description = "Its id")), responses((status = 200, body = ImageDownload)))]
pub(crate) async fn cancel(_: Administrator, mut backend: Backend, Path(id): Path<Uuid>) -> Result<HttpResponse, Error> {
    let port = backend.library()?;
    port.cancel(id).await?;
    Ok(HttpResponse::Ok().json(find(port, id).await?))
}

/// Retries a download that failed, was interrupted or was cancelled. Data that has already arrived is not downloaded again.
#[utoipa::path(post, path = "/api/v1/image-downloads/{id}/resume", tag = "boot-images",
    params(("id" = Uuid, Path, description = "Its id")), responses((status = 202, body = ImageDownload)))]
pub(crate) async fn resume(caller: Administrator, mut backend: Backend, Path(id): Path<Uuid>) -> Result<HttpResponse, Error> {
    let port = backend.library()?;
    port.resume(id, &caller.context()).await?;
    Ok(HttpResponse::Accepted().json(find(port, id).await?))
}
