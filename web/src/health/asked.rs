//! What `/readyz` and `/metrics` know from the database, asked for once for all who want it at the same moment.
//!
//! Both are open to everybody, so that a flood of requests must not become a flood of queries: one request at a time asks, the
//! others wait for its answer, and an answer is given again until it is [`OLDEST`], or [`OLDEST_OF_ANOTHER`] where the views have
//! moved since.

use crate::application::Application;
use crate::error::Error;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::repeats::{self, LeftOut};
use bootledger_projections::strays::{self, Stray};
use bootledger_projections::{checkpoint, log, parked, secrets, webhooks};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long the database may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// How old an answer may be.
const OLDEST: Duration = Duration::from_millis(500);
/// How old it may be where the views have moved.
const OLDEST_OF_ANOTHER: Duration = Duration::from_millis(100);

/// How old what takes a look at all entries may be where the views have moved.
const OLDEST_REPEATS: Duration = Duration::from_secs(5);

/// What the database said.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) last: i64,
    pub(super) views: i64,
    pub(super) parked: i64,
    pub(super) secrets: Vec<secrets::Reference>,
    pub(super) webhooks: Vec<webhooks::FailingWebhook>,
    pub(super) sites: Vec<Name>,
    pub(super) strays: Vec<Stray>,
    pub(super) left_out: Arc<[LeftOut]>,
}

/// The entries that are left out, which take a look at all entries, with the position that the views had before it.
#[derive(Clone, Debug)]
struct Repeats {
    at: Instant,
    position: i64,
    left_out: Arc<[LeftOut]>,
}

/// What it said, or why it did not.
pub(super) type Answer = Result<Arc<Counts>, String>;

/// The last answer.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<(Option<Last>, Option<Repeats>)>);

#[derive(Debug)]
struct Last {
    at: Instant,
    /// The position that the views had before.
    position: i64,
    answer: Answer,
}

impl Asked {
    /// What the database says, or has said a moment ago.
    pub(super) async fn counts(&self, application: &Application) -> Answer {
        let (last, repeats) = &mut *self.0.lock().await;
        let position = *application.position.borrow();
        if let Some(last) = last {
            let oldest = if last.position == position { OLDEST } else { OLDEST_OF_ANOTHER };
            if last.at.elapsed() < oldest {
                return last.answer.clone();
            }
        }
        let answer = ask(application, position, repeats).await.map(Arc::new).map_err(|error| error.to_string());
        *last = Some(Last { at: Instant::now(), position, answer: answer.clone() });
        answer
    }
}

async fn ask(application: &Application, position: i64, repeats: &mut Option<Repeats>) -> Result<Counts, Error> {
    let asked = async {
        let mut connection = application.agents.acquire().await?;
        Ok::<_, Error>(Counts {
            last: log::last_position(&mut connection).await?,
            views: checkpoint::position(&mut connection).await?,
            parked: parked::count(&mut connection).await?,
            secrets: secrets::in_use(&mut connection).await?,
            webhooks: webhooks::all_failing(&mut connection).await?,
            sites: strays::sites(&mut connection).await?,
            strays: strays::list(&mut connection, None, At::Now).await?,
            left_out: [].into(),
        })
    };
    let late = |_| Error::unavailable("the database did not answer in time", 2);
    let counts = tokio::time::timeout(DEADLINE, asked).await.map_err(late)??;
    Ok(Counts { left_out: left_out(application, position, repeats).await, ..counts })
}

/// The entries that are left out, as they were known last where they cannot be found in time: they are no reason for an instance
/// to count as not ready.
async fn left_out(application: &Application, position: i64, repeats: &mut Option<Repeats>) -> Arc<[LeftOut]> {
    if let Some(known) = repeats.as_ref().filter(|known| known.position == position || known.at.elapsed() < OLDEST_REPEATS) {
        return Arc::clone(&known.left_out);
    }
    let asked = async {
        let mut connection = application.agents.acquire().await?;
        Ok::<_, Error>(repeats::list(&mut connection, None).await?)
    };
    let left_out: Arc<[LeftOut]> = match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(found)) => found.into(),
        failed => {
            let why = failed.err().map_or("the query failed", |_| "the database did not answer in time");
            tracing::warn!("repeated DHCP entries cannot be looked for: {why}");
            repeats.as_ref().map_or_else(|| [].into(), |known| Arc::clone(&known.left_out))
        }
    };
    *repeats = Some(Repeats { at: Instant::now(), position, left_out: Arc::clone(&left_out) });
    left_out
}
