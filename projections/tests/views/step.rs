//! The projector's step: one at a time and in the log's order. It notifies callers that wait for a position.

use crate::fixture::Fixture;
use crate::history::History;
use anyhow::Result;
use bootledger_projections::database::log::Filter;
use bootledger_projections::projector::{BATCH, Step, checkpoint, step};
use sqlx::postgres::PgListener;

#[tokio::test]
async fn a_step_advances_the_views_notifies_waiters_and_idles_at_the_end() -> Result<()> {
    let mut fixture = Fixture::furnished();
    while fixture.log.len() <= usize::try_from(BATCH)? {
        fixture.define_network("dc1-prod", "dc1");
    }
    let end = i64::try_from(fixture.log.len())?;
    let history = History::new(&fixture.log).await?;
    let mut listener = PgListener::connect_with(&history.pool.plain()).await?;
    listener.listen("bootledger_projected").await?;

    assert_eq!(step(&history.pool).await?, Step::Advanced { from: 0, to: BATCH, events: usize::try_from(BATCH)? });
    assert_eq!(listener.recv().await?.payload(), BATCH.to_string());
    assert_eq!(step(&history.pool).await?, Step::Advanced { from: BATCH, to: end, events: usize::try_from(end - BATCH)? });
    assert_eq!(step(&history.pool).await?, Step::Idle(end));
    assert_eq!(checkpoint::position(&history.pool).await?, end);
    Ok(())
}

#[tokio::test]
async fn while_one_projector_works_another_does_not_and_a_broken_off_batch_leaves_nothing() -> Result<()> {
    let history = History::new(&Fixture::furnished().log).await?;
    let mut other = history.pool.begin().await?;
    sqlx::query("SELECT position FROM checkpoint FOR UPDATE").execute(&mut *other).await?;
    let batch = bootledger_projections::database::log::read_after(&mut *other, 0, 5, Filter::default()).await?;
    bootledger_projections::projector::project(other.raw()?.0, &batch).await?;
    assert_eq!(step(&history.pool).await?, Step::Busy);
    other.rollback().await?;
    assert!(history.rows().await?.iter().all(|(_, rows)| rows.is_empty()));
    assert!(matches!(step(&history.pool).await?, Step::Advanced { from: 0, .. }));
    Ok(())
}
