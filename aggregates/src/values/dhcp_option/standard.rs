//! The table of `DHCPv4` options: the name of each in every supported DHCP server, the type of its value, and whether operators
//! may set it.
//!
//! Codes and meanings are from RFC 2132 and from IANA's registry "Dynamic Host Configuration Protocol (DHCP) and Bootstrap
//! Protocol (BOOTP) Parameters", table "BOOTP Vendor Extensions and DHCP Options". The names are those of ISC dhcpd 4.4.3
//! (dhcp-options(5)), Kea 2.2 to 3.0 (Administrator Reference Manual, "List of standard `DHCPv4` options") and dnsmasq 2.90
//! (`dnsmasq --help dhcp`). A test writes every option of the table with several values and runs the checkers of all three
//! servers on the result.

use super::OptionType::{
    self, Address, AddressPairs, Addresses, Boolean, Domain, DomainName, DomainNames, Hex, Int32, Routes, Text, Uint8, Uint16,
    Uint16List, Uint32,
};

/// A standard option; [`STANDARD`] describes the fields.
#[derive(Clone, Copy, Debug)]
pub struct Standard(u8, &'static str, &'static str, OptionType, (i64, i64), Option<&'static str>, &'static str);

/// Any number that the type can hold.
const ANY: (i64, i64) = (i64::MIN, i64::MAX);
/// The largest number that the type can hold.
const MOST: i64 = i64::MAX;

const ALLOWED: Option<&str> = None;
const MASK: Option<&str> = Some("Bootledger sets it itself, to the mask of the network's `cidr`");
const HOST: Option<&str> = Some("Bootledger sets it itself, to the host name of each server");
const LEASE: Option<&str> = Some("Bootledger sets the lease time itself: an hour, since every address is reserved");
const CLASS: Option<&str> = Some("Bootledger sets it itself, for firmware that boots over HTTP and needs `HTTPClient` there");
const BOOT_FILE: Option<&str> = Some(
    "Bootledger sets the boot file itself, for each kind of client that boots from the network; installers would use another \
     boot file for a different purpose",
);
const IPXE: Option<&str> = Some("Bootledger sets it itself, so that iPXE does not wait for another DHCP server");
const PROTOCOL: Option<&str> = Some("it is a part of the protocol, and DHCP servers and clients set it themselves");
const CLIENT: Option<&str> = Some("only clients send it");
const STRUCTURE: Option<&str> = Some("its value has a structure that Bootledger cannot write for all DHCP servers");

/// Code · name · its names in ISC dhcpd, Kea and dnsmasq (`=` the same, `-` none) · type · smallest and largest number, or
/// number of bytes · why operators may not set it · another name.
#[rustfmt::skip]
pub const STANDARD: &[Standard] = &[
    Standard(1, "subnet-mask", "= = netmask", Address, ANY, MASK, ""),
    Standard(2, "time-offset", "= = =", Int32, (-86_400, 86_400), ALLOWED, ""),
    Standard(3, "routers", "= = router", Addresses, ANY, ALLOWED, ""),
    Standard(4, "time-servers", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(5, "name-servers", "ien116-name-servers = -", Addresses, ANY, ALLOWED, ""),
    Standard(6, "domain-name-servers", "= = dns-server", Addresses, ANY, ALLOWED, ""),
    Standard(7, "log-servers", "= = log-server", Addresses, ANY, ALLOWED, ""),
    Standard(8, "cookie-servers", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(9, "lpr-servers", "= = lpr-server", Addresses, ANY, ALLOWED, ""),
    Standard(10, "impress-servers", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(11, "resource-location-servers", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(12, "host-name", "= = hostname", Text, ANY, HOST, ""),
    Standard(13, "boot-size", "= = boot-file-size", Uint16, ANY, ALLOWED, ""),
    Standard(14, "merit-dump", "= = -", Text, ANY, ALLOWED, ""),
    Standard(15, "domain-name", "= = =", Domain, ANY, ALLOWED, ""),
    Standard(16, "swap-server", "= = =", Address, ANY, ALLOWED, ""),
    Standard(17, "root-path", "= = =", Text, ANY, ALLOWED, ""),
    Standard(18, "extensions-path", "= = extension-path", Text, ANY, ALLOWED, ""),
    Standard(19, "ip-forwarding", "= = ip-forward-enable", Boolean, ANY, ALLOWED, ""),
    Standard(20, "non-local-source-routing", "= = =", Boolean, ANY, ALLOWED, ""),
    Standard(21, "policy-filter", "= = =", AddressPairs, ANY, ALLOWED, ""),
    Standard(22, "max-dgram-reassembly", "= = max-datagram-reassembly", Uint16, (576, MOST), ALLOWED, ""),
    Standard(23, "default-ip-ttl", "= = default-ttl", Uint8, (1, MOST), ALLOWED, ""),
    Standard(24, "path-mtu-aging-timeout", "= = -", Uint32, ANY, ALLOWED, ""),
    Standard(25, "path-mtu-plateau-table", "= = -", Uint16List, (68, MOST), ALLOWED, ""),
    Standard(26, "interface-mtu", "= = mtu", Uint16, (68, MOST), ALLOWED, ""),
    Standard(27, "all-subnets-local", "= = =", Boolean, ANY, ALLOWED, ""),
    Standard(28, "broadcast-address", "= = broadcast", Address, ANY, ALLOWED, ""),
    Standard(29, "perform-mask-discovery", "= = -", Boolean, ANY, ALLOWED, ""),
    Standard(30, "mask-supplier", "= = -", Boolean, ANY, ALLOWED, ""),
    Standard(31, "router-discovery", "= = =", Boolean, ANY, ALLOWED, ""),
    Standard(32, "router-solicitation-address", "= = router-solicitation", Address, ANY, ALLOWED, ""),
    Standard(33, "static-routes", "= = static-route", AddressPairs, ANY, ALLOWED, ""),
    Standard(34, "trailer-encapsulation", "= = =", Boolean, ANY, ALLOWED, ""),
    Standard(35, "arp-cache-timeout", "= = arp-timeout", Uint32, ANY, ALLOWED, ""),
    Standard(36, "ieee802-3-encapsulation", "= = ethernet-encap", Boolean, ANY, ALLOWED, ""),
    Standard(37, "default-tcp-ttl", "= = tcp-ttl", Uint8, (1, MOST), ALLOWED, ""),
    Standard(38, "tcp-keepalive-interval", "= = tcp-keepalive", Uint32, ANY, ALLOWED, ""),
    Standard(39, "tcp-keepalive-garbage", "= = -", Boolean, ANY, ALLOWED, ""),
    Standard(40, "nis-domain", "= = =", Text, ANY, ALLOWED, ""),
    Standard(41, "nis-servers", "= = nis-server", Addresses, ANY, ALLOWED, ""),
    Standard(42, "ntp-servers", "= = ntp-server", Addresses, ANY, ALLOWED, ""),
    Standard(43, "vendor-encapsulated-options", "= = -", Hex, ANY, ALLOWED, ""),
    Standard(44, "netbios-name-servers", "= = netbios-ns", Addresses, ANY, ALLOWED, ""),
    Standard(45, "netbios-dd-server", "= = netbios-dd", Addresses, ANY, ALLOWED, ""),
    Standard(46, "netbios-node-type", "= = netbios-nodetype", Uint8, (1, 8), ALLOWED, ""),
    Standard(47, "netbios-scope", "= = =", Text, ANY, ALLOWED, ""),
    Standard(48, "font-servers", "= = x-windows-fs", Addresses, ANY, ALLOWED, ""),
    Standard(49, "x-display-manager", "= = x-windows-dm", Addresses, ANY, ALLOWED, ""),
    Standard(50, "dhcp-requested-address", "= = requested-address", Address, ANY, PROTOCOL, ""),
    Standard(51, "dhcp-lease-time", "= = lease-time", Uint32, ANY, LEASE, ""),
    Standard(52, "dhcp-option-overload", "= = -", Uint8, ANY, PROTOCOL, ""),
    Standard(53, "dhcp-message-type", "= = message-type", Uint8, ANY, PROTOCOL, ""),
    Standard(54, "dhcp-server-identifier", "= = server-identifier", Address, ANY, PROTOCOL, ""),
    Standard(55, "dhcp-parameter-request-list", "= = -", Hex, ANY, PROTOCOL, ""),
    Standard(56, "dhcp-message", "= = -", Text, ANY, PROTOCOL, ""),
    Standard(57, "dhcp-max-message-size", "= = max-message-size", Uint16, ANY, PROTOCOL, ""),
    Standard(58, "dhcp-renewal-time", "= = T1", Uint32, (1, 3599), ALLOWED, ""),
    Standard(59, "dhcp-rebinding-time", "= = T2", Uint32, (1, 3599), ALLOWED, ""),
    Standard(60, "vendor-class-identifier", "= = vendor-class", Text, ANY, CLASS, ""),
    Standard(61, "dhcp-client-identifier", "= = client-id", Hex, ANY, PROTOCOL, ""),
    Standard(62, "nwip-domain", "= nwip-domain-name -", Text, ANY, ALLOWED, ""),
    Standard(63, "nwip-suboptions", "= = -", Hex, ANY, ALLOWED, ""),
    Standard(64, "nisplus-domain", "= nisplus-domain-name nis+-domain", Text, ANY, ALLOWED, ""),
    Standard(65, "nisplus-servers", "= = nis+-server", Addresses, ANY, ALLOWED, ""),
    Standard(66, "tftp-server-name", "= = tftp-server", Text, ANY, ALLOWED, ""),
    Standard(67, "bootfile-name", "= boot-file-name =", Text, ANY, BOOT_FILE, ""),
    Standard(68, "mobile-ip-home-agent", "= = mobile-ip-home", Addresses, ANY, ALLOWED, ""),
    Standard(69, "smtp-server", "= = =", Addresses, ANY, ALLOWED, ""),
    Standard(70, "pop-server", "= = pop3-server", Addresses, ANY, ALLOWED, ""),
    Standard(71, "nntp-server", "= = =", Addresses, ANY, ALLOWED, ""),
    Standard(72, "www-server", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(73, "finger-server", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(74, "irc-server", "= = =", Addresses, ANY, ALLOWED, ""),
    Standard(75, "streettalk-server", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(76, "streettalk-directory-assistance-server", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(77, "user-class", "= = =", Hex, ANY, CLIENT, ""),
    Standard(78, "slp-directory-agent", "- - -", Hex, ANY, STRUCTURE, ""),
    Standard(79, "slp-service-scope", "- - -", Hex, ANY, STRUCTURE, ""),
    Standard(80, "rapid-commit", "- - =", Hex, ANY, PROTOCOL, ""),
    Standard(81, "fqdn", "- - -", Hex, ANY, PROTOCOL, "client-fqdn"),
    Standard(82, "dhcp-agent-options", "- - -", Hex, ANY, PROTOCOL, "relay-agent-information"),
    Standard(85, "nds-servers", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(86, "nds-tree-name", "= = -", Text, ANY, ALLOWED, ""),
    Standard(87, "nds-context", "= = -", Text, ANY, ALLOWED, ""),
    Standard(88, "bcms-controller-names", "- = -", DomainNames, ANY, ALLOWED, ""),
    Standard(89, "bcms-controller-address", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(90, "authenticate", "- - -", Hex, ANY, PROTOCOL, ""),
    Standard(91, "client-last-transaction-time", "- - -", Uint32, ANY, PROTOCOL, ""),
    Standard(92, "associated-ip", "- - -", Addresses, ANY, PROTOCOL, ""),
    Standard(93, "client-system", "- - client-arch", Hex, ANY, CLIENT, "pxe-system-type"),
    Standard(94, "client-ndi", "- - client-interface-id", Hex, ANY, CLIENT, "pxe-interface-id"),
    Standard(97, "uuid-guid", "- - client-machine-id", Hex, ANY, CLIENT, "pxe-client-id"),
    Standard(98, "uap-servers", "= = -", Text, ANY, ALLOWED, ""),
    Standard(99, "geoconf-civic", "= = -", Hex, ANY, ALLOWED, ""),
    Standard(100, "pcode", "= = posix-timezone", Text, ANY, ALLOWED, ""),
    Standard(101, "tcode", "= = tzdb-timezone", Text, ANY, ALLOWED, ""),
    Standard(108, "v6-only-preferred", "= = ipv6-only", Uint32, ANY, ALLOWED, ""),
    Standard(112, "netinfo-server-address", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(113, "netinfo-server-tag", "= = -", Text, ANY, ALLOWED, ""),
    Standard(114, "v4-captive-portal", "= = -", Text, ANY, ALLOWED, "default-url"),
    Standard(116, "auto-config", "= = -", Uint8, (0, 1), ALLOWED, ""),
    Standard(117, "name-service-search", "= = -", Uint16List, ANY, ALLOWED, ""),
    Standard(118, "subnet-selection", "- - -", Address, ANY, PROTOCOL, ""),
    Standard(119, "domain-search", "= = =", DomainNames, ANY, ALLOWED, ""),
    Standard(120, "sip-servers", "- - sip-server", Hex, ANY, ALLOWED, ""),
    Standard(121, "classless-static-routes", "- - classless-static-route", Routes, ANY, ALLOWED, "rfc3442-classless-static-routes"),
    Standard(124, "vivco", "- - -", Hex, (5, MOST), ALLOWED, "vivco-suboptions"),
    Standard(125, "vivso", "- - vendor-id-encap", Hex, (5, MOST), ALLOWED, "vivso-suboptions"),
    Standard(136, "pana-agent", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(137, "v4-lost", "- - -", DomainName, ANY, ALLOWED, ""),
    Standard(138, "capwap-ac-v4", "= = -", Addresses, ANY, ALLOWED, ""),
    Standard(141, "sip-ua-cs-domains", "= = -", DomainNames, ANY, ALLOWED, "sip-ua-cs-list"),
    Standard(146, "rdnss-selection", "- - -", Hex, ANY, STRUCTURE, ""),
    Standard(150, "tftp-server-address", "= - =", Addresses, ANY, ALLOWED, ""),
    Standard(159, "v4-portparams", "- - -", Hex, ANY, STRUCTURE, ""),
    Standard(175, "ipxe-encapsulated", "- - -", Hex, ANY, IPXE, ""),
    Standard(209, "loader-configfile", "= - -", Text, ANY, ALLOWED, ""),
    Standard(210, "loader-pathprefix", "= - -", Text, ANY, ALLOWED, ""),
    Standard(211, "loader-reboottime", "= - -", Uint32, ANY, ALLOWED, ""),
    Standard(212, "option-6rd", "- - -", Hex, ANY, STRUCTURE, ""),
    Standard(213, "v4-access-domain", "- - -", DomainName, ANY, ALLOWED, ""),
];

/// Names that operators use for something that is not an option, and where it belongs.
const ELSEWHERE: &[(&str, &str)] = &[
    ("next-server", "the next server is a field of the site (`next_server`)"),
    ("server-name", "the next server is a field of the site (`next_server`)"),
    ("filename", "Bootledger sets the boot file itself, for each kind of client that boots from the network"),
    ("default-lease-time", "Bootledger sets the lease time itself: an hour, since every address is reserved"),
    ("max-lease-time", "Bootledger sets the lease time itself: an hour, since every address is reserved"),
    ("valid-lifetime", "Bootledger sets the lease time itself: an hour, since every address is reserved"),
    ("gateway", "the gateway is a field of the network (`gateway`); the option is called routers"),
    ("default-gateway", "the gateway is a field of the network (`gateway`); the option is called routers"),
];

/// The option with this code.
pub fn by_code(code: u8) -> Option<&'static Standard> {
    STANDARD.iter().find(|one| one.code() == code)
}

/// The option with this name: its own, or its name in ISC dhcpd or Kea. The names of dnsmasq do not count, because some of them
/// are one letter away from the others (`ntp-server`): they only lead to a suggestion.
pub fn by_name(name: &str) -> Option<&'static Standard> {
    STANDARD.iter().find(|one| one.names().any(|known| known == name))
}

/// Where a setting belongs that is not a DHCP option.
pub fn elsewhere(name: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(known, _)| *known == name).map(|(_, place)| *place)
}

/// The option that the operator probably intended with an unknown name.
pub fn nearest(name: &str) -> Option<&'static str> {
    let exactly = STANDARD.iter().find(|one| one.dnsmasq().is_some_and(|known| known.eq_ignore_ascii_case(name)));
    if let Some(one) = exactly {
        return Some(one.name());
    }
    let words = STANDARD.iter().flat_map(|one| one.names().chain(one.dnsmasq()).map(move |known| (distance(name, known), one)));
    let near = words.min_by_key(|(distance, one)| (*distance, one.refused().is_some(), one.code()));
    near.filter(|(distance, _)| *distance <= 1 + name.len() / 4).map(|(_, one)| one.name())
}

/// The number of letters that differ: inserted, omitted, changed, or swapped with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

impl Standard {
    /// The option's code.
    pub fn code(&self) -> u8 {
        self.0
    }

    /// The option's name in Bootledger.
    pub fn name(&self) -> &'static str {
        self.1
    }

    /// The option's name in ISC dhcpd, if it has one there.
    pub fn isc(&self) -> Option<&'static str> {
        self.called(0)
    }

    /// The option's name in Kea, if it has one in all supported versions.
    pub fn kea(&self) -> Option<&'static str> {
        self.called(1)
    }

    /// The option's name in dnsmasq, if it has one there.
    pub fn dnsmasq(&self) -> Option<&'static str> {
        self.called(2)
    }

    fn called(&self, server: usize) -> Option<&'static str> {
        match self.2.split(' ').nth(server)? {
            "-" => None,
            "=" => Some(self.1),
            other => Some(other),
        }
    }

    /// The type of the option's value.
    pub fn kind(&self) -> OptionType {
        self.3
    }

    /// The smallest and the largest allowed number. For bytes in hexadecimal, the allowed number of bytes.
    pub fn range(&self) -> (i64, i64) {
        self.4
    }

    /// Why operators may not set the option; `None` if they may.
    pub fn refused(&self) -> Option<&'static str> {
        self.5
    }

    /// Every name that requests may use for the option.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let other = Some(self.6).filter(|other| !other.is_empty());
        [Some(self.1), self.isc(), self.kea(), other].into_iter().flatten()
    }
}
