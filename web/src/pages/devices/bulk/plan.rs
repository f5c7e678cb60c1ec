//! The plan of a bulk action on devices: which are selected, and what the action would do to each.

use crate::api::devices::DeviceQuery;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::bulk;
use crate::pages::devices::list::filter;
use crate::pages::devices::show::unless;
use crate::pages::form::Fields;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CommandError, NewDeployment, Proposed, Suggested};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices::{self, Device};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of levels of chassis to search; real equipment has three.
const MOST_LEVELS: usize = 16;

/// The action to run on each device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Verify,
    Deploy,
}

impl What {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        match text {
            "verify" => Ok(Self::Verify),
            "deploy" => Ok(Self::Deploy),
            other => Err(Error::rejected("what", Rule::ActionUnknown, format!("{other:?} is neither verify nor deploy"))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Deploy => "deploy",
        }
    }

    /// Maximum number of devices in one action. To deploy more, all or none, operators use a CSV file.
    fn most(self) -> usize {
        match self {
            Self::Verify => 1_000,
            Self::Deploy => 100,
        }
    }
}

/// The values for all devices that are deployed. A value that is left out is each device's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    assignment: Option<(Name, Name)>,
    boot_image: Option<Name>,
}

impl Wanted {
    pub(super) fn read(fields: &mut Fields) -> Self {
        let assignment = fields.text("assignment").split_once('/');
        let assignment = assignment.and_then(|(venture, role)| Some((venture.parse().ok()?, role.parse().ok()?)));
        Self { assignment, boot_image: fields.read("boot_image") }
    }

    pub(super) fn deployment(&self, device: DeviceId) -> NewDeployment {
        let (venture, role) = self.assignment.clone().unzip();
        NewDeployment {
            device,
            mac: None,
            ip: None,
            network: None,
            hostname: None,
            venture,
            role,
            boot_image: self.boot_image.clone(),
            note: None,
            ticket: None,
            suggested: Suggested::default(),
        }
    }
}

/// A row of the preview: the result that is expected, or why the action would be refused.
pub(super) struct Planned {
    pub(super) device: Device,
    pub(super) outcome: Result<Option<Proposed>, String>,
}

/// The selected devices: those that are ticked, or all of the list.
pub(super) async fn chosen(
    snapshot: &mut Snapshot<'_>,
    what: What,
    fields: &Fields,
    list: &str,
    all: bool,
) -> Result<Vec<Device>, Error> {
    let most = what.most();
    let rows = if all {
        let filter = filter(bulk::parameters::<DeviceQuery>(list)?);
        devices::list(snapshot.connection(), &filter, At::Now, i64::try_from(most).unwrap_or(i64::MAX) + 1).await?
    } else {
        let ids: Vec<DeviceId> = bulk::ids(fields, "device")?;
        let mut rows = devices::find_many(snapshot.connection(), &ids, At::Now).await?;
        rows.sort_by_cached_key(Device::called);
        rows
    };
    if rows.len() > most {
        let other = if what == What::Deploy { ", or deploy them from a CSV file on the page of their rack" } else { "" };
        let message = format!("the selection has more than {most} devices; filter the list further{other}");
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
    let verified = |device: &Device| match device {
        device if device.decommissioned => unless([allowed::decommissioned()]),
        device if device.verified => Err("It is already verified.".to_owned()),
        device => unless(allowed::verifying(device.venture.as_ref(), device.role.as_ref())),
    };
    if what == What::Verify {
        let planned = |device: Device| Planned { outcome: verified(&device).map(|()| None), device };
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
