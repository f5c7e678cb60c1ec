//! Any sequence of catalogue changes, deployments and cancellations: everything held remains valid, and the DHCP servers accept
//! all three files.

use super::command_service::{TestService, key, mac, network, read, site};
use anyhow::{Result, ensure};
use bootledger_aggregates::placement::{ChangeScope, Misfit, without_place};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Command, CommandError, DeploymentAction, DeviceAction, Kind};
use bootledger_projections::database::pool::Pool;
use bootledger_projections::questions::{held, strays};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, deployments, devices, dhcp_entries};
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SERVERS: usize = 4;

/// An action of an operator; an impossible one is refused.
#[derive(Clone, Debug)]
enum Step {
    Network(Value),
    SecondNetwork(Value),
    Site(Value),
    Rack(&'static str, Value),
    Server(&'static str, &'static str),
    Role(Value),
    Retire(Kind, &'static str),
    RetireRole,
    Deploy(usize, u8),
    Cancel(usize),
    Install(usize, u8),
    Device(usize, Value),
    Decommission(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    let of = |values: Vec<Value>| proptest::sample::select(values);
    let networks = || {
        of(vec![
            json!({}),
            json!({"cidr": "10.20.0.0/25"}),
            json!({"cidr": "10.20.0.0/26"}),
            json!({"cidr": "10.20.0.64/26", "gateway": null}),
            json!({"cidr": "10.20.0.0/23"}),
            json!({"gateway": null}),
            json!({"dns_servers": ["10.20.0.31", "10.20.0.32"]}),
            json!({"dns_servers": ["10.20.0.33"]}),
            json!({"dhcp_options": [{"name": "ntp-servers", "value": {"addresses": ["10.20.0.34"]}}]}),
            json!({"gateway": "10.20.0.20"}),
            json!({"gateway": "10.20.0.70"}),
            json!({"margin_bottom": 30}),
            json!({"margin_top": 180}),
            json!({"dhcp": false}),
            json!({"site": "dc2", "racks": ["x1"]}),
            json!({"racks": ["r1", "r2"]}),
            json!({"racks": ["r2"]}),
            json!({"vlan": 121}),
            json!({"domain": "prod.dc1.example"}),
        ])
    };
    let sites = of(vec![
        json!({}),
        json!({"domain": "example"}),
        json!({"domain": "corp.example"}),
        json!({"zones": ["example", "10.in-addr.arpa"]}),
        json!({"zones": ["dc1.example", "20.10.in-addr.arpa"]}),
        json!({"zones": ["dc1.example"]}),
        json!({"zones": []}),
        json!({"next_server": null}),
        json!({"next_server": "10.20.0.35"}),
        json!({"dhcp_header": [{"name": "time-servers", "value": {"addresses": ["10.20.0.36"]}}]}),
    ]);
    let racks = of(vec![json!({"site": "dc1"}), json!({"site": "dc2"}), json!({"site": "dc1", "units": 5})]);
    let devices = of(vec![
        json!({"rack": "r1"}),
        json!({"rack": "r2"}),
        json!({"site": "dc2", "rack": "x1"}),
        json!({"site": "dc1", "rack": "r1"}),
        json!({"position": 9}),
        json!({"management": {"address": "10.20.0.37"}}),
        json!({"management": {"address": "10.20.0.20"}}),
        json!({"management": {"address": "10.20.0.70"}}),
        json!({"macs": ["52:54:00:00:07:07"]}),
    ]);
    let kinds = proptest::sample::select(vec![
        (Kind::Site, "dc1"),
        (Kind::Site, "dc2"),
        (Kind::Rack, "r1"),
        (Kind::Rack, "r2"),
        (Kind::Network, "prod"),
        (Kind::Network, "more"),
        (Kind::DhcpServer, "kea-1"),
        (Kind::DhcpServer, "kea-2"),
        (Kind::Venture, "shop"),
        (Kind::BootImage, "debian"),
    ]);
    prop_oneof![
        4 => networks().prop_map(Step::Network),
        1 => networks().prop_map(Step::SecondNetwork),
        3 => sites.prop_map(Step::Site),
        1 => (proptest::sample::select(vec!["r1", "r2"]), racks).prop_map(|(rack, spec)| Step::Rack(rack, spec)),
        1 => (proptest::sample::select(vec!["kea-1", "kea-2"]), proptest::sample::select(vec!["dc1", "dc2"])).prop_map(|(server, site)| Step::Server(server, site)),
        1 => of(vec![json!({}), json!({"default_boot_image": "debian"})]).prop_map(Step::Role),
        2 => kinds.prop_map(|(kind, name)| Step::Retire(kind, name)),
        1 => Just(Step::RetireRole),
        5 => (0..SERVERS, 11..90_u8).prop_map(|(server, host)| Step::Deploy(server, host)),
        2 => (0..SERVERS).prop_map(Step::Cancel),
        3 => (0..SERVERS, 11..90_u8).prop_map(|(server, host)| Step::Install(server, host)),
        1 => (0..SERVERS, proptest::sample::select(vec![0, 1, 2, 20, 31, 37, 255_u8])).prop_map(|(server, host)| Step::Install(server, host)),
        1 => (0..SERVERS, 30..38_u8).prop_map(|(server, host)| Step::Deploy(server, host)),
        3 => (0..SERVERS, devices).prop_map(|(server, change)| Step::Device(server, change)),
        1 => (0..SERVERS).prop_map(Step::Decommission),
    ]
}

async fn take(service: &TestService, devices: &[DeviceId], step: Step) -> Result<bool> {
    let done = match step {
        Step::Network(change) => {
            service.done(Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(network(&change))))).await
        }
        Step::SecondNetwork(change) => {
            service.done(Command::Catalogue(CatalogueAction::DefineNetwork(key("more"), read(network(&change))))).await
        }
        Step::Site(change) => {
            service.done(Command::Catalogue(CatalogueAction::DefineSite(key("dc1"), read(site(&change))))).await
        }
        Step::Rack(rack, spec) => service.done(Command::Catalogue(CatalogueAction::DefineRack(key(rack), read(spec)))).await,
        Step::Server(server, site) => {
            service
                .done(Command::Catalogue(CatalogueAction::DefineDhcpServer(
                    key(server),
                    read(json!({"site": site, "kind": "kea"})),
                )))
                .await
        }
        Step::Role(spec) => {
            service
                .done(Command::Catalogue(CatalogueAction::DefineRole {
                    venture: key("shop"),
                    role: key("web"),
                    spec: read(spec),
                }))
                .await
        }
        Step::Retire(kind, name) => service.done(Command::Catalogue(CatalogueAction::Retire(kind, key(name)))).await,
        Step::RetireRole => {
            service.done(Command::Catalogue(CatalogueAction::RetireRole { venture: key("shop"), role: key("web") })).await
        }
        Step::Deploy(server, host) => {
            let wanted = json!({
                "device": devices[server], "ip": format!("10.20.0.{host}"), "hostname": format!("h{server}-{host}.dc1.example"),
                "venture": "shop", "role": "web", "boot_image": "debian"
            });
            service.done(Command::Deployment(DeploymentAction::StartDeployment(Box::new(read(wanted))))).await
        }
        Step::Cancel(server) => match deployments::live_of_device(&service.pool, devices[server], At::Now).await? {
            Some(live) => {
                service
                    .done(Command::Deployment(DeploymentAction::CancelDeployment {
                        deployment: live.id,
                        reason: key("changed my mind"),
                    }))
                    .await
            }
            None => return Ok(false),
        },
        Step::Install(server, host) => {
            let ip = format!("10.20.0.{host}");
            // An inventory may report any address; only entries that would not be served are refused.
            let facts = json!({
                "addresses": [ip], "dns_entries": [],
                "dhcp_entries": [{"ip": ip, "mac": mac(server + 1), "hostname": null, "network": "prod"}],
            });
            service.done(Command::Device(DeviceAction::RecordFacts(devices[server], read(facts)))).await
        }
        Step::Device(server, change) => {
            service.done(Command::Device(DeviceAction::ChangeDevice(devices[server], read(change)))).await
        }
        Step::Decommission(server) => {
            service
                .done(Command::Device(DeviceAction::DecommissionDevice { device: devices[server], reason: key("it is old") }))
                .await
        }
    };
    match done {
        Ok(_) => Ok(true),
        Err(CommandError::Refused(_) | CommandError::NotFound(_)) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

type Lost = BTreeMap<DeviceId, BTreeSet<Misfit>>;

/// Everything that no longer fits the catalogue, by device.
async fn lost(service: &TestService) -> Result<Lost> {
    let connection = &mut Pool::from(service.pool.clone()).acquire().await?;
    let now = held::catalogue(connection, At::Now).await?;
    let everywhere = ChangeScope { sites: [key("dc1"), key("dc2")].into(), ..ChangeScope::default() };
    let known = held::concerned(connection, &everywhere).await?;
    let all = held::of_devices(connection, &known).await?;
    let live: Vec<_> = all.iter().filter_map(|held| Some(held.live.as_ref()?.assignment.ip)).collect();
    let managed = devices::managed_at(&mut *connection, &live).await?;
    ensure!(managed.is_empty(), "{managed:?} are controllers' and of servers that are being installed");
    Ok(all.into_iter().map(|held| (held.device, without_place(&now, &held))).collect())
}

/// A device may start with something that does not fit, such as a deployment at a site without a DHCP server. What fits must
/// still fit afterwards.
fn keeps(what: &Step, before: &Lost, after: &Lost) -> Result<()> {
    let begins = matches!(what, Step::Deploy(..) | Step::Install(..) | Step::Device(..));
    for (device, lost) in after {
        let known = before.get(device).cloned().unwrap_or_default();
        let new: Vec<_> = lost.iter().filter(|misfit| !known.contains(misfit) && !had_no_domain(misfit, &known)).collect();
        let never = |misfit: &&Misfit| {
            matches!(
                misfit,
                Misfit::NoNetwork { .. } | Misfit::NoDhcp { .. } | Misfit::OtherSite { .. } | Misfit::Interface { .. }
            )
        };
        ensure!(!new.iter().any(never) && (begins || new.is_empty()), "{what:?} leaves without a place: {new:?}");
    }
    Ok(())
}

/// Whether a name was already outside its network's domain; which domain that is may change.
fn had_no_domain(misfit: &Misfit, known: &BTreeSet<Misfit>) -> bool {
    let outside = |misfit: &Misfit| match misfit {
        Misfit::Domain { hostname, .. } => Some(hostname.clone()),
        _ => None,
    };
    outside(misfit).is_some_and(|hostname| known.iter().filter_map(outside).any(|other| other == hostname))
}

/// Checks the three files of the sites with the servers' own checkers.
async fn accepted(service: &TestService) -> Result<()> {
    ensure!(strays::list(&service.pool, None, At::Now).await?.is_empty(), "an entry fits no network");
    let entries_of = async |site: &Name| dhcp_entries::of_site(&service.pool, site, At::Now).await;
    for entry in catalogue::sites(&service.pool, At::Now).await? {
        let networks = catalogue::networks(&service.pool, At::Now).await?.into_iter();
        let networks = networks.filter(|network| network.spec.site == entry.key).map(|network| (network.key, network.spec));
        let entries = entries_of(&entry.key).await?;
        let url = "http://10.20.0.2:8080".parse()?;
        let count = entries.len();
        let configuration = Configuration::new(entry.key.clone(), &entry.spec, &url, networks, entries);
        let written: usize = configuration.networks.iter().map(|network| network.entries.len()).sum();
        ensure!(written == count, "{count} entries of site {}, and {written} in its files", entry.key);
        for format in [Format::Isc, Format::Kea, Format::Dnsmasq] {
            check(format, &format.render(&configuration)?)?;
        }
    }
    Ok(())
}

fn check(format: Format, text: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(format.to_string());
    std::fs::write(&file, text)?;
    let (program, arguments) = match format {
        Format::Isc => ("dhcpd", vec!["-4", "-t", "-cf"]),
        Format::Kea => ("kea-dhcp4", vec!["-t"]),
        Format::Dnsmasq => ("dnsmasq", vec!["--test", "-C"]),
    };
    // AppArmor identifies a server by its path and confines it to its system folders. A copy of the program can read this file.
    let copy = folder.path().join(program);
    let installed =
        ["/usr/sbin", "/usr/local/sbin"].map(|bin| Path::new(bin).join(program)).into_iter().find(|path| path.exists());
    std::fs::copy(installed.ok_or_else(|| anyhow::anyhow!("{program} is not installed"))?, &copy)?;
    let folders = ["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_CONTROL_SOCKET_DIR"].map(|variable| (variable, folder.path()));
    let output = std::process::Command::new(&copy).args(arguments).arg(&file).envs(folders).output()?;
    ensure!(output.status.success(), "{format}: {}\n{text}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn run(all: Vec<Step>) -> Result<(usize, usize)> {
    let service = TestService::data_centre().await?;
    let mut devices = vec![];
    for number in 1..=SERVERS {
        devices.push(service.server(number).await?);
    }
    let (mut done, mut refused) = (0, 0);
    let mut before = lost(&service).await?;
    for step in all {
        if take(&service, &devices, step.clone()).await? {
            done += 1;
            let after = lost(&service).await?;
            keeps(&step, &before, &after)?;
            before = after;
        } else {
            refused += 1;
        }
    }
    accepted(&service).await?;
    Ok((done, refused))
}

#[test]
fn everything_held_stays_valid_in_any_order_of_changes() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut runner = TestRunner::new(Config { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..Config::default() });
    let counts = std::sync::Mutex::new((0, 0));
    let outcome = runner.run(&proptest::collection::vec(steps(), 40), |all| {
        let (done, refused) = runtime.block_on(run(all)).map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        let mut counts = counts.lock().map_err(|_| TestCaseError::fail("poisoned"))?;
        *counts = (counts.0 + done, counts.1 + refused);
        Ok(())
    });
    let (done, refused) = *counts.lock().expect("the counts");
    println!("{done} steps done, {refused} refused");
    outcome.map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(done > 60 && refused > 20, "{done} steps done, {refused} refused: the test tries too little");
    Ok(())
}
