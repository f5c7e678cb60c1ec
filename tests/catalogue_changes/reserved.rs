//! From outside: an address that an operator has reserved is neither suggested nor assigned, and no change takes it away.

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The worker that ends expired reservations looks every minute.
const PATIENCE: Duration = Duration::from_mins(3);
const MAC: &str = "52:54:00:00:0a:01";

async fn data_centre() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({"domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"], "next_server": "10.20.0.2"});
    service.put("/api/v1/sites/dc1", &site).await?;
    service.put("/api/v1/racks/r1", &json!({"site": "dc1"})).await?;
    let network = json!({"cidr": "10.20.0.0/24", "site": "dc1", "racks": ["r1"], "gateway": "10.20.0.1"});
    service.define(&site, &network).await?;
    service.put("/api/v1/ventures/shop", &json!({"default_boot_image": "debian"})).await?;
    Ok(service)
}

/// The next free address of the network.
async fn next(service: &Service) -> Result<String> {
    let answer = service.get("/api/v1/networks/prod/addresses").await?;
    Ok(answer["free"][0].as_str().context("a free address")?.to_owned())
}

#[tokio::test]
async fn a_reserved_address_is_neither_suggested_nor_assigned_until_it_is_released() -> Result<()> {
    let service = data_centre().await?;
    let first = next(&service).await?;
    let path = format!("/api/v1/networks/prod/reservations/{first}");
    let reserved = service.put(&path, &json!({"note": "the new firewall"})).await?;
    ensure!(reserved["ip"] == json!(first) && reserved["spec"]["note"] == json!("the new firewall"), "{reserved}");
    ensure!(next(&service).await? != first);
    let listed = service.get("/api/v1/networks/prod/reservations").await?;
    ensure!(listed["items"] == json!([reserved]), "{listed}");

    let device = json!({"site": "dc1", "rack": "r1", "name": "R640 no. 1", "macs": [MAC], "venture": "shop", "role": "web"});
    let id = service.register(&device).await?;
    let wanted = json!({"device": id, "ip": first, "hostname": "h1.dc1.example"});
    let refused = service.post("/api/v1/deployments", &wanted).await.expect_err("the address is reserved").to_string();
    ensure!(refused.contains("ip_claimed") && refused.contains("the new firewall"), "{refused}");

    let smaller = json!({"cidr": "10.20.0.128/25", "site": "dc1", "racks": ["r1"]});
    let refused = service.put("/api/v1/networks/prod", &smaller).await.expect_err("it would lose the address").to_string();
    ensure!(refused.contains("address_held") && refused.contains("the new firewall"), "{refused}");

    service.delete(&path).await?;
    ensure!(next(&service).await? == first);
    service.post("/api/v1/deployments", &wanted).await?;
    let refused = service.put(&path, &json!({"note": "too late"})).await.expect_err("a server has it").to_string();
    ensure!(refused.contains("ip_claimed") && refused.contains("R640 no. 1"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn an_expired_reservation_ends() -> Result<()> {
    let service = data_centre().await?;
    let path = format!("/api/v1/networks/prod/reservations/{}", next(&service).await?);
    let past = json!({"note": "yesterday", "expires": "2026-01-01T00:00:00Z"});
    let refused = service.put(&path, &past).await.expect_err("it has expired already").to_string();
    ensure!(refused.contains("expires_in_past"), "{refused}");
    let soon = (OffsetDateTime::now_utc() + Duration::from_secs(2)).format(&Rfc3339)?;
    service.put(&path, &json!({"note": "for a moment", "expires": soon})).await?;
    wait_for("the reservation ends", PATIENCE, async || service.get(&path).await.err().map(drop)).await
}
