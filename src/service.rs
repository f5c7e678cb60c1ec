//! The service, put together once for production and for tests: log, views, feed, projector,
//! reactor, boot table, and the application that web handlers are given.

use crate::config::ServeArguments;
use crate::database::Database;
use crate::dns::Publisher;
use crate::feed::Feed;
use crate::ledger::Ledger;
use crate::reactor::Reactor;
use crate::store::EventLog;
use crate::{clock, files, key, projector};
use anyhow::Result;
use bootledger_web::application::Application;
use bootledger_web::boot::{self, table::BootTable};
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
        let database = Database::open(&arguments.store, false).await?;
        let (stopping, stop) = watch::channel(false);
        let pool = database.pool.clone();
        let feed = Feed::start(pool.clone(), stop.clone()).await?;
        let log = EventLog::start(pool.clone(), database.options.clone());
        let ledger = Ledger::new(log, pool.clone(), feed.clone(), clock::now, arguments.store.secrets());
        let application = Application {
            commands: Arc::new(ledger.clone()),
            views: pool.clone(),
            position: feed.projected(),
            boot: Arc::new(BootTable::default()),
            files: files::open(arguments.files.as_deref(), &arguments.store.data_dir)?,
            key: key::load(arguments.key_file.as_deref(), &arguments.store.data_dir)?,
            base_url: arguments.base_url()?,
            secrets: ledger.secrets.clone(),
            trusted_proxies: arguments.trusted_proxy.clone().into(),
            now: clock::now,
            metrics: prometheus::Registry::new(),
            max_upload: arguments.max_upload,
            stopping: stop.clone(),
        };
        let mut workers = JoinSet::new();
        workers.spawn(boot::follow::run(application.clone()));
        workers.spawn(projector::run(pool, feed, stop.clone()));
        let publisher = Publisher::new(ledger.clone());
        let stopped = stop.clone();
        workers.spawn(async move { publisher.run(stopped).await });
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
