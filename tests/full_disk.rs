//! A full disk: a refusal names the cause, accepted changes stay, and the service recovers by itself.

use crate::support::disk::Disk;
use crate::support::postgres::Postgres;
use crate::support::process::{Process, wait_for};
use anyhow::{Context, Result, ensure};
use bootledger_projections::database::cause::Cause;
use futures::future::join_all;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// One file of write-ahead log is enough for the whole test: a server that cannot create the next one stops.
const SMALL: &str = "shared_buffers = 16MB\nmin_wal_size = 128MB\nmax_wal_size = 256MB\nmax_connections = 60\nautovacuum = off\n";

/// Sends a JSON body. Returns the status and body of the answer.
async fn put(service: &Process, path: &str, body: &Value) -> Result<(u16, Value)> {
    let request = reqwest::Client::new().put(service.url(path)).bearer_auth(service.token()).json(body);
    let answer = request.send().await?;
    let (status, retry) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
    let body: Value = serde_json::from_str(&answer.text().await?)?;
    ensure!(status < 500 || retry, "{status} without Retry-After: {body}");
    Ok((status, body))
}

async fn ready(service: &Process) -> Result<(u16, Value)> {
    let answer = reqwest::get(service.url("/readyz")).await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

fn rack(number: usize) -> String {
    format!("/api/v1/racks/r{number}")
}

#[tokio::test]
async fn a_full_disk_of_the_database_is_507_and_what_was_accepted_is_there_once() -> Result<()> {
    let Some(disk) = Disk::mount(240, "filling the disk of a PostgreSQL server")? else { return Ok(()) };
    let server = Postgres::create(disk.path(), &["--wal-segsize=64"], SMALL)?;
    server.execute("postgres", "CREATE DATABASE ledger").await?;
    let service = Process::start(Ipv4Addr::LOCALHOST, server.url("ledger")).await?;
    service.put("/api/v1/sites/dc1", &json!({"name": "Łódź", "domain": "dc1.example", "zones": ["dc1.example"]})).await?;

    disk.fill()?;
    let (mut accepted, mut refused, mut number) = (vec![], vec![], 0);
    while refused.is_empty() && number < 5_000 {
        let numbers = number..number + 40;
        let paths: Vec<String> = numbers.clone().map(rack).collect();
        let body = json!({"site": "dc1", "description": "x".repeat(150)});
        for (number, answer) in numbers.zip(join_all(paths.iter().map(|path| put(&service, path, &body))).await) {
            match answer? {
                (200..=202, _) => accepted.push(number),
                answer => refused.push(answer),
            }
        }
        number += 40;
    }
    ensure!(!refused.is_empty(), "{number} racks fit on a full disk");
    for (status, body) in &refused {
        assert_eq!(*status, 507, "{body}");
        assert_eq!(body["type"], "/api/docs#problem-storage-full", "{body}");
        assert!(body["detail"].as_str().is_some_and(|detail| detail.contains(Cause::DatabaseFull.sentence())), "{body}");
    }
    let (status, body) = ready(&service).await?;
    assert_eq!(status, 503, "{body}");
    assert!(body["reasons"].to_string().contains(Cause::DatabaseFull.sentence()), "{body}");
    assert_eq!(service.get("/api/v1/sites/dc1").await?["spec"]["name"], "Łódź", "reads go on");

    disk.free()?;
    let again = async || ready(&service).await.ok().filter(|(status, _)| *status == 200);
    wait_for("the service is ready after space was freed", PATIENCE, again).await?;
    service.put(&rack(number), &json!({"site": "dc1"})).await?;
    accepted.push(number);
    let events = service.get("/api/v1/events?aggregate=rack&limit=1000").await?;
    let events = events["items"].as_array().context("a list of events")?;
    let mut found: Vec<String> = events.iter().filter_map(|event| Some(event["aggregate_id"].as_str()?.to_owned())).collect();
    let mut expected: Vec<String> = accepted.iter().map(|number| format!("r{number}")).collect();
    found.sort();
    expected.sort();
    if expected.len() < 1000 {
        assert_eq!(found, expected, "each accepted command is in the log once, and no other");
    }
    service.run(&["verify"]).await?;
    Ok(())
}

#[tokio::test]
async fn with_embedded_postgresql_the_service_refuses_changes_before_the_disk_is_full_and_keeps_serving() -> Result<()> {
    let Some(disk) = Disk::mount(240, "filling the disk of the embedded PostgreSQL")? else { return Ok(()) };
    let options = vec!["--data-dir".to_owned(), disk.path().join("data").display().to_string()];
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bootledger"));
    let service = Process::start_with(Ipv4Addr::LOCALHOST, String::new(), program, options).await?;
    let site = json!({"name": "Before", "domain": "dc1.example"});
    service.put("/api/v1/sites/dc1", &site).await?;

    disk.fill_but(12)?;
    let unready = async || ready(&service).await.ok().filter(|(status, _)| *status == 503);
    let (_, body) = wait_for("the full disk is reported", PATIENCE, unready).await?;
    assert!(body["reasons"].to_string().contains("the disk of the embedded PostgreSQL"), "{body}");
    let (status, body) = put(&service, "/api/v1/sites/dc2", &site).await?;
    assert_eq!((status, body["type"].as_str()), (507, Some("/api/docs#problem-storage-full")), "{body}");
    assert_eq!(service.get("/api/v1/sites/dc1").await?["spec"]["name"], "Before", "reads go on");
    assert_eq!(reqwest::get(service.url("/pxe/")).await?.status().as_u16(), 200, "boots go on");

    disk.free()?;
    let again = async || ready(&service).await.ok().filter(|(status, _)| *status == 200);
    wait_for("the service is ready after space was freed", PATIENCE, again).await?;
    service.put("/api/v1/sites/dc2", &site).await?;
    Ok(())
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

async fn upload(service: &Process, size: usize) -> Result<(u16, Value)> {
    let path = service.url("/api/v1/boot-images/debian/files/initrd?kind=initrd");
    let answer = reqwest::Client::new().put(path).bearer_auth(service.token()).body(vec![7; size]).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

/// An upload that does not fit is refused with these words and leaves nothing behind; a smaller one still works.
async fn refuses_what_does_not_fit(service: &Process, folder: &Path, words: &str) -> Result<()> {
    service.put("/api/v1/boot-images/debian", &json!({})).await?;
    let before = files(folder);
    let (status, body) = upload(service, 24 << 20).await?;
    assert_eq!(status, 507, "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{body}");
    let clean = async || (files(folder) == before).then_some(());
    wait_for("nothing of the upload is left", PATIENCE, clean).await?;
    let (status, body) = upload(service, 1 << 20).await?;
    ensure!(status == 200, "a smaller file does not fit: {body}");
    Ok(())
}

#[tokio::test]
async fn an_upload_to_a_full_disk_is_507_and_leaves_nothing_behind() -> Result<()> {
    let Some(disk) = Disk::mount(16, "filling the disk of the boot files")? else { return Ok(()) };
    let database = bootledger_test_cluster::TestDatabase::create().await?;
    let options = vec!["--files".to_owned(), disk.path().display().to_string()];
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bootledger"));
    let service = Process::start_with(Ipv4Addr::LOCALHOST, database.url(), program, options).await?;
    refuses_what_does_not_fit(&service, disk.path(), "the service's disk is full").await?;

    disk.fill()?;
    let message = async || ready(&service).await.ok().filter(|(_, body)| body["degraded"].to_string().contains("boot files"));
    let (status, body) = wait_for("the full disk is reported", PATIENCE, message).await?;
    assert_eq!(status, 200, "boots of what is stored go on: {body}");
    assert_eq!(service.measured("bootledger_disk_free_bytes{place=\"files\"}").await?, 0);
    disk.free()?;
    let enough = async || ready(&service).await.ok().filter(|(_, body)| !body["degraded"].to_string().contains("boot files"));
    wait_for("the disk has space again", PATIENCE, enough).await?;
    Ok(())
}

#[tokio::test]
async fn a_file_above_the_limit_of_the_operating_system_is_refused_and_the_service_lives_on() -> Result<()> {
    let (database, folder) = (bootledger_test_cluster::TestDatabase::create().await?, tempfile::tempdir()?);
    let program = folder.path().join("limited");
    let script = format!("#!/bin/bash\nulimit -f 8192\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_bootledger"));
    std::fs::write(&program, script)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let stored = folder.path().join("files");
    let options = vec!["--files".to_owned(), stored.display().to_string()];
    let service = Process::start_with(Ipv4Addr::LOCALHOST, database.url(), program, options).await?;
    refuses_what_does_not_fit(&service, &stored, "ulimit -f").await
}
