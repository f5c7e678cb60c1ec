//! Sends a temporary file. It is closed when it has been sent, when the client goes away, and when the time limit has passed. The
//! server asks for the next part only when the client takes it, so a client that takes nothing must not keep the file.

use crate::http::share::FilePermit;
use bytes::{Bytes, BytesMut};
use futures::stream::{Stream, try_unfold};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::task::AbortHandle;

/// How many bytes are sent at a time.
const PART: usize = 64 << 10;

/// A file that is being sent. It has no name, so that the disk gets its space back when it is closed.
#[derive(Debug)]
struct Open {
    file: File,
    _permit: FilePermit,
}

#[derive(Debug)]
enum State {
    /// Between two parts.
    Open(Open),
    /// A part is being read.
    Reading,
    /// The time limit has passed.
    Closed,
}

/// The file, which either the body or the timer closes.
#[derive(Debug)]
struct Slot(Mutex<State>);

impl Slot {
    /// Takes the file to read a part of it; `None` if the time limit has passed.
    fn take(&self) -> Option<Open> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Reading) {
            State::Open(open) => Some(open),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Puts the file back, unless the time limit has passed.
    fn put(&self, open: Open) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Reading) {
            *state = State::Open(open);
        }
    }

    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }
}

/// The body while it is being sent.
struct Body {
    slot: Arc<Slot>,
    timer: AbortHandle,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

/// The parts of a file from its current place. They end with an error if the client takes longer than `longest`.
pub(super) fn parts(file: File, permit: FilePermit, longest: Duration) -> impl Stream<Item = io::Result<Bytes>> {
    let slot = Arc::new(Slot(Mutex::new(State::Open(Open { file, _permit: permit }))));
    let weak = Arc::downgrade(&slot);
    let timer = tokio::spawn(async move {
        tokio::time::sleep(longest).await;
        if let Some(slot) = weak.upgrade() {
            slot.close();
        }
    });
    let body = Body { slot, timer: timer.abort_handle() };
    try_unfold(body, async |body| {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the client did not take the file in time");
        let mut open = body.slot.take().ok_or_else(late)?;
        let mut part = BytesMut::with_capacity(PART);
        let count = open.file.read_buf(&mut part).await?;
        body.slot.put(open);
        Ok::<_, io::Error>((count > 0).then(|| (part.freeze(), body)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::share::{Share, Who, Work};
    use futures::TryStreamExt;
    use tokio::io::{AsyncSeekExt, AsyncWriteExt};

    /// A file of several parts, its permit, and the share that the permit is of.
    async fn opened() -> (File, FilePermit, Share) {
        let mut file = File::from_std(tempfile::tempfile().expect("a file"));
        file.write_all(&vec![b'a'; 3 * PART]).await.expect("written");
        file.rewind().await.expect("rewound");
        let share = Share::new(Who::Unknown, 24);
        let permit = share.take(Work::Read).await.expect("a permit").file().expect("a permit for a file");
        (file, permit, share)
    }

    /// How many more files the caller may download.
    async fn free(share: &Share) -> usize {
        let permit = share.take(Work::Read).await.expect("a permit");
        std::iter::from_fn(|| permit.file().ok()).collect::<Vec<_>>().len()
    }

    #[tokio::test]
    async fn a_file_is_sent_whole_and_its_permit_lasts_until_then() {
        let (file, permit, share) = opened().await;
        let before = free(&share).await;
        let mut parts = Box::pin(parts(file, permit, Duration::from_mins(1)));
        let first = parts.try_next().await.expect("a part").expect("a part");
        assert_eq!(free(&share).await, before);
        let rest: Vec<Bytes> = parts.try_collect().await.expect("the rest");
        assert_eq!(first.len() + rest.iter().map(Bytes::len).sum::<usize>(), 3 * PART);
        assert_eq!(free(&share).await, before + 1);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_or_takes_nothing_does_not_keep_the_file() {
        let (file, permit, share) = opened().await;
        let before = free(&share).await;
        drop(parts(file, permit, Duration::from_mins(1)));
        assert_eq!(free(&share).await, before + 1, "the client has gone away");

        let (file, permit, share) = opened().await;
        let mut slow = Box::pin(parts(file, permit, Duration::from_secs(1)));
        drop(slow.try_next().await.expect("a part"));
        tokio::time::timeout(Duration::from_secs(20), async {
            while free(&share).await == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("the file is closed although no one asks for its next part");
        assert_eq!(slow.try_next().await.expect_err("the time limit has passed").kind(), io::ErrorKind::TimedOut);
    }
}
