//! Half an hour of mixed work in a minute, while the network between the service and everything that it connects to fails at
//! random and PostgreSQL is restarted. Everything accepted is in the log once, nothing is there twice, servers boot all the
//! time, and three seconds after the last fault everything works.
//!
//! The seed is printed. Set `BOOTLEDGER_FAULTS_SEED` to repeat the plan of work and faults, though not their exact
//! interleaving.

mod final_state;
mod fixture;
mod machines;
mod requests;
mod schedule;
mod work;

use anyhow::{Context, Result, ensure};
use fixture::Fixture;
use machines::Boots;
use schedule::Schedule;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use work::Shift;

/// The environment variable with the seed.
const SEED: &str = "BOOTLEDGER_FAULTS_SEED";
/// How many servers are deployed before the faults begin. Memory and connections at that point are compared with those at the
/// end.
const WARM_UP: usize = 40;
/// How many servers are deployed in total.
const SERVERS: usize = 200;
/// How long the faults last at most; work that has not begun by then is skipped.
const LONGEST: Duration = Duration::from_secs(40);
/// How soon after the last fault everything must work again.
const WELL_WITHIN: Duration = Duration::from_secs(3);
/// How long `/pxe/` may take for a server whose deployment is in progress, regardless of the database. The boot table is in
/// memory, so the rest is the load of this test on a busy machine.
const BOOT_WITHIN: Duration = Duration::from_secs(2);
/// How long the service may take to stop.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take until queues are empty, waiting workers have retried, and memory is freed.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

fn seed() -> Result<u64> {
    match std::env::var(SEED) {
        Ok(text) => text.parse().with_context(|| format!("{SEED} is {text:?}, which is no seed: a whole number is")),
        Err(_) => Ok(rand::random()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_work_survives_faults_everywhere_with_nothing_lost_and_nothing_done_twice() -> Result<()> {
    let seed = seed()?;
    eprintln!("the seed of this story is {seed}; repeat it with {SEED}={seed}");
    story(seed).await.with_context(|| format!("the seed was {seed}; repeat it with {SEED}={seed}"))
}

async fn story(seed: u64) -> Result<()> {
    let begun = Instant::now();
    let reached = |what: &str| eprintln!("{:6.1} s: {what}", begun.elapsed().as_secs_f64());
    let mut fixture = Fixture::start(SERVERS).await?;
    reached("the servers are registered");
    let boots = Arc::new(Boots::default());
    let (over, is_over) = watch::channel(false);
    let agents = machines::poll(&fixture, &is_over);

    // Work without faults first: its memory and connections are those of a service in use.
    let shift = Shift::new(seed, Arc::clone(&boots));
    shift.work(&fixture, 0..WARM_UP, Instant::now() + LONGEST).await;
    fixture.catches_up(SETTLED_WITHIN).await?;
    let before = final_state::footprint(&fixture).await?;
    reached("the first servers are deployed, and faults begin");

    let servers = machines::boot(&fixture, &boots, seed, &is_over);
    let last = Instant::now() + LONGEST;
    let (calm, is_calm) = watch::channel(false);
    let schedule = Schedule::new(seed);
    let work = async {
        shift.work(&fixture, WARM_UP..SERVERS, last).await;
        calm.send_replace(true);
    };
    let faults = async {
        schedule.run(&fixture, last, &is_calm).await?;
        let last_fault = Instant::now();
        reached(&schedule.report());
        let recovered = fixture.recovers(last_fault, SETTLED_WITHIN).await;
        reached(&format!("well after the last fault: {recovered:?}"));
        recovered
    };
    let ((), recovered) = tokio::join!(work, faults);
    over.send_replace(true);
    let polls = agents.join().await?;
    servers.join().await?;
    reached(&format!("{} deployments were started, agents polled {polls} times, {}", shift.started(), boots.report()));
    let recovered = recovered?;
    ensure!(recovered <= WELL_WITHIN, "it was well only {recovered:?} after the last fault\n{}", fixture.complaints()?);
    boots.judge(BOOT_WITHIN)?;

    shift.requests.insist(&fixture, SETTLED_WITHIN).await?;
    reached("no order's outcome is unknown");
    fixture.catches_up(SETTLED_WITHIN).await?;
    fixture.settles(SETTLED_WITHIN).await?;
    let log = final_state::Log::read(&fixture).await?;
    reached(&shift.requests.report());
    shift.requests.compare(&log)?;
    ensure!(shift.started() * 3 >= SERVERS, "only {} of {SERVERS} servers were deployed", shift.started());
    final_state::compare(&fixture, &before, SETTLED_WITHIN).await?;

    let took = fixture.service.terminate(END_WITHIN).await?;
    let took = took.with_context(|| format!("{END_WITHIN:?} after SIGTERM the service still runs"))?;
    reached(&format!("the service ended {took:?} after SIGTERM"));
    fixture.service.run(&["verify"]).await?;
    fixture.service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}
