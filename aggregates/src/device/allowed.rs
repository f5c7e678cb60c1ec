//! Which actions a device allows. These rules use only facts that the views also have, so a page can show next to an action,
//! before an operator tries it, exactly what the command would answer.

use super::power::PowerAction;
use crate::claims::Holder;
use crate::controller::management::Management;
use crate::rules::{BrokenRule, Refused, Rule};
use crate::values::ids::DeploymentId;
use crate::values::name::Name;
use crate::values::serial_number;
use crate::values::text::Text;

/// Why a device cannot be verified: its venture or role is missing.
pub fn verifying(venture: Option<&Name>, role: Option<&Name>) -> Vec<BrokenRule> {
    let missing = [("venture", Rule::VentureMissing, venture.is_none()), ("role", Rule::RoleMissing, role.is_none())];
    let broken = missing
        .iter()
        .filter(|(.., missing)| *missing)
        .map(|(field, rule, _)| (field, rule, format!("a device needs a {field} before it can be verified; set one first")))
        .map(|(field, rule, message)| BrokenRule::new(field, *rule, message));
    broken.collect()
}

/// Why a device cannot be changed now: it has a live deployment. `what` is possible afterwards, such as `it can be decommissioned`.
pub fn ending(live: Option<DeploymentId>, what: &str) -> Option<BrokenRule> {
    let message = format!("the device is being deployed; {what} after the deployment has ended or was cancelled");
    live.map(|live| BrokenRule::new("", Rule::AlreadyDeploying, message).held_by(format!("deployment {live}")))
}

/// Why an operator cannot change a device's venture and role manually.
pub fn reassigning(verified: bool, field: &str) -> Option<BrokenRule> {
    let message =
        "the device is verified, so only a deployment changes its venture and role; deploy it, or revoke its verification first";
    verified.then(|| BrokenRule::new(field, Rule::DeviceVerified, message))
}

/// Why the device's power cannot be switched at all.
pub fn switching(management: Option<&Management>) -> Option<BrokenRule> {
    match management {
        None => Some(BrokenRule::new(
            "management",
            Rule::ManagementMissing,
            "the device has no management address; edit the device, or switch its power manually",
        )),
        Some(management) if management.credentials.is_none() => Some(
            BrokenRule::new(
                "management.credentials",
                Rule::CredentialsMissing,
                format!(
                    "the management controller {} has no credentials; name a secret of the form user:password for it",
                    management.address
                ),
            )
            .about(&management.address),
        ),
        Some(_) => None,
    }
}

/// Whether a power order of an operator would interrupt an installation, or start it again. Switching on does not affect a server
/// that is on, but a network boot is requested even then: a server that restarts during its installation would be installed again.
pub fn interrupts(action: PowerAction, network_boot: bool) -> bool {
    action != PowerAction::On || network_boot
}

/// Why an order that names no deployment is refused while this deployment of the device is in progress.
pub fn interrupting(action: PowerAction, network_boot: bool, live: DeploymentId) -> Option<BrokenRule> {
    let effect = match action {
        PowerAction::On => "a network boot would start the installation again",
        PowerAction::Off | PowerAction::Cycle => "this would interrupt the installation",
    };
    let message = format!("the device is being deployed, and {effect}; to do so, name the deployment here");
    let broken = BrokenRule::new("interrupts", Rule::AlreadyDeploying, message).held_by(format!("deployment {live}"));
    interrupts(action, network_boot).then_some(broken)
}

/// Why a text is not accepted as a serial number: firmware uses it as a placeholder for an unknown number. An operator's own
/// placeholder, such as `TBD`, is allowed.
pub fn numbering(serial: &Text) -> Option<BrokenRule> {
    let message = "this is a firmware placeholder that many devices share; leave the serial number out, or enter the \
                   one on the device's label";
    serial_number::is_of_makers(serial.as_str())
        .then(|| BrokenRule::new("serial", Rule::SerialFiller, format!("{serial}: {message}")))
}

/// Why a decommissioned device cannot be changed.
pub fn decommissioned() -> BrokenRule {
    BrokenRule::new(
        "",
        Rule::DeviceDecommissioned,
        "the device is decommissioned and cannot be changed; to use the server again, register it as a new device",
    )
}

/// Refuses a task of a deployment that is not the live deployment of the device.
pub(super) fn is_live(deployment: DeploymentId, live: Option<DeploymentId>) -> Result<(), Refused> {
    if live == Some(deployment) {
        return Ok(());
    }
    let before = format!("deployment {deployment} is not the live deployment of the device");
    let broken = match live {
        Some(live) => BrokenRule::naming("", Rule::DeploymentNotLive, before + ": ", Holder::Deployment(live), " is"),
        None => BrokenRule::new("", Rule::DeploymentNotLive, before + ": it has none"),
    };
    Err(Refused(vec![broken]))
}
