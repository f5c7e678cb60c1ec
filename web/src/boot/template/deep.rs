//! Threads on which templates are read and rendered.
//!
//! Their stacks are deep, so that a template within its bounds takes less than a tenth of one, in builds for tests as well;
//! a test measures it. There are few of them, so that templates which make the engine work hard take time from each other,
//! and not from those who ask for anything else. Memory for a stack is taken only where it is used.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

/// The stack of a thread, in bytes.
pub(super) const STACK: usize = 64 * 1024 * 1024;

/// How many threads there are.
const THREADS: usize = 2;

/// How many templates may wait for a thread.
const WAITING: usize = 256;

/// How long a caller waits. A template's fuel ends sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many renderings people may wait for at once, so that booting servers get a thread.
const PEOPLE: usize = 8;

static LOOKING: Semaphore = Semaphore::const_new(PEOPLE);

/// Lets a person look at what is rendered for as long as this is held.
///
/// # Errors
/// Where too many do.
pub(crate) fn look() -> Result<SemaphorePermit<'static>, Busy> {
    LOOKING.try_acquire().map_err(|_| Busy::Full)
}

type Work = Box<dyn FnOnce() + Send>;

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Busy {
    /// Too many wait, or it took too long.
    #[error("too many templates are being rendered; try again in some seconds")]
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

/// Does this on a deep stack.
///
/// # Errors
/// Where the threads have too much to do, or it panicked.
pub(crate) async fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let (sender, receiver) = oneshot::channel();
    let job = move || {
        // The caller may have gone.
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

/// The same for a caller that may block, on a thread of its own.
///
/// # Errors
/// Where there is no such thread, or it panicked.
pub(super) fn block_on<T: Send>(job: impl FnOnce() -> T + Send) -> Result<T, Busy> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("template".to_owned()).stack_size(STACK).spawn_scoped(scope, job);
        thread.map_err(|_| Busy::Failed)?.join().map_err(|_| Busy::Failed)
    })
}
