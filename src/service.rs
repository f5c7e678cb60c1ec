//! The service, assembled in the same way for production and for tests: log, views, feed, projector, reactor, boot table,
//! webhooks, TFTP, and the application for web handlers.

use crate::accounts::Sweeper;
use crate::condition::watch::Watch;
use crate::condition::{Condition, Place, What};
use crate::config::ServeArguments;
use crate::database::{Database, canary};
use crate::dns::Publisher;
use crate::drift::Checker;
use crate::feed::Feed;
use crate::heartbeat::{Heartbeat, Worker};
use crate::image::downloads::Downloads;
use crate::image::install::{self, Installer};
use crate::instance::Instance;
use crate::ledger::Ledger;
use crate::openid::Provider;
use crate::reactor::Reactor;
use crate::store::EventLog;
use crate::webhooks::Dispatcher;
use crate::{clock, files, key, projector, tftp};
use anyhow::{Context, Result};
use bootledger_images::client::{Client, Limits};
use bootledger_images::library::Library;
use bootledger_outbound::Guard;
use bootledger_projections::tallies;
use bootledger_web::application::Application;
use bootledger_web::auth::provider::IdentityProvider;
use bootledger_web::boot::{self, loaders::Loaders, loaders::signed_loaders, store::Contents, table::BootTable};
use bootledger_web::health::vitals::{Pulse, Vitals};
use bootledger_web::request::backend::{LibraryPort, Port};
use object_store::ObjectStore;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
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
    /// The application that web handlers use.
    pub application: Application,
    /// The command service.
    pub ledger: Ledger,
    /// The open database.
    pub database: Database,
    workers: JoinSet<()>,
    heartbeat: Heartbeat,
    stopping: watch::Sender<bool>,
}

impl Service {
    /// Opens the database and starts everything except the web server. The projector updates the views, which the boot table
    /// waits for.
    pub async fn start(arguments: &ServeArguments) -> Result<Self> {
        // Errors of the directory or the port are reported before a database is started.
        let loaders = loaders(arguments)?;
        let base_url = arguments.base_url()?;
        let provider = Provider::of(&arguments.openid, base_url.as_str(), arguments.store.secrets())?;
        let metrics = prometheus::Registry::new();
        let tftp = match (arguments.tftp_listen, &loaders) {
            (Some(address), Some(loaders)) => {
                Some(tftp::Server::bind(address, loaders.clone(), tftp::Limits::default(), &metrics).await?)
            }
            _ => None,
        };
        let database = Database::open(&arguments.store, false).await?;
        let (stopping, stop) = watch::channel(false);
        let mut workers = JoinSet::new();
        workers.spawn(canary::run(database.sessions.clone(), stop.clone()));
        let pool = database.pool.clone();
        let feed = Feed::start(pool.clone(), stop.clone()).await?;
        let key = key::settle(arguments.key_file.as_deref(), &arguments.store.data_dir, &database).await?;
        let log = EventLog::start(pool.clone(), database.sessions.clone());
        let condition = log.condition().clone();
        condition.begin(database.read_only.clone());
        let vitals = Vitals::default();
        vitals.watch("no event can be appended", VITAL, log.pulse());
        vitals.watch("the end of the log is not known", VITAL, feed.pulse());
        let ledger = Ledger::new(log, database.people.clone(), feed.clone(), clock::now, arguments.store.secrets());
        let reserved = arguments.openid.openid_client_secret.clone();
        let ledger =
            ledger.with_outbound(arguments.store.outbound().reserving(reserved)).with_checkers(arguments.store.checkers());
        let works = ledger.over(&pool);
        let store = files::open(arguments.files.as_deref(), &arguments.store.data_dir)?;
        let heartbeat = Heartbeat::start(database.sessions.clone(), Instance::of(&arguments.store.data_dir));
        let worker = heartbeat.worker();
        let downloads = downloads(arguments, &works, &worker, &store)?;
        let application = Application {
            library: downloads.clone().map(|downloads| LibraryPort::new(Arc::new(downloads))),
            commands: Port::new(Arc::new(ledger.clone())),
            views: database.people.clone(),
            agents: database.agents.clone(),
            vitals: vitals.clone(),
            position: feed.projected(),
            boot: Arc::new(BootTable::default()),
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
        let watch = Watch::new(condition.clone(), places(arguments, &database), database.sessions.clone(), &application.metrics)?;
        workers.spawn(watch.run(stop.clone()));
        // Parts that write by themselves wait until the database accepts writes.
        let later = |part: Part| when_writable(condition.clone(), stop.clone(), part);
        // Background work does not wait for connections that requests use.
        let within = application.over(&pool, Port::new(Arc::new(works.clone())));
        workers.spawn(boot::follow::run(within.clone()));
        let folder = files::folder(arguments.files.as_deref(), &arguments.store.data_dir);
        workers.spawn(files::sweep(folder, store, stop.clone()));
        if let Some(downloads) = downloads {
            workers.spawn(later(Box::pin(downloads.run(stop.clone()))));
        }
        if database.read_only.is_none()
            && let Err(error) = tallies::recount(&pool).await
        {
            tracing::warn!("counts of devices and addresses may be of another version; `bootledger rebuild` mends them: {error}");
        }
        let (stopped, watched) = (stop.clone(), vitals.clone());
        workers.spawn(later(Box::pin(async move {
            let beats = Pulse::default();
            watched.watch("the views are not kept up to date", VITAL, beats.clone());
            projector::run(pool, feed, beats, stopped).await;
        })));
        let every = Some(Duration::from_secs(arguments.drift_every)).filter(|every| !every.is_zero());
        let checker = Checker::new(works.clone(), worker.clone(), within, every)?;
        let stopped = stop.clone();
        workers.spawn(later(Box::pin(async move { checker.run(stopped).await })));
        let dispatcher = Dispatcher::new(works.clone(), worker.clone(), &application.metrics)?;
        let stopped = stop.clone();
        workers.spawn(later(Box::pin(async move { dispatcher.run(stopped).await })));
        let sweeper = Sweeper::new(works.clone());
        let stopped = stop.clone();
        workers.spawn(later(Box::pin(async move { sweeper.run(stopped).await })));
        let publisher = Publisher::new(works.clone(), worker.clone());
        let stopped = stop.clone();
        workers.spawn(later(Box::pin(async move { publisher.run(stopped).await })));
        if let Some(tftp) = tftp {
            tracing::info!(address = %tftp.address(), folder = %arguments.tftp_folder.display(), "listening for TFTP");
            let tftp = match &application.loaders {
                Some(loaders) => tftp.serving(bootledger_web::boot::tftp::Files::of(loaders.clone(), application.clone())),
                None => tftp,
            };
            workers.spawn(tftp.run(stop.clone()));
        }
        let reactor = Reactor::new(works.clone(), worker);
        let stopped = stop.clone();
        workers.spawn(later(Box::pin(async move { reactor.run(stopped).await })));
        Ok(Self { application, ledger, database, workers, heartbeat, stopping })
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
    pub async fn stop(self) -> Result<()> {
        let until = Instant::now() + STOP;
        self.stop_by(until).await
    }

    /// The same, finished by this moment regardless of the database's state.
    pub async fn stop_by(mut self, until: Instant) -> Result<()> {
        self.begin_to_stop();
        let ended = async {
            while self.workers.join_next().await.is_some() {}
            // An order that takes longer remains recorded without a result, which the rules take into account.
            self.ledger.orders_ended().await;
        };
        let ended = tokio::time::timeout_at(until - CLOSE - CUT, ended).await;
        if ended.is_err() {
            // The database may not be responding: waits for it end now, and with them most of the work.
            self.database.sessions.liveness().lose();
            let cut = async { while self.workers.join_next().await.is_some() {} };
            if tokio::time::timeout_at(until - CLOSE, cut).await.is_err() {
                tracing::warn!("background work did not finish in time and was aborted");
                self.workers.abort_all();
            }
        }
        // If that takes too long, other instances notice by themselves that these workers have ended.
        drop(tokio::time::timeout_at(until - CLOSE, self.heartbeat.end()).await);
        self.database.close_by(until).await
    }
}

/// A part of the service that runs until the service stops.
type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a part that writes, once the database accepts writes.
async fn when_writable(condition: Condition, mut stopping: watch::Receiver<bool>, part: Part) {
    let writable = tokio::select! {
        () = condition.writable() => true,
        _ = stopping.wait_for(|stopping| *stopping) => false,
    };
    if writable {
        part.await;
    }
}

/// The directories whose disks are monitored. The free space of a remote database and of an S3 store cannot be measured from
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
    ledger: &Ledger,
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
                "boot images cannot be added from the library by this service; Debian's package ca-certificates has the certificates that downloads need"
            );
            return Ok(None);
        }
    };
    let installer = Installer {
        ledger: ledger.clone(),
        contents: Contents::new(Arc::clone(store)),
        client,
        library,
        folder: install::folder(&arguments.store.data_dir),
    };
    Ok(Some(Downloads::new(installer, worker.clone())))
}

/// The directories of boot loaders: the operator's, which must exist, and that of Debian's package. The package may be missing
/// without TFTP, or if the operator has configured a directory; without either, firmware cannot boot over HTTP.
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
            tracing::warn!(%folder, %error, "there is no iPXE to serve; only the signed loaders {signed} are, which the boot chain signed starts");
            Loaders::of([])?
        }
        (None, Err(error)) if arguments.tftp_listen.is_some() => {
            return Err(error).with_context(|| {
                format!("there is nothing to serve over TFTP: the folder {folder} (--tftp-folder) cannot be read; Debian's package ipxe makes /usr/lib/ipxe, --loaders names a folder of your own, and Debian's shim-signed has loaders for Secure Boot")
            });
        }
        (None, Err(error)) => {
            tracing::info!(%folder, %error, "there are no boot loaders to serve; Debian's package ipxe has some");
            return Ok(None);
        }
    };
    let there: Vec<String> = loaders.offer().loaders().map(|(family, file)| format!("{} {file}", family.title)).collect();
    tracing::info!(folders = loaders.places(), "boot loaders: {}", there.join("; "));
    let missing: Vec<String> = loaders.offer().missing().map(|family| family.to_string()).collect();
    if !missing.is_empty() {
        tracing::info!(
            "no boot loader, and so no boot file, for {}; put one into the folder of --loaders and restart the service",
            missing.join("; ")
        );
    }
    for name in ["grub.cfg", "grub/grub.cfg"] {
        if loaders.open(name.as_bytes()).is_ok() {
            tracing::warn!(
                "the file {name} in a folder of boot loaders is not served: installed servers would get it, too; GRUB gets the service's"
            );
        }
    }
    Ok(Some(loaders))
}
