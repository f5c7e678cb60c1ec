//! The resources of a Redfish service, as far as they are used. Controllers omit many properties, so almost everything has a
//! default; null counts as omitted.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value, or its default if it is null.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Link {
    #[serde(rename = "@odata.id", default)]
    pub(super) id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Systems {
    #[serde(rename = "Members", deserialize_with = "nullable")]
    pub(super) members: Vec<Link>,
    #[serde(rename = "Members@odata.nextLink", default)]
    pub(super) next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Root {
    #[serde(rename = "Systems", default)]
    pub(super) systems: Link,
}

#[derive(Debug, Deserialize)]
pub(super) struct System {
    #[serde(rename = "PowerState", default)]
    pub(super) power: Option<String>,
    #[serde(rename = "Manufacturer", default)]
    pub(super) manufacturer: Option<String>,
    #[serde(rename = "Boot", default, deserialize_with = "nullable")]
    pub(super) boot: Boot,
    #[serde(rename = "Actions", default, deserialize_with = "nullable")]
    pub(super) actions: Actions,
    #[serde(rename = "@Redfish.Settings", default, deserialize_with = "nullable")]
    pub(super) settings: Settings,
    #[serde(rename = "@odata.etag", default)]
    pub(super) version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Boot {
    #[serde(rename = "BootSourceOverrideEnabled", default)]
    pub(super) enabled: Option<String>,
    #[serde(rename = "BootSourceOverrideTarget", default)]
    pub(super) target: Option<String>,
    #[serde(rename = "BootSourceOverrideMode", default)]
    pub(super) mode: Option<String>,
    #[serde(rename = "BootSourceOverrideTarget@Redfish.AllowableValues", default, deserialize_with = "nullable")]
    pub(super) targets: Vec<String>,
}

impl Boot {
    /// Whether a boot from the network is set. A setting that lasts longer than one boot does no harm: a deployed server's boot
    /// script makes it boot from its disk.
    pub(super) fn is_network(&self) -> bool {
        matches!(self.enabled.as_deref(), Some("Once" | "Continuous")) && self.target.as_deref() == Some("Pxe")
    }
}

/// Where a resource has to be changed, if not at its own path.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Settings {
    #[serde(rename = "SettingsObject", default, deserialize_with = "nullable")]
    pub(super) object: Link,
    #[serde(rename = "SupportedApplyTimes", default, deserialize_with = "nullable")]
    pub(super) apply_times: Vec<String>,
}

/// The settings object of a system.
#[derive(Debug, Deserialize)]
pub(super) struct Future {
    #[serde(rename = "Boot", default)]
    pub(super) boot: Option<Boot>,
    #[serde(rename = "@odata.etag", default)]
    pub(super) version: Option<String>,
    #[serde(rename = "@Redfish.Settings", default, deserialize_with = "nullable")]
    pub(super) settings: Settings,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Actions {
    #[serde(rename = "#ComputerSystem.Reset", default)]
    pub(super) reset: Option<Reset>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reset {
    #[serde(default)]
    pub(super) target: Option<String>,
    #[serde(rename = "ResetType@Redfish.AllowableValues", default, deserialize_with = "nullable")]
    pub(super) offered: Vec<String>,
    #[serde(rename = "@Redfish.ActionInfo", default)]
    pub(super) info: Option<Value>,
}

impl Reset {
    /// Where the action's parameters are described: a text, or a link.
    pub(super) fn info(&self) -> Option<&str> {
        let info = self.info.as_ref()?;
        info.as_str().or_else(|| info.get("@odata.id")?.as_str())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ActionInfo {
    #[serde(rename = "Parameters", default, deserialize_with = "nullable")]
    pub(super) parameters: Vec<Parameter>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameter {
    #[serde(rename = "Name", default)]
    pub(super) name: Option<String>,
    #[serde(rename = "AllowableValues", default, deserialize_with = "nullable")]
    pub(super) values: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Task {
    #[serde(rename = "TaskState", default)]
    pub(super) state: Option<String>,
}
