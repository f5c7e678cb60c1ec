//! `--from` and `--mirror`: where the official files come from.

use anyhow::{Context as _, Result, bail};
use bootledger_aggregates::boot_image::recipe::RecipeOrigin;
use bootledger_aggregates::values::name::Name;
use bootledger_images::fetch::Origin;
use bootledger_images::recipe::Recipe;
use bootledger_images::source_url;
use clap::Args;
use std::path::PathBuf;

/// The source of the official files.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// A folder (a mounted ISO, an unpacked package), a Debian package, or a URL of either, to use instead of the vendor's
    /// site.
    #[arg(long, value_name = "FOLDER|URL|PACKAGE.deb")]
    from: Option<String>,
    /// The mirror for the recipe's URLs; with --from, only for the published checksums.
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

impl Source {
    fn mirror(&self) -> Result<Option<url::Url>> {
        self.mirror.as_deref().map(|mirror| source_url::parse(mirror).context("--mirror")).transpose()
    }

    pub(super) fn origin(&self) -> Result<Origin> {
        let mirror = self.mirror()?;
        let Some(from) = &self.from else { return Ok(Origin::Mirror(mirror)) };
        if from.starts_with("http://") || from.starts_with("https://") {
            return Ok(Origin::Site(source_url::parse(from).context("--from")?, mirror));
        }
        let path = PathBuf::from(from);
        if path.is_dir() {
            return Ok(Origin::Folder(path, mirror));
        }
        if path.is_file() && path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(Origin::Package(path, mirror));
        }
        bail!(
            "--from {from} is neither a folder nor a Debian package (.deb). To use an ISO, mount it and name its folder: `mount -o loop,ro FILE.iso /mnt`"
        )
    }

    /// The source of an update's files: the one given on the command line, otherwise the one the files came from before.
    pub(super) fn origin_of(&self, image: &Name, origin: &RecipeOrigin, recipe: &Recipe) -> Result<Origin> {
        if self.from.is_some() || self.mirror.is_some() || recipe.downloads.is_empty() {
            return self.origin();
        }
        match source_url::parse(origin.source.as_str()) {
            Ok(mirror) => Ok(Origin::Mirror(Some(mirror).filter(|mirror| Some(mirror) != recipe.mirror.as_ref()))),
            Err(_) if origin.source.as_str() == "the vendor" => Ok(Origin::Mirror(None)),
            Err(_) => {
                bail!("the files of {image} came from {}; name their present source with --from or --mirror", origin.source)
            }
        }
    }
}
