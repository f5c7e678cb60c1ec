//! Finds the server of a preview: that of a live deployment, or a device with the values that it would get. Every
//! assumption is shown.

use crate::boot::target::{Identity, Image, Place, Target};
use crate::error::Error;
use crate::request::reading::Reading;
use crate::settings;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_projections::deployments::{self, Deployment};
use bootledger_projections::devices::{self, Device};
use bootledger_projections::{free, holdings};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The server of a preview.
#[derive(Debug)]
pub(crate) struct Previewed {
    /// The target to render for.
    pub(crate) target: Target,
    /// The live deployment that the values come from.
    pub(super) deployment: Option<Deployment>,
    /// The device, if there is no live deployment: its ID and its displayed name.
    pub(super) device: Option<(DeviceId, String)>,
    /// The assumptions that were made, as sentences.
    pub(super) assumed: Vec<String>,
}

/// The device or the live deployment that a text names.
async fn named(reading: &mut Reading<'_>, text: &str) -> Result<Option<(Option<Device>, Option<Deployment>)>, Error> {
    let at = reading.at;
    if let Ok(id) = text.parse::<DeploymentId>()
        && let Some(deployment) = deployments::find(reading.connection(), id, at).await?
    {
        return Ok(Some((None, Some(deployment))));
    }
    let device = if let Ok(id) = text.parse::<DeviceId>() {
        devices::find(reading.connection(), id, at).await?
    } else if let Ok(mac) = text.parse::<MacAddress>() {
        devices::by_macs(reading.connection(), &[mac], at).await?.into_iter().find(|device| !device.decommissioned)
    } else if let Ok(hostname) = text.parse::<Hostname>() {
        match holdings::holder_of(reading.connection(), "hostname", hostname.as_str(), at).await? {
            Some(Holder::Device(id)) => devices::find(reading.connection(), id, at).await?,
            Some(Holder::Deployment(id)) => {
                let deployment = deployments::find(reading.connection(), id, at).await?;
                return Ok(deployment.map(|deployment| (None, Some(deployment))));
            }
            None => None,
        }
    } else {
        None
    };
    let Some(device) = device else { return Ok(None) };
    let live = deployments::live_of_device(reading.connection(), device.id, at).await?;
    Ok(Some((Some(device), live)))
}

/// The server that a text names, with this image. The inner `Err` is the message why there is none.
pub(super) async fn find(
    reading: &mut Reading<'_>,
    text: &str,
    key: &Name,
    image: BootImage,
) -> Result<Result<Previewed, String>, Error> {
    match named(reading, text).await? {
        Some((_, Some(deployment))) => {
            // The settings that the deployment was started with belong to its own revision of the image.
            let same = deployment.boot_image == *key && i64::from(deployment.boot_image_revision) == i64::from(image.revision);
            let given = if same { None } else { Some(given_now(reading, key, &image, &deployment).await?) };
            let found = of_deployment(reading, deployment, Arc::new(Image::new(key.clone(), image))).await?;
            Ok(found.map(|mut previewed| {
                if let Some(given) = given {
                    previewed.target.settings = given;
                }
                previewed
            }))
        }
        Some((Some(device), None)) => {
            let (venture, role) = (device.venture.as_ref(), device.role.as_ref());
            let inherited = settings::inherited(reading, (key, &image), venture, role, &device.site).await?;
            let given = inherited.of_device(&device.settings).values;
            of_device(reading, &device, Arc::new(Image::new(key.clone(), image)), given).await
        }
        _ => Ok(Err(format!(
            "{text:?} is no device or deployment. Name a device by its id, a host name that it has, or its MAC, or a deployment by its id"
        ))),
    }
}

/// The values that the server of a deployment would get for another image or revision if it were deployed again.
async fn given_now(
    reading: &mut Reading<'_>,
    key: &Name,
    image: &BootImage,
    deployment: &Deployment,
) -> Result<ResolvedSettings, Error> {
    let at = reading.at;
    let (venture, role) = (Some(&deployment.venture), Some(&deployment.role));
    let inherited = settings::inherited(reading, (key, image), venture, role, &deployment.site).await?;
    let device = devices::find(reading.connection(), deployment.device, at).await?;
    Ok(inherited.of_device(&device.map(|device| device.settings).unwrap_or_default()).values)
}

async fn place(reading: &mut Reading<'_>, network: Entry<NetworkSpec>) -> Result<Option<Arc<Place>>, Error> {
    let at = reading.at;
    let site = catalogue::site(reading.connection(), &network.spec.site, at).await?;
    Ok(site.map(|site| Arc::new(Place::new(network.key, network.spec, &site.spec))))
}

/// The server of a live or ended deployment, with this image.
pub(crate) async fn of_deployment(
    reading: &mut Reading<'_>,
    deployment: Deployment,
    image: Arc<Image>,
) -> Result<Result<Previewed, String>, Error> {
    let at = reading.at;
    let network = catalogue::network(reading.connection(), &deployment.network, at).await?;
    let place = match network {
        Some(network) => place(reading, network).await?,
        None => None,
    };
    let Some(place) = place else {
        return Ok(Err(format!("the network {} of the deployment is gone", deployment.network)));
    };
    let identity = Identity {
        deployment: deployment.id,
        ip: deployment.ip,
        mac: deployment.mac,
        hostname: deployment.hostname.clone(),
        venture: deployment.venture.clone(),
        role: deployment.role.clone(),
        next_boot: NextBoot::Network,
    };
    let target = Target::new(identity, image, place, deployment.settings.clone());
    Ok(Ok(Previewed { target, deployment: Some(deployment), device: None, assumed: vec![] }))
}

async fn of_device(
    reading: &mut Reading<'_>,
    device: &Device,
    image: Arc<Image>,
    settings: ResolvedSettings,
) -> Result<Result<Previewed, String>, Error> {
    let mut assumed = vec![];
    let Some(mac) = device.macs.first().copied() else {
        return Ok(Err(format!("{} has no interface that it could boot from", device.called())));
    };
    if device.macs.len() > 1 {
        assumed.push(format!("it boots from its first interface, {mac}"));
    }
    let Some((ip, network)) = address(reading, device, &mut assumed).await? else {
        let message = format!("no network of site {} reaches {}, or none has a free address", device.site, device.called());
        return Ok(Err(message));
    };
    let Some(place) = place(reading, network).await? else {
        return Ok(Err(format!("the site {} is gone", device.site)));
    };
    let hostname = hostname(reading, device, &place, &mut assumed).await?;
    let mut given = |what: &str, name: Option<&Name>| {
        if let Some(name) = name {
            return Ok(name.clone());
        }
        assumed.push(format!("the {what} is called \"unassigned\", since the device has none"));
        "unassigned".parse::<Name>()
    };
    let (venture, role) = (given("venture", device.venture.as_ref()), given("role", device.role.as_ref()));
    let (Some(hostname), Ok(venture), Ok(role)) = (hostname, venture, role) else {
        return Ok(Err(format!("no host name can be made up for {}", device.called())));
    };
    // No deployment has the nil UUID.
    let next_boot = NextBoot::Network;
    let identity = Identity { deployment: DeploymentId::default(), ip, mac, hostname, venture, role, next_boot };
    let target = Target::new(identity, image, place, settings);
    Ok(Ok(Previewed { target, deployment: None, device: Some((device.id, device.called())), assumed }))
}

/// An address that the device has or could get, and its network.
async fn address(
    reading: &mut Reading<'_>,
    device: &Device,
    assumed: &mut Vec<String>,
) -> Result<Option<(Ipv4Addr, Entry<NetworkSpec>)>, Error> {
    let at = reading.at;
    for ip in &device.addresses {
        if let Some(network) = catalogue::network_of(reading.connection(), *ip, at).await? {
            return Ok(Some((*ip, network)));
        }
    }
    let mut networks = catalogue::networks(reading.connection(), at).await?;
    networks.retain(|network| network.spec.site == device.site);
    let reaches = |network: &Entry<NetworkSpec>| device.rack.as_ref().is_some_and(|rack| network.spec.racks.contains(rack));
    networks.sort_by_key(|network| !reaches(network));
    for network in networks {
        if let Some(ip) = free::addresses(reading.connection(), &network.spec, &BTreeSet::new(), at, 1).await?.pop() {
            assumed.push(format!("its address is {ip}, a free one of network {}", network.key));
            return Ok(Some((ip, network)));
        }
    }
    Ok(None)
}

async fn hostname(
    reading: &mut Reading<'_>,
    device: &Device,
    place: &Place,
    assumed: &mut Vec<String>,
) -> Result<Option<Hostname>, Error> {
    if let Some(own) = device.hostnames.first() {
        return Ok(Some(own.clone()));
    }
    let at = reading.at;
    let site = catalogue::site(reading.connection(), &place.site, at).await?;
    let numbered = match site.and_then(|site| site.spec.hostname_template) {
        Some(template) => free::hostnames(reading.connection(), &template, &BTreeSet::new(), at, 1).await?.pop(),
        None => None,
    };
    let hostname = numbered.or_else(|| format!("host.{}", place.domain).parse().ok());
    if let Some(hostname) = &hostname {
        assumed.push(format!("its host name is {hostname}, which is free"));
    }
    Ok(hostname)
}
