//! Facts from the views that the rules need about other aggregates.

use super::execute::Failure;
use crate::event_log::append::Precondition;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::device::footprint::RackFacts;
use bootledger_aggregates::placement::ChangeScope;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::name::Name;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, deployments, devices, holdings};

/// The holders of those claims that are held.
pub(crate) async fn holders(views: &Pool, claims: &[Claim]) -> Result<Vec<(Claim, Holder)>, Failure> {
    let parts: Vec<(&str, String)> = claims.iter().map(Claim::parts).collect();
    let held = holdings::holders(views, &parts, At::Now).await?;
    let holder_of = |claim: &Claim| {
        let (kind, value) = claim.parts();
        held.iter().find(|holding| holding.kind == kind && holding.value == value).map(|holding| (claim.clone(), holding.holder))
    };
    Ok(claims.iter().filter_map(holder_of).collect())
}

/// The device's live deployment, with the precondition that it is unchanged when events are appended.
pub(super) async fn live(views: &Pool, device: DeviceId) -> Result<(Option<DeploymentId>, Vec<Precondition>), Failure> {
    let live = deployments::live_of_device(views, device, At::Now).await?.map(|deployment| deployment.id);
    let unclaimed = Precondition::Unclaimed(Claim::Deployment(device));
    Ok((live, if live.is_none() { vec![unclaimed] } else { vec![] }))
}

/// Whether a site exists and is in use.
pub(super) async fn site_exists(views: &Pool, site: &Name) -> Result<bool, Failure> {
    Ok(catalogue::site(views, site, At::Now).await?.is_some_and(|entry| !entry.retired))
}

/// Whether a rack exists, is in use, and is in this site.
pub(super) async fn rack_exists(views: &Pool, rack: &Name, site: &Name) -> Result<bool, Failure> {
    Ok(catalogue::rack(views, rack, At::Now).await?.is_some_and(|entry| !entry.retired && entry.spec.site == *site))
}

/// A rack in use with the units that devices take, and the precondition that no device has taken or left one since.
pub(super) async fn rack_facts(views: &Pool, rack: &Name) -> Result<(Option<RackFacts>, Vec<Precondition>), Failure> {
    // The position is read first: what the views show beyond it is checked again.
    let after = checkpoint::position(views).await?;
    let Some(entry) = catalogue::rack(views, rack, At::Now).await?.filter(|entry| !entry.retired) else {
        return Ok((None, vec![]));
    };
    let placed = devices::placed_in(views, rack, At::Now).await?;
    let others = placed.iter().filter_map(|device| Some((device.id, device.footprint()?))).collect();
    let scope = ChangeScope { racks: [rack.clone()].into(), ..ChangeScope::default() };
    let facts = RackFacts { rack: rack.clone(), units: entry.spec.units, others };
    Ok((Some(facts), vec![Precondition::Unused { after, scope }]))
}
