//! Machines that never stop sending requests: servers that boot, and DHCP agents.

use super::fixture::Fixture;
use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many servers and how many agents send requests at once.
const SERVERS: u64 = 4;
const AGENTS: usize = 4;
/// How long a machine waits for an answer before it retries.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two requests of a server.
const PAUSE: Duration = Duration::from_millis(20);

/// The servers whose deployments are certainly in progress, and the answers that they got.
#[derive(Default)]
pub(super) struct Boots {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Address and host name.
    known: BTreeMap<String, String>,
    answers: usize,
    worst: Duration,
    wrong: Vec<String>,
}

impl Boots {
    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This server has received its script and must receive it from now on.
    pub(super) fn expect(&self, ip: &str, hostname: &str) {
        self.locked().known.insert(ip.to_owned(), hostname.to_owned());
    }

    /// This server's deployment is about to end.
    pub(super) fn forget(&self, ip: &str) {
        self.locked().known.remove(ip);
    }

    fn any(&self, random: &mut StdRng) -> Option<(String, String)> {
        let state = self.locked();
        let nth = random.random_range(0..state.known.len().max(1));
        state.known.iter().nth(nth).map(|(ip, hostname)| (ip.clone(), hostname.clone()))
    }

    fn answered(&self, (ip, hostname): &(String, String), took: Duration, answer: &str) {
        let mut state = self.locked();
        // If the deployment ended during the request, both answers are right.
        if state.known.get(ip) != Some(hostname) {
            return;
        }
        state.answers += 1;
        state.worst = state.worst.max(took);
        if !answer.contains(hostname.as_str()) {
            state.wrong.push(format!("{hostname} at {ip} got, after {took:?}: {answer}"));
        }
    }

    /// How many requests there were, and the slowest answer.
    pub(super) fn report(&self) -> String {
        let state = self.locked();
        format!("{} scripts were served, the slowest in {:?}", state.answers, state.worst)
    }

    /// Checks that every server always got its script in time.
    pub(super) fn judge(&self, within: Duration) -> Result<()> {
        let state = self.locked();
        let (wrong, few) = (&state.wrong, &state.wrong[..state.wrong.len().min(5)]);
        ensure!(wrong.is_empty(), "{} of {} scripts were not served: {few:#?}", wrong.len(), state.answers);
        ensure!(state.answers >= 100, "only {} scripts were requested", state.answers);
        ensure!(state.worst <= within, "the slowest script took {:?}", state.worst);
        Ok(())
    }
}

/// Machines that send requests until `over` is set.
pub(super) struct Machines(JoinSet<usize>);

impl Machines {
    /// Waits for the last answers and returns how many there were.
    pub(super) async fn join(mut self) -> Result<usize> {
        let mut requested = 0;
        while let Some(ended) = self.0.join_next().await {
            requested += ended?;
        }
        Ok(requested)
    }
}

/// Servers that request their script repeatedly.
pub(super) fn boot(fixture: &Fixture, boots: &Arc<Boots>, seed: u64, over: &watch::Receiver<bool>) -> Machines {
    let mut machines = JoinSet::new();
    for number in 0..SERVERS {
        let (url, boots, over) = (fixture.service.url("/pxe/"), Arc::clone(boots), over.clone());
        let mut random = StdRng::seed_from_u64(seed ^ (number + 1));
        machines.spawn(async move {
            let (client, mut requested) = (reqwest::Client::new(), 0);
            let mut pace = tokio::time::interval(PAUSE);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !*over.borrow() {
                pace.tick().await;
                let Some(server) = boots.any(&mut random) else { continue };
                let begun = Instant::now();
                let request = client.get(&url).header("X-Forwarded-For", &server.0).timeout(PATIENCE);
                let answer = match request.send().await {
                    Ok(answer) => {
                        let status = answer.status();
                        format!("{status} {}", answer.text().await.unwrap_or_else(|error| error.to_string()))
                    }
                    Err(error) => format!("no answer: {error}"),
                };
                boots.answered(&server, begun.elapsed(), &answer);
                requested += 1;
            }
            requested
        });
    }
    Machines(machines)
}

/// Agents that long-poll for configurations; the first one is the agent of the site's only DHCP server, and confirms them.
pub(super) fn poll(fixture: &Fixture, over: &watch::Receiver<bool>) -> Machines {
    let mut machines = JoinSet::new();
    for number in 0..AGENTS {
        let (url, over) = (fixture.service.url(""), over.clone());
        let token = (number == 0).then(|| fixture.agent_token.clone());
        machines.spawn(async move {
            let mut agent = Agent { client: reqwest::Client::new(), url, token, tag: String::new(), confirmed: 0 };
            let mut requested = 0;
            while !*over.borrow() {
                if agent.poll().await.is_err() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                requested += 1;
            }
            requested
        });
    }
    Machines(machines)
}

struct Agent {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
    tag: String,
    confirmed: i64,
}

impl Agent {
    async fn poll(&mut self) -> Result<()> {
        let request = self.client.get(format!("{}/dhcp/dc1/kea.json?wait=2&confirmed={}", self.url, self.confirmed));
        let request = request.header("If-None-Match", &self.tag).timeout(PATIENCE);
        let answer = request.send().await?;
        ensure!(answer.status() == 200 || answer.status() == 304, "{}", answer.status());
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (tag, position) = (header("etag").to_owned(), header("bootledger-position").parse::<i64>()?);
        let Some(token) = &self.token else {
            (self.tag, self.confirmed) = (tag, position);
            return Ok(());
        };
        let body = json!({ "revision": tag.trim_matches('"'), "position": position, "ok": true, "message": "" });
        let request = self.client.put(format!("{}/dhcp/servers/kea-1/confirmation", self.url)).bearer_auth(token);
        let confirmed = request.json(&body).timeout(PATIENCE).send().await?;
        ensure!(confirmed.status().is_success(), "{}", confirmed.status());
        (self.tag, self.confirmed) = (tag, position);
        Ok(())
    }
}
