//! The plan of an import: for each row its device, its deployment and their events, or its errors.

mod address;
mod device;

use super::super::execute::Failure;
use super::super::start::{image_facts, standard_plan};
use super::super::{CommandService, context};
use super::choose::{Beside, Free, own_hostname};
use super::facts::ImportFacts;
use super::names;
use super::read::{Row, error};
use crate::event_log::append::{NewEvent, Precondition};
use crate::event_log::draft::Draft;
use bootledger_aggregates::boot_image::{BootImage, Inherited};
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::deployment::start::{DeviceFacts, StartDeployment, StartFacts, no_default_image};
use bootledger_aggregates::device::footprint::Footprint;
use bootledger_aggregates::placement::ChangeScope;
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::settings::Resolution;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::Settings;
use bootledger_port::{Context, PlannedRow, RowError};
use bootledger_projections::questions::settings::layers;
use bootledger_projections::rows::catalogue::{Entry, VentureView, inherited_image};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Everything that the import appends.
pub(super) struct Planned {
    pub(super) rows: Vec<PlannedRow>,
    pub(super) events: Vec<NewEvent>,
    pub(super) preconditions: Vec<Precondition>,
    /// The addresses and names that were chosen for rows that leave them empty.
    pub(super) chosen: Vec<Claim>,
    /// Those of the rows' devices that already exist.
    known: BTreeSet<DeviceId>,
    /// The devices that rows have put into racks, with the units that they take there.
    arrived: Arrived,
}

type Arrived = HashMap<Name, Vec<(DeviceId, Footprint)>>;

impl Planned {
    /// The rows for a dry run, without the ids of devices and deployments that will not be created.
    pub(super) fn without_new_ids(self) -> Vec<PlannedRow> {
        let known = self.known;
        let reported =
            |row: PlannedRow| PlannedRow { device: row.device.filter(|id| known.contains(id)), deployment: None, ..row };
        self.rows.into_iter().map(reported).collect()
    }
}

/// The facts that all rows share.
struct Common<'a> {
    known: &'a ImportFacts,
    /// The devices that leave the units of their racks, because a row of the file names another rack.
    moving: BTreeSet<DeviceId>,
    plan: Plan,
    import: ImportId,
    metadata: String,
}

pub(super) async fn plan(
    commands: &CommandService,
    rows: &[Row],
    import: ImportId,
    beside: Option<Beside<'_>>,
    context: &Context,
) -> Result<Result<Planned, Vec<RowError>>, Failure> {
    let known = ImportFacts::look_up(&commands.views, rows).await?;
    let rows = names::without_fillers(rows, &known);
    let rows: &[Row] = &rows;
    let mut free = Free::find(&commands.views, &known, rows, beside).await?;
    let moving = rows.iter().filter_map(|row| known.move_of(row)).map(|(device, ..)| device).collect();
    let common = Common { known: &known, moving, plan: standard_plan()?, import, metadata: context::metadata_text(context) };
    let mut planned = Planned {
        rows: Vec::with_capacity(rows.len()),
        events: vec![],
        preconditions: vec![],
        chosen: vec![],
        known: BTreeSet::new(),
        arrived: Arrived::new(),
    };
    let mut errors = vec![];
    let mut named: HashMap<DeviceId, &Row> = HashMap::new();
    let mut used = BTreeMap::new();
    let mut resolved = Resolved::new();
    for row in rows {
        match common.row(commands, row, &mut free, &mut used, &mut resolved, &mut planned).await? {
            Ok(row) => planned.rows.push(row),
            Err(broken) => errors.extend(broken.into_iter().map(|error| names::hinted(error, row, &known))),
        }
        for (above, other) in known.devices.get(&row.mac).iter().flat_map(|device| known.above_in_file(device)) {
            let message = format!(
                "this server is a sub-device of {above}, which row {other} deploys and which would detach it; leave one of the two \
                 rows out, and deploy that server when the other deployment has ended"
            );
            errors.push(error(row.line, "mac", Rule::ChassisInFile, message));
        }
        if let Some(device) = known.devices.get(&row.mac) {
            let first: &Row = named.entry(device.id).or_insert(row);
            // Two rows with the same MAC address were found when the file was read.
            if first.mac != row.mac {
                let message = format!(
                    "this server is already in row {}, by its MAC address {}; leave one of the two rows out",
                    first.line, first.mac
                );
                errors.push(error(row.line, "mac", Rule::MacRepeated, message));
            }
        }
    }
    let of_catalogue =
        |((aggregate_type, aggregate_id), sequence)| Precondition::Sequence { aggregate_type, aggregate_id, sequence };
    planned.preconditions.extend(used.into_iter().map(of_catalogue));
    planned.preconditions.extend(known.idle());
    planned.chosen = free.given();
    // A server that keeps its unit in another rack must not take that of a device that comes there at the same time.
    let scope = ChangeScope {
        racks: rows.iter().filter_map(|row| known.move_of(row)).map(|(_, rack, _)| rack).collect(),
        ranges: rows.iter().filter_map(|row| row.management_ip.as_ref()?.ipv4()).map(Into::into).collect(),
        ..ChangeScope::free_of_infrastructure(planned.rows.iter().map(|row| row.ip))
    };
    planned.preconditions.push(Precondition::Unused { after: known.after, scope });
    Ok(if errors.is_empty() { Ok(planned) } else { Err(errors) })
}

type Used = BTreeMap<(&'static str, String), i64>;

/// The settings of each image, venture, role and site, which many rows share.
type Resolved = HashMap<(Name, Name, Name, Name), Inherited>;

impl Common<'_> {
    /// The settings of a row's image from device, role, venture and site.
    fn settings(
        &self,
        row: &Row,
        image: Option<&Entry<BootImage>>,
        lineage: &[Entry<VentureView>],
        site: Option<&Entry<SiteSpec>>,
        resolved: &mut Resolved,
    ) -> Resolution {
        // This also applies to an image that declares no settings, because one of them selects the boot chain.
        let Some((image, site)) = image.zip(site) else { return Resolution::default() };
        let key = (image.key.clone(), row.venture.clone(), row.role.clone(), site.key.clone());
        let inherited = resolved
            .entry(key)
            .or_insert_with(|| Inherited::new(&image.key, &image.spec, layers(lineage, Some(&row.role), Some(site))));
        match self.known.devices.get(&row.mac) {
            Some(device) => inherited.of_device(&device.settings),
            None => inherited.of_device(&Settings::new()),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one row from its cells to its events, read from top to bottom")]
    async fn row(
        &self,
        commands: &CommandService,
        row: &Row,
        free: &mut Free,
        used: &mut Used,
        resolved: &mut Resolved,
        planned: &mut Planned,
    ) -> Result<Result<PlannedRow, Vec<RowError>>, Failure> {
        let known_device = self.known.devices.get(&row.mac);
        let (network, ip) = match self.address(row, free) {
            Ok(chosen) => chosen,
            Err(error) => return Ok(Err(vec![error])),
        };
        let site = self.known.sites.get(&network.spec.site);
        let keeps = known_device.is_some_and(|device| device.addresses.contains(&ip));
        let hostname = row
            .hostname
            .clone()
            .or_else(|| known_device.and_then(|device| own_hostname(device, keeps)))
            .or_else(|| free.hostname(&network.spec.site));
        let lineage = self.known.lineage(&row.venture);
        let boot_image = row.boot_image.clone().or_else(|| inherited_image(&lineage, Some(&row.role)));
        let (Some(hostname), Some(boot_image)) = (hostname, boot_image.clone()) else {
            let mut broken = vec![];
            if boot_image.is_none() {
                let entry = lineage.first();
                let role_exists = entry.is_some_and(|entry| entry.spec.roles.contains_key(&row.role));
                let reason = no_default_image(&row.venture, &row.role, entry.is_some(), role_exists);
                broken.push(RowError { row: row.line, column: reason.field.clone(), broken: reason });
            } else {
                let message = format!("no host name was given, and the template of site {} has none left", network.spec.site);
                broken.push(error(row.line, "hostname", Rule::HostnameMissing, message));
            }
            return Ok(Err(broken));
        };
        let rack = row
            .rack
            .clone()
            .or_else(|| known_device.and_then(|device| device.rack.clone()))
            .or_else(|| network.spec.racks.first().cloned());
        let id = known_device.map_or_else(|| DeviceId(Uuid::now_v7()), |device| device.id);
        let mut broken: Vec<BrokenRule> = self.rack(row, rack.as_ref(), network).into_iter().collect();
        let device = match self.device(commands, row, id, rack.as_ref(), &network.spec.site, &planned.arrived).await? {
            Ok(device) => {
                if let Some((id, rack, footprint)) = self.known.move_of(row) {
                    planned.arrived.entry(rack).or_default().push((id, footprint));
                }
                device
            }
            Err(Refused(more)) => {
                broken.extend(more);
                None
            }
        };
        let image = self.known.boot_images.get(&boot_image);
        let venture = lineage.first().filter(|entry| entry.key == row.venture);
        let assignment = Assignment {
            device: id,
            mac: row.mac,
            ip,
            hostname,
            venture: row.venture.clone(),
            role: row.role.clone(),
            boot_image,
        };
        let facts = StartFacts {
            device: Some(known_device.map_or_else(
                || DeviceFacts {
                    site: Some(network.spec.site.clone()),
                    macs: vec![row.mac],
                    verified: true,
                    ..DeviceFacts::default()
                },
                |device| DeviceFacts {
                    deploying_parts: self.known.family.deploying_below(device),
                    deploying_above: self.known.family.deploying_above(device),
                    ..device.deployment_facts()
                },
            )),
            holders: self.known.holders_of(assignment.claims()),
            managed: self.known.managed.get(&ip).copied(),
            infrastructure: self.known.declared.get(&ip).cloned().unwrap_or_default(),
            network: Some((network.key.clone(), network.spec.clone())),
            site: site.map(|entry| entry.spec.clone()),
            venture_exists: venture.is_some(),
            role_exists: venture.is_some_and(|entry| entry.spec.roles.contains_key(&row.role)),
            boot_image: image.map(image_facts),
            settings: self.settings(row, image, &lineage, site, resolved),
        };
        let deployment = DeploymentId(Uuid::now_v7());
        let start = StartDeployment {
            assignment: assignment.clone(),
            plan: self.plan.clone(),
            import: Some(self.import),
            notes: row.notes_of_deployment(),
            facts,
        };
        let mut draft = Draft::<Deployment>::fresh(deployment.to_string());
        if let Err(Refused(more)) = draft.decide(|none| none.decide(DeploymentCommand::StartDeployment(Box::new(start)))) {
            broken.extend(more.into_iter().filter(|rule| !broken.contains(rule)).collect::<Vec<_>>());
        }
        if !broken.is_empty() {
            let reported = |broken: BrokenRule| RowError { row: row.line, column: column_of(&broken.field), broken };
            return Ok(Err(broken.into_iter().map(reported).collect()));
        }
        let seen = [
            ("network", network.key.to_string(), network.sequence),
            ("site", network.spec.site.to_string(), site.map_or(0, |entry| entry.sequence)),
            ("venture", row.venture.to_string(), venture.map_or(0, |entry| entry.sequence)),
            ("boot_image", assignment.boot_image.to_string(), image.map_or(0, |entry| entry.sequence)),
        ];
        used.extend(seen.map(|(kind, key, sequence)| ((kind, key), sequence)));
        let stands_in = rack.as_ref().and_then(|rack| self.known.racks.get(rack));
        used.extend(stands_in.map(|entry| (("rack", entry.key.to_string()), entry.sequence)));
        // The settings of ancestors are used as well.
        used.extend(lineage.iter().skip(1).map(|entry| (("venture", entry.key.to_string()), entry.sequence)));
        if let Some(known) = known_device {
            planned.known.insert(id);
            planned.preconditions.push(Precondition::Sequence {
                aggregate_type: "device",
                aggregate_id: id.to_string(),
                sequence: known.sequence,
            });
        }
        if let Some(device) = device {
            planned.events.extend(device.into_events(&self.metadata)?);
        }
        planned.events.extend(draft.into_events(&self.metadata)?);
        let Assignment { mac, ip, hostname, venture, role, boot_image, .. } = assignment;
        Ok(Ok(PlannedRow {
            row: row.line,
            device: Some(id),
            deployment: Some(deployment),
            mac,
            ip,
            hostname,
            network: network.key.clone(),
            rack,
            venture,
            role,
            boot_image,
            notes: row.notes.clone(),
        }))
    }
}

/// The column of the file that a rule's field refers to.
fn column_of(field: &str) -> String {
    match field {
        "device" | "macs" => "mac".to_owned(),
        "position" => "rack".to_owned(),
        "management" | "management.address" => "management_ip".to_owned(),
        other => other.to_owned(),
    }
}
