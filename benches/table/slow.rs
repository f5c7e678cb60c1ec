//! What slow clients and unresponsive controllers cost other callers: how long a booting server and a DHCP agent wait for their
//! answers while 200 clients send or read one byte every two seconds, and 60 users query controllers that never answer. A quiet
//! service is the reference.

use crate::catalogue;
use crate::cluster::Cluster;
use crate::log::address;
use crate::process::{Process, wait_for};
use crate::report::{Report, Row, percentile};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Servers in progress whose scripts are requested.
const SERVERS: u32 = 100;
/// Slow clients of each of the three kinds, 200 in all.
const SLOW: [usize; 3] = [67, 67, 66];
/// Users who query a controller or send it an order.
const HANGING: usize = 60;
/// How often a slow client sends or reads.
const DRIP: Duration = Duration::from_secs(2);
/// How long each turn is measured. Turns alternate between quiet and loaded.
const TURN: Duration = Duration::from_secs(8);
const TURNS: usize = 3;
/// How many clients send measured requests at once, and how often each does.
const CLIENTS: u32 = 4;
const PACE: Duration = Duration::from_millis(10);
/// How many times as long as on a quiet service an answer may take.
const TARGET: f64 = 2.0;

/// Measures boot scripts and DHCP polls, quiet and loaded.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let (mut service, database) = catalogue::with_servers(cluster, "slow", SERVERS).await?;
    database.close().await?;
    service.start_again().await?;
    let hole = Hole::open().await?;
    let managed = managed(&service, hole.port).await?;
    let (mut quiet, mut loaded) = (Waits::default(), Waits::default());
    for turn in 1..=TURNS {
        report.say(&format!("turn {turn} of {TURNS}"));
        quiet.measure(&service).await?;
        let load = Load::start(&service, &managed)?;
        load.is_there(&hole).await?;
        loaded.measure(&service).await?;
        ensure!(load.slow.load(Ordering::Relaxed) >= 150, "the slow clients were turned away");
        drop(load);
        wait_for("the service is quiet again", Duration::from_mins(2), async || {
            reqwest::get(service.url("/readyz")).await.ok()?.status().is_success().then_some(())
        })
        .await?;
    }
    for (what, quiet, loaded) in
        [("GET /pxe/", &mut quiet.boots, &mut loaded.boots), ("an agent's poll", &mut quiet.polls, &mut loaded.polls)]
    {
        let (before, with) = (percentile(quiet, 0.99) * 1000.0, percentile(loaded, 0.99) * 1000.0);
        report.add(Row {
            what: format!(
                "{what} beside 200 slow clients and {HANGING} hanging controllers, 99th percentile of {}",
                loaded.len()
            ),
            measured: format!("{with:.2} ms, at most {:.1} ms", percentile(loaded, 1.0) * 1000.0),
            limit: format!("{before:.2} ms, at most {:.1} ms (quiet)", percentile(quiet, 1.0) * 1000.0),
            target: format!("{:.2}, target ≤ {TARGET:.0} times", with / before),
            met: Some(with / before <= TARGET),
        });
    }
    Ok(())
}

/// Creates servers with a controller that never answers and returns their ids. An administrator allows the loopback address and
/// the secret.
async fn managed(service: &Process, port: u16) -> Result<Vec<String>> {
    service.write_secret("bmc", "admin:of-the-bench")?;
    let scope = json!({ "networks": ["127.0.0.1/32"], "protocols": ["redfish"], "ports": [port], "sites": ["dc1"] });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let mut ids = vec![];
    for n in 0..HANGING {
        let management = json!({ "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port, "system": n.to_string(), "tls": "sha256:".to_owned() + &"ab".repeat(32) });
        let device = json!({ "site": "dc1", "macs": [format!("52:54:02:00:00:{n:02x}")], "management": management });
        ids.push(service.post("/api/v1/devices", &device).await?["id"].as_str().context("an id")?.to_owned());
    }
    Ok(ids)
}

/// How long the answers took, in seconds.
#[derive(Default)]
struct Waits {
    boots: Vec<f64>,
    polls: Vec<f64>,
}

impl Waits {
    /// Sends requests for one turn and records how long the answers take.
    async fn measure(&mut self, service: &Process) -> Result<()> {
        let tag = service.answer("/dhcp/dc1/kea.json").await?.headers().get("etag").context("no tag")?.to_str()?.to_owned();
        let mut requests = JoinSet::new();
        for n in 0..CLIENTS {
            let (boot, poll, tag) = (service.url("/pxe/"), service.url("/dhcp/dc1/kea.json"), tag.clone());
            requests.spawn(async move {
                let (client, begun, mut waits) = (reqwest::Client::new(), Instant::now(), Self::default());
                let mut pace = tokio::time::interval(PACE);
                pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                let mut server = n;
                while begun.elapsed() < TURN {
                    pace.tick().await;
                    server = (server + CLIENTS) % SERVERS;
                    let requested = Instant::now();
                    let answer = client.get(&boot).header("X-Forwarded-For", address(server).to_string()).send().await?;
                    ensure!(answer.status() == 200, "/pxe/ answered {}", answer.status());
                    ensure!(answer.text().await?.contains("installs"), "no script");
                    waits.boots.push(requested.elapsed().as_secs_f64());
                    let requested = Instant::now();
                    let answer = client.get(&poll).header("If-None-Match", &tag).send().await?;
                    ensure!(answer.status() == 304, "the poll answered {}", answer.status());
                    waits.polls.push(requested.elapsed().as_secs_f64());
                }
                anyhow::Ok(waits)
            });
        }
        while let Some(waits) = requests.join_next().await {
            let Self { boots, polls } = waits??;
            self.boots.extend(boots);
            self.polls.extend(polls);
        }
        Ok(())
    }
}

/// A controller that accepts connections and never sends anything.
struct Hole {
    port: u16,
    held: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

impl Hole {
    async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (port, held) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
        let mut accepting = JoinSet::new();
        let counted = Arc::clone(&held);
        accepting.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut bytes = [0; 1024];
                    while client.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
                    counted.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(Self { port, held, _accepting: accepting })
    }
}

/// The slow clients, and the users who query controllers. All of them end when this value is dropped.
struct Load {
    /// How many slow clients are connected now.
    slow: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Load {
    fn start(service: &Process, managed: &[String]) -> Result<Self> {
        let (mut tasks, slow) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        let address: SocketAddr = service.url("").trim_start_matches("http://").parse()?;
        for (kind, count) in SLOW.into_iter().enumerate() {
            for _ in 0..count {
                let (token, slow) = (service.token().to_owned(), Arc::clone(&slow));
                tasks.spawn(async move {
                    loop {
                        drop(one_slow(address, kind, &token, &slow).await);
                        // A client that the service disconnects connects again.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                });
            }
        }
        for (n, id) in managed.iter().enumerate() {
            let (url, token) = (service.url(&format!("/api/v1/devices/{id}/power")), service.token().to_owned());
            tasks.spawn(async move {
                let client = reqwest::Client::new();
                loop {
                    let request = if n % 2 == 0 { client.get(&url) } else { client.post(&url).json(&json!({ "action": "on" })) };
                    drop(request.bearer_auth(&token).send().await);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
        Ok(Self { slow, _tasks: tasks })
    }

    /// Waits until the slow clients are connected and controllers are queried: all of them, or as many as the service queries
    /// at once.
    async fn is_there(&self, hole: &Hole) -> Result<()> {
        wait_for("the load is there", Duration::from_secs(30), async || {
            let requested = hole.held.load(Ordering::Relaxed) > 0;
            (requested && self.slow.load(Ordering::Relaxed) >= 190).then_some(())
        })
        .await
    }
}

/// Counts a client while it is connected.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client that is slow until the service ends the connection. Depending on `kind`, it sends its head slowly, sends its body
/// slowly, or reads slowly.
async fn one_slow(address: SocketAddr, kind: usize, token: &str, slow: &AtomicUsize) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(address).await?;
    slow.fetch_add(1, Ordering::Relaxed);
    let _counted = Counted(slow);
    let host = format!("Host: bench\r\nAuthorization: Bearer {token}\r\n");
    match kind {
        0 => {
            stream.write_all(format!("GET /api/v1/devices HTTP/1.1\r\n{host}X-Slow: ").as_bytes()).await?;
            drips(stream).await
        }
        1 => {
            let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nreason=";
            let path = "/deployments/00000000-0000-0000-0000-000000000000/cancel";
            stream.write_all(format!("POST {path} HTTP/1.1\r\n{host}{form}").as_bytes()).await?;
            drips(stream).await
        }
        _ => {
            stream.write_all(format!("GET /api/v1/events?limit=1000 HTTP/1.1\r\n{host}\r\n").as_bytes()).await?;
            let mut byte = [0; 1];
            while stream.read(&mut byte).await? > 0 {
                tokio::time::sleep(DRIP).await;
            }
            Ok(())
        }
    }
}

/// Sends one byte at a time until the service answers or ends the connection.
async fn drips(stream: TcpStream) -> Result<()> {
    let (mut answers, mut to_service) = stream.into_split();
    let sends = async {
        loop {
            to_service.write_all(b"x").await?;
            tokio::time::sleep(DRIP).await;
        }
    };
    let mut bytes = [0; 1024];
    tokio::select! {
        sent = sends => sent,
        _ = answers.read(&mut bytes) => Ok(()),
    }
}
