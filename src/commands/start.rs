//! Starts one deployment: fills in missing values, looks up the facts, and lets the rules decide.
//!
//! Addresses and names that are chosen here are proposals until the log accepts them. If another command was faster, the next
//! free ones are chosen, so that a caller who left them empty is never refused because of them.

mod choose;

pub(super) use choose::Choosing;

use super::CommandService;
use super::execute::{Failure, claimed};
use super::facts::holders;
use super::parts::Family;
use super::reservations::Reservation;
use crate::event_log::append::Precondition;
use crate::event_log::store::Terms;
use bootledger_aggregates::boot_image::Inherited;
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DeploymentStarted, Limits};
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::deployment::start::{BootImageFacts, DeviceFacts, StartDeployment, StartFacts, no_default_image};
use bootledger_aggregates::placement::ChangeScope;
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CommandError, Context, NewDeployment, Proposed, Receipt};
use bootledger_projections::database::pool::Connection;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::questions::{infrastructure, settings};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry, inherited_image};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::dhcp_entries;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// A deployment that is ready for the rules, with the conditions that must still hold when it is started.
struct Prepared {
    start: StartDeployment,
    preconditions: Vec<Precondition>,
}

/// A chosen value, or the validation problem that prevented the choice.
type Choice<T> = Result<T, BrokenRule>;

/// The values that the command chose, because the caller left them empty.
struct Chosen {
    ip: Option<Ipv4Addr>,
    hostname: Option<Hostname>,
}

impl Chosen {
    fn of(wanted: &NewDeployment, filled_in: &Assignment) -> Self {
        let hostname = wanted.hostname.is_none().then(|| filled_in.hostname.clone());
        Self { ip: wanted.ip.is_none().then_some(filled_in.ip), hostname }
    }

    fn has(&self, claim: &Claim) -> bool {
        match claim {
            Claim::Ip(ip) => self.ip == Some(*ip),
            Claim::Hostname(name) => self.hostname.as_ref() == Some(name),
            _ => false,
        }
    }

    /// The chosen values that were claimed between the choice and the decision, and have to be chosen again. If there are other
    /// validation problems too, only those are returned, because the caller did not make the choices.
    fn lost(self, Refused(broken): Refused) -> Result<Vec<Claim>, Refused> {
        let mut lost = vec![];
        let mut left = vec![];
        for rule in broken {
            match (Rule::of_code(&rule.rule), self.ip, &self.hostname) {
                (Some(Rule::IpClaimed | Rule::IpIsManagement | Rule::IpIsInfrastructure), Some(ip), _) => {
                    lost.push(Claim::Ip(ip));
                }
                (Some(Rule::HostnameClaimed), _, Some(name)) => lost.push(Claim::Hostname(name.clone())),
                _ => left.push(rule),
            }
        }
        if left.is_empty() { Ok(lost) } else { Err(Refused(left)) }
    }
}

/// The deployment that the events start.
fn proposed(events: Vec<DeploymentEvent>) -> Result<Proposed, Failure> {
    let started = events.into_iter().find_map(|event| match event {
        DeploymentEvent::DeploymentStarted(started) => Some(*started),
        _ => None,
    });
    let nothing = || Failure::Other(CommandError::Internal(anyhow::anyhow!("a deployment began with no event")));
    let DeploymentStarted { assignment, network, .. } = started.ok_or_else(nothing)?;
    Ok(Proposed { assignment, network })
}

impl CommandService {
    pub(super) async fn start_deployment(
        &self,
        wanted: &NewDeployment,
        choosing: &mut Choosing,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        loop {
            let mut reservation = self.reservations.nothing();
            let Prepared { start, preconditions } = self.prepare(wanted, choosing, Some(&mut reservation)).await?;
            let chosen = Chosen::of(wanted, &start.assignment);
            let id = DeploymentId(Uuid::now_v7());
            let terms = Terms { preconditions, fresh: true };
            reservation.appending();
            let command = DeploymentCommand::StartDeployment(Box::new(start));
            let lost = match self.run::<Deployment>(id, command, terms, context).await {
                Ok(receipt) => {
                    reservation.appended(receipt.position);
                    return Ok(receipt);
                }
                Err(Failure::Claimed(claim, holder)) => {
                    reservation.refused();
                    // The deployment of a chassis or sub-device started at the same moment. The rules name it.
                    if matches!(&claim, Claim::Deployment(other) if *other != wanted.device) {
                        return Err(Failure::Conflict);
                    }
                    if !chosen.has(&claim) {
                        return Err(Refused(vec![claimed(&claim, &holder)]).into());
                    }
                    self.note_taken(claim.clone()).await?;
                    vec![claim]
                }
                Err(Failure::Refused(refused)) => {
                    reservation.refused();
                    chosen.lost(refused)?
                }
                Err(Failure::Conflict) => {
                    reservation.refused();
                    return Err(Failure::Conflict);
                }
                // It is unknown whether the events are in the log, so the chosen values remain reserved for a moment.
                Err(other) => return Err(other),
            };
            for claim in lost {
                choosing.lost(claim).map_err(Failure::Other)?;
            }
        }
    }

    /// The result of the rules for a deployment, and the values that would be filled in, with the current views. Nothing is
    /// appended.
    pub(super) async fn check(&self, wanted: &NewDeployment) -> Result<Proposed, Failure> {
        let mut choosing = Choosing::default();
        loop {
            let Prepared { start, .. } = self.prepare(wanted, &mut choosing, None).await?;
            let chosen = Chosen::of(wanted, &start.assignment);
            match Deployment::default().decide(DeploymentCommand::StartDeployment(Box::new(start))) {
                Ok(events) => return proposed(events),
                // The views have moved between the choice and the facts.
                Err(refused) => {
                    for claim in chosen.lost(refused)? {
                        choosing.lost(claim).map_err(Failure::Other)?;
                    }
                }
            }
        }
    }

    /// Fills in missing values, and looks up what the rules need to know.
    async fn prepare(
        &self,
        wanted: &NewDeployment,
        choosing: &mut Choosing,
        mut reservation: Option<&mut Reservation>,
    ) -> Result<Prepared, Failure> {
        let views = &self.views;
        // The position is read first: what the views show beyond it is checked again.
        let after = checkpoint::position(views).await?;
        let Some(device) = devices::find(views, wanted.device, At::Now).await? else {
            let message = format!("there is no device {}; register it first", wanted.device);
            return Err(Refused::because("device", Rule::DeviceUnknown, message).into());
        };
        let venture = wanted
            .venture
            .clone()
            .or_else(|| device.venture.clone())
            .ok_or_else(|| missing("venture", Rule::VentureMissing, "the device has none"));
        let role = wanted
            .role
            .clone()
            .or_else(|| device.role.clone())
            .ok_or_else(|| missing("role", Rule::RoleMissing, "the device has none"));
        let lineage = match &venture {
            Ok(venture) => catalogue::lineage(&mut self.connection().await?, venture, At::Now).await?,
            Err(_) => vec![],
        };
        let boot_image = wanted.boot_image.clone().or_else(|| inherited_image(&lineage, role.as_ref().ok()));
        let boot_image = boot_image.ok_or_else(|| match (&venture, &role) {
            (Ok(venture), Ok(role)) => {
                let entry = lineage.first().filter(|entry| entry.key == *venture);
                let role_exists = entry.is_some_and(|entry| entry.spec.roles.contains_key(role));
                no_default_image(venture, role, entry.is_some(), role_exists)
            }
            _ => missing("boot_image", Rule::BootImageMissing, "neither role nor venture has a default"),
        });
        let mac = self.boot_mac(wanted, &device).await?;
        let ip = self.address(wanted, &device, choosing, reservation.as_deref_mut()).await?;
        let network = match &ip {
            Ok(ip) => catalogue::network_of(views, *ip, At::Now).await?,
            Err(_) => None,
        };
        let site_name = network.as_ref().map_or(&device.site, |network| &network.spec.site);
        let site = catalogue::site(views, site_name, At::Now).await?.filter(|entry| !entry.retired);
        let hostname = self.hostname(wanted, &device, site.as_ref(), choosing, reservation).await?;
        let assignment = all(device.id, venture, role, boot_image, mac, ip, hostname)?;
        let Assignment { ip, venture, role, boot_image, .. } = &assignment;

        let image = catalogue::boot_image(views, boot_image, At::Now).await?;
        let venture_entry = lineage.first().filter(|entry| entry.key == *venture);
        let mut preconditions = vec![Precondition::Sequence {
            aggregate_type: "device",
            aggregate_id: device.id.to_string(),
            sequence: device.sequence,
        }];
        // The settings of ancestors are used as well.
        preconditions.extend(lineage.iter().map(|entry| unchanged("venture", entry)));
        preconditions.extend(network.as_ref().map(|entry| unchanged("network", entry)));
        preconditions.extend(site.as_ref().map(|entry| unchanged("site", entry)));
        preconditions.extend(image.as_ref().map(|entry| unchanged("boot_image", entry)));
        let layers = settings::layers(&lineage, Some(role), site.as_ref());
        let inherited = image.as_ref().map(|image| Inherited::new(boot_image, &image.spec, layers));
        let family = Family::of(views, [&device]).await?;
        preconditions.extend(family.idle(&device));
        let (deploying_parts, deploying_above) = (family.deploying_below(&device), family.deploying_above(&device));
        preconditions.push(Precondition::Unused { after, scope: ChangeScope::free_of_infrastructure([*ip]) });
        let facts = StartFacts {
            device: Some(DeviceFacts { deploying_parts, deploying_above, ..device.deployment_facts() }),
            holders: holders(views, &assignment.claims()).await?,
            managed: devices::managed_at(views, &[*ip]).await?.first().map(|(_, device)| *device),
            infrastructure: infrastructure::at(&mut self.connection().await?, &[*ip]).await?,
            venture_exists: venture_entry.is_some(),
            role_exists: venture_entry.is_some_and(|entry| entry.spec.roles.contains_key(role)),
            boot_image: image.as_ref().map(image_facts),
            settings: inherited.map(|inherited| inherited.of_device(&device.settings)).unwrap_or_default(),
            network: network.map(|entry| (entry.key, entry.spec)),
            site: site.map(|entry| entry.spec),
        };
        let start = StartDeployment { assignment, plan: standard_plan()?, import: wanted.import, notes: wanted.notes(), facts };
        Ok(Prepared { start, preconditions })
    }

    async fn connection(&self) -> Result<Connection, Failure> {
        Ok(self.views.acquire().await?)
    }

    /// As in Ralph: the first interface with a DHCP entry, otherwise the first one.
    async fn boot_mac(&self, wanted: &NewDeployment, device: &Device) -> Result<Choice<MacAddress>, Failure> {
        let suggested = wanted.suggested.mac.filter(|mac| device.macs.contains(mac));
        if let Some(mac) = wanted.mac.or(suggested) {
            return Ok(Ok(mac));
        }
        let filter = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
        let entries = dhcp_entries::list(&self.views, &filter, At::Now, 100).await?;
        let with_entry = device.macs.iter().find(|mac| entries.iter().any(|entry| entry.mac == **mac));
        Ok(with_entry
            .or(device.macs.first())
            .copied()
            .ok_or_else(|| missing("mac", Rule::MacMissing, "the device has no interface")))
    }
}

/// The assignment of all chosen values, or all validation problems.
fn all(
    device: DeviceId,
    venture: Choice<Name>,
    role: Choice<Name>,
    boot_image: Choice<Name>,
    mac: Choice<MacAddress>,
    ip: Choice<Ipv4Addr>,
    hostname: Choice<Hostname>,
) -> Result<Assignment, Failure> {
    match (venture, role, boot_image, mac, ip, hostname) {
        (Ok(venture), Ok(role), Ok(boot_image), Ok(mac), Ok(ip), Ok(hostname)) => {
            Ok(Assignment { device, mac, ip, hostname, venture, role, boot_image })
        }
        (venture, role, boot_image, mac, ip, hostname) => {
            let broken = [venture.err(), role.err(), boot_image.err(), mac.err(), ip.err(), hostname.err()];
            Err(Refused(broken.into_iter().flatten().collect()).into())
        }
    }
}

fn missing(field: &str, rule: Rule, why: &str) -> BrokenRule {
    BrokenRule::new(field, rule, format!("no {} was given, and {why}; enter one", field.replace('_', " ")))
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
        network_needs: entry.spec.network_needs(),
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
