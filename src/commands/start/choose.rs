//! Chooses what a deployment leaves empty: its address and its name.
//!
//! A choice is a proposal until the log accepts it. If another command was faster, the next free value is chosen. "Nothing is
//! free" is the answer only if no command in progress may release a value and the views show the log's end.

use super::super::execute::Failure;
use super::super::facts::holders;
use super::super::reservations::Reservation;
use super::super::{CHOOSING, CommandService};
use super::{Choice, missing};
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::site::rules::taken;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_port::{CommandError, NewDeployment};
use bootledger_projections::database::log;
use bootledger_projections::questions::{free, infrastructure};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::devices::{self, Device};
use rand::RngExt;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The maximum number of candidates from which one is drawn after lost races.
const WIDEST: usize = 64;
/// The maximum duration of one wait for a command in progress.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The attempts of a command so far.
#[derive(Debug)]
pub(crate) struct Choosing {
    addresses: BTreeSet<Ipv4Addr>,
    hostnames: BTreeSet<Hostname>,
    /// How often a chosen value proved to be held.
    races: u32,
    /// Whether the views have shown the log's end since the last lost race.
    fresh: bool,
    until: Instant,
}

impl Default for Choosing {
    fn default() -> Self {
        Self::lasting(CHOOSING)
    }
}

impl Choosing {
    /// The state before the first attempt, with a time limit for all attempts.
    pub(crate) fn lasting(time: Duration) -> Self {
        let until = Instant::now() + time;
        Self { addresses: BTreeSet::new(), hostnames: BTreeSet::new(), races: 0, fresh: false, until }
    }

    /// Records that a chosen value proved to be held. Returns an error if the time limit has passed.
    pub(crate) fn lost(&mut self, claim: Claim) -> Result<(), CommandError> {
        match claim {
            Claim::Ip(ip) => drop(self.addresses.insert(ip)),
            Claim::Hostname(name) => drop(self.hostnames.insert(name)),
            _ => {}
        }
        self.races += 1;
        self.fresh = false;
        self.in_time()
    }

    /// Records that another command of this instance has chosen the same value. Returns an error if the time limit has passed.
    pub(crate) fn crowded(&mut self) -> Result<(), CommandError> {
        self.races += 1;
        self.in_time()
    }

    pub(crate) fn in_time(&self) -> Result<(), CommandError> {
        if Instant::now() < self.until {
            return Ok(());
        }
        let message = "other requests took every address or name that was chosen; nothing was started. Try again";
        Err(CommandError::Conflict(message.to_owned()))
    }

    /// The number of candidates from which one is drawn: one, but several after lost races, since another instance chooses from
    /// the same candidates.
    pub(crate) fn width(&self) -> usize {
        1_usize.checked_shl(self.races).unwrap_or(WIDEST).clamp(1, WIDEST)
    }
}

/// One of the candidates, at random.
fn drawn<T>(mut candidates: Vec<T>) -> Option<T> {
    if candidates.is_empty() {
        return None;
    }
    let index = rand::rng().random_range(0..candidates.len());
    Some(candidates.swap_remove(index))
}

impl CommandService {
    /// Removes the reservations that the views already show. Call this before the views are read.
    pub(crate) fn forget_shown(&self) {
        let shown = *self.feed.projected().borrow();
        self.reservations.forget(shown);
    }

    /// Whether to search again although nothing is free: after commands in progress have ended, and after the views have shown
    /// the log's end.
    pub(crate) async fn look_again(&self, undecided: bool, generation: u64, choosing: &mut Choosing) -> Result<bool, Failure> {
        choosing.in_time().map_err(Failure::Other)?;
        if undecided {
            self.reservations.wait(generation, LOOK_AGAIN).await;
            return Ok(true);
        }
        if choosing.fresh {
            return Ok(false);
        }
        self.catch_up().await.map_err(Failure::Other)?;
        choosing.addresses.clear();
        choosing.hostnames.clear();
        choosing.fresh = true;
        Ok(true)
    }

    /// Records for the other commands of this instance that the chosen value is held by another aggregate.
    pub(crate) async fn note_taken(&self, claim: Claim) -> Result<(), Failure> {
        let end = log::last_position(&self.views).await?;
        self.reservations.taken(claim, end);
        Ok(())
    }

    /// The address that the caller named, otherwise the suggested one if it is free, otherwise the next free one. Without a
    /// reservation, the result is only what would be chosen.
    pub(super) async fn address(
        &self,
        wanted: &NewDeployment,
        device: &Device,
        choosing: &mut Choosing,
        mut reservation: Option<&mut Reservation>,
    ) -> Result<Choice<Ipv4Addr>, Failure> {
        if let Some(ip) = wanted.ip {
            return Ok(Ok(ip));
        }
        let mut networks = match &wanted.network {
            Some(name) => {
                let network = catalogue::network(&self.views, name, At::Now).await?;
                let Some(network) = network.filter(|entry| !entry.retired) else {
                    let message = format!("there is no network {name}; create it first, or choose another network");
                    return Ok(Err(BrokenRule::new("network", Rule::NetworkUnknown, message)));
                };
                vec![network]
            }
            None => self.networks_of(device).await?,
        };
        if let Some(ip) = wanted.suggested.ip.filter(|ip| !choosing.addresses.contains(ip)) {
            let network = catalogue::network_of(&self.views, ip, At::Now).await?.filter(|network| !network.retired);
            let givable = network.as_ref().is_some_and(|network| network.spec.reserved(ip).is_none());
            let unmanaged = devices::managed_at(&self.views, &[ip]).await?.is_empty();
            let undeclared = infrastructure::at(&mut self.connection().await?, &[ip]).await?.is_empty();
            if givable && unmanaged && undeclared && self.may_have(Claim::Ip(ip), device, reservation.as_deref_mut()).await? {
                return Ok(Ok(ip));
            }
            // The next free address of the same network is the nearest to the suggested one.
            if let Some(network) = network.filter(|network| network.spec.site == device.site) {
                networks.retain(|other| other.key != network.key);
                networks.insert(0, network);
            }
        }
        loop {
            let generation = self.reservations.generation();
            self.forget_shown();
            let mut undecided = false;
            for network in &networks {
                let mut excluded = choosing.addresses.clone();
                if reservation.is_some() {
                    let (reserved, of_network) = self.reservations.addresses(network.spec.cidr);
                    excluded.extend(reserved);
                    undecided |= of_network;
                }
                let connection = &mut self.connection().await?;
                let next = free::addresses(connection, &network.spec, &excluded, At::Now, choosing.width()).await?;
                if let Some(ip) = drawn(next) {
                    if reservation.as_deref_mut().is_none_or(|reservation| reservation.add([Claim::Ip(ip)])) {
                        return Ok(Ok(ip));
                    }
                    // Another command has chosen it since, and may release it.
                    undecided = true;
                }
            }
            if networks.is_empty() || reservation.is_none() || !self.look_again(undecided, generation, choosing).await? {
                break;
            }
        }
        let names: Vec<&str> = networks.iter().map(|network| network.key.as_str()).collect();
        Ok(Err(if names.is_empty() {
            missing("ip", Rule::IpMissing, "no network reaches the device's rack; name an address or a network")
        } else {
            BrokenRule::new("ip", Rule::NetworkFull, format!("no address is free in {}", names.join(", ")))
        }))
    }

    /// Whether the device holds this value, or may: nothing else holds it or has just chosen it.
    async fn may_have(&self, claim: Claim, device: &Device, reservation: Option<&mut Reservation>) -> Result<bool, Failure> {
        self.forget_shown();
        match holders(&self.views, std::slice::from_ref(&claim)).await?.first() {
            Some((_, holder)) => Ok(*holder == Holder::Device(device.id)),
            None => Ok(reservation.is_none_or(|reservation| reservation.add([claim]))),
        }
    }

    /// The networks in use that reach the device's rack, by name.
    async fn networks_of(&self, device: &Device) -> Result<Vec<Entry<NetworkSpec>>, Failure> {
        let networks = catalogue::networks(&self.views, At::Now).await?.into_iter();
        let reaches = |spec: &NetworkSpec| {
            spec.site == device.site && spec.dhcp && device.rack.as_ref().is_some_and(|rack| spec.racks.contains(rack))
        };
        Ok(networks.filter(|entry| !entry.retired && reaches(&entry.spec)).collect())
    }

    /// The name that the caller gave, otherwise the suggested one if it is free, otherwise the next free one of the site's
    /// template.
    pub(super) async fn hostname(
        &self,
        wanted: &NewDeployment,
        device: &Device,
        site: Option<&Entry<SiteSpec>>,
        choosing: &mut Choosing,
        mut reservation: Option<&mut Reservation>,
    ) -> Result<Choice<Hostname>, Failure> {
        if let Some(hostname) = &wanted.hostname {
            return Ok(Ok(hostname.clone()));
        }
        let taken = site.map(|site| taken(&site.spec)).unwrap_or_default();
        let open = |name: &&Hostname| !choosing.hostnames.contains(*name) && !taken.contains(*name);
        if let Some(name) = wanted.suggested.hostname.as_ref().filter(open)
            && self.may_have(Claim::Hostname(name.clone()), device, reservation.as_deref_mut()).await?
        {
            return Ok(Ok(name.clone()));
        }
        let Some(template) = site.and_then(|site| site.spec.hostname_template.as_ref()) else {
            return Ok(Err(missing("hostname", Rule::HostnameMissing, "its site has no template for host names")));
        };
        loop {
            let generation = self.reservations.generation();
            self.forget_shown();
            let mut excluded = &choosing.hostnames | &taken;
            let mut undecided = false;
            if reservation.is_some() {
                let (reserved, of_names) = self.reservations.hostnames();
                excluded.extend(reserved);
                undecided = of_names;
            }
            let next = {
                let connection = &mut self.connection().await?;
                free::hostnames(connection, template, &excluded, At::Now, choosing.width()).await?
            };
            if let Some(name) = drawn(next) {
                if reservation.as_deref_mut().is_none_or(|reservation| reservation.add([Claim::Hostname(name.clone())])) {
                    return Ok(Ok(name));
                }
                // Another command has chosen it since, and may release it.
                undecided = true;
            }
            if reservation.is_none() || !self.look_again(undecided, generation, choosing).await? {
                break;
            }
        }
        Ok(Err(BrokenRule::new("hostname", Rule::HostnamesUsedUp, format!("every name of the template {template} is in use"))))
    }
}
