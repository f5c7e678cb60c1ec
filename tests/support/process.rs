//! `bootledger serve` as a process of its own, asked over HTTP like everybody asks it.

use anyhow::{Context, Result, bail, ensure};
use bootledger_aggregates::values::ids::TokenId;
use bootledger_web::auth::token::Secret;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// How long a start may take on a machine that is busy with other things.
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
    /// Starts it over a database, on a free port of this address, and waits until it is ready.
    pub(crate) async fn start(address: Ipv4Addr, database_url: String) -> Result<Self> {
        Self::start_with(address, database_url, PathBuf::from(env!("CARGO_BIN_EXE_bootledger")), vec![]).await
    }

    /// The same, with this file as the program, and further options.
    pub(crate) async fn start_with(
        address: Ipv4Addr,
        database_url: String,
        program: PathBuf,
        options: Vec<String>,
    ) -> Result<Self> {
        // A second start does nothing.
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

    /// Kills it with SIGKILL, in the middle of whatever it does, and starts it again.
    pub(crate) async fn kill_and_restart(&mut self) -> Result<()> {
        self.kill()?;
        self.start_again().await
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal by its name: `STOP` has it stand still, `CONT` go on.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "the service cannot be sent {name}");
        Ok(())
    }

    /// Sends it SIGTERM, and says how long it took to end; `None` where it did not within the limit.
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

    /// Starts it after it was killed, and waits until it is ready.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let folder = self.folder.path();
        self.child = spawn(&self.program, &self.options, self.address, &self.token, folder, &self.database_url)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let ready = async || {
            let answer = self.client.get(self.url("/readyz")).send().await.ok()?;
            answer.status().is_success().then_some(())
        };
        wait_for("the service is ready", PATIENCE, ready).await
    }

    /// The service's URL, and a path of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// What a GET answers, with its headers.
    pub(crate) async fn answer(&self, path: &str) -> Result<reqwest::Response> {
        Ok(self.client.get(self.url(path)).bearer_auth(&self.token).send().await?.error_for_status()?)
    }

    /// What a GET answers, as text.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        Ok(self.answer(path).await?.text().await?)
    }

    /// A number of kB out of `/proc/PID/status`, such as `VmRSS`, the memory it has now, or `VmHWM`, the most it had.
    pub(crate) fn memory(&self, what: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()).context("no such line in /proc/PID/status")?;
        Ok(number.parse()?)
    }

    /// What a GET answers, as JSON.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        json(path, self.client.get(self.url(path)).bearer_auth(&self.token).send().await?).await
    }

    /// One of the whole numbers that Prometheus is told, by its whole name with labels.
    pub(crate) async fn measured(&self, name: &str) -> Result<u64> {
        let text = self.client.get(self.url("/metrics")).send().await?.error_for_status()?.text().await?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("nobody measures {name}"))?.parse()?)
    }

    /// Sends a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        json(path, self.client.post(self.url(path)).bearer_auth(&self.token).json(body).send().await?).await
    }

    /// Sends a JSON body with an idempotency key.
    pub(crate) async fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Result<Value> {
        let request = self.client.post(self.url(path)).bearer_auth(&self.token).header("Idempotency-Key", key);
        json(path, request.json(body).send().await?).await
    }

    /// Changes what a JSON body says.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        json(path, self.client.patch(self.url(path)).bearer_auth(&self.token).json(body).send().await?).await
    }

    /// Puts a secret where the service looks for it.
    pub(crate) fn write_secret(&self, name: &str, text: &str) -> Result<()> {
        let folder = self.folder.path().join("secrets");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join(name), text)?)
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    /// Puts a JSON body.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        json(path, self.client.put(self.url(path)).bearer_auth(&self.token).json(body).send().await?).await
    }

    /// What a DELETE answers.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        json(path, self.client.delete(self.url(path)).bearer_auth(&self.token).send().await?).await
    }

    /// Puts bytes.
    pub(crate) async fn put_bytes(&self, path: &str, bytes: impl Into<reqwest::Body>) -> Result<Value> {
        json(path, self.client.put(self.url(path)).bearer_auth(&self.token).body(bytes).send().await?).await
    }

    /// Sends a CSV text with an idempotency key. `Err` where the connection broke.
    pub(crate) async fn import(&self, csv: String, key: &str) -> Result<Value> {
        let path = "/api/v1/imports";
        let request = self
            .client
            .post(self.url(path))
            .bearer_auth(&self.token)
            .header("Content-Type", "text/csv")
            .header("Idempotency-Key", key);
        json(path, request.body(csv).send().await?).await
    }

    /// Runs a subcommand over the service's database, and gives what it prints.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with(arguments, "").await
    }

    /// The same, with this on its standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_bootledger"));
        command.args(arguments).env("DATABASE_URL", &self.database_url).env("BOOTLEDGER_DATA_DIR", self.folder.path());
        command.env("BOOTLEDGER_SECRETS_DIR", self.folder.path().join("secrets"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("a standard input")?;
        // Who reads nothing may have ended already.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        let output = child.wait_with_output().await?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bootledger {arguments:?} failed: {told}");
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
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let mut command = Command::new(program);
    command.args(["serve", "--listen", &address.to_string(), "--trusted-proxy", "127.0.0.1/32"]).args(options);
    command.env("DATABASE_URL", database_url).env("BOOTLEDGER_DATA_DIR", folder).env("BOOTLEDGER_ADMIN_TOKEN", token);
    command.env("BOOTLEDGER_SECRETS_DIR", folder.join("secrets"));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().context("the service cannot be started")
}

async fn json(path: &str, answer: reqwest::Response) -> Result<Value> {
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path} answered {status}: {text}");
    Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))? })
}

/// Waits until a condition gives something, looking again at once.
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
