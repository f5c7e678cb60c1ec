//! Delivers events to one webhook, as long as it holds the webhook's lease and the webhook is unchanged.
//!
//! Each accepted event is recorded before the next one of its aggregate is sent: after a crash, only the events in transit are
//! sent again.

use super::lanes::{AT_ONCE, Lanes, PAGE};
use super::measurements::Measurements;
use crate::commands::CommandService;
use crate::commands::webhook_message::{Message, Signer};
use crate::commands::webhook_receiver::{Receiver, Tried};
use crate::event_log::webhooks::{self, Changes, Holder, Key};
use crate::workers::heartbeat::Worker;
use anyhow::Result;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::database::log::{self, Stored, Wanted};
use bootledger_projections::progress::delivery_problem::DeliveryProblem;
use bootledger_projections::rows::catalogue::{Entry, WebhookView};
use bootledger_secrets::NoSecret;
use bootledger_web::wording::webhooks as wording;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use reqwest::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};
use uuid::Uuid;

/// How long other instances leave the webhook alone while this instance lives. After a crash, this ends with the instance's
/// heartbeat.
const LEASE: Duration = Duration::from_secs(15);

/// How often the courier renews its lease.
const RENEW: Duration = Duration::from_secs(5);

/// How long the courier waits for responses when it has to end.
const GRACE: Duration = Duration::from_secs(3);

/// How soon a secret that cannot be used is read again.
const SECRET: time::Duration = time::Duration::seconds(5);

type Flight = BoxFuture<'static, (Key, Result<Tried>)>;

/// The deliveries to one webhook.
pub(super) struct Courier {
    commands: CommandService,
    name: Name,
    view: WebhookView,
    wanted: Wanted,
    receiver: Receiver,
    worker: Worker,
    /// The worker name under which the webhook is leased.
    held_as: Uuid,
    measurements: Measurements,
}

/// The state of a running courier.
struct Run {
    lanes: Lanes,
    flights: FuturesUnordered<Flight>,
    /// Nothing is sent before this time.
    resting: Option<OffsetDateTime>,
    taken_at: Option<OffsetDateTime>,
    problem: Option<DeliveryProblem>,
    saved: Instant,
}

impl Courier {
    pub(super) fn new(
        commands: CommandService,
        worker: Worker,
        webhook: Entry<WebhookView>,
        measurements: Measurements,
    ) -> Result<Self> {
        let receiver = Receiver::new(&webhook.spec.spec.url, AT_ONCE, &commands.outbound.guard)?;
        let wanted = Wanted::of(&webhook.spec.spec.events);
        let (name, view, held_as) = (webhook.key, webhook.spec, Uuid::nil());
        Ok(Self { commands, name, view, wanted, receiver, worker, held_as, measurements })
    }

    fn holder(&self) -> Holder<'_> {
        Holder { webhook: self.name.as_str(), worker: self.held_as, lease: LEASE }
    }

    fn now(&self) -> OffsetDateTime {
        (self.commands.now)().0
    }

    /// Runs until `end` holds true, until another instance has the webhook or may have it, or until the database is lost.
    pub(super) async fn run(mut self, mut end: watch::Receiver<bool>) -> Result<()> {
        let Some(name) = self.worker.name() else { return Ok(()) };
        self.held_as = name;
        let Some(progress) = webhooks::take(&self.commands.views, self.holder(), self.view.begins).await? else {
            return Ok(());
        };
        let mut run = Run {
            lanes: Lanes::resume(progress, self.now()),
            flights: FuturesUnordered::new(),
            resting: None,
            taken_at: None,
            problem: None,
            saved: Instant::now(),
        };
        let delivered = self.deliver(&mut run, &mut end).await;
        let ended = match delivered {
            Ok(true) => self.finish(&mut run).await,
            Ok(false) => {
                warn!("another instance has the webhook now, or may have it");
                Ok(())
            }
            Err(error) => Err(error),
        };
        self.measurements.forget(&self.name);
        // If that fails as well, the lease expires by itself.
        drop(webhooks::give_back(&self.commands.views, self.holder()).await);
        ended
    }

    /// Delivers events. Returns `false` if another worker delivers to the webhook.
    async fn deliver(&self, run: &mut Run, end: &mut watch::Receiver<bool>) -> Result<bool> {
        let mut shown = self.commands.feed.projected();
        while !*end.borrow() {
            if !self.worker.holds(self.held_as) {
                return Ok(false);
            }
            let last = *shown.borrow_and_update();
            let room = run.lanes.room();
            if room > 0 && run.lanes.read < last {
                self.read_on(&mut run.lanes, room, last).await?;
            }
            let more = run.lanes.room() > 0 && run.lanes.read < last;
            let picked = self.pick(run).await?;
            if (run.lanes.moved || run.saved.elapsed() >= RENEW) && !self.save(run).await? {
                return Ok(false);
            }
            run.flights.extend(picked.into_iter().map(|(event, signer)| self.fly(event, signer)));
            if !more {
                let next = run.resting.or_else(|| run.lanes.next_try());
                let until = next.map_or(RENEW, |next| Duration::try_from(next - self.now()).unwrap_or_default());
                tokio::select! {
                    Some(flight) = run.flights.next(), if !run.flights.is_empty() => self.landed(run, flight),
                    _ = shown.changed(), if run.lanes.room() > 0 => {}
                    () = sleep(until.min(RENEW.saturating_sub(run.saved.elapsed()))) => {}
                    () = self.worker.lost(self.held_as) => {}
                    _ = end.wait_for(|end| *end) => {}
                }
            }
            while let Some(Some(flight)) = run.flights.next().now_or_never() {
                self.landed(run, flight);
            }
        }
        Ok(true)
    }

    /// Waits a while for outstanding responses. Events without a response in time are sent again later.
    async fn finish(&self, run: &mut Run) -> Result<()> {
        let last_answers = async {
            while let Some(flight) = run.flights.next().await {
                self.landed(run, flight);
            }
        };
        drop(timeout(GRACE, last_answers).await);
        self.save(run).await.map(drop)
    }

    async fn read_on(&self, lanes: &mut Lanes, room: usize, last: i64) -> Result<()> {
        let events = log::read_wanted(&self.commands.views, &self.wanted, lanes.read, last, i64::try_from(room)?).await?;
        let read = match events.last() {
            Some(event) if events.len() >= room => event.position,
            _ => last,
        };
        lanes.take_in(events, read, self.now());
        Ok(())
    }

    /// The events to send now, each with the keys that sign it.
    async fn pick(&self, run: &mut Run) -> Result<Vec<(Stored, Arc<Signer>)>> {
        let now = self.now();
        if run.resting.is_some_and(|resting| now < resting) {
            return Ok(vec![]);
        }
        run.resting = None;
        let keys = run.lanes.pick(now);
        if keys.is_empty() {
            return Ok(vec![]);
        }
        // The secret is read each time, so that a new secret needs no restart.
        let signer = match Signer::read(&self.commands.secrets, &self.view.spec.secret) {
            Ok(signer) => Arc::new(signer),
            Err(problem) => {
                for key in &keys {
                    run.lanes.put_back(key);
                }
                run.resting = Some(now + SECRET);
                let problem = unsigned(problem);
                if run.problem.as_ref() != Some(&problem) {
                    warn!(problem = wording::problem(&problem), "nothing can be sent to the webhook; retrying");
                    run.problem = Some(problem);
                    run.lanes.moved = true;
                }
                return Ok(vec![]);
            }
        };
        run.lanes.moved |= run.problem.take().is_some();
        let mut picked = vec![];
        for key in keys {
            if run.lanes.first(&key).is_none() {
                let (aggregate, from) = ((key.0.as_str(), key.1.as_str()), run.lanes.sequence(&key));
                let views = &self.commands.views;
                let events = log::read_stream(views, &self.wanted, aggregate, from, run.lanes.read, PAGE).await?;
                run.lanes.load(&key, events);
            }
            picked.extend(run.lanes.first(&key).map(|event| (event.clone(), signer.clone())));
        }
        Ok(picked)
    }

    fn fly(&self, event: Stored, signer: Arc<Signer>) -> Flight {
        let (receiver, name, now) = (self.receiver.clone(), self.name.clone(), self.now());
        let flight = async move {
            let key = (event.aggregate_type.clone(), event.aggregate_id.clone());
            let tried = match Message::of(&name, event) {
                Ok(message) => Ok(receiver.send(&message, &signer, now).await),
                Err(error) => Err(error),
            };
            (key, tried)
        };
        flight.boxed()
    }

    /// Processes the result of an attempt.
    fn landed(&self, run: &mut Run, (key, tried): (Key, Result<Tried>)) {
        let now = self.now();
        let failing = run.lanes.failing();
        let (problem, rest) = match tried {
            Ok(Tried { problem: None, .. }) => {
                self.measurements.tried(&self.name, true);
                run.lanes.taken(&key, now);
                run.taken_at = Some(now);
                if failing > 0 && run.lanes.failing() == 0 {
                    info!("the receiver accepts deliveries again");
                }
                self.measurements.failing(&self.name, run.lanes.failing());
                return;
            }
            Ok(Tried { problem: Some(problem), status, retry_after, .. }) => {
                // The receiver refuses the rate of messages, regardless of their content.
                if let (Some(StatusCode::TOO_MANY_REQUESTS), Some(rest)) = (status, retry_after) {
                    run.resting = Some(now + rest);
                }
                (problem, retry_after)
            }
            Err(error) => {
                let detail = Text::fitted(&format!("the event cannot be written as a message: {error:#}"));
                (DeliveryProblem::Internal { detail }, None)
            }
        };
        self.measurements.tried(&self.name, false);
        // Logged once each time that the receiver stops accepting events; `GET /api/v1/webhooks` shows the details.
        let words = wording::problem(&problem);
        if run.lanes.failed(&key, problem, rest, now) {
            warn!(
                aggregate.r#type = key.0,
                aggregate.id = key.1,
                problem = words,
                "the receiver did not accept an event; retrying"
            );
        }
        self.measurements.failing(&self.name, run.lanes.failing());
    }

    /// Stores the progress. Returns `false` if another worker delivers to the webhook.
    async fn save(&self, run: &mut Run) -> Result<bool> {
        let (kept, ended) = run.lanes.changes();
        let (position, taken_at, problem) = (run.lanes.read, run.taken_at, run.problem.as_ref());
        let changes = Changes { position, kept: &kept, ended: &ended, taken_at, problem };
        let held = webhooks::save(&self.commands.views, self.holder(), changes).await?;
        run.lanes.saved();
        run.saved = Instant::now();
        Ok(held)
    }
}

/// The problem of a webhook whose messages cannot be signed.
fn unsigned(problem: NoSecret) -> DeliveryProblem {
    match problem {
        NoSecret::Missing { name, variable } => {
            DeliveryProblem::SecretMissing { secret: name, variable: Text::fitted(&variable) }
        }
        NoSecret::Unusable { name, problem } => DeliveryProblem::SecretUnusable { secret: name, detail: Text::fitted(&problem) },
    }
}
