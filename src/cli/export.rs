//! `bootledger export`: writes the log as JSON lines, one event each, which `verify FILE` can check; or the catalogue as a file
//! that can be imported.

use crate::catalogue_file;
use crate::config::StoreArguments;
use crate::event_log::verify;
use crate::service::tool::{self, Tool};
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use bootledger_web::images::store::Contents;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// The arguments of `bootledger export`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Exports only events after this position; such an export cannot be verified by itself.
    #[arg(long, default_value_t = 0, value_name = "POSITION", conflicts_with = "catalogue")]
    after: i64,
    /// Writes the catalogue as YAML, in the form that `import --catalogue` reads, instead of the log.
    #[arg(long)]
    catalogue: bool,
    /// Exports the catalogue as it was at this position of the log, or at this time.
    #[arg(long, value_name = "POSITION|RFC 3339", requires = "catalogue")]
    at: Option<Moment>,
    /// Also writes boot files that are not short texts into this folder; the catalogue refers to them by path.
    #[arg(long, value_name = "FOLDER", requires = "catalogue")]
    contents: Option<PathBuf>,
    /// Where boot files are stored, as for `serve`.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    files: Option<String>,
}

const HELP: &str = "\
Examples:
  bootledger export > log.jsonl                             all events, for `bootledger verify log.jsonl`
  bootledger export --catalogue > catalogue.yaml            the present catalogue
  bootledger export --catalogue --at 2026-11-01T00:00:00Z   the catalogue as it was
  bootledger export --catalogue --contents boot > catalogue.yaml
                                                            also writes kernels and other large files to the folder boot, for import into another service

Exit codes:
  0  everything was written
  1  something could not be read or written
  2  the command line is wrong";

/// A moment in the log: a position or a time.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Position(i64),
    Time(Timestamp),
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(position) = text.parse() {
            return Ok(Self::Position(position));
        }
        let time = text.parse().map(Self::Time);
        time.map_err(|_| "not a position such as 1200 or a time such as 2026-11-01T00:00:00Z".to_owned())
    }
}

/// Writes the export to standard output.
///
/// # Errors
/// Returns an error if the log, the views or the boot files cannot be read, if the position of `--at` does not exist, or if the
/// output cannot be written.
pub async fn run(arguments: Arguments) -> Result<()> {
    let work = async |tool: &Tool| {
        if arguments.catalogue { catalogue(&arguments, tool).await } else { events(&arguments, tool).await }
    };
    tool::with(&arguments.store, work).await
}

async fn events(arguments: &Arguments, tool: &Tool) -> Result<()> {
    let mut position = arguments.after;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    loop {
        let events = verify::export_after(&tool.database.pool, position).await?;
        let Some(last) = events.last() else { break };
        position = last.position;
        for event in &events {
            serde_json::to_writer(&mut out, event).context("the export cannot be written")?;
            out.write_all(b"\n")?;
        }
    }
    out.flush().context("the export cannot be written")
}

async fn catalogue(arguments: &Arguments, tool: &Tool) -> Result<()> {
    let pool = &tool.database.pool;
    let last = checkpoint::position(pool).await?;
    let position = match arguments.at {
        None => last,
        Some(Moment::Position(position)) => {
            ensure!((0..=last).contains(&position), "the log ends at position {last}; it has no position {position}");
            position
        }
        Some(Moment::Time(time)) => log::position_at(pool, time).await?.min(last),
    };
    let time = log::recorded_at(pool, position).await?;
    let time = time.map_or_else(String::new, |time| format!(", of {time}"));
    let heading = format!(
        "The catalogue of Bootledger at position {position} of the log{time}.\nImport it with: bootledger import --catalogue FILE"
    );
    let contents = Contents::new(crate::files::open(arguments.files.as_deref(), &arguments.store.data_dir)?);
    // The catalogue is read at a position even if its current state is requested, so that all of it is from one moment.
    let exported =
        catalogue_file::export(pool, &contents, At::Position(position), arguments.contents.as_deref(), &heading).await?;
    for remark in &exported.remarks {
        eprintln!("{remark}");
    }
    let mut out = std::io::stdout().lock();
    out.write_all(exported.text.as_bytes()).and_then(|()| out.flush()).context("the export cannot be written")
}
