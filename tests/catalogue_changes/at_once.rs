//! A catalogue change and something that it would break, at the same moment by two instances: one of them is refused, every
//! time.

use super::command_service::{TestService, broken, context, key, mac, network, read, site, start};
use anyhow::{Result, ensure};
use bootledger_aggregates::placement::ChangeScope;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{CatalogueAction, Command, CommandError, Commands, DeploymentAction, DeviceAction, Kind, Receipt};
use bootledger_projections::questions::{held, strays};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, deployments};
use serde_json::json;

type Outcome = Result<Receipt, CommandError>;

/// The name of a change, and the change.
type Change = (&'static str, fn() -> Command);

/// Runs both commands at the same moment, one on each instance.
async fn both(service: &TestService, one: Command, other: Command) -> (Outcome, Outcome) {
    let outcomes = tokio::join!(service.commands.execute(one, context()), service.other.execute(other, context()));
    service.shown().await;
    outcomes
}

fn one_of_both(what: &str, (one, other): (Outcome, Outcome)) -> Result<bool> {
    let first = one.is_ok();
    ensure!(one.is_ok() != other.is_ok(), "{what}: {one:?} and {other:?}");
    broken(if first { other } else { one });
    Ok(first)
}

#[tokio::test]
async fn a_deployment_cannot_start_while_its_place_is_removed() -> Result<()> {
    let service = TestService::data_centre().await?;
    let device = service.server(1).await?;
    let changes: [Change; 5] = [
        ("narrowed", || {
            Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(network(&json!({"cidr": "10.20.0.0/26"})))))
        }),
        ("no DHCP", || Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(network(&json!({"dhcp": false})))))),
        ("retired network", || Command::Catalogue(CatalogueAction::Retire(Kind::Network, key("prod")))),
        ("zones", || Command::Catalogue(CatalogueAction::DefineSite(key("dc1"), read(site(&json!({"zones": []})))))),
        ("retired role", || Command::Catalogue(CatalogueAction::RetireRole { venture: key("shop"), role: key("web") })),
    ];
    let mut first = 0;
    for round in 0..15 {
        let (what, change) = changes[round % changes.len()];
        let outcomes = both(&service, change(), start(device, 1, "10.20.0.100")).await;
        first += usize::from(one_of_both(what, outcomes)?);
        as_before(&service, device).await?;
    }
    println!("{first} of 15 changes were first");
    Ok(())
}

/// Cancels the deployment, if there is one, and restores the catalogue.
async fn as_before(service: &TestService, device: DeviceId) -> Result<()> {
    if let Some(live) = deployments::live_of_device(&service.pool, device, At::Now).await? {
        service
            .done(Command::Deployment(DeploymentAction::CancelDeployment { deployment: live.id, reason: key("a round is over") }))
            .await?;
    }
    service.done(Command::Catalogue(CatalogueAction::DefineSite(key("dc1"), read(site(&json!({})))))).await?;
    service.done(Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(network(&json!({})))))).await?;
    let role = json!({"default_boot_image": "debian"});
    service
        .done(Command::Catalogue(CatalogueAction::DefineRole { venture: key("shop"), role: key("web"), spec: read(role) }))
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_server_cannot_move_into_a_rack_while_it_is_retired() -> Result<()> {
    let service = TestService::data_centre().await?;
    let device = service.server(1).await?;
    for round in 0..6 {
        service.done(Command::Catalogue(CatalogueAction::DefineRack(key("r2"), read(json!({"site": "dc1"}))))).await?;
        let outcomes = if round % 2 == 0 {
            let spec = json!({"site": "dc1", "rack": "r2", "macs": [format!("52:54:00:00:01:{round:02x}")]});
            let register = Command::Device(DeviceAction::RegisterDevice { spec: read(spec), venture: None, role: None });
            both(&service, Command::Catalogue(CatalogueAction::Retire(Kind::Rack, key("r2"))), register).await
        } else {
            let change = Command::Device(DeviceAction::ChangeDevice(device, read(json!({"rack": "r2"}))));
            both(&service, Command::Catalogue(CatalogueAction::DefineRack(key("r2"), read(json!({"site": "dc2"})))), change).await
        };
        let rack_went = one_of_both("rack", outcomes)?;
        if !rack_went {
            let connection = &mut bootledger_projections::database::pool::Pool::from(service.pool.clone()).acquire().await?;
            let scope = ChangeScope { racks: [key("r2")].into(), ..ChangeScope::default() };
            for inside in held::concerned(connection, &scope).await? {
                service.done(Command::Device(DeviceAction::ChangeDevice(inside, read(json!({"rack": "r1"}))))).await?;
            }
        }
        // An empty rack may move to another site and back.
        service.done(Command::Catalogue(CatalogueAction::DefineRack(key("r2"), read(json!({"site": "dc1"}))))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn concurrent_changes_cannot_remove_both_last_dhcp_servers_or_make_networks_overlap() -> Result<()> {
    let service = TestService::data_centre().await?;
    let device = service.server(1).await?;
    service.installed(device, 1, "10.20.0.100").await?;
    for round in 0..4 {
        for name in ["kea-1", "kea-2"] {
            service
                .done(Command::Catalogue(CatalogueAction::DefineDhcpServer(
                    key(name),
                    read(json!({"site": "dc1", "kind": "kea"})),
                )))
                .await?;
        }
        let retire = |name| Command::Catalogue(CatalogueAction::Retire(Kind::DhcpServer, key(name)));
        one_of_both("servers", both(&service, retire("kea-1"), retire("kea-2")).await)?;
        let cidr = format!("10.50.{round}.0/24");
        let define =
            |name| Command::Catalogue(CatalogueAction::DefineNetwork(key(name), read(json!({"cidr": cidr, "site": "dc1"}))));
        let (one, other) = (format!("one-{round}"), format!("other-{round}"));
        one_of_both("networks", both(&service, define(&one), define(&other)).await)?;
    }
    ensure!(strays::list(&service.pool, None, At::Now).await?.is_empty());
    Ok(())
}

/// Saves these networks at the same moment, through both instances.
async fn save(service: &TestService, networks: &[(String, String)]) -> Vec<Outcome> {
    let barrier = &tokio::sync::Barrier::new(networks.len());
    let saves = networks.iter().enumerate().map(|(number, (name, cidr))| async move {
        let command = Command::Catalogue(CatalogueAction::DefineNetwork(key(name), read(json!({"cidr": cidr, "site": "dc1"}))));
        barrier.wait().await;
        if number % 2 == 0 {
            service.commands.execute(command, context()).await
        } else {
            service.other.execute(command, context()).await
        }
    });
    let outcomes = futures::future::join_all(saves).await;
    service.shown().await;
    outcomes
}

#[tokio::test]
async fn of_networks_that_would_share_addresses_no_two_are_saved_at_the_same_moment() -> Result<()> {
    let service = TestService::data_centre().await?;
    for round in 0..3_u8 {
        let named = |what: &str, number: usize| format!("{what}-{round}-{number}");
        let within = |third: usize, length: u8| format!("10.{}.{third}.0/{length}", 100 + round);
        // New networks of all sizes at the same place; new ones within one that is widened; neighbours that are both widened.
        let new: Vec<_> =
            (0..8).map(|number| (named("new", number), within(0, 18 + u8::try_from(number % 5).unwrap_or(0)))).collect();
        let outcomes = save(&service, &new).await;
        ensure!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() == 1, "new: {outcomes:?}");
        save(&service, &[(named("wide", 0), within(128, 24))]).await.pop().expect("one")?;
        let mut mixed: Vec<_> = (1..8).map(|number| (named("inner", number), within(128 + number, 24))).collect();
        mixed.push((named("wide", 0), within(128, 20)));
        save(&service, &mixed).await;
        let pair = [(named("left", 0), within(64, 24)), (named("right", 0), within(65, 24))];
        for outcome in save(&service, &pair).await {
            outcome?;
        }
        let wider: Vec<_> = pair.iter().map(|(name, _)| (name.clone(), within(64, 23))).collect();
        let outcomes = save(&service, &wider).await;
        ensure!(outcomes.iter().all(Result::is_err), "widened over each other: {outcomes:?}");
        save(&service, &[(named("far", 0), within(96, 24)), (named("near", 0), within(98, 24))]).await;
        let both = [(named("far", 0), within(96, 22)), (named("near", 0), within(96, 22))];
        let outcomes = save(&service, &both).await;
        ensure!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() <= 1, "widened: {outcomes:?}");
        let all = catalogue::networks(&service.pool, At::Now).await?;
        for one in &all {
            let shares = |other: &&catalogue::Entry<bootledger_aggregates::network::NetworkSpec>| {
                other.key != one.key && (other.spec.cidr.contains(&one.spec.cidr))
            };
            ensure!(!all.iter().any(|other| shares(&other)), "{} is shared", one.key);
        }
    }
    Ok(())
}

/// A command that assigns this address to the infrastructure.
type Naming = fn(&str) -> Command;

#[tokio::test]
async fn an_address_cannot_be_assigned_and_declared_at_the_same_moment() -> Result<()> {
    let service = TestService::data_centre().await?;
    let device = service.server(1).await?;
    let naming: [(&str, Naming); 4] = [
        ("resolver", |ip| {
            Command::Catalogue(CatalogueAction::DefineNetwork(
                key("far"),
                read(json!({"cidr": "10.77.0.0/24", "site": "dc1", "dns_servers": [ip]})),
            ))
        }),
        ("next server", |ip| {
            let dc2 = json!({"domain": "dc2.example", "zones": ["dc2.example", "30.10.in-addr.arpa"], "next_server": ip});
            Command::Catalogue(CatalogueAction::DefineSite(key("dc2"), read(dc2)))
        }),
        ("DHCP server", |ip| {
            Command::Catalogue(CatalogueAction::DefineDhcpServer(
                key("kea-9"),
                read(json!({"site": "dc2", "kind": "kea", "address": ip})),
            ))
        }),
        ("controller", |ip| {
            let spec = json!({"site": "dc2", "serial": ip, "management": {"address": ip}});
            Command::Device(DeviceAction::RegisterDevice { spec: read(spec), venture: None, role: None })
        }),
    ];
    let mut named = 0;
    for round in 0..12_usize {
        let ip = format!("10.20.0.{}", 100 + round);
        let (what, command) = naming[round % naming.len()];
        let first = one_of_both(what, both(&service, command(&ip), start(device, 1, &ip)).await)?;
        named += usize::from(first);
        as_before(&service, device).await?;
        let facts = |ip: &str| {
            let facts = json!({"dhcp_entries": [{"ip": ip, "mac": mac(1), "hostname": null, "network": "prod"}]});
            Command::Device(DeviceAction::RecordFacts(device, read(facts)))
        };
        // An address that a device already has may be assigned to the infrastructure; then it gets no DHCP entry.
        let other = format!("10.20.0.{}", 200 + round);
        let (one, two) = both(&service, command(&other), facts(&other)).await;
        ensure!(one.is_ok() || two.is_ok(), "{what}: {one:?} and {two:?}");
        service.done(Command::Device(DeviceAction::RecordFacts(device, read(json!({"dhcp_entries": []}))))).await?;
    }
    println!("{named} of 12 addresses were named first");
    Ok(())
}

#[tokio::test]
async fn two_sites_do_not_both_state_a_zone_at_the_same_moment() -> Result<()> {
    let service = TestService::data_centre().await?;
    for round in 0..6 {
        let stating = |site: &str| {
            let zone = json!({"name": format!("z{round}.example"), "ttl": 60});
            let reverse = json!({"name": format!("rev-{site}-{round}.168.192.in-addr.arpa"), "range": format!("192.168.{round}.{}", if site == "a" {"0-192.168.ROUND.99"} else {"50-192.168.ROUND.200"}).replace("ROUND", &round.to_string())});
            let zones = if round % 2 == 0 { json!([zone]) } else { json!([reverse]) };
            Command::Catalogue(CatalogueAction::DefineSite(
                key(&format!("{site}-{round}")),
                read(json!({"domain": "example", "zones": zones})),
            ))
        };
        one_of_both("zones", both(&service, stating("a"), stating("b")).await)?;
    }
    Ok(())
}
