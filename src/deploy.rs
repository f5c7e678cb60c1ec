//! `bootledger deploy`: works on all plugin runs and DNS updates that are due, and on those that thereby become due, then
//! ends; for cron. Runs that wait or failed are left for their time.

use crate::config::StoreArguments;
use crate::dns::Publisher;
use crate::reactor::Reactor;
use crate::tool::Tool;
use anyhow::Result;

/// One pass.
pub async fn run(arguments: &StoreArguments) -> Result<()> {
    let tool = Tool::open(arguments).await?;
    let reactor = Reactor::new(tool.ledger.clone());
    let publisher = Publisher::new(tool.ledger.clone());
    let (mut runs, mut updates) = (0, 0);
    loop {
        let (more_runs, more_updates) = (reactor.pass().await?, publisher.pass().await?);
        tool.catch_up().await?;
        if more_runs + more_updates == 0 {
            break;
        }
        (runs, updates) = (runs + more_runs, updates + more_updates);
    }
    println!("{runs} plugin runs, {updates} tries to update DNS records");
    drop((reactor, publisher));
    tool.close().await
}
