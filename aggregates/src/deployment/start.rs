//! The rules of starting a deployment: all that are broken are told at once, with who holds what.

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

/// What was asked for, and the facts that were looked up for it.
#[derive(Clone, Debug)]
pub struct StartDeployment {
    /// The server.
    pub device: DeviceId,
    /// The interface that it boots from.
    pub mac: MacAddress,
    /// Its new address.
    pub ip: Ipv4Addr,
    /// Its new name.
    pub hostname: Hostname,
    /// Its new owner.
    pub venture: Name,
    /// Its new role.
    pub role: Name,
    /// What it boots.
    pub boot_image: Name,
    /// The plugins to run.
    pub plan: Plan,
    /// The bulk import that it belongs to.
    pub import: Option<ImportId>,
    /// What was looked up.
    pub facts: StartFacts,
}

/// What the rules need to know beyond the deployment itself.
#[derive(Clone, Debug, Default)]
pub struct StartFacts {
    /// The device, where it is known.
    pub device: Option<DeviceFacts>,
    /// Who holds the address, name, MAC or the device's live deployment, where anybody does.
    pub holders: Vec<(Claim, Holder)>,
    /// The device in use whose management address the address is.
    pub managed: Option<DeviceId>,
    /// What the catalogue names the address as.
    pub infrastructure: Vec<Declared>,
    /// The network in use that the address lies in.
    pub network: Option<(Name, NetworkSpec)>,
    /// The site of that network.
    pub site: Option<SiteSpec>,
    /// Whether the venture is known and in use.
    pub venture_exists: bool,
    /// Whether the venture has the role.
    pub role_exists: bool,
    /// The boot image, where it is known.
    pub boot_image: Option<BootImageFacts>,
    /// The values of the settings that the image's templates use, and what keeps them from being complete.
    pub settings: Resolution,
}

/// What the rules need to know of a device.
#[derive(Clone, Debug, Default)]
pub struct DeviceFacts {
    /// Its site.
    pub site: Option<Name>,
    /// Its interfaces.
    pub macs: Vec<MacAddress>,
    /// Whether somebody checked it.
    pub verified: bool,
    /// Whether it is out of use.
    pub decommissioned: bool,
    /// Its sub-devices that are being deployed, each as people call it, with its deployment.
    pub deploying_parts: Vec<(String, DeploymentId)>,
    /// The devices that it is a part of and that are being deployed, each as people call it, with its deployment.
    pub deploying_above: Vec<(String, DeploymentId)>,
}

/// What the rules need to know of a boot image.
#[derive(Clone, Debug)]
pub struct BootImageFacts {
    /// Its latest revision.
    pub revision: u32,
    /// Whether it is out of use.
    pub retired: bool,
    /// What it lacks.
    pub incomplete: Option<String>,
    /// What its templates need of the server's network.
    pub network_needs: NetworkNeeds,
    /// Its time limits.
    pub limits: Limits,
    /// Whose word ends its deployments.
    pub done_by: EndedBy,
}

/// The first event, or every broken rule.
pub(super) fn start(request: StartDeployment) -> Result<Vec<DeploymentEvent>, Refused> {
    let mut broken = vec![];
    broken.extend(device(&request));
    broken.extend(address(&request));
    broken.extend(hostname(&request));
    broken.extend(held(&request));
    broken.extend(catalogue(&request));
    broken.extend(request.facts.settings.broken.iter().cloned());
    broken.extend(request.plan.broken().map(|why| BrokenRule::new("plan", "plan_invalid", why)));
    // Without a network or an image, a rule above is broken.
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

/// What keeps a device from being deployed, whatever with: it is out of use, or nobody checked it.
fn unready(device: &DeviceFacts) -> Option<BrokenRule> {
    if device.decommissioned {
        let message = "the device is decommissioned and cannot be deployed";
        return Some(BrokenRule::new("device", "device_decommissioned", message));
    }
    let message = "the device is not verified; verify it before deploying it";
    (!device.verified).then(|| BrokenRule::new("device", "device_not_verified", message))
}

/// Whatever keeps a device from being deployed now: what it is, and its live deployment.
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

/// How a claim of somebody else is told to who asked to deploy `device`.
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
