//! `bootledger drift`: shows how a site's DNS primary and DHCP servers differ from the expected state, and requests repairs.

use crate::commands::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use anyhow::{Result, ensure};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Command, Commands};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::drift::{self, Check, Drifted};
use bootledger_web::wording::actors::actor;
use bootledger_web::wording::drift as wording;
use clap::Args;
use std::time::{Duration, Instant};

/// How long `--check` waits for a running service to compare the servers.
const PATIENCE: Duration = Duration::from_mins(5);
/// How often `--check` queries whether the comparison has finished.
const POLL: Duration = Duration::from_millis(200);

/// The arguments of `bootledger drift`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The site's code.
    site: Name,
    /// Requests a comparison of the site's servers with the expected state from a running service, and waits for the result.
    #[arg(long)]
    check: bool,
    /// Requests the repair of the differences with these keys, as printed by this command; a running service carries it out.
    #[arg(long, value_name = "KEY")]
    repair: Vec<DriftKey>,
    /// Requests the repair of all differences, except aliases and records that Bootledger did not create.
    #[arg(long, conflicts_with = "repair")]
    repair_all: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// Runs `bootledger drift`.
///
/// # Errors
/// Returns an error if the database fails, if no running service compares the site in time, or if the request is refused.
pub async fn run(arguments: Arguments) -> Result<()> {
    let report = tool::with(&arguments.store, async |tool| act(tool, &arguments).await).await?;
    print!("{report}");
    Ok(())
}

async fn act(tool: &Tool, arguments: &Arguments) -> Result<String> {
    let (pool, site) = (&tool.database.pool, &arguments.site);
    let now = || (tool.commands.now)();
    if arguments.check {
        tool.commands.check_drift(site).await.map_err(shown)?;
        let (requested, begun) = (drift::check(pool, site, now()).await?.requested_at, Instant::now());
        while drift::check(pool, site, now()).await?.checked_at < requested {
            let limit = PATIENCE.as_secs();
            ensure!(
                begun.elapsed() < PATIENCE,
                "no service compared site {site} within {limit} s; check that a service is running"
            );
            tokio::time::sleep(POLL).await;
        }
        tool.catch_up().await?;
    }
    if arguments.repair_all || !arguments.repair.is_empty() {
        let keys = (!arguments.repair_all).then(|| arguments.repair.clone());
        let command = Command::RepairDrift { site: site.clone(), keys };
        tool.commands.execute(command, by(SystemActor::CommandLine)).await.map_err(shown)?;
        tool.catch_up().await?;
    }
    let all = drift::list(pool, site, At::Now, None, i64::MAX).await?;
    Ok(summary(site, &drift::check(pool, site, now()).await?, &all))
}

fn summary(site: &Name, check: &Check, all: &[Drifted]) -> String {
    let mut lines: Vec<String> = all.iter().map(line).collect();
    lines.extend(check.problems.iter().map(|problem| format!("not compared: {}", wording::problem(problem))));
    lines.push(match check.checked_at {
        Some(at) => format!("site {site}: differences: {}; objects compared: {}, at {at}", all.len(), check.compared),
        None => format!("site {site}: never compared; use --check to have a running service compare it"),
    });
    lines.join("\n") + "\n"
}

fn line(Drifted { key, drift }: &Drifted) -> String {
    let difference = &drift.difference;
    let how = match wording::message(difference) {
        message if message.is_empty() => {
            let (found, expected) = (wording::listed(&difference.found), wording::listed(&difference.expected));
            format!("{} has {found}, expected {expected}", difference.server)
        }
        message => message,
    };
    let ordered = drift.ordered.as_ref().map(|ordered| format!("; repair requested by {}", actor(&ordered.by)));
    let problem = drift.problem.as_ref().map(|problem| format!("; repair failed: {}", wording::problem(problem)));
    let nature = serde_json::to_value(difference.nature()).ok().and_then(|nature| nature.as_str().map(str::to_owned));
    let (nature, more) = (nature.unwrap_or_default(), ordered.or(problem).unwrap_or_default());
    format!("{key}  {nature}  {how}  (since {}){more}", drift.since)
}
