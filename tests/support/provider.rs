//! An OpenID Connect provider (`oidc-provider-mock`, which `scripts/setup test` installs) with users that a test defines.

use super::process::wait_for;
use anyhow::{Context, Result, ensure};
use reqwest::header::LOCATION;
use reqwest::{Client, redirect};
use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// A running provider; it ends when dropped.
pub(crate) struct Provider {
    url: String,
    client: Client,
    _child: Child,
}

impl Provider {
    /// Starts the provider on a free port and waits until it answers.
    pub(crate) async fn start() -> Result<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let program = crate::support::target().join("lab/oidc-provider-mock/bin/oidc-provider-mock");
        ensure!(program.exists(), "there is no {}; run scripts/setup test", program.display());
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--require-nonce"]).kill_on_drop(true);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let client = Client::builder().redirect(redirect::Policy::none()).build()?;
        let provider = Self { url: format!("http://127.0.0.1:{port}"), client, _child: child };
        let answers = async || {
            let requested =
                provider.client.get(format!("{}/.well-known/openid-configuration", provider.url)).send().await.ok()?;
            requested.status().is_success().then_some(())
        };
        wait_for("the provider answers", Duration::from_mins(2), answers).await?;
        Ok(provider)
    }

    /// The provider's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Defines the claims of a user.
    pub(crate) async fn knows(&self, subject: &str, claims: &Value) -> Result<()> {
        self.client.put(format!("{}/users/{subject}", self.url)).json(claims).send().await?.error_for_status()?;
        Ok(())
    }

    /// Plays a user who was redirected to this URL: signs in as this subject, or denies the request without one. Returns where
    /// the browser is redirected.
    pub(crate) async fn visited(&self, url: &str, subject: Option<&str>) -> Result<String> {
        let body = subject.map_or_else(|| "action=deny".to_owned(), |subject| format!("sub={subject}"));
        let request = self.client.post(url).header("Content-Type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await?;
        ensure!(answer.status().is_redirection(), "the provider answered {}", answer.status());
        let location = answer.headers().get(LOCATION).context("no location")?.to_str()?.to_owned();
        Ok(location)
    }
}
