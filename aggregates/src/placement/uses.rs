//! The catalogue entries that an event begins to use. A change of such an entry that was decided without the event must be
//! decided again.

use crate::boot_image::BootImageEvent;
use crate::controller::management::Management;
use crate::deployment::event::DeploymentEvent;
use crate::device::event::DeviceEvent;
use crate::dhcp_server::DhcpServerEvent;
use crate::event::Event;
use crate::infrastructure::{Declared, of_dhcp_server, of_network, of_site};
use crate::network::NetworkEvent;
use crate::rack::RackEvent;
use crate::reservation::ReservationEvent;
use crate::site::SiteEvent;
use crate::values::hostname::DomainName;
use crate::values::name::Name;
use crate::venture::VentureEvent;
use crate::zone::range::AddressRange;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Something that an event begins to use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the kind of the entry with this name")]
pub enum Use {
    Site(Name),
    Rack(Name),
    Venture(Name),
    BootImage(Name),
    Address(Ipv4Addr),
    Range(Ipv4Net),
    /// A unit of the device's rack. The event does not name the rack.
    Unit,
    /// An address that is named as that of a router or server.
    Declared(Ipv4Addr),
    /// An address of a management controller.
    Managed(Ipv4Addr),
    /// A zone that a site defines, with its addresses.
    Zone(DomainName, Option<AddressRange>),
}

impl Use {
    /// The types of the events that may begin to use something.
    pub const EVENTS: [&str; 14] = [
        "DeploymentStarted",
        "DeviceRegistered",
        "DeviceChanged",
        "VentureRoleSet",
        "FactsRecorded",
        "SiteDefined",
        "RackDefined",
        "NetworkDefined",
        "DhcpServerDefined",
        "DhcpServerRetired",
        "VentureDefined",
        "RoleDefined",
        "BootImageDefined",
        "AddressReserved",
    ];

    /// The types of the events that may begin to use an address for a router, server or controller.
    pub const OF_INFRASTRUCTURE: [&str; 5] =
        ["DeviceRegistered", "DeviceChanged", "SiteDefined", "NetworkDefined", "DhcpServerDefined"];
}

impl Event {
    /// What the event begins to use. The later events of a live deployment do not count: its start does.
    pub fn uses(&self) -> Vec<Use> {
        match self {
            Self::Deployment(_, DeploymentEvent::DeploymentStarted(started)) => vec![
                Use::Site(started.site.clone()),
                Use::Venture(started.assignment.venture.clone()),
                Use::BootImage(started.assignment.boot_image.clone()),
                Use::Address(started.assignment.ip),
            ],
            Self::Device(_, event) => of_device(event),
            Self::Site(name, SiteEvent::SiteDefined { spec }) => {
                let zones = spec.zones.iter().map(|zone| Use::Zone(zone.name.clone(), zone.addresses()));
                zones.chain(declared(of_site(name, spec))).collect()
            }
            Self::Rack(name, RackEvent::RackDefined { spec }) => vec![Use::Rack(name.clone()), Use::Site(spec.site.clone())],
            Self::Network(name, NetworkEvent::NetworkDefined { spec }) => {
                let racks = spec.racks.iter().cloned().map(Use::Rack);
                let places = racks.chain([Use::Site(spec.site.clone()), Use::Range(spec.cidr)]);
                places.chain(declared(of_network(name, spec))).collect()
            }
            Self::DhcpServer(name, event) => match event {
                DhcpServerEvent::DhcpServerDefined { spec } => {
                    [Use::Site(spec.site.clone())].into_iter().chain(declared(of_dhcp_server(name, spec))).collect()
                }
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
            Self::Reservation(ip, ReservationEvent::AddressReserved { .. }) => vec![Use::Address(*ip)],
            Self::BootImage(name, BootImageEvent::BootImageDefined { .. }) => vec![Use::BootImage(name.clone())],
            _ => vec![],
        }
    }
}

fn declared(found: Vec<Declared>) -> impl Iterator<Item = Use> {
    found.into_iter().map(|one| Use::Declared(one.ip))
}

fn controller(management: Option<&Management>) -> impl Iterator<Item = Use> {
    management.and_then(|management| management.address.ipv4()).map(Use::Managed).into_iter()
}

fn of_device(event: &DeviceEvent) -> Vec<Use> {
    match event {
        DeviceEvent::DeviceRegistered(spec) => {
            let place = [Use::Site(spec.site.clone())].into_iter().chain(spec.rack.iter().cloned().map(Use::Rack));
            place.chain(controller(spec.management.as_ref())).collect()
        }
        DeviceEvent::DeviceChanged(change) => {
            let takes = change.position.is_some() || change.height.is_some() || change.face.is_some();
            let unit = takes.then_some(Use::Unit);
            let place = change.site.iter().cloned().map(Use::Site).chain(change.rack.iter().cloned().map(Use::Rack));
            place.chain(unit).chain(controller(change.management.as_ref())).collect()
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
