//! Keeps addresses of routers, servers and management controllers apart from those of devices: none of them is assigned to a
//! device, and no address of a device is declared as one of theirs.

use super::CommandService;
use super::controllers::own_address;
use super::execute::Failure;
use super::facts::holders;
use crate::event_log::append::Precondition;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::infrastructure::{Declared, entry_of_controller, entry_refused};
use bootledger_aggregates::network::Reserved;
use bootledger_aggregates::placement::{Catalogue, Change, ChangeScope};
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::database::pool::Connection;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::questions::{held, infrastructure};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, deployments, devices};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

impl CommandService {
    /// Refuses a change that declares the address of a server that is being installed, or of a management controller, as that
    /// of a router or server. A deployed server may be declared, since many DNS servers are deployed servers.
    pub(super) async fn refuse_declared(&self, change: &Change) -> Result<(), Failure> {
        let new = change.declares(&before(&mut self.views.acquire().await?, change).await?);
        if new.is_empty() {
            return Ok(());
        }
        let ips: BTreeSet<Ipv4Addr> = new.iter().map(|one| one.ip).collect();
        let claims: Vec<Claim> = ips.iter().copied().map(Claim::Ip).collect();
        let of_device = |(_, holder)| if let Holder::Device(id) = holder { Some(id) } else { None };
        let holding: Vec<DeviceId> = holders(&self.views, &claims).await?.into_iter().filter_map(of_device).collect();
        let live = deployments::live_of_devices(&self.views, &holding, At::Now).await?;
        let hosts: Vec<Host> = ips.iter().copied().map(Host::from).collect();
        let controlled = devices::controlled_at(&self.views, &hosts).await?;
        let mut broken = vec![];
        for one in &new {
            broken.extend(self.undeclarable(one, &live, &controlled).await?);
        }
        Ok(Refused::unless_empty(broken)?)
    }

    async fn undeclarable(
        &self,
        one: &Declared,
        live: &[deployments::Deployment],
        controlled: &[devices::Device],
    ) -> Result<Option<BrokenRule>, Failure> {
        let (ip, would) = (one.ip, one.requested());
        let refuse = |rule: Rule, why: String, by: String| {
            Ok(Some(BrokenRule::new(one.field, rule, format!("{would}, {why}")).held_by(by)))
        };
        if let Some(deployment) = live.iter().find(|deployment| deployment.ip == ip) {
            let (before, holder) = (format!("{would}, but it is held by "), Holder::Deployment(deployment.id));
            let after = ": that server is being installed. Wait for the end of its deployment, or choose another address";
            return Ok(Some(BrokenRule::naming(one.field, Rule::AddressHeld, before, holder, after)));
        }
        let at_it = |device: &&devices::Device| device.management.as_ref().and_then(own_address) == Some(ip);
        if let Some(device) = controlled.iter().find(at_it) {
            let why = format!("but it is the management address of {}. Choose another address", device.words());
            return refuse(Rule::AddressIsManagement, why, Holder::Device(device.id).to_string());
        }
        let Some(network) = catalogue::network_of(&self.views, ip, At::Now).await? else { return Ok(None) };
        let what = match network.spec.reserved(ip) {
            Some(Reserved::Network) => "the address of the network itself",
            Some(Reserved::Broadcast) => "the broadcast address",
            _ => return Ok(None),
        };
        let why = format!("but it is {what} of network {}. Choose another address", network.key);
        refuse(Rule::AddressOfNoHost, why, format!("network {}", network.key))
    }

    /// Refuses new entries of a device for an address of a router, server or controller. Returns what must still hold when they
    /// are appended. An address that the device already holds, or that the same command records, may be that of a DNS server or
    /// similar, and the device's own controller may get its address from DHCP.
    pub(super) async fn refuse_infrastructure(&self, id: DeviceId, facts: &Facts) -> Result<Vec<Precondition>, Failure> {
        let given = facts.dhcp_entries.iter().flatten().map(|entry| ("dhcp_entries", entry.ip));
        let named = facts.dns_entries.iter().flatten().map(|entry| ("dns_entries", entry.ip));
        let mut entries: BTreeSet<(&str, Ipv4Addr)> = given.chain(named).collect();
        if entries.is_empty() {
            return Ok(vec![]);
        }
        let mut connection = self.views.acquire().await?;
        let after = checkpoint::position(&mut connection).await?;
        // Existing entries are not checked again, because an inventory reports all entries each time.
        if let Some(now) = held::of_devices(&mut connection, &[id]).await?.pop() {
            let leases = now.leases.iter().map(|(ip, _)| ("dhcp_entries", *ip));
            let known: BTreeSet<(&str, Ipv4Addr)> =
                leases.chain(now.records.iter().map(|(_, ip)| ("dns_entries", *ip))).collect();
            entries.retain(|entry| !known.contains(entry));
        }
        if entries.is_empty() {
            return Ok(vec![]);
        }
        let ips: Vec<Ipv4Addr> = entries.iter().map(|(_, ip)| *ip).collect();
        let declared = infrastructure::at(&mut connection, &ips).await?;
        let managed = devices::managed_at(&mut connection, &ips).await?;
        // The next query takes a connection of its own.
        drop(connection);
        let mut broken = vec![];
        if !(declared.is_empty() && managed.is_empty()) {
            let claims: Vec<Claim> = ips.iter().copied().map(Claim::Ip).collect();
            let mut holders = holders(&self.views, &claims).await?;
            // An inventory reports addresses and entries together.
            let own = facts.addresses.iter().flatten().map(|ip| (Claim::Ip(*ip), Holder::Device(id)));
            holders.extend(own);
            for (field, ip) in &entries {
                let of_catalogue = declared.iter().filter(|one| one.ip == *ip);
                let of_catalogue =
                    of_catalogue.filter_map(|one| Some(entry_refused(field, &one.refuses(id, &holders)?, one.by())));
                broken.extend(of_catalogue.take(1));
                if let Some((_, other)) = managed.iter().find(|(managed, other)| managed == ip && *other != id) {
                    broken.push(entry_of_controller(field, *ip, *other));
                }
            }
        }
        Refused::unless_empty(broken)?;
        Ok(vec![Precondition::Unused { after, scope: ChangeScope::free_of_infrastructure(ips) }])
    }

    /// The precondition that the address of a controller does not become the address of something else.
    pub(super) async fn controller_stays(&self, management: Option<&Management>) -> Result<Vec<Precondition>, Failure> {
        let Some(ip) = management.and_then(own_address) else { return Ok(vec![]) };
        let after = checkpoint::position(&self.views).await?;
        let scope = ChangeScope { ranges: [ip.into()].into(), declared: [ip].into(), ..ChangeScope::default() };
        Ok(vec![Precondition::Unused { after, scope }])
    }
}

/// The current state of the changed entry, without the rest of the catalogue.
async fn before(connection: &mut Connection, change: &Change) -> Result<Catalogue, Failure> {
    let mut found = Catalogue::default();
    match change {
        Change::Network(key, Some(_)) => {
            let entry = catalogue::network(&mut *connection, key, At::Now).await?.filter(|entry| !entry.retired);
            found.networks.extend(entry.map(|entry| (entry.key, entry.spec)));
        }
        Change::Site(key, Some(_)) => {
            let entry = catalogue::site(&mut *connection, key, At::Now).await?.filter(|entry| !entry.retired);
            found.sites.extend(entry.map(|entry| (entry.key, entry.spec)));
        }
        Change::DhcpServer(key, Some(_)) => {
            let entry = catalogue::dhcp_server(&mut *connection, key, At::Now).await?.filter(|entry| !entry.retired);
            found.dhcp_servers.extend(entry.map(|entry| (entry.key, entry.spec.spec)));
        }
        _ => {}
    }
    Ok(found)
}
