//! Redfish (DMTF DSP0266) over HTTPS. Only information from the server's own system resource is used: its `PowerState`, its
//! `Boot` override, and the targets and values of its `#ComputerSystem.Reset`. Deviations of manufacturers from the
//! specification are in docs/controllers.md, with references; `tests/quirks.rs` tests each of them.

mod boot;
mod http;
mod messages;
mod resources;

use super::{Credentials, READ_BACK, Trouble};
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::management::BootMode;
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::values::text::Text;
use http::{Answer, Http, Refusal};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, StatusCode};
use resources::{ActionInfo, Reset, Root, System, Systems};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The path of the systems in every Redfish service (DSP0266, resource URIs), and that of the service itself.
const SYSTEMS: &str = "/redfish/v1/Systems";
const ROOT: &str = "/redfish/v1/";

/// The maximum number of pages of systems that are read, and of systems.
const PAGES: usize = 10;
const MOST: usize = 1000;

/// The maximum number of the controller's systems, resets or boot targets in a failure.
const SHOWN: usize = 20;

/// The characters that are escaped in the id of a system: all except the unreserved ones of RFC 3986.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A controller that supports Redfish.
#[derive(Debug)]
pub(crate) struct Redfish {
    http: Http,
    system: Option<Text>,
    boot_mode: Option<BootMode>,
}

/// A resource with its path and version.
struct SystemResource<T> {
    path: String,
    version: Option<String>,
    body: T,
}

impl Redfish {
    pub(super) fn new(management: &Management, credentials: Credentials) -> Result<Self, Trouble> {
        Ok(Self {
            http: Http::new(management, credentials)?,
            system: management.access.system.clone().filter(|system| !system.is_empty()),
            boot_mode: management.access.boot_mode,
        })
    }

    pub(super) fn host(&self) -> &Host {
        self.http.host()
    }

    /// Words of the service, without the password.
    fn words(&self, words: &str) -> Text {
        Text::fitted(&self.http.redact(words))
    }

    /// Closes sessions that the requests have opened.
    pub(super) async fn close(&self) {
        self.http.close().await;
    }

    pub(super) async fn state(&self) -> Result<PowerState, Trouble> {
        Ok(state(&self.system().await?.body))
    }

    pub(super) async fn set(&self, action: PowerAction) -> Result<(), Trouble> {
        let system = self.system().await?;
        let path = system.path;
        let found = state(&system.body);
        let Some(reset) = system.body.actions.reset else {
            return Err(Trouble::certain(PowerFailure::NoReset { controller: self.host().clone() }));
        };
        let target =
            reset.target.clone().unwrap_or_else(|| format!("{}/Actions/ComputerSystem.Reset", path.trim_end_matches('/')));
        let offered = self.offered(&reset).await?;
        let of = |kinds: &[&'static str]| -> Vec<&'static str> {
            kinds.iter().copied().filter(|kind| offered.is_empty() || offered.iter().any(|offered| offered == kind)).collect()
        };
        // The button is pressed only if there is no other way and the server was found to be off: otherwise it would switch the
        // server off. In particular, it is not pressed after a refused `On`, which may mean that the server is on by now.
        let only_button = offered.iter().any(|kind| kind == "PushPowerButton")
            && !offered.iter().any(|kind| kind == "On" || kind == "ForceOn")
            && found == PowerState::Off;
        let wanted: &[&str] = match action {
            PowerAction::On if only_button => &["PushPowerButton"],
            PowerAction::On => &["On", "ForceOn"],
            PowerAction::Off => &["ForceOff"],
            PowerAction::Cycle => &["ForceRestart", "PowerCycle"],
        };
        let kinds = of(wanted);
        if !kinds.is_empty() {
            return self.reset(&target, &kinds).await;
        }
        let (off, on) = (of(&["ForceOff"]), of(&["On", "ForceOn"]));
        if action == PowerAction::Cycle && !off.is_empty() && !on.is_empty() {
            self.reset(&target, &off).await?;
            self.wait_until_off().await?;
            return self.reset(&target, &on).await.map_err(|trouble| Trouble { uncertain: true, ..trouble });
        }
        Err(Trouble::certain(PowerFailure::ResetNotOffered {
            controller: self.host().clone(),
            wanted: wanted.iter().map(|kind| Text::fitted(kind)).collect(),
            offered: offered.iter().take(SHOWN).map(|kind| self.words(kind)).collect(),
        }))
    }

    /// The kinds of reset that the system offers; empty if it does not say.
    async fn offered(&self, reset: &Reset) -> Result<Vec<String>, Trouble> {
        let Some(info) = reset.info().filter(|_| reset.offered.is_empty()) else { return Ok(reset.offered.clone()) };
        // The values are only advisory: without them, the action itself reports what it does not accept.
        let Ok(found) = self.get::<ActionInfo>(info).await else { return Ok(vec![]) };
        let named = |name: &Option<String>| name.as_deref() == Some("ResetType");
        Ok(found.body.parameters.into_iter().find(|parameter| named(&parameter.name)).unwrap_or_default().values)
    }

    /// Carries out the first of these kinds that the controller knows.
    async fn reset(&self, target: &str, kinds: &[&str]) -> Result<(), Trouble> {
        let mut refused = None;
        for kind in kinds {
            // An action is not a resource: iDRAC refuses it with a version (metal-operator issue 1015).
            match self.http.send(Method::POST, target, Some(&json!({ "ResetType": kind })), None).await {
                Ok(answer) => return self.taken(kind, &answer).await,
                Err(Refusal { trouble, other_form: true, .. }) if !trouble.uncertain => {
                    refused.get_or_insert(trouble);
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Err(refused.unwrap_or_else(|| Trouble::certain(PowerFailure::NoReset { controller: self.host().clone() })))
    }

    /// The result of a reset that the controller accepted: its task may have failed, or its response be a warning. The power
    /// state is read back in any case, but a restart cannot be verified in that way.
    async fn taken(&self, kind: &str, answer: &Answer) -> Result<(), Trouble> {
        if answer.status == StatusCode::ACCEPTED
            && let Err(state) = self.watch(answer).await
        {
            let (controller, reset) = (self.host().clone(), Text::fitted(kind));
            return Err(Trouble::uncertain(PowerFailure::ResetTask { controller, reset, detail: self.words(&state) }));
        }
        match &answer.doubt {
            Some(words) if ["ForceRestart", "PowerCycle"].contains(&kind) => {
                let (controller, reset) = (self.host().clone(), Text::fitted(kind));
                Err(Trouble::uncertain(PowerFailure::ResetWarning { controller, reset, detail: Text::fitted(words) }))
            }
            _ => Ok(()),
        }
    }

    async fn wait_until_off(&self) -> Result<(), Trouble> {
        let begun = Instant::now();
        while begun.elapsed() < READ_BACK {
            if self.state().await.is_ok_and(|state| state == PowerState::Off) {
                return Ok(());
            }
            sleep(Duration::from_secs(1)).await;
        }
        Err(Trouble::uncertain(PowerFailure::WrongState {
            controller: self.host().clone(),
            action: PowerAction::Off,
            seconds: READ_BACK.as_secs(),
            state: PowerState::On,
        }))
    }

    /// The system that is named, otherwise the only one.
    async fn system(&self) -> Result<SystemResource<System>, Trouble> {
        let Some(system) = &self.system else {
            let members = self.systems().await?;
            if let [only] = &members[..] {
                return Ok(self.get(only).await?);
            }
            if members.is_empty() {
                return Err(Trouble::certain(PowerFailure::NoSystem { controller: self.host().clone() }));
            }
            return Err(Trouble::certain(PowerFailure::SeveralSystems {
                controller: self.host().clone(),
                count: members.len(),
                systems: members.iter().take(SHOWN).map(|link| self.words(id(link))).collect(),
            }));
        };
        let system = id(system.as_str());
        match self.get(&format!("{SYSTEMS}/{}", utf8_percent_encode(system, UNSAFE))).await {
            Err(Refusal { status: Some(StatusCode::NOT_FOUND), trouble, .. }) => {
                // The name may be spelled differently, or the system may be at a different path.
                let members = self.systems().await.unwrap_or_default();
                match members.iter().find(|link| id(link).eq_ignore_ascii_case(system)) {
                    Some(link) => Ok(self.get(link).await?),
                    None => Err(trouble),
                }
            }
            other => Ok(other?),
        }
    }

    /// The links of all systems.
    async fn systems(&self) -> Result<Vec<String>, Trouble> {
        let mut page: SystemResource<Systems> = match self.get(SYSTEMS).await {
            Err(Refusal { status: Some(StatusCode::NOT_FOUND), trouble, .. }) => {
                let root: Option<SystemResource<Root>> = self.get(ROOT).await.ok();
                match root.and_then(|root| root.body.systems.id).filter(|link| link.trim_end_matches('/') != SYSTEMS) {
                    Some(link) => self.get(&link).await?,
                    None => return Err(trouble),
                }
            }
            other => other?,
        };
        let mut links: Vec<String> = vec![];
        for _ in 0..PAGES {
            links.extend(page.body.members.into_iter().filter_map(|link| link.id));
            links.truncate(MOST);
            match page.body.next {
                Some(next) => page = self.get(&next).await?,
                None => break,
            }
        }
        Ok(links)
    }

    async fn get<T: DeserializeOwned>(&self, link: &str) -> Result<SystemResource<T>, Refusal> {
        let answer: Answer = self.http.get(link).await?;
        let body = answer.json().map_err(|error| Refusal {
            status: None,
            trouble: self
                .http
                .unanswered(format!("the answer of the management controller {} is not Redfish: {error}", self.host())),
            other_form: false,
        })?;
        Ok(SystemResource { path: link.to_owned(), version: answer.version(), body })
    }
}

/// The last segment of a link, or of a link that an operator entered.
fn id(link: &str) -> &str {
    let link = link.trim_end_matches('/');
    link.rsplit('/').next().unwrap_or(link)
}

/// The power state of a system. A system that is starting is on; one that is stopping is not off yet.
fn state(system: &System) -> PowerState {
    let power = system.power.as_deref().unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|name| power.eq_ignore_ascii_case(name));
    if is(&["On", "PoweringOn", "Paused"]) {
        PowerState::On
    } else if is(&["Off"]) {
        PowerState::Off
    } else {
        PowerState::Unknown
    }
}
