//! Redfish (DMTF DSP0266) over HTTPS, with HTTP Basic authentication. Only what the server's own system says is used:
//! its `PowerState`, its `Boot` override, and the targets and values that its `#ComputerSystem.Reset` offers.

use super::{Credentials, Trouble, pinned};
use bootledger_aggregates::device::management::{Access, BootMode, Tls};
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::values::text::Text;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ETAG, HeaderMap, IF_MATCH};
use reqwest::{Client, Method, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);

/// An answer with more bytes is none.
const LARGEST: usize = 1024 * 1024;

/// Where the systems are, for every Redfish service (DSP0266, the URIs of its resources).
const SYSTEMS: &str = "/redfish/v1/Systems";

/// What the id of a system is escaped for: all but what RFC 3986 reserves for nothing.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A controller that speaks Redfish.
#[derive(Debug)]
pub(crate) struct Redfish {
    address: Ipv4Addr,
    base: String,
    system: Option<Text>,
    boot_mode: Option<BootMode>,
    credentials: Credentials,
    client: Client,
}

#[derive(Debug, Deserialize)]
struct Link {
    #[serde(rename = "@odata.id")]
    id: String,
}

#[derive(Debug, Deserialize)]
struct Systems {
    #[serde(rename = "Members")]
    members: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct System {
    #[serde(rename = "PowerState", default)]
    power: Option<String>,
    #[serde(rename = "Boot", default)]
    boot: Boot,
    #[serde(rename = "Actions", default)]
    actions: Actions,
}

#[derive(Debug, Default, Deserialize)]
struct Boot {
    #[serde(rename = "BootSourceOverrideEnabled", default)]
    enabled: Option<String>,
    #[serde(rename = "BootSourceOverrideTarget", default)]
    target: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Actions {
    #[serde(rename = "#ComputerSystem.Reset", default)]
    reset: Option<Reset>,
}

#[derive(Debug, Deserialize)]
struct Reset {
    target: String,
    #[serde(rename = "ResetType@Redfish.AllowableValues", default)]
    offered: Vec<String>,
}

/// A resource with where it is and in which version.
struct Found<T> {
    path: String,
    version: Option<String>,
    body: T,
}

impl Redfish {
    pub(super) fn new(address: Ipv4Addr, access: &Access, credentials: Credentials) -> Result<Self, Trouble> {
        let unusable = |error: &dyn std::fmt::Display| Trouble::certain(format!("no HTTP client can be made: {error}"));
        let client = Client::builder()
            .timeout(LIMIT)
            // Neither a redirect nor a proxy of the environment may lead the password elsewhere.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("bootledger/", env!("CARGO_PKG_VERSION")));
        let client = match access.tls {
            Tls::Verify => client.https_only(true),
            Tls::Pinned(fingerprint) => client
                .https_only(true)
                .tls_backend_preconfigured(pinned::configuration(fingerprint).map_err(|error| unusable(&error))?),
            Tls::Off => client,
        };
        let (scheme, port) = if access.tls == Tls::Off { ("http", 80) } else { ("https", 443) };
        Ok(Self {
            address,
            base: format!("{scheme}://{address}:{}", access.port.unwrap_or(port)),
            system: access.system.clone().filter(|system| !system.is_empty()),
            boot_mode: access.boot_mode,
            credentials,
            client: client.build().map_err(|error| unusable(&error))?,
        })
    }

    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub(super) async fn state(&self) -> Result<PowerState, Trouble> {
        Ok(match self.system().await?.body.power.as_deref() {
            Some("On") => PowerState::On,
            Some("Off") => PowerState::Off,
            _ => PowerState::Unknown,
        })
    }

    pub(super) async fn boot_from_network_once(&self) -> Result<(), Trouble> {
        let system = self.system().await?;
        let mut boot = json!({ "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe" });
        match self.boot_mode {
            Some(BootMode::Uefi) => boot["BootSourceOverrideMode"] = "UEFI".into(),
            Some(BootMode::Bios) => boot["BootSourceOverrideMode"] = "Legacy".into(),
            None => {}
        }
        let body = json!({ "Boot": boot });
        self.send(Method::PATCH, &system.path, Some(&body), system.version.as_deref()).await?;
        // Many answer "done" to what they leave as it was.
        let boot = self.system().await?.body.boot;
        // One that says that it will do so for longer does no harm: a server that is done is told to boot its disk.
        if matches!(boot.enabled.as_deref(), Some("Once" | "Continuous")) && boot.target.as_deref() == Some("Pxe") {
            return Ok(());
        }
        let has = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
        Err(Trouble::certain(self.credentials.redact(&format!(
            "the management controller {} did not take the order to boot from the network once: its override is {} for {}",
            self.address,
            has(boot.enabled),
            has(boot.target)
        ))))
    }

    pub(super) async fn set(&self, action: PowerAction) -> Result<(), Trouble> {
        let system = self.system().await?;
        let Some(reset) = system.body.actions.reset else {
            return Err(Trouble::certain(format!("the management controller {} offers no reset of the server", self.address)));
        };
        let wanted: &[&str] = match action {
            PowerAction::On => &["On", "ForceOn"],
            PowerAction::Off => &["ForceOff"],
            PowerAction::Cycle => &["ForceRestart", "PowerCycle"],
        };
        let offered = |kind: &&&str| reset.offered.is_empty() || reset.offered.iter().any(|offered| offered == **kind);
        let Some(kind) = wanted.iter().find(offered) else {
            return Err(Trouble::certain(self.credentials.redact(&format!(
                "the management controller {} offers none of {} for the server, only {}",
                self.address,
                wanted.join(", "),
                reset.offered.join(", ")
            ))));
        };
        self.send(Method::POST, &reset.target, Some(&json!({ "ResetType": kind })), None).await.map(drop)
    }

    /// The system that is named, else the only one.
    async fn system(&self) -> Result<Found<System>, Trouble> {
        if let Some(system) = &self.system {
            return self.get(&format!("{SYSTEMS}/{}", utf8_percent_encode(system.as_str(), UNSAFE))).await;
        }
        let systems: Found<Systems> = self.get(SYSTEMS).await?;
        if let [only] = &systems.body.members[..] {
            return self.get(&only.id).await;
        }
        let members = &systems.body.members;
        let ids: Vec<&str> = members.iter().filter_map(|link| link.id.rsplit('/').next()).take(20).collect();
        Err(Trouble::certain(self.credentials.redact(&format!(
            "the management controller {} has {} systems ({}); say in management.system which is the server",
            self.address,
            members.len(),
            ids.join(", ")
        ))))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Found<T>, Trouble> {
        let (headers, body) = self.send(Method::GET, path, None, None).await?;
        let body = serde_json::from_slice(&body).map_err(|error| {
            self.unanswered(format!("what the management controller {} answered is no Redfish: {error}", self.address))
        })?;
        let version = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok(Found { path: path.to_owned(), version, body })
    }

    /// One request. Failures of what changes something are uncertain unless the controller was not reached or refused.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<(HeaderMap, Vec<u8>), Trouble> {
        // A link that names another host would lead the password there.
        if !path.starts_with('/') || path.starts_with("//") {
            let path = self.credentials.redact(path);
            let reason = format!("the management controller {} refers to {path:?}, which is not its own", self.address);
            return Err(self.unanswered(reason));
        }
        let changes = method == Method::POST;
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        request = request.basic_auth(&self.credentials.user, Some(self.credentials.password.expose()));
        request = request.header("OData-Version", "4.0");
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(version) = version {
            request = request.header(IF_MATCH, version);
        }
        let lost = |error: reqwest::Error| {
            let trouble = self.unreachable(&error);
            Trouble { uncertain: changes && !error.is_connect(), ..trouble }
        };
        let mut answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        let mut bytes = vec![];
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if bytes.len() + chunk.len() > LARGEST {
                let reason = format!("the management controller {} answered with more than {LARGEST} bytes", self.address);
                return Err(Trouble { uncertain: changes, ..self.unanswered(reason) });
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok((answer.headers().clone(), bytes));
        }
        Err(Trouble { uncertain: changes && status.is_server_error(), ..self.refused(status, path, &bytes) })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        let address = self.address;
        if error.is_timeout() {
            let reason = format!("the management controller {address} did not answer by Redfish within {} s", LIMIT.as_secs());
            return Trouble { slow: true, ..self.unanswered(reason) };
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let cause = self.credentials.redact(&cause.to_string());
        if cause.contains("certificate") {
            return self.unanswered(format!(
                "the management controller {address} is not trusted and was told no password: {cause}; if it is the right one, \
                 pin its certificate with management.tls, or have this machine trust the authority that signed it"
            ));
        }
        self.unanswered(format!("the management controller {address} cannot be reached by Redfish at {}: {cause}", self.base))
    }

    fn unanswered(&self, reason: impl Into<String>) -> Trouble {
        Trouble::unanswered(self.address, "Redfish", reason)
    }

    fn refused(&self, status: StatusCode, path: &str, body: &[u8]) -> Trouble {
        let (address, user) = (self.address, &self.credentials.user);
        if status == StatusCode::UNAUTHORIZED {
            return Trouble::certain(format!("the management controller {address} refused user {user}: wrong name or password"));
        }
        if status.is_redirection() {
            return self.unanswered(format!(
                "the management controller {address} answered with a redirect ({status}), which is not followed, since it may \
                 lead elsewhere; look at its port and management.tls"
            ));
        }
        let words = self.credentials.redact(&said(body));
        let said = if words.is_empty() { String::new() } else { format!(": {words}") };
        if status == StatusCode::FORBIDDEN && !words.is_empty() {
            return Trouble::certain(format!("the management controller {address} does not let user {user} do this{said}"));
        }
        let path = self.credentials.redact(path);
        let reason = format!("the management controller {address} answered {path} with {status}{said}");
        // Only what has the form of a Redfish error is an answer of a controller.
        if words.is_empty() { self.unanswered(reason) } else { Trouble::certain(reason) }
    }
}

/// The words of a Redfish error, at most 150 characters of them.
fn said(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return String::new() };
    let extended = body.pointer("/error/@Message.ExtendedInfo/0/Message");
    let words = extended.or_else(|| body.pointer("/error/message")).and_then(Value::as_str).unwrap_or_default();
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(150).collect()
}
