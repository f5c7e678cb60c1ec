//! Sentences about the catalogue: sites, racks, networks, DHCP servers, ventures, boot images, webhooks and secrets.
//!
//! `saved` is `created` for the first event of an entry, otherwise `edited`.

use super::{Actor, after_colon, list};
use bootledger_aggregates::boot_image::BootImageEvent;
use bootledger_aggregates::dhcp_server::DhcpServerEvent;
use bootledger_aggregates::network::NetworkEvent;
use bootledger_aggregates::rack::RackEvent;
use bootledger_aggregates::reservation::ReservationEvent;
use bootledger_aggregates::secret::SecretEvent;
use bootledger_aggregates::site::SiteEvent;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::VentureEvent;
use bootledger_aggregates::webhook::WebhookEvent;
use std::net::Ipv4Addr;

pub(super) fn site(name: &Name, event: &SiteEvent, who: &Actor<'_>, saved: &str) -> String {
    match event {
        SiteEvent::SiteDefined { .. } => format!("{who} {saved} site {name}"),
        SiteEvent::SiteRetired {} => format!("{who} retired site {name}"),
    }
}

pub(super) fn rack(name: &Name, event: &RackEvent, who: &Actor<'_>, saved: &str) -> String {
    match event {
        RackEvent::RackDefined { spec } => format!("{who} {saved} rack {name} of site {}", spec.site),
        RackEvent::RackRetired {} => format!("{who} retired rack {name}"),
    }
}

pub(super) fn network(name: &Name, event: &NetworkEvent, who: &Actor<'_>, saved: &str) -> String {
    match event {
        NetworkEvent::NetworkDefined { spec } => format!("{who} {saved} network {name} ({}) of site {}", spec.cidr, spec.site),
        NetworkEvent::NetworkRetired {} => format!("{who} retired network {name}"),
    }
}

pub(super) fn dhcp_server(name: &Name, event: &DhcpServerEvent, who: &Actor<'_>, saved: &str) -> String {
    match event {
        DhcpServerEvent::DhcpServerDefined { spec } => format!("{who} {saved} DHCP server {name} of site {}", spec.site),
        DhcpServerEvent::DhcpServerRetired { site } => format!("{who} retired DHCP server {name} of site {site}"),
        DhcpServerEvent::ConfigurationConfirmed { position, .. } => {
            format!("DHCP server {name} confirmed the configuration as of event {position}")
        }
        DhcpServerEvent::ConfigurationFailed { message, .. } => {
            format!("DHCP server {name} cannot use its new configuration and keeps the old one: {message}")
        }
    }
}

pub(super) fn venture(name: &Name, event: &VentureEvent, who: &Actor<'_>, saved: &str) -> String {
    match event {
        VentureEvent::VentureDefined { .. } => format!("{who} {saved} venture {name}"),
        VentureEvent::VentureRetired {} => format!("{who} retired venture {name}"),
        VentureEvent::RoleDefined { role, .. } => format!("{who} saved role {role} of venture {name}"),
        VentureEvent::RoleRetired { role } => format!("{who} retired role {role} of venture {name}"),
    }
}

pub(super) fn boot_image(name: &Name, event: &BootImageEvent, who: &Actor<'_>, saved: &str) -> String {
    match event {
        BootImageEvent::BootImageDefined { .. } => format!("{who} {saved} boot image {name}"),
        BootImageEvent::BootImageRetired {} => format!("{who} retired boot image {name}"),
        BootImageEvent::BootFilePut { name: file_name, file } => {
            format!("{who} saved file {file_name} ({}, {} bytes) in boot image {name}", file.kind, file.size)
        }
        BootImageEvent::BootFileRemoved { name: file_name } => {
            format!("{who} removed file {file_name} from boot image {name}")
        }
    }
}

pub(super) fn webhook(name: &Name, event: &WebhookEvent, who: &Actor<'_>, saved: &str) -> String {
    match event {
        WebhookEvent::WebhookDefined { .. } => format!("{who} {saved} webhook {name}"),
        WebhookEvent::WebhookRetired {} => format!("{who} retired webhook {name}"),
        WebhookEvent::WebhookPaused { reason } => format!("{who} paused webhook {name}{}", after_colon(reason.as_str())),
        WebhookEvent::WebhookResumed {} => format!("{who} resumed webhook {name}"),
        WebhookEvent::WebhookPositionSet { after, reason } => {
            format!("{who} set webhook {name} to continue after event {after}{}", after_colon(reason.as_str()))
        }
        WebhookEvent::WebhookEventSkipped { position, reason } => {
            format!("{who} skipped event {position} for webhook {name}{}", after_colon(reason.as_str()))
        }
    }
}

pub(super) fn reservation(ip: Ipv4Addr, event: &ReservationEvent, who: &Actor<'_>) -> String {
    match event {
        ReservationEvent::AddressReserved { network, spec } => {
            let until = spec.expires.map(|end| format!(" until {end}")).unwrap_or_default();
            format!("{who} reserved {ip} in network {network}{until}: {}", spec.note)
        }
        ReservationEvent::AddressReleased { network } => format!("{who} released {ip} in network {network}"),
        ReservationEvent::ReservationExpired { network } => format!("The reservation of {ip} in network {network} expired"),
    }
}

pub(super) fn secret(name: &Name, event: &SecretEvent, who: &Actor<'_>) -> String {
    match event {
        SecretEvent::SecretScopeDefined { spec } => {
            format!("{who} limited secret {name} to management controllers in {}", list(&spec.networks))
        }
        SecretEvent::SecretScopeRetired {} => format!("{who} retired the scope of secret {name}"),
    }
}
