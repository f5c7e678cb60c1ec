//! Power orders to management controllers: recorded, carried out and reported.
//!
//! The order is an event before it is sent to the controller, and its result is another event. After a crash between the two,
//! the order may have been carried out, which the rules take into account. An order is carried out in a task of its own, so
//! that neither a disconnected client nor a deadline leaves it half done.

use super::execute::Failure;
use super::facts::live;
use super::{CommandService, context};
use crate::event_log::append::{NewEvent, Precondition};
use crate::event_log::draft::Draft;
use crate::event_log::store::Terms;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::{NextBoot, NextBootReason};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::power::{
    PowerAction, PowerFacts, PowerOrder, PowerOutcome, PowerState, Restart, UNDER_WAY_SECONDS,
};
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::rules::{Refused, Rule};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, OrderId};
use bootledger_port::{CommandError, Context, Power, Receipt};
use bootledger_power::{Controller, Trouble, Unanswered};
use bootledger_projections::rows::power_orders;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{Instrument, info, info_span, warn};
use uuid::Uuid;

/// How long an order may take; less than the time after which it no longer counts as in progress.
const LIMIT: Duration = Duration::from_secs(UNDER_WAY_SECONDS.unsigned_abs() - 15);

/// How long a request waits for the result of an order before the answer is that it is in progress.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often a report is attempted, one second apart, while the database is unavailable.
const REPORTS: u32 = 60;

/// A power order to give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) device: DeviceId,
    pub(crate) action: PowerAction,
    pub(crate) network_boot: bool,
    pub(crate) restart: Option<Restart>,
    pub(crate) facts: PowerFacts,
}

/// A power order that was given.
#[derive(Debug)]
pub(crate) struct Given {
    /// The order's id, and the position of its event.
    pub(crate) receipt: Receipt,
    /// The task that returns the result; `None` if a repeated request got the earlier answer.
    pub(crate) task: Option<JoinHandle<PowerOutcome>>,
}

impl CommandService {
    /// The power state of a server. An operator's request queries the controller; a viewer gets the last known state.
    pub(crate) async fn query_power(&self, device: DeviceId, context: &Context) -> Result<Power, Failure> {
        let draft = Draft::<Device>::load(&self.log, device.to_string()).await?;
        let Some(management) = draft.aggregate().management().cloned() else {
            let (rule, message) = match draft.aggregate() {
                Device::None => (Rule::DeviceUnknown, format!("there is no device {device}; check its ID")),
                Device::Decommissioned => {
                    let message = "the device is decommissioned, and its controller is no longer queried";
                    (Rule::DeviceDecommissioned, message.to_owned())
                }
                Device::Registered(_) => (
                    Rule::ManagementMissing,
                    "the device has no management address to query; edit the device and set one".to_owned(),
                ),
            };
            let field = if rule == Rule::ManagementMissing { "management" } else { "" };
            return Err(Refused::because(field, rule, message).into());
        };
        if !context.level.includes(Role::Operator) {
            return self.last_power(device).await;
        }
        let controller = self.controller(draft.aggregate()).await?.ok_or_else(no_management)?;
        let controller = controller.map_err(|denied| denied.refused(context.level))?;
        let requested = self.queries.query(&context.actor, &management, controller).await;
        let error = match requested {
            Ok(state) => {
                let at = (self.now)();
                self.queries.record_state(device, state, at);
                return Ok(Power { state, at: Some(at), live: true });
            }
            Err(Unanswered::Busy(message)) => CommandError::Busy(message),
            Err(Unanswered::Trouble(trouble)) => {
                warn!(reason = trouble.reason, "a management controller did not report its power state");
                match context.level {
                    Role::Administrator => CommandError::Controller { reason: trouble.reason, slow: trouble.slow },
                    // Neither the message nor the status reveals what is at the address.
                    _ => CommandError::Controller { reason: trouble.failure.to_string(), slow: false },
                }
            }
        };
        Err(Failure::Other(error))
    }

    /// The last known power state of a server, from a query or from an order that was carried out.
    async fn last_power(&self, device: DeviceId) -> Result<Power, Failure> {
        let ordered = power_orders::last_confirmed(&self.views, device).await?;
        let last = self.queries.last_recorded(device).into_iter().chain(ordered).max_by_key(|(_, at)| *at);
        let (state, at) = last.map_or((PowerState::Unknown, None), |(state, at)| (state, Some(at)));
        Ok(Power { state, at, live: false })
    }

    /// An operator's power order. The answer comes when the order is carried out, or after a while. A repeated request with the
    /// same key does not give the order again.
    pub(super) async fn power_command(
        &self,
        device: DeviceId,
        action: PowerAction,
        network_boot: bool,
        interrupts: Option<DeploymentId>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let (live, mut preconditions) = live(&self.views, device).await?;
        let mut also = vec![];
        let in_progress = match live {
            None => false,
            Some(live) => {
                // A deployment that goes in progress in the meantime would be interrupted unintentionally.
                let mut stream = Draft::<Deployment>::load(&self.log, live.to_string()).await?;
                preconditions.push(Precondition::Sequence {
                    aggregate_type: "deployment",
                    aggregate_id: live.to_string(),
                    sequence: stream.sequence(),
                });
                let in_progress = stream.aggregate().is_in_progress();
                // An operator who orders a network boot wants the server to be installed again.
                if network_boot && stream.aggregate().boots_disk_next() {
                    let (boot, reason) = (NextBoot::Network, NextBootReason::PowerOrder {});
                    stream.decide(|deployment| deployment.decide(DeploymentCommand::SetNextBoot { boot, reason }))?;
                    also = stream.into_events(&context::metadata_text(context))?;
                }
                in_progress
            }
        };
        let facts = PowerFacts { live, in_progress, interrupts, found_off: false };
        let wanted = Wanted { device, action, network_boot, restart: None, facts };
        let given = self.order_power(wanted, also, preconditions, context).await?;
        if let Some(task) = given.task {
            drop(tokio::time::timeout(PATIENCE, task).await);
        }
        Ok(given.receipt)
    }

    /// Records an order together with other events, and starts to carry it out.
    pub(crate) async fn order_power(
        &self,
        wanted: Wanted,
        also: Vec<NewEvent>,
        preconditions: Vec<Precondition>,
        context: &Context,
    ) -> Result<Given, Failure> {
        let Wanted { device, action, network_boot, restart, facts } = wanted;
        let order = PowerOrder { order: OrderId(Uuid::now_v7()), action, network_boot, restart, at: (self.now)() };
        let mut draft = Draft::<Device>::load(&self.log, device.to_string()).await?;
        let command = DeviceCommand::RequestPower { order: Box::new(order.clone()), facts };
        draft.decide(|device| device.decide(command))?;
        let controller = self.controller(draft.aggregate()).await?.ok_or_else(no_management)?;
        let controller = controller.map_err(|denied| denied.refused(context.level))?;
        let mut events = draft.into_events(&context::metadata_text(context))?;
        events.extend(also);
        let receipt = self.append(order.order, events, preconditions, context).await?;
        if receipt.id != order.order.to_string() {
            return Ok(Given { receipt, task: None });
        }
        let context = Context { idempotency_key: None, causation_id: Some(receipt.position.to_string()), ..context.clone() };
        let span = info_span!("power", device.id = %device, order = %order.order, action = action.as_str(), network_boot);
        let under_way = UnderWay::count(&self.orders);
        let work = self.clone().carry_out(device, order, controller, context).instrument(span);
        let task = tokio::spawn(async move {
            let outcome = work.await;
            drop(under_way);
            outcome
        });
        Ok(Given { receipt, task: Some(task) })
    }

    /// Waits until no order of this process is in progress, for at most the time that an order may take.
    pub(crate) async fn orders_ended(&self) {
        let mut orders = self.orders.subscribe();
        drop(tokio::time::timeout(LIMIT, orders.wait_for(|count| *count == 0)).await);
    }

    async fn carry_out(self, device: DeviceId, order: PowerOrder, controller: Controller, context: Context) -> PowerOutcome {
        let outcome = match tokio::time::timeout(LIMIT, controller.carry_out(order.action, order.network_boot)).await {
            Ok(Ok(state)) => PowerOutcome::Confirmed(state),
            // All users can read the event; the log has the details.
            Ok(Err(Trouble { reason, failure, uncertain, .. })) => {
                warn!(reason, uncertain, "a management controller did not carry out a power request");
                if uncertain { PowerOutcome::Uncertain(*failure) } else { PowerOutcome::Failed(*failure) }
            }
            Err(_) => PowerOutcome::Uncertain(PowerFailure::Deadline { seconds: LIMIT.as_secs() }),
        };
        match &outcome {
            PowerOutcome::Confirmed(state) => {
                info!(state = state.as_str(), "a management controller carried out a power request");
            }
            PowerOutcome::Failed(reason) => warn!(%reason, "a management controller did not carry out a power request"),
            PowerOutcome::Uncertain(reason) => warn!(%reason, "a management controller may have carried out a power request"),
        }
        self.report(device, order, outcome.clone(), &context).await;
        outcome
    }

    async fn report(&self, device: DeviceId, order: PowerOrder, outcome: PowerOutcome, context: &Context) {
        let command = DeviceCommand::ReportPower { order: Box::new(order), outcome };
        for _ in 0..REPORTS {
            match self.run::<Device>(device, command.clone(), Terms::default(), context).await {
                Ok(_) => return,
                Err(Failure::Conflict) => {}
                Err(Failure::Other(CommandError::Unavailable(_))) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(failure) => {
                    tracing::error!("the result of a power request is not recorded: {}", CommandError::from(failure));
                    return;
                }
            }
        }
        tracing::error!("the result of a power request is not recorded: the database cannot be reached");
    }
}

/// Counts an order as long as it is in progress.
struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    fn count(orders: &watch::Sender<usize>) -> Self {
        orders.send_modify(|count| *count += 1);
        Self(orders.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

fn no_management() -> Failure {
    Refused::because("management", Rule::ManagementMissing, "the device has no management address; edit the device and set one")
        .into()
}
