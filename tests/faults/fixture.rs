//! The service and everything that it connects to, each behind a proxy of its own.

use crate::embedded_postgres::service as postgres;
use crate::support::bmc::{Emulator, PASSWORD};
use crate::support::dns::{DnsServer, KEY, Software};
use crate::support::process::Process;
use crate::support::receiver::Receiver;
use crate::support::service::wait_for;
use anyhow::{Context, Result, bail, ensure};
use bootledger_test_cluster::proxy::{Proxy, Target};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::RwLock;
use tokio::time::timeout;

const ZONES: [&str; 2] = ["dc1.example", "10.in-addr.arpa"];
const HOOK_SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8=";
/// How many servers have a management controller and are not deployed.
const MANAGED: usize = 8;

/// How long a health check waits for its answers.
const GLANCE: Duration = Duration::from_millis(1_500);

/// The fields are dropped in order, the first one first.
pub(super) struct Fixture {
    pub(super) service: Process,
    pub(super) database: Proxy,
    pub(super) controller: Proxy,
    pub(super) primary: Proxy,
    pub(super) hook: Proxy,
    /// The ids of the servers to deploy.
    pub(super) servers: Vec<String>,
    /// The ids of servers that have a controller and are not deployed.
    pub(super) managed: Vec<String>,
    pub(super) agent_token: String,
    dns: DnsServer,
    receiver: Receiver,
    emulator: Emulator,
    postgres: RwLock<Option<postgres::Service>>,
    sandbox: TempDir,
}

impl Fixture {
    pub(super) async fn start(servers: usize) -> Result<Self> {
        let sandbox = postgres::sandbox();
        let postgres = tokio::task::block_in_place(|| postgres::Service::start(&sandbox));
        let database = Proxy::start(Target::Unix(socket(&postgres))).await?;
        let (emulator, dns) = (Emulator::start().await?, DnsServer::start(Software::Bind, &ZONES).await?);
        let receiver = Receiver::start()?;
        let local = |port: u16| Target::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let controller = Proxy::start(local(emulator.port)).await?;
        let primary = Proxy::start(local(dns.port())).await?;
        let hook = Proxy::start(local(receiver.port)).await?;
        let service = Process::start(Ipv4Addr::LOCALHOST, postgres.url_through(database.address())).await?;
        service.write_secret("tsig-dc1", KEY.1)?;
        service.write_secret("bmc", &format!("admin:{PASSWORD}\n"))?;
        service.write_secret("hook", HOOK_SECRET)?;
        let mut fixture = Self {
            service,
            database,
            controller,
            primary,
            hook,
            servers: vec![],
            managed: vec![],
            agent_token: String::new(),
            dns,
            receiver,
            postgres: RwLock::new(Some(postgres)),
            emulator,
            sandbox,
        };
        fixture.define().await?;
        fixture.servers = fixture.register(servers, &[]).await?;
        let doors = doors(MANAGED, fixture.controller.address()).await?;
        let scope = json!({ "networks": ["127.0.0.1/32"], "protocols": ["redfish"], "ports": doors, "sites": ["dc1"] });
        let fingerprint = fixture.emulator.fingerprint.clone();
        let management = doors.iter().map(|port| {
            json!({ "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port, "tls": fingerprint })
        });
        let management: Vec<Value> = management.collect();
        fixture.service.put("/api/v1/secrets/bmc", &scope).await?;
        fixture.managed = fixture.register(MANAGED, &management).await?;
        let token = fixture.service.run(&["token", "create", "agent", "--dhcp-server", "kea-1"]).await?;
        token.trim().clone_into(&mut fixture.agent_token);
        Ok(fixture)
    }

    async fn define(&self) -> Result<()> {
        let service = &self.service;
        let key = json!({ "name": KEY.0, "algorithm": "hmac-sha256", "secret": "tsig-dc1" });
        let site = json!({
            "domain": "dc1.example", "zones": ZONES, "hostname_template": "h<200,699>.dc1.example",
            "dns_updates": { "primary": "127.0.0.1", "port": self.primary.address().port(), "key": key },
        });
        service.put("/api/v1/sites/dc1", &site).await?;
        let network = json!({ "cidr": "10.0.0.0/18", "site": "dc1", "margin_bottom": 9 });
        service.put("/api/v1/networks/prod", &network).await?;
        service.put("/api/v1/boot-images/debian", &json!({})).await?;
        let script = "#!ipxe\necho {{ hostname }} {{ done_url }}\n";
        service.put_bytes("/api/v1/boot-images/debian/files/boot.ipxe?kind=boot_ipxe&template=true", script).await?;
        service.put("/api/v1/ventures/shop", &json!({})).await?;
        service.put("/api/v1/ventures/shop/roles/web", &json!({})).await?;
        service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
        let url = format!("http://{}/hook", self.hook.address());
        let webhook = json!({ "url": url, "events": ["*"], "secret": "hook" });
        service.put("/api/v1/webhooks/all", &webhook).await.map(drop)
    }

    /// Registers and verifies this many servers. Returns their ids.
    async fn register(&self, count: usize, management: &[Value]) -> Result<Vec<String>> {
        let kind = if management.is_empty() { 1 } else { 2 };
        let register = async |n: usize| {
            let mac = format!("52:54:0{kind}:00:{:02x}:{:02x}", n >> 8, n & 255);
            let mut device = json!({ "site": "dc1", "macs": [mac], "venture": "shop", "role": "web" });
            if let Some(management) = management.get(n) {
                device["management"] = management.clone();
            }
            self.service.register(&device).await
        };
        stream::iter(0..count).map(register).buffered(32).try_collect().await
    }

    /// Restarts PostgreSQL and points the proxy to the new server.
    pub(super) async fn restart_postgres(&self) -> Result<()> {
        let mut running = self.postgres.write().await;
        let old = running.take().context("a running PostgreSQL")?;
        let new = tokio::task::block_in_place(|| {
            old.stop();
            postgres::Service::start(&self.sandbox)
        });
        self.database.lead_to(Target::Unix(socket(&new)));
        *running = Some(new);
        Ok(())
    }

    /// Runs a query past the proxy and returns the text of its first field.
    pub(super) async fn query(&self, sql: &str) -> Result<String> {
        let running = self.postgres.read().await;
        Ok(running.as_ref().context("a running PostgreSQL")?.query(sql).await)
    }

    /// A connection that bypasses the proxy.
    pub(super) async fn connect(&self) -> Result<PgConnection> {
        let running = self.postgres.read().await;
        Ok(running.as_ref().context("a running PostgreSQL")?.connect().await)
    }

    /// Waits until the service is ready, accepts a change, shows it in an answer, and has its views at the end of the log.
    /// Returns how long after the last fault that was.
    pub(super) async fn recovers(&self, last_fault: Instant, limit: Duration) -> Result<Duration> {
        let mut reasons: Vec<(Duration, String)> = vec![];
        while last_fault.elapsed() < limit {
            let reason = match self.looks_well().await {
                Ok(()) => return Ok(last_fault.elapsed()),
                Err(error) => format!("{error:#}"),
            };
            if reasons.last().is_none_or(|(_, last)| *last != reason) {
                eprintln!("         not well {:?} after the last fault: {reason}", last_fault.elapsed());
                reasons.push((last_fault.elapsed(), reason));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{limit:?} after the last fault it is not well: {reasons:#?}\n{}", self.complaints()?)
    }

    async fn looks_well(&self) -> Result<()> {
        let service = &self.service;
        let ready = glance("/readyz", service.get("/readyz")).await?;
        ensure!(ready["ready"] == true, "{ready}");
        let mark = uuid::Uuid::now_v7().to_string();
        let rack = json!({ "site": "dc1", "description": mark });
        glance("a change", service.put("/api/v1/racks/well", &rack)).await?;
        let shown = glance("a read", service.get("/api/v1/racks/well")).await?;
        ensure!(shown["spec"]["description"] == *mark, "the views do not show the change: {shown}");
        glance("a list", service.get("/api/v1/deployments?limit=10")).await.map(drop)
    }

    /// The last warnings and errors in the service's log.
    pub(super) fn complaints(&self) -> Result<String> {
        let log = self.service.log()?;
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
        Ok(lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    /// Waits until the views show the end of the log.
    pub(super) async fn catches_up(&self, limit: Duration) -> Result<()> {
        wait_for("the views show all of the log", limit, async || {
            (self.service.get("/readyz").await.ok()?["lag"] == 0).then_some(())
        })
        .await
    }

    /// Waits until the primary and the receiver have everything that they should, and compares what they have.
    pub(super) async fn settles(&self, limit: Duration) -> Result<()> {
        let waiting = async || self.service.get("/api/v1/dns-updates").await;
        let taken = wait_for("the primary has taken all updates", limit, async || {
            waiting().await.ok()?["items"].as_array()?.is_empty().then_some(())
        });
        if let Err(error) = taken.await {
            return Err(error.context(waiting().await?.to_string()));
        }
        let found = self.service.get("/api/v1/dns-records?type=A&limit=1000").await?;
        let found = found["items"].as_array().context("items")?.len();
        let published = self.dns.zone("dc1.example")?.len();
        ensure!(published == found, "the views have {found} A records, and the primary {published}");
        let delivery = async || Some(self.service.get("/api/v1/webhooks/all").await.ok()?["delivery"].take());
        let message = wait_for("the receiver has taken all events", limit, async || {
            delivery().await.filter(|delivery| delivery["status"] == "up_to_date").map(drop)
        });
        message.await.with_context(|| format!("{} events were taken", self.receiver.taken().len()))
    }
}

async fn glance(what: &str, answer: impl std::future::Future<Output = Result<Value>>) -> Result<Value> {
    timeout(GLANCE, answer).await.with_context(|| format!("{what} was not answered in {GLANCE:?}"))?
}

fn socket(postgres: &postgres::Service) -> PathBuf {
    postgres.socket_directory().join(".s.PGSQL.5432")
}

/// Ports that all lead to one controller, because two devices cannot have the same address and port.
async fn doors(count: usize, to: std::net::SocketAddr) -> Result<Vec<u16>> {
    let mut ports = vec![];
    for _ in 0..count {
        let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        ports.push(listener.local_addr()?.port());
        tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut outside) = tokio::net::TcpStream::connect(to).await {
                        drop(tokio::io::copy_bidirectional(&mut inside, &mut outside).await);
                    }
                });
            }
        });
    }
    Ok(ports)
}
