//! `bootledger dhcp-agent` as a process of its own, and queries to the service about it.

use super::process::{Process, wait_for};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long an agent may take on a machine that is busy with other work; it also retries at growing intervals.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Starts an agent that keeps `configuration` for the DHCP server `name` of a site. It is killed when dropped.
pub(crate) async fn start(
    service: &Process,
    (name, site, kind): (&str, &str, &str),
    configuration: &Path,
    options: &[&str],
) -> Result<Child> {
    let token = service.run(&["token", "create", "agent", "--dhcp-server", name]).await?;
    let mut command = command(&service.url(""), (name, site, kind), token.trim(), configuration);
    command.args(options).spawn().context("the agent cannot be started")
}

/// The program, without the options that say how it checks and reloads; its process is killed when dropped.
pub(crate) fn command(url: &str, (name, site, kind): (&str, &str, &str), token: &str, configuration: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootledger"));
    command.args(["dhcp-agent", "--server-name", name, "--site", site, "--kind", kind, "--url", url]);
    command.arg("--config").arg(configuration).env("BOOTLEDGER_TOKEN", token).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Waits until the server has confirmed the newest configuration of its site, and returns its revision.
pub(crate) async fn confirms(service: &Process, name: &str, file: &str) -> Result<String> {
    wait_for(&format!("{name} runs the newest configuration"), PATIENCE, async || {
        let newest = service.answer(file).await.ok()?.headers().get("ETag")?.to_str().ok()?.trim_matches('"').to_owned();
        let server = service.get(&format!("/api/v1/dhcp-servers/{name}")).await.ok()?;
        (server["failing"].is_null() && server["confirmed"]["revision"] == *newest).then_some(newest)
    })
    .await
}

/// Waits until the server has reported a failure with these words, and returns the whole message.
pub(crate) async fn reports(service: &Process, name: &str, words: &str) -> Result<String> {
    let path = format!("/api/v1/dhcp-servers/{name}");
    let what = format!("{name} reports {words:?}");
    let waited = wait_for(&what, PATIENCE, async || {
        let message = service.get(&path).await.ok()?["failing"]["message"].as_str()?.to_owned();
        message.contains(words).then_some(message)
    });
    match waited.await {
        Ok(message) => Ok(message),
        Err(error) => Err(error.context(service.get(&path).await.unwrap_or(Value::Null).to_string())),
    }
}
