//! A secret is sent only where its scope allows, and no answer reveals to an operator which secrets exist.

use super::{ELSEWHERE, SYSTEM, Trap, device, request_at, rules, token};
use crate::support::service::Service;
use anyhow::{Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_secret_is_sent_only_where_its_scope_allows_and_the_names_of_secrets_stay_hidden() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let controller = Trap::start(Ipv4Addr::LOCALHOST, 0, SYSTEM).await?;
    let port = controller.port;
    let mine = Trap::start(ELSEWHERE, port, SYSTEM).await?;
    let other_port = Trap::start(Ipv4Addr::LOCALHOST, 0, SYSTEM).await?;
    for secret in ["bmc", "unscoped", "boot-root", "broken"] {
        let text = if secret == "broken" { "no colon" } else { "admin:open-sesame" };
        service.write_secret(secret, text)?;
    }
    service.write_secret("tsig", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    service.write_secret("hook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    let updates = json!({ "primary": "127.0.0.1", "key": { "name": "k", "algorithm": "hmac-sha256", "secret": "tsig" } });
    let site = json!({ "domain": "dc1.example", "zones": ["dc1.example"], "dns_updates": updates });
    service.put("/api/v1/sites/dc1", &site).await?;
    service.put("/api/v1/sites/dc2", &json!({ "domain": "dc2.example" })).await?;
    let hook = json!({ "url": "http://127.0.0.1:9/", "events": ["rack.*"], "secret": "hook" });
    service.put("/api/v1/webhooks/chat", &hook).await?;
    let scope =
        json!({ "networks": ["127.0.0.1/32"], "protocols": ["redfish"], "ports": [port], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    service.put("/api/v1/secrets/broken", &scope).await?;
    service.put("/api/v1/secrets/gone", &scope).await?;
    let (operator, viewer, root) = (token(&service, "operator").await?, token(&service, "viewer").await?, service.token());

    // Operators and viewers may not set or read the scope of any secret.
    for (who, path) in [(&operator, "/api/v1/secrets/unscoped"), (&viewer, "/api/v1/secrets/unscoped")] {
        for (method, body) in [(Method::PUT, &scope), (Method::GET, &Value::Null), (Method::DELETE, &Value::Null)] {
            assert_eq!(request_at(&service, who, method, path, body).await?.0, StatusCode::FORBIDDEN);
        }
        // Nor may they name the secrets of DNS primaries and webhook receivers.
        assert_eq!(request_at(&service, who, Method::PUT, "/api/v1/sites/dc1", &site).await?.0, StatusCode::FORBIDDEN);
        assert_eq!(request_at(&service, who, Method::PUT, "/api/v1/webhooks/chat", &hook).await?.0, StatusCode::FORBIDDEN);
    }
    for (secret, rule) in
        [("boot-root", "secret_for_boot_files"), ("tsig", "secret_used_elsewhere"), ("hook", "secret_used_elsewhere")]
    {
        let (status, refused) = request_at(&service, root, Method::PUT, &format!("/api/v1/secrets/{secret}"), &scope).await?;
        assert_eq!((status, rules(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, vec![rule]), "{secret}: {refused}");
    }
    let twice = json!({ "url": "http://127.0.0.1:9/", "events": ["rack.*"], "secret": "bmc" });
    assert_eq!(rules(&request_at(&service, root, Method::PUT, "/api/v1/webhooks/other", &twice).await?.1), ["secret_missing"]);

    // Every way to leave the scope, as an operator: always the same answer, byte for byte, and nothing is sent.
    let with = |key: &str, value: Value| {
        let mut management = json!({ "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port });
        management[key] = value;
        management
    };
    let mut answers = vec![];
    let tries = [
        ("dc1", with("address", json!("127.0.0.2"))),
        ("dc1", with("port", json!(other_port.port))),
        ("dc1", with("protocol", json!("ipmi"))),
        ("dc2", with("port", json!(port))),
        ("dc1", with("credentials", json!("unscoped"))),
        ("dc1", with("credentials", json!("nothing"))),
        ("dc1", with("credentials", json!("gone"))),
        ("dc1", with("credentials", json!("broken"))),
        ("dc1", with("credentials", json!("boot-root"))),
        ("dc1", with("credentials", json!("tsig"))),
        ("dc1", with("credentials", json!("hook"))),
    ];
    for (n, (site, management)) in tries.iter().enumerate() {
        let wanted = device(&format!("S-{n}"), site, management);
        let (status, answer) = request_at(&service, &operator, Method::POST, "/api/v1/devices", &wanted).await?;
        assert_eq!((status, rules(&answer)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["secret_missing"]), "{wanted}: {answer}");
        answers.push(answer.to_string());
        let (_, exact) = request_at(&service, root, Method::POST, "/api/v1/devices", &wanted).await?;
        ensure!(exact != answer && rules(&exact) == ["secret_missing"], "an administrator learns why: {exact}");
    }
    ensure!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

    // Without TLS: not allowed for an operator, even within the scope.
    let plain = device("S-plain", "dc1", &with("tls", json!("off")));
    let (_, refused) = request_at(&service, &operator, Method::POST, "/api/v1/devices", &plain).await?;
    assert_eq!(rules(&refused), ["tls_off_not_allowed"], "{refused}");
    let id = service.create("/api/v1/devices", &plain).await?;
    let (path, power) = (format!("/api/v1/devices/{id}"), format!("/api/v1/devices/{id}/power"));
    let change = json!({ "management": with("tls", json!("off")) });
    assert_eq!(request_at(&service, &operator, Method::PATCH, &path, &change).await?.0, StatusCode::UNPROCESSABLE_ENTITY);

    // A pinned certificate would also give away the password.
    let pinned = format!("sha256:{}", "ab".repeat(32));
    let (_, refused) =
        request_at(&service, &operator, Method::POST, "/api/v1/devices", &device("S-pin", "dc1", &with("tls", json!(pinned))))
            .await?;
    assert_eq!(rules(&refused), ["tls_pin_not_allowed"], "{refused}");
    let change = json!({ "management": with("tls", json!(pinned)) });
    let (_, refused) = request_at(&service, &operator, Method::PATCH, &path, &change).await?;
    assert_eq!(rules(&refused), ["tls_pin_not_allowed"], "{refused}");

    // A viewer's request sends nothing to the controller. An operator's does, and the viewer then sees its result.
    let (status, unknown) = request_at(&service, &viewer, Method::GET, &power, &Value::Null).await?;
    assert_eq!(
        (status, &unknown["state"], &unknown["asked_at"], &unknown["live"]),
        (StatusCode::OK, &json!("unknown"), &Value::Null, &json!(false))
    );
    let page = reqwest::Client::new().get(service.url(&format!("/devices/{id}/power"))).bearer_auth(&viewer).send().await?;
    ensure!(page.text().await?.contains("Power state not queried"), "the page shows that it sent no query");
    for trap in [&controller, &mine, &other_port] {
        assert_eq!(trap.received(), [""; 0], "nothing was sent so far");
    }
    service.patch(&path, &json!({ "management": { "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port, "tls": "off", "system": "1" } })).await?;
    let (_, requested) = request_at(&service, &operator, Method::GET, &power, &Value::Null).await?;
    assert_eq!((&requested["state"], &requested["live"]), (&json!("on"), &json!(true)), "{requested}");
    ensure!(controller.received().concat().contains("Basic YWRtaW46b3Blbi1zZXNhbWU="), "the listener hears what is sent");
    let (_, last) = request_at(&service, &viewer, Method::GET, &power, &Value::Null).await?;
    assert_eq!((&last["state"], &last["asked_at"], &last["live"]), (&json!("on"), &requested["asked_at"], &json!(false)));

    // A narrowed or retired scope takes effect immediately, for existing devices too.
    let before = controller.received().len();
    for narrowed in [
        Some(
            json!({ "networks": ["127.0.0.2/32"], "protocols": ["redfish"], "ports": [port], "sites": ["dc1"], "plain_http": true }),
        ),
        None,
    ] {
        match &narrowed {
            Some(scope) => service.put("/api/v1/secrets/bmc", scope).await?,
            None => service.delete("/api/v1/secrets/bmc").await?,
        };
        for (method, body) in [(Method::GET, Value::Null), (Method::POST, json!({ "action": "cycle" }))] {
            let (status, refused) = request_at(&service, &operator, method, &power, &body).await?;
            assert_eq!(
                (status, &refused["errors"][0]["message"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &serde_json::from_str::<Value>(&answers[0])?["errors"][0]["message"]),
                "{refused}"
            );
        }
    }
    assert_eq!(controller.received().len(), before);
    for trap in [&mine, &other_port] {
        assert_eq!(trap.received(), [""; 0]);
    }
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}
