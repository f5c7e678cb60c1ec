//! `bootledger import`: starts a deployment for every row of a CSV file, or for none; or loads a catalogue.

use crate::administrator::{by, shown};
use crate::catalogue_file;
use crate::config::StoreArguments;
use crate::tool::Tool;
use anyhow::{Context, Result};
use bootledger_web::commands::{Commands, Imported, PlannedRow};
use bootledger_web::request::fingerprint::{Fingerprint, IdempotencyKey};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which file.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// The CSV file.
    #[arg(required_unless_present = "catalogue")]
    file: Option<PathBuf>,
    /// Shows what would be started, and starts nothing.
    #[arg(long)]
    dry_run: bool,
    /// Loads sites, racks, networks, DHCP servers, ventures, boot images and devices from this YAML file first.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Where boot files are stored, as for `serve`.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    files: Option<String>,
    /// Started again with the same key and file, nothing is started twice.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// Does it; the exit code says whether anything was refused.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let tool = Tool::open(&arguments.store).await?;
    if let Some(file) = &arguments.catalogue {
        let files = crate::files::open(arguments.files.as_deref(), &arguments.store.data_dir)?;
        let loaded = catalogue_file::load(&tool, files, file).await?;
        println!("{loaded} entries of the catalogue loaded");
    }
    let mut code = ExitCode::SUCCESS;
    if let Some(file) = &arguments.file {
        let csv = tokio::fs::read(file).await.with_context(|| format!("{} cannot be read", file.display()))?;
        let mut context = by("command line");
        // As the same file in a request, so that a key means the same here and there.
        let request = Fingerprint::of("POST", "/api/v1/imports", "", b"text/csv", &csv);
        context.idempotency_key = arguments.idempotency_key.map(|key| IdempotencyKey { key, request });
        match tool.ledger.import(&csv, arguments.dry_run, context).await.map_err(shown)? {
            Imported::Planned(rows) => {
                rows.iter().for_each(show);
                println!("{} deployments would be started", rows.len());
            }
            Imported::Started { import, rows, receipt } => {
                rows.iter().for_each(show);
                println!("import {import}: {} deployments started at position {}", rows.len(), receipt.position);
                tool.catch_up().await?;
            }
            Imported::Refused(errors) => {
                for error in &errors {
                    eprintln!("row {}, {}: {}", error.row, error.column, error.broken.message);
                }
                eprintln!("{} errors; nothing was started", errors.len());
                code = ExitCode::FAILURE;
            }
        }
    }
    tool.close().await?;
    Ok(code)
}

fn show(row: &PlannedRow) {
    println!("{}  {}  {}  {}/{}  {}", row.mac, row.ip, row.hostname, row.venture, row.role, row.boot_image);
}
