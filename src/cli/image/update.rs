//! `bootledger image update`.

use super::source::Source;
use super::{Bar, install, report};
use crate::workers::images::install::{Installer, Order};
use anyhow::{Context as _, Result, bail};
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::boot_image::recipe::RecipeOrigin;
use bootledger_aggregates::values::name::Name;
use bootledger_images::merge::{Change, Outcome};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use std::io::Write as _;

/// The boot images that were added from the library.
async fn of_library(installer: &Installer) -> Result<Vec<(Name, BootImage, RecipeOrigin)>> {
    let all = catalogue::boot_images(&installer.commands.views, At::Now).await?;
    let of = |entry: Entry<BootImage>| {
        let origin = entry.spec.spec.as_ref()?.recipe.as_deref()?.clone();
        (!entry.retired).then_some((entry.key, entry.spec, origin))
    };
    Ok(all.into_iter().filter_map(of).collect())
}

pub(super) async fn update(
    installer: &Installer,
    image: Option<Name>,
    dry_run: bool,
    replace: bool,
    source: &Source,
) -> Result<()> {
    let mut images = of_library(installer).await?;
    if let Some(image) = image {
        images.retain(|(name, ..)| *name == image);
        if images.is_empty() {
            bail!("no boot image {image} was added from the library; `bootledger image list` shows those that were");
        }
    }
    if images.is_empty() {
        say!("No boot image was added from the library");
    }
    // An image that cannot be updated must not prevent the update of the others.
    let (all, mut failed) = (images.len(), 0);
    for (image, _, origin) in images {
        if let Err(error) = update_one(installer, &image, &origin, dry_run, replace, source).await {
            if all == 1 {
                return Err(error);
            }
            eprintln!("{error:#}");
            failed += 1;
        }
    }
    if failed > 0 {
        bail!("{failed} of {all} boot images were not updated; the reasons are above");
    }
    Ok(())
}

async fn update_one(
    installer: &Installer,
    image: &Name,
    origin: &RecipeOrigin,
    dry_run: bool,
    replace: bool,
    source: &Source,
) -> Result<()> {
    let Some(recipe) = installer.library.recipe(&origin.name) else {
        say!("{image}: the library no longer has the recipe {}; the image is not changed", origin.name);
        return Ok(());
    };
    let from = source.origin_of(image, origin, recipe)?;
    let order = Order { recipe: origin.name.clone(), image: image.clone(), origin: from, update: true, replace };
    if dry_run {
        let bar = Bar::new();
        let preview = installer.preview(&order, &|progress| bar.show(&progress)).await;
        bar.0.finish_and_clear();
        let (merged, unknown) = preview.with_context(|| format!("boot image {image}"))?;
        changes(image, &merged.changes, "would be updated");
        for file in unknown {
            say!("  file {file}: a download is needed to detect changes");
        }
        return Ok(());
    }
    let done = install(installer, &order).await.with_context(|| format!("boot image {image}"))?;
    changes(image, &done.changes, "updated");
    report(&done);
    Ok(())
}

fn changes(image: &Name, changes: &[Change], done: &str) {
    if changes.iter().all(|change| matches!(change.outcome, Outcome::Own | Outcome::Conflict)) {
        say!("{image}: up to date");
    } else {
        say!("{image}: {done}");
    }
    for change in changes {
        say!("  {change}");
    }
}
