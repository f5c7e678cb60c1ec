//! Addresses that the service never connects to, for any role and in any notation.

use super::{PATIENCE, SYSTEM, Trap, device, request_at, rules, token};
use crate::support::service::{Service, wait_for};
use anyhow::{Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Loopback, link-local, multicast and metadata addresses in all notations, named by every role.
#[tokio::test]
async fn special_addresses_are_never_connected_to() -> Result<()> {
    let trap = Trap::start(Ipv4Addr::LOCALHOST, 0, SYSTEM).await?;
    // A proxy from the environment would connect to addresses that the service may not connect to.
    let (folder, program) = (tempfile::tempdir()?, env!("CARGO_BIN_EXE_bootledger"));
    let script: PathBuf = folder.path().join("behind-a-proxy");
    let proxy = format!("http://127.0.0.1:{}", trap.port);
    std::fs::write(
        &script,
        format!(
            "#!/bin/sh\nexport http_proxy={proxy} HTTP_PROXY={proxy} ALL_PROXY={proxy} https_proxy={proxy}\nexec {program} \"$@\"\n"
        ),
    )?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let options = ["--outbound-allow", "198.51.100.0/24"].map(str::to_owned).to_vec();
    let service = Service::start_with(Ipv4Addr::LOCALHOST, script, options).await?;
    service.write_secret("bmc", "admin:open-sesame")?;
    service.write_secret("tsig", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    service.write_secret("hook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    service.put("/api/v1/sites/dc1", &json!({ "domain": "dc1.example" })).await?;
    let networks = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/8", "255.0.0.0/8", "100.100.100.200/32"];
    let scope = json!({ "networks": networks, "protocols": ["redfish", "ipmi"], "ports": [trap.port], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let operator = token(&service, "operator").await?;
    for address in ["127.0.0.1", "127.3.2.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "100.100.100.200"] {
        for (protocol, tls) in [("redfish", "off"), ("redfish", "verify"), ("ipmi", "verify")] {
            for who in [&operator, service.token()] {
                let management =
                    json!({ "address": address, "protocol": protocol, "credentials": "bmc", "port": trap.port, "tls": tls });
                let (status, refused) =
                    request_at(&service, who, Method::POST, "/api/v1/devices", &device("S-1", "dc1", &management)).await?;
                assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{management}: {refused}");
                ensure!(rules(&refused).contains(&"address_not_allowed"), "{management}: {refused}");
            }
        }
    }
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
    ];
    for host in hosts {
        let hook = json!({ "url": format!("http://{host}:{}/", trap.port), "events": ["rack.*"], "secret": "hook" });
        let (status, refused) = request_at(&service, service.token(), Method::PUT, "/api/v1/webhooks/chat", &hook).await?;
        assert_eq!(
            (status, rules(&refused)),
            (StatusCode::UNPROCESSABLE_ENTITY, vec!["address_not_allowed"]),
            "{host}: {refused}"
        );
    }
    // A host name can only be judged once it is resolved.
    let hook = json!({ "url": format!("http://localhost:{}/", trap.port), "events": ["rack.*"], "secret": "hook" });
    service.put("/api/v1/webhooks/chat", &hook).await?;
    let ping = service.post("/api/v1/webhooks/chat/ping", &json!({})).await?;
    ensure!(
        ping["message"].as_str().is_some_and(|words| words.contains("loopback") && words.contains("--outbound-allow")),
        "{ping}"
    );
    service.put("/api/v1/racks/r1", &json!({ "site": "dc1" })).await?;
    let failing = async || {
        let delivery = service.get("/api/v1/webhooks/chat").await.ok()?["delivery"].clone();
        (delivery["failing_aggregates"] == 1).then_some(delivery)
    };
    let exact = wait_for("the delivery fails", PATIENCE, failing).await?;
    ensure!(exact["failing"][0]["problem"].as_str().is_some_and(|words| words.contains("loopback")), "{exact}");
    let (_, hidden) = request_at(&service, &operator, Method::GET, "/api/v1/webhooks/chat", &Value::Null).await?;
    ensure!(
        !hidden.to_string().contains("is a loopback") && hidden.to_string().contains("an administrator sees the reason"),
        "{hidden}"
    );
    for primary in ["127.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "169.254.169.254"] {
        let updates = json!({ "primary": primary, "key": { "name": "k", "algorithm": "hmac-sha256", "secret": "tsig" } });
        let site = json!({ "domain": "dc1.example", "zones": ["dc1.example"], "dns_updates": updates });
        let (_, refused) = request_at(&service, service.token(), Method::PUT, "/api/v1/sites/dc1", &site).await?;
        assert_eq!(rules(&refused), ["address_not_allowed"], "{primary}: {refused}");
    }
    assert_eq!(trap.received(), [""; 0], "neither directly nor as a proxy");
    Ok(())
}
