//! `bootledger rebuild`: rebuilds the views from the log in a second schema, then switches to them or compares them.

use crate::config::StoreArguments;
use crate::progress;
use crate::tool::Tool;
use anyhow::{Result, bail};
use bootledger_projections::rebuild;
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
pub async fn run(arguments: Arguments) -> Result<()> {
    let tool = Tool::open(&arguments.store).await?;
    let end = bootledger_projections::log::last_position(&tool.database.pool).await?;
    let bar = progress::known("events", end);
    let advance = |position: i64, end: i64| {
        bar.set_length(end.unsigned_abs());
        bar.set_position(position.unsigned_abs());
    };
    if arguments.compare {
        let differences = rebuild::compare(&tool.database.pool, advance).await?;
        bar.finish_and_clear();
        for difference in &differences {
            println!(
                "{}: {} rows only in the old views, {} only in the new; {}",
                difference.table,
                difference.only_old,
                difference.only_new,
                difference.sample.as_deref().unwrap_or("no sample")
            );
        }
        tool.close().await?;
        if !differences.is_empty() {
            bail!(
                "the views of {} tables differ from what the log says; `bootledger rebuild` makes them right",
                differences.len()
            );
        }
        println!("the views are what the log says, at position {end} or later");
        return Ok(());
    }
    let position = rebuild::rebuild(&tool.database.pool, advance).await?;
    bar.finish_and_clear();
    println!("the views were built anew and show position {position}");
    tool.close().await
}
