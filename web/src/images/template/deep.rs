//! The threads on which templates are parsed and rendered.
//!
//! Their stacks are deep, so that a template within its bounds uses less than a tenth of one, in test builds as well; a test
//! measures it. There are few of them, so that templates which make the engine work hard take time from each other, and not
//! from other requests. Memory for a stack is used only as far as the stack is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

/// The size of a thread's stack, in bytes.
pub(crate) const STACK: usize = 64 * 1024 * 1024;

/// The number of threads.
const THREADS: usize = 2;

/// How many templates may wait for a thread.
const WAITING: usize = 256;

/// How long a caller waits. A template runs out of fuel sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many renderings people may wait for at the same time, so that threads remain for booting servers.
const PEOPLE: usize = 8;

static LOOKING: Semaphore = Semaphore::const_new(PEOPLE);

/// Allows a user to view a rendered file while the permit is held.
///
/// # Errors
/// Returns an error if too many users do so.
pub(crate) fn look() -> Result<SemaphorePermit<'static>, Busy> {
    LOOKING.try_acquire().map_err(|_| Busy::Full)
}

type Work = Box<dyn FnOnce() + Send>;

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Busy {
    /// Too many jobs are waiting, or the job took too long.
    #[error("too many templates are being rendered; try again in a few seconds")]
    Full,
    /// The engine panicked, or there is no thread.
    #[error("the template engine failed; the log says why")]
    Failed,
}

static THREADS_OF_ALL: LazyLock<SyncSender<Work>> = LazyLock::new(|| {
    let (sender, receiver) = sync_channel::<Work>(WAITING);
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..THREADS {
        let receiver = Arc::clone(&receiver);
        let thread = thread::Builder::new().name(format!("template-{number}")).stack_size(STACK);
        if let Err(error) = thread.spawn(move || work(&receiver)) {
            tracing::error!("a thread for templates cannot be started: {error}");
        }
    }
    sender
});

fn work(receiver: &Mutex<Receiver<Work>>) {
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(next) = next else { return };
        if catch_unwind(AssertUnwindSafe(next)).is_err() {
            tracing::error!("the template engine panicked");
        }
    }
}

/// Runs a job on a deep stack.
///
/// # Errors
/// Returns an error if the threads are busy, or if the job panicked.
pub(crate) async fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let (sender, receiver) = oneshot::channel();
    let job = move || {
        // The caller may no longer be waiting.
        if !sender.is_closed() {
            drop(sender.send(job()));
        }
    };
    THREADS_OF_ALL.try_send(Box::new(job)).map_err(|error| match error {
        TrySendError::Full(_) => Busy::Full,
        TrySendError::Disconnected(_) => Busy::Failed,
    })?;
    match tokio::time::timeout(PATIENCE, receiver).await {
        Ok(result) => result.map_err(|_| Busy::Failed),
        Err(_) => Err(Busy::Full),
    }
}

/// Runs a job on a thread of its own, for a caller that may block.
///
/// # Errors
/// Returns an error if the thread cannot be started, or if the job panicked.
pub(crate) fn block_on<T: Send>(job: impl FnOnce() -> T + Send) -> Result<T, Busy> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("template".to_owned()).stack_size(STACK).spawn_scoped(scope, job);
        thread.map_err(|_| Busy::Failed)?.join().map_err(|_| Busy::Failed)
    })
}
