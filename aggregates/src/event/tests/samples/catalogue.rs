//! Samples of every event of the catalogue and of tokens.

use super::sample_events;
use crate::boot_image::{BootFile, BootImageEvent, BootImageSpec, EndedBy, FileKind, NetworkBoot};
use crate::dhcp_server::{DhcpKind, DhcpServerEvent, DhcpServerSpec};
use crate::network::{NetworkEvent, NetworkSpec};
use crate::rack::{RackEvent, RackSpec};
use crate::reservation::{ReservationEvent, ReservationSpec};
use crate::samples::{self, boot_file, noon, parsed};
use crate::saved_view::{SavedViewEvent, SavedViewSpec};
use crate::secret::{SecretEvent, SecretSpec};
use crate::site::{DnsUpdates, SiteEvent, SiteSpec, TsigAlgorithm, TsigKey};
use crate::token::{TokenEvent, TokenScope};
use crate::values::dhcp_option::{Addresses, DhcpOption, OptionType, OptionValue};
use crate::values::setting::Settings;
use crate::venture::puppet::{Classes, Parameters};
use crate::venture::{RoleSpec, VentureEvent, VentureSpec};
use crate::webhook::{WebhookEvent, WebhookSpec};
use crate::zone::Zone;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn every_option() -> Vec<DhcpOption> {
    let option = |name: &str, value| DhcpOption::standard(parsed(name), value);
    vec![
        option("ntp-servers", OptionValue::Addresses(Addresses(vec![parsed("10.0.0.3")]))),
        option("root-path", OptionValue::Text(parsed("/srv/root"))),
        option("default-ip-ttl", OptionValue::Number(64)),
        option("ip-forwarding", OptionValue::Flag(false)),
        option("path-mtu-plateau-table", OptionValue::Numbers(vec![68, 1500])),
        option("classless-static-routes", OptionValue::Routes(vec![parsed("10.0.0.0/8 via 10.0.0.1")])),
        DhcpOption { code: Some(224), kind: Some(OptionType::Hex), ..option("site-tag", OptionValue::Hex(parsed("01:0a:ff"))) },
    ]
}

fn updates() -> DnsUpdates {
    let key = TsigKey { name: parsed("bootledger"), algorithm: TsigAlgorithm::HmacSha512, secret: parsed("tsig-dc1") };
    DnsUpdates { primary: parsed("10.0.0.53"), port: parsed("5353"), key }
}

fn least_site() -> SiteSpec {
    SiteSpec {
        name: parsed(""),
        next_server: None,
        boot_url: None,
        domain: parsed("dc2.example"),
        zones: vec![],
        hostname_template: None,
        dhcp_header: vec![],
        dns_updates: None,
        settings: Settings::new(),
    }
}

fn every_zone_field() -> Vec<Zone> {
    let zones = serde_json::json!([
        "0.10.in-addr.arpa",
        {
            "name": "0-25.2.0.192.in-addr.arpa", "range": "192.0.2.0/25", "name_servers": ["ns1.dc2.example", "ns2.example.net"],
            "mname": "primary.dc2.example", "rname": "ada.lovelace@dc2.example", "refresh": 7200, "retry": 900, "expire": 604_800,
            "minimum": 30, "ttl": 600, "serial": "date", "serial_floor": 2_026_010_100, "records": "@ TXT \"a\"\n"
        }
    ]);
    serde_json::from_value(zones).expect("zones")
}

fn full_network() -> NetworkSpec {
    NetworkSpec {
        racks: vec![parsed("r1")],
        gateway: Some(parsed("10.0.0.254")),
        vlan: Some(12),
        dns_servers: vec![parsed("10.0.0.53")],
        domain: Some(parsed("prod.dc1.example")),
        dhcp_options: every_option(),
        ..samples::network("10.0.0.0/24")
    }
}

fn defined_file(kind: FileKind) -> BootImageEvent {
    BootImageEvent::BootFilePut { name: parsed("file"), file: boot_file(kind) }
}

fn image(done_by: EndedBy) -> BootImageSpec {
    BootImageSpec {
        description: parsed("Debian 13"),
        open_minutes: 30,
        in_progress_minutes: 120,
        done_by,
        network_boot: NetworkBoot::UntilDone,
        settings: BTreeMap::new(),
        recipe: None,
    }
}

fn declared() -> BootImageSpec {
    let settings = json!({
        "disk": { "type": "text", "description": "Disk to install on", "default": "auto" },
        "layout": { "type": "choice", "description": "", "choices": ["plain", "lvm"], "default": "plain" },
        "password": { "type": "secret", "description": "", "required": true },
        "vlan": { "type": "number", "description": "", "default": 0 },
    });
    let settings = serde_json::from_value(settings).expect("declarations");
    BootImageSpec { network_boot: NetworkBoot::Once, settings, ..image(EndedBy::Server) }
}

/// Settings with a value of every type.
fn set() -> Settings {
    samples::settings(json!({
        "disk": "/dev/sda", "packages": ["vim", "nginx"], "password": { "secret": "boot-root" }, "quiet": true, "vlan": -1,
    }))
}

fn created(scope: TokenScope) -> TokenEvent {
    TokenEvent::TokenCreated { name: parsed("ops"), scope, expires: Some(noon(0)) }
}

fn dhcp_server_spec(kind: DhcpKind) -> DhcpServerEvent {
    DhcpServerEvent::DhcpServerDefined { spec: DhcpServerSpec { site: parsed("dc1"), address: Some(parsed("10.0.0.2")), kind } }
}

fn role() -> RoleSpec {
    RoleSpec {
        description: parsed("Shop front"),
        default_boot_image: Some(parsed("debian-13")),
        puppet_classes: Classes::Names(vec![parsed("profile::nginx")]),
        puppet_parameters: parameters(&[("workers", json!("4"))]),
        puppet_environment: None,
        settings: Settings::new(),
    }
}

fn parameters(all: &[(&str, Value)]) -> Parameters {
    Parameters(all.iter().map(|(name, value)| (parsed(name), value.clone())).collect())
}

fn classes_with_parameters() -> Classes {
    let nginx = parameters(&[("workers", json!(4)), ("tls", json!({ "ciphers": ["a", "b"], "on": true }))]);
    Classes::WithParameters(BTreeMap::from([(parsed("profile::nginx"), nginx), (parsed("ntp"), Parameters::default())]))
}

fn full_role() -> RoleSpec {
    RoleSpec {
        puppet_classes: classes_with_parameters(),
        puppet_parameters: parameters(&[("tier", json!(1.5)), ("spare", json!(null))]),
        puppet_environment: Some(parsed("staging")),
        ..role()
    }
}

sample_events!(site: SiteEvent {
    SiteDefined => [
        SiteEvent::SiteDefined { spec: Box::new(SiteSpec { dhcp_header: every_option(), dns_updates: Some(updates()), ..samples::site() }) },
        SiteEvent::SiteDefined { spec: Box::new(least_site()) },
        SiteEvent::SiteDefined { spec: Box::new(SiteSpec { zones: every_zone_field(), ..least_site() }) },
        SiteEvent::SiteDefined { spec: Box::new(SiteSpec { settings: set(), ..least_site() }) },
    ],
    SiteRetired => [SiteEvent::SiteRetired {}],
});

sample_events!(rack: RackEvent {
    RackDefined => [RackEvent::RackDefined {
        spec: RackSpec { site: parsed("dc1"), description: parsed("By the door"), units: 42 },
    }],
    RackRetired => [RackEvent::RackRetired {}],
});

sample_events!(network: NetworkEvent {
    NetworkDefined => [
        NetworkEvent::NetworkDefined { spec: Box::new(full_network()) },
        NetworkEvent::NetworkDefined { spec: Box::new(samples::network("10.1.0.0/16")) },
    ],
    NetworkRetired => [NetworkEvent::NetworkRetired {}],
});

sample_events!(reservation: ReservationEvent {
    AddressReserved => [
        ReservationEvent::AddressReserved {
            network: parsed("prod"),
            spec: ReservationSpec { note: parsed("For the new firewall"), expires: Some(noon(86_400)) },
        },
        ReservationEvent::AddressReserved {
            network: parsed("prod"),
            spec: ReservationSpec { note: parsed("Printer"), expires: None },
        },
    ],
    AddressReleased => [ReservationEvent::AddressReleased { network: parsed("prod") }],
    ReservationExpired => [ReservationEvent::ReservationExpired { network: parsed("prod") }],
});

sample_events!(dhcp_server: DhcpServerEvent {
    DhcpServerDefined => [
        dhcp_server_spec(DhcpKind::Isc),
        dhcp_server_spec(DhcpKind::Kea),
        dhcp_server_spec(DhcpKind::Dnsmasq),
    ],
    DhcpServerRetired => [DhcpServerEvent::DhcpServerRetired { site: parsed("dc1") }],
    ConfigurationConfirmed => [DhcpServerEvent::ConfigurationConfirmed {
        site: parsed("dc1"),
        revision: parsed(&"ab".repeat(32)),
        position: 42,
    }],
    ConfigurationFailed => [
        DhcpServerEvent::ConfigurationFailed {
            site: parsed("dc1"),
            revision: Some(parsed(&"ab".repeat(32))),
            message: parsed("dhcpd: line 7: semicolon expected"),
        },
        DhcpServerEvent::ConfigurationFailed { site: parsed("dc1"), revision: None, message: parsed("connection refused") },
    ],
});

sample_events!(venture: VentureEvent {
    VentureDefined => [
        VentureEvent::VentureDefined {
            spec: VentureSpec {
                description: parsed("The shop"),
                parent: Some(parsed("retail")),
                default_boot_image: Some(parsed("debian-13")),
                ..VentureSpec::default()
            },
        },
        VentureEvent::VentureDefined { spec: VentureSpec::default() },
        VentureEvent::VentureDefined {
            spec: VentureSpec {
                puppet_classes: Classes::Names(vec![parsed("base")]),
                puppet_parameters: parameters(&[("tier", json!(2))]),
                puppet_environment: Some(parsed("production")),
                ..VentureSpec::default()
            },
        },
        VentureEvent::VentureDefined { spec: VentureSpec { settings: set(), ..VentureSpec::default() } },
    ],
    RoleDefined => [
        VentureEvent::RoleDefined { role: parsed("web"), spec: role() },
        VentureEvent::RoleDefined { role: parsed("web"), spec: RoleSpec::default() },
        VentureEvent::RoleDefined { role: parsed("web"), spec: full_role() },
        VentureEvent::RoleDefined { role: parsed("web"), spec: RoleSpec { settings: set(), ..RoleSpec::default() } },
    ],
    RoleRetired => [VentureEvent::RoleRetired { role: parsed("web") }],
    VentureRetired => [VentureEvent::VentureRetired {}],
});

sample_events!(boot_image: BootImageEvent {
    BootImageDefined => [
        BootImageEvent::BootImageDefined { spec: image(EndedBy::Server) },
        BootImageEvent::BootImageDefined { spec: image(EndedBy::Puppet) },
        BootImageEvent::BootImageDefined { spec: declared() },
    ],
    BootFilePut => [
        defined_file(FileKind::BootIpxe),
        defined_file(FileKind::Kernel),
        defined_file(FileKind::Initrd),
        defined_file(FileKind::Kickstart),
        defined_file(FileKind::Other),
        BootImageEvent::BootFilePut {
            name: parsed("preseed.cfg"),
            file: BootFile { settings: ["disk", "password"].map(parsed).into(), ..boot_file(FileKind::Kickstart) },
        },
    ],
    BootFileRemoved => [BootImageEvent::BootFileRemoved { name: parsed("file") }],
    BootImageRetired => [BootImageEvent::BootImageRetired {}],
});

fn webhook_spec(description: &str, events: &[&str]) -> Box<WebhookSpec> {
    Box::new(WebhookSpec {
        description: parsed(description),
        url: parsed("https://chat.example/hooks/bootledger?room=7"),
        events: events.iter().map(|text| parsed(text)).collect(),
        secret: parsed("webhook-chat"),
    })
}

sample_events!(webhook: WebhookEvent {
    WebhookDefined => [
        WebhookEvent::WebhookDefined { spec: webhook_spec("The chat", &["DeploymentDone", "device.*"]) },
        WebhookEvent::WebhookDefined { spec: webhook_spec("", &["*"]) },
    ],
    WebhookPaused => [WebhookEvent::WebhookPaused { reason: parsed("the chat moves") }],
    WebhookResumed => [WebhookEvent::WebhookResumed {}],
    WebhookPositionSet => [WebhookEvent::WebhookPositionSet { after: 0, reason: parsed("the chat has forgotten everything") }],
    WebhookEventSkipped => [WebhookEvent::WebhookEventSkipped { position: 42, reason: parsed("too long for the chat") }],
    WebhookRetired => [WebhookEvent::WebhookRetired {}],
});

fn secret_spec(text: &str) -> SecretSpec {
    serde_json::from_str(text).expect("a scope")
}

sample_events!(secret: SecretEvent {
    SecretScopeDefined => [
        SecretEvent::SecretScopeDefined { spec: Box::new(secret_spec(
            r#"{"description": "The controllers of dc1", "networks": ["10.20.12.0/24", "10.20.13.0/24"], "protocols": ["ipmi", "redfish"],
                "ports": [443, 623, 8443], "sites": ["dc1", "dc2"], "plain_http": true}"#)) },
        SecretEvent::SecretScopeDefined { spec: Box::new(secret_spec(
            r#"{"networks": ["10.20.12.0/24"], "protocols": ["redfish"], "sites": ["dc1"]}"#)) },
    ],
    SecretScopeRetired => [SecretEvent::SecretScopeRetired {}],
});

fn view_spec(text: &str) -> SavedViewSpec {
    serde_json::from_str(text).expect("a view")
}

sample_events!(saved_view: SavedViewEvent {
    ViewSaved => [
        SavedViewEvent::ViewSaved { owner: parsed("user ada"), spec: Box::new(view_spec(
            r#"{"list": "deployments", "name": "Open in dc1", "query": "status=open&site=dc1&sort=since", "shared": true, "usual": true}"#)) },
        SavedViewEvent::ViewSaved { owner: parsed("user ada"), spec: Box::new(view_spec(
            r#"{"list": "devices", "name": "Mine", "query": ""}"#)) },
    ],
    ViewDeleted => [SavedViewEvent::ViewDeleted {}],
});

sample_events!(token: TokenEvent {
    TokenCreated => [
        created(TokenScope::Viewer),
        created(TokenScope::Operator),
        created(TokenScope::Administrator),
        created(TokenScope::DhcpServer(parsed("kea-1"))),
        created(TokenScope::PuppetReports),
        TokenEvent::TokenCreated { name: parsed("permanent"), scope: TokenScope::Viewer, expires: None },
    ],
    TokenRevoked => [TokenEvent::TokenRevoked {}],
});
