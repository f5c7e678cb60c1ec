//! A template as a server would get it, rendered by what renders it for servers. Its token is masked.

use super::edit::template;
use super::target::{Previewed, find};
use super::{live_with, view};
use crate::application::Application;
use crate::boot::render::{MASK, preview};
use crate::boot::template::TemplateError;
use crate::error::Error;
use crate::pages::catalogue::{BOOT_IMAGE, entry};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::badge::Tone;
use crate::pages::kit::block;
use crate::pages::kit::field::Field;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::boot_image::{BootImage, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_projections::deployments::Deployment;
use maud::{Markup, html};
use serde::Deserialize;

/// What is to be shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    /// A device by id, host name or MAC, or a deployment by id.
    server: Option<String>,
    /// The template; the script that servers get first, where it is left out.
    file: Option<Name>,
}

/// What a preview says.
enum Shown {
    /// The rendered text.
    Text(Previewed, String),
    /// It cannot be rendered for this server.
    Wrong(Previewed, TemplateError),
    /// There is no such server.
    Nobody(String),
}

async fn render(
    application: &Application,
    reading: &mut Reading,
    key: &Name,
    image: BootImage,
    server: &str,
    (name, kind, text): (&Name, FileKind, &str),
) -> Result<Shown, Error> {
    Ok(match find(reading, server.trim(), key, image).await? {
        Err(why) => Shown::Nobody(why),
        Ok(previewed) => match preview(application, &previewed.target, name, kind, text).await {
            Ok(text) => Shown::Text(previewed, text),
            Err(error) => Shown::Wrong(previewed, error),
        },
    })
}

/// The preview of a template that is not saved, for the editor.
pub(super) async fn unsaved(
    application: &Application,
    reading: &mut Reading,
    key: &Name,
    image: BootImage,
    server: &str,
    template: (&Name, FileKind, &str),
) -> Result<Markup, Error> {
    let revision = image.revision;
    let shown = render(application, reading, key, image, server, template).await?;
    Ok(card(template.0, &shown, (key, revision), true))
}

/// Whose values were taken.
fn whose(previewed: &Previewed, (key, revision): (&Name, u32)) -> Markup {
    html! {
        @if let Some(deployment) = &previewed.deployment {
            p { "With the values of the deployment of " a href=(format!("/deployments/{}", deployment.id)) { (deployment.hostname) } "." }
            (other_image(deployment, key, revision))
        } @else if let Some((id, name)) = &previewed.device {
            p { "The device " a href=(format!("/devices/{id}")) { (name) } " has no live deployment. " @if previewed.assumed.is_empty() { "Everything is as it stands." } @else { "Assumed:" } }
            @if !previewed.assumed.is_empty() { ul { @for assumed in &previewed.assumed { li { (assumed) } } } }
        }
    }
}

/// What the deployment itself boots, where that is something else.
fn other_image(deployment: &Deployment, key: &Name, revision: u32) -> Markup {
    html! {
        @if deployment.boot_image != *key {
            (block::note(Tone::Info, &html! { p { "That deployment boots " a href=(format!("/boot-images/{}", deployment.boot_image)) { (deployment.boot_image) } ", not this image." } }))
        } @else if i64::from(deployment.boot_image_revision) != i64::from(revision) {
            (block::note(Tone::Warn, &html! { p { "That deployment keeps revision " (deployment.boot_image_revision) " of the image; this shows revision " (revision) "." } }))
        }
    }
}

fn card(name: &Name, shown: &Shown, image: (&Name, u32), unsaved: bool) -> Markup {
    block::card(
        "preview",
        "Preview",
        &html! {
            @match shown {
                Shown::Nobody(why) => (block::note(Tone::Bad, &html! { p { (why) "." } })),
                Shown::Wrong(previewed, error) => {
                    (whose(previewed, image))
                    (block::note(Tone::Bad, &html! { p { strong { (name) " cannot be rendered for this server: " } (error) } }))
                }
                Shown::Text(previewed, text) => {
                    (whose(previewed, image))
                    @if unsaved { (block::note(Tone::Info, &html! { p { "This is what you wrote; it is not saved." } })) }
                    pre tabindex="0" role="region" aria-label=(format!("{name} as the server gets it")) { (text) }
                    p.quiet { "The token and secrets are shown as " code { (MASK) } ". " (text.lines().count()) " lines." }
                }
            }
        },
    )
}

/// The page.
pub(super) async fn show(
    visit: Visit,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut reading: Reading,
) -> Result<HttpResponse, Error> {
    let query: Query = visit.query()?;
    let image = entry::find::<BootImage>(&mut reading, &BOOT_IMAGE, key.as_str()).await?.spec;
    let templates: Vec<(String, String)> = image
        .files
        .iter()
        .filter(|(_, file)| file.template)
        .map(|(name, file)| (name.to_string(), format!("{name} – {}", view::kind(file.kind))))
        .collect();
    let script = image.file_of_kind(FileKind::BootIpxe).map(|(name, _)| name.clone());
    let file = query.file.clone().or(script).or_else(|| image.files.keys().next().cloned());
    let live = live_with(&mut reading, &key).await?;
    let server = query.server.as_deref().unwrap_or_default();
    let chosen = file.as_ref().and_then(|name| image.files.get_key_value(name));
    let shown = match chosen {
        Some((name, of)) if of.template && !server.is_empty() => {
            let text = template(&application, of).await?;
            let shown = render(&application, &mut reading, &key, image.clone(), server, (name, of.kind, &text)).await?;
            Some(card(name, &shown, (&key, image.revision), false))
        }
        _ => None,
    };
    let page = BOOT_IMAGE.page(&key);
    let name = file.as_ref().map(ToString::to_string).unwrap_or_default();
    let content = html! {
        (block::heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), (key.as_str(), &page)], &html! { "Preview" }, &html! {}))
        @if templates.is_empty() {
            (block::empty("The image has no template yet; its files are served as they are.", &html! { a.button.primary href=(format!("{page}/files/_new")) { "New template" } }))
        } @else {
            form.form.card method="get" action=(format!("{page}/preview")) {
                (Field { name: "server", label: "Server", value: server, required: true, hint: "A device by its id, host name or MAC, or a deployment by its id.", errors: &[] }.text())
                (Field { name: "file", label: "Template", value: &name, required: true, ..Field::default() }.select(None, &templates))
                div.actions { button.primary type="submit" { "Show" } }
            }
            @if !live.is_empty() {
                p { "Live deployments with this image: " @for (index, deployment) in live.iter().take(5).enumerate() { @if index > 0 { ", " } a href=(format!("{page}/preview?server={}&file={name}", deployment.id)) { (deployment.hostname) } } "." }
            }
            @if let Some(shown) = shown { (shown) }
        }
    };
    visit.answer(reading, Page::new(&format!("Preview of {key}"), Section::BootImages, content)).await
}
