//! A database that falls silent, restarts, hangs or disappears: every wait ends, nothing accepted is lost or recorded twice,
//! and the process can always be stopped.

mod appends;
mod servers;

use crate::support::process::Process;
use anyhow::{Result, ensure};
use bootledger_test_cluster::TestDatabase;
use bootledger_test_cluster::proxy::{Mode, Proxy};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How soon after the network is back reads and writes must work.
const WORKS_AGAIN: Duration = Duration::from_secs(3);

/// How soon after SIGTERM the process must have ended.
const ENDED: Duration = Duration::from_secs(5);

/// The longest time that any answer may take in any state of the database.
const LONGEST: Duration = Duration::from_secs(12);

/// A service behind a proxy. The database is dropped last.
struct Behind {
    process: Process,
    proxy: Proxy,
    database: TestDatabase,
}

impl Behind {
    async fn start() -> Result<Self> {
        let database = TestDatabase::create().await?;
        let proxy = Proxy::start(database.target()).await?;
        let process = start(database.url_through(&proxy)).await?;
        Ok(Self { process, proxy, database })
    }
}

/// Starts the service over this database. `BOOTLEDGER_PROGRAM` names another build to compare with.
async fn start(database_url: String) -> Result<Process> {
    let program = std::env::var_os("BOOTLEDGER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_bootledger").into());
    Process::start_with(Ipv4Addr::LOCALHOST, database_url, program.into(), vec![]).await
}

/// The result of a request, and how long it took.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    retry_after: bool,
    took: Duration,
}

/// Sends a request once. A missing answer is an error.
async fn once(process: &Process, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
    let begun = Instant::now();
    let mut request = Client::new().request(method, process.url(path)).bearer_auth(process.token()).timeout(LONGEST);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await?;
    let retry_after = answer.headers().contains_key("retry-after");
    Ok(Answer { status: answer.status(), retry_after, took: begun.elapsed() })
}

async fn read(process: &Process) -> Result<Answer> {
    once(process, Method::GET, "/api/v1/ventures", None).await
}

async fn write(process: &Process, name: &str) -> Result<Answer> {
    once(process, Method::PUT, &format!("/api/v1/ventures/{name}"), Some(&json!({}))).await
}

/// How long it takes until a repeated request succeeds. An attempt without an answer is abandoned after a second, as a user
/// would do.
async fn until_success(attempt: impl AsyncFn() -> Result<Answer>) -> Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        match tokio::time::timeout(Duration::from_secs(1), attempt()).await {
            Ok(Ok(answer)) if answer.status.is_success() => return Ok(begun.elapsed()),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    anyhow::bail!("it did not succeed in {:?}", begun.elapsed())
}

async fn works_again(process: &Process, name: &str) -> Result<()> {
    let (reads, writes) =
        tokio::join!(until_success(async || read(process).await), until_success(async || write(process, name).await));
    let (reads, writes) = (reads?, writes?);
    println!("{name}: reads work after {reads:.1?}, writes after {writes:.1?}");
    ensure!(reads <= WORKS_AGAIN && writes <= WORKS_AGAIN, "{name}: reads after {reads:?}, writes after {writes:?}");
    until_success(async || once(process, Method::GET, "/readyz", None).await).await.map(drop)
}

async fn ends(process: &mut Process, state: &str) -> Result<()> {
    let took = process.terminate(Duration::from_mins(1)).await?;
    println!("{state}: SIGTERM ends the process after {took:.1?}");
    ensure!(took.is_some_and(|took| took <= ENDED), "{state}: the process ended after {took:?}");
    Ok(())
}

#[tokio::test]
async fn silent_connections_are_replaced_while_the_service_is_idle_and_while_all_connections_are_in_use() -> Result<()> {
    let service = Behind::start().await?;
    write(&service.process, "before").await?;
    service.proxy.set_established(Mode::Silent);
    works_again(&service.process, "idle").await?;

    let busy = Arc::new(AtomicBool::new(true));
    let load = (0..30).map(|_| {
        let (busy, url, token) = (Arc::clone(&busy), service.process.url("/api/v1/devices"), service.process.token().to_owned());
        tokio::spawn(async move {
            let (client, mut longest) = (Client::new(), Duration::ZERO);
            while busy.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let sent = client.get(&url).bearer_auth(&token).timeout(LONGEST * 3).send().await;
                longest = longest.max(begun.elapsed());
                sent?;
            }
            anyhow::Ok(longest)
        })
    });
    let load: Vec<_> = load.collect();
    until_success(async || read(&service.process).await).await?;
    service.proxy.set_established(Mode::Silent);
    works_again(&service.process, "busy").await?;
    busy.store(false, Ordering::Relaxed);
    let mut longest = Duration::ZERO;
    for worker in load {
        longest = longest.max(worker.await??);
    }
    println!("busy: the longest answer took {longest:.1?}");
    ensure!(longest < LONGEST, "an answer took {longest:?}");
    let text = "/pxe/ knows that nothing is in progress";
    let answer = once(&service.process, Method::GET, "/pxe/", None).await?;
    ensure!(answer.status != StatusCode::SERVICE_UNAVAILABLE, "{text}: {answer:?}");
    Ok(())
}

/// The second fault affects connections that are as new as the one with which the service monitors them, or newer.
#[tokio::test]
async fn no_request_waits_long_on_connections_that_fall_silent_soon_after_others_were_reset() -> Result<()> {
    let service = Behind::start().await?;
    let going = AtomicBool::new(true);
    let clients = (0..8).map(|client| {
        let (service, going) = (&service, &going);
        async move {
            let (mut number, mut longest) = (0, Duration::ZERO);
            while going.load(Ordering::Relaxed) {
                let name = format!("c{client}-{number}");
                let answer = if client % 2 == 0 { read(&service.process).await? } else { write(&service.process, &name).await? };
                longest = longest.max(answer.took);
                number += 1;
            }
            anyhow::Ok(longest)
        }
    });
    let faults = async {
        for round in 0..6_u64 {
            service.proxy.set_established(Mode::Reset);
            // From immediately to after the service has noticed that its own connection was closed.
            tokio::time::sleep(Duration::from_millis(50 * (1 + round))).await;
            service.proxy.set_established(if round % 2 == 0 { Mode::Silent } else { Mode::LosesAnswers });
            until_success(async || write(&service.process, &format!("silent-{round}")).await).await?;
        }
        anyhow::Ok(())
    };
    let (longest, faults) = tokio::join!(futures::future::try_join_all(clients), async {
        let done = faults.await;
        going.store(false, Ordering::Relaxed);
        done
    });
    println!("the longest answers of the clients took {longest:.1?}");
    faults?;
    ensure!(longest?.iter().all(|longest| *longest < Duration::from_secs(6)), "a client waited too long");
    Ok(())
}

#[tokio::test]
async fn a_completely_silent_database_gets_bounded_answers_and_readiness_names_the_stalled_parts() -> Result<()> {
    let mut service = Behind::start().await?;
    service.proxy.set_all(Mode::Silent);
    let begun = Instant::now();
    let (read_answer, write_answer) = tokio::join!(read(&service.process), write(&service.process, "silent"));
    let (read_answer, write_answer) = (read_answer?, write_answer?);
    println!("silent for all: a read was answered after {:.1?}, a write after {:.1?}", read_answer.took, write_answer.took);
    for answer in [&read_answer, &write_answer] {
        ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE && answer.retry_after, "{answer:?}");
    }
    let named = async || {
        let answer = Client::new().get(service.process.url("/readyz")).timeout(LONGEST).send().await.ok()?;
        let reasons = answer.json::<Value>().await.ok()?["reasons"].to_string();
        let all = ["no event can be appended", "end of the log", "views cannot be updated", "boot table cannot be updated"];
        all.iter().all(|part| reasons.contains(part)).then_some(())
    };
    crate::support::process::wait_for("readiness names all parts", Duration::from_secs(20), named).await?;
    let booting = once(&service.process, Method::GET, "/pxe/", None).await?;
    let stale = begun.elapsed() > Duration::from_secs(25);
    ensure!(stale || booting.status != StatusCode::SERVICE_UNAVAILABLE, "/pxe/ goes on from memory: {booting:?}");
    service.proxy.set_all(Mode::Relay);
    works_again(&service.process, "silent").await?;
    service.proxy.set_all(Mode::Silent);
    ends(&mut service.process, "silent").await
}
