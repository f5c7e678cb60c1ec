//! The fault proxy, in front of a real database.

use anyhow::Result;
use bootledger_test_cluster::TestDatabase;
use bootledger_test_cluster::proxy::{Mode, Proxy};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use std::time::Duration;
use tokio::time::timeout;

const MOMENT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_silenced_connection_neither_answers_nor_ends_while_a_new_one_works() -> Result<()> {
    let database = TestDatabase::create().await?;
    let proxy = Proxy::start(database.target()).await?;
    let mut lost = PgConnection::connect(&database.url_through(&proxy)).await?;
    lost.execute("SELECT 1").await?;
    proxy.set_established(Mode::Silent);
    assert!(timeout(MOMENT, lost.execute("SELECT 1")).await.is_err(), "no answer and no end");
    let mut fresh = PgConnection::connect(&database.url_through(&proxy)).await?;
    fresh.execute("SELECT 1").await?;
    assert_eq!((proxy.open(), proxy.accepted()), (2, 2));
    Ok(())
}

#[tokio::test]
async fn a_reset_is_an_immediate_error_and_a_delay_is_not() -> Result<()> {
    let database = TestDatabase::create().await?;
    let proxy = Proxy::start(database.target()).await?;
    let mut connection = PgConnection::connect(&database.url_through(&proxy)).await?;
    proxy.set_established(Mode::Delay(Duration::from_millis(20)));
    connection.execute("SELECT 1").await?;
    proxy.set_established(Mode::Reset);
    let error = timeout(Duration::from_secs(5), connection.execute("SELECT 1")).await?.expect_err("it was reset");
    assert!(matches!(error, sqlx::Error::Io(_)), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_change_is_made_although_its_answer_is_lost() -> Result<()> {
    let database = TestDatabase::create().await?;
    let proxy = Proxy::start(database.target()).await?;
    let mut connection = PgConnection::connect(&database.url_through(&proxy)).await?;
    proxy.set_established(Mode::LosesAnswers);
    assert!(timeout(MOMENT, connection.execute("CREATE TABLE done ()")).await.is_err(), "its answer is lost");
    let pool = database.pool(1).await?;
    let done = sqlx::query("SELECT 1 FROM pg_class WHERE relname = 'done'").fetch_optional(&pool).await?;
    assert!(done.is_some(), "the statement reached the server");
    Ok(())
}
