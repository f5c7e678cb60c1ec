//! The service, put together once for production and for tests: log, views, feed, projector,
//! reactor, boot table, webhooks, TFTP, and the application that web handlers are given.

use crate::accounts::Sweeper;
use crate::config::ServeArguments;
use crate::database::Database;
use crate::dns::Publisher;
use crate::drift::Checker;
use crate::feed::Feed;
use crate::image::downloads::Downloads;
use crate::image::install::{self, Installer};
use crate::ledger::Ledger;
use crate::openid::Provider;
use crate::reactor::Reactor;
use crate::store::EventLog;
use crate::webhooks::Dispatcher;
use crate::{clock, files, key, projector, tftp};
use anyhow::{Context, Result};
use bootledger_images::client::{Client, Limits};
use bootledger_images::library::Library;
use bootledger_images::reach::Reach;
use bootledger_projections::tallies;
use bootledger_web::application::Application;
use bootledger_web::auth::provider::IdentityProvider;
use bootledger_web::boot::{self, loaders::Loaders, store::Contents, table::BootTable};
use bootledger_web::library::ImageLibrary;
use object_store::ObjectStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long stopping waits for orders to management controllers.
const ORDERS: Duration = Duration::from_secs(3);

/// The parts that run, and those that others use.
pub struct Service {
    /// What web handlers are given.
    pub application: Application,
    /// The command service.
    pub ledger: Ledger,
    /// The database.
    pub database: Database,
    workers: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

impl Service {
    /// Opens the database and starts everything but the web server. Views are brought up to date
    /// by the projector, which the boot table waits for.
    pub async fn start(arguments: &ServeArguments) -> Result<Self> {
        // What is wrong with the folder or the port is told before a database is started.
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
        let pool = database.pool.clone();
        let feed = Feed::start(pool.clone(), stop.clone()).await?;
        let log = EventLog::start(pool.clone(), database.options.clone());
        let ledger = Ledger::new(log, pool.clone(), feed.clone(), clock::now, arguments.store.secrets());
        let store = files::open(arguments.files.as_deref(), &arguments.store.data_dir)?;
        let downloads = downloads(arguments, &ledger, &store)?;
        let application = Application {
            library: downloads.clone().map(|downloads| Arc::new(downloads) as Arc<dyn ImageLibrary>),
            commands: Arc::new(ledger.clone()),
            views: pool.clone(),
            position: feed.projected(),
            boot: Arc::new(BootTable::default()),
            files: Arc::clone(&store),
            loaders,
            key: key::load(arguments.key_file.as_deref(), &arguments.store.data_dir)?,
            base_url,
            provider: provider.map(|provider| Arc::new(provider) as Arc<dyn IdentityProvider>),
            trusted_proxies: arguments.trusted_proxy.clone().into(),
            now: clock::now,
            metrics,
            max_upload: arguments.max_upload,
            stopping: stop.clone(),
        };
        let mut workers = JoinSet::new();
        workers.spawn(boot::follow::run(application.clone()));
        let folder = files::folder(arguments.files.as_deref(), &arguments.store.data_dir);
        workers.spawn(files::sweep(folder, store, stop.clone()));
        if let Some(downloads) = downloads {
            workers.spawn(downloads.run(stop.clone()));
        }
        if let Err(error) = tallies::recount(&pool).await {
            tracing::warn!("counts of devices and addresses may be of another version; `bootledger rebuild` mends them: {error}");
        }
        workers.spawn(projector::run(pool, feed, stop.clone()));
        let every = Some(Duration::from_secs(arguments.drift_every)).filter(|every| !every.is_zero());
        let checker = Checker::new(ledger.clone(), application.clone(), every)?;
        let stopped = stop.clone();
        workers.spawn(async move { checker.run(stopped).await });
        let dispatcher = Dispatcher::new(ledger.clone(), &application.metrics)?;
        let stopped = stop.clone();
        workers.spawn(async move { dispatcher.run(stopped).await });
        let sweeper = Sweeper::new(ledger.clone());
        let stopped = stop.clone();
        workers.spawn(async move { sweeper.run(stopped).await });
        let publisher = Publisher::new(ledger.clone());
        let stopped = stop.clone();
        workers.spawn(async move { publisher.run(stopped).await });
        if let Some(tftp) = tftp {
            tracing::info!(address = %tftp.address(), folder = %arguments.tftp_folder.display(), "listening for TFTP");
            workers.spawn(tftp.run(stop.clone()));
        }
        let reactor = Reactor::new(ledger.clone());
        workers.spawn(async move { reactor.run(stop).await });
        Ok(Self { application, ledger, database, workers, stopping })
    }

    /// Becomes true when the service shall stop.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Says that it shall stop; long polls and streams end.
    pub fn begin_to_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits for what is under way, closes the connections, stops the embedded server.
    pub async fn stop(mut self) -> Result<()> {
        self.begin_to_stop();
        while self.workers.join_next().await.is_some() {}
        // An order that takes longer stays on record without its outcome, which the rules know.
        drop(tokio::time::timeout(ORDERS, self.ledger.orders_ended()).await);
        self.database.close().await
    }
}

/// Downloads from the library. A mirror that an administrator names over HTTP must not be this machine or its neighbours.
/// A machine without certificates cannot download, and runs the service all the same.
fn downloads(arguments: &ServeArguments, ledger: &Ledger, store: &Arc<dyn ObjectStore>) -> Result<Option<Downloads>> {
    let library = Library::with_folder(arguments.image_recipes.as_deref())?;
    let reach = Reach::Guarded(arguments.image_mirror_allow.clone().into());
    let client = match Client::new(Limits::with_file(arguments.max_upload), reach) {
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
    Ok(Some(Downloads::new(Installer {
        ledger: ledger.clone(),
        contents: Contents::new(Arc::clone(store)),
        client,
        library,
        folder: install::folder(&arguments.store.data_dir),
    })))
}

/// The folder of boot loaders. Without TFTP it may be missing: then there is no boot over HTTP for firmware.
fn loaders(arguments: &ServeArguments) -> Result<Option<Loaders>> {
    let folder = arguments.tftp_folder.display();
    match Loaders::at(&arguments.tftp_folder) {
        Ok(loaders) => Ok(Some(loaders)),
        Err(error) if arguments.tftp_listen.is_some() => Err(error).with_context(|| {
            format!("there is nothing to serve over TFTP: the folder {folder} (--tftp-folder) cannot be read; Debian's package ipxe makes /usr/lib/ipxe")
        }),
        Err(error) => {
            tracing::info!(%folder, %error, "there are no boot loaders to serve; Debian's package ipxe has some");
            Ok(None)
        }
    }
}
