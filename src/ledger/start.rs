//! Starting one deployment: fills in what was left out, looks the facts up, has the rules decide.
//!
//! Suggested addresses and names are only proposals until the log takes them: when somebody else
//! was faster, the next ones are tried, so that two operators never get the same.

use super::Ledger;
use super::execute::{Failure, claimed};
use super::facts::holders;
use crate::store::append::Precondition;
use crate::store::repository::Terms;
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DeploymentStarted, Limits};
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::deployment::start::{BootImageFacts, StartDeployment, StartFacts};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rules::{BrokenRule, Refused};
use bootledger_aggregates::settings::Inherited;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{Entry, inherited_image};
use bootledger_projections::devices::Device;
use bootledger_projections::pool::Connection;
use bootledger_projections::{catalogue, devices, dhcp_entries, free, settings};
use bootledger_web::commands::{CommandError, Context, NewDeployment, Proposed, Receipt};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// Addresses and names that were tried and turned out to be held.
#[derive(Debug, Default)]
pub(super) struct Excluded {
    addresses: BTreeSet<Ipv4Addr>,
    hostnames: BTreeSet<Hostname>,
}

/// A deployment that is ready for the rules, and what must not have changed when it is started.
struct Prepared {
    start: StartDeployment,
    preconditions: Vec<Precondition>,
}

/// What was chosen where nothing was said, or which rule that broke.
type Chosen<T> = Result<T, BrokenRule>;

impl Ledger {
    pub(super) async fn start_deployment(
        &self,
        wanted: &NewDeployment,
        excluded: &mut Excluded,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let Prepared { start, preconditions } = self.prepare(wanted, excluded).await?;
        let id = DeploymentId(Uuid::now_v7());
        let terms = Terms { preconditions, fresh: true, ..Terms::default() };
        let outcome = self.run::<Deployment>(id, DeploymentCommand::StartDeployment(Box::new(start)), terms, context).await;
        match outcome {
            // What was only a suggestion was taken by somebody else: try the next one.
            Err(Failure::Claimed(Claim::Ip(ip), _)) if wanted.ip.is_none() => {
                excluded.addresses.insert(ip);
                Err(Failure::Conflict)
            }
            Err(Failure::Claimed(Claim::Hostname(name), _)) if wanted.hostname.is_none() => {
                excluded.hostnames.insert(name);
                Err(Failure::Conflict)
            }
            Err(Failure::Claimed(claim, holder)) => Err(Refused(vec![claimed(&claim, &holder)]).into()),
            other => other,
        }
    }

    /// What the rules say of a deployment, and what would be filled in, as the views are now; nothing is appended.
    pub(super) async fn check(&self, wanted: &NewDeployment) -> Result<Proposed, Failure> {
        let Prepared { start, .. } = self.prepare(wanted, &Excluded::default()).await?;
        let events = Deployment::default().decide(DeploymentCommand::StartDeployment(Box::new(start)))?;
        let started = events.into_iter().find_map(|event| match event {
            DeploymentEvent::DeploymentStarted(started) => Some(*started),
            _ => None,
        });
        let nothing = || Failure::Other(CommandError::Internal(anyhow::anyhow!("a deployment began with no event")));
        let DeploymentStarted { mac, ip, network, hostname, venture, role, boot_image, .. } = started.ok_or_else(nothing)?;
        Ok(Proposed { mac, ip, network, hostname, venture, role, boot_image })
    }

    /// Fills in what was left out, and looks up what the rules need to know.
    async fn prepare(&self, wanted: &NewDeployment, excluded: &Excluded) -> Result<Prepared, Failure> {
        let views = &self.views;
        let Some(device) = devices::find(views, wanted.device, At::Now).await? else {
            let message = format!("there is no device {}; register it first", wanted.device);
            return Err(Refused::because("device", "device_unknown", message).into());
        };
        let venture =
            wanted.venture.clone().or_else(|| device.venture.clone()).ok_or_else(|| missing("venture", "the device has none"));
        let role = wanted.role.clone().or_else(|| device.role.clone()).ok_or_else(|| missing("role", "the device has none"));
        let lineage = match &venture {
            Ok(venture) => catalogue::lineage(&mut self.connection().await?, venture, At::Now).await?,
            Err(_) => vec![],
        };
        let boot_image = wanted.boot_image.clone().or_else(|| inherited_image(&lineage, role.as_ref().ok()));
        let boot_image = boot_image.ok_or_else(|| missing("boot_image", "neither role nor venture has a default"));
        let mac = self.boot_mac(wanted, &device).await?;
        let ip = self.address(wanted, &device, excluded).await?;
        let network = match &ip {
            Ok(ip) => catalogue::network_of(views, *ip, At::Now).await?,
            Err(_) => None,
        };
        let site_name = network.as_ref().map_or(&device.site, |network| &network.spec.site);
        let site = catalogue::site(views, site_name, At::Now).await?.filter(|entry| !entry.retired);
        let hostname = self.hostname(wanted, site.as_ref(), excluded).await?;
        let (venture, role, boot_image, mac, ip, hostname) = all(venture, role, boot_image, mac, ip, hostname)?;

        let image = catalogue::boot_image(views, &boot_image, At::Now).await?;
        let claims = [Claim::Ip(ip), Claim::Hostname(hostname.clone()), Claim::Mac(mac), Claim::Deployment(device.id)];
        let venture_entry = lineage.first().filter(|entry| entry.key == venture);
        let mut preconditions = vec![Precondition::Sequence {
            aggregate_type: "device",
            aggregate_id: device.id.to_string(),
            sequence: device.sequence,
        }];
        // The settings of ancestors count as well.
        preconditions.extend(lineage.iter().map(|entry| unchanged("venture", entry)));
        preconditions.extend(network.as_ref().map(|entry| unchanged("network", entry)));
        preconditions.extend(site.as_ref().map(|entry| unchanged("site", entry)));
        preconditions.extend(image.as_ref().map(|entry| unchanged("boot_image", entry)));
        let layers = settings::layers(&lineage, Some(&role), site.as_ref());
        let inherited = image.as_ref().map(|image| Inherited::new(&boot_image, &image.spec, layers));
        let facts = StartFacts {
            device: Some(device.deployment_facts()),
            holders: holders(views, &claims).await?,
            managed: devices::managed_at(views, &[ip]).await?.first().map(|(_, device)| *device),
            venture_exists: venture_entry.is_some(),
            role_exists: venture_entry.is_some_and(|entry| entry.spec.roles.contains_key(&role)),
            boot_image: image.as_ref().map(image_facts),
            settings: inherited.map(|inherited| inherited.of_device(&device.settings)).unwrap_or_default(),
            network: network.map(|entry| (entry.key, entry.spec)),
            site: site.map(|entry| entry.spec),
        };
        let start = StartDeployment {
            device: device.id,
            mac,
            ip,
            hostname: hostname.clone(),
            venture,
            role,
            boot_image,
            plan: standard_plan()?,
            import: None,
            facts,
        };
        Ok(Prepared { start, preconditions })
    }

    async fn connection(&self) -> Result<Connection, Failure> {
        Ok(self.views.acquire().await?)
    }

    /// As Ralph did: the first interface that has a DHCP entry, else the first.
    async fn boot_mac(&self, wanted: &NewDeployment, device: &Device) -> Result<Chosen<MacAddress>, Failure> {
        if let Some(mac) = wanted.mac {
            return Ok(Ok(mac));
        }
        let filter = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
        let entries = dhcp_entries::list(&self.views, &filter, At::Now, 100).await?;
        let with_entry = device.macs.iter().find(|mac| entries.iter().any(|entry| entry.mac == **mac));
        Ok(with_entry.or(device.macs.first()).copied().ok_or_else(|| missing("mac", "the device has no interface")))
    }

    async fn address(&self, wanted: &NewDeployment, device: &Device, excluded: &Excluded) -> Result<Chosen<Ipv4Addr>, Failure> {
        if let Some(ip) = wanted.ip {
            return Ok(Ok(ip));
        }
        let networks = match &wanted.network {
            Some(name) => match catalogue::network(&self.views, name, At::Now).await?.filter(|entry| !entry.retired) {
                Some(network) => vec![network],
                None => return Ok(Err(BrokenRule::new("network", "network_unknown", format!("there is no network {name}")))),
            },
            None => self.networks_of(device).await?,
        };
        for network in &networks {
            let connection = &mut self.connection().await?;
            let next = free::addresses(connection, &network.spec, &excluded.addresses, At::Now, 1).await?;
            if let Some(ip) = next.first() {
                return Ok(Ok(*ip));
            }
        }
        let names: Vec<&str> = networks.iter().map(|network| network.key.as_str()).collect();
        Ok(Err(if names.is_empty() {
            missing("ip", "no network reaches the device's rack; name an address or a network")
        } else {
            BrokenRule::new("ip", "network_full", format!("no address is free in {}", names.join(", ")))
        }))
    }

    /// The networks in use that reach the device's rack, by name.
    async fn networks_of(&self, device: &Device) -> Result<Vec<Entry<NetworkSpec>>, Failure> {
        let networks = catalogue::networks(&self.views, At::Now).await?.into_iter();
        let reaches =
            |spec: &NetworkSpec| spec.site == device.site && device.rack.as_ref().is_some_and(|rack| spec.racks.contains(rack));
        Ok(networks.filter(|entry| !entry.retired && reaches(&entry.spec)).collect())
    }

    async fn hostname(
        &self,
        wanted: &NewDeployment,
        site: Option<&Entry<SiteSpec>>,
        excluded: &Excluded,
    ) -> Result<Chosen<Hostname>, Failure> {
        if let Some(hostname) = &wanted.hostname {
            return Ok(Ok(hostname.clone()));
        }
        let Some(template) = site.and_then(|site| site.spec.hostname_template.as_ref()) else {
            return Ok(Err(missing("hostname", "its site has no template for host names")));
        };
        let connection = &mut self.connection().await?;
        let next = free::hostnames(connection, template, &excluded.hostnames, At::Now, 1).await?;
        Ok(next.into_iter().next().ok_or_else(|| {
            BrokenRule::new("hostname", "hostnames_used_up", format!("every name of the template {template} is taken"))
        }))
    }
}

/// All of the choices, or all of the rules that they broke.
fn all(
    venture: Chosen<Name>,
    role: Chosen<Name>,
    boot_image: Chosen<Name>,
    mac: Chosen<MacAddress>,
    ip: Chosen<Ipv4Addr>,
    hostname: Chosen<Hostname>,
) -> Result<(Name, Name, Name, MacAddress, Ipv4Addr, Hostname), Failure> {
    match (venture, role, boot_image, mac, ip, hostname) {
        (Ok(venture), Ok(role), Ok(boot_image), Ok(mac), Ok(ip), Ok(hostname)) => {
            Ok((venture, role, boot_image, mac, ip, hostname))
        }
        (venture, role, boot_image, mac, ip, hostname) => {
            let broken = [venture.err(), role.err(), boot_image.err(), mac.err(), ip.err(), hostname.err()];
            Err(Refused(broken.into_iter().flatten().collect()).into())
        }
    }
}

fn missing(field: &str, why: &str) -> BrokenRule {
    BrokenRule::new(field, &format!("{field}_missing"), format!("no {} was given, and {why}", field.replace('_', " ")))
}

fn unchanged<T>(aggregate_type: &'static str, entry: &Entry<T>) -> Precondition {
    Precondition::Sequence { aggregate_type, aggregate_id: entry.key.to_string(), sequence: entry.sequence }
}

pub(super) fn image_facts(entry: &Entry<bootledger_aggregates::boot_image::BootImage>) -> BootImageFacts {
    let minutes =
        |of: fn(&bootledger_aggregates::boot_image::BootImageSpec) -> u32, usual| entry.spec.spec.as_ref().map_or(usual, of);
    BootImageFacts {
        revision: entry.spec.revision,
        retired: entry.spec.retired,
        incomplete: entry.spec.incomplete(),
        limits: Limits {
            open_minutes: minutes(|spec| spec.open_minutes, 30),
            in_progress_minutes: minutes(|spec| spec.in_progress_minutes, 120),
        },
        done_by: entry.spec.spec.as_ref().map(|spec| spec.done_by).unwrap_or_default(),
    }
}

pub(super) fn standard_plan() -> Result<Plan, Failure> {
    Plan::standard().map_err(|error| Failure::Other(CommandError::Internal(error.into())))
}
