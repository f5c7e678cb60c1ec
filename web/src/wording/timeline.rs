//! The sentence for an event in the timeline.
//!
//! A sentence depends on its line only: on the event, and on the names at that time. So an event has the same sentence whenever
//! it is shown. The subject comes first: who acted, otherwise what the event is about. An id appears only where there is no name.

mod account;
mod bulk;
mod catalogue;
mod deployment;
mod device;
mod drift;
#[cfg(test)]
pub(super) mod tests;

use crate::wording::actors;
use bootledger_aggregates::event::Event;
use bootledger_projections::rows::timeline::Line;
use std::fmt::{self, Display, Formatter};

/// The sentence for a line, without a full stop.
pub(crate) fn sentence(line: &Line) -> String {
    let who = &Actor(&line.actor);
    // The name of what the event is about.
    let name = line.subject.as_deref().unwrap_or(&line.aggregate_id);
    let Some(event) = &line.event else {
        return format!("{} {name}: {}", line.aggregate_type.replace('_', " "), line.event_type);
    };
    let saved = if line.sequence == 1 { "created" } else { "edited" };
    match event {
        Event::Deployment(_, event) => deployment::deployment(name, event, &line.holders, who),
        Event::Device(_, event) => device::device(name, line.parent.as_deref(), event, who),
        Event::Site(name, event) => catalogue::site(name, event, who, saved),
        Event::Rack(name, event) => catalogue::rack(name, event, who, saved),
        Event::Network(name, event) => catalogue::network(name, event, who, saved),
        Event::DhcpServer(name, event) => catalogue::dhcp_server(name, event, who, saved),
        Event::Venture(name, event) => catalogue::venture(name, event, who, saved),
        Event::BootImage(name, event) => catalogue::boot_image(name, event, who, saved),
        Event::Webhook(name, event) => catalogue::webhook(name, event, who, saved),
        Event::Secret(name, event) => catalogue::secret(name, event, who),
        Event::Reservation(ip, event) => catalogue::reservation(*ip, event, who),
        Event::SavedView(_, event) => account::saved_view(event, who, line.sequence == 1),
        Event::Token(_, event) => account::token(name, event, who),
        Event::User(name, event) => account::user(name, event, who),
        Event::Session(_, event) => account::session(name, event, who),
        Event::Bulk(_, event) => bulk::bulk(event, who),
        Event::Drift(key, event) => drift::drift(key, event, who),
    }
}

/// The code of who or what caused the event, such as `user ada`. Displayed as the beginning of a sentence.
struct Actor<'a>(&'a str);

impl Actor<'_> {
    /// The actor in the middle of a sentence.
    fn within(&self) -> &str {
        actors::actor(self.0)
    }
}

impl Display for Actor<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::english::capitalised(self.within()))
    }
}

/// `: text`, or nothing if there is no text.
fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The first few items, and the number of the others: the text has to remain one sentence.
fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 5;
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let more = items.len().saturating_sub(SHOWN);
    let shown = items.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
