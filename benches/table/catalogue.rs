//! The data centre that every part of the bench uses, created over the API.

use crate::cluster::Cluster;
use crate::log::Log;
use crate::process::Process;
use anyhow::{Context, Result};
use bootledger::database::Database;
use serde_json::json;
use std::net::Ipv4Addr;

/// The boot script, as long as those of real installers.
const SCRIPT: &str = "#!ipxe\n\
    echo {{ hostname }} installs for {{ venture }}/{{ role }}\n\
    kernel {{ kernel_url }} initrd=initrd auto=true priority=critical interface={{ mac }} url={{ kickstart_url }}\n\
    initrd --name initrd {{ initrd_url }}\n\
    boot\n";

/// Defines site, network, DHCP server, boot image, venture and role.
pub(crate) async fn define(service: &Process) -> Result<()> {
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
        "hostname_template": "h<200,699>.dc1.example|h<1000,9999>.dc1.example|h<10000,999999>.dc1.example",
    });
    service.put("/api/v1/sites/dc1", &site).await?;
    service.put("/api/v1/networks/prod", &json!({ "cidr": "10.0.0.0/8", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    service.put("/api/v1/boot-images/debian-12", &json!({})).await?;
    for (file, kind) in [("linux", "kernel"), ("initrd.gz", "initrd"), ("preseed.cfg", "kickstart")] {
        service.put_bytes(&format!("/api/v1/boot-images/debian-12/files/{file}?kind={kind}"), "content").await?;
    }
    service.put_bytes("/api/v1/boot-images/debian-12/files/boot.ipxe?kind=boot_ipxe&template=true", SCRIPT).await?;
    service.put("/api/v1/ventures/shop", &json!({})).await?;
    service.put("/api/v1/ventures/shop/roles/web", &json!({})).await?;
    Ok(())
}

/// A service on a new database with the catalogue, stopped so that a log can be written; with the database and the revision of
/// the boot image.
pub(crate) async fn stopped(cluster: &Cluster, name: &str) -> Result<(Process, Database, u32)> {
    let url = cluster.database(name).await?;
    let mut service = Process::start(Ipv4Addr::LOCALHOST, url.clone()).await?;
    define(&service).await?;
    let image = service.get("/api/v1/boot-images/debian-12").await?;
    let revision = image["revision"].as_u64().context("the image has no revision")?;
    service.kill()?;
    Ok((service, cluster.open(&url).await?, u32::try_from(revision)?))
}

/// The same, with a log in which this many servers are in progress, and with the views that show it.
pub(crate) async fn with_servers(cluster: &Cluster, name: &str, servers: u32) -> Result<(Process, Database)> {
    let (service, database, revision) = stopped(cluster, name).await?;
    Log::open(database.pool.clone()).await?.deploy(servers, revision).await?;
    bootledger_projections::projector::rebuild::rebuild(&database.pool, |_, _| {}).await?;
    sqlx::query("VACUUM ANALYZE").execute(&database.pool).await?;
    Ok((service, database))
}
