//! The fields of a device: null removes an optional one, numbers are unique regardless of their spelling, and a reference by
//! name must exist.

use crate::support::service::{Service, dc1};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

async fn service() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1" })).await?;
    service.put("/api/v1/racks/r1", &json!({ "site": "dc1", "units": 42 })).await?;
    Ok(service)
}

async fn register(service: &Service, body: &Value) -> Result<String> {
    let (status, device) = service.send(Method::POST, "/api/v1/devices", body).await?;
    ensure!(status == 201, "{status} {device}");
    Ok(device["id"].as_str().context("an id")?.to_owned())
}

fn whole() -> Value {
    json!({
        "site": "dc1", "name": "server 1", "serial": "SN1", "asset": "A1", "rack": "r1", "position": 3,
        "macs": ["52:54:00:00:00:01"], "management": { "address": "10.0.9.1" }, "venture": "shop", "role": "web",
        "settings": { "disk": "/dev/sda" },
    })
}

#[tokio::test]
async fn null_removes_each_optional_field_of_a_device_and_no_other() -> Result<()> {
    let service = service().await?;
    let chassis = register(&service, &json!({ "site": "dc1", "name": "chassis", "serial": "C1" })).await?;
    let mut body = whole();
    body["parent"] = json!(chassis);
    let id = register(&service, &body).await?;
    let path = format!("/api/v1/devices/{id}");
    let (status, refused) = service.send(Method::PATCH, &path, &json!({ "site": null })).await?;
    ensure!(status == 422 && refused["errors"][0]["field"] == "site", "{status} {refused}");

    for field in ["name", "serial", "asset", "position", "management", "parent", "role", "settings", "macs"] {
        let before = service.get(&path).await?;
        if field == "macs" {
            // The last identifier of a device cannot be removed.
            let (status, refused) = service.send(Method::PATCH, &path, &json!({ "macs": null })).await?;
            ensure!(status == 422 && refused["errors"][0]["rule"] == "device_unidentified", "{status} {refused}");
            continue;
        }
        ensure!(before.get(field).is_some_and(|value| !value.is_null()), "{field} is there: {before}");
        let (status, mut after) = service.send(Method::PATCH, &path, &json!({ field: null })).await?;
        ensure!(status == 200, "{field}: {status} {after}");
        let left = after.get(field).cloned().unwrap_or_default();
        let nothing = left.is_null() || left == "" || left == json!({}) || left == json!([]);
        ensure!(nothing, "{field} is removed: {after}");
        let mut before = before;
        for value in [&mut before, &mut after] {
            let value = value.as_object_mut().context("a device")?;
            value.retain(|name, _| ![field, "changed_at", "sequence"].contains(&name.as_str()));
        }
        ensure!(before == after, "{field}: nothing else changed: {before} {after}");
    }
    let (_, again) = service.send(Method::PATCH, &path, &json!({ "position": 4, "role": "web" })).await?;
    ensure!(again["position"] == 4, "{again}");
    let (status, out) = service.send(Method::PATCH, &path, &json!({ "rack": null, "venture": null })).await?;
    ensure!(status == 200 && out["rack"].is_null() && out["position"].is_null(), "the unit goes with the rack: {out}");
    ensure!(out["venture"].is_null() && out["role"].is_null(), "the role goes with the venture: {out}");
    // The device's old values are free again, except its MAC address.
    let mut other = whole();
    other["macs"] = json!(["52:54:00:00:00:09"]);
    register(&service, &other).await?;
    Ok(())
}

#[tokio::test]
async fn a_device_that_is_being_deployed_keeps_its_management_rack_and_site() -> Result<()> {
    let service = service().await?;
    service.put("/api/v1/networks/prod", &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "racks": ["r1"] })).await?;
    let id = register(&service, &whole()).await?;
    service.send(Method::POST, &format!("/api/v1/devices/{id}/verify"), &json!({})).await?;
    let wanted = json!({ "device": id, "boot_image": "debian", "network": "prod" });
    let (status, started) = service.send(Method::POST, "/api/v1/deployments", &wanted).await?;
    ensure!(status == 201, "{started}");
    for (field, status) in [("management", 422), ("venture", 422), ("role", 422), ("asset", 200)] {
        let (message, answer) = service.send(Method::PATCH, &format!("/api/v1/devices/{id}"), &json!({ field: null })).await?;
        ensure!(message == status, "{field}: {message} {answer}");
        ensure!(status == 200 || answer["errors"][0]["field"] == field, "{field}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_number_is_the_same_in_either_case_and_in_any_width() -> Result<()> {
    let service = service().await?;
    register(&service, &json!({ "site": "dc1", "name": "server 1", "serial": "ABC 1x", "asset": "Inv-7" })).await?;
    for (field, same) in [
        ("serial", "abc 1X"),
        ("serial", " ABC 1x "),
        ("serial", "ABC  1x"),
        ("serial", "\u{ff21}\u{ff22}\u{ff23} \u{ff11}x"),
        ("serial", "ABC\u{a0}1x"),
        ("asset", "INV-7"),
        ("asset", "inv-\u{ff17}"),
    ] {
        let body = json!({ "site": "dc1", field: same });
        let (status, refused) = service.send(Method::POST, "/api/v1/devices", &body).await?;
        ensure!(status == 422 && refused["errors"][0]["field"] == field, "{same:?}: {status} {refused}");
        ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains("server 1")), "{same:?}: {refused}");
    }
    let other = register(&service, &json!({ "site": "dc1", "serial": "XYZ" })).await?;
    let path = format!("/api/v1/devices/{other}");
    let (status, refused) = service.send(Method::PATCH, &path, &json!({ "serial": "abc 1x" })).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "serial_claimed", "{status} {refused}");
    // A device may change the spelling of its own number, and a removed number is free.
    let (status, rewritten) = service.send(Method::PATCH, &path, &json!({ "serial": "xyz", "asset": "A9" })).await?;
    ensure!(status == 200 && rewritten["serial"] == "xyz", "{rewritten}");
    let (status, _) = service.send(Method::PATCH, &path, &json!({ "serial": null })).await?;
    ensure!(status == 200);
    register(&service, &json!({ "site": "dc1", "serial": "Xyz" })).await?;

    let csv = json!(
        "mac;network;venture;role;boot_image;serial\n52:54:00:00:00:01;prod;shop;web;debian;Q1\n52:54:00:00:00:02;prod;shop;web;debian;q1\n"
    );
    let (status, refused) = service.send(Method::POST, "/api/v1/imports", &csv).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "serial_repeated", "{status} {refused}");
    Ok(())
}

#[tokio::test]
async fn a_firmwares_placeholder_serial_number_is_refused_with_a_solution() -> Result<()> {
    let service = service().await?;
    let device = register(&service, &json!({ "site": "dc1", "serial": "TBD" })).await?;
    let path = format!("/api/v1/devices/{device}");
    for filler in ["To be filled by O.E.M.", "Default string", "0123456789"] {
        for (method, path, body) in [
            (Method::POST, "/api/v1/devices", json!({ "site": "dc1", "serial": filler })),
            (Method::PATCH, path.as_str(), json!({ "serial": filler })),
        ] {
            let (status, refused) = service.send(method, path, &body).await?;
            ensure!(status == 422 && refused["errors"][0]["rule"] == "serial_filler", "{filler}: {status} {refused}");
            ensure!(refused["errors"][0]["message"].as_str().is_some_and(|why| why.contains("leave")), "{refused}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn of_two_concurrent_spellings_of_a_number_one_is_accepted() -> Result<()> {
    let service = service().await?;
    for round in 0..4 {
        let (upper, lower) = (
            json!({ "site": "dc1", "serial": format!("RACE{round}") }),
            json!({ "site": "dc1", "serial": format!("race{round}") }),
        );
        let (one, other) = tokio::join!(
            service.send(Method::POST, "/api/v1/devices", &upper),
            service.send(Method::POST, "/api/v1/devices", &lower)
        );
        let mut statuses = [one?.0, other?.0];
        statuses.sort_unstable();
        ensure!(statuses == [201, 422], "{statuses:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_reference_to_something_that_does_not_exist_is_refused_with_its_field() -> Result<()> {
    let service = service().await?;
    let id = "01920000-0000-7000-8000-000000000009";
    let device = register(&service, &json!({ "site": "dc1", "serial": "S1" })).await?;
    let patch = format!("/api/v1/devices/{device}");
    let facts = format!("/api/v1/devices/{device}/facts");
    let entry = json!([{ "ip": "10.0.0.40", "mac": "52:54:00:00:00:01", "network": "nowhere" }]);
    let cases = [
        (Method::PUT, "/api/v1/racks/r9", "site", json!({ "site": "nowhere", "units": 42 })),
        (Method::PUT, "/api/v1/networks/n9", "site", json!({ "site": "nowhere", "cidr": "10.9.0.0/24" })),
        (Method::PUT, "/api/v1/networks/n9", "racks", json!({ "site": "dc1", "cidr": "10.9.0.0/24", "racks": ["nowhere"] })),
        (Method::PUT, "/api/v1/dhcp-servers/d9", "site", json!({ "site": "nowhere", "kind": "isc" })),
        (Method::PUT, "/api/v1/ventures/v9", "parent", json!({ "parent": "nowhere" })),
        (Method::PUT, "/api/v1/ventures/v9", "default_boot_image", json!({ "default_boot_image": "debain" })),
        (Method::PUT, "/api/v1/ventures/shop/roles/web", "default_boot_image", json!({ "default_boot_image": "debain" })),
        (Method::POST, "/api/v1/devices", "site", json!({ "serial": "S2", "site": "nowhere" })),
        (Method::POST, "/api/v1/devices", "rack", json!({ "serial": "S2", "site": "dc1", "rack": "nowhere" })),
        (Method::POST, "/api/v1/devices", "parent", json!({ "serial": "S2", "site": "dc1", "parent": id })),
        (Method::POST, "/api/v1/devices", "venture", json!({ "serial": "S2", "site": "dc1", "venture": "nowhere" })),
        (Method::POST, "/api/v1/devices", "role", json!({ "serial": "S2", "site": "dc1", "venture": "shop", "role": "nowhere" })),
        (Method::PATCH, &patch, "site", json!({ "site": "nowhere" })),
        (Method::PATCH, &patch, "rack", json!({ "rack": "nowhere" })),
        (Method::PATCH, &patch, "parent", json!({ "parent": id })),
        (Method::PATCH, &patch, "venture", json!({ "venture": "nowhere" })),
        (Method::PATCH, &patch, "role", json!({ "venture": "shop", "role": "nowhere" })),
        (Method::PUT, &facts, "sub_devices", json!({ "sub_devices": [id] })),
        (Method::PUT, &facts, "dhcp_entries", json!({ "dhcp_entries": entry })),
    ];
    for (method, path, field, body) in cases {
        let (status, refused) = service.send(method, path, &body).await?;
        let named = refused["errors"][0]["field"].as_str().unwrap_or_default();
        ensure!(status == 422 && named.split(['.', '[']).next() == Some(field), "{path} {body}: {status} {refused}");
        if field == "default_boot_image" {
            ensure!(refused["errors"][0]["rule"] == "boot_image_unknown", "{refused}");
            ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains(" debian")), "{refused}");
        }
    }
    Ok(())
}
