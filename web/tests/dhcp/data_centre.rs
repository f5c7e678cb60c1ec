//! A site with a network and a device that can get entries and deployments.

use crate::support::{Answer, TestSite, deployment_started, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const DEVICE: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
pub(crate) const DEPLOYMENT: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0002);

/// A site `dc1` whose zone and reverse zone are managed, its network `servers`, and a device.
pub(crate) async fn data_centre() -> TestSite {
    let site = TestSite::create().await;
    let mut dc1 = site_defined();
    dc1["spec"]["zones"] = json!(["dc1.example", "lab.dc1.example", "0.10.in-addr.arpa"]);
    dc1["spec"]["next_server"] = json!("10.0.0.2");
    site.append("site", "dc1", dc1).await;
    site.append("network", "servers", network_defined()).await;
    site.append("device", &DEVICE.to_string(), device_registered("52:54:00:00:00:01", None)).await;
    site
}

/// Creates a DHCP entry of the device.
pub(crate) async fn entry(site: &TestSite, ip: &str) -> i64 {
    let entry = json!({"ip": ip, "mac": "52:54:00:00:00:01", "hostname": "h200.dc1.example", "network": "servers"});
    site.append("device", &DEVICE.to_string(), json!({"type": "DhcpEntryCreated", "deployment": DEPLOYMENT, "entry": entry}))
        .await
}

/// Creates an A and a PTR record of the device.
pub(crate) async fn records(site: &TestSite, hostname: &str, ip: &str) -> i64 {
    let entry = json!({"hostname": hostname, "ip": ip});
    site.append("device", &DEVICE.to_string(), json!({"type": "DnsEntryCreated", "deployment": DEPLOYMENT, "entry": entry})).await
}

/// Starts a deployment of the device with this address.
pub(crate) async fn deployment(site: &TestSite, ip: &str) -> i64 {
    let started = deployment_started(DEVICE, "servers", "52:54:00:00:00:01", ip, "h200.dc1.example");
    site.append("deployment", &DEPLOYMENT.to_string(), started).await
}

/// Cancels the deployment.
pub(crate) async fn cancel(site: &TestSite) -> i64 {
    let cancelled: Value =
        json!({"type": "DeploymentCancelled", "device": DEVICE, "by": "ops", "reason": "a test", "released": []});
    site.append("deployment", &DEPLOYMENT.to_string(), cancelled).await
}

/// Appends an event that no DHCP configuration and no zone depends on.
pub(crate) async fn elsewhere(site: &TestSite) -> i64 {
    site.append("venture", "shop", json!({"type": "VentureDefined", "spec": {"parent": null, "default_boot_image": null}})).await
}

/// Sends a GET without credentials.
pub(crate) async fn get(site: &TestSite, path: &str) -> Answer {
    site.request(TestRequest::get().uri(path)).await
}

/// Sends a GET as a client that already has this revision.
pub(crate) async fn get_unless(site: &TestSite, path: &str, tag: &str) -> Answer {
    site.request(TestRequest::get().uri(path).insert_header(("if-none-match", tag))).await
}
