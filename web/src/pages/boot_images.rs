//! Pages of boot images: their files, an editor and a preview of templates, where the images are used, and every revision.

mod declarations;
mod edit;
mod files;
mod form;
mod library;
mod preview;
pub(crate) mod target;
mod upload;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{Pairs, Target};
use super::catalogue::list::{self, ListQuery};
use super::catalogue::{BOOT_IMAGE, Noun, history};
use super::form::Fields;
use super::frame::{Page, Section, Visit};
use super::kit::action::{self, Allowed, Look};
use super::live::Topic;
use crate::application::Application;
use crate::auth::level::Level;
use crate::commands::{Command, Kind};
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::boot_image::{BootImage, BootImageSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_projections::deployments::{self, Deployment};
use futures::future::FutureExt;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/boot-images").get(index))
        .service(resource("/boot-images/_new").get(described::new::<BootImages>).post(described::create::<BootImages>))
        .configure(library::configure)
        .service(resource("/boot-images/{key}").get(show))
        .service(resource("/boot-images/{key}/live/{since}").get(live))
        .service(resource("/boot-images/{key}/edit").get(described::edit::<BootImages>).post(described::change::<BootImages>))
        .service(resource("/boot-images/{key}/retire").get(described::ask::<BootImages>).post(described::retire::<BootImages>))
        .service(resource("/boot-images/{key}/preview").get(preview::show));
    files::configure(config);
}

/// How many live deployments that use an image are shown.
const SHOWN_LIVE: u8 = 20;

async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: ListQuery = visit.query()?;
    let found = list::find::<BootImage>(&mut reading, BOOT_IMAGE.kind, &query).await?;
    let table = (!found.items.is_empty()).then(|| view::table(&found.items));
    let empty = list::Empty {
        words: "There is no boot image yet. A boot image has the script and the files that install a server: define the first, then give it a template of kind boot_ipxe, a kernel and an initrd.",
        first: None,
        also: Some(("Add from library", library::PATH)),
    };
    let may = visit.may_change(&reading, Level::Administrator);
    let shown = (found.items.len(), found.next.as_deref());
    let content = list::view(&visit, &BOOT_IMAGE, &may, table.as_ref(), shown, &empty);
    let page = Page { json: Some("/api/v1/boot-images".to_owned()), ..Page::new("Boot images", Section::BootImages, content) };
    visit.answer(reading, page).await
}

/// The live deployments that use an image. If there are more than are shown, one more is returned.
async fn live_with(reading: &mut Reading<'_>, key: &Name) -> Result<Vec<Deployment>, Error> {
    let at = reading.at;
    let filter = deployments::Filter { boot_image: Some(key.clone()), live: Some(true), ..deployments::Filter::default() };
    Ok(deployments::list(reading.connection(), &filter, at, i64::from(SHOWN_LIVE) + 1).await?)
}

async fn parts(reading: &mut Reading<'_>, key: &Name, may: &Allowed) -> Result<Parts, Error> {
    let at = reading.at;
    let entry = entry::find::<BootImage>(reading, &BOOT_IMAGE, key.as_str()).await?;
    let ventures = catalogue::ventures(reading.connection(), at).await?;
    let live = live_with(reading, key).await?;
    let history = history::read(reading, BOOT_IMAGE.kind, key.as_str()).await?;
    let count = i64::try_from(history.lines().len()).unwrap_or(0) + 1;
    let revisions = catalogue::boot_image_revisions(reading.connection(), key, at, count).await?;
    let preview =
        action::link("preview", &format!("{}/preview", BOOT_IMAGE.page(key)), Look::Usual, "search", "Preview", &Ok(()));
    let may_change = if entry.retired {
        Err("The boot image is retired; define it again to change its files.".to_owned())
    } else {
        may.clone()
    };
    Ok(vec![
        ("heading", html! { div id="heading" { (entry::heading(&BOOT_IMAGE, key.as_str(), entry.retired, may, &preview)) } }),
        ("facts", view::facts(&entry)),
        ("settings", declarations::card(&entry.spec)),
        ("files", view::files(&entry, &may_change)),
        ("used", view::used(key, &ventures, &live, entry.spec.revision)),
        ("history", view::changes(key, &history, &revisions)),
    ])
}

/// The content of the page. If an upload was refused, its form keeps the values that were sent.
async fn content(
    reading: &mut Reading<'_>,
    application: &Application,
    key: &Name,
    may: &Allowed,
    upload: &Fields,
) -> Result<Markup, Error> {
    let retired = entry::find::<BootImage>(reading, &BOOT_IMAGE, key.as_str()).await?.retired;
    let parts = parts(reading, key, may).await?;
    Ok(html! {
        (super::kit::field::summary(upload.broken(), &upload::NAMES))
        @for (id, part) in &parts {
            (part)
            // A form must not be inside a part that is replaced while a user fills it in.
            @if *id == "files" && !retired && may.is_ok() { (upload::form(key, upload, application.max_upload)) }
        }
    })
}

async fn show(
    visit: Visit,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let content = content(&mut reading, &application, &key, &may, &Fields::default()).await?;
    let page = Page {
        live: Some(entry::live_path(&BOOT_IMAGE.page(&key), reading.position, &visit)),
        json: Some(format!("/api/v1/boot-images/{key}")),
        ..Page::new(key.as_str(), Section::BootImages, content)
    };
    visit.answer(reading, page).await
}

async fn live(
    visit: Visit,
    request: HttpRequest,
    application: Data<Application>,
    Path((key, since)): Path<(Name, i64)>,
) -> Result<HttpResponse, Error> {
    let may = visit.may(Level::Administrator);
    let topics = vec![Topic::One("boot_image", key.to_string()), Topic::Kind("venture"), Topic::Kind("deployment")];
    entry::stream(&request, &application, since, topics, move |mut reading, _| {
        let (key, may) = (key.clone(), may.clone());
        async move { parts(&mut reading, &key, &may).await }.boxed_local()
    })
}

/// Boot images as a kind that forms define.
struct BootImages;

impl Described for BootImages {
    type View = BootImage;
    type Spec = BootImageSpec;
    const NOUN: Noun = BOOT_IMAGE;
    const SECTION: Section = Section::BootImages;
    const KIND: Kind = Kind::BootImage;

    fn usual(_: &Visit) -> Pairs {
        form::usual()
    }

    fn pairs(view: &BootImage) -> Pairs {
        view.spec.as_ref().map_or_else(form::usual, form::pairs)
    }

    async fn form(_: &mut Reading<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        Ok(form::view(target, fields))
    }

    fn read(fields: &mut Fields) -> Option<BootImageSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: BootImageSpec) -> Command {
        Command::DefineBootImage(key, spec)
    }

    async fn end(reading: &mut Reading<'_>, entry: &Entry<BootImage>) -> Result<End, Error> {
        let (at, key) = (reading.at, &entry.key);
        let ventures = catalogue::ventures(reading.connection(), at).await?;
        let mut uses = view::defaults(key, &ventures);
        let live = live_with(reading, key).await?.len();
        if live > 0 {
            let count = if live > usize::from(SHOWN_LIVE) { format!("more than {SHOWN_LIVE}") } else { live.to_string() };
            uses.push(html! { a href=(format!("/deployments?boot_image={key}&live=true")) { (count) " live deployments" } ", which go on with their revision" });
        }
        Ok(End {
            does: "No deployment can start with it any more, and its files cannot be changed. Where it is the default, every deployment has to name another one.",
            uses,
            refused: None,
        })
    }
}
