//! Values and commands from which histories are built.

use bootledger_aggregates::boot_image::{BootFile, BootImageCommand, BootImageSpec, EndedBy, FileKind, NetworkBoot};
use bootledger_aggregates::dhcp_server::{DhcpKind, DhcpServerCommand, DhcpServerSpec};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::token::{Scope, TokenCommand};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::webhook::WebhookSpec;
use uuid::Uuid;

/// Parses a value of the domain from its text.
pub(crate) fn v<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is no value"))
}

pub(crate) fn device_id(n: u8) -> DeviceId {
    DeviceId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

pub(crate) fn deployment_id(n: u8) -> DeploymentId {
    DeploymentId(Uuid::from_u128(0x0191_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

pub(crate) fn mac(n: u8) -> MacAddress {
    v(&format!("52:54:00:00:00:{n:02x}"))
}

pub(crate) fn network_spec(site: &str) -> NetworkSpec {
    let number = i32::from(site != "dc1");
    serde_json::from_value(serde_json::json!({"cidr": format!("10.{number}.0.0/24"), "site": site})).expect("a network")
}

pub(crate) fn site_spec(site: &str, name: &str) -> SiteSpec {
    serde_json::from_value(serde_json::json!({
        "name": name, "domain": format!("{site}.example"), "zones": [format!("{site}.example"), "10.in-addr.arpa"]
    }))
    .expect("a site")
}

pub(crate) fn webhook_spec(events: &str) -> WebhookSpec {
    let url = "https://chat.example/hook";
    serde_json::from_value(serde_json::json!({"url": url, "events": [events], "secret": "chat"})).expect("a webhook")
}

/// An image whose deployments are ended by the server itself or by Puppet.
pub(crate) fn image_spec(description: &str, in_progress_minutes: u32, puppet: bool) -> BootImageSpec {
    let done_by = if puppet { EndedBy::Puppet } else { EndedBy::Server };
    BootImageSpec {
        description: v(description),
        open_minutes: 1,
        in_progress_minutes,
        done_by,
        network_boot: NetworkBoot::UntilDone,
        settings: std::collections::BTreeMap::new(),
        recipe: None,
    }
}

pub(crate) fn create_token() -> TokenCommand {
    TokenCommand::CreateToken { name: v("ci"), scope: Scope::Operator, expires: None }
}

pub(crate) fn rack(site: &str, units: u16) -> RackSpec {
    RackSpec { site: v(site), description: Text::default(), units }
}

pub(crate) fn define_server(site: &str) -> DhcpServerCommand {
    let spec = DhcpServerSpec { site: v(site), address: None, kind: DhcpKind::Kea };
    DhcpServerCommand::DefineDhcpServer { spec, site_exists: true }
}

pub(crate) fn confirm(position: i64) -> DhcpServerCommand {
    DhcpServerCommand::ConfirmConfiguration { revision: sha(position), position, last_position: position }
}

pub(crate) fn sha(n: i64) -> Sha256 {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Sha256::new(bytes)
}

pub(crate) fn put_file(name: &str, kind: FileKind, n: i64) -> BootImageCommand {
    BootImageCommand::PutFile {
        name: v(name),
        file: BootFile {
            kind,
            sha256: sha(n),
            size: 10,
            template: false,
            settings: std::collections::BTreeSet::new(),
            needs: bootledger_aggregates::boot_image::Needs::default(),
        },
    }
}
