//! The rules for starting a deployment. A refusal lists every problem at once, with the holder of each claimed value.

use super::assignment::Assignment;
use super::event::{DeploymentEvent, DeploymentStarted, Limits};
use super::notes::Notes;
use super::plan::Plan;
use crate::boot_image::{EndedBy, NetworkNeeds, absent_from_network};
use crate::claims::{Claim, Holder};
use crate::device::lock::{self, Lock};
use crate::infrastructure::Declared;
use crate::network::{NetworkSpec, Reserved};
use crate::rules::{BrokenRule, Refused, Rule};
use crate::settings::Resolution;
use crate::site::SiteSpec;
use crate::site::rules::contradicted;
use crate::values::hostname::reverse_name;
use crate::values::ids::{DeploymentId, DeviceId, ImportId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;

/// The requested deployment, and the facts that were looked up for it.
#[derive(Clone, Debug)]
pub struct StartDeployment {
    /// The server, with the address, name, owner, role and boot image that it gets.
    pub assignment: Assignment,
    /// The plugins to run.
    pub plan: Plan,
    /// The bulk import that the deployment belongs to, if any.
    pub import: Option<ImportId>,
    /// What the operator wrote about the deployment.
    pub notes: Notes,
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
    /// The device's lock, if it is locked.
    pub lock: Option<Lock>,
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
    let (assignment, facts) = (&request.assignment, &request.facts);
    let mut broken = vec![];
    broken.extend(device(assignment, facts));
    broken.extend(address(assignment, facts));
    broken.extend(hostname(assignment, facts));
    broken.extend(held(assignment, facts));
    broken.extend(catalogue(assignment, facts));
    broken.extend(request.facts.settings.broken.iter().cloned());
    broken.extend(request.plan.broken().map(|why| BrokenRule::new("plan", Rule::PlanInvalid, why)));
    // Without a network or an image, a rule above has already refused the request.
    let (Some((network, spec)), Some(image), true) = (&request.facts.network, &request.facts.boot_image, broken.is_empty())
    else {
        return Err(Refused(broken));
    };
    let (network, site, revision, limits) = (network.clone(), spec.site.clone(), image.revision, image.limits);
    let done_by = image.done_by;
    let own = Holder::Device(assignment.device);
    let took = [Claim::Ip(assignment.ip), Claim::Hostname(assignment.hostname.clone())]
        .into_iter()
        .filter(|claim| !request.facts.holders.iter().any(|(held, holder)| held == claim && *holder == own))
        .collect();
    Ok(vec![DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted {
        assignment: request.assignment,
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
        notes: request.notes,
    }))])
}

/// Why a device cannot be deployed at all: it is decommissioned or locked, or no operator has verified it.
fn unready(device: &DeviceFacts) -> Vec<BrokenRule> {
    if device.decommissioned {
        let message = "the device is decommissioned and cannot be deployed; to use the server again, register it as a new device";
        return vec![BrokenRule::new("device", Rule::DeviceDecommissioned, message)];
    }
    let message = "the device is not verified; verify it before deploying it";
    let unverified = (!device.verified).then(|| BrokenRule::new("device", Rule::DeviceNotVerified, message));
    let locked = device.lock.as_ref().map(|lock| lock::refusal(lock, "device", "it can be deployed"));
    locked.into_iter().chain(unverified).collect()
}

/// Every reason why a device cannot be deployed now: its own state, and its live deployment.
pub fn undeployable(id: DeviceId, device: &DeviceFacts, live: Option<DeploymentId>) -> Vec<BrokenRule> {
    let held = live.and_then(|live| held_claim(&Claim::Deployment(id), Holder::Deployment(live), id));
    unready(device).into_iter().chain(held).collect()
}

fn device(request: &Assignment, facts: &StartFacts) -> Vec<BrokenRule> {
    let Some(device) = &facts.device else {
        return vec![BrokenRule::new(
            "device",
            Rule::DeviceUnknown,
            format!("there is no device {}; register it first", request.device),
        )];
    };
    let mut broken: Vec<BrokenRule> = unready(device);
    for (part, deployment) in &device.deploying_parts {
        let message = format!(
            "its sub-device {part} is being deployed, and this deployment would detach it; wait until that deployment has ended, or \
             cancel it"
        );
        broken.push(BrokenRule::new("device", Rule::SubDeviceDeploying, message).held_by(format!("deployment {deployment}")));
    }
    for (above, deployment) in &device.deploying_above {
        let message = format!(
            "the device is a sub-device of {above}, which is being deployed; wait until that deployment has ended or has detached it, \
             or cancel it"
        );
        broken.push(BrokenRule::new("device", Rule::ChassisDeploying, message).held_by(format!("deployment {deployment}")));
    }
    if !device.macs.contains(&request.mac) {
        let known: Vec<String> = device.macs.iter().map(ToString::to_string).collect();
        let message = if known.is_empty() {
            format!("{} is not an interface of the device, which has none; add it to the device first", request.mac)
        } else {
            format!("{} is not an interface of the device; choose one of its interfaces: {}", request.mac, known.join(", "))
        };
        broken.push(BrokenRule::new("mac", Rule::MacNotOfDevice, message));
    }
    if let (Some(site), Some((name, network))) = (&device.site, &facts.network)
        && network.site != *site
    {
        broken.push(BrokenRule::new(
            "ip",
            Rule::NetworkOfOtherSite,
            format!(
                "{} is in network {name} of site {}, but the device is at site {site}; choose an address of its site",
                request.ip, network.site
            ),
        ));
    }
    broken
}

fn address(request: &Assignment, facts: &StartFacts) -> Vec<BrokenRule> {
    let ip = request.ip;
    let Some((name, network)) = &facts.network else {
        return vec![BrokenRule::new(
            "ip",
            Rule::IpOutsideNetworks,
            format!("{ip} is in no known network; create its network first"),
        )];
    };
    if let Some(device) = facts.managed {
        let (before, holder) = (format!("{ip} is the management address of "), Holder::Device(device));
        let broken = BrokenRule::naming("ip", Rule::IpIsManagement, before, holder, "; choose another address");
        return vec![broken.about(ip)];
    }
    let refuse = |rule: Rule, what: String| vec![BrokenRule::new("ip", rule, what).held_by(format!("network {name}"))];
    match network.reserved(ip) {
        None if !network.dhcp => refuse(
            Rule::NetworkWithoutDhcp,
            format!(
                "network {name} is not served by DHCP, so the server would not get {ip}; enable DHCP for the network, or choose another network"
            ),
        ),
        None => {
            let refused = |one: &Declared| {
                let why = one.refuses(request.device, &facts.holders)?;
                Some(BrokenRule::new("ip", Rule::IpIsInfrastructure, format!("{why}; {}", one.advice())).held_by(one.by()))
            };
            facts.infrastructure.iter().find_map(refused).into_iter().collect()
        }
        Some(Reserved::Outside) => {
            refuse(Rule::IpOutsideNetworks, format!("{ip} is not in network {name}, {}; choose another address", network.cidr))
        }
        Some(Reserved::Network) => {
            refuse(Rule::IpIsNetwork, format!("{ip} is the address of network {name} itself; choose another address"))
        }
        Some(Reserved::Broadcast) => {
            refuse(Rule::IpIsBroadcast, format!("{ip} is the broadcast address of network {name}; choose another address"))
        }
        Some(Reserved::Gateway) => {
            refuse(Rule::IpIsGateway, format!("{ip} is the gateway of network {name}; choose another address"))
        }
        Some(Reserved::Margin(_)) => refuse(
            Rule::IpInMargin,
            format!(
                "{ip} is reserved: network {name} reserves its lowest {} and highest {} addresses. Choose \
                 another address",
                network.margin_bottom, network.margin_top
            ),
        ),
    }
}

fn hostname(request: &Assignment, facts: &StartFacts) -> Vec<BrokenRule> {
    let Some(site) = &facts.site else {
        let unknown = facts.network.iter().map(|(name, network)| {
            let message = format!("network {name} belongs to site {}, which does not exist; create the site first", network.site);
            BrokenRule::new("ip", Rule::SiteUnknown, message)
        });
        return unknown.collect();
    };
    let mut broken = vec![];
    let zones = || site.zones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if site.forward_zone(&request.hostname).is_none() {
        broken.push(BrokenRule::new(
            "hostname",
            Rule::ZoneNotManaged,
            format!("no zone of the site contains {}; choose a name in one of its zones ({})", request.hostname, zones()),
        ));
    }
    if site.reverse_zone(request.ip).is_none() {
        broken.push(BrokenRule::new(
            "ip",
            Rule::ReverseZoneNotManaged,
            format!(
                "no zone of the site contains the PTR record {} of {}; add its reverse zone to the site, or choose another address \
                 (the zones are {})",
                reverse_name(request.ip),
                request.ip,
                zones()
            ),
        ));
    }
    if let Some(why) = contradicted(site, &request.hostname, request.ip) {
        let message = format!(
            "{} cannot have {}: {why}. Choose another name or address, or edit that extra record",
            request.hostname, request.ip
        );
        broken.push(BrokenRule::new("hostname", Rule::RecordConflicts, message));
    }
    broken
}

fn held(request: &Assignment, facts: &StartFacts) -> Vec<BrokenRule> {
    let wanted = request.claims();
    let own = Holder::Device(request.device);
    let others = facts.holders.iter().filter(|(claim, holder)| wanted.contains(claim) && *holder != own);
    let broken = others.filter_map(|(claim, holder)| held_claim(claim, *holder, request.device));
    broken.collect()
}

/// The error for an operator who wants to deploy `device`, when another holder has the claim.
pub fn held_claim(claim: &Claim, holder: Holder, device: DeviceId) -> Option<BrokenRule> {
    let (field, rule, before, after) = match claim {
        Claim::Ip(ip) => ("ip", Rule::IpClaimed, format!("{ip} is held by "), "; choose another address"),
        Claim::Hostname(name) => ("hostname", Rule::HostnameClaimed, format!("{name} is held by "), "; choose another name"),
        Claim::Mac(mac) => {
            let after = "; choose another interface, or remove it from that device";
            ("mac", Rule::MacClaimed, format!("{mac} is held by "), after)
        }
        Claim::Serial(serial) => {
            let before = format!("serial number {serial} is held by ");
            ("serial", Rule::SerialClaimed, before, "; correct one of the two devices")
        }
        Claim::Asset(asset) => {
            let before = format!("asset number {asset} is held by ");
            ("asset", Rule::AssetClaimed, before, "; correct one of the two devices")
        }
        Claim::Deployment(of) if *of == device => {
            let before = "the device is already being deployed, by ".to_owned();
            ("device", Rule::AlreadyDeploying, before, "; wait until that deployment ends, or cancel it")
        }
        Claim::Deployment(_) => return None,
        Claim::Controller(endpoint) => {
            let before = format!("the management controller {endpoint} belongs to ");
            ("management.address", Rule::ControllerClaimed, before, "; correct the address")
        }
    };
    Some(BrokenRule::naming(field, rule, before, holder, after).about(claim.written()))
}

/// Why there is no such role: the venture does not exist, or it does not have the role.
fn unknown_role(venture: &Name, role: &Name, venture_exists: bool, role_exists: bool) -> Option<BrokenRule> {
    if !venture_exists {
        let message = format!("there is no venture {venture}; create it first");
        return Some(BrokenRule::new("venture", Rule::VentureUnknown, message));
    }
    let message = format!("venture {venture} has no role {role}; create it first");
    (!role_exists).then(|| BrokenRule::new("role", Rule::RoleUnknown, message))
}

/// Why no boot image is known for a role if the request names none: the role does not exist, or neither it nor its venture has a
/// default image.
pub fn no_default_image(venture: &Name, role: &Name, venture_exists: bool, role_exists: bool) -> BrokenRule {
    unknown_role(venture, role, venture_exists, role_exists).unwrap_or_else(|| {
        let message = "no boot image was given, and neither role nor venture has a default; enter one";
        BrokenRule::new("boot_image", Rule::BootImageMissing, message)
    })
}

fn catalogue(request: &Assignment, facts: &StartFacts) -> Vec<BrokenRule> {
    let mut broken = vec![];
    broken.extend(unknown_role(&request.venture, &request.role, facts.venture_exists, facts.role_exists));
    match &facts.boot_image {
        None => broken.push(BrokenRule::new(
            "boot_image",
            Rule::BootImageUnknown,
            format!("there is no boot image {}; create it first", request.boot_image),
        )),
        Some(image) if image.retired => broken.push(BrokenRule::new(
            "boot_image",
            Rule::BootImageRetired,
            format!("the boot image {} is retired; choose another", request.boot_image),
        )),
        Some(image) => {
            let network = facts.network.as_ref();
            let absent = || network.and_then(|(name, spec)| absent_from_network(&image.network_needs, name, spec));
            broken.extend(image.incomplete.clone().or_else(absent).map(|why| {
                let message = format!("the boot image {} cannot be booted: {why}", request.boot_image);
                BrokenRule::new("boot_image", Rule::BootImageIncomplete, message)
            }));
        }
    }
    broken
}
