//! Connections fail in any way at any moment: an accepted command is in the log once, and none is there twice.

use super::{Behind, once};
use anyhow::{Result, ensure};
use bootledger_test_cluster::proxy::Mode;
use reqwest::Method;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How many faults there are, how many clients, and how many commands each client sends at least.
const FAULTS: u64 = 12;
const CLIENTS: usize = 6;

#[tokio::test]
async fn accepted_commands_are_in_the_log_once_and_none_is_twice() -> Result<()> {
    let service = Behind::start().await?;
    let seed = std::env::var("BOOTLEDGER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("BOOTLEDGER_SEED={seed}");
    let (going, accepted) = (AtomicBool::new(true), AtomicUsize::new(0));
    let clients = (0..CLIENTS).map(|client| {
        let (service, going, accepted) = (&service, &going, &accepted);
        async move {
            let mut number = 0;
            while going.load(Ordering::Relaxed) {
                let path = format!("/api/v1/ventures/v{client}-{number}");
                // Repeated until it is accepted, as a careful client does.
                loop {
                    match once(&service.process, Method::PUT, &path, Some(&json!({}))).await {
                        Ok(answer) if answer.status.is_success() => break,
                        Ok(answer) => ensure!(answer.status.as_u16() == 503, "{path}: {answer:?}"),
                        Err(error) => return Err(error.context(path)),
                    }
                }
                accepted.fetch_add(1, Ordering::Relaxed);
                number += 1;
            }
            Ok(number)
        }
    });
    let faults = async {
        let mut random = seed;
        for fault in 0..FAULTS {
            // SplitMix64, so that only the seed decides.
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let modes = [Mode::LosesAnswers, Mode::Reset, Mode::Silent, Mode::LosesRequests];
            let before = accepted.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20 + mixed % 200)).await;
            service.proxy.set_established(modes[usize::try_from(fault).unwrap_or(0) % modes.len()]);
            // The next fault comes when the service accepts commands again.
            crate::support::process::wait_for("commands are accepted again", Duration::from_secs(15), async || {
                (accepted.load(Ordering::Relaxed) > before + CLIENTS * 2).then_some(())
            })
            .await?;
        }
        going.store(false, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let (numbers, faults) = tokio::join!(futures::future::try_join_all(clients), async {
        let done = faults.await;
        going.store(false, Ordering::Relaxed);
        done
    });
    let numbers = numbers?;
    faults?;
    let pool = service.database.pool(1).await?;
    let mut sent = 0;
    for (client, count) in numbers.into_iter().enumerate() {
        for number in 0..count {
            let events: i64 =
                sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type = 'venture' AND aggregate_id = $1")
                    .bind(format!("v{client}-{number}"))
                    .fetch_one(&pool)
                    .await?;
            ensure!(events == 1, "v{client}-{number} is in the log {events} times");
            sent += 1;
        }
    }
    println!("{sent} commands were accepted during {FAULTS} faults; each is in the log once");
    Ok(())
}
