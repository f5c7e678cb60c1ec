//! A database that accepts no writes but has the whole schema: reads and boots are served, changes are refused with the reason,
//! and the service accepts them again without a restart.

use crate::support::postgres::{Postgres, execute};
use crate::support::process::{Process, wait_for};
use anyhow::{Result, ensure};
use bootledger_projections::database::cause::Cause;
use bootledger_test_cluster::TestDatabase;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn site(name: &str) -> Value {
    json!({"name": name, "domain": "dc1.example", "zones": ["dc1.example"]})
}

/// Reads work, changes are refused for this reason, and readiness reports it.
async fn serves_reads_only(service: &Process, reason: &str) -> Result<()> {
    assert_eq!(service.get("/api/v1/sites/dc1").await?["spec"]["name"], "Before");
    let pxe = reqwest::get(service.url("/pxe/")).await?;
    assert_eq!(pxe.status().as_u16(), 200, "the boot table is loaded");
    service.get("/api/v1/image-downloads").await?;
    let request =
        reqwest::Client::new().put(service.url("/api/v1/sites/dc2")).bearer_auth(service.token()).json(&site("Refused"));
    let answer = request.send().await?;
    let retry = answer.headers().contains_key("retry-after");
    let (status, body): (u16, Value) = (answer.status().as_u16(), answer.json().await?);
    ensure!((status, retry) == (503, true) && body["type"] == "/api/docs#problem-unavailable", "{status} {body}");
    ensure!(body["detail"] == Cause::ReadOnly.sentence(), "{body}");
    let ready: Value = reqwest::get(service.url("/readyz")).await?.json().await?;
    assert_eq!((&ready["ready"], &ready["reasons"]), (&json!(true), &json!([])), "{ready}");
    ensure!(ready["degraded"].to_string().contains(reason), "{ready}");
    assert_eq!(service.measured("bootledger_database_writable").await?, 0);
    let log = service.log()?;
    ensure!(!log.contains("ERROR"), "something tries to write: {log}");
    Ok(())
}

/// Changes are accepted and the views show them.
async fn becomes_writable(service: &Process, url: &str) -> Result<()> {
    let taken = async || service.put("/api/v1/sites/dc2", &site("After")).await.ok();
    wait_for("changes are taken again", PATIENCE, taken).await?;
    let shown = async || (service.get("/api/v1/sites/dc2").await.ok()?["spec"]["name"] == "After").then_some(());
    wait_for("the views move again", PATIENCE, shown).await?;
    let ready: Value = reqwest::get(service.url("/readyz")).await?.json().await?;
    ensure!(!ready["degraded"].to_string().contains("read-only"), "{ready}");
    // Without a heartbeat, no worker would process plugins, webhooks or DNS updates.
    let pool = sqlx::PgPool::connect(url).await?;
    let alive = async || {
        let alive = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM public.workers WHERE public.worker_lives(worker))");
        alive.fetch_one(&pool).await.ok()?.then_some(())
    };
    wait_for("the instance has a heartbeat", PATIENCE, alive).await
}

#[tokio::test]
async fn a_database_set_read_only_serves_reads_until_it_is_set_back() -> Result<()> {
    let database = TestDatabase::create().await?;
    let mut service = Process::start(Ipv4Addr::LOCALHOST, database.url()).await?;
    service.put("/api/v1/sites/dc1", &site("Before")).await?;
    service.kill()?;
    let name = database.url().split(['/', '?']).nth(3).unwrap_or_default().to_owned();
    execute(&database.url(), &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await?;
    service.start_again().await?;
    serves_reads_only(&service, "default_transaction_read_only").await?;
    let reset = format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT");
    execute(&database.url(), &reset).await?;
    becomes_writable(&service, &database.url()).await
}

#[tokio::test]
async fn a_standby_serves_reads_until_it_is_promoted() -> Result<()> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let primary = Postgres::create(folders[0].path(), &[], "max_connections = 60\n")?;
    for name in ["ledger", "empty"] {
        primary.execute("postgres", &format!("CREATE DATABASE {name}")).await?;
    }
    let mut service = Process::start(Ipv4Addr::LOCALHOST, primary.url("ledger")).await?;
    service.put("/api/v1/sites/dc1", &site("Before")).await?;
    service.kill()?;
    let standby = Postgres::standby_of(&primary, folders[1].path())?;
    drop(primary);
    service.use_database(standby.url("ledger"));
    service.start_again().await?;
    serves_reads_only(&service, "standby").await?;

    // A database without the schema cannot be used.
    service.kill()?;
    service.use_database(standby.url("empty"));
    let refused = service.run(&["token", "list"]).await.expect_err("it cannot get a schema").to_string();
    ensure!(refused.contains("standby") && refused.contains("schema"), "{refused}");
    service.use_database(standby.url("ledger"));
    service.start_again().await?;

    standby.promote()?;
    becomes_writable(&service, &standby.url("ledger")).await
}
