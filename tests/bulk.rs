//! A thousand servers from a CSV file, exactly as the rules say, even when the service is killed on the way.

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

const ROWS: usize = 1_000;

/// How long a step may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(3);

fn csv() -> String {
    (0..ROWS).fold(String::from("mac;network;venture;role;boot_image\n"), |mut csv, n| {
        let _ = writeln!(csv, "52:54:00:00:{:02x}:{:02x};prod;shop;web;debian", n / 256, n % 256);
        csv
    })
}

async fn service_with_catalogue() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
        "hostname_template": "h<200,699>.dc1.example|h<1000,9999>.dc1.example",
    });
    service.define(&site, &json!({ "cidr": "10.0.0.0/20", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    Ok(service)
}

/// Confirms for the only DHCP server whenever deployments wait for nothing else, until all are in progress.
async fn confirm_until_in_progress(service: &Service) -> Result<()> {
    wait_for("every deployment is in progress", PATIENCE, async || {
        let open = count(service, "SELECT count(*) FROM deployments WHERE valid_to IS NULL AND status = 'open'").await.ok()?;
        let waiting =
            count(service, "SELECT count(*) FROM plugin_runs WHERE plugin = 'dhcp' AND status = 'waiting'").await.ok()?;
        let prepared =
            count(service, "SELECT count(*) FROM deployments WHERE valid_to IS NULL AND status = 'in_progress'").await.ok()?;
        if open > 0 && open == waiting {
            service.confirm("kea-1").await.ok()?;
        }
        (open == 0 && prepared > 0).then_some(())
    })
    .await
}

async fn count(service: &Service, sql: &str) -> Result<i64> {
    let pool = service.database().pool(1).await?;
    Ok(sqlx::query_scalar(sql).fetch_one(&pool).await?)
}

/// Asserts that the rows have exactly the events and rows that the rules prescribe: nothing missing, nothing twice.
async fn assert_exact(service: &Service) -> Result<()> {
    let failed = count(service, "SELECT count(*) FROM events WHERE event_type = 'PluginFailed'").await?;
    ensure!(failed == 0, "{failed} plugins failed");
    assert_exact_but_for_failures(service).await
}

async fn assert_exact_but_for_failures(service: &Service) -> Result<()> {
    let rows = i64::try_from(ROWS)?;
    // Registered, venture and role set, verified, remark, address, DNS entry, DHCP entry. No role change: the device already
    // has the role.
    for (event, of_each) in [
        ("DeviceRegistered", 1),
        ("VentureRoleSet", 1),
        ("DeviceVerified", 1),
        ("RemarkAdded", 1),
        ("AddressAssigned", 1),
        ("RoleAssigned", 0),
        ("DnsEntryCreated", 1),
        ("DhcpEntryCreated", 1),
        ("DhcpEntriesRemoved", 0),
        ("DeploymentStarted", 1),
        ("PluginSucceeded", 4),
        ("DeploymentInProgress", 1),
        ("DeploymentDone", 0),
    ] {
        let found = count(service, &format!("SELECT count(*) FROM events WHERE event_type = '{event}'")).await?;
        ensure!(found == rows * of_each, "{found} events {event}, not {}", rows * of_each);
    }
    for (what, sql, of_each) in [
        ("A records", "SELECT count(*) FROM dns_records WHERE type = 'A' AND valid_to IS NULL", 1),
        ("PTR records", "SELECT count(*) FROM dns_records WHERE type = 'PTR' AND valid_to IS NULL", 1),
        ("DHCP entries", "SELECT count(*) FROM dhcp_entries WHERE valid_to IS NULL", 1),
        ("addresses that are different", "SELECT count(DISTINCT ip) FROM dhcp_entries WHERE valid_to IS NULL", 1),
        ("names that are different", "SELECT count(DISTINCT value) FROM claims WHERE kind = 'hostname'", 1),
        ("claims of address, name, MAC and deployment", "SELECT count(*) FROM claims", 4),
        ("boot targets", "SELECT count(*) FROM boot_targets WHERE valid_to IS NULL", 1),
    ] {
        let found = count(service, sql).await?;
        ensure!(found == rows * of_each, "{found} {what}, not {}", rows * of_each);
    }
    service.run(&["verify"]).await?;
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_thousand_servers_of_a_csv_reach_in_progress_exactly_once() -> Result<()> {
    let service = service_with_catalogue().await?;
    let answer = service.import(csv(), "bulk-1").await?;
    let rows = rows_of(&answer)?;
    assert_eq!(rows.len(), ROWS);
    assert_eq!((rows[0]["hostname"].as_str(), rows[0]["ip"].as_str()), (Some("h200.dc1.example"), Some("10.0.0.11")));
    assert_eq!(rows[500]["hostname"].as_str(), Some("h1000.dc1.example"), "the second range begins when the first is used up");
    confirm_until_in_progress(&service).await?;
    let most = service.memory("VmHWM")? / 1024;
    ensure!(most < 200, "the service took {most} MB of memory");
    assert_exact(&service).await
}

#[tokio::test]
async fn killed_in_the_middle_of_import_and_plugins_the_numbers_are_the_same() -> Result<()> {
    // Sends the import without waiting for its answer, which a killed service never sends.
    let send = |service: &Service| {
        let request = reqwest::Client::new()
            .post(service.url("/api/v1/imports"))
            .bearer_auth(service.token())
            .header("Content-Type", "text/csv")
            .header("Idempotency-Key", "bulk-1");
        tokio::spawn(request.body(csv()).send())
    };
    let mut service = service_with_catalogue().await?;
    let rows = i64::try_from(ROWS)?;
    let started =
        async |service: &Service| count(service, "SELECT count(*) FROM events WHERE event_type = 'DeploymentStarted'").await;
    // Killed before the import is in the log: the test holds the end of the log, for which the append waits. PostgreSQL may
    // still execute the statement of a client that has gone, so the import is there completely or not at all.
    let pool = service.database().pool(1).await?;
    let mut held = pool.begin().await?;
    sqlx::query("SELECT position FROM log_head FOR UPDATE").execute(&mut *held).await?;
    let upload = send(&service);
    wait_for("the append of the import waits for the end of the log", PATIENCE, async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%log_head%'";
        (count(&service, waiting).await.ok()? > 0).then_some(())
    })
    .await?;
    ensure!(!upload.is_finished() && started(&service).await? == 0, "the import has ended before the service is killed");
    service.kill()?;
    held.rollback().await?;
    service.start_again().await?;
    let there = started(&service).await?;
    ensure!(there == 0 || there == rows, "a part of the import is there: {there}");
    // Killed as soon as the log has a first event of the import: then it has all of them.
    let _sent = send(&service);
    wait_for("a first event of the import is in the log", PATIENCE, async || (started(&service).await.ok()? > 0).then_some(()))
        .await?;
    service.kill_and_restart().await?;
    let there = started(&service).await?;
    ensure!(there == rows, "a part of the import is there: {there}");
    service.import(csv(), "bulk-1").await?;
    // The service is killed several times while the plugins run.
    for share in 1..=4 {
        let wanted = rows * share;
        wait_for("plugins have done a part of their work", PATIENCE, async || {
            let done = count(&service, "SELECT count(*) FROM events WHERE event_type IN ('PluginSucceeded', 'DhcpEntryCreated')")
                .await
                .ok()?;
            (done >= wanted - 300).then_some(())
        })
        .await?;
        service.kill_and_restart().await?;
    }
    confirm_until_in_progress(&service).await?;
    assert_exact(&service).await
}

#[tokio::test]
async fn cut_off_from_its_database_again_and_again_the_numbers_are_the_same() -> Result<()> {
    let service = service_with_catalogue().await?;
    service.import(csv(), "bulk-1").await?;
    let mut cut = 0;
    for share in 1..=10 {
        wait_for("plugins have done a part of their work", PATIENCE, async || {
            let done = count(&service, "SELECT count(*) FROM events WHERE event_type = 'PluginSucceeded'").await.ok()?;
            (done >= 250 * share).then_some(())
        })
        .await?;
        cut += count(
            &service,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
              WHERE application_name = 'bootledger' AND datname = current_database()",
        )
        .await?;
    }
    ensure!(cut >= 30, "only {cut} connections were cut");
    confirm_until_in_progress(&service).await?;
    // A plugin that could not read the views has failed and was retried.
    assert_exact_but_for_failures(&service).await
}

#[tokio::test]
async fn an_import_with_errors_reports_each_error_and_starts_nothing() -> Result<()> {
    let service = service_with_catalogue().await?;
    let csv = "mac;network;venture;role;boot_image;ip\n\
               52:54:00:00:00:01;prod;shop;web;debian;\n\
               nonsense;prod;shop;web;debian;\n\
               52:54:00:00:00:02;nowhere;shop;web;debian;\n\
               52:54:00:00:00:03;prod;shop;cook;debian;10.0.0.1\n";
    let error = service.import(csv.to_owned(), "bad").await.expect_err("nothing is started").to_string();
    ensure!(error.contains("422"), "{error}");
    let events = count(&service, "SELECT count(*) FROM events WHERE event_type = 'DeploymentStarted'").await?;
    assert_eq!(events, 0);
    Ok(())
}

#[tokio::test]
async fn the_address_of_a_management_controller_is_assigned_to_no_imported_server() -> Result<()> {
    let service = service_with_catalogue().await?;
    let managed =
        json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"], "management": { "address": "10.0.0.11", "protocol": "ipmi" } });
    service.post("/api/v1/devices", &managed).await?;
    let both = "mac;network;venture;role;boot_image;management_ip\n52:54:00:00:00:03;prod;shop;web;debian;10.0.0.13\n";
    let csv = |ip: &str| format!("mac;network;venture;role;boot_image;ip\n52:54:00:00:00:02;prod;shop;web;debian;{ip}\n");
    wait_for("the device is in the views", PATIENCE, async || {
        service.get("/api/v1/devices?mac=52:54:00:00:00:01").await.ok()?["items"].get(0).map(drop)
    })
    .await?;
    let error = service.import(csv("10.0.0.11"), "named").await.expect_err("the address is a controller's").to_string();
    ensure!(error.contains("ip_is_management"), "{error}");
    let chosen = service.import(csv(""), "chosen").await?;
    assert_eq!(rows_of(&chosen)?[0]["ip"].as_str(), Some("10.0.0.12"));
    let beside = service.import(both.to_owned(), "beside").await;
    ensure!(beside.is_ok_and(|answer| answer["rows"][0]["ip"] == "10.0.0.14"), "an address that the row itself says is managed");
    let wanted = json!({
        "device": rows_of(&chosen)?[0]["device"], "venture": "shop", "role": "web", "boot_image": "debian", "ip": "10.0.0.11",
        "hostname": "h300.dc1.example",
    });
    let error = service.post("/api/v1/deployments", &wanted).await.expect_err("named for one server").to_string();
    ensure!(error.contains("ip_is_management"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_filler_is_no_rack_unless_one_is_named_so_and_a_date_is_recognised() -> Result<()> {
    let service = service_with_catalogue().await?;
    let csv = |mac: u8, rack: &str| {
        format!("mac;network;venture;role;boot_image;rack\n52:54:00:00:00:{mac:02x};prod;shop;web;debian;{rack}\n")
    };
    let started = service.import(csv(1, "TBD"), "filler").await?;
    let notes = rows_of(&started)?[0]["notes"].to_string();
    ensure!(notes.contains("rack") && notes.contains("tbd"), "{started}");
    let error = service.import(csv(2, "Mar-26"), "date").await.expect_err("there is no such rack").to_string();
    ensure!(error.contains("rack_unknown") && error.contains("mar-26") && error.contains(" date"), "{error}");
    service.put("/api/v1/racks/tbd", &json!({ "site": "dc1" })).await?;
    wait_for("the rack is in the views", PATIENCE, async || service.get("/api/v1/racks/tbd").await.ok().map(drop)).await?;
    let error = service.import(csv(3, "TBD"), "named").await.expect_err("the network does not reach it").to_string();
    ensure!(error.contains("rack_unknown") && error.contains("rack tbd") && error.contains("network prod"), "{error}");
    Ok(())
}

fn rows_of(answer: &Value) -> Result<&Vec<Value>> {
    answer["rows"]
        .as_array()
        .or_else(|| answer["items"].as_array())
        .with_context(|| format!("an import has rows: {}", answer.to_string().chars().take(300).collect::<String>()))
}

/// All imports leave address and name empty, so they all choose the same ones first.
#[tokio::test]
async fn imports_of_the_same_moment_get_addresses_of_their_own() -> Result<()> {
    const IMPORTS: usize = 40;
    let service = service_with_catalogue().await?;
    let imports = (0..IMPORTS).map(async |n| {
        let csv = format!("mac;network;venture;role;boot_image\n52:54:00:00:00:{n:02x};prod;shop;web;debian\n");
        service.import(csv, &format!("moment-{n}")).await
    });
    for imported in futures::future::join_all(imports).await {
        imported?;
    }
    let given =
        count(&service, "SELECT count(DISTINCT ip) FROM deployments WHERE valid_to IS NULL AND status <> 'cancelled'").await?;
    assert_eq!(given, i64::try_from(IMPORTS)?);
    Ok(())
}
