//! The export of a filtered list of deployments as CSV (RFC 4180), without a limit.

use super::list::filter;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::csv;
use crate::pages::layout::PageContext;
use crate::wording::plugins::ended_by;
use actix_web::HttpResponse;
use bootledger_projections::rows::deployments::{self, Cursor, Deployment, Filter};

/// How many rows are read at a time.
const BATCH: i64 = 1_000;

const HEAD: &str = "id,hostname,ip,mac,status,overdue,status_since,venture,role,boot_image,boot_image_revision,network,site,device,\
                    import,started_at,started_by,in_progress_at,ended_at,ended_by,reason,note,ticket\r\n";

/// The columns of a CSV file that starts deployments.
const IMPORT: &str = "mac,network,venture,role,boot_image,hostname,ip,note,ticket\r\n";

/// Handles `GET /deployments/export.csv`, which takes the filters of the list.
pub(super) async fn all(page_context: PageContext, backend: Backend) -> Result<HttpResponse, Error> {
    download(&page_context, backend, ("deployments.csv", HEAD), line).await
}

/// Handles `GET /deployments/import.csv`: the same rows with only the columns of a file that starts deployments, so that the file
/// can be changed and uploaded again.
pub(super) async fn for_import(page_context: PageContext, backend: Backend) -> Result<HttpResponse, Error> {
    download(&page_context, backend, ("deployments-import.csv", IMPORT), import_line).await
}

async fn download(
    page_context: &PageContext,
    mut backend: Backend,
    (name, head): (&str, &str),
    line: fn(&Deployment) -> String,
) -> Result<HttpResponse, Error> {
    let snapshot = backend.read().await?;
    let at = snapshot.at;
    let mut filter = Filter { after: None, ..filter(page_context, at)? };
    let mut ended = false;
    csv::download(name, head, snapshot, async |snapshot| {
        if ended {
            return Ok(None);
        }
        let found = deployments::list(snapshot.connection(), &filter, at, BATCH).await?;
        ended = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        filter.after = found.last().map(|last| Cursor::behind(last, filter.sort));
        Ok(Some(found.iter().map(line).collect()))
    })
    .await
}

/// Cells as a line.
fn written(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| csv::cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

fn import_line(row: &Deployment) -> String {
    written(&[
        row.mac.to_string(),
        row.network.to_string(),
        row.venture.to_string(),
        row.role.to_string(),
        row.boot_image.to_string(),
        row.hostname.to_string(),
        row.ip.to_string(),
        row.notes.note.to_string(),
        row.notes.ticket.to_string(),
    ])
}

fn line(row: &Deployment) -> String {
    let optional =
        |at: Option<bootledger_aggregates::values::timestamp::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    written(&[
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
        row.ended_by.as_ref().map(ended_by).unwrap_or_default(),
        row.reason.clone().unwrap_or_default(),
        row.notes.note.to_string(),
        row.notes.ticket.to_string(),
    ])
}
