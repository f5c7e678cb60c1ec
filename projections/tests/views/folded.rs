//! Logs of versions in which `ABC1` and `abc1` were two numbers: the migration must leave the same views and claims as a
//! rebuild from the log.

use crate::fixture::{Fixture, device_id, v};
use crate::history::History;
use anyhow::{Context, Result};
use bootledger_aggregates::claims::ClaimChange;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::DeviceEvent;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::rules::Refused;
use bootledger_projections::projector::rebuild;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{devices, holdings};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

const MIGRATION: &str = include_str!("../../../migrations/20261130062001_folded_numbers.sql");

/// How many devices write the same number in these ways, and how many such groups there are, each with a number of its own.
const DEVICES: u8 = 3;
const FAMILIES: u8 = 30;
const WRITINGS: [&str; 5] = ["ABC{}", "abc{}", "Abc{}", "ＡＢＣ{}", "other{}"];

/// Changes the serial number of a device to this writing. An index past the last writing decommissions the device instead.
fn act(fixture: &mut Fixture, family: u8, device: u8, writing: usize) -> Result<(), Refused> {
    let n = family * DEVICES + device;
    match WRITINGS.get(writing) {
        Some(text) => {
            // A device that does not share the number gets a number of its own.
            let family = if *text == "other{}" { format!("{family}-{device}") } else { family.to_string() };
            let serial = Some(v(&text.replace("{}", &family)));
            fixture.change(n, DeviceChange { serial, ..DeviceChange::default() })
        }
        None => fixture.device(device_id(n), DeviceCommand::DecommissionDevice { reason: v("old"), live: None }),
    }
}

/// Stores a number's versions as an earlier version of the program did: every writing is a separate claim.
async fn store_as_before(history: &History, fixture: &Fixture) -> Result<()> {
    let mut now: BTreeMap<(String, String), (String, i64)> = BTreeMap::new();
    let mut rows: Vec<(String, String, String, i64, Option<i64>)> = vec![];
    for (place, event) in fixture.log.iter().enumerate().filter(|(_, event)| event.aggregate_type == "device") {
        let position = i64::try_from(place)? + 1;
        let key = |claim: &bootledger_aggregates::claims::Claim| (claim.parts().0.to_owned(), claim.written());
        let changes = serde_json::from_str::<DeviceEvent>(&event.payload)?.claims(event.aggregate_id.parse()?);
        let mut end = |now: &mut BTreeMap<_, (String, i64)>, key: (String, String)| {
            if let Some((holder, from)) = now.remove(&key) {
                rows.push((key.0, key.1, holder, from, Some(position)));
            }
        };
        for change in &changes {
            match change {
                ClaimChange::Release(claim, holder) if now.get(&key(claim)).is_some_and(|(by, _)| *by == holder.to_string()) => {
                    end(&mut now, key(claim));
                }
                ClaimChange::ReleaseAll(holder) => {
                    let own = now.iter().filter(|(_, (by, _))| *by == holder.to_string()).map(|(key, _)| key.clone());
                    own.collect::<Vec<_>>().into_iter().for_each(|key| end(&mut now, key));
                }
                _ => {}
            }
        }
        for change in changes {
            if let ClaimChange::Take(claim, holder) = change {
                now.entry(key(&claim)).or_insert((holder.to_string(), position));
            }
        }
    }
    rows.extend(now.into_iter().map(|((kind, value), (holder, from))| (kind, value, holder, from, None)));
    sqlx::query("DELETE FROM holdings WHERE kind IN ('serial', 'asset')").execute(&history.pool).await?;
    for (kind, value, holder, from, to) in rows {
        if ["serial", "asset"].contains(&kind.as_str()) {
            let row = sqlx::query("INSERT INTO holdings (kind, value, holder, valid_from, valid_to) VALUES ($1, $2, $3, $4, $5)");
            row.bind(&kind).bind(&value).bind(&holder).bind(from).bind(to).execute(&history.pool).await?;
        }
        if to.is_none() {
            let claim = sqlx::query("INSERT INTO claims (kind, value, holder, position) VALUES ($1, $2, $3, $4)");
            claim.bind(kind).bind(value).bind(holder).bind(from).execute(&history.pool).await?;
        }
    }
    Ok(())
}

async fn migrate(history: &History) -> Result<()> {
    sqlx::raw_sql(MIGRATION).execute(&history.pool).await?;
    Ok(())
}

/// The device that holds a number.
async fn holder(history: &History, kind: &str, value: &str) -> Result<Option<String>> {
    let holder = sqlx::query_scalar("SELECT holder FROM claims WHERE kind = $1 AND value = $2").bind(kind).bind(value);
    Ok(holder.fetch_optional(&history.pool).await?)
}

#[tokio::test]
async fn the_first_of_two_devices_keeps_a_number_and_the_second_takes_nothing_away_when_it_changes() -> Result<()> {
    let mut fixture = Fixture::furnished();
    for n in 0..2 {
        fixture.register(n, "dc1")?;
    }
    fixture.change(0, DeviceChange { serial: Some(v("ABC1")), ..DeviceChange::default() })?;
    fixture.change(1, DeviceChange { serial: Some(v("abc1")), ..DeviceChange::default() })?;
    let history = History::new(&fixture.log).await?;
    history.advance(10_000).await?;
    store_as_before(&history, &fixture).await?;
    let before = rebuild::compare(&history.pool, |_, _| {}).await?;
    assert!(before.iter().any(|one| one.table == "holdings"), "an earlier version's views are others: {before:?}");
    migrate(&history).await?;
    assert_eq!(rebuild::compare(&history.pool, |_, _| {}).await?, vec![]);
    assert_eq!(holder(&history, "serial", "abc1").await?, Some(format!("device {}", device_id(0))));
    let second = devices::find(&history.pool, device_id(1), At::Now).await?.context("the second device")?;
    assert_eq!(second.serial, Some(v("abc1")), "it keeps its number");

    // The second device changes its number; the first device's claim stays.
    let from = fixture.log.len();
    fixture.change(1, DeviceChange { serial: Some(v("XYZ9")), ..DeviceChange::default() })?;
    history.append(&fixture.log[from..]).await?;
    history.advance(10_000).await?;
    let first = holdings::holder_of(&history.pool, "serial", "abc1", At::Now).await?.map(|holder| holder.to_string());
    assert_eq!(first, Some(format!("device {}", device_id(0))));
    Ok(())
}

#[tokio::test]
async fn the_migration_makes_of_any_old_log_what_a_rebuild_makes_of_it() -> Result<()> {
    let mut fixture = Fixture::furnished();
    for n in 0..FAMILIES * DEVICES {
        fixture.register(n, "dc1")?;
    }
    let mut runner = TestRunner::deterministic();
    let steps = proptest::collection::vec((0..DEVICES, 0..=WRITINGS.len(), any::<u8>()), 2..14);
    for family in 0..FAMILIES {
        let steps = steps.new_tree(&mut runner).map_err(|reason| anyhow::anyhow!("{reason}"))?.current();
        for (device, writing, chance) in steps {
            // Few devices are decommissioned.
            if writing < WRITINGS.len() || chance < 64 {
                // A refused command leaves no event.
                drop(act(&mut fixture, family, device, writing));
            }
        }
    }
    let history = History::new(&fixture.log).await?;
    history.advance(10_000).await?;
    store_as_before(&history, &fixture).await?;
    migrate(&history).await?;
    assert_eq!(rebuild::compare(&history.pool, |_, _| {}).await?, vec![]);
    // A second run changes nothing.
    migrate(&history).await?;
    assert_eq!(rebuild::compare(&history.pool, |_, _| {}).await?, vec![]);
    Ok(())
}
