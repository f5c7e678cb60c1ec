//! Secondaries follow Bootledger's zone files: one BIND loads each file and another transfers it.

use crate::dns_updates::PATIENCE;
use crate::support::dns::{DnsServer, KEY};
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

const ZONE: &str = "dc1.example";
/// How many changes are made with each serial policy.
const CHANGES: u32 = 13;

fn options(folder: &Path, port: u16, more: &str) -> String {
    format!(
        "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none; session-keyfile none;\n\
         recursion no; dnssec-validation no; allow-transfer {{ key {name}; }}; {more} }};\ncontrols {{ }};\n\
         key {name} {{ algorithm hmac-sha256; secret \"{}\"; }};\n",
        folder.display(),
        KEY.1,
        name = KEY.0
    )
}

/// The records of a file in the form of a zone transfer.
fn records(file: &str) -> Result<BTreeSet<String>> {
    let ttl = file.lines().find_map(|line| line.strip_prefix("$TTL ")).context("no TTL")?;
    let lines = file.lines().filter(|line| !line.starts_with([';', '$']));
    let records = lines.map(|line| {
        let (name, rest) = line.split_once(' ')?;
        let (own, rest) = match rest.split_once(' ')? {
            ("IN", rest) => (ttl, rest),
            (own, rest) => (own, rest.strip_prefix("IN ")?),
        };
        Some(format!("{name} {own} {rest}"))
    });
    records.map(|record| record.context("a line that is no record")).collect()
}

fn serial(records: &BTreeSet<String>) -> Result<u32> {
    let soa = records.iter().find(|record| record.split(' ').nth(2) == Some("SOA")).context("no SOA")?;
    Ok(soa.split(' ').nth(5).context("no serial")?.parse()?)
}

/// Whether a secondary that has serial `old` accepts serial `new` (RFC 1982).
fn newer(new: u32, old: u32) -> bool {
    (1..1 << 31).contains(&new.wrapping_sub(old))
}

fn site(policy: &str, extra: u32) -> Value {
    let zone = json!({
        "name": ZONE, "name_servers": ["ns1.dc1.example", "ns2.example.net"], "rname": "ada.lovelace@dc1.example", "serial": policy,
        "serial_floor": 1_000_000_000, "ttl": 600,
        "records": format!("ns1 A 10.0.0.53\n@ MX 10 mail\nmail A 10.0.0.25\n  TXT \"number {extra}; \\\"quoted\\\"\"\n*.any 60 CNAME mail\n"),
    });
    json!({ "domain": ZONE, "zones": [zone, "10.in-addr.arpa"] })
}

/// The zone replaces one that the secondary has with a far higher serial than the log has positions. It then changes under each
/// policy, by devices' records and by extra records; the secondary receives every single change.
#[tokio::test]
async fn a_secondary_has_each_of_fifty_changes_with_every_serial_policy() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.define(&site("position", 0), &json!({"cidr": "10.0.0.0/18", "site": "dc1"})).await?;
    let device = json!({"site": "dc1", "macs": ["52:54:00:00:00:01"], "venture": "shop", "role": "web"});
    let device = service.create("/api/v1/devices", &device).await?;
    let secondary = DnsServer::bind(|folder, port| {
        let zone = format!("zone \"{ZONE}\" {{ type secondary; file \"second\"; masterfile-format text; primaries {{ 127.0.0.1 port 1 key {}; }}; }};", KEY.0);
        // The secondary gets its primary as soon as that has a port; until then it answers from the old zone's file.
        std::fs::write(folder.join("second"), format!("$TTL 60\n{ZONE}. SOA old.example. host.example. 1000000000 3600 600 1209600 60\n{ZONE}. NS old.example.\n"))?;
        Ok([options(folder, port, "notify no; allow-notify { 127.0.0.1; }; serial-query-rate 1000; min-refresh-time 1; max-refresh-time 1; min-retry-time 1; max-retry-time 1;"), zone].concat())
    })
    .await?;
    assert_eq!(secondary.serial(ZONE)?, 1_000_000_000);
    let first = service.text("/dns/zones/dc1.example").await?;
    let primary = DnsServer::bind(|folder, port| {
        std::fs::write(folder.join("first"), &first)?;
        let more = format!(
            "notify explicit; also-notify {{ 127.0.0.1 port {}; }}; notify-delay 0; notify-rate 1000; startup-notify-rate 1000; ixfr-from-differences yes;",
            secondary.port()
        );
        let zone = format!("zone \"{ZONE}\" {{ type primary; file \"first\"; }};");
        Ok([options(folder, port, &more), zone].concat())
    })
    .await?;
    let conf = secondary.folder().join("named.conf");
    std::fs::write(&conf, std::fs::read_to_string(&conf)?.replace("port 1 key", &format!("port {} key", primary.port())))?;
    secondary.reload()?;

    let mut last = 1_000_000_000;
    for (round, policy) in ["position", "unixtime", "date", "position"].into_iter().enumerate() {
        let round = u32::try_from(round)?;
        for change in 0..CHANGES {
            // Every fourth change is to the zone's own fields, and so is the first one of each policy.
            if change.is_multiple_of(4) {
                service.put("/api/v1/sites/dc1", &site(policy, round * CHANGES + change)).await?;
            } else {
                let entry = json!({"hostname": format!("h{}.dc1.example", change % 3), "ip": Ipv4Addr::from(0x0a00_0100 + round * CHANGES + change)});
                service.put(&format!("/api/v1/devices/{device}/facts"), &json!({ "dns_entries": [entry] })).await?;
            }
            let file = service.text("/dns/zones/dc1.example").await?;
            let expected = records(&file)?;
            let now = serial(&expected)?;
            ensure!(newer(now, last), "{policy}: {now} is not above {last}");
            last = now;
            std::fs::write(primary.folder().join("new"), &file)?;
            std::fs::rename(primary.folder().join("new"), primary.folder().join("first"))?;
            primary.reload()?;
            let pulled = wait_for("the secondary has the change", PATIENCE, async || {
                (secondary.transfer(ZONE).ok()? == expected).then_some(())
            });
            pulled
                .await
                .with_context(|| format!("{policy}, change {change}: {expected:?} and {:?}", secondary.transfer(ZONE)))?;
        }
        let [low, high] = match policy {
            "position" if round == 0 => [1_000_000_001, 1_000_000_100],
            "unixtime" => [1_700_000_000, 1_999_999_999],
            // Serials continue from the last date.
            _ => [2_020_000_000, 2_099_000_000],
        };
        ensure!((low..high).contains(&last), "{policy}: {last}");
    }
    Ok(())
}
