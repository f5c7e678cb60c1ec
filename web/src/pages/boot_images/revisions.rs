//! Two revisions of a boot image: the page that compares them, and the change back to an earlier one.

use super::labels::{kind, size};
use super::read::template;
use crate::english::counted;
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::catalogue::form as forms;
use crate::pages::catalogue::{BOOT_IMAGE, entry};
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::block;
use crate::pages::components::copy;
use crate::pages::components::diff;
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done, see_other};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::boot_image::{BootFile, BootImage};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Command};
use bootledger_projections::rows::catalogue;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The revisions to compare; by default the current one with the one before.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Compared {
    from: Option<u32>,
    to: Option<u32>,
}

/// The revision to return to.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Earlier {
    to: Option<u32>,
}

/// The image at a revision. Before its first revision it has no files.
async fn at_revision(snapshot: &mut Snapshot<'_>, key: &Name, revision: u32) -> Result<BootImage, Error> {
    if revision == 0 {
        return Ok(BootImage::default());
    }
    let number = i32::try_from(revision).unwrap_or(i32::MAX);
    let found = catalogue::boot_image_revision(snapshot.connection(), key, number).await?;
    let found = found.ok_or_else(|| Error::NotFound(format!("the boot image {key} has no revision {revision}")))?;
    Ok(found.spec)
}

/// A file that differs between two revisions.
struct Changed {
    name: Name,
    before: Option<BootFile>,
    after: Option<BootFile>,
    /// The texts before and after, if the file is a template.
    texts: Option<(String, String)>,
}

/// The files that differ, without their texts.
fn changed(before: &BootImage, after: &BootImage) -> Vec<Changed> {
    let names: BTreeSet<&Name> = before.files.keys().chain(after.files.keys()).collect();
    let pair = |name: &Name| (before.files.get(name).cloned(), after.files.get(name).cloned());
    let changed = names.into_iter().map(|name| (name, pair(name))).filter(|(_, (before, after))| before != after);
    changed.map(|(name, (before, after))| Changed { name: name.clone(), before, after, texts: None }).collect()
}

/// The text of a template; empty if there is none. `None` if the file is not a template, or too large to be shown.
async fn text(backend: &mut Backend, file: Option<&BootFile>) -> Result<Option<String>, Error> {
    match file {
        None => Ok(Some(String::new())),
        Some(file) if !file.template => Ok(None),
        Some(file) => match template(backend, file).await {
            Ok(text) => Ok(Some(text)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(other) => Err(other),
        },
    }
}

/// The fields of the description that differ: name, before, after.
fn described(before: &BootImage, after: &BootImage) -> Vec<(String, String, String)> {
    let fields = |image: &BootImage| {
        let spec = image.spec.as_ref().and_then(|spec| serde_json::to_value(spec).ok());
        spec.and_then(|spec| spec.as_object().cloned()).unwrap_or_default()
    };
    let (before, after) = (fields(before), fields(after));
    let shown = |value: Option<&serde_json::Value>| match value {
        None | Some(serde_json::Value::Null) => "none".to_owned(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differs = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differs.map(|name| (name.replace('_', " "), shown(before.get(name)), shown(after.get(name)))).collect()
}

/// Handles `GET /boot-images/{key}/compare`.
pub(super) async fn compare(
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let query: Compared = page_context.query()?;
    let mut snapshot = backend.read().await?;
    let current = entry::find::<BootImage>(&mut snapshot, &BOOT_IMAGE, key.as_str()).await?.spec;
    let to = query.to.unwrap_or(current.revision);
    let from = query.from.unwrap_or(to.saturating_sub(1));
    let (before, after) = (at_revision(&mut snapshot, &key, from).await?, at_revision(&mut snapshot, &key, to).await?);
    let seen = page_context.see(snapshot).await?;
    let mut files = changed(&before, &after);
    for file in &mut files {
        let before = text(&mut backend, file.before.as_ref()).await?;
        file.texts = before.zip(text(&mut backend, file.after.as_ref()).await?);
    }
    let page = BOOT_IMAGE.page(&key);
    let number = |name: &'static str, label: &'static str, value: &str| {
        Field { name, label, value, required: true, ..Field::default() }.text_with("number", &html! {})
    };
    let content = html! {
        (block::heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), (key.as_str(), &page)], &html! { "Compare revisions " (from) " and " (to) }, &html! {}))
        form.filters method="get" action=(format!("{page}/compare")) {
            (number("from", "From revision", &from.to_string()))
            (number("to", "To revision", &to.to_string()))
            button type="submit" { "Compare" }
            span.quiet { "The current revision is " (current.revision) "." }
        }
        (differences(&described(&before, &after), &files))
    };
    Ok(seen.answer(&Page::new(&format!("Compare revisions of {key}"), Section::BootImages, content)))
}

fn differences(fields: &[(String, String, String)], files: &[Changed]) -> Markup {
    html! {
        @if fields.is_empty() && files.is_empty() { p { "The revisions have the same description and the same files." } }
        @if !fields.is_empty() {
            (block::card("description", "Description", &html! {
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Field" } th scope="col" { "Before" } th scope="col" { "After" } } }
                        tbody { @for (name, before, after) in fields { tr { th scope="row" { (name) } td data-label="Before" { del { (before) } } td data-label="After" { ins { (after) } } } } }
                    }
                }
            }))
        }
        @for file in files {
            section.card aria-label=(format!("File {}", file.name)) {
                h2 { (file.name) " " span.quiet { (what(file)) } }
                @if let (Some(before), Some(after)) = (&file.before, &file.after) {
                    @if before.kind != after.kind { p { "Kind: " del { (kind(before.kind)) } " " ins { (kind(after.kind)) } } }
                }
                @match &file.texts {
                    Some((before, after)) => (diff::lines(file.name.as_str(), before, after)),
                    None => {
                        p {
                            @if let Some(before) = &file.before { del { "− " (size(before.size)) ", SHA-256 " (copy::code(&before.sha256.to_string(), "SHA-256")) } " " }
                            @if let Some(after) = &file.after { ins { "+ " (size(after.size)) ", SHA-256 " (copy::code(&after.sha256.to_string(), "SHA-256")) } }
                        }
                    }
                }
            }
        }
    }
}

/// What happened to a file.
fn what(file: &Changed) -> String {
    let lines = |texts: &(String, String)| {
        let (added, removed) = diff::counts(&texts.0, &texts.1);
        format!(", {} added, {} removed", counted(added, "line", "lines"), counted(removed, "line", "lines"))
    };
    let change = match (&file.before, &file.after) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(_), Some(_)) => "changed",
    };
    format!("{change}{}", file.texts.as_ref().map(lines).unwrap_or_default())
}

/// Handles `GET /boot-images/{key}/revert`: the confirmation page. Without a revision, it leads to the image's changes.
pub(super) async fn confirm(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let query: Earlier = page_context.query()?;
    let Some(to) = query.to else { return Ok(see_other(&format!("{}#history", BOOT_IMAGE.page(&key)))) };
    let mut snapshot = backend.read_now().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let content = question(&mut snapshot, &key, to, &may, &Fields::default()).await?;
    page_context.answer(snapshot, Page::new(&format!("Revert {key}"), Section::BootImages, content)).await
}

async fn question(snapshot: &mut Snapshot<'_>, key: &Name, to: u32, may: &Allowed, fields: &Fields) -> Result<Markup, Error> {
    let entry = entry::find::<BootImage>(snapshot, &BOOT_IMAGE, key.as_str()).await?;
    let (current, earlier) = (&entry.spec, at_revision(snapshot, key, to).await?);
    let (files, fields_changed) = (changed(current, &earlier), described(current, &earlier));
    let page = BOOT_IMAGE.page(key);
    let allowed = may.clone().and_then(|()| {
        if entry.retired {
            Err("The boot image is retired. Restore it to change its files.".to_owned())
        } else if files.is_empty() && fields_changed.is_empty() {
            Err(format!("Revision {to} has the same description and the same files as the current one."))
        } else {
            Ok(())
        }
    });
    let hidden = html! {
        input type="hidden" name="to" value=(to);
        input type="hidden" name="revision" value=(current.revision);
    };
    Ok(html! {
        (block::heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), (key.as_str(), &page)], &html! { "Revert to revision " (to) "?" }, &html! {}))
        (summary(fields.broken(), &[]))
        (block::card("question", "Effect", &html! {
            p { "A new revision of " (key) " gets the description and the files of revision " (to) ". Revision " (current.revision) " remains in its history, and live deployments keep the revision that they were started with." }
            @if !fields_changed.is_empty() { p { "Description: " @for (index, (name, ..)) in fields_changed.iter().enumerate() { @if index > 0 { ", " } (name) } "." } }
            @if !files.is_empty() { ul { @for file in &files { li { code { (file.name) } ": " (what(file)) } } } }
            p { a href=(format!("{page}/compare?from={}&to={to}", current.revision)) { "Show the changes by line" } }
            div.actions {
                (action::post("revert", &format!("{page}/revert"), Look::Danger, "arrow-repeat", &format!("Revert to revision {to}"), &allowed, &hidden))
                a.button href=(page) { "Back" }
            }
        }))
    })
}

/// Handles `POST /boot-images/{key}/revert`.
pub(super) async fn revert(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let (to, revision) = (fields.read::<u32>("to"), fields.read::<u32>("revision"));
    let (Some(to), Some(revision)) = (to, revision) else {
        return Ok(see_other(&format!("{}#history", BOOT_IMAGE.page(&key))));
    };
    let mut snapshot = backend.read_now().await?;
    let earlier = at_revision(&mut snapshot, &key, to).await?;
    drop(snapshot);
    let command = if let Some(spec) = earlier.spec {
        let (image, spec, files) = (key.clone(), Box::new(spec), earlier.files);
        Some(Command::Catalogue(CatalogueAction::ReplaceBootImage { image, spec, files, revision }))
    } else {
        fields.refuse("", Rule::BootImageIncomplete, "that revision has no description; choose another one");
        None
    };
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &format!("{}#history", BOOT_IMAGE.page(&key))).await);
    }
    let mut snapshot = backend.read_now().await?;
    let content = question(&mut snapshot, &key, to, &Ok(()), &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Revert {key}"), Section::BootImages, content)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;
    use serde_json::json;

    fn image(description: &str, files: &serde_json::Value) -> BootImage {
        let image = json!({"spec": {"description": description}, "revision": 7, "files": files, "retired": false});
        serde_json::from_value(image).expect("an image")
    }

    fn file(kind: &str, byte: &str, template: bool) -> serde_json::Value {
        json!({"kind": kind, "sha256": byte.repeat(32), "size": 2048, "template": template})
    }

    #[test]
    fn two_revisions_differ_in_fields_and_files_and_templates_by_line() {
        let before = image("<old>", &json!({"boot.ipxe": file("boot_ipxe", "aa", true), "gone": file("other", "bb", false)}));
        let after = image("new", &json!({"boot.ipxe": file("boot_ipxe", "cc", true), "linux": file("kernel", "dd", false)}));
        let mut files = changed(&before, &after);
        files[0].texts = Some(("#!ipxe\nboot\n".to_owned(), "#!ipxe\nkernel <x>\nboot\n".to_owned()));
        let html = differences(&described(&before, &after), &files);
        assert_eq!(texts(&html, "#description del, #description ins"), ["<old>", "new"]);
        assert_eq!(texts(&html, "pre ins"), ["+ kernel <x>"]);
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["boot.ipxe", "gone", "linux"]);
        let kinds: Vec<String> = files.iter().map(what).collect();
        assert!(kinds[0].starts_with("changed") && kinds[1] == "removed" && kinds[2] == "added", "{kinds:?}");
        let same = differences(&described(&after, &after), &changed(&after, &after));
        assert_eq!(texts(&same, ".card").len(), 0);
    }
}
