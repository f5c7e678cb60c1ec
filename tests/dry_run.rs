//! A deployment that is only checked: it is refused exactly as if it were started, and leaves no trace.

use crate::support::command_service::{TestService, context, read};
use anyhow::{Result, bail, ensure};
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{CatalogueAction, Command, CommandError, Commands, DeploymentAction, NewDeployment};
use bootledger_projections::database::log;
use serde_json::{Value, json};

impl TestService {
    /// A site with a network, a role with a boot image, and a server that is verified.
    async fn with_a_server() -> Result<(Self, DeviceId)> {
        let service = Self::empty(8).await?;
        let site = json!({"name": "", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
            "hostname_template": "h<200,299>.dc1.example"});
        service.execute(Command::Catalogue(CatalogueAction::DefineSite("dc1".parse()?, read(site)?))).await?;
        service.execute(Command::Catalogue(CatalogueAction::DefineRack("r01".parse()?, read(json!({"site": "dc1"}))?))).await?;
        let network = json!({"cidr": "10.0.0.0/24", "site": "dc1", "racks": ["r01"], "gateway": "10.0.0.1"});
        service.execute(Command::Catalogue(CatalogueAction::DefineNetwork("prod".parse()?, read(network)?))).await?;
        service.execute(Command::Catalogue(CatalogueAction::DefineBootImage("debian".parse()?, read(json!({}))?))).await?;
        let script = json!({"kind": "boot_ipxe", "template": false, "size": 6, "sha256": "0".repeat(64)});
        let (image, name) = ("debian".parse()?, "boot.ipxe".parse()?);
        service.execute(Command::Catalogue(CatalogueAction::PutBootFile { image, name, file: read(script)? })).await?;
        let device = json!({"site": "dc1", "rack": "r01", "macs": ["52:54:00:00:00:01"]});
        let device = service.server_of_shop(device).await?;
        Ok((service, device))
    }
}

fn wanted(device: DeviceId, rest: Value) -> Result<NewDeployment> {
    let mut value = json!({"device": device});
    if let (Value::Object(value), Value::Object(rest)) = (&mut value, rest) {
        value.extend(rest);
    }
    read(value)
}

fn broken<T>(outcome: Result<T, CommandError>) -> Result<Vec<BrokenRule>> {
    match outcome {
        Err(CommandError::Refused(broken)) => Ok(broken),
        Err(other) => Err(other.into()),
        Ok(_) => bail!("it was not refused"),
    }
}

#[tokio::test]
async fn a_check_refuses_like_a_start_with_the_same_message_and_appends_nothing() -> Result<()> {
    let (service, device) = TestService::with_a_server().await?;
    let refused = [
        json!({"ip": "10.0.0.1"}),
        json!({"ip": "10.0.0.5", "hostname": "h1.dc2.example"}),
        json!({"ip": "192.0.2.1", "mac": "52:54:00:00:00:09"}),
        json!({"venture": "nobody", "role": "nothing"}),
        json!({"boot_image": "nothing"}),
        json!({"network": "nowhere"}),
    ];
    let before = log::last_position(&service.pool).await?;
    for rest in refused {
        let new = wanted(device, rest.clone())?;
        let checked = broken(service.commands.check_deployment(&new).await)?;
        let started = broken(
            service.commands.execute(Command::Deployment(DeploymentAction::StartDeployment(Box::new(new))), context()).await,
        )?;
        ensure!(!checked.is_empty() && checked == started, "{rest}: {checked:?} is not {started:?}");
        if rest["venture"] == "nobody" {
            let rules: Vec<&str> = checked.iter().map(|broken| broken.rule.as_str()).collect();
            ensure!(rules == ["venture_unknown"], "{rest}: {checked:?}");
        }
    }
    ensure!(log::last_position(&service.pool).await? == before, "a check or a refusal is in the log");
    Ok(())
}

#[tokio::test]
async fn a_check_returns_the_values_that_a_start_fills_in() -> Result<()> {
    let (service, device) = TestService::with_a_server().await?;
    let new = wanted(device, json!({}))?;
    let before = log::last_position(&service.pool).await?;
    let proposed = service.commands.check_deployment(&new).await?;
    ensure!(log::last_position(&service.pool).await? == before, "a check is in the log");
    let message = (proposed.assignment.ip.to_string(), proposed.assignment.hostname.to_string(), proposed.network.to_string());
    ensure!(message == ("10.0.0.11".to_owned(), "h200.dc1.example".to_owned(), "prod".to_owned()), "{proposed:?}");
    let id = service.execute(Command::Deployment(DeploymentAction::StartDeployment(Box::new(new.clone())))).await?.parse()?;
    let at = bootledger_projections::rows::at::At::Now;
    let started = bootledger_projections::rows::deployments::find(&service.pool, id, at).await?;
    let started = started.map(|started| started.assignment());
    ensure!(started.as_ref() == Some(&proposed.assignment), "{started:?}");
    // Now the device has a live deployment, which is reported as well.
    let again = broken(service.commands.check_deployment(&new).await)?;
    ensure!(again.iter().any(|broken| broken.rule == "already_deploying" && broken.holder.is_some()), "{again:?}");
    Ok(())
}
