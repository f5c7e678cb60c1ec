//! A server that restarts, closes idle sessions, hangs, or disappears.

use super::{ends, once, read, start, until_success, works_again, write};
use crate::support::cluster::OwnCluster;
use crate::support::process::wait_for;
use anyhow::{Result, ensure};
use reqwest::{Method, StatusCode};
use std::time::Duration;

#[tokio::test]
async fn after_a_restart_and_with_idle_sessions_closed_the_first_requests_succeed() -> Result<()> {
    let cluster = OwnCluster::start()?;
    // Otherwise a crash undoes commands that were answered, which no client could handle.
    cluster.configure("synchronous_commit = on")?;
    let process = start(cluster.url()).await?;
    // Open some connections in the pool that are dead afterwards.
    futures::future::try_join_all((0..8).map(|_| read(&process))).await?;
    for round in 0..3 {
        cluster.restart()?;
        let written = write(&process, &format!("restart-{round}")).await?;
        ensure!(written.status.is_success(), "the first write after a restart: {written:?}");
        for answer in futures::future::try_join_all((0..8).map(|_| read(&process))).await? {
            ensure!(answer.status.is_success(), "a read after a restart: {answer:?}");
        }
        println!("restart: the first write took {:.1?}", written.took);
    }
    cluster.configure("idle_session_timeout = '1s'")?;
    let pool = sqlx::PgPool::connect(&cluster.url()).await?;
    for round in 0..2 {
        futures::future::try_join_all((0..8).map(|_| read(&process))).await?;
        let open = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bootledger'";
        let before: Vec<i32> = sqlx::query_scalar(open).fetch_all(&pool).await?;
        let closed = async || {
            let now: Vec<i32> = sqlx::query_scalar(open).fetch_all(&pool).await.ok()?;
            before.iter().any(|pid| !now.contains(pid)).then_some(())
        };
        wait_for("the server has closed idle sessions", Duration::from_secs(20), closed).await?;
        let written = write(&process, &format!("idle-{round}")).await?;
        ensure!(written.status.is_success(), "the first write after a while: {written:?}");
        let answer = read(&process).await?;
        ensure!(answer.status.is_success(), "the first read after a while: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn with_a_suspended_server_answers_are_bounded_and_the_process_can_stop() -> Result<()> {
    let cluster = OwnCluster::start()?;
    let mut process = start(cluster.url()).await?;
    write(&process, "before").await?;
    cluster.signal("STOP")?;
    let (done, written, page) =
        tokio::join!(once(&process, Method::GET, "/pxe/DONE/", None), write(&process, "stopped"), read(&process));
    for answer in [done?, written?, page?] {
        println!("stopped: answered {} after {:.1?}", answer.status, answer.took);
        ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE && answer.retry_after, "{answer:?}");
        ensure!(answer.took < Duration::from_secs(8), "{answer:?}");
    }
    cluster.signal("CONT")?;
    works_again(&process, "stopped").await?;
    cluster.signal("STOP")?;
    ends(&mut process, "stopped").await?;
    cluster.signal("CONT")?;

    process.start_again().await?;
    until_success(async || read(&process).await).await?;
    drop(cluster);
    ends(&mut process, "gone").await
}
