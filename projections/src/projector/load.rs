//! Loads the current rows that a batch of events affects, with one statement per table.

use super::catalogue::{self, Key};
use super::deployments::target;
use super::state::{CatalogueRow, DhcpRow, State};
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::boot_targets::BootTarget;
use crate::rows::convert::{address, inet, optional};
use crate::rows::deployments::{self, Status};
use crate::rows::dns_records::DnsRecord;
use crate::rows::{devices, installations, plugin_runs};
use bootledger_aggregates::claims::{Claim, ClaimChange, Holder};
use bootledger_aggregates::device::event::{DeviceEvent, DhcpEntry};
use bootledger_aggregates::event::{Event, Recorded};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use ipnet::IpNet;
use sqlx::PgConnection;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// The keys of the rows that a batch affects.
#[derive(Default)]
struct Keys {
    devices: HashSet<DeviceId>,
    deployments: HashSet<DeploymentId>,
    catalogue: HashSet<Key>,
    holdings: HashSet<(&'static str, String)>,
    releasing_all: HashSet<Holder>,
    dns_of: HashSet<DeviceId>,
    dhcp: HashSet<(Ipv4Addr, MacAddress, DeviceId)>,
    signals: HashSet<String>,
    /// The highest position of the signals.
    confirmed: i64,
}

impl Keys {
    fn add(&mut self, event: &Event) {
        self.catalogue.extend(catalogue::key(event));
        if let Some(signal) = catalogue::signal(event) {
            self.signals.extend(signal.keys);
            self.confirmed = self.confirmed.max(signal.confirmed);
        }
        for change in event.claims() {
            match change {
                ClaimChange::Release(claim, _) | ClaimChange::Take(claim, _) => drop(self.holdings.insert(claim.parts())),
                ClaimChange::ReleaseAll(holder) => drop(self.releasing_all.insert(holder)),
            }
        }
        match event {
            Event::Deployment(id, _) => drop(self.deployments.insert(*id)),
            Event::Device(id, event) => {
                self.devices.insert(*id);
                match event {
                    DeviceEvent::DnsEntriesRemoved { .. } | DeviceEvent::DnsEntryCreated { .. } => {
                        self.dns_of.insert(*id);
                    }
                    DeviceEvent::DhcpEntriesRemoved { entries, .. } => self.dhcp(*id, entries),
                    DeviceEvent::DhcpEntryCreated { deployment, entry } => {
                        self.deployments.insert(*deployment);
                        self.dhcp(*id, std::slice::from_ref(entry));
                    }
                    DeviceEvent::DeviceRegistered(spec) => self.devices.extend(spec.parent),
                    DeviceEvent::DeviceAttached { parent } | DeviceEvent::DeviceDetached { parent, .. } => {
                        self.devices.insert(*parent);
                    }
                    DeviceEvent::PowerConfirmed { restart, .. } | DeviceEvent::PowerFailed { restart, .. } => {
                        self.deployments.extend(restart.map(|restart| restart.deployment));
                    }
                    DeviceEvent::FactsRecorded(facts) => {
                        self.dns_of.insert(*id);
                        self.dhcp(*id, &facts.dhcp_added);
                        self.dhcp(*id, &facts.dhcp_removed);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn dhcp(&mut self, device: DeviceId, entries: &[DhcpEntry]) {
        for entry in entries {
            self.dhcp.insert((entry.ip, entry.mac, device));
            self.catalogue.insert(("network", entry.network.to_string()));
        }
    }
}

/// Loads the state before the batch.
pub(super) async fn load<'a>(connection: &mut PgConnection, events: impl Iterator<Item = &'a Recorded>) -> Result<State> {
    let mut keys = Keys::default();
    events.for_each(|recorded| keys.add(&recorded.event));
    let mut state = State::default();
    blocked(connection, &mut state).await?;
    if !keys.devices.is_empty() {
        let ids: Vec<DeviceId> = keys.devices.iter().copied().collect();
        for device in devices::find_many(&mut *connection, &ids, At::Now).await? {
            state.devices.seed(device.id, device);
        }
    }
    live(connection, &keys, &mut state).await?;
    holdings(connection, &keys, &mut state).await?;
    things(connection, &keys, &mut state).await?;
    entries(connection, &keys, &mut state).await?;
    Ok(state)
}

async fn blocked(connection: &mut PgConnection, state: &mut State) -> Result<()> {
    let rows = sqlx::query!(
        r#"SELECT aggregate_type, aggregate_id, min(position) AS "first!" FROM parked GROUP BY aggregate_type, aggregate_id"#
    );
    for row in rows.fetch_all(connection).await? {
        state.blocked.insert((row.aggregate_type, row.aggregate_id), row.first);
    }
    Ok(())
}

/// Loads deployments, their plugin runs and boot targets, and the plugin runs that wait for what the batch provides.
async fn live(connection: &mut PgConnection, keys: &Keys, state: &mut State) -> Result<()> {
    let mut runs = vec![];
    if !keys.deployments.is_empty() {
        let ids: Vec<DeploymentId> = keys.deployments.iter().copied().collect();
        let installations = installations::find_many(&mut *connection, &ids, At::Now).await?;
        for installation in installations {
            state.installations.seed(installation.deployment, installation);
        }
        for deployment in deployments::find_many(&mut *connection, &ids, At::Now).await? {
            if deployment.status == Status::InProgress && deployment.installed_at.is_none() {
                let next_boot = state.installations.current(&deployment.id).map(|row| row.next_boot).unwrap_or_default();
                let target = BootTarget { next_boot, ..target(&deployment) };
                state.boot_targets.seed((deployment.ip, deployment.id), target);
            }
            state.deployments.seed(deployment.id, deployment);
        }
        runs.extend(plugin_runs::of_many(&mut *connection, &ids).await?);
    }
    if !keys.signals.is_empty() {
        let signals: Vec<String> = keys.signals.iter().cloned().collect();
        runs.extend(plugin_runs::waiting_for(&mut *connection, &signals, keys.confirmed).await?);
    }
    for run in runs {
        state.runs.entry(run.deployment).or_default().insert(run.place, run);
    }
    Ok(())
}

async fn holdings(connection: &mut PgConnection, keys: &Keys, state: &mut State) -> Result<()> {
    if keys.holdings.is_empty() && keys.releasing_all.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = keys.holdings.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let values: Vec<String> = keys.holdings.iter().map(|(_, value)| value.clone()).collect();
    let holders: Vec<String> = keys.releasing_all.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT h.kind AS "kind!", h.value AS "value!", h.holder AS "holder!"
           FROM UNNEST($1::text[], $2::text[]) AS k (kind, value)
           JOIN holdings h ON h.kind = k.kind AND h.value = k.value AND h.valid_to IS NULL
           UNION
           SELECT kind, value, holder FROM holdings WHERE holder = ANY($3) AND valid_to IS NULL"#,
        &kinds,
        &values,
        &holders
    );
    for row in rows.fetch_all(connection).await? {
        if let Some(kind) = Claim::kind_of(&row.kind) {
            state.holdings.seed((kind, row.value), row.holder.parse()?);
        }
    }
    Ok(())
}

async fn things(connection: &mut PgConnection, keys: &Keys, state: &mut State) -> Result<()> {
    if keys.catalogue.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = keys.catalogue.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let names: Vec<String> = keys.catalogue.iter().map(|(_, key)| key.clone()).collect();
    let rows = sqlx::query!(
        "SELECT c.kind, c.key, c.sequence, c.spec, c.retired FROM UNNEST($1::text[], $2::text[]) AS k (kind, key)
         JOIN catalogue c ON c.kind = k.kind AND c.key = k.key AND c.valid_to IS NULL",
        &kinds,
        &names
    );
    for row in rows.fetch_all(connection).await? {
        let known = keys.catalogue.iter().find(|(kind, key)| *kind == row.kind && *key == row.key);
        if let Some(key) = known {
            let thing = CatalogueRow { sequence: row.sequence, spec: row.spec, retired: row.retired };
            state.catalogue.seed(key.clone(), thing);
        }
    }
    Ok(())
}

async fn entries(connection: &mut PgConnection, keys: &Keys, state: &mut State) -> Result<()> {
    if !keys.dns_of.is_empty() {
        let ids: Vec<Uuid> = keys.dns_of.iter().map(|id| id.0).collect();
        let rows = sqlx::query!(
            r#"SELECT name, type AS "type", value, device FROM dns_records WHERE device = ANY($1) AND valid_to IS NULL"#,
            &ids
        );
        for row in rows.fetch_all(&mut *connection).await? {
            let device = DeviceId(row.device);
            let record = DnsRecord { name: row.name, r#type: row.r#type, value: row.value, device };
            state.dns.seed(record.clone(), ());
            state.dns_of.entry(device).or_default().insert(record);
        }
    }
    if !keys.dhcp.is_empty() {
        let ips: Vec<IpNet> = keys.dhcp.iter().map(|(ip, _, _)| inet(*ip)).collect();
        let macs: Vec<String> = keys.dhcp.iter().map(|(_, mac, _)| mac.to_string()).collect();
        let ids: Vec<Uuid> = keys.dhcp.iter().map(|(_, _, device)| device.0).collect();
        let rows = sqlx::query!(
            "SELECT e.ip, e.mac, e.hostname, e.network, e.device
             FROM UNNEST($1::inet[], $2::text[], $3::uuid[]) AS k (ip, mac, device)
             JOIN dhcp_entries e ON e.ip = k.ip AND e.mac = k.mac AND e.device = k.device AND e.valid_to IS NULL",
            &ips,
            &macs,
            &ids
        );
        for row in rows.fetch_all(connection).await? {
            let entry = DhcpRow { hostname: optional(row.hostname)?, network: row.network.parse()? };
            state.dhcp.seed((address(row.ip)?, row.mac.parse()?, DeviceId(row.device)), entry);
        }
    }
    Ok(())
}
