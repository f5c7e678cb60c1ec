//! The plan of an import: for each row its device, its deployment and their events, or its errors.

use super::super::controllers::{clash, misplaced};
use super::super::execute::Failure;
use super::super::start::{image_facts, standard_plan};
use super::super::{Ledger, context};
use super::choose::{Beside, Free, networks_of, own_hostname};
use super::facts::Known;
use super::names;
use super::read::{Row, error};
use crate::store::append::{NewEvent, Precondition};
use crate::store::draft::Draft;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::deployment::start::{DeviceFacts, StartDeployment, StartFacts};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::{DeviceKind, Management, ManagementProtocol};
use bootledger_aggregates::device::management::Access;
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec, RegisterFacts};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::placement::Scope;
use bootledger_aggregates::rules::{BrokenRule, Refused};
use bootledger_aggregates::settings::{Inherited, Resolution};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::Settings;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::catalogue::{Entry, VentureView, inherited_image};
use bootledger_projections::settings::layers;
use bootledger_web::commands::{Context, PlannedRow, RowError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
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
}

impl Planned {
    /// The rows for a dry run, without the ids of devices and deployments that will not be created.
    pub(super) fn without_new_ids(self) -> Vec<PlannedRow> {
        let known = self.known;
        let told = |row: PlannedRow| PlannedRow { device: row.device.filter(|id| known.contains(id)), deployment: None, ..row };
        self.rows.into_iter().map(told).collect()
    }
}

/// The facts that all rows share.
struct Common<'a> {
    known: &'a Known,
    plan: Plan,
    import: ImportId,
    metadata: String,
}

pub(super) async fn plan(
    ledger: &Ledger,
    rows: &[Row],
    import: ImportId,
    beside: Option<Beside<'_>>,
    context: &Context,
) -> Result<Result<Planned, Vec<RowError>>, Failure> {
    let known = Known::look_up(&ledger.views, rows).await?;
    let rows = names::without_fillers(rows, &known);
    let rows: &[Row] = &rows;
    let mut free = Free::find(&ledger.views, &known, rows, beside).await?;
    let common = Common { known: &known, plan: standard_plan()?, import, metadata: context::metadata_text(context) };
    let mut planned = Planned {
        rows: Vec::with_capacity(rows.len()),
        events: vec![],
        preconditions: vec![],
        chosen: vec![],
        known: BTreeSet::new(),
    };
    let mut errors = vec![];
    let mut used = BTreeMap::new();
    let mut resolved = Resolved::new();
    for row in rows {
        match common.row(ledger, row, &mut free, &mut used, &mut resolved, &mut planned).await? {
            Ok(row) => planned.rows.push(row),
            Err(broken) => errors.extend(broken.into_iter().map(|error| names::hinted(error, row, &known))),
        }
        for (above, other) in known.devices.get(&row.mac).iter().flat_map(|device| known.above_in_file(device)) {
            let message = format!(
                "this server is a sub-device of {above}, which row {other} deploys and which would detach it; leave one of the two \
                 rows out, and deploy that server when the other deployment has ended"
            );
            errors.push(error(row.line, "mac", "chassis_in_file", message));
        }
    }
    let of_catalogue =
        |((aggregate_type, aggregate_id), sequence)| Precondition::Sequence { aggregate_type, aggregate_id, sequence };
    planned.preconditions.extend(used.into_iter().map(of_catalogue));
    planned.preconditions.extend(known.idle());
    planned.chosen = free.given();
    let scope = Scope {
        ranges: rows.iter().filter_map(|row| row.management_ip.as_ref()?.ipv4()).map(Into::into).collect(),
        ..Scope::free_of_infrastructure(planned.rows.iter().map(|row| row.ip))
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
        ledger: &Ledger,
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
                broken.push(error(
                    row.line,
                    "boot_image",
                    "boot_image_missing",
                    "no boot image was given, and neither role nor venture has a default",
                ));
            } else {
                let message = format!("no host name was given, and the template of site {} has none left", network.spec.site);
                broken.push(error(row.line, "hostname", "hostname_missing", message));
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
        let device = match self.device(ledger, row, id, rack.as_ref(), &network.spec.site).await? {
            Ok(device) => device,
            Err(Refused(more)) => {
                broken.extend(more);
                None
            }
        };
        let image = self.known.boot_images.get(&boot_image);
        let venture = lineage.first().filter(|entry| entry.key == row.venture);
        let claims = [Claim::Ip(ip), Claim::Hostname(hostname.clone()), Claim::Mac(row.mac), Claim::Deployment(id)];
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
            holders: self.known.holders_of(claims),
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
            device: id,
            mac: row.mac,
            ip,
            hostname: hostname.clone(),
            venture: row.venture.clone(),
            role: row.role.clone(),
            boot_image: boot_image.clone(),
            plan: self.plan.clone(),
            import: Some(self.import),
            facts,
        };
        let mut draft = Draft::<Deployment>::fresh(deployment.to_string());
        if let Err(Refused(more)) = draft.decide(|none| none.decide(DeploymentCommand::StartDeployment(Box::new(start)))) {
            broken.extend(more.into_iter().filter(|rule| !broken.contains(rule)).collect::<Vec<_>>());
        }
        if !broken.is_empty() {
            let told = |broken: BrokenRule| RowError { row: row.line, column: column_of(&broken.field), broken };
            return Ok(Err(broken.into_iter().map(told).collect()));
        }
        let seen = [
            ("network", network.key.to_string(), network.sequence),
            ("site", network.spec.site.to_string(), site.map_or(0, |entry| entry.sequence)),
            ("venture", row.venture.to_string(), venture.map_or(0, |entry| entry.sequence)),
            ("boot_image", boot_image.to_string(), image.map_or(0, |entry| entry.sequence)),
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
        Ok(Ok(PlannedRow {
            row: row.line,
            device: Some(id),
            deployment: Some(deployment),
            mac: row.mac,
            ip,
            hostname,
            network: network.key.clone(),
            rack,
            venture: row.venture.clone(),
            role: row.role.clone(),
            boot_image,
            notes: row.notes.clone(),
        }))
    }

    /// The row's network and address: the named ones, otherwise the device's own, otherwise the next free one.
    #[expect(clippy::result_large_err, reason = "the error of one cell, made once for a refused row")]
    fn address(&self, row: &Row, free: &mut Free) -> Result<(&Entry<NetworkSpec>, Ipv4Addr), RowError> {
        let names = networks_of(row, self.known);
        if let Some(unknown) = names.iter().find(|name| !self.known.networks.contains_key(**name)) {
            return Err(error(row.line, "network", "network_unknown", format!("there is no network {unknown}")));
        }
        let networks: Vec<&Entry<NetworkSpec>> = names.iter().filter_map(|name| self.known.networks.get(*name)).collect();
        if let Some(ip) = row.ip {
            let found = networks.iter().copied().find(|entry| entry.spec.cidr.contains(&ip));
            let anywhere = || self.known.networks.values().find(|entry| row.network.is_none() && entry.spec.cidr.contains(&ip));
            return match found.or_else(anywhere).or(networks.first().copied()) {
                Some(network) => Ok((network, ip)),
                None => Err(error(
                    row.line,
                    "ip",
                    "ip_outside_networks",
                    format!("{ip} lies in no known network; define its network first"),
                )),
            };
        }
        if networks.is_empty() {
            let message = "the network is missing; it may be left out only for a device whose address or rack determines it";
            return Err(error(row.line, "network", "network_missing", message));
        }
        let device = self.known.devices.get(&row.mac);
        let own = device
            .and_then(|device| networks.iter().find_map(|network| Some((*network, Known::own_address(device, &network.spec)?))));
        let next = || networks.iter().find_map(|network| Some((*network, free.address(&network.key)?)));
        let full = || {
            let names: Vec<&str> = networks.iter().map(|network| network.key.as_str()).collect();
            error(row.line, "ip", "network_full", format!("no address is free in {}", names.join(", ")))
        };
        own.or_else(next).ok_or_else(full)
    }

    fn rack(&self, row: &Row, rack: Option<&Name>, network: &Entry<NetworkSpec>) -> Option<BrokenRule> {
        let rack = rack?;
        let message = match self.known.racks.get(rack) {
            None => format!("there is no rack {rack}"),
            Some(entry) if entry.spec.site != network.spec.site => format!("rack {rack} is not in site {}", network.spec.site),
            Some(_) if row.rack.is_some() && !network.spec.racks.contains(rack) => {
                format!("network {} does not reach rack {rack}", network.key)
            }
            Some(_) => return None,
        };
        Some(BrokenRule::new("rack", "rack_unknown", message))
    }

    /// The events of the device: its registration if it is new, otherwise the changes that the row makes.
    async fn device(
        &self,
        ledger: &Ledger,
        row: &Row,
        id: DeviceId,
        rack: Option<&Name>,
        site: &Name,
    ) -> Result<Result<Option<Draft<Device>>, Refused>, Failure> {
        let management = row.management_ip.clone().map(|address| Management {
            address,
            protocol: ManagementProtocol::default(),
            credentials: None,
            access: Access::default(),
        });
        let claims = row.serial.clone().map(Claim::Serial);
        let held = self.known.holders_of(claims).into_iter().filter(|(_, holder)| *holder != Holder::Device(id)).collect();
        let mut facts = RegisterFacts { site_exists: true, rack_exists: true, held, device: id, ..RegisterFacts::default() };
        let present = self.known.devices.get(&row.mac).and_then(|known| known.management.as_ref());
        if let Some(management) = management.as_ref().filter(|new| present.is_none_or(|old| old.address != new.address)) {
            facts.endpoints = management.endpoints(&[]);
            facts.management_problems.extend(clash(&self.known.controllers, id, management, &facts.endpoints));
            if let Some(ip) = management.address.ipv4() {
                let declared = self.known.declared.get(&ip).map(Vec::as_slice).unwrap_or_default();
                let holders = self.known.holders_of([Claim::Ip(ip)]);
                let network = self.known.networks.values().find(|entry| entry.spec.cidr.contains(&ip));
                facts.management_problems.extend(misplaced(id, ip, declared, &holders, network));
            }
        }
        if let Some(known) = self.known.devices.get(&row.mac) {
            let changed = DeviceChange {
                serial: row.serial.clone().filter(|serial| known.serial.as_ref() != Some(serial)),
                rack: row.rack.clone().filter(|rack| known.rack.as_ref() != Some(rack)),
                management: management.filter(|new| known.management.as_ref().is_none_or(|old| old.address != new.address)),
                ..DeviceChange::default()
            };
            if changed == DeviceChange::default() {
                return Ok(Ok(None));
            }
            let mut draft = Draft::<Device>::load(&ledger.log, id.to_string()).await?;
            let command = DeviceCommand::ChangeDevice { change: Box::new(changed), facts };
            return Ok(draft.decide(|device| device.decide(command)).map(|()| Some(draft)));
        }
        let spec = DeviceSpec {
            kind: DeviceKind::Physical,
            name: Text::default(),
            serial: row.serial.clone(),
            asset: None,
            site: site.clone(),
            rack: rack.cloned(),
            position: None,
            macs: vec![row.mac],
            management,
            parent: None,
            settings: Settings::new(),
            endpoints: vec![],
        };
        let role = DeviceChange { venture: Some(row.venture.clone()), role: Some(row.role.clone()), ..DeviceChange::default() };
        let mut draft = Draft::<Device>::fresh(id.to_string());
        let decided = draft
            .decide(|device| device.decide(DeviceCommand::RegisterDevice { spec: Box::new(spec), facts: facts.clone() }))
            .and_then(|()| draft.decide(|device| device.decide(DeviceCommand::ChangeDevice { change: Box::new(role), facts })))
            .and_then(|()| draft.decide(|device| device.decide(DeviceCommand::VerifyDevice)));
        Ok(decided.map(|()| Some(draft)))
    }
}

/// The column of the file that a rule's field refers to.
fn column_of(field: &str) -> String {
    match field {
        "device" | "macs" => "mac".to_owned(),
        "management" | "management.address" => "management_ip".to_owned(),
        other => other.to_owned(),
    }
}
