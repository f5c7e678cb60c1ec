//! An installation of a version in which `ABC1` and `abc1` were two serial numbers: this version starts on it, and the first of
//! two devices keeps its number.

use crate::support::postgres::execute;
use crate::support::rules::check_rules;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

async fn answer(service: &Service, method: Method, path: &str, body: &Value) -> Result<(u16, Value)> {
    let request = Client::new().request(method.clone(), service.url(path)).bearer_auth(service.token()).json(body);
    let answer = request.send().await?;
    let (status, body) = (answer.status().as_u16(), answer.json().await?);
    check_rules(&method, path, status, &body);
    Ok((status, body))
}

async fn register(service: &Service, serial: &str) -> Result<(u16, Value)> {
    answer(service, Method::POST, "/api/v1/devices", &json!({ "site": "dc1", "name": serial, "serial": serial })).await
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

/// Rewrites a device's number as it was stored when a different spelling was a different number.
async fn rewrite(service: &Service, id: &str, old: &str, new: &str) -> Result<()> {
    let payload = json!({
        "type": "DeviceChanged", "serial": { "old": old, "new": new }, "asset": null, "name": null, "site": null, "rack": null,
        "position": null, "macs_added": [], "macs_removed": [], "management": null,
    });
    service.store("device", id, "DeviceChanged", &payload).await?;
    wait_for("the device has the number", Duration::from_secs(20), async || {
        let device = service.get(&format!("/api/v1/devices/{id}")).await.ok()?;
        (device["serial"] == new).then_some(())
    })
    .await
}

/// Restores the database to the state before these migrations.
async fn take_back(service: &Service, held: &[(&str, &str)]) -> Result<()> {
    let rows: Vec<String> = held.iter().map(|(serial, id)| format!("('serial', '{serial}', 'device {id}', 1)")).collect();
    let rows = rows.join(", ");
    let statement = format!(
        "DELETE FROM public.claims WHERE kind = 'serial';
         INSERT INTO public.claims (kind, value, holder, position)
         SELECT kind, value, holder, (SELECT max(position) FROM public.events e WHERE 'device ' || e.aggregate_id = holder)
           FROM (VALUES {rows}) AS held (kind, value, holder, one);
         DELETE FROM views.holdings WHERE kind = 'serial';
         INSERT INTO views.holdings (kind, value, holder, valid_from)
         SELECT kind, value, holder, position FROM public.claims WHERE kind = 'serial';
         DROP INDEX views.catalogue_now_addresses;
         DROP FUNCTION public.addresses_in;
         ALTER TABLE views.timeline ADD COLUMN sentence text NOT NULL DEFAULT '';
         ALTER TABLE views.plugin_runs ALTER COLUMN reason TYPE text USING reason #>> '{{}}';
         ALTER TABLE views.deployments ALTER COLUMN ended_by TYPE text USING ended_by #>> '{{}}';
         DELETE FROM public._sqlx_migrations WHERE version >= 20261130062001"
    );
    execute(&service.database().url(), &statement).await
}

#[tokio::test]
async fn two_devices_with_numbers_that_differ_in_case_alone_are_kept_and_the_first_one_holds_the_number() -> Result<()> {
    let mut service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service
        .define(&json!({ "domain": "dc1.example", "zones": ["dc1.example"] }), &json!({ "cidr": "10.0.0.0/24", "site": "dc1" }))
        .await?;
    let first = registered(&service, "ABC1").await?;
    let second = registered(&service, "TMP2").await?;
    rewrite(&service, &second, "TMP2", "abc1").await?;
    let third = registered(&service, "X9").await?;
    let fourth = registered(&service, "TMP4").await?;
    rewrite(&service, &fourth, "TMP4", "x9").await?;
    service.kill()?;
    take_back(&service, &[("ABC1", &first), ("abc1", &second), ("X9", &third), ("x9", &fourth)]).await?;
    service.kill_and_restart().await?;

    let (second_path, fourth_path) = (format!("/api/v1/devices/{second}"), format!("/api/v1/devices/{fourth}"));
    for (path, serial) in [(format!("/api/v1/devices/{first}"), "ABC1"), (second_path.clone(), "abc1")] {
        ensure!(service.get(&path).await?["serial"] == serial, "{path} keeps its number");
    }
    is_held(&service, "Abc1").await?;
    // The second device is changed, with its number and without.
    for body in [json!({ "name": "second" }), json!({ "serial": "abc1" }), json!({ "asset": "A2" })] {
        let (status, changed) = answer(&service, Method::PATCH, &second_path, &body).await?;
        ensure!(status == 200 && changed["serial"] == "abc1", "{body}: {status} {changed}");
    }
    let (status, refused) = answer(&service, Method::PATCH, &second_path, &json!({ "serial": "Abc1" })).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "serial_claimed", "{status} {refused}");
    let (status, changed) = answer(&service, Method::PATCH, &second_path, &json!({ "serial": "S2" })).await?;
    ensure!(status == 200, "{status} {changed}");
    is_held(&service, "abc1").await?;

    // The second device of the other pair is decommissioned, then the first.
    let reason = json!({ "reason": "sold" });
    let (status, gone) = answer(&service, Method::POST, &format!("{fourth_path}/decommission"), &reason).await?;
    ensure!(status == 200, "{status} {gone}");
    is_held(&service, "x9").await?;
    let (status, gone) = answer(&service, Method::POST, &format!("/api/v1/devices/{third}/decommission"), &reason).await?;
    ensure!(status == 200, "{status} {gone}");
    registered(&service, "x9").await?;

    // A rebuild from the log finds the same holders.
    service.run(&["rebuild"]).await?;
    service.run(&["rebuild", "--compare"]).await?;
    is_held(&service, "aBC1").await?;
    is_held(&service, "X9").await
}
