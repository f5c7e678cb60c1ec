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
    let mut runs = 0;
    loop {
        let done = reactor.pass().await? + publisher.pass().await?;
        tool.catch_up().await?;
        if done == 0 {
            break;
        }
        runs += done;
    }
    println!("{runs} plugin runs and DNS updates");
    drop((reactor, publisher));
    tool.close().await
}
