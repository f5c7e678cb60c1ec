//! Authoritative DNS servers by other authors, each on a port of its own, with zones that accept signed updates.

use super::process::wait_for;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// The key with which all of them accept updates: its name, and 32 bytes in base64.
pub(crate) const KEY: (&str, &str) = ("bootledger", "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8=");

/// The library of Debian's package libfaketime for programs with threads, which the loader finds by itself.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// The software of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Software {
    Bind,
    Knot,
    PowerDns,
}

/// A DNS server; killed when dropped.
pub(crate) struct DnsServer {
    software: Software,
    /// The clock's offset; empty if it has none.
    clock: &'static str,
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl DnsServer {
    /// Starts a server with these zones, each of which has only its SOA and NS records.
    pub(crate) async fn start(software: Software, zones: &[&str]) -> Result<Self> {
        Self::start_at(software, "", zones).await
    }

    /// Starts a server with an offset clock, such as `+1h`, through Debian's faketime. BIND does not run with that.
    pub(crate) async fn start_at(software: Software, clock: &'static str, zones: &[&str]) -> Result<Self> {
        let mut server = Self { software, clock, child: None, port: free_port()?, folder: tempfile::tempdir()? };
        server.configure(zones)?;
        server.resume().await?;
        Ok(server)
    }

    /// Starts BIND with a configuration of the test's own, which may have files in its folder. `configure` gets folder and
    /// port.
    pub(crate) async fn bind(configure: impl FnOnce(&Path, u16) -> Result<String>) -> Result<Self> {
        let (software, folder) = (Software::Bind, tempfile::tempdir()?);
        let mut server = Self { software, clock: "", child: None, port: free_port()?, folder };
        let text = configure(server.folder.path(), server.port)?;
        std::fs::write(server.folder.path().join("named.conf"), text)?;
        server.resume().await?;
        Ok(server)
    }

    /// The folder with the server's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Reloads the server's files.
    pub(crate) fn reload(&self) -> Result<()> {
        let child = self.child.as_ref().context("it does not run")?;
        run(Command::new("kill").args(["-HUP", &child.id().to_string()]))
    }

    /// All records of a zone from a transfer: `NAME TTL TYPE DATA`, each once, sorted.
    pub(crate) fn transfer(&self, zone: &str) -> Result<BTreeSet<String>> {
        let key = format!("hmac-sha256:{}:{}", KEY.0, KEY.1);
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &self.port.to_string(), "-y", &key, zone, "AXFR", "+noall", "+answer"])
            .output()?;
        ensure!(output.status.success(), "{}", message(&output));
        let text = String::from_utf8(output.stdout)?;
        let records = text.lines().filter(|line| !line.starts_with(';')).filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, ttl, _) = (words.next()?, words.next()?, words.next()?);
            Some(format!("{name} {ttl} {}", words.collect::<Vec<_>>().join(" ")))
        });
        Ok(records.collect())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts the server again, with the zones that it had.
    pub(crate) async fn resume(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log"))?;
        let at = |file: &str| self.folder.path().join(file).display().to_string();
        let mut command = match self.software {
            Software::Bind => program("named", &["-g", "-c", &at("named.conf")]),
            Software::Knot => program("knotd", &["-c", &at("knot.conf")]),
            Software::PowerDns => program("pdns_server", &[&format!("--config-dir={}", self.folder.path().display())]),
        };
        if !self.clock.is_empty() {
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", self.clock).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("the DNS server cannot be started")?);
        let up = wait_for("the DNS server answers", Duration::from_secs(30), async || {
            self.dig(&["+tries=1", "+time=1", "version.bind", "CH", "TXT"]).ok().map(drop)
        });
        let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        up.await.with_context(log)
    }

    /// The output of `dig` for a query, without a line end.
    pub(crate) fn dig(&self, question: &[&str]) -> Result<String> {
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &self.port.to_string(), "+short", "+norecurse", "+onesoa"])
            .args(question)
            .output()
            .context("dig, which is in Debian's package bind9-dnsutils")?;
        ensure!(output.status.success(), "{}", message(&output));
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// The A and PTR records of a zone, as `NAME TYPE VALUE`, from a zone transfer.
    pub(crate) fn zone(&self, zone: &str) -> Result<Vec<String>> {
        self.axfr(zone, ("hmac-sha256", KEY.0))
    }

    /// The same, with a key of this algorithm and name.
    pub(crate) fn axfr(&self, zone: &str, (algorithm, name): (&str, &str)) -> Result<Vec<String>> {
        let key = format!("{algorithm}:{name}:{}", KEY.1);
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &self.port.to_string(), "-y", &key, zone, "AXFR", "+noall", "+answer"])
            .output()?;
        ensure!(output.status.success(), "{}", message(&output));
        let text = String::from_utf8(output.stdout)?;
        let mut records: Vec<String> = text
            .lines()
            .filter_map(|line| {
                let [name, _, _, kind @ ("A" | "PTR"), value] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                    return None;
                };
                Some(format!("{name} {kind} {value}"))
            })
            .collect();
        records.sort();
        Ok(records)
    }

    /// The zone's serial number.
    pub(crate) fn serial(&self, zone: &str) -> Result<u64> {
        let soa = self.dig(&[zone, "SOA"])?;
        Ok(soa.split_whitespace().nth(2).context("no serial")?.parse()?)
    }

    /// A change by another owner, with `nsupdate`: lines such as `update add h1.dc1.example 60 A 10.9.9.9`.
    pub(crate) fn update(&self, zone: &str, lines: &str) -> Result<()> {
        let text = format!("server 127.0.0.1 {}\nkey hmac-sha256:{} {}\nzone {zone}\n{lines}\nsend\n", self.port, KEY.0, KEY.1);
        let file = self.folder.path().join("nsupdate");
        std::fs::write(&file, text)?;
        let output = Command::new("nsupdate").arg(&file).output().context("nsupdate")?;
        ensure!(output.status.success(), "{}", message(&output));
        Ok(())
    }

    fn configure(&self, zones: &[&str]) -> Result<()> {
        match self.software {
            Software::Bind => self.configure_bind(zones),
            Software::Knot => self.configure_knot(zones),
            Software::PowerDns => self.configure_power_dns(zones),
        }
    }

    /// Writes each zone's file. Returns the file names, which contain no slash.
    fn files(&self, zones: &[&str]) -> Result<Vec<String>> {
        let write = |(n, zone): (usize, &&str)| {
            let text = format!("$TTL 300\n{zone}. SOA localhost. host.localhost. 1 3600 600 1209600 60\n{zone}. NS localhost.\n");
            let file = format!("zone-{n}");
            std::fs::write(self.folder.path().join(&file), text)?;
            Ok(file)
        };
        zones.iter().enumerate().map(write).collect()
    }

    fn configure_bind(&self, zones: &[&str]) -> Result<()> {
        let (folder, port) = (self.folder.path().display(), self.port);
        let mut text = format!(
            "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none;\n\
             session-keyfile none; recursion no; notify no; dnssec-validation no; allow-transfer {{ key {name}; }}; }};\n\
             controls {{ }};\nkey {name} {{ algorithm hmac-sha256; secret \"{key}\"; }};\n",
            name = KEY.0,
            key = KEY.1
        );
        for (zone, file) in zones.iter().zip(self.files(zones)?) {
            writeln!(text, "zone \"{zone}\" {{ type primary; file \"{file}\"; allow-update {{ key {}; }}; }};", KEY.0)?;
        }
        Ok(std::fs::write(self.folder.path().join("named.conf"), text)?)
    }

    fn configure_knot(&self, zones: &[&str]) -> Result<()> {
        let (folder, port) = (self.folder.path().display(), self.port);
        let mut text = format!(
            "server:\n  rundir: {folder}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {folder}\nlog:\n  - target: stderr\n    any: info\n\
             key:\n  - id: {name}\n    algorithm: hmac-sha256\n    secret: {key}\n\
             acl:\n  - id: ours\n    key: {name}\n    action: [update, transfer]\nzone:\n",
            name = KEY.0,
            key = KEY.1
        );
        for (zone, file) in zones.iter().zip(self.files(zones)?) {
            writeln!(text, "  - domain: \"{zone}\"\n    storage: {folder}\n    file: {file}\n    acl: ours")?;
        }
        Ok(std::fs::write(self.folder.path().join("knot.conf"), text)?)
    }

    fn configure_power_dns(&self, zones: &[&str]) -> Result<()> {
        let (folder, port) = (self.folder.path().display(), self.port);
        let database = self.folder.path().join("pdns.db");
        let schema = std::fs::File::open("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
            .context("the schema of Debian's package pdns-backend-sqlite3")?;
        run(Command::new("sqlite3").arg(&database).stdin(schema))?;
        let text = format!(
            "launch=gsqlite3\ngsqlite3-database={}\ngsqlite3-dnssec=yes\nlocal-address=127.0.0.1\nlocal-port={port}\nsocket-dir={folder}\n\
             daemon=no\nguardian=no\ndnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\ndisable-axfr=no\nquery-cache-ttl=0\ncache-ttl=0\n\
             negquery-cache-ttl=0\nzone-cache-refresh-interval=0\nversion-string=full\n",
            database.display()
        );
        std::fs::write(self.folder.path().join("pdns.conf"), text)?;
        let tool = |arguments: &[&str]| run(program("pdnsutil", &[&format!("--config-dir={folder}")]).args(arguments));
        tool(&["import-tsig-key", KEY.0, "hmac-sha256", KEY.1])?;
        for (zone, file) in zones.iter().zip(self.files(zones)?) {
            tool(&["load-zone", zone, &self.folder.path().join(file).display().to_string()])?;
            tool(&["set-kind", zone, "primary"])?;
            tool(&["set-meta", zone, "TSIG-ALLOW-DNSUPDATE", KEY.0])?;
            tool(&["set-meta", zone, "TSIG-ALLOW-AXFR", KEY.0])?;
            tool(&["set-meta", zone, "SOA-EDIT-DNSUPDATE", "INCREASE"])?;
        }
        Ok(())
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

/// A relay between a client and a DNS server that can drop the answers.
pub(crate) struct Between {
    pub(crate) port: u16,
    /// Whether answers arrive.
    pub(crate) answers: watch::Sender<bool>,
}

impl Between {
    /// Listens and relays everything to the server.
    pub(crate) async fn start(server: u16) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (answers, arrive) = watch::channel(true);
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(hand_on(client, server, arrive.clone()));
            }
        });
        Ok(Self { port, answers })
    }
}

async fn hand_on(client: TcpStream, server: u16, arrive: watch::Receiver<bool>) -> Result<()> {
    let (mut questions, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?.into_split();
    let there = async { tokio::io::copy(&mut questions, &mut to_server).await.map(drop) };
    let back = async {
        let mut bytes = [0; 4096];
        loop {
            let length = from_server.read(&mut bytes).await?;
            if length == 0 {
                return std::io::Result::Ok(());
            }
            if *arrive.borrow() {
                to_client.write_all(&bytes[..length]).await?;
            }
        }
    };
    tokio::select! { ended = there => ended?, ended = back => ended? }
    Ok(())
}

/// A program of the system that is not in every user's path.
fn program(name: &str, arguments: &[&str]) -> Command {
    let system = Path::new("/usr/sbin").join(name);
    let mut command = Command::new(if system.exists() { system } else { Path::new("/usr/bin").join(name) });
    command.args(arguments);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", message(&output));
    Ok(())
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A port that is free for both UDP and TCP.
fn free_port() -> Result<u16> {
    for _ in 0..20 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free for TCP and UDP")
}
