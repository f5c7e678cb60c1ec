//! Which actions a device allows. These rules use only facts that the views also have, so a page can show next to an action,
//! before an operator tries it, exactly what the command would answer.

use super::event::Management;
use crate::rules::BrokenRule;
use crate::values::ids::DeploymentId;
use crate::values::name::Name;
use crate::values::serial_number;
use crate::values::text::Text;

/// Why a device cannot be verified: its venture or role is missing.
pub fn verifying(venture: Option<&Name>, role: Option<&Name>) -> Vec<BrokenRule> {
    let missing = [("venture", venture.is_none()), ("role", role.is_none())];
    let broken = missing.iter().filter(|(_, missing)| *missing).map(|(field, _)| {
        BrokenRule::new(field, &format!("{field}_missing"), format!("a device needs a {field} before it can be verified"))
    });
    broken.collect()
}

/// Why a device cannot be `what` (`unverified`, `decommissioned`): it has a live deployment.
pub fn ending(live: Option<DeploymentId>, what: &str) -> Option<BrokenRule> {
    let message = format!("the device is being deployed; it can be {what} when that has ended or was cancelled");
    live.map(|live| BrokenRule::new("", "already_deploying", message).held_by(format!("deployment {live}")))
}

/// Why an operator cannot change a device's venture and role manually.
pub fn reassigning(verified: bool, field: &str) -> Option<BrokenRule> {
    let message = "the device is verified, so only a deployment changes its venture and role; deploy it, or unverify it first";
    verified.then(|| BrokenRule::new(field, "device_verified", message))
}

/// Why the device's power cannot be switched at all.
pub fn switching(management: Option<&Management>) -> Option<BrokenRule> {
    match management {
        None => Some(BrokenRule::new(
            "management",
            "management_missing",
            "the device has no management address; change the device, or see to its power by hand",
        )),
        Some(management) if management.credentials.is_none() => Some(BrokenRule::new(
            "management.credentials",
            "credentials_missing",
            format!(
                "the management controller {} has no credentials; name a secret of the form user:password for it",
                management.address
            ),
        )),
        Some(_) => None,
    }
}

/// Why a text is not accepted as a serial number: firmware uses it as a placeholder for an unknown number. An operator's own
/// placeholder, such as `TBD`, is allowed.
pub fn numbering(serial: &Text) -> Option<BrokenRule> {
    let message = "firmware contains this text where a serial number is not known, and many devices have it; leave the serial \
                   number out, or give the one on the device's label";
    serial_number::is_of_makers(serial.as_str())
        .then(|| BrokenRule::new("serial", "serial_filler", format!("{serial}: {message}")))
}

/// Why a decommissioned device cannot be changed.
pub fn decommissioned() -> BrokenRule {
    BrokenRule::new("", "device_decommissioned", "the device is decommissioned; nothing can change it")
}
