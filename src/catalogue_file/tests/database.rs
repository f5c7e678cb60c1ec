//! Tests of imports, dry runs and exports with a database.

use super::super::Existing;
use super::super::kinds::Kind;
use super::super::report::Status;
use super::fields::{EVERY_FIELD, OTHER_FIELDS, paths};
use super::place::{Place, SMALL, assert_unchanged, lines_of};
use anyhow::{Context as _, Result, ensure};
use bootledger_aggregates::drift::{RepeatConflict, Segment};
use bootledger_projections::rows::at::At;
use bootledger_web::images::store::Contents;
use serde_json::{Value, json};
use std::collections::BTreeSet;

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
    assert_eq!(lines_of(&planned), lines_of(&report));
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
    assert_eq!(lines_of(&planned), lines_of(&report));
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
    let device = &place.everything().await?["devices B"];
    assert_eq!((&device["rack"], &device["role"]), (&json!("r2"), &json!("web")));
    // The report shows the reason beside the refused field alone.
    let reason = &outcome.refusals[0].message;
    assert!(reason.contains("verified") && reason.contains("deployment"), "{reason}");
    let text = report.to_string();
    let line = |change: &str| text.lines().find(|line| line.trim_start().starts_with(change)).unwrap_or_default().to_owned();
    assert!(line("role: web → db").contains(reason.as_str()), "{text}");
    assert!(line("rack: r1 → r2").len() > "  rack: r1 → r2".len() && !line("rack: r1 → r2").contains(reason.as_str()), "{text}");
    assert_eq!(outcome.place, "catalogue.yaml, line 5, column 5");
    assert!(line("device B: ").contains(&outcome.place), "{text}");
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
    for refusal in &outcome.refusals {
        assert!(refusal.message.contains("venture bare") && refusal.message.contains("role web"), "{report}");
    }
    let venture = format!("venture: shop → bare – refused: {}", outcome.refusals[0].message);
    assert!(report.to_string().contains(&venture), "{report}");
    assert!(place.everything().await?.contains_key("devices C"), "{report}");
    let refused = place.import(&SMALL.replace("rack: r1", "rack: ~").replace("serial: S1", "serial: ~")).await?;
    let fields = &refused.outcomes.last().context("a device")?.changes;
    let rack = fields.iter().find(|change| change.field == "rack").context("the rack changes")?;
    assert_eq!((&rack.old, &rack.new), (&Some(json!("r1")), &None));
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
    assert_eq!(lines_of(&planned), lines_of(&report), "a dry run meets the same rules");
    let lines_of = lines_of(&report);
    // A refusal names what does not exist, or what holds the value.
    for (expected, named) in [
        ("rack r9 Refused [site: ", "site nowhere"),
        ("rack r3 Created", ""),
        ("network a Created", ""),
        ("network b Refused [cidr: 10.0.0.128/25 ", "network a"),
        ("venture x Refused [parent: ", "venture y"),
        ("role z/r Created", ""),
        ("device serial number S3 Created", ""),
        ("device serial number S4 Created", ""),
        ("device serial number S5 Refused [parent: ", "serial number S99"),
        ("device serial number S1 Changed", ""),
    ] {
        let found = lines_of.iter().any(|line| line.strip_prefix(expected).is_some_and(|rest| rest.contains(named)));
        assert!(found, "{expected}: {lines_of:#?}");
    }
    let image = report.outcomes.iter().find(|outcome| outcome.kind == Kind::BootImage).context("the image")?;
    let refused: Vec<&str> = image.refusals.iter().map(|refusal| refusal.field.as_str()).collect();
    assert_eq!(refused, ["files.p", "files.t"]);
    assert!(image.refusals[0].message.contains("/nowhere") && image.refusals[1].message.contains(" nothing"), "{image:?}");
    assert_eq!(report.count(Status::Refused), 6, "{lines_of:#?}");
    // The labels of two devices in the catalogue do not identify one device of the file.
    let both = place.import("devices: [{ serial: S1, asset: A2, site: dc1 }]").await?;
    assert_eq!(both.count(Status::Refused), 1, "{both}");
    let refusals = &both.outcomes.last().context("a device")?.refusals;
    let fields: Vec<&str> = refusals.iter().map(|refusal| refusal.field.as_str()).collect();
    assert_eq!(fields, [""], "the device is refused as a whole");
    for (label, holder) in [("serial number S1", "A"), ("asset number A2", "S2")] {
        assert!(names_holder(&refusals[0].message, label, holder), "{label}: {both}");
    }
    // A number that another device holds is refused with the name of that device.
    let holder = place.import("devices: [{ macs: [52:54:00:00:00:03], site: dc1, asset: A2, serial: S1 }]").await?;
    assert_eq!(holder.count(Status::Refused), 1, "{holder}");
    let refusals = &holder.outcomes.last().context("a device")?.refusals;
    assert!(names_holder(&refusals[0].message, "serial number S1", "A"), "{holder}");
    Ok(())
}

/// Whether a message names a label, and its holder as the last word of the same part of the sentence.
fn names_holder(message: &str, label: &str, holder: &str) -> bool {
    let mut parts = message.split([',', '.', ':', ';']);
    parts.any(|part| part.contains(label) && part.split_whitespace().next_back() == Some(holder))
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
    assert!(error.starts_with("catalogue.yaml, line 5, column 39: devices[0] (A): ") && error.contains("`rack-no`"), "{error}");
    assert_eq!(place.position().await?, 0);
    Ok(())
}

#[tokio::test]
async fn existing_entries_can_be_kept_and_the_past_exported() -> Result<()> {
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
    let of = async |site: Option<&str>| -> Result<Vec<(String, String, RepeatConflict)>> {
        let site = site.map(str::parse).transpose()?;
        let found = bootledger_projections::questions::repeats::list(&place.tool.database.pool, site.as_ref()).await?;
        Ok(found.into_iter().map(|entry| (entry.ip.to_string(), entry.mac.to_string(), entry.conflict)).collect())
    };
    let entry = |ip: &str, mac: &str, conflict| (ip.to_owned(), mac.to_owned(), conflict);
    let wanted = [
        entry("10.1.0.20", "52:54:00:00:00:03", RepeatConflict::Address { mac: "52:54:00:00:00:01".parse()? }),
        entry(
            "10.2.0.20",
            "52:54:00:00:00:01",
            RepeatConflict::Interface { ip: [10, 1, 0, 20].into(), segment: Segment::Vlan(7) },
        ),
    ];
    assert_eq!(of(None).await?, wanted);
    assert_eq!(of(Some("dc1")).await?, wanted);
    assert!(of(Some("dc2")).await?.is_empty());
    Ok(())
}
