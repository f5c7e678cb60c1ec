//! The API keeps to its own description: schemathesis reads it and sends thousands of requests, valid and invalid. No answer is
//! a server error, and each has a status, content type, headers and body that the description lists.

use crate::support::process::Process;
use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// What schemathesis checks in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// Starts a service with the data centre of the demo.
async fn service() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/catalogue.yaml");
    service.run(&["import", "--catalogue", catalogue.to_str().context("a path")?]).await?;
    Ok(service)
}

/// The description, with each operation's parameters changed by `change`. Each problem has only rules that its operation lists.
async fn description(service: &Process, change: impl Fn(&str, &mut Vec<Value>)) -> Result<Value> {
    let mut description = service.get("/api/openapi.json").await?;
    for (path, item) in description["paths"].as_object_mut().context("paths")? {
        for operation in item.as_object_mut().context("operations")?.values_mut() {
            if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
                // This parameter makes a request wait for a position, which a random value never reaches.
                parameters.retain(|parameter| parameter["name"] != "Bootledger-Min-Position");
                change(path, parameters);
            }
            operation["responses"].as_object_mut().context("responses")?.values_mut().for_each(narrow);
        }
    }
    Ok(description)
}

/// Narrows the schema of a problem to the rules that its response lists.
fn narrow(response: &mut Value) {
    let Some(rules) = response.get("x-rules").and_then(Value::as_array).cloned() else { return };
    let errors = match rules[..] {
        [] => json!({ "maxItems": 0 }),
        _ => json!({ "items": { "properties": { "rule": { "enum": rules } } } }),
    };
    let schema = &mut response["content"]["application/problem+json"]["schema"];
    *schema = json!({ "allOf": [schema.take(), { "properties": { "errors": errors } }] });
}

/// Runs schemathesis over the description, with a fixed seed, and fails if it finds a problem.
async fn keeps_to(service: &Process, description: &Value, options: &[&str]) -> Result<()> {
    let program = crate::support::target().join("lab/schemathesis/bin/schemathesis");
    ensure!(program.exists(), "there is no {}; run scripts/setup test", program.display());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, description.to_string())?;
    let mut command = Command::new(&program);
    command.arg("run").arg(&file).args(["--url", &service.url("")]);
    command.args(["-H", &format!("Authorization: Bearer {}", service.token())]);
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--generation-deterministic"]);
    // One worker at a time: CPython 3.11 occasionally fails when several threads read their own source at once.
    command
        .args(["--workers", "1", "--no-shrink", "--continue-on-failure", "--request-timeout", "30", "--no-color"])
        .args(options);
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let said = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    ensure!(output.status.success(), "{said}");
    // Make sure that everything ran, and print how much that was.
    ensure!(said.contains("Test cases:"), "{said}");
    println!("{}", said.split("SUMMARY").last().unwrap_or_default());
    Ok(())
}

#[tokio::test]
async fn every_answer_matches_the_description() -> Result<()> {
    let service = service().await?;
    let description = description(&service, |_, _| ()).await?;
    keeps_to(&service, &description, &["--max-examples", "15"]).await
}

/// Random requests never name anything that exists; here every request does.
#[tokio::test]
async fn existing_objects_are_read_and_changed_as_the_description_says() -> Result<()> {
    let service = service().await?;
    let id = |answer: &Value| answer["id"].as_str().map(str::to_owned).context("an id");
    let devices = service.get("/api/v1/devices").await?;
    let device = |name: &str| {
        let mut all = devices["items"].as_array().into_iter().flatten();
        id(all.find(|device| device["name"] == name).context("a device of the demo")?)
    };
    let wanted = json!({ "device": device("R640 no. 1")?, "venture": "shop", "role": "web" });
    let deployment = id(&service.post("/api/v1/deployments", &wanted).await?)?;
    // Nothing answers at the management controllers of the other devices.
    let idle = device("R640 no. 4")?;
    let token = id(&service.post("/api/v1/tokens", &json!({ "name": "nobody", "scope": "viewer" })).await?)?;
    service.write_secret("hook", "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8=")?;
    let webhook = json!({ "url": "http://127.0.0.1:9/", "events": ["deployment.*"], "secret": "hook" });
    service.put("/api/v1/webhooks/chat", &webhook).await?;
    let exists = [
        ("/api/v1/boot-images/", "key", "debian-12"),
        ("/api/v1/boot-images/", "image", "rescue"),
        ("/api/v1/boot-images/", "file", "boot.ipxe"),
        ("/api/v1/deployments/", "id", &deployment),
        ("/api/v1/deployments/", "plugin", "dhcp"),
        ("/api/v1/devices/", "id", &idle),
        ("/api/v1/dhcp-servers/", "key", "kea-dc1"),
        ("/api/v1/networks/", "key", "dc1-prod"),
        ("/api/v1/racks/", "key", "dc1-r01"),
        ("/api/v1/sites/", "key", "dc1"),
        ("/api/v1/tokens/", "id", &token),
        ("/api/v1/ventures/", "key", "shop"),
        ("/api/v1/ventures/", "role", "web"),
        ("/api/v1/webhooks/", "key", "chat"),
    ];
    let name_what_exists = |path: &str, parameters: &mut Vec<Value>| {
        for parameter in parameters.iter_mut().filter(|parameter| parameter["in"] == "path") {
            if let Some((.., value)) =
                exists.iter().find(|(begin, name, _)| path.starts_with(begin) && parameter["name"] == *name)
            {
                parameter["schema"] = json!({ "type": "string", "enum": [value] });
            }
        }
    };
    let description = description(&service, name_what_exists).await?;
    // A decommissioned device stays decommissioned and refuses everything else.
    let options = ["--mode", "positive", "--max-examples", "15", "--exclude-path-regex", "decommission$"];
    keeps_to(&service, &description, &options).await
}
