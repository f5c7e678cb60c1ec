//! A change and what it would take away, at the same moment and by two instances: one of both is refused, every time.

use super::books::{Books, broken, context, key, network, read, site, start};
use anyhow::{Result, ensure};
use bootledger_aggregates::placement::Scope;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::at::At;
use bootledger_projections::{deployments, held, strays};
use bootledger_web::commands::{Command, CommandError, Commands, Kind, Receipt};
use serde_json::json;

type Outcome = Result<Receipt, CommandError>;

/// A change by what it is called.
type Change = (&'static str, fn() -> Command);

/// Both at the same moment, by two instances.
async fn both(books: &Books, one: Command, other: Command) -> (Outcome, Outcome) {
    let outcomes = tokio::join!(books.ledger.execute(one, context()), books.other.execute(other, context()));
    books.shown().await;
    outcomes
}

fn one_of_both(what: &str, (one, other): (Outcome, Outcome)) -> Result<bool> {
    let first = one.is_ok();
    ensure!(one.is_ok() != other.is_ok(), "{what}: {one:?} and {other:?}");
    broken(if first { other } else { one });
    Ok(first)
}

#[tokio::test]
async fn a_deployment_that_starts_while_its_place_goes_does_not_slip_through() -> Result<()> {
    let books = Books::data_centre().await?;
    let device = books.server(1).await?;
    let changes: [Change; 5] = [
        ("narrowed", || Command::DefineNetwork(key("prod"), read(network(&json!({"cidr": "10.20.0.0/26"}))))),
        ("no DHCP", || Command::DefineNetwork(key("prod"), read(network(&json!({"dhcp": false}))))),
        ("retired network", || Command::Retire(Kind::Network, key("prod"))),
        ("zones", || Command::DefineSite(key("dc1"), read(site(&json!({"zones": []}))))),
        ("retired role", || Command::RetireRole { venture: key("shop"), role: key("web") }),
    ];
    let mut first = 0;
    for round in 0..15 {
        let (what, change) = changes[round % changes.len()];
        let outcomes = both(&books, change(), start(device, 1, "10.20.0.100")).await;
        first += usize::from(one_of_both(what, outcomes)?);
        as_before(&books, device).await?;
    }
    println!("{first} of 15 changes were first");
    Ok(())
}

/// Gives up the deployment, if there is one, and brings the catalogue back.
async fn as_before(books: &Books, device: DeviceId) -> Result<()> {
    if let Some(live) = deployments::live_of_device(&books.pool, device, At::Now).await? {
        books.done(Command::CancelDeployment { deployment: live.id, reason: key("a round is over") }).await?;
    }
    books.done(Command::DefineSite(key("dc1"), read(site(&json!({}))))).await?;
    books.done(Command::DefineNetwork(key("prod"), read(network(&json!({}))))).await?;
    let role = json!({"default_boot_image": "debian"});
    books.done(Command::DefineRole { venture: key("shop"), role: key("web"), spec: read(role) }).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_moves_in_while_its_rack_goes_does_not_slip_through() -> Result<()> {
    let books = Books::data_centre().await?;
    let device = books.server(1).await?;
    for round in 0..6 {
        books.done(Command::DefineRack(key("r2"), read(json!({"site": "dc1"})))).await?;
        let outcomes = if round % 2 == 0 {
            let spec = json!({"site": "dc1", "rack": "r2", "macs": [format!("52:54:00:00:01:{round:02x}")]});
            let register = Command::RegisterDevice { spec: read(spec), venture: None, role: None };
            both(&books, Command::Retire(Kind::Rack, key("r2")), register).await
        } else {
            let change = Command::ChangeDevice(device, read(json!({"rack": "r2"})));
            both(&books, Command::DefineRack(key("r2"), read(json!({"site": "dc2"}))), change).await
        };
        let rack_went = one_of_both("rack", outcomes)?;
        if !rack_went {
            let connection = &mut bootledger_projections::pool::Pool::from(books.pool.clone()).acquire().await?;
            let scope = Scope { racks: [key("r2")].into(), ..Scope::default() };
            for inside in held::concerned(connection, &scope).await? {
                books.done(Command::ChangeDevice(inside, read(json!({"rack": "r1"})))).await?;
            }
        }
        // Empty, it may go anywhere and come back.
        books.done(Command::DefineRack(key("r2"), read(json!({"site": "dc1"})))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_last_two_dhcp_servers_do_not_both_go_and_networks_do_not_overlap() -> Result<()> {
    let books = Books::data_centre().await?;
    let device = books.server(1).await?;
    books.installed(device, 1, "10.20.0.100").await?;
    for round in 0..4 {
        for name in ["kea-1", "kea-2"] {
            books.done(Command::DefineDhcpServer(key(name), read(json!({"site": "dc1", "kind": "kea"})))).await?;
        }
        let retire = |name| Command::Retire(Kind::DhcpServer, key(name));
        one_of_both("servers", both(&books, retire("kea-1"), retire("kea-2")).await)?;
        let cidr = format!("10.50.{round}.0/24");
        let define = |name| Command::DefineNetwork(key(name), read(json!({"cidr": cidr, "site": "dc1"})));
        let (one, other) = (format!("one-{round}"), format!("other-{round}"));
        one_of_both("networks", both(&books, define(&one), define(&other)).await)?;
    }
    ensure!(strays::list(&books.pool, None, At::Now).await?.is_empty());
    Ok(())
}
