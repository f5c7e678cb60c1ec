//! `bootledger verify`: proves that no event in the log, or in an export of it, was altered.

use crate::config::StoreArguments;
use crate::progress;
use crate::store::verify;
use crate::tool::Tool;
use anyhow::{Context, Result, bail};
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

/// Prints how many events are proved, or fails and names the first event at which the log was altered.
pub async fn run(arguments: Arguments) -> Result<()> {
    let found = if let Some(file) = &arguments.file {
        let open = std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let bar = progress::unknown("events");
        verify::file(BufReader::new(open), |position| bar.set_position(position.unsigned_abs()))?
    } else {
        let tool = Tool::open(&arguments.store).await?;
        let end = bootledger_projections::log::last_position(&tool.database.pool).await?;
        let bar = progress::known("events", end);
        let found = verify::database(&tool.database.pool, |position| bar.set_position(position.unsigned_abs())).await?;
        bar.finish_and_clear();
        tool.close().await?;
        found
    };
    match found {
        Ok(events) => {
            println!("{events} events verified: nothing was altered");
            Ok(())
        }
        Err(tampered) => bail!("{tampered}"),
    }
}
