//! Two devices with the same management controller would switch each other's server: no registration or change can cause that.

use crate::support::service::{Service, dc1};
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

async fn service() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    Ok(service)
}

fn device(serial: &str, management: &Value) -> Value {
    json!({ "site": "dc1", "name": format!("server {serial}"), "serial": serial, "management": management })
}

async fn register(service: &Service, serial: &str, management: Value) -> Result<String> {
    service.create("/api/v1/devices", &device(serial, &management)).await
}

async fn refused(service: &Service, serial: &str, management: Value, owner: &str) -> Result<()> {
    let message = register(service, serial, management.clone()).await;
    let message = message.err().with_context(|| format!("{management} was accepted"))?.to_string();
    ensure!(
        message.contains("controller_shared") && message.contains(&format!("controller of server {owner}")),
        "{management}: {message}"
    );
    Ok(())
}

#[tokio::test]
async fn a_controller_belongs_to_one_device_however_it_is_written() -> Result<()> {
    let service = service().await?;
    let first = register(&service, "one", json!({ "address": "10.0.9.1" })).await?;
    for same in [
        json!({ "address": "10.0.9.1" }),
        json!({ "address": "::ffff:10.0.9.1" }),
        json!({ "address": "10.0.9.1", "port": 623 }),
        json!({ "address": "10.0.9.1", "protocol": "redfish" }),
        json!({ "address": "10.0.9.1", "protocol": "redfish", "system": "1" }),
    ] {
        refused(&service, "two", same, "one").await?;
    }
    // Other controllers: behind a forwarded port, by IPv6, and by name, each in its own spellings.
    register(&service, "forwarded", json!({ "address": "10.0.9.1", "port": 6230 })).await?;
    register(&service, "six", json!({ "address": "[FD00:0:0::9:1]", "protocol": "redfish" })).await?;
    refused(&service, "two", json!({ "address": "fd00::9:1" }), "six").await?;
    register(&service, "named", json!({ "address": "LOCALHOST.", "port": 6231 })).await?;
    refused(&service, "two", json!({ "address": "localhost", "port": 6231 }), "named").await?;
    refused(&service, "two", json!({ "address": "127.0.0.1", "port": 6231 }), "named").await?;
    register(&service, "address", json!({ "address": "127.0.0.1", "port": 6232 })).await?;
    refused(&service, "two", json!({ "address": "localhost", "port": 6232 }), "address").await?;
    // A controller of several servers has one system for each.
    let blade = |system: Value| json!({ "address": "10.0.9.2", "protocol": "redfish", "system": system });
    register(&service, "blade a", blade(json!("Blade1"))).await?;
    register(&service, "blade b", blade(json!("Blade2"))).await?;
    for system in [json!("blade1"), json!("/redfish/v1/Systems/Blade1/"), Value::Null] {
        refused(&service, "two", blade(system), "blade a").await?;
    }
    // A change of a device is checked like a registration, and a device may keep what it already has.
    let two = register(&service, "two", json!({ "address": "10.0.9.3" })).await?;
    let path = format!("/api/v1/devices/{two}");
    let message =
        service.patch(&path, &json!({ "management": { "address": "10.0.9.1" } })).await.expect_err("it is shared").to_string();
    ensure!(message.contains("controller_shared") && message.contains("server one"), "{message}");
    service.patch(&path, &json!({ "management": { "address": "10.0.9.3", "credentials": null } })).await?;
    service.patch(&path, &json!({ "name": "again", "management": { "address": "10.0.9.3", "boot_mode": "uefi" } })).await?;
    // An address that a device gave up is free again.
    service.patch(&path, &json!({ "management": { "address": "10.0.9.4" } })).await?;
    register(&service, "three", json!({ "address": "10.0.9.3" })).await?;
    service.post(&format!("/api/v1/devices/{first}/decommission"), &json!({ "reason": "sold" })).await?;
    register(&service, "four", json!({ "address": "10.0.9.1" })).await?;
    for wrong in ["fe80::1%eth0", "https://10.0.9.9/", "10.0.9.9:443", "10.0.9", ""] {
        register(&service, "wrong", json!({ "address": wrong })).await.expect_err(wrong);
    }
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}

#[tokio::test]
async fn of_registrations_at_the_same_moment_one_gets_the_controller() -> Result<()> {
    let service = service().await?;
    let tries = (0..16).map(|n| {
        let address = if n % 2 == 0 { "localhost" } else { "127.0.0.1" };
        let device = device(&format!("{n}"), &json!({ "address": address, "port": 6230 }));
        let service = &service;
        async move { service.post("/api/v1/devices", &device).await }
    });
    let answers = join_all(tries).await;
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    let message: Vec<String> = answers.iter().filter_map(|answer| Some(answer.as_ref().err()?.to_string())).collect();
    ensure!(accepted == 1 && message.iter().all(|message| message.contains("controller_shared")), "{message:#?}");
    Ok(())
}

#[tokio::test]
async fn a_csv_or_catalogue_cannot_assign_a_controller_twice() -> Result<()> {
    let service = service().await?;
    register(&service, "one", json!({ "address": "10.0.9.1" })).await?;
    let head = "mac;network;venture;role;boot_image;management_ip";
    let row = |n: u8, address: &str| format!("52:54:00:00:00:{n:02x};prod;shop;web;debian;{address}");
    let import = async |rows: &[String]| service.import(format!("{head}\n{}\n", rows.join("\n")), &rows.concat()).await;
    for (rows, rule, named) in [
        (vec![row(1, "10.0.9.7"), row(2, "10.0.9.7")], "management_ip_repeated", ""),
        (vec![row(1, "fd00::7"), row(2, "[FD00:0::7]")], "management_ip_repeated", ""),
        (vec![row(1, "10.0.9.1")], "controller_shared", "server one"),
        (vec![row(1, "bmc1.example")], "management_ip_invalid", "bmc1.example"),
    ] {
        let message = import(&rows).await.expect_err("it is refused").to_string();
        ensure!(message.contains(rule) && message.contains(named), "{rows:?}: {message}");
    }
    import(&[row(1, "10.0.9.7"), row(2, "fd00::8")]).await?;
    let message = register(&service, "two", json!({ "address": "fd00::8" })).await.expect_err("it is the row's").to_string();
    ensure!(message.contains("controller_shared"), "{message}");

    let catalogue =
        |address: &str| json!({ "devices": [{ "site": "dc1", "serial": "C-1", "management": { "address": address } }] });
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("catalogue.yaml");
    for (address, accepted, holder) in [("10.0.9.1", false, "server one"), ("fd00::0:8", false, ""), ("10.0.9.9", true, "")] {
        std::fs::write(&file, catalogue(address).to_string())?;
        let loaded = service.run(&["import", "--catalogue", file.to_str().context("a path")?]).await;
        ensure!(loaded.is_ok() == accepted, "{address}: {loaded:?}");
        if let Err(message) = loaded {
            let message = format!("{message:#}");
            ensure!(message.contains("management.address") && message.contains(holder), "{message}");
        }
    }
    Ok(())
}
