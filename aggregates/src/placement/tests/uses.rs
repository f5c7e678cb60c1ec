//! The catalogue entries that events begin to use.

use super::*;
use crate::event::Event;
use crate::event::tests::samples;

#[test]
fn every_event_that_uses_an_entry_is_found() {
    let key = || name("some-key");
    let mut events: Vec<Event> = vec![];
    events.extend(samples::deployment().into_iter().map(|event| Event::Deployment(DeploymentId::default(), event)));
    events.extend(samples::device().into_iter().map(|event| Event::Device(DeviceId::default(), event)));
    events.extend(samples::site().into_iter().map(|event| Event::Site(key(), event)));
    events.extend(samples::rack().into_iter().map(|event| Event::Rack(key(), event)));
    events.extend(samples::network().into_iter().map(|event| Event::Network(key(), event)));
    events.extend(samples::dhcp_server().into_iter().map(|event| Event::DhcpServer(key(), event)));
    events.extend(samples::venture().into_iter().map(|event| Event::Venture(key(), event)));
    events.extend(samples::boot_image().into_iter().map(|event| Event::BootImage(key(), event)));
    let ip = std::net::Ipv4Addr::new(10, 0, 0, 20);
    events.extend(samples::reservation().into_iter().map(|event| Event::Reservation(ip, event)));
    let mut using = BTreeSet::new();
    for event in events.iter().filter(|event| !event.uses().is_empty()) {
        let text = format!("{event:?}");
        let kind = Use::EVENTS.iter().find(|kind| text.contains(*kind));
        using.insert(*kind.unwrap_or_else(|| panic!("{text} is not in Use::EVENTS")));
    }
    assert_eq!(using, Use::EVENTS.into_iter().collect(), "an event uses nothing, or has no sample");
}
