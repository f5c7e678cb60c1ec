//! Dry runs against a database that others use.

use super::super::report::Status;
use super::place::{Place, SMALL};
use crate::commands::administrator::{by, shown};
use crate::commands::trial::Trial;
use crate::service::tool::Tool;
use anyhow::{Context as _, Result, ensure};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_port::{CatalogueAction, Command, Commands};
use clap::Parser;
use serde_json::json;

#[tokio::test]
async fn a_dry_run_beside_a_service_at_work_keeps_out_of_its_way() -> Result<()> {
    let place = Place::create().await?;
    place.import(SMALL).await?;
    let trial = Trial::open(&place.tool.database, &place.tool.commands).await?;
    let second = Trial::open(&place.tool.database, &place.tool.commands).await.err().context("one at a time")?;
    assert!(format!("{second:#}").contains("another dry run is running"), "{second:#}");
    let mut appended = place.tool.commands.feed.appended();
    let known = *appended.borrow_and_update();
    let tried = place.files(&SMALL.replace("r1", "r7").replace("r2", "r8"))?;
    let report = tried.dry_run((trial.views.clone(), trial.commands.clone()), place.files.clone()).await?;
    ensure!(report.count(Status::Created) == 2, "{report}");
    // The service continues during the trial, with a log of its own.
    let spec: NetworkSpec = serde_json::from_value(json!({ "cidr": "10.9.0.0/24", "site": "dc1" }))?;
    let receipt = place
        .tool
        .commands
        .execute(Command::Catalogue(CatalogueAction::DefineNetwork("n".parse()?, Box::new(spec))), by(SystemActor::CommandLine))
        .await
        .map_err(shown)?;
    assert_eq!(receipt.position, known + 1);
    trial.close().await?;
    assert_eq!(place.position().await?, known + 1);
    assert!(*appended.borrow_and_update() <= known + 1, "no notice of the trial reached the service");
    // The next trial removes what an interrupted one left behind.
    sqlx::query("CREATE SCHEMA import_trial").execute(&place.tool.database.pool.plain()).await?;
    assert!(place.dry_run(SMALL).await?.is_whole());
    Ok(())
}

/// A dry run that is killed ends abruptly: its sessions end, and its schema remains.
#[tokio::test]
async fn a_killed_dry_run_leaves_nothing_that_lasts() -> Result<()> {
    let place = Place::create().await?;
    place.import(SMALL).await?;
    let schema = async || -> Result<bool> {
        let there = sqlx::query_scalar("SELECT to_regnamespace('import_trial') IS NOT NULL");
        Ok(there.fetch_one(&place.tool.database.pool.plain()).await?)
    };
    let open = async || {
        let url = place.database.url();
        let arguments = crate::cli::Arguments::try_parse_from(["bootledger", "deploy", "--database-url", &url])?;
        Tool::open(&arguments.store).await
    };
    let trial = Trial::open(&place.tool.database, &place.tool.commands).await?;
    // A program that starts does not touch a trial that is running.
    open().await?.close().await?;
    ensure!(schema().await?, "the copy of a dry run that is under way was removed");
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    // The lower half of the lock's key.
    let lease = 7_267_832_002_i64 % (1 << 32);
    let killed: i64 = sqlx::query_scalar(kill).bind(lease).fetch_one(&place.tool.database.pool.plain()).await?;
    ensure!(killed == 1 && schema().await?, "{killed} sessions of the dry run were ended");
    // The next trial does not wait, and removes the schema.
    let next = Trial::open(&place.tool.database, &place.tool.commands).await?;
    next.close().await?;
    ensure!(!schema().await?, "the next dry run removes it");
    drop(trial);
    // So does a program that starts, before it migrates the schema.
    sqlx::raw_sql("CREATE SCHEMA import_trial; CREATE VIEW import_trial.events AS SELECT * FROM public.events")
        .execute(&place.tool.database.pool.plain())
        .await?;
    open().await?.close().await?;
    ensure!(!schema().await?, "a start removes it");
    Ok(())
}
