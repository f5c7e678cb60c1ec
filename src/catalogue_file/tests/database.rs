//! Tests of imports, dry runs and exports with a database.

use super::super::apply::held;
use super::super::export;
use super::super::kinds::Kind;
use super::super::report::{Report, Status};
use super::super::{Existing, Files};
use super::fields::{EVERY_FIELD, OTHER_FIELDS, paths};
use crate::administrator::{by, shown};
use crate::tool::Tool;
use crate::trial::Trial;
use anyhow::{Context as _, Result, ensure};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_projections::at::At;
use bootledger_projections::{devices, log};
use bootledger_test_cluster::TestDatabase;
use bootledger_web::boot::store::Contents;
use bootledger_web::commands::{Command, Commands};
use clap::Parser;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A database, a store of boot files and a directory of secrets.
struct Place {
    tool: Tool,
    files: Arc<dyn ObjectStore>,
    folder: TempDir,
    database: TestDatabase,
}

impl Place {
    async fn create() -> Result<Self> {
        let (database, folder) = (TestDatabase::create().await?, tempfile::tempdir()?);
        let secrets = folder.path().join("secrets");
        std::fs::create_dir(&secrets)?;
        let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let whsec = format!("whsec_{key}");
        for (name, secret) in [("tsig", key), ("tsig2", key), ("hook", &whsec), ("hook2", &whsec), ("bmc", "root:calvin")] {
            std::fs::write(secrets.join(name), secret)?;
        }
        let content = folder.path().join("content");
        std::fs::create_dir(&content)?;
        std::fs::write(content.join("linux"), [0_u8, 159, 146, 150])?;
        std::fs::write(content.join("linux2"), "kernel for {{ hostname }}\n")?;
        let secrets = secrets.to_str().context("a path")?.to_owned();
        let url = database.url();
        let arguments = ["bootledger", "deploy", "--database-url", &url, "--secrets-dir", &secrets];
        let arguments = crate::config::Arguments::try_parse_from(arguments)?;
        let tool = Tool::open(&arguments.store).await?;
        let files: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        Ok(Self { tool, files, folder, database })
    }

    fn files(&self, text: &str) -> Result<Files> {
        Files::of_text("catalogue.yaml", text, self.folder.path())
    }

    async fn import(&self, text: &str) -> Result<Report> {
        self.files(text)?.import(&self.tool, self.files.clone(), Existing::Changed).await
    }

    async fn dry_run(&self, text: &str) -> Result<Report> {
        let trial = Trial::open(&self.tool.database, &self.tool.ledger).await?;
        let report = self.files(text)?.dry_run((trial.views.clone(), trial.ledger.clone()), self.files.clone()).await;
        trial.close().await?;
        report
    }

    async fn export(&self, at: At, folder: Option<&Path>) -> Result<export::Exported> {
        export::export(&self.tool.database.pool, &Contents::new(self.files.clone()), at, folder, "A test").await
    }

    async fn position(&self) -> Result<i64> {
        Ok(log::last_position(&self.tool.database.pool).await?)
    }

    /// Everything in the catalogue, with parents named by their labels.
    async fn everything(&self) -> Result<BTreeMap<String, Value>> {
        let mut all = BTreeMap::new();
        for kind in Kind::ALL {
            for (name, json) in held(&self.tool.database.pool, kind, At::Now).await? {
                all.insert(format!("{} {name}", kind.section()), json);
            }
        }
        let filter = devices::Filter { decommissioned: Some(false), ..devices::Filter::default() };
        let found = devices::list(&self.tool.database.pool, &filter, At::Now, 1000).await?;
        for device in &found {
            let mut json = super::super::kinds::device(device);
            if let Some(parent) = device.parent {
                let parent = found.iter().find(|other| other.id == parent).map(devices::Device::called);
                json.insert("parent".to_owned(), json!(parent));
            }
            all.insert(format!("devices {}", device.called()), Value::Object(json));
        }
        Ok(all)
    }
}

/// Each entry that is not unchanged, as `site dc1 Changed`, with its refusals.
fn told(report: &Report) -> Vec<String> {
    let outcomes = report.outcomes.iter().filter(|outcome| outcome.status != Status::Unchanged);
    let told = outcomes.map(|outcome| {
        let refusals: Vec<String> =
            outcome.refusals.iter().map(|refusal| format!(" [{}: {}]", refusal.field, refusal.message)).collect();
        format!("{} {} {:?}{}", outcome.kind.one(), outcome.name, outcome.status, refusals.concat())
    });
    told.collect()
}

#[track_caller]
fn assert_unchanged(report: &Report) {
    assert_eq!(told(report), Vec::<String>::new());
}

#[tokio::test]
async fn every_field_of_every_kind_is_created_changed_exported_and_recognised() -> Result<()> {
    let place = Place::create().await?;
    Contents::new(place.files.clone()).store_bytes("stored".into()).await?;
    Contents::new(place.files.clone()).store_bytes("another".into()).await?;
    // A dry run comes first. It reports the same, appends nothing and leaves nothing behind.
    let planned = place.dry_run(EVERY_FIELD).await?;
    assert_eq!((place.position().await?, place.everything().await?.len()), (0, 0));
    let schemas: Vec<String> = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '%trial%'")
        .fetch_all(&place.tool.database.pool.plain())
        .await?;
    assert_eq!(schemas, Vec::<String>::new());
    let report = place.import(EVERY_FIELD).await?;
    assert_eq!(told(&planned), told(&report));
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.count(Status::Created), report.outcomes.len());

    let position = place.position().await?;
    assert_unchanged(&place.import(EVERY_FIELD).await?);
    assert_unchanged(&place.dry_run(EVERY_FIELD).await?);
    assert_eq!(place.position().await?, position, "what is unchanged appends nothing");

    // With the other file, each field changes its value or is refused with a reason.
    let before = place.everything().await?;
    let planned = place.dry_run(OTHER_FIELDS).await?;
    assert_eq!((place.position().await?, place.everything().await?), (position, before.clone()));
    let report = place.import(OTHER_FIELDS).await?;
    assert_eq!(planned.to_string().replace("would be ", "").lines().next(), report.to_string().lines().next());
    assert_eq!(told(&planned), told(&report));
    let changed: BTreeSet<(&str, String)> = report
        .outcomes
        .iter()
        .flat_map(|outcome| outcome.changes.iter().map(|change| (outcome.kind.section(), change.field.clone())))
        .collect();
    for kind in Kind::ALL {
        for path in paths(kind) {
            // A file's content is compared by its hash, and a mapping with free keys by its parts.
            let path =
                ["text", "path"].into_iter().fold(path, |path, end| path.replace(&format!("files.*.{end}"), "files.*.sha256"));
            let begins = |field: &str| {
                let field = if kind == Kind::BootImage && field.starts_with("files.") {
                    format!("files.*.{}", field.rsplit('.').next().unwrap_or_default())
                } else {
                    field.to_owned()
                };
                field == path || field.starts_with(&format!("{path}."))
            };
            assert!(
                changed.iter().any(|(section, field)| *section == kind.section() && begins(field)),
                "{}.{path} changes: {report}",
                kind.section()
            );
        }
    }
    let refused: BTreeSet<(&str, &str)> = report
        .outcomes
        .iter()
        .flat_map(|outcome| outcome.refusals.iter().map(|refusal| (outcome.kind.section(), refusal.field.as_str())))
        .collect();
    assert_eq!(refused, BTreeSet::from([("devices", "kind")]), "{report}");
    let after = place.everything().await?;
    assert_ne!(before, after);
    let position = place.position().await?;
    let again = place.import(OTHER_FIELDS).await?;
    assert_eq!(place.position().await?, position, "{again}");
    assert_eq!(again.count(Status::Refused), 1, "{again}");

    // An export imports to the same catalogue, here and in another installation.
    let folder = place.folder.path().join("exported");
    let exported = place.export(At::Now, Some(&folder)).await?;
    assert_eq!(exported.remarks, Vec::<String>::new());
    let text = exported.text;
    assert_unchanged(&place.import(&text).await?);
    assert_eq!(place.position().await?, position);
    let elsewhere = Place::create().await?;
    let report = elsewhere.import(&text).await.with_context(|| text.clone())?;
    assert!(report.is_whole(), "{report}\n{text}");
    assert_eq!(elsewhere.everything().await?, after);
    assert_eq!(elsewhere.export(At::Now, Some(&folder)).await?.text, text, "the same catalogue has the same file");
    Ok(())
}

const SMALL: &str = "\
sites: { dc1: { domain: dc1.example, zones: [dc1.example] } }
racks: { r1: { site: dc1 }, r2: { site: dc1 } }
ventures: { shop: { roles: { web: {}, db: {} } } }
devices:
  - { name: A, serial: S1, site: dc1, rack: r1, macs: [52:54:00:00:00:01], management: { address: 10.0.0.5 }, venture: shop, role: web, verified: true }
";

#[tokio::test]
async fn a_device_that_was_imported_before_changes_its_rack_controller_and_state_field_by_field() -> Result<()> {
    let place = Place::create().await?;
    place.import(SMALL).await?;
    let changed =
        SMALL.replace("rack: r1", "rack: r2").replace("10.0.0.5", "10.0.0.6").replace("verified: true", "verified: false");
    let report = place.import(&changed).await?;
    let fields: Vec<String> =
        report.outcomes.last().context("a device")?.changes.iter().map(|change| format!("{change:?}")).collect();
    let change =
        |field: &str, old: Value, new: Value| format!("Change {{ field: {field:?}, old: Some({old:?}), new: Some({new:?}) }}");
    assert_eq!(
        fields,
        [
            change("rack", json!("r1"), json!("r2")),
            change("management.address", json!("10.0.0.5"), json!("10.0.0.6")),
            change("verified", json!(true), json!(false)),
        ]
    );
    let device = &place.everything().await?["devices A"];
    assert_eq!(
        (&device["rack"], &device["management"]["address"], &device["verified"]),
        (&json!("r2"), &json!("10.0.0.6"), &json!(false))
    );
    // A field that the file does not give is unchanged; one that may not change is refused alone.
    place.import(&SMALL.replace("role: web, verified: true", "verified: true")).await?;
    let report = place
        .import(&SMALL.replace("role: web", "role: db").replace("rack: r1, ", "rack: r2, name: B, ").replace("name: A, ", ""))
        .await?;
    let outcome = report.outcomes.last().context("a device")?;
    assert_eq!(outcome.status, Status::Refused);
    assert_eq!(outcome.refusals.iter().map(|refusal| refusal.field.as_str()).collect::<Vec<_>>(), ["role"]);
    assert!(outcome.refusals[0].message.contains("only a deployment changes"), "{}", outcome.refusals[0].message);
    let device = &place.everything().await?["devices B"];
    assert_eq!((&device["rack"], &device["role"]), (&json!("r2"), &json!("web")));
    let text = report.to_string();
    assert!(text.contains("role: web → db – refused: the device is verified"), "{text}");
    assert!(text.contains("rack: r1 → r2 – applied"), "{text}");
    assert!(text.contains("device B: refused (catalogue.yaml, line 5, column 5)"), "{text}");
    // A venture and its role belong together, and every refused field is reported.
    let bare = SMALL.replace("venture: shop, role: web, verified: true", "venture: bare, verified: false");
    let bare = bare.replace("ventures: {", "ventures: { bare: {},").replace("name: A", "name: C");
    let report = place.import(&bare).await?;
    let outcome = report.outcomes.last().context("a device")?;
    assert_eq!(
        outcome.refusals.iter().map(|refusal| refusal.field.as_str()).collect::<Vec<_>>(),
        ["venture", "role"],
        "{report}"
    );
    assert!(
        report.to_string().contains("venture: shop → bare – refused: not changed, because venture bare has no role web"),
        "{report}"
    );
    assert!(place.everything().await?.contains_key("devices C"), "{report}");
    let refused = place.import(&SMALL.replace("rack: r1", "rack: ~").replace("serial: S1", "serial: ~")).await?;
    assert!(refused.to_string().contains("rack: r1 → nothing"), "{refused}");
    assert_eq!(place.everything().await?["devices A"].get("serial"), None);
    Ok(())
}

#[tokio::test]
async fn one_refused_entry_stops_no_other_and_is_named_with_the_holder() -> Result<()> {
    let place = Place::create().await?;
    place.import(SMALL).await?;
    let more = "\
sites: { dc2: { domain: dc2.example } }
racks: { r9: { site: nowhere }, r3: { site: dc2 } }
networks:
  a: { cidr: 10.0.0.0/24, site: dc1 }
  b: { cidr: 10.0.0.128/25, site: dc1 }
ventures: { x: { parent: y }, y: { parent: x }, z: { parent: shop, roles: { r: {} } } }
boot_images:
  i: { files: { t: { kind: other, template: true, text: \"{{ nothing }}\" }, p: { kind: kernel, path: nowhere } } }
devices:
  - { serial: S1, site: dc1, macs: [52:54:00:00:00:02] }
  - { serial: S2, asset: A2, site: dc1, macs: [52:54:00:00:00:03] }
  - { serial: S3, site: dc1, parent: { serial: S4 } }
  - { serial: S4, site: dc1, parent: { serial: S2 } }
  - { serial: S5, site: dc1, parent: { serial: S99 } }
";
    let planned = place.dry_run(more).await?;
    let report = place.import(more).await?;
    assert_eq!(told(&planned), told(&report), "a dry run meets the same rules");
    let told = told(&report);
    for expected in [
        "rack r9 Refused [site: there is no site nowhere]",
        "rack r3 Created",
        "network a Created",
        "network b Refused [cidr: 10.0.0.128/25 shares addresses with network a]",
        "venture x Refused [parent: there is no venture y]",
        "role z/r Created",
        "device serial number S3 Created",
        "device serial number S4 Created",
        "device serial number S5 Refused [parent: no device in use has the serial number S99, and none of the files has it]",
        "device serial number S1 Changed",
    ] {
        assert!(told.iter().any(|line| line == expected), "{expected}: {told:#?}");
    }
    let image = told.iter().find(|line| line.starts_with("boot image i")).context("the image")?;
    assert!(image.contains("files.t: ") && image.contains("files.p: ") && image.contains("cannot be read"), "{image}");
    assert_eq!(report.count(Status::Refused), 6, "{told:#?}");
    // The labels of two devices in the catalogue do not identify one device of the file.
    let both = place.import("devices: [{ serial: S1, asset: A2, site: dc1 }]").await?;
    assert!(both.to_string().contains("this is not one device"), "{both}");
    // A number that another device holds is refused with the name of that device.
    let holder = place.import("devices: [{ macs: [52:54:00:00:00:03], site: dc1, asset: A2, serial: S1 }]").await?;
    assert!(holder.to_string().contains("is that of A"), "{holder}");
    Ok(())
}

#[tokio::test]
async fn entries_that_wait_for_each_other_are_tried_again() -> Result<()> {
    let place = Place::create().await?;
    let networks = |a: &str, b: &str| {
        format!(
            "sites: {{ dc1: {{ domain: d.example }} }}\nnetworks: {{ a: {{ cidr: {a}, site: dc1 }}, b: {{ cidr: {b}, site: dc1 }} }}\n"
        )
    };
    place.import(&networks("10.0.0.0/25", "10.0.0.128/25")).await?;
    // `a` can grow only after `b` has moved away.
    let report = place.import(&networks("10.0.0.0/24", "10.0.1.0/24")).await?;
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.count(Status::Changed), 2);
    Ok(())
}

#[tokio::test]
async fn a_file_with_an_error_changes_nothing_and_does_not_say_that_it_did() -> Result<()> {
    let place = Place::create().await?;
    let wrong = SMALL.replace("rack: r1", "rack-no: r1");
    let error = format!("{:#}", place.import(&wrong).await.expect_err("an unknown field"));
    assert!(error.starts_with("catalogue.yaml, line 5, column 39: devices[0] (A): there is no field `rack-no`."), "{error}");
    assert!(error.ends_with("1 error; nothing was imported"), "{error}");
    assert_eq!(place.position().await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_is_there_can_be_left_as_it_is_and_the_past_exported() -> Result<()> {
    let place = Place::create().await?;
    place.import(SMALL).await?;
    let position = place.position().await?;
    let first = place.export(At::Now, None).await?.text;
    let other =
        SMALL.replace("rack: r1", "rack: r2").replace("r2: { site: dc1 }", "r2: { site: dc1, units: 10 }, r3: { site: dc1 }");
    place.files(&other)?.import(&place.tool, place.files.clone(), Existing::Kept).await?;
    let everything = place.everything().await?;
    assert_eq!((&everything["devices A"]["rack"], &everything["racks r2"]["units"]), (&json!("r1"), &json!(42)));
    assert!(everything.contains_key("racks r3"));
    place.import(&other).await?;
    assert_ne!(place.export(At::Now, None).await?.text, first);
    assert_eq!(place.export(At::Position(position), None).await?.text, first);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_beside_a_service_at_work_keeps_out_of_its_way() -> Result<()> {
    let place = Place::create().await?;
    place.import(SMALL).await?;
    let trial = Trial::open(&place.tool.database, &place.tool.ledger).await?;
    let second = Trial::open(&place.tool.database, &place.tool.ledger).await.err().context("one at a time")?;
    assert!(format!("{second:#}").contains("another dry run is under way"), "{second:#}");
    let mut appended = place.tool.ledger.feed.appended();
    let known = *appended.borrow_and_update();
    let tried = place.files(&SMALL.replace("r1", "r7").replace("r2", "r8"))?;
    let report = tried.dry_run((trial.views.clone(), trial.ledger.clone()), place.files.clone()).await?;
    ensure!(report.count(Status::Created) == 2, "{report}");
    // The service continues during the trial, with a log of its own.
    let spec: NetworkSpec = serde_json::from_value(json!({ "cidr": "10.9.0.0/24", "site": "dc1" }))?;
    let receipt =
        place.tool.ledger.execute(Command::DefineNetwork("n".parse()?, Box::new(spec)), by("test")).await.map_err(shown)?;
    assert_eq!(receipt.position, known + 1);
    trial.close().await?;
    assert_eq!(place.position().await?, known + 1);
    assert!(*appended.borrow_and_update() <= known + 1, "no notice of the trial reached the service");
    // The next trial removes what an interrupted one left behind.
    sqlx::query("CREATE SCHEMA import_trial").execute(&place.tool.database.pool.plain()).await?;
    assert!(place.dry_run(SMALL).await?.is_whole());
    Ok(())
}

/// A dry run that is killed ends abruptly: its sessions end, and its schema remains.
#[tokio::test]
async fn a_killed_dry_run_leaves_nothing_that_lasts() -> Result<()> {
    let place = Place::create().await?;
    place.import(SMALL).await?;
    let schema = async || -> Result<bool> {
        let there = sqlx::query_scalar("SELECT to_regnamespace('import_trial') IS NOT NULL");
        Ok(there.fetch_one(&place.tool.database.pool.plain()).await?)
    };
    let open = async || {
        let url = place.database.url();
        let arguments = crate::config::Arguments::try_parse_from(["bootledger", "deploy", "--database-url", &url])?;
        Tool::open(&arguments.store).await
    };
    let trial = Trial::open(&place.tool.database, &place.tool.ledger).await?;
    // A program that starts does not touch a trial that is running.
    open().await?.close().await?;
    ensure!(schema().await?, "the copy of a dry run that is under way was removed");
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    // The lower half of the lock's key.
    let lease = 7_267_832_002_i64 % (1 << 32);
    let killed: i64 = sqlx::query_scalar(kill).bind(lease).fetch_one(&place.tool.database.pool.plain()).await?;
    ensure!(killed == 1 && schema().await?, "{killed} sessions of the dry run were ended");
    // The next trial does not wait, and removes the schema.
    let next = Trial::open(&place.tool.database, &place.tool.ledger).await?;
    next.close().await?;
    ensure!(!schema().await?, "the next dry run removes it");
    drop(trial);
    // So does a program that starts, before it migrates the schema.
    sqlx::raw_sql("CREATE SCHEMA import_trial; CREATE VIEW import_trial.events AS SELECT * FROM public.events")
        .execute(&place.tool.database.pool.plain())
        .await?;
    open().await?.close().await?;
    ensure!(!schema().await?, "a start removes it");
    Ok(())
}

/// An interface has one address in a VLAN, and an address one interface. Entries that a configuration leaves out for that
/// reason are listed.
#[tokio::test]
async fn entries_that_repeat_an_interface_in_a_vlan_are_listed() -> Result<()> {
    let place = Place::create().await?;
    let networks = "networks:
  a: { site: dc1, cidr: 10.1.0.0/24, vlan: 7 }
  b: { site: dc1, cidr: 10.2.0.0/24, vlan: 7 }
  c: { site: dc1, cidr: 10.3.0.0/24, vlan: 8 }
";
    ensure!(place.import(&(SMALL.to_owned() + networks)).await?.is_whole(), "the networks are refused");
    let pool = place.tool.database.pool.plain();
    let device = uuid::Uuid::from_u128(1);
    for (ip, mac, network) in [
        ("10.1.0.20", "52:54:00:00:00:01", "a"),
        ("10.2.0.20", "52:54:00:00:00:01", "b"),
        ("10.3.0.20", "52:54:00:00:00:01", "c"),
        ("10.1.0.21", "52:54:00:00:00:02", "a"),
        ("10.1.0.20", "52:54:00:00:00:03", "a"),
    ] {
        let insert = "INSERT INTO views.dhcp_entries (ip, mac, network, device, valid_from) VALUES ($1::inet, $2, $3, $4, 1)";
        sqlx::query(insert).bind(ip).bind(mac).bind(network).bind(device).execute(&pool).await?;
    }
    let of = async |site: Option<&str>| -> Result<Vec<String>> {
        let site = site.map(str::parse).transpose()?;
        let found = bootledger_projections::repeats::list(&place.tool.database.pool, site.as_ref()).await?;
        Ok(found.iter().map(|entry| format!("{} {}: {}", entry.site, entry.named(), entry.problem)).collect())
    };
    let wanted = [
        "dc1 10.1.0.20 for 52:54:00:00:00:03: the address is that of 52:54:00:00:00:01 already, and a DHCP server gives one; \
         remove one of the two entries",
        "dc1 10.2.0.20 for 52:54:00:00:00:01: the interface has 10.1.0.20 in vlan 7 already, and a DHCP server gives one; \
         remove one of the two entries",
    ];
    assert_eq!(of(None).await?, wanted);
    assert_eq!(of(Some("dc1")).await?, wanted);
    assert_eq!(of(Some("dc2")).await?, Vec::<String>::new());
    Ok(())
}
