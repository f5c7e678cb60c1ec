//! Imports boot images: description and files are replaced in one step, so that a template and the settings it uses change
//! together.
//!
//! Files of an image that the catalogue file does not name are kept: an uploaded kernel does not belong to the catalogue file.

use super::{AppliedChange, Import, left};
use crate::catalogue_file::kinds::{self, Kind};
use crate::catalogue_file::read::{Entry, File, FileContent, Image, What};
use crate::catalogue_file::report::{Refusal, differences};
use anyhow::{Context as _, Result};
use bootledger_aggregates::boot_image::{BootFile, BootImage, BootImageSpec, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_port::{CatalogueAction, Command};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_web::images::settings::Declared;
use bootledger_web::images::store::{Contents, StoreError};
use bootledger_web::images::template::{MAX_OUTPUT, Uses, examine};
use bootledger_web::images::upload::{check_grub, check_script};
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use sha2::Digest;
use std::collections::BTreeMap;
use std::path::Path;
use tokio::io::AsyncReadExt;

/// The maximum size of a file that is not a template, in bytes; the same as for an upload.
const LARGEST: u64 = 8 << 30;
/// The maximum size of a template, in bytes.
const LARGEST_TEMPLATE: u64 = 4 << 20;
/// How many bytes of a file are read at a time.
const PART: usize = 1 << 20;

impl Import<'_> {
    pub(super) async fn images<'e>(&self, entries: Vec<&'e Entry>) -> Result<Vec<(&'e Entry, AppliedChange)>> {
        let mut all = vec![];
        for entry in entries {
            let What::Image(image) = &entry.what else { continue };
            all.push((entry, self.image(image).await?));
        }
        Ok(all)
    }

    async fn image(&self, image: &Image) -> Result<AppliedChange> {
        let held = catalogue::boot_image(&self.target.views, &image.name, At::Now).await?;
        let revision = held.as_ref().map_or(0, |held| held.spec.revision);
        let held = held.filter(|held| !held.retired).map(|held| held.spec);
        if self.only_new && held.is_some() {
            return Ok(AppliedChange::default());
        }
        let mut spec = image.spec.clone();
        if spec.recipe.is_none() {
            spec.recipe = held.as_ref().and_then(|held| held.spec.as_ref()?.recipe.clone());
        }
        let (files, refusals) = self.files(image, &spec.settings).await?;
        let old = held.as_ref().map(|held| described(held, image)).transpose()?;
        let new = wanted(&spec, &files);
        let mut came = AppliedChange {
            changes: differences(old.as_ref(), Some(&new)),
            created: old.is_none(),
            refusals,
            ..AppliedChange::default()
        };
        if !came.refusals.is_empty() || came.changes.is_empty() {
            return Ok(came);
        }
        if !self.dry_run {
            for (name, file) in &image.files {
                let expected = files.get(name).map(|file| file.sha256);
                self.store(file, expected).await.with_context(|| format!("boot image {}, file {name}", image.name))?;
            }
        }
        let mut together = held.map(|held| held.files).unwrap_or_default();
        together.extend(files);
        let command = Command::Catalogue(CatalogueAction::ReplaceBootImage {
            image: image.name.clone(),
            spec: Box::new(spec),
            files: together,
            revision,
        });
        if let Err(refusals) = self.execute(command).await? {
            came.refusals = refusals;
            return Ok(came);
        }
        came.applied = true;
        self.target.catch_up().await?;
        let now = catalogue::boot_image(&self.target.views, &image.name, At::Now).await?;
        let now = now.map(|now| described(&now.spec, image)).transpose()?;
        came.refusals = left(now.as_ref(), Some(&new));
        Ok(came)
    }

    /// The files with their hashes and, for templates, the settings that they use. Stores nothing.
    async fn files(&self, image: &Image, declared: &Declared) -> Result<(BTreeMap<Name, BootFile>, Vec<Refusal>)> {
        let (mut files, mut refusals) = (BTreeMap::new(), vec![]);
        for (name, file) in &image.files {
            match self.file(file, declared).await? {
                Ok(read) => drop(files.insert(name.clone(), read)),
                Err(message) => refusals.push(Refusal { field: format!("files.{name}"), message }),
            }
        }
        Ok((files, refusals))
    }

    async fn file(&self, file: &File, declared: &Declared) -> Result<Result<BootFile, String>> {
        let hashed = match &file.content {
            FileContent::Text(text) => Ok((Sha256::new(sha2::Sha256::digest(text).into()), text.len() as u64)),
            FileContent::Path(path) => hash(path).await,
            FileContent::Stored { sha256, size } => match self.contents.size(*sha256).await {
                Ok(stored) if stored == *size => Ok((*sha256, *size)),
                Ok(stored) => Err(format!("the content {sha256} has {stored} bytes, but the file says {size}. Correct `size`")),
                Err(StoreError::Missing(sha256)) => Err(format!(
                    "the store of boot files has no content {sha256}. Give the file as `path`, or copy the folder of boot files first"
                )),
                Err(error) => return Err(error).context("the store of boot files cannot be read"),
            },
        };
        let (sha256, size) = match hashed {
            Ok(hashed) => hashed,
            Err(message) => return Ok(Err(message)),
        };
        let mut uses = Uses::default();
        if file.template {
            if size > LARGEST_TEMPLATE {
                return Ok(Err(format!("a template has at most {LARGEST_TEMPLATE} bytes, but this one has {size}")));
            }
            let content = match &file.content {
                FileContent::Text(text) => Bytes::from(text.clone()),
                FileContent::Path(path) => match tokio::fs::read(path).await {
                    Ok(content) => content.into(),
                    Err(error) => return Ok(Err(unreadable(path, &error))),
                },
                FileContent::Stored { .. } => {
                    self.contents.read_whole(sha256, size).await.context("the store of boot files cannot be read")?
                }
            };
            let Ok(text) = std::str::from_utf8(&content) else { return Ok(Err("a template is UTF-8 text".to_owned())) };
            uses = match examine(text, file.kind, declared) {
                Ok(uses) => uses,
                Err(error) => return Ok(Err(error.to_string())),
            };
            if file.kind == FileKind::Grub
                && let Err(error) = check_grub(&content, declared.clone()).await
            {
                return Ok(Err(error.to_string()));
            }
        }
        if !file.template && file.kind.is_script() {
            let script = match &file.content {
                FileContent::Text(text) => Bytes::from(text.clone()),
                FileContent::Path(_) if size > MAX_OUTPUT as u64 => {
                    return Ok(Err(format!("a boot script has at most {MAX_OUTPUT} bytes, but this one has {size}")));
                }
                FileContent::Path(path) => match tokio::fs::read(path).await {
                    Ok(content) => content.into(),
                    Err(error) => return Ok(Err(unreadable(path, &error))),
                },
                // An image of an earlier version is loaded as it is.
                FileContent::Stored { .. } => Bytes::new(),
            };
            if !script.is_empty()
                && let Err(error) = check_script(&script, file.kind).await
            {
                return Ok(Err(error.to_string()));
            }
        }
        let Uses { settings, needs } = uses;
        Ok(Ok(BootFile { kind: file.kind, sha256, size, template: file.template, settings, needs }))
    }

    async fn store(&self, file: &File, expected: Option<Sha256>) -> Result<()> {
        match &file.content {
            FileContent::Text(text) => drop(self.contents.store_bytes(Bytes::from(text.clone())).await?),
            FileContent::Path(path) => drop(store_file(&self.contents, path, expected).await?),
            FileContent::Stored { .. } => {}
        }
        Ok(())
    }
}

/// The catalogue's description of an image, without what the catalogue file does not name: other files, and the recipe.
fn described(held: &BootImage, image: &Image) -> Result<Value> {
    let mut json = serde_json::to_value(held).context("a boot image is JSON")?;
    let of_kind = Kind::BootImage.held(image.name.as_str(), json.take())?;
    let mut json = of_kind.into_iter().next().map(|(_, json)| json).unwrap_or_default();
    if let Some(files) = json["files"].as_object_mut() {
        files.retain(|name, _| image.files.keys().any(|file| file.as_str() == name));
    }
    Ok(json)
}

fn wanted(spec: &BootImageSpec, files: &BTreeMap<Name, BootFile>) -> Value {
    let mut json = kinds::json_of(spec);
    json["files"] = Value::Object(files.iter().map(|(name, file)| (name.to_string(), kinds::file_of(file))).collect());
    json
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

/// The hash and length of a file, which is read in parts.
async fn hash(path: &Path) -> Result<(Sha256, u64), String> {
    let unreadable = |error| unreadable(path, &error);
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    if !file.metadata().await.map_err(unreadable)?.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    let (mut hasher, mut size, mut part) = (sha2::Sha256::new(), 0_u64, vec![0; PART]);
    loop {
        let read = file.read(&mut part).await.map_err(unreadable)?;
        if read == 0 {
            return Ok((Sha256::new(hasher.finalize().into()), size));
        }
        size += read as u64;
        if size > LARGEST {
            return Err(format!("{} has more than {LARGEST} bytes", path.display()));
        }
        hasher.update(&part[..read]);
    }
}

/// Stores a file. A file that has changed since it was hashed is an error.
async fn store_file(contents: &Contents, path: &Path, expected: Option<Sha256>) -> Result<Sha256> {
    let file = tokio::fs::File::open(path).await.with_context(|| format!("{} cannot be read", path.display()))?;
    let parts = stream::try_unfold(file, |mut file| async move {
        let mut part = vec![0; PART];
        let read = file.read(&mut part).await?;
        part.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(part), file)))
    });
    Ok(contents.store(parts, LARGEST, expected).await?.sha256)
}
