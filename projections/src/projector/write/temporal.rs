//! Writes the temporal tables: ends stored rows first and then inserts new ones, because a key has only one current row.

use super::{array_literal, column, end_rows};
use crate::error::Result;
use crate::projector::catalogue::Key;
use crate::projector::state::{CatalogueRow, DhcpRow};
use crate::projector::versions::Written;
use crate::rows::boot_targets::BootTarget;
use crate::rows::convert::inet;
use crate::rows::deployments::Deployment;
use crate::rows::devices::{Device, kind_text, protocol_text};
use crate::rows::dns_records::DnsRecord;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::device::management::Access;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use ipnet::IpNet;
use sqlx::PgConnection;
use std::net::Ipv4Addr;

pub(super) async fn catalogue(connection: &mut PgConnection, Written { ended, begun }: Written<Key, CatalogueRow>) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE catalogue t SET valid_to = e.valid_to
             FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS e (kind, key, valid_to)
             WHERE t.kind = e.kind AND t.key = e.key AND t.valid_to IS NULL",
        (kind, _) => (*kind).to_owned(),
        (_, key) => key.clone()
    );
    if !begun.is_empty() {
        sqlx::query!(
            "INSERT INTO catalogue (kind, key, sequence, spec, retired, valid_from, valid_to)
             SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::jsonb[], $5::bool[], $6::bigint[], $7::bigint[])",
            column!(begun, ((kind, _), ..) => (*kind).to_owned()),
            column!(begun, ((_, key), ..) => key.clone()),
            column!(begun, (_, row, ..) => row.sequence),
            column!(begun, (_, row, ..) => row.spec.clone()),
            column!(begun, (_, row, ..) => row.retired),
            column!(begun, (_, _, from, _) => *from),
            column!(begun, (_, _, _, to) => *to) as _
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn devices(connection: &mut PgConnection, Written { ended, begun }: Written<DeviceId, Device>) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE devices t SET valid_to = e.valid_to FROM UNNEST($1::uuid[], $2::bigint[]) AS e (id, valid_to)
             WHERE t.id = e.id AND t.valid_to IS NULL",
        id => id.0
    );
    if begun.is_empty() {
        return Ok(());
    }
    // Default settings are stored as null, as in rows that were written before there were other settings.
    let particular =
        |row: &Device| row.management.clone().map(|management| management.access).filter(|access| *access != Access::default());
    let accesses = begun.iter().map(|(_, row, ..)| particular(row).map(serde_json::to_value).transpose());
    let accesses = accesses.collect::<Result<Vec<_>, _>>()?;
    let own = |row: &Device| (!row.settings.is_empty()).then(|| serde_json::to_value(&row.settings)).transpose();
    let settings = begun.iter().map(|(_, row, ..)| own(row)).collect::<Result<Vec<_>, _>>()?;
    let locks = begun.iter().map(|(_, row, ..)| row.lock.as_ref().map(serde_json::to_value).transpose());
    let locks = locks.collect::<Result<Vec<_>, _>>()?;
    let remarks = begun.iter().map(|(_, row, ..)| serde_json::to_value(&row.remarks)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "INSERT INTO devices (id, sequence, kind, name, serial, asset, site, rack, rack_position, macs, management_address,
                              management_protocol, management_credentials, management_access, parent, venture, role, verified, decommissioned,
                              addresses, hostnames, operating_system, software, disk_shares, uptime_seconds, sub_devices,
                              remarks, registered_at, changed_at, valid_from, valid_to, settings, management_host,
                              lock, notes, tags, height, face)
         SELECT id, sequence, kind, name, serial, asset, site, rack, rack_position, macs::text[], management_address,
                management_protocol, management_credentials, management_access, parent, venture, role, verified, decommissioned,
                addresses::inet[], hostnames::text[], operating_system, software::text[], disk_shares::text[],
                uptime_seconds, sub_devices::uuid[], remarks, registered_at, changed_at, valid_from, valid_to, settings,
                management_host, lock, notes, tags::text[], height, face
         FROM UNNEST($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::integer[], $10::text[], $11::inet[], $12::text[], $13::text[], $14::uuid[], $15::text[], $16::text[],
                     $17::bool[], $18::bool[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::bigint[],
                     $25::text[], $26::jsonb[], $27::timestamptz[], $28::timestamptz[], $29::bigint[], $30::bigint[], $31::jsonb[],
                     $32::jsonb[], $33::text[], $34::jsonb[], $35::text[], $36::text[], $37::integer[], $38::text[])
              AS d (id, sequence, kind, name, serial, asset, site, rack, rack_position, macs, management_address,
                    management_protocol, management_credentials, parent, venture, role, verified, decommissioned,
                    addresses, hostnames, operating_system, software, disk_shares, uptime_seconds, sub_devices,
                    remarks, registered_at, changed_at, valid_from, valid_to, management_access, settings, management_host,
                    lock, notes, tags, height, face)",
        column!(begun, (id, ..) => id.0),
        column!(begun, (_, row, ..) => row.sequence),
        column!(begun, (_, row, ..) => kind_text(row.kind)) as _,
        column!(begun, (_, row, ..) => row.name.as_str()) as _,
        column!(begun, (_, row, ..) => row.serial.as_ref().map(Text::as_str)) as _,
        column!(begun, (_, row, ..) => row.asset.as_ref().map(Text::as_str)) as _,
        column!(begun, (_, row, ..) => row.site.as_str()) as _,
        column!(begun, (_, row, ..) => row.rack.as_ref().map(Name::as_str)) as _,
        column!(begun, (_, row, ..) => row.rack_position) as _,
        column!(begun, (_, row, ..) => array_literal(&row.macs)),
        column!(begun, (_, row, ..) => row.management.as_ref().and_then(|m| m.address.address()).map(IpNet::from)) as _,
        column!(begun, (_, row, ..) => row.management.as_ref().map(|management| protocol_text(management.protocol))) as _,
        column!(begun, (_, row, ..) => row.management.as_ref().and_then(|m| m.credentials.as_ref().map(Name::as_str))) as _,
        column!(begun, (_, row, ..) => row.parent.map(|id| id.0)) as _,
        column!(begun, (_, row, ..) => row.venture.as_ref().map(Name::as_str)) as _,
        column!(begun, (_, row, ..) => row.role.as_ref().map(Name::as_str)) as _,
        column!(begun, (_, row, ..) => row.verified),
        column!(begun, (_, row, ..) => row.decommissioned),
        column!(begun, (_, row, ..) => array_literal(&row.addresses)),
        column!(begun, (_, row, ..) => array_literal(&row.hostnames)),
        column!(begun, (_, row, ..) => row.operating_system.as_ref().map(Text::as_str)) as _,
        column!(begun, (_, row, ..) => array_literal(&row.software)),
        column!(begun, (_, row, ..) => array_literal(&row.disk_shares)),
        column!(begun, (_, row, ..) => row.uptime_seconds) as _,
        column!(begun, (_, row, ..) => array_literal(&row.sub_devices)),
        &remarks,
        column!(begun, (_, row, ..) => row.registered_at.0),
        column!(begun, (_, row, ..) => row.changed_at.0),
        column!(begun, (_, _, from, _) => *from),
        column!(begun, (_, _, _, to) => *to) as _,
        &accesses as _,
        &settings as _,
        column!(begun, (_, row, ..) => row.management.as_ref().filter(|m| m.address.address().is_none()).map(|m| m.address.to_string())) as _,
        &locks as _,
        column!(begun, (_, row, ..) => String::from(row.notes.clone())),
        column!(begun, (_, row, ..) => array_literal(&row.tags)),
        column!(begun, (_, row, ..) => i32::from(row.height)),
        column!(begun, (_, row, ..) => row.face.as_str()) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn deployments(
    connection: &mut PgConnection,
    Written { ended, begun }: Written<DeploymentId, Deployment>,
) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE deployments t SET valid_to = e.valid_to FROM UNNEST($1::uuid[], $2::bigint[]) AS e (id, valid_to)
             WHERE t.id = e.id AND t.valid_to IS NULL",
        id => id.0
    );
    if begun.is_empty() {
        return Ok(());
    }
    let plans = begun.iter().map(|(_, row, ..)| serde_json::to_value(&row.plan)).collect::<Result<Vec<_>, _>>()?;
    let failure = |row: &Deployment| row.puppet_failure.as_ref().map(serde_json::to_value).transpose();
    let settings = begun.iter().map(|(_, row, ..)| resolved(&row.settings)).collect::<Result<Vec<_>, _>>()?;
    let failures = begun.iter().map(|(_, row, ..)| failure(row)).collect::<Result<Vec<_>, _>>()?;
    let ended_by = begun.iter().map(|(_, row, ..)| row.ended_by.as_ref().map(serde_json::to_value).transpose());
    let ended_by = ended_by.collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "INSERT INTO deployments (id, device, mac, ip, hostname, venture, role, boot_image, boot_image_revision, network, site,
                                  import, status, status_since, overdue, open_minutes, in_progress_minutes, started_at,
                                  started_by, in_progress_at, ended_at, ended_by, reason, plan, done_by, installed_at,
                                  puppet_failure, valid_from, valid_to, settings, boot_chain, note, ticket)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::inet[], $5::text[], $6::text[], $7::text[], $8::text[],
                              $9::integer[], $10::text[], $11::text[], $12::uuid[], $13::text[], $14::timestamptz[],
                              $15::bool[], $16::integer[], $17::integer[], $18::timestamptz[], $19::text[],
                              $20::timestamptz[], $21::timestamptz[], $22::jsonb[], $23::text[], $24::jsonb[], $25::text[],
                              $26::timestamptz[], $27::jsonb[], $28::bigint[], $29::bigint[], $30::jsonb[], $31::text[], $32::text[],
                              $33::text[])",
        column!(begun, (id, ..) => id.0),
        column!(begun, (_, row, ..) => row.device.0),
        column!(begun, (_, row, ..) => row.mac.to_string()),
        column!(begun, (_, row, ..) => inet(row.ip)),
        column!(begun, (_, row, ..) => row.hostname.as_str()) as _,
        column!(begun, (_, row, ..) => row.venture.as_str()) as _,
        column!(begun, (_, row, ..) => row.role.as_str()) as _,
        column!(begun, (_, row, ..) => row.boot_image.as_str()) as _,
        column!(begun, (_, row, ..) => row.boot_image_revision),
        column!(begun, (_, row, ..) => row.network.as_str()) as _,
        column!(begun, (_, row, ..) => row.site.as_str()) as _,
        column!(begun, (_, row, ..) => row.import.map(|id| id.0)) as _,
        column!(begun, (_, row, ..) => row.status.as_str()) as _,
        column!(begun, (_, row, ..) => row.status_since.0),
        column!(begun, (_, row, ..) => row.overdue),
        column!(begun, (_, row, ..) => row.open_minutes),
        column!(begun, (_, row, ..) => row.in_progress_minutes),
        column!(begun, (_, row, ..) => row.started_at.0),
        column!(begun, (_, row, ..) => row.started_by.as_str()) as _,
        column!(begun, (_, row, ..) => row.in_progress_at.map(|at| at.0)) as _,
        column!(begun, (_, row, ..) => row.ended_at.map(|at| at.0)) as _,
        &ended_by as _,
        column!(begun, (_, row, ..) => row.reason.as_deref()) as _,
        &plans,
        column!(begun, (_, row, ..) => row.done_by.as_str()) as _,
        column!(begun, (_, row, ..) => row.installed_at.map(|at| at.0)) as _,
        &failures as _,
        column!(begun, (_, _, from, _) => *from),
        column!(begun, (_, _, _, to) => *to) as _,
        &settings as _,
        column!(begun, (_, row, ..) => row.boot_chain.as_str()) as _,
        column!(begun, (_, row, ..) => row.notes.note.as_str()) as _,
        column!(begun, (_, row, ..) => row.notes.ticket.as_str()) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The settings that a deployment was started with, as JSON; null if there are none.
fn resolved(settings: &ResolvedSettings) -> serde_json::Result<Option<serde_json::Value>> {
    (!settings.is_empty()).then(|| serde_json::to_value(settings)).transpose()
}

pub(super) async fn holdings(
    connection: &mut PgConnection,
    Written { ended, begun }: Written<(&'static str, String), Holder>,
) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE holdings t SET valid_to = e.valid_to
             FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS e (kind, value, valid_to)
             WHERE t.kind = e.kind AND t.value = e.value AND t.valid_to IS NULL",
        (kind, _) => (*kind).to_owned(),
        (_, value) => value.clone()
    );
    if !begun.is_empty() {
        sqlx::query!(
            "INSERT INTO holdings (kind, value, holder, ip, valid_from, valid_to)
             SELECT kind, value, holder, CASE kind WHEN 'ip' THEN value::inet END, valid_from, valid_to
             FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
                  AS h (kind, value, holder, valid_from, valid_to)",
            column!(begun, ((kind, _), ..) => *kind) as _,
            column!(begun, ((_, value), ..) => value.as_str()) as _,
            column!(begun, (_, holder, ..) => holder.to_string()),
            column!(begun, (_, _, from, _) => *from),
            column!(begun, (_, _, _, to) => *to) as _
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn dns_records(connection: &mut PgConnection, Written { ended, begun }: Written<DnsRecord, ()>) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE dns_records t SET valid_to = e.valid_to
             FROM UNNEST($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bigint[]) AS e (name, type, value, device, valid_to)
             WHERE t.name = e.name AND t.type = e.type AND t.value = e.value AND t.device = e.device AND t.valid_to IS NULL",
        record => record.name.clone(),
        record => record.r#type.clone(),
        record => record.value.clone(),
        record => record.device.0
    );
    if !begun.is_empty() {
        sqlx::query!(
            "INSERT INTO dns_records (name, type, value, device, valid_from, valid_to)
             SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::bigint[])",
            column!(begun, (record, ..) => record.name.as_str()) as _,
            column!(begun, (record, ..) => record.r#type.as_str()) as _,
            column!(begun, (record, ..) => record.value.as_str()) as _,
            column!(begun, (record, ..) => record.device.0),
            column!(begun, (_, (), from, _) => *from),
            column!(begun, (_, (), _, to) => *to) as _
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn dhcp_entries(
    connection: &mut PgConnection,
    Written { ended, begun }: Written<(Ipv4Addr, MacAddress, DeviceId), DhcpRow>,
) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE dhcp_entries t SET valid_to = e.valid_to
             FROM UNNEST($1::inet[], $2::text[], $3::uuid[], $4::bigint[]) AS e (ip, mac, device, valid_to)
             WHERE t.ip = e.ip AND t.mac = e.mac AND t.device = e.device AND t.valid_to IS NULL",
        (ip, _, _) => inet(*ip),
        (_, mac, _) => mac.to_string(),
        (_, _, device) => device.0
    );
    if !begun.is_empty() {
        sqlx::query!(
            "INSERT INTO dhcp_entries (ip, mac, device, hostname, network, valid_from, valid_to)
             SELECT * FROM UNNEST($1::inet[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])",
            column!(begun, ((ip, _, _), ..) => inet(*ip)),
            column!(begun, ((_, mac, _), ..) => mac.to_string()),
            column!(begun, ((_, _, device), ..) => device.0),
            column!(begun, (_, row, ..) => row.hostname.as_ref().map(Hostname::as_str)) as _,
            column!(begun, (_, row, ..) => row.network.as_str()) as _,
            column!(begun, (_, _, from, _) => *from),
            column!(begun, (_, _, _, to) => *to) as _
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn boot_targets(
    connection: &mut PgConnection,
    Written { ended, begun }: Written<(Ipv4Addr, DeploymentId), BootTarget>,
) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE boot_targets t SET valid_to = e.valid_to
             FROM UNNEST($1::inet[], $2::uuid[], $3::bigint[]) AS e (ip, deployment, valid_to)
             WHERE t.ip = e.ip AND t.deployment = e.deployment AND t.valid_to IS NULL",
        (ip, _) => inet(*ip),
        (_, deployment) => deployment.0
    );
    if !begun.is_empty() {
        let settings = begun.iter().map(|(_, row, ..)| resolved(&row.settings)).collect::<Result<Vec<_>, _>>()?;
        sqlx::query!(
            "INSERT INTO boot_targets (ip, deployment, device, mac, hostname, venture, role, boot_image, boot_image_revision,
                                       network, site, next_boot, valid_from, valid_to, settings)
             SELECT * FROM UNNEST($1::inet[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                                  $9::integer[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::jsonb[])",
            column!(begun, (_, row, ..) => inet(row.ip)),
            column!(begun, (_, row, ..) => row.deployment.0),
            column!(begun, (_, row, ..) => row.device.0),
            column!(begun, (_, row, ..) => row.mac.to_string()),
            column!(begun, (_, row, ..) => row.hostname.as_str()) as _,
            column!(begun, (_, row, ..) => row.venture.as_str()) as _,
            column!(begun, (_, row, ..) => row.role.as_str()) as _,
            column!(begun, (_, row, ..) => row.boot_image.as_str()) as _,
            column!(begun, (_, row, ..) => row.boot_image_revision),
            column!(begun, (_, row, ..) => row.network.as_str()) as _,
            column!(begun, (_, row, ..) => row.site.as_str()) as _,
            column!(begun, (_, row, ..) => row.next_boot.as_str()) as _,
            column!(begun, (_, _, from, _) => *from),
            column!(begun, (_, _, _, to) => *to) as _,
            &settings as _
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}
