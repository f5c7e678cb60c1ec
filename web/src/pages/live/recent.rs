//! What happened lately, in the shortest form: which aggregates, devices and deployments. Read once for all streams.

use crate::application::Application;
use crate::error::Error;
use bootledger_projections::timeline::{self, Touch};
use std::collections::VecDeque;
use tokio::sync::Mutex;

/// How many touches are kept.
const KEPT: usize = 5_000;

/// The last touches, up to a position.
#[derive(Default)]
pub(super) struct Recent(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Everything behind this position and not behind `last` is there.
    first: i64,
    last: i64,
    touches: VecDeque<Touch>,
}

impl Recent {
    /// What was touched behind `after` up to `shown`; `None` where that is too much or too long ago to say.
    pub(super) async fn between(&self, application: &Application, after: i64, shown: i64) -> Result<Option<Vec<Touch>>, Error> {
        let mut known = self.0.lock().await;
        known.catch_up(application, shown).await?;
        if after < known.first {
            return Ok(None);
        }
        let touches = known.touches.iter().rev().take_while(|touch| touch.position > after);
        Ok(Some(touches.filter(|touch| touch.position <= shown).cloned().collect()))
    }

    /// The newest touches, the newest first, up to `count`.
    pub(super) async fn newest(&self, count: usize) -> Vec<Touch> {
        self.0.lock().await.touches.iter().rev().take(count).cloned().collect()
    }
}

impl Known {
    async fn catch_up(&mut self, application: &Application, shown: i64) -> Result<(), Error> {
        let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
        if shown <= self.last {
            return Ok(());
        }
        if self.last == 0 || shown - self.last > kept {
            // At the beginning, and after a leap, only the newest are worth knowing.
            self.touches.clear();
            self.first = (shown - kept / 10).max(0);
            self.last = self.first;
        }
        let mut connection = application.views.acquire().await?;
        let found = timeline::touched(&mut connection, self.last, shown).await?;
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
