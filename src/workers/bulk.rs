//! Works through the rows of bulk actions. Each row has a command of its own, in the name of the user or token that started the
//! action or retried it last; its result is recorded with the action.
//!
//! The command of a row has an idempotency key of action, attempt and row. So a row whose result was not recorded, because the
//! service or the action was stopped, is sent again without effect, and its result is that of the first command.
//!
//! # Several instances
//! Every instance runs this worker, without a lease, and two of them may work on the same row at the same time. That is safe:
//! - Both commands have the same key, and the log accepts a key once. The second command gets the receipt of the first. A server
//!   is switched only by the instance whose order is in the log; the other one waits for the result of that order.
//! - A command that is refused because the other one has been carried out looks up the key again, and gets the same receipt.
//! - The action keeps the first result of each attempt of a row and ignores others.
//!
//! # Shares
//! No action keeps another one waiting for long. Several are worked on at once, each with a fixed number of rows in progress, so
//! a slow controller delays only the rows of its own action. If there are more, they take turns of a few seconds, and the one
//! whose last turn is longest ago goes first.

use super::{BackgroundWork, Next};
use crate::commands::CommandService;
use crate::commands::administrator::by;
use anyhow::{Context as _, Result};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::bulk::{BulkAction, BulkOutcome, BulkReason, BulkResult, RowState, Started};
use bootledger_aggregates::device::patch::Removable;
use bootledger_aggregates::device::power::UNDER_WAY_SECONDS;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::{BulkId, DeploymentId, DeviceId, ImportId, OrderId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::fingerprint::{Fingerprint, IdempotencyKey};
use bootledger_port::{BulkOrder, Command, CommandError, Commands, Context, DeploymentAction, DeviceAction, NewDeployment};
use bootledger_projections::rows::accounts::UserView;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::power_orders::{self, Order, OrderStatus};
use bootledger_projections::rows::{bulk, catalogue, devices};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{Instrument, info_span};

/// How many actions are worked on at once.
const ACTIONS: usize = 8;
/// How many rows of an action are worked on at once.
const AT_ONCE: usize = 4;
/// How many commands that need only the database are sent at once, over all actions. The other workers need connections too.
const COMMANDS: usize = 4;
/// After this time, an action begins no more rows in its turn if others wait. Otherwise it checks the rights of its actor again.
const TURN: Duration = Duration::from_secs(10);
/// Results that arrive within this time are recorded together, because each event writes all rows of the action to the views.
const GATHER: Duration = Duration::from_secs(1);
/// The most results that are recorded together.
const TOGETHER: usize = 25;
/// How often the result of a power order is looked up.
const POLL: Duration = Duration::from_secs(1);
/// How long rows in progress may take after the service began to stop. A row that is left is found again by its key.
const GRACE: Duration = Duration::from_secs(1);

/// The worker that works through bulk actions.
pub struct BulkWorker {
    work: BulkWork,
    projected: watch::Receiver<i64>,
    tasks: JoinSet<Turn>,
    /// The tasks of actions that have their turn.
    working: BTreeMap<BulkId, AbortHandle>,
    /// The turns that have ended since the last pass.
    ended: Vec<Result<Turn, JoinError>>,
    /// Running actions that had a turn: its number, and the earliest time of the next one.
    turns: BTreeMap<BulkId, (u64, Instant)>,
    /// How many turns have begun.
    count: u64,
}

/// An action, and whether any of its rows got a result in its turn.
type Turn = (BulkId, Result<bool>);

/// What the turns of all actions share.
#[derive(Clone)]
struct BulkWork {
    commands: CommandService,
    stopping: watch::Receiver<bool>,
    senders: Arc<Semaphore>,
    /// Whether more actions are running than can have their turn.
    crowded: Arc<AtomicBool>,
}

/// How the work on a row ended.
enum Worked {
    /// The row has a result.
    Done(BulkOutcome),
    /// The row keeps waiting because the database failed, and a later turn sends its command again.
    Later(CommandError),
    /// The row keeps waiting because the service or the action stops, or because another user has retried the action.
    Left,
}

impl BulkWorker {
    /// Creates a worker that sends its commands to this service. `stopping` becomes true when the service stops.
    pub fn new(commands: CommandService, stopping: watch::Receiver<bool>) -> Self {
        let (projected, senders) = (commands.feed.projected(), Arc::new(Semaphore::new(COMMANDS)));
        let work = BulkWork { commands, stopping, senders, crowded: Arc::default() };
        let (working, turns) = (BTreeMap::new(), BTreeMap::new());
        Self { work, projected, tasks: JoinSet::new(), working, ended: vec![], turns, count: 0 }
    }

    /// Begins turns of the actions whose last turn is longest ago, as many as there is room for.
    fn begin(&mut self, running: Vec<BulkId>) {
        let now = Instant::now();
        let all: BTreeSet<BulkId> = running.iter().copied().collect();
        self.turns.retain(|id, _| all.contains(id));
        self.working.retain(|_, task| !task.is_finished());
        let last = |id: BulkId| self.turns.get(&id).copied();
        let due = |id: &BulkId| !self.working.contains_key(id) && last(*id).is_none_or(|(_, next)| next <= now);
        let mut due: Vec<BulkId> = running.into_iter().filter(due).collect();
        due.sort_by_key(|id| (last(*id).map_or(0, |(number, _)| number), *id));
        let room = ACTIONS.saturating_sub(self.working.len());
        self.work.crowded.store(due.len() > room, Ordering::Relaxed);
        due.truncate(room);
        for id in due {
            self.count += 1;
            self.turns.insert(id, (self.count, now));
            let work = self.work.clone();
            let turn = async move { (id, work.turn(id).await) }.instrument(info_span!("bulk action", bulk.id = %id));
            self.working.insert(id, self.tasks.spawn(turn));
        }
    }

    /// Notes how turns have ended. An action without progress waits for a period before its next turn.
    fn note(&mut self) -> Result<()> {
        let mut ended = std::mem::take(&mut self.ended);
        while let Some(turn) = self.tasks.try_join_next() {
            ended.push(turn);
        }
        let (mut progress, mut failed) = (false, None);
        for turn in ended {
            let (id, result) = match turn {
                Ok(turn) => turn,
                Err(error) => {
                    failed = Some(anyhow::Error::new(error).context("the work on a bulk action ended unexpectedly"));
                    continue;
                }
            };
            let advanced = *result.as_ref().unwrap_or(&false);
            progress |= advanced;
            if let Some((_, next)) = self.turns.get_mut(&id).filter(|_| !advanced) {
                *next = Instant::now() + Self::PERIOD;
            }
            failed = result.err().or(failed);
        }
        failed.filter(|_| !progress).map_or(Ok(()), Err)
    }
}

impl BulkWork {
    /// Works through some rows of an action. Returns whether any row got a result.
    async fn turn(&self, id: BulkId) -> Result<bool> {
        let found = bulk::find(&self.commands.views, id, At::Now).await?;
        let Some(entry) = found.filter(|entry| !entry.retired) else { return Ok(false) };
        let started_by = entry.spec.started_by;
        let Some(started) = entry.spec.bulk.into_started() else { return Ok(false) };
        let actor = started.retried_by.clone().unwrap_or(started_by);
        if let Some(reason) = self.lost_rights(&actor, started.level).await? {
            let order = BulkOrder::StopBulk { bulk: id, reason: Some(Text::fitted(&reason)) };
            let position = self.report(id, order).await?;
            self.shown(position).await;
            return Ok(true);
        }
        let (recorded, failed) = self.rows(id, &started, &actor).await;
        match failed {
            Some(error) if recorded.is_none() => Err(error),
            _ => {
                // The next turn must see these results.
                if let Some(position) = recorded {
                    self.shown(position).await;
                }
                Ok(recorded.is_some())
            }
        }
    }

    /// Works through some rows, and records their results as they arrive: at once if rows take long, so that a stop or a crash
    /// leaves few of them open. Returns the position of the last results, and an error if the database failed.
    async fn rows(&self, id: BulkId, started: &Started, actor: &str) -> (Option<i64>, Option<anyhow::Error>) {
        let waiting: Vec<(u32, &RowState)> = (0..).zip(&started.rows).filter(|(_, row)| row.result.is_none()).collect();
        let mut waiting = waiting.into_iter();
        let mut working = FuturesUnordered::new();
        let mut checked = Instant::now();
        let (mut results, mut record_at) = (vec![], checked);
        let (mut recorded, mut failed, mut failures) = (None, None, 0);
        let mut goes_on = true;
        loop {
            if goes_on && checked.elapsed() >= TURN {
                checked = Instant::now();
                // The next turn stops the action if the rights were lost.
                let has_rights = matches!(self.lost_rights(actor, started.level).await, Ok(None));
                goes_on = has_rights && !self.crowded.load(Ordering::Relaxed);
            }
            while goes_on && working.len() < AT_ONCE {
                let Some((number, row)) = waiting.next() else { break };
                working.push(async move { (number, row.attempt, self.work(id, started, actor, (number, row)).await) });
            }
            let next = if results.is_empty() {
                working.next().await
            } else {
                let Ok(next) = tokio::time::timeout_at(record_at, working.next()).await else {
                    self.record(id, &mut results, &mut recorded, &mut failed).await;
                    record_at = Instant::now() + GATHER;
                    continue;
                };
                next
            };
            let Some((row, attempt, worked)) = next else { break };
            match worked {
                Worked::Done(outcome) => {
                    if results.is_empty() {
                        record_at = Instant::now() + GATHER;
                    }
                    results.push(BulkResult { row, attempt, outcome });
                    if results.len() >= TOGETHER {
                        self.record(id, &mut results, &mut recorded, &mut failed).await;
                        record_at = Instant::now() + GATHER;
                    }
                }
                Worked::Later(error) => {
                    failed = Some(anyhow::Error::new(error));
                    failures += 1;
                    goes_on &= failures < AT_ONCE;
                }
                Worked::Left => goes_on = false,
            }
        }
        self.record(id, &mut results, &mut recorded, &mut failed).await;
        (recorded, failed)
    }

    /// Records results. If that fails, they stay, and are recorded with the next ones.
    async fn record(
        &self,
        id: BulkId,
        results: &mut Vec<BulkResult>,
        recorded: &mut Option<i64>,
        failed: &mut Option<anyhow::Error>,
    ) {
        if results.is_empty() {
            return;
        }
        results.sort_by_key(|result| result.row);
        match self.report(id, BulkOrder::RecordBulkResults { bulk: id, results: results.clone() }).await {
            Ok(position) => {
                *recorded = Some(position);
                results.clear();
            }
            Err(error) => *failed = Some(error),
        }
    }

    /// Sends a command about the action itself. Returns the position of its event.
    async fn report(&self, id: BulkId, order: BulkOrder) -> Result<i64> {
        let context = Context { correlation_id: id.to_string(), ..by(SystemActor::Service) };
        Ok(self.commands.execute(Command::Bulk(order), context).await?.position)
    }

    /// Waits until the views show a position.
    async fn shown(&self, position: i64) {
        self.commands.feed.saw_appended(position);
        self.commands.feed.wait_for(position, Duration::from_secs(5)).await;
    }

    /// Why the rows' commands may no longer be sent in the name of this actor with this role, if they may not. A part of
    /// Bootledger keeps its rights.
    async fn lost_rights(&self, actor: &str, level: Role) -> Result<Option<String>> {
        let views = &self.commands.views;
        let lost = match actor.split_once(' ') {
            Some(("user", name)) => match catalogue::find(views, "user", name, At::Now).await? {
                None => Some("does not exist".to_owned()),
                Some(user) if user.retired => Some("is disabled".to_owned()),
                Some(user) => {
                    let user: UserView = serde_json::from_value(user.spec).context("the description of a user is damaged")?;
                    (!user.role.includes(level)).then(|| format!("no longer has the role {level}"))
                }
            },
            Some(("token", name)) => {
                let (tokens, now) = (catalogue::tokens_called(views, name, At::Now).await?, (self.commands.now)());
                let has_rights = tokens.iter().map(|token| &token.spec).any(|token| {
                    let is_valid = token.expires.is_none_or(|end| now < end);
                    is_valid && token.scope.role().is_some_and(|role| role.includes(level))
                });
                (!has_rights).then(|| format!("was revoked, has expired, or does not have the role {level}"))
            }
            _ => None,
        };
        Ok(lost.map(|lost| format!("{actor} {lost}; retry the action to work through the other rows in your own name")))
    }

    /// Whether more rows of this attempt may be worked on.
    async fn goes_on(&self, id: BulkId, attempt: u32) -> Result<bool, CommandError> {
        if *self.stopping.borrow() {
            return Ok(false);
        }
        let running = bulk::running_attempt(&self.commands.views, id).await.map_err(CommandError::of_database)?;
        Ok(running == Some(attempt))
    }

    /// Works on a row.
    async fn work(&self, id: BulkId, started: &Started, actor: &str, (number, row): (u32, &RowState)) -> Worked {
        // A power order mostly waits for its controller. The semaphore is fair, and each action has few rows in its queue.
        let is_power = matches!(*started.action, BulkAction::Power { .. });
        let _turn = if is_power { None } else { self.senders.acquire().await.ok() };
        match self.goes_on(id, started.attempt).await {
            Ok(true) => {}
            Ok(false) => return Worked::Left,
            Err(error) => return Worked::Later(error),
        }
        let context = row_context(id, started, actor, (number, row.attempt));
        tokio::select! {
            result = self.carry_out(id, &started.action, row, context) => match result {
                Ok(outcome) => Worked::Done(outcome),
                Err(error @ (CommandError::Unavailable(_) | CommandError::Busy(_))) => Worked::Later(error),
                Err(error) => Worked::Done(refused(error)),
            },
            () = self.stopped() => Worked::Left,
        }
    }

    /// Returns some time after the service began to stop.
    async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        drop(stopping.wait_for(|stopping| *stopping).await);
        tokio::time::sleep(GRACE).await;
    }

    /// Sends the command of a row. Returns its result, which for a power order is that of the management controller.
    async fn carry_out(
        &self,
        id: BulkId,
        action: &BulkAction,
        row: &RowState,
        context: Context,
    ) -> Result<BulkOutcome, CommandError> {
        let (device, deployment) = (DeviceId(row.row.target), DeploymentId(row.row.target));
        let command = match action {
            BulkAction::Verify {} => Command::Device(DeviceAction::VerifyDevice(device)),
            BulkAction::Unverify {} => Command::Device(DeviceAction::UnverifyDevice(device)),
            BulkAction::Deploy { network, venture, role, boot_image } => {
                let wanted = NewDeployment {
                    network: network.clone(),
                    venture: venture.clone(),
                    role: role.clone(),
                    boot_image: boot_image.clone(),
                    import: Some(ImportId(id.0)),
                    ..NewDeployment::of_device(device)
                };
                let start = Command::Deployment(DeploymentAction::StartDeployment(Box::new(wanted)));
                let receipt = self.commands.execute_keyed(start, context).await?;
                return Ok(BulkOutcome::Done { deployment: receipt.id.parse().ok() });
            }
            BulkAction::Edit { rack, venture, role, credentials, add_tags, remove_tags } => {
                let mut change =
                    self.change(device, rack.as_ref(), venture.as_ref(), role.as_ref(), credentials.as_ref()).await?;
                change.tags_added.clone_from(add_tags);
                change.tags_removed.clone_from(remove_tags);
                Command::Device(DeviceAction::ChangeDevice(device, Box::new(change)))
            }
            BulkAction::Power { power, network_boot } => {
                let order = Command::OrderPower { device, action: *power, network_boot: *network_boot, interrupts: None };
                return self.switch(device, order, context).await;
            }
            BulkAction::Cancel { reason } => {
                Command::Deployment(DeploymentAction::CancelDeployment { deployment, reason: reason.clone() })
            }
            BulkAction::Retry {} => {
                Command::Deployment(DeploymentAction::RetryPlugins { deployment, plugins: row.row.plugins.clone() })
            }
        };
        self.commands.execute_keyed(command, context).await?;
        Ok(BulkOutcome::Done { deployment: None })
    }

    /// Gives a power order, and waits for its result. The wait ends at the latest when the order no longer counts as in progress.
    async fn switch(&self, device: DeviceId, order: Command, context: Context) -> Result<BulkOutcome, CommandError> {
        let receipt = self.commands.execute_keyed(order, context).await?;
        let order: OrderId = receipt.id.parse().map_err(|error| CommandError::Internal(anyhow::Error::new(error)))?;
        loop {
            let found = power_orders::find(&self.commands.views, device, order).await.map_err(CommandError::of_database)?;
            if let Some(outcome) = switched(found.as_ref(), (self.commands.now)()) {
                return Ok(outcome);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The change of a device's description. Its rack unit belongs to its old rack; its controller keeps its address.
    async fn change(
        &self,
        id: DeviceId,
        rack: Option<&Name>,
        venture: Option<&Name>,
        role: Option<&Name>,
        credentials: Option<&Name>,
    ) -> Result<DeviceChange, CommandError> {
        let found = devices::find_many(&self.commands.views, &[id], At::Now).await.map_err(CommandError::of_database)?;
        let device = found.into_iter().next().ok_or_else(|| CommandError::NotFound(format!("there is no device {id}")))?;
        let (venture, role, credentials) = (venture.cloned(), role.cloned(), credentials.cloned());
        let mut change = DeviceChange { venture, role, credentials, ..DeviceChange::default() };
        if let Some(rack) = rack.filter(|rack| device.rack.as_ref() != Some(*rack)) {
            change.rack = Some(rack.clone());
            change.removed.extend(device.rack_position.map(|_| Removable::Position));
        }
        Ok(change)
    }
}

/// The context of a row's command. The key does not contain the actor, because the command of a row without a result stays the
/// same when another user retries the action.
fn row_context(id: BulkId, started: &Started, actor: &str, (row, attempt): (u32, u32)) -> Context {
    let key = format!("bulk:{id}:{attempt}:{row}");
    let request = Fingerprint::of("", &key, "", b"", b"");
    Context {
        actor: actor.to_owned(),
        correlation_id: id.to_string(),
        causation_id: None,
        idempotency_key: Some(IdempotencyKey { key, request }),
        level: started.level,
    }
}

/// The outcome of a power order; `None` while its result may still arrive. All users may read the reasons of controllers.
fn switched(order: Option<&Order>, now: Timestamp) -> Option<BulkOutcome> {
    let failed = |message: String| BulkOutcome::refused([BrokenRule::new("", Rule::ControllerFailed, message)]);
    let reason = |order: &Order| order.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    let is_in_progress = |order: &Order| now < order.ordered_at.plus_seconds(UNDER_WAY_SECONDS);
    Some(match order {
        Some(order) if order.status == OrderStatus::Confirmed => BulkOutcome::Done { deployment: None },
        Some(order) if order.status == OrderStatus::Failed => failed(reason(order)),
        Some(order) if order.status == OrderStatus::Uncertain => {
            failed(format!("{}; the controller may have carried out the order. Check the server before you retry", reason(order)))
        }
        Some(order) if is_in_progress(order) => return None,
        _ => failed(
            "the result of the power order is unknown, because the service stopped before the controller answered; the controller \
             may have carried out the order. Check the server before you retry"
                .to_owned(),
        ),
    })
}

/// The outcome of a row whose command failed.
fn refused(error: CommandError) -> BulkOutcome {
    match error {
        CommandError::Refused(broken) => BulkOutcome::refused(broken),
        other => BulkOutcome::Refused { reasons: vec![BulkReason { rule: String::new(), message: other.to_string() }] },
    }
}

impl BackgroundWork for BulkWorker {
    const NAME: &'static str = "bulk_actions";
    const PERIOD: Duration = Duration::from_secs(5);

    async fn pass(&mut self) -> Result<Next> {
        self.projected.mark_unchanged();
        let ended = self.note();
        let running = bulk::running(&self.work.commands.views).await?;
        self.begin(running);
        ended.map(|()| Next::Later)
    }

    async fn wake(&mut self) {
        tokio::select! {
            changed = self.projected.changed() => drop(changed),
            Some(turn) = self.tasks.join_next() => self.ended.push(turn),
        }
    }

    async fn stop(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::device::power::{PowerAction, PowerState};
    use bootledger_aggregates::device::power_failure::PowerFailure;

    const ORDERED: OrderStatus = OrderStatus::Ordered;

    fn order(status: OrderStatus, failure: Option<PowerFailure>) -> Order {
        Order {
            order: OrderId::default(),
            device: DeviceId::default(),
            action: PowerAction::On,
            network_boot: false,
            deployment: None,
            ordered_by: "user ada".to_owned(),
            ordered_at: Timestamp::default(),
            status,
            state: (status == OrderStatus::Confirmed).then_some(PowerState::On),
            failure,
        }
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp::default().plus_seconds(seconds)
    }

    fn message(outcome: Option<BulkOutcome>) -> String {
        match outcome {
            Some(BulkOutcome::Refused { reasons }) => reasons.into_iter().map(|reason| reason.message).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_power_order_is_done_only_if_its_controller_confirmed_it() {
        let confirmed = order(OrderStatus::Confirmed, None);
        assert_eq!(switched(Some(&confirmed), after(0)), Some(BulkOutcome::Done { deployment: None }));
        let failure = || Some(PowerFailure::NoIpmitool {});
        let failed = message(switched(Some(&order(OrderStatus::Failed, failure())), after(0)));
        assert!(failed.contains("ipmitool") && !failed.contains("may have"), "{failed}");
        let uncertain = message(switched(Some(&order(OrderStatus::Uncertain, failure())), after(0)));
        assert!(uncertain.contains("ipmitool") && uncertain.contains("may have carried out"), "{uncertain}");
    }

    #[test]
    fn a_power_order_without_a_result_is_unknown_once_it_can_no_longer_be_in_progress() {
        assert_eq!(switched(Some(&order(ORDERED, None)), after(UNDER_WAY_SECONDS - 1)), None);
        let late = message(switched(Some(&order(ORDERED, None)), after(UNDER_WAY_SECONDS)));
        assert!(late.contains("may have carried out"), "{late}");
        assert!(message(switched(None, after(0))).contains("unknown"));
    }

    #[test]
    fn the_key_of_a_row_depends_on_its_attempt_and_not_on_the_user() {
        let started = Started {
            action: Box::new(BulkAction::Verify {}),
            list: String::new(),
            level: Role::Operator,
            retried_by: Some("user bob".to_owned()),
            attempt: 2,
            stopped: false,
            stop_reason: None,
            rows: vec![],
        };
        let key = |actor, attempt| row_context(BulkId::default(), &started, actor, (7, attempt)).idempotency_key;
        assert_eq!(key("user ada", 1), key("user bob", 1));
        assert_ne!(key("user bob", 1), key("user bob", 2));
        let context = row_context(BulkId::default(), &started, "user bob", (7, 1));
        assert_eq!((context.actor.as_str(), context.level), ("user bob", Role::Operator));
    }
}
