//! A data centre with 100,000 servers in progress: the rebuild of the views, the start, the boot script, the DHCP
//! configuration.
//!
//! wrk requests the boot script with a trusted proxy's header, so that each request is for another server. A bare actix-web
//! handler that answers with the same number of bytes is measured the same way, in turns with the service.

use crate::cluster::Cluster;
use crate::log::{Log, address};
use crate::process::Process;
use crate::report::{Report, Row, median};
use crate::{catalogue, views};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::{Context, Result, ensure};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many servers are in progress.
const SERVERS: [u32; 2] = [100, 100_000];
/// How many of them request their script. There are so many that all first scripts are in the log and in the views well before
/// a minute has passed, after which the service records a served script again.
const CLIENTS: u32 = 10_000;
/// How many turns the service and the bare handler get, in alternation.
const ROUNDS: u32 = 3;
/// Length of a turn, in seconds.
const TURN: u32 = 2;
/// Concurrent connections of wrk.
const CONNECTIONS: u32 = 64;

/// Requests each server's script in turn: `wrk.headers` alone would always send the same server's address.
const LUA: &str = r#"
local requests, n = {}, 0
function init(args)
    local servers, step = tonumber(args[1]), tonumber(args[2])
    for i = 0, servers - 1 do
        local a = i * step + 11
        local ip = string.format("10.%d.%d.%d", math.floor(a / 65536), math.floor(a / 256) % 256, a % 256)
        -- A stride that is no divisor, so that neighbours are not asked one after the other.
        requests[(i * 7919) % servers] = wrk.format("GET", "/pxe/", { ["X-Forwarded-For"] = ip, ["Host"] = "boot" })
    end
    wrk.servers = servers
end
function request()
    n = (n + 1) % wrk.servers
    return requests[n]
end
"#;

/// Measures each of these.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let mut reached = vec![];
    for servers in SERVERS {
        let (mut service, database, revision) = catalogue::stopped(cluster, &format!("boot_{servers}")).await?;
        report.say(&format!("writing a log with {servers} servers in progress"));
        let mut log = Log::open(database.pool.clone()).await?;
        log.deploy(servers, revision).await?;
        let large = servers == SERVERS[1];
        if large {
            views::rebuilt(&database.pool, log.position(), report).await?;
        } else {
            bootledger_projections::projector::rebuild::rebuild(&database.pool, |_, _| {}).await?;
        }
        sqlx::query("VACUUM ANALYZE").execute(&database.pool).await?;
        let begun = Instant::now();
        service.start_again().await?;
        let ready = begun.elapsed().as_secs_f64();
        loaded(&service, servers).await?;
        if large {
            report.add(Row {
                what: format!("start to ready with {} events; memory with {servers} in progress", log.position()),
                measured: format!("{ready:.2} s; {} MB", service.memory("VmRSS")? / 1024),
                limit: "–".to_owned(),
                target: "≤ 2 s; ≤ 100 MB".to_owned(),
                met: Some(ready <= 2.0 && service.memory("VmRSS")? <= 100 * 1024),
            });
        }
        reached.push(scripts(cluster, &service, servers, report).await?);
        if large {
            caught_up(&service).await?;
            views::served(cluster, &service, log.position(), report).await?;
        }
        database.close().await?;
    }
    if let [few, many] = reached.as_slice() {
        report.add(Row {
            what: "GET /pxe/, 100,000 in progress against 100".to_owned(),
            measured: format!("{many:.2} of the bare handler"),
            limit: format!("{few:.2} of the bare handler"),
            target: format!("{:.2}, target 0.9", many / few),
            met: Some(many / few >= 0.9),
        });
    }
    Ok(())
}

/// Waits until the boot table has all servers.
async fn loaded(service: &Process, servers: u32) -> Result<()> {
    let last = address(servers - 1).to_string();
    crate::process::wait_for("the boot table is loaded", Duration::from_mins(1), async || {
        let request = reqwest::Client::new().get(service.url("/pxe/")).header("X-Forwarded-For", &last);
        let text = request.send().await.ok()?.text().await.ok()?;
        text.contains("installs").then_some(())
    })
    .await
}

/// Waits until the views show the end of the log.
async fn caught_up(service: &Process) -> Result<()> {
    crate::process::wait_for("the views show all of the log", Duration::from_mins(2), async || {
        (service.get("/readyz").await.ok()?["lag"] == 0).then_some(())
    })
    .await
}

/// Measures scripts per second, as a share of what the bare handler reaches.
async fn scripts(cluster: &Cluster, service: &Process, servers: u32, report: &mut Report) -> Result<f64> {
    let script = cluster.folder().join("boot.lua");
    std::fs::write(&script, LUA)?;
    let request = reqwest::Client::new().get(service.url("/pxe/")).header("X-Forwarded-For", address(0).to_string());
    let bytes = request.send().await?.bytes().await?.len();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let _bare = Bare::start(port, bytes).await?;

    // The service records the first script that it serves to a server within a minute. Get these records out of the way before
    // measuring.
    let begun = Instant::now();
    let first = wrk(&script, &service.url("/pxe/"), servers, 1)?;
    crate::process::wait_for("all of it is recorded", Duration::from_mins(1), async || {
        let metrics = reqwest::get(service.url("/metrics")).await.ok()?.text().await.ok()?;
        let recorded =
            metrics.lines().find_map(|line| line.strip_prefix("bootledger_boot_records_total{outcome=\"recorded\"} "))?;
        (recorded.parse::<u32>().ok()? >= servers.min(CLIENTS)).then_some(())
    })
    .await?;
    caught_up(service).await?;
    report.say(&format!("first scripts: {first:.0}/s, recorded within {:.1} s", begun.elapsed().as_secs_f64()));
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        ours.push(wrk(&script, &service.url("/pxe/"), servers, TURN)?);
        theirs.push(wrk(&script, &format!("http://127.0.0.1:{port}/pxe/"), servers, TURN)?);
    }
    ensure!(begun.elapsed() < Duration::from_mins(1), "the minute was over, so that scripts were recorded again in the meantime");
    let (ours, theirs) = (median(ours), median(theirs));
    report.add(Row {
        what: format!("GET /pxe/, {servers} in progress, {} of them request scripts", servers.min(CLIENTS)),
        measured: format!("{ours:.0}/s"),
        limit: format!("{theirs:.0}/s (bare actix-web, {bytes} bytes)"),
        target: format!("{:.2}, target 0.8", ours / theirs),
        met: Some(ours / theirs >= 0.8),
    });
    Ok(ours / theirs)
}

/// Requests per second that were answered with 200.
fn wrk(script: &Path, url: &str, servers: u32, seconds: u32) -> Result<f64> {
    let mut command = Command::new("wrk");
    command.args(["--threads=1", &format!("--connections={CONNECTIONS}"), &format!("--duration={seconds}s"), "--script"]);
    let output = command
        .arg(script)
        .arg(url)
        .arg("--")
        .args([servers.min(CLIENTS), (servers / CLIENTS).max(1)].map(|number| number.to_string()))
        .output()
        .context("wrk cannot be started")?;
    let message = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && !message.contains("Non-2xx"), "wrk: {message}{}", String::from_utf8_lossy(&output.stderr));
    let line = message.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context("wrk reported no rate")?;
    Ok(line.trim().parse()?)
}

/// The bare handler, in a process of its own like the service.
struct Bare(Child);

impl Bare {
    async fn start(port: u16, bytes: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", &port.to_string(), &bytes.to_string()]).stdin(Stdio::null());
        let bare = Self(command.spawn()?);
        crate::process::wait_for("the bare handler answers", Duration::from_secs(20), async || {
            reqwest::get(format!("http://127.0.0.1:{port}/pxe/")).await.ok().map(drop)
        })
        .await?;
        Ok(bare)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Answers `GET /pxe/` with this many bytes until the process is killed.
pub(crate) fn bare(port: u16, bytes: usize) -> Result<()> {
    let body = Bytes::from("x".repeat(bytes));
    actix_web::rt::System::new().block_on(async move {
        let application = move || {
            let body = body.clone();
            let handler = move || {
                let body = body.clone();
                async move { HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(body) }
            };
            App::new().route("/pxe/", web::get().to(handler))
        };
        HttpServer::new(application).bind((Ipv4Addr::LOCALHOST, port))?.run().await?;
        Ok(())
    })
}
