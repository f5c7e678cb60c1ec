//! What of the catalogue an event begins to use: a change of that which was decided without the event has to be decided again.

use crate::boot_image::BootImageEvent;
use crate::deployment::event::DeploymentEvent;
use crate::device::event::DeviceEvent;
use crate::dhcp_server::DhcpServerEvent;
use crate::event::Event;
use crate::network::NetworkEvent;
use crate::rack::RackEvent;
use crate::values::name::Name;
use crate::venture::VentureEvent;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Something that an event begins to use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant says of which kind the named thing is")]
pub enum Use {
    Site(Name),
    Rack(Name),
    Venture(Name),
    BootImage(Name),
    Address(Ipv4Addr),
    Range(Ipv4Net),
    /// A unit of the device's rack, which the event does not name.
    Unit,
}

impl Use {
    /// The types of the events that may begin to use something.
    pub const EVENTS: [&str; 12] = [
        "DeploymentStarted",
        "DeviceRegistered",
        "DeviceChanged",
        "VentureRoleSet",
        "FactsRecorded",
        "RackDefined",
        "NetworkDefined",
        "DhcpServerDefined",
        "DhcpServerRetired",
        "VentureDefined",
        "RoleDefined",
        "BootImageDefined",
    ];
}

impl Event {
    /// What the event begins to use. Effects of a live deployment are not among it: its start is.
    pub fn uses(&self) -> Vec<Use> {
        match self {
            Self::Deployment(_, DeploymentEvent::DeploymentStarted(started)) => vec![
                Use::Site(started.site.clone()),
                Use::Venture(started.venture.clone()),
                Use::BootImage(started.boot_image.clone()),
                Use::Address(started.ip),
            ],
            Self::Device(_, event) => of_device(event),
            Self::Rack(name, RackEvent::RackDefined { spec }) => vec![Use::Rack(name.clone()), Use::Site(spec.site.clone())],
            Self::Network(_, NetworkEvent::NetworkDefined { spec }) => {
                let racks = spec.racks.iter().cloned().map(Use::Rack);
                racks.chain([Use::Site(spec.site.clone()), Use::Range(spec.cidr)]).collect()
            }
            Self::DhcpServer(_, event) => match event {
                DhcpServerEvent::DhcpServerDefined { spec } => vec![Use::Site(spec.site.clone())],
                DhcpServerEvent::DhcpServerRetired { site } => vec![Use::Site(site.clone())],
                DhcpServerEvent::ConfigurationConfirmed { .. } | DhcpServerEvent::ConfigurationFailed { .. } => vec![],
            },
            Self::Venture(_, VentureEvent::VentureDefined { spec }) => {
                let parent = spec.parent.iter().cloned().map(Use::Venture);
                parent.chain(spec.default_boot_image.iter().cloned().map(Use::BootImage)).collect()
            }
            Self::Venture(_, VentureEvent::RoleDefined { spec, .. }) => {
                spec.default_boot_image.iter().cloned().map(Use::BootImage).collect()
            }
            Self::BootImage(name, BootImageEvent::BootImageDefined { .. }) => vec![Use::BootImage(name.clone())],
            _ => vec![],
        }
    }
}

fn of_device(event: &DeviceEvent) -> Vec<Use> {
    match event {
        DeviceEvent::DeviceRegistered(spec) => {
            [Use::Site(spec.site.clone())].into_iter().chain(spec.rack.iter().cloned().map(Use::Rack)).collect()
        }
        DeviceEvent::DeviceChanged(change) => {
            let unit = change.position.map(|_| Use::Unit);
            change.site.iter().cloned().map(Use::Site).chain(change.rack.iter().cloned().map(Use::Rack)).chain(unit).collect()
        }
        DeviceEvent::VentureRoleSet { venture, .. } => venture.iter().cloned().map(Use::Venture).collect(),
        DeviceEvent::FactsRecorded(facts) => {
            let leased = facts.dhcp_added.iter().map(|entry| entry.ip);
            let named = facts.dns_added.iter().map(|entry| entry.ip);
            facts.addresses_added.iter().copied().chain(leased).chain(named).map(Use::Address).collect()
        }
        _ => vec![],
    }
}
