//! One reservation changes among many: how long until a real Kea serves the change, with host commands and with a reload of the
//! whole file.
//!
//! The agent is the real one, in the bench's own process. The service is a small stand-in, so that the time in which the real
//! service writes the file does not count. Kea is the version that `scripts/newer-kea` unpacks, in a network namespace of its
//! own.

use super::dhcp;
use super::report::{Report, Row, percentile};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, bail, ensure};
use bootledger_dhcp_agent as dhcp_agent;
use bootledger_dhcp_agent::Kind;
use bootledger_web::machines::dhcp::format::Format;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::{Notify, watch};

const SITES: [u32; 2] = [1_000, 100_000];
/// How many changes are measured, one after the other.
const ROUNDS: usize = 10;
/// Milliseconds from the file's arrival at the agent until Kea serves the change.
const TARGET: f64 = 50.0;
/// The agent confirms nothing while Kea cannot receive clients' messages, so an interface of Kea's namespace is in a network of
/// the site.
const NETWORK: &str = r#"ip link add eth0 type veth peer name eth1
ip address add 10.0.0.2/16 dev eth0
ip link set eth1 up
ip link set eth0 up
exec "$@""#;
/// How long Kea may take to serve a change, and the agent to confirm it, before the bench fails.
const PATIENCE: Duration = Duration::from_mins(2);

/// The stand-in for the service: the file that it serves, and the agent's last confirmation.
#[derive(Default)]
struct Service {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    bytes: web::Bytes,
    revision: String,
    position: i64,
    /// The revision that the agent has confirmed, or the error that it reported.
    confirmed: Option<Result<String, String>>,
    /// When the agent had received the whole answer, as far as the service can know.
    answered: Option<Instant>,
}

impl Service {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, text: String) {
        let mut state = self.state();
        state.revision = hex::encode(Sha256::digest(text.as_bytes()));
        state.bytes = web::Bytes::from(text);
        state.position += 1;
        drop(state);
        self.news.notify_waiters();
    }
}

async fn configuration(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    let have = request.headers().get("If-None-Match").and_then(|have| have.to_str().ok()).unwrap_or_default().to_owned();
    let news = service.news.notified();
    let has_news = |service: &Service| have != format!("\"{}\"", service.state().revision);
    if !has_news(&service) {
        let _ = tokio::time::timeout(Duration::from_millis(500), news).await;
    }
    let mut state = service.state();
    let same = have == format!("\"{}\"", state.revision);
    let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header(("ETag", format!("\"{}\"", state.revision)));
    answer.insert_header(("Bootledger-Position", state.position)).insert_header(("Bootledger-Changed-Position", state.position));
    if same {
        return answer.finish();
    }
    state.answered = Some(Instant::now());
    answer.body(state.bytes.clone())
}

async fn confirmation(service: web::Data<Service>, report: web::Json<Value>) -> HttpResponse {
    let text = |field: &str| report[field].as_str().unwrap_or_default().to_owned();
    let said = if report["ok"] == true { Ok(text("revision")) } else { Err(text("message")) };
    service.state().confirmed = Some(said);
    HttpResponse::NoContent().finish()
}

/// Measures both ways at each size.
pub(crate) async fn measure(folder: &Path, report: &mut Report) -> Result<()> {
    let unpacked = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from).join("lab/kea");
    if !unpacked.join("kea-dhcp4").exists() {
        report.say("no newer Kea; has `scripts/setup bench` run?");
        return Ok(());
    }
    for hosts in SITES {
        let mut forced = vec![];
        for by_commands in [true, false] {
            let way = if by_commands { "by host commands" } else { "by reading the file" };
            report.say(&format!("Kea with {hosts} reservations, {way}"));
            let folder = folder.join(format!("kea-{hosts}-{by_commands}"));
            let (mut force, mut confirm) =
                rounds(&unpacked, &folder, hosts, by_commands).await.with_context(|| way.to_owned())?;
            let (median, slowest) = (percentile(&mut force, 0.5), percentile(&mut force, 1.0));
            forced.push(median);
            report.add(Row {
                what: format!("a reservation among {hosts} is in force in Kea, {way}"),
                measured: format!(
                    "median {median:.0} ms, {slowest:.0} ms at most; confirmed after {:.0} ms",
                    percentile(&mut confirm, 0.5)
                ),
                limit: forced.first().filter(|_| !by_commands).map_or("–".to_owned(), |one| format!("{one:.0} ms by commands")),
                target: if by_commands { format!("≤ {TARGET:.0} ms") } else { "–".to_owned() },
                met: by_commands.then_some(median <= TARGET),
            });
        }
    }
    Ok(())
}

/// The milliseconds from each changed file until Kea serves the change, and until the agent has confirmed it.
async fn rounds(unpacked: &Path, folder: &Path, hosts: u32, by_commands: bool) -> Result<(Vec<f64>, Vec<f64>)> {
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o750))?;
    let (file, socket) = (folder.join("kea.conf"), folder.join("socket"));
    let first = json!({ "Dhcp4": { "control-sockets": [{ "socket-type": "unix", "socket-name": socket }] } });
    std::fs::write(&file, first.to_string())?;
    // Root's rights are needed only to create the namespace.
    let log = std::fs::File::create(folder.join("log"))?;
    let folders = ["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_CONTROL_SOCKET_DIR", "KEA_DHCP_DATA_DIR", "KEA_LOG_FILE_DIR"];
    let mut kea = Command::new("unshare")
        .args(["--map-root-user", "--net", "--", "sh", "-ec", NETWORK, "sh"])
        .arg(unpacked.join("kea-dhcp4"))
        .arg("-c")
        .arg(&file)
        .envs(folders.map(|name| (name, folder)))
        .env("KEA_HOOKS_PATH", unpacked.join("hooks"))
        .env("KEA_LOGGER_DESTINATION", "stdout")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;

    let service = web::Data::from(Arc::new(Service::default()));
    let data = service.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .route("/dhcp/dc1/kea.json", web::get().to(configuration))
            .route("/dhcp/servers/kea-1/confirmation", web::put().to(confirmation))
    });
    // The real service also sends without Nagle's delay.
    let server = server.workers(1).tcp_nodelay(true).disable_signals().bind("127.0.0.1:0")?;
    let url = format!("http://{}", server.addrs()[0]);
    let server = tokio::spawn(server.run());

    service.has(Format::Kea.render(&dhcp::site(hosts, None)?)?);
    let (stop, stopped) = watch::channel(false);
    let arguments = dhcp_agent::Arguments {
        server_name: "kea-1".parse()?,
        site: "dc1".parse()?,
        kind: Kind::Kea,
        url: url.parse()?,
        token_file: None,
        token: Some("a-token".parse()?),
        config: file,
        check_command: None,
        reload_command: None,
        kea_socket: Some(socket.clone()),
        kea_hosts: by_commands,
        command_timeout: 120,
        wait: 30,
        once: false,
    };
    let agent = tokio::spawn(dhcp_agent::run(arguments, stopped));
    confirmed(&service).await?;
    let (mut force, mut confirm) = (vec![], vec![]);
    for round in 0..ROUNDS {
        // One host in the middle gets another name and a live deployment.
        let name = format!("r{round}.dc1.example");
        let changed = hosts / 2;
        service.has(Format::Kea.render(&dhcp::site(hosts, Some((changed, &name)))?)?);
        let which = json!({ "subnet-id": (10_u32 << 24) + ((changed / dhcp::IN_A_NETWORK) << 16), "hostname": name });
        let since = served(&service, &socket, by_commands, &which).await?;
        let answered = service.state().answered.context("no answer was fetched")?;
        force.push(since.duration_since(answered).as_secs_f64() * 1e3);
        confirmed(&service).await?;
        confirm.push(answered.elapsed().as_secs_f64() * 1e3);
    }
    stop.send_replace(true);
    agent.await??;
    server.abort();
    kea.kill().await?;
    Ok((force, confirm))
}

/// Waits until Kea serves the host and returns when that began. Without its host commands, Kea serves the host as soon as it
/// runs the revision.
async fn served(service: &Service, socket: &Path, by_commands: bool, which: &Value) -> Result<Instant> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let answer = if by_commands {
            notify(socket, &json!({ "command": "reservation-get-by-hostname", "arguments": which })).await
        } else {
            notify(socket, &json!({ "command": "server-tag-get" })).await
        };
        let there = answer.is_ok_and(|answer| {
            answer["arguments"]["hosts"].as_array().is_some_and(|hosts| !hosts.is_empty())
                || answer["arguments"]["server-tag"] == *service.state().revision
        });
        if there {
            return Ok(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("Kea does not serve {which}")
}

async fn notify(socket: &Path, command: &Value) -> Result<Value> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(command.to_string().as_bytes()).await?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

async fn confirmed(service: &Service) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let (confirmed, wanted) = {
            let state = service.state();
            (state.confirmed.clone(), state.revision.clone())
        };
        if let Some(Err(message)) = &confirmed {
            ensure!(begun.elapsed() < PATIENCE / 4, "the agent reports: {message}");
        }
        if confirmed == Some(Ok(wanted)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    bail!("the newest file is not confirmed")
}
