//! The pool when the database falls silent.

use anyhow::Result;
use bootledger_projections::database::pool::sessions::Sessions;
use bootledger_projections::database::pool::{Limits, Pool};
use bootledger_test_cluster::TestDatabase;
use bootledger_test_cluster::proxy::{Mode, Proxy};
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;

/// A pool of one connection through a proxy, so that a slot that is never released shows at once.
async fn pool_of_one(statement: Duration) -> Result<(Pool, Proxy, TestDatabase)> {
    let database = TestDatabase::create().await?;
    let proxy = Proxy::start(database.target()).await?;
    let options: PgConnectOptions = database.url_through(&proxy).parse()?;
    let sessions = Sessions::from(options).with([("jit", "off")]);
    let pool = Pool::new(sessions, Limits { connections: 1, acquire: Duration::from_secs(20), statement });
    one(&pool).await?;
    Ok((pool, proxy, database))
}

async fn one(pool: &Pool) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT 1").fetch_one(pool).await
}

#[tokio::test]
async fn a_statement_without_an_answer_ends_at_its_limit_and_its_slot_is_free_at_once() -> Result<()> {
    let (pool, proxy, _database) = pool_of_one(Duration::from_millis(300)).await?;
    let mut held = pool.acquire().await?;
    proxy.set_established(Mode::Silent);
    let error = sqlx::query("SELECT 1").execute(&mut held).await.expect_err("no answer comes");
    assert!(error.to_string().contains("300 ms"), "{error}");
    assert!(sqlx::query("SELECT 1").execute(&mut held).await.is_err(), "the connection is gone");
    // `held` still exists, and does not keep the slot.
    assert_eq!(one(&pool).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_caller_that_stops_within_a_transaction_does_not_leave_its_slot_to_a_silent_connection() -> Result<()> {
    let (pool, proxy, _database) = pool_of_one(Duration::from_mins(1)).await?;
    let mut transaction = pool.begin().await?;
    proxy.set_established(Mode::Silent);
    let waiting = sqlx::query("SELECT 1").execute(&mut *transaction);
    assert!(tokio::time::timeout(Duration::from_millis(100), waiting).await.is_err());
    drop(transaction);
    assert_eq!(one(&pool).await?, 1);
    Ok(())
}

#[tokio::test]
async fn waits_on_lost_connections_end_at_once_and_idle_ones_are_not_used_again() -> Result<()> {
    let (pool, proxy, _database) = pool_of_one(Duration::from_mins(1)).await?;
    let mut held = pool.acquire().await?;
    proxy.set_established(Mode::Silent);
    let lose = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        pool.liveness().lose();
    };
    // The network itself reports nothing for minutes.
    let query = tokio::time::timeout(Duration::from_secs(50), sqlx::query("SELECT 1").execute(&mut held));
    let (answer, ()) = tokio::join!(query, lose);
    let answer = answer.expect("the wait ends with the connection");
    assert!(answer.is_err());
    assert_eq!(one(&pool).await?, 1);
    proxy.set_established(Mode::Silent);
    pool.liveness().lose();
    assert_eq!(one(&pool).await?, 1, "it was idle, and for too short a time to be tested");
    Ok(())
}

#[tokio::test]
async fn locks_of_a_lost_connection_are_free_when_its_session_ends() -> Result<()> {
    let (pool, proxy, _database) = pool_of_one(Duration::from_secs(10)).await?;
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT position FROM checkpoint FOR UPDATE").execute(&mut *transaction).await?;
    proxy.set_established(Mode::Silent);
    let mut fresh = pool.sessions().open(Duration::from_secs(10)).await?;
    assert!(pool.sessions().lose(&mut fresh, Duration::from_secs(10)).await? >= 1);
    drop(transaction);
    sqlx::query("SELECT position FROM checkpoint FOR UPDATE").execute(&pool).await?;
    Ok(())
}
