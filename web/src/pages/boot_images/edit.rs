//! The editor of templates. When a template is saved, errors are shown with their lines; a preview is available before that.

use super::labels::kinds;
use super::preview;
use super::read::{file_of, template};
use crate::http::application::Application;
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::images::upload::{Description, UploadError, put_file};
use crate::images::variables::{MEANINGS, NAMES, SETTINGS};
use crate::pages::catalogue::form::{NAME, field, needed, pair};
use crate::pages::catalogue::{BOOT_IMAGE, entry};
use crate::pages::components::action::once;
use crate::pages::components::block;
use crate::pages::components::field::{Field, place, summary};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use bootledger_aggregates::boot_image::{BootImage, FileKind};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CommandError, Receipt};
use bytes::Bytes;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The field with the hash of the edited version.
const WAS: &str = "was";
/// The field with the template.
const CONTENT: &str = "content";
/// The field with the server of a preview.
const SERVER: &str = "server";
/// How many lines the editor has at least, and how many more than the text.
const LEAST: usize = 24;
const SPARE: usize = 4;

/// The editor's page. `file` is the file that is changed, `None` for a new one; `shown` is a preview.
fn view(key: &Name, file: Option<&Name>, fields: &Fields, shown: Option<&Markup>) -> Markup {
    let page = BOOT_IMAGE.page(key);
    let (title, path) = match file {
        Some(file) => (format!("Edit {file}"), format!("{page}/files/{file}/edit")),
        None => ("Create template".to_owned(), format!("{page}/files/_new")),
    };
    let content = fields.lines(CONTENT);
    let area = Field {
        value: &content,
        ..needed(
            fields,
            CONTENT,
            "Template",
            "Text with variables in {{ }} and conditions in {% %}. It is rendered for each server, and checked when it is saved.",
        )
    };
    html! {
        (block::heading(&[(BOOT_IMAGE.many, BOOT_IMAGE.path), (key.as_str(), &page)], &html! { (title) }, &html! {}))
        (summary(fields.broken(), &[NAME, "kind", CONTENT, SERVER]))
        form.form.wide.card method="post" action=(path) {
            (once())
            div.pair {
                @if file.is_none() { (needed(fields, NAME, "Name", "The name in /pxe/NAME, such as boot.ipxe.").text()) }
                (needed(fields, "kind", "Kind", "The purpose of the file. A server loads the iPXE script first.").select(Some("Choose one"), &kinds()))
            }
            input type="hidden" name=(WAS) value=(fields.text(WAS));
            (editor(&area))
            details.more {
                summary { "Variables (" (NAMES.len()) ")" }
                dl.facts { @for (name, meaning) in NAMES.iter().zip(MEANINGS) { dt { code { "{{ " (name) @if *name == SETTINGS { ".NAME" } " }}" } } dd { (meaning) } } }
            }
            (field(fields, SERVER, "Preview for", "The ID, host name or MAC of a device, or the ID of a deployment. By default a sample server.").text())
            div.actions {
                button.primary type="submit" { "Save" }
                button type="submit" name="do" value="preview" { "Preview" }
                a.button href=(page) { "Back" }
            }
        }
        @if let Some(shown) = shown { (shown) }
    }
}

/// The lines that errors of the template name, as in `line 3: …`.
fn broken_lines(errors: &[ProblemError]) -> BTreeSet<usize> {
    let of_template = errors.iter().filter(|error| error.field == CONTENT);
    let after = of_template.flat_map(|error| error.message.split("line ").skip(1).map(str::to_owned).collect::<Vec<_>>());
    after.filter_map(|text| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

/// A text area with the numbers of its lines. A script adds numbers for new lines; without it, some spare ones are there.
fn editor(area: &Field<'_>) -> Markup {
    let broken = broken_lines(area.errors);
    let mine: Vec<&ProblemError> = area.errors.iter().filter(|error| error.field == area.name).collect();
    let lines: Vec<&str> = area.value.split('\n').collect();
    let rows = (lines.len() + SPARE).max(LEAST);
    html! {
        div class=(if mine.is_empty() { "field" } else { "field broken" }) id="box-content" {
            label for="field-content" { (area.label) }
            span.hint id="hint-content" { (area.hint) }
            div.editor {
                pre.gutter id="lines-content" aria-hidden="true" {
                    @for number in 1..=rows { span.bad[broken.contains(&number)] { (number) } "\n" }
                }
                textarea id="field-content" name=(area.name) rows=(rows) required[area.required] spellcheck="false" wrap="off" data-lines="lines-content"
                    aria-describedby="hint-content error-content" aria-invalid=[(!mine.is_empty()).then_some("true")] {
                    // A browser drops a line break that directly follows the tag.
                    "\n" (area.value)
                }
            }
            (place(area.name, &mine))
            @if !broken.is_empty() { (excerpt(&lines, &broken)) }
        }
    }
}

/// The lines with errors, each between its neighbours.
fn excerpt(lines: &[&str], broken: &BTreeSet<usize>) -> Markup {
    let near = |number: &usize| (number.saturating_sub(1).max(1)..=number + 1).filter(|near| *near <= lines.len());
    let shown: BTreeSet<usize> = broken.iter().flat_map(near).collect();
    html! {
        pre.excerpt tabindex="0" role="region" aria-label="Lines with errors" {
            @for number in shown {
                @let text = format!("{} {number:>5}  {}", if broken.contains(&number) { '>' } else { ' ' }, lines.get(number - 1).unwrap_or(&""));
                @if broken.contains(&number) { strong { (text) } } @else { span { (text) } }
                "\n"
            }
        }
    }
}

pub(super) async fn new(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let image = entry::find::<BootImage>(&mut snapshot, &BOOT_IMAGE, key.as_str()).await?.spec;
    let script = image.file_of_kind(FileKind::BootIpxe).is_none();
    let usual = if script {
        vec![
            pair(NAME, "boot.ipxe"),
            pair("kind", FileKind::BootIpxe),
            pair(
                CONTENT,
                "#!ipxe\nkernel {{ kernel_url }} initrd=initrd done_url={{ done_url }}\ninitrd --name initrd {{ initrd_url }}\nboot\n",
            ),
        ]
    } else {
        vec![]
    };
    let content = view(&key, None, &Fields::new(usual), None);
    page_context.answer(snapshot, Page::new("Create template", Section::BootImages, content)).await
}

pub(super) async fn edit(
    _: Administrator,
    page_context: PageContext,
    Path((key, name)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let (_, file) = file_of(&mut snapshot, &key, &name).await?;
    if !file.template {
        return Err(Error::NotFound(format!("{name} is not a template; to change it, upload it again")));
    }
    let seen = page_context.see(snapshot).await?;
    let text = template(&mut backend, &file).await?;
    let fields = Fields::new(vec![pair("kind", file.kind), pair(WAS, file.sha256), pair(CONTENT, text)]);
    let content = view(&key, Some(&name), &fields, None);
    Ok(seen.answer(&Page::new(&format!("Edit {name}"), Section::BootImages, content)))
}

/// Saves the template of a form; `None` if there is an error, which is stored in the fields.
async fn save(
    backend: &mut Backend,
    caller: &Administrator,
    key: &Name,
    name: Option<Name>,
    fields: &mut Fields,
) -> Result<Option<Receipt>, Error> {
    let (kind, content) = (fields.required("kind", "The kind"), fields.lines(CONTENT));
    if content.is_empty() {
        fields.refuse(CONTENT, Rule::ContentEmpty, "the template is empty");
    }
    let (Some(name), Some(kind), true) = (name, kind, fields.broken().is_empty()) else { return Ok(None) };
    let description = Description { image: key.clone(), name, kind, template: true, announced: None };
    let body = futures::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(content))]);
    match put_file(backend.application(), description, None, body, fields.context(caller)).await {
        Ok((_, receipt)) => return Ok(Some(receipt)),
        Err(UploadError::Template(message)) => fields.refuse(CONTENT, Rule::TemplateWrong, message),
        Err(UploadError::TooLarge(limit)) => {
            fields.refuse(CONTENT, Rule::TooLarge, format!("a template has at most {limit} bytes"));
        }
        Err(UploadError::Command(CommandError::Refused(rules))) => {
            for rule in rules {
                let field = if rule.field == "name" { NAME.to_owned() } else { rule.field.clone() };
                fields.add(&field, rule);
            }
        }
        Err(other) => return Err(other.into()),
    }
    Ok(None)
}

/// The preview of a form that is not saved.
async fn unsaved(
    application: &Application,
    backend: &mut Backend,
    key: &Name,
    name: Option<&Name>,
    fields: &mut Fields,
) -> Result<Option<Markup>, Error> {
    let kind = fields.required::<FileKind>("kind", "The kind");
    let server = fields.text(SERVER).to_owned();
    let (Some(name), Some(kind)) = (name, kind) else { return Ok(None) };
    Ok(Some(preview::unsaved(application, backend, key, &server, (name, kind, &fields.lines(CONTENT))).await?))
}

fn is_preview(fields: &Fields) -> bool {
    fields.text("do") == "preview"
}

/// The answer with the editor: 200 with a preview, 422 if the template was refused.
fn answer(page_context: PageContext, position: i64, page: Page<'_>, previewed: bool) -> HttpResponse {
    let mut response = page_context.refused(position, page);
    if previewed {
        *response.status_mut() = StatusCode::OK;
    }
    response
}

pub(super) async fn create(
    caller: Administrator,
    page_context: PageContext,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let image = entry::find::<BootImage>(&mut snapshot, &BOOT_IMAGE, key.as_str()).await?.spec;
    let name = fields.required::<Name>(NAME, "The name");
    if let Some(known) = name.as_ref().filter(|name| image.files.contains_key(name)) {
        let message = format!("the boot image {key} already has a file {known}; edit that file, or choose another name");
        fields.refuse(NAME, Rule::NameTaken, message);
    }
    let position = snapshot.position;
    drop(snapshot);
    let mut shown = None;
    if is_preview(&fields) {
        shown = unsaved(&application, &mut backend, &key, name.as_ref(), &mut fields).await?;
    } else if let Some(receipt) = save(&mut backend, &caller, &key, name, &mut fields).await? {
        return Ok(done(&mut backend, &receipt, &format!("{}#files", BOOT_IMAGE.page(key))).await);
    }
    let content = view(&key, None, &fields, shown.as_ref());
    Ok(answer(page_context, position, Page::new("Create template", Section::BootImages, content), shown.is_some()))
}

pub(super) async fn change(
    caller: Administrator,
    page_context: PageContext,
    application: Data<Application>,
    mut backend: Backend,
    Path((key, name)): Path<(Name, Name)>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let (_, file) = file_of(&mut snapshot, &key, &name).await?;
    let position = snapshot.position;
    drop(snapshot);
    let mut shown = None;
    if is_preview(&fields) {
        shown = unsaved(&application, &mut backend, &key, Some(&name), &mut fields).await?;
    } else {
        if fields.text(WAS) != file.sha256.to_string() {
            let message = format!(
                "another user changed {name} while you edited it. Review the current version; to overwrite it with this form, save again"
            );
            fields.refuse("", Rule::ChangedMeanwhile, message);
            fields = fields.with(WAS, &file.sha256.to_string());
        }
        if let Some(receipt) = save(&mut backend, &caller, &key, Some(name.clone()), &mut fields).await? {
            return Ok(done(&mut backend, &receipt, &format!("{}#files", BOOT_IMAGE.page(key))).await);
        }
    }
    let content = view(&key, Some(&name), &fields, shown.as_ref());
    Ok(answer(page_context, position, Page::new(&format!("Edit {name}"), Section::BootImages, content), shown.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;

    #[test]
    fn the_editor_keeps_the_text_and_explains_every_variable() {
        let mut fields = Fields::new(vec![pair(CONTENT, "\n  #!ipxe\r\n{{ hostnam }}</textarea><script>\r\n")]);
        fields.refuse(CONTENT, Rule::TemplateWrong, "line 3: there is no variable hostnam");
        let html = view(&"debian".parse().expect("a name"), None, &fields, None);
        assert_eq!(texts(&html, "textarea"), ["\n  #!ipxe\n{{ hostnam }}</textarea><script>\n"]);
        assert_eq!(texts(&html, "#error-content .error"), ["Line 3: there is no variable hostnam"]);
        assert_eq!(texts(&html, "dt").len(), NAMES.len());
        assert_eq!(texts(&html, "script").len(), 0);
        assert_eq!(texts(&html, ".gutter .bad"), ["3"]);
        assert_eq!(texts(&html, ".excerpt strong").len(), 1);
        assert!(texts(&html, ".excerpt strong")[0].contains("{{ hostnam }}</textarea><script>"));
        assert_eq!(texts(&html, ".gutter span").len(), LEAST);
    }
}
