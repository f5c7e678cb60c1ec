//! The filters of events that the timeline and the API share: who, what, which type, when, and any words.
//!
//! People enter what they know: `admin` instead of `user admin`, a host name instead of an id, `deploymentstarted`. Each filter is
//! looked up. A name that does not exist is reported with similar names, because an empty list would claim that nothing
//! happened.

pub(crate) mod accounts;
mod kinds;
mod lookup;
mod moments;
mod unknown;
mod words;

pub(crate) use kinds::{event_types, kind_of};
pub(crate) use unknown::Unknown;
pub(crate) use words::{Matches, WINDOW, Words, find, move_on};

use crate::confidential::Reader;
use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log;
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::timeline::Filter;

/// The filters as someone entered them. A filter that is `None` matches every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entered {
    pub(crate) actor: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) correlation: Option<String>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) text: Option<String>,
    /// Who reads the events: a search for words does not find what the reader may not see.
    pub(crate) reader: Reader,
}

/// The filters after they were looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    /// The filter of the views.
    pub(crate) filter: Filter,
    /// The words that an event's sentence or data must contain.
    pub(crate) words: Words,
    /// The beginning of the range of time.
    pub(crate) from: Option<Timestamp>,
    /// The end of the range of time.
    pub(crate) to: Option<Timestamp>,
    /// Who reads the events.
    pub(crate) reader: Reader,
}

/// Looks up the filters as of a position. They find only events that the caller may read. The error inside lists every filter
/// that names nothing.
///
/// # Errors
/// Returns an error if the database fails, or if a filter names events that the caller may not read.
pub(crate) async fn resolve(
    entered: &Entered,
    principal: &Principal,
    connection: &mut Connection,
    position: i64,
    now: Timestamp,
) -> Result<Result<Resolved, Vec<Unknown>>, Error> {
    let mut unknown = vec![];
    let mut resolved = Resolved {
        filter: Filter {
            device: entered.device,
            deployment: entered.deployment,
            correlation_id: entered.correlation.as_deref().map(|text| text.trim().to_owned()),
            before: Some(position + 1),
            ..Filter::default()
        },
        words: Words::of(entered.text.as_deref().unwrap_or_default()),
        reader: entered.reader,
        ..Resolved::default()
    };
    if let Some(text) = filled(entered.actor.as_ref()) {
        match lookup::actors(connection, text, position).await? {
            Ok(actors) => resolved.filter.actors = actors,
            Err(wrong) => unknown.push(wrong),
        }
    }
    if let Some(text) = filled(entered.event_type.as_ref()) {
        match lookup::types(text) {
            Ok(types) => resolved.filter.event_types = types,
            Err(wrong) => unknown.push(wrong),
        }
    }
    if let Some(text) = filled(entered.object.as_ref()) {
        match lookup::object(connection, principal, text).await? {
            Ok(lookup::Object::Kind(kind)) => resolved.filter.aggregate_type = Some(kind),
            Ok(lookup::Object::Subjects(subjects)) => resolved.filter.subjects = Some(subjects),
            Err(wrong) => unknown.push(wrong),
        }
    }
    for (field, text) in [("from", &entered.from), ("to", &entered.to)] {
        let Some(text) = filled(text.as_ref()) else { continue };
        match moments::parse(field, text, now) {
            Ok(at) if field == "from" => {
                resolved.from = Some(at);
                // The last event before the moment, so that an event at the moment itself is included.
                let before = Timestamp(at.0.saturating_sub(time::Duration::microseconds(1)));
                resolved.filter.after = Some(log::position_at(&mut *connection, before).await?);
            }
            Ok(at) => {
                resolved.to = Some(at);
                let last = log::position_at(&mut *connection, at).await?.min(position);
                resolved.filter.before = Some(last + 1);
            }
            Err(wrong) => unknown.push(wrong),
        }
    }
    accounts::limit(principal, &mut resolved.filter)?;
    Ok(if unknown.is_empty() { Ok(resolved) } else { Err(unknown) })
}

/// The ends of the range of time, as far as they can be read.
pub(crate) fn range(entered: &Entered, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    let read = |field: &'static str, text: Option<&String>| moments::parse(field, filled(text)?, now).ok();
    (read("from", entered.from.as_ref()), read("to", entered.to.as_ref()))
}

fn filled(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}
