//! The service, assembled in the same way for production and for tests: log, views, feed, projector, reactor, boot table,
//! webhooks, TFTP, and the application for web handlers.

mod background;
pub mod tftp;
pub mod tool;

use crate::clock;
use crate::commands::CommandService;
use crate::config::ServeArguments;
use crate::database::instance::Instance;
use crate::database::{Database, canary, key};
use crate::event_log::EventLog;
use crate::event_log::condition::watch::Watch;
use crate::event_log::condition::{Place, What};
use crate::event_log::feed::Feed;
use crate::files;
use crate::openid::Provider;
use crate::workers::bulk::BulkWorker;
use crate::workers::dns::Publisher;
use crate::workers::drift::Checker;
use crate::workers::file_sweep::FileSweep;
use crate::workers::heartbeat::{Heartbeat, Worker};
use crate::workers::images::downloads::Downloads;
use crate::workers::images::install::{self, Installer};
use crate::workers::projector::Projector;
use crate::workers::reactor::Reactor;
use crate::workers::reservation_expiry::Expiry;
use crate::workers::session_expiry::Sweeper;
use crate::workers::webhooks::Dispatcher;
use anyhow::{Context, Result};
use background::Background;
use bootledger_boot_loaders::{Loaders, signed_loaders};
use bootledger_images::client::{Client, Limits};
use bootledger_images::library::Library;
use bootledger_outbound::Guard;
use bootledger_projections::rows::tallies;
use bootledger_tftp::{Limits as TftpLimits, Server as TftpServer};
use bootledger_web::http::application::Application;
use bootledger_web::http::ports::{LibraryPort, Port};
use bootledger_web::http::provider::IdentityProvider;
use bootledger_web::http::worker_status::Vitals;
use bootledger_web::images::store::Contents;
use bootledger_web::machines::pxe;
use bootledger_web::machines::pxe::service::BootService;
use bootledger_web::machines::pxe::table::BootTable;
use object_store::ObjectStore;
use std::sync::Arc;
use std::time::Duration;
use tftp::BootFiles;
use tokio::sync::watch;
use tokio::time::Instant;

/// After how long without a sign of life a part is reported by readiness checks. Each part gives one twice a second.
const VITAL: Duration = Duration::from_secs(5);

/// How long stopping may take after the web servers have stopped.
const STOP: Duration = Duration::from_millis(3500);

/// How much of that is reserved for aborting work and closing the database.
const CUT: Duration = Duration::from_millis(300);
const CLOSE: Duration = Duration::from_millis(1200);

/// The running parts of the service, and the parts that others use.
pub struct Service {
    /// The application that web handlers use, and the deployments in progress.
    pub boot: BootService,
    /// The command service.
    pub commands: CommandService,
    /// The open database.
    pub database: Database,
    background: Background,
    heartbeat: Heartbeat,
    stopping: watch::Sender<bool>,
}

impl Service {
    /// Opens the database and starts everything except the web server. The projector updates the views, which the boot table
    /// waits for.
    ///
    /// # Errors
    /// Returns an error if a folder or a port cannot be used, if the arguments contradict each other, if the database or the
    /// store of boot files cannot be opened, if the key is not that of the other instances, or if a recipe of the library is
    /// invalid.
    pub async fn start(arguments: &ServeArguments) -> Result<Self> {
        // Errors of the folder or the port are reported before a database is started.
        let loaders = loaders(arguments)?;
        let base_url = arguments.base_url()?;
        let provider = Provider::of(&arguments.openid, base_url.as_str(), arguments.store.secrets())?;
        let metrics = prometheus::Registry::new();
        let tftp = bind_tftp(arguments, loaders.as_ref(), &metrics).await?;
        let database = Database::open(&arguments.store, false).await?;
        let (stopping, stop) = watch::channel(false);
        let vitals = Vitals::default();
        let log = EventLog::start(database.pool.clone(), database.sessions.clone());
        let condition = log.condition().clone();
        condition.begin(database.read_only.clone());
        let mut background = Background::new(vitals.clone(), condition.clone(), stop.clone());
        background.spawn(canary::run(database.sessions.clone(), vitals.worker("database_canary"), stop.clone()));
        let pool = database.pool.clone();
        let feed = Feed::start(pool.clone(), stop.clone()).await?;
        let key = key::settle(arguments.key_file.as_deref(), &arguments.store.data_dir, &database).await?;
        vitals.add("event_writer", log.status());
        vitals.require("no event can be appended", VITAL, log.status());
        vitals.add("log_feed", feed.status());
        vitals.require("the end of the log is not known", VITAL, feed.status());
        let commands = CommandService::new(log, database.people.clone(), feed.clone(), clock::now, arguments.store.secrets());
        let reserved = arguments.openid.openid_client_secret.clone();
        let commands =
            commands.with_outbound(arguments.store.outbound().reserving(reserved)).with_checkers(arguments.store.checkers());
        let works = commands.over(&pool);
        let store = files::open(arguments.files.as_deref(), &arguments.store.data_dir)?;
        let heartbeat = Heartbeat::start(database.sessions.clone(), Instance::of(&arguments.store.data_dir));
        vitals.add("heartbeat", heartbeat.status());
        let worker = heartbeat.worker();
        let downloads = downloads(arguments, &works, &worker, &store)?;
        let application = Application {
            library: downloads.clone().map(|downloads| LibraryPort::new(Arc::new(downloads))),
            commands: Port::new(Arc::new(commands.clone())),
            views: database.people.clone(),
            agents: database.agents.clone(),
            vitals: vitals.clone(),
            position: feed.projected(),
            files: Arc::clone(&store),
            loaders,
            key,
            base_url,
            provider: provider.map(|provider| Arc::new(provider) as Arc<dyn IdentityProvider>),
            trusted_proxies: arguments.trusted_proxy.clone().into(),
            now: clock::now,
            metrics,
            max_upload: arguments.max_upload,
            stopping: stop.clone(),
        };
        let watch = Watch::new(condition, places(arguments, &database), database.sessions.clone(), &application.metrics)?;
        background.spawn(watch.run(vitals.worker("disk_watch"), stop.clone()));
        // Background work does not wait for connections that requests use.
        let within = application.over(&pool, Port::new(Arc::new(works.clone())));
        let table = Arc::new(BootTable::default());
        background.spawn(pxe::follow::run(BootService { application: within.clone(), table: Arc::clone(&table) }));
        let boot = BootService { application, table };
        background.start(FileSweep::new(files::folder(arguments.files.as_deref(), &arguments.store.data_dir), store));
        if let Some(downloads) = downloads {
            background.start_when_writable(downloads.worker(stop.clone()));
        }
        if database.read_only.is_none()
            && let Err(error) = tallies::recount(&pool).await
        {
            tracing::warn!("counts of devices and addresses may be out of date; `bootledger rebuild` corrects them: {error}");
        }
        background.start_when_writable(Projector::new(pool, feed));
        let every = Some(Duration::from_secs(arguments.drift_every)).filter(|every| !every.is_zero());
        background.start_when_writable(Checker::new(works.clone(), worker.clone(), within, every, stop.clone())?);
        background.start_when_writable(Dispatcher::new(works.clone(), worker.clone(), &boot.application.metrics)?);
        background.start_when_writable(BulkWorker::new(works.clone(), stop.clone()));
        background.start_when_writable(Sweeper::new(works.clone()));
        background.start_when_writable(Expiry::new(works.clone()));
        for publisher in Publisher::new(works.clone(), worker.clone()).workers() {
            background.start_when_writable(publisher);
        }
        if let Some(tftp) = tftp {
            tracing::info!(address = %tftp.address(), folder = %arguments.tftp_folder.display(), "listening for TFTP");
            let tftp = match &boot.application.loaders {
                Some(loaders) => tftp.serving(BootFiles::shared(pxe::tftp::Files::of(loaders.clone(), boot.clone()))),
                None => tftp,
            };
            background.spawn(tftp.run(stop));
        }
        background.start_when_writable(Reactor::new(works, worker).worker());
        Ok(Self { boot, commands, database, background, heartbeat, stopping })
    }

    /// Becomes true when the service has to stop.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Starts to stop the service: long polls and streams end.
    pub fn begin_to_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits for work in progress, closes the connections, and stops the embedded server, all within some seconds.
    ///
    /// # Errors
    /// Returns an error if the embedded server did not end properly.
    pub async fn stop(self) -> Result<()> {
        let until = Instant::now() + STOP;
        self.stop_by(until).await
    }

    /// Like [`stop`](Self::stop), but finished by this moment, regardless of the database's state.
    ///
    /// # Errors
    /// Returns an error if the embedded server did not end properly.
    pub async fn stop_by(mut self, until: Instant) -> Result<()> {
        self.begin_to_stop();
        let work_until = until - CLOSE - CUT;
        let ended = self.background.ended_by(work_until).await
            // An order that takes longer remains recorded without a result, which the rules take into account.
            && tokio::time::timeout_at(work_until, self.commands.orders_ended()).await.is_ok();
        if !ended {
            // The database may not be responding: waits for it end now, and with them most of the work.
            self.database.sessions.liveness().lose();
            if !self.background.ended_by(until - CLOSE).await {
                tracing::warn!("background work did not finish in time and was aborted");
                self.background.abort();
            }
        }
        // If that takes too long, other instances notice by themselves that these workers have ended.
        drop(tokio::time::timeout_at(until - CLOSE, self.heartbeat.end()).await);
        self.database.close_by(until).await
    }
}

/// Binds the TFTP port, where the options have one.
async fn bind_tftp(
    arguments: &ServeArguments,
    loaders: Option<&Loaders>,
    metrics: &prometheus::Registry,
) -> Result<Option<TftpServer>> {
    Ok(match (arguments.tftp_listen, loaders) {
        (Some(address), Some(loaders)) => {
            Some(TftpServer::bind(address, BootFiles::shared(loaders.clone()), TftpLimits::default(), metrics).await?)
        }
        _ => None,
    })
}

/// The folders whose disks are monitored. The free space of a remote database and of an S3 store cannot be measured from
/// here.
fn places(arguments: &ServeArguments, database: &Database) -> Vec<Place> {
    let data = &arguments.store.data_dir;
    let embedded = database.embedded.is_some().then(|| Place { what: What::Database, folder: data.join("postgres") });
    let files = files::folder(arguments.files.as_deref(), data).map(|folder| Place { what: What::Files, folder });
    let data = Some(Place { what: What::Data, folder: data.clone() });
    embedded.into_iter().chain(files).chain(data).collect()
}

/// The downloads of the library. A mirror that an administrator enters over HTTP must not be this machine or in its link-local
/// network. A machine without CA certificates cannot download, but still runs the service.
fn downloads(
    arguments: &ServeArguments,
    commands: &CommandService,
    worker: &Worker,
    store: &Arc<dyn ObjectStore>,
) -> Result<Option<Downloads>> {
    let library = Library::with_folder(arguments.image_recipes.as_deref())?;
    let guard = Guard::new(arguments.image_mirror_allow.clone(), "--image-mirror-allow");
    let client = match Client::new(Limits::with_file(arguments.max_upload), guard) {
        Ok(client) => client,
        Err(error) => {
            let error = anyhow::Error::new(error);
            tracing::warn!(
                error = format!("{error:#}"),
                "this service cannot download boot images, because it has no CA certificates; install Debian's package ca-certificates"
            );
            return Ok(None);
        }
    };
    let installer = Installer {
        commands: commands.clone(),
        contents: Contents::new(Arc::clone(store)),
        client,
        library,
        folder: install::folder(&arguments.store.data_dir),
    };
    Ok(Some(Downloads::new(installer, worker.clone())))
}

/// The folders of boot loaders: the operator's, which must exist, and that of Debian's package. The package may be missing
/// without TFTP, or if the operator has configured a folder; without either, firmware cannot boot over HTTP.
fn loaders(arguments: &ServeArguments) -> Result<Option<Loaders>> {
    let folder = arguments.tftp_folder.display();
    let package = Loaders::at(&arguments.tftp_folder);
    let loaders = match (&arguments.loaders, package) {
        (Some(own), package) => {
            let paths = [Some(own.as_path()), package.is_ok().then_some(arguments.tftp_folder.as_path())];
            Loaders::of(paths.into_iter().flatten())
                .with_context(|| format!("the folder {} (--loaders) cannot be read", own.display()))?
        }
        (None, Ok(package)) => package,
        (None, Err(error)) if arguments.tftp_listen.is_some() && signed_loaders().next().is_some() => {
            let signed = signed_loaders().collect::<Vec<_>>().join(", ");
            tracing::warn!(%folder, %error, "no iPXE loader is available; only the signed loaders {signed} are served, for servers with the boot chain signed");
            Loaders::of([])?
        }
        (None, Err(error)) if arguments.tftp_listen.is_some() => {
            return Err(error).with_context(|| {
                format!("there is nothing to serve over TFTP: the folder {folder} (--tftp-folder) cannot be read; Debian's package ipxe creates /usr/lib/ipxe, --loaders names a folder of your own, and Debian's shim-signed has loaders for Secure Boot")
            });
        }
        (None, Err(error)) => {
            tracing::info!(%folder, %error, "no boot loaders are available; install Debian's package ipxe");
            return Ok(None);
        }
    };
    let there: Vec<String> = loaders.offer().loaders().map(|(family, file)| format!("{} {file}", family.title)).collect();
    tracing::info!(folders = loaders.places(), "boot loaders: {}", there.join("; "));
    let missing: Vec<String> = loaders.offer().missing().map(|family| family.to_string()).collect();
    if !missing.is_empty() {
        tracing::info!(
            "no boot loader is available for {}, so such servers get no boot file; put one into the folder of --loaders and restart the service",
            missing.join("; ")
        );
    }
    for name in ["grub.cfg", "grub/grub.cfg"] {
        if loaders.open(name.as_bytes()).is_ok() {
            tracing::warn!(
                "the file {name} in a folder of boot loaders is not served: installed servers would get it too; GRUB gets the configuration that the service renders"
            );
        }
    }
    Ok(Some(loaders))
}
