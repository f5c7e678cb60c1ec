//! The agent's client of the service's HTTP interface: fetches configurations, and reports on them.

use super::Arguments;
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_secrets::Secret;
use reqwest::header::{AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use sha2::Digest;
use std::time::Duration;

/// How long a response may take in addition to the requested wait, and how long its next bytes may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The maximum size of a configuration, in bytes. Anything larger is not a configuration.
const LARGEST: usize = 512 * 1024 * 1024;

/// The service, as one DHCP server's agent uses it.
#[derive(Debug)]
pub(crate) struct Service {
    client: reqwest::Client,
    configuration: String,
    confirmation: String,
    token: Secret,
}

/// The position of a configuration in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The position up to which the configuration is current.
    pub(crate) current: i64,
    /// The position of the last event that may have changed the configuration.
    pub(crate) changed: i64,
}

/// The result of fetching a configuration.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// The configuration that the agent already has.
    Same(Place),
    /// A different configuration.
    New { bytes: Vec<u8>, revision: Sha256, place: Place },
}

/// The agent's report to the service, sent with `PUT /dhcp/servers/{name}/confirmation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// The revision of the configuration, if there is one.
    pub(crate) revision: Option<Sha256>,
    /// The position up to which the configuration is current.
    pub(crate) position: Option<i64>,
    /// Whether the server runs the configuration.
    pub(crate) ok: bool,
    /// Why the server does not run it; empty if it does.
    pub(crate) message: String,
}

impl Report {
    /// A report that the server runs this configuration.
    pub(crate) fn ok(revision: Sha256, place: Place) -> Self {
        Self { revision: Some(revision), position: Some(place.current), ok: true, message: String::new() }
    }

    /// A report that the server does not run this configuration, or that there is none that it could run.
    pub(crate) fn failed(what: Option<(Sha256, Place)>, message: String) -> Self {
        let (revision, place) = what.unzip();
        Self { revision, position: place.map(|place| place.current), ok: false, message }
    }
}

/// The result of sending a report.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// The service has accepted the report.
    Taken,
    /// The service rejects the report, and would reject it again.
    Refused(anyhow::Error),
    /// The service could not be reached or is not ready.
    Away(anyhow::Error),
}

impl Service {
    pub(crate) fn new(arguments: &Arguments, token: Secret) -> Result<Self> {
        // Another part of the same program may already have installed the provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            // A redirect could send the token to a different server.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("bootledger-dhcp-agent/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot create an HTTP client")?;
        let url = arguments.url.as_str();
        Ok(Self {
            client,
            configuration: format!("{url}/dhcp/{}/{}", arguments.site, arguments.kind.file()),
            confirmation: format!("{url}/dhcp/servers/{}/confirmation", arguments.server_name),
            token,
        })
    }

    /// Waits up to `wait` for a configuration other than `have`, or for an event after `confirmed` that may have changed it.
    /// The inner error is the service's message that it cannot write the site's configuration for this kind of server.
    pub(crate) async fn fetch(
        &self,
        have: Option<Sha256>,
        confirmed: Option<i64>,
        wait: Duration,
    ) -> Result<Result<Fetched, String>> {
        let mut request = self.client.get(&self.configuration).query(&[("wait", wait.as_secs())]);
        if let Some(have) = have {
            request = request.header(IF_NONE_MATCH, format!("\"{have}\""));
        }
        if let Some(confirmed) = confirmed {
            request = request.query(&[("confirmed", confirmed)]);
        }
        let response = tokio::time::timeout(wait + PATIENCE, request.send())
            .await
            .context("the service did not respond in time")?
            .with_context(|| format!("{} cannot be reached", self.configuration))?;
        match response.status() {
            StatusCode::NOT_MODIFIED => Ok(Ok(Fetched::Same(place(response.headers())?))),
            StatusCode::OK => {
                let place = place(response.headers())?;
                let named =
                    response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(|tag| tag.trim_matches('"').to_owned());
                let (bytes, revision) = read(response).await?;
                ensure!(
                    named.as_deref() == Some(revision.to_string().as_str()),
                    "the configuration arrived damaged: its hash is {revision}, but its ETag {named:?}"
                );
                Ok(Ok(Fetched::New { bytes, revision, place }))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Err(said(response).await)),
            _ => Err(refusal(response).await),
        }
    }

    /// Reports to the service what the server runs, or why it does not run a configuration.
    pub(crate) async fn report(&self, report: &Report) -> Delivery {
        let Ok(mut authorization) = HeaderValue::from_str(&format!("Bearer {}", self.token.expose())) else {
            return Delivery::Refused(anyhow::anyhow!("the token cannot be sent"));
        };
        authorization.set_sensitive(true);
        let report = Report { message: report.message.replace(self.token.expose(), "…"), ..report.clone() };
        let request = self.client.put(&self.confirmation).header(AUTHORIZATION, authorization).json(&report).timeout(PATIENCE);
        match request.send().await {
            Err(error) => Delivery::Away(anyhow::Error::new(error).context("cannot report to the service")),
            Ok(response) if response.status().is_success() => Delivery::Taken,
            Ok(response) => {
                let status = response.status();
                let error = refusal(response).await;
                let passes = status.is_server_error()
                    || matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
                if passes { Delivery::Away(error) } else { Delivery::Refused(error) }
            }
        }
    }
}

/// The positions in the headers of a response.
fn place(headers: &HeaderMap) -> Result<Place> {
    let position = |name: &str| -> Result<i64> {
        let value =
            headers.get(name).with_context(|| format!("the response has no {name}; check that the URL is Bootledger's"))?;
        value.to_str()?.parse().with_context(|| format!("the response's {name} is not a position"))
    };
    Ok(Place { current: position("Bootledger-Position")?, changed: position("Bootledger-Changed-Position")? })
}

/// The bytes of a response and their hash, which is computed while they arrive.
async fn read(mut response: Response) -> Result<(Vec<u8>, Sha256)> {
    let (mut bytes, mut hash) = (vec![], sha2::Sha256::new());
    while let Some(chunk) =
        tokio::time::timeout(PATIENCE, response.chunk()).await.context("the service stopped during the response")??
    {
        ensure!(bytes.len() + chunk.len() <= LARGEST, "the configuration has more than {LARGEST} bytes");
        hash.update(&chunk);
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, Sha256::new(hash.finalize().into())))
}

/// The error of an unsuccessful response, with the service's message.
async fn refusal(response: Response) -> anyhow::Error {
    let (status, url) = (response.status(), response.url().path().to_owned());
    anyhow::anyhow!("{url} responded with {status}: {}", said(response).await)
}

/// The errors in a response, on one line: every validation problem, otherwise the whole body.
async fn said(response: Response) -> String {
    let body = tokio::time::timeout(PATIENCE, response.text()).await.ok().and_then(Result::ok).unwrap_or_default();
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    let rules: Vec<&str> =
        problem["errors"].as_array().into_iter().flatten().filter_map(|rule| rule["message"].as_str()).collect();
    let said = match (rules.is_empty(), &problem["detail"], &problem["title"]) {
        (false, ..) => rules.join("; "),
        (true, Value::String(words), _) | (true, _, Value::String(words)) => words.clone(),
        _ => body,
    };
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    said.trim().to_owned()
}
