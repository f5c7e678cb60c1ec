//! The driver of background work.

use super::{BackgroundWork, Next, run};
use anyhow::{Result, bail};
use bootledger_web::http::worker_status::Vitals;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Longer than any pass takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Work whose passes end as the test says.
struct Scripted {
    results: mpsc::Receiver<Result<Next>>,
    ended: mpsc::Sender<()>,
}

impl BackgroundWork for Scripted {
    const NAME: &'static str = "scripted";
    const PERIOD: Duration = Duration::from_millis(1);

    async fn pass(&mut self) -> Result<Next> {
        let Some(result) = self.results.recv().await else { bail!("the script is over") };
        result
    }

    async fn stop(self) {
        self.ended.send(()).await.expect("the test waits");
    }
}

#[tokio::test]
async fn a_worker_that_fails_is_shown_with_its_error_and_recovers() {
    let (vitals, (stopping, stop)) = (Vitals::default(), watch::channel(false));
    let ((script, results), (ended, mut stopped)) = (mpsc::channel(1), mpsc::channel(1));
    let status = vitals.worker(Scripted::NAME);
    let task = tokio::spawn(run(Scripted { results, ended }, status, stop));
    let shown = async |passes: u64| {
        let reached = async {
            loop {
                let (name, found) = vitals.workers().remove(0);
                if found.succeeded + found.failed == passes {
                    break (name, found.error);
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, reached).await.expect("the passes end in time")
    };
    assert_eq!(shown(0).await, ("scripted", None));
    script.send(Err(anyhow::anyhow!("no route to host").context("the primary cannot be reached"))).await.expect("a pass");
    assert_eq!(shown(1).await, ("scripted", Some("the primary cannot be reached: no route to host".to_owned())));
    script.send(Ok(Next::Later)).await.expect("a pass");
    assert_eq!(shown(2).await, ("scripted", None));
    stopping.send_replace(true);
    stopped.recv().await.expect("the work is stopped");
    task.await.expect("it ends");
}
