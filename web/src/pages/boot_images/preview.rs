//! The preview of a template: the text that a server would get, from the code that renders it for servers. Its token is masked.

use super::labels::kind as kind_words;
use super::read::{live_with, template};
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::images::template::{TemplateError, Uses, check_saved};
use crate::machines::pxe::render::{MASK, preview};
use crate::pages::catalogue::{BOOT_IMAGE, entry};
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::components::field::Field;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::previewed::{Previewed, find};
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::boot_image::{BootFile, BootImage, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::rows::deployments::Deployment;
use bootledger_projections::rows::devices::{self, Filter};
use maud::{Markup, html};
use serde::Deserialize;

/// Among how many devices a sample is searched.
const SAMPLES: i64 = 20;

/// The query of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    /// A device by ID, host name or MAC address, or a deployment by ID.
    server: Option<String>,
    /// The template; by default the script that servers get first.
    file: Option<Name>,
}

/// The result of a preview.
enum Shown {
    /// The rendered text.
    Text(Previewed, String),
    /// The template cannot be rendered for this server.
    Wrong(Previewed, TemplateError),
    /// There is no such server.
    NotFound(String),
}

/// The preview of a template that is not saved.
struct Unsaved {
    /// Why no server could boot the image if the template were saved.
    missing: Option<String>,
}

/// Renders a template. The caller looks the server up first, because rendering needs no database connection.
async fn render(
    application: &Application,
    found: Result<Previewed, String>,
    (name, kind, text): (&Name, FileKind, &str),
) -> Shown {
    match found {
        Err(why) => Shown::NotFound(why),
        Ok(previewed) => match preview(application, &previewed.target, name, kind, text).await {
            Ok(text) => Shown::Text(previewed, text),
            Err(error) => Shown::Wrong(previewed, error),
        },
    }
}

/// A server for a preview without a chosen one: that of a live deployment with the image, otherwise any device with an interface.
async fn sample(snapshot: &mut Snapshot<'_>, live: &[Deployment]) -> Result<Option<String>, Error> {
    if let Some(deployment) = live.first() {
        return Ok(Some(deployment.id.to_string()));
    }
    let (at, filter) = (snapshot.at, Filter { decommissioned: Some(false), ..Filter::default() });
    let some = devices::list(snapshot.connection(), &filter, at, SAMPLES).await?;
    Ok(some.iter().find(|device| !device.macs.is_empty()).map(|device| device.id.to_string()))
}

/// The server of a preview: the named one, otherwise a sample.
async fn chosen_or_sample(
    snapshot: &mut Snapshot<'_>,
    server: &str,
    key: &Name,
    image: BootImage,
    live: &[Deployment],
) -> Result<Result<Previewed, String>, Error> {
    let server = server.trim();
    if !server.is_empty() {
        return find(snapshot, server, key, image).await;
    }
    match sample(snapshot, live).await? {
        Some(sample) => find(snapshot, &sample, key, image).await,
        None => Ok(Err("There is no device with an interface yet. Register one to see a preview".to_owned())),
    }
}

/// The preview of a template that is not saved, for the editor.
pub(super) async fn unsaved(
    application: &Application,
    backend: &mut Backend,
    key: &Name,
    server: &str,
    template: (&Name, FileKind, &str),
) -> Result<Markup, Error> {
    let mut snapshot = backend.read_now().await?;
    let image = entry::find::<BootImage>(&mut snapshot, &BOOT_IMAGE, key.as_str()).await?.spec;
    let revision = image.revision;
    let as_written = image.clone();
    let live = live_with(&mut snapshot, key).await?;
    let found = chosen_or_sample(&mut snapshot, server, key, image, &live).await?;
    drop(snapshot);
    let shown = render(application, found, template).await;
    let unsaved = Unsaved { missing: missing(&as_written, template).await };
    Ok(card(template.0, &shown, (key, revision), Some(&unsaved), server.trim().is_empty()))
}

/// Why no server could boot the image if the template were saved in its present form.
async fn missing(image: &BootImage, (name, kind, text): (&Name, FileKind, &str)) -> Option<String> {
    let uses = check_saved(text.to_owned(), kind, image.declared().clone()).await;
    let Uses { settings, needs } = match uses {
        Ok(uses) => uses,
        Err(error) => return Some(format!("{name} cannot be saved: {error}")),
    };
    // The stored hash and size of the file have no effect here.
    let file = BootFile { kind, sha256: Sha256::new([0; 32]), size: 0, template: true, settings, needs };
    let mut image = image.clone();
    image.files.insert(name.clone(), file);
    image.incomplete().map(|why| format!("The image would be incomplete: {why}"))
}

/// The server whose values were used.
fn whose(previewed: &Previewed, (key, revision): (&Name, u32)) -> Markup {
    html! {
        @if let Some(deployment) = &previewed.deployment {
            p { "With the values of the deployment of " a href=(format!("/deployments/{}", deployment.id)) { (deployment.hostname) } "." }
            (other_image(deployment, key, revision))
        } @else if let Some((id, name)) = &previewed.device {
            p { "The device " a href=(format!("/devices/{id}")) { (name) } " has no live deployment. " @if previewed.assumed.is_empty() { "The template has no variables." } @else { "Assumed:" } }
            @if !previewed.assumed.is_empty() { ul { @for assumed in &previewed.assumed { li { (assumed) } } } }
        }
    }
}

/// The image that the deployment itself boots, if it is a different one.
fn other_image(deployment: &Deployment, key: &Name, revision: u32) -> Markup {
    html! {
        @if deployment.boot_image != *key {
            (block::note(Tone::Info, &html! { p { "That deployment boots " a href=(format!("/boot-images/{}", deployment.boot_image)) { (deployment.boot_image) } ", not this image." } }))
        } @else if i64::from(deployment.boot_image_revision) != i64::from(revision) {
            (block::note(Tone::Warn, &html! { p { "That deployment keeps revision " (deployment.boot_image_revision) " of the image; this shows revision " (revision) "." } }))
        }
    }
}

/// `is_sample` is whether the server was not chosen.
fn card(name: &Name, shown: &Shown, image: (&Name, u32), unsaved: Option<&Unsaved>, is_sample: bool) -> Markup {
    block::card(
        "preview",
        "Preview",
        &html! {
            @if is_sample { p.quiet { "No server is chosen, so this is a sample." } }
            @match shown {
                Shown::NotFound(why) => (block::note(Tone::Bad, &html! { p { (why) "." } })),
                Shown::Wrong(previewed, error) => {
                    (whose(previewed, image))
                    (block::note(Tone::Bad, &html! { p { strong { (name) " cannot be rendered for this server: " } (error) } }))
                }
                Shown::Text(previewed, text) => {
                    (whose(previewed, image))
                    @if let Some(missing) = unsaved.and_then(|unsaved| unsaved.missing.as_ref()) { (block::note(Tone::Warn, &html! { p { (missing) "." } })) }
                    @if unsaved.is_some() { (block::note(Tone::Info, &html! { p { "Your text, not saved." } })) }
                    pre tabindex="0" role="region" aria-label=(format!("{name} as served")) { (text) }
                    p.quiet { "The token and secrets are shown as " code { (MASK) } ". " (text.lines().count()) " lines." }
                }
            }
        },
    )
}

/// Handles the request for the preview's page.
pub(super) async fn show(
    page_context: PageContext,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: Query = page_context.query()?;
    let image = entry::find::<BootImage>(&mut snapshot, &BOOT_IMAGE, key.as_str()).await?.spec;
    let templates: Vec<(String, String)> = image
        .files
        .iter()
        .filter(|(_, file)| file.template)
        .map(|(name, file)| (name.to_string(), format!("{name} – {}", kind_words(file.kind))))
        .collect();
    let script = image.file_of_kind(FileKind::BootIpxe).map(|(name, _)| name.clone());
    let file = query.file.clone().or(script).or_else(|| image.files.keys().next().cloned());
    let live = live_with(&mut snapshot, &key).await?;
    let server = query.server.as_deref().unwrap_or_default();
    let chosen = file.as_ref().and_then(|name| image.files.get_key_value(name));
    let chosen = chosen.filter(|(_, of)| of.template);
    let found = match chosen {
        Some(_) => Some(chosen_or_sample(&mut snapshot, server, &key, image.clone(), &live).await?),
        None => None,
    };
    let seen = page_context.see(snapshot).await?;
    let shown = match chosen.zip(found) {
        Some(((name, of), found)) => {
            let text = template(&mut backend, of).await?;
            let shown = render(&application, found, (name, of.kind, &text)).await;
            Some(card(name, &shown, (&key, image.revision), None, server.trim().is_empty()))
        }
        None => None,
    };
    let page = BOOT_IMAGE.page(&key);
    let name = file.as_ref().map(ToString::to_string).unwrap_or_default();
    let content = html! {
        (block::heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), (key.as_str(), &page)], &html! { "Preview" }, &html! {}))
        @if let Some(missing) = image.incomplete() { (block::note(Tone::Warn, &html! { p { "The image is incomplete and cannot be deployed: " (missing) "." } })) }
        @if templates.is_empty() {
            (block::empty("The image has no templates yet. Its files are served unchanged.", &html! { a.button.primary href=(format!("{page}/files/_new")) { "Create template" } }))
        } @else {
            form.form.card method="get" action=(format!("{page}/preview")) {
                (Field { name: "server", label: "Server", value: server, required: false, hint: "The ID, host name or MAC of a device, or the ID of a deployment. By default a sample server.", errors: &[] }.text())
                (Field { name: "file", label: "Template", value: &name, required: true, ..Field::default() }.select(None, &templates))
                div.actions { button.primary type="submit" { "Show" } }
            }
            @if !live.is_empty() {
                p { "Live deployments with this image: " @for (index, deployment) in live.iter().take(5).enumerate() { @if index > 0 { ", " } a href=(format!("{page}/preview?server={}&file={name}", deployment.id)) { (deployment.hostname) } } "." }
            }
            @if let Some(shown) = shown { (shown) }
        }
    };
    Ok(seen.answer(&Page::new(&format!("Preview of {key}"), Section::BootImages, content)))
}
