//! Questions to management controllers: limited, so that controllers which do not answer keep only their own callers waiting.
//!
//! A controller is asked one question at a time; whoever asks the same meanwhile gets the same answer. A question runs in a
//! task of its own, holds no connection to the database, and goes on where its caller goes away. Orders, those of the plugin
//! `reboot` among them, are not questions: they have limits of their own.

use super::{Controller, Trouble};
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::power::PowerState;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::timestamp::Timestamp;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many controllers are asked at once.
const OVERALL: usize = 32;

/// How many questions of one caller are answered at once.
const PER_CALLER: usize = 8;

/// How long a question may take: a controller has 10 s for each of its two requests.
const LIMIT: Duration = Duration::from_secs(25);

/// How long a question waits for another one to the same controller.
const TURN: Duration = Duration::from_secs(10);

/// Of how many devices it is remembered what was heard last.
const REMEMBERED: usize = 20_000;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Too much is asked at once, in words.
    Busy(String),
    /// The controller did not answer as it should.
    Trouble(Trouble),
}

type Answer = Shared<BoxFuture<'static, Result<PowerState, Trouble>>>;

/// All questions of this program. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Questions {
    overall: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The question that a controller is being asked.
    under_way: HashMap<Host, (Management, Answer)>,
    callers: HashMap<String, usize>,
    heard: HashMap<DeviceId, (PowerState, Timestamp)>,
}

/// What to do with a question.
enum Next {
    /// It is asked already, or was begun now: wait for the answer.
    Answer(Answer),
    /// The controller is asked something else: try again after that.
    Turn(Answer),
}

impl Default for Questions {
    fn default() -> Self {
        Self { overall: Arc::new(Semaphore::new(OVERALL)), state: Arc::default() }
    }
}

impl Questions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks whether a server has power, for a caller.
    pub(crate) async fn ask(
        &self,
        caller: &str,
        management: &Management,
        controller: Controller,
    ) -> Result<PowerState, Unanswered> {
        let _place = Place::take(self, caller)?;
        let mut controller = Some(controller);
        let turn = tokio::time::Instant::now() + TURN;
        loop {
            match self.next(management, &mut controller)? {
                Next::Answer(answer) => return answer.await.map_err(Unanswered::Trouble),
                Next::Turn(other) => {
                    let busy = || {
                        Unanswered::Busy(format!(
                            "the management controller {} is busy with another question; try again",
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
        if let Some((asked, answer)) = state.under_way.get(&management.address) {
            return Ok(if asked == management { Next::Answer(answer.clone()) } else { Next::Turn(answer.clone()) });
        }
        let many = || Unanswered::Busy(format!("{OVERALL} management controllers are being asked already; try again"));
        let permit = Arc::clone(&self.overall).try_acquire_owned().map_err(|_| many())?;
        let controller = controller.take().ok_or_else(many)?;
        let answer = self.begin(management.address.clone(), controller, permit);
        state.under_way.insert(management.address.clone(), (management.clone(), answer.clone()));
        Ok(Next::Answer(answer))
    }

    fn begin(&self, address: Host, controller: Controller, permit: OwnedSemaphorePermit) -> Answer {
        let ended = Ended { questions: self.clone(), address, _permit: permit };
        let task = tokio::spawn(async move {
            let _ended = ended;
            let silent = || controller.silent(format!("it did not answer within {} s", LIMIT.as_secs()));
            tokio::time::timeout(LIMIT, controller.state()).await.unwrap_or_else(|_| Err(silent()))
        });
        let lost = |_| Err(Trouble::certain("the query to the management controller was aborted"));
        task.map(move |ended| ended.unwrap_or_else(lost)).boxed().shared()
    }

    /// Remembers what was heard of a device.
    pub(crate) fn heard(&self, device: DeviceId, power: PowerState, at: Timestamp) {
        let mut state = self.state();
        if state.heard.len() >= REMEMBERED && !state.heard.contains_key(&device) {
            state.heard.clear();
        }
        state.heard.insert(device, (power, at));
    }

    /// What was last heard of a device, by this program, since it started.
    pub(crate) fn last_heard(&self, device: DeviceId) -> Option<(PowerState, Timestamp)> {
        self.state().heard.get(&device).copied()
    }
}

/// A caller's place among their own questions, until it is dropped.
struct Place {
    questions: Questions,
    caller: String,
}

impl Place {
    fn take(questions: &Questions, caller: &str) -> Result<Self, Unanswered> {
        let mut state = questions.state();
        let count = state.callers.entry(caller.to_owned()).or_default();
        if *count >= PER_CALLER {
            return Err(Unanswered::Busy(format!(
                "{PER_CALLER} of your questions to management controllers are under way already; wait for their answers"
            )));
        }
        *count += 1;
        Ok(Self { questions: questions.clone(), caller: caller.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.questions.state();
        if let Some(count) = state.callers.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                state.callers.remove(&self.caller);
            }
        }
    }
}

/// Ends a question, however its task ends.
struct Ended {
    questions: Questions,
    address: Host,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.questions.state().under_way.remove(&self.address);
    }
}
