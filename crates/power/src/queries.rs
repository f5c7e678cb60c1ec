//! Queries of management controllers, limited so that controllers which do not respond delay only their own callers.
//!
//! Each controller gets one query at a time; callers with the same query in the meantime share its response. A query runs in a
//! task of its own, holds no database connection, and continues if its caller disconnects. Power orders, including those of the
//! plugin `reboot`, are not queries: they have limits of their own.

use super::{Controller, Trouble};
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::power::PowerState;
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The maximum number of controllers that are queried at the same time.
const OVERALL: usize = 32;

/// The maximum number of queries of one caller that are processed at the same time.
const PER_CALLER: usize = 8;

/// How long a query may take: a controller has 10 s for each of its two requests.
const LIMIT: Duration = Duration::from_secs(25);

/// How long a query waits for another one to the same controller.
const TURN: Duration = Duration::from_secs(10);

/// The maximum number of devices whose last known power state is kept.
const REMEMBERED: usize = 20_000;

/// Why a query has no response.
#[derive(Debug)]
pub enum Unanswered {
    /// Too many queries are in progress; the text is an explanation.
    Busy(String),
    /// The controller did not respond correctly.
    Trouble(Trouble),
}

type Answer = Shared<BoxFuture<'static, Result<PowerState, Trouble>>>;

/// All queries of this process. Cheap to clone.
#[derive(Clone)]
pub struct Queries {
    overall: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The query in progress for each controller.
    under_way: HashMap<Host, (Management, Answer)>,
    callers: HashMap<String, usize>,
    states: HashMap<DeviceId, (PowerState, Timestamp)>,
}

/// What to do with a query.
enum Next {
    /// The same query was already in progress or has just been started: wait for its response.
    Answer(Answer),
    /// The controller has a different query in progress: try again after that.
    Turn(Answer),
}

impl Default for Queries {
    fn default() -> Self {
        Self { overall: Arc::new(Semaphore::new(OVERALL)), state: Arc::default() }
    }
}

impl Queries {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queries the power state of a server for a caller.
    ///
    /// # Errors
    /// Returns [`Unanswered::Busy`] if the caller or all callers together have too many queries in progress, or if another
    /// query to this controller does not end in time. Returns [`Unanswered::Trouble`] if the controller does not respond
    /// correctly.
    pub async fn query(&self, caller: &str, management: &Management, controller: Controller) -> Result<PowerState, Unanswered> {
        let _place = Place::take(self, caller)?;
        let mut controller = Some(controller);
        let turn = tokio::time::Instant::now() + TURN;
        loop {
            match self.next(management, &mut controller)? {
                Next::Answer(answer) => return answer.await.map_err(Unanswered::Trouble),
                Next::Turn(other) => {
                    let busy = || {
                        Unanswered::Busy(format!(
                            "the management controller {} is busy with another query; try again",
                            management.address
                        ))
                    };
                    drop(tokio::time::timeout_at(turn, other).await.map_err(|_| busy())?);
                }
            }
        }
    }

    fn next(&self, management: &Management, controller: &mut Option<Controller>) -> Result<Next, Unanswered> {
        let mut state = self.state();
        if let Some((requested, answer)) = state.under_way.get(&management.address) {
            return Ok(if requested == management { Next::Answer(answer.clone()) } else { Next::Turn(answer.clone()) });
        }
        let many = || Unanswered::Busy(format!("{OVERALL} queries to management controllers are already running; try again"));
        let permit = Arc::clone(&self.overall).try_acquire_owned().map_err(|_| many())?;
        let controller = controller.take().ok_or_else(many)?;
        let answer = self.begin(management.address.clone(), controller, permit);
        state.under_way.insert(management.address.clone(), (management.clone(), answer.clone()));
        Ok(Next::Answer(answer))
    }

    fn begin(&self, address: Host, controller: Controller, permit: OwnedSemaphorePermit) -> Answer {
        let ended = Ended { queries: self.clone(), address, _permit: permit };
        let task = tokio::spawn(async move {
            let _ended = ended;
            let silent = || controller.silent(format!("it did not answer within {} s", LIMIT.as_secs()));
            tokio::time::timeout(LIMIT, controller.state()).await.unwrap_or_else(|_| Err(silent()))
        });
        let lost = |_| {
            let detail = Text::fitted("the query to the management controller was aborted");
            Err(Trouble::certain(PowerFailure::Internal { detail }))
        };
        task.map(move |ended| ended.unwrap_or_else(lost)).boxed().shared()
    }

    /// Stores the last known power state of a device.
    pub fn record_state(&self, device: DeviceId, power: PowerState, at: Timestamp) {
        let mut state = self.state();
        if state.states.len() >= REMEMBERED && !state.states.contains_key(&device) {
            state.states.clear();
        }
        state.states.insert(device, (power, at));
    }

    /// The last known power state of a device, as received by this process since it started.
    pub fn last_recorded(&self, device: DeviceId) -> Option<(PowerState, Timestamp)> {
        self.state().states.get(&device).copied()
    }
}

/// A caller's place in the number of its own queries, until it is dropped.
struct Place {
    queries: Queries,
    caller: String,
}

impl Place {
    fn take(queries: &Queries, caller: &str) -> Result<Self, Unanswered> {
        let mut state = queries.state();
        let count = state.callers.entry(caller.to_owned()).or_default();
        if *count >= PER_CALLER {
            return Err(Unanswered::Busy(format!(
                "{PER_CALLER} of your queries to management controllers are already running; wait for their answers"
            )));
        }
        *count += 1;
        Ok(Self { queries: queries.clone(), caller: caller.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queries.state();
        if let Some(count) = state.callers.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                state.callers.remove(&self.caller);
            }
        }
    }
}

/// Removes a query when its task ends, also if the task panics.
struct Ended {
    queries: Queries,
    address: Host,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.queries.state().under_way.remove(&self.address);
    }
}
