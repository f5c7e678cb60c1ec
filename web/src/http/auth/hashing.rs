//! The threads that hash passwords. There are at most two, and each reuses its own memory, so that any number of attempts to
//! sign in needs no more memory than the first two.
//!
//! The queue of these threads is bounded in length and time, and served in turns: first users at addresses that they
//! have signed in from before, then everyone else, one network after the other. Only callers who send more than their
//! share are refused.

use super::fair_queue::{Lanes, Refused, Turn};
use crate::http::error::Error;
use anyhow::anyhow;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand::RngExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

/// The maximum number of threads.
const MOST_THREADS: usize = 2;
/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// The memory of a new hash in KiB, as OWASP recommends.
const MEMORY: u32 = 19 * 1024;
/// The number of passes of a new hash.
const PASSES: u32 = 2;
/// The maximum memory in KiB that a stored hash may need.
const MOST_MEMORY: u32 = 64 * 1024;

/// The hash to check against if the user does not exist or has no password, so that the time does not reveal who
/// has an account.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The memory of a thread.
type Memory = Vec<Block>;

struct Job {
    password: String,
    task: Task,
    answer: oneshot::Sender<anyhow::Result<Answer>>,
}

enum Task {
    /// Hash the password.
    Make,
    /// Compare the password with a stored hash; `None` for a user without a password.
    Check(Option<String>),
}

enum Answer {
    Checked(bool),
    Made(String),
}

#[derive(Default)]
struct Queue {
    lanes: Mutex<Lanes<Job>>,
    added: Condvar,
}

static QUEUE: LazyLock<Arc<Queue>> = LazyLock::new(|| {
    let queue = Arc::new(Queue::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    for number in 0..threads {
        let queue = queue.clone();
        let started = std::thread::Builder::new().name(format!("passwords-{number}")).spawn(move || queue.work());
        if let Err(error) = started {
            tracing::error!("cannot start a thread for passwords: {error}");
        }
    }
    queue
});

/// Whether a password matches a stored hash. Without a hash, the check takes the same time and fails.
pub(super) async fn check(password: String, phc: Option<String>, turn: Turn) -> Result<bool, Error> {
    match work(password, Task::Check(phc), turn).await? {
        Answer::Checked(right) => Ok(right),
        Answer::Made(_) => Err(Error::Internal(anyhow!("a password was hashed and not checked"))),
    }
}

/// Hashes a password, in PHC form.
pub(super) async fn make(password: String, turn: Turn) -> Result<String, Error> {
    match work(password, Task::Make, turn).await? {
        Answer::Made(phc) => Ok(phc),
        Answer::Checked(_) => Err(Error::Internal(anyhow!("a password was checked and not hashed"))),
    }
}

async fn work(password: String, task: Task, turn: Turn) -> Result<Answer, Error> {
    let (answer, answered) = oneshot::channel();
    let given_up = |job: &Job| job.answer.is_closed();
    QUEUE.lanes().push(turn, Job { password, task, answer }, given_up).map_err(refused)?;
    QUEUE.added.notify_one();
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(worked)) => worked.map_err(Error::Internal),
        // Its place was given to a caller who had sent less.
        Ok(Err(_)) => Err(refused(Refused::Share)),
        Err(_) => Err(refused(Refused::Full)),
    }
}

fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Share => Error::unavailable("too many sign-ins from your address are waiting; try again in a few seconds", 5),
        Refused::Full => Error::unavailable("too many users are signing in; try again in a few seconds", 5),
    }
}

impl Queue {
    fn lanes(&self) -> MutexGuard<'_, Lanes<Job>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut memory: Memory = vec![];
        loop {
            let mut lanes = self.lanes();
            let job = loop {
                match lanes.pop() {
                    Some(job) => break job,
                    None => lanes = self.added.wait(lanes).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(lanes);
            // The user has closed the connection, or has waited for too long.
            if job.answer.is_closed() {
                continue;
            }
            let Job { password, task, answer } = job;
            let worked = catch_unwind(AssertUnwindSafe(|| match task {
                Task::Check(phc) => checked(&password, phc, &mut memory).map(Answer::Checked),
                Task::Make => made(&password, &mut memory).map(Answer::Made),
            }));
            // Remains of a password in the memory are overwritten.
            memory.fill(Block::new());
            memory.truncate(MEMORY as usize);
            memory.shrink_to(MEMORY as usize);
            drop(answer.send(worked.unwrap_or_else(|_| Err(anyhow!("argon2 panicked")))));
        }
    }
}

/// The hash of a password, computed in the thread's memory.
fn hashed(argon2: &Argon2<'_>, password: &str, salt: &[u8], out: &mut [u8], memory: &mut Memory) -> anyhow::Result<()> {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    let memory = memory.get_mut(..blocks).unwrap_or_default();
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory).map_err(|error| anyhow!("argon2: {error}"))
}

fn checked(password: &str, phc: Option<String>, memory: &mut Memory) -> anyhow::Result<bool> {
    let (phc, known) = phc.map_or((DUMMY_HASH.to_owned(), false), |phc| (phc, true));
    let unreadable = |why: &str| anyhow!("a stored password cannot be read: {why}");
    let stored = PasswordHash::new(&phc).map_err(|error| unreadable(&error.to_string()))?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(|error| unreadable(&error.to_string()))?;
    let version = stored.version.map_or(Ok(Version::V0x13), Version::try_from).map_err(|error| unreadable(&error.to_string()))?;
    let parameters = Params::try_from(&stored).map_err(|error| unreadable(&error.to_string()))?;
    if parameters.m_cost() > MOST_MEMORY {
        return Err(unreadable("it needs too much memory"));
    }
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else { return Err(unreadable("it has no hash")) };
    let mut out = vec![0; expected.len()];
    hashed(&Argon2::new(algorithm, version, parameters), password, salt.as_ref(), &mut out, memory)?;
    Ok(bool::from(out.ct_eq(expected.as_bytes())) && known)
}

fn made(password: &str, memory: &mut Memory) -> anyhow::Result<String> {
    let failed = |error: &dyn std::fmt::Display| anyhow!("argon2: {error}");
    let parameters = Params::new(MEMORY, PASSES, 1, None).map_err(|error| failed(&error))?;
    let params = ParamsString::try_from(&parameters).map_err(|error| failed(&error))?;
    let salt: [u8; 16] = rand::rng().random();
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    hashed(&Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters), password, &salt, &mut out, memory)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(&salt).map_err(|error| failed(&error))?),
        hash: Some(Output::new(&out).map_err(|error| failed(&error))?),
    };
    Ok(hash.to_string())
}
