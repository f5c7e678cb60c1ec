//! The form that uploads a file of a boot image.

use super::labels::{kinds, size};
use crate::pages::catalogue::BOOT_IMAGE;
use crate::pages::catalogue::form::{NAME, field, needed};
use crate::pages::components::action::once;
use crate::pages::components::block::card;
use crate::pages::form::Fields;
use bootledger_aggregates::values::name::Name;
use maud::{Markup, html};

/// The names of the form's fields.
pub(super) const NAMES: [&str; 4] = [NAME, "kind", "template", "file"];

/// Renders the upload form.
pub(super) fn form(key: &Name, fields: &Fields, most: u64) -> Markup {
    let hint = format!("At most {}. A file of the same name is replaced.", size(most));
    let file = needed(fields, "file", "File", &hint);
    card(
        "upload",
        "Upload a file",
        &html! {
            form.form method="post" action=(format!("{}/files", BOOT_IMAGE.page(key))) enctype="multipart/form-data" {
                (once())
                div.pair {
                    (field(fields, NAME, "Name", "The name in /pxe/NAME. Defaults to the name of the uploaded file.").text())
                    (needed(fields, "kind", "Kind", "The purpose of the file.").select(Some("Choose one"), &kinds()))
                }
                (field(fields, "template", "Template", "Rendered for each server. The upload is checked.").check())
                (file.text_with("file", &html! {}))
                progress data-upload="" max="1" value="0" hidden aria-label="Upload progress" {}
                p.error data-upload-problem="" role="alert" {}
                div.actions { button type="submit" { "Upload" } }
            }
        },
    )
}
