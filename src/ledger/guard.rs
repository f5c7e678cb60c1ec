//! Checks that a change of the catalogue does not make anything in use invalid.
//!
//! The rule is [`bootledger_aggregates::placement`]. This module provides the facts that it needs, and the conditions that must
//! still hold when the change is appended: nothing that the change affects may have come into use since the views were read
//! ([`Precondition::Unused`]), and the entries that the change refers to are unchanged ([`Precondition::Sequence`]). If a
//! deployment starts at the same moment, one of the two is decided again.

use super::Ledger;
use super::devices::unreachable_command;
use super::execute::Failure;
use crate::store::append::Precondition;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::patch::Removable;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::placement::{Catalogue, Change, Consequences, Held, NAMED, Scope, Weighing, unserved};
use bootledger_aggregates::rules::{BrokenRule, Refused};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::pool::Connection;
use bootledger_projections::{catalogue, checkpoint, devices, held};
use bootledger_web::commands::{Command, Context, Kind, Preview};
use std::net::Ipv4Addr;
use tracing::trace;

/// How a command is checked before it is decided.
#[derive(Clone, Debug)]
pub(super) enum Guarded {
    /// The command is checked against everything that is in use.
    Weighed(Change),
    /// The command changes a device's place or interfaces, and is checked against what the device holds.
    Device(DeviceId),
    /// Entries that the command adds must be served by a network.
    Facts(DeviceId),
    /// The command cannot make anything invalid, for this reason.
    Harmless(&'static str),
}

/// How each command is checked. A new command does not compile without an entry here; docs/catalogue-changes.md lists all.
pub(super) fn guarded(command: &Command) -> Guarded {
    use Command as C;
    use Guarded::{Harmless, Weighed};
    match command {
        C::DefineSite(name, spec) => Weighed(Change::Site(name.clone(), Some(spec.clone()))),
        C::DefineRack(name, spec) => Weighed(Change::Rack(name.clone(), Some(spec.clone()))),
        C::DefineNetwork(name, spec) => Weighed(Change::Network(name.clone(), Some(spec.clone()))),
        C::DefineDhcpServer(name, spec) => Weighed(Change::DhcpServer(name.clone(), Some(spec.clone()))),
        C::DefineVenture(name, spec) => Weighed(Change::Venture(name.clone(), Some(Box::new(spec.clone())))),
        C::DefineRole { venture, role, spec } => {
            Weighed(Change::Role(venture.clone(), role.clone(), Some(Box::new(spec.clone()))))
        }
        C::RetireRole { venture, role } => Weighed(Change::Role(venture.clone(), role.clone(), None)),
        C::Retire(kind, name) => match kind {
            Kind::Site => Weighed(Change::Site(name.clone(), None)),
            Kind::Rack => Weighed(Change::Rack(name.clone(), None)),
            Kind::Network => Weighed(Change::Network(name.clone(), None)),
            Kind::DhcpServer => Weighed(Change::DhcpServer(name.clone(), None)),
            Kind::Venture => Weighed(Change::Venture(name.clone(), None)),
            Kind::BootImage => Weighed(Change::RetireBootImage(name.clone())),
            Kind::Webhook => Harmless("a webhook has its own queue, and ends with it"),
            Kind::Secret => Harmless("taking the permission to use a secret back must always be possible"),
        },
        C::ChangeDevice(device, _) => Guarded::Device(*device),
        C::RecordFacts(device, _) => Guarded::Facts(*device),
        C::DefineBootImage(..) | C::PutBootFile { .. } | C::RemoveBootFile { .. } | C::ReplaceBootImage { .. } => {
            Harmless("live deployments keep the revision of the image that they were started with")
        }
        C::DefineSecret(..) => Harmless("taking the permission to use a secret back must always be possible"),
        C::DecommissionDevice { .. } => {
            Harmless("refused with a live deployment, and else gives back, as events, all that the device holds")
        }
        C::RegisterDevice { .. } | C::VerifyDevice(_) => Harmless("it holds nothing yet, or nothing that changes"),
        C::UnverifyDevice(_) => Harmless("refused with a live deployment"),
        C::StartDeployment(_)
        | C::CancelDeployment { .. }
        | C::MarkDone { .. }
        | C::ReportPuppetRun { .. }
        | C::RetryPlugin { .. }
        | C::RecordBoot { .. }
        | C::ReportInstaller { .. }
        | C::RecordInstallerLog { .. }
        | C::SetNextBoot { .. }
        | C::OrderPower { .. } => Harmless("no change of the catalogue: deployments have rules of their own"),
        C::ConfirmConfiguration { .. } | C::ReportConfigurationFailure { .. } | C::RepairDrift { .. } => {
            Harmless("a report about a server, or an order to repair it")
        }
        C::DefineWebhook(..)
        | C::PauseWebhook { .. }
        | C::ResumeWebhook(_)
        | C::SetWebhookPosition { .. }
        | C::SkipWebhookEvent { .. } => Harmless("a webhook has its own queue"),
        C::CreateToken { .. }
        | C::RevokeToken(_)
        | C::CreateUser { .. }
        | C::AdmitUser { .. }
        | C::ChangeUserRole { .. }
        | C::SetPassword { .. }
        | C::DisableUser(_)
        | C::EnableUser(_)
        | C::LockOut { .. }
        | C::UnlockUser(_)
        | C::StartSession { .. }
        | C::EndSession { .. } => Harmless("people and tokens hold nothing"),
    }
}

/// The entries that a command's own description refers to.
fn references(command: &Command) -> Vec<(&'static str, Name)> {
    let image = |image: &Option<Name>| image.clone().map(|image| ("boot_image", image));
    match command {
        Command::DefineRack(_, spec) => vec![("site", spec.site.clone())],
        Command::DefineDhcpServer(_, spec) => vec![("site", spec.site.clone())],
        Command::DefineNetwork(_, spec) => {
            let racks = spec.racks.iter().map(|rack| ("rack", rack.clone()));
            racks.chain([("site", spec.site.clone())]).collect()
        }
        Command::DefineVenture(_, spec) => {
            let parent = spec.parent.clone().map(|parent| ("venture", parent));
            parent.into_iter().chain(image(&spec.default_boot_image)).collect()
        }
        Command::DefineRole { spec, .. } => image(&spec.default_boot_image).into_iter().collect(),
        Command::RegisterDevice { spec, venture, .. } => {
            let rack = spec.rack.clone().map(|rack| ("rack", rack));
            let venture = venture.clone().map(|venture| ("venture", venture));
            rack.into_iter().chain(venture).chain([("site", spec.site.clone())]).collect()
        }
        Command::ChangeDevice(_, change) => {
            let site = change.site.clone().map(|site| ("site", site));
            let rack = change.rack.clone().map(|rack| ("rack", rack));
            site.into_iter().chain(rack).chain(change.venture.clone().map(|venture| ("venture", venture))).collect()
        }
        _ => vec![],
    }
}

impl Ledger {
    /// Refuses a command that would make something in use invalid. Otherwise returns the conditions that must still hold when
    /// it is appended, and the entries that change with it.
    pub(super) async fn guard(&self, command: &Command) -> Result<(Vec<Precondition>, Consequences), Failure> {
        let references = references(command);
        let (mut preconditions, consequences) = match guarded(command) {
            Guarded::Harmless(why) => {
                trace!(why, "the command is not weighed");
                (vec![], Consequences::default())
            }
            Guarded::Weighed(change) => {
                let weighed = self.weigh(&change).await?;
                self.refuse_declared(&change).await?;
                weighed
            }
            Guarded::Device(device) => match command {
                Command::ChangeDevice(_, change) => self.weigh_device(device, change).await?,
                _ => (vec![], Consequences::default()),
            },
            Guarded::Facts(device) => match command {
                Command::RecordFacts(_, facts) => {
                    let mut preconditions = self.weigh_facts(device, facts).await?;
                    preconditions.extend(self.refuse_infrastructure(device, facts).await?);
                    (preconditions, Consequences::default())
                }
                _ => (vec![], Consequences::default()),
            },
        };
        let management = match command {
            Command::RegisterDevice { spec, .. } => spec.management.as_ref(),
            Command::ChangeDevice(_, change) => change.management.as_ref(),
            _ => None,
        };
        preconditions.extend(self.controller_stays(management).await?);
        if !references.is_empty() {
            let connection = &mut self.views.acquire().await?;
            for (kind, key, sequence) in held::sequences(connection, &references).await? {
                preconditions.push(Precondition::Sequence { aggregate_type: kind, aggregate_id: key.to_string(), sequence });
            }
        }
        Ok((preconditions, consequences))
    }

    /// What a command would do. It is decided in the usual way, but nothing is appended.
    pub(super) async fn weigh_only(&self, command: &Command, context: &Context) -> Result<Preview, Failure> {
        let dry = Self { dry: true, ..self.clone() };
        let (mut named, mut count) = match guarded(command) {
            Guarded::Weighed(_) | Guarded::Device(_) | Guarded::Facts(_) => {
                let (preconditions, consequences) = dry.guard(command).await?;
                match command {
                    Command::ChangeDevice(..) | Command::RecordFacts(..) => {
                        dry.device_command(command, preconditions, context).await?
                    }
                    _ => dry.catalogue_command(command, preconditions, context).await?,
                };
                (consequences.moved, consequences.moved_count)
            }
            Guarded::Harmless(_) => {
                match command {
                    Command::DecommissionDevice { .. } => dry.device_command(command, vec![], context).await?,
                    Command::DefineBootImage(..) | Command::DefineSecret(..) | Command::Retire(..) => {
                        dry.catalogue_command(command, vec![], context).await?
                    }
                    other => unreachable_command(other)?,
                };
                (vec![], 0)
            }
        };
        if let Command::DecommissionDevice { device, .. } = command {
            let connection = &mut self.views.acquire().await?;
            let held = held::of_devices(connection, &[*device]).await?;
            let released: Vec<String> = held.iter().flat_map(Held::released).collect();
            count += released.len();
            named.extend(released.into_iter().take(NAMED));
        }
        Ok(Preview { moves: named, moved: count })
    }

    async fn weigh(&self, change: &Change) -> Result<(Vec<Precondition>, Consequences), Failure> {
        let connection = &mut self.views.acquire().await?;
        // The position is read first: everything that the views show beyond it is checked again, so nothing is missed.
        let after = checkpoint::position(&mut *connection).await?;
        let nothing = |scope: Scope| {
            let unused = (!scope.is_empty()).then_some(Precondition::Unused { after, scope });
            (unused.into_iter().collect(), Consequences::default())
        };
        if let Some(scope) = of_new(connection, change).await? {
            return Ok(nothing(scope));
        }
        let before = held::catalogue(connection, At::Now).await?;
        let scope = change.scope(&before);
        let mut weighing = Weighing::of(change, &before);
        if !scope.is_empty() {
            for some in held::concerned(connection, &scope).await?.chunks(held::CHUNK) {
                weighing.weigh(held::of_devices(connection, some).await?.into_iter().map(|held| (held.clone(), held)));
            }
        }
        let consequences = weighing.consequences();
        consequences.refuse()?;
        Ok((nothing(scope).0, consequences))
    }

    /// Checks the change of a device's place.
    pub(super) async fn weigh_device(
        &self,
        id: DeviceId,
        change: &DeviceChange,
    ) -> Result<(Vec<Precondition>, Consequences), Failure> {
        let none = (vec![], Consequences::default());
        if change.site.is_none() && change.rack.is_none() && !change.removes(Removable::Rack) {
            return Ok(none);
        }
        let connection = &mut self.views.acquire().await?;
        // This is read first, so that no event of the device is missed.
        let unchanged = device_stays(connection, id).await?;
        let Some(now) = held::of_devices(connection, &[id]).await?.pop() else { return Ok(none) };
        let moved = Held {
            site: change.site.clone().unwrap_or_else(|| now.site.clone()),
            rack: change.rack_after(now.rack.as_ref()),
            ..now.clone()
        };
        if moved == now {
            return Ok(none);
        }
        let ips: Vec<Ipv4Addr> = now.held_addresses().into_iter().collect();
        let mut preconditions = networks_stay(connection, &ips).await?;
        preconditions.extend(unchanged);
        let before = held::catalogue(connection, At::Now).await?;
        let change = Change::Device(now.site.clone(), id);
        let mut weighing = Weighing::of(&change, &before);
        weighing.weigh([(now, moved)]);
        let consequences = weighing.consequences();
        consequences.refuse()?;
        Ok((preconditions, consequences))
    }

    /// Refuses DHCP entries that no network of the device's site would serve.
    async fn weigh_facts(&self, id: DeviceId, facts: &Facts) -> Result<Vec<Precondition>, Failure> {
        let Some(entries) = facts.dhcp_entries.as_ref().filter(|entries| !entries.is_empty()) else { return Ok(vec![]) };
        let connection = &mut self.views.acquire().await?;
        // This is read first, so that no event of the device is missed.
        let unchanged = device_stays(connection, id).await?;
        let Some(now) = held::of_devices(connection, &[id]).await?.pop() else { return Ok(vec![]) };
        let added: Vec<_> = entries.iter().filter(|entry| !now.leases.contains(&(entry.ip, entry.mac))).collect();
        if added.is_empty() {
            return Ok(vec![]);
        }
        let ips: Vec<Ipv4Addr> = added.iter().map(|entry| entry.ip).collect();
        let mut preconditions = networks_stay(connection, &ips).await?;
        preconditions.extend(unchanged);
        let before = held::catalogue(connection, At::Now).await?;
        let named =
            added.iter().filter(|entry| !before.networks.get(&entry.network).is_some_and(|spec| spec.cidr.contains(&entry.ip)));
        let mut broken: Vec<BrokenRule> = named
            .map(|entry| {
                let message =
                    format!("{} does not lie in a network {} in use; name the network of the address", entry.ip, entry.network);
                BrokenRule::new("dhcp_entries", "network_of_entry", message)
            })
            .collect();
        let leases = added.iter().map(|entry| (entry.ip, entry.mac)).collect();
        broken.extend(unserved(&before, &Held { addresses: ips.into_iter().collect(), leases, live: None, ..now }));
        Refused::unless_empty(broken)?;
        Ok(preconditions)
    }
}

/// The scope of a change that cannot make anything invalid, because the entry is new or unchanged; `None` for other changes.
/// With it, a catalogue of thousands of entries is loaded, or loaded again, without being read thousands of times.
async fn of_new(connection: &mut Connection, change: &Change) -> Result<Option<Scope>, Failure> {
    let nobodys = || Some(change.scope(&Catalogue::default()));
    let same = |unchanged: bool| unchanged.then(Scope::default);
    Ok(match change {
        Change::Rack(key, Some(spec)) => match catalogue::rack(&mut *connection, key, At::Now).await? {
            Some(entry) if !entry.retired => same(entry.spec == *spec),
            _ => nobodys(),
        },
        Change::Network(key, Some(spec)) => match catalogue::network(&mut *connection, key, At::Now).await? {
            Some(entry) if !entry.retired => same(entry.spec == **spec),
            _ => nobodys(),
        },
        Change::DhcpServer(key, Some(spec)) => match catalogue::dhcp_server(&mut *connection, key, At::Now).await? {
            Some(entry) if !entry.retired => same(entry.spec.spec == *spec),
            _ => nobodys(),
        },
        Change::Site(key, Some(spec)) => match catalogue::site(&mut *connection, key, At::Now).await? {
            Some(entry) if !entry.retired => same(entry.spec == **spec),
            // A new zone may take over names from a wider one.
            _ => None,
        },
        // Nothing depends on the description of a venture or role: entries in use refer to it by name.
        Change::Venture(_, Some(_)) | Change::Role(_, _, Some(_)) => Some(Scope::default()),
        _ => None,
    })
}

/// The precondition that the device is unchanged. Its site and what it holds were read from the views, which may lag behind its
/// events.
async fn device_stays(connection: &mut Connection, id: DeviceId) -> Result<Option<Precondition>, Failure> {
    let device = devices::find(&mut *connection, id, At::Now).await?;
    Ok(device.map(|device| Precondition::Sequence {
        aggregate_type: "device",
        aggregate_id: id.to_string(),
        sequence: device.sequence,
    }))
}

/// The preconditions that the networks of these addresses are unchanged.
async fn networks_stay(connection: &mut Connection, ips: &[Ipv4Addr]) -> Result<Vec<Precondition>, Failure> {
    let networks = held::networks_at(connection, ips).await?.into_iter();
    let unchanged = |(name, sequence): (Name, i64)| Precondition::Sequence {
        aggregate_type: "network",
        aggregate_id: name.to_string(),
        sequence,
    };
    Ok(networks.map(unchanged).collect())
}
