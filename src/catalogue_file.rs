//! The catalogue as YAML files: sites, racks, networks, DHCP servers, boot images with files, ventures with roles, devices,
//! webhooks and scopes of secrets. An import creates and changes entries and reports the result of each; an export writes the
//! current catalogue in the same form.
//!
//! A file is read completely before anything changes: a file with errors changes nothing. An import never removes an entry
//! because a file does not contain it.

mod apply;
mod export;
mod kinds;
mod read;
pub mod report;
mod shape;
#[cfg(test)]
mod tests;
mod value;
mod write;
mod yaml;

pub use export::{Exported, export};

use crate::commands::CommandService;
use crate::service::tool::Tool;
use crate::workers;
use crate::workers::projector::Projector;
use anyhow::{Context as _, Result, bail, ensure};
use apply::{Import, Target};
use bootledger_projections::database::pool::Pool;
use bootledger_web::english::counted;
use bootledger_web::http::worker_status::WorkerStatus;
use bootledger_web::images::store::Contents;
use object_store::ObjectStore;
use read::{Entries, Source};
use report::Report;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

/// The maximum size of all files together, in bytes. Kernels and other boot files do not count.
const LARGEST: u64 = 64 << 20;

/// The maximum number of errors that are shown.
const SHOWN: usize = 100;

/// The content of catalogue files, parsed without errors.
#[derive(Debug)]
pub struct Files {
    entries: Entries,
    names: Vec<String>,
}

/// How an import treats entries that exist already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Existing entries are changed to what the files say.
    #[default]
    Changed,
    /// Existing entries are kept: only new ones are created.
    Kept,
}

impl Files {
    /// Reads files, and from folders the files whose names end in `.yaml` or `.yml`; `-` is standard input.
    ///
    /// # Errors
    /// Returns every error in the files, each with file, line and column.
    pub async fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut sources = vec![];
        let mut left = LARGEST;
        for path in paths {
            for file in files_of(path).await? {
                let (name, folder) = if file == Path::new("-") {
                    ("standard input".to_owned(), PathBuf::from("."))
                } else {
                    (file.display().to_string(), file.parent().unwrap_or(Path::new(".")).to_owned())
                };
                let bytes = read_file(&file, left).await.with_context(|| format!("{name} cannot be read"))?;
                left -= bytes.len() as u64;
                sources.push(Source { text: text_of(bytes, &name)?, name, folder });
            }
        }
        Self::parse(&sources)
    }

    /// Parses the text of one file; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// Returns the same errors as [`Files::read`].
    pub fn of_text(name: &str, text: &str, folder: &Path) -> Result<Self> {
        Self::parse(&[Source { name: name.to_owned(), text: text.to_owned(), folder: folder.to_owned() }])
    }

    fn parse(sources: &[Source]) -> Result<Self> {
        let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
        let problems = match read::read(sources) {
            Ok(entries) => return Ok(Self { entries, names }),
            Err(problems) => problems,
        };
        let name = |file: usize| names.get(file).map_or("", String::as_str);
        let lines = problems.iter().take(SHOWN);
        let lines = lines.map(|problem| format!("{}, {}: {}", name(problem.place.file), problem.place, problem.message));
        let more = problems.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
        let count = counted(problems.len(), "error", "errors");
        bail!("{}{more}\n{count}; nothing was imported", lines.collect::<Vec<_>>().join("\n"))
    }

    /// Changes the catalogue to what the files say.
    ///
    /// # Errors
    /// Returns an error if the database or the file store fails. Refused entries are in the report instead.
    pub async fn import(&self, tool: &Tool, files: Arc<dyn ObjectStore>, existing: Existing) -> Result<Report> {
        let parts = (tool.database.pool.clone(), tool.commands.clone());
        self.run(parts, files, existing == Existing::Kept, false).await
    }

    /// Reports what an import would do, by importing into a copy of log and views.
    ///
    /// # Errors
    /// Returns the same errors as [`Files::import`], and an error if no copy can be made.
    pub async fn dry_run(&self, parts: (Pool, CommandService), files: Arc<dyn ObjectStore>) -> Result<Report> {
        self.run(parts, files, false, true).await
    }

    async fn run(
        &self,
        (views, commands): (Pool, CommandService),
        files: Arc<dyn ObjectStore>,
        only_new: bool,
        dry_run: bool,
    ) -> Result<Report> {
        let target = Target { views, commands };
        // A command that meets a conflict waits until the views show it, so the copy needs a projector.
        let (stopping, stop) = watch::channel(false);
        let projector = Projector::new(target.views.clone(), target.commands.feed.clone());
        let projector = tokio::spawn(workers::run(projector, WorkerStatus::default(), stop));
        let import = Import::new(&target, Contents::new(files), self.names.clone(), (only_new, dry_run));
        let report = import.run(&self.entries).await;
        stopping.send_replace(true);
        projector.await.context("the projector ended")?;
        report
    }
}

/// The file itself, or the catalogue files of a folder, sorted by name.
async fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if path == Path::new("-") {
        return Ok(vec![path.to_owned()]);
    }
    let metadata = tokio::fs::metadata(path).await.with_context(|| format!("{} cannot be read", path.display()))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut folder = tokio::fs::read_dir(path).await.with_context(|| format!("{} cannot be read", path.display()))?;
    let mut files = vec![];
    while let Some(entry) = folder.next_entry().await? {
        let file = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let is_yaml = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if is_yaml && !hidden && tokio::fs::metadata(&file).await.is_ok_and(|metadata| metadata.is_file()) {
            files.push(file);
        }
    }
    ensure!(!files.is_empty(), "the folder {} has no file whose name ends in .yaml or .yml", path.display());
    files.sort();
    Ok(files)
}

async fn read_file(path: &Path, left: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    let path = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
    tokio::fs::File::open(path).await?.take(left + 1).read_to_end(&mut bytes).await?;
    ensure!(bytes.len() as u64 <= left, "catalogue files have at most {LARGEST} bytes together. Name large boot files by `path`");
    Ok(bytes)
}

/// Decodes the bytes as text.
fn text_of(bytes: Vec<u8>, name: &str) -> Result<String> {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    ensure!(!utf16, "{name}, line 1, column 1: the file is UTF-16. Save it as UTF-8\n1 error; nothing was imported");
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let before = String::from_utf8_lossy(before);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        anyhow::anyhow!(
            "{name}, line {line}, column {column}: the file is not UTF-8 text. Save it as UTF-8\n1 error; nothing was imported"
        )
    })
}
