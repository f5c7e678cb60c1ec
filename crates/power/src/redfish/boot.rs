//! Sets one boot from the network. Manufacturers differ in where the override is written, which of its properties they accept
//! together, and which version of the resource they require; each variant is tried in turn, and the value that is read back
//! decides.

use super::http::{Answer, Refusal};
use super::resources::{Boot, Future, Link, Settings, System, Task};
use super::{Redfish, SHOWN, SystemResource};
use crate::Trouble;
use bootledger_aggregates::device::management::BootMode;
use bootledger_aggregates::device::power_failure::{BootSetting, PowerFailure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// How often the override is read back, one second apart.
const LOOKS: usize = 4;

/// How often a task is queried, one second apart.
const TASK_LOOKS: usize = 10;

/// A place where the override can be written.
struct Place {
    path: String,
    version: Option<String>,
    /// A different version that the resource itself states.
    stated: Option<String>,
    boot: Boot,
    apply_times: Vec<String>,
}

impl Redfish {
    pub(in super::super) async fn boot_from_network_once(&self) -> Result<(), Trouble> {
        let system = self.system().await?;
        let manufacturer = system.body.manufacturer.clone().unwrap_or_default().to_lowercase();
        let (mut refused, mut shown) = (None, None);
        for place in self.places(system).await {
            for boot in forms(&place.boot, self.mode(), &manufacturer) {
                match self.write(&place, &boot).await {
                    Ok(()) => match self.look(&place).await? {
                        Ok(()) => return Ok(()),
                        Err(boot) => drop(shown.get_or_insert(boot)),
                    },
                    Err(Refusal { status: Some(StatusCode::NOT_FOUND), trouble, .. }) => {
                        refused.get_or_insert(trouble);
                        break;
                    }
                    Err(Refusal { trouble, other_form: true, .. }) => drop(refused.get_or_insert(trouble)),
                    Err(refusal) => return Err(refusal.into()),
                }
            }
        }
        // The reason for a refusal is more useful than the fact that nothing has changed.
        Err(match (refused, shown) {
            (Some(trouble), None) => trouble,
            (refused, shown) => self.not_taken(&shown.unwrap_or_default(), refused),
        })
    }

    fn mode(&self) -> Option<&'static str> {
        self.boot_mode.map(|mode| match mode {
            BootMode::Uefi => "UEFI",
            BootMode::Bios => "Legacy",
        })
    }

    /// The places where the override may be written: first the settings object that has one, then the system itself.
    async fn places(&self, system: SystemResource<System>) -> Vec<Place> {
        let mut places = vec![];
        let Settings { object, apply_times } = system.body.settings;
        if let Some(link) = object.id {
            let found: Result<SystemResource<Future>, Refusal> = self.get(&link).await;
            // A settings object that cannot be read, or that has no boot settings, serves another purpose.
            if let Ok(SystemResource { path, version, body: Future { boot: Some(boot), version: stated, settings } }) = found {
                let apply_times = if apply_times.is_empty() { settings.apply_times } else { apply_times };
                let mode = boot.mode.clone().or_else(|| system.body.boot.mode.clone());
                places.push(Place { path, version, stated, boot: Boot { mode, ..boot }, apply_times });
            }
        }
        let (path, version, stated) = (system.path, system.version, system.body.version);
        places.push(Place { path, version, stated, boot: system.body.boot, apply_times: vec![] });
        places
    }

    /// Writes the override, with the version of the resource that the controller requires.
    async fn write(&self, place: &Place, boot: &Value) -> Result<(), Refusal> {
        let mut body = json!({ "Boot": boot });
        // Without an apply time, some controllers apply the override at once and some never do.
        let time = ["Immediate", "OnReset"].into_iter().find(|time| place.apply_times.iter().any(|offered| offered == time));
        if let Some(time) = time {
            body["@Redfish.SettingsApplyTime"] = json!({ "ApplyTime": time });
        }
        let versions = versions(place.version.as_deref(), place.stated.as_deref());
        let mut refused = None;
        for version in &versions {
            match self.http.send(Method::PATCH, &place.path, Some(&body), version.as_deref()).await {
                Ok(answer) if answer.status == StatusCode::ACCEPTED => {
                    return self.watch(&answer).await.map_err(|state| {
                        let (controller, detail) = (self.host().clone(), self.words(&state));
                        let trouble = Trouble::certain(PowerFailure::NetworkBootTask { controller, detail });
                        Refusal { status: Some(StatusCode::BAD_REQUEST), trouble, other_form: true }
                    });
                }
                Ok(_) => return Ok(()),
                Err(refusal) if refusal.status.is_some_and(is_version) => drop(refused.get_or_insert(refusal)),
                Err(refusal) => return Err(refusal),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Waits a short time until the task of a response has ended. A task that waits for the next reset counts as done. The
    /// error is why the task failed, in the words of the service.
    pub(super) async fn watch(&self, answer: &Answer) -> Result<(), String> {
        let own = answer.json::<Link>().ok().and_then(|link| link.id);
        let Some(monitor) = answer.location().map(str::to_owned).or(own) else { return Ok(()) };
        for _ in 0..TASK_LOOKS {
            let answer = match self.http.get(&monitor).await {
                Ok(answer) => answer,
                // A task monitor ends with the status that the request would have had (DSP0266, "Asynchronous operations"). A
                // monitor that no longer exists, or cannot be read, has no result.
                Err(Refusal { status: Some(status @ (StatusCode::BAD_REQUEST | StatusCode::CONFLICT)), trouble, .. }) => {
                    return Err(trouble.failure.detail().map_or_else(|| status.to_string(), ToString::to_string));
                }
                Err(_) => return Ok(()),
            };
            let task: Task = answer.json().unwrap_or_default();
            match task.state.as_deref() {
                Some(state @ ("Exception" | "Killed" | "Cancelled" | "Interrupted")) => return Err(state.to_owned()),
                Some("New" | "Starting" | "Running" | "Stopping") => {}
                None if answer.status == StatusCode::ACCEPTED => {}
                _ => return Ok(()),
            }
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    /// Whether the override is set: in the system, or in the settings that apply after its next reset. Many controllers report
    /// success for a value that they leave unchanged, and others show the change a moment later. Returns the current value if
    /// it differs.
    async fn look(&self, place: &Place) -> Result<Result<(), Boot>, Trouble> {
        let mut found = Boot::default();
        for look in 0..LOOKS {
            if look > 0 {
                sleep(Duration::from_secs(1)).await;
            }
            let system = self.system().await?;
            let future = if place.path == system.path {
                None
            } else {
                let future: SystemResource<Future> = self.get(&place.path).await?;
                future.body.boot
            };
            found = system.body.boot;
            let is_there = |boot: &Boot| boot.is_network() && self.is_mode(boot);
            if is_there(&found) || future.as_ref().is_some_and(is_there) {
                return Ok(Ok(()));
            }
            found = future.unwrap_or(found);
        }
        Ok(Err(found))
    }

    /// Whether the firmware's boot mode is the expected one, if both are known.
    fn is_mode(&self, boot: &Boot) -> bool {
        self.mode().is_none_or(|wanted| boot.mode.as_deref().is_none_or(|mode| mode.eq_ignore_ascii_case(wanted)))
    }

    fn not_taken(&self, boot: &Boot, refused: Option<Trouble>) -> Trouble {
        let words = |value: &Option<String>| value.as_deref().map(|value| self.words(value));
        let offers_network = boot.targets.iter().any(|target| target == "Pxe");
        let setting = BootSetting::Redfish {
            enabled: words(&boot.enabled),
            target: words(&boot.target),
            mode: words(&boot.mode).filter(|_| !self.is_mode(boot)),
            offered: boot.targets.iter().filter(|_| !offers_network).take(SHOWN).map(|target| self.words(target)).collect(),
        };
        let detail = refused.as_ref().and_then(|trouble| trouble.failure.detail().cloned()).unwrap_or_default();
        let unexplained = refused.filter(|_| detail.is_empty());
        let trouble = Trouble::certain(PowerFailure::NetworkBoot { controller: self.host().clone(), setting, detail });
        match unexplained {
            // Only administrators and the log get the reason of a response without an error message.
            Some(Trouble { reason, .. }) => Trouble { reason: format!("{} ({reason})", trouble.reason), ..trouble },
            None => trouble,
        }
    }
}

/// The forms of the override that controllers accept, the usual one first.
fn forms(now: &Boot, mode: Option<&str>, manufacturer: &str) -> Vec<Value> {
    let plain = json!({ "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe" });
    let with = |mode: &str| {
        let mut boot = plain.clone();
        boot["BootSourceOverrideMode"] = mode.into();
        boot
    };
    // Supermicro sets its own default if the mode is omitted (DMTF/Redfishtool pull request 106).
    let echoes = manufacturer.contains("supermicro") || manufacturer.contains("super micro");
    let present = now.mode.as_deref().filter(|present| ["UEFI", "Legacy"].contains(present));
    let mut forms = match (mode, present) {
        (Some(mode), _) => vec![with(mode), plain.clone()],
        (None, Some(present)) if echoes => vec![with(present), plain.clone()],
        (None, Some(present)) => vec![plain.clone(), with(present)],
        (None, None) => vec![plain.clone()],
    };
    // Some controllers refuse a value that is already set (OpenStack story 2007355).
    if now.enabled.as_deref() == Some("Once") {
        forms.push(json!({ "BootSourceOverrideTarget": "Pxe" }));
    }
    forms
}

/// The versions to send, the usual one first; no version if none is stated.
fn versions(header: Option<&str>, stated: Option<&str>) -> Vec<Option<String>> {
    let mut versions: Vec<Option<String>> = vec![];
    for tag in header.into_iter().chain(stated) {
        // Some controllers compare a weak tag with the strong one of the same name, some compare only the name; and a proxy
        // that compresses responses appends a mark to it (gofish pull request 511).
        let strong = tag.strip_prefix("W/").unwrap_or(tag);
        let bare = strong.trim_matches('"');
        let unmarked = bare.strip_suffix("-gzip").unwrap_or(bare);
        versions.extend([tag.to_owned(), format!("\"{unmarked}\""), unmarked.to_owned()].map(Some));
    }
    if versions.is_empty() {
        versions.push(None);
    }
    versions.push(Some("*".to_owned()));
    versions.push(None);
    let mut seen = std::collections::HashSet::new();
    versions.retain(|version| seen.insert(version.clone()));
    versions
}

/// Whether a refusal is about the version that was sent: a different one, or none, is required.
fn is_version(status: StatusCode) -> bool {
    matches!(status, StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_tried_as_received_first_and_omitted_last() {
        let named = |header, stated| versions(header, stated).into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
        assert_eq!(named(Some("\"7\""), None), ["\"7\"", "7", "*", ""]);
        assert_eq!(named(Some("W/\"7\""), Some("W/\"7\"")), ["W/\"7\"", "\"7\"", "7", "*", ""]);
        assert_eq!(named(Some("\"7-gzip\""), None), ["\"7-gzip\"", "\"7\"", "7", "*", ""]);
        assert_eq!(named(None, Some("\"8\"")), ["\"8\"", "8", "*", ""]);
        assert_eq!(named(None, None), ["", "*"]);
    }
}
