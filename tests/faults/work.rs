//! What users and programs do with servers, drawn from the seed. Each server is deployed, boots, and is done or cancelled; in
//! between, power is switched and pages are read.

use super::fixture::Fixture;
use super::machines::Boots;
use super::requests::{Outcome, Requests};
use futures::stream::{self, StreamExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many workers there are at once.
const AT_ONCE: usize = 32;
/// How long a worker waits for a deployment to be in progress before going on to other work.
const PREPARED_WITHIN: Duration = Duration::from_secs(15);
/// How long a reader waits for a page.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a user checks again.
const GLANCE: Duration = Duration::from_millis(150);

const PAGES: [&str; 7] =
    ["/", "/deployments", "/devices?q=h2", "/timeline", "/networks/prod", "/api/v1/devices?limit=50", "/api/v1/events?limit=50"];

/// The workers of one phase.
pub(super) struct Shift {
    pub(super) requests: Requests,
    seed: u64,
    boots: Arc<Boots>,
    client: reqwest::Client,
    started: AtomicUsize,
}

/// A deployment in progress.
struct Deployment {
    id: String,
    ip: String,
    hostname: String,
}

impl Shift {
    pub(super) fn new(seed: u64, boots: Arc<Boots>) -> Self {
        Self { requests: Requests::default(), seed, boots, client: reqwest::Client::new(), started: AtomicUsize::new(0) }
    }

    /// How many deployments were started.
    pub(super) fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// Deploys these servers; no deployment begins after `last`.
    pub(super) async fn work(&self, fixture: &Fixture, servers: Range<usize>, last: Instant) {
        let lives = servers.map(async |number| {
            if Instant::now() < last {
                self.life(fixture, number, last).await;
            }
        });
        stream::iter(lives).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// The life of one server's deployment.
    async fn life(&self, fixture: &Fixture, number: usize, last: Instant) {
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let wanted = json!({ "device": fixture.servers[number], "boot_image": "debian", "network": "prod" });
        let Some(started) = self.insisting(fixture, "DeploymentStarted", "/api/v1/deployments".to_owned(), wanted, last).await
        else {
            return;
        };
        self.started.fetch_add(1, Ordering::Relaxed);
        let Some(id) = started["id"].as_str() else { return };
        self.read(fixture, random.random_range(0..PAGES.len())).await;
        if random.random_range(0..10) == 0 {
            // Cancelled before it is prepared.
            self.cancel(fixture, id, last).await;
            return;
        }
        if random.random_range(0..5) == 0 {
            self.power(fixture, &mut random).await;
        }
        let Some(deployment) = self.in_progress(fixture, id).await else { return };
        if !self.boots(fixture, &deployment).await {
            return;
        }
        self.boots.expect(&deployment.ip, &deployment.hostname);
        for _ in 0..3 {
            self.read(fixture, random.random_range(0..PAGES.len())).await;
        }
        match random.random_range(0..8) {
            // This one keeps installing until the test ends.
            0 => {}
            1..3 => {
                self.boots.forget(&deployment.ip);
                self.cancel(fixture, id, last).await;
            }
            3 => {
                self.boots.forget(&deployment.ip);
                let path = format!("/api/v1/deployments/{id}/done");
                self.insisting(fixture, "DeploymentDone", path, json!({}), last).await;
            }
            _ => {
                self.boots.forget(&deployment.ip);
                self.says_done(fixture, &deployment, last).await;
            }
        }
    }

    /// Sends a command, and repeats it with the same key while its outcome is unknown. Returns the answer. The last attempts
    /// are left to the end of the test.
    async fn insisting(&self, fixture: &Fixture, event: &'static str, path: String, body: Value, last: Instant) -> Option<Value> {
        let (number, mut outcome) = self.requests.order(fixture, event, path, body).await;
        loop {
            match outcome {
                Outcome::Accepted(answer) => return Some(answer),
                Outcome::Refused(_) => return None,
                Outcome::Unknown(_) if Instant::now() >= last => return None,
                Outcome::Unknown(_) => {}
            }
            tokio::time::sleep(GLANCE).await;
            outcome = self.requests.try_again(fixture, number).await;
        }
    }

    async fn cancel(&self, fixture: &Fixture, id: &str, last: Instant) {
        let path = format!("/api/v1/deployments/{id}/cancel");
        self.insisting(fixture, "DeploymentCancelled", path, json!({ "reason": "a test" }), last).await;
    }

    /// Switches the power of a server with a controller, once: an operator would look at the result of the order.
    async fn power(&self, fixture: &Fixture, random: &mut StdRng) {
        let device = &fixture.managed[random.random_range(0..fixture.managed.len())];
        let body = json!({ "action": if random.random() { "on" } else { "cycle" } });
        self.requests.order(fixture, "PowerRequested", format!("/api/v1/devices/{device}/power"), body).await;
        self.get(fixture, &format!("/api/v1/devices/{device}/power")).await;
    }

    async fn in_progress(&self, fixture: &Fixture, id: &str) -> Option<Deployment> {
        let (begun, path) = (Instant::now(), format!("/api/v1/deployments/{id}"));
        while begun.elapsed() < PREPARED_WITHIN {
            if let Some(found) = self.get(fixture, &path).await
                && found["status"] == "in_progress"
            {
                let text = |field: &str| found[field].as_str().map(str::to_owned);
                return Some(Deployment { id: id.to_owned(), ip: text("ip")?, hostname: text("hostname")? });
            }
            tokio::time::sleep(GLANCE).await;
        }
        None
    }

    /// Requests the server's script, as a booting server does.
    async fn boots(&self, fixture: &Fixture, deployment: &Deployment) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PREPARED_WITHIN {
            let request = self.client.get(fixture.service.url("/pxe/")).header("X-Forwarded-For", &deployment.ip);
            if let Ok(answer) = request.timeout(PATIENCE).send().await
                && answer.text().await.is_ok_and(|text| text.contains(&deployment.hostname))
            {
                return true;
            }
            tokio::time::sleep(GLANCE).await;
        }
        false
    }

    /// Reports that the server is installed, as an installer does: with one request, which it repeats if there is no answer.
    async fn says_done(&self, fixture: &Fixture, deployment: &Deployment, last: Instant) {
        let Deployment { id, ip, .. } = deployment;
        loop {
            let request = self.client.get(fixture.service.url("/pxe/DONE")).header("X-Forwarded-For", ip);
            let answer = request.timeout(PATIENCE).send().await;
            let done = match answer {
                Ok(answer) => {
                    let status = answer.status();
                    self.requests.judge("/pxe/DONE", status, "");
                    self.requests.count(&format!("DONE {}", status.as_u16()), status.is_success())
                }
                Err(_) => self.requests.count("DONE no answer", false),
            };
            if done {
                self.requests.is_done(id);
                return;
            }
            if Instant::now() >= last {
                return;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn read(&self, fixture: &Fixture, page: usize) {
        self.get(fixture, PAGES[page]).await;
    }

    /// The answer to a read request, if it is JSON and arrives in time.
    async fn get(&self, fixture: &Fixture, path: &str) -> Option<Value> {
        let request = self.client.get(fixture.service.url(path)).bearer_auth(fixture.service.token());
        let Ok(answer) = request.timeout(PATIENCE).send().await else {
            return self.requests.count("GET no answer", None);
        };
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        // 502 and 504 report a controller's failure.
        if !path.ends_with("/power") {
            self.requests.judge(path, status, &text);
        }
        let found = if status == StatusCode::OK { serde_json::from_str(&text).ok() } else { None };
        self.requests.count(&format!("GET {}", status.as_u16()), found)
    }
}
