//! Writes `isc.conf`, the configuration of ISC dhcpd (dhcpd.conf(5), dhcp-options(5)).
//!
//! Networks of one VLAN are in one `shared-network`: dhcpd then treats all of them as reachable through the same interface or
//! relay. Hosts are declared outside the networks, as dhcpd.conf(5) advises; their address determines the network. Hosts with a
//! live deployment are in a group. Only the group names boot files and the next server, and only for clients that boot from the
//! network: without these statements dhcpd leaves both fields empty. Every text that a user may have written goes through
//! `quoted`; there is no other free text.

use super::boot_file::{Client, HTTP_CLIENT, IPXE, hexadecimal};
use super::configuration::{Boot, Configuration, LEASE_SECONDS, Network, has, names};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionType, OptionValue};
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Appends one line. Writing to a `String` cannot fail.
macro_rules! line {
    ($text:expr, $($format:tt)*) => {
        let _ = writeln!($text, $($format)*);
    };
}

/// Writes the configuration. The same configuration gives the same bytes.
pub fn render(configuration: &Configuration) -> String {
    let hosts: usize = configuration.networks.iter().map(|network| network.entries.len()).sum();
    let mut text = String::with_capacity(2048 + configuration.networks.len() * 512 + hosts * 256);
    head(&mut text, configuration);
    for segment in configuration.segments() {
        let shared_name = segment.shared_name();
        let name = shared_name.as_deref().or_else(|| segment.networks.first().map(|network| network.name.as_str()));
        line!(text, "\nshared-network {} {{", quoted(name.unwrap_or_default()));
        segment.networks.iter().for_each(|one| network(&mut text, one));
        text.push_str("}\n");
    }
    let entries = || configuration.networks.iter().flat_map(|network| &network.entries);
    for chain in configuration.live_chains() {
        let words = if chain.is_ipxe() { "" } else { " and the signed boot chain" };
        line!(text, "\n# Servers with a live deployment{words}.\ngroup {{");
        live_statements(&mut text, &configuration.boot, chain);
        entries().filter(|entry| has(entry, chain)).for_each(|entry| host(&mut text, entry));
        text.push_str("}\n");
    }
    entries().filter(|entry| !entry.live).for_each(|entry| host(&mut text, entry));
    text
}

fn head(text: &mut String, configuration: &Configuration) {
    line!(text, "# ISC dhcpd configuration of site {}, written by Bootledger.", configuration.site);
    line!(text, "# Changes made here are lost with the next download.");
    text.push_str(
        "
authoritative;
ddns-update-style none;
",
    );
    line!(text, "default-lease-time {LEASE_SECONDS};");
    line!(text, "max-lease-time {LEASE_SECONDS};");
    text.push_str(
        "
# No other server offers a boot file to iPXE, for which it would wait some seconds.
option space ipxe;
option ipxe.no-pxedhcp code 176 = unsigned integer 8;
option ipxe-encapsulated code 175 = encapsulate ipxe;
option ipxe.no-pxedhcp 1;

# What firmware says of itself (RFC 4578).
option client-architecture code 93 = string;
",
    );
    let codes: BTreeSet<u8> = configuration.options().filter_map(|(_, option)| defined(option)).collect();
    if !codes.is_empty() {
        text.push_str("\n# Options that dhcpd does not know, or knows in another form, by their codes.\n");
    }
    for code in codes {
        line!(text, "option {OWN}{code} code {code} = string;");
    }
}

/// The prefix of the names of options that are defined in the file.
const OWN: &str = "bootledger-";

/// The code of an option that the file has to define.
fn defined(option: &DhcpOption) -> Option<u8> {
    option.resolved().ok().filter(|resolved| resolved.isc.is_none()).map(|resolved| resolved.code)
}

fn network(text: &mut String, network: &Network) {
    let cidr = network.spec.cidr;
    line!(text, "    subnet {} netmask {} {{", cidr.network(), cidr.netmask());
    if let Some(gateway) = network.spec.gateway.filter(|_| !network.overrides("routers")) {
        line!(text, "        option routers {gateway};");
    }
    if !network.overrides("domain-name") {
        line!(text, "        option domain-name {};", quoted(network.domain.as_str()));
    }
    if !network.spec.dns_servers.is_empty() && !network.overrides("domain-name-servers") {
        line!(text, "        option domain-name-servers {};", joined(&network.spec.dns_servers));
    }
    for one in &network.spec.dhcp_options {
        line!(text, "        {}", option(one));
    }
    text.push_str("        deny unknown-clients;\n    }\n");
}

/// Writes what hosts with a live deployment get; a group contains it once for all of them.
fn live_statements(text: &mut String, boot: &Boot, chain: BootChain) {
    for one in &boot.options {
        line!(text, "    {}", option(one));
    }
    for (index, file) in boot.files_of(chain).iter().enumerate() {
        let branch = if index == 0 { "    if" } else { "    } elsif" };
        line!(text, "{branch} {} {{", condition(file.client));
        if let Some(next_server) = boot.next_server {
            line!(text, "        next-server {next_server};");
        }
        if file.over_http() {
            line!(text, "        option vendor-class-identifier {};", quoted(HTTP_CLIENT));
            // This sends option 60 (0x3c) also to a client that does not request it. Otherwise dhcpd would leave it out.
            line!(text, "        option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, 3c);");
        }
        if let Some(file) = file.field() {
            line!(text, "        filename {};", quoted(file));
        }
        if let Some(file) = file.option() {
            line!(text, "        option bootfile-name {};", quoted(file));
        }
    }
    // This logs firmware that no branch matches, for operators who look for the reason. The first two bytes
    // are the architecture.
    line!(text, "    }} elsif exists client-architecture {{");
    line!(text, "        log(info, concat(\"no boot loader for architecture \",");
    line!(text, "            binary-to-ascii(10, 16, \" \", substring(option client-architecture, 0, 2)), \", requested by \",");
    line!(text, "            binary-to-ascii(16, 8, \":\", substring(hardware, 1, 6))));");
    text.push_str("    }\n");
}

/// The condition by which dhcpd identifies a kind of client.
fn condition(client: Client) -> String {
    if client == Client::Ipxe {
        let begins = |text: &str| format!("substring(option user-class, 0, {}) = {}", text.len(), quoted(text));
        return IPXE.map(begins).join(" or ");
    }
    let architectures = client.architectures();
    let bytes =
        architectures.iter().map(|one| format!("substring(option client-architecture, 0, 2) = {}", hexadecimal(one.bytes, ":")));
    let classes = architectures.iter().map(|one| {
        let class = &one.vendor_class;
        format!(
            "(not exists client-architecture and substring(option vendor-class-identifier, 0, {}) = {})",
            class.len(),
            quoted(class)
        )
    });
    bytes.chain(classes).collect::<Vec<_>>().join("\n        or ")
}

/// The declaration of a host alone.
pub(crate) fn reservation_of(entry: &SiteEntry) -> String {
    let mut text = String::new();
    host(&mut text, entry);
    text
}

/// Host names may repeat, and a MAC address may have an entry in several networks; an address never repeats, so it
/// names the declaration.
fn host(text: &mut String, entry: &SiteEntry) {
    let [a, b, c, d] = entry.ip.octets();
    line!(text, "\nhost ip-{a}-{b}-{c}-{d} {{");
    line!(text, "    hardware ethernet {};", entry.mac);
    line!(text, "    fixed-address {};", entry.ip);
    if let Some(hostname) = &entry.hostname {
        line!(text, "    option host-name {};", quoted(hostname.as_str()));
    }
    text.push_str("}\n");
}

/// `option NAME VALUE;`. If an option cannot be written, the whole file has been refused before.
fn option(option: &DhcpOption) -> String {
    let Ok(resolved) = option.resolved() else { return String::new() };
    let Some(name) = resolved.isc else {
        return format!("option {OWN}{} {};", resolved.code, hexadecimal(&resolved.wire, ":"));
    };
    let value = match (resolved.kind, &option.value) {
        (OptionType::Hex, _) | (_, OptionValue::Routes(_) | OptionValue::Hex(_)) => hexadecimal(&resolved.wire, ":"),
        (OptionType::DomainNames, value) => names(value).into_iter().map(quoted).collect::<Vec<_>>().join(", "),
        (OptionType::AddressPairs, OptionValue::Addresses(addresses)) => {
            let pair = |pair: &[std::net::Ipv4Addr]| pair.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            addresses.0.chunks(2).map(pair).collect::<Vec<_>>().join(", ")
        }
        (_, OptionValue::Addresses(addresses)) => joined(&addresses.0),
        (_, OptionValue::Text(text)) => quoted(text.as_str()),
        (_, OptionValue::Number(number)) => number.to_string(),
        (_, OptionValue::Numbers(numbers)) => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        (_, OptionValue::Flag(flag)) => flag.to_string(),
    };
    format!("option {name} {value};")
}

fn joined(addresses: &[std::net::Ipv4Addr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A string in dhcpd.conf. Characters that could end it or begin an escape, and every byte outside printable ASCII, are written
/// as three octal digits, which dhcpd converts back to that byte.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                let _ = write!(out, "\\{byte:03o}");
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}
