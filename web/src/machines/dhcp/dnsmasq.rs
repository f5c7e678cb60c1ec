//! Writes `dnsmasq.conf`, the configuration of dnsmasq (dnsmasq(8)).
//!
//! Ranges are static, so that a client without a `dhcp-host` gets nothing, and leases are kept in memory only, as with Kea: a
//! lease that outlived a change would withhold an address from its new owner; every change restarts dnsmasq, which then has no
//! leases. Tags contain a slash: dnsmasq also creates a tag from the interface's name, which cannot contain one. Options are
//! written by `options`, and texts from users by `quoted`; there is no other free text. A line has fewer than 1,024 bytes,
//! because dnsmasq reads a longer one as several lines.

mod options;
#[cfg(test)]
mod tests;

use super::boot_file::{BootFile, Client, HTTP_CLIENT, IPXE, hexadecimal};
use super::configuration::{Boot, Configuration, LEASE_SECONDS, Network, Segment};
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionValue};
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// The tag of hosts with a live deployment.
const LIVE: &str = "boot/live";

/// The tag of live hosts with the signed boot chain, which do not have the other tag.
const LIVE_SIGNED: &str = "boot/signed";

/// The tag of clients that report their architecture in option 93. Their vendor class is then ignored.
const ARCHITECTURE: &str = "client/architecture";

/// The maximum number of lines that declare which networks share a VLAN, for one VLAN: enough for all addresses of two networks
/// with 4,094 addresses, or three with 2,046. dnsmasq goes through these lines for each message.
const MOST_SHARED: usize = 16_384;

/// The minimum number of addresses that are listed of each network, even if that exceeds the maximum.
const LEAST_SHARED: usize = 8;

/// Writes the configuration. The same configuration gives the same bytes.
///
/// # Errors
/// Returns all options that cannot be written for dnsmasq: otherwise they would be left out, or would have another meaning.
pub fn render(configuration: &Configuration) -> Result<String, Refused> {
    let hosts: usize = configuration.networks.iter().map(|network| network.entries.len()).sum();
    let mut file = File { text: String::with_capacity(2048 + configuration.networks.len() * 512 + hosts * 96), broken: vec![] };
    file.head(configuration, hosts);
    let signed = configuration.live_chains().any(|chain| !chain.is_ipxe());
    file.live(&configuration.boot, signed);
    for network in &configuration.networks {
        file.network(network);
    }
    for segment in configuration.segments() {
        file.shared(&segment);
    }
    Refused::unless_empty(file.broken)?;
    Ok(file.text)
}

/// The lines of a host alone, in a network whose clients get this domain.
pub(crate) fn reservation_of(entry: &SiteEntry, domain: &str) -> String {
    let mut file = File { text: String::new(), broken: vec![] };
    file.host(entry, domain);
    file.text
}

/// The text so far, and the options that cannot be written.
struct File {
    text: String,
    broken: Vec<BrokenRule>,
}

/// Appends one line. Writing to a `String` cannot fail.
macro_rules! line {
    ($file:expr, $($format:tt)*) => {
        let _ = writeln!($file.text, $($format)*);
    };
}

impl File {
    /// By default, dnsmasq would offer its own address as router, and as next server even to clients that have nothing to boot.
    fn head(&mut self, configuration: &Configuration, hosts: usize) {
        line!(self, "# dnsmasq configuration of site {}, written by Bootledger.", configuration.site);
        line!(self, "# Changes made here are lost with the next download.");
        self.text.push_str(
            "
# No DNS, no BOOTP, and leases in memory only.
port=0
dhcp-authoritative
dhcp-ignore=tag:bootp
leasefile-ro
dhcp-no-override
",
        );
        line!(self, "dhcp-lease-max={}", hosts.max(1));
        self.text.push_str(
            "
# No router and no next server (255) but those that are named below.
dhcp-option=3
dhcp-option=255,0.0.0.0

# No other server offers a boot file to iPXE, for which it would wait some seconds.
dhcp-option=encap:175,176,1b
",
        );
    }

    /// Writes what hosts with a live deployment get. A client is of at most one kind, so the order in which dnsmasq looks for a
    /// boot file does not matter; a client of no kind gets neither a boot file nor a next server.
    fn live(&mut self, boot: &Boot, signed: bool) {
        line!(self, "\n# What a client says of itself: its user class, or the first of its architectures (RFC 4578).");
        line!(self, "dhcp-match=set:{ARCHITECTURE},93");
        // Firmware can have a signed loader and no iPXE.
        let only_signed = |file: &&BootFile| signed && boot.files.iter().all(|other| other.name != file.name);
        for file in boot.files.iter().chain(boot.signed.iter().filter(only_signed)) {
            self.known_by(file);
        }
        line!(self, "\n# Servers with a live deployment.");
        self.live_chain(boot, BootChain::Ipxe);
        if signed {
            line!(self, "\n# Servers with a live deployment and the signed boot chain.");
            self.live_chain(boot, BootChain::Signed);
        }
    }

    fn live_chain(&mut self, boot: &Boot, chain: BootChain) {
        let live = live_tag(chain);
        for option in &boot.options {
            self.option(live, option, "the site's header");
        }
        let next_server = boot.next_server.map(|next_server| format!(",,{next_server}")).unwrap_or_default();
        let mut earlier = String::new();
        for file in boot.files_of(chain) {
            let client = format!("tag:{live},tag:client/{}{earlier}", file.name);
            line!(self, "dhcp-boot={client},{}{next_server}", file.field().map(quoted).unwrap_or_default());
            if let Some(file) = file.option() {
                line!(self, "dhcp-option-force={client},67,{}", quoted(file));
            }
            if file.over_http() {
                line!(self, "dhcp-option-force={client},60,{}", quoted(HTTP_CLIENT));
            }
            // A client has one architecture, so that only the others may be of two kinds.
            if file.client.architectures().is_empty() {
                let _ = write!(earlier, ",tag:!client/{}", file.name);
            }
        }
    }

    /// Writes how dnsmasq identifies a kind of client. It compares bytes in hexadecimal from the option's beginning, and a
    /// vendor class with every part of the option.
    fn known_by(&mut self, file: &BootFile) {
        let name = file.name;
        if file.client == Client::Ipxe {
            for class in IPXE {
                line!(self, "dhcp-match=set:client/{name},77,{}", hexadecimal(class, ":"));
            }
        }
        let architectures = file.client.architectures();
        for architecture in &architectures {
            line!(self, "dhcp-match=set:client/{name},93,{}", hexadecimal(architecture.bytes, ":"));
        }
        for architecture in &architectures {
            line!(self, "dhcp-vendorclass=set:vendor/{name},{}", architecture.vendor_class);
        }
        if !architectures.is_empty() {
            line!(self, "tag-if=set:client/{name},tag:vendor/{name},tag:!{ARCHITECTURE}");
        }
    }

    fn network(&mut self, network: &Network) {
        let (cidr, tag) = (network.spec.cidr, format!("net/{}", network.name));
        line!(self, "\ndhcp-range=set:{tag},{},static,{},{LEASE_SECONDS}", cidr.network(), cidr.netmask());
        line!(self, "domain={},{cidr}", network.domain);
        if let Some(gateway) = network.spec.gateway.filter(|_| !network.overrides("routers")) {
            line!(self, "dhcp-option=tag:{tag},3,{gateway}");
        }
        if !network.spec.dns_servers.is_empty() && !network.overrides("domain-name-servers") {
            line!(self, "dhcp-option=tag:{tag},6,{}", options::joined(&network.spec.dns_servers));
        }
        for option in &network.spec.dhcp_options {
            self.option(&tag, option, &format!("network {}", network.name));
        }
        let domain = sent_domain(network);
        for entry in &network.entries {
            self.host(entry, domain);
        }
    }

    /// Declares which networks are reachable through the same interface or relay. dnsmasq identifies either by one of its
    /// addresses: its own on the interface, or the one that a relay sends (`giaddr`). It compares the whole address
    /// (dnsmasq(8), `--shared-network`). The catalogue does not record which addresses these are, so every address of a network
    /// that can be one is listed.
    fn shared(&mut self, segment: &Segment<'_>) {
        let others = segment.networks.len().saturating_sub(1);
        if others == 0 {
            return;
        }
        let each = (MOST_SHARED / (segment.networks.len() * others)).max(LEAST_SHARED);
        line!(self, "\n# The networks of {} share an interface or relay.", segment.shared_name().unwrap_or_default());
        for network in &segment.networks {
            for address in own_or_relay(network).take(each) {
                for other in segment.networks.iter().filter(|other| other.name != network.name) {
                    line!(self, "shared-network={address},{}", other.spec.cidr.network());
                }
            }
        }
    }

    /// Writes a host. dnsmasq sends a host only the first label of its name. If the rest of the name is not the domain that the
    /// network's clients get, an option of the host's own contains the whole name.
    fn host(&mut self, entry: &SiteEntry, domain: &str) {
        let whole = entry.hostname.as_ref().filter(|hostname| hostname.domain() != domain);
        let _ = write!(self.text, "dhcp-host={}", entry.mac);
        if entry.live {
            let _ = write!(self.text, ",set:{}", live_tag(entry.boot_chain));
        }
        if whole.is_some() {
            let _ = write!(self.text, ",set:host/{}", entry.ip);
        }
        let _ = write!(self.text, ",{}", entry.ip);
        if let Some(hostname) = &entry.hostname {
            let _ = write!(self.text, ",{hostname}");
        }
        self.text.push('\n');
        if let Some(hostname) = whole {
            line!(self, "dhcp-option=tag:host/{},12,{}", entry.ip, quoted(hostname.as_str()));
        }
    }

    fn option(&mut self, tag: &str, option: &DhcpOption, place: &str) {
        match options::written(option) {
            Ok((code, value)) => {
                line!(self, "dhcp-option=tag:{tag},{code},{value}");
            }
            Err(reason) => {
                let message = format!(
                    "dnsmasq does not support the DHCP option {} of {place}: {reason}; edit or remove it there, or serve the site with ISC dhcpd or Kea",
                    option.name
                );
                self.broken.push(BrokenRule::new("dhcp_options", Rule::DnsmasqOption, message).held_by(place));
            }
        }
    }
}

/// The addresses of a network, the most likely ones of a relay or a DHCP server first: the router's, then from
/// both ends inwards.
fn own_or_relay(network: &Network) -> impl Iterator<Item = Ipv4Addr> {
    let cidr = network.spec.cidr;
    let ends = u32::from(cidr.prefix_len() < 31);
    let (first, last) = (u32::from(cidr.network()).saturating_add(ends), u32::from(cidr.broadcast()).saturating_sub(ends));
    let gateway = network.spec.gateway;
    let inwards = (0..=last.saturating_sub(first) / 2).flat_map(move |step| {
        let (low, high) = (first.saturating_add(step), last.saturating_sub(step));
        std::iter::once(low).chain((high > low).then_some(high))
    });
    gateway.into_iter().chain(inwards.map(Ipv4Addr::from).filter(move |address| Some(*address) != gateway))
}

fn live_tag(chain: BootChain) -> &'static str {
    if chain.is_ipxe() { LIVE } else { LIVE_SIGNED }
}

/// The domain that the hosts of a network get.
fn sent_domain(network: &Network) -> &str {
    let own = network.spec.dhcp_options.iter().find(|option| option.name.as_str() == "domain-name");
    match own.map(|option| &option.value) {
        Some(OptionValue::Text(domain)) => domain.as_str(),
        _ => network.domain.as_str(),
    }
}

/// A text as one value: within quotes, dnsmasq takes everything literally except quotes and backslashes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
