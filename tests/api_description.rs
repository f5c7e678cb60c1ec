//! The API keeps to its own description: schemathesis reads that and asks thousands of things, good and bad. No answer is an
//! error of the server, and each has a status, a form, headers and a body that the description knows.

use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// What is looked at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// The description without the header that has a request wait until a position is reached, which at random it never is.
fn without_waiting(mut description: Value) -> Value {
    let paths = description["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
        if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
            parameters.retain(|parameter| parameter["name"] != "Bootledger-Min-Position");
        }
    }
    description
}

#[tokio::test]
async fn no_request_is_answered_in_a_way_that_the_description_does_not_know() -> Result<()> {
    let program = crate::support::target().join("lab/schemathesis/bin/schemathesis");
    ensure!(program.exists(), "there is no {}; run scripts/setup test", program.display());
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/catalogue.yaml");
    service.run(&["import", "--catalogue", catalogue.to_str().context("a path")?]).await?;
    let folder = tempfile::tempdir()?;
    let description = folder.path().join("openapi.json");
    std::fs::write(&description, without_waiting(service.get("/api/openapi.json").await?).to_string())?;
    let mut command = Command::new(&program);
    command.arg("run").arg(&description).args(["--url", &service.url("")]);
    command.args(["-H", &format!("Authorization: Bearer {}", service.token())]);
    // The same requests each time.
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--seed", "1"]);
    command.args(["--max-examples", "12", "--workers", "2", "--no-shrink", "--request-timeout", "30", "--no-color"]);
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let said = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    ensure!(output.status.success(), "{said}");
    println!("{}", said.lines().rev().take(25).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
    Ok(())
}
