//! The commands that were sent and the answers to them, to be compared with the log.

use super::final_state::Log;
use super::fixture::Fixture;
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a client knows about the result of a command.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The command succeeded.
    Accepted(Value),
    /// The command was refused and will have no effect.
    Refused(String),
    /// The command may have succeeded: there was no answer, or one that says to retry.
    Unknown(String),
}

/// A command with all attempts to send it.
#[derive(Clone, Debug)]
struct Order {
    /// The type of the event that the command leads to, once.
    event: &'static str,
    method: Method,
    path: String,
    body: Value,
    key: String,
    /// The correlation id of each attempt; the events contain it.
    tries: Vec<String>,
    outcome: Outcome,
}

/// The record of all commands and their answers.
#[derive(Default)]
pub(super) struct Requests {
    orders: Mutex<Vec<Order>>,
    client: reqwest::Client,
    /// Deployments whose server received the answer that its DONE was recorded.
    done: Mutex<Vec<String>>,
    /// Answers that no caller may ever get.
    wrong: Mutex<Vec<String>>,
    /// How many answers there were with each status.
    answers: Mutex<BTreeMap<String, usize>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Requests {
    /// Sends a command once. Returns its number and its outcome.
    pub(super) async fn order(&self, fixture: &Fixture, event: &'static str, path: String, body: Value) -> (usize, Outcome) {
        let order = Order {
            event,
            method: Method::POST,
            path,
            body,
            key: Uuid::now_v7().to_string(),
            tries: vec![],
            outcome: Outcome::Unknown("not sent".to_owned()),
        };
        let number = {
            let mut orders = locked(&self.orders);
            orders.push(order);
            orders.len() - 1
        };
        let outcome = self.try_again(fixture, number).await;
        (number, outcome)
    }

    /// Sends a command again with the same idempotency key.
    pub(super) async fn try_again(&self, fixture: &Fixture, number: usize) -> Outcome {
        let correlation = format!("try-{}", Uuid::now_v7());
        let order = {
            let mut orders = locked(&self.orders);
            let order = &mut orders[number];
            order.tries.push(correlation.clone());
            order.clone()
        };
        let request = self.client.request(order.method, fixture.service.url(&order.path)).bearer_auth(fixture.service.token());
        let request = request.header("Idempotency-Key", &order.key).header("Bootledger-Correlation-Id", &correlation);
        let sent = request.json(&order.body).timeout(PATIENCE).send().await;
        let outcome = match sent {
            Err(error) => self.count("no answer", Outcome::Unknown(error.to_string())),
            Ok(answer) => {
                let status = answer.status();
                match answer.text().await {
                    Err(error) => self.count("no answer", Outcome::Unknown(error.to_string())),
                    Ok(text) => self.count(status.as_str(), self.outcome(&order.path, order.event, status, text)),
                }
            }
        };
        locked(&self.orders)[number].outcome = outcome.clone();
        outcome
    }

    fn outcome(&self, path: &str, event: &str, status: StatusCode, text: String) -> Outcome {
        // An order to a controller is recorded before the controller receives it: 502 and 504 report the order's result.
        let recorded = event == "PowerRequested" && [StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT].contains(&status);
        if status.is_success() || recorded {
            return Outcome::Accepted(serde_json::from_str(&text).unwrap_or_default());
        }
        self.judge(path, status, &text);
        if status.is_client_error() { Outcome::Refused(text) } else { Outcome::Unknown(text) }
    }

    /// Records an answer that is wrong in any state of the network.
    pub(super) fn judge(&self, path: &str, status: StatusCode, text: &str) {
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            locked(&self.wrong).push(format!("{path} answered {status}: {text}"));
        }
    }

    /// Records that a server's DONE was accepted.
    pub(super) fn is_done(&self, deployment: &str) {
        locked(&self.done).push(deployment.to_owned());
    }

    /// Counts an answer to a read request.
    pub(super) fn count<T>(&self, status: &str, result: T) -> T {
        *locked(&self.answers).entry(status.to_owned()).or_default() += 1;
        result
    }

    /// Repeats commands with an unknown outcome until the outcome is known.
    pub(super) async fn insist(&self, fixture: &Fixture, limit: Duration) -> Result<()> {
        let begun = Instant::now();
        let unknown = |number: &usize| matches!(locked(&self.orders)[*number].outcome, Outcome::Unknown(_));
        let count = locked(&self.orders).len();
        let insisting = (0..count).filter(unknown).map(async |number| {
            loop {
                match self.try_again(fixture, number).await {
                    Outcome::Unknown(why) => ensure!(begun.elapsed() < limit, "an order is still unknown: {why}"),
                    Outcome::Accepted(_) | Outcome::Refused(_) => return Ok(()),
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        try_join_all(insisting).await.map(drop)
    }

    /// The statuses of the answers, with counts.
    pub(super) fn report(&self) -> String {
        let orders = locked(&self.orders);
        let again = orders.iter().filter(|order| order.tries.len() > 1).count();
        let refused = orders.iter().filter(|order| matches!(order.outcome, Outcome::Refused(_))).count();
        let answers: Vec<_> = locked(&self.answers).iter().map(|(status, count)| format!("{status} {count}")).collect();
        format!("{} commands, {again} given more than once, {refused} refused; answers: {}", orders.len(), answers.join(", "))
    }

    /// Checks that everything accepted is in the log once, and that nothing else is.
    pub(super) fn compare(&self, log: &Log) -> Result<()> {
        let mut wrong = locked(&self.wrong).clone();
        for order in locked(&self.orders).iter() {
            let times: usize = order.tries.iter().map(|id| log.times(id, order.event)).sum();
            let right = match &order.outcome {
                Outcome::Accepted(_) => times == 1,
                // Address and name are left to the service, which chooses others when the first choices are taken.
                Outcome::Refused(_) if order.event == "DeploymentStarted" => false,
                // This also holds after a retry: if an earlier attempt succeeded, the answer comes from its idempotency key.
                Outcome::Refused(_) => times == 0,
                Outcome::Unknown(_) => times <= 1,
            };
            if !right {
                let (event, tries) = (order.event, order.tries.len());
                let answer = match &order.outcome {
                    Outcome::Accepted(_) => "it was accepted",
                    Outcome::Refused(why) | Outcome::Unknown(why) => why,
                };
                wrong.push(format!("{event} is in the log {times} times after {tries} tries: {} {answer}", order.path));
            }
        }
        let done = locked(&self.done);
        let lost = done.iter().filter(|deployment| !log.has(deployment, "DeploymentDone"));
        wrong.extend(lost.map(|deployment| format!("the DONE of {deployment} was taken and is not in the log")));
        wrong.extend(log.done_twice());
        ensure!(wrong.is_empty(), "{} answers and the log do not agree: {wrong:#?}", wrong.len());
        Ok(())
    }
}
