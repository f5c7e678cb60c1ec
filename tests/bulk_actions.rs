//! Bulk actions: the rows have the rights of the caller who starts or retries the action, and a power order is done only if its
//! controller carried it out.

use crate::support::bmc::{IpmiSim, PASSWORD};
use crate::support::command_service::{TestService, context, read};
use crate::support::service::{Service, dc1, wait_for};
use anyhow::{Context as _, Result, ensure};
use bootledger::event_log::catch_up::catch_up;
use bootledger::workers::BackgroundWork;
use bootledger::workers::bulk::BulkWorker;
use bootledger_aggregates::bulk::BulkAction;
use bootledger_aggregates::values::ids::{BulkId, DeviceId};
use bootledger_port::{BulkOrder, CatalogueAction, Command, Commands, Context, DeviceAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::bulk::{self, BulkView};
use reqwest::Method;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::sync::watch;

/// How long a step may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(3);

async fn service() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1" })).await?;
    Ok(service)
}

/// Starts a bulk action on a device and returns its path.
async fn start(service: &Service, change: &Value, device: &str) -> Result<String> {
    let id = service.create("/api/v1/bulk-actions", &json!({ "change": change, "ids": [device] })).await?;
    Ok(format!("/api/v1/bulk-actions/{id}"))
}

/// The bulk action once this attempt has ended.
async fn ended(service: &Service, path: &str, attempt: u32) -> Result<Value> {
    wait_for("the bulk action has ended", PATIENCE, async || {
        let shown = service.get(path).await.ok()?;
        (shown["attempt"] == attempt && !shown["ended_at"].is_null()).then_some(shown)
    })
    .await
}

/// The first reason of the first row, with its rule.
fn reason(action: &Value) -> (&str, &str) {
    let reason = &action["rows"][0]["result"]["reasons"][0];
    (reason["rule"].as_str().unwrap_or_default(), reason["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn the_rows_of_a_retry_have_the_name_and_the_rights_of_the_caller_who_retries() -> Result<()> {
    let service = service().await?;
    let device = service.create("/api/v1/devices", &json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"] })).await?;
    let path = start(&service, &json!({ "action": "verify" }), &device).await?;
    let refused = ended(&service, &path, 1).await?;
    ensure!(refused["counts"]["refused"] == 1 && reason(&refused).0 == "venture_missing", "{refused}");

    service.patch(&format!("/api/v1/devices/{device}"), &json!({ "venture": "shop", "role": "web" })).await?;
    let operator = service.run(&["token", "create", "ops", "--role", "operator"]).await?;
    let (status, retried) = service.send_as(operator.trim(), Method::POST, &format!("{path}/retry"), &json!({})).await?;
    ensure!(status == 200, "{status} {retried}");
    let done = ended(&service, &path, 2).await?;
    ensure!(done["counts"]["done"] == 1 && done["retried_by"] == "token ops", "{done}");
    ensure!(done["rows"][0]["attempt"] == 2, "{done}");
    let events = service.get(&format!("/api/v1/events?aggregate=device/{device}&limit=1000")).await?;
    let verified = events["items"].as_array().into_iter().flatten().find(|event| event["type"] == "DeviceVerified");
    ensure!(verified.is_some_and(|event| event.to_string().contains("token ops")), "{events}");
    Ok(())
}

#[tokio::test]
async fn a_power_order_that_the_controller_refuses_is_not_done_and_an_edit_keeps_the_address_of_the_controller() -> Result<()> {
    let (service, sim) = (service().await?, IpmiSim::start().await?);
    service.write_secret("bmc", &format!("admin:{PASSWORD}\n"))?;
    service.write_secret("wrong", "admin:open-barley\n")?;
    let scope = json!({ "networks": ["127.0.0.1/32"], "protocols": ["ipmi"], "ports": [sim.port], "sites": ["dc1"] });
    for secret in ["bmc", "wrong"] {
        service.put(&format!("/api/v1/secrets/{secret}"), &scope).await?;
    }
    let management = json!({ "address": "127.0.0.1", "protocol": "ipmi", "credentials": "wrong", "port": sim.port });
    let device = json!({
        "site": "dc1", "macs": ["52:54:00:00:00:01"], "venture": "shop", "role": "web", "management": management,
    });
    let device = service.register(&device).await?;

    let off = json!({ "action": "power", "power": "off" });
    let path = start(&service, &off, &device).await?;
    let refused = ended(&service, &path, 1).await?;
    let (rule, message) = reason(&refused);
    ensure!(rule == "controller_failed" && message.contains("refused user admin"), "{refused}");
    assert_eq!(sim.orders(), [""; 0]);

    let edit = start(&service, &json!({ "action": "edit", "credentials": "bmc" }), &device).await?;
    let edited = ended(&service, &edit, 1).await?;
    ensure!(edited["counts"]["done"] == 1, "{edited}");
    let shown = service.get(&format!("/api/v1/devices/{device}")).await?["management"].clone();
    let expected = json!({ "address": "127.0.0.1", "protocol": "ipmi", "credentials": "bmc", "port": sim.port });
    assert_eq!(shown, expected);

    service.post(&format!("{path}/retry"), &json!({})).await?;
    let done = ended(&service, &path, 2).await?;
    ensure!(done["counts"]["done"] == 1, "{done}");
    assert_eq!(sim.orders(), ["set power 0"]);

    // A locked device does not boot from the network.
    service.post(&format!("/api/v1/devices/{device}/lock"), &json!({ "reason": "holds the only copy" })).await?;
    let install = json!({ "action": "power", "power": "on", "network_boot": true });
    let locked = ended(&service, &start(&service, &install, &device).await?, 1).await?;
    ensure!(reason(&locked).0 == "device_locked", "{locked}");
    assert_eq!(sim.orders(), ["set power 0"]);
    Ok(())
}

/// A command service with some devices of a site that can be verified.
async fn commands(devices: u8) -> Result<(TestService, Vec<DeviceId>)> {
    let service = TestService::empty(8).await?;
    let site = read(json!({ "domain": "dc1.example", "zones": ["dc1.example"] }))?;
    service.execute(Command::Catalogue(CatalogueAction::DefineSite("dc1".parse()?, site))).await?;
    service.execute(Command::Catalogue(CatalogueAction::DefineBootImage("debian".parse()?, read(json!({}))?))).await?;
    let mut registered = vec![service.server_of_shop(json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"] })).await?];
    for number in 2..=devices {
        let spec = read(json!({ "site": "dc1", "macs": [format!("52:54:00:00:00:{number:02x}")] }))?;
        let (venture, role) = (Some("shop".parse()?), Some("web".parse()?));
        let register = DeviceAction::RegisterDevice { spec, venture, role };
        registered.push(service.execute(Command::Device(register)).await?.parse()?);
    }
    Ok((service, registered))
}

/// Starts a bulk action on these devices in the name of an actor.
async fn start_as(service: &TestService, actor: &str, action: BulkAction, devices: &[DeviceId]) -> Result<BulkId> {
    let ids = devices.iter().map(|device| device.0).collect();
    let order = BulkOrder::StartBulk { action: Box::new(action), ids, list: String::new() };
    let context = Context { actor: actor.to_owned(), ..context() };
    let id = service.commands.execute(Command::Bulk(order), context).await?.id.parse()?;
    catch_up(&service.pool, &service.feed).await?;
    Ok(id)
}

/// Begins the turns of a worker, and waits until they have ended.
async fn turn(service: &TestService) -> Result<()> {
    let (_stopping, stop) = watch::channel(false);
    let mut worker = BulkWorker::new(service.commands.clone(), stop);
    worker.pass().await?;
    worker.stop().await;
    Ok(())
}

async fn found(service: &TestService, id: BulkId) -> Result<BulkView> {
    catch_up(&service.pool, &service.feed).await?;
    Ok(bulk::find(&service.pool, id, At::Now).await?.context("the bulk action")?.spec)
}

#[tokio::test]
async fn an_action_of_a_token_that_is_no_longer_valid_stops_and_says_why() -> Result<()> {
    let (service, devices) = commands(1).await?;
    let id = start_as(&service, "token ops", BulkAction::Unverify {}, &devices).await?;
    turn(&service).await?;
    let view = found(&service, id).await?;
    let started = view.bulk.started().context("started")?;
    let reason = started.stop_reason.as_ref().map(ToString::to_string).unwrap_or_default();
    ensure!(started.stopped && reason.contains("token ops"), "{started:?}");
    assert_eq!((view.counts.waiting, view.counts.done), (1, 0), "nothing is done in the name of the token");
    // Another actor works through the rest.
    service.commands.execute(Command::Bulk(BulkOrder::RetryBulk(id)), context()).await?;
    catch_up(&service.pool, &service.feed).await?;
    turn(&service).await?;
    assert_eq!(found(&service, id).await?.counts.done, 1);
    Ok(())
}

#[tokio::test]
async fn two_workers_at_once_change_each_row_once() -> Result<()> {
    let (service, devices) = commands(12).await?;
    let id = start_as(&service, "test", BulkAction::Verify {}, &devices).await?;
    let (one, other) = tokio::join!(turn(&service), turn(&service));
    one?;
    other?;
    let view = found(&service, id).await?;
    assert_eq!((view.counts.done, view.counts.refused), (devices.len(), 0), "{view:?}");
    let sql = "SELECT count(*) FROM events WHERE event_type = 'DeviceVerified'";
    let verified: i64 = sqlx::query_scalar(sql).fetch_one(&service.pool).await?;
    // The first server is verified already, and its row changes nothing.
    assert_eq!(verified, i64::try_from(devices.len())?);
    Ok(())
}
