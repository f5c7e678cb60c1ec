//! Adds and updates boot images, for the command line and for the service.

use crate::commands::CommandService;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bootledger_aggregates::boot_image::recipe::{RecipeFields, RecipeOrigin, Verified};
use bootledger_aggregates::boot_image::{BootFile, BootImage, BootImageSpec, FileKind, Needs};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_images::client::Client;
use bootledger_images::digest::Digest;
use bootledger_images::fetch::{Fetched, Fetcher, KnownContents, OnProgress, Origin, Progress, Step, known_key};
use bootledger_images::library::Library;
use bootledger_images::merge::{Change, Given, Merged, merge};
use bootledger_images::recipe::Recipe;
use bootledger_port::{CatalogueAction, Command, CommandError, Commands, Context, Receipt};
use bootledger_projections::database::cause::Cause;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_web::images::store::Contents;
use bootledger_web::images::template::{Uses, examine};
use bytes::{Bytes, BytesMut};
use futures::Stream;
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;

/// How many bytes of a file are read at a time on its way to the store.
const CHUNK: usize = 256 * 1024;

/// What adding and updating boot images needs.
#[derive(Clone)]
pub struct Installer {
    /// The command service.
    pub commands: CommandService,
    /// The store of boot files.
    pub contents: Contents,
    /// The HTTP client for downloads.
    pub client: Client,
    /// The library of recipes.
    pub library: Arc<Library>,
    /// The folder of downloads in progress.
    pub folder: PathBuf,
}

/// An order to add or update a boot image.
#[derive(Clone, Debug)]
pub struct Order {
    /// The name of the recipe.
    pub recipe: Name,
    /// The name of the boot image.
    pub image: Name,
    /// The source of the files.
    pub origin: Origin,
    /// Whether the image exists and is to be updated.
    pub update: bool,
    /// Whether an update replaces the operator's changes with the recipe's version.
    pub replace: bool,
}

/// The result of adding or updating a boot image.
#[derive(Debug)]
pub struct Installed {
    /// The command's receipt.
    pub receipt: Receipt,
    /// What differs from the previous revision.
    pub changes: Vec<Change>,
    /// How the files were verified.
    pub verified: Verified,
    /// What was not verified, and why.
    pub warnings: Vec<String>,
}

/// The folder of downloads in a data folder.
pub fn folder(data_directory: &Path) -> PathBuf {
    data_directory.join("image-downloads")
}

impl Installer {
    /// Obtains the files and creates the image, in one step at the end.
    ///
    /// # Errors
    /// Returns an error if the order does not fit the library or the existing image, if a file cannot be downloaded, verified
    /// or stored, or if the command that creates the image fails.
    pub async fn install(&self, order: &Order, context: Context, on: OnProgress<'_>) -> Result<Installed> {
        let (recipe, image) = self.begin(order).await?;
        let uses = checked(recipe)?;
        let known = self.known(recipe, &image).await?;
        let fetched = self.fetcher(&known).fetch(recipe, &order.origin, on).await.map_err(|error| {
            let words = words(&error);
            match Cause::in_error(&error) {
                Some(cause) => anyhow!("{}: {words}", cause.sentence()),
                None => anyhow!(words),
            }
        })?;
        let mut files = BTreeMap::new();
        for (name, own) in &recipe.files {
            let stored = self.contents.store_bytes(Bytes::from(own.content.clone().into_owned())).await?;
            let Uses { settings, needs } = uses.get(name).cloned().unwrap_or_default();
            let (sha256, size) = (stored.sha256, stored.size);
            let file = BootFile { kind: own.kind, sha256, size, template: own.template, settings, needs };
            files.insert(name.clone(), file);
        }
        let count = fetched.files.len();
        for (index, file) in fetched.files.iter().enumerate() {
            on(Progress {
                step: Step::Storing,
                file: Some(file.name.clone()),
                number: (index + 1, count),
                bytes: 0,
                total: Some(file.size),
            });
            if let Some(path) = &file.path {
                let bytes = stream(path).await.with_context(|| format!("{} cannot be read", path.display()))?;
                self.contents.store(bytes, file.size, Some(file.sha256)).await?;
            }
            files.insert(file.name.clone(), official(file.kind, file.sha256, file.size));
        }
        let spec = spec(recipe, &order.origin, &files, &fetched);
        let merged = merge(&image, Given { spec, files }, order.replace);
        let command = Command::Catalogue(CatalogueAction::ReplaceBootImage {
            image: order.image.clone(),
            spec: Box::new(merged.spec),
            files: merged.files,
            revision: image.revision,
        });
        let receipt = self.commands.execute(command, context).await.map_err(shown)?;
        let (verified, warnings) = (fetched.verified(), fetched.warnings.clone());
        fetched.finish();
        Ok(Installed { receipt, changes: merged.changes, verified, warnings })
    }

    /// What an update would change. Official files are not downloaded. Files that would have to be downloaded to know whether
    /// they changed are in the second list.
    ///
    /// # Errors
    /// Returns an error if the order does not fit the library or the existing image, or if the recipe's files or their
    /// published checksums cannot be read.
    pub async fn preview(&self, order: &Order, on: OnProgress<'_>) -> Result<(Merged, Vec<Name>)> {
        let (recipe, image) = self.begin(order).await?;
        let uses = checked(recipe)?;
        let known = self.known(recipe, &image).await?;
        let fetcher = self.fetcher(&known);
        let mut files: BTreeMap<Name, BootFile> = BTreeMap::new();
        for (name, own) in &recipe.files {
            let sha256 = Sha256::new(sha2::Sha256::digest(&own.content).into());
            let Uses { settings, needs } = uses.get(name).cloned().unwrap_or_default();
            let size = own.content.len() as u64;
            let file = BootFile { kind: own.kind, sha256, size, template: own.template, settings, needs };
            files.insert(name.clone(), file);
        }
        let (mut unknown, mut published) = (vec![], BTreeMap::new());
        if matches!(order.origin, Origin::Folder(..) | Origin::Package(..)) {
            let found = fetcher.fetch(recipe, &order.origin, on).await.map_err(|error| anyhow!(words(&error)))?;
            for file in &found.files {
                files.insert(file.name.clone(), official(file.kind, file.sha256, file.size));
            }
        } else {
            let origin = image.spec.as_ref().and_then(|spec| spec.recipe.as_deref());
            let expected = fetcher.published(recipe, &order.origin, on).await.map_err(|error| anyhow!(words(&error)))?;
            for (name, expected) in expected {
                let Some(download) = recipe.downloads.get(&name) else { continue };
                let now = image.files.get(&name);
                let base = origin.and_then(|origin| origin.files.get(&name)).copied();
                let sha256 = match expected.digest {
                    Some(Digest::Sha256(bytes)) if download.member.is_none() => Some(Sha256::new(bytes)),
                    Some(digest) => known.published.get(&known_key(&digest, download)).copied(),
                    None => None,
                };
                if let Some(digest) = expected.digest {
                    published.insert(name.clone(), digest);
                }
                if sha256.is_none() {
                    unknown.push(name.clone());
                }
                // A file of unknown content is assumed to be unchanged, so that it does not count as a change.
                let Some(sha256) = sha256.or(base) else { continue };
                let size = now.filter(|file| file.sha256 == sha256).map_or(0, |file| file.size);
                files.insert(name, official(download.kind, sha256, size));
            }
        }
        let spec = described(recipe);
        Ok((merge(&image, Given { spec, files }, order.replace), unknown))
    }

    /// The recipe and the current image, if the order is valid.
    pub(super) async fn begin(&self, order: &Order) -> Result<(&Recipe, BootImage)> {
        let (name, image) = (&order.recipe, &order.image);
        let recipe = self.library.recipe(name);
        let recipe = recipe.ok_or_else(|| anyhow!("the library has no recipe {name}; `bootledger image list` shows all"))?;
        let entry = catalogue::boot_image(&self.commands.views, image, At::Now).await?;
        let found = entry.map(|entry| entry.spec).unwrap_or_default();
        if found.spec.is_none() || found.retired {
            ensure!(!order.update, "there is no boot image {image} in use; add it with `bootledger image add {name}`");
            return Ok((recipe, found));
        }
        let of = found.spec.as_ref().and_then(|spec| spec.recipe.as_deref()).map(|origin| &origin.name);
        match of {
            Some(of) if of == name && order.update => Ok((recipe, found)),
            Some(of) if of == name => {
                bail!(
                    "the boot image {image} exists and is of this recipe; update it, or add it again under another name (--as NAME)"
                )
            }
            Some(of) => {
                bail!("the boot image {image} exists and is of the recipe {of}; choose another name for the new one (--as NAME)")
            }
            None => {
                bail!("a boot image {image} exists that is not from the library; choose another name for the new one (--as NAME)")
            }
        }
    }

    /// The contents that are already in the store.
    async fn known(&self, recipe: &Recipe, image: &BootImage) -> Result<KnownContents> {
        let mut known = KnownContents::default();
        for entry in catalogue::boot_images(&self.commands.views, At::Now).await? {
            known.contents.extend(entry.spec.files.values().map(|file| (file.sha256, file.size)));
        }
        if let Some(origin) = image.spec.as_ref().and_then(|spec| spec.recipe.as_deref()) {
            for (name, digest) in &origin.published {
                if let (Some(sha256), Some(download)) = (origin.files.get(name), recipe.downloads.get(name)) {
                    let key = download.member.as_ref().map_or_else(|| digest.to_string(), |member| format!("{digest} {member}"));
                    known.published.insert(key, *sha256);
                }
            }
        }
        Ok(known)
    }

    fn fetcher<'a>(&'a self, known: &'a KnownContents) -> Fetcher<'a> {
        Fetcher { client: &self.client, library: &self.library, folder: &self.folder, known, now: OffsetDateTime::now_utc() }
    }
}

/// An official file, which is never a template.
fn official(kind: FileKind, sha256: Sha256, size: u64) -> BootFile {
    BootFile { kind, sha256, size, template: false, settings: BTreeSet::new(), needs: Needs::default() }
}

/// What each template of the recipe uses. A template of an operator's own recipe may have errors.
fn checked(recipe: &Recipe) -> Result<BTreeMap<Name, Uses>> {
    let templates = recipe.files.iter().filter(|(_, file)| file.template);
    let uses = templates.map(|(name, file)| {
        let text = std::str::from_utf8(&file.content)?;
        let uses = examine(text, file.kind, &recipe.settings);
        Ok((name.clone(), uses.with_context(|| format!("recipe {}, template {name}", recipe.name))?))
    });
    uses.collect()
}

/// An image as the recipe describes it, without the record of its recipe.
fn described(recipe: &Recipe) -> BootImageSpec {
    let description = if recipe.description.is_empty() {
        recipe.title.clone()
    } else {
        Text::fitted(&format!("{}: {}", recipe.title, recipe.description))
    };
    BootImageSpec {
        description,
        open_minutes: recipe.open_minutes,
        in_progress_minutes: recipe.in_progress_minutes,
        done_by: recipe.done_by,
        network_boot: recipe.network_boot,
        settings: recipe.settings.clone(),
        recipe: None,
    }
}

/// The messages of an error and of its sources, without duplicates. Many errors already contain the message of their source,
/// which `{:#}` would repeat.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        next = source.source();
    }
    words
}

/// The image with the record of its recipe: the settings and the source of the files.
fn spec(recipe: &Recipe, origin: &Origin, files: &BTreeMap<Name, BootFile>, fetched: &Fetched) -> BootImageSpec {
    let spec = described(recipe);
    let published = fetched.files.iter().filter_map(|file| Some((file.name.clone(), Text::fitted(&file.published?.to_string()))));
    let origin = RecipeOrigin {
        name: recipe.name.clone(),
        sha256: recipe.sha256,
        source: Text::fitted(&origin.shown(recipe)),
        verified: fetched.verified(),
        files: files.iter().map(|(name, file)| (name.clone(), file.sha256)).collect(),
        published: published.collect(),
        settings: recipe.settings.clone(),
        fields: RecipeFields::of(&spec),
    };
    BootImageSpec { recipe: Some(Box::new(origin)), ..spec }
}

fn shown(error: CommandError) -> anyhow::Error {
    crate::commands::administrator::shown(error)
}

/// A file's content as a stream of bytes.
async fn stream(path: &Path) -> io::Result<impl Stream<Item = io::Result<Bytes>> + use<>> {
    let file = tokio::fs::File::open(path).await?;
    Ok(futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let length = file.read_buf(&mut chunk).await?;
        Ok((length > 0).then(|| (chunk.freeze(), file)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_of_the_library_can_be_rendered() {
        let library = Library::embedded().expect("the library");
        let errors: Vec<String> =
            library.recipes().filter_map(|recipe| checked(recipe).err()).map(|error| format!("{error:#}")).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
    #[test]
    fn every_recipe_of_the_library_gives_what_its_templates_need() {
        let library = Library::embedded().expect("the library");
        for recipe in library.recipes() {
            let uses = checked(recipe).expect("templates");
            let official =
                recipe.downloads.iter().map(|(name, download)| (name.clone(), official(download.kind, Sha256::new([0; 32]), 1)));
            let own = recipe.files.iter().map(|(name, own)| {
                let Uses { settings, needs } = uses.get(name).cloned().unwrap_or_default();
                let (kind, sha256) = (own.kind, Sha256::new([0; 32]));
                (name.clone(), BootFile { kind, sha256, size: 1, template: own.template, settings, needs })
            });
            let image = BootImage { files: official.chain(own).collect(), ..BootImage::default() };
            assert_eq!(image.incomplete(), None, "{}", recipe.name);
        }
        // Something is found, so that the test is not empty.
        let debian = library.recipe(&"debian-13".parse().expect("a name")).expect("debian-13");
        let uses = checked(debian).expect("templates");
        assert!(uses.values().any(|uses| uses.needs.kinds.contains(&FileKind::Kernel)), "{uses:?}");
    }
}
