//! A command service in the test's own process, with its own database. The views are brought up to date after each command.

use anyhow::Result;
use bootledger::commands::CommandService;
use bootledger::event_log::EventLog;
use bootledger::event_log::catch_up::catch_up;
use bootledger::event_log::feed::Feed;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{CatalogueAction, Command, CommandError, Commands, Context, DeviceAction};
use bootledger_secrets::Secrets;
use bootledger_test_cluster::TestDatabase;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;

/// A command service and what it needs to run.
pub(crate) struct TestService {
    pub(crate) commands: CommandService,
    pub(crate) pool: PgPool,
    pub(crate) feed: Feed,
    _stopping: watch::Sender<bool>,
    _database: TestDatabase,
}

/// The context of an administrator's command.
pub(crate) fn context() -> Context {
    Context {
        actor: "test".to_owned(),
        correlation_id: "c-1".to_owned(),
        causation_id: None,
        idempotency_key: None,
        level: Role::Administrator,
    }
}

/// A value of the domain, as the API reads it.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    Ok(serde_json::from_value(value)?)
}

impl TestService {
    /// A command service over an empty database, with a pool of this many connections.
    pub(crate) async fn empty(connections: u32) -> Result<Self> {
        let database = TestDatabase::create().await?;
        let pool = database.pool(connections).await?;
        let (stopping, stop) = watch::channel(false);
        let feed = Feed::start(pool.clone(), stop).await?;
        let log = EventLog::start(pool.clone(), database.connect_options());
        let commands = CommandService::new(log, pool.clone(), feed.clone(), bootledger::clock::now, Secrets::new(None));
        Ok(Self { commands, pool, feed, _stopping: stopping, _database: database })
    }

    /// Defines the venture `shop`, whose boot image is `debian`, with its role `web`, and registers and verifies a device of that
    /// role.
    pub(crate) async fn server_of_shop(&self, device: Value) -> Result<DeviceId> {
        let spec = read(json!({"default_boot_image": "debian"}))?;
        self.execute(Command::Catalogue(CatalogueAction::DefineVenture("shop".parse()?, spec))).await?;
        let (venture, role) = ("shop".parse()?, "web".parse()?);
        self.execute(Command::Catalogue(CatalogueAction::DefineRole { venture, role, spec: read(json!({}))? })).await?;
        let (venture, role) = (Some("shop".parse()?), Some("web".parse()?));
        let register = DeviceAction::RegisterDevice { spec: read(device)?, venture, role };
        let device = self.execute(Command::Device(register)).await?.parse()?;
        self.execute(Command::Device(DeviceAction::VerifyDevice(device))).await?;
        Ok(device)
    }

    /// Runs a command, brings the views up to date, and returns the id of the command's aggregate.
    pub(crate) async fn execute(&self, command: Command) -> Result<String, CommandError> {
        let receipt = self.commands.execute(command, context()).await?;
        catch_up(&self.pool, &self.feed).await.map_err(CommandError::Internal)?;
        Ok(receipt.id)
    }
}
