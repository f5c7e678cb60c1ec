//! The catalogue of the busy demo: more racks, networks and a third site beside those of the small demo, and 244 servers.

use std::fmt::Write as _;

/// The racks: name, site, network, and the units that the small demo's servers occupy.
const RACKS: [(&str, &str, &str, &[u16]); 8] = [
    ("dc1-r01", "dc1", "dc1-prod", &[10, 11]),
    ("dc1-r02", "dc1", "dc1-prod", &[20, 21]),
    ("dc1-r03", "dc1", "dc1-row2", &[]),
    ("dc1-r04", "dc1", "dc1-row2", &[]),
    ("dc1-r05", "dc1", "dc1-row2", &[]),
    ("dc2-r01", "dc2", "dc2-prod", &[5, 6]),
    ("dc2-r02", "dc2", "dc2-cage5", &[]),
    ("dc2-r03", "dc2", "dc2-cage5", &[]),
];

/// How many servers are in the racks above, and in the site that is being built.
const SERVERS: usize = 234;
const BEING_BUILT: u16 = 10;

/// The ventures and roles that own the servers, in turn.
const OWNERS: [(&str, &str); 7] = [
    ("shop", "web"),
    ("shop", "web"),
    ("shop", "db"),
    ("search", "indexer"),
    ("infra", "spare"),
    ("infra", "log"),
    ("infra", "spare"),
];

/// What the catalogue has besides servers. `kea-dc3` has no agent, so that deployments in dc3 wait for it; deployments with
/// `quick-check` are overdue after a minute.
const HEAD: &str = r#"
sites:
  dc3:
    name: Wrocław, being built
    next_server: 10.40.0.2
    domain: dc3.example
    zones: [dc3.example, 40.10.in-addr.arpa]
    hostname_template: "w<100,199>.dc3.example"

racks:
  dc1-r03: { site: dc1, description: second row, units: 42 }
  dc1-r04: { site: dc1, description: second row, units: 42 }
  dc1-r05: { site: dc1, description: second row, units: 42 }
  dc2-r02: { site: dc2, description: cage 5, units: 47 }
  dc2-r03: { site: dc2, description: cage 5, units: 47 }
  dc3-r01: { site: dc3, description: the first rack, units: 42 }

networks:
  dc1-row2: { cidr: 10.20.16.0/23, site: dc1, racks: [dc1-r03, dc1-r04, dc1-r05], gateway: 10.20.16.1, vlan: 121, dns_servers: [10.20.0.3], margin_bottom: 10 }
  dc2-cage5: { cidr: 10.30.16.0/23, site: dc2, racks: [dc2-r02, dc2-r03], gateway: 10.30.16.1, vlan: 131, dns_servers: [10.30.0.3], margin_bottom: 10 }
  dc3-prod: { cidr: 10.40.0.0/24, site: dc3, racks: [dc3-r01], gateway: 10.40.0.1, vlan: 140, dns_servers: [10.40.0.3], margin_bottom: 10 }

dhcp_servers:
  kea-dc3: { site: dc3, address: 10.40.0.2, kind: kea }

boot_images:
  quick-check:
    description: A hardware check that takes seconds, so it is overdue after a minute
    open_minutes: 5
    in_progress_minutes: 1
    files:
      boot.ipxe:
        kind: boot_ipxe
        template: true
        text: |
          #!ipxe
          kernel {{ kernel_url }} initrd=initrd check done_url={{ done_url }}
          initrd --name initrd {{ initrd_url }}
          boot
      vmlinuz: { kind: kernel, text: "The demo's placeholder for the check's kernel.\n" }
      initrd.img: { kind: initrd, text: "The demo's placeholder for the check's initrd.\n" }

devices:
"#;

/// A server of the busy demo.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) serial: String,
    pub(super) asset: String,
    pub(super) site: &'static str,
    pub(super) rack: &'static str,
    pub(super) network: &'static str,
    pub(super) unit: u16,
    pub(super) mac: String,
    pub(super) controller: String,
    pub(super) venture: &'static str,
    pub(super) role: &'static str,
    pub(super) verified: bool,
}

impl Server {
    /// The `number`th server, counted from 1. MAC and controller addresses contain the number.
    fn new(number: usize, (rack, site, network): (&'static str, &'static str, &'static str), unit: u16) -> Self {
        let (venture, role) = OWNERS[number % OWNERS.len()];
        let second = match site {
            "dc1" => 20,
            "dc2" => 30,
            _ => 40,
        };
        let model = ["R650", "R640", "DL360 Gen10"][number % 3];
        Self {
            name: format!("{model} no. {}", number + 100),
            serial: format!("BSY{number:04}"),
            asset: format!("A-{}", 3000 + number),
            site,
            rack,
            network,
            unit,
            mac: format!("52:54:00:b0:{:02x}:{:02x}", number / 256, number % 256),
            controller: format!("10.{second}.13.{number}"),
            venture,
            role,
            verified: !number.is_multiple_of(12),
        }
    }
}

/// The 244 servers.
pub(super) fn servers() -> Vec<Server> {
    // Every fifth unit is free, and the last two of every rack.
    let racks = RACKS.iter().flat_map(|(rack, site, network, taken)| {
        (1..=40_u16)
            .filter(|unit| !unit.is_multiple_of(5) && !taken.contains(unit))
            .map(move |unit| ((*rack, *site, *network), unit))
    });
    let new = (1..=BEING_BUILT).map(|unit| (("dc3-r01", "dc3", "dc3-prod"), unit));
    racks.take(SERVERS).chain(new).enumerate().map(|(n, (place, unit))| Server::new(n + 1, place, unit)).collect()
}

/// The catalogue as YAML, as `bootledger import --catalogue` reads it.
pub(in crate::cli::demo) fn catalogue() -> String {
    let mut text = HEAD.to_owned();
    for Server { name, serial, asset, site, rack, unit, mac, controller, venture, role, verified, .. } in servers() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  - {{ name: {name}, serial: {serial}, asset: {asset}, site: {site}, rack: {rack}, position: {unit}, \
             macs: [\"{mac}\"], management: {{ address: {controller} }}, venture: {venture}, role: {role}, verified: {verified} }}"
        );
    }
    text
}
