//! `bootledger import`: starts a deployment for every row of a CSV file, or for none; or imports catalogue files.

use crate::catalogue_file::{Existing, Files};
use crate::commands::CommandService;
use crate::commands::administrator::{by, shown};
use crate::commands::trial::Trial;
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use anyhow::{Context, Result, bail};
use bootledger_aggregates::actor::SystemActor;
use bootledger_port::fingerprint::{Fingerprint, IdempotencyKey};
use bootledger_port::{Commands, Imported, PlannedRow};
use bootledger_web::english::counted;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The arguments of `bootledger import`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// The CSV file of deployments to start.
    #[arg(required_unless_present = "catalogue", value_name = "CSV")]
    file: Option<PathBuf>,
    /// Shows what would be created, changed, refused and started, without changing anything.
    #[arg(long)]
    dry_run: bool,
    /// Imports this YAML file, or the YAML files of this folder, before the CSV file; `-` reads standard input. May be
    /// repeated: the files are read as one.
    #[arg(long, value_name = "FILE|FOLDER")]
    catalogue: Vec<PathBuf>,
    /// Where boot files are stored, as for `serve`.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    files: Option<String>,
    /// A key that makes an import of deployments safe to repeat: a second import with the same key and file starts nothing.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// How many refusals are repeated at the end of a report.
const REPEATED: usize = 100;

const HELP: &str = "\
Examples:
  bootledger import --catalogue catalogue.yaml --dry-run   shows each field that would change, old and new
  bootledger import --catalogue catalogue.yaml             creates and changes; the same file again changes nothing
  bootledger import deployments.csv                        starts a deployment for every row, or for none

Exit codes:
  0  the catalogue matches the files, or would match them without --dry-run
  1  an entry or a row was refused, or the import failed; standard error has the reason
  2  the command line is wrong";

/// Runs the import. The exit code says whether anything was refused.
///
/// # Errors
/// Returns an error if a file cannot be read or parsed, or if the database fails. A refused entry or row is not an error: the
/// exit code says so.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(file) = &arguments.file
        && file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
    {
        bail!("{} is a catalogue file. Import it with --catalogue", file.display());
    }
    let catalogue = match &arguments.catalogue[..] {
        [] => None,
        paths => Some(Files::read(paths).await?),
    };
    let csv = match &arguments.file {
        Some(file) => Some(tokio::fs::read(file).await.with_context(|| format!("{} cannot be read", file.display()))?),
        None => None,
    };
    let work = async |tool: &Tool| {
        if arguments.dry_run && catalogue.is_some() {
            tried(&arguments, tool, catalogue.as_ref(), csv.as_deref()).await
        } else {
            import(&arguments, tool, None, catalogue.as_ref(), csv.as_deref()).await
        }
    };
    let whole = Box::pin(tool::with(&arguments.store, work)).await?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Imports into a temporary copy. Returns whether the real import would have no refusals.
async fn tried(arguments: &Arguments, tool: &Tool, catalogue: Option<&Files>, csv: Option<&[u8]>) -> Result<bool> {
    let trial = Trial::open(&tool.database, &tool.commands).await?;
    let done = import(arguments, tool, Some(&trial), catalogue, csv).await;
    trial.close().await.context("the copy for the dry run cannot be removed; the next dry run removes it")?;
    done
}

/// Imports the catalogue and the CSV file. Returns whether nothing was refused.
async fn import(
    arguments: &Arguments,
    tool: &Tool,
    trial: Option<&Trial>,
    catalogue: Option<&Files>,
    csv: Option<&[u8]>,
) -> Result<bool> {
    let mut whole = true;
    if let Some(catalogue) = catalogue {
        let files = crate::files::open(arguments.files.as_deref(), &arguments.store.data_dir)?;
        let report = match trial {
            Some(trial) => catalogue.dry_run((trial.views.clone(), trial.commands.clone()), Arc::clone(&files)).await?,
            None => catalogue.import(tool, files, Existing::Changed).await?,
        };
        print!("{report}");
        whole = report.is_whole();
        let refused = report.refusals();
        if !whole {
            let what = if arguments.dry_run { "would be refused" } else { "refused" };
            eprintln!("{} {what}:", counted(refused.len(), "entry", "entries"));
        }
        refused.iter().take(REPEATED).for_each(|line| eprintln!("{line}"));
        if refused.len() > REPEATED {
            eprintln!("and {} more, which are listed above", refused.len() - REPEATED);
        }
    }
    let Some(csv) = csv else { return Ok(whole) };
    if !whole {
        let file = arguments.file.as_deref().unwrap_or(Path::new(""));
        eprintln!("{}: no deployment was started, because the catalogue does not match its files", file.display());
        return Ok(false);
    }
    deployments(arguments, tool, trial.map_or(&tool.commands, |trial| &trial.commands), csv).await
}

/// Starts a deployment for every row, or for none. Returns whether all were started.
async fn deployments(arguments: &Arguments, tool: &Tool, commands: &CommandService, csv: &[u8]) -> Result<bool> {
    let mut context = by(SystemActor::CommandLine);
    // The fingerprint is that of the same file in an HTTP request, so that an idempotency key means the same in both.
    let request = Fingerprint::of("POST", "/api/v1/imports", "", b"text/csv", csv);
    context.idempotency_key = arguments.idempotency_key.clone().map(|key| IdempotencyKey { key, request });
    match commands.import(csv, arguments.dry_run, None, context).await.map_err(shown)? {
        Imported::Planned(rows) => {
            rows.iter().for_each(show);
            println!("{} would start", counted(rows.len(), "deployment", "deployments"));
        }
        Imported::Started { import, rows, receipt } => {
            rows.iter().for_each(show);
            println!(
                "import {import}: {} started at position {}",
                counted(rows.len(), "deployment", "deployments"),
                receipt.position
            );
            tool.catch_up().await?;
        }
        Imported::Refused(errors) => {
            for error in &errors {
                let place = match (error.row, error.column.as_str()) {
                    (0, _) => "the file".to_owned(),
                    (row, "") => format!("row {row}"),
                    (row, column) => format!("row {row}, {column}"),
                };
                eprintln!("{place}: {}", error.broken.message);
            }
            eprintln!("{}; nothing was started", counted(errors.len(), "error", "errors"));
            return Ok(false);
        }
    }
    Ok(true)
}

fn show(row: &PlannedRow) {
    println!("{}  {}  {}  {}/{}  {}", row.mac, row.ip, row.hostname, row.venture, row.role, row.boot_image);
    row.notes.iter().for_each(|note| println!("    row {}: {note}", row.row));
}
