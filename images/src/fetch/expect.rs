//! Determines the expected checksum of each vendor file from the vendor's published lists, and how trustworthy it is.

use super::place::Place;
use super::{FetchError, Fetcher, OnProgress, Progress, Step};
use crate::checksums;
use crate::client::DownloadError;
use crate::digest::Digest;
use crate::recipe::{Checksum, ChecksumList, KeySource, ListFormat, Recipe, VerifiedBy};
use crate::signature::Keyring;
use crate::source_url::SourceUrl;
use bootledger_aggregates::boot_image::recipe::Verified;
use bootledger_aggregates::values::name::Name;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

/// The expected content of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The file's checksum, if one is published.
    pub digest: Option<Digest>,
    /// How the checksum was verified.
    pub verified: Verified,
    /// What was not verified, and why.
    pub warning: Option<String>,
}

/// The lists read so far; `None` for a list that the folder does not contain.
type Lists = BTreeMap<Name, Option<(Bytes, Verified)>>;

impl Fetcher<'_> {
    /// Determines the expected content of each file.
    pub(super) async fn expected(
        &self,
        recipe: &Recipe,
        place: &Place,
        on: OnProgress<'_>,
    ) -> Result<BTreeMap<Name, Expected>, FetchError> {
        on(Progress { step: Step::Checksums, file: None, number: (0, recipe.downloads.len()), bytes: 0, total: None });
        let mut lists = Lists::new();
        let mut all = BTreeMap::new();
        for (name, download) in &recipe.downloads {
            let expected = match &download.checksum {
                Checksum::None => {
                    let how =
                        if let Place::Web(_) = place { "only the connection was verified" } else { "it was accepted unverified" };
                    let warning = format!("The vendor publishes no checksum of {name}: {how}");
                    Expected { warning: Some(warning), ..Expected::default() }
                }
                Checksum::Pinned(digest) => Expected { digest: Some(*digest), verified: Verified::Checksum, warning: None },
                Checksum::Signed { .. } => Expected::default(),
                Checksum::Listed { list, path } => self.listed(recipe, place, list, path, &mut lists).await?,
            };
            all.insert(name.clone(), expected);
        }
        Ok(all)
    }

    async fn listed(
        &self,
        recipe: &Recipe,
        place: &Place,
        list: &Name,
        path: &str,
        lists: &mut Lists,
    ) -> Result<Expected, FetchError> {
        let Some((content, verified)) = self.list(recipe, place, list, lists).await? else {
            let warning = "The folder does not have the vendor's signed checksums: the files were accepted unverified. Name a mirror with --mirror to verify them".to_owned();
            return Ok(Expected { warning: Some(warning), ..Expected::default() });
        };
        let format = recipe.checksums.get(list).map_or(ListFormat::Sha256sums, |list| list.format);
        let found = checksums::find(format, &content, path);
        let digest = found.map_err(|source| FetchError::List { list: list.clone(), source })?;
        let warning = (verified < Verified::Signature).then(|| {
            format!("The vendor does not sign the checksums {list}: they were read over https, and no signature was checked")
        });
        Ok(Expected { digest: Some(digest), verified, warning })
    }

    /// Reads a list and verifies it by its signature or by other lists, or trusts it because it came over HTTPS.
    fn list<'s>(
        &'s self,
        recipe: &'s Recipe,
        place: &'s Place,
        name: &'s Name,
        lists: &'s mut Lists,
    ) -> futures::future::BoxFuture<'s, Result<Option<(Bytes, Verified)>, FetchError>> {
        Box::pin(async move {
            if let Some(known) = lists.get(name) {
                return Ok(known.clone());
            }
            let Some(list) = recipe.checksums.get(name) else { return Ok(None) };
            let read = match self.read(recipe, place, &list.url, &format!("the list of checksums {name}")).await? {
                Some(content) => self.verified(recipe, place, name, list, content, lists).await?,
                None => None,
            };
            lists.insert(name.clone(), read.clone());
            Ok(read)
        })
    }

    async fn verified(
        &self,
        recipe: &Recipe,
        place: &Place,
        name: &Name,
        list: &ChecksumList,
        content: Bytes,
        lists: &mut Lists,
    ) -> Result<Option<(Bytes, Verified)>, FetchError> {
        let refused = |source| FetchError::Signature { list: name.to_string(), source };
        let (content, verified) = match &list.verified_by {
            None => {
                let url = self.resolve(recipe, place, &list.url)?;
                match url {
                    // A folder's own list without a signature verifies nothing.
                    None => return Ok(None),
                    Some(url) if url.scheme() != "https" => return Err(FetchError::Unsigned(name.clone())),
                    Some(_) => (content, Verified::Checksum),
                }
            }
            Some(VerifiedBy::List { list: other, path }) => {
                let Some((by, verified)) = self.list(recipe, place, other, lists).await? else { return Ok(None) };
                let format = recipe.checksums.get(other).map_or(ListFormat::Sha256sums, |list| list.format);
                let digest = checksums::find(format, &by, path);
                let digest = digest.map_err(|source| FetchError::List { list: other.clone(), source })?;
                if !digest.is_of(&content) {
                    return Err(FetchError::ListChanged(name.clone(), other.clone()));
                }
                (content, verified)
            }
            Some(VerifiedBy::Inline(keys)) => {
                let Some(keys) = self.keyring(keys, place).await? else { return Ok(None) };
                let text = keys.verify_inline(&content, self.now).map_err(refused)?;
                (Bytes::from(text), Verified::Signature)
            }
            Some(VerifiedBy::Detached { keys, signature }) => {
                let Some(keys) = self.keyring(keys, place).await? else { return Ok(None) };
                let what = format!("the signature of the list of checksums {name}");
                let Some(signature) = self.read(recipe, place, signature, &what).await? else { return Ok(None) };
                keys.verify_detached(&signature, self.now, || Ok(&content[..])).map_err(refused)?;
                (content, Verified::Signature)
            }
        };
        if list.format == ListFormat::DebianRelease {
            let path = list.url.path_below_mirror().map_or_else(|| list.url.as_str().to_owned(), |path| format!("/{path}"));
            checksums::check_release(&content, &path, self.now)
                .map_err(|source| FetchError::List { list: name.clone(), source })?;
        }
        Ok(Some((content, verified)))
    }

    /// The keys and the signature for a file; `None` if the folder does not contain the signature.
    pub(super) async fn signed_by(
        &self,
        file: &Name,
        keys: &[KeySource],
        signature: &SourceUrl,
        place: &Place,
    ) -> Result<Option<(Keyring, Vec<u8>)>, FetchError> {
        let Some(keys) = self.keyring(keys, place).await? else { return Ok(None) };
        let mirror = match place {
            Place::Web(mirror) => mirror.as_ref(),
            Place::Folder { lists, .. } | Place::Site { lists, .. } => lists.as_ref(),
        };
        let url = match (signature.resolve(mirror), place) {
            (Ok(url), Place::Web(_)) => url,
            (Ok(url), _) if mirror.is_some() => url,
            (Err(error), Place::Web(_)) => return Err(error.into()),
            _ => return Ok(None),
        };
        let content = self.client.small(&url).await;
        let content = content.map_err(|source| FetchError::Download { what: format!("the signature of {file}"), source })?;
        Ok(Some((keys, content.to_vec())))
    }

    /// The keys of a recipe; `None` if a key would have to be downloaded, but only a folder is available.
    async fn keyring(&self, sources: &[KeySource], place: &Place) -> Result<Option<Keyring>, FetchError> {
        let refused = |source| FetchError::Signature { list: "of the vendor".to_owned(), source };
        let mut keys = Keyring::default();
        for source in sources {
            match source {
                KeySource::Library(file) => {
                    keys.add(file, self.library.key(file).unwrap_or_default()).map_err(refused)?;
                }
                KeySource::Fetched { url, fingerprint } => {
                    if matches!(place, Place::Folder { lists: None, .. } | Place::Site { lists: None, .. }) {
                        return Ok(None);
                    }
                    let url = url.resolve(None)?;
                    let content = self.client.small(&url).await;
                    let content =
                        content.map_err(|source| FetchError::Download { what: "the vendor's key".to_owned(), source })?;
                    keys.add_only(url.as_str(), &content, fingerprint).map_err(refused)?;
                }
            }
        }
        Ok(Some(keys))
    }

    /// Reads a list or a signature; `None` if the folder does not contain it.
    async fn read(&self, recipe: &Recipe, place: &Place, source: &SourceUrl, what: &str) -> Result<Option<Bytes>, FetchError> {
        let failed = |source: DownloadError| FetchError::Download { what: what.to_owned(), source };
        match (self.resolve(recipe, place, source)?, place) {
            (Some(url), Place::Site { lists: None, .. }) => match self.client.small(&url).await {
                Ok(content) => Ok(Some(content)),
                Err(error) if error.is_missing() => Ok(None),
                Err(error) => Err(failed(error)),
            },
            (Some(url), _) => Ok(Some(self.client.small(&url).await.map_err(failed)?)),
            (None, Place::Folder { path, .. }) => {
                let below = source.path_below_mirror().and_then(|below| below.parse::<crate::paths::RelativePath>().ok());
                let Some(below) = below else { return Ok(None) };
                self.read_file(&path.join(below.as_str())).map(|content| content.map(Bytes::from))
            }
            (None, _) => Ok(None),
        }
    }

    fn read_file(&self, path: &Path) -> Result<Option<Vec<u8>>, FetchError> {
        let disk = |error| FetchError::Disk(path.to_owned(), error);
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() && found.len() <= self.client.limits().list => {
                std::fs::read(path).map(Some).map_err(disk)
            }
            _ => Ok(None),
        }
    }

    /// The URL of a list; `None` if the list comes from a folder.
    fn resolve(&self, recipe: &Recipe, place: &Place, source: &SourceUrl) -> Result<Option<url::Url>, FetchError> {
        let _ = (self, recipe);
        match place {
            Place::Web(mirror) => Ok(Some(source.resolve(mirror.as_ref())?)),
            Place::Folder { lists: Some(mirror), .. } | Place::Site { lists: Some(mirror), .. } => {
                Ok(Some(source.resolve(Some(mirror))?))
            }
            Place::Folder { .. } => Ok(None),
            Place::Site { url, .. } => match source.path_below_mirror() {
                Some(_) => Ok(Some(source.resolve(Some(url))?)),
                None => Ok(None),
            },
        }
    }
}
