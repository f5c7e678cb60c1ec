//! Tests of catalogue changes: every change is checked against everything that can be held, for what it would leave without a
//! valid place and for what it moves.

mod known;
mod matrix;
mod placed;
mod scope;
mod taken;
mod uses;
mod weighed;

use super::*;
use crate::deployment::assignment::Assignment;
use crate::network::NetworkSpec;
use crate::site::SiteSpec;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::name::Name;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a value of the domain")
}

fn name(text: &str) -> Name {
    text.parse().expect(text)
}

fn site(change: Value) -> SiteSpec {
    let mut value = json!({
        "domain": "dc1.example", "zones": ["dc1.example", "20.10.in-addr.arpa"], "next_server": "10.20.0.2",
        "dns_updates": {"primary": "10.20.0.53", "key": {"name": "k", "secret": "s"}}
    });
    merge(&mut value, change);
    read(value)
}

fn network(change: Value) -> NetworkSpec {
    let mut value = json!({"cidr": "10.20.0.0/23", "site": "dc1", "racks": ["r1"], "gateway": "10.20.0.1", "vlan": 120});
    merge(&mut value, change);
    read(value)
}

fn merge(value: &mut Value, change: Value) {
    if let (Value::Object(value), Value::Object(change)) = (value, change) {
        value.extend(change);
    }
}

fn catalogue() -> Catalogue {
    let image = |image: &str| json!({ "default_boot_image": image });
    Catalogue {
        sites: [(name("dc1"), site(json!({}))), (name("dc2"), site(json!({"domain": "dc2.example", "zones": ["dc2.example"]})))]
            .into(),
        racks: [("r1", "dc1"), ("r2", "dc1"), ("x1", "dc2")]
            .map(|(rack, site)| (name(rack), read(json!({ "site": site }))))
            .into(),
        networks: [(name("prod"), network(json!({})))].into(),
        dhcp_servers: [(name("kea-1"), read(json!({"site": "dc1", "kind": "kea"})))].into(),
        ventures: [(
            name("shop"),
            (read(image("debian")), [(name("web"), read(json!({}))), (name("db"), read(json!({})))].into()),
        )]
        .into(),
        boot_images: [name("debian"), name("alma")].into(),
    }
}

/// A server whose deployment is done, at 10.20.1.50 with the name h1.dc1.example.
fn done() -> Held {
    let mac = "52:54:00:00:00:01".parse().expect("a MAC");
    let ip = Ipv4Addr::new(10, 20, 1, 50);
    Held {
        device: DeviceId::default(),
        called: "R640 no. 1".to_owned(),
        site: name("dc1"),
        rack: Some(name("r1")),
        position: Some(40),
        height: 1,
        venture: Some(name("shop")),
        role: Some(name("web")),
        macs: [mac].into(),
        addresses: [ip].into(),
        leases: [(ip, mac)].into(),
        records: [("h1.dc1.example".parse().expect("a name"), ip)].into(),
        live: None,
    }
}

/// A server that is being deployed and does not hold anything else yet.
fn deploying() -> Held {
    let done = done();
    let live = Live {
        id: DeploymentId::default(),
        assignment: Assignment {
            device: done.device,
            mac: *done.macs.first().expect("one"),
            ip: Ipv4Addr::new(10, 20, 1, 60),
            hostname: "h2.dc1.example".parse().expect("a name"),
            venture: name("shop"),
            role: name("web"),
            boot_image: name("debian"),
        },
        network: name("prod"),
    };
    let (addresses, leases, records) = Default::default();
    Held { called: "R640 no. 2".to_owned(), addresses, leases, records, live: Some(live), ..done }
}

/// A server that is registered in the rack and holds nothing.
fn idle() -> Held {
    let (addresses, leases, records) = Default::default();
    Held { addresses, leases, records, venture: None, role: None, ..done() }
}

fn weighed(change: &Change, held: Held) -> Consequences {
    let before = catalogue();
    let mut weighing = Weighing::of(change, &before);
    weighing.weigh([(held.clone(), held)]);
    weighing.consequences()
}

/// The invalidated items as `field rule`, each once.
fn lost(change: &Change, held: Held) -> BTreeSet<String> {
    let named = weighed(change, held).invalidated.into_iter().skip(1);
    named.map(|rule| format!("{} {}", rule.field, rule.rule).trim().to_owned()).collect()
}

fn to_site(change: Value) -> Change {
    Change::Site(name("dc1"), Some(Box::new(site(change))))
}

fn to_network(change: Value) -> Change {
    Change::Network(name("prod"), Some(Box::new(network(change))))
}
