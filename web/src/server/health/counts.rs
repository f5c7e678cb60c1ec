//! Database queries for `/readyz` and `/metrics`. Requests that arrive at the same moment share one query.
//!
//! Both routes are open to everyone, so a flood of requests must not become a flood of queries: one request at a time queries
//! the database, the others wait for its result, and a result is used again until its age reaches [`OLDEST`], or
//! [`OLDEST_OF_ANOTHER`] if the views have moved since.

use crate::http::application::Application;
use crate::http::error::Error;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::database::log;
use bootledger_projections::progress::webhooks;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::questions::repeats::{self, LeftOut};
use bootledger_projections::questions::strays::{self, Stray};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{parked, secrets};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long the database may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// The maximum age of a result.
const OLDEST: Duration = Duration::from_millis(500);
/// The maximum age of a result if the views have moved since.
const OLDEST_OF_ANOTHER: Duration = Duration::from_millis(100);

/// The maximum age of results that need a scan of all entries, if the views have moved since.
const OLDEST_REPEATS: Duration = Duration::from_secs(5);

/// The values from the database.
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

/// The entries that configurations leave out. Finding them scans all entries. The position is that of the views
/// before the scan.
#[derive(Clone, Debug)]
struct Repeats {
    at: Instant,
    position: i64,
    left_out: Arc<[LeftOut]>,
}

/// The values, or the reason why the database did not return them.
pub(super) type Answer = Result<Arc<Counts>, String>;

/// The last results.
#[derive(Debug, Default)]
pub(crate) struct HealthCounts(Mutex<(Option<Last>, Option<Repeats>)>);

#[derive(Debug)]
struct Last {
    at: Instant,
    /// The position of the views before the query.
    position: i64,
    answer: Answer,
}

impl HealthCounts {
    /// The values from the database: new ones, or recent ones that are still valid.
    pub(super) async fn counts(&self, application: &Application) -> Answer {
        let (last, repeats) = &mut *self.0.lock().await;
        let position = *application.position.borrow();
        if let Some(last) = last {
            let oldest = if last.position == position { OLDEST } else { OLDEST_OF_ANOTHER };
            if last.at.elapsed() < oldest {
                return last.answer.clone();
            }
        }
        let answer = read_counts(application, position, repeats).await.map(Arc::new).map_err(|error| error.to_string());
        *last = Some(Last { at: Instant::now(), position, answer: answer.clone() });
        answer
    }
}

async fn read_counts(application: &Application, position: i64, repeats: &mut Option<Repeats>) -> Result<Counts, Error> {
    let requested = async {
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
    let counts = tokio::time::timeout(DEADLINE, requested).await.map_err(late)??;
    Ok(Counts { left_out: left_out(application, position, repeats).await, ..counts })
}

/// The entries that configurations leave out. If they cannot be found in time, the last known ones: they are no reason to
/// report an instance as not ready.
async fn left_out(application: &Application, position: i64, repeats: &mut Option<Repeats>) -> Arc<[LeftOut]> {
    if let Some(known) = repeats.as_ref().filter(|known| known.position == position || known.at.elapsed() < OLDEST_REPEATS) {
        return Arc::clone(&known.left_out);
    }
    let requested = async {
        let mut connection = application.agents.acquire().await?;
        Ok::<_, Error>(repeats::list(&mut connection, None).await?)
    };
    let left_out: Arc<[LeftOut]> = match tokio::time::timeout(DEADLINE, requested).await {
        Ok(Ok(found)) => found.into(),
        failed => {
            let why = failed.err().map_or("the query failed", |_| "the database did not answer in time");
            tracing::warn!("cannot query repeated DHCP entries: {why}");
            repeats.as_ref().map_or_else(|| [].into(), |known| Arc::clone(&known.left_out))
        }
    };
    *repeats = Some(Repeats { at: Instant::now(), position, left_out: Arc::clone(&left_out) });
    left_out
}
