//! The recent events in the shortest form: the aggregates, devices and deployments that they concern. Read once
//! for all streams.

use crate::http::error::Error;
use crate::http::request::backend::Backend;
use bootledger_projections::rows::timeline::{self, Touch};
use std::collections::VecDeque;
use tokio::sync::Mutex;

/// How many entries are kept.
const KEPT: usize = 5_000;

/// The latest entries, up to a position.
#[derive(Default)]
pub(super) struct Recent(Mutex<RecentRows>);

#[derive(Default)]
struct RecentRows {
    /// All entries after this position are present, up to `last`.
    first: i64,
    last: i64,
    touches: VecDeque<Touch>,
}

impl Recent {
    /// The entries after `after` up to `shown`; `None` if there are too many, or if they are too old to be known.
    pub(super) async fn between(&self, backend: &mut Backend, after: i64, shown: i64) -> Result<Option<Vec<Touch>>, Error> {
        let mut known = self.0.lock().await;
        known.catch_up(backend, shown).await?;
        if after < known.first {
            return Ok(None);
        }
        let touches = known.touches.iter().rev().take_while(|touch| touch.position > after);
        Ok(Some(touches.filter(|touch| touch.position <= shown).cloned().collect()))
    }

    /// The latest entries, the newest first, up to `count`.
    pub(super) async fn newest(&self, count: usize) -> Vec<Touch> {
        self.0.lock().await.touches.iter().rev().take(count).cloned().collect()
    }
}

impl RecentRows {
    async fn catch_up(&mut self, backend: &mut Backend, shown: i64) -> Result<(), Error> {
        let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
        if shown <= self.last {
            return Ok(());
        }
        if self.last == 0 || shown - self.last > kept {
            // At the beginning, and after a large step, only the newest entries matter.
            self.touches.clear();
            self.first = (shown - kept / 10).max(0);
            self.last = self.first;
        }
        let found = timeline::touched(backend.read_now().await?.connection(), self.last, shown).await?;
        self.touches.extend(found);
        self.last = shown;
        while self.touches.len() > KEPT {
            if let Some(gone) = self.touches.pop_front() {
                self.first = gone.position;
            }
        }
        Ok(())
    }
}
