//! `bootledger export`: the log as JSON lines, one event each, which `verify FILE` can prove.

use crate::config::StoreArguments;
use crate::store::verify;
use crate::tool::Tool;
use anyhow::{Context, Result};
use clap::Args;
use std::io::Write;

/// From where.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Only events behind this position; such an export cannot be verified by itself.
    #[arg(long, default_value_t = 0, value_name = "POSITION")]
    after: i64,
}

/// Writes to standard output.
pub async fn run(arguments: Arguments) -> Result<()> {
    let tool = Tool::open(&arguments.store).await?;
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
    out.flush()?;
    drop(out);
    tool.close().await
}
