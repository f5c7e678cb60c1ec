//! The navigation: the sections of the pages.

use super::document::logo;
use crate::pages::components::icon::icon;
use maud::{Markup, html};

/// The sections of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// The dashboard: what needs attention.
    Dashboard,
    /// Deployments, running and ended.
    Deployments,
    /// Devices: the servers and their parts.
    Devices,
    /// Bulk actions on devices and deployments.
    BulkActions,
    /// Racks and the devices in them.
    Racks,
    /// Networks and their addresses.
    Networks,
    /// DNS zones and their records.
    Zones,
    /// DHCP servers and their configurations.
    DhcpServers,
    /// Boot images and the library.
    BootImages,
    /// Ventures and roles.
    Ventures,
    /// Sites, which are data centres.
    Sites,
    /// The timeline: everything that happened.
    Timeline,
    /// Accounts, tokens, sessions.
    Settings,
}

/// An entry of the navigation: section, path, label, icon.
type Entry = (Section, &'static str, &'static str, &'static str);

impl Section {
    /// The part of the guide about the section.
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Dashboard => "/help",
            Self::Deployments => "/help/not-done",
            Self::Devices => "/help/deploying",
            Self::BulkActions => "/help/many",
            Self::Racks => "/help/data-centre#part-devices-in-racks-notes-and-tags",
            Self::Networks | Self::Ventures | Self::Sites => "/help/data-centre",
            Self::Zones => "/help/dns",
            Self::DhcpServers => "/help/dhcp-agent",
            Self::BootImages => "/help/images",
            Self::Timeline => "/help/record",
            Self::Settings => "/help/accounts",
        }
    }

    /// The section that a path is in; the dashboard if it is in no other.
    pub(crate) fn of_path(path: &str) -> Self {
        let first = path.split('/').nth(1).unwrap_or_default();
        let mut entries = NAVIGATION.iter().flat_map(|(_, entries)| entries.iter());
        let found = entries.find(|(_, known, ..)| !first.is_empty() && known[1..] == *first);
        found.map_or(Self::Dashboard, |(section, ..)| *section)
    }
}

/// The groups of the navigation: heading and entries.
const NAVIGATION: [(&str, &[Entry]); 3] = [
    (
        "Work",
        &[
            (Section::Dashboard, "/", "Dashboard", "speedometer2"),
            (Section::Deployments, "/deployments", "Deployments", "rocket-takeoff"),
            (Section::Devices, "/devices", "Devices", "pc-horizontal"),
            (Section::BulkActions, "/bulk-actions", "Bulk actions", "list"),
            (Section::Racks, "/racks", "Racks", "hdd-rack"),
        ],
    ),
    (
        "Data centre",
        &[
            (Section::Networks, "/networks", "Networks", "diagram-3"),
            (Section::Zones, "/zones", "DNS zones", "globe2"),
            (Section::DhcpServers, "/dhcp-servers", "DHCP servers", "router"),
            (Section::BootImages, "/boot-images", "Boot images", "disc"),
            (Section::Ventures, "/ventures", "Ventures and roles", "people"),
            (Section::Sites, "/sites", "Sites", "building"),
        ],
    ),
    (
        "Record",
        &[(Section::Timeline, "/timeline", "Timeline", "clock-history"), (Section::Settings, "/settings", "Settings", "gear")],
    ),
];

/// The navigation, for a page that belongs to a section.
pub(super) fn navigation(current: Section) -> Markup {
    html! {
        nav.side aria-label="Main" {
            div.side-inner {
                a.brand href="/" { (logo()) "Bootledger" }
                details.menu {
                    summary { (icon("list")) "Bootledger: menu" }
                    div {
                        @for (heading, entries) in NAVIGATION {
                            h2 { (heading) }
                            ul {
                                @for (section, path, words, icon_name) in entries {
                                    li { a href=(path) aria-current=[(*section == current).then_some("page")] { (icon(icon_name)) (words) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
