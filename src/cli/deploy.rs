//! `bootledger deploy`: runs all plugins and DNS updates that are due, and those that become due as a result, then
//! exits; for cron. Runs that wait or have failed are left until their next scheduled time.

use crate::config::StoreArguments;
use crate::database::instance::Instance;
use crate::service::tool::Tool;
use crate::workers::dns::Publisher;
use crate::workers::heartbeat::Heartbeat;
use crate::workers::reactor::Reactor;
use anyhow::{Context, Result};
use bootledger_web::english::counted;
use std::time::Duration;
use tokio::time::timeout;

/// How long the database may take to register this process as a worker.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs one pass over everything that is due.
///
/// # Errors
/// Returns an error if the database cannot be opened or does not accept the program's heartbeat, or if a pass fails.
pub async fn run(arguments: &StoreArguments) -> Result<()> {
    let tool = Tool::open(arguments).await?;
    let heartbeat = Heartbeat::start(tool.database.sessions.clone(), Instance::new());
    let worker = heartbeat.worker();
    let ready = timeout(PATIENCE, worker.ready()).await.ok().flatten();
    ready.context("the database does not accept the heartbeat of this program; try again when it accepts changes")?;
    let reactor = Reactor::new(tool.commands.clone(), worker.clone());
    let publisher = Publisher::new(tool.commands.clone(), worker);
    let (mut runs, mut updates) = (0, 0);
    loop {
        let (more_runs, more_updates) = (reactor.pass().await?, publisher.pass().await?);
        tool.catch_up().await?;
        if more_runs + more_updates == 0 {
            break;
        }
        (runs, updates) = (runs + more_runs, updates + more_updates);
    }
    let runs = counted(runs, "plugin run", "plugin runs");
    println!("{runs}, {} to update DNS records", counted(updates, "attempt", "attempts"));
    drop((reactor, publisher));
    heartbeat.end().await;
    tool.close().await
}
