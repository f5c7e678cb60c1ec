//! The rules for starting a deployment. A refusal lists every problem at once, with the holder of each claimed value.

use super::event::{DeploymentEvent, DeploymentStarted, Limits};
use super::plan::Plan;
use crate::boot_image::{EndedBy, NetworkNeeds, absent_from_network};
use crate::claims::{Claim, Holder};
use crate::network::{NetworkSpec, Reserved};
use crate::placement::infrastructure::Declared;
use crate::rules::{BrokenRule, Refused};
use crate::settings::Resolution;
use crate::site::SiteSpec;
use crate::site::rules::contradicted;
use crate::values::hostname::{Hostname, reverse_name};
use crate::values::ids::{DeploymentId, DeviceId, ImportId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use std::net::Ipv4Addr;

/// The requested deployment, and the facts that were looked up for it.
#[derive(Clone, Debug)]
pub struct StartDeployment {
    /// The server to deploy.
    pub device: DeviceId,
    /// The MAC address of the interface that the server boots from.
    pub mac: MacAddress,
    /// The server's new address.
    pub ip: Ipv4Addr,
    /// The server's new host name.
    pub hostname: Hostname,
    /// The venture that will own the server.
    pub venture: Name,
    /// The server's new role in the venture.
    pub role: Name,
    /// The boot image that the server boots.
    pub boot_image: Name,
    /// The plugins to run.
    pub plan: Plan,
    /// The bulk import that the deployment belongs to, if any.
    pub import: Option<ImportId>,
    /// The facts that were looked up for the rules.
    pub facts: StartFacts,
}

/// Facts from outside the deployment that the rules need.
#[derive(Clone, Debug, Default)]
pub struct StartFacts {
    /// The device, if it exists.
    pub device: Option<DeviceFacts>,
    /// The holders of the address, the name, the MAC address and the device's live deployment, if any.
    pub holders: Vec<(Claim, Holder)>,
    /// The device in use whose management address is the requested address.
    pub managed: Option<DeviceId>,
    /// What the catalogue uses the address for, such as a gateway or a DNS server.
    pub infrastructure: Vec<Declared>,
    /// The network in use that contains the address.
    pub network: Option<(Name, NetworkSpec)>,
    /// The site of that network.
    pub site: Option<SiteSpec>,
    /// Whether the venture exists and is in use.
    pub venture_exists: bool,
    /// Whether the venture has the role.
    pub role_exists: bool,
    /// The boot image, if it exists.
    pub boot_image: Option<BootImageFacts>,
    /// The values of the settings that the image's templates use, and the problems that keep them from being complete.
    pub settings: Resolution,
}

/// The facts about a device that the rules need.
#[derive(Clone, Debug, Default)]
pub struct DeviceFacts {
    /// The device's site.
    pub site: Option<Name>,
    /// The MAC addresses of the device's interfaces.
    pub macs: Vec<MacAddress>,
    /// Whether an operator verified the device.
    pub verified: bool,
    /// Whether the device is decommissioned.
    pub decommissioned: bool,
    /// The device's sub-devices that are being deployed: for each, its name for operators and its deployment.
    pub deploying_parts: Vec<(String, DeploymentId)>,
    /// The devices that contain this device and are being deployed: for each, its name for operators and its deployment.
    pub deploying_above: Vec<(String, DeploymentId)>,
}

/// The facts about a boot image that the rules need.
#[derive(Clone, Debug)]
pub struct BootImageFacts {
    /// The image's latest revision.
    pub revision: u32,
    /// Whether the image is retired.
    pub retired: bool,
    /// What the image lacks, as a sentence; `None` if it is complete.
    pub incomplete: Option<String>,
    /// What the image's templates need from the server's network.
    pub network_needs: NetworkNeeds,
    /// The image's time limits.
    pub limits: Limits,
    /// Who marks the image's deployments done.
    pub done_by: EndedBy,
}

/// Returns the first event of the deployment, or every reason for refusing it.
pub(super) fn start(request: StartDeployment) -> Result<Vec<DeploymentEvent>, Refused> {
    let mut broken = vec![];
    broken.extend(device(&request));
    broken.extend(address(&request));
    broken.extend(hostname(&request));
    broken.extend(held(&request));
    broken.extend(catalogue(&request));
    broken.extend(request.facts.settings.broken.iter().cloned());
    broken.extend(request.plan.broken().map(|why| BrokenRule::new("plan", "plan_invalid", why)));
    // Without a network or an image, a rule above has already refused the request.
    let (Some((network, spec)), Some(image), true) = (&request.facts.network, &request.facts.boot_image, broken.is_empty())
    else {
        return Err(Refused(broken));
    };
    let (network, site, revision, limits) = (network.clone(), spec.site.clone(), image.revision, image.limits);
    let done_by = image.done_by;
    let own = Holder::Device(request.device);
    let took = [Claim::Ip(request.ip), Claim::Hostname(request.hostname.clone())]
        .into_iter()
        .filter(|claim| !request.facts.holders.iter().any(|(held, holder)| held == claim && *holder == own))
        .collect();
    Ok(vec![DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted {
        device: request.device,
        mac: request.mac,
        ip: request.ip,
        hostname: request.hostname,
        venture: request.venture,
        role: request.role,
        boot_image: request.boot_image,
        boot_image_revision: revision,
        network,
        site,
        plan: request.plan,
        limits,
        took,
        import: request.import,
        done_by,
        settings: request.facts.settings.values,
        boot_chain: request.facts.settings.boot_chain,
    }))])
}

/// Why a device cannot be deployed at all: it is decommissioned, or no operator has verified it.
fn unready(device: &DeviceFacts) -> Option<BrokenRule> {
    if device.decommissioned {
        let message = "the device is decommissioned and cannot be deployed";
        return Some(BrokenRule::new("device", "device_decommissioned", message));
    }
    let message = "the device is not verified; verify it before deploying it";
    (!device.verified).then(|| BrokenRule::new("device", "device_not_verified", message))
}

/// Every reason why a device cannot be deployed now: its own state, and its live deployment.
pub fn undeployable(id: DeviceId, device: &DeviceFacts, live: Option<DeploymentId>) -> Vec<BrokenRule> {
    let held = live.and_then(|live| held_claim(&Claim::Deployment(id), Holder::Deployment(live), id));
    unready(device).into_iter().chain(held).collect()
}

fn device(request: &StartDeployment) -> Vec<BrokenRule> {
    let Some(device) = &request.facts.device else {
        return vec![BrokenRule::new(
            "device",
            "device_unknown",
            format!("there is no device {}; register it first", request.device),
        )];
    };
    let mut broken: Vec<BrokenRule> = unready(device).into_iter().collect();
    for (part, deployment) in &device.deploying_parts {
        let message = format!(
            "its sub-device {part} is being deployed, and this deployment would detach it; wait until that deployment has ended, or \
             cancel it"
        );
        broken.push(BrokenRule::new("device", "sub_device_deploying", message).held_by(format!("deployment {deployment}")));
    }
    for (above, deployment) in &device.deploying_above {
        let message = format!(
            "the device is a sub-device of {above}, which is being deployed; wait until that deployment has ended or has detached it, \
             or cancel it"
        );
        broken.push(BrokenRule::new("device", "chassis_deploying", message).held_by(format!("deployment {deployment}")));
    }
    if !device.macs.contains(&request.mac) {
        let known: Vec<String> = device.macs.iter().map(ToString::to_string).collect();
        let message = if known.is_empty() {
            format!("{} is not an interface of the device, which has none; add it to the device first", request.mac)
        } else {
            format!("{} is not an interface of the device; it has {}", request.mac, known.join(", "))
        };
        broken.push(BrokenRule::new("mac", "mac_not_of_device", message));
    }
    if let (Some(site), Some((name, network))) = (&device.site, &request.facts.network)
        && network.site != *site
    {
        broken.push(BrokenRule::new(
            "ip",
            "network_of_other_site",
            format!("{} lies in network {name} of site {}, but the device stands in site {site}", request.ip, network.site),
        ));
    }
    broken
}

fn address(request: &StartDeployment) -> Vec<BrokenRule> {
    let ip = request.ip;
    let Some((name, network)) = &request.facts.network else {
        return vec![BrokenRule::new(
            "ip",
            "ip_outside_networks",
            format!("{ip} lies in no known network; define its network first"),
        )];
    };
    if let Some(device) = request.facts.managed {
        let message = format!("{ip} is the management address of device {device}");
        return vec![BrokenRule::new("ip", "ip_is_management", message).held_by(Holder::Device(device).to_string())];
    }
    let refuse = |rule: &str, what: String| vec![BrokenRule::new("ip", rule, what).held_by(format!("network {name}"))];
    match network.reserved(ip) {
        None if !network.dhcp => refuse(
            "network_without_dhcp",
            format!(
                "network {name} has no DHCP, so the server would not get {ip}; turn DHCP on for the network, or choose another"
            ),
        ),
        None => {
            let refused = |one: &Declared| {
                let why = one.refuses(request.device, &request.facts.holders)?;
                Some(BrokenRule::new("ip", "ip_is_infrastructure", format!("{why}; {}", one.advice())).held_by(one.by()))
            };
            request.facts.infrastructure.iter().find_map(refused).into_iter().collect()
        }
        Some(Reserved::Outside) => {
            refuse("ip_outside_networks", format!("{ip} does not lie in network {name}, {}", network.cidr))
        }
        Some(Reserved::Network) => refuse("ip_is_network", format!("{ip} is the address of network {name} itself")),
        Some(Reserved::Broadcast) => refuse("ip_is_broadcast", format!("{ip} is the broadcast address of network {name}")),
        Some(Reserved::Gateway) => refuse("ip_is_gateway", format!("{ip} is the gateway of network {name}")),
        Some(Reserved::Margin) => refuse(
            "ip_in_margin",
            format!(
                "{ip} is in the margin of network {name}: its lowest {} and highest {} addresses are reserved",
                network.margin_bottom, network.margin_top
            ),
        ),
    }
}

fn hostname(request: &StartDeployment) -> Vec<BrokenRule> {
    let Some(site) = &request.facts.site else {
        let unknown = request.facts.network.iter().map(|(name, network)| {
            let message = format!("network {name} belongs to site {}, which is not known; define the site first", network.site);
            BrokenRule::new("ip", "site_unknown", message)
        });
        return unknown.collect();
    };
    let mut broken = vec![];
    let zones = || site.zones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if site.forward_zone(&request.hostname).is_none() {
        broken.push(BrokenRule::new(
            "hostname",
            "zone_not_managed",
            format!("no zone of the site holds {}; its zones are {}", request.hostname, zones()),
        ));
    }
    if site.reverse_zone(request.ip).is_none() {
        broken.push(BrokenRule::new(
            "ip",
            "reverse_zone_not_managed",
            format!("no zone of the site holds the PTR record {}; its zones are {}", reverse_name(request.ip), zones()),
        ));
    }
    if let Some(why) = contradicted(site, &request.hostname, request.ip) {
        let message = format!(
            "{} cannot have {}: {why}. Choose another name or address, or change that line",
            request.hostname, request.ip
        );
        broken.push(BrokenRule::new("hostname", "record_conflicts", message));
    }
    broken
}

fn held(request: &StartDeployment) -> Vec<BrokenRule> {
    let wanted = [
        Claim::Ip(request.ip),
        Claim::Hostname(request.hostname.clone()),
        Claim::Mac(request.mac),
        Claim::Deployment(request.device),
    ];
    let own = Holder::Device(request.device);
    let others = request.facts.holders.iter().filter(|(claim, holder)| wanted.contains(claim) && *holder != own);
    let broken = others.filter_map(|(claim, holder)| held_claim(claim, *holder, request.device));
    broken.collect()
}

/// The error for an operator who wants to deploy `device`, when another holder has the claim.
pub fn held_claim(claim: &Claim, holder: Holder, device: DeviceId) -> Option<BrokenRule> {
    let (field, rule, what) = match claim {
        Claim::Ip(ip) => ("ip", "ip_claimed", format!("{ip} is held by {holder}; choose another address")),
        Claim::Hostname(name) => ("hostname", "hostname_claimed", format!("{name} is held by {holder}; choose another name")),
        Claim::Mac(mac) => ("mac", "mac_claimed", format!("{mac} is held by {holder}")),
        Claim::Serial(serial) => ("serial", "serial_claimed", format!("serial number {serial} is held by {holder}")),
        Claim::Asset(asset) => ("asset", "asset_claimed", format!("asset number {asset} is held by {holder}")),
        Claim::Deployment(of) if *of == device => (
            "device",
            "already_deploying",
            format!("the device is being deployed already, by {holder}; wait until that has ended, or cancel it"),
        ),
        Claim::Deployment(_) => return None,
        Claim::Controller(endpoint) => (
            "management.address",
            "controller_claimed",
            format!("the management controller {endpoint} is that of {holder}; correct the address"),
        ),
    };
    Some(BrokenRule::new(field, rule, what).held_by(holder.to_string()))
}

fn catalogue(request: &StartDeployment) -> Vec<BrokenRule> {
    let mut broken = vec![];
    if !request.facts.venture_exists {
        broken.push(BrokenRule::new("venture", "venture_unknown", format!("there is no venture {}", request.venture)));
    } else if !request.facts.role_exists {
        broken.push(BrokenRule::new("role", "role_unknown", format!("venture {} has no role {}", request.venture, request.role)));
    }
    match &request.facts.boot_image {
        None => broken.push(BrokenRule::new(
            "boot_image",
            "boot_image_unknown",
            format!("there is no boot image {}", request.boot_image),
        )),
        Some(image) if image.retired => broken.push(BrokenRule::new(
            "boot_image",
            "boot_image_retired",
            format!("the boot image {} is retired; choose another", request.boot_image),
        )),
        Some(image) => {
            let network = request.facts.network.as_ref();
            let absent = || network.and_then(|(name, spec)| absent_from_network(&image.network_needs, name, spec));
            broken.extend(image.incomplete.clone().or_else(absent).map(|why| {
                let message = format!("the boot image {} cannot be booted: {why}", request.boot_image);
                BrokenRule::new("boot_image", "boot_image_incomplete", message)
            }));
        }
    }
    broken
}
