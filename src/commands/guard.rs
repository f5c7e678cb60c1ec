//! Checks that a change of the catalogue does not make anything in use invalid.
//!
//! The rule is [`bootledger_aggregates::placement`]. This module provides the facts that it needs, and the conditions that must
//! still hold when the change is appended: nothing that the change affects may have come into use since the views were read
//! ([`Precondition::Unused`]), and the entries that the change refers to are unchanged ([`Precondition::Sequence`]). If a
//! deployment starts at the same moment, one of the two is decided again.

use super::CommandService;
use super::execute::Failure;
use crate::event_log::append::Precondition;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::patch::Removable;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::placement::{Catalogue, Change, ChangeScope, Consequences, Held, NAMED, Weighing, unserved};
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Context, DeviceAction, Kind, Preview};
use bootledger_projections::database::pool::Connection;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::questions::held;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, devices};
use std::net::Ipv4Addr;
use tracing::trace;

/// How a change of the catalogue is checked before it is decided.
#[derive(Clone, Debug)]
pub(super) enum Guarded {
    /// The change is checked against everything that is in use.
    Weighed(Change),
    /// The change cannot make anything invalid, for this reason.
    Harmless(&'static str),
}

/// How each change of the catalogue is checked. docs/catalogue-changes.md lists all.
pub(super) fn guarded(action: &CatalogueAction) -> Guarded {
    use CatalogueAction as A;
    use Guarded::{Harmless, Weighed};
    match action {
        A::DefineSite(name, spec) => Weighed(Change::Site(name.clone(), Some(spec.clone()))),
        A::DefineRack(name, spec) => Weighed(Change::Rack(name.clone(), Some(spec.clone()))),
        A::DefineNetwork(name, spec) => Weighed(Change::Network(name.clone(), Some(spec.clone()))),
        A::DefineDhcpServer(name, spec) => Weighed(Change::DhcpServer(name.clone(), Some(spec.clone()))),
        A::DefineVenture(name, spec) => Weighed(Change::Venture(name.clone(), Some(Box::new(spec.clone())))),
        A::DefineRole { venture, role, spec } => {
            Weighed(Change::Role(venture.clone(), role.clone(), Some(Box::new(spec.clone()))))
        }
        A::RetireRole { venture, role } => Weighed(Change::Role(venture.clone(), role.clone(), None)),
        A::Retire(kind, name) => match kind {
            Kind::Site => Weighed(Change::Site(name.clone(), None)),
            Kind::Rack => Weighed(Change::Rack(name.clone(), None)),
            Kind::Network => Weighed(Change::Network(name.clone(), None)),
            Kind::DhcpServer => Weighed(Change::DhcpServer(name.clone(), None)),
            Kind::Venture => Weighed(Change::Venture(name.clone(), None)),
            Kind::BootImage => Weighed(Change::RetireBootImage(name.clone())),
            Kind::Webhook => Harmless("a webhook has its own queue, and ends with it"),
            Kind::Secret => Harmless("it must always be possible to revoke the permission to use a secret"),
        },
        A::DefineBootImage(..) | A::PutBootFile { .. } | A::RemoveBootFile { .. } | A::ReplaceBootImage { .. } => {
            Harmless("live deployments keep the revision of the image that they were started with")
        }
        A::DefineSecret(..) => Harmless("it must always be possible to revoke the permission to use a secret"),
    }
}

/// The entries that a change of the catalogue refers to.
fn references(action: &CatalogueAction) -> Vec<(&'static str, Name)> {
    use CatalogueAction as A;
    let image = |image: &Option<Name>| image.clone().map(|image| ("boot_image", image));
    match action {
        A::DefineRack(_, spec) => vec![("site", spec.site.clone())],
        A::DefineDhcpServer(_, spec) => vec![("site", spec.site.clone())],
        A::DefineNetwork(_, spec) => {
            let racks = spec.racks.iter().map(|rack| ("rack", rack.clone()));
            racks.chain([("site", spec.site.clone())]).collect()
        }
        A::DefineVenture(_, spec) => {
            let parent = spec.parent.clone().map(|parent| ("venture", parent));
            parent.into_iter().chain(image(&spec.default_boot_image)).collect()
        }
        A::DefineRole { spec, .. } => image(&spec.default_boot_image).into_iter().collect(),
        A::DefineSite(..)
        | A::RetireRole { .. }
        | A::DefineBootImage(..)
        | A::PutBootFile { .. }
        | A::RemoveBootFile { .. }
        | A::ReplaceBootImage { .. }
        | A::DefineSecret(..)
        | A::Retire(..) => vec![],
    }
}

/// The entries that a device refers to.
fn place(site: Option<&Name>, rack: Option<&Name>, venture: Option<&Name>) -> Vec<(&'static str, Name)> {
    let named = [("site", site), ("rack", rack), ("venture", venture)];
    named.into_iter().filter_map(|(kind, name)| Some((kind, name?.clone()))).collect()
}

impl CommandService {
    /// Refuses a change of the catalogue that would make something in use invalid. Otherwise returns the conditions that must
    /// still hold when it is appended, and the entries that change with it.
    pub(super) async fn guard_catalogue(&self, action: &CatalogueAction) -> Result<(Vec<Precondition>, Consequences), Failure> {
        let (mut preconditions, consequences) = match guarded(action) {
            Guarded::Harmless(why) => {
                trace!(why, "the command is not checked");
                (vec![], Consequences::default())
            }
            Guarded::Weighed(change) => {
                let weighed = self.weigh(&change).await?;
                self.refuse_declared(&change).await?;
                weighed
            }
        };
        preconditions.extend(self.references_stay(&references(action)).await?);
        Ok((preconditions, consequences))
    }

    /// Refuses a change of a device that would make something that it holds invalid: its place and interfaces are checked
    /// against its addresses, and entries that are added must be served by a network. Otherwise returns the same as
    /// `guard_catalogue`.
    pub(super) async fn guard_device(&self, action: &DeviceAction) -> Result<(Vec<Precondition>, Consequences), Failure> {
        let (mut preconditions, mut consequences) = (vec![], Consequences::default());
        match action {
            // A new device holds nothing yet.
            DeviceAction::RegisterDevice { spec, venture, .. } => {
                preconditions.extend(self.controller_stays(spec.management.as_ref()).await?);
                let references = place(Some(&spec.site), spec.rack.as_ref(), venture.as_ref());
                preconditions.extend(self.references_stay(&references).await?);
            }
            DeviceAction::ChangeDevice(device, change) => {
                (preconditions, consequences) = self.weigh_device(*device, change).await?;
                preconditions.extend(self.controller_stays(change.management.as_ref()).await?);
                let references = place(change.site.as_ref(), change.rack.as_ref(), change.venture.as_ref());
                preconditions.extend(self.references_stay(&references).await?);
            }
            DeviceAction::RecordFacts(device, facts) => {
                preconditions.extend(self.weigh_facts(*device, facts).await?);
                preconditions.extend(self.refuse_infrastructure(*device, facts).await?);
            }
            // Verifying, locking and unlocking change nothing that the device holds. The rules refuse the others with a live deployment;
            // decommissioning releases, as events, all that the device holds.
            DeviceAction::VerifyDevice(_)
            | DeviceAction::UnverifyDevice(_)
            | DeviceAction::LockDevice { .. }
            | DeviceAction::UnlockDevice(_)
            | DeviceAction::DecommissionDevice { .. } => {}
        }
        Ok((preconditions, consequences))
    }

    /// The preconditions that these entries are unchanged.
    async fn references_stay(&self, references: &[(&'static str, Name)]) -> Result<Vec<Precondition>, Failure> {
        if references.is_empty() {
            return Ok(vec![]);
        }
        let connection = &mut self.views.acquire().await?;
        let sequences = held::sequences(connection, references).await?.into_iter();
        let unchanged = |(kind, key, sequence): (&'static str, Name, i64)| Precondition::Sequence {
            aggregate_type: kind,
            aggregate_id: key.to_string(),
            sequence,
        };
        Ok(sequences.map(unchanged).collect())
    }

    /// What a change of the catalogue would do. It is decided in the usual way, but nothing is appended.
    pub(super) async fn weigh_catalogue_only(&self, action: &CatalogueAction, context: &Context) -> Result<Preview, Failure> {
        let dry = self.dry();
        let (preconditions, consequences) = dry.guard_catalogue(action).await?;
        dry.catalogue_command(action, preconditions, context).await?;
        Ok(Preview { moves: consequences.moved, moved: consequences.moved_count })
    }

    /// What a change of a device would do. It is decided in the usual way, but nothing is appended.
    pub(super) async fn weigh_device_only(&self, action: &DeviceAction, context: &Context) -> Result<Preview, Failure> {
        let dry = self.dry();
        let completed = dry.with_controller(action).await?;
        let action = completed.as_ref().map_or(action, |(action, _)| action);
        let (preconditions, consequences) = dry.guard_device(action).await?;
        dry.device_command(action, preconditions, context).await?;
        let mut preview = Preview { moves: consequences.moved, moved: consequences.moved_count };
        if let DeviceAction::DecommissionDevice { device, .. } = action {
            let connection = &mut self.views.acquire().await?;
            let held = held::of_devices(connection, &[*device]).await?;
            let released: Vec<String> = held.iter().flat_map(Held::released).collect();
            preview.moved += released.len();
            preview.moves.extend(released.into_iter().take(NAMED));
        }
        Ok(preview)
    }

    /// The same service, which decides commands and appends nothing.
    fn dry(&self) -> Self {
        Self { log: self.log.dry(), ..self.clone() }
    }

    async fn weigh(&self, change: &Change) -> Result<(Vec<Precondition>, Consequences), Failure> {
        let connection = &mut self.views.acquire().await?;
        // The position is read first: everything that the views show beyond it is checked again, so nothing is missed.
        let after = checkpoint::position(&mut *connection).await?;
        let nothing = |scope: ChangeScope| {
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
            position: change.position_after(now.position, now.rack.is_some()),
            height: change.height.unwrap_or(now.height),
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
                let message = format!(
                    "{} is not in network {}, or that network is not in use; name the network of the address",
                    entry.ip, entry.network
                );
                BrokenRule::new("dhcp_entries", Rule::NetworkOfEntry, message)
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
async fn of_new(connection: &mut Connection, change: &Change) -> Result<Option<ChangeScope>, Failure> {
    let nobodys = || Some(change.scope(&Catalogue::default()));
    let same = |unchanged: bool| unchanged.then(ChangeScope::default);
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
        Change::Venture(_, Some(_)) | Change::Role(_, _, Some(_)) => Some(ChangeScope::default()),
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
pub(super) async fn networks_stay(connection: &mut Connection, ips: &[Ipv4Addr]) -> Result<Vec<Precondition>, Failure> {
    let networks = held::networks_at(connection, ips).await?.into_iter();
    let unchanged = |(name, sequence): (Name, i64)| Precondition::Sequence {
        aggregate_type: "network",
        aggregate_id: name.to_string(),
        sequence,
    };
    Ok(networks.map(unchanged).collect())
}
