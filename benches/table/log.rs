//! Writes a long log straight into the table, as the service would have written it in a data centre that deploys server after
//! server.

use anyhow::{Context, Result};
use bootledger_aggregates::boot_image::EndedBy;
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DeploymentStarted, Limits};
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::deployment::reason::{UnconfirmedServer, Waiting};
use bootledger_aggregates::device::event::{DeviceEvent, DhcpEntry, DnsEntry};
use bootledger_aggregates::device::register::DeviceSpec;
use bootledger_aggregates::device::remark::Remark;
use bootledger_aggregates::dhcp_server::DhcpServerEvent;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::pool::Pool;
use serde::Serialize;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// How many deployments are live at once.
const AT_ONCE: u32 = 50;

/// Type, aggregate key and JSON of an event.
type Written = (&'static str, String, String);

/// The id of the device with this number.
pub(crate) fn device(n: u32) -> DeviceId {
    DeviceId(Uuid::from_u128(u128::from(n)))
}

/// The address of the server with this number.
pub(crate) fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_000b + n)
}

fn value<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().ok().with_context(|| format!("{text:?} is no value"))
}

fn written(aggregate: &'static str, id: &impl ToString, event: &impl Serialize) -> Result<Written> {
    Ok((aggregate, id.to_string(), serde_json::to_string(event)?))
}

/// The events that register a device and set its venture and role.
fn registered(n: u32) -> Result<[Written; 2]> {
    let [_, a, b, c] = n.to_be_bytes();
    let json = serde_json::json!({
        "site": "dc1", "serial": format!("SN{n}"), "macs": [format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")],
    });
    let spec: DeviceSpec = serde_json::from_value(json)?;
    let role = DeviceEvent::VentureRoleSet { venture: Some(value("shop")?), role: Some(value("web")?) };
    let on = |event: DeviceEvent| written("device", &device(n), &event);
    Ok([on(DeviceEvent::DeviceRegistered(Box::new(spec)))?, on(role)?])
}

/// The events of a server from its registration until it is in progress.
fn in_progress(n: u32, revision: u32) -> Result<Vec<Written>> {
    let (device, id) = (device(n), DeploymentId(Uuid::from_u128((1 << 64) + u128::from(n))));
    let ip = address(n);
    let [_, a, b, c] = n.to_be_bytes();
    let mac = value(&format!("52:54:00:{a:02x}:{b:02x}:{c:02x}"))?;
    let hostname: Hostname = value(&format!("h{n}.dc1.example"))?;
    let (network, venture, role): (Name, Name, Name) = (value("prod")?, value("shop")?, value("web")?);
    let entry = DhcpEntry { ip, mac, hostname: Some(hostname.clone()), network: network.clone() };
    let started = DeploymentStarted {
        assignment: Assignment {
            device,
            mac,
            ip,
            hostname: hostname.clone(),
            venture: venture.clone(),
            role: role.clone(),
            boot_image: value("debian-12")?,
        },
        boot_image_revision: revision,
        network,
        site: value("dc1")?,
        plan: Plan::standard()?,
        limits: Limits { open_minutes: 30, in_progress_minutes: 120 },
        done_by: EndedBy::Server,
        settings: bootledger_aggregates::settings::ResolvedSettings::default(),
        boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
        notes: bootledger_aggregates::deployment::notes::Notes::default(),
        took: vec![Claim::Ip(ip), Claim::Hostname(hostname.clone())],
        import: None,
    };
    let on = |event: DeviceEvent| written("device", &device, &event);
    let of = |event: DeploymentEvent| written("deployment", &id, &event);
    let succeeded = |plugin: &str| of(DeploymentEvent::PluginSucceeded { plugin: value(plugin)? });
    let awaited = vec![value("dhcp-server:kea-1")?];
    let servers = vec![UnconfirmedServer { server: value("kea-1")?, error: None }];
    let reason = Waiting::DhcpServers { servers, held_back: None };
    let remark = Remark::OldRole { venture: venture.clone(), role: role.clone(), until: Timestamp::default() };
    let [registered, with_role] = registered(n)?;
    Ok(vec![
        registered,
        with_role,
        on(DeviceEvent::DeviceVerified {})?,
        of(DeploymentEvent::DeploymentStarted(Box::new(started)))?,
        on(DeviceEvent::RemarkAdded { remark, deployment: Some(id) })?,
        on(DeviceEvent::AddressAssigned { deployment: id, ip })?,
        succeeded("clean")?,
        on(DeviceEvent::RoleAssigned { deployment: id, venture, role })?,
        succeeded("role")?,
        on(DeviceEvent::DnsEntryCreated { deployment: id, entry: DnsEntry { hostname, ip } })?,
        succeeded("dns")?,
        on(DeviceEvent::DhcpEntryCreated { deployment: id, entry })?,
        of(DeploymentEvent::PluginWaiting { plugin: value("dhcp")?, reason, awaited })?,
        succeeded("dhcp")?,
        of(DeploymentEvent::DeploymentInProgress { device })?,
        succeeded("reboot")?,
    ])
}

/// A log that continues after the events that the service has already written.
pub(crate) struct Log {
    pool: Pool,
    position: i64,
    sequences: HashMap<(&'static str, String), i64>,
}

impl Log {
    /// Opens the log of a database whose service is not running.
    pub(crate) async fn open(pool: Pool) -> Result<Self> {
        let position = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await?;
        let confirmations = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_id = 'kea-1'");
        let sequences = HashMap::from([(("dhcp_server", "kea-1".to_owned()), confirmations.fetch_one(&pool).await?)]);
        Ok(Self { pool, position, sequences })
    }

    /// Registers devices of these numbers, and does nothing else with them.
    pub(crate) async fn register(&mut self, numbers: std::ops::Range<u32>) -> Result<()> {
        let events = numbers.map(registered).collect::<Result<Vec<_>>>()?.concat();
        for part in events.chunks(5_000) {
            self.write(part).await?;
        }
        self.analyze().await
    }

    /// Brings this many servers to "in progress", `AT_ONCE` interleaved, with a DHCP confirmation every hundred events.
    pub(crate) async fn deploy(&mut self, servers: u32, revision: u32) -> Result<()> {
        for first in (0..servers).step_by(AT_ONCE as usize) {
            let numbers = first..servers.min(first + AT_ONCE);
            let each: Vec<Vec<Written>> = numbers.map(|n| in_progress(n, revision)).collect::<Result<_>>()?;
            let mut batch = vec![];
            for step in 0..each[0].len() {
                batch.extend(each.iter().map(|server| server[step].clone()));
                if step % 2 == 1 {
                    let (site, revision) = (value("dc1")?, Sha256::new([1; 32]));
                    let confirmed = DhcpServerEvent::ConfigurationConfirmed { site, revision, position: self.position };
                    batch.push(written("dhcp_server", &"kea-1", &confirmed)?);
                }
            }
            self.write(&batch).await?;
        }
        self.analyze().await
    }

    /// The position of the last event.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// Appends these events. Their times begin an hour ago, a thousand events per second, so that no deployment is overdue.
    /// Otherwise the reactor would be busy marking overdue deployments while something else is measured.
    async fn write(&mut self, events: &[Written]) -> Result<()> {
        let mut numbers = vec![];
        for (kind, id, _) in events {
            let sequence = self.sequences.entry((kind, id.clone())).or_default();
            *sequence += 1;
            numbers.push(*sequence);
        }
        sqlx::query(
            r#"INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                   position, recorded_at, chain)
               SELECT type, id, sequence, payload::json ->> 'type', '1', payload::json,
                      '{"actor":"token ops","correlation_id":"0192f0c1-2f5e-7d3a-8f00-000000000000"}', $1 + place,
                      now() - interval '1 hour' + (($1 + place) / 1000.0) * interval '1 second', decode(repeat('00', 32), 'hex')
               FROM UNNEST($2::text[], $3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY AS e (type, id, payload, sequence, place)"#,
        )
        .bind(self.position)
        .bind(events.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, id, _)| id.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(.., payload)| payload.as_str()).collect::<Vec<_>>())
        .bind(numbers)
        .execute(&self.pool)
        .await?;
        self.position += i64::try_from(events.len())?;
        Ok(())
    }

    async fn analyze(&self) -> Result<()> {
        sqlx::query("UPDATE log_head SET position = $1").bind(self.position).execute(&self.pool).await?;
        sqlx::query("ANALYZE events").execute(&self.pool).await?;
        Ok(())
    }
}
