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
const UPCASTERS: [(&str, &[Upcaster]); 7] = [
    ("UserLockedOut", &[user_locked_out_2]),
    ("PluginFailed", &[reason_2, plugin_failed_3]),
    ("PluginWaiting", &[reason_2, plugin_waiting_3]),
    ("PowerFailed", &[reason_2]),
    ("RemarkAdded", &[remark_2]),
    ("DriftFound", &[drift_found_2]),
    ("DriftRepairFailed", &[drift_repair_failed_2]),
];

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

/// Version 1 of `PluginFailed`, `PluginWaiting` and `PowerFailed` had the reason as a sentence.
fn reason_2(payload: &mut Map<String, Value>) -> Option<()> {
    let reason = payload.get_mut("reason").filter(|reason| reason.is_string())?;
    *reason = serde_json::json!({ "code": "text", "text": reason.take() });
    Some(())
}

/// Version 2 had the error messages of DNS primaries and management controllers as sentences.
fn plugin_failed_3(payload: &mut Map<String, Value>) -> Option<()> {
    let reason = payload.get_mut("reason").filter(|reason| reason["code"] == "external")?;
    let text = serde_json::json!({ "code": "text", "text": reason["detail"] });
    match reason["system"].as_str()? {
        "dns_primary" => *reason = serde_json::json!({ "code": "dns", "problem": text }),
        "management_controller" => *reason = serde_json::json!({ "code": "controller", "failure": text }),
        _ => {}
    }
    Some(())
}

/// Version 2 had the error messages of DNS primaries as sentences.
fn plugin_waiting_3(payload: &mut Map<String, Value>) -> Option<()> {
    let reason = payload.get_mut("reason").filter(|reason| reason["code"] == "dns_primaries")?;
    for problem in reason.get_mut("problems")?.as_array_mut()?.iter_mut().filter(|problem| problem.is_string()) {
        *problem = serde_json::json!({ "code": "text", "text": problem.take() });
    }
    Some(())
}

/// Version 1 of `RemarkAdded` had the remark as a sentence, also where the clean plugin wrote it.
fn remark_2(payload: &mut Map<String, Value>) -> Option<()> {
    let remark = payload.get_mut("remark").filter(|remark| remark.is_string())?;
    *remark = serde_json::json!({ "code": "text", "text": remark.take() });
    Some(())
}

/// Version 1 explained a difference with a sentence, `message`, which was empty if the other fields said everything.
fn drift_found_2(payload: &mut Map<String, Value>) -> Option<()> {
    let difference = payload.get_mut("difference")?.as_object_mut()?;
    let text = difference.get("message")?.as_str()?;
    let nature = difference.get("nature")?.as_str()?;
    let kind = match nature {
        "missing" | "left_over" | "foreign" if text.is_empty() => serde_json::json!({ "code": nature }),
        _ => serde_json::json!({ "code": "text", "nature": nature, "text": text }),
    };
    difference.remove("message");
    difference.remove("nature");
    difference.insert("kind".to_owned(), kind);
    Some(())
}

/// Version 1 had the reason for the failure as a sentence.
fn drift_repair_failed_2(payload: &mut Map<String, Value>) -> Option<()> {
    let problem = payload.get_mut("problem").filter(|problem| problem.is_string())?;
    *problem = serde_json::json!({ "code": "text", "text": problem.take() });
    Some(())
}
