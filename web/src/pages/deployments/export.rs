//! The deployments of a filtered list as CSV (RFC 4180), all of them, page by page as they are read.

use super::list::filter;
use crate::application::Application;
use crate::error::Error;
use crate::pages::frame::Visit;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Data;
use bootledger_projections::at::At;
use bootledger_projections::deployments::{self, Cursor, Deployment, Filter};
use bytes::Bytes;

/// How many rows are read at a time.
const BATCH: i64 = 1_000;

const HEAD: &str = "id,hostname,ip,mac,status,overdue,status_since,venture,role,boot_image,boot_image_revision,network,site,device,\
                    import,started_at,started_by,in_progress_at,ended_at,ended_by,reason\r\n";

struct Rows {
    application: Data<Application>,
    filter: Filter,
    at: At,
    ended: bool,
}

/// `GET /deployments/export.csv`: the filters of the list.
pub(super) async fn csv(visit: Visit, application: Data<Application>, reading: Reading) -> Result<HttpResponse, Error> {
    let at = reading.at;
    let filter = Filter { after: None, ..filter(&visit, at)? };
    drop(reading);
    let rows = Rows { application, filter, at, ended: false };
    let begin = futures::stream::once(async { Ok::<_, Error>(Bytes::from_static(HEAD.as_bytes())) });
    let rest = futures::stream::try_unfold(rows, |rows| async { rows.next().await });
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"deployments.csv\""))
        .streaming(Box::pin(futures::StreamExt::chain(begin, rest))))
}

impl Rows {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut connection = self.application.views.acquire().await?;
        let found = deployments::list(&mut *connection, &self.filter, self.at, BATCH).await?;
        drop(connection);
        self.ended = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        self.filter.after = found.last().map(|last| Cursor::behind(last, self.filter.sort));
        let text: String = found.iter().map(line).collect();
        Ok(Some((Bytes::from(text), self)))
    }
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
    let cells: Vec<String> = cells.iter().map(|text| crate::pages::csv::cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}
