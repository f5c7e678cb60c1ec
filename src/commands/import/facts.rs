//! All facts that the rules of an import's rows need, looked up in a few queries.

use super::super::controllers::{Owner, owners};
use super::super::execute::Failure;
use super::super::parts::Family;
use super::read::Row;
use crate::event_log::append::Precondition;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::device::controller::{Endpoint, Host};
use bootledger_aggregates::device::footprint::Footprint;
use bootledger_aggregates::infrastructure::Declared;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::questions::infrastructure;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry, VentureView};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::holdings;
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

/// How many keys one query looks up.
const CHUNK: usize = 5_000;

/// The catalogue in use, the known devices by MAC address, and the holders of values in the rows.
pub(super) struct ImportFacts {
    pub(super) sites: BTreeMap<Name, Entry<SiteSpec>>,
    pub(super) racks: BTreeMap<Name, Entry<RackSpec>>,
    pub(super) networks: BTreeMap<Name, Entry<NetworkSpec>>,
    pub(super) ventures: BTreeMap<Name, Entry<VentureView>>,
    pub(super) boot_images: BTreeMap<Name, Entry<BootImage>>,
    pub(super) devices: HashMap<MacAddress, Device>,
    pub(super) holders: HashMap<(&'static str, String), Holder>,
    /// The management addresses that rows name as addresses of servers.
    pub(super) managed: HashMap<Ipv4Addr, DeviceId>,
    /// The rows' devices, with the devices that contain them and their sub-devices.
    pub(super) family: Family,
    /// The row numbers of devices that belong to a family.
    rows: HashMap<DeviceId, u64>,
    /// What the catalogue uses the rows' addresses for, whether they are of servers or of controllers.
    pub(super) declared: HashMap<Ipv4Addr, Vec<Declared>>,
    /// The minimum position that the views showed.
    pub(super) after: i64,
    /// The devices that have a controller which a row names.
    pub(super) controllers: Vec<Owner>,
}

impl ImportFacts {
    pub(super) async fn look_up(views: &Pool, rows: &[Row]) -> Result<Self, Failure> {
        // The position is read first: what the views show beyond it is checked again.
        let after = checkpoint::position(views).await?;
        let mut devices = HashMap::new();
        let macs: Vec<MacAddress> = rows.iter().map(|row| row.mac).collect();
        for some in macs.chunks(CHUNK) {
            let found = devices::by_macs(views, some, At::Now).await?;
            for device in found.into_iter().filter(|device| !device.decommissioned) {
                for mac in device.macs.clone() {
                    devices.insert(mac, device.clone());
                }
            }
        }
        let mut known = Self {
            sites: by_key(catalogue::sites(views, At::Now).await?),
            racks: by_key(catalogue::racks(views, At::Now).await?),
            networks: by_key(catalogue::networks(views, At::Now).await?),
            ventures: by_key(catalogue::ventures(views, At::Now).await?),
            boot_images: catalogue::boot_images(views, At::Now)
                .await?
                .into_iter()
                .map(|entry| (entry.key.clone(), entry))
                .collect(),
            devices,
            holders: HashMap::new(),
            managed: HashMap::new(),
            family: Family::default(),
            rows: HashMap::new(),
            declared: HashMap::new(),
            after,
            controllers: vec![],
        };
        known.family = Family::of(views, known.devices.values()).await?;
        known.rows = rows.iter().filter_map(|row| Some((known.devices.get(&row.mac)?.id, row.line))).collect();
        let named: Vec<Ipv4Addr> = rows.iter().filter_map(|row| row.ip).collect();
        for some in named.chunks(CHUNK) {
            known.managed.extend(devices::managed_at(views, some).await?);
        }
        let controllers: Vec<Ipv4Addr> = rows.iter().filter_map(|row| row.management_ip.as_ref().and_then(Host::ipv4)).collect();
        let both: Vec<Ipv4Addr> = named.iter().chain(&controllers).copied().collect();
        if !both.is_empty() {
            let connection = &mut views.acquire().await?;
            for one in infrastructure::at(connection, &both).await? {
                known.declared.entry(one.ip).or_default().push(one);
            }
        }
        let hosts: Vec<Host> = rows.iter().filter_map(|row| row.management_ip.clone()).collect();
        for some in hosts.chunks(CHUNK) {
            let endpoints: Vec<Endpoint> = some.iter().map(Endpoint::usual).collect();
            known.controllers.extend(owners(views, some, &endpoints).await?);
        }
        let live = known.devices.values().map(|device| Claim::Deployment(device.id));
        let named = rows.iter().flat_map(|row| {
            let ip = row.ip.map(Claim::Ip);
            let hostname = row.hostname.clone().map(Claim::Hostname);
            let serial = row.serial.clone().map(Claim::Serial);
            [Some(Claim::Mac(row.mac)), ip, hostname, serial].into_iter().flatten()
        });
        let claims: Vec<Claim> = named.chain(live).chain(controllers.into_iter().map(Claim::Ip)).collect();
        for some in claims.chunks(CHUNK) {
            known.hold(super::super::facts::holders(views, some).await?);
        }
        Ok(known)
    }

    /// The preconditions about devices related to the rows' devices.
    pub(super) fn idle(&self) -> Vec<Precondition> {
        let own: BTreeMap<DeviceId, &Device> = self.devices.values().map(|device| (device.id, device)).collect();
        own.into_values().flat_map(|device| self.family.idle(device)).collect()
    }

    /// The device of a row, the rack that the row moves it to, and the units that it takes there: the same as in its rack now.
    /// `None` if it takes no units, or stays where it is.
    pub(super) fn move_of(&self, row: &Row) -> Option<(DeviceId, Name, Footprint)> {
        let device = self.devices.get(&row.mac)?;
        let footprint = device.footprint()?;
        let rack = row.rack.clone().filter(|rack| device.rack.as_ref() != Some(rack))?;
        Some((device.id, rack, footprint))
    }

    /// The devices that contain this one and that the file deploys too, with their rows. One deployment would detach what the
    /// other deploys.
    pub(super) fn above_in_file(&self, device: &Device) -> Vec<(String, u64)> {
        let above = self.family.above(device).into_iter();
        above.filter_map(|one| Some((one.words(), *self.rows.get(&one.id)?))).collect()
    }

    fn hold(&mut self, held: Vec<(Claim, Holder)>) {
        self.holders.extend(held.into_iter().map(|(claim, holder)| (claim.parts(), holder)));
    }

    /// The holders of those claims that are held.
    pub(super) fn holders_of(&self, claims: impl IntoIterator<Item = Claim>) -> Vec<(Claim, Holder)> {
        let of = |claim: Claim| self.holders.get(&claim.parts()).map(|holder| (claim, *holder));
        claims.into_iter().filter_map(of).collect()
    }

    /// The addresses that the device holds in a network, lowest first.
    pub(super) fn own_address(device: &Device, network: &NetworkSpec) -> Option<Ipv4Addr> {
        device.addresses.iter().copied().find(|ip| network.reserved(*ip).is_none())
    }

    /// A venture and its ancestors in use, nearest first.
    pub(super) fn lineage(&self, venture: &Name) -> Vec<Entry<VentureView>> {
        let mut lineage: Vec<Entry<VentureView>> = vec![];
        let mut next = self.ventures.get(venture);
        while let Some(entry) = next.filter(|entry| lineage.iter().all(|known| known.key != entry.key)) {
            lineage.push(entry.clone());
            next = entry.spec.spec.parent.as_ref().and_then(|parent| self.ventures.get(parent));
        }
        lineage
    }
}

/// The held host names of all devices.
pub(super) async fn hostnames(views: &Pool) -> Result<Vec<String>, Failure> {
    Ok(holdings::hostnames(views, At::Now).await?)
}

/// The addresses of a network that are held, or that belong to a management controller or to a router or server of the
/// catalogue.
pub(super) async fn used_addresses(views: &Pool, network: &NetworkSpec) -> Result<Vec<(Ipv4Addr, Option<DeviceId>)>, Failure> {
    let held = holdings::ips_in(views, network.cidr, At::Now).await?;
    let managed = devices::management_addresses_in(views, network.cidr, At::Now).await?;
    let declared = infrastructure::within(&mut views.acquire().await?, network.cidr, At::Now).await?;
    let of = |holder| if let Holder::Device(device) = holder { Some(device) } else { None };
    let others = managed.into_iter().chain(declared.into_iter().map(|one| one.ip));
    Ok(held.into_iter().map(|(ip, holder)| (ip, of(holder))).chain(others.map(|ip| (ip, None))).collect())
}

/// The entries in use, by key.
fn by_key<T>(entries: Vec<Entry<T>>) -> BTreeMap<Name, Entry<T>> {
    entries.into_iter().filter(|entry| !entry.retired).map(|entry| (entry.key.clone(), entry)).collect()
}
