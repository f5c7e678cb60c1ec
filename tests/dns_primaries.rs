//! Primaries as administrators configure them: views selected by a key, queries that need the key, signed zones, wildcards and
//! other algorithms. Also the messages for a wrong key, clock or answer.

use crate::dns_updates::{PATIENCE, ZONES};
use crate::support::dns::{DnsServer, KEY, Software};
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;

/// A primary of one kind.
struct Kind {
    name: &'static str,
    algorithm: &'static str,
    key: &'static str,
    /// The zone clauses, from each zone's file.
    zones: fn(&str, &str) -> String,
    /// Lines of the forward zone's file.
    records: &'static str,
    /// The configuration around the zones, in which `{zones}` is replaced by the zone clauses and `{others}` by the same
    /// clauses with other files.
    around: &'static str,
}

const USUAL: Kind = Kind {
    name: "usual",
    algorithm: "hmac-sha256",
    key: "bootledger",
    zones: |zone, file| {
        format!(
            "zone \"{zone}\" {{ type primary; file \"{file}\"; allow-update {{ key bootledger; }}; allow-transfer {{ key bootledger; }}; }};\n"
        )
    },
    records: "",
    around: "{zones}",
};

fn kinds() -> Vec<Kind> {
    vec![
        Kind {
            name: "two views, the internal one selected by the key",
            around: "view internal { match-clients { key bootledger; };\n{zones}};\nview external { match-clients { any; };\n{others}};\n",
            ..USUAL
        },
        Kind {
            name: "the other view first, which excludes the key",
            around: "view external { match-clients { !key bootledger; any; };\n{others}};\nview internal { match-clients { any; };\n{zones}};\n",
            ..USUAL
        },
        Kind {
            name: "queries need the key, and the name servers are others",
            zones: |zone, file| {
                format!(
                    "zone \"{zone}\" {{ type primary; file \"{file}\"; allow-update {{ key bootledger; }}; allow-query {{ key bootledger; }}; }};\n"
                )
            },
            around: "view one { minimal-responses yes; allow-transfer { key bootledger; };\n{zones}};\n",
            ..USUAL
        },
        Kind {
            name: "signed zones",
            zones: |zone, file| {
                format!(
                    "zone \"{zone}\" {{ type primary; file \"{file}\"; allow-update {{ key bootledger; }}; dnssec-policy default; inline-signing no; }};\n"
                )
            },
            around: "view one { allow-transfer { key bootledger; };\n{zones}};\n",
            ..USUAL
        },
        Kind {
            name: "wildcards of addresses, and of the very address",
            records: "*.dc1.example. A 10.0.0.10\n*.lab.dc1.example. CNAME www.example.\nwww.dc1.example. A 10.9.9.9\n",
            ..USUAL
        },
        Kind { name: "a wildcard alias", records: "*.dc1.example. CNAME www.example.\n", ..USUAL },
        Kind {
            name: "capital letters, HMAC-SHA384",
            algorithm: "hmac-sha384",
            key: "BootLedger",
            zones: |zone, file| {
                format!(
                    "zone \"{}\" {{ type primary; file \"{file}\"; update-policy {{ grant bootledger zonesub ANY; }}; allow-transfer {{ key bootledger; }}; }};\n",
                    zone.to_uppercase()
                )
            },
            records: "H200.DC1.EXAMPLE. A 10.0.0.10\n",
            ..USUAL
        },
        Kind { name: "HMAC-SHA512", algorithm: "hmac-sha512", ..USUAL },
    ]
}

impl Kind {
    fn configure(&self, folder: &Path, port: u16) -> Result<String> {
        let mut texts = [String::new(), String::new()];
        for (view, text) in texts.iter_mut().enumerate() {
            for (index, zone) in ZONES.iter().enumerate() {
                let file = folder.join(format!("zone-{view}-{index}"));
                let records = if view == 0 && index == 0 { self.records } else { "" };
                let head = format!(
                    "$TTL 300\n{zone}. SOA public.example. host.example. 1 3600 600 1209600 60\n{zone}. NS public.example.\n"
                );
                std::fs::write(&file, head + records)?;
                text.push_str(&(self.zones)(zone, &file.display().to_string()));
            }
        }
        let [zones, others] = texts;
        let around = self.around.replace("{zones}", &zones).replace("{others}", &others);
        Ok([options(folder, port, self.key, self.algorithm, KEY.1), around].concat())
    }
}

fn options(folder: &Path, port: u16, key: &str, algorithm: &str, secret: &str) -> String {
    format!(
        "options {{ directory \"{0}\"; key-directory \"{0}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none;\n\
         session-keyfile none; managed-keys-directory \"{0}\"; recursion no; notify no; dnssec-validation no; }};\ncontrols {{ }};\n\
         key {key} {{ algorithm {algorithm}; secret \"{secret}\"; }};\n",
        folder.display()
    )
}

/// The site dc1 with its primary on this port.
fn site(port: u16, key: &str, algorithm: &str) -> Value {
    json!({
        "domain": "dc1.example", "zones": [{"name": "dc1.example", "ttl": 120}, "10.in-addr.arpa"], "hostname_template": "h<200,699>.dc1.example",
        "dns_updates": {"primary": "127.0.0.1", "port": port, "key": {"name": key, "algorithm": algorithm, "secret": "tsig-dc1"}},
    })
}

/// A service with a device that can get records, and the path of the device's facts.
async fn service(port: u16) -> Result<(Service, String)> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.write_secret("tsig-dc1", KEY.1)?;
    service.define(&site(port, KEY.0, "hmac-sha256"), &json!({"cidr": "10.0.0.0/18", "site": "dc1"})).await?;
    let device = json!({"site": "dc1", "macs": ["52:54:00:00:00:01"], "venture": "shop", "role": "web"});
    let device = service.create("/api/v1/devices", &device).await?;
    Ok((service, format!("/api/v1/devices/{device}/facts")))
}

fn entries(hosts: &[(&str, &str)]) -> Value {
    let entries: Vec<Value> =
        hosts.iter().map(|(host, ip)| json!({"hostname": format!("{host}.dc1.example"), "ip": ip})).collect();
    json!({ "dns_entries": entries })
}

/// The records that are not published yet.
async fn pending(service: &Service) -> Result<Vec<Value>> {
    Ok(service.get("/api/v1/dns-updates").await?["items"].as_array().cloned().unwrap_or_default())
}

/// Requests a check and returns the differences that it finds.
async fn checked(service: &Service) -> Result<Value> {
    let requested = time::OffsetDateTime::now_utc();
    service.post("/api/v1/sites/dc1/drift/check", &json!({})).await?;
    wait_for("the site is checked", PATIENCE, async || {
        let drift = service.get("/api/v1/sites/dc1/drift").await.ok()?;
        let at = drift["check"]["checked_at"].as_str()?;
        let at = time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).ok()?;
        (at > requested && drift["check"]["under_way_since"].is_null()).then_some(drift)
    })
    .await
}

/// The records of hosts at a primary, in lower case, sorted.
fn ours(dns: &DnsServer, kind: &Kind) -> Result<Vec<String>> {
    let all = dns.axfr("dc1.example", (kind.algorithm, kind.key))?;
    let hosts = all.iter().map(|record| record.replace("H200.DC1.EXAMPLE", "h200.dc1.example"));
    let mut hosts: Vec<String> = hosts.filter(|record| record.starts_with(['h', 'x']) && record.contains(" A ")).collect();
    hosts.sort();
    hosts.dedup();
    Ok(hosts)
}

async fn nothing_pending(service: &Service, what: &str) -> Result<()> {
    let done = wait_for(what, PATIENCE, async || pending(service).await.ok()?.is_empty().then_some(())).await;
    match done {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(json!(pending(service).await?).to_string())),
    }
}

#[tokio::test]
async fn every_kind_of_primary_has_the_records_answers_with_them_and_loses_them() -> Result<()> {
    let mut made: Option<(Service, String)> = None;
    for kind in kinds() {
        let dns = DnsServer::bind(|folder, port| kind.configure(folder, port)).await.context(kind.name)?;
        let (service, facts) = match made.take() {
            Some(made) => made,
            None => service(dns.port()).await?,
        };
        service.put("/api/v1/sites/dc1", &site(dns.port(), kind.key, kind.algorithm)).await?;
        service
            .put(&facts, &entries(&[("h200", "10.0.0.10"), ("h201", "10.0.0.11"), ("h201", "10.0.0.12"), ("x.lab", "10.0.0.13")]))
            .await?;
        let all = [
            "h200.dc1.example. A 10.0.0.10",
            "h201.dc1.example. A 10.0.0.11",
            "h201.dc1.example. A 10.0.0.12",
            "x.lab.dc1.example. A 10.0.0.13",
        ];
        wait_for(kind.name, PATIENCE, async || (ours(&dns, &kind).ok()? == all).then_some(())).await?;
        let reverse = async || (dns.axfr("10.in-addr.arpa", (kind.algorithm, kind.key)).ok()?.len() == 4).then_some(());
        wait_for(kind.name, PATIENCE, reverse).await?;
        nothing_pending(&service, kind.name).await.context(kind.name)?;
        let drift = checked(&service).await?;
        ensure!(drift["items"] == json!([]), "{}: {drift}", kind.name);

        // A removed record no longer exists even though a wildcard may still answer, and a record that disappears is reported
        // as missing.
        service.put(&facts, &entries(&[("h201", "10.0.0.12")])).await?;
        // An existing record in upper case is the same record, and is removed too.
        let left = ["h201.dc1.example. A 10.0.0.12"];
        let gone = wait_for(kind.name, PATIENCE, async || (ours(&dns, &kind).ok()? == left).then_some(())).await;
        gone.with_context(|| format!("{:?}", ours(&dns, &kind)))?;
        nothing_pending(&service, kind.name).await.context(kind.name)?;
        let drift = checked(&service).await?;
        ensure!(drift["items"] == json!([]), "{}: {drift}", kind.name);
        if kind.around == USUAL.around && kind.algorithm == USUAL.algorithm {
            dns.update("dc1.example", "update delete h201.dc1.example A")?;
            let drift = checked(&service).await?;
            ensure!(drift["items"][0]["nature"] == "missing", "{}: {drift}", kind.name);
            service.post("/api/v1/sites/dc1/drift/repair", &json!({})).await?;
            let repaired =
                async || dns.zone("dc1.example").ok()?.contains(&"h201.dc1.example. A 10.0.0.12".to_owned()).then_some(());
            wait_for("the record is back", PATIENCE, repaired).await.context(kind.name)?;
        }
        service.put(&facts, &entries(&[])).await?;
        nothing_pending(&service, kind.name).await.context(kind.name)?;
        made = Some((service, facts));
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_key_secret_clock_or_answering_server_is_reported_with_its_cause() -> Result<()> {
    let mut made: Option<(Service, String)> = None;
    let cases: [(&str, &str, &str, &[&str]); 3] = [
        ("other", KEY.1, "hmac-sha256", &["does not know the key bootledger with hmac-sha256 (BADKEY)"]),
        ("bootledger", "c29tZXRoaW5nIGVsc2U=", "hmac-sha256", &["has another secret for the key bootledger (BADSIG)"]),
        ("bootledger", KEY.1, "hmac-sha512", &["bootledger", "(BAD"]),
    ];
    for (key, secret, algorithm, words) in cases {
        let zones = |folder: &Path, port: u16| {
            Ok(USUAL
                .configure(folder, port)?
                .replace(KEY.1, secret)
                .replace("key bootledger", &format!("key {key}"))
                .replace("hmac-sha256", algorithm))
        };
        let dns = DnsServer::bind(zones).await?;
        made = Some(message(made.take(), dns.port(), words).await?);
    }

    let late = DnsServer::start_at(Software::Knot, "+1h", &ZONES).await?;
    let words = ["its clock is 3", "s ahead of this machine's (BADTIME)", "synchronise both clocks"];
    made = Some(message(made, late.port(), &words).await?);

    // A secondary that forwards updates to its primary and does not receive the changes.
    let primary = DnsServer::bind(|folder, port| USUAL.configure(folder, port)).await?;
    let through = |folder: &Path, port: u16| {
        let mut zones = String::new();
        for zone in ZONES {
            let _ = writeln!(
                zones,
                "zone \"{zone}\" {{ type secondary; file \"second-{zone}\"; primaries {{ 127.0.0.1 port {} key bootledger; }}; allow-update-forwarding {{ any; }}; }};",
                primary.port()
            );
        }
        Ok([options(folder, port, KEY.0, "hmac-sha256", KEY.1), zones].concat())
    };
    let secondary = DnsServer::bind(through).await?;
    wait_for("the secondary has the zone", PATIENCE, async || secondary.serial("dc1.example").ok().map(drop)).await?;
    let words = ["answers no record for h200.dc1.example A, where 10.0.0.10 is expected", "a secondary that passes updates on"];
    message(made, secondary.port(), &words).await?;
    assert_eq!(primary.zone("dc1.example")?, ["h200.dc1.example. A 10.0.0.10"]);
    Ok(())
}

/// Waits until a record for the primary on this port is pending with a problem that contains these words.
async fn message(made: Option<(Service, String)>, port: u16, words: &[&str]) -> Result<(Service, String)> {
    let (service, facts) = match made {
        Some(made) => made,
        None => service(port).await?,
    };
    service.put("/api/v1/sites/dc1", &site(port, KEY.0, "hmac-sha256")).await?;
    service.put(&facts, &entries(&[("h200", "10.0.0.10")])).await?;
    let said = async || {
        let pending = pending(&service).await.ok()?;
        let problems: BTreeSet<&str> = pending.iter().filter_map(|pending| pending["problem"].as_str()).collect();
        problems.iter().any(|problem| words.iter().all(|word| problem.contains(word))).then_some(())
    };
    match wait_for(&format!("{words:?} is reported"), PATIENCE, said).await {
        Ok(()) => Ok((service, facts)),
        Err(error) => Err(error.context(json!(pending(&service).await?).to_string())),
    }
}
