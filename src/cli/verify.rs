//! `bootledger verify`: proves that no event in the log, or in an export of it, was altered.

use crate::cli::progress;
use crate::config::StoreArguments;
use crate::event_log::verify;
use crate::service::tool::{self, Tool};
use anyhow::{Context, Result, bail};
use bootledger_web::english::counted;
use clap::Args;
use std::io::BufReader;
use std::path::PathBuf;

/// The arguments of `bootledger verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// An export that starts with the first event; by default, the database is verified.
    file: Option<PathBuf>,
}

/// Verifies the log or an export, and prints how many events it contains.
///
/// # Errors
/// Returns an error if the log or the export cannot be read, or if it was altered. In the second case, the error names the first
/// position that is affected.
pub async fn run(arguments: Arguments) -> Result<()> {
    let found = if let Some(file) = &arguments.file {
        let open = std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let bar = progress::unknown("events");
        verify::file(BufReader::new(open), |position| bar.set_position(position.unsigned_abs()))?
    } else {
        let work = async |tool: &Tool| {
            let end = bootledger_projections::database::log::last_position(&tool.database.pool).await?;
            let bar = progress::known("events", end);
            let found = verify::database(&tool.database.pool, |position| bar.set_position(position.unsigned_abs())).await?;
            bar.finish_and_clear();
            Ok(found)
        };
        tool::with(&arguments.store, work).await?
    };
    match found {
        Ok(events) => {
            println!("{} verified: nothing was altered", counted(events, "event", "events"));
            Ok(())
        }
        Err(tampered) => bail!("{tampered}"),
    }
}
