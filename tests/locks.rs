//! A locked device is not installed again: not from the API, not from a file, and not by a start at the same moment. Two devices
//! do not take one unit of a rack.

use crate::support::service::{Service, dc1, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

async fn post(service: &Service, path: &str, body: &Value) -> Result<(u16, Value)> {
    service.send(Method::POST, path, body).await
}

async fn service() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1" })).await?;
    Ok(service)
}

async fn server(service: &Service, number: u8) -> Result<String> {
    let body = json!({ "site": "dc1", "macs": [mac(number)], "venture": "shop", "role": "web", "tags": ["spare"] });
    let (status, device) = post(service, "/api/v1/devices", &body).await?;
    ensure!(status == 201, "{status} {device}");
    let id = device["id"].as_str().context("an id")?.to_owned();
    post(service, &format!("/api/v1/devices/{id}/verify"), &json!({})).await?;
    Ok(id)
}

fn mac(number: u8) -> String {
    format!("52:54:00:00:00:{number:02x}")
}

fn wanted(device: &str) -> Value {
    json!({ "device": device, "boot_image": "debian", "network": "prod" })
}

fn is_locked(refused: &Value) -> bool {
    refused["errors"].as_array().is_some_and(|errors| errors.iter().any(|error| error["rule"] == "device_locked"))
}

#[tokio::test]
async fn a_locked_device_is_refused_everywhere_until_it_is_unlocked() -> Result<()> {
    let service = service().await?;
    let id = server(&service, 1).await?;
    let path = format!("/api/v1/devices/{id}");
    let (status, device) = post(&service, &format!("{path}/lock"), &json!({ "reason": "holds the only copy" })).await?;
    ensure!(status == 200 && device["lock"]["reason"] == "holds the only copy", "{status} {device}");
    let listed = service.get("/api/v1/devices?locked=true&tag=spare").await?;
    ensure!(listed["items"][0]["id"] == id.as_str(), "{listed}");

    let (status, refused) = post(&service, "/api/v1/deployments", &wanted(&id)).await?;
    ensure!(status == 422 && is_locked(&refused), "{status} {refused}");
    ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains("holds the only copy")), "{refused}");
    let csv = json!(format!("mac;network;venture;role;boot_image\n{};prod;shop;web;debian\n", mac(1)));
    for path in ["/api/v1/imports", "/api/v1/imports?dry_run=true"] {
        let (status, refused) = post(&service, path, &csv).await?;
        ensure!(status == 422 && is_locked(&refused), "{path}: {status} {refused}");
    }
    let (status, refused) = post(&service, &format!("{path}/decommission"), &json!({ "reason": "old" })).await?;
    ensure!(status == 422 && is_locked(&refused), "{status} {refused}");

    let (status, device) = post(&service, &format!("{path}/unlock"), &json!({})).await?;
    ensure!(status == 200 && device["lock"].is_null(), "{status} {device}");
    let (status, started) = post(&service, "/api/v1/deployments", &wanted(&id)).await?;
    ensure!(status == 201, "{status} {started}");
    // A deployment that has started is not affected.
    let (status, device) = post(&service, &format!("{path}/lock"), &json!({ "reason": "enough" })).await?;
    ensure!(status == 200 && !device["lock"].is_null(), "{status} {device}");
    let deployment = started["id"].as_str().context("an id")?;
    // But no operator installs the server again.
    let paths = [
        (format!("/api/v1/deployments/{deployment}/plugins/reboot/retry"), json!({})),
        (format!("/api/v1/deployments/{deployment}/next-boot"), json!({ "boot": "network" })),
    ];
    for (path, body) in paths {
        let (status, refused) = post(&service, &path, &body).await?;
        ensure!(status == 422 && is_locked(&refused), "{path}: {status} {refused}");
    }
    let (status, cancelled) =
        post(&service, &format!("/api/v1/deployments/{deployment}/cancel"), &json!({ "reason": "enough" })).await?;
    ensure!(status == 200, "{status} {cancelled}");
    Ok(())
}

#[tokio::test]
async fn no_deployment_starts_after_a_lock_that_arrives_at_the_same_moment() -> Result<()> {
    let service = service().await?;
    for number in 1..=8 {
        let id = server(&service, number).await?;
        let (lock, wanted) = (json!({ "reason": "at once" }), wanted(&id));
        let lock_path = format!("/api/v1/devices/{id}/lock");
        let (locked, started) = tokio::join!(post(&service, &lock_path, &lock), post(&service, "/api/v1/deployments", &wanted));
        let ((locked, answer), (started, deployment)) = (locked?, started?);
        ensure!(locked == 200, "{locked} {answer}");
        if started != 201 {
            ensure!(is_locked(&deployment), "{started} {deployment}");
            continue;
        }
        let deployment = deployment["id"].as_str().context("an id")?;
        let of = |events: &Value, kind: &str| {
            let all = events["items"].as_array()?;
            all.iter().find(|event| event["type"] == kind || event["event_type"] == kind)?["position"].as_i64()
        };
        let begun = service.get(&format!("/api/v1/events?aggregate=deployment/{deployment}&limit=1000")).await?;
        let events = service.get(&format!("/api/v1/events?aggregate=device/{id}&limit=1000")).await?;
        let (begun, lock) = (of(&begun, "DeploymentStarted"), of(&events, "DeviceLocked"));
        ensure!(begun.context("a start")? < lock.context("a lock")?, "a deployment of a locked device started: {events}");
    }
    Ok(())
}

#[tokio::test]
async fn of_two_devices_that_take_one_unit_at_the_same_moment_one_is_refused() -> Result<()> {
    let service = service().await?;
    let (status, rack) = service.send(Method::PUT, "/api/v1/racks/r9", &json!({ "site": "dc1", "units": 10 })).await?;
    ensure!((200..300).contains(&status), "{status} {rack}");
    let body = |number: u8, position: u16, face: &str| json!({ "site": "dc1", "rack": "r9", "macs": [mac(number)], "position": position, "height": 2, "face": face });
    let (one, other) = (body(21, 1, "both"), body(22, 2, "front"));
    let (one, other) = tokio::join!(post(&service, "/api/v1/devices", &one), post(&service, "/api/v1/devices", &other));
    let ((one, first), (other, second)) = (one?, other?);
    ensure!([one, other].contains(&201) && [one, other].contains(&422), "{first} {second}");
    let refused = if one == 422 { first } else { second };
    ensure!(refused["errors"][0]["rule"] == "rack_unit_taken", "{refused}");
    let (status, beyond) = post(&service, "/api/v1/devices", &body(23, 10, "rear")).await?;
    ensure!(status == 422 && beyond["errors"][0]["rule"] == "position_range", "{status} {beyond}");
    let (status, top) = post(&service, "/api/v1/devices", &body(23, 9, "rear")).await?;
    ensure!(status == 201, "{status} {top}");
    let (status, lower) = service.send(Method::PUT, "/api/v1/racks/r9", &json!({ "site": "dc1", "units": 9 })).await?;
    ensure!(status == 422, "a rack was made lower than its devices: {lower}");
    Ok(())
}

#[tokio::test]
async fn rows_of_one_file_take_no_unit_twice_and_may_exchange_places() -> Result<()> {
    let service = service().await?;
    let racks = ["r7", "r8", "r9"];
    for rack in racks {
        service.put(&format!("/api/v1/racks/{rack}"), &json!({ "site": "dc1", "units": 10 })).await?;
    }
    service.put("/api/v1/networks/prod", &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "racks": racks })).await?;
    for (number, rack) in [(31, "r7"), (32, "r8")] {
        // Each server has a second interface, which a row can name, too.
        let macs: Vec<String> = [number, number + 10].map(mac).to_vec();
        let body = json!({ "site": "dc1", "macs": macs, "rack": rack, "position": 5, "venture": "shop", "role": "web" });
        let (status, device) = post(&service, "/api/v1/devices", &body).await?;
        ensure!(status == 201, "{status} {device}");
        let id = device["id"].as_str().context("an id")?;
        service.post(&format!("/api/v1/devices/{id}/verify"), &json!({})).await?;
        wait_for("the device is in the views", Duration::from_secs(30), async || {
            service.get(&format!("/api/v1/devices/{id}")).await.ok()?["verified"].as_bool()?.then_some(())
        })
        .await?;
    }
    let csv = |rows: [(u8, &str); 2]| {
        let rows = rows.map(|(number, rack)| format!("{};prod;shop;web;debian;{rack}\n", mac(number))).concat();
        format!("mac;network;venture;role;boot_image;rack\n{rows}")
    };
    let refused = service.import(csv([(31, "r9"), (32, "r9")]), "same").await.expect_err("both take unit 5").to_string();
    ensure!(refused.contains("rack_unit_taken"), "{refused}");
    let refused = service.import(csv([(31, "r9"), (41, "r9")]), "twice").await.expect_err("one server").to_string();
    ensure!(refused.contains("mac_repeated"), "{refused}");
    let exchanged = service.import(csv([(31, "r8"), (32, "r7")]), "exchanged").await?;
    ensure!(exchanged["rows"][0]["rack"] == "r8" && exchanged["rows"][1]["rack"] == "r7", "{exchanged}");
    Ok(())
}
