//! `bootledger serve` as a process of its own, used over HTTP like by any client.

use super::rules::check_rules;
use anyhow::{Context, Result, bail, ensure};
use bootledger_aggregates::values::ids::TokenId;
use bootledger_web::http::auth::token::Secret;
use reqwest::Method;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// How long a start may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running service; killed when dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    token: String,
    folder: TempDir,
    database_url: String,
    program: PathBuf,
    options: Vec<String>,
    client: reqwest::Client,
}

impl Process {
    /// Starts the service over a database, on a free port of this address, and waits until it is ready.
    pub(crate) async fn start(address: Ipv4Addr, database_url: String) -> Result<Self> {
        Self::start_with(address, database_url, PathBuf::from(env!("CARGO_BIN_EXE_bootledger")), vec![]).await
    }

    /// Starts the service with this file as the program and further options. Without a URL, it starts a PostgreSQL of its own.
    pub(crate) async fn start_with(
        address: Ipv4Addr,
        database_url: String,
        program: PathBuf,
        options: Vec<String>,
    ) -> Result<Self> {
        // A second call has no effect.
        drop(rustls::crypto::ring::default_provider().install_default());
        let port = TcpListener::bind((address, 0))?.local_addr()?.port();
        let address = SocketAddr::from((address, port));
        let folder = tempfile::tempdir()?;
        let token = Secret::random().bearer(TokenId(Uuid::now_v7()));
        let child = spawn(&program, &options, address, &token, folder.path(), &database_url)?;
        let client = reqwest::Client::new();
        let process = Self { child, address, token, folder, database_url, program, options, client };
        process.wait_until_ready().await?;
        Ok(process)
    }

    /// Kills the service with SIGKILL at an arbitrary moment and starts it again.
    pub(crate) async fn kill_and_restart(&mut self) -> Result<()> {
        self.kill()?;
        self.start_again().await
    }

    /// Kills the service with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Makes the service use another database from its next start.
    pub(crate) fn use_database(&mut self, url: String) {
        self.database_url = url;
    }

    /// Sends a signal by its name: `STOP` suspends the service, `CONT` resumes it.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "the service cannot be sent {name}");
        Ok(())
    }

    /// Sends SIGTERM and returns how long the service took to end; `None` if it did not end within the limit.
    pub(crate) async fn terminate(&mut self, limit: Duration) -> Result<Option<Duration>> {
        let begun = Instant::now();
        self.signal("TERM")?;
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        while begun.elapsed() < limit {
            if self.child.try_wait()?.is_some() {
                return Ok(Some(begun.elapsed()));
            }
            interval.tick().await;
        }
        Ok(None)
    }

    /// Starts the service again after it was killed, and waits until it is ready.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let folder = self.folder.path();
        self.child = spawn(&self.program, &self.options, self.address, &self.token, folder, &self.database_url)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let ready = async || {
            if self.has_ended() {
                return Some(false);
            }
            let answer = self.client.get(self.url("/readyz")).send().await.ok()?;
            answer.status().is_success().then_some(true)
        };
        let is_ready = wait_for("the service is ready", PATIENCE, ready).await?;
        ensure!(is_ready, "the service ended before it was ready; its log: {}", self.log()?);
        Ok(())
    }

    /// Whether the process has ended. Linux keeps its state until this program reads it.
    fn has_ended(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        status.is_ok_and(|status| status.lines().any(|line| line.starts_with("State:\tZ")))
    }

    /// The URL of a path of the service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The answer to a GET, with its headers.
    pub(crate) async fn answer(&self, path: &str) -> Result<reqwest::Response> {
        Ok(self.client.get(self.url(path)).bearer_auth(&self.token).send().await?.error_for_status()?)
    }

    /// The answer to a GET, as text.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        Ok(self.answer(path).await?.text().await?)
    }

    /// A number of kB from `/proc/PID/status`, such as `VmRSS`, the memory in use now, or `VmHWM`, its peak.
    pub(crate) fn memory(&self, what: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()).context("no such line in /proc/PID/status")?;
        Ok(number.parse()?)
    }

    /// The answer to a GET, as JSON.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        json(Method::GET, path, self.client.get(self.url(path)).bearer_auth(&self.token).send().await?).await
    }

    /// The value of an integer metric for Prometheus, by its full name with labels.
    pub(crate) async fn measured(&self, name: &str) -> Result<u64> {
        let text = self.client.get(self.url("/metrics")).send().await?.error_for_status()?.text().await?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no metric {name}"))?.parse()?)
    }

    /// Sends a POST with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        json(Method::POST, path, self.client.post(self.url(path)).bearer_auth(&self.token).json(body).send().await?).await
    }

    /// Sends a POST with a JSON body and an idempotency key.
    pub(crate) async fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Result<Value> {
        let request = self.client.post(self.url(path)).bearer_auth(&self.token).header("Idempotency-Key", key);
        json(Method::POST, path, request.json(body).send().await?).await
    }

    /// Sends a PATCH with a JSON body.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        json(Method::PATCH, path, self.client.patch(self.url(path)).bearer_auth(&self.token).json(body).send().await?).await
    }

    /// Sends a request that may be refused, and returns the status and the body of the answer. Null is sent as no body, and a text
    /// as CSV.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send_as(&self.token, method, path, body).await
    }

    /// Does the same as [`send`](Self::send) with another token.
    pub(crate) async fn send_as(&self, token: &str, method: Method, path: &str, body: &Value) -> Result<(u16, Value)> {
        let request = self.client.request(method.clone(), self.url(path)).bearer_auth(token).timeout(PATIENCE);
        let request = match body {
            Value::Null => request,
            Value::String(csv) => request.header("Content-Type", "text/csv").body(csv.clone()),
            json => request.json(json),
        };
        let answer = request.send().await?;
        let (status, body) = (answer.status().as_u16(), answer.json().await?);
        check_rules(&method, path, status, &body);
        Ok((status, body))
    }

    /// Writes a secret to the service's folder of secrets.
    pub(crate) fn write_secret(&self, name: &str, text: &str) -> Result<()> {
        let folder = self.folder.path().join("secrets");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join(name), text)?)
    }

    /// The service's log so far.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    /// Sends a PUT with a JSON body.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        json(Method::PUT, path, self.client.put(self.url(path)).bearer_auth(&self.token).json(body).send().await?).await
    }

    /// The answer to a DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        json(Method::DELETE, path, self.client.delete(self.url(path)).bearer_auth(&self.token).send().await?).await
    }

    /// Sends a PUT with bytes.
    pub(crate) async fn put_bytes(&self, path: &str, bytes: impl Into<reqwest::Body>) -> Result<Value> {
        json(Method::PUT, path, self.client.put(self.url(path)).bearer_auth(&self.token).body(bytes).send().await?).await
    }

    /// Sends a CSV text with an idempotency key. `Err` if the connection broke.
    pub(crate) async fn import(&self, csv: String, key: &str) -> Result<Value> {
        let path = "/api/v1/imports";
        let request = self
            .client
            .post(self.url(path))
            .bearer_auth(&self.token)
            .header("Content-Type", "text/csv")
            .header("Idempotency-Key", key);
        json(Method::POST, path, request.body(csv).send().await?).await
    }

    /// Runs a subcommand over the service's database and returns its output.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with(arguments, "").await
    }

    /// Runs a subcommand with this text on its standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_bootledger"));
        command.args(arguments).env("DATABASE_URL", &self.database_url).env("BOOTLEDGER_DATA_DIR", self.folder.path());
        command.env("BOOTLEDGER_SECRETS_DIR", self.folder.path().join("secrets"));
        command.env("BOOTLEDGER_OUTBOUND_ALLOW", "127.0.0.0/8,::1/128");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("a standard input")?;
        // A program that does not read its input may have ended already.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        let output = child.wait_with_output().await?;
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bootledger {arguments:?} failed: {message}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(
    program: &Path,
    options: &[String],
    address: SocketAddr,
    token: &str,
    folder: &Path,
    database_url: &str,
) -> Result<Child> {
    // All instances on one database share a key.
    std::fs::write(folder.join("service.key"), "5e".repeat(32))?;
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let mut command = Command::new(program);
    command.args(["serve", "--listen", &address.to_string(), "--trusted-proxy", "127.0.0.1/32"]).args(options);
    if database_url.is_empty() {
        command.env_remove("DATABASE_URL");
    } else {
        command.env("DATABASE_URL", database_url);
    }
    command.env("BOOTLEDGER_DATA_DIR", folder).env("BOOTLEDGER_ADMIN_TOKEN", token);
    command.env("BOOTLEDGER_SECRETS_DIR", folder.join("secrets")).env("BOOTLEDGER_OUTBOUND_ALLOW", "127.0.0.0/8,::1/128");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().context("the service cannot be started")
}

async fn json(method: Method, path: &str, answer: reqwest::Response) -> Result<Value> {
    let (status, text) = (answer.status(), answer.text().await?);
    check_rules(&method, path, status.as_u16(), &serde_json::from_str(&text).unwrap_or_default());
    ensure!(status.is_success(), "{path} answered {status}: {text}");
    Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))? })
}

/// Waits until a condition returns `Some`, checking it in short intervals.
pub(crate) async fn wait_for<T>(what: &str, limit: Duration, condition: impl AsyncFn() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    let mut interval = tokio::time::interval(Duration::from_millis(50));
    while begun.elapsed() < limit {
        if let Some(found) = condition().await {
            return Ok(found);
        }
        interval.tick().await;
    }
    bail!("in {limit:?} it did not happen that {what}")
}
