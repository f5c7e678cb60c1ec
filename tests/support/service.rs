//! A running service over a database of its own.

use super::process::Process;
pub(crate) use super::process::wait_for;
use anyhow::{Result, anyhow, ensure};
use bootledger::event_log::EventLog;
use bootledger::event_log::append::{Batch, NewEvent};
use bootledger_test_cluster::TestDatabase;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use tokio::process::{Child, Command};

/// The service and its database. The service is dropped first.
pub(crate) struct Service {
    process: Process,
    database: TestDatabase,
}

/// The description of the site dc1: its zones, and a hundred names for servers.
pub(crate) fn dc1() -> Value {
    json!({
        "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"], "hostname_template": "h<200,299>.dc1.example",
    })
}

impl Service {
    /// Starts the service on a free port of this address, and waits until it is ready.
    pub(crate) async fn start(address: Ipv4Addr) -> Result<Self> {
        Self::start_on(address, TestDatabase::create().await?).await
    }

    /// Starts the service on this database.
    pub(crate) async fn start_on(address: Ipv4Addr, database: TestDatabase) -> Result<Self> {
        Ok(Self { process: Process::start(address, database.url()).await?, database })
    }

    /// Starts the service with this file as the program and further options.
    pub(crate) async fn start_with(address: Ipv4Addr, program: PathBuf, options: Vec<String>) -> Result<Self> {
        let database = TestDatabase::create().await?;
        let process = Process::start_with(address, database.url(), program, options).await?;
        Ok(Self { process, database })
    }

    /// Defines the site dc1 with its network `prod`, the boot image `debian` with a script, and the role `web` of the venture
    /// `shop`.
    pub(crate) async fn define(&self, site: &Value, network: &Value) -> Result<()> {
        self.put("/api/v1/sites/dc1", site).await?;
        self.put("/api/v1/networks/prod", network).await?;
        self.put("/api/v1/boot-images/debian", &json!({})).await?;
        let script = "#!ipxe\necho {{ hostname }} {{ done_url }}\n";
        self.put_bytes("/api/v1/boot-images/debian/files/boot.ipxe?kind=boot_ipxe&template=true", script).await?;
        self.put("/api/v1/ventures/shop", &json!({})).await?;
        self.put("/api/v1/ventures/shop/roles/web", &json!({})).await?;
        Ok(())
    }

    /// Stores a network as an earlier version with fewer rules did.
    pub(crate) async fn store_network(&self, key: &str, spec: &Value) -> Result<()> {
        // Add the remaining fields of the event, as the API shows them.
        let mut whole = self.get(&format!("/api/v1/networks/{key}")).await?["spec"].clone();
        if let (Value::Object(whole), Value::Object(spec)) = (&mut whole, spec.clone()) {
            whole.extend(spec);
        }
        self.store("network", key, "NetworkDefined", &json!({ "type": "NetworkDefined", "spec": whole })).await
    }

    /// Stores an event as an earlier version did, without claims.
    pub(crate) async fn store(&self, aggregate_type: &str, id: &str, event_type: &str, payload: &Value) -> Result<()> {
        let pool = self.database.pool(2).await?;
        let sequence: i64 =
            sqlx::query_scalar("SELECT max(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2")
                .bind(aggregate_type)
                .bind(id)
                .fetch_one(&pool)
                .await?;
        let event = NewEvent {
            aggregate_type: aggregate_type.to_owned(),
            aggregate_id: id.to_owned(),
            sequence: sequence + 1,
            event_type: event_type.to_owned(),
            event_version: "1".to_owned(),
            payload: payload.to_string(),
            metadata: json!({ "actor": "an earlier version", "correlation_id": "" }).to_string(),
            claims: vec![],
        };
        let log = EventLog::start(pool, self.database.connect_options());
        let batch = Batch { events: vec![event], preconditions: vec![], idempotency: None };
        log.append(batch).await.map_err(|rejection| anyhow!("{rejection:?}"))?;
        Ok(())
    }

    /// The agent of the DHCP server `dhcp-1`, of this kind, with a token of its own.
    pub(crate) async fn dhcp_agent(&self, site: &str, kind: &str, configuration: &Path) -> Result<DhcpAgent> {
        let token = self.run(&["token", "create", "agent", "--dhcp-server", "dhcp-1"]).await?.trim().to_owned();
        let (site, kind, url) = (site.to_owned(), kind.to_owned(), self.url(""));
        Ok(DhcpAgent { token, site, kind, url, configuration: configuration.to_owned() })
    }

    /// The service's database.
    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }
}

impl Deref for Service {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Service {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// The program's own agent, which keeps one DHCP server's configuration.
pub(crate) struct DhcpAgent {
    token: String,
    site: String,
    kind: String,
    url: String,
    configuration: PathBuf,
}

impl DhcpAgent {
    /// Fetches the first configuration, for a server that has not been started yet.
    pub(crate) async fn fetch_first(&self) -> Result<()> {
        let first = self.command("true", "true").arg("--once").status().await?;
        ensure!(first.success(), "the agent could not fetch the first configuration");
        Ok(())
    }

    /// Keeps the server's configuration with these commands until it is dropped.
    pub(crate) fn keep(&self, check: &str, reload: &str) -> Result<Child> {
        Ok(self.command(check, reload).spawn()?)
    }

    fn command(&self, check: &str, reload: &str) -> Command {
        let mut command = super::agent::command(&self.url, ("dhcp-1", &self.site, &self.kind), &self.token, &self.configuration);
        command.args(["--check-command", check, "--reload-command", reload]);
        command
    }
}
