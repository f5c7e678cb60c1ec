//! The rules for power orders. Each order is recorded, then carried out and reported.
//!
//! ```text
//!   (nothing) ─RequestPower─► Ordered ─ReportPower─► (nothing)
//! ```
//! An order is recorded as an event before it is carried out, so that after a crash the service knows that the order may have
//! been carried out. At most one order is under way. A deployment restarts its server once; again only if it is certain that
//! the first restart did not happen, or when an operator requests it. An operator does not boot a locked device from the
//! network, because that can install it; a deployment that has started goes on.

use super::allowed;
use super::event::DeviceEvent;
use super::lock;
use super::power::{LastRestart, PowerAction, PowerFacts, PowerOrder, PowerOutcome, Restart, Standing, UNDER_WAY_SECONDS};
use super::registered::Registered;
use crate::rules::{BrokenRule, Refused, Rule};

pub(super) fn request(device: &Registered, order: PowerOrder, facts: &PowerFacts) -> Result<Vec<DeviceEvent>, Refused> {
    let mut broken = vec![];
    broken.extend(allowed::switching(device.management.as_ref()));
    if order.network_boot && order.action == PowerAction::Off {
        let message = "a server that is switched off does not boot; request the network boot when you switch it on";
        broken.push(BrokenRule::new("network_boot", Rule::NetworkBootWithoutStart, message));
    }
    if let Some(under_way) = device.ordered.as_ref().filter(|last| order.at < last.at.plus_seconds(UNDER_WAY_SECONDS)) {
        let message = format!(
            "its management controller has been carrying out an order ({}) since {}; wait for the result",
            under_way.action.as_str(),
            under_way.at
        );
        let busy = BrokenRule::new("", Rule::PowerBusy, message).held_by(format!("order {}", under_way.order));
        broken.push(busy.about(under_way.at));
    }
    broken.extend(interrupted(&order, facts));
    if let Some(present) = device.lock.as_ref().filter(|_| order.network_boot && order.restart.is_none()) {
        broken.push(lock::installing(present, "network_boot"));
    }
    Refused::unless_empty(broken)?;
    if let Some(restart) = order.restart {
        allowed::is_live(restart.deployment, facts.live.filter(|_| facts.in_progress))?;
        once(device, restart, facts.found_off)?;
    }
    Ok(vec![DeviceEvent::PowerRequested(order)])
}

/// An operator can interrupt an installation only by naming its deployment.
fn interrupted(order: &PowerOrder, facts: &PowerFacts) -> Option<BrokenRule> {
    if order.restart.is_some() || !allowed::interrupts(order.action, order.network_boot) {
        return None;
    }
    let live = facts.live.filter(|_| facts.in_progress);
    match (facts.interrupts, live) {
        (None, None) => None,
        (Some(named), Some(live)) if named == live => None,
        (Some(named), _) => Some(BrokenRule::new(
            "interrupts",
            Rule::DeploymentNotInProgress,
            format!("deployment {named} is not in progress on this device; leave it out, or name the deployment that is"),
        )),
        (None, Some(live)) => allowed::interrupting(order.action, order.network_boot, live),
    }
}

/// A deployment restarts its server once, and again after each retry that an operator requests; also if the last restart
/// certainly did not happen.
fn once(device: &Registered, restart: Restart, found_off: bool) -> Result<(), Refused> {
    let last = device.restart.as_ref().filter(|last| last.restart.deployment == restart.deployment);
    let certain = |last: &LastRestart| match last.standing {
        Standing::Failed => true,
        // A server that is off now is not booting, regardless of the order's result.
        Standing::Ordered | Standing::Uncertain => found_off,
        Standing::Confirmed => false,
    };
    match last {
        Some(last) if last.restart.turn >= restart.turn && !certain(last) => {
            let message = format!("the restart was already ordered at {}; only an operator can order it again", last.at);
            Err(Refused(vec![BrokenRule::new("", Rule::RestartOrdered, message).about(last.at)]))
        }
        _ => Ok(()),
    }
}

pub(super) fn report(device: &Registered, order: &PowerOrder, outcome: PowerOutcome) -> Result<Vec<DeviceEvent>, Refused> {
    if device.ordered.as_ref().is_none_or(|under_way| under_way.order != order.order) {
        return Err(Refused::because("", Rule::OrderNotUnderWay, format!("the order {} is not under way", order.order)));
    }
    let PowerOrder { order, action, network_boot, restart, .. } = *order;
    Ok(vec![match outcome {
        PowerOutcome::Confirmed(state) => DeviceEvent::PowerConfirmed { order, action, network_boot, restart, state },
        PowerOutcome::Failed(reason) => {
            DeviceEvent::PowerFailed { order, action, network_boot, restart, reason, uncertain: false }
        }
        PowerOutcome::Uncertain(reason) => {
            DeviceEvent::PowerFailed { order, action, network_boot, restart, reason, uncertain: true }
        }
    }])
}

pub(super) fn requested(device: &mut Registered, order: PowerOrder) {
    if let Some(restart) = order.restart {
        device.restart = Some(LastRestart { restart, at: order.at, standing: Standing::Ordered });
    }
    device.ordered = Some(order);
}

pub(super) fn reported(device: &mut Registered, restart: Option<Restart>, standing: Standing) {
    device.ordered = None;
    if let Some(last) = device.restart.as_mut().filter(|last| Some(last.restart) == restart) {
        last.standing = standing;
    }
}
