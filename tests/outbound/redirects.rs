//! A controller that redirects: its target gets no credentials, and only administrators read where it led.

use super::{ELSEWHERE, SYSTEM, Trap, device, request_at, token};
use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

#[tokio::test]
async fn a_redirect_receives_no_credentials_and_is_not_shown_to_operators() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let elsewhere = Trap::start(ELSEWHERE, 0, SYSTEM).await?;
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.2:{}/\r\nContent-Length: 0\r\n\r\n", elsewhere.port);
    let controller = Trap::start(Ipv4Addr::LOCALHOST, 0, answer.leak()).await?;
    service.write_secret("bmc", "admin:open-sesame")?;
    service.put("/api/v1/sites/dc1", &json!({ "domain": "dc1.example" })).await?;
    let closed = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let scope = json!({ "networks": ["127.0.0.0/8"], "protocols": ["redfish"], "ports": [controller.port, closed], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let (operator, mut message) = (token(&service, "operator").await?, vec![]);
    for (serial, port) in [("S-1", controller.port), ("S-2", closed)] {
        let management = json!({ "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port, "tls": "off", "system": "1" });
        let id = service.create("/api/v1/devices", &device(serial, "dc1", &management)).await?;
        let power = format!("/api/v1/devices/{id}/power");
        message.push(request_at(&service, &operator, Method::GET, &power, &Value::Null).await?);
        let (_, exact) = request_at(&service, service.token(), Method::GET, &power, &Value::Null).await?;
        let words = exact["detail"].as_str().context("words")?;
        ensure!(words.contains("redirect") || words.contains("refused"), "an administrator learns why: {words}");
        let (_, order) = request_at(&service, service.token(), Method::POST, &power, &json!({ "action": "on" })).await?;
        ensure!(order["detail"].as_str().is_some_and(|words| words.contains("did not answer as Redfish")), "{order}");
    }
    assert_eq!(message[0].0, StatusCode::BAD_GATEWAY);
    assert_eq!(message[0], message[1], "a redirect and a closed port are one answer");
    assert_eq!(elsewhere.received(), [""; 0]);
    let (events, log) = (service.get("/api/v1/events?limit=1000").await?.to_string(), service.log()?);
    ensure!(!events.contains("redirect") && !events.contains("onnection refused"), "{events}");
    ensure!(log.contains("redirect") && log.contains("onnection refused") && !log.contains("open-sesame"), "{log}");
    Ok(())
}
