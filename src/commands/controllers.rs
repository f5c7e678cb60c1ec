//! Finds devices that share a management controller: two devices with the same one would switch each other's server.
//!
//! Controllers are claimed, so that of two simultaneous registrations one is refused. Devices registered before claims existed
//! have none; they are found by their settings.

use super::CommandService;
use super::execute::Failure;
use super::facts::holders;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::device::controller::{Endpoint, Host};
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::infrastructure::Declared;
use bootledger_aggregates::network::{NetworkSpec, Reserved};
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_power::resolve;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::questions::infrastructure;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::{deployments, devices, holdings};
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// The rule code for a controller address that belongs to something else.
pub(super) const MISPLACED: Rule = Rule::ManagementAddressTaken;

/// The end of a message about a controller address that belongs to something else.
const ADVICE: &str = "so no management controller can have it. Correct the address";

/// What was looked up about a management controller that is to be saved.
#[derive(Default)]
pub(super) struct Looked {
    /// The validation problems.
    pub(super) problems: Vec<BrokenRule>,
    /// The endpoints that no other device may have.
    pub(super) endpoints: Vec<Endpoint>,
}

/// A device that has a controller.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    device: DeviceId,
    called: String,
    endpoints: Vec<Endpoint>,
}

/// The devices in use that share a host or endpoint with these controllers.
pub(super) async fn owners(views: &Pool, hosts: &[Host], endpoints: &[Endpoint]) -> Result<Vec<Owner>, Failure> {
    let mut bases: Vec<String> = endpoints.iter().map(|endpoint| endpoint.base().to_owned()).collect();
    bases.sort();
    bases.dedup();
    let mut claimed: HashMap<DeviceId, Vec<Endpoint>> = HashMap::new();
    for holding in holdings::controllers(views, &bases).await? {
        if let (Holder::Device(device), Ok(endpoint)) = (holding.holder, Endpoint::try_from(holding.value)) {
            claimed.entry(device).or_default().push(endpoint);
        }
    }
    let mut found = devices::controlled_at(views, hosts).await?;
    let known: Vec<DeviceId> = found.iter().map(|device| device.id).collect();
    let more: Vec<DeviceId> = claimed.keys().copied().filter(|device| !known.contains(device)).collect();
    if !more.is_empty() {
        found.extend(devices::find_many(views, &more, At::Now).await?);
    }
    let owner = |device: devices::Device| {
        let mut endpoints = device.management.as_ref().map(|management| management.endpoints(&[])).unwrap_or_default();
        endpoints.extend(claimed.remove(&device.id).unwrap_or_default());
        Owner { device: device.id, called: device.called(), endpoints }
    };
    Ok(found.into_iter().map(owner).collect())
}

/// The validation problem of a controller that another device has.
pub(super) fn clash(owners: &[Owner], device: DeviceId, management: &Management, endpoints: &[Endpoint]) -> Option<BrokenRule> {
    let clashes = |owner: &&Owner| {
        owner.device != device && owner.endpoints.iter().any(|one| endpoints.iter().any(|other| one.clashes(other)))
    };
    let owner = owners.iter().find(clashes)?;
    let (address, called) = (&management.address, &owner.called);
    let message = format!(
        "{address} is the management controller of {called}: an order to one device would switch the other. Correct the address, or \
         that of {called}. Where one Redfish controller manages several servers, name the system of each in management.system"
    );
    Some(BrokenRule::new("management.address", Rule::ControllerShared, message).held_by(Holder::Device(owner.device).to_string()))
}

/// The validation problem of a controller address that belongs to something else. Requests to such a controller would reach the
/// wrong machine, or it would take the address from a server.
pub(super) fn misplaced(
    device: DeviceId,
    ip: Ipv4Addr,
    declared: &[Declared],
    holders: &[(Claim, Holder)],
    network: Option<&Entry<NetworkSpec>>,
) -> Option<BrokenRule> {
    let other = holders.iter().find(|(claim, holder)| *claim == Claim::Ip(ip) && *holder != Holder::Device(device));
    if let Some((_, holder)) = other {
        let (before, after) = (format!("{ip} is held by "), format!(", {ADVICE}"));
        return Some(BrokenRule::naming("management.address", MISPLACED, before, holder, &after));
    }
    if let Some(one) = declared.first() {
        let message = format!("{}, {ADVICE}", one.sentence());
        return Some(BrokenRule::new("management.address", MISPLACED, message).held_by(one.by()));
    }
    let network = network?;
    let what = match network.spec.reserved(ip) {
        Some(Reserved::Network) => "the address of the network itself,",
        Some(Reserved::Broadcast) => "the broadcast address",
        _ => return None,
    };
    let message = format!("{ip} is {what} of network {}, {ADVICE}", network.key);
    Some(BrokenRule::new("management.address", MISPLACED, message).held_by(format!("network {}", network.key)))
}

/// The IPv4 address of a controller, if it is a host of its own. With a port or a path, a router or server may forward requests
/// to several controllers; a loopback address is this machine.
pub(super) fn own_address(management: &Management) -> Option<Ipv4Addr> {
    let direct = management.access.path.is_none() && management.port() == management.usual_port();
    management.address.ipv4().filter(|ip| direct && !ip.is_loopback())
}

impl CommandService {
    /// The validation problem of a controller address that belongs to something else.
    pub(super) async fn misplaced_controller(
        &self,
        device: DeviceId,
        management: &Management,
    ) -> Result<Option<BrokenRule>, Failure> {
        let Some(ip) = own_address(management) else { return Ok(None) };
        let declared = infrastructure::at(&mut self.views.acquire().await?, &[ip]).await?;
        let holders = holders(&self.views, &[Claim::Ip(ip)]).await?;
        if let Some(live) = deployments::live_of_device(&self.views, device, At::Now).await?.filter(|live| live.ip == ip) {
            let (before, holder) = (format!("{ip} is held by "), Holder::Deployment(live.id));
            let after = format!(", {ADVICE}");
            return Ok(Some(BrokenRule::naming("management.address", MISPLACED, before, holder, &after)));
        }
        let network = catalogue::network_of(&self.views, ip, At::Now).await?;
        Ok(misplaced(device, ip, &declared, &holders, network.as_ref()))
    }

    /// The validation problem of a controller's address, the address's current owner, and the endpoints that no other device
    /// may have.
    pub(super) async fn sharing(
        &self,
        device: DeviceId,
        management: &Management,
    ) -> Result<(Vec<BrokenRule>, Option<BrokenRule>, Vec<Endpoint>), Failure> {
        // A name without an address is reported when its credentials are checked.
        let addresses = resolve(&management.address).await.unwrap_or_default();
        let mut broken = vec![];
        if let Some(refused) = addresses.iter().find_map(|address| self.outbound.guard.check(*address).err()) {
            broken.push(BrokenRule::new("management.address", Rule::AddressNotAllowed, refused.to_string()));
        }
        let endpoints = management.endpoints(&addresses);
        let hosts: Vec<Host> = addresses.into_iter().map(Host::from).chain([management.address.clone()]).collect();
        let owners = owners(&self.views, &hosts, &endpoints).await?;
        let shared = clash(&owners, device, management, &endpoints);
        Ok((broken, shared, endpoints))
    }
}
