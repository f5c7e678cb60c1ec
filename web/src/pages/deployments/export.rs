//! The export of a filtered list of deployments as CSV (RFC 4180), without a limit.

use super::list::filter;
use crate::error::Error;
use crate::pages::csv;
use crate::pages::frame::Visit;
use crate::request::backend::Backend;
use actix_web::HttpResponse;
use bootledger_projections::deployments::{self, Cursor, Deployment, Filter};

/// How many rows are read at a time.
const BATCH: i64 = 1_000;

const HEAD: &str = "id,hostname,ip,mac,status,overdue,status_since,venture,role,boot_image,boot_image_revision,network,site,device,\
                    import,started_at,started_by,in_progress_at,ended_at,ended_by,reason\r\n";

/// Handles `GET /deployments/export.csv`, which takes the filters of the list.
pub(super) async fn all(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let reading = backend.read().await?;
    let at = reading.at;
    let mut filter = Filter { after: None, ..filter(&visit, at)? };
    let mut ended = false;
    csv::download("deployments.csv", HEAD, reading, async |reading| {
        if ended {
            return Ok(None);
        }
        let found = deployments::list(reading.connection(), &filter, at, BATCH).await?;
        ended = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        filter.after = found.last().map(|last| Cursor::behind(last, filter.sort));
        Ok(Some(found.iter().map(line).collect()))
    })
    .await
}

fn line(row: &Deployment) -> String {
    let optional =
        |at: Option<bootledger_aggregates::values::timestamp::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let cells = [
        row.id.to_string(),
        row.hostname.to_string(),
        row.ip.to_string(),
        row.mac.to_string(),
        row.status.as_str().to_owned(),
        row.overdue.to_string(),
        row.status_since.to_string(),
        row.venture.to_string(),
        row.role.to_string(),
        row.boot_image.to_string(),
        row.boot_image_revision.to_string(),
        row.network.to_string(),
        row.site.to_string(),
        row.device.to_string(),
        row.import.map(|import| import.to_string()).unwrap_or_default(),
        row.started_at.to_string(),
        row.started_by.clone(),
        optional(row.in_progress_at),
        optional(row.ended_at),
        row.ended_by.clone().unwrap_or_default(),
        row.reason.clone().unwrap_or_default(),
    ];
    let cells: Vec<String> = cells.iter().map(|text| csv::cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}
