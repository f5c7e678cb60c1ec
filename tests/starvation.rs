//! Many requests of one caller at once: all of them succeed, and no other caller is affected.

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

const FORMS: usize = 60;
/// After this time, a machine's request counts as waiting for one caller's forms. `make bench` measures how long answers take.
const PROMPT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(2);

/// Deploys this many new servers and returns the deployments' ids.
async fn deployed(service: &Service) -> Result<Vec<String>> {
    let csv = (0..FORMS).fold(String::from("mac;network;venture;role;boot_image\n"), |mut csv, n| {
        let _ = writeln!(csv, "52:54:00:00:00:{n:02x};prod;shop;web;debian");
        csv
    });
    let started = service.import(csv, "sixty").await?;
    let rows = started["rows"].as_array().context("rows")?;
    rows.iter().map(|row| Ok(row["deployment"].as_str().context("a deployment")?.to_owned())).collect()
}

#[tokio::test]
async fn sixty_cancels_at_once_are_all_done_while_agents_are_answered_and_the_reactor_works() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
        "hostname_template": "h<200,699>.dc1.example",
    });
    service.define(&site, &json!({ "cidr": "10.0.0.0/22", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    let operator = service.run(&["token", "create", "--role", "operator", "busy"]).await?.trim().to_owned();
    let ids = deployed(&service).await?;
    ensure!(ids.len() == FORMS, "{} deployments", ids.len());
    let device = json!({"site": "dc1", "macs": ["52:54:00:00:01:01"], "venture": "shop", "role": "web"});
    let device = service.register(&device).await?;

    let client = reqwest::Client::new();
    let cancel = async |id: &String| {
        let request = client.post(service.url(&format!("/deployments/{id}/cancel"))).bearer_auth(&operator);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(format!("reason=too+many&key={id}"));
        // The answer redirects to the deployment. It is not followed: the answer itself counts.
        request.send().await.map(|answer| answer.status().as_u16())
    };
    let agent = async {
        for _ in 0..30 {
            for path in ["/dhcp/dc1/kea.json", "/pxe/"] {
                let answer = client.get(service.url(path)).timeout(PROMPT).send().await.context("a machine waits")?;
                ensure!(!answer.status().is_server_error(), "{path} is answered with {}", answer.status());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    let reactor = async {
        let new = json!({ "device": device, "network": "prod", "boot_image": "debian" });
        let id = service.create("/api/v1/deployments", &new).await?;
        wait_for("the reactor prepares another deployment", PATIENCE, async || {
            let shown = service.get(&format!("/api/v1/deployments/{id}")).await.ok()?;
            let waits = |run: &Value| run["plugin"] == "dhcp" && run["status"] == "waiting";
            shown["plugins"].as_array()?.iter().any(waits).then_some(())
        })
        .await
    };
    let (cancelled, answered, prepared) = tokio::join!(join_all(ids.iter().map(cancel)), agent, reactor);
    let statuses = cancelled.into_iter().collect::<Result<Vec<_>, _>>()?;
    ensure!(statuses.iter().all(|status| *status == 303 || *status == 200), "{statuses:?}");
    prepared?;
    answered?;
    for id in &ids {
        let status = service.get(&format!("/api/v1/deployments/{id}")).await?["status"].clone();
        ensure!(status == "cancelled", "{id} is {status}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_is_bound_to_the_bytes_of_its_request() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({ "domain": "dc1.example" });
    service.put("/api/v1/sites/dc1", &site).await?;
    let client = reqwest::Client::new();
    let put = async |path: &str, body: &'static str| -> Result<(u16, Value)> {
        let request = client.put(service.url(path)).bearer_auth(service.token()).header("idempotency-key", "k-1");
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    };
    let events = async || -> Result<i64> {
        let pool = service.database().pool(1).await?;
        Ok(sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await?)
    };
    let (status, _) = put("/api/v1/racks/r01", r#"{"site":"dc1","units":42}"#).await?;
    ensure!(status == 200, "{status}");
    let before = events().await?;
    // This hash of the request's bytes is stored; `crates/port/src/fingerprint.rs` describes how it is computed.
    let request = bootledger_port::fingerprint::Fingerprint::of(
        "PUT",
        "/api/v1/racks/r01",
        "",
        b"application/json",
        br#"{"site":"dc1","units":42}"#,
    );
    let pool = service.database().pool(1).await?;
    let stored: Vec<u8> = sqlx::query_scalar("SELECT fingerprint FROM commands WHERE key LIKE '%/k-1'").fetch_one(&pool).await?;
    ensure!(stored == request.sha256(), "another hash is stored");
    let (status, again) = put("/api/v1/racks/r01", r#"{"site":"dc1","units":42}"#).await?;
    ensure!(status == 200 && events().await? == before, "a retry is done again: {again}");
    // The same values in other bytes, and the same bytes for another path, are different requests.
    for (path, body) in [
        ("/api/v1/racks/r01", r#"{"units":42,"site":"dc1"}"#),
        ("/api/v1/racks/r01", r#"{"site":"dc1","units":43}"#),
        ("/api/v1/racks/r02", r#"{"site":"dc1","units":42}"#),
    ] {
        let (status, problem) = put(path, body).await?;
        ensure!(status == 422 && problem["type"] == "/api/docs#problem-key-reused", "{path} {body}: {status} {problem}");
    }
    ensure!(events().await? == before, "a refused key left an event");
    Ok(())
}
