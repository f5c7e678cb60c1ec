//! A command service over a database of its own, whose views follow by themselves, with a small data centre.

pub(super) use crate::support::command_service::context;
use anyhow::Result;
use bootledger::commands::CommandService;
use bootledger::event_log::EventLog;
use bootledger::event_log::catch_up::catch_up;
use bootledger::event_log::feed::Feed;
use bootledger::workers;
use bootledger::workers::projector::Projector;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_port::{CatalogueAction, Command, CommandError, Commands, DeploymentAction, DeviceAction, Preview};
use bootledger_secrets::Secrets;
use bootledger_test_cluster::TestDatabase;
use bootledger_web::http::worker_status::WorkerStatus;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;

/// The command services of two instances over one database.
pub(super) struct TestService {
    pub(super) commands: CommandService,
    pub(super) other: CommandService,
    pub(super) pool: PgPool,
    feed: Feed,
    _stopping: watch::Sender<bool>,
    _database: TestDatabase,
}

pub(super) fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a value of the domain")
}

pub(super) fn key<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect(text)
}

pub(super) fn mac(number: usize) -> String {
    format!("52:54:00:00:00:{number:02x}")
}

/// The spec of the site dc1, with changes.
pub(super) fn site(change: &Value) -> Value {
    merged(json!({"domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"], "next_server": "10.20.0.2"}), change)
}

/// The spec of the network `prod` of dc1, with changes.
pub(super) fn network(change: &Value) -> Value {
    merged(json!({"cidr": "10.20.0.0/24", "site": "dc1", "racks": ["r1"], "gateway": "10.20.0.1", "vlan": 120}), change)
}

fn merged(mut value: Value, change: &Value) -> Value {
    if let (Value::Object(value), Value::Object(change)) = (&mut value, change) {
        value.extend(change.clone());
    }
    value
}

impl TestService {
    pub(super) async fn open() -> Result<Self> {
        let database = TestDatabase::create().await?;
        let pool = database.pool(16).await?;
        let (stopping, stop) = watch::channel(false);
        let feed = Feed::start(pool.clone(), stop.clone()).await?;
        let commands = |log| CommandService::new(log, pool.clone(), feed.clone(), bootledger::clock::now, Secrets::new(None));
        let (one, two) = (
            commands(EventLog::start(pool.clone(), database.connect_options())),
            commands(EventLog::start(pool.clone(), database.connect_options())),
        );
        tokio::spawn(workers::run(Projector::new(pool.clone(), feed.clone()), WorkerStatus::default(), stop));
        Ok(Self { commands: one, other: two, pool, feed, _stopping: stopping, _database: database })
    }

    /// Two sites with racks; dc1 has the network, the DHCP server, a role and an image.
    pub(super) async fn data_centre() -> Result<Self> {
        let service = Self::open().await?;
        let dc2 = json!({"domain": "dc2.example", "zones": ["dc2.example", "30.10.in-addr.arpa"]});
        service.done(Command::Catalogue(CatalogueAction::DefineSite(key("dc1"), read(site(&json!({})))))).await?;
        service.done(Command::Catalogue(CatalogueAction::DefineSite(key("dc2"), read(dc2)))).await?;
        for (rack, site) in [("r1", "dc1"), ("r2", "dc1"), ("x1", "dc2")] {
            service.done(Command::Catalogue(CatalogueAction::DefineRack(key(rack), read(json!({ "site": site }))))).await?;
        }
        service.done(Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(network(&json!({})))))).await?;
        service
            .done(Command::Catalogue(CatalogueAction::DefineDhcpServer(
                key("kea-1"),
                read(json!({"site": "dc1", "kind": "kea"})),
            )))
            .await?;
        service.done(Command::Catalogue(CatalogueAction::DefineBootImage(key("debian"), read(json!({}))))).await?;
        let script = json!({"kind": "boot_ipxe", "template": false, "size": 6, "sha256": "0".repeat(64)});
        service
            .done(Command::Catalogue(CatalogueAction::PutBootFile {
                image: key("debian"),
                name: key("boot.ipxe"),
                file: read(script),
            }))
            .await?;
        service.done(Command::Catalogue(CatalogueAction::DefineVenture(key("shop"), read(json!({}))))).await?;
        let role = json!({"default_boot_image": "debian"});
        service
            .done(Command::Catalogue(CatalogueAction::DefineRole { venture: key("shop"), role: key("web"), spec: read(role) }))
            .await?;
        Ok(service)
    }

    /// Runs a command that must succeed. Returns the id of its aggregate.
    pub(super) async fn done(&self, command: Command) -> Result<String, CommandError> {
        let receipt = self.commands.execute(command, context()).await?;
        self.shown().await;
        Ok(receipt.id)
    }

    /// What a change of a device or of the catalogue would do.
    pub(super) async fn preview(&self, command: Command) -> Result<Preview, CommandError> {
        match command {
            Command::Device(action) => self.commands.preview_device(action, context()).await,
            Command::Catalogue(action) => self.commands.preview_catalogue(action, context()).await,
            other => panic!("{} has no preview", other.name()),
        }
    }

    /// Waits until the views show the end of the log.
    pub(super) async fn shown(&self) {
        catch_up(self.pool.clone(), &self.feed).await.expect("the views");
    }

    /// Registers and verifies a server in the rack r1 of dc1.
    pub(super) async fn server(&self, number: usize) -> Result<DeviceId> {
        let spec = json!({"site": "dc1", "rack": "r1", "name": format!("R640 no. {number}"), "macs": [mac(number)]});
        let (venture, role) = (Some(key("shop")), Some(key("web")));
        let device =
            self.done(Command::Device(DeviceAction::RegisterDevice { spec: read(spec), venture, role })).await?.parse()?;
        self.done(Command::Device(DeviceAction::VerifyDevice(device))).await?;
        Ok(device)
    }

    /// Gives a server what a finished deployment leaves: address, DHCP reservation and name.
    pub(super) async fn installed(&self, device: DeviceId, number: usize, ip: &str) -> Result<()> {
        let facts = json!({
            "addresses": [ip], "dns_entries": [{"hostname": format!("h{number}.dc1.example"), "ip": ip}],
            "dhcp_entries": [{"ip": ip, "mac": mac(number), "hostname": format!("h{number}.dc1.example"), "network": "prod"}],
        });
        self.done(Command::Device(DeviceAction::RecordFacts(device, read(facts)))).await?;
        Ok(())
    }

    /// Starts a deployment at this address.
    pub(super) async fn deploying(&self, device: DeviceId, number: usize, ip: &str) -> Result<DeploymentId> {
        Ok(self.done(start(device, number, ip)).await?.parse()?)
    }
}

/// The command that starts a deployment at this address.
pub(super) fn start(device: DeviceId, number: usize, ip: &str) -> Command {
    let hostname = format!("h{number}.dc1.example");
    Command::Deployment(DeploymentAction::StartDeployment(Box::new(read(
        json!({"device": device, "ip": ip, "hostname": hostname}),
    ))))
}

/// The rules that a command was refused for.
pub(super) fn broken<T: std::fmt::Debug>(outcome: Result<T, CommandError>) -> Vec<BrokenRule> {
    match outcome {
        Err(CommandError::Refused(broken)) => broken,
        other => panic!("it was not refused: {other:?}"),
    }
}
