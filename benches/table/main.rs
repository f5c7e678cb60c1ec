//! `make bench`: what Bootledger reaches. Each figure is shown beside a limit of the same machine, measured in the same run.
//!
//! Everything uses a PostgreSQL that is as durable as in production, on the machine that also generates the load. A row has
//! what was measured, the limit, their ratio, and the target. Arguments name the parts to run; without arguments, all parts
//! run.

mod agents;
mod append;
mod boot;
mod bulk;
mod catalogue;
mod cluster;
mod dhcp;
mod dns;
mod files;
mod kea_hosts;
mod log;
mod pages;
mod report;
mod slow;
mod tftp;
mod views;
mod webhooks;

#[path = "../../tests/support/process.rs"]
#[expect(dead_code, reason = "the stories use the rest of it")]
mod process;
#[path = "../../tests/support/rules.rs"]
mod rules;

#[path = "../../tests/support/dns.rs"]
#[expect(dead_code, reason = "the stories use the rest of it")]
mod dns_server;

use anyhow::{Result, ensure};
use cluster::Cluster;
use report::Report;

/// The parts, in the order in which they run.
const PARTS: [&str; 13] =
    ["tftp", "dhcp", "kea", "dns", "append", "agents", "slow", "files", "bulk", "bulk-large", "webhooks", "large", "pages"];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [bare, port, bytes] = arguments.as_slice()
        && bare == "bare"
    {
        return boot::bare(port.parse()?, bytes.parse()?);
    }
    ensure!(arguments.iter().all(|part| PARTS.contains(&part.as_str())), "the parts are {}", PARTS.join(", "));
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let cluster = Cluster::start().await?;
        let mut report = Report::default();
        if wanted("tftp") {
            tftp::measure(&mut report).await?;
        }
        if wanted("dhcp") {
            dhcp::measure(cluster.folder(), &mut report).await?;
        }
        if wanted("kea") {
            kea_hosts::measure(cluster.folder(), &mut report).await?;
        }
        if wanted("dns") {
            dns::measure(&cluster, &mut report).await?;
        }
        if wanted("append") {
            append::measure(&cluster, &mut report).await?;
        }
        if wanted("agents") {
            agents::measure(&cluster, &mut report).await?;
        }
        if wanted("slow") {
            slow::measure(&cluster, &mut report).await?;
        }
        if wanted("files") {
            Box::pin(files::measure(&cluster, &mut report)).await?;
        }
        if wanted("bulk") {
            bulk::measure(&cluster, &mut report, 10_000).await?;
        }
        if wanted("bulk-large") {
            bulk::measure(&cluster, &mut report, 100_000).await?;
        }
        if wanted("webhooks") {
            webhooks::measure(&cluster, &mut report).await?;
        }
        if wanted("large") {
            boot::measure(&cluster, &mut report).await?;
        }
        if wanted("pages") {
            pages::measure(&cluster, &mut report).await?;
        }
        report.print();
        cluster.stop().await
    })
}
