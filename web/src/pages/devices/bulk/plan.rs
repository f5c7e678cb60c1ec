//! The plan of a bulk action on devices: which are selected, and what the action would do to each.

use crate::api::devices::DeviceQuery;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::bulk;
use crate::pages::devices::details::unless;
use crate::pages::devices::list::filter;
use crate::pages::form::Fields;
use bootledger_aggregates::bulk::{BulkAction, MOST_ROWS};
use bootledger_aggregates::device::power::PowerAction;
use bootledger_aggregates::device::{allowed, lock};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::tag::Tag;
use bootledger_port::{CommandError, NewDeployment, Proposed};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Status};
use bootledger_projections::rows::devices::{self, Device};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of levels of chassis to search; real equipment has three.
const MOST_LEVELS: usize = 16;

/// The action to run on each device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Verify,
    Unverify,
    Deploy,
    Edit,
    Power,
}

impl What {
    const ALL: [Self; 5] = [Self::Verify, Self::Unverify, Self::Deploy, Self::Edit, Self::Power];

    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let unknown = || Error::rejected("what", Rule::ActionUnknown, format!("there is no bulk action {text:?} on devices"));
        Self::ALL.into_iter().find(|what| what.name() == text).ok_or_else(unknown)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Unverify => "unverify",
            Self::Deploy => "deploy",
            Self::Edit => "edit",
            Self::Power => "power",
        }
    }
}

/// The values for all devices. A value that is left out is each device's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    assignment: Option<(Name, Name)>,
    boot_image: Option<Name>,
    network: Option<Name>,
    rack: Option<Name>,
    credentials: Option<Name>,
    add_tags: Vec<Tag>,
    remove_tags: Vec<Tag>,
    power: Option<PowerAction>,
    network_boot: bool,
}

impl Wanted {
    pub(super) fn read(fields: &mut Fields) -> Self {
        let assignment = fields.text("assignment").split_once('/');
        let assignment = assignment.and_then(|(venture, role)| Some((venture.parse().ok()?, role.parse().ok()?)));
        let powers = [PowerAction::On, PowerAction::Off, PowerAction::Cycle];
        Self {
            assignment,
            boot_image: fields.read("boot_image"),
            network: fields.read("network"),
            rack: fields.read("rack"),
            credentials: fields.read("credentials"),
            add_tags: fields.read_words("add_tags"),
            remove_tags: fields.read_words("remove_tags"),
            power: powers.into_iter().find(|power| power.as_str() == fields.text("power")),
            network_boot: fields.text("network_boot") == "true",
        }
    }

    /// The power order; the form's first option until another one is selected.
    fn order(&self) -> PowerAction {
        self.power.unwrap_or(PowerAction::On)
    }

    pub(super) fn deployment(&self, device: DeviceId) -> NewDeployment {
        let (venture, role) = self.assignment.clone().unzip();
        let (network, boot_image) = (self.network.clone(), self.boot_image.clone());
        NewDeployment { network, venture, role, boot_image, ..NewDeployment::of_device(device) }
    }

    /// The action, for the command that starts it.
    pub(super) fn action(&self, what: What) -> BulkAction {
        let (venture, role) = self.assignment.clone().unzip();
        match what {
            What::Verify => BulkAction::Verify {},
            What::Unverify => BulkAction::Unverify {},
            What::Deploy => {
                BulkAction::Deploy { network: self.network.clone(), venture, role, boot_image: self.boot_image.clone() }
            }
            What::Edit => BulkAction::Edit {
                rack: self.rack.clone(),
                venture,
                role,
                credentials: self.credentials.clone(),
                add_tags: self.add_tags.clone(),
                remove_tags: self.remove_tags.clone(),
            },
            What::Power => BulkAction::Power { power: self.order(), network_boot: self.network_boot },
        }
    }
}

/// A row of the preview: the result that is expected, or why the action would be refused.
pub(super) struct Planned {
    pub(super) device: Device,
    pub(super) outcome: Result<Option<Proposed>, String>,
}

/// The selected devices: those that are ticked, or all of the list.
pub(super) async fn chosen(snapshot: &mut Snapshot<'_>, fields: &Fields, list: &str, all: bool) -> Result<Vec<Device>, Error> {
    let rows = if all {
        let filter = filter(bulk::parameters::<DeviceQuery>(list)?);
        devices::list(snapshot.connection(), &filter, At::Now, i64::try_from(MOST_ROWS).unwrap_or(i64::MAX) + 1).await?
    } else {
        let ids: Vec<DeviceId> = bulk::ids(fields, "id", "device")?;
        let mut rows = devices::find_many(snapshot.connection(), &ids, At::Now).await?;
        rows.sort_by_cached_key(Device::called);
        rows
    };
    if rows.len() > MOST_ROWS {
        let message = format!(
            "the selection has more than {MOST_ROWS} devices; filter the list further, or deploy them from a CSV file on the page of their rack"
        );
        return Err(Error::rejected("id", Rule::TooMany, message));
    }
    Ok(rows)
}

/// What the action would do to each device.
pub(super) async fn plan(
    backend: &mut Backend,
    what: What,
    devices: Vec<Device>,
    wanted: &Wanted,
) -> Result<Vec<Planned>, Error> {
    if what != What::Deploy {
        let installing = if what == What::Power { installing(backend, &devices).await? } else { BTreeMap::new() };
        let planned = |device: Device| {
            let live = installing.get(&device.id).copied();
            Planned { outcome: possible(what, &device, live, wanted).map(|()| None), device }
        };
        return Ok(devices.into_iter().map(planned).collect());
    }
    let new: Vec<NewDeployment> = devices.iter().map(|device| wanted.deployment(device.id)).collect();
    let planned = |(device, checked)| {
        let outcome = match checked {
            Ok(proposed) => Ok(Some(proposed)),
            Err(CommandError::Refused(broken)) => unless(broken).map(|()| None),
            Err(other) => return Err(Error::from(other)),
        };
        Ok(Planned { device, outcome })
    };
    devices.into_iter().zip(backend.check_deployments(&new).await).map(planned).collect()
}

/// The deployments in progress of these devices.
async fn installing(backend: &mut Backend, devices: &[Device]) -> Result<BTreeMap<DeviceId, DeploymentId>, Error> {
    let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).collect();
    let mut snapshot = backend.read_now().await?;
    let live = deployments::live_of_devices(snapshot.connection(), &ids, At::Now).await?;
    let in_progress = live.into_iter().filter(|live| live.status == Status::InProgress);
    Ok(in_progress.map(|live| (live.device, live.id)).collect())
}

/// Whether an action other than a deployment is possible for a device, as far as its row and its deployment in progress say it.
/// The command decides.
fn possible(what: What, device: &Device, installing: Option<DeploymentId>, wanted: &Wanted) -> Result<(), String> {
    if device.decommissioned {
        return unless([allowed::decommissioned()]);
    }
    match what {
        What::Verify if device.verified => Err("It is already verified.".to_owned()),
        What::Verify => unless(allowed::verifying(device.venture.as_ref(), device.role.as_ref())),
        What::Unverify if !device.verified => Err("It is not verified.".to_owned()),
        What::Edit if device.verified && wanted.assignment.is_some() => {
            Err("It is verified: its venture and role change with a deployment.".to_owned())
        }
        What::Edit if device.management.is_none() && wanted.credentials.is_some() => {
            Err("It has no management controller.".to_owned())
        }
        What::Power if device.management.is_none() => Err("It has no management controller.".to_owned()),
        What::Power if installing.is_some() && allowed::interrupts(wanted.order(), wanted.network_boot) => {
            Err("It is being deployed, and the order would interrupt its installation. To do so, open its power page.".to_owned())
        }
        What::Power => {
            let present = device.lock.as_ref().filter(|_| wanted.network_boot);
            unless(present.map(|present| lock::installing(present, "network_boot")))
        }
        _ => Ok(()),
    }
}

/// The devices that each device is a part of, nearest first.
pub(super) async fn wholes(snapshot: &mut Snapshot<'_>, devices: &[Device]) -> Result<BTreeMap<DeviceId, Vec<DeviceId>>, Error> {
    let mut parents: BTreeMap<DeviceId, Option<DeviceId>> = devices.iter().map(|device| (device.id, device.parent)).collect();
    for _ in 0..MOST_LEVELS {
        let unknown: BTreeSet<DeviceId> = parents.values().flatten().copied().filter(|id| !parents.contains_key(id)).collect();
        if unknown.is_empty() {
            break;
        }
        let unknown: Vec<DeviceId> = unknown.into_iter().collect();
        let found = devices::find_many(snapshot.connection(), &unknown, At::Now).await?;
        parents.extend(unknown.into_iter().map(|id| (id, None)));
        parents.extend(found.into_iter().map(|device| (device.id, device.parent)));
    }
    let parent = |id: &DeviceId| parents.get(id).copied().flatten();
    let above = |device: &Device| -> Vec<DeviceId> { std::iter::successors(device.parent, parent).take(MOST_LEVELS).collect() };
    Ok(devices.iter().map(|device| (device.id, above(device))).collect())
}

/// The deployment of a chassis detaches its sub-devices, so these are not deployed in the same action.
pub(super) fn leave_out_parts(planned: &mut [Planned], wholes: &BTreeMap<DeviceId, Vec<DeviceId>>) {
    let possible = planned.iter().filter(|row| row.outcome.is_ok());
    let possible: BTreeMap<DeviceId, String> = possible.map(|row| (row.device.id, row.device.called())).collect();
    for row in planned {
        let whole = wholes.get(&row.device.id).into_iter().flatten().find_map(|id| possible.get(id));
        if let Some(whole) = whole.filter(|_| row.outcome.is_ok()) {
            row.outcome = Err(format!(
                "It is a sub-device of {whole}, which is also selected and whose deployment detaches it. Deploy it afterwards."
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;

    fn power(power: PowerAction, network_boot: bool) -> Wanted {
        Wanted { power: Some(power), network_boot, ..Wanted::default() }
    }

    #[test]
    fn an_order_that_would_interrupt_an_installation_is_skipped() {
        let management = serde_json::json!({"address": "10.0.0.9", "protocol": "ipmi", "credentials": "bmc"});
        let managed = Device { management: serde_json::from_value(management).expect("a controller"), ..device() };
        let live = Some(DeploymentId::default());
        for (action, network_boot, interrupts) in [
            (PowerAction::On, false, false),
            (PowerAction::On, true, true),
            (PowerAction::Off, false, true),
            (PowerAction::Cycle, false, true),
        ] {
            let wanted = power(action, network_boot);
            assert_eq!(possible(What::Power, &managed, live, &wanted).is_err(), interrupts, "{action:?} {network_boot}");
            assert_eq!(possible(What::Power, &managed, None, &wanted), Ok(()), "{action:?} {network_boot}");
        }
    }

    #[test]
    fn a_network_boot_of_a_locked_device_is_skipped() {
        let management = serde_json::json!({"address": "10.0.0.9", "protocol": "ipmi", "credentials": "bmc"});
        let lock = serde_json::json!({"reason": "holds the only copy", "by": "user ada", "at": "2026-03-01T12:00:00Z"});
        let locked = Device {
            management: serde_json::from_value(management).expect("a controller"),
            lock: serde_json::from_value(lock).expect("a lock"),
            ..device()
        };
        let refused = possible(What::Power, &locked, None, &power(PowerAction::On, true)).expect_err("it is locked");
        assert!(refused.contains("holds the only copy"), "{refused}");
        assert_eq!(possible(What::Power, &locked, None, &power(PowerAction::On, false)), Ok(()));
    }
}
