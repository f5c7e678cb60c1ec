//! Verifies the log in the background, one run at a time for all instances of a database. A run continues where the last one
//! ended, or begins at the first event. It reads pages in short queries, so it holds neither memory nor a long transaction.
//!
//! A run that continues proves that nothing was altered since the last one, and that the new events follow from the event that
//! was verified last. Only a run from the first event notices that an older event was altered.

use super::chain::{self, Link};
use super::verify::{Tampered, Verification};
use anyhow::{Context, Result};
use bootledger_projections::database::log;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::progress::verification::Alteration;
use tracing::{error, info, warn};
use uuid::Uuid;

/// How many events are read at a time.
const PAGE: i64 = 2_000;

/// A run that was taken.
#[derive(Clone, Debug)]
pub struct Run {
    id: Uuid,
    position: i64,
    chain: [u8; 32],
    until: i64,
}

impl From<Tampered> for Alteration {
    fn from(tampered: Tampered) -> Self {
        match tampered {
            Tampered::Altered(position) => Self::Altered { position },
            Tampered::Gap { after, found } => Self::Gap { after, found },
            Tampered::Cut { ends, head } => Self::Cut { ends, head },
        }
    }
}

/// Takes the run, unless another one is in progress.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn take(pool: &Pool, by: &str, whole: bool) -> Result<Option<Run>> {
    let id = Uuid::now_v7();
    let taken = sqlx::query!(
        r#"UPDATE log_verification
              SET run = $1, run_by = $2, run_whole = $3, run_started_at = clock_timestamp(), beat_at = clock_timestamp(),
                  run_reached = CASE WHEN $3 THEN 0 ELSE position END, run_until = (SELECT h.position FROM log_head h)
            WHERE run IS NULL OR beat_at <= clock_timestamp() - interval '30 seconds'
        RETURNING position, chain, run_until"#,
        id,
        by,
        whole
    );
    let Some(row) = taken.fetch_optional(pool).await? else { return Ok(None) };
    let known = <[u8; 32]>::try_from(row.chain.as_slice()).context("the stored chain value has another length")?;
    let (position, chain) = if whole { (0, chain::START) } else { (row.position, known) };
    Ok(Some(Run { id, position, chain, until: row.run_until }))
}

/// Carries out a run, and stores its result.
pub async fn run(pool: &Pool, run: Run) {
    let stored = match verify(pool, &run).await {
        Ok(Ok(verified)) => {
            info!(position = verified.position(), "the log was verified; nothing was altered");
            succeeded(pool, &run, &verified).await
        }
        Ok(Err(tampered)) => {
            error!("the log was altered: {tampered}");
            failed(pool, &run, tampered).await
        }
        Err(problem) => {
            warn!("the verification of the log ended early: {problem:#}");
            given_up(pool, &run).await
        }
    };
    if let Err(problem) = stored {
        warn!("the result of a verification cannot be stored: {problem:#}");
    }
}

async fn verify(pool: &Pool, run: &Run) -> Result<Result<Verification, Tampered>> {
    let mut verification = Verification::after(run.position, run.chain);
    while verification.position() < run.until {
        let events = log::read_after(pool, verification.position(), PAGE, log::Filter::default()).await?;
        if events.is_empty() {
            return Ok(Err(Tampered::Cut { ends: verification.position(), head: run.until }));
        }
        for event in events {
            if verification.position() == run.until {
                break;
            }
            if let Err(tampered) = verification.next(&Link::from(&event), &event.chain) {
                return Ok(Err(tampered));
            }
        }
        let beat = sqlx::query!(
            "UPDATE log_verification SET run_reached = $2, beat_at = clock_timestamp() WHERE run = $1",
            run.id,
            verification.position()
        );
        anyhow::ensure!(beat.execute(pool).await?.rows_affected() == 1, "another run took its place");
    }
    let head = sqlx::query!("SELECT position, chain FROM log_head").fetch_one(pool).await?;
    // The log may have grown in the meantime; then the next run compares its end with the head.
    if head.position <= run.until
        && let Err(tampered) = verification.end(head.position, &head.chain)
    {
        return Ok(Err(tampered));
    }
    Ok(Ok(verification))
}

async fn succeeded(pool: &Pool, run: &Run, verified: &Verification) -> Result<()> {
    sqlx::query!(
        "UPDATE log_verification
            SET position = $2, chain = $3, verified_at = clock_timestamp(), verified_by = run_by,
                whole_at = CASE WHEN run_whole THEN clock_timestamp() ELSE whole_at END, problem = NULL, found_at = NULL, run = NULL
          WHERE run = $1",
        run.id,
        verified.position(),
        &verified.chain()[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Stores what was found. The next run begins at the first event: one that continued behind the altered event would not find it.
async fn failed(pool: &Pool, run: &Run, tampered: Tampered) -> Result<()> {
    let problem = serde_json::to_value(Alteration::from(tampered))?;
    sqlx::query!(
        "UPDATE log_verification SET position = 0, chain = $3, problem = $2, found_at = clock_timestamp(), run = NULL WHERE run = $1",
        run.id,
        problem,
        &chain::START[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

async fn given_up(pool: &Pool, run: &Run) -> Result<()> {
    sqlx::query!("UPDATE log_verification SET run = NULL WHERE run = $1", run.id).execute(pool).await?;
    Ok(())
}
