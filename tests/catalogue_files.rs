//! Catalogue files on the command line, beside a running service: what is printed, where, and with which exit code.

use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::Ipv4Addr;

const FILE: &str = "\
sites: { dc1: { domain: dc1.example, zones: [dc1.example] } }
racks: { r1: { site: dc1 }, r2: { site: dc1 } }
networks: { prod: { cidr: 10.0.0.0/24, site: dc1 } }
devices:
  - { name: A, serial: 70123456, site: dc1, rack: r1, macs: [52:54:00:00:00:01] }
";

async fn position(service: &Service) -> Result<i64> {
    service.get("/readyz").await?["log_position"].as_i64().context("a position")
}

#[tokio::test]
async fn a_file_is_tried_imported_changed_and_exported_beside_the_running_service() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let folder = tempfile::tempdir()?;
    let (file, store) = (folder.path().join("catalogue.yaml"), folder.path().join("files"));
    let (file_name, store) = (file.to_str().context("a path")?, store.to_str().context("a path")?);
    let import = async |text: &str, more: &[&str]| -> Result<String> {
        std::fs::write(&file, text)?;
        service.run(&[&["import", "--catalogue", file_name, "--files", store], more].concat()).await
    };
    let begun = position(&service).await?;
    let planned = import(FILE, &["--dry-run"]).await?;
    ensure!(planned.contains("device A: "), "{planned}");
    ensure!(planned.contains("all                     5        0          0        0"), "{planned}");
    assert_eq!(position(&service).await?, begun);
    import(FILE, &[]).await?;
    let imported = position(&service).await?;
    let again = import(FILE, &[]).await?;
    ensure!(again.contains("all                     0        0          5        0"), "{again}");
    assert_eq!(position(&service).await?, imported, "the same file again appends nothing");

    let moved = FILE.replace("rack: r1", "rack: r2");
    let planned = import(&moved, &["--dry-run"]).await?;
    ensure!(planned.contains("\n  rack: r1 → r2\n"), "{planned}");
    ensure!(planned.contains("all                     0        1          4        0"), "{planned}");
    assert_eq!(position(&service).await?, imported, "a dry run appends nothing");
    let changed = import(&moved, &[]).await?;
    ensure!(changed.contains("\n  rack: r1 → r2\n"), "{changed}");
    ensure!(changed.contains("all                     0        1          4        0"), "{changed}");
    let devices: Value = service.get("/api/v1/devices").await?;
    assert_eq!(devices["items"][0]["rack"], "r2");

    // A refusal is on standard error and in the exit code; each problem has its line number.
    let wider = moved.replace("networks: {", "networks: { other: { cidr: 10.0.0.0/16, site: dc1 },");
    let refused = import(&wider, &[]).await.expect_err("overlapping networks").to_string();
    ensure!(refused.contains("catalogue.yaml, line 3, column 13: network other: cidr: 10.0.0.0/16 "), "{refused}");
    ensure!(refused.contains("network prod"), "the other network is not named: {refused}");
    let before = position(&service).await?;
    let wrong = import(&moved.replace("rack: r2", "rak: r2"), &[]).await.expect_err("an unknown field").to_string();
    let facts = ["line 5, column 45: devices[0] (A): ", "`rak`", "`rack`"];
    ensure!(facts.iter().all(|fact| wrong.contains(fact)), "{wrong}");
    assert_eq!(position(&service).await?, before);

    let exported = service.run(&["export", "--catalogue", "--files", store]).await?;
    ensure!(exported.contains("serial: \"70123456\""), "{exported}");
    let again = import(&exported, &[]).await?;
    ensure!(again.contains("all                     0        0          5        0"), "{again}");
    assert_eq!(position(&service).await?, before);
    let first = service.run(&["export", "--catalogue", "--files", store, "--at", &imported.to_string()]).await?;
    ensure!(first.contains("rack: r1"), "{first}");
    Ok(())
}
