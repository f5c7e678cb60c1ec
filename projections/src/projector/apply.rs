//! The effect of one event on all views. An event that does not fit is parked.

use super::state::State;
use super::{catalogue, deployments, devices, holdings, installations, timeline};
use crate::database::log::Stored;
use crate::rows::parked::{Parked, ParkedReason};
use bootledger_aggregates::event::{Event, Recorded};

/// Applies an event to every view, or parks it.
pub(super) fn apply(state: &mut State, stored: &Stored, read: &Result<Recorded, ParkedReason>) {
    let aggregate = (stored.aggregate_type.clone(), stored.aggregate_id.clone());
    let reason = if let Some(first) = state.blocked.get(&aggregate) {
        Some(ParkedReason::Follows { position: *first })
    } else {
        match read {
            Err(reason) => Some(reason.clone()),
            Ok(recorded) => to_views(state, recorded, stored).err(),
        }
    };
    if let Some(reason) = reason {
        tracing::warn!(
            event.position = stored.position,
            aggregate.r#type = stored.aggregate_type,
            aggregate.id = stored.aggregate_id,
            "an event is parked: {reason}"
        );
        state.blocked.entry(aggregate).or_insert(stored.position);
        state.parked.push(Parked {
            position: stored.position,
            aggregate_type: stored.aggregate_type.clone(),
            aggregate_id: stored.aggregate_id.clone(),
            event_type: stored.event_type.clone(),
            reason,
        });
    }
}

/// Applies an event to every view, or to none and returns why.
fn to_views(state: &mut State, recorded: &Recorded, stored: &Stored) -> Result<(), ParkedReason> {
    let claims = recorded.event.claims();
    holdings::check(state, &claims)?;
    match &recorded.event {
        Event::Deployment(id, event) => deployments::check(state, *id, event)?,
        Event::Device(id, event) => devices::check(state, *id, event)?,
        _ => catalogue::apply(state, recorded)?,
    }
    holdings::apply(state, &claims, recorded.position);
    match &recorded.event {
        Event::Deployment(id, event) => {
            deployments::apply(state, *id, event, recorded);
            installations::apply(state, *id, event, recorded);
        }
        Event::Device(id, event) => devices::apply(state, *id, event, recorded),
        _ => {}
    }
    let row = timeline::row(state, recorded, stored);
    state.timeline.push(row);
    Ok(())
}
