//! Finds the server of a preview: that of a live deployment, or a device with the values that it would get. Every
//! assumption is shown.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::images::device_settings;
use crate::images::target::{Identity, Image, Place, Target};
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::questions::free;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::holdings;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The server of a preview.
#[derive(Debug)]
pub(crate) struct Previewed {
    /// The target to render for.
    pub(crate) target: Target,
    /// The live deployment that the values come from.
    pub(crate) deployment: Option<Deployment>,
    /// The device, if there is no live deployment: its ID and its displayed name.
    pub(crate) device: Option<(DeviceId, String)>,
    /// The assumptions that were made, as sentences.
    pub(crate) assumed: Vec<String>,
}

/// The device or the live deployment that a text names.
async fn named(snapshot: &mut Snapshot<'_>, text: &str) -> Result<Option<(Option<Device>, Option<Deployment>)>, Error> {
    let at = snapshot.at;
    if let Ok(id) = text.parse::<DeploymentId>()
        && let Some(deployment) = deployments::find(snapshot.connection(), id, at).await?
    {
        return Ok(Some((None, Some(deployment))));
    }
    let device = if let Ok(id) = text.parse::<DeviceId>() {
        devices::find(snapshot.connection(), id, at).await?
    } else if let Ok(mac) = text.parse::<MacAddress>() {
        devices::by_macs(snapshot.connection(), &[mac], at).await?.into_iter().find(|device| !device.decommissioned)
    } else if let Ok(hostname) = text.parse::<Hostname>() {
        match holdings::holder_of(snapshot.connection(), "hostname", hostname.as_str(), at).await? {
            Some(Holder::Device(id)) => devices::find(snapshot.connection(), id, at).await?,
            Some(Holder::Deployment(id)) => {
                let deployment = deployments::find(snapshot.connection(), id, at).await?;
                return Ok(deployment.map(|deployment| (None, Some(deployment))));
            }
            Some(Holder::Reservation(_)) | None => None,
        }
    } else {
        None
    };
    let Some(device) = device else { return Ok(None) };
    let live = deployments::live_of_device(snapshot.connection(), device.id, at).await?;
    Ok(Some((Some(device), live)))
}

/// The server that a text names, with this image. The inner `Err` is the message why there is none.
pub(crate) async fn find(
    snapshot: &mut Snapshot<'_>,
    text: &str,
    key: &Name,
    image: BootImage,
) -> Result<Result<Previewed, String>, Error> {
    match named(snapshot, text).await? {
        Some((_, Some(deployment))) => {
            // The settings that the deployment was started with belong to its own revision of the image.
            let same = deployment.boot_image == *key && i64::from(deployment.boot_image_revision) == i64::from(image.revision);
            let given = if same { None } else { Some(given_now(snapshot, key, &image, &deployment).await?) };
            let found = of_deployment(snapshot, deployment, Arc::new(Image::new(key.clone(), image))).await?;
            Ok(found.map(|mut previewed| {
                if let Some(given) = given {
                    previewed.target.settings = given;
                }
                previewed
            }))
        }
        Some((Some(device), None)) => {
            let (venture, role) = (device.venture.as_ref(), device.role.as_ref());
            let inherited = device_settings::inherited(snapshot, (key, &image), venture, role, &device.site).await?;
            let given = inherited.of_device(&device.settings).values;
            of_device(snapshot, &device, Arc::new(Image::new(key.clone(), image)), given).await
        }
        _ => Ok(Err(format!(
            "{text:?} is not a device or deployment. Enter the ID, a host name or the MAC of a device, or the ID of a deployment"
        ))),
    }
}

/// The values that the server of a deployment would get for another image or revision if it were deployed again.
async fn given_now(
    snapshot: &mut Snapshot<'_>,
    key: &Name,
    image: &BootImage,
    deployment: &Deployment,
) -> Result<ResolvedSettings, Error> {
    let at = snapshot.at;
    let (venture, role) = (Some(&deployment.venture), Some(&deployment.role));
    let inherited = device_settings::inherited(snapshot, (key, image), venture, role, &deployment.site).await?;
    let device = devices::find(snapshot.connection(), deployment.device, at).await?;
    Ok(inherited.of_device(&device.map(|device| device.settings).unwrap_or_default()).values)
}

async fn place(snapshot: &mut Snapshot<'_>, network: Entry<NetworkSpec>) -> Result<Option<Arc<Place>>, Error> {
    let at = snapshot.at;
    let site = catalogue::site(snapshot.connection(), &network.spec.site, at).await?;
    Ok(site.map(|site| Arc::new(Place::new(network.key, network.spec, &site.spec))))
}

/// The server of a live or ended deployment, with this image.
pub(crate) async fn of_deployment(
    snapshot: &mut Snapshot<'_>,
    deployment: Deployment,
    image: Arc<Image>,
) -> Result<Result<Previewed, String>, Error> {
    let at = snapshot.at;
    let network = catalogue::network(snapshot.connection(), &deployment.network, at).await?;
    let place = match network {
        Some(network) => place(snapshot, network).await?,
        None => None,
    };
    let Some(place) = place else {
        return Ok(Err(format!("the network {} of the deployment no longer exists", deployment.network)));
    };
    let assignment = Assignment { boot_image: image.name.clone(), ..deployment.assignment() };
    let identity = Identity { deployment: deployment.id, assignment, next_boot: NextBoot::Network };
    let target = Target::new(identity, image, place, deployment.settings.clone());
    Ok(Ok(Previewed { target, deployment: Some(deployment), device: None, assumed: vec![] }))
}

async fn of_device(
    snapshot: &mut Snapshot<'_>,
    device: &Device,
    image: Arc<Image>,
    settings: ResolvedSettings,
) -> Result<Result<Previewed, String>, Error> {
    let mut assumed = vec![];
    let Some(mac) = device.macs.first().copied() else {
        return Ok(Err(format!("{} has no interface to boot from", device.called())));
    };
    if device.macs.len() > 1 {
        assumed.push(format!("it boots from its first interface, {mac}"));
    }
    let Some((ip, network)) = address(snapshot, device, &mut assumed).await? else {
        let message = format!("no network of site {} that reaches {} has a free address", device.site, device.called());
        return Ok(Err(message));
    };
    let Some(place) = place(snapshot, network).await? else {
        return Ok(Err(format!("the site {} no longer exists", device.site)));
    };
    let hostname = hostname(snapshot, device, &place, &mut assumed).await?;
    let mut given = |what: &str, name: Option<&Name>| {
        if let Some(name) = name {
            return Ok(name.clone());
        }
        assumed.push(format!("the device has no {what}, so \"unassigned\" is used"));
        "unassigned".parse::<Name>()
    };
    let (venture, role) = (given("venture", device.venture.as_ref()), given("role", device.role.as_ref()));
    let (Some(hostname), Ok(venture), Ok(role)) = (hostname, venture, role) else {
        return Ok(Err(format!("no host name is available for {}", device.called())));
    };
    // No deployment has the nil UUID.
    let (deployment, next_boot) = (DeploymentId::default(), NextBoot::Network);
    let assignment = Assignment { device: device.id, mac, ip, hostname, venture, role, boot_image: image.name.clone() };
    let identity = Identity { deployment, assignment, next_boot };
    let target = Target::new(identity, image, place, settings);
    Ok(Ok(Previewed { target, deployment: None, device: Some((device.id, device.called())), assumed }))
}

/// An address that the device has or could get, and its network.
async fn address(
    snapshot: &mut Snapshot<'_>,
    device: &Device,
    assumed: &mut Vec<String>,
) -> Result<Option<(Ipv4Addr, Entry<NetworkSpec>)>, Error> {
    let at = snapshot.at;
    for ip in &device.addresses {
        if let Some(network) = catalogue::network_of(snapshot.connection(), *ip, at).await? {
            return Ok(Some((*ip, network)));
        }
    }
    let mut networks = catalogue::networks(snapshot.connection(), at).await?;
    networks.retain(|network| network.spec.site == device.site);
    let reaches = |network: &Entry<NetworkSpec>| device.rack.as_ref().is_some_and(|rack| network.spec.racks.contains(rack));
    networks.sort_by_key(|network| !reaches(network));
    for network in networks {
        if let Some(ip) = free::addresses(snapshot.connection(), &network.spec, &BTreeSet::new(), at, 1).await?.pop() {
            assumed.push(format!("its address is {ip}, a free one of network {}", network.key));
            return Ok(Some((ip, network)));
        }
    }
    Ok(None)
}

async fn hostname(
    snapshot: &mut Snapshot<'_>,
    device: &Device,
    place: &Place,
    assumed: &mut Vec<String>,
) -> Result<Option<Hostname>, Error> {
    if let Some(own) = device.hostnames.first() {
        return Ok(Some(own.clone()));
    }
    let at = snapshot.at;
    let site = catalogue::site(snapshot.connection(), &place.site, at).await?;
    let numbered = match site.and_then(|site| site.spec.hostname_template) {
        Some(template) => free::hostnames(snapshot.connection(), &template, &BTreeSet::new(), at, 1).await?.pop(),
        None => None,
    };
    let hostname = numbered.or_else(|| format!("host.{}", place.domain).parse().ok());
    if let Some(hostname) = &hostname {
        assumed.push(format!("its host name is {hostname}, which is free"));
    }
    Ok(hostname)
}
