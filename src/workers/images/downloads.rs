//! The service's downloads: boot images that administrators add from the library, in the background, one at a time over all
//! instances. The page may be closed. When the service stops, a download is marked as interrupted and can be resumed.

use super::install::{Installed, Installer, Order};
use crate::event_log::image_downloads::{self as rows, New, Row};
use crate::workers::heartbeat::Worker;
use crate::workers::{BackgroundWork, Next};
use anyhow::{Result, anyhow};
use async_trait::async_trait;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_images::fetch::{Origin, Progress};
use bootledger_images::library::Library;
use bootledger_images::source_url;
use bootledger_port::library::{DownloadProgress, DownloadResult, DownloadStatus, ImageDownload, ImageLibrary, Wanted};
use bootledger_port::{CommandError, Context};
use bootledger_projections::database::cause::Cause;
use bootledger_web::wording::downloads::message;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tracing::{Instrument, error, info, info_span};
use uuid::Uuid;

/// How often progress is written to the database.
const BEAT: Duration = Duration::from_secs(1);
/// The maximum number of warnings and changes that are stored.
const MOST_LINES: usize = 200;
/// How long after the last progress an instance counts as lost.
const LEASE: Duration = Duration::from_secs(20);

/// The service's downloads. Cheap to clone.
#[derive(Clone)]
pub struct Downloads {
    installer: Installer,
    worker: Worker,
    wake: Arc<Notify>,
}

/// The worker that runs downloads.
pub struct Downloader {
    downloads: Downloads,
    news: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl BackgroundWork for Downloader {
    const NAME: &'static str = "image_downloads";
    const PERIOD: Duration = Duration::from_secs(5);

    async fn pass(&mut self) -> Result<Next> {
        self.news.mark_unchanged();
        let worked = self.downloads.pass(&mut self.stopping).await?;
        Ok(if worked { Next::Now } else { Next::Later })
    }

    async fn wake(&mut self) {
        tokio::select! {
            () = self.downloads.wake.notified() => {}
            Ok(()) = self.news.changed() => {}
        }
    }
}

/// How one attempt ended.
enum End {
    Done(DownloadResult),
    Failed(DownloadResult),
    Cancelled,
    Stopped,
}

impl Downloads {
    /// Creates downloads that use this installer. Downloads in progress are leased to this worker.
    pub fn new(installer: Installer, worker: Worker) -> Self {
        Self { installer, worker, wake: Arc::new(Notify::new()) }
    }

    /// The worker that runs these downloads.
    pub fn worker(self, stopping: watch::Receiver<bool>) -> Downloader {
        Downloader { news: self.worker.news(), downloads: self, stopping }
    }

    /// Runs the download that has waited longest. Returns false if none waits, or if another instance is downloading.
    async fn pass(&self, stopping: &mut watch::Receiver<bool>) -> Result<bool> {
        let pool = &self.installer.commands.views;
        rows::interrupt_lost(pool, self.now()).await?;
        let Some(worker) = self.worker.name() else { return Ok(false) };
        let Some(row) = rows::take(pool, worker, self.now(), LEASE).await? else { return Ok(false) };
        let span = info_span!("image download", image.name = row.image, recipe = row.recipe, download.id = %row.id);
        let held = Mutex::new(worker);
        let end = self.work(&row, &held, stopping).instrument(span.clone()).await;
        let (status, result) = match &end {
            End::Done(result) => ("done", Some(result)),
            End::Failed(result) => ("failed", Some(result)),
            End::Cancelled => ("cancelled", None),
            End::Stopped => ("interrupted", None),
        };
        span.in_scope(|| info!(status, message = result.and_then(message), "download ended"));
        if matches!(end, End::Done(_)) {
            // A client that sees the finished download looks up the image next. If the views take too long, the download is
            // finished anyway.
            drop(self.installer.commands.catch_up().await);
        }
        let worker = held.lock().map_or(worker, |held| *held);
        let result = result.map(serde_json::to_value).transpose()?;
        rows::end(pool, (row.id, worker), status, result, self.now()).await?;
        Ok(true)
    }

    async fn work(&self, row: &Row, held: &Mutex<Uuid>, stopping: &mut watch::Receiver<bool>) -> End {
        let order = match order(row) {
            Ok(order) => order,
            Err(error) => return End::Failed(DownloadResult::Failed { cause: None, detail: format!("{error:#}") }),
        };
        let context = Context {
            actor: row.actor.clone(),
            correlation_id: row.correlation_id.clone(),
            causation_id: None,
            // An image that was created just before the service was killed is not created again.
            idempotency_key: None,
            level: Role::Viewer,
        };
        let latest = Mutex::new(DownloadProgress::default());
        let report = |progress: Progress| {
            if let Ok(mut latest) = latest.lock() {
                *latest = shown(progress);
            }
        };
        let install = self.installer.install(&order, context, &report);
        tokio::select! {
            installed = install => match installed {
                Ok(installed) => {
                    let Installed { mut warnings, mut changes, .. } = installed;
                    warnings.truncate(MOST_LINES);
                    changes.truncate(MOST_LINES - warnings.len());
                    End::Done(DownloadResult::Done { warnings, changes })
                }
                Err(error) => {
                    let cause = Cause::in_chain(error.chain()).filter(|cause| cause.passes());
                    End::Failed(DownloadResult::Failed { cause, detail: format!("{error:#}") })
                }
            },
            () = self.beat(row.id, held, &latest) => End::Cancelled,
            _ = stopping.wait_for(|stopping| *stopping) => End::Stopped,
        }
    }

    /// Writes progress to the database until the download is cancelled or another instance has taken it.
    async fn beat(&self, id: Uuid, held: &Mutex<Uuid>, latest: &Mutex<DownloadProgress>) {
        let mut every = tokio::time::interval(BEAT);
        loop {
            every.tick().await;
            let progress = latest.lock().map(|latest| latest.clone()).unwrap_or_default();
            let progress = serde_json::to_value(progress).unwrap_or_default();
            // The worker may have a new name since its heartbeat was late.
            let was = held.lock().map(|held| *held).unwrap_or_default();
            let is = self.worker.name().unwrap_or(was);
            match rows::keep(&self.installer.commands.views, id, (was, is), &progress, self.now(), LEASE).await {
                Ok(true) => {
                    if let Ok(mut held) = held.lock() {
                        *held = is;
                    }
                }
                Ok(false) => return,
                Err(error) => error!(%error, "cannot record the progress of a download"),
            }
        }
    }

    /// Marks downloads of lost instances as interrupted, before they are read. A read-only database shows them as they are.
    async fn interrupt_lost(&self) -> Result<(), sqlx::Error> {
        match rows::interrupt_lost(&self.installer.commands.views, self.now()).await {
            Err(error) if Cause::of(&error) != Cause::ReadOnly => Err(error),
            _ => Ok(()),
        }
    }

    fn now(&self) -> OffsetDateTime {
        (self.installer.commands.now)().0
    }
}

fn shown(progress: Progress) -> DownloadProgress {
    DownloadProgress {
        step: Text::fitted(progress.step.title()),
        file: progress.file,
        number: progress.number.0,
        count: progress.number.1,
        bytes: progress.bytes,
        total: progress.total,
    }
}

fn order(row: &Row) -> Result<Order> {
    let mirror = row.mirror.as_deref().map(source_url::parse).transpose()?;
    Ok(Order {
        recipe: row.recipe.parse()?,
        image: row.image.parse()?,
        origin: Origin::Mirror(mirror),
        update: row.is_update,
        replace: row.replaces,
    })
}

fn unavailable(error: sqlx::Error) -> CommandError {
    CommandError::of_database(error)
}

fn refused(field: &str, rule: Rule, message: impl Into<String>) -> CommandError {
    CommandError::Refused(vec![BrokenRule::new(field, rule, message)])
}

fn download(row: Row) -> Result<ImageDownload, CommandError> {
    // A result that another version stored, and that this one cannot read, is not shown.
    let result = row.result.and_then(|result| serde_json::from_value(result).ok());
    let damaged = |error: &dyn std::fmt::Display| CommandError::Internal(anyhow!("the download {}: {error}", row.id));
    Ok(ImageDownload {
        id: row.id,
        recipe: row.recipe.parse::<Name>().map_err(|error| damaged(&error))?,
        image: row.image.parse::<Name>().map_err(|error| damaged(&error))?,
        mirror: row.mirror,
        update: row.is_update,
        status: row.status.parse::<DownloadStatus>().map_err(|error| damaged(&error))?,
        progress: row.progress.and_then(|progress| serde_json::from_value(progress).ok()),
        actor: row.actor,
        message: result.as_ref().and_then(message),
        result,
        created_at: Timestamp(row.created_at),
        changed_at: Timestamp(row.changed_at),
    })
}

#[async_trait]
impl ImageLibrary for Downloads {
    fn library(&self) -> Arc<Library> {
        Arc::clone(&self.installer.library)
    }

    async fn want(&self, wanted: Wanted, context: &Context) -> Result<Uuid, CommandError> {
        let library = &self.installer.library;
        let recipe = library.recipe(&wanted.recipe);
        let recipe = recipe.ok_or_else(|| CommandError::NotFound(format!("the library has no recipe {}", wanted.recipe)))?;
        if let Some((file, download)) = recipe.downloads.iter().find(|(_, download)| download.url.is_none()) {
            let how = download.how.as_ref().map_or("", |how| how.as_str());
            let message = format!(
                "{file} is not published separately, so it cannot be downloaded. {how} The command is `bootledger image add {} --from FOLDER`",
                wanted.recipe
            );
            return Err(refused("recipe", Rule::NeedsFolder, message));
        }
        if let Some(mirror) = &wanted.mirror {
            let url = source_url::parse(mirror).map_err(|error| refused("mirror", Rule::Malformed, error.to_string()))?;
            if mirror.contains(char::is_control) || url.query().is_some() {
                // Every user who may view downloads sees the mirror, and paths are appended to it.
                let message = "the mirror's URL contains control characters or a query; remove them";
                return Err(refused("mirror", Rule::Malformed, message));
            }
            let reachable = self.installer.client.guard().check_url(&url);
            reachable.map_err(|error| refused("mirror", Rule::MirrorRefused, error.to_string()))?;
        }
        let order = Order {
            recipe: wanted.recipe.clone(),
            image: wanted.image.clone(),
            origin: Origin::Mirror(None),
            update: wanted.update,
            replace: wanted.replace,
        };
        // The order is checked again when its turn comes. It is also checked now, so that a name in use is not found an hour
        // later.
        self.installer.begin(&order).await.map_err(|error| {
            if error.is::<bootledger_projections::error::Error>() {
                return CommandError::of_database(error);
            }
            refused("as", Rule::BootImageExists, format!("{error:#}"))
        })?;
        let id = Uuid::now_v7();
        let new = New {
            id,
            recipe: wanted.recipe.as_str(),
            image: wanted.image.as_str(),
            mirror: wanted.mirror.as_deref(),
            is_update: wanted.update,
            replaces: wanted.replace,
            actor: &context.actor,
            correlation_id: &context.correlation_id,
        };
        if !rows::insert(&self.installer.commands.views, new, self.now()).await.map_err(unavailable)? {
            let message = "this image is already being added, or 20 other downloads are waiting; wait until a download has ended, then try again";
            return Err(CommandError::Conflict(message.to_owned()));
        }
        self.wake.notify_one();
        Ok(id)
    }

    async fn downloads(&self) -> Result<Vec<ImageDownload>, CommandError> {
        let pool = &self.installer.commands.views;
        self.interrupt_lost().await.map_err(unavailable)?;
        rows::list(pool).await.map_err(unavailable)?.into_iter().map(download).collect()
    }

    async fn download(&self, id: Uuid) -> Result<Option<ImageDownload>, CommandError> {
        let pool = &self.installer.commands.views;
        self.interrupt_lost().await.map_err(unavailable)?;
        rows::find(pool, id).await.map_err(unavailable)?.map(download).transpose()
    }

    async fn cancel(&self, id: Uuid) -> Result<(), CommandError> {
        let pool = &self.installer.commands.views;
        if !rows::cancel(pool, id, self.now()).await.map_err(unavailable)?
            && rows::find(pool, id).await.map_err(unavailable)?.is_none()
        {
            return Err(CommandError::NotFound(format!("there is no download {id}")));
        }
        Ok(())
    }

    async fn resume(&self, id: Uuid, context: &Context) -> Result<(), CommandError> {
        let pool = &self.installer.commands.views;
        rows::interrupt_lost(pool, self.now()).await.map_err(unavailable)?;
        let resumed = rows::resume(pool, id, &context.actor, &context.correlation_id, self.now()).await;
        if !resumed.map_err(unavailable)? {
            return match rows::find(pool, id).await.map_err(unavailable)? {
                None => Err(CommandError::NotFound(format!("there is no download {id}"))),
                Some(row) if matches!(row.status.as_str(), "queued" | "running") => Ok(()),
                Some(_) => Err(CommandError::Conflict(
                    "the download is done, or another download of the same image is running".to_owned(),
                )),
            };
        }
        self.wake.notify_one();
        Ok(())
    }
}
