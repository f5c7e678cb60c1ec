//! Writes `kea.json`, the configuration of `kea-dhcp4` (Kea Administrator Reference Manual, chapter 8).
//!
//! Subnets have no pools, so that a client without a reservation gets nothing, and leases are kept in memory only: the
//! reservations alone decide who has an address. A lease that outlived a change would withhold an address from its new owner;
//! this way every reload, and so every change, removes it. Networks of one VLAN are one shared network: Kea then looks for a
//! client's reservation in all of them, and sends the options of the network that has it.
//!
//! The agent relies on the lines (`crates/dhcp-agent/src/kea/changes.rs` of the program): each reservation is on its own line, after
//! the line with the `id` of its subnet. If it finds another form, it makes Kea read the whole file.

use super::boot_file::{Client, HTTP_CLIENT, IPXE, hexadecimal};
use super::configuration::{Boot, Configuration, LEASE_SECONDS, Network, Segment, names};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionType, OptionValue};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use ipnet::Ipv4Net;
use serde::Serialize;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// The settings of the whole server, which no site changes. Firmware, iPXE, installer and system of one interface each send a
/// different client identifier, so that only the MAC address identifies a host. Option 175 makes iPXE not wait some seconds
/// for another server that offers it a boot file. A socket that cannot be opened, because its interface is down or the port is
/// in use, is retried every 5 s for 5 minutes; by default Kea would not retry, and would receive nothing until its next
/// reload. It logs a line for each interface without an address each time, so the retries must end; the agent continues where
/// Kea has stopped.
const HEAD: &str = r#"  "interfaces-config": {
    "interfaces": ["*"], "dhcp-socket-type": "raw",
    "service-sockets-max-retries": 60, "service-sockets-retry-wait-time": 5000
  },
  "lease-database": { "type": "memfile", "persist": false },
  "authoritative": true,
  "match-client-id": false,
  "host-reservation-identifiers": ["hw-address"],
  "reservations-global": false,
  "reservations-in-subnet": true,
  "reservations-out-of-pool": true,
  "option-def": [
    { "name": "no-pxedhcp", "code": 176, "space": "ipxe", "type": "uint8" },
    { "name": "ipxe", "code": 175, "space": "dhcp4", "type": "empty", "encapsulate": "ipxe" }
  ],
  "option-data": [
    { "name": "ipxe" },
    { "name": "no-pxedhcp", "space": "ipxe", "data": "1" }
  ],
"#;

/// Writes the configuration, with each reservation on its own line. The same configuration gives the same bytes.
pub fn render(configuration: &Configuration) -> String {
    let hosts: usize = configuration.networks.iter().map(|network| network.entries.len()).sum();
    let mut text = String::with_capacity(4096 + configuration.networks.len() * 512 + hosts * 320);
    let comment =
        format!("site {}, written by Bootledger; changes made here are lost with the next download", configuration.site);
    let _ = writeln!(text, "{{\n\"Dhcp4\": {{\n  \"user-context\": {{ \"comment\": {} }},", json(&comment));
    text.push_str(HEAD);
    let _ = writeln!(text, "  \"valid-lifetime\": {LEASE_SECONDS},");
    let segments = configuration.segments();
    let late = segments.iter().any(|segment| segment.shared_vlan.is_some());
    let signed = configuration.live_chains().any(|chain| !chain.is_ipxe());
    let chains: &[BootChain] = if signed { &BootChain::ALL } else { &[BootChain::Ipxe] };
    client_classes(&mut text, &configuration.boot, chains, late);
    let scope = TokenScope {
        live: configuration.boot.options.iter().filter_map(option).collect(),
        required: if late { class_names(&configuration.boot, chains) } else { vec![] },
    };
    let (shared, alone): (Vec<Segment<'_>>, Vec<Segment<'_>>) =
        segments.into_iter().partition(|segment| segment.shared_vlan.is_some());
    if !shared.is_empty() {
        text.push_str("  \"shared-networks\": [");
        for (index, segment) in shared.iter().enumerate() {
            text.push_str(if index == 0 { "\n" } else { ",\n" });
            let name = segment.shared_name().unwrap_or_default();
            let _ = write!(text, "    {{ \"name\": {}, \"subnet4\": [", json(&name));
            subnets(&mut text, segment.networks.iter().copied(), &scope);
            text.push_str("\n    ] }");
        }
        text.push_str("\n  ],\n");
    }
    text.push_str("  \"subnet4\": [");
    subnets(&mut text, alone.iter().flat_map(|segment| segment.networks.iter().copied()), &scope);
    text.push_str("\n  ]\n}\n}\n");
    text
}

fn subnets<'a>(text: &mut String, networks: impl Iterator<Item = &'a Network>, scope: &TokenScope) {
    for (index, network) in networks.enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        subnet(text, network, scope);
    }
}

/// The settings that all subnets share.
struct TokenScope {
    /// The options of hosts with a live deployment.
    live: Vec<OptionData>,
    /// The classes that Kea evaluates only after it knows a client's address; see [`client_classes`].
    required: Vec<String>,
}

/// The class of clients whose reservation has a live deployment: the reservation itself adds them to it. Boot file and next
/// server are not in the reservation, which would send them to every client of its interface; they come from the classes.
const LIVE: &str = "live";

/// The class of live clients with the signed boot chain.
const LIVE_SIGNED: &str = "live-signed";

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ClientClass<'a> {
    name: &'a str,
    test: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_server: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot_file_name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    option_data: Vec<OptionData>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    only_if_required: bool,
}

/// Writes a class for each kind of client that boots from the network, for clients with a live deployment. A client is in at
/// most one of them, so the order in which Kea looks for a boot file does not matter.
///
/// With shared networks, Kea adds a client to the classes of its reservation only after it has assigned the address, so these
/// classes, which depend on that, are evaluated `late`: for the subnet of that address, which requires them. From 2.7.4 on Kea
/// has other names for the two settings, which the agent writes (ARM, "Additional Classification").
fn client_classes(text: &mut String, boot: &Boot, chains: &[BootChain], late: bool) {
    text.push_str("  \"client-classes\": [\n    ");
    for (index, chain) in chains.iter().enumerate() {
        if index > 0 {
            text.push_str(",\n    ");
        }
        chain_classes(text, boot, *chain, late);
    }
    text.push_str("\n  ],\n");
}

/// The names of the classes of these chains' boot files.
fn class_names(boot: &Boot, chains: &[BootChain]) -> Vec<String> {
    chains.iter().flat_map(|chain| boot.files_of(*chain).iter().map(|file| class_name(*chain, file.name))).collect()
}

fn class_name(chain: BootChain, file: &str) -> String {
    if chain.is_ipxe() { file.to_owned() } else { format!("signed-{file}") }
}

fn chain_classes(text: &mut String, boot: &Boot, chain: BootChain, late: bool) {
    let live = if chain.is_ipxe() { LIVE } else { LIVE_SIGNED };
    let _ = write!(text, "{{\"name\":{}}}", json(&live));
    let mut earlier: Vec<String> = vec![];
    for file in boot.files_of(chain) {
        let name = class_name(chain, file.name);
        // Kea evaluates a class before it knows a client's reservation, unless the class requires that (KNOWN).
        let mut expression = format!("member('KNOWN') and member('{live}')");
        for one in &earlier {
            let _ = write!(expression, " and not member('{one}')");
        }
        let _ = write!(expression, " and ({})", condition(file.client));
        let client = file
            .over_http()
            .then(|| OptionData { always_send: true, ..OptionData::new("vendor-class-identifier", HTTP_CLIENT.to_owned()) });
        let long = file.option().map(|file| OptionData::new("boot-file-name", escaped(file)));
        let option_data = client.into_iter().chain(long).collect();
        let class = ClientClass {
            name: &name,
            test: expression,
            next_server: boot.next_server,
            boot_file_name: file.field(),
            option_data,
            only_if_required: late,
        };
        let _ = write!(text, ",\n    {}", json(&class));
        // A client has one architecture, so that only the others may be of two kinds.
        if file.client.architectures().is_empty() {
            earlier.push(name);
        }
    }
}

/// The condition by which Kea identifies a kind of client.
fn condition(client: Client) -> String {
    if client == Client::Ipxe {
        let begins = |text: &str| format!("substring(option[77].hex, 0, {}) == 0x{}", text.len(), hexadecimal(text, ""));
        return IPXE.map(begins).join(" or ");
    }
    let architectures = client.architectures();
    let bytes = architectures.iter().map(|one| format!("substring(option[93].hex, 0, 2) == 0x{}", hexadecimal(one.bytes, "")));
    let classes = architectures.iter().map(|one| {
        let class = &one.vendor_class;
        format!("(not option[93].exists and substring(option[60].hex, 0, {}) == '{class}')", class.len())
    });
    bytes.chain(classes).collect::<Vec<_>>().join(" or ")
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Reservation<'a> {
    hw_address: String,
    ip_address: Ipv4Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    client_classes: &'static [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    option_data: &'a [OptionData],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct OptionData {
    /// The option's name; `None` if Kea has no name for it and identifies it by its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    /// `false` if the data are the option's bytes in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    csv_format: Option<bool>,
    data: String,
    /// Whether clients get the option even if they have not requested it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    always_send: bool,
}

impl OptionData {
    fn new(name: &'static str, data: String) -> Self {
        Self { name: Some(name), code: None, csv_format: None, data, always_send: false }
    }

    /// An option whose data are its bytes.
    fn of_bytes(name: Option<&'static str>, code: u8, bytes: &[u8]) -> Self {
        let code = Some(code).filter(|_| name.is_none());
        Self { name, code, csv_format: Some(false), data: hexadecimal(bytes, ""), always_send: false }
    }
}

fn subnet(text: &mut String, network: &Network, scope: &TokenScope) {
    let spec = &network.spec;
    let mut options = vec![];
    if let Some(gateway) = spec.gateway.filter(|_| !network.overrides("routers")) {
        options.push(OptionData::new("routers", gateway.to_string()));
    }
    if !network.overrides("domain-name") {
        options.push(OptionData::new("domain-name", network.domain.to_string()));
    }
    if !spec.dns_servers.is_empty() && !network.overrides("domain-name-servers") {
        options.push(OptionData::new("domain-name-servers", joined(&spec.dns_servers)));
    }
    options.extend(spec.dhcp_options.iter().filter_map(option));
    let _ = write!(
        text,
        "    {{\n      \"id\": {},\n      \"subnet\": {},\n      \"user-context\": {{ \"network\": {} }},\n      \"option-data\": {},\n",
        subnet_id(spec.cidr),
        json(&spec.cidr),
        json(&network.name),
        json(&options),
    );
    if !scope.required.is_empty() {
        let _ = writeln!(text, "      \"require-client-classes\": {},", json(&scope.required));
    }
    text.push_str("      \"reservations\": [");
    for (index, entry) in network.entries.iter().enumerate() {
        text.push_str(if index == 0 { "\n        " } else { ",\n        " });
        text.push_str(&reservation(entry, &scope.live));
    }
    text.push_str("\n      ]\n    }");
}

/// The reservation of a host alone, without the options that the site sends to all hosts with a live deployment.
pub(crate) fn reservation_of(entry: &SiteEntry) -> String {
    reservation(entry, &[])
}

fn reservation(entry: &SiteEntry, live: &[OptionData]) -> String {
    let reservation = Reservation {
        hw_address: entry.mac.to_string(),
        ip_address: entry.ip,
        hostname: entry.hostname.as_ref().map(Hostname::as_str),
        client_classes: match (entry.live, entry.boot_chain) {
            (false, _) => &[],
            (true, BootChain::Ipxe) => &[LIVE],
            (true, BootChain::Signed) => &[LIVE_SIGNED],
        },
        option_data: if entry.live { live } else { &[] },
    };
    json(&reservation)
}

/// A value as JSON on one line. Texts, numbers, lists and structs always have such a form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The number of a subnet: its address, so that a network keeps its number when others are added or removed. Networks never
/// share addresses. Kea's numbers are 1 to 4294967294, which excludes only the very first and the very last address.
fn subnet_id(cidr: Ipv4Net) -> u32 {
    u32::from(cidr.network()).clamp(1, u32::MAX - 1)
}

/// If an option cannot be written, the whole file has been refused before.
fn option(option: &DhcpOption) -> Option<OptionData> {
    let resolved = option.resolved().ok()?;
    let Some(name) = resolved.kea else { return Some(OptionData::of_bytes(None, resolved.code, &resolved.wire)) };
    let data = match (resolved.kind, &option.value) {
        (OptionType::Hex | OptionType::Routes, _) => {
            return Some(OptionData::of_bytes(Some(name), resolved.code, &resolved.wire));
        }
        (OptionType::DomainNames, value) => names(value).join(", "),
        (_, OptionValue::Addresses(addresses)) => joined(&addresses.0),
        (_, OptionValue::Text(text)) => escaped(text.as_str()),
        (_, OptionValue::Number(number)) => number.to_string(),
        (_, OptionValue::Numbers(numbers)) => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        (_, OptionValue::Flag(flag)) => flag.to_string(),
        (_, OptionValue::Routes(_) | OptionValue::Hex(_)) => return None,
    };
    Some(OptionData::new(name, data))
}

fn joined(addresses: &[Ipv4Addr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A text as one value: Kea splits an option's data at commas that have no backslash before them.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,")
}
