//! Converts payloads of older versions to today's form. The log is never rewritten, so every form that was ever stored must
//! remain readable.
//!
//! When the form of an event type changes, its version rises by one, and `UPCASTERS` gets a function that converts the form
//! before. Add the stored JSON of that form to the tests, and never change a function here: events that it reads exist.
//!
//! A new field with a default needs no upcaster: `#[serde(default)]` reads events without it.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

/// Converts the payload of one version to the next one. A payload that does not have the expected form stays as it is, and
/// cannot be parsed afterwards.
type Upcaster = fn(&mut Map<String, Value>) -> Option<()>;

/// The event types whose form has changed. The first function of each converts version 1 to 2, the next one 2 to 3.
const UPCASTERS: [(&str, &[Upcaster]); 3] =
    [("UserLockedOut", &[user_locked_out_2]), ("PluginFailed", &[plugin_reason_2]), ("PluginWaiting", &[plugin_reason_2])];

fn upcasters(event_type: &str) -> &'static [Upcaster] {
    UPCASTERS.iter().find(|(changed, _)| *changed == event_type).map_or(&[], |(_, upcasters)| upcasters)
}

/// The version of an event type's form today, which new events are stored with.
pub fn version(event_type: &str) -> usize {
    upcasters(event_type).len() + 1
}

/// Whether a stored event of this version has an older form than today's.
pub fn is_old(event_type: &str, event_version: &str) -> bool {
    !upcasters(event_type).is_empty() && event_version.parse().is_ok_and(|stored: usize| stored < version(event_type))
}

/// The payload in the current form. It may be stored in any earlier version.
pub fn upcast(event_type: &str, event_version: &str, mut payload: Value) -> Value {
    if is_old(event_type, event_version)
        && let (Some(payload), Ok(stored)) = (payload.as_object_mut(), event_version.parse::<usize>())
    {
        for upcaster in upcasters(event_type).iter().skip(stored.saturating_sub(1)) {
            upcaster(payload);
        }
    }
    payload
}

/// Version 1 had two fields for one fact, `client` and `everywhere`, which could contradict each other.
fn user_locked_out_2(payload: &mut Map<String, Value>) -> Option<()> {
    let everywhere = payload.get("everywhere")?.as_bool()?;
    let client = payload.get("client").cloned().unwrap_or_default();
    payload.remove("everywhere");
    payload.remove("client");
    let limited = if everywhere { Value::from("everywhere") } else { serde_json::json!({ "client": client }) };
    payload.insert("limited".to_owned(), limited);
    Some(())
}

/// Version 1 of `PluginFailed` and `PluginWaiting` had the reason as a sentence.
fn plugin_reason_2(payload: &mut Map<String, Value>) -> Option<()> {
    let reason = payload.get_mut("reason").filter(|reason| reason.is_string())?;
    *reason = serde_json::json!({ "code": "text", "text": reason.take() });
    Some(())
}
