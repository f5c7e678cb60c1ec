//! Management controllers that accept connections and never answer.

use super::{PATIENCE, request_at, token};
use crate::support::bmc::{IpmiSim, PASSWORD};
use crate::support::service::{Service, dc1, wait_for};
use anyhow::{Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Sixty controllers accept connections and never answer.
#[tokio::test]
async fn controllers_that_hang_delay_only_those_who_wait_for_them() -> Result<()> {
    const HANGING: u8 = 60;
    let (service, good) = (Service::start(Ipv4Addr::LOCALHOST).await?, IpmiSim::start().await?);
    let first = std::net::TcpListener::bind((Ipv4Addr::new(127, 0, 7, 1), 0))?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    for n in 2..=HANGING {
        listeners.push(std::net::TcpListener::bind((Ipv4Addr::new(127, 0, 7, n), port))?);
    }
    service.write_secret("bmc", &format!("admin:{PASSWORD}\n"))?;
    service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    let scope = json!({ "networks": ["127.0.0.0/16"], "protocols": ["redfish", "ipmi"], "ports": [port, good.port], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let register = async |n: u8, management: Value| -> Result<String> {
        let mac = format!("52:54:00:00:00:{n:02x}");
        let device = json!({ "site": "dc1", "macs": [mac], "venture": "shop", "role": "web", "management": management });
        service.register(&device).await
    };
    let mut hanging = vec![];
    for n in 1..=HANGING {
        let address = format!("127.0.7.{n}");
        hanging.push(register(n, json!({ "address": address, "protocol": "redfish", "credentials": "bmc", "port": port, "tls": "off", "system": "1" })).await?);
    }
    let well =
        register(99, json!({ "address": "127.0.0.1", "protocol": "ipmi", "credentials": "bmc", "port": good.port })).await?;

    // One operator queries all of them at once; a viewer, a probe and another caller continue to work.
    let (operator, viewer) = (token(&service, "operator").await?, token(&service, "viewer").await?);
    let others = async || -> Result<Duration> {
        let begun = Instant::now();
        for id in hanging.iter().take(15) {
            let power = format!("/api/v1/devices/{id}/power");
            let (status, answer) = request_at(&service, &viewer, Method::GET, &power, &Value::Null).await?;
            assert_eq!((status, &answer["live"]), (StatusCode::OK, &json!(false)));
        }
        service.get("/readyz").await?;
        let (_, requested) =
            request_at(&service, service.token(), Method::GET, &format!("/api/v1/devices/{well}/power"), &Value::Null).await?;
        assert_eq!(requested["state"], "on", "another caller's question is answered: {requested}");
        Ok(begun.elapsed())
    };
    let quiet = others().await?;
    let questions = hanging.iter().map(|id| {
        let (url, operator) = (service.url(&format!("/api/v1/devices/{id}/power")), operator.clone());
        tokio::spawn(async move {
            let answer = reqwest::Client::new().get(url).bearer_auth(operator).send().await?;
            anyhow::Ok((answer.status(), answer.headers().contains_key("retry-after")))
        })
    });
    let questions: Vec<_> = questions.collect();
    let beside = others().await?;
    // Each unresponsive controller has 10 s to answer.
    ensure!(
        beside < 3 * quiet + Duration::from_secs(2),
        "others took {beside:?} beside controllers that hang, {quiet:?} without"
    );
    let mut statuses = vec![];
    for question in questions {
        let (status, retry) = question.await??;
        ensure!(status != StatusCode::SERVICE_UNAVAILABLE || retry, "{status} without Retry-After");
        statuses.push(status);
    }
    // Eight requests of one caller run at once; as they end, the same number of waiting ones begin.
    let requested = statuses.iter().filter(|status| **status == StatusCode::BAD_GATEWAY).count();
    ensure!((8..=16).contains(&requested), "{statuses:?}");

    // Deployments whose restarts wait for unresponsive controllers do not delay one whose controller works.
    let deploy = async |id: &str| -> Result<String> {
        let wanted = json!({ "device": id, "boot_image": "debian", "network": "prod" });
        service.create("/api/v1/deployments", &wanted).await
    };
    let is = async |deployment: &str, plugin: &str, status: &str| -> Option<()> {
        let plugins = service.get(&format!("/api/v1/deployments/{deployment}")).await.ok()?["plugins"].clone();
        plugins.as_array()?.iter().any(|one| one["plugin"] == plugin && one["status"] == status).then_some(())
    };
    let mut last = String::new();
    for id in &hanging {
        last = deploy(id).await?;
    }
    wait_for("the last one waits for DHCP", PATIENCE, async || is(&last, "dhcp", "waiting").await).await?;
    service.confirm("kea-1").await?;
    wait_for("the last one waits for its controller", PATIENCE, async || is(&last, "dhcp", "succeeded").await).await?;
    let begun = Instant::now();
    let deployment = deploy(&well).await?;
    wait_for("it waits for DHCP", PATIENCE, async || is(&deployment, "dhcp", "waiting").await).await?;
    service.confirm("kea-1").await?;
    wait_for("its server is restarted", PATIENCE, async || is(&deployment, "reboot", "succeeded").await).await?;
    let took = begun.elapsed();
    eprintln!("17 answers: {quiet:?}, {beside:?} beside 60 controllers that hang; a deployment beside them: {took:?}");
    ensure!(took < Duration::from_secs(20), "it took {took:?}\n{}", service.log()?);
    Ok(())
}
