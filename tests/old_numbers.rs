//! An installation of an earlier version, in which `ABC1` and `abc1` were two serial numbers: this version starts on it, both
//! devices keep their numbers, and the first one holds the number.

use crate::support::old_database::OldDatabase;
use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use uuid::Uuid;

/// The migration that makes numbers unique without regard to case.
const FOLDED_NUMBERS: i64 = 20_261_130_062_001;

/// The migration after it.
const NEXT: i64 = 20_261_130_062_002;

async fn register(service: &Service, serial: &str) -> Result<(u16, Value)> {
    service.send(Method::POST, "/api/v1/devices", &json!({ "site": "dc1", "name": serial, "serial": serial })).await
}

async fn registered(service: &Service, serial: &str) -> Result<String> {
    let (status, device) = register(service, serial).await?;
    ensure!(status == 201, "{status} {device}");
    Ok(device["id"].as_str().context("an id")?.to_owned())
}

async fn is_held(service: &Service, serial: &str) -> Result<()> {
    let (status, refused) = register(service, serial).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "serial_claimed", "{serial}: {status} {refused}");
    Ok(())
}

/// Registers a device as the earlier version did, which took numbers as they were written.
async fn registered_before(old: &mut OldDatabase, serial: &str) -> Result<String> {
    let id = Uuid::now_v7().to_string();
    let payload = json!({
        "type": "DeviceRegistered", "kind": "physical", "name": serial, "serial": serial, "asset": null, "site": "dc1",
        "rack": null, "position": null, "macs": [], "management": null, "parent": null,
    });
    old.append("device", &id, &payload).await?;
    old.claim("serial", serial, &format!("device {id}")).await?;
    Ok(id)
}

/// Changes a device's number as the earlier version did.
async fn changed_before(old: &mut OldDatabase, id: &str, from: &str, to: &str) -> Result<()> {
    let payload = json!({
        "type": "DeviceChanged", "name": null, "serial": { "old": from, "new": to }, "asset": null, "site": null, "rack": null,
        "position": null, "macs_added": [], "macs_removed": [], "management": null,
    });
    old.append("device", id, &payload).await?;
    old.release("serial", from).await?;
    old.claim("serial", to, &format!("device {id}")).await
}

#[tokio::test]
async fn two_devices_with_numbers_that_differ_in_case_alone_are_kept_and_the_first_one_holds_the_number() -> Result<()> {
    let mut old = OldDatabase::before(FOLDED_NUMBERS).await?;
    let site = json!({
        "type": "SiteDefined",
        "spec": {
            "name": "", "next_server": null, "boot_url": null, "domain": "dc1.example", "zones": ["dc1.example"],
            "hostname_template": null, "dhcp_header": [],
        },
    });
    old.append("site", "dc1", &site).await?;
    let first = registered_before(&mut old, "ABC1").await?;
    let second = registered_before(&mut old, "abc1").await?;
    let third = registered_before(&mut old, "X9").await?;
    let fourth = registered_before(&mut old, "TMP4").await?;
    changed_before(&mut old, &fourth, "TMP4", "x9").await?;
    let service = old.start(Ipv4Addr::LOCALHOST).await?;
    // The log is unaltered, and a rebuild finds the same claims as the migration.
    service.run(&["verify"]).await?;
    service.run(&["rebuild", "--compare"]).await?;

    let (second_path, fourth_path) = (format!("/api/v1/devices/{second}"), format!("/api/v1/devices/{fourth}"));
    for (path, serial) in [(format!("/api/v1/devices/{first}"), "ABC1"), (second_path.clone(), "abc1")] {
        ensure!(service.get(&path).await?["serial"] == serial, "{path} keeps its number");
    }
    is_held(&service, "Abc1").await?;
    // The second device is changed, with its number and without.
    for body in [json!({ "name": "second" }), json!({ "serial": "abc1" }), json!({ "asset": "A2" })] {
        let (status, changed) = service.send(Method::PATCH, &second_path, &body).await?;
        ensure!(status == 200 && changed["serial"] == "abc1", "{body}: {status} {changed}");
    }
    let (status, refused) = service.send(Method::PATCH, &second_path, &json!({ "serial": "Abc1" })).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "serial_claimed", "{status} {refused}");
    let (status, changed) = service.send(Method::PATCH, &second_path, &json!({ "serial": "S2" })).await?;
    ensure!(status == 200, "{status} {changed}");
    is_held(&service, "abc1").await?;

    // The second device of the other pair is decommissioned, then the first.
    let reason = json!({ "reason": "sold" });
    let (status, gone) = service.send(Method::POST, &format!("{fourth_path}/decommission"), &reason).await?;
    ensure!(status == 200, "{status} {gone}");
    is_held(&service, "x9").await?;
    let (status, gone) = service.send(Method::POST, &format!("/api/v1/devices/{third}/decommission"), &reason).await?;
    ensure!(status == 200, "{status} {gone}");
    registered(&service, "x9").await?;

    // A rebuild from the log finds the same holders.
    service.run(&["rebuild"]).await?;
    service.run(&["rebuild", "--compare"]).await?;
    is_held(&service, "aBC1").await?;
    is_held(&service, "X9").await
}

#[tokio::test]
async fn numbers_that_the_views_hold_are_folded_as_a_rebuild_reads_them() -> Result<()> {
    let old = OldDatabase::before(FOLDED_NUMBERS).await?;
    // Devices a and b have the same number. Device c changed the spelling of its number. Device e took the number of device d
    // before d gave it up, and device g took the number of device f after f gave it up.
    sqlx::raw_sql(
        "INSERT INTO views.holdings (kind, value, holder, valid_from, valid_to) VALUES
             ('serial', 'ABC1', 'device a', 1, NULL), ('serial', 'abc1', 'device b', 2, NULL),
             ('serial', 'X9', 'device c', 3, 7), ('serial', 'x9', 'device c', 7, NULL),
             ('serial', 'K1', 'device d', 4, 8), ('serial', 'k1', 'device e', 5, NULL),
             ('serial', 'M1', 'device f', 6, 9), ('serial', 'm1', 'device g', 10, NULL),
             ('asset', 'Ａ1  B', 'device a', 1, NULL);
         INSERT INTO public.claims (kind, value, holder, position)
         SELECT kind, value, holder, valid_from FROM views.holdings WHERE valid_to IS NULL",
    )
    .execute(old.pool())
    .await?;
    old.migrate_before(NEXT).await?;

    let held = "SELECT format('%s %s: %s from %s to %s', kind, value, holder, valid_from, valid_to) FROM views.holdings
                 ORDER BY kind, value, valid_from";
    let held: Vec<String> = sqlx::query_scalar(held).fetch_all(old.pool()).await?;
    let expected = [
        "asset a1 b: device a from 1 to ",
        "serial abc1: device a from 1 to ",
        "serial k1: device d from 4 to 8",
        "serial m1: device f from 6 to 9",
        "serial m1: device g from 10 to ",
        "serial x9: device c from 3 to ",
    ];
    assert_eq!(held, expected);
    let claims = "SELECT format('%s %s: %s', kind, value, holder) FROM public.claims ORDER BY kind, value";
    let claims: Vec<String> = sqlx::query_scalar(claims).fetch_all(old.pool()).await?;
    assert_eq!(claims, ["asset a1 b: device a", "serial abc1: device a", "serial m1: device g", "serial x9: device c"]);
    Ok(())
}
