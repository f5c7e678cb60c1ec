//! `bootledger rebuild`: rebuilds the views from the log in a second schema, then switches to them or compares them.

use crate::cli::progress;
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use anyhow::{Result, bail};
use bootledger_projections::projector::rebuild;
use bootledger_web::english::counted;
use clap::Args;

/// The arguments of `bootledger rebuild`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Compares the rebuilt views with the current ones, reports every difference, and changes nothing.
    #[arg(long)]
    compare: bool,
}

/// Runs `bootledger rebuild`. A service may be running at the same time.
///
/// # Errors
/// Returns an error if the database fails, if another rebuild is in progress, or if the comparison finds differences.
pub async fn run(arguments: Arguments) -> Result<()> {
    tool::with(&arguments.store, async |tool| act(tool, arguments.compare).await).await
}

async fn act(tool: &Tool, compare: bool) -> Result<()> {
    let end = bootledger_projections::database::log::last_position(&tool.database.pool).await?;
    let bar = progress::known("events", end);
    let advance = |position: i64, end: i64| {
        bar.set_length(end.unsigned_abs());
        bar.set_position(position.unsigned_abs());
    };
    if !compare {
        let position = rebuild::rebuild(&tool.database.pool, advance).await?;
        bar.finish_and_clear();
        println!("the views were rebuilt and show position {position}");
        return Ok(());
    }
    let differences = rebuild::compare(&tool.database.pool, advance).await?;
    bar.finish_and_clear();
    for difference in &differences {
        println!(
            "{}: {} only in the old views, {} only in the new; {}",
            difference.table,
            counted(difference.only_old, "row", "rows"),
            difference.only_new,
            difference.sample.as_deref().unwrap_or("no sample")
        );
    }
    if !differences.is_empty() {
        bail!(
            "the views of {} differ from the log; `bootledger rebuild` fixes them",
            counted(differences.len(), "table", "tables")
        );
    }
    println!("the views match the log, at position {end} or later");
    Ok(())
}
