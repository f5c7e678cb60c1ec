//! Changes of the catalogue: sites, racks, networks, DHCP servers, ventures, roles, boot images, secrets and webhooks.

use super::groups::Groups;
use bootledger_aggregates::rules::Rule;

/// The settings of a site, venture, role or device.
pub(super) const SETTINGS: &[Rule] = &[
    Rule::BootChainUnknown,
    Rule::SecretMissing,
    Rule::SecretNotForBoot,
    Rule::SettingNotSecret,
    Rule::SettingsTooLarge,
    Rule::SettingsTooMany,
];

/// The DHCP options of a site or network.
const DHCP_OPTIONS: &[Rule] = &[
    Rule::DhcpOptionCustom,
    Rule::DhcpOptionRepeated,
    Rule::DhcpOptionReserved,
    Rule::DhcpOptionType,
    Rule::DhcpOptionUnknown,
    Rule::DhcpOptionValue,
    Rule::DhcpOptionsTooMany,
];

/// The addresses that a site, network or DHCP server names as those of routers and servers, and the check of the site's DHCP
/// files.
const ADDRESSES_AND_FILES: &[Rule] =
    &[Rule::AddressHeld, Rule::AddressIsManagement, Rule::AddressOfNoHost, Rule::DhcpFileRejected];

/// The zones of a site.
const ZONES: &[Rule] = &[
    Rule::NameServerUnknown,
    Rule::RangeClaimed,
    Rule::RecordConflicts,
    Rule::RecordMalformed,
    Rule::ZoneListedTwice,
    Rule::ZoneMalformed,
    Rule::ZoneNotManaged,
    Rule::ZoneStatedTwice,
    Rule::ZonesMissing,
];

/// The other fields of a site, and what would lose its place with the change.
const SITE: &[Rule] = &[
    Rule::AddressNotAllowed,
    Rule::BootUrlNotAHost,
    Rule::DeploymentLive,
    Rule::InUse,
    Rule::NameHeld,
    Rule::NextServerNotAHost,
    Rule::UrlInvalid,
];

const SITE_RETIRED: &[Rule] = &[
    Rule::DeploymentLive,
    Rule::DevicePlaced,
    Rule::DhcpServerInSite,
    Rule::NameHeld,
    Rule::NetworkInSite,
    Rule::RackInSite,
    Rule::SiteInUse,
];

/// What devices and deployments hold in a network.
const HELD_IN_NETWORK: &[Rule] = &[Rule::AddressHeld, Rule::DeploymentLive, Rule::NameHeld, Rule::ReservationHeld];

const NETWORK: &[Rule] = &[
    Rule::CidrHostBits,
    Rule::CidrSpecial,
    Rule::CidrTooWide,
    Rule::DnsServersUnusable,
    Rule::GatewayNotAHost,
    Rule::GatewayOutside,
    Rule::InUse,
    Rule::NetworkOverlaps,
    Rule::NetworkWithoutAddresses,
    Rule::RackUnknown,
    Rule::SiteUnknown,
    Rule::VlanRange,
];

/// The reservation of an address.
const RESERVATION: &[Rule] = &[
    Rule::AddressIsManagement,
    Rule::AddressOfInfrastructure,
    Rule::AddressOfNoHost,
    Rule::ExpiresInPast,
    Rule::IpClaimed,
    Rule::IpOutsideNetworks,
    Rule::NetworkUnknown,
    Rule::NoteMissing,
];

/// The Puppet data of a venture or role.
const PUPPET: &[Rule] = &[
    Rule::PuppetClassName,
    Rule::PuppetEnvironmentName,
    Rule::PuppetParameterName,
    Rule::PuppetParameterTaken,
    Rule::PuppetTooLarge,
    Rule::PuppetValue,
];

const BOOT_IMAGE: &[Rule] = &[
    Rule::LimitTooLong,
    Rule::LimitZero,
    Rule::RecipeSetByLibrary,
    Rule::SecretMissing,
    Rule::SettingInUse,
    Rule::SettingInvalid,
    Rule::SettingsTooMany,
];

/// An uploaded file of a boot image.
const BOOT_FILE: &[Rule] = &[
    Rule::BootImageRetired,
    Rule::ContentEmpty,
    Rule::ContentOtherThanAnnounced,
    Rule::FileNameTaken,
    Rule::SecretInScript,
    Rule::SettingUndeclared,
    Rule::TemplateWrong,
];

/// The scope of a secret.
const SECRET: &[Rule] = &[
    Rule::NetworkTooWide,
    Rule::NetworksMissing,
    Rule::NetworksTooMany,
    Rule::PortRange,
    Rule::PortsTooMany,
    Rule::ProtocolsMissing,
    Rule::SecretForBootFiles,
    Rule::SecretUsedElsewhere,
    Rule::SiteUnknown,
    Rule::SitesMissing,
    Rule::SitesTooMany,
];

const WEBHOOK: &[Rule] = &[Rule::AddressNotAllowed, Rule::EventTypeUnknown, Rule::EventsMissing, Rule::SecretMissing];

pub(super) fn rules(method: &str, path: &str) -> Option<Groups> {
    let (kind, rest) = path.strip_prefix("/api/v1/")?.split_once('/')?;
    let groups: Groups = match (method, kind, rest) {
        ("put", "sites", "{key}") => &[SITE, ZONES, ADDRESSES_AND_FILES, DHCP_OPTIONS, SETTINGS],
        ("delete", "sites", "{key}") => &[SITE_RETIRED],
        ("put", "racks", "{key}") => {
            &[&[Rule::DevicePlaced, Rule::InUse, Rule::RackOfNetwork, Rule::SiteUnknown, Rule::UnitsRange]]
        }
        ("delete", "racks", "{key}") => &[&[Rule::DevicePlaced, Rule::RackInUse, Rule::RackOfNetwork]],
        ("put", "networks", "{key}") => &[NETWORK, HELD_IN_NETWORK, ADDRESSES_AND_FILES, DHCP_OPTIONS],
        ("put", "networks", "{key}/reservations/{ip}") => &[RESERVATION],
        ("delete", "networks", "{key}") => &[&[Rule::NetworkInUse], HELD_IN_NETWORK],
        ("put", "dhcp-servers", "{key}") => {
            &[&[Rule::AddressNotAHost, Rule::InUse, Rule::ReservationHeld, Rule::SiteUnknown], ADDRESSES_AND_FILES]
        }
        ("delete", "dhcp-servers", "{key}") => &[&[Rule::DhcpServerInUse, Rule::ReservationHeld]],
        ("put", "ventures", "{key}") => &[&[Rule::BootImageUnknown, Rule::VentureCircle, Rule::VentureUnknown], PUPPET, SETTINGS],
        ("delete", "ventures", "{key}") => {
            &[&[Rule::DeploymentLive, Rule::DevicePlaced, Rule::VentureHasParts, Rule::VentureInUse]]
        }
        ("put", "ventures", "{key}/roles/{role}") => &[&[Rule::BootImageUnknown], PUPPET, SETTINGS],
        ("delete", "ventures", "{key}/roles/{role}") => &[&[Rule::DeploymentLive, Rule::DevicePlaced, Rule::RoleInUse]],
        ("put", "boot-images", "{key}") => &[BOOT_IMAGE],
        ("delete", "boot-images", "{key}") => &[&[Rule::BootImageInUse, Rule::DefaultBootImage, Rule::DeploymentLive]],
        ("put", "boot-images", "{image}/files/{file}") => &[BOOT_FILE],
        ("delete", "boot-images", "{image}/files/{file}") => &[&[Rule::BootImageRetired]],
        ("put", "secrets", "{key}") => &[SECRET],
        ("put", "webhooks", "{key}") => &[WEBHOOK],
        ("post", "webhooks", "{key}/position") => &[&[Rule::AfterInFuture, Rule::AfterNegative, Rule::ReasonMissing]],
        ("post", "webhooks", "{key}/skip") => &[&[Rule::EventNotFailing, Rule::ReasonMissing]],
        ("post", "webhooks", "{key}/ping") => &[&[Rule::SecretMissing]],
        ("delete", "networks", "{key}/reservations/{ip}")
        | ("delete", "secrets" | "webhooks", "{key}")
        | ("post", "webhooks", "{key}/pause" | "{key}/resume") => &[],
        _ => return None,
    };
    Some(groups)
}
