//! `bootledger image list` and `show`.

use super::Common;
use crate::service::tool::Tool;
use anyhow::{Result, anyhow};
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::SettingText;
use bootledger_images::library::Library;
use bootledger_images::recipe::Checksum;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use std::io::Write as _;
use std::process::ExitCode;

pub(super) async fn list(common: &Common) -> Result<ExitCode> {
    let library = Library::with_folder(common.image_recipes.as_deref())?;
    let tool = Tool::open(&common.store).await?;
    let images = catalogue::boot_images(&tool.database.pool, At::Now).await?;
    tool.close().await?;
    let width = library.recipes().map(|recipe| recipe.name.as_str().len()).max().unwrap_or(0);
    for recipe in library.recipes() {
        say!("{:width$}  {:19}  {}", recipe.name.as_str(), recipe.status.title(), recipe.title);
        for image in &images {
            let Some(origin) = image.spec.spec.as_ref().and_then(|spec| spec.recipe.as_deref()) else { continue };
            if origin.name == recipe.name && !image.retired {
                let newer = if origin.sha256 == recipe.sha256 {
                    ""
                } else {
                    "; the recipe has changed since: see `image update --dry-run`"
                };
                say!("{:width$}  added as {}, revision {}{newer}", "", image.key, image.spec.revision);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(name: &Name, common: &Common) -> Result<ExitCode> {
    let library = Library::with_folder(common.image_recipes.as_deref())?;
    let recipe = library.recipe(name);
    let recipe = recipe.ok_or_else(|| anyhow!("the library has no recipe {name}; `bootledger image list` shows all"))?;
    say!("{}: {}", recipe.name, recipe.title);
    say!("{}", recipe.description);
    say!("Version {}, {}, {}", recipe.version, recipe.architecture.as_str(), recipe.status.title());
    if !recipe.tested_with.as_str().is_empty() {
        say!("Tested with {}", recipe.tested_with);
    }
    for note in &recipe.notes {
        say!("Note: {note}");
    }
    if let Some(mirror) = &recipe.mirror {
        say!("Mirror: {mirror}");
    }
    say!("\nFiles");
    for (file, own) in &recipe.files {
        let kind = if own.template { "template" } else { "file of the recipe" };
        say!("  {file} ({}): {kind}", own.kind);
    }
    for (file, download) in &recipe.downloads {
        let from = match (&download.url, &download.how) {
            (Some(url), _) => url.to_string(),
            (None, Some(how)) => how.to_string(),
            (None, None) => String::new(),
        };
        let kind: FileKind = download.kind;
        let by = match &download.checksum {
            Checksum::None => "no published checksum".to_owned(),
            Checksum::Pinned(digest) => digest.to_string(),
            Checksum::Listed { list, .. } => format!("verified by the list {list}"),
            Checksum::Signed { .. } => "signed by its vendor".to_owned(),
        };
        say!("  {file} ({kind}): {from} ({by})");
    }
    say!("\nSettings");
    for (setting, spec) in &recipe.settings {
        let default = spec.default.as_ref().map(serde_json::to_string).transpose()?;
        let value = match (&default, spec.required) {
            (Some(default), _) => format!("default {default}"),
            (None, true) => "required".to_owned(),
            (None, false) => "optional".to_owned(),
        };
        let choices: Vec<&str> = spec.choices.iter().map(SettingText::as_str).collect();
        let of = if choices.is_empty() { String::new() } else { format!(" of {}", choices.join(", ")) };
        say!("  {setting} ({}{of}; {value}): {}", spec.kind.as_str(), spec.description);
    }
    Ok(ExitCode::SUCCESS)
}
