//! Servers are restarted through their management controllers: once, from the network, and without showing the credentials
//! anywhere.

use crate::support::bmc::{Emulator, IpmiSim, PASSWORD, SYSTEM};
use crate::support::service::{Service, dc1, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long a step may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(3);

const IP: &str = "10.0.0.11";

async fn service_with_catalogue() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.write_secret("bmc", &format!("admin:{PASSWORD}\n"))?;
    service.write_secret("wrong", "admin:open-barley\n")?;
    service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    Ok(service)
}

fn ipmi(sim: &IpmiSim) -> Value {
    json!({ "address": "127.0.0.1", "protocol": "ipmi", "credentials": "bmc", "port": sim.port })
}

fn redfish(emulator: &Emulator) -> Value {
    let (port, tls) = (emulator.port, &emulator.fingerprint);
    json!({ "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port, "tls": tls })
}

/// Creates a verified server with this controller and returns its path.
async fn device(service: &Service, management: Value) -> Result<String> {
    let mut device = json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"], "serial": "S-1", "venture": "shop", "role": "web" });
    if !management.is_null() {
        let scope = json!({
            "networks": ["127.0.0.1/32"], "protocols": [management["protocol"]], "ports": [management["port"]], "sites": ["dc1"],
        });
        for secret in ["bmc", "wrong"] {
            service.put(&format!("/api/v1/secrets/{secret}"), &scope).await?;
        }
        device["management"] = management;
    }
    let id = service.register(&device).await?;
    Ok(format!("/api/v1/devices/{id}"))
}

/// Starts a deployment of the server, confirms its DHCP entry and returns the deployment's path.
async fn deploy(service: &Service, device: &str) -> Result<String> {
    let wanted = json!({ "device": device.rsplit('/').next(), "boot_image": "debian", "network": "prod" });
    let path = service.start_deployment(&wanted).await?;
    service.confirm_entry(&path, PATIENCE).await?;
    Ok(path)
}

async fn plugin(service: &Service, deployment: &str, name: &str) -> Option<Value> {
    let plugins = service.get(deployment).await.ok()?["plugins"].as_array()?.clone();
    plugins.into_iter().find(|plugin| plugin["plugin"] == name)
}

async fn reboot_is(service: &Service, deployment: &str, status: &str) -> Result<Value> {
    let what = format!("the plugin reboot is {status}");
    let found = wait_for(&what, PATIENCE, async || {
        plugin(service, deployment, "reboot").await.filter(|plugin| plugin["status"] == status)
    })
    .await;
    match found {
        Ok(plugin) => Ok(plugin),
        Err(error) => Err(error.context(format!("{:?}\n{}", plugin(service, deployment, "reboot").await, service.log()?))),
    }
}

/// The types of a device's power events.
async fn power_events(service: &Service, device: &str) -> Result<Vec<String>> {
    let id = device.rsplit('/').next().unwrap_or_default();
    let events = service.get(&format!("/api/v1/events?aggregate=device/{id}&limit=1000")).await?;
    let types = events["items"].as_array().context("items")?.iter().filter_map(|event| event["type"].as_str());
    Ok(types.filter(|name| name.starts_with("Power")).map(str::to_owned).collect())
}

/// Requests the server's boot script, as the server does after it restarted from the network.
async fn boots(service: &Service) -> Result<()> {
    wait_for("the server gets its script", PATIENCE, async || {
        let requested = reqwest::Client::new().get(service.url("/pxe/")).header("X-Forwarded-For", IP).send().await.ok()?;
        requested.text().await.ok()?.contains("h200.dc1.example").then_some(())
    })
    .await
}

/// Neither the password nor its encoding for Basic authentication is in the log, in an event, or in an answer of the API.
async fn password_appears_nowhere(service: &Service, device: &str, deployment: &str) -> Result<()> {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("admin:{PASSWORD}"));
    let exported = service.run(&["export"]).await?;
    let answers = [service.get(device).await?, service.get(deployment).await?, service.get("/api/v1/events?limit=1000").await?];
    let answers: String = answers.iter().map(Value::to_string).collect();
    for (what, text) in [("the log", service.log()?), ("an event", exported), ("an answer", answers)] {
        ensure!(!text.contains(PASSWORD) && !text.contains(&basic), "the password is in {what}");
    }
    Ok(())
}

#[tokio::test]
async fn a_deployed_server_is_restarted_into_the_network_by_ipmi_once() -> Result<()> {
    let (service, sim) = (service_with_catalogue().await?, IpmiSim::start().await?);
    let device = device(&service, ipmi(&sim)).await?;
    let deployment = deploy(&service, &device).await?;
    reboot_is(&service, &deployment, "succeeded").await?;
    assert_eq!(sim.orders(), ["set boot pxe", "set power 0", "set power 1"]);
    assert_eq!(power_events(&service, &device).await?, ["PowerRequested", "PowerConfirmed"]);
    let arguments = sim.arguments_seen();
    ensure!(arguments.contains("ipmitool -v -I lanplus -H 127.0.0.1"), "no ipmitool was seen at work");
    ensure!(!arguments.contains(PASSWORD), "the password was among the arguments of a process");
    let id = deployment.rsplit('/').next().unwrap_or_default();
    let history = service.get(&format!("/api/v1/deployments/{id}/events")).await?;
    let of_plugin = history["items"].as_array().into_iter().flatten().filter(|line| line["actor"] == "plugin reboot");
    let of_power = of_plugin.filter(|line| line["aggregate_type"] == "device" && line["sentence"].is_string());
    let types: Vec<&str> = of_power.filter_map(|line| line["event_type"].as_str()).collect();
    assert_eq!(types, ["PowerRequested", "PowerConfirmed"], "{history}");
    password_appears_nowhere(&service, &device, &deployment).await?;
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_deployed_server_is_restarted_into_the_network_by_redfish_once() -> Result<()> {
    let (service, emulator) = (service_with_catalogue().await?, Emulator::start().await?);
    let device = device(&service, redfish(&emulator)).await?;
    let deployment = deploy(&service, &device).await?;
    reboot_is(&service, &deployment, "succeeded").await?;
    let system = format!("/redfish/v1/Systems/{SYSTEM}");
    assert_eq!(emulator.orders(), [format!("PATCH {system}"), format!("POST {system}/Actions/ComputerSystem.Reset")]);
    let found = emulator.system()?;
    assert_eq!((&found["PowerState"], &found["Boot"]["BootSourceOverrideTarget"]), (&json!("On"), &json!("Pxe")));
    assert_eq!(power_events(&service, &device).await?, ["PowerRequested", "PowerConfirmed"]);
    password_appears_nowhere(&service, &device, &deployment).await
}

#[tokio::test]
async fn killed_while_the_controller_works_the_service_does_not_restart_the_server_again() -> Result<()> {
    let (mut service, sim) = (service_with_catalogue().await?, IpmiSim::start().await?);
    let device = device(&service, ipmi(&sim)).await?;
    sim.hold()?;
    let deployment = deploy(&service, &device).await?;
    wait_for("the controller gets the order to restart the server", PATIENCE, async || {
        sim.orders().contains(&"set power 0".to_owned()).then_some(())
    })
    .await?;
    service.kill_and_restart().await?;
    sim.release()?;
    let waits = reboot_is(&service, &deployment, "waiting").await?;
    ensure!(waits["waiting_for"]["code"] == "controller_restart", "{waits}");
    assert_eq!(power_events(&service, &device).await?, ["PowerRequested"]);
    boots(&service).await?;
    reboot_is(&service, &deployment, "succeeded").await?;
    // The controller continues with the order that it received before the service was killed.
    wait_for("the controller has switched the server on again", PATIENCE, async || {
        sim.orders().contains(&"set power 1".to_owned()).then_some(())
    })
    .await?;
    assert_eq!(sim.orders(), ["set boot pxe", "set power 0", "set power 1"]);
    Ok(())
}

#[tokio::test]
async fn a_server_that_boots_already_is_not_restarted() -> Result<()> {
    let (service, sim) = (service_with_catalogue().await?, IpmiSim::start().await?);
    let mut management = ipmi(&sim);
    management["credentials"] = json!("wrong");
    let device = device(&service, management).await?;
    let deployment = deploy(&service, &device).await?;
    let failed = reboot_is(&service, &deployment, "failed").await?;
    let refused = json!({ "code": "credentials", "controller": "127.0.0.1", "user": "admin" });
    assert_eq!(failed["failure"], json!({ "code": "controller", "failure": refused }));
    assert_eq!(failed["reason"], "the management controller 127.0.0.1 refused user admin: wrong name or password");
    assert_eq!(power_events(&service, &device).await?, [""; 0], "nothing was ordered");
    boots(&service).await?;
    service.post(&format!("{deployment}/plugins/reboot/retry"), &json!({})).await?;
    reboot_is(&service, &deployment, "succeeded").await?;
    assert_eq!(sim.orders(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn without_a_controller_a_deployment_waits_for_an_operator() -> Result<()> {
    let service = service_with_catalogue().await?;
    let device = device(&service, Value::Null).await?;
    let deployment = deploy(&service, &device).await?;
    let waits = reboot_is(&service, &deployment, "waiting").await?;
    let missing = json!({ "code": "address" });
    let expected = json!({ "code": "manual_restart", "mac": "52:54:00:00:00:01", "missing": missing });
    assert_eq!(waits["waiting_for"], expected);
    boots(&service).await?;
    reboot_is(&service, &deployment, "succeeded").await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_reads_and_switches_the_power() -> Result<()> {
    let (service, sim) = (service_with_catalogue().await?, IpmiSim::start().await?);
    let device = device(&service, ipmi(&sim)).await?;
    let power = format!("{device}/power");
    assert_eq!(service.get(&power).await?["state"], "on");
    let off = json!({ "action": "off" });
    let answered = service.post_with_key(&power, &off, "once").await?;
    assert_eq!((&answered["status"], &answered["state"]), (&json!("confirmed"), &json!("off")));
    let again = service.post_with_key(&power, &off, "once").await?;
    assert_eq!(answered, again, "the first answer is given again");
    assert_eq!(sim.orders(), ["set power 0"]);
    // The command line uses the same code.
    assert_eq!(service.run(&["power", "status", "S-1"]).await?.trim(), "off");
    assert_eq!(service.run(&["power", "cycle", "52:54:00:00:00:01", "--network-boot"]).await?.trim(), "on");
    assert_eq!(sim.orders(), ["set power 0", "set boot pxe", "set power 1"], "what is off is switched on");
    let orders = service.post(&power, &json!({ "action": "off", "network_boot": true })).await.expect_err("it makes no sense");
    ensure!(orders.to_string().contains("network_boot_without_start"), "{orders}");
    let viewer = service.run(&["token", "create", "eyes", "--role", "viewer"]).await?;
    let refused = reqwest::Client::new().post(service.url(&power)).bearer_auth(viewer.trim()).json(&off).send().await?;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    Ok(())
}

#[tokio::test]
async fn an_installation_is_interrupted_only_by_an_order_that_names_its_deployment() -> Result<()> {
    let (service, sim) = (service_with_catalogue().await?, IpmiSim::start().await?);
    let device = device(&service, ipmi(&sim)).await?;
    let deployment = deploy(&service, &device).await?;
    reboot_is(&service, &deployment, "succeeded").await?;
    let power = format!("{device}/power");
    let orders = service.post(&power, &json!({ "action": "cycle" })).await.expect_err("it installs").to_string();
    let live = format!("deployment {}", deployment.rsplit('/').next().unwrap_or_default());
    for fact in ["422", "already_deploying", "\"field\":\"interrupts\"", &live] {
        ensure!(orders.contains(fact), "{fact}: {orders}");
    }
    let on = json!({ "action": "on", "network_boot": true });
    let refused = service.post(&power, &on).await.expect_err("the server is on, and would be installed again").to_string();
    ensure!(refused.contains("already_deploying"), "{refused}");
    let named = json!({ "action": "cycle", "network_boot": true, "interrupts": deployment.rsplit('/').next() });
    assert_eq!(service.post(&power, &named).await?["state"], "on");
    assert_eq!(sim.orders().iter().filter(|orders| *orders == "set power 0").count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_controller_receives_the_password_only_after_it_proves_its_identity() -> Result<()> {
    let (service, emulator) = (service_with_catalogue().await?, Emulator::start().await?);
    let device = device(&service, redfish(&emulator)).await?;
    let power = format!("{device}/power");
    assert_eq!(service.get(&power).await?["state"], "on", "the right fingerprint");
    let with = async |key: &str, value: Value| -> Result<String> {
        let mut management = redfish(&emulator);
        management[key] = value;
        service.patch(&device, &json!({ "management": management })).await?;
        Ok(service.get(&power).await.expect_err("it is refused").to_string())
    };
    let verified = with("tls", json!("verify")).await?;
    ensure!(verified.contains("502") && verified.contains("is not trusted, so no password was sent"), "{verified}");
    let wrong = with("tls", json!(format!("sha256:{}", "ab".repeat(32)))).await?;
    ensure!(wrong.contains("is not trusted") && wrong.contains("not the pinned one"), "{wrong}");
    let refused = with("credentials", json!("wrong")).await?;
    ensure!(refused.contains("502") && refused.contains("refused user admin: wrong name or password"), "{refused}");
    let unknown = with("system", json!("nowhere")).await?;
    ensure!(unknown.contains("/redfish/v1/Systems/nowhere with 404"), "{unknown}");
    assert_eq!(emulator.orders(), [""; 0]);
    Ok(())
}
