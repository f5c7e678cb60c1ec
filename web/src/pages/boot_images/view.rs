//! Views of boot images.

use super::form::{ended_by, network_boot};
use super::labels::{kind, size};
use super::library;
use super::read::SHOWN_LIVE;
use crate::english::counted;
use crate::pages::catalogue::history::History;
use crate::pages::catalogue::{BOOT_IMAGE, list};
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{self, Tone, badge};
use crate::pages::components::block::{self, card};
use crate::pages::components::copy;
use crate::pages::components::lines;
use crate::pages::components::time::{moment, span};
use crate::pages::layout::PageContext;
use crate::wording::timeline::sentence;
use bootledger_aggregates::boot_image::recipe::{RecipeOrigin, Verified};
use bootledger_aggregates::boot_image::{BootFile, BootImage};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::rows::catalogue::{Entry, VentureView};
use bootledger_projections::rows::deployments::Deployment;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// A shortened hash, with the whole hash as its title and a button that copies it.
fn hash(sha256: &Sha256) -> Markup {
    let text = sha256.to_string();
    html! { span.copied { code title=(text) { (text.get(..12).unwrap_or(&text)) } (copy::copy(&text, "SHA-256")) } }
}

/// The columns of the list.
pub(super) const COLUMNS: &[list::Heading<BootImage>] = &[
    list::Heading::new("image", "Boot image", |image| list::Value::text(&image.key)),
    list::Heading::new("description", "Description", |image| {
        list::Value::Text(image.spec.spec.as_ref().map(|spec| spec.description.to_string()).unwrap_or_default())
    }),
    list::Heading::new("revision", "Revision", |image| list::Value::number(image.spec.revision)),
    list::Heading::new("files", "Files", |image| list::Value::number(image.spec.files.len())),
    list::Heading::new("state", "State", |image| {
        list::Value::text(if image.retired {
            "retired"
        } else if image.spec.incomplete().is_some() {
            "incomplete"
        } else {
            "complete"
        })
    }),
];

/// The list's table.
pub(super) fn table(page_context: &PageContext, images: &[Entry<BootImage>]) -> Markup {
    html! {
        table.cards {
            caption.visually-hidden { "Boot images" }
            (list::head(page_context, COLUMNS))
            tbody {
                @for image in images {
                    @let files = &image.spec.files;
                    tr {
                        (list::name(&BOOT_IMAGE, image.key.as_str(), image.retired))
                        td data-label="Description" { @if let Some(spec) = &image.spec.spec { (spec.description) } }
                        td.number data-label="Revision" { (image.spec.revision) }
                        td data-label="Files" { (files.len()) ", " (size(files.values().map(|file| file.size).sum())) }
                        td data-label="State" {
                            @if image.retired { span.quiet { "not deployable" } }
                            @else { @match image.spec.incomplete() { Some(missing) => { (badge(Tone::Warn, "Incomplete")) div.quiet { (missing) } } None => (badge(Tone::Good, "Complete")) } }
                        }
                    }
                }
            }
        }
    }
}

/// The properties of a boot image.
pub(super) fn facts(image: &Entry<BootImage>) -> Markup {
    let minutes = |minutes: u32| span(i64::from(minutes) * 60);
    card(
        "facts",
        "Details",
        &html! {
            @if let Some(missing) = image.spec.incomplete().filter(|_| !image.retired) {
                (block::note(Tone::Warn, &html! { p { strong { "Deployments cannot start with this image: " } (missing) "." } }))
            }
            @if let Some(spec) = &image.spec.spec {
                (block::facts(&[
                    ("Description", html! { @if spec.description.is_empty() { span.quiet { "none" } } @else { (spec.description) } }),
                    ("Overdue", html! { "after " (minutes(spec.open_minutes)) " of preparing (Open), or " (minutes(spec.in_progress_minutes)) " of installing (In progress)" }),
                    ("Marked done by", html! { (ended_by(spec.done_by)) }),
                    ("Network boots", html! { (network_boot(spec.network_boot)) }),
                    ("Revision", html! { (image.spec.revision) }),
                    ("Recipe", html! { @match &spec.recipe { Some(origin) => (recipe(origin)), None => span.quiet { "none (not added from the library)" } } }),
                ]))
            }
        },
    )
}

/// The recipe that a boot image was added from.
fn recipe(origin: &RecipeOrigin) -> Markup {
    let (tone, words) = match origin.verified {
        Verified::Signature => (Tone::Good, "Verified by signature"),
        Verified::Checksum => (Tone::Info, "Verified by checksum"),
        Verified::None => (Tone::Warn, "Not verified"),
    };
    html! {
        a href=(format!("{}/{}", library::PATH, origin.name)) { (origin.name) } ", files from " (origin.source) " " (badge(tone, words))
    }
}

/// The files of a boot image.
pub(super) fn files(image: &Entry<BootImage>, may: &Allowed) -> Markup {
    let page = BOOT_IMAGE.page(&image.key);
    card(
        "files",
        "Files",
        &html! {
            @if image.spec.files.is_empty() { p { "No files yet. Add a template of kind boot_ipxe, which is the script that a server loads first, and the files that this script loads." } }
            @else {
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "File" } th scope="col" { "Kind" } th scope="col" { "Size" } th scope="col" { "SHA-256" } th scope="col" { "Actions" } } }
                        tbody {
                            @for (name, file) in &image.spec.files {
                                @let path = format!("{page}/files/{name}");
                                tr {
                                    th scope="row" { a href=(path) { (name) } }
                                    td data-label="Kind" { (kind(file.kind)) @if file.template { " " (badge(Tone::Info, "Template")) } }
                                    td data-label="Size" { (size(file.size)) }
                                    td data-label="SHA-256" { (hash(&file.sha256)) }
                                    td data-label="Actions" {
                                        div.actions {
                                            @if file.template {
                                                a.button.small href=(format!("{page}/preview?file={name}")) { "Preview" }
                                                @if may.is_ok() { a.button.small href=(format!("{path}/edit")) { "Edit" } }
                                            }
                                            @if may.is_ok() { a.button.small href=(format!("{path}/remove")) { "Remove" } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            div.actions { (action::link("new-template", &format!("{page}/files/_new"), Look::Usual, "plus-lg", "Create template", may)) }
        },
    )
}

/// The roles and ventures that have the boot image as their default.
pub(super) fn defaults(key: &Name, ventures: &[Entry<VentureView>]) -> Vec<Markup> {
    let is_it = |image: Option<&Name>| image == Some(key);
    let mut found = vec![];
    for venture in ventures {
        let page = format!("/ventures/{}", venture.key);
        if is_it(venture.spec.spec.default_boot_image.as_ref()) {
            found.push(html! { "Default of venture " a href=(page) { (venture.key) } });
        }
        for (role, spec) in &venture.spec.roles {
            if is_it(spec.default_boot_image.as_ref()) {
                found.push(
                    html! { "Default of role " a href=(format!("{page}/roles/{role}")) { (role) } " of venture " (venture.key) },
                );
            }
        }
    }
    found
}

/// Where a boot image is used.
/// `counts` has the number of live deployments of each revision, the newest first.
pub(super) fn used(
    key: &Name,
    ventures: &[Entry<VentureView>],
    live: &[Deployment],
    counts: &[(i32, i64)],
    revision: u32,
) -> Markup {
    let defaults = defaults(key, ventures);
    let is_current = |number: i32| i64::from(number) == i64::from(revision);
    card(
        "used",
        "Used by",
        &html! {
            @if defaults.is_empty() { p.quiet { "Not a default for any role or venture." } }
            @else { ul { @for used in &defaults { li { (used) } } } }
            @if live.is_empty() { p.quiet { "No live deployments use it." } }
            @else {
                ul.revisions {
                    @for (number, count) in counts {
                        li {
                            (counted(count, "live deployment", "live deployments")) " with revision " (number)
                            @if is_current(*number) { " (current)" } @else { ", which they keep. " a href=(format!("{}/compare?from={number}&to={revision}", BOOT_IMAGE.page(key))) { "Compare with the current revision" } }
                        }
                    }
                }
                div.scroll {
                    table.cards {
                        caption { "Live deployments with this image" }
                        thead { tr { th scope="col" { "Host name" } th scope="col" { "Status" } th scope="col" { "Revision" } th scope="col" { "Preview" } } }
                        tbody {
                            @for deployment in live.iter().take(SHOWN_LIVE.into()) {
                                @let old = i64::from(deployment.boot_image_revision) != i64::from(revision);
                                tr {
                                    th scope="row" { a href=(format!("/deployments/{}", deployment.id)) { (deployment.hostname) } }
                                    td data-label="Status" { (badge::deployment(deployment.status, deployment.overdue)) }
                                    td data-label="Revision" { (deployment.boot_image_revision) @if old { " " span.quiet { "an older revision, which the deployment keeps" } } }
                                    td data-label="Preview" { a href=(format!("{}/preview?server={}", BOOT_IMAGE.page(key), deployment.id)) { "Preview" span.visually-hidden { " for " (deployment.hostname) } } }
                                }
                            }
                        }
                    }
                }
                @if live.len() > usize::from(SHOWN_LIVE) { p { a href=(format!("/deployments?boot_image={key}&live=true")) { "All live deployments with this image" } } }
            }
        },
    )
}

/// The changes of one revision to the files: name, before, after.
fn changed<'a>(
    before: Option<&'a BTreeMap<Name, BootFile>>,
    after: &'a BTreeMap<Name, BootFile>,
) -> Vec<(&'a Name, Option<&'a BootFile>, Option<&'a BootFile>)> {
    let Some(before) = before else { return vec![] };
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(name, file)| (name, Some(file), None));
    let new = after.iter().filter(|(name, file)| before.get(*name) != Some(*file));
    new.map(|(name, file)| (name, before.get(name), Some(file))).chain(gone).collect()
}

/// The changes of a boot image by revision, the newest first.
pub(super) fn changes(
    key: &Name,
    history: &History,
    revisions: &[(i64, Entry<BootImage>)],
    current: u32,
    may: &Allowed,
) -> Markup {
    let page = BOOT_IMAGE.page(key);
    let file = |name: &Name, file: Option<&BootFile>, position: i64, what: &str| {
        html! {
            @match file {
                Some(file) => { a href=(format!("{page}/files/{name}?at={position}")) { (what) } " " (hash(&file.sha256)) ", " (size(file.size)) }
                None => { (what) " none" }
            }
        }
    };
    card(
        "history",
        "Changes",
        &html! {
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Revision" } th scope="col" { "Time" } th scope="col" { "Change" } th scope="col" { "Actions" } } }
                    tbody {
                        @for line in history.lines() {
                            @let index = revisions.iter().position(|(position, _)| *position == line.position);
                            @let revision = index.map(|index| &revisions[index].1.spec);
                            @let earlier = index.and_then(|index| revisions.get(index + 1));
                            tr id=(format!("event-{}", line.position)) {
                                th scope="row" { @if let Some(revision) = revision { a href=(format!("{page}?at={}", line.position)) title="This revision of the image" { (revision.revision) } } }
                                td data-label="Time" { a href=(format!("/timeline/{}", line.position)) { (moment(line.recorded_at)) } }
                                td data-label="Change" {
                                    (sentence(line))
                                    // The files are below.
                                    @if line.event_type == "BootImageDefined" { (lines::changes(line)) }
                                    @if let Some(revision) = revision {
                                        @for (name, before, after) in changed(earlier.map(|(_, entry)| &entry.spec.files), &revision.files) {
                                            div.quiet { (name) ": " (file(name, before, line.position - 1, "before")) ", " (file(name, after, line.position, "after")) }
                                        }
                                    }
                                }
                                td data-label="Actions" {
                                    @if let Some(revision) = revision.map(|image| image.revision) {
                                        div.actions {
                                            a.button.small href=(format!("{page}/compare?from={}&to={revision}", revision.saturating_sub(1))) { "Compare" span.visually-hidden { " revision " (revision) " with the one before" } }
                                            @if may.is_ok() && revision != current {
                                                a.button.small href=(format!("{page}/revert?to={revision}")) { "Revert" span.visually-hidden { " to revision " (revision) } }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            p { a href=(history.path()) { @if history.older() { "All events in the timeline" } @else { "In the timeline" } } }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples;
    use crate::pages::tests::selectors::{attributes, texts};
    use serde_json::json;

    fn image(files: &serde_json::Value) -> Entry<BootImage> {
        let spec = json!({"spec": {"description": "<b>Debian</b>"}, "revision": 7, "files": files, "retired": false});
        Entry {
            key: "debian".parse().expect("a name"),
            sequence: 7,
            retired: false,
            spec: serde_json::from_value(spec).expect("an image"),
        }
    }

    fn script() -> serde_json::Value {
        json!({"kind": "boot_ipxe", "sha256": "ab".repeat(32), "size": 2048, "template": true})
    }

    #[test]
    fn an_incomplete_image_says_what_is_missing() {
        let html = facts(&image(&json!({})));
        assert!(texts(&html, ".note")[0].contains("boot_ipxe"));
        assert_eq!(texts(&html, "dd")[0], "<b>Debian</b>");
        assert_eq!(texts(&facts(&image(&json!({"boot.ipxe": script()}))), ".note").len(), 0);
    }

    #[test]
    fn files_have_size_hash_kind_and_what_can_be_done() {
        let image = image(
            &json!({"boot.ipxe": script(), "linux": {"kind": "kernel", "sha256": "cd".repeat(32), "size": 12_345_678, "template": false}}),
        );
        let html = files(&image, &Ok(()));
        assert_eq!(texts(&html, "td[data-label=Size]"), ["2.0 KiB", "11.7 MiB"]);
        assert_eq!(
            attributes(&html, "tbody .actions a", "href"),
            [
                "/boot-images/debian/preview?file=boot.ipxe",
                "/boot-images/debian/files/boot.ipxe/edit",
                "/boot-images/debian/files/boot.ipxe/remove",
                "/boot-images/debian/files/linux/remove"
            ]
        );
        assert_eq!(attributes(&html, "td code", "title")[0], "ab".repeat(32));
        assert_eq!(attributes(&html, "td button.copy", "data-copy")[0], "ab".repeat(32));
        let html = files(&image, &Err("an administrator may".to_owned()));
        assert_eq!(attributes(&html, "tbody .actions a", "href"), ["/boot-images/debian/preview?file=boot.ipxe"]);
        assert_eq!(texts(&html, ".reason"), ["An administrator may."]);
    }

    #[test]
    fn where_it_is_used_names_roles_and_ventures() {
        let spec =
            json!({"spec": {"default_boot_image": "debian"}, "roles": {"web": {"default_boot_image": "debian"}, "db": {}}});
        let venture = Entry {
            key: "shop".parse().expect("a name"),
            sequence: 1,
            retired: false,
            spec: serde_json::from_value(spec).expect("a venture"),
        };
        let html = used(&"debian".parse().expect("a name"), std::slice::from_ref(&venture), &[], &[], 7);
        assert_eq!(attributes(&html, "li a", "href"), ["/ventures/shop", "/ventures/shop/roles/web"]);
        let html = used(&"debian".parse().expect("a name"), &[], &[samples::deployment()], &[(7, 4), (3, 2)], 7);
        assert_eq!(texts(&html, ".revisions li").len(), 2);
        assert_eq!(attributes(&html, ".revisions a", "href"), ["/boot-images/debian/compare?from=3&to=7"]);
    }

    #[test]
    fn a_revision_names_the_file_it_changed() {
        let before = image(&json!({"a": script(), "b": script()})).spec.files;
        let mut other = script();
        other["size"] = json!(5);
        let after = image(&json!({"a": other, "c": script()})).spec.files;
        let message: Vec<_> = changed(Some(&before), &after)
            .into_iter()
            .map(|(name, old, new)| (name.as_str(), old.is_some(), new.is_some()))
            .collect();
        assert_eq!(message, [("a", true, true), ("c", false, true), ("b", true, false)]);
        assert!(changed(None, &after).is_empty());
    }
}
