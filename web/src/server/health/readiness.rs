//! The route `/readyz`: whether this instance should get requests. It is ready if its database answers and its views move.

use super::counts::{Counts, HealthCounts};
use super::space;
use crate::http::application::Application;
use crate::machines::dhcp::boot_file::BootSource;
use crate::wording::entries;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use bootledger_aggregates::deployment::reason::{HeldBack, NetworkProblem};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::webhooks;
use bootledger_projections::questions::repeats::{self, LeftOut};
use bootledger_projections::questions::strays::{self, Stray};
use bootledger_projections::rows::secrets;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use utoipa::ToSchema;

/// The views count as stuck if they have not moved for this number of seconds while events were waiting.
const STUCK_SECONDS: i64 = 30;

/// The readiness of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether the instance can serve requests.
    ready: bool,
    /// Whether the database responds.
    database: bool,
    /// The position of the last event of the log.
    log_position: Option<i64>,
    /// The position that the views show.
    views_position: Option<i64>,
    /// The number of events that the views do not show yet.
    lag: Option<i64>,
    /// The number of events that could not be applied. The values shown for their aggregates are out of date.
    parked: Option<i64>,
    /// Secrets that something refers to and that cannot be read. What needs them fails; everything else works.
    secrets: Vec<UnreadableSecret>,
    /// Webhooks whose deliveries fail, or that cannot be sent any; `GET /api/v1/webhooks` gives the reasons.
    webhooks: Vec<webhooks::FailingWebhook>,
    /// Kinds of firmware that the service has no boot loader for, such as "UEFI, 64-bit ARM (architectures 11, 19;
    /// ipxe-arm64.efi)". DHCP replies name no boot file for them, unless the service has no folder of boot loaders and so
    /// leaves TFTP to another server. They need a file in the folder of `--loaders`.
    boot_loaders_missing: Vec<String>,
    /// DHCP entries that no network serves. Their sites' DHCP servers keep the last configuration that contained them.
    dhcp_strays: Vec<StrayItem>,
    /// The reasons why the instance is not ready; empty if it is ready.
    reasons: Vec<String>,
    /// Problems that limit the service, or soon will, although it serves requests. Empty if there are none.
    degraded: Vec<String>,
}

/// A secret that cannot be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnreadableSecret {
    /// The name of the secret.
    #[schema(value_type = String)]
    name: Name,
    /// What needs the secret.
    used_by: String,
    /// What is wrong, and what to do.
    problem: String,
}

/// A DHCP entry that no network serves.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StrayItem {
    /// The site whose configuration lacks the entry.
    site: Name,
    /// The reserved address.
    #[schema(value_type = String)]
    ip: Ipv4Addr,
    /// The MAC address that the address is reserved for.
    mac: MacAddress,
    /// The device that the entry belongs to.
    device: DeviceId,
    /// The label of the device.
    called: String,
    /// The network that the entry was created for.
    network: Name,
    /// Why no network serves the entry, and what to do, as a sentence. The sentence may change between versions.
    problem: String,
    /// Why the network does not serve the entry, as a code with its values.
    cause: NetworkProblem,
}

impl From<&Stray> for StrayItem {
    fn from(stray: &Stray) -> Self {
        Self {
            site: stray.site.clone(),
            ip: stray.ip,
            mac: stray.mac,
            device: stray.device,
            called: stray.called.clone(),
            network: stray.network.clone(),
            problem: entries::network_problem(&stray.network, &stray.cause),
            cause: stray.cause.clone(),
        }
    }
}

/// The position at which the views stopped while events were waiting, and when that was first noticed.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<Option<(i64, Timestamp)>>);

impl Watched {
    /// For how many seconds the views have not moved while events wait. The time counts from the first check that noticed it.
    fn standing(&self, views: i64, last: i64, now: Timestamp) -> i64 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            _ if views >= last => *seen = None,
            Some((position, _)) if position == views => {}
            _ => *seen = Some((views, now)),
        }
        seen.map_or(0, |(_, since)| (now.0 - since.0).whole_seconds())
    }
}

/// Returns whether this instance is ready. The response is 503 with the reasons if it is not.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = Readiness), (status = 503, description = "Not ready, and why", body = Readiness)))]
pub(crate) async fn ready(application: Data<Application>, watched: Data<Watched>, requested: Data<HealthCounts>) -> HttpResponse {
    let mut reasons = vec![];
    let counts = requested.counts(&application).await;
    match counts.as_deref() {
        Err(error) => {
            tracing::warn!("not ready: {error}");
            reasons.push(error.trim_end_matches("; try again").to_owned());
        }
        Ok(Counts { last, views, .. }) => {
            let standing = watched.standing(*views, *last, (application.now)());
            if standing >= STUCK_SECONDS {
                reasons.push(format!(
                    "the views, which pages and the API read, have been at position {views} for {standing} seconds while the log ends at {last}; check that an instance with a running projector is connected to this database"
                ));
            }
        }
    }
    reasons.extend(application.vitals.problems());
    let limits = space::limits(&application);
    reasons.extend(limits.reasons);
    if *application.stopping.borrow() {
        reasons.push("the service is stopping".to_owned());
    }
    let ready = reasons.is_empty();
    let counts = counts.ok();
    let strays = counts.as_ref().map(|counts| counts.strays.as_slice()).unwrap_or_default();
    let dhcp_strays = strays.iter().map(StrayItem::from).collect();
    let mut degraded = limits.degraded;
    degraded.extend(held_back(strays));
    degraded.extend(counts.as_ref().map(|counts| left_out(&counts.left_out)).unwrap_or_default());
    let body = Readiness {
        ready,
        database: counts.is_some(),
        log_position: counts.as_ref().map(|counts| counts.last),
        views_position: counts.as_ref().map(|counts| counts.views),
        lag: counts.as_ref().map(|counts| (counts.last - counts.views).max(0)),
        parked: counts.as_ref().map(|counts| counts.parked),
        webhooks: counts.as_ref().map(|counts| counts.webhooks.clone()).unwrap_or_default(),
        secrets: counts.map(|counts| unreadable(&application, &counts.secrets)).unwrap_or_default(),
        boot_loaders_missing: BootSource::of(&application).missing().map(|family| family.to_string()).collect(),
        dhcp_strays,
        reasons,
        degraded,
    };
    HttpResponse::build(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }).json(body)
}

/// A message for each site with entries that no network serves.
fn held_back(strays: &[Stray]) -> Vec<String> {
    let of_sites = strays.chunk_by(|one, other| one.site == other.site);
    let lacks = |held_back: HeldBack| {
        let entries = entries::unserved(&held_back);
        format!("the DHCP configuration of site {} lacks a network for {entries}", held_back.site)
    };
    of_sites.filter_map(strays::held_back).map(lacks).collect()
}

/// A message for each site whose configuration leaves out entries with a repeated MAC or IP address.
fn left_out(left_out: &[LeftOut]) -> Vec<String> {
    let of_sites = left_out.chunk_by(|one, other| one.site == other.site);
    let message = |of_site: &[LeftOut]| {
        let entries = entries::repeated(&repeats::repeated(of_site)?);
        Some(format!("the DHCP configuration of site {} leaves out {entries}", of_site.first()?.site))
    };
    of_sites.filter_map(message).collect()
}

fn unreadable(application: &Application, references: &[secrets::Reference]) -> Vec<UnreadableSecret> {
    let problem = |secrets::Reference { secret, used_by }: &secrets::Reference| {
        let problem = application.commands.secret_problem(secret)?;
        Some(UnreadableSecret { name: secret.clone(), used_by: used_by.clone(), problem })
    };
    references.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_that_do_not_advance_while_events_wait_are_stuck() {
        let (watched, start) = (Watched::default(), Timestamp::default());
        assert_eq!(watched.standing(5, 9, start), 0);
        assert_eq!(watched.standing(5, 12, start.plus_seconds(31)), 31);
        assert_eq!(watched.standing(6, 12, start.plus_seconds(32)), 0, "they moved");
        assert_eq!(watched.standing(12, 12, start.plus_seconds(90)), 0, "they caught up");
        assert_eq!(watched.standing(12, 13, start.plus_seconds(91)), 0, "standing with nothing to do is no fault");
    }
}
