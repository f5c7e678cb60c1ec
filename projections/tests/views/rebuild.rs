//! Rebuilding: damage is found, reported and repaired, and only the rows change.

use crate::fixture::{Fixture, deployment_id, device_id};
use crate::history::History;
use anyhow::Result;
use bootledger_projections::Error;
use bootledger_projections::projector::{Step, checkpoint, rebuild, step};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices;

async fn indexes(history: &History) -> Result<Vec<String>> {
    let definitions = sqlx::query_scalar("SELECT indexdef FROM pg_indexes WHERE schemaname = 'views' ORDER BY indexdef");
    Ok(definitions.fetch_all(&history.pool).await?)
}

async fn schemas(history: &History) -> Result<Vec<String>> {
    let names = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'views%' ORDER BY nspname");
    Ok(names.fetch_all(&history.pool).await?)
}

#[tokio::test]
async fn a_comparison_finds_a_damaged_view_and_a_rebuild_repairs_it() -> Result<()> {
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    fixture.start(deployment_id(1), 1, 11, 200)?;
    let history = History::new(&fixture.log).await?;
    history.advance(1000).await?;
    let claims: Vec<_> = fixture.claims.iter().map(|(claim, holder)| (claim.parts(), holder.to_string())).collect();
    history
        .claim(&claims.into_iter().map(|((kind, value), holder)| (kind.to_owned(), value, holder)).collect::<Vec<_>>())
        .await?;
    assert_eq!(rebuild::compare(&history.pool, |_, _| {}).await?, vec![]);

    sqlx::query("UPDATE devices SET name = 'forged' WHERE valid_to IS NULL").execute(&history.pool).await?;
    sqlx::query("DELETE FROM timeline WHERE position = 3").execute(&history.pool).await?;
    sqlx::query("DELETE FROM claims WHERE kind = 'mac'").execute(&history.pool).await?;
    let found = rebuild::compare(&history.pool, |_, _| {}).await?;
    let counts: Vec<_> = found.iter().map(|d| (d.table.as_str(), d.only_old, d.only_new)).collect();
    assert_eq!(counts, [("devices", 1, 1), ("timeline", 0, 1), ("claims", 0, 2)]);
    assert!(found[0].sample.as_ref().is_some_and(|row| row.contains("forged")), "{found:?}");

    let before = indexes(&history).await?;
    let end = i64::try_from(fixture.log.len())?;
    assert_eq!(rebuild::rebuild(&history.pool, |_, _| {}).await?, end);
    assert_eq!(indexes(&history).await?, before, "a migration must find the indexes that it knows");
    assert_eq!(schemas(&history).await?, ["views"]);
    let device = devices::find(&history.pool, device_id(1), At::Now).await?.expect("the device");
    assert_eq!(device.name.as_str(), "server 1");
    let tables: Vec<_> = rebuild::compare(&history.pool, |_, _| {}).await?.into_iter().map(|d| d.table).collect();
    assert_eq!(tables, ["claims"]);
    Ok(())
}

#[tokio::test]
async fn a_rebuild_includes_concurrent_appends_and_the_projector_continues_from_there() -> Result<()> {
    let mut fixture = Fixture::furnished();
    while fixture.log.len() < 5_500 {
        fixture.define_network("dc1-prod", "dc1");
    }
    let late = fixture.log.split_off(5_000);
    let history = History::new(&fixture.log).await?;
    history.advance(10).await?;
    let mut observed = vec![];
    let (rebuilt, appended) =
        tokio::join!(rebuild::rebuild(&history.pool, |done, of| observed.push((done, of))), history.append(&late));
    appended?;
    let position = rebuilt?;
    assert!(position >= 5_000, "{position}");
    assert!(observed.is_sorted() && observed.last().is_some_and(|(done, of)| done == of), "{observed:?}");
    assert_eq!(checkpoint::position(&history.pool).await?, position);
    while !matches!(step(&history.pool).await?, Step::Idle(_)) {}
    assert_eq!(checkpoint::position(&history.pool).await?, 5_500);
    assert!(rebuild::compare(&history.pool, |_, _| {}).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn only_one_rebuild_runs_at_a_time() -> Result<()> {
    let history = History::new(&Fixture::furnished().log).await?;
    let mut other = history.pool.acquire().await?;
    sqlx::query("SELECT pg_advisory_lock(7267832001)").execute(&mut other).await?;
    assert!(matches!(rebuild::rebuild(&history.pool, |_, _| {}).await, Err(Error::RebuildRuns)));
    assert!(matches!(rebuild::compare(&history.pool, |_, _| {}).await, Err(Error::RebuildRuns)));
    Ok(())
}
