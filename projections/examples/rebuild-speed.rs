//! Measures a rebuild of all views against reading the same events and discarding them.
//!
//!   scripts/with-postgres cargo run --release -p bootledger-projections --example rebuild-speed -- 1000000
//!
//! The log is that of a data centre that deploys server after server, fifty at a time, with a DHCP server that
//! confirms every hundred events. Prints a line a measurement; exits with 1 where a rebuild misses its target.

use anyhow::{Context, Result, ensure};
use bootledger_aggregates::boot_image::{BootImageEvent, BootImageSpec};
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DeploymentStarted, DoneBy, Limits};
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::device::event::{DeviceEvent, DhcpEntry, DnsEntry};
use bootledger_aggregates::device::register::DeviceSpec;
use bootledger_aggregates::dhcp_server::{DhcpKind, DhcpServerEvent, DhcpServerSpec};
use bootledger_aggregates::network::NetworkEvent;
use bootledger_aggregates::site::SiteEvent;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::log::{self, Filter};
use bootledger_projections::{dhcp_entries, rebuild};
use bootledger_test_cluster::TestDatabase;
use serde::Serialize;
use sqlx::PgPool;
use std::net::Ipv4Addr;
use std::time::Instant;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Events a second that a rebuild has to reach.
const TARGET: f64 = 20_000.0;
/// How many deployments go on at once.
const AT_ONCE: usize = 50;

/// Type, key and JSON of an event.
type Row = (&'static str, String, String);

fn value<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().ok().with_context(|| format!("{text:?} is no value"))
}

fn row(aggregate: &'static str, id: &impl ToString, event: &impl Serialize) -> Result<Row> {
    Ok((aggregate, id.to_string(), serde_json::to_string(event)?))
}

fn catalogue() -> Result<Vec<Row>> {
    let json = serde_json::json!({"domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"]});
    let site = SiteEvent::SiteDefined { spec: serde_json::from_value(json)? };
    let json = serde_json::json!({"cidr": "10.0.0.0/8", "site": "dc1"});
    let network = NetworkEvent::NetworkDefined { spec: serde_json::from_value(json)? };
    let spec = DhcpServerSpec { site: value("dc1")?, address: None, kind: DhcpKind::Kea };
    let image = BootImageSpec { description: Text::default(), open_minutes: 30, in_progress_minutes: 120 };
    Ok(vec![
        row("site", &"dc1", &site)?,
        row("network", &"prod", &network)?,
        row("dhcp_server", &"kea-1", &DhcpServerEvent::DhcpServerDefined { spec })?,
        row("boot_image", &"debian-12", &BootImageEvent::BootImageDefined { spec: image })?,
    ])
}

/// The twenty events of a server from its registration to the end of its deployment.
fn server(n: u32, now: Timestamp) -> Result<Vec<Row>> {
    let (device, id) = (DeviceId(Uuid::from_u128(u128::from(n))), DeploymentId(Uuid::from_u128((1 << 64) + u128::from(n))));
    let ip = Ipv4Addr::from(0x0a00_000b + n);
    let [_, a, b, c] = n.to_be_bytes();
    let mac = value(&format!("52:54:00:{a:02x}:{b:02x}:{c:02x}"))?;
    let hostname: bootledger_aggregates::values::hostname::Hostname = value(&format!("h{n}.dc1.example"))?;
    let (site, network, venture, role): (Name, Name, Name, Name) = (value("dc1")?, value("prod")?, value("shop")?, value("web")?);
    let spec: DeviceSpec = serde_json::from_value(serde_json::json!({"site": "dc1", "serial": format!("SN{n}"), "macs": [mac]}))?;
    let entry = DhcpEntry { ip, mac, hostname: Some(hostname.clone()), network: network.clone() };
    let started = DeploymentStarted {
        device,
        mac,
        ip,
        hostname: hostname.clone(),
        venture: venture.clone(),
        role: role.clone(),
        boot_image: value("debian-12")?,
        boot_image_revision: 1,
        network,
        site,
        plan: Plan::standard()?,
        limits: Limits { open_minutes: 30, in_progress_minutes: 120 },
        took: vec![Claim::Ip(ip), Claim::Hostname(hostname.clone())],
        import: None,
    };
    let on = |event: DeviceEvent| row("device", &device, &event);
    let of = |event: DeploymentEvent| row("deployment", &id, &event);
    let succeeded = |plugin: &str| of(DeploymentEvent::PluginSucceeded { plugin: value(plugin)? });
    let served = |file: &str| {
        of(DeploymentEvent::BootFileServed { file: value(file)?, sha256: Sha256::new([7; 32]), client: ip, at: now })
    };
    let awaited = vec![value("dhcp-server:kea-1")?];
    Ok(vec![
        on(DeviceEvent::DeviceRegistered(Box::new(spec)))?,
        on(DeviceEvent::VentureRoleSet { venture: Some(venture.clone()), role: Some(role.clone()) })?,
        on(DeviceEvent::DeviceVerified {})?,
        of(DeploymentEvent::DeploymentStarted(Box::new(started)))?,
        on(DeviceEvent::RemarkAdded { remark: value("Remarks below are for shop/web until 2026-01-31")?, deployment: Some(id) })?,
        on(DeviceEvent::AddressAssigned { deployment: id, ip })?,
        succeeded("clean")?,
        on(DeviceEvent::RoleAssigned { deployment: id, venture, role })?,
        succeeded("role")?,
        on(DeviceEvent::DnsEntryCreated { deployment: id, entry: DnsEntry { hostname, ip } })?,
        succeeded("dns")?,
        on(DeviceEvent::DhcpEntryCreated { deployment: id, entry })?,
        of(DeploymentEvent::PluginWaiting { plugin: value("dhcp")?, reason: value("kea-1 has not confirmed")?, awaited })?,
        succeeded("dhcp")?,
        of(DeploymentEvent::DeploymentInProgress { device })?,
        succeeded("reboot")?,
        served("boot.ipxe")?,
        served("kernel")?,
        served("initrd")?,
        of(DeploymentEvent::DeploymentDone { device, by: DoneBy::Ip { address: ip } })?,
    ])
}

/// Writes the log, `AT_ONCE` servers interleaved.
async fn generate(pool: &PgPool, wanted: i64) -> Result<i64> {
    let begin = OffsetDateTime::from_unix_timestamp(1_790_000_000)?;
    let (mut position, mut n) = (0_i64, 0_u32);
    let mut sequences = std::collections::HashMap::<(&'static str, String), i64>::new();
    let mut batch = catalogue()?;
    while position < wanted {
        let servers = (0..AT_ONCE).map(|_| {
            n += 1;
            server(n, Timestamp(begin + Duration::seconds(position / 10)))
        });
        let servers: Vec<Vec<Row>> = servers.collect::<Result<_>>()?;
        for step in 0..servers[0].len() {
            for (index, server) in servers.iter().enumerate() {
                batch.push(server[step].clone());
                if (step * AT_ONCE + index) % 100 == 99 {
                    let (site, revision) = (value("dc1")?, Sha256::new([1; 32]));
                    let confirmed = DhcpServerEvent::ConfigurationConfirmed { site, revision, position };
                    batch.push(row("dhcp_server", &"kea-1", &confirmed)?);
                }
            }
        }
        let sequence = |(kind, id, _): &Row| {
            let sequence = sequences.entry((*kind, id.clone())).or_default();
            *sequence += 1;
            *sequence
        };
        let numbers: Vec<i64> = batch.iter().map(sequence).collect();
        sqlx::query(
            r#"INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                   position, recorded_at, chain)
               SELECT type, id, sequence, payload::json ->> 'type', '1', payload::json,
                      '{"actor":"token ops","correlation_id":"0192f0c1-2f5e-7d3a-8f00-000000000000"}', $1 + place,
                      $2 + (($1 + place) / 10) * interval '1 second', decode(repeat('00', 32), 'hex')
               FROM UNNEST($3::text[], $4::text[], $5::text[], $6::bigint[]) WITH ORDINALITY AS e (type, id, payload, sequence, place)"#,
        )
        .bind(position)
        .bind(begin)
        .bind(batch.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>())
        .bind(batch.iter().map(|(_, id, _)| id.as_str()).collect::<Vec<_>>())
        .bind(batch.iter().map(|(.., payload)| payload.as_str()).collect::<Vec<_>>())
        .bind(numbers)
        .execute(pool)
        .await?;
        position += i64::try_from(batch.len())?;
        batch.clear();
    }
    sqlx::query("UPDATE log_head SET position = $1").bind(position).execute(pool).await?;
    sqlx::query("ANALYZE events").execute(pool).await?;
    Ok(position)
}

async fn discard(pool: &PgPool) -> Result<i64> {
    let mut position = 0;
    while let Some(last) = log::read_after(pool, position, 4000, Filter::default()).await?.last() {
        position = last.position;
    }
    Ok(position)
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told to three digits")]
fn rate(events: i64, since: Instant) -> f64 {
    events as f64 / since.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() -> Result<()> {
    let wanted = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    let database = TestDatabase::create().await?;
    let pool = database.pool(4).await?;
    let begin = Instant::now();
    let events = generate(&pool, wanted).await?;
    println!("generated {events} events in {:.1} s", begin.elapsed().as_secs_f64());

    let begin = Instant::now();
    discard(&pool).await?;
    let read = rate(events, begin);
    println!("read and discarded: {read:.0} events/s");

    let begin = Instant::now();
    rebuild::rebuild(&pool, |_, _| {}).await?;
    let rebuilt = rate(events, begin);
    println!("rebuilt: {rebuilt:.0} events/s, {:.2} of reading (target {TARGET:.0} events/s)", rebuilt / read);

    let begin = Instant::now();
    let entries = dhcp_entries::of_site(&pool, &value("dc1")?, At::Now).await?.len();
    println!("DHCP entries of the site: {entries} in {:.0} ms", begin.elapsed().as_secs_f64() * 1000.0);
    let begin = Instant::now();
    let then = dhcp_entries::of_site(&pool, &value("dc1")?, At::Position(events / 2)).await?.len();
    println!("the same as of half-way: {then} in {:.0} ms", begin.elapsed().as_secs_f64() * 1000.0);
    ensure!(rebuilt >= TARGET, "a rebuild reaches {rebuilt:.0} events/s, not {TARGET:.0}");
    Ok(())
}
