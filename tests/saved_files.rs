//! Everything that can be saved can be written and is accepted by the servers that receive it. An image that lacks a file is
//! not deployed.

use crate::support::command_service::{TestService, context, read};
use crate::support::process::wait_for;
use anyhow::{Context, Result, bail, ensure};
use bootledger::event_log::catch_up::catch_up;
use bootledger::file_checks::Checkers;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_port::{CatalogueAction, Command, CommandError, Commands, DeploymentAction, NewDeployment};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

fn site(header: &Value) -> Value {
    json!({"domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"], "next_server": "10.0.0.1", "dhcp_header": header,
        "hostname_template": "h<200,299>.dc1.example"})
}

fn network(options: &Value) -> Value {
    json!({"cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1", "dhcp_options": options})
}

impl TestService {
    async fn open(checkers: Checkers) -> Result<Self> {
        let mut service = Self::empty(4).await?;
        service.commands = service.commands.with_checkers(checkers);
        service.site(&json!([])).await?;
        service.network(&json!([])).await?;
        for kind in ["isc", "kea", "dnsmasq"] {
            let server = read(json!({"site": "dc1", "kind": kind}))?;
            service.execute(Command::Catalogue(CatalogueAction::DefineDhcpServer(kind.parse()?, server))).await?;
        }
        Ok(service)
    }

    async fn site(&self, header: &Value) -> Result<String> {
        Ok(self.execute(Command::Catalogue(CatalogueAction::DefineSite("dc1".parse()?, read(site(header))?))).await?)
    }

    async fn network(&self, options: &Value) -> Result<String> {
        Ok(self.execute(Command::Catalogue(CatalogueAction::DefineNetwork("prod".parse()?, read(network(options))?))).await?)
    }
}

fn broken(outcome: Result<String>) -> Result<BrokenRule> {
    match outcome.map_err(anyhow::Error::downcast::<CommandError>) {
        Err(Ok(CommandError::Refused(mut broken))) if broken.len() == 1 => Ok(broken.remove(0)),
        other => bail!("it was not refused for one reason: {other:?}"),
    }
}

/// A folder with a program `dnsmasq` that is this shell script, and the checkers that use it.
fn dnsmasq(script: &str) -> Result<(tempfile::TempDir, Checkers)> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("dnsmasq");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n"))?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let checkers = Checkers::in_folders([folder.path()].map(Path::to_owned));
    Ok((folder, checkers))
}

#[tokio::test]
async fn a_typo_in_the_options_of_a_site_or_network_is_refused_with_what_was_meant() -> Result<()> {
    let service = TestService::open(Checkers::default()).await?;
    let typo = json!([{"name": "ntp-server", "value": {"addresses": ["10.0.0.2"]}}]);
    for (refused, field) in [(service.site(&typo).await, "dhcp_header"), (service.network(&typo).await, "dhcp_options")] {
        let rule = broken(refused)?;
        ensure!(rule.field == field && rule.rule == "dhcp_option_unknown", "{rule:?}");
        ensure!(rule.message.contains("ntp-servers"), "{rule:?}");
    }
    let stored = catalogue::site(&service.pool, &"dc1".parse()?, At::Now).await?.map(|entry| entry.spec.dhcp_header);
    ensure!(stored == Some(vec![]), "{stored:?}");
    // A valid value passes the check of the real programs and is saved.
    let right = json!([{"name": "ntp-servers", "value": {"addresses": ["10.0.0.2"]}},
        {"name": "site-tag", "code": 224, "type": "hex", "value": {"hex": "01:ff"}}]);
    service.site(&right).await?;
    service.network(&right).await?;
    Ok(())
}

#[tokio::test]
async fn a_file_that_a_servers_checker_rejects_refuses_the_change_unless_it_was_rejected_before() -> Result<()> {
    let script = "grep -q forbidden \"$3\" && { echo \"dnsmasq: bad option at line $(grep -n forbidden \"$3\" | head -1 | cut -d: -f1) of $3\"; exit 1; }; exit 0";
    let (_folder, checkers) = dnsmasq(script)?;
    let service = TestService::open(checkers).await?;
    let path = |text: &str| json!([{"name": "root-path", "value": {"text": text}}]);
    for refused in [service.site(&path("/forbidden")).await, service.network(&path("/forbidden")).await] {
        let rule = broken(refused)?;
        ensure!(rule.rule == "dhcp_file_rejected", "{rule:?}");
        ensure!(rule.message.contains("dnsmasq: bad option at line "), "{rule:?}");
        ensure!(rule.message.contains("dhcp-option=tag:") && rule.message.contains("17,\"/forbidden\""), "{rule:?}");
        ensure!(!rule.message.contains("/tmp"), "{rule:?}");
    }
    service.network(&path("/allowed")).await?;
    // An invalid value that was stored before this check existed does not block changes to other fields.
    let unchecked = service.commands.clone().with_checkers(Checkers::off());
    let (key, spec) = ("prod".parse()?, read(network(&path("/forbidden")))?);
    unchecked.execute(Command::Catalogue(CatalogueAction::DefineNetwork(key, spec)), context()).await?;
    catch_up(&service.pool, &service.feed).await?;
    service.site(&path("/srv")).await?;
    Ok(())
}

#[tokio::test]
async fn a_checker_that_hangs_delays_a_change_for_seconds_and_holds_no_connection() -> Result<()> {
    let (folder, checkers) = dnsmasq("grep -q hang \"$3\" && touch \"$(dirname \"$0\")/hangs\" && sleep 60; exit 0")?;
    let service = TestService::open(checkers).await?;
    let hanging = json!([{"name": "root-path", "value": {"text": "/hang"}}]);
    let change = Box::pin(service.network(&hanging));
    let others = async {
        // All connections of the pool are used at once, while the checker hangs.
        let hangs = async || folder.path().join("hangs").exists().then_some(());
        wait_for("the checker hangs", Duration::from_secs(10), hangs).await?;
        let mut held = vec![];
        for _ in 0..3 {
            held.push(tokio::time::timeout(Duration::from_secs(1), service.pool.acquire()).await??);
        }
        anyhow::Ok(held.len())
    };
    // The checker itself would hang for a minute.
    let both = async { tokio::join!(change, others) };
    let (changed, others) =
        tokio::time::timeout(Duration::from_secs(55), both).await.context("the change waits for the checker")?;
    changed?;
    ensure!(others? == 3);
    Ok(())
}

#[tokio::test]
async fn an_image_whose_script_needs_a_kernel_is_not_deployed_without_one() -> Result<()> {
    let service = TestService::open(Checkers::off()).await?;
    let image: bootledger_aggregates::values::name::Name = "debian".parse()?;
    service.execute(Command::Catalogue(CatalogueAction::DefineBootImage(image.clone(), read(json!({}))?))).await?;
    let file = |kind: &str, more: Value| -> Result<Value> {
        let mut file = json!({"kind": kind, "template": false, "size": 6, "sha256": "0".repeat(64)});
        if let (Value::Object(file), Value::Object(more)) = (&mut file, more) {
            file.extend(more);
        }
        Ok(file)
    };
    let put = async |name: &str, file: Value| -> Result<()> {
        let command =
            Command::Catalogue(CatalogueAction::PutBootFile { image: image.clone(), name: name.parse()?, file: read(file)? });
        service.execute(command).await?;
        Ok(())
    };
    let uses = bootledger_web::images::template::examine(
        "#!ipxe\nkernel {{ kernel_url }} initrd=initrd\nboot\n",
        bootledger_aggregates::boot_image::FileKind::BootIpxe,
        &bootledger_web::images::settings::Declared::new(),
    )?;
    put("boot.ipxe", file("boot_ipxe", json!({"template": true, "needs": uses.needs}))?).await?;
    let device = service.server_of_shop(json!({"site": "dc1", "macs": ["52:54:00:00:00:01"]})).await?;
    let start = || -> Result<Command> {
        let wanted: NewDeployment = read(json!({"device": device, "network": "prod"}))?;
        Ok(Command::Deployment(DeploymentAction::StartDeployment(Box::new(wanted))))
    };
    let refusal = broken(service.execute(start()?).await.map_err(Into::into))?;
    ensure!(refusal.rule == "boot_image_incomplete" && refusal.message.contains("kernel"), "{refusal:?}");
    put("linux", file("kernel", json!({}))?).await?;
    service.execute(start()?).await?;
    Ok(())
}
