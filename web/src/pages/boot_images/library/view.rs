//! Views of the library and of downloads from it.

use super::{DOWNLOADS, PATH};
use crate::pages::boot_images::labels::{kind, size};
use crate::pages::catalogue::BOOT_IMAGE;
use crate::pages::catalogue::form::{field, needed};
use crate::pages::components::action::{self, Allowed, Look, once};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{self, card, facts, heading, note};
use crate::pages::components::field::summary;
use crate::pages::components::setting::shown;
use crate::pages::components::time::moment;
use crate::pages::form::Fields;
use crate::wording::actors;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::SettingText;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_images::library::Library;
use bootledger_images::recipe::{Checksum, Recipe, Status};
use bootledger_port::library::{DownloadStatus, ImageDownload};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Boot images that were added from a recipe: name, revision, the recipe's version.
type Added = [(Name, u32, Sha256)];

/// The badge for how far a recipe was tested.
fn status(status: Status) -> Markup {
    match status {
        Status::Run => badge(Tone::Good, "Installation tested"),
        Status::Checked => badge(Tone::Info, "Checked"),
        Status::NotYetRun => badge(Tone::Neutral, "Not yet run"),
    }
}

fn images(recipe: &Recipe, added: &Added) -> Markup {
    html! {
        @for (image, revision, sha256) in added {
            div {
                a href=(BOOT_IMAGE.page(image)) { (image) } ", revision " (revision)
                @if *sha256 != recipe.sha256 { " " (badge(Tone::Warn, "Recipe changed")) }
            }
        }
    }
}

/// The list of recipes, and the downloads.
pub(super) fn index(library: &Library, added: &BTreeMap<Name, Vec<(Name, u32, Sha256)>>, downloads: &[ImageDownload]) -> Markup {
    let none = vec![];
    html! {
        (heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path)], &html! { "Library" }, &html! {}))
        p { "A recipe lists the official files of an operating system, how they are verified, and its settings. Select a recipe to view it and to add it as a boot image." }
        p.quiet { "Installation tested: the recipe has installed a server or a virtual machine. Checked: validators have accepted the rendered files. Not yet run: the files have only been rendered." }
        @if library.recipes().next().is_none() { (block::empty("The library contains no recipes.", &html! {})) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Recipes" }
                    thead { tr { th scope="col" { "Recipe" } th scope="col" { "System" } th scope="col" { "Status" } th scope="col" { "Added as" } } }
                    tbody {
                        @for recipe in library.recipes() {
                            tr {
                                th scope="row" { a href=(format!("{PATH}/{}", recipe.name)) { (recipe.name) } }
                                td data-label="System" { (recipe.title) div.quiet { (recipe.description) } }
                                td data-label="Status" { (status(recipe.status)) }
                                td data-label="Added as" { (images(recipe, added.get(&recipe.name).unwrap_or(&none))) }
                            }
                        }
                    }
                }
            }
        }
        (card("downloads", "Downloads", &html! {
            @if downloads.is_empty() { p.quiet { "No downloads in the last 90 days." } }
            @else {
                ul { @for download in downloads {
                    li {
                        a href=(format!("{DOWNLOADS}/{}", download.id)) { (download.image) } " "
                        (download_status(download.status)) " " span.quiet { (moment(download.created_at)) " by " (actors::actor(&download.actor)) }
                    }
                } }
            }
        }))
    }
}

/// The page of a recipe.
pub(super) fn show(recipe: &Recipe, added: &Added, may: &Allowed, fields: &Fields) -> Markup {
    html! {
        (heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), ("Library", PATH)], &html! { (recipe.title) }, &html! {}))
        (summary(fields.broken(), &["as", "mirror"]))
        (card("facts", "Recipe", &html! {
            (facts(&[
                ("Description", html! { (recipe.description) }),
                ("Version", html! { (recipe.version) ", " (recipe.architecture.as_str()) }),
                ("Status", html! { (status(recipe.status)) @if !recipe.tested_with.as_str().is_empty() { div.quiet { (recipe.tested_with) } } }),
                ("Checked by", html! { @if recipe.checked_by.is_empty() { span.quiet { "no validator" } } @for by in &recipe.checked_by { div { (by) } } }),
                ("Added as", html! { @if added.is_empty() { span.quiet { "not added yet" } } (images(recipe, added)) }),
            ]))
            @if !recipe.notes.is_empty() {
                (note(Tone::Info, &html! { ul { @for line in &recipe.notes { li { (line) } } } }))
            }
        }))
        @if let Some(form) = may.as_ref().ok().filter(|()| !recipe.needs_folder()).map(|()| form(recipe, added, fields)) { (form) }
        @else {
            (card("add", "Add", &html! {
                @if let Err(reason) = may { p { (reason) } }
                @if recipe.needs_folder() {
                    p { "The vendor does not publish all files separately. Add this image on the machine that runs the service:" }
                    pre { "bootledger image add " (recipe.name) " --from FOLDER" }
                }
            }))
        }
        (files(recipe))
        (settings(recipe))
    }
}

fn form(recipe: &Recipe, added: &Added, fields: &Fields) -> Markup {
    let usual = if fields.has("as") { fields.clone() } else { fields.clone().with("as", recipe.name.as_str()) };
    let own = recipe.mirror.as_ref().map_or_else(String::new, |mirror| format!("The default is {mirror}."));
    card(
        "add",
        "Add",
        &html! {
            p { "The service downloads and verifies the files in the background. The boot image appears when all files have arrived." }
            form.form method="post" action=(format!("{PATH}/{}", recipe.name)) {
                (once())
                div.pair {
                    (needed(&usual, "as", "Name", "The name of the boot image.").text())
                    (field(&usual, "mirror", "Mirror", &own).text_with("url", &html! {}))
                }
                @if !added.is_empty() {
                    (field(&usual, "update", "Update an existing image", "Enter the name of the existing image above. Your changes are kept unless you replace them.").check())
                    (field(&usual, "replace", "Replace my changes", "Updates only: overwrites everything that you changed with the recipe's version.").check())
                }
                div.actions { button.primary type="submit" { "Add" } }
            }
        },
    )
}

fn files(recipe: &Recipe) -> Markup {
    card(
        "files",
        "Files",
        &html! {
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "File" } th scope="col" { "Kind" } th scope="col" { "Source" } th scope="col" { "Verified by" } } }
                    tbody {
                        @for (name, file) in &recipe.files {
                            tr {
                                th scope="row" { (name) }
                                td data-label="Kind" { (kind(file.kind)) @if file.template { " " (badge(Tone::Info, "Template")) } }
                                td data-label="Source" { "the recipe" }
                                td data-label="Verified by" { "not downloaded: part of the recipe" }
                            }
                        }
                        @for (name, download) in &recipe.downloads {
                            tr {
                                th scope="row" { (name) }
                                td data-label="Kind" { (kind(download.kind)) }
                                td data-label="Source" {
                                    @match (&download.url, &download.how) {
                                        (Some(url), _) => code { (url) },
                                        (None, Some(how)) => (how),
                                        (None, None) => "",
                                    }
                                }
                                td data-label="Verified by" {
                                    @match &download.checksum {
                                        Checksum::None => "not verified: the vendor publishes no checksum",
                                        Checksum::Pinned(_) => "a checksum in the recipe",
                                        Checksum::Listed { .. } => "the vendor's published checksums",
                                        Checksum::Signed { .. } => "the vendor's signature",
                                    }
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

fn settings(recipe: &Recipe) -> Markup {
    if recipe.settings.is_empty() {
        return html! {};
    }
    card(
        "settings",
        "Settings",
        &html! {
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Setting" } th scope="col" { "Type" } th scope="col" { "Default" } th scope="col" { "Description" } } }
                    tbody {
                        @for (name, spec) in &recipe.settings {
                            tr {
                                th scope="row" { code { (name) } }
                                td data-label="Type" { (spec.kind.as_str()) @if spec.required { ", required" } @if !spec.choices.is_empty() { div.quiet { small { (spec.choices.iter().map(SettingText::as_str).collect::<Vec<_>>().join(", ")) } } } }
                                td data-label="Default" { @match &spec.default { Some(value) => (shown(value)), None => span.quiet { "none" } } }
                                td data-label="Description" { (spec.description) }
                            }
                        }
                    }
                }
            }
        },
    )
}

fn download_status(status: DownloadStatus) -> Markup {
    match status {
        DownloadStatus::Queued => badge(Tone::Neutral, "Waiting"),
        DownloadStatus::Running => badge(Tone::Info, "In progress"),
        DownloadStatus::Interrupted => badge(Tone::Warn, "Interrupted"),
        DownloadStatus::Done => badge(Tone::Good, "Done"),
        DownloadStatus::Failed => badge(Tone::Bad, "Failed"),
        DownloadStatus::Cancelled => badge(Tone::Neutral, "Cancelled"),
    }
}

/// The page of a download.
pub(super) fn download_page(of: &ImageDownload, may: &Allowed) -> Markup {
    html! {
        (heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), ("Library", PATH)], &html! { (of.image) " from the library" }, &html! {}))
        (download(of, may))
    }
}

/// The progress of a download: the live part of its page.
pub(super) fn download(of: &ImageDownload, may: &Allowed) -> Markup {
    let path = |action: &str| format!("{DOWNLOADS}/{}/{action}", of.id);
    let nothing = if of.update { "Nothing was changed" } else { "Nothing was added" };
    card(
        "download",
        if of.update { "Update" } else { "Download" },
        &html! {
            (facts(&[
                ("Status", download_status(of.status)),
                ("Recipe", html! { a href=(format!("{PATH}/{}", of.recipe)) { (of.recipe) } }),
                ("Mirror", html! { @match &of.mirror { Some(mirror) => (mirror), None => span.quiet { "default" } } }),
                ("Requested by", html! { (actors::actor(&of.actor)) ", " (moment(of.created_at)) }),
                ("Last update", moment(of.changed_at)),
            ]))
            @match of.status {
                DownloadStatus::Queued => p { "It starts when earlier downloads have finished." },
                DownloadStatus::Running => (progress(of)),
                DownloadStatus::Interrupted => (note(Tone::Warn, &html! { p { "The service stopped during the download. " (nothing) ". Resume the download; files that have arrived are not downloaded again." } })),
                DownloadStatus::Cancelled => p { (nothing) "." },
                DownloadStatus::Failed => (note(Tone::Bad, &html! { p { strong { (nothing) ": " } (of.message.as_deref().unwrap_or("no reason recorded")) } })),
                DownloadStatus::Done => {
                    p { a href=(BOOT_IMAGE.page(&of.image)) { "The boot image " (of.image) } " is ready." }
                    @if let Some(message) = &of.message { ul { @for line in message.lines() { li { (line) } } } }
                }
            }
            div.actions {
                @if of.status.is_live() {
                    (action::post("cancel", &path("cancel"), Look::Danger, "", "Cancel", may, &html! {}))
                    noscript { a.button href=(format!("{DOWNLOADS}/{}", of.id)) { "Reload" } }
                }
                @if of.status.can_resume() { (action::post("resume", &path("resume"), Look::Primary, "arrow-repeat", "Resume", may, &html! {})) }
            }
        },
    )
}

fn progress(of: &ImageDownload) -> Markup {
    let Some(progress) = &of.progress else { return html! { p { "Starting." } } };
    html! {
        p {
            (progress.step)
            @if let Some(file) = &progress.file { " " code { (file) } ", file " (progress.number) " of " (progress.count) }
        }
        @if progress.bytes > 0 || progress.total.is_some() {
            @match progress.total.filter(|total| *total > 0) {
                Some(total) => {
                    progress max=(total) value=(progress.bytes.min(total)) aria-label="Download progress of the file" {}
                    p.quiet { (size(progress.bytes)) " of " (size(total)) " (" (progress.bytes.min(total) * 100 / total) " %)" }
                }
                None => p.quiet { (size(progress.bytes)) },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_port::library::DownloadProgress;

    fn of(status: DownloadStatus) -> ImageDownload {
        let now: Timestamp = serde_json::from_str("\"2026-11-29T12:00:00Z\"").expect("a time");
        ImageDownload {
            id: uuid::Uuid::nil(),
            recipe: "debian-12".parse().expect("a name"),
            image: "bookworm".parse().expect("a name"),
            mirror: Some("http://<mirror>/".to_owned()),
            update: false,
            actor: "user ada".to_owned(),
            status,
            progress: Some(DownloadProgress {
                step: "Downloading".parse().expect("a text"),
                file: Some("linux".parse().expect("a name")),
                number: 1,
                count: 2,
                bytes: 512,
                total: Some(2048),
            }),
            message: Some("a <reason>".to_owned()),
            result: None,
            created_at: now,
            changed_at: now,
        }
    }

    #[test]
    fn a_download_under_way_shows_how_far_it_is_and_can_be_cancelled() {
        let html = download(&of(DownloadStatus::Running), &Ok(())).into_string();
        assert!(html.contains("(25 %)") && html.contains("max=\"2048\" value=\"512\""), "{html}");
        assert!(html.contains("/cancel") && !html.contains("/resume"), "{html}");
        assert!(html.contains("<noscript>") && html.contains("http://&lt;mirror&gt;/"), "{html}");
    }

    #[test]
    fn a_failed_download_shows_the_reason_and_offers_to_resume() {
        let html = download(&of(DownloadStatus::Failed), &Ok(())).into_string();
        assert!(html.contains("a &lt;reason&gt;") && html.contains("/resume") && !html.contains("/cancel"), "{html}");
        let html = download(&of(DownloadStatus::Interrupted), &Err("not you".to_owned())).into_string();
        assert!(html.contains("note warn") && html.contains("Not you") && !html.contains("<form"), "{html}");
    }
}
