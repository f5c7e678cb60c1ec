//! The origin of a recipe's files: a mirror, a folder, a package, or a folder on a web server.

use super::{FetchError, Fetcher, OnProgress, Progress, Step, blocking};
use crate::archive;
use crate::client::Partial;
use crate::recipe::Recipe;
use std::path::{Path, PathBuf};
use url::Url;

/// The origin that the operator chose for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The recipe's URLs, with this mirror instead of the recipe's own.
    Mirror(Option<Url>),
    /// A folder: a mounted ISO, an unpacked package, a copy of a mirror. Checksums come from the mirror if one is named,
    /// otherwise from the folder.
    Folder(PathBuf, Option<Url>),
    /// The file of a Debian package, and a mirror for checksums.
    Package(PathBuf, Option<Url>),
    /// A folder or a Debian package on a web server, and a mirror for checksums.
    Site(Url, Option<Url>),
}

impl Origin {
    /// The origin as text for operators and for the image's record, without the query of a URL, which may contain a key.
    pub fn shown(&self, recipe: &Recipe) -> String {
        let bare = |url: &Url| {
            let mut url = url.clone();
            url.set_query(None);
            url.to_string()
        };
        match self {
            Self::Mirror(Some(mirror)) => bare(mirror),
            Self::Mirror(None) => recipe.mirror.as_ref().map_or_else(|| "the vendor".to_owned(), bare),
            Self::Folder(path, _) | Self::Package(path, _) => {
                // The folder's name is enough; its path is specific to one machine.
                path.file_name().map_or_else(|| "a folder".to_owned(), |name| name.to_string_lossy().into_owned())
            }
            Self::Site(url, _) => format!("folder {}", bare(url)),
        }
    }

    /// The mirror that the operator named, if any.
    pub fn mirror(&self) -> Option<&Url> {
        match self {
            Self::Mirror(mirror) | Self::Folder(_, mirror) | Self::Package(_, mirror) | Self::Site(_, mirror) => mirror.as_ref(),
        }
    }
}

/// The origin after preparation.
#[derive(Debug)]
pub(super) enum Place {
    /// The recipe's URLs with this mirror.
    Web(Option<Url>),
    /// A folder; lists come from the mirror if one is named.
    Folder { path: PathBuf, shown: String, lists: Option<Url> },
    /// A folder on a web server; lists come from the mirror if one is named.
    Site { url: Url, lists: Option<Url> },
}

impl Fetcher<'_> {
    /// Prepares the origin: downloads and unpacks a package.
    pub(super) async fn place(
        &self,
        recipe: &Recipe,
        origin: &Origin,
        temporary: &Path,
        partials: &mut Vec<Partial>,
        on: OnProgress<'_>,
    ) -> Result<Place, FetchError> {
        let lists = origin.mirror().cloned();
        match origin {
            Origin::Mirror(mirror) => Ok(Place::Web(mirror.clone().or_else(|| recipe.mirror.clone()))),
            Origin::Folder(path, _) => {
                let read = std::fs::read_dir(path);
                read.map_err(|error| FetchError::Disk(path.clone(), error))?;
                Ok(Place::Folder { path: path.clone(), shown: path.display().to_string(), lists })
            }
            Origin::Package(path, _) => self.unpack(recipe, path, path.display().to_string(), temporary, lists, on).await,
            Origin::Site(url, _)
                if Path::new(url.path()).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("deb")) =>
            {
                let failed = |source| FetchError::Download { what: "the package".to_owned(), source };
                let mut partial = Partial::open(self.folder, url.as_str(), None).await.map_err(failed)?;
                let report = |bytes, total| on(Progress { step: Step::Downloading, file: None, number: (1, 1), bytes, total });
                self.client.file(url, &mut partial, None, &report).await.map_err(failed)?;
                let place = self.unpack(recipe, partial.path(), url.to_string(), temporary, lists, on).await;
                partials.push(partial);
                place
            }
            Origin::Site(url, _) => Ok(Place::Site { url: url.clone(), lists }),
        }
    }

    async fn unpack(
        &self,
        recipe: &Recipe,
        package: &Path,
        shown: String,
        temporary: &Path,
        lists: Option<Url>,
        on: OnProgress<'_>,
    ) -> Result<Place, FetchError> {
        on(Progress { step: Step::Unpacking, file: None, number: (1, 1), bytes: 0, total: None });
        let wanted = recipe.downloads.values().flat_map(|download| download.folder.clone()).collect::<Vec<_>>();
        let path = temporary.join("package");
        let (deb, to, limit) = (package.to_owned(), path.clone(), self.client.limits().file);
        std::fs::create_dir_all(&path).map_err(|error| FetchError::Disk(path.clone(), error))?;
        blocking(move || archive::package(&deb, &wanted, &to, limit))
            .await
            .map_err(|source| FetchError::Archive { file: shown.clone(), source })?;
        Ok(Place::Folder { path, shown, lists })
    }
}
