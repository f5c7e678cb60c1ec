//! A chassis and its blades are one relation, whichever of them reports it; a deployment of the chassis ends it on both sides.

use crate::support::service::{Service, dc1, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);

async fn post(service: &Service, path: &str, body: &Value) -> Result<(u16, Value)> {
    service.send(Method::POST, path, body).await
}

async fn register(service: &Service, body: Value) -> Result<String> {
    let (status, device) = post(service, "/api/v1/devices", &body).await?;
    ensure!(status == 201, "{status} {device}");
    let id = device["id"].as_str().context("an id")?.to_owned();
    post(service, &format!("/api/v1/devices/{id}/verify"), &json!({})).await?;
    Ok(id)
}

async fn device(service: &Service, id: &str) -> Result<Value> {
    service.get(&format!("/api/v1/devices/{id}")).await
}

async fn service() -> Result<(Service, String, String)> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1" })).await?;
    let chassis = json!({ "site": "dc1", "name": "chassis 1", "macs": ["52:54:00:00:00:01"], "venture": "shop", "role": "web" });
    let chassis = register(&service, chassis).await?;
    let blade = json!({
        "site": "dc1", "name": "blade 1", "kind": "blade", "macs": ["52:54:00:00:00:02"], "parent": chassis,
        "venture": "shop", "role": "web",
    });
    let blade = register(&service, blade).await?;
    Ok((service, chassis, blade))
}

fn wanted(device: &str) -> Value {
    json!({ "device": device, "boot_image": "debian", "network": "prod" })
}

#[tokio::test]
async fn a_deployment_of_a_chassis_detaches_the_blades_that_name_it_as_parent() -> Result<()> {
    let (service, chassis, blade) = service().await?;
    ensure!(device(&service, &chassis).await?["sub_devices"] == json!([blade]), "the chassis has the blade");

    // While the blade is being deployed, the chassis cannot be, neither alone nor from a file.
    let (status, busy) = post(&service, "/api/v1/deployments", &wanted(&blade)).await?;
    ensure!(status == 201, "{busy}");
    let (status, refused) = post(&service, "/api/v1/deployments", &wanted(&chassis)).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "sub_device_deploying", "{status} {refused}");
    ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains("blade 1")), "{refused}");
    let csv = json!("mac;network;venture;role;boot_image\n52:54:00:00:00:01;prod;shop;web;debian\n");
    let (status, refused) = post(&service, "/api/v1/imports", &csv).await?;
    let error = &refused["errors"][0];
    ensure!(status == 422 && error["rule"] == "sub_device_deploying" && error["row"] == 2, "{status} {refused}");

    // Messages name holders by the names that operators use.
    let body = json!({ "device": chassis, "boot_image": "debian", "ip": "10.0.0.11", "hostname": "h200.dc1.example" });
    let (status, refused) = post(&service, "/api/v1/deployments", &body).await?;
    let detail = refused["detail"].as_str().context("a detail")?;
    ensure!(status == 422 && detail.contains("blade 1") && !detail.contains(&blade), "{refused}");
    let holder = format!("device {blade}");
    let held = |error: &Value| {
        error["holder"] == holder.as_str() && error["rule"].as_str().is_some_and(|rule| rule.ends_with("_claimed"))
    };
    ensure!(refused["errors"].as_array().is_some_and(|errors| errors.iter().any(held)), "{refused}");
    let busy = busy["id"].as_str().context("an id")?;
    post(&service, &format!("/api/v1/deployments/{busy}/cancel"), &json!({ "reason": "not this one" })).await?;
    let before = service.get("/readyz").await?["views_position"].as_i64().context("a position")?;
    let (status, started) = post(&service, "/api/v1/deployments", &wanted(&chassis)).await?;
    ensure!(status == 201, "{started}");
    wait_for("the clean step has detached the blade", PATIENCE, async || {
        let (chassis, blade) = (device(&service, &chassis).await.ok()?, device(&service, &blade).await.ok()?);
        (chassis["sub_devices"] == json!([]) && blade["parent"].is_null()).then_some(())
    })
    .await?;
    let events = service.get("/api/v1/events?limit=1000").await?;
    let of = |kind: &str| {
        let mut all = events["items"].as_array().into_iter().flatten();
        all.find(|event| event["event_type"] == kind || event["type"] == kind).cloned().unwrap_or_default().to_string()
    };
    ensure!(of("SubDevicesDetached").contains(&blade), "the chassis says so: {events}");
    ensure!(of("DeviceDetached").contains(&chassis), "the blade says so: {events}");
    let then = service.get(&format!("/api/v1/devices/{chassis}?at={before}")).await?;
    ensure!(then["sub_devices"] == json!([blade]), "it was a part before: {then}");
    Ok(())
}

#[tokio::test]
async fn the_inventory_of_a_chassis_and_the_report_of_its_blade_are_equivalent() -> Result<()> {
    let (service, chassis, blade) = service().await?;
    let facts = format!("/api/v1/devices/{chassis}/facts");
    service.put(&facts, &json!({ "sub_devices": [] })).await?;
    ensure!(device(&service, &blade).await?["parent"].is_null(), "it was not found there");
    service.put(&facts, &json!({ "sub_devices": [blade, blade] })).await?;
    ensure!(device(&service, &blade).await?["parent"] == json!(chassis), "it was found there");
    ensure!(device(&service, &chassis).await?["sub_devices"] == json!([blade]));

    let other = register(
        &service,
        json!({ "site": "dc1", "name": "chassis 2", "macs": ["52:54:00:00:00:03"], "venture": "shop", "role": "web" }),
    )
    .await?;
    let unknown = "01920000-0000-7000-8000-000000000009";
    for (parts, rule) in
        [(json!([blade]), "device_has_parent"), (json!([unknown]), "device_unknown"), (json!([other]), "device_own_parent")]
    {
        let path = format!("/api/v1/devices/{other}/facts");
        let (status, refused) = service.send(Method::PUT, &path, &json!({ "sub_devices": parts })).await?;
        ensure!(status == 422 && refused["errors"][0]["rule"] == rule, "{parts}: {status} {refused}");
    }
    let path = format!("/api/v1/devices/{blade}/facts");
    let (status, refused) = service.send(Method::PUT, &path, &json!({ "sub_devices": [chassis] })).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "device_circle", "{status} {refused}");
    let body = json!({ "site": "dc1", "kind": "blade", "macs": ["52:54:00:00:00:04"], "parent": unknown });
    let (status, refused) = post(&service, "/api/v1/devices", &body).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "parent_unknown", "{status} {refused}");
    let body = json!({ "site": "dc1", "kind": "blade", "macs": ["52:54:00:00:00:04"], "parent": blade });
    register(&service, body).await?;
    Ok(())
}

#[tokio::test]
async fn a_sub_device_at_any_depth_and_its_chassis_are_not_deployed_together() -> Result<()> {
    let (service, chassis, blade) = service().await?;
    let node = json!({
        "site": "dc1", "name": "node 1", "kind": "blade", "macs": ["52:54:00:00:00:05"], "parent": blade,
        "venture": "shop", "role": "web",
    });
    let node = register(&service, node).await?;
    let csv = json!(
        "mac;network;venture;role;boot_image\n52:54:00:00:00:01;prod;shop;web;debian\n52:54:00:00:00:05;prod;shop;web;debian\n"
    );
    for path in ["/api/v1/imports?dry_run=true", "/api/v1/imports"] {
        let (status, refused) = post(&service, path, &csv).await?;
        let error = &refused["errors"][0];
        ensure!(status == 422 && error["rule"] == "chassis_in_file" && error["row"] == 3, "{path}: {status} {refused}");
        let message = error["message"].as_str().context("a message")?;
        ensure!(message.contains("chassis 1") && message.contains("row 2"), "{message}");
    }
    let (status, busy) = post(&service, "/api/v1/deployments", &wanted(&node)).await?;
    ensure!(status == 201, "{busy}");
    for above in [&chassis, &blade] {
        let (status, refused) = post(&service, "/api/v1/deployments", &wanted(above)).await?;
        ensure!(status == 422 && refused["errors"][0]["rule"] == "sub_device_deploying", "{status} {refused}");
        ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains("node 1")), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn of_a_chassis_and_its_blade_that_start_at_the_same_moment_the_second_waits_for_the_clean() -> Result<()> {
    let (service, chassis, blade) = service().await?;
    for _ in 0..6 {
        post(&service, &format!("/api/v1/devices/{blade}/unverify"), &json!({})).await?;
        let path = format!("/api/v1/devices/{blade}");
        let (status, attached) = service.send(Method::PATCH, &path, &json!({ "parent": chassis })).await?;
        ensure!(status == 200, "{attached}");
        post(&service, &format!("/api/v1/devices/{blade}/verify"), &json!({})).await?;
        let before = service.get("/readyz").await?["views_position"].as_i64().context("a position")?;
        let barrier = tokio::sync::Barrier::new(2);
        let start = async |device: &str| {
            barrier.wait().await;
            post(&service, "/api/v1/deployments", &wanted(device)).await
        };
        let (first, second) = tokio::join!(start(&chassis), start(&blade));
        let (first, second) = (first?, second?);
        ensure!(first.0 == 201 || second.0 == 201, "{first:?} {second:?}");
        for (status, refused) in [&first, &second] {
            let rule = refused["errors"][0]["rule"].as_str().unwrap_or_default();
            ensure!(*status == 201 || ["chassis_deploying", "sub_device_deploying"].contains(&rule), "{status} {refused}");
        }
        if first.0 == 201 && second.0 == 201 {
            // The blade may start once the chassis's clean plugin has detached it.
            let events = service.get(&format!("/api/v1/events?limit=1000&after={before}")).await?;
            let items = events["items"].as_array().context("events")?;
            let at = |text: &str, of: &str| {
                items.iter().position(|event| {
                    let event = event.to_string();
                    event.contains(text) && event.contains(of)
                })
            };
            let detached = at("\"DeviceDetached\"", &blade).context("the blade is detached")?;
            let started = second.1["id"].as_str().and_then(|id| at("\"DeploymentStarted\"", id)).context("its start")?;
            ensure!(detached < started, "the blade started while it was a part of the chassis: {events}");
        }
        for (status, started) in [&first, &second] {
            if *status == 201 {
                let id = started["id"].as_str().context("an id")?;
                post(&service, &format!("/api/v1/deployments/{id}/cancel"), &json!({ "reason": "again" })).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sub_device_is_where_its_chassis_is_and_moves_with_it() -> Result<()> {
    let (service, chassis, blade) = service().await?;
    let site = json!({ "domain": "dc2.example", "zones": ["dc2.example"] });
    service.put("/api/v1/sites/dc2", &site).await?;
    for (rack, site) in [("r1", "dc1"), ("r2", "dc1"), ("x1", "dc2")] {
        service.put(&format!("/api/v1/racks/{rack}"), &json!({ "site": site, "units": 42 })).await?;
    }
    let patch = async |id: &str, body: Value| service.send(Method::PATCH, &format!("/api/v1/devices/{id}"), &body).await;
    for id in [&chassis, &blade] {
        let (status, moved) = patch(id, json!({ "rack": "r1" })).await?;
        ensure!(status == 200, "{moved}");
    }
    let elsewhere = json!({ "site": "dc2", "kind": "blade", "macs": ["52:54:00:00:00:06"], "parent": chassis });
    let (status, refused) = post(&service, "/api/v1/devices", &elsewhere).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "parent_of_other_site", "{status} {refused}");
    ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains("chassis 1")), "{refused}");
    let (status, refused) = patch(&blade, json!({ "rack": "r2" })).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "parent_of_other_rack", "{status} {refused}");
    let (status, refused) = patch(&blade, json!({ "site": "dc2", "rack": "x1" })).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "parent_of_other_site", "{status} {refused}");

    let (status, moved) = patch(&chassis, json!({ "site": "dc2", "rack": "x1" })).await?;
    ensure!(status == 200, "{moved}");
    let moved = device(&service, &blade).await?;
    ensure!(moved["site"] == "dc2" && moved["rack"] == "x1", "{moved}");
    let (status, circle) = patch(&chassis, json!({ "parent": blade })).await?;
    ensure!(status == 422 && circle["errors"][0]["rule"] == "device_circle", "{status} {circle}");
    let (status, alone) = patch(&blade, json!({ "parent": null })).await?;
    ensure!(status == 200 && alone["parent"].is_null(), "{alone}");
    ensure!(device(&service, &chassis).await?["sub_devices"] == json!([]));
    Ok(())
}

/// Submits a form. Returns the status and text of the page.
async fn form(service: &Service, path: &str, fields: &[(&str, &str)]) -> Result<(u16, String)> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let request = Client::new().post(service.url(path)).bearer_auth(service.token()).timeout(PATIENCE);
    let request = request.header("accept", "text/html").header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body.finish()).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Submits the form of a bulk action, and returns the action's page when it has ended.
async fn carried_out(service: &Service, fields: &[(&str, &str)]) -> Result<String> {
    let (status, page) = form(service, "/devices/bulk/do", fields).await?;
    let id = page.split("/bulk-actions/").nth(1).and_then(|rest| rest.get(..36));
    let path = format!("/bulk-actions/{}", id.with_context(|| format!("no bulk action: {status} {page}"))?);
    wait_for("the bulk action has ended", PATIENCE, async || {
        let page = service.text(&path).await.ok()?;
        cells(&page, "Result").iter().all(|row| !row.contains("badge neutral")).then_some(page)
    })
    .await
}

/// Puts the devices into a rack that the network serves, so that deployments from a list find their addresses.
async fn in_rack(service: &Service, devices: &[&String]) -> Result<()> {
    service.put("/api/v1/racks/r1", &json!({ "site": "dc1", "units": 42 })).await?;
    service.put("/api/v1/networks/prod", &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "racks": ["r1"] })).await?;
    for id in devices {
        let (status, moved) = service.send(Method::PATCH, &format!("/api/v1/devices/{id}"), &json!({ "rack": "r1" })).await?;
        ensure!(status == 200, "{moved}");
    }
    Ok(())
}

#[tokio::test]
async fn a_blade_that_is_put_into_a_chassis_which_is_being_deployed_waits_for_the_end_of_that_deployment() -> Result<()> {
    let (service, chassis, blade) = service().await?;
    in_rack(&service, &[&chassis, &blade]).await?;
    let (status, started) = post(&service, "/api/v1/deployments", &wanted(&chassis)).await?;
    ensure!(status == 201, "{started}");
    wait_for("the clean step has detached the blade", PATIENCE, async || {
        device(&service, &blade).await.ok()?["parent"].is_null().then_some(())
    })
    .await?;
    let path = format!("/api/v1/devices/{blade}");
    let (status, attached) = service.send(Method::PATCH, &path, &json!({ "parent": chassis })).await?;
    ensure!(status == 200, "{attached}");

    let live = format!("deployment {}", started["id"].as_str().context("an id")?);
    let says = |refused: &Value| {
        let error = &refused["errors"][0];
        let message = error["message"].as_str().unwrap_or_default();
        error["holder"] == live.as_str() && message.contains("chassis 1") && !message.contains(&chassis)
    };
    let (status, refused) = post(&service, "/api/v1/deployments", &wanted(&blade)).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "chassis_deploying" && says(&refused), "{status} {refused}");
    let csv = json!("mac;network;venture;role;boot_image\n52:54:00:00:00:02;prod;shop;web;debian\n");
    for path in ["/api/v1/imports?dry_run=true", "/api/v1/imports"] {
        let (status, refused) = post(&service, path, &csv).await?;
        ensure!(status == 422 && refused["errors"][0]["rule"] == "chassis_deploying" && says(&refused), "{status} {refused}");
    }
    let chosen =
        [("what", "deploy"), ("list", "/devices"), ("boot_image", "debian"), ("id", blade.as_str()), ("do", blade.as_str())];
    let (_, planned) = form(&service, "/devices/bulk", &chosen).await?;
    let done = carried_out(&service, &chosen).await?;
    for (page, label, badge) in [(planned, "Planned change", "badge neutral"), (done, "Result", "badge bad")] {
        let found = cells(&page, label);
        ensure!(found.len() == 1, "{label}: {page}");
        ensure!(found[0].contains(badge) && found[0].contains("chassis 1"), "{label}: {}", found[0]);
    }

    let id = started["id"].as_str().context("an id")?;
    post(&service, &format!("/api/v1/deployments/{id}/cancel"), &json!({ "reason": "the blade goes first" })).await?;
    let (status, started) = post(&service, "/api/v1/deployments", &wanted(&blade)).await?;
    ensure!(status == 201, "{started}");
    Ok(())
}

#[tokio::test]
async fn a_chassis_and_its_sub_devices_that_are_chosen_in_a_list_are_not_deployed_together() -> Result<()> {
    let (service, chassis, blade) = service().await?;
    let node = json!({
        "site": "dc1", "name": "node 1", "kind": "blade", "macs": ["52:54:00:00:00:05"], "parent": blade,
        "venture": "shop", "role": "web",
    });
    let node = register(&service, node).await?;
    in_rack(&service, &[&chassis, &blade, &node]).await?;
    // A problem of the chassis itself is reported for the chassis.
    service.put("/api/v1/sites/dc2", &json!({ "domain": "dc2.example", "zones": ["dc2.example"] })).await?;
    let path = format!("/api/v1/devices/{chassis}");
    let (status, refused) = service.send(Method::PATCH, &path, &json!({ "site": "dc2" })).await?;
    ensure!(status == 422 && refused["errors"][0]["rule"] == "rack_of_other_site", "{status} {refused}");
    ensure!(!refused["detail"].as_str().unwrap_or_default().contains("sub-device"), "{refused}");
    // The blade between them is not selected.
    let chosen =
        [("what", "deploy"), ("list", "/devices"), ("boot_image", "debian"), ("id", chassis.as_str()), ("id", node.as_str())];
    let (status, page) = form(&service, "/devices/bulk", &chosen).await?;
    ensure!(status == 200 && page.contains("1 of 2"), "{status} {page}");
    let rows = cells(&page, "Planned change");
    ensure!(rows.len() == 2 && !rows[0].contains("badge neutral"), "the chassis can be deployed: {page}");
    ensure!(rows[1].contains("badge neutral") && rows[1].contains("chassis 1"), "the node is left out: {page}");
    // The node may be deployed even if the chassis cannot be.
    post(&service, &format!("/api/v1/devices/{chassis}/unverify"), &json!({})).await?;
    let (status, page) = form(&service, "/devices/bulk", &chosen).await?;
    ensure!(status == 200 && page.contains("1 of 2"), "{status} {page}");
    let rows = cells(&page, "Planned change");
    ensure!(rows.len() == 2 && rows[0].contains("badge neutral") && !rows[1].contains("badge neutral"), "{page}");
    post(&service, &format!("/api/v1/devices/{chassis}/verify"), &json!({})).await?;

    // A form that selects both and the blade: each row is started, or refused with a reason.
    let all = [&chassis, &blade, &node];
    let chosen: Vec<(&str, &str)> = [("what", "deploy"), ("list", "/devices"), ("boot_image", "debian")]
        .into_iter()
        .chain(all.map(|id| ("do", id.as_str())))
        .collect();
    let page = carried_out(&service, &chosen).await?;
    let rows = cells(&page, "Result");
    ensure!(rows.len() == 3 && rows.iter().any(|row| row.contains("badge good")), "{page}");
    for row in rows {
        let names_relative = ["chassis 1", "blade 1", "node 1"].iter().any(|name| row.contains(name));
        ensure!(row.contains("badge good") != row.contains("badge bad"), "{row}");
        ensure!(row.contains("/deployments/") != (row.contains("badge bad") && names_relative), "{row}");
    }
    Ok(())
}

/// The content of each cell with this label in a page's table.
fn cells<'a>(page: &'a str, label: &str) -> Vec<&'a str> {
    let begin = format!("data-label=\"{label}\"");
    page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split("</td>").next()).collect()
}
