//! Gets one file of a recipe from its place: a download, a folder, or a folder on a web server.

use super::place::Place;
use super::{Expected, FetchError, Fetcher, Verified};
use crate::archive::ends_with;
use crate::client::{OnBytes, Partial, file_digest};
use crate::recipe::{Checksum, Download};
use crate::signature::Keyring;
use bootledger_aggregates::values::name::Name;
use std::fs;
use std::path::{Path, PathBuf};
use url::Url;

/// The most files of a folder that are checked, and the deepest level of subfolders.
const MOST_FILES: usize = 50_000;
const DEEPEST: usize = 12;

impl Fetcher<'_> {
    /// Gets the file, or the archive that contains it, and verifies it.
    pub(super) async fn whole(
        &self,
        name: &Name,
        download: &Download,
        place: &Place,
        expected: &Expected,
        partials: &mut Vec<Partial>,
        on_bytes: OnBytes<'_>,
    ) -> Result<(PathBuf, Verified), FetchError> {
        let path = match place {
            Place::Web(mirror) => {
                let Some(url) = &download.url else {
                    let how = download.how.as_ref().map_or_else(String::new, ToString::to_string);
                    return Err(FetchError::NeedsFolder { file: name.clone(), how });
                };
                let url = url.resolve(mirror.as_ref())?;
                if download.checksum == Checksum::None && url.scheme() != "https" {
                    return Err(FetchError::Unchecked(name.clone()));
                }
                self.downloaded(name, &url, expected, partials, on_bytes).await?
            }
            Place::Site { url, .. } => self.of_site(name, download, url, expected, partials, on_bytes).await?,
            Place::Folder { path, shown, .. } => {
                let found = in_folder(path, shown, name, download)?;
                if let Some(digest) = expected.digest {
                    let (file, read) = (found.clone(), found.clone());
                    let actual = tokio::task::spawn_blocking(move || file_digest(&read, digest)).await;
                    let actual = actual.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                    let actual = actual.map_err(|error| FetchError::Disk(file, error))?;
                    if actual != digest {
                        let (path, file) = (found.display().to_string(), name.clone());
                        let (expected, actual) = (digest.to_string(), actual.to_string());
                        return Err(FetchError::WrongFile { path, file, expected, actual });
                    }
                }
                found
            }
        };
        let verified = match &download.checksum {
            Checksum::Signed { keys, signature } => {
                let Some((keys, signature)) = self.signed_by(name, keys, signature, place).await? else {
                    return Ok((path, Verified::None));
                };
                self.check_signature(name, keys, signature, path.clone()).await?;
                Verified::Signature
            }
            _ => expected.verified,
        };
        Ok((path, verified))
    }

    async fn downloaded(
        &self,
        name: &Name,
        url: &Url,
        expected: &Expected,
        partials: &mut Vec<Partial>,
        on_bytes: OnBytes<'_>,
    ) -> Result<PathBuf, FetchError> {
        let failed = |source| FetchError::Download { what: name.to_string(), source };
        let digest = expected.digest.as_ref();
        // The name keeps downloads apart: two files of a recipe may come from the same archive.
        let mut partial = Partial::open(self.folder, &format!("{url} {name}"), digest).await.map_err(failed)?;
        self.client.file(url, &mut partial, digest, on_bytes).await.map_err(failed)?;
        let path = partial.path().to_owned();
        partials.push(partial);
        Ok(path)
    }

    async fn of_site(
        &self,
        name: &Name,
        download: &Download,
        site: &Url,
        expected: &Expected,
        partials: &mut Vec<Partial>,
        on_bytes: OnBytes<'_>,
    ) -> Result<PathBuf, FetchError> {
        for path in &download.folder {
            let url = crate::source_url::parse(&format!("{}/{path}", site.as_str().trim_end_matches('/')))?;
            match self.downloaded(name, &url, expected, partials, on_bytes).await {
                Err(FetchError::Download { source, .. }) if source.is_missing() => {}
                other => return other,
            }
        }
        Err(not_found(site.as_str(), name, download))
    }

    async fn check_signature(&self, name: &Name, keys: Keyring, signature: Vec<u8>, path: PathBuf) -> Result<(), FetchError> {
        let now = self.now;
        let checked = tokio::task::spawn_blocking(move || {
            keys.verify_detached(&signature, now, || Ok(std::io::BufReader::with_capacity(256 * 1024, fs::File::open(&path)?)))
        });
        let checked = checked.await.map_err(|error| FetchError::Disk(self.folder.to_owned(), std::io::Error::other(error)))?;
        checked.map_err(|source| FetchError::FileSignature { file: name.clone(), source })
    }
}

/// Finds the file in a folder: exactly where the recipe says; otherwise, the only file whose path ends with that path.
fn in_folder(folder: &Path, shown: &str, name: &Name, download: &Download) -> Result<PathBuf, FetchError> {
    for path in &download.folder {
        let exact = folder.join(path.as_str());
        if is_inside(folder, &exact) {
            return Ok(exact);
        }
    }
    let mut all = vec![];
    files_below(folder, "", 0, &mut all);
    for wanted in &download.folder {
        let found: Vec<&String> = all.iter().filter(|path| ends_with(path, wanted.as_str())).collect();
        match found[..] {
            [] => {}
            [only] => return Ok(folder.join(only)),
            _ => {
                let found = found.into_iter().take(5).cloned().collect::<Vec<_>>().join(", ");
                return Err(FetchError::Several { place: shown.to_owned(), file: name.clone(), found });
            }
        }
    }
    Err(not_found(shown, name, download))
}

/// Whether a path is a file inside the folder. A link on foreign media must not lead to this machine's own files, which the
/// service would then serve.
fn is_inside(folder: &Path, path: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(folder).zip(real(path)).is_some_and(|(folder, path)| path.starts_with(folder) && path.is_file())
}

fn not_found(place: &str, name: &Name, download: &Download) -> FetchError {
    let paths: Vec<&str> = download.folder.iter().map(crate::paths::RelativePath::as_str).collect();
    let looked_for =
        if paths.is_empty() { "nothing, since the recipe names no path in folders".to_owned() } else { paths.join(", ") };
    FetchError::NotInFolder { place: place.to_owned(), file: name.clone(), looked_for }
}

/// The paths of the files below a folder. Unreadable entries are skipped: they cannot be the file.
fn files_below(folder: &Path, prefix: &str, depth: usize, all: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if all.len() >= MOST_FILES {
            return;
        }
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let path = format!("{prefix}{name}");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEEPEST => files_below(&entry.path(), &format!("{path}/"), depth + 1, all),
            Ok(kind) if kind.is_file() => all.push(path),
            _ => {}
        }
    }
}
