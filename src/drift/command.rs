//! `bootledger drift`: what the servers of a site have otherwise than they should, from the command line.

use crate::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::tool::Tool;
use anyhow::{Result, ensure};
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::at::At;
use bootledger_projections::drift::{self, Check, Drifted};
use bootledger_web::commands::{Command, Commands};
use clap::Args;
use std::time::{Duration, Instant};

/// How long a running service may take to look.
const PATIENCE: Duration = Duration::from_mins(5);
/// How soon it is looked whether it has.
const POLL: Duration = Duration::from_millis(200);

/// Of which site, and what is to be done.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The site's code.
    site: Name,
    /// Has a running service compare the site's servers with the views now, and waits for that.
    #[arg(long)]
    check: bool,
    /// Orders that these be repaired, by the keys that are printed; a running service does it.
    #[arg(long, value_name = "KEY")]
    repair: Vec<DriftKey>,
    /// Orders that all be repaired that nobody else has made.
    #[arg(long, conflicts_with = "repair")]
    repair_all: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// Does it.
pub async fn run(arguments: Arguments) -> Result<()> {
    let tool = Tool::open(&arguments.store).await?;
    let done = act(&tool, &arguments).await;
    tool.catch_up().await?;
    tool.close().await?;
    print!("{}", done?);
    Ok(())
}

async fn act(tool: &Tool, arguments: &Arguments) -> Result<String> {
    let (pool, site) = (&tool.database.pool, &arguments.site);
    let now = || (tool.ledger.now)();
    if arguments.check {
        tool.ledger.check_drift(site).await.map_err(shown)?;
        let (asked, begun) = (drift::check(pool, site, now()).await?.requested_at, Instant::now());
        while drift::check(pool, site, now()).await?.checked_at < asked {
            let limit = PATIENCE.as_secs();
            ensure!(begun.elapsed() < PATIENCE, "no running service has compared site {site} within {limit} s; is one running?");
            tokio::time::sleep(POLL).await;
        }
        tool.catch_up().await?;
    }
    if arguments.repair_all || !arguments.repair.is_empty() {
        let keys = (!arguments.repair_all).then(|| arguments.repair.clone());
        let command = Command::RepairDrift { site: site.clone(), keys };
        tool.ledger.execute(command, by("command line")).await.map_err(shown)?;
        tool.catch_up().await?;
    }
    let all = drift::list(pool, site, At::Now, None, i64::MAX).await?;
    Ok(told(site, &drift::check(pool, site, now()).await?, &all))
}

fn told(site: &Name, check: &Check, all: &[Drifted]) -> String {
    let mut lines: Vec<String> = all.iter().map(line).collect();
    lines.extend(check.problems.iter().map(|problem| format!("not compared: {problem}")));
    lines.push(match check.checked_at {
        Some(at) => format!("site {site}: differences: {}; things compared: {}, at {at}", all.len(), check.compared),
        None => format!("site {site}: never compared yet; --check has a running service do it"),
    });
    lines.join("\n") + "\n"
}

fn line(Drifted { key, drift }: &Drifted) -> String {
    let listed = |values: &[Text]| match values {
        [] => "nothing".to_owned(),
        values => values.iter().map(Text::as_str).collect::<Vec<_>>().join(", "),
    };
    let difference = &drift.difference;
    let how = if difference.message.is_empty() {
        format!("{} has {}, should have {}", difference.server, listed(&difference.found), listed(&difference.expected))
    } else {
        difference.message.to_string()
    };
    let ordered = drift.ordered.as_ref().map(|ordered| format!("; repair ordered by {}", ordered.by));
    let problem = drift.problem.as_ref().map(|problem| format!("; repair failed: {problem}"));
    let nature = serde_json::to_value(difference.nature).ok().and_then(|nature| nature.as_str().map(str::to_owned));
    let (nature, more) = (nature.unwrap_or_default(), ordered.or(problem).unwrap_or_default());
    format!("{key}  {nature}  {how}  (since {}){more}", drift.since)
}
